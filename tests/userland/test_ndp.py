"""ndp(8): its tables, its command line, its words when something is refused."""

from __future__ import annotations

import pytest
from fake_proc import SECOND, FakeProc, Interrupted, run
from real_nodes import Bench

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.views import INFINITE, NdInterfaceRow, NeighborRow, PrefixRow, RouterRow
from kamelab.userland import ndp, ndp_lines
from kamelab.wire import in6

DAY = 86400 * SECOND


def neighbor(address: str, **changes: object) -> NeighborRow:
    """A reachable neighbour with 24 s left."""
    row = NeighborRow(address, "0:60:8:11:22:33", "de0", "REACHABLE", 24 * SECOND, False, False, 0, False, False, 0)
    return row._replace(**changes)  # type: ignore[arg-type]


NEIGHBORS = (
    neighbor("2001:db8:0:1::10", state="STALE", expire=DAY - SECOND - 1),
    neighbor("2001:db8:0:1::77", lladdr="", state="INCOMPLETE", expire=SECOND + 1, probes=2),
    neighbor("fe80::1%lo0", lladdr="", interface="lo0", expire=None, own=True),
    neighbor("fe80::260:8ff:fe11:2233%de0", router=True),
    neighbor("fe80::1234%de0", lladdr="0:1:2:3:4:5", expire=None, router=True, proxy=True, static=True),
    neighbor("2001:db8::5", state="DELAY", expire=0),
    neighbor("2001:db8::6", state="PROBE", expire=SECOND, probes=1),
    neighbor("2001:db8::7", state="NOSTATE", lladdr=""),
)

TABLE = """\
Neighbor                      Linklayer Address   Netif Expire    St Flgs Prbs
2001:db8:0:1::10              0:60:8:11:22:33       de0 23h59m58s S
2001:db8:0:1::77              (incomplete)          de0 1s        I          2
fe80::1%lo0                   (incomplete)          lo0 permanent R
fe80::260:8ff:fe11:2233%de0   0:60:8:11:22:33       de0 24s       R    R
fe80::1234%de0                0:1:2:3:4:5           de0 permanent R    Rp
2001:db8::5                   0:60:8:11:22:33       de0 expired   D
2001:db8::6                   0:60:8:11:22:33       de0 1s        P          1
2001:db8::7                   (incomplete)          de0 24s       N
"""


def test_neighbor_table_has_the_columns_of_kame_usage() -> None:
    assert run(ndp.main, "ndp -an", FakeProc(neighbors=NEIGHBORS)) == (0, TABLE, "")


def test_a_long_address_is_not_cut_and_the_row_falls_in_line_again() -> None:
    lines = ndp_lines.neighbor_lines(
        [neighbor("2001:db8:0:1:260:8ff:fe11:2233"), neighbor("2001:db8:1234:5678:9260:8ff:fe11:2233")], 0
    )
    assert lines == [
        "Neighbor                      Linklayer Address   Netif Expire    St Flgs Prbs",
        "2001:db8:0:1:260:8ff:fe11:2233 0:60:8:11:22:33      de0 24s       R",
        "2001:db8:1234:5678:9260:8ff:fe11:2233 0:60:8:11:22:33 de0 24s     R",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (4, "4s"), (60, "1m0s"), (3600, "1h0m0s"), (86399, "23h59m59s"), (86400 + 7203, "1d2h0m3s")],
)
def test_spans_begin_with_their_largest_unit(seconds: int, text: str) -> None:
    assert ndp_lines.sec2str(seconds) == text


def test_t_puts_the_time_before_each_line_and_leaves_the_header_out() -> None:
    proc = FakeProc(neighbors=NEIGHBORS[:1])
    proc.now = 4_118_205_000
    assert run(ndp.main, "ndp -ant", proc)[1] == (
        "10:00:04.118205 2001:db8:0:1::10              0:60:8:11:22:33       de0 23h59m54s S\n"
    )


def test_names_of_etc_hosts_are_shown_unless_n() -> None:
    proc = FakeProc(neighbors=NEIGHBORS[3:4])
    proc.files["/etc/hosts"] = "fe80::260:8ff:fe11:2233%de0 gw.example.org gw\n"
    named = "gw.example.org                0:60:8:11:22:33       de0 24s       R    R\n"
    assert run(ndp.main, "ndp -a", proc)[1].endswith(named)
    assert run(ndp.main, "ndp -an", proc)[1].endswith(TABLE.splitlines(keepends=True)[4])


