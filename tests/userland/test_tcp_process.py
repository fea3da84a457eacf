"""Programs with streams: they wait for connections, room and data; taken apart in the midst they go on the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from real_nodes import NS, Bench, small

from kamelab.core.errors import Errno, errno_name
from kamelab.lab import checkpoint
from kamelab.lab.build import World
from kamelab.lab.digest import digest
from kamelab.sim.loop import run_event
from kamelab.userland import programs
from kamelab.userland.proc import Proc
from kamelab.wire import in6

H2 = in6.pton("2001:db8:1::2")
PORT = 7777
DATA = bytes(n * 13 % 256 for n in range(150_000))

Install = Callable[..., None]


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


async def echod(proc: Proc, argv: list[str]) -> int:
    """Accepts one connection and sends back what it hears, to the end."""
    fd = proc.socket("tcp6")
    proc.bind(fd, bytes(16), PORT)
    proc.listen(fd)
    taken = await proc.accept(fd)
    assert taken is not None
    conn, addr, port, _ = taken
    assert proc.getpeername(conn)[:2] == (addr, port)
    while data := await proc.recv(conn):
        await proc.send(conn, data)
    proc.close(conn)
    proc.print(f"echo to {in6.ntop(addr)} is over")
    return 0


async def talk(proc: Proc, argv: list[str]) -> int:
    """Sends DATA in pieces, reads as it comes back, and prints whether it is the same."""
    fd = proc.socket("tcp6")
    try:
        await proc.connect_stream(fd, H2, PORT)
    except Errno as error:
        proc.print(f"talk: {errno_name(error.number)}")
        return 1
    got = bytearray()
    for at in range(0, len(DATA), 10_000):
        await proc.send(fd, DATA[at : at + 10_000])
        while len(got) < at:
            got += await proc.recv(fd) or b""
    proc.shutdown(fd, "wr")
    while data := await proc.recv(fd):
        got += data
    proc.print(f"{len(got)} octets, {'the same' if got == DATA else 'others'} at {proc.time() // 1000}")
    return 0


async def patience(proc: Proc, argv: list[str]) -> int:
    """Waits in each of the calls until its time is over."""
    fd = proc.socket("tcp6")
    proc.bind(fd, bytes(16), PORT)
    proc.listen(fd)
    proc.print(f"accept {await proc.accept(fd, NS)} select {await proc.select((fd,), NS)} at {proc.time() // NS}")
    other = proc.socket("tcp6")
    await proc.connect_stream(other, in6.LOOPBACK, PORT)
    proc.print(f"select {await proc.select((fd, other), NS)}")
    taken = await proc.accept(fd)
    assert taken is not None
    proc.print(f"recv {await proc.recv(taken[0], 10, NS)!r}")
    sent = await proc.send(other, bytes(1_000_000), NS)
    proc.print(f"sent {sent < 1_000_000} {sent > 50_000}")
    proc.print(f"select {await proc.select((taken[0],), NS) == (taken[0],)}")
    nobody = proc.socket("tcp6")
    try:
        await proc.connect_stream(nobody, in6.pton("2001:db8:1::77"), 9, timeout=NS // 2)
    except Errno as error:
        proc.print(errno_name(error.number))
    return 0


def test_two_programs_talk(install: Install) -> None:
    install(echod, talk)
    bench = small()
    server = bench.start("h2", "echod")
    result = bench.sh("h1", "talk")
    assert result.output.startswith("150000 octets, the same")
    assert bench.finish("h2", server).output == "echo to 2001:db8:1::1 is over\n"


def test_nobody_listens(install: Install) -> None:
    install(talk)
    assert small().sh("h1", "talk").output == "talk: ECONNREFUSED\n"


def test_calls_give_up_when_their_time_is_over(install: Install) -> None:
    install(patience)
    bench = small()
    assert bench.sh("h1", "patience").lines == [
        "accept None select () at 5",
        "select (3,)",
        "recv None",
        "sent True True",
        "select True",
        "ETIMEDOUT",
    ]


def test_the_end_of_a_program_closes_its_streams(install: Install) -> None:
    install(echod, talk)
    bench = small()
    server = bench.start("h2", "echod")
    bench.start("h1", "talk")
    bench.run(0.001)
    (pid,) = [pid for pid, one in bench.system("h1").procs.items() if one.name == "talk"]
    bench.system("h1").kill(pid, 9)
    bench.run(200)
    assert bench.system("h2").status(server) is not None
    assert not bench.net.nodes["h1"].sockets
    assert not bench.net.nodes["h2"].sockets


def world_of(bench: Bench) -> World:
    return World(bench.net, {name: bench.system(name) for name in bench.net.nodes})


def to_the_end(world: World) -> tuple[Any, ...]:
    """Let everything happen; all that came of it."""
    while run_event(world.network, 400 * NS):
        pass
    return (
        digest(world),
        {name: [text for _, _, text in system.output] for name, system in world.systems.items()},
        {name: node.counters() for name, node in world.network.nodes.items()},
    )


@pytest.mark.parametrize("events", [0, 1, 5, 37, 60, 200])
def test_a_transfer_taken_apart_in_its_midst_goes_on_the_same(install: Install, events: int) -> None:
    """Under loss, so that queues, timers and recovery are on both sides of the cut."""
    install(echod, talk)
    bench = small(seed=events + 3)
    bench.net.links["lan"].set("loss", 0.05)
    bench.net.links["lan"].set("latency", 3_000_000)
    bench.start("h2", "echod")
    bench.start("h1", "talk")
    for _ in range(events):
        run_event(bench.net)
    world = world_of(bench)
    copy = checkpoint.restore(checkpoint.take(world))
    assert digest(copy) == digest(world)
    ends = [to_the_end(copy), to_the_end(world)]
    assert ends[0] == ends[1]
    assert "150000 octets, the same" in "".join(ends[0][1]["h1"])


def test_the_digest_sees_a_connection(install: Install) -> None:
    install(echod, talk)
    seen = set()
    for seed in (1, 2):
        bench = small(seed)
        bench.start("h2", "echod")
        bench.start("h1", "talk")
        bench.run(0.002)
        world = world_of(bench)
        seen.add(digest(world))
        (tcb,) = [so.tcb for so in bench.net.nodes["h1"].sockets.values()]
        assert tcb is not None
        for name, value in (("cwnd", 1), ("rcv_adv", 1), ("queue", [(1, b"x", False)])):
            before = getattr(tcb, name)
            setattr(tcb, name, value)
            seen.add(digest(world))
            setattr(tcb, name, before)
        assert digest(world) in seen
    assert len(seen) == 8
