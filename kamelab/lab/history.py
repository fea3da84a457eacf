"""The way back without replaying all of it: checkpoints along a session's past.

The first step back replays from boot, and from then on the session leaves a checkpoint every `INTERVAL` events; the
next step back starts at the nearest one. Nobody who never goes back pays for this. Replay defines what is right: where
a checkpoint can't be used (frames were let go since, a link ends in the outside world) the lab is replayed from boot.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from kamelab.lab import checkpoint

if TYPE_CHECKING:
    from kamelab.core.trace import Trace
    from kamelab.lab.build import World
    from kamelab.lab.session import Session

INTERVAL = 1000
"""Events between two checkpoints."""
MOST = 48
"""Checkpoints kept; when there are more, every other one goes and the distance doubles."""
BUDGET = 128 * 1024 * 1024
"""Octets that all checkpoints may take."""


class _Place(NamedTuple):
    """One position that can be taken up again."""

    events: int
    time: int
    """ns since boot."""
    cursor: int
    world: bytes
    beside: Any
    """What the session keeps beside the world, copied in one go so that shared objects stay shared."""
    packets: int
    """Rows of the trace at that time, with what identifies their first ones."""
    records: int
    first: int
    lost: int
    octets: int
    ends: dict[int, int]


def _first(trace: Trace) -> int:
    return int(trace.records[0][0]) if trace.records else 0


class History:
    """The checkpoints of one session."""

    __slots__ = ("_interval", "_places", "on")

    def __init__(self) -> None:
        self.on = False
        """Somebody has gone back: leave checkpoints."""
        self._interval = INTERVAL
        self._places: list[_Place] = []

    def forget(self, events: int = -1) -> None:
        """Drop what lies behind position ``events``; all of it by default."""
        self._places = [place for place in self._places if place.events <= events]

    def leave(self, session: Session) -> None:
        """Leave a checkpoint here, where the last one is far enough behind. To be called between two events."""
        if session.ports:
            return
        last = self._places[-1].events if self._places else 0
        if session.events - last < self._interval:
            return
        world = session.world
        trace = world.network.trace
        self._places.append(
            _Place(
                session.events,
                session.now,
                session.cursor,
                checkpoint.take(world),
                deepcopy(session.beside()),
                len(trace.packets),
                len(trace.records),
                _first(trace),
                trace.lost,
                trace.octets,
                dict(trace.ends),
            )
        )
        while len(self._places) > MOST or sum(len(place.world) for place in self._places) > BUDGET:
            if len(self._places) == 1:
                self._places.clear()
                return
            del self._places[::2]
            self._interval *= 2

    def nearest(self, session: Session, events: int, time: int | None) -> tuple[World, Any, int] | None:
        """The world of the last checkpoint not behind a position, what was beside it, and its cursor; None: replay.

        The trace is cut back to what it held then. Checkpoints behind the position are dropped: the rows of the trace
        that belong to them go.
        """
        self.forget(events)
        trace = session.world.network.trace
        while self._places:
            place = self._places[-1]
            usable = trace.lost == place.lost and len(trace.packets) >= place.packets
            usable = usable and len(trace.records) >= place.records and (_first(trace) == place.first)
            if usable and (time is None or place.time <= time):
                break
            self._places.pop()
        else:
            return None
        world = checkpoint.restore(place.world)
        fresh = world.network.trace
        fresh.packets = trace.packets[: place.packets]
        fresh.records = trace.records[: place.records]
        fresh.budget, fresh.limit = trace.budget, trace.limit
        fresh.lost, fresh.octets, fresh.ends = place.lost, place.octets, dict(place.ends)
        return world, deepcopy(place.beside), place.cursor
