"""What a multicast router knows of one group on one link, and how reports and queries change it (RFC 3810 7, RFC 2710
7).

Version 2's tables; version 1 is the part of them without sources: its Report is IS_EX of nothing, its Done TO_IN of
nothing (RFC 3810 8.3.2). Functions change a `Group` and say what has to be asked; nothing is sent here.

A group is in one of two modes. *Include*: only its sources are wanted, each until its time. *Exclude*: everybody is
wanted but the sources whose time is over, until the group's own time; then it is include with what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kamelab.wire import mld

MAX_SOURCES: Final = 256
"""Sources remembered for a group; with more the group is wanted from everybody."""


@dataclass(frozen=True)
class Times:
    """The protocol's variables, nanoseconds (RFC 3810 9, RFC 2710 7)."""

    robustness: int
    query: int
    """Query Interval."""
    response: int
    """Query Response Interval: the most that listeners wait."""
    last: int
    """Last Listener Query Interval."""

    @property
    def listener(self) -> int:
        """How long a report holds (Multicast Listener Interval)."""
        return self.robustness * self.query + self.response

    @property
    def other_querier(self) -> int:
        """How long another querier counts as present."""
        return self.robustness * self.query + self.response // 2

    @property
    def startup(self) -> int:
        """Between the first queries."""
        return self.query // 4

    @property
    def leaving(self) -> int:
        """How long listeners have to object to a Done (Last Listener Query Time)."""
        return self.robustness * self.last


@dataclass
class Group:
    """One group that somebody on the link listens to. Times are nanoseconds since boot."""

    addr: bytes
    since: int
    exclude: bool = False
    until: int = 0
    """In exclude mode: the filter timer."""
    sources: dict[bytes, int] = field(default_factory=dict)
    """When each source's time is over; in exclude mode those of which it is over already are shut out."""
    reporter: bytes = b""
    """Who reported last."""
    version1_until: int = 0
    """While listeners of version 1 are about (Older Version Host Present Timer)."""
    asks: int = 0
    """Queries about the group that are still to be sent."""
    source_asks: dict[bytes, int] = field(default_factory=dict)
    """Queries about sources that are still to be sent."""
    ask_at: int = 0
    """When the next of them is due."""

    def wanted(self, now: int) -> tuple[bytes, ...]:
        """Sources whose time runs."""
        return tuple(sorted(source for source, until in self.sources.items() if until > now))

    def refused(self, now: int) -> tuple[bytes, ...]:
        """In exclude mode: sources that nobody wants."""
        return tuple(sorted(source for source, until in self.sources.items() if until <= now)) if self.exclude else ()

    def deadline(self) -> int | None:
        """When something of it is over or due; None: never."""
        times = [self.until] if self.exclude else []
        times += [until for until in self.sources.values() if until]
        if self.asks or self.source_asks:
            times.append(self.ask_at)
        return min(times, default=None)


def heard(
    group: Group, kind: int, sources: tuple[bytes, ...], now: int, times: Times
) -> tuple[bool, tuple[bytes, ...]]:
    """Take a record of a report (RFC 3810 7.4).

    What the querier has to ask now: (about the whole group, about these sources).
    """
    if now < group.version1_until:
        if kind == mld.BLOCK:
            return False, ()
        if kind == mld.TO_EX:
            sources = ()
    if len(sources) > MAX_SOURCES and kind in (mld.IS_IN, mld.TO_IN, mld.ALLOW):
        kind, sources = mld.IS_EX, ()
    named = set(sources[:MAX_SOURCES])
    listen = now + times.listener
    ask: set[bytes] = set()
    whole = False
    if not group.exclude:
        have = set(group.sources)
        if kind in (mld.IS_IN, mld.ALLOW, mld.TO_IN):
            if kind == mld.TO_IN:
                ask = have - named
            group.sources.update(dict.fromkeys(sorted(named), listen))
        elif kind in (mld.IS_EX, mld.TO_EX):
            if kind == mld.TO_EX:
                ask = have & named
            group.sources = {source: group.sources.get(source, 0) for source in sorted(named)}
            group.exclude, group.until = True, listen
        elif kind == mld.BLOCK:
            ask = have & named
    else:
        wanted, refused = set(group.wanted(now)), set(group.refused(now))
        if kind in (mld.IS_IN, mld.ALLOW, mld.TO_IN):
            if kind == mld.TO_IN:
                ask, whole = wanted - named, True
            group.sources.update(dict.fromkeys(sorted(named), listen))
        elif kind in (mld.IS_EX, mld.TO_EX):
            fresh = listen if kind == mld.IS_EX else group.until
            if kind == mld.TO_EX:
                ask = named - refused
            group.sources = {source: group.sources.get(source, fresh) for source in sorted(named)}
            group.until = listen
        elif kind == mld.BLOCK:
            ask = named - refused
            for source in sorted(named - wanted - refused):
                group.sources[source] = group.until
    while len(group.sources) > MAX_SOURCES:
        del group.sources[next(iter(group.sources))]
    return whole, tuple(sorted(ask))


def lower(group: Group, sources: tuple[bytes, ...], now: int, limit: int) -> None:
    """A query was sent or heard: who does not answer within ``limit`` ns is gone (RFC 3810 7.6.1, 7.6.3)."""
    if not sources:
        if group.exclude:
            group.until = min(group.until, now + limit)
        return
    for source in sources:
        until = group.sources.get(source, 0)
        if until > now:
            group.sources[source] = min(until, now + limit)


def expire(group: Group, now: int) -> bool:
    """Let go what is over; True while anybody listens (RFC 3810 7.2.2, 7.2.3)."""
    if group.exclude and group.until <= now:
        group.exclude = False
        group.asks = 0
    if not group.exclude:
        group.sources = {source: until for source, until in group.sources.items() if until > now}
    else:
        group.sources = {source: until if until > now else 0 for source, until in group.sources.items()}
    group.source_asks = {source: left for source, left in group.source_asks.items() if source in group.sources}
    return group.exclude or bool(group.sources)
