"""One TCP connection in lines: its state machine, windows as bars, congestion, times and history.

The machine is drawn from the table of `kamelab.stack.netinet.tcp_state` (RFC 9293 3.3.2); resets, aborts and time-outs,
which lead to CLOSED from everywhere, are left out of the drawing and listed below it.
"""

from __future__ import annotations

from collections.abc import Sequence

from kamelab.core.trace import Trace
from kamelab.stack.netinet.tcp_state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    TRANSITIONS,
)
from kamelab.stack.views import TcpRow
from kamelab.ui.panes.machine import INDENT, Part, box, event_of, width_of
from kamelab.ui.panes.spans import moment, span
from kamelab.ui.samples import Series, levels, spark

BAR = 24
"""Cells of a window's bar, its brackets left out."""
SPARK = 24
HISTORY_SHOWN = 5
HISTORY_LOOK = 20_000
"""Trace records looked through for it."""
TIMERS = {
    "rexmt": "send again",
    "persist": "probe the closed window",
    "keep": "keep-alive",
    "2msl": "end of the wait",
    "delack": "acknowledge",
}
"""What the timers do when they fire."""


def state_class(state: str) -> str:
    """The component class of a state."""
    if state == ESTABLISHED:
        return "table--good"
    return "table--muted" if state in (CLOSED, LISTEN, TIME_WAIT) else "table--warn"


# -- the machine -----------------------------------------------------------------------------------------------------


def _path(states: Sequence[str], lit: str) -> list[Part]:
    """States in a row, each arrow with the first event of the table that leads over it."""
    style = state_class(lit)
    parts: list[Part] = []
    for at, state in enumerate(states):
        if at:
            parts.append((f"-{event_of(TRANSITIONS, states[at - 1], state)}->", ""))
        parts.append(box(state, lit, style))
    return parts


def drawing(state: str) -> list[list[Part]]:
    """The state machine in six lines, the present state in brackets."""
    top = _path((CLOSED, SYN_SENT, ESTABLISHED), state)
    edge = width_of(top) - 3
    low = _path((LISTEN, SYN_RECEIVED), state)
    up = f"-{event_of(TRANSITIONS, SYN_RECEIVED, ESTABLISHED)}-"
    low.append((f"{up.ljust(edge - 8 - width_of(low), '-')}^".ljust(edge - width_of(low)) + "│", ""))
    ours = [
        (f"├-{event_of(TRANSITIONS, ESTABLISHED, FIN_WAIT_1)}->", ""),
        *_path((FIN_WAIT_1, FIN_WAIT_2, TIME_WAIT), state),
    ]
    turn = width_of(ours[:1]) + 3
    both: list[Part] = [("│".ljust(turn) + f"└-{event_of(TRANSITIONS, FIN_WAIT_1, CLOSING)}->", "")]
    both.append(box(CLOSING, state, state_class(state)))
    end = f"-{event_of(TRANSITIONS, CLOSING, TIME_WAIT)}-"
    both.append((end.ljust(width_of(ours) - 6 - width_of(both), "-") + "^", ""))
    theirs = [
        (f"└-{event_of(TRANSITIONS, ESTABLISHED, CLOSE_WAIT)}->", ""),
        *_path((CLOSE_WAIT, LAST_ACK, CLOSED), state),
    ]
    rail: list[Part] = [("┌" + "─" * (edge - 1) + "┘", "")]
    return [[(INDENT, ""), *line] for line in (top, low, rail, ours, both, theirs)]


def ways_out(state: str) -> list[Part]:
    """What leads out of a state, in one line: ``close>FIN-WAIT-1  rcv_fin>CLOSE-WAIT``."""
    found: dict[str, list[str]] = {}
    for (old, event), (new, _) in TRANSITIONS.items():
        if old == state and new != state:
            found.setdefault(new, []).append(event)
    parts: list[Part] = [(f"{INDENT}next    ", "table--muted")]
    for new, events in found.items():
        parts += [("/".join(events), ""), (f">{new}  ", "table--muted")]
    return parts


def history(trace: Trace, node: str, row: TcpRow) -> list[tuple[int, str]]:
    """The last states of a connection as (time, state), oldest first, as far as the trace still knows."""
    found: list[tuple[int, str]] = []
    name = f"{row.local} {row.foreign} "
    for record in reversed(trace.records[-HISTORY_LOOK:]):
        if record[4] == "tcp" and record[6] == "state" and record[2] == node and record[9].startswith(name):
            old, _, new = record[7].partition(" > ")
            found.append((record[1], new))
            if old in (CLOSED, LISTEN) or len(found) == HISTORY_SHOWN:
                break
    return found[::-1]


