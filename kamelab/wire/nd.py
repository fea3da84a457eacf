"""Messages of neighbour discovery (RFC 4861 4.1 to 4.5) as small values.

KAME `icmp6.h`, `nd6_nbr.c`, `nd6_rtr.c`. `parse` takes a *body*, what follows the 4 octets of type, code and checksum;
`pack` gives one. Options stay octets, for `nd_options` to read or build. Router preference is RFC 4191 2.2's. Left
out: the home agent bit (RFC 6275), inverse discovery (RFC 3122).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kamelab.wire.buffer import WireError, need

_ADVERT = struct.Struct("!BBHII")
_PREF_BITS = {1: 0x08, 0: 0x00, -1: 0x18}
_MANAGED, _OTHER, _PREF = 0x80, 0x40, 0x18
_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20


def _address(addr: bytes) -> bytes:
    if len(addr) != 16:
        raise WireError(f"an IPv6 address has 16 octets, not {len(addr)}")
    return addr


class RouterSolicit(NamedTuple):
    """Router solicitation, type 133 (RFC 4861 4.1)."""

    options: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> RouterSolicit:
        """Read a body; Truncated below 4 octets."""
        need(body, 4, "router solicitation")
        return cls(body[4:])

    def pack(self) -> bytes:
        """The body: 4 octets and the options."""
        return bytes(4) + self.options


class RouterAdvert(NamedTuple):
    """Router advertisement, type 134 (RFC 4861 4.2)."""

    hlim: int
    """Cur Hop Limit, 0 for unspecified."""
    managed: bool
    other: bool
    preference: int
    """1 high, 0 medium, -1 low; the reserved value reads as medium (RFC 4191 2.2)."""
    lifetime: int
    """Router lifetime in seconds; 0: not a default router."""
    reachable: int
    """Milliseconds, 0 for unspecified."""
    retrans: int
    """Milliseconds, 0 for unspecified."""
    options: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> RouterAdvert:
        """Read a body; Truncated below 12 octets."""
        need(body, 12, "router advertisement")
        hlim, flags, lifetime, reachable, retrans = _ADVERT.unpack_from(body)
        pref = flags & _PREF
        preference = 1 if pref == 0x08 else -1 if pref == 0x18 else 0
        return cls(
            hlim, bool(flags & _MANAGED), bool(flags & _OTHER), preference, lifetime, reachable, retrans, body[12:]
        )

    def pack(self) -> bytes:
        """The body: 12 octets and the options. Raises WireError for values that don't fit their fields."""
        if self.preference not in _PREF_BITS:
            raise WireError(f"router preference {self.preference}", 1)
        flags = (_MANAGED if self.managed else 0) | (_OTHER if self.other else 0) | _PREF_BITS[self.preference]
        try:
            head = _ADVERT.pack(self.hlim, flags, self.lifetime, self.reachable, self.retrans)
        except struct.error as error:
            raise WireError(f"router advertisement: {error}") from None
        return head + self.options


class NeighborSolicit(NamedTuple):
    """Neighbour solicitation, type 135 (RFC 4861 4.3)."""

    target: bytes
    options: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> NeighborSolicit:
        """Read a body; Truncated below 20 octets."""
        need(body, 20, "neighbor solicitation")
        return cls(body[4:20], body[20:])

    def pack(self) -> bytes:
        """The body: 20 octets and the options."""
        return bytes(4) + _address(self.target) + self.options


class NeighborAdvert(NamedTuple):
    """Neighbour advertisement, type 136 (RFC 4861 4.4)."""

    router: bool
    solicited: bool
    override: bool
    target: bytes
    options: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> NeighborAdvert:
        """Read a body; Truncated below 20 octets."""
        need(body, 20, "neighbor advertisement")
        flags = body[0]
        return cls(bool(flags & _ROUTER), bool(flags & _SOLICITED), bool(flags & _OVERRIDE), body[4:20], body[20:])

    def pack(self) -> bytes:
        """The body: 20 octets and the options."""
        flags = (
            (_ROUTER if self.router else 0)
            | (_SOLICITED if self.solicited else 0)
            | (_OVERRIDE if self.override else 0)
        )
        return bytes((flags, 0, 0, 0)) + _address(self.target) + self.options


class Redirect(NamedTuple):
    """Redirect, type 137 (RFC 4861 4.5): `target` is the better first hop for `destination`."""

    target: bytes
    destination: bytes
    options: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Redirect:
        """Read a body; Truncated below 36 octets."""
        need(body, 36, "redirect")
        return cls(body[4:20], body[20:36], body[36:])

    def pack(self) -> bytes:
        """The body: 36 octets and the options."""
        return bytes(4) + _address(self.target) + _address(self.destination) + self.options
