"""The console command ``ladder``: captured packets as arrows between nodes."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.capture.filter import FilterError, compile_filter
from kamelab.capture.ladder import ladder
from kamelab.core.errors import KamelabError
from kamelab.lab.session import Session


def _ladder(session: Session, words: list[str]) -> int:
    text = " ".join(words)
    try:
        chosen = compile_filter(text) if text else None
    except FilterError as error:
        raise KamelabError(str(error)) from None
    lines = ladder(session.world.network, chosen)
    session.say("text", "\n".join(lines) + "\n" if lines else "no packets\n")
    return 0


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "ladder": ("ladder [FILTER]", "captured packets as arrows between nodes", _ladder),
}
"""Name: usage, summary, function (see `kamelab.lab.console`)."""
