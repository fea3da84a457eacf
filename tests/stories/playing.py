"""What the stories share: playing console lines on a lab, and taking down everything that a position is."""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple

from kamelab.capture.export import export
from kamelab.lab.console import execute
from kamelab.lab.digest import trace_hash
from kamelab.lab.loader import load_lab
from kamelab.lab.opening import open_session
from kamelab.lab.session import Goal, Session
from kamelab.stack import tables

SECOND = 1_000_000_000


class Said(NamedTuple):
    """A console line's exit status and everything that was shown meanwhile."""

    line: str
    status: int
    text: str


class Position(NamedTuple):
    """All that may be asked of a lab at one moment."""

    events: int
    now: int
    digest: str
    trace: str
    tables: dict[str, object]
    counters: dict[str, object]
    timers: object
    packets: list[tuple[object, ...]]
    links: list[tuple[int, int]]
    files: dict[str, object]
    logs: dict[str, object]
    commands: list[object]


def demo(seed: int | None = None) -> Session:
    return open_session("demo", seed)


def from_text(text: str, seed: int | None = None) -> Session:
    return Session(load_lab(text, "story.toml"), text, "story", seed)


def play(session: Session, *lines: str) -> list[Said]:
    """Run console lines to their ends; what each said, kernel messages and kamelab's own included."""
    said = []
    for line in lines:
        status = execute(session, line)
        said.append(Said(line, status, shown(session)))
    return said


def shown(session: Session) -> str:
    return "".join(f"{chunk.time} {chunk.kind} {chunk.node} {chunk.text}" for chunk in session.take_output())


def run_to(session: Session, time: int) -> None:
    """Let events happen and time pass up to ``time``, ns since boot."""
    session.goal = Goal(time=time)
    session.finish()


def pcapng(session: Session) -> bytes:
    out = BytesIO()
    assert export(session.world.network, out, "kamelab") == 0
    return out.getvalue()


def position(session: Session) -> Position:
    network = session.world.network
    nodes = network.nodes.items()
    return Position(
        session.events,
        session.now,
        session.digest(),
        trace_hash(session.world),
        {f"{name} {table}": tables.rows(node, table) for name, node in nodes for table in tables.TABLES},
        {name: node.counters() for name, node in nodes},
        network.timer_rows(),
        list(network.trace.packets),
        [(link.carried, link.lost) for link in network.links.values()],
        {name: dict(system.files) for name, system in session.world.systems.items()},
        {name: (list(node.kernel_log), list(session.world.systems[name].console)) for name, node in nodes},
        [(command.line, command.nodes, command.status, dict(command.output)) for command in session.commands],
    )
