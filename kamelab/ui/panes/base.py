"""What every pane of the lab's screen has, and the table pane.

A table pane draws its lines itself (Textual's line API): a sticky heading, a gutter with a mark a row, rows under a
cursor, and a text that says why a table is empty. It holds a few hundred rows at most; the packet list is another
thing (`packets`). Nothing here reads a clock of this machine or changes the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from textwrap import wrap
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from kamelab.lab.session import Session
from kamelab.ui.panes.marks import CHANGED, GONE, NEW, SAME, Line, Marked, Marks, Stretch
from kamelab.ui.samples import Samples

GUTTER = 2
"""Cells before the first column: the mark and a blank."""
MORE = "…"
"""Ends a line that goes on to the right."""


class Pane(Widget):
    """A part of the screen that shows one thing about one node, or about the lab."""

    PANE_ID: ClassVar[str] = ""
    """Its name in commands, layouts and titles."""
    DIGIT: ClassVar[str] = ""
    """The key that jumps to it."""
    TITLE: ClassVar[str] = ""
    """What it is called in its border and its tab."""
    HELP: ClassVar[str] = ""
    """Markdown for the help screen: what it shows, its columns, its keys."""

    DEFAULT_CSS = """
    Pane {
        width: 1fr;
        height: 1fr;
        overflow: auto auto;
        border: round $border-blurred;
        border-title-color: $foreground;
        border-title-style: none;
        border-subtitle-color: $text-muted;
        padding: 0;
        &:focus, &:focus-within {
            border: round $border;
            border-title-color: $text-primary;
            border-title-style: bold;
        }
    }
    """

    def show(self, session: Session, node: str) -> None:
        """Read what there is to show of ``node`` and draw what is new."""
        raise NotImplementedError

    def question(self) -> str:
        """What ``why`` is to be asked about what is under the cursor: ``h1 fe80::1%ne0``; empty where nothing is."""
        return ""

    def conversation(self) -> str:
        """A display filter for the packets that belong to what is under the cursor; empty where there are none."""
        return ""

    def entitle(self, node: str = "") -> None:
        """Set the title of the border: ``2 neighbors -- h1``."""
        name = self.TITLE or self.PANE_ID
        title = f"{self.DIGIT} {name}" if self.DIGIT else name
        self.border_title = f"{title} -- {node}" if node else title


def ink(widget: Widget, name: str) -> Style:
    """Foreground and attributes of a component; its background is whatever it is written on."""
    style = widget.get_component_rich_style(name)
    return style.without_color + Style(color=style.color)


def plate(widget: Widget, name: str) -> Style:
    """All of the style of a component, for what is written on it."""
    return widget.get_component_rich_style(name)


# -- tables ----------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """A column: as wide as its widest cell or its heading."""

    title: str
    short: str = ""
    """The heading where room is scarce."""
    right: bool = False


class Section(NamedTuple):
    """A table of a pane; most panes have one."""

    name: str
    columns: tuple[Column, ...]
    read: Callable[[Session, str], list[Line]]
    note: Callable[[Session, str, Sequence[Line]], str]
    """Why there are no rows, or not those that matter, and what would make some; empty where nothing is amiss."""


class _Entry(NamedTuple):
    """One line of the pane: a heading, a row, or text."""

    section: int
    mark: str
    line: Line | None
    text: str = ""
    """Text of a line that is no row; of a row its cells, laid out."""


_HEADING = "heading"


class TablePane(Pane, ScrollView, can_focus=True):
    """Tables of a node: rows under a sticky heading, a mark a row, a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "Row up", show=False, id="table.up", tooltip="The row above"),
        Binding("down,j", "cursor(1)", "Row down", show=False, id="table.down", tooltip="The row below"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="table.page-up", tooltip="A page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="table.page-down", tooltip="A page down"),
        Binding("home", "cursor(-100000)", "First row", show=False, id="table.first", tooltip="The first row"),
        Binding("end", "cursor(100000)", "Last row", show=False, id="table.last", tooltip="The last row"),
        Binding("y", "copy", "Copy row", show=False, id="table.copy", tooltip="Copy the row under the cursor"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading",
        "table--cursor",
        "table--new",
        "table--changed",
        "table--gone",
        "table--text",
        "table--muted",
        "table--good",
        "table--warn",
        "table--bad",
        "table--accent",
    }

    DEFAULT_CSS = """
    TablePane {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .table--heading { color: $text-muted; text-style: underline; }
        & > .table--cursor { background: $block-cursor-blurred-background; }
        &:focus > .table--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .table--new { color: $mark-new; text-style: bold; }
        & > .table--changed { color: $mark-changed; text-style: bold; }
        & > .table--gone { color: $mark-gone; text-style: strike; }
        & > .table--text { color: $text-muted; }
        & > .table--muted { color: $text-muted; }
        & > .table--good { color: $text-success; }
        & > .table--warn { color: $text-warning; }
        & > .table--bad { color: $text-error; }
        & > .table--accent { color: $text-accent; }
    }
    """

    SECTIONS: ClassVar[tuple[Section, ...]] = ()

    cursor: var[int] = var(-1, init=False)
    """Index of the line under the cursor, -1 where there is no row."""

    class RowChosen(Message):
        """Enter was pressed on a row, or it was clicked twice."""

        def __init__(self, pane: TablePane, line: Line) -> None:
            super().__init__()
            self.pane = pane
            self.line = line

        @property
        def control(self) -> TablePane:
            """The pane."""
            return self.pane

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.session: Session | None = None
        self.node = ""
        self._stretch = Stretch()
        self._marks: dict[tuple[str, str], Marks] = {}
        self._rows: list[list[Marked]] = []
        """Rows by section."""
        self._entries: list[_Entry] = []
        self._widest = 0
        self._moved = False
        """The learner has moved the cursor: it stays on its row."""
        self._laid_out = -1
        self._foot: list[list[tuple[str, str]]] = []
        self.samples: Samples | None = None
        """Figures over time, where somebody keeps them already."""
        self.entitle()

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def sections(self) -> tuple[Section, ...]:
        """The tables of the pane."""
        return self.SECTIONS

    def watched(self, session: Session) -> Samples:
        """The figures of a session over time; they are kept from the first call on."""
        if self.samples is None or self.samples.session is not session:
            self.samples = Samples(session)
        return self.samples

    def show(self, session: Session, node: str) -> None:
        if session is not self.session:
            self._marks.clear()
            self._moved = False
        if node != self.node:
            self._moved = False
        self.session = session
        self.node = node
        self.entitle(node)
        stretch = self._stretch.look(session)
        rows: list[list[Marked]] = []
        for section in self.sections:
            lines = section.read(session, node)
            marks = self._marks.get((node, section.name))
            if marks is None:
                marks = self._marks[node, section.name] = Marks(stretch, lines)
            rows.append(marks.mark(stretch, lines))
        self._rows = rows
        self._update()

    @property
    def current(self) -> Line | None:
        """The row under the cursor."""
        if 0 <= self.cursor < len(self._entries):
            return self._entries[self.cursor].line
        return None

    def lines(self) -> list[str]:
        """The text of the pane without its footer: for copying."""
        return [entry.mark + " " + entry.text for entry in self._entries]

    def preferred(self, rows: Sequence[Marked]) -> int:
        """Which row of the first table the cursor stands on until it is moved."""
        return 0

    def footer(self, width: int) -> list[list[tuple[str, str]]]:
        """Lines that stay at the bottom, of (text, component class or "")."""
        return []

    # -- laying out --------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        """Lay the rows out, keep the cursor on its row, and draw what differs."""
        if self.session is None:
            return
        width = self.scrollable_content_region.width or self.size.width
        self._laid_out = width
        key = self._cursor_key()
        entries = self._lay_out(max(20, width - GUTTER))
        old, self._entries = self._entries, entries
        self._widest = max((len(entry.text) for entry in entries), default=0) + GUTTER
        self.cursor = self._find(key) if self._moved else self._preferred()
        self._update_footer()
        self.virtual_size = Size(self._widest, len(entries) + len(self._foot))
        if len(old) != len(entries):
            self.refresh()
            return
        for y, (before, now) in enumerate(zip(old, entries, strict=True)):
            if before != now:
                self.refresh_line(y)

    def _update_footer(self) -> None:
        width, height = self.size
        foot = self.footer(width)
        if len(foot) != len(self._foot):
            self.refresh()
        elif foot != self._foot:
            self.refresh(Region(0, max(0, height - len(foot)), width, len(foot)))
        self._foot = foot

    def _lay_out(self, width: int) -> list[_Entry]:
        entries: list[_Entry] = []
        assert self.session is not None
        for index, (section, rows) in enumerate(zip(self.sections, self._rows, strict=True)):
            if entries:
                entries.append(_Entry(index, SAME, None))
            if rows:
                titles, widths = fit(section.columns, [row.line.cells for row in rows], width)
                entries.append(_Entry(index, _HEADING, None, layout(titles, widths, section.columns)))
                for mark, line in rows:
                    entries.append(_Entry(index, mark, line, layout(line.cells, widths, section.columns)))
            elif len(self.sections) > 1:
                entries.append(_Entry(index, _HEADING, None, section.name))
            note = section.note(self.session, self.node, [row.line for row in rows if row.mark != GONE])
            if note and rows:
                entries.append(_Entry(index, SAME, None))
            entries += [_Entry(index, SAME, None, line) for line in wrap(note, width)]
        return entries

    def _cursor_key(self) -> tuple[int, Hashable] | None:
        if 0 <= self.cursor < len(self._entries):
            entry = self._entries[self.cursor]
            if entry.line is not None:
                return entry.section, entry.line.key
        return None

    def _find(self, key: tuple[int, Hashable] | None) -> int:
        """Where the row with that key is now; else the row that is nearest to where it was."""
        rows = [at for at, entry in enumerate(self._entries) if entry.line is not None]
        for at in rows:
            entry = self._entries[at]
            if entry.line is not None and (entry.section, entry.line.key) == key:
                return at
        return min(rows, key=lambda at: abs(at - self.cursor), default=-1)

    def _preferred(self) -> int:
        rows = [at for at, entry in enumerate(self._entries) if entry.line is not None]
        if not rows:
            return -1
        first = self._rows[0] if self._rows else []
        return rows[self.preferred(first)] if first else rows[0]

    def on_resize(self, event: events.Resize) -> None:
        """Headings and texts depend on the width."""
        if self.scrollable_content_region.width != self._laid_out:
            self._update()
            self.refresh()
        else:
            self._update_footer()
        self.call_after_refresh(self._keep_in_sight)

    # -- drawing -----------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, height = self.scrollable_content_region.size
        foot = self._foot
        if foot and y >= height - len(foot):
            return self._footer_strip(foot[y - (height - len(foot))], width)
        at = y + self.scroll_offset.y
        if y == 0 and 0 < at < len(self._entries):
            at = self._heading_of(at)
        if at >= len(self._entries):
            return Strip.blank(width, self.rich_style)
        return self._strip(at, width)

    def _heading_of(self, at: int) -> int:
        """The heading that stays in sight: that of the table which the line belongs to."""
        section = self._entries[at].section
        for index, entry in enumerate(self._entries):
            if entry.section == section and entry.mark == _HEADING:
                return index
        return at

    def _strip(self, at: int, width: int) -> Strip:
        entry = self._entries[at]
        base = self.rich_style
        if entry.line is None:
            style = base + ink(self, "table--heading" if entry.mark == _HEADING else "table--text")
            return self._join(Segment("  ", base), [Segment(entry.text, style)], width, base)
        mark = base
        if entry.mark == NEW:
            mark = base + ink(self, "table--new")
        elif entry.mark == CHANGED:
            mark = base + ink(self, "table--changed")
        elif entry.mark == GONE:
            base = base + ink(self, "table--gone")
            mark = base + Style(strike=False)
        under = at == self.cursor
        if under:
            cursor = plate(self, "table--cursor")
            base, mark = base + cursor, mark + cursor
        segments = [Segment(entry.text, base)]
        if entry.line.paint and entry.mark != GONE and not (under and self.has_focus):
            segments = self._painted(entry.line, entry.text, base)
        return self._join(Segment(f"{entry.mark} ", mark), segments, width, base)

    def _painted(self, line: Line, text: str, base: Style) -> list[Segment]:
        """The cells of a row, some in colours of their own."""
        out: list[Segment] = []
        pos = 0
        paint = dict(line.paint)
        for column, cell in enumerate(line.cells):
            if not cell:
                continue
            start = text.index(cell, pos)
            end = start + len(cell)
            name = paint.get(column)
            if name:
                out += [Segment(text[pos:start], base)]
                out += [Segment(cell, base + ink(self, name))]
            else:
                out += [Segment(text[pos:end], base)]
            pos = end
        return [*out, Segment(text[pos:], base)]

    def _join(self, gutter: Segment, body: list[Segment], width: int, base: Style) -> Strip:
        """Gutter and body, scrolled sideways; the end says if there is more."""
        left = self.scroll_offset.x
        room = max(0, width - GUTTER)
        strip = Strip(body)
        longer = strip.cell_length - left > room
        strip = strip.crop_extend(left, left + room, base)
        if longer and room:
            strip = Strip.join([strip.crop(0, room - 1), Strip([Segment(MORE, base)], 1)])
        return Strip.join([Strip([gutter], GUTTER), strip])

    def _footer_strip(self, parts: list[tuple[str, str]], width: int) -> Strip:
        base = self.rich_style
        segments = [Segment(text, base + ink(self, name) if name else base) for text, name in parts]
        strip = Strip(segments)
        if strip.cell_length > width:
            return Strip.join([strip.crop(0, width - 1), Strip([Segment(MORE, base)], 1)])
        return strip.adjust_cell_length(width, base)

    # -- moving ------------------------------------------------------------------------------------------------------

    def watch_cursor(self, before: int, now: int) -> None:
        """Draw both rows, and keep the cursor in sight."""
        if before == now:
            return
        if before >= 0:
            self.refresh_line(before)
        if now < 0:
            return
        self.refresh_line(now)
        self._update_footer()
        self._keep_in_sight()

    def _keep_in_sight(self) -> None:
        """Scroll as little as brings the cursor into sight, between heading and footer."""
        now = self.cursor
        height = self.size.height - len(self._foot)
        top = self.scroll_offset.y
        if height < 2 or now < 0:
            return
        first = next((at for at, entry in enumerate(self._entries) if entry.line is not None), 0)
        if now <= first:
            self.scroll_to(y=0, animate=False)
        elif now - 1 < top:
            self.scroll_to(y=now - 1, animate=False)
        elif now >= top + height:
            self.scroll_to(y=now - height + 1, animate=False)

    def action_cursor(self, count: int) -> None:
        """Move the cursor by so many rows."""
        rows = [at for at, entry in enumerate(self._entries) if entry.line is not None]
        if not rows:
            return
        at = rows.index(self.cursor) if self.cursor in rows else 0
        self._moved = True
        self.cursor = rows[max(0, min(len(rows) - 1, at + count))]

    def action_page(self, direction: int) -> None:
        """Move the cursor by a page."""
        self.action_cursor(direction * max(1, self.size.height - 2))

    def action_copy(self) -> None:
        """Put the row under the cursor into the clipboard."""
        line = self.current
        if line is not None:
            self.app.copy_to_clipboard(" ".join(cell for cell in line.cells if cell))
            self.notify("The row is in the clipboard.")

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one on the row chooses it."""
        offset = event.get_content_offset(self)
        if offset is None or not offset.y:
            return
        at = offset.y + self.scroll_offset.y
        if at < len(self._entries) and self._entries[at].line is not None:
            self._moved = True
            self.cursor = at
            if event.chain == 2:
                self.choose()

    def key_enter(self) -> None:
        """Choose the row under the cursor."""
        self.choose()

    def choose(self) -> None:
        """Tell that the row under the cursor was chosen."""
        line = self.current
        if line is not None:
            self.post_message(self.RowChosen(self, line))


def fit(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int) -> tuple[list[str], list[int]]:
    """Headings and widths of columns; short headings where the long ones do not go into ``width`` cells."""
    widest = [0] * len(columns)
    for row in rows:
        for index, cell in enumerate(row):
            widest[index] = max(widest[index], len(cell))
    titles = [column.title for column in columns]
    excess = sum(max(len(title), cells) + 1 for title, cells in zip(titles, widest, strict=True)) - 1 - width
    for index, column in sorted(enumerate(columns), key=lambda item: len(item[1].short) - len(item[1].title)):
        if excess <= 0:
            break
        if column.short:
            excess -= max(len(titles[index]), widest[index]) - max(len(column.short), widest[index])
            titles[index] = column.short
    return titles, [max(len(title), cells) for title, cells in zip(titles, widest, strict=True)]


def layout(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    """Cells in their columns, a blank between them."""
    parts = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    return " ".join(parts).rstrip()
