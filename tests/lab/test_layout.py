"""Text maps of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamelab.lab.layout import BOX_CHARACTERS, Map, draw, members
from kamelab.lab.library import find_lab
from kamelab.lab.loader import load_lab
from kamelab.lab.schema import Lab


def network(links: Mapping[str, Sequence[str]], at: Mapping[str, tuple[int, int]] | None = None) -> Lab:
    """A lab with these links between these nodes."""
    nodes: dict[str, list[str]] = {}
    for link, ends in links.items():
        for node in ends:
            nodes.setdefault(node, []).append(link)
    text = 'format = 1\ntitle = "t"\n' + "".join(f"[links.{link}]\n" for link in links)
    for node, plugged in (nodes or {"h1": []}).items():
        text += f"[nodes.{node}]\n"
        if at and node in at:
            text += f"at = [{at[node][0]}, {at[node][1]}]\n"
        text += "".join(f'interfaces.ne{number} = {{ link = "{link}" }}\n' for number, link in enumerate(plugged))
    return load_lab(text, "network")


def picture(drawn: Map) -> str:
    return "\n" + "\n".join(drawn.lines) + "\n"


def test_the_demo_is_a_straight_chain() -> None:
    source = find_lab("demo")
    lab = load_lab(source.text, source.path)
    assert (
        picture(draw(lab))
        == """
┌────┐      ┌────┐      ┌────┐
│ h1 ├─lan1─┤ r1 ├─lan2─┤ h2 │
└────┘      └────┘      └────┘
"""
    )
    assert (
        picture(draw(lab, ascii_only=True))
        == """
+----+      +----+      +----+
| h1 +-lan1-+ r1 +-lan2-+ h2 |
+----+      +----+      +----+
"""
    )
    assert (
        picture(draw(lab, boxes=False))
        == """
 h1 ─lan1─ r1 ─lan2─ h2
"""
    )


def test_a_shared_lan_is_one_line_with_branches() -> None:
    lab = network({"lan": ["h1", "h2", "h3", "h4", "r1"], "wan": ["r1", "isp"]})
    assert (
        picture(draw(lab))
        == """
┌────┐
│ h1 ├─lan─┐
└────┘     │
┌────┐     │ ┌────┐     ┌─────┐
│ h2 ├─────┼─┤ r1 ├─wan─┤ isp │
└────┘     │ └────┘     └─────┘
┌────┐     │
│ h3 ├─────┤
└────┘     │
┌────┐     │
│ h4 ├─────┘
└────┘
"""
    )
    assert (
        picture(draw(lab, boxes=False, ascii_only=True))
        == """
 h1 -lan-+
 h2 -----+- r1 -wan- isp
 h3 -----+
 h4 -----+
"""
    )


def test_a_star_has_its_centre_in_the_middle() -> None:
    lab = network({f"l{number}": ["r1", f"h{number}"] for number in range(6)})
    assert (
        picture(draw(lab))
        == """
┌────┐    ┌────┐    ┌────┐
│ h0 ├─l0─┤    ├─l3─┤ h3 │
└────┘    │    │    └────┘
┌────┐    │    │    ┌────┐
│ h1 ├─l1─┤ r1 ├─l4─┤ h4 │
└────┘    │    │    └────┘
┌────┐    │    │    ┌────┐
│ h2 ├─l2─┤    ├─l5─┤ h5 │
└────┘    └────┘    └────┘
"""
    )


def test_places_of_the_lab_file_are_honoured() -> None:
    square = {"a": ["r1", "r2"], "b": ["r2", "r3"], "c": ["r3", "r4"], "d": ["r4", "r1"]}
    lab = network(square, {"r1": (1, 1), "r2": (5, 1), "r3": (5, 9), "r4": (1, 9)})
    assert (
        picture(draw(lab))
        == """
┌────┐   ┌────┐
│ r1 ├─a─┤ r2 │
└─┬──┘   └─┬──┘
  d        b
