"""The stage of the lab screen: lays out the panes, and lets the engine have its turns between those of the screen.

Two columns from 120 characters on: the network and the lesson (or the inside of a packet) at the left, state and
packets at the right, each 80 wide, as tables need it; from 200 on the state of two nodes side by side. Below 120
one thing above the packets: state, map, task or inside, a key away each. What keys and lines do is in `lab`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget

from kamelab.lab.session import Session
from kamelab.ui.panes import InsidePane, PacketList, TaskPane
from kamelab.ui.panes.base import Pane
from kamelab.ui.runner import Runner
from kamelab.ui.samples import Samples
from kamelab.ui.screens.guard import guard
from kamelab.ui.widgets import footer
from kamelab.ui.widgets.clock import ClockLine
from kamelab.ui.widgets.deck import Deck
from kamelab.ui.widgets.drawer import Drawer
from kamelab.ui.widgets.filter import FilterLine
from kamelab.ui.widgets.map import MapPane
from kamelab.ui.widgets.prompt import Prompt, PromptInput

if TYPE_CHECKING:
    from kamelab.ui.app import KamelabApp

WIDE, HUGE, TALL = 120, 200, 36
REFRESH = 0.1
"""Seconds between two looks of the panes while time runs."""
TURNS = 6
"""Turns of the event loop that the screen gets between two slices: a key needs some to find its widget."""
SIDES = ("map", "task", "inside")


class Stage(Screen[None]):
    """Panes in their layout, brought up to the session ten times a second at most."""

    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    Stage {
        background: $background;
        & #body { height: 1fr; layout: horizontal; }
        & #left { width: 40; border-right: solid $foreground 35%; }
        & #right { width: 1fr; }
        & #decks { height: 3fr; min-height: 5; }
        & PacketList { height: 2fr; min-height: 5; }
        & #deck2 { border-left: solid $foreground 35%; }
        & MapPane { height: auto; max-height: 50%; min-height: 6; }
        & TaskPane, & InsidePane { height: 1fr; }
        & #left Pane, & PacketList {
            border: none;
            border-top: solid $foreground 35%;
            border-title-color: $text-muted;
            border-title-style: none;
            border-subtitle-color: $text-muted;
        }
        & #left Pane:focus, & #left Pane:focus-within, & PacketList:focus {
            border: none;
            border-top: heavy $border;
            border-title-color: $text-primary;
            border-title-style: bold reverse;
        }
        &.-narrow {
            & #body { layout: vertical; }
            & #left { width: 100%; height: 3fr; border-right: none; }
            & #right { width: 100%; height: 2fr; }
            & #left Pane { max-height: 100%; height: 1fr; }
        }
        &.-slot {
            & #left { height: 1fr; }
            & #right { height: 7; }
        }
        &.-zoom {
            & #left { width: 1fr; height: 1fr; border-right: none; }
            & #left Pane { height: 1fr; max-height: 100%; }
            & #right { height: 1fr; }
        }
    }
    """

    def __init__(self, session: Session, speed: float = 1.0) -> None:
        super().__init__(id="lab")
        self.session = session
        self.runner = Runner(session)
        self.runner.speed = speed
        self.slot = ""
        """Below 120 columns: what stands in place of the state panes, of `SIDES`."""
        self.side = "task" if session.lab.tasks else "inside"
        """From 120 columns on: what stands under the map."""
        self.zoomed = ""
        """A pane that is shown alone: of `SIDES`, ``deck`` or ``packets``."""
        self.samples = Samples(session)
        self.followers: list[Callable[[], None]] = []
        """What is over the panes and wants to be brought up with them."""
        self.faults: dict[str, str] = {}
        """Panes that failed: id to what happened."""
        self._wake = asyncio.Event()
        self._position: object = None
        self._painted = 0.0
        session.rebuilt.append(self._rebuilt)

    # -- building ----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield ClockLine(id="clock")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield MapPane(id="map")
                yield TaskPane(id="task")
                yield InsidePane(id="inside")
            with Vertical(id="right"):
                with Horizontal(id="decks"):
                    yield Deck(samples=self.samples, id="deck")
                    yield Deck(alone=True, samples=self.samples, id="deck2")
                yield PacketList(id="packets")
                yield FilterLine(id="filter")
        yield Drawer(id="drawer")
        yield Prompt(id="prompt")
        yield footer.KeyLine(id="keys")

    def on_mount(self) -> None:
        """Begin: the prompt has the focus, the engine its turns."""
        self.prompt.session = self.session
        self.query_one("#inside", InsidePane).show(self.session, self.session.selected)
        self.lay_out()
        self.prompt.input.focus()
        self.sync(force=True)
        self.run_worker(self._drive(), name="engine", exclusive=True, group="engine")

    @property
    def prompt(self) -> Prompt:
        """The line where commands are typed."""
        return self.query_one("#prompt", Prompt)

    @property
    def drawer(self) -> Drawer:
        """The output above it."""
        return self.query_one("#drawer", Drawer)

    @property
    def deck(self) -> Deck:
        """State of the selected node."""
        return self.query_one("#deck", Deck)

    @property
    def packets(self) -> PacketList:
        """The packet list."""
        return self.query_one("#packets", PacketList)

    @property
    def lab_app(self) -> KamelabApp:
        """The app, as what it is."""
        app: KamelabApp = self.app  # type: ignore[assignment]
        return app

    def say_who(self) -> None:
        """Label of the prompt and keys of the key line, from what the session waits for."""

    # -- layout ------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Another size, another layout."""
        self.lay_out()
        self.call_after_refresh(self.sync, True)

    def shown(self) -> set[str]:
        """Which panes are in sight: of `SIDES`, ``deck``, ``deck2``, ``packets``."""
        width, height = self.size
        if self.zoomed:
            return {self.zoomed}
        if width >= WIDE:
            found = {"map", "deck", "packets", self.side}
            if width >= HUGE:
                found |= {"deck2", "inside"} if len(self.session.lab.nodes) > 1 else {"inside"}
            return found
        if not self.slot:
            return {"deck", "packets"}
        return {self.slot, "packets", "deck"} if height >= TALL else {self.slot, "packets"}

    def lay_out(self) -> None:
        """Show what belongs into the present layout."""
        width = self.size.width
        shown = self.shown()
        self.set_class(width < WIDE, "-narrow")
        self.set_class(width >= HUGE, "-huge")
        self.set_class(bool(self.zoomed), "-zoom")
        self.set_class(width < WIDE and bool(self.slot) and "deck" not in shown, "-slot")
        for name in (*SIDES, "deck", "deck2", "packets"):
            self.query_one(f"#{name}").display = name in shown
        self.query_one("#decks").display = bool(shown & {"deck", "deck2"})
        self.query_one("#left").display = bool(shown.intersection(SIDES))
        self.query_one("#right").display = bool(shown & {"deck", "deck2", "packets"})
        self.say_who()
        focused = self.focused
        if focused is not None and not focused.is_on_screen and not isinstance(focused, PromptInput):
            self.call_after_refresh(self._focus_something)

    def _focus_something(self) -> None:
        focused = self.focused
        if focused is None or not all(node.display for node in focused.ancestors_with_self if isinstance(node, Widget)):
            for pane in self._panes():
                if pane.focusable:
                    pane.focus()
                    return
            self.prompt.input.focus()

    def _panes(self) -> list[Pane]:
        """The panes in sight."""
        shown = self.shown()
        found: list[Pane] = []
        if "deck" in shown:
            found.append(self.deck.pane)
        if "deck2" in shown:
            found.append(self.query_one("#deck2", Deck).pane)
        for name in (*SIDES, "packets"):
            if name in shown:
                found.append(self.query_one(f"#{name}", Pane))
        return found

    # -- the engine's turns ------------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        """Slices of the engine, with turns of the screen between them, for as long as the screen lives."""
        while True:
            try:
                nap = self.runner.turn()
            except Exception as error:
                self.fault(error)
                nap = None
            self.sync()
            if nap is None:
                self.sync(force=True)
                await self._wake.wait()
                self._wake.clear()
            elif nap > 0:
                try:
                    await asyncio.wait_for(self._wake.wait(), nap)
                    self._wake.clear()
                except TimeoutError:
                    pass
            else:
                for _ in range(TURNS):
                    await asyncio.sleep(0)

    def fault(self, error: Exception) -> None:
        """A fault of the engine: say so, stand still, keep all that is there."""
        self.runner.pause()
        self.session.say("message", f"kamelab: a fault of kamelab's own: {error!r}; time was paused\n")

    def wake(self) -> None:
        """Something has changed: look at once."""
        self._wake.set()
        self.sync(force=True)

    def sync(self, force: bool = False) -> None:
        """Bring the screen up to the session: at most ten times a second while time runs, at once otherwise."""
        now = self.runner.wall()
        if not force and self.runner.running and now - self._painted < REFRESH:
            return
        if not self.query("#clock"):
            # The screen is being taken down.
            return
        self._painted = now
        chunks = self.session.take_output()
        if chunks and self.drawer.write(chunks):
            self.drawer.open()
        session = self.session
        position = (session.events, session.now, id(session.world), session.selected, session.tail)
        self.query_one("#clock", ClockLine).read(self.runner)
        self.say_who()
        if force or position != self._position:
            self._position = position
            self.show_panes()

    def show_panes(self) -> None:
        """Let every pane in sight read what it shows. One that fails says so in its place; the others go on."""
        node = self.session.selected
        self.deck.name_node(node)
        other = self._other()
        self.query_one("#deck2", Deck).name_node(other)
        second = self.query_one("#deck2", Deck).pane
        for pane in self._panes():
            guard(pane, self._failed)
            try:
                pane.show(self.session, other if pane is second else node)
            except Exception as error:
                self._failed(pane, error)
            else:
                self._mended(pane)
        for follow in self.followers:
            follow()

    def _other(self) -> str:
        """The node beside the selected one, for the second deck."""
        names = list(self.session.lab.nodes)
        return names[(names.index(self.session.selected) + 1) % len(names)]

    def _failed(self, pane: Pane, error: Exception) -> None:
        """Say in the place of a pane that it failed."""
        text = f"{type(error).__name__}: {error}"
        known = self.faults.get(pane.PANE_ID)
        self.faults[pane.PANE_ID] = text
        if known is None:
            pane.border_subtitle = "this pane failed"
            self.notify(
                f"{text}\nThe lab goes on; the pane tries again at the next event.",
                title=f"The pane {pane.PANE_ID} failed",
                severity="error",
                markup=False,
            )

    def _mended(self, pane: Pane) -> None:
        if pane.PANE_ID in self.faults:
            del self.faults[pane.PANE_ID]
            pane.border_subtitle = ""

    def _rebuilt(self, session: Session) -> None:
        """The world is a new one: what was on the way is gone."""
        self._position = None
