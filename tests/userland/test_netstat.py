"""netstat(1): routes, interfaces, sockets, statistics."""

from __future__ import annotations

import pytest
from fake_proc import DE0, GLOBAL, LINKLOCAL, LO0, LOOPBACK, SECOND, FakeProc, run

from kamelab.core.drops import REASONS
from kamelab.stack.views import GroupRow, RouteRow, SocketRow
from kamelab.userland import netstat, netstat_stats


def route(destination: str, gateway: str, flags: str, interface: str = "de0", **changes: object) -> RouteRow:
    """A route without expiry."""
    return RouteRow(destination, gateway, flags, interface, None, 0, 1, 2)._replace(**changes)  # type: ignore[arg-type]


ROUTES = (
    route("default", "fe80::1%de0", "UG"),
    route("::1", "::1", "UH", "lo0", mtu=16384),
    route("2001:db8:0:1::/64", "link#1", "UC"),
    route("2001:db8:0:1::10", "0:60:8:44:55:66", "UHLW", mtu=1500),
    route("2001:db8:9::1", "fe80::2%de0", "UGHD", expire=580 * SECOND),
    route("fe80::%de0/64", "link#1", "UC"),
    route("fe80::260:8ff:fe11:2233%de0", "0:60:8:11:22:33", "UHL", "lo0"),
    route("fe80::%lo0/64", "fe80::1%lo0", "U", "lo0"),
    route("ff02::%de0/32", "link#1", "UC"),
)


def test_routing_table_has_the_columns_of_kame_usage() -> None:
    assert run(netstat.main, "netstat -nr", FakeProc(routes=ROUTES)) == (
        0,
        """\
Routing tables

Internet6:
Destination                       Gateway                       Flags      Netif Expire
default                           fe80::1%de0                   UG           de0
::1                               ::1                           UH           lo0
2001:db8:0:1::/64                 link#1                        UC           de0
2001:db8:0:1::10                  0:60:8:44:55:66               UHLW         de0
2001:db8:9::1                     fe80::2%de0                   UGHD         de0    580
fe80::%de0/64                     link#1                        UC           de0
fe80::260:8ff:fe11:2233%de0       0:60:8:11:22:33               UHL          lo0
fe80::%lo0/64                     fe80::1%lo0                   U            lo0
ff02::%de0/32                     link#1                        UC           de0
""",
        "",
    )


def test_long_routing_table() -> None:
    text = run(netstat.main, "netstat -nrl", FakeProc(routes=ROUTES))[1].splitlines()
    assert text[3:6] == [
        "Destination                             Gateway                         "
        "Flags    Refs      Use    Mtu     Netif Expire",
        "default                                 fe80::1%de0                     "
        "UG          1        2      -       de0",
        "::1                                     ::1                             "
        "UH          1        2  16384       lo0",
    ]


def test_a_long_destination_is_not_cut() -> None:
    row = route("2001:db8:1234:5678:9260:8ff:fe11:2233", "fe80::260:8ff:fe11:2233%de0", "UGHD", expire=580 * SECOND)
    assert run(netstat.main, "netstat -nr -f inet6", FakeProc(routes=(row,)))[1].splitlines()[-1] == (
        "2001:db8:1234:5678:9260:8ff:fe11:2233 fe80::260:8ff:fe11:2233%de0 UGHD       de0    580"
    )


def test_names_are_shown_unless_n() -> None:
    proc = FakeProc(routes=ROUTES)
    proc.files["/etc/hosts"] = "2001:db8:0:1::10 h2\nfe80::1%de0 gw\n"
    text = run(netstat.main, "netstat -r", proc)[1]
    assert "default                           gw " in text
    assert "\nh2                                0:60:8:44:55:66 " in text


# -- interfaces -------------------------------------------------------------------------------------------------------

INTERFACES = """\
Name    Mtu Network       Address                           Ipkts Ierrs    Opkts Oerrs  Coll
de0    1500 <Link#1>      00:60:08:11:22:33                    50     1       60     2     0
de0    1500 fe80::%de0/   fe80::260:8ff:fe11:2233%de0           -     -        -     -     -
de0    1500 2001:db8:0:   2001:db8:0:1:260:8ff:fe11:2233        -     -        -     -     -
lo0*  16384 <Link#2>                                            7     0        7     0     0
lo0*  16384 ::1/128       ::1                                   -     -        -     -     -
"""


