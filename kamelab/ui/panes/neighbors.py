"""The neighbour cache: ``ndp -an`` as it changes, and the state machine of the row under the cursor.

The states and what comes next follow the table of `kamelab.stack.netinet6.nd6_state` (RFC 4861 7.3.2).
"""

from __future__ import annotations

from collections.abc import Sequence

from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.netinet6.nd6_state import (
    DELAY,
    INCOMPLETE,
    NONE,
    NOSTATE,
    POINTOPOINT,
    PROBE,
    REACHABLE,
    STALE,
    STATES,
    TRANSITIONS,
)
from kamelab.stack.views import NeighborRow
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part, Table, chain, event_of, exits, start_of
from kamelab.ui.panes.marks import CHANGED, NEW, SAME, Line, Marked
from kamelab.ui.panes.spans import moment, span
from kamelab.ui.panes.tables import node_of, plugged, state_class
from kamelab.userland.ndp_lines import STATE_LETTERS, expire_text

HISTORY_SHOWN = 6
"""Past states in the line below the machine."""
HISTORY_LOOK = 20_000
"""Trace records looked through for them."""
DRAWING_ROOM = 7
"""Free lines of a pane from which on the machine is drawn; with fewer it is one line."""


def _neighbors(session: Session, name: str) -> list[Line]:
    now = session.now
    lines = []
    for row in tables.neighbors(node_of(session, name)):
        flags = ("R" if row.router else "") + ("p" if row.proxy else "")
        cells = (
            row.address,
            row.lladdr or "(incomplete)",
            row.interface,
            expire_text(row.expire, now, "permanent"),
            STATE_LETTERS.get(row.state, "?"),
            flags,
            str(row.probes) if row.probes else "",
        )
        paint = [(4, state_class(row.state))]
        if not row.lladdr:
            paint.append((1, "table--warn"))
        if row.own:
            paint = [(at, "table--muted") for at in range(len(cells))]
        lines.append(Line((row.address, row.interface), cells, row, tuple(paint)))
    return lines


def _no_neighbors(session: Session, name: str, lines: Sequence[Line]) -> str:
    rows = [line.content for line in lines if isinstance(line.content, NeighborRow)]
    if any(not row.own for row in rows):
        return ""
    iface = plugged(session, name)
    if all(row.interface == "lo0" for row in rows):
        return f"No interface of {name} is up. Try: ifconfig {iface} up"
    return f"{name} has met nobody yet; these are its own addresses. Try: ping6 -c 1 ff02::1%{iface}"


def next_step(row: NeighborRow, now: int, tries: int) -> str:
    """What comes next if nothing is heard: ``28 s to STALE``."""
    if row.own:
        return "an address of this node: always reachable"
    if row.static or (row.expire is None and row.state != NOSTATE):
        return "permanent: set by hand, never checked"
    if row.expire is None:
        return "nothing is timed: waits for a packet to send, or for its link-layer address"
    left = span(max(0, row.expire - now))
    if row.state in (INCOMPLETE, PROBE):
        sent = f"({row.probes} of {tries} sent)"
        if row.probes < tries:
            return f"{left} to the next solicitation {sent}"
        return f"{left} to giving up {sent}"
    new, _ = TRANSITIONS.get((row.state, "timeout"), (row.state, ""))
    if new == NONE:
        return f"next packet: DELAY; unused, gone in {left}"
    return f"{left} to {new}"


def history(session: Session, name: str, row: NeighborRow) -> list[tuple[int, str]]:
    """The last states of an entry as (time, state), oldest first, as far as the trace still knows."""
    records = session.world.network.trace.records
    found: list[tuple[int, str]] = []
    low = max(0, len(records) - HISTORY_LOOK)
    for at in range(len(records) - 1, low - 1, -1):
        record = records[at]
        if record[6] == "state" and record[4] == "nd6_nud" and record[2] == name and record[3] == row.interface:
            address, _, _ = record[9].partition(" ")
            if address != row.address:
                continue
            old, _, new = record[7].partition(" > ")
            if old != new:
                found.append((record[1], new))
            if old == "-" or len(found) == HISTORY_SHOWN:
                break
    return found[::-1]


def drawing(state: str, table: Table = TRANSITIONS) -> list[list[Part]]:
    """The state machine, the present state in brackets: three lines, arrows and their events from the table."""
    style = state_class(state)
    top = chain(table, (NOSTATE, INCOMPLETE, REACHABLE), state, style)
    low = chain(table, (NONE, PROBE, DELAY, STALE), state, style, leftwards=True)
    under = start_of(low, STALE)
    shift = max(0, under - start_of(top, REACHABLE))
    down = f"{' ' * (under + 3)}v {event_of(table, REACHABLE, STALE)}"
    return [[(INDENT + " " * shift, ""), *top], [(INDENT + down, "")], [(INDENT, ""), *low]]


