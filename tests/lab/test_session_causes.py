"""The chain of causes leads from what is seen back to the command that began it, across nodes, and stays short."""

from __future__ import annotations

from typing import Any

import pytest

from kamelab.core.trace import Record
from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session

H2 = "2001:db8:2::ff:fe00:301"
ECHO_REPLY = 129
ROUTER_ADVERT = 134


@pytest.fixture(scope="module")
def pinged() -> Session:
    session = open_session("demo")
    execute(session, "run until idle")
    assert execute(session, f"h1: ping6 -c 100 {H2}") == 0
    execute(session, "run 30m")
    return session


def frames(session: Session, node: str, event: str, kind: int) -> list[tuple[Any, ...]]:
    """Captured ICMPv6 messages of a type, without extension headers."""
    rows = session.world.network.trace.packets
    return [row for row in rows if row[2] == node and row[6] == event and row[12][20] == 58 and row[12][54] == kind]


def begins_with(chain: list[Record], line: str, stage: str = "console") -> bool:
    """Whether the oldest record is the command ``line``, which nothing caused."""
    first = chain[-1]
    return (first.event, first.stage, first.note, first.cause) == ("command", stage, line, 0)


def test_an_echo_reply_leads_to_the_line_that_was_typed(pinged: Session) -> None:
    reply = frames(pinged, "h1", "rx", ECHO_REPLY)[0]
    chain = pinged.world.network.trace.chain(reply[0])
    assert begins_with(chain, f"h1: ping6 -c 100 {H2}")
    nodes = list(dict.fromkeys(record.node for record in reversed(chain)))
    assert nodes == ["h1", "r1", "h2"], "out through the router, and back"
    assert sum(record.event == "hold" for record in chain) == 2, "the router had to ask for either host's address"
    assert [record.time for record in chain] == sorted((record.time for record in chain), reverse=True)


def test_the_hundredth_reply_is_as_near_to_it_as_the_second(pinged: Session) -> None:
    trace = pinged.world.network.trace
    replies = frames(pinged, "h1", "rx", ECHO_REPLY)
    assert len(replies) == 100
    second, last = trace.chain(replies[1][0]), trace.chain(replies[99][0])
    assert begins_with(last, f"h1: ping6 -c 100 {H2}")
    assert len(second) == len(last) == 13
    # What set it off just now was the wait between two requests.
    sent = last[-3]
    assert (sent.node, sent.event) == ("h1", "tx")
    timer = trace.get(sent.also)
    assert timer is not None
    assert (timer.node, timer.event) == ("h1", "timer")


def test_a_neighbours_state_leads_to_the_command_that_needed_it(pinged: Session) -> None:
    trace = pinged.world.network.trace
    states = [Record._make(row) for row in trace.records if row[6] == "state" and row[4] == "nd6_nud"]
    resolved = next(one for one in states if one.node == "r1" and one.reason == "INCOMPLETE > REACHABLE")
    assert begins_with(trace.chain(resolved.num), f"h1: ping6 -c 100 {H2}")
    probed = next(one for one in states if one.node == "h1" and one.reason == "PROBE > REACHABLE")
    chain = trace.chain(probed.num)
    assert begins_with(chain, f"h1: ping6 -c 100 {H2}")
    assert any(record.event == "timer" and record.stage == "nd6_timer" for record in chain)


def test_an_advertisement_leads_to_the_startup_line_of_rtadvd(pinged: Session) -> None:
    trace = pinged.world.network.trace
    heard = frames(pinged, "h2", "rx", ROUTER_ADVERT)
    assert len(heard) > 5
    for row in heard:
        chain = trace.chain(row[0])
        assert begins_with(chain, "rtadvd ne0 ne1", "sh")
        assert [record.event for record in chain] == ["rx", "tx", "command"]


def test_no_chain_grows_with_time(pinged: Session) -> None:
    trace = pinged.world.network.trace
    assert max(len(trace.chain(record.num)) for record in trace.all()) < 40


def test_causes_lie_before_their_effects_and_exist(pinged: Session) -> None:
    trace = pinged.world.network.trace
    for record in trace.all():
        for number in (record.cause, record.also):
            if number:
                earlier = trace.get(number)
                assert earlier is not None
                assert number < record.num
                assert earlier.time <= record.time


def test_a_reboot_is_the_cause_of_what_boot_does_again() -> None:
    session = open_session("demo")
    for line in ("run until idle", "reboot h1", "run until idle"):
        execute(session, line)
    trace = session.world.network.trace
    reboot = next(record for record in trace.all() if record.note == "reboot h1")
    after = [record for record in trace.all() if record.num > reboot.num and record.node == "h1"]
    again = [record for record in after if record.stage in ("sh", "dad_timer", "mld6_timer", "nd6_dad")]
    assert {record.event for record in again} == {"command", "timer", "state"}
    # The address made from the advertised prefix is the doing of the router's rtadvd.
    roots = {trace.chain(record.num)[-1].note for record in again}
    assert roots == {"reboot h1", "rtadvd ne0 ne1"}


def test_after_boot_everything_begins_with_a_command_or_a_timer_that_boot_armed(pinged: Session) -> None:
    trace = pinged.world.network.trace
    roots = {(record.event, record.stage) for record in trace.all() if record.time and not record.cause}
    # A group's timer was armed by the step of its machine that joining at boot was: that record is its cause.
    assert roots == {("command", "console"), ("timer", "dad_timer")}
