"""IPv6 input: the checks on every packet in KAME's order, and the loop over its headers (KAME ip6_input.c; RFC 8200).

The order of checks is that of KAME ip6_input; each failure is one drop reason. Buffers are modelled for the statistics
only: a packet of up to 100 octets lies in one mbuf, a longer one in clusters of 2048 octets, as KAME asks of drivers;
on lo0 one of up to 208 octets lies in two mbufs, header and data, as its sender made it (KAME IMPLEMENTATION 1.11
(2001)).

Left out: firewall, packet filter, NAT-PT and faith, and forwarding of multicast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import dest6, in6_ifstat, ip6_forward, mld6, raw_ip6
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netinet6.scope6 import has_embedded, in6_setscope
from kamelab.stack.netipsec import ipsec6_input
from kamelab.stack.packet import DECRYPTED, Packet, Verdict, deliver, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.exthdr import RTALERT_MLD
from kamelab.wire.ip6 import IPPROTO_HOPOPTS, IPPROTO_ICMPV6, IPPROTO_IPV4, IPPROTO_IPV6

if TYPE_CHECKING:
    from kamelab.stack.node import Node

MHLEN = 100
"""Octets of a packet that one mbuf holds."""
MINCLSIZE = 208
"""Octets that two mbufs hold."""
MCLBYTES = 2048
"""Octets of a cluster."""


def count_mbufs(node: Node, pkt: Packet) -> None:
    """How the packet lies in buffers (KAME ip6_input, before all checks)."""
    length = len(pkt.data)
    if length <= MHLEN:
        node.stat["ip6.m1"] += 1
    elif pkt.looped and length <= MINCLSIZE:
        node.stat[f"ip6.m2m.{node.loopback.name}"] += 1
    elif length <= MCLBYTES:
        node.stat["ip6.mext1"] += 1
    else:
        node.stat["ip6.mext2m"] += 1


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
    count_mbufs(node, pkt)
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
    if not src[0] or not dst[0]:
        # Ordinary addresses don't begin with a zero octet.
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
        mine = zone_dst in iface.groups
        if not mine and not mld6.in6_allmulti(node, iface):
            return drop("IP6_NOTMEMBER")
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
        verdict = dest6.hopopts_read(node, pkt)
        if verdict.__class__ is not int:
            return verdict
        nxt = verdict
        pkt.headers += 1
        if plen == 0:
            # Only here (RFC 2675 3): a packet of nothing but its header is a packet (RFC 8200 4.7).
            if not pkt.jumbo:
                return drop("IP6_ZEROLEN", dest6.param_problem(node, pkt, icmp.PARAM_HEADER, 4))
            plen = pkt.jumbo
        if pkt.rtalert == RTALERT_MLD and node.sysctl["net.inet6.ip6.forwarding"]:
            # MLD is for every router on the way, whomever it is addressed to (RFC 2710 3).
            mine = True
    if 40 + plen > len(data):
        return drop("IP6_TOOSHORT")
    pkt.end = 40 + plen
    if multicast:
        in6_ifstat.count(iface, "in_mcast")
    if not mine:
        if multicast:
            return drop("IP6_NOTMEMBER")
        return ip6_forward.ip6_forward(node, pkt)
    stat["ip6.delivered"] += 1
    iface.stat6["in_deliver"] += 1
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
        if pkt.off > MCLBYTES - 8:
            return drop("EXTHDR_TOOLONG")
        handler = switch.get(nxt)
        if node.ipsec and nxt == IPPROTO_ICMPV6 and _icmp6_rejected(node, pkt):
            return drop("IPSEC_POLICY")
        if handler is None:
            return unknown_header(node, pkt, nxt)
        verdict = handler(node, pkt)
        if verdict.__class__ is not int:
            return verdict
        nxt = verdict


def _icmp6_rejected(node: Node, pkt: Packet) -> bool:
    """The last header, if no protocol with ports of its own asks for itself (KAME ip6_input PR_LASTHDR)."""
    at = pkt.off
    kind, code = (pkt.data[at], pkt.data[at + 1]) if at + 2 <= pkt.end else (0, 0)
    return ipsec6_input.rejected(node, pkt, None, IPPROTO_ICMPV6, kind, code)


def unknown_header(node: Node, pkt: Packet, nxt: int) -> Verdict:
    """A next header that only raw sockets may read, else a parameter problem pointing at the field that named it.

    RFC 8200 4, RFC 3542 3. Tunnel packets are known, but there is no gif that they could belong to (KAME in6_gif.c).
    """
    taken = raw_ip6.rip6_input(node, pkt, pkt.data[pkt.off : pkt.end], nxt)
    if taken:
        return deliver("raw sockets")
    if nxt in (IPPROTO_IPV4, IPPROTO_IPV6):
        return drop("IP6_NOGIF")
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
            decrypted=bool(pkt.ipsec & DECRYPTED),
        ),
    )
