"""The IPv6 header (RFC 8200 3) and the numbers of the protocols that follow it.

KAME `ip6.h`. The offsets are for code that reads one field of a packet in place.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError

HEADER_LEN: Final = 40
MIN_MTU: Final = 1280
"""Octets that every link carries (RFC 8200 5; KAME IPV6_MMTU)."""
MAX_PAYLOAD: Final = 65535

PLEN: Final = 4
NXT: Final = 6
HLIM: Final = 7
SRC: Final = 8
DST: Final = 24

IPPROTO_HOPOPTS: Final = 0
IPPROTO_ICMP: Final = 1
IPPROTO_IPV4: Final = 4
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_IPV6: Final = 41
IPPROTO_ROUTING: Final = 43
IPPROTO_FRAGMENT: Final = 44
IPPROTO_ESP: Final = 50
IPPROTO_AH: Final = 51
IPPROTO_ICMPV6: Final = 58
IPPROTO_NONE: Final = 59
IPPROTO_DSTOPTS: Final = 60
IPPROTO_OSPF: Final = 89
IPPROTO_PIM: Final = 103
IPPROTO_IPCOMP: Final = 108
IPPROTO_MOBILITY: Final = 135

PROTOCOL_NAMES: Final = {
    IPPROTO_HOPOPTS: "hop-by-hop",
    IPPROTO_ICMP: "ICMP",
    IPPROTO_IPV4: "IPv4",
    IPPROTO_TCP: "TCP",
    IPPROTO_UDP: "UDP",
    IPPROTO_IPV6: "IPv6",
    IPPROTO_ROUTING: "routing",
    IPPROTO_FRAGMENT: "fragment",
    IPPROTO_ESP: "ESP",
    IPPROTO_AH: "AH",
    IPPROTO_ICMPV6: "ICMPv6",
    IPPROTO_NONE: "no next header",
    IPPROTO_DSTOPTS: "destination options",
    IPPROTO_OSPF: "OSPF",
    IPPROTO_PIM: "PIM",
    IPPROTO_IPCOMP: "IPComp",
    IPPROTO_MOBILITY: "mobility",
}

_HEADER = struct.Struct("!IHBB16s16s")


class Ip6(NamedTuple):
    """The fields of an IPv6 header; the version is always 6, `plen` is in octets, addresses are 16 octets."""

    tclass: int
    flow: int
    plen: int
    nxt: int
    hlim: int
    src: bytes
    dst: bytes


def protocol_name(nxt: int) -> str:
    """The usual name of a next-header value, or `protocol N`."""
    return PROTOCOL_NAMES.get(nxt) or f"protocol {nxt}"


def build(src: bytes, dst: bytes, nxt: int, payload: bytes, *, hlim: int = 64, tclass: int = 0, flow: int = 0) -> bytes:
    """A whole packet: header and `payload` (RFC 8200 3). Raises WireError for a value that doesn't fit its field."""
    if not 0 <= flow <= 0xFFFFF or not 0 <= tclass <= 0xFF:
        raise WireError("traffic class or flow label doesn't fit its field", 0)
    if len(src) != 16 or len(dst) != 16:
        raise WireError("an IPv6 address has 16 octets", SRC)
    try:
        head = _HEADER.pack(0x60000000 | tclass << 20 | flow, len(payload), nxt, hlim, src, dst)
    except struct.error as error:
        raise WireError(f"IPv6 header: {error}", PLEN) from None
    return head + payload


def build_jumbo(src: bytes, dst: bytes, payload: bytes, *, hlim: int = 64, tclass: int = 0, flow: int = 0) -> bytes:
    """A jumbogram: payload length 0; ``payload`` begins with the hop-by-hop header that tells it (RFC 2675 3)."""
    return build(src, dst, IPPROTO_HOPOPTS, b"", hlim=hlim, tclass=tclass, flow=flow) + payload


def parse(packet: bytes) -> Ip6:
    """Read the header of a packet; Truncated below 40 octets, WireError if the version is not 6.

    Whether `plen` agrees with what follows is for the caller to judge.
    """
    if len(packet) < HEADER_LEN:
        raise Truncated(f"IPv6 header: {len(packet)} of {HEADER_LEN} octets")
    first, plen, nxt, hlim, src, dst = _HEADER.unpack_from(packet)
    if first >> 28 != 6:
        raise WireError(f"IP version {first >> 28}", 0)
    return Ip6(first >> 20 & 0xFF, first & 0xFFFFF, plen, nxt, hlim, src, dst)
