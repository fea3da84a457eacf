"""The ladder over the lab: packets as arrows between nodes, the same text as the console's ``ladder``. It follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kamelab.capture.filter import Filter, compile_filter
from kamelab.capture.ladder import ladder
from kamelab.ui.panes.base import MORE, ink

if TYPE_CHECKING:
    from kamelab.ui.screens.stage import Stage

LAST = 2000
"""Captured frames that are looked at, of a long capture the last ones: drawing them takes its time."""
WIDEST = 160


class LadderView(ScrollView, can_focus=True):
    """Lines of text under a sticky first line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"ladder--heading", "ladder--drop", "ladder--muted"}

    DEFAULT_CSS = """
    LadderView {
        height: auto;
        max-height: 100%;
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        & > .ladder--heading { color: $text-primary; text-style: bold; }
        & > .ladder--drop { color: $outcome-drop; }
        & > .ladder--muted { color: $text-muted; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        """A heading, then the arrows; or nothing but words."""

    def put(self, lines: list[str]) -> None:
        """Show these lines."""
        self.text = lines
        self.virtual_size = Size(max((len(line) for line in lines), default=0), len(lines))
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As high as its lines, up to what there is room for."""
        return max(1, len(self.text))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = y + self.scroll_offset.y if y else 0
        base = self.rich_style
        if at >= len(self.text):
            return Strip.blank(width, base)
        line = self.text[at]
        style: Style = base
        if not y:
            style = base + ink(self, "ladder--heading")
        elif line.rstrip().endswith("]") and ("x|" in line or "|x" in line):
            style = base + ink(self, "ladder--drop")
        left = self.scroll_offset.x
        strip = Strip([Segment(line, style)]).crop_extend(left, left + width, base)
        if len(line) - left > width:
            strip = Strip.join([strip.crop(0, width - 1), Strip([Segment(MORE, base)], 1)])
        return strip


class LadderScreen(ModalScreen[None]):
    """Over the lab; `Esc` closes it. Time can be moved from here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,l,q,ctrl+l", "close", "Close", id="ladder.close", tooltip="Back to the lab"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="ladder.down", tooltip="Down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="ladder.up", tooltip="Up"),
        Binding("left", "sideways(-8)", "Left", show=False, id="ladder.left", tooltip="To the left"),
        Binding("right", "sideways(8)", "Right", show=False, id="ladder.right", tooltip="To the right"),
        Binding("pagedown", "scroll(20)", "Page down", show=False, id="ladder.page-down", tooltip="A page down"),
        Binding("pageup", "scroll(-20)", "Page up", show=False, id="ladder.page-up", tooltip="A page up"),
        Binding("home", "first", "First", show=False, id="ladder.first", tooltip="To the first packet"),
        Binding("end,f", "follow", "Follow", show=False, id="ladder.follow", tooltip="Follow the newest packet"),
        Binding("a", "all", "All packets", show=False, id="ladder.all", tooltip="All packets, or the filter's again"),
        Binding("y", "copy", "Copy", show=False, id="ladder.copy", tooltip="Copy the diagram"),
        Binding("space,ctrl+r", "time('toggle_run')", "Run or pause", show=False, id="ladder.run"),
        Binding("full_stop,ctrl+n", "time('step')", "Step", show=False, id="ladder.step"),
        Binding("comma,ctrl+b", "time('back')", "Back", show=False, id="ladder.back"),
        Binding("n,ctrl+t", "time('next_timer')", "To the next timer", show=False, id="ladder.timer"),
        Binding("p", "time('next_packet')", "To the next packet", show=False, id="ladder.packet"),
    ]

    DEFAULT_CSS = """
    LadderScreen {
        align: center middle;
        & > LadderView {
            width: 96%;
            max-width: 164;
            max-height: 92%;
            border: round $border;
            border-title-color: $text-primary;
            border-subtitle-color: $text-muted;
            padding: 0 1;
        }
    }
    """

    def __init__(self, stage: Stage, text: str) -> None:
        """``text``: a display filter, "" for all packets. Raises FilterError for what is none."""
        super().__init__()
        self.stage = stage
        self.chosen: Filter | None = compile_filter(text) if text.strip() else None
        self.all = False
        self.following = True
        self._shape: object = None

    def compose(self) -> ComposeResult:
        """The diagram in a frame."""
        yield LadderView()

    @property
    def view(self) -> LadderView:
        """The diagram."""
        return self.query_one(LadderView)

    def on_mount(self) -> None:
        """Draw, and go with the lab from now on."""
        self.stage.followers.append(self.read)
        self.view.focus()
        self.read()

    def on_unmount(self) -> None:
        """Go with it no more."""
        if self.read in self.stage.followers:
            self.stage.followers.remove(self.read)

    def on_resize(self, event: events.Resize) -> None:
        """Another width, another drawing."""
        self.read()

    def read(self) -> None:
        """Draw what the trace has now."""
        session = self.stage.session
        network = session.world.network
        trace = network.trace
        # Frame, padding and scroll bar take 5 cells.
        width = min(WIDEST, self.app.size.width * 96 // 100) - 5
        shape = (trace, trace.num, width, self.all)
        if shape == self._shape:
            return
        self._shape = shape
        chosen = None if self.all else self.chosen
        lines = ladder(network, chosen, width, LAST)
        count = len(trace.packets)
        if not lines:
            what = f"No packet is taken by the filter {chosen.text}; a shows all." if chosen else "No packet yet."
            lines = [what, "Let time pass here too: space runs, . steps."]
        elif count > LAST:
            lines.append(f"(of {count} captured frames the last {LAST}; a filter does not look further back)")
        view = self.view
        view.put(lines)
        view.border_title = Content(f"ladder -- {chosen.text if chosen else 'all packets'}")
        view.border_subtitle = "Esc closes, space . , move time, f follows, a all, y copies"
        if self.following:
            self.call_after_refresh(self._to_end)

    def _to_end(self) -> None:
        self.view.scroll_to(y=self.view.max_scroll_y, animate=False, immediate=True)

    def action_close(self) -> None:
        """Back to the lab."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Up or down: nothing is followed then, unless at the end."""
        view = self.view
        goal = max(0, min(view.max_scroll_y, view.scroll_offset.y + lines))
        self.following = goal == view.max_scroll_y
        view.scroll_to(y=goal, animate=False, immediate=True)

    def action_sideways(self, cells: int) -> None:
        """Left or right, where nodes are too many for the width."""
        self.view.scroll_relative(x=cells, animate=False, immediate=True)

    def action_first(self) -> None:
        """To the first packet."""
        self.action_scroll(-len(self.view.text))

    def action_follow(self) -> None:
        """Go with the newest packet."""
        self.following = True
        self._to_end()

    def action_all(self) -> None:
        """All packets, or those of the filter again."""
        self.all = not self.all
        self.read()

    def action_copy(self) -> None:
        """Put the diagram into the clipboard."""
        self.app.copy_to_clipboard("\n".join(self.view.text))
        self.notify("The diagram is in the clipboard.")

    async def action_time(self, action: str) -> None:
        """A key of the lab screen that moves time."""
        await self.stage.run_action(action)
