"""A bad wire: duplicates, late and overtaking frames, wrong bits, full queues - and what ND makes of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kamelab.core.clock import MS, SECOND
from kamelab.sim.impair import flipped
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6
from tests.stack.wires import A, Wires, echo_to

HEADER = bytes.fromhex("333300000001 020000000001 86dd".replace(" ", ""))


def pair(seed: int = 1, **faults: float) -> tuple[Wires, Node, Node]:
    """h1 and h2 on a wire that turns bad at 3 s, when their addresses are ready."""
    wires = Wires(seed)
    wires.link("lan", latency=MS)
    nodes = [wires.node(name, "lan") for name in ("h1", "h2")]
    for number, node in enumerate(nodes, 1):
        wires.address(node, f"2001:db8:1::{number}")
    wires.run(to=3)
    for key, value in faults.items():
        wires.net.links["lan"].set(key, value)
    return wires, nodes[0], nodes[1]


def burst(wires: Wires, node: Node, count: int = 50, gap: int = 100_000) -> list[bytes]:
    """Frames that nobody understands, a gap (ns) apart, each with its number in the last octets."""
    link = wires.net.links["lan"]
    iface = node.interfaces["ne0"]
    frames = [HEADER + bytes(10) + number.to_bytes(2, "big") for number in range(count)]
    for frame in frames:
        wires.run(gap / SECOND)
        link.transmit(iface, frame, 0)
    return frames


def heard(wires: Wires, node: Node) -> list[tuple[int, int]]:
    """(number, ns since boot) of the burst's frames as they came."""
    return [
        (int.from_bytes(row[12][-2:], "big"), row[1])
        for row in wires.net.trace.packets
        if row[2] == node.name and row[6] == "rx" and len(row[12]) == 26
    ]


def test_a_perfect_wire_draws_nothing_and_keeps_order() -> None:
    wires, h1, h2 = pair()
    burst(wires, h1)
    wires.run(1)
    assert [number for number, _ in heard(wires, h2)] == list(range(50))
    assert "link/lan" not in wires.net.streams.counters


def test_every_frame_twice() -> None:
    wires, h1, h2 = pair(duplicate=1)
    burst(wires, h1, 3)
    wires.run(1)
    assert [number for number, _ in heard(wires, h2)] == [0, 0, 1, 1, 2, 2]
    notes = [r for r in wires.records(h2, "state") if r.stage == "link lan"]
    assert [r.reason for r in notes] == ["frame duplicated"] * 3


def test_jitter_delays_by_different_amounts_and_never_changes_the_order() -> None:
    wires, h1, h2 = pair(jitter=5 * MS)
    start = wires.net.clock.now
    burst(wires, h1)
    wires.run(1)
    came = heard(wires, h2)
    assert [number for number, _ in came] == list(range(50))
    delays = [at - start - (number + 1) * 100_000 for number, at in came]
    assert all(MS <= delay <= 6 * MS for delay in delays)
    assert len(set(delays)) > 5


def test_reordering_holds_some_frames_back_and_later_ones_overtake() -> None:
    wires, h1, h2 = pair(reorder=0.1)
    burst(wires, h1)
    wires.run(1)
    numbers = [number for number, _ in heard(wires, h2)]
    assert sorted(numbers) == list(range(50))
    overtaken = [later for earlier, later in pairwise(numbers) if later < earlier]
    held = [r for r in wires.records(h2, "state") if r.reason == "frame held back"]
    assert len(overtaken) == len(held) > 0
    # One that is not held back takes the link's delay and not a nanosecond more.
    assert sum(at - 3 * SECOND == (number + 1) * 100_000 + MS for number, at in heard(wires, h2)) == 50 - len(held)


@pytest.mark.parametrize("latency", [0, 20 * MS])
def test_how_long_a_frame_is_held_back(latency: int) -> None:
    wires, h1, h2 = pair(reorder=1, latency=latency)
    burst(wires, h1)
    wires.run(1)
    unit = max(latency, MS)
    held = [at - 3 * SECOND - (number + 1) * 100_000 - latency for number, at in heard(wires, h2)]
    assert unit <= min(held) < max(held) <= 4 * unit


