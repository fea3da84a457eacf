"""Neighbour cache: resolution, unreachability detection, learning from ND packets (KAME nd6.c; RFC 4861 7.2, 7.3).

Nothing here transmits: functions return the actions that the node carries out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import in6_src, nd6_defrouter
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netinet6.nd6_message import nd6_ns_output
from kamelab.stack.netinet6.nd6_state import (
    DELAY,
    INCOMPLETE,
    NONE,
    NOSTATE,
    PROBE,
    REACHABLE,
    STALE,
    Neighbor,
    move,
)
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.stack.packet import Action, Discard, Held, Release
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

NEIGHBOR_LIMIT = 512
"""Entries an interface may have: a scan of a /64 must not exhaust the node."""
IFINFO_FLAGS = ("nud", "accept_rtadv", "prefer_source", "disabled", "dont_set_ifroute")
"""An interface's flags in ``ndp -i`` (KAME struct nd_ifinfo)."""
STATIC_LIMIT = NEIGHBOR_LIMIT // 2
"""Entries of an interface that may be set by hand."""


def nd6_lookup(node: Node, iface: Interface, addr: bytes) -> Neighbor:
    """The entry of ``addr`` (embedded zone), made in state NONE where there is none: ask `nd6_make_room` first."""
    nbr = iface.neighbors.get(addr)
    if nbr is None:
        nbr = iface.neighbors[addr] = Neighbor(node, iface, addr)
    return nbr


