"""The address pane: the life cycle of an address follows time, from its first probe to its end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pane_app import PaneApp, lab, screen_text

from kamelab.lab.console import execute
from kamelab.lab.session import Session
from kamelab.stack import tables
from kamelab.stack.netinet6.in6_state import MEANINGS, NONE, STATES, TRANSITIONS, state_of
from kamelab.ui.panes import AddressesPane
from kamelab.ui.panes.addresses import drawing
from kamelab.ui.panes.machine import bar, event_of, short

SHORT_LIVES = """
format = 1
title = "Addresses that do not last"
[links.lan]
latency = "500us"
[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan", up = true }
[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
files."/etc/rtadvd.conf" = "ne0:\\\\\\n\\t:addrs#1:addr=\\"2001:db8:1::\\":prefixlen#64:vltime#600:pltime#300:\\n"
interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64"] }
"""
MADE = "2001:db8:1::ff:fe00:101"


def state(text: str) -> str:
    """The state in brackets."""
    return next(one for one in STATES if f"[{one}]" in text)


def until(session: Session, wanted: str, limit: int = 400) -> None:
    """Let events happen until h1's made address is in that state."""
    for _ in range(limit):
        rows = [row for row in tables.addresses(session.world.network.nodes["h1"]) if row.address == MADE]
        if rows and state_of(rows[0].flags) == wanted:
            return
        execute(session, "step")
    raise AssertionError(f"never {wanted}")


@pytest.mark.asyncio
async def test_an_address_goes_through_its_life(tmp_path: Path) -> None:
    session = lab(tmp_path, SHORT_LIVES)
    pane = AddressesPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(90, 22)) as pilot:

        async def look() -> str:
            pane.show(session, "h1")
            await pilot.press("home", "down")
            await pilot.pause()
            return screen_text(app)

        until(session, "tentative")
        text = await look()
        assert state(text) == "tentative"
        assert "to the next probe, if nobody answers (0 of 1 probes sent)" in text
        until(session, "preferred")
        text = await look()
        assert state(text) == "preferred"
        assert "of 5m, then deprecated" in text
        assert "of 10m, then gone" in text
        assert "unique" in next(line for line in text.splitlines() if "history" in line)
        execute(session, "r1: kill %1")
        execute(session, "link lan down")
        execute(session, "run 6m")
        text = await look()
        assert state(text) == "deprecated"
        assert "preferred [--------------------] expired of 5m" in text
        assert "deprecated" in next(line for line in text.splitlines() if "history" in line)
        execute(session, "run 5m")
        pane.show(session, "h1")
        await pilot.pause()
        assert f"- {MADE}" in screen_text(app)


@pytest.mark.asyncio
async def test_a_duplicate_says_that_it_needs_a_hand(tmp_path: Path) -> None:
    session = lab(tmp_path, SHORT_LIVES, "run 8s", "h1: ifconfig ne0 inet6 2001:db8:1::1 prefixlen 64 alias", "run 2s")
    pane = AddressesPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(90, 22)) as pilot:
        await pilot.pause()
        execute(session, "step")
        pane.show(session, "h1")
        await pilot.press("home", "down", "down")
        await pilot.pause()
        text = screen_text(app)
        assert state(text) == "duplicated"
        assert "needs a hand" in text
        assert pane.question() == "h1 2001:db8:1::1"


@pytest.mark.asyncio
async def test_addresses_without_end_say_so_and_a_low_pane_keeps_its_rows(tmp_path: Path) -> None:
    session = lab(tmp_path, SHORT_LIVES, "run 8s")
    app = PaneApp(AddressesPane(), session, "r1")
    async with app.run_test(size=(90, 22)) as pilot:
        await pilot.pause()
        assert "without end: stays until it is deleted" in screen_text(app)
    app = PaneApp(AddressesPane(), session, "r1")
    async with app.run_test(size=(90, 7)) as pilot:
        await pilot.pause()
        assert "2001:db8:1::1/64" in screen_text(app)
        assert "--pltime-->" not in screen_text(app)


