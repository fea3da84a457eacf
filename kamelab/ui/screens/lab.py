"""The screen of a lab: what its keys, its clicks and the lines typed at its prompt do. The layout is `stage`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from kamelab.capture.filter import FilterError
from kamelab.core.errors import KamelabError
from kamelab.lab.console import prompt as echo_text
from kamelab.lab.session import Chunk, Session
from kamelab.ui.bindings import bindings
from kamelab.ui.panes import InsidePane, PacketList
from kamelab.ui.panes.base import Pane, TablePane
from kamelab.ui.screens.stage import SIDES, WIDE, Stage
from kamelab.ui.widgets import footer
from kamelab.ui.widgets.deck import Deck, is_state_pane
from kamelab.ui.widgets.drawer import Drawer
from kamelab.ui.widgets.filter import FilterLine
from kamelab.ui.widgets.map import MapPane
from kamelab.ui.widgets.prompt import Prompt, PromptInput
from kamelab.userland.shell_grammar import needs_more

if TYPE_CHECKING:
    pass


class LabScreen(Stage):
    """One lab."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(),
        Binding("escape", "restore", "Back to the usual layout", show=False, id="view.restore"),
        Binding("ctrl+c", "interrupt", "Interrupt", show=False, id="lab.interrupt", tooltip="^C to the program"),
    ]

    def __init__(self, session: Session, speed: float = 1.0) -> None:
        super().__init__(session, speed)
        self._pending: list[str] = []
        """Lines of an unfinished here-document or quotation."""
        self._label: object = None
        self._last_pane: Widget | None = None

    # -- lines -------------------------------------------------------------------------------------------------------

    def say_who(self) -> None:
        """Label of the prompt and keys of the key line, from what the session waits for."""
        session = self.session
        command = session.foreground
        reading = bool(session.reading_nodes())
        typing = isinstance(self.focused, PromptInput)
        state = (
            session.selected,
            command is not None,
            reading,
            typing,
            bool(self._pending),
            session.events == 0,
            self.runner.running,
            self.size.width,
            self.slot,
        )
        if state == self._label:
            return
        self._label = state
        keys: footer.Keys = footer.PROMPT if typing else footer.pane_keys(self.slot if self.size.width < WIDE else "")
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
            elif session.events == 0 and session.lab.tasks and "task" not in self.shown():
                # Nothing else in sight tells a newcomer where to begin.
                hint = f"{self._count_tasks()} to do: F9 shows the first; Tab completes, F1 helps"
            elif session.events == 0:
                hint = "a command, such as  ifconfig -a ; Tab completes, F1 helps"
        self.prompt.say_who(label, hint)
        self.query_one("#keys", footer.KeyLine).keys = keys

    def _count_tasks(self) -> str:
        count = len(self.session.lab.tasks)
        return "a task" if count == 1 else f"{count} tasks"

    @on(Prompt.Submitted)
    def _line_given(self, event: Prompt.Submitted) -> None:
        event.stop()
        self.take_line(event.line)

    def take_line(self, line: str) -> None:
        """What was typed: text for a program that reads, a part of a longer line, or a console line."""
        session = self.session
        command = session.foreground
        if command is not None and not self._pending:
            reading = session.reading_nodes()
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
            self.say_who()
            return
        self._pending = []
        self._label = None
        if text.strip():
            self.prompt.history.add(text)
            self.give(text)
        else:
            self.say_who()

    def give(self, line: str, echo: bool = True) -> None:
        """Run a console line, as if it had been typed."""
        session = self.session
        if echo:
            self.drawer.write([Chunk(session.now, "echo", "", echo_text(session, line))])
        words = line.split()
        if words[:1] == ["ladder"]:
            try:
                self.show_ladder(line.strip().removeprefix("ladder").strip())
            except FilterError:
                # The console has the words for it.
                pass
            else:
                return
        try:
            outcome = self.runner.submit(line)
        except Exception as error:
            self.fault(error)
            self.wake()
            return
        if outcome.status == 0 and words[0] in ("save", "export"):
            # On a screen, silence leaves one wondering.
            self.drawer.write([Chunk(session.now, "message", "", f"{words[0]}: {words[-1]} is written\n")])
            self.drawer.open()
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
            self.say_who()
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
        if self.filter_line.is_open:
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
            first = next((one for one in self._panes() if one.focusable), None)
            if first is not None:
                first.focus()

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

    def action_why(self) -> None:
        """What the row or packet under the cursor came from, and by which rules."""
        from kamelab.lab.why import explain
        from kamelab.ui.screens.why import WhyScreen

        focused = self.focused if not isinstance(self.focused, PromptInput) else self._last_pane
        asked = [node for node in focused.ancestors_with_self if isinstance(node, Pane)] if focused is not None else []
        pane = asked[0] if asked and asked[0].is_on_screen else self.deck.pane
        question = pane.question()
        if not question:
            text = "Put the cursor on a packet, neighbour, route, prefix, router or address; or type  why ADDRESS"
            self.notify(text, title="Nothing to explain here", timeout=5)
            return
        try:
            about = explain(self.session, question.split())
        except KamelabError as error:
            self.notify(str(error), title=f"why {question}", severity="warning", markup=False)
            return
        self.app.push_screen(WhyScreen(question, about))

    @on(TablePane.RowChosen)
    def _row_chosen(self, event: TablePane.RowChosen) -> None:
        """Show the packets that belong to a row; where there are none, what is behind it."""
        event.stop()
        wanted = event.pane.conversation()
        if not wanted:
            if event.pane.question():
                self.action_why()
            return
        self.packets.set_filter(wanted)
        if "packets" not in self.shown():
            self.action_jump("packets")
        self._focus_pane("packets")

    def action_ladder(self) -> None:
        """The conversation of what is under the cursor; else the packets of the list, as it is filtered."""
        typing = isinstance(self.focused, PromptInput)
        focused = self._last_pane if typing else self.focused
        pane = next((one for one in focused.ancestors_with_self if isinstance(one, Pane)), None) if focused else None
        wanted = pane.conversation() if pane is not None and pane.is_on_screen else ""
        self.show_ladder(wanted or self.packets.filter_text)

    def show_ladder(self, text: str) -> None:
        """Packets as arrows between nodes, over the panes. Raises FilterError for what is no filter."""
        from kamelab.ui.screens.ladder import LadderScreen

        self.app.push_screen(LadderScreen(self, text))

    def action_help(self) -> None:
        """What the focused pane shows, and all keys."""
        from kamelab.ui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.focused))

    # -- the packet filter -------------------------------------------------------------------------------------------

    @property
    def filter_line(self) -> FilterLine:
        """Where a display filter is typed."""
        return self.query_one(FilterLine)

    def action_filter(self) -> None:
        """Open the line for a display filter."""
        if "packets" not in self.shown():
            self.action_jump("packets")
        self.filter_line.open(self.packets.filter_text)

    @on(FilterLine.Given)
    def _filter_given(self, event: FilterLine.Given) -> None:
        event.stop()
        try:
            self.packets.set_filter(event.text)
        except FilterError as error:
            self.filter_line.complain(str(error))
            return
        self._close_filter()

    def _close_filter(self) -> None:
        self.filter_line.close()
        self.packets.focus()

    # -- focus -------------------------------------------------------------------------------------------------------

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The key line follows the focus."""
        if not isinstance(event.widget, Input):
            self._last_pane = event.widget
        self._label = None
        self.say_who()

    def on_unmount(self) -> None:
        """Let go of the session."""
        self.samples.close()
        if self._rebuilt in self.session.rebuilt:
            self.session.rebuilt.remove(self._rebuilt)
