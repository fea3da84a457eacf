"""Where a session stops what would not end: loops at one instant, runaways, overdue commands, a full capture."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest

from kamelab.capture.export import export
from kamelab.core.trace import ROW_COST
from kamelab.lab import session as session_module
from kamelab.lab.console import execute
from kamelab.lab.loader import load_lab
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.userland import process, programs
from kamelab.userland.proc import Proc, Signal

SECOND = 1_000_000_000
LOOP = """format = 1
title = "Two routers that send everything to each other"

[links.lan]
kind = "ethernet"
latency = "0ms"

[nodes.a]
role = "router"
startup = ["route add -inet6 default 2001:db8::2"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8::1/64"] }

[nodes.b]
role = "router"
startup = ["route add -inet6 default 2001:db8::1"]
interfaces.ne0 = { link = "lan", addresses = ["2001:db8::2/64"] }
"""


def looping() -> Session:
    session = Session(load_lab(LOOP, "loop.toml"), LOOP, "loop")
    execute(session, "run until idle")
    return session


def messages(session: Session) -> str:
    return "".join(chunk.text for chunk in session.take_output() if chunk.kind == "message")


def printed(session: Session) -> str:
    return "".join(chunk.text for chunk in session.take_output() if chunk.kind == "text")


async def spin(proc: Proc, argv: list[str]) -> int:
    """A program that never waits."""
    while True:
        proc.time()


async def stubborn(proc: Proc, argv: list[str]) -> int:
    """A program that heeds no signal that can be caught."""
    while True:
        try:
            await proc.sleep(10 * SECOND)
        except Signal:
            proc.print("not me")


@pytest.fixture
def extra_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("kamelab.userland.extra")
    module.__dict__.update(spin=spin, stubborn=stubborn)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("spin", "stubborn"):
        monkeypatch.setitem(programs.MODULES, name, ("extra", name))


# -- loops ---------------------------------------------------------------------------------------------------------


def test_a_forwarding_loop_without_latency_ends_by_the_hop_limit() -> None:
    session = looping()
    start, began = session.events, session.now
    assert execute(session, "a: ping6 -c 1 -h 64 2001:db8:99::1") == 2
    assert "Time to live exceeded" in printed(session)
    rows = [row for row in session.world.network.trace.packets if row[6] == "rx" and row[1] >= began]
    hops = [row[12][21] for row in rows if row[12][20] == 58 and row[12][54] == 128]
    assert hops == list(range(64, 0, -1))
    assert session.events - start < 200


def test_too_many_events_at_one_instant_stop_time_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "INSTANT_LIMIT", 40)
    session = looping()
    execute(session, "a: ping6 -c 1 2001:db8::2")
    messages(session)
    status = execute(session, "a: ping6 -c 1 -h 64 2001:db8:99::1")
    assert status != 0
    assert session.foreground is None
    assert messages(session) == "40 events at one instant: something loops; stopped\n"
    done, digest = session.events, session.digest()
    # The ^C is in the journal: a replay, which is not stopped, comes to the same place.
    execute(session, "run 10s")
    later, end = session.events, session.digest()
    execute(session, f"back {later - done}")
    assert session.digest() == digest
    execute(session, f"step {later - done}")
    assert session.digest() == end
    assert execute(session, "a: ping6 -c 1 2001:db8::2") == 0


def test_a_runaway_program_ends_alone(monkeypatch: pytest.MonkeyPatch, extra_programs: None) -> None:
    monkeypatch.setattr(process, "CALL_LIMIT", 5000)
    session = open_session("demo")
    execute(session, "run until idle")
    execute(session, "h1: ping6 -c 5 2001:db8:2::1 > /tmp/log &")
    session.take_output()
    assert execute(session, "h1: spin") == 70
    assert printed(session) == "spin: internal error: Runaway: 5000 system calls without waiting\n"
    execute(session, "run 10s")
    assert execute(session, "h1: cat /tmp/log") == 0
    assert "5 packets transmitted, 5 packets received" in printed(session)


# -- commands that take too long -----------------------------------------------------------------------------------


def test_an_overdue_command_is_interrupted_and_its_status_says_so() -> None:
    session = open_session("demo")
    execute(session, "run until idle")
    began = session.now
    assert execute(session, "h1: ping6 2001:db8:2::1 > /dev/null") == 124
    assert session.now == began + 3600 * SECOND
    assert messages(session) == "ping6: still running after 1h; interrupted\n"
    assert session.foreground is None


def test_an_overdue_command_is_overdue_in_every_replay(tmp_path: Path) -> None:
    session = open_session("demo")
    execute(session, "run until idle")
    session.timeout = 20 * SECOND
    assert execute(session, "h1: ping6 2001:db8:2::1") == 124
    assert "20 packets received" in session.commands[-1].text
    (tmp_path / "saved").write_bytes(session.save())
    again = open_session(str(tmp_path / "saved"))
    assert [command.status for command in again.commands] == [124]
    assert again.commands[-1].output == session.commands[-1].output


def test_what_does_not_heed_the_interrupt_is_killed(extra_programs: None, tmp_path: Path) -> None:
    session = open_session("demo")
    session.timeout = 60 * SECOND
    assert execute(session, "h1: stubborn") == 124
    assert session.now == 120 * SECOND
    assert "not me" in printed(session)
    assert session.foreground is None
    assert execute(session, "h1: ps") == 0
    assert "stubborn" not in printed(session)
    (tmp_path / "saved").write_bytes(session.save())
    assert open_session(str(tmp_path / "saved")).digest() == session.digest()


def test_a_program_that_reads_the_terminal_gets_its_end_at_once() -> None:
    session = open_session("demo")
    execute(session, "run until idle")
    now = session.now
    assert execute(session, "h1: cat") == 0
    assert session.now == now
    assert execute(session, "h1: sleep 5; cat; echo after") == 0
    assert session.now == now + 5 * SECOND
    assert printed(session) == "after\n"
    assert [entry.kind for entry in session.journal] == ["line", "eof", "line", "eof"]


# -- the capture's budget ------------------------------------------------------------------------------------------


def test_a_full_capture_lets_the_oldest_frames_go_and_says_so(tmp_path: Path) -> None:
    session = open_session("demo")
    execute(session, "run until idle")
    trace = session.world.network.trace
    trace.budget = 50 * (ROW_COST + 100)
    assert execute(session, "h1: ping6 -c 100 2001:db8:2::1 > /dev/null") == 0
    assert trace.lost > 300
    assert trace.octets <= trace.budget
    assert trace.octets == sum(len(row[12]) + ROW_COST for row in trace.packets)
    numbers = [row[0] for row in trace.packets]
    assert numbers == sorted(numbers)
    assert trace.packets[-1][1] > session.now - SECOND, "the newest stay"
    path = tmp_path / "rest.pcapng"
    session.take_output()
    assert execute(session, f"export {path}") == 3
    said = messages(session)
    assert f"the {trace.lost} oldest frames had to be let go" in said
    out = BytesIO()
    assert export(session.world.network, out, "test") == trace.lost
    assert path.stat().st_size > 50 * 100


def test_losing_frames_changes_no_future() -> None:
    sessions = [open_session("demo"), open_session("demo")]
    sessions[0].world.network.trace.budget = 2000
    for session in sessions:
        for line in ("run until idle", "h1: ping6 -c 20 2001:db8:2::1", "run 5m"):
            execute(session, line)
    assert sessions[0].world.network.trace.lost > 0
    assert sessions[0].digest() == sessions[1].digest()
    assert sessions[0].world.network.trace.records == sessions[1].world.network.trace.records


def test_records_are_bounded_too() -> None:
    session = open_session("demo")
    trace = session.world.network.trace
    trace.limit = 100
    execute(session, "run until idle")
    execute(session, "h1: ping6 -c 30 2001:db8:2::1 > /dev/null")
    assert len(trace.records) <= 100
    assert trace.get(trace.num) is not None
    assert trace.chain(trace.num)
