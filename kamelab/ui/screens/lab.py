"""The screen of a lab: lays out the panes, lets the runner have its turns, and does what keys and lines ask for.

Two columns from 120 characters on: the network and the lesson (or the inside of a packet) at the left, state and
packets at the right, each 80 wide, as tables need it; from 200 on the state of two nodes side by side. Below 120
one thing above the packets: state, map, task or inside, a key away each.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from kamelab.capture.filter import FilterError
from kamelab.lab.console import prompt as echo_text
from kamelab.lab.session import TTY, Chunk, Session
from kamelab.ui.bindings import bindings
from kamelab.ui.panes import InsidePane, PacketList, TaskPane
from kamelab.ui.panes.base import Pane
from kamelab.ui.runner import Runner
from kamelab.ui.screens.guard import guard
from kamelab.ui.widgets import footer
from kamelab.ui.widgets.clock import ClockLine
from kamelab.ui.widgets.deck import Deck, is_state_pane
from kamelab.ui.widgets.drawer import Drawer
from kamelab.ui.widgets.map import MapPane
from kamelab.ui.widgets.prompt import Prompt, PromptInput
from kamelab.userland.shell_grammar import needs_more

if TYPE_CHECKING:
    from kamelab.ui.app import KamelabApp

WIDE, HUGE, TALL = 120, 200, 36
REFRESH = 0.1
"""Seconds between two looks of the panes while time runs."""
TURNS = 6
"""Turns of the event loop that the screen gets between two slices: a key needs some to find its widget."""
SIDES = ("map", "task", "inside")


class LabScreen(Screen[None]):
    """One lab."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(),
        Binding("escape", "restore", "Back to the usual layout", show=False, id="view.restore"),
        Binding("ctrl+c", "interrupt", "Interrupt", show=False, id="lab.interrupt", tooltip="^C to the program"),
    ]

    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    LabScreen {
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
        & #filter {
            display: none;
            height: auto;
            background: $panel;
            &.-open { display: block; }
            & > #filter-error { display: none; height: auto; color: $text-error; padding: 0 1; }
            & > #filter-error.-open { display: block; }
            & > #filter-line { height: 1; }
            & #filter-label { width: auto; padding: 0 1; color: $text-primary; text-style: bold; }
            & #filter-input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
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
        self.faults: dict[str, str] = {}
        """Panes that failed: id to what happened."""
        self._wake = asyncio.Event()
        self._position: object = None
        self._painted = 0.0
        self._pending: list[str] = []
        """Lines of an unfinished here-document or quotation."""
        self._label: object = None
        self._last_pane: Widget | None = None
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
                    yield Deck(id="deck")
                    yield Deck(alone=True, id="deck2")
                yield PacketList(id="packets")
                with Vertical(id="filter"):
                    yield Static("", id="filter-error", markup=False)
                    with Horizontal(id="filter-line"):
                        yield Static("filter", id="filter-label")
                        yield Input(
                            id="filter-input", compact=True, placeholder="icmpv6.type == 135 && ipv6.src == fe80::/10"
                        )
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
                self._fault(error)
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

    def _fault(self, error: Exception) -> None:
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
        self._say_who()
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

    # -- lines -------------------------------------------------------------------------------------------------------

    def _say_who(self) -> None:
        """Label of the prompt and keys of the key line, from what the session waits for."""
        session = self.session
        command = session.foreground
        reading = command is not None and any(session.world.systems[node].reading(TTY) for node in command.nodes)
        typing = isinstance(self.focused, PromptInput)
        state = (
            session.selected,
            command is not None,
            reading,
            typing,
            bool(self._pending),
            session.events == 0,
            self.runner.running,
        )
        if state == self._label:
            return
        self._label = state
        keys: footer.Keys = footer.PROMPT if typing else footer.PANE
        hint = ""
        if self._pending:
            label = ">"
        elif command is not None:
            who = "all" if len(command.nodes) > 1 else command.nodes[0]
            name = command.line.split()[0]
            label = f"{who} {name}:" if reading else f"{who} ..."
            hint = f"{name} runs; Ctrl+C interrupts it" if not reading else "what is typed here goes to the program"
            if not self.runner.running:
                hint = f"{name} waits, time is paused: Ctrl+R lets it run"
            if typing:
                keys = footer.READING if reading else footer.PROGRAM
        else:
            label = f"{session.selected}#"
            if session.now == 0 and session.world.network.next_event_at() is not None:
                hint = "time stands at 0: type  run 5s  or press Ctrl+R; F1 helps"
            elif session.events == 0:
                hint = "a command, such as  ifconfig -a ; Tab completes, F1 helps"
        self.prompt.say_who(label, hint)
        self.query_one("#keys", footer.KeyLine).keys = keys

    @on(Prompt.Submitted)
    def _line_given(self, event: Prompt.Submitted) -> None:
        event.stop()
        self.take_line(event.line)

    def take_line(self, line: str) -> None:
        """What was typed: text for a program that reads, a part of a longer line, or a console line."""
        session = self.session
        command = session.foreground
        if command is not None and not self._pending:
            reading = [node for node in command.nodes if session.world.systems[node].reading(TTY)]
            if reading:
                self.drawer.write([Chunk(session.now, "text", "", line + "\n")])
                for node in reading:
                    session.type_text(node, line + "\n")
                self.runner.let_on()
                self.wake()
                return
        self._pending.append(line)
        text = "\n".join(self._pending)
        if needs_more(text):
            self._label = None
            self._say_who()
            return
        self._pending = []
        self._label = None
        if text.strip():
            self.prompt.history.add(text)
            self.give(text)
        else:
            self._say_who()

    def give(self, line: str, echo: bool = True) -> None:
        """Run a console line, as if it had been typed."""
        session = self.session
        if echo:
            self.drawer.write([Chunk(session.now, "echo", "", echo_text(session, line))])
        try:
            outcome = self.runner.submit(line)
        except Exception as error:
            self._fault(error)
            self.wake()
            return
        self.wake()
        if outcome.action == "quit":
            self.lab_app.leave_lab()

    def action_console(self, line: str) -> None:
        """A key that stands for a console line."""
        self.give(line)

    # -- time --------------------------------------------------------------------------------------------------------

    def action_toggle_run(self) -> None:
        """Run or pause."""
        self.runner.toggle()
        self.wake()

    def action_step(self) -> None:
        """The next event."""
        self.runner.step()
        self.wake()

    def action_next_timer(self) -> None:
        """On to the next timer."""
        self.runner.step("timer")
        self.wake()

    def action_next_packet(self) -> None:
        """On to the next packet."""
        self.runner.step("packet")
        self.wake()

    def action_back(self) -> None:
        """Take the last event back."""
        self.runner.back()
        self.wake()

    def action_faster(self) -> None:
        """The next higher speed."""
        self.runner.next_speed()
        self.wake()

    def action_slower(self) -> None:
        """The next lower speed."""
        self.runner.next_speed(-1)
        self.wake()

    def action_next_speed(self) -> None:
        """The next higher speed, from the fastest to the slowest: for the mouse."""
        if self.runner.speed:
            self.runner.next_speed()
        else:
            self.runner.set_speed(1.0)
        self.wake()

    def action_interrupt(self) -> None:
        """^C: copies what is selected, else goes to the foreground program."""
        if self.get_selected_text():
            self.action_copy_text()
        elif not self._interrupt():
            self.notify("Nothing runs. Ctrl+Q quits.", timeout=3)

    @on(Prompt.Interrupted)
    def _interrupted(self) -> None:
        if self._interrupt():
            return
        if self._pending or self.prompt.input.value:
            self._pending = []
            self.prompt.input.value = ""
            self._label = None
            self._say_who()
        elif self.get_selected_text():
            self.action_copy_text()
        else:
            self.notify("Nothing runs. Ctrl+Q quits.", timeout=3)

    def _interrupt(self) -> bool:
        if not self.runner.interrupt():
            return False
        self.drawer.write([Chunk(self.session.now, "text", "", "^C\n")])
        self.wake()
        return True

    @on(Prompt.Ended)
    def action_end_of_file(self) -> None:
        """^D: the end of a program's input."""
        command = self.session.foreground
        if command is None:
            self.notify("No program reads here. Ctrl+Q quits.", timeout=3)
            return
        for node in command.nodes:
            self.session.end_of_file(node)
        self.runner.let_on()
        self.wake()

    # -- looking -----------------------------------------------------------------------------------------------------

    def action_jump(self, pane_id: str) -> None:
        """Show a pane, and go there unless somebody types. A second time: away with it again."""
        typing = isinstance(self.focused, PromptInput)
        wide = self.size.width >= WIDE
        if is_state_pane(pane_id):
            self.deck.turn_to(pane_id)
            self.query_one("#deck2", Deck).turn_to(pane_id)
            self.slot = ""
            if self.zoomed:
                self.zoomed = "deck"
        elif pane_id == "packets":
            if self.zoomed:
                self.zoomed = "packets"
        elif wide and not self.zoomed:
            if pane_id == "inside" and self.side == "inside" and self.session.lab.tasks:
                focused = self.focused
                inside = focused is not None and self.query_one("#inside") in focused.ancestors_with_self
                pane_id = "task" if inside else pane_id
            self.side = self.side if pane_id == "map" else pane_id
        else:
            if self.zoomed:
                self.zoomed = pane_id
            self.slot = "" if self.slot == pane_id and not wide else pane_id
            if not self.slot:
                pane_id = self.deck.current
        self.lay_out()
        self.show_panes()
        if not typing:
            self._focus_pane(pane_id)

    def _focus_pane(self, pane_id: str) -> None:
        pane: Widget = self.deck.pane if is_state_pane(pane_id) else self.query_one(f"#{pane_id}")
        if not pane.focusable:
            pane = next((child for child in pane.query("*") if child.focusable), pane)
        self.call_after_refresh(pane.focus)

    def action_zoom(self) -> None:
        """The focused pane alone on the screen, or all again."""
        if self.zoomed:
            self.zoomed = ""
        else:
            focused = self.focused if not isinstance(self.focused, PromptInput) else self._last_pane
            self.zoomed = "deck"
            for node in focused.ancestors_with_self if focused is not None else ():
                if node.id in (*SIDES, "packets"):
                    self.zoomed = str(node.id)
        self.lay_out()
        self.call_after_refresh(self.sync, True)

    def action_restore(self) -> None:
        """Esc: the filter, the zoom, the overlay or the drawer goes, in this order; then to the prompt."""
        if self.query_one("#filter").has_class("-open"):
            self._close_filter()
        elif self.zoomed:
            self.action_zoom()
        elif self.slot and self.size.width < WIDE:
            self.action_jump(self.slot)
        elif self.drawer.is_open:
            self.drawer.action_close()
        else:
            self.prompt.input.focus()

    def action_prompt(self) -> None:
        """To the prompt."""
        self.prompt.input.focus()

    @on(Prompt.Left)
    def action_leave_prompt(self) -> None:
        """From the prompt to the panes."""
        pane = self._last_pane
        if pane is not None and pane.is_on_screen:
            pane.focus()
        else:
            self.deck.pane.focus() if self.deck.display else self._focus_something()

    def action_complete(self) -> None:
        """Complete the word in the prompt."""
        self.prompt.input.focus()
        self.prompt.complete()

    def action_drawer(self) -> None:
        """Open or close the output."""
        if self.drawer.is_open:
            self.drawer.action_close()
        else:
            self.drawer.open()

    @on(Drawer.Closed)
    def _drawer_closed(self) -> None:
        if self.focused is self.drawer:
            self.action_leave_prompt()

    def action_other_node(self, step: int) -> None:
        """Select the next or previous node."""
        names = list(self.session.lab.nodes)
        at = (names.index(self.session.selected) + step) % len(names)
        self.give(f"select {names[at]}", echo=False)

    @on(MapPane.NodeChosen)
    def _node_chosen(self, event: MapPane.NodeChosen) -> None:
        self.give(f"select {event.node}", echo=False)

    @on(MapPane.LinkChosen)
    def _link_chosen(self, event: MapPane.LinkChosen) -> None:
        self.give("links")

    @on(InsidePane.PacketWanted)
    def _packet_wanted(self, event: InsidePane.PacketWanted) -> None:
        self.packets.go_to(event.num)

    @on(PacketList.PacketSelected)
    def _packet_selected(self, event: PacketList.PacketSelected) -> None:
        self.query_one("#inside", InsidePane).select(event.num)
        if isinstance(event, PacketList.PacketOpened) and "inside" not in self.shown():
            self.action_jump("inside")

    def action_help(self) -> None:
        """What the focused pane shows, and all keys."""
        from kamelab.ui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.focused))

    # -- the packet filter -------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Open the line for a display filter."""
        if "packets" not in self.shown():
            self.action_jump("packets")
        self.query_one("#filter").add_class("-open")
        field = self.query_one("#filter-input", Input)
        field.value = self.packets.filter_text
        field.focus()

    @on(Input.Submitted, "#filter-input")
    def _filter_given(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self.packets.set_filter(event.value)
        except FilterError as error:
            self._filter_error(str(error))
            return
        self._close_filter()

    def _close_filter(self) -> None:
        self._filter_error("")
        self.query_one("#filter").remove_class("-open")
        self.packets.focus()

    def _filter_error(self, text: str) -> None:
        """Say above the line what is wrong with it."""
        line = self.query_one("#filter-error", Static)
        line.update(text)
        line.set_class(bool(text), "-open")

    # -- focus -------------------------------------------------------------------------------------------------------

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The key line follows the focus."""
        if not isinstance(event.widget, Input):
            self._last_pane = event.widget
        self._label = None
        self._say_who()

    def on_unmount(self) -> None:
        """Let go of the session."""
        if self._rebuilt in self.session.rebuilt:
            self.session.rebuilt.remove(self._rebuilt)
