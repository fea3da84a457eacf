"""The routing table by hand and by address; the choice of sources (BSD rtsock.c; RFC 6724 5; KAME in6_src.c)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import ROUTER, STRANGER, A, Wires, prefix, ra, row, scoped

from kamelab.core.errors import EEXIST, EINVAL, ENETUNREACH, ENXIO, EOPNOTSUPP, ESRCH, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6.in6_src import in6_selectsrc
from kamelab.stack.node import Node
from kamelab.wire import in6


def add(node: Node, text: str, gateway: str = "fe80::99", **options: Any) -> Any:
    dst, plen = in6.parse_prefix(text)
    options.setdefault("interface", "ne0" if gateway.startswith("fe80") else "")
    return syscalls.route(node, "add", destination=dst, plen=plen, gateway=A(gateway), **options)


def towards(node: Node, text: str) -> str:
    found = node.routes.lookup(A(text))
    return "" if found is None else f"{in6.ntop(found.dst)}/{found.plen}"


def test_the_longest_prefix_wins(wires: Wires) -> None:
    h1 = wires.host()
    for text in ("::/0", "2001:db8::/32", "2001:db8:9::/48", "2001:db8:9::9/128", "2001:db8:9:8000::/49"):
        add(h1, text)
    assert towards(h1, "2001:db8:9::9") == "2001:db8:9::9/128"
    assert towards(h1, "2001:db8:9:9000::1") == "2001:db8:9:8000::/49"
    assert towards(h1, "2001:db8:9::8") == "2001:db8:9::/48"
    assert towards(h1, "2001:db8:1::8") == "2001:db8:1::/64"
    assert towards(h1, "2001:db9::1") == "::/0"


def test_flags_and_order(wires: Wires) -> None:
    h1 = wires.host()
    add(h1, "2001:db8:9::/48")
    add(h1, "2001:db8:9::9/128", "2001:db8:1::99")
    add(h1, "::/0")
    syscalls.route(h1, "add", destination=A("2001:db8:8::"), plen=64, interface="ne0")
    shown = [(one.destination, one.gateway, one.flags) for one in syscalls.rows(h1, "routes")]
    assert shown == [
        ("default", "fe80::99%ne0", "UGS"),
        ("::1", "::1", "UH"),
        ("2001:db8:1::/64", "link#1", "UC"),
        ("2001:db8:1::1", "2:0:0:0:0:1", "UHL"),
        ("2001:db8:8::/64", "link#1", "UCS"),
        ("2001:db8:9::/48", "fe80::99%ne0", "UGS"),
        ("2001:db8:9::9", "2001:db8:1::99", "UGHS"),
        ("fe80::%ne0/64", "link#1", "UC"),
        ("fe80::ff:fe00:1%ne0", "2:0:0:0:0:1", "UHL"),
        ("fe80::%lo0/64", "link#2", "UC"),
        ("fe80::1%lo0", "link#2", "UHL"),
        ("ff01::%ne0/32", "link#1", "UC"),
        ("ff01::%lo0/32", "link#2", "UC"),
        ("ff02::%ne0/32", "link#1", "UC"),
        ("ff02::%lo0/32", "link#2", "UC"),
    ]


@pytest.mark.parametrize(
    ("command", "options", "number"),
    [
        ("add", {"destination": A("2001:db8:1::"), "plen": 64, "gateway": STRANGER, "interface": "ne0"}, EEXIST),
        ("add", {"destination": A("2001:db8:9::"), "plen": 129, "gateway": STRANGER, "interface": "ne0"}, EINVAL),
        ("add", {"destination": A("2001:db8:9::"), "plen": 64, "gateway": A("2001:db8:77::1")}, ENETUNREACH),
        ("add", {"destination": A("2001:db8:9::"), "plen": 64, "gateway": STRANGER}, ENETUNREACH),
        ("add", {"destination": A("2001:db8:9::"), "plen": 64, "gateway": STRANGER, "interface": "ne7"}, ENXIO),
        ("add", {"destination": A("2001:db8:9::"), "plen": 64}, EINVAL),
        ("delete", {"destination": A("2001:db8:9::"), "plen": 64}, ESRCH),
        ("change", {"destination": A("2001:db8:9::"), "plen": 64, "gateway": STRANGER}, ESRCH),
        ("get", {"destination": A("2001:db8:9::1")}, ESRCH),
        ("redo", {"destination": A("2001:db8:9::1"), "plen": 64}, EOPNOTSUPP),
    ],
)
def test_requests_that_are_refused(wires: Wires, command: str, options: dict[str, Any], number: int) -> None:
    h1 = wires.host()
    before = syscalls.rows(h1, "routes")
    with pytest.raises(Errno) as refusal:
        syscalls.route(h1, command, **options)
    assert refusal.value.number == number
    assert syscalls.rows(h1, "routes") == before


def test_change_expire_and_flush(wires: Wires) -> None:
    h1 = wires.host()
    add(h1, "2001:db8:9::/64")
    add(h1, "2001:db8:8::8/128", expire=10)
    syscalls.route(h1, "change", destination=A("2001:db8:9::"), plen=64, gateway=ROUTER, interface="ne0", mtu=1300)
    changed = row(h1, "routes", "2001:db8:9::/64")
    assert (changed.gateway, changed.mtu) == ("fe80::1%ne0", 1300)
    wires.run(11)
    assert towards(h1, "2001:db8:8::8") == ""
    assert [one.destination for one in syscalls.route(h1, "flush")] == ["2001:db8:9::/64"]
    assert towards(h1, "2001:db8:1::9") == "2001:db8:1::/64", "on-link routes stay"


# -- prefixes of addresses set by hand -------------------------------------------------------------------------------


def test_an_address_brings_its_prefix_and_the_last_one_takes_it_away(wires: Wires) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:1::2")
    assert row(h1, "prefixes", "2001:db8:1::").refcnt == 2
    for text, left in (("2001:db8:1::1", "2001:db8:1::/64"), ("2001:db8:1::2", "")):
        syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A(text))
        assert towards(h1, "2001:db8:1::9") == left


def test_a_prefix_that_is_advertised_too_outlives_the_address(wires: Wires) -> None:
    h1 = wires.host(accept_rtadv=1)
    wires.inject(h1, ra(prefix("2001:db8:1::/64", 100, 50, flags="L")))
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    assert towards(h1, "2001:db8:1::9") == "2001:db8:1::/64"


# -- source selection ------------------------------------------------------------------------------------------------


def chosen(node: Node, dst: str, interface: str = "ne0") -> str:
    iface = node.interfaces[interface]
    address = in6_selectsrc(node, scoped(iface, A(dst)), iface)
    return "" if address is None else node.text(address.addr)


def rule(node: Node, number: int) -> int:
    return node.counters().get(f"ip6.sources_rule.{number}", 0)


@pytest.mark.parametrize(
    ("dst", "expected", "number"),
    [
        ("2001:db8:1::1", "2001:db8:1::1", 1),
        ("fe80::99", "fe80::ff:fe00:1%ne0", 2),
        ("ff02::1", "fe80::ff:fe00:1%ne0", 2),
        ("2001:db8:9::9", "2001:db8:1::1", 2),
        ("ff0e::1", "2001:db8:1::1", 2),
        ("2001:db8:5::9", "2001:db8:5::1", 14),
        ("2001:db8:1::9", "2001:db8:1::1", 14),
    ],
)
def test_rules_of_scope_and_longest_match(wires: Wires, dst: str, expected: str, number: int) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:5::1")
    wires.run(2)
    before = rule(h1, number)
    assert chosen(h1, dst) == expected
    assert rule(h1, number) > before


def test_deprecated_addresses_come_last_and_may_be_excluded(wires: Wires) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:5::1", pltime=0)
    wires.run(2)
    assert chosen(h1, "2001:db8:5::9") == "2001:db8:1::1"
    assert rule(h1, 3) > 0
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    assert chosen(h1, "2001:db8:5::9") == "2001:db8:5::1"
    syscalls.sysctl_set(h1, "net.inet6.ip6.use_deprecated", 0)
    assert chosen(h1, "2001:db8:5::9") == "fe80::ff:fe00:1%ne0"


def test_the_outgoing_interface_goes_before_the_longest_match(wires: Wires) -> None:
    wires.link("a")
    wires.link("b")
    h1 = wires.node("h1", "a", "b")
    wires.address(h1, "2001:db8:1::1", "ne0")
    wires.address(h1, "2001:db8:2::1", "ne1")
    wires.run(3)
    assert chosen(h1, "2001:db8:2::9", "ne0") == "2001:db8:1::1"
    assert chosen(h1, "2001:db8:2::9", "ne1") == "2001:db8:2::1"
    assert rule(h1, 5) == 2


def test_tentative_anycast_and_foreign_zones_are_no_candidates(wires: Wires) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:5::1")
    wires.address(h1, "2001:db8:5::a", flags=("anycast",))
    assert chosen(h1, "2001:db8:5::9") == "2001:db8:1::1"
    wires.run(2)
    assert chosen(h1, "2001:db8:5::9") == "2001:db8:5::1"
