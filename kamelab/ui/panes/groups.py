"""Multicast groups: who is in them, and the listener's state machine of the one under the cursor.

The machine is drawn from the table of `kamelab.stack.netinet6.mld6_state` (RFC 2710 5, RFC 3810 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from kamelab.core.clock import SECOND
from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.interface import Interface
from kamelab.stack.netinet6 import mld6_v2
from kamelab.stack.netinet6.mld6_state import DELAYING, IDLE, NON_LISTENER, SILENT, TRANSITIONS
from kamelab.stack.netinet6.scope6 import in6_clearscope
from kamelab.stack.state import Group
from kamelab.stack.views import GroupRow
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part, bar, chain, exits, start_of
from kamelab.ui.panes.marks import CHANGED, GONE, NEW, Line, Marked
from kamelab.ui.panes.spans import moment, span
from kamelab.ui.panes.tables import node_of
from kamelab.wire import in6

LONGEST = 10 * SECOND
"""What a full bar is: the interval of unsolicited reports, and the longest answer that queries usually allow."""
BAR = 8
HISTORY_SHOWN = 5
HISTORY_LOOK = 20_000
"""Trace records looked through for it."""
DRAWING_ROOM = 7
"""Free lines of a pane from which on the machine is drawn; with fewer it is one line."""
CLASSES = {DELAYING: "table--warn", IDLE: "table--good"}


class _Row(NamedTuple):
    """What of a membership is no running time."""

    row: GroupRow
    last: bool
    members: tuple[str, ...]


def members(session: Session, name: str, iface: Interface, group: Group) -> tuple[str, ...]:
    """Who joined: programs by name and process number, own addresses for their solicited-node group, the kernel."""
    node = node_of(session, name)
    procs = session.world.systems[name].procs
    found = []
    for so in node.sockets.values():
        if (group.addr, iface.index) in so.groups:
            process = procs.get(so.pid)
            found.append(f"{process.argv[0] if process is not None else 'socket'}({so.pid})")
    plain = in6_clearscope(group.addr)
    for address in iface.addresses:
        if in6.solicited_node(address.addr) == plain:
            found.append(node.text(address.addr))
    if len(found) < group.refcnt:
        found.append("kernel")
    return tuple(found)


def _groups(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    rows = {(row.interface, row.group): row for row in tables.groups(node)}
    lines = []
    for iface in node.interfaces.values():
        for group in iface.groups.values():
            row = rows[iface.name, node.text(group.addr)]
            who = members(session, name, iface, group)
            due = "" if row.timer is None else span(max(0, row.timer - now))
            drawn = "" if row.timer is None else bar(row.timer - now, LONGEST, BAR)
            only = f"  ({row.mode} {' '.join(row.sources)})" if row.sources or row.mode == "include" else ""
            cells = (
                row.group,
                row.interface,
                row.state,
                due,
                drawn,
                "yes" if group.last_reporter else "",
                " ".join(who) + only,
            )
            paint = ((2, CLASSES.get(row.state, "table--muted")),)
            content = _Row(row._replace(timer=None), group.last_reporter, who)
            lines.append(Line((row.interface, row.group), cells, content, paint))
    return lines


def _no_groups(session: Session, name: str, lines: Sequence[Line]) -> str:
    if any(line.cells[1] != "lo0" for line in lines):
        return ""
    return (
        f"{name} has joined no group that others could send to: an interface joins ff02::1 and more when it comes up."
    )


def _links(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    lines = []
    for iface in node.interfaces.values():
        if iface.loopback or not iface.groups:
            continue
        link = iface.mld
        version = "2" if mld6_v2.speaks(node, iface) else "1"
        waits = []
        for what, timer in (
            ("answer for all groups", link.general),
            ("changes told again", link.change_timer),
            ("back to version 2", link.older),
        ):
            if timer is not None and timer.at is not None:
                waits.append((what, timer.at))
        cells = (
            iface.name,
            version,
            f"{link.robustness}" if version == "2" else "",
            f"{link.interval}s" if version == "2" else "",
            ", ".join(f"{what} in {span(max(0, at - now))}" for what, at in waits),
        )
        content = (version, link.robustness, link.interval, tuple(what for what, _ in waits))
        lines.append(Line(iface.name, cells, content))
    return lines


def _no_links(session: Session, name: str, lines: Sequence[Line]) -> str:
    return "" if lines else "No interface is up: nobody here listens."


def drawing(state: str) -> list[list[Part]]:
    """The machine in two lines, the present state in brackets, arrows and their events from the table."""
    style = CLASSES.get(state, "table--muted")
    top = chain(TRANSITIONS, (NON_LISTENER, DELAYING, IDLE), state, style)
    back = start_of(top, DELAYING) + 2
    turn = start_of(top, IDLE) + 2
    event = next(event for (old, event), (new, _) in TRANSITIONS.items() if (old, new) == (IDLE, DELAYING))
    under = f"{' ' * back}^{f'--{event}--'.rjust(turn - back - 1, '-')}'"
    return [[(INDENT, ""), *top], [(INDENT + under, "")]]


class GroupsPane(TablePane):
    """Multicast memberships."""

    PANE_ID = "groups"
    DIGIT = "g"
    HELP = """\
