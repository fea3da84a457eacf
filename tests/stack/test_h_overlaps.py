"""Overlaps, duplicates, ECN, header chains and limits of reassembly (RFC 5722, 3168, 7112, 6946; KAME frag6.c)."""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Wires, echo, ns

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import exthdr, ip6
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")
WHOLE = echo(STRANGER, OWN, bytes(range(200)))[40:]
IP6 = "net.inet6.ip6."


def piece(offset: int, more: bool, data: bytes, *, ident: int = 1, nxt: int = 58, tclass: int = 0) -> bytes:
    return ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(nxt, offset, more, ident) + data, tclass=tclass)


def parts(ident: int = 1, tclass: tuple[int, ...] = (0,)) -> list[bytes]:
    """Four fragments of an echo request."""
    return [
        piece(at, at + 64 < len(WHOLE), WHOLE[at : at + 64], ident=ident, tclass=tclass[at // 64 % len(tclass)])
        for at in range(0, len(WHOLE), 64)
    ]


def host(wires: Wires) -> Node:
    """A host that knows the stranger."""
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    return h1


def replies(wires: Wires, node: Node) -> int:
    return len(wires.sent(node, icmp.ECHO_REPLY, 3))


# -- overlaps --------------------------------------------------------------------------------------------------------


def test_an_overlap_ends_the_whole_packet_in_silence_until_its_time_is_over(wires: Wires) -> None:
    h1 = host(wires)
    one, two, three, four = parts()
    for packet in (one, two, piece(56, True, bytes(16)), three, four):
        wires.inject(h1, packet)
        wires.run(1)
    assert wires.drops(h1, 3) == ["FRAG_OVERLAP"] * 5
    assert "overlaps by 8 octets" in wires.log(h1)[-1]
    (waiting,) = syscalls.rows(h1, "reassembly")
    assert (waiting.refused, waiting.pieces, waiting.until) == (True, (), 63_000_000_000)
    wires.run(to=63.1)
    assert syscalls.rows(h1, "reassembly") == ()
    assert wires.sent(h1, icmp.TIME_EXCEEDED) == []
    assert wires.sent(h1, icmp.PARAM_PROB) == []
    counters = h1.counters()
    assert (counters["ip6.fragdropped"], counters.get("ip6.fragtimeout", 0)) == (5, 0)
    # The identification is free again.
    wires.inject(h1, ns(OWN))
    for packet in (one, two, three, four):
        wires.inject(h1, packet)
    assert replies(wires, h1) == 1


def test_an_exact_duplicate_is_dropped_alone(wires: Wires) -> None:
    h1 = host(wires)
    one, two, three, four = parts()
    for packet in (one, four, four, one, two, two, three):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_DUPLICATE"] * 3
    assert replies(wires, h1) == 1


@pytest.mark.parametrize(
    "other",
    [
        piece(64, True, bytes(64)),  # other data
        piece(64, False, WHOLE[64:128]),  # the end, it says
        piece(64, True, WHOLE[64:120]),  # a shorter one
    ],
)
def test_what_only_looks_like_a_duplicate_is_an_overlap(wires: Wires, other: bytes) -> None:
    h1 = host(wires)
    first, second, *_ = parts()
    for packet in (first, second, other):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_OVERLAP"] * 3


def test_kame_took_duplicates_for_overlaps_and_lost_nothing_else(wires: Wires) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, IP6 + "frag_overlap", 1)
    one, two, three, four = parts()
    for packet in (one, one, two, three, four):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_OVERLAP"]
    assert "overlaps by 64 octets" in wires.log(h1)[-1]
    assert replies(wires, h1) == 1


def test_last_fragments_that_hold_nothing(wires: Wires) -> None:
    h1 = host(wires)
    empty = piece(len(WHOLE), False, b"")
    for packet in (empty, empty, *(piece(at, True, WHOLE[at : at + 104]) for at in (0, 104))):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ["FRAG_DUPLICATE"]
    assert replies(wires, h1) == 1


def test_an_atomic_fragment_neither_joins_others_nor_overlaps_them(wires: Wires) -> None:
    h1 = host(wires)
    one, two, three, four = parts()
    for packet in (one, two, piece(0, False, WHOLE), three, four):
        wires.inject(h1, packet)
    assert replies(wires, h1) == 2
    assert wires.drops(h1, 3) == []


# -- ECN -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marks", "end"),
    [
        ((0, 0, 0, 0), 0),
        ((2, 2, 2, 2), 2),
        ((2, 3, 2, 2), 3),  # one was marked on its way: so is the packet
        ((3, 1, 2, 1), 3),
        ((0, 3, 0, 0), None),  # marked, though it said that it can't be
        ((2, 0, 2, 2), None),
        ((3, 0, 3, 3), None),
    ],
)
def test_congestion_marks_of_fragments(wires: Wires, marks: tuple[int, ...], end: int | None) -> None:
    h1 = host(wires)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    for packet in parts(tclass=marks):
        wires.inject(h1, packet)
    assert wires.drops(h1, 3) == ([] if end is not None else ["FRAG_ECN"])
    message = syscalls.recvmsg(h1, sid)
    assert (message.tclass if message else None) == end


