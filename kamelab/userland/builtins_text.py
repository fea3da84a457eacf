"""echo, cat and grep: programs that pass text on, line by line, so that they work at the end of a running pipe."""

from __future__ import annotations

import re
from collections.abc import Callable

from kamelab.core.errors import Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.proc import Proc

CAT_USAGE = "usage: cat [-n] [file ...]\n"
GREP_USAGE = "usage: grep [-cEFilnqv] [-e pattern] [pattern] [file ...]\n"


async def echo(proc: Proc, argv: list[str]) -> int:
    """echo(1): its words with a space between; ``-n`` leaves the newline out."""
    words = argv[1:]
    bare = words[:1] == ["-n"]
    proc.write(" ".join(words[1:] if bare else words) + ("" if bare else "\n"))
    return 0


async def cat(proc: Proc, argv: list[str]) -> int:
    """cat(1): files, ``-`` or nothing being standard input; ``-n`` numbers the lines."""
    try:
        options, names = getopt(argv, "nu")
    except GetoptError as error:
        proc.error(f"cat: {error}\n{CAT_USAGE}")
        return 1
    numbered = ("-n", "") in options
    status = 0
    count = 0
    for name in names or ["-"]:
        if name == "-":
            while line := await proc.readline():
                count += 1
                proc.write(f"{count:6}\t{line}" if numbered else line)
            continue
        try:
            text = proc.read_file(name)
        except Errno as error:
            proc.error(f"cat: {name}: {error}\n")
            status = 1
            continue
        if numbered:
            lines = text.splitlines(keepends=True)
            text = "".join(f"{number:6}\t{line}" for number, line in enumerate(lines, count + 1))
            count += len(lines)
        proc.write(text)
    return status


_SWAPPED = frozenset("+?|(){}")


def basic_to_python(pattern: str) -> str:
    """A POSIX basic regular expression in Python's syntax: ``+ ? | ( ) { }`` are special only behind a backslash."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(pattern[at] if pattern[at] in _SWAPPED else "\\" + pattern[at])
        elif letter == "[":
            end = pattern.find("]", at + (3 if pattern[at + 1 : at + 2] == "^" else 2))
            end = len(pattern) - 1 if end < 0 else end
            out.append(pattern[at : end + 1].replace("\\", "\\\\"))
            at = end
        elif letter == "*" and not out:
            out.append("\\*")
        else:
            out.append("\\" + letter if letter in _SWAPPED else letter)
        at += 1
    return "".join(out)


def matcher(patterns: list[str], *, fixed: bool, extended: bool, fold: bool) -> Callable[[str], bool]:
    """A test of a line against patterns, newlines in a pattern separating more. Raises re.error."""
    every = [line for pattern in patterns for line in pattern.split("\n")]
    if fixed:
        every = [re.escape(pattern) for pattern in every]
    elif not extended:
        every = [basic_to_python(pattern) for pattern in every]
    compiled = [re.compile(pattern, re.IGNORECASE if fold else 0) for pattern in every]
    return lambda line: any(one.search(line) for one in compiled)


class _Grep:
    """One run of grep: its options and what it found."""

    def __init__(self, proc: Proc, flags: set[str], matches: Callable[[str], bool], prefixed: bool) -> None:
        self.proc = proc
        self.flags = flags
        self.matches = matches
        self.prefixed = prefixed
        self.found = False
        self.count = 0
        self.number = 0

    def line(self, name: str, line: str) -> bool:
        """Look at a line; False where the rest of this input matters no more."""
        self.number += 1
        text = line.removesuffix("\n")
        if self.matches(text) == ("v" in self.flags):
            return True
        self.found = True
        self.count += 1
        if self.flags & {"q", "l"}:
            return False
        if "c" not in self.flags:
            number = f"{self.number}:" if "n" in self.flags else ""
            self.proc.print((f"{name}:" if self.prefixed else "") + number + text)
        return True

    def end(self, name: str) -> None:
        """The end of an input."""
        if "q" not in self.flags:
            if "l" in self.flags:
                if self.count:
                    self.proc.print(name)
            elif "c" in self.flags:
                self.proc.print((f"{name}:" if self.prefixed else "") + str(self.count))
        self.count = self.number = 0


async def grep(proc: Proc, argv: list[str]) -> int:
    """grep(1): lines that match; status 0 where there are any, 1 where not, 2 for an error."""
    try:
        options, names = getopt(argv, "EFce:ilnqv")
        patterns = [value for option, value in options if option == "-e"]
        flags = {option[1] for option, _ in options}
        if not patterns:
            if not names:
                proc.error(GREP_USAGE)
                return 2
            patterns.append(names.pop(0))
        matches = matcher(patterns, fixed="F" in flags, extended="E" in flags, fold="i" in flags)
    except GetoptError as error:
        proc.error(f"grep: {error}\n{GREP_USAGE}")
        return 2
    except re.error as error:
        proc.error(f"grep: {error}\n")
        return 2
    run = _Grep(proc, flags, matches, len(names) > 1)
    failed = False
    for name in names or ["-"]:
        if name == "-":
            while (line := await proc.readline()) and run.line("(standard input)", line):
                pass
            run.end("(standard input)")
            continue
        try:
            lines = proc.read_file(name).splitlines()
        except Errno as error:
            proc.error(f"grep: {name}: {error}\n")
            failed = True
            continue
        for line in lines:
            if not run.line(name, line):
                break
        run.end(name)
    if failed and not ("q" in flags and run.found):
        return 2
    return 0 if run.found else 1
