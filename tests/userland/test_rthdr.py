"""The functions of RFC 3542 7 and 10 for routing and options headers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kamelab.userland import rthdr
from kamelab.wire import exthdr, in6

A = in6.pton("2001:db8::a")
B = in6.pton("2001:db8::b")


def test_a_routing_header_address_by_address() -> None:
    header = rthdr.inet6_rth_init(rthdr.IPV6_RTHDR_TYPE_0, 2)
    assert len(header) == rthdr.inet6_rth_space(0, 2) == 40
    for addr in (A, B):
        header = rthdr.inet6_rth_add(header, addr)
    assert header == exthdr.build_routing0(0, 2, (A, B))
    assert rthdr.inet6_rth_segments(header) == 2
    assert [rthdr.inet6_rth_getaddr(header, index) for index in (0, 1)] == [A, B]
    with pytest.raises(ValueError, match="no room"):
        rthdr.inet6_rth_add(header, A)


def test_the_way_back() -> None:
    arrived = exthdr.build_routing0(17, 0, (A, B))
    assert rthdr.inet6_rth_reverse(arrived) == exthdr.build_routing0(17, 2, (B, A))


@pytest.mark.parametrize(
    "call",
    [
        lambda: rthdr.inet6_rth_space(0, 128),
        lambda: rthdr.inet6_rth_space(2, 1),
        lambda: rthdr.inet6_rth_init(0, -1),
        lambda: rthdr.inet6_rth_getaddr(exthdr.build_routing0(0, 1, (A,)), 1),
        lambda: rthdr.inet6_rth_segments(bytes(8)[:7]),
        lambda: rthdr.inet6_rth_reverse(b"\0\2\2\0" + bytes(20)),
        lambda: rthdr.inet6_opt_append(b"\0\0", 1, b"x"),
        lambda: rthdr.inet6_opt_append(b"\0\0", 5, b"x", 2),
        lambda: rthdr.inet6_opt_append(b"\0\0", 5, bytes(256)),
        lambda: rthdr.inet6_opt_finish(bytes(2050)),
        lambda: rthdr.inet6_opt_next(b"\0\1" + bytes(6)),
        lambda: rthdr.inet6_opt_next(b"\0\0\x05\x09" + bytes(4)),
        lambda: rthdr.inet6_opt_set_val(b"1234", 2, b"567"),
        lambda: rthdr.inet6_opt_get_val(b"1234", 3, 2),
    ],
)
def test_what_c_answers_with_minus_one(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        call()


def test_two_options_aligned_and_found_again() -> None:
    x = rthdr.inet6_opt_set_val(bytes(12), 0, bytes.fromhex("12345678"))
    x = rthdr.inet6_opt_set_val(x, 4, bytes.fromhex("0102030405060708"))
    y = bytes.fromhex("01 1122 44556677".replace(" ", ""))
    header = rthdr.inet6_opt_append(rthdr.inet6_opt_init(), 0x1E, x, 4)
    header = rthdr.inet6_opt_append(header, 0x3E, y, 1)
    header = rthdr.inet6_opt_finish(header)
    assert (len(header), header[1]) == (32, 3)
    first = rthdr.inet6_opt_next(header)
    assert first is not None
    assert (first.kind, first.data, (first.offset - len(first.data)) % 4) == (0x1E, x, 0)
    assert rthdr.inet6_opt_get_val(first.data, 4, 8) == bytes.fromhex("0102030405060708")
    found = rthdr.inet6_opt_find(header, 0, 0x3E)
    assert found is not None
    assert found.data == y
    assert rthdr.inet6_opt_find(header, found.offset, 0x1E) is None
    assert rthdr.inet6_opt_find(header, 0, 0x05) is None
    assert [kind for kind, _, _ in exthdr.options(header[2:])] == [0x1E, 0x3E, 1]
