"""IPv6 output: route, source address, headers, fragments (KAME ip6_output.c; RFC 8200 4, 5; RFC 6724; RFC 3542 6).

``ip6_output`` prepares; the node transmits. It imports neither neighbour discovery nor ICMPv6. On the wire the headers
are in the order hop-by-hop, destination options for each node of a source route, routing, fragment, destination
options, upper layer. Where there are policies (`netipsec`) a packet is made whole, protected, and only then cut into
fragments. Left out: forwarding of own multicast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import EADDRNOTAVAIL, EHOSTUNREACH, EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH, Errno
from kamelab.stack.netinet6 import in6_ifstat, in6_src
from kamelab.stack.netinet6.jumbo import NOT_JUMBO, jumbo_header
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope, is_scoped, zone_of
from kamelab.stack.netipsec import ipsec6_output
from kamelab.stack.netipsec.headers6 import insertion
from kamelab.stack.packet import Output
from kamelab.wire import in6, ip6
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum
from kamelab.wire.exthdr import ROUTING_TYPE0, build_fragment
from kamelab.wire.ip6 import (
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
    IPPROTO_UDP,
    MAX_PAYLOAD,
    MIN_MTU,
)

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node


BLACKHOLE: Final = b""
"""The next hop of a route with -blackhole."""


class Prepared:
    """A packet ready for the link: one IPv6 packet, or its fragments."""

    __slots__ = ("iface", "nexthop", "packets")

    def __init__(self, iface: Interface, nexthop: bytes, packets: list[bytes]) -> None:
        self.iface = iface
        self.nexthop = nexthop
        self.packets = packets


def outgoing(node: Node, dst: bytes, forced: Interface | None, sends: bool = False) -> tuple[Interface, bytes, int]:
    """(interface, next hop, path MTU) towards ``dst``; EHOSTUNREACH where no route leads there, or one rejects.

    The next hop `BLACKHOLE` means that the packet is to be thrown away without a word.
    ``sends``: a packet leaves, which counts as use of the route.
    ENETUNREACH: a group, out of an interface that can't do multicast (KAME ip6_output).
    """
    if dst[0] == 0xFF:
        iface = forced or node.interfaces_by_index.get(zone_of(dst))
        if iface is None:
            route = node.routes.lookup(dst, True)
            if route is None or "R" in route.flags:
                raise Errno(EHOSTUNREACH)
            iface = route.iface
        if not iface.multicast:
            raise Errno(ENETUNREACH)
        mtu = iface.ipv6_mtu()
        if node.sysctl["net.inet6.ip6.mcast_pmtu"]:
            known = node.routes.exact(dst, 128)
            if known is not None and known.iface is iface:
                mtu = known.mtu or mtu
        return iface, dst, mtu
    if is_scoped(dst) and not zone_of(dst):
        if forced is None:
            raise Errno(EHOSTUNREACH)
        dst = in6_setscope(dst, forced) or dst
    route = node.routes.lookup(dst, True)
    if route is None or "R" in route.flags:
        raise Errno(EHOSTUNREACH)
    iface = route.iface
    route.use += sends
    if "B" in route.flags:
        return iface, BLACKHOLE, route.mtu or iface.ipv6_mtu()
    if forced is not None and forced is not iface and not route.own:
        # An interface was asked for: on-link there, or through the default router of that interface.
        iface = forced
        through = route.gateway if route.gateway is not None and zone_of(route.gateway) == iface.index else None
        return iface, through or dst, iface.ipv6_mtu()
    nexthop = dst if route.gateway is None or route.own else route.gateway
    return iface, nexthop, route.mtu or iface.ipv6_mtu()


def _next_hop(node: Node, out: Output, dst: bytes) -> tuple[Interface, bytes, int]:
    """As `outgoing`, for a packet whose sender may have named its next hop (IPV6_NEXTHOP, RFC 3542 6.6).

    Such a next hop must be on-link, and means nothing for a group. EHOSTUNREACH.
    """
    if out.nexthop is None or dst[0] == 0xFF:
        return outgoing(node, dst, out.oif, True)
    iface, nexthop, mtu = outgoing(node, out.nexthop, out.oif, True)
    named = out.nexthop
    if is_scoped(named) and not zone_of(named):
        named = in6_setscope(named, iface) or named
    if nexthop != named:
        raise Errno(EHOSTUNREACH)
    return iface, named, _of_path(node, dst, mtu)


def _of_path(node: Node, dst: bytes, mtu: int) -> int:
    """The MTU of a packet to ``dst`` whose first hop is not that of its route (KAME ip6_getpmtu)."""
    route = node.routes.lookup(dst)
    return min(mtu, route.mtu) if route is not None and route.mtu else mtu


def source_route(out: Output) -> tuple[bytes | None, bytes]:
    """(first hop, routing header as it leaves) of a packet with a type 0 header; (None, header) for any other.

    A program gives the addresses on the way in order, and the packet's destination is the last; on the wire the first
    stands in the IPv6 header and the last in the routing header (RFC 3542 7, KAME ip6_output). EINVAL: malformed, or a
    group on the way (RFC 2460 4.4).
    """
    header = out.rthdr
    if len(header) < 8 or len(header) != 8 * (header[1] + 1):
        raise Errno(EINVAL)
    if header[2] != ROUTING_TYPE0 or not header[3]:
        return None, header
    if header[1] % 2 or header[3] != header[1] // 2 or 0xFF in (header[8], out.dst[0]):
        raise Errno(EINVAL)
    return header[8:24], header[:8] + header[24:] + in6_clearscope(out.dst)


class Chain:
    """Extension headers in order; each next header but the last one's is filled in."""

    __slots__ = ("first", "last", "octets")

    def __init__(self) -> None:
        self.first = -1
        """The next-header value of the first; -1: there is none."""
        self.last = 0
        """Where the last one begins."""
        self.octets = bytearray()

    def add(self, kind: int, header: bytes) -> None:
        """Append a whole header."""
        if self.first < 0:
            self.first = kind
        else:
            self.octets[self.last] = kind
        self.last = len(self.octets)
        self.octets += header

    def before(self, nxt: int, rest: bytes) -> tuple[int, bytes]:
        """(first next header, octets) with ``rest``, whose first header is ``nxt``, behind them."""
        if self.first < 0:
            return nxt, rest
        self.octets[self.last] = nxt
        return self.first, bytes(self.octets) + rest


