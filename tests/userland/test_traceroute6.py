"""traceroute6 over real routers."""

from __future__ import annotations

import re

import pytest
from real_nodes import NS, Bench, routed

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
        ("traceroute6 -r 2001:db8:2::2", "traceroute6: sendto: Network is unreachable\n"),
        ("traceroute6 -g ff02::1%ne0 ::1", "traceroute6: ff02::1%ne0: a group can't be a gateway\n"),
        ("traceroute6 -g nosuch ::1", "traceroute6: hostname nor servname provided, or not known\n"),
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


# -- led by a routing header -----------------------------------------------------------------------------------------


def ring(rthdr0: int = 1) -> Bench:
    """h1 - r1 - r2 - h2, where r1 knows a shorter way to h2: a link of its own.

    h1 -left- r1 -middle- r2 -right- h2, and r1 is on right too.
    """
    bench = Bench()
    for name in ("left", "middle", "right"):
        bench.link(name)
    bench.node("h1", "left")
    bench.node("r1", "left", "middle", "right", forwarding=1)
    bench.node("r2", "middle", "right", forwarding=1)
    bench.node("h2", "right")
    for name, interface, address in (
        ("h1", "ne0", "2001:db8:1::1"),
        ("r1", "ne0", "2001:db8:1::a"),
        ("r1", "ne1", "2001:db8:2::a"),
        ("r1", "ne2", "2001:db8:3::a"),
        ("r2", "ne0", "2001:db8:2::b"),
        ("r2", "ne1", "2001:db8:3::b"),
        ("h2", "ne0", "2001:db8:3::2"),
    ):
        bench.sh(name, f"ifconfig {interface} inet6 {address} alias")
    bench.sh("h1", "route add -inet6 default 2001:db8:1::a")
    bench.sh("r2", "route add -inet6 2001:db8:1::/64 2001:db8:2::a")
    bench.sh("h2", "route add -inet6 default 2001:db8:3::a")
    for name in ("r1", "r2", "h2"):
        bench.sh(name, f"sysctl -w net.inet6.ip6.rthdr0={rthdr0}")
    bench.run(3)
    return bench


def hops(bench: Bench, line: str) -> list[str]:
    return [words.split()[1] for words in bench.sh("h1", line).lines if words.startswith(" ")]


def test_a_gateway_leads_the_probes_where_no_route_would() -> None:
    bench = ring()
    assert hops(bench, "traceroute6 -n 2001:db8:3::2") == ["2001:db8:1::a", "2001:db8:3::2"]
    assert hops(bench, "traceroute6 -n -g 2001:db8:2::b 2001:db8:3::2") == [
        "2001:db8:1::a",
        "2001:db8:2::b",
        "2001:db8:3::2",
    ]


def test_echo_requests_are_led_too_and_by_several_gateways() -> None:
    bench = ring()
    # To r2, back to r1, and by r1's own link to the target.
    way = hops(bench, "traceroute6 -n -I -q 1 -g 2001:db8:2::b -g 2001:db8:2::a 2001:db8:3::2")
    assert way == ["2001:db8:1::a", "2001:db8:2::b", "2001:db8:1::a", "2001:db8:3::2"]


def test_a_router_that_has_switched_type_0_off_is_where_it_ends() -> None:
    bench = ring(rthdr0=0)
    said = bench.sh("h1", "traceroute6 -n -v -q 1 -m 3 -g 2001:db8:2::b 2001:db8:3::2").output
    assert re.search(r"^ 2001:db8:1::a \d+ bytes of data to 2001:db8:1::1  \S+ ms$", said, re.MULTILINE)
    assert "from 2001:db8:2::b to 2001:db8:1::1: icmp type 4 (Parameter problem: Erroneous Header" in said
    assert said.endswith("\n *\n")


# -- the rest of the options -----------------------------------------------------------------------------------------


def test_neighbors_may_be_traced_without_routing() -> None:
    bench = routed()
    assert hops(bench, "traceroute6 -n -r 2001:db8:1::ff") == ["2001:db8:1::ff"]


def test_verbose_dumps_what_is_no_answer() -> None:
    bench = routed()
    text = bench.sh("h1", "traceroute6 -n -v 2001:db8:2::2").output
    assert re.search(
        r"32 bytes from 2001:db8:1::ff to 2001:db8:1::1: icmp type 136 \(.+\) code 0\n 4: xe0000000\n 8: x2", text
    )


def test_debug_changes_nothing() -> None:
    assert hops(routed(), "traceroute6 -d -n 2001:db8:2::2") == ["2001:db8:1::ff", "2001:db8:2::2"]


def test_the_packet_is_as_long_as_was_asked() -> None:
    bench = routed()
    bench.sh("h1", "traceroute6 -n -q 1 2001:db8:2::2 1000")
    sizes = {
        len(row[12]) - 14 - 40 - 8
        for row in bench.net.trace.packets
        if row[2] == "h1" and row[6] == "tx" and row[12][20] == 17
    }
    assert sizes == {1000}
