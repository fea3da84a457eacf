"""Spans of time as tables write them."""

from __future__ import annotations

from itertools import pairwise

from kamelab.core.clock import SECOND
from kamelab.stack.views import INFINITE
from kamelab.userland.ndp_lines import sec2str


def brief(seconds: int) -> str:
    """A span in its two largest units: ``29d23h``, ``30d``, ``59m58s``, ``28s``."""
    for (letter, unit), (lower, part) in pairwise((("d", 86400), ("h", 3600), ("m", 60), ("s", 1))):
        count, rest = divmod(seconds, unit)
        if count:
            return f"{count}{letter}{rest // part}{lower}" if rest // part else f"{count}{letter}"
    return f"{seconds}s"


def lifetime(seconds: int) -> str:
    """A lifetime in seconds; `inf` for infinity."""
    return "inf" if seconds == INFINITE else brief(seconds)


def left(until: int | None, now: int) -> str:
    """What is left until a time (ns since boot)."""
    if until is None:
        return "never"
    return brief((until - now) // SECOND) if until > now else "expired"


def moment(time: int) -> str:
    """A time since boot in seconds, to the millisecond: ``4.118``."""
    milli = (time + 500_000) // 1_000_000
    return f"{milli // 1000}.{milli % 1000:03d}"


def span(time: int) -> str:
    """A span in words of one unit: ``28 s``, ``23h59m58s``, ``0.412 s``."""
    if time >= 60 * SECOND:
        return sec2str(time // SECOND)
    if time >= 10 * SECOND:
        return f"{time // SECOND} s"
    return f"{moment(time)} s"
