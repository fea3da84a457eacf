"""The decode tree of the options of Neighbor Discovery.

RFC 4861 4.6, RFC 4191 2.3 (routes), RFC 8106 5 (name servers, search lists), RFC 3971 5.3.2 (nonce), RFC 6275 7.2
(the R flag). Left out: options that no KAME-style node sends or reads, shown by number and length.
"""

from __future__ import annotations

from collections.abc import Callable

from kamelab.capture.tree import Cursor, Field, Group
from kamelab.wire import nd_options as nd
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.in6 import ntop

PREFERENCES = {0: "medium", 1: "high", 2: "reserved", 3: "low"}
"""Two-bit router and route preferences (RFC 4191 2.1)."""

_KINDS = {
    nd.SLLA: "Source link-layer address",
    nd.TLLA: "Target link-layer address",
    nd.PREFIX: "Prefix information",
    nd.REDIRECTED: "Redirected header",
    nd.MTU: "MTU",
    nd.NONCE: "Nonce",
    nd.ROUTE_INFO: "Route information",
    nd.RDNSS: "Recursive DNS servers",
    nd.DNSSL: "DNS search list",
}
_INFINITE = 0xFFFFFFFF
_FOREVER = {_INFINITE: "infinite"}
_LABEL_MAX = 63


def nd_options(cursor: Cursor, quoted: Callable[[Cursor], None]) -> None:
    """Read the options up to the cursor's end; `quoted` reads the packet in a redirected header option.

    Raises WireError for an option of length 0 and Truncated for one that runs past the end.
    """
    while cursor.left():
        start, end = cursor.pos, cursor.end
        kind = cursor.peek()
        with cursor.group("icmpv6.opt") as group:
            group.label = f"Option: {_KINDS.get(kind, 'unknown')} ({kind})"
            cursor.uint("icmpv6.opt.type", _KINDS)
            octets = cursor.peek() * 8
            cursor.uint("icmpv6.opt.length", note=f" ({octets} octets)")
            if not octets:
                raise WireError("a Neighbor Discovery option of length 0", start)
            if start + octets > end:
                raise Truncated(f"option {kind} of {octets} octets runs past the message", start)
            cursor.end = start + octets
            _option(cursor, group, kind, quoted)
            if cursor.left():
                cursor.unnamed(f"{cursor.left()} octets, not read", cursor.left())
            cursor.end = end


def _option(cursor: Cursor, group: Group, kind: int, quoted: Callable[[Cursor], None]) -> None:
    match kind:
        case nd.SLLA | nd.TLLA:
            name = "icmpv6.opt.src_linkaddr" if kind == nd.SLLA else "icmpv6.opt.target_linkaddr"
            group.label += f": {cursor.octets(name, cursor.left()).hex(':')}"
        case nd.PREFIX:
            _prefix(cursor, group)
        case nd.REDIRECTED:
            _reserved(cursor, 6)
            if cursor.left():
                with cursor.group("icmpv6.opt.redirected_packet"):
                    quoted(cursor)
        case nd.MTU:
            _reserved(cursor, 2)
            group.label += f": {cursor.uint('icmpv6.opt.mtu')}"
        case nd.NONCE:
            cursor.octets("icmpv6.opt.nonce", cursor.left())
        case nd.ROUTE_INFO:
            _route(cursor, group)
        case nd.RDNSS:
            _reserved(cursor, 2)
            cursor.uint("icmpv6.opt.rdnss.lifetime", _FOREVER)
            while cursor.left() >= 16:
                cursor.address("icmpv6.opt.rdnss")
        case nd.DNSSL:
            _reserved(cursor, 2)
            cursor.uint("icmpv6.opt.dnssl.lifetime", _FOREVER)
            _search_list(cursor)
        case _:
            pass


def _reserved(cursor: Cursor, size: int) -> None:
    at = cursor.take(size, "reserved octets")
    cursor.out.append(Field("icmpv6.opt.reserved", "Reserved", "", at, size))


def _prefix(cursor: Cursor, group: Group) -> None:
    """RFC 4861 4.6.2."""
    plen = cursor.uint("icmpv6.opt.prefix.length")
    with cursor.group("icmpv6.opt.prefix.flag") as bits:
        at = cursor.take(1, "flags")
        flags = cursor.frame[at]
        bits.value = flags
        said = [text for bit, text in ((0x80, "on-link"), (0x40, "autonomous"), (0x20, "router")) if flags & bit]
        bits.label = f"Flags: 0x{flags:02x} ({', '.join(said) or 'none'})"
        cursor.flag("icmpv6.opt.prefix.flag.l", bool(flags & 0x80), at)
        cursor.flag("icmpv6.opt.prefix.flag.a", bool(flags & 0x40), at)
        cursor.flag("icmpv6.opt.prefix.flag.r", bool(flags & 0x20), at)
    cursor.uint("icmpv6.opt.prefix.valid_lifetime", _FOREVER)
    cursor.uint("icmpv6.opt.prefix.preferred_lifetime", _FOREVER)
    _reserved(cursor, 4)
    prefix = cursor.address("icmpv6.opt.prefix")
    group.label += f": {ntop(prefix)}/{plen}"


def _route(cursor: Cursor, group: Group) -> None:
    """RFC 4191 2.3: the prefix has 0, 8 or 16 octets, as the option's length leaves."""
    plen = cursor.uint("icmpv6.opt.prefix.length")
    with cursor.group("icmpv6.opt.route_info.flag") as bits:
        at = cursor.take(1, "flags")
        flags = cursor.frame[at]
        preference = flags >> 3 & 3
        bits.value = flags
        bits.label = f"Flags: 0x{flags:02x} (preference {PREFERENCES[preference]})"
        cursor.part("icmpv6.opt.route_info.flag.route_preference", preference, at, 1, PREFERENCES)
    cursor.uint("icmpv6.opt.route_lifetime", _FOREVER)
    size = min(cursor.left(), 16)
    at = cursor.take(size, "prefix")
    prefix = cursor.frame[at : at + size] + bytes(16 - size)
    if size:
        cursor.out.append(Field("icmpv6.opt.prefix", f"Prefix: {ntop(prefix)}", prefix, at, size))
    group.label += f": {ntop(prefix)}/{plen}"


def _search_list(cursor: Cursor) -> None:
    """Domain names as DNS labels (RFC 1035 3.1), padded with zeros (RFC 8106 5.2)."""
    while cursor.left():
        start = cursor.pos
        labels: list[str] = []
        while size := cursor.peek():
            if size > _LABEL_MAX:
                raise WireError(f"a domain label of {size} octets", cursor.pos)
            at = cursor.take(1 + size, "domain label") + 1
            labels.append(cursor.frame[at : at + size].decode("ascii", "backslashreplace"))
        cursor.take(1, "end of a domain name")
        if not labels:
            padding = cursor.left()
            cursor.take(padding, "padding")
            cursor.out.append(Field("icmpv6.opt.padding", "Padding", "", start, padding + 1))
            return
        name = ".".join(labels)
        cursor.out.append(Field("icmpv6.opt.dnssl", f"Search domain: {name}", name, start, cursor.pos - start))
