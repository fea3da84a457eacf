"""Names and text of addresses: getaddrinfo(3), getnameinfo(3), if_nametoindex(3) over /etc/hosts and /etc/services.

Scoped addresses are written ``fe80::1%ne0`` or ``fe80::1%1`` (RFC 4007 11, KAME IMPLEMENTATION 1.3.3 (2001)). The
notations of KAME's older documents, ``fe80::1@ne0`` and ``ne0%fe80::1``, are read too. The kernel's own form with the
zone in the second 16 bits (``fe80:1::1``) is refused from users; only ``route`` takes it, as KAME USAGE shows.

Several addresses come in the order of `addrorder` (KAME IMPLEMENTATION 1.6.2 (2001), RFC 3493 6.1). Left out: the name
service; IPv4 beyond its place in that order.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kamelab.core.errors import EINVAL, Errno
from kamelab.userland import addrorder
from kamelab.userland.addrorder import V4MAPPED
from kamelab.userland.etc import SERVICES
from kamelab.userland.proc import Proc
from kamelab.wire import in6

HOSTS = "/etc/hosts"
SERVICES_FILE = "/etc/services"

AI_PASSIVE: Final = 1
AI_CANONNAME: Final = 2
AI_NUMERICHOST: Final = 4
AI_NUMERICSERV: Final = 8
AI_ALL_FLAGS: Final = 15
NI_NOFQDN: Final = 1
NI_NUMERICHOST: Final = 2
NI_NAMEREQD: Final = 4
NI_NUMERICSERV: Final = 8
NI_DGRAM: Final = 16

EAI_TEXTS: Final[dict[str, str]] = {
    "EAI_ADDRFAMILY": "address family for hostname not supported",
    "EAI_AGAIN": "temporary failure in name resolution",
    "EAI_BADFLAGS": "invalid value for ai_flags",
    "EAI_FAIL": "non-recoverable failure in name resolution",
    "EAI_FAMILY": "ai_family not supported",
    "EAI_NODATA": "no address associated with hostname",
    "EAI_NONAME": "hostname nor servname provided, or not known",
    "EAI_SERVICE": "servname not supported for ai_socktype",
    "EAI_SOCKTYPE": "ai_socktype not supported",
}
"""gai_strerror(3)'s texts by code."""
SOCKTYPES: Final = {"stream": "tcp", "dgram": "udp", "raw": ""}
"""Socket types and the protocol whose services they use."""


class GaiError(Exception):
    """getaddrinfo(3) or getnameinfo(3) failed: ``code`` is one of `EAI_TEXTS`, the text gai_strerror(3)'s."""

    def __init__(self, code: str = "EAI_NONAME") -> None:
        super().__init__(EAI_TEXTS[code])
        self.code = code


class Host(NamedTuple):
    """A line of /etc/hosts: address, its zone's text ("" without), names."""

    addr: bytes
    zone: str
    names: tuple[str, ...]


class AddrInfo(NamedTuple):
    """One result of `getaddrinfo_all`."""

    family: str
    """``inet6``, or ``inet``: then the address is IPv4-mapped."""
    socktype: str
    """``stream``, ``dgram`` or ``raw``."""
    addr: bytes
    port: int
    zone: int
    canonname: str
    """With AI_CANONNAME and in the first result only, else empty."""


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


# -- names to addresses ----------------------------------------------------------------------------------------------


def getaddrinfo(proc: Proc, text: str, *, allow_embedded: bool = False) -> tuple[bytes, int]:
    """(address without embedded zone, zone) of a numeric address or a name: the first IPv6 one of `getaddrinfo_all`.

    Raises `GaiError` for what is neither, for an unknown interface and for a zone at an address that has none; Errno
    EINVAL for an embedded zone, which ``allow_embedded`` takes as the zone (see `is_embedded`).
    """
    numeric = _numeric(proc, text, allow_embedded)
    if numeric is not None:
        return numeric
    found = [one for one in _lookup(proc, text) if not in6.is_v4mapped(one[0])]
    if not found:
        raise GaiError
    return addrorder.ordered(proc, found)[0]


