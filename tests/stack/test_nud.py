"""Neighbour unreachability detection: every transition of the table, and the times of RFC 4861 10 and of KAME."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from wires import (
    OTHER_MAC,
    ROUTER,
    STRANGER,
    STRANGER_MAC,
    A,
    Wires,
    datagram,
    icmp6,
    na,
    neighbor,
    ns,
    ra,
    row,
    rs,
    scoped,
)

from kamelab.core.errors import EHOSTDOWN, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6 import nd6
from kamelab.stack.netinet6.nd6_state import TRANSITIONS
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")
HINTS = "net.inet6.icmp6.nd6_maxnudhint"


def nud(wires: Wires, node: Node, since: float = 0) -> list[tuple[float, str]]:
    return wires.states(node, "nd6_nud", since)


# -- ways into each state --------------------------------------------------------------------------------------------


def incomplete(wires: Wires, h1: Node) -> None:
    wires.send(h1, "fe80::99", "ne0")


def nostate(wires: Wires, h1: Node) -> None:
    wires.inject(h1, rs(lladdr=None))


def stale(wires: Wires, h1: Node) -> None:
    """By a router solicitation, the one message that teaches and is not answered by the kernel."""
    wires.inject(h1, rs())


def reachable(wires: Wires, h1: Node) -> None:
    incomplete(wires, h1)
    wires.inject(h1, na(STRANGER, OWN, "SO"))


def delay(wires: Wires, h1: Node) -> None:
    stale(wires, h1)
    wires.send(h1, "fe80::99", "ne0")


def probe(wires: Wires, h1: Node) -> None:
    delay(wires, h1)
    wires.run(5)


def nothing(wires: Wires, h1: Node) -> None:
    pass


INTO: dict[str, Callable[[Wires, Node], None]] = {
    "": nothing,
    "NOSTATE": nostate,
    "INCOMPLETE": incomplete,
    "REACHABLE": reachable,
    "STALE": stale,
    "DELAY": delay,
    "PROBE": probe,
}


# -- what makes each event -------------------------------------------------------------------------------------------


def answer(flags: str, mac: bytes = STRANGER_MAC) -> Callable[[Wires, Node], None]:
    return lambda wires, h1: wires.inject(h1, na(STRANGER, OWN, flags, lladdr=mac))


def by_hand(wires: Wires, h1: Node) -> None:
    syscalls.neighbor(h1, "set", address=STRANGER, interface="ne0", lladdr=OTHER_MAC)


def hint(wires: Wires, h1: Node) -> None:
    syscalls.sysctl_set(h1, HINTS, 1)
    iface = h1.interfaces["ne0"]
    nd6.nd6_nud_hint(h1, iface, scoped(iface, STRANGER))


def out_of_time(wires: Wires, h1: Node) -> None:
    """Up to the moment of the state's timer."""
    entry = neighbor(h1)
    assert entry is not None
    assert entry.timer.at is not None
    wires.run(to=entry.timer.at / 1e9)


def last_try(wires: Wires, h1: Node) -> None:
    entry = neighbor(h1)
    while entry is not None and entry.probes < 3:
        out_of_time(wires, h1)
        entry = neighbor(h1)
    out_of_time(wires, h1)


def detection_off(wires: Wires, h1: Node) -> None:
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", nud=False)
    out_of_time(wires, h1)


EVENTS: dict[str, Callable[[Wires, Node], None]] = {
    "output": incomplete,
    "heard": nostate,
    "learned": stale,
    "changed": lambda wires, h1: wires.inject(h1, rs(lladdr=OTHER_MAC)),
    "na_solicited": answer("SO", OTHER_MAC),
    "na_unsolicited": answer("O", OTHER_MAC),
    "na_conflict": answer("S", OTHER_MAC),
    "timeout": out_of_time,
    "retrans": out_of_time,
    "failed": last_try,
    "hint": hint,
    "nud_off": detection_off,
    "set": by_hand,
}


