"""Stateless address autoconfiguration: prefix options, and the ageing of addresses (KAME nd6_rtr.c; RFC 4862 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.interface import INFINITE, Address
from kamelab.stack.netinet6 import in6 as in6_if
from kamelab.stack.netinet6 import in6_tmpaddr
from kamelab.stack.netinet6.nd6_prefix import PREFIX_LIMIT, find, lifetime_left, onlink, prefix_remove
from kamelab.stack.netinet6.scope6 import is_scoped
from kamelab.stack.packet import Action
from kamelab.stack.state import Prefix
from kamelab.wire import in6
from kamelab.wire.nd_options import PrefixInfo

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

TWO_HOURS = 7200
"""Seconds below which an unauthenticated advertisement can't cut a valid lifetime (RFC 4862 5.5.3 e)."""


def prelist_update(
    node: Node, iface: Interface, router: bytes, info: PrefixInfo, *, managed: bool, multicast: bool
) -> list[Action]:
    """Take one prefix option (KAME prelist_update; RFC 4862 5.5.3)."""
    if info.plen > 128 or info.prefix[0] == 0xFF or is_scoped(info.prefix):
        node.debug_nd6(f"nd6_ra_input: invalid prefix {in6.ntop(info.prefix)}/{info.plen}, ignored")
        return []
    if info.preferred > info.valid:
        return []
    prefix = in6.mask(info.prefix, info.plen)
    entry = find(iface, prefix, info.plen)
    now = node.clock.now
    if entry is not None:
        if info.onlink:
            entry.onlink = True
        if info.autonomous:
            entry.autonomous = True
        if info.onlink and not entry.static:
            entry.vltime, entry.pltime, entry.updated = info.valid, info.preferred, now
        if router not in entry.routers and len(entry.routers) < PREFIX_LIMIT:
            entry.routers.append(router)
        if info.onlink and not entry.installed and not entry.detached:
            onlink(node, entry)
    elif info.valid and (info.onlink or info.autonomous):
        if len(iface.prefixes) >= PREFIX_LIMIT:
            return []
        entry = Prefix(iface, prefix, info.plen)
        entry.onlink, entry.autonomous = info.onlink, info.autonomous
        entry.vltime, entry.pltime, entry.updated = info.valid, info.preferred, now
        entry.routers.append(router)
        iface.prefixes.append(entry)
        if info.onlink:
            onlink(node, entry)
    # [S] The managed flag keeps the kernel from autoconfiguring (KAME IMPLEMENTATION 1.4.3 (2001)).
    if not info.autonomous or managed or entry is None:
        return []
    return autoconfigure(node, iface, entry, info, multicast=multicast)


def autoconfigure(node: Node, iface: Interface, entry: Prefix, info: PrefixInfo, *, multicast: bool) -> list[Action]:
    """Make or refresh the addresses of an autonomous prefix (RFC 4862 5.5.3)."""
    now = node.clock.now
    found = False
    for address in iface.addresses:
        if (
            not address.autoconf
            or address.plen != info.plen
            or not in6.in_prefix(address.addr, entry.prefix, info.plen)
        ):
            continue
        found = found or not address.temporary
        remaining = lifetime_left(address.vltime, address.updated, now)
        if info.valid > TWO_HOURS or info.valid > remaining:
            valid = info.valid
        elif remaining <= TWO_HOURS:
            valid = remaining
        else:
            valid = TWO_HOURS
        preferred = min(info.preferred, valid)
        if address.temporary:
            valid, preferred = in6_tmpaddr.refresh(node, address, valid, preferred)
        address.vltime, address.pltime, address.updated = valid, preferred, now
        address.deprecated = address.pltime == 0
    if found or not info.valid:
        return []
    link_local = iface.linklocal()
    if link_local is None:
        return []
    if info.plen != 64:
        node.debug_nd6(f"{iface.name}: wrong prefix length {info.plen} for autoconfiguration, 64 is needed")
        return []
    addr = entry.prefix[:8] + link_local.addr[8:]
    if any(address.addr == addr for address in iface.addresses):
        node.log(f"autoconf: {in6.ntop(addr)} is already configured")
        return []
    if len(iface.addresses) >= in6_if.ADDRESS_LIMIT:
        node.debug_nd6(f"{iface.name}: no room for {in6.ntop(addr)}, an interface has {in6_if.ADDRESS_LIMIT} addresses")
        return []
    new = Address(addr, info.plen)
    new.autoconf = True
    new.vltime, new.pltime, new.updated = info.valid, info.preferred, now
    actions = in6_if.in6_ifadd(node, iface, new, dad_delay=multicast)
    if node.sysctl["net.inet6.ip6.use_tempaddr"]:
        actions += in6_tmpaddr.in6_tmpifadd(node, iface, new, dad_delay=multicast)
    return actions


def deadlines(node: Node) -> list[int]:
    """When prefixes and addresses next change by age, ns since boot."""
    out = []
    for iface in node.interfaces.values():
        for entry in iface.prefixes:
            if not entry.static and entry.vltime != INFINITE:
                out.append(entry.updated + entry.vltime * SECOND)
        for address in iface.addresses:
            if address.vltime != INFINITE:
                out.append(address.updated + address.vltime * SECOND)
            if address.pltime != INFINITE and not address.deprecated:
                out.append(address.updated + address.pltime * SECOND)
            successor = in6_tmpaddr.regeneration(address)
            if successor is not None:
                out.append(successor)
    return out


def expire(node: Node) -> list[Action]:
    """Delete what has outlived its valid lifetime, deprecate what has outlived its preferred one."""
    now = node.clock.now
    actions: list[Action] = []
    for iface in node.interfaces.values():
        for address in list(iface.addresses):
            successor = in6_tmpaddr.regeneration(address)
            if successor is not None and successor <= now:
                actions += in6_tmpaddr.regenerate(node, iface, address)
            if address.vltime != INFINITE and address.updated + address.vltime * SECOND <= now:
                actions += in6_if.in6_purgeaddr(node, iface, address)
            elif (
                address.pltime != INFINITE
                and not address.deprecated
                and address.updated + address.pltime * SECOND <= now
            ):
                address.deprecated = True
                node.generation += 1
                node.trace.record(
                    now, node.name, iface.name, "nd6_timer", 0, "state", "address deprecated", "RFC 4862 5.5.4",
                    node.text(address.addr),
                )  # fmt: skip
        for entry in list(iface.prefixes):
            if not entry.static and entry.vltime != INFINITE and entry.updated + entry.vltime * SECOND <= now:
                prefix_remove(node, entry)
    return actions
