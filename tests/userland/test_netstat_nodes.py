"""netstat on real nodes: sockets, intervals, an interface's own statistics, and the tables that are empty."""

from __future__ import annotations

import pytest
from fake_proc import FakeProc, run
from real_nodes import Bench, routed, small

from kamelab.lab import checkpoint
from kamelab.lab.build import World
from kamelab.lab.digest import digest
from kamelab.stack import syscalls
from kamelab.stack.views import SocketRow
from kamelab.userland import netstat, netstat_ifstats
from kamelab.wire import in6

A = in6.pton


# -- sockets ---------------------------------------------------------------------------------------------------------

LONG = "2001:db8:1234:5678:9abc:def0:1234:5678"
ROWS = (
    SocketRow("tcp6", "*.23", "*.*", 0, 0, "LISTEN", 3),
    SocketRow("tcp6", f"{LONG}.23", "2001:db8::1.49152", 0, 512, "ESTABLISHED", 3),
    SocketRow("udp6", "fe80::260:8ff:fe11:2233%de0.520", "*.*", 0, 0, "", 4),
)


def test_addresses_are_cut_to_16_characters_as_kame_does() -> None:
    assert run(netstat.main, "netstat -an", FakeProc(sockets=ROWS))[1].splitlines()[2:] == [
        "tcp6       0      0  *.23                   *.*                    LISTEN",
        "tcp6       0    512  2001:db8:1234:56.23    2001:db8::1.49152      ESTABLISHED",
        "udp6       0      0  fe80::260:8ff:fe.520   *.*",
    ]


@pytest.mark.parametrize("letter", ["l", "W"])
def test_l_and_its_younger_name_w_cut_nothing(letter: str) -> None:
    lines = run(netstat.main, f"netstat -an{letter}", FakeProc(sockets=ROWS))[1].splitlines()
    assert lines[3].split() == ["tcp6", "0", "512", f"{LONG}.23", "2001:db8::1.49152", "ESTABLISHED"]
    assert lines[4].split()[3] == "fe80::260:8ff:fe11:2233%de0.520"
    assert lines[1].index("Foreign") == lines[2].index("*.*")


def test_names_of_hosts_and_ports_without_n() -> None:
    proc = FakeProc(sockets=ROWS)
    proc.files["/etc/hosts"] += "2001:db8::1 wonder\n"
    text = run(netstat.main, "netstat -a", proc)[1]
    assert "*.telnet " in text
    assert " wonder.49152 " in text


def test_real_sockets_are_listed() -> None:
    bench = small()
    h1 = bench.net.nodes["h1"]
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.bind(h1, sid, bytes(16), 7, 0)
    other = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, other, A("2001:db8:1::2"), 7, 0)
    listing = bench.sh("h1", "netstat -an").lines
    assert any(line.split()[3:5] == ["*.7", "*.*"] for line in listing)
    (connected,) = bench.sh("h1", "netstat -n").lines[2:]
    assert connected.split()[4] == "2001:db8:1::2.7"


def test_a_routing_socket_is_no_internet_socket() -> None:
    bench = small()
    before = bench.sh("h1", "netstat -an").lines
    bench.start("h1", "route monitor &")
    bench.output("h1")
    assert bench.sh("h1", "netstat -an").lines == before


# -- intervals -------------------------------------------------------------------------------------------------------


def watch(bench: Bench, line: str) -> None:
    bench.sh("h1", f"{line} > /n &")
    bench.run(0.001)


def lines(bench: Bench) -> list[str]:
    return bench.system("h1").files["/n"].splitlines()


@pytest.mark.parametrize("line", ["netstat -I ne0 -w 2", "netstat -w 2 -i -I ne0", "netstat -I ne0 2"])
def test_an_interface_is_watched(line: str) -> None:
    bench = small()
    before = bench.net.nodes["h1"].interfaces["ne0"]
    first = [before.ipackets, 0, before.ibytes, before.opackets, 0, before.obytes, 0]
    watch(bench, line)
    bench.sh("h1", "ping6 -q -c 1 2001:db8:1::2")
    bench.run(3)
    shown = lines(bench)
    assert shown[0] == "            input            ne0           output"
    assert shown[1] == "   packets  errs      bytes    packets  errs      bytes colls"
    assert [int(word) for word in shown[2].split()] == first
    # A solicitation, its answer, and a ping there and back.
    assert shown[3].split()[::3] == ["2", "2", "0"]
    assert len(shown) in (4, 5)


def test_all_interfaces_together_with_drops() -> None:
    bench = small()
    watch(bench, "netstat -d 1")
    bench.sh("h1", "ping6 -q -c 1 ::1")
    bench.run(1)
    shown = lines(bench)
    assert shown[0] == "            input        (Total)           output"
    assert shown[1].endswith(" colls drops")
    assert len(shown[3].split()) == 8
    assert int(shown[3].split()[0]) >= 2


def test_the_heading_comes_again() -> None:
    bench = small()
    watch(bench, "netstat -w 1")
    bench.run(30)
    heads = [number for number, line in enumerate(lines(bench)) if "(Total)" in line]
    assert heads == [0, 23]


def test_it_ends_by_an_interrupt_and_goes_on_after_a_restore() -> None:
    bench = small()
    watch(bench, "netstat -I ne0 1")
    bench.run(2.5)
    world = World(bench.net, {name: bench.system(name) for name in bench.net.nodes})
    twin = checkpoint.restore(checkpoint.take(world))
    assert digest(twin) == digest(world)
    bench.net = twin.network
    bench.run(2)
    assert len(lines(bench)) == 2 + 5
    pid = bench.start("h1", "netstat 1")
    bench.run(1)
    bench.system("h1").interrupt("h1")
    assert bench.finish("h1", pid).status == 130