class NeighborsPane(TablePane):
    """The neighbour cache and the state machine of one entry."""

    PANE_ID = "neighbors"
    DIGIT = "2"
    HELP = """\
The **neighbour cache** as `ndp -an` prints it: who is on the links, and how sure this node is of them. Its own
addresses stand there too, for good.

- **Expire**: when the state ends. **St**: `N` no state, `I` incomplete, `R` reachable, `S` stale, `D` delay, `P` probe.
- **Flgs**: `R` a router, `p` published for another node. **Prbs**: solicitations sent in this state.

Below it the **state machine** of the row under the cursor: the state in brackets, what comes next and when, and the
times at which it took its last states. Until you move it the cursor stands on the entry that changed last. Where there
is room the machine is drawn with its arrows, and all that leads out of the present state is listed: `output` a packet
is to be sent, `learned` and `changed` a message told a link-layer address, `na_solicited` it answered, `hint` a program
says that it answers, `timeout`, `retrans` and `failed` its timer. `w` tells what made the state.

Marks at the left: `+` new, `~` changed, `-` gone since the last command or step.
"""
    SECTIONS = (
        Section(
            "Neighbors",
            (
                Column("Neighbor"),
                Column("Linklayer Address", "Linklayer"),
                Column("Netif", "If"),
                Column("Expire"),
                Column("St"),
                Column("Flgs", "Fl"),
                Column("Prbs", "Pr"),
            ),
            _neighbors,
            _no_neighbors,
        ),
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._past: tuple[str, NeighborRow, list[tuple[int, str]]] | None = None

    def preferred(self, rows: Sequence[Marked]) -> int:
        """The entry that changed last, else the first that is somebody else's."""
        assert self.session is not None
        node = node_of(self.session, self.node)
        best, since = -1, -1
        for at, (mark, line) in enumerate(rows):
            row = line.content
            if not isinstance(row, NeighborRow) or row.own or mark not in (NEW, CHANGED, SAME):
                continue
            iface = node.interfaces.get(row.interface)
            began = -1
            for nbr in iface.neighbors.values() if iface is not None else ():
                if node.text(nbr.addr) == row.address:
                    began = nbr.since
            if best < 0 or began > since:
                best, since = at, began
        return max(best, 0)

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """The state machine of the row under the cursor."""
        line = self.current
        session = self.session
        tall = self.size.height - len(self._entries) >= DRAWING_ROOM
        if line is None or session is None or not isinstance(line.content, NeighborRow) or self.size.height < 5:
            return []
        row = line.content
        iface = node_of(session, self.node).interfaces.get(row.interface)
        table = {**TRANSITIONS, **POINTOPOINT} if iface is not None and iface.pointopoint else TRANSITIONS
        machine: list[tuple[str, str]] = [("  ", "")]
        for state in STATES:
            if state == row.state:
                machine.append((f"[{state}]", state_class(state)))
            else:
                machine.append((f" {state} ", "table--muted"))
        sysctl = node_of(session, self.node).sysctl
        tries = sysctl["net.inet6.icmp6.nd6_umaxtries" if row.state == PROBE else "net.inet6.icmp6.nd6_mmaxtries"]
        present = any(other.line is not None and other.line is line and other.mark != "-" for other in self._entries)
        if not present:
            return [[("  this entry is gone", "table--muted")]]
        ahead = next_step(row, session.now, int(tries))
        if row.held:
            ahead += f"; {row.held} packet{'s wait' if row.held > 1 else ' waits'}"
        lines = [*(drawing(row.state, table) if tall else [machine]), [(f"{INDENT}{ahead}", "")]]
        if row.own or row.static:
            return lines
        if self.size.height < 7:
            return lines
        if self._past is None or self._past[:2] != (self.node, row):
            self._past = (self.node, row, history(session, self.node, row))
        if self._past[2]:
            steps = [(f"  {STATE_LETTERS.get(state, '-')} {moment(time)}", "") for time, state in self._past[2]]
            lines.append([(f"{INDENT}history", "table--muted"), *steps])
        out = exits(table, row.state)
        if tall and self.size.height - len(self._entries) > len(lines) + len(out):
            lines += out
        return lines

    def question(self) -> str:
        line = self.current
        return f"{self.node} {line.content.address}" if line and isinstance(line.content, NeighborRow) else ""
