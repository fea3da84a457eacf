"""The IP payload compression header (RFC 3173 3.1) and the ranges of its parameter index (RFC 3173 3.3).

KAME netinet6/ipcomp.h `struct ipcomp`.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import WireError, need

HEADER_LEN: Final = 4

CPI_NEGOTIATE_MIN: Final = 256
"""Below: well-known numbers (0 to 63) and reserved ones."""
CPI_PRIVATE_MIN: Final = 61440
"""From here on private use; what is negotiated ends before."""

_HEADER = struct.Struct("!BBH")


class IpComp(NamedTuple):
    """The fields; `flags` is reserved, 0."""

    nxt: int
    flags: int
    cpi: int


def parse(data: bytes) -> IpComp:
    """Read the header at the start of `data`; Truncated below 4 octets."""
    need(data, HEADER_LEN, "IPComp")
    return IpComp(*_HEADER.unpack_from(data))


def build(nxt: int, cpi: int) -> bytes:
    """The 4 octets. WireError for a value that doesn't fit."""
    try:
        return _HEADER.pack(nxt, 0, cpi)
    except struct.error as error:
        raise WireError(f"IPComp: {error}") from None


def cpi_kind(cpi: int) -> str:
    """What an index is for: "well-known", "reserved", "negotiated" or "private" (RFC 3173 3.3)."""
    if cpi < 64:
        return "well-known"
    if cpi < CPI_NEGOTIATE_MIN:
        return "reserved"
    return "negotiated" if cpi < CPI_PRIVATE_MIN else "private"
