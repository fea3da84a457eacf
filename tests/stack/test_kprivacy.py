"""Temporary addresses in time order (RFC 3041; KAME in6.c in6_tmpifadd)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import ROUTER, ROUTER2, ROUTER2_MAC, A, Wires, dad_ns, prefix, ra

from kamelab.core.clock import SECOND
from kamelab.core.errors import EINVAL, Errno
from kamelab.lab.build import build
from kamelab.lab.checkpoint import restore, take
from kamelab.lab.digest import digest
from kamelab.lab.loader import load_lab
from kamelab.stack import syscalls
from kamelab.stack.interface import Address
from kamelab.stack.netinet6.in6_src import in6_selectsrc
from kamelab.stack.node import Node

IP6 = "net.inet6.ip6."
PUBLIC = "2001:db8:1::ff:fe00:1"
MEDIUM = prefix("2001:db8:1::/64", valid=3000, preferred=2000)


def host(wires: Wires, **sysctls: int) -> Node:
    """h1 at 3 s, a host that makes temporary addresses preferred for 1000 s less DESYNC_FACTOR."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    for name, value in {"use_tempaddr": 1, "temppltime": 1000, "tempvltime": 2000, **sysctls}.items():
        syscalls.sysctl_set(h1, IP6 + name, value)
    wires.run(to=3)
    return h1


def temporary(node: Node) -> list[Any]:
    return [one for one in syscalls.rows(node, "addresses") if "temporary" in one.flags]


def kernel(node: Node) -> list[Address]:
    return [address for address in node.interfaces["ne0"].addresses if address.temporary]


def test_a_public_address_gets_a_temporary_companion(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(MEDIUM))
    (one,) = temporary(h1)
    assert one.flags == ("tentative", "autoconf", "temporary")
    assert one.address.startswith("2001:db8:1:0:") or one.address.startswith("2001:db8:1::")
    assert one.address != PUBLIC
    assert A(one.address)[8] & 2 == 0, "the u bit is clear (RFC 3041 3.2.1)"
    assert 0 <= h1.desync < 600
    assert (one.vltime, one.pltime) == (2000, 1000 - h1.desync)
    wires.run(5)
    assert temporary(h1)[0].flags == ("autoconf", "temporary")
    wires.account()


def test_off_by_default(wires: Wires) -> None:
    h1 = host(wires, use_tempaddr=0)
    wires.inject(h1, ra(MEDIUM))
    assert temporary(h1) == []
    syscalls.sysctl_set(h1, IP6 + "use_tempaddr", 1)
    wires.inject(h1, ra(MEDIUM))
    assert temporary(h1) == [], "only what is made anew gets a companion"


def test_the_lifetimes_are_the_router_s_where_those_are_shorter(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix("2001:db8:1::/64", valid=300, preferred=200)))
    (one,) = temporary(h1)
    assert (one.vltime, one.pltime) == (300, min(200, 1000 - h1.desync))


def test_none_is_made_that_would_need_a_successor_at_once(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix("2001:db8:1::/64", valid=300, preferred=5)))
    assert temporary(h1) == []


def test_advertisements_never_extend_it_beyond_its_limits(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(MEDIUM))
    (first,) = kernel(h1)
    end, stale = first.updated + first.vltime * SECOND, first.updated + first.pltime * SECOND
    for _ in range(3):
        wires.run(100.3)
        wires.inject(h1, ra(MEDIUM))
        assert first.updated + first.vltime * SECOND <= end
        assert first.updated + first.pltime * SECOND <= stale


def test_the_successor_comes_five_seconds_before_deprecation(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix("2001:db8:1::/64")))
    (first,) = kernel(h1)
    due = 3 + first.pltime - 5
    wires.run(to=due - 1)
    assert len(temporary(h1)) == 1
    wires.run(to=due + 1)
    old, new = kernel(h1)
    assert (old.deprecated, new.deprecated) == (False, False)
    assert old.addr[8:] != new.addr[8:]
    wires.run(to=due + 6)
    assert (old.deprecated, new.usable) == (True, True), "the new one is ready when the old one goes"
    wires.run(to=3 + 2000 + 1)
    assert old not in h1.interfaces["ne0"].addresses
    assert kernel(h1)[0] is new


