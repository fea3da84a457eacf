"""What a socket receives: data, the peer's address, and the ancillary data of RFC 3542."""

from __future__ import annotations

from typing import Any, NamedTuple


class Message(NamedTuple):
    """One received datagram or ICMPv6 message. Addresses are without embedded zone."""

    data: bytes
    addr: bytes
    """Source address, 16 octets."""
    port: int
    """Source port; 0 for raw sockets."""
    zone: int
    """Scope id of the source (interface index); 0 where it needs none."""
    dst: bytes
    """Destination address, 16 octets."""
    ifindex: int
    """Interface it came by."""
    hoplimit: int
    tclass: int
    time: int
    """When it came, ns since boot."""
    control: tuple[tuple[str, Any], ...] = ()
    """Ancillary data: (name, value) pairs of what the socket asked for by IPV6_RECV* options, in RFC 3542's order."""
