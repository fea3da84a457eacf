"""TCP: what is lost, late or doubled (RFC 6298, RFC 5681, RFC 6582, RFC 3042); the stream arrives all the same."""

from __future__ import annotations

from heapq import heapify

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import TCP, Peer, alone, pair, row, state, transfer
from wires import Wires

from kamelab.core.errors import ETIMEDOUT, Errno
from kamelab.core.timers import Timer
from kamelab.sim.loop import run_event
from kamelab.stack import syscalls
from kamelab.wire import tcp

DATA = bytes(n * 7 % 251 for n in range(120_000))


def sender(wires: Wires, octets: int, mss: int = 1000) -> tuple[Peer, int]:
    """A peer with a window of 60000 to whom h1 has just sent ``octets`` in full segments."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    peer.window = 60_000
    sid = peer.open(tcp.build_options(mss))
    syscalls.send(h1, sid, b"x" * octets)
    wires.run(0)
    return peer, sid


def test_the_first_flight_is_ten_segments_or_what_the_variable_says(wires: Wires) -> None:
    peer, _ = sender(wires, 30_000)
    assert len(peer.heard()) == 10


@pytest.mark.parametrize(("segments_allowed", "flight"), [(1, 1), (4, 4), (0, 4)])
def test_the_initial_window_is_a_variable(segments_allowed: int, flight: int) -> None:
    """0: RFC 3390, 4380 octets."""
    wires = Wires()
    h1 = alone(wires)
    syscalls.sysctl_set(h1, TCP + "initcwnd_segments", segments_allowed)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1000), window=60_000)
    syscalls.send(h1, sid, b"x" * 30_000)
    wires.run(0)
    assert len(peer.heard()) == flight


def test_slow_start_doubles_and_avoidance_adds_one(wires: Wires) -> None:
    peer, sid = sender(wires, 32_000)
    h1 = peer.node
    h1.sockets[sid].tcb.ssthresh = 14_000  # type: ignore[union-attr]
    windows = []
    for _ in range(24):
        peer.ack += 1000
        peer.send(".")
        syscalls.send(h1, sid, b"x" * 1000)
        windows.append(row(h1, sid).cwnd)
    assert windows[:4] == [11_000, 12_000, 13_000, 14_000]
    assert windows[-1] == 15_000


def test_time_outs_double_and_end_after_twelve(wires: Wires) -> None:
    """RFC 6298 5.5, 2.5; R2 by BSD's count, far beyond the 100 s of RFC 9293 3.8.3."""
    peer, sid = sender(wires, 1000)
    at = wires.now
    wires.run(3600)
    times = [round(one.at - at) for one in peer.heard() if one.data]
    assert times == [0, 1, 3, 7, 15, 31, 63, 127, 191, 255, 319, 383, 447]
    with pytest.raises(Errno) as caught:
        syscalls.recv(peer.node, sid)
    assert caught.value.number == ETIMEDOUT
    assert peer.node.counters()["tcp.rexmttimeo"] == 12


def test_the_time_out_follows_the_round_trip(wires: Wires) -> None:
    """RFC 6298 2.2, 2.3, 2.4; Karn: what was sent twice is not measured."""
    peer, sid = sender(wires, 1000)
    wires.run(0.4)
    peer.ack += 1000
    peer.send(".")
    # The first measurement is the handshake's, of no time at all.
    shown = row(peer.node, sid)
    assert (round(shown.srtt, -6), round(shown.rttvar, -6)) == (50_000_000, 100_000_000)
    assert shown.rto == 1_000_000_000
    syscalls.sysctl_set(peer.node, TCP + "rto_min", 200)
    syscalls.send(peer.node, sid, b"y" * 1000)
    wires.run(5)
    peer.ack += 1000
    peer.send(".")
    assert row(peer.node, sid).srtt == shown.srtt


