"""ping6(8): ICMPv6 echo requests to a host or group, and what comes back.

KAME `ping6.c`, KAME USAGE, RFC 4443 4. The number at the start of a reply line is the length of the ICMPv6 message.
Left out, each with a message: node information queries (-a -N -t -w -W), IPsec policies (-P), the choice of the next
hop (-g). The counters and the table of replies seen live in one `Ping`, so that a long run can be restored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import probe
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo, if_nametoindex
from kamelab.userland.probe import NS, integer, milliseconds
from kamelab.userland.proc import Signal
from kamelab.wire import icmp6, in6, ip6

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: ping6 [-dfHmnqtvwW] [-a addrtype] [-b bufsiz] [-c count] [-g gateway]
             [-h hoplimit] [-I interface] [-i wait] [-l preload] [-N group]
             [-P policy] [-p pattern] [-S sourceaddr] [-s packetsize]
             [hops ...] host
"""
_OPTIONS: Final = "a:b:c:dfg:Hh:I:i:l:mN:nP:p:qS:s:tvwW"

ECHO_LEN: Final = 8
"""Octets before the data: type, code, checksum, identifier, sequence number."""
TIMESTAMP_LEN: Final = 8
"""Octets at the start of the data that hold the time of sending: seconds and microseconds."""
MAX_DATA: Final = 65535 - ip6.HEADER_LEN - ECHO_LEN
MAX_WAIT: Final = 10 * NS
"""How long to wait after the last request if nothing at all was received."""
_MIN_INTERVAL: Final = NS // 100
_FLOOD_INTERVAL: Final = NS // 100
_FLOOD_GAP: Final = 10_000
"""Least time between two requests of a flood; without it a link without delay would stop the clock."""
_SEEN_BITS: Final = 8192
_KEEP_EVERY: Final = 64


class Fault(Exception):
    """A mistake on the command line; the text is printed after ``ping6: ``."""

    def __init__(self, text: str, *, usage: bool = False) -> None:
        super().__init__(text)
        self.usage = usage


@dataclass
class Options:
    """The command line."""

    host: str = ""
    hops: list[str] = field(default_factory=list)
    bufsize: int = 0
    count: int = 0
    """0: without end."""
    flood: bool = False
    names: bool = False
    hoplimit: int = -1
    interface: str = ""
    interval: int = NS
    """Nanoseconds between two requests."""
    preload: int = 0
    minmtu: int = 1
    """IPV6_USE_MIN_MTU: 1 always 1280, -1 for multicast only, 0 never (RFC 3542 11.1)."""
    pattern: bytes = b""
    quiet: bool = False
    source: str = ""
    size: int = 8
    """Octets of data."""
    verbose: bool = False


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
        return len(self.data) >= TIMESTAMP_LEN


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


# -- the command line ----------------------------------------------------------------------------------------------


def parse(argv: list[str]) -> Options:
    """Read the command line. Raises Fault, GetoptError's words among them."""
    try:
        pairs, rest = getopt(argv, _OPTIONS)
    except GetoptError as error:
        raise Fault(str(error), usage=True) from None
    out = Options()
    own_interval = False
    use_mtu = 0
    for letter, value in pairs:
        flag = letter.lstrip("-")
        if flag in "aNtwW":
            raise Fault("node information queries are not built yet")
        if flag == "g":
            raise Fault("-g: the choice of the next hop is not built yet")
        if flag == "P":
            raise Fault("-P: IPsec policies are not built yet")
        if flag == "b":
            out.bufsize = _number(value, 1, 1 << 24, "invalid socket buffer size")
        elif flag == "c":
            out.count = _number(value, 1, None, "illegal number of packets")
        elif flag == "f":
            out.flood = True
        elif flag == "H":
            out.names = True
        elif flag == "h":
            out.hoplimit = _number(value, 0, 255, "illegal hoplimit")
        elif flag == "I":
            out.interface = value
        elif flag == "i":
            out.interval = _interval(value)
            own_interval = True
        elif flag == "l":
            out.preload = _number(value, 1, 65535, "illegal preload value")
        elif flag == "m":
            use_mtu += 1
        elif flag == "n":
            out.names = False
        elif flag == "p":
            out.pattern = _pattern(value)
        elif flag == "q":
            out.quiet = True
        elif flag == "S":
            out.source = value
        elif flag == "s":
            out.size = _number(value, 0, None, "illegal datalen value")
            if out.size > MAX_DATA:
                raise Fault(f"datalen value too large, maximum is {MAX_DATA}")
        elif flag == "v":
            out.verbose = True
    if out.flood and own_interval:
        raise Fault("-f and -i incompatible options")
    if out.flood:
        out.interval = _FLOOD_INTERVAL
    out.minmtu = (1, -1, 0)[min(use_mtu, 2)]
    if not rest:
        raise Fault("no host given", usage=True)
    out.host, out.hops = rest[-1], rest[:-1]
    return out


