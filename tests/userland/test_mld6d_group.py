"""What a router knows of a group: the tables of RFC 3810 7.4, row by row, and time (7.2)."""

from __future__ import annotations

import pytest

from kamelab.userland.mld6d_group import MAX_SOURCES, Group, Times, expire, heard, lower
from kamelab.wire.mld import ALLOW, BLOCK, IS_EX, IS_IN, TO_EX, TO_IN

NS = 1_000_000_000
TIMES = Times(2, 125 * NS, 10 * NS, NS)
ADDR = b"\xff\x05" + bytes(14)
NOW, FILTER = 1000 * NS, 1100 * NS
LISTEN = NOW + 260 * NS
"""Multicast Listener Interval: 2 * 125 + 10 s."""


def s(letters: str) -> tuple[bytes, ...]:
    """Sources by one letter each."""
    return tuple(bytes(15) + letter.encode() for letter in letters)


def letters(sources: tuple[bytes, ...]) -> str:
    return "".join(source[15:].decode() for source in sources)


def included(*, a: str) -> Group:
    return Group(ADDR, 0, sources=dict.fromkeys(s(a), NOW + 50 * NS))


def excluded(*, x: str, y: str) -> Group:
    group = Group(ADDR, 0, exclude=True, until=FILTER)
    group.sources = {**dict.fromkeys(s(x), NOW + 50 * NS), **dict.fromkeys(s(y), 0)}
    return group


def shown(group: Group) -> tuple[str, str, str]:
    """(mode, sources whose time runs, sources shut out)."""
    mode = "EX" if group.exclude else "IN"
    return mode, letters(group.wanted(NOW)), letters(group.refused(NOW))


def until(group: Group) -> dict[str, int]:
    """Seconds left of each source's time."""
    return {letters((source,)): (at - NOW) // NS for source, at in sorted(group.sources.items()) if at > NOW}


@pytest.mark.parametrize(
    ("kind", "named", "after", "times", "whole", "ask"),
    [
        (IS_IN, "bc", ("IN", "abc", ""), {"a": 50, "b": 260, "c": 260}, False, ""),
        (ALLOW, "bc", ("IN", "abc", ""), {"a": 50, "b": 260, "c": 260}, False, ""),
        (TO_IN, "bc", ("IN", "abc", ""), {"a": 50, "b": 260, "c": 260}, False, "a"),
        (IS_EX, "bc", ("EX", "b", "c"), {"b": 50}, False, ""),
        (TO_EX, "bc", ("EX", "b", "c"), {"b": 50}, False, "b"),
        (BLOCK, "bc", ("IN", "ab", ""), {"a": 50, "b": 50}, False, "b"),
    ],
)
def test_a_group_of_which_some_sources_are_wanted(
    kind: int, named: str, after: tuple[str, str, str], times: dict[str, int], whole: bool, ask: str
) -> None:
    group = included(a="ab")
    assert heard(group, kind, s(named), NOW, TIMES) == (whole, s(ask))
    assert shown(group) == after
    assert until(group) == times
    assert group.until == (LISTEN if after[0] == "EX" else 0)


@pytest.mark.parametrize(
    ("kind", "named", "after", "times", "whole", "ask"),
    [
        (IS_IN, "byn", ("EX", "abny", "z"), {"a": 50, "b": 260, "n": 260, "y": 260}, False, ""),
        (ALLOW, "byn", ("EX", "abny", "z"), {"a": 50, "b": 260, "n": 260, "y": 260}, False, ""),
        (TO_IN, "byn", ("EX", "abny", "z"), {"a": 50, "b": 260, "n": 260, "y": 260}, True, "a"),
        (IS_EX, "byn", ("EX", "bn", "y"), {"b": 50, "n": 260}, False, ""),
        (TO_EX, "byn", ("EX", "bn", "y"), {"b": 50, "n": 100}, False, "bn"),
        (BLOCK, "byn", ("EX", "abn", "yz"), {"a": 50, "b": 50, "n": 100}, False, "bn"),
    ],
)
def test_a_group_of_which_all_but_some_sources_are_wanted(
    kind: int, named: str, after: tuple[str, str, str], times: dict[str, int], whole: bool, ask: str
) -> None:
    group = excluded(x="ab", y="yz")
    assert heard(group, kind, s(named), NOW, TIMES) == (whole, tuple(sorted(s(ask))))
    assert shown(group) == after
    assert until(group) == times
    assert group.until == (LISTEN if kind in (IS_EX, TO_EX) else FILTER)


def test_version_1_is_version_2_without_sources() -> None:
    """A Report is IS_EX of nothing, a Done TO_IN of nothing (RFC 3810 8.3.2)."""
    group = Group(ADDR, NOW)
    assert heard(group, IS_EX, (), NOW, TIMES) == (False, ())
    assert (group.exclude, group.until) == (True, LISTEN)
    assert heard(group, TO_IN, (), NOW, TIMES) == (True, ())
    lower(group, (), NOW, TIMES.leaving)
    assert group.until == NOW + 2 * NS


def test_while_listeners_of_version_1_are_about_nothing_is_blocked() -> None:
    group = excluded(x="a", y="y")
    group.version1_until = NOW + 1
    assert heard(group, BLOCK, s("a"), NOW, TIMES) == (False, ())
    assert shown(group) == ("EX", "a", "y")
    heard(group, TO_EX, s("y"), NOW, TIMES)
    assert shown(group) == ("EX", "", ""), "the sources of TO_EX are passed over"


def test_time_runs_out() -> None:
    group = excluded(x="ab", y="y")
    group.sources[s("b")[0]] = FILTER + NS
    assert expire(group, NOW + 51 * NS)
    assert letters(group.refused(NOW + 51 * NS)) == "ay", "a source whose time is over is shut out"
    assert expire(group, FILTER)
    assert not group.exclude
    assert letters(group.wanted(FILTER)) == "b"
    assert not expire(group, FILTER + NS)


def test_a_query_lowers_only_what_is_longer() -> None:
    group = excluded(x="ab", y="y")
    lower(group, s("ay"), NOW, 2 * NS)
    assert until(group) == {"a": 2, "b": 50}
    lower(group, (), NOW, 2 * NS)
    lower(group, (), NOW, 300 * NS)
    assert group.until == NOW + 2 * NS


def test_sources_are_bounded() -> None:
    group = Group(ADDR, NOW)
    many = tuple(number.to_bytes(16, "big") for number in range(1, MAX_SOURCES + 2))
    heard(group, IS_IN, many, NOW, TIMES)
    assert (group.exclude, group.sources) == (True, {}), "too many to tell apart: everybody's packets"
    for source in many:
        heard(group, ALLOW, (source,), NOW, TIMES)
    assert len(group.sources) == MAX_SOURCES


def test_the_times_of_rfc_2710_7() -> None:
    assert (TIMES.listener, TIMES.other_querier, TIMES.leaving) == (260 * NS, 255 * NS, 2 * NS)
    assert TIMES.startup == 31_250_000_000
