"""Ways for the links of a map between nodes that have their cells.

The plane is cut by vertical and horizontal *lines*: some through each column and row of cells (where nodes have
their ports), some through the gaps between. A link runs along lines from point to point. Two links never share a
piece of line and cross only at right angles; a link with more than two ends is a tree. Each piece of way is the
cheapest (length, bends, crossings) by Dijkstra's method; where the lines don't suffice more are drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

from kamelab.lab.layout_place import Cell

Point = tuple[int, int]
"""Number of the vertical and of the horizontal line."""
Edge = tuple[Point, Point]
"""Two neighbouring points, the left or upper one first."""

_BEND = 8
_CROSSING = 14
_OFF_CENTRE = 3
_MAX_TRACKS = 48
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


class Line(NamedTuple):
    """A vertical or horizontal line."""

    cell: int
    """Column or row; of a gap: the one after it."""
    gap: bool
    centre: bool
    """The middle line of its column or row."""


class Routes(NamedTuple):
    """The ways of all links."""

    columns: tuple[Line, ...]
    """The vertical lines, from the left."""
    rows: tuple[Line, ...]
    """The horizontal lines, from the top."""
    owner: dict[Point, str]
    """The node that a point lies in."""
    ways: dict[str, list[Edge]]
    """Of each link with an end; pieces inside a node are left out, so the ends of a way touch the nodes."""


def route(cells: Mapping[str, Cell], links: Mapping[str, Sequence[str]]) -> Routes:
    """Ways for `links`, which name a node for each of their ends."""
    wide = [1] * (max((cell.column for cell in cells.values()), default=0) + 1)
    high = [1] * (max((cell.row + cell.rows for cell in cells.values()), default=1))
    for name, (column, row, rows) in cells.items():
        ends = sum(list(nodes).count(name) for nodes in links.values())
        if rows > 1:
            continue  # It has a port on each side in each row.
        high[row] = max(high[row], (ends + 1) // 2 | 1)
        wide[column] = max(wide[column], 3 if ends > 2 else 1)
    tracks = 1
    while True:
        router = _Router(cells, _lines(wide, tracks), _lines(high, tracks))
        last = tracks >= _MAX_TRACKS
        if router.run(links, patient=last) or last:
            return Routes(router.columns, router.rows, router.owner, router.ways)
        tracks += (tracks + 1) // 2


def _lines(ports: Sequence[int], tracks: int) -> tuple[Line, ...]:
    lines: list[Line] = []
    for cell, count in enumerate(ports):
        lines += [Line(cell, True, False)] * tracks
        lines += [Line(cell, False, port == count // 2) for port in range(count)]
    return (*lines, *([Line(len(ports), True, False)] * tracks))


class _Router:
    def __init__(self, cells: Mapping[str, Cell], columns: tuple[Line, ...], rows: tuple[Line, ...]) -> None:
        self.cells = cells
        self.columns = columns
        self.rows = rows
        self.ways: dict[str, list[Edge]] = {}
        self.owner: dict[Point, str] = {}
        self.inside: dict[str, list[Point]] = {name: [] for name in cells}
        for name, cell in cells.items():
            for x, column in enumerate(columns):
                if column.gap or column.cell != cell.column:
                    continue
                for y, row in enumerate(rows):
                    # A gap counts to the row after it: the gap before the first row is outside.
                    if cell.row + row.gap <= row.cell < cell.row + cell.rows:
                        self.owner[x, y] = name
                        self.inside[name].append((x, y))
        self.used: set[Edge] = set()
        self.directions: dict[Point, set[int]] = {}
        """Of each point on a way: 0 if a way passes straight along the row, 1 along the column; both for a bend."""
        self.crossed: set[Point] = set()
        self.upright = 0
        """What a port at the top or bottom of a node costs more."""

    def run(self, links: Mapping[str, Sequence[str]], *, patient: bool) -> bool:
        """Find all ways, the short links' first; False if one is not to be found, at once unless `patient`."""
        complete = True
        order = {name: number for number, name in enumerate(links)}
        for name in sorted(links, key=lambda name: (self._spread(links[name]), order[name])):
            nodes = links[name]
            if nodes and not self._connect(name, nodes):
                if not patient:
                    return False
                complete = False
        self.ways = {name: self.ways[name] for name in links if name in self.ways}
        return complete

    def _spread(self, nodes: Sequence[str]) -> int:
        columns, rows = ([self.cells[node][axis] for node in nodes] or [0] for axis in (0, 1))
        return max(columns) - min(columns) + max(rows) - min(rows) + 100 * (len(nodes) > 2)

    def _connect(self, name: str, nodes: Sequence[str]) -> bool:
        way: list[Edge] = self.ways.setdefault(name, [])
        # The sides are better ports than top and bottom, above all for a tree beside its nodes.
        self.upright = 20 if len(nodes) > 2 else 2
        ends = sorted(range(len(nodes)), key=lambda end: (self._remoteness(nodes, end), end))
        tree: set[Point] = set()
        first, *others = ends
        if all(node == nodes[first] for node in nodes):
            found = self._stub(nodes[first])
            self._occupy(found, way, tree)
            if not found:
                return False
        # Ends at the node where the tree starts come last: at first there is no tree to join. Ends beside it come
        # first: the straight way between columns is the trunk that those above and below join.
        column = self.cells[nodes[first]].column
        for end in sorted(
            others, key=lambda end: (nodes[end] == nodes[first], self.cells[nodes[end]].column == column)
        ):
            goals = tree or set(self.inside[nodes[first]])
            found = self._search(self.inside[nodes[end]], goals)
            if not found:
                return False
            self._occupy(found, way, tree)
        return True

    def _remoteness(self, nodes: Sequence[str], end: int) -> int:
        """Distance to all the other ends together: the middle one starts the tree."""
        column, row, _ = self.cells[nodes[end]]
        return sum(2 * abs(self.cells[node].column - column) + abs(self.cells[node].row - row) for node in nodes)

    def _stub(self, node: str) -> list[Point]:
        """A short way out of a node for a link that nobody else is on."""
        ways = [
            ((not (self.columns[x].centre or self.rows[y].centre), number), [(x, y), (x + dx, y + dy)])
            for x, y in self.inside[node]
            for number, (dx, dy) in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1)))
        ]
        for _, (start, end) in sorted(ways):
            if self._free(start, end) and end not in self.owner and end not in self.directions:
                return [start, end]
        return []

    def _free(self, a: Point, b: Point) -> bool:
        inside = 0 <= b[0] < len(self.columns) and 0 <= b[1] < len(self.rows)
        return inside and ((a, b) if a < b else (b, a)) not in self.used

    def _search(self, starts: Iterable[Point], goals: set[Point]) -> list[Point]:
        """The cheapest way from one of `starts` to one of `goals`, or nothing."""
        least_x = _distances([_length(line, 0) for line in self.columns], [x for x, _ in goals])
        least_y = _distances([_length(line, 1) for line in self.rows], [y for _, y in goals])
        heap: list[tuple[int, int, int, Point, int]] = []
        cost: dict[tuple[Point, int], int] = {}
        back: dict[tuple[Point, int], tuple[Point, int] | None] = {}
        sources = set(starts)
        for point in sorted(sources):
            for direction in range(4):
                cost[point, direction] = 0
                back[point, direction] = None
                heappush(heap, (least_x[point[0]] + least_y[point[1]], len(heap), 0, point, direction))
        pushed = len(heap)
        while heap:
            _, _, spent, point, direction = heappop(heap)
            if spent > cost[point, direction]:
                continue
            if point in goals:
                return _trace(back, point, direction)
            # A node is left and a crossing is passed straight; nothing turns back.
            straight = point in sources or point in self.directions
            for turn in (direction,) if straight else (direction, (direction + 1) % 4, (direction + 3) % 4):
                dx, dy = _STEPS[turn]
                step = (point[0] + dx, point[1] + dy)
                if step in sources or not self._free(point, step) or not self._open(step, turn, goals):
                    continue
                total = spent + self._price(point, step, turn, point in sources, step in goals)
                total += _BEND * (turn != direction)
                if total < cost.get((step, turn), 1 << 30):
                    cost[step, turn] = total
                    back[step, turn] = (point, direction)
                    pushed += 1
                    heappush(heap, (total + least_x[step[0]] + least_y[step[1]], pushed, total, step, turn))
        return []

    def _open(self, step: Point, turn: int, goals: set[Point]) -> bool:
        """Whether a way in this direction may come to the point: a goal, a free point or one to cross."""
        if step in goals:
            return step not in self.crossed  # A tree is joined beside its crossings.
        if step in self.owner:
            return False
        axes = self.directions.get(step)
        return axes is None or (axes == {1 - turn % 2} and step not in self.crossed)

    def _price(self, point: Point, step: Point, turn: int, leaves: bool, arrives: bool) -> int:
        """Of the move to `step`; `leaves` a node, `arrives` at a node or a tree."""
        axis = turn % 2
        price = _length((self.rows if axis else self.columns)[step[axis]], axis)
        if not arrives and step in self.directions:
            price += _CROSSING
        for port, used in ((point, leaves), (step, arrives and step in self.owner)):
            if used:
                line = self.columns[port[0]] if axis else self.rows[port[1]]
                price += (0 if line.centre else _OFF_CENTRE) + self.upright * axis
        return price

    def _occupy(self, points: Sequence[Point], way: list[Edge], tree: set[Point]) -> None:
        for a, b in pairwise(points):
            edge = (min(a, b), max(a, b))
            self.used.add(edge)
            way.append(edge)
        for number, point in enumerate(points):
            if point in self.owner:
                continue
            around = points[max(0, number - 1) : number + 2]
            axes = {0 if a[1] == b[1] else 1 for a, b in pairwise(around)}
            if point in tree or len(around) == 2:
                axes = {0, 1}  # A joint or a loose end.
            elif point in self.directions:
                self.crossed.add(point)
            self.directions.setdefault(point, set()).update(axes)
        tree.update(point for point in points if point not in self.owner)


def _length(line: Line, axis: int) -> int:
    """What the move to a line costs: nodes are wider than high, gaps are narrow."""
    return 1 if line.gap else (5, 3)[axis]


def _distances(lengths: Sequence[int], goals: Collection[int]) -> list[int]:
    """Of each line the least cost to come within the goals: what keeps the search from looking elsewhere."""
    low, high = min(goals), max(goals)
    found = [0] * len(lengths)
    for line in range(low - 1, -1, -1):
        found[line] = found[line + 1] + lengths[line + 1]
    for line in range(high + 1, len(lengths)):
        found[line] = found[line - 1] + lengths[line - 1]
    return found


def _trace(back: Mapping[tuple[Point, int], tuple[Point, int] | None], point: Point, direction: int) -> list[Point]:
    points = [point]
    state = back[point, direction]
    while state is not None:
        points.append(state[0])
        state = back[state]
    return points[::-1]
