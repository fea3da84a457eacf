"""Console commands for files of the host: save, export; and man."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kamelab import __version__
from kamelab.capture.export import export
from kamelab.core.errors import KamelabError
from kamelab.lab.session import Session
from kamelab.lab.suggest import did_you_mean
from kamelab.userland import man


def _save(session: Session, words: list[str]) -> int:
    if len(words) != 1:
        raise KamelabError("expected a file name")
    try:
        Path(words[0]).write_bytes(session.save())
    except OSError as error:
        raise KamelabError(f"{words[0]}: {error.strerror}") from None
    return 0


def _export(session: Session, words: list[str]) -> int:
    if len(words) != 1 or not words[0].endswith(".pcapng"):
        raise KamelabError("expected a file name that ends in .pcapng")
    try:
        with open(words[0], "wb") as out:
            lost = export(session.world.network, out, f"kamelab {__version__}")
    except OSError as error:
        raise KamelabError(f"{words[0]}: {error.strerror}") from None
    if lost:
        session.say("message", f"{words[0]}: the {lost} oldest frames had to be let go: the capture is not complete\n")
        return 3
    return 0


def _man(session: Session, words: list[str]) -> int:
    if len(words) != 1:
        raise KamelabError("expected a program's name")
    text = man.page(words[0])
    if text is None:
        raise KamelabError(f"no manual page for {words[0]!r}{did_you_mean(words[0], man.names())}")
    session.say("text", text if text.endswith("\n") else text + "\n")
    return 0


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "save": ("save FILE", "write a session file: lab, seed and journal", _save),
    "export": ("export FILE.pcapng", "write all captured packets for Wireshark", _export),
    "man": ("man PROGRAM", "a program's manual page", _man),
}
