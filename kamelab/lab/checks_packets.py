"""Judges of packets and drops: they add up from the task's start and read every record once.

A frame counts once, however many interfaces it was seen at: by the record of its sending, which also decides whether it
lies before the task's start. A forwarded packet is a new frame on the next link.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, Any

from kamelab.capture.filter import Filter, compile_filter
from kamelab.capture.packets import PacketView, view
from kamelab.lab.schema import DropCheck, PacketCheck
from kamelab.lab.units import format_duration

if TYPE_CHECKING:
    from kamelab.lab.checks import Moment


class Limits:
    """How many there may be: ``min`` at least, ``max`` at most. Above ``max`` there is no way back."""

    __slots__ = ("least", "most")

    def __init__(self, least: int, most: int | None) -> None:
        self.least = 0 if least == 1 and most == 0 else least
        """``max = 0`` alone means none."""
        self.most = most

    def hold(self, count: int) -> bool:
        """Whether the count is within them."""
        return count >= self.least and (self.most is None or count <= self.most)

    def passed_over(self, count: int) -> bool:
        """Whether it is too many."""
        return self.most is not None and count > self.most

    def say(self, count: int, noun: str) -> str:
        """``2 of 3 packets``; ``4 packets, 3 at most``."""
        if self.passed_over(count):
            return f"{count} {noun}{'s' * (count != 1)}, {self.most} at most"
        if not count:
            return f"no {noun} yet" if self.least else f"no {noun}"
        if count < self.least:
            return f"{count} of {self.least} {noun}s"
        return f"{count} {noun}{'s' * (count != 1)}"


class Border:
    """A side of a packet check: a time, or the first packet that a filter takes. ``before`` and ``after`` are such."""

    __slots__ = ("_filter", "_num", "_time")

    def __init__(self, moment: int | str) -> None:
        self._filter: Filter | None = compile_filter(moment) if isinstance(moment, str) else None
        self._time = moment if isinstance(moment, int) else 0
        self._num: int | None = None

    def reached(self, packet: PacketView, num: int) -> bool:
        """Whether this packet lies behind the border, by its number. The packet that makes the border does not."""
        if self._filter is None:
            return packet.time > self._time
        if self._num is None and self._filter.matches(packet):
            self._num = num
        return self._num is not None and num > self._num


class PacketJudge:
    """Packets that a display filter takes."""

    def __init__(self, spec: PacketCheck, start: int, num: int) -> None:
        """``start``: frames captured before the task, ``num``: the last record before it."""
        self._filter = compile_filter(spec.filter)
        self._node = spec.node
        self._link = spec.link
        self._within = spec.within
        self._before = Border(spec.before) if spec.before is not None else None
        self._after = Border(spec.after) if spec.after is not None else None
        self._limits = Limits(spec.min, spec.max)
        self._next = start
        self._start = num
        self._frames: set[int] = set()
        self._times: deque[int] = deque(maxlen=max(spec.min, 1))
        self._close = self._within is None
        self.latches = spec.max is None
        self.seen = self._limits.say(0, "packet")

    @property
    def broken(self) -> bool:
        """There were too many."""
        return self._limits.passed_over(len(self._frames))

    def judge(self, moment: Moment) -> bool:
        """Read what was captured since, and count."""
        trace = moment.network.trace
        for row in trace.packets[max(0, self._next - trace.lost) :]:
            self._read(moment, row)
        self._next = trace.lost + len(trace.packets)
        count = len(self._frames)
        self.seen = self._limits.say(count, "packet")
        if not self._limits.hold(count):
            return False
        if not self._close and self._within is not None:
            self.seen += f", not within {format_duration(self._within)}"
        return self._close

    def _read(self, moment: Moment, row: tuple[Any, ...]) -> None:
        if self._node is not None and row[2] != self._node:
            return
        packet = view(moment.network, row)
        if self._link is not None and packet.link != self._link:
            return
        # A received frame names the record of its sending as its cause; one from outside the lab has none.
        frame = row[10] if row[6] == "rx" and row[10] else row[0]
        # What comes first is a question of the place: at one node the order there, else that of sending.
        num = frame if self._node is None else row[0]
        late = self._before is not None and self._before.reached(packet, num)
        open_ = self._after is None or self._after.reached(packet, num)
        if late or not open_ or frame <= self._start or frame in self._frames or not self._filter.matches(packet):
            return
        self._frames.add(frame)
        times = self._times
        times.append(packet.time)
        if self._within is not None and len(times) == times.maxlen and times[-1] - times[0] <= self._within:
            self._close = True


class DropJudge:
    """Packets dropped for one reason."""

    def __init__(self, spec: DropCheck, start: int) -> None:
        """``start``: number of the last record before the task."""
        self._reason = spec.reason
        self._node = spec.node
        self._limits = Limits(spec.min, spec.max)
        self._last = start
        self._count = 0
        self.latches = spec.max is None
        self.seen = self._limits.say(0, "drop")

    @property
    def broken(self) -> bool:
        """There were too many."""
        return self._limits.passed_over(self._count)

    def judge(self, moment: Moment) -> bool:
        """Read the records since, and count."""
        trace = moment.network.trace
        records = trace.records
        for row in records[bisect_left(records, (self._last + 1,)) :]:
            if row[6] == "drop" and row[7] == self._reason and (self._node is None or row[2] == self._node):
                self._count += 1
        self._last = trace.num
        self.seen = self._limits.say(self._count, "drop")
        return self._limits.hold(self._count)
