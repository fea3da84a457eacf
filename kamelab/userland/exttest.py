"""exttest(8): one echo request behind the extension headers that are asked for, and what comes back.

A tool of this laboratory, in the manner of KAME's bindtest, to try what RFC 8200 4 says of headers and options. It
builds the chain of headers itself and hands it to a raw socket, so that chains can be sent that no node would make.
Left out: headers that are broken off, and fragments of more than one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import probe
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo, if_nametoindex
from kamelab.userland.proc import SIGINT, Signal
from kamelab.userland.rthdr import MAX_SEGMENTS
from kamelab.wire import exthdr, icmp6, in6, ip6

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: exttest [-I interface] [-w seconds] host [header ...]\n"
WAIT: Final = 3
"""Seconds that answers have to come."""
MAX_REPEAT: Final = 200
"""Times that one header may be repeated by ``*N``."""

_ANSWERS: Final = (
    icmp6.DST_UNREACH,
    icmp6.PACKET_TOO_BIG,
    icmp6.TIME_EXCEEDED,
    icmp6.PARAM_PROB,
    icmp6.ECHO_REPLY,
)
_KINDS: Final = {
    "hbh": ip6.IPPROTO_HOPOPTS,
    "dst": ip6.IPPROTO_DSTOPTS,
    "rt": ip6.IPPROTO_ROUTING,
    "frag": ip6.IPPROTO_FRAGMENT,
    "none": ip6.IPPROTO_NONE,
}

Header = tuple[int, bytes]
"""(next-header value that names it, the header; its own next-header octet is filled in later)."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Send, print what comes back. Status 0 with an echo reply, 2 without, 1 if it could not be sent."""
    try:
        fd, ident, wait = _begin(proc, argv)
    except GetoptError as error:
        proc.error(f"exttest: {error}\n{USAGE}")
        return 1
    except Fault as fault:
        proc.error(f"exttest: {fault}\n" if str(fault) else USAGE)
        return 1
    until = proc.time() + wait * probe.NS
    replies = heard = 0
    try:
        while (left := until - proc.time()) > 0:
            message = await proc.recvmsg(fd, left)
            if message is None:
                break
            text = _answer(message, ident)
            if text:
                heard += 1
                replies += message.data[0] == icmp6.ECHO_REPLY
                sender = getnameinfo(proc, message.addr, message.zone, numeric=True)
                proc.print(f"{sender}: {text}")
    except Signal as signal:
        if signal.number != SIGINT:
            raise
    if not heard:
        proc.print("no answer")
    return 0 if replies else 2


def _begin(proc: Proc, argv: list[str]) -> tuple[int, int, int]:
    """Send the packet: the socket to listen on, the request's identifier, and how long, s. Fault, GetoptError."""
    pairs, rest = getopt(argv, "I:w:")
    ifindex, wait = 0, WAIT
    for letter, value in pairs:
        if letter == "-I":
            ifindex = if_nametoindex(proc, value)
            if not ifindex:
                raise Fault(f"{value}: invalid interface name")
        else:
            seconds = probe.integer(value, 1, 3600)
            if seconds is None:
                raise Fault(f"-w {value}: expected a number of seconds from 1 to 3600")
            wait = seconds
    if not rest:
        raise Fault
    headers = [one for word in rest[1:] for one in _headers(word)]
    try:
        dst, zone = getaddrinfo(proc, rest[0])
        if ifindex and not zone and in6.scope(dst) <= in6.SCOPE_LINK and not in6.is_loopback(dst):
            zone = ifindex
        src, _ = probe.source(proc, dst, zone, ifindex, None)
    except (GaiError, Errno) as error:
        raise Fault(f"{rest[0]}: {error}") from None
    ident = proc.pid & 0xFFFF
    last = dst
    for kind, header in headers:
        if kind == ip6.IPPROTO_ROUTING and header[3] and len(header) > 8:
            # The checksum is for whom the packet is in the end (RFC 8200 8.1).
            last = header[-16:]
    echo = icmp6.build(src, last, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(ident, 0, bytes(8)))
    first, chain = ip6.IPPROTO_ICMPV6, echo
    for kind, header in reversed(headers):
        first, chain = kind, bytes((first,)) + header[1:] + chain if header else b""
    listener = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
    proc.setsockopt(listener, "ICMP6_FILTER", _ANSWERS)
    # The kernel sums up what an ICMPv6 socket sends: the sum comes out the same.
    sender = listener if first == ip6.IPPROTO_ICMPV6 else proc.socket("raw6", first)
    names = ", ".join(_name(word) for word in rest[1:])
    where = f"{getnameinfo(proc, src, zone, numeric=True)} > {getnameinfo(proc, dst, zone, numeric=True)}"
    proc.print(f"{where}: {names + ', ' if names else ''}{ip6.HEADER_LEN + len(chain)} octets")
    try:
        proc.sendmsg(sender, chain, dst, 0, zone, pktinfo=(src, ifindex))
    except Errno as error:
        raise Fault(f"sendmsg: {error}") from None
    return listener, ident, wait


