"""Table panes: what they show, what they mark, and how they are moved in."""

from __future__ import annotations

from pathlib import Path

import pytest
from pane_app import PaneApp, demo, lab, screen_text
from textual.geometry import Size

from kamelab.lab.console import submit
from kamelab.ui.panes import STATE_PANES, InterfacesPane, NeighborsPane, RoutesPane, TimersPane
from kamelab.ui.panes.base import Column, TablePane, fit, layout
from kamelab.ui.panes.marks import CHANGED, GONE, NEW, SAME, Line, Marks
from kamelab.ui.panes.spans import brief

QUIET = """
format = 1
title = "Nothing is on"
[links.lan]
[nodes.h1]
role = "host"
interfaces.ne0 = { link = "lan" }
"""


def rows(pane: TablePane) -> list[str]:
    """Mark and text of every line."""
    return pane.lines()


def marked(pane: TablePane, mark: str) -> list[str]:
    """Texts of the rows with that mark."""
    return [line[2:] for line in pane.lines() if line[0] == mark]


@pytest.mark.parametrize("kind", STATE_PANES, ids=lambda kind: kind.PANE_ID)
@pytest.mark.asyncio
async def test_every_pane_names_its_digit_and_node_and_explains_itself(kind: type[TablePane]) -> None:
    app = PaneApp(kind(), demo(), "h1")
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        title = screen_text(app).splitlines()[0]
        assert f"{kind.DIGIT} {kind.PANE_ID} -- " in title
        assert kind.PANE_ID in kind.HELP or kind.TITLE in kind.HELP.lower() or "**" in kind.HELP
        assert len({other.DIGIT for other in STATE_PANES}) == len(STATE_PANES)


@pytest.mark.parametrize(
    ("pane_id", "words"),
    [
        ("sockets", "No program on h1 has a socket open."),
        ("routers", "or ask for one: rtsol ne0"),
        ("prefixes", "Start rtadvd on a router"),
        ("neighbors", "Try: ifconfig ne0 up"),
        ("routes", "Try: ifconfig ne0 up"),
        ("timers", "nothing will happen until a command is given"),
    ],
)
@pytest.mark.asyncio
async def test_an_empty_pane_says_why_and_what_would_fill_it(pane_id: str, words: str, tmp_path: Path) -> None:
    kind = next(kind for kind in STATE_PANES if pane_id == kind.PANE_ID)
    app = PaneApp(kind(), lab(tmp_path, QUIET), "h1")
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        assert words in " ".join(screen_text(app).replace("│", " ").split())


@pytest.mark.asyncio
async def test_a_router_has_no_router_list_and_the_pane_says_so() -> None:
    kind = next(kind for kind in STATE_PANES if kind.PANE_ID == "routers")
    app = PaneApp(kind(), demo("run 6s"), "r1")
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert "r1 forwards packets" in screen_text(app)


@pytest.mark.asyncio
async def test_marks_last_until_the_next_command_or_step() -> None:
    session = demo("run 6s")
    pane = NeighborsPane()
    app = PaneApp(pane, session, "r1")
    async with app.run_test(size=(90, 16)) as pilot:
        await pilot.pause()
        assert not marked(pane, NEW)
        app.do("h1: ping6 -c 1 2001:db8:2::1")
        assert [text.split()[0] for text in marked(pane, NEW)] == ["2001:db8:1::ff:fe00:101"]
        pane.show(session, "r1")
        assert len(marked(pane, NEW)) == 1, "another look at the same moment changes nothing"
        app.do("run 40s")
        assert not marked(pane, NEW)
        assert any("2001:db8:1::ff:fe00:101" in text and " S" in text for text in marked(pane, CHANGED))
        app.do("r1: ndp -d 2001:db8:1::ff:fe00:101")
        assert [text.split()[0] for text in marked(pane, GONE)] == ["2001:db8:1::ff:fe00:101"]
        await pilot.pause()
        assert "- 2001:db8:1::ff:fe00:101" in screen_text(app)
        app.do("step")
        assert not marked(pane, GONE)


@pytest.mark.asyncio
async def test_a_long_command_keeps_its_marks_from_its_beginning_to_its_end() -> None:
    session = demo("run 6s")
    pane = NeighborsPane()
    app = PaneApp(pane, session, "r1")
    async with app.run_test(size=(90, 16)):
        submit(session, "h1: ping6 -c 2 2001:db8:2::1")
        pane.show(session, "r1")
        seen = []
        while not session.advance(1):
            pane.show(session, "r1")
            seen.append(len(marked(pane, NEW)))
        pane.show(session, "r1")
        assert seen[-1] == 1
        assert len(marked(pane, NEW)) == 1
        assert seen == sorted(seen)


@pytest.mark.asyncio
async def test_back_takes_the_rows_back_and_step_brings_them_again() -> None:
    session = demo("run 6s", "h1: ping6 -c 1 2001:db8:2::1")
    pane = RoutesPane()
    app = PaneApp(pane, session, "r1")
    async with app.run_test(size=(90, 24)):
        then = [line[2:] for line in rows(pane)]
        events = session.events
        app.do("back 40")
        before = [line[2:] for line in rows(pane)]
        assert before != then
        app.do(f"step {events - session.events}")
        assert [line[2:] for line in rows(pane)] == then


