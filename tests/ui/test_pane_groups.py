"""The pane of multicast groups: memberships follow reports, queries and programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pane_app import PaneApp, demo, lab, screen_text

from kamelab.lab.console import execute
from kamelab.stack.netinet6.mld6_state import STATES, TRANSITIONS
from kamelab.ui.panes import GroupsPane
from kamelab.ui.panes.groups import drawing

QUERIED = """
format = 1
title = "Groups"
[links.lan]
[nodes.h1]
interfaces.ne0 = { link = "lan", up = true }
[nodes.h2]
interfaces.ne0 = { link = "lan", up = true }
[nodes.h3]
interfaces.ne0 = { link = "lan" }
"""


def row_of(text: str, group: str) -> str:
    """The row of a group."""
    return next(line for line in text.splitlines() if re.search(rf"{group}(%| )", line))


@pytest.mark.asyncio
async def test_a_membership_goes_from_its_report_to_idle_to_a_query() -> None:
    session = demo()
    pane = GroupsPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(110, 24)) as pilot:
        text = screen_text(app)
        row = row_of(text, "ff02::1:ff00:101")
        assert "delaying" in row
        assert re.search(r"\d s \[#+-*\]", row), "the time to the report, as a bar"
        assert "fe80::ff:fe00:101%ne0" in row, "whose solicited-node group it is"
        assert "silent" in row_of(text, "ff02::1")
        assert "kernel" in row_of(text, "ff02::1")
        app.do("run 11s")
        await pilot.pause()
        text = screen_text(app)
        row = row_of(text, "ff02::1:ff00:101")
        assert " idle " in row
        assert " yes " in row, "it was the last to report"
        assert "[idle]" in text
        assert re.search(r"history  delaying 0\.0\d+  idle \d", text)


@pytest.mark.asyncio
async def test_a_node_that_is_down_listens_to_nobody_and_the_pane_says_what_would_help(tmp_path: Path) -> None:
    session = lab(tmp_path, QUERIED)
    app = PaneApp(GroupsPane(), session, "h3")
    async with app.run_test(size=(110, 24)) as pilot:
        assert "h3 has joined no group that others could send to" in screen_text(app)
        app.do("h3: ifconfig ne0 up")
        await pilot.pause()
        assert "has joined no group" not in screen_text(app)
        assert "delaying" in row_of(screen_text(app), "ff02::1:ff00:301")


@pytest.mark.asyncio
async def test_programs_are_named_and_leave_a_mark_when_they_go(tmp_path: Path) -> None:
    session = lab(tmp_path, QUERIED, "run 12s", "h1: mcastread -i ne0 ff02::77 5000 &", "run 1s")
    pane = GroupsPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(110, 24)) as pilot:
        await pilot.pause()
        assert re.search(r"mcastread\(\d+\)", row_of(screen_text(app), "ff02::77"))
        assert pane.conversation() in ("ipv6.dst == ff02::77", "ipv6.dst == ff02::1:ff00:101")
        assert pane.question() == f"h1 {pane.conversation().rpartition(' ')[2]}%ne0"
        app.do("h1: kill %1")
        await pilot.pause()
        assert row_of(screen_text(app), "ff02::77").lstrip(" │").startswith("-")


@pytest.mark.asyncio
async def test_an_interface_tells_its_version(tmp_path: Path) -> None:
    session = lab(tmp_path, QUERIED, "run 12s")
    app = PaneApp(GroupsPane(), session, "h1")
    async with app.run_test(size=(110, 24)) as pilot:
        await pilot.pause()
        assert re.search(r"Version", screen_text(app))
        assert re.search(r"ne0 +1\b", screen_text(app))
        app.do("h1: sysctl -w net.inet6.icmp6.mldv2=1")
        await pilot.pause()
        assert re.search(r"~ ne0 +2 +2 +125s", screen_text(app))


def test_the_drawing_has_every_state_and_takes_its_arrows_from_the_table() -> None:
    for state in STATES:
        text = "\n".join("".join(part for part, _ in line) for line in drawing(state))
        assert f"[{state}]" in text
        assert all(other in text for other in STATES)
        arrows = re.findall(r"--([a-z]+)-", text)
        assert set(arrows) <= {event for _, event in TRANSITIONS}
        assert "query" in arrows


@pytest.mark.asyncio
async def test_a_group_that_is_never_reported_says_so() -> None:
    session = demo("run 3s")
    app = PaneApp(GroupsPane(), session, "h1")
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.press("home")
        await pilot.pause()
        assert "this group is never reported" in screen_text(app)


def test_a_lab_goes_on_unharmed_by_looking() -> None:
    plain, watched = demo("run 20s"), demo()
    pane = GroupsPane()
    for _ in range(20):
        execute(watched, "run 1s")
        for section in pane.SECTIONS:
            section.read(watched, "h1")
    assert plain.digest() == watched.digest()
