"""Drivers with faults: what stands between an interface and its link and does not do as a driver should.

KAME IMPLEMENTATION 1.2 (2001) names two that make duplicate address detection go wrong: a driver that raises
IFF_RUNNING before it can send, and one that hands a station's own multicast back to it. The kernel knows nothing of
them. Faults of the wire itself (loss, delay) are the link's (`kamelab.sim.link`).
"""

from __future__ import annotations

from typing import NamedTuple

from kamelab.core.drops import REASONS
from kamelab.stack.interface import Interface, Medium


class Faults(NamedTuple):
    """What is wrong with one interface's driver."""

    late: int = 0
    """For so many ns after it was brought up, frames do not go out, although the interface is RUNNING."""
    loops: bool = False
    """Its own multicast comes back to it."""


class Driver:
    """A medium around a medium, with faults. Other stations see the link alone."""

    __slots__ = ("faults", "medium")

    def __init__(self, medium: Medium, faults: Faults) -> None:
        self.medium = medium
        self.faults = faults

    @property
    def name(self) -> str:
        """The link's name."""
        return self.medium.name

    @property
    def up(self) -> bool:
        """The link's carrier."""
        return self.medium.up

    def transmit(self, interface: Interface, frame: bytes, cause: int) -> None:
        """Hand a frame to the link, or lose it while not ready; hand multicast back where the driver loops.

        The frame that comes back is an ordinary one: the interface's filter lets it in or refuses it.
        """
        node = interface.node
        now = node.clock.now
        if now < interface.up_at + self.faults.late:
            node.trace.record(
                now, node.name, interface.name, f"driver {interface.name}", 0, "drop", "LINK_LOST",
                REASONS["LINK_LOST"].rule, "not ready yet", cause=cause, also=0,
            )  # fmt: skip
            return
        self.medium.transmit(interface, frame, cause)
        if self.faults.loops and frame[0] & 1 and self.medium.up:
            node.clock.send(now, interface, frame, cause)

    def replug(self, old: Interface, new: Interface) -> None:
        """A rebooted node's interface keeps its driver."""
        self.medium.replug(old, new)


def install(interface: Interface, faults: Faults) -> None:
    """Give an interface a driver with ``faults``; without any it keeps what it has."""
    if faults != Faults():
        interface.link = Driver(interface.link, faults)