# -- the first fragment ----------------------------------------------------------------------------------------------

LONG = exthdr.destination_options(58, exthdr.option(exthdr.OPT_PADN, bytes(60)))


@pytest.mark.parametrize(
    ("nxt", "data", "whole"),
    [
        (58, WHOLE[:8], True),
        (60, LONG + WHOLE[:8], True),
        (60, bytes([17]) + LONG[1:], False),
        (60, LONG[:32], False),
        (6, bytes(16), False),
        (6, bytes(24), True),
        (17, bytes(8), True),
        (59, bytes(8), True),
    ],
)
def test_the_first_fragment_may_have_to_hold_all_headers(wires: Wires, nxt: int, data: bytes, whole: bool) -> None:
    h1 = host(wires)
    wires.inject(h1, piece(0, True, data, nxt=nxt))
    assert wires.drops(h1, 3) == [], "KAME does not ask for it"
    syscalls.sysctl_set(h1, IP6 + "frag_chain", 1)
    wires.inject(h1, piece(0, True, data, nxt=nxt, ident=2))
    assert wires.drops(h1, 3) == ([] if whole else ["FRAG_CHAIN"])
    told = [(one.message[1], one.message[4:8]) for one in wires.sent(h1, icmp.PARAM_PROB, 3)]
    assert told == ([] if whole else [(3, bytes(4))])


def test_headers_and_hop_limit_of_the_whole_are_those_of_the_first_fragment(wires: Wires) -> None:
    h1 = host(wires)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    one, two, three, four = parts()
    for packet, hlim in ((four, 9), (two, 8), (one, 44), (three, 7)):
        wires.inject(h1, packet[:7] + bytes((hlim,)) + packet[8:])
    message = syscalls.recvmsg(h1, sid)
    assert message is not None
    assert (message.hoplimit, message.data) == (44, WHOLE)


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_lowered_limit_evicts_the_oldest_packets_at_the_next_tick(wires: Wires) -> None:
    h1 = host(wires)
    for ident in range(1, 5):
        wires.inject(h1, parts(ident)[0 if ident < 3 else 1])
        wires.run(0.1)
    wires.run(to=10.2)
    syscalls.sysctl_set(h1, IP6 + "maxfragpackets", 1)
    wires.run(to=10.4)
    assert len(h1.reassembly) == 4
    wires.run(to=10.6)
    assert [one.ident for one in syscalls.rows(h1, "reassembly")] == [4]
    ends = wires.records(h1, "drop", 3)
    assert [(one.reason, one.time) for one in ends] == [("FRAG_EVICTED", 10_500_000_000)] * 3
    assert h1.counters()["ip6.fragoverflow"] == 3
    # Those whose first fragment was here are told, as when time is over.
    assert [one.message[1] for one in wires.sent(h1, icmp.TIME_EXCEEDED, 3)] == [1, 1]


def test_a_limit_that_is_lowered_and_raised_again_before_the_tick_evicts_nothing(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, parts()[0])
    for value in (0, 200, -1, 1):
        syscalls.sysctl_set(h1, IP6 + "maxfragpackets", value)
    wires.run(5)
    assert len(h1.reassembly) == 1
    assert "ip6.fragoverflow" not in h1.counters()


def test_a_power_cut_forgets_the_tick_too(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, parts()[0])
    syscalls.sysctl_set(h1, IP6 + "maxfragpackets", 0)
    h1.power_off()
    wires.run(5)
    assert wires.drops(h1, 3) == ["NODE_OFF"]


def test_fragments_of_many_packets_in_any_order_make_all_of_them(wires: Wires) -> None:
    h1 = host(wires)
    packets = [packet for ident in range(30) for packet in parts(ident)]
    for number in range(len(packets)):
        wires.inject(h1, packets[number * 37 % len(packets)])
    assert replies(wires, h1) == 30
    assert h1.counters()["ip6.reassembled"] == 30
    assert syscalls.rows(h1, "reassembly") == ()
