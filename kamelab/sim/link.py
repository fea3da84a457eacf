"""Links: a frame goes in at a time, deliveries come out through the clock.

A link is a shared Ethernet, a learning switch (`kamelab.sim.switch`) or a line between two stations. It may have a
limit of speed with a limited queue (`kamelab.sim.lane`) and the faults of a bad wire (`kamelab.sim.impair`), all drawn
from a stream of its own, so that two links never disturb each other. What is off costs nothing.
"""

from __future__ import annotations

from typing import Any

from kamelab.core.clock import Clock
from kamelab.core.drops import REASONS
from kamelab.core.rng import Streams
from kamelab.core.trace import Trace
from kamelab.sim import impair
from kamelab.sim.lane import Lane
from kamelab.sim.port import Port
from kamelab.sim.switch import Switch
from kamelab.stack.interface import Interface

LOSS_SCALE = impair.SCALE

PROBABILITIES = ("loss", "duplicate", "corrupt", "reorder")
NUMBERS = ("latency", "bandwidth", "mtu", "jitter", "queue")


class Link:
    """A shared Ethernet: every station hears every other. With ``kind`` ``ppp`` a line between two stations."""

    __slots__ = (
        "bandwidth",
        "carried",
        "clock",
        "corrupt",
        "duplicate",
        "jitter",
        "kind",
        "lanes",
        "last",
        "latency",
        "loss",
        "lost",
        "mtu",
        "name",
        "plain",
        "ports",
        "queue",
        "reorder",
        "stations",
        "streams",
        "switch",
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
        switch: bool = False,
        jitter: int = 0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        corrupt: float = 0.0,
        queue: int = 0,
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
        self.queue = queue
        """Frames that may wait where there is a limit of speed, the one on the wire among them; 0: any number."""
        self.loss = self.duplicate = self.corrupt = self.reorder = 0
        """Chances of each delivery, in parts of `LOSS_SCALE` (`kamelab.sim.impair`)."""
        self.jitter = jitter
        """Greatest extra delay of a delivery, ns."""
        self.mtu = mtu
        self.up = up
        self.switch: Switch | None = None
        self.stations: list[Interface] = []
        self.ports: list[Port] = []
        """Where the link ends in the outside world; they come behind the stations."""
        self.lanes = (Lane(), Lane())
        """A shared Ethernet has one for all, a line one an end; a switch has its own."""
        self.last: dict[str, int] = {}
        """When the last frame comes to each station, ns since boot, where jitter must keep the order."""
        self.carried = 0
        self.lost = 0
        self.plain = True
        """Nothing that a delivery must be judged by."""
        chances = {"loss": loss, "duplicate": duplicate, "corrupt": corrupt, "reorder": reorder}
        for key, value in (*chances.items(), ("switch", switch)):
            self.set(key, value)

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
        if self.switch is not None:
            self.switch.forget(old)

    def power(self, up: bool) -> None:
        """The medium comes or goes; a switch forgets what it has learned."""
        self.up = up
        if self.switch is not None:
            self.switch.forget()

    def set(self, key: str, value: int | float) -> None:
        """Change a setting: ``latency`` and ``jitter`` (ns), ``bandwidth`` (bits per second), ``mtu`` (octets),
        ``queue`` (frames), ``loss duplicate corrupt reorder`` (probabilities), ``switch`` (0, 1).

        Raises ValueError for another key.
        """
        if key in PROBABILITIES:
            setattr(self, key, round(float(value) * LOSS_SCALE))
        elif key in NUMBERS:
            setattr(self, key, int(value))
        elif key == "switch":
            if bool(value) != (self.switch is not None):
                # A line between two has nothing to learn.
                self.switch = Switch() if value and self.kind != "ppp" else None
        else:
            raise ValueError(key)
        faults = self.loss or self.duplicate or self.corrupt or self.reorder or self.jitter
        self.plain = not faults and not self.queue and self.switch is None

    def transmit(self, interface: Interface | Port, frame: bytes, cause: int) -> None:
        """Carry a frame from ``interface`` to all others, in the order in which they were attached, ports last."""
        if not self.up:
            self.lose(interface, cause, "LINK_DOWN")
            return
        if len(frame) - 14 > self.mtu:
            self.lose(interface, cause, "LINK_TOOBIG")
            return
        if not self.plain:
            self._carry(interface, frame, cause)
            return
        clock = self.clock
        at = clock.now
        if self.bandwidth:
            at = self._lane(interface).take(at, len(frame), self.bandwidth, 0)
        at += self.latency
        self.carried += 1
        for station in self.stations:
            if station is not interface:
                clock.send(at, station, frame, cause)
        for port in self.ports:
            if port is not interface:
                clock.send(at, port, frame, cause)

    def _lane(self, interface: Interface | Port) -> Lane:
        return self.lanes[self.kind == "ppp" and interface in self.stations[1:2]]

    def _carry(self, interface: Interface | Port, frame: bytes, cause: int) -> None:
        """`transmit` where a switch, a limited queue or a fault has its say."""
        now = begin = self.clock.now
        switch = self.switch
        receivers: list[Interface | Port] = [*self.stations, *self.ports]
        if switch is not None:
            switch.learn(frame[6:12], interface, now)
            known = switch.find(frame[:6], now)
            if known is not None:
                receivers = [known]
        elif self.bandwidth:
            begin = self._lane(interface).take(now, len(frame), self.bandwidth, self.queue)
            if begin < 0:
                self.lose(interface, cause, "LINK_QUEUE")
                return
        self.carried += 1
        for station in receivers:
            if station is interface:
                continue
            at = begin
            if switch is not None and self.bandwidth:
                at = switch.lane(station).take(now, len(frame), self.bandwidth, self.queue)
                if at < 0:
                    self.lose(station, cause, "LINK_QUEUE")
                    continue
            impair.deliver(self, station, frame, at + self.latency, cause)

    def lose(self, interface: Interface | Port, cause: int, name: str) -> None:
        """The record of a frame that goes no further; it names the station that sent or would have heard it."""
        self.lost += 1
        self._record(interface, cause, "drop", name, REASONS[name].rule, "")

    def note(self, interface: Interface | Port, cause: int, what: str, how: str) -> None:
        """The record of what a fault does to a frame that goes on to ``interface``."""
        self._record(interface, cause, "state", f"frame {what}", "", how)

    def _record(self, interface: Interface | Port, cause: int, event: str, reason: str, rule: str, note: str) -> None:
        self.trace.record(
            self.clock.now, interface.node.name, interface.name, f"link {self.name}", 0, event, reason, rule, note,
            cause=cause, also=0,
        )  # fmt: skip

    def state(self) -> tuple[Any, ...]:
        """All that decides what becomes of a frame, for the digest."""
        return (
            self.name, self.up, self.latency, self.bandwidth, self.queue, self.loss, self.duplicate, self.corrupt,
            self.reorder, self.jitter, self.mtu, [lane.state() for lane in self.lanes], list(self.last.items()),
            self.switch.state() if self.switch is not None else None, self.carried, self.lost,
        )  # fmt: skip
