"""A tree drawn line by line: branches that open and close, a cursor, and lines that lead to other packets.

Which branches are open is kept by name, so that it holds from packet to packet.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kamelab.ui.panes.base import MORE, ink, plate

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
        self._keep_in_sight()

    def _keep_in_sight(self) -> None:
        """Scroll as little as brings the cursor into sight."""
        now, height, top = self.cursor, self.size.height, self.scroll_offset.y
        if not height or now < 0:
            return
        if now < top:
            self.scroll_to(y=now, animate=False)
        elif now >= top + height:
            self.scroll_to(y=now - height + 1, animate=False)

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self.call_after_refresh(self._keep_in_sight)

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
