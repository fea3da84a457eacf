"""Scripts of console lines: cutting a text into lines, and finding what is wrong with them before anything runs.

A line is what the prompt takes (design: console lines). Blank lines and lines of ``#`` comments are passed over; a
program line goes on where the shell's grammar asks for more: an open quote, a here-document, a ``|`` or backslash at
the end. Left out: what only running can tell, such as an unknown program on a node.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kamelab.core.errors import KamelabError
from kamelab.lab.console import split
from kamelab.lab.journal import is_session
from kamelab.lab.reading import LabError, Problem
from kamelab.lab.script import Gatherer, ScriptLine
from kamelab.lab.session import Session
from kamelab.userland.shell_grammar import ShellError, parse

STDIN = "<stdin>"
"""What messages call standard input."""


def read_script(session: Session, text: str, name: str) -> list[ScriptLine]:
    """The console lines of a whole script, checked as far as can be without running them.

    Raises LabError with every line that names an unknown node or command, or that the shell's grammar refuses.
    """
    if is_session(text):
        message = "expected console lines, not a session file: give it in place of the lab"
        raise LabError([Problem(name, 1, "script", message)])
    gatherer = Gatherer()
    lines = [line for source in text.split("\n") if (line := gatherer.feed(source.removesuffix("\r"))) is not None]
    if (unended := gatherer.rest()) is not None:
        lines.append(unended)
    problems = [problem for line in lines if (problem := check_line(session, line, name)) is not None]
    if problems:
        raise LabError(problems)
    return lines


def check_line(session: Session, line: ScriptLine, name: str) -> Problem | None:
    """What is wrong with a console line, where that shows without running it."""
    try:
        nodes, program, _ = split(session, line.text)
        if nodes:
            parse(program)
    except KamelabError as error:
        return Problem(name, line.number, "line", str(error))
    except ShellError as error:
        # The program begins on the first line, behind what names its node.
        lead = len(line.text.partition("\n")[0]) - len(program.partition("\n")[0]) if error.line == 1 else 0
        where = f"column {error.column + lead}"
        return Problem(name, line.number + error.line - 1, "syntax", f"{error.message} ({where})")
    return None


def load_script(path: str) -> tuple[str, str]:
    """A script's name for messages and its text; ``-`` is standard input.

    Raises OSError if the file can't be read, LabError if it is no UTF-8 text.
    """
    if path == "-":
        return STDIN, sys.stdin.read()
    data = Path(path).read_bytes()
    try:
        return path, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"expected text in UTF-8, the octet 0x{data[error.start]:02x} here is none"
        raise LabError([Problem(path, line, "syntax", message)]) from None
