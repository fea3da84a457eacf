"""Going back and forward again: for any script and any number of events everything is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import SECOND, Position, demo, from_text, play, position, run_to, shown

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Goal, Session

H2 = "2001:db8:2::ff:fe00:301"
POOL = (
    "h1: ping6 -c 2 2001:db8:2::1",
    f"h1: ping6 -c 3 {H2}",
    f"h1: ping6 -i 0.3 -c 20 {H2} &",
    "h2: ping6 -c 2 2001:db8:1::99",
    "h1: ping6 -c 1 -I ne0 ff02::1",
    "h1: ping6 -s 2000 -c 1 2001:db8:1::1",
    "h1: traceroute6 -n 2001:db8:2::1",
    "h1: ndp -an",
    "h2: ndp -c",
    "h1: ndp -s 2001:db8:1::77 2:0:0:0:0:77",
    "h1: route add -inet6 2001:db8:9::/64 2001:db8:1::1",
    "h1: route delete -inet6 default",
    "r1: sysctl -w net.inet6.ip6.forwarding=0",
    "r1: sysctl -w net.inet6.ip6.forwarding=1",
    "h1: sysctl -w net.inet6.icmp6.nd6_maxqueuelen=3",
    "h2: ifconfig ne0 down",
    "h2: ifconfig ne0 up; rtsol ne0",
    "h1: ifconfig ne0 inet6 2001:db8:1::5/64 alias",
    "h1: kill %1",
    "h1: sleep 2; echo done > /tmp/done",
    "h1: cat",
    "all: netstat -in",
    "r1: kill -TERM 2",
    "link lan1 down",
    "link lan1 up",
    "link lan2 loss=40%",
    "link lan1 latency=5ms bandwidth=64kbps",
    "reboot h1",
    "reboot r1",
    "select h2",
    "ndp -an",
    "h1: no such program",
    "run 700ms",
    "run 30s",
    "run 10m",
    "run until icmpv6.type == 136",
    "step 7",
    "step packet",
    "step timer",
    "back 4",
)
CROWD = """format = 1
title = "A wire without latency, one with loss, a slow line, and a machine with somebody else's address"

[links.lan1]
kind = "ethernet"
loss = "10%"

[links.lan2]
kind = "ethernet"
latency = "1ms"
bandwidth = "256kbps"

[links.line]
kind = "ppp"
latency = "20ms"