def getaddrinfo_all(
    proc: Proc, host: str | None, service: str | int | None = None, *, flags: int = 0, socktype: str = ""
) -> list[AddrInfo]:
    """getaddrinfo(3): every address of a name with the service's port, the best destination first (RFC 3493 6.1).

    ``host`` None means this node: ``::`` with AI_PASSIVE, else ``::1``. ``socktype`` is one of `SOCKTYPES`; without it
    ("") each address comes for both stream and dgram where the service has both.
    Raises `GaiError`, and Errno EINVAL for an embedded zone.
    """
    if flags & ~AI_ALL_FLAGS or (flags & AI_CANONNAME and host is None):
        raise GaiError("EAI_BADFLAGS")
    if socktype and socktype not in SOCKTYPES:
        raise GaiError("EAI_SOCKTYPE")
    if host is None and service is None:
        raise GaiError
    ports = _ports(proc, service, socktype, bool(flags & AI_NUMERICSERV))
    canonname = ""
    if host is None:
        found = [(in6.UNSPECIFIED if flags & AI_PASSIVE else in6.LOOPBACK, 0)]
    else:
        canonname = split_zone(host)[0]
        numeric = _numeric(proc, host)
        if numeric is not None:
            found = [numeric]
        elif flags & AI_NUMERICHOST:
            raise GaiError
        else:
            found = addrorder.ordered(proc, _lookup(proc, host))
            canonname = _canonical(proc, canonname)
    out = [
        AddrInfo("inet" if in6.is_v4mapped(addr) and host and ":" not in host else "inet6", kind, addr, port, zone, "")
        for addr, zone in found
        for kind, port in ports
    ]
    if flags & AI_CANONNAME:
        out[0] = out[0]._replace(canonname=canonname)
    return out


def _numeric(proc: Proc, text: str, allow_embedded: bool = False) -> tuple[bytes, int] | None:
    """A numeric address with its zone; None for text that is none."""
    numeric, zone_text = split_zone(text)
    try:
        addr = in6.pton(numeric)
    except ValueError:
        return None
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


def _address(text: str) -> bytes:
    """An address of /etc/hosts, IPv4 as IPv4-mapped; ValueError."""
    return V4MAPPED + in6.pton(f"::{text}")[12:] if "." in text and ":" not in text else in6.pton(text)


def hosts(proc: Proc) -> tuple[Host, ...]:
    """The lines of /etc/hosts; lines that can't be read are passed over, as resolvers do."""
    if not proc.exists(HOSTS):
        return ()
    found: list[Host] = []
    for line in proc.read_file(HOSTS).splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        numeric, zone = split_zone(words[0])
        try:
            found.append(Host(_address(numeric), zone, tuple(words[1:])))
        except ValueError:
            continue
    return tuple(found)


def _lookup(proc: Proc, name: str) -> list[tuple[bytes, int]]:
    """Every address of a name, in the file's order. Raises `GaiError`."""
    wanted, zone_text = split_zone(name)
    found: list[tuple[bytes, int]] = []
    for host in hosts(proc):
        if any(known.lower() == wanted.lower() for known in host.names):
            zone = zone_text if zone_text and is_scoped(host.addr) else host.zone
            one = (host.addr, _zone(proc, host.addr, zone))
            if one not in found:
                found.append(one)
    if not found or (zone_text and not any(is_scoped(addr) for addr, _ in found)):
        raise GaiError
    return found


def _canonical(proc: Proc, name: str) -> str:
    """The first name on the first line that has ``name``."""
    for host in hosts(proc):
        if any(known.lower() == name.lower() for known in host.names):
            return host.names[0]
    return name


# -- services --------------------------------------------------------------------------------------------------------