def _number(text: str, low: int, high: int | None, words: str) -> int:
    number = integer(text, low, high)
    if number is None:
        raise Fault(f"{words} -- {text}")
    return number


def _interval(text: str) -> int:
    """Seconds with a fraction, as nanoseconds, without the rounding of floating point."""
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit() or len(whole) > 9:
        raise Fault(f"illegal timing interval -- {text}")
    interval = int(whole or "0") * NS + int((fraction + "000000000")[:9])
    if interval < _MIN_INTERVAL:
        raise Fault(f"illegal timing interval -- {text}: the least is 0.01")
    return interval


def _pattern(text: str) -> bytes:
    """Up to 16 octets of hexadecimal digits; a last single digit is an octet too."""
    digits = text[:-1] + "0" + text[-1:] if len(text) % 2 else text
    try:
        pattern = bytes.fromhex(digits)
    except ValueError:
        pattern = b""
    if not pattern or any(c.isspace() for c in text):
        raise Fault(f"patterns must be specified as hex digits -- {text}")
    if len(pattern) > 16:
        raise Fault(f"a pattern has at most 16 octets -- {text}")
    return pattern


def fill(size: int, pattern: bytes) -> bytes:
    """The data of a request: the pattern again and again, else each octet's offset in the message (KAME ping6.c)."""
    if not pattern:
        return bytes((ECHO_LEN + i) & 0xFF for i in range(size))
    start = TIMESTAMP_LEN if size >= TIMESTAMP_LEN else 0
    return bytes(start) + (pattern * (size // len(pattern) + 1))[: size - start]


# -- setting up ----------------------------------------------------------------------------------------------------


def _resolve(proc: Proc, text: str) -> tuple[bytes, int]:
    try:
        return getaddrinfo(proc, text)
    except GaiError as error:
        raise Fault(str(error)) from None
    except Errno as error:
        raise Fault(f"{text}: {error}") from None


def _begin(proc: Proc, options: Options) -> Ping:
    """Resolve, open the socket, print the first line. Raises Fault."""
    addr, zone = _resolve(proc, options.host)
    shown = getnameinfo(proc, addr, zone, numeric=True)
    hops = [_resolve(proc, hop) for hop in options.hops]
    ifindex = 0
    if options.interface:
        ifindex = if_nametoindex(proc, options.interface)
        if not ifindex:
            raise Fault(f"{options.interface}: invalid interface name")
        if not zone and in6.scope(addr) in (in6.SCOPE_INTERFACE, in6.SCOPE_LINK) and not in6.is_loopback(addr):
            zone = ifindex
    own = _resolve(proc, options.source) if options.source else None
    fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
    if own is not None:
        try:
            proc.bind(fd, own[0], 0, own[1])
        except Errno as error:
            raise Fault(f"bind: {error}") from None
    for name, value in _socket_options(options, addr, ifindex, hops):
        try:
            proc.setsockopt(fd, name, value)
        except Errno as error:
            raise Fault(f"setsockopt({name}): {error}") from None
    first, first_zone = hops[0] if hops else (addr, zone)
    try:
        src, src_zone = probe.source(proc, first, first_zone, ifindex, own)
    except Errno as error:
        raise Fault(f"UDP connect: {error}") from None
    if options.pattern:
        proc.print(f"PATTERN: 0x{options.pattern.hex()}")
    route = 8 + 16 * len(hops) if hops else 0
    parts = f"{ip6.HEADER_LEN}" + (f"+{route}" if route else "") + f"+{ECHO_LEN}+{options.size}"
    size = ip6.HEADER_LEN + route + ECHO_LEN + options.size
    proc.print(f"PING6({size}={parts} bytes) {getnameinfo(proc, src, src_zone, numeric=True)} --> {shown}")
    now = proc.time()
    data = fill(options.size, options.pattern)
    return Ping(options, fd, proc.pid & 0xFFFF, addr, zone, ifindex, data, proc.wall() - now, now)


def _socket_options(
    options: Options, addr: bytes, ifindex: int, hops: list[tuple[bytes, int]]
) -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    types = tuple(range(256)) if options.verbose else (icmp6.ECHO_REPLY, *range(1, 5))
    out.append(("ICMP6_FILTER", types))
    if options.bufsize:
        out += [("SO_SNDBUF", options.bufsize), ("SO_RCVBUF", options.bufsize)]
    if options.hoplimit >= 0:
        out += [("IPV6_UNICAST_HOPS", options.hoplimit), ("IPV6_MULTICAST_HOPS", options.hoplimit)]
    if options.minmtu >= 0:
        out.append(("IPV6_USE_MIN_MTU", options.minmtu))
    if ifindex and in6.is_multicast(addr):
        out.append(("IPV6_MULTICAST_IF", ifindex))
    if hops:
        out.append(("IPV6_RTHDR", tuple(hop for hop, _ in hops)))
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
    if data[0] == icmp6.ECHO_REPLY and icmp6.parse_echo(data)[0] == ping.ident:
        _reply(proc, ping, message)
    elif options.verbose or (not options.quiet and is_own_error(ping, data)):
        sender = getnameinfo(proc, message.addr, message.zone, numeric=not options.names)
        proc.print(f"{len(data)} bytes from {sender}: {probe.describe(data)}")
        if options.verbose:
            packet = probe.quoted(data, ip6.IPPROTO_ICMPV6) if icmp6.is_error(data[0]) else None
            if packet is not None and len(packet[2]) >= ECHO_LEN:
                seq = int.from_bytes(packet[2][6:8], "big")
                proc.print(f"\t{in6.ntop(packet[0])} --> {in6.ntop(packet[1])}, icmp_seq={seq}")


def is_own_error(ping: Ping, message: bytes) -> bool:
    """Whether an ICMPv6 error quotes a request of this run."""
    if not icmp6.is_error(message[0]):
        return False
    packet = probe.quoted(message, ip6.IPPROTO_ICMPV6)
    if packet is None or len(packet[2]) < ECHO_LEN or packet[2][0] != icmp6.ECHO_REQUEST:
        return False
    return int.from_bytes(packet[2][4:6], "big") == ping.ident


def _slot(seq: int) -> tuple[int, int]:
    return seq % _SEEN_BITS // 8, 1 << seq % 8


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
    slot, bit = _slot(seq)
    again = bool(ping.seen[slot] & bit)
    if again:
        ping.repeated += 1
    else:
        ping.seen[slot] |= bit
        ping.received += 1
    if options.flood:
        ping.next_send = min(ping.next_send, message.time + _FLOOD_GAP)
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
    for remark in wrong_data(ping.data, data, TIMESTAMP_LEN if ping.timing else 0):
        proc.print(remark)


def wrong_data(sent: bytes, got: bytes, start: int) -> list[str]:
    """What to print if the data came back changed: the first octet that differs, then all of it, 16 a line."""
    for i in range(start, min(len(sent), len(got))):
        if sent[i] != got[i]:
            head = f"wrong data byte #{i} should be 0x{sent[i]:x} but was 0x{got[i]:x}"
            return [head] + [f"{at:8d}\t{got[at : at + 16].hex(' ')}" for at in range(0, len(got), 16)]
    return []


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
