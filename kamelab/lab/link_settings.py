"""What can be changed of a link by ``link NAME KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.lab.units import parse_duration, parse_probability, parse_rate


def link_setting(word: str) -> tuple[str, int | float]:
    """``loss=10%`` as (key, value). Raises ValueError saying what was expected."""
    key, equals, text = word.partition("=")
    reader = LINK_SETTINGS.get(key)
    if reader is None or not equals:
        raise ValueError(f"expected up, down, {', '.join(f'{name}=...' for name in LINK_SETTINGS)}, not {word!r}")
    return key, reader(text)


def _mtu(text: str) -> int:
    if not text.isdigit() or not 1280 <= int(text) <= 65535:
        raise ValueError(f"expected an MTU of 1280 to 65535 octets, not {text!r}")
    return int(text)


LINK_SETTINGS: dict[str, Callable[[str], int | float]] = {
    "latency": parse_duration,
    "bandwidth": parse_rate,
    "loss": parse_probability,
    "mtu": _mtu,
}
