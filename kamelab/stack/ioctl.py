"""Interface ioctls, neighbour entries by hand, and route requests (KAME in6_control, nd6_ioctl; BSD rtsock.c).

Each function checks, changes tables, and returns the result with the actions that the node must carry out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamelab.core.clock import SECOND
from kamelab.core.errors import (
    EADDRNOTAVAIL,
    EDQUOT,
    EEXIST,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENOBUFS,
    ENXIO,
    EOPNOTSUPP,
    ESRCH,
    Errno,
)
from kamelab.stack.net import rtsock
from kamelab.stack.netinet6 import in6 as in6_if
from kamelab.stack.netinet6 import in6_addrsel, in6_prefix, mld6, nd6, nd6_dad, nd6_defrouter, nd6_prefix
from kamelab.stack.netinet6.jumbo import LARGE_LOMTU
from kamelab.stack.netinet6.nd6_message import nd6_na_output
from kamelab.stack.netinet6.nd6_state import move
from kamelab.stack.netinet6.scope6 import in6_setscope, is_scoped, sa6_embedscope, zone_of
from kamelab.stack.packet import Action
from kamelab.stack.tables import neighbor_route_row, route_row
from kamelab.stack.views import RouteRow
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

TEMPORARY_NEIGHBOR = 20 * 60 * SECOND
"""How long ``ndp -s ... temp`` lasts."""


def interface(node: Node, name: str) -> Interface:
    """The interface of that name; ENXIO."""
    iface = node.interfaces.get(name)
    if iface is None:
        raise Errno(ENXIO, name)
    return iface


def ioctl(node: Node, request: str, name: str, args: dict[str, Any]) -> tuple[Any, list[Action]]:
    """One ioctl by name: (result, actions).

    EINVAL: bad argument; ENXIO: no such interface; EOPNOTSUPP: unknown request.
    """
    if request == "SIOCGDEFIFACE_IN6":
        default = node.interfaces_by_index.get(node.default_interface)
        return default.name if default is not None else "", []
    if request == "SIOCSDEFIFACE_IN6":
        return None, _default_interface(node, name)
    if request == "SIOCSPFXFLUSH_IN6":
        return None, _flush_prefixes(node)
    if request == "SIOCSNDFLUSH_IN6":
        return None, _harmonize(node)
    if request == "SIOCSRTRFLUSH_IN6":
        for router in list(node.routers):
            nd6_defrouter.defrouter_remove(node, router, "flushed")
        return None, nd6_prefix.pfxlist_onlink_check(node)
    if request in in6_addrsel.REQUESTS:
        return None, in6_addrsel.ioctl(node, request, args)
    iface = interface(node, name)
    if request == "SIOCSIFFLAGS":
        return None, node.set_up(iface, bool(args["up"]))
    if request == "SIOCSIFMTU":
        mtu = int(args["mtu"])
        if not 72 <= mtu <= (LARGE_LOMTU if iface.loopback else 65535):
            raise Errno(EINVAL)
        iface.mtu = mtu
        node.generation += 1
        if mtu < 1280:
            node.log(f"{iface.name}: MTU {mtu} is too small for IPv6")
        return None, []
    if request == "SIOCAIFADDR_IN6":
        wanted = in6_if.in6_control_check(
            node,
            iface,
            args["address"],
            args.get("zone", 0),
            args["plen"],
            tuple(args.get("flags", ())),
            args.get("vltime", 0xFFFFFFFF),
            args.get("pltime", 0xFFFFFFFF),
            args.get("destination"),
        )
        # The driver comes up with its first address, and so its link-local address stands first in the list.
        actions = node.set_up(iface, True)
        return None, actions + in6_if.in6_control_add(node, iface, wanted)
    if request == "SIOCDIFADDR_IN6":
        return None, in6_if.in6_control_delete(node, iface, args["address"], args.get("zone", 0))
    if request == "SIOCSIFINFO_FLAGS":
        return None, _flags(node, iface, args)
    if request == "SIOCSNDUNSOL_IN6":
        return None, _send_unsolicited(node, iface, args)
    if request == "SIOCSIFINFO_IN6":
        return None, _info(node, iface, args)
    if request in in6_prefix.REQUESTS:
        return None, in6_prefix.ioctl(node, iface, request, args)
    raise Errno(EOPNOTSUPP, request)


def _flags(node: Node, iface: Interface, args: dict[str, Any]) -> list[Action]:
    for word in args:
        if word not in nd6.IFINFO_FLAGS:
            raise Errno(EINVAL, word)
    was_disabled = iface.disabled
    for word, value in args.items():
        setattr(iface, word, bool(value))
    node.generation += 1
    if was_disabled and not iface.disabled:
        return nd6_dad.nd6_dad_again(node, iface)
    return []


def _send_unsolicited(node: Node, iface: Interface, args: dict[str, Any]) -> list[Action]:
    """``ndp -U ADDR%IF``: one unsolicited advertisement to all nodes (RFC 4861 7.2.6); ours, KAME only announced it.

    EADDRNOTAVAIL: neither an address of the interface that is ready, nor one that it is proxy for. ENETDOWN.
    """
    if not iface.up or iface.disabled:
        raise Errno(ENETDOWN)
    addr = in6_setscope(args["address"], iface) or args["address"]
    own = node.own_address(addr)
    proxy = iface.neighbors.get(addr)
    mine = own is not None and own[0] is iface and own[1].usable
    if not mine and (proxy is None or not proxy.proxy):
        raise Errno(EADDRNOTAVAIL)
    anycast = own is not None and own[1].anycast
    return [
        nd6_na_output(
            node,
            iface,
            in6_setscope(in6.ALLNODES, iface) or b"",
            addr,
            router=mine and bool(node.sysctl["net.inet6.ip6.forwarding"]),
            solicited=False,
            override=mine and not anycast and bool(iface.mac),
            lladdr=iface.mac if mine or proxy is None else proxy.lladdr,
        )
    ]


def _info(node: Node, iface: Interface, args: dict[str, Any]) -> list[Action]:
    for word, value in args.items():
        number = int(value)
        if word not in ("basereachable", "retrans", "curhlim") or number <= 0 or (word == "curhlim" and number > 255):
            raise Errno(EINVAL, word)
        setattr(iface, word, number)
    iface.reachable = 0
    node.generation += 1
    return []


def _default_interface(node: Node, name: str) -> list[Action]:
    """``ndp -I IF``: on hosts without a router a cloning default route through the interface.

    KAME IMPLEMENTATION 1.2 (2001).
    """
    if node.default_interface:
        route = node.routes.exact(bytes(16), 0)
        if route is not None and route.gateway is None and "S" not in route.flags:
            node.routes.delete(bytes(16), 0, None)
        node.default_interface = 0
    if not name:
        return []
    iface = interface(node, name)
    node.default_interface = iface.index
    nd6_defrouter.default_interface_route(node)
    return []


def _harmonize(node: Node) -> list[Action]:
    """``ndp -H``: default routes of the list's routers go, and the one that the list chooses comes.

    A default route set by hand through a router that is not on the list stays, and keeps the list's out.
    """
    addresses = {router.addr for router in node.routers}
    route = node.routes.exact(bytes(16), 0)
    if route is not None and route.gateway in addresses:
        node.routes.delete(bytes(16), 0, route.gateway)
    for router in node.routers:
        router.installed = False
    nd6_defrouter.defrouter_select(node)
    return nd6_prefix.pfxlist_onlink_check(node)


def _flush_prefixes(node: Node) -> list[Action]:
    """``ndp -P``: prefixes that advertisements made, and the addresses made of them."""
    actions: list[Action] = []
    for iface in node.interfaces.values():
        for address in list(iface.addresses):
            if address.autoconf:
                actions += in6_if.in6_purgeaddr(node, iface, address)
        for entry in list(iface.prefixes):
            if not entry.static:
                nd6_prefix.prefix_remove(node, entry)
    node.arm_expiry()
    return actions


# -- neighbours ------------------------------------------------------------------------------------------------------


def neighbor(node: Node, command: str, args: dict[str, Any]) -> tuple[Any, list[Action]]:
    """``set``, ``delete`` and ``flush`` of the neighbour cache.

    ESRCH: no entry; EINVAL: not on-link, or no neighbour can have the address; ENOBUFS: too many entries set by hand.
    """
    if command == "flush":
        return _flush_neighbors(node)
    addr = sa6_embedscope(node, args["address"], args.get("zone", 0))
    name = args.get("interface", "")
    iface = interface(node, name) if name else _onlink_interface(node, addr)
    if iface is None:
        raise Errno(ESRCH if command == "delete" else EINVAL)
    if is_scoped(addr) and not zone_of(addr):
        addr = in6_setscope(addr, iface) or addr
    if command == "delete":
        nbr = iface.neighbors.get(addr)
        if nbr is None:
            raise Errno(ESRCH)
        actions = nd6.nd6_free(node, iface, nbr)
        if nbr.proxy:
            actions += mld6.in6_delmulti(node, iface, in6_setscope(in6.solicited_node(addr), iface) or b"")
        return None, actions
    if command != "set":
        raise Errno(EOPNOTSUPP, command)
    if node.own_address(addr) is not None or addr[0] == 0xFF or not iface.mac:
        raise Errno(EINVAL)
    existing = iface.neighbors.get(addr)
    was_proxy = existing is not None and existing.proxy
    if existing is None and sum(nbr.manual for nbr in iface.neighbors.values()) >= nd6.STATIC_LIMIT:
        raise Errno(ENOBUFS)
    actions = nd6.nd6_make_room(node, iface, addr)
    nbr = nd6.nd6_lookup(node, iface, addr)
    nbr.lladdr = args["lladdr"]
    nbr.manual = True
    nbr.static = not args.get("temp", False)
    nbr.proxy = bool(args.get("proxy", False))
    move(node, iface, nbr, "set")
    if not nbr.static:
        nbr.timer.arm(node.clock.now + TEMPORARY_NEIGHBOR, node.trace.cause, ageing=True)
    actions += nd6.nd6_release(nbr)
    if was_proxy and not nbr.proxy:
        actions += mld6.in6_delmulti(node, iface, in6_setscope(in6.solicited_node(addr), iface) or b"")
    if nbr.proxy and not was_proxy:
        actions += mld6.in6_addmulti(node, iface, in6_setscope(in6.solicited_node(addr), iface) or b"")
    return None, actions


def _onlink_interface(node: Node, addr: bytes) -> Interface | None:
    """Where an address is on-link: by its zone, or by a prefix of an interface."""
    if is_scoped(addr):
        return node.interfaces_by_index.get(zone_of(addr))
    route = node.routes.lookup(addr)
    if route is not None and route.gateway is None and not route.own and route.plen:
        return route.iface
    for iface in node.interfaces.values():
        if addr in iface.neighbors:
            return iface
    return None


def _flush_neighbors(node: Node) -> tuple[Any, list[Action]]:
    """``ndp -c``: every entry that was learned; those set by hand stay, temporary ones too (KAME ndp.c)."""
    gone: list[tuple[str, str]] = []
    actions: list[Action] = []
    for iface in node.interfaces.values():
        for nbr in sorted(iface.neighbors.values(), key=lambda entry: entry.addr):
            if nbr.manual:
                continue
            gone.append((node.text(nbr.addr), iface.name))
            actions += nd6.nd6_free(node, iface, nbr)
    return tuple(gone), actions


# -- routes ----------------------------------------------------------------------------------------------------------


def route(node: Node, command: str, args: dict[str, Any]) -> Any:
    """``add delete change get flush``, on behalf of process ``pid``.

    EEXIST, ESRCH, ENETUNREACH (gateway not reachable), EDQUOT (only through the route itself), EINVAL.
    """
    routes = node.routes
    routes.author = (int(args.get("pid", 0)), 1)
    try:
        return _request(node, command, args)
    except Errno as error:
        if "destination" in args:
            plen = int(args.get("plen", 128))
            rtsock.refused(node, f"RTM_{command.upper()}", args["destination"], plen, args.get("gateway"), error.number)
        raise
    finally:
        routes.author = (0, 0)


def _request(node: Node, command: str, args: dict[str, Any]) -> Any:
    if command == "flush":
        return _flush_routes(node)
    plen = int(args.get("plen", 128))
    if not 0 <= plen <= 128:
        raise Errno(EINVAL)
    dst = sa6_embedscope(node, args["destination"], args.get("zone", 0))
    if command == "get":
        found = node.routes.lookup(dst)
        if found is None:
            raise Errno(ESRCH)
        rtsock.route_changed(node, "RTM_GET", found)
        nbr = found.iface.neighbors.get(dst)
        if nbr is not None and nbr.state and found.plen < 128 and found.gateway is None:
            # A neighbour cache entry is a host route cloned from its prefix (BSD).
            return neighbor_route_row(node, found.iface, nbr)
        return route_row(node, found)
    dst = in6.mask(dst, plen)
    existing = node.routes.exact(dst, plen)
    if command == "delete":
        if existing is None:
            raise Errno(ESRCH)
        for router in node.routers:
            if router.installed and plen == 0 and existing.gateway == router.addr:
                router.installed = False
        return route_row(node, _deleted(node, existing))
    if command == "change" and existing is None:
        raise Errno(ESRCH)
    if command == "add" and existing is not None:
        raise Errno(EEXIST)
    if command not in ("add", "change"):
        raise Errno(EOPNOTSUPP, command)
    return _enter(node, dst, plen, existing, args)


def _deleted(node: Node, existing: Any) -> Any:
    node.routes.delete(existing.dst, existing.plen, None)
    return existing


def _enter(node: Node, dst: bytes, plen: int, existing: Any, args: dict[str, Any]) -> RouteRow:
    """Add or change: the interface follows from the gateway unless it is named."""
    flags = set(args.get("flags", ("static",)))
    name = args.get("interface", "")
    gateway: bytes | None = args.get("gateway")
    iface: Interface | None = interface(node, name) if name else None
    if gateway is not None:
        zone = args.get("gateway_zone", 0) or (iface.index if iface is not None and is_scoped(gateway) else 0)
        gateway = sa6_embedscope(node, gateway, zone)
        if iface is None:
            if is_scoped(gateway):
                iface = node.interfaces_by_index.get(zone_of(gateway))
            else:
                towards = node.routes.lookup(gateway)
                if towards is not None and towards.plen <= plen and in6.mask(gateway, plen) == dst:
                    raise Errno(EDQUOT)
                if towards is not None and (towards.gateway is None or towards.own):
                    iface = towards.iface
        if iface is None:
            raise Errno(ENETUNREACH)
    elif iface is None:
        if existing is None:
            raise Errno(EINVAL)
        iface, gateway = existing.iface, existing.gateway
    letters = "U" + "".join(letter for word, letter in _ROUTE_FLAGS.items() if word in flags)
    letters += "C" if gateway is None and plen < 128 else ""
    mtu, expire = int(args.get("mtu", 0)), int(args.get("expire", 0))
    expire = expire and node.clock.now + expire * SECOND
    metrics, locks = dict(args.get("metrics", {})), tuple(args.get("locks", ()))
    if existing is not None:
        # RTM_CHANGE: what is not named stays (BSD route_output).
        letters += existing.flags.translate(_DERIVED)
        mtu, expire = mtu or existing.mtu, expire or existing.expire
        metrics = {**existing.metrics, **metrics}
        locks = tuple(sorted({*existing.locks, *locks}))
    entry = node.routes.add(
        dst, plen, iface, gateway=gateway, flags=letters, mtu=mtu, expire=expire, metrics=metrics, locks=locks
    )
    if existing is not None and mtu == existing.mtu:
        entry.mtu_expire = existing.mtu_expire
    if expire:
        node.arm_expiry()
    return route_row(node, entry)


_ROUTE_FLAGS = {
    "static": "S",
    "reject": "R",
    "blackhole": "B",
    "cloning": "C",
    "xresolve": "X",
    "llinfo": "L",
    "proto1": "1",
    "proto2": "2",
}
_DERIVED = str.maketrans("", "", "GHC")
"""Flags that follow from what a route is, not from who asked for it."""


def _flush_routes(node: Node) -> tuple[RouteRow, ...]:
    """``route flush``: what leads through a gateway; host link entries stay."""
    gone = []
    for entry in node.routes.all():
        if entry.gateway is not None and not entry.own:
            gone.append(route_row(node, _deleted(node, entry)))
            node.routes.author = (node.routes.author[0], node.routes.author[1] + 1)
    for router in node.routers:
        router.installed = False
    return tuple(gone)
