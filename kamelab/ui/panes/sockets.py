"""Open sockets: ``netstat -an`` as it changes, and the TCP connection under the cursor in detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.netinet import tcp_table
from kamelab.stack.netinet.tcp_state import LISTEN, NETSTAT
from kamelab.stack.views import SocketRow, TcpRow
from kamelab.ui.panes import tcp_detail
from kamelab.ui.panes.base import Column, Section, TablePane
from kamelab.ui.panes.machine import INDENT, Part
from kamelab.ui.panes.marks import CHANGED, GONE, NEW, Line, Marked
from kamelab.ui.panes.spans import span
from kamelab.ui.panes.tables import node_of

MOST = 100
"""Lines at most: a flood of connections makes thousands."""
UNSHOWN = ("bpf", "route")
"""Kinds of sockets that netstat has no line for."""


def _sockets(session: Session, name: str) -> list[Line]:
    node = node_of(session, name)
    sids = [so.sid for so in node.sockets.values() if so.kind not in UNSHOWN]
    connections: dict[int, list[TcpRow]] = {}
    for one in tcp_table.rows(node):
        connections.setdefault(one.sid, []).append(one)
    lines = []
    for sid, row in zip(sids, tables.sockets(node), strict=True):
        tcp = connections.get(sid, [])
        lines.append(_line((sid,), row, tcp[0] if tcp else None))
        for one in tcp[1:]:
            # A connection that is not there yet has no socket of its own.
            shown = SocketRow(row.proto, one.local, one.foreign, 0, 0, NETSTAT[one.state], row.pid)
            lines.append(_line((sid, one.local, one.foreign), shown, one))
        if len(lines) >= MOST:
            break
    return lines[:MOST]


def _line(key: tuple[object, ...], so: SocketRow, tcp: TcpRow | None) -> Line:
    cells = (so.proto, str(so.recv_q), str(so.send_q), so.local, so.foreign, so.state, str(so.pid or "-"))
    content: tuple[object, ...] = so
    paint: tuple[tuple[int, str], ...] = ()
    if tcp is not None:
        content = (*so, tcp.snd_una, tcp.snd_nxt, tcp.rcv_nxt)
        paint = ((5, tcp_detail.state_class(tcp.state)),)
    return Line(key, cells, content, paint)


def _no_sockets(session: Session, name: str, lines: Sequence[Line]) -> str:
    if len(lines) >= MOST:
        return f"These are the first {MOST}; netstat -an lists all."
    if lines:
        return ""
    return (
        f"No program on {name} has a socket open. A ping6 that runs has one, rtadvd keeps one while it lives; "
        f"for a TCP connection, listen on one node (nc -l 5000 &) and connect from another (nc ADDRESS 5000)."
    )


class SocketsPane(TablePane):
    """Open sockets and one connection."""

    PANE_ID = "sockets"
    DIGIT = "7"
    HELP = """\
The **sockets** of all programs (`netstat -an`), oldest first: protocol, octets that wait to be read and to be sent,
the own and the other address with their ports after the last dot (`*`: any), the state of a TCP connection, and the
process (`ps`; `-`: its program is gone, the connection goes on). Beneath one that listens stand its half-open
connections.

Below it the **TCP connection** under the cursor; until you move it, the one that changed last. Numbers of octets count
from the beginning of the connection.

- **send** `[###+++...|..]`: `#` sent and not acknowledged, `+` waits to be sent, `.` what the peer's window still lets
  out, `|` where the congestion window ends.
- **receive** `[++...##..]`: `+` not read by the program, `.` the window offered, `#` came out of order.
- **cwnd** the congestion window over virtual time, from the first sample of this screen to now.
- **times** smoothed round trip, its variation, and the retransmission timeout; **timers** that are armed.
- The **state machine** where there is room: the present state in brackets; **next** tells what leads out of it.

`l` draws the ladder of the connection's packets. Enter filters the packets to it.
"""
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "Sockets",
            (
                Column("Proto"),
                Column("Recv-Q", "Rcv", right=True),
                Column("Send-Q", "Snd", right=True),
                Column("Local Address", "Local"),
                Column("Foreign Address", "Foreign"),
                Column("(state)", ""),
                Column("Pid", right=True),
            ),
            _sockets,
            _no_sockets,
        ),
    )

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._past: tuple[object, list[tuple[int, str]]] | None = None

    def preferred(self, rows: Sequence[Marked]) -> int:
        """The connection that changed last, else any connection, else the first socket."""
        best = 0
        for at, (mark, line) in enumerate(rows):
            if mark != GONE and line.cells[0].startswith("tcp") and line.cells[5] != LISTEN:
                best = at
                if mark in (NEW, CHANGED):
                    return at
        return best

    @property
    def connection(self) -> TcpRow | None:
        """The TCP connection, or the listening socket, under the cursor."""
        session, line = self.session, self.current
        if session is None or line is None or not isinstance(line.key, tuple):
            return None
        for row in tcp_table.rows(node_of(session, self.node)):
            if row.sid == line.key[0] and (len(line.key) == 1 or (row.local, row.foreign) == line.key[1:]):
                return row
        return None

    def conversation(self) -> str:
        """A display filter for the packets of the socket under the cursor; empty where they can't be told."""
        line = self.current
        if line is None:
            return ""
        proto = "tcp" if line.cells[0].startswith("tcp") else "udp" if line.cells[0].startswith("udp") else ""
        if not proto:
            return ""
        terms = [proto]
        for end in line.cells[3:5]:
            address, _, port = end.rpartition(".")
            if address not in ("", "*"):
                terms.append(f"ipv6.addr == {address.partition('%')[0]}")
            if port.isdecimal():
                terms.append(f"{proto}.port == {port}")
        return " && ".join(terms[1:] or terms)

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """The connection under the cursor: as much of it as there is room for."""
        session, line = self.session, self.current
        room = self.size.height - len(self._entries)
        if session is None or line is None or self.size.height < 5:
            return []
        if any(entry.line is line and entry.mark == GONE for entry in self._entries):
            return [[(f"{INDENT}this socket is closed", "table--muted")]]
        row = self.connection
        if row is None:
            return []
        if row.state == LISTEN:
            return [[(f"{INDENT}listens since {span(row.since)} after boot: each SYN makes a connection", "")]]
        node = node_of(session, self.node)
        so = node.sockets.get(row.sid)
        tcb = so.tcb if so is not None else None
        queue = [(at - tcb.irs, len(data)) for at, data, _ in tcb.queue] if tcb is not None else []
        series = self.watched(session).all_series(self.node).get(f"cwnd.{row.sid}", [])
        lines: list[list[Part]] = [
            tcp_detail.send_bar(row),
            tcp_detail.receive_bar(row, queue),
            tcp_detail.congestion(row, series, session.now),
            *tcp_detail.times(row, session.now),
            tcp_detail.ways_out(row.state),
        ]
        key = (session.world, self.node, row.local, row.foreign, row.state)
        if self._past is None or self._past[0] != key:
            trace = session.world.network.trace
            self._past = (key, tcp_detail.history(trace, self.node, row))
        if self._past[1]:
            lines.append(tcp_detail.past(self._past[1]))
        drawn = tcp_detail.drawing(row.state)
        if room >= len(lines) + len(drawn):
            return [*drawn, *lines]
        return lines[: max(room, min(3, self.size.height - 3))]
