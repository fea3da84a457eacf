"""Routers and prefixes: lifetimes run down as bars, and the pane says why a router is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from pane_app import PaneApp, demo, lab, screen_text

from kamelab.lab.console import execute
from kamelab.ui.panes import NeighborsPane, PrefixesPane, RoutersPane, RoutesPane
from kamelab.ui.panes.neighbors import drawing

TWO = """
format = 1
title = "Two routers on a wire"
[links.lan]
latency = "500us"
[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan", up = true }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
[nodes.r2]
role = "router"
startup = ["rtadvd ne0"]
files."/etc/rtadvd.conf" = "ne0:\\\\\\n\\t:raflags#24:\\n"
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:2::1/64"] }
"""


def filled(text: str, word: str) -> int:
    """Full cells of the bar in the line that has the word."""
    return next(line for line in text.splitlines() if word in line and "[" in line).count("#")


@pytest.mark.asyncio
async def test_a_routers_lifetime_runs_down_until_it_leaves_the_list() -> None:
    session = demo("run 6s", "link lan1 down")
    pane = RoutersPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        full = filled(screen_text(app), "lifetime")
        assert full == 30
        assert "of 30m, then off the list" in screen_text(app)
        app.do("run 15m")
        await pilot.pause()
        assert filled(screen_text(app), "lifetime") == 15
        app.do("run 20m")
        await pilot.pause()
        assert "- * fe80::ff:fe00:201%ne0" in screen_text(app)
        assert "this router is gone" in screen_text(app)


@pytest.mark.asyncio
async def test_the_pane_says_why_a_router_is_used_and_another_is_not(tmp_path: Path) -> None:
    session = lab(tmp_path, TWO, "run 20s")
    pane = RoutersPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.press("home")
        await pilot.pause()
        assert "used: it is " in screen_text(app)
        await pilot.press("down")
        await pilot.pause()
        text = " ".join(screen_text(app).replace("│", " ").split())
        assert "not used: another of higher preference is reachable" in text
        assert "RFC 4191 3.2" in text
        assert pane.question().startswith("h1 fe80::")


@pytest.mark.asyncio
async def test_a_prefix_shows_both_lifetimes_and_an_own_one_that_it_has_no_end() -> None:
    session = demo("run 6s", "link lan1 down")
    pane = PrefixesPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert pane.question() == "h1 2001:db8:1::/64"
        assert "of 30d, then off the list" in text
        assert "of 7d, then deprecated" in text
        await pilot.press("home")
        await pilot.pause()
        text = screen_text(app)
        assert "fe80::%ne0/64 has no end: an address of this node stands for it" in text
        assert "2001:db8:1::/64 on ne0" in text, "the others' bars stand below"
        await pilot.press("down")
        app.do("run 100h")
        await pilot.pause()
        text = screen_text(app)
        assert filled(text, "preferred") < filled(text, "valid") < 20


def test_the_neighbours_machine_lights_one_state() -> None:
    for state in ("NOSTATE", "INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE"):
        text = "\n".join("".join(part for part, _ in line) for line in drawing(state))
        assert f"[{state}]" in text
        assert text.count("[") == 1
        assert "--na_solicited-->" in text
        assert "<--failed--" in text
        assert "v timeout" in text
        top, down, low = text.splitlines()
        assert top.index("REACHABLE") <= down.index("v") <= top.index("REACHABLE") + 8
        assert low.index("STALE") <= down.index("v") <= low.index("STALE") + 4


@pytest.mark.asyncio
async def test_a_high_pane_lists_what_leads_out_of_the_state() -> None:
    session = demo("run 6s", "h1: ping6 -c 1 2001:db8:2::1")
    app = PaneApp(NeighborsPane(), session, "h1")
    async with app.run_test(size=(90, 24)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "[DELAY]" in text
        assert "to PROBE      timeout  RFC 4861 7.3.3" in text
        reachable = next(line for line in text.splitlines() if "REACHABLE  " in line and "hint" in line)
        assert "RFC 4861 7.2.5, 7.3.1" in reachable


@pytest.mark.asyncio
async def test_every_row_of_these_tables_is_a_question_that_why_answers() -> None:
    from kamelab.lab.why import explain

    session = demo("run 6s", "h1: ping6 -c 1 2001:db8:2::1")
    execute(session, "run 1s")
    for kind in (NeighborsPane, RoutesPane, PrefixesPane, RoutersPane):
        pane = kind()
        app = PaneApp(pane, session, "h1")
        async with app.run_test(size=(90, 24)) as pilot:
            await pilot.press("home")
            asked = set()
            for _ in range(30):
                asked.add(pane.question())
                await pilot.press("down")
            assert asked
            assert all(explain(session, question.split()).sections for question in asked)
