"""How long a datagram may be and how many may wait: net.inet.udp.maxdgram and recvspace, BSD's own names."""

from __future__ import annotations

import pytest
from wires import A, Wires, datagram

from kamelab.core.errors import EINVAL, EMSGSIZE, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node

LO = A("::1")
LONGEST = 65527
"""Octets of data in the longest UDP datagram without a jumbo payload: 65,535 with its header."""


def pair(node: Node) -> tuple[int, int]:
    """(sender, receiver) on the loopback interface."""
    sender, receiver = (syscalls.socket(node, 0, "udp6", 0) for _ in range(2))
    syscalls.bind(node, receiver, LO, 9, 0)
    return sender, receiver


def test_maxdgram_is_the_longest_message(wires: Wires) -> None:
    h1 = wires.host()
    sender, receiver = pair(h1)
    syscalls.sendmsg(h1, sender, bytes(9216), LO, 9)
    with pytest.raises(Errno) as refusal:
        syscalls.sendmsg(h1, sender, bytes(9217), LO, 9)
    assert refusal.value.number == EMSGSIZE
    wires.run(1)
    message = syscalls.recvmsg(h1, receiver)
    assert message is not None
    assert len(message.data) == 9216
    wires.account()


def test_sockets_made_after_a_change_carry_the_longest_datagram(wires: Wires) -> None:
    """Those made before keep what they have, as in BSD (soreserve)."""
    h1 = wires.host()
    before = pair(h1)[0]
    syscalls.sysctl_set(h1, "net.inet.udp.maxdgram", 65535)
    syscalls.sysctl_set(h1, "net.inet.udp.recvspace", 131072)
    with pytest.raises(Errno):
        syscalls.sendmsg(h1, before, bytes(LONGEST), LO, 9)
    sender, receiver = (syscalls.socket(h1, 0, "udp6", 0) for _ in range(2))
    syscalls.bind(h1, receiver, LO, 10, 0)
    data = bytes(range(251)) * 262
    syscalls.sendmsg(h1, sender, data[:LONGEST], LO, 10)
    wires.run(1)
    message = syscalls.recvmsg(h1, receiver)
    assert message is not None
    assert message.data == data[:LONGEST]
    wires.account()


def test_recvspace_bounds_what_waits(wires: Wires) -> None:
    """A message counts its data and a little more; what has no room is dropped with its counter."""
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet.udp.recvspace", 2500)
    receiver = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.bind(h1, receiver, bytes(16), 77, 0)
    for _ in range(3):
        wires.inject(h1, datagram(A("fe80::99"), A("fe80::ff:fe00:1"), data=bytes(1000), port=77))
    assert h1.counters()["udp6.fullsock"] == 1
    assert [syscalls.recvmsg(h1, receiver) is None for _ in range(3)] == [False, False, True]
    wires.account()


@pytest.mark.parametrize("name", ["maxdgram", "recvspace"])
def test_nothing_is_no_buffer(wires: Wires, name: str) -> None:
    h1 = wires.host()
    with pytest.raises(Errno) as refusal:
        syscalls.sysctl_set(h1, f"net.inet.udp.{name}", 0)
    assert refusal.value.number == EINVAL