def test_one_entry() -> None:
    proc = FakeProc(neighbors=NEIGHBORS)
    header = TABLE.splitlines(keepends=True)[0]
    assert run(ndp.main, "ndp 2001:db8:0:1::10", proc)[1] == header + TABLE.splitlines(keepends=True)[1]
    assert run(ndp.main, "ndp fe80::1234", proc)[1] == header + TABLE.splitlines(keepends=True)[5]
    assert run(ndp.main, "ndp fe80::1234%lo0", proc) == (1, "", "fe80::1234%lo0 (fe80::1234%lo0) -- no entry\n")
    assert run(ndp.main, "ndp nobody", proc) == (
        1,
        "",
        "ndp: nobody: hostname nor servname provided, or not known\n",
    )


def test_watching_prints_the_table_every_so_many_seconds() -> None:
    proc = FakeProc(neighbors=NEIGHBORS[:1])
    proc.naps = 1
    with pytest.raises(Interrupted):
        run(ndp.main, "ndp -n -A 5", proc)
    assert [call for call in proc.calls if call[0] == "sleep"] == [("sleep", 5 * SECOND)] * 2
    assert proc.out.count("Neighbor ") == 2
    assert "23h59m58s S\n\nNeighbor" in proc.out
    assert "23h59m53s" in proc.out
    assert run(ndp.main, "ndp -A soon")[0] == 1


# -- lists ------------------------------------------------------------------------------------------------------------

PREFIXES = (
    PrefixRow(
        *("2001:db8:0:1::", 64, "de0", True, True, True, False, 2592000, 604800, 2591998 * SECOND, 1, "RA"),
        (("fe80::1%de0", "REACHABLE"), ("fe80::2%de0", "INCOMPLETE"), ("fe80::3%de0", "")),
    ),
    PrefixRow("2001:db8:0:2::", 64, "de1", True, True, True, False, 2592000, 604800, None, 1, "kernel", ()),
    PrefixRow("2001:db8:0:3::", 64, "de0", True, False, False, True, INFINITE, INFINITE, 0, 0, "RA", ()),
)


def test_prefix_list() -> None:
    assert run(ndp.main, "ndp -p", FakeProc(prefixes=PREFIXES))[1] == (
        "2001:db8:0:1::/64 if=de0\n"
        "  flags=LAO, vltime=2592000, pltime=604800, expire=29d23h59m58s, ref=1, origin=RA\n"
        "  advertised by\n"
        "    fe80::1%de0 (reachable)\n"
        "    fe80::2%de0 (unreachable)\n"
        "    fe80::3%de0 (no neighbor state)\n"
        "2001:db8:0:2::/64 if=de1\n"
        "  flags=LAO, vltime=2592000, pltime=604800, expire=Never, ref=1, origin=kernel\n"
        "  No advertising router\n"
        "2001:db8:0:3::/64 if=de0\n"
        "  flags=LD, vltime=infinity, pltime=infinity, expire=expired, ref=0, origin=RA\n"
        "  No advertising router\n"
    )


def test_default_router_list_shows_the_preference() -> None:
    rows = (
        RouterRow("fe80::260:8ff:fe11:2233%de0", "de0", "", "medium", 1693 * SECOND, True, "REACHABLE"),
        RouterRow("fe80::2%de0", "de0", "MO", "high", 0, False, ""),
    )
    assert run(ndp.main, "ndp -r", FakeProc(routers=rows))[1] == (
        "fe80::260:8ff:fe11:2233%de0 if=de0, flags=, pref=medium, expire=28m13s\n"
        "fe80::2%de0 if=de0, flags=MO, pref=high, expire=expired\n"
    )


# -- changes ----------------------------------------------------------------------------------------------------------


def test_flush_names_what_it_deleted() -> None:
    proc = FakeProc()
    proc.answers["flush"] = (("2001:db8::5", "de0"), ("fe80::2%de0", "de0"))
    assert run(ndp.main, "ndp -c", proc)[1] == (
        "2001:db8::5 (2001:db8::5) deleted\nfe80::2%de0 (fe80::2%de0) deleted\n"
    )


