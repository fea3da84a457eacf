"""UDP wires: Ethernet frames in datagrams, one each, to and from one peer. No root, any system.

The form of the UDP tunnels of Dynamips, GNS3, QEMU's ``-netdev socket,udp=`` and VPCS: no header of its own.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from kamelab.bridge.port import FRAME_MAX, BridgeError

Address = tuple[str, int]


class UdpOption(NamedTuple):
    """``--udp LINK=HOST:PORT,HOST:PORT``: the end here, the end there."""

    link: str
    here: Address
    there: Address


def udp_option(text: str) -> UdpOption:
    """Read ``LINK=HOST:PORT,HOST:PORT``. Raises BridgeError."""
    link, equals, ends = text.partition("=")
    here, comma, there = ends.partition(",")
    if not (link and equals and comma):
        raise BridgeError(
            f"expected LINK=HOST:PORT,HOST:PORT for --udp: the end here, the end there; such as"
            f" lan1=127.0.0.1:5000,127.0.0.1:5001, not {text!r}"
        )
    return UdpOption(link, _address(here), _address(there))


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not colon or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise BridgeError(f"expected HOST:PORT with a port of 1 to 65535, or [ADDRESS]:PORT, not {text!r}")
    return host, int(port)


class UdpWire:
    """A UDP socket with one peer (`kamelab.bridge.port.Device`)."""

    def __init__(self, sock: socket.socket) -> None:
        """``sock`` is bound and connected: the kernel keeps other senders out."""
        self._sock = sock
        sock.setblocking(False)

    def fileno(self) -> int:
        """The descriptor."""
        return self._sock.fileno()

    def read(self) -> bytes | None:
        """The next frame; None where there is none. An ICMP error about what was sent before is no frame."""
        try:
            return self._sock.recv(FRAME_MAX)
        except OSError:
            return None

    def write(self, frame: bytes) -> bool:
        """Send a frame; False where nobody listens or it is too long for a datagram."""
        try:
            return self._sock.send(frame) == len(frame)
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def open_udp(here: Address, there: Address) -> UdpWire:
    """Bind to ``here`` and send to ``there``. Raises BridgeError."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(*here, type=socket.SOCK_DGRAM)[0]
        peer = socket.getaddrinfo(*there, family=family, type=socket.SOCK_DGRAM)[0][4]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise BridgeError(f"no UDP wire from {text(here)} to {text(there)}: {error.strerror or error}") from None
    try:
        sock.bind(address)
        sock.connect(peer)
    except OSError as error:
        sock.close()
        raise BridgeError(f"no UDP wire from {text(here)} to {text(there)}: {error.strerror or error}") from None
    return UdpWire(sock)


def text(address: Address) -> str:
    """``127.0.0.1:5000``, ``[::1]:5000``."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
