"""Redirects, received and sent (RFC 4861 8; KAME icmp6.c)."""

from __future__ import annotations

import pytest
from wires import (
    FORWARDING,
    ROUTER,
    ROUTER2,
    ROUTER2_MAC,
    STRANGER_MAC,
    A,
    Wires,
    datagram,
    icmp6,
    ns,
    prefix,
    ra,
    redirect,
    row,
)

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nd_options

OWN = A("fe80::ff:fe00:1")
FAR = A("2001:db8:9::9")


def host(wires: Wires) -> Node:
    """A host with the default router fe80::1 and the address 2001:db8:a::ff:fe00:1, at 6 s."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(to=3)
    wires.inject(h1, ra(prefix("2001:db8:a::/64")))
    wires.run(to=6)
    return h1


def sent_to(wires: Wires, node: Node, since: float) -> list[bytes]:
    return [one.mac for one in wires.sent(node, since=since) if one.packet[6] == 17]


def test_a_better_router_is_used_for_that_destination_for_ten_minutes(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, redirect(OWN, FAR, ROUTER2, lladdr=ROUTER2_MAC))
    route = row(h1, "routes", "2001:db8:9::9")
    assert (route.gateway, route.flags, route.expire) == ("fe80::2%ne0", "UGHD", 606_000_000_000)
    entry = row(h1, "neighbors", "fe80::2%ne0")
    assert (entry.lladdr, entry.state, entry.router) == ("2:0:0:0:0:f2", "STALE", True)
    wires.run(to=605.5)
    wires.send(h1, "2001:db8:9::9")
    wires.send(h1, "2001:db8:9::8")
    assert sent_to(wires, h1, 6) == [ROUTER2_MAC, b"\x02\0\0\0\0\xf1"]
    wires.run(to=606.5)
    assert "2001:db8:9::9" not in [one.destination for one in syscalls.rows(h1, "routes")]


def test_a_destination_that_is_on_link_after_all(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, redirect(OWN, FAR, FAR, lladdr=STRANGER_MAC))
    route = row(h1, "routes", "2001:db8:9::9")
    assert (route.flags, route.interface) == ("UHD", "ne0")
    wires.send(h1, "2001:db8:9::9")
    assert sent_to(wires, h1, 6) == [STRANGER_MAC]
    assert not row(h1, "neighbors", "2001:db8:9::9").router


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (redirect(OWN, FAR, ROUTER2, hlim=254), "hop limit"),
        (redirect(OWN, FAR, ROUTER2, src=A("2001:db8:a::1")), "source"),
        (redirect(OWN, A("ff05::9"), ROUTER2), "destination"),
        (redirect(OWN, FAR, ROUTER2, src=ROUTER2), "not the gateway in use"),
        (redirect(OWN, A("2001:db8:a::7"), ROUTER2), "not the gateway in use"),
        (redirect(OWN, FAR, A("2001:db8:9::1")), "neither router nor on-link"),
        (redirect(OWN, A("::1"), ROUTER2), "scope"),
    ],
)
def test_refused_and_said_so_in_the_log(wires: Wires, packet: bytes, why: str) -> None:
    h1 = host(wires)
    before = syscalls.rows(h1, "routes")
    wires.inject(h1, packet)
    assert wires.drops(h1, 6) == ["REDIRECT_BAD"]
    assert why in wires.log(h1)[-1]
    assert h1.counters()["icmp6.badredirect"] == 1
    assert syscalls.rows(h1, "routes") == before


def test_bad_options(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, redirect(OWN, FAR, ROUTER2, lladdr=bytes(14)))
    wires.inject(h1, icmp6(ROUTER, OWN, icmp.REDIRECT, bytes(4) + ROUTER2 + FAR + bytes(8)))
    wires.inject(h1, icmp6(ROUTER, OWN, icmp.REDIRECT, bytes(30)))
    assert wires.drops(h1, 6) == ["REDIRECT_BAD", "ND_BADOPT", "ICMP6_BADLEN"]


@pytest.mark.parametrize(("name", "value"), [("net.inet6.icmp6.rediraccept", 0), (FORWARDING, 1)])
def test_not_taken_by_routers_nor_where_they_are_switched_off(wires: Wires, name: str, value: int) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, name, value)
    wires.inject(h1, redirect(OWN, FAR, ROUTER2))
    assert wires.drops(h1, 6) == ["REDIRECT_IGNORED"]
    assert "icmp6.badredirect" not in h1.counters(), "ignored, not counted"


def test_a_router_that_is_gone_takes_the_routes_through_it_along(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, redirect(OWN, FAR, ROUTER2, lladdr=ROUTER2_MAC))
    wires.send(h1, "2001:db8:9::9")
    wires.run(9)
    assert "2001:db8:9::9" not in [one.destination for one in syscalls.rows(h1, "routes")]


def test_a_host_route_set_by_hand_is_modified_and_stays(wires: Wires) -> None:
    h1 = host(wires)
    syscalls.route(h1, "add", destination=FAR, plen=128, gateway=ROUTER, interface="ne0")
    wires.inject(h1, redirect(OWN, FAR, ROUTER2))
    route = row(h1, "routes", "2001:db8:9::9")
    assert (route.gateway, route.flags, route.expire) == ("fe80::2%ne0", "UGHMS", None)


def test_the_number_of_routes_is_bounded(wires: Wires) -> None:
    h1 = host(wires)
    for number in range(1300):
        wires.inject(h1, redirect(OWN, A(f"2001:db8:9::{number:x}"), ROUTER2), run=False)
    wires.run(0.1)
    assert h1.routes.dynamic_count() == 1280


# -- sent by routers -------------------------------------------------------------------------------------------------


def router(wires: Wires) -> Node:
    """r1 on one link with 2001:db8:1::ff, and a route to 2001:db8:9::/64 through fe80::2, which it knows; at 3 s."""
    wires.link("lan")
    r1 = wires.node("r1", "lan", forwarding=1)
    wires.address(r1, "2001:db8:1::ff")
    wires.run(to=3)
    syscalls.route(r1, "add", destination=A("2001:db8:9::"), plen=64, gateway=ROUTER2, interface="ne0")
    wires.inject(r1, ns(OWN, src=ROUTER2, lladdr=ROUTER2_MAC))
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=A("2001:db8:1::5")))
    return r1


def test_the_sender_is_told_of_a_better_first_hop_after_its_packet_was_forwarded(wires: Wires) -> None:
    r1 = router(wires)
    packet = datagram(A("2001:db8:1::5"), FAR)
    wires.inject(r1, packet)
    forwarded, told = wires.sent(r1, since=3)[-2:]
    assert forwarded.mac == ROUTER2_MAC
    assert (told.kind, told.src, told.dst, told.hlim) == (icmp.REDIRECT, "fe80::ff:fe00:1", "2001:db8:1::5", 255)
    assert (told.message[8:24], told.message[24:40]) == (ROUTER2, FAR)
    options = nd_options.parse(told.message[40:])
    assert options.tlla == ROUTER2_MAC
    assert options.redirected is not None
    assert options.redirected == packet[: len(options.redirected)]
    assert len(told.packet) % 8 == 0
    assert r1.counters()["ip6.redirectsent"] == 1


def test_a_neighbour_itself_is_named_as_target_when_the_destination_is_on_link(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=A("2001:db8:1::6")))
    wires.inject(r1, datagram(A("2001:db8:1::5"), A("2001:db8:1::6")))
    (told,) = wires.sent(r1, icmp.REDIRECT)
    assert told.message[8:24] == told.message[24:40] == A("2001:db8:1::6")


def test_it_is_at_most_1280_octets_long(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, datagram(A("2001:db8:1::5"), FAR, data=bytes(1400)))
    (told,) = wires.sent(r1, icmp.REDIRECT)
    assert 1264 <= len(told.packet) <= 1280


@pytest.mark.parametrize("case", ["switched off", "not a neighbour", "other interface"])
def test_none_is_sent(wires: Wires, case: str) -> None:
    r1 = router(wires)
    src = A("2001:db8:77::5") if case == "not a neighbour" else A("2001:db8:1::5")
    if case == "switched off":
        syscalls.sysctl_set(r1, "net.inet6.ip6.redirect", 0)
    if case == "other interface":
        wires.net.add_link("more")
        wires.net.add_interface(r1, "ne1", bytes((2, 0, 0, 0, 0, 7)), wires.net.links["more"])
        wires.address(r1, "2001:db8:9::ff", "ne1", 80)
    wires.inject(r1, datagram(src, FAR))
    assert wires.sent(r1, icmp.REDIRECT) == []


def test_the_rate_of_errors_holds_for_redirects_too(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errppslimit", 2)
    for _ in range(5):
        wires.inject(r1, datagram(A("2001:db8:1::5"), FAR))
    assert len(wires.sent(r1, icmp.REDIRECT)) == 2
    assert r1.counters()["icmp6.toofreq"] == 3
    wires.run(1)
    wires.inject(r1, datagram(A("2001:db8:1::5"), FAR))
    assert len(wires.sent(r1, icmp.REDIRECT)) == 3
