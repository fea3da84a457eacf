"""Completion knows commands, programs, options, nodes, interfaces and addresses, and nothing that is not there."""

from __future__ import annotations

import pytest

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.ui.completion import Completion, complete, options
from kamelab.userland.programs import names


@pytest.fixture(scope="module")
def session() -> Session:
    session = open_session("demo")
    execute(session, "run 5s")
    return session


def texts(found: Completion) -> list[str]:
    return [one.text for one in found.candidates]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tr", ["trace", "traceroute6", "true"]),
        ("ladder ipv6.fl", ["ipv6.flow"]),
        ("select ", ["h1", "r1", "h2"]),
        ("link l", ["lan1", "lan2"]),
        ("link lan1 l", ["latency=", "loss="]),
        ("step t", ["timer"]),
        ("h1: netst", ["netstat"]),
        ("h1: ifconfig n", ["ne0"]),
        ("r1: ifconfig ne", ["ne0", "ne1"]),
        ("r1: sysctl net.inet6.ip6.forw", ["net.inet6.ip6.forwarding"]),
        ("h1: ndp -an; ifm", ["ifmcstat"]),
        ("h1: netstat -rn | gr", ["grep"]),
        ("h1: route d", ["delete", "default"]),
        ("run until icmpv6.ty", ["icmpv6.type"]),
        ("man pin", ["ping6"]),
        ("select h1 ", []),
        ("nosuch ", []),
    ],
)
def test_what_can_follow(session: Session, line: str, expected: list[str]) -> None:
    assert texts(complete(session, line)) == expected


def test_a_line_begins_with_a_command_of_the_lab_a_program_or_a_node(session: Session) -> None:
    programs = [name for name in names() if name.startswith("h")]
    assert "hostname" in programs
    assert texts(complete(session, "h")) == ["hint", "help", *programs, "h1:", "h2:"]


def test_addresses_are_those_that_mean_something_on_the_node(session: Session) -> None:
    found = texts(complete(session, "h1: ping6 fe80"))
    # r1's on lan1 with h1's own zone, then its own; never those of lan2.
    assert found == ["fe80::ff:fe00:201%ne0", "fe80::ff:fe00:101%ne0"]
    assert "2001:db8:2::ff:fe00:301" in texts(complete(session, "h1: ping6 2001:"))


def test_the_word_is_replaced_from_its_begin_and_the_common_part_is_known(session: Session) -> None:
    found = complete(session, "h1: ping6 2001:db8:1::ff")
    assert found.start == len("h1: ping6 ")
    assert found.common == "2001:db8:1::ff:fe00:101"
    assert complete(session, "link la").common == "lan"
    assert complete(session, "zzz").common == ""


def test_options_come_with_what_the_manual_page_says(session: Session) -> None:
    notes = {one.text: one.note for one in options("ping6")}
    assert notes["-c"] == "count stop after count replies"
    assert "-c" in texts(complete(session, "h1: ping6 -"))
