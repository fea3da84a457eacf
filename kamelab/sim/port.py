"""Ports: where a link ends in the outside world.

A port is a station of a link with no kernel behind it. What the link delivers to it goes to ``send``, if a device is
there; what the device receives comes in as an input of the session (`kamelab.lab.session`). The engine sees the same
events with and without a device, so that a session with frames from outside replays anywhere: a port without a device
swallows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kamelab.sim.link import Link


class Outside:
    """Stands where a station has its node. Its name is empty: no node of the lab."""

    __slots__ = ()

    name = ""

    def accepts(self, port: Port, frame: bytes, looped: bool) -> bool:
        """A port is promiscuous, like a cable."""
        return True

    def receive(self, port: Port, frame: bytes, cause: int, looped: bool) -> None:
        """A frame arrives at the port: out with it."""
        port.carried += 1
        if port.send is not None:
            port.send(frame)


class Port:
    """A named way out of a link. ``send`` takes whole Ethernet frames; it is no state and is in no checkpoint."""

    __slots__ = ("carried", "link", "name", "node", "send")

    def __init__(self, name: str, link: Link) -> None:
        self.name = name
        self.link = link
        self.node = Outside()
        self.carried = 0
        """Frames that left by it."""
        self.send: Callable[[bytes], None] | None = None

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.name, self.link, self.carried)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.name, self.link, self.carried = state
        self.node = Outside()
        self.send = None
