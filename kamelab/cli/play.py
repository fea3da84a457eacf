"""Playing console lines without a screen: one line from its start to its end, and what is shown meanwhile.

`drive` runs as fast as possible, for scripts and pipes; `Live` lets virtual time follow the wall's clock, for line
mode on a terminal. Both let ^C of the user reach the foreground program as a journaled input.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from kamelab.cli.main import EXIT_FAILED, EXIT_FAULT, EXIT_WARNINGS, FAULT_WORDS
from kamelab.cli.options import err
from kamelab.cli.writer import Writer
from kamelab.core.clock import SECOND
from kamelab.lab.console import submit
from kamelab.lab.session import STATUS_TIMEOUT, Session

STATUS_INTERRUPTED = 130
SLICE = 500
"""Events between two looks at ^C while no program is in the foreground."""
TICK = 0.05
"""Wall seconds that pass at most between two looks at ^C and the keyboard."""


class Interrupts:
    """Counts ^C while it is entered, in place of raising KeyboardInterrupt in the midst of an event.

    The third one raises it after all: something hangs.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.stopped = False
        """Time had to stop before its goal: a second ^C, or a first one that no program could take."""
        self._heeded = 0
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        # Only a process's main thread may handle signals; elsewhere ^C is somebody else's affair.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._count)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _count(self, number: int, frame: FrameType | None) -> None:
        self.seen += 1
        if self.seen > 2:
            raise KeyboardInterrupt

    def heed(self, session: Session) -> bool:
        """Pass a new ^C on to the foreground program; whether time has to stop."""
        if self.seen > self._heeded:
            self._heeded = self.seen
            self.stopped = self.seen > 1 or not session.interrupt()
        if self.stopped:
            session.goal = None
        return self.stopped


Drive = Callable[[Session, Interrupts, Callable[[], None]], None]
"""Runs to the session's goal; the callable shows what is there to show."""


def drive(session: Session, interrupts: Interrupts, show: Callable[[], None]) -> None:
    """Run to the goal as fast as possible. A program that reads the terminal gets an end of file: nobody types."""
    while True:
        session.feed_eof()
        # Event by event, or the end of file would come after whatever happens next.
        reached = session.advance(1 if session.foreground is not None else SLICE)
        show()
        if reached:
            return
        if interrupts.heed(session):
            return


class Live:
    """Runs to the goal at ``factor`` virtual seconds a wall second, 0 meaning as fast as possible.

    Calling it is a `Drive`. What is typed goes to the foreground program while it reads its terminal.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def __call__(self, session: Session, interrupts: Interrupts, show: Callable[[], None]) -> None:
        began, from_time = time.monotonic(), session.now
        while True:
            until = None
            if self.factor:
                until = from_time + int((time.monotonic() - began) * self.factor * SECOND)
            if not self.factor and session.typing_awaited():
                until = session.now
            reached = session.advance(1 if session.foreground is not None else SLICE, until)
            show()
            if reached:
                return
            if interrupts.heed(session):
                return
            behind = session.now < until if until is not None else not session.typing_awaited()
            self._wait(session, session.reading_nodes(), 0.0 if behind else self._pause(session))

    def _pause(self, session: Session) -> float:
        """Wall seconds to wait for the next event."""
        after = session.world.network.next_event_at()
        if after is None or not self.factor:
            return TICK
        return min(TICK, max(0.0, (after - session.now) / SECOND / self.factor))

    def _wait(self, session: Session, readers: list[str], seconds: float) -> None:
        """Let wall time pass, at most until a line is typed for a program that wants one."""
        if not readers:
            if seconds:
                time.sleep(seconds)
            return
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        if not ready:
            return
        typed = os.read(sys.stdin.fileno(), 4096)
        for node in readers:
            if typed:
                session.type_text(node, typed.decode(errors="replace"))
            else:
                session.end_of_file(node)


class Done(NamedTuple):
    """How a console line ended."""

    status: int
    action: str
    """``quit``, ``pause`` or ``speed X``, for who called."""
    failed: bool
    """It did not do its work; a mere warning is none."""


class Player:
    """Plays console lines on a session, gives what comes out to a writer, and keeps the score."""

    def __init__(self, session: Session, writer: Writer, run: Drive = drive) -> None:
        self.session = session
        self.writer = writer
        self.run = run
        self.failed: list[tuple[int, int]] = []
        """(line number, status) of the lines that failed."""
        self.warned = False
        self.faults: dict[str, None] = {}
        """Tracebacks of programs that broke: faults of kamelab's own."""

    def opened(self) -> None:
        """Show what opening had to say; kamelab's own words there are warnings (a session of another version)."""
        for chunk in self.session.take_output():
            self.warned = self.warned or chunk.kind == "message"
            self.writer.chunk(chunk)

    def play(self, line: str, number: int, interrupts: Interrupts) -> Done:
        """Run one line to its end, or to the user's second ^C."""
        self.writer.begin(self.session, line)
        outcome = submit(self.session, line)
        self.show()
        status = outcome.status
        if status is None:
            self.run(self.session, interrupts, self.show)
            status = 0 if outcome.command is None else outcome.command.status
            if status is None:
                # Not waited for: the user's second ^C, or events without end at one instant.
                status = 128 + signal.SIGINT if interrupts.stopped else STATUS_TIMEOUT
        # A console command that did its work, but not quite: `export` without all frames.
        warned = outcome.command is None and status == EXIT_WARNINGS
        if warned:
            self.warned = True
        elif status:
            self.failed.append((number, status))
        self._end(status)
        # One that came too late for this line.
        interrupts.heed(self.session)
        return Done(status, outcome.action, bool(status) and not warned)

    def pass_time(self, line: str, interrupts: Interrupts) -> None:
        """Run to the goal that the session has, shown as if ``line`` had been given."""
        self.writer.begin(self.session, line)
        self.run(self.session, interrupts, self.show)
        self._end(0)

    def _end(self, status: int) -> None:
        self.show()
        self.writer.end(self.session, status)
        for system in self.session.world.systems.values():
            self.faults.update(dict.fromkeys(system.faults))

    def show(self) -> None:
        """Give the writer what there is."""
        for chunk in self.session.take_output():
            self.writer.chunk(chunk)

    def finish(self) -> int:
        """The exit status; tracebacks of programs that broke go to stderr."""
        if self.faults:
            for text in self.faults:
                err(text)
            err(f"{FAULT_WORDS}\n")
            return EXIT_FAULT
        return EXIT_FAILED if self.failed else EXIT_WARNINGS if self.warned else 0
