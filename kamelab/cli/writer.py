"""Where played lines go: as text for people and for comparing with a BSD's output, or as JSON for programs.

Data goes to stdout: echo, output of programs, kernel messages. Kamelab's own words go to stderr.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from kamelab.lab.console import prompt
from kamelab.lab.console_show import clock_text
from kamelab.lab.session import Chunk, Session

Put = Callable[[str], None]
"""Writes a text as it is."""


class Writer(Protocol):
    """Shows what is played."""

    place: str
    """``file:line: ``, put before kamelab's own words about a line."""

    def begin(self, session: Session, line: str) -> None:
        """A line starts."""

    def chunk(self, chunk: Chunk) -> None:
        """Something came out."""

    def end(self, session: Session, status: int) -> None:
        """The line has ended."""

    def finish(self, session: Session, status: int) -> None:
        """All lines have been played; ``status`` is the exit status."""


class TextWriter:
    """An echo for each line (``echo``), and output as it is, unprefixed."""

    def __init__(self, out: Put, err: Put, *, echo: bool = True) -> None:
        self.place = ""
        self._out = out
        self._err = err
        self._echo = echo
        self._midline = False

    def begin(self, session: Session, line: str) -> None:
        """The echo: ``[00:00:12.000000] h1# ndp -an``."""
        if self._echo:
            self._whole(f"[{clock_text(session.now)}] {prompt(session, line)}\n")

    def chunk(self, chunk: Chunk) -> None:
        """Output of a program, a kernel message with its time and node, or a message for stderr."""
        if chunk.kind == "message":
            self._err(located(self.place, chunk.text))
        elif chunk.kind == "console":
            self._whole(f"[{clock_text(chunk.time)}] {chunk.node} console: {chunk.text}")
        elif chunk.text:
            self._out(chunk.text)
            self._midline = not chunk.text.endswith("\n")

    def end(self, session: Session, status: int) -> None:
        """A program may stop within its line; what follows begins its own."""
        if self._midline:
            self._whole("")

    def finish(self, session: Session, status: int) -> None:
        """Nothing: the text is complete."""

    def _whole(self, text: str) -> None:
        self._out("\n" + text if self._midline else text)
        self._midline = False


class JsonWriter:
    """One object a line: line, node, time, ended, output, console, status; the last one: digest, events, time, status.

    Times are ns since boot. ``node`` is ``all`` or ``kamelab`` where the line was for all or for kamelab itself.
    """

    def __init__(self, out: Put, err: Put) -> None:
        self.place = ""
        self._out = out
        self._err = err
        self._line: dict[str, Any] = {}
        self._output: list[str] = []
        self._console: list[dict[str, Any]] = []

    def begin(self, session: Session, line: str) -> None:
        """Remember what was given, to whom and when."""
        node, _, text = prompt(session, line).partition("# ")
        self._line = {"line": text, "node": node, "time": session.now}

    def chunk(self, chunk: Chunk) -> None:
        """Gather output; messages go to stderr at once."""
        if chunk.kind == "message":
            self._err(located(self.place, chunk.text))
        elif chunk.kind == "console":
            self._console.append({"time": chunk.time, "node": chunk.node, "text": chunk.text.rstrip("\n")})
        else:
            self._output.append(chunk.text)

    def end(self, session: Session, status: int) -> None:
        """The line's object."""
        output, self._output = "".join(self._output), []
        console, self._console = self._console, []
        self._put({**self._line, "ended": session.now, "output": output, "console": console, "status": status})

    def finish(self, session: Session, status: int) -> None:
        """The object of the whole."""
        self._put({"digest": session.digest(), "events": session.events, "time": session.now, "status": status})

    def _put(self, tree: dict[str, Any]) -> None:
        self._out(msgspec.json.encode(tree).decode() + "\n")


def located(place: str, text: str) -> str:
    """Kamelab's own words about a line, with the line's place in front."""
    return place + text.removeprefix("kamelab: ") if place else text
