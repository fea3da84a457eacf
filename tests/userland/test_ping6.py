"""ping6 between real nodes in virtual time: what it prints, how long it waits, with which status it ends."""

from __future__ import annotations

import pytest
from real_nodes import MS, NS, Bench, routed, small

from kamelab.wire import icmp6, ip6

ECHO = icmp6.ECHO_REQUEST


def test_a_neighbour_answers_once_a_second() -> None:
    bench = small()
    begun = bench.now
    result = bench.sh("h1", "ping6 -c 3 2001:db8:1::2")
    assert result.lines == [
        "PING6(56=40+8+8 bytes) 2001:db8:1::1 --> 2001:db8:1::2",
        "16 bytes from 2001:db8:1::2, icmp_seq=0 hlim=64 time=0.2 ms",
        "16 bytes from 2001:db8:1::2, icmp_seq=1 hlim=64 time=0.1 ms",
        "16 bytes from 2001:db8:1::2, icmp_seq=2 hlim=64 time=0.1 ms",
        "",
        "--- 2001:db8:1::2 ping6 statistics ---",
        "3 packets transmitted, 3 packets received, 0.0% packet loss",
        "round-trip min/avg/max/std-dev = 0.100/0.133/0.200/0.047 ms",
    ]
    assert result.status == 0
    assert bench.now - begun == 2 * NS + MS // 10, "it ends with the last reply"


def test_across_a_router_the_hop_limit_is_one_lower() -> None:
    lines = routed().sh("h1", "ping6 -c 1 2001:db8:2::2").lines
    assert lines[1].startswith("16 bytes from 2001:db8:2::2, icmp_seq=0 hlim=63 time=")


def test_the_message_carries_identifier_sequence_and_time() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 2 -s 12 2001:db8:1::2")
    first, second = (packet for _, packet in bench.sent("h1", ECHO))
    assert len(first) == 40 + 8 + 12
    assert first[44:46] == second[44:46]
    assert (first[46:48], second[46:48]) == (b"\0\0", b"\0\1")
    at = (bench.net.clock.epoch + bench.sent("h1", ECHO)[1][0]) // 1000
    assert int.from_bytes(second[48:52], "big") * 10**6 + int.from_bytes(second[52:56], "big") == at
    assert second[56:] == bytes((16, 17, 18, 19))


def test_every_member_of_a_group_answers_and_all_but_the_first_are_marked() -> None:
    bench = Bench()
    bench.link("lan")
    for name in ("h1", "h2", "h3", "h4"):
        bench.node(name, "lan")
    bench.run(3)
    result = bench.sh("h1", "ping6 -I ne0 -c 2 ff02::1")
    assert result.lines[0] == "PING6(56=40+8+8 bytes) fe80::ff:fe00:1%ne0 --> ff02::1"
    # It stops at the second request's first reply, so the last request has no repeated ones.
    marked = [line for line in result.lines if line.endswith("(DUP!)")]
    assert {line.split()[3] for line in marked} >= {"fe80::ff:fe00:3%ne0,", "fe80::ff:fe00:4%ne0,"}
    assert all("icmp_seq=0" in line for line in marked)
    assert f"2 packets transmitted, 2 packets received, +{len(marked)} duplicates, 0.0% packet loss" in result.output
    assert result.status == 0


def test_a_silent_destination_is_waited_for_ten_seconds_and_status_is_2() -> None:
    bench = routed()
    bench.net.set_link("right", False)
    bench.sh("h1", "ping6 -c 1 2001:db8:1::ff")
    begun = bench.now
    result = bench.sh("h1", "ping6 -q -c 2 2001:db8:2::2")
    assert "2 packets transmitted, 0 packets received, 100.0% packet loss" in result.output
    assert "round-trip" not in result.output
    assert result.status == 2
    assert bench.now - begun == 12 * NS


def test_after_a_reply_it_waits_a_second_for_the_missing_one() -> None:
    bench = small()
    pid = bench.start("h1", "ping6 -c 2 2001:db8:1::2")
    bench.run(0.5)
    bench.net.set_link("lan", False)
    result = bench.finish("h1", pid)
    assert "2 packets transmitted, 1 packets received, 50.0% packet loss" in result.output
    assert result.status == 0
    assert bench.now == 3 * NS + 3 * NS


def test_a_dead_neighbour_is_told_by_the_kernels_own_error() -> None:
    bench = small()
    result = bench.sh("h1", "ping6 -c 1 2001:db8:1::99")
    assert "64 bytes from 2001:db8:1::1: Destination Host Unreachable" in result.lines
    assert result.status == 2
    assert "Unreachable" not in bench.sh("h1", "ping6 -q -c 1 2001:db8:1::99").output


def test_an_error_shows_who_sent_it_and_with_v_about_what() -> None:
    bench = routed()
    result = bench.sh("h1", "ping6 -v -h 1 -c 1 2001:db8:2::2")
    at = result.lines.index("64 bytes from 2001:db8:1::ff: Time to live exceeded")
    assert result.lines[at + 1] == "\t2001:db8:1::1 --> 2001:db8:2::2, icmp_seq=0"
    assert [packet[ip6.HLIM] for _, packet in bench.sent("h1", ECHO)] == [1]


def test_interrupt_prints_the_statistics() -> None:
    bench = small()
    pid = bench.start("h1", "ping6 2001:db8:1::2")
    bench.run(2.5)
    bench.system("h1").interrupt("h1")
    result = bench.finish("h1", pid)
    assert result.lines[-2:] == [
        "3 packets transmitted, 3 packets received, 0.0% packet loss",
        "round-trip min/avg/max/std-dev = 0.100/0.133/0.200/0.047 ms",
    ]
    assert result.status == 0


