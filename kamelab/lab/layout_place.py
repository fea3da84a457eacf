"""Where the nodes of a lab's map stand: a column and a row for each.

A lab's own `at` places win. Nodes without one are laid out as a tree that grows to the left and to the right of
its middle, so that chains lie straight, stars surround their centre and a shared LAN has its nodes on both sides.
Deterministic: ties go by file order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kamelab.lab.schema import Lab

_CENTRE_ENDS = 5
"""A node with as many ends of links is drawn as high as what hangs on it."""


class Cell(NamedTuple):
    """Where a node stands."""

    column: int
    """From 0."""
    row: int
    """The first one, from 0."""
    rows: int = 1
    """How many it takes."""


def members(lab: Lab) -> dict[str, list[tuple[str, str]]]:
    """For each link, in file order, the (node, interface) pairs on it, in file order."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in lab.links}
    for name, node in lab.nodes.items():
        for interface_name, interface in node.interfaces.items():
            found[interface.link].append((name, interface_name))
    return found


def place(lab: Lab) -> dict[str, Cell]:
    """A cell of its own for each node, in file order; no column and no row is empty."""
    cells: dict[str, Cell] = {}
    taken: set[tuple[int, int]] = set()
    for name, node in lab.nodes.items():
        if node.at is not None:
            column, row = node.at
            while (column, row) in taken:
                column += 1
            cells[name] = Cell(column, row)
            taken.add((column, row))
    below = max((row for _, row in taken), default=-1) + 1
    loose = {name for name in lab.nodes if name not in cells}
    for tree in _components(lab, loose):
        top = below
        for name, cell in tree.items():
            cells[name] = cell._replace(row=cell.row + top)
            below = max(below, cells[name].row + cell.rows)
    columns = _ranks(cell.column for cell in cells.values())
    rows = _ranks(row for cell in cells.values() for row in range(cell.row, cell.row + cell.rows))
    return {name: Cell(columns[cells[name].column], rows[cells[name].row], cells[name].rows) for name in lab.nodes}


def _ranks(values: Iterable[int]) -> dict[int, int]:
    return {value: rank for rank, value in enumerate(sorted(set(values)))}


# In the graph of nodes and links a vertex is ("node", name) or ("link", name).
_Vertex = tuple[str, str]
_Graph = Mapping[_Vertex, Sequence[_Vertex]]


def _components(lab: Lab, loose: set[str]) -> Iterable[dict[str, Cell]]:
    """Cells for the nodes in `loose`, one connected part of the network at a time."""
    graph: dict[_Vertex, list[_Vertex]] = {("node", name): [] for name in lab.nodes if name in loose}
    for link, ends in members(lab).items():
        for node, _ in ends:
            if node in loose and ("node", node) not in graph.setdefault(("link", link), []):
                graph["link", link].append(("node", node))
                graph["node", node].append(("link", link))
    seen: set[_Vertex] = set()
    for name in lab.nodes:
        start = ("node", name)
        if name in loose and start not in seen:
            part = list(_distances(graph, start))
            seen.update(part)
            yield _tree(graph, _centre(graph, part))


def _distances(graph: _Graph, start: _Vertex) -> dict[_Vertex, int]:
    """Steps from `start` to each vertex that it reaches, nearest first."""
    found = {start: 0}
    queue = [start]
    for vertex in queue:
        for other in graph[vertex]:
            if other not in found:
                found[other] = found[vertex] + 1
                queue.append(other)
    return found


def _centre(graph: _Graph, part: Sequence[_Vertex]) -> _Vertex:
    """The vertex with the shortest way to the farthest one; of equals the one with most neighbours, then the first."""
    return min(part, key=lambda vertex: (max(_distances(graph, vertex).values()), -len(graph[vertex])))


def _tree(graph: _Graph, root: _Vertex) -> dict[str, Cell]:
    """Cells for all nodes that `root` reaches: half of its branches to the left, half to the right."""
    children: dict[_Vertex, list[_Vertex]] = {root: []}
    queue = [root]
    for vertex in queue:
        for other in graph[vertex]:
            if other not in children:
                children[other] = []
                children[vertex].append(other)
                queue.append(other)
    heights: dict[_Vertex, int] = {}
    for vertex in reversed(queue):
        heights[vertex] = sum(heights[child] for child in children[vertex]) or 1
    branches = children[root]
    # A link has no cell, so a hub of one link (a star's centre behind it) splits like a node.
    split, best = 0, None
    for cut in range(len(branches) + 1):
        left = sum(heights[branch] for branch in branches[:cut])
        tilt = abs(2 * left - sum(heights[branch] for branch in branches))
        if best is None or tilt < best:
            split, best = cut, tilt
    cells: dict[str, Cell] = {}
    tallest = max(sum(heights[branch] for branch in half) for half in (branches[:split], branches[split:]))
    for half, side in ((branches[:split], -1), (branches[split:], 1)):
        row = (tallest - sum(heights[branch] for branch in half)) // 2
        for branch in half:
            _grow(branch, side, side, row, children, heights, cells)
            row += heights[branch]
    if root[0] == "node":
        high = len(branches) >= _CENTRE_ENDS
        cells[root[1]] = Cell(0, 0, tallest) if high else Cell(0, max(0, tallest - 1) // 2)
    top = min(cell.row for cell in cells.values())
    return {name: cell._replace(row=cell.row - top) for name, cell in cells.items()}


def _grow(
    vertex: _Vertex,
    column: int,
    side: int,
    row: int,
    children: Mapping[_Vertex, Sequence[_Vertex]],
    heights: Mapping[_Vertex, int],
    cells: dict[str, Cell],
) -> None:
    """Give `vertex` and what hangs on it cells from `row` downward."""
    if vertex[0] == "node":
        high = len(children[vertex]) + 1 >= _CENTRE_ENDS
        cells[vertex[1]] = (
            Cell(column, row, heights[vertex]) if high else Cell(column, row + (heights[vertex] - 1) // 2)
        )
        column += side
    for child in children[vertex]:
        _grow(child, column, side, row, children, heights, cells)
        row += heights[child]
