"""Fragments: put together, refused, given up, and made (RFC 8200 4.5, RFC 5722, RFC 6946; KAME frag6.c)."""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Wires, datagram, echo, na, ns

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import exthdr, ip6
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")
WHOLE = echo(STRANGER, OWN, bytes(range(200)))[40:]


def piece(offset: int, more: bool, data: bytes, ident: int = 1, nxt: int = 58, src: bytes = STRANGER) -> bytes:
    return ip6.build(src, OWN, 44, exthdr.build_fragment(nxt, offset, more, ident) + data)


def pieces(data: bytes = WHOLE, size: int = 64, ident: int = 1) -> list[bytes]:
    return [
        piece(offset, offset + size < len(data), data[offset : offset + size], ident)
        for offset in range(0, len(data), size)
    ]


def host(wires: Wires) -> Node:
    """A host that knows the stranger."""
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    return h1


def replies(wires: Wires, node: Node) -> list[bytes]:
    return [one.message[4:] for one in wires.sent(node, icmp.ECHO_REPLY, 3)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)])
def test_fragments_in_any_order_make_the_packet(wires: Wires, order: tuple[int, ...]) -> None:
    h1 = host(wires)
    parts = pieces()
    assert len(parts) == 4
    for index in order:
        assert replies(wires, h1) == []
        wires.inject(h1, parts[index])
    assert replies(wires, h1) == [WHOLE[4:]]
    counters = h1.counters()
    assert (counters["ip6.fragments"], counters["ip6.reassembled"]) == (4, 1)
    assert h1.reassembly == {}
    ended = [r for r in wires.records(h1, "deliver", 3) if r.note.startswith("reassembled into packet")]
    assert len(ended) == 4


def test_two_packets_at_once_are_kept_apart_by_source_and_identification(wires: Wires) -> None:
    h1 = host(wires)
    first, second = pieces(), pieces(echo(STRANGER, OWN, bytes(200))[40:], ident=2)
    for one, two in zip(first, second, strict=True):
        wires.inject(h1, one)
        wires.inject(h1, two)
    assert len(replies(wires, h1)) == 2


def test_the_headers_before_the_fragment_header_stay(wires: Wires) -> None:
    h1 = host(wires)
    head = exthdr.destination_options(44, b"")
    for offset, more in ((0, True), (64, False)):
        data = WHOLE[:64] if more else WHOLE[64:]
        wires.inject(h1, ip6.build(STRANGER, OWN, 60, head + exthdr.build_fragment(58, offset, more, 9) + data))
    assert replies(wires, h1) == [WHOLE[4:]]


def test_an_atomic_fragment_is_a_packet_of_its_own(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, pieces()[0])
    wires.inject(h1, piece(0, False, WHOLE))
    assert replies(wires, h1) == [WHOLE[4:]]
    assert "ip6.reassembled" not in h1.counters()
    assert len(h1.reassembly) == 1


@pytest.mark.parametrize(
    "bad",
    [
        piece(8, True, bytes(8)),  # inside the first
        piece(56, True, bytes(16)),  # across two
        piece(0, True, WHOLE[:64]),  # an exact duplicate
    ],
)
def test_kame_dropped_an_overlapping_fragment_and_completed_the_rest(wires: Wires, bad: bytes) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, "net.inet6.ip6.frag_overlap", 1)
    parts = pieces()
    for packet in (parts[0], parts[1], bad, parts[2], parts[3]):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_OVERLAP"]
    assert "overlaps by" in wires.log(h1)[-1]
    assert h1.counters()["ip6.fragdropped"] == 1
    assert replies(wires, h1) == [WHOLE[4:]]


@pytest.mark.parametrize(
    ("held", "bad"),
    [
        ([piece(64, False, bytes(8))], piece(128, False, bytes(8))),  # two ends
        ([piece(64, False, bytes(8))], piece(128, True, bytes(8))),  # behind the end
        ([piece(800, True, bytes(8)), piece(0, True, bytes(8))], piece(16, False, bytes(8))),  # an end before data
    ],
)
@pytest.mark.parametrize("kame", [0, 1])
def test_an_end_that_cannot_be(wires: Wires, held: list[bytes], bad: bytes, kame: int) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, "net.inet6.ip6.frag_overlap", kame)
    for packet in (*held, bad):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_OVERLAP"] * (1 if kame else 1 + len(held))
    assert "ip6.reassembled" not in h1.counters()


def test_a_length_that_is_no_multiple_of_8_and_a_packet_too_large_are_told(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, piece(0, True, WHOLE[:12]))
    wires.inject(h1, piece(65528, False, bytes(16)))
    assert wires.drops(h1, 3) == ["FRAG_BADLEN", "FRAG_TOOBIG"]
    problems = [int.from_bytes(one.message[4:8], "big") for one in wires.sent(h1, icmp.PARAM_PROB)]
    assert problems == [4, 42]