def test_termination_prints_nothing() -> None:
    bench = small()
    pid = bench.start("h1", "ping6 2001:db8:1::2")
    bench.run(0.5)
    bench.system("h1").kill(pid + 1, 15)
    result = bench.finish("h1", pid)
    assert "statistics" not in result.output
    assert result.status == 128 + 15


def test_no_route_is_told_at_once() -> None:
    result = small().sh("h1", "ping6 2001:db8:9::1")
    assert result == ("ping6: UDP connect: No route to host\n", 1)


def test_a_route_that_goes_away_is_told_for_each_request() -> None:
    bench = routed()
    pid = bench.start("h1", "ping6 -c 2 2001:db8:2::2")
    bench.run(0.5)
    bench.sh("h1", "route delete -inet6 default")
    result = bench.finish("h1", pid)
    assert "ping6: sendmsg: No route to host" in result.lines
    assert "ping6: wrote 2001:db8:2::2 16 chars, ret=-1" in result.lines
    assert "2 packets transmitted, 1 packets received, 50.0% packet loss" in result.lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ping6 nosuch", "ping6: hostname nor servname provided, or not known\n"),
        ("ping6 -I ne9 ff02::1", "ping6: ne9: invalid interface name\n"),
        ("ping6 fe80:1::2", "ping6: fe80:1::2: Invalid argument\n"),
        ("ping6 -S 2001:db8:1::2 2001:db8:1::1", "ping6: bind: Can't assign requested address\n"),
        ("ping6 -b 300000 2001:db8:1::2", "ping6: setsockopt(SO_SNDBUF): No buffer space available\n"),
        ("ping6 -g ff02::1%ne0 2001:db8:1::2", "ping6: setsockopt(IPV6_NEXTHOP): Invalid argument\n"),
        ("ping6 -N -w .", "ping6: .: no name of which a group could be made\n"),
    ],
)
def test_what_can_not_be_begun_has_one_line_and_status_1(line: str, said: str) -> None:
    assert small().sh("h1", line) == (said, 1)


def test_a_wrong_option_brings_the_usage() -> None:
    result = small().sh("h1", "ping6 -z 2001:db8:1::2")
    assert result.lines[0] == "ping6: illegal option -- z"
    assert result.lines[1].startswith("usage: ping6 ")
    assert result.status == 1


def test_names_source_size_and_pattern() -> None:
    bench = small()
    bench.sh("h1", "echo '2001:db8:1::2 h2' >> /etc/hosts")
    assert bench.sh("h1", "ping6 -c 1 h2").lines[1].startswith("16 bytes from 2001:db8:1::2,")
    assert bench.sh("h1", "ping6 -c 1 -H h2").lines[1].startswith("16 bytes from h2,")
    bench.sh("h1", "ifconfig ne0 inet6 2001:db8:1::5 alias")
    bench.run(3)
    assert bench.sh("h1", "ping6 -c 1 -S 2001:db8:1::5 h2").lines[0].endswith("2001:db8:1::5 --> 2001:db8:1::2")
    result = bench.sh("h1", "ping6 -c 1 -s 4 -p ab h2")
    assert result.lines[:3] == [
        "PATTERN: 0xab",
        "PING6(52=40+8+4 bytes) 2001:db8:1::1 --> 2001:db8:1::2",
        "12 bytes from 2001:db8:1::2, icmp_seq=0 hlim=64",
    ], "too little data for the time of sending"
    assert bench.sent("h1", ECHO)[-1][1][48:] == b"\xab" * 4


def test_minimum_mtu_is_asked_for_unless_m_is_given() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")

    def sizes(line: str) -> list[int]:
        before = len(bench.net.trace.packets)
        assert bench.sh("h1", line).status == 0
        new = bench.net.trace.packets[before:]
        return [len(one[12]) - 14 for one in new if one[2] == "h1" and one[6] == "tx" and one[12][20] in (44, 58)]

    assert sizes("ping6 -c 1 -s 1400 2001:db8:1::2") == [1280, 40 + 8 + 1408 - 1232]
    assert sizes("ping6 -m -c 1 -s 1400 2001:db8:1::2") == [1448]


def test_a_flood_sends_as_fast_as_replies_come() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    begun = bench.now
    result = bench.sh("h1", "ping6 -f -c 50 2001:db8:1::2")
    assert result.output.count(".\b") == 50
    assert "50 packets transmitted, 50 packets received" in result.output
    assert bench.now - begun < 10 * MS


def test_preloaded_requests_leave_at_once() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    bench.sh("h1", "ping6 -l 3 -c 4 2001:db8:1::2")
    times = [at for at, _ in bench.sent("h1", ECHO)][1:]
    assert times[0] == times[1] == times[2] == times[3]


def test_seeds_change_nothing_that_ping6_prints() -> None:
    assert len({small(seed).sh("h1", "ping6 -c 2 2001:db8:1::2") for seed in (1, 2, 3)}) == 1


def test_the_sender_is_a_member_too_and_answers_first() -> None:
    """KAME USAGE: the first reply to ff02::1 is one's own, the others are marked."""
    lines = small().sh("h1", "ping6 -I ne0 -c 2 ff02::1").lines
    assert lines[1] == "16 bytes from fe80::ff:fe00:1%ne0, icmp_seq=0 hlim=64 time=0 ms"
    assert lines[2] == "16 bytes from fe80::ff:fe00:2%ne0, icmp_seq=0 hlim=64 time=0.2 ms(DUP!)"
