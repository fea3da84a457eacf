"""The digest sees who holds a port first: of sockets that share it, that one gets the datagram."""

from __future__ import annotations

from kamelab.lab.build import build
from kamelab.lab.checkpoint import restore, take
from kamelab.lab.digest import digest
from kamelab.lab.loader import load_lab
from kamelab.stack import syscalls

LAB = """\
format = 1
title = "Two on a port"
seed = 1
[links.lan]
[nodes.h1]
interfaces.ne0 = { link = "lan" }
"""


def shared(first: int, second: int) -> tuple[str, str]:
    """The digest where ``first`` and ``second`` of two sockets bind to port 9 in this order; that of its checkpoint."""
    world = build(load_lab(LAB, "x.toml"), 1)
    node = world.network.nodes["h1"]
    sids = [syscalls.socket(node, 0, "udp6", 0) for _ in range(2)]
    for sid in sids:
        syscalls.setsockopt(node, sid, "SO_REUSEPORT", True)
    for number in (first, second):
        syscalls.bind(node, sids[number], bytes(16), 9, 0)
    return digest(world), digest(restore(take(world)))


def test_the_order_of_binding_is_state() -> None:
    (one, one_again), (other, other_again) = shared(0, 1), shared(1, 0)
    assert one != other
    assert (one_again, other_again) == (one, other)
