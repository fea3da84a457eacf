"""bindtest(8) on each platform (KAME IMPLEMENTATION 1.12 (2001))."""

from __future__ import annotations

import pytest
from real_nodes import Bench, small

from kamelab.stack import syscalls
from kamelab.stack.socket import profiles

FREEBSD = """\
udp port 65432, net.inet6.ip6.v6only: 0
1st \\ 2nd     0.0.0.0       127.0.0.1     ::            ::1
0.0.0.0       EADDRINUSE    EADDRINUSE    ok            ok
127.0.0.1     EADDRINUSE    EADDRINUSE    EADDRINUSE    ok
::            ok            EADDRINUSE    EADDRINUSE    EADDRINUSE
::1           ok            ok            EADDRINUSE    EADDRINUSE
"""
APART = """\
1st \\ 2nd     0.0.0.0       127.0.0.1     ::            ::1
0.0.0.0       EADDRINUSE    EADDRINUSE    ok            ok
127.0.0.1     EADDRINUSE    EADDRINUSE    ok            ok
::            ok            ok            EADDRINUSE    EADDRINUSE
::1           ok            ok            EADDRINUSE    EADDRINUSE
"""


@pytest.fixture(scope="module")
def bench() -> Bench:
    return small()


def test_the_table_of_the_default_platform(bench: Bench) -> None:
    assert bench.sh("h1", "bindtest -u") == (FREEBSD, 0)


def test_both_protocols_one_after_the_other_on_a_port_of_choice(bench: Bench) -> None:
    result = bench.sh("h1", "bindtest -p 80")
    tcp, udp = result.output.split("\n\n")
    assert (tcp.splitlines()[0], udp.splitlines()[0]) == (
        "tcp port 80, net.inet6.ip6.v6only: 0",
        "udp port 80, net.inet6.ip6.v6only: 0",
    )
    assert tcp.splitlines()[1:] == udp.splitlines()[1:]
    assert syscalls.rows(bench.net.nodes["h1"], "sockets") == ()


@pytest.mark.parametrize("platform", ["bsdi3", "freebsd2", "netbsd", "openbsd"])
def test_platforms_whose_families_never_meet(bench: Bench, platform: str) -> None:
    profiles.assign(bench.net.nodes["h2"], platform)
    assert bench.sh("h2", "bindtest -t").output == f"tcp port 65432, net.inet6.ip6.v6only: 1\n{APART}"


def test_columns_stand_below_each_other_when_the_port_is_taken(bench: Bench) -> None:
    lines = bench.sh("h1", "nc -u -l 5000 & bindtest -u -p 5000; kill %1").lines
    table = lines[lines.index("udp port 5000, net.inet6.ip6.v6only: 0") + 1 :][:5]
    assert "1st: EADDRINUSE" in table[3]
    for heading in ("127.0.0.1", "::  ", "::1"):
        at = table[0].index(heading)
        assert [row[at - 1] == " " and row[at] != " " for row in table] == [True] * 5


def test_on_bsdi4_the_order_counts(bench: Bench) -> None:
    profiles.assign(bench.net.nodes["h2"], "bsdi4")
    lines = bench.sh("h2", "bindtest -u").lines
    assert lines[2].split() == ["0.0.0.0", "EADDRINUSE", "EADDRINUSE", "ok", "ok"]
    assert lines[4].split() == ["::", "EADDRINUSE", "EADDRINUSE", "EADDRINUSE", "EADDRINUSE"]


def test_a_port_that_somebody_has_already() -> None:
    bench = small()
    h1 = bench.net.nodes["h1"]
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.bind(h1, sid, bytes(16), 65432, 0)
    result = bench.sh("h1", "bindtest -u")
    assert result.status == 1
    assert "1st: EADDRINUSE" in result.lines[4]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bindtest -p 0", "a port is a number from 1 to 65535"),
        ("bindtest -p http", "a port is a number from 1 to 65535"),
        ("bindtest -x", "usage: bindtest [-tu] [-p port]"),
        ("bindtest 80", "usage: bindtest [-tu] [-p port]"),
    ],
)
def test_lines_that_are_refused(bench: Bench, line: str, words: str) -> None:
    result = bench.sh("h1", line)
    assert words in result.output
    assert result.status == 1