def _unfragmentable(hop_by_hop: bytes, out: Output, rthdr: bytes) -> Chain:
    """What precedes a fragment header. Options for the nodes of a source route need one (RFC 3542 9.2)."""
    chain = Chain()
    if hop_by_hop:
        chain.add(IPPROTO_HOPOPTS, hop_by_hop)
    if rthdr:
        if out.rthdrdstopts:
            chain.add(IPPROTO_DSTOPTS, out.rthdrdstopts)
        chain.add(IPPROTO_ROUTING, rthdr)
    return chain


def ip6_output(node: Node, out: Output) -> Prepared | str:
    """Complete ``out`` into packets, or the drop reason; ``out.errno`` then says what the caller hears."""
    hop: bytes | None = None
    rthdr = b""
    try:
        if out.rthdr:
            hop, rthdr = source_route(out)
        iface, nexthop, mtu = _next_hop(node, out, hop or out.dst)
    except Errno as error:
        out.errno = error.number
        return "OUT_BADHDR" if error.number == EINVAL else "OUT_NOROUTE"
    if nexthop == BLACKHOLE:
        return "OUT_BLACKHOLE"
    dst = out.dst
    scoped = is_scoped(dst)
    if scoped and not zone_of(dst):
        dst = in6_setscope(dst, iface) or dst
    if hop is not None:
        nexthop, mtu = _source_routed(node, out, iface, hop, dst, nexthop, mtu)
    if iface.disabled or not iface.up:
        out.errno = ENETDOWN
        in6_ifstat.count(iface, "out_discard")
        return "ND_DISABLED" if iface.disabled else "OUT_NOTUP"
    src = _source(node, out, iface, dst)
    if isinstance(src, str):
        return src
    if scoped and zone_of(dst) != iface.index and not iface.loopback:
        out.errno = EHOSTUNREACH
        return "OUT_SCOPE"
    hlim = out.hlim
    if not hlim:
        hlim = (
            node.sysctl["net.inet6.ip6.defmcasthlim"]
            if dst[0] == 0xFF
            else iface.curhlim or node.sysctl["net.inet6.ip6.hlim"]
        )
    plain_src, plain_dst = in6_clearscope(src), in6_clearscope(dst) if scoped else dst
    payload = out.payload
    at = out.cksum
    if at >= 0:
        # With a routing header the destination is the last one (RFC 8200 8.1).
        cksum = in6_cksum(plain_src, plain_dst, out.nxt, payload)
        if not cksum and out.nxt == IPPROTO_UDP:
            cksum = 0xFFFF
        payload = b"%b%b%b" % (payload[:at], cksum.to_bytes(2, "big"), payload[at + 2 :])
    nxt = out.nxt
    if out.dstopts:
        payload = b"%c%b%b" % (nxt, out.dstopts[1:], payload)
        nxt = IPPROTO_DSTOPTS
    node.stat["ip6.localout"] += 1
    packets: list[bytes] | None
    secured = _secured(node, out, src, dst, hop, rthdr, hlim, nxt, payload, iface) if node.ipsec else None
    if isinstance(secured, ipsec6_output.Refused):
        out.errno = secured.errno
        return secured.reason
    if secured is not None:
        if secured.dst is not None:
            try:
                iface, nexthop, mtu = outgoing(node, secured.dst, None)
            except Errno as error:
                node.stat["ipsec6.out_noroute"] += 1
                out.errno = error.number
                return "OUT_NOROUTE"
        packets = _cut(node, out, secured.packet, mtu, iface)
    elif (
        not (out.hop_by_hop or rthdr or out.minmtu)
        and mtu >= MIN_MTU
        and len(payload) + 40 <= min(mtu, iface.ipv6_mtu(), MAX_PAYLOAD)
    ):
        # Nothing goes in front of it and it fits: most packets.
        packets = [ip6.build(plain_src, plain_dst, nxt, payload, hlim=hlim, tclass=out.tclass, flow=out.flow)]
    else:
        head = _unfragmentable(out.hop_by_hop, out, rthdr)
        fields = (plain_src, plain_dst if hop is None else hop, hlim, out.tclass, out.flow)
        packets = _packets(node, out, fields, rthdr, head, nxt, payload, mtu, iface)
    iface.stat6["out_request"] += 1
    if dst[0] == 0xFF:
        in6_ifstat.count(iface, "out_mcast")
    if packets is None:
        in6_ifstat.count(iface, "out_fragfail")
        out.errno = EMSGSIZE
        return "OUT_TOOBIG"
    return Prepared(iface, nexthop, packets)


