"""The TCP header (RFC 9293 3.1), for reading only: summaries and dissection.

Left out: building segments, options beyond their octets.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import WireError, need

HEADER_LEN: Final = 20

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80

_HEADER = struct.Struct("!HHIIBBHHH")
# tcpdump's letters and their order; ACK is a dot.
_LETTERS = ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"), (ECE, "E"), (CWR, "W"))


class TcpHeader(NamedTuple):
    """A TCP header; `offset` is where the data begins, in octets."""

    sport: int
    dport: int
    seq: int
    ack: int
    offset: int
    flags: int
    window: int
    checksum: int
    urgent: int
    options: bytes


def parse(segment: bytes) -> TcpHeader:
    """Read a header with its options; Truncated if they aren't all there, WireError for an offset below 20 octets."""
    need(segment, HEADER_LEN, "TCP header")
    sport, dport, seq, ack, offset, flags, window, checksum, urgent = _HEADER.unpack_from(segment)
    offset = (offset >> 4) << 2
    if offset < HEADER_LEN:
        raise WireError(f"TCP data offset of {offset} octets", 12)
    need(segment, offset, "TCP header")
    return TcpHeader(sport, dport, seq, ack, offset, flags, window, checksum, urgent, segment[HEADER_LEN:offset])


def flags_text(flags: int) -> str:
    """The flags as tcpdump(1) prints them, `S.` for SYN and ACK; `none` without any."""
    return "".join([letter for bit, letter in _LETTERS if flags & bit]) or "none"
