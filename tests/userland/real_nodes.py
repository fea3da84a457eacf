"""Nodes with kernel, links and userland for the tests of programs: two hosts, a router between their links.

h1 ---- left ---- r1 ---- right ---- h2        2001:db8:1::/64 and 2001:db8:2::/64
"""

from __future__ import annotations

from typing import NamedTuple

from kamelab.sim.loop import run_event, run_ready
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.userland.system import CONSOLE, System

MS = 1_000_000
NS = 1_000_000_000

FORWARDING = "net.inet6.ip6.forwarding"
ACCEPT_RTADV = "net.inet6.ip6.accept_rtadv"


class Result(NamedTuple):
    """A line's output on its terminal, and its status."""

    output: str
    status: int

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()


class Bench:
    """A network, and lines typed on its nodes."""

    def __init__(self, seed: int = 1) -> None:
        self.net = Network(seed)
        self.macs = 0

    @property
    def now(self) -> int:
        return self.net.clock.now

    def link(self, name: str, latency: int = 50_000, **options: int | float) -> None:
        self.net.add_link(name, latency=latency, **options)  # type: ignore[arg-type]

    def node(self, name: str, *links: str, forwarding: int = 0, accept_rtadv: int = 0) -> Node:
        """A node with ne0, ne1 ... on the links, up."""
        node = self.net.add_node(name)
        node.userland = System(node, self.net.clock, self.net.trace, self.net.streams)
        syscalls.sysctl_set(node, FORWARDING, forwarding)
        syscalls.sysctl_set(node, ACCEPT_RTADV, accept_rtadv)
        for number, link in enumerate(links):
            self.macs += 1
            mac = bytes((2, 0, 0, 0, 0, self.macs))
            iface = self.net.add_interface(node, f"ne{number}", mac, self.net.links[link])
            node.perform(node.set_up(iface, True))
        return node

    def system(self, name: str) -> System:
        system = self.net.nodes[name].userland
        assert isinstance(system, System)
        return system

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + round(seconds * NS)
        run_ready(self.net)
        while run_event(self.net, end):
            pass
        self.net.clock.now = end

    def start(self, name: str, line: str) -> int:
        """Type a line and don't wait for it; the shell's process id."""
        pid = self.system(name).shell(line, name)
        run_ready(self.net)
        return pid

    def finish(self, name: str, pid: int, limit: float = 3600) -> Result:
        """Run until the shell has ended; what was printed since."""
        system = self.system(name)
        end = self.now + round(limit * NS)
        while (status := system.status(pid)) is None:
            assert run_event(self.net, end), f"{name}: it never ends"
        return Result(self.output(name), status)

    def sh(self, name: str, line: str, limit: float = 3600) -> Result:
        """Type a line and run until it is done."""
        return self.finish(name, self.start(name, line), limit)

    def sent(self, name: str, kind: int) -> list[tuple[int, bytes]]:
        """The ICMPv6 messages of a type that a node sent: (ns since boot, packet) in order of time."""
        return [
            (record[1], record[12][14:])
            for record in self.net.trace.packets
            if record[2] == name and record[6] == "tx" and record[12][20] == 58 and record[12][54] == kind
        ]

    def output(self, name: str) -> str:
        """What was printed on the node's terminal since the last look."""
        system = self.system(name)
        text = "".join(text for _, tty, text in system.output if tty != CONSOLE)
        system.output.clear()
        assert system.faults == []
        return text


def small(seed: int = 1) -> Bench:
    """h1 and h2 on one link, duplicate address detection over."""
    bench = Bench(seed)
    bench.link("lan")
    bench.node("h1", "lan")
    bench.node("h2", "lan")
    for number, name in enumerate(("h1", "h2"), 1):
        bench.sh(name, f"ifconfig ne0 inet6 2001:db8:1::{number} alias")
    bench.run(3)
    return bench


def routed(seed: int = 1) -> Bench:
    """h1 and h2 on two links with r1 between them, all configured by hand, duplicate address detection over."""
    bench = Bench(seed)
    bench.link("left")
    bench.link("right")
    bench.node("h1", "left")
    bench.node("r1", "left", "right", forwarding=1)
    bench.node("h2", "right")
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias; ifconfig ne1 inet6 2001:db8:2::ff alias")
    for number, name in enumerate(("h1", "h2"), 1):
        bench.sh(name, f"ifconfig ne0 inet6 2001:db8:{number}::{number} alias")
        bench.sh(name, f"route add -inet6 default 2001:db8:{number}::ff")
    bench.run(3)
    return bench
