"""Completion in line mode: what may stand where the cursor is."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.lab.console import names
from kamelab.lab.session import Session
from kamelab.userland import programs


def candidates(session: Session, before: str, text: str) -> list[str]:
    """What may complete ``text``, behind ``before`` on the line; sorted, with a blank where a word is done.

    In front: nodes, console commands, programs. Behind ``NODE:``: programs. Further on: names of the lab.
    """
    lead = before.strip()
    if not lead:
        words = [f"{node}:" for node in (*session.lab.nodes, "all")] + list(names()) + list(programs.names())
    elif lead.endswith((":", ";", "|", "&")):
        words = list(programs.names())
    else:
        words = [*session.lab.nodes, *session.lab.links]
        for node in session.world.network.nodes.values():
            words += node.interfaces
        words += list(programs.names()) if lead in ("man", "help") else []
    return [f"{word} " for word in sorted(set(words)) if word.startswith(text)]


class Completer:
    """What readline asks for candidates, one by one."""

    def __init__(self, session: Session, line: Callable[[], str], begin: Callable[[], int]) -> None:
        self._session = session
        self._line = line
        self._begin = begin

    def __call__(self, text: str, state: int) -> str | None:
        """Candidate number ``state`` for ``text``, None behind the last one."""
        found = candidates(self._session, self._line()[: self._begin()], text)
        return found[state] if state < len(found) else None
