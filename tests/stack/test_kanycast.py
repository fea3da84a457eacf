"""Anycast addresses, the subnet-router one included (RFC 4291 2.6; KAME IMPLEMENTATION 1.15.2 (2001))."""

from __future__ import annotations

import pytest
from wires import OTHER_MAC, STRANGER, A, Wires, dad_ns, datagram, echo, na, neighbor, ns, row

from kamelab.core.errors import EADDRNOTAVAIL, Errno
from kamelab.lab.build import build
from kamelab.lab.loader import load_lab
from kamelab.stack import syscalls
from kamelab.stack.netinet6.in6_src import in6_selectsrc
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp

SUBNET = A("2001:db8:1::")


def router(wires: Wires) -> Node:
    h1 = wires.host(forwarding=1)
    wires.address(h1, "2001:db8:1::", flags=("anycast",))
    return h1


def test_the_subnet_router_address_is_set_by_hand_and_never_probed(wires: Wires) -> None:
    r1 = router(wires)
    assert row(r1, "addresses", "2001:db8:1::").flags == ("anycast",)
    wires.run(3)
    assert [s for s in wires.sent(r1, icmp.NEIGHBOR_SOLICIT, 3) if s.message[8:24] == SUBNET] == []
    assert any("ff02::1:ff00:0%ne0" in one for one in syscalls.rows(r1, "groups")), "it is solicited as others are"


def test_it_is_advertised_without_override_and_at_once(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, ns(SUBNET))
    (answer,) = wires.sent(r1, icmp.NEIGHBOR_ADVERT)
    assert answer.at == 3
    assert answer.message[4] == 0xC0, "R and S, not O"
    assert answer.message[26:32] == r1.interfaces["ne0"].mac
    assert answer.src == "fe80::ff:fe00:1"


def test_other_nodes_of_the_group_are_no_duplicates(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, dad_ns(SUBNET))
    assert row(r1, "addresses", "2001:db8:1::").flags == ("anycast",)


def test_it_is_heard_but_never_speaks(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, na(STRANGER, A("fe80::ff:fe00:1"), "SO"))
    wires.inject(r1, ns(A("2001:db8:1::1"), src=A("2001:db8:1::77")))
    wires.inject(r1, echo(A("2001:db8:1::77"), SUBNET))
    (reply,) = wires.sent(r1, icmp.ECHO_REPLY)
    assert (reply.src, reply.dst) == ("2001:db8:1::1", "2001:db8:1::77")
    wires.inject(r1, datagram(A("2001:db8:1::77"), SUBNET))
    (error,) = wires.sent(r1, icmp.DST_UNREACH)
    assert error.src == "2001:db8:1::1"
    chosen = in6_selectsrc(r1, SUBNET, r1.interfaces["ne0"])
    assert chosen is not None
    assert not chosen.anycast


def test_no_program_may_bind_to_it(wires: Wires) -> None:
    r1 = router(wires)
    sid = syscalls.socket(r1, 0, "udp6", 0)
    with pytest.raises(Errno) as error:
        syscalls.bind(r1, sid, SUBNET, 9, 0)
    assert error.value.number == EADDRNOTAVAIL


def test_the_first_of_several_answers_stays_in_a_cache(wires: Wires) -> None:
    h1 = wires.host()
    wires.send(h1, "2001:db8:1::")
    wires.inject(h1, na(SUBNET, A("2001:db8:1::1"), "RS", src=STRANGER))
    wires.inject(h1, na(SUBNET, A("2001:db8:1::1"), "RS", src=A("fe80::98"), lladdr=OTHER_MAC))
    entry = neighbor(h1, SUBNET)
    assert entry is not None
    assert entry.lladdr != OTHER_MAC


def test_enabling_again_leaves_it_alone(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.ioctl(r1, "SIOCSIFINFO_FLAGS", "ne0", disabled=True)
    syscalls.ioctl(r1, "SIOCSIFINFO_FLAGS", "ne0", disabled=False)
    assert row(r1, "addresses", "2001:db8:1::").flags == ("anycast",)


def test_two_routers_share_it_by_the_command_of_the_reference() -> None:
    node = (
        '[nodes.{0}]\nrole = "router"\nstartup = ["ifconfig ne0 inet6 2001:db8:1:: prefixlen 64 anycast alias"]\n'
        'interfaces.ne0 = {{ link = "lan", addresses = ["2001:db8:1::{1}/64"] }}\n'
    )
    text = 'format = 1\ntitle = "t"\nlevel = "beginner"\n[links.lan]\n' + node.format("r1", 1) + node.format("r2", 2)
    text += '[nodes.h1]\ninterfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::9/64"] }\n'
    text += 'startup = ["sleep 5", "ping6 -c 1 2001:db8:1::"]\n'
    world = build(load_lab(text, "t.toml"), 1)
    wires = Wires()
    wires.net = world.network
    wires.run(10)
    for name in ("r1", "r2"):
        assert "anycast" in row(world.network.nodes[name], "addresses", "2001:db8:1::").flags
    answers = [s.src for name in ("r1", "r2") for s in wires.sent(world.network.nodes[name], icmp.ECHO_REPLY)]
    assert answers in (["2001:db8:1::1"], ["2001:db8:1::2"])
    wires.account()
    world.close()
