"""A network: nodes and links on one clock, and what may be asked of it as a whole."""

from __future__ import annotations

from heapq import heappop

from kamelab.core.clock import DEFAULT_EPOCH, Clock
from kamelab.core.rng import Streams
from kamelab.core.timers import Timer
from kamelab.core.trace import Trace
from kamelab.sim.link import Link
from kamelab.stack.interface import Interface
from kamelab.stack.node import Node
from kamelab.stack.views import TimerRow


class Network:
    """Everything that runs on one clock. Nodes and links keep the order in which they were added."""

    def __init__(self, seed: int = 1, epoch: int = DEFAULT_EPOCH) -> None:
        self.seed = seed
        self.clock = Clock(epoch)
        self.trace = Trace()
        self.streams = Streams(seed)
        self.nodes: dict[str, Node] = {}
        self.links: dict[str, Link] = {}

    def add_link(
        self,
        name: str,
        *,
        kind: str = "ethernet",
        latency: int = 0,
        bandwidth: int = 0,
        loss: float = 0.0,
        mtu: int = 1500,
        up: bool = True,
        switch: bool = False,
        jitter: int = 0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        corrupt: float = 0.0,
        queue: int = 0,
    ) -> Link:
        """A new link; latency (one way) and jitter in ns, bandwidth in bits per second, queue in frames, loss,
        duplicate, reorder and corrupt as probabilities.
        """
        link = Link(
            name,
            self.clock,
            self.trace,
            self.streams,
            kind=kind,
            latency=latency,
            bandwidth=bandwidth,
            loss=loss,
            mtu=mtu,
            up=up,
            switch=switch,
            jitter=jitter,
            duplicate=duplicate,
            reorder=reorder,
            corrupt=corrupt,
            queue=queue,
        )
        self.links[name] = link
        return link

    def add_node(self, name: str) -> Node:
        """A new node with its loopback interface, down."""
        node = self.nodes[name] = Node(name, self.clock, self.trace, self.streams)
        return node

    def add_interface(self, node: Node, name: str, mac: bytes, link: Link, mtu: int = 0) -> Interface:
        """Plug a node into a link; its MTU is the link's unless it is given. A ppp line gives no link-layer address."""
        ppp = link.kind == "ppp"
        iface = node.add_interface(name, b"" if ppp else mac, mtu or link.mtu, link, pointopoint=ppp)
        link.attach(iface)
        return iface

    def set_link(self, name: str, up: bool) -> None:
        """``link NAME up|down``: interfaces on it lose or regain their carrier."""
        link = self.links[name]
        if link.up != up:
            link.power(up)
            for iface in link.stations:
                iface.node.link_changed(iface)

    def timers(self) -> list[tuple[int, int, Timer]]:
        """Armed timers as (deadline, order number, timer), soonest first."""
        found = {}
        for entry in self.clock.heap:
            timer = entry[2]
            if isinstance(timer, Timer) and timer.at is not None and timer.entry == entry[1]:
                found[timer.order] = (timer.at, timer.order, timer)
        return sorted(found.values(), key=lambda item: item[:2])

    def timer_rows(self) -> tuple[TimerRow, ...]:
        """Armed timers for people."""
        rows = []
        for at, _, timer in self.timers():
            name = getattr(timer.owner, "name", "")
            node = self.nodes.get(name)
            words = []
            for arg in timer.args:
                if isinstance(arg, bytes) and len(arg) == 16 and node is not None:
                    words.append(node.text(arg))
                elif isinstance(arg, int) and timer.method == "tcp_timer":
                    words.append(f"socket {arg}")
                elif isinstance(arg, int) and node is not None and timer.owner is node and not words:
                    iface = node.interfaces_by_index.get(arg)
                    words.append(iface.name if iface is not None else str(arg))
                else:
                    words.append(str(arg))
            rows.append(TimerRow(name, " ".join([timer.method.removesuffix("_timer"), *words]), at, timer.ageing))
        return tuple(rows)

    def next_event_at(self) -> int | None:
        """When the next timer fires or frame arrives, ns since boot; None: never."""
        heap = self.clock.heap
        while heap:
            at, order, target = heap[0][:3]
            if not isinstance(target, Timer) or target.live(order):
                return int(at)
            heappop(heap)
            target.due(order)
        return None
