"""What has to hold however bad the input: no fault, bounded tables, one end for each packet, true sums."""

from __future__ import annotations

from collections import Counter

from kamelab.core.drops import REASONS
from kamelab.stack.flow import FLOW_LIMIT
from kamelab.stack.netinet import tcp_var
from kamelab.stack.netinet6 import in6 as in6_if
from kamelab.stack.netinet6 import in6_src, mld6, nd6, nd6_defrouter, nd6_prefix, redirect6
from kamelab.stack.node import LOG_LIMIT, Node
from kamelab.stack.socket.sockets import MESSAGE_COST
from kamelab.userland.system import CONSOLE_LIMIT, ENDED_LIMIT, PROCESS_LIMIT
from tests.fuzz.acts import OWN_SOCKETS
from tests.fuzz.world import TCP_PORTS, World
from tests.stack.wires import account

HEAP_LIMIT = 30_000
SOCKET_LIMIT = 60 + OWN_SOCKETS + tcp_var.ORPHAN_LIMIT + 12 * 128 + 300
"""Programs', ours, orphans, full queues of all listeners, and inetd's clients."""
FILE_LIMIT = 200_000


BEFORE_IP6 = ("LINK_SHORT", "LINK_TYPE", "ND_DISABLED")
"""Ends that a frame can meet before it is counted as an IPv6 packet."""
BESIDES = ("ip6.sources_none", "udp6.fullsock")
"""Counters that may be higher than the sum over the reasons: connect(2) selects a source without a packet, and a
multicast datagram may find one socket's buffer full and be delivered to another."""


class Found(Exception):
    """The fuzzer found something: its message says what."""


def limit(what: str, size: int, most: int) -> None:
    """Raise `Found` where a table has outgrown its bound."""
    if size > most:
        raise Found(f"{what}: {size}, more than {most}")


def no_faults(world: World) -> None:
    """No internal error on a console, no program that fell over."""
    for node, system in zip(world.nodes, world.systems, strict=True):
        for _, text in node.kernel_log:
            if "internal error" in text:
                raise Found(f"{node.name}: {text}")
        if system.faults:
            raise Found(f"{node.name}: {system.faults[0]}")


def bounded(world: World) -> None:
    """The limits that each table has."""
    for node in world.nodes:
        _kernel(node)
    for system in world.systems:
        limit("processes", len(system.procs), PROCESS_LIMIT)
        limit("console", len(system.console), CONSOLE_LIMIT)
        limit("ended", len(system.ended), ENDED_LIMIT)
        limit("pipes", len(system.pipes), PROCESS_LIMIT)
        limit("files", sum(map(len, system.files.values())), FILE_LIMIT)
        limit("sleepers", sum(map(len, system.sleepers.values())), 4000)
    limit("heap", len(world.net.clock.heap), HEAP_LIMIT)
    limit("ready", len(world.net.clock.ready), 0)


