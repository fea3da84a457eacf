"""Multicast listener discovery, the listener's side, and memberships (RFC 2710; KAME IMPLEMENTATION 1.15 (2001))."""

from __future__ import annotations

from typing import Any

import pytest
from wires import (
    A,
    Wires,
    echo,
    mld_message,
    ns,
    row,
)

from kamelab.core.errors import EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENXIO, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp

GROUP = A("ff02::77")
NAMED = "ff02::2:3a67:896f%ne0"
"""The group of the name h1 (RFC 4620)."""
REPORT, DONE, QUERY = icmp.MLD_REPORT, icmp.MLD_DONE, icmp.MLD_QUERY


def settled(wires: Wires) -> Node:
    """A host whose own reports are over, at 20 s."""
    wires.link("lan")
    h1 = wires.node("h1", "lan")
    wires.run(to=20)
    return h1


def join(node: Node, group: bytes = GROUP, ifindex: int = 1) -> int:
    sid = syscalls.socket(node, 0, "udp6", 0)
    syscalls.setsockopt(node, sid, "IPV6_JOIN_GROUP", (group, ifindex))
    return sid


def about(wires: Wires, node: Node, kind: int, since: float, group: str = "ff02::77") -> list[float]:
    return [one.at for one in wires.sent(node, kind, since) if one.message[8:24] == A(group)]


def test_an_interface_joins_the_required_groups_once(wires: Wires) -> None:
    h1 = settled(wires)
    wires.address(h1, "2001:db8:1::ff:fe00:1")
    wires.address(h1, "2001:db8:1::2")
    groups = {one.group: (one.refcnt, one.lladdr) for one in syscalls.rows(h1, "groups") if one.interface == "ne0"}
    assert groups == {
        "ff01::1%ne0": (1, "33:33:00:00:00:01"),
        "ff02::1%ne0": (1, "33:33:00:00:00:01"),
        "ff02::1:ff00:1%ne0": (2, "33:33:ff:00:00:01"),
        "ff02::1:ff00:2%ne0": (1, "33:33:ff:00:00:02"),
        NAMED: (1, "33:33:3a:67:89:6f"),
    }


def test_losing_all_addresses_and_getting_new_ones_joins_nothing_twice(wires: Wires) -> None:
    h1 = settled(wires)
    for _ in range(2):
        for one in syscalls.rows(h1, "addresses"):
            if one.interface == "ne0":
                address = one.address.partition("%")[0]
                syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A(address))
        assert [one.group for one in syscalls.rows(h1, "groups") if one.interface == "ne0"] == [
            "ff02::1%ne0",
            "ff01::1%ne0",
            NAMED,
        ]
        wires.address(h1, "fe80::5")
    assert row(h1, "groups", "ff02::1%ne0").refcnt == 1
    assert row(h1, "groups", "ff01::1%ne0").refcnt == 1


