"""The drawer: what programs and kamelab print, above the prompt. It opens when there is something to read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from kamelab.lab.console_show import clock_text
from kamelab.lab.session import Chunk

KEEP = 5000
"""Lines that are kept."""
TAB = 8


class _Line(NamedTuple):
    kind: str
    text: str


class Drawer(ScrollView, can_focus=True):
    """Output, line by line, folded at the right edge."""

    HELP = """\
## Output

What programs print stands here as it is. Lines that begin with a time in brackets are the commands you gave, and
messages of a node's kernel (`console:`); lines that begin with `kamelab:` or the name of a console command are
kamelab's own. The drawer opens when there is something to read.

`Esc` or `x` closes it, `o` opens it again; arrows, `PgUp`, `PgDn`, `Home`, `End` scroll. `y` copies all of it;
a part is selected with the mouse and copied with `Ctrl+C`.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,x", "close", "Close", id="drawer.close", tooltip="Close the output"),
        Binding("up,k", "scroll_up", "Up", show=False, id="drawer.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="drawer.down"),
        Binding("y", "copy", "Copy all", id="drawer.copy", tooltip="Copy the whole output"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "drawer--echo",
        "drawer--text",
        "drawer--console",
        "drawer--message",
    }

    DEFAULT_CSS = """
    Drawer {
        height: auto;
        max-height: 34%;
        display: none;
        background: $surface;
        color: $foreground;
        border-top: solid $foreground 35%;
        border-title-color: $text-muted;
        border-title-align: left;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        padding: 0 1;
        &.-open { display: block; }
        &:focus { border-top: heavy $border; border-title-color: $text-primary; border-title-style: bold; }
        & > .drawer--echo { color: $text-primary; text-style: bold; }
        & > .drawer--console { color: $text-warning; }
        & > .drawer--message { color: $text-accent; }
    }
    """

    class Closed(Message):
        """The drawer was closed by its reader."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: list[_Line] = []
        self._open_line = False
        """The last line has no end yet."""
        self._folded: list[tuple[int, int, int]] = []
        """Rows as (line, from, to)."""
        self._fold_width = 0
        self.border_title = "output"
        self.border_subtitle = "x close"

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, chunks: Iterable[Chunk]) -> bool:
        """Add what was printed; whether there was anything but echoes."""
        something = False
        first = len(self._lines) - (1 if self._open_line else 0)
        for chunk in chunks:
            if chunk.kind == "echo":
                self._end_line()
                self._lines.append(_Line("echo", f"[{clock_text(chunk.time)}] {chunk.text}"))
                continue
            something = True
            if chunk.kind == "console":
                self._end_line()
                self._lines.append(
                    _Line("console", f"[{clock_text(chunk.time)}] {chunk.node} console: {chunk.text.rstrip()}")
                )
            elif chunk.kind == "message":
                self._end_line()
                self._lines += [_Line("message", line) for line in chunk.text.splitlines()]
            else:
                self._text(chunk.text)
        if len(self._lines) > KEEP:
            del self._lines[: len(self._lines) - KEEP]
            first = 0
        self._fold(first)
        return something

    def _text(self, text: str) -> None:
        """A program's output: it may end within a line, and go back in one (``ping6 -f``)."""
        for part in text.splitlines(keepends=True):
            ended = part.endswith("\n")
            part = part.rstrip("\n")
            if self._open_line:
                part = self._lines.pop().text + part
            while (at := part.find("\b")) >= 0:
                part = part[: max(0, at - 1)] + part[at + 1 :]
            self._lines.append(_Line("text", part.expandtabs(TAB)))
            self._open_line = not ended

    def _end_line(self) -> None:
        self._open_line = False

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._open_line = False
        self._fold(0)

    @property
    def text(self) -> str:
        """All that is there."""
        return "\n".join(line.text for line in self._lines)

    # -- folding and drawing -----------------------------------------------------------------------------------------

    def _fold(self, first: int) -> None:
        """Fold lines from ``first`` on at the present width."""
        width = self.scrollable_content_region.width if self.is_on_screen else 0
        width = width or max(20, self.app.size.width - 3)
        follow = self.is_vertical_scroll_end or not self._folded
        if width != self._fold_width:
            self._fold_width = width
            first = 0
        rows = self._folded
        while rows and rows[-1][0] >= first:
            rows.pop()
        if not first:
            rows.clear()
        for number in range(first, len(self._lines)):
            text = self._lines[number].text
            for start in range(0, max(1, len(text)), width):
                rows.append((number, start, min(len(text), start + width)))
        self.virtual_size = Size(width, len(rows))
        self.refresh(layout=True)
        if follow:
            self.call_after_refresh(self.scroll_end, animate=False, immediate=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._folded)

    def on_resize(self) -> None:
        """Fold anew where the width has changed."""
        if self.is_on_screen and self.scrollable_content_region.width not in (0, self._fold_width):
            self._fold(0)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        at = y + self.scroll_offset.y
        if at >= len(self._folded):
            return Strip.blank(width, base)
        number, start, end = self._folded[at]
        line = self._lines[number]
        style = base + self.get_component_rich_style(f"drawer--{line.kind}", partial=True)
        text = line.text[start:end]
        segments = [Segment(text, style)]
        span = self.text_selection.get_span(at) if self.text_selection is not None else None
        if span is not None:
            left, right = span
            right = len(text) if right == -1 else right
            chosen = style + self.screen.get_component_rich_style("screen--selection")
            segments = [Segment(text[:left], style), Segment(text[left:right], chosen), Segment(text[right:], style)]
        return Strip(segments).adjust_cell_length(width, base).apply_offsets(0, at)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        rows = [self._lines[number].text[start:end] for number, start, end in self._folded]
        return selection.extract("\n".join(rows)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    # -- opening -----------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self.has_class("-open")

    def open(self) -> None:
        """Show it, if there is anything in it."""
        if self._lines:
            self.add_class("-open")

    def action_close(self) -> None:
        """Hide it."""
        self.remove_class("-open")
        self.post_message(self.Closed())

    def action_copy(self) -> None:
        """Put all output into the clipboard."""
        self.app.copy_to_clipboard(self.text)
        self.notify("The output is in the clipboard.")
