"""The tables of a node as panes: routes, interfaces with addresses, timers.

Cells are what the commands print (``netstat -rn``, ``ifconfig``, the console's
``timers``); long spans are cut to two units. What changed is judged without what only runs down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kamelab.core.clock import SECOND
from kamelab.lab.console_show import clock_text
from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.node import Node
from kamelab.stack.views import INFINITE
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.marks import Line
from kamelab.ui.panes.spans import brief, lifetime
from kamelab.userland.ifconfig_lines import FLAG_NAMES
from kamelab.userland.ndp_lines import expire_text


def node_of(session: Session, name: str) -> Node:
    """The node with that name."""
    return session.world.network.nodes[name]


def plugged(session: Session, name: str) -> str:
    """The first interface of a node that is no loopback: for examples in texts."""
    for iface in node_of(session, name).interfaces.values():
        if not iface.loopback:
            return iface.name
    return "ne0"


def is_host(session: Session, name: str) -> bool:
    """The node does not forward."""
    return not node_of(session, name).sysctl["net.inet6.ip6.forwarding"]


def state_class(state: str) -> str:
    """The component class of a neighbour state."""
    return {
        "INCOMPLETE": "table--warn",
        "REACHABLE": "table--good",
        "DELAY": "table--accent",
        "PROBE": "table--warn",
    }.get(state, "table--muted")


# -- routes ----------------------------------------------------------------------------------------------------------


def _routes(session: Session, name: str) -> list[Line]:
    node, now = node_of(session, name), session.now
    lines = []
    for row in tables.routes(node):
        expire = "" if row.expire is None else expire_text(row.expire, now, "")
        cells = (
            row.destination,
            row.gateway,
            row.flags,
            row.interface,
            expire,
            str(row.mtu) if row.mtu else "",
            str(row.use) if row.use else "",
        )
        paint = [(0, "table--accent")] if row.destination == "default" else []
        content = (row.gateway, row.flags, row.expire, row.mtu)
        lines.append(Line((row.destination, row.interface), cells, content, tuple(paint)))
    return lines


def _no_routes(session: Session, name: str, lines: Sequence[Line]) -> str:
    if any(line.cells[3] != "lo0" for line in lines):
        return ""
    return f"No interface of {name} is up, so it has no route to anybody. Try: ifconfig {plugged(session, name)} up"


class RoutesPane(TablePane):
    """The routing table."""

    PANE_ID = "routes"
    DIGIT = "3"
    HELP = """\
The **routing table** with the neighbour cache's host routes, as `netstat -rn` prints it: the default route first, then
by address. The longest prefix that fits decides.

- **Destination**: `default`, a prefix, or one address; `%ne0` is the zone of a scoped address.
- **Gateway**: the next hop, a link-layer address, or `link#1` for what is on the link of interface 1.
- **Flags**: `U` up, `G` via a gateway, `H` one host, `S` static, `C` makes host routes, `L` link-layer address,
  `W` made from a `C` route, `D` by a redirect, `R` reject, `B` blackhole.
- **Expire**: what is left of its life. **Mtu**: where a packet too big has lowered it. **Use**: packets sent by it.

Marks at the left: `+` new, `~` changed, `-` gone since the last command or step.
"""
    SECTIONS = (
        Section(
            "Routes",
            (
                Column("Destination"),
                Column("Gateway"),
                Column("Flags"),
                Column("Netif", "If"),
                Column("Expire", "Exp", right=True),
                Column("Mtu", right=True),
                Column("Use", right=True),
            ),
            _routes,
            _no_routes,
        ),
    )

    def question(self) -> str:
        line = self.current
        return f"{self.node} {line.cells[0]}" if line is not None else ""


# -- interfaces, addresses -------------------------------------------------------------------------------------------


def _interfaces(session: Session, name: str) -> list[Line]:
    lines = []
    for row in tables.interfaces(node_of(session, name)):
        if not row.flags & 1:
            status = "down"
        elif row.running:
            status = "up"
        else:
            status = "no carrier"
        if row.disabled:
            status += ", no IPv6"
        cells = (
            row.name,
            row.link,
            status,
            row.lladdr,
            str(row.mtu),
            str(row.ipackets),
            str(row.opackets),
            str(row.drops),
            " ".join(word for bit, word in FLAG_NAMES if row.flags & bit and word in ("PROMISC", "ALLMULTI")),
        )
        paint = [(2, "table--good" if status == "up" else "table--bad")]
        if row.drops:
            paint.append((7, "table--warn"))
        lines.append(Line(row.name, cells, row, tuple(paint)))
    return lines


def _addresses(session: Session, name: str) -> list[Line]:
    lines = []
    for row in tables.addresses(node_of(session, name)):
        flags = " ".join(row.flags)
        forever = row.pltime == INFINITE and row.vltime == INFINITE
        address = f"{row.address}/{row.plen}" + (f" -> {row.destination}" if row.destination else "")
        cells = (
            address,
            row.interface,
            flags,
            "" if forever else lifetime(row.pltime),
            "" if forever else lifetime(row.vltime),
        )
        paint = []
        if "duplicated" in row.flags or "detached" in row.flags:
            paint.append((2, "table--bad"))
        elif "tentative" in row.flags or "deprecated" in row.flags:
            paint.append((2, "table--warn"))
        lines.append(Line((row.interface, row.address), cells, (row.plen, row.flags, forever), tuple(paint)))
    return lines


def _nothing(session: Session, name: str, lines: Sequence[Line]) -> str:
    return "" if lines else f"{name} has no interface. The lab file gives a node its interfaces."


def _no_addresses(session: Session, name: str, lines: Sequence[Line]) -> str:
    if any(line.cells[1] != "lo0" for line in lines):
        return ""
    return f"{name} has no address that others could use: no interface is up. Try: ifconfig {plugged(session, name)} up"


class InterfacesPane(TablePane):
    """Interfaces and their addresses."""

    PANE_ID = "interfaces"
    DIGIT = "5"
    HELP = """\
