"""The statistics pane: drops with their sentence, counters that grew last first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pane_app import PaneApp, demo, lab, screen_text
from screens import app_on, give, lab_of, settle, text_of
from tcp_lab import LOSSY, SLOW

from kamelab.core.drops import REASONS
from kamelab.lab.console import execute
from kamelab.ui.panes import StatisticsPane
from kamelab.ui.panes.statistics import Drops, phrase
from kamelab.ui.screens.why import WhyScreen

NO_PORT = ("run 5s", "h1: traceroute6 -q 1 2001:db8:2::ff:fe00:301")
"""The last probe finds no port."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMELAB_STATE", str(tmp_path))


@pytest.mark.asyncio
async def test_a_drop_is_counted_with_its_sentence() -> None:
    session = demo()
    app = PaneApp(StatisticsPane(), session, "h2")
    async with app.run_test(size=(110, 24)) as pilot:
        assert "No packet was dropped on h2 so far." in screen_text(app)
        app.do(*NO_PORT)
        await pilot.pause()
        text = screen_text(app)
        assert re.search(r"UDP_NOPORT +1 +5\.\d+ ", text)
        assert REASONS["UDP_NOPORT"].sentence in text
        assert re.search(r"udp6\.noport +1 ·*█·* *5\.\d+ to a port without a socket", text)
        app.do("back")
        while session.now > 5 * 10**9 - 1 and "UDP_NOPORT" in screen_text(app):
            app.do("back")
            await pilot.pause()
        assert "UDP_NOPORT" not in screen_text(app), "going back takes the drop back"


@pytest.mark.asyncio
async def test_counters_that_grew_last_stand_first(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW)
    pane = StatisticsPane()
    app = PaneApp(pane, session, "h2")
    async with app.run_test(size=(110, 30)) as pilot:
        app.do(*LOSSY)
        await pilot.pause()
        rows = list(pane._read_counters(session, "h2"))
        times = [float(line.cells[3]) for line in rows]
        assert times == sorted(times, reverse=True)
        names = [line.cells[0] for line in rows]
        assert names.index("tcp.rcvdupack") < names.index("tcp.accepts")
        assert "tcp.sndrexmitpack" in names
        assert all(int(line.cells[1]) for line in rows)
        counters = session.world.network.nodes["h2"].counters()
        assert all(counters[line.cells[0]] == int(line.cells[1]) for line in rows)
        assert re.search(r"tcp\.sndbyte +\d+ [·▁-█]{20}", screen_text(app))


@pytest.mark.asyncio
async def test_enter_on_a_drop_shows_its_packets_and_w_explains_the_last() -> None:
    app = app_on()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        for line in NO_PORT:
            await give(pilot, line)
        await give(pilot, "select h2")
        screen = lab_of(app)
        screen.drawer.action_close()
        await pilot.press("escape", "d")
        await settle(pilot)
        assert "d statistics -- h2" in text_of(app)
        await pilot.press("home", "enter")
        await settle(pilot)
        assert screen.packets.filter_text == 'reason == "UDP_NOPORT" && node == "h2"'
        assert len(screen.packets.rows) == 1
        await pilot.press("d", "w")
        await pilot.pause()
        assert isinstance(app.screen, WhyScreen)
        assert "UDP_NOPORT" in app.screen.about.text() or REASONS["UDP_NOPORT"].sentence in app.screen.about.text()


@pytest.mark.asyncio
async def test_enter_on_a_lost_frame_explains_it_since_nobody_received_it(tmp_path: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text(SLOW)
    app = app_on(str(path))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        for line in ("run 3s", "link lan loss=100%", "h1: ping6 -c 1 2001:db8:1::2", "select h2"):
            await give(pilot, line)
        lab_of(app).drawer.action_close()
        await pilot.press("escape", "d", "home", "enter")
        await settle(pilot)
        assert isinstance(app.screen, WhyScreen)
        assert lab_of(app).packets.filter_text == ""


def test_each_record_is_looked_at_once_and_counts_are_those_of_the_trace() -> None:
    session = demo(*NO_PORT)
    drops = Drops()
    trace = session.world.network.trace
    assert drops.read(trace, "h2") == drops.read(trace, "h2")
    execute(session, NO_PORT[1])
    for node in session.world.network.nodes:
        found = drops.read(trace, node)
        for reason, drop in found.items():
            assert drop.number == sum(row[6:8] == ("drop", reason) and row[2] == node for row in trace.records)


def test_counters_have_words() -> None:
    assert phrase("ip6.total") == "packets received"
    assert phrase("ip6.nxthist.58") == "received, of them ICMP6"
    assert phrase("icmp6.inhist.135").startswith("received: ")
    assert phrase("icmp6.error.1.4") == "errors asked for: port unreachable"
    assert phrase("no.such") == ""
