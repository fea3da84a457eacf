"""A learning switch: which station is behind which port (IEEE 802.1D 7.8, 7.9: learning, ageing).

A frame's source says where it lives; a frame to an address that is known goes there alone, one to a group or to an
unknown address to all others. Each station has a line of its own, so that two pairs do not share a limit of speed.
Left out: spanning tree, VLANs, and looking into MLD (groups are flooded, as a switch of the time did).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.sim.lane import Lane

if TYPE_CHECKING:
    from kamelab.sim.port import Port
    from kamelab.stack.interface import Interface

AGEING = 300 * SECOND
"""How long an address is remembered after its last frame (IEEE 802.1D table 7-5)."""
TABLE_LIMIT = 1024
"""Addresses a switch remembers; the one that was silent longest makes room for a new one."""


def plug(station: Interface | Port) -> str:
    """The name of a station on its link: ``h1:ne0``, ``:tap0``."""
    return f"{station.node.name}:{station.name}"


class Switch:
    """The state of one switch."""

    __slots__ = ("lanes", "table")

    def __init__(self) -> None:
        self.table: dict[bytes, tuple[Interface | Port, int]] = {}
        """MAC to (station, when it was last heard, ns since boot); the longest silent first."""
        self.lanes: dict[str, Lane] = {}
        """The way out to each station, by `plug`: where frames wait for one another."""

    def learn(self, mac: bytes, station: Interface | Port, now: int) -> None:
        """A frame from ``mac`` came in from ``station``. A group's address is nobody's."""
        if mac[0] & 1:
            return
        table = self.table
        table.pop(mac, None)
        if len(table) >= TABLE_LIMIT:
            del table[next(iter(table))]
        table[mac] = (station, now)

    def find(self, mac: bytes, now: int) -> Interface | Port | None:
        """The station behind which ``mac`` was heard within `AGEING`; None: unknown, or a group."""
        entry = self.table.get(mac)
        if entry is None:
            return None
        if now - entry[1] >= AGEING:
            del self.table[mac]
            return None
        return entry[0]

    def lane(self, station: Interface | Port) -> Lane:
        """The line towards a station."""
        name = plug(station)
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane()
        return lane

    def forget(self, station: Interface | Port | None = None) -> None:
        """What was learned of a station, or of all, is over: it was unplugged, the switch lost its power."""
        if station is None:
            self.table.clear()
            return
        for mac in [mac for mac, entry in self.table.items() if entry[0] is station]:
            del self.table[mac]

    def rows(self, now: int) -> list[tuple[bytes, str, int]]:
        """(MAC, station, ns since its last frame) of what is remembered, the longest silent first."""
        return [(mac, plug(station), now - at) for mac, (station, at) in self.table.items() if now - at < AGEING]

    def state(self) -> tuple[object, ...]:
        """All of it, for the digest."""
        table = [(mac, plug(station), at) for mac, (station, at) in self.table.items()]
        return tuple(table), tuple((name, lane.state()) for name, lane in self.lanes.items())
