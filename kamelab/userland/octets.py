"""Text and octets: what programs read and write is text, what sockets carry is octets.

UTF-8 both ways; octets that are none become the code points U+DC80 to U+DCFF and back (PEP 383), so that nothing is
lost or changed on the way through a program. Left out: other encodings, line ends.
"""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 3
"""Octets of a character that may have come while the rest has not."""


def encoded(text: str) -> bytes:
    """The octets of a text."""
    return text.encode("utf-8", "surrogateescape")


def decoded(data: bytes) -> str:
    """The text of octets."""
    return data.decode("utf-8", "surrogateescape")


def split(data: bytes) -> tuple[str, bytes]:
    """(text, the beginning of a character at the end of ``data``, which waits for more)."""
    if data and data[-1] >= 0x80:
        for back in range(1, min(_LONGEST, len(data)) + 1):
            first = data[-back]
            if first >= 0xC0:
                need = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
                if need > back:
                    return decoded(data[:-back]), data[-back:]
                break
            if first < 0x80:
                break
    return decoded(data), b""


def joined(text: str, data: bytes) -> str:
    """``text`` with ``data`` behind it, a character mended that came in two pieces."""
    at = len(text)
    while at and len(text) - at < _LONGEST and "\udc80" <= text[at - 1] <= "\udcff":
        at -= 1
    return text[:at] + decoded(encoded(text[at:]) + data)