The **multicast groups** that the node listens to, by interface (`ifmcstat`), and what multicast listener discovery
does for them.

- **MLD**: `delaying` a report is due, in the time beside it (a full bar is 10 seconds); `idle` has been reported, or
  another node did so; `silent` is never reported (ff02::1, interface-local groups); `non-listener` the interface is
  down.
- **Last**: this node was the last to report the group on the link, so it says `done` when it leaves.
- **Members**: who asked for it: programs with their process number, the addresses whose solicited-node group it is, or
  the kernel itself; in brackets from which sources packets are wanted, where not from all.
- Beneath: which **version** an interface speaks, what the querier said, and what is due there.

Below it the **state machine** of the group under the cursor, when it changed, and what leads out of the state.
"""
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "Groups",
            (
                Column("Group"),
                Column("Netif", "If"),
                Column("MLD"),
                Column("Due", right=True),
                Column(""),
                Column("Last"),
                Column("Members"),
            ),
            _groups,
            _no_groups,
        ),
        Section(
            "Interfaces",
            (
                Column("Netif", "If"),
                Column("Version"),
                Column("Robustness", "Rob", right=True),
                Column("Interval", right=True),
                Column("Due"),
            ),
            _links,
            _no_links,
        ),
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._past: tuple[object, list[tuple[int, str]]] | None = None

    def preferred(self, rows: Sequence[Marked]) -> int:
        """The group that changed last, else one whose report is due, else the first that is reported."""
        wishes = (
            [at for at, (mark, _) in enumerate(rows) if mark in (NEW, CHANGED)],
            [at for at, (_, line) in enumerate(rows) if line.cells[2] == DELAYING],
            [at for at, (_, line) in enumerate(rows) if line.cells[2] == IDLE],
        )
        return next((found[-1] for found in wishes if found), 0)

    def question(self) -> str:
        line = self.current
        return f"{self.node} {line.cells[0]}" if line and isinstance(line.content, _Row) else ""

    def conversation(self) -> str:
        line = self.current
        return f"ipv6.dst == {line.cells[0].partition('%')[0]}" if line and isinstance(line.content, _Row) else ""

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """The machine of the group under the cursor."""
        session, line = self.session, self.current
        if session is None or line is None or not isinstance(line.content, _Row) or self.size.height < 6:
            return []
        if any(entry.line is line and entry.mark == GONE for entry in self._entries):
            return [[(f"{INDENT}nobody listens to this group here any more", "table--muted")]]
        row = line.content.row
        room = self.size.height - len(self._entries)
        if row.state == SILENT:
            return [[(f"{INDENT}[silent] this group is never reported (RFC 2710 5)", "table--muted")]]
        if room < DRAWING_ROOM:
            lines: list[list[Part]] = [
                [
                    (INDENT, ""),
                    *(
                        (f"[{state}] " if state == row.state else f" {state}  ", CLASSES.get(state, "table--muted"))
                        for state in (NON_LISTENER, DELAYING, IDLE)
                    ),
                ]
            ]
        else:
            lines = drawing(row.state)
        if row.state == DELAYING:
            lines.append([(f"{INDENT}{line.cells[3]} to the report, unless somebody else reports first", "")])
        past = self._history(session, row)
        if past:
            steps = [(f"  {state} {moment(at)}", "") for at, state in past]
            lines.append([(f"{INDENT}history", "table--muted"), *steps])
        out = exits(TRANSITIONS, row.state)
        if DRAWING_ROOM <= room > len(lines) + len(out):
            lines += out
        return lines

    def _history(self, session: Session, row: GroupRow) -> list[tuple[int, str]]:
        """The last states as (time, state), oldest first."""
        trace = session.world.network.trace
        key = (trace, self.node, row)
        if self._past is not None and self._past[0] == key:
            return self._past[1]
        found: list[tuple[int, str]] = []
        for record in reversed(trace.records[-HISTORY_LOOK:]):
            if record[4] != "mld6" or record[6] != "state" or record[2] != self.node or record[3] != row.interface:
                continue
            old, _, new = record[7].partition(" > ")
            if record[9].partition(" ")[0] == row.group and old != new:
                found.append((record[1], new))
                if len(found) == HISTORY_SHOWN:
                    break
        self._past = (key, found[::-1])
        return self._past[1]
