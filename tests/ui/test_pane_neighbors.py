"""The neighbour pane: the state machine of the row under the cursor follows time."""

from __future__ import annotations

from pathlib import Path

import pytest
from pane_app import PaneApp, lab, screen_text

from kamelab.lab.console import execute, submit
from kamelab.lab.session import Session
from kamelab.stack.netinet6.nd6_state import STATES
from kamelab.ui.panes import NeighborsPane
from kamelab.ui.panes.spans import span

PAIR = """
format = 1
title = "Two hosts on a wire"
[links.lan]
latency = "500us"
[nodes.h1]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
[nodes.h2]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::2/64"] }
"""
PEER = "2001:db8:1::2"


def machine(app: PaneApp) -> str:
    """The state in brackets, in the one line of a low pane or in the drawing of a high one."""
    text = screen_text(app)
    (state,) = [state for state in STATES if f"[{state}]" in text]
    return state


def until(session: Session, state: str) -> None:
    """Let events happen until h1 has its peer in that state."""
    node = session.world.network.nodes["h1"]
    for _ in range(500):
        if any(nbr.state == state for nbr in node.interfaces["ne0"].neighbors.values()):
            return
        execute(session, "step")
    raise AssertionError(f"never {state}")


@pytest.mark.asyncio
async def test_the_machine_goes_through_its_states(tmp_path: Path) -> None:
    session = lab(tmp_path, PAIR, "run 5s")
    pane = NeighborsPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(80, 14)) as pilot:

        async def look() -> str:
            pane.show(session, "h1")
            await pilot.pause()
            return screen_text(app)

        assert "an address of this node: always reachable" in await look()
        assert "h1 has met nobody yet" in await look()
        submit(session, f"h1: ping6 -c 1 {PEER}")
        until(session, "INCOMPLETE")
        text = await look()
        assert machine(app) == "INCOMPLETE"
        assert "1.000 s to the next solicitation (1 of 3 sent); 1 packet waits" in text
        until(session, "REACHABLE")
        text = await look()
        assert machine(app) == "REACHABLE"
        assert "s to STALE" in text
        session.finish()
        execute(session, "run 60s")
        text = await look()
        assert machine(app) == "STALE"
        assert "next packet: DELAY; unused, gone in 23h59m" in text
        execute(session, "link lan down")
        submit(session, f"h1: ping6 -c 1 {PEER}")
        until(session, "DELAY")
        text = await look()
        assert machine(app) == "DELAY"
        assert "5.000 s to PROBE" in text
        until(session, "PROBE")
        text = await look()
        assert machine(app) == "PROBE"
        assert "(1 of 3 sent)" in text
        history = next(line for line in text.splitlines() if "history" in line)
        assert [word for word in history.split() if word in "IRSDP"] == ["I", "R", "S", "D", "P"]
        session.finish()
        execute(session, "run 10s")
        text = await look()
        assert f"- {PEER}" in text, "the entry went: it is marked as gone"


@pytest.mark.asyncio
async def test_a_static_entry_and_an_own_address_are_never_checked(tmp_path: Path) -> None:
    session = lab(tmp_path, PAIR, "run 5s", "h1: ndp -s 2001:db8:1::9 2:0:0:0:9:9")
    pane = NeighborsPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        assert "permanent: set by hand, never checked" in screen_text(app)
        await pilot.press("home")
        await pilot.pause()
        assert "an address of this node: always reachable" in screen_text(app)


@pytest.mark.asyncio
async def test_a_low_pane_keeps_its_rows_and_drops_the_machine(tmp_path: Path) -> None:
    session = lab(tmp_path, PAIR, "run 5s", f"h1: ping6 -c 1 {PEER}")
    app = PaneApp(NeighborsPane(), session, "h1")
    async with app.run_test(size=(80, 6)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert PEER in text
        assert "NOSTATE" not in text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(412_000_000, "0.412 s"), (2_999_999_900, "3.000 s"), (28_600_000_000, "28 s"), (86_398_000_000_000, "23h59m58s")],
)
def test_spans(nanoseconds: int, text: str) -> None:
    assert span(nanoseconds) == text
