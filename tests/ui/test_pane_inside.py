"""Inside of a packet: tree, octets, ending, causes."""

from __future__ import annotations

import pytest
from pane_app import PaneApp, demo, screen_text
from textual.widgets import Static

from kamelab.lab.session import Session
from kamelab.ui.panes import InsidePane
from kamelab.ui.panes.decode_tree import DecodeTree, short_label
from kamelab.ui.panes.hexview import HexView, needed

PING = ("run 6s", "h1: ping6 -c 1 2001:db8:2::1")


def last(session: Session, event: str = "rx") -> int:
    """Number of the last frame received, or sent."""
    return int(next(row[0] for row in reversed(session.world.network.trace.packets) if row[6] == event))


async def opened(app: PaneApp, num: int) -> tuple[InsidePane, DecodeTree, HexView]:
    """The pane with a packet in it, and its parts."""
    pane = app.pane
    assert isinstance(pane, InsidePane)
    pane.select(num)
    return pane, pane.query_one(DecodeTree), pane.query_one(HexView)


@pytest.mark.asyncio
async def test_the_innermost_header_is_open_and_the_end_and_its_causes_are_told() -> None:
    session = demo(*PING)
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, last(session))
        await pilot.pause()
        text = screen_text(app)
        assert "echo reply" in text.splitlines()[0]
        assert "> Ethernet II" in text
        assert "> Internet Protocol Version 6, Src: 2001:db8:2::1, Dst: 2001:db8:1::ff:fe00:101" in text
        assert "v Internet Control Message Protocol v6: Echo reply" in text
        assert "Type: Echo reply (129)" in text
        assert "Ended: + deliver icmp6_input" in text
        assert "console command h1: ping6 -c 1 2001:db8:2::1" in text


@pytest.mark.asyncio
async def test_a_drop_is_explained_with_its_rule() -> None:
    session = demo("run 6s", "h1: ping6 -c 1 -h 1 2001:db8:2::ff:fe00:301")
    trace = session.world.network.trace
    num = next(row[0] for row in trace.packets if (end := trace.outcome(row)) is not None and end.reason == "FWD_HLIM")
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, num)
        await pilot.pause()
        text = screen_text(app)
        assert "Ended: x dropped FWD_HLIM" in text
        assert "The hop limit ran out." in text
        assert "Rule: RFC 8200 3" in text
        assert "By: ip6_forward on r1" in text


@pytest.mark.asyncio
async def test_the_octets_of_the_field_under_the_cursor_stand_in_brackets() -> None:
    session = demo(*PING)
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(90, 40)) as pilot:
        _, tree, octets = await opened(app, last(session))
        await pilot.pause()
        assert "[81 00 " in octets.line(3), "at first the whole header"
        await pilot.press("down")
        await pilot.pause()
        assert tree.shown[tree.cursor].branch.label == "Type: Echo reply (129)"
        assert "[81]" in octets.line(3)
        await pilot.press("down", "down")
        await pilot.pause()
        checksum = session.world.network.trace.packets[-1][12][56:58]
        assert f"[{checksum.hex(' ')}]" in octets.line(3)


@pytest.mark.asyncio
async def test_branches_open_and_close_and_stay_so_from_packet_to_packet() -> None:
    session = demo(*PING)
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(100, 40)) as pilot:
        pane, tree, _ = await opened(app, last(session))
        await pilot.pause()
        await pilot.press("home", "down")
        assert "Hop limit" not in screen_text(app)
        await pilot.press("right")
        await pilot.pause()
        assert "Hop limit: 64" in screen_text(app)
        pane.select(last(session, "tx"))
        await pilot.pause()
        assert "Hop limit" in screen_text(app)
        await pilot.press("left")
        await pilot.pause()
        assert "Hop limit" not in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "Hop limit" in screen_text(app)
        assert tree.shown[tree.cursor].branch.label.startswith("Internet Protocol Version 6")


@pytest.mark.asyncio
async def test_a_click_on_an_octet_goes_to_its_field() -> None:
    session = demo(*PING)
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(90, 40)) as pilot:
        _, tree, octets = await opened(app, last(session))
        await pilot.pause()
        # Octet 21 is the hop limit: the second line, the sixth octet; a border is above the lines.
        await pilot.click(HexView, offset=(5 + 3 * 5, 1 + 1 - octets.scroll_offset.y))
        await pilot.pause()
        assert tree.shown[tree.cursor].branch.label == "Hop limit: 64"


@pytest.mark.asyncio
async def test_enter_on_a_cause_goes_to_that_packet() -> None:
    session = demo(*PING)
    pane = InsidePane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 40)) as pilot:
        num = last(session)
        _, tree, _ = await opened(app, num)
        await pilot.pause()
        while not tree.shown[tree.cursor].branch.num:
            await pilot.press("down")
        target = tree.shown[tree.cursor].branch.num
        await pilot.press("enter")
        await pilot.pause()
        assert pane.num == target != num
        assert f"inside {target}" in screen_text(app).splitlines()[0]
        assert isinstance(app.told[-1], InsidePane.PacketWanted)


@pytest.mark.asyncio
async def test_a_packet_that_lies_ahead_comes_back_with_its_time() -> None:
    session = demo(*PING)
    pane = InsidePane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(100, 30)) as pilot:
        num = last(session)
        await opened(app, num)
        await pilot.pause()
        events = session.events
        app.do("back 5")
        await pilot.pause()
        assert f"Packet {num} is not in the capture" in screen_text(app)
        app.do(f"step {events - session.events}")
        await pilot.pause()
        assert "Type: Echo reply (129)" in screen_text(app)


@pytest.mark.asyncio
async def test_without_a_packet_it_says_how_to_choose_one() -> None:
    app = PaneApp(InsidePane(), demo(), "h1")
    async with app.run_test(size=(90, 10)) as pilot:
        await pilot.pause()
        assert "No packet is chosen." in screen_text(app)


@pytest.mark.parametrize(("width", "across"), [(160, 16), (80, 16), (40, 8)])
@pytest.mark.asyncio
async def test_octets_fit_every_width(width: int, across: int) -> None:
    session = demo(*PING)
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(width, 30)) as pilot:
        _, _, octets = await opened(app, last(session))
        await pilot.pause()
        assert octets.line(1).startswith(f"{across:04x}")
        assert len(octets.line(0)) == needed(across) <= octets.size.width
        assert not octets.query(Static)


@pytest.mark.asyncio
async def test_a_malformed_frame_is_shown_as_far_as_it_goes() -> None:
    session = demo(*PING)
    trace = session.world.network.trace
    row = trace.packets[-1]
    num = trace.frame(session.now, row[2], row[3], trace.new_packet(), "rx", "", 0, 0, row[12][:40])
    app = PaneApp(InsidePane(), session, "h1")
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(app, num)
        await pilot.pause()
        assert "Malformed packet" in screen_text(app)
        assert "Ended: not yet" in screen_text(app)


def test_headers_have_short_names_for_narrow_trees() -> None:
    assert short_label("Internet Protocol Version 6, Src: fe80::1, Dst: ff02::1") == "IPv6 fe80::1 > ff02::1"
    assert short_label("Hop limit: 64") == "Hop limit: 64"
