"""Routing headers of type 0 and of no known type (KAME route6.c, RFC 2460 4.4, RFC 8200 4.4; retired by RFC 5095)."""

from __future__ import annotations

import pytest
from wires import STRANGER_MAC, A, Wires, echo, ns, scoped

from kamelab.core.errors import EHOSTUNREACH, EINVAL
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp
from kamelab.wire.checksum import in6_cksum_ok

LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
R1 = A("2001:db8:1::ff")
RIGHT_MAC = b"\x02\0\0\0\0\x55"


def known(wires: Wires, forwarding: int = 1) -> Node:
    """r1 between LEFT and RIGHT, whom it knows; host or router."""
    r1 = wires.router()
    syscalls.sysctl_set(r1, "net.inet6.ip6.forwarding", forwarding)
    wires.inject(r1, ns(R1, src=LEFT), "ne0")
    wires.inject(r1, ns(A("2001:db8:2::ff"), src=RIGHT, lladdr=RIGHT_MAC), "ne1", smac=RIGHT_MAC)
    return r1


def by_way_of_r1(*addresses: bytes, left: int | None = None, hlim: int = 64, dst: bytes = R1) -> bytes:
    """An echo request from LEFT to the last of ``addresses``, now on its way to r1."""
    header = exthdr.build_routing0(58, len(addresses) if left is None else left, addresses)
    return ip6.build(LEFT, dst, 43, header + echo(LEFT, addresses[-1])[40:], hlim=hlim)


def told(wires: Wires, node: Node) -> list[tuple[int, int, int]]:
    return [
        (one.kind, one.message[1], int.from_bytes(one.message[4:8], "big"))
        for one in wires.sent(node, since=3)
        if 0 < one.kind < 128
    ]


@pytest.mark.parametrize("forwarding", [0, 1])
def test_hosts_and_routers_follow_a_source_route(wires: Wires, forwarding: int) -> None:
    r1 = known(wires, forwarding)
    wires.inject(r1, by_way_of_r1(RIGHT))
    last = wires.sent(r1, since=3)[-1]
    assert (last.interface, last.mac, last.dst, last.hlim) == ("ne1", RIGHT_MAC, "2001:db8:2::5", 63)
    routing = exthdr.parse_routing(last.packet[40:])
    assert (routing.segleft, routing.addresses) == (0, (R1,))
    (record,) = wires.records(r1, "forward", 3)
    assert record.stage == "ip6_forward"
    counters = r1.counters()
    assert (counters["ip6.delivered"], counters["ip6.forward"]) == (3, 1)
    # A host still forwards nothing of its own accord, whatever the source route did.
    wires.inject(r1, echo(LEFT, RIGHT))
    assert wires.drops(r1, 3) == ([] if forwarding else ["IP6_NOTFORWARDING"])


def test_two_nodes_follow_it_one_after_the_other_and_the_end_answers(wires: Wires) -> None:
    """h1 sends by way of r1's far address and r2 to h2; the sum is right for the last destination (RFC 8200 8.1)."""
    for name in ("a", "b", "c"):
        wires.link(name)
    h1, r1, r2, h2 = (
        wires.node("h1", "a"),
        wires.node("r1", "a", "b", forwarding=1),
        wires.node("r2", "b", "c", forwarding=1),
        wires.node("h2", "c"),
    )
    for node, text, iface in (
        (h1, "2001:db8:a::1", "ne0"),
        (r1, "2001:db8:a::2", "ne0"),
        (r1, "2001:db8:b::2", "ne1"),
        (r2, "2001:db8:b::3", "ne0"),
        (r2, "2001:db8:c::3", "ne1"),
        (h2, "2001:db8:c::4", "ne0"),
    ):
        wires.address(node, text, iface)
    for node, text in ((h1, "2001:db8:a::2"), (r1, "2001:db8:b::3"), (r2, "2001:db8:b::2"), (h2, "2001:db8:c::3")):
        syscalls.route(node, "add", destination=bytes(16), plen=0, gateway=A(text))
    wires.run(to=5)
    out = Output("test", A("2001:db8:c::4"), 58, b"\x80\0\0\0\0\1\0\1data", cksum=2)
    out.rthdr = exthdr.build_routing0(0, 2, (A("2001:db8:b::2"), A("2001:db8:c::3")))
    assert wires.output(h1, out) == 0
    wires.run(1)
    first = next(one for one in wires.sent(h1, since=5) if one.packet[6] == 43)
    assert first.dst == "2001:db8:b::2"
    assert exthdr.parse_routing(first.packet[40:]).addresses == (A("2001:db8:c::3"), A("2001:db8:c::4"))
    last = next(one for one in wires.sent(r2, since=5) if one.packet[6] == 43)
    assert (last.dst, exthdr.parse_routing(last.packet[40:]).segleft, last.hlim) == ("2001:db8:c::4", 0, 62)
    assert in6_cksum_ok(last.packet[8:24], last.packet[24:40], 58, last.packet[80:])
    (reply,) = wires.sent(h2, icmp.ECHO_REPLY)
    assert (reply.src, reply.dst) == ("2001:db8:c::4", "2001:db8:a::1")


