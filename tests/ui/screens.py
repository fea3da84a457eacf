"""Helpers for tests of the lab screen: an app on a lab at a fixed place, its screen as text, goldens.

``KAMELAB_UPDATE_GOLDENS=1`` writes the goldens anew instead of comparing.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.pilot import Pilot

from kamelab.lab.opening import open_session
from kamelab.ui.app import KamelabApp
from kamelab.ui.panes.hexview import HexView
from kamelab.ui.screens.lab import LabScreen

GOLDENS = Path(__file__).parent / "goldens"
PING = "h1: ping6 -c 1 2001:db8:2::ff:fe00:301"
"""From h1 to h2, across the router."""


def app_on(lab: str = "demo", *, flat_out: bool = True) -> KamelabApp:
    """An app on a lab; as fast as can be, so that no test waits for a clock."""
    return KamelabApp(open_session(lab), speed=0.0 if flat_out else 1.0)


def lab_of(app: KamelabApp) -> LabScreen:
    """Its lab screen."""
    screen = app.lab_screen
    assert screen is not None
    return screen


async def settle(pilot: Pilot[int]) -> None:
    """Let the engine come to its goal and the screen to rest."""
    app = pilot.app
    assert isinstance(app, KamelabApp)
    await pilot.pause()
    for _ in range(100_000):
        if len(app.screen_stack) > 1:
            break
        await asyncio.sleep(0)
    for _ in range(100_000):
        if app.runner is None or not app.runner.running:
            break
        await asyncio.sleep(0)
    else:
        raise AssertionError("the engine did not come to rest")
    await pilot.pause()
    await pilot.pause()


async def give(pilot: Pilot[int], line: str) -> None:
    """Type a line at the prompt, and wait until it is done."""
    app = pilot.app
    assert isinstance(app, KamelabApp)
    if app.lab_screen is None:
        await settle(pilot)
    field = lab_of(app).prompt.input
    field.focus()
    field.value = line
    await pilot.press("enter")
    await settle(pilot)


async def steady(pilot: Pilot[int]) -> None:
    """Bring the marked octets to one place: where they come to stand depends on what was laid out first."""
    for view in pilot.app.screen.query(HexView):
        view.scroll_to(y=0, animate=False, immediate=True)
        view.mark(view._from, view._until - view._from)
    await pilot.pause()
    await pilot.pause()


def text_of(app: KamelabApp) -> str:
    """The whole screen, line by line, without blanks at the ends."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"


def compare(name: str, text: str) -> None:
    """Compare with a golden."""
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("KAMELAB_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
