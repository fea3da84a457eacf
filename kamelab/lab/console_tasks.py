"""Console commands of the lesson: task check hint solution goto reset."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.lab.session import Session


def _reset(session: Session, words: list[str]) -> int:
    session.reset()
    return 0


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "reset": ("reset", "begin the lab again", _reset),
}