**Interfaces** with their counters, and their **addresses** (`ifconfig -L`, `netstat -i`). Multicast groups: `g`.

- **Status**: `up`, `down` (see `ifconfig ne0 up`), or `no carrier`: the link is down.
- **In**, **Out**, **Drop**: packets since boot.
- Flags of addresses: `tentative` (being probed for duplicates), `duplicated`, `detached` (its router is gone),
  `deprecated` (not for new connections), `autoconf` (made from an advertisement), `anycast`, `temporary`.
- **Preferred**, **Valid**: what is left of the lifetimes, empty where there is no end.
"""
    SECTIONS = (
        Section(
            "Interfaces",
            (
                Column("Netif", "If"),
                Column("Link"),
                Column("Status"),
                Column("Lladdr"),
                Column("Mtu", right=True),
                Column("In", right=True),
                Column("Out", right=True),
                Column("Drop", right=True),
                Column(""),
            ),
            _interfaces,
            _nothing,
        ),
        Section(
            "Addresses",
            (
                Column("Address"),
                Column("Netif", "If"),
                Column("Flags"),
                Column("Preferred", "Pref", right=True),
                Column("Valid", right=True),
            ),
            _addresses,
            _no_addresses,
        ),
    )

    def question(self) -> str:
        line = self.current
        # An interface's row has its name as key, those of addresses are (interface, address).
        return f"{self.node} {line.key[1]}" if line is not None and isinstance(line.key, tuple) else ""


# -- timers ----------------------------------------------------------------------------------------------------------


def _timers(session: Session, name: str) -> list[Line]:
    lines = []
    seen: dict[tuple[str, str], int] = {}
    for row in session.world.network.timer_rows():
        ahead = max(0, row.at - session.now)
        cells = (
            clock_text(row.at),
            brief(ahead // SECOND) if ahead >= 60 * SECOND else f"{ahead // SECOND}.{ahead % SECOND // 1_000_000:03d}s",
            row.node,
            row.what,
            "ageing" if row.ageing else "",
        )
        same = (row.node, row.what)
        seen[same] = seen.get(same, 0) + 1
        paint = [(4, "table--muted")]
        if row.node == name:
            paint.append((2, "table--accent"))
        lines.append(Line((*same, seen[same]), cells, row.at, tuple(paint)))
    return lines


def _no_timers(session: Session, name: str, lines: Sequence[Line]) -> str:
    return "" if lines else "No timer is armed: nothing will happen until a command is given."


class TimersPane(TablePane):
    """Every armed timer of the lab."""

    PANE_ID = "timers"
    DIGIT = "8"
    HELP = """\
Every armed **timer** of the lab, of all nodes, soonest first (`timers`): when it fires, how long that is from now,
whose it is, and what it does. `ageing` timers are lifetimes: they do not keep a lab from being idle. `n` goes to the
next one.
"""
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "Timers",
            (Column("At"), Column("In", right=True), Column("Node"), Column("What"), Column("")),
            _timers,
            _no_timers,
        ),
    )

    def entitle(self, node: str = "") -> None:
        """The timers are those of the whole lab."""
        super().entitle("all nodes" if node else "")
