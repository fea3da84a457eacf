"""Console lines that come from elsewhere while time runs: one at a time, each with its output and status.

A line that takes time (a program, ``run``, ``reboot``) holds the desk until it ends; others wait for their turn.
Lines that only look, link changes and ``NODE: ^C`` go at once. What else the lab prints meanwhile, jobs of other nodes
and kernel messages, goes to who started the lab.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from kamelab.core.errors import Errno, KamelabError
from kamelab.lab.console import prompt, split, submit
from kamelab.lab.console_show import clock_text
from kamelab.lab.session import STATUS_TIMEOUT, Chunk, Command, Session
from kamelab.lab.units import format_duration

AT_ONCE = (
    "nodes", "links", "trace", "ladder", "show", "timers", "help", "man", "link", "save", "export", "why", "task",
    "hint",
)  # fmt: skip
"""Console commands that take no time and disturb no program."""
REFUSED = ("speed", "pause", "step")
"""Console commands that steer a clock which here is the wall's."""
STATUS_ENDED = 143
"""The lab was ended while the line ran: what SIGTERM gives."""
STATUS_INTERRUPTED = 130


class Request:
    """A console line, who wants to know how it ends, and what has been gathered for him."""

    def __init__(self, line: str, answer: Callable[[str, str, int], None], asker: Any) -> None:
        self.line = line
        self.answer = answer
        self.asker = asker
        """Whose line it is; see `Desk.forget`."""
        self.command: Command | None = None
        self.nodes: tuple[str, ...] | None = None
        """Whose programs' output belongs to it; None: everybody's."""
        self.rebooted = ""
        """The node that has to come up before the line ends."""
        self.shell = 0
        """Process id of its startup shell; 0: none."""
        self.deadline: int | None = None
        self.output: list[str] = []
        self.messages: list[str] = []


