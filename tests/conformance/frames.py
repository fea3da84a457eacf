"""Frames of the tester: built octet by octet, wrong on demand, and read field by field.

Every builder makes one body of RFC 4861 4 or RFC 4443 4; `packet` puts the headers around it, and can spoil each thing
that a receiver must check: hop limit, checksum, code, length.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from kamelab.wire import ether, in6, ip6, nd, nd_options
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum, in6_cksum_ok
from kamelab.wire.ip6 import IPPROTO_HOPOPTS, IPPROTO_ICMPV6

UNSPECIFIED: Final = in6.UNSPECIFIED
ALLNODES: Final = in6.ALLNODES
ALLROUTERS: Final = in6.ALLROUTERS

KINDS: Final = {
    icmp.ECHO_REQUEST: "echo_request",
    icmp.ECHO_REPLY: "echo_reply",
    icmp.MLD_QUERY: "mld_query",
    icmp.MLD_REPORT: "mld_report",
    icmp.MLD_DONE: "mld_done",
    icmp.ROUTER_SOLICIT: "rs",
    icmp.ROUTER_ADVERT: "ra",
    icmp.NEIGHBOR_SOLICIT: "ns",
    icmp.NEIGHBOR_ADVERT: "na",
    icmp.REDIRECT: "redirect",
    icmp.DST_UNREACH: "unreach",
    icmp.PACKET_TOO_BIG: "toobig",
    icmp.TIME_EXCEEDED: "timex",
    icmp.PARAM_PROB: "paramprob",
}
"""ICMPv6 types as the tester calls them."""

WORDS: Final = {
    "echo_request": "an echo request",
    "echo_reply": "an echo reply",
    "rs": "a router solicitation",
    "ra": "a router advertisement",
    "ns": "a neighbor solicitation",
    "na": "a neighbor advertisement",
    "redirect": "a redirect",
    "mld_report": "a multicast listener report",
}
"""Kinds in words, for failures."""

ZERO_OPTION: Final = b"\x01\x00\x02\x00\x00\x00\x00\x01"
"""A source link-layer address option whose length field is 0."""
UNKNOWN_OPTION: Final = b"\xfd\x01" + bytes(6)
"""An option of an experimental type (RFC 4727 4.2.1.1), one unit long."""


# -- bodies: what follows type, code and checksum -------------------------------------------------------------------


def slla(mac: bytes) -> bytes:
    """A source link-layer address option."""
    return nd_options.build_lladdr(nd_options.SLLA, mac)


def tlla(mac: bytes) -> bytes:
    """A target link-layer address option."""
    return nd_options.build_lladdr(nd_options.TLLA, mac)


def reserve(body: bytes) -> bytes:
    """The body of an NS or a redirect with every bit of its Reserved field set."""
    return b"\xff\xff\xff\xff" + body[4:]


def prefix_option(
    prefix: bytes, *, plen: int = 64, onlink: bool = True, autonomous: bool = True, valid: int, preferred: int
) -> bytes:
    """A prefix information option; lifetimes in seconds."""
    return nd_options.build_prefix(nd_options.PrefixInfo(plen, onlink, autonomous, valid, preferred, prefix))


def ns(target: bytes, options: bytes = b"") -> bytes:
    return nd.NeighborSolicit(target, options).pack()


def na(target: bytes, flags: str, options: bytes = b"") -> bytes:
    """``flags``: letters of R, S and O that are set."""
    return nd.NeighborAdvert("R" in flags, "S" in flags, "O" in flags, target, options).pack()


def ra(*, hlim: int = 0, lifetime: int = 1800, reachable: int = 0, retrans: int = 0, options: bytes = b"") -> bytes:
    return nd.RouterAdvert(hlim, False, False, 0, lifetime, reachable, retrans, options).pack()


def redirect(target: bytes, destination: bytes, options: bytes = b"") -> bytes:
    return nd.Redirect(target, destination, options).pack()


def redirected(quoted: bytes) -> bytes:
    """A redirected header option around a packet."""
    return nd_options.build_redirected(quoted)


# -- whole packets ---------------------------------------------------------------------------------------------------


def packet(
    src: bytes,
    dst: bytes,
    kind: int,
    body: bytes,
    *,
    hlim: int = 255,
    code: int = 0,
    cut: int = 0,
    bad_checksum: bool = False,
) -> bytes:
    """An IPv6 packet with one ICMPv6 message; ``cut``: so many octets of message and no more, rightly summed."""
    message = bytes((kind, code, 0, 0)) + body
    if cut:
        message = message[:cut]
    checksum = in6_cksum(src, dst, IPPROTO_ICMPV6, message)
    if bad_checksum:
        checksum ^= 0x5555
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    return ip6.build(src, dst, IPPROTO_ICMPV6, message, hlim=hlim)


def frame(to_mac: bytes, from_mac: bytes, content: bytes) -> bytes:
    """An Ethernet frame."""
    return ether.header(to_mac, from_mac) + content


# -- reading ---------------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A frame that the node under test sent."""

    at: int
    """ns since boot."""
    port: str
    kind: str
    fields: dict[str, Any]
    frame: bytes


