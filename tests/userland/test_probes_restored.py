"""A checkpoint in the middle: ping6 with rtadvd in the background goes on, after pickling, as if nothing had been."""

from __future__ import annotations

import pickle
from math import ceil

import pytest
from real_nodes import Bench, routed


def restored(bench: Bench) -> Bench:
    """The network pickled and read again, its programs built anew from their logs."""
    again = Bench.__new__(Bench)
    again.net = pickle.loads(pickle.dumps(bench.net, protocol=5))
    again.macs = bench.macs
    for name in again.net.nodes:
        again.system(name).revive()
    return again


def digest(bench: Bench) -> list[object]:
    return [item for name in bench.net.nodes for item in bench.system(name).digest_items()]


def both_go_on(bench: Bench, seconds: float, node: str) -> str:
    """Run the original and its restored copy for a time; they must print and be the same."""
    bench.output(node)
    copy = restored(bench)
    assert digest(copy) == digest(bench)
    for one in (bench, copy):
        one.run(seconds)
    assert digest(copy) == digest(bench)
    assert (copy.net.clock.events, copy.net.trace.num) == (bench.net.clock.events, bench.net.trace.num)
    said = bench.output(node)
    assert copy.output(node) == said
    return said


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 16.0, 70.3])
def test_ping6_with_rtadvd_in_the_background(at: float) -> None:
    bench = routed()
    bench.sh("r1", "echo 'ne0:maxinterval#4:' > /etc/rtadvd.conf; rtadvd ne0 ne1")
    bench.start("h1", "ping6 -c 80 2001:db8:2::2")
    bench.run(at)
    said = both_go_on(bench, 100, "h1")
    assert "80 packets transmitted, 80 packets received, 0.0% packet loss" in said
    assert said.count("icmp_seq=") == 80 - ceil(at)


@pytest.mark.parametrize("at", [0.00005, 3.0, 9.0])
def test_traceroute6_that_waits(at: float) -> None:
    bench = routed()
    bench.net.set_link("right", False)
    bench.start("h1", "traceroute6 -n -q 1 -m 3 2001:db8:2::2")
    bench.run(at)
    both_go_on(bench, 60, "h1")


@pytest.mark.parametrize("at", [0.0, 0.8, 2.0, 6.0, 9.5])
def test_rtsol_that_asks(at: float) -> None:
    bench = routed()
    bench.start("h1", "rtsol -F ne0")
    bench.run(at)
    both_go_on(bench, 20, "h1")


@pytest.mark.parametrize("at", [0.5, 3.0, 4.0])
def test_rtadvd_that_says_goodbye(at: float) -> None:
    bench = routed()
    bench.sh("r1", "rtadvd ne0")
    bench.run(60)
    bench.sh("r1", "kill " + bench.sh("r1", "cat /var/run/rtadvd.pid").output.strip())
    bench.run(at)
    both_go_on(bench, 20, "r1")
    assert "rtadvd" not in bench.sh("r1", "ps").output


def test_the_log_of_a_long_ping_stays_short() -> None:
    bench = routed()
    bench.start("h1", "ping6 -i 0.1 -q 2001:db8:2::2")
    longest = 0
    for _ in range(60):
        bench.run(1)
        longest = max(longest, *(len(process.log) for process in bench.system("h1").procs.values()))
    assert longest < 1000
