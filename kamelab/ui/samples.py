"""Figures over virtual time for sparklines: counters of the nodes, and the windows of their TCP connections.

The lab itself keeps no history of counters. While somebody looks, figures are noted after every `STRIDE` events, at
least `SPACING` apart; when `LIMIT` samples are there the older half of them is thinned out, so that a long run costs no
more than a short one. A sample holds what differs from the one before. Going back cuts off what lies ahead.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from kamelab.core.clock import MS
from kamelab.lab.session import Session
from kamelab.stack.node import Node

STRIDE = 4
"""Events between two samples."""
SPACING = 2 * MS
"""Least virtual time between two samples, ns."""
LIMIT = 400
"""Samples kept."""
NODES = 24
"""Nodes looked at in a lab; beyond so many only the selected one."""
TICKS = "▁▂▃▄▅▆▇█"
Series = list[tuple[int, int]]
"""(time, value) at which a figure changed, oldest first; ns since boot."""


class Sample(NamedTuple):
    """What had changed by a moment."""

    time: int
    """ns since boot."""
    values: dict[tuple[str, str], int]
    """(node, name) and the value: counters by their names, ``cwnd.7`` and ``ssthresh.7`` of the socket 7."""


def figures(node: Node) -> dict[str, int]:
    """The counters of a node, and ``cwnd.7``, ``ssthresh.7`` of the socket 7; 0 for a threshold not met yet."""
    values = node.counters()
    for so in node.sockets.values():
        tcb = so.tcb
        if tcb is not None and tcb.cwnd:
            values[f"cwnd.{so.sid}"] = tcb.cwnd
            values[f"ssthresh.{so.sid}"] = tcb.ssthresh if tcb.ssthresh < 1 << 30 else 0
    return values


class Samples:
    """Notes figures of a session while it is watched."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.samples: list[Sample] = []
        self._known: dict[str, dict[str, int]] = {}
        self._world: object = None
        self._due = 0
        session.watchers.append(self._event)
        self._note()

    @property
    def since(self) -> int:
        """From when on something is known, ns since boot."""
        return self.samples[0].time if self.samples else self.session.now

    def close(self) -> None:
        """Note no more."""
        if self._event in self.session.watchers:
            self.session.watchers.remove(self._event)

    # -- noting ------------------------------------------------------------------------------------------------------

    def _event(self, session: Session) -> None:
        if session.world is not self._world:
            self._cut()
        if session.now >= self._due and not session.events % STRIDE:
            self._note()

    def _note(self) -> None:
        """Note what is now."""
        session = self.session
        nodes = session.world.network.nodes
        found: dict[tuple[str, str], int] = {}
        for name in nodes if len(nodes) <= NODES else (session.selected,):
            values = figures(nodes[name])
            known = self._known.get(name, {})
            if values != known:
                self._known[name] = values
                for what, value in values.items():
                    if known.get(what) != value:
                        found[name, what] = value
        if found or not self.samples:
            self.samples.append(Sample(session.now, found))
            if len(self.samples) > LIMIT:
                self._thin()
        self._world = session.world
        self._due = session.now + SPACING

    def _cut(self) -> None:
        """The world is another one, at an earlier time: forget what lies ahead, and what was known by then."""
        now = self.session.now
        self._world = self.session.world
        self.samples = [sample for sample in self.samples if sample.time <= now]
        self._known = {}
        for sample in self.samples:
            for (name, what), value in sample.values.items():
                self._known.setdefault(name, {})[what] = value
        self._due = 0

    def _thin(self) -> None:
        """Make one of each two samples of the older half."""
        half = LIMIT // 2
        old, new = self.samples[:half], self.samples[half:]
        merged = [Sample(b.time, {**a.values, **b.values}) for a, b in zip(old[::2], old[1::2], strict=True)]
        self.samples = merged + new

    # -- reading -----------------------------------------------------------------------------------------------------

    def all_series(self, node: str) -> dict[str, Series]:
        """The figures of a node by name, as they were and as they are now."""
        if self.session.world is not self._world:
            self._cut()
        now = self.session.now
        found: dict[str, Series] = {}
        for time, values in self.samples:
            for (where, name), value in values.items():
                if where == node and time <= now:
                    found.setdefault(name, []).append((time, value))
        for name, value in figures(self.session.world.network.nodes[node]).items():
            series = found.setdefault(name, [])
            if not series or series[-1][1] != value:
                series.append((now, value))
        return found


def rates(series: Sequence[tuple[int, int]], begin: int, end: int, buckets: int, since: int = 0) -> list[int]:
    """By how much a counter grew in each of so many equal parts of a span of time, ns since boot.

    What it stood at ``since`` when somebody began to look did not grow then, unless that was at boot.
    """
    grown = [0] * buckets
    width = max(1, end - begin)
    before = 0
    for time, value in series:
        first = time <= since and since > 0
        if begin <= time <= end and not first:
            grown[min(buckets - 1, (time - begin) * buckets // width)] += max(0, value - before)
        before = value
    return grown


def levels(series: Sequence[tuple[int, int]], begin: int, end: int, buckets: int) -> list[int]:
    """The value of a figure at the end of each of so many equal parts of a span of time; 0 before its first."""
    times = [time for time, _ in series]
    width = max(1, end - begin)
    out = []
    for bucket in range(buckets):
        at = bisect_left(times, begin + width * (bucket + 1) // buckets + 1)
        out.append(series[at - 1][1] if at else 0)
    return out


def spark(values: Sequence[int]) -> str:
    """A cell for each value, as high as it is against the greatest; a blank for 0."""
    top = max(values, default=0)
    if top <= 0:
        return " " * len(values)
    return "".join(TICKS[max(0, -(-value * len(TICKS) // top) - 1)] if value > 0 else " " for value in values)
