"""traceroute6 over real routers."""

from __future__ import annotations

import pytest
from real_nodes import NS, routed

from kamelab.wire import ip6


def test_the_router_then_the_target() -> None:
    bench = routed()
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    result = bench.sh("h1", "traceroute6 -n 2001:db8:2::2")
    assert result.lines == [
        "traceroute6 to 2001:db8:2::2 (2001:db8:2::2) from 2001:db8:1::1, 30 hops max, 12 byte packets",
        " 1  2001:db8:1::ff  0.1 ms  0.1 ms  0.1 ms",
        " 2  2001:db8:2::2  0.2 ms  0.2 ms  0.2 ms",
    ]
    assert result.status == 0


def test_the_head_line_goes_to_standard_error() -> None:
    result = routed().sh("h1", "traceroute6 -n 2001:db8:2::2 > /tmp/out; cat /tmp/out")
    assert result.lines[0].startswith("traceroute6 to ")
    assert result.lines[1].startswith(" 1  2001:db8:1::ff  ")


def test_probes_count_ports_upwards_and_hop_limits_by_three() -> None:
    bench = routed()
    bench.sh("h1", "traceroute6 -n 2001:db8:2::2")
    sent = [one[12][14:] for one in bench.net.trace.packets if one[2] == "h1" and one[6] == "tx" and one[12][20] == 17]
    assert [int.from_bytes(packet[42:44], "big") for packet in sent] == list(range(33434, 33440))
    assert [packet[ip6.HLIM] for packet in sent] == [1, 1, 1, 2, 2, 2]
    assert {len(packet) for packet in sent} == {40 + 8 + 12}


def test_names_and_addresses() -> None:
    bench = routed()
    bench.sh("h1", "echo '2001:db8:1::ff r1' >> /etc/hosts; echo '2001:db8:2::2 h2' >> /etc/hosts")
    assert [line.split("  ")[1] for line in bench.sh("h1", "traceroute6 h2").lines[1:]] == ["r1", "h2"]
    lines = bench.sh("h1", "traceroute6 -l h2").lines
    assert lines[0].startswith("traceroute6 to h2 (2001:db8:2::2) from 2001:db8:1::1,")
    assert [line.split("  ")[1] for line in lines[1:]] == ["r1 (2001:db8:1::ff)", "h2 (2001:db8:2::2)"]


def test_echo_requests_find_the_same_way() -> None:
    lines = routed().sh("h1", "traceroute6 -I -n -q 1 2001:db8:2::2").lines
    assert lines[0].endswith("30 hops max, 16 byte packets")
    assert [line.split()[:2] for line in lines[1:]] == [["1", "2001:db8:1::ff"], ["2", "2001:db8:2::2"]]


def test_no_route_behind_the_router_ends_the_trace() -> None:
    lines = routed().sh("h1", "traceroute6 -n 2001:db8:9::1").lines[1:]
    assert lines == [
        " 1  2001:db8:1::ff  0.2 ms  0.1 ms  0.1 ms",
        " 2  2001:db8:1::ff  0.1 ms !N  0.1 ms !N  0.1 ms !N",
    ], "the hop limit is looked at before the route"


def test_an_address_that_nobody_has_is_marked() -> None:
    lines = routed().sh("h1", "traceroute6 -n -q 1 2001:db8:2::99").lines[1:]
    assert lines == [" 1  2001:db8:1::ff  0.2 ms", " 2  2001:db8:1::ff  3000.1 ms !A"]


def test_a_silent_hop_is_waited_for_and_starred() -> None:
    bench = routed()
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    bench.net.set_link("right", False)
    begun = bench.now
    result = bench.sh("h1", "traceroute6 -n -m 2 -w 2 -q 2 2001:db8:2::2")
    assert result.lines[2] == " 2  * *"
    assert 4 * NS <= bench.now - begun < 5 * NS
    assert result.status == 0


def test_skipping_the_first_hops() -> None:
    lines = routed().sh("h1", "traceroute6 -n -f 2 -q 1 2001:db8:2::2 40").lines
    assert lines[0].endswith("40 byte packets")
    assert lines[1] == "Skipping 1 intermediate hops"
    assert lines[2].startswith(" 2  2001:db8:2::2  ")


def test_what_others_cause_is_not_taken_for_an_answer() -> None:
    bench = routed()
    bench.start("h1", "ping6 -h 1 -i 0.01 -q 2001:db8:2::2 &")
    lines = bench.sh("h1", "traceroute6 -n -m 3 2001:db8:2::2").lines
    assert [line.split()[:2] for line in lines if line.startswith(" ")] == [
        ["1", "2001:db8:1::ff"],
        ["2", "2001:db8:2::2"],
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("traceroute6 nosuch", "traceroute6: hostname nor servname provided, or not known\n"),
        ("traceroute6 ff02::1%ne0", "traceroute6: ff02::1%ne0: a group has no single way to it\n"),
        ("traceroute6 -r ::1", "traceroute6: setsockopt(SO_DONTROUTE): Protocol not available\n"),
        ("traceroute6 -s 2001:db8::9 ::1", "traceroute6: connect: Can't assign requested address\n"),
        ("traceroute6 -p 0 ::1", "traceroute6: invalid port.\n"),
    ],
)
def test_what_can_not_be_begun_has_one_line_and_status_1(line: str, said: str) -> None:
    assert routed().sh("h1", line) == (said, 1)


def test_no_route_at_all() -> None:
    bench = routed()
    bench.sh("h1", "route delete -inet6 default")
    assert bench.sh("h1", "traceroute6 2001:db8:2::2") == ("traceroute6: connect: No route to host\n", 1)
