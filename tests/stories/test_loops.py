"""Several routers, and routers that disagree: what traceroute6 shows, and what ends a packet that goes in circles."""

from __future__ import annotations

import re

from playing import from_text, play

from kamelab.lab.session import Session

CIRCLE = """format = 1
title = "Three routers, two of which send a prefix to each other"
[links.a]
latency = "1ms"
[links.b]
latency = "1ms"
[links.c]
latency = "1ms"
[nodes.h1]
startup = ["route add -inet6 default 2001:db8:1::1"]
interfaces.ne0 = { link = "a", addresses = ["2001:db8:1::9/64"] }
[nodes.r1]
role = "router"
startup = [
  "route add -inet6 2001:db8:ffff:: -prefixlen 48 2001:db8:2::2",
  "route add -inet6 2001:db8:3:: -prefixlen 64 2001:db8:2::2",
]
interfaces.ne0 = { link = "a", addresses = ["2001:db8:1::1/64"] }
interfaces.ne1 = { link = "b", addresses = ["2001:db8:2::1/64"] }
[nodes.r2]
role = "router"
startup = [
  "route add -inet6 2001:db8:ffff:: -prefixlen 48 2001:db8:3::3",
  "route add -inet6 2001:db8:1:: -prefixlen 64 2001:db8:2::1",
]
interfaces.ne0 = { link = "b", addresses = ["2001:db8:2::2/64"] }
interfaces.ne1 = { link = "c", addresses = ["2001:db8:3::2/64"] }
[nodes.r3]
role = "router"
startup = ["route add -inet6 default 2001:db8:3::2"]
interfaces.ne0 = { link = "c", addresses = ["2001:db8:3::3/64"] }
"""
HOP = re.compile(r"^ ?(\d+)  (\S+)  ", re.MULTILINE)


def settled() -> Session:
    session = from_text(CIRCLE)
    play(session, "run 5s")
    return session


def test_each_router_on_the_way_is_a_line() -> None:
    session = settled()
    [said] = play(session, "h1: traceroute6 -n -q 1 2001:db8:3::3")
    hops = HOP.findall(session.commands[-1].text)
    assert hops == [("1", "2001:db8:1::1"), ("2", "2001:db8:2::2"), ("3", "2001:db8:3::3")]
    assert said.status == 0


def test_a_circle_shows_as_the_same_two_routers_over_and_over() -> None:
    session = settled()
    play(session, "h1: traceroute6 -n -q 1 -m 8 2001:db8:ffff::1")
    hops = [router for _, router in HOP.findall(session.commands[-1].text)]
    assert hops == ["2001:db8:1::1", *["2001:db8:2::2", "2001:db8:3::3"] * 3, "2001:db8:2::2"]


def test_the_hop_limit_ends_a_packet_in_a_circle_and_its_sender_hears() -> None:
    session = settled()
    [said] = play(session, "h1: ping6 -c 1 -h 40 2001:db8:ffff::1")
    assert "from 2001:db8:2::2: Time to live exceeded" in said.text
    trace = session.world.network.trace
    ends = [record for record in trace.all() if record.event == "drop" and record.reason == "FWD_HLIM"]
    assert [record.node for record in ends] == ["r2"]
    forwards = [record for record in trace.all() if record.event == "forward" and record.node in ("r2", "r3")]
    assert len(forwards) >= 38