def test_the_solicited_node_group_is_reported_at_once_and_again_within_ten_seconds(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan")
    wires.run(20)
    first, again = (one for one in wires.sent(h1, REPORT) if one.dst not in NAMED)
    assert first.at == 0
    assert 0 < again.at <= 10
    assert (first.src, again.src) == ("::", "fe80::ff:fe00:1"), "RFC 3590: no address ready yet"
    for one in (first, again):
        assert (one.dst, one.hlim, one.message[8:24]) == ("ff02::1:ff00:1", 1, A("ff02::1:ff00:1"))
        assert one.packet[40:48] == bytes.fromhex("3a00050200000100"), "hop-by-hop with router alert"


def test_a_group_that_a_program_joins(wires: Wires) -> None:
    h1 = settled(wires)
    sid = join(h1)
    wires.run(11)
    first, again = about(wires, h1, REPORT, 20)
    assert first == 20
    assert 20 < again <= 30
    assert row(h1, "groups", "ff02::77%ne0").state == "idle"
    syscalls.setsockopt(h1, sid, "IPV6_LEAVE_GROUP", (GROUP, 1))
    (done,) = wires.sent(h1, DONE)
    assert (done.at, done.dst, done.message[8:24]) == (31, "ff02::2", GROUP)


def test_the_last_of_two_programs_says_done(wires: Wires) -> None:
    h1 = settled(wires)
    one, two = join(h1), join(h1)
    assert row(h1, "groups", "ff02::77%ne0").refcnt == 2
    syscalls.close(h1, one)
    assert wires.sent(h1, DONE) == []
    syscalls.close(h1, two)
    assert len(wires.sent(h1, DONE)) == 1
    assert not [one for one in syscalls.rows(h1, "groups") if one.group == "ff02::77%ne0"]


@pytest.mark.parametrize("group", ["ff01::77", "ff02::1", "ff00::77"])
def test_all_nodes_and_small_scopes_are_never_reported(wires: Wires, group: str) -> None:
    h1 = settled(wires)
    sid = join(h1, A(group))
    wires.run(11)
    wires.inject(h1, mld_message(QUERY, bytes(16), delay=1000))
    wires.run(2)
    syscalls.close(h1, sid)
    assert about(wires, h1, REPORT, 20, group) == []
    assert wires.sent(h1, DONE) == []


def test_a_general_query_is_answered_for_each_group_within_its_delay(wires: Wires) -> None:
    h1 = settled(wires)
    join(h1)
    wires.run(11)
    wires.inject(h1, mld_message(QUERY, bytes(16), delay=5000))
    assert {one.group: one.state for one in syscalls.rows(h1, "groups") if one.interface == "ne0"} == {
        "ff02::1%ne0": "silent",
        "ff01::1%ne0": "silent",
        "ff02::1:ff00:1%ne0": "delaying",
        "ff02::77%ne0": "delaying",
        NAMED: "delaying",
    }
    wires.run(5)
    answers = [(one.at, one.dst) for one in wires.sent(h1, REPORT, 31)]
    assert sorted(dst for _, dst in answers) == ["ff02::1:ff00:1", "ff02::2:3a67:896f", "ff02::77"]
    assert all(31 <= at <= 36 for at, _ in answers)
    assert len({at for at, _ in answers}) == 3, "each group has its own random delay"


def test_a_query_for_one_group_is_answered_for_that_group(wires: Wires) -> None:
    h1 = settled(wires)
    join(h1)
    wires.run(11)
    wires.inject(h1, mld_message(QUERY, GROUP, delay=1000))
    wires.run(2)
    assert [one.dst for one in wires.sent(h1, REPORT, 31)] == ["ff02::77"]


def test_delay_0_asks_for_an_answer_at_once(wires: Wires) -> None:
    h1 = settled(wires)
    wires.inject(h1, mld_message(QUERY, bytes(16)))
    assert [one.at for one in wires.sent(h1, REPORT, 20)] == [20, 20]


def test_a_shorter_timer_is_kept_and_a_longer_one_is_cut(wires: Wires) -> None:
    h1 = settled(wires)
    wires.inject(h1, mld_message(QUERY, bytes(16), delay=10))
    due = row(h1, "groups", "ff02::1:ff00:1%ne0").timer
    wires.inject(h1, mld_message(QUERY, bytes(16), delay=60000))
    assert row(h1, "groups", "ff02::1:ff00:1%ne0").timer == due
    wires.run(1)
    wires.inject(h1, mld_message(QUERY, bytes(16), delay=60000))
    long = row(h1, "groups", "ff02::1:ff00:1%ne0").timer
    for _ in range(20):
        wires.inject(h1, mld_message(QUERY, bytes(16), delay=100))
    short = row(h1, "groups", "ff02::1:ff00:1%ne0").timer
    assert short < long
    assert short <= 21_100_000_000


def test_another_s_report_cancels_ours_and_then_we_owe_no_done(wires: Wires) -> None:
    h1 = settled(wires)
    sid = join(h1)
    wires.run(11)
    wires.inject(h1, mld_message(QUERY, GROUP, delay=10000))
    wires.inject(h1, mld_message(REPORT, GROUP))
    wires.run(11)
    assert about(wires, h1, REPORT, 31) == []
    syscalls.close(h1, sid)
    assert wires.sent(h1, DONE) == []


def test_two_listeners_give_one_answer() -> None:
    """With seeds 1 to 10, on a link without delay to speak of: whoever is later keeps silent."""
    for seed in range(1, 11):
        wires = Wires(seed)
        wires.link("lan")
        nodes = [wires.node(name, "lan") for name in ("h1", "h2")]
        wires.run(to=20)
        sockets = [join(node) for node in nodes]
        wires.run(to=40)
        query = mld_message(QUERY, GROUP, delay=10000)
        for node in nodes:
            wires.inject(node, query, run=False)
        wires.run(to=60)
        answers = [len(about(wires, node, REPORT, 40)) for node in nodes]
        assert sorted(answers) == [0, 1]
        for node, sid in zip(nodes, sockets, strict=True):
            syscalls.close(node, sid)
        assert [len(wires.sent(node, DONE)) for node in nodes] == answers
        wires.account()


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (mld_message(QUERY, bytes(16), hlim=2), "MLD_HLIM"),
        (mld_message(QUERY, bytes(16), src=A("2001:db8::1")), "MLD_NOT_LINKLOCAL"),
    ],
)
def test_messages_that_no_neighbour_can_have_sent(wires: Wires, packet: bytes, reason: str) -> None:
    h1 = settled(wires)
    wires.inject(h1, packet)
    wires.run(11)
    assert wires.drops(h1, 20) == [reason]
    assert wires.sent(h1, REPORT, 20) == []


def test_up_again_reports_again(wires: Wires) -> None:
    h1 = settled(wires)
    join(h1)
    wires.run(11)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    wires.run(1)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(11)
    assert about(wires, h1, REPORT, 32)[0] == 32
    assert len(about(wires, h1, REPORT, 32)) == 2


def test_the_filter_lets_in_joined_groups_only(wires: Wires) -> None:
    h1 = settled(wires)
    iface = h1.interfaces["ne0"]
    before = iface.ipackets
    wires.inject(h1, ns(A("fe80::55:5555")))
    assert iface.ipackets == before, "not even counted: the address filter stands before the kernel"
    # Another group behind the same Ethernet address comes through, and is not ours.
    wires.inject(h1, echo(A("fe80::99"), A("ff05::1")))
    assert wires.drops(h1, 20) == ["IP6_NOTMEMBER"]
    assert h1.counters()["ip6.notmember"] == 1


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("IPV6_JOIN_GROUP", (A("2001:db8::1"), 1), EINVAL),
        ("IPV6_JOIN_GROUP", (GROUP, 9), ENXIO),
        ("IPV6_JOIN_GROUP", (A("ff02::78"), 1), EADDRINUSE),
        ("IPV6_LEAVE_GROUP", (GROUP, 1), EADDRNOTAVAIL),
    ],
)
def test_memberships_that_cannot_be(wires: Wires, name: str, value: Any, number: int) -> None:
    h1 = settled(wires)
    sid = join(h1, A("ff02::78"))
    with pytest.raises(Errno) as refusal:
        syscalls.setsockopt(h1, sid, name, value)
    assert refusal.value.number == number
