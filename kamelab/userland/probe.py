"""What ping6 and traceroute6 share: the source address of a probe, times as text, ICMPv6 errors in words.

KAME `ping6.c` and `traceroute6.c` (the UDP socket that asks the kernel for the source), RFC 4443 3 (the errors). Left
out: what is done with an answer, which differs between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.wire import exthdr, icmp6, in6, ip6
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

NS: Final = 1_000_000_000
"""Nanoseconds in a second."""

_DUMMY_PORT: Final = 10101
"""Any port but 0: a datagram socket is connected to it and nothing is sent."""

_UNREACH: Final = {
    icmp6.UNREACH_NOROUTE: "No Route to Destination",
    icmp6.UNREACH_ADMIN: "Destination Administratively Unreachable",
    icmp6.UNREACH_SCOPE: "Destination Unreachable Beyond Scope",
    icmp6.UNREACH_ADDR: "Destination Host Unreachable",
    icmp6.UNREACH_PORT: "Destination Port Unreachable",
}
_PARAM: Final = {
    icmp6.PARAM_HEADER: "Erroneous Header",
    icmp6.PARAM_NEXTHDR: "Unknown Nextheader",
    icmp6.PARAM_OPTION: "Unrecognized Option",
}


def milliseconds(ns: int) -> str:
    """A time in C's ``%g``, to the microsecond: ``0.25``, ``1.333``, ``0`` (KAME USAGE)."""
    return f"{ns // 1000 / 1000:g}"


def integer(text: str, low: int, high: int | None = None) -> int | None:
    """The number that an option's argument is, None if it is none or lies outside ``low <= n <= high``."""
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        return None
    number = int(text)
    return number if number >= low and (high is None or number <= high) else None


def source(proc: Proc, addr: bytes, zone: int, ifindex: int, own: tuple[bytes, int] | None) -> tuple[bytes, int]:
    """The address, and its zone, that the kernel would send from to ``addr``.

    A UDP socket is connected and asked for its name, as KAME does it. ``ifindex`` is the interface to use, 0 for any;
    ``own`` an address to bind to first. Raises Errno as connect(2) and bind(2) do.
    """
    fd = proc.socket("udp6")
    try:
        if own is not None:
            proc.bind(fd, own[0], 0, own[1])
        if ifindex:
            if in6.is_multicast(addr):
                proc.setsockopt(fd, "IPV6_MULTICAST_IF", ifindex)
            else:
                proc.setsockopt(fd, "IPV6_PKTINFO", (None, ifindex))
        proc.connect(fd, addr, _DUMMY_PORT, zone)
        found, _, scope = proc.getsockname(fd)
    finally:
        proc.close(fd)
    return found, scope


def quoted(message: bytes, proto: int) -> tuple[bytes, bytes, bytes] | None:
    """Source, destination and upper-layer start of the packet that an ICMPv6 error message quotes.

    None if it quotes another protocol than ``proto``, or too little to tell (RFC 4443 3.1).
    """
    packet = message[8:]
    try:
        nxt, offset = exthdr.upper_layer(packet)
    except WireError:
        return None
    if nxt != proto:
        return None
    return packet[ip6.SRC : ip6.SRC + 16], packet[ip6.DST : ip6.DST + 16], packet[offset:]


def describe(message: bytes) -> str:
    """An ICMPv6 message that is no echo reply, in words (KAME ping6.c pr_icmph; kinds of RFC 4443 3)."""
    kind, code = message[0], message[1]
    word = int.from_bytes(message[4:8], "big")
    if kind == icmp6.DST_UNREACH:
        return _UNREACH.get(code, f"Destination Unreachable, Bad Code: {code}")
    if kind == icmp6.PACKET_TOO_BIG:
        return f"Packet too big mtu = {word}"
    if kind == icmp6.TIME_EXCEEDED:
        if code == icmp6.TIMXCEED_HOPS:
            return "Time to live exceeded"
        if code == icmp6.TIMXCEED_REASSEMBLY:
            return "Frag reassembly time exceeded"
        return f"Time exceeded, Bad Code: {code}"
    if kind == icmp6.PARAM_PROB:
        what = _PARAM.get(code, f"Bad Code({code})")
        return f"Parameter problem: {what} pointer = 0x{word:02x}"
    if kind == icmp6.ECHO_REQUEST:
        return "Echo Request"
    if kind in icmp6.TYPE_NAMES:
        return icmp6.type_name(kind).title()
    return f"Bad ICMP type: {kind}"
