"""Extension headers of IPv6: options, routing, fragment, and the walk along the chain.

RFC 8200 4, RFC 2711 (router alert), RFC 2675 (jumbo payload), RFC 4302 2.2 (length of AH); KAME `ip6.h`,
`ip6_input.c` ip6_nexthdr. Left out: routing headers other than type 0 beyond their first octets, what is inside AH and
ESP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError, need
from kamelab.wire.ip6 import (
    HEADER_LEN,
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
    NXT,
    PLEN,
)

EXTENSION_HEADERS: Final = frozenset((IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS))
"""Next-header values that `upper_layer` passes over. ESP is not one of them: what follows it can't be read."""

OPT_PAD1: Final = 0
OPT_PADN: Final = 1
OPT_ROUTER_ALERT: Final = 5
OPT_JUMBO: Final = 0xC2

RTALERT_MLD: Final = 0

ROUTING_TYPE0: Final = 0
"""The source route of RFC 2460 4.4, retired by RFC 5095."""

_FRAGMENT = struct.Struct("!BxHI")
_MAX_OPTIONS = 256 * 8 - 2


class Fragment(NamedTuple):
    """A fragment header (RFC 8200 4.5); `offset` is in octets, a multiple of 8."""

    nxt: int
    offset: int
    more: bool
    ident: int


class Routing(NamedTuple):
    """A routing header (RFC 8200 4.4); `length` is the field: 8-octet units after the first. Addresses: type 0 only."""

    nxt: int
    length: int
    type: int
    segleft: int
    addresses: tuple[bytes, ...]


def options(data: bytes, base: int = 0) -> Iterator[tuple[int, bytes, int]]:
    """The options in `data`, the header without its first two octets: (type, value, offset), paddings too.

    `offset` is that of the type octet, counted from `base`. Raises Truncated where an option runs over the end, after
    those before it were given out (RFC 8200 4.2).
    """
    i, end = 0, len(data)
    while i < end:
        kind = data[i]
        if kind == OPT_PAD1:
            yield OPT_PAD1, b"", base + i
            i += 1
            continue
        if i + 2 > end:
            raise Truncated(f"option {kind} has no length", base + i)
        after = i + 2 + data[i + 1]
        if after > end:
            raise Truncated(f"option {kind} of {data[i + 1]} octets, {end - i - 2} are left", base + i)
        yield kind, data[i + 2 : after], base + i
        i = after


def option(kind: int, value: bytes) -> bytes:
    """One option in type-length-value form. Raises WireError if the value has more than 255 octets."""
    if len(value) > 255 or not 0 <= kind <= 255:
        raise WireError(f"option {kind} of {len(value)} octets doesn't fit")
    return bytes((kind, len(value))) + value


