"""Path MTU discovery: what a packet-too-big does to routes and sockets (KAME icmp6.c icmp6_mtudisc_update; RFC 8201).

The estimate of a path is the MTU of a host route: ``netstat -rn`` shows it. Left out: KAME's first way with messages
below 1280, which locked the MTU of the route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.clock import SECOND
from kamelab.stack.net import rtsock
from kamelab.stack.netinet import tcp_subr
from kamelab.stack.netinet6.icmp6_ctl import connected, rip6_validated
from kamelab.wire.ip6 import IPPROTO_ESP, IPPROTO_TCP, IPPROTO_UDP, MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.netinet6.icmp6_ctl import Quoted
    from kamelab.stack.node import Node

LEAST: Final = 56
"""The least MTU that is stored, octets: an IPv6 header, a fragment header, and one unit of eight."""


def icmp6_mtudisc_update(node: Node, iface: Interface, quoted: Quoted, mtu: int) -> int:
    """Lower the path MTU to the destination of a packet of ours; the MTU stored, 0 where the message changes nothing.

    The packet must have come from one of our addresses. One that belongs to no connected socket is believed only while
    fewer than ``mtudisc_lowat`` host routes hold a path MTU; at ``mtudisc_hiwat`` no more are made. The estimate lives
    ``pmtu_expire`` seconds from the last message, and a message never raises it (RFC 8201 4, 5.3).

    Below 1280 (``pmtu_below_min`` 1, RFC 1981 4) the MTU is stored, and ip6_output puts a fragment header into packets
    of up to 1280 octets; with 0 the message is ignored (RFC 8201 4).
    """
    src, dst = quoted.src, quoted.dst
    if node.own_address(src) is None:
        return 0
    multicast = dst[0] == 0xFF
    if multicast and not node.sysctl["net.inet6.ip6.mcast_pmtu"]:
        return 0
    if mtu < MIN_MTU and (mtu < LEAST or not node.sysctl["net.inet6.ip6.pmtu_below_min"]):
        return 0
    route = node.routes.lookup(dst)
    if route is None:
        if not multicast:
            return 0
        through, gateway = iface, None
    elif route.own or route.locked or "R" in route.flags or "B" in route.flags:
        # What leads nowhere can't have been too big: a host route would lead around it.
        return 0
    else:
        through, gateway = route.iface, None if multicast else route.gateway
    current = through.ipv6_mtu()
    if route is not None and route.mtu:
        current = min(current, route.mtu)
    host = route is not None and route.plen == 128 and route.dst == dst
    if mtu > current or (mtu == current and not (host and route is not None and route.mtu)):
        return 0
    believed = validated(node, quoted)
    limit = node.sysctl["net.inet6.icmp6.mtudisc_hiwat" if believed else "net.inet6.icmp6.mtudisc_lowat"]
    if not (host and believed) and 0 <= limit <= _path_mtus(node):
        return 0
    if route is None or not host:
        flags = "UGHW" if gateway is not None else "UHW"
        route = node.routes.add(dst, 128, through, gateway=gateway, flags=flags, mtu=mtu)
    if mtu < current:
        route.mtu = mtu
        node.generation += 1
        node.stat["icmp6.pmtuchg"] += 1
        rtsock.route_changed(node, "RTM_CHANGE", route)
    expire = node.sysctl["net.inet6.ip6.pmtu_expire"]
    at = node.clock.now + expire * SECOND if expire else 0
    if "W" in route.flags:
        route.expire = at
    else:
        route.mtu_expire = at
    node.arm_expiry()
    return mtu


def _path_mtus(node: Node) -> int:
    """Host routes that hold a path MTU."""
    return sum("W" in route.flags and route.mtu != 0 for route in node.routes.host_routes())


def validated(node: Node, quoted: Quoted) -> bool:
    """The quoted packet belongs to a connected socket of this node (KAME udp6_ctlinput, tcp6_ctlinput, rip6_ctlinput).

    Of ESP that there is an association with its SPI is enough (KAME esp6_ctlinput).
    """
    if quoted.nxt == IPPROTO_TCP:
        return tcp_subr.validated(node, quoted.src, quoted.dst, quoted.sport, quoted.dport)
    if quoted.nxt == IPPROTO_UDP:
        sids = node.udp_ports.get(quoted.sport, ())
        return any(so.fport == quoted.dport and connected(so, quoted) for so in (node.sockets[sid] for sid in sids))
    if quoted.nxt == IPPROTO_ESP:
        return node.keys.inbound(quoted.dst, IPPROTO_ESP, quoted.sport << 16 | quoted.dport) is not None
    return rip6_validated(node, quoted)


def sockets_notify_mtu(node: Node, dst: bytes, mtu: int) -> list[int]:
    """Tell sockets that asked by IPV6_RECVPATHMTU of a too-big message; their numbers (RFC 3542 11.3).

    Those connected to ``dst`` hear, and those connected to nobody, which may have sent there (KAME ip6_notify_pmtu).
    TCP sockets never do (KAME IMPLEMENTATION 1.16 (2001)).
    """
    told = []
    for sid, so in node.sockets.items():
        if so.options.get("IPV6_RECVPATHMTU") and so.kind in ("udp6", "raw6") and so.faddr in (None, dst):
            so.pathmtu = (dst, mtu)
            told.append(sid)
            node.wakeup(sid)
    return told
