"""Duplicate address detection in time order (RFC 4862 5.4; KAME nd6_nbr.c, KAME IMPLEMENTATION 1.2 (2001))."""

from __future__ import annotations

import pytest
from wires import (
    ALLNODES,
    STRANGER,
    A,
    Wires,
    dad_ns,
    datagram,
    echo,
    echo_to,
    na,
    ns,
    prefix,
    ra,
    row,
)

from kamelab.core.errors import EADDRNOTAVAIL, ENETDOWN, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp

LINKLOCAL = A("fe80::ff:fe00:1")
MANUAL = A("2001:db8:1::7")
DAD_COUNT = "net.inet6.ip6.dad_count"


def flags(node: Node, text: str) -> tuple[str, ...]:
    return row(node, "addresses", text).flags


def boot(wires: Wires, **options: int) -> Node:
    wires.link("lan")
    return wires.node("h1", "lan", **options)


def test_the_link_local_address_is_unique_one_retrans_time_after_a_probe_in_the_first_second(wires: Wires) -> None:
    h1 = boot(wires)
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ("tentative",)
    wires.run(3)
    (probe,) = wires.sent(h1, icmp.NEIGHBOR_SOLICIT)
    assert 0 <= probe.at < 1
    assert (probe.src, probe.dst, probe.hlim) == ("::", "ff02::1:ff00:1", 255)
    assert probe.message[4:] == bytes(4) + LINKLOCAL, "no options (RFC 4862 5.4.2)"
    assert wires.states(h1, "nd6_dad") == [(probe.at, "DAD probe 1"), (pytest.approx(probe.at + 1), "DAD unique")]
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ()


