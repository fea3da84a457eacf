"""Links: a frame goes in at a time, deliveries come out through the clock.

A link draws loss from a stream of its own, so that two links never disturb each other, and rounds serialisation delay
with the remainder carried on. Media faults beyond loss (jitter, duplication, reordering, corruption) and the learning
switch are not here yet.
"""

from __future__ import annotations

from kamelab.core.clock import SECOND, Clock
from kamelab.core.drops import REASONS
from kamelab.core.rng import Streams
from kamelab.core.trace import Trace
from kamelab.sim.port import Port
from kamelab.stack.interface import Interface

LOSS_SCALE = 1_000_000_000


class Link:
    """A shared Ethernet: every station hears every other. With ``kind`` ``ppp`` a line between two stations."""

    __slots__ = (
        "bandwidth",
        "busy_until",
        "carried",
        "clock",
        "kind",
        "latency",
        "loss",
        "lost",
        "mtu",
        "name",
        "ports",
        "remainder",
        "stations",
        "streams",
        "trace",
        "up",
    )

    def __init__(
        self,
        name: str,
        clock: Clock,
        trace: Trace,
        streams: Streams,
        *,
        kind: str = "ethernet",
        latency: int = 0,
        bandwidth: int = 0,
        loss: float = 0.0,
        mtu: int = 1500,
        up: bool = True,
    ) -> None:
        self.name = name
        self.clock = clock
        self.trace = trace
        self.streams = streams
        self.kind = kind
        self.latency = latency
        """One way, ns."""
        self.bandwidth = bandwidth
        """Bits per second; 0: without limit."""
        self.loss = round(loss * LOSS_SCALE)
        """Chance of each delivery to be lost, in parts of `LOSS_SCALE`."""
        self.mtu = mtu
        self.up = up
        self.stations: list[Interface] = []
        self.ports: list[Port] = []
        """Where the link ends in the outside world; they come behind the stations."""
        self.busy_until = [0, 0]
        """When each direction is free again, ns since boot; a shared Ethernet has one for all, a line one an end."""
        self.remainder = [0, 0]
        self.carried = 0
        self.lost = 0

    def attach(self, interface: Interface) -> None:
        """Plug an interface in."""
        self.stations.append(interface)

    def port(self, name: str) -> Port:
        """The port of that name, made if it is not there."""
        for port in self.ports:
            if port.name == name:
                return port
        port = Port(name, self)
        self.ports.append(port)
        return port

    def replug(self, old: Interface, new: Interface) -> None:
        """A rebooted node's interface takes the place of the one before; frames still on their way find nobody."""
        self.stations[self.stations.index(old)] = new

    def set(self, key: str, value: int | float) -> None:
        """Change ``latency`` (ns), ``bandwidth`` (bits per second), ``loss`` (probability) or ``mtu`` (octets)."""
        if key == "loss":
            self.loss = round(float(value) * LOSS_SCALE)
        elif key in ("latency", "bandwidth", "mtu"):
            setattr(self, key, int(value))
        else:
            raise ValueError(key)

    def transmit(self, interface: Interface | Port, frame: bytes, cause: int) -> None:
        """Carry a frame from ``interface`` to all others, in the order in which they were attached, ports last."""
        if not self.up:
            self._lose(interface, cause, "LINK_DOWN")
            return
        if len(frame) - 14 > self.mtu:
            self._lose(interface, cause, "LINK_TOOBIG")
            return
        clock = self.clock
        at = clock.now
        if self.bandwidth:
            lane = int(interface in self.stations[1:2]) if self.kind == "ppp" else 0
            total = len(frame) * 8 * SECOND + self.remainder[lane]
            self.remainder[lane] = total % self.bandwidth
            at = self.busy_until[lane] = max(at, self.busy_until[lane]) + total // self.bandwidth
        at += self.latency
        self.carried += 1
        loss = self.loss
        for station in self.stations:
            if station is interface:
                continue
            if loss and self.streams.below(f"link/{self.name}", LOSS_SCALE) < loss:
                self._lose(station, cause, "LINK_LOST")
                continue
            clock.send(at, station, frame, cause)
        for port in self.ports:
            if port is interface:
                continue
            if loss and self.streams.below(f"link/{self.name}", LOSS_SCALE) < loss:
                self._lose(port, cause, "LINK_LOST")
                continue
            clock.send(at, port, frame, cause)

    def _lose(self, interface: Interface | Port, cause: int, name: str) -> None:
        """The record of a frame that goes no further; it names the station that sent or would have heard it."""
        self.lost += 1
        self.trace.record(
            self.clock.now,
            interface.node.name,
            interface.name,
            f"link {self.name}",
            0,
            "drop",
            name,
            REASONS[name].rule,
            cause=cause,
            also=0,
        )
