"""What an ICMPv6 error means to the sockets of the packet that it quotes (KAME icmp6_notify_error, rip6_ctlinput).

One table turns types and codes into BSD's ``PRC_*`` causes and these into the errno that a connected socket hears
(inet6ctlerrmap). Left out: what TCP makes of it (`netinet.tcp_input`), path MTU (`pmtu`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kamelab.core.errors import ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, EMSGSIZE, ENOPROTOOPT
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.wire import exthdr
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError, need
from kamelab.wire.ip6 import HEADER_LEN, IPPROTO_ESP, IPPROTO_FRAGMENT, IPPROTO_ROUTING, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node
    from kamelab.stack.socket.sockets import Socket

_CAUSES: Final[dict[tuple[int, int], str]] = {
    (icmp.DST_UNREACH, icmp.UNREACH_NOROUTE): "PRC_UNREACH_NET",
    (icmp.DST_UNREACH, icmp.UNREACH_ADMIN): "PRC_UNREACH_PROTOCOL",
    (icmp.DST_UNREACH, icmp.UNREACH_SCOPE): "PRC_PARAMPROB",
    (icmp.DST_UNREACH, icmp.UNREACH_ADDR): "PRC_HOSTDEAD",
    (icmp.DST_UNREACH, icmp.UNREACH_PORT): "PRC_UNREACH_PORT",
    # RFC 4443 3.1: refinements of code 1
    (icmp.DST_UNREACH, icmp.UNREACH_POLICY): "PRC_UNREACH_PROTOCOL",
    (icmp.DST_UNREACH, icmp.UNREACH_REJECT): "PRC_UNREACH_PROTOCOL",
    (icmp.TIME_EXCEEDED, icmp.TIMXCEED_HOPS): "PRC_TIMXCEED_INTRANS",
    (icmp.TIME_EXCEEDED, icmp.TIMXCEED_REASSEMBLY): "PRC_TIMXCEED_REASS",
    (icmp.PARAM_PROB, icmp.PARAM_HEADER): "PRC_PARAMPROB",
    (icmp.PARAM_PROB, icmp.PARAM_NEXTHDR): "PRC_UNREACH_PROTOCOL",
    (icmp.PARAM_PROB, icmp.PARAM_OPTION): "PRC_PARAMPROB",
}

_ERRNOS: Final[dict[str, int]] = {
    "PRC_MSGSIZE": EMSGSIZE,
    "PRC_HOSTDEAD": EHOSTDOWN,
    "PRC_UNREACH_NET": EHOSTUNREACH,
    "PRC_UNREACH_PROTOCOL": ECONNREFUSED,
    "PRC_UNREACH_PORT": ECONNREFUSED,
    "PRC_TIMXCEED_INTRANS": 0,
    "PRC_TIMXCEED_REASS": 0,
    "PRC_PARAMPROB": ENOPROTOOPT,
}
"""BSD's inet6ctlerrmap, as far as ICMPv6 reaches it; 0: sockets hear nothing."""


class Quoted(NamedTuple):
    """The packet inside an error, as far as it says whose it was. Addresses carry embedded zones."""

    src: bytes
    dst: bytes
    """The last destination: behind a routing header with segments left, the one that it ends with."""
    nxt: int
    offset: int
    """Where the upper layer begins; of a fragment that is not the first, its fragment header."""
    sport: int
    dport: int
    """Ports of UDP and TCP where the quote reaches that far, else 0."""


def prc(kind: int, code: int) -> str:
    """BSD's name for an error's cause; empty where it has none (an unknown type or code)."""
    if kind == icmp.PACKET_TOO_BIG:
        return "PRC_MSGSIZE"
    return _CAUSES.get((kind, code), "")


def ctlerror(kind: int, code: int) -> int:
    """The errno that a connected socket hears of an error; 0: none."""
    return _ERRNOS.get(prc(kind, code), 0)


def read_quoted(iface: Interface, quoted: bytes) -> Quoted | None:
    """Take the quoted packet of an error apart, which came by ``iface``; None for addresses that can't be of there.

    Raises WireError where the quote ends before its upper layer.
    """
    need(quoted, HEADER_LEN, "quoted packet")
    src = in6_setscope(quoted[8:24], iface)
    dst = in6_setscope(_last_destination(quoted), iface)
    if src is None or dst is None:
        return None
    nxt, offset = exthdr.upper_layer(quoted)
    sport = dport = 0
    # Of ESP the SPI stands there.
    if nxt in (IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ESP) and len(quoted) >= offset + 4:
        sport = int.from_bytes(quoted[offset : offset + 2], "big")
        dport = int.from_bytes(quoted[offset + 2 : offset + 4], "big")
    return Quoted(src, dst, nxt, offset, sport, dport)


def _last_destination(packet: bytes) -> bytes:
    """Where the packet was to go in the end: a type 0 routing header's last address while segments are left."""
    nxt, at = packet[6], HEADER_LEN
    while nxt in exthdr.EXTENSION_HEADERS and at + 8 <= len(packet):
        if nxt == IPPROTO_ROUTING:
            try:
                routing = exthdr.parse_routing(packet[at:])
            except WireError:
                break
            if routing.segleft and routing.addresses:
                return routing.addresses[-1]
            break
        if nxt == IPPROTO_FRAGMENT:
            if packet[at + 2] or packet[at + 3] & 0xF8:
                break
            size = 8
        else:
            size = (packet[at + 1] + 1) * 8
        nxt, at = packet[at], at + size
    return packet[24:40]


def connected(so: Socket, quoted: Quoted) -> bool:
    """The quoted packet belongs to this connected socket."""
    return so.faddr == quoted.dst and (so.laddr is None or so.laddr == quoted.src)


def rip6_validated(node: Node, quoted: Quoted) -> bool:
    """A connected raw socket of the protocol sent to that destination (KAME rip6_ctlinput)."""
    return any(
        so.proto == quoted.nxt and connected(so, quoted) for so in (node.sockets[sid] for sid in node.raw_sockets)
    )
