"""Routing headers (KAME route6.c; RFC 8200 4.4, RFC 2460 4.4).

Type 0, the source route, was retired by RFC 5095, because packets could be made to travel to and fro between two
routers. The kernel follows it as KAME's did, hosts included, unless net.inet6.ip6.rthdr0 is 0: then it is of unknown
type. Others are passed over with no segments left, and else refused. Left out: types 2 (mobility), 3 (RPL), 4 (SRH).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import ip6_forward
from kamelab.stack.netinet6.dest6 import param_problem
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.stack.packet import Packet, Verdict, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.exthdr import ROUTING_TYPE0

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def route6_input(node: Node, pkt: Packet) -> Verdict:
    """A routing header: passed over with no segments left, else followed or refused (KAME route6_input)."""
    pkt.stage = "route6_input"
    if pkt.routed:
        return drop("ROUTE_TWICE")
    pkt.routed = True
    data, start = pkt.data, pkt.off
    if start + 4 > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    end = start + (data[start + 1] + 1) * 8
    if end > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    left = data[start + 3]
    if left:
        if data[start + 2] != ROUTING_TYPE0 or not node.sysctl["net.inet6.ip6.rthdr0"]:
            return drop("ROUTE_UNKNOWN", param_problem(node, pkt, icmp.PARAM_HEADER, start + 2))
        return _rthdr0(node, pkt, start, left)
    pkt.nxt_at = start
    pkt.off = end
    return data[start]


def _rthdr0(node: Node, pkt: Packet, start: int, left: int) -> Verdict:
    """The next hop of a type 0 header becomes the destination, and the packet goes on (KAME ip6_rthdr0)."""
    data = pkt.data
    length = data[start + 1]
    if length % 2:
        return drop("ROUTE_BADLEN", param_problem(node, pkt, icmp.PARAM_HEADER, start + 1))
    if left > length // 2:
        return drop("ROUTE_BADLEN", param_problem(node, pkt, icmp.PARAM_HEADER, start + 3))
    at = start + 8 + 16 * (length // 2 - left)
    following = data[at : at + 16]
    if _impossible(following) or _impossible(data[24:40]):
        return drop("ROUTE_BADADDR")
    dst = in6_setscope(following, pkt.iface)
    if dst is None:
        return drop("ROUTE_BADSCOPE")
    swapped = bytearray(data)
    swapped[start + 3] = left - 1
    swapped[at : at + 16] = data[24:40]
    swapped[24:40] = following
    pkt.data = bytes(swapped)
    pkt.dst = dst
    pkt.srcrt = True
    return ip6_forward.ip6_forward(node, pkt)


def _impossible(addr: bytes) -> bool:
    """No node's address: a group, unspecified, IPv4-mapped or IPv4-compatible (KAME IMPLEMENTATION 1.14 (2001))."""
    if addr[0] == 0xFF or addr == in6.UNSPECIFIED or in6.is_v4mapped(addr):
        return True
    return addr[:12] == bytes(12) and addr != in6.LOOPBACK
