"""The packet list: a view on the trace's store, line by line, so that its length costs nothing.

Without a filter line *i* is row *i* of the store. With one, the rows that the filter takes are looked for a slice at a
time, so that a long capture never holds up a key; the title says how far the search has come. Text is made for lines
in sight only.
"""

from __future__ import annotations

from bisect import bisect_left
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kamelab.capture.filter import Filter, compile_filter
from kamelab.capture.packets import view
from kamelab.core.trace import Trace
from kamelab.lab.session import Session
from kamelab.ui.panes.base import MORE, Pane, ink, plate
from kamelab.ui.panes.marks import NEW, Stretch
from kamelab.ui.panes.packet_text import ROW, conversation, ending, outcome, seconds, token
from kamelab.wire.summary import addresses, info

SCAN = 400
"""Rows that a filter judges between two turns of the screen."""
WORDY = 60
"""Cells for what a packet says and how it ended from which on the latter is a word."""
CACHED = 2000
"""Packets whose text is kept."""


class PacketList(Pane, ScrollView, can_focus=True):
    """All captured frames, or those that a display filter takes."""

    PANE_ID = "packets"
    DIGIT = "0"
    HELP = """\
Every frame that an **interface sent or received**, in order of time; one frame stands here once a station.

- **Number** of its trace record (`show 41` prints it), **time** since boot in seconds, **place** (node and interface),
  `>` sent or `<` received, what it says, its addresses where there is room, and at the right how it ended there:
- `+` delivered, `>` forwarded, `=` held until the neighbour is resolved, `x` dropped, with the reason.
- `+` at the left marks what came since the last command or step.

Keys: up, down, page up, page down, home; `end` or `f` follows the newest; left and right scroll sideways; Enter opens
the packet (`i`); `l` draws the ladder of its conversation; `/` sets a display filter in Wireshark's language, for
example `icmpv6.type == 135`; `y` copies.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Packet up", show=False, id="packets.up", tooltip="The packet above"),
        Binding("down,j", "move(1)", "Packet down", show=False, id="packets.down", tooltip="The packet below"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="packets.page-up", tooltip="A page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="packets.page-down", tooltip="A page down"),
        Binding("home", "first", "First packet", show=False, id="packets.first", tooltip="The first packet"),
        Binding("end,f", "follow", "Follow", show=False, id="packets.follow", tooltip="Follow the newest packet"),
        Binding("enter", "open", "Open packet", show=False, id="packets.open", tooltip="Look inside the packet"),
        Binding("y", "copy", "Copy", show=False, id="packets.copy", tooltip="Copy the packet's line"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "packets--cursor",
        "packets--text",
        "packets--muted",
        "packets--new",
        "packets--nd",
        "packets--ra",
        "packets--mld",
        "packets--echo",
        "packets--error",
        "packets--udp",
        "packets--other",
        "packets--deliver",
        "packets--forward",
        "packets--hold",
        "packets--drop",
    }

    DEFAULT_CSS = """
    PacketList {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .packets--cursor { background: $block-cursor-blurred-background; }
        &:focus > .packets--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .packets--text { color: $text-muted; }
        & > .packets--muted { color: $text-muted; }
        & > .packets--new { color: $mark-new; text-style: bold; }
        & > .packets--nd { color: $proto-nd; }
        & > .packets--ra { color: $proto-ra; }
        & > .packets--mld { color: $proto-mld; }
        & > .packets--echo { color: $proto-echo; }
        & > .packets--error { color: $proto-error; }
        & > .packets--udp { color: $proto-udp; }
        & > .packets--other { color: $proto-other; }
        & > .packets--deliver { color: $outcome-deliver; }
        & > .packets--forward { color: $outcome-forward; }
        & > .packets--hold { color: $outcome-hold; }
        & > .packets--drop { color: $outcome-drop; text-style: bold; }
    }
    """

    cursor: var[int] = var(-1, init=False)
    """Line under the cursor, -1 where there is none."""

    class PacketSelected(Message):
        """The cursor came to stand on another packet."""

        def __init__(self, pane: PacketList, num: int) -> None:
            super().__init__()
            self.pane = pane
            self.num = num
            """Number of its trace record."""

        @property
        def control(self) -> PacketList:
            """The list."""
            return self.pane

    class PacketOpened(PacketSelected):
        """Enter was pressed on a packet, or it was clicked twice."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.session: Session | None = None
        self.node = ""
        self.following = True
        """The cursor goes with the newest packet."""
        self._stretch = Stretch()
        self._stretch_seen = 0
        self._new_from = 0
        """Packets with a greater number came in this stretch."""
        self._last_num = 0
        self._filter: Filter | None = None
        self._trace: Trace | None = None
        self._found: list[ROW] = []
        """Rows that the filter takes, of those judged."""
        self._judged = 0
        """Number of the last row judged."""
        self._scanning = False
        self._selected = 0
        self._shape: tuple[object, ...] = ()
        self._said: dict[int, tuple[str, str, str]] = {}
        """What packets in sight say, their addresses and component class, by number."""
        self._widths = (3, 8, 6)
        self._place_width = 0
        self.entitle()

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def filter_text(self) -> str:
        """The display filter, empty for none."""
        return self._filter.text if self._filter is not None else ""

    def set_filter(self, text: str) -> None:
        """Show only what a display filter takes; empty shows everything. Raises FilterError and changes nothing."""
        chosen = compile_filter(text) if text.strip() else None
        self._filter = chosen
        self._begin()
        if self.session is not None:
            self.show(self.session, self.node)

    @property
    def rows(self) -> list[ROW]:
        """The rows in the list."""
        if self._trace is None:
            return []
        return self._trace.packets if self._filter is None else self._found

    @property
    def selected(self) -> int:
        """Number of the packet under the cursor, 0 for none."""
        return self._selected

    def question(self) -> str:
        return str(self._selected) if self._selected else ""

    def conversation(self) -> str:
        """The two ends of the packet under the cursor, with their ports."""
        trace = self._trace
        record = trace.get(self._selected) if trace is not None and self._selected else None
        return conversation(record.frame) if record is not None else ""

    def show(self, session: Session, node: str) -> None:
        trace = session.world.network.trace
        self.session = session
        self.node = node
        if trace is not self._trace:
            # Gone back: the store is a new one, with the packets up to here.
            self._trace = trace
            self._said.clear()
            self._begin()
        stretch = self._stretch.look(session)
        packets = trace.packets
        if stretch != self._stretch_seen:
            # What was there at the first look is not new.
            first = not self._stretch_seen and packets
            self._new_from = packets[-1][0] if first else self._last_num
            self._stretch_seen = stretch
        self._last_num = packets[-1][0] if packets else 0
        self._new_from = min(self._new_from, self._last_num)
        self._place_width = max(
            (len(f"{name}:{iface}") for name, one in session.world.network.nodes.items() for iface in one.interfaces),
            default=0,
        )
        self._judge()
        self._settle()

    def _begin(self) -> None:
        """Judge all rows anew."""
        self._found = []
        self._judged = 0

    def _judge(self) -> None:
        """Let the filter judge a slice of the rows it has not seen; the rest follows after the screen's turn."""
        session, chosen, trace = self.session, self._filter, self._trace
        if session is None or chosen is None or trace is None:
            return
        packets = trace.packets
        at = bisect_left(packets, (self._judged + 1,))
        network = session.world.network
        part = packets[at : at + SCAN]
        for row in part:
            if chosen.matches(view(network, row)):
                self._found.append(row)
        if part:
            self._judged = part[-1][0]
        if at + len(part) < len(packets) and not self._scanning:
            self._scanning = True
            self.call_later(self._go_on)

    def _go_on(self) -> None:
        self._scanning = False
        self._judge()
        self._settle()

    def _settle(self) -> None:
        """Title, size, cursor and what has to be drawn."""
        rows = self.rows
        trace = self._trace
        assert trace is not None
        count = len(rows)
        last = rows[-1][0] if rows else 0
        self._widths = (
            max(3, len(str(last))),
            max(8, len(seconds(rows[-1][1])) if rows else 0),
            self._place_width,
        )
        width = self.scrollable_content_region.width or self.size.width
        self.virtual_size = Size(max(width, self._fixed + 100), max(count, 1))
        self._entitle(trace)
        if not count:
            self.cursor = -1
        elif self.following:
            self.cursor = count - 1
        else:
            at = bisect_left(rows, (self._selected,))
            self.cursor = min(at, count - 1)
        self._announce()
        # A held packet may have ended since: the last lines in sight are drawn again with any event.
        shape = (count, last, self._new_from, width, trace.num, self.filter_text)
        if shape != self._shape:
            self._shape = shape
            self.refresh()

    def _entitle(self, trace: Trace) -> None:
        total = len(trace.packets)
        words = [f"{self.DIGIT} {self.PANE_ID}"]
        if self._filter is not None:
            words.append(f"{len(self._found)} of {total}")
            if trace.packets and self._judged < trace.packets[-1][0]:
                words.append(f"({bisect_left(trace.packets, (self._judged + 1,))} looked at)")
        elif total:
            words.append(str(total))
        if trace.lost:
            words.append(f"({trace.lost} older let go)")
        if total and not self.following:
            words.append(f"at {self.cursor + 1}, f follows")
        if self._filter is not None:
            words.append(f"-- filter: {self._filter.text}")
        self.border_title = " ".join(words).replace("[", r"\[")

    def _announce(self) -> None:
        rows = self.rows
        num = rows[self.cursor][0] if 0 <= self.cursor < len(rows) else 0
        if num != self._selected:
            self._selected = num
            self.post_message(self.PacketSelected(self, num))

    # -- drawing -----------------------------------------------------------------------------------------------------

    @property
    def _fixed(self) -> int:
        """Cells before what a packet says."""
        number, time, place = self._widths
        return 2 + number + 1 + time + 1 + place + 3

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        rows = self.rows
        at = y + self.scroll_offset.y
        if not rows:
            return self._empty_line(y, width)
        if at >= len(rows):
            return Strip.blank(width, self.rich_style)
        return self._line(rows[at], at == self.cursor, width)

    def _empty_line(self, y: int, width: int) -> Strip:
        if self._filter is None:
            text = "No packet yet. Let time pass (space runs, . steps), or send one: ping6 ff02::1%ne0 on the prompt."
        elif self._trace is not None and self._trace.packets:
            text = f"No packet is taken by the filter {self._filter.text}. An empty filter shows all."
        else:
            text = "No packet yet, and a filter is set."
        lines = wrap(text, max(20, width - 4))
        style = self.rich_style + ink(self, "packets--text")
        if y < len(lines):
            return Strip([Segment(f"  {lines[y]}", style)]).adjust_cell_length(width, self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _line(self, row: ROW, under: bool, width: int) -> Strip:
        trace = self._trace
        assert trace is not None
        base = self.rich_style
        if under:
            base = base + plate(self, "packets--cursor")
        plain = under and self.has_focus

        def paint(name: str) -> Style:
            return base if plain else base + ink(self, name)

        num, time, node, interface = row[:4]
        frame = row[12]
        number_width, time_width, place_width = self._widths
        arrow = ">" if row[6] == "tx" else "<"
        mark = NEW if num > self._new_from and self._new_from < self._last_num else " "
        end = ending(trace, row)
        room = width - self._fixed
        said, between, kind = self._say(num, frame)
        end_text = outcome(end, words=room >= WORDY)
        space = room - (len(end_text) + 2 if end_text else 0)
        body = [
            Segment(f"{mark} ", base + ink(self, "packets--new") if mark == NEW and not plain else base),
            Segment(f"{num:>{number_width}} ", paint("packets--muted")),
            Segment(f"{seconds(time):>{time_width}} ", base),
            Segment(f"{f'{node}:{interface}':<{place_width}} ", base),
            Segment(f"{arrow} ", paint("packets--muted")),
        ]
        left = self.scroll_offset.x
        rest = [Segment(said, paint(kind))]
        if left or len(said) + 2 + len(between) <= space:
            rest.append(Segment(f"  {between}", paint("packets--muted")))
        strip = Strip(rest)
        longer = strip.cell_length - left > space
        strip = strip.crop_extend(left, left + max(0, space), base)
        if longer and space > 0:
            strip = Strip.join([strip.crop(0, space - 1), Strip([Segment(MORE, base)], 1)])
        parts = [Strip(body), strip]
        if end_text and end is not None:
            parts.append(Strip([Segment("  ", base), Segment(end_text, paint(f"packets--{end.event}"))]))
        return Strip.join(parts).adjust_cell_length(width, base)

    def _say(self, num: int, frame: bytes) -> tuple[str, str, str]:
        """What a packet says, its addresses, and its component class."""
        said = self._said.get(num)
        if said is None:
            if len(self._said) > CACHED:
                self._said.clear()
            src, dst = addresses(frame)
            said = self._said[num] = (info(frame), f"{src} > {dst}", token(frame))
        return said

    def text_of(self, row: ROW) -> str:
        """A packet's line in full."""
        assert self._trace is not None
        end = ending(self._trace, row)
        src, dst = addresses(row[12])
        arrow = ">" if row[6] == "tx" else "<"
        words = [str(row[0]), seconds(row[1]), f"{row[2]}:{row[3]}", arrow, info(row[12]), f"{src} > {dst}"]
        return "  ".join([*words, outcome(end, words=True)]).rstrip()

    # -- moving ------------------------------------------------------------------------------------------------------

    def watch_cursor(self, before: int, now: int) -> None:
        """Draw both lines, and keep the cursor in sight."""
        if before >= 0:
            self.refresh_line(before)
        if now < 0:
            return
        self.refresh_line(now)
        self._keep_in_sight()

    def on_resize(self, event: events.Resize) -> None:
        """Another width shows more or less; the cursor stays in sight."""
        if self._trace is not None:
            self._shape = ()
            self._settle()
            self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        """Scroll as little as brings the cursor into sight."""
        height, top = self.size.height, self.scroll_offset.y
        if not height or self.cursor < 0:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def go_to(self, num: int) -> None:
        """Put the cursor on the packet with that number, or the next one in the list."""
        rows = self.rows
        if rows:
            self._place(min(bisect_left(rows, (num,)), len(rows) - 1))

    def _place(self, at: int) -> None:
        """Stand on a line because somebody wants to: nothing is followed then, but from the last line on."""
        self.following = False
        self.cursor = at
        self._announce()
        if self._trace is not None:
            self._entitle(self._trace)

    def action_move(self, count: int) -> None:
        """Move the cursor by so many packets."""
        if self.rows:
            self._place(max(0, min(len(self.rows) - 1, self.cursor + count)))

    def action_page(self, direction: int) -> None:
        """Move the cursor by a page."""
        self.action_move(direction * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """Go to the first packet."""
        self.action_move(-len(self.rows))

    def action_follow(self) -> None:
        """Go with the newest packet."""
        self.following = True
        if self.session is not None:
            self._settle()

    def action_open(self) -> None:
        """Tell that the packet under the cursor is to be looked into."""
        if self._selected:
            self.post_message(self.PacketOpened(self, self._selected))

    def action_copy(self) -> None:
        """Put the packet's line into the clipboard."""
        rows = self.rows
        if 0 <= self.cursor < len(rows):
            self.app.copy_to_clipboard(self.text_of(rows[self.cursor]))
            self.notify("The packet's line is in the clipboard.")

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens the packet."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = offset.y + self.scroll_offset.y
        if at < len(self.rows):
            self._place(at)
            if event.chain == 2:
                self.action_open()
