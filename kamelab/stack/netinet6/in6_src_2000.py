"""The older source address selection: by scope, then by longest match (KAME IMPLEMENTATION 1.6 (2000)).

In force while net.inet6.ip6.srcsel_2000 is set. Where the document and the code of its day differ, the document wins:
an address of the outgoing interface with the destination's scope; else a global address of the node; else the address
tied to the route, whatever its scope. Labels, temporary addresses, and interfaces that are down or preferred play no
part. Its counters go by scope: ``sources_sameif`` and ``sources_otherif`` by the source's, ``sources_samescope`` and
``sources_otherscope`` by the destination's, ``sources_deprecated`` by the source's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.scope6 import in6_clearscope
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Address, Interface
    from kamelab.stack.node import Node


def scope_of(addr: bytes) -> int:
    """The scope as it was counted then: ::1 stays within the node, so that it is the source towards ff01::1."""
    return in6.SCOPE_INTERFACE if addr == in6.LOOPBACK else in6.scope(addr)


def select(
    node: Node, dst: bytes, oif: Interface, found: list[tuple[Address, Interface]]
) -> tuple[tuple[Address, Interface], str]:
    """(the chosen one of the candidates, of which there is at least one; why, in words)."""
    scope = scope_of(dst)
    preferred = [one for one in found if not one[0].deprecated]
    deprecated = [one for one in found if one[0].deprecated]
    best: tuple[Address, Interface] | None = None
    why = ""
    for group in (preferred, deprecated):
        here = [one for one in group if one[1] is oif and scope_of(one[0].addr) == scope]
        anywhere = [one for one in group if scope_of(one[0].addr) == in6.SCOPE_GLOBAL]
        if here:
            best, why = _longest(here, dst, oif), "an address of the outgoing interface with the destination's scope"
            if len(here) > 1:
                why += ", the longest match"
        elif anywhere:
            best, why = _longest(anywhere, dst, oif), "a global address"
            if len(anywhere) > 1:
                why += ", the longest match"
        if best is not None:
            break
    if best is None:
        best = _of_route(node, dst, oif, preferred or deprecated)
        why = "the address tied to the route, the last resort"
    elif best[0].deprecated:
        why += ", deprecated for want of others"
    _count(node, scope, oif, best)
    return best, why


def _longest(group: list[tuple[Address, Interface]], dst: bytes, oif: Interface) -> tuple[Address, Interface]:
    """The longest match with the destination; of equals one of the outgoing interface, then the first."""
    plain = in6_clearscope(dst)
    return max(group, key=lambda one: (in6.common_prefix_len(in6_clearscope(one[0].addr), plain), one[1] is oif))


def _of_route(
    node: Node, dst: bytes, oif: Interface, group: list[tuple[Address, Interface]]
) -> tuple[Address, Interface]:
    """The interface's address that a BSD ties to the route: the one nearest its gateway, else its destination."""
    route = node.routes.lookup(dst)
    towards = dst
    if route is not None and route.iface is oif:
        towards = route.gateway or route.dst
    return _longest([one for one in group if one[1] is oif] or group, towards, oif)


def _count(node: Node, scope: int, oif: Interface, best: tuple[Address, Interface]) -> None:
    own = scope_of(best[0].addr)
    stat = node.stat
    stat[f"ip6.sources_{'sameif' if best[1] is oif else 'otherif'}.{own}"] += 1
    stat[f"ip6.sources_{'samescope' if own == scope else 'otherscope'}.{scope}"] += 1
    if best[0].deprecated:
        stat[f"ip6.sources_deprecated.{own}"] += 1
