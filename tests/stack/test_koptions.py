"""Options of neighbour discovery messages, and the checks that a message has to pass, each with reason and counter.

RFC 4861 4.6, 6.1, 7.1, 8.1; KAME IMPLEMENTATION 1.1, 1.2 (2001).
"""

from __future__ import annotations

import pytest
from wires import (
    ALLNODES,
    ROUTER,
    ROUTER2,
    STRANGER,
    A,
    Wires,
    icmp6,
    na,
    ns,
    prefix,
    ra,
    redirect,
    row,
    rs,
)

from kamelab.stack import syscalls
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, nd, nd_options

OWN = A("fe80::ff:fe00:1")
DEBUG = "net.inet6.icmp6.nd6_debug"
ZERO_LENGTH = b"\x01\x00" + bytes(6)
OVERRUN = b"\x01\x02" + bytes(6)


def prefixes(count: int) -> bytes:
    return b"".join(prefix(f"2001:db8:{number:x}::/64", flags="L") for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("count", "lladdr", "read", "counted"),
    [(9, True, 9, 0), (10, True, 9, 1), (10, False, 10, 0), (11, False, 10, 1), (20, False, 10, 1)],
)
def test_ten_options_are_read(wires: Wires, count: int, lladdr: bool, read: int, counted: int) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    syscalls.sysctl_set(h1, DEBUG, 1)
    wires.run(to=3)
    wires.inject(h1, ra(prefixes(count), lladdr=b"\2\0\0\0\0\xf1" if lladdr else None))
    taken = [one.prefix for one in syscalls.rows(h1, "prefixes") if one.origin == "RA"]
    assert taken == [f"2001:db8:{number:x}::" for number in range(1, read + 1)]
    assert h1.stat["icmp6.nd_toomanyopt"] == counted
    assert sum("more than 10 options" in line for line in wires.log(h1)) == counted
    assert wires.drops(h1, 3) == [], "the message itself is taken"


def test_what_is_passed_over_is_said_with_nd6_debug(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, DEBUG, 1)
    lladdr = nd_options.build_lladdr(nd_options.SLLA, b"\2\0\0\0\0\x99")
    odd = lladdr + lladdr + b"\xc8\x01" + bytes(6) + b"\x05\x02" + bytes(14) + b"\x03\x01" + bytes(6)
    body = nd.NeighborSolicit(OWN, odd).pack()
    wires.inject(h1, icmp6(STRANGER, in6.solicited_node(OWN), icmp.NEIGHBOR_SOLICIT, body))
    assert [line for line in wires.log(h1) if line.startswith("nd6_options")] == [
        "nd6_options: option 1 came again, the first is taken",
        "nd6_options: option 200 is not known, ignored",
        "nd6_options: option 5 is malformed, ignored",
        "nd6_options: prefix information of a wrong length, ignored",
    ]
    assert len(wires.sent(h1, icmp.NEIGHBOR_ADVERT)) == 1


