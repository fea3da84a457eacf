"""The lesson of a session: which task is on, what its checks have seen, what has passed.

Checks are judged after every event from their task's start and latch when they are true; those with ``at = "end"`` are
judged when the learner says done. A task passes when all its checks do, and the next one begins at that moment.

Nothing here is saved: the state follows from the events, so that going back over a pass takes it back. To say done is
an input of the journal for that reason. Only the active task's open checks are judged, and those that read a node's
tables only after events that concern the node; a lab without tasks pays nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Literal

from kamelab.lab import schema
from kamelab.lab.checks import Judge, Moment, Start, is_at_end, judge_of
from kamelab.lab.checks_text import describe
from kamelab.lab.journal import Entry
from kamelab.lab.session import Session

DONE = "check"
"""What the journal holds where the learner said done."""

Status = Literal["waiting", "active", "passed"]


class CheckState:
    """One check of the active or a passed task."""

    __slots__ = ("_judge", "at_end", "broken", "passed", "seen", "spec")

    def __init__(self, spec: schema.Check) -> None:
        self.spec = spec
        self.at_end = is_at_end(spec)
        """Judged only when the learner says done."""
        self.passed = False
        """It holds: for good, or (``not``, and a packet check with ``max``) so far."""
        self.broken = False
        """It can't hold any more in this run: go back, or reset."""
        self.seen = ""
        """What was found in its place when it was last judged; empty before."""
        self._judge: Judge | None = None

    @property
    def label(self) -> str:
        """The author's ``pass`` or ``fail`` sentence, else one made from the check's keys."""
        own = self.spec.pass_ if self.passed else self.spec.fail
        return own or describe(self.spec)

    @property
    def mark(self) -> str:
        """``x`` holds, blank not yet, ``!`` broken."""
        return "x" if self.passed else "!" if self.broken else " "

    def begin(self, start: Start) -> None:
        """Forget everything; look at what comes from ``start`` on."""
        self.passed = self.broken = False
        self.seen = "judged when you say check" if self.at_end else ""
        self._judge = judge_of(self.spec, start)

    def state(self) -> tuple[bool, bool, str, Judge | None]:
        """What was judged so far."""
        return self.passed, self.broken, self.seen, self._judge

    def resume(self, state: tuple[bool, bool, str, Judge | None]) -> None:
        """Take up what `state` gave."""
        self.passed, self.broken, self.seen, self._judge = state

    def look(self, moment: Moment, end: bool) -> bool:
        """Judge, unless that was settled; whether anything changed that a reader sees."""
        judge = self._judge
        if judge is None or (self.passed and judge.latches and not self.at_end) or (self.at_end and not end):
            return False
        before = (self.passed, self.broken, self.seen)
        self.passed = judge.judge(moment)
        self.broken = judge.broken
        self.seen = judge.seen
        return before != (self.passed, self.broken, self.seen)


