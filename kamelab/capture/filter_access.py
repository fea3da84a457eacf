"""Where a display filter gets a field's values from, without decoding more of a frame than it must.

Most frames are one IPv6 packet whose payload is a whole ICMPv6, UDP or TCP message; in these the common fields stand at
fixed places and are read from there. A frame with extension headers, packets inside packets, or anything odd is decoded
by `dissect`, once for a filter run over it. Both ways give the same values; a property test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Protocol

from kamelab.capture.dissect import dissect
from kamelab.capture.fields import ALIASES
from kamelab.capture.tree import values
from kamelab.wire.icmp6 import (
    ECHO_REPLY,
    ECHO_REQUEST,
    MLD_DONE,
    MLD_QUERY,
    MLDV2_REPORT,
    NEIGHBOR_ADVERT,
    NEIGHBOR_SOLICIT,
    PARAM_PROB,
    REDIRECT,
    ROUTER_ADVERT,
    ROUTER_SOLICIT,
)
from kamelab.wire.ip6 import IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP

_UPPER = 54
"""Where the payload begins in a frame without extension headers."""
_PLAIN_MIN = {IPPROTO_ICMPV6: 4, IPPROTO_UDP: 8, IPPROTO_TCP: 20}
_ODD = -1
_MLD_TYPES = frozenset((*range(MLD_QUERY, MLD_DONE + 1), MLDV2_REPORT))


class Packet(Protocol):
    """A frame as it was seen somewhere: what a filter judges."""

    @property
    def frame(self) -> bytes:
        """The frame from the Ethernet destination on."""

    @property
    def node(self) -> str:
        """Name of the node that saw it, empty for none."""

    @property
    def interface(self) -> str:
        """Name of the node's interface (`ne0`), empty for none."""

    @property
    def link(self) -> str:
        """Name of the link it was on, empty for none."""

    @property
    def time(self) -> int:
        """Nanoseconds since the lab's start."""

    @property
    def outbound(self) -> bool:
        """Sent by the node, rather than received."""

    @property
    def reason(self) -> str:
        """Why the packet's fate was what it was, empty when nothing is to be said."""


class View:
    """One packet under judgement: decoded at most once, and only when a field needs it."""

    __slots__ = ("_plain", "_values", "frame", "packet")

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.frame = packet.frame
        self._plain: int | None = None
        self._values: dict[str, list[int | bytes | str | bool]] | None = None

    def plain(self) -> int:
        """The payload's protocol if its fields stand at fixed places, else -1."""
        if self._plain is None:
            self._plain = plain_protocol(self.frame)
        return self._plain

    def decoded(self, name: str) -> Sequence[int | bytes | str | bool]:
        """The values of a field by the decode tree."""
        if self._values is None:
            self._values = values(dissect(self.frame))
        return self._values.get(name, ())


Values = Sequence[int | bytes | str | bool]
Getter = Callable[[View], Values]


def plain_protocol(frame: bytes) -> int:
    """ICMPv6, UDP or TCP for a frame with just that and nothing inside it, else -1."""
    if len(frame) < _UPPER or frame[12:14] != b"\x86\xdd" or frame[14] >> 4 != 6:
        return _ODD
    nxt = frame[20]
    plen = frame[18] << 8 | frame[19]
    if plen < _PLAIN_MIN.get(nxt, 0x10000) or _UPPER + plen > len(frame):
        return _ODD
    if nxt == IPPROTO_ICMPV6 and (frame[_UPPER] <= PARAM_PROB or frame[_UPPER] == REDIRECT):
        return _ODD
    return nxt


def _u8(at: int) -> Callable[[bytes], int]:
    return lambda frame: frame[at]


def _u16(at: int) -> Callable[[bytes], int]:
    return lambda frame: frame[at] << 8 | frame[at + 1]


def _slice(at: int, end: int) -> Callable[[bytes], bytes]:
    return lambda frame: frame[at:end]