[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan1", up = true, mac = "02:00:00:00:01:01" }

[nodes.r1]
role = "router"
startup = ["rtadvd ne0 ne1", "ping6 -i 0.9 ff02::1%ne1 > /tmp/log &"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"] }
interfaces.ne1 = { link = "lan2", addresses = ["2001:db8:2::1/64"] }
interfaces.ppp0 = { link = "line", up = true }

[nodes.h2]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan2", up = true, mac = "02:00:00:00:03:01" }

[nodes.twin]
role = "host"
interfaces.ne0 = { link = "lan1", up = true, mac = "02:00:00:00:01:01" }

[nodes.far]
role = "manual"
startup = ["sleep 3; ping6 -c 3 ff02::2%ppp0"]
interfaces.ppp0 = { link = "line", up = true }
"""
LABS = {"demo": demo, "crowd": lambda: from_text(CROWD)}
SCRIPTS = st.lists(st.sampled_from(POOL), min_size=3, max_size=9)


class Diary:
    """Keeps the digest of every position that a session comes by."""

    def __init__(self, session: Session) -> None:
        self.digests: dict[int, str] = {session.events: session.digest()}
        session.watchers.append(self.note)

    def note(self, session: Session) -> None:
        self.digests[session.events] = session.digest()


def differing(one: Position, two: Position) -> list[str]:
    return [field for field in Position._fields if getattr(one, field) != getattr(two, field)]


@settings(max_examples=20)
@given(lab=st.sampled_from(sorted(LABS)), script=SCRIPTS, far=st.floats(0, 1))
def test_back_and_step_bring_everything_back(lab: str, script: list[str], far: float) -> None:
    session = LABS[lab]()
    play(session, "run 12s")
    diary = Diary(session)
    play(session, *script)
    execute(session, "run 1s")
    then = position(session)
    journal, tail = list(session.journal), session.tail
    session.watchers.clear()

    count = max(1, round(far * session.events))
    assert execute(session, f"back {count}") == 0
    assert session.events == then.events - count
    if session.events in diary.digests:
        assert session.digest() == diary.digests[session.events]
    else:
        assert session.now <= 12 * SECOND

    assert execute(session, f"step {count}") == 0
    assert (session.journal, session.tail) == (journal, tail)
    run_to(session, then.now)
    assert differing(position(session), then) == []


@settings(max_examples=8)
@given(script=SCRIPTS, far=st.floats(0, 1))
def test_back_to_a_time_and_on_again(script: list[str], far: float) -> None:
    session = demo()
    play(session, *script, "run 1us")
    then = position(session)
    time = round(far * then.now)
    assert execute(session, f"back to {time}ns") == 0
    assert session.now == time
    run_to(session, then.now)
    assert differing(position(session), then) == []


@settings(max_examples=8)
@given(script=SCRIPTS)
def test_a_saved_session_opens_where_it_was_saved(script: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    session = demo()
    # A new input, so that nothing lies ahead: the file ends where the session stands.
    play(session, *script)
    play(session, "h1: true" if session.foreground is None else "h1: ^C")
    path = tmp_path_factory.mktemp("saved") / "lab.session"
    path.write_bytes(session.save())
    again = open_session(str(path))
    assert differing(position(again), position(session)) == []
    play(session, "run 5s", "h1: ping6 -c 1 2001:db8:2::1")
    play(again, "run 5s", "h1: ping6 -c 1 2001:db8:2::1")
    assert differing(position(again), position(session)) == []


def test_every_single_step_back_from_a_ping_is_a_place_that_was_there() -> None:
    session = demo()
    play(session, "run 12s")
    diary = Diary(session)
    play(session, "h1: ping6 -c 2 2001:db8:2::1")
    session.watchers.clear()
    start = min(diary.digests)
    assert session.events - start > 5
    while session.events > start:
        play(session, "back")
        assert session.digest() == diary.digests[session.events]


def test_back_right_after_a_command_takes_that_command_back() -> None:
    session = demo()
    play(session, "run until idle", "run 5s")
    before = position(session)
    play(session, "h1: ping6 -c 3 2001:db8:2::1 &")
    assert session.events == before.events + 1
    play(session, "back 1")
    assert differing(position(session), before) == []
    assert session.now == before.now
    assert "ping6" not in play(session, "h1: ps")[0].text


def test_what_lay_ahead_plays_again_with_its_output_until_a_new_input_cuts_it() -> None:
    session = demo()
    play(session, "run 12s")
    start = session.events
    first = play(session, "h1: echo one", "run 2s", "h1: echo two", "run 2s")
    play(session, f"back {session.events - start}")
    assert session.tail == 2
    session.take_output()
    play(session, "link lan1 latency=500us")
    assert session.tail == 0, "a new input cuts off what lay ahead"

    other = demo()
    play(other, "run 12s", "h1: echo one", "run 2s", "h1: echo two", "run 2s", "back to 12s")
    assert other.tail == 1, "the input at 12 s itself has been done at 12 s"
    said = play(other, "run 4s")[0].text
    assert "two" in said
    assert "one" not in said
    assert other.tail == 0
    assert [entry.line for entry in first] == ["h1: echo one", "run 2s", "h1: echo two", "run 2s"]


def test_lines_that_only_look_or_move_time_cut_nothing() -> None:
    session = demo()
    play(session, "run 12s", "h1: echo one", "run 5s", "h1: echo two", "back 3")
    ahead = session.tail
    assert ahead > 0
    looking = ("nodes", "links", "trace", "timers", "select h2", "help", "man ping6", "speed 10", "pause")
    assert [said.status for said in play(session, *looking)] == [0] * len(looking)
    assert session.tail == ahead


def test_in_the_middle_of_a_ping_the_console_is_held_until_it_ends_or_is_interrupted() -> None:
    session = demo()
    play(session, "run 12s", "h1: ping6 -c 3 2001:db8:2::1", "back 4")
    assert session.foreground is not None
    (refused,) = play(session, "h1: ndp -an")
    assert refused.status == 2
    assert "a command still runs" in refused.text
    ahead = session.tail, len(session.journal)
    (stopped,) = play(session, "h1: ^C")
    assert stopped.status == 0
    assert "2 packets transmitted" in stopped.text
    assert session.foreground is None
    assert (session.tail, len(session.journal)) == (0, ahead[1] + 1)
    assert play(session, "h1: ndp -an")[0].status == 0
    assert play(session, "h1: ^C")[0].status == 1


def test_in_the_middle_of_a_ping_time_going_on_finishes_it() -> None:
    session = demo()
    play(session, "run 12s")
    (whole,) = play(session, "h1: ping6 -c 3 2001:db8:2::1")
    play(session, "back 4")
    (rest,) = play(session, "run 10s")
    assert "3 packets transmitted, 3 packets received" in rest.text
    assert whole.text.endswith(rest.text)
    assert session.foreground is None
    assert session.commands[-1].status == 0


def test_a_position_that_is_older_than_all_events_is_boot() -> None:
    session = demo()
    boot = position(session)
    play(session, "run 12s", "h1: ping6 -c 3 2001:db8:2::1", "back 100000")
    assert differing(position(session), boot) == []
    assert session.tail == 1


def test_reset_is_boot_without_a_journal() -> None:
    session = demo()
    boot = position(session)
    play(session, "run 12s", "h1: ping6 -c 3 2001:db8:2::1", "reset")
    assert differing(position(session), boot) == []
    assert session.journal == []


def test_a_reboot_forgets_frames_that_were_on_their_way() -> None:
    session = demo()
    play(session, "run 12s", "link lan1 latency=2s", "h2: ping6 -c 5 2001:db8:1::ff:fe00:101 &", "run 1500ms")
    network = session.world.network
    assert any(entry[2] in network.nodes["h1"].interfaces.values() for entry in network.clock.heap)
    play(session, "reboot h1")
    received = [row for row in network.trace.packets if row[2] == "h1" and row[1] >= session.now and row[6] == "rx"]
    assert received == []
    play(session, "run 1s")
    assert network.clock.flight == sum(1 for entry in network.clock.heap if len(entry) == 6)


def test_going_back_shows_nothing_again(tmp_path: Path) -> None:
    session = demo()
    play(session, "run 12s", "h1: ping6 -c 3 2001:db8:2::1")
    session.take_output()
    session.back(session.events - 5)
    assert shown(session) == ""


def test_front_ends_may_advance_in_slices_of_time() -> None:
    session, other = demo(), demo()
    for one in (session, other):
        play(one, "run 12s")
    play(session, "h1: ping6 -c 3 2001:db8:2::1")
    command = other.start(("h1",), "ping6 -c 3 2001:db8:2::1")
    slices = 0
    while not other.advance(2, other.now + SECOND // 10):
        slices += 1
    assert slices > 15
    assert command.status == 0
    assert other.digest() == session.digest()


def test_goal_by_events_stops_at_once_where_it_is_reached() -> None:
    session = demo()
    play(session, "run 12s")
    here = session.events
    session.goal = Goal(events=here)
    assert session.advance(1)
    assert session.events == here