@pytest.mark.asyncio
async def test_lifetimes_that_run_down_are_no_change(tmp_path: Path) -> None:
    session = lab(tmp_path, SHORT_LIVES, "run 20s")
    pane = AddressesPane()
    app = PaneApp(pane, session, "h1")
    async with app.run_test(size=(90, 22)):
        before = pane.lines()
        app.do("run 60s")
        assert pane.lines() != before
        assert not [line for line in pane.lines() if line[0] != " " and line[0] != "h"]


def test_the_drawing_has_every_state_and_only_arrows_of_the_table() -> None:
    for now in STATES:
        text = "\n".join("".join(part for part, _ in line) for line in drawing(now))
        assert f"[{now}]" in text
        assert all(one in text for one in STATES)
        assert text.count("[") == 1
        assert max(len(line) for line in text.splitlines()) < 80
        arrows = re.findall(r"--(\w+)-->", text) + re.findall(r"v (\w+)", text)
        assert len(arrows) == 6
        assert set(arrows) <= {event for _, event in TRANSITIONS}
    assert event_of(TRANSITIONS, "tentative", "preferred") == "unique"
    assert event_of(TRANSITIONS, "duplicated", "preferred") == ""


def test_the_kernel_goes_no_way_that_the_table_does_not_have(tmp_path: Path) -> None:
    """Two advertising routers, one of which goes silent: every change of every address is in the table."""
    text = SHORT_LIVES + (
        '[nodes.r2]\nrole = "router"\nstartup = ["rtadvd ne0"]\n'
        'interfaces.ne0 = { link = "lan", addresses = ["2001:db8:2::1/64"] }\n'
    )
    session = lab(tmp_path, text)
    steps = {(old, new) for (old, _), (new, _) in TRANSITIONS.items()}
    seen: dict[tuple[str, str, str], str] = {}
    taken: set[tuple[str, str]] = set()

    def watch(session: Session) -> None:
        here: dict[tuple[str, str, str], str] = {}
        for name, node in session.world.network.nodes.items():
            for row in tables.addresses(node):
                here[name, row.interface, row.address] = state_of(row.flags)
        for key in seen.keys() | here.keys():
            old, new = seen.get(key, NONE), here.get(key, NONE)
            if old != new:
                taken.add((old, new))
        seen.clear()
        seen.update(here)

    watch(session)
    taken.clear()
    session.watchers.append(watch)
    for line in (
        "run 20s",
        "h1: ifconfig ne0 inet6 2001:db8:1::1 prefixlen 64 alias",
        "h1: ifconfig ne0 inet6 2001:db8:9::1 prefixlen 64 alias",
        "run 3s",
        "h1: ifconfig ne0 inet6 2001:db8:9::1 delete",
        "h1: ndp -i ne0 disabled",
        "h1: ndp -i ne0 -disabled",
        "run 3s",
        "r1: ifconfig ne0 down",
        "h1: ping6 -c 3 2001:db8:77::1",
        "run 20m",
    ):
        execute(session, line)
    assert taken <= steps
    assert {("", "tentative"), ("tentative", "preferred"), ("tentative", "duplicated"), ("preferred", "")} <= taken
    assert ("preferred", "tentative") in taken, "enabled again"
    assert set(MEANINGS) == set(STATES)


@pytest.mark.parametrize(
    ("left", "total", "text"),
    [
        (10, 10, "[########]"),
        (5, 10, "[####----]"),
        (1, 1000, "[#-------]"),
        (0, 10, "[--------]"),
        (-5, 10, "[--------]"),
    ],
)
def test_bars_are_empty_only_at_the_end(left: int, total: int, text: str) -> None:
    assert bar(left, total, 10) == text


def test_rules_are_named_once() -> None:
    assert short(["KAME ndp.c", "RFC 4861 7.2.5", "RFC 4861 7.3.1"]) == "RFC 4861 7.2.5, 7.3.1; KAME ndp.c"
