"""TCP stories: two kernels with a connection, and a hand-made peer that says any segment it likes."""

from __future__ import annotations

from typing import Any, NamedTuple

from wires import STRANGER_MAC, A, Wires

from kamelab.core.clock import SECOND
from kamelab.sim.loop import run_event
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import in6, ip6, tcp
from kamelab.wire.checksum import in6_cksum

TCP = "net.inet.tcp."
PORT = 5000
H1, H2 = A("2001:db8:1::1"), A("2001:db8:1::2")
PEER = A("2001:db8:1::99")
M32 = 0xFFFFFFFF


class Seen(NamedTuple):
    """A segment that a node sent."""

    at: float
    """Seconds since boot."""
    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: str
    """As tcpdump(1) writes them."""
    window: int
    options: tcp.Options
    data: bytes
    flow: int


def segments(wires: Wires, node: Node, since: float = 0) -> list[Seen]:
    """All TCP segments that ``node`` sent, lo0 included."""
    out = []
    for one in wires.sent(node, since=since):
        if one.packet[6] != ip6.IPPROTO_TCP:
            continue
        head = tcp.parse(one.packet[40:])
        out.append(
            Seen(
                one.at, one.src, one.dst, head.sport, head.dport, head.seq, head.ack, tcp.flags_text(head.flags),
                head.window, tcp.parse_options(head.options), one.packet[40 + head.offset :],
                int.from_bytes(one.packet[:4], "big") & 0xFFFFF,
            )
        )  # fmt: skip
    return out


def packet(
    src: bytes, dst: bytes, sport: int, dport: int, flags: int, seq: int = 0, ack: int = 0, window: int = 8192,
    options: bytes = b"", data: bytes = b"", urgent: int = 0,
) -> bytes:  # fmt: skip
    """An IPv6 packet with a segment, checksum right."""
    octets = tcp.build(sport, dport, seq & M32, ack & M32, flags, window, options, data, urgent)
    cksum = in6_cksum(src, dst, ip6.IPPROTO_TCP, octets)
    return ip6.build(src, dst, ip6.IPPROTO_TCP, octets[:16] + cksum.to_bytes(2, "big") + octets[18:])


