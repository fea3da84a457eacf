"""UDP over IPv6 (RFC 768, RFC 8200 8.1): the header and its checksum.

Left out: zero checksums for tunnels (RFC 6935), UDP options, jumbograms.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import WireError, need
from kamelab.wire.checksum import in6_cksum
from kamelab.wire.ip6 import IPPROTO_UDP

HEADER_LEN: Final = 8

_HEADER = struct.Struct("!HHHH")


class Udp(NamedTuple):
    """A UDP header; `length` in octets counts the header too."""

    sport: int
    dport: int
    length: int
    checksum: int


def parse(segment: bytes) -> Udp:
    """Read the header of a segment; Truncated below 8 octets. Length and checksum are not judged."""
    need(segment, HEADER_LEN, "UDP header")
    return Udp(*_HEADER.unpack_from(segment))


def build(src: bytes, dst: bytes, sport: int, dport: int, payload: bytes) -> bytes:
    """Header and payload, checksum done: never 0, as that would say "none" (RFC 8200 8.1).

    Raises WireError for a port or a length that has not 16 bits.
    """
    length = HEADER_LEN + len(payload)
    try:
        blank = _HEADER.pack(sport, dport, length, 0) + payload
    except struct.error as error:
        raise WireError(f"UDP header: {error}") from None
    checksum = in6_cksum(src, dst, IPPROTO_UDP, blank) or 0xFFFF
    return b"%b%b%b" % (blank[:6], checksum.to_bytes(2, "big"), payload)
