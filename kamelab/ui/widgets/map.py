"""The map: the lab's network with the state of its nodes and links, and what each interface has carried."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kamelab.lab.layout import Map, draw
from kamelab.lab.session import Session
from kamelab.ui.panes.base import Pane


class MapPane(Pane, ScrollView, can_focus=True):
    """The network. The selected node is marked; arrows, or a click, choose another."""

    PANE_ID = "map"
    DIGIT = "1"
    TITLE = "map"
    HELP = """\
## Map

The lab's nodes and the links between them. The node in `<` `>` is the selected one: panes show it, and lines without
`NODE:` go to it. A link that is down is drawn broken and has an `x` behind its name.

Below, each interface: the link it is plugged into, whether it is up, frames sent and received, and how many packets the
node dropped there.

| Key | Does |
| --- | --- |
| arrows, `[` `]` | select another node (typed: `select NODE`) |
| click on a node | select it |
| click on a link | say what is known of it (typed: `links`) |

`link lan1 down`, `link lan1 loss=10%` change a link; `reboot h1` switches a node off and on.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,j", "other(1)", "Next node", show=False, id="map.next", tooltip="Select the next node"),
        Binding("left,up,k", "other(-1)", "Previous node", show=False, id="map.previous"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {"map--node", "map--selected", "map--down", "map--wire", "map--bad"}

    DEFAULT_CSS = """
    MapPane {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        & > .map--node { text-style: bold; }
        & > .map--selected { color: $text-primary; text-style: bold; }
        & > .map--wire { color: $dim; }
        & > .map--down { color: $text-error; }
        & > .map--bad { color: $text-error; }
    }
    """

    class NodeChosen(Message):
        """Another node was chosen."""

        def __init__(self, node: str) -> None:
            super().__init__()
            self.node = node

    class LinkChosen(Message):
        """A link was clicked."""

        def __init__(self, link: str) -> None:
            super().__init__()
            self.link = link

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._map: Map | None = None
        self._key: object = None
        self._rows: list[list[tuple[str, str]]] = []
        """Lines as (text, component class or "")."""
        self._at: dict[tuple[int, int], tuple[str, str]] = {}
        """What lies at a place: ("node" or "link", name)."""
        self._names: tuple[str, ...] = ()
        self._node = ""
        self.entitle()

    def show(self, session: Session, node: str) -> None:
        """Draw the map anew where a mark has changed, and the table of interfaces."""
        network = session.world.network
        self._names = tuple(network.nodes)
        self._node = node
        down = tuple(name for name, link in network.links.items() if not link.up)
        width = self.scrollable_content_region.width or self.size.width
        height = self.size.height
        key = (id(session.lab), node, down, width, height)
        if key != self._key or self._map is None:
            self._key = key
            self._map = self._draw(session, down, width, height)
        rows = self._paint(self._map, node, down)
        rows += self._interfaces(session, node)
        if rows != self._rows:
            changed = [y for y, row in enumerate(rows) if y >= len(self._rows) or row != self._rows[y]]
            whole = len(rows) != len(self._rows)
            self._rows = rows
            widest = max((sum(len(text) for text, _ in row) for row in rows), default=0)
            self.virtual_size = Size(widest, len(rows))
            if whole:
                self.refresh()
            else:
                for y in changed:
                    self.refresh_line(y - self.scroll_offset.y)

    def _draw(self, session: Session, down: tuple[str, ...], width: int, height: int) -> Map:
        """With boxes where there is room for them."""
        marks = dict.fromkeys(down, "x")
        drawn = draw(session.lab, link_marks=marks, down=down)
        if width and (drawn.width > width or len(drawn.lines) > max(6, height // 2)):
            small = draw(session.lab, link_marks=marks, down=down, boxes=False)
            if len(drawn.lines) > max(6, height // 2) or small.width <= width:
                return small
        return drawn

    def _paint(self, drawn: Map, node: str, down: tuple[str, ...]) -> list[list[tuple[str, str]]]:
        """The map's lines in pieces of one style."""
        styles: dict[tuple[int, int], str] = {}
        self._at = {}
        for name, wire in drawn.links.items():
            style = "map--down" if name in down else "map--wire"
            for cell in wire.cells:
                styles[cell] = style
                self._at[cell] = ("link", name)
            for at in range(wire.width):
                styles[wire.x + at, wire.y] = "map--down" if name in down else ""
        lines = [list(line) for line in drawn.lines]
        for name, box in drawn.nodes.items():
            style = "map--selected" if name == node else "map--node"
            for y in range(box.y, box.y + box.height):
                for x in range(box.x, box.x + box.width):
                    styles[x, y] = style
                    self._at[x, y] = ("node", name)
            if name == node:
                self._point_at(lines, name, box.y + (box.height - 1) // 2, box.x, box.width)
        rows: list[list[tuple[str, str]]] = []
        for y, line in enumerate(lines):
            row: list[tuple[str, str]] = []
            for x, letter in enumerate(line):
                style = styles.get((x, y), "")
                if row and row[-1][1] == style:
                    row[-1] = (row[-1][0] + letter, style)
                else:
                    row.append((letter, style))
            rows.append(row)
        rows.append([])
        return rows

    @staticmethod
    def _point_at(lines: list[list[str]], name: str, y: int, x: int, width: int) -> None:
        """Put < and > around the selected node's name."""
        if y >= len(lines):
            return
        at = "".join(lines[y]).find(name, x)
        end = at + len(name)
        line = lines[y]
        line.extend(" " * (end + 1 - len(line)))
        if at > 0 and line[at - 1] == " ":
            line[at - 1] = "<"
        if line[end] == " ":
            line[end] = ">"

    def _interfaces(self, session: Session, node: str) -> list[list[tuple[str, str]]]:
        """One line an interface: what it is plugged into, up or down, frames out and in, drops."""
        table: list[tuple[str, str, str, str, str, str, str]] = [("node", "if", "link", "is", "out", "in", "drop")]
        for name, one in session.world.network.nodes.items():
            shown = f"{name} R" if one.sysctl["net.inet6.ip6.forwarding"] else name
            for iface in one.interfaces.values():
                if iface.loopback:
                    continue
                state = "up" if iface.running else "down"
                counts = (str(iface.opackets), str(iface.ipackets), str(iface.drops))
                table.append((shown, iface.name, iface.link.name, state, *counts))
                shown = ""
        widths = [max(len(row[column]) for row in table) for column in range(7)]
        rows: list[list[tuple[str, str]]] = []
        names = [
            "",
            *(n for n, one in session.world.network.nodes.items() for i in one.interfaces.values() if not i.loopback),
        ]
        for number, row in enumerate(table):
            cells = [
                cell.ljust(width) if at < 4 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            mark = ">" if names[number] == node and row[0] else " "
            text = f"{mark}{' '.join(cells)}"
            style = "map--wire" if not number else "map--down" if row[3] == "down" else ""
            if number and row[6] != "0" and row[3] == "up":
                cut = len(text) - len(cells[6])
                rows.append([(text[:cut], style), (text[cut:], "map--bad")])
            else:
                rows.append([(text, style)])
        if any(cell[0].endswith(" R") for cell in table[1:]):
            rows.append([(" R: router (it forwards)", "map--wire")])
        return rows

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        at = y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, base)
        left = self.scroll_offset.x
        segments = [
            Segment(text, base + self.get_component_rich_style(style, partial=True) if style else base)
            for text, style in self._rows[at]
        ]
        return Strip(segments).crop_extend(left, left + width, base)

    def on_click(self, event: events.Click) -> None:
        """Choose what lies under the mouse."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        found = self._at.get((offset.x + self.scroll_offset.x, offset.y + self.scroll_offset.y))
        if found is not None:
            kind, name = found
            self.post_message(self.NodeChosen(name) if kind == "node" else self.LinkChosen(name))

    def action_other(self, step: int) -> None:
        """Select the next or previous node of the file."""
        if self._node in self._names:
            at = (self._names.index(self._node) + step) % len(self._names)
            self.post_message(self.NodeChosen(self._names[at]))
