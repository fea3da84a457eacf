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
from kamelab.ui.screens.lab import LabScreen

GOLDENS = Path(__file__).parent / "goldens"
PING = "ping6 -c 3 2001:db8:2::1"


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
    field = lab_of(app).prompt.input
    field.focus()
    field.value = line
    await pilot.press("enter")
    await settle(pilot)


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
