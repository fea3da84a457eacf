"""The forwarding fast path: the same octets, records and counters as the walk, and never a stale decision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wires import (
    FORWARDING,
    OTHER_MAC,
    A,
    Wires,
    dad_ns,
    datagram,
    echo,
    icmp6,
    na,
    ns,
    row,
)

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import exthdr, ip6
from kamelab.wire import icmp6 as icmp

LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
R1_RIGHT = A("2001:db8:2::ff")
RIGHT_MAC = b"\x02\0\0\0\0\x55"


def router(wires: Wires) -> Node:
    """r1 with RIGHT reachable, at 3 s."""
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    wires.inject(r1, datagram(LEFT, RIGHT))
    wires.inject(r1, na(RIGHT, R1_RIGHT, "SO", lladdr=RIGHT_MAC), "ne1", smac=RIGHT_MAC)
    return r1


PACKETS = [
    datagram(LEFT, RIGHT, data=bytes(100)),
    datagram(LEFT, RIGHT, data=bytes(100)),
    echo(LEFT, RIGHT, hlim=255),
    datagram(LEFT, RIGHT, hlim=2),
    datagram(LEFT, RIGHT, hlim=1),
    datagram(LEFT, RIGHT, hlim=0),
    datagram(LEFT, RIGHT) + b"padding",
    datagram(LEFT, RIGHT)[:-1],
    datagram(LEFT, RIGHT, data=bytes(1452)),
    datagram(LEFT, RIGHT, data=bytes(1453)),
    ip6.build(LEFT, RIGHT, 59, b""),
    ip6.build(LEFT, RIGHT, 17, b""),
    ip6.build(LEFT, RIGHT, 17, b"x"),
    ip6.build(LEFT, RIGHT, 0, exthdr.hop_by_hop(59, b"") + b"x"),
    ip6.build(LEFT, RIGHT, 0, exthdr.hop_by_hop(59, exthdr.option(0x80, b""))),
    ip6.build(LEFT, RIGHT, 60, exthdr.destination_options(59, exthdr.option(0x80, b""))),
    ip6.build(LEFT, RIGHT, 44, exthdr.build_fragment(17, 8, True, 1) + bytes(8)),
    ip6.build(LEFT, RIGHT, 17, b"abcd", tclass=0xFF, flow=0xABCDE),
    b"\x40" + datagram(LEFT, RIGHT)[1:],
    icmp6(LEFT, RIGHT, icmp.NEIGHBOR_SOLICIT, bytes(20)),
    datagram(RIGHT, LEFT),
    datagram(LEFT, RIGHT, data=b"last"),
]


def play(*, flows: bool) -> tuple[Wires, Node]:
    wires = Wires()
    r1 = router(wires)
    for packet in PACKETS:
        if not flows:
            r1.flows.clear()
        wires.inject(r1, packet)
    return wires, r1


def test_results_are_those_of_the_walk() -> None:
    fast_wires, fast = play(flows=True)
    slow_wires, slow = play(flows=False)
    # By next header; 256 stands for a packet that takes a cluster.
    assert fast.fast == {17: 3, 17 | 256: 2, 58: 2, 60: 1, 44: 1}
    assert slow.fast == {}
    assert fast_wires.sent(fast) == slow_wires.sent(slow)
    # Record for record, too: a capture or a "why" can't tell which way a packet went.
    assert list(fast_wires.net.trace.all()) == list(slow_wires.net.trace.all())
    quick, walked = fast.counters(), slow.counters()
    hits = quick.pop("ip6.forward_cachehit")
    assert hits + quick.pop("ip6.forward_cachemiss") == walked.pop("ip6.forward_cachemiss")
    assert quick == walked
    for table in ("interfaces", "routes", "neighbors"):
        assert syscalls.rows(fast, table) == syscalls.rows(slow, table)
    for wires in (fast_wires, slow_wires):
        wires.account()


def hit(wires: Wires, r1: Node) -> bool:
    """Whether the next packet takes the fast path."""
    before = sum(r1.fast.values())
    wires.inject(r1, datagram(LEFT, RIGHT))
    return sum(r1.fast.values()) > before


def neighbor_changes_address(wires: Wires, r1: Node) -> None:
    wires.inject(r1, na(RIGHT, R1_RIGHT, "SO", lladdr=OTHER_MAC), "ne1")


def neighbor_goes(wires: Wires, r1: Node) -> None:
    syscalls.neighbor(r1, "delete", address=RIGHT, interface="ne1")


def route_added(wires: Wires, r1: Node) -> None:
    syscalls.route(r1, "add", destination=RIGHT, plen=128, gateway=A("2001:db8:2::7"))


def route_deleted(wires: Wires, r1: Node) -> None:
    syscalls.route(r1, "delete", destination=A("2001:db8:2::"), plen=64)


def address_becomes_ours(wires: Wires, r1: Node) -> None:
    wires.address(r1, "2001:db8:2::5", "ne0")


def forwarding_ends(wires: Wires, r1: Node) -> None:
    syscalls.sysctl_set(r1, FORWARDING, 0)


def out_goes_down(wires: Wires, r1: Node) -> None:
    syscalls.ioctl(r1, "SIOCSIFFLAGS", "ne1", up=False)


def out_is_disabled(wires: Wires, r1: Node) -> None:
    syscalls.ioctl(r1, "SIOCSIFINFO_FLAGS", "ne1", disabled=True)


def in_is_disabled(wires: Wires, r1: Node) -> None:
    """A duplicate of the hardware's address, after the interface got it anew."""
    own = A("fe80::ff:fe00:1")
    syscalls.ioctl(r1, "SIOCDIFADDR_IN6", "ne0", address=own)
    wires.address(r1, "fe80::ff:fe00:1", "ne0")
    assert hit(wires, r1) is False
    assert hit(wires, r1) is True
    wires.inject(r1, na(own, A("ff02::1"), "O"))
    assert r1.interfaces["ne0"].disabled