def test_delete() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -d fe80::2%de0", proc) == (0, "fe80::2%de0 (fe80::2%de0) deleted\n", "")
    assert proc.calls[-1] == ("delete", {"address": in6.pton("fe80::2"), "zone": 1, "interface": ""})
    proc.answers["delete"] = Errno(errors.ESRCH)
    assert run(ndp.main, "ndp -d 2001:db8::9", proc) == (1, "", "cannot locate 2001:db8::9\n")
    proc.answers["delete"] = Errno(errors.EINVAL)
    assert run(ndp.main, "ndp -d 2001:db8::9", proc) == (1, "", "delete: cannot delete non-NDP entry\n")


def test_set_is_silent_and_takes_temp_and_proxy() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -s fe80::1234%de0 0:1:2:3:4:5 proxy", proc) == (0, "", "")
    assert proc.calls[-1] == (
        "set",
        {
            "address": in6.pton("fe80::1234"),
            "zone": 1,
            "interface": "",
            "lladdr": bytes((0, 1, 2, 3, 4, 5)),
            "temp": False,
            "proxy": True,
        },
    )
    run(ndp.main, "ndp -s 2001:db8::9 0:1:2:3:4:5 temp", proc)
    assert proc.calls[-1][1]["temp"] is True


@pytest.mark.parametrize(
    ("line", "number", "text"),
    [
        ("ndp -s 2001:db8::9 0:1:2:3:4", 0, "ndp: invalid Ethernet address '0:1:2:3:4'\n"),
        ("ndp -s 2001:db8::9 0:1:2:3:4:5 permanent", 0, "ndp: 'permanent': expected temp or proxy\n"),
        ("ndp -s 2001:db8::9 0:1:2:3:4:5", errors.ENETUNREACH, "set: cannot configure a new entry\n"),
        (
            "ndp -s 2001:db8::9 0:1:2:3:4:5",
            errors.ENXIO,
            "28 cannot intuit interface index and type for 2001:db8::9\n",
        ),
        ("ndp -s fe80:1::9 0:1:2:3:4:5", 0, "ndp: fe80:1::9: Invalid argument\n"),
    ],
)
def test_set_refusals(line: str, number: int, text: str) -> None:
    proc = FakeProc()
    if number:
        proc.answers["set"] = Errno(number)
    assert run(ndp.main, line, proc) == (1, "", text)


def test_file_of_entries() -> None:
    proc = FakeProc()
    proc.files["/etc/ndp"] = "2001:db8::9 0:1:2:3:4:5\n\n2001:db8::a\nfe80::9%de0 0:1:2:3:4:6 temp proxy\n"
    assert run(ndp.main, "ndp -f /etc/ndp", proc) == (1, "", "ndp: bad line: 2001:db8::a\n")
    assert [call[1]["address"] for call in proc.calls] == [in6.pton("2001:db8::9"), in6.pton("fe80::9")]
    assert run(ndp.main, "ndp -f /none", proc) == (1, "", "ndp: cannot open /none\n")


def test_flushing_the_lists() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -P", proc) == (0, "", "")
    assert run(ndp.main, "ndp -R", proc) == (0, "", "")
    assert [call[0] for call in proc.calls] == ["SIOCSPFXFLUSH_IN6", "SIOCSRTRFLUSH_IN6"]


# -- interfaces -------------------------------------------------------------------------------------------------------

PARAMETERS = (
    "linkmtu=0, maxmtu=1500, curhlim=64, basereachable=30s0ms, reachable=33s, retrans=1s0ms\nFlags: nud accept_rtadv \n"
)


def test_interface_parameters() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -i de0", proc) == (0, PARAMETERS, "")
    assert proc.calls == []
    row = NdInterfaceRow("de0", 1500, 1500, 64, 30500, 16, 1001, ())
    assert ndp_lines.interface_lines(row) == [
        "linkmtu=1500, maxmtu=1500, curhlim=64, basereachable=30s500ms, reachable=16s, retrans=1s1ms",
        "Flags: ",
    ]
    assert run(ndp.main, "ndp -i xx0", proc) == (1, "", "ndp: invalid interface xx0\n")


@pytest.mark.parametrize("line", ["ndp -i de0 -nud", "ndp -i de0 -- -nud", "ndp -n -ide0 -nud"])
def test_a_flag_is_cleared_with_and_without_the_double_dash(line: str) -> None:
    proc = FakeProc()
    assert run(ndp.main, line, proc) == (0, PARAMETERS, "")
    assert proc.calls == [("SIOCSIFINFO_FLAGS", "de0", {"nud": False})]


