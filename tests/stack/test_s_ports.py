"""Port spaces and platform profiles (KAME IMPLEMENTATION 1.12 (2001)/(2000), RFC 3493 3.7, 3.8, 5.3; BSD in_pcb.c)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import STRANGER, A, Wires, datagram, row

from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EINVAL,
    ENETUNREACH,
    EPERM,
    Errno,
    errno_name,
)
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.socket import profiles

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
PEER = A("2001:db8:1::9")
ANY6, LOOP6, ANY4, LOOP4 = bytes(16), A("::1"), bytes(4), b"\x7f\0\0\x01"
MAPPED = A("::ffff:10.1.1.1")
V6ONLY = "net.inet6.ip6.v6only"


def errno(call: Any, *args: Any) -> int:
    with pytest.raises(Errno) as refusal:
        call(*args)
    return refusal.value.number


def opened(node: Node, kind: str, *options: str) -> int:
    sid = syscalls.socket(node, 0, kind, 0)
    for name in options:
        syscalls.setsockopt(node, sid, name, 1)
    return sid


def verdict(node: Node, kind: str, first: bytes, second: bytes, *options: str) -> str:
    """What the second of two binds to port 9 is told; the sockets are closed again."""
    sids = []
    said = "ok"
    for addr in (first, second):
        sid = opened(node, f"{kind}{'4' if len(addr) == 4 else '6'}", *options)
        sids.append(sid)
        try:
            syscalls.bind(node, sid, addr, 9, 0)
        except Errno as error:
            said = errno_name(error.number)
    for sid in sids:
        syscalls.close(node, sid)
    return said


def table(node: Node, kind: str) -> list[str]:
    """Rows: the first socket; columns: the second. ``.`` goes, ``X`` does not."""
    order = (ANY4, LOOP4, ANY6, LOOP6)
    cells = {"ok": ".", "EADDRINUSE": "X"}
    return ["".join(cells[verdict(node, kind, first, second)] for second in order) for first in order]


APART = ["XX..", "XX..", "..XX", "..XX"]
MERGED = ["XX..", "XXX.", ".XXX", "..XX"]
NRL = ["XX..", "XX..", "XXXX", "..XX"]


@pytest.mark.parametrize("kind", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("platform", "v6only", "expected"),
    [
        ("bsdi3", 1, APART),
        ("freebsd2", 1, APART),
        ("freebsd3", 0, MERGED),
        ("freebsd4", 0, MERGED),
        ("netbsd", 1, APART),
        ("bsdi4", 0, NRL),
        ("openbsd", 1, APART),
    ],
)
def test_binds_in_each_order_on_each_platform(
    wires: Wires, kind: str, platform: str, v6only: int, expected: list[str]
) -> None:
    h1 = wires.host()
    profiles.assign(h1, platform)
    assert syscalls.sysctl(h1, V6ONLY) == v6only
    assert table(h1, kind) == expected


def test_the_switch_takes_the_families_apart(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, V6ONLY, 1)
    assert table(h1, "udp") == APART
    profiles.assign(h1, "netbsd")
    syscalls.sysctl_set(h1, V6ONLY, 0)
    assert table(h1, "udp") == APART, "NetBSD keeps two tables, whatever the variable says"


def test_a_change_of_the_variable_leaves_open_sockets_alone(wires: Wires) -> None:
    """1.12.3: the value is copied when the socket is made."""
    h1 = wires.host()
    before = opened(h1, "udp6")
    syscalls.sysctl_set(h1, V6ONLY, 1)
    after = opened(h1, "udp6")
    assert [syscalls.getsockopt(h1, sid, "IPV6_V6ONLY") for sid in (before, after)] == [False, True]
    syscalls.setsockopt(h1, after, "IPV6_BINDV6ONLY", 0)
    assert syscalls.getsockopt(h1, after, "IPV6_V6ONLY") is False
    syscalls.bind(h1, after, ANY6, 9, 0)
    assert errno(syscalls.setsockopt, h1, after, "IPV6_V6ONLY", 1) == EINVAL, "only before bind"


@pytest.mark.parametrize(("platform", "value"), [("openbsd", 0), ("bsdi3", 0), ("freebsd2", 0), ("bsdi4", 1)])
def test_platforms_without_a_choice(wires: Wires, platform: str, value: int) -> None:
    h1 = wires.host()
    profiles.assign(h1, platform)
    assert errno(syscalls.sysctl_set, h1, V6ONLY, value) == EPERM
    assert errno(syscalls.sysctl_set, h1, "net.inet6.ip6.bindv6only", value) == EPERM
    assert errno(syscalls.sysctl_set, h1, "net.inet6.ip6.mapped_addr", 1 - value) == EPERM
    sid = opened(h1, "tcp6")
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_V6ONLY", value) == EINVAL
    syscalls.setsockopt(h1, sid, "IPV6_V6ONLY", 1 - value)


def test_the_variable_s_other_names(wires: Wires) -> None:
    h1 = wires.host()
    assert syscalls.sysctl(h1, "net.inet6.ip6.mapped_addr") == 1
    assert syscalls.sysctl_set(h1, "net.inet6.ip6.mapped_addr", 0) == 1
    names = (V6ONLY, "net.inet6.ip6.bindv6only", "net.inet6.ip6.mapped_addr")
    assert [syscalls.sysctl(h1, name) for name in names] == [1, 1, 0]
    assert syscalls.sysctl_set(h1, "net.inet6.ip6.bindv6only", 0) == 1
    assert [syscalls.sysctl(h1, name) for name in names] == [0, 0, 1]


# -- IPv4-mapped addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "v6only", "number"),
    [
        ("freebsd3", 0, ENETUNREACH),
        ("freebsd4", 0, ENETUNREACH),
        ("freebsd4", 1, EINVAL),
        ("netbsd", 0, ENETUNREACH),
        ("netbsd", 1, EINVAL),
        ("bsdi4", 0, ENETUNREACH),
        ("openbsd", 1, EINVAL),
        ("bsdi3", 1, EINVAL),
        ("freebsd2", 1, EINVAL),
    ],
)
def test_the_initiating_side(wires: Wires, platform: str, v6only: int, number: int) -> None:
    """What is allowed ends in ENETUNREACH, there being no IPv4; nothing mapped is ever on the wire (1.14)."""
    h1 = wires.host()
    profiles.assign(h1, platform)
    if syscalls.sysctl(h1, V6ONLY) != v6only:
        syscalls.sysctl_set(h1, V6ONLY, v6only)
    sid = opened(h1, "udp6")
    assert errno(syscalls.sendmsg, h1, sid, b"x", MAPPED, 9, 0) == number
    assert errno(syscalls.connect, h1, sid, MAPPED, 9, 0) == number
    raw = syscalls.socket(h1, 0, "raw6", 58)
    assert errno(syscalls.sendmsg, h1, raw, bytes(8), MAPPED, 0, 0) == EINVAL
    assert [one for one in wires.sent(h1, since=3) if one.packet[6] in (17, 58)] == []


def test_the_names_of_one_socket_are_of_one_family(wires: Wires) -> None:
    h1 = wires.host()
    ours, mapped = opened(h1, "udp6"), opened(h1, "udp6")
    syscalls.bind(h1, ours, GLOBAL, 9, 0)
    assert errno(syscalls.connect, h1, ours, MAPPED, 9, 0) == EINVAL
    syscalls.bind(h1, mapped, A("::ffff:127.0.0.1"), 9, 0)
    assert errno(syscalls.connect, h1, mapped, PEER, 9, 0) == EINVAL
    assert errno(syscalls.connect, h1, mapped, MAPPED, 9, 0) == ENETUNREACH
    assert errno(syscalls.bind, h1, opened(h1, "udp4"), LOOP4, 9, 0) == EADDRINUSE, "it is in IPv4's port space"
    four = opened(h1, "udp4")
    assert errno(syscalls.bind, h1, four, ANY6, 9, 0) == EAFNOSUPPORT
    assert errno(syscalls.bind, h1, opened(h1, "udp6"), ANY4, 9, 0) == EAFNOSUPPORT
    assert errno(syscalls.connect, h1, four, b"\x0a\x01\x01\x01", 9, 0) == ENETUNREACH


@pytest.mark.parametrize(
    ("platform", "number"),
    [("bsdi3", EADDRNOTAVAIL), ("freebsd2", EADDRNOTAVAIL), ("netbsd", EADDRNOTAVAIL), ("openbsd", EADDRNOTAVAIL)],
)
def test_platforms_on_which_nothing_binds_to_a_mapped_address(wires: Wires, platform: str, number: int) -> None:
    h1 = wires.host()
    profiles.assign(h1, platform)
    assert errno(syscalls.bind, h1, opened(h1, "udp6"), A("::ffff:127.0.0.1"), 9, 0) == number


def test_binding_to_a_mapped_address(wires: Wires) -> None:
    h1 = wires.host()
    only = opened(h1, "udp6", "IPV6_V6ONLY")
    assert errno(syscalls.bind, h1, only, A("::ffff:127.0.0.1"), 9, 0) == EINVAL
    both = opened(h1, "udp6")
    assert errno(syscalls.bind, h1, both, MAPPED, 9, 0) == EADDRNOTAVAIL
    syscalls.bind(h1, both, A("::ffff:0.0.0.0"), 9, 0)
    assert errno(syscalls.bind, h1, opened(h1, "udp6"), ANY6, 9, 0) == EADDRINUSE
    syscalls.close(h1, both)
    syscalls.bind(h1, opened(h1, "udp6"), ANY6, 9, 0)


@pytest.mark.parametrize(
    ("platform", "shown"), [("freebsd4", "udp46"), ("bsdi4", "udp46"), ("netbsd", "udp6"), ("openbsd", "udp6")]
)
def test_netstat_tells_who_listens_to_both_families(wires: Wires, platform: str, shown: str) -> None:
    h1 = wires.host()
    profiles.assign(h1, platform)
    sid = opened(h1, "udp6")
    syscalls.bind(h1, sid, ANY6, 9, 0)
    assert row(h1, "sockets", "*.9").proto == shown
    syscalls.connect(h1, sid, PEER, 7, 0)
    assert row(h1, "sockets", "2001:db8:1::9.7").proto == "udp6"
    syscalls.bind(h1, opened(h1, "udp4"), LOOP4, 9, 0)
    assert row(h1, "sockets", "127.0.0.1.9").proto == "udp4"


# -- sharing ports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "options", "said"),
    [
        (ANY6, GLOBAL, (), "EADDRINUSE"),
        (ANY6, GLOBAL, ("SO_REUSEADDR",), "ok"),
        (GLOBAL, ANY6, ("SO_REUSEADDR",), "ok"),
        (ANY6, ANY6, ("SO_REUSEADDR",), "EADDRINUSE"),
        (ANY6, ANY6, ("SO_REUSEPORT",), "ok"),
        (GLOBAL, GLOBAL, ("SO_REUSEADDR",), "EADDRINUSE"),
        (GLOBAL, LOOP6, (), "ok"),
        (A("ff05::77"), A("ff05::77"), (), "EADDRINUSE"),
        (A("ff05::77"), A("ff05::77"), ("SO_REUSEADDR",), "ok"),
        (A("ff05::77"), A("ff05::77"), ("SO_REUSEPORT",), "ok"),
        (A("ff05::77"), A("ff05::78"), (), "ok"),
        (b"\xe0\0\0\x05", b"\xe0\0\0\x05", ("SO_REUSEADDR",), "ok"),
    ],
)
def test_who_shares_a_port(wires: Wires, first: bytes, second: bytes, options: tuple[str, ...], said: str) -> None:
    h1 = wires.host()
    assert verdict(h1, "udp", first, second, *options) == said


def test_both_sockets_have_to_agree(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.bind(h1, opened(h1, "udp6"), ANY6, 9, 0)
    assert errno(syscalls.bind, h1, opened(h1, "udp6", "SO_REUSEPORT"), ANY6, 9, 0) == EADDRINUSE


def test_a_connection_keeps_nobody_from_its_port_who_asks_to_reuse_it(wires: Wires) -> None:
    h1 = wires.host()
    peer = opened(h1, "udp6")
    syscalls.bind(h1, peer, GLOBAL, 9, 0)
    syscalls.connect(h1, peer, PEER, 7, 0)
    assert errno(syscalls.bind, h1, opened(h1, "udp6"), GLOBAL, 9, 0) == EADDRINUSE
    again = opened(h1, "udp6", "SO_REUSEADDR")
    syscalls.bind(h1, again, GLOBAL, 9, 0)
    assert errno(syscalls.connect, h1, again, PEER, 7, 0) == EADDRINUSE, "one pair of names, one socket"
    syscalls.connect(h1, again, PEER, 8, 0)
    wires.inject(h1, datagram(PEER, GLOBAL, 9, b"seven", sport=7))
    wires.inject(h1, datagram(PEER, GLOBAL, 9, b"eight", sport=8))
    assert [syscalls.recvmsg(h1, sid).data for sid in (peer, again)] == [b"seven", b"eight"]  # type: ignore[union-attr]


def test_protocols_have_port_spaces_of_their_own(wires: Wires) -> None:
    h1 = wires.host()
    for kind, addr in (("udp6", ANY6), ("tcp6", ANY6), ("udp4", ANY4), ("tcp4", ANY4)):
        syscalls.bind(h1, opened(h1, kind), addr, 9, 0)
    assert [one.proto for one in syscalls.rows(h1, "sockets")] == ["udp46", "tcp46", "udp4", "tcp4"]
    assert [one.local for one in syscalls.rows(h1, "sockets")] == ["*.9"] * 4


def test_streams_do_not_bind_to_groups(wires: Wires) -> None:
    h1 = wires.host()
    assert errno(syscalls.bind, h1, opened(h1, "tcp6"), A("ff05::77"), 9, 0) == EAFNOSUPPORT
    assert errno(syscalls.bind, h1, opened(h1, "tcp4"), b"\xe0\0\0\x05", 9, 0) == EAFNOSUPPORT


def test_the_low_range_from_its_top_down(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet6.ip6.lowportmin", 1021)
    ports = []
    for _ in range(3):
        sid = opened(h1, "udp6")
        syscalls.setsockopt(h1, sid, "IPV6_PORTRANGE", 2)
        syscalls.bind(h1, sid, ANY6, 0, 0)
        ports.append(syscalls.getsockname(h1, sid)[1])
    assert ports == [1023, 1022, 1021]
    sid = opened(h1, "udp6")
    syscalls.setsockopt(h1, sid, "IPV6_PORTRANGE", 2)
    assert errno(syscalls.bind, h1, sid, ANY6, 0, 0) == EADDRNOTAVAIL
    syscalls.setsockopt(h1, sid, "IPV6_PORTRANGE", 1)
    syscalls.bind(h1, sid, GLOBAL, 0, 0)
    assert 49152 <= syscalls.getsockname(h1, sid)[1] <= 65535
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_PORTRANGE", 3) == EINVAL


def test_a_bind_to_a_scoped_address_names_its_zone(wires: Wires) -> None:
    h1 = wires.host()
    sid = opened(h1, "udp6")
    assert errno(syscalls.bind, h1, sid, OWN, 9, 0) == EADDRNOTAVAIL
    syscalls.bind(h1, sid, OWN, 9, 1)
    assert syscalls.getsockname(h1, sid) == (OWN, 9, 1)
    syscalls.connect(h1, sid, STRANGER, 7, 0)
    assert syscalls.getpeername(h1, sid) == (STRANGER, 7, 1), "the zone of its own address is the peer's"
    assert row(h1, "sockets", "fe80::ff:fe00:1%ne0.9").foreign == "fe80::99%ne0.7"
