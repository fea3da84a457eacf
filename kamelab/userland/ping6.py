"""ping6(8): ICMPv6 echo requests to a host or group, or node information queries, and what comes back.

KAME `ping6.c`, KAME USAGE, RFC 4443 4, RFC 4620. The number at the start of a reply line is the length of the ICMPv6
message. The command line is in `ping6_options`, words about what came in `ping6_print`, queries in `ping6_nodeinfo`.
The counters and the table of replies seen live in one `Ping`, so that a
long run can be restored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import ipsec_policy, ping6_nodeinfo, probe
from kamelab.userland.getopt import Fault
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo, if_nametoindex
from kamelab.userland.ping6_options import ECHO_LEN, TIMESTAMP_LEN, USAGE, Options, fill, parse
from kamelab.userland.ping6_print import describe, extension_headers, quoted_line, wrong_data
from kamelab.userland.probe import NS, milliseconds
from kamelab.userland.proc import Signal
from kamelab.wire import exthdr, icmp6, in6, ip6, nodeinfo
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

MAX_WAIT: Final = 10 * NS
"""How long to wait after the last request if nothing at all was received."""
_FLOOD_GAP: Final = 10_000
"""Least time between two requests of a flood; without it a link without delay would stop the clock."""
_RCVBUF: Final = 48 * 1024
"""Receive buffer without -b: a group may answer all at once (KAME ping6.c)."""
_MAX_PAYLOAD: Final = 65535
_SEEN_BITS: Final = 8192
_KEEP_EVERY: Final = 64


@dataclass
class Ping:
    """A run: where to, with what, and what came back."""

    options: Options
    fd: int
    ident: int
    addr: bytes
    zone: int
    ifindex: int
    data: bytes
    """The data of a request; the time of sending goes over its first octets if there is room."""
    started: int
    """Lab time of the run's begin, ns since 1970: nonces are made of it."""
    wall: int
    """Lab time at boot, ns since 1970."""
    next_send: int
    sent: int = 0
    received: int = 0
    repeated: int = 0
    total: int = 0
    squares: int = 0
    shortest: int = 0
    longest: int = 0
    """Round-trip times in microseconds."""
    end_at: int | None = None
    seen: bytearray = field(default_factory=lambda: bytearray(_SEEN_BITS // 8))
    """A bit for each of the last sequence numbers that was answered."""

    @property
    def timing(self) -> bool:
        """Replies bring back when their request was sent."""
        return not self.options.query and len(self.data) >= TIMESTAMP_LEN


async def main(proc: Proc, argv: list[str]) -> int:
    """Ping. Status 0 if a reply came, 2 if none, 1 if nothing could be begun."""
    ping = proc.state
    if not isinstance(ping, Ping):
        try:
            ping = _begin(proc, parse(argv))
        except Fault as fault:
            proc.error(f"ping6: {fault}\n" + (USAGE if fault.usage else ""))
            return 1
    try:
        await _run(proc, ping)
    except Signal as signal:
        if signal.number != 2:
            raise
    for line in summary(ping):
        proc.print(line)
    return 0 if ping.received else 2


# -- setting up ----------------------------------------------------------------------------------------------------


def _resolve(proc: Proc, text: str) -> tuple[bytes, int]:
    try:
        return getaddrinfo(proc, text)
    except GaiError as error:
        raise Fault(str(error)) from None
    except Errno as error:
        raise Fault(f"{text}: {error}") from None


def _destination(proc: Proc, options: Options) -> tuple[bytes, int]:
    """The host's address, or with -N the group of its name. Raises Fault."""
    if not options.group:
        return _resolve(proc, options.host)
    try:
        return nodeinfo.name_group(options.host), 0
    except WireError:
        raise Fault(f"{options.host}: no name of which a group could be made") from None


def _begin(proc: Proc, options: Options) -> Ping:
    """Resolve, open the socket, print the first line. Raises Fault."""
    addr, zone = _destination(proc, options)
    hops = [_resolve(proc, hop) for hop in options.hops]
    ifindex = 0
    if options.interface:
        ifindex = if_nametoindex(proc, options.interface)
        if not ifindex:
            raise Fault(f"{options.interface}: invalid interface name")
        if not zone and in6.scope(addr) in (in6.SCOPE_INTERFACE, in6.SCOPE_LINK) and not in6.is_loopback(addr):
            zone = ifindex
    shown = getnameinfo(proc, addr, 0 if in6.is_multicast(addr) and options.interface else zone, numeric=True)
    own = _resolve(proc, options.source) if options.source else None
    gateway = _resolve(proc, options.gateway) if options.gateway else None
    if gateway is not None and not gateway[1] and in6.is_linklocal(gateway[0]):
        gateway = (gateway[0], ifindex)
    if options.short_of_buffer and not options.query:
        proc.error("ping6: you need -b to increase socket buffer size\n")
    fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
    if own is not None:
        try:
            proc.bind(fd, own[0], 0, own[1])
        except Errno as error:
            raise Fault(f"bind: {error}") from None
    for name, value in _socket_options(options, addr, ifindex, hops, gateway):
        try:
            proc.setsockopt(fd, name, value)
        except Errno as error:
            raise Fault(f"setsockopt({name}): {error}") from None
    for policy in options.policies:
        try:
            proc.setsockopt(fd, "IPV6_IPSEC_POLICY", ipsec_policy.ipsec_set_policy(proc, policy))
        except ipsec_policy.PolicyError as error:
            raise Fault(f"{error}") from None
        except Errno as error:
            raise Fault(f"Unable to set IPsec policy: {error}") from None
    first, first_zone = hops[0] if hops else (addr, zone)
    try:
        src, src_zone = probe.source(proc, first, first_zone, ifindex, own)
    except Errno as error:
        raise Fault(f"UDP connect: {error}") from None
    if options.pattern:
        proc.print(f"PATTERN: 0x{options.pattern.hex()}")
    route = 8 + 16 * len(hops) if hops else 0
    length = ping6_nodeinfo.length(options) - ECHO_LEN if options.query else options.size
    parts = f"{ip6.HEADER_LEN}" + (f"+{route}" if route else "") + f"+{ECHO_LEN}+{length}"
    size = ip6.HEADER_LEN + route + ECHO_LEN + length
    proc.print(f"PING6({size}={parts} bytes) {getnameinfo(proc, src, src_zone, numeric=True)} --> {shown}")
    now, wall = proc.time(), proc.wall()
    data = fill(options.size, options.pattern)
    return Ping(options, fd, proc.pid & 0xFFFF, addr, zone, ifindex, data, wall, wall - now, now)


def _socket_options(
    options: Options,
    addr: bytes,
    ifindex: int,
    hops: list[tuple[bytes, int]],
    gateway: tuple[bytes, int] | None,
) -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    answers = icmp6.NI_REPLY if options.query else icmp6.ECHO_REPLY
    types = tuple(range(256)) if options.verbose else (*range(1, 5), answers)
    out.append(("ICMP6_FILTER", types))
    if options.bufsize:
        out += [("SO_SNDBUF", options.bufsize), ("SO_RCVBUF", options.bufsize)]
    else:
        out.append(("SO_RCVBUF", _RCVBUF))
    if options.debug:
        out.append(("SO_DEBUG", True))
    if options.hoplimit >= 0:
        out += [("IPV6_UNICAST_HOPS", options.hoplimit), ("IPV6_MULTICAST_HOPS", options.hoplimit)]
    # A jumbogram can't be cut, so that asking for 1280 would forbid it.
    jumbo = ECHO_LEN + options.size > _MAX_PAYLOAD and not options.query
    out.append(("IPV6_USE_MIN_MTU", 0 if jumbo else options.minmtu))
    if ifindex and in6.is_multicast(addr):
        out.append(("IPV6_MULTICAST_IF", ifindex))
    if gateway is not None:
        out.append(("IPV6_NEXTHOP", gateway))
    if hops:
        out.append(("IPV6_RTHDR", exthdr.build_routing0(0, len(hops), tuple(hop for hop, _ in hops))))
    if options.verbose:
        out += [(name, True) for name in ("IPV6_RECVHOPOPTS", "IPV6_RECVDSTOPTS", "IPV6_RECVRTHDR")]
    return out


# -- the run -------------------------------------------------------------------------------------------------------


async def _run(proc: Proc, ping: Ping) -> None:
    """Send and receive until the count is answered, or the last wait is over."""
    options = ping.options
    if not ping.sent:
        for _ in range(options.preload):
            if not options.count or ping.sent < options.count:
                _send(proc, ping)
    while not (options.count and ping.received >= options.count):
        if ping.sent % _KEEP_EVERY == 0:
            proc.keep(ping)
        now = proc.time()
        if ping.end_at is not None:
            if now >= ping.end_at:
                return
            until = ping.end_at
        elif now >= ping.next_send:
            if options.count and ping.sent >= options.count:
                # KAME waits twice the longest round trip, in whole seconds, or 10 s if there was none to measure.
                ping.end_at = now + (max(1, 2 * ping.longest // 1_000_000) * NS if ping.received else MAX_WAIT)
                continue
            _send(proc, ping)
            ping.next_send = now + options.interval
            continue
        else:
            until = ping.next_send
        message = await proc.recvmsg(ping.fd, until - now)
        if message is not None:
            _receive(proc, ping, message)


def _send(proc: Proc, ping: Ping) -> None:
    """One request; a failure is told and counts as sent (KAME ping6.c pinger)."""
    options = ping.options
    seq = ping.sent & 0xFFFF
    ping.sent += 1
    slot, bit = _slot(seq)
    ping.seen[slot] &= ~bit & 0xFF
    data = ping.data
    if ping.timing:
        sent_at = (ping.wall + proc.time()) // 1000
        stamp = (sent_at // 1_000_000 & 0xFFFFFFFF).to_bytes(4, "big") + (sent_at % 1_000_000).to_bytes(4, "big")
        data = stamp + data[TIMESTAMP_LEN:]
    if options.query:
        message = ping6_nodeinfo.query(options, ping.addr, ping6_nodeinfo.nonce(ping.ident, seq, ping.started))
    else:
        message = bytes((icmp6.ECHO_REQUEST, 0, 0, 0)) + icmp6.echo_body(ping.ident, seq, data)
    pktinfo = (None, ping.ifindex) if ping.ifindex else None
    try:
        proc.sendmsg(ping.fd, message, ping.addr, 0, ping.zone, pktinfo=pktinfo)
    except Errno as error:
        proc.error(f"ping6: sendmsg: {error}\n")
        proc.print(f"ping6: wrote {options.host} {len(message)} chars, ret=-1")
    if options.flood and not options.quiet:
        proc.write(".")


def _receive(proc: Proc, ping: Ping, message: Message) -> None:
    options = ping.options
    data = message.data
    if len(data) < ECHO_LEN:
        if options.verbose:
            sender = getnameinfo(proc, message.addr, message.zone, numeric=True)
            proc.error(f"ping6: packet too short ({len(data)} bytes) from {sender}\n")
        return
    if options.query:
        seq = ping6_nodeinfo.sequence(data, ping6_nodeinfo.nonce(ping.ident, 0, ping.started))
        if seq is not None:
            _answer(proc, ping, message, seq)
            return
    elif data[0] == icmp6.ECHO_REPLY and icmp6.parse_echo(data)[0] == ping.ident:
        _reply(proc, ping, message)
        return
    if options.verbose or (not options.quiet and is_own_error(ping, data)):
        sender = getnameinfo(proc, message.addr, message.zone, numeric=not options.names)
        proc.print(f"{len(data)} bytes from {sender}: {describe(data)}")
        if options.verbose:
            line = quoted_line(data)
            if line:
                proc.print(line)


def is_own_error(ping: Ping, message: bytes) -> bool:
    """Whether an ICMPv6 error quotes a request of this run."""
    if not icmp6.is_error(message[0]):
        return False
    packet = probe.quoted(message, ip6.IPPROTO_ICMPV6)
    if packet is None or len(packet[2]) < ECHO_LEN:
        return False
    if ping.options.query:
        mark = ping6_nodeinfo.nonce(ping.ident, 0, ping.started)
        return packet[2][0] == icmp6.NI_QUERY and packet[2][10:16] == mark[2:]
    if packet[2][0] != icmp6.ECHO_REQUEST:
        return False
    return int.from_bytes(packet[2][4:6], "big") == ping.ident


def _slot(seq: int) -> tuple[int, int]:
    return seq % _SEEN_BITS // 8, 1 << seq % 8


def _count(ping: Ping, message: Message, seq: int) -> bool:
    """Enter a reply; True when its request was answered before."""
    slot, bit = _slot(seq)
    again = bool(ping.seen[slot] & bit)
    if again:
        ping.repeated += 1
    else:
        ping.seen[slot] |= bit
        ping.received += 1
    if ping.options.flood:
        ping.next_send = min(ping.next_send, message.time + _FLOOD_GAP)
    return again


def _answer(proc: Proc, ping: Ping, message: Message, seq: int) -> None:
    """The reply to a node information query."""
    options = ping.options
    _count(ping, message, seq)
    if options.quiet:
        return
    if options.flood:
        proc.write("\b")
        return
    sender = getnameinfo(proc, message.addr, message.zone, numeric=not options.names)
    first, *others = ping6_nodeinfo.answer(message.data, options.verbose)
    proc.print(f"{len(message.data)} bytes from {sender}:{first}")
    for line in others:
        proc.print(line)


def _reply(proc: Proc, ping: Ping, message: Message) -> None:
    options = ping.options
    _, seq, data = icmp6.parse_echo(message.data)
    took = -1
    if ping.timing and len(data) >= TIMESTAMP_LEN:
        sent_at = int.from_bytes(data[:4], "big") * 1_000_000 + int.from_bytes(data[4:8], "big")
        took = (ping.wall + message.time) // 1000 - sent_at
        ping.shortest = min(ping.shortest, took) if ping.received else took
        ping.longest = max(ping.longest, took)
        ping.total += took
        ping.squares += took * took
    again = _count(ping, message, seq)
    if options.quiet:
        return
    if options.flood:
        proc.write("\b")
        return
    sender = getnameinfo(proc, message.addr, message.zone, numeric=not options.names)
    line = f"{len(message.data)} bytes from {sender}, icmp_seq={seq} hlim={message.hoplimit}"
    if options.verbose:
        line += f" dstaddr={getnameinfo(proc, message.dst, message.ifindex, numeric=True)} dstifid={message.ifindex}"
    if took >= 0:
        line += f" time={milliseconds(took * 1000)} ms"
    proc.print(line + ("(DUP!)" if again else ""))
    for remark in extension_headers(message):
        proc.print(remark)
    for remark in wrong_data(ping.data, data, TIMESTAMP_LEN if ping.timing else 0):
        proc.print(remark)


def summary(ping: Ping) -> list[str]:
    """The statistics: an empty line, the head, the counts, and the round trips if any was timed."""
    counts = f"{ping.sent} packets transmitted, {ping.received} packets received"
    if ping.repeated:
        counts += f", +{ping.repeated} duplicates"
    if ping.received > ping.sent:
        counts += ", more replies than requests: somebody sends duplicates"
    elif ping.sent:
        counts += f", {(ping.sent - ping.received) * 100 / ping.sent:.1f}% packet loss"
    out = ["", f"--- {ping.options.host} ping6 statistics ---", counts]
    timed = ping.received + ping.repeated
    if timed and ping.timing:
        mean = ping.total / timed
        deviation = sqrt(timed * ping.squares - ping.total * ping.total) / timed
        values = "/".join(f"{us / 1000:.3f}" for us in (ping.shortest, mean, ping.longest, deviation))
        out.append(f"round-trip min/avg/max/std-dev = {values} ms")
    return out
