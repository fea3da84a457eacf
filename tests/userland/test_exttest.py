"""exttest(8): an echo request behind the extension headers that are asked for, and the answers (RFC 8200 4)."""

from __future__ import annotations

import pytest
from real_nodes import Bench, small

from kamelab.lab.console import execute
from kamelab.lab.loader import load_lab
from kamelab.lab.session import Session
from kamelab.wire import in6

HOST = "2001:db8:1::2"
USAGE = "usage: exttest [-I interface] [-w seconds] host [header ...]\n"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return small()


def last(bench: Bench) -> bytes:
    """The last packet that h1 sent to a node or group, neighbor discovery left out."""
    packets = [
        record[12][14:]
        for record in bench.net.trace.packets
        if record[2] == "h1" and record[6] == "tx" and not (record[12][20] == 58 and record[12][54] in (135, 136))
    ]
    return packets[-1]


def test_without_headers_it_is_an_echo_request(bench: Bench) -> None:
    began = bench.now
    result = bench.sh("h1", f"exttest {HOST}")
    assert result.lines == ["2001:db8:1::1 > 2001:db8:1::2: 56 octets", "2001:db8:1::2: echo reply, 16 octets"]
    assert result.status == 0
    assert bench.now - began == 3_000_000_000, "others may answer, too"


def test_the_headers_stand_in_the_order_of_the_words(bench: Bench) -> None:
    result = bench.sh("h1", f"exttest -w 1 {HOST} hbh dst rt:0 frag dst")
    names = "hop-by-hop, destination options, routing, fragment, destination options"
    assert result.lines == [f"2001:db8:1::1 > {HOST}: {names}, 96 octets", f"{HOST}: echo reply, 16 octets"]
    packet = last(bench)
    assert packet[6] == 0
    assert [packet[at] for at in (40, 48, 56, 64, 72)] == [60, 43, 44, 60, 58]
    assert packet[64:72] == bytes.fromhex("3c00000000000001"), "an atomic fragment"


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ("dst:0x1e=0102", "echo reply, 16 octets"),
        ("dst:0x5e=0102", ""),
        ("dst:0x9e=0102", "Parameter problem: Unrecognized Option pointer = 0x2a: octet 0x9e"),
        ("dst:0x1e,0xde", "Parameter problem: Unrecognized Option pointer = 0x2c: octet 0xde"),
        ("dst hbh", "Parameter problem: Unknown Nextheader pointer = 0x28: octet 0x00"),
        ("200", "Parameter problem: Unknown Nextheader pointer = 0x06: octet 0xc8"),
        ("none", ""),
        ("rt:5", "echo reply, 16 octets"),
        ("rt:5,1", "Parameter problem: Erroneous Header pointer = 0x2a: octet 0x05"),
        ("'dst*40'", "echo reply, 16 octets"),
        ("'dst*60'", ""),
    ],
)
def test_what_a_receiver_says_of_headers_and_options(bench: Bench, headers: str, answer: str) -> None:
    result = bench.sh("h1", f"exttest -w 1 {HOST} {headers}")
    assert result.lines[1:] == [f"{HOST}: {answer}" if answer else "no answer"]
    assert result.status == (0 if answer.startswith("echo") else 2)


def test_a_repeated_header_is_named_once(bench: Bench) -> None:
    line = bench.sh("h1", f"exttest -w 1 {HOST} 'dst*3'").lines[0]
    assert line == "2001:db8:1::1 > 2001:db8:1::2: 3 times destination options, 80 octets"
    assert [last(bench)[at] for at in (6, 40, 48, 56)] == [60, 60, 60, 58]


