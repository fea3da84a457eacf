"""The task pane: text, checks that tick by themselves, hints, the way through a lesson."""

from __future__ import annotations

from pathlib import Path

import pytest
from pane_app import PaneApp, demo, lab, screen_text

from kamelab.ui.panes import TaskPane

LESSON = """
format = 1
title = "Two hosts"
references = ["RFC 4861"]
[links.lan]
latency = "500us"
[nodes.h1]
role = "host"
interfaces.ne0 = { link = "lan", up = true }
[nodes.h2]
role = "host"
interfaces.ne0 = { link = "lan", up = true }

[[tasks]]
title = "Meet your neighbor"
text = "Every interface has a **link-local address**. Ping the other with `ping6`."
hints = ["It is `fe80::ff:fe00:201`.", "Its zone is `%ne0`."]
solution = ["h1: ping6 -c 1 fe80::ff:fe00:201%ne0"]
checks = [
  { kind = "command", line = "ifconfig", pass = "You looked at ne0.", fail = "Look at ne0 with ifconfig." },
  { kind = "neighbor", node = "h1", address = "fe80::ff:fe00:201", state = "reachable" },
]

[[tasks]]
title = "Let it age"
text = "Wait."
solution = ["run 60s"]
checks = [{ kind = "neighbor", node = "h1", address = "fe80::ff:fe00:201", state = "stale" }]
"""


@pytest.mark.asyncio
async def test_checks_tick_by_themselves_and_the_next_task_comes(tmp_path: Path) -> None:
    app = PaneApp(TaskPane(), lab(tmp_path, LESSON, "run 3s"), "h1")
    async with app.run_test(size=(70, 30)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "9 task 1 of 2" in text
        assert "Every interface has a link-local address." in text
        assert "[ ] Look at ne0 with ifconfig." in text
        assert "seen: no entry" in text
        app.do("h1: ifconfig ne0")
        await pilot.pause()
        text = screen_text(app)
        assert "[x] You looked at ne0." in text
        assert "[ ] h1: neighbor fe80::ff:fe00:201 is REACHABLE" in text
        app.do("h1: ping6 -c 1 fe80::ff:fe00:201%ne0")
        await pilot.pause()
        text = screen_text(app)
        assert "9 task 2 of 2" in text
        assert "[x] passed: 1 Meet your neighbor" in text
        assert "seen: REACHABLE" in text
        app.do("run 60s")
        await pilot.pause()
        text = screen_text(app)
        assert "All 2 tasks have passed." in text
        assert "RFC 4861" in text


@pytest.mark.asyncio
async def test_hints_are_shown_when_they_are_asked_for(tmp_path: Path) -> None:
    app = PaneApp(TaskPane(), lab(tmp_path, LESSON), "h1")
    async with app.run_test(size=(70, 30)) as pilot:
        await pilot.pause()
        assert "Hint 1" not in screen_text(app)
        assert "h hint (2 left)" in screen_text(app)
        app.do("hint")
        await pilot.pause()
        assert "Hint 1. It is fe80::ff:fe00:201." in screen_text(app)
        assert "Hint 2" not in screen_text(app)
        app.do("hint")
        await pilot.pause()
        assert "Hint 2. Its zone is %ne0." in screen_text(app)
        assert "no more hints" in screen_text(app)


@pytest.mark.asyncio
async def test_going_back_over_a_pass_takes_it_back(tmp_path: Path) -> None:
    session = lab(tmp_path, LESSON, "run 3s", "h1: ifconfig ne0")
    app = PaneApp(TaskPane(), session, "h1")
    async with app.run_test(size=(70, 30)) as pilot:
        events = session.events
        app.do("h1: ping6 -c 1 fe80::ff:fe00:201%ne0")
        await pilot.pause()
        assert "9 task 2 of 2" in screen_text(app)
        app.do(f"back {session.events - events}")
        await pilot.pause()
        assert "9 task 1 of 2" in screen_text(app)
        assert "[x] You looked at ne0." in screen_text(app)


@pytest.mark.asyncio
async def test_other_tasks_can_be_read(tmp_path: Path) -> None:
    app = PaneApp(TaskPane(), lab(tmp_path, LESSON), "h1")
    async with app.run_test(size=(70, 30)) as pilot:
        await pilot.pause()
        await pilot.press("right")
        await pilot.pause()
        assert "9 task 2 of 2" in screen_text(app)
        assert "Wait." in screen_text(app)
        await pilot.press("right", "left")
        await pilot.pause()
        assert "9 task 1 of 2" in screen_text(app)


@pytest.mark.asyncio
async def test_a_lab_without_tasks_says_so() -> None:
    app = PaneApp(TaskPane(), demo(), "h1")
    async with app.run_test(size=(70, 20)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "Two hosts and a router" in text
        assert "This lab has no tasks" in text
