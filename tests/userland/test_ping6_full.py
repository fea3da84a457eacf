"""ping6's rarer options between real nodes: node information, next hop, intermediate hops, large data, patterns."""

from __future__ import annotations

import pytest
from real_nodes import Bench, routed, small

from kamelab.wire import icmp6, ip6, nodeinfo

H2 = "fe80::ff:fe00:2%ne0"


def replies(bench: Bench, line: str) -> list[str]:
    """What stands between the first line and the statistics."""
    lines = bench.sh("h1", line).lines
    return lines[1 : lines.index("")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-w", ["25 bytes from fe80::ff:fe00:2%ne0: h2"]),
        ("-vw", ["25 bytes from fe80::ff:fe00:2%ne0: h2 (TTL=0:meaningless)"]),
        ("-W", ["23 bytes from fe80::ff:fe00:2%ne0: h2"]),
        ("-Wv", ["23 bytes from fe80::ff:fe00:2%ne0: h2 (TTL=0:meaningless,03 draft)"]),
        ("-a l", ["36 bytes from fe80::ff:fe00:2%ne0:", "  fe80::ff:fe00:2(TTL=infty)"]),
        ("-a g", ["36 bytes from fe80::ff:fe00:2%ne0:", "  2001:db8:1::2(TTL=infty)"]),
        ("-a s", ["16 bytes from fe80::ff:fe00:2%ne0:", "  no address"]),
        (
            "-t",
            ["20 bytes from fe80::ff:fe00:2%ne0: NodeInfo Supported Qtypes: NOOP, SupportedTypes, DnsName, NodeAddr"],
        ),
    ],
)
def test_node_information(options: str, said: list[str]) -> None:
    bench = small()
    bench.sh("h1", f"ping6 -c 1 {H2}")
    assert replies(bench, f"ping6 {options} -c 1 {H2}") == said


def test_all_addresses_of_a_node_take_the_letter_a() -> None:
    assert replies(small(), f"ping6 -a agl -c 1 {H2}")[1:] == [
        "  fe80::ff:fe00:2(TTL=infty)",
        "  2001:db8:1::2(TTL=infty)",
        "  ::1(TTL=infty)",
        "  fe80::1(TTL=infty)",
    ]


def test_who_is_on_the_link() -> None:
    """KAME USAGE: ``ping6 -w ff02::1`` lists the names; the size of a query stands in the first line."""
    bench = small()
    result = bench.sh("h1", "ping6 -w -I ne0 -c 2 ff02::1")
    assert result.lines[0] == "PING6(72=40+8+24 bytes) fe80::ff:fe00:1%ne0 --> ff02::1"
    assert "25 bytes from fe80::ff:fe00:1%ne0: h1" in result.lines
    assert "25 bytes from fe80::ff:fe00:2%ne0: h2" in result.lines
    assert "2 packets transmitted, 2 packets received, +1 duplicates, 0.0% packet loss" in result.lines
    assert result.status == 0


def test_a_qualified_name_ends_in_a_dot() -> None:
    bench = small()
    bench.sh("h2", "hostname h2.example.org")
    bench.run(1)
    assert replies(bench, f"ping6 -w -c 1 {H2}") == ["36 bytes from fe80::ff:fe00:2%ne0: h2.example.org."]


def test_the_group_of_a_name() -> None:
    bench = small()
    result = bench.sh("h1", "ping6 -N -w -I ne0 -c 1 H2.example")
    assert result.lines[:2] == [
        "PING6(72=40+8+24 bytes) fe80::ff:fe00:1%ne0 --> ff02::2:2c08:f6de",
        "25 bytes from fe80::ff:fe00:2%ne0: h2",
    ]
    assert bench.sent("h1", icmp6.NI_QUERY)[0][1][ip6.DST : ip6.DST + 16] == nodeinfo.name_group("h2")
    assert replies(bench, "ping6 -N -I ne0 -c 1 h2")[0].startswith("16 bytes from fe80::ff:fe00:2%ne0, icmp_seq=0")
    assert bench.sh("h1", "ping6 -N -q -w -I ne0 -c 1 nobody").status == 2


def test_a_node_that_says_nothing_is_silent() -> None:
    bench = small()
    bench.sh("h2", "sysctl -w net.inet6.icmp6.nodeinfo=0")
    result = bench.sh("h1", f"ping6 -w -c 1 {H2}")
    assert "1 packets transmitted, 0 packets received, 100.0% packet loss" in result.lines
    assert result.status == 2


