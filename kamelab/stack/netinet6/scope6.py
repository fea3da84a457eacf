"""Scope zones: the only file that knows the embedded form (KAME scope6.c, KAME IMPLEMENTATION 1.3.1 (2001), RFC 4007).

Inside the kernel a scoped address carries its zone index in octets 2 and 3. One link an interface is assumed, so that a
link's zone index is the interface index. Outside it is ``fe80::1%ne0``; on the wire the octets are zero.
Site-local addresses are left without zones, as the seed leaves them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kamelab.core.errors import ENXIO, Errno
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node


def is_scoped(addr: bytes) -> bool:
    """Link-local unicast, or multicast of interface or link scope: ambiguous without a zone."""
    first = addr[0]
    if first == 0xFE:
        return addr[1] & 0xC0 == 0x80
    return first == 0xFF and addr[1] & 0x0F in (1, 2)


def in6_setscope(addr: bytes, iface: Interface) -> bytes | None:
    """``addr`` with the zone of ``iface`` embedded; None for ::1 on an interface that is not loopback."""
    first = addr[0]
    if (first == 0xFE and addr[1] & 0xC0 == 0x80) or (first == 0xFF and addr[1] & 0x0F in (1, 2)):
        return b"%b%b%b" % (addr[:2], iface.index.to_bytes(2, "big"), addr[4:])
    if addr == in6.LOOPBACK and not iface.loopback:
        return None
    return addr


def in6_clearscope(addr: bytes) -> bytes:
    """``addr`` as it stands on the wire."""
    if is_scoped(addr):
        return addr[:2] + b"\0\0" + addr[4:]
    return addr


def has_embedded(addr: bytes) -> bool:
    """A scoped address whose octets 2 and 3 are not zero."""
    return (addr[2] != 0 or addr[3] != 0) and is_scoped(addr)


def sa6_embedscope(node: Node, addr: bytes, zone: int) -> bytes:
    """A program's (address, scope id) in kernel form.

    The id of an address that needs none is ignored. Without id the default zone of ``ndp -I`` is used when
    net.inet6.ip6.use_defaultzone says so, else the address stays ambiguous. ENXIO: no such interface, or the address
    already carries an embedded zone.
    """
    if not is_scoped(addr):
        return addr
    if has_embedded(addr):
        raise Errno(ENXIO, "embedded zone")
    if not zone and node.sysctl["net.inet6.ip6.use_defaultzone"]:
        zone = node.default_interface
    if zone and zone not in node.interfaces_by_index:
        raise Errno(ENXIO)
    return addr[:2] + zone.to_bytes(2, "big") + addr[4:]


def sa6_recoverscope(addr: bytes) -> tuple[bytes, int]:
    """Kernel form to (address, scope id)."""
    if is_scoped(addr):
        return addr[:2] + b"\0\0" + addr[4:], int.from_bytes(addr[2:4], "big")
    return addr, 0


def zone_of(addr: bytes) -> int:
    """The embedded zone; 0 where there is none."""
    return int.from_bytes(addr[2:4], "big") if is_scoped(addr) else 0


@lru_cache(maxsize=4096)
def _ntop(addr: bytes) -> str:
    return in6.ntop(addr)


def text(node: Node, addr: bytes) -> str:
    """``fe80::1%ne0`` for people (KAME IMPLEMENTATION 1.3.3 (2001))."""
    if not is_scoped(addr):
        return _ntop(addr)
    zone = int.from_bytes(addr[2:4], "big")
    plain = _ntop(addr[:2] + b"\0\0" + addr[4:])
    if not zone:
        return plain
    iface = node.interfaces_by_index.get(zone)
    return f"{plain}%{iface.name if iface else zone}"
