"""Neighbor solicitations and advertisements as they come in (KAME nd6_nbr.c; RFC 4861 7.1, 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import nd6, nd6_dad, nd6_defrouter
from kamelab.stack.netinet6.nd6_message import lladdr_fits, nd6_na_output, nd6_options
from kamelab.stack.netinet6.nd6_state import INCOMPLETE, REACHABLE, move
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Action, Packet, Verdict, deliver, drop
from kamelab.wire import in6, nd
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def nd6_ns_input(node: Node, pkt: Packet, body: bytes) -> Verdict:
    """A neighbor solicitation (KAME nd6_ns_input; RFC 4861 7.1.1, 7.2.3, 7.2.4)."""
    pkt.stage = "nd6_ns_input"
    iface = pkt.iface
    if pkt.hlim != 255:
        return drop("NS_HLIM")
    try:
        message = nd.NeighborSolicit.parse(body)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    unspecified = pkt.src == in6.UNSPECIFIED
    if unspecified:
        if not (pkt.dst[0] == 0xFF and in6_clearscope(pkt.dst)[:13] == in6.solicited_node(pkt.dst)[:13]):
            return drop("NS_DAD_DST")
    elif not nd6.nd6_is_addr_neighbor(node, iface, pkt.src):
        return drop("NS_NOT_NEIGHBOR")
    if message.target[0] == 0xFF:
        return drop("NS_TARGET_MULTICAST")
    options = nd6_options(node, message.options)
    if options is None:
        return drop("ND_BADOPT")
    if unspecified and options.slla is not None:
        return drop("NS_DAD_LLADDR")
    target = in6_setscope(message.target, iface)
    if target is None:
        return drop("NS_OTHER_TARGET")
    own = node.own_address(target)
    proxy = iface.neighbors.get(target)
    proxied = proxy is not None and proxy.proxy
    if (own is None or own[0] is not iface) and not proxied:
        return drop("NS_OTHER_TARGET")
    address = own[1] if own is not None and own[0] is iface else None
    if address is not None and address.duplicated:
        return drop("NS_DUPLICATED")
    if not lladdr_fits(iface, options.slla):
        return drop("NS_LLADDR_LEN")
    if address is not None and pkt.src == target:
        node.log(f"nd6_ns_input: duplicate IP6 address {node.text(pkt.src)}")
        return drop("NS_OWN_SOURCE")
    if address is not None and address.tentative:
        if unspecified:
            if nd6_dad.nd6_dad_own_probe(node, iface, address, options.nonce):
                return deliver("own probe, known by its nonce")
            return deliver("duplicate address detection", nd6_dad.nd6_dad_ns_input(node, iface, address))
        return drop("NS_TENTATIVE")
    actions: list[Action] = []
    if not unspecified:
        actions += nd6.nd6_cache_lladdr(node, iface, pkt.src, options.slla, "NS")
    dst = pkt.src if not unspecified else (in6_setscope(in6.ALLNODES, iface) or b"")
    # An answer to a multicast solicitation MUST carry our link-layer address; to a unicast one it MAY be omitted,
    # since the sender has it already (RFC 4861 7.2.4). Here it is omitted, as KAME does.
    lladdr: bytes | None = None
    if pkt.dst[0] == 0xFF:
        lladdr = proxy.lladdr if address is None and proxy is not None else iface.mac
    anycast = address is not None and address.anycast
    actions.append(
        nd6_na_output(
            node,
            iface,
            dst,
            target,
            router=bool(node.sysctl["net.inet6.ip6.forwarding"]) and address is not None,
            solicited=not unspecified,
            override=not anycast and address is not None and bool(lladdr),
            lladdr=lladdr,
        )
    )
    return deliver("", actions)


def nd6_na_input(node: Node, pkt: Packet, body: bytes) -> Verdict:
    """A neighbor advertisement (KAME nd6_na_input; RFC 4861 7.1.2, 7.2.5)."""
    pkt.stage = "nd6_na_input"
    iface = pkt.iface
    if pkt.hlim != 255:
        return drop("NA_HLIM")
    try:
        message = nd.NeighborAdvert.parse(body)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    if message.target[0] == 0xFF:
        return drop("NA_TARGET_MULTICAST")
    if pkt.dst[0] == 0xFF and message.solicited:
        return drop("NA_MULTICAST_SOLICITED")
    options = nd6_options(node, message.options)
    if options is None:
        return drop("ND_BADOPT")
    target = in6_setscope(message.target, iface)
    if target is None:
        return drop("NA_NO_ENTRY")
    own = node.own_address(target)
    if own is not None and own[0] is iface:
        if own[1].tentative:
            return deliver("duplicate address detection", nd6_dad.nd6_dad_na_input(node, iface, own[1]))
        node.console(f"nd6_na_input: duplicate IP6 address {node.text(target)}")
        return drop("NA_OWN_ADDRESS")
    lladdr = options.tlla
    if not lladdr_fits(iface, lladdr):
        return drop("NA_LLADDR_LEN")
    nbr = iface.neighbors.get(target)
    if nbr is None:
        return drop("NA_NO_ENTRY")
    if nbr.static:
        return deliver("static entry")
    actions: list[Action] = []
    was_router = nbr.router
    if lladdr is None and not nbr.lladdr and iface.mac:
        # INCOMPLETE, and NOSTATE too: confirming an unknown address would leave packets waiting without resolution.
        return drop("NA_NO_LLADDR")
    if nbr.state == INCOMPLETE:
        if lladdr is not None:
            nbr.lladdr = lladdr
        move(node, iface, nbr, "na_solicited" if message.solicited else "na_unsolicited")
        nbr.router = message.router
        actions += nd6.nd6_release(nbr)
        actions += nd6_defrouter.reachability_changed(node, target)
    else:
        differs = lladdr is not None and lladdr != nbr.lladdr
        if differs and not message.override:
            if nbr.state == REACHABLE:
                move(node, iface, nbr, "na_conflict")
                return deliver("another link-layer address, no override: address kept, now STALE")
            return drop("NA_NOT_OVERRIDE")
        if differs and lladdr is not None:
            nbr.lladdr = lladdr
            node.generation += 1
        if message.solicited:
            move(node, iface, nbr, "na_solicited")
            actions += nd6_defrouter.reachability_changed(node, target)
        elif differs:
            move(node, iface, nbr, "na_unsolicited")
        nbr.router = message.router
        actions += nd6.nd6_release(nbr) if nbr.lladdr else []
    if was_router and not message.router:
        # RFC 4861 7.2.5: it ceased to be a router.
        actions += nd6_defrouter.defrouter_not_router(node, target)
    return deliver("", actions)