def _options_header(nxt: int, opts: bytes) -> bytes:
    pad = -(len(opts) + 2) % 8
    if pad == 1:
        opts += b"\x00"
    elif pad:
        opts += option(OPT_PADN, bytes(pad - 2))
    if len(opts) > _MAX_OPTIONS:
        raise WireError(f"options of {len(opts)} octets don't fit in one header")
    return bytes((nxt, (len(opts) + 2) // 8 - 1)) + opts


def hop_by_hop(nxt: int, options: bytes) -> bytes:
    """A hop-by-hop options header around encoded options, padded to a multiple of 8 octets (RFC 8200 4.3)."""
    return _options_header(nxt, options)


def destination_options(nxt: int, options: bytes) -> bytes:
    """A destination options header around encoded options, padded to a multiple of 8 octets (RFC 8200 4.6)."""
    return _options_header(nxt, options)


def router_alert(nxt: int, value: int = RTALERT_MLD) -> bytes:
    """The 8-octet hop-by-hop header with a router alert (RFC 2711 2.1) that MLD messages carry (RFC 2710 3)."""
    return _options_header(nxt, option(OPT_ROUTER_ALERT, value.to_bytes(2, "big")))


def jumbo_payload(options: bytes, rest: int) -> bytes:
    """A hop-by-hop header, its next header 0, of encoded options and a jumbo payload option (RFC 2675 2).

    ``rest``: octets that follow the header; the option tells these and the header itself. The option's alignment is
    4n + 2. Raises WireError if the options don't fit.
    """
    pad = -len(options) % 4
    if pad == 1:
        options += b"\x00"
    elif pad:
        options += option(OPT_PADN, bytes(pad - 2))
    header = _options_header(0, options + option(OPT_JUMBO, bytes(4)))
    at = 2 + len(options) + 2
    return header[:at] + (len(header) + rest).to_bytes(4, "big") + header[at + 4 :]


def parse_fragment(data: bytes) -> Fragment:
    """Read a fragment header at the start of `data`; Truncated below 8 octets."""
    need(data, 8, "fragment header")
    nxt, word, ident = _FRAGMENT.unpack_from(data)
    return Fragment(nxt, word & 0xFFF8, bool(word & 1), ident)


def build_fragment(nxt: int, offset: int, more: bool, ident: int) -> bytes:
    """The 8 octets of a fragment header. Raises WireError for an offset that isn't a multiple of 8 below 65536."""
    if offset & 7 or not 0 <= offset <= 0xFFF8:
        raise WireError(f"fragment offset {offset}", 2)
    return _FRAGMENT.pack(nxt, offset | more, ident & 0xFFFFFFFF)


def parse_routing(data: bytes) -> Routing:
    """Read a routing header at the start of `data`; Truncated if it is not all there.

    Only type 0 has addresses, as many as are whole; an odd length (RFC 2460 4.4) is for the caller to refuse.
    """
    need(data, 8, "routing header")
    nxt, length, kind, segleft = data[0], data[1], data[2], data[3]
    size = 8 + 8 * length
    need(data, size, "routing header")
    count = length // 2 if kind == 0 else 0
    return Routing(nxt, length, kind, segleft, tuple(data[8 + 16 * i : 24 + 16 * i] for i in range(count)))


def build_routing0(nxt: int, segleft: int, addresses: tuple[bytes, ...]) -> bytes:
    """A type 0 routing header (RFC 2460 4.4). Raises WireError for more than 127 addresses or one not of 16 octets."""
    if len(addresses) > 127 or any(len(a) != 16 for a in addresses):
        raise WireError("a routing header holds up to 127 addresses of 16 octets")
    return bytes((nxt, 2 * len(addresses), 0, segleft)) + bytes(4) + b"".join(addresses)


def packet_size(packet: bytes) -> int:
    """Octets that a packet has by its own account: payload length, or the jumbo payload option (RFC 2675 2).

    Truncated below 40 octets. A payload length of 0 without that option is 0.
    """
    need(packet, HEADER_LEN, "IPv6 header")
    plen = packet[PLEN] << 8 | packet[PLEN + 1]
    if not plen and packet[NXT] == IPPROTO_HOPOPTS and len(packet) >= HEADER_LEN + 8:
        try:
            for kind, value, _ in options(packet[HEADER_LEN + 2 : HEADER_LEN + 8 * (packet[HEADER_LEN + 1] + 1)]):
                if kind == OPT_JUMBO and len(value) == 4:
                    plen = int.from_bytes(value, "big")
        except Truncated:
            pass
    return HEADER_LEN + plen


def upper_layer(packet: bytes) -> tuple[int, int]:
    """Where the chain of headers of a whole IPv6 packet ends: (next-header value, offset in octets from the header).

    Stops at the first thing that is no extension header: an upper layer, ESP, no-next-header, an unknown number. At a
    fragment that isn't the first the answer is the fragment header itself, as what follows is not the start of
    anything. Raises Truncated if a header on the way isn't all there. The packet's length is that of the data, not
    of the payload length field. (KAME ip6_input.c ip6_lasthdr)
    """
    need(packet, HEADER_LEN, "IPv6 header")
    nxt, at, end = packet[NXT], HEADER_LEN, len(packet)
    while nxt in EXTENSION_HEADERS:
        if at + 8 > end:
            raise Truncated(f"extension header {nxt}: {max(0, end - at)} of 8 octets", at)
        if nxt == IPPROTO_FRAGMENT:
            if packet[at + 2] or packet[at + 3] & 0xF8:
                return nxt, at
            size = 8
        elif nxt == IPPROTO_AH:
            size = (packet[at + 1] + 2) << 2
        else:
            size = (packet[at + 1] + 1) << 3
        if at + size > end:
            raise Truncated(f"extension header {nxt}: {end - at} of {size} octets", at)
        nxt, at = packet[at], at + size
    return nxt, at
