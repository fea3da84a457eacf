"""The table of fields: the names that decode trees show and display filters know, with their types.

Names are Wireshark 4.0's, so that what is learnt here holds there; `KAMELAB_FIELDS` are the few of our own, about where
and when a packet was seen. `ALIASES` are names that stand for several fields (`ipv6.addr` is `ipv6.src` or `ipv6.dst`).
`ipv6.fragment` is the one that differs from Wireshark's: it is there in each fragment, as nothing is reassembled here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Kind(enum.Enum):
    """What a field's value is; the text completes "takes ..."."""

    PROTOCOL = "no value"
    UINT = "a number"
    BOOL = "true or false"
    IPV6 = "an IPv6 address or prefix"
    ETHER = "an Ethernet address"
    BYTES = "octets such as 01:0a:ff, or a string"
    STRING = "a string"
    TIME = "a time in seconds"


class FieldSpec(NamedTuple):
    """One entry of the table."""

    kind: Kind
    title: str
    """What the decode tree shows before the value."""
    size: int = 0
    """Octets of the number (of the one it is part of, when it is less than an octet); 0 for the other kinds."""
    hexadecimal: bool = False
    """The number is shown in hexadecimal, as many digits as `size` has."""


def _p(title: str) -> FieldSpec:
    return FieldSpec(Kind.PROTOCOL, title)


def _n(size: int, title: str) -> FieldSpec:
    return FieldSpec(Kind.UINT, title, size)


def _x(size: int, title: str) -> FieldSpec:
    return FieldSpec(Kind.UINT, title, size, hexadecimal=True)


def _flag(title: str) -> FieldSpec:
    return FieldSpec(Kind.BOOL, title)


def _addr(title: str) -> FieldSpec:
    return FieldSpec(Kind.IPV6, title)


def _mac(title: str) -> FieldSpec:
    return FieldSpec(Kind.ETHER, title)


def _bytes(title: str) -> FieldSpec:
    return FieldSpec(Kind.BYTES, title)


def _text(title: str) -> FieldSpec:
    return FieldSpec(Kind.STRING, title)


