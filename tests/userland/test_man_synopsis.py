"""A program's manual page, its usage text and what it accepts name the same options."""

from __future__ import annotations

import getopt
import re

import pytest
from real_nodes import Bench

from kamelab.userland import getopt as userland_getopt
from kamelab.userland import man, programs

OWN_PARSERS = {
    "echo", "ifconfig", "ip6addrctl", "jobs", "kill", "man", "prefix", "ps", "route", "sh", "sleep", "true", "false",
    "rm", "cp", "dmesg", "ndp",
}  # fmt: skip
"""Programs whose words are not getopt(3)'s from the first on, or which have no options to speak of."""
PROGRAMS = sorted(set(programs.MODULES) - OWN_PARSERS)


class Asked(Exception):
    """Ends a program where it reads its options."""


def accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The letters of getopt(3)'s string: ``a``, and ``b:`` for one with an argument."""
    asked: list[str] = []

    def listen(words: list[str], options: str) -> tuple[list[tuple[str, str]], list[str]]:
        asked.append(options)
        raise getopt.GetoptError("option -? not recognized", "?")

    monkeypatch.setattr(userland_getopt._getopt, "getopt", listen)
    bench = Bench()
    bench.node("h1")
    bench.sh("h1", f"{name} -? x")
    monkeypatch.undo()
    assert asked, f"{name} does not read its options with getopt"
    return set(re.findall(r"\w:?", asked[0]))


def described(text: str) -> set[str]:
    """The options of a synopsis: ``[-ab] [-c file]``."""
    found: set[str] = set()
    for flags, argument in re.findall(r"(?<![\w-])-(\w+)((?: [^\s[\]|-][^\s\]]*)?)", text):
        found |= set(flags[:-1]) | {flags[-1] + ":" * bool(argument)}
    return found


def synopsis(page: str) -> str:
    """What stands under SYNOPSIS."""
    return page.split("\nSYNOPSIS\n")[1].split("\n\n")[0]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_manual_page_tells_of_the_options_that_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the synopsis with their arguments; what is accepted for old scripts' sake is told of below it."""
    page = man.page(name)
    assert page is not None
    options = accepted(name, monkeypatch)
    assert described(synopsis(page)) <= options
    told = set(re.findall(r"(?<![\w-])-(\w)", page)) | {letter[0] for letter in described(synopsis(page))}
    assert {letter[0] for letter in options} <= told


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_usage_text_is_the_synopsis_of_the_manual_page(name: str) -> None:
    bench = Bench()
    bench.node("h1")
    answer = bench.sh("h1", f"{name} -?")
    assert answer.status != 0
    assert described(answer.output.partition("usage: ")[2]) == described(synopsis(man.page(name) or ""))
    assert max(map(len, answer.lines)) <= 80
