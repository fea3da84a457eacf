"""Statistics: why packets were dropped, and the counters of the protocols, those that grew last first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kamelab.core.clock import SECOND
from kamelab.core.drops import REASONS
from kamelab.core.trace import Trace
from kamelab.lab.session import Session
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.marks import Line
from kamelab.ui.panes.spans import moment
from kamelab.ui.samples import Samples, rates, spark
from kamelab.userland.netstat_stats import ERROR_CODES, NEXT_HEADERS, PROTOCOLS, Counter
from kamelab.wire.icmp6 import type_name

WINDOW = 60 * SECOND
"""Virtual time that the sparklines look back."""
SPARK = 20
ROWS = 50
"""Counters shown."""
LOOK = 2000
"""Captured frames before a drop among which its packet is looked for."""
DRY = ("ip6.m1", "ip6.m2m", "ip6.mext1", "ip6.mext2m")
"""Counters of buffers, which tell nothing of packets."""
PHRASES = {
    item.key: item.phrase.replace("{s}", "s").replace("{es}", "es").replace("{ies}", "ies")
    for items in PROTOCOLS.values()
    for item in items
    if isinstance(item, Counter)
}
ORDER = {key: at for at, key in enumerate(PHRASES)}
FILTERS = {"icmp6": "icmpv6", "udp6": "udp", "tcp": "tcp", "ip6": "ipv6", "mld": "mld"}
"""Display filters for the packets of a protocol."""


class Drop(NamedTuple):
    """How often packets of a node ended for a reason."""

    number: int
    time: int
    """Of the last one, ns since boot."""
    num: int
    """Its record."""


class Drops:
    """Counts the drop records of a trace by node and reason; each record is looked at once."""

    def __init__(self) -> None:
        self._trace: Trace | None = None
        self._seen = 0
        self._found: dict[tuple[str, str], Drop] = {}

    def read(self, trace: Trace, node: str) -> dict[str, Drop]:
        """Those of one node, by reason."""
        if trace is not self._trace:
            # Gone back: the store is a new one.
            self._trace, self._seen, self._found = trace, 0, {}
        records = trace.records
        found = self._found
        for at in range(bisect_right(records, self._seen, key=lambda row: row[0]), len(records)):
            row = records[at]
            if row[6] == "drop":
                key = (row[2], row[7])
                before = found.get(key)
                found[key] = Drop(before.number + 1 if before else 1, row[1], row[0])
        if records:
            self._seen = records[-1][0]
        return {reason: drop for (name, reason), drop in found.items() if name == node}


def phrase(name: str) -> str:
    """What a counter counts."""
    known = PHRASES.get(name)
    if known is not None:
        return known
    stem, _, last = name.rpartition(".")
    if last.isdecimal():
        number = int(last)
        if stem == "ip6.nxthist":
            return f"received, of them {NEXT_HEADERS.get(number, f'protocol {number}')}"
        if stem in ("icmp6.inhist", "icmp6.outhist"):
            return f"{'received' if stem == 'icmp6.inhist' else 'sent'}: {type_name(number)}"
        if stem.startswith("icmp6.error.") and stem[12:].isdecimal():
            what = next((text for kind, code, text in ERROR_CODES if (kind, code) == (int(stem[12:]), number)), "")
            return f"errors asked for: {what}" if what else ""
        if stem.startswith("ip6.sources_"):
            return "source addresses chosen, by scope" if stem != "ip6.sources_rule" else "source addresses, by rule"
    return ""


def _counters(session: Session, name: str, samples: Samples) -> Iterator[tuple[str, int, int, str]]:
    """(name, value, when it last grew, sparkline), in order: those that grew last first."""
    now = session.now
    begin = max(0, now - WINDOW)
    since = samples.since
    rows = []
    for what, series in samples.all_series(name).items():
        time, value = series[-1]
        if not value or what.startswith(("cwnd.", "ssthresh.", *DRY)):
            continue
        drawn = spark(rates(series, begin, max(now, begin + 1), SPARK, since))
        rows.append((-time, ORDER.get(what, len(ORDER)), what, value, drawn))
    for time, _, what, value, drawn in sorted(rows)[:ROWS]:
        yield what, value, -time, drawn


def _no_drops(session: Session, name: str, lines: Sequence[Line]) -> str:
    return "" if lines else f"No packet was dropped on {name} so far."


def _no_counters(session: Session, name: str, lines: Sequence[Line]) -> str:
    return "" if lines else f"{name} has neither sent nor received anything: let time pass (space runs, . steps)."


class StatisticsPane(TablePane):
    """Drops and counters."""

    PANE_ID = "statistics"
    DIGIT = "d"
    HELP = """\
**Drops**: why packets ended here before they were delivered, most frequent first, with the sentence that says what the
reason means. Enter shows these packets in the list, `w` explains the last one.

**Counters** (`netstat -s`): of IPv6, ICMPv6, UDP, TCP and raw sockets, those that grew last first. The line between is
how fast they grew over the last 60 seconds of virtual time, or since boot; **Last** is when it was. Counters that are 0
are left out. Enter shows the packets of the protocol.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._drops = Drops()
        self._sections = (
            Section(
                "Drops",
                (Column("Drop"), Column("Count", right=True), Column("Last", right=True), Column("Meaning")),
                self._read_drops,
                _no_drops,
            ),
            Section(
                "Counters",
                (
                    Column("Counter"),
                    Column("Value", right=True),
                    Column("Growth"),
                    Column("Last", right=True),
                    Column("Of"),
                ),
                self._read_counters,
                _no_counters,
            ),
        )

    @property
    def sections(self) -> tuple[Section, ...]:
        """They read by way of the pane, which remembers how far it has counted."""
        return self._sections

    def question(self) -> str:
        line = self.current
        return str(line.content.num) if line is not None and isinstance(line.content, Drop) else ""

    def conversation(self) -> str:
        """The packets of a reason, where there are captured ones, or of a counter's protocol."""
        line, session = self.current, self.session
        if line is None or session is None:
            return ""
        if not isinstance(line.content, Drop):
            return FILTERS.get(line.cells[0].partition(".")[0], "")
        trace = session.world.network.trace
        record = trace.get(line.content.num)
        if record is None:
            return ""
        before = bisect_right(trace.packets, record.num, key=lambda row: row[0])
        for row in reversed(trace.packets[max(0, before - LOOK) : before]):
            if row[5] == record.packet and row[6] == "rx" and row[2] == self.node:
                return f'reason == "{line.cells[0]}" && node == "{self.node}"'
        return ""

    def _read_drops(self, session: Session, name: str) -> list[Line]:
        found = self._drops.read(session.world.network.trace, name)
        lines = []
        for reason, drop in sorted(found.items(), key=lambda item: (-item[1].number, item[0])):
            about = REASONS.get(reason)
            cells = (reason, str(drop.number), moment(drop.time), about.sentence if about else "")
            lines.append(Line(("drop", reason), cells, drop, ((0, "table--bad"), (3, "table--muted"))))
        return lines

    def _read_counters(self, session: Session, name: str) -> list[Line]:
        lines = []
        for what, value, time, drawn in _counters(session, name, self.watched(session)):
            cells = (what, str(value), drawn.replace(" ", "·"), moment(time), phrase(what))
            lines.append(Line(("counter", what), cells, value, ((2, "table--accent"), (4, "table--muted"))))
        return lines
