"""Kernels on virtual links for stories in time order, strangers' frames put before them by hand, and the accountant.

Nodes are h1, r1 ...; their interfaces ne0, ne1 ...; the Nth interface of a story has the MAC 02:00:00:00:00:0N and so
the link-local address fe80::ff:fe00:N. A stranger is nobody's node: its frames are injected, what is sent to it is read
from the trace.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from kamelab.core.clock import SECOND
from kamelab.core.trace import Record
from kamelab.sim.loop import run_event, run_ready
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.interface import Interface
from kamelab.stack.netinet6.nd6_state import Neighbor
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import ether, in6, ip6, mld, nd, nd_options, udp
from kamelab.wire import icmp6 as icmp
from kamelab.wire.ether import multicast_mac

FORWARDING = "net.inet6.ip6.forwarding"
ACCEPT_RTADV = "net.inet6.ip6.accept_rtadv"
A = in6.pton

STRANGER = A("fe80::99")
STRANGER_MAC = b"\x02\0\0\0\0\x99"
OTHER_MAC = b"\x02\0\0\0\0\xaa"
ROUTER = A("fe80::1")
ROUTER_MAC = b"\x02\0\0\0\0\xf1"
ROUTER2 = A("fe80::2")
ROUTER2_MAC = b"\x02\0\0\0\0\xf2"
ALLNODES = A("ff02::1")


class Sent(NamedTuple):
    """A frame that a node put on a medium."""

    at: float
    """Seconds since boot."""
    interface: str
    mac: bytes
    packet: bytes

    @property
    def src(self) -> str:
        return in6.ntop(self.packet[8:24])

    @property
    def dst(self) -> str:
        return in6.ntop(self.packet[24:40])

    @property
    def hlim(self) -> int:
        return self.packet[7]

    @property
    def message(self) -> bytes:
        """What follows the IPv6 header, a router alert passed over."""
        return self.packet[48:] if self.packet[6] == 0 else self.packet[40:]

    @property
    def kind(self) -> int:
        """ICMPv6 type; -1 for anything else."""
        nxt = self.packet[40] if self.packet[6] == 0 else self.packet[6]
        return self.message[0] if nxt == ip6.IPPROTO_ICMPV6 else -1


class Wires:
    """A network with the means to tell a story on it."""

    def __init__(self, seed: int = 1) -> None:
        self.net = Network(seed)
        self.macs = 0

    # -- building ----------------------------------------------------------------------------------------------------

    def link(self, name: str, **options: Any) -> None:
        options.setdefault("latency", 1000)
        self.net.add_link(name, **options)

    def node(self, name: str, *links: str, forwarding: int = 0, accept_rtadv: int = 0, up: bool = True) -> Node:
        node = self.net.add_node(name)
        syscalls.sysctl_set(node, FORWARDING, forwarding)
        syscalls.sysctl_set(node, ACCEPT_RTADV, accept_rtadv)
        for number, link in enumerate(links):
            self.macs += 1
            mac = bytes((2, 0, 0, 0, 0, self.macs))
            self.net.add_interface(node, f"ne{number}", mac, self.net.links[link])
        for number in range(len(links) if up else 0):
            syscalls.ioctl(node, "SIOCSIFFLAGS", f"ne{number}", up=True)
        return node

    def host(self, name: str = "h1", **options: int) -> Node:
        """A node alone on its link, duplicate address detection over at 3 s, with 2001:db8:1::1/64."""
        self.link("lan")
        node = self.node(name, "lan", **options)
        self.address(node, "2001:db8:1::1")
        self.run(to=3)
        return node

    def router(self) -> Node:
        """r1 between left (2001:db8:1::ff) and right (2001:db8:2::ff), at 3 s."""
        self.link("left")
        self.link("right")
        node = self.node("r1", "left", "right", forwarding=1)
        self.address(node, "2001:db8:1::ff", "ne0")
        self.address(node, "2001:db8:2::ff", "ne1")
        self.run(to=3)
        return node

    def address(self, node: Node, text: str, interface: str = "ne0", plen: int = 64, **options: Any) -> None:
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", interface, address=A(text), plen=plen, **options)

    # -- time --------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.net.clock.now / SECOND

    def run(self, seconds: float = 0, *, to: float | None = None) -> None:
        """Let time pass: ``seconds``, or up to ``to`` seconds since boot."""
        end = round(to * SECOND) if to is not None else self.net.clock.now + round(seconds * SECOND)
        run_ready(self.net)
        while run_event(self.net, end):
            pass
        self.net.clock.now = end
        # What comes next comes from outside: nothing that happened is its cause.
        self.net.trace.cause = self.net.trace.also = 0

    # -- frames ------------------------------------------------------------------------------------------------------

    def inject(self, node: Node, packet: bytes, interface: str = "ne0", *, smac: bytes = STRANGER_MAC,
               dmac: bytes | None = None, run: bool = True) -> None:  # fmt: skip
        """Put an IPv6 packet of a stranger before an interface, now; to its MAC or the group's."""
        iface = node.interfaces[interface]
        if dmac is None:
            dmac = multicast_mac(packet[24:40]) if packet[24:25] == b"\xff" else iface.mac
        header = ether.header(dmac, smac) if iface.mac else bytes(12) + b"\x86\xdd"
        self.frame(node, header + packet, interface, run=run)

    def frame(self, node: Node, frame: bytes, interface: str = "ne0", *, run: bool = True) -> None:
        """Put any octets before an interface."""
        self.net.clock.send(self.net.clock.now, node.interfaces[interface], frame, 0)
        if run:
            self.run(0)

    def send(self, node: Node, dst: str, interface: str = "", data: bytes = b"data", port: int = 9) -> int:
        """A datagram of this node; the socket, which stays open."""
        sid = syscalls.socket(node, 0, "udp6", 0)
        zone = node.interfaces[interface].index if interface else 0
        syscalls.sendmsg(node, sid, data, A(dst), port, zone)
        return sid

    def output(self, node: Node, out: Output) -> int:
        return node.send(out)

    # -- what happened -----------------------------------------------------------------------------------------------

    def sent(self, node: Node, kind: int | None = None, since: float = 0, interface: str = "") -> list[Sent]:
        """What a node sent, on lo0 too, by ICMPv6 type; None: all."""
        out = []
        for row in self.net.trace.packets:
            if row[2] != node.name or row[6] != "tx" or row[1] < since * SECOND:
                continue
            item = Sent(row[1] / SECOND, row[3], row[12][:6], row[12][14:])
            if (kind is None or item.kind == kind) and interface in ("", item.interface):
                out.append(item)
        return out

    def records(self, node: Node, event: str, since: float = 0) -> list[Record]:
        return [
            r for r in self.net.trace.all() if r.node == node.name and r.event == event and r.time >= since * SECOND
        ]

    def drops(self, node: Node, since: float = 0) -> list[str]:
        """Reasons of drops in order."""
        return [record.reason for record in self.records(node, "drop", since)]

    def states(self, node: Node, stage: str, since: float = 0) -> list[tuple[float, str]]:
        """(seconds, what) of the state records of a machine."""
        return [(r.time / SECOND, r.reason) for r in self.records(node, "state", since) if r.stage == stage]

    def log(self, node: Node) -> list[str]:
        return [text for _, text in node.kernel_log]

    def account(self) -> None:
        account(self.net)


