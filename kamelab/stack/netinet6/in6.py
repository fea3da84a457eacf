"""Addresses on interfaces: adding, purging, what joins and routes come with them (KAME in6.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kamelab.core.errors import EADDRNOTAVAIL, EINVAL, Errno
from kamelab.stack.interface import INFINITE, Address
from kamelab.stack.netinet6 import mld6, nd6_dad, nd6_prefix, nodeinfo
from kamelab.stack.netinet6.scope6 import in6_setscope, is_scoped, sa6_embedscope
from kamelab.stack.packet import Action
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

SETTABLE_FLAGS = frozenset({"anycast", "tentative", "deprecated", "autoconf"})
ADDRESS_LIMIT = 64
"""Addresses an interface may have."""


class Wanted(NamedTuple):
    """An address that was found fit to be set; ``addr`` carries the embedded zone, lifetimes are seconds."""

    addr: bytes
    plen: int
    flags: tuple[str, ...]
    vltime: int
    pltime: int
    destination: bytes | None


def in6_control_check(
    node: Node,
    iface: Interface,
    addr: bytes,
    zone: int,
    plen: int,
    flags: tuple[str, ...],
    vltime: int,
    pltime: int,
    destination: bytes | None,
) -> Wanted:
    """The checks of SIOCAIFADDR_IN6, which change nothing.

    Errors are KAME in6_update_ifa's: EINVAL for kernel-owned flags, lengths and lifetimes that can't be; EADDRNOTAVAIL
    for addresses that no interface can have.
    """
    if any(flag not in SETTABLE_FLAGS for flag in flags):
        raise Errno(EINVAL)
    if not 0 < plen <= 128 or pltime > vltime:
        raise Errno(EINVAL)
    if addr[0] == 0xFF or addr == in6.UNSPECIFIED or in6.is_v4mapped(addr) or in6.is_v4compat(addr):
        raise Errno(EADDRNOTAVAIL)
    if addr == in6.LOOPBACK and not iface.loopback:
        raise Errno(EADDRNOTAVAIL)
    if destination is not None and (not (iface.pointopoint or iface.loopback) or plen != 128):
        raise Errno(EINVAL)
    addr = sa6_embedscope(node, addr, iface.index if is_scoped(addr) and not zone else zone)
    if is_scoped(addr) and int.from_bytes(addr[2:4], "big") != iface.index:
        raise Errno(EINVAL)
    same = next((address for address in iface.addresses if address.addr == addr), None)
    if same is not None and same.plen != plen:
        raise Errno(EINVAL)
    if same is None and vltime and len(iface.addresses) >= ADDRESS_LIMIT:
        raise Errno(EADDRNOTAVAIL)
    return Wanted(addr, plen, flags, vltime, pltime, destination)


def in6_control_add(node: Node, iface: Interface, wanted: Wanted) -> list[Action]:
    """SIOCAIFADDR_IN6: add an address by hand, or change the flags and lifetimes of one that is there."""
    addr, plen, flags, vltime, pltime, destination = wanted
    now = node.clock.now
    for address in iface.addresses:
        if address.addr == addr:
            address.vltime, address.pltime, address.updated = vltime, pltime, now
            address.deprecated = "deprecated" in flags or pltime == 0
            address.anycast = "anycast" in flags
            if "autoconf" in flags:
                address.autoconf = True
            node.generation += 1
            node.arm_expiry()
            return []
    if vltime == 0:
        node.debug_nd6(f"in6_update_ifa: valid lifetime is 0 for {in6.ntop(addr)}, nothing to do")
        return []
    new = Address(addr, plen)
    new.anycast = "anycast" in flags
    new.autoconf = "autoconf" in flags
    new.deprecated = "deprecated" in flags or pltime == 0
    new.vltime, new.pltime, new.updated = vltime, pltime, now
    new.destination = destination
    return in6_ifadd(node, iface, new, dad_delay=False)


def in6_ifadd(node: Node, iface: Interface, address: Address, *, dad_delay: bool) -> list[Action]:
    """Put an address on an interface: groups, routes, DAD."""
    if not address.anycast and not iface.loopback and iface.multicast and node.sysctl["net.inet6.ip6.dad_count"]:
        address.tentative = True
    iface.addresses.append(address)
    node.addresses_changed()
    actions: list[Action] = []
    if not iface.loopback:
        first = not iface.joined and iface.multicast
        if first:
            iface.joined = True
            actions += join_interface_groups(node, iface)
        # Anycast addresses too: they are solicited in the same way (RFC 4291 2.7.1).
        actions += mld6.in6_addmulti(node, iface, in6_setscope(in6.solicited_node(address.addr), iface) or b"")
        if first:
            actions += nodeinfo.ni_join(node, iface)
    if address.addr != in6.LOOPBACK:
        # Without nd6_useloopback they are reached through the interface, which hands back frames to its own MAC.
        around = iface.mac and not node.sysctl["net.inet6.icmp6.nd6_useloopback"]
        node.routes.add(address.addr, 128, iface if around else node.loopback, gateway=None, flags="UHL", own=True)
    else:
        node.routes.add(address.addr, 128, iface, gateway=address.addr, flags="UH", own=True)
    if not (iface.loopback and address.addr == in6.LOOPBACK):
        nd6_prefix.prefix_of_address(node, iface, address)
    if address.destination is not None:
        node.routes.add(address.destination, 128, iface, gateway=None, flags="UH")
    if address.tentative and iface.up:
        actions += nd6_dad.nd6_dad_start(node, iface, address, delay=dad_delay)
    node.arm_expiry()
    return actions


def join_interface_groups(node: Node, iface: Interface) -> list[Action]:
    """ff02::1 and the multicast routes that every IPv6 interface has.

    KAME IMPLEMENTATION 1.15.1 (2001), KAME in6_update_ifa.
    """
    link = in6_setscope(b"\xff\x02" + bytes(14), iface) or b""
    node.routes.add(link, 32, iface, flags="UC")
    local = in6_setscope(b"\xff\x01" + bytes(14), iface) or b""
    node.routes.add(local, 32, iface, flags="UC")
    actions = mld6.in6_addmulti(node, iface, in6_setscope(in6.ALLNODES, iface) or b"")
    return actions + mld6.in6_addmulti(node, iface, in6_setscope(in6.IFLOCAL_ALLNODES, iface) or b"")


def in6_control_delete(node: Node, iface: Interface, addr: bytes, zone: int) -> list[Action]:
    """SIOCDIFADDR_IN6. EADDRNOTAVAIL: the interface has no such address."""
    addr = sa6_embedscope(node, addr, iface.index if is_scoped(addr) and not zone else zone)
    for address in iface.addresses:
        if address.addr == addr:
            return in6_purgeaddr(node, iface, address)
    raise Errno(EADDRNOTAVAIL)


def in6_purgeaddr(node: Node, iface: Interface, address: Address) -> list[Action]:
    """Take an address away, with everything that came with it."""
    nd6_dad.nd6_dad_stop(address)
    iface.addresses.remove(address)
    node.routes.delete(address.addr, 128, None)
    if address.destination is not None:
        node.routes.delete(address.destination, 128, None)
    nd6_prefix.release_prefix(node, address)
    node.addresses_changed()
    actions: list[Action] = []
    if not iface.loopback:
        actions += mld6.in6_delmulti(node, iface, in6_setscope(in6.solicited_node(address.addr), iface) or b"")
    node.arm_expiry()
    return actions


def in6_if_up(node: Node, iface: Interface) -> list[Action]:
    """The interface came up: link-local address, DAD for what is tentative (KAME in6_if_up)."""
    actions: list[Action] = []
    now = node.clock.now
    if iface.loopback:
        _loopback_addresses(node, iface)
        return actions
    wanted = iface.multicast and iface.mtu >= 1280 and node.sysctl["net.inet6.ip6.auto_linklocal"]
    if wanted and iface.linklocal() is None:
        identifier = node.interface_identifier(iface)
        if identifier is not None:
            address = Address(in6_setscope(in6.LINKLOCAL_PREFIX[:8] + identifier, iface) or b"", 64)
            address.updated = now
            actions += in6_ifadd(node, iface, address, dad_delay=True)
    for address in iface.addresses:
        if address.tentative:
            actions += nd6_dad.nd6_dad_start(node, iface, address, delay=True)
    return actions


def _loopback_addresses(node: Node, iface: Interface) -> None:
    """::1, fe80::1%lo0 and ff01::1 on the loopback interface (KAME IMPLEMENTATION 1.4.1 (2001))."""
    if any(address.addr == in6.LOOPBACK for address in iface.addresses):
        return
    for addr, plen in ((in6.LOOPBACK, 128), (in6_setscope(in6.pton("fe80::1"), iface) or b"", 64)):
        address = Address(addr, plen)
        address.vltime = address.pltime = INFINITE
        in6_ifadd(node, iface, address, dad_delay=False)
    join_interface_groups(node, iface)
    nodeinfo.ni_join(node, iface)


def loopback_forget(node: Node, iface: Interface) -> None:
    """Take back what `in6_if_up` gave the loopback interface; routes set by hand stay."""
    for address in list(iface.addresses):
        in6_purgeaddr(node, iface, address)
    for route in node.routes.all():
        if route.iface is iface and is_scoped(route.dst):
            node.routes.delete(route.dst, route.plen, None)
    iface.groups.clear()


def in6_if_down(node: Node, iface: Interface) -> list[Action]:
    """The interface went down: detection stops, memberships fall silent."""
    for address in iface.addresses:
        if address.dad is not None:
            nd6_dad.nd6_dad_stop(address)
    mld6.mld6_if_down(node, iface)
    return []