def nd6_make_room(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """Before an entry for ``addr`` is made: at the limit the least useful one goes, with what waits for it.

    Those that know nothing go first, then the oldest unresolved, stale and other ones; routers last, entries set by
    hand for good never (`STATIC_LIMIT` leaves room).
    """
    if len(iface.neighbors) < NEIGHBOR_LIMIT or addr in iface.neighbors:
        return []
    routers = {router.addr for router in node.routers}
    free = [nbr for nbr in iface.neighbors.values() if not nbr.static]
    for states in ((NOSTATE, NONE), (INCOMPLETE,), (STALE,), (REACHABLE, DELAY, PROBE)):
        for nbr in free:
            if nbr.state in states and nbr.addr not in routers:
                return nd6_free(node, iface, nbr)
    return nd6_free(node, iface, free[0]) if free else []


def nd6_free(node: Node, iface: Interface, nbr: Neighbor, reason: str = "ND_ENTRY_GONE") -> list[Action]:
    """Delete an entry; what it held is discarded for ``reason``."""
    nbr.timer.cancel()
    iface.neighbors.pop(nbr.addr, None)
    node.generation += 1
    actions: list[Action] = [Discard(held, reason) for held in nbr.hold]
    nbr.hold = []
    if nbr.router:
        node.routes.drop_dynamic_through(nbr.addr)
    actions += nd6_defrouter.reachability_changed(node, nbr.addr)
    return actions


def nd6_resolve(node: Node, iface: Interface, nbr: Neighbor, held: Held) -> list[Action]:
    """Queue ``held`` on an entry without link-layer address, and solicit where nobody does yet.

    KAME holds ``nd6_maxqueuelen`` packets, 1 by default: the newest stays (RFC 4861 7.2.2 asks for at least one).
    So of the first long datagram to a neighbour, which leaves as fragments, only the last one is sent in the end.
    """
    actions: list[Action] = []
    limit = max(1, node.sysctl["net.inet6.icmp6.nd6_maxqueuelen"])
    while len(nbr.hold) >= limit:
        actions.append(Discard(nbr.hold.pop(0), "ND_QUEUE_REPLACED"))
    nbr.hold.append(held)
    if nbr.state != INCOMPLETE:
        move(node, iface, nbr, "output")
        nbr.probes = 1
        actions.append(nd6_ns_output(node, iface, nbr.addr, None, _held_source(node, iface, held)))
    return actions


def _held_source(node: Node, iface: Interface, held: Held) -> bytes | None:
    """The held packet's source when it is an address of the outgoing interface (RFC 4861 7.2.2)."""
    if held.forwarded:
        return None
    source = in6_setscope(held.packet[8:24], iface)
    for address in iface.addresses:
        if address.addr == source and address.usable and not address.anycast:
            return source
    return None


def nd6_llinfo_timer(node: Node, iface: Interface, nbr: Neighbor) -> list[Action]:
    """The timer of an entry ran out (KAME nd6_llinfo_timer)."""
    if nbr.state == INCOMPLETE:
        if nbr.probes < node.sysctl["net.inet6.icmp6.nd6_mmaxtries"]:
            move(node, iface, nbr, "retrans")
            nbr.probes += 1
            source = _held_source(node, iface, nbr.hold[-1]) if nbr.hold else None
            return [nd6_ns_output(node, iface, nbr.addr, None, source)]
        held = nbr.hold
        nbr.hold = []
        move(node, iface, nbr, "failed")
        actions: list[Action] = [Discard(one, "ND_UNRESOLVED") for one in held]
        if held:
            actions += icmp6_error(
                node, iface, held[-1].packet, icmp.DST_UNREACH, icmp.UNREACH_ADDR, 0, rx_iface=held[-1].rx_iface
            )
        return actions + nd6_free(node, iface, nbr)
    if nbr.state == REACHABLE:
        move(node, iface, nbr, "timeout")
        return []
    if nbr.state == STALE:
        router = node.router_of(nbr.addr)
        if router is not None and router.expire > node.clock.now:
            nbr.timer.arm(router.expire, node.trace.cause, ageing=True)
            return []
        move(node, iface, nbr, "timeout")
        return nd6_free(node, iface, nbr)
    if nbr.state == DELAY:
        if not iface.nud:
            move(node, iface, nbr, "nud_off")
            return []
        move(node, iface, nbr, "timeout")
        nbr.probes = 1
        return [nd6_ns_output(node, iface, nbr.addr, nbr.addr, None)]
    if nbr.state == PROBE:
        if nbr.probes < node.sysctl["net.inet6.icmp6.nd6_umaxtries"]:
            move(node, iface, nbr, "retrans")
            nbr.probes += 1
            return [nd6_ns_output(node, iface, nbr.addr, nbr.addr, None)]
        move(node, iface, nbr, "failed")
        return nd6_free(node, iface, nbr)
    return []


def nd6_release(nbr: Neighbor) -> list[Action]:
    """What waited leaves, now that the link-layer address is known."""
    actions: list[Action] = [Release(held, nbr.lladdr) for held in nbr.hold]
    nbr.hold = []
    return actions


def nd6_cache_lladdr(
    node: Node, iface: Interface, addr: bytes, lladdr: bytes | None, kind: str, *, better: bool = False
) -> list[Action]:
    """Learn from an RS, RA, NS or redirect (``kind``), as KAME nd6_cache_lladdr decides what the RFC leaves open.

    ``better``: the redirect names a router. RFC 4861 7.2.3, 6.2.6, 6.3.4, 8.3.
    """
    if addr == bytes(16) or node.own_address(addr) is not None:
        return []
    existed = addr in iface.neighbors
    actions: list[Action] = nd6_make_room(node, iface, addr)
    nbr = nd6_lookup(node, iface, addr)
    if nbr.static:
        return []
    had = bool(nbr.lladdr)
    was_router = nbr.router
    if lladdr is None:
        if not existed:
            move(node, iface, nbr, "heard")
    elif not had:
        nbr.lladdr = lladdr
        move(node, iface, nbr, "learned")
        actions += nd6_release(nbr)
    elif nbr.lladdr != lladdr:
        nbr.lladdr = lladdr
        move(node, iface, nbr, "changed")
    knows = bool(nbr.lladdr)
    if kind == "NS":
        if not existed:
            nbr.router = False
    elif kind == "RS":
        nbr.router = False
    elif kind == "RA":
        if knows:
            nbr.router = True
    elif better:
        nbr.router = True
    elif not existed:
        nbr.router = False
    if (nbr.router and not was_router) or (not had and knows):
        actions += nd6_defrouter.reachability_changed(node, addr)
    return actions


def nd6_is_addr_neighbor(node: Node, iface: Interface, addr: bytes) -> bool:
    """On-link by prefix, or already in the cache (KAME nd6_is_addr_neighbor, RFC 5942 4)."""
    if in6_src.is_linklocal(addr):
        return True
    if addr in iface.neighbors:
        return True
    route = node.routes.lookup(addr)
    if route is not None and route.own:
        # Our own address, said by somebody else: on-link where its prefix is.
        return any(entry.installed and in6.in_prefix(addr, entry.prefix, entry.plen) for entry in iface.prefixes)
    return route is not None and route.iface is iface and route.gateway is None


def nd6_nud_hint(node: Node, iface: Interface, addr: bytes) -> None:
    """An upper layer says that the peer answers (TCP, IPV6_REACHCONF); believed ``nd6_maxnudhint`` times in a row.

    KAME IMPLEMENTATION 1.2 (2001).
    """
    nbr = iface.neighbors.get(addr)
    if nbr is None or nbr.static or nbr.state not in (REACHABLE, STALE, DELAY, PROBE):
        return
    if nbr.hints >= node.sysctl["net.inet6.icmp6.nd6_maxnudhint"]:
        return
    nbr.hints += 1
    move(node, iface, nbr, "hint")