def test_a_group_answers_as_often_as_it_has_members_and_keeps_silent_where_the_option_says_so(bench: Bench) -> None:
    lines = bench.sh("h1", "exttest -w 1 -I ne0 ff02::1 dst:0x9e").lines
    problem = "Parameter problem: Unrecognized Option pointer = 0x2a: octet 0x9e"
    assert lines[0] == "fe80::ff:fe00:1%ne0 > ff02::1%ne0: destination options, 64 octets"
    assert set(lines[1:]) == {f"fe80::ff:fe00:1%ne0: {problem}", f"fe80::ff:fe00:2%ne0: {problem}"}
    assert bench.sh("h1", "exttest -w 1 -I ne0 ff02::1 dst:0xde").lines[1:] == ["no answer"]


def test_a_routing_header_has_the_addresses_that_are_given(bench: Bench) -> None:
    result = bench.sh("h1", f"exttest -w 1 {HOST} rt:0,1,::ffff:127.0.0.1")
    assert result.lines[1:] == ["no answer"]
    assert last(bench)[40:48] == bytes.fromhex("3a02000100000000")
    assert last(bench)[48:64] == in6.pton("::ffff:127.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", USAGE),
        ("-x", f"exttest: illegal option -- x\n{USAGE}"),
        (f"-w 0 {HOST}", "exttest: -w 0: expected a number of seconds from 1 to 3600\n"),
        (f"-I ne7 {HOST}", "exttest: ne7: invalid interface name\n"),
        (f"{HOST} hob", "exttest: hob: expected hbh, dst, rt, frag, none or the number of a protocol\n"),
        (f"{HOST} frag:8", "exttest: frag:8: expected hbh, dst, rt, frag, none or the number of a protocol\n"),
        (f"{HOST} dst:x", "exttest: dst:x: expected an option as TYPE or TYPE=HEX, 0x9e=0102\n"),
        (f"{HOST} dst:0x1e=0", "exttest: dst:0x1e=0: expected an option as TYPE or TYPE=HEX, 0x9e=0102\n"),
        (f"{HOST} dst:300", "exttest: dst:300: expected an option as TYPE or TYPE=HEX, 0x9e=0102\n"),
        (f"{HOST} rt:0,1,x", "exttest: rt:0,1,x: bad IPv6 address 'x': 'x' is no group of 1 to 4 hex digits\n"),
        (f"{HOST} rt:256", "exttest: rt:256: expected rt:TYPE,SEGMENTSLEFT,ADDRESS...\n"),
        (f"{HOST} 'dst*0'", "exttest: dst*0: expected a number from 1 to 200 behind *\n"),
        ("nobody", "exttest: nobody: hostname nor servname provided, or not known\n"),
    ],
)  # fmt: skip
def test_what_it_refuses(bench: Bench, arguments: str, said: str) -> None:
    assert bench.sh("h1", f"exttest {arguments}") == (said, 1)


def test_a_packet_that_can_not_be_sent_is_told(bench: Bench) -> None:
    result = bench.sh("h1", "exttest 2001:db8:9::1")
    assert result.status == 1
    assert "route to host" in result.output or "unreachable" in result.output


ROW = """
format = 1
title = "A host, a router, a host"
[links.a]
[links.b]
[nodes.h1]
startup = ["route add -inet6 default 2001:db8:1::1"]
interfaces.ne0 = { link = "a", addresses = ["2001:db8:1::9/64"] }
[nodes.r1]
role = "router"
interfaces.ne0 = { link = "a", addresses = ["2001:db8:1::1/64"] }
interfaces.ne1 = { link = "b", addresses = ["2001:db8:2::1/64"] }
[nodes.h2]
startup = ["route add -inet6 default 2001:db8:2::1"]
interfaces.ne0 = { link = "b", addresses = ["2001:db8:2::2/64"] }
"""


@pytest.mark.parametrize("stops", ["1,2001:db8:2::2", "2,2001:db8:2::1,2001:db8:2::2"])
def test_a_source_route_is_followed_and_answered(stops: str) -> None:
    session = Session(load_lab(ROW, "row.toml"), ROW, "row")
    execute(session, "run 5s")
    execute(session, f"h1: exttest 2001:db8:1::1 rt:0,{stops}")
    assert "2001:db8:2::2: echo reply" in session.commands[-1].text
