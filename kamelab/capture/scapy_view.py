"""The last resort for a frame that `dissect` can't explain: scapy's view of it, if scapy is installed.

scapy is an extra (`kamelab[inspect]`) and takes its time to load, so it is looked up by name when somebody asks, and
nothing else in kamelab depends on it.
"""

from __future__ import annotations

import importlib
import warnings

_MISSING = "scapy is not installed; `pip install 'kamelab[inspect]'` adds it"


def inspect_with_scapy(frame: bytes) -> list[str]:
    """scapy's listing of an Ethernet frame, a field a line; one line that says why when there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ethernet = importlib.import_module("scapy.layers.l2").Ether
            importlib.import_module("scapy.layers.inet6")
    except ImportError:
        return [_MISSING]
    try:
        listing = str(ethernet(frame).show(dump=True))
    except Exception as error:
        return [f"scapy can't read this frame: {error}"]
    return [line.rstrip() for line in listing.splitlines() if line.strip()]
