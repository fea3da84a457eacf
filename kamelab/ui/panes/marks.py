"""Which rows of a table are new, changed or gone, and since when.

Marks last from a command, step, run or way back to the next one: a stretch of time. What a command did stays marked
after it has ended, until something else happens.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from kamelab.lab.session import Session

NEW, CHANGED, GONE, SAME = "+", "~", "-", " "
"""Marks in the gutter."""


class Line(NamedTuple):
    """One row of a table, ready to be drawn."""

    key: Hashable
    """What it is a row of: the same key at another time is the same row."""
    cells: tuple[str, ...]
    content: Hashable
    """What counts as a change. Times that only run down are not in it."""
    paint: tuple[tuple[int, str], ...] = ()
    """Component classes of single cells: (column, class)."""


class Marked(NamedTuple):
    """A row and its mark."""

    mark: str
    line: Line


class Stretch:
    """Tells when a new stretch of time begins: at every command, step, run and way back.

    Marks compare with the end of the stretch before, so that what a command did stays marked after it has ended.
    """

    def __init__(self) -> None:
        self.number = 0
        self._session: Session | None = None
        self._position: tuple[int, int, int] | None = None
        self._run: object = None

    def look(self, session: Session) -> int:
        """The number of the stretch that the session is in now."""
        if session is not self._session:
            self._session = session
            self._position = None
            self._run = None
            self.number += 1
        position = (session.events, session.now, session.cursor)
        before, self._position = self._position, position
        goal = session.goal
        if before is None or position == before:
            if goal is None:
                self._run = None
            return self.number
        new = position[0] < before[0] or (self._run is None if goal is None else goal is not self._run)
        self._run = goal
        if new:
            self.number += 1
        return self.number


class Marks:
    """The rows of one table at the end of the stretch before, and the marks that follow from them."""

    def __init__(self, stretch: int, lines: Sequence[Line]) -> None:
        self.stretch = stretch
        self.base: tuple[Line, ...] = tuple(lines)
        self.last: tuple[Line, ...] = self.base

    def mark(self, stretch: int, lines: Sequence[Line]) -> list[Marked]:
        """Rows with their marks; those that have gone since stand where they were."""
        if stretch != self.stretch:
            self.stretch = stretch
            self.base = self.last
        self.last = tuple(lines)
        before = {line.key: line.content for line in self.base}
        here = {line.key for line in lines}
        gone: dict[Hashable, list[Marked]] = {}
        anchor: Hashable = None
        for line in self.base:
            if line.key in here:
                anchor = line.key
            else:
                gone.setdefault(anchor, []).append(Marked(GONE, line))
        out = gone.get(None, [])
        for line in lines:
            if line.key not in before:
                mark = NEW
            else:
                mark = SAME if before[line.key] == line.content else CHANGED
            out.append(Marked(mark, line))
            out += gone.get(line.key, ())
        return out
