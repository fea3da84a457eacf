"""ifconfig, ndp, route, netstat and sysctl on real nodes: the examples of KAME USAGE as they are written there."""

from __future__ import annotations

import pickle
import re

import pytest
from real_nodes import Bench, routed, small


def de0() -> Bench:
    """A node with the interfaces of KAME USAGE, down and without addresses, and a router on the first one's link."""
    bench = Bench()
    bench.link("lan")
    bench.link("wan")
    bench.node("h1")
    node = bench.net.nodes["h1"]
    for number, (name, link) in enumerate((("de0", "lan"), ("de1", "wan"))):
        mac = bytes((0, 0x60, 8, 0x11, 0x22, 0x33 + number))
        bench.net.add_interface(node, name, mac, bench.net.links[link])
    bench.node("h2", "lan")
    bench.sh("h2", "ifconfig ne0 inet6 3ffe:501:808:1::2 alias")
    return bench


def test_usage_ifconfig_adds_an_address_beside_the_link_local_one() -> None:
    bench = de0()
    assert bench.sh("h1", "ifconfig de0").lines[0] == "de0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500"
    assert bench.sh("h1", "ifconfig de0 inet6 3ffe:501:808:1:200:f8ff:fe01:6317 alias") == ("", 0)
    lines = bench.sh("h1", "ifconfig de0").lines
    assert lines[0] == "de0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500"
    assert sorted(lines[1:3]) == [
        "\tinet6 3ffe:501:808:1:200:f8ff:fe01:6317 prefixlen 64 tentative ",
        "\tinet6 fe80::260:8ff:fe11:2233%de0 prefixlen 64 tentative scopeid 0x1 ",
    ]
    bench.run(3)
    lines = bench.sh("h1", "ifconfig de0").lines
    assert "\tinet6 3ffe:501:808:1:200:f8ff:fe01:6317 prefixlen 64 " in lines
    assert lines[3:] == ["\tether 00:60:08:11:22:33 ", "\tmedia: Ethernet status: active"]


def test_an_interface_goes_down_and_up_again() -> None:
    bench = de0()
    assert bench.sh("h1", "ifconfig de0 up; ifconfig -l -u").output == "de0 lo0\n"
    assert bench.sh("h1", "ifconfig de0 down; ifconfig -l -u").output == "lo0\n"
    assert bench.sh("h1", "ifconfig de0 mtu 1400 up; ifconfig de0").lines[0].endswith("mtu 1400")
    bench.net.set_link("lan", False)
    lines = bench.sh("h1", "ifconfig de0").lines
    assert "RUNNING" not in lines[0]
    assert lines[-1].endswith("status: no carrier")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ifconfig de0 inet6 ff02::5", "ioctl (SIOCAIFADDR): Can't assign requested address"),
        ("ifconfig de0 inet6 2001:db8::1 pltime 60 vltime 30", "ioctl (SIOCAIFADDR): Invalid argument"),
        ("ifconfig de0 inet6 2001:db8::1 2001:db8::2", "ioctl (SIOCAIFADDR): Invalid argument"),
        ("ifconfig de0 inet6 2001:db8::1 prefixlen 0", "ioctl (SIOCAIFADDR): Invalid argument"),
        ("ifconfig de0 inet6 2001:db8::1 delete", "ioctl (SIOCDIFADDR): Can't assign requested address"),
        ("ifconfig de0 mtu 99999", "ioctl (set mtu): Invalid argument"),
        ("ifconfig ef0", "interface ef0 does not exist"),
    ],
)
def test_what_the_kernel_refuses(line: str, text: str) -> None:
    assert de0().sh("h1", line) == (f"ifconfig: {text}\n", 1)


def test_lifetimes_count_down_and_the_address_becomes_deprecated_and_goes() -> None:
    bench = small()
    bench.sh("h1", "ifconfig ne0 inet6 2001:db8:9::1 pltime 60 vltime 120")
    bench.run(20)
    lines = bench.sh("h1", "ifconfig -L ne0 inet6").lines
    assert "\tinet6 2001:db8:9::1 prefixlen 64 pltime 40 vltime 100 " in lines
    bench.run(50)
    lines = bench.sh("h1", "ifconfig -L ne0 inet6").lines
    assert "\tinet6 2001:db8:9::1 prefixlen 64 deprecated pltime 0 vltime 50 " in lines
    bench.run(60)
    assert "2001:db8:9::1" not in bench.sh("h1", "ifconfig ne0").output


