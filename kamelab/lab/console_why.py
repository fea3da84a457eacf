"""The console command ``why``."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.lab import why
from kamelab.lab.session import Session


def _why(session: Session, words: list[str]) -> int:
    session.say("text", why.explain(session, words).text())
    return 0


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "why": (
        "why PACKET|drop [NODE]|[NODE] ADDRESS|PREFIX/LEN|default",
        "what a packet, drop, neighbour, address or route came from, by which rules",
        _why,
    ),
}
