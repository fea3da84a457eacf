"""Whole screens of the demo after its ping, as text that a reviewer can read: ``tests/ui/goldens``.

``KAMELAB_UPDATE_GOLDENS=1 pytest tests/ui/test_screen_goldens.py`` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from screens import PING, app_on, compare, give, lab_of, settle, steady, text_of
from tcp_lab import LOSSY, slow
from textual.pilot import Pilot

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAMELAB_STATE", str(tmp_path))


async def after_the_ping(pilot: Pilot[int]) -> None:
    """The demo after five seconds and a ping across the router."""
    await give(pilot, "run 5s")
    await give(pilot, PING)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_demo_after_the_ping(size: tuple[int, int]) -> None:
    app = app_on()
    async with app.run_test(size=size) as pilot:
        await after_the_ping(pilot)
        await steady(pilot)
        text = text_of(app)
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert all(len(line) <= size[0] for line in lines)
        # Nothing is cut that this screen is about: the router's entry, the replies, the result, the time.
        for whole in (
            "fe80::ff:fe00:201%ne0   2:0:0:0:2:1       ne0   4s        D  R",
            "echo reply id 4 seq 0 length 16",
            "16 bytes from 2001:db8:2::ff:fe00:301, icmp_seq=0 hlim=63 time=4 ms",
            "1 packets transmitted, 1 packets received, 0.0% packet loss",
            "00:00:05.004000",
            "8 timers",
        ):
            assert whole in text
        compare(f"demo-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize(("name", "keys"), [("map", ["1"]), ("inside", ["0", "i"]), ("routes", ["3"])])
async def test_what_is_a_key_away_on_a_small_screen(name: str, keys: list[str]) -> None:
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await after_the_ping(pilot)
        await pilot.press("escape", *keys)
        await pilot.pause()
        lab_of(app).drawer.action_close()
        await settle(pilot)
        await steady(pilot)
        compare(f"demo-80x24-{name}", text_of(app))


async def test_before_anything_has_happened() -> None:
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        compare("demo-80x24-boot", text_of(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_connection_that_has_lost_a_segment(size: tuple[int, int], tmp_path: Path) -> None:
    app = app_on(slow(tmp_path))
    async with app.run_test(size=size) as pilot:
        for line in (*LOSSY, "select h2"):
            await give(pilot, line)
        lab_of(app).drawer.action_close()
        await pilot.press("escape", "7")
        await settle(pilot)
        await steady(pilot)
        text = text_of(app)
        assert all(len(line) <= size[0] for line in text.splitlines())
        for whole in ("window 57344", "fast recovery", "srtt 0.1", "rcv_rst/abort/timeout>CLOSED"):
            assert whole in text
        compare(f"tcp-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize(("name", "key"), [("statistics", "d"), ("ladder", "l"), ("groups", "g")])
async def test_what_else_there_is_to_see_of_it(name: str, key: str, tmp_path: Path) -> None:
    app = app_on(slow(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        for line in (*LOSSY, "select h2"):
            await give(pilot, line)
        lab_of(app).drawer.action_close()
        await pilot.press("escape", "7", key)
        await settle(pilot)
        await steady(pilot)
        compare(f"tcp-80x24-{name}", text_of(app))
