"""Virtual time follows the wall clock; the loop sleeps until something is due. The wall is turned by hand here."""

from __future__ import annotations

import os
import signal
import threading
from random import Random

import pytest
from bridge_wall import Bench, PairDevice, new_session

from kamelab.bridge.port import BridgeError
from kamelab.bridge.realtime import LAG_MAX, Realtime, Signals, run
from kamelab.bridge.requests import Request
from kamelab.core.clock import SECOND
from kamelab.lab.console import execute
from kamelab.lab.session import Session


def test_virtual_time_is_wall_time(bench: Bench) -> None:
    """Whatever happens or not, the clock shows what the wall says."""
    for seconds in (0.5, 2, 30):
        bench.wall.seconds += seconds
        while bench.session.now < bench.loop.pace.target():
            bench.loop.turn(0)
        assert bench.session.now == bench.loop.pace.target()
    assert bench.session.now == pytest.approx(32.5 * SECOND)


def test_wall_speed_gives_the_same_events_as_full_speed(bench: Bench) -> None:
    """How fast a lab runs decides nothing: digest and events are those of a run without a wall."""
    bench.pass_time(20, 0.25)
    fast = new_session()
    execute(fast, "run 20s")
    assert bench.session.now == pytest.approx(20 * SECOND, abs=1000)
    assert (bench.session.digest(), bench.session.events) == (fast.digest(), fast.events)


def test_the_loop_sleeps_until_the_next_event(bench: Bench) -> None:
    """An idle lab costs nothing: the sleep asked for reaches to the next timer, not to a tick."""
    bench.pass_time(10)
    due = bench.session.world.network.next_event_at()
    assert due is not None
    nap = bench.loop._nap()
    assert nap == pytest.approx((due - bench.session.now) / SECOND, abs=1e-6)
    assert nap > 1


