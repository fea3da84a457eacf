"""The order of destinations: RFC 6724 10.2 to 10.7 and RFC 3484's table as KAME ships it (RFC 6724 6).

IPv6 stories run on a node: the kernel is asked for sources as getaddrinfo(3) asks it. IPv4 has no kernel here, so where
it takes part the sources are given by hand and the rules alone are asked.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import pytest
from real_nodes import Bench

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.userland.addrorder import V4MAPPED, Order, decide, ordered
from kamelab.wire import in6

RFC3484 = (("::1/128", 50, 0), ("::/0", 40, 1), ("2002::/16", 30, 2), ("::/96", 20, 3), ("::ffff:0:0/96", 10, 4))
RFC6724 = (
    ("::1/128", 50, 0), ("::/0", 40, 1), ("::ffff:0:0/96", 35, 4), ("2002::/16", 30, 2), ("2001::/32", 5, 5),
    ("fc00::/7", 3, 13), ("::/96", 1, 3), ("fec0::/10", 1, 11), ("3ffe::/16", 1, 12),
)  # fmt: skip
Table = tuple[tuple[str, int, int], ...]


def with_row(table: Table, *rows: tuple[str, int, int]) -> Table:
    """A table with rows added or replaced."""
    return tuple(row for row in table if row[0] not in [one[0] for one in rows]) + rows


class Caller:
    """The calls of a program, straight into one kernel."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def rows(self, table: str) -> Any:
        return syscalls.rows(self.node, table)

    def socket(self, kind: str) -> int:
        return syscalls.socket(self.node, 1, kind, 0)

    def connect(self, fd: int, addr: bytes, port: int, zone: int) -> None:
        syscalls.connect(self.node, fd, addr, port, zone)

    def getsockname(self, fd: int) -> Any:
        return syscalls.getsockname(self.node, fd)

    def close(self, fd: int) -> None:
        syscalls.close(self.node, fd)


def host(table: Table, *sources: str) -> Any:
    """A caller on a node with these addresses (behind one may stand ``deprecated``) and a default route."""
    bench = Bench()
    bench.link("lan")
    node = bench.node("h1")
    iface = bench.net.add_interface(node, "ne0", b"\2\0\0\0\0\1", bench.net.links["lan"])
    for name, value in {"auto_linklocal": 0, "dad_count": 0}.items():
        syscalls.sysctl_set(node, f"net.inet6.ip6.{name}", value)
    node.perform(node.set_up(iface, True))
    for text in sources:
        addr, _, kind = text.partition(" ")
        flags = (kind,) if kind else ()
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", "ne0", address=in6.pton(addr), plen=64, flags=flags)
    for prefix, precedence, label in table:
        head, plen = in6.parse_prefix(prefix)
        syscalls.ioctl(node, "SIOCAADDRCTL_POLICY", "", prefix=head, plen=plen, precedence=precedence, label=label)
    syscalls.route(node, "add", destination=bytes(16), plen=0, interface="ne0")
    return Caller(node)


def order(caller: Any, *destinations: str) -> list[str]:
    """The order that comes out, the same whichever way round they go in."""
    pairs = [(in6.pton(text), 1 if text.startswith("fe80") else 0) for text in destinations]
    seen = [[in6.ntop(addr) for addr, _ in ordered(caller, list(way))] for way in (pairs, pairs[::-1])]
    assert seen[0] == seen[1]
    return seen[0]


# -- on a node -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [RFC3484, RFC6724], ids=["RFC 3484's table", "RFC 6724's table"])
@pytest.mark.parametrize(
    ("sources", "result"),
    [
        # smaller scope
        (("2001:db8:1::2", "fe80::2"), ["fe80::1", "2001:db8:1::1"]),
        # deprecated source
        (("2001:db8:1::2", "fe80::2 deprecated"), ["2001:db8:1::1", "fe80::1"]),
        # longest match
        (("2001:db8:1::2", "2001:db8:3f44::2", "fe80::2"), ["2001:db8:1::1", "2001:db8:3ffe::1"]),
        # matching label
        (("2002:c633:6401::2", "fe80::2"), ["2002:c633:6401::1", "2001:db8:1::1"]),
        # higher precedence
        (("2002:c633:6401::2", "2001:db8:1::2", "fe80::2"), ["2001:db8:1::1", "2002:c633:6401::1"]),
    ],
)
def test_examples_of_rfc_6724_section_10_2(table: Table, sources: tuple[str, ...], result: list[str]) -> None:
    assert order(host(table, *sources), *result) == result


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        ("2001:db8::2", ["fe80::1", "2001:db8::1"], ["2001:db8::1", "fe80::1"]),
        ("2001:db8::2 deprecated", ["fe80::1", "2001:db8::1"], ["fe80::1", "2001:db8::1"]),
    ],
)
def test_link_local_destinations_last_by_precedence_10_4(source: str, before: list[str], after: list[str]) -> None:
    for table in (RFC3484, RFC6724):
        assert order(host(table, source, "fe80::2"), *before) == before
        assert order(host(with_row(table, ("fe80::/10", 33, 1)), source, "fe80::2"), *before) == after


