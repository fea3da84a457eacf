"""Ancillary data of RFC 3542, both ways: what a message asks for when it is sent, what it tells when it has come.

KAME ip6_output.c (ip6_setpktopt), ip6_input.c (ip6_savecontrol, ip6_notify_pmtu). Control data is a tuple of (name,
value) pairs. Values by name:

===================================================== ==============================================================
IPV6_PKTINFO                                          (address or None, interface index)
IPV6_HOPLIMIT, IPV6_TCLASS                            0 to 255; -1: the default
IPV6_NEXTHOP                                          (address, scope id)
IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_RTHDR,          the whole header, a multiple of 8 octets; its next-header octet
IPV6_DSTOPTS                                          is filled in when it is sent
IPV6_DONTFRAG, IPV6_REACHCONF                         0 or 1
IPV6_USE_MIN_MTU, IPV6_PREFER_TEMPADDR                -1, 0 or 1
IPV6_FLOWINFO                                         traffic class and flow label, 28 bits
IPV6_PATHMTU                                          only received: (address, scope id, MTU)
===================================================== ==============================================================

Where a socket has the same name as a sticky option, the message's value goes before it; None or an empty header turns
the sticky one off for this message. Every process is privileged here. Left out: the strict/loose bitmap of RFC 2292's
routing header (KAME IMPLEMENTATION 1.16 (2001)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import EINVAL, ENOPROTOOPT, ENXIO, Errno
from kamelab.stack.netinet6 import ip6_output, nd6
from kamelab.stack.netinet6.scope6 import is_scoped, sa6_embedscope, sa6_recoverscope, zone_of
from kamelab.wire import in6
from kamelab.wire.ip6 import (
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamelab.stack.node import Node
    from kamelab.stack.packet import Output, Packet
    from kamelab.stack.socket.sockets import Socket

Control = tuple[tuple[str, Any], ...]

HEADERS: Final = ("IPV6_HOPOPTS", "IPV6_RTHDRDSTOPTS", "IPV6_RTHDR", "IPV6_DSTOPTS")
STICKY: Final = (
    "IPV6_PKTINFO",
    "IPV6_TCLASS",
    "IPV6_NEXTHOP",
    *HEADERS,
    "IPV6_DONTFRAG",
    "IPV6_USE_MIN_MTU",
    "IPV6_REACHCONF",
    "IPV6_PREFER_TEMPADDR",
)
"""Names that are both a socket option and ancillary data."""
RECEIVED: Final = (
    "IPV6_RECVPKTINFO",
    "IPV6_RECVHOPLIMIT",
    "IPV6_RECVTCLASS",
    "IPV6_RECVHOPOPTS",
    "IPV6_RECVRTHDR",
    "IPV6_RECVDSTOPTS",
)
"""Options that ask for ancillary data with each message, in the order in which it comes."""
FLOWINFO_MASK: Final = 0x0FFFFFFF
FLOWLABEL_MASK: Final = 0x000FFFFF


def check(node: Node, so: Socket, name: str, value: Any, *, sticky: bool) -> Any:
    """A value in the form in which it is kept; None: nothing is asked for (KAME ip6_setpktopt).

    EINVAL: of wrong form, length or range. ENXIO: no such interface. ENOPROTOOPT: no such name, or one that can't be a
    sticky option.
    """
    if name == "IPV6_PKTINFO":
        return _pktinfo(node, so, value, sticky)
    if name in ("IPV6_TCLASS", "IPV6_HOPLIMIT"):
        if name == "IPV6_HOPLIMIT" and sticky:
            raise Errno(ENOPROTOOPT)
        return _number(value, -1, 255)
    if name == "IPV6_NEXTHOP":
        return _nexthop(node, value)
    if name in HEADERS:
        if not value:
            return None
        return _routing(value) if name == "IPV6_RTHDR" else _header(value)
    if name in ("IPV6_DONTFRAG", "IPV6_REACHCONF"):
        return bool(_number(value, 0, 1))
    if name in ("IPV6_USE_MIN_MTU", "IPV6_PREFER_TEMPADDR"):
        return _number(value, -1, 1)
    if name == "IPV6_FLOWINFO" and not sticky:
        return _number(value, 0, FLOWINFO_MASK)
    raise Errno(ENOPROTOOPT)


def _number(value: Any, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise Errno(EINVAL) from None
    if not low <= number <= high:
        raise Errno(EINVAL)
    return number


def _pktinfo(node: Node, so: Socket, value: Any, sticky: bool) -> tuple[bytes | None, int] | None:
    if value is None:
        return None
    addr, index = value
    if addr is not None and len(addr) != 16:
        raise Errno(EINVAL)
    if index < 0 or (index and index not in node.interfaces_by_index):
        raise Errno(ENXIO)
    if addr == in6.UNSPECIFIED:
        addr = None
    if addr is not None and sticky and so.kind == "tcp6":
        # A connection's source is fixed by bind and connect (RFC 3542 6.2; KAME ip6_setpktopt).
        raise Errno(EINVAL)
    return None if addr is None and not index else (addr, index)


def _nexthop(node: Node, value: Any) -> bytes | None:
    if value is None:
        return None
    addr, zone = value
    if len(addr) != 16 or addr == in6.UNSPECIFIED or addr[0] == 0xFF:
        raise Errno(EINVAL)
    nexthop = sa6_embedscope(node, addr, zone)
    if is_scoped(nexthop) and not zone_of(nexthop):
        raise Errno(EINVAL)
    return nexthop


def _header(value: bytes) -> bytes:
    if len(value) < 8 or len(value) != (value[1] + 1) * 8:
        raise Errno(EINVAL)
    return bytes(value)


def _routing(value: bytes) -> bytes:
    """A routing header of type 0, the only one that can be sent (KAME ip6_setpktopt): all its segments are left."""
    header = _header(value)
    length, kind, segleft = header[1], header[2], header[3]
    if kind != 0 or not length or length % 2 or length // 2 != segleft:
        raise Errno(EINVAL)
    return header


def merge(node: Node, so: Socket, control: Control) -> Mapping[str, Any]:
    """The socket's options with what this one message asks for; the errors of `check`."""
    if not control:
        return so.options
    merged = dict(so.options)
    for name, value in control:
        kept = check(node, so, name, value, sticky=False)
        if kept is None:
            merged.pop(name, None)
        else:
            merged[name] = kept
    return merged