# -- windows ---------------------------------------------------------------------------------------------------------


def cells(parts: Sequence[tuple[int, int, str]], total: int, width: int, ground: str = " ") -> str:
    """A bar of ``width`` cells for 0 .. ``total``; later (begin, end, glyph) are drawn over earlier ones.

    What is not empty has a cell at least.
    """
    line = [ground] * width
    for begin, end, glyph in parts:
        if end <= begin or total <= 0:
            continue
        first = min(width - 1, max(0, begin * width // total))
        last = max(first + 1, min(width, -(-end * width // total)))
        line[first:last] = glyph * (last - first)
    return "".join(line)


def send_bar(row: TcpRow) -> list[Part]:
    """What is in flight, what waits to be sent, and how much the peer's window and ours of congestion let out."""
    flight = row.snd_nxt - row.snd_una
    ready = max(flight, row.send_q)
    total = max(row.snd_wnd, ready, 1)
    drawn = cells([(0, row.snd_wnd, "."), (0, ready, "+"), (0, flight, "#")], total, BAR)
    if 0 < row.cwnd < total:
        at = min(BAR - 1, row.cwnd * BAR // total)
        drawn = f"{drawn[:at]}|{drawn[at + 1 :]}"
    text = f" {row.snd_una}..{row.snd_nxt}, window {row.snd_wnd}"
    if ready > flight:
        text += f", {ready - flight} wait"
    return [(f"{INDENT}send    ", "table--muted"), (f"[{drawn}]", "table--good" if flight else ""), (text, "")]


def receive_bar(row: TcpRow, queue: Sequence[tuple[int, int]]) -> list[Part]:
    """What the program has not read, the window offered, and in it what came out of order.

    ``queue``: (sequence number counted from the first, octets) of each piece.
    """
    unread = row.recv_q
    total = max(unread + row.rcv_wnd, 1)
    ahead = [(unread + begin - row.rcv_nxt, unread + begin + octets - row.rcv_nxt, "#") for begin, octets in queue]
    drawn = cells([(unread, total, "."), (0, unread, "+"), *ahead], total, BAR)
    text = f" next {row.rcv_nxt}, window {row.rcv_wnd}"
    if unread:
        text += f", {unread} unread"
    if queue:
        text += f", {sum(octets for _, octets in queue)} out of order in {len(queue)}"
    return [(f"{INDENT}receive ", "table--muted"), (f"[{drawn}]", "table--warn" if queue else ""), (text, "")]


def congestion(row: TcpRow, series: Series, now: int) -> list[Part]:
    """The congestion window over time, and whether it is slow start, avoidance or recovery."""
    begin = min([time for time, _ in series[:1]] or [now], default=now)
    drawn = spark(levels(series, begin, now, SPARK)) if series and now > begin else " " * SPARK
    if row.recovering:
        phase = "fast recovery"
    elif not row.ssthresh or row.cwnd < row.ssthresh:
        phase = "slow start"
    else:
        phase = "congestion avoidance"
    text = f" {row.cwnd}, ssthresh {row.ssthresh or 'none'}: {phase}"
    return [(f"{INDENT}cwnd    ", "table--muted"), (f"[{drawn}]", "table--accent"), (text, "")]


def times(row: TcpRow, now: int) -> list[list[Part]]:
    """Round trips, and the timers that are armed."""
    trip = f"srtt {span(row.srtt)}  rttvar {span(row.rttvar)}" if row.srtt else "srtt not measured"
    text = f"{trip}  rto {span(row.rto)}  mss {row.mss}"
    if row.timestamps:
        text += "  timestamps"
    if any(row.scales):
        text += f"  scales {row.scales[0]}/{row.scales[1]}"
    lines: list[list[Part]] = [[(f"{INDENT}times   ", "table--muted"), (text, "")]]
    armed = [f"{name} {span(max(0, at - now))} ({TIMERS.get(name, name)})" for name, at in row.timers]
    if row.dupacks:
        armed.append(f"{row.dupacks} duplicate ACK{'s' if row.dupacks > 1 else ''}")
    if row.retransmits:
        armed.append(f"sent again {row.retransmits}x")
    style = "table--warn" if row.retransmits else ""
    lines.append([(f"{INDENT}timers  ", "table--muted"), ("  ".join(armed) or "none is armed", style)])
    return lines


def past(steps: Sequence[tuple[int, str]]) -> list[Part]:
    """The states it took, with their times."""
    return [(f"{INDENT}history", "table--muted"), *((f"  {state} {moment(time)}", "") for time, state in steps)]
