"""Nothing ticks: what an idle network does in a day, when a lab is idle, and what its event heap holds."""

from __future__ import annotations

import pytest
from playing import SECOND, demo, from_text, play, run_to

from kamelab.core.clock import DAY, HOUR, Clock
from kamelab.core.timers import DEAD_LIMIT, Timer
from kamelab.lab.session import Session
from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import tables

HOSTS = 19
LINK = """format = 1
title = "A wire"

[links.lan]
kind = "ethernet"
latency = "100us"
"""
ROUTER = """
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
"""


def hosts(count: int) -> str:
    return "".join(
        f'\n[nodes.h{number}]\nrole = "host"\ninterfaces.ne0 = {{ link = "lan", up = true }}\n'
        for number in range(1, count + 1)
    )


def live_entries(session: Session) -> list[Timer]:
    return [
        entry[2]
        for entry in session.world.network.clock.heap
        if isinstance(entry[2], Timer) and entry[2].entry == entry[1] and entry[2].at is not None
    ]


def test_a_day_of_twenty_nodes_and_a_router_is_a_few_thousand_events() -> None:
    session = from_text(LINK + ROUTER + hosts(HOSTS))
    run_to(session, 60 * SECOND)
    booted = session.events
    assert booted < 40 * (HOSTS + 1)
    run_to(session, DAY)
    network = session.world.network
    sent = [row for row in network.trace.packets if row[6] == "tx" and row[1] > 60 * SECOND]
    # rtadvd waits 200 to 600 seconds (RFC 4861 6.2.1); each advertisement is one timer and one delivery a host.
    assert DAY // (600 * SECOND) <= len(sent) <= DAY // (200 * SECOND) + 3
    assert {row[2] for row in sent} == {"r1"}
    assert session.events - booted == len(sent) * (HOSTS + 1)
    assert len(network.clock.heap) <= 3 * (HOSTS + 1)
    assert session.idle()
    for number in range(1, HOSTS + 1):
        (route, *_) = tables.routes(network.nodes[f"h{number}"])
        assert (route.destination, route.gateway) == ("default", "fe80::ff:fe00:101%ne0")


def test_without_a_router_a_day_is_nothing_at_all() -> None:
    session = from_text(LINK + hosts(5))
    assert play(session, "run until idle")[0].status == 0
    assert session.now < 20 * SECOND
    network = session.world.network
    assert network.next_event_at() is None
    assert network.clock.heap == []
    done, digest = session.events, session.digest()
    run_to(session, DAY)
    assert (session.now, session.events, session.digest()) == (DAY, done, digest)


def test_an_old_neighbour_costs_two_events_a_day() -> None:
    session = from_text(LINK + hosts(2))
    play(session, "run until idle", "h1: ping6 -c 1 -I ne0 fe80::ff:fe00:201%ne0", "run 1m")
    done = session.events
    # STALE entries are let go after a day (KAME nd6_gctimer), once at either end.
    run_to(session, 2 * DAY)
    assert session.events == done + 2
    assert all(not node.interfaces["ne0"].neighbors for node in session.world.network.nodes.values())


def test_boot_is_not_idle_before_addresses_are_checked() -> None:
    session = from_text(LINK + hosts(2))
    assert not session.idle()
    play(session, "run until idle")
    assert session.idle()
    addresses = tables.addresses(session.world.network.nodes["h1"])
    assert all("tentative" not in row.flags for row in addresses)


def test_idle_stops_at_the_last_frame_even_where_nobody_takes_it() -> None:
    session = from_text(LINK + ROUTER + hosts(3))
    play(session, "run until idle", "h1: ping6 -c 1 2001:db8:1::1", "run until idle")
    now = session.now
    play(session, "run until idle")
    assert session.now == now
    # A neighbour's answer is the last frame; two hosts' address filters refuse it, and no advertisement is near.
    play(session, "h2: ping6 -c 1 2001:db8:1::1", "run until idle")
    assert session.now - now < 10 * SECOND


