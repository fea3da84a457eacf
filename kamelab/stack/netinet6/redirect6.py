"""Redirects, both ways (KAME icmp6.c icmp6_redirect_input, icmp6_redirect_output; RFC 4861 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.netinet6 import nd6
from kamelab.stack.netinet6.icmp6_error import ratelimited
from kamelab.stack.netinet6.nd6_message import lladdr_fits, nd6_options, nd_message
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Action, Output, Packet, Verdict, deliver, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, nd, nd_options
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

ROUTE_LIMIT = 1280
"""Routes made by redirects above which no more are made."""


def icmp6_redirect_input(node: Node, pkt: Packet, body: bytes) -> Verdict:
    """Validate and follow a redirect (RFC 4861 8.1, 8.3; KAME icmp6_redirect_input)."""
    pkt.stage = "icmp6_redirect_input"
    sysctl = node.sysctl
    if sysctl["net.inet6.ip6.forwarding"] or not sysctl["net.inet6.icmp6.rediraccept"]:
        return drop("REDIRECT_IGNORED")
    iface = pkt.iface
    try:
        message = nd.Redirect.parse(body)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    if pkt.hlim != 255 or not in6.is_linklocal(pkt.src) or message.destination[0] == 0xFF:
        return _refuse(node, pkt, "hop limit, source or destination")
    destination = in6_setscope(message.destination, iface)
    target = in6_setscope(message.target, iface)
    if destination is None or target is None:
        return _refuse(node, pkt, "scope")
    route = node.routes.lookup(destination)
    if route is None or route.gateway is None or route.gateway != pkt.src:
        return _refuse(node, pkt, "the sender is not the gateway in use")
    router = in6.is_linklocal(target) and target != destination
    if not router and target != destination:
        return _refuse(node, pkt, "neither router nor on-link case")
    options = nd6_options(node, message.options)
    if options is None:
        return drop("ND_BADOPT")
    if not lladdr_fits(iface, options.tlla):
        return drop("REDIRECT_BAD")
    actions = nd6.nd6_cache_lladdr(node, iface, target, options.tlla, "REDIRECT", better=router)
    if node.routes.dynamic_count() < ROUTE_LIMIT:
        gateway = target if router else None
        known = route.plen == 128
        if known and not route.dynamic:
            # A host route that was set by hand is modified, and stays (BSD rtredirect).
            flags = route.flags.replace("G", "") + "M"
            made = node.routes.add(destination, 128, iface, gateway=gateway, flags=flags)
        else:
            made = node.routes.add(destination, 128, iface, gateway=gateway, flags="UHD")
            made.expire = node.clock.now + sysctl["net.inet6.icmp6.redirtimeout"] * SECOND
        if known:
            # What was found out of the path lives as long as it would have.
            made.mtu = route.mtu
            made.mtu_expire = route.expire if "W" in route.flags else route.mtu_expire
        node.arm_expiry()
    return deliver("", actions)


def _refuse(node: Node, pkt: Packet, why: str) -> Verdict:
    node.log(f"icmp6_redirect_input: redirect from {node.text(pkt.src)} refused: {why}")
    return drop("REDIRECT_BAD")


def icmp6_redirect_output(
    node: Node, iface: Interface, packet: bytes, src: bytes, dst: bytes, nexthop: bytes
) -> list[Action]:
    """Tell the sender of a packet that goes back out of the interface it came by of a better first hop (RFC 4861 8.2).

    Sent at most as often as errors are (KAME IMPLEMENTATION 1.9 (2001)).
    """
    # "Asked for", as with errors: KAME counts before it looks whether one may be sent.
    node.stat[f"icmp6.error.{icmp.REDIRECT}.0"] += 1
    sysctl = node.sysctl
    if not sysctl["net.inet6.ip6.forwarding"] or not sysctl["net.inet6.ip6.redirect"]:
        return []
    own = iface.linklocal()
    if own is None or not own.usable or dst[0] == 0xFF:
        return []
    if not nd6.nd6_is_addr_neighbor(node, iface, src) or node.own_address(src) is not None:
        return []
    onlink = nexthop == dst
    if not onlink and not in6.is_linklocal(nexthop):
        return []
    reason = ratelimited(node)
    if reason:
        node.count_reason(reason)
        node.suppressed(iface, reason, icmp.REDIRECT, 0)
        return []
    options = b""
    nbr = iface.neighbors.get(nexthop)
    if nbr is not None and nbr.lladdr:
        options += nd_options.build_lladdr(nd_options.TLLA, nbr.lladdr)
    room = 1280 - 40 - 40 - len(options) - 8
    quoted = packet[: room - room % 8]
    options += nd_options.build_redirected(quoted[: len(quoted) - len(quoted) % 8])
    plain = in6_clearscope(dst)
    body = nd.Redirect(in6_clearscope(nexthop), plain, options).pack()
    node.stat["ip6.redirectsent"] += 1
    return [
        Output(
            "icmp6_redirect_output",
            src,
            IPPROTO_ICMPV6,
            nd_message(in6_clearscope(own.addr), in6_clearscope(src), icmp.REDIRECT, body),
            src=own.addr,
            hlim=255,
            oif=iface,
            cksum=2,
        )
    ]
