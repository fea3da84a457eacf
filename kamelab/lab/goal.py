"""What a session runs for: a command that was given, a goal to run to, and what there is to show on the way."""

from __future__ import annotations

from typing import NamedTuple

from kamelab.capture.filter import Filter


class Chunk(NamedTuple):
    """Something to show: ``kind`` is echo, text (of a program), console (kernel message) or message (kamelab's own)."""

    time: int
    kind: str
    node: str
    text: str


class Command:
    """A line that was given, with what it printed."""

    __slots__ = ("events", "interrupted", "line", "nodes", "output", "pids", "started", "status")

    def __init__(self, line: str, nodes: tuple[str, ...], started: int, events: int) -> None:
        self.line = line
        """Without its ``NODE:``."""
        self.nodes = nodes
        self.started = started
        self.events = events
        self.pids: dict[str, int] = {}
        self.output: dict[str, str] = dict.fromkeys(nodes, "")
        self.status: int | None = None
        """Exit status, the first failing one of several nodes; None while it runs."""
        self.interrupted = False

    @property
    def text(self) -> str:
        """All output, node after node in file order."""
        return "".join(self.output.values())


class Goal:
    """Until when to run. At least one of its limits is set; all are tested after every event."""

    __slots__ = ("command", "deadline", "events", "found", "idle", "kind", "match", "time")

    def __init__(
        self,
        *,
        time: int | None = None,
        events: int | None = None,
        idle: bool = False,
        command: Command | None = None,
        deadline: int | None = None,
        match: Filter | None = None,
        kind: str = "",
    ) -> None:
        self.time = time
        """Stop when the clock stands here, ns since boot."""
        self.events = events
        """Stop after this many events since boot."""
        self.idle = idle
        self.command = command
        self.deadline = deadline
        """Interrupt the command at this time."""
        self.match = match
        """Stop after the first event with a packet that the filter takes."""
        self.kind = kind
        """``packet`` or ``timer``: stop after the next such event."""
        self.found = False
