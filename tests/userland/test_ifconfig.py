"""ifconfig(8): what it shows, what it asks of the kernel, its words when something is refused."""

from __future__ import annotations

import pytest
from fake_proc import DE0, GLOBAL, LINKLOCAL, LO0, LOOPBACK, LOOPBACK_LINKLOCAL, FakeProc, run

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.views import INFINITE, AddressRow
from kamelab.userland import ifconfig, ifconfig_lines
from kamelab.wire import in6

ADDRESSES = (LINKLOCAL, GLOBAL, LOOPBACK, LOOPBACK_LINKLOCAL)

DE0_TEXT = (
    "de0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n"
    "\tinet6 fe80::260:8ff:fe11:2233%de0 prefixlen 64 scopeid 0x1 \n"
    "\tinet6 2001:db8:0:1:260:8ff:fe11:2233 prefixlen 64 autoconf \n"
    "\tether 00:60:08:11:22:33 \n"
    "\tmedia: Ethernet status: active\n"
)
LO0_TEXT = (
    "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384\n"
    "\tinet6 ::1 prefixlen 128 \n"
    "\tinet6 fe80::1%lo0 prefixlen 64 scopeid 0x2 \n"
)


def world() -> FakeProc:
    return FakeProc(addresses=ADDRESSES)


# -- showing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ifconfig de0", DE0_TEXT),
        ("ifconfig lo0", LO0_TEXT),
        ("ifconfig -a", DE0_TEXT + LO0_TEXT),
        ("ifconfig", DE0_TEXT + LO0_TEXT),
        ("ifconfig -l", "de0 lo0\n"),
        ("ifconfig -lu", "de0 lo0\n"),
        ("ifconfig -a -d", ""),
    ],
)
def test_showing(line: str, text: str) -> None:
    assert run(ifconfig.main, line, world()) == (0, text, "")


def test_lifetimes_are_shown_with_capital_l_where_they_end() -> None:
    lines = run(ifconfig.main, "ifconfig -L de0", world())[1].splitlines()
    assert lines[1] == "\tinet6 fe80::260:8ff:fe11:2233%de0 prefixlen 64 scopeid 0x1 "
    assert lines[2] == ("\tinet6 2001:db8:0:1:260:8ff:fe11:2233 prefixlen 64 autoconf pltime 604799 vltime 2591999 ")
    one = GLOBAL._replace(flags=(), vltime=INFINITE, pltime=0)
    assert ifconfig_lines.address_line(one, lifetimes=True).endswith("prefixlen 64 pltime 0 vltime infty ")


def test_a_family_narrows_what_is_shown() -> None:
    assert run(ifconfig.main, "ifconfig de0 inet6", world())[1] == "".join(DE0_TEXT.splitlines(keepends=True)[:3])
    assert run(ifconfig.main, "ifconfig de0 link", world())[1] == (
        "de0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\tether 00:60:08:11:22:33 \n"
    )


def test_address_flags_stand_in_a_fixed_place_and_destinations_behind_an_arrow() -> None:
    row = AddressRow("ppp0", "fe80::1%ppp0", 64, ("tentative", "deprecated"), 3, INFINITE, INFINITE, "")
    assert ifconfig_lines.address_line(row) == ("\tinet6 fe80::1%ppp0 prefixlen 64 tentative deprecated scopeid 0x3 ")
    row = AddressRow("ppp0", "2001:db8::1", 128, (), 0, INFINITE, INFINITE, "2001:db8::2")
    assert ifconfig_lines.address_line(row) == "\tinet6 2001:db8::1 --> 2001:db8::2 prefixlen 128 "


def test_an_interface_that_is_down_or_without_carrier_says_so() -> None:
    down = DE0._replace(flags=0x8802, running=False)
    assert ifconfig_lines.interface_lines(down, ())[0] == "de0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500"
    assert ifconfig_lines.interface_lines(down, ())[-1].endswith("status: down")
    loose = DE0._replace(flags=0x8803, running=False)
    assert ifconfig_lines.interface_lines(loose, ())[-1].endswith("status: no carrier")


def test_interfaces_are_picked_by_state() -> None:
    proc = FakeProc(interfaces=(DE0, LO0._replace(flags=0x8008)))
    assert run(ifconfig.main, "ifconfig -l -u", proc)[1] == "de0\n"
    assert run(ifconfig.main, "ifconfig -l -d", proc)[1] == "lo0\n"


# -- changing ---------------------------------------------------------------------------------------------------------


def added(**changes: object) -> dict[str, object]:
    """The arguments of a plain SIOCAIFADDR_IN6."""
    plain: dict[str, object] = {
        "address": in6.pton("2001:db8::1"),
        "zone": 0,
        "plen": 64,
        "flags": (),
        "vltime": INFINITE,
        "pltime": INFINITE,
        "destination": None,
    }
    return {**plain, **changes}


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (
            "3ffe:501:808:1:200:f8ff:fe01:6317 alias",  # as in KAME USAGE
            added(address=in6.pton("3ffe:501:808:1:200:f8ff:fe01:6317")),
        ),
        ("2001:db8::1", added()),
        ("2001:db8::1 add", added()),
        ("2001:db8::1/48", added(plen=48)),
        ("2001:db8::1 prefixlen 48", added(plen=48)),
        ("2001:db8::1 prefixlen 0x30", added(plen=48)),
        ("alias 2001:db8::1", added()),
        ("2001:db8::1 anycast", added(flags=("anycast",))),
        ("2001:db8::1 deprecated autoconf tentative", added(flags=("tentative", "deprecated", "autoconf"))),
        ("2001:db8::1 deprecated -deprecated", added()),
        ("2001:db8::1 pltime 60 vltime 120", added(pltime=60, vltime=120)),
        ("2001:db8::1 vltime 120", added(pltime=120, vltime=120)),
        ("2001:db8:0:5:: eui64", added(address=in6.pton("2001:db8:0:5:260:8ff:fe11:2233"))),
        (
            "3ffe:501:808:5::1 3ffe:501:808:5::2 prefixlen 64 alias",  # as in KAME USAGE
            added(address=in6.pton("3ffe:501:808:5::1"), destination=in6.pton("3ffe:501:808:5::2"), plen=128),
        ),
        ("fe80::7 alias", added(address=in6.pton("fe80::7"), zone=1)),
        ("fe80::7%lo0 alias", added(address=in6.pton("fe80::7"), zone=2)),
    ],
)
def test_adding_an_address(words: str, arguments: dict[str, object]) -> None:
    proc = world()
    assert run(ifconfig.main, f"ifconfig de0 inet6 {words}", proc) == (0, "", "")
    assert proc.calls == [("SIOCAIFADDR_IN6", "de0", arguments)]


