"""What ndp(8) sets: default interface, default zone, interface flags, enabling again, unsolicited advertisements.

KAME IMPLEMENTATION 1.2 (2001)
"""

from __future__ import annotations

import pytest
from wires import (
    FORWARDING,
    OTHER_MAC,
    ROUTER,
    A,
    Wires,
    dad_ns,
    na,
    neighbor,
    prefix,
    ra,
    row,
)

from kamelab.core.errors import EADDRNOTAVAIL, EHOSTUNREACH, ENETDOWN, ENXIO, Errno
from kamelab.lab.build import build
from kamelab.lab.loader import load_lab
from kamelab.stack import syscalls
from kamelab.stack.netinet6.nd6_state import INCOMPLETE
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nd_options

FAR = "2001:db8:9::9"
LINKLOCAL = A("fe80::ff:fe00:1")


def errno(wires: Wires, node: Node, dst: str) -> int:
    with pytest.raises(Errno) as error:
        wires.send(node, dst)
    return error.value.number


# -- the default interface -------------------------------------------------------------------------------------------


def test_without_one_an_unknown_destination_fails_at_once(wires: Wires) -> None:
    h1 = wires.host()
    assert errno(wires, h1, FAR) == EHOSTUNREACH


def test_with_one_every_destination_is_a_neighbour_there(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    default = row(h1, "routes", "default")
    assert (default.flags, default.interface) == ("UC", "ne0")
    wires.send(h1, FAR)
    entry = neighbor(h1, A(FAR))
    assert entry is not None
    assert entry.state == INCOMPLETE
    assert wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)[0].dst == "ff02::1:ff00:9"
    wires.inject(h1, na(A(FAR), A("2001:db8:1::1"), "SO"))
    assert [sent.dst for sent in wires.sent(h1, since=3) if sent.packet[6] == 17] == [FAR]


def test_a_router_takes_its_place_and_gives_it_back(wires: Wires) -> None:
    h1 = wires.host(accept_rtadv=1)
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    wires.inject(h1, ra(lifetime=30))
    assert row(h1, "routes", "default").gateway == "fe80::1%ne0"
    wires.run(40)
    assert row(h1, "routes", "default").flags == "UC"
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "")
    assert errno(wires, h1, FAR) == EHOSTUNREACH


def test_a_route_by_hand_and_a_router_s_role_leave_no_room_for_it(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=ROUTER, interface="ne0")
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    assert row(h1, "routes", "default").gateway == "fe80::1%ne0"
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "")
    assert row(h1, "routes", "default").gateway == "fe80::1%ne0"
    syscalls.route(h1, "delete", destination=bytes(16), plen=0)
    syscalls.sysctl_set(h1, FORWARDING, 1)
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    assert not any(one.destination == "default" for one in syscalls.rows(h1, "routes"))


@pytest.mark.parametrize("use", [0, 1])
def test_use_defaultzone_fills_in_the_zone(wires: Wires, use: int) -> None:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    syscalls.sysctl_set(h1, "net.inet6.ip6.use_defaultzone", use)
    if not use:
        assert errno(wires, h1, "fe80::99") == EHOSTUNREACH
        return
    wires.send(h1, "fe80::99")
    entry = neighbor(h1, A("fe80::99"))
    assert entry is not None
    assert entry.state == INCOMPLETE


# -- flags -----------------------------------------------------------------------------------------------------------


def test_dont_set_ifroute_keeps_prefixes_off_the_routing_table(wires: Wires) -> None:
    h1 = wires.host(accept_rtadv=1)
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", dont_set_ifroute=True)
    assert row(h1, "ndinterfaces", "ne0").flags == ("nud", "accept_rtadv", "dont_set_ifroute")
    wires.inject(h1, ra(prefix("2001:db8:2::/64")))
    wires.run(3)
    assert not any(one.destination == "2001:db8:2::/64" for one in syscalls.rows(h1, "routes"))
    assert not row(h1, "prefixes", "2001:db8:2::").attached
    wires.send(h1, "2001:db8:2::9")
    assert neighbor(h1, A("2001:db8:2::9")) is None, "it goes through the router"


def disabled(wires: Wires) -> Node:
    """h1 whose hardware-derived link-local address was a duplicate."""
    wires.link("lan")
    h1 = wires.node("h1", "lan")
    wires.inject(h1, dad_ns(LINKLOCAL))
    assert h1.interfaces["ne0"].disabled
    return h1


