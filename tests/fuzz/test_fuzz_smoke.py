"""The fuzzer in small (`make fuzz` is the whole): it finds nothing, reaches deep, and is the same run every time.

Promise "bad input": no exception, bounded tables, one end for each packet, counters that are their sums.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from tests.fuzz import __main__ as program
from tests.fuzz import checks
from tests.fuzz.drive import Driver, Result, chunk
from tests.fuzz.mutation import damaged, mended
from tests.fuzz.world import World
from tests.stack.wires import STRANGER, A, datagram

FRAMES = 4000


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [chunk(7, number, FRAMES) for number in range(5)]


def test_nothing_is_found(results: list[Result]) -> None:
    assert [one.found for one in results] == [""] * len(results)
    assert sum(one.frames for one in results) >= 5 * FRAMES


def test_it_reaches_deep(results: list[Result]) -> None:
    """Most reasons, and the machines of TCP, neighbour discovery and multicast in most of their states."""
    reasons = {name for one in results for name in one.reasons}
    assert len(reasons) >= 115
    states = {name for one in results for name in one.states}
    for wanted in (
        "tcp SYN-RECEIVED > ESTABLISHED",
        "tcp ESTABLISHED > CLOSE-WAIT",
        "tcp SYN-SENT > ESTABLISHED",
        "tcp FIN-WAIT-1 > FIN-WAIT-2",
        "nd6_nud DELAY > PROBE",
        "nd6_nud STALE > DELAY",
        "mld6 delaying > idle",
        "nd6_rtr router new",
    ):
        assert wanted in states, wanted
    assert all(sum(one.ended[event] for one in results) > 500 for event in ("deliver", "drop", "forward", "tx"))


def test_the_same_seed_is_the_same_run(results: list[Result]) -> None:
    assert chunk(7, 1, FRAMES) == results[1]
    assert chunk(8, 1, FRAMES).fingerprint != results[1].fingerprint


def test_damage_keeps_most_checksums_right() -> None:
    """Else nothing would come past the first test."""
    packet = datagram(STRANGER, A("fe80::ff:fe00:1"))
    assert mended(bytearray(packet[:46] + b"\x12\x34" + packet[48:])) == packet
    random = Random(1)
    assert len({damaged(random, packet, packet) for _ in range(200)}) > 150


def broken_table(world: World) -> None:
    world.h1.flows.update({bytes((n % 256, n // 256)): None for n in range(5000)})  # type: ignore[misc]


def broken_counter(world: World) -> None:
    world.h1.stat["ip6.badscope"] += 1


def broken_end(world: World) -> None:
    records = world.net.trace.records
    del records[max(at for at, row in enumerate(records) if row[6] == "deliver")]


def broken_handler(world: World) -> None:
    world.r1.console("ip6_input: internal error: ValueError()")


def broken_queue(world: World) -> None:
    so = next(so for so in world.h1.sockets.values() if so.kind == "udp6")
    so.octets += 1


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (broken_table, "flows"),
        (broken_counter, "ip6.badscope"),
        (broken_end, "accounting"),
        (broken_handler, "internal error"),
        (broken_queue, "octets counted"),
    ],
)
def test_what_is_broken_is_found(breaks: Callable[[World], None], says: str) -> None:
    driver = Driver(1, 0)
    driver.feed(300)
    breaks(driver.world)
    with pytest.raises(checks.Found, match=says):
        driver.finish()


def test_a_call_that_fails_in_another_way_than_by_errno_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(node: Node, sid: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(syscalls, "recvmsg", broken)
    assert "ZeroDivisionError" in chunk(1, 0, 2000).found


def test_the_program_tells_count_rate_and_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--count", "1000", "--seed", "3", "--chunk", "500"]) == 0
    out = capsys.readouterr().out
    assert "generated and mutated packets" in out
    assert "seed 3" in out
    assert "/s with 1 job" in out
    assert out.endswith("nothing found\n")
