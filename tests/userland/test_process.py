"""Processes: what a program may ask, how it waits, how it ends, under what cause it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from userland_bench import Bench, lab

from kamelab.core.clock import SECOND
from kamelab.core.errors import EBADF, ECHILD, ENOENT, ESRCH, Errno
from kamelab.userland import process, programs
from kamelab.userland.proc import SIGINT, SIGKILL, SIGTERM, Proc, Signal

Install = Callable[..., None]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return lab(monkeypatch)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Add programs of the test to the table, by the functions' names."""
    known = programs.main_of
    added: dict[str, Any] = {}

    def main_of(name: str) -> Any:
        return added.get(name) or known(name)

    def add(*mains: Any) -> None:
        for main in mains:
            added[main.__name__] = main
            monkeypatch.setitem(programs.MODULES, main.__name__, ("", ""))

    monkeypatch.setattr(programs, "main_of", main_of)
    return add


async def echoes(proc: Proc, argv: list[str]) -> int:
    """Sends N messages a second apart and prints what comes back; ^C prints a summary."""
    fd = proc.socket("udp6")
    got = 0
    proc.print(f"begin {proc.random(1000)}")
    try:
        for number in range(int(argv[1])):
            proc.sendmsg(fd, b"m%d" % number, bytes(16), 7)
            proc.write(f"sent {number} ")
            message = await proc.recvmsg(fd, 3 * SECOND)
            if message is None:
                proc.print("lost")
                continue
            got += 1
            proc.print(f"got {message.data.decode()} at {proc.time() / SECOND:g}")
            await proc.sleep(SECOND)
    except Signal as signal:
        proc.print(f"signal {signal.number}: {got}")
    return 0 if got else 2


