"""The kernel's policy table: what it takes, what decides, what it says no to (RFC 6724 2.1, KAME in6_src.c)."""

from __future__ import annotations

import pytest
from test_a_source_rules import KAME, install
from wires import A, Wires

from kamelab.core.errors import EEXIST, EINVAL, ENOBUFS, ESRCH, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6.in6_addrsel import POLICY_LIMIT, PolicyTable
from kamelab.stack.node import Node

ADD, DELETE = "SIOCAADDRCTL_POLICY", "SIOCDADDRCTL_POLICY"


def refused(node: Node, request: str, **args: object) -> int:
    with pytest.raises(Errno) as error:
        syscalls.ioctl(node, request, "", **args)
    return error.value.number


def test_it_is_empty_at_boot_and_keeps_the_order_of_adding(wires: Wires) -> None:
    h1 = wires.host()
    assert syscalls.rows(h1, "addrctlpolicy") == ()
    install(h1, *KAME)
    assert [tuple(row) for row in syscalls.rows(h1, "addrctlpolicy")] == [
        ("::1/128", 50, 0, 0),
        ("::/0", 40, 1, 0),
        ("2002::/16", 30, 2, 0),
        ("::/96", 20, 3, 0),
        ("::ffff:0.0.0.0/96", 10, 4, 0),
    ]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("::1", 0), ("2001:db8::1", 1), ("2002:c633:6401::1", 2), ("::10.1.2.3", 3), ("::ffff:10.1.2.3", 4),
        ("fe80:1::1", 1), ("ff02::1", 1),
    ],
)  # fmt: skip
def test_the_longest_prefix_decides(wires: Wires, text: str, label: int) -> None:
    h1 = wires.host()
    install(h1, *KAME)
    policy = h1.addrctl.lookup(A(text))
    assert policy is not None
    assert policy.label == label


def test_an_address_without_a_policy_has_none(wires: Wires) -> None:
    table = PolicyTable()
    table.add(A("2001:db8::"), 32, 1, 1)
    assert table.lookup(A("2001:db9::1")) is None
    assert table.entries[0].use == 0


def test_prefixes_are_compared_without_zone(wires: Wires) -> None:
    h1 = wires.host()
    install(h1, ("fe80::/64", 33, 9))
    policy = h1.addrctl.lookup(next(iter(h1.interfaces["ne0"].addresses)).addr)
    assert policy is not None
    assert policy.label == 9


def test_what_was_found_is_forgotten_when_the_table_changes(wires: Wires) -> None:
    table = PolicyTable()
    table.add(A("::"), 0, 40, 1)
    assert table.match(A("2001:db8::1")) is table.entries[0]
    table.add(A("2001:db8::"), 32, 40, 2)
    assert table.match(A("2001:db8::1")) is table.entries[1]
    table.delete(A("2001:db8::"), 32)
    assert table.match(A("2001:db8::1")) is table.entries[0]


def test_bits_behind_the_prefix_do_not_count(wires: Wires) -> None:
    h1 = wires.host()
    install(h1, ("2001:db8::1/32", 1, 1))
    assert syscalls.rows(h1, "addrctlpolicy")[0].prefix == "2001:db8::/32"
    assert refused(h1, ADD, prefix=A("2001:db8:ffff::"), plen=32, precedence=2, label=2) == EEXIST
    syscalls.ioctl(h1, DELETE, "", prefix=A("2001:db8:5::"), plen=32)
    assert syscalls.rows(h1, "addrctlpolicy") == ()
    assert refused(h1, DELETE, prefix=A("2001:db8::"), plen=32) == ESRCH


@pytest.mark.parametrize(
    ("plen", "precedence", "label"), [(129, 1, 1), (-1, 1, 1), (64, -1, 1), (64, 1, -1), (64, 2**31, 1), (64, 1, 2**31)]
)
def test_numbers_out_of_range(wires: Wires, plen: int, precedence: int, label: int) -> None:
    h1 = wires.host()
    assert refused(h1, ADD, prefix=A("2001:db8::"), plen=plen, precedence=precedence, label=label) == EINVAL
    if not 0 <= plen <= 128:
        assert refused(h1, DELETE, prefix=A("2001:db8::"), plen=plen) == EINVAL


def test_the_table_and_its_memory_are_bounded(wires: Wires) -> None:
    table = PolicyTable()
    for number in range(POLICY_LIMIT):
        table.add(number.to_bytes(16, "big"), 128, 1, 1)
    with pytest.raises(Errno) as error:
        table.add(A("2001:db8::"), 32, 1, 1)
    assert error.value.number == ENOBUFS
    for number in range(3000):
        table.match(number.to_bytes(16, "big"))
    assert len(table._found) <= 1024