def test_eui64_takes_the_identifier_of_the_link_local_address() -> None:
    bench = de0()
    bench.sh("h1", "ifconfig de0 up; ifconfig de0 inet6 2001:db8:5:: eui64 anycast")
    assert "\tinet6 2001:db8:5:0:260:8ff:fe11:2233 prefixlen 64 anycast " in bench.sh("h1", "ifconfig de0").lines


# -- ndp --------------------------------------------------------------------------------------------------------------

HEADER = "Neighbor                      Linklayer Address   Netif Expire    St Flgs Prbs"


def test_usage_ndp_shows_and_flushes_the_cache() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    lines = bench.sh("h1", "ndp -a").lines
    assert lines[0] == HEADER
    assert "2001:db8:1::1                 2:0:0:0:0:1           ne0 permanent R" in lines
    entry = next(line for line in lines if line.startswith("2001:db8:1::2 "))
    assert re.fullmatch(r"2001:db8:1::2 {17}2:0:0:0:0:2 {11}ne0 \d\ds {7}R", entry)
    assert bench.sh("h1", "ndp 2001:db8:1::2").lines == [HEADER, entry]
    assert bench.sh("h1", "ndp -c").lines == ["2001:db8:1::2 (2001:db8:1::2) deleted"]
    assert bench.sh("h1", "ndp 2001:db8:1::2") == ("2001:db8:1::2 (2001:db8:1::2) -- no entry\n", 1)


def test_a_stale_entry_counts_down_from_a_day() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    bench.run(60)
    assert re.search(r"^2001:db8:1::2 .* 23h59m\d+s S$", bench.sh("h1", "ndp -an").output, re.M)


def test_a_dead_neighbor_is_incomplete_while_it_is_asked_for() -> None:
    bench = small()
    pid = bench.start("h1", "ping6 -c 1 2001:db8:1::77")
    bench.run(1.5)
    assert re.search(r"^2001:db8:1::77 +\(incomplete\) +ne0 \S+ +I +2$", bench.sh("h1", "ndp -an").output, re.M)
    bench.finish("h1", pid)


def test_permanent_temporary_and_proxy_entries() -> None:
    bench = small()
    assert bench.sh("h1", "ndp -s 2001:db8:1::9 0:1:2:3:4:5; ndp -s 2001:db8:1::a 0:1:2:3:4:6 temp") == ("", 0)
    assert bench.sh("h1", "ndp -s fe80::1234%ne0 0:1:2:3:4:7 proxy") == ("", 0)
    lines = bench.sh("h1", "ndp -an").lines
    assert "2001:db8:1::9                 0:1:2:3:4:5           ne0 permanent R" in lines
    assert "2001:db8:1::a                 0:1:2:3:4:6           ne0 20m0s     R" in lines
    assert "fe80::1234%ne0                0:1:2:3:4:7           ne0 permanent R     p" in lines
    assert bench.sh("h1", "ndp -c").output == "", "what was set by hand stays, temporary or not"
    assert bench.sh("h1", "ndp -d 2001:db8:1::9").output == "2001:db8:1::9 (2001:db8:1::9) deleted\n"
    assert bench.sh("h1", "ndp -d 2001:db8:1::9") == ("cannot locate 2001:db8:1::9\n", 1)
    assert bench.sh("h1", "ndp -s 2001:db8:7::9 0:1:2:3:4:5") == ("set: cannot configure a new entry\n", 1)
    bench.sh("h2", "ping6 -c 1 fe80::1234%ne0")
    answered = r"^fe80::1234%ne0 +0:1:2:3:4:7 +ne0 "
    assert re.search(answered, bench.sh("h2", "ndp -an").output, re.M)


def test_a_watch_in_the_background_goes_on_after_a_restore() -> None:
    bench = small()
    bench.sh("h1", "ndp -A 2 -n &")
    bench.run(5)
    assert bench.output("h1").count(HEADER) == 2
    bench.net = pickle.loads(pickle.dumps(bench.net))
    bench.system("h1").revive()
    bench.run(4)
    assert bench.output("h1").count(HEADER) == 2


def test_parameters_of_an_interface_are_shown_and_set() -> None:
    bench = small()
    assert bench.sh("h1", "ndp -i ne0 basereachable=10000 -nud").lines[1] == "Flags: accept_rtadv "
    assert "basereachable=10s0ms" in bench.sh("h1", "ndp -i ne0").output
    assert bench.sh("h1", "ndp -i ne0 curhlim=256") == ("ndp: ioctl(SIOCSIFINFO_IN6): Invalid argument\n", 1)
    assert bench.sh("h1", "ndp -i xx0") == ("ndp: invalid interface xx0\n", 1)