def read(at: int, port: str, data: bytes) -> Seen:
    """Take a frame apart. What can't be read is of kind ``other``."""
    fields: dict[str, Any] = {"to_mac": data[:6], "from_mac": data[6:12]}
    content = data[14:]
    if data[12:14] != b"\x86\xdd" or len(content) < 40:
        return Seen(at, port, "other", fields, data)
    fields |= {"src": content[8:24], "dst": content[24:40], "hlim": content[7]}
    nxt, offset = content[6], 40
    if nxt == IPPROTO_HOPOPTS:
        nxt, offset = content[40], 40 + 8 * (content[41] + 1)
    message = content[offset : 40 + int.from_bytes(content[4:6], "big")]
    if nxt != IPPROTO_ICMPV6 or len(message) < 4:
        return Seen(at, port, "other", fields, data)
    right = in6_cksum_ok(content[8:24], content[24:40], IPPROTO_ICMPV6, message)
    fields |= {"code": message[1], "checksum": "right" if right else "wrong"}
    kind = KINDS.get(message[0], "other")
    try:
        fields |= _body(kind, message[4:])
    except WireError as error:
        fields["broken"] = str(error)
    return Seen(at, port, kind, fields, data)


def _body(kind: str, body: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    options = b""
    if kind in ("echo_request", "echo_reply"):
        return {"ident": int.from_bytes(body[:2], "big"), "seq": int.from_bytes(body[2:4], "big"), "data": body[4:]}
    if kind.startswith("mld"):
        return {"group": body[4:20]}
    if kind == "ns":
        target, options = nd.NeighborSolicit.parse(body)
        out = {"target": target, "reserved": int.from_bytes(body[:4], "big")}
    elif kind == "na":
        router, solicited, override, target, options = nd.NeighborAdvert.parse(body)
        out = {"target": target, "R": int(router), "S": int(solicited), "O": int(override)}
        out["reserved"] = int.from_bytes(body[:4], "big") & 0x1FFFFFFF
    elif kind == "rs":
        (options,) = nd.RouterSolicit.parse(body)
        out = {"reserved": int.from_bytes(body[:4], "big")}
    elif kind == "ra":
        advert = nd.RouterAdvert.parse(body)
        options = advert.options
        out = {"curhlim": advert.hlim, "M": int(advert.managed), "other": int(advert.other)}
        out |= {"lifetime": advert.lifetime, "reachable": advert.reachable, "retrans": advert.retrans}
        out["reserved"] = body[1] & 0x27
    elif kind == "redirect":
        target, destination, options = nd.Redirect.parse(body)
        out = {"target": target, "destination": destination, "reserved": int.from_bytes(body[:4], "big")}
    else:
        return {"word": int.from_bytes(body[:4], "big"), "quoted": body[4:]}
    found = nd_options.parse(options)
    out |= {"slla": found.slla, "tlla": found.tlla, "options": _option_kinds(options)}
    if kind == "ra":
        out |= {"prefixes": found.prefixes, "mtu": found.mtu}
    if kind == "redirect":
        out["redirected"] = found.redirected
    return out


def _option_kinds(options: bytes) -> tuple[int, ...]:
    kinds, at = [], 0
    while at < len(options):
        kinds.append(options[at])
        at += 8 * options[at + 1]
    return tuple(kinds)
