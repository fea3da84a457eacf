"""The addresses of a node and the life of one of them: duplicate detection, lifetimes, and what comes next.

The life cycle is drawn from the table of `kamelab.stack.netinet6.in6_state` (RFC 4862 5.4, 5.5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from kamelab.core.clock import SECOND
from kamelab.lab.session import Session
from kamelab.stack.interface import Address
from kamelab.stack.netinet6.in6_state import (
    DEPRECATED,
    DETACHED,
    DUPLICATED,
    NONE,
    PREFERRED,
    STATES,
    TENTATIVE,
    TRANSITIONS,
    state_of,
)
from kamelab.stack.views import INFINITE
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part, bar, box, chain, event_of, exits, start_of, width_of
from kamelab.ui.panes.marks import CHANGED, GONE, NEW, Line, Marked
from kamelab.ui.panes.spans import brief, left, moment, span
from kamelab.ui.panes.tables import node_of, plugged

BAR, BROAD_BAR = 10, 22
HISTORY_SHOWN = 5
HISTORY_LOOK = 20_000
"""Trace records looked through for it."""
DRAWING_ROOM = 7
"""Free lines of a pane from which on the life cycle is drawn; with fewer it is one line."""

CLASSES = {
    TENTATIVE: "table--warn",
    DUPLICATED: "table--bad",
    DETACHED: "table--bad",
    PREFERRED: "table--good",
    DEPRECATED: "table--accent",
}


class _Row(NamedTuple):
    """What of an address is no running time."""

    interface: str
    address: str
    plen: int
    flags: tuple[str, ...]
    vltime: int
    pltime: int
    probes: int


def _read(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    lines = []
    for iface in node.interfaces.values():
        for one in iface.addresses:
            flags = one.flags()
            state = state_of(flags)
            row = _Row(iface.name, node.text(one.addr), one.plen, flags, one.vltime, one.pltime, one.dad_count)
            preferred, valid = (_until(one, seconds) for seconds in (one.pltime, one.vltime))
            cells = (
                f"{row.address}/{row.plen}",
                iface.name,
                state,
                "" if preferred is None else left(preferred, now),
                "" if valid is None else left(valid, now),
                "" if valid is None else bar(valid - now, one.vltime * SECOND, BAR),
                " ".join(word for word in flags if word not in STATES),
            )
            paint = ((2, CLASSES[state]),)
            lines.append(Line((iface.name, row.address), cells, row, paint))
    return lines


def _until(address: Address, seconds: int) -> int | None:
    """When a lifetime ends, ns since boot; None: never."""
    return None if seconds == INFINITE else address.updated + seconds * SECOND


def _note(session: Session, name: str, lines: Sequence[Line]) -> str:
    if any(line.cells[1] != "lo0" for line in lines):
        return ""
    return f"{name} has no address that others could use: no interface is up. Try: ifconfig {plugged(session, name)} up"


def drawing(state: str) -> list[list[Part]]:
    """The life cycle, the present state in brackets: three lines."""
    style = CLASSES.get(state, "")
    top = chain(TRANSITIONS, (TENTATIVE, PREFERRED, DEPRECATED, NONE), state, style)
    left_at, right_at = start_of(top, TENTATIVE), start_of(top, PREFERRED)
    down = f"v {event_of(TRANSITIONS, TENTATIVE, DUPLICATED)}"
    down = f"{' ' * (left_at + 4)}{down}".ljust(right_at + 4) + f"v {event_of(TRANSITIONS, PREFERRED, DETACHED)}"
    low: list[Part] = [(" " * left_at, ""), box(DUPLICATED, state, style)]
    low.append((" " * (right_at - width_of(low)), ""))
    low += chain(TRANSITIONS, (DETACHED, TENTATIVE), state, style)[:2]
    low.append((f" {TENTATIVE}", "table--muted"))
    return [[(INDENT, ""), *top], [(INDENT + down, "")], [(INDENT, ""), *low]]


class AddressesPane(TablePane):
    """Own addresses and the life cycle of one."""

    PANE_ID = "addresses"
    DIGIT = "a"
    HELP = """\
The **addresses** of the node (`ifconfig -L`), each with its state and what is left of its lifetimes.

- **State**: `tentative` being probed for duplicates, `preferred`, `deprecated` (not for new connections), `detached`
  (no router that advertises its prefix is reachable), `duplicated` (somebody else has it).
- **Preferred**, **Valid**: what is left, empty where there is no end. The bar is the valid lifetime as last advertised.
- **Flags**: `autoconf` made from an advertisement, `temporary`, `anycast`.

