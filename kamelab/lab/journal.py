"""The journal: what came into a lab from outside, and the session file that holds it.

Everything else follows from lab file, seed and journal. An entry's place is (events done before it, time): by time
alone a replay would go wrong where an input falls between two events of one instant.

A session file is JSON lines: a head with version, lab text and seed; the entries; a tail with the digest.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kamelab.lab.reading import LabError, Problem

SESSION_FORMAT = 1


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input."""

    time: int
    """ns since boot."""
    events: int
    """Events done before it."""
    kind: str
    """line: a program line ``NODE: ...``; console: a console command that changes something; input, eof, signal: of a
    node's terminal; frame: one comes from outside (``LINK PORT HEX``)."""
    node: str = ""
    text: str = ""


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """First line of a session file."""

    kamelab: str
    session: int
    name: str
    seed: int
    lab: str
    ports: tuple[str, ...] = ()
    """Where links end in the outside world, each ``LINK PORT`` (`Session.plug`)."""


class Tail(msgspec.Struct, frozen=True):
    """Last line: where the session stood."""

    events: int
    time: int
    digest: str


class SessionFile(msgspec.Struct, frozen=True):
    """A session file as read."""

    head: Head
    entries: tuple[Entry, ...]
    tail: Tail
    lines: tuple[int, ...]
    """Line numbers of head, entries and tail."""


def dump(head: Head, entries: list[Entry], tail: Tail) -> bytes:
    """The file's octets."""
    lines: list[Any] = [head, *entries, tail]
    return b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n"


def is_session(text: str) -> bool:
    """Whether a file's text looks like a session file rather than a lab file."""
    return text.lstrip().startswith("{")


def load(text: str, path: str) -> SessionFile:
    """Read a session file. Raises `LabError` with file and line."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) < 2:
        raise LabError([Problem(path, 1, "session", "expected a head line, journal entries, and a tail line")])

    def read(index: int, shape: type[Any], what: str) -> Any:
        number, line = lines[index]
        try:
            return msgspec.json.decode(line, type=shape)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise LabError([Problem(path, number, what, f"expected a {what} line: {error}")]) from None

    head = read(0, Head, "head")
    if head.session != SESSION_FORMAT:
        raise LabError([Problem(path, 1, "session", f"expected session format {SESSION_FORMAT}, not {head.session}")])
    entries = tuple(read(index, Entry, "journal") for index in range(1, len(lines) - 1))
    return SessionFile(head, entries, read(len(lines) - 1, Tail, "tail"), tuple(number for number, _ in lines))
