"""Reachability hints of upper layers, and how far they are believed (RFC 4861 7.3.1)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from wires import STRANGER, A, Wires, na, neighbor, ns

from kamelab.core.errors import EHOSTUNREACH, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6.nd6_state import DELAY, REACHABLE, STALE, Neighbor
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")


def talking(wires: Wires, hints: int, option: bool = True) -> tuple[Node, int, Neighbor]:
    """h1 with the stranger STALE in its cache, and a socket towards it."""
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet6.icmp6.nd6_maxnudhint", hints)
    wires.inject(h1, ns(OWN))
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, STRANGER, 9, h1.interfaces["ne0"].index)
    syscalls.setsockopt(h1, sid, "IPV6_REACHCONF", option)
    entry = neighbor(h1)
    assert entry is not None
    return h1, sid, entry


def test_by_default_no_hint_is_believed(wires: Wires) -> None:
    h1, sid, entry = talking(wires, 0)
    assert entry.state in (STALE, DELAY)
    syscalls.sendmsg(h1, sid, b"x")
    assert entry.state == DELAY


def test_a_program_that_says_nothing_gives_no_hint(wires: Wires) -> None:
    h1, sid, entry = talking(wires, 5, option=False)
    syscalls.sendmsg(h1, sid, b"x")
    assert entry.state == DELAY


def test_a_hint_makes_the_neighbour_reachable_without_a_probe(wires: Wires) -> None:
    h1, sid, entry = talking(wires, 2)
    syscalls.sendmsg(h1, sid, b"x")
    assert entry.state == REACHABLE
    wires.run(10)
    assert wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3) == []


def test_a_hint_while_reachable_starts_the_time_anew(wires: Wires) -> None:
    h1, sid, entry = talking(wires, 2)
    syscalls.sendmsg(h1, sid, b"x")
    first = entry.timer.at
    wires.run(5)
    syscalls.sendmsg(h1, sid, b"x")
    assert first is not None
    assert entry.timer.at == first + 5_000_000_000


def test_after_so_many_in_a_row_the_neighbour_is_asked(wires: Wires) -> None:
    h1, sid, entry = talking(wires, 2)
    for _ in range(60):
        with suppress(Errno):  # once the silent neighbour is found out, the socket hears of it
            syscalls.sendmsg(h1, sid, b"x")
        wires.run(1)
    assert len(wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)) >= 1
    assert entry.hints == 2


def test_a_real_confirmation_gives_new_credit(wires: Wires) -> None:
    h1, sid, entry = talking(wires, 1)
    syscalls.sendmsg(h1, sid, b"x")
    assert entry.hints == 1
    wires.inject(h1, na(STRANGER, OWN, "S"))
    assert (entry.state, entry.hints) == (REACHABLE, 0)


def test_a_hint_about_nobody_is_none(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.setsockopt(h1, sid, "IPV6_REACHCONF", True)
    with pytest.raises(Errno) as error:
        syscalls.sendmsg(h1, sid, b"x", A("2001:db8:9::9"), 9)
    assert error.value.number == EHOSTUNREACH
    syscalls.sendmsg(h1, sid, b"x", A("2001:db8:1::9"), 9)
    assert [one.state for one in h1.interfaces["ne0"].neighbors.values()] == ["INCOMPLETE"]