Below it the **life cycle** of the address under the cursor: the state in brackets, its lifetimes, and when detection
and changes happened. `unique` is a detection that nobody answered, `pltime` and `vltime` are the ends of the preferred
and the valid lifetime. `w` tells where the address came from.
"""
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "Addresses",
            (
                Column("Address"),
                Column("Netif", "If"),
                Column("State"),
                Column("Preferred", "Pref", right=True),
                Column("Valid", right=True),
                Column(""),
                Column("Flags"),
            ),
            _read,
            _note,
        ),
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._past: tuple[object, list[tuple[int, str]]] | None = None

    def question(self) -> str:
        line = self.current
        row = line.content if line is not None else None
        return f"{self.node} {row.address}" if isinstance(row, _Row) else ""

    def preferred(self, rows: Sequence[Marked]) -> int:
        """The address that changed last, else the first that ends, else the first."""
        for at, (mark, line) in reversed(list(enumerate(rows))):
            if mark in (NEW, CHANGED) and line.cells[1] != "lo0":
                return at
        for at, (_, line) in enumerate(rows):
            if isinstance(line.content, _Row) and line.content.vltime != INFINITE:
                return at
        return 0

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """The life of the address under the cursor."""
        session, line = self.session, self.current
        if session is None or line is None or not isinstance(line.content, _Row) or self.size.height < 6:
            return []
        row = line.content
        address = self._address(row)
        if address is None or any(entry.line is line and entry.mark == GONE for entry in self._entries):
            return [[(f"{INDENT}this address is gone", "table--muted")]]
        state = state_of(row.flags)
        lines: list[list[Part]]
        room = self.size.height - len(self._entries)
        if room >= DRAWING_ROOM:
            lines = drawing(state)
        else:
            lines = [[(INDENT, ""), *(box(one, state, CLASSES[one]) for one in STATES)]]
        lines += self._ahead(session, address)
        past = self._history(session, row)
        if past and room > len(lines):
            lines.append([(f"{INDENT}history", "table--muted"), *((f"  {what} {moment(at)}", "") for at, what in past)])
        out = exits(TRANSITIONS, state)
        if DRAWING_ROOM <= room > len(lines) + len(out):
            lines += out
        return lines

    def _address(self, row: _Row) -> Address | None:
        assert self.session is not None
        node = node_of(self.session, self.node)
        iface = node.interfaces.get(row.interface)
        for one in iface.addresses if iface is not None else ():
            if node.text(one.addr) == row.address:
                return one
        return None

    def _ahead(self, session: Session, address: Address) -> list[list[Part]]:
        """Detection under way, and the lifetimes as bars."""
        now = session.now
        if address.dad is not None and address.dad.at is not None:
            tries = node_of(session, self.node).sysctl["net.inet6.ip6.dad_count"]
            wait = span(max(0, address.dad.at - now))
            what = "the next probe" if address.dad_count < int(tries) else "the address is its own"
            return [[(f"{INDENT}{wait} to {what}, if nobody answers ({address.dad_count} of {tries} probes sent)", "")]]
        if address.duplicated:
            return [[(f"{INDENT}needs a hand: delete it, and give the node another one", "")]]
        lines: list[list[Part]] = []
        for name, seconds, then in (
            ("preferred", address.pltime, "then deprecated"),
            ("valid", address.vltime, "then gone"),
        ):
            until = _until(address, seconds)
            if until is None:
                continue
            drawn = bar(until - now, seconds * SECOND, BROAD_BAR)
            style = "table--good" if (until - now) * 4 > seconds * SECOND else "table--warn"
            text = f" {left(until, now)} of {brief(seconds)}" + (f", {then}" if until > now else "")
            lines.append([(f"{INDENT}{name:<10}", "table--muted"), (drawn, style), (text, "")])
        return lines or [[(f"{INDENT}without end: stays until it is deleted", "")]]

    def _history(self, session: Session, row: _Row) -> list[tuple[int, str]]:
        """The last steps of detection and lifetimes as (time, what), oldest first."""
        trace = session.world.network.trace
        key = (trace, self.node, row)
        if self._past is not None and self._past[0] == key:
            return self._past[1]
        found: list[tuple[int, str]] = []
        for record in reversed(trace.records[-HISTORY_LOOK:]):
            if record[6] != "state" or record[2] != self.node or record[3] != row.interface:
                continue
            if record[4] in ("nd6_dad", "nd6_timer") and record[9].partition(" ")[0] == row.address:
                found.append((record[1], record[7].removeprefix("DAD ").removeprefix("address ")))
                if len(found) == HISTORY_SHOWN:
                    break
        self._past = (key, found[::-1])
        return self._past[1]
