"""The decode tree of ICMPv6 messages: echo, errors, Neighbor Discovery, Multicast Listener Discovery.

RFC 4443, RFC 4861, RFC 4191 (preferences), RFC 2710 (MLD), RFC 3810 (MLDv2); the options of Neighbor Discovery are in
`dissect_nd_options`, node information and router renumbering in `dissect_nodeinfo`. Left out: inverse discovery, shown
as unknown data.
"""

from __future__ import annotations

from collections.abc import Callable

from kamelab.capture.dissect_nd_options import PREFERENCES, nd_options
from kamelab.capture.dissect_nodeinfo import node_information, router_renumbering
from kamelab.capture.tree import Cursor
from kamelab.wire import icmp6 as icmp
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.in6 import ntop
from kamelab.wire.ip6 import IPPROTO_ICMPV6

_TYPES = {
    icmp.DST_UNREACH: "Destination unreachable",
    icmp.PACKET_TOO_BIG: "Packet too big",
    icmp.TIME_EXCEEDED: "Time exceeded",
    icmp.PARAM_PROB: "Parameter problem",
    icmp.ECHO_REQUEST: "Echo request",
    icmp.ECHO_REPLY: "Echo reply",
    icmp.MLD_QUERY: "Multicast listener query",
    icmp.MLD_REPORT: "Multicast listener report",
    icmp.MLD_DONE: "Multicast listener done",
    icmp.ROUTER_SOLICIT: "Router solicitation",
    icmp.ROUTER_ADVERT: "Router advertisement",
    icmp.NEIGHBOR_SOLICIT: "Neighbor solicitation",
    icmp.NEIGHBOR_ADVERT: "Neighbor advertisement",
    icmp.REDIRECT: "Redirect",
    icmp.ROUTER_RENUMBER: "Router renumbering",
    icmp.NI_QUERY: "Node information query",
    icmp.NI_REPLY: "Node information reply",
    icmp.INVERSE_ND_SOLICIT: "Inverse neighbor solicitation",
    icmp.INVERSE_ND_ADVERT: "Inverse neighbor advertisement",
    icmp.MLDV2_REPORT: "Multicast listener report v2",
}
_CODES = {
    icmp.DST_UNREACH: {
        0: "no route to destination",
        1: "administratively prohibited",
        2: "beyond scope of source address",
        3: "address unreachable",
        4: "port unreachable",
        5: "source address failed policy",
        6: "reject route to destination",
    },
    icmp.TIME_EXCEEDED: {0: "hop limit exceeded in transit", 1: "fragment reassembly time exceeded"},
    icmp.PARAM_PROB: {0: "erroneous header field", 1: "unrecognised next header", 2: "unrecognised option"},
    icmp.ROUTER_RENUMBER: {0: "command", 1: "result", 255: "sequence number reset"},
    icmp.NI_QUERY: {0: "subject is an IPv6 address", 1: "subject is a name", 2: "subject is an IPv4 address"},
    icmp.NI_REPLY: {0: "success", 1: "refused", 2: "unknown qtype"},
}
_RECORDS = {
    1: "mode is include",
    2: "mode is exclude",
    3: "change to include",
    4: "change to exclude",
    5: "allow new sources",
    6: "block old sources",
}
_MLDV2_QUERY_LEN = 28


def icmp6(cursor: Cursor, src: bytes, dst: bytes, quoted: Callable[[Cursor], None]) -> None:
    """Read an ICMPv6 message up to the cursor's end.

    `src` and `dst` are those of the pseudo-header; `quoted` reads the packet that an error carries.
    """
    message = cursor.frame[cursor.pos : cursor.end]
    with cursor.group("icmpv6") as group:
        kind = cursor.uint("icmpv6.type", _TYPES)
        group.label += f": {_TYPES.get(kind, f'type {kind}')}"
        code = cursor.uint("icmpv6.code", _CODES.get(kind))
        good = in6_cksum_ok(src, dst, IPPROTO_ICMPV6, message) if cursor.whole else None
        cursor.checksum("icmpv6.checksum", good)
        match kind:
            case icmp.ECHO_REQUEST | icmp.ECHO_REPLY:
                _echo(cursor)
            case icmp.DST_UNREACH | icmp.PACKET_TOO_BIG | icmp.TIME_EXCEEDED | icmp.PARAM_PROB:
                _error(cursor, kind, quoted)
            case icmp.ROUTER_SOLICIT:
                cursor.octets("icmpv6.reserved", 4)
                nd_options(cursor, quoted)
            case icmp.ROUTER_ADVERT:
                _router_advert(cursor)
                nd_options(cursor, quoted)
            case icmp.NEIGHBOR_SOLICIT:
                cursor.octets("icmpv6.reserved", 4)
                target = cursor.address("icmpv6.nd.ns.target_address")
                group.label += f" for {ntop(target)}"
                nd_options(cursor, quoted)
            case icmp.NEIGHBOR_ADVERT:
                _neighbor_advert_flags(cursor)
                target = cursor.address("icmpv6.nd.na.target_address")
                group.label += f" of {ntop(target)}"
                nd_options(cursor, quoted)
            case icmp.REDIRECT:
                cursor.octets("icmpv6.reserved", 4)
                cursor.address("icmpv6.nd.rd.target_address")
                cursor.address("icmpv6.rd.na.destination_address")
                nd_options(cursor, quoted)
            case icmp.MLD_QUERY if len(message) >= _MLDV2_QUERY_LEN:
                _mldv2_query(cursor)
            case icmp.MLD_QUERY | icmp.MLD_REPORT | icmp.MLD_DONE:
                cursor.uint("icmpv6.mld.maximum_response_delay")
                cursor.octets("icmpv6.reserved", 2)
                cursor.address("icmpv6.mld.multicast_address")
            case icmp.MLDV2_REPORT:
                _mldv2_report(cursor)
            case icmp.NI_QUERY | icmp.NI_REPLY:
                node_information(cursor, kind, code)
            case icmp.ROUTER_RENUMBER:
                router_renumbering(cursor)
            case _:
                pass
        if cursor.left():
            cursor.octets("icmpv6.unknown_data", cursor.left())