def machine() -> FakeProc:
    return FakeProc(
        interfaces=(DE0, LO0._replace(flags=0x8048)),
        addresses=(LINKLOCAL, GLOBAL, LOOPBACK),
        groups=(GroupRow("de0", "ff02::1%de0", 1, "33:33:0:0:0:1", "idle", None),),
    )


def test_interface_table() -> None:
    assert run(netstat.main, "netstat -in", machine())[1] == INTERFACES
    lines = INTERFACES.splitlines(keepends=True)
    assert run(netstat.main, "netstat -n -I de0", machine())[1] == "".join(lines[:4])


ALL_HEADINGS = "Name Mtu Network Address Ipkts Ierrs Ibytes Opkts Oerrs Obytes Coll Drop"
ALL_COUNTERS = "de0 1500 <Link#1> 00:60:08:11:22:33 50 1 5000 60 2 6000 0 3"


def test_interface_table_with_groups_octets_and_drops() -> None:
    lines = run(netstat.main, "netstat -inabd", machine())[1].splitlines()
    assert lines[0].split() == ALL_HEADINGS.split()
    assert lines[1].split() == ALL_COUNTERS.split()
    assert lines[4] == " " * 26 + "ff02::1%de0"


# -- sockets ----------------------------------------------------------------------------------------------------------

SOCKETS = (
    SocketRow("udp6", "*.33434", "*.*", 0, 0, "", 3),
    SocketRow("udp6", "2001:db8:0:1::1.49152", "2001:db8:0:1::2.7", 16, 0, "", 4),
    SocketRow("icm6", "*.*", "*.*", 0, 0, "", 5),
)


def test_sockets() -> None:
    assert run(netstat.main, "netstat -an", FakeProc(sockets=SOCKETS))[1] == (
        "Active Internet connections (including servers)\n"
        "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)\n"
        "udp6       0      0  *.33434                *.*\n"
        "udp6      16      0  2001:db8:0:1::1.49152  2001:db8:0:1::2.7\n"
        "icm6       0      0  *.*                    *.*\n"
    )
    assert run(netstat.main, "netstat -n", FakeProc(sockets=SOCKETS))[1].splitlines() == [
        "Active Internet connections",
        "Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)",
        "udp6      16      0  2001:db8:0:1::1.49152  2001:db8:0:1::2.7",
    ]


def test_multicast_routing_is_empty() -> None:
    assert run(netstat.main, "netstat -g")[1] == (
        "IPv6 Multicast Interface Table is empty\nIPv6 Multicast Routing Table is empty\n"
    )


# -- statistics -------------------------------------------------------------------------------------------------------

STATISTICS = {
    "ip6.total": 12,
    "ip6.tooshort": 1,
    "ip6.nxthist.58": 10,
    "ip6.nxthist.0": 2,
    "ip6.nxthist.200": 1,
    "ip6.m2m.lo0": 8,
    "ip6.m1": 317,
    "ip6.mext1": 3282,
    "ip6.sources_sameif.2": 4,
    "ip6.sources_sameif.14": 5,
    "icmp6.error.1.0": 2,
    "icmp6.error.200.7": 1,
    "icmp6.inhist.135": 3,
    "icmp6.outhist.136": 3,
    "icmp6.outhist.99": 1,
    "icmp6.reflect": 1,
    "ip6.sources_rule.14": 3,
    "udp6.ipackets": 12,
    "udp6.fullsock": 2,
    "udp6.noport": 1,
}


def machine_with_statistics() -> FakeProc:
    proc = FakeProc()
    proc.statistics = STATISTICS
    return proc


def test_statistics_of_ip6() -> None:
    text = run(netstat.main, "netstat -s -p ip6", machine_with_statistics())[1]
    lines = text.splitlines()
    assert lines[:4] == [
        "ip6:",
        "\t12 packets received",
        "\t0 too small for the header or option that begins there",
        "\t1 with data size < data length",
    ]
    assert (
        "\tInput histogram:\n"
        "\t\thop by hop: 2\n"
        "\t\tICMP6: 10\n"
        "\t\t#200: 1\n"
        "\tMbuf statistics:\n"
        "\t\t317 one mbuf\n"
        "\t\ttwo or more mbuf::\n"
        "\t\t\tlo0 = 8\n"
        "\t\t3282 one ext mbuf\n"
        "\t\t0 two or more ext mbuf\n"
    ) in text
    assert "\tsource addresses on the outgoing interface:\n\t\t4 link-local\n\t\t5 global\n" in text
    assert "another interface" not in text