def mtu_shrinks(wires: Wires, r1: Node) -> None:
    syscalls.ioctl(r1, "SIOCSIFMTU", "ne1", mtu=1280)


CHANGES: list[tuple[Callable[[Wires, Node], None], str]] = [
    (neighbor_changes_address, "forward"),
    (neighbor_goes, "hold"),
    (route_added, "hold"),
    (route_deleted, "FWD_NOROUTE"),
    (address_becomes_ours, "IP6_TENTATIVE"),
    (forwarding_ends, "IP6_NOTFORWARDING"),
    (out_goes_down, "OUT_NOTUP"),
    (out_is_disabled, "ND_DISABLED"),
    (in_is_disabled, "ND_DISABLED"),
    (mtu_shrinks, "forward"),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_change_is_felt_by_the_very_next_packet(
    wires: Wires, change: Callable[[Wires, Node], None], expected: str
) -> None:
    r1 = router(wires)
    assert hit(wires, r1) is False
    assert hit(wires, r1) is True
    change(wires, r1)
    assert hit(wires, r1) is False
    packet = wires.net.trace.packets[-1]
    records = [r for r in wires.net.trace.all() if r.event in ("forward", "drop", "hold")]
    assert (records[-1].reason or records[-1].event) == expected
    if change is neighbor_changes_address:
        assert packet[12][:6] == OTHER_MAC
    if expected not in ("forward",):
        assert hit(wires, r1) is False, "and by those after it"


def test_reachability_that_ages_is_noticed(wires: Wires) -> None:
    """STALE begins on time, and the next packet starts the delay of unreachability detection."""
    r1 = router(wires)
    assert [hit(wires, r1), hit(wires, r1)] == [False, True]
    wires.run(46)
    assert row(r1, "neighbors", "2001:db8:2::5").state == "STALE"
    assert hit(wires, r1) is False
    assert row(r1, "neighbors", "2001:db8:2::5").state == "DELAY"
    assert hit(wires, r1) is True


def test_flows_are_per_arrival_interface_and_neighbour(wires: Wires) -> None:
    r1 = router(wires)
    assert [hit(wires, r1), hit(wires, r1)] == [False, True]
    before = dict(r1.fast)
    wires.inject(r1, datagram(LEFT, RIGHT), "ne1")
    assert r1.fast == before


def test_link_multicast_and_scoped_packets_take_the_walk(wires: Wires) -> None:
    r1 = router(wires)
    assert [hit(wires, r1), hit(wires, r1)] == [False, True]
    before = dict(r1.fast)
    wires.inject(r1, datagram(LEFT, RIGHT), dmac=b"\x33\x33\0\0\0\x01")
    for _ in range(3):
        wires.inject(r1, datagram(A("fe80::99"), RIGHT))
        wires.inject(r1, dad_ns(A("fe80::ff:fe00:1")))
    assert r1.fast == before
    assert wires.drops(r1, 3).count("FWD_LINKCAST") == 1


def test_no_flow_is_kept_where_a_redirect_is_due(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=A("2001:db8:1::6")), "ne0")
    wires.inject(r1, na(A("2001:db8:1::6"), A("2001:db8:1::ff"), "SO"), "ne0")
    for _ in range(3):
        wires.inject(r1, datagram(LEFT, A("2001:db8:1::6")))
    assert r1.fast == {}
    assert len(wires.sent(r1, icmp.REDIRECT)) == 3


def test_the_number_of_flows_is_bounded(wires: Wires) -> None:
    r1 = router(wires)
    for number in range(5000):
        wires.inject(r1, datagram(A(f"2001:db8:77::{number:x}"), RIGHT), run=False)
    wires.run(0.01)
    assert 0 < len(r1.flows) <= 4096