def test_a_global_address_set_by_hand_is_probed_at_once(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    wires.address(h1, "2001:db8:1::7")
    wires.run(2)
    assert wires.states(h1, "nd6_dad", 3) == [(3, "DAD probe 1"), (4, "DAD unique")]


def test_dad_count_sets_the_number_of_probes(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    syscalls.sysctl_set(h1, DAD_COUNT, 3)
    wires.address(h1, "2001:db8:1::7")
    wires.run(5)
    assert [at for at, _ in wires.states(h1, "nd6_dad", 3)] == [3, 4, 5, 6]
    syscalls.sysctl_set(h1, DAD_COUNT, 0)
    wires.address(h1, "2001:db8:1::8")
    assert flags(h1, "2001:db8:1::8") == ()
    wires.run(3)
    assert len(wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)) == 3


def test_the_interval_is_the_interface_s_retransmission_time(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    syscalls.ioctl(h1, "SIOCSIFINFO_IN6", "ne0", retrans=250)
    wires.address(h1, "2001:db8:1::7")
    wires.run(2)
    assert wires.states(h1, "nd6_dad", 3) == [(3, "DAD probe 1"), (3.25, "DAD unique")]


def test_anycast_and_loopback_addresses_are_never_tentative(wires: Wires) -> None:
    h1 = boot(wires)
    wires.address(h1, "2001:db8:1::a", flags=("anycast",))
    assert flags(h1, "2001:db8:1::a") == ("anycast",)
    assert flags(h1, "::1") == ()
    assert flags(h1, "fe80::1%lo0") == ()


def test_another_s_probe_before_ours_is_a_duplicate_at_once(wires: Wires) -> None:
    h1 = boot(wires)
    wires.inject(h1, dad_ns(LINKLOCAL))
    assert wires.states(h1, "nd6_dad") == [(0, "DAD duplicate")]
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ("duplicated",)
    assert "NS in/out=1/0, NA in=0" in wires.log(h1)[0]
    wires.run(5)
    assert wires.sent(h1, icmp.NEIGHBOR_SOLICIT) == []


def test_another_s_probe_after_ours_is_judged_at_the_end(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    wires.address(h1, "2001:db8:1::7")
    wires.run(0.5)
    wires.inject(h1, dad_ns(MANUAL))
    assert flags(h1, "2001:db8:1::7") == ("tentative",)
    wires.run(1)
    assert wires.states(h1, "nd6_dad", 3) == [(3, "DAD probe 1"), (4, "DAD duplicate")]
    assert flags(h1, "2001:db8:1::7") == ("duplicated",)


def test_an_advertisement_for_the_tentative_address_ends_it_at_once_and_the_log_says_so(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    wires.address(h1, "2001:db8:1::7")
    wires.run(0.5)
    wires.inject(h1, na(MANUAL, ALLNODES, "O"))
    assert wires.states(h1, "nd6_dad", 3)[-1] == (3.5, "DAD duplicate")
    first, second, third = wires.log(h1)
    assert first.startswith("ne0: ")
    assert "duplicate" in first
    assert "2001:db8:1::7" in first
    assert "NS in/out=0/1, NA in=1" in first
    assert "2001:db8:1::7" in second
    assert "duplicate found" in second
    assert "manual intervention" in third
    assert not h1.interfaces["ne0"].disabled, "only an address made of the hardware's disables"


def test_a_duplicated_address_neither_sends_nor_receives_and_is_healed_by_adding_it_again(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    wires.address(h1, "2001:db8:1::7")
    wires.inject(h1, na(MANUAL, ALLNODES, "O"))
    wires.inject(h1, echo(STRANGER, MANUAL))
    wires.inject(h1, ns(MANUAL))
    assert wires.drops(h1, 3) == ["IP6_NOTREADY", "NS_DUPLICATED"]
    sid = syscalls.socket(h1, 0, "udp6", 0)
    with pytest.raises(Errno) as refusal:
        syscalls.bind(h1, sid, MANUAL, 0, 0)
    assert refusal.value.number == EADDRNOTAVAIL
    # Down and up alone does not help (KAME).
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(3)
    assert flags(h1, "2001:db8:1::7") == ("duplicated",)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=MANUAL)
    wires.address(h1, "2001:db8:1::7")
    wires.run(2)
    assert flags(h1, "2001:db8:1::7") == ()


def test_a_duplicate_of_the_hardware_s_address_switches_ipv6_off_on_the_interface(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(0.999)
    wires.inject(h1, na(LINKLOCAL, ALLNODES, "O"))
    iface = h1.interfaces["ne0"]
    assert iface.disabled
    assert "IPv6 is disabled on the interface" in wires.log(h1)[-1]
    at = wires.now
    total = h1.counters()["ip6.total"]
    wires.address(h1, "2001:db8:1::7")
    with pytest.raises(Errno) as refusal:
        wires.send(h1, "fe80::99", "ne0")
    assert refusal.value.number == ENETDOWN
    wires.inject(h1, echo(STRANGER, LINKLOCAL))
    wires.run(20)
    assert wires.sent(h1, since=at) == []
    assert set(wires.drops(h1, at)) == {"ND_DISABLED"}
    assert h1.counters()["ip6.total"] == total, "discarded without counter"


def test_a_disabled_interface_is_taken_into_use_again_by_hand(wires: Wires) -> None:
    h1 = boot(wires)
    wires.inject(h1, dad_ns(LINKLOCAL))
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", disabled=False)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=LINKLOCAL)
    wires.address(h1, "fe80::7")
    wires.run(3)
    wires.inject(h1, echo(STRANGER, A("fe80::7")))
    assert [one.dst for one in wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)] == ["ff02::1:ff00:99"]


def test_two_nodes_with_one_mac_both_find_out() -> None:
    """Whoever probes first is heard by the other; neither keeps the address (seeds 1 to 10)."""
    for seed in range(1, 11):
        wires = Wires(seed)
        wires.link("lan")
        nodes = []
        for name in ("h1", "h2"):
            wires.macs = 0
            nodes.append(wires.node(name, "lan"))
        wires.run(5)
        assert [flags(node, "fe80::ff:fe00:1%ne0") for node in nodes].count(("duplicated",)) >= 1
        wires.account()


def test_a_packet_to_a_tentative_address_is_dropped(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    wires.address(h1, "2001:db8:1::7")
    wires.inject(h1, datagram(STRANGER, MANUAL))
    wires.inject(h1, ns(MANUAL))
    assert wires.drops(h1, 3) == ["IP6_TENTATIVE", "NS_TENTATIVE"]
    wires.run(2)
    assert flags(h1, "2001:db8:1::7") == (), "a resolving solicitation is no conflict"


def test_an_interface_that_is_not_running_is_tried_each_second_fifteen_times(wires: Wires) -> None:
    wires.link("lan", up=False)
    h1 = wires.node("h1", "lan")
    syscalls.sysctl_set(h1, "net.inet6.icmp6.nd6_debug", 1)
    wires.run(20)
    assert wires.sent(h1, icmp.NEIGHBOR_SOLICIT) == []
    assert "could not run DAD" in wires.log(h1)[-1]
    assert h1.kernel_log[-1][0] == 16_000_000_000


def test_the_carrier_coming_back_in_time_lets_it_run(wires: Wires) -> None:
    wires.link("lan", up=False)
    h1 = wires.node("h1", "lan")
    wires.run(4.5)
    wires.net.set_link("lan", True)
    wires.run(3)
    assert wires.states(h1, "nd6_dad") == [(5, "DAD probe 1"), (6, "DAD unique")]


def test_down_stops_it_and_up_begins_again(wires: Wires) -> None:
    h1 = boot(wires)
    wires.run(3)
    wires.address(h1, "2001:db8:1::7")
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    wires.run(5)
    assert flags(h1, "2001:db8:1::7") == ("tentative",)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(3)
    assert flags(h1, "2001:db8:1::7") == ()


def test_autoconfigured_addresses_are_probed_after_a_random_delay(wires: Wires) -> None:
    h1 = boot(wires, accept_rtadv=1)
    wires.run(3)
    wires.inject(h1, ra(prefix("2001:db8:1::/64")))
    assert flags(h1, "2001:db8:1::ff:fe00:1") == ("tentative", "autoconf")
    wires.run(3)
    (probed, _), (unique, what) = wires.states(h1, "nd6_dad", 3)
    assert 3 < probed < 4
    assert (unique - probed, what) == (pytest.approx(1), "DAD unique")


def test_an_address_given_to_a_down_interface_stands_behind_the_link_local_one(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    wires.address(h1, "2001:db8:1::7")
    assert [one.address for one in syscalls.rows(h1, "addresses") if one.interface == "ne0"] == [
        "fe80::ff:fe00:1%ne0",
        "2001:db8:1::7",
    ]


def test_a_refused_address_leaves_a_down_interface_down(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    with pytest.raises(Errno):
        wires.address(h1, "ff02::1")
    assert not h1.interfaces["ne0"].up


@pytest.mark.parametrize(
    ("text", "interface", "plen", "options", "number"),
    [
        ("::1", "ne0", 128, {}, 49),
        ("::", "ne0", 64, {}, 49),
        ("ff02::5", "ne0", 64, {}, 49),
        ("::ffff:1.2.3.4", "ne0", 64, {}, 49),
        ("2001:db8::1", "ne0", 129, {}, 22),
        ("2001:db8::1", "ne0", 64, {"vltime": 10, "pltime": 20}, 22),
        ("2001:db8::1", "ne0", 64, {"flags": ("duplicated",)}, 22),
        ("2001:db8::1", "ne0", 128, {"destination": A("2001:db8::2")}, 22),
        ("fe80::5", "ne0", 64, {"zone": 2}, 22),
        ("fe80::5", "ne0", 64, {"zone": 77}, 6),
        ("fe80:1::5", "ne0", 64, {}, 6),
        ("2001:db8::1", "ne9", 64, {}, 6),
        ("2001:db8:1::1", "ne0", 48, {}, 22),
    ],
)
def test_addresses_that_no_interface_can_have(
    wires: Wires, text: str, interface: str, plen: int, options: dict[str, object], number: int
) -> None:
    h1 = wires.host()
    with pytest.raises(Errno) as refusal:
        wires.address(h1, text, interface, plen, **options)
    assert refusal.value.number == number


def test_an_interface_has_at_most_64_addresses(wires: Wires) -> None:
    h1 = wires.host()
    for number in range(62):
        wires.address(h1, f"2001:db8:1::{number + 0x100:x}")
    with pytest.raises(Errno, match="Can't assign requested address"):
        wires.address(h1, "2001:db8:1::ffff")


def test_an_interface_that_is_plugged_in_later_leaves_lo0_last_and_whole(wires: Wires) -> None:
    h1 = wires.host()
    wires.net.add_link("more")
    wires.net.add_interface(h1, "ne1", bytes((2, 0, 0, 0, 0, 7)), wires.net.links["more"])
    assert [(one.name, one.index) for one in syscalls.rows(h1, "interfaces")] == [("ne0", 1), ("ne1", 2), ("lo0", 3)]
    assert [one.address for one in syscalls.rows(h1, "addresses") if one.interface == "lo0"] == ["::1", "fe80::1%lo0"]
    groups = [one.group for one in syscalls.rows(h1, "groups") if one.interface == "lo0"]
    assert sorted(groups) == ["ff01::1%lo0", "ff02::1%lo0", "ff02::2:3a67:896f%lo0"]
    assert wires.output(h1, echo_to("fe80::1", h1.interfaces["lo0"])) == 0
    wires.run(0.1)
    assert [one.kind for one in wires.sent(h1, since=3)] == [icmp.ECHO_REQUEST, icmp.ECHO_REPLY]