@pytest.mark.parametrize("word", ["-alias", "delete", "remove"])
def test_deleting_an_address(word: str) -> None:
    proc = world()
    assert run(ifconfig.main, f"ifconfig de0 inet6 2001:db8::1 {word}", proc)[0] == 0
    assert proc.calls == [("SIOCDIFADDR_IN6", "de0", {"address": in6.pton("2001:db8::1"), "zone": 0})]


def test_the_interface_is_changed_in_the_order_of_the_words() -> None:
    proc = world()
    assert run(ifconfig.main, "ifconfig de0 down mtu 1400 up", proc)[0] == 0
    assert proc.calls == [
        ("SIOCSIFFLAGS", "de0", {"up": False}),
        ("SIOCSIFMTU", "de0", {"mtu": 1400}),
        ("SIOCSIFFLAGS", "de0", {"up": True}),
    ]


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ifconfig xx0", "interface xx0 does not exist"),
        ("ifconfig xx0 up", "interface xx0 does not exist"),
        ("ifconfig de0 inet6 2001:db8::g", "2001:db8::g: bad value"),
        ("ifconfig de0 inet6 fe80:1::7", "fe80:1::7: bad value"),
        ("ifconfig de0 inet6 2001:db8::1/129", "prefixlen: bad value"),
        ("ifconfig de0 inet6 2001:db8::1 prefixlen 129", "prefixlen: bad value"),
        ("ifconfig de0 inet6 2001:db8::1 prefixlen", "'prefixlen' requires argument"),
        ("ifconfig de0 inet6 2001:db8::1 vltime infty", "invalid vltime"),
        ("ifconfig de0 inet6 2001:db8::1 detached", "detached: bad value"),
        ("ifconfig de0 inet6 2001:db8::1 2001:db8::2 2001:db8::3", "2001:db8::3: bad value"),
        ("ifconfig de0 inet6 2001:db8::1 eui64", "interface index is already filled"),
        ("ifconfig lo0 inet6 2001:db8:: eui64", "could not determine link local address"),
        ("ifconfig de0 inet6 delete", "delete: an address must be given"),
        ("ifconfig de0 inet6 anycast", "address parameters need an address"),
        ("ifconfig de0 anycast", "address flags can be set only for inet6 addresses"),
        ("ifconfig de0 pltime 5", "pltime not allowed for the AF"),
        ("ifconfig de0 mtu", "'mtu' requires argument"),
        ("ifconfig de0 mtu big", "mtu: bad value"),
        ("ifconfig de0 2001:db8::1", "2001:db8::1: bad value (an IPv6 address needs inet6 before it)"),
        ("ifconfig de0 upp", "upp: bad value"),
        ("ifconfig de0 inet 192.0.2.1", "inet: not built yet"),
        ("ifconfig de0 media 100baseTX", "media: not built yet"),
    ],
)
def test_a_wrong_line_is_refused_before_anything_is_changed(line: str, text: str) -> None:
    proc = FakeProc(addresses=(LINKLOCAL,))
    assert run(ifconfig.main, line, proc) == (1, "", f"ifconfig: {text}\n")
    assert proc.calls == []


def test_nothing_is_changed_by_a_line_that_goes_wrong_at_its_end() -> None:
    proc = world()
    assert run(ifconfig.main, "ifconfig de0 inet6 down 2001:db8::1 prefixlen 200", proc)[0] == 1
    assert proc.calls == []


@pytest.mark.parametrize(
    ("words", "request_", "number", "text"),
    [
        ("inet6 2001:db8::1", "SIOCAIFADDR_IN6", errors.EINVAL, "ioctl (SIOCAIFADDR): Invalid argument"),
        (
            "inet6 2001:db8::1 delete",
            "SIOCDIFADDR_IN6",
            errors.EADDRNOTAVAIL,
            "ioctl (SIOCDIFADDR): Can't assign requested address",
        ),
        ("mtu 100", "SIOCSIFMTU", errors.EINVAL, "ioctl (set mtu): Invalid argument"),
        ("up", "SIOCSIFFLAGS", errors.ENXIO, "ioctl (SIOCSIFFLAGS): Device not configured"),
    ],
)
def test_the_kernels_refusal_names_the_request(words: str, request_: str, number: int, text: str) -> None:
    proc = world()
    proc.answers[request_] = Errno(number)
    assert run(ifconfig.main, f"ifconfig de0 {words}", proc) == (1, "", f"ifconfig: {text}\n")


@pytest.mark.parametrize("line", ["ifconfig -z", "ifconfig -a inet6 2001:db8::1", "ifconfig de0 link 0:1:2:3:4:5"])
def test_usage(line: str) -> None:
    assert run(ifconfig.main, line) == (1, "", ifconfig.USAGE)
