"""The sysctl tree as the kernel answers it: defaults, and what may not be."""

from __future__ import annotations

import pytest
from wires import Wires

from kamelab.core.errors import EINVAL, ENOENT, EPERM, Errno
from kamelab.stack import syscalls

IP6, ICMP6 = "net.inet6.ip6.", "net.inet6.icmp6."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (IP6 + "forwarding", 0),
        (IP6 + "accept_rtadv", 0),
        (IP6 + "hlim", 64),
        (IP6 + "dad_count", 1),
        (IP6 + "hdrnestlimit", 50),
        (IP6 + "defmcasthlim", 1),
        (IP6 + "maxfragpackets", 200),
        (IP6 + "pmtu_expire", 600),
        (ICMP6 + "errppslimit", 200),
        (ICMP6 + "errratelimit", 0),
        (ICMP6 + "nd6_delay", 5),
        (ICMP6 + "nd6_umaxtries", 3),
        (ICMP6 + "nd6_mmaxtries", 3),
        (ICMP6 + "nd6_maxnudhint", 0),
        (ICMP6 + "redirtimeout", 600),
        (ICMP6 + "nodeinfo", 3),
        ("kern.hostname", "h1"),
        (IP6 + "bindv6only", 0),
    ],
)
def test_defaults(wires: Wires, name: str, value: int | str) -> None:
    assert syscalls.sysctl(wires.net.add_node("h1"), name) == value


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        (IP6 + "rfc6204w3", 1, ENOENT),
        ("net.inet6", 1, ENOENT),
        ("", 1, ENOENT),
        (IP6 + "kame_version", 1, EPERM),
        (IP6 + "forwarding", 2**31, EINVAL),
        (IP6 + "forwarding", -(2**31) - 1, EINVAL),
        (IP6 + "pmtu_expire", 299, EINVAL),
        (IP6 + "pmtu_expire", -1, EINVAL),
        (IP6 + "temppltime", 604, EINVAL),
        (IP6 + "tempvltime", 86399, EINVAL),
        (IP6 + "hlim", 256, EINVAL),
        (IP6 + "defmcasthlim", -1, EINVAL),
        (IP6 + "dad_count", -1, EINVAL),
        (IP6 + "hdrnestlimit", -1, EINVAL),
        (IP6 + "anonportmin", 0, EINVAL),
        (IP6 + "anonportmax", 65536, EINVAL),
        (ICMP6 + "nd6_delay", -1, EINVAL),
    ],
)
def test_what_is_refused_changes_nothing(wires: Wires, name: str, value: int, number: int) -> None:
    node = wires.net.add_node("h1")
    with pytest.raises(Errno) as refusal:
        syscalls.sysctl_set(node, name, value)
    assert refusal.value.number == number
    assert node.sysctl == {}


@pytest.mark.parametrize(
    ("name", "value"), [(IP6 + "pmtu_expire", 0), (IP6 + "pmtu_expire", 300), (IP6 + "maxfrags", -1), (IP6 + "hlim", 0)]
)
def test_what_is_taken_answers_with_the_old_value(wires: Wires, name: str, value: int) -> None:
    node = wires.net.add_node("h1")
    old = syscalls.sysctl(node, name)
    assert syscalls.sysctl_set(node, name, value) == old
    assert syscalls.sysctl(node, name) == value


def test_nodes_share_nothing(wires: Wires) -> None:
    one, two = wires.net.add_node("h1"), wires.net.add_node("h2")
    syscalls.sysctl_set(one, IP6 + "hlim", 7)
    assert syscalls.sysctl(two, IP6 + "hlim") == 64


def test_every_name_has_a_value(wires: Wires) -> None:
    node = wires.net.add_node("h1")
    names = syscalls.sysctl_names(node)
    assert list(names) == sorted(names)
    assert all(syscalls.sysctl(node, name) is not None for name in names)
