"""The routing table: longest-prefix match, KAME's flags (BSD radix.c, route.c; RFC 8200, RFC 4861 5.1).

A dictionary a prefix length does for a trie: a miss costs one look-up a length in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.net import rtsock
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

FLAG_ORDER = "UGHRDMdCXLS12Wc3Bb"
"""Letters in the order of their bits, which is that of netstat."""


class Route:
    """One entry. ``dst`` carries the embedded zone; ``gateway`` None is a link entry."""

    __slots__ = (
        "dst", "expire", "flags", "gateway", "iface", "locked", "locks", "metrics", "mtu", "mtu_expire", "own", "plen",
        "use",
    )  # fmt: skip

    def __init__(self, dst: bytes, plen: int, iface: Interface, gateway: bytes | None, flags: str) -> None:
        self.dst = dst
        self.plen = plen
        self.iface = iface
        self.gateway = gateway
        self.flags = flags
        self.mtu = 0
        """Path MTU, octets; 0: the interface's."""
        self.expire = 0
        """ns since boot; 0: never."""
        self.mtu_expire = 0
        """When ``mtu`` is forgotten again, on a route that path MTU discovery did not make; ns since boot, 0: never."""
        self.locked = False
        """Path MTU discovery leaves ``mtu`` alone (``route add -lock -mtu``)."""
        self.use = 0
        self.metrics: dict[str, int] = {}
        """Set by hand: recvpipe sendpipe ssthresh (octets), rtt rttvar (ms), hopcount; kept and shown."""
        self.locks: tuple[str, ...] = ()
        """Metrics that were locked by hand (BSD rmx_locks)."""
        self.own = False
        """Host route of an address of this node."""

    @property
    def dynamic(self) -> bool:
        """Made by a redirect or by path MTU discovery."""
        return self.expire != 0 or "D" in self.flags


class RoutingTable:
    """All routes of a node."""

    __slots__ = ("_node", "_order", "_tables", "author")

    def __init__(self, node: Node) -> None:
        self._node = node
        self.author = (0, 0)
        """Whose request is being carried out: process and sequence number for `rtsock`; no state."""
        self._tables: dict[int, dict[bytes, Route]] = {}
        self._order: list[int] = []

    def lookup(self, dst: bytes, report: bool = False) -> Route | None:
        """The most specific route for ``dst`` (embedded zone). ``report``: a packet asks, a miss is news (RTM_MISS)."""
        for plen in self._order:
            key = dst if plen == 128 else in6.mask(dst, plen)
            route = self._tables[plen].get(key)
            if route is not None:
                return route
        if report:
            rtsock.missing(self._node, dst)
        return None

    def exact(self, dst: bytes, plen: int) -> Route | None:
        """The route with exactly this destination and length."""
        return self._tables.get(plen, {}).get(dst)

    def add(
        self,
        dst: bytes,
        plen: int,
        iface: Interface,
        *,
        gateway: bytes | None = None,
        flags: str = "U",
        own: bool = False,
        mtu: int = 0,
        expire: int = 0,
        metrics: dict[str, int] | None = None,
        locks: tuple[str, ...] = (),
    ) -> Route:
        """Enter a route, replacing one with the same key. G and H follow from gateway and length."""
        letters = set(flags)
        if gateway is not None and not own:
            letters.add("G")
        if plen == 128:
            letters.add("H")
        route = Route(dst, plen, iface, gateway, "".join(c for c in FLAG_ORDER if c in letters))
        route.own = own
        route.mtu, route.expire, route.locks, route.locked = mtu, expire, locks, "mtu" in locks
        if metrics:
            route.metrics = metrics
        if plen not in self._tables:
            self._tables[plen] = {}
            self._order = sorted(self._tables, reverse=True)
        replaced = dst in self._tables[plen]
        self._tables[plen][dst] = route
        self._node.generation += 1
        redirected = "D" in letters or "M" in letters
        kind = "RTM_REDIRECT" if redirected else ("RTM_CHANGE" if replaced else "RTM_ADD")
        rtsock.route_changed(self._node, kind, route)
        return route

    def delete(self, dst: bytes, plen: int, gateway: bytes | None) -> Route | None:
        """Remove a route (only with that gateway, where one is given); what was removed."""
        table = self._tables.get(plen)
        route = table.get(dst) if table else None
        if table is None or route is None or (gateway is not None and route.gateway != gateway):
            return None
        del table[dst]
        if not table:
            del self._tables[plen]
            self._order = sorted(self._tables, reverse=True)
        self._node.generation += 1
        rtsock.route_changed(self._node, "RTM_DELETE", route)
        return route

    def all(self) -> list[Route]:
        """Every route, default first, then in key order (as the radix tree is walked)."""
        routes = [route for table in self._tables.values() for route in table.values()]
        return sorted(routes, key=lambda route: (route.plen != 0, route.dst, route.plen))

    def host_routes(self) -> list[Route]:
        """The routes to single addresses, in order of adding."""
        return list(self._tables.get(128, {}).values())

    def dynamic_count(self) -> int:
        """Host routes made by redirects and path MTU discovery."""
        return sum(route.dynamic for route in self._tables.get(128, {}).values())

    def drop_dynamic_through(self, gateway: bytes) -> None:
        """Remove host routes that redirects made through a router that is gone (KAME rt6_flush)."""
        for route in list(self._tables.get(128, {}).values()):
            if route.gateway == gateway and "D" in route.flags:
                self.delete(route.dst, 128, gateway)

    def expire(self, now: int) -> None:
        """Remove host routes whose time is over, and path MTUs that others were given."""
        for route in list(self._tables.get(128, {}).values()):
            if route.expire and route.expire <= now:
                self.delete(route.dst, 128, None)
            elif route.mtu_expire and route.mtu_expire <= now:
                route.mtu = route.mtu_expire = 0
                self._node.generation += 1

    def deadlines(self) -> list[int]:
        """When host routes, or their path MTUs, expire, ns since boot."""
        return [at for route in self._tables.get(128, {}).values() for at in (route.expire, route.mtu_expire) if at]