def fill(so: Socket, out: Output, settings: Mapping[str, Any]) -> None:
    """Put into a packet what its socket's options and ancillary data ask for, beside source, interface, hop limit."""
    multicast = out.dst[0] == 0xFF
    if not settings:
        out.minmtu = multicast
        out.flow, out.tclass = so.flow & FLOWLABEL_MASK, so.flow >> 20
        return
    out.loop = bool(settings.get("IPV6_MULTICAST_LOOP", True))
    out.dontfrag = bool(settings.get("IPV6_DONTFRAG")) and so.kind != "tcp6"
    minmtu = settings.get("IPV6_USE_MIN_MTU", -1)
    out.minmtu = minmtu == 1 or (minmtu == -1 and multicast)
    flowinfo = settings.get("IPV6_FLOWINFO")
    if flowinfo is None:
        flowinfo = so.flow
    out.flow = flowinfo & FLOWLABEL_MASK
    tclass = settings.get("IPV6_TCLASS", -1)
    out.tclass = tclass if tclass >= 0 else flowinfo >> 20
    out.prefer_temp = settings.get("IPV6_PREFER_TEMPADDR", -1)
    out.nexthop = settings.get("IPV6_NEXTHOP")
    out.rthdrdstopts = settings.get("IPV6_RTHDRDSTOPTS") or b""
    out.rthdr = settings.get("IPV6_RTHDR") or b""
    out.dstopts = settings.get("IPV6_DSTOPTS") or b""
    hopopts = settings.get("IPV6_HOPOPTS")
    if hopopts:
        out.hop_by_hop = bytes((out.nxt,)) + hopopts[1:]


def headers(so: Socket) -> int:
    """Octets of the extension headers that the socket's sticky options put into every packet."""
    if not so.sticky:
        return 0
    return sum(len(so.options.get(name) or b"") for name in HEADERS)


def confirm(node: Node, out: Output) -> None:
    """IPV6_REACHCONF: the program has heard from the peer lately, so the next hop towards it works (RFC 2292 6).

    Only while the neighbour is known, and only ``nd6_maxnudhint`` times in a row (`nd6.nd6_nud_hint`).
    """
    if out.dst[0] == 0xFF:
        return
    try:
        iface, nexthop, _ = ip6_output.outgoing(node, out.dst, out.oif)
    except Errno:
        return
    nd6.nd6_nud_hint(node, iface, nexthop)


def savecontrol(so: Socket, pkt: Packet) -> Control:
    """The ancillary data that the socket asked for, of a packet whose upper layer begins at ``pkt.off``."""
    items: list[tuple[str, Any]] = []
    for name in so.receive:
        if name == "IPV6_RECVPKTINFO":
            items.append(("IPV6_PKTINFO", (sa6_recoverscope(pkt.dst)[0], pkt.iface.index)))
        elif name == "IPV6_RECVHOPLIMIT":
            items.append(("IPV6_HOPLIMIT", pkt.hlim))
        elif name == "IPV6_RECVTCLASS":
            items.append(("IPV6_TCLASS", (pkt.data[0] & 0x0F) << 4 | pkt.data[1] >> 4))
    if any(name in so.receive for name in ("IPV6_RECVHOPOPTS", "IPV6_RECVRTHDR", "IPV6_RECVDSTOPTS")):
        items += [item for item in _headers(pkt) if f"IPV6_RECV{item[0][5:]}" in so.receive]
    return tuple(items)


def _headers(pkt: Packet) -> list[tuple[str, bytes]]:
    """The extension headers before ``pkt.off`` in their order; RFC 1883's strict/loose bits are not shown."""
    data, nxt, at = pkt.data, pkt.data[6], 40
    found: list[tuple[str, bytes]] = []
    while at + 8 <= pkt.off:
        if nxt == IPPROTO_FRAGMENT:
            size = 8
        elif nxt == IPPROTO_AH:
            size = (data[at + 1] + 2) * 4
        elif nxt in (IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS):
            size = (data[at + 1] + 1) * 8
            header = bytes(data[at : at + size])
            if nxt == IPPROTO_ROUTING:
                header = header[:4] + bytes(4) + header[8:] if not header[2] else header
                found.append(("IPV6_RTHDR", header))
            else:
                found.append(("IPV6_HOPOPTS" if nxt == IPPROTO_HOPOPTS else "IPV6_DSTOPTS", header))
        else:
            break
        nxt = data[at]
        at += size
    return found
