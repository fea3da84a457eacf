"""Small state records of the kernel that belong to no single protocol file; they import no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kamelab.core.timers import Timer

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface


class Filter(NamedTuple):
    """A source filter of one member, or of an interface (RFC 3810 2): everything but, or nothing but, ``sources``.

    Sources are sorted, without zone. Excluding nothing is an ordinary membership; including nothing is none.
    """

    exclude: bool
    sources: tuple[bytes, ...] = ()

    def passes(self, source: bytes) -> bool:
        """Whether packets from ``source`` are wanted."""
        return (source in self.sources) != self.exclude


class Group:
    """Membership of an interface in a multicast group (KAME ``struct in6_multi``)."""

    __slots__ = ("addr", "asked", "filter", "last_reporter", "refs", "reports", "state", "timer")

    def __init__(self, addr: bytes, state: str) -> None:
        self.addr = addr
        self.refs: dict[Filter, int] = {}
        """Who has joined, by what they want to hear."""
        self.filter = Filter(False)
        """What all of them together want to hear."""
        self.state = state
        """A state of `mld6_state`."""
        self.timer: Timer | None = None
        """When the next report is due (RFC 2710 4)."""
        self.reports = 0
        """Unsolicited reports still to be sent."""
        self.last_reporter = False
        self.asked: tuple[bytes, ...] = ()
        """Sources that a version 2 query asked about; empty: about the whole group (RFC 3810 6.2)."""

    @property
    def refcnt(self) -> int:
        """Members: addresses, the kernel, sockets."""
        return sum(self.refs.values())


class Change:
    """What the routers still have to be told about a group's filter (RFC 3810 6.1)."""

    __slots__ = ("mode", "sources")

    def __init__(self) -> None:
        self.mode = 0
        """How often the filter's mode is to be sent yet."""
        self.sources: dict[bytes, int] = {}
        """How often each source is to be sent yet."""


class MldLink:
    """What an interface knows of multicast listener discovery beside its groups (RFC 3810 6, 8.2)."""

    __slots__ = ("change_timer", "changes", "general", "interval", "older", "robustness")

    def __init__(self) -> None:
        self.older: Timer | None = None
        """Runs while a querier of version 1 counts as present."""
        self.general: Timer | None = None
        """When the answer to a general query of version 2 is due."""
        self.changes: dict[bytes, Change] = {}
        self.change_timer: Timer | None = None
        """When they are sent again."""
        self.robustness = 2
        self.interval = 125
        """Both as the querier said; the interval in seconds."""


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