def test_nothing_but_counts_that_are_not_zero_with_ss() -> None:
    assert run(netstat.main, "netstat -ss", machine_with_statistics())[1] == (
        "ip6:\n"
        "\t12 packets received\n"
        "\t1 with data size < data length\n"
        "\tInput histogram:\n"
        "\t\thop by hop: 2\n"
        "\t\tICMP6: 10\n"
        "\t\t#200: 1\n"
        "\tMbuf statistics:\n"
        "\t\t317 one mbuf\n"
        "\t\ttwo or more mbuf::\n"
        "\t\t\tlo0 = 8\n"
        "\t\t3282 one ext mbuf\n"
        "\tsource addresses on the outgoing interface:\n"
        "\t\t4 link-local\n"
        "\t\t5 global\n"
        "\tsource addresses by the rule that decided:\n"
        "\t\t3 longest match\n"
        "icmp6:\n"
        "\tOutput histogram:\n"
        "\t\t#99: 1\n"
        "\t\tneighbor advertisement: 3\n"
        "\tInput histogram:\n"
        "\t\tneighbor solicitation: 3\n"
        "\tHistogram of error messages asked for:\n"
        "\t\t2 no route\n"
        "\t\t1 unknown\n"
        "\t1 reply made\n"
        "udp6:\n"
        "\t12 datagrams received\n"
        "\t1 to a port without a socket\n"
        "\t2 lost because the socket's buffer was full\n"
        "\t9 delivered\n"
        "tcp:\n"
        "rip6:\n"
        "pim6:\n"
        "ipsec6:\n"
        "pfkey:\n"
    )


def test_every_row_is_there_when_nothing_was_counted() -> None:
    text = run(netstat.main, "netstat -s")[1]
    assert [line for line in text.splitlines() if not line.startswith("\t")] == [
        "ip6:", "icmp6:", "udp6:", "tcp:", "rip6:", "pim6:", "ipsec6:", "pfkey:"
    ]  # fmt: skip
    single = netstat_stats.Counter | netstat_stats.Rest
    counters = [i for items in netstat_stats.PROTOCOLS.values() for i in items if isinstance(i, single)]
    assert len([line for line in text.splitlines() if line.startswith("\t0 ")]) == len(counters)
    assert "Histogram of error messages asked for:\n\t\t0 no route\n" in text
    assert "\t\t0 unknown\n" in text


def test_every_counter_that_a_drop_feeds_has_a_row() -> None:
    rows = {
        item.key
        for items in netstat_stats.PROTOCOLS.values()
        for item in items
        if isinstance(item, netstat_stats.Counter)
    }
    fed = {counter for reason in REASONS.values() for counter in reason.counters}
    assert fed <= rows


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("netstat -p xns", "netstat: xns: unknown or uninstrumented protocol\n"),
        ("netstat -s -p ipsec", "netstat: ipsec: not built yet\n"),
        ("netstat -rn -f ipx", "netstat: ipx: unknown address family\n"),
        ("netstat -rn -f inet", "netstat: inet: not built yet\n"),
        ("netstat -I xx0", "netstat: interface xx0 does not exist\n"),
        ("netstat -s -I xx0", "netstat: interface xx0 does not exist\n"),
        ("netstat -s -I de0 -p tcp", "netstat: tcp: no statistics of an interface\n"),
        ("netstat -w 0", "netstat: 0: illegal interval\n"),
        ("netstat -w soon", "netstat: soon: illegal interval\n"),
        ("netstat -i 100000", "netstat: 100000: illegal interval\n"),
        ("netstat -M /vmcore", "netstat: -M: only the running kernel can be read\n"),
        ("netstat 1 2", netstat.USAGE),
        ("netstat what", netstat.USAGE),
        ("netstat -z", f"netstat: illegal option -- z\n{netstat.USAGE}"),
    ],
)
def test_refusals(line: str, text: str) -> None:
    assert run(netstat.main, line) == (1, "", text)
