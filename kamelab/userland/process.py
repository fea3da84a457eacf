"""A process as plain data: who it is, what it waits for, and the log from which it can be built again.

A coroutine's frame can neither be copied nor pickled. So a `Process` holds its coroutine in a slot that pickling leaves
out; `System.revive` runs the program's ``main`` anew, answers its calls from the log, and finds it parked in the same
call. A daemon's log is cut by ``keep``, which snapshots the program's own state instead.
"""

from __future__ import annotations

import pickle
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from kamelab.core.errors import Errno
from kamelab.core.timers import Timer
from kamelab.userland.proc import Signal, Stream

if TYPE_CHECKING:
    from kamelab.userland.system import System

CALL_LIMIT = 2_000_000
"""System calls that a program may make without waiting once; more is a loop that would never end."""


class Raised(NamedTuple):
    """A log entry's result where the call did not return: ``kind`` is errno or signal."""

    kind: str
    number: int
    detail: str = ""

    def exception(self) -> Exception:
        """The exception to raise (again)."""
        return Signal(self.number) if self.kind == "signal" else Errno(self.number, self.detail)


class Pending(NamedTuple):
    """The blocking call in which a process is parked; ``deadline`` in ns since boot, None without one."""

    name: str
    args: tuple[Any, ...]
    deadline: int | None


class ProcessRow(NamedTuple):
    """One process (``ps``)."""

    pid: int
    ppid: int
    tty: str
    state: str
    """R runs or is about to, S sleeps; ``s`` behind it a daemon, ``+`` the terminal's foreground."""
    wchan: str
    """What it sleeps on, in BSD's names: sbwait select nanslp wait ttyin piperd."""
    command: str


class JobRow(NamedTuple):
    """One background pipeline (``jobs``)."""

    number: int
    pids: tuple[int, ...]
    text: str
    status: int | None
    """None while it runs."""


class Runaway(BaseException):
    """A program made `CALL_LIMIT` calls without waiting: no Exception, so that no program can catch it."""


class Input:
    """Where a standard input comes from; shared by the processes that inherit it.

    ``kind`` is tty, pipe, text or null; ``key`` the terminal's name or the pipe's number.
    """

    __slots__ = ("at", "key", "kind", "text")

    def __init__(self, kind: str, key: Any = None, text: str = "") -> None:
        self.kind = kind
        self.key = key
        self.text = text
        self.at = 0


class Terminal:
    """What was typed at a terminal and not read yet."""

    __slots__ = ("eof", "text")

    def __init__(self) -> None:
        self.text = ""
        self.eof = False


class Pipe:
    """Text between two processes, and how many hold each end."""

    __slots__ = ("owner", "readers", "text", "writers")

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.text = ""
        self.readers = 0
        self.writers = 0


class Job:
    """A background pipeline of a terminal."""

    __slots__ = ("left", "number", "pids", "status", "text", "tty")

    def __init__(self, number: int, tty: str, pids: tuple[int, ...], text: str) -> None:
        self.number = number
        self.tty = tty
        self.pids = pids
        self.text = text
        self.left = list(pids)
        self.status: int | None = None


