"""The packet list: what a line says, following, filters in slices, keys, time going back."""

from __future__ import annotations

import pytest
from pane_app import PaneApp, demo, screen_text

from kamelab.capture.filter import FilterError
from kamelab.lab.console import submit
from kamelab.lab.session import Session
from kamelab.ui.panes import PacketList
from kamelab.ui.panes.packet_text import seconds
from kamelab.ui.panes.packets import SCAN

PING = ("run 6s", "h1: ping6 -c 1 2001:db8:2::1")


def many(session: Session, copies: int) -> int:
    """Fill the store with copies of what is in it; how many rows there are then."""
    trace = session.world.network.trace
    rows = list(trace.packets)
    for _ in range(copies):
        for row in rows:
            trace.frame(session.now, row[2], row[3], trace.new_packet(), "tx", row[9], 0, 0, row[12])
    return len(trace.packets)


def title(app: PaneApp) -> str:
    """The border's first line."""
    return screen_text(app).splitlines()[0]


@pytest.mark.asyncio
async def test_a_line_has_number_time_place_direction_summary_and_outcome() -> None:
    session = demo(*PING)
    app = PaneApp(PacketList(), session, "h1")
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        last = screen_text(app).splitlines()[-2].strip("│").rstrip()
        row = session.world.network.trace.packets[-1]
        assert last.split()[:5] == [str(row[0]), seconds(row[1]), "h1:ne0", "<", "echo"]
        assert "2001:db8:2::1 > 2001:db8:1::ff:fe00:101" in last
        assert last.endswith("+ delivered")


@pytest.mark.asyncio
async def test_every_ending_has_a_glyph_of_its_own() -> None:
    session = demo("run 6s", "h1: ping6 -c 1 2001:db8:2::ff:fe00:301", "h1: ping6 -c 1 -h 1 2001:db8:2::ff:fe00:301")
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(130, 60)) as pilot:
        await pilot.pause()
        text = screen_text(app)
        assert "+ delivered" in text
        assert "> forwarded" in text
        assert "x FWD_HLIM" in text
        app.do("link lan1 down", "h1: ping6 -c 1 2001:db8:2::ff:fe00:301")
        await pilot.pause()
        assert "x " in screen_text(app).splitlines()[-2]


@pytest.mark.asyncio
async def test_a_packet_that_waits_is_held_until_it_has_ended() -> None:
    session = demo("run 6s")
    pane = PacketList()
    app = PaneApp(pane, session, "r1")
    async with app.run_test(size=(120, 50)) as pilot:
        submit(session, "h1: ping6 -c 1 2001:db8:2::ff:fe00:301")
        ended = session.advance(1)
        while "= held" not in screen_text(app):
            assert not ended
            ended = session.advance(1)
            pane.show(session, "r1")
            await pilot.pause()
        session.finish()
        pane.show(session, "r1")
        await pilot.pause()
        assert "= held" not in screen_text(app)
        assert "> forwarded" in screen_text(app)


@pytest.mark.asyncio
async def test_it_follows_until_somebody_looks_elsewhere_and_again_at_the_end() -> None:
    session = demo(*PING)
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 10)) as pilot:
        app.do("h1: ping6 -c 2 2001:db8:2::1")
        await pilot.pause()
        trace = session.world.network.trace
        assert pane.selected == trace.packets[-1][0]
        assert str(trace.packets[-1][0]) in screen_text(app).splitlines()[-2]
        await pilot.press("up")
        stands = pane.selected
        app.do("h1: ping6 -c 1 2001:db8:2::1")
        await pilot.pause()
        assert pane.selected == stands
        assert "f follows" in title(app)
        await pilot.press("f")
        await pilot.pause()
        assert pane.selected == session.world.network.trace.packets[-1][0]
        assert str(pane.selected) in screen_text(app).splitlines()[-2]
        await pilot.press("home")
        await pilot.pause()
        assert pane.selected == session.world.network.trace.packets[0][0]
        assert str(pane.selected) in screen_text(app).splitlines()[1]


@pytest.mark.asyncio
async def test_new_packets_are_marked_until_the_next_command() -> None:
    session = demo(*PING)
    app = PaneApp(PacketList(), session, "h1")
    async with app.run_test(size=(100, 60)) as pilot:
        await pilot.pause()
        assert "│+" not in screen_text(app)
        count = len(session.world.network.trace.packets)
        app.do("h1: ping6 -c 1 2001:db8:2::1")
        await pilot.pause()
        assert screen_text(app).count("│+") == len(session.world.network.trace.packets) - count > 0
        app.do("run 1ms")
        await pilot.pause()
        assert "│+" not in screen_text(app)


