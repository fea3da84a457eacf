"""Captured frames as a display filter and a packet list see them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kamelab.capture.filter import Filter
from kamelab.core.trace import Record, Trace
from kamelab.sim.topology import Network

LOSSES_LOOK: Final = 64
"""Records behind a sent frame among which its loss is looked for."""


class PacketView(NamedTuple):
    """One frame at one interface (`kamelab.capture.filter.Packet`)."""

    num: int
    """Number of its trace record."""
    time: int
    """ns since boot."""
    node: str
    interface: str
    link: str
    outbound: bool
    packet: int
    reason: str
    """Why it was dropped: by the node that received it, or by the link it was sent into. Empty where it was not."""
    frame: bytes


def lost(trace: Trace, row: tuple[Any, ...]) -> Record | None:
    """The record of a sent frame that its link did not carry, at the same instant and just behind it."""
    records = trace.records
    at = bisect_left(records, (row[0],))
    for index in range(at, min(at + LOSSES_LOOK, len(records))):
        record = records[index]
        if record[1] != row[1]:
            break
        if record[10] == row[0] and record[6] == "drop" and record[4].startswith("link"):
            return Record._make(record)
    return None


def view(network: Network, row: tuple[Any, ...]) -> PacketView:
    """A stored ``rx`` or ``tx`` row as a view."""
    node = network.nodes[row[2]]
    end = network.trace.outcome(row) if row[6] == "rx" else lost(network.trace, row)
    reason = end.reason if end is not None and end.event == "drop" else ""
    return PacketView(
        row[0], row[1], row[2], row[3], node.interfaces[row[3]].link.name, row[6] == "tx", row[5], reason, row[12]
    )


def select(network: Network, chosen: Filter | None, start: int = 0) -> Iterator[PacketView]:
    """The captured frames that a filter takes, from row ``start`` on, in order."""
    for row in network.trace.packets[start:]:
        one = view(network, row)
        if chosen is None or chosen.matches(one):
            yield one
