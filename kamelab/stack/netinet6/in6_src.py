"""Source address selection (RFC 6724 5 with KAME's additions; KAME in6_src.c, KAME IMPLEMENTATION 1.6.1 (2001)).

The rules are tried in order on pairs; ``sources_rule`` counts the comparisons that each decided. The policy table of
``ip6addrctl`` is empty at boot, so the label rule never applies yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.scope6 import in6_clearscope, is_scoped, zone_of
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Address, Interface
    from kamelab.stack.node import Node

RULE_NAMES = {
    0: "first candidate",
    1: "same address",
    2: "appropriate scope",
    3: "deprecated address",
    4: "home address",
    5: "outgoing interface",
    6: "matching label",
    7: "public/temporary address",
    8: "alive interface",
    9: "preferred interface",
    14: "longest match",
}


def is_linklocal(addr: bytes) -> bool:
    """fe80::/10, zone or not."""
    return addr[0] == 0xFE and addr[1] & 0xC0 == 0x80


def in6_selectsrc(node: Node, dst: bytes, oif: Interface) -> Address | None:
    """The best address for a packet to ``dst`` (embedded zone) leaving through ``oif``; None: no candidate."""
    scope = in6.scope(dst)
    use_deprecated = node.sysctl["net.inet6.ip6.use_deprecated"]
    prefer_temporary = bool(node.sysctl["net.inet6.ip6.prefer_tempaddr"])
    stat = node.stat
    best: Address | None = None
    best_iface = oif
    for iface in node.interfaces.values():
        for address in iface.addresses:
            if address.anycast or not address.usable:
                continue
            if address.deprecated and not use_deprecated:
                continue
            if is_scoped(address.addr) and zone_of(address.addr) != oif.index:
                continue
            if address.addr == in6.LOOPBACK and not oif.loopback and dst != in6.LOOPBACK:
                continue
            if address.addr == dst:
                stat["ip6.sources_rule.1"] += 1
                return address
            if best is None:
                stat["ip6.sources_rule.0"] += 1
                best, best_iface = address, iface
                continue
            rule, wins = _compare(dst, scope, oif, prefer_temporary, best, best_iface, address, iface)
            if rule:
                stat[f"ip6.sources_rule.{rule}"] += 1
            if wins:
                best, best_iface = address, iface
    return best


def _compare(
    dst: bytes,
    scope: int,
    oif: Interface,
    prefer_temporary: bool,
    best: Address,
    best_iface: Interface,
    new: Address,
    new_iface: Interface,
) -> tuple[int, bool]:
    """(rule that decides, 0 for a tie; whether ``new`` beats ``best``)."""
    best_scope = in6.scope(best.addr)
    new_scope = in6.scope(new.addr)
    if best_scope != new_scope:
        if best_scope < new_scope:
            return 2, best_scope < scope
        return 2, new_scope >= scope
    if best.deprecated != new.deprecated:
        return 3, best.deprecated
    if (best_iface is oif) != (new_iface is oif):
        return 5, new_iface is oif
    if best.temporary != new.temporary:
        return 7, new.temporary == prefer_temporary
    if best_iface.up != new_iface.up:
        return 8, new_iface.up
    if best_iface.prefer_source != new_iface.prefer_source:
        return 9, new_iface.prefer_source
    plain = in6_clearscope(dst)
    best_match = in6.common_prefix_len(in6_clearscope(best.addr), plain)
    new_match = in6.common_prefix_len(in6_clearscope(new.addr), plain)
    if best_match != new_match:
        return 14, new_match > best_match
    return 0, False
