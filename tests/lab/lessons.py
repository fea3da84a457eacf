"""Small lessons for tests: two hosts and a router, with the checks that a test is about."""

from __future__ import annotations

from kamelab.lab.console import execute
from kamelab.lab.library import LabSource
from kamelab.lab.opening import open_source
from kamelab.lab.session import Session

NETWORK = """\
format = 1
title = "A lesson"
[links.lan]
latency = "1ms"
[links.wan]
latency = "1ms"
[nodes.h1]
role = "host"
interfaces.ne0 = { link = "lan", mac = "00:60:97:00:00:01", addresses = ["2001:db8:1::1/64"] }
[nodes.h2]
interfaces.ne0 = { link = "lan", mac = "00:60:97:00:00:02", addresses = ["2001:db8:1::2/64"] }
[nodes.r1]
role = "router"
interfaces.ne0 = { link = "lan", mac = "00:60:97:00:00:03", addresses = ["2001:db8:1::3/64"] }
interfaces.ne1 = { link = "wan", mac = "00:60:97:00:00:04", addresses = ["2001:db8:2::3/64"] }
"""


def source(*tasks: str) -> LabSource:
    """A lab of these tasks; each is the TOML behind ``[[tasks]]``, without a title."""
    text = NETWORK
    for number, task in enumerate(tasks, 1):
        text += f'[[tasks]]\ntitle = "Task {number}"\n{task}\n'
    return LabSource("lesson", "lesson.toml", text)


def check(body: str) -> str:
    """A check of a task."""
    return f"[[tasks.checks]]\n{body}\n"


def lesson(*tasks: str) -> Session:
    """A session on such a lab, five seconds after boot: all addresses may be used."""
    session = open_source(source(*tasks))
    execute(session, "run 5s")
    session.take_output()
    return session


def play(session: Session, *lines: str) -> None:
    """Run lines to their end."""
    for line in lines:
        execute(session, line)


def marks(session: Session, task: int = 1) -> str:
    """The marks of a task's checks, as ``x``, `` `` and ``!``."""
    return "".join(state.mark for state in session.tasks.states[task - 1].checks)
