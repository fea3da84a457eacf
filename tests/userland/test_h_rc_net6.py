"""The reject routes of KAME's start-up file: each range of the list of invalid addresses, forwarded and from here.

KAME IMPLEMENTATION 1.14 (2001). The lines are those of the manual page, as a newcomer would copy them.
"""

from __future__ import annotations

import pytest
from real_nodes import Bench

from kamelab.stack import syscalls
from kamelab.stack.netinet6.ip6_input import hostile_v4
from kamelab.userland import man
from kamelab.wire import in6

LINES = [line.strip() for line in (man.page("rc.net6") or "").splitlines() if line.strip().startswith("route -q")]

RANGES = {
    "mapped unspecified": ("::ffff:0.0.0.1", "::ffff:0.255.255.255"),
    "mapped loopback": ("::ffff:127.0.0.1", "::ffff:127.255.255.255"),
    "mapped multicast": ("::ffff:224.0.0.1", "::ffff:239.255.255.255"),
    "mapped broadcast": ("::ffff:255.0.0.0", "::ffff:255.255.255.255"),
    "compatible unspecified": ("::0.0.0.2", "::0.255.255.255"),
    "compatible loopback": ("::127.0.0.1", "::127.255.255.255"),
    "compatible multicast": ("::224.0.0.1", "::239.255.255.255"),
    "compatible broadcast": ("::255.0.0.0", "::255.255.255.255"),
    "6to4 unspecified": ("2002::1", "2002:ff:ffff::1"),
    "6to4 loopback": ("2002:7f00::1", "2002:7fff:ffff::1"),
    "6to4 multicast": ("2002:e000::1", "2002:efff:ffff::1"),
    "6to4 broadcast": ("2002:ff00::1", "2002:ffff:ffff::1"),
    "6to4 10/8": ("2002:a00::1", "2002:aff:ffff::1"),
    "6to4 172.16/12": ("2002:ac10::1", "2002:ac1f:ffff::1"),
    "6to4 192.168/16": ("2002:c0a8::1", "2002:c0a8:ffff::1"),
}
"""First and last of each range."""

HARMLESS = (
    "2002:101:101::1",
    "2002:dfff::1",
    "2002:f000::1",
    "2002:ac20::1",
    "2002:c0a9::1",
    "::1.1.1.1",
    "2001:db8:1::2",
)


def network() -> Bench:
    bench = Bench()
    bench.link("left")
    bench.link("right")
    bench.node("h1", "left")
    bench.node("r1", "left", "right", forwarding=1)
    bench.node("h2", "right")
    for name, line in (
        ("h1", "ifconfig ne0 inet6 2001:db8:1::1 prefixlen 64 alias"),
        ("r1", "ifconfig ne0 inet6 2001:db8:1::ff prefixlen 64 alias"),
        ("r1", "ifconfig ne1 inet6 2001:db8:2::ff prefixlen 64 alias"),
        ("r1", "route add -inet6 default 2001:db8:2::2"),
        ("h2", "ifconfig ne0 inet6 2001:db8:2::2 prefixlen 64 alias"),
        ("h1", "route add -inet6 default 2001:db8:1::ff"),
    ):
        assert bench.finish(name, bench.start(name, line)).status == 0
    bench.run(5)
    for line in LINES:
        assert bench.finish("r1", bench.start("r1", line)).output == ""
    return bench


def test_the_page_has_a_line_for_each_route() -> None:
    assert len(LINES) == 12


@pytest.mark.parametrize("name", list(RANGES))
def test_a_range_is_refused_to_neighbours_and_to_programs_here(name: str) -> None:
    bench = network()
    r1 = bench.net.nodes["r1"]
    for text in RANGES[name]:
        start = bench.now
        bench.start("h1", f"ping6 -n -c 1 {text}")
        said = bench.finish("r1", bench.start("r1", f"ping6 -n -c 1 {text}"))
        bench.run(2)
        records = [one for one in bench.net.trace.all() if one.node == "r1" and one.time >= start]
        drops = [one.reason for one in records if one.event == "drop"]
        addr = in6.pton(text)
        on_the_wire = in6.is_v4mapped(addr) or hostile_v4(addr)
        if not in6.is_v4mapped(addr):
            assert ("IP6_V4COMPAT" if on_the_wire else "FWD_REJECT") in drops, drops
        assert not [one for one in records if one.event == "forward"]
        assert said.status != 0
        assert r1.routes.lookup(addr).flags.count("R") == 1  # type: ignore[union-attr]
    left = [row for row in bench.net.trace.packets if row[2] == "r1" and row[6] == "tx" and row[3] == "ne1"]
    assert not [row for row in left if row[12][38:54] in [in6.pton(text) for text in RANGES[name]]]


def test_the_rest_of_the_world_is_reached_as_before() -> None:
    bench = network()
    r1 = bench.net.nodes["r1"]
    for text in HARMLESS:
        route = r1.routes.lookup(in6.pton(text))
        assert route is not None
        assert "R" not in route.flags, text
    assert "1 packets received" in bench.finish("r1", bench.start("r1", "ping6 -n -c 1 ::1")).output
    counters = dict(syscalls.counters(r1))
    assert counters.get("ip6.noroute", 0) == 0
