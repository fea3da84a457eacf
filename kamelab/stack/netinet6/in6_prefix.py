"""Router prefixes: what prefix(8) and router renumbering put on a router's interfaces (KAME in6_prefix.c; RFC 2894).

A router prefix makes an address of each link-local address of its interface, stands in the prefix list with its origin,
and is advertised by `rtadvd`. Origins rank RA, RR, static, kernel (an address set by ifconfig brings the last): what is
of a lower one can't change what is of a higher one. Left out: prefixes longer than 64 bits, which have no room for the
identifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kamelab.core.clock import SECOND
from kamelab.core.errors import EADDRNOTAVAIL, EINVAL, ENOBUFS, EPERM, Errno
from kamelab.core.timers import Timer
from kamelab.stack.interface import INFINITE, Address
from kamelab.stack.netinet6 import in6 as in6_if
from kamelab.stack.netinet6 import nd6_prefix
from kamelab.stack.netinet6.scope6 import is_scoped
from kamelab.stack.packet import Action
from kamelab.stack.state import Prefix
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

SET, DELETE = "SIOCSIFPREFIX_IN6", "SIOCDIFPREFIX_IN6"
ADD, CHANGE, SETGLOBAL = "SIOCAIFPREFIX_IN6", "SIOCCIFPREFIX_IN6", "SIOCSGIFPREFIX_IN6"
REQUESTS = frozenset({SET, DELETE, ADD, CHANGE, SETGLOBAL})
"""The ioctls that `ioctl` serves."""

ORIGINS = ("RA", "RR", "static", "kernel")
"""In the order of their rank."""

IDENTIFIER_BITS = 64


class Terms(NamedTuple):
    """How a prefix is advertised; lifetimes in seconds, `INFINITE` for infinity.

    In a renumbering ``onlink`` and ``autonomous`` may be None: as the matched prefix has them (RFC 2894 3.2.1).
    """

    vltime: int = 2592000
    pltime: int = 604800
    onlink: bool | None = True
    """raf_onlink, the L flag."""
    autonomous: bool | None = True
    """raf_auto, the A flag."""
    decrvalid: bool = False
    """rrf_decrvalid: the valid lifetime runs down, and the prefix goes when it is over."""
    decrprefd: bool = False


class Use(NamedTuple):
    """What a matched prefix becomes (RFC 2894 3.2.2): ``uselen`` bits of ``prefix``, then ``keeplen`` of its own."""

    prefix: bytes
    uselen: int
    keeplen: int
    terms: Terms


class RouterPrefix(Prefix):
    """An entry of the prefix list that this router advertises. ``vltime`` and ``pltime`` are as they were set."""

    __slots__ = ("decrprefd", "decrvalid", "made", "origin", "raf_onlink", "timer")

    def __init__(self, iface: Interface, prefix: bytes, plen: int, origin: str) -> None:
        super().__init__(iface, prefix, plen)
        self.static = True
        self.origin = origin
        self.raf_onlink = True
        self.decrvalid = False
        self.decrprefd = False
        self.made: list[bytes] = []
        """Addresses that were made of it."""
        self.timer: Timer | None = None

    @property
    def name(self) -> str:
        """The node's name, under which the loop records the timer."""
        return self.iface.node.name

    def in6_rr_timer(self) -> None:
        """The valid lifetime is over (KAME in6_rr_timer)."""
        node = self.iface.node
        # The entry may have gone with its last address, or with a reboot.
        if node.interfaces.get(self.iface.name) is self.iface and self in self.iface.prefixes:
            node.perform(_delete(node, self, "lifetime over"))


def origin(entry: Prefix) -> str:
    """Where an entry of the prefix list comes from, one of `ORIGINS`."""
    if isinstance(entry, RouterPrefix):
        return entry.origin
    return "kernel" if entry.static else "RA"


def expiry(entry: Prefix) -> tuple[int | None, int | None]:
    """When the valid and the preferred lifetime end, ns since boot; None: never.

    The second is told of router prefixes only, which is what their advertiser asks for.
    """
    valid = preferred = None
    counts = entry.decrvalid if isinstance(entry, RouterPrefix) else not entry.static
    if counts and entry.vltime != INFINITE:
        valid = entry.updated + entry.vltime * SECOND
    if isinstance(entry, RouterPrefix) and entry.decrprefd and entry.pltime != INFINITE:
        preferred = entry.updated + entry.pltime * SECOND
    return valid, preferred


