"""One node's userland: its processes, terminals, files and jobs, run on virtual time.

A process runs from one park to the next by `System.resume`, which the loop calls from the clock's queue. What it waits
for stands in `sleepers` by channel; the kernel calls `System.wakeup` with ``("so", socket id)``. All of it is plain
data: after unpickling, `System.revive` builds the coroutines again.

Cause (`kamelab.core.trace`): each command makes one ``command`` record; a process woken by its timer runs under that
record, ``also`` being the timer's; a process woken by a packet runs under the waker.

Left out: users, scheduling priorities, process groups beyond one foreground and the jobs of each terminal.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kamelab.core.clock import Clock
from kamelab.core.errors import EAGAIN, EINVAL, ENOENT, ESRCH, Errno
from kamelab.core.rng import Streams
from kamelab.core.trace import Trace
from kamelab.stack import syscalls
from kamelab.userland import files, programs
from kamelab.userland.calls import BLOCKED, CALLS, WAITS, sid_of
from kamelab.userland.etc import default_files
from kamelab.userland.octets import encoded
from kamelab.userland.proc import SIGINT, SIGKILL, SIGPIPE, Exit, Proc, Signal, Stream
from kamelab.userland.process import Input, Job, JobRow, Pending, Pipe, Process, Raised, Runaway, Terminal

if TYPE_CHECKING:
    from kamelab.stack.node import Node

CONSOLE = "console"
"""The terminal of startup lines: what is printed there is appended to `System.console`."""
CONSOLE_LIMIT = 10_000
ENDED_LIMIT = 1000
PROCESS_LIMIT = 256
FAULT_LIMIT = 20
STATUS_INTERNAL = 70


class System:
    """The userland of ``node``.

    ``output`` holds (ns since boot, terminal, text) as programs print; its reader empties it. ``console`` holds the
    console's whole lines with their times: startup output and kernel messages. ``faults`` are tracebacks of programs
    that ended with status 70, for their authors.
    """

    def __init__(self, node: Node, clock: Clock, trace: Trace, streams: Streams) -> None:
        self.node = node
        self.clock = clock
        self.trace = trace
        self.streams = streams
        self.files = default_files(node.name)
        self.procs: dict[int, Process] = {}
        self.console: list[tuple[int, str]] = []
        self.output: list[tuple[int, str, str]] = []
        self.faults: list[str] = []
        self.pid = 0
        self.running = 0
        """Process id of the process whose code runs now."""
        self.closed = False
        self.ttys: dict[str, Terminal] = {}
        self.pipes: dict[int, Pipe] = {}
        self.pipe = 0
        self.jobs: dict[str, list[Job]] = {}
        self.ended: dict[int, int] = {}
        """Statuses of the latest processes that had no parent to wait for them."""
        self.sleepers: dict[tuple[Any, ...], list[int]] = {}

    @property
    def name(self) -> str:
        """The node's name, under which the loop records this system's timers."""
        return self.node.name

    # -- for the lab -------------------------------------------------------------------------------------------------

    def shell(self, line: str, tty: str, *, background: bool = False, cause: int = 0) -> int:
        """Run ``line`` (sh syntax, newlines allowed) in a shell whose terminal is ``tty``; the shell's process id.

        It begins when the clock's queue is run. ``cause`` is the trace record that the line's commands follow from.
        """
        if not background and not self.foreground(tty):
            self.terminal(tty).eof = False
        process = self._create(0, "sh", ("sh", "-c", line), tty)
        process.background = background
        process.cause = cause
        if not background:
            process.stdin = Input("tty", tty)
        self._ready(process, cause, 0)
        return process.pid

    def status(self, pid: int) -> int | None:
        """Exit status; None while it runs, 0 for a daemon. Errno ESRCH for a process never seen or long gone."""
        process = self.procs.get(pid)
        if process is not None:
            return 0 if process.daemon else None
        if pid not in self.ended:
            raise Errno(ESRCH)
        return self.ended[pid]

    def interrupt(self, target: str | int) -> bool:
        """^C: SIGINT to a terminal's foreground, or to a process and its descendants; whether there was any."""
        if isinstance(target, str):
            hit = [process.pid for process in self.procs.values() if process.foreground and process.tty == target]
        else:
            family = {target}
            hit = []
            for process in self.procs.values():
                if process.pid in family or process.ppid in family:
                    family.add(process.pid)
                    hit.append(process.pid)
        for pid in hit:
            self.kill(pid, SIGINT)
        return bool(hit)

    def kill(self, pid: int, signal: int) -> None:
        """Send a signal; 0 only asks whether the process is there. Errno: ESRCH, EINVAL."""
        if not 0 <= signal < 32:
            raise Errno(EINVAL)
        process = self.procs.get(pid)
        if process is None:
            raise Errno(ESRCH)
        if signal == SIGKILL:
            process.cut = True
            if pid == self.running:
                raise GeneratorExit
            self._finish(process, 128 + SIGKILL)
        elif signal and signal not in process.signals:
            process.signals.append(signal)
            if pid != self.running:
                self._ready(process, self.trace.cause, self.trace.also)

    def input(self, tty: str, text: str) -> None:
        """Type ``text`` at a terminal."""
        self.terminal(tty).text += text
        self.wakeup(("tty", tty))

    def eof(self, tty: str) -> None:
        """^D at a terminal: the end of its foreground program's standard input."""
        self.terminal(tty).eof = True
        self.wakeup(("tty", tty))

    def foreground(self, tty: str) -> bool:
        """Whether a program holds the terminal."""
        return any(process.foreground and process.tty == tty for process in self.procs.values())

    def reading(self, tty: str) -> bool:
        """Whether a program waits for what is typed at the terminal."""
        return bool(self.sleepers.get(("tty", tty)))

    def listening(self, tty: str) -> bool:
        """Whether a program that waits for what is typed waits for a socket as well, as nc does."""
        typed = self.sleepers.get(("tty", tty), ())
        return any(channel[0] == "so" and pid in pids for channel, pids in self.sleepers.items() for pid in typed)

    def idle(self) -> bool:
        """Whether no foreground program runs. Timers of programs count in the clock's ``busy``."""
        return not any(process.foreground for process in self.procs.values())

    def notify(self, text: str) -> None:
        """A kernel message for the console, without newline."""
        self._console(text)
        self.output.append((self.clock.now, CONSOLE, text + "\n"))

    def close(self) -> None:
        """End all programs without a word: their calls do nothing any more."""
        self.closed = True
        for process in self.procs.values():
            process.cut = True
            self._drop_coroutine(process)
            process.timer.cancel()
        self.procs.clear()
        self.sleepers.clear()

    def digest_items(self) -> Iterator[tuple[Any, ...]]:
        """Plain tuples for the state digest, in a fixed order."""
        yield ("pid", self.pid, self.pipe, len(self.console))
        for pid in sorted(self.procs):
            yield ("process", *self.procs[pid].digest())
        for tty in sorted(self.ttys):
            yield ("tty", tty, self.ttys[tty].text, self.ttys[tty].eof)
        for number in sorted(self.pipes):
            pipe = self.pipes[number]
            yield ("pipe", number, pipe.text, pipe.readers, pipe.writers)
        for tty in sorted(self.jobs):
            for job in self.jobs[tty]:
                yield ("job", tty, job.number, job.pids, job.text, tuple(job.left), job.status)
        for path in sorted(self.files):
            yield ("file", path, self.files[path])

    def revive(self) -> None:
        """After unpickling: run each program's ``main`` again, against its log, to where it was parked.

        Raises RuntimeError where a program does not come to the same call.
        """
        for process in list(self.procs.values()):
            if not process.started or process.coro is not None:
                continue
            process.cursor = 0
            process.coro = programs.main_of(process.name)(Proc(process, process.state()), list(process.argv))
            where = f"{process.name}[{process.pid}] restored"
            try:
                process.coro.send(None)
            except StopIteration:
                raise RuntimeError(f"{where}: it ended, but was parked") from None
            if process.cursor != len(process.log):
                raise RuntimeError(f"{where}: parked at call {process.cursor} of {len(process.log)}")

    # -- for the loop and the kernel ---------------------------------------------------------------------------------

    def wakeup(self, channel: tuple[Any, ...]) -> None:
        """Let every process that waits on ``channel`` try again after the running handler."""
        for pid in self.sleepers.get(channel, ()):
            self._ready(self.procs[pid], self.trace.cause, self.trace.also)

    def timeout(self, pid: int) -> None:
        """The deadline of a parked process has come."""
        process = self.procs.get(pid)
        if process is not None:
            self._ready(process, process.cause, self.trace.cause)

    def resume(self, pid: int) -> None:
        """Run a process until it parks or ends."""
        process = self.procs.get(pid)
        if process is None:
            return
        process.ready = False
        process.burst = 0
        if process.coro is None:
            if process.signals:
                self._finish(process, 128 + process.signals[0])
                return
            process.started = True
            process.coro = programs.main_of(process.name)(Proc(process), list(process.argv))
        self.running = pid
        try:
            process.coro.send(None)
            return
        except StopIteration as stop:
            status = stop.value if isinstance(stop.value, int) else 0
        except Exit as leave:
            status = leave.status
        except Signal as signal:
            status = 128 + signal.number
        except GeneratorExit:
            if not process.cut:
                raise
            status = 128 + SIGKILL
        except (Exception, Runaway) as fault:
            status = STATUS_INTERNAL
            self._fault(process, fault)
        finally:
            self.running = 0
        self._finish(process, status & 0xFF)

    # -- for the system calls ----------------------------------------------------------------------------------------

    def call(self, process: Process, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A call that answers at once."""
        process.count()
        try:
            value = CALLS[name](self, process, *args, **options)
        except Errno as error:
            process.note(name, Raised("errno", error.number, error.detail))
            raise
        except Signal as signal:
            process.note(name, Raised("signal", signal.number))
            raise
        process.note(name, value)
        return value

    def begin(self, process: Process, name: str, args: tuple[Any, ...], timeout: int | None) -> bool:
        """Begin a call that may wait; False where the process is now parked."""
        process.count()
        process.pending = Pending(name, args, None if timeout is None else self.clock.now + timeout)
        return self.attempt(process)

    def attempt(self, process: Process) -> bool:
        """Try the pending call; False where the process is parked (again)."""
        if process.cut:
            raise GeneratorExit
        name, args, deadline = process.pending or Pending("", (), None)
        self._awake(process)
        if process.signals:
            process.outcome = Raised("signal", process.signals.pop(0))
        else:
            try:
                value = BLOCKED if self._stuffed(process) else WAITS[name](self, process, *args)
            except Errno as error:
                value = Raised("errno", error.number, error.detail)
            if value is BLOCKED:
                if deadline is None or self.clock.now < deadline:
                    self._sleep(process, name, deadline)
                    return False
                value = () if name == "select" else None
            process.outcome = value
        process.channels = ()
        process.timer.cancel()
        return True

    def spawn(
        self, parent: Process, argv: tuple[str, ...], stdin: Stream | None, stdout: Stream | None, background: bool
    ) -> int:
        """Start a program as ``parent``'s child; see `Proc.spawn`."""
        name = programs.resolve(argv[0]) if argv else None
        if name is None:
            raise Errno(ENOENT, argv[0] if argv else "")
        if len(self.procs) >= PROCESS_LIMIT:
            raise Errno(EAGAIN)
        source = self._input(parent, stdin, background)
        sink = parent.stdout if stdout is None else stdout
        if sink[0] == "file":
            files.write(self.files, sink[1], "", append=sink[2])
        elif sink[0] == "socket":
            sink = ("so", sid_of(parent, sink[1]))
        child = self._create(0 if background else parent.pid, name, argv, parent.tty)
        child.background = background or not parent.foreground
        child.stdin = source
        child.stdout = sink
        child.stderr = parent.stderr
        for stream in (stdin, stdout):
            if stream is not None and stream[0] == "socket" and stream[1] in parent.fds:
                child.fds[0] = parent.fds.pop(stream[1])
                syscalls.setowner(self.node, child.fds[0], child.pid)
        for pipe, end in ((source.key if source.kind == "pipe" else 0, "readers"), (self._pipe_of(sink), "writers")):
            if pipe:
                setattr(self.pipes[pipe], end, getattr(self.pipes[pipe], end) + 1)
        child.cause = self.trace.record(
            self.clock.now, self.node.name, "", "sh", 0, "command", note=" ".join(argv), cause=parent.cause
        )
        self._ready(child, child.cause, 0)
        return child.pid

    def daemonise(self, process: Process) -> None:
        """daemon(3): leave parent, terminal and job table."""
        parent = self.procs.get(process.ppid)
        if parent is not None:
            parent.ended[process.pid] = 0
        elif not process.daemon:
            self._remember(process.pid, 0)
        process.ppid = 0
        process.daemon = True
        self._release(process)
        process.stdin = Input("null")
        process.stdout = ("null",)
        process.stderr = ("tty", CONSOLE)
        self._job_ended(process.pid, 0)
        self.wakeup(("pid", process.pid))

    def new_pipe(self, owner: Process) -> int:
        """A pipe without ends yet; its number."""
        self.pipe += 1
        self.pipes[self.pipe] = Pipe(owner.pid)
        return self.pipe

    def new_job(self, tty: str, pids: tuple[int, ...], text: str) -> int:
        """Enter a job; jobs of this terminal that have ended are forgotten."""
        jobs = [job for job in self.jobs.get(tty, ()) if job.status is None]
        number = max((job.number for job in jobs), default=0) + 1
        self.jobs[tty] = [*jobs, Job(number, tty, pids, text)]
        return number

    def job_rows(self, tty: str) -> tuple[JobRow, ...]:
        """The terminal's jobs; those that have ended are forgotten thereafter."""
        jobs = self.jobs.get(tty, [])
        self.jobs[tty] = [job for job in jobs if job.status is None]
        return tuple(JobRow(job.number, job.pids, job.text, job.status) for job in jobs)

    def terminal(self, tty: str) -> Terminal:
        """What was typed at ``tty``."""
        return self.ttys.setdefault(tty, Terminal())

    def write(self, process: Process, stream: Stream, text: str) -> None:
        """Write to where ``stream`` leads; Signal SIGPIPE for a pipe that nobody reads."""
        kind = stream[0]
        if not text or kind == "null":
            return
        if kind == "tty":
            if not text.isascii():
                # Octets that are no UTF-8 end here: a terminal shows a mark for each, and its text can be written out.
                text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            tty = stream[1]
            output = self.output
            if output and output[-1][0] == self.clock.now and output[-1][1] == tty:
                text_before = output.pop()[2]
                output.append((self.clock.now, tty, text_before + text))
            else:
                output.append((self.clock.now, tty, text))
            if tty == CONSOLE:
                *lines, process.line = (process.line + text).split("\n")
                for line in lines:
                    self._console(line)
        elif kind == "file":
            files.write(self.files, stream[1], text, append=True)
        elif kind == "so":
            try:
                syscalls.push(self.node, stream[1], encoded(text))
            except Errno:
                raise Signal(SIGPIPE) from None
        else:
            pipe = self.pipes[stream[1]]
            if not pipe.readers:
                raise Signal(SIGPIPE)
            pipe.text += text
            self.wakeup(("pipe", stream[1]))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _create(self, ppid: int, name: str, argv: tuple[str, ...], tty: str) -> Process:
        self.pid += 1
        process = self.procs[self.pid] = Process(self, self.pid, ppid, name, argv, tty)
        return process

    def _ready(self, process: Process, cause: int, also: int) -> None:
        """Queue a process once; the first cause holds."""
        if not process.ready:
            process.ready = True
            self.clock.soon(self, "resume", (process.pid,), cause, also)

    def _sleep(self, process: Process, name: str, deadline: int | None) -> None:
        for channel in process.channels:
            self.sleepers.setdefault(channel, []).append(process.pid)
        timer = process.timer
        if deadline is not None and timer.at != deadline:
            # A daemon that waits for packets is no work to come; one that sleeps is.
            ageing = process.daemon and name in ("recvmsg", "select", "poll")
            timer.arm(deadline, self.trace.cause, ageing=ageing)

    def _stuffed(self, process: Process) -> bool:
        """Whether a process must wait because the socket that is its standard output holds too much already."""
        if process.stdout[0] != "so":
            return False
        sid = process.stdout[1]
        try:
            if not syscalls.push(self.node, sid, b""):
                return False
        except Errno:
            # It is told with the next write.
            return False
        process.channels = (("so", sid),)
        return True

    def _awake(self, process: Process) -> None:
        """Take a process off the channels on which it slept."""
        for channel in process.channels:
            pids = self.sleepers.get(channel, [])
            if process.pid in pids:
                pids.remove(process.pid)
                if not pids:
                    del self.sleepers[channel]
        process.channels = ()

    def _input(self, parent: Process, stdin: Stream | None, background: bool) -> Input:
        """The standard input that a `spawn` asks for."""
        if stdin is None:
            # An asynchronous list reads nothing from the terminal (POSIX.1 2.9.3).
            return Input("null") if background and parent.stdin.kind == "tty" else parent.stdin
        kind = stdin[0]
        if kind == "file":
            return Input("text", None, files.read(self.files, stdin[1]))
        if kind == "text":
            return Input("text", None, stdin[1])
        if kind == "socket":
            return Input("so", sid_of(parent, stdin[1]))
        return Input(kind, stdin[1] if kind == "pipe" else None)

    def _pipe_of(self, stream: Stream) -> int:
        return int(stream[1]) if stream[0] == "pipe" else 0

    def _release(self, process: Process) -> None:
        """Close the ends of pipes that a process holds; drop pipes that nobody can use any more."""
        out = self._pipe_of(process.stdout)
        if out and out in self.pipes:
            self.pipes[out].writers -= 1
            self.wakeup(("pipe", out))
        if process.stdin.kind == "pipe" and process.stdin.key in self.pipes:
            self.pipes[process.stdin.key].readers -= 1
        for number, pipe in list(self.pipes.items()):
            if not pipe.readers and not pipe.writers and pipe.owner not in self.procs:
                del self.pipes[number]

    def _finish(self, process: Process, status: int) -> None:
        """The end of a process: what it holds is given back, its parent learns the status."""
        pid = process.pid
        self._drop_coroutine(process)
        self._awake(process)
        process.timer.cancel()
        process.pending = None
        process.status = status
        if process.line:
            self._console(process.line)
        for fd in sorted(process.fds):
            syscalls.close(self.node, process.fds[fd])
        process.fds.clear()
        del self.procs[pid]
        self._release(process)
        for child in self.procs.values():
            if child.ppid == pid:
                child.ppid = 0
        parent = self.procs.get(process.ppid)
        if parent is not None:
            parent.ended[pid] = status
        elif not process.daemon:
            self._remember(pid, status)
        self._job_ended(pid, status)
        self.wakeup(("pid", pid))

    def _drop_coroutine(self, process: Process) -> None:
        coro, process.coro = process.coro, None
        if coro is not None:
            process.cut = True
            try:
                coro.close()
            except RuntimeError as fault:
                # It caught GeneratorExit and waited again: there is nobody left to tell.
                self._note_fault(f"{process.name}: {fault}")

    def _remember(self, pid: int, status: int) -> None:
        self.ended[pid] = status
        while len(self.ended) > ENDED_LIMIT:
            del self.ended[next(iter(self.ended))]

    def _job_ended(self, pid: int, status: int) -> None:
        for jobs in self.jobs.values():
            for job in jobs:
                if pid in job.left:
                    job.left.remove(pid)
                    if pid == job.pids[-1]:
                        self._remember(pid, status)
                    if not job.left:
                        job.status = self.ended.get(job.pids[-1], status)

    def _console(self, line: str) -> None:
        self.console.append((self.clock.now, line))
        if len(self.console) > CONSOLE_LIMIT:
            del self.console[: CONSOLE_LIMIT // 10]

    def _fault(self, process: Process, fault: BaseException) -> None:
        """A program failed: one line for its user, the traceback for its author."""
        self._note_fault("".join(traceback.format_exception(fault)))
        said = str(fault) or "no further word"
        self.write(process, process.stderr, f"{process.name}: internal error: {type(fault).__name__}: {said}\n")

    def _note_fault(self, text: str) -> None:
        self.faults = [*self.faults[-(FAULT_LIMIT - 1) :], text]
