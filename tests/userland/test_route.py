"""route(8): how its words become requests, and what it prints."""

from __future__ import annotations

import pytest
from fake_proc import DE0, SECOND, FakeProc, run

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.views import RouteRow
from kamelab.userland import route, route_words
from kamelab.wire import in6


def asked(**changes: object) -> dict[str, object]:
    """The arguments of ``route add -inet6 2001:db8:5:: fe80::1%de0``."""
    plain: dict[str, object] = {
        "destination": in6.pton("2001:db8:5::"),
        "zone": 0,
        "plen": 64,
        "gateway": in6.pton("fe80::1"),
        "gateway_zone": 1,
        "interface": "",
        "flags": ("static",),
        "mtu": 0,
        "expire": 0,
    }
    return {**plain, **changes}


@pytest.mark.parametrize(
    ("words", "arguments", "line"),
    [
        ("2001:db8:5:: fe80::1%de0", asked(), "add net 2001:db8:5::: gateway fe80::1%de0"),
        ("2001:db8:5::/48 fe80::1%de0", asked(plen=48), "add net 2001:db8:5::/48: gateway fe80::1%de0"),
        (
            "2001:db8:5:: -prefixlen 48 fe80::1%de0",
            asked(plen=48),
            "add net 2001:db8:5::: gateway fe80::1%de0",
        ),
        (
            "2001:db8:5:: fe80::1%de0 -netmask ffff:ffff:ffff::",
            asked(plen=48),
            "add net 2001:db8:5::: gateway fe80::1%de0",
        ),
        (
            "2001:db8:5::1 fe80::1%de0",
            asked(destination=in6.pton("2001:db8:5::1"), plen=128, flags=("static", "host")),
            "add host 2001:db8:5::1: gateway fe80::1%de0",
        ),
        (
            "-host 2001:db8:5:: fe80::1%de0",
            asked(plen=128, flags=("static", "host")),
            "add host 2001:db8:5::: gateway fe80::1%de0",
        ),
        (
            "-net 2001:db8:5::1 fe80::1%de0",
            asked(),
            "add net 2001:db8:5::1: gateway fe80::1%de0",
        ),
        ("2001:db8:5::1/64 fe80::1%de0", asked(), "add net 2001:db8:5::1/64: gateway fe80::1%de0"),
        (
            "default fe80::1%de0",
            asked(destination=bytes(16), plen=0),
            "add net default: gateway fe80::1%de0",
        ),
        (
            "2001:db8:5:: -interface de0",
            asked(gateway=None, gateway_zone=0, interface="de0"),
            "add net 2001:db8:5::: gateway de0",
        ),
        (
            "2001:db8:5:: 2001:db8::1 -ifp de0 -mtu 1400 -expire 60 -nostatic -blackhole",
            asked(
                gateway=in6.pton("2001:db8::1"),
                gateway_zone=0,
                interface="de0",
                flags=("blackhole",),
                mtu=1400,
                expire=60,
            ),
            "add net 2001:db8:5::: gateway 2001:db8::1",
        ),
        (
            "2001:db8:5:: ::1 -reject",
            asked(gateway=in6.LOOPBACK, gateway_zone=0, flags=("static", "reject")),
            "add net 2001:db8:5::: gateway ::1",
        ),
    ],
)
def test_adding(words: str, arguments: dict[str, object], line: str) -> None:
    proc = FakeProc()
    assert run(route.main, f"route add -inet6 {words}", proc) == (0, line + "\n", "")
    assert proc.calls == [("add", arguments)]


def test_the_family_may_be_left_out_and_quiet_is_quiet() -> None:
    proc = FakeProc()
    assert run(route.main, "route -q add 2001:db8:5:: fe80::1%de0", proc) == (0, "", "")
    assert proc.calls == [("add", asked())]


def test_kame_usage_writes_the_zone_inside_and_is_warned() -> None:
    proc = FakeProc(interfaces=(DE0, DE0._replace(name="de1", index=2)))
    assert run(route.main, "route add -inet6 default fe80:2::200:a2ff:fe0e:7543", proc) == (
        0,
        "add net default: gateway fe80:2::200:a2ff:fe0e:7543\n",
        "route: warning: fe80:2::200:a2ff:fe0e:7543: embedded scope index, "
        "write fe80::200:a2ff:fe0e:7543%de1 instead\n",
    )
    gateway = in6.pton("fe80::200:a2ff:fe0e:7543")
    assert proc.calls == [("add", asked(destination=bytes(16), plen=0, gateway=gateway, gateway_zone=2))]


def test_delete_and_change() -> None:
    proc = FakeProc()
    assert run(route.main, "route delete -inet6 2001:db8:5::", proc) == (0, "delete net 2001:db8:5::\n", "")
    assert run(route.main, "route change -inet6 default fe80::1%de0", proc)[1] == (
        "change net default: gateway fe80::1%de0\n"
    )
    assert [(command, args["gateway"], args["flags"]) for command, args in proc.calls] == [
        ("delete", None, ()),
        ("change", in6.pton("fe80::1"), ()),
    ]


