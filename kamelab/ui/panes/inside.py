"""Inside of one packet: the decode tree, its octets, how it ended and what it came from.

The tree has a branch a header, as `capture.dissect` reads them, then how the packet ended and the chain of causes.
Which branches are open is kept from packet to packet.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kamelab.capture.dissect import dissect
from kamelab.capture.export import outcome_text
from kamelab.capture.tree import Field
from kamelab.core.drops import REASONS
from kamelab.core.trace import Record, Trace
from kamelab.lab.session import Session
from kamelab.ui.panes.base import MORE, Pane, ink, plate
from kamelab.ui.panes.hexview import HexView, needed
from kamelab.ui.panes.packets import OUTCOMES, ending, lost, seconds
from kamelab.wire.summary import info

WIDE = 60
"""Cells that the tree wants beside the octets; with less room these are below it."""
NARROW = 60
"""Cells below which headers have their short names."""
SHORT = (
    ("Ethernet II, Src: ", "Ethernet "),
    ("Internet Protocol Version 6, Src: ", "IPv6 "),
    ("Internet Control Message Protocol v6", "ICMPv6"),
    ("User Datagram Protocol, Src Port: ", "UDP "),
    ("Transmission Control Protocol, Src Port: ", "TCP "),
    (", Dst Port: ", " > "),
    (", Dst: ", " > "),
)
CHAIN_SHOWN = 40
"""Causes in the tree."""


class Branch(NamedTuple):
    """One line of the tree and what is under it."""

    key: tuple[str, ...]
    """Where it is, by names: the same in every packet of a kind."""
    label: str
    offset: int = 0
    length: int = 0
    children: tuple[Branch, ...] = ()
    style: str = ""
    num: int = 0
    """The captured packet that the line stands for."""


class Shown(NamedTuple):
    """A line in sight or scrolled away."""

    depth: int
    branch: Branch


def short_label(label: str) -> str:
    """The line of a header in short."""
    for long, short in SHORT:
        label = label.replace(long, short)
    return label


def branches(fields: tuple[Field, ...], above: tuple[str, ...] = ()) -> tuple[Branch, ...]:
    """Fields of a decode tree as branches."""
    out = []
    seen: dict[str, int] = {}
    for field in fields:
        name = field.name or field.label
        seen[name] = seen.get(name, 0) + 1
        key = (*above, f"{name}#{seen[name]}")
        style = "tree--bad" if field.name == "_ws.malformed" or field.label.endswith("bad]") else ""
        out.append(Branch(key, field.label, field.offset, field.length, branches(field.children, key), style))
    return tuple(out)


def ending_branch(trace: Trace, record: Record) -> Branch:
    """How the packet ended."""
    row = tuple(record)
    if record.event == "tx":
        loss = lost(trace, row)
        if loss is None:
            return Branch(("end",), f"Sent by {record.node}:{record.interface}")
        text = f"x dropped {loss.reason} on {loss.stage}"
        reason = REASONS[loss.reason]
        why = Branch(("end", "why"), f"{reason.sentence} ({loss.rule})")
        return Branch(("end",), f"Ended: {text}", children=(why,), style="tree--drop")
    end = ending(trace, row)
    if end is None:
        return Branch(("end",), "Ended: not yet")
    style = f"tree--{end.event}"
    glyph = OUTCOMES[end.event]
    if end.event == "drop":
        reason = REASONS[end.reason]
        children = (
            Branch(("end", "why"), reason.sentence),
            Branch(("end", "rule"), f"Rule: {end.rule or reason.rule}"),
            Branch(("end", "by"), f"By: {end.stage} on {end.node}" + (f", {end.note}" if end.note else "")),
        )
        return Branch(("end",), f"Ended: {glyph} dropped {end.reason}", children=children, style=style)
    return Branch(("end",), f"Ended: {glyph} {outcome_text(end)}", style=style)


def cause_branch(trace: Trace, record: Record) -> Branch:
    """What the packet came from, the nearest cause first."""
    chain = trace.chain(record.cause)
    if not chain:
        return Branch(("cause",), "Because of: nothing before it")
    lines = []
    for index, one in enumerate(chain[:CHAIN_SHOWN]):
        place = f"{one.node}:{one.interface}" if one.interface else one.node
        if one.frame:
            arrow = ">" if one.event == "tx" else "<"
            text = f"{arrow} {info(one.frame)}"
        else:
            text = " ".join(word for word in (one.stage, one.event, one.reason, one.note) if word)
        rule = f" ({one.rule})" if one.rule else ""
        label = f"{one.num} {seconds(one.time)} {place} {text}{rule}"
        lines.append(Branch(("cause", str(index)), label, num=one.num if one.frame else 0))
    if len(chain) > CHAIN_SHOWN:
        lines.append(Branch(("cause", "more"), f"and {len(chain) - CHAIN_SHOWN} before that"))
    return Branch(("cause",), f"Because of: {len(chain)} step{'s' if len(chain) > 1 else ''}", children=tuple(lines))


class DecodeTree(ScrollView, can_focus=True):
    """A tree drawn line by line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Line up", show=False, id="tree.up", tooltip="The line above"),
        Binding("down,j", "move(1)", "Line down", show=False, id="tree.down", tooltip="The line below"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="tree.page-up", tooltip="A page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="tree.page-down", tooltip="A page down"),
        Binding("home", "move(-100000)", "First line", show=False, id="tree.first", tooltip="The first line"),
        Binding("end", "move(100000)", "Last line", show=False, id="tree.last", tooltip="The last line"),
        Binding(
            "left", "close", "Close", show=False, id="tree.close", tooltip="Close the branch, or go to the one above"
        ),
        Binding("right", "open", "Open", show=False, id="tree.open", tooltip="Open the branch"),
        Binding("enter", "choose", "Open or close", show=False, id="tree.toggle", tooltip="Open, close, or go there"),
        Binding("y", "copy", "Copy", show=False, id="tree.copy", tooltip="Copy the line"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree--cursor",
        "tree--glyph",
        "tree--bad",
        "tree--deliver",
        "tree--forward",
        "tree--hold",
        "tree--drop",
    }

    DEFAULT_CSS = """
    DecodeTree {
        background: $surface;
        color: $foreground;
        height: 1fr;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .tree--cursor { background: $block-cursor-blurred-background; }
        &:focus > .tree--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .tree--glyph { color: $text-muted; }
        & > .tree--bad { color: $text-error; }
        & > .tree--deliver { color: $outcome-deliver; }
        & > .tree--forward { color: $outcome-forward; }
        & > .tree--hold { color: $outcome-hold; }
        & > .tree--drop { color: $outcome-drop; text-style: bold; }
    }
    """

    cursor: var[int] = var(-1, init=False)
    """Index of the line under the cursor."""

    class Highlighted(Message):
        """The cursor came to stand on another line."""

        def __init__(self, tree: DecodeTree, branch: Branch) -> None:
            super().__init__()
            self.tree = tree
            self.branch = branch

        @property
        def control(self) -> DecodeTree:
            """The tree."""
            return self.tree

    class PacketChosen(Message):
        """A line that stands for another packet was chosen."""

        def __init__(self, tree: DecodeTree, num: int) -> None:
            super().__init__()
            self.tree = tree
            self.num = num

        @property
        def control(self) -> DecodeTree:
            """The tree."""
            return self.tree

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._roots: tuple[Branch, ...] = ()
        self._turned: set[tuple[str, ...]] = set()
        """Branches that are not as they are by themselves, open or closed."""
        self.shown: list[Shown] = []

    # -- what there is -----------------------------------------------------------------------------------------------

    def set_roots(self, roots: tuple[Branch, ...]) -> None:
        """Show another tree; the cursor stays on the line of the same name, else goes to the innermost header."""
        if roots == self._roots:
            return
        key = self.shown[self.cursor].branch.key if 0 <= self.cursor < len(self.shown) else ()
        self._roots = roots
        self._spread()
        at = self._at(key)
        if at < 0:
            headers = [index for index, one in enumerate(self.shown) if one.depth == 0 and one.branch.length]
            at = headers[-1] if headers else 0
        self._stand(at)
        self.refresh()

    def is_open(self, branch: Branch) -> bool:
        """Of the headers only the innermost is open by itself; how the packet ended, and why, is open too."""
        return self._default(branch) != (branch.key in self._turned)

    def _default(self, branch: Branch) -> bool:
        if len(branch.key) > 1:
            return False
        if not branch.length:
            return True
        headers = [one for one in self._roots if one.length]
        return branch.key == headers[-1].key

    def _spread(self) -> None:
        """The lines of all open branches."""
        out: list[Shown] = []
        stack = [Shown(0, branch) for branch in reversed(self._roots)]
        while stack:
            one = stack.pop()
            out.append(one)
            if one.branch.children and self.is_open(one.branch):
                stack += [Shown(one.depth + 1, child) for child in reversed(one.branch.children)]
        self.shown = out
        widest = max((2 * one.depth + 2 + len(one.branch.label) for one in out), default=0)
        self.virtual_size = Size(widest, len(out))

    def _at(self, key: tuple[str, ...]) -> int:
        return next((at for at, one in enumerate(self.shown) if one.branch.key == key), -1)

    def find(self, index: int) -> None:
        """Open the way to the deepest field that an octet belongs to, and go there."""

        def search(some: tuple[Branch, ...]) -> list[Branch]:
            for branch in some:
                way = search(branch.children)
                if way:
                    return [branch, *way]
                if branch.offset <= index < branch.offset + branch.length:
                    return [branch]
            return []

        way = search(self._roots)
        for branch in way[:-1]:
            if not self.is_open(branch):
                self._turned ^= {branch.key}
        if way:
            self._spread()
            self.refresh()
            self._stand(self._at(way[-1].key))

    # -- drawing -----------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        at = y + self.scroll_offset.y
        base = self.rich_style
        if at >= len(self.shown):
            return Strip.blank(width, base)
        one = self.shown[at]
        plain = at == self.cursor
        if plain:
            base = base + plate(self, "tree--cursor")
        glyph = " "
        if one.branch.children:
            glyph = "v" if self.is_open(one.branch) else ">"
        elif one.branch.num:
            glyph = "@"
        style = base
        if one.branch.style and not (plain and self.has_focus):
            style = base + ink(self, one.branch.style)
        lead = base if plain else base + ink(self, "tree--glyph")
        left = self.scroll_offset.x
        label = short_label(one.branch.label) if width < NARROW and not one.depth else one.branch.label
        strip = Strip([Segment("  " * one.depth + glyph + " ", lead), Segment(label, style)])
        longer = strip.cell_length - left > width
        strip = strip.crop_extend(left, left + width, base)
        if longer and width:
            strip = Strip.join([strip.crop(0, width - 1), Strip([Segment(MORE, base)], 1)])
        return strip

    def watch_cursor(self, before: int, now: int) -> None:
        """Draw both lines, and keep the cursor in sight."""
        for at in (before, now):
            if at >= 0:
                self.refresh_line(at)
        height, top = self.size.height, self.scroll_offset.y
        if height and now < top:
            self.scroll_to(y=now, animate=False)
        elif height and now >= top + height:
            self.scroll_to(y=now - height + 1, animate=False)

    # -- moving ------------------------------------------------------------------------------------------------------

    def _stand(self, at: int) -> None:
        if not self.shown:
            self.cursor = -1
            return
        self.cursor = max(0, min(len(self.shown) - 1, at))
        self.post_message(self.Highlighted(self, self.shown[self.cursor].branch))

    def action_move(self, count: int) -> None:
        """Move the cursor by so many lines."""
        self._stand(self.cursor + count)

    def action_page(self, direction: int) -> None:
        """Move the cursor by a page."""
        self.action_move(direction * max(1, self.size.height - 1))

    def _turn(self, branch: Branch) -> None:
        self._turned ^= {branch.key}
        self._spread()
        self.refresh()

    def action_open(self) -> None:
        """Open the branch under the cursor; on an open one, go to its first line."""
        if 0 <= self.cursor < len(self.shown):
            branch = self.shown[self.cursor].branch
            if branch.children and not self.is_open(branch):
                self._turn(branch)
            elif branch.children:
                self.action_move(1)
            else:
                self.scroll_relative(x=8, animate=False)

    def action_close(self) -> None:
        """Close the branch under the cursor; on a closed one, go to the branch that it is in."""
        if self.scroll_offset.x:
            self.scroll_relative(x=-8, animate=False)
        elif 0 <= self.cursor < len(self.shown):
            one = self.shown[self.cursor]
            if one.branch.children and self.is_open(one.branch):
                self._turn(one.branch)
            elif one.depth:
                self._stand(self._at(one.branch.key[:-1]))

    def action_choose(self) -> None:
        """Open or close the branch, or go to the packet that the line stands for."""
        if 0 <= self.cursor < len(self.shown):
            branch = self.shown[self.cursor].branch
            if branch.children:
                self._turn(branch)
            elif branch.num:
                self.post_message(self.PacketChosen(self, branch.num))

    def action_copy(self) -> None:
        """Put the line under the cursor into the clipboard."""
        if 0 <= self.cursor < len(self.shown):
            self.app.copy_to_clipboard(self.shown[self.cursor].branch.label)
            self.notify("The line is in the clipboard.")

    def on_click(self, event: events.Click) -> None:
        """A click on a glyph opens or closes, elsewhere it moves the cursor; a second one chooses."""
        where = event.get_content_offset(self)
        if where is None:
            return
        at = where.y + self.scroll_offset.y
        if at >= len(self.shown):
            return
        self._stand(at)
        x = where.x + self.scroll_offset.x - 2 * self.shown[at].depth
        if (0 <= x < 2 and self.shown[at].branch.children) or event.chain == 2:
            self.action_choose()


class InsidePane(Pane, Container):
    """One packet: tree and octets."""

    PANE_ID = "inside"
    DIGIT = ""
    TITLE = "inside"
    HELP = """\
**Inside** of the packet that is chosen in the packet list: each header with its fields, how the packet ended at this
node and by which rule, and the chain of causes that made it, back to the command or timer that began it.

The octets of the field under the cursor stand in brackets in the hex view; a click on an octet goes to its field.

Keys: up, down; right opens a branch, left closes it; Enter does either, and on a cause with `@` goes to that packet;
`y` copies the line. The same as text: `show NUMBER`.
"""

    DEFAULT_CSS = """
    InsidePane {
        layout: vertical;
        overflow: hidden hidden;
        background: $surface;
        & > HexView { max-height: 45%; border-top: solid $border-blurred; }
        &.-wide { layout: horizontal; }
        &.-wide > HexView {
            width: 76; height: 1fr; max-height: 100%; border-top: none; border-left: solid $border-blurred;
        }
        &.-empty > HexView { display: none; }
    }
    """

    class PacketWanted(Message):
        """Another packet is shown now: the list may follow."""

        def __init__(self, pane: InsidePane, num: int) -> None:
            super().__init__()
            self.pane = pane
            self.num = num

        @property
        def control(self) -> InsidePane:
            """The pane."""
            return self.pane

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.session: Session | None = None
        self.num = 0
        """Number of the packet's trace record; 0: none."""
        self._tree = DecodeTree()
        self._hex = HexView()
        self._seen: tuple[object, ...] = ()
        self._octets = b""
        self.entitle()

    def compose(self) -> ComposeResult:
        """Tree and octets."""
        yield self._tree
        yield self._hex

    def on_mount(self) -> None:
        """Say what belongs here until a packet is chosen."""
        self._read()

    def on_resize(self, event: events.Resize) -> None:
        """Octets stand beside the tree where there is room for both."""
        self.set_class(event.size.width >= WIDE + needed(16) + 1, "-wide")

    def focus(self, scroll_visible: bool = True, *, from_app_focus: bool = False) -> InsidePane:
        """Focus the tree."""
        self._tree.focus(scroll_visible)
        return self

    def show(self, session: Session, node: str) -> None:
        if session is not self.session:
            self.session = session
            self.num = 0
        self._read()

    def select(self, num: int) -> None:
        """Show the packet with that number; 0 for none."""
        self.num = num
        self._read()

    def _read(self) -> None:
        """Read the packet again: its end may have come since."""
        session = self.session
        trace = session.world.network.trace if session is not None else None
        seen = (trace, trace.num if trace is not None else 0, self.num)
        if seen == self._seen or not self.is_mounted:
            return
        self._seen = seen
        record = trace.get(self.num) if trace is not None and self.num else None
        self.set_class(record is None or not record.frame, "-empty")
        if trace is None or record is None or not record.frame:
            if self.num:
                text = f"Packet {self.num} is not in the capture: it lies ahead, or was let go."
            else:
                text = "No packet is chosen. Move the cursor in the packet list, or click a packet."
            self.entitle()
            self._octets = b""
            self._tree.set_roots((Branch(("none",), text),))
            return
        arrow = ">" if record.event == "tx" else "<"
        self.border_title = (
            f"inside {record.num} -- {record.node}:{record.interface} {arrow} {info(record.frame)}".replace("[", r"\[")
        )
        if record.frame != self._octets:
            self._octets = record.frame
            self._hex.show(record.frame)
        roots = branches(dissect(record.frame))
        self._tree.set_roots((*roots, ending_branch(trace, record), cause_branch(trace, record)))

    def on_decode_tree_highlighted(self, message: DecodeTree.Highlighted) -> None:
        """Mark the field's octets."""
        message.stop()
        self._hex.mark(message.branch.offset, message.branch.length)

    def on_decode_tree_packet_chosen(self, message: DecodeTree.PacketChosen) -> None:
        """Go to a cause."""
        message.stop()
        self.select(message.num)
        self.post_message(self.PacketWanted(self, message.num))

    def on_hex_view_octet_chosen(self, message: HexView.OctetChosen) -> None:
        """Go to the field of an octet."""
        message.stop()
        self._tree.find(message.index)
