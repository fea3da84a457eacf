"""The lab screen, as its user meets it: typing, keys, panes, programs that read, layouts, faults."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from screens import PING, app_on, give, lab_of, settle, steady, text_of
from textual import events
from textual.pilot import Pilot

from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.ui.app import KamelabApp
from kamelab.ui.panes import PacketList
from kamelab.ui.panes.neighbors import NeighborsPane
from kamelab.ui.screens.help import HelpScreen
from kamelab.ui.widgets.clock import ClockLine
from kamelab.ui.widgets.prompt import PromptInput

SMALL, WIDE, HUGE = (80, 24), (120, 40), (200, 60)

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """History and kept sessions of a test stay in its directory."""
    monkeypatch.setenv("KAMELAB_STATE", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path


async def type_in(pilot: Pilot[int], text: str) -> None:
    """Press the keys of a text."""
    await pilot.press(*("space" if letter == " " else letter for letter in text))


async def test_the_prompt_has_the_focus_and_time_stands_still() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        assert isinstance(app.focused, PromptInput)
        assert lab_of(app).session.now == 0
        text = text_of(app)
        assert "paused  00:00:00.000000" in text
        assert "time stands at 0: type  run 5s" in text


async def test_a_typed_program_runs_the_clock_and_its_output_opens_the_drawer() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "run 5s")
        assert not lab_of(app).drawer.is_open
        await give(pilot, PING)
        lab = lab_of(app)
        assert lab.drawer.is_open
        assert not lab.runner.running
        text = text_of(app)
        assert "[00:00:05.000000] h1# ping6 -c 1 2001:db8:2::ff:fe00:301" in text
        assert "1 packets transmitted, 1 packets received, 0.0% packet loss" in text
        assert "echo reply" in text


async def test_letters_typed_at_the_prompt_are_no_keys() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await type_in(pilot, "n.,z?9")
        lab = lab_of(app)
        assert lab.prompt.input.value == "n.,z?9"
        assert lab.session.events == 0
        assert lab.zoomed == ""


async def test_escape_leaves_the_prompt_and_colon_returns() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("escape")
        assert isinstance(app.focused, NeighborsPane)
        await pilot.press("colon")
        assert isinstance(app.focused, PromptInput)
        assert lab_of(app).prompt.input.value == ""


async def test_step_back_timer_and_run_by_key() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        session = lab_of(app).session
        await pilot.press("escape")
        await pilot.press("full_stop")
        await settle(pilot)
        assert session.events == 1
        await pilot.press("full_stop")
        await settle(pilot)
        digest, events = session.digest(), session.events
        await pilot.press("n")
        await settle(pilot)
        assert session.events > events
        while session.events > events:
            await pilot.press("comma")
            await settle(pilot)
        assert session.digest() == digest
        await pilot.press("space")
        await pilot.pause()
        await pilot.press("space")
        await settle(pilot)
        assert session.events > events
        assert not lab_of(app).runner.running


async def test_the_same_by_ctrl_keys_while_typing() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        session = lab_of(app).session
        await type_in(pilot, "ndp")
        await pilot.press("ctrl+n")
        await settle(pilot)
        assert session.events == 1
        await pilot.press("ctrl+b")
        await settle(pilot)
        assert session.events == 0
        await pilot.press("ctrl+t")
        await settle(pilot)
        assert session.events > 0
        await pilot.press("f3")
        await pilot.pause()
        lab = lab_of(app)
        assert lab.deck.current == "routes"
        assert lab.prompt.input.value == "ndp"
        assert isinstance(app.focused, PromptInput)


async def test_back_right_after_a_command_takes_it_back() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "run 5s")
        session = lab_of(app).session
        digest = session.digest()
        await give(pilot, "h1: ndp -d fe80::ff:fe00:201%ne0")
        assert session.digest() != digest
        await give(pilot, "back")
        assert session.digest() == digest
        assert "+1 ahead" in text_of(app)


@pytest.mark.parametrize(
    ("digit", "pane", "sign"),
    [
        ("2", "neighbors", "fe80::ff:fe00:201%ne0"),
        ("3", "routes", "default"),
        ("4", "prefixes", "2001:db8:1::/64"),
        ("5", "interfaces", "02:00:00:00:01:01"),
        ("6", "routers", "fe80::ff:fe00:201%ne0"),
        ("8", "timers", "expire"),
        ("g", "groups", "ff02::1:ff00:101%ne0"),
        ("m", "mtu", "No fragment waits on h1"),
        ("d", "statistics", "ip6.total"),
    ],
)
async def test_digits_jump_to_panes_that_show_the_node(digit: str, pane: str, sign: str) -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", digit)
        await pilot.pause()
        lab = lab_of(app)
        assert lab.deck.current == pane
        assert app.focused is lab.deck.pane
        text = text_of(app)
        assert f"{digit} {pane} -- h1" in text
        assert sign in text


async def test_the_selected_node_is_shown_and_spoken_to() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, "select r1")
        text = text_of(app)
        assert "2 neighbors -- r1" in text
        assert "\n r1#" in text
        await pilot.press("escape", "right_square_bracket")
        await pilot.pause()
        assert lab_of(app).session.selected == "h2"
        await give(pilot, "hostname")
        assert "h2# hostname" in text_of(app)


async def test_clicks_select_nodes_tabs_and_packets_and_run_time() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "run 5s")
        lab = lab_of(app)
        row = next(number for number, line in enumerate(text_of(app).splitlines()) if " h2 │" in line)
        column = text_of(app).splitlines()[row].index("h2")
        await pilot.click(offset=(column, row))
        await pilot.pause()
        assert lab.session.selected == "h2"
        line = text_of(app).splitlines()[1]
        await pilot.click(offset=(line.index("3 route"), 1))
        await pilot.pause()
        assert lab.deck.current == "routes"
        await pilot.click(offset=(text_of(app).splitlines()[0].index("paused"), 0))
        await pilot.pause()
        assert lab.runner.running
        lab.runner.pause()


async def test_ctrl_c_interrupts_and_prints_what_the_program_has_to_say() -> None:
    app = app_on(flat_out=False)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        lab = lab_of(app)
        lab.runner.set_speed(0.0)
        await give(pilot, "run 5s")
        lab.runner.set_speed(0.1)
        lab.prompt.input.value = "ping6 2001:db8:2::1"
        await pilot.press("enter")
        await pilot.pause()
        assert lab.session.foreground is not None
        await pilot.press("ctrl+c")
        await settle(pilot)
        assert lab.session.foreground is None
        assert "ping6 statistics" in lab.drawer.text


async def test_what_is_typed_goes_to_a_program_that_reads_and_ctrl_d_ends_it() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        lab = lab_of(app)
        lab.take_line("h1: cat > /tmp/note")
        await pilot.pause()
        await pilot.pause()
        assert "h1 cat:" in text_of(app)
        lab.prompt.input.value = "hello from the terminal"
        await pilot.press("enter")
        await pilot.pause()
        assert lab.session.foreground is not None
        await pilot.press("ctrl+d")
        await settle(pilot)
        assert lab.session.foreground is None
        await give(pilot, "h1: cat /tmp/note")
        assert lab.drawer.text.splitlines()[-1] == "hello from the terminal"


async def test_a_here_document_is_asked_for_line_by_line() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "h1: cat > /etc/motd <<EOF")
        assert "\n >" in text_of(app)
        await give(pilot, "good morning")
        await give(pilot, "EOF")
        await give(pilot, "h1: cat /etc/motd")
        assert lab_of(app).drawer.text.splitlines()[-1] == "good morning"


async def test_an_unknown_command_gets_the_nearest_one_proposed() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "ndpp -a")
        assert "did you mean 'ndp'?" in text_of(app)


async def test_tab_completes_and_then_shows_what_is_possible() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        lab = lab_of(app)
        await type_in(pilot, "trac")
        await pilot.press("tab")
        assert lab.prompt.input.value == "trace"
        await pilot.press("tab")
        await pilot.pause()
        assert "traceroute6" in text_of(app)
        await pilot.press("tab", "tab")
        assert lab.prompt.input.value == "traceroute6"
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.focused, PromptInput)
        lab.prompt.input.value = "r1: ping6 -I ne"
        lab.prompt.input.cursor_position = 15
        await pilot.press("tab")
        await pilot.press("tab")
        await pilot.pause()
        assert "ne0" in text_of(app)
        assert "ne1" in text_of(app)


async def test_history_outlives_the_app() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "nodes")
        await give(pilot, "links")
    again = app_on()
    async with again.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await type_in(pilot, "dr")
        await pilot.press("up", "up")
        assert lab_of(again).prompt.input.value == "nodes"
        await pilot.press("down", "down")
        assert lab_of(again).prompt.input.value == "dr"


@pytest.mark.parametrize("pane", ["map", "task", "inside"])
async def test_small_screens_show_everything_a_key_away(pane: str) -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", {"map": "1", "task": "t", "inside": "i"}[pane])
        await pilot.pause()
        lab = lab_of(app)
        assert lab.shown() == {pane, "packets"}
        assert lab.query_one(f"#{pane}").size.width == 80
        await pilot.press("escape")
        await pilot.pause()
        assert lab.shown() == {"deck", "packets"}


async def test_layouts_follow_the_size() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        lab = lab_of(app)
        assert lab.shown() == {"deck", "packets"}
        assert lab.query_one(PacketList).size.height >= 4
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert lab.shown() == {"map", "deck", "inside", "packets"}
        await pilot.resize_terminal(*HUGE)
        await pilot.pause()
        assert lab.shown() == {"map", "deck", "deck2", "inside", "packets"}
        assert "2 neighbors -- r1" in text_of(app)


async def test_a_lab_with_tasks_shows_the_task_beside_the_state() -> None:
    app = app_on("first-contact")
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        assert "task" in lab_of(app).shown()
        assert "9 task" in text_of(app)
        await pilot.press("escape", "i")
        await pilot.pause()
        assert "inside" in lab_of(app).shown()
        assert "task" not in lab_of(app).shown()
        await pilot.press("t")
        await pilot.pause()
        assert "task" in lab_of(app).shown()


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_zoom_shows_one_pane_alone(size: tuple[int, int]) -> None:
    app = app_on()
    async with app.run_test(size=size) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", "0")
        await pilot.pause()
        await pilot.press("z")
        await pilot.pause()
        lab = lab_of(app)
        assert lab.shown() == {"packets"}
        assert lab.packets.size.width >= size[0] - 2
        await pilot.press("3")
        await pilot.pause()
        assert lab.shown() == {"deck"}
        await pilot.press("z")
        await pilot.pause()
        assert len(lab.shown()) > 1


async def test_the_packet_filter_and_its_errors() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", "slash")
        await pilot.pause()
        await type_in(pilot, "icmpv6.typ == 134")
        await pilot.press("enter")
        await pilot.pause()
        assert "icmpv6.type" in text_of(app)
        assert lab_of(app).packets.filter_text == ""
        await pilot.press(*["backspace"] * 40)
        await type_in(pilot, "icmpv6.type == 134")
        await pilot.press("enter")
        await settle(pilot)
        text = text_of(app)
        assert lab_of(app).packets.filter_text == "icmpv6.type == 134"
        assert "RA lifetime 1800" in text
        assert "MLD report" not in text.split("0 packets")[1]


async def test_enter_on_a_packet_opens_its_inside() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await pilot.press("escape", "0")
        await pilot.pause()
        await pilot.press("up", "enter")
        await pilot.pause()
        assert "inside" in lab_of(app).shown()
        assert "Internet Protocol Version 6" in text_of(app)


async def test_help_explains_the_focused_pane_and_lists_the_keys() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert "completes commands" in text_of(app)
        await pilot.press("escape")
        await pilot.press("escape", "question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert "neighbour cache" in text_of(app)
        await pilot.press("q")
        await pilot.pause()
        assert not isinstance(app.screen, HelpScreen)


async def test_the_drawer_closes_and_opens_again() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "nodes")
        lab = lab_of(app)
        assert lab.drawer.is_open
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert not lab.drawer.is_open
        await pilot.press("o")
        assert lab.drawer.is_open


async def test_a_pane_that_fails_says_so_and_the_lab_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 1s")
        lab = lab_of(app)

        def broken(self: NeighborsPane, session: Session, node: str) -> None:
            raise RuntimeError("no such luck")

        with monkeypatch.context() as patch:
            patch.setattr(NeighborsPane, "show", broken)
            await give(pilot, "run 1s")
            assert lab.session.now == 2_000_000_000
            assert "no such luck" in text_of(app)
            assert lab.faults == {"neighbors": "RuntimeError: no such luck"}
        await give(pilot, "run 1s")
        assert lab.faults == {}


async def test_a_pane_that_fails_while_drawing_does_not_end_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: PacketList, y: int) -> None:
        raise RuntimeError("ink is out")

    monkeypatch.setattr(PacketList, "render_line", broken)
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 1s")
        assert lab_of(app).session.now == 1_000_000_000
        assert "ink is out" in text_of(app)


async def test_leaving_keeps_the_session(state: Path) -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
        digest = lab_of(app).session.digest()
        await give(pilot, "quit")
    assert app.return_code == 0
    app.keep()
    kept = state / "sessions" / "00-demo.session"
    assert open_session(str(kept)).digest() == digest


async def test_a_session_in_which_nothing_was_done_is_not_kept(state: Path) -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 5s")
    app.keep()
    assert not (state / "sessions").exists()


async def test_keys_get_their_turn_between_bounded_slices_while_the_engine_runs_flat_out() -> None:
    app = app_on()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        lab = lab_of(app)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert lab.runner.running
        waited: list[int] = []
        for letter in "ifconfig":
            before, length = lab.runner.slices, len(lab.prompt.input.value)
            app.post_message(events.Key(letter, letter))
            while len(lab.prompt.input.value) == length:
                await asyncio.sleep(0)
            waited.append(lab.runner.slices - before)
        assert lab.prompt.input.value == "ifconfig"
        # A slice is 3 ms and one batch of events: twenty of them are well below 100 ms.
        assert max(waited) <= 20
        lab.runner.pause()


async def test_no_color_and_the_light_theme_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for theme, no_color in (("kamelab-dark", False), ("kamelab-light", False), ("kamelab-dark", True)):
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        app = app_on()
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            app.theme = theme
            await give(pilot, "run 5s")
            await give(pilot, PING)
            await steady(pilot)
            texts.append(text_of(app))
    assert texts[0] == texts[1] == texts[2]


async def test_the_clock_line_says_what_comes_next() -> None:
    app = app_on()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await give(pilot, "run 5s")
        facts = lab_of(app).query_one(ClockLine).facts
        assert facts[0] == "Two hosts and a router"
        assert facts[1:3] == ("paused", "00:00:05.000000")
        assert facts[-1].startswith("next ")


async def test_the_chooser_lists_labs_and_kept_sessions_and_opens_them() -> None:
    first = app_on()
    async with first.run_test(size=SMALL, notifications=True) as pilot:
        await give(pilot, "run 5s")
        await give(pilot, PING)
    first.keep()
    app = KamelabApp(speed=0.0)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        text = text_of(app)
        assert "00 Two hosts and a router" in text
        assert "01 First contact" in text
        assert "Go on where you left" in text
        await pilot.press("enter")
        await settle(pilot)
        assert lab_of(app).session.name == "00-demo"
        await give(pilot, "quit")
        await pilot.pause()
        assert app.lab_screen is None
        for _ in range(len(text.splitlines())):
            if "Left at" in text_of(app):
                break
            await pilot.press("down")
            await pilot.pause()
        await pilot.press("enter")
        await settle(pilot)
        session = lab_of(app).session
        assert session.now > 5_000_000_000
        assert len(session.commands) == 1


async def test_the_chooser_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('format = 1\ntitel = "x"\n[nodes.h1]\n')
    app = KamelabApp()
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        app.open_lab(str(broken))
        await pilot.pause()
        assert "broken.toml:2: titel" in text_of(app).replace("\n", "")
        assert app.lab_screen is None
