"""The way out: the only code that transmits, and that ends what waited for a link-layer address (KAME nd6_output).

``perform`` carries out the actions of handlers, timers and system calls; each packet leaves through ``transmit`` with
its records and counters, or waits, or ends with a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.drops import REASONS
from kamelab.core.errors import ENETDOWN
from kamelab.stack.net import bpf
from kamelab.stack.netinet6 import ip6_output, nd6, scope6
from kamelab.stack.netinet6.nd6_state import DELAY, PROBE, REACHABLE, STALE, move
from kamelab.stack.packet import Action, Discard, Held, Output, Release
from kamelab.wire import ether, ip6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

NO_ADDRESSES = ether.header(bytes(6), bytes(6))
"""The Ethernet header of frames on media without link-layer addresses, in captures."""


def perform(node: Node, actions: list[Action]) -> None:
    """Carry out what a handler, a timer or a system call asked for, in order, under the ambient cause."""
    trace = node.trace
    cause, also = trace.cause, trace.also
    for action in actions:
        trace.cause, trace.also = cause, also
        if isinstance(action, Output):
            send(node, action)
        elif isinstance(action, Release):
            release(node, action.held, action.lladdr)
        elif isinstance(action, Discard):
            end_held(node, action.held.iface, action.held.pid, action.held.hold, "nd6_output", action.reason)
        else:
            end_held(node, action.pkt.iface, action.pkt.pid, action.pkt.hold, "frag6_input", action.reason)
    trace.cause, trace.also = cause, also


def send(node: Node, out: Output) -> int:
    """Send a packet of this node; the errno that its sender hears, 0 when it left or waits."""
    trace = node.trace
    pid = trace.new_packet()
    prepared = ip6_output.ip6_output(node, out)
    if isinstance(prepared, str):
        reason = REASONS[prepared]
        node.count_reason(prepared)
        oif = out.oif.name if out.oif is not None else ""
        trace.record(
            node.clock.now, node.name, oif, out.stage, pid, "drop", prepared, reason.rule,
            f"{out.note or ip6.protocol_name(out.nxt)} to {node.text(out.dst)}",
        )  # fmt: skip
        return out.errno
    if out.nxt == ip6.IPPROTO_ICMPV6 and out.payload:
        node.stat[f"icmp6.outhist.{out.payload[0]}"] += 1
        prepared.iface.stat6[f"icmp6_out.{out.payload[0]}"] += 1
    iface = prepared.iface
    if len(prepared.packets) == 1:
        out.errno = link_output(
            node, iface, prepared.nexthop, prepared.packets[0], pid, None, out.stage, out.note, out.loop
        )
        return out.errno
    trace.cause = trace.record(
        node.clock.now, node.name, iface.name, "ip6_output", pid, "tx", "", "RFC 8200 4.5",
        f"cut into {len(prepared.packets)} fragments",
    )  # fmt: skip
    for number, packet in enumerate(prepared.packets, 1):
        out.errno = link_output(
            node,
            iface, prepared.nexthop, packet, trace.new_packet(), None, out.stage,
            f"fragment {number} of packet {pid}", out.loop,
        )  # fmt: skip
    return out.errno


def link_output(
    node: Node,
    iface: Interface,
    nexthop: bytes,
    packet: bytes,
    pid: int,
    rx_iface: Interface | None,
    stage: str,
    note: str,
    loop: bool = True,
) -> int:
    """The last step: link-layer address, then the medium (KAME nd6_output). ``rx_iface``: for forwarded packets."""
    trace = node.trace
    if not iface.up or iface.disabled:
        name = "ND_DISABLED" if iface.up else "OUT_NOTUP"
        node.count_reason(name)
        trace.record(node.clock.now, node.name, iface.name, stage, pid, "drop", name, REASONS[name].rule, note)
        return ENETDOWN
    if nexthop[0] == 0xFF:
        plain = packet[24:40]
        frame = ether.header(ether.multicast_mac(plain), iface.mac or bytes(6)) + packet
        if iface.loopback:
            transmit(node, iface, frame, pid, rx_iface, stage, note)
            return 0
        tx = 0
        if plain[1] & 0x0F > 1:
            tx = transmit(node, iface, frame, pid, rx_iface, stage, note)
        else:
            # Interface-local multicast never leaves: only the copy below exists.
            tx = trace.record(
                node.clock.now, node.name, iface.name, stage, pid, "tx", "", "RFC 4291 2.7", "stays on the node"
            )
        if loop and rx_iface is None and nexthop in iface.groups:
            node.clock.send(node.clock.now, iface, frame, tx, True)
        return 0
    if iface.loopback and scope6.is_scoped(nexthop) and nexthop in node.own:
        # lo0 carries it, but it comes in where its zone is (BSD looutput keeps the real interface).
        frame = NO_ADDRESSES + packet
        transmit(node, iface, frame, pid, rx_iface, stage, note, arrives=node.own[nexthop][0])
        return 0
    if iface.loopback or (not iface.mac and not iface.pointopoint):
        transmit(node, iface, NO_ADDRESSES + packet, pid, rx_iface, stage, note)
        return 0
    if nexthop in node.own:
        route = node.routes.exact(nexthop, 128)
        if route is not None and route.own and route.iface is iface:
            # nd6_useloopback was 0: to the interface's own MAC, which never reaches the medium (BSD if_simloop).
            frame = ether.header(iface.mac, iface.mac) + packet
            transmit(node, iface, frame, pid, rx_iface, stage, note, arrives=iface)
            return 0
        transmit(node, node.loopback, NO_ADDRESSES + packet, pid, rx_iface, stage, note)
        return 0
    if nexthop not in iface.neighbors:
        perform(node, nd6.nd6_make_room(node, iface, nexthop))
    nbr = nd6.nd6_lookup(node, iface, nexthop)
    if not iface.mac:
        # A point-to-point line: an entry that knows nothing becomes STALE, and the packet leaves on that.
        if nbr.state not in (STALE, REACHABLE, DELAY, PROBE):
            move(node, iface, nbr, "output")
        if nbr.state == STALE:
            move(node, iface, nbr, "output")
        transmit(node, iface, NO_ADDRESSES + packet, pid, rx_iface, stage, note)
        return 0
    if nbr.lladdr:
        if nbr.state == STALE:
            move(node, iface, nbr, "output")
        transmit(node, iface, ether.header(nbr.lladdr, iface.mac) + packet, pid, rx_iface, stage, note)
        return 0
    held = Held(iface, packet, pid, 0, rx_iface)
    held.hold = trace.record(
        node.clock.now, node.name, iface.name, "nd6_output", pid, "hold", "", "RFC 4861 7.2.2",
        f"waits for the link-layer address of {node.text(nexthop)}",
    )  # fmt: skip
    trace.cause = held.hold
    perform(node, nd6.nd6_resolve(node, iface, nbr, held))
    return 0


def transmit(
    node: Node,
    iface: Interface,
    frame: bytes,
    pid: int,
    rx_iface: Interface | None,
    stage: str,
    note: str,
    arrives: Interface | None = None,
) -> int:
    """Records and counters of a packet that leaves, then the medium; the number of its tx record.

    ``arrives``: for a packet to this node itself, the interface that it comes in by instead of the medium's.
    """
    trace = node.trace
    now = node.clock.now
    if rx_iface is not None:
        node.stat["ip6.forward"] += 1
        trace.cause = trace.record(
            now, node.name, rx_iface.name, "ip6_forward", pid, "forward", "", "RFC 8200 3", f"out of {iface.name}"
        )
        trace.also = 0
    else:
        iface.originated += 1
    tx = trace.frame(now, node.name, iface.name, pid, "tx", note or stage, trace.cause, trace.also, frame)
    iface.opackets += 1
    iface.obytes += len(frame)
    if iface.taps:
        bpf.tap(node, iface, frame)
    if arrives is not None:
        node.clock.send(now, arrives, frame, tx, True)
    else:
        iface.link.transmit(iface, frame, tx)
    return tx


def release(node: Node, held: Held, lladdr: bytes) -> None:
    """A packet that waited leaves: because it was held, and now because of what came."""
    trace = node.trace
    trace.also = trace.cause
    trace.cause = held.hold
    iface = held.iface
    if not iface.up or iface.disabled:
        end_held(node, iface, held.pid, held.hold, "nd6_output", "OUT_NOTUP")
        return
    frame = ether.header(lladdr, iface.mac) + held.packet
    transmit(node, iface, frame, held.pid, held.rx_iface, "nd6_output", "")


def end_held(node: Node, iface: Interface, pid: int, hold: int, stage: str, name: str) -> None:
    """A packet that waited is dropped; the record names its hold."""
    trace = node.trace
    reason = REASONS[name]
    node.count_reason(name)
    iface.drops += 1
    trace.record(
        node.clock.now, node.name, iface.name, stage, pid, "drop", name, reason.rule, cause=hold, also=trace.cause
    )
