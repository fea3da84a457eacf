"""tcpdump on real nodes in virtual time: what it prints live, what it writes and reads, how it ends."""

from __future__ import annotations

import pickle

import pytest
from real_nodes import Bench, Result, routed, small

from kamelab.userland import tcpdump_pcap


def captured(bench: Bench, line: str, other: str = "ping6 -c 1 2001:db8:1::2", name: str = "h2") -> Result:
    """What tcpdump on h2 says while h1 runs a line; it is interrupted 10 s later."""
    pid = bench.start(name, line)
    bench.sh("h1", other)
    bench.run(10)
    bench.system(name).interrupt(name)
    return bench.finish(name, pid)


def test_a_ping_seen_by_the_one_who_is_asked() -> None:
    result = captured(small(), "tcpdump -n -c 4")
    assert result.lines == [
        "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode",
        "listening on ne0, link-type EN10MB (Ethernet), snapshot length 262144 bytes",
        "10:00:03.000050 IP6 2001:db8:1::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has 2001:db8:1::2, "
        "length 32",
        "10:00:03.000050 IP6 2001:db8:1::2 > 2001:db8:1::1: ICMP6, neighbor advertisement, tgt is 2001:db8:1::2, "
        "length 32",
        "10:00:03.000150 IP6 2001:db8:1::1 > 2001:db8:1::2: ICMP6, echo request, id 4, seq 0, length 16",
        "10:00:03.000150 IP6 2001:db8:1::2 > 2001:db8:1::1: ICMP6, echo reply, id 4, seq 0, length 16",
        "4 packets captured",
        "4 packets received by filter",
        "0 packets dropped by kernel",
    ]
    assert result.status == 0


def test_interrupt_ends_it_with_the_counts_of_what_the_filter_took_and_refused() -> None:
    result = captured(small(), "tcpdump -nt 'icmp6[0] == 128'")
    assert result.lines[2:] == [
        "IP6 2001:db8:1::1 > 2001:db8:1::2: ICMP6, echo request, id 4, seq 0, length 16",
        "1 packet captured",
        "7 packets received by filter",
        "0 packets dropped by kernel",
    ]
    assert result.status == 0


def test_frames_for_others_are_seen_unless_p_is_given() -> None:
    def seen(line: str) -> int:
        bench = Bench()
        bench.link("lan")
        for number, name in enumerate(("h1", "h2", "h3"), 1):
            bench.node(name, "lan")
            bench.sh(name, f"ifconfig ne0 inet6 2001:db8:1::{number} alias")
        bench.run(3)
        return captured(bench, line, name="h3").output.count("ICMP6, echo")

    assert seen("tcpdump -n") == 2
    assert seen("tcpdump -np") == 0


def test_direction_link_header_and_details() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    result = captured(bench, "tcpdump -nevt -Q out icmp6 and 'ip6[40] = 129'", "ping6 -c 1 2001:db8:1::2")
    assert result.lines[:2] == [
        "tcpdump: listening on ne0, link-type EN10MB (Ethernet), snapshot length 262144 bytes",
        "02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype IPv6 (0x86dd), length 70: (hlim 64, next-header ICMPv6 (58) "
        "payload length: 16) 2001:db8:1::2 > 2001:db8:1::1: [icmp6 sum ok] ICMP6, echo reply, id 6, seq 0",
    ]


def test_names_of_hosts_and_ports_without_n() -> None:
    bench = small()
    bench.sh("h2", "echo '2001:db8:1::1 h1.example h1' >> /etc/hosts")
    assert "IP6 h1.example > 2001:db8:1::2: ICMP6, echo request" in captured(bench, "tcpdump -t host h1").output
    assert "IP6 h1 > 2001:db8:1::2: ICMP6, echo request" in captured(bench, "tcpdump -tN").output


def test_a_file_is_real_pcap_and_reads_back() -> None:
    bench = small()
    wrote = captured(bench, "tcpdump -w /tmp/cap icmp6")
    assert wrote.lines[0].startswith("tcpdump: listening on ne0")
    data = tcpdump_pcap.to_octets(bench.system("h2").files["/tmp/cap"])
    snaplen, frames = tcpdump_pcap.read(data)
    assert (snaplen, len(frames)) == (262144, 6)
    assert frames[0].time == bench.net.clock.epoch + 3_000_050_000
    read = bench.sh("h2", "tcpdump -n -tt -c 3 -r /tmp/cap 'ip6[40] >= 128 and ip6[40] <= 129'")
    assert read.lines == [
        "reading from file /tmp/cap, link-type EN10MB (Ethernet), snapshot length 262144",
        "950522403.000150 IP6 2001:db8:1::1 > 2001:db8:1::2: ICMP6, echo request, id 4, seq 0, length 16",
        "950522403.000150 IP6 2001:db8:1::2 > 2001:db8:1::1: ICMP6, echo reply, id 4, seq 0, length 16",
    ]
    copied = bench.sh(
        "h2", "tcpdump -r /tmp/cap -w /tmp/two 'icmp6 and less 80 and ip6[40] < 130'; tcpdump -nt -r /tmp/two"
    )
    assert copied.output.count("ICMP6, echo") == 2
    assert "neighbor" not in copied.output


