"""A checkpoint is a position: restored, it has the digest of the replayed one, and the same future."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import demo, play, run_to
from test_time_travel import LABS, SCRIPTS

from kamelab.lab import checkpoint
from kamelab.lab.build import World
from kamelab.lab.digest import digest, trace_hash
from kamelab.lab.session import Session
from kamelab.sim.loop import run_event

HOST = "2001:db8:2::ff:fe00:301"


def in_a_ping(seconds: float) -> Session:
    """The demo, some time into a foreground ping6 that crosses the router, whose rtadvd runs as a daemon."""
    session = demo()
    play(session, "run until idle", "h2: ping6 -i 0.7 2001:db8:1::ff:fe00:101 > /tmp/log &")
    session.start(("h1",), f"ping6 -c 60 {HOST}")
    session.advance(100_000, session.now + round(seconds * 10**9))
    assert session.foreground is not None
    assert "rtadvd" in {process.name for process in session.world.systems["r1"].procs.values()}
    session.take_output()
    return session


def go_on(world: World, until: int) -> tuple[object, ...]:
    """Let everything happen up to a time; all that came of it."""
    network = world.network
    rows, records = len(network.trace.packets), len(network.trace.records)
    while run_event(network, until):
        pass
    return (
        network.clock.events,
        digest(world),
        network.trace.packets[rows:],
        network.trace.records[records:],
        {name: system.output for name, system in world.systems.items()},
        {name: system.console for name, system in world.systems.items()},
        {name: node.kernel_log for name, node in network.nodes.items()},
    )


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.001, 0.5, 1.0, 7.2, 31.0])
def test_inside_a_running_ping_with_rtadvd_in_the_background(seconds: float) -> None:
    session = in_a_ping(seconds)
    world = checkpoint.restore(checkpoint.take(session.world))
    replayed = demo()
    replayed.journal = list(session.journal)
    replayed.back(session.events, session.now)
    assert digest(world) == replayed.digest() == session.digest()
    later = session.now + 1000 * 10**9
    futures = [go_on(one, later) for one in (world, session.world)]
    assert futures[0] == futures[1]
    assert "60 packets transmitted, 60 packets received" in str(futures[0][4]["h1"])  # type: ignore[index]


def test_taking_a_checkpoint_changes_nothing() -> None:
    one, two = in_a_ping(3.3), in_a_ping(3.3)
    checkpoint.take(one.world)
    for session in (one, two):
        run_to(session, session.now + 10**11)
    assert one.digest() == two.digest()
    assert trace_hash(one.world) == trace_hash(two.world)


def test_a_restored_world_can_be_kept_and_restored_again() -> None:
    session = in_a_ping(3.3)
    world = session.world
    for _ in range(5):
        world = checkpoint.restore(checkpoint.take(world))
        for one in (world, session.world):
            for _ in range(7):
                run_event(one.network)
        assert digest(world) == session.digest()


@settings(max_examples=10)
@given(lab=st.sampled_from(sorted(LABS)), script=SCRIPTS, events=st.integers(1, 40))
def test_anywhere_in_any_script(lab: str, script: list[str], events: int) -> None:
    session = LABS[lab]()
    play(session, "run 12s", *script)
    world = checkpoint.restore(checkpoint.take(session.world))
    assert digest(world) == session.digest()
    for one in (world, session.world):
        for _ in range(events):
            run_event(one.network)
    assert digest(world) == session.digest()


def test_a_checkpoint_does_not_grow_with_what_has_happened() -> None:
    session = demo()
    play(session, "run until idle")
    early = len(checkpoint.take(session.world))
    play(session, f"h1: ping6 -i 0.01 -c 5000 -q {HOST}")
    assert session.events > 20_000
    assert len(checkpoint.take(session.world)) < early + 5_000