class Tally:
    """State of `counting`: plain and picklable."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seen: list[bytes] = []


async def counting(proc: Proc, argv: list[str]) -> int:
    """A daemon that keeps its state."""
    if proc.state is None:
        state = Tally(proc.socket("udp6"))
        proc.print("starting")
        proc.daemon()
    else:
        state = proc.state
    while True:
        proc.keep(state)
        message = await proc.recvmsg(state.fd, 10 * SECOND)
        state.seen.append(message.data if message else b"-")
        proc.error(f"{len(state.seen)} {proc.time() // SECOND}\n")
        if len(state.seen) % 3 == 0:
            await proc.sleep(SECOND)
            proc.sendmsg(state.fd, state.seen[-1], bytes(16), 7)


def test_sleep_takes_virtual_time(bench: Bench, install: Install) -> None:
    assert bench.sh("sleep 1.5; sleep 2m") == ("", 0)
    assert bench.clock.now == 121_500_000_000


def test_recvmsg_waits_for_the_packet_or_its_timeout(bench: Bench, install: Install) -> None:
    install(echoes)
    text, status = bench.sh("echoes 2")
    assert text.splitlines()[1:] == ["sent 0 got m0 at 1", "sent 1 got m1 at 3"]
    assert status == 0
    bench.node.echo = False
    text, status = bench.sh("echoes 1")
    assert text.endswith("sent 0 lost\n")
    assert status == 2
    assert bench.clock.now == 7 * SECOND


def test_ended_process_gives_its_sockets_and_timer_back(bench: Bench, install: Install) -> None:
    install(echoes)
    bench.sh("echoes 1")
    assert bench.node.closed == [101]
    assert bench.node.sockets == {}
    assert bench.clock.busy == 0
    assert bench.system.procs == {}
    assert bench.system.sleepers == {}


def test_interrupt_is_raised_at_the_await(bench: Bench, install: Install) -> None:
    install(echoes)
    pid = bench.start("echoes 5")
    bench.run(2.5)
    assert bench.system.foreground("t")
    assert bench.system.interrupt("t")
    bench.drain()
    assert bench.text["t"].endswith("signal 2: 1\n")
    assert bench.system.status(pid) == 0
    assert not bench.system.interrupt("t")


@pytest.mark.parametrize(("signal", "status"), [(SIGINT, 130), (SIGTERM, 143), (SIGKILL, 137)])
def test_uncaught_signal_ends_with_128_and_its_number(bench: Bench, signal: int, status: int) -> None:
    pid = bench.start("sleep 100")
    bench.system.kill(pid + 1, signal)
    bench.drain()
    assert bench.system.status(pid) == status
    assert bench.clock.now == 0


def test_kill_cannot_be_caught(bench: Bench, install: Install) -> None:
    async def stubborn(proc: Proc, argv: list[str]) -> int:
        while True:
            try:
                await proc.sleep(SECOND)
            except BaseException:
                proc.print("never")

    install(stubborn)
    pid = bench.start("stubborn")
    bench.system.kill(pid + 1, SIGKILL)
    bench.drain()
    assert bench.system.status(pid) == 137
    assert bench.text["t"] == "Killed\n"


def test_interrupt_by_process_id_reaches_its_children(bench: Bench) -> None:
    pid = bench.start("sleep 9", "boot", background=True)
    assert bench.system.idle()
    bench.system.interrupt(pid)
    bench.drain()
    assert bench.system.status(pid) == 130


def test_exception_is_status_70_and_one_line(bench: Bench, install: Install) -> None:
    async def broken(proc: Proc, argv: list[str]) -> int:
        raise ValueError("bad day")

    install(broken)
    assert bench.sh("broken; echo on") == ("broken: internal error: ValueError: bad day\non\n", 0)
    assert bench.sh("broken")[1] == 70
    assert "bad day" in bench.system.faults[0]


def test_loop_that_never_waits_is_ended(
    bench: Bench,
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "CALL_LIMIT", 1000)

    async def busy(proc: Proc, argv: list[str]) -> int:
        while True:
            try:
                await proc.sleep(0)
            except Exception:
                continue

    install(busy)
    text, status = bench.sh("busy")
    assert status == 70
    assert "calls without waiting" in text


def test_errors_of_calls(bench: Bench, install: Install) -> None:
    async def wrong(proc: Proc, argv: list[str]) -> int:
        for call in (
            lambda: proc.sysctl("net.inet6.nothing"),
            lambda: proc.read_file("/etc/nothing"),
            lambda: proc.sendmsg(9, b""),
            lambda: proc.close(3),
            lambda: proc.kill(999, SIGTERM),
        ):
            try:
                call()
            except Errno as error:
                proc.print(str(error.number))
        for wait in (proc.recvmsg(9), proc.waitpid(1), proc.select((8,))):
            try:
                await wait
            except Errno as error:
                proc.print(str(error.number))
        proc.exit(5)

    install(wrong)
    text, status = bench.sh("wrong")
    assert [int(line) for line in text.split()] == [ENOENT, ENOENT, EBADF, EBADF, ESRCH, EBADF, ECHILD, EBADF]
    assert status == 5


def test_select_tells_which_can_be_read(bench: Bench, install: Install) -> None:
    async def two(proc: Proc, argv: list[str]) -> int:
        fds = (proc.socket("udp6"), proc.socket("raw6", 58), 0)
        proc.print(str(await proc.select(fds, SECOND)))
        proc.sendmsg(fds[1], b"x")
        proc.print(str(await proc.select(fds)))
        await proc.recvmsg(fds[1])
        proc.print(str(await proc.select(fds)))
        proc.print(await proc.readline())
        return 0

    install(two)
    pid = bench.start("two")
    bench.run()
    assert bench.text["t"] == "()\n(4,)\n"
    assert bench.system.reading("t")
    bench.system.input("t", "typed\n")
    bench.drain()
    assert bench.text["t"].endswith("(0,)\ntyped\n\n")
    assert bench.system.status(pid) == 0


def test_commands_make_one_record_and_timers_run_under_it(bench: Bench, install: Install) -> None:
    seen: list[tuple[int, int]] = []

    async def causes(proc: Proc, argv: list[str]) -> int:
        trace = bench.trace
        fd = proc.socket("udp6")
        seen.append((trace.cause, trace.also))
        await proc.sleep(SECOND)
        seen.append((trace.cause, trace.also))
        proc.sendmsg(fd, b"x")
        await proc.recvmsg(fd)
        seen.append((trace.cause, trace.also))
        await proc.sleep(SECOND)
        seen.append((trace.cause, trace.also))
        return 0

    install(causes)
    bench.sh("causes -x; true")
    commands = [record for record in bench.trace.all() if record.event == "command"]
    assert [(record.node, record.note) for record in commands] == [("h1", "causes -x"), ("h1", "true")]
    mine = commands[0].num
    deliver = next(record.num for record in bench.trace.all() if record.event == "deliver")
    assert seen == [(mine, 0), (mine, mine), (deliver, 0), (mine, deliver)]


def test_daemon_frees_the_shell_and_goes_on(bench: Bench, install: Install) -> None:
    install(counting)
    assert bench.sh("counting") == ("starting\n", 0)
    assert bench.system.idle()
    assert [row.state for row in (process.row("") for process in bench.system.procs.values())] == ["Ss"]
    bench.run(25)
    assert bench.text["console"] == "1 10\n2 20\n"
    assert bench.system.console == [(10 * SECOND, "1 10"), (20 * SECOND, "2 20")]


def test_daemon_in_a_receive_is_no_work_to_come_but_asleep_it_is(bench: Bench, install: Install) -> None:
    install(counting)
    bench.sh("counting")
    assert bench.clock.busy == 0
    bench.run(30)
    assert bench.clock.busy == 1
    bench.run(1)
    assert bench.clock.busy == 1, "its own message is under way"


def test_background_job_in_a_timed_receive_is_work_to_come(bench: Bench, install: Install) -> None:
    install(echoes)
    bench.node.echo = False
    bench.sh("echoes 1 &")
    assert bench.system.idle()
    assert bench.clock.busy == 1


def test_closing_says_nothing(bench: Bench, install: Install) -> None:
    async def tidy(proc: Proc, argv: list[str]) -> int:
        try:
            await proc.sleep(SECOND)
        finally:
            proc.print("farewell")
        return 0

    install(tidy)
    bench.start("tidy")
    bench.system.close()
    bench.run()
    assert bench.text.get("t", "") == ""
    assert bench.clock.busy == 0


def test_keep_cuts_the_log(bench: Bench, install: Install) -> None:
    install(counting)
    bench.sh("counting")
    bench.run(1000)
    (daemon,) = bench.system.procs.values()
    assert len(daemon.log) < 6
    assert daemon.calls > 100


# -- restoring -----------------------------------------------------------------------------------------------------


def outcome(bench: Bench) -> tuple[Any, ...]:
    return (
        bench.text,
        bench.clock.now,
        bench.node.sent,
        bench.node.calls,
        bench.streams.counters,
        bench.system.console,
        list(bench.system.digest_items()),
    )


LINE = "echo first; echoes 4 | cat -n | grep -v nothing; sysctl_twice > /tmp/out; cat /tmp/out; sleep 1"


async def sysctl_twice(proc: Proc, argv: list[str]) -> int:
    """Changes the node and fails at something, on both sides of a wait."""
    proc.print(str(proc.sysctl_set("net.inet6.ip6.forwarding", 1)))
    await proc.sleep(SECOND)
    try:
        proc.sysctl("no.such")
    except Errno as error:
        proc.print(str(error))
    await proc.sleep(SECOND)
    proc.print(str(proc.sysctl("net.inet6.ip6.forwarding")))
    return 0


@pytest.mark.parametrize("steps", range(22))
def test_restored_lab_goes_on_as_the_first_one(bench: Bench, install: Install, steps: int) -> None:
    install(echoes, sysctl_twice, counting)
    bench.start("counting", "d")
    bench.start(LINE)
    for _ in range(steps):
        bench.step()
    other = bench.restored()
    assert outcome(other) == outcome(bench)
    for each in (bench, other):
        each.run(100)
    assert outcome(other) == outcome(bench)
    assert "     5\tsent 3 got m3 at 7" in bench.text["t"]
    assert bench.text["t"].endswith("0\nNo such file or directory\n1\n")


def test_restored_again_and_again(bench: Bench, install: Install) -> None:
    install(echoes, sysctl_twice, counting)
    bench.start("counting", "d")
    bench.start(LINE)
    other = bench.restored()
    while other.clock.now < 60 * SECOND and other.step():
        other = other.restored()
    while bench.clock.now < 60 * SECOND and bench.step():
        pass
    assert outcome(other) == outcome(bench)


def test_signal_after_restoring(bench: Bench, install: Install) -> None:
    install(echoes)
    pid = bench.start("echoes 9")
    bench.run(2.5)
    bench.system.kill(pid + 1, 30)
    other = bench.restored()
    for each in (bench, other):
        each.drain()
        assert each.text["t"].endswith("signal 30: 1\n")
        assert each.system.status(pid) == 0


def test_restoring_repeats_no_output_and_no_call(bench: Bench, install: Install) -> None:
    install(echoes)
    bench.start("echoes 3")
    bench.run(2.5)
    sent = len(bench.node.sent)
    other = bench.restored()
    other.drain()
    assert other.text == bench.text
    assert len(other.node.sent) == sent
    assert other.node.sid == bench.node.sid


def test_program_that_remembers_outside_its_log_is_found_out(bench: Bench, install: Install) -> None:
    runs: list[int] = []

    async def cheat(proc: Proc, argv: list[str]) -> int:
        runs.append(1)
        if len(runs) > 1:
            proc.time()
        proc.print("once")
        await proc.sleep(SECOND)
        return 0

    install(cheat)
    bench.start("cheat")
    with pytest.raises(RuntimeError, match="call 0 is time, was write"):
        bench.restored()
