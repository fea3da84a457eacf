"""The authentication header, in the form of today and the old one (RFC 4302 2; RFC 1826 3).

KAME netinet6/ah.h `struct newah`, `struct ah`. Which form a packet has is known from the association alone.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import WireError, need

HEADER_LEN: Final = 12
"""Octets before the ICV."""
OLD_HEADER_LEN: Final = 8
"""The same in the old form, which has no sequence number."""

_NEW = struct.Struct("!BBHII")
_OLD = struct.Struct("!BBHI")


class Ah(NamedTuple):
    """The fields; `length` is the octet on the wire, `size` the whole header in octets, `seq` None in the old form."""

    nxt: int
    length: int
    reserved: int
    spi: int
    seq: int | None
    icv: bytes

    @property
    def size(self) -> int:
        """Octets of the header: 4-octet units less two (RFC 4302 2.2)."""
        return (self.length + 2) << 2


def parse(data: bytes, old: bool = False) -> Ah:
    """Read a header at the start of `data`. Truncated if it isn't all there, WireError if too short for its form."""
    start = OLD_HEADER_LEN if old else HEADER_LEN
    need(data, start, "AH")
    size = (data[1] + 2) << 2
    if size < start:
        raise WireError(f"AH of {size} octets", 1)
    need(data, size, "AH")
    if old:
        nxt, length, reserved, spi = _OLD.unpack_from(data)
        return Ah(nxt, length, reserved, spi, None, data[OLD_HEADER_LEN:size])
    nxt, length, reserved, spi, seq = _NEW.unpack_from(data)
    return Ah(nxt, length, reserved, spi, seq, data[HEADER_LEN:size])


def build(nxt: int, spi: int, seq: int | None, icv: bytes) -> bytes:
    """A header; without `seq` in the old form. WireError for an ICV that isn't whole words, or a value too big."""
    if len(icv) % 4 or len(icv) > 1012:
        raise WireError(f"an ICV of {len(icv)} octets", HEADER_LEN)
    words = len(icv) // 4
    try:
        if seq is None:
            return _OLD.pack(nxt, words, 0, spi) + icv
        return _NEW.pack(nxt, words + 1, 0, spi, seq) + icv
    except struct.error as error:
        raise WireError(f"AH: {error}") from None