def test_no_successor_once_the_public_address_is_deprecated(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix("2001:db8:1::/64")))
    wires.run(60)
    wires.inject(h1, ra(prefix("2001:db8:1::/64", valid=9000, preferred=0)))
    assert {"deprecated", "temporary"} <= set(temporary(h1)[0].flags)
    wires.run(1000)
    assert len(temporary(h1)) == 1
    assert wires.net.clock.events < 200, "the lifetime timer does not spin"


def test_a_detached_prefix_gets_its_successor_when_it_is_attached_again(wires: Wires) -> None:
    h1 = host(wires)
    first, second = ra(prefix("2001:db8:1::/64")), ra(prefix("2001:db8:2::/64"), src=ROUTER2, lladdr=ROUTER2_MAC)
    wires.inject(h1, first)
    wires.inject(h1, second, smac=ROUTER2_MAC)
    wires.run(3)
    old = kernel(h1)[0]
    syscalls.neighbor(h1, "delete", address=ROUTER, zone=h1.interfaces["ne0"].index)
    assert old.detached
    wires.run(1100)
    assert sum(address.addr[:8] == old.addr[:8] for address in kernel(h1)) == 1
    wires.inject(h1, first)
    wires.run(5)
    new = [address for address in kernel(h1) if address.addr[:8] == old.addr[:8]]
    assert [address.deprecated for address in new] == [True, False]


def test_a_day_of_them_stays_bounded(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(prefix("2001:db8:1::/64", valid=0xFFFFFFFF, preferred=0xFFFFFFFF), lifetime=0))
    wires.run(86400)
    # One preferred, the others valid for tempvltime more; each is replaced after 400 s at the soonest.
    assert sum("deprecated" not in one.flags for one in temporary(h1)) in (1, 2)
    assert len(temporary(h1)) <= 2000 // 395 + 2


def test_after_duplicates_three_identifiers_are_tried(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, ra(MEDIUM))
    seen: set[bytes] = set()
    for _ in range(20):
        for address in kernel(h1):
            if address.tentative:
                seen.add(address.addr)
                wires.inject(h1, dad_ns(address.addr))
        wires.run(0.5)
    assert len(seen) == 3
    assert all("duplicated" in one.flags for one in temporary(h1))
    assert any("3 temporary addresses were duplicates" in line for line in wires.log(h1))


@pytest.mark.parametrize("prefer", [0, 1])
def test_prefer_tempaddr_decides_between_it_and_the_public_one(wires: Wires, prefer: int) -> None:
    h1 = host(wires, prefer_tempaddr=prefer)
    wires.inject(h1, ra(MEDIUM))
    wires.run(5)
    chosen = in6_selectsrc(h1, A("2001:db8:9::1"), h1.interfaces["ne0"])
    assert chosen is not None
    assert chosen.temporary == bool(prefer)
    assert h1.stat["ip6.sources_rule.7"]


def test_the_limits_of_the_sysctls(wires: Wires) -> None:
    h1 = host(wires)
    for name, value in (("temppltime", 604), ("tempvltime", 999)):
        with pytest.raises(Errno) as error:
            syscalls.sysctl_set(h1, IP6 + name, value)
        assert error.value.number == EINVAL


def test_a_checkpoint_keeps_them() -> None:
    lab = load_lab(
        'format = 1\ntitle = "t"\nlevel = "beginner"\n[links.lan]\n[nodes.h1]\nrole = "host"\n'
        'sysctl."net.inet6.ip6.use_tempaddr" = 1\n'
        'interfaces.ne0 = { link = "lan", up = true, faults = ["late:1s", "loops"], simplex = true }\n',
        "t.toml",
    )
    world = build(lab, 1)
    wires = Wires()
    wires.net = world.network
    wires.run(3)
    h1 = world.network.nodes["h1"]
    wires.inject(h1, ra(MEDIUM))
    other = restore(take(world))
    again = Wires()
    again.net = other.network
    for one in (wires, again):
        one.run(3000)
    assert temporary(h1) == temporary(other.network.nodes["h1"])
    assert digest(world) == digest(other)
    world.close()
    other.close()