def ioctl(node: Node, iface: Interface, request: str, args: dict[str, Any]) -> list[Action]:
    """One of `REQUESTS` (KAME in6_prefix_ioctl).

    Arguments: ``origin``; for SET and DELETE ``prefix`` and ``plen``, for SET ``terms``; for the others ``match``,
    ``matchlen``, ``minlen``, ``maxlen`` and ``uses``, a tuple of `Use`.

    EPERM: the node is no router, or what would change is of a higher origin; EADDRNOTAVAIL: no such prefix, none that
    matches, or no link-local address to make addresses from; EINVAL: lengths or lifetimes that can't be; ENOBUFS: too
    many prefixes. Where it is refused, nothing has changed but that SET leaves the interface up.
    """
    if not node.sysctl["net.inet6.ip6.forwarding"]:
        raise Errno(EPERM)
    rank = ORIGINS.index(args.get("origin", "static"))
    if request == SET:
        # As with the first address, the driver comes up, and brings the link-local address.
        prefix, plen = _checked(args["prefix"], args["plen"])
        _check_terms(args["terms"])
        _allowed(nd6_prefix.find(iface, prefix, plen), rank)
        node.perform(node.set_up(iface, True))
        _room(iface, [(prefix, plen)])
        return _set(node, iface, prefix, plen, args["terms"], ORIGINS[rank])
    if request == DELETE:
        prefix, plen = _checked(args["prefix"], args["plen"])
        entry = nd6_prefix.find(iface, prefix, plen)
        if entry is None:
            raise Errno(EADDRNOTAVAIL)
        _allowed(entry, rank)
        if not isinstance(entry, RouterPrefix):
            raise Errno(EADDRNOTAVAIL)
        return _delete(node, entry, "deleted")
    return _renumber(node, iface, request, args, rank)


def _checked(prefix: bytes, plen: int) -> tuple[bytes, int]:
    """The masked prefix; EINVAL for one that no router can advertise."""
    if not 0 < plen <= 128 - IDENTIFIER_BITS:
        raise Errno(EINVAL)
    prefix = in6.mask(prefix, plen)
    if prefix[0] == 0xFF or is_scoped(prefix) or prefix == in6.UNSPECIFIED:
        raise Errno(EINVAL)
    return prefix, plen


def _check_terms(terms: Terms) -> None:
    if not 0 <= terms.pltime <= terms.vltime <= INFINITE:
        raise Errno(EINVAL)


def _allowed(entry: Prefix | None, rank: int) -> None:
    """EPERM where an entry is of a higher origin."""
    if entry is not None and ORIGINS.index(origin(entry)) > rank:
        raise Errno(EPERM)


def _room(iface: Interface, wanted: list[tuple[bytes, int]]) -> None:
    """EADDRNOTAVAIL, ENOBUFS where the prefixes or their addresses can't be had."""
    fresh = [one for one in wanted if nd6_prefix.find(iface, *one) is None]
    links = len(_linklocals(iface))
    if not links:
        raise Errno(EADDRNOTAVAIL)
    if len(iface.prefixes) + len(fresh) > nd6_prefix.PREFIX_LIMIT:
        raise Errno(ENOBUFS)
    if len(iface.addresses) + links * len(fresh) > in6_if.ADDRESS_LIMIT:
        raise Errno(ENOBUFS)


def _linklocals(iface: Interface) -> list[bytes]:
    return [one.addr for one in iface.addresses if in6.is_linklocal(one.addr)]


def _set(node: Node, iface: Interface, prefix: bytes, plen: int, terms: Terms, word: str) -> list[Action]:
    """Enter a prefix with its addresses, or change the terms of one that is there. Nothing is refused here."""
    existing = nd6_prefix.find(iface, prefix, plen)
    entry = existing if isinstance(existing, RouterPrefix) else _enter(iface, prefix, plen, word, existing)
    entry.origin = word
    entry.vltime, entry.pltime, entry.updated = terms.vltime, terms.pltime, node.clock.now
    entry.raf_onlink, entry.autonomous = terms.onlink is not False, terms.autonomous is not False
    entry.decrvalid, entry.decrprefd = terms.decrvalid, terms.decrprefd
    actions: list[Action] = []
    own = {one.addr: one for one in iface.addresses}
    for link in _linklocals(iface):
        addr = prefix[:8] + link[8:]
        if addr in own:
            continue
        address = own[addr] = Address(addr, plen)
        entry.made.append(addr)
        _age(node, entry, address)
        actions += in6_if.in6_ifadd(node, iface, address, dad_delay=False)
    for addr in entry.made:
        if addr in own:
            _age(node, entry, own[addr])
    node.generation += 1
    node.arm_expiry()
    _arm(node, entry)
    _record(node, entry, "changed" if existing is entry else "new")
    return actions


def _enter(iface: Interface, prefix: bytes, plen: int, word: str, existing: Prefix | None) -> RouterPrefix:
    """A new entry, in the place of one that was learned from advertisements."""
    entry = RouterPrefix(iface, prefix, plen, word)
    if existing is None:
        iface.prefixes.append(entry)
        return entry
    entry.installed, entry.refcnt, entry.routers = existing.installed, existing.refcnt, existing.routers
    iface.prefixes[iface.prefixes.index(existing)] = entry
    for address in iface.addresses:
        if address.prefix is existing:
            address.prefix = entry
    return entry


def _age(node: Node, entry: RouterPrefix, address: Address) -> None:
    """An address is preferred as long as its prefix is, and valid as long as its prefix is there."""
    address.pltime = entry.pltime if entry.decrprefd else INFINITE
    address.updated = node.clock.now
    address.deprecated = entry.pltime == 0


