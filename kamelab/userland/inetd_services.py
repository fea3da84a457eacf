"""The small services: echo (RFC 862), chargen (RFC 864), discard (RFC 863), daytime (RFC 867), time (RFC 868).

Octets to send and what to do with octets received, without sockets. Left out: active users, quote of the day.
"""

from __future__ import annotations

from typing import Final

from kamelab.core.clock import SECOND
from kamelab.userland.ctime import ctime

COLUMNS: Final = 72
"""Characters of a chargen line, without its CR LF."""

_PRINTABLE: Final = bytes(range(32, 127))
_ROUND: Final = b"".join(
    (_PRINTABLE * 2)[at : at + COLUMNS] + b"\r\n" for at in range(len(_PRINTABLE))
)  # fmt: skip
"""All the different lines; then it begins anew."""
_SINCE_1900: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""


def chargen(offset: int, size: int) -> bytes:
    """``size`` octets of the endless stream from ``offset`` on."""
    start = offset % len(_ROUND)
    out = _ROUND[start : start + size]
    while len(out) < size:
        out += _ROUND[: size - len(out)]
    return out


def chargen_line(number: int) -> bytes:
    """The one line that a datagram gets."""
    return chargen(number * (COLUMNS + 2), COLUMNS + 2)


def daytime(wall: int) -> bytes:
    """The time, in ns since 1970, as a line."""
    return f"{ctime(wall)}\r\n".encode()


def time(wall: int) -> bytes:
    """Seconds since 1900 as four octets; they began anew in 2036."""
    return ((wall // SECOND + _SINCE_1900) & 0xFFFFFFFF).to_bytes(4, "big")


def answer(name: str, data: bytes, wall: int, served: int) -> bytes | None:
    """What a datagram is answered with, None for nothing. ``served`` counts the datagrams before it."""
    if name == "echo":
        return data
    if name == "daytime":
        return daytime(wall)
    if name == "time":
        return time(wall)
    return chargen_line(served) if name == "chargen" else None
