"""Small state records of the kernel that belong to no single protocol file; they import no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.timers import Timer

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface


class Group:
    """Membership of an interface in a multicast group (KAME ``struct in6_multi``)."""

    __slots__ = ("addr", "last_reporter", "refcnt", "reports", "timer")

    def __init__(self, addr: bytes) -> None:
        self.addr = addr
        self.refcnt = 1
        self.timer: Timer | None = None
        """When the next report is due (RFC 2710 4)."""
        self.reports = 0
        """Unsolicited reports still to be sent."""
        self.last_reporter = False


class Prefix:
    """One entry of the prefix list (KAME ``struct nd_prefix``). ``prefix`` carries the embedded zone."""

    __slots__ = (
        "autonomous",
        "detached",
        "iface",
        "installed",
        "onlink",
        "plen",
        "pltime",
        "prefix",
        "refcnt",
        "routers",
        "static",
        "updated",
        "vltime",
    )

    def __init__(self, iface: Interface, prefix: bytes, plen: int) -> None:
        self.iface = iface
        self.prefix = prefix
        self.plen = plen
        self.onlink = True
        """The L flag."""
        self.autonomous = True
        """The A flag."""
        self.installed = False
        """Its on-link route is in the table: the O flag."""
        self.detached = False
        self.vltime = 0xFFFFFFFF
        self.pltime = 0xFFFFFFFF
        self.updated = 0
        self.refcnt = 0
        self.routers: list[bytes] = []
        """Advertising routers, embedded addresses."""
        self.static = False
        """Made by an address that was set by hand: never expires, never detached."""


class Router:
    """One entry of the default router list (KAME ``struct nd_defrouter``)."""

    __slots__ = ("addr", "expire", "iface", "installed", "lifetime", "managed", "other", "preference")

    def __init__(self, iface: Interface, addr: bytes) -> None:
        self.iface = iface
        self.addr = addr
        self.lifetime = 0
        self.expire = 0
        """ns since boot."""
        self.preference = 0
        """1 high, 0 medium, -1 low (RFC 4191)."""
        self.managed = False
        self.other = False
        self.installed = False