@pytest.mark.parametrize(
    ("command", "number", "text", "told"),
    [
        ("add", errors.EEXIST, "File exists", "File exists"),
        ("add", errors.ENETUNREACH, "Network is unreachable", "Network is unreachable"),
        ("delete", errors.ESRCH, "No such process", "not in table"),
        ("add", errors.ENOBUFS, "No buffer space available", "routing table overflow"),
    ],
)
def test_refusals_are_told_twice(command: str, number: int, text: str, told: str) -> None:
    proc = FakeProc()
    proc.answers[command] = Errno(number)
    assert run(route.main, f"route {command} -inet6 default fe80::1%de0", proc) == (
        1,
        f"{command} net default: gateway fe80::1%de0: {told}\n",
        f"route: writing to routing socket: {text}\n",
    )


# -- get and flush ----------------------------------------------------------------------------------------------------


def test_get_shows_the_route_and_its_metrics() -> None:
    proc = FakeProc()
    proc.now = 20 * SECOND
    row = RouteRow("2001:db8:9::/48", "fe80::2%de0", "UGS", "de0", 600 * SECOND, 1400, 0, 0)
    proc.answers["get"] = row
    assert run(route.main, "route get -inet6 2001:db8:9::1", proc)[1] == (
        "   route to: 2001:db8:9::1\n"
        "destination: 2001:db8:9::\n"
        "       mask: ffff:ffff:ffff::\n"
        "    gateway: fe80::2%de0\n"
        "  interface: de0\n"
        "      flags: <UP,GATEWAY,DONE,STATIC>\n"
        " recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n"
        "        0         0         0         0         0         0     1400        580\n"
    )
    assert proc.calls == [("get", {"destination": in6.pton("2001:db8:9::1"), "zone": 0, "plen": 128, "interface": ""})]


def test_get_of_a_link_route_takes_the_interfaces_mtu() -> None:
    row = RouteRow("fe80::%de0/64", "link#1", "UC", "de0", None, 0, 0, 0)
    lines = route_words.get_lines("fe80::9%de0", row, 1500, 0, str)
    assert lines[:5] == [
        "   route to: fe80::9%de0",
        "destination: fe80::%de0",
        "       mask: ffff:ffff:ffff:ffff::",
        "  interface: de0",
        "      flags: <UP,DONE,CLONING>",
    ]
    assert lines[6].split()[6] == "1500"
    row = RouteRow("default", "fe80::1%de0", "UG", "de0", None, 0, 0, 0)
    assert route_words.get_lines("::2", row, 1500, 0, str)[1:4] == [
        "destination: default",
        "       mask: default",
        "    gateway: fe80::1%de0",
    ]


@pytest.mark.parametrize("answer", [None, Errno(errors.ESRCH)])
def test_get_without_a_route(answer: object) -> None:
    proc = FakeProc()
    proc.answers["get"] = answer
    assert run(route.main, "route get 2001:db8:9::1", proc) == (
        1,
        "",
        "route: writing to routing socket: No such process\n",
    )


def test_flush_lists_what_went() -> None:
    proc = FakeProc()
    proc.answers["flush"] = (
        RouteRow("default", "fe80::1%de0", "UG", "de0", None, 0, 0, 0),
        RouteRow("2001:db8:1234:5678::/64", "fe80::260:8ff:fe11:2233%de0", "UGS", "de0", None, 0, 0, 0),
    )
    assert run(route.main, "route flush -inet6", proc)[1] == (
        "default              fe80::1%de0          done\n2001:db8:1234:5678:: fe80::260:8ff:fe11:2 done\n"
    )


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("route add -inet6 2001:db8::x fe80::1%de0", "2001:db8::x: bad value"),
        ("route add -inet6 2001:db8::/129 fe80::1%de0", "2001:db8::/129: bad value"),
        ("route add -inet6 default fe80::1%xx0", "fe80::1%xx0: bad value"),
        ("route add -inet6 default -interface xx0", "xx0: bad value"),
        ("route add -inet6 default", "a gateway, or -interface and an interface, is expected"),
        ("route add -inet6 default fe80::1%de0 -prefixlen 129", "129: bad value"),
        ("route add -inet6 default fe80::1%de0 -netmask ffff:0:ffff::", "ffff:0:ffff::: bad value"),
        ("route add -inet6 default fe80::1%de0 -mtu", "-mtu: an argument is expected"),
        ("route add -inet6 default fe80::1%de0 -nonsense", "bad keyword: nonsense"),
        ("route add -inet6 default fe80::1%de0 -genmask ::", "-genmask: not built yet"),
        ("route add -inet6 default fe80::1%de0 -rtt soon", "soon: bad value"),
        ("route add -inet6 default fe80::1%de0 -ifa fe80::9%de0", "fe80::9%de0: bad value"),
        ("route change -inet6 default", "a gateway, or -interface and an interface, is expected"),
        ("route add -inet6 default fe80::1%de0 more", "more: one word too many"),
        ("route add -inet default 192.0.2.1", "-inet: not built yet"),
        ("route monitor now", "now: one word too many"),
    ],
)
def test_wrong_words(line: str, text: str) -> None:
    proc = FakeProc()
    assert run(route.main, line, proc) == (1, "", f"route: {text}\n")
    assert proc.calls == []


@pytest.mark.parametrize("line", ["route", "route bend", "route add", "route -z add", "route get"])
def test_usage_ends_with_64(line: str) -> None:
    assert run(route.main, line) == (64, "", route.USAGE)
