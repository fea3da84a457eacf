"""Drives a session in slices of wall time, so that a screen always gets its turn. Knows nothing of Textual.

The session decides what happens; the runner decides how much of it happens now: at a factor of real time, or as fast
as can be. It is a plain object with a wall clock put in, so that a test can turn it by hand.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from kamelab.lab.console import Outcome, submit
from kamelab.lab.console_time import speed_factor
from kamelab.lab.session import Goal, Session

SLICE = 0.003
"""Seconds of wall time that events may take between two turns of the screen."""
BATCH = 8
"""Events between two looks at the wall clock."""
NAP = 0.05
"""Longest sleep between two turns while time runs, seconds: the clock line moves 20 times a second."""
SPEEDS = (0.1, 0.5, 1.0, 2.0, 10.0, 60.0, 600.0, 0.0)
"""What the speed key goes through; 0 is as fast as can be."""


class Runner:
    """Lets time pass in a session.

    Time runs while there is a goal (a foreground program, ``run``, ``step``) and it is not held, or while it runs
    freely. It pauses by itself when the goal is reached, unless it ran freely before.
    """

    def __init__(self, session: Session, wall: Callable[[], float] = time.perf_counter) -> None:
        self.session = session
        self.wall = wall
        self.speed = 1.0
        """Virtual seconds per second of wall time; 0: as fast as can be."""
        self.free = False
        """Time runs without a goal, until somebody pauses it."""
        self.held = False
        """Paused on the way to a goal."""
        self.slices = 0
        """Slices done, for tests and the debug line."""
        self._origin = (0.0, 0)

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether time passes."""
        if self.held:
            return False
        return self.free or self.session.goal is not None or self.session.foreground is not None

    @property
    def speed_text(self) -> str:
        """``x1``, ``x0.5``, ``max``."""
        return f"x{self.speed:g}" if self.speed else "max"

    # -- what people do ----------------------------------------------------------------------------------------------

    def submit(self, line: str) -> Outcome:
        """Give a console line to the session; a new goal sets time going."""
        session = self.session
        before = session.goal
        outcome = submit(session, line)
        if outcome.action == "pause":
            self.pause()
        elif outcome.action.startswith("speed "):
            if outcome.status == 0:
                self.set_speed(speed_factor(outcome.action.split()[1]))
        elif session.goal is not before:
            if outcome.command is None:
                # run, step, back, reset: somebody moves time by hand, and it stops where they said.
                self.free = False
            self.held = False
            self._rebase()
        if session.goal is None and session.foreground is not None:
            # Gone back into the middle of a program: it waits to be let on.
            self.held = True
        return outcome

    def step(self, words: str = "") -> None:
        """Let the next event happen (``timer``, ``packet``, or a number of events)."""
        self.submit(f"step {words}".rstrip())

    def back(self, count: int = 1) -> None:
        """Take back events; time then stands."""
        self.pause()
        self.session.back(max(0, self.session.events - count))
        self.held = self.session.foreground is not None

    def pause(self) -> None:
        """Stop the clock; a goal is kept for going on."""
        if self.free:
            self.free = False
            if self.session.foreground is None:
                self.session.goal = None
        self.held = self.session.goal is not None or self.session.foreground is not None

    def resume(self) -> None:
        """Go on to the goal, or run freely where there is none."""
        self.held = False
        if self.session.goal is None and self.session.foreground is None:
            self.free = True
        self._rebase()

    def let_on(self) -> None:
        """Let a foreground program that was given something go on, also where time is paused."""
        if self.session.foreground is not None:
            self.held = False
            self._rebase()

    def interrupt(self) -> bool:
        """^C to the foreground program; whether there was one."""
        if not self.session.interrupt():
            return False
        self.let_on()
        return True

    def toggle(self) -> None:
        """Run or pause."""
        if self.running:
            self.pause()
        else:
            self.resume()

    def set_speed(self, speed: float) -> None:
        """Change how fast time runs; 0 is as fast as can be."""
        self.speed = speed
        self._rebase()

    def next_speed(self, step: int = 1) -> None:
        """The next of the usual speeds, faster or (-1) slower."""
        order = [speed or float("inf") for speed in SPEEDS]
        here = self.speed or float("inf")
        if step > 0:
            found = next((speed for speed in order if speed > here), order[-1])
        else:
            found = next((speed for speed in reversed(order) if speed < here), order[0])
        self.set_speed(0.0 if found == float("inf") else found)

    # -- turning -----------------------------------------------------------------------------------------------------

    def turn(self) -> float | None:
        """One slice. How long to sleep until the next, in seconds of wall time; None: nothing runs."""
        if not self.running:
            return None
        session = self.session
        if session.goal is None:
            session.goal = self._own_goal()
        goal = session.goal
        paced = bool(self.speed) and goal.events is None and not goal.kind
        if not paced and self._typing_awaited(goal):
            return NAP
        self.slices += 1
        began = self.wall()
        until = self._due(began) if paced else None
        while True:
            before = session.events
            # Event by event where time has to wait for typing as soon as nothing is on its way.
            if session.advance(1 if not paced and session.reading_nodes() else BATCH, until):
                self._reached()
                return 0.0 if self.running else None
            if until is not None and session.now >= until and session.events == before:
                return self._nap(until)
            if not paced and self._typing_awaited(goal):
                return NAP
            if self.wall() - began >= SLICE:
                if until is not None:
                    # The machine is slower than asked for: owe nothing.
                    self._rebase()
                return 0.0

    def _typing_awaited(self, goal: Goal) -> bool:
        """As fast as can be does not mean past somebody who is asked to type: then time waits."""
        return goal.command is not None and goal.command.status is None and self.session.typing_awaited()

    def _own_goal(self) -> Goal:
        """The goal of a foreground program that was stepped through or gone back into; else none at all."""
        command = self.session.foreground
        if command is None:
            return Goal()
        return Goal(command=command, deadline=command.started + self.session.timeout)

    def _reached(self) -> None:
        """A goal was reached: pause, unless time ran freely; a foreground program that was stepped waits."""
        session = self.session
        if self.free:
            if session.goal is None and session.world.network.next_event_at() is None and not session.tail:
                self.free = False
            self._rebase()
            return
        self.held = session.foreground is not None

    def _rebase(self) -> None:
        """Count real time from here on."""
        self._origin = (self.wall(), self.session.now)

    def _due(self, wall: float) -> int:
        """What the virtual clock should show, ns since boot."""
        origin, now = self._origin
        return max(self.session.now, now + int((wall - origin) * self.speed * 1_000_000_000))

    def _nap(self, until: int) -> float:
        """How long to sleep: until the next event is due, but not too long for the clock line."""
        due = self.session.world.network.next_event_at()
        if due is None:
            return NAP
        return min(NAP, max(0.001, (due - until) / 1_000_000_000 / self.speed))