def _arm(node: Node, entry: RouterPrefix) -> None:
    """Look again at the tick of net.inet6.ip6.rr_prune at or after the end of the valid lifetime."""
    at, _ = expiry(entry)
    if at is None:
        if entry.timer is not None:
            entry.timer.cancel()
        return
    if entry.timer is None:
        entry.timer = Timer(node.clock, entry, "in6_rr_timer", (), ageing=True)
    tick = max(1, node.sysctl["net.inet6.ip6.rr_prune"]) * SECOND
    entry.timer.arm((at + tick - 1) // tick * tick, node.trace.cause)


def _delete(node: Node, entry: RouterPrefix, why: str) -> list[Action]:
    """Take a prefix away with the addresses made of it; what ifconfig set in it stays, and is the kernel's."""
    iface = entry.iface
    if entry.timer is not None:
        entry.timer.cancel()
    _record(node, entry, f"gone: {why}")
    # Held while the addresses go, so that the last of them does not take the entry along.
    entry.refcnt += 1
    actions: list[Action] = []
    for address in list(iface.addresses):
        if address.addr in entry.made:
            actions += in6_if.in6_purgeaddr(node, iface, address)
    entry.refcnt -= 1
    if entry.refcnt <= 0 and not entry.routers:
        nd6_prefix.prefix_remove(node, entry)
        return actions
    plain = Prefix(iface, entry.prefix, entry.plen)
    plain.autonomous = False
    plain.static = entry.refcnt > 0
    plain.updated = node.clock.now
    plain.installed, plain.refcnt, plain.routers = entry.installed, entry.refcnt, entry.routers
    iface.prefixes[iface.prefixes.index(entry)] = plain
    for address in iface.addresses:
        if address.prefix is entry:
            address.prefix = plain
    return actions


# -- renumbering -----------------------------------------------------------------------------------------------------


def _renumber(node: Node, iface: Interface, request: str, args: dict[str, Any], rank: int) -> list[Action]:
    """Match, make, take away, as RFC 2894 3.2 has it. Everything is checked before anything is changed."""
    matched = _matched(iface, args)
    if not matched:
        raise Errno(EADDRNOTAVAIL)
    uses: tuple[Use, ...] = args.get("uses", ())
    made: dict[tuple[bytes, int], Terms] = {}
    for entry in matched:
        for use in uses:
            _check_terms(use.terms)
            key = _made_of(entry, use)
            _allowed(nd6_prefix.find(iface, *key), rank)
            made.setdefault(key, _filled(entry, use.terms))
    victims: list[Prefix] = []
    if request == CHANGE:
        victims = matched
    elif request == SETGLOBAL:
        victims = [one for one in iface.prefixes if one.static and in6.scope(one.prefix) == in6.SCOPE_GLOBAL]
    for entry in victims:
        _allowed(entry, rank)
    victims = [entry for entry in victims if (entry.prefix, entry.plen) not in made]
    if made:
        _room(iface, list(made))
    actions: list[Action] = []
    for (prefix, plen), terms in made.items():
        actions += _set(node, iface, prefix, plen, terms, ORIGINS[rank])
    for entry in victims:
        if isinstance(entry, RouterPrefix):
            actions += _delete(node, entry, "renumbered")
    return actions


def _matched(iface: Interface, args: dict[str, Any]) -> list[Prefix]:
    """The router's own prefixes of the interface that a match means: RFC 2894 3.2.1."""
    length, low, high = args["matchlen"], args.get("minlen", 0), args.get("maxlen", 128)
    if not (0 <= length <= 128 and 0 <= low <= high <= 128):
        raise Errno(EINVAL)
    match = in6.mask(args["match"], length)
    return [
        entry
        for entry in iface.prefixes
        if entry.static
        and not is_scoped(entry.prefix)
        and low <= entry.plen <= high
        and in6.in_prefix(entry.prefix, match, length)
    ]


def _made_of(entry: Prefix, use: Use) -> tuple[bytes, int]:
    """The new prefix: bits of the use prefix, bits of the matched one, and the rest of the use prefix."""
    if use.uselen < 0 or use.keeplen < 0 or use.uselen + use.keeplen > 128:
        raise Errno(EINVAL)
    plen = use.uselen + use.keeplen
    keep = (1 << 128 - use.uselen) - (1 << 128 - plen)
    bits = int.from_bytes(use.prefix, "big") & ~keep | int.from_bytes(entry.prefix, "big") & keep
    return _checked(bits.to_bytes(16, "big"), plen)


def _filled(entry: Prefix, terms: Terms) -> Terms:
    """The terms with what is to be as in the matched prefix."""
    onlink, autonomous = True, True
    if isinstance(entry, RouterPrefix):
        onlink, autonomous = entry.raf_onlink, entry.autonomous
    return terms._replace(
        onlink=onlink if terms.onlink is None else terms.onlink,
        autonomous=autonomous if terms.autonomous is None else terms.autonomous,
    )


def _record(node: Node, entry: RouterPrefix, what: str) -> None:
    node.trace.record(
        node.clock.now, node.name, entry.iface.name, "in6_prefix", 0, "state", f"router prefix {what}",
        "KAME USAGE", f"{in6.ntop(entry.prefix)}/{entry.plen} origin {entry.origin}",
    )  # fmt: skip
