"""Options of neighbour discovery (RFC 4861 4.6): reading a block of them, building each.

Also RFC 4191 2.3 (route information), RFC 3971 5.3.2 (nonce), RFC 8106 5 (DNS). The rules for bad blocks are KAME's
(`nd6.c` nd6_options): length 0 or an overrun spoils the message, the first of a repeated kind wins, unknown kinds are
skipped, and after ten options reading stops with what there is.

Left out: options of secure ND other than the nonce; what the values mean (`stack.netinet6.nd6_rtr`).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError

SLLA: Final = 1
TLLA: Final = 2
PREFIX: Final = 3
REDIRECTED: Final = 4
MTU: Final = 5
NONCE: Final = 14
ROUTE_INFO: Final = 24
RDNSS: Final = 25
DNSSL: Final = 31

MAX_OPTIONS: Final = 10
"""KAME nd6_maxndopt."""
INFINITE: Final = 0xFFFFFFFF
"""A lifetime in seconds that never ends (RFC 4861 4.6.2)."""

_PREFIX = struct.Struct("!BBBBIIxxxx16s")
_ROUTE = struct.Struct("!BBBBI")
_PREF_BITS = {1: 0x08, 0: 0x00, -1: 0x18}
_PREF_OF = {0x08: 1, 0x00: 0, 0x18: -1}


class PrefixInfo(NamedTuple):
    """Prefix information (RFC 4861 4.6.2); lifetimes in seconds, `prefix` 16 octets as received, not masked."""

    plen: int
    onlink: bool
    autonomous: bool
    valid: int
    preferred: int
    prefix: bytes


class RouteInfo(NamedTuple):
    """Route information (RFC 4191 2.3); preference 1 high, 0 medium, -1 low; lifetime in seconds."""

    plen: int
    preference: int
    lifetime: int
    prefix: bytes


class Rdnss(NamedTuple):
    """Recursive DNS servers (RFC 8106 5.1); lifetime in seconds, addresses of 16 octets."""

    lifetime: int
    addresses: tuple[bytes, ...]


class Dnssl(NamedTuple):
    """DNS search list (RFC 8106 5.2); lifetime in seconds, `names` still in DNS encoding with its padding."""

    lifetime: int
    names: bytes


class NdOptions(NamedTuple):
    """What a block of options says; None or empty where an option was not there."""

    slla: bytes | None = None
    """Source link-layer address with its padding: 6 octets on Ethernet."""
    tlla: bytes | None = None
    mtu: int | None = None
    prefixes: tuple[PrefixInfo, ...] = ()
    redirected: bytes | None = None
    """As much of the redirected packet as was quoted, padding included."""
    routes: tuple[RouteInfo, ...] = ()
    nonce: bytes | None = None
    rdnss: tuple[Rdnss, ...] = ()
    dnssl: tuple[Dnssl, ...] = ()
    unknown: tuple[int, ...] = ()
    """Kinds that were skipped, in order."""
    duplicates: tuple[int, ...] = ()
    """Kinds that came again where one is allowed; the first was kept."""
    toomany: bool = False
    """More options than the limit followed and were not read."""
    bad_prefix: int = 0
    """Prefix options passed over for a wrong length."""
    malformed: tuple[int, ...] = ()
    """Other known kinds passed over for a length or value that their RFC forbids."""


def _route(kind_data: bytes) -> RouteInfo | None:
    units, plen, flags, lifetime = kind_data[1], kind_data[2], kind_data[3], int.from_bytes(kind_data[4:8], "big")
    preference = _PREF_OF.get(flags & 0x18)
    # The reserved preference and a prefix longer than its field make the option void (RFC 4191 2.3).
    if preference is None or units > 3 or plen > 128 or plen > (units - 1) * 64:
        return None
    return RouteInfo(plen, preference, lifetime, (kind_data[8:] + bytes(16))[:16])


def _rdnss(data: bytes) -> Rdnss | None:
    if data[1] < 3 or not data[1] & 1:
        return None
    addresses = tuple(data[i : i + 16] for i in range(8, len(data), 16))
    return Rdnss(int.from_bytes(data[4:8], "big"), addresses)


def parse(data: bytes, limit: int = MAX_OPTIONS) -> NdOptions:
    """Read the options after a message's fixed part.

    Raises WireError for an option of length 0 and Truncated for one that runs over the end; the whole message must
    then be dropped (RFC 4861 4.6, 6.1). After `limit` options reading stops and `toomany` is set.
    """
    slla: bytes | None = None
    tlla: bytes | None = None
    mtu: int | None = None
    redirected: bytes | None = None
    nonce: bytes | None = None
    prefixes: list[PrefixInfo] = []
    routes: list[RouteInfo] = []
    rdnss: list[Rdnss] = []
    dnssl: list[Dnssl] = []
    unknown: list[int] = []
    duplicates: list[int] = []
    malformed: list[int] = []
    bad_prefix = count = i = 0
    toomany = False
    end = len(data)
    while i < end:
        if count == limit:
            toomany = True
            break
        count += 1
        kind = data[i]
        if i + 2 > end:
            raise Truncated(f"ND option {kind} has no length", i)
        units = data[i + 1]
        if not units:
            raise WireError(f"ND option {kind} of zero length", i)
        after = i + 8 * units
        if after > end:
            raise Truncated(f"ND option {kind}: {end - i} of {8 * units} octets", i)
        option = data[i:after]
        i = after
        if kind == PREFIX:
            if units != 4:
                bad_prefix += 1
                continue
            _, _, plen, flags, valid, preferred, prefix = _PREFIX.unpack(option)
            prefixes.append(PrefixInfo(plen, bool(flags & 0x80), bool(flags & 0x40), valid, preferred, prefix))
        elif kind == SLLA:
            if slla is None:
                slla = option[2:]
            else:
                duplicates.append(kind)
        elif kind == TLLA:
            if tlla is None:
                tlla = option[2:]
            else:
                duplicates.append(kind)
        elif kind == MTU:
            if units != 1:
                malformed.append(kind)
            elif mtu is None:
                mtu = int.from_bytes(option[4:8], "big")
            else:
                duplicates.append(kind)
        elif kind == REDIRECTED:
            if redirected is None:
                redirected = option[8:]
            else:
                duplicates.append(kind)
        elif kind == NONCE:
            if nonce is None:
                nonce = option[2:]
            else:
                duplicates.append(kind)
        elif kind == ROUTE_INFO:
            route = _route(option)
            if route is None:
                malformed.append(kind)
            else:
                routes.append(route)
        elif kind == RDNSS:
            servers = _rdnss(option)
            if servers is None:
                malformed.append(kind)
            else:
                rdnss.append(servers)
        elif kind == DNSSL:
            if units < 2:
                malformed.append(kind)
            else:
                dnssl.append(Dnssl(int.from_bytes(option[4:8], "big"), option[8:]))
        else:
            unknown.append(kind)
    return NdOptions(
        slla=slla,
        tlla=tlla,
        mtu=mtu,
        prefixes=tuple(prefixes),
        redirected=redirected,
        routes=tuple(routes),
        nonce=nonce,
        rdnss=tuple(rdnss),
        dnssl=tuple(dnssl),
        unknown=tuple(unknown),
        duplicates=tuple(duplicates),
        toomany=toomany,
        bad_prefix=bad_prefix,
        malformed=tuple(malformed),
    )


def _option(kind: int, value: bytes) -> bytes:
    """An option of kind and value, padded with zeros to 8 octets; WireError beyond 255 units of 8."""
    size = len(value) + 2
    units = (size + 7) // 8
    if units > 255:
        raise WireError(f"ND option {kind} of {size} octets doesn't fit")
    return bytes((kind, units)) + value + bytes(8 * units - size)


def build_lladdr(kind: int, lladdr: bytes) -> bytes:
    """A source (SLLA) or target (TLLA) link-layer address option (RFC 4861 4.6.1)."""
    return _option(kind, lladdr)


def build_prefix(info: PrefixInfo) -> bytes:
    """A prefix information option, 32 octets (RFC 4861 4.6.2). Raises WireError for values that don't fit."""
    flags = (0x80 if info.onlink else 0) | (0x40 if info.autonomous else 0)
    try:
        return _PREFIX.pack(PREFIX, 4, info.plen, flags, info.valid, info.preferred, info.prefix)
    except struct.error as error:
        raise WireError(f"prefix information: {error}") from None


