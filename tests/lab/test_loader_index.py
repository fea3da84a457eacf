"""The index from key path to line."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.lab.toml_index import LineIndex, format_path

TEXT = '''\
title = "x"  # [not.a.table]

[links.lan]
latency = "50us"

[nodes.h1]
interfaces.ne0 = { link = "lan", addresses = [
  "2001:db8::1/64",
  # a comment, with ] and }
  "2001:db8::2/64",
] }
files."/etc/rtadvd.conf" = """
[nodes.fake]
key = "\\"\\"\\""
"""
sysctl.'net.inet6.ip6.dad_count' = 1

[[tasks]]
title = "one"
[[tasks.checks]]
kind = "drop"
[[tasks.checks]]
kind = "packet"
checks = [{ kind = "a" },
  { kind = "b", node = "h1" }]

[[tasks]]
text = \'\'\'
title = "no"
\'\'\'
title = "two"
[[tasks.checks]]
kind = "not"
'''

EXPECTED: list[tuple[tuple[str | int, ...], int]] = [
    ((), 1),
    (("title",), 1),
    (("links",), 3),
    (("links", "lan"), 3),
    (("links", "lan", "latency"), 4),
    (("nodes", "h1", "interfaces", "ne0", "link"), 7),
    (("nodes", "h1", "interfaces", "ne0", "addresses", 0), 8),
    (("nodes", "h1", "interfaces", "ne0", "addresses", 1), 10),
    (("nodes", "h1", "files", "/etc/rtadvd.conf"), 12),
    (("nodes", "h1", "sysctl", "net.inet6.ip6.dad_count"), 16),
    (("tasks", 0, "title"), 19),
    (("tasks", 0, "checks", 0, "kind"), 21),
    (("tasks", 0, "checks", 1), 22),
    (("tasks", 0, "checks", 1, "checks", 1, "kind"), 25),
    (("tasks", 0, "checks", 1, "checks", 1, "node"), 25),
    (("tasks", 1), 27),
    (("tasks", 1, "title"), 31),
    (("tasks", 1, "checks", 0, "kind"), 33),
]


@pytest.mark.parametrize(("path", "line"), EXPECTED, ids=str)
def test_each_key_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert LineIndex(TEXT).line_of(path) == line


def test_a_key_that_is_not_there_has_its_parents_line() -> None:
    index = LineIndex(TEXT)
    assert index.line_of(("links", "lan", "kind")) == 3
    assert index.line_of(("nodes", "fake")) == index.line_of(("nodes",)) == 6
    assert index.line_of(("nothing", 3, "here")) == 1


def test_a_header_counts_even_after_a_part_of_its_table() -> None:
    index = LineIndex("[a.b]\nx = 1\n[a]\ny = 2\n")
    assert index.line_of(("a",)) == 3
    assert index.line_of(("a", "b")) == 1


def test_a_path_is_written_with_positions_from_one_and_odd_keys_quoted() -> None:
    assert format_path(("tasks", 0, "checks", 1, "kind")) == "tasks[1].checks[2].kind"
    assert format_path(("nodes", "h1", "files", "/etc/hosts")) == 'nodes.h1.files."/etc/hosts"'


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in items:
        found += _paths(entry, (*path, key))
    return found


@given(st.lists(st.sampled_from(TEXT.splitlines(keepends=True)), max_size=12).map("".join))
def test_every_path_of_a_text_that_toml_accepts_has_a_line_of_its_own(text: str) -> None:
    index = LineIndex(text)  # Never raises, TOML or not.
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(_paths(tree)) == index.paths()