┌─┴──┐   ┌─┴──┐
│ r4 ├─c─┤ r3 │
└────┘   └────┘
"""
    )


def test_two_nodes_at_one_place_stand_side_by_side() -> None:
    drawn = draw(network({"lan": ["h1", "h2"]}, {"h1": (1, 1), "h2": (1, 1)}))
    assert drawn.nodes["h1"].y == drawn.nodes["h2"].y
    assert drawn.nodes["h1"].x < drawn.nodes["h2"].x


def test_marks_stand_behind_names_and_a_link_that_is_down_is_dashed() -> None:
    lab = network({"lan": ["h1", "h2"]})
    drawn = draw(lab, node_marks={"h1": "*"}, link_marks={"lan": "10%"}, down=["lan"])
    assert (
        picture(drawn)
        == """
┌──────┐         ┌────┐
│ h1 * ├╌lan 10%╌┤ h2 │
└──────┘         └────┘
"""
    )


def test_a_link_without_interfaces_is_told_below() -> None:
    lab = load_lab('format = 1\ntitle = "t"\n[links.spare]\n[nodes.h1]\n', "x")
    assert draw(lab).lines[-1] == "spare (nothing is plugged in)"


def test_a_link_with_one_end_is_a_stub() -> None:
    assert draw(network({"lan": ["h1"]}), boxes=False).lines == (" h1 ─lan─╴",)


def test_positions_say_where_names_and_labels_are() -> None:
    drawn = draw(network({"lan": ["h1", "h2", "r1"], "wan": ["r1", "r2"]}))
    for name, box in drawn.nodes.items():
        assert drawn.lines[box.y][box.x] == "┌"
        assert drawn.lines[box.y + box.height - 1][box.x + box.width - 1] == "┘"
        assert name in drawn.lines[box.y + 1][box.x : box.x + box.width]
    for name, wire in drawn.links.items():
        assert drawn.lines[wire.y][wire.x : wire.x + wire.width] == name


@st.composite
def networks(draw_from: st.DrawFn) -> Lab:
    """Any network of up to 20 nodes and 12 links, some nodes with places."""
    count = draw_from(st.integers(1, 20))
    names = [f"n{number}" for number in range(count)]
    ends = st.lists(st.sampled_from(names), max_size=4)
    links = {f"link{number}": draw_from(ends) for number in range(draw_from(st.integers(1, 12)))}
    links["link0"] = [*links["link0"], *names] if draw_from(st.booleans()) else links["link0"] or names[:1]
    places = st.tuples(st.integers(0, 6), st.integers(0, 6))
    return network(links, draw_from(st.dictionaries(st.sampled_from(names), places)))


def _connected(cells: set[tuple[int, int]]) -> bool:
    rest = set(cells)
    queue = [rest.pop()]
    while queue:
        x, y = queue.pop()
        near = {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} & rest
        rest -= near
        queue += near
    return not rest


@settings(max_examples=30, deadline=None)
@given(networks(), st.booleans())
def test_any_network_is_drawn_with_boxes_apart_and_every_link_reaching_its_nodes(lab: Lab, boxes: bool) -> None:
    drawn = draw(lab, boxes=boxes)
    assert drawn == draw(lab, boxes=boxes)
    taken: dict[tuple[int, int], str] = {}
    for name, box in drawn.nodes.items():
        for x in range(box.x, box.x + box.width):
            for y in range(box.y, box.y + box.height):
                assert taken.setdefault((x, y), name) == name
    for link, ends in members(lab).items():
        if not ends:
            continue
        wire = drawn.links[link]
        assert drawn.lines[wire.y][wire.x : wire.x + wire.width] == link
        cells = set(wire.cells)
        assert _connected(cells)
        touched = {taken.get((x + dx, y + dy)) for x, y in cells for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))}
        assert {node for node, _ in ends} <= touched
        assert {taken.get(cell) for cell in cells} <= {None, *(node for node, _ in ends if not boxes)}


@pytest.mark.parametrize("boxes", [True, False])
def test_an_ascii_map_is_ascii(boxes: bool) -> None:
    lab = network({f"m{a}{b}": [f"r{a}", f"r{b}"] for a in range(5) for b in range(a)})
    text = "".join(draw(lab, ascii_only=True, boxes=boxes).lines)
    assert text.isascii()
    assert not set(text) & set(BOX_CHARACTERS.strip())
