"""The loopback medium: what a node sends to itself comes back as a frame of its own event (BSD if_loop.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface

LOMTU = 16384
"""MTU of the loopback interface, octets."""


class Loopback:
    """Carries frames of one node back to it, at the same instant, in order."""

    __slots__ = ("name", "up")

    def __init__(self) -> None:
        self.name = "lo0"
        self.up = True

    def transmit(self, interface: Interface, frame: bytes, cause: int) -> None:
        """Hand the frame back at the present time."""
        clock = interface.node.clock
        clock.send(clock.now, interface, frame, cause, True)

    def replug(self, old: Interface, new: Interface) -> None:
        """Every boot makes its own loopback."""
