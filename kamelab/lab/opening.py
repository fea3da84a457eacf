"""Opening a lab or a session file by path or name."""

from __future__ import annotations

import re

from kamelab import __version__
from kamelab.core.errors import KamelabError
from kamelab.lab import schema
from kamelab.lab.journal import Entry, SessionFile, is_session
from kamelab.lab.journal import load as load_journal
from kamelab.lab.library import LabSource, find_lab
from kamelab.lab.loader import load_lab
from kamelab.lab.reading import LabError, Problem
from kamelab.lab.session import SIGNAL_TEXTS, Session, link_setting
from kamelab.lab.tasks import DONE, Tasks


def open_session(path_or_name: str, seed: int | None = None) -> Session:
    """A session on a lab file, a shipped lab's name, or a session file (then at the position that it was saved at).

    Raises LabNotFound, OSError, or LabError: an invalid file, or a session whose replay ends in another digest.
    A session of another version adds a message.
    """
    return open_source(find_lab(path_or_name), seed)


def open_source(source: LabSource, seed: int | None = None) -> Session:
    """The same for a text that was read already."""
    if not is_session(source.text):
        session = Session(load_lab(source.text, source.path), source.text, source.name, seed)
        session.tasks = Tasks(session)
        return session
    saved = load_journal(source.text, source.path)
    lab = _embedded_lab(saved, source.path)
    session = Session(lab, saved.head.lab, saved.head.name, saved.head.seed)
    session.tasks = Tasks(session)
    try:
        session.plug(saved.head.ports)
    except KamelabError as error:
        raise LabError([Problem(source.path, saved.lines[0], "ports", str(error))]) from None
    check_entries(saved, session, source.path)
    session.journal = list(saved.entries)
    session.back(saved.tail.events, saved.tail.time)
    if saved.head.kamelab != __version__:
        session.say("message", f"this session was saved by kamelab {saved.head.kamelab}; this is {__version__}\n")
    if session.digest() != saved.tail.digest:
        raise LabError(
            [Problem(source.path, saved.lines[-1], "digest", "expected the digest that replaying the journal gives")]
        )
    return session


def _embedded_lab(saved: SessionFile, path: str) -> schema.Lab:
    """The lab in a session's head. Raises LabError: all of it stands in the file's first line."""
    try:
        return load_lab(saved.head.lab, path)
    except LabError as error:
        raise LabError(
            Problem(path, saved.lines[0], f"lab line {one.line}: {one.key}", one.message, one.suggestion)
            for one in error.problems
        ) from None


def check_entries(saved: SessionFile, session: Session, path: str) -> None:
    """Every entry can be applied to the lab, and they and the tail follow each other. Raises LabError."""
    events, time = 0, 0
    for line, entry in zip(saved.lines[1:-1], saved.entries, strict=True):
        if entry.events < events or entry.time < time:
            raise LabError([Problem(path, line, "events", "expected entries in the order in which they happened")])
        # An input is an event too.
        events, time = entry.events + 1, entry.time
        fault = _fault(entry, session)
        if fault is not None:
            raise LabError([Problem(path, line, *fault)])
    if saved.tail.events < events or saved.tail.time < time:
        raise LabError([Problem(path, saved.lines[-1], "events", "expected an end that lies behind all entries")])


def _fault(entry: Entry, session: Session) -> tuple[str, str] | None:
    """What is wrong with an entry, as (key, what was expected)."""
    nodes, links = session.lab.nodes, session.lab.links
    words = entry.text.split()
    if entry.kind == "console":
        if entry.text == DONE:
            return None
        known: dict[str, tuple[str, ...]] = {"link": tuple(links), "reboot": tuple(nodes)}
        if len(words) < 2 or words[1] not in known.get(words[0], ()):
            return "text", f"expected a link or reboot command on something of the lab, not {entry.text!r}"
        for word in words[2:]:
            if words[0] == "link" and word not in ("up", "down"):
                try:
                    link_setting(word)
                except ValueError as error:
                    return "text", str(error)
        return None
    if entry.kind == "frame":
        if " ".join(words[:2]) not in session.ports:
            return "text", f"expected a link and one of its ports, as the head names them, not {entry.text[:40]!r}"
        if len(words) != 3 or re.fullmatch("(?:[0-9a-f]{2})+", words[2]) is None:
            return "text", "expected a frame in hexadecimal"
        return None
    if entry.kind not in ("line", "signal", "input", "eof"):
        return "kind", f"expected line, console, signal, input, eof or frame, not {entry.kind!r}"
    names = list(nodes) if entry.kind == "line" and entry.node == "all" else entry.node.split()
    if not names or any(name not in nodes for name in names) or (len(names) > 1 and entry.kind != "line"):
        return "node", f"expected a node of the lab, not {entry.node!r}"
    if entry.kind == "signal" and entry.text not in SIGNAL_TEXTS:
        return "text", f"expected one of {', '.join(SIGNAL_TEXTS)}, not {entry.text!r}"
    return None
