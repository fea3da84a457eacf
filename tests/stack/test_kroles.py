"""Host and router: what each combination of switches does, and changing the role in operation.

KAME IMPLEMENTATION 1.4.2 (2001)
"""

from __future__ import annotations

import itertools

import pytest
from wires import (
    ACCEPT_RTADV,
    FORWARDING,
    ROUTER,
    ROUTER2,
    ROUTER2_MAC,
    STRANGER,
    A,
    Wires,
    neighbor,
    ns,
    prefix,
    ra,
    row,
    rs,
)

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")


def installed(node: Node) -> list[str]:
    return [one.address for one in syscalls.rows(node, "routers") if one.installed]


def default(node: Node) -> str:
    return next((one.gateway for one in syscalls.rows(node, "routes") if one.destination == "default"), "")


@pytest.mark.parametrize(("accept", "forwarding", "flag"), list(itertools.product((0, 1), repeat=3)))
def test_the_table_of_roles(wires: Wires, accept: int, forwarding: int, flag: int) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=accept, forwarding=forwarding)
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", accept_rtadv=bool(flag))
    wires.run(to=3)
    wires.inject(h1, ra(prefix("2001:db8:1::/64")))
    taken = accept == 1 and forwarding == 0 and flag == 1
    assert bool(syscalls.rows(h1, "routers")) == taken
    assert ("RA_NOT_ACCEPTED" in wires.drops(h1, 3)) == (not taken)
    assert (default(h1) == "fe80::1%ne0") == taken
    assert any("autoconf" in one.flags for one in syscalls.rows(h1, "addresses")) == taken
    # Solicitations are for routers that are nothing else.
    wires.inject(h1, rs(dst=OWN))
    assert ("RS_HOST" in wires.drops(h1, 3)) == (not (forwarding == 1 and accept == 0))
    # The R flag says what the node is.
    wires.inject(h1, ns(OWN, src=A("fe80::98")))
    answer = wires.sent(h1, icmp.NEIGHBOR_ADVERT, 3)[-1]
    assert bool(answer.message[4] & 0x80) == bool(forwarding)


def two_routers(wires: Wires) -> Node:
    """A host with two reachable routers; the first, of 60 s, is installed, the second lives for 1800 s."""
    h1 = wires.host(accept_rtadv=1)
    wires.inject(h1, ra(lifetime=60))
    wires.inject(h1, ra(src=ROUTER2, lladdr=ROUTER2_MAC), smac=ROUTER2_MAC)
    assert installed(h1) == ["fe80::1%ne0"]
    return h1


def test_a_host_turned_router_keeps_its_list_until_it_expires_and_selects_nothing(wires: Wires) -> None:
    h1 = two_routers(wires)
    syscalls.sysctl_set(h1, FORWARDING, 1)
    assert [one.address for one in syscalls.rows(h1, "routers")] == ["fe80::1%ne0", "fe80::2%ne0"]
    assert default(h1) == "fe80::1%ne0"
    wires.run(61)
    assert [one.address for one in syscalls.rows(h1, "routers")] == ["fe80::2%ne0"]
    assert default(h1) == "", "nobody is chosen in its place"


def test_nud_does_not_make_a_router_choose_either(wires: Wires) -> None:
    h1 = two_routers(wires)
    syscalls.sysctl_set(h1, FORWARDING, 1)
    wires.send(h1, "2001:db8:9::9")
    wires.run(10)
    assert neighbor(h1, ROUTER) is None
    assert default(h1) == "fe80::1%ne0"


def test_back_to_a_host_selection_resumes_with_the_next_advertisement(wires: Wires) -> None:
    h1 = two_routers(wires)
    syscalls.sysctl_set(h1, FORWARDING, 1)
    wires.run(61)
    wires.inject(h1, ra(src=ROUTER2, lladdr=ROUTER2_MAC), smac=ROUTER2_MAC)
    assert default(h1) == "", "a router does not listen"
    syscalls.sysctl_set(h1, FORWARDING, 0)
    assert default(h1) == "", "the switch itself converts nothing"
    wires.inject(h1, ra(src=ROUTER2, lladdr=ROUTER2_MAC), smac=ROUTER2_MAC)
    assert (installed(h1), default(h1)) == (["fe80::2%ne0"], "fe80::2%ne0")


def test_without_accept_rtadv_what_was_learned_ages_away(wires: Wires) -> None:
    h1 = two_routers(wires)
    syscalls.sysctl_set(h1, ACCEPT_RTADV, 0)
    wires.run(61)
    assert default(h1) == ""
    assert [one.address for one in syscalls.rows(h1, "routers")] == ["fe80::2%ne0"]


def test_the_kernel_joins_and_leaves_no_router_group_with_the_role(wires: Wires) -> None:
    h1 = wires.host()
    before = syscalls.rows(h1, "groups")
    for value in (1, 0):
        syscalls.sysctl_set(h1, FORWARDING, value)
        assert syscalls.rows(h1, "groups") == before, "ff02::2 is rtadvd's"


def test_redirects_are_a_host_s(wires: Wires) -> None:
    h1 = wires.host(accept_rtadv=1)
    wires.inject(h1, ra())
    syscalls.sysctl_set(h1, FORWARDING, 1)
    wires.inject(h1, ns(OWN, src=STRANGER))
    assert wires.sent(h1, icmp.NEIGHBOR_ADVERT, 3)[-1].message[4] & 0x80
    assert row(h1, "routers", "fe80::1%ne0").installed