def test_enabling_again_runs_dad_again(wires: Wires) -> None:
    h1 = disabled(wires)
    wires.run(3)
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", disabled=False)
    assert row(h1, "addresses", "fe80::ff:fe00:1%ne0").flags == ("tentative",)
    wires.run(3)
    assert row(h1, "addresses", "fe80::ff:fe00:1%ne0").flags == ()
    assert len(wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)) == 1


def test_a_duplicate_that_is_still_there_disables_it_again(wires: Wires) -> None:
    h1 = disabled(wires)
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", disabled=False)
    wires.inject(h1, dad_ns(LINKLOCAL))
    assert h1.interfaces["ne0"].disabled
    assert row(h1, "addresses", "fe80::ff:fe00:1%ne0").flags == ("duplicated",)


def test_other_flags_start_no_detection(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", nud=False, disabled=False)
    assert row(h1, "addresses", "fe80::ff:fe00:1%ne0").flags == ()


# -- unsolicited advertisements --------------------------------------------------------------------------------------


def test_an_unsolicited_advertisement_tells_everybody(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    syscalls.ioctl(h1, "SIOCSNDUNSOL_IN6", "ne0", address=A("2001:db8:1::1"))
    (sent,) = wires.sent(h1, icmp.NEIGHBOR_ADVERT)
    assert (sent.src, sent.dst, sent.hlim) == ("2001:db8:1::1", "ff02::1", 255)
    assert sent.message[4] == 0xA0, "R and O, not S"
    assert sent.message[24:] == nd_options.build_lladdr(nd_options.TLLA, h1.interfaces["ne0"].mac)


def test_for_an_anycast_or_proxied_address_it_overrides_nothing(wires: Wires) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:1::a", flags=("anycast",))
    syscalls.neighbor(h1, "set", address=A("2001:db8:1::b"), lladdr=OTHER_MAC, proxy=True)
    for target in ("2001:db8:1::a", "2001:db8:1::b"):
        syscalls.ioctl(h1, "SIOCSNDUNSOL_IN6", "ne0", address=A(target))
    anycast, proxied = wires.sent(h1, icmp.NEIGHBOR_ADVERT)
    assert (anycast.message[4], proxied.message[4]) == (0, 0)
    assert anycast.src != "2001:db8:1::a"
    assert proxied.message[26:32] == OTHER_MAC


def test_it_mends_the_cache_of_a_neighbour(wires: Wires) -> None:
    wires.link("lan")
    h1, h2 = wires.node("h1", "lan"), wires.node("h2", "lan")
    wires.run(to=3)
    wires.send(h1, "fe80::ff:fe00:2", "ne0")
    wires.run(1)
    entry = neighbor(h1, A("fe80::ff:fe00:2"))
    assert entry is not None
    entry.lladdr = OTHER_MAC
    syscalls.ioctl(h2, "SIOCSNDUNSOL_IN6", "ne0", address=A("fe80::ff:fe00:2"))
    wires.run(1)
    assert entry.lladdr == h2.interfaces["ne0"].mac
    wires.account()


@pytest.mark.parametrize(
    ("target", "up", "number"), [("2001:db8:1::2", True, EADDRNOTAVAIL), ("2001:db8:1::1", False, ENETDOWN)]
)
def test_it_is_refused(wires: Wires, target: str, up: bool, number: int) -> None:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=up)
    with pytest.raises(Errno) as error:
        syscalls.ioctl(h1, "SIOCSNDUNSOL_IN6", "ne0", address=A(target))
    assert error.value.number == number
    with pytest.raises(Errno) as error:
        syscalls.ioctl(h1, "SIOCSNDUNSOL_IN6", "ne7", address=A(target))
    assert error.value.number == ENXIO


def test_ndp_has_a_command_for_it() -> None:
    lab = load_lab(
        'format = 1\ntitle = "t"\nlevel = "beginner"\n[links.lan]\n[nodes.h1]\n'
        'startup = ["sleep 5", "ndp -U 2001:db8:1::1%ne0", "ndp -U fe80::ff:fe00:101%ne0", "ndp -U ::2%ne0"]\n'
        'interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }\n',
        "t.toml",
    )
    world = build(lab, 1)
    wires = Wires()
    wires.net = world.network
    wires.run(6)
    sent = wires.sent(world.network.nodes["h1"], icmp.NEIGHBOR_ADVERT)
    assert [one.src for one in sent] == ["2001:db8:1::1", "fe80::ff:fe00:101"]
    console = "".join(text for _, _, text in world.systems["h1"].output)
    assert console == "ndp: ::2%ne0: Can't assign requested address\n"
    world.close()