def test_a_source_route_never_makes_a_redirect(wires: Wires) -> None:
    """LEFT's packet goes back to the link it came from; without the routing header that is a redirect."""
    r1 = known(wires)
    other = A("2001:db8:1::6")
    wires.inject(r1, ns(R1, src=other), "ne0")
    wires.inject(r1, by_way_of_r1(other))
    assert wires.sent(r1, icmp.REDIRECT) == []
    assert len(wires.records(r1, "forward", 3)) == 1
    wires.inject(r1, echo(LEFT, other))
    assert len(wires.sent(r1, icmp.REDIRECT)) == 1


def test_it_is_forwarded_by_the_rules_of_forwarding(wires: Wires) -> None:
    r1 = known(wires)
    wires.inject(r1, by_way_of_r1(RIGHT, hlim=1))
    wires.inject(r1, by_way_of_r1(A("2001:db8:9::9")))
    assert wires.drops(r1, 3) == ["FWD_HLIM", "FWD_NOROUTE"]
    assert told(wires, r1) == [(icmp.TIME_EXCEEDED, 0, 0), (icmp.DST_UNREACH, icmp.UNREACH_NOROUTE, 0)]


def test_to_and_fro_through_an_own_address_ends_with_the_hop_limit(wires: Wires) -> None:
    r1 = known(wires)
    wires.inject(r1, by_way_of_r1(A("2001:db8:2::ff"), R1, A("2001:db8:2::ff"), hlim=10))
    wires.run(0.1)
    assert wires.drops(r1, 3) == []
    assert [one.interface for one in wires.sent(r1, since=3) if one.packet[6] == 43] == ["lo0"] * 3
    assert len(wires.sent(r1, icmp.ECHO_REPLY, 3)) == 1
    wires.inject(r1, by_way_of_r1(A("2001:db8:2::ff"), R1, A("2001:db8:2::ff"), hlim=3))
    wires.run(0.1)
    assert wires.drops(r1, 3) == ["FWD_HLIM"]


@pytest.mark.parametrize(
    ("header", "reason", "pointer"),
    [
        (bytes([58, 3, 0, 1]) + bytes(28), "ROUTE_BADLEN", 41),
        (exthdr.build_routing0(58, 2, (RIGHT,)), "ROUTE_BADLEN", 43),
        (exthdr.build_routing0(58, 1, (A("ff02::1"),)), "ROUTE_BADADDR", None),
        (exthdr.build_routing0(58, 1, (bytes(16),)), "ROUTE_BADADDR", None),
        (exthdr.build_routing0(58, 1, (A("::ffff:1.2.3.4"),)), "ROUTE_BADADDR", None),
        (exthdr.build_routing0(58, 1, (A("::1.2.3.4"),)), "ROUTE_BADADDR", None),
        (exthdr.build_routing0(58, 1, (in6.LOOPBACK,)), "ROUTE_BADSCOPE", None),
        (bytes([58, 2, 2, 1]) + bytes(20), "ROUTE_UNKNOWN", 42),
        (bytes([58, 2, 33, 1]) + bytes(20), "ROUTE_UNKNOWN", 42),
        (exthdr.build_routing0(43, 0, (RIGHT,)) + exthdr.build_routing0(58, 0, (RIGHT,)), "ROUTE_TWICE", None),
        (exthdr.build_routing0(58, 1, (RIGHT,))[:-1], "EXTHDR_TOOSHORT", None),
    ],
)
def test_routing_headers_that_are_refused(wires: Wires, header: bytes, reason: str, pointer: int | None) -> None:
    r1 = known(wires)
    body = header if reason == "EXTHDR_TOOSHORT" else header + echo(LEFT, R1)[40:]
    wires.inject(r1, ip6.build(LEFT, R1, 43, body))
    assert wires.drops(r1, 3) == [reason]
    assert told(wires, r1) == ([] if pointer is None else [(icmp.PARAM_PROB, 0, pointer)])
    counter = {"EXTHDR_TOOSHORT": "toosmall", "ROUTE_BADSCOPE": "badscope"}.get(reason, "badoptions")
    assert r1.counters()[f"ip6.{counter}"] == 1


