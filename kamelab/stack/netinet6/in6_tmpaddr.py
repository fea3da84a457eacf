"""Temporary addresses for privacy (RFC 3041; KAME in6_ifattach.c generate_tmp_ifid, in6.c in6_tmpifadd).

``net.inet6.ip6.use_tempaddr`` 1: each address that autoconfiguration makes gets a companion with a random identifier,
which is replaced before it is deprecated and never outlives its limits. Left out: identifiers kept over a reboot
(RFC 3041 3.2.1 wants the history value on stable storage).
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.interface import INFINITE, Address
from kamelab.stack.netinet6 import in6 as in6_if
from kamelab.stack.netinet6.nd6_prefix import lifetime_left
from kamelab.stack.packet import Action
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

REGEN_ADVANCE = 5
"""Seconds before deprecation at which a successor is made (RFC 3041 5)."""
MAX_DESYNC_FACTOR = 600
"""Seconds: the preferred lifetime is shortened by a random part of it (RFC 3041 5)."""
MAX_TRIES = 3
"""Identifiers that are tried for one address (KAME in6_tmpifadd)."""


def desync(node: Node) -> int:
    """DESYNC_FACTOR, seconds, below `MAX_DESYNC_FACTOR`: drawn once a boot (RFC 3041 3.1)."""
    if node.desync < 0:
        node.desync = node.streams.below(f"{node.name}/tmpaddr", MAX_DESYNC_FACTOR)
    return node.desync


def interface_id(node: Node, iface: Interface, public: bytes) -> bytes:
    """The next random interface identifier, 8 octets (RFC 3041 3.2.1).

    MD5 over the history value and the public identifier: its left half, the u bit clear, is the identifier, its right
    half the next history value.
    """
    if not iface.history:
        iface.history = node.streams.bits64(f"{node.name}/tmpaddr").to_bytes(8, "big")
    digest = md5(iface.history + public, usedforsecurity=False).digest()
    iface.history = digest[8:]
    return bytes((digest[0] & 0xFD,)) + digest[1:8]


def limits(node: Node, address: Address) -> tuple[int, int]:
    """(valid, preferred) seconds that a temporary address may have left, whatever routers say (RFC 3041 3.3, 3.4)."""
    age = -((address.created - node.clock.now) // SECOND)
    valid = node.sysctl["net.inet6.ip6.tempvltime"] - age
    preferred = node.sysctl["net.inet6.ip6.temppltime"] - desync(node) - age
    return max(0, valid), max(0, preferred)


def in6_tmpifadd(node: Node, iface: Interface, public: Address, *, dad_delay: bool, tries: int = 1) -> list[Action]:
    """Make a temporary companion of an address; ``tries`` counts the identifiers used up on it (KAME in6_tmpifadd).

    None is made when it would be preferred for `REGEN_ADVANCE` seconds or less (RFC 3041 3.3).
    """
    now = node.clock.now
    valid = min(lifetime_left(public.vltime, public.updated, now), node.sysctl["net.inet6.ip6.tempvltime"])
    preferred = min(
        lifetime_left(public.pltime, public.updated, now), node.sysctl["net.inet6.ip6.temppltime"] - desync(node)
    )
    preferred = min(preferred, valid)
    if preferred <= REGEN_ADVANCE or len(iface.addresses) >= in6_if.ADDRESS_LIMIT:
        return []
    while True:
        addr = public.addr[:8] + interface_id(node, iface, public.addr[8:])
        if addr not in node.own and addr[8:] != bytes(8):
            break
        tries += 1
        if tries > MAX_TRIES:
            node.log(f"{iface.name}: no unique temporary address of {in6.ntop(public.addr)} in {MAX_TRIES} tries")
            return []
    new = Address(addr, public.plen)
    new.autoconf = new.temporary = True
    new.created = new.updated = now
    new.vltime, new.pltime = valid, preferred
    new.tries = tries
    node.trace.record(
        now, node.name, iface.name, "in6_tmpaddr", 0, "state", "temporary address made", "RFC 3041 3.3",
        f"{node.text(addr)} preferred {preferred} s, valid {valid} s",
    )  # fmt: skip
    return in6_if.in6_ifadd(node, iface, new, dad_delay=dad_delay)


def refresh(node: Node, address: Address, valid: int, preferred: int) -> tuple[int, int]:
    """The lifetimes that an advertisement may give a temporary address, seconds."""
    most_valid, most_preferred = limits(node, address)
    valid = min(valid, most_valid)
    preferred = min(preferred, most_preferred, valid)
    if preferred > REGEN_ADVANCE:
        address.replaced = False
    return valid, preferred


def regeneration(address: Address) -> int | None:
    """When a successor is due, ns since boot; None: never, one was made, or the prefix is detached.

    At once after a duplicate was found.
    """
    if not address.temporary or address.replaced or address.detached:
        return None
    if address.duplicated:
        return address.updated
    if address.pltime == INFINITE:
        return None
    return address.updated + max(0, address.pltime - REGEN_ADVANCE) * SECOND


def regenerate(node: Node, iface: Interface, address: Address) -> list[Action]:
    """A successor, if the public address is still preferred and no other temporary one is there (KAME regen_tmpaddr).

    After a duplicate another identifier is tried, `MAX_TRIES` in all (RFC 3041 3.3).
    """
    address.replaced = True
    if not node.sysctl["net.inet6.ip6.use_tempaddr"]:
        return []
    tries = 1
    if address.duplicated:
        tries = address.tries + 1
        if tries > MAX_TRIES:
            node.log(f"{iface.name}: {MAX_TRIES} temporary addresses were duplicates, no other is tried")
            return []
    now = node.clock.now
    public: Address | None = None
    for other in iface.addresses:
        if other is address or not other.autoconf or other.detached or other.duplicated:
            continue
        if other.plen != address.plen or other.addr[:8] != address.addr[:8]:
            continue
        left = lifetime_left(other.pltime, other.updated, now)
        if other.temporary:
            if left > REGEN_ADVANCE:
                return []
        elif left and not other.deprecated:
            public = other
    if public is None:
        return []
    return in6_tmpifadd(node, iface, public, dad_delay=False, tries=tries)
