"""Drivers that make duplicate address detection go wrong, and what mends it.

KAME IMPLEMENTATION 1.2 (2001); RFC 7527.
"""

from __future__ import annotations

import pytest
from wires import A, Wires, dad_ns, icmp6, row

from kamelab.core.clock import SECOND
from kamelab.lab.build import build
from kamelab.lab.digest import digest
from kamelab.lab.loader import load_lab
from kamelab.lab.reading import LabError
from kamelab.sim.faults import Faults, install
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, nd, nd_options

ENHANCED = "net.inet6.ip6.dad_enhanced"
LINKLOCAL = A("fe80::ff:fe00:1")


def flags(node: Node, text: str) -> tuple[str, ...]:
    return row(node, "addresses", text).flags


def looping(wires: Wires, *, simplex: bool = False, enhanced: int = 0) -> Node:
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    install(h1.interfaces["ne0"], Faults(loops=True))
    h1.interfaces["ne0"].refuses_own = simplex
    syscalls.sysctl_set(h1, ENHANCED, enhanced)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    return h1


def nonce_ns(nonce: bytes) -> bytes:
    body = nd.NeighborSolicit(LINKLOCAL, nd_options.build_nonce(nonce)).pack()
    return icmp6(in6.UNSPECIFIED, in6.solicited_node(LINKLOCAL), icmp.NEIGHBOR_SOLICIT, body)


def test_a_looping_driver_makes_every_address_a_duplicate_of_itself(wires: Wires) -> None:
    h1 = looping(wires)
    wires.run(3)
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ("duplicated",)
    assert h1.interfaces["ne0"].disabled
    assert "NS in/out=1/1, NA in=0" in wires.log(h1)[0]
    wires.account()


def test_a_driver_that_refuses_its_own_mac_mends_it(wires: Wires) -> None:
    h1 = looping(wires, simplex=True)
    wires.run(3)
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ()
    assert not h1.interfaces["ne0"].disabled


def test_that_driver_is_deaf_to_a_real_duplicate_of_its_mac(wires: Wires) -> None:
    h1 = looping(wires, simplex=True)
    wires.inject(h1, dad_ns(LINKLOCAL), smac=h1.interfaces["ne0"].mac)
    wires.run(3)
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ()


def test_a_nonce_mends_it_too(wires: Wires) -> None:
    h1 = looping(wires, enhanced=1)
    wires.run(3)
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ()
    (probe,) = wires.sent(h1, icmp.NEIGHBOR_SOLICIT)
    option = probe.message[24:]
    assert (option[0], option[1], len(option)) == (nd_options.NONCE, 1, 8)
    assert [what for _, what in wires.states(h1, "nd6_dad")] == ["DAD probe 1", "DAD own probe ignored", "DAD unique"]
    assert "came back, ignored" in wires.log(h1)[0]


def test_another_nonce_is_another_node(wires: Wires) -> None:
    h1 = looping(wires, enhanced=1)
    wires.run(1)
    wires.inject(h1, nonce_ns(b"others"))
    wires.run(3)
    assert flags(h1, "fe80::ff:fe00:1%ne0") == ("duplicated",)


def test_without_the_sysctl_probes_carry_no_option(wires: Wires) -> None:
    h1 = wires.host()
    assert {len(sent.message) for sent in wires.sent(h1, icmp.NEIGHBOR_SOLICIT)} == {24}


def two_with_one_address(wires: Wires, late: int, dad_count: int = 1) -> tuple[Node, Node]:
    """h1 has 2001:db8:1::7; the driver of h2, which is given it too, is late."""
    wires.link("lan")
    h1 = wires.node("h1", "lan")
    h2 = wires.node("h2", "lan", up=False)
    install(h2.interfaces["ne0"], Faults(late=late * SECOND))
    syscalls.sysctl_set(h2, "net.inet6.ip6.dad_count", dad_count)
    wires.address(h1, "2001:db8:1::7")
    wires.run(3)
    wires.address(h2, "2001:db8:1::7")
    return h1, h2


def test_a_late_driver_swallows_the_probe_and_the_duplicate_goes_unnoticed(wires: Wires) -> None:
    _, h2 = two_with_one_address(wires, late=3)
    assert h2.interfaces["ne0"].running, "it raises IFF_RUNNING all the same"
    wires.run(6)
    assert flags(h2, "2001:db8:1::7") == ()
    lost = [r for r in wires.net.trace.all() if r.reason == "LINK_LOST"]
    assert lost
    assert all(3 <= r.time / SECOND < 6 and r.note == "not ready yet" for r in lost)


@pytest.mark.parametrize(("late", "dad_count"), [(0, 1), (3, 5)])
def test_a_ready_driver_or_more_probes_find_it(wires: Wires, late: int, dad_count: int) -> None:
    _, h2 = two_with_one_address(wires, late, dad_count)
    wires.run(8)
    assert flags(h2, "2001:db8:1::7") == ("duplicated",)


LAB = """
format = 1
title = "Drivers"
level = "advanced"
[links.lan]
[nodes.h1.interfaces]
ne0 = { link = "lan", up = true, faults = ["loops"] }
[nodes.h2.interfaces]
ne0 = { link = "lan", up = true, faults = ["loops", "late: 1.5s"], simplex = true }
"""


def test_faults_and_remedy_are_keys_of_a_lab_file() -> None:
    world = build(load_lab(LAB, "drivers.toml"), 1)
    wires = Wires()
    wires.net = world.network
    wires.run(5)
    h1, h2 = world.network.nodes.values()
    assert [h1.interfaces["ne0"].disabled, h2.interfaces["ne0"].disabled] == [True, False]
    assert min(sent.at for sent in wires.sent(h2)) == 0, "the kernel believes that it sends"
    assert next(r.stage for r in wires.records(h2, "drop") if r.reason == "LINK_LOST") == "driver ne0"
    assert digest(world)
    h2.power_off()
    assert h2.interfaces["ne0"].refuses_own
    assert h2.interfaces["ne0"].link is not world.network.links["lan"]
    world.close()


@pytest.mark.parametrize("fault", ["loop", "late", "late:", "late:3", "early:3s"])
def test_a_fault_that_is_none_is_refused(fault: str) -> None:
    with pytest.raises(LabError):
        load_lab(LAB.replace("late: 1.5s", fault), "drivers.toml")
