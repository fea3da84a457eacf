"""A newcomer's way through the first lab, key by key: what the screen says at each station, to the end and after."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from screens import app_on, settle, text_of
from textual import events
from textual.pilot import Pilot

from kamelab.lab.opening import open_session
from kamelab.lab.tasks import Tasks
from kamelab.ui.app import KamelabApp

SMALL, WIDE = (80, 24), (120, 40)
LAB = "01-first-contact"
PANE_KEYS = ": prompt  , back  . step  n timer  Space run  i inside  w why"
PROMPT_KEYS = "Esc panes  Tab complete  ^R run  ^N step  ^B back  F1 help"

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """History, kept and saved sessions of a test stay in its directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAMELAB_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("NO_COLOR", raising=False)


class Newcomer:
    """Somebody who has keys and eyes, and nothing else."""

    def __init__(self, pilot: Pilot[int]) -> None:
        self.pilot = pilot

    @property
    def app(self) -> KamelabApp:
        """What is being looked at."""
        app = self.pilot.app
        assert isinstance(app, KamelabApp)
        return app

    @property
    def text(self) -> str:
        """The screen."""
        return text_of(self.app)

    @property
    def line(self) -> str:
        """The line where commands are typed: the last but one."""
        return self.text.splitlines()[-2].strip()

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until nothing moves."""
        await self.pilot.press(*keys)
        await settle(self.pilot)

    async def type(self, text: str) -> None:
        """The keys of a text, as fast as they are taken: the pilot lets a moment pass after each."""
        for letter in text:
            self.app.post_message(events.Key("space" if letter == " " else letter, letter))
        await settle(self.pilot)

    async def enter(self, *lines: str) -> None:
        """Type lines and give them."""
        for line in lines:
            await self.type(line)
            assert line[-50:] in self.line
            await self.press("enter")

    def sees(self, *texts: str) -> None:
        """All of these stand on the screen."""
        screen = self.text
        for text in texts:
            assert text in screen, f"{text!r} is not on the screen:\n{screen}"

    def misses(self, *texts: str) -> None:
        """None of these stands on the screen."""
        screen = self.text
        for text in texts:
            assert text not in screen, f"{text!r} is on the screen:\n{screen}"


async def read_on(guest: Newcomer, text: str) -> None:
    """Page down in the focused pane until a text stands there."""
    for _ in range(10):
        if text in guest.text:
            return
        await guest.press("pagedown")
    guest.sees(text)


async def do_the_first_task(guest: Newcomer) -> None:
    """From closed interfaces to two addresses: a completed line, one event, and the rest of the time."""
    await guest.type("all: ifcon")
    await guest.press("tab")
    await guest.type("ne0 up")
    assert guest.line.startswith("h1# all: ifconfig ne0 up")
    await guest.press("enter")
    guest.sees("all# ifconfig ne0 up", "MLD report", "0 packets 4", "paused  00:00:00.000000")
    assert "time stands at 0: type  run 5s  or press Ctrl+R" in guest.line


async def do_tasks_2_to_5(guest: Newcomer) -> None:
    """The rest of the lab, with a look at the screen after each task."""
    await guest.enter("h1: ifconfig ne0 inet6 fe80::1/64 alias", "run 2s")
    guest.misses("task 2 of 5 passed")
    await guest.enter("h2: ifconfig ne0 inet6 fe80::1/64 alias", "run 2s")
    guest.sees(
        "task 2 of 5 passed: Is this one taken?", "next is task 3: The groups behind an address", "NA fe80::1 is at"
    )
    await guest.enter("h2: ifconfig ne0")
    guest.sees("duplicated")
    await guest.enter("h1: ifconfig ne0 inet6 2001:db8::53:1/64 alias", "run 3s", "h1: ifmcstat -i ne0")
    guest.sees("ff02::1:ff53:1%ne0", "33:33:ff:53:00:01", "task 3 of 5 passed", "next is task 4: Who is out there?")
    await guest.enter("h1: ping6 -c 2 -I ne0 ff02::1")
    guest.sees("+1 duplicates, 0.0% packet loss", "task 4 of 5 passed", "next is task 5: Which wire do you mean?")
    await guest.enter("h1: ping6 -c 1 fe80::260:97ff:feab:cd02")
    guest.sees("No route to host")
    guest.misses("task 5 of 5 passed")
    await guest.enter("h1: ping6 -c 1 fe80::260:97ff:feab:cd02%ne0")
    guest.sees("1 packets received, 0.0% packet loss", "task 5 of 5 passed", "that was the last task of the lab")


async def leave_with(guest: Newcomer, saved: Path) -> None:
    """Save, see that it was done, and quit."""
    await guest.enter(f"save {saved.name}")
    guest.sees(f"kamelab# save {saved.name}", f"save: {saved.name} is written")
    await guest.type("quit")
    # Not by the pilot: it would wait for widgets that are going away.
    guest.app.post_message(events.Key("enter", "\r"))
    for _ in range(100_000):
        if guest.app.return_code is not None:
            return
        await asyncio.sleep(0)
    raise AssertionError("quit did not leave")


def all_tasks_passed(saved: Path) -> None:
    """Open what was saved, without a screen."""
    session = open_session(str(saved))
    assert isinstance(session.tasks, Tasks)
    assert [task.status for task in session.tasks.states] == ["passed"] * 5


async def test_from_the_first_picture_to_the_saved_end_on_a_small_terminal(tmp_path: Path) -> None:
    app = app_on(LAB)
    saved = tmp_path / "mine.session"
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        guest = Newcomer(pilot)
        await settle(pilot)

        # The first picture says where one is, that time stands still, and where to begin.
        guest.sees("First contact", "paused  00:00:00.000000  0 events", "No interface of h1 is up", PROMPT_KEYS)
        assert guest.line == "h1# 5 tasks to do: F9 shows the first; Tab completes, F1 helps"
        guest.misses("An address out of nothing")

        # F9 does what it says; the task takes the place of the tables, and the prompt is still the place to type.
        await guest.press("f9")
        guest.sees("9 task 1 of 5", "An address out of nothing", "Their interfaces are down", "0 packets")
        guest.sees(PROMPT_KEYS)
        assert guest.line.startswith("h1# a command, such as")

        # Among the panes the key line changes, and names the key that hides the task again.
        await guest.press("escape")
        guest.sees(PANE_KEYS, "t hide  ? help")
        await guest.press("t")
        guest.sees("2 neighbors -- h1", "t task  ? help")
        guest.misses("9 task 1 of 5")
        await guest.press("t")
        guest.sees("9 task 1 of 5", "t hide")

        # ? is about the task pane; Esc goes back to it.
        await guest.press("question_mark")
        guest.sees("help", "The task that is on", "Keys: h the next hint", "Esc closes")
        await guest.press("escape")
        guest.misses("The task that is on")

        # Further down: what is checked, what was seen, and what can be asked for.
        await read_on(guest, "s solution")
        guest.sees("[ ] h1 has no link-local address", "seen: no such address", "h hint (3 left)")
        await read_on(guest, "[>] 1 An address out of nothing")

        # A hint on its key, which is counted.
        await guest.press("h")
        guest.sees("kamelab# hint", "Hint 1 of 3: ifconfig does it")
        await read_on(guest, "Hint 1. ifconfig does it")
        await read_on(guest, "h hint (2 left)")

        # To the prompt with a colon, as the key line says.
        await guest.press("colon")
        guest.sees(PROMPT_KEYS)
        await guest.enter("h1: ifconfig ne0")
        guest.sees("h1# ifconfig ne0", "ether 00:60:97:ab:cd:01", "status: down", "1 event ")
        await do_the_first_task(guest)
        guest.sees("2 events")

        # Step by key while typing, and back: clock, events and packets follow.
        await guest.press("ctrl+n")
        guest.sees("3 events", "0 packets 5", "NS who has fe80::260:97ff:feab:cd0")
        guest.misses("paused  00:00:00.000000")
        await guest.press("ctrl+b")
        guest.sees("paused  00:00:00.000000  2 events", "0 packets 4")
        guest.misses("NS who has")
        # The same by the keys of the panes.
        await guest.press("escape", "full_stop")
        guest.sees("3 events", "0 packets 5")
        await guest.press("comma")
        guest.sees("2 events", "0 packets 4")

        # Time runs: the task passes by itself, is said to have passed, and the next one stands there.
        await guest.press("colon")
        await guest.enter("run 3s")
        guest.sees("paused  00:00:03.000000", "task 1 of 5 passed: An address out of nothing")
        guest.sees("next is task 2: Is this one taken?", "9 task 2 of 5", "[x] passed: 1 An address out of nothing")

        # Back by key until the pass is undone: task 1 is on again, half of it ticked.
        for _ in range(10):
            if "9 task 1 of 5" in guest.text:
                break
            await guest.press("ctrl+b")
        guest.sees("9 task 1 of 5")
        guest.misses("[x] passed: 1")
        await guest.press("escape", "o")
        guest.misses("output")
        await read_on(guest, "[>] 1 An address out of nothing")
        guest.sees("[ ] 2 Is this one taken?")
        await guest.press("pageup", "pageup", "pageup")
        await read_on(guest, "seen:")
        guest.sees("[ ] h")

        # And on again: it passes again.
        await guest.press("colon")
        await guest.enter("run 3s")
        guest.sees("9 task 2 of 5", "[x] passed: 1 An address out of nothing")

        await do_tasks_2_to_5(guest)

        # The end says so, and its left key reads the last task again, right comes back.
        guest.sees("9 task 5 of 5", "All 5 tasks have passed.", "The left key reads the tasks again; reset begins anew")
        await guest.press("escape", "o")
        guest.sees("To read on:", "RFC 4291 section 2.5.1")
        await guest.press("left")
        guest.sees("9 task 5 of 5", "Which wire do you mean?", "A link-local address means something on one link only")
        guest.misses("All 5 tasks have passed.")
        await guest.press("left")
        guest.sees("9 task 4 of 5", "Who is out there?")
        await guest.press("right", "right")
        guest.sees("All 5 tasks have passed.")
        await read_on(guest, "[x] 5 Which wire do you mean?")
        guest.sees("[x] 4 Who is out there?")
        guest.misses("[ ]")

        await guest.press("colon")
        await leave_with(guest, saved)
    assert app.return_code == 0
    all_tasks_passed(saved)


async def test_the_same_on_a_wide_terminal_where_the_task_is_always_in_sight(tmp_path: Path) -> None:
    app = app_on(LAB)
    saved = tmp_path / "wide.session"
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        guest = Newcomer(pilot)
        await settle(pilot)

        # Network, task, state and packets at once: nothing has to be opened.
        guest.sees("1 map", "<h1>", "9 task 1 of 5", "An address out of nothing", "2 neighbors -- h1", "0 packets")
        assert guest.line == "h1# a command, such as  ifconfig -a ; Tab completes, F1 helps"
        # Checks are wrapped under their own text, also in a narrow column.
        assert not any(line.startswith(" that ") for line in guest.text.splitlines())

        await guest.press("escape", "t")
        guest.sees(PANE_KEYS, "t task  ? help")
        await guest.press("question_mark")
        guest.sees("The task that is on", "left and right read the tasks before and after")
        await guest.press("escape")
        await guest.press("h")
        guest.sees("Hint 1 of 3: ifconfig does it", "9 task 1 of 5")

        await guest.press("colon")
        await do_the_first_task(guest)
        await guest.press("ctrl+n")
        guest.sees("2 events", "0 packets 5")
        await guest.press("ctrl+b")
        guest.sees("paused  00:00:00.000000  1 event ", "0 packets 4")
        await guest.enter("run 3s")
        guest.sees("9 task 2 of 5", "[x] passed: 1 An address out of")

        # One host's address is usable, the other's is not yet: one check ticked, one open, on one screen.
        for _ in range(10):
            if "9 task 1 of 5" in guest.text:
                break
            await guest.press("ctrl+b")
        await guest.press("escape", "o", "t")
        await read_on(guest, "h2 has fe80::260:97ff:feab:cd02.")
        guest.sees("[x] h2 has fe80::260:97ff:feab:cd02.", "[ ] h1 has no link-local address")
        await guest.press("colon")
        await guest.enter("run 3s")
        guest.sees("9 task 2 of 5", "[x] passed: 1 An address out of")

        await do_tasks_2_to_5(guest)
        guest.sees("All 5 tasks have passed.", "To read on:")
        await leave_with(guest, saved)
    assert app.return_code == 0
    all_tasks_passed(saved)
