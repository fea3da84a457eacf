"""Captured frames as a display filter and a packet list see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kamelab.capture.filter import Filter
from kamelab.sim.topology import Network


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
    """Drop reason, empty where it was not dropped."""
    frame: bytes


def view(network: Network, row: tuple[Any, ...]) -> PacketView:
    """A stored ``rx`` or ``tx`` row as a view."""
    node = network.nodes[row[2]]
    reason = ""
    if row[6] == "rx":
        end = network.trace.outcome(row)
        if end is not None and end.event == "drop":
            reason = end.reason
    return PacketView(
        row[0], row[1], row[2], row[3], node.interfaces[row[3]].link.name, row[6] == "tx", row[5], reason, row[12]
    )


def select(network: Network, chosen: Filter | None, start: int = 0) -> Iterator[PacketView]:
    """The captured frames that a filter takes, from row ``start`` on, in order."""
    for row in network.trace.packets[start:]:
        one = view(network, row)
        if chosen is None or chosen.matches(one):
            yield one