class Desk:
    """Where requests are dealt with."""

    def __init__(self, session: Session, show: Callable[[Chunk], None]) -> None:
        self.session = session
        self.show = show
        self.waiting: deque[Request] = deque()
        self.active: Request | None = None
        self.quit = False
        """Somebody asked for the lab's end."""
        self.interrupted = False
        """The user's ^C has gone to what runs in the foreground now."""

    # -- coming and going ----------------------------------------------------------------------------------------------

    def add(self, request: Request) -> None:
        """Begin a request now, or when the ones before it have ended."""
        self.look()
        if self.active is not None and self._at_once(request.line):
            self._gather()
            self._begin(request)
        else:
            self.waiting.append(request)
            self.look()

    def forget(self, asker: Any) -> None:
        """Nobody waits for these any more: what runs gets a ^C, what waits is dropped."""
        for request in [one for one in self.waiting if one.asker is asker]:
            self.waiting.remove(request)
        active = self.active
        if active is not None and active.asker is asker:
            if active.command is not None:
                self.session.interrupt()
            else:
                self.session.goal = None
                self._finish(active, STATUS_INTERRUPTED)
            self.look()

    def end(self) -> None:
        """The lab ends: tell all who wait."""
        self._gather()
        for request in [*([self.active] if self.active is not None else []), *self.waiting]:
            request.messages.append("kamelab: the lab was ended\n")
            request.answer("".join(request.output), "".join(request.messages), STATUS_ENDED)
        self.active = None
        self.waiting.clear()

    def deadline(self) -> int | None:
        """When to look again though nothing happens, ns since boot."""
        return None if self.active is None else self.active.deadline

    def look(self) -> None:
        """See whether the active request has ended, and begin those that wait."""
        self._gather()
        while True:
            if self.active is not None:
                status = self._ended(self.active)
                if status is None:
                    return
                self._finish(self.active, status)
            if not self.waiting:
                return
            self._begin(self.waiting.popleft())

    # -- one request ---------------------------------------------------------------------------------------------------

    def _at_once(self, line: str) -> bool:
        try:
            _, program, console = split(self.session, line)
        except KamelabError:
            return True
        return program.strip() == "^C" or console.partition(" ")[0] in AT_ONCE

    def _begin(self, request: Request) -> None:
        session = self.session
        self._echo(request.line)
        line, words = request.line, _console_words(session, request.line)
        waits = True
        if words and words[0] in REFUSED:
            request.messages.append(f"{words[0]}: time follows the wall's clock here\n")
            self._answer(request, 2)
            return
        if words[:1] == ["reboot"] and words[-1].endswith("&"):
            waits = False
            line = line.rstrip().removesuffix("&")
        # A goal that is there would make a line that is over look as if time had to pass for it.
        goal, session.goal = session.goal, None
        outcome = submit(session, line)
        if self.active is not None:
            session.goal = goal
        if outcome.action == "quit":
            self.quit = True
        request.command = outcome.command
        request.nodes = outcome.command.nodes if outcome.command is not None else None
        self._collect(request)
        if outcome.status == 0 and words[:1] == ["reboot"] and waits:
            request.rebooted = words[1]
            request.shell = _startup_shell(session, words[1])
            request.deadline = session.now + session.timeout
        elif outcome.status is not None:
            self._answer(request, outcome.status)
            return
        self.active = request
        self.interrupted = False

    def _ended(self, request: Request) -> int | None:
        """The status of the active request; None while it runs."""
        session = self.session
        command = request.command
        if command is not None:
            if command not in session.commands:
                # Somebody went back to before it.
                return STATUS_INTERRUPTED
            return command.status
        if request.rebooted:
            if up(session, request.rebooted, request.shell):
                return 0
            if request.deadline is not None and session.now >= request.deadline:
                request.messages.append(
                    f"reboot: {request.rebooted} is not up after {format_duration(session.timeout)}\n"
                )
                return STATUS_TIMEOUT
            return None
        return 0 if session.goal is None else None

    def _finish(self, request: Request, status: int) -> None:
        self.active = None
        self._answer(request, status)

    def _answer(self, request: Request, status: int) -> None:
        request.answer("".join(request.output), "".join(request.messages), status)

    # -- output --------------------------------------------------------------------------------------------------------

    def _gather(self) -> None:
        """What there is to show: to the active request what is its own, and to the lab's owner all of it."""
        for chunk in self.session.take_output():
            self._give(self.active, chunk)

    def _collect(self, request: Request) -> None:
        """What a line said while it was submitted is its own, but for the last words of a program that it ended."""
        active = self.active
        for chunk in self.session.take_output():
            theirs = active is not None and active.nodes is not None and chunk.node in active.nodes
            self._give(active if theirs else request, chunk)

    def _give(self, request: Request | None, chunk: Chunk) -> None:
        self.show(chunk)
        if request is None:
            return
        if chunk.kind == "message":
            request.messages.append(chunk.text)
        elif chunk.kind == "text" and (request.nodes is None or chunk.node in request.nodes):
            request.output.append(chunk.text)

    def _echo(self, line: str) -> None:
        session = self.session
        words = f"[{clock_text(session.now)}] {prompt(session, line)}\n"
        self.show(Chunk(session.now, "echo", "", words))


def up(session: Session, node: str, shell: int) -> bool:
    """Whether a node that was booted has run its startup lines, and none of its addresses is being tested still."""
    if shell:
        try:
            if session.world.systems[node].status(shell) is None:
                return False
        except Errno:
            # Ended so long ago that nobody remembers.
            pass
    return not any(testing for testing in _testing(session, node))


def _testing(session: Session, node: str) -> Iterator[bool]:
    for iface in session.world.network.nodes[node].interfaces.values():
        for address in iface.addresses:
            # An address on a link that is down stays tentative, with nothing that would end that.
            yield address.tentative and address.dad is not None and address.dad.at is not None


def _startup_shell(session: Session, node: str) -> int:
    """The process id of a node's startup shell, just after boot; 0 where it has none or it has ended."""
    for process in session.world.systems[node].procs.values():
        if process.name == "sh" and process.background and not process.ppid:
            return process.pid
    return 0


def _console_words(session: Session, line: str) -> list[str]:
    try:
        return split(session, line)[2].split()
    except KamelabError:
        return []
