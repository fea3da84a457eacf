"""The console command ladder: the same filters as trace, drawn as arrows."""

from __future__ import annotations

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session

H2 = "2001:db8:2::ff:fe00:301"


def said(session: Session, line: str) -> tuple[int, str]:
    session.take_output()
    status = execute(session, line)
    return status, "".join(chunk.text for chunk in session.take_output())


def test_a_ping_through_the_demo_and_back() -> None:
    session = open_session("demo")
    execute(session, "run until idle")
    execute(session, f"h1: ping6 -c 1 {H2}")
    status, text = said(session, "ladder icmpv6.type == 128 || icmpv6.type == 129")
    lines = text.splitlines()
    assert status == 0
    assert lines[0].split() == ["time", "h1", "r1", "h2"]
    assert [line.split("echo")[0][10:].strip() for line in lines[1:]] == [
        "|-------->|         |",
        "|         |-------->|",
        "|         |<--------|",
        "|<--------|         |",
    ]


def test_help_empty_answers_and_wrong_filters() -> None:
    session = open_session("demo")
    assert said(session, "ladder udp") == (0, "no packets\n")
    status, text = said(session, "ladder udp ==")
    assert status == 2
    assert text.endswith("usage: ladder [FILTER]\n")
    assert "ladder [FILTER]" in said(session, "help")[1]


def test_looking_changes_nothing() -> None:
    session = open_session("demo")
    execute(session, "run until idle")
    events, records = session.events, session.world.network.trace.num
    said(session, "ladder")
    assert (session.events, session.world.network.trace.num) == (events, records)