def neighbor(node: Node, addr: bytes = STRANGER, interface: str = "ne0") -> Neighbor | None:
    """The cache entry of an address without zone."""
    iface = node.interfaces[interface]
    return iface.neighbors.get(in6_setscope(addr, iface) or addr)


def scoped(iface: Interface, addr: bytes) -> bytes:
    return in6_setscope(addr, iface) or addr


def row(node: Node, table: str, first: str) -> Any:
    """The one row of a table that begins with, or has, ``first``."""
    found = [one for one in syscalls.rows(node, table) if first in one]
    assert len(found) == 1, (first, found)
    return found[0]


# -- packets of strangers --------------------------------------------------------------------------------------------


def icmp6(src: bytes, dst: bytes, kind: int, body: bytes, code: int = 0, hlim: int = 255) -> bytes:
    return ip6.build(src, dst, 58, icmp.build(src, dst, kind, code, body), hlim=hlim)


def ns(target: bytes, *, src: bytes = STRANGER, dst: bytes | None = None, lladdr: bytes | None = STRANGER_MAC,
       hlim: int = 255) -> bytes:  # fmt: skip
    """A neighbor solicitation, to the solicited-node group unless ``dst``."""
    options = nd_options.build_lladdr(nd_options.SLLA, lladdr) if lladdr is not None else b""
    body = nd.NeighborSolicit(target, options).pack()
    return icmp6(src, dst or in6.solicited_node(target), icmp.NEIGHBOR_SOLICIT, body, hlim=hlim)


