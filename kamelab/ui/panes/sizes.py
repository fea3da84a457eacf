"""What is too big for a path: path MTUs that were learnt, and packets that wait for the rest of their fragments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kamelab.core.clock import SECOND
from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.net.route import Route
from kamelab.stack.netinet6 import in6_ifstat
from kamelab.stack.netinet6.frag6 import FRAGTTL
from kamelab.stack.views import ReassemblyRow
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part, bar
from kamelab.ui.panes.marks import GONE, Line
from kamelab.ui.panes.spans import brief, left
from kamelab.ui.panes.tables import node_of
from kamelab.ui.panes.tcp_detail import cells as blocks

BAR, BROAD_BAR = 10, 48
NARROW_BAR = 16
"""Cells of the bar in a row, of received octets."""


# -- path MTUs -------------------------------------------------------------------------------------------------------


def ends(route: Route) -> int:
    """When the path MTU of a route is forgotten, ns since boot; 0: never."""
    return route.mtu_expire or route.expire


def _paths(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    lines = []
    for route in node.routes.all():
        if not route.mtu or route.own:
            continue
        row = tables.route_row(node, route)
        until = ends(route)
        total = int(node.sysctl["net.inet6.ip6.pmtu_expire"]) * SECOND
        how = "by hand, locked" if route.locked else "told" if until else "by hand"
        cells = (
            row.destination,
            row.interface,
            str(row.mtu),
            str(route.iface.ipv6_mtu()),
            left(until, now) if until else "",
            bar(until - now, total, BAR) if until else "",
            how,
        )
        content = (row.gateway, row.mtu, until, how)
        lines.append(Line((row.destination, row.interface), cells, content, ((3, "table--warn"),)))
    return lines


def _no_paths(session: Session, name: str, lines: Sequence[Line]) -> str:
    if lines:
        return ""
    return (
        f"No path from {name} is known to be narrower than its first link. A router that can't forward a packet for "
        f"its size says so (packet too big), and a host route keeps what it said. Try: ifconfig IF mtu 1280 on a "
        f"router behind the first link, then ping6 -m -s 1400 ADDRESS"
    )


# -- reassembly ------------------------------------------------------------------------------------------------------


def ranges(row: ReassemblyRow) -> list[tuple[int, int]]:
    """Octets that are here, as (begin, end), neighbours joined."""
    found: list[tuple[int, int]] = []
    for begin, octets in row.pieces:
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], begin + octets)
        else:
            found.append((begin, begin + octets))
    return found


def holes(row: ReassemblyRow) -> list[tuple[int, int]]:
    """What is missing, as (begin, end); end -1: nobody knows how far it goes."""
    found = []
    at = 0
    for begin, end in ranges(row):
        if begin > at:
            found.append((at, begin))
        at = end
    if row.expected < 0:
        found.append((at, -1))
    elif at < row.expected:
        found.append((at, row.expected))
    return found


def picture(row: ReassemblyRow, width: int) -> str:
    """Octets as a bar: ``#`` here, ``.`` missing, ``?`` at its end where the length is not known."""
    known = row.expected if row.expected >= 0 else max((end for _, end in ranges(row)), default=0)
    room = width - 2 - (row.expected < 0)
    drawn = blocks([(begin, end, "#") for begin, end in ranges(row)], known, room, ".")
    return f"[{drawn}{'?' if row.expected < 0 else ''}]"


def _queues(session: Session, name: str) -> list[Line]:
    now = session.now
    lines = []
    for row in in6_ifstat.reassembly(node_of(session, name)):
        have = sum(octets for _, octets in row.pieces)
        cells = (
            row.source,
            row.destination,
            f"{row.ident:08x}",
            str(len(row.pieces)),
            f"{have}/{row.expected if row.expected >= 0 else '?'}",
            "refused: overlap" if row.refused else picture(row, NARROW_BAR),
            left(row.until, now),
        )
        lines.append(Line((row.source, row.destination, row.ident), cells, row, ((5, "table--warn"),)))
    return lines


def _no_queues(session: Session, name: str, lines: Sequence[Line]) -> str:
    if lines:
        return ""
    whole = node_of(session, name).counters().get("ip6.reassembled", 0)
    done = f"; {whole} packet{'s were' if whole != 1 else ' was'} put together so far" if whole else ""
    return f"No fragment waits on {name}{done}. Try: ping6 -s 3000 from another node, one step at a time"


class SizesPane(TablePane):
    """Path MTUs and fragments that wait."""

    PANE_ID = "mtu"
    DIGIT = "m"
    HELP = """\
What is **too big for a path**: how senders learn it, and how receivers put the pieces together.

- **Path MTU**: host routes whose MTU a packet-too-big message has lowered below that of the first link (**Link**), or
  that were set by hand. The bar is what is left of their life (`net.inet6.ip6.pmtu_expire`); then the node tries the
  whole size again. `w` tells which message said so.
- **Fragments**: packets of which pieces wait for the others, by source, destination and identification. The bar shows
  the octets: `#` here, `.` missing, `?` at the end while the last fragment has not come. After 60 seconds they are
  given up. A packet with overlapping fragments is refused as a whole.

Below it the packet under the cursor: its octets, its holes, and the time that is left. Enter filters the packets.
"""
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "Path MTU",
            (
                Column("Destination"),
                Column("Netif", "If"),
                Column("MTU", right=True),
                Column("Link", right=True),
                Column("Expire", "Exp", right=True),
                Column(""),
                Column("How"),
            ),
            _paths,
            _no_paths,
        ),
        Section(
            "Fragments",
            (
                Column("Source"),
                Column("Destination"),
                Column("Id"),
                Column("Frags", "#", right=True),
                Column("Octets", right=True),
                Column(""),
                Column("Left", right=True),
            ),
            _queues,
            _no_queues,
        ),
    )

    def question(self) -> str:
        line = self.current
        if line is None:
            return ""
        return f"{self.node} {line.cells[0]}"

    def conversation(self) -> str:
        line = self.current
        if line is None:
            return ""
        if isinstance(line.content, ReassemblyRow):
            return f"ipv6.fraghdr.ident == 0x{line.content.ident:08x}"
        return f"ipv6.addr == {line.cells[0].partition('%')[0]}" if "/" not in line.cells[0] else ""

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """The packet under the cursor in full width."""
        session, line = self.session, self.current
        if session is None or line is None or not isinstance(line.content, ReassemblyRow) or self.size.height < 8:
            return []
        row = line.content
        if any(entry.line is line and entry.mark == GONE for entry in self._entries):
            return [[(f"{INDENT}put together, or given up", "table--muted")]]
        if row.refused:
            return [[(f"{INDENT}its fragments overlapped: all of it is refused (RFC 5722 4)", "table--bad")]]
        lines: list[list[Part]] = [
            [(f"{INDENT}octets ", "table--muted"), (picture(row, BROAD_BAR), "table--accent")],
            [
                (f"{INDENT}missing", "table--muted"),
                ("  " + "  ".join(f"{a}-{b}" if b >= 0 else f"from {a} on" for a, b in holes(row)), ""),
            ],
        ]
        ahead = row.until - session.now
        life = bar(ahead, FRAGTTL, BROAD_BAR)
        text = f" {left(row.until, session.now)} of {brief(FRAGTTL // SECOND)}"
        lines.append(
            [(f"{INDENT}time   ", "table--muted"), (life, "table--good" if ahead * 4 > FRAGTTL else ""), (text, "")]
        )
        return lines