def build_mtu(mtu: int) -> bytes:
    """An MTU option, 8 octets (RFC 4861 4.6.4)."""
    return _option(MTU, b"\x00\x00" + (mtu & 0xFFFFFFFF).to_bytes(4, "big"))


def build_redirected(packet: bytes) -> bytes:
    """A redirected header option around a packet already cut to fit (RFC 4861 4.6.3), padded to 8 octets."""
    return _option(REDIRECTED, bytes(6) + packet)


def build_route(info: RouteInfo) -> bytes:
    """A route information option of 8, 16 or 24 octets as the length needs (RFC 4191 2.3)."""
    if not 0 <= info.plen <= 128 or info.preference not in _PREF_BITS or not 0 <= info.lifetime <= INFINITE:
        raise WireError("route information doesn't fit its fields")
    units = 1 + (info.plen + 63) // 64
    head = _ROUTE.pack(ROUTE_INFO, units, info.plen, _PREF_BITS[info.preference], info.lifetime)
    return head + info.prefix[: 8 * (units - 1)]


def build_nonce(nonce: bytes) -> bytes:
    """A nonce option (RFC 3971 5.3.2, RFC 7527 4.1); 6 octets fill one unit."""
    return _option(NONCE, nonce)


def build_rdnss(servers: Rdnss) -> bytes:
    """An option with recursive DNS servers (RFC 8106 5.1)."""
    return _option(RDNSS, b"\x00\x00" + servers.lifetime.to_bytes(4, "big") + b"".join(servers.addresses))
