"""traceroute6(8): the routers on the way, found by probes whose hop limit grows from 1.

KAME `traceroute6.c`, KAME USAGE. A probe is a UDP datagram to a port that nobody should listen on, or with -I an echo
request; routers answer with time exceeded, the target with port unreachable or an echo reply (RFC 4443 3.3, 3.1).
-g leads the probes by a type 0 routing header (RFC 2460 4.4, a retired feature: RFC 5095). Left out: SO_DONTROUTE in
the kernel, for which -r asks the routing table before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import ENETUNREACH, Errno
from kamelab.userland import probe, rthdr
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo
from kamelab.userland.probe import NS, integer, milliseconds
from kamelab.wire import icmp6, in6, ip6

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: traceroute6 [-dIlnrv] [-f firsthop] [-g gateway]... [-m hoplimit]
                   [-p port] [-q probes] [-s src] [-w waittime] target
                   [datalen]
"""
_OPTIONS: Final = "df:g:Ilm:np:q:rs:vw:"

BASE_PORT: Final = 33434
"""The first probe's destination port; each further probe's is one higher."""
UDP_DATA: Final = 12
"""Octets of a UDP probe: number, hop limit, two of padding, and the time of sending."""
ECHO_DATA: Final = 16
DUMPED: Final = 64
"""Octets of a message that -v shows at most."""
MAX_DATA: Final = 65535 - ip6.HEADER_LEN - 8

_MARKS: Final = {
    icmp6.UNREACH_NOROUTE: " !N",
    icmp6.UNREACH_ADMIN: " !P",
    icmp6.UNREACH_SCOPE: " !S",
    icmp6.UNREACH_ADDR: " !A",
}


@dataclass
class Options:
    """The command line."""

    target: str = ""
    first: int = 1
    echo: bool = False
    names: bool = True
    addresses: bool = False
    most: int = 30
    """The last hop limit tried."""
    port: int = BASE_PORT
    probes: int = 3
    debug: bool = False
    gateways: tuple[str, ...] = ()
    """Where the probes must pass, in this order."""
    direct: bool = False
    source: str = ""
    verbose: bool = False
    wait: int = 5
    """Seconds to wait for an answer."""
    size: int = 0


@dataclass
class Trace:
    """A run: its sockets and where it goes."""

    options: Options
    send_fd: int
    recv_fd: int
    ident: int
    """The source port of UDP probes, or the identifier of echo requests."""
    addr: bytes
    zone: int
    size: int


