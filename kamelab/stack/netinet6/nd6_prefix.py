"""The prefix list and on-link determination (KAME nd6_rtr.c; RFC 4861 6.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.interface import INFINITE, Address
from kamelab.stack.netinet6 import nd6_dad
from kamelab.stack.netinet6.nd6_state import probably_reachable
from kamelab.stack.netinet6.scope6 import is_scoped
from kamelab.stack.packet import Action
from kamelab.stack.state import Prefix
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

PREFIX_LIMIT = 64
"""Prefixes an interface remembers."""


def find(iface: Interface, prefix: bytes, plen: int) -> Prefix | None:
    """The entry for ``prefix``/``plen`` on the interface."""
    for entry in iface.prefixes:
        if entry.plen == plen and entry.prefix == prefix:
            return entry
    return None


def lifetime_left(lifetime: int, updated: int, now: int) -> int:
    """Remaining seconds of a lifetime; `INFINITE` stays."""
    if lifetime == INFINITE:
        return INFINITE
    return max(0, lifetime - (now - updated) // SECOND)


def onlink(node: Node, entry: Prefix) -> None:
    """Install the on-link route, unless another interface has the prefix already (KAME nd6_prefix_onlink).

    None is wanted on an interface with the flag ``dont_set_ifroute``.
    """
    if entry.installed or entry.iface.dont_set_ifroute:
        return
    if node.routes.exact(entry.prefix, entry.plen) is None:
        node.routes.add(entry.prefix, entry.plen, entry.iface, flags="UC")
        entry.installed = True


def offlink(node: Node, entry: Prefix) -> None:
    """Remove the on-link route; a twin on another interface takes over (KAME nd6_prefix_offlink)."""
    if not entry.installed:
        return
    node.routes.delete(entry.prefix, entry.plen, None)
    entry.installed = False
    for iface in node.interfaces.values():
        twin = find(iface, entry.prefix, entry.plen)
        if twin is not None and twin is not entry and twin.onlink and not twin.detached:
            onlink(node, twin)
            return


def pfxlist_onlink_check(node: Node) -> list[Action]:
    """Detach prefixes whose routers are gone while others are not, attach them again (KAME pfxlist_onlink_check)."""
    entries = [
        entry
        for iface in node.interfaces.values()
        for entry in iface.prefixes
        if entry.onlink and not entry.static and not is_scoped(entry.prefix)
    ]
    if not entries:
        return []
    good = {id_: _good(entry) for id_, entry in enumerate(entries)}
    some = any(good.values())
    if not some:
        advertising = {router for entry in entries for router in entry.routers}
        some = any(
            router.addr not in advertising and probably_reachable(router.iface.neighbors.get(router.addr))
            for router in node.routers
        )
    actions: list[Action] = []
    for id_, entry in enumerate(entries):
        detached = some and not good[id_]
        if detached == entry.detached:
            continue
        entry.detached = detached
        node.trace.record(
            node.clock.now,
            node.name,
            entry.iface.name,
            "nd6_prefix",
            0,
            "state",
            f"prefix {'detached' if detached else 'attached'}",
            "KAME nd6_rtr.c",
            f"{in6.ntop(entry.prefix)}/{entry.plen}",
        )
        if detached:
            offlink(node, entry)
        else:
            onlink(node, entry)
        for address in entry.iface.addresses:
            if not address.autoconf or not in6.in_prefix(address.addr, entry.prefix, entry.plen):
                continue
            address.detached = detached
            node.generation += 1
            if not detached and not address.duplicated:
                address.tentative = True
                actions += nd6_dad.nd6_dad_start(node, entry.iface, address, delay=True)
    return actions


def _good(entry: Prefix) -> bool:
    return any(probably_reachable(entry.iface.neighbors.get(router)) for router in entry.routers)


def prefix_remove(node: Node, entry: Prefix) -> None:
    """Take a prefix off the list, with its route (KAME prelist_remove)."""
    offlink(node, entry)
    entry.iface.prefixes.remove(entry)


def prefix_of_address(node: Node, iface: Interface, address: Address) -> None:
    """An address set by hand brings its prefix: on-link, never expiring (KAME in6_update_ifa)."""
    if address.plen == 128:
        return
    prefix = in6.mask(address.addr, address.plen)
    entry = find(iface, prefix, address.plen)
    if entry is None:
        entry = Prefix(iface, prefix, address.plen)
        entry.autonomous = False
        entry.static = not address.autoconf
        iface.prefixes.append(entry)
    elif not address.autoconf:
        entry.static = True
        entry.onlink = True
    entry.refcnt += 1
    address.prefix = entry
    if entry.onlink and not entry.detached:
        onlink(node, entry)


def release_prefix(node: Node, address: Address) -> None:
    """An address went: the prefix that only it stood for goes too."""
    entry = address.prefix
    address.prefix = None
    if entry is None:
        return
    entry.refcnt -= 1
    if entry.refcnt <= 0 and entry.static and entry in entry.iface.prefixes:
        if entry.routers:
            entry.static = False
            entry.updated = node.clock.now
        else:
            prefix_remove(node, entry)