def services(proc: Proc) -> tuple[tuple[tuple[str, ...], int, str], ...]:
    """(names, port, protocol) of each line of /etc/services; the table of `etc` where there is no such file."""
    text = proc.read_file(SERVICES_FILE) if proc.exists(SERVICES_FILE) else SERVICES
    found = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        number, slash, protocol = words[1].partition("/")
        if slash and number.isascii() and number.isdigit() and int(number) < 65536:
            found.append(((words[0], *words[2:]), int(number), protocol))
    return tuple(found)


def getservbyname(proc: Proc, name: str, protocol: str) -> int:
    """The port of a service by name or alias; 0 where there is none for the protocol (tcp or udp)."""
    for names, port, known in services(proc):
        if known == protocol and name in names:
            return port
    return 0


def getservbyport(proc: Proc, port: int, protocol: str) -> str:
    """The name of a port; "" where it has none."""
    for names, number, known in services(proc):
        if number == port and known == protocol:
            return names[0]
    return ""


def _ports(proc: Proc, service: str | int | None, socktype: str, numeric: bool) -> list[tuple[str, int]]:
    """(socket type, port) pairs that a service means."""
    kinds = [socktype] if socktype else ["stream", "dgram"]
    text = "0" if service is None else str(service)
    if text.isascii() and text.isdigit():
        if int(text) > 65535:
            raise GaiError("EAI_SERVICE")
        if service is not None and socktype == "raw":
            raise GaiError("EAI_SERVICE")
        return [(kind, int(text)) for kind in kinds]
    if numeric:
        raise GaiError
    found = [(kind, port) for kind in kinds if (port := getservbyname(proc, text, SOCKTYPES[kind]))]
    if not found:
        raise GaiError("EAI_SERVICE")
    return found


# -- addresses to names ----------------------------------------------------------------------------------------------


def _name_of(proc: Proc, addr: bytes, zone_names: tuple[str, ...]) -> str:
    """The first name of /etc/hosts for an address; ``zone_names`` are the spellings of its zone."""
    for host in hosts(proc):
        if host.addr == addr and (not is_scoped(addr) or host.zone in zone_names):
            return host.names[0]
    return ""


def getnameinfo(proc: Proc, addr: bytes, zone: int = 0, numeric: bool = False, *, flags: int = 0) -> str:
    """The name of an address, or its text with ``%interface`` where it is scoped.

    ``numeric`` is NI_NUMERICHOST. NI_NOFQDN cuts the domain that this node shares with the name. Raises `GaiError` with
    NI_NAMEREQD where there is no name.
    """
    text = in6.ntop(addr)
    ifname = ""
    if zone and is_scoped(addr):
        ifname = if_indextoname(proc, zone) or str(zone)
        text = f"{text}%{ifname}"
    if numeric or flags & NI_NUMERICHOST:
        return text
    name = _name_of(proc, addr, (ifname, str(zone) if zone else ""))
    if not name and flags & NI_NAMEREQD:
        raise GaiError
    if name and flags & NI_NOFQDN:
        _, dot, domain = proc.hostname().partition(".")
        name = name.removesuffix(f".{domain}") if dot and domain else name
    return name or text


def servname(proc: Proc, port: int, flags: int = 0) -> str:
    """The service half of getnameinfo(3): a port's name, or its number where it has none or with NI_NUMERICSERV."""
    if flags & NI_NUMERICSERV:
        return str(port)
    return getservbyport(proc, port, "udp" if flags & NI_DGRAM else "tcp") or str(port)


def hostname_of(proc: Proc, text: str) -> str:
    """The name of an address written as in the tables (``fe80::1%ne0``), or the same text."""
    numeric, zone = split_zone(text)
    try:
        addr = in6.pton(numeric)
    except ValueError:
        return text
    index = if_nametoindex(proc, zone) if zone else 0
    return _name_of(proc, addr, (zone, str(index) if index else "")) or text