@pytest.mark.parametrize(("state", "event"), list(TRANSITIONS))
def test_every_transition_of_the_table(wires: Wires, state: str, event: str) -> None:
    h1 = wires.host(forwarding=1)
    INTO[state](wires, h1)
    entry = neighbor(h1)
    assert (entry.state if entry is not None else "") == state
    before = len(nud(wires, h1))
    EVENTS[event](wires, h1)
    after, rule = TRANSITIONS[(state, event)]
    entry = neighbor(h1)
    assert (entry.state if entry is not None else "") == after
    assert nud(wires, h1)[before:][-1][1] == f"{state or '-'} > {after or '-'}"
    record = [r for r in wires.records(h1, "state") if r.stage == "nd6_nud"][-1]
    assert (record.rule, record.note) == (rule, f"fe80::99%ne0 {event}")


def test_resolution_solicits_at_0_1_and_2_seconds_and_gives_up_at_3(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, A("2001:db8:1::99"), 9, 0)
    syscalls.sendmsg(h1, sid, b"hello")
    wires.run(10)
    asked = wires.sent(h1, icmp.NEIGHBOR_SOLICIT, since=3)
    assert [one.at for one in asked] == [3, 4, 5]
    # RFC 4861 7.2.2: to the solicited-node group, from the address of the packet that waits, with our own MAC.
    assert {(one.src, one.dst, one.mac.hex(), one.hlim) for one in asked} == {
        ("2001:db8:1::1", "ff02::1:ff00:99", "3333ff000099", 255)
    }
    assert asked[0].message[24:] == bytes.fromhex("0101020000000001")
    drop = wires.records(h1, "drop", 3)
    assert [(r.time, r.reason, r.event) for r in drop] == [(6_000_000_000, "ND_UNRESOLVED", "drop")]
    (error,) = wires.sent(h1, icmp.DST_UNREACH)
    assert (error.at, error.dst, error.message[1], error.interface) == (6, "2001:db8:1::1", icmp.UNREACH_ADDR, "lo0")
    assert error.message[8:][24:40] == A("2001:db8:1::99")
    with pytest.raises(Errno) as refusal:
        syscalls.recvmsg(h1, sid)
    assert refusal.value.number == EHOSTDOWN
    assert neighbor(h1, A("2001:db8:1::99")) is None


def test_the_newest_packet_waits_and_leaves_with_the_answer(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    for text in (b"one", b"two", b"three"):
        wires.send(h1, "fe80::99", "ne0", text)
        wires.run(0.1)
    assert row(h1, "neighbors", "fe80::99%ne0").held == 1
    assert wires.drops(h1, 3) == ["ND_QUEUE_REPLACED", "ND_QUEUE_REPLACED"]
    # Others than the first do not ask again.
    assert len(wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)) == 1
    wires.inject(h1, na(STRANGER, OWN, "SO"))
    (left,) = [one for one in wires.sent(h1, since=3) if one.packet[6] == 17]
    assert left.packet[48:] == b"three"
    assert left.mac == STRANGER_MAC