def test_more_specific_routes_are_not_a_host_s_business(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(to=3)
    before = {one.destination for one in syscalls.rows(h1, "routes")}
    option = nd_options.build_route(nd_options.RouteInfo(48, 1, 1800, A("2001:db8:9::")))
    wires.inject(h1, ra(option, preference=1))
    after = {one.destination for one in syscalls.rows(h1, "routes")}
    assert after - before == {"default", "fe80::1%ne0"}
    assert row(h1, "routers", "fe80::1%ne0").preference == "high"


def with_option(kind: int, option: bytes) -> bytes:
    bodies = {
        icmp.NEIGHBOR_SOLICIT: nd.NeighborSolicit(OWN, option).pack,
        icmp.NEIGHBOR_ADVERT: nd.NeighborAdvert(False, True, True, STRANGER, option).pack,
        icmp.ROUTER_ADVERT: nd.RouterAdvert(0, False, False, 0, 1800, 0, 0, option).pack,
        icmp.ROUTER_SOLICIT: nd.RouterSolicit(option).pack,
        icmp.REDIRECT: nd.Redirect(ROUTER2, A("2001:db8:9::9"), option).pack,
    }
    return icmp6(ROUTER if kind == icmp.REDIRECT else STRANGER, OWN, kind, bodies[kind]())


HOST, MASTER = 0, 1
FAR = A("2001:db8:9::9")

CHECKS: list[tuple[str, int, bytes, str, str]] = [
    ("NS hop limit", HOST, ns(OWN, hlim=254), "NS_HLIM", "badns"),
    ("NS target", HOST, ns(A("ff02::1"), dst=ALLNODES), "NS_TARGET_MULTICAST", "badns"),
    ("NS DAD destination", HOST, ns(OWN, src=bytes(16), dst=ALLNODES, lladdr=None), "NS_DAD_DST", "badns"),
    ("NS DAD option", HOST, ns(OWN, src=bytes(16)), "NS_DAD_LLADDR", "badns"),
    ("NS from afar", HOST, ns(OWN, src=FAR), "NS_NOT_NEIGHBOR", "badns"),
    ("NS address length", HOST, ns(OWN, lladdr=bytes(14)), "NS_LLADDR_LEN", "badns"),
    ("NS length", HOST, icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(19)), "ICMP6_BADLEN", "badlen"),
    ("NS code", HOST, icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(4) + OWN, code=1), "ICMP6_BADCODE", "badcode"),
    ("NS zero option", HOST, with_option(icmp.NEIGHBOR_SOLICIT, ZERO_LENGTH), "ND_BADOPT", "nd_badopt"),
    ("NS overrun", HOST, with_option(icmp.NEIGHBOR_SOLICIT, OVERRUN), "ND_BADOPT", "nd_badopt"),
    ("NA hop limit", HOST, na(STRANGER, OWN, "SO", hlim=1), "NA_HLIM", "badna"),
    ("NA target", HOST, na(A("ff02::1"), OWN, "SO", src=STRANGER), "NA_TARGET_MULTICAST", "badna"),
    ("NA solicited group", HOST, na(STRANGER, ALLNODES, "SO"), "NA_MULTICAST_SOLICITED", "badna"),
    ("NA address length", HOST, na(STRANGER, OWN, "SO", lladdr=bytes(14)), "NA_LLADDR_LEN", "badna"),
    ("NA zero option", HOST, with_option(icmp.NEIGHBOR_ADVERT, ZERO_LENGTH), "ND_BADOPT", "nd_badopt"),
    ("RA hop limit", HOST, ra(iphlim=64), "RA_HLIM", "badra"),
    ("RA source", HOST, ra(src=FAR), "RA_NOT_LINKLOCAL", "badra"),
    ("RA address length", HOST, ra(lladdr=bytes(14)), "RA_LLADDR_LEN", "badra"),
    ("RA zero option", HOST, with_option(icmp.ROUTER_ADVERT, ZERO_LENGTH), "ND_BADOPT", "nd_badopt"),
    ("RS hop limit", MASTER, rs(hlim=64), "RS_HLIM", "badrs"),
    ("RS address length", MASTER, rs(lladdr=bytes(14)), "RS_LLADDR_LEN", "badrs"),
    ("RS zero option", MASTER, with_option(icmp.ROUTER_SOLICIT, ZERO_LENGTH), "ND_BADOPT", "nd_badopt"),
    ("redirect hop limit", HOST, redirect(OWN, FAR, ROUTER2, hlim=1), "REDIRECT_BAD", "badredirect"),
    ("redirect source", HOST, redirect(OWN, FAR, ROUTER2, src=FAR), "REDIRECT_BAD", "badredirect"),
    ("redirect not the gateway", HOST, redirect(OWN, FAR, ROUTER2, src=ROUTER2), "REDIRECT_BAD", "badredirect"),
    ("redirect destination", HOST, redirect(OWN, A("ff0e::1"), ROUTER2), "REDIRECT_BAD", "badredirect"),
    ("redirect target", HOST, redirect(OWN, FAR, A("2001:db8:1::7")), "REDIRECT_BAD", "badredirect"),
    ("redirect zero option", HOST, with_option(icmp.REDIRECT, ZERO_LENGTH), "ND_BADOPT", "nd_badopt"),
]


@pytest.mark.parametrize(
    ("role", "packet", "reason", "counter"), [item[1:] for item in CHECKS], ids=[item[0] for item in CHECKS]
)
def test_a_failed_check_has_a_reason_a_counter_and_a_line(
    wires: Wires, role: int, packet: bytes, reason: str, counter: str
) -> None:
    h1 = wires.host(forwarding=role, accept_rtadv=1 - role)
    if role == HOST:
        wires.inject(h1, ra())
    syscalls.sysctl_set(h1, DEBUG, 1)
    before = dict(h1.stat)
    entries = syscalls.rows(h1, "neighbors")
    routes = {one.destination: one.gateway for one in syscalls.rows(h1, "routes")}
    wires.inject(h1, packet)
    assert wires.drops(h1, 3) == [reason]
    bad = ("badns", "badna", "badra", "badrs", "badredirect", "nd_badopt", "tooshort", "badcode")
    counted = {one: h1.stat[f"icmp6.{one}"] - before.get(f"icmp6.{one}", 0) for one in bad}
    assert counted == {one: int(one == counter) for one in bad}
    assert syscalls.rows(h1, "neighbors") == entries, "nothing was learned"
    assert {one.destination: one.gateway for one in syscalls.rows(h1, "routes")} == routes
    if counter not in ("badlen", "badcode"):
        assert any(line.endswith("on ne0") for line in wires.log(h1))
    wires.account()