@pytest.mark.asyncio
async def test_times_that_run_down_are_no_change() -> None:
    pane = InterfacesPane()
    app = PaneApp(pane, demo("run 20s"), "h1")
    async with app.run_test(size=(90, 24)):
        before = rows(pane)
        app.do("run 2h")
        assert rows(pane) != before
        assert not [text for text in marked(pane, CHANGED) if text.startswith("2001:db8:1:")]


@pytest.mark.asyncio
async def test_keys_move_the_cursor_and_the_heading_stays() -> None:
    pane = RoutesPane()
    app = PaneApp(pane, demo("run 6s"), "r1")
    async with app.run_test(size=(90, 8)) as pilot:
        await pilot.pause()
        assert pane.current is not None
        first = pane.current
        await pilot.press("down", "down")
        assert pane.current != first
        await pilot.press("end")
        await pilot.pause()
        lines = screen_text(app).splitlines()
        assert "Destination" in lines[1]
        assert pane.current is not None
        assert pane.current.cells[0] in lines[-2]
        await pilot.press("home")
        await pilot.pause()
        assert pane.current == first
        assert first.cells[0] in screen_text(app).splitlines()[2]


@pytest.mark.asyncio
async def test_the_cursor_stays_on_its_row_when_others_come() -> None:
    pane = NeighborsPane()
    app = PaneApp(pane, demo("run 6s"), "r1")
    async with app.run_test(size=(90, 16)) as pilot:
        await pilot.press("end")
        assert pane.current is not None
        key = pane.current.key
        app.do("h1: ping6 -c 1 2001:db8:2::1")
        assert pane.current is not None
        assert pane.current.key == key


@pytest.mark.asyncio
async def test_a_click_moves_the_cursor() -> None:
    pane = RoutesPane()
    app = PaneApp(pane, demo("run 6s"), "r1")
    async with app.run_test(size=(90, 16)) as pilot:
        await pilot.pause()
        await pilot.click(RoutesPane, offset=(6, 5))
        assert pane.current is not None
        assert pane.current.cells[0] in screen_text(app).splitlines()[5]


@pytest.mark.asyncio
async def test_what_does_not_fit_is_said_and_can_be_scrolled_to() -> None:
    pane = NeighborsPane()
    app = PaneApp(pane, demo("run 6s"), "h1")
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert "…" in screen_text(app)
        assert " St" not in screen_text(app)
        await pilot.press(*["right"] * 40)
        await pilot.pause()
        assert "St" in screen_text(app).splitlines()[1]
        assert "…" not in screen_text(app).splitlines()[1]


@pytest.mark.asyncio
async def test_another_width_is_laid_out_anew() -> None:
    pane = NeighborsPane()
    app = PaneApp(pane, demo("run 6s"), "h1")
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert "Linklayer Address" in screen_text(app)
        await pilot.resize_terminal(68, 12)
        await pilot.pause()
        text = screen_text(app)
        assert "Linklayer Address" not in text
        assert "Linklayer" in text
        assert pane.size == Size(66, 10)


@pytest.mark.asyncio
async def test_timers_are_those_of_all_nodes_soonest_first() -> None:
    session = demo("run 6s")
    pane = TimersPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "8 timers -- all nodes" in text
        times = [line[2:].split()[0] for line in rows(pane)[1:]]
        assert times == sorted(times)
        assert len(times) == len(session.world.network.timer_rows())


def test_marks_put_what_is_gone_where_it_was() -> None:
    def line(key: str, content: int = 0) -> Line:
        return Line(key, (key,), content)

    marks = Marks(1, [line("a"), line("b"), line("c")])
    out = marks.mark(2, [line("a"), line("c", 1), line("d")])
    assert [(one.mark, one.line.key) for one in out] == [(SAME, "a"), (GONE, "b"), (CHANGED, "c"), (NEW, "d")]
    assert [one.mark for one in marks.mark(3, [line("a"), line("c", 1), line("d")])] == [SAME, SAME, SAME]


def test_columns_shorten_their_headings_only_where_they_must() -> None:
    columns = (Column("Linklayer Address", "Linklayer"), Column("Netif", "If"))
    assert fit(columns, [("2:0:0:0:1:1", "ne0")], 30) == (["Linklayer Address", "Netif"], [17, 5])
    titles, widths = fit(columns, [("2:0:0:0:1:1", "ne0")], 18)
    assert titles == ["Linklayer", "Netif"]
    assert layout(("2:0:0:0:1:1", "ne0"), widths, columns) == "2:0:0:0:1:1 ne0"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m59s"), (7200, "2h"), (2591994, "29d23h")]
)
def test_spans_have_two_units_at_most(seconds: int, text: str) -> None:
    assert brief(seconds) == text