class Process:
    """One process of a node."""

    __slots__ = (
        "argv",
        "background",
        "burst",
        "calls",
        "cause",
        "channels",
        "coro",
        "cursor",
        "cut",
        "daemon",
        "ended",
        "fds",
        "kept",
        "line",
        "log",
        "name",
        "outcome",
        "pending",
        "pid",
        "ppid",
        "ready",
        "signals",
        "started",
        "status",
        "stderr",
        "stdin",
        "stdout",
        "system",
        "timer",
        "tty",
    )

    def __init__(self, system: System, pid: int, ppid: int, name: str, argv: tuple[str, ...], tty: str) -> None:
        self.system = system
        self.pid = pid
        self.ppid = ppid
        self.name = name
        self.argv = argv
        self.tty = tty
        self.background = False
        self.daemon = False
        self.stdin = Input("null")
        self.stdout: Stream = ("tty", tty)
        self.stderr: Stream = ("tty", tty)
        self.line = ""
        """Text for the console whose line is not ended yet."""
        self.fds: dict[int, int] = {}
        """Socket ids of the kernel by descriptor."""
        self.log: list[tuple[str, Any]] = []
        """(call, result) since the start or the last ``keep``."""
        self.cursor = 0
        """How far the running ``main`` has come in the log; its length except while restoring."""
        self.calls = 0
        """Calls done in all."""
        self.burst = 0
        """Calls since the process last waited."""
        self.kept: bytes | None = None
        self.pending: Pending | None = None
        self.channels: tuple[tuple[Any, ...], ...] = ()
        """What wakes it, as the kernel names it to `System.wakeup`."""
        self.outcome: Any = None
        self.signals: list[int] = []
        self.started = False
        self.ready = False
        """It stands in the clock's queue."""
        self.cut = False
        """It may not reach the world any more: it is being closed."""
        self.ended: dict[int, int] = {}
        """Statuses of children that nobody waited for yet."""
        self.status: int | None = None
        self.cause = 0
        """The trace record of the command that this process is."""
        self.timer = Timer(system.clock, system, "timeout", (pid,))
        self.coro: Coroutine[None, None, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {slot: getattr(self, slot) for slot in self.__slots__ if slot != "coro"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        self.coro = None

    def state(self) -> Any:
        """A fresh copy of what the program kept; None where it kept nothing."""
        return None if self.kept is None else pickle.loads(self.kept)

    # -- the log -----------------------------------------------------------------------------------------------------

    def count(self) -> None:
        """Refuse calls of a process that is being closed, and endless loops."""
        if self.cut:
            raise GeneratorExit
        self.burst += 1
        if self.burst > CALL_LIMIT:
            raise Runaway(f"{CALL_LIMIT} system calls without waiting")

    def note(self, name: str, result: Any) -> None:
        """Write a call's result to the log."""
        self.log.append((name, result))
        self.cursor = len(self.log)
        self.calls += 1

    def check(self, name: str) -> None:
        """While restoring: the program must ask what it asked then.

        Raises RuntimeError otherwise: the program remembers something outside its log, or calls before `Proc.keep`.
        """
        if self.cursor < len(self.log):
            then = self.log[self.cursor][0]
        else:
            then = self.pending.name if self.pending else "nothing"
        if then != name:
            raise RuntimeError(f"{self.name}[{self.pid}] restored: call {self.cursor} is {name}, was {then}")

    def replay(self, name: str) -> Any:
        """The logged result of the call at the cursor; raises what was raised then."""
        if self.cut:
            raise GeneratorExit
        self.check(name)
        result = self.log[self.cursor][1]
        self.cursor += 1
        if isinstance(result, Raised):
            raise result.exception()
        return result

    def take(self) -> Any:
        """Finish the pending wait: log its outcome, then return or raise it."""
        assert self.pending is not None
        outcome = self.outcome
        self.note(self.pending.name, outcome)
        self.pending = None
        self.outcome = None
        if isinstance(outcome, Raised):
            raise outcome.exception()
        return outcome

    def keep(self, state: object) -> None:
        """Snapshot the program's state and begin a new log, whose first entry is this call."""
        self.count()
        self.kept = pickle.dumps(state, protocol=5)
        self.log.clear()
        self.note("keep", None)

    # -- views -------------------------------------------------------------------------------------------------------

    @property
    def foreground(self) -> bool:
        """Whether a terminal waits for it."""
        return not (self.background or self.daemon)

    def row(self, wchan: str) -> ProcessRow:
        """What ``ps`` shows; ``wchan`` names what it sleeps on."""
        state = "S" if self.pending is not None and not self.ready else "R"
        state += "s" if self.daemon else "" if self.background else "+"
        command = " ".join(self.argv).replace("\n", "\\n")
        return ProcessRow(self.pid, self.ppid, "??" if self.daemon else self.tty, state, wchan, command)

    def digest(self) -> tuple[Any, ...]:
        """Plain values that tell this process's position."""
        return (
            self.pid,
            self.ppid,
            self.argv,
            self.tty,
            self.background,
            self.daemon,
            self.calls,
            len(self.log),
            None if self.pending is None else tuple(self.pending),
            self.channels,
            tuple(self.signals),
            self.ready,
            tuple(sorted(self.fds.items())),
            (self.stdin.kind, self.stdin.key, self.stdin.text, self.stdin.at),
            self.stdout,
            self.stderr,
            self.line,
        )
