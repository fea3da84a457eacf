"""``why`` of a packet whose source the kernel chose: over which other addresses, by which rule (RFC 6724 5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.lab.why import explain

LAB = """
format = 1
title = "Two addresses"
[links.lan]
[nodes.h1]
startup = ["route add -inet6 default 2001:db8:1::2"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64", "2001:db8:2::1/64"] }
[nodes.h2]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::2/64", "2001:db8:2::2/64"] }
"""
CHOSEN = (
    "chosen over fe80::ff:fe00:101%ne0 by rule 2 appropriate scope; "
    "chosen over 2001:db8:1::1 by rule 14 longest match (RFC 6724 5)"
)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    path = tmp_path / "lab.toml"
    path.write_text(LAB)
    session = open_session(str(path))
    execute(session, "run 5s")
    return session


def chain(session: Session, node: str, event: str, kind: int) -> str:
    """What led to the last ICMPv6 message of a type at a node."""
    rows = session.world.network.trace.packets
    num = next(r[0] for r in reversed(rows) if r[2] == node and r[6] == event and r[12][54] == kind)
    about = explain(session, [str(num)])
    return "\n".join(line for name, lines in about.sections if name.startswith("because of") for line in lines)


def test_a_request_tells_what_its_source_was_chosen_over(session: Session) -> None:
    execute(session, "h1: ping6 -c 1 2001:db8:2::2")
    assert f": {CHOSEN}" in chain(session, "h1", "tx", 128)


def test_so_do_its_repetitions_and_the_answer_that_it_led_to(session: Session) -> None:
    execute(session, "h1: ping6 -c 3 2001:db8:2::2")
    assert chain(session, "h1", "tx", 128).count(CHOSEN) == 1
    assert chain(session, "h1", "rx", 129).count(CHOSEN) == 1, "of the request, not of the answer"


def test_the_choice_of_before_is_not_taken_for_that_of_now(session: Session) -> None:
    execute(session, "h1: ping6 -c 1 2001:db8:2::2")
    execute(session, "h1: ifconfig ne0 inet6 2001:db8:2::1 -alias")
    execute(session, "h1: ping6 -c 1 2001:db8:2::2")
    told = chain(session, "h1", "tx", 128)
    assert CHOSEN not in told
    assert "chosen over fe80::ff:fe00:101%ne0 by rule 2 appropriate scope (RFC 6724 5)" in told


def test_a_source_that_was_asked_for_was_not_chosen(session: Session) -> None:
    execute(session, "h1: ping6 -c 1 2001:db8:2::2")
    execute(session, "h1: ping6 -c 1 -S 2001:db8:1::1 2001:db8:2::2")
    assert "its source" not in chain(session, "h1", "tx", 128)


def test_the_rules_of_2000_speak_for_themselves(session: Session) -> None:
    execute(session, "h1: sysctl -w net.inet6.ip6.srcsel_2000=1")
    execute(session, "h1: ping6 -c 1 2001:db8:2::2")
    told = chain(session, "h1", "tx", 128)
    assert "with the destination's scope, the longest match (KAME IMPLEMENTATION 1.6 (2000))" in told
