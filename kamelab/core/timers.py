"""Timers as data: owner, method name, plain arguments. They can be listed, cancelled, saved and read by people.

A timer has at most one live heap entry. A deadline that moves later leaves the entry where it is and moves it when it
comes up; one that moves earlier makes the old entry stale. An early or stale entry is no event; stale entries and
those of cancelled timers are counted, and swept out when they outweigh the live ones.
"""

from __future__ import annotations

from heapq import heapify, heappush
from typing import Any

from kamelab.core.clock import Clock

DEAD_LIMIT = 256
"""Dead heap entries that are left alone."""


class Timer:
    """One timer. ``at`` is its deadline in nanoseconds since boot, None while it is not armed.

    ``ageing`` marks lifetimes and unreachability ageing: they do not keep a lab from being idle.
    ``cause`` is the number of the trace record under which it was armed.
    """

    __slots__ = ("ageing", "args", "at", "cause", "clock", "entry", "entry_at", "method", "order", "owner")

    def __init__(
        self, clock: Clock, owner: Any, method: str, args: tuple[Any, ...] = (), *, ageing: bool = False
    ) -> None:
        self.clock = clock
        self.owner = owner
        self.method = method
        self.args = args
        self.ageing = ageing
        self.at: int | None = None
        self.order = 0
        self.cause = 0
        self.entry = 0
        self.entry_at = 0

    def arm(self, at: int, cause: int = 0, *, ageing: bool | None = None) -> None:
        """Set the deadline (ns since boot), replacing any earlier one."""
        clock = self.clock
        if self.at is not None:
            if not self.ageing:
                clock.busy -= 1
        elif self.entry:
            # The entry that cancelling left behind serves again.
            clock.dead -= 1
        if ageing is not None:
            self.ageing = ageing
        if not self.ageing:
            clock.busy += 1
        clock.order += 1
        self.order = clock.order
        self.cause = cause
        at = max(at, clock.now)
        self.at = at
        if self.entry:
            if self.entry_at <= at:
                return
            clock.dead += 1
        self.entry = self.order
        self.entry_at = at
        heappush(clock.heap, (at, self.order, self))
        if clock.dead > DEAD_LIMIT and clock.dead * 2 > len(clock.heap):
            _sweep(clock)

    def cancel(self) -> None:
        """Disarm; nothing happens where it was not armed."""
        if self.at is not None:
            if not self.ageing:
                self.clock.busy -= 1
            self.at = None
            if self.entry:
                self.clock.dead += 1

    def live(self, order: int) -> bool:
        """Whether the heap entry ``order`` stands at this timer's deadline: when it comes up, the timer fires."""
        return order == self.entry and order == self.order and self.at is not None

    def due(self, order: int) -> bool:
        """For the loop, of a popped entry: True when the timer fires now; moves or forgets the entry otherwise."""
        if order != self.entry:
            self.clock.dead -= 1
            return False
        self.entry = 0
        if self.at is None:
            self.clock.dead -= 1
            return False
        if self.order != order:
            self.entry = self.order
            self.entry_at = self.at
            heappush(self.clock.heap, (self.at, self.order, self))
            return False
        if not self.ageing:
            self.clock.busy -= 1
        self.at = None
        return True


def _sweep(clock: Clock) -> None:
    """Take all dead entries off the heap. What is left keeps its order: (time, order number) is never equal."""
    kept = []
    for entry in clock.heap:
        timer = entry[2]
        if isinstance(timer, Timer):
            if entry[1] != timer.entry:
                continue
            if timer.at is None:
                timer.entry = 0
                continue
        kept.append(entry)
    clock.heap[:] = kept
    heapify(clock.heap)
    clock.dead = 0
