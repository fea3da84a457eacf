"""Virtual time and the event heap.

Time is an ``int`` of nanoseconds since boot. The heap holds two kinds of entry, both beginning with (time, order
number): a timer (`timers.Timer`) or a frame on its way to an interface. Order numbers are given when a thing is armed
or sent, so that equal times run in the order of their creation. Nothing ticks: an idle lab has an almost empty heap.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappush
from typing import Any

NS = 1
US = 1_000
MS = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 86400 * SECOND

DEFAULT_EPOCH = 950_522_400 * SECOND
"""2000-02-14T10:00:00Z in nanoseconds since 1970: what a lab's clock shows at boot."""


class Clock:
    """The one clock of a lab.

    ``busy`` counts armed timers that are work to come (not lifetimes, not unreachability ageing), ``flight`` the frames
    on their way: the lab is idle when both are 0 and no task is ready. ``dead`` counts heap entries that nothing will
    come of (`timers.Timer`).
    """

    __slots__ = ("busy", "dead", "epoch", "events", "flight", "heap", "now", "order", "ready")

    def __init__(self, epoch: int = DEFAULT_EPOCH) -> None:
        self.now = 0
        self.order = 0
        self.events = 0
        self.busy = 0
        self.dead = 0
        self.flight = 0
        self.epoch = epoch
        self.heap: list[tuple[Any, ...]] = []
        self.ready: deque[tuple[Any, str, tuple[Any, ...], int, int]] = deque()

    def send(self, at: int, interface: Any, frame: bytes, cause: int, looped: bool = False) -> None:
        """Let ``frame`` arrive at ``interface`` at time ``at``; ``cause`` is the number of the record that sent it."""
        self.order += 1
        self.flight += 1
        heappush(self.heap, (at, self.order, interface, frame, cause, looped))

    def soon(self, owner: Any, method: str, args: tuple[Any, ...], cause: int, also: int) -> None:
        """Call ``owner.method(*args)`` after the running handler, in order, under the given causes."""
        self.ready.append((owner, method, args, cause, also))

    def forget(self, interface: Any) -> None:
        """Frames on their way to ``interface`` find nobody there: its node was switched off."""
        kept = [entry for entry in self.heap if entry[2] is not interface]
        self.flight -= len(self.heap) - len(kept)
        self.heap[:] = kept
        heapify(self.heap)

    def wall(self) -> int:
        """Lab time in nanoseconds since 1970."""
        return self.epoch + self.now