@pytest.mark.asyncio
async def test_a_filter_shows_what_it_takes_and_a_wrong_one_changes_nothing() -> None:
    session = demo(*PING)
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        pane.set_filter("icmpv6.type == 135")
        await pilot.pause()
        lines = [line for line in screen_text(app).splitlines()[1:-1] if line.strip("│ ")]
        assert lines
        assert all("NS who has" in line for line in lines)
        assert f"{len(lines)} of {len(session.world.network.trace.packets)} -- filter: icmpv6.type == 135" in title(app)
        with pytest.raises(FilterError):
            pane.set_filter("icmpv6.tipe == 135")
        assert pane.filter_text == "icmpv6.type == 135"
        app.do("h2: ping6 -c 1 2001:db8:2::1")
        await pilot.pause()
        assert len(pane.rows) > len(lines), "packets that come later are judged too"
        pane.set_filter("udp")
        await pilot.pause()
        assert "No packet is taken by the filter udp." in screen_text(app)
        pane.set_filter("")
        await pilot.pause()
        assert len(pane.rows) == len(session.world.network.trace.packets)


@pytest.mark.asyncio
async def test_a_long_capture_is_filtered_in_slices_between_which_keys_answer() -> None:
    session = demo(*PING)
    total = many(session, 150)
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        pane.set_filter("icmpv6.type == 128")
        assert len(pane.rows) <= SCAN, "setting it judges one slice"
        assert "looked at" in str(pane.border_title)
        turns = 0
        while "looked at" in str(pane.border_title):
            await pilot.press("up")
            turns += 1
            assert turns < total
        wanted = sum(1 for row in session.world.network.trace.packets if row[12][54:55] == b"\x80")
        assert len(pane.rows) == wanted


@pytest.mark.asyncio
async def test_a_hundred_thousand_packets_cost_no_more_than_the_lines_in_sight() -> None:
    session = demo(*PING)
    count = many(session, 2700)
    assert count > 100_000
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    drawn: list[int] = []
    draw = pane.render_line
    pane.render_line = lambda y: drawn.append(y) or draw(y)  # type: ignore[method-assign, func-returns-value]
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        drawn.clear()
        await pilot.press("pageup", "pageup", "up")
        await pilot.pause()
        assert 0 < len(drawn) <= 10 * 12
        assert pane.selected == session.world.network.trace.packets[count - 20][0]


@pytest.mark.asyncio
async def test_enter_and_a_second_click_open_a_packet() -> None:
    session = demo(*PING)
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        app.told.clear()
        await pilot.press("up", "enter")
        assert {type(one) for one in app.told} == {PacketList.PacketSelected, PacketList.PacketOpened}
        assert {getattr(one, "num", 0) for one in app.told} == {pane.selected}
        app.told.clear()
        await pilot.click(PacketList, offset=(20, 3), times=2)
        assert app.told
        assert isinstance(app.told[-1], PacketList.PacketOpened)


@pytest.mark.asyncio
async def test_going_back_takes_packets_away_and_the_filter_stays() -> None:
    session = demo(*PING)
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 30)) as pilot:
        pane.set_filter("icmpv6.type in {128, 129}")
        await pilot.pause()
        full = len(pane.rows)
        events = session.events
        app.do("back 5")
        await pilot.pause()
        assert len(pane.rows) < full
        assert pane.filter_text == "icmpv6.type in {128, 129}"
        app.do(f"step {events - session.events}")
        await pilot.pause()
        assert len(pane.rows) == full


@pytest.mark.asyncio
async def test_an_empty_list_says_what_would_fill_it() -> None:
    session = demo()
    session.world.network.trace.packets.clear()
    app = PaneApp(PacketList(), session, "h1")
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert "No packet yet." in screen_text(app)


@pytest.mark.asyncio
async def test_a_line_that_is_too_long_says_so_and_can_be_scrolled() -> None:
    session = demo(*PING)
    pane = PacketList()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(60, 30)) as pilot:
        await pilot.pause()
        cut = next(line for line in screen_text(app).splitlines() if "NA 2001" in line)
        assert "…" in cut
        await pilot.press(*["right"] * 30)
        await pilot.pause()
        assert any("S O" in line for line in screen_text(app).splitlines())


def test_times_grow_hours_only_where_there_are_some() -> None:
    assert seconds(4_118_205_000) == "4.118205"
    assert seconds(64_000_000_000) == "1:04.000000"
    assert seconds(3_661_000_001_000) == "1:01:01.000001"