def test_its_octets_do_no_harm_on_a_terminal() -> None:
    bench = small()
    captured(bench, "tcpdump -c 1 -w /tmp/cap")
    shown = bench.sh("h2", "cat /tmp/cap").output
    assert "\ufffd" in shown
    assert shown.encode("utf-8").decode("utf-8") == shown
    copy = bench.sh("h2", "cat /tmp/cap > /tmp/two; cat /tmp/cap | tcpdump -nt -r -; tcpdump -nt -r /tmp/two").output
    assert copy.count("neighbor solicitation") == 2, "files and pipes keep them"


def test_snapshot_length_cuts_what_is_kept() -> None:
    bench = small()
    captured(bench, "tcpdump -s 60 -w /tmp/cap 'ip6[40] == 128'", "ping6 -s 200 -c 1 2001:db8:1::2")
    lines = bench.sh("h2", "tcpdump -ntx -r /tmp/cap").lines
    assert lines[1:] == [
        "IP6 2001:db8:1::1 > 2001:db8:1::2: ICMP6, echo request [|icmp6]",
        "\t0x0000:  6000 0000 00d0 3a40 2001 0db8 0001 0000",
        "\t0x0010:  0000 0000 0000 0001 2001 0db8 0001 0000",
        "\t0x0020:  0000 0000 0000 0002 8000 " + bench.sent("h1", 128)[0][1][42:44].hex() + " 0004",
    ]


def test_times() -> None:
    bench = small()
    captured(bench, "tcpdump -w /tmp/cap 'ip6[40] == 128'", "ping6 -i 0.5 -c 3 2001:db8:1::2")

    def stamps(option: str) -> list[str]:
        lines = bench.sh("h2", f"tcpdump -n {option} -r /tmp/cap").lines[1:]
        return [line.partition("IP6")[0] for line in lines]

    assert stamps("") == ["10:00:03.000150 ", "10:00:03.500050 ", "10:00:04.000050 "]
    assert stamps("-t") == ["", "", ""]
    assert stamps("-ttt") == [" 00:00:00.000000 ", " 00:00:00.499900 ", " 00:00:00.500000 "]
    assert stamps("-tttt")[0] == "2000-02-14 10:00:03.000150 "
    assert stamps("-ttttt") == [" 00:00:00.000000 ", " 00:00:00.499900 ", " 00:00:00.999900 "]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tcpdump -i ne9", "tcpdump: ne9: No such device exists\n(BIOCSETIF failed: Device not configured)\n"),
        ("tcpdump port", "tcpdump: can't parse filter expression: syntax error\n"),
        ("tcpdump host nosuch", "tcpdump: unknown host 'nosuch'\n"),
        ("tcpdump -c 0", "tcpdump: invalid packet count 0\n"),
        ("tcpdump -Q up", "tcpdump: unknown capture direction `up'\n"),
        ("tcpdump -r /none", "tcpdump: /none: No such file or directory\n"),
        (
            "tcpdump -r /etc/hosts",
            "tcpdump: truncated dump file; tried to read 24 file header bytes, only got 19\n",
        ),
    ],
)
def test_what_can_not_be_begun(line: str, said: str) -> None:
    bench = small()
    assert bench.sh("h1", line) == (said, 1)
    assert bench.net.nodes["h1"].interfaces["ne0"].taps == [], "nothing is left open"


def test_a_wrong_option_brings_the_usage() -> None:
    result = small().sh("h1", "tcpdump -Z")
    assert result.lines[:2] == [
        "tcpdump: illegal option -- Z",
        "usage: tcpdump [-AeKlLnNOpqStUvxX] [-B size] [-c count] [-D] [-F file]",
    ]


def test_interfaces_are_listed() -> None:
    assert small().sh("h1", "tcpdump -D").lines == ["1.ne0 [Up, Running]", "2.lo0 [Up, Running, Loopback]"]


def test_an_expression_from_a_file_and_loopback() -> None:
    bench = small()
    bench.sh("h1", "echo 'icmp6 and ip6[40] = 129' > /tmp/f")
    pid = bench.start("h1", "tcpdump -ntq -i lo0 -c 1 -F /tmp/f & ping6 -c 1 ::1")
    assert "IP6 ::1 > ::1: ICMP6, echo reply, id 7, seq 0, length 16" in bench.finish("h1", pid).output


def test_a_run_that_was_saved_goes_on_as_if_nothing_had_been() -> None:
    bench = small()
    bench.start("h2", "tcpdump -n")
    bench.start("h1", "ping6 -c 100 2001:db8:1::2")
    bench.run(40.5)
    bench.output("h1"), bench.output("h2")
    copy = Bench.__new__(Bench)
    copy.net = pickle.loads(pickle.dumps(bench.net, protocol=5))
    copy.macs = bench.macs
    for name in copy.net.nodes:
        copy.system(name).revive()
    for one in (bench, copy):
        one.run(80)
        one.system("h2").interrupt("h2")
        one.run(1)
    said = bench.output("h2")
    assert copy.output("h2") == said
    assert "echo reply, id 4, seq 99, length 16" in said
    assert said.splitlines()[-1] == "0 packets dropped by kernel"


def test_both_sides_of_a_router() -> None:
    bench = routed()
    pid = bench.start("r1", "tcpdump -nt -i ne1 -c 2 host 2001:db8:1::1 and not udp")
    bench.sh("h1", "ping6 -c 1 2001:db8:2::2")
    assert bench.finish("r1", pid).lines[2:4] == [
        "IP6 2001:db8:1::1 > 2001:db8:2::2: ICMP6, echo request, id 6, seq 0, length 16",
        "IP6 2001:db8:2::2 > 2001:db8:1::1: ICMP6, echo reply, id 6, seq 0, length 16",
    ]
