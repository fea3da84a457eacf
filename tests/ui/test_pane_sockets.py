"""The socket pane: a TCP connection from its SYN to its end, its windows and timers, as the kernel has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pane_app import PaneApp, lab, screen_text
from tcp_lab import FETCH, LOSSY, SERVED, SLOW, TRANSFER

from kamelab.lab.console import execute
from kamelab.lab.session import Session
from kamelab.stack.netinet import tcp_table
from kamelab.stack.netinet.tcp_state import LISTEN, STATES, TRANSITIONS
from kamelab.stack.views import TcpRow
from kamelab.ui.panes import SocketsPane
from kamelab.ui.panes.tcp_detail import cells, drawing, receive_bar, send_bar, ways_out

SIZE = (90, 26)


def connection(session: Session, node: str) -> TcpRow:
    """The one connection of a node."""
    rows = tcp_table.rows(session.world.network.nodes[node])
    return next(row for row in rows if row.state != LISTEN)


def lit(text: str) -> str:
    """The state in brackets."""
    return next(state for state in STATES if f"[{state}]" in text)


def line_of(text: str, label: str) -> str:
    """The line with that label."""
    lines = [line.strip(" │") for line in text.splitlines()]
    found = [line for line in lines if line.startswith(label)]
    assert found, f"no line {label} in\n{text}"
    return found[0]


@pytest.mark.asyncio
async def test_a_connection_goes_from_its_syn_to_its_end(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, *SERVED)
    pane = SocketsPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=SIZE) as pilot:
        assert "No program on h1 has a socket open" in screen_text(app)
        app.do(FETCH)
        await pilot.pause()
        text = screen_text(app)
        assert lit(text) == "SYN-SENT"
        assert "SYN_SENT" in text
        assert "rexmt" in line_of(text, "timers")
        assert "rcv_syn_ack>ESTABLISHED" in line_of(text, "next")
        app.do("run 200ms")
        await pilot.pause()
        text = screen_text(app)
        assert lit(text) == "ESTABLISHED"
        assert line_of(text, "history").split()[1::2] == ["SYN-SENT", "ESTABLISHED"]
        assert "srtt 0.0" in line_of(text, "times")
        app.do("run 3s")
        await pilot.pause()
        assert "- tcp6" in screen_text(app)
        assert "No program on h1 has a socket open" in screen_text(app)


@pytest.mark.asyncio
async def test_the_server_waits_for_its_fin_and_then_for_old_segments_to_die(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, *TRANSFER)
    pane = SocketsPane()
    app = PaneApp(pane, session, "h2")
    async with app.run_test(size=SIZE) as pilot:
        seen = []
        for _ in range(400):
            pane.show(session, "h2")
            await pilot.pause()
            row = pane.connection
            if row is None or row.state == LISTEN:
                break
            if not seen or seen[-1] != row.state:
                seen.append(row.state)
                text = screen_text(app)
                assert lit(text) == row.state
            execute(session, "step 5")
        assert seen[0] == "ESTABLISHED"
        assert "FIN-WAIT-1" in seen
        assert "TIME-WAIT" in seen
        # The last look at it was in TIME-WAIT.
        assert seen[-1] == "TIME-WAIT"
        assert line_of(text, "timers").startswith("timers  2msl")
        assert "(end of the wait)" in text
        assert "listens since" in screen_text(app)


@pytest.mark.asyncio
async def test_windows_are_those_of_the_kernel(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, *TRANSFER)
    app = PaneApp(SocketsPane(), session, "h2")
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        row = connection(session, "h2")
        text = screen_text(app)
        assert f"{row.snd_una}..{row.snd_nxt}, window {row.snd_wnd}" in line_of(text, "send")
        assert f"next {row.rcv_nxt}, window {row.rcv_wnd}" in line_of(text, "receive")
        assert f"{row.cwnd}, ssthresh none: slow start" in line_of(text, "cwnd")
        assert "#" in line_of(text, "send")


@pytest.mark.asyncio
async def test_a_loss_shows_as_recovery_here_and_as_a_gap_there(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, *TRANSFER)
    sender, receiver = SocketsPane(), SocketsPane()
    app = PaneApp(sender, session, "h2")
    async with app.run_test(size=SIZE) as pilot:
        for line in LOSSY[len(TRANSFER) :]:
            execute(session, line)
        sender.show(session, "h2")
        await pilot.pause()
        row = connection(session, "h2")
        assert row.recovering
        text = screen_text(app)
        assert "fast recovery" in line_of(text, "cwnd")
        assert f"{row.dupacks} duplicate ACK" in line_of(text, "timers")
        history = re.search(r"\[(.*)\]", line_of(text, "cwnd"))
        assert history is not None
        assert len(set(history[1])) > 2, "the window fell and grew"
    session.back(session.events // 10)
    app = PaneApp(receiver, session, "h1")
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(400):
            if connection(session, "h1").out_of_order:
                break
            execute(session, "step")
        receiver.show(session, "h1")
        await pilot.pause()
        assert "out of order in" in line_of(screen_text(app), "receive")


def test_every_arrow_of_the_drawing_is_in_the_table_and_every_state_is_drawn() -> None:
    for state in STATES:
        text = ["".join(part for part, _ in line) for line in drawing(state)]
        assert all(other in "\n".join(text) for other in STATES)
        assert lit("\n".join(text)) == state
        assert max(map(len, text)) < 79
    events = {event for _, event in TRANSITIONS}
    arrows = re.findall(r"-([a-z]\w+)-", "\n".join(text))
    assert len(arrows) == 12
    assert set(arrows) <= events


def test_what_leads_out_of_a_state_is_all_that_the_table_has() -> None:
    for state in STATES:
        text = "".join(part for part, _ in ways_out(state))
        for (old, event), (new, _) in TRANSITIONS.items():
            if old == state and new != state:
                assert event in text
                assert f">{new}" in text


def test_bars_show_small_parts_and_keep_their_width() -> None:
    assert cells([(0, 1, "#")], 1000, 10) == "#         "
    assert cells([(999, 1000, "#")], 1000, 10) == "         #"
    assert cells([(0, 0, "#")], 1000, 4, ".") == "...."
    assert cells([], 0, 4) == "    "
    assert cells([(0, 5000, "#")], 1000, 4) == "####"


def a_row(**changes: object) -> TcpRow:
    """A row of a quiet connection."""
    ints = dict.fromkeys(TcpRow._fields, 0)
    row = TcpRow(**ints)._replace(local="a.1", foreign="b.2", state="ESTABLISHED", scales=(0, 0), timers=())  # type: ignore[arg-type]
    return row._replace(**changes)  # type: ignore[arg-type]


def test_the_bar_of_sending_tells_flight_waiting_window_and_congestion() -> None:
    row = a_row(snd_una=100, snd_nxt=700, snd_wnd=2400, send_q=1200, cwnd=1800)
    text = "".join(part for part, _ in send_bar(row))
    assert "[######++++++......|.....] 100..700, window 2400, 600 wait" in text


def test_the_bar_of_receiving_has_its_gaps() -> None:
    row = a_row(rcv_nxt=1000, rcv_wnd=1800, recv_q=600, out_of_order=1)
    text = "".join(part for part, _ in receive_bar(row, [(1600, 300)]))
    assert "[++++++......###.........] next 1000, window 1800, 600 unread, 300 out of order in 1" in text


@pytest.mark.asyncio
async def test_half_open_connections_stand_beneath_the_one_that_listens(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, *SERVED, FETCH)
    pane = SocketsPane()
    app = PaneApp(pane, session, "h2")
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(50):
            if any(row.state == "SYN-RECEIVED" for row in tcp_table.rows(session.world.network.nodes["h2"])):
                break
            execute(session, "step")
        pane.show(session, "h2")
        await pilot.pause()
        assert "SYN_RCVD" in screen_text(app)
        assert lit(screen_text(app)) == "SYN-RECEIVED"
        await pilot.press("home")
        await pilot.pause()
        assert "listens since" in screen_text(app)
        assert pane.conversation() == "tcp.port == 80"