class Peer:
    """Somebody at 2001:db8:1::99 who talks to ``node``'s port 5000 from port 4000, or is talked to there."""

    def __init__(self, wires: Wires, node: Node, sport: int = 4000, dport: int = PORT, src: bytes = PEER) -> None:
        self.wires = wires
        self.node = node
        self.src, self.dst = src, H1
        self.sport, self.dport = sport, dport
        self.seq = 1000
        self.ack = 0
        self.window = 8192
        self.since = 0
        if src[:8] == PEER[:8]:
            syscalls.neighbor(node, "set", address=src, interface="ne0", lladdr=STRANGER_MAC)

    def send(
        self, flags: str, data: bytes = b"", *, seq: int | None = None, ack: int | None = None,
        window: int | None = None, options: bytes = b"", urgent: int = 0, run: bool = True,
    ) -> list[Seen]:  # fmt: skip
        """Say a segment with the flags of ``flags`` (S F R P U and . for ACK); what the node answers at once.

        ``seq`` None: the next one of this side, which then moves on.
        """
        bits = sum({"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32}[letter] for letter in flags)
        number = self.seq if seq is None else seq
        octets = packet(
            self.src, self.dst, self.sport, self.dport, bits, number, (self.ack if ack is None else ack) if bits & 16
            else 0, self.window if window is None else window, options, data, urgent,
        )  # fmt: skip
        if seq is None:
            self.seq += len(data) + ("S" in flags) + ("F" in flags)
        self.wires.inject(self.node, octets, dmac=self.node.interfaces["ne0"].mac, run=run)
        return self.heard() if run else []

    def heard(self) -> list[Seen]:
        """What the node has sent to this peer since the last question."""
        mine = in6.ntop(self.src)
        every = [one for one in segments(self.wires, self.node) if one.dst == mine and one.dport == self.sport]
        fresh, self.since = every[self.since :], len(every)
        return fresh

    def open(self, options: bytes = b"", window: int | None = None) -> int:
        """The handshake with a listening node; the socket it accepted. The SYN and ACK are in ``self.answer``."""
        (self.answer,) = self.send("S", options=options, window=window)
        self.ack = self.answer.seq + 1
        self.send(".", window=window)
        sid = syscalls.accept(self.node, listening(self.node))
        assert sid
        return sid


def listening(node: Node) -> int:
    """The listening socket of a node."""
    return next(sid for sid, so in node.sockets.items() if so.tcb is not None and so.tcb.state == "LISTEN")


def server(wires: Wires, node: Node, port: int = PORT, backlog: int = 5, **options: Any) -> int:
    """A socket that listens on ``port``."""
    sid = syscalls.socket(node, 0, "tcp6", 0)
    for name, value in options.items():
        syscalls.setsockopt(node, sid, name, value)
    syscalls.bind(node, sid, bytes(16), port, 0)
    syscalls.listen(node, sid, backlog)
    return sid


def alone(wires: Wires, **options: Any) -> Node:
    """h1 at 3 s, listening on port 5000."""
    h1 = wires.host()
    server(wires, h1, **options)
    return h1


def two(wires: Wires, **options: Any) -> tuple[Node, Node]:
    """h1 (2001:db8:1::1) and h2 (2001:db8:1::2) on a link, at 3 s, knowing each other's link-layer address."""
    wires.link("lan", **options)
    h1, h2 = wires.node("h1", "lan"), wires.node("h2", "lan")
    wires.address(h1, "2001:db8:1::1")
    wires.address(h2, "2001:db8:1::2")
    syscalls.neighbor(h1, "set", address=H2, interface="ne0", lladdr=h2.interfaces["ne0"].mac)
    syscalls.neighbor(h2, "set", address=H1, interface="ne0", lladdr=h1.interfaces["ne0"].mac)
    wires.run(to=3)
    return h1, h2


def open_to(
    wires: Wires, h1: Node, h2: Node, port: int = PORT, seconds: float = 5, options: dict[str, Any] | None = None
) -> tuple[int, int]:
    """A connection from h1, whose socket has ``options``, to h2, who listens already: the two sockets."""
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    for name, value in (options or {}).items():
        syscalls.setsockopt(h1, sid, name, value)
    syscalls.connect_stream(h1, sid, H2, port)
    end = wires.now + seconds
    while wires.now < end and not syscalls.connect_stream(h1, sid, H2, port):
        wires.run(0.01)
    taken = 0
    while wires.now < end and not taken:
        taken = syscalls.accept(h2, listening(h2))
        wires.run(0.01)
    assert taken
    return sid, taken


def pair(wires: Wires, **options: Any) -> tuple[Node, Node, int, int]:
    """h1 and h2 with a connection between them: (h1, h2, h1's socket, h2's socket)."""
    h1, h2 = two(wires, **options)
    server(wires, h2)
    return h1, h2, *open_to(wires, h1, h2)


def transfer(wires: Wires, src: Node, sid: int, dst: Node, to: int, data: bytes, seconds: float = 3600) -> bytes:
    """Send ``data`` as the buffers take it and read it as it comes; what arrived within ``seconds``."""
    end = wires.net.clock.now + round(seconds * SECOND)
    got = bytearray()
    at = 0
    while len(got) < len(data):
        if at < len(data):
            at += syscalls.send(src, sid, data[at : at + 65536])
        if not run_event(wires.net, end):
            break
        got += syscalls.recv(dst, to) or b""
    wires.net.trace.cause = wires.net.trace.also = 0
    return bytes(got)


def state(node: Node, sid: int) -> str:
    """The state of a socket's connection; "" where the socket is gone."""
    so = node.sockets.get(sid)
    return so.tcb.state if so is not None and so.tcb is not None else ""


def row(node: Node, sid: int) -> Any:
    """The socket's row of the table ``tcp``."""
    return next(one for one in syscalls.rows(node, "tcp") if one.sid == sid)
