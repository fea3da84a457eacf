"""Names and notations of addresses: what a user may type, and what the tables print."""

from __future__ import annotations

from typing import Any

import pytest
from userland_bench import interface

from kamelab.core.errors import EINVAL, Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import (
    GaiError,
    getaddrinfo,
    getnameinfo,
    hostname_of,
    if_indextoname,
    if_nametoindex,
    is_embedded,
)
from kamelab.wire import in6

HOSTS = """# comment
::1 localhost h1   # this node
10.0.0.1 old
2001:db8::2 peer peer.example
fe80::2%ne1 neighbor
not an address
"""


class FakeProc:
    """A program's view with two interfaces and a hosts file."""

    def __init__(self, hosts: str | None = HOSTS) -> None:
        self.hosts = hosts

    def rows(self, table: str) -> tuple[Any, ...]:
        assert table == "interfaces"
        return (interface("ne0", 1), interface("ne1", 2), interface("lo0", 3))

    def exists(self, path: str) -> bool:
        return self.hosts is not None

    def read_file(self, path: str) -> str:
        assert path == "/etc/hosts"
        return self.hosts or ""


@pytest.fixture
def proc() -> Any:
    return FakeProc()


@pytest.mark.parametrize(
    ("text", "address", "zone"),
    [
        ("2001:db8::1", "2001:db8::1", 0),
        ("::", "::", 0),
        ("fe80::1", "fe80::1", 0),
        ("fe80::1%ne1", "fe80::1", 2),
        ("fe80::1%2", "fe80::1", 2),
        ("fe80::1@ne1", "fe80::1", 2),
        ("ne1%fe80::1", "fe80::1", 2),
        ("ff02::1%ne0", "ff02::1", 1),
        ("ff01::1%lo0", "ff01::1", 3),
        ("localhost", "::1", 0),
        ("PEER.example", "2001:db8::2", 0),
        ("neighbor", "fe80::2", 2),
        ("neighbor%ne0", "fe80::2", 1),
    ],
)
def test_getaddrinfo(proc: Any, text: str, address: str, zone: int) -> None:
    assert getaddrinfo(proc, text) == (in6.pton(address), zone)


@pytest.mark.parametrize(
    "text",
    ["nobody", "", "fe80::1%", "fe80::1%ne9", "fe80::1%9", "fe80::1%0", "2001:db8::1%ne0", "1.2.3.4", "old", "fe80::g"],
)
def test_unknown_names(proc: Any, text: str) -> None:
    if text == "fe80::1%":
        assert getaddrinfo(proc, text) == (in6.pton("fe80::1"), 0)
        return
    with pytest.raises(GaiError, match=r"^hostname nor servname provided, or not known$"):
        getaddrinfo(proc, text)


@pytest.mark.parametrize("text", ["fe80:2::1", "fe80:2::1%ne1", "ff02:1::1"])
def test_embedded_zone_is_refused_from_users(proc: Any, text: str) -> None:
    with pytest.raises(Errno) as caught:
        getaddrinfo(proc, text)
    assert caught.value.number == EINVAL


def test_route_takes_embedded_zones(proc: Any) -> None:
    assert getaddrinfo(proc, "fe80:2::1", allow_embedded=True) == (in6.pton("fe80::1"), 2)
    assert getaddrinfo(proc, "fe80:2::1%ne1", allow_embedded=True) == (in6.pton("fe80::1"), 2)
    with pytest.raises(Errno):
        getaddrinfo(proc, "fe80:2::1%ne0", allow_embedded=True)
    assert is_embedded(in6.pton("fe80:2::1"))
    assert not is_embedded(in6.pton("2001:db8::1"))


def test_getnameinfo(proc: Any) -> None:
    assert getnameinfo(proc, in6.pton("::1")) == "localhost"
    assert getnameinfo(proc, in6.pton("::1"), numeric=True) == "::1"
    assert getnameinfo(proc, in6.pton("2001:db8::9")) == "2001:db8::9"
    assert getnameinfo(proc, in6.pton("fe80::2"), 2) == "neighbor"
    assert getnameinfo(proc, in6.pton("fe80::2"), 1) == "fe80::2%ne0"
    assert getnameinfo(proc, in6.pton("fe80::2"), 2, numeric=True) == "fe80::2%ne1"
    assert getnameinfo(proc, in6.pton("fe80::2"), 9) == "fe80::2%9"
    assert getnameinfo(proc, in6.pton("2001:db8::2"), 1) == "peer"


def test_hostname_of_table_text(proc: Any) -> None:
    assert hostname_of(proc, "fe80::2%ne1") == "neighbor"
    assert hostname_of(proc, "fe80::2%ne0") == "fe80::2%ne0"
    assert hostname_of(proc, "2001:db8::2") == "peer"
    assert hostname_of(proc, "link#1") == "link#1"
    assert hostname_of(proc, "default") == "default"


def test_node_without_hosts_file() -> None:
    bare: Any = FakeProc(None)
    assert getnameinfo(bare, in6.pton("::1")) == "::1"
    with pytest.raises(GaiError):
        getaddrinfo(bare, "localhost")


def test_interface_names(proc: Any) -> None:
    assert (if_nametoindex(proc, "ne1"), if_nametoindex(proc, "no")) == (2, 0)
    assert (if_indextoname(proc, 3), if_indextoname(proc, 8)) == ("lo0", "")


def test_getopt_speaks_as_bsd() -> None:
    assert getopt(["p", "-nc", "3", "-i1", "host", "-x"], "nc:i:") == (
        [("-n", ""), ("-c", "3"), ("-i", "1")],
        ["host", "-x"],
    )
    with pytest.raises(GetoptError, match=r"^illegal option -- z$"):
        getopt(["p", "-nz"], "n")
    with pytest.raises(GetoptError, match=r"^option requires an argument -- c$"):
        getopt(["p", "-c"], "nc:")
    with pytest.raises(GetoptError, match=r"^illegal option -- -$"):
        getopt(["p", "--version"], "n")