_ANY_PLAIN: dict[str, Callable[[bytes], int | bytes]] = {
    "eth.dst": _slice(0, 6),
    "eth.src": _slice(6, 12),
    "eth.type": _u16(12),
    "ipv6.plen": _u16(18),
    "ipv6.nxt": _u8(20),
    "ipv6.hlim": _u8(21),
    "ipv6.src": _slice(22, 38),
    "ipv6.dst": _slice(38, 54),
}
_PLAIN: dict[int, dict[str, Callable[[bytes], int | bytes]]] = {
    IPPROTO_ICMPV6: {"icmpv6.type": _u8(54), "icmpv6.code": _u8(55), "icmpv6.checksum": _u16(56)},
    IPPROTO_UDP: {"udp.srcport": _u16(54), "udp.dstport": _u16(56), "udp.length": _u16(58), "udp.checksum": _u16(60)},
    IPPROTO_TCP: {"tcp.srcport": _u16(54), "tcp.dstport": _u16(56)},
}
_PROTOCOLS = {"icmpv6": IPPROTO_ICMPV6, "udp": IPPROTO_UDP, "tcp": IPPROTO_TCP}
_ALL_TYPES = range(256)
_MESSAGES: tuple[tuple[str, Container[int]], ...] = (
    ("icmpv6.echo.", (ECHO_REQUEST, ECHO_REPLY)),
    ("icmpv6.nd.ra.", (ROUTER_ADVERT,)),
    ("icmpv6.nd.ns.", (NEIGHBOR_SOLICIT,)),
    ("icmpv6.nd.na.", (NEIGHBOR_ADVERT,)),
    ("icmpv6.opt", range(ROUTER_SOLICIT, REDIRECT + 1)),
    ("icmpv6.mldr.", (MLDV2_REPORT,)),
    ("icmpv6.mld.", range(MLD_QUERY, MLD_DONE + 1)),
)
"""Beginnings of names and the types of message that have such fields."""
_EXTENSIONS = ("ipv6.hopopts", "ipv6.dstopts", "ipv6.opt", "ipv6.routing", "ipv6.fraghdr")

_OF_PACKET: dict[str, Getter] = {
    "frame": lambda view: (view.frame,),
    "frame.len": lambda view: (len(view.frame),),
    "frame.time": lambda view: (view.packet.time,),
    "node": lambda view: (view.packet.node,) if view.packet.node else (),
    "interface": lambda view: (view.packet.interface,) if view.packet.interface else (),
    "link": lambda view: (view.packet.link,) if view.packet.link else (),
    "dir": lambda view: ("out" if view.packet.outbound else "in",),
    "reason": lambda view: (view.packet.reason,) if view.packet.reason else (),
}


def getter(name: str) -> Getter:
    """How to get the values of a field (or of all that an alias stands for) from a packet."""
    if name in _OF_PACKET:
        return _OF_PACKET[name]
    if name == "mld":
        return _mld
    if name in ALIASES:
        return _several([getter(part) for part in ALIASES[name]])
    if name in ("eth", "ipv6"):
        return lambda view: (True,) if view.plain() >= 0 else view.decoded(name)
    if name in _ANY_PLAIN:
        return _at_fixed_place(name, _ANY_PLAIN[name])
    if name.startswith(_EXTENSIONS):
        return lambda view: () if view.plain() >= 0 else view.decoded(name)
    protocol = _PROTOCOLS.get(name.partition(".")[0])
    if protocol is None:
        return lambda view: view.decoded(name)
    if name in _PROTOCOLS:
        return _protocol(name, protocol)
    if name in _PLAIN[protocol]:
        return _at_fixed_place(name, _PLAIN[protocol][name], protocol)
    if protocol == IPPROTO_ICMPV6:
        return _of_message(name)
    return lambda view: () if view.plain() not in (protocol, _ODD) else view.decoded(name)


def _several(parts: Sequence[Getter]) -> Getter:
    return lambda view: [value for part in parts for value in part(view)]


def _at_fixed_place(name: str, read: Callable[[bytes], int | bytes], protocol: int | None = None) -> Getter:
    def get(view: View) -> Values:
        plain = view.plain()
        if plain == _ODD:
            return view.decoded(name)
        return (read(view.frame),) if protocol is None or plain == protocol else ()

    return get


def _of_message(name: str) -> Getter:
    """An inner field of ICMPv6: most stand in a few types of message only."""
    types = next((types for prefix, types in _MESSAGES if name.startswith(prefix)), _ALL_TYPES)

    def get(view: View) -> Values:
        plain = view.plain()
        if plain == _ODD or (plain == IPPROTO_ICMPV6 and view.frame[_UPPER] in types):
            return view.decoded(name)
        return ()

    return get


def _protocol(name: str, protocol: int) -> Getter:
    def get(view: View) -> Values:
        plain = view.plain()
        if plain == _ODD:
            return view.decoded(name)
        return (True,) if plain == protocol else ()

    return get


_icmpv6_type = getter("icmpv6.type")


def _mld(view: View) -> Values:
    return (True,) if any(value in _MLD_TYPES for value in _icmpv6_type(view)) else ()