def _echo(cursor: Cursor) -> None:
    cursor.uint("icmpv6.echo.identifier")
    cursor.uint("icmpv6.echo.sequence_number")
    if cursor.left():
        cursor.data(cursor.take(cursor.left(), "data"))


def _error(cursor: Cursor, kind: int, quoted: Callable[[Cursor], None]) -> None:
    """The four octets after the checksum and the packet that caused the error (RFC 4443 3)."""
    if kind == icmp.PACKET_TOO_BIG:
        cursor.uint("icmpv6.mtu")
    elif kind == icmp.PARAM_PROB:
        cursor.uint("icmpv6.pointer")
    else:
        cursor.octets("icmpv6.reserved", 4)
    if cursor.left():
        quoted(cursor)


def _router_advert(cursor: Cursor) -> None:
    """RFC 4861 4.2; the preference by RFC 4191 2.2, home agent by RFC 6275 7.1, proxy by RFC 4389 4.1.3.3."""
    cursor.uint("icmpv6.nd.ra.cur_hop_limit")
    with cursor.group("icmpv6.nd.ra.flag") as group:
        at = cursor.take(1, "flags")
        flags = cursor.frame[at]
        group.value = flags
        said = [text for bit, text in ((0x80, "managed"), (0x40, "other")) if flags & bit]
        prf = flags >> 3 & 3
        group.label = f"Flags: 0x{flags:02x} ({', '.join([*said, f'preference {PREFERENCES[prf]}'])})"
        cursor.flag("icmpv6.nd.ra.flag.m", bool(flags & 0x80), at)
        cursor.flag("icmpv6.nd.ra.flag.o", bool(flags & 0x40), at)
        cursor.flag("icmpv6.nd.ra.flag.h", bool(flags & 0x20), at)
        cursor.part("icmpv6.nd.ra.flag.prf", prf, at, 1, PREFERENCES)
        cursor.flag("icmpv6.nd.ra.flag.p", bool(flags & 0x04), at)
    cursor.uint("icmpv6.nd.ra.router_lifetime")
    cursor.uint("icmpv6.nd.ra.reachable_time")
    cursor.uint("icmpv6.nd.ra.retrans_timer")


def _neighbor_advert_flags(cursor: Cursor) -> None:
    """RFC 4861 4.4: three flags at the head of four octets."""
    with cursor.group("icmpv6.nd.na.flag") as group:
        at = cursor.take(4, "flags")
        flags = int.from_bytes(cursor.frame[at : at + 4], "big")
        group.value = flags
        said = [text for bit, text in ((31, "router"), (30, "solicited"), (29, "override")) if flags >> bit & 1]
        group.label = f"Flags: 0x{flags:08x} ({', '.join(said) or 'none'})"
        cursor.flag("icmpv6.nd.na.flag.r", bool(flags >> 31 & 1), at, 4)
        cursor.flag("icmpv6.nd.na.flag.s", bool(flags >> 30 & 1), at, 4)
        cursor.flag("icmpv6.nd.na.flag.o", bool(flags >> 29 & 1), at, 4)


def _mldv2_query(cursor: Cursor) -> None:
    """RFC 3810 5.1."""
    cursor.uint("icmpv6.mld.maximum_response_code")
    cursor.octets("icmpv6.reserved", 2)
    cursor.address("icmpv6.mld.multicast_address")
    with cursor.group("icmpv6.mld.flag") as group:
        at = cursor.take(1, "flags")
        flags = cursor.frame[at]
        group.value = flags
        group.label = f"Flags: 0x{flags:02x}"
        cursor.flag("icmpv6.mld.flag.s", bool(flags & 0x08), at)
        cursor.part("icmpv6.mld.flag.qrv", flags & 7, at, 1)
    cursor.uint("icmpv6.mld.qqi")
    for _ in range(cursor.uint("icmpv6.mld.nb_sources")):
        cursor.address("icmpv6.mld.source_address")


def _mldv2_report(cursor: Cursor) -> None:
    """RFC 3810 5.2."""
    cursor.octets("icmpv6.reserved", 2)
    for _ in range(cursor.uint("icmpv6.mldr.nb_mcast_records")):
        with cursor.group("icmpv6.mldr.mar") as group:
            kind = cursor.uint("icmpv6.mldr.mar.record_type", _RECORDS)
            auxiliary = cursor.uint("icmpv6.mldr.mar.aux_data_len") * 4
            sources = cursor.uint("icmpv6.mldr.mar.nb_sources")
            group_address = cursor.address("icmpv6.mldr.mar.multicast_address")
            group.label += f": {_RECORDS.get(kind, f'type {kind}')} {ntop(group_address)}"
            for _ in range(sources):
                cursor.address("icmpv6.mldr.mar.source_address")
            if auxiliary:
                cursor.octets("icmpv6.mldr.mar.auxiliary_data", auxiliary)
