"""The network that is fuzzed: a host and a router with everything switched on, and nobody else but strangers.

    h1 ---- left ---- r1 ---- right        r1 ---- line (ppp)

h1 autoconfigures itself, with temporary addresses; r1 forwards, advertises, and asks for listeners. Both take source
routes, answer node information queries, run inetd, and have sockets of every kind with every receiving option.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from kamelab.core.clock import SECOND
from kamelab.core.errors import Errno
from kamelab.sim.loop import run_event, run_ready
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.interface import Interface
from kamelab.stack.node import Node
from kamelab.stack.socket import ancillary
from kamelab.userland.system import System
from kamelab.wire import in6

A = in6.pton

LEFT, RIGHT, LINE, JUMBO = "2001:db8:1::", "2001:db8:2::", "2001:db8:3::", "::1"
H1_MAC, R1_LEFT, R1_RIGHT = (bytes((2, 0, 0, 0, 0, number)) for number in (1, 2, 3))
STRANGER_MACS = tuple(bytes((2, 0, 0, 0, 1, number)) for number in range(8))
TCP_PORTS = (7, 9, 13, 19, 80, 5000, 5001)
UDP_PORTS = (7, 9, 13, 19, 37, 500, 501, 502)
GROUPS = ("ff02::77", "ff05::77", "ff05::1:3", "ff0e::1", "ff12::9")
LOOPBACK_MTU = 70_000

RADVD = "ne0:\\\n\t:maxinterval#20:mininterval#5:\n"


class Entry(NamedTuple):
    """A place where strangers' frames come in."""

    iface: Interface
    prefix: bytes
    """The first 64 bits of the link's global addresses."""


