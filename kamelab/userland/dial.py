"""What the programs that open connections share: a name's addresses, and one try at one of them.

RFC 3493 6.1 (each address in turn). Left out: trying several at once (RFC 8305); IPv4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.userland.netdb import AI_NUMERICHOST, AI_PASSIVE, AddrInfo, GaiError, getaddrinfo_all
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

CHUNK: Final = 16384
"""Octets or characters that a program moves at once."""


def addresses(
    proc: Proc, host: str | None, service: str | int, socktype: str, *, numeric: bool = False, passive: bool = False
) -> list[AddrInfo]:
    """The IPv6 addresses of a name with a service's port, the best first. Raises GaiError, Errno EINVAL."""
    flags = (AI_NUMERICHOST if numeric else 0) | (AI_PASSIVE if passive else 0)
    found = getaddrinfo_all(proc, host, service, flags=flags, socktype=socktype)
    usable = [one for one in found if one.family == "inet6" and not in6.is_v4mapped(one.addr)]
    if not usable:
        raise GaiError("EAI_NODATA")
    return usable


def bind(proc: Proc, fd: int, source: str, port: int, *, numeric: bool = False) -> None:
    """Name the socket's own end: an address or name, "" for any, and a port, 0 for any. Raises GaiError, Errno."""
    if not source and not port:
        return
    addr, zone = in6.UNSPECIFIED, 0
    if source:
        own = addresses(proc, source, 0, "stream", numeric=numeric)[0]
        addr, zone = own.addr, own.zone
    proc.bind(fd, addr, port, zone)


async def connect(
    proc: Proc, one: AddrInfo, *, source: str = "", sport: int = 0, numeric: bool = False, timeout: int | None = None
) -> int:
    """The descriptor of a new socket that is connected to ``one``, stream or datagram. Raises GaiError, Errno.

    ``source`` and ``sport`` as for `bind`; ``timeout`` in ns.
    """
    fd = proc.socket("udp6" if one.socktype == "dgram" else "tcp6")
    done = False
    try:
        bind(proc, fd, source, sport, numeric=numeric)
        if one.socktype == "dgram":
            proc.connect(fd, one.addr, one.port, one.zone)
        else:
            await proc.connect_stream(fd, one.addr, one.port, one.zone, timeout)
        done = True
    finally:
        if not done:
            proc.close(fd)
    return fd
