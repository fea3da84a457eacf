"""Checkpoints: a world as octets, and back.

Each node's tables are pickled on their own, with references to other nodes, links, the clock and the trace by name, so
that no object graph grows with the lab. Programs are rebuilt from their logs (`System.revive`). The trace is not
part of it: the records held at restoring are a prefix of the truth or its continuation, as the caller arranges.

Replay defines what is right; a restored world has the same digest as a replayed one.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from kamelab.core.clock import Clock
from kamelab.core.rng import Streams
from kamelab.core.trace import Trace
from kamelab.lab.build import World
from kamelab.sim.link import Link
from kamelab.sim.topology import Network
from kamelab.stack.interface import Interface
from kamelab.stack.node import Node
from kamelab.userland.system import System


class _Pickler(pickle.Pickler):
    """Names shared objects instead of descending into them."""

    def __init__(self, out: io.BytesIO) -> None:
        super().__init__(out, protocol=5)

    def persistent_id(self, obj: Any) -> Any:
        kind = obj.__class__
        if kind is Interface:
            return ("iface", obj.node.name, obj.name)
        if kind is Node:
            return ("node", obj.name)
        if kind is Link:
            return ("link", obj.name)
        if kind is System:
            return ("system", obj.node.name)
        if kind is Clock:
            return "clock"
        if kind is Trace:
            return "trace"
        if kind is Streams:
            return "streams"
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: io.BytesIO, names: dict[Any, Any]) -> None:
        super().__init__(data)
        self.names = names

    def persistent_load(self, pid: Any) -> Any:
        return self.names[pid]


def take(world: World) -> bytes:
    """The whole world between two events (no task may be ready)."""
    network = world.network
    clock, trace = network.clock, network.trace
    out = io.BytesIO()
    pickler = _Pickler(out)
    pickler.dump((network.seed, clock.epoch, list(network.links), list(network.nodes)))
    pickler.dump({name: list(node.interfaces) for name, node in network.nodes.items()})
    pickler.dump((clock.now, clock.order, clock.events, clock.busy, clock.flight, clock.dead))
    pickler.dump((trace.num, trace.packet, trace.keep, network.streams.counters))
    for link in network.links.values():
        pickler.dump(_slots(link))
    # One pickler for all: its memo keeps a timer, a group or a held packet one object wherever it is referred to.
    for node in network.nodes.values():
        for iface in node.interfaces.values():
            pickler.dump(_slots(iface))
        pickler.dump(_slots(node, leave=("inet6sw",)))
    for system in world.systems.values():
        pickler.dump(system.__dict__)
    pickler.dump(clock.heap)
    return out.getvalue()


def restore(data: bytes) -> World:
    """The world of a checkpoint, its programs parked where they were."""
    stream = io.BytesIO(data)
    names: dict[Any, Any] = {}
    unpickler = _Unpickler(stream, names)
    seed, epoch, links, nodes = unpickler.load()
    interfaces = unpickler.load()
    network = Network(seed, epoch)
    clock, trace = network.clock, network.trace
    clock.now, clock.order, clock.events, clock.busy, clock.flight, clock.dead = unpickler.load()
    trace.num, trace.packet, trace.keep, network.streams.counters = unpickler.load()
    names.update({"clock": clock, "trace": trace, "streams": network.streams})
    for name in links:
        names["link", name] = network.links[name] = Link.__new__(Link)
    systems: dict[str, System] = {}
    for name in nodes:
        names["node", name] = network.nodes[name] = Node.__new__(Node)
        for ifname in interfaces[name]:
            names["iface", name, ifname] = Interface.__new__(Interface)
        names["system", name] = systems[name] = System.__new__(System)
    for name in links:
        _fill(names["link", name], unpickler.load())
    for name in nodes:
        for ifname in interfaces[name]:
            _fill(names["iface", name, ifname], unpickler.load())
        _fill(names["node", name], unpickler.load())
        names["node", name].restore_switch()
    for name in nodes:
        systems[name].__dict__.update(unpickler.load())
    clock.heap = unpickler.load()
    world = World(network, systems)
    for system in systems.values():
        system.revive()
    return world


def _slots(thing: Any, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in thing.__slots__ if name not in leave}


def _fill(thing: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(thing, name, value)
