"""The policy table of address selection: prefix, precedence, label (RFC 6724 2.1; KAME in6_src.c addrsel policy list).

The kernel begins without policy: KAME leaves it to ``ip6addrctl`` at start-up (KAME IMPLEMENTATION 1.6.1 (2001)). The
longest prefix that covers an address decides; source selection reads the label, getaddrinfo(3) the precedence too.
Prefixes are compared without zones. Left out: policies per interface and zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import EEXIST, EINVAL, ENOBUFS, ESRCH, Errno
from kamelab.stack.netinet6.scope6 import in6_clearscope
from kamelab.stack.packet import Action
from kamelab.stack.views import AddrctlRow
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.node import Node

ADD: Final = "SIOCAADDRCTL_POLICY"
DELETE: Final = "SIOCDADDRCTL_POLICY"
REQUESTS: Final = (ADD, DELETE)

POLICY_LIMIT: Final = 1000
"""Entries that the table takes (ours; KAME's list has no bound)."""
CACHE_LIMIT: Final = 1024
NUMBER_MAX: Final = 2**31 - 1
"""The greatest precedence and label."""


class Policy:
    """One entry; ``use`` counts the kernel's lookups that it decided."""

    __slots__ = ("label", "plen", "precedence", "prefix", "use")

    def __init__(self, prefix: bytes, plen: int, precedence: int, label: int) -> None:
        self.prefix = prefix
        self.plen = plen
        self.precedence = precedence
        self.label = label
        self.use = 0


class PolicyTable:
    """The entries in order of adding, and which of them decides for an address."""

    __slots__ = ("_found", "entries")

    def __init__(self) -> None:
        self.entries: list[Policy] = []
        self._found: dict[bytes, Policy | None] = {}
        """What was found for addresses since the table changed last."""

    def __getstate__(self) -> list[Policy]:
        return self.entries

    def __setstate__(self, entries: list[Policy]) -> None:
        self.entries = entries
        self._found = {}

    def add(self, prefix: bytes, plen: int, precedence: int, label: int) -> None:
        """Enter a policy. EINVAL: a number out of range; EEXIST: the prefix is there; ENOBUFS: the table is full."""
        if not 0 <= plen <= 128 or not 0 <= precedence <= NUMBER_MAX or not 0 <= label <= NUMBER_MAX:
            raise Errno(EINVAL)
        prefix = in6.mask(in6_clearscope(prefix), plen)
        if self._at(prefix, plen) is not None:
            raise Errno(EEXIST)
        if len(self.entries) >= POLICY_LIMIT:
            raise Errno(ENOBUFS)
        self.entries.append(Policy(prefix, plen, precedence, label))
        self._found = {}

    def delete(self, prefix: bytes, plen: int) -> None:
        """Remove a policy. ESRCH: there is none for exactly this prefix; EINVAL: no prefix length."""
        if not 0 <= plen <= 128:
            raise Errno(EINVAL)
        entry = self._at(in6.mask(in6_clearscope(prefix), plen), plen)
        if entry is None:
            raise Errno(ESRCH)
        self.entries.remove(entry)
        self._found = {}

    def _at(self, prefix: bytes, plen: int) -> Policy | None:
        return next((one for one in self.entries if one.prefix == prefix and one.plen == plen), None)

    def match(self, addr: bytes) -> Policy | None:
        """The entry with the longest prefix of ``addr`` (zone or not), without counting; None: none covers it."""
        found = self._found
        if addr in found:
            return found[addr]
        plain = in6_clearscope(addr)
        best: Policy | None = None
        for entry in self.entries:
            if (best is None or entry.plen > best.plen) and in6.in_prefix(plain, entry.prefix, entry.plen):
                best = entry
        if len(found) >= CACHE_LIMIT:
            found.clear()
        found[addr] = best
        return best

    def lookup(self, addr: bytes) -> Policy | None:
        """`match` on behalf of the kernel: the entry's use is counted."""
        best = self.match(addr)
        if best is not None:
            best.use += 1
        return best


def rows(node: Node) -> tuple[AddrctlRow, ...]:
    """The table in order of adding."""
    return tuple(
        AddrctlRow(f"{in6.ntop(one.prefix)}/{one.plen}", one.precedence, one.label, one.use)
        for one in node.addrctl.entries
    )


def ioctl(node: Node, request: str, args: dict[str, Any]) -> list[Action]:
    """The requests of ip6addrctl: ``prefix``, ``plen``; to add ``precedence`` and ``label``. Errno as `PolicyTable`."""
    prefix, plen = args["prefix"], int(args["plen"])
    if request == ADD:
        node.addrctl.add(prefix, plen, int(args["precedence"]), int(args["label"]))
    else:
        node.addrctl.delete(prefix, plen)
    node.generation += 1
    return []
