"""From the trace to a pcapng file: names, direction, and how each packet ended as a comment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from kamelab.capture.packets import lost
from kamelab.capture.pcapng import CapturedPacket, CaptureInterface, write
from kamelab.core.drops import REASONS
from kamelab.core.trace import Record
from kamelab.sim.topology import Network
from kamelab.stack.netinet6.scope6 import in6_clearscope


def interfaces_of(network: Network) -> list[CaptureInterface]:
    """Every interface of every node, in file order: what a capture's interface numbers mean."""
    found = []
    for node in network.nodes.values():
        for iface in node.interfaces.values():
            addresses = tuple((in6_clearscope(address.addr), address.plen) for address in iface.addresses)
            name = f"{node.name}:{iface.name}"
            found.append(CaptureInterface(name, iface.link.name, iface.mac or bytes(6), addresses))
    return found


def export(network: Network, out: BinaryIO, application: str) -> int:
    """Write all captured frames; how many had to be let go before (0: the file is complete)."""
    interfaces = interfaces_of(network)
    numbers = {interface.name: index for index, interface in enumerate(interfaces)}
    write(out, interfaces, _packets(network, numbers), application=application)
    return network.trace.lost


def _packets(network: Network, numbers: dict[str, int]) -> Iterator[CapturedPacket]:
    trace = network.trace
    for row in trace.packets:
        num, time, node, interface, _, _, event, _, _, note, cause, _, frame = row
        outbound = event == "tx"
        comment = outcome_text(lost(trace, row)) or note if outbound else outcome_text(trace.outcome(row))
        yield CapturedPacket(
            numbers[f"{node}:{interface}"],
            network.clock.epoch + time,
            frame,
            outbound,
            num if outbound else cause,
            comment,
        )


def outcome_text(record: Record | None) -> str:
    """How a received packet ended, in words: the event, and for a drop its sentence and rule."""
    if record is None:
        return ""
    if record.event == "drop":
        reason = REASONS[record.reason]
        return f"drop {record.reason}: {reason.sentence} ({reason.rule})"
    words = [record.event, record.stage]
    if record.note:
        words.append(record.note)
    return " ".join(words)