def dad_ns(target: bytes) -> bytes:
    return ns(target, src=in6.UNSPECIFIED, lladdr=None)


def na(target: bytes, dst: bytes, flags: str = "", *, src: bytes | None = None, lladdr: bytes | None = STRANGER_MAC,
       hlim: int = 255) -> bytes:  # fmt: skip
    """A neighbor advertisement with the flags of ``flags``: R, S, O."""
    options = nd_options.build_lladdr(nd_options.TLLA, lladdr) if lladdr is not None else b""
    body = nd.NeighborAdvert("R" in flags, "S" in flags, "O" in flags, target, options).pack()
    return icmp6(src or target, dst, icmp.NEIGHBOR_ADVERT, body, hlim=hlim)


def rs(src: bytes = STRANGER, lladdr: bytes | None = STRANGER_MAC, hlim: int = 255,
       dst: bytes = ALLNODES) -> bytes:  # fmt: skip
    """A router solicitation; to all nodes, since nobody has joined ff02::2 here."""
    options = nd_options.build_lladdr(nd_options.SLLA, lladdr) if lladdr is not None else b""
    return icmp6(src, dst, icmp.ROUTER_SOLICIT, nd.RouterSolicit(options).pack(), hlim=hlim)


def prefix(text: str, valid: int = 2592000, preferred: int = 604800, flags: str = "LA") -> bytes:
    """A prefix information option."""
    addr, plen = in6.parse_prefix(text)
    return nd_options.build_prefix(nd_options.PrefixInfo(plen, "L" in flags, "A" in flags, valid, preferred, addr))


def ra(options: bytes = b"", *, src: bytes = ROUTER, lladdr: bytes | None = ROUTER_MAC, lifetime: int = 1800,
       preference: int = 0, hlim: int = 0, reachable: int = 0, retrans: int = 0, managed: bool = False,
       dst: bytes = ALLNODES, iphlim: int = 255) -> bytes:  # fmt: skip
    """A router advertisement."""
    if lladdr is not None:
        options = nd_options.build_lladdr(nd_options.SLLA, lladdr) + options
    body = nd.RouterAdvert(hlim, managed, False, preference, lifetime, reachable, retrans, options).pack()
    return icmp6(src, dst, icmp.ROUTER_ADVERT, body, hlim=iphlim)


def redirect(dst: bytes, destination: bytes, target: bytes, *, src: bytes = ROUTER, lladdr: bytes | None = None,
             hlim: int = 255) -> bytes:  # fmt: skip
    """A redirect sent to ``dst``: ``target`` is the better first hop for ``destination``."""
    options = nd_options.build_lladdr(nd_options.TLLA, lladdr) if lladdr is not None else b""
    return icmp6(src, dst, icmp.REDIRECT, nd.Redirect(target, destination, options).pack(), hlim=hlim)


def mld_message(kind: int, group: bytes, *, delay: int = 0, src: bytes = STRANGER, dst: bytes | None = None,
                hlim: int = 1) -> bytes:  # fmt: skip
    """A listener query, report or done, without router alert."""
    return icmp6(src, dst or (group if group != bytes(16) else ALLNODES), kind, mld.Mld(delay, group).pack(), hlim=hlim)