class TaskState:
    """One task of the lesson."""

    __slots__ = ("checks", "hints_given", "number", "passed_at", "spec", "started_at", "status")

    def __init__(self, number: int, spec: schema.Task) -> None:
        self.number = number
        """From 1."""
        self.spec = spec
        """Title, text (Markdown), hints, solution."""
        self.status: Status = "waiting"
        self.checks = tuple(CheckState(check) for check in spec.checks)
        self.hints_given = 0
        """How many of the hints the learner has seen."""
        self.started_at: int | None = None
        self.passed_at: int | None = None
        """ns since boot."""

    @property
    def waits_for_done(self) -> bool:
        """It passes only when the learner says done: it has such a check, or none at all."""
        return not self.checks or any(check.at_end for check in self.checks)

    @property
    def passed(self) -> bool:
        """All checks held."""
        return self.status == "passed"

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints that the learner has seen."""
        return self.spec.hints[: self.hints_given]


class Tasks:
    """The lesson of a session, always up to date with its position."""

    def __init__(self, session: Session, specs: Sequence[schema.Task] | None = None, *, quiet: bool = False) -> None:
        """Follow a session from now on; ``specs`` in place of the lab's own tasks; ``quiet`` says nothing on a pass."""
        self._session = session
        self._quiet = quiet
        self.states = tuple(
            TaskState(number, spec) for number, spec in enumerate(session.lab.tasks if specs is None else specs, 1)
        )
        """In order; empty for a lab without tasks."""
        self.version = 0
        """Goes up with every change that a reader sees."""
        self._cursor = 0
        self._packets = 0
        self._num = 0
        self._news: list[str] = []
        if self.states:
            session.watchers.append(self._after_event)
            session.rebuilt.append(self._restart)
            self._restart(session)

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def active(self) -> TaskState | None:
        """The task that is on; None when all have passed, or there are none."""
        return next((task for task in self.states if task.status == "active"), None)

    @property
    def passed(self) -> int:
        """How many tasks have passed."""
        return sum(task.passed for task in self.states)

    @property
    def finished(self) -> bool:
        """All tasks have passed, and there are some."""
        return bool(self.states) and self.passed == len(self.states)

    # -- what the learner does ---------------------------------------------------------------------------------------

    def hint(self) -> str | None:
        """The next hint of the active task; None when there is none left."""
        task = self.active
        if task is None or task.hints_given >= len(task.spec.hints):
            return None
        task.hints_given += 1
        self.version += 1
        return task.spec.hints[task.hints_given - 1]

    def say_done(self) -> bool:
        """The learner says done with the active task: judges its ``at = "end"`` checks; whether it passed by that.

        An input of the session where the task waits for it, else nothing happens: then every event is judged anyway.
        """
        task = self.active
        if task is None or not task.waits_for_done:
            return False
        session = self._session
        session.input(Entry(session.now, session.events, "console", "", DONE))
        return task.passed

    # -- following the session ---------------------------------------------------------------------------------------

    def _restart(self, session: Session) -> None:
        """The world was built anew: everything waits, and the first task begins."""
        for task in self.states:
            task.status = "waiting"
            task.started_at = task.passed_at = None
            for check in task.checks:
                check.begin(Start(0, 0, 0, 0))
            if not session.journal:
                task.hints_given = 0
        self._cursor = self._packets = self._num = 0
        self._news = []
        self.version += 1
        self._begin(session, Start(0, 0, 0, 0))

    def state(self) -> Any:
        """All that a position holds of the lesson, for a checkpoint; to be copied by whoever keeps it."""
        tasks = [
            (task.status, task.started_at, task.passed_at, [check.state() for check in task.checks])
            for task in self.states
        ]
        return tasks, self._cursor, self._packets, self._num, self._news

    def resume(self, state: Any) -> None:
        """Take up what `state` gave."""
        tasks, self._cursor, self._packets, self._num, self._news = state
        for task, (status, started, passed, checks) in zip(self.states, tasks, strict=True):
            task.status, task.started_at, task.passed_at = status, started, passed
            for check, kept in zip(task.checks, checks, strict=True):
                check.resume(kept)
        self.version += 1

    def _begin(self, session: Session, start: Start) -> None:
        """The first waiting task becomes active; what is already so counts at once."""
        task = next((task for task in self.states if task.status == "waiting"), None)
        if task is None:
            return
        task.status = "active"
        task.started_at = session.now
        for check in task.checks:
            check.begin(start)
        self._look(session, task, Moment(session.world.network, session.commands, None), end=False)

    def _after_event(self, session: Session) -> None:
        """Every event of the session comes by here."""
        end = session.cursor > self._cursor and self._said_done(session)
        self._cursor = session.cursor
        touched = self._touched(session)
        task = self.active
        if task is not None:
            self._look(session, task, Moment(session.world.network, session.commands, touched), end)
        # Not in the midst of a program's line.
        if self._news and session.foreground is None:
            session.say("message", "".join(self._news))
            self._news = []

    def _said_done(self, session: Session) -> bool:
        entry = session.journal[session.cursor - 1]
        return entry.kind == "console" and entry.text == DONE

    def _touched(self, session: Session) -> frozenset[str] | None:
        """The nodes that the last event concerned, by the records that it left; None: perhaps all."""
        trace = session.world.network.trace
        row = max(0, self._packets - trace.lost)
        names = {one[2] for one in trace.packets[row:]}
        self._packets = trace.lost + len(trace.packets)
        if trace.keep:
            records = trace.records
            names.update(one[2] for one in records[bisect_left(records, (self._num + 1,)) :])
        self._num = trace.num
        return frozenset(names) if trace.keep and names and "" not in names else None

    def _look(self, session: Session, task: TaskState, moment: Moment, end: bool) -> None:
        """Judge the task's open checks, and let it pass when all hold."""
        for check in task.checks:
            if check.look(moment, end):
                self.version += 1
        if not all(check.passed for check in task.checks) or (task.waits_for_done and not end):
            return
        task.status = "passed"
        task.passed_at = session.now
        self.version += 1
        trace = session.world.network.trace
        self._say(session, task)
        self._begin(session, Start(session.now, trace.lost + len(trace.packets), trace.num, len(session.commands)))

    def _say(self, session: Session, task: TaskState) -> None:
        """The news of a pass, for when no program holds the console."""
        if self._quiet or session.replaying:
            return
        total = len(self.states)
        text = f"task {task.number} of {total} passed: {task.spec.title}\n"
        if task.number == total:
            text += "that was the last task of the lab\n"
        else:
            text += f"next is task {task.number + 1}: {self.states[task.number].spec.title} (type task to read it)\n"
        self._news.append(text)
