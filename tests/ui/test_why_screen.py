"""The key `w`: the row or packet under the cursor is explained in a window over the lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamelab.lab.why_text import Explanation
from kamelab.ui.screens.why import WhyScreen, fold
from tests.ui.screens import PING, app_on, give, lab_of, settle, text_of


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMELAB_STATE", str(tmp_path))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.asyncio
async def test_w_explains_the_neighbour_under_the_cursor_and_escape_returns(size: tuple[int, int]) -> None:
    app = app_on()
    async with app.run_test(size=size) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
        await pilot.press("escape", "2", "w")
        await settle(pilot)
        assert isinstance(app.screen, WhyScreen)
        text = text_of(app)
        assert "why h1 fe80::ff:fe00:201%ne0" in text
        assert "a neighbour on ne0, DELAY" in text
        assert "(RFC 4861 7.3.3)" in text
        assert "Esc closes" in text
        await pilot.press("pagedown", "pagedown", "pagedown", "escape")
        await settle(pilot)
        assert "a neighbour on ne0, DELAY" not in text_of(app)


@pytest.mark.asyncio
async def test_w_explains_the_packet_under_the_cursor() -> None:
    app = app_on()
    async with app.run_test(size=(120, 40)) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
        lab_of(app).packets.focus()
        await pilot.press("end", "w")
        await settle(pilot)
        assert isinstance(app.screen, WhyScreen)
        text = text_of(app)
        assert f"why {lab_of(app).packets.selected}" in text
        assert "typed: h1: ping6" in text


@pytest.mark.asyncio
async def test_w_where_there_is_nothing_to_explain_says_so_and_opens_nothing() -> None:
    app = app_on()
    async with app.run_test(size=(120, 40)) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", "8", "w")
        await settle(pilot)
        assert app.screen is lab_of(app)
        assert any("Put the cursor on a packet" in one.message for one in app._notifications)


@pytest.mark.asyncio
async def test_w_at_the_prompt_is_a_letter_and_why_can_be_typed_there() -> None:
    app = app_on()
    async with app.run_test(size=(120, 40)) as pilot:
        await give(pilot, "run 5s")
        lab_of(app).prompt.input.focus()
        await pilot.press("w")
        assert app.screen is lab_of(app)
        assert lab_of(app).prompt.input.value == "w"
        await give(pilot, "why default")
        assert "default routers:" in text_of(app)


@pytest.mark.asyncio
async def test_the_key_a_shows_the_addresses() -> None:
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", "a")
        await settle(pilot)
        assert "a addresses -- h1" in text_of(app)
        assert "2001:db8:1::ff:fe00:101/64" in text_of(app)


def test_folded_lines_lose_nothing_and_hang() -> None:
    about = Explanation("title of it")
    about.section("one", ["     12 00:00:01.000000 h1:ne0 " + "word " * 30, "plain " * 30])
    lines = fold(about, 60).plain.split("\n")
    assert max(map(len, lines)) <= 60
    words = " ".join(lines).split()
    assert words.count("word") == 30
    assert words.count("plain") == 30
    at = next(number for number, line in enumerate(lines) if line.startswith("     12"))
    assert lines[at + 1].startswith(" " * 12)