TREE_FIELDS: Mapping[str, FieldSpec] = MappingProxyType(
    {
        "eth": _p("Ethernet II"),
        "eth.dst": _mac("Destination"),
        "eth.src": _mac("Source"),
        "eth.type": _x(2, "Type"),
        "eth.len": _n(2, "Length"),
        "eth.padding": _bytes("Padding"),
        "eth.trailer": _bytes("Trailer"),
        "ipv6": _p("Internet Protocol Version 6"),
        "ipv6.version": _n(1, "Version"),
        "ipv6.tclass": _x(4, "Traffic class"),
        "ipv6.tclass.dscp": _n(4, "Differentiated services codepoint"),
        "ipv6.tclass.ecn": _n(4, "Explicit congestion notification"),
        "ipv6.flow": _x(3, "Flow label"),
        "ipv6.plen": _n(2, "Payload length"),
        "ipv6.nxt": _n(1, "Next header"),
        "ipv6.hlim": _n(1, "Hop limit"),
        "ipv6.src": _addr("Source"),
        "ipv6.dst": _addr("Destination"),
        "ipv6.hopopts": _p("Hop-by-Hop Options"),
        "ipv6.hopopts.nxt": _n(1, "Next header"),
        "ipv6.hopopts.len": _n(1, "Length"),
        "ipv6.dstopts": _p("Destination Options"),
        "ipv6.dstopts.nxt": _n(1, "Next header"),
        "ipv6.dstopts.len": _n(1, "Length"),
        "ipv6.opt": _p("Option"),
        "ipv6.opt.type": _x(1, "Type"),
        "ipv6.opt.type.action": _n(1, "If unrecognised"),
        "ipv6.opt.type.change": _flag("May change on the way"),
        "ipv6.opt.type.rest": _x(1, "Low-order bits"),
        "ipv6.opt.length": _n(1, "Length"),
        "ipv6.opt.pad1": _p("Pad1"),
        "ipv6.opt.padn": _bytes("PadN"),
        "ipv6.opt.router_alert": _n(2, "Router alert"),
        "ipv6.opt.jumbo": _n(4, "Jumbo payload length"),
        "ipv6.opt.unknown": _bytes("Option data"),
        "ipv6.routing": _p("Routing Header"),
        "ipv6.routing.nxt": _n(1, "Next header"),
        "ipv6.routing.len": _n(1, "Length"),
        "ipv6.routing.type": _n(1, "Type"),
        "ipv6.routing.segleft": _n(1, "Segments left"),
        "ipv6.routing.src.reserved": _bytes("Reserved"),
        "ipv6.routing.src.addr": _addr("Address"),
        "ipv6.routing.unknown_data": _bytes("Type-specific data"),
        "ipv6.fraghdr": _p("Fragment Header"),
        "ipv6.fraghdr.nxt": _n(1, "Next header"),
        "ipv6.fraghdr.reserved_octet": _x(1, "Reserved octet"),
        "ipv6.fraghdr.offset": _n(2, "Offset"),
        "ipv6.fraghdr.reserved_bits": _n(2, "Reserved bits"),
        "ipv6.fraghdr.more": _flag("More fragments"),
        "ipv6.fraghdr.ident": _x(4, "Identification"),
        "ah": _p("Authentication Header"),
        "ah.next_header": _n(1, "Next header"),
        "ah.length": _n(1, "Length"),
        "ah.reserved": _bytes("Reserved"),
        "ah.spi": _x(4, "SPI"),
        "ah.sequence": _n(4, "Sequence"),
        "ah.icv": _bytes("ICV"),
        "esp": _p("Encapsulating Security Payload"),
        "esp.spi": _x(4, "SPI"),
        "esp.sequence": _n(4, "Sequence"),
        "ipcomp": _p("IP Payload Compression"),
        "ipcomp.next_header": _n(1, "Next header"),
        "ipcomp.flags": _x(1, "Flags"),
        "ipcomp.cpi": _x(2, "CPI"),
        "icmpv6": _p("Internet Control Message Protocol v6"),
        "icmpv6.type": _n(1, "Type"),
        "icmpv6.code": _n(1, "Code"),
        "icmpv6.checksum": _x(2, "Checksum"),
        "icmpv6.checksum.status": _n(1, "Checksum status"),
        "icmpv6.reserved": _bytes("Reserved"),
        "icmpv6.data": _bytes("Data"),
        "icmpv6.unknown_data": _bytes("Unknown data"),
        "icmpv6.mtu": _n(4, "MTU"),
        "icmpv6.pointer": _n(4, "Pointer"),
        "icmpv6.echo.identifier": _x(2, "Identifier"),
        "icmpv6.echo.sequence_number": _n(2, "Sequence"),
        "icmpv6.nd.ra.cur_hop_limit": _n(1, "Cur hop limit"),
        "icmpv6.nd.ra.flag": _x(1, "Flags"),
        "icmpv6.nd.ra.flag.m": _flag("Managed address configuration"),
        "icmpv6.nd.ra.flag.o": _flag("Other configuration"),
        "icmpv6.nd.ra.flag.h": _flag("Home agent"),
        "icmpv6.nd.ra.flag.prf": _n(1, "Default router preference"),
        "icmpv6.nd.ra.flag.p": _flag("Proxy"),
        "icmpv6.nd.ra.router_lifetime": _n(2, "Router lifetime (s)"),
        "icmpv6.nd.ra.reachable_time": _n(4, "Reachable time (ms)"),
        "icmpv6.nd.ra.retrans_timer": _n(4, "Retrans timer (ms)"),
        "icmpv6.nd.ns.target_address": _addr("Target"),
        "icmpv6.nd.na.flag": _x(4, "Flags"),
        "icmpv6.nd.na.flag.r": _flag("Router"),
        "icmpv6.nd.na.flag.s": _flag("Solicited"),
        "icmpv6.nd.na.flag.o": _flag("Override"),
        "icmpv6.nd.na.target_address": _addr("Target"),
        "icmpv6.nd.rd.target_address": _addr("Target"),
        "icmpv6.rd.na.destination_address": _addr("Destination"),
        "icmpv6.opt": _p("Option"),
        "icmpv6.opt.type": _n(1, "Type"),
        "icmpv6.opt.length": _n(1, "Length"),
        "icmpv6.opt.reserved": _p("Reserved"),
        "icmpv6.opt.padding": _p("Padding"),
        "icmpv6.opt.src_linkaddr": _bytes("Source link-layer address"),
        "icmpv6.opt.target_linkaddr": _bytes("Target link-layer address"),
        "icmpv6.opt.prefix.length": _n(1, "Prefix length"),
        "icmpv6.opt.prefix.flag": _x(1, "Flags"),
        "icmpv6.opt.prefix.flag.l": _flag("On-link"),
        "icmpv6.opt.prefix.flag.a": _flag("Autonomous address configuration"),
        "icmpv6.opt.prefix.flag.r": _flag("Router address"),
        "icmpv6.opt.prefix.valid_lifetime": _n(4, "Valid lifetime (s)"),
        "icmpv6.opt.prefix.preferred_lifetime": _n(4, "Preferred lifetime (s)"),
        "icmpv6.opt.prefix": _addr("Prefix"),
        "icmpv6.opt.redirected_packet": _p("Redirected packet"),
        "icmpv6.opt.mtu": _n(4, "MTU"),
        "icmpv6.opt.nonce": _bytes("Nonce"),
        "icmpv6.opt.route_info.flag": _x(1, "Flags"),
        "icmpv6.opt.route_info.flag.route_preference": _n(1, "Route preference"),
        "icmpv6.opt.route_lifetime": _n(4, "Route lifetime (s)"),
        "icmpv6.opt.rdnss.lifetime": _n(4, "Lifetime (s)"),
        "icmpv6.opt.rdnss": _addr("Recursive DNS server"),
        "icmpv6.opt.dnssl.lifetime": _n(4, "Lifetime (s)"),
        "icmpv6.opt.dnssl": _text("Search domain"),
        "icmpv6.mld.maximum_response_delay": _n(2, "Maximum response delay (ms)"),
        "icmpv6.mld.maximum_response_code": _n(2, "Maximum response code"),
        "icmpv6.mld.multicast_address": _addr("Group"),
        "icmpv6.mld.flag": _x(1, "Flags"),
        "icmpv6.mld.flag.s": _flag("Suppress router-side processing"),
        "icmpv6.mld.flag.qrv": _n(1, "Querier's robustness variable"),
        "icmpv6.mld.qqi": _n(1, "Querier's query interval code"),
        "icmpv6.mld.nb_sources": _n(2, "Number of sources"),
        "icmpv6.mld.source_address": _addr("Source"),
        "icmpv6.mldr.nb_mcast_records": _n(2, "Number of records"),
        "icmpv6.mldr.mar": _p("Multicast address record"),
        "icmpv6.mldr.mar.record_type": _n(1, "Record type"),
        "icmpv6.mldr.mar.aux_data_len": _n(1, "Auxiliary data length"),
        "icmpv6.mldr.mar.nb_sources": _n(2, "Number of sources"),
        "icmpv6.mldr.mar.multicast_address": _addr("Group"),
        "icmpv6.mldr.mar.source_address": _addr("Source"),
        "icmpv6.mldr.mar.auxiliary_data": _bytes("Auxiliary data"),
        "icmpv6.ni.qtype": _n(2, "Qtype"),
        "icmpv6.ni.flag": _x(2, "Flags"),
        "icmpv6.ni.flag.g": _flag("Global addresses"),
        "icmpv6.ni.flag.s": _flag("Site-local addresses"),
        "icmpv6.ni.flag.l": _flag("Link-local addresses"),
        "icmpv6.ni.flag.c": _flag("IPv4-compatible addresses"),
        "icmpv6.ni.flag.a": _flag("Of all interfaces"),
        "icmpv6.ni.flag.t": _flag("Truncated"),
        "icmpv6.ni.nonce": _x(8, "Nonce"),
        "icmpv6.ni.query.subject_ipv6": _addr("Subject"),
        "icmpv6.ni.query.subject_fqdn": _text("Subject"),
        "icmpv6.ni.reply.node_ttl": _n(4, "TTL (s)"),
        "icmpv6.ni.reply.node_name": _text("Name"),
        "icmpv6.ni.reply.node_address": _addr("Address"),
        "icmpv6.rr.sequence_number": _n(4, "Sequence number"),
        "icmpv6.rr.segment_number": _n(1, "Segment number"),
        "icmpv6.rr.flag": _x(1, "Flags"),
        "icmpv6.rr.flag.t": _flag("Test command"),
        "icmpv6.rr.flag.r": _flag("Result requested"),
        "icmpv6.rr.flag.a": _flag("All interfaces"),
        "icmpv6.rr.flag.s": _flag("Site-specific"),
        "icmpv6.rr.flag.p": _flag("Processed previously"),
        "icmpv6.rr.maxdelay": _n(2, "Maximum delay (ms)"),
        "udp": _p("User Datagram Protocol"),
        "udp.srcport": _n(2, "Source port"),
        "udp.dstport": _n(2, "Destination port"),
        "udp.length": _n(2, "Length"),
        "udp.checksum": _x(2, "Checksum"),
        "udp.checksum.status": _n(1, "Checksum status"),
        "udp.payload": _bytes("Payload"),
        "tcp": _p("Transmission Control Protocol"),
        "tcp.srcport": _n(2, "Source port"),
        "tcp.dstport": _n(2, "Destination port"),
        "tcp.seq_raw": _n(4, "Sequence number"),
        "tcp.ack_raw": _n(4, "Acknowledgment number"),
        "tcp.hdr_len": _n(1, "Header length"),
        "tcp.flags": _x(2, "Flags"),
        "tcp.flags.cwr": _flag("Congestion window reduced"),
        "tcp.flags.ece": _flag("ECN-Echo"),
        "tcp.flags.urg": _flag("Urgent"),
        "tcp.flags.ack": _flag("Acknowledgment"),
        "tcp.flags.push": _flag("Push"),
        "tcp.flags.reset": _flag("Reset"),
        "tcp.flags.syn": _flag("Syn"),
        "tcp.flags.fin": _flag("Fin"),
        "tcp.window_size_value": _n(2, "Window"),
        "tcp.checksum": _x(2, "Checksum"),
        "tcp.checksum.status": _n(1, "Checksum status"),
        "tcp.urgent_pointer": _n(2, "Urgent pointer"),
        "tcp.options": _bytes("Options"),
        "tcp.options.mss_val": _n(2, "Maximum segment size"),
        "tcp.options.wscale.shift": _n(1, "Window shift"),
        "tcp.options.timestamp.tsval": _n(4, "Timestamp value"),
        "tcp.options.timestamp.tsecr": _n(4, "Timestamp echo"),
        "tcp.payload": _bytes("Payload"),
        "data": _p("Data"),
        "data.data": _bytes("Data"),
        "data.len": FieldSpec(Kind.UINT, "Length", 4),
        "_ws.malformed": _p("Malformed packet"),
    }
)
"""Every name that `dissect` can give a field."""