@pytest.mark.parametrize("first_comes_last", [False, True])
def test_a_fragment_that_is_too_far_out_for_the_headers_of_the_first_is_told(
    wires: Wires, first_comes_last: bool
) -> None:
    """65535 octets count the headers before the fragment header too, which only the first fragment shows."""
    h1 = host(wires)
    head = exthdr.destination_options(44, b"")
    packets = [
        ip6.build(STRANGER, OWN, 60, head + exthdr.build_fragment(58, 0, True, 3) + bytes(40000)),
        piece(40000, False, bytes(25530), 3),
    ]
    for packet in reversed(packets) if first_comes_last else packets:
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_TOOBIG"]
    (told,) = wires.sent(h1, icmp.PARAM_PROB, 3)
    assert (told.message[1], int.from_bytes(told.message[4:8], "big")) == (icmp.PARAM_HEADER, 42)
    assert told.message[8:48] == packets[1][:40]
    (queue,) = h1.reassembly.values()
    assert [(at, len(data)) for at, data, _ in queue.pieces] == [(0, 40000)]


def test_the_rest_is_waited_for_60_seconds_and_the_sender_is_told_if_the_first_came(wires: Wires) -> None:
    h1 = host(wires)
    parts = pieces()
    wires.inject(h1, parts[0])
    wires.run(10)
    wires.inject(h1, parts[2])
    wires.run(49.9)
    assert len(h1.reassembly) == 1
    wires.run(0.2)
    assert h1.reassembly == {}
    assert wires.drops(h1, 3) == ["FRAG_TIMEOUT", "FRAG_TIMEOUT"]
    assert h1.counters()["ip6.fragtimeout"] == 1, "a timeout a packet, not a fragment"
    wires.inject(h1, na(STRANGER, OWN, "SO"))
    (told,) = wires.sent(h1, icmp.TIME_EXCEEDED, 3)
    assert (told.message[1], told.message[8:]) == (1, parts[0])


def test_nobody_is_told_without_the_first_fragment(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, pieces()[1])
    wires.run(61)
    assert wires.drops(h1, 3) == ["FRAG_TIMEOUT"]
    assert wires.sent(h1, icmp.TIME_EXCEEDED) == []


@pytest.mark.parametrize(
    ("name", "limit", "kept"),
    [("maxfragpackets", 5, 5), ("maxfrags", 5, 5), ("maxfragpackets", 0, 0), ("maxfrags", 0, 0), ("maxfrags", 200, 8)],
)
def test_room_is_limited(wires: Wires, name: str, limit: int, kept: int) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, f"net.inet6.ip6.{name}", limit)
    for ident in range(8):
        wires.inject(h1, pieces(ident=ident)[0])
    assert len(h1.reassembly) == kept
    assert wires.drops(h1, 3) == ["FRAG_LIMIT"] * (8 - kept)


def test_minus_1_is_no_limit(wires: Wires) -> None:
    h1 = host(wires)
    for name in ("maxfragpackets", "maxfrags"):
        syscalls.sysctl_set(h1, f"net.inet6.ip6.{name}", -1)
    for ident in range(300):
        wires.inject(h1, pieces(ident=ident)[0])
    assert len(h1.reassembly) == 300


def test_a_power_cut_ends_what_waits(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, pieces()[0])
    wires.send(h1, "fe80::77", "ne0")
    h1.power_off()
    wires.run(70)
    assert wires.drops(h1, 3) == ["NODE_OFF", "NODE_OFF"]


def test_frames_on_their_way_to_a_node_that_was_switched_off_find_nobody(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, datagram(STRANGER, OWN), run=False)
    h1.power_off()
    before = len(wires.net.trace.packets)
    wires.run(1)
    assert len(wires.net.trace.packets) == before


# -- made ------------------------------------------------------------------------------------------------------------


def test_a_large_datagram_leaves_in_fragments_that_its_receiver_puts_together(wires: Wires) -> None:
    wires.link("lan")
    h1, h2 = wires.node("h1", "lan"), wires.node("h2", "lan")
    wires.run(to=3)
    sid = syscalls.socket(h2, 0, "udp6", 0)
    syscalls.bind(h2, sid, bytes(16), 9, 0)
    data = bytes(range(256)) * 15
    for _ in range(2):
        wires.send(h1, "fe80::ff:fe00:2", "ne0", data)
        wires.run(0.1)
    # Only the newest of the first three fragments survived the resolution; the second time all arrive.
    assert wires.drops(h1, 3) == ["ND_QUEUE_REPLACED", "ND_QUEUE_REPLACED"]
    message = syscalls.recvmsg(h2, sid)
    assert message is not None
    assert message.data == data
    assert syscalls.recvmsg(h2, sid) is None
    sent = [one.packet for one in wires.sent(h1, since=3.05) if one.packet[6] == 44]
    assert [len(packet) % 8 for packet in sent[:-1]] == [0, 0]
    assert max(map(len, sent)) <= 1500
    idents = {exthdr.parse_fragment(packet[40:]).ident for packet in sent}
    assert len(idents) == 1
    counters = h1.counters()
    assert (counters["ip6.fragmented"], counters["ip6.ofragments"]) == (2, 6)
    wires.run(61)


def test_minimum_mtu_is_asked_for_by_a_program(wires: Wires) -> None:
    h1 = host(wires)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.setsockopt(h1, sid, "IPV6_USE_MIN_MTU", 1)
    syscalls.sendmsg(h1, sid, bytes(1400), STRANGER, 9, 1)
    assert [len(one.packet) for one in wires.sent(h1, since=3) if one.packet[6] == 44] == [1280, 224]
