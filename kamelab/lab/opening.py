"""Opening a lab or a session file by path or name."""

from __future__ import annotations

from kamelab import __version__
from kamelab.lab.journal import Entry, is_session
from kamelab.lab.journal import load as load_journal
from kamelab.lab.library import find_lab
from kamelab.lab.loader import load_lab
from kamelab.lab.reading import LabError, Problem
from kamelab.lab.session import Session


def open_session(path_or_name: str, seed: int | None = None) -> Session:
    """A session on a lab file, a shipped lab's name, or a session file (then at the position that it was saved at).

    Raises LabNotFound, OSError, or LabError: an invalid file, or a session whose replay ends in another digest.
    A session of another version adds a message.
    """
    source = find_lab(path_or_name)
    if not is_session(source.text):
        return Session(load_lab(source.text, source.path), source.text, source.name, seed)
    saved = load_journal(source.text, source.path)
    lab = load_lab(saved.head.lab, source.path)
    session = Session(lab, saved.head.lab, saved.head.name, saved.head.seed)
    check_entries(saved.entries, session, source.path)
    session.journal = list(saved.entries)
    session.back(saved.tail.events, saved.tail.time)
    if saved.head.kamelab != __version__:
        session.say("message", f"this session was saved by kamelab {saved.head.kamelab}; this is {__version__}\n")
    if session.digest() != saved.tail.digest:
        last = 2 + len(saved.entries)
        raise LabError([Problem(source.path, last, "digest", "expected the digest that replaying the journal gives")])
    return session


def check_entries(entries: tuple[Entry, ...], session: Session, path: str) -> None:
    """Every entry names nodes and links that the lab has. Raises LabError."""
    nodes, links = session.lab.nodes, session.lab.links
    for number, entry in enumerate(entries, 2):
        names = () if entry.kind == "console" or entry.node == "all" else entry.node.split()
        if any(name not in nodes for name in names):
            raise LabError([Problem(path, number, "node", f"expected a node of the lab, not {entry.node!r}")])
        if entry.kind not in ("line", "console", "signal", "input", "eof"):
            raise LabError([Problem(path, number, "kind", f"expected line, console, signal, input or eof, not {entry.kind!r}")])
        if entry.kind == "console":
            words = entry.text.split()
            known = {"link": links, "reboot": nodes}.get(words[0] if words else "")
            if known is None or len(words) < 2 or words[1] not in known:
                raise LabError([Problem(path, number, "text", "expected a link or reboot command on something of the lab")])
