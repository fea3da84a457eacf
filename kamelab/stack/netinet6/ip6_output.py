"""IPv6 output: route, source address, header, fragments (KAME ip6_output.c; RFC 8200 4.5, 5; RFC 6724).

``ip6_output`` prepares; the node transmits. It imports neither neighbour discovery nor ICMPv6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.errors import EADDRNOTAVAIL, EHOSTUNREACH, EMSGSIZE, ENETDOWN, ENETUNREACH, Errno
from kamelab.stack.netinet6 import in6_src
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope, is_scoped, zone_of
from kamelab.stack.packet import Output
from kamelab.wire import in6, ip6
from kamelab.wire.checksum import in6_cksum
from kamelab.wire.exthdr import build_fragment
from kamelab.wire.ip6 import IPPROTO_FRAGMENT, IPPROTO_HOPOPTS, IPPROTO_UDP, MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node


class Prepared:
    """A packet ready for the link: one IPv6 packet, or its fragments."""

    __slots__ = ("dst", "iface", "nexthop", "packets", "src")

    def __init__(self, iface: Interface, nexthop: bytes, src: bytes, dst: bytes, packets: list[bytes]) -> None:
        self.iface = iface
        self.nexthop = nexthop
        self.src = src
        self.dst = dst
        self.packets = packets


def outgoing(node: Node, dst: bytes, forced: Interface | None) -> tuple[Interface, bytes, int]:
    """(interface, next hop, path MTU) towards ``dst``; EHOSTUNREACH where no route leads there.

    ENETUNREACH: a group, out of an interface that can't do multicast (KAME ip6_output).
    """
    if dst[0] == 0xFF:
        iface = forced or node.interfaces_by_index.get(zone_of(dst))
        if iface is None:
            route = node.routes.lookup(dst)
            if route is None or "R" in route.flags:
                raise Errno(EHOSTUNREACH)
            iface = route.iface
        if not iface.multicast:
            raise Errno(ENETUNREACH)
        return iface, dst, iface.ipv6_mtu()
    if forced is not None and is_scoped(dst) and not zone_of(dst):
        dst = in6_setscope(dst, forced) or dst
    if is_scoped(dst) and not zone_of(dst):
        raise Errno(EHOSTUNREACH)
    route = node.routes.lookup(dst)
    if route is None or "R" in route.flags or "B" in route.flags:
        raise Errno(EHOSTUNREACH)
    iface = route.iface
    if forced is not None and forced is not iface and not route.own:
        # An interface was asked for: on-link there, or through the default router of that interface.
        iface = forced
        through = route.gateway if route.gateway is not None and zone_of(route.gateway) == iface.index else None
        return iface, through or dst, iface.ipv6_mtu()
    route.use += 1
    nexthop = dst if route.gateway is None or route.own else route.gateway
    return iface, nexthop, route.mtu or iface.ipv6_mtu()


def ip6_output(node: Node, out: Output) -> Prepared | str:
    """Complete ``out`` into packets, or the drop reason; ``out.errno`` then says what the caller hears."""
    try:
        iface, nexthop, mtu = outgoing(node, out.dst, out.oif)
    except Errno as error:
        out.errno = error.number
        return "OUT_NOROUTE"
    dst = out.dst
    if is_scoped(dst) and not zone_of(dst):
        dst = in6_setscope(dst, iface) or dst
    if iface.disabled:
        out.errno = ENETDOWN
        return "ND_DISABLED"
    if not iface.up:
        out.errno = ENETDOWN
        return "OUT_NOTUP"
    src = out.src
    if src is None:
        # A packet to ourselves leaves by lo0, but its source is chosen among all our addresses.
        chosen = in6_src.in6_selectsrc(node, dst, node.own[dst][0] if dst in node.own else iface)
        if chosen is None:
            out.errno = EADDRNOTAVAIL
            return "OUT_NOSOURCE"
        src = chosen.addr
    elif src == in6.UNSPECIFIED:
        if not out.dad:
            out.errno = EADDRNOTAVAIL
            return "OUT_NOSOURCE"
    else:
        own = node.own.get(src)
        if own is None or not own[1].usable:
            out.errno = EADDRNOTAVAIL
            return "OUT_ADDR_GONE"
        if not iface.loopback and (src == in6.LOOPBACK or (is_scoped(src) and zone_of(src) != iface.index)):
            out.errno = EHOSTUNREACH
            return "OUT_SCOPE"
    if is_scoped(dst) and zone_of(dst) != iface.index and not iface.loopback:
        out.errno = EHOSTUNREACH
        return "OUT_SCOPE"
    multicast = dst[0] == 0xFF
    hlim = out.hlim
    if not hlim:
        hlim = (
            node.sysctl["net.inet6.ip6.defmcasthlim"]
            if multicast
            else iface.curhlim or node.sysctl["net.inet6.ip6.hlim"]
        )
    plain_src, plain_dst = in6_clearscope(src), in6_clearscope(dst)
    payload = out.payload
    at = out.cksum
    if at >= 0:
        cksum = in6_cksum(plain_src, plain_dst, out.nxt, payload)
        if not cksum and out.nxt == IPPROTO_UDP:
            cksum = 0xFFFF
        payload = b"%b%b%b" % (payload[:at], cksum.to_bytes(2, "big"), payload[at + 2 :])
    nxt = out.nxt
    if out.hop_by_hop:
        payload = out.hop_by_hop + payload
        nxt = IPPROTO_HOPOPTS
    node.stat["ip6.localout"] += 1
    if out.minmtu and mtu > MIN_MTU:
        mtu = MIN_MTU
    if len(payload) + 40 <= mtu:
        packet = ip6.build(plain_src, plain_dst, nxt, payload, hlim=hlim, tclass=out.tclass, flow=out.flow)
        return Prepared(iface, nexthop, src, dst, [packet])
    if out.dontfrag or len(payload) > 65535 or mtu < MIN_MTU:
        out.errno = EMSGSIZE
        return "OUT_TOOBIG"
    return Prepared(iface, nexthop, src, dst, _fragments(node, out, plain_src, plain_dst, nxt, payload, hlim, mtu))


def _fragments(
    node: Node, out: Output, src: bytes, dst: bytes, nxt: int, payload: bytes, hlim: int, mtu: int
) -> list[bytes]:
    """Cut into fragments of at most ``mtu`` octets; a hop-by-hop header is in each (RFC 8200 4.5)."""
    head = out.hop_by_hop
    if head:
        payload = payload[len(head) :]
        head = bytes([IPPROTO_FRAGMENT]) + head[1:]
        first = IPPROTO_HOPOPTS
    else:
        first = IPPROTO_FRAGMENT
    room = (mtu - 40 - len(head) - 8) // 8 * 8
    ident = node.streams.bits64(f"{node.name}/frag") & 0xFFFFFFFF
    packets = []
    for offset in range(0, len(payload), room):
        piece = payload[offset : offset + room]
        more = offset + room < len(payload)
        body = head + build_fragment(out.nxt, offset, more, ident) + piece
        packets.append(ip6.build(src, dst, first, body, hlim=hlim, tclass=out.tclass, flow=out.flow))
    node.stat["ip6.fragmented"] += 1
    node.stat["ip6.ofragments"] += len(packets)
    return packets