def _headers(word: str) -> list[Header]:
    """The headers that a word asks for: ``dst:0x9e=0102*3``. Raises Fault."""
    text, star, times = word.partition("*")
    repeat = probe.integer(times, 1, MAX_REPEAT) if star else 1
    name, _, rest = text.partition(":")
    if repeat is None:
        raise Fault(f"{word}: expected a number from 1 to {MAX_REPEAT} behind *")
    if name in ("hbh", "dst"):
        header = exthdr.hop_by_hop(0, b"".join(_option(word, part) for part in rest.split(",") if part))
    elif name == "rt":
        header = _routing(word, *rest.split(","))
    elif name == "frag" and not rest:
        header = exthdr.build_fragment(0, 0, False, 1)
    elif name == "none" and not rest:
        header = b""
    else:
        number = probe.integer(name, 0, 255)
        if number is None or rest:
            raise Fault(f"{word}: expected hbh, dst, rt, frag, none or the number of a protocol")
        return [(number, bytes(8))] * repeat
    return [(_KINDS[name], header)] * repeat


def _routing(word: str, kind: str = "", left: str = "", *stops: str) -> bytes:
    """``rt:0,1,2001:db8::1``: type, segments left, addresses. Raises Fault."""
    number, segments = probe.integer(kind or "0", 0, 255), probe.integer(left or "0", 0, 255)
    try:
        addresses = b"".join(in6.pton(stop) for stop in stops)
    except ValueError as error:
        raise Fault(f"{word}: {error}") from None
    if number is None or segments is None or len(stops) > MAX_SEGMENTS:
        raise Fault(f"{word}: expected rt:TYPE,SEGMENTSLEFT,ADDRESS...")
    return bytes((0, 2 * len(stops), number, segments, 0, 0, 0, 0)) + addresses


def _name(word: str) -> str:
    """What the first line calls the headers of a word."""
    headers = _headers(word)
    name = ip6.protocol_name(headers[0][0])
    return name if len(headers) == 1 else f"{len(headers)} times {name}"


def _option(word: str, text: str) -> bytes:
    """``0x9e`` or ``0x9e=0102`` as an option. Raises Fault."""
    kind, _, value = text.partition("=")
    try:
        return exthdr.option(int(kind, 0), bytes.fromhex(value))
    except ValueError:
        raise Fault(f"{word}: expected an option as TYPE or TYPE=HEX, 0x9e=0102") from None


def _answer(message: Message, ident: int) -> str:
    """An answer in words; empty if it is to somebody else."""
    data = message.data
    if data[0] == icmp6.ECHO_REPLY:
        mine = len(data) >= 8 and int.from_bytes(data[4:6], "big") == ident
        return f"echo reply, {len(data)} octets" if mine else ""
    text = probe.describe(data)
    pointer = int.from_bytes(data[4:8], "big")
    if data[0] == icmp6.PARAM_PROB and 8 + pointer < len(data):
        text += f": octet 0x{data[8 + pointer]:02x}"
    return text
