"""The encapsulating security payload: what is in clear before it, and the trailer once it is decrypted.

RFC 4303 2, RFC 1827 3, RFC 1829; KAME netinet6/esp.h `struct newesp`, `struct esp`, `struct esptail`. How long IV and
ICV are is known from the association alone.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError, need

HEADER_LEN: Final = 8
"""SPI and sequence number; the IV follows."""
OLD_HEADER_LEN: Final = 4
"""SPI alone, in the old form."""
TRAILER_LEN: Final = 2
"""Pad length and next header."""


class Esp(NamedTuple):
    """What can be read without a key; `seq` is None in the old form."""

    spi: int
    seq: int | None


class Trailer(NamedTuple):
    """The end of the plain text: `padding` octets, their number, the next header."""

    padding: bytes
    nxt: int


def parse(data: bytes, old: bool = False) -> Esp:
    """Read the header at the start of `data`; Truncated if it isn't all there."""
    need(data, OLD_HEADER_LEN if old else HEADER_LEN, "ESP")
    spi = int.from_bytes(data[:4], "big")
    return Esp(spi, None if old else int.from_bytes(data[4:8], "big"))


def build(spi: int, seq: int | None) -> bytes:
    """The header; without `seq` in the old form. WireError for a value that has not 32 bits."""
    try:
        return struct.pack("!I", spi) if seq is None else struct.pack("!II", spi, seq)
    except struct.error as error:
        raise WireError(f"ESP: {error}") from None


def parse_trailer(plain: bytes) -> Trailer:
    """Read the trailer at the end of a plain text; Truncated if there is less padding than it says."""
    need(plain, TRAILER_LEN, "ESP trailer")
    size, nxt = plain[-2], plain[-1]
    end = len(plain) - TRAILER_LEN
    if size > end:
        raise Truncated(f"ESP padding: {end} of {size} octets", end)
    return Trailer(plain[end - size : end], nxt)