def test_a_longer_queue_drops_the_oldest(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    syscalls.sysctl_set(h1, "net.inet6.icmp6.nd6_maxqueuelen", 2)
    for text in (b"one", b"two", b"three"):
        wires.send(h1, "fe80::99", "ne0", text)
    wires.inject(h1, na(STRANGER, OWN, "SO"))
    assert [one.packet[48:] for one in wires.sent(h1, since=3) if one.packet[6] == 17] == [b"two", b"three"]


def test_a_dead_neighbour_is_deleted_8_seconds_after_the_first_packet_to_a_stale_entry(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    stale(wires, h1)
    wires.run(to=10)
    wires.send(h1, "fe80::99", "ne0")
    (packet,) = [one for one in wires.sent(h1, since=10) if one.packet[6] == 17]
    assert packet.at == 10, "it leaves at once"
    wires.run(to=30)
    assert nud(wires, h1, 10) == [
        (10, "STALE > DELAY"),
        (15, "DELAY > PROBE"),
        (16, "PROBE > PROBE"),
        (17, "PROBE > PROBE"),
        (18, "PROBE > -"),
    ]
    probes = wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 10)
    assert [(one.at, one.dst, one.mac) for one in probes] == [(t, "fe80::99", STRANGER_MAC) for t in (15, 16, 17)]


def test_reachability_lasts_half_to_one_and_a_half_of_30_seconds(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    reachable(wires, h1)
    wires.run(46)
    (confirmed, _), (expired, what) = nud(wires, h1, 3)[-2:]
    assert what == "REACHABLE > STALE"
    assert 15 <= expired - confirmed <= 45
    assert (expired - confirmed).is_integer(), "kept in whole seconds"
    assert row(h1, "ndinterfaces", "ne0").reachable == expired - confirmed


def test_reachable_time_is_drawn_anew_after_two_hours(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    drawn = set()
    for _ in range(6):
        reachable(wires, h1)
        drawn.add(row(h1, "ndinterfaces", "ne0").reachable)
        wires.run(7200)
        entry = neighbor(h1)
        assert entry is not None
        nd6.nd6_free(h1, h1.interfaces["ne0"], entry)
    assert len(drawn) > 1


def test_a_stale_entry_is_collected_after_a_day(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    stale(wires, h1)
    wires.run(86399)
    assert neighbor(h1) is not None
    wires.run(2)
    assert neighbor(h1) is None


def test_a_stale_default_router_is_kept_while_it_is_one(wires: Wires) -> None:
    """Its collection waits for the router's lifetime, and ends: an entry that is due never spins the clock."""
    h1 = wires.host(accept_rtadv=1)
    wires.run(0.25)
    for _ in range(10):
        wires.inject(h1, ra(lifetime=9000))
        wires.run(8999)
    wires.inject(h1, ra(lifetime=9000))
    entry = neighbor(h1, ROUTER)
    assert entry is not None
    assert entry.state == "STALE"
    assert wires.now > 86400
    events = wires.net.clock.events
    wires.run(9002)
    assert neighbor(h1, ROUTER) is None
    assert h1.routers == []
    assert wires.net.clock.events - events < 10


def test_a_hint_is_believed_as_often_as_the_sysctl_says(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    iface = h1.interfaces["ne0"]
    addr = scoped(iface, STRANGER)
    stale(wires, h1)
    nd6.nd6_nud_hint(h1, iface, addr)
    entry = neighbor(h1)
    assert entry is not None
    assert entry.state == "STALE", "0 by default"
    syscalls.sysctl_set(h1, HINTS, 2)
    for expected in ("REACHABLE", "REACHABLE", "STALE"):
        if entry.state == "REACHABLE":
            wires.run(46)
        nd6.nd6_nud_hint(h1, iface, addr)
        assert entry.state == expected


def test_entries_by_hand_are_never_changed_by_messages(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    by_hand(wires, h1)
    wires.inject(h1, ns(OWN))
    wires.inject(h1, na(STRANGER, OWN, "SO"))
    entry = row(h1, "neighbors", "fe80::99%ne0")
    assert (entry.lladdr, entry.state, entry.expire, entry.static) == ("2:0:0:0:0:aa", "REACHABLE", None, True)


def test_a_temporary_entry_by_hand_ages_after_20_minutes_and_outlives_flushing(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    syscalls.neighbor(h1, "set", address=STRANGER, interface="ne0", lladdr=OTHER_MAC, temp=True)
    wires.inject(h1, ns(OWN, src=A("fe80::77")))
    assert syscalls.neighbor(h1, "flush") == (("fe80::77%ne0", "ne0"),)
    wires.run(1199)
    assert row(h1, "neighbors", "fe80::99%ne0").state == "REACHABLE"
    wires.run(2)
    assert row(h1, "neighbors", "fe80::99%ne0").state == "STALE"


def test_deleting_an_entry_ends_what_waits_for_it(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    incomplete(wires, h1)
    syscalls.neighbor(h1, "delete", address=STRANGER, interface="ne0")
    wires.run(5)
    assert wires.drops(h1, 3) == ["ND_ENTRY_GONE"]
    assert wires.sent(h1, icmp.DST_UNREACH) == []


def test_an_entry_without_address_is_not_confirmed_by_an_advertisement_without_address(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    nostate(wires, h1)
    wires.inject(h1, na(STRANGER, OWN, "SO", lladdr=None))
    assert wires.drops(h1, 3) == ["NA_NO_LLADDR"]
    wires.send(h1, "fe80::99", "ne0")
    wires.run(4)
    assert wires.drops(h1, 3) == ["NA_NO_LLADDR", "ND_UNRESOLVED"]


def test_a_scan_of_the_link_does_not_exhaust_the_router(wires: Wires) -> None:
    """Each packet to an address that nobody has makes an entry with a packet that waits: the oldest give way."""
    r1 = wires.router()
    for number in range(700):
        wires.inject(r1, datagram(A("2001:db8:1::5"), A(f"2001:db8:2::{number + 0x1000:x}")), "ne0")
    assert len(r1.interfaces["ne1"].neighbors) == nd6.NEIGHBOR_LIMIT
    assert wires.drops(r1, 3).count("ND_ENTRY_GONE") == 700 - nd6.NEIGHBOR_LIMIT
    wires.run(4)
    assert r1.interfaces["ne1"].neighbors == {}


def test_entries_by_hand_leave_room_for_learned_ones(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    for number in range(nd6.STATIC_LIMIT):
        syscalls.neighbor(h1, "set", address=A(f"fe80::1:{number:x}"), interface="ne0", lladdr=OTHER_MAC)
    with pytest.raises(Errno, match="No buffer space available"):
        syscalls.neighbor(h1, "set", address=A("fe80::2:0"), interface="ne0", lladdr=OTHER_MAC)
    for number in range(nd6.NEIGHBOR_LIMIT):
        wires.inject(h1, ns(OWN, src=A(f"fe80::3:{number:x}")))
    entries = h1.interfaces["ne0"].neighbors.values()
    assert len(entries) == nd6.NEIGHBOR_LIMIT
    assert sum(entry.static for entry in entries) == nd6.STATIC_LIMIT


def test_resolution_over_a_lossy_link_takes_the_second_solicitation() -> None:
    """Seeds 1 to 20: with half of all frames lost the packet arrives, or its sender is told after 3 seconds."""
    times = set()
    for seed in range(1, 21):
        wires = Wires(seed)
        wires.link("lan", loss=0.5)
        h1, h2 = wires.node("h1", "lan"), wires.node("h2", "lan")
        wires.run(to=5)
        wires.send(h1, "fe80::ff:fe00:2", "ne0")
        wires.run(4)
        unresolved = "ND_UNRESOLVED" in wires.drops(h1, 5)
        solicited = [one.at for one in wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 5)]
        assert all(later - earlier == 1 for earlier, later in pairwise(solicited))
        left = [one.at for one in wires.sent(h1, since=5) if one.packet[6] == 17]
        assert unresolved != bool(left)
        times |= {round(at) for at in left}
        assert h2.name == "h2"
        wires.account()
    assert len(times) > 1


def test_nobody_s_advertisement_makes_no_entry(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    wires.inject(h1, na(STRANGER, OWN, "SO"))
    assert neighbor(h1) is None
    assert wires.drops(h1, 3) == ["NA_NO_ENTRY"]


def test_a_resolved_neighbour_is_a_cloned_host_route(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    target = A("2001:db8:1::99")
    assert syscalls.route(h1, "get", destination=target).flags == "UC"
    wires.inject(h1, ns(A("2001:db8:1::1"), src=target))
    found = syscalls.route(h1, "get", destination=target)
    assert (found.destination, found.gateway, found.flags, found.interface) == (
        "2001:db8:1::99", "2:0:0:0:0:99", "UHLW", "ne0",
    )  # fmt: skip
    assert found in syscalls.rows(h1, "routes")


def test_an_echo_from_a_host_off_link_teaches_nothing(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    wires.inject(h1, icmp6(A("2001:db8:77::1"), A("2001:db8:1::1"), icmp.ECHO_REQUEST, bytes(8)))
    assert h1.interfaces["ne0"].neighbors == {}