def test_a_multihomed_site_10_5() -> None:
    sources = ("2001:db8:1aaa::a", "2001:db8:70aa::a", "fe80::a")
    b, c = ("2001:db8:1bbb::b", "2001:db8:70bb::b"), ("2001:db8:1ccc::c", "2001:db8:6ccc::c")
    for table in (RFC3484, RFC6724):
        plain = host(table, *sources)
        assert order(plain, *b) == ["2001:db8:70bb::b", "2001:db8:1bbb::b"]
        assert order(plain, *c) == ["2001:db8:1ccc::c", "2001:db8:6ccc::c"]
        # The partner's fast line for the partner, and for nobody else.
        bought = host(with_row(table, ("2001:db8:1aaa::/48", 43, 6), ("2001:db8:1bbb::/48", 43, 6)), *sources)
        assert order(bought, *b) == ["2001:db8:1bbb::b", "2001:db8:70bb::b"]
        assert order(bought, *c) == ["2001:db8:6ccc::c", "2001:db8:1ccc::c"]


def test_the_multihomed_site_of_rfc_3484() -> None:
    sources = ("2001:aaaa:aaaa::a", "2007:0:aaaa::a", "fe80::a")
    b, c = ("2001:bbbb:bbbb::b", "2007:0:bbbb::b"), ("2001:cccc:cccc::c", "2006:cccc:cccc::c")
    plain = host(RFC3484, *sources)
    assert order(plain, *b) == ["2007:0:bbbb::b", "2001:bbbb:bbbb::b"]
    assert order(plain, *c) == ["2001:cccc:cccc::c", "2006:cccc:cccc::c"]
    bought = host(with_row(RFC3484, ("2001:aaaa:aaaa::/48", 43, 5), ("2001:bbbb:bbbb::/48", 43, 5)), *sources)
    assert order(bought, *b) == ["2001:bbbb:bbbb::b", "2007:0:bbbb::b"]
    assert order(bought, *c) == ["2006:cccc:cccc::c", "2001:cccc:cccc::c"]


def test_unique_local_addresses_of_a_known_site_10_6() -> None:
    sources = ("2001:db8:2::2", "fd11:1111:1111:2::2")
    names = ("fd11:1111:1111:1::1", "2001:db8:1::1")
    assert order(host(RFC6724, *sources), *names) == ["2001:db8:1::1", "fd11:1111:1111:1::1"]
    site = with_row(RFC6724, ("fd11:1111:1111::/48", 45, 14))
    assert order(host(site, *sources), *names) == ["fd11:1111:1111:1::1", "2001:db8:1::1"]
    # Somebody else's site stays last.
    assert order(host(site, *sources), "fd99::1", "2001:db8:1::1") == ["2001:db8:1::1", "fd99::1"]


def test_the_unreachable_come_last_and_otherwise_stay_as_they_are() -> None:
    caller = host((), "2001:db8:1::2")
    syscalls.route(caller.node, "delete", destination=bytes(16), plen=0)
    given = [in6.pton(text) for text in ("2001:db8:7::1", "2001:db8:8::1", "2001:db8:1::1")]
    seen = ordered(caller, [(addr, 0) for addr in given])
    assert [in6.ntop(addr) for addr, _ in seen] == ["2001:db8:1::1", "2001:db8:7::1", "2001:db8:8::1"]
    assert caller.rows("sockets") == ()


def test_ipv4_comes_behind_what_can_be_reached() -> None:
    caller = host((("::ffff:0:0/96", 100, 4),), "2001:db8:1::2")
    v4 = V4MAPPED + b"\n\1\2\3"
    assert ordered(caller, [(v4, 0), (in6.pton("2001:db8:1::1"), 0)])[1] == (v4, 0)


