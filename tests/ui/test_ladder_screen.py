"""The ladder on the screen: by key on a packet's conversation, typed with a filter, following time."""

from __future__ import annotations

from pathlib import Path

import pytest
from screens import PING, app_on, give, lab_of, settle, text_of
from tcp_lab import FETCH, SERVED, slow

from kamelab.capture.filter import compile_filter
from kamelab.capture.ladder import ladder
from kamelab.ui.panes.packet_text import conversation
from kamelab.ui.screens import ladder as ladder_screen
from kamelab.ui.screens.ladder import LadderScreen

pytestmark = pytest.mark.asyncio
SIZE = (120, 40)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMELAB_STATE", str(tmp_path))


def shown(app: object) -> LadderScreen:
    """The ladder that is open."""
    screen = app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, LadderScreen)
    return screen


async def test_typed_it_shows_what_the_filter_takes_as_the_console_does() -> None:
    app = app_on()
    async with app.run_test(size=SIZE) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
        await give(pilot, "ladder icmpv6.type == 128")
        screen = shown(app)
        network = lab_of(app).session.world.network
        wanted = ladder(network, compile_filter("icmpv6.type == 128"), 115)
        assert screen.view.text == wanted
        text = text_of(app)
        assert "ladder -- icmpv6.type == 128" in text
        assert all(line.rstrip() in text for line in wanted)
        await pilot.press("a")
        await settle(pilot)
        assert "ladder -- all packets" in text_of(app)
        assert len(screen.view.text) > len(wanted)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is lab_of(app)


async def test_a_wrong_filter_is_explained_in_the_output() -> None:
    app = app_on()
    async with app.run_test(size=SIZE) as pilot:
        await give(pilot, "ladder icmpv6.tipe == 128")
        assert app.screen is lab_of(app)
        assert "icmpv6.type" in lab_of(app).drawer.text


async def test_on_a_packet_it_shows_the_conversation_and_follows_it_to_its_end(tmp_path: Path) -> None:
    app = app_on(slow(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        for line in (*SERVED, FETCH.replace("400000", "2000"), "run 70ms"):
            await give(pilot, line)
        lab_of(app).drawer.action_close()
        await pilot.press("escape", "0", "end", "l")
        await settle(pilot)
        screen = shown(app)
        assert screen.chosen is not None
        assert screen.chosen.text.count("tcp.port") == 2
        assert "[S]" in screen.view.text[1]
        before = len(screen.view.text)
        for _ in range(30):
            await pilot.press("full_stop")
            await settle(pilot)
        assert len(screen.view.text) > before
        assert screen.view.scroll_offset.y == screen.view.max_scroll_y
        assert "[F.]" in text_of(app) or "[FP.]" in text_of(app)
        await pilot.press("comma")
        await settle(pilot)
        assert lab_of(app).session.tail >= 0
        await pilot.press("l")
        await pilot.pause()
        assert app.screen is lab_of(app)
        assert lab_of(app).followers == []


async def test_from_the_socket_pane_it_is_that_of_the_connection(tmp_path: Path) -> None:
    app = app_on(slow(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        for line in (*SERVED, FETCH, "run 200ms"):
            await give(pilot, line)
        await pilot.press("escape", "7", "l")
        await settle(pilot)
        chosen = shown(app).chosen
        assert chosen is not None
        assert chosen.text.startswith("ipv6.addr == 2001:db8:1::1 && tcp.port == ")
        assert "TCP" in shown(app).view.text[1]


async def test_on_80_columns_nothing_is_cut_and_an_empty_one_says_why() -> None:
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await give(pilot, "ladder tcp")
        assert "No packet is taken by the filter tcp" in text_of(app)
        await pilot.press("escape")
        await pilot.pause()
        await give(pilot, "run 5s")
        await give(pilot, PING)
        await give(pilot, "ladder")
        await pilot.press("home")
        await settle(pilot)
        text = text_of(app)
        assert all(len(line) <= 80 for line in text.splitlines())
        assert max(map(len, shown(app).view.text)) <= 75
        assert "time" in text.splitlines()[2] or "time" in text.splitlines()[1]
        await give_up(pilot)


async def give_up(pilot: object) -> None:
    """Close it by its other key."""
    await pilot.press("q")  # type: ignore[attr-defined]
    await pilot.pause()  # type: ignore[attr-defined]
    assert not isinstance(pilot.app.screen, LadderScreen)  # type: ignore[attr-defined]


async def test_of_a_long_capture_the_last_frames_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder_screen, "LAST", 10)
    app = app_on()
    async with app.run_test(size=SIZE) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
        await give(pilot, "ladder")
        text = shown(app).view.text
        assert text[-1].startswith("(of ")
        assert "the last 10" in text[-1]
        assert len(text) < 14
        assert not any("outside" in line for line in text), "a frame whose sending lies before is left out"


async def test_the_conversation_of_a_frame() -> None:
    app = app_on()
    async with app.run_test(size=SIZE) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
        session = lab_of(app).session
        found = {}
        for row in session.world.network.trace.packets:
            wanted = conversation(row[12])
            compile_filter(wanted)
            found[wanted] = row
        assert "ipv6.addr == 2001:db8:1::ff:fe00:101 && ipv6.addr == 2001:db8:2::ff:fe00:301" in found
        # Whoever probes for a duplicate has no address: the group it asks is all there is.
        assert any(wanted.startswith("ipv6.addr == ff02::1:ff") for wanted in found)
        assert conversation(b"\0" * 60) == ""
