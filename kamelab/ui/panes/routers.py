"""The default router list (``ndp -r``): lifetimes running down, and why one of them is used (RFC 4861 6.3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from kamelab.core.clock import SECOND
from kamelab.lab import why_tables
from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.views import RouterRow
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part, bar
from kamelab.ui.panes.marks import GONE, Line
from kamelab.ui.panes.spans import brief, left
from kamelab.ui.panes.tables import is_host, node_of, plugged, state_class

BAR, BROAD_BAR = 12, 32


def _routers(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    lines = []
    for row, router in zip(tables.routers(node), node.routers, strict=True):
        cells = (
            "*" if row.installed else "",
            row.address,
            row.interface,
            row.flags,
            row.preference,
            left(row.expire, now),
            bar(row.expire - now, router.lifetime * SECOND, BAR),
            row.state or "-",
        )
        paint = ((7, state_class(row.state)),)
        lines.append(Line((row.address, row.interface), cells, row, paint))
    return lines


def _no_routers(session: Session, name: str, lines: Sequence[Line]) -> str:
    if lines:
        return ""
    if not is_host(session, name):
        return f"{name} forwards packets: a router takes no default route from advertisements (RFC 4861 6.2.7)."
    return (
        f"No router has advertised itself to {name}. Start rtadvd on a router of its link, "
        f"or ask for one: rtsol {plugged(session, name)}"
    )


class RoutersPane(TablePane):
    """The default router list."""

    PANE_ID = "routers"
    DIGIT = "6"
    HELP = """\
The **default router list** (`ndp -r`): routers that advertised a lifetime, the best one first.

- **\\***: the default route goes there. **Flags**: `M` addresses, `O` other configuration by DHCPv6.
- **Pref**: high, medium or low (RFC 4191). **Expire**: what is left of the router's lifetime.
- **Lifetime**: the same as a bar, full as advertised. At its end the router leaves the list.
- **State**: its entry in the neighbour cache; a router that is not reachable gives way to one that is.

Below it, for the router under the cursor, the lifetime and why it is used or is not. `w` tells what made it so.
"""
    SECTIONS = (
        Section(
            "Routers",
            (
                Column("*"),
                Column("Router"),
                Column("Netif", "If"),
                Column("Flags", "Fl"),
                Column("Pref"),
                Column("Expire", right=True),
                Column("Lifetime"),
                Column("State"),
            ),
            _routers,
            _no_routers,
        ),
    )

    def question(self) -> str:
        line = self.current
        row = line.content if line is not None else None
        return f"{self.node} {row.address}" if isinstance(row, RouterRow) else ""

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """The lifetime of the router under the cursor, and the rule that uses it or does not."""
        session, line = self.session, self.current
        if session is None or line is None or not isinstance(line.content, RouterRow) or self.size.height < 8:
            return []
        row = line.content
        if any(entry.line is line and entry.mark == GONE for entry in self._entries):
            return [[(f"{INDENT}this router is gone", "table--muted")]]
        node = node_of(session, self.node)
        at = next((at for at, one in enumerate(tables.routers(node)) if one == row), -1)
        if at < 0:
            return []
        total = node.routers[at].lifetime
        text = f" {left(row.expire, session.now)} of {brief(total)}, then off the list"
        drawn = bar(row.expire - session.now, total * SECOND, BROAD_BAR)
        lines: list[list[Part]] = [
            [(f"{INDENT}lifetime ", "table--muted"), (drawn, state_class(row.state)), (text, "")]
        ]
        why = why_tables.routers(session, node)[at].partition(": ")[2]
        lines += [[(f"{INDENT}{one}", "")] for one in wrap(why, max(20, width - len(INDENT) - 1))[:3]]
        return lines