def test_interface_values_are_set_together() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -i de0 basereachable=10000 curhlim=32 prefer_source -accept_rtadv", proc)[0] == 0
    assert proc.calls == [
        ("SIOCSIFINFO_IN6", "de0", {"basereachable": 10000, "curhlim": 32}),
        ("SIOCSIFINFO_FLAGS", "de0", {"prefer_source": True, "accept_rtadv": False}),
    ]
    proc.answers["SIOCSIFINFO_IN6"] = Errno(errors.EINVAL)
    assert run(ndp.main, "ndp -i de0 curhlim=300", proc) == (1, "", "ndp: ioctl(SIOCSIFINFO_IN6): Invalid argument\n")


def test_default_interface() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -I", proc) == (0, "No default interface.\n", "")
    proc.answers["SIOCGDEFIFACE_IN6"] = "de0"
    assert run(ndp.main, "ndp -I de0", proc) == (0, "ND default interface = de0\n", "")
    run(ndp.main, "ndp -I delete", proc)
    assert [call[:2] for call in proc.calls if call[0] == "SIOCSDEFIFACE_IN6"] == [
        ("SIOCSDEFIFACE_IN6", "de0"),
        ("SIOCSDEFIFACE_IN6", ""),
    ]
    proc.answers["SIOCSDEFIFACE_IN6"] = Errno(errors.ENXIO)
    assert run(ndp.main, "ndp -I xx0", proc) == (1, "", "ndp: invalid interface xx0\n")


# -- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "ndp",
        "ndp -a -p",
        "ndp -a extra",
        "ndp one two",
        "ndp -s 2001:db8::9",
        "ndp -s 2001:db8::9 0:1:2:3:4:5 temp proxy more",
        "ndp -i de0 speed=9",
        "ndp -i de0 curhlim=many",
        "ndp -I de0 de1",
    ],
)
def test_wrong_words_get_the_usage_on_standard_output(line: str) -> None:
    assert run(ndp.main, line) == (1, ndp.USAGE, "")


def test_unknown_option() -> None:
    assert run(ndp.main, "ndp -x") == (1, ndp.USAGE, "ndp: illegal option -- x\n")
    assert run(ndp.main, "ndp -d") == (1, ndp.USAGE, "ndp: option requires an argument -- d\n")


def test_harmonizing_and_the_flag_that_keeps_routes_away() -> None:
    proc = FakeProc()
    assert run(ndp.main, "ndp -H", proc) == (0, "", "")
    assert proc.calls == [("SIOCSNDFLUSH_IN6", "lo0", {})]
    assert run(ndp.main, "ndp -i de0 dont_set_ifroute", proc)[0] == 0
    assert proc.calls[-1] == ("SIOCSIFINFO_FLAGS", "de0", {"dont_set_ifroute": True})


def test_of_many_advertising_routers_ten_are_named() -> None:
    routers = tuple((f"fe80::{number:x}%de0", "") for number in range(1, 14))
    lines = ndp_lines.prefix_lines([PREFIXES[0]._replace(routers=routers)], 0)
    assert lines[-2:] == ["    fe80::a%de0 (no neighbor state)", "    and 3 routers"]


def test_prefixes_of_this_router_are_shown_as_to_be_advertised() -> None:
    lines = [ndp_lines.prefix_lines([PREFIXES[1]._replace(origin=origin)], 0)[1] for origin in ("RR", "static")]
    assert lines == [
        f"  advertise: flags=LAO, vltime=2592000, pltime=604800, expire=Never, ref=1, origin={origin}"
        for origin in ("RR", "static")
    ]


def test_harmonizing_on_a_node_brings_the_lists_default_route_back() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("h1", "lan", accept_rtadv=1)
    bench.node("r1", "lan", forwarding=1)
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias")
    bench.run(3)
    bench.sh("r1", "rtadvd ne0")
    bench.sh("h1", "rtsol ne0")
    bench.run(2)
    before = [line for line in bench.sh("h1", "netstat -nr").lines if line.startswith("default")]
    assert len(before) == 1
    bench.sh("h1", "route delete -inet6 default")
    assert "default" not in bench.sh("h1", "netstat -nr").output
    for _ in range(2):
        assert bench.sh("h1", "ndp -H") == ("", 0)
        assert [line for line in bench.sh("h1", "netstat -nr").lines if line.startswith("default")] == before
    bench.sh("h1", "route delete -inet6 default; route add -inet6 default 2001:db8:1::77; ndp -H")
    assert "2001:db8:1::77" in bench.sh("h1", "netstat -nr").output, "what is of no listed router stays"
