"""The prefix list (``ndp -p``) with its lifetimes running down (RFC 4861 6.3.4, RFC 4862 5.5.3)."""

from __future__ import annotations

from collections.abc import Sequence

from kamelab.core.clock import SECOND
from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.views import INFINITE, PrefixRow
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part, bar
from kamelab.ui.panes.marks import GONE, Line, Marked
from kamelab.ui.panes.spans import brief, left, lifetime
from kamelab.ui.panes.tables import is_host, node_of, plugged
from kamelab.userland.ndp_lines import STATE_LETTERS

BAR = 22


def _prefixes(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    lines = []
    for row in tables.prefixes(node):
        letters = zip("LAOD", (row.onlink, row.autonomous, row.attached, row.detached), strict=True)
        flags = "".join(letter for letter, given in letters if given)
        by = ", ".join(f"{address} {STATE_LETTERS.get(state, '-')}" for address, state in row.routers)
        cells = (
            f"{row.prefix}/{row.plen}",
            row.interface,
            flags,
            lifetime(row.vltime),
            lifetime(row.pltime),
            left(row.expire, now),
            str(row.refcnt),
            row.origin,
            by,
        )
        paint = [(2, "table--bad")] if row.detached else []
        lines.append(Line((row.prefix, row.plen, row.interface), cells, row, tuple(paint)))
    return lines


def _no_prefixes(session: Session, name: str, lines: Sequence[Line]) -> str:
    iface = plugged(session, name)
    if is_host(session, name):
        if any(line.cells[7] == "RA" for line in lines):
            return ""
        return (
            f"No router has advertised a prefix on the links of {name}. Start rtadvd on a router, "
            f"or ask for an advertisement: rtsol {iface}"
        )
    if any(not line.cells[0].startswith("fe80:") for line in lines):
        return ""
    example = f"ifconfig {iface} inet6 2001:db8:1::1 prefixlen 64"
    return f"{name} has no address of its own, and so no prefix. Give it one: {example}"


class PrefixesPane(TablePane):
    """The prefix list."""

    PANE_ID = "prefixes"
    DIGIT = "4"
    HELP = """\
The **prefix list** (`ndp -p`): what is on the links of this node, from router advertisements or from its own addresses.

- **Flags**: `L` on-link and `A` autonomous, as advertised; `O` on-link just now; `D` detached: no router that
  advertises it is reachable.
- **Valid**, **Preferred**: the lifetimes as received, `inf` without end. **Expire**: what is left of the valid one.
- **Ref**: addresses made from it. **Origin**: `RA` or `kernel`. **Advertised by**: routers, each with the letter of
  its state in the neighbour cache.

Below it the lifetimes that run, as bars: what is left of the last advertised value. An advertisement fills them again.
At the end of the valid one the prefix leaves the list, and its on-link route with it (RFC 4861 6.3.5). `w` tells where
the prefix under the cursor came from.
"""
    SECTIONS = (
        Section(
            "Prefixes",
            (
                Column("Prefix"),
                Column("Netif", "If"),
                Column("Flags", "Fl"),
                Column("Valid", "Vl", right=True),
                Column("Preferred", "Pl", right=True),
                Column("Expire", "Exp", right=True),
                Column("Ref", right=True),
                Column("Origin", "By"),
                Column("Advertised by", "Routers"),
            ),
            _prefixes,
            _no_prefixes,
        ),
    )

    def preferred(self, rows: Sequence[Marked]) -> int:
        """The first prefix that expires, else the first."""
        for at, (_, line) in enumerate(rows):
            if isinstance(line.content, PrefixRow) and line.content.expire is not None:
                return at
        return 0

    def question(self) -> str:
        line = self.current
        row = line.content if line is not None else None
        return f"{self.node} {row.prefix}/{row.plen}" if isinstance(row, PrefixRow) else ""

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """Bars: both lifetimes of the prefix under the cursor, then the valid ones of the others."""
        if self.session is None or self.size.height < 8:
            return []
        chosen = self.current.content if self.current is not None else None
        now = self.session.now
        here = [entry.line.content for entry in self._entries if entry.line is not None and entry.mark != GONE]
        running = [row for row in here if isinstance(row, PrefixRow) and row.expire is not None]
        lines: list[list[Part]] = []
        if isinstance(chosen, PrefixRow) and chosen in running:
            lines += prefix_bars(chosen, now)
        elif isinstance(chosen, PrefixRow) and chosen in here:
            lines.append([(f"{INDENT}{chosen.prefix}/{chosen.plen} has no end: {_endless(chosen)}", "")])
        for row in running:
            if row is not chosen:
                lines.append([(f"{INDENT}{row.prefix}/{row.plen} on {row.interface}", "table--muted")])
                lines += prefix_bars(row, now)[1:2]
        room = max(3, self.size.height - len(self._entries) - 1)
        return lines[:room]


def _endless(row: PrefixRow) -> str:
    return "an address of this node stands for it" if row.origin != "RA" else "so it was advertised"


def prefix_bars(row: PrefixRow, now: int) -> list[list[Part]]:
    """Name, valid and preferred lifetime of a prefix that expires."""
    assert row.expire is not None
    began = row.expire - row.vltime * SECOND
    lines: list[list[Part]] = [[(f"{INDENT}{row.prefix}/{row.plen} on {row.interface}", "")]]
    ends = (("valid", row.vltime, "then off the list"), ("preferred", row.pltime, "then deprecated"))
    for name, seconds, then in ends:
        if seconds == INFINITE:
            continue
        until = began + seconds * SECOND
        drawn = bar(until - now, seconds * SECOND, BAR)
        style = "table--good" if (until - now) * 4 > seconds * SECOND else "table--warn"
        text = f" {left(until, now)} of {brief(seconds)}" + (f", {then}" if until > now else "")
        lines.append([(f"{INDENT}  {name:<10}", "table--muted"), (drawn, style), (text, "")])
    return lines
