"""Judging checks: what a lab's author wants to be so, asked of the running lab.

A *judge* is one check at work. It is made when its task begins, remembers what it has read since, and says after an
event whether the check holds and what it saw. Tables, sysctls and counters are read as they stand (`checks_tables`);
packets, drops and commands add up from the task's start (`checks_packets`).

Most judges latch: true once is true for good. ``not`` and whatever has a ``max`` can't: they hold or are broken, up to
the moment when the task passes. In a group (``not``, ``all``, ``any``) the members don't latch, they have to hold at
the same moment; the group does, unless a member can't. Left out: check kinds ``sa`` and ``policy``, which the loader
refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from kamelab.lab import checks_packets, checks_tables, schema
from kamelab.lab.console_show import clock_text
from kamelab.lab.session import Command
from kamelab.sim.topology import Network


class Start(NamedTuple):
    """Where a task began; what lies before does not count."""

    time: int
    """ns since boot."""
    packets: int
    """Frames captured so far, those that were let go included."""
    num: int
    """Number of the last trace record."""
    commands: int
    """Commands given so far."""


class Moment(NamedTuple):
    """What a judge may look at after an event."""

    network: Network
    commands: list[Command]
    """Given since boot, in order."""
    touched: frozenset[str] | None
    """The nodes that something happened to since the last moment; None: perhaps all."""


class Judge(Protocol):
    """One check at work."""

    seen: str
    """What the last judgement found."""
    latches: bool
    """Once true, it need not be asked again."""

    @property
    def broken(self) -> bool:
        """It can't become true any more."""

    def judge(self, moment: Moment) -> bool:
        """Whether the check holds now. To be asked after every event while it matters."""


def is_at_end(spec: schema.Check) -> bool:
    """Judged only when the learner says done: by its own ``at``, or that of a member."""
    return spec.at == "end" or any(is_at_end(one) for one in getattr(spec, "checks", ()))


def judge_of(spec: schema.Check, start: Start) -> Judge:
    """A judge for a check whose task begins at ``start``."""
    match spec:
        case schema.PacketCheck():
            return checks_packets.PacketJudge(spec, start.packets, start.num)
        case schema.DropCheck():
            return checks_packets.DropJudge(spec, start.num)
        case schema.CommandCheck() | schema.OutputCheck():
            return CommandJudge(spec, start.commands)
        case schema.NotCheck():
            return NotJudge([judge_of(one, start) for one in spec.checks], throughout=not is_at_end(spec))
        case schema.AllCheck():
            return GroupJudge([judge_of(one, start) for one in spec.checks], all)
        case schema.AnyCheck():
            return GroupJudge([judge_of(one, start) for one in spec.checks], any)
        case _:
            return TableJudge(spec)


class TableJudge:
    """A check of one node's state as it stands: asked again only after something happened to the node."""

    latches = True
    broken = False

    def __init__(self, spec: Any) -> None:
        self.seen = ""
        self._spec = spec
        self._read = checks_tables.READERS[type(spec)]
        self._last: bool | None = None

    def judge(self, moment: Moment) -> bool:
        """Whether the table shows it now."""
        node = self._spec.node
        if self._last is None or moment.touched is None or node in moment.touched:
            self._last, self.seen = self._read(moment.network, moment.network.nodes[node], self._spec)
        return self._last


class CommandJudge:
    """Commands given since the task's start."""

    latches = True
    broken = False

    def __init__(self, spec: schema.CommandCheck | schema.OutputCheck, start: int) -> None:
        self.seen = "no such command yet"
        self._node = spec.node
        self._status = spec.status
        self._line = re.compile(spec.line)
        self._matches = re.compile(spec.matches, re.MULTILINE) if spec.matches is not None else None
        self._next = start
        self._open: list[tuple[Command, int]] = []
        """Commands that may still fit, with the length of the output that did not."""
        self._found = False

    def judge(self, moment: Moment) -> bool:
        """Whether one of the commands is as wanted; its status counts when it has ended, its output as it comes."""
        for command in moment.commands[self._next :]:
            if (self._node is None or self._node in command.nodes) and self._line.search(command.line):
                self._open.append((command, -1))
        self._next = len(moment.commands)
        if not self._found and self._open:
            still = []
            for command, length in self._open:
                output = command.text if self._node is None else command.output[self._node]
                # Searched again only when there is more of it: a long ping6 prints much.
                if len(output) != length or command.status is not None:
                    self._found = self._found or self._fits(command, output)
                if command.status is None:
                    still.append((command, len(output)))
            self._open = still
        return self._found

    def _fits(self, command: Command, output: str) -> bool:
        if self._matches is not None and not self._matches.search(output):
            self.seen = f"the output of {command.line!r} is another"
            return False
        if self._status is not None and command.status != self._status:
            ended = command.status is not None
            self.seen = f"status {command.status} of {command.line!r}" if ended else f"{command.line!r} still runs"
            return False
        self.seen = command.line
        return True


class GroupJudge:
    """``all`` or ``any``: the members at one moment."""

    def __init__(self, members: list[Judge], combine: Callable[[list[bool]], bool]) -> None:
        self.seen = ""
        self.latches = all(member.latches for member in members)
        self._members = members
        self._combine = combine

    @property
    def broken(self) -> bool:
        """The members that are broken decide it."""
        return not self._combine([not member.broken for member in self._members])

    def judge(self, moment: Moment) -> bool:
        """All members are asked, so that those which add up miss nothing."""
        verdicts = [member.judge(moment) for member in self._members]
        holds = self._combine(verdicts)
        wanted = [one.seen for one, verdict in zip(self._members, verdicts, strict=True) if verdict == holds]
        self.seen = "; ".join(dict.fromkeys(filter(None, wanted)))
        return holds


class NotJudge:
    """``not``: holds as long as none of its members ever did; with ``throughout`` false, as none does now."""

    latches = False

    def __init__(self, members: list[Judge], *, throughout: bool) -> None:
        self.seen = ""
        self.broken = False
        self._members = members
        self._throughout = throughout

    def judge(self, moment: Moment) -> bool:
        """Whether it still holds; says when it was broken."""
        if self.broken:
            return False
        verdicts = [member.judge(moment) for member in self._members]
        if not any(verdicts):
            self.seen = ""
            return True
        what = "; ".join(one.seen for one, verdict in zip(self._members, verdicts, strict=True) if verdict)
        self.seen = f"at {clock_text(moment.network.clock.now)}: {what}"
        self.broken = self._throughout
        return False