def test_real_seconds_cost_as_many_turns_as_there_are_events() -> None:
    """On the real wall clock: no turn without a reason."""
    session = new_session()
    execute(session, "run 30s")
    loop = Realtime(session, lambda chunk: None)
    before = session.events
    loop.run(session.now + SECOND // 4)
    assert loop.turns <= 2 * (session.events - before) + 3
    loop.close()
    session.close()


def test_a_machine_that_is_too_slow_owes_nothing_in_the_end(bench: Bench) -> None:
    """Each look at the wall costs it 20 ms, and there is more to do than that: time goes on from where it stands."""
    bench.pass_time(5)
    bench.loop.desk.add(Request("h1: ping6 -q -i 0.01 2001:db8:1::1", lambda out, words, status: None, None))
    bench.wall.seconds += 100
    late = bench.loop.pace.target() - bench.session.now
    assert late == pytest.approx(100 * SECOND)
    bench.wall.drag = 0.02
    bench.loop.turn(0)
    bench.wall.drag = 0
    assert 0 <= bench.loop.pace.target() - bench.session.now < LAG_MAX * SECOND


def test_small_delays_are_made_good(bench: Bench) -> None:
    """A machine that was busy elsewhere for a moment: nothing is left out, virtual time is the wall's again."""
    bench.pass_time(5)
    bench.wall.seconds += LAG_MAX / 2
    bench.pass_time(0.1)
    assert bench.session.now == bench.loop.pace.target()


def test_a_device_that_is_gone_is_taken_off(joined: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody deletes the TAP device: the lab says so once, and goes on without it."""

    def read() -> bytes | None:
        raise BridgeError("tap0 is gone: File descriptor in bad state")

    joined.pass_time(1)
    monkeypatch.setattr(joined.device, "read", read)
    joined.device.far.send(b"a frame")
    joined.pass_time(1)
    said = [chunk.text for chunk in joined.shown if chunk.kind == "message"]
    assert said == ["kamelab: tap0 is gone: File descriptor in bad state; lan1 goes on without it\n"]
    assert joined.device.closed
    assert joined.session.now == joined.loop.pace.target()


def test_noise_from_outside_breaks_nothing(joined: Bench) -> None:
    """Frames with wrong octets anywhere, cut short or lengthened: the node still answers, and nothing is left over."""
    joined.pass_time(5)
    chance = Random(4861)
    good = [row[12] for row in joined.session.world.network.trace.packets]
    for number in range(300):
        frame = bytearray(chance.choice(good))
        frame[6:12] = b"\x02\0\0\0\0\x99"
        for _ in range(chance.randrange(4)):
            frame[chance.randrange(14, len(frame))] = chance.randrange(256)
        joined.device.far.send(bytes(frame[: chance.randrange(1, len(frame))] if number % 5 == 0 else frame))
        joined.loop.turn(0)
    joined.pass_time(2)
    assert len(joined.session.journal) == 300
    answers: list[int] = []
    joined.loop.desk.add(Request("h1: ping6 -c 1 2001:db8:1::1", lambda out, words, status: answers.append(status), 0))
    joined.pass_time(2)
    assert answers == [0]
    internal = [record for record in joined.session.world.network.trace.all() if record.reason == "INTERNAL"]
    assert internal == []


def test_going_back_goes_on_from_there_at_wall_speed(bench: Bench) -> None:
    """`back` moves the lab's clock; the wall's goes on, and so does the lab's from where it was put."""
    bench.pass_time(10, 0.1)
    bench.session.back(bench.session.events, 4 * SECOND)
    bench.loop.turn(0)
    assert bench.session.now == 4 * SECOND
    bench.pass_time(1)
    assert bench.session.now == pytest.approx(5 * SECOND, abs=1000)


def test_a_closed_loop_gives_its_devices_back(joined: Bench) -> None:
    """The port swallows from then on."""
    joined.pass_time(1)
    joined.loop.close()
    assert joined.device.closed
    assert joined.session.world.network.links["lan1"].port("tap0").send is None
    execute(joined.session, "h1: ping6 -c 1 2001:db8:1::1")


def test_a_flood_from_one_device_leaves_room_for_others(joined: Bench) -> None:
    """A turn takes a limited burst from each device."""
    joined.pass_time(1)
    for number in range(200):
        joined.device.far.send(b"\xff" * 12 + b"\x12\x34" + number.to_bytes(2, "big"))
        if number % 50 == 49:
            before = len(joined.session.journal)
            joined.loop.turn(0)
            assert 0 < len(joined.session.journal) - before <= 64
    assert len(joined.session.journal) == 200


def test_interrupt_reaches_the_program_first_and_ends_the_lab_then(bench: Bench) -> None:
    """The first ^C is the foreground program's, the next one the lab's; SIGTERM ends at once."""
    answers: list[int] = []
    bench.pass_time(5)
    bench.loop.desk.add(Request("h1: ping6 2001:db8:1::1", lambda out, words, status: answers.append(status), None))
    bench.pass_time(5)
    bench.loop.signalled(signal.SIGINT)
    bench.pass_time(0.1)
    assert not bench.loop.stopping
    assert len(answers) == 1
    bench.loop.signalled(signal.SIGINT)
    assert bench.loop.stopping


def test_a_signal_wakes_the_sleeping_loop() -> None:
    """SIGTERM ends a lab that sleeps for a long while, and what handled the signal before does so again."""
    session = new_session()
    execute(session, "run 30s")
    loop = Realtime(session, lambda chunk: None)
    before = signal.getsignal(signal.SIGTERM)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    with Signals(loop):
        timer.start()
        loop.run(session.now + 60 * SECOND)
    timer.join()
    assert loop.stopping
    assert session.now < 60 * SECOND
    assert signal.getsignal(signal.SIGTERM) is before
    loop.close()
    session.close()


def run_for(session: Session, **options: object) -> tuple[int, list[str], list[str]]:
    """`run` for a quarter of a second: status, what was shown, what was said."""
    shown: list[str] = []
    said: list[str] = []
    status = run(
        session,
        until=SECOND // 4,
        show=lambda chunk: shown.append(chunk.text),
        say=said.append,
        **options,  # type: ignore[arg-type]
    )
    return status, shown, said


def test_run_plays_lines_and_ends_at_its_time() -> None:
    """The lines come first, each with its echo; a failing one shows in the status."""
    status, shown, said = run_for(new_session(), lines=["h1: echo one", "h1: false"])
    assert status == 1
    assert shown[:2] == ["[00:00:00.000000] h1# echo one\n", "one\n"]
    assert said == ["kamelab: bridge runs at wall speed, joined to nothing outside; ^C ends it\n"]
    assert run_for(new_session(), lines=["h1: true"])[0] == 0


def test_run_joins_a_link_to_a_udp_wire() -> None:
    """What the nodes say at boot arrives at the peer as datagrams, a frame each."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, socket.socket(type=socket.SOCK_DGRAM) as probe:
        peer.bind(("127.0.0.1", 0))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        wire = f"lan1=127.0.0.1:{port},127.0.0.1:{peer.getsockname()[1]}"
        status, _, said = run_for(new_session(), udps=[wire])
        assert status == 0
        assert said == ["kamelab: bridge runs at wall speed, joined to lan1 on udp-0; ^C ends it\n"]
        peer.setblocking(False)
        first = peer.recv(2000)
        assert first[12:14] == b"\x86\xdd"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"taps": ["lan1"]}, "expected LINK=DEV"),
        ({"taps": ["lan3=tap0"]}, "no link is called 'lan3'"),
        ({"taps": ["lan1=a/b"]}, "no name for a network device"),
        ({"udps": ["lan1=127.0.0.1:1"]}, "expected LINK=HOST:PORT,HOST:PORT"),
        ({"udps": ["lan1=127.0.0.1:0,127.0.0.1:5"]}, "a port of 1 to 65535"),
        ({"control": "/nonexistent/socket"}, "no control socket can be made there"),
        ({"control": "/tmp/" + "x" * 120}, "at most 103 octets"),
    ],
)
def test_run_refuses_what_can_not_be_before_time_runs(options: dict[str, object], words: str) -> None:
    session = new_session()
    with pytest.raises(BridgeError, match=words):
        run_for(session, **options)
    assert session.now == 0


def test_a_pair_device_is_like_a_device() -> None:
    """The tests' own device keeps to the rules: nothing to read is None, and it never blocks."""
    device = PairDevice()
    assert device.read() is None
    device.far.send(b"frame")
    assert device.read() == b"frame"
    device.close()
    device.far.close()
