"""IPv6 input: the checks on every packet in KAME's order, and the loop over its headers (KAME ip6_input.c; RFC 8200).

The order of checks is that of KAME ip6_input; each failure is one drop reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import dest6, ip6_forward, raw_ip6
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netinet6.scope6 import has_embedded, in6_setscope
from kamelab.stack.packet import Packet, Verdict, deliver, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.ip6 import IPPROTO_HOPOPTS

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def hostile_v4(addr: bytes) -> bool:
    """An IPv4-compatible address made of an unspecified, loopback, multicast or broadcast one.

    KAME IMPLEMENTATION 1.14 (2001).
    """
    if addr[:12] != bytes(12) or addr == in6.UNSPECIFIED or addr == in6.LOOPBACK:
        return False
    first = addr[12]
    return first in (0, 127, 255) or first & 0xF0 == 0xE0


def ip6_input(node: Node, pkt: Packet) -> Verdict:
    """Everything up to the decision: to this node, forward, or drop. The result is final, never an ``int``."""
    stat = node.stat
    iface, data = pkt.iface, pkt.data
    if iface.disabled:
        return drop("ND_DISABLED")
    stat["ip6.total"] += 1
    if len(data) < 40:
        return drop("IP6_TOOSMALL")
    if data[0] >> 4 != 6:
        return drop("IP6_BADVERS")
    nxt = data[6]
    stat[f"ip6.nxthist.{nxt}"] += 1
    pkt.hlim = data[7]
    src, dst = data[8:24], data[24:40]
    if src[0] == 0xFF:
        return drop("IP6_SRC_MULTICAST")
    if dst == in6.UNSPECIFIED:
        return drop("IP6_DST_UNSPECIFIED")
    multicast = dst[0] == 0xFF
    if multicast and dst[1] & 0x0F <= 1 and not pkt.looped:
        return drop("IP6_IFLOCAL_WIRE")
    if in6.is_v4mapped(src) or in6.is_v4mapped(dst):
        return drop("IP6_V4MAPPED")
    if hostile_v4(src) or hostile_v4(dst):
        return drop("IP6_V4COMPAT")
    if has_embedded(src) or has_embedded(dst):
        node.log(f"ip6_input: embedded zone from {in6.ntop(src)} to {in6.ntop(dst)}")
        return drop("IP6_EMBEDDED_ZONE")
    zone_src, zone_dst = in6_setscope(src, iface), in6_setscope(dst, iface)
    if zone_src is None or zone_dst is None:
        return drop("IP6_LOOPBACK_WIRE")
    pkt.src, pkt.dst = zone_src, zone_dst
    mine = False
    if multicast:
        if zone_dst not in iface.groups:
            return drop("IP6_NOTMEMBER")
        mine = True
    else:
        own = node.own.get(zone_dst)
        if own is not None:
            address = own[1]
            if not address.usable:
                node.debug_nd6(
                    f"ip6_input: packet to an unready address {node.text(zone_dst)} from {node.text(zone_src)}"
                )
                return drop("IP6_TENTATIVE" if address.tentative else "IP6_NOTREADY")
            mine = True
        elif not node.sysctl["net.inet6.ip6.forwarding"]:
            return drop("IP6_NOTFORWARDING")
    plen = data[4] << 8 | data[5]
    if nxt == IPPROTO_HOPOPTS:
        pkt.end = min(len(data), 40 + plen) if plen else len(data)
        verdict = dest6.options_input(node, pkt)
        if verdict.__class__ is not int:
            return verdict
        nxt = verdict
        pkt.headers = 1
    if plen == 0:
        # Without a jumbo payload option, which no link here is large enough for, nothing can follow.
        return drop("IP6_ZEROLEN", dest6.param_problem(node, pkt, icmp.PARAM_HEADER, 4))
    if 40 + plen > len(data):
        return drop("IP6_TOOSHORT")
    pkt.end = 40 + plen
    if not mine:
        return ip6_forward.ip6_forward(node, pkt)
    stat["ip6.delivered"] += 1
    return header_loop(node, pkt, nxt)


def header_loop(node: Node, pkt: Packet, nxt: int) -> Verdict:
    """Hand the packet from header to header until a handler ends it (KAME IMPLEMENTATION 1.8 (2001))."""
    limit = node.sysctl["net.inet6.ip6.hdrnestlimit"]
    switch = node.inet6sw
    while True:
        # The limit counts the IPv6 header too, as the seed says.
        if limit and pkt.headers + 1 >= limit:
            return drop("IP6_TOOMANYHDR")
        pkt.headers += 1
        handler = switch.get(nxt)
        if handler is None:
            return unknown_header(node, pkt, nxt)
        verdict = handler(node, pkt)
        if verdict.__class__ is not int:
            return verdict
        nxt = verdict


def unknown_header(node: Node, pkt: Packet, nxt: int) -> Verdict:
    """A next header that only raw sockets may read, else a parameter problem pointing at the field that named it.

    RFC 8200 4, RFC 3542 3.
    """
    taken = raw_ip6.rip6_input(node, pkt, pkt.data[pkt.off : pkt.end], nxt)
    if taken:
        return deliver("raw sockets")
    node.stat["ip6.unknown_protocol"] += 1
    return drop(
        "NXT_UNKNOWN",
        icmp6_error(
            node,
            pkt.iface,
            pkt.data[: pkt.end],
            icmp.PARAM_PROB,
            icmp.PARAM_NEXTHDR,
            pkt.nxt_at,
            rx_iface=None if pkt.iface.loopback else pkt.iface,
            lcast=pkt.lcast or pkt.dst[0] == 0xFF,
        ),
    )