def _secured(
    node: Node,
    out: Output,
    src: bytes,
    dst: bytes,
    hop: bytes | None,
    rthdr: bytes,
    hlim: int,
    nxt: int,
    payload: bytes,
    iface: Interface,
) -> ipsec6_output.Protected | ipsec6_output.Refused | None:
    """The whole packet as its policy wants it; None where it leaves as it is."""
    so = node.sockets.get(out.socket)
    flow = ipsec6_output.flow_of(src, dst, out.nxt, out.payload)
    own = so.policy if so is not None else None
    policy = ipsec6_output.decide(node, "out", flow, own, iface.name, node.trace.packet)
    if policy.action == "discard":
        return ipsec6_output.protect(node, policy, b"", src, dst)
    if policy.action != "ipsec":
        return None
    if len(payload) + len(out.hop_by_hop) + len(rthdr) + len(out.rthdrdstopts) > MAX_PAYLOAD:
        # No IPsec on jumbograms.
        return ipsec6_output.Refused("IPSEC_OUT_INVAL", EMSGSIZE)
    first, body = _unfragmentable(out.hop_by_hop, out, rthdr).before(nxt, payload)
    to = in6_clearscope(dst) if hop is None else hop
    packet = ip6.build(in6_clearscope(src), to, first, body, hlim=hlim, tclass=out.tclass, flow=out.flow)
    return ipsec6_output.protect(node, policy, packet, src, dst)


def _cut(node: Node, out: Output, packet: bytes, mtu: int, iface: Interface) -> list[bytes] | None:
    """A protected packet as it leaves: whole, or in fragments; None: too big."""
    ifmtu = iface.ipv6_mtu()
    always = mtu < MIN_MTU <= ifmtu
    if always or (out.minmtu and mtu > MIN_MTU):
        mtu = MIN_MTU
    mtu = min(mtu, ifmtu)
    if not always and len(packet) <= (ifmtu if out.dontfrag else mtu):
        return [packet]
    at, off = insertion(packet)
    if out.dontfrag:
        return None
    head = b"%b%c%b" % (packet[:at], IPPROTO_FRAGMENT, packet[at + 1 : off])
    return _fragments(node, head, packet[at], packet[off:], mtu, iface)


