"""Cutting a script, a task's solution, or typed lines into console lines.

Blank lines and comments fall away; a here-document, an open quote, a ``|`` or a backslash at the end draws the next
lines in. Left out: whether a line can be run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kamelab.core.errors import KamelabError
from kamelab.userland.shell_grammar import needs_more

_PREFIX = re.compile(r"\s*[a-z][a-z0-9-]*\s*:(?!:)")


class ScriptError(KamelabError):
    """A script ends in the middle of a line; ``line`` is where that line began, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__("expected the rest of this line: a quote or here-document is not closed")
        self.line = line


class ScriptLine(NamedTuple):
    """One console line of a script, with newlines inside where it spans several."""

    number: int
    """Of its first line, counted from 1."""
    text: str


class Gatherer:
    """Puts console lines together from the lines of a text, one at a time."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._number = 0
        self._begun = 0

    @property
    def open(self) -> bool:
        """Whether a console line has begun and is not whole yet."""
        return bool(self._held)

    def feed(self, line: str) -> ScriptLine | None:
        """Take the next line of the text, without its newline; the console line that it completes, if it does."""
        self._number += 1
        if not self._held:
            if not line.strip() or line.lstrip().startswith("#"):
                return None
            self._begun = self._number
        self._held.append(line)
        if needs_more(_PREFIX.sub("", "\n".join(self._held), count=1)):
            return None
        return self.rest()

    def rest(self) -> ScriptLine | None:
        """What has been gathered, whole or not: at the text's end, or when the user gives it up."""
        if not self._held:
            return None
        text, self._held = "\n".join(self._held), []
        return ScriptLine(self._begun, text)


def statements(text: str) -> Iterator[ScriptLine]:
    """The console lines of a text. Raises ScriptError at the end where one is not whole."""
    gatherer = Gatherer()
    for line in text.splitlines():
        whole = gatherer.feed(line)
        if whole is not None:
            yield whole
    unended = gatherer.rest()
    if unended is not None:
        raise ScriptError(unended.number)


def without_comment(line: str) -> str:
    """A console command without the ``# ...`` behind it."""
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and at and line[at - 1].isspace():
            return line[:at].rstrip()
    return line
