"""Names and text of addresses: getaddrinfo(3), getnameinfo(3) and if_nametoindex(3) over the node's /etc/hosts.

Scoped addresses are written ``fe80::1%ne0`` or ``fe80::1%1`` (RFC 4007 11, KAME IMPLEMENTATION 1.3.3 (2001)). The
notations of KAME's older documents, ``fe80::1@ne0`` and ``ne0%fe80::1``, are read too. The kernel's own form with the
zone in the second 16 bits (``fe80:1::1``) is refused from users; only ``route`` takes it, as KAME USAGE shows.

Left out: the name service, IPv4, service names, the order of several addresses.
"""

from __future__ import annotations

from typing import NamedTuple

from kamelab.core.errors import EINVAL, Errno
from kamelab.userland.proc import Proc
from kamelab.wire import in6

HOSTS = "/etc/hosts"


class GaiError(Exception):
    """getaddrinfo(3) found nothing; the text is gai_strerror(3)'s."""

    def __init__(self, text: str = "hostname nor servname provided, or not known") -> None:
        super().__init__(text)


class Host(NamedTuple):
    """A line of /etc/hosts: address, its zone's text ("" without), names."""

    addr: bytes
    zone: str
    names: tuple[str, ...]


def is_scoped(addr: bytes) -> bool:
    """Whether an address needs a zone: link-local unicast, interface-local and link-local multicast."""
    return in6.is_linklocal(addr) or (in6.is_multicast(addr) and in6.scope(addr) in (1, 2))


def is_embedded(addr: bytes) -> bool:
    """Whether a scoped address carries a zone in octets 2 and 3 (KAME IMPLEMENTATION 1.3 (2001))."""
    return is_scoped(addr) and addr[2:4] != b"\0\0"


def if_nametoindex(proc: Proc, name: str) -> int:
    """An interface's index; 0 where there is none of that name."""
    return next((row.index for row in proc.rows("interfaces") if row.name == name), 0)


def if_indextoname(proc: Proc, index: int) -> str:
    """An interface's name; "" where there is none of that index."""
    return next((row.name for row in proc.rows("interfaces") if row.index == index), "")


def split_zone(text: str) -> tuple[str, str]:
    """(address, zone) of any of the three notations; zone "" without one."""
    for mark in "%@":
        left, found, right = text.partition(mark)
        if found:
            return (right, left) if mark == "%" and ":" in right and ":" not in left else (left, right)
    return text, ""


def getaddrinfo(proc: Proc, text: str, *, allow_embedded: bool = False) -> tuple[bytes, int]:
    """(address without embedded zone, zone) of a numeric address or a name of /etc/hosts.

    Raises `GaiError` for what is neither, for an unknown interface and for a zone at an address that has none; Errno
    EINVAL for an embedded zone, which ``allow_embedded`` takes as the zone (see `is_embedded`).
    """
    numeric, zone_text = split_zone(text)
    try:
        addr = in6.pton(numeric)
    except ValueError:
        return _lookup(proc, text)
    zone = _zone(proc, addr, zone_text)
    if is_embedded(addr):
        embedded = int.from_bytes(addr[2:4], "big")
        if not allow_embedded or (zone and zone != embedded):
            raise Errno(EINVAL)
        return addr[:2] + b"\0\0" + addr[4:], embedded
    return addr, zone


def _zone(proc: Proc, addr: bytes, text: str) -> int:
    """The interface index that a zone's text names; 0 without text. Raises `GaiError`."""
    if not text:
        return 0
    if not is_scoped(addr):
        raise GaiError
    if text.isascii() and text.isdigit():
        index = int(text)
        if index and if_indextoname(proc, index):
            return index
    elif index := if_nametoindex(proc, text):
        return index
    raise GaiError


def hosts(proc: Proc) -> tuple[Host, ...]:
    """The IPv6 lines of /etc/hosts; lines that can't be read are passed over, as resolvers do."""
    if not proc.exists(HOSTS):
        return ()
    found: list[Host] = []
    for line in proc.read_file(HOSTS).splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        numeric, zone = split_zone(words[0])
        try:
            found.append(Host(in6.pton(numeric), zone, tuple(words[1:])))
        except ValueError:
            continue
    return tuple(found)


def _lookup(proc: Proc, name: str) -> tuple[bytes, int]:
    wanted, zone_text = split_zone(name)
    for host in hosts(proc):
        if any(known.lower() == wanted.lower() for known in host.names):
            return host.addr, _zone(proc, host.addr, zone_text or host.zone)
    raise GaiError


def _name_of(proc: Proc, addr: bytes, zone_names: tuple[str, ...]) -> str:
    """The first name of /etc/hosts for an address; ``zone_names`` are the spellings of its zone."""
    for host in hosts(proc):
        if host.addr == addr and (not is_scoped(addr) or host.zone in zone_names):
            return host.names[0]
    return ""


def getnameinfo(proc: Proc, addr: bytes, zone: int = 0, numeric: bool = False) -> str:
    """The name of an address, or its text with ``%interface`` where it is scoped."""
    text = in6.ntop(addr)
    ifname = ""
    if zone and is_scoped(addr):
        ifname = if_indextoname(proc, zone) or str(zone)
        text = f"{text}%{ifname}"
    if numeric:
        return text
    return _name_of(proc, addr, (ifname, str(zone) if zone else "")) or text


def hostname_of(proc: Proc, text: str) -> str:
    """The name of an address written as in the tables (``fe80::1%ne0``), or the same text."""
    numeric, zone = split_zone(text)
    try:
        addr = in6.pton(numeric)
    except ValueError:
        return text
    index = if_nametoindex(proc, zone) if zone else 0
    return _name_of(proc, addr, (zone, str(index) if index else "")) or text