# -- the rules alone, with IPv4 --------------------------------------------------------------------------------------


def addr(text: str) -> bytes:
    return V4MAPPED + in6.pton(f"::{text}")[12:] if "." in text else in6.pton(text)


def _place(one: Order, other: Order) -> int:
    return decide(one, other)[1]


def ruled(table: Table, *pairs: tuple[str, str]) -> tuple[list[str], int]:
    """(destinations in order, the rule that decided) for two (destination, source) pairs."""

    def policy(one: bytes) -> tuple[int, int] | None:
        rows = [(in6.parse_prefix(prefix), (label, precedence)) for prefix, precedence, label in table]
        fit = [(plen, value) for (prefix, plen), value in rows if in6.in_prefix(one, prefix, plen)]
        return max(fit)[1] if fit else None

    entries = []
    for dst, text in pairs:
        source = addr(text.partition(" ")[0]) if text else None
        deprecated = text.endswith("deprecated")
        entries.append(Order((addr(dst), 0), source, deprecated, policy(addr(dst)), policy(source) if source else None))
    rule, _ = decide(*entries)
    assert decide(*entries[::-1]) == (rule, -decide(*entries)[1])
    names = {addr(dst): dst for dst, _ in pairs}
    entries.sort(key=cmp_to_key(_place))
    return [names[entry.destination[0]] for entry in entries], rule


@pytest.mark.parametrize("table", [RFC3484, RFC6724], ids=["RFC 3484's table", "RFC 6724's table"])
@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        (("2001:db8:1::1", "2001:db8:1::2"), ("198.51.100.121", "169.254.13.78"), 2),
        (("198.51.100.121", "198.51.100.117"), ("2001:db8:1::1", "fe80::1"), 2),
        (("2001:db8:1::1", "2001:db8:1::2"), ("10.1.2.3", "10.1.2.4"), 6),
    ],
)
def test_examples_of_section_10_2_with_ipv4(
    table: Table, first: tuple[str, str], second: tuple[str, str], rule: int
) -> None:
    assert ruled(table, second, first) == ([first[0], second[0]], rule)


def test_ipv4_preferred_by_precedence_10_3() -> None:
    v6, v4 = ("2001:db8::1", "2001:db8::2"), ("198.51.100.121", "198.51.100.117")
    for table in (RFC3484, RFC6724):
        assert ruled(table, v4, v6)[0] == [v6[0], v4[0]]
        preferred = with_row(table, ("::ffff:0:0/96", 100, 4))
        assert ruled(preferred, v6, v4) == ([v4[0], v6[0]], 6)
        # A source of too small a scope is still worse.
        assert ruled(preferred, ("198.51.100.121", "169.254.13.78"), v6) == ([v6[0], v4[0]], 2)
        # Broken IPv6, 10.3.1: no source at all.
        assert ruled(table, ("2001:db8::1", ""), v4) == ([v4[0], v6[0]], 1)


def test_ipv4_and_6to4_change_places_10_7() -> None:
    six, v4 = ("2002:c633:6401::1", "2002:c633:6401::2"), ("198.51.100.121", "198.51.100.117")
    assert ruled(RFC6724, six, v4) == ([v4[0], six[0]], 6)
    assert ruled(with_row(RFC6724, ("2002::/16", 37, 2)), v4, six) == ([six[0], v4[0]], 6)
    # KAME's table of RFC 3484 has 6to4 before IPv4 by itself.
    assert ruled(RFC3484, v4, six) == ([six[0], v4[0]], 6)


def test_no_longest_match_across_families_and_the_given_order_last() -> None:
    v6, v4 = ("2001:db8:1::1", "2001:db9::2"), ("198.51.100.121", "198.51.100.120")
    assert ruled((), v6, v4) == ([v6[0], v4[0]], 10)
    assert ruled((), v4, v6) == ([v4[0], v6[0]], 10)


def test_without_policies_labels_and_precedence_are_silent() -> None:
    six, native = ("2002:c633:6401::1", "2002:c633:6401::2"), ("2001:db8:1::1", "2002:c633:6401::2")
    assert ruled((), native, six) == ([six[0], native[0]], 9)
    # One destination without a policy is enough.
    assert ruled((("2002::/16", 1, 2),), native, six)[1] == 9
