"""Neighbour discovery where there is nothing to resolve: point-to-point lines (KAME nd6.c nd6_output).

KAME IMPLEMENTATION 1.2 (2001): an entry is needed for the IsRouter bit, and since March 2000 for NUD.
"""

from __future__ import annotations

import pytest
from wires import A, Wires, datagram, echo, icmp6, neighbor, row

from kamelab.stack import syscalls
from kamelab.stack.netinet6.nd6_state import DELAY, NONE, NOSTATE, PROBE, REACHABLE, STALE
from kamelab.stack.node import Node
from kamelab.userland import ndp_lines
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nd

PEER = A("fe80::99")


def line(wires: Wires, *, nud: bool = True, forwarding: int = 0) -> Node:
    """h1 with ppp0 to nobody, at 3 s."""
    wires.link("line", kind="ppp")
    h1 = wires.node("h1", forwarding=forwarding)
    wires.net.add_interface(h1, "ppp0", b"", wires.net.links["line"])
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ppp0", up=True)
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ppp0", nud=nud)
    wires.run(to=3)
    return h1


def peer_na(h1: Node, flags: str) -> bytes:
    own = h1.interfaces["ppp0"].addresses[0].addr
    dst = own[:2] + b"\0\0" + own[4:]
    body = nd.NeighborAdvert("R" in flags, "S" in flags, "O" in flags, PEER, b"").pack()
    return icmp6(PEER, dst, icmp.NEIGHBOR_ADVERT, body)


def moves(wires: Wires, h1: Node) -> list[str]:
    return [what for _, what in wires.states(h1, "nd6_nud")]


def test_the_first_packet_leaves_at_once_and_makes_an_entry(wires: Wires) -> None:
    h1 = line(wires)
    wires.send(h1, "fe80::99", "ppp0")
    assert len([sent for sent in wires.sent(h1, since=3) if sent.packet[6] == 17]) == 1
    assert moves(wires, h1) == ["- > STALE", "STALE > DELAY"]
    entry = row(h1, "neighbors", "fe80::99%ppp0")
    assert (entry.state, entry.lladdr) == (DELAY, "")
    assert "(incomplete)" in ndp_lines.neighbor_line(entry, h1.clock.now)


def test_nud_asks_the_peer_without_link_layer_option_and_believes_the_answer(wires: Wires) -> None:
    h1 = line(wires)
    wires.send(h1, "fe80::99", "ppp0")
    wires.run(5.5)
    (probe,) = wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 4)
    assert (probe.at, probe.dst, len(probe.message)) == (8, "fe80::99", 24)
    wires.inject(h1, peer_na(h1, "RS"), "ppp0")
    entry = neighbor(h1, PEER, "ppp0")
    assert entry is not None
    assert (entry.state, entry.router) == (REACHABLE, True), "the entry is there for the IsRouter bit"


def test_a_silent_peer_s_entry_goes_and_packets_still_leave(wires: Wires) -> None:
    h1 = line(wires)
    wires.send(h1, "fe80::99", "ppp0")
    wires.run(9)
    assert neighbor(h1, PEER, "ppp0") is None
    assert len(wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 4)) == 3
    wires.send(h1, "fe80::99", "ppp0")
    assert wires.drops(h1) == []


def test_without_nud_nothing_is_asked(wires: Wires) -> None:
    h1 = line(wires, nud=False)
    wires.send(h1, "fe80::99", "ppp0")
    wires.run(60)
    assert wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 4) == []
    assert moves(wires, h1)[-1] == "DELAY > STALE"


def test_a_solicitation_of_the_peer_leaves_an_entry_of_which_nothing_is_known(wires: Wires) -> None:
    h1 = line(wires)
    own = h1.interfaces["ppp0"].addresses[0].addr
    plain = own[:2] + b"\0\0" + own[4:]
    wires.inject(h1, icmp6(PEER, plain, icmp.NEIGHBOR_SOLICIT, nd.NeighborSolicit(plain, b"").pack()), "ppp0")
    # The answer is a packet to send: from NOSTATE straight to STALE, and on.
    assert moves(wires, h1) == ["- > NOSTATE", "NOSTATE > STALE", "STALE > DELAY"]
    (answer,) = wires.sent(h1, icmp.NEIGHBOR_ADVERT)
    assert len(answer.message) == 24
    assert answer.message[4] & 0x60 == 0x40, "solicited, no override without an address"


def test_two_kernels_on_a_line_confirm_each_other(wires: Wires) -> None:
    wires.link("line", kind="ppp")
    nodes = []
    for name in ("h1", "h2"):
        one = wires.node(name)
        wires.net.add_interface(one, "ppp0", b"", wires.net.links["line"])
        syscalls.ioctl(one, "SIOCAIFADDR_IN6", "ppp0", address=A(f"2001:db8::{name[1]}"), plen=64)
        nodes.append(one)
    wires.run(to=3)
    h1 = nodes[0]
    wires.send(h1, "2001:db8::2")
    wires.run(6)
    states = {one.addr: one.state for one in h1.interfaces["ppp0"].neighbors.values()}
    assert states == {A("2001:db8::2"): REACHABLE}
    wires.account()


def test_a_router_with_a_line_forwards_by_the_fast_path_too(wires: Wires) -> None:
    wires.link("lan")
    wires.link("line", kind="ppp")
    r1 = wires.node("r1", "lan", forwarding=1)
    wires.net.add_interface(r1, "ppp0", b"", wires.net.links["line"])
    syscalls.ioctl(r1, "SIOCSIFFLAGS", "ppp0", up=True)
    wires.address(r1, "2001:db8:1::ff")
    wires.address(r1, "2001:db8:2::ff", "ppp0")
    wires.run(to=3)
    source, target = A("2001:db8:1::1"), A("2001:db8:2::1")
    for _ in range(3):
        wires.inject(r1, datagram(source, target))
    frames = wires.sent(r1, since=3, interface="ppp0")
    assert len(frames) == 3
    assert {sent.mac for sent in frames} == {bytes(6)}
    assert {sent.packet for sent in frames} == {datagram(source, target, hlim=63)}
    assert sum(r1.fast.values()) == 2
    wires.account()


@pytest.mark.parametrize("state", [NONE, NOSTATE])
def test_unicast_over_ethernet_still_resolves(wires: Wires, state: str) -> None:
    h1 = wires.host()
    if state == NOSTATE:
        wires.inject(h1, echo(PEER, A("fe80::ff:fe00:1")), run=False)
    wires.send(h1, "fe80::99", "ne0")
    entry = neighbor(h1, PEER)
    assert entry is not None
    assert entry.state not in (STALE, DELAY, PROBE)