def test_the_default_interface_carries_the_default_route_of_a_host() -> None:
    bench = small()
    assert bench.sh("h1", "ndp -I").output == "No default interface.\n"
    assert bench.sh("h1", "ndp -I ne0").output == "ND default interface = ne0\n"
    assert (
        "default                           link#1                        UC           ne0"
        in bench.sh("h1", "netstat -nr").output
    )
    assert bench.sh("h1", "ndp -I delete").output == "No default interface.\n"
    assert bench.sh("h1", "ndp -I xx0") == ("ndp: invalid interface xx0\n", 1)


def test_usage_lists_of_prefixes_and_routers_on_an_autoconfigured_host() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("r1", "lan", forwarding=1)
    bench.node("h1", "lan")
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias")
    bench.run(3)
    assert bench.sh("h1", "sysctl -w net.inet6.ip6.accept_rtadv=1").output == "net.inet6.ip6.accept_rtadv: 0 -> 1\n"
    bench.sh("r1", "rtadvd ne0")
    bench.run(20)
    text = bench.sh("h1", "ndp -pn").output
    assert re.search(
        r"^2001:db8:1::/64 if=ne0\n"
        r"  flags=LAO, vltime=2592000, pltime=604800, expire=29d23h\d+m\d+s, ref=1, origin=RA\n"
        r"  advertised by\n"
        r"    fe80::ff:fe00:1%ne0 \(reachable\)$",
        text,
        re.M,
    )
    assert re.fullmatch(
        r"fe80::ff:fe00:1%ne0 if=ne0, flags=, pref=medium, expire=29m\d+s\n", bench.sh("h1", "ndp -rn").output
    )
    assert "\tinet6 2001:db8:1::ff:fe00:2 prefixlen 64 autoconf " in bench.sh("h1", "ifconfig ne0").lines
    assert (
        "default                           fe80::ff:fe00:1%ne0           UG           ne0"
        in bench.sh("h1", "netstat -nr").output
    )
    bench.sh("h1", "ndp -R; ndp -P")
    assert bench.sh("h1", "ndp -r").output == ""
    assert "autoconf" not in bench.sh("h1", "ifconfig ne0").output


# -- route and netstat ------------------------------------------------------------------------------------------------


def test_usage_route_takes_a_gateway_with_its_zone_inside() -> None:
    bench = de0()
    bench.sh("h1", "ifconfig de0 up; ifconfig de1 up")
    result = bench.sh("h1", "route add -inet6 default fe80:2::200:a2ff:fe0e:7543")
    assert result.status == 0
    assert result.lines == [
        "route: warning: fe80:2::200:a2ff:fe0e:7543: embedded scope index, write fe80::200:a2ff:fe0e:7543%de1 instead",
        "add net default: gateway fe80:2::200:a2ff:fe0e:7543",
    ]
    assert (
        "default                           fe80::200:a2ff:fe0e:7543%de1  UGS          de1"
        in bench.sh("h1", "netstat -nr").lines
    )
    assert bench.sh("h1", "ifconfig de0 inet6 fe80:2::1") == ("ifconfig: fe80:2::1: bad value\n", 1)


def test_routes_are_added_shown_changed_and_deleted() -> None:
    bench = routed()
    assert bench.sh("h1", "route add -inet6 2001:db8:7::/48 2001:db8:1::ff") == (
        "add net 2001:db8:7::/48: gateway 2001:db8:1::ff\n",
        0,
    )
    assert bench.sh("h1", "route add -inet6 2001:db8:7::/48 2001:db8:1::ff").lines == [
        "route: writing to routing socket: File exists",
        "add net 2001:db8:7::/48: gateway 2001:db8:1::ff: File exists",
    ]
    assert bench.sh("h1", "route -n get -inet6 2001:db8:7::1").lines[:6] == [
        "   route to: 2001:db8:7::1",
        "destination: 2001:db8:7::",
        "       mask: ffff:ffff:ffff::",
        "    gateway: 2001:db8:1::ff",
        "  interface: ne0",
        "      flags: <UP,GATEWAY,DONE,STATIC>",
    ]
    assert bench.sh("h1", "route change -inet6 2001:db8:7::/48 2001:db8:1::ff -mtu 1300").status == 0
    assert bench.sh("h1", "route -n get -inet6 2001:db8:7::1").lines[-1].split()[-2] == "1300"
    assert bench.sh("h1", "route delete -inet6 2001:db8:7::/48").output == "delete net 2001:db8:7::/48\n"
    assert bench.sh("h1", "route delete -inet6 2001:db8:7::/48") == (
        "route: writing to routing socket: No such process\ndelete net 2001:db8:7::/48: not in table\n",
        1,
    )
    assert bench.sh("h1", "route add -inet6 2001:db8:7::/48 2001:db8:1::ff; route flush -inet6").lines[1:] == [
        "default              2001:db8:1::ff       done",
        "2001:db8:7::/48      2001:db8:1::ff       done",
    ]
    assert bench.sh("h1", "route get -inet6 2001:db8:7::1") == (
        "route: writing to routing socket: No such process\n",
        1,
    )
    assert bench.sh("h1", "route add -inet6 default 2001:db8:5::1").lines[0] == (
        "route: writing to routing socket: Network is unreachable"
    )


