"""A lab's network as a text map: nodes, the links between them, and where each is drawn.

`layout_place` gives each node a cell, `layout_route` each link a way along lines between the cells; here lines
become character positions, as close together as boxes and link names allow. Where two links cross, the vertical
one is drawn through; where they join there is a branch. The same lab gives the same map everywhere.
Left out: colours and live marks, which whoever shows the map adds by the positions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from kamelab.lab.layout_place import Cell, members, place
from kamelab.lab.layout_route import Edge, Line, Point, Routes, route
from kamelab.lab.schema import Lab

__all__ = ["BOX_CHARACTERS", "Box", "Map", "Wire", "draw", "members"]

# Indexed by the sides that a line leaves a cell on: right 1, down 2, left 4, up 8.
_RIGHT, _DOWN, _LEFT, _UP = 1, 2, 4, 8
_LINES = " ╶╷┌╴─┐┬╵└│├┘┴┤┼"
_ASCII_LINES = "".join(
    " " if mask == 0 else "-" if mask in (1, 4, 5) else "|" if mask in (2, 8, 10) else "+" for mask in range(16)
)
_DASHED = {"─": "╌", "╴": "╌", "╶": "╌", "│": "╎", "╷": "╎", "╵": "╎", "-": ".", "|": ":"}
_FRAME = _RIGHT | _LEFT, _UP | _DOWN

BOX_CHARACTERS = _LINES + "╌╎"
"""Every character beyond ASCII that a map may have of its own; names and marks come on top."""


class Box(NamedTuple):
    """Where a node is drawn: columns and rows of characters, from 0 at the top left."""

    x: int
    y: int
    width: int
    height: int


class Wire(NamedTuple):
    """Where a link is drawn."""

    x: int
    """Where its label begins."""
    y: int
    width: int
    """Of the label; 0 if it found no room."""
    cells: tuple[tuple[int, int], ...]
    """The characters of its lines, label included, by rows."""


class Map(NamedTuple):
    """A drawn map."""

    lines: tuple[str, ...]
    """Without spaces at the end."""
    nodes: dict[str, Box]
    links: dict[str, Wire]

    @property
    def width(self) -> int:
        """Of the longest line."""
        return max(map(len, self.lines), default=0)


def draw(
    lab: Lab,
    *,
    ascii_only: bool = False,
    boxes: bool = True,
    node_marks: Mapping[str, str] | None = None,
    link_marks: Mapping[str, str] | None = None,
    down: Collection[str] = (),
) -> Map:
    """Draw the network of `lab`.

    `ascii_only` takes - | + for lines; without `boxes` nodes are bare names and the map is a third as high. A mark is
    shown behind the name of its node or link (one of constant width keeps the map from moving); links named in
    `down` are dashed.
    """
    cells = place(lab)
    ends = {name: [node for node, _ in pairs] for name, pairs in members(lab).items()}
    routes = route(cells, ends)
    node_labels = {name: _label(name, node_marks) for name in cells}
    link_labels = {name: _label(name, link_marks) for name in ends}
    drawing = None
    for slack in (0, 1, 2, 4, 8, 16, 32):
        drawing = _Drawing(cells, routes, node_labels, link_labels, boxes, slack)
        drawing.paint()
        if all(wire.width for wire in drawing.wires.values()):
            break
    assert drawing is not None
    lines = drawing.text(_ASCII_LINES if ascii_only else _LINES, frozenset(down))
    lines += [f"{link_labels[name]} (nothing is plugged in)" for name, nodes in ends.items() if not nodes]
    return Map(tuple(lines), drawing.boxes, {name: drawing.wires[name] for name in ends if name in drawing.wires})


def _label(name: str, marks: Mapping[str, str] | None) -> str:
    mark = marks.get(name, "") if marks is not None else ""
    return f"{name} {mark}" if mark else name


class _Run(NamedTuple):
    """A straight piece of a way, between two points."""

    start: Point
    end: Point


class _Axis:
    """Positions of the lines and cells of one direction, found from the first to the last."""

    def __init__(self, lines: Sequence[Line], used: Collection[int], apart: int, edge: int, loose: int) -> None:
        """`apart`: distance of lines in a gap; `edge`: of a line from a cell; `loose`: between cells without lines."""
        self.lines = lines
        self.used = used
        self.apart, self.edge, self.loose = apart, edge, loose
        self.line: list[int] = [0] * len(lines)
        self.low: dict[int, int] = {}
        """First position of a cell."""
        self.high: dict[int, int] = {}
        """Last position of a cell."""

    def solve(
        self, sizes: Mapping[int, tuple[int, dict[int, int]]], wishes: Iterable[tuple[str, int, str, int, int]]
    ) -> None:
        """Give everything the least position.

        `sizes`: of each cell its length and the offsets of its lines. `wishes`: (kind, number, kind, number, distance):
        how far the second must be from the first at least, where kind is "line", "low" or "high".
        """
        asked: dict[tuple[str, int], list[tuple[str, int, int]]] = {}
        for kind, number, later_kind, later, distance in wishes:
            asked.setdefault((later_kind, later), []).append((kind, number, distance))
        where: dict[str, list[int] | dict[int, int]] = {"line": self.line, "low": self.low, "high": self.high}

        def least(kind: str, number: int, natural: int) -> int:
            wanted = (where[first][index] + distance for first, index, distance in asked.get((kind, number), ()))
            return max(natural, *wanted) if (kind, number) in asked else natural

        cell, last, gap_lines = -1, None, 0
        previous = 0
        for number, line in enumerate(self.lines):
            if line.gap:
                if number in self.used:
                    natural = 0 if last is None else last + (self.apart if gap_lines else self.edge)
                    last = previous = least("line", number, natural)
                    gap_lines += 1
                self.line[number] = previous
                continue
            if line.cell != cell:
                cell = line.cell
                length, offsets = sizes[cell]
                natural = 0 if last is None else last + (self.edge if gap_lines else self.loose)
                low = least("low", cell, natural)
                for port, offset in offsets.items():
                    low = max(low, least("line", port, 0) - offset)
                self.low[cell] = low
                self.high[cell] = last = low + length - 1
                gap_lines = 0
            self.line[number] = previous = self.low[cell] + offsets.get(number, 0)
            if line == self.lines[-1] or self.lines[min(number + 1, len(self.lines) - 1)].cell != cell:
                previous = self.high[cell]


class _Drawing:
    def __init__(
        self,
        cells: Mapping[str, Cell],
        routes: Routes,
        node_labels: Mapping[str, str],
        link_labels: Mapping[str, str],
        framed: bool,
        slack: int,
    ) -> None:
        self.cells = cells
        self.routes = routes
        self.node_labels = node_labels
        self.link_labels = link_labels
        self.framed = framed
        self.slack = slack
        self.boxes: dict[str, Box] = {}
        self.wires: dict[str, Wire] = {}
        self.marks: dict[tuple[int, int], dict[str, int]] = {}
        """Of each character on a line: link name ("" for a frame) to the sides it leaves on."""
        self.letters: dict[tuple[int, int], str] = {}
        self.runs = {name: list(self._straight(edges)) for name, edges in routes.ways.items() if edges}
        self.label_runs = {name: run for name in self.runs if (run := self._label_run(name)) is not None}
        self._positions()

    # Lines become positions.

    def _owner(self, point: Point) -> str | None:
        return self.routes.owner.get(point)

    def _straight(self, edges: Sequence[Edge]) -> Iterable[_Run]:
        """A way's edges joined to straight runs outside the nodes, horizontal ones first."""
        for axis in (0, 1):
            along = sorted((a for a, b in edges if a[1 - axis] == b[1 - axis]), key=lambda p: (p[1 - axis], p[axis]))
            start: Point | None = None
            end: Point | None = None
            for a in along:
                if start is None or a != end or self._owner(a) is not None:
                    if start is not None and end is not None:
                        yield _Run(start, end)
                    start = a
                end = (a[0] + 1, a[1]) if axis == 0 else (a[0], a[1] + 1)
            if start is not None and end is not None:
                yield _Run(start, end)

    def _label_run(self, name: str) -> _Run | None:
        """The piece of a link's way that its label fits best on: horizontal, without branch or crossing inside."""
        stops = {
            point
            for runs in self.runs.values()
            for run in runs
            if run.start[0] == run.end[0]
            for point in ((run.start[0], y) for y in range(run.start[1], run.end[1] + 1))
        }
        best: tuple[int, int, int] | None = None
        found: _Run | None = None
        for run in self.runs[name]:
            (left, y), (right, other) = run
            if y != other:
                continue
            start = left
            for x in range(left + 1, right + 1):
                if (x, y) in stops or x == right:
                    length = sum(1 if self.routes.columns[line].gap else 5 for line in range(start, x + 1))
                    rank = (-length, y, start)
                    if best is None or rank < best:
                        best, found = rank, _Run((start, y), (x, y))
                    start = x
        return found

    def _used(self, axis: int) -> set[int]:
        """Numbers of the lines that something runs along, or ends on."""
        used = set()
        for runs in self.runs.values():
            for run in runs:
                if run.start[axis] == run.end[axis]:
                    used.add(run.start[axis])
                else:
                    used.update(point[axis] for point in run if self._owner(point) is None)
        return used

    def _anchor(self, point: Point, axis: int, first: bool) -> tuple[str, int]:
        if self._owner(point) is None:
            return "line", point[axis]
        line = (self.routes.columns, self.routes.rows)[axis][point[axis]]
        return ("high" if first else "low"), line.cell

    def _positions(self) -> None:
        columns, rows = self.routes.columns, self.routes.rows
        used_x, used_y = self._used(0), self._used(1)
        wishes: list[tuple[str, int, str, int, int]] = []
        for name, run in self.label_runs.items():
            room = len(self.link_labels[name]) + 3
            wishes.append((*self._anchor(run.start, 0, True), *self._anchor(run.end, 0, False), room))
        # Up and down only what joins two nodes or has a label needs room; other pieces are as short as they come.
        across: list[tuple[str, int, str, int, int]] = []
        label_widths: dict[int, int] = {}
        for name, runs in self.runs.items():
            for run in runs:
                if run.start[0] == run.end[0]:
                    upright = name not in self.label_runs
                    room = (2 if self.framed else 4 if upright else 2) + (self.slack if upright else 0)
                    first, last = self._anchor(run.start, 1, True), self._anchor(run.end, 1, False)
                    if upright or (first[0], last[0]) == ("high", "low"):
                        across.append((*first, *last, room))
                    if upright and not columns[run.start[0]].gap:
                        cell = columns[run.start[0]].cell
                        label_widths[cell] = max(label_widths.get(cell, 0), len(self.link_labels[name]) + 2)
        self.x = _Axis(columns, used_x, 2 + self.slack, 2, 3)
        self.x.solve({cell: self._width(cell, used_x, label_widths) for cell in range(columns[-1].cell)}, wishes)
        self.y = _Axis(rows, used_y, 1, 1, 1)
        self.y.solve({cell: self._height(cell, used_y) for cell in range(rows[-1].cell)}, across)
        self._place_boxes()

    def _width(self, cell: int, used: Collection[int], labels: Mapping[int, int]) -> tuple[int, dict[int, int]]:
        """The width of a column, and where in it its lines are."""
        columns = self.routes.columns
        names = [len(self.node_labels[name]) for name, place in self.cells.items() if place.column == cell]
        ports = [number for number, line in enumerate(columns) if not line.gap and line.cell == cell]
        taken = [number for number in ports if number in used]
        width = max([*names, 1]) + (4 if self.framed else 2)
        width = max(width, labels.get(cell, 0))
        step = 2 + self.slack
        if not all(columns[port].centre for port in taken):
            width = max(width, step * len(ports) + 1)
        middle, centre = (width - 1) // 2, ports[len(ports) // 2]
        return width, {number: middle + step * (number - centre) for number in taken}

    def _height(self, cell: int, used: Collection[int]) -> tuple[int, dict[int, int]]:
        """The height of a row, and where in it its lines are."""
        rows = self.routes.rows
        ports = [number for number, line in enumerate(rows) if not line.gap and line.cell == cell]
        taken = [number for number in ports if number in used or rows[number].centre]
        border = 1 if self.framed else 0
        return len(taken) + 2 * border, {number: at + border for at, number in enumerate(taken)}

    def _place_boxes(self) -> None:
        covered: dict[str, set[int]] = {}
        for name, cell in self.cells.items():
            ends = (cell.row, cell.row + cell.rows - 1)
            covered[name] = {n for n, line in enumerate(self.routes.rows) if line.centre and line.cell in ends}
        for runs in self.runs.values():
            for run in runs:
                for point in run:
                    owner = self._owner(point)
                    if owner is not None and run.start[1] == run.end[1]:
                        covered[owner].add(point[1])
        border = 1 if self.framed else 0
        for name, (column, _, _) in self.cells.items():
            ports = [self.y.line[number] for number in covered[name]]
            top, bottom = min(ports) - border, max(ports) + border
            left, right = self.x.low[column], self.x.high[column]
            self.boxes[name] = Box(left, top, right - left + 1, bottom - top + 1)

    # Positions become characters.

    def paint(self) -> None:
        """Draw frames, lines and labels."""
        for name, box in self.boxes.items():
            self._frame(name, box)
        for name, runs in self.runs.items():
            cells: set[tuple[int, int]] = set()
            for run in runs:
                cells.update(self._line(name, run))
            self.wires[name] = Wire(0, 0, 0, tuple(sorted(cells, key=lambda cell: (cell[1], cell[0]))))
        for name in self.runs:
            self._label(name)

    def _mark(self, x: int, y: int, name: str, sides: int) -> None:
        marks = self.marks.setdefault((x, y), {})
        marks[name] = marks.get(name, 0) | sides

    def _frame(self, name: str, box: Box) -> None:
        right, bottom = box.x + box.width - 1, box.y + box.height - 1
        if self.framed or box.height > 1:
            for y in range(box.y, bottom + 1):
                for x in (box.x, right):
                    self._mark(x, y, "", _UP | _DOWN)
        if self.framed:
            for y in (box.y, bottom):
                for x in range(box.x, right + 1):
                    self._mark(x, y, "", _LEFT | _RIGHT)
            for x, y, sides in (
                (box.x, box.y, _RIGHT | _DOWN),
                (right, box.y, _LEFT | _DOWN),
                (box.x, bottom, _RIGHT | _UP),
                (right, bottom, _LEFT | _UP),
            ):
                self.marks[x, y] = {"": sides}
        x, _ = self._name_at(name)
        y = box.y + (box.height - 1) // 2
        self.letters.update({(x + at, y): letter for at, letter in enumerate(self.node_labels[name])})

    def _name_at(self, name: str) -> tuple[int, int]:
        """Where the name of a node begins in its box, and its width."""
        box, width = self.boxes[name], len(self.node_labels[name])
        return box.x + (box.width - width) // 2, width

    def _line(self, name: str, run: _Run) -> Iterable[tuple[int, int]]:
        """Mark the characters of a run; at a frame only the frame's character branches."""
        axis = 0 if run.start[1] == run.end[1] else 1
        first, last = self._reach(run.start, axis, True), self._reach(run.end, axis, False)
        forward, backward = ((_RIGHT, _LEFT), (_DOWN, _UP))[axis]
        fixed = self.y.line[run.start[1]] if axis == 0 else self.x.line[run.start[0]]
        for at in range(first, last + 1):
            x, y = (at, fixed) if axis == 0 else (fixed, at)
            sides = (forward if at < last else 0) | (backward if at > first else 0)
            end = run.start if at == first else run.end if at == last else None
            owner = self._owner(end) if end is not None else None
            if owner is not None:
                if "" in self.marks.get((x, y), {}):
                    self._mark(x, y, "", sides)
                continue
            self._mark(x, y, name, sides)
            yield x, y

    def _reach(self, point: Point, axis: int, first: bool) -> int:
        owner = self._owner(point)
        if owner is None:
            return (self.x, self.y)[axis].line[point[axis]]
        box = self.boxes[owner]
        if axis == 0 and not self.framed and box.height == 1:
            # A line comes up to the name itself, but for one space.
            x, width = self._name_at(owner)
            box = box._replace(x=x - 1, width=width + 2)
        low, length = (box.x, box.width) if axis == 0 else (box.y, box.height)
        return low + length - 1 if first else low

    def _label(self, name: str) -> None:
        label = self.link_labels[name]
        run = self.label_runs.get(name)
        if run is not None:
            left, right = self._reach(run.start, 0, True), self._reach(run.end, 0, False)
            spot = (left + (right - left - len(label) + 1) // 2, self.y.line[run.start[1]])
        else:
            found = self._upright_spot(name, len(label))
            if found is None:
                return
            spot = found
        x, y = spot
        self.letters.update({(x + at, y): letter for at, letter in enumerate(label)})
        cells = {*self.wires[name].cells, *((x + at, y) for at in range(len(label)))}
        self.wires[name] = Wire(x, y, len(label), tuple(sorted(cells, key=lambda cell: (cell[1], cell[0]))))

    def _upright_spot(self, name: str, width: int) -> tuple[int, int] | None:
        """Room for the label across a vertical line, the middle of it first."""
        cells = self.wires[name].cells
        middle = len(cells) // 2
        for x, y in sorted(cells, key=lambda cell: abs(cells.index(cell) - middle)):
            left = max(0, x - (width - 1) // 2)
            room = ((at, y) for at in range(left - 1, left + width + 1))
            blank = all(place == (x, y) or not (place in self.marks or place in self.letters) for place in room)
            if blank and len(self.marks[x, y]) == 1:
                return left, y
        return None

    def text(self, lines: str, down: Collection[str]) -> list[str]:
        """The rows of characters."""
        places = {**self.marks, **dict.fromkeys(self.letters)}
        height = max((y for _, y in places), default=-1) + 1
        rows: list[list[str]] = [[] for _ in range(height)]
        for (x, y), marks in sorted(self.marks.items()):
            row = rows[y]
            row.extend(" " * (x + 1 - len(row)))
            row[x] = self._character(marks, lines, down)
        for (x, y), letter in sorted(self.letters.items()):
            row = rows[y]
            row.extend(" " * (x + 1 - len(row)))
            row[x] = letter
        return ["".join(row).rstrip() for row in rows]

    @staticmethod
    def _character(marks: Mapping[str, int], lines: str, down: Collection[str]) -> str:
        if len(marks) > 1:
            # Links that cross: the upright one passes over.
            name = next((name for name, sides in marks.items() if sides == _UP | _DOWN), "")
        else:
            (name,) = marks
        sides = marks.get(name, 0)
        character = lines[sides]
        return _DASHED.get(character, character) if name in down else character
