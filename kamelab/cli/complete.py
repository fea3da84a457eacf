"""Completion in line mode: the prompt's (`kamelab.ui.completion`), in the manner in which readline asks for it."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.lab.session import Session
from kamelab.ui.completion import complete

DELIMITERS = " \t\n;|&<>"
"""What ends a word, as it does for the shell."""


class Completer:
    """What readline calls for candidates, one by one. ``line`` gives the line, ``end`` where the cursor stands."""

    def __init__(self, session: Session, line: Callable[[], str], end: Callable[[], int]) -> None:
        self._session = session
        self._line = line
        self._end = end
        self._found: list[str] = []

    def __call__(self, text: str, state: int) -> str | None:
        """Candidate number ``state`` for the word ``text`` at the cursor, None behind the last one."""
        if state == 0:
            found = complete(self._session, self._line()[: self._end()])
            self._found = [one.text for one in found.candidates]
        return self._found[state] if state < len(self._found) else None
