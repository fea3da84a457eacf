"""Lanes: what a limit of speed does to frames that share a wire, and the queue before it.

A lane carries a frame at a time. A frame's turn comes when those before it are through; serialisation delay is rounded
down with the remainder carried on, so that no rate drifts. With a limit of the queue a frame that finds it full is
refused (BSD's ``if_snd.ifq_maxlen``, there of an interface, here of the wire).
"""

from __future__ import annotations

from collections import deque

from kamelab.core.clock import SECOND


class Lane:
    """One direction of a wire. Plain state; times are ns since boot."""

    __slots__ = ("busy_until", "leaving", "remainder")

    def __init__(self) -> None:
        self.busy_until = 0
        self.remainder = 0
        self.leaving: deque[int] = deque()
        """When the frames that it holds are through, where the queue is limited; those of the past go at the next."""

    def take(self, now: int, octets: int, bandwidth: int, limit: int) -> int:
        """When a frame of ``octets`` that comes ``now`` is through, at ``bandwidth`` bits per second; -1: no room.

        ``limit`` is how many frames the lane holds, the one on the wire among them; 0: any number.
        """
        leaving = self.leaving
        if limit:
            while leaving and leaving[0] <= now:
                leaving.popleft()
            if len(leaving) >= limit:
                return -1
        total = octets * 8 * SECOND + self.remainder
        self.remainder = total % bandwidth
        begin = self.busy_until if self.busy_until > now else now
        end = self.busy_until = begin + total // bandwidth
        if limit:
            leaving.append(end)
        return end

    def state(self) -> tuple[int, int, tuple[int, ...]]:
        """All of it, for the digest."""
        return self.busy_until, self.remainder, tuple(self.leaving)
