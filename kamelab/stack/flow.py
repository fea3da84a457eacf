"""The forwarding fast path: a remembered decision for a pair of addresses.

A flow may exist only while sending changes nothing: the neighbour is REACHABLE, DELAY or PROBE, neither address is
scoped, no redirect is due. It carries the node's generation, which any change of route, address, neighbour state or
sysctl moves on; a stale flow is forgotten at its next use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.net.route import Route

FLOW_LIMIT = 4096
"""Flows a node remembers; all are forgotten when it is reached."""


class Flow:
    """What happens to packets of one pair of addresses that arrive on one interface from one neighbour."""

    __slots__ = ("expect", "generation", "header", "mtu", "note", "out", "route", "through")

    def __init__(
        self, generation: int, through: Interface, out: Interface, arrived: bytes, header: bytes, mtu: int, route: Route
    ) -> None:
        self.generation = generation
        self.through = through
        """Arrival interface."""
        self.out = out
        self.expect = arrived + b"\x60"
        """What a frame of this flow begins with: Ethernet header, version 6, plain traffic class."""
        self.header = header
        """The 14 octets of Ethernet header for the next hop."""
        self.mtu = mtu + 14
        self.route = route
        """Its use is counted."""
        self.note = f"out of {out.name}"
