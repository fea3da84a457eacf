"""Router solicitations and advertisements as the kernel takes them.

KAME nd6_rtr.c; RFC 4861 6.1, 6.3, RFC 4862 5.5, RFC 4191 2.

Answering solicitations is ``rtadvd``'s work, sending them ``rtsol``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import nd6, nd6_autoconf, nd6_defrouter, nd6_prefix
from kamelab.stack.netinet6.nd6_message import lladdr_fits, nd6_options
from kamelab.stack.netinet6.nd6_state import reachable_time
from kamelab.stack.packet import Action, Packet, Verdict, deliver, drop
from kamelab.wire import in6, nd
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.node import Node

MAX_REACHABLE_TIME = 3_600_000
"""ms (RFC 4861 6.2.1)."""


def nd6_rs_input(node: Node, pkt: Packet, body: bytes) -> Verdict:
    """A router solicitation: the kernel only learns the sender's address (KAME nd6_rs_input)."""
    pkt.stage = "nd6_rs_input"
    if not node.sysctl["net.inet6.ip6.forwarding"] or node.sysctl["net.inet6.ip6.accept_rtadv"]:
        return drop("RS_HOST")
    if pkt.hlim != 255:
        return drop("RS_HLIM")
    if pkt.src == in6.UNSPECIFIED:
        return deliver("from the unspecified address: nothing to learn")
    try:
        message = nd.RouterSolicit.parse(body)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    options = nd6_options(node, message.options)
    if options is None:
        return drop("ND_BADOPT")
    if not lladdr_fits(pkt.iface, options.slla):
        return drop("RS_LLADDR_LEN")
    return deliver("", nd6.nd6_cache_lladdr(node, pkt.iface, pkt.src, options.slla, "RS"))


def nd6_ra_input(node: Node, pkt: Packet, body: bytes) -> Verdict:
    """A router advertisement (KAME nd6_ra_input; RFC 4861 6.1.2, 6.3.4)."""
    pkt.stage = "nd6_ra_input"
    iface = pkt.iface
    if not nd6_defrouter.accepts_rtadv(node, iface):
        return drop("RA_NOT_ACCEPTED")
    if pkt.hlim != 255:
        return drop("RA_HLIM")
    if not (pkt.src[0] == 0xFE and pkt.src[1] & 0xC0 == 0x80):
        return drop("RA_NOT_LINKLOCAL")
    try:
        message = nd.RouterAdvert.parse(body)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    options = nd6_options(node, message.options)
    if options is None:
        return drop("ND_BADOPT")
    if not lladdr_fits(iface, options.slla):
        return drop("RA_LLADDR_LEN")
    if 0 < message.reachable <= MAX_REACHABLE_TIME and message.reachable != iface.basereachable:
        iface.basereachable = message.reachable
        iface.reachable = 0
        reachable_time(node, iface)
    if message.retrans:
        iface.retrans = message.retrans
    if message.hlim:
        iface.curhlim = message.hlim
    actions: list[Action] = []
    router = nd6_defrouter.defrtrlist_update(node, iface, pkt.src, message)
    multicast = pkt.dst[0] == 0xFF
    for info in options.prefixes:
        actions += nd6_autoconf.prelist_update(node, iface, pkt.src, info, managed=message.managed, multicast=multicast)
    if options.mtu is not None:
        if options.mtu < MIN_MTU:
            node.debug_nd6(
                f"nd6_ra_input: mtu option mtu={options.mtu} from {node.text(pkt.src)} is too small, ignored"
            )
        elif options.mtu > iface.mtu:
            node.debug_nd6(f"nd6_ra_input: mtu option mtu={options.mtu} exceeds {iface.mtu}, ignored")
        elif iface.linkmtu != options.mtu:
            iface.linkmtu = options.mtu
            node.generation += 1
    actions += nd6.nd6_cache_lladdr(node, iface, pkt.src, options.slla, "RA")
    if router is not None:
        nd6_defrouter.defrouter_select(node)
    actions += nd6_prefix.pfxlist_onlink_check(node)
    node.arm_expiry()
    return deliver("", actions)


def expire(node: Node) -> list[Action]:
    """What the ND timer finds due: routers, addresses, prefixes (KAME nd6_timer)."""
    now = node.clock.now
    for router in list(node.routers):
        if router.expire <= now:
            nd6_defrouter.defrouter_remove(node, router, "lifetime over")
    actions = nd6_autoconf.expire(node)
    actions += nd6_prefix.pfxlist_onlink_check(node)
    return actions