def test_corruption_turns_one_bit_behind_the_link_header() -> None:
    wires, h1, _ = pair(corrupt=1)
    frames = burst(wires, h1, 40)
    wires.run(1)
    came = [row[12] for row in wires.net.trace.packets if row[2] == "h2" and row[6] == "rx" and len(row[12]) == 26]
    wrong = [int.from_bytes(sent, "big") ^ int.from_bytes(got, "big") for sent, got in zip(frames, came, strict=True)]
    assert all(bits.bit_count() == 1 and bits < 1 << 12 * 8 for bits in wrong)
    assert len(set(wrong)) > 20
    assert all(got[:14] == HEADER for got in came)


def test_flipping_a_bit() -> None:
    assert flipped(b"\0\0", 0) == b"\x80\0"
    assert flipped(b"\0\xff", 15) == b"\0\xfe"


def test_loss_comes_before_the_other_faults() -> None:
    wires, h1, h2 = pair(loss=1, duplicate=1, corrupt=1)
    burst(wires, h1, 5)
    wires.run(1)
    assert heard(wires, h2) == []
    assert wires.drops(h2) == ["LINK_LOST"] * 5
    assert wires.net.links["lan"].lost == 5


def test_the_same_seed_gives_the_same_story_another_one_another() -> None:
    def story(seed: int) -> list[tuple[int, int]]:
        wires, h1, h2 = pair(seed, loss=0.2, duplicate=0.2, corrupt=0.1, jitter=MS, reorder=0.2)
        burst(wires, h1)
        wires.run(1)
        return heard(wires, h2)

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_two_links_do_not_disturb_each_other() -> None:
    def story(other: bool) -> list[tuple[int, int]]:
        wires, h1, h2 = pair(loss=0.5)
        if other:
            wires.link("more", loss=0.5, duplicate=0.5)
            wires.node("x1", "more")
            wires.node("x2", "more")
        burst(wires, h1)
        wires.run(1)
        return heard(wires, h2)

    assert story(False) == story(True)


# -- limits of speed -------------------------------------------------------------------------------------------------


def test_a_limited_queue_drops_what_finds_it_full() -> None:
    wires, h1, h2 = pair(bandwidth=26 * 8 * 1000, queue=4)
    link = wires.net.links["lan"]
    for number in range(10):
        link.transmit(h1.interfaces["ne0"], HEADER + bytes(10) + number.to_bytes(2, "big"), 0)
    wires.run(1)
    # A frame takes 1 ms: four fit at once, the fifth to tenth find the queue full.
    assert [(number, at - 3 * SECOND) for number, at in heard(wires, h2)] == [(n, (n + 2) * MS) for n in range(4)]
    assert wires.drops(h1) == ["LINK_QUEUE"] * 6
    assert link.lost == 6
    link.transmit(h1.interfaces["ne0"], HEADER + bytes(10) + b"\0\x63", 0)
    wires.run(1)
    assert heard(wires, h2)[-1][0] == 99


def test_room_comes_back_frame_by_frame() -> None:
    wires, h1, _ = pair(bandwidth=26 * 8 * 1000, queue=2)
    link = wires.net.links["lan"]
    burst(wires, h1, 20, gap=500_000)
    wires.run(1)
    # 20 frames in 10 ms, of which the wire takes one a millisecond, and two wait at most.
    assert link.lost == len(wires.drops(h1)) in range(8, 11)


def test_without_a_limit_everything_waits() -> None:
    wires, h1, h2 = pair(bandwidth=26 * 8 * 1000)
    for number in range(100):
        wires.net.links["lan"].transmit(h1.interfaces["ne0"], HEADER + bytes(10) + number.to_bytes(2, "big"), 0)
    wires.run(1)
    assert [number for number, _ in heard(wires, h2)] == list(range(100))
    assert heard(wires, h2)[-1][1] == 3 * SECOND + 101 * MS


