"""The order of several destinations (RFC 3484 6, RFC 6724 6; KAME getaddrinfo.c, KAME IMPLEMENTATION 1.6.2 (2001)).

As KAME's library does it: the kernel is asked for the source towards each destination by connecting a UDP socket, and
for the policies by reading its table. Ten rules on pairs, in this order: usable, matching scope, source not deprecated,
(home address: there are none), matching label, higher precedence, (native transport: not told apart here), smaller
scope, longest match within a family, the order they came in.

Left out: RFC 6724's limit of the longest match to the source's prefix, as in KAME's kernel; scopes of IPv4 private
addresses, which RFC 6724 3.2 made global.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Final, NamedTuple

from kamelab.core.errors import Errno
from kamelab.stack.views import AddrctlRow
from kamelab.userland.proc import Proc
from kamelab.wire import in6

V4MAPPED: Final = bytes(10) + b"\xff\xff"
"""::ffff:0:0/96: how IPv4 addresses appear among the others."""
PROBE_PORT: Final = 9
"""discard: any port does, nothing is sent."""

Destination = tuple[bytes, int]
Policy = tuple[int, int]
"""(label, precedence)"""


class Order(NamedTuple):
    """A destination with all that its place depends on."""

    destination: Destination
    source: bytes | None
    """None: it can't be reached."""
    deprecated: bool
    """The source is."""
    policy: Policy | None
    source_policy: Policy | None

    @property
    def scope(self) -> int:
        """The destination's."""
        return scope(self.destination[0])

    @property
    def same_scope(self) -> bool:
        """The source has the destination's scope."""
        return self.source is not None and scope(self.source) == self.scope

    @property
    def same_label(self) -> bool | None:
        """Source and destination have the same label; None where one of them has no policy."""
        if self.policy is None or self.source_policy is None:
            return None
        return self.policy[0] == self.source_policy[0]

    @property
    def match(self) -> int:
        """Leading bits that source and destination share."""
        return in6.common_prefix_len(self.source, self.destination[0]) if self.source is not None else 0


def scope(addr: bytes) -> int:
    """`in6.scope`; of IPv4 addresses 127/8 and 169.254/16 are link-local, all others global (RFC 6724 3.2)."""
    if addr[:12] == V4MAPPED:
        return in6.SCOPE_LINK if addr[12] == 127 or addr[12:14] == b"\xa9\xfe" else in6.SCOPE_GLOBAL
    return in6.scope(addr)


def decide(one: Order, other: Order) -> tuple[int, int]:
    """(rule from 1 to 10 that decides, negative where ``one`` comes first, else positive).

    Rule 10 leaves both where they are: 0.
    """
    if (one.source is None) != (other.source is None):
        return 1, -1 if one.source is not None else 1
    if one.source is not None:
        if one.same_scope != other.same_scope:
            return 2, -1 if one.same_scope else 1
        if one.deprecated != other.deprecated:
            return 3, 1 if one.deprecated else -1
        if one.same_label is not None and other.same_label is not None and one.same_label != other.same_label:
            return 5, -1 if one.same_label else 1
    if one.policy is not None and other.policy is not None and one.policy[1] != other.policy[1]:
        return 6, -1 if one.policy[1] > other.policy[1] else 1
    if one.scope != other.scope:
        return 8, -1 if one.scope < other.scope else 1
    family = one.destination[0][:12] == V4MAPPED
    if not family and other.destination[0][:12] != V4MAPPED and one.match != other.match:
        return 9, -1 if one.match > other.match else 1
    return 10, 0


def ordered(proc: Proc, destinations: list[Destination]) -> list[Destination]:
    """The destinations, best first. The kernel is only asked where there is more than one."""
    if len(destinations) < 2:
        return destinations
    table: tuple[AddrctlRow, ...] = proc.rows("addrctlpolicy")
    policies = [(*in6.parse_prefix(row.prefix), (row.label, row.precedence)) for row in table]
    flags = {row.address: row.flags for row in proc.rows("addresses")}
    entries = []
    for destination in destinations:
        source, text = _source(proc, destination)
        entries.append(
            Order(
                destination,
                source,
                "deprecated" in flags.get(text, ()),
                _policy(policies, destination[0]),
                _policy(policies, source) if source is not None else None,
            )
        )
    entries.sort(key=cmp_to_key(_place))
    return [entry.destination for entry in entries]


def _place(one: Order, other: Order) -> int:
    return decide(one, other)[1]


def _policy(policies: list[tuple[bytes, int, Policy]], addr: bytes) -> Policy | None:
    """What the longest matching prefix says."""
    best: tuple[int, Policy] | None = None
    for prefix, plen, policy in policies:
        if (best is None or plen > best[0]) and in6.in_prefix(addr, prefix, plen):
            best = plen, policy
    return best[1] if best is not None else None


def _source(proc: Proc, destination: Destination) -> tuple[bytes | None, str]:
    """(the source that the kernel would take, its text in the tables); (None, "") where there is none, or no way."""
    addr, zone = destination
    if addr[:12] == V4MAPPED:
        return None, ""
    fd = proc.socket("udp6")
    try:
        proc.connect(fd, addr, PROBE_PORT, zone)
        source, _, source_zone = proc.getsockname(fd)
    except Errno:
        return None, ""
    finally:
        proc.close(fd)
    text = in6.ntop(source)
    if source_zone:
        text += f"%{next((row.name for row in proc.rows('interfaces') if row.index == source_zone), source_zone)}"
    return source, text
