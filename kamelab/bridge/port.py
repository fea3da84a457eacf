"""Joining a link's port to a device: frames out of the lab into it, and its frames into the lab as journal inputs.

The port itself is part of the engine (`kamelab.sim.port`, `Session.plug`); here is the end that the host holds.
Frames from outside are applied at the present virtual time. After the world was built anew (`back`, `reset`) the device
is put on again.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kamelab.core.errors import KamelabError
from kamelab.lab.journal import Entry
from kamelab.lab.session import Session

BURST = 64
"""Frames taken from one device before others get their turn."""
FRAME_MAX = 65_550
"""Octets that an Ethernet frame around the largest IPv6 packet has."""


class BridgeError(KamelabError):
    """What keeps a lab from being joined to the outside, in one sentence."""


class Device(Protocol):
    """Something that carries whole Ethernet frames, without ever blocking."""

    def fileno(self) -> int:
        """What select() may wait on until there is something to read."""

    def read(self) -> bytes | None:
        """The next frame, without frame check sequence; None where there is none now.

        Raises BridgeError where there never will be one again.
        """

    def write(self, frame: bytes) -> bool:
        """Send a frame; False where the device did not take it, as a wire without a far end."""

    def close(self) -> None:
        """Give it back."""


def plug(session: Session, ports: list[tuple[str, str]]) -> None:
    """Boot the lab with these ports, each (link, name); one that was played with the same ports goes on.

    Raises BridgeError: it has been played with others, no such link, no Ethernet, a name used twice.
    """
    texts = tuple(f"{link} {name}" for link, name in ports)
    if session.events and set(texts) <= set(session.ports):
        return
    try:
        session.plug(texts)
    except KamelabError as error:
        raise BridgeError(str(error)) from None


class Attachment:
    """A device on a link's port. ``lost`` counts frames that the device did not take."""

    def __init__(self, session: Session, link: str, port: str, device: Device) -> None:
        """Put the device on a port that the session has (`kamelab.lab.session.Session.plug`)."""
        self.session = session
        self.link = link
        self.port = port
        self.device = device
        self.lost = 0
        self.keep()

    def keep(self) -> None:
        """Put the device on the port; again if the world was built anew."""
        self.session.world.network.links[self.link].port(self.port).send = self._out

    def _out(self, frame: bytes) -> None:
        if not self.session.replaying and not self.device.write(frame):
            self.lost += 1

    def take_in(self) -> int:
        """Make journal inputs of what the device has received, at most `BURST` frames; how many there were.

        Raises BridgeError where the device is gone.
        """
        session = self.session
        count = 0
        while count < BURST:
            frame = self.device.read()
            if frame is None:
                break
            count += 1
            if frame:
                text = f"{self.link} {self.port} {frame.hex()}"
                session.input(Entry(session.now, session.events, "frame", "", text))
        return count

    def close(self) -> None:
        """Take the device off; the port swallows from now on."""
        self.session.world.network.links[self.link].port(self.port).send = None
        self.device.close()


class TapOption(NamedTuple):
    """``--tap LINK=DEV``."""

    link: str
    device: str


def tap_option(text: str) -> TapOption:
    """Read ``LINK=DEV``. Raises BridgeError."""
    link, equals, device = text.partition("=")
    if not (link and equals and device):
        raise BridgeError(f"expected LINK=DEV for --tap, such as lan1=tap0, not {text!r}")
    return TapOption(link, device)
