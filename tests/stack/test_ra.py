"""Router advertisements: parameters, routers, prefixes, addresses and their lives (RFC 4861 6.3, 4862 5.5, 4191)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import (
    ACCEPT_RTADV,
    FORWARDING,
    OTHER_MAC,
    ROUTER,
    ROUTER2,
    ROUTER2_MAC,
    ROUTER_MAC,
    STRANGER,
    A,
    Wires,
    echo,
    icmp6,
    na,
    neighbor,
    prefix,
    ra,
    row,
    rs,
)

from kamelab.core.errors import EHOSTUNREACH, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nd_options

OWN = A("fe80::ff:fe00:1")
P1, P2 = "2001:db8:a::/64", "2001:db8:b::/64"
A1, A2 = "2001:db8:a::ff:fe00:1", "2001:db8:b::ff:fe00:1"


def host(wires: Wires) -> Node:
    """A host that takes advertisements, with its link-local address, at 3 s."""
    wires.link("lan")
    node = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(to=3)
    return node


def second(**options: Any) -> dict[str, Any]:
    return {"src": ROUTER2, "lladdr": ROUTER2_MAC, **options}


def default(node: Node) -> str:
    found = [one.gateway for one in syscalls.rows(node, "routes") if one.destination == "default"]
    return found[0] if found else ""


def installed(node: Node) -> list[str]:
    return [one.destination for one in syscalls.rows(node, "routes") if one.flags == "UC" and "2001" in one.destination]


def autoconf(node: Node) -> dict[str, tuple[str, ...]]:
    return {one.address: one.flags for one in syscalls.rows(node, "addresses") if "autoconf" in one.flags}


# -- who takes them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarding", "accept_rtadv", "flag", "taken"),
    [(0, 0, True, False), (0, 1, True, True), (0, 1, False, False), (1, 0, True, False), (1, 1, True, False)],
)
def test_roles(wires: Wires, forwarding: int, accept_rtadv: int, flag: bool, taken: bool) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, FORWARDING, forwarding)
    syscalls.sysctl_set(h1, ACCEPT_RTADV, accept_rtadv)
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", accept_rtadv=flag)
    wires.inject(h1, ra(prefix(P1)))
    assert (A1 in autoconf(h1)) is taken
    assert wires.drops(h1, 3) == ([] if taken else ["RA_NOT_ACCEPTED"])


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (ra(prefix(P1), iphlim=254), "RA_HLIM"),
        (ra(prefix(P1), src=A("2001:db8:1::1")), "RA_NOT_LINKLOCAL"),
        (ra(prefix(P1), lladdr=bytes(14)), "RA_LLADDR_LEN"),
        (ra(prefix(P1) + b"\x01\x00"), "ND_BADOPT"),
        (icmp6(ROUTER, A("ff02::1"), icmp.ROUTER_ADVERT, bytes(8)), "ICMP6_BADLEN"),
    ],
)
def test_a_bad_advertisement_changes_nothing(wires: Wires, packet: bytes, reason: str) -> None:
    h1 = host(wires)
    wires.inject(h1, packet)
    assert wires.drops(h1, 3) == [reason]
    assert h1.routers == []
    assert autoconf(h1) == {}
    assert h1.counters().get("icmp6.badra", 0) == (reason.startswith("RA_"))


# -- parameters ------------------------------------------------------------------------------------------------------


def test_parameters_are_taken_and_0_keeps_what_was(wires: Wires) -> None:
    h1 = host(wires)
    before = row(h1, "ndinterfaces", "ne0")
    assert (before.curhlim, before.basereachable, before.retrans) == (64, 30000, 1000)
    wires.inject(h1, ra(hlim=33, reachable=10000, retrans=2000))
    wires.inject(h1, ra())
    after = row(h1, "ndinterfaces", "ne0")
    assert (after.curhlim, after.basereachable, after.retrans) == (33, 10000, 2000)
    assert 5 <= after.reachable <= 15
    wires.inject(h1, ra(reachable=3600001))
    assert row(h1, "ndinterfaces", "ne0").basereachable == 10000
    wires.send(h1, "fe80::99", "ne0")
    wires.run(7)
    assert [one.at for one in wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)] == [3, 5, 7]


def test_the_hop_limit_of_packets_is_the_router_s_else_the_sysctl_s(wires: Wires) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, "net.inet6.ip6.hlim", 77)
    wires.inject(h1, ra(prefix(P1)))
    wires.run(3)
    wires.send(h1, "2001:db8:9::9")
    wires.inject(h1, ra(hlim=33))
    wires.send(h1, "2001:db8:9::9")
    assert [one.hlim for one in wires.sent(h1, since=3) if one.packet[6] == 17] == [77, 33]


@pytest.mark.parametrize(("mtu", "expected"), [(1280, 1280), (1400, 1400), (1500, 1500), (1279, 0), (1501, 0)])
def test_the_link_mtu(wires: Wires, mtu: int, expected: int) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, "net.inet6.icmp6.nd6_debug", 1)
    wires.inject(h1, ra(nd_options.build_mtu(mtu) + prefix(P1)))
    assert row(h1, "ndinterfaces", "ne0").linkmtu == expected
    assert ("ignored" in " ".join(wires.log(h1))) is not bool(expected)
    wires.run(3)
    wires.send(h1, "fe80::1", "ne0", bytes(1400))
    assert max(len(one.packet) for one in wires.sent(h1, since=3)) <= (expected or 1500)


# -- the default router list -----------------------------------------------------------------------------------------


def test_a_router_gives_a_default_route_until_its_lifetime_is_over(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(lifetime=30))
    found = row(h1, "routers", "fe80::1%ne0")
    assert (found.installed, found.preference, found.expire, found.state) == (True, "medium", 33_000_000_000, "STALE")
    route = row(h1, "routes", "default")
    assert (route.gateway, route.flags, route.interface) == ("fe80::1%ne0", "UG", "ne0")
    wires.run(29.9)
    assert default(h1) == "fe80::1%ne0"
    wires.run(0.2)
    assert default(h1) == ""
    with pytest.raises(Errno) as refusal:
        wires.send(h1, "2001:db8:9::9")
    assert refusal.value.number == EHOSTUNREACH
    assert wires.drops(h1, 3) == ["OUT_NOROUTE"]


def test_lifetime_0_ends_it_at_once(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra())
    wires.inject(h1, ra(lifetime=0))
    assert default(h1) == ""
    assert syscalls.rows(h1, "routers") == ()
    wires.inject(h1, ra(lifetime=0))
    assert syscalls.rows(h1, "routers") == ()


def test_the_list_is_ordered_by_preference_then_arrival(wires: Wires) -> None:
    h1 = host(wires)
    for number, preference in enumerate((0, -1, 1, 0, 1), 1):
        wires.inject(h1, ra(src=A(f"fe80::{number}"), preference=preference))
    order = [(one.address[6:7], one.preference) for one in syscalls.rows(h1, "routers")]
    assert order == [("3", "high"), ("5", "high"), ("1", "medium"), ("4", "medium"), ("2", "low")]
    # The same preference keeps the place, another one finds a new.
    wires.inject(h1, ra(src=A("fe80::3"), preference=1))
    wires.inject(h1, ra(src=A("fe80::1"), preference=-1))
    assert [one.address[6:7] for one in syscalls.rows(h1, "routers")] == ["3", "5", "4", "2", "1"]


def test_the_first_router_stays_until_one_of_higher_preference_comes(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra())
    wires.inject(h1, ra(**second()))
    assert default(h1) == "fe80::1%ne0"
    wires.inject(h1, ra(**second(preference=1)))
    assert default(h1) == "fe80::2%ne0"
    wires.inject(h1, ra(**second(preference=-1)))
    assert default(h1) == "fe80::1%ne0"


def test_a_router_that_does_not_answer_is_passed_over_and_stays_listed(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1)))
    wires.inject(h1, ra(**second()))
    wires.run(3)
    wires.send(h1, "2001:db8:9::9")
    wires.run(9)
    assert neighbor(h1, ROUTER) is None
    assert default(h1) == "fe80::2%ne0"
    assert len(syscalls.rows(h1, "routers")) == 2
    # It comes back: the one in use stays.
    wires.inject(h1, ra())
    assert default(h1) == "fe80::2%ne0"


def test_with_no_router_reachable_each_is_tried_in_turn(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1)))
    wires.inject(h1, ra(**second()))
    wires.run(3)
    seen = [default(h1)]
    for _ in range(3):
        wires.send(h1, "2001:db8:9::9")
        wires.run(9)
        seen.append(default(h1))
    assert seen == ["fe80::1%ne0", "fe80::2%ne0", "fe80::1%ne0", "fe80::2%ne0"]


def test_a_static_default_route_is_left_alone(wires: Wires) -> None:
    h1 = host(wires)
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=STRANGER, interface="ne0")
    wires.inject(h1, ra())
    assert default(h1) == "fe80::99%ne0"
    syscalls.route(h1, "delete", destination=bytes(16), plen=0)
    wires.inject(h1, ra())
    assert default(h1) == "fe80::1%ne0"


def test_the_default_interface_serves_while_there_is_no_router(wires: Wires) -> None:
    """``ndp -I``: everything is on-link there (KAME IMPLEMENTATION 1.2)."""
    h1 = host(wires)
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    assert row(h1, "routes", "default").flags == "UC"
    wires.inject(h1, ra())
    assert default(h1) == "fe80::1%ne0"
    wires.inject(h1, ra(lifetime=0))
    assert row(h1, "routes", "default").flags == "UC"
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "")
    assert default(h1) == ""


def test_a_node_that_becomes_a_router_selects_none_any_more(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(lifetime=30))
    syscalls.sysctl_set(h1, FORWARDING, 1)
    assert default(h1) == "fe80::1%ne0"
    wires.run(31)
    assert default(h1) == ""


def test_the_router_list_is_bounded(wires: Wires) -> None:
    h1 = host(wires)
    for number in range(100):
        wires.inject(h1, ra(src=A(f"fe80::5:{number:x}")))
    assert len(h1.routers) == 64


# -- prefixes --------------------------------------------------------------------------------------------------------


def test_a_prefix_is_on_link_and_gives_an_address(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, 1000, 500)))
    found = row(h1, "prefixes", "2001:db8:a::")
    assert (found.onlink, found.autonomous, found.attached, found.origin, found.expire) == (
        True, True, True, "RA", 1003_000_000_000,
    )  # fmt: skip
    assert found.routers == (("fe80::1%ne0", "STALE"),)
    assert installed(h1) == ["2001:db8:a::/64"]
    address = row(h1, "addresses", A1)
    assert (address.vltime, address.pltime, address.plen) == (1000, 500, 64)


def test_it_is_deprecated_and_then_deleted(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, 1000, 500)))
    wires.run(499)
    assert autoconf(h1) == {A1: ("autoconf",)}
    wires.run(1)
    assert autoconf(h1) == {A1: ("deprecated", "autoconf")}
    wires.run(499)
    assert A1 in autoconf(h1)
    wires.run(1)
    assert autoconf(h1) == {}
    assert installed(h1) == []
    assert not [one for one in syscalls.rows(h1, "groups") if one.group == "ff02::1:ff00:1%ne0" and one.refcnt != 1]


@pytest.mark.parametrize(
    "option",
    [
        prefix(P1, 100, 200),
        prefix(P1, 0, 0),
        prefix(P1, flags=""),
        prefix("fe80::/64"),
        prefix("ff05::/64"),
        bytes([3, 4, 129, 0xC0]) + bytes.fromhex("ffffffff" * 2) + bytes(4) + A("2001:db8:a::"),
    ],
)
def test_options_that_are_passed_over(wires: Wires, option: bytes) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(option))
    assert [one for one in syscalls.rows(h1, "prefixes") if one.origin == "RA"] == []
    assert autoconf(h1) == {}


def test_flags_are_only_ever_raised(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, flags="A")))
    found = row(h1, "prefixes", "2001:db8:a::")
    assert (found.onlink, found.attached, installed(h1)) == (False, False, [])
    assert A1 in autoconf(h1)
    wires.inject(h1, ra(prefix(P1, flags="L")))
    wires.inject(h1, ra(prefix(P1, flags="A")))
    found = row(h1, "prefixes", "2001:db8:a::")
    assert (found.onlink, found.autonomous, installed(h1)) == (True, True, ["2001:db8:a::/64"])


def test_an_on_link_prefix_without_the_a_flag_gives_no_address(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, flags="L")))
    assert (installed(h1), autoconf(h1)) == (["2001:db8:a::/64"], {})


def test_the_managed_flag_keeps_the_kernel_from_autoconfiguring(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1), managed=True))
    assert autoconf(h1) == {}
    assert row(h1, "routers", "fe80::1%ne0").flags == "M"


def test_a_prefix_of_another_length_gives_no_address(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix("2001:db8:a::/56")))
    assert installed(h1) == ["2001:db8:a::/56"]
    assert autoconf(h1) == {}


def test_an_address_set_by_hand_is_not_taken_over(wires: Wires) -> None:
    h1 = host(wires)
    wires.address(h1, A1)
    wires.inject(h1, ra(prefix(P1)))
    assert autoconf(h1) == {}
    assert f"autoconf: {A1} is already configured" in wires.log(h1)


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (10000, 20000, 20000),  # more than two hours: taken
        (3000, 3500, 3500),  # more than what remains: taken
        (10000, 7201, 7201),
        (10000, 60, 7200),  # less, and more than two hours remain: two hours
        (7000, 60, 7000),  # less, and less than two hours remain: unchanged
        (10000, 0, 7200),
        (0xFFFFFFFF, 60, 7200),
    ],
)
def test_two_hours_rule(wires: Wires, first: int, then: int, expected: int) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, first, 30)))
    wires.inject(h1, ra(prefix(P1, then, min(then, 20))))
    address = row(h1, "addresses", A1)
    assert address.vltime == expected
    assert address.pltime == min(then, 20), "the preferred lifetime is always the received one"


def test_infinite_lifetimes_never_end(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, 0xFFFFFFFF, 0xFFFFFFFF), lifetime=0))
    wires.run(10 * 365 * 86400)
    assert autoconf(h1) == {A1: ("autoconf",)}


def test_a_deprecated_address_is_preferred_again_by_a_new_advertisement(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1, 10000, 5)))
    wires.run(6)
    assert autoconf(h1) == {A1: ("deprecated", "autoconf")}
    wires.inject(h1, ra(prefix(P1, 10000, 500)))
    assert autoconf(h1) == {A1: ("autoconf",)}


def test_the_tables_stay_bounded_whatever_is_advertised(wires: Wires) -> None:
    """A long life and then a short one let the prefix go and the address stay for two hours: it must not add up."""
    h1 = host(wires)
    for number in range(150):
        wires.inject(h1, ra(prefix(f"2001:db8:{number + 256:x}::/64", 9000, 9000)))
        wires.inject(h1, ra(prefix(f"2001:db8:{number + 256:x}::/64", 1, 1)))
        wires.run(2)
    assert len(h1.interfaces["ne0"].addresses) <= 64
    for number in range(150):
        wires.inject(h1, ra(prefix(f"2001:db8:{number + 1024:x}::/64", flags="L")))
    assert len(h1.interfaces["ne0"].prefixes) == 64


# -- detached prefixes ------------------------------------------------------------------------------


def two_prefixes(wires: Wires) -> Node:
    """P1 of fe80::1 and P2 of fe80::2, both settled, at 6 s."""
    h1 = host(wires)
    wires.inject(h1, ra(prefix(P1), **second(src=ROUTER, lladdr=ROUTER_MAC)))
    wires.inject(h1, ra(prefix(P2), **second()))
    wires.run(to=6)
    return h1


def lose_first_router(wires: Wires, h1: Node) -> None:
    wires.send(h1, "fe80::1", "ne0")
    wires.run(9)
    assert neighbor(h1, ROUTER) is None


def test_a_prefix_whose_router_is_gone_is_detached_and_attached_when_it_comes_back(wires: Wires) -> None:
    h1 = two_prefixes(wires)
    assert autoconf(h1) == {A1: ("autoconf",), A2: ("autoconf",)}
    lose_first_router(wires, h1)
    assert row(h1, "prefixes", "2001:db8:a::").detached
    assert installed(h1) == ["2001:db8:b::/64"]
    assert autoconf(h1) == {A1: ("detached", "autoconf"), A2: ("autoconf",)}
    at = wires.now
    wires.inject(h1, echo(STRANGER, A(A1)))
    assert wires.drops(h1, at) == ["IP6_NOTREADY"]
    wires.send(h1, "2001:db8:9::9")
    wires.inject(h1, ra())
    assert installed(h1) == ["2001:db8:a::/64", "2001:db8:b::/64"]
    assert autoconf(h1)[A1] == ("tentative", "autoconf"), "detection runs again"
    wires.run(3)
    assert autoconf(h1)[A1] == ("autoconf",)


def test_with_no_router_left_all_prefixes_are_attached_again(wires: Wires) -> None:
    h1 = two_prefixes(wires)
    lose_first_router(wires, h1)
    wires.send(h1, "fe80::2", "ne0")
    wires.run(12)
    assert neighbor(h1, ROUTER2) is None
    assert [one.detached for one in syscalls.rows(h1, "prefixes") if one.origin == "RA"] == [False, False]
    assert autoconf(h1) == {A1: ("autoconf",), A2: ("autoconf",)}


def test_prefixes_set_by_hand_are_never_detached(wires: Wires) -> None:
    h1 = two_prefixes(wires)
    wires.address(h1, "2001:db8:c::1")
    lose_first_router(wires, h1)
    assert not row(h1, "prefixes", "2001:db8:c::").detached
    assert row(h1, "addresses", "2001:db8:c::1").flags == ("tentative",) or wires.now > 8


def test_the_same_prefix_on_two_interfaces_is_on_link_on_the_first(wires: Wires) -> None:
    wires.link("a")
    wires.link("b")
    h1 = wires.node("h1", "a", "b", accept_rtadv=1)
    wires.run(to=3)
    wires.inject(h1, ra(prefix(P1, flags="L")), "ne0")
    wires.inject(h1, ra(prefix(P1, 9000, flags="L", preferred=9000)), "ne1")
    assert row(h1, "routes", "2001:db8:a::/64").interface == "ne0"
    wires.inject(h1, ra(prefix(P1, 0, 0, flags="L")), "ne0")
    wires.run(2)
    assert row(h1, "routes", "2001:db8:a::/64").interface == "ne1"


def test_flushing_prefixes_and_routers(wires: Wires) -> None:
    h1 = two_prefixes(wires)
    syscalls.ioctl(h1, "SIOCSPFXFLUSH_IN6", "")
    assert (installed(h1), autoconf(h1)) == ([], {})
    syscalls.ioctl(h1, "SIOCSRTRFLUSH_IN6", "")
    assert (default(h1), h1.routers) == ("", [])


def test_a_router_s_changed_address_is_learned_from_its_advertisement(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra())
    wires.inject(h1, ra(lladdr=OTHER_MAC))
    entry = row(h1, "neighbors", "fe80::1%ne0")
    assert (entry.lladdr, entry.state, entry.router) == ("2:0:0:0:0:aa", "STALE", True)
    wires.inject(h1, na(ROUTER, OWN, "RSO", lladdr=ROUTER_MAC))
    assert row(h1, "neighbors", "fe80::1%ne0").lladdr == "2:0:0:0:0:f1"
    wires.inject(h1, rs())
