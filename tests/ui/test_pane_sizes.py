"""The pane of path MTUs and fragments: what is too big for a path, at the sender and at the receiver."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pane_app import PaneApp, demo, lab, screen_text
from tcp_lab import SLOW

from kamelab.lab.console import execute
from kamelab.stack.views import ReassemblyRow
from kamelab.ui.panes import SizesPane
from kamelab.ui.panes.sizes import holes, picture, ranges

NARROW = ("run 5s", "r1: ifconfig ne1 mtu 1280", "h1: ping6 -m -s 1400 -c 2 2001:db8:2::ff:fe00:301")


@pytest.mark.asyncio
async def test_a_path_mtu_is_told_lives_and_is_forgotten() -> None:
    session = demo()
    pane = SizesPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(90, 20)) as pilot:
        assert "No path from h1 is known to be narrower" in screen_text(app)
        assert "ping6 -m" in screen_text(app)
        app.do(*NARROW)
        await pilot.pause()
        text = screen_text(app)
        row = next(line for line in text.splitlines() if "2001:db8:2::ff:fe00:301" in line)
        assert re.search(r"\+ 2001:db8:2::ff:fe00:301 +ne0 +1280 +1500 +9m\d\ds \[#+\] told", row)
        assert pane.question() == "h1 2001:db8:2::ff:fe00:301"
        app.do("run 5m")
        await pilot.pause()
        assert re.search(r" 1280 +1500 +4m\d\ds \[####----\]", screen_text(app))
        app.do("run 6m")
        await pilot.pause()
        assert "- 2001:db8:2::ff:fe00:301" in screen_text(app)
        assert "No path from h1 is known to be narrower" in screen_text(app)


@pytest.mark.asyncio
async def test_fragments_wait_for_the_others_with_their_holes(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, "run 3s", "h2: ping6 -c 1 2001:db8:1::1", "h2: ping6 -s 5000 -c 1 2001:db8:1::1 &")
    pane = SizesPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(90, 20)) as pilot:
        pieces = []
        for _ in range(60):
            execute(session, "step")
            pane.show(session, "h1")
            await pilot.pause()
            found = re.search(r"(\d) (\d+)/(\?|\d+) +\[([#.?]+)\]", screen_text(app))
            if found and (not pieces or pieces[-1] != found.groups()):
                pieces.append(found.groups())
                assert "time" in screen_text(app)
                assert "missing  from" in screen_text(app)
        assert [piece[0] for piece in pieces] == ["1", "2", "3", "4"]
        assert pieces[0][2] == "?"
        assert pieces[0][3].endswith("?")
        assert pieces[-1][1] == "4928"
        assert "put together so far" in screen_text(app)


def a_row(*pieces: tuple[int, int], expected: int = -1) -> ReassemblyRow:
    """A queue with these pieces."""
    return ReassemblyRow("a", "b", 7, pieces, expected, 0, False)


def test_ranges_and_holes() -> None:
    row = a_row((0, 8), (8, 8), (24, 8), expected=40)
    assert ranges(row) == [(0, 16), (24, 32)]
    assert holes(row) == [(16, 24), (32, 40)]
    assert picture(row, 12) == "[####..##..]"
    assert holes(a_row((8, 8))) == [(0, 8), (16, -1)]
    assert picture(a_row((8, 8)), 11) == "[....####?]"
    assert holes(a_row((0, 8), expected=8)) == []


@pytest.mark.asyncio
async def test_overlapping_fragments_are_said_to_be_refused(tmp_path: Path) -> None:
    session = lab(tmp_path, SLOW, "run 3s")
    node = session.world.network.nodes["h1"]
    head = bytes.fromhex(
        "60000000001828402001 0db8000100000000000000000002 20010db8000100000000000000000001".replace(" ", "")
    )
    head = head[:4] + (24).to_bytes(2, "big") + b"\x2c\x40" + head[8:]
    for at in (0, 8):
        packet = head + bytes((59, 0)) + (at | 1).to_bytes(2, "big") + (7).to_bytes(4, "big") + bytes(16)
        node.receive(
            node.interfaces["ne0"], bytes.fromhex("0200000001010200000002 0186dd".replace(" ", "")) + packet, 0, False
        )
    app = PaneApp(SizesPane(), session, "h1")
    async with app.run_test(size=(90, 20)) as pilot:
        await pilot.pause()
        assert "refused: overlap" in screen_text(app)
        assert "all of it is refused" in screen_text(app)