def test_work_to_come_and_mere_ageing() -> None:
    session = demo()
    play(session, "run until idle")
    assert session.idle(), "rtadvd waits for solicitations and for its next turn"
    play(session, "h1: ping6 -c 1 2001:db8:2::1", "run until idle")
    assert "REACHABLE" in str(tables.neighbors(session.world.network.nodes["h1"]))
    assert session.idle(), "a reachable neighbour only ages"

    play(session, "h1: sleep 5 &")
    assert not session.idle(), "a job asleep is work to come"
    before = session.now
    play(session, "run until idle")
    assert session.now == before + 5 * SECOND

    play(session, "run 50s", "h1: ping6 -c 1 2001:db8:2::1")
    states = [row.state for row in tables.neighbors(session.world.network.nodes["h1"])]
    assert "DELAY" in states
    assert not session.idle(), "a neighbour in DELAY will be probed"
    play(session, "run until idle")
    assert "DELAY" not in [row.state for row in tables.neighbors(session.world.network.nodes["h1"])]


def test_a_frame_in_flight_is_not_idle() -> None:
    session = demo()
    play(session, "run until idle", "link lan1 latency=3s", "h1: ping6 -c 1 -I ne0 ff02::1 > /dev/null &", "run 1ms")
    assert session.world.network.clock.flight > 0
    assert not session.idle()


def test_a_foreground_program_is_not_idle() -> None:
    session = demo()
    play(session, "run until idle")
    session.start(("h1",), "cat")
    assert not session.idle()
    assert session.world.systems["h1"].reading("tty")


def test_running_without_end_stops_after_a_day() -> None:
    session = demo()
    assert play(session, "h1: sleep 1000000 &", "run until idle")[1].status == 0
    assert session.now == DAY


@pytest.mark.parametrize("minutes", [1, 30, 24 * 60])
def test_every_timer_has_one_live_entry(minutes: int) -> None:
    session = demo()
    play(session, "h1: ping6 -i 7 2001:db8:2::1 > /tmp/log &", "h2: ping6 -i 40 2001:db8:1::1 > /tmp/log &")
    run_to(session, minutes * 60 * SECOND)
    live = live_entries(session)
    assert len({id(timer) for timer in live}) == len(live)
    assert len(live) == len(session.world.network.timers())
    assert len(session.world.network.clock.heap) <= 2 * len(live) + DEAD_LIMIT + 10


class Owner:
    """Takes down when its timer fired."""

    name = "owner"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fired: list[int] = []

    def ring(self) -> None:
        self.fired.append(self.clock.now)


def test_deadlines_that_move_leave_a_bounded_heap_and_fire_once() -> None:
    network = Network()
    clock = network.clock
    owner = Owner(clock)
    timers = [Timer(clock, owner, "ring") for _ in range(10)]
    for turn in range(5000):
        timers[turn % 10].arm(DAY - turn * SECOND)
        assert len(clock.heap) <= 10 + 2 * DEAD_LIMIT + 2
    for timer in timers[1:]:
        timer.cancel()
    due = timers[0].at
    assert due is not None
    assert network.next_event_at() == due
    assert clock.busy == 1
    while run_event(network):
        pass
    assert owner.fired == [due]
    assert clock.heap == []
    assert (clock.busy, clock.dead, clock.events) == (0, 0, 1)


def test_cancelled_timers_are_swept_out() -> None:
    network = Network()
    clock = network.clock
    owner = Owner(clock)
    for turn in range(10_000):
        timer = Timer(clock, owner, "ring", ageing=True)
        timer.arm(DAY + turn)
        timer.cancel()
        assert len(clock.heap) <= 2 * DEAD_LIMIT
    kept = Timer(clock, owner, "ring")
    kept.arm(HOUR)
    kept.cancel()
    kept.arm(2 * HOUR)
    while run_event(network):
        pass
    assert owner.fired == [2 * HOUR]
    assert (clock.now, clock.dead) == (2 * HOUR, 0)
