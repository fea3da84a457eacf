"""Source address selection (RFC 6724 5 with KAME's additions; KAME in6_src.c, KAME IMPLEMENTATION 1.6.1 (2001)).

The rules are tried in order on pairs; ``sources_rule`` counts the comparisons that each decided. KAME's additions are
rule 8, interfaces that are up, and rule 9, interfaces that ``ndp -i`` prefers. Where there was a choice, a ``state``
record says which rule decided against each candidate. ``net.inet6.ip6.srcsel_2000`` brings the older algorithm back
(`in6_src_2000`).

Left out: rule 4, home addresses, because there are no mobile nodes; RFC 6724's rule 5.5, addresses of the prefix that
the next hop advertises, which is optional and which KAME has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6 import in6_src_2000
from kamelab.stack.netinet6.scope6 import in6_clearscope, is_scoped
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Address, Interface
    from kamelab.stack.netinet6.in6_addrsel import PolicyTable
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
_COUNTERS = {number: f"ip6.sources_rule.{number}" for number in RULE_NAMES}
TOLD_LIMIT = 512
"""Decisions that are remembered as told."""

Candidate = tuple["Address", "Interface"]


def is_linklocal(addr: bytes) -> bool:
    """fe80::/10, zone or not."""
    return addr[0] == 0xFE and addr[1] & 0xC0 == 0x80


def candidates(node: Node, dst: bytes, oif: Interface) -> list[Candidate]:
    """The addresses that may be source towards ``dst`` through ``oif``, by interface in order of adding.

    Not those that are tentative, duplicated, detached or anycast, nor deprecated ones where
    net.inet6.ip6.use_deprecated is 0, nor those whose zone does not contain the outgoing interface.
    """
    use_deprecated = node.sysctl["net.inet6.ip6.use_deprecated"]
    zone = oif.index.to_bytes(2, "big")
    local = oif.loopback or dst == in6.LOOPBACK
    found: list[Candidate] = []
    for iface in node.interfaces.values():
        for address in iface.addresses:
            if address.anycast or address.tentative or address.duplicated or address.detached:
                continue
            if address.deprecated and not use_deprecated:
                continue
            addr = address.addr
            if addr[2:4] != zone and is_scoped(addr):
                continue
            if not local and addr == in6.LOOPBACK:
                continue
            found.append((address, iface))
    return found


def in6_selectsrc(node: Node, dst: bytes, oif: Interface, prefer_temp: int = -1) -> Address | None:
    """The best address for a packet to ``dst`` (embedded zone) leaving through ``oif``; None: no candidate.

    ``prefer_temp``: 1 prefers temporary addresses, 0 public ones (RFC 5014), -1 leaves it to
    net.inet6.ip6.prefer_tempaddr.
    """
    found = candidates(node, dst, oif)
    if not found:
        return None
    # Of a solicitation there is nothing to tell: its source comes from the link.
    tell = len(found) > 1 and not (dst[0] == 0xFF and dst[4:13] == in6.SOLICITED_NODE_PREFIX[4:])
    if node.sysctl["net.inet6.ip6.srcsel_2000"]:
        best, why = in6_src_2000.select(node, dst, oif, found)
        if tell:
            _tell(node, dst, oif, -2, best, why, "KAME IMPLEMENTATION 1.6 (2000)")
        return best[0]
    if prefer_temp < 0:
        prefer_temp = node.sysctl["net.inet6.ip6.prefer_tempaddr"]
    choice = Choice(dst, oif, bool(prefer_temp), node.addrctl)
    stat = node.stat
    best = found[0]
    for new in found:
        if new[0].addr == dst:
            stat[_COUNTERS[1]] += 1
            best = new
            break
        if new is found[0]:
            stat[_COUNTERS[0]] += 1
            continue
        rule, wins = choice.compare(best, new)
        if rule:
            stat[_COUNTERS[rule]] += 1
        if wins:
            best = new
    if tell:
        told = node.told_sources.get((dst, oif.index, prefer_temp))
        if told is None or told[0] != node.generation or told[1] != best[0].addr:
            _tell(node, dst, oif, prefer_temp, best, choice.against(node, best, found), "RFC 6724 5")
    return best[0]


class Choice:
    """What one selection compares by. Labels are looked up once an address, and only when rule 6 is reached."""

    __slots__ = ("dst", "labels", "oif", "plain", "policies", "prefer_temporary", "scope")

    def __init__(self, dst: bytes, oif: Interface, prefer_temporary: bool, policies: PolicyTable) -> None:
        self.dst = dst
        self.plain = in6_clearscope(dst)
        self.scope = in6.scope(dst)
        self.oif = oif
        self.prefer_temporary = prefer_temporary
        self.policies = policies
        self.labels: dict[bytes, int | None] = {}

    def label(self, addr: bytes) -> int | None:
        """The label of an address; None where no policy covers it."""
        if addr not in self.labels:
            policy = self.policies.lookup(addr)
            self.labels[addr] = policy.label if policy is not None else None
        return self.labels[addr]

    def compare(self, best: Candidate, new: Candidate) -> tuple[int, bool]:
        """(rule that decides, 0 for a tie; whether ``new`` beats ``best``)."""
        old, old_iface = best
        address, iface = new
        old_addr, addr = old.addr, address.addr
        old_scope, scope = in6.scope(old_addr), in6.scope(addr)
        if old_scope != scope:
            if old_scope < scope:
                return 2, old_scope < self.scope
            return 2, scope >= self.scope
        if old.deprecated != address.deprecated:
            return 3, old.deprecated
        if (old_iface is self.oif) != (iface is self.oif):
            return 5, iface is self.oif
        if self.policies.entries:
            wanted = self.label(self.dst)
            if wanted is not None:
                matches = self.label(addr) == wanted
                if matches != (self.label(old_addr) == wanted):
                    return 6, matches
        if old.temporary != address.temporary:
            return 7, address.temporary == self.prefer_temporary
        if old_iface.up != iface.up:
            return 8, iface.up
        if old_iface.prefer_source != iface.prefer_source:
            return 9, iface.prefer_source
        old_match = in6.common_prefix_len(in6_clearscope(old_addr), self.plain)
        match = in6.common_prefix_len(in6_clearscope(addr), self.plain)
        if old_match != match:
            return 14, match > old_match
        return 0, False

    def against(self, node: Node, winner: Candidate, found: list[Candidate]) -> str:
        """Which rule decided for the winner against each other candidate, in words; "" while the trace keeps none."""
        if not node.trace.keep:
            return ""
        uses = [policy.use for policy in self.policies.entries]
        parts: dict[str, list[str]] = {}
        for other in found:
            if other is winner:
                continue
            rule = 1 if winner[0].addr == self.dst else self.compare(other, winner)[0]
            words = f"rule {rule} {RULE_NAMES[rule]}" if rule else "being the first, all rules being even"
            parts.setdefault(words, []).append(node.text(other[0].addr))
        # Telling is not selecting: it does not count as use of the policies.
        for policy, use in zip(self.policies.entries, uses, strict=True):
            policy.use = use
        return "; ".join(f"chosen over {', '.join(names)} by {words}" for words, names in parts.items())


def _tell(node: Node, dst: bytes, oif: Interface, mode: int, best: Candidate, why: str, rule: str) -> None:
    """Record a choice that was not recorded just so before.

    What was told is no state that decides anything: it spares the trace the same sentence for each datagram.
    """
    told = node.told_sources
    key = (dst, oif.index, mode)
    before = told.get(key)
    if len(told) >= TOLD_LIMIT:
        told.clear()
    told[key] = (node.generation if node.trace.keep else -1, best[0].addr, why)
    if before is not None and before[1:] == (best[0].addr, why):
        return
    note = f"{node.text(best[0].addr)} for {node.text(dst)}: {why}" if node.trace.keep else ""
    node.trace.record(node.clock.now, node.name, oif.name, "in6_selectsrc", 0, "state", "source", rule, note)
