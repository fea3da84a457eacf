"""ICMPv6 messages (RFC 4443): numbers, names, echo and errors.

KAME `icmp6.h`. A message begins with type, code and checksum; its *body* is what follows these 4 octets. The bodies
of neighbour discovery are in `nd`, those of multicast listener discovery in `mld`. Those of router renumbering
are in `rr`, those of node information (RFC 4620) in `nodeinfo`.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import need
from kamelab.wire.checksum import in6_cksum
from kamelab.wire.ip6 import IPPROTO_ICMPV6

HEADER_LEN: Final = 4

DST_UNREACH: Final = 1
PACKET_TOO_BIG: Final = 2
TIME_EXCEEDED: Final = 3
PARAM_PROB: Final = 4
ECHO_REQUEST: Final = 128
ECHO_REPLY: Final = 129
MLD_QUERY: Final = 130
MLD_REPORT: Final = 131
MLD_DONE: Final = 132
ROUTER_SOLICIT: Final = 133
ROUTER_ADVERT: Final = 134
NEIGHBOR_SOLICIT: Final = 135
NEIGHBOR_ADVERT: Final = 136
REDIRECT: Final = 137
ROUTER_RENUMBER: Final = 138
NI_QUERY: Final = 139
NI_REPLY: Final = 140
INVERSE_ND_SOLICIT: Final = 141
INVERSE_ND_ADVERT: Final = 142
MLDV2_REPORT: Final = 143

UNREACH_NOROUTE: Final = 0
UNREACH_ADMIN: Final = 1
UNREACH_SCOPE: Final = 2
UNREACH_ADDR: Final = 3
UNREACH_PORT: Final = 4
UNREACH_POLICY: Final = 5
UNREACH_REJECT: Final = 6
TIMXCEED_HOPS: Final = 0
TIMXCEED_REASSEMBLY: Final = 1
PARAM_HEADER: Final = 0
PARAM_NEXTHDR: Final = 1
PARAM_OPTION: Final = 2

INFO_MASK: Final = 0x80
"""Set in the type of an informational message, clear in that of an error (RFC 4443 2.1)."""

TYPE_NAMES: Final = {
    DST_UNREACH: "unreach",
    PACKET_TOO_BIG: "packet too big",
    TIME_EXCEEDED: "time exceed",
    PARAM_PROB: "parameter problem",
    ECHO_REQUEST: "echo",
    ECHO_REPLY: "echo reply",
    MLD_QUERY: "multicast listener query",
    MLD_REPORT: "multicast listener report",
    MLD_DONE: "multicast listener done",
    ROUTER_SOLICIT: "router solicitation",
    ROUTER_ADVERT: "router advertisement",
    NEIGHBOR_SOLICIT: "neighbor solicitation",
    NEIGHBOR_ADVERT: "neighbor advertisement",
    REDIRECT: "redirect",
    ROUTER_RENUMBER: "router renumbering",
    NI_QUERY: "node information request",
    NI_REPLY: "node information reply",
    INVERSE_ND_SOLICIT: "inverse neighbor solicitation",
    INVERSE_ND_ADVERT: "inverse neighbor advertisement",
    MLDV2_REPORT: "multicast listener report v2",
}

_ECHO = struct.Struct("!HH")
_ERROR = struct.Struct("!BBxxI")


class Icmp6(NamedTuple):
    """The header of any message."""

    type: int
    code: int
    checksum: int


class Icmp6Error(NamedTuple):
    """An error: `word` is its 32 bits after the checksum (MTU in octets, pointer, or unused), `quoted` what follows."""

    type: int
    code: int
    word: int
    quoted: bytes


def type_name(type: int) -> str:  # noqa: A002
    """The name of a message type in the histogram of KAME's netstat(1), `#N` for an unnamed one."""
    return TYPE_NAMES.get(type) or f"#{type}"


def is_error(type: int) -> bool:  # noqa: A002
    """True for the error types, 0 to 127 (RFC 4443 2.1)."""
    return not type & INFO_MASK


def build(src: bytes, dst: bytes, type: int, code: int, body: bytes) -> bytes:  # noqa: A002
    """A whole message with its checksum, for a packet from `src` to the final destination `dst` (RFC 4443 2.3)."""
    head = bytes((type, code))
    checksum = in6_cksum(src, dst, IPPROTO_ICMPV6, head + b"\x00\x00" + body)
    return head + checksum.to_bytes(2, "big") + body


def parse(message: bytes) -> Icmp6:
    """Read the header of a message; Truncated below 4 octets. The checksum is not judged: see `in6_cksum_ok`."""
    need(message, HEADER_LEN, "ICMPv6 header")
    return Icmp6(message[0], message[1], (message[2] << 8) | message[3])


def echo_body(ident: int, seq: int, data: bytes) -> bytes:
    """The body of an echo request or reply (RFC 4443 4.1); identifier and sequence number are taken modulo 65536."""
    return _ECHO.pack(ident & 0xFFFF, seq & 0xFFFF) + data


def parse_echo(message: bytes) -> tuple[int, int, bytes]:
    """Identifier, sequence number and data of a whole echo message; Truncated below 8 octets."""
    need(message, 8, "echo message")
    ident, seq = _ECHO.unpack_from(message, HEADER_LEN)
    return ident, seq, message[8:]


def error_body(word: int, quoted: bytes) -> bytes:
    """The body of an error (RFC 4443 3): the MTU, the pointer or 0, then the quoted packet, already cut to fit."""
    return (word & 0xFFFFFFFF).to_bytes(4, "big") + quoted


def parse_error(message: bytes) -> Icmp6Error:
    """Read a whole error message (RFC 4443 3); Truncated below 8 octets."""
    need(message, 8, "ICMPv6 error")
    kind, code, word = _ERROR.unpack_from(message)
    return Icmp6Error(kind, code, word, message[8:])
