"""Cutting a script, or a task's solution, into console lines.

Blank lines and comments fall away; a here-document, an open quote or a backslash at the end draws the next lines in.
Left out: whether a line can be run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kamelab.core.errors import KamelabError
from kamelab.userland.shell_grammar import needs_more

_PREFIX = re.compile(r"\s*[a-z][a-z0-9-]*\s*:(?!:)")


class ScriptError(KamelabError):
    """A script ends in the middle of a line; ``line`` is where that line began, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__("expected the rest of this line: a quote or here-document is not closed")
        self.line = line


def statements(text: str) -> Iterator[tuple[int, str]]:
    """(number of the first line, from 1; console line, perhaps of several lines). Raises ScriptError at the end."""
    held: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not held:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            first = number
        held.append(line)
        whole = "\n".join(held)
        if not needs_more(_PREFIX.sub("", whole, count=1)):
            yield first, without_comment(whole)
            held = []
    if held:
        raise ScriptError(first)


def without_comment(line: str) -> str:
    """A console command without the ``# ...`` behind it; a program line as it is: the shell knows comments itself."""
    if _PREFIX.match(line):
        return line
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and at and line[at - 1].isspace():
            return line[:at].rstrip()
    return line
