"""Every pane after the demo's ping, as text that can be read: `KAMELAB_UPDATE_GOLDENS=1` writes the files anew.

The text is the same whatever the theme, and with NO_COLOR: no meaning is in the colours alone.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pane_app import PaneApp, demo, screen_text
from textual.filter import Monochrome

from kamelab.ui.panes import STATE_PANES, InsidePane, PacketList, Pane
from kamelab.ui.theme import CONTRAST, DARK, LIGHT

GOLDENS = Path(__file__).parent / "goldens"
KINDS: tuple[type[Pane], ...] = (*STATE_PANES, PacketList, InsidePane)


async def picture(kind: type[Pane], size: tuple[int, int], theme: str = DARK, plain: bool = False) -> str:
    """The pane on h1 after the demo's ping, its rows marked by it."""
    session = demo("run 6s")
    app = PaneApp(kind(), session, "h1", theme)
    if plain:
        app._filters.append(Monochrome())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.do("h1: ping6 -c 1 2001:db8:2::1")
        if isinstance(app.pane, InsidePane):
            app.pane.select(session.world.network.trace.packets[-1][0])
        await pilot.pause()
        return screen_text(app)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.PANE_ID)
@pytest.mark.asyncio
async def test_a_pane_looks_as_it_did(kind: type[Pane]) -> None:
    text = await picture(kind, (80, 20))
    path = GOLDENS / f"pane-{kind.PANE_ID}-80x20.txt"
    if os.environ.get("KAMELAB_UPDATE_GOLDENS"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("theme", [LIGHT, CONTRAST])
@pytest.mark.asyncio
async def test_the_text_is_the_same_in_every_theme(theme: str) -> None:
    for kind in (STATE_PANES[0], PacketList):
        assert await picture(kind, (80, 20), theme) == await picture(kind, (80, 20))


@pytest.mark.asyncio
async def test_the_text_is_the_same_without_colours() -> None:
    for kind in (STATE_PANES[0], PacketList):
        assert await picture(kind, (80, 20), plain=True) == await picture(kind, (80, 20))