def echo(src: bytes, dst: bytes, data: bytes = b"12345678", hlim: int = 64) -> bytes:
    return icmp6(src, dst, icmp.ECHO_REQUEST, icmp.echo_body(1, 1, data), hlim=hlim)


def echo_to(text: str, interface: Interface, **options: Any) -> Output:
    """An echo request of the node itself, to an address in the zone of ``interface``."""
    message = icmp.build(bytes(16), bytes(16), icmp.ECHO_REQUEST, 0, icmp.echo_body(1, 1, b"12345678"))
    return Output("test", scoped(interface, A(text)), 58, message[:2] + b"\0\0" + message[4:], cksum=2, **options)


def datagram(src: bytes, dst: bytes, port: int = 9, data: bytes = b"data", hlim: int = 64, sport: int = 1000) -> bytes:
    return ip6.build(src, dst, 17, udp.build(src, dst, sport, port, data), hlim=hlim)


# -- the accountant (promise 3) ------------------------------------------------------------------------------------


def account(net: Network) -> dict[str, int]:
    """Every packet of the whole trace has exactly one end or one open hold; raises AssertionError naming what has not.

    Taken in (``rx`` records, and wholes put together of fragments): one ``deliver``, ``drop`` or ``forward``, the
    last followed by one ``tx``; or an open hold. Made here: one ``tx`` or ``drop``, or an open hold. A hold is followed
    by exactly one record that names it as its cause, for the same packet. Open holds are those, and only those, that
    the kernels' tables still have. Every cause is an earlier record. The result counts how packets ended.
    """
    trace = net.trace
    assert trace.lost == 0, "frames were let go: nothing can be accounted for"
    events: dict[int, list[Record]] = {}
    wholes: set[int] = set()
    ends_of_hold: dict[int, list[Record]] = {}
    holds: dict[int, Record] = {}
    numbers = {0}
    for record in trace.all():
        assert record.cause in numbers, record
        numbers.add(record.num)
        if record.packet:
            events.setdefault(record.packet, []).append(record)
            if record.cause in holds and record.packet == holds[record.cause].packet:
                ends_of_hold.setdefault(record.cause, []).append(record)
            if record.event == "hold":
                holds[record.num] = record
            if record.note.startswith("reassembled into packet "):
                wholes.add(int(record.note.rsplit(" ", 1)[1]))
    assert sorted(events) == list(range(1, trace.packet + 1)), "a packet id without any record"
    open_holds = {}
    for num, record in holds.items():
        ends = ends_of_hold.get(num, [])
        # A forwarded packet's hold is named by its forward record, whose tx then names that.
        assert len(ends) <= 1, ends
        if not ends:
            assert record.packet not in open_holds, record
            open_holds[record.packet] = record
    total: Counter[str] = Counter()
    for packet, story in events.items():
        names = [record.event for record in story]
        ends = [name for name in names if name in ("deliver", "drop", "forward")]
        taken = names[0] == "rx" or packet in wholes
        assert names.count("rx") <= 1, story
        assert names.count("hold") <= 1, story
        if packet in open_holds:
            assert not ends, story
            assert "tx" not in names, story
            total["held"] += 1
            continue
        if taken:
            assert len(ends) == 1, story
            assert names.count("tx") == (ends[0] == "forward"), story
            if ends[0] == "forward":
                assert names.index("tx") > names.index("forward"), story
            total[ends[0]] += 1
        else:
            assert (names.count("tx"), len(ends)) in ((1, 0), (0, 1)), story
            assert not ends or ends == ["drop"], story
            total["sent" if not ends else "refused"] += 1
    waiting = [
        held.pid
        for node in net.nodes.values()
        for iface in node.interfaces.values()
        for nbr in iface.neighbors.values()
        for held in nbr.hold
    ]
    waiting += [
        pkt.pid for node in net.nodes.values() for queue in node.reassembly.values() for _, _, pkt in queue.pieces
    ]
    assert sorted(waiting) == sorted(open_holds)
    assert not [record for record in trace.all() if record.reason == "INTERNAL"]
    return dict(total)
