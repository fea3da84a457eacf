"""The trace: what happened to every packet, why, and what caused it.

Records are always numbered, so that causes hold when keeping is switched on midway; keeping them costs a tuple each.
Records of events ``rx`` and ``tx`` carry their frame: they are the capture, are kept always, and are bounded by a
budget in octets. All other records are kept while ``keep`` is on, bounded by a count.

Stored records are plain tuples in the order of `Record`'s fields; readers see `Record`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from typing import Any, NamedTuple

CAPTURE_BUDGET = 256 * 1024 * 1024
"""Octets that kept frames may take, rows counted at `ROW_COST` each."""
RECORD_LIMIT = 1_000_000
ROW_COST = 200


class Record(NamedTuple):
    """One trace record."""

    num: int
    """Sequence number, from 1."""
    time: int
    """Nanoseconds since boot."""
    node: str
    interface: str
    stage: str
    """The routine or layer that speaks: ``nd6_nbr``, ``ip6_input``, ``link`` ..."""
    packet: int
    """Packet id, 0 where no packet is concerned."""
    event: str
    """rx tx deliver forward hold drop state command timer"""
    reason: str
    """Drop reason, or the machine and transition of a ``state`` record."""
    rule: str
    """RFC and section, or seed and section."""
    note: str
    cause: int
    """Number of the record because of which this one exists; 0: none."""
    also: int
    """Number of the record that set it off just now; 0: none."""
    frame: bytes
    """The Ethernet frame of rx and tx records; empty otherwise."""


TERMINAL = frozenset({"deliver", "forward", "drop"})
ENDS_LIMIT = 100_000
"""Held packets whose end is remembered."""


class Trace:
    """All records of a lab, with the ambient cause under which code now runs."""

    __slots__ = (
        "also",
        "budget",
        "cause",
        "ends",
        "keep",
        "limit",
        "lost",
        "num",
        "octets",
        "packet",
        "packets",
        "records",
    )

    def __init__(self, budget: int = CAPTURE_BUDGET, limit: int = RECORD_LIMIT) -> None:
        self.num = 0
        self.packet = 0
        self.cause = 0
        self.also = 0
        self.keep = True
        self.budget = budget
        self.limit = limit
        self.octets = 0
        self.lost = 0
        """Captured frames that had to be let go."""
        self.packets: list[tuple[Any, ...]] = []
        self.records: list[tuple[Any, ...]] = []
        self.ends: dict[int, int] = {}
        """Of packets that were held: the record that ended the wait, 0 while it lasts."""

    def new_packet(self) -> int:
        """A fresh packet id."""
        self.packet += 1
        return self.packet

    def record(
        self,
        time: int,
        node: str,
        interface: str,
        stage: str,
        packet: int,
        event: str,
        reason: str = "",
        rule: str = "",
        note: str = "",
        *,
        cause: int | None = None,
        also: int | None = None,
    ) -> int:
        """Count, and when keeping keep, a record without a frame; its number."""
        self.num = num = self.num + 1
        if event == "hold":
            self.ends[packet] = 0
            if len(self.ends) > ENDS_LIMIT:
                for old in list(self.ends)[: ENDS_LIMIT // 4]:
                    del self.ends[old]
        elif event in TERMINAL and packet in self.ends:
            self.ends[packet] = num
        if self.keep:
            records = self.records
            records.append(
                (
                    num,
                    time,
                    node,
                    interface,
                    stage,
                    packet,
                    event,
                    reason,
                    rule,
                    note,
                    self.cause if cause is None else cause,
                    self.also if also is None else also,
                    b"",
                )
            )
            if len(records) > self.limit:
                del records[: self.limit // 4]
        return num

    def keep_row(self, row: tuple[Any, ...]) -> None:
        """Keep a record that was numbered by the caller."""
        records = self.records
        records.append(row)
        if len(records) > self.limit:
            del records[: self.limit // 4]

    def frame(
        self,
        time: int,
        node: str,
        interface: str,
        packet: int,
        event: str,
        note: str,
        cause: int,
        also: int,
        data: bytes,
    ) -> int:
        """Keep an ``rx`` or ``tx`` record with its frame; its number."""
        self.num = num = self.num + 1
        self.packets.append((num, time, node, interface, "link", packet, event, "", "", note, cause, also, data))
        self.octets += len(data) + ROW_COST
        if self.octets > self.budget:
            self.let_go()
        return num

    def let_go(self) -> None:
        """Drop the oldest frames until a tenth of the budget is free again."""
        packets = self.packets
        goal = self.budget * 9 // 10
        cut = 0
        while self.octets > goal and cut < len(packets) - 1:
            self.octets -= len(packets[cut][12]) + ROW_COST
            cut += 1
        del packets[:cut]
        self.lost += cut

    def all(self) -> Iterator[Record]:
        """Every kept record, frames included, in order of number."""
        return map(Record._make, merge(self.packets, self.records, key=lambda row: row[0]))

    def get(self, num: int) -> Record | None:
        """The kept record with that number."""
        for rows in (self.packets, self.records):
            at = bisect_left(rows, (num,))
            if at < len(rows) and rows[at][0] == num:
                return Record._make(rows[at])
        return None

    def outcome(self, row: tuple[Any, ...]) -> Record | None:
        """The terminal record of the packet of an ``rx`` row, or the hold that still waits.

        A record stands just behind the receipt, unless the packet was held in between.
        """
        records = self.records
        packet = row[5]
        end = self.ends.get(packet, 0)
        if end:
            return self.get(end)
        at = bisect_left(records, (row[0],))
        for record in records[at : at + 64]:
            if record[5] == packet and record[6] in ("deliver", "forward", "drop", "hold"):
                return Record._make(record)
        return None

    def chain(self, num: int) -> list[Record]:
        """From record ``num`` back to what began it: itself first, following ``cause``."""
        out: list[Record] = []
        while num:
            record = self.get(num)
            if record is None:
                break
            out.append(record)
            num = record.cause if record.cause < num else 0
        return out