class World:
    """The network, and where it can be reached."""

    def __init__(self, seed: int, random: Random) -> None:
        self.random = random
        self.net = Network(seed)
        self.systems: list[System] = []
        for name, kind in (("left", "ethernet"), ("right", "ethernet"), ("line", "ppp")):
            self.net.add_link(name, kind=kind, latency=1000)
        self.h1 = self._node("h1", (("left", H1_MAC),))
        self.r1 = self._node("r1", (("left", R1_LEFT), ("right", R1_RIGHT), ("line", b"")))
        self.nodes = (self.h1, self.r1)
        if random.random() < 0.3:
            for link in self.net.links.values():
                for name in ("loss", "duplicate", "corrupt", "reorder"):
                    link.set(name, random.choice((0, 0.05)))
                link.set("jitter", random.choice((0, 500_000)))
                link.set("bandwidth", random.choice((0, 5_000_000)))
                link.set("queue", random.choice((0, 3)))
                link.set("mtu", random.choice((1280, 1500)))
        self._configure()
        self.sids: dict[str, list[int]] = {node.name: self._sockets(node) for node in self.nodes}
        self.run(3 * SECOND)
        self.entries = [
            Entry(self.h1.interfaces["ne0"], A(LEFT)[:8]),
            Entry(self.r1.interfaces["ne0"], A(LEFT)[:8]),
            Entry(self.r1.interfaces["ne1"], A(RIGHT)[:8]),
            Entry(self.r1.interfaces["ne2"], A(LINE)[:8]),
            Entry(self.h1.interfaces["lo0"], A(LEFT)[:8]),
        ]

    # -- building ----------------------------------------------------------------------------------------------------

    def _node(self, name: str, plugs: tuple[tuple[str, bytes], ...]) -> Node:
        node = self.net.add_node(name)
        system = System(node, self.net.clock, self.net.trace, self.net.streams)
        node.userland = system
        self.systems.append(system)
        for number, (link, mac) in enumerate(plugs):
            self.net.add_interface(node, f"ne{number}", mac, self.net.links[link])
        return node

    def _configure(self) -> None:
        for node in self.nodes:
            for name, value in (
                ("ip6.rthdr0", 1),
                ("ip6.use_tempaddr", 1),
                ("ip6.temppltime", 700),
                ("ip6.tempvltime", 900),
                ("ip6.prefer_tempaddr", self.random.randrange(2)),
                ("icmp6.nodeinfo", 3),
                ("icmp6.mldv2", self.random.randrange(2)),
                ("icmp6.nd6_debug", self.random.randrange(2)),
                ("icmp6.nd6_maxnudhint", self.random.randrange(3)),
                ("icmp6.errppslimit", self.random.choice((5, 200, -1))),
                ("ip6.frag_overlap", self.random.randrange(2)),
                ("ip6.frag_chain", self.random.randrange(2)),
                ("ip6.auto_flowlabel", self.random.randrange(2)),
                ("ip6.mcast_pmtu", self.random.randrange(2)),
                ("ip6.pmtu_below_min", self.random.randrange(2)),
                ("ip6.srcsel_2000", self.random.randrange(2)),
            ):
                syscalls.sysctl_set(node, f"net.inet6.{name}", value)
        syscalls.sysctl_set(self.h1, "net.inet6.ip6.accept_rtadv", 1)
        syscalls.sysctl_set(self.r1, "net.inet6.ip6.forwarding", 1)
        for node in self.nodes:
            for name in node.interfaces:
                if name != "lo0":
                    syscalls.ioctl(node, "SIOCSIFFLAGS", name, up=True)
            syscalls.ioctl(node, "SIOCSIFMTU", "lo0", mtu=LOOPBACK_MTU)
        for node, interface, text, flags in (
            (self.h1, "ne0", LEFT + "1", ()),
            (self.h1, "ne0", LEFT + "a", ("anycast",)),
            (self.r1, "ne0", LEFT + "ff", ()),
            (self.r1, "ne1", RIGHT + "ff", ()),
            (self.r1, "ne1", RIGHT + "a", ("anycast",)),
            (self.r1, "ne2", LINE + "ff", ()),
            (self.r1, "ne2", "fe80::3", ()),
        ):
            syscalls.ioctl(node, "SIOCAIFADDR_IN6", interface, address=A(text), plen=64, flags=flags)
        syscalls.neighbor(self.r1, "set", address=A(LEFT + "77"), interface="ne0", lladdr=STRANGER_MACS[0], proxy=True)
        syscalls.route(self.r1, "add", destination=A("2001:db8:8::"), plen=48, gateway=A(RIGHT + "5"))
        syscalls.route(self.r1, "add", destination=A("2001:db8:7::"), plen=48, gateway=A("::1"), flags=("reject",))
        syscalls.route(self.r1, "add", destination=A("2001:db8:6::"), plen=48, gateway=A("::1"), flags=("blackhole",))
        for system in self.systems:
            system.files["/etc/rtadvd.conf"] = RADVD
        self.type(0, "inetd")
        self.type(0, "httpd")
        self.type(1, "inetd")
        self.type(1, "rtadvd -c /etc/rtadvd.conf ne0 ne1")
        self.type(1, "mld6d" + self.random.choice((" -2", "")))

    def type(self, number: int, line: str) -> None:
        """Have a node run a command line, in the background."""
        self.systems[number].shell(line, "console", background=True)

    def _sockets(self, node: Node) -> list[int]:
        """Sockets of every kind, wide open."""
        out = []
        # The last port has two sockets: a datagram to a group goes to both.
        for port in (*UDP_PORTS[-3:], UDP_PORTS[-1]):
            sid = syscalls.socket(node, 0, "udp6", 0)
            syscalls.setsockopt(node, sid, "SO_REUSEPORT", 1)
            syscalls.bind(node, sid, bytes(16), port, 0)
            out.append(sid)
        for proto in (58, 89, 103, 59, 41):
            out.append(syscalls.socket(node, 0, "raw6", proto))
        for sid in out:
            for name in (*ancillary.RECEIVED, "IPV6_RECVPATHMTU"):
                syscalls.setsockopt(node, sid, name, 1)
        for number, text in enumerate(one for one in GROUPS if one != "ff05::77"):
            syscalls.setsockopt(node, out[number % 3], "IPV6_JOIN_GROUP", (A(text), 1))
        for sid in out[2:4]:
            syscalls.setsockopt(node, sid, "IPV6_JOIN_GROUP", (A("ff05::77"), 1))
        for port in TCP_PORTS[-2:]:
            sid = syscalls.socket(node, 0, "tcp6", 0)
            syscalls.bind(node, sid, bytes(16), port, 0)
            syscalls.listen(node, sid, 8)
            out.append(sid)
        out.append(syscalls.socket(node, 0, "route", 0))
        tap = syscalls.socket(node, 0, "bpf", 0)
        syscalls.setsockopt(node, tap, "BIOCSETIF", "ne0")
        syscalls.setsockopt(node, tap, "BIOCPROMISC", self.random.randrange(2))
        out.append(tap)
        return out

    # -- time --------------------------------------------------------------------------------------------------------

    def run(self, ns: int) -> None:
        """Let time pass."""
        net = self.net
        end = net.clock.now + ns
        run_ready(net)
        while run_event(net, end):
            pass
        net.clock.now = end
        net.trace.cause = net.trace.also = 0


def tolerant(call: object, *args: object, **options: object) -> object:
    """The result of a system call, None where it is refused: an errno is an answer."""
    try:
        return call(*args, **options)  # type: ignore[operator]
    except Errno:
        return None