def test_a_reject_route_and_a_direct_one_have_their_flags() -> None:
    bench = routed()
    bench.sh("r1", "route add -inet6 2001:db8:7:: ::1 -reject; route add -inet6 2001:db8:8:: -interface ne1")
    lines = bench.sh("r1", "netstat -nr").lines
    assert "2001:db8:7::/64                   ::1                           UGRS         lo0" in lines
    assert "2001:db8:8::/64                   link#2                        UCS          ne1" in lines


def test_usage_netstat_shows_the_table_short_and_long() -> None:
    bench = small()
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    lines = bench.sh("h1", "netstat -nr").lines
    assert lines[:4] == [
        "Routing tables",
        "",
        "Internet6:",
        "Destination                       Gateway                       Flags      Netif Expire",
    ]
    assert "::1                               ::1                           UH           lo0" in lines
    assert "2001:db8:1::/64                   link#1                        UC           ne0" in lines
    assert "2001:db8:1::1                     2:0:0:0:0:1                   UHL          lo0" in lines
    assert "fe80::%ne0/64                     link#1                        UC           ne0" in lines
    assert any(
        line.startswith("2001:db8:1::2                     2:0:0:0:0:2                   UHLW") for line in lines
    )
    header = bench.sh("h1", "netstat -nrl").lines[3]
    assert header.split() == ["Destination", "Gateway", "Flags", "Refs", "Use", "Mtu", "Netif", "Expire"]


def test_interfaces_and_statistics_count_what_went_by() -> None:
    bench = routed()
    before = bench.sh("r1", "netstat -s -p ip6").output
    assert "\t0 packets forwarded\n" in before
    bench.sh("h1", "ping6 -c 3 2001:db8:2::2")
    assert "\t6 packets forwarded\n" in bench.sh("r1", "netstat -s -p ip6").output
    text = bench.sh("h1", "netstat -s").output
    assert "\t\techo: 3\n" in text
    assert "\t\techo reply: 3\n" in text
    link = bench.sh("h1", "netstat -in -I ne0").lines[1].split()
    assert link[:4] == ["ne0", "1500", "<Link#1>", "02:00:00:00:00:01"]
    assert int(link[4]) > 0
    assert int(link[6]) > 0


def test_sockets_of_a_running_program() -> None:
    bench = small()
    pid = bench.start("h1", "ping6 -c 3 2001:db8:1::2")
    bench.run(1)
    assert "icm6 " in bench.sh("h1", "netstat -an").output
    bench.finish("h1", pid)
    assert "icm6 " not in bench.sh("h1", "netstat -an").output


def test_sysctl_on_a_node() -> None:
    bench = small()
    assert bench.sh("h1", "sysctl net.inet6.ip6.accept_rtadv").output == "net.inet6.ip6.accept_rtadv: 0\n"
    assert bench.sh("h1", "sysctl -w net.inet6.ip6.kame_version=1") == (
        "sysctl: oid 'net.inet6.ip6.kame_version' is read only\n",
        1,
    )
    assert bench.sh("h1", "sysctl -w net.inet6.ip6.temppltime=1") == (
        "sysctl: net.inet6.ip6.temppltime: Invalid argument\n",
        1,
    )
    assert bench.sh("h1", "sysctl net.inet6.ip6.dad_transmits") == (
        "sysctl: unknown oid 'net.inet6.ip6.dad_transmits'\n",
        1,
    )
    names = [line.split(":")[0] for line in bench.sh("h1", "sysctl -a").lines]
    assert {"net.inet6.ip6.forwarding", "net.inet6.icmp6.nd6_delay"} <= set(names)


@pytest.mark.parametrize("program", ["ifconfig", "ndp", "route", "netstat", "sysctl"])
def test_each_program_has_its_page(program: str) -> None:
    result = small().sh("h1", f"man {program}")
    assert result.status == 0
    assert f"{program} - " in result.output
    assert all(len(line) <= 78 for line in result.lines)
