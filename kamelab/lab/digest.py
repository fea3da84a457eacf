"""The state digest: one hash over everything that decides a lab's future.

Events done, all tables and counters, open timers with absolute deadlines, programs and random streams, queues, frames
in flight. Neither the idle clock after the last event, nor record and packet numbers, nor caches that only speed
things up.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from kamelab.core.timers import Timer
from kamelab.lab.build import World
from kamelab.stack import tables
from kamelab.stack.node import Node
from kamelab.stack.socket import stream


def digest(world: World) -> str:
    """SHA-256 in hex."""
    total = sha256()
    for item in _items(world):
        total.update(repr(item).encode())
        total.update(b"\n")
    return total.hexdigest()


def trace_hash(world: World) -> str:
    """SHA-256 over every kept record: a state digest does not see order."""
    total = sha256()
    for record in world.network.trace.all():
        total.update(repr(tuple(record)).encode())
    return total.hexdigest()


def _items(world: World) -> Iterator[Any]:
    network = world.network
    clock = network.clock
    yield ("events", clock.events)
    for link in network.links.values():
        yield ("link", *link.state())
        for port in link.ports:
            yield ("port", port.name, port.carried)
    for node in network.nodes.values():
        yield from _node(node)
    for name, system in world.systems.items():
        yield ("system", name)
        yield from system.digest_items()
    for at, _, timer in network.timers():
        yield ("timer", at, _owner(timer), timer.method, timer.args, timer.ageing)
    flying = [entry for entry in clock.heap if not isinstance(entry[2], Timer)]
    for entry in sorted(flying, key=lambda one: one[:2]):
        # A frame that nobody will take in goes as time passes, without an event.
        if entry[2].node.accepts(entry[2], entry[3], entry[5]):
            yield ("frame", entry[0], entry[2].node.name, entry[2].name, entry[3], entry[5])
    yield ("streams", sorted(network.streams.counters.items()))


def _owner(timer: Timer) -> str:
    name = getattr(timer.owner, "name", None)
    return str(name if name is not None else timer.owner.node.name)


def _keys(node: Node) -> Iterator[Any]:
    """What the key engine remembers besides its rows; counters and the flow cache of policies are no part of it."""
    keys = node.keys
    for sa in keys.sad:
        yield (sa.ekey, sa.akey, sa.iv, sa.sadb_seq, sa.soft, sa.hard)
    spd = keys.spd
    yield (spd.order, spd.last_id, spd.last_reqid, keys.sad.born, keys.acquires.seq, keys.wake, keys.promiscuous)
    for policy in spd:
        yield [(request.sa.spi if request.sa is not None else 0) for request in policy.requests]
    asked = (*keys.acquires.asked.items(), *keys.acquires.spasked.items())
    yield [(index, one.seq, one.created, one.count) for index, one in asked]
    yield (sorted(keys.registered.items()), node.key_sockets)
    for so in node.sockets.values():
        if so.policy is not None:
            yield (so.sid, so.policy.get_bytes("in"), so.policy.get_bytes("out"))


def _node(node: Node) -> Iterator[Any]:
    yield ("node", node.name, node.hostname, node.platform, sorted(node.sysctl.items()))
    yield sorted(node.counters().items())
    for table in tables.TABLES:
        # Rows of addresses count lifetimes down from now: what they are made of stands below.
        if table != "addresses":
            yield (table, tables.rows(node, table))
    for iface in node.interfaces.values():
        yield (iface.name, iface.joined, iface.linkmtu, iface.reachable, iface.reachable_at, iface.up_at)
        yield iface.history
        yield sorted(iface.filter.items())
        yield (iface.taps, iface.promisc, iface.late_mac)
        for address in iface.addresses:
            yield (
                address.addr, address.plen, address.flags(), address.vltime, address.pltime, address.updated,
                address.destination, address.dad_count, address.dad_heard, address.dad_tries, address.created,
                address.replaced, address.tries, sorted(address.dad_nonces),
            )  # fmt: skip
        for nbr in iface.neighbors.values():
            yield (nbr.addr, nbr.since, nbr.created, nbr.hints, nbr.manual)
            yield [(held.packet, held.forwarded) for held in nbr.hold]
        for group in iface.groups.values():
            yield (group.addr, group.reports, group.last_reporter, group.asked, sorted(group.refs.items()))
        mld = iface.mld
        yield (mld.robustness, mld.interval)
        yield [(addr, change.mode, sorted(change.sources.items())) for addr, change in mld.changes.items()]
    for so in node.sockets.values():
        yield (so.sid, so.kind, so.proto, list(so.groups.items()), sorted(so.options.items()), so.error)
        yield tuple(so.queue)
        yield (so.flow, so.rcvbuf, so.sndbuf, so.pathmtu)
        yield sorted(so.filter) if so.filter is not None else None
        if so.tcb is not None:
            yield stream.digest(so)
    # Of sockets that share a port the first one to take it gets the datagram.
    yield (node.udp_ports, node.tcp_ports, node.udp4_ports, node.tcp4_ports, node.raw_sockets, node.route_sockets)
    yield (node.tcp_secret, list(node.tcp_orphans), list(node.tcp_conns))
    for key, queue in node.reassembly.items():
        yield (key, queue.head, queue.expected, queue.ecn, queue.refused)
        yield [(at, piece, pkt.ipsec) for at, piece, pkt in queue.pieces]
    yield [(r.dst, r.plen, r.mtu_expire, r.locked) for r in node.routes.all() if r.mtu_expire or r.locked]
    yield (node.kernel_log, node.last_socket, node.default_interface, node.desync)
    yield from _keys(node)
    yield (node.error_last, node.error_window, node.error_count, node.forward_log)