FRAME_FIELDS: Mapping[str, FieldSpec] = MappingProxyType(
    {
        "frame": _bytes("Frame"),
        "frame.len": _n(4, "Frame length"),
        "frame.time": FieldSpec(Kind.TIME, "Seconds since the lab's start"),
    }
)
"""Fields of any frame that stand in no tree."""

KAMELAB_FIELDS: Mapping[str, FieldSpec] = MappingProxyType(
    {
        "node": _text("Node"),
        "link": _text("Link"),
        "interface": _text("Interface"),
        "dir": _text("Direction, in or out"),
        "reason": _text("Reason of the packet's fate"),
        "mld": _p("Multicast Listener Discovery"),
    }
)
"""Fields that Wireshark hasn't: where a packet was seen and what became of it; MLD, which it counts as ICMPv6."""

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "eth.addr": ("eth.dst", "eth.src"),
        "ipv6.addr": ("ipv6.src", "ipv6.dst"),
        "ipv6.fragment": ("ipv6.fraghdr",),
        "icmpv6.opt.linkaddr": ("icmpv6.opt.src_linkaddr", "icmpv6.opt.target_linkaddr"),
        "udp.port": ("udp.srcport", "udp.dstport"),
        "tcp.port": ("tcp.srcport", "tcp.dstport"),
    }
)
"""Names that stand for any of several fields of one kind."""

FIELDS: Mapping[str, FieldSpec] = MappingProxyType(
    {
        **FRAME_FIELDS,
        **TREE_FIELDS,
        **{alias: TREE_FIELDS[names[0]] for alias, names in ALIASES.items()},
        **KAMELAB_FIELDS,
    }
)
"""Every name that a display filter may use."""

FIELD_NAMES: tuple[str, ...] = tuple(sorted(FIELDS))
"""The names in order, for completion."""