def _fragments(node: Node, head: bytes, nxt: int, payload: bytes, mtu: int, iface: Interface) -> list[bytes] | None:
    """Fragments that repeat ``head``, headers whose last next header is the fragment header's; None: no room."""
    room = (mtu - len(head) - 8) // 8 * 8
    if mtu < MIN_MTU or room < 8:
        return None
    ident = node.streams.bits64(f"{node.name}/frag") & 0xFFFFFFFF
    packets = []
    for offset in range(0, len(payload), room):
        piece = payload[offset : offset + room]
        body = head[40:] + build_fragment(nxt, offset, offset + room < len(payload), ident) + piece
        packets.append(b"%b%b%b%b" % (head[:4], len(body).to_bytes(2, "big"), head[6:40], body))
    node.stat["ip6.fragmented"] += 1
    node.stat["ip6.ofragments"] += len(packets)
    in6_ifstat.count(iface, "out_fragok")
    in6_ifstat.count(iface, "out_fragcreat", len(packets))
    return packets


Fields = tuple[bytes, bytes, int, int, int]
"""Source and destination as on the wire, hop limit, traffic class, flow label."""


def _packets(
    node: Node,
    out: Output,
    fields: Fields,
    rthdr: bytes,
    head: Chain,
    nxt: int,
    payload: bytes,
    mtu: int,
    iface: Interface,
) -> list[bytes] | None:
    """One packet, a jumbogram, or fragments; None: too big. In KAME's order of cases."""
    # A path MTU below 1280 means a fragment header on all packets, of 1280 octets at most (RFC 1981 4, RFC 2460 5).
    ifmtu = iface.ipv6_mtu()
    always = mtu < MIN_MTU <= ifmtu
    if always or (out.minmtu and mtu > MIN_MTU):
        mtu = MIN_MTU
    mtu = min(mtu, ifmtu)
    size = len(head.octets) + len(payload)
    src, dst, hlim, tclass, flow = fields
    if size > MAX_PAYLOAD:
        packet = _jumbogram(out, fields, rthdr, nxt, payload)
        return [packet] if len(packet) <= mtu and packet else None
    # IPV6_DONTFRAG: the interface is the limit, and the path may say "too big" (RFC 3542 11.2).
    if not always and size + 40 <= (ifmtu if out.dontfrag else mtu):
        nxt, payload = head.before(nxt, payload)
        return [ip6.build(src, dst, nxt, payload, hlim=hlim, tclass=tclass, flow=flow)]
    if out.dontfrag:
        return None
    first, body = head.before(IPPROTO_FRAGMENT, b"")
    whole = ip6.build(src, dst, first, body, hlim=hlim, tclass=tclass, flow=flow)
    return _fragments(node, whole, nxt, payload, mtu, iface)


def _jumbogram(out: Output, fields: Fields, rthdr: bytes, nxt: int, payload: bytes) -> bytes:
    """A packet of more than 65535 octets (RFC 2675); b"" where that can't be."""
    if out.nxt in NOT_JUMBO:
        return b""
    rest = _unfragmentable(b"", out, rthdr).before(nxt, payload)
    try:
        header = jumbo_header(out.hop_by_hop, len(rest[1]))
    except WireError:
        return b""
    src, dst, hlim, tclass, flow = fields
    body = b"%c%b%b" % (rest[0], header[1:], rest[1])
    return ip6.build_jumbo(src, dst, body, hlim=hlim, tclass=tclass, flow=flow)


def _source_routed(
    node: Node, out: Output, iface: Interface, hop: bytes, dst: bytes, nexthop: bytes, mtu: int
) -> tuple[bytes, int]:
    """(next hop, path MTU) of a packet whose first hop is not its destination (KAME ip6_getpmtu)."""
    if is_scoped(hop) and out.nexthop is None:
        nexthop = in6_setscope(hop, iface) or hop
    return nexthop, _of_path(node, dst, mtu)


def _source(node: Node, out: Output, iface: Interface, dst: bytes) -> bytes | str:
    """The source address, embedded; or the drop reason, with ``out.errno`` set."""
    src = out.src
    if src is None:
        # A packet to ourselves leaves by lo0, but its source is chosen among all our addresses.
        through = node.own[dst][0] if dst in node.own else iface
        chosen = in6_src.in6_selectsrc(node, dst, through, out.prefer_temp)
        if chosen is None:
            out.errno = EADDRNOTAVAIL
            return "OUT_NOSOURCE"
        return chosen.addr
    if src == in6.UNSPECIFIED:
        if not out.dad:
            out.errno = EADDRNOTAVAIL
            return "OUT_NOSOURCE"
        return src
    own = node.own.get(src)
    if own is None or not own[1].usable:
        out.errno = EADDRNOTAVAIL
        return "OUT_ADDR_GONE"
    if not iface.loopback and (src == in6.LOOPBACK or (is_scoped(src) and zone_of(src) != iface.index)):
        out.errno = EHOSTUNREACH
        return "OUT_SCOPE"
    return src