def test_queries_come_once_a_second_with_a_nonce_each() -> None:
    bench = small()
    bench.sh("h1", f"ping6 -w -c 3 {H2}")
    nonces = [packet[48:56] for _, packet in bench.sent("h1", icmp6.NI_QUERY)]
    assert [nonce[:2] for nonce in nonces] == [b"\0\0", b"\0\1", b"\0\2"]
    assert len({nonce[2:] for nonce in nonces}) == 1


def two_routers() -> Bench:
    """h1 and h2 with two ways between them: r1, which h1's default route names, and r2."""
    bench = routed()
    bench.node("r2", "left", "right", forwarding=1)
    bench.sh("r2", "ifconfig ne0 inet6 2001:db8:1::fe alias; ifconfig ne1 inet6 2001:db8:2::fe alias")
    bench.run(3)
    return bench


@pytest.mark.parametrize(("line", "router"), [("-g 2001:db8:1::fe", "r2"), ("-g 2001:db8:1::ff", "r1"), ("", "r1")])
def test_the_next_hop_by_choice(line: str, router: str) -> None:
    bench = two_routers()
    assert "hlim=63" in replies(bench, f"ping6 {line} -c 1 2001:db8:2::2")[0]
    passed = {name for name in ("r1", "r2") if bench.sent(name, icmp6.ECHO_REQUEST)}
    assert passed == {router}


def test_a_link_local_next_hop_takes_its_zone_from_the_interface() -> None:
    bench = two_routers()
    assert len(replies(bench, "ping6 -I ne0 -g fe80::ff:fe00:5 -c 1 2001:db8:2::2")) == 1
    assert bench.sent("r2", icmp6.ECHO_REQUEST)


def test_intermediate_hops() -> None:
    bench = two_routers()
    result = bench.sh("h1", "ping6 -c 1 2001:db8:1::fe 2001:db8:2::2")
    assert result.lines[0] == "PING6(80=40+24+8+8 bytes) 2001:db8:1::1 --> 2001:db8:2::2"
    assert result.lines[1].startswith("16 bytes from 2001:db8:2::2, icmp_seq=0 hlim=6")
    assert result.status == 0


def test_a_router_that_refuses_the_routing_header_is_heard() -> None:
    bench = two_routers()
    bench.sh("r2", "sysctl -w net.inet6.ip6.rthdr0=0")
    result = bench.sh("h1", "ping6 -v -c 1 2001:db8:1::fe 2001:db8:2::2")
    assert any("bytes from 2001:db8:1::fe: Parameter problem: Erroneous Header" in line for line in result.lines)
    assert result.status == 2


def test_large_data_needs_a_large_buffer() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    few = bench.sh("h1", "ping6 -c 1 -s 9500 2001:db8:1::2")
    assert few.lines[0] == "ping6: you need -b to increase socket buffer size"
    assert "ping6: sendmsg: Message too long" in few.lines
    assert "ping6: wrote 2001:db8:1::2 9508 chars, ret=-1" in few.lines
    enough = bench.sh("h1", "ping6 -c 1 -b 20000 -s 9500 2001:db8:1::2")
    assert enough.lines[1].startswith("9508 bytes from 2001:db8:1::2, icmp_seq=0")
    assert len(replies(bench, "ping6 -c 1 -b 70000 -s 65487 2001:db8:1::2")) == 1


def test_more_than_a_packet_holds_goes_nowhere_but_over_a_large_mtu() -> None:
    """KAME IMPLEMENTATION 1.7 (2001): ``ping6 -b 70000 -s 68000 ::1``."""
    bench = small()
    assert "ping6: sendmsg: Message too long" in bench.sh("h1", "ping6 -c 1 -b 70000 -s 68000 2001:db8:1::2").lines
    bench.sh("h1", "ifconfig lo0 mtu 70100")
    result = bench.sh("h1", "ping6 -c 1 -b 70000 -s 68000 ::1")
    assert result.lines[:2] == [
        "PING6(68048=40+8+68000 bytes) ::1 --> ::1",
        "68008 bytes from ::1, icmp_seq=0 hlim=64 time=0 ms",
    ]
    assert result.status == 0


def test_other_messages_are_told_under_v_only() -> None:
    bench = small()
    loud = bench.sh("h1", "ping6 -v -c 1 2001:db8:1::2")
    assert "32 bytes from 2001:db8:1::2: Neighbor Advertisement" in loud.lines
    assert "Neighbor" not in bench.sh("h1", "ping6 -c 1 2001:db8:1::2").output


def test_flood_of_queries_and_quiet_runs() -> None:
    bench = small()
    bench.sh("h1", f"ping6 -c 1 {H2}")
    assert bench.sh("h1", f"ping6 -f -w -c 20 {H2}").output.count(".\b") == 20
    assert replies(bench, f"ping6 -q -w -c 2 {H2}") == []