def test_timestamps_measure_what_was_sent_twice(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1440, -1, 1))
    syscalls.send(h1, sid, b"z")
    wires.run(1.5)
    first, second = peer.heard()
    assert second.options.tsval - first.options.tsval == 1000
    peer.ack += 1
    peer.send(".", options=tcp.build_options(-1, -1, 2, second.options.tsval))
    assert 60_000_000 < row(h1, sid).srtt < 65_000_000


def test_three_duplicates_send_the_missing_segment_again(wires: Wires) -> None:
    """RFC 5681 3.2 and, before the third, limited transmit (RFC 3042)."""
    peer, sid = sender(wires, 30_000)
    peer.heard()
    first = peer.ack
    fresh = [peer.send(".") for _ in range(2)]
    assert [[one.seq - first for one in each] for each in fresh] == [[10_000], [11_000]]
    (again,) = peer.send(".")
    assert again.seq == first
    shown = row(peer.node, sid)
    assert (shown.recovering, shown.ssthresh, shown.cwnd) == (True, 6000, 9000)
    # Each further duplicate lets the window grow by a segment, and new data leave when that is enough.
    for _ in range(4):
        peer.send(".")
    assert row(peer.node, sid).cwnd == 13_000
    peer.ack += 12_000
    peer.send(".")
    shown = row(peer.node, sid)
    assert not shown.recovering
    assert shown.cwnd <= 7000
    assert peer.node.counters()["tcp.fastrexmit"] == 1


def test_limited_transmit_is_a_variable(wires: Wires) -> None:
    peer, _ = sender(wires, 30_000)
    syscalls.sysctl_set(peer.node, TCP + "rfc3042", 0)
    peer.heard()
    assert [peer.send(".") for _ in range(2)] == [[], []]


@pytest.mark.parametrize(("newreno", "again"), [(1, [0, 3000]), (0, [0])])
def test_a_partial_acknowledgement_sends_the_next_hole(newreno: int, again: list[int]) -> None:
    """RFC 6582 3.2; without it a second loss in a window waits for the time-out."""
    wires = Wires()
    peer, _ = sender(wires, 10_000)
    syscalls.sysctl_set(peer.node, TCP + "newreno", newreno)
    peer.heard()
    first = peer.ack
    sent = []
    for _ in range(3):
        sent += peer.send(".")
    peer.ack += 3000
    sent += peer.send(".")
    assert [one.seq - first for one in sent] == again
    assert peer.node.counters().get("tcp.newrenopartial", 0) == newreno


def test_after_a_time_out_one_segment_leaves(wires: Wires) -> None:
    peer, sid = sender(wires, 30_000)
    peer.heard()
    wires.run(1.1)
    (only,) = peer.heard()
    assert only.seq == peer.ack
    shown = row(peer.node, sid)
    assert (shown.cwnd, shown.ssthresh, shown.retransmits) == (1000, 5000, 1)
    peer.ack += 10_000
    assert len(peer.send(".")) == 2


def test_an_idle_connection_begins_slowly_again(wires: Wires) -> None:
    """RFC 5681 4.1."""
    h1, h2, sid, taken = pair(wires, latency=5_000_000)
    transfer(wires, h1, sid, h2, taken, DATA)
    wires.run(1)
    assert row(h1, sid).cwnd > 20_000
    wires.run(30)
    syscalls.send(h1, sid, b"x" * 30_000)
    assert row(h1, sid).cwnd == 14_280


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_survives_loss(seed: int) -> None:
    wires = Wires(seed)
    h1, h2, sid, taken = pair(wires, latency=5_000_000)
    wires.net.links["lan"].set("loss", 0.03)
    assert transfer(wires, h1, sid, h2, taken, DATA) == DATA
    syscalls.close(h1, sid)
    wires.run(200)
    assert syscalls.recv(h2, taken) == b""
    assert h1.counters()["tcp.sndrexmitpack"] > 0
    wires.account()