@dataclass(frozen=True)
class Answer:
    """What an ICMPv6 message says about a probe."""

    arrived: bool
    """It came from the target: port unreachable or an echo reply."""
    mark: str = ""
    failed: bool = False
    """Some router or the target can't or won't take the packet further."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Trace. Status 0 once probes were sent, whatever came back; 1 if nothing could be begun."""
    try:
        trace = _begin(proc, parse(argv))
    except Fault as fault:
        proc.error(f"traceroute6: {fault}\n" + (USAGE if fault.usage else ""))
        return 1
    options = trace.options
    if options.first > 1:
        proc.print(f"Skipping {options.first - 1} intermediate hops")
    seq = 0
    for hops in range(options.first, options.most + 1):
        proc.write(f"{hops:2d} ")
        arrived, failures = False, 0
        last: tuple[bytes, int] | None = None
        for _ in range(options.probes):
            seq += 1
            sent_at = proc.time()
            _send(proc, trace, seq, hops)
            found = await _wait(proc, trace, seq, sent_at + options.wait * NS)
            if found is None:
                proc.write(" *")
                continue
            message, answer = found
            if (message.addr, message.zone) != last:
                last = (message.addr, message.zone)
                proc.write(_sender(proc, options, message))
            proc.write(f"  {milliseconds(message.time - sent_at)} ms{answer.mark}")
            arrived = arrived or answer.arrived
            failures += answer.failed
        proc.print()
        if arrived or (failures and failures >= (options.probes + 1) // 2):
            break
    return 0


def parse(argv: list[str]) -> Options:
    """Read the command line. Raises Fault, GetoptError's words among them."""
    try:
        pairs, rest = getopt(argv, _OPTIONS)
    except GetoptError as error:
        raise Fault(str(error), usage=True) from None
    out = Options()
    for letter, value in pairs:
        flag = letter.lstrip("-")
        if flag == "d":
            out.debug = True
        elif flag == "g":
            out.gateways += (value,)
            if len(out.gateways) > rthdr.MAX_SEGMENTS:
                raise Fault(f"too many gateways: {rthdr.MAX_SEGMENTS} fit in a routing header.")
        elif flag == "f":
            out.first = _number(value, 1, 255, "invalid first hop limit.")
        elif flag == "I":
            out.echo = True
        elif flag == "l":
            out.addresses = True
        elif flag == "m":
            out.most = _number(value, 1, 255, "invalid max hop limit.")
        elif flag == "n":
            out.names = False
        elif flag == "p":
            out.port = _number(value, 1, 65535, "invalid port.")
        elif flag == "q":
            out.probes = _number(value, 1, 255, "invalid number of probes.")
        elif flag == "r":
            out.direct = True
        elif flag == "s":
            out.source = value
        elif flag == "v":
            out.verbose = True
        elif flag == "w":
            out.wait = _number(value, 2, 86400, "invalid wait time: it must be more than 1 second.")
    if out.first > out.most:
        raise Fault("the first hop limit must not be greater than the max hop limit.")
    if not rest or len(rest) > 2:
        raise Fault("no target given" if not rest else "too many arguments", usage=True)
    out.target = rest[0]
    out.size = ECHO_DATA if out.echo else UDP_DATA
    if len(rest) == 2:
        size = _number(rest[1], 0, MAX_DATA, f"invalid packet size: it must be at most {MAX_DATA}.")
        out.size = max(out.size, size)
    if not out.echo and out.port + (out.most - out.first + 1) * out.probes - 1 > 65535:
        raise Fault("invalid port.")
    return out


def _number(text: str, low: int, high: int, words: str) -> int:
    number = integer(text, low, high)
    if number is None:
        raise Fault(words)
    return number


def _resolve(proc: Proc, text: str) -> tuple[bytes, int]:
    try:
        return getaddrinfo(proc, text)
    except GaiError as error:
        raise Fault(str(error)) from None
    except Errno as error:
        raise Fault(f"{text}: {error}") from None


def _begin(proc: Proc, options: Options) -> Trace:
    """Resolve, open the sockets, print the head line. Raises Fault."""
    addr, zone = _resolve(proc, options.target)
    if in6.is_multicast(addr):
        raise Fault(f"{options.target}: a group has no single way to it")
    header = rthdr.inet6_rth_init(rthdr.IPV6_RTHDR_TYPE_0, len(options.gateways))
    gateways = [_resolve(proc, text) for text in options.gateways]
    for text, (gateway, _) in zip(options.gateways, gateways, strict=True):
        if in6.is_multicast(gateway):
            raise Fault(f"{text}: a group can't be a gateway")
        header = rthdr.inet6_rth_add(header, gateway)
    own = _resolve(proc, options.source) if options.source else None
    try:
        # The probes' first destination is the first gateway: the source is chosen for it.
        src, src_zone = probe.source(proc, *(gateways[0] if gateways else (addr, zone)), 0, own)
    except Errno as error:
        raise Fault(f"connect: {error}") from None
    recv_fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
    wanted = (icmp6.DST_UNREACH, icmp6.TIME_EXCEEDED, *((icmp6.ECHO_REPLY,) if options.echo else ()))
    proc.setsockopt(recv_fd, "ICMP6_FILTER", tuple(range(256)) if options.verbose else wanted)
    # KAME marks its source port so that it is no low one.
    ident = (proc.pid & 0xFFFF) | 0x8000
    try:
        if options.echo:
            send_fd = recv_fd
            if own is not None:
                proc.bind(send_fd, own[0], 0, own[1])
        else:
            send_fd = proc.socket("udp6")
            proc.bind(send_fd, src, ident, src_zone)
    except Errno as error:
        raise Fault(f"bind: {error}") from None
    if options.debug:
        proc.setsockopt(send_fd, "SO_DEBUG", True)
    if gateways:
        try:
            proc.setsockopt(send_fd, "IPV6_RTHDR", header)
        except Errno as error:
            raise Fault(f"setsockopt(IPV6_RTHDR): {error}") from None
    if options.direct:
        _only_direct(proc, *(gateways[0] if gateways else (addr, zone)))
    proc.error(
        f"traceroute6 to {options.target} ({getnameinfo(proc, addr, zone, numeric=True)})"
        f" from {getnameinfo(proc, src, src_zone, numeric=True)},"
        f" {options.most} hops max, {options.size} byte packets\n"
    )
    return Trace(options, send_fd, recv_fd, ident, addr, zone, options.size)


def _only_direct(proc: Proc, addr: bytes, zone: int) -> None:
    """-r: the first destination must be on a link of this node. Raises Fault."""
    try:
        row = proc.route("get", destination=addr, zone=zone, plen=128)
    except Errno as error:
        raise Fault(f"sendto: {error}") from None
    if "G" in row.flags:
        raise Fault(f"sendto: {Errno(ENETUNREACH)}")


def _send(proc: Proc, trace: Trace, seq: int, hops: int) -> None:
    """One probe, the ``seq``-th, from 1; a failure is told, and the answer awaited all the same."""
    now = proc.wall() // 1000
    stamp = (now // 1_000_000 & 0xFFFFFFFF).to_bytes(4, "big") + (now % 1_000_000).to_bytes(4, "big")
    data = (bytes((seq & 0xFF, hops, 0, 0)) + stamp).ljust(trace.size, b"\0")
    port = 0
    if trace.options.echo:
        data = bytes((icmp6.ECHO_REQUEST, 0, 0, 0)) + icmp6.echo_body(trace.ident, seq, data)
    else:
        port = trace.options.port + seq - 1
    try:
        proc.setsockopt(trace.send_fd, "IPV6_UNICAST_HOPS", hops)
        proc.sendmsg(trace.send_fd, data, trace.addr, port, trace.zone)
    except Errno as error:
        proc.error(f"traceroute6: sendto: {error}\n")
        proc.print(f"traceroute6: wrote {trace.options.target} {len(data)} chars, ret=-1")


async def _wait(proc: Proc, trace: Trace, seq: int, until: int) -> tuple[Message, Answer] | None:
    """The first message that answers the probe, None if none came until ``until`` (ns since boot)."""
    while (left := until - proc.time()) > 0:
        message = await proc.recvmsg(trace.recv_fd, left)
        if message is None:
            return None
        answer = judge(trace, seq, message.data, message.hoplimit)
        if answer is not None:
            return message, answer
        if trace.options.verbose and len(message.data) >= 8:
            proc.print()
            for line in dump(proc, message):
                proc.print(line)
    return None


def dump(proc: Proc, message: Message) -> list[str]:
    """-v: an ICMPv6 message in words and in words of 32 bits, as far as `DUMPED` octets."""
    sender = getnameinfo(proc, message.addr, message.zone, numeric=True)
    to = getnameinfo(proc, message.dst, message.ifindex if in6.is_linklocal(message.dst) else 0, numeric=True)
    kind, code = message.data[0], message.data[1]
    words = f"icmp type {kind} ({probe.describe(message.data)}) code {code}"
    lines = [f"{len(message.data)} bytes from {sender} to {to}: {words}"]
    for at in range(4, min(len(message.data), DUMPED) - 3, 4):
        lines.append(f"{at:2d}: x{message.data[at : at + 4].hex()}")
    return lines


def judge(trace: Trace, seq: int, message: bytes, hoplimit: int) -> Answer | None:
    """What a message says about the ``seq``-th probe; None if it is about something else (KAME packet_ok)."""
    if len(message) < 8:
        return None
    kind, code = message[0], message[1]
    if kind == icmp6.ECHO_REPLY:
        same = trace.options.echo and icmp6.parse_echo(message)[:2] == (trace.ident, seq & 0xFFFF)
        return Answer(arrived=True) if same else None
    if kind not in (icmp6.DST_UNREACH, icmp6.TIME_EXCEEDED):
        return None
    packet = probe.quoted(message, ip6.IPPROTO_ICMPV6 if trace.options.echo else ip6.IPPROTO_UDP)
    if packet is None or len(packet[2]) < 8:
        return None
    upper = packet[2]
    if trace.options.echo:
        same = upper[0] == icmp6.ECHO_REQUEST and icmp6.parse_echo(upper)[:2] == (trace.ident, seq & 0xFFFF)
    else:
        ports = (int.from_bytes(upper[:2], "big"), int.from_bytes(upper[2:4], "big"))
        same = ports == (trace.ident, trace.options.port + seq - 1)
    if not same:
        return None
    if kind == icmp6.TIME_EXCEEDED:
        return Answer(arrived=False) if code == icmp6.TIMXCEED_HOPS else None
    if code == icmp6.UNREACH_PORT:
        return Answer(arrived=True, mark=" !" if hoplimit <= 1 else "")
    return Answer(arrived=False, mark=_MARKS.get(code, f" !<{code}>"), failed=True)


def _sender(proc: Proc, options: Options, message: Message) -> str:
    """`` NAME``, `` ADDRESS`` with -n, `` NAME (ADDRESS)`` with -l; -v adds how much came, and to where."""
    number = getnameinfo(proc, message.addr, message.zone, numeric=True)
    if not options.names:
        text = f" {number}"
    else:
        text = f" {getnameinfo(proc, message.addr, message.zone)}"
        if options.addresses:
            text += f" ({number})"
    if options.verbose:
        text += f" {len(message.data)} bytes of data to {getnameinfo(proc, message.dst, message.ifindex, numeric=True)}"
    return text