def test_both_ends_of_a_line_send_at_full_speed() -> None:
    wires = Wires()
    wires.link("line", kind="ppp", bandwidth=8000, queue=1)
    h1, h2 = wires.node("h1", "line", up=False), wires.node("h2", "line", up=False)
    link = wires.net.links["line"]
    for node in (h1, h2):
        link.transmit(node.interfaces["ne0"], bytes(100), 0)
    assert link.lost == 0
    link.transmit(h1.interfaces["ne0"], bytes(100), 0)
    assert link.lost == 1


# -- what neighbor discovery makes of it -----------------------------------------------------------------------------


def ping(wires: Wires, node: Node, to: str = "2001:db8:1::2") -> None:
    node.send(echo_to(to, node.interfaces["ne0"]))


def test_duplicate_solicitations_and_advertisements_change_nothing() -> None:
    wires, h1, h2 = pair(duplicate=1)
    ping(wires, h1)
    wires.run(1)
    (sent,) = wires.sent(h1, icmp6.NEIGHBOR_SOLICIT, 3)
    # Both copies of the question are answered, both copies of the request too.
    assert sent.dst == "ff02::1:ff00:2"
    assert len(wires.sent(h2, icmp6.NEIGHBOR_ADVERT, 3)) == 2
    assert len(wires.sent(h2, icmp6.ECHO_REPLY, 3)) == 2
    assert h1.interfaces["ne0"].neighbors[A("2001:db8:1::2")].state == "REACHABLE"
    wires.account()


def test_duplicate_detection_survives_a_wire_that_doubles_its_own_probe() -> None:
    wires = Wires()
    wires.link("lan", duplicate=1)
    h1, h2 = wires.node("h1", "lan"), wires.node("h2", "lan")
    wires.address(h1, "2001:db8:1::1")
    wires.run(3)
    wires.address(h2, "2001:db8:1::1")
    wires.run(3)
    # h1 hears each probe twice and answers twice; neither takes its own for another's.
    assert all("duplicated" not in row.flags for row in syscalls.rows(h1, "addresses"))
    assert [row.address for row in syscalls.rows(h2, "addresses") if "duplicated" in row.flags] == ["2001:db8:1::1"]


def test_a_lost_solicitation_is_repeated_until_the_wire_is_well() -> None:
    wires, h1, _ = pair(loss=1)
    ping(wires, h1)
    wires.run(1.5)
    wires.net.links["lan"].set("loss", 0)
    wires.run(3)
    assert [sent.at for sent in wires.sent(h1, icmp6.NEIGHBOR_SOLICIT, 3)] == [3, 4, 5]
    assert h1.stat["icmp6.inhist.129"] == 1
    wires.account()


def test_wrong_bits_are_found_by_the_checksum_and_ask_for_another_try() -> None:
    wires, h1, h2 = pair(corrupt=0.5)
    for _ in range(40):
        ping(wires, h1)
        wires.run(2)
    assert h1.stat["icmp6.checksum"] + h2.stat["icmp6.checksum"] > 5
    assert h1.stat["icmp6.inhist.129"] > 5
    wires.account()


def test_a_wrong_bit_everywhere_ends_every_packet_with_a_reason() -> None:
    wires, h1, h2 = pair(corrupt=1)
    for _ in range(100):
        ping(wires, h1)
        wires.run(1)
    assert wires.drops(h2, 3)
    assert len(set(wires.drops(h2, 3))) > 1
    wires.account()


def test_reordered_packets_of_a_resolved_neighbor_all_arrive() -> None:
    wires, h1, h2 = pair()
    ping(wires, h1)
    wires.run(1)
    wires.net.links["lan"].set("reorder", 0.3)
    for _ in range(20):
        ping(wires, h1)
        wires.run(0.0005)
    wires.run(2)
    assert h2.stat["icmp6.inhist.128"] == h1.stat["icmp6.inhist.129"] == 21
    wires.account()
