"""Names and notations of addresses: what a user may type, and what the tables print."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from userland_bench import interface

from kamelab.core.errors import EHOSTUNREACH, EINVAL, Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import (
    AI_CANONNAME,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_PASSIVE,
    EAI_TEXTS,
    NI_DGRAM,
    NI_NAMEREQD,
    NI_NOFQDN,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    AddrInfo,
    GaiError,
    getaddrinfo,
    getaddrinfo_all,
    getnameinfo,
    getservbyname,
    hostname_of,
    if_indextoname,
    if_nametoindex,
    is_embedded,
    servname,
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


# -- several addresses and services ----------------------------------------------------------------------------------

MANY = """::1 localhost
10.0.0.1 dual
2001:db8::1 dual dual.example
2001:db8::2 dual
2001:db8::2 dual twice
10.0.0.2 old
fe80::5%ne0 near
"""


class Unordered(FakeProc):
    """No kernel behind: whatever is asked for, connecting fails, and nothing moves."""

    files: ClassVar[dict[str, str]] = {}

    def exists(self, path: str) -> bool:
        return path in self.files or path == "/etc/hosts"

    def read_file(self, path: str) -> str:
        return self.files[path] if path in self.files else super().read_file(path)

    def rows(self, table: str) -> tuple[Any, ...]:
        return super().rows(table) if table == "interfaces" else ()

    def socket(self, kind: str) -> int:
        return 3

    def connect(self, fd: int, addr: bytes, port: int, zone: int) -> None:
        raise Errno(EHOSTUNREACH)

    def close(self, fd: int) -> None:
        pass

    def hostname(self) -> str:
        return "h1.example"


@pytest.fixture
def many() -> Any:
    return Unordered(MANY)


def told(found: list[AddrInfo]) -> list[tuple[str, str, str, int, int]]:
    return [(one.family, one.socktype, in6.ntop(one.addr), one.port, one.zone) for one in found]


def test_every_address_of_a_name_with_the_port_of_a_service(many: Any) -> None:
    assert told(getaddrinfo_all(many, "dual", "http", socktype="stream")) == [
        ("inet", "stream", "::ffff:10.0.0.1", 80, 0),
        ("inet6", "stream", "2001:db8::1", 80, 0),
        ("inet6", "stream", "2001:db8::2", 80, 0),
    ]
    assert getaddrinfo(many, "dual") == (in6.pton("2001:db8::1"), 0)
    assert told(getaddrinfo_all(many, "near", 9, socktype="dgram")) == [("inet6", "dgram", "fe80::5", 9, 1)]


def test_a_service_comes_for_the_socket_types_that_it_has(many: Any) -> None:
    assert told(getaddrinfo_all(many, "::1", "echo")) == [
        ("inet6", "stream", "::1", 7, 0),
        ("inet6", "dgram", "::1", 7, 0),
    ]
    assert told(getaddrinfo_all(many, "::1", "telnet")) == [("inet6", "stream", "::1", 23, 0)]
    assert told(getaddrinfo_all(many, "::1", "sink", socktype="dgram")) == [("inet6", "dgram", "::1", 9, 0)]
    assert told(getaddrinfo_all(many, "fe80::1%ne1", socktype="raw")) == [("inet6", "raw", "fe80::1", 0, 2)]


def test_without_a_host_this_node_is_meant(many: Any) -> None:
    assert told(getaddrinfo_all(many, None, "daytime", socktype="stream")) == [("inet6", "stream", "::1", 13, 0)]
    passive = getaddrinfo_all(many, None, "daytime", flags=AI_PASSIVE, socktype="stream")
    assert told(passive) == [("inet6", "stream", "::", 13, 0)]


def test_the_canonical_name_stands_in_the_first_result(many: Any) -> None:
    names = [one.canonname for one in getaddrinfo_all(many, "dual.example", "echo", flags=AI_CANONNAME)]
    assert names == ["dual", ""]
    assert getaddrinfo_all(many, "::1", 7, flags=AI_CANONNAME)[0].canonname == "::1"
    assert getaddrinfo_all(many, "dual", 7)[0].canonname == ""


@pytest.mark.parametrize(
    ("host", "service", "flags", "socktype", "code"),
    [
        ("nobody", None, 0, "", "EAI_NONAME"),
        (None, None, 0, "", "EAI_NONAME"),
        ("localhost", None, AI_NUMERICHOST, "", "EAI_NONAME"),
        ("::1", "echo", AI_NUMERICSERV, "", "EAI_NONAME"),
        ("::1", "gopher", 0, "", "EAI_SERVICE"),
        ("::1", "telnet", 0, "dgram", "EAI_SERVICE"),
        ("::1", "65536", 0, "", "EAI_SERVICE"),
        ("::1", "7", 0, "raw", "EAI_SERVICE"),
        ("::1", None, 64, "", "EAI_BADFLAGS"),
        (None, "7", AI_CANONNAME, "", "EAI_BADFLAGS"),
        ("::1", None, 0, "packet", "EAI_SOCKTYPE"),
        ("dual%ne0", None, 0, "", "EAI_NONAME"),
    ],
)
def test_errors_have_codes_and_texts(
    many: Any, host: str | None, service: str | None, flags: int, socktype: str, code: str
) -> None:
    with pytest.raises(GaiError) as caught:
        getaddrinfo_all(many, host, service, flags=flags, socktype=socktype)
    assert caught.value.code == code
    assert str(caught.value) == EAI_TEXTS[code]


def test_a_name_with_ipv4_alone_is_no_ipv6_name(many: Any) -> None:
    assert told(getaddrinfo_all(many, "old", socktype="stream")) == [("inet", "stream", "::ffff:10.0.0.2", 0, 0)]
    with pytest.raises(GaiError):
        getaddrinfo(many, "old")


def test_names_of_ports(many: Any) -> None:
    assert servname(many, 80) == "http"
    assert servname(many, 80, NI_NUMERICSERV) == "80"
    assert servname(many, 80, NI_DGRAM) == "80"
    assert servname(many, 53, NI_DGRAM) == "domain"
    assert servname(many, 4242) == "4242"


def test_the_nodes_own_services_file_counts(many: Any) -> None:
    many.files = {"/etc/services": "lab 4242/tcp laboratory # ours\nbad\nworse x/tcp\n"}
    assert getservbyname(many, "laboratory", "tcp") == 4242
    assert getservbyname(many, "lab", "udp") == 0
    assert servname(many, 4242) == "lab"
    with pytest.raises(GaiError):
        getaddrinfo_all(many, "::1", "http")


def test_names_of_addresses_by_flags(many: Any) -> None:
    many.hosts = "2001:db8::1 web.example\n2001:db8::2 web.elsewhere\n"
    assert getnameinfo(many, in6.pton("2001:db8::1")) == "web.example"
    assert getnameinfo(many, in6.pton("2001:db8::1"), flags=NI_NOFQDN) == "web"
    assert getnameinfo(many, in6.pton("2001:db8::2"), flags=NI_NOFQDN) == "web.elsewhere"
    assert getnameinfo(many, in6.pton("2001:db8::1"), flags=NI_NUMERICHOST) == "2001:db8::1"
    assert getnameinfo(many, in6.pton("fe80::1"), 2, flags=NI_NUMERICHOST) == "fe80::1%ne1"
    with pytest.raises(GaiError):
        getnameinfo(many, in6.pton("2001:db8::3"), flags=NI_NAMEREQD)
