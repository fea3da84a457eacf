"""The default router list: who is on it, and which one is used (KAME nd6_rtr.c; RFC 4861 6.3.4 to 6.3.6, RFC 4191)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.netinet6 import nd6_prefix
from kamelab.stack.netinet6.nd6_state import probably_reachable
from kamelab.stack.packet import Action
from kamelab.stack.state import Router
from kamelab.wire import nd

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

ROUTER_LIMIT = 64
"""Default routers that are remembered."""


def accepts_rtadv(node: Node, iface: Interface) -> bool:
    """The roles: sysctl accept_rtadv, not forwarding, and the interface's flag (KAME IMPLEMENTATION 1.4.2 (2001))."""
    sysctl = node.sysctl
    return bool(sysctl["net.inet6.ip6.accept_rtadv"] and not sysctl["net.inet6.ip6.forwarding"] and iface.accept_rtadv)


def defrtrlist_update(node: Node, iface: Interface, addr: bytes, message: nd.RouterAdvert) -> Router | None:
    """Enter, refresh or delete the sender in the default router list (RFC 4861 6.3.4, RFC 4191 2.2)."""
    router = node.router_of(addr)
    if message.lifetime == 0:
        if router is not None:
            defrouter_remove(node, router, "lifetime 0")
        return None
    if router is None:
        if len(node.routers) >= ROUTER_LIMIT:
            return None
        router = Router(iface, addr)
        router.preference = message.preference
        _insert(node, router)
        _state(node, router, "new")
    elif router.preference != message.preference:
        node.routers.remove(router)
        router.preference = message.preference
        _insert(node, router)
    router.managed = message.managed
    router.other = message.other
    router.lifetime = message.lifetime
    router.expire = node.clock.now + message.lifetime * SECOND
    return router


def _insert(node: Node, router: Router) -> None:
    """By preference, then by arrival."""
    at = len(node.routers)
    for index, other in enumerate(node.routers):
        if other.preference < router.preference:
            at = index
            break
    node.routers.insert(at, router)


def defrouter_remove(node: Node, router: Router, why: str) -> None:
    """Take a router off the list, and its route with it."""
    node.routers.remove(router)
    _state(node, router, f"gone: {why}")
    if router.installed:
        router.installed = False
        node.routes.delete(bytes(16), 0, router.addr)
    for iface in node.interfaces.values():
        for prefix in iface.prefixes:
            if router.addr in prefix.routers:
                prefix.routers.remove(router.addr)
    node.routes.drop_dynamic_through(router.addr)
    defrouter_select(node)


def defrouter_not_router(node: Node, addr: bytes) -> list[Action]:
    """A neighbour's advertisement says that it is no router any more (RFC 4861 7.2.5)."""
    router = node.router_of(addr)
    if router is not None:
        defrouter_remove(node, router, "advertises itself as no router")
        return nd6_prefix.pfxlist_onlink_check(node)
    return []


def defrouter_select(node: Node) -> None:
    """Choose and install the default router (RFC 4861 6.3.6, RFC 4191 3.2; KAME defrouter_select).

    The first in list order that is probably reachable; an installed and reachable one stays unless the candidate is of
    higher preference; with none reachable the next one in turn.
    """
    sysctl = node.sysctl
    if sysctl["net.inet6.ip6.forwarding"] or not sysctl["net.inet6.ip6.accept_rtadv"]:
        return
    if not node.routers:
        default_interface_route(node)
        return
    installed = next((router for router in node.routers if router.installed), None)
    chosen: Router | None = None
    for router in node.routers:
        if probably_reachable(router.iface.neighbors.get(router.addr)):
            chosen = router
            break
    if chosen is None:
        if installed is None:
            chosen = node.routers[0]
        else:
            chosen = node.routers[(node.routers.index(installed) + 1) % len(node.routers)]
    elif (
        installed is not None
        and probably_reachable(installed.iface.neighbors.get(installed.addr))
        and chosen.preference <= installed.preference
    ):
        chosen = installed
    if chosen is installed:
        return
    if installed is not None:
        installed.installed = False
        node.routes.delete(bytes(16), 0, installed.addr)
    present = node.routes.exact(bytes(16), 0)
    if present is None or (node.default_interface and present.gateway is None and "S" not in present.flags):
        node.routes.add(bytes(16), 0, chosen.iface, gateway=chosen.addr, flags="U")
        chosen.installed = True
        _state(node, chosen, "default")


def default_interface_route(node: Node) -> None:
    """``ndp -I IF``: on a host that knows no router, everything is on-link there (KAME nd6_rtr.c defrouter_select)."""
    iface = node.interfaces_by_index.get(node.default_interface)
    if iface is None or node.sysctl["net.inet6.ip6.forwarding"] or node.routers:
        return
    if node.routes.exact(bytes(16), 0) is None:
        node.routes.add(bytes(16), 0, iface, flags="UC")


def reachability_changed(node: Node, addr: bytes) -> list[Action]:
    """A neighbour became known or was given up: routers and prefixes may have to be chosen anew."""
    if node.router_of(addr) is None:
        return []
    defrouter_select(node)
    return nd6_prefix.pfxlist_onlink_check(node)


def _state(node: Node, router: Router, what: str) -> None:
    node.trace.record(
        node.clock.now,
        node.name,
        router.iface.name,
        "nd6_rtr",
        0,
        "state",
        f"router {what}",
        "RFC 4861 6.3.4",
        node.text(router.addr),
    )
