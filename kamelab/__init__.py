"""kamelab: a terminal laboratory for IPv6 and IPsec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kamelab.lab.api import Lab, Result

__version__ = "0.1.0"
__all__ = ["Lab", "Result", "__version__"]


def __getattr__(name: str) -> Any:
    """``kamelab.Lab`` on first use: the command line need not load the engine for ``--version``."""
    if name in ("Lab", "Result"):
        from kamelab.lab import api

        return getattr(api, name)
    raise AttributeError(name)