def test_a_group_is_no_place_to_be_routed_from(wires: Wires) -> None:
    r1 = known(wires)
    wires.inject(r1, by_way_of_r1(RIGHT, dst=A("ff02::1")))
    assert wires.drops(r1, 3) == ["ROUTE_BADADDR"]


def test_without_rthdr0_type_0_is_as_unknown_as_any(wires: Wires) -> None:
    r1 = known(wires)
    syscalls.sysctl_set(r1, "net.inet6.ip6.rthdr0", 0)
    packet = by_way_of_r1(RIGHT)
    wires.inject(r1, packet)
    assert wires.drops(r1, 3) == ["ROUTE_UNKNOWN"]
    assert told(wires, r1) == [(icmp.PARAM_PROB, 0, 42)]
    assert wires.sent(r1, icmp.PARAM_PROB)[0].message[8:] == packet
    wires.inject(r1, ip6.build(LEFT, R1, 43, exthdr.build_routing0(58, 0, (RIGHT,)) + echo(LEFT, R1)[40:]))
    assert len(wires.sent(r1, icmp.ECHO_REPLY)) == 1


def test_a_source_route_in_fragments_is_followed_by_each_of_them(wires: Wires) -> None:
    """The routing header is before the fragment header: the fragments go on one by one."""
    r1 = known(wires)
    whole = echo(LEFT, RIGHT, bytes(120))[40:]
    header = exthdr.build_routing0(44, 1, (RIGHT,))
    for offset in (0, 64):
        body = header + exthdr.build_fragment(58, offset, offset == 0, 5) + whole[offset : offset + 64]
        wires.inject(r1, ip6.build(LEFT, R1, 43, body))
    assert len(wires.records(r1, "forward", 3)) == 2
    assert "ip6.fragments" not in r1.counters()


def test_a_source_route_behind_a_fragment_header_is_followed_by_the_whole(wires: Wires) -> None:
    r1 = known(wires)
    whole = exthdr.build_routing0(58, 1, (RIGHT,)) + echo(LEFT, RIGHT, bytes(120))[40:]
    for offset in (0, 64, 128):
        fragment = exthdr.build_fragment(43, offset, offset < 128, 5) + whole[offset : offset + 64]
        wires.inject(r1, ip6.build(LEFT, R1, 44, fragment))
    last = wires.sent(r1, since=3)[-1]
    assert (last.interface, last.dst, len(last.packet)) == ("ne1", "2001:db8:2::5", 40 + len(whole))


# -- sent ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "dst", "errno"),
    [
        (bytes([0, 1, 0, 1]) + bytes(12), "2001:db8:2::5", EINVAL),
        (exthdr.build_routing0(0, 2, (R1,)), "2001:db8:2::5", EINVAL),
        (exthdr.build_routing0(0, 1, (A("ff02::1"),)), "2001:db8:2::5", EINVAL),
        (exthdr.build_routing0(0, 1, (R1,)), "ff0e::1", EINVAL),
        (exthdr.build_routing0(0, 1, (R1,))[:-8], "2001:db8:2::5", EINVAL),
        (exthdr.build_routing0(0, 1, (A("2001:db8:9::9"),)), "2001:db8:2::5", EHOSTUNREACH),
    ],
)
def test_source_routes_that_can_not_be_sent(wires: Wires, header: bytes, dst: str, errno: int) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:2::1")
    out = Output("test", A(dst), 59, b"")
    out.rthdr = header
    assert wires.output(h1, out) == errno


def test_the_first_hop_may_be_a_neighbour_s_link_local_address(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(A("fe80::ff:fe00:1")))
    out = Output("test", A("2001:db8:9::9"), 59, b"", oif=h1.interfaces["ne0"], src=A("2001:db8:1::1"))
    out.rthdr = exthdr.build_routing0(0, 1, (A("fe80::99"),))
    assert wires.output(h1, out) == 0
    last = wires.sent(h1, since=3)[-1]
    assert (last.mac, last.dst) == (STRANGER_MAC, "fe80::99")
    assert exthdr.parse_routing(last.packet[40:]).addresses == (A("2001:db8:9::9"),)


def test_a_routing_header_of_another_type_leaves_as_it_is(wires: Wires) -> None:
    h1 = wires.host()
    out = Output("test", scoped(h1.interfaces["ne0"], A("ff02::1")), 59, b"")
    out.rthdr = bytes([0, 0, 33, 7]) + b"abcd"
    assert wires.output(h1, out) == 0
    assert wires.sent(h1, since=3)[-1].packet[40:48] == bytes([59, 0, 33, 7]) + b"abcd"