def test_both_directions_at_once_under_loss(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires, latency=5_000_000)
    wires.net.links["lan"].set("loss", 0.02)
    sent, got = [0, 0], [bytearray(), bytearray()]
    ends = ((h1, sid), (h2, taken))
    limit = wires.net.clock.now + 3600 * 10**9
    while len(got[0]) < len(DATA) or len(got[1]) < len(DATA):
        for side, (node, so) in enumerate(ends):
            sent[side] += syscalls.send(node, so, DATA[sent[side] : sent[side] + 30_000])
            got[side] += syscalls.recv(node, so) or b""
        assert run_event(wires.net, limit)
    assert bytes(got[0]) == bytes(got[1]) == DATA


def mangle(wires: Wires, schedule: list[int]) -> None:
    """Every frame now in flight meets the next fate: 0 to arrive, 1 to be lost, 2 to be doubled, 3 to be late."""
    clock = wires.net.clock
    for entry in list(clock.heap):
        if isinstance(entry[2], Timer) or len(entry) != 6 or entry[3][12:14] != b"\x86\xdd" or entry[3][20] != 6:
            continue
        fate = schedule.pop(0) if schedule else 0
        if not fate:
            continue
        if fate == 2:
            clock.send(entry[0] + 3_000_000, entry[2], entry[3], entry[4])
            continue
        clock.heap.remove(entry)
        clock.flight -= 1
        if fate == 3:
            clock.send(entry[0] + 7_000_000, entry[2], entry[3], entry[4])
    heapify(clock.heap)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), max_size=60))
def test_any_schedule_of_losses_and_disorder_delivers_the_stream(schedule: list[int]) -> None:
    wires = Wires()
    h1, h2, sid, taken = pair(wires, latency=1_000_000)
    left = list(schedule)
    data = DATA[:40_000]
    got = bytearray()
    at = 0
    end = wires.net.clock.now + 7200 * 10**9
    while len(got) < len(data):
        if at < len(data):
            at += syscalls.send(h1, sid, data[at:])
        if left:
            before = len(left)
            mangle(wires, left)
            assert len(left) <= before
        assert run_event(wires.net, end), (len(got), schedule)
        got += syscalls.recv(h2, taken) or b""
    assert bytes(got) == data
    syscalls.close(h1, sid)
    syscalls.close(h2, taken)
    wires.run(1000)
    assert not h1.tcp_conns
    assert not h2.tcp_conns
    assert state(h1, sid) == ""


COUNTED = (
    "accepts closed connattempt connects delack fastrexmit predack preddat rcvackbyte rcvackpack rcvbyte rcvdupack "
    "rcvdupbyte rcvduppack rcvoobyte rcvoopack rcvpack rcvtotal rexmttimeo rttupdated sc_added sc_completed segstimed "
    "sndacks sndbyte sndctrl sndpack sndrexmitbyte sndrexmitpack sndtotal"
)


def test_a_conversation_under_loss_is_counted(wires: Wires) -> None:
    """BSD's tcpstat: what one end sent and the other got agrees, and the end of the stream counts once."""
    h1, h2, sid, taken = pair(wires, latency=5_000_000)
    wires.net.links["lan"].set("loss", 0.08)
    data = DATA * 4
    assert transfer(wires, h1, sid, h2, taken, data) == data
    syscalls.close(h1, sid)
    syscalls.close(h2, taken)
    wires.run(500)
    ours, theirs = h1.counters(), h2.counters()
    for name in COUNTED.split():
        assert ours.get(f"tcp.{name}", 0) + theirs.get(f"tcp.{name}", 0) > 0, name
    assert ours["tcp.sndbyte"] == len(data)
    assert theirs["tcp.rcvbyte"] + theirs["tcp.rcvoobyte"] == len(data)
    assert (ours["tcp.closed"], theirs["tcp.closed"]) == (1, 1)
    assert ours["tcp.rcvackbyte"] == len(data) + 1
    lost = sum(one.reason == "LINK_LOST" for one in wires.records(h2, "drop"))
    assert theirs["tcp.rcvtotal"] + lost == ours["tcp.sndtotal"]
