"""Addresses that must exist, and interfaces that can't have them.

KAME IMPLEMENTATION 1.4.1, 1.15 (2001); KAME USAGE.
"""

from __future__ import annotations

from hashlib import md5

import pytest
from wires import FORWARDING, A, Wires, echo, na, neighbor, row

from kamelab.core.errors import EADDRNOTAVAIL, ENETUNREACH, Errno
from kamelab.lab.build import World, build
from kamelab.lab.loader import load_lab
from kamelab.stack import syscalls
from kamelab.stack.interface import IFF_MULTICAST, IFF_RUNNING, IFF_UP
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6

HEAD = 'format = 1\ntitle = "t"\nlevel = "beginner"\n[links.lan]\n[links.line]\nkind = "ppp"\n[nodes.h1.interfaces]\n'


def lab(interfaces: str) -> tuple[Wires, Node, World]:
    world = build(load_lab(HEAD + interfaces, "t.toml"), 1)
    wires = Wires()
    wires.net = world.network
    return wires, world.network.nodes["h1"], world


def on(node: Node, interface: str) -> list[str]:
    return [one.address for one in syscalls.rows(node, "addresses") if one.interface == interface]


# -- what every node has ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forwarding", [0, 1])
def test_required_addresses_and_groups(wires: Wires, forwarding: int) -> None:
    h1 = wires.host(forwarding=forwarding)
    assert on(h1, "lo0") == ["::1", "fe80::1%lo0"]
    assert on(h1, "ne0")[0] == "fe80::ff:fe00:1%ne0"
    groups = {(one.interface, one.group) for one in syscalls.rows(h1, "groups")}
    assert {("lo0", "ff01::1%lo0"), ("ne0", "ff02::1%ne0"), ("ne0", "ff02::1:ff00:1%ne0")} <= groups
    assert not any(group.startswith("ff02::2%") for _, group in groups), "that is rtadvd's"
    syscalls.sysctl_set(h1, FORWARDING, 1 - forwarding)


# -- interface identifiers -------------------------------------------------------------------------------------------


def test_a_line_borrows_the_identifier_of_an_ethernet(wires: Wires) -> None:
    _, h1, world = lab('ne0 = { link = "lan", up = true }\nppp0 = { link = "line", up = true }')
    assert on(h1, "ppp0") == ["fe80::ff:fe00:101%ppp0"]
    assert on(h1, "ne0") == ["fe80::ff:fe00:101%ne0"]
    world.close()


def test_without_any_hardware_the_hostname_is_the_last_resort(wires: Wires) -> None:
    _, h1, world = lab('ppp0 = { link = "line", up = true }')
    identifier = bytearray(md5(b"h1").digest()[:8])
    identifier[0] &= 0xFC
    assert on(h1, "ppp0") == [in6.ntop(A("fe80::")[:8] + bytes(identifier)) + "%ppp0"]
    assert not h1.made_from_hardware(h1.interfaces["ppp0"], h1.interfaces["ppp0"].addresses[0])
    world.close()


# -- no multicast ----------------------------------------------------------------------------------------------------


def mute() -> tuple[Wires, Node, World]:
    wires, h1, world = lab('ne0 = { link = "lan", up = true, multicast = false, addresses = ["2001:db8:1::1/64"] }')
    wires.run(3)
    return wires, h1, world


def test_without_multicast_neither_link_local_address_nor_groups_nor_dad() -> None:
    wires, h1, world = mute()
    assert on(h1, "ne0") == ["2001:db8:1::1"]
    assert row(h1, "addresses", "2001:db8:1::1").flags == ()
    assert [one for one in syscalls.rows(h1, "groups") if one.interface == "ne0"] == []
    assert h1.interfaces["ne0"].flag_bits() & (IFF_MULTICAST | IFF_UP) == IFF_UP
    assert wires.sent(h1) == []
    world.close()


def test_groups_are_out_of_reach_there() -> None:
    _wires, h1, world = mute()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    index = h1.interfaces["ne0"].index
    with pytest.raises(Errno) as error:
        syscalls.sendmsg(h1, sid, b"x", A("ff02::1"), 9, index)
    assert error.value.number == ENETUNREACH
    with pytest.raises(Errno) as error:
        syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (A("ff02::9"), index))
    assert error.value.number == EADDRNOTAVAIL
    with pytest.raises(Errno) as error:
        syscalls.setsockopt(h1, sid, "IPV6_MULTICAST_IF", index)
    assert error.value.number == EADDRNOTAVAIL
    world.close()


def test_neighbours_have_to_be_set_by_hand() -> None:
    wires, h1, world = mute()
    wires.send(h1, "2001:db8:1::2")
    assert "OUT_NOROUTE" in wires.drops(h1), "the solicitation can't leave"
    syscalls.neighbor(h1, "set", address=A("2001:db8:1::2"), lladdr=b"\2\0\0\0\0\2")
    assert [one.dst for one in wires.sent(h1)] == ["2001:db8:1::2"]
    wires.account()
    world.close()


# -- a MAC that comes late -------------------------------------------------------------------------------------------


def late(extra: str = "") -> tuple[Wires, Node, World]:
    wires, h1, world = lab(f'ne0 = {{ link = "lan", up = true, mac_late = true{extra} }}')
    wires.run(3)
    return wires, h1, world


def test_an_interface_brought_up_before_it_has_a_mac_has_no_link_local_address() -> None:
    _wires, h1, world = late()
    assert on(h1, "ne0") == []
    assert row(h1, "interfaces", "ne0").lladdr == ""
    assert h1.interfaces["ne0"].flag_bits() & (IFF_UP | IFF_RUNNING) == IFF_UP
    world.close()


def test_down_and_up_mends_it() -> None:
    wires, h1, world = late()
    for up in (False, True):
        syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=up)
    wires.run(3)
    assert on(h1, "ne0") == ["fe80::ff:fe00:101%ne0"]
    assert row(h1, "addresses", "fe80::ff:fe00:101%ne0").flags == ()
    wires.inject(h1, na(A("fe80::99"), A("ff02::1")))
    assert wires.drops(h1) == ["NA_NO_ENTRY"], "the groups are in the filter"
    wires.inject(h1, echo(A("fe80::99"), A("fe80::ff:fe00:101")))
    assert neighbor(h1) is not None
    world.close()


def test_an_address_set_before_is_probed_once_the_mac_is_there() -> None:
    wires, h1, world = late(', addresses = ["2001:db8:1::1/64"]')
    assert row(h1, "addresses", "2001:db8:1::1").flags == ("tentative",)
    wires.inject(h1, echo(A("fe80::99"), A("2001:db8:1::1")))
    assert wires.records(h1, "rx") == [], "it hears nothing"
    for up in (False, True):
        syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=up)
    wires.run(3)
    assert row(h1, "addresses", "2001:db8:1::1").flags == ()
    probes = wires.sent(h1, icmp.NEIGHBOR_SOLICIT)
    assert {one.dst for one in probes} == {"ff02::1:ff00:1", "ff02::1:ff00:101"}
    assert len(h1.interfaces["ne0"].filter) == 4, "ff02::1 and ff01::1 share a MAC"
    world.close()


def test_a_reboot_forgets_the_mac_again() -> None:
    _wires, h1, world = late(", multicast = true")
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    assert row(h1, "interfaces", "ne0").lladdr
    h1.power_off()
    assert row(h1, "interfaces", "ne0").lladdr == ""
    world.close()