def test_an_interface_that_is_not_there_is_not_watched() -> None:
    assert small().sh("h1", "netstat -I xx0 1") == ("netstat: interface xx0 does not exist\n", 1)


# -- one interface ---------------------------------------------------------------------------------------------------


def numbers(bench: Bench, name: str, line: str) -> dict[str, int]:
    """Phrase to number of a block."""
    pairs = (row.strip().split(" ", 1) for row in bench.sh(name, line).lines if row.startswith("\t"))
    return {phrase: int(number) for number, phrase in pairs}


def test_a_router_counts_each_interface_by_itself() -> None:
    bench = routed()
    bench.sh("h1", "ping6 -q -c 3 2001:db8:2::2")
    bench.sh("h1", "ping6 -q -c 1 -h 1 2001:db8:2::2")
    left = numbers(bench, "r1", "netstat -s -I ne0 -p ip6")
    right = numbers(bench, "r1", "netstat -s -I ne1 -p ip6")
    assert (left["packets forwarded to here"], right["packets forwarded to here"]) == (3, 3)
    assert left["packets of this node sent"] > 0
    assert len(left) == len(netstat_ifstats.IP6)
    icmp = numbers(bench, "r1", "netstat -s -I ne0 -p icmp6")
    assert icmp["time exceeded sent"] == icmp["errors sent"] == 1
    assert numbers(bench, "h1", "netstat -s -I ne0 -p icmp6")["echo sent"] == 4
    assert numbers(bench, "h1", "netstat -s -I ne0 -p icmp6")["echo reply received"] == 3


def test_the_heads_of_the_blocks_and_only_what_is_not_zero() -> None:
    bench = small()
    text = bench.sh("h1", "netstat -s -I ne0 -f inet6").lines
    assert [line for line in text if not line.startswith("\t")] == ["ip6 on ne0:", "icmp6 on ne0:"]
    assert len(text) == 2 + len(netstat_ifstats.IP6) + 2 * (2 + len(netstat_ifstats.ICMP6))
    assert not [line for line in bench.sh("h1", "netstat -ss -I ne0").lines if line.startswith("\t0 ")]


# -- the rest --------------------------------------------------------------------------------------------------------


def test_statistics_of_one_protocol_by_either_name() -> None:
    bench = small()
    for name, head in (("tcp", "tcp:"), ("tcp6", "tcp:"), ("udp", "udp6:"), ("rip6", "rip6:"), ("pim6", "pim6:")):
        result = bench.sh("h1", f"netstat -s -p {name}")
        assert result.lines[0] == head
        assert len([line for line in result.lines if not line.startswith("\t")]) == 1


def test_raw_sockets_are_counted() -> None:
    bench = small()
    bench.sh("h1", "ping6 -q -c 2 2001:db8:1::2")
    assert numbers(bench, "h1", "netstat -s -p rip6")["messages sent"] == 2


def test_what_no_raw_socket_wanted_is_counted() -> None:
    bench = small()
    h1 = bench.net.nodes["h1"]
    syscalls.socket(h1, 0, "raw6", 89)
    bench.sh("h2", "ping6 -q -c 2 2001:db8:1::1")
    bench.sh("h2", "ping6 -q -c 1 -I ne0 ff02::1")
    counts = numbers(bench, "h1", "netstat -s -p rip6")
    assert counts["messages received"] == counts["messages without a socket"] >= 3
    assert 0 < h1.stat["rip6.nosockmcast"] < h1.stat["rip6.nosock"] == counts["messages without a socket"]
    assert counts["messages delivered"] == 0


def test_multicast_routing_has_no_entries_and_no_counts() -> None:
    bench = small()
    assert bench.sh("h1", "netstat -g").lines == [
        "IPv6 Multicast Interface Table is empty",
        "IPv6 Multicast Routing Table is empty",
    ]
    rows = bench.sh("h1", "netstat -gs").lines
    assert rows[0] == "IPv6 multicast forwarding:"
    assert len(rows) == 14
    assert all(row.startswith("\t0 ") for row in rows[1:])
    assert bench.sh("h1", "netstat -gss").lines == ["IPv6 multicast forwarding:"]


def test_memory_is_what_waits() -> None:
    bench = small()
    h1 = bench.net.nodes["h1"]
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.bind(h1, sid, bytes(16), 9, 0)
    assert bench.sh("h1", "netstat -m").lines[0].startswith("0 octets queued")
    syscalls.sendmsg(h1, sid, bytes(100), A("::1"), 9, 0)
    bench.run(0.1)
    first = bench.sh("h1", "netstat -m").lines[0]
    assert int(first.split()[0]) >= 100
    bench.sh("h1", "route add -inet6 default 2001:db8:1::77")
    syscalls.sendmsg(h1, sid, b"x", A("2001:db8:9::9"), 9, 0)
    assert "1 packets held until a neighbor is resolved" in bench.sh("h1", "netstat -m").output


def test_the_watchdog_of_an_interface() -> None:
    head, first = small().sh("h1", "netstat -itd -I ne0").lines[:2]
    assert head.split()[-2:] == ["Time", "Drop"]
    assert first.split()[-2:] == ["0", "0"]


def test_wide_routes_are_long_ones() -> None:
    bench = small()
    assert bench.sh("h1", "netstat -rnW").lines[3] == bench.sh("h1", "netstat -rnl").lines[3]