def _kernel(node: Node) -> None:
    name = node.name
    limit(f"{name} routers", len(node.routers), nd6_defrouter.ROUTER_LIMIT)
    limit(f"{name} flows", len(node.flows), FLOW_LIMIT)
    limit(f"{name} log", len(node.kernel_log), LOG_LIMIT)
    limit(f"{name} fragments", sum(len(queue.pieces) for queue in node.reassembly.values()), 200)
    limit(f"{name} reassembly", len(node.reassembly), 200)
    limit(f"{name} dynamic routes", node.routes.dynamic_count(), redirect6.ROUTE_LIMIT)
    limit(f"{name} chosen sources", len(node.told_sources), in6_src.TOLD_LIMIT)
    limit(f"{name} counters", len(node.stat), 1500)
    limit(f"{name} fast counters", len(node.fast), 768)
    addresses = 0
    for iface in node.interfaces.values():
        what = f"{name} {iface.name}"
        addresses += len(iface.addresses)
        limit(f"{what} neighbors", len(iface.neighbors), nd6.NEIGHBOR_LIMIT)
        limit(f"{what} prefixes", len(iface.prefixes), nd6_prefix.PREFIX_LIMIT + in6_if.ADDRESS_LIMIT)
        limit(f"{what} addresses", len(iface.addresses), in6_if.ADDRESS_LIMIT)
        limit(f"{what} groups", len(iface.groups), mld6.GROUP_LIMIT)
        limit(f"{what} filter", len(iface.filter), len(iface.groups))
        limit(f"{what} held", max((len(one.hold) for one in iface.neighbors.values()), default=0), 3)
        limit(f"{what} routers of a prefix", max((len(one.routers) for one in iface.prefixes), default=0),
              nd6_prefix.PREFIX_LIMIT)  # fmt: skip
        limit(f"{what} sources asked about", max((len(one.asked) for one in iface.groups.values()), default=0), 2048)
        limit(f"{what} taps", len(iface.taps), 30)
    limit(f"{name} own", len(node.own), addresses)
    most = redirect6.ROUTE_LIMIT + 2 * addresses + 4 * nd6_prefix.PREFIX_LIMIT + 30
    limit(f"{name} routes", len(node.routes.all()), most)
    limit(f"{name} sockets", len(node.sockets), SOCKET_LIMIT)
    limit(f"{name} connections", len(node.tcp_conns), SOCKET_LIMIT)
    limit(f"{name} orphans", len(node.tcp_orphans), tcp_var.ORPHAN_LIMIT)
    for key, tcb in node.tcp_conns.items():
        if node.sockets.get(tcb.sid) is None or tcb.key != key:
            raise Found(f"{name}: a connection without its socket: {tcb.sid}")
    for so in node.sockets.values():
        what = f"{name} socket {so.sid}"
        if so.octets != sum(len(one.data) + MESSAGE_COST for one in so.queue) and so.kind != "route":
            raise Found(f"{what}: {so.octets} octets counted")
        tcb = so.tcb
        if tcb is None:
            limit(f"{what} octets", so.octets, max(so.rcvbuf, 0x400000 if so.kind == "bpf" else 262_144))
            continue
        limit(f"{what} pieces out of order", len(tcb.queue), tcp_var.REASS_LIMIT)
        limit(f"{what} receive buffer", len(tcb.rcv_buf), 262_144 + 65_535)
        limit(f"{what} send buffer", len(tcb.snd_buf), 262_144 + 65_535)
        limit(f"{what} half open", len(tcb.syn), 128)
        limit(f"{what} accept queue", len(tcb.accept_queue), max(1, tcb.backlog))
        if not tcb.snd_una <= tcb.snd_nxt <= tcb.snd_max:
            raise Found(f"{what}: snd_una {tcb.snd_una} snd_nxt {tcb.snd_nxt} snd_max {tcb.snd_max}")


def true_sums(world: World) -> None:
    """Each counter is the sum of what feeds it, told from the records alone."""
    expected: dict[str, Counter[str]] = {node.name: Counter() for node in world.nodes}
    seen: dict[str, Counter[str]] = {node.name: Counter() for node in world.nodes}
    taken: set[int] = set()
    fed = {name for reason in REASONS.values() for name in reason.counters}
    for record in world.net.trace.all():
        if record.node not in expected:
            continue
        if record.event in ("rx", "forward"):
            seen[record.node][record.event] += 1
            if record.event == "rx":
                taken.add(record.packet)
        elif record.reason in REASONS:
            expected[record.node].update(REASONS[record.reason].counters)
            if record.reason in BEFORE_IP6 and record.stage == "ip6_input" and record.packet in taken:
                seen[record.node]["before"] += 1
    for node in world.nodes:
        counters = node.counters()
        for name in sorted(fed):
            beside = counters.get(name, 0) - expected[node.name][name]
            if beside and (beside < 0 or name not in BESIDES):
                raise Found(
                    f"{node.name} {name}: {counters.get(name, 0)}, but {expected[node.name][name]} were dropped"
                )
        tally = seen[node.name]
        for name, number in (
            ("ip6.total", tally["rx"] - tally["before"]),
            ("ip6.forward", tally["forward"]),
        ):
            if counters.get(name, 0) != number:
                raise Found(f"{node.name} {name}: {counters.get(name, 0)}, by the records {number}")


def accounted(world: World) -> dict[str, int]:
    """Every packet has one end (`tests.stack.wires.account`)."""
    try:
        return account(world.net)
    except AssertionError as error:
        raise Found(f"accounting: {error}") from error


__all__ = ["TCP_PORTS", "Found", "accounted", "bounded", "no_faults", "true_sums"]
