"""Path MTU discovery: what a packet-too-big does to the routing table (KAME icmp6.c icmp6_mtudisc_update; RFC 8201)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.wire.ip6 import MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node


def icmp6_mtudisc_update(node: Node, iface: Interface, quoted: bytes, mtu: int) -> None:
    """Lower the path MTU to the quoted packet's destination, in a host route that lives ``pmtu_expire`` seconds.

    The quoted packet must have come from one of our addresses. A message never raises the MTU, and one below 1280
    changes nothing (the seeds' RFC 1981 behaviour towards such messages belongs to a later issue).
    """
    src = in6_setscope(quoted[8:24], iface)
    dst = in6_setscope(quoted[24:40], iface)
    if src is None or dst is None or node.own_address(src) is None:
        return
    if dst[0] == 0xFF and not node.sysctl["net.inet6.ip6.mcast_pmtu"]:
        return
    if mtu < MIN_MTU:
        return
    route = node.routes.lookup(dst)
    if route is None or route.own:
        return
    current = route.mtu or route.iface.ipv6_mtu()
    if mtu >= current:
        return
    if not (route.plen == 128 and route.dst == dst):
        if node.routes.dynamic_count() >= node.sysctl["net.inet6.icmp6.mtudisc_hiwat"]:
            return
        flags = "UGHW" if route.gateway is not None else "UHW"
        route = node.routes.add(dst, 128, route.iface, gateway=route.gateway, flags=flags)
    route.mtu = mtu
    expire = node.sysctl["net.inet6.ip6.pmtu_expire"]
    if expire:
        route.expire = node.clock.now + expire * SECOND
    node.generation += 1
    node.stat["icmp6.pmtuchg"] += 1
    node.arm_expiry()
