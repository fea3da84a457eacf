"""Reading a node's tables as rows (`views`): the one source for commands, panes, checks and exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kamelab.core.errors import EINVAL, Errno
from kamelab.stack.net import rtsock
from kamelab.stack.netinet import tcp_table
from kamelab.stack.netinet6 import in6_addrsel, in6_ifstat, in6_prefix, nd6
from kamelab.stack.netinet6.nd6_prefix import lifetime_left
from kamelab.stack.netinet6.nd6_state import REACHABLE
from kamelab.stack.netinet6.scope6 import sa6_recoverscope
from kamelab.stack.netipsec.rows import PolicyRow, SaRow, policy_rows, sa_rows
from kamelab.stack.socket import ports
from kamelab.stack.views import (
    AddressRow,
    GroupRow,
    InterfaceRow,
    NdInterfaceRow,
    NeighborRow,
    PrefixRow,
    RouteRow,
    RouterRow,
    SocketRow,
)
from kamelab.wire import ether, in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.net.route import Route
    from kamelab.stack.netinet6.nd6_state import Neighbor
    from kamelab.stack.node import Node

PREFERENCES = {1: "high", 0: "medium", -1: "low"}


def interfaces(node: Node) -> tuple[InterfaceRow, ...]:
    """Every interface by index."""
    return tuple(
        InterfaceRow(
            iface.name,
            iface.index,
            iface.flag_bits(),
            iface.mtu,
            ether.mac_text(iface.mac) if iface.mac else "",
            iface.link.name,
            iface.running,
            iface.ipackets,
            iface.ierrors,
            iface.opackets,
            iface.oerrors,
            iface.ibytes,
            iface.obytes,
            iface.drops,
            iface.disabled,
        )
        for iface in node.interfaces.values()
    )


def addresses(node: Node) -> tuple[AddressRow, ...]:
    """Every address, by interface in order of adding."""
    now = node.clock.now
    rows = []
    for iface in node.interfaces.values():
        for address in iface.addresses:
            rows.append(
                AddressRow(
                    iface.name,
                    node.text(address.addr),
                    address.plen,
                    address.flags(),
                    sa6_recoverscope(address.addr)[1],
                    lifetime_left(address.vltime, address.updated, now),
                    lifetime_left(address.pltime, address.updated, now),
                    node.text(address.destination) if address.destination else "",
                )
            )
    return tuple(rows)


def neighbors(node: Node) -> tuple[NeighborRow, ...]:
    """The neighbour cache in address order, own addresses as permanent entries (KAME ndp shows them so)."""
    rows: list[tuple[bytes, int, NeighborRow]] = []
    for iface in node.interfaces.values():
        mac = ether.mac_ntop(iface.mac) if iface.mac else ""
        for address in iface.addresses:
            if address.addr == in6.LOOPBACK:
                continue
            row = NeighborRow(node.text(address.addr), mac, iface.name, REACHABLE, None, False, False, 0, True, True, 0)
            rows.append((address.addr, iface.index, row))
        for nbr in iface.neighbors.values():
            row = NeighborRow(
                node.text(nbr.addr),
                ether.mac_ntop(nbr.lladdr) if nbr.lladdr else "",
                iface.name,
                nbr.state,
                nbr.timer.at,
                nbr.router,
                nbr.proxy,
                nbr.probes,
                nbr.static,
                False,
                len(nbr.hold),
            )
            rows.append((nbr.addr, iface.index, row))
    rows.sort(key=lambda item: item[:2])
    return tuple(item[2] for item in rows)


def prefixes(node: Node) -> tuple[PrefixRow, ...]:
    """The prefix list."""
    rows = []
    for iface in node.interfaces.values():
        for entry in iface.prefixes:
            expire, preferred = in6_prefix.expiry(entry)
            routers = []
            for router in entry.routers:
                nbr = iface.neighbors.get(router)
                routers.append((node.text(router), nbr.state if nbr is not None else ""))
            rows.append(
                PrefixRow(
                    node.text(entry.prefix),
                    entry.plen,
                    iface.name,
                    entry.raf_onlink if isinstance(entry, in6_prefix.RouterPrefix) else entry.onlink,
                    entry.autonomous,
                    entry.installed,
                    entry.detached,
                    entry.vltime,
                    entry.pltime,
                    expire,
                    entry.refcnt,
                    in6_prefix.origin(entry),
                    tuple(routers),
                    preferred,
                )
            )
    return tuple(rows)


def routers(node: Node) -> tuple[RouterRow, ...]:
    """The default router list in its order."""
    rows = []
    for router in node.routers:
        nbr = router.iface.neighbors.get(router.addr)
        rows.append(
            RouterRow(
                node.text(router.addr),
                router.iface.name,
                ("M" if router.managed else "") + ("O" if router.other else ""),
                PREFERENCES[router.preference],
                router.expire,
                router.installed,
                nbr.state if nbr is not None else "",
            )
        )
    return tuple(rows)


def route_row(node: Node, route: Route) -> RouteRow:
    """One routing table entry as netstat shows it."""
    return RouteRow(
        _destination(node, route.dst, route.plen),
        rtsock.gateway_text(node, route),
        route.flags,
        route.iface.name,
        route.expire or None,
        route.mtu,
        0,
        route.use,
        tuple(sorted(route.metrics.items())),
        route.locks,
    )


def _destination(node: Node, dst: bytes, plen: int) -> str:
    if plen == 0:
        return "default"
    text = node.text(dst)
    return text if plen == 128 else f"{text}/{plen}"


def neighbor_route_row(node: Node, iface: Interface, nbr: Neighbor) -> RouteRow:
    """A neighbour cache entry as the host route that it is on a BSD: cloned (UHLW), or set by hand (UHLS, UHLS2)."""
    gateway = ether.mac_ntop(nbr.lladdr) if nbr.lladdr else f"link#{iface.index}"
    flags = "UHLS2" if nbr.proxy else ("UHLS" if nbr.manual else "UHLW")
    expire = None if nbr.static else nbr.timer.at
    return RouteRow(node.text(nbr.addr), gateway, flags, iface.name, expire, 0, 0, 0)


def routes(node: Node) -> tuple[RouteRow, ...]:
    """The routing table with the neighbour cache's host routes, default first, then in key order."""
    keyed: list[tuple[tuple[bool, bytes, int], RouteRow]] = []
    for route in node.routes.all():
        keyed.append(((route.plen != 0, route.dst, route.plen), route_row(node, route)))
    for iface in node.interfaces.values():
        for nbr in iface.neighbors.values():
            if node.routes.exact(nbr.addr, 128) is not None:
                continue
            keyed.append(((True, nbr.addr, 128), neighbor_route_row(node, iface, nbr)))
    keyed.sort(key=lambda item: item[0])
    return tuple(item[1] for item in keyed)


def groups(node: Node) -> tuple[GroupRow, ...]:
    """Multicast memberships by interface."""
    rows = []
    for iface in node.interfaces.values():
        for group in iface.groups.values():
            plain = sa6_recoverscope(group.addr)[0]
            due = group.timer.at if group.timer is not None else None
            mac = ether.mac_text(ether.multicast_mac(plain)) if iface.mac else ""
            if mac and plain == in6.UNSPECIFIED:
                mac = "33:33:00:00:00:00 -- 33:33:ff:ff:ff:ff"
            rows.append(
                GroupRow(
                    iface.name,
                    node.text(group.addr),
                    group.refcnt,
                    mac,
                    group.state,
                    due,
                    "exclude" if group.filter.exclude else "include",
                    tuple(in6.ntop(source) for source in group.filter.sources),
                )
            )
    return tuple(rows)


def sockets(node: Node) -> tuple[SocketRow, ...]:
    """Every socket in order of creation."""
    rows = []
    for so in node.sockets.values():
        if so.kind in ("bpf", "route", "key"):
            continue
        proto = ports.family_name(node, so)
        local = ports.name_text(node, so.laddr, so.lport)
        foreign = ports.name_text(node, so.faddr, so.fport)
        rows.append(SocketRow(proto, local, foreign, *tcp_table.columns(so), so.pid))
    return tuple(rows)


def ndinterfaces(node: Node) -> tuple[NdInterfaceRow, ...]:
    """Neighbour discovery parameters by interface."""
    return tuple(_ndinterface(iface) for iface in node.interfaces.values())


def _ndinterface(iface: Interface) -> NdInterfaceRow:
    flags = tuple(word for word in nd6.IFINFO_FLAGS if getattr(iface, word))
    return NdInterfaceRow(
        iface.name,
        iface.linkmtu,
        iface.mtu,
        iface.curhlim or iface.node.sysctl["net.inet6.ip6.hlim"],
        iface.basereachable,
        iface.reachable or iface.basereachable // 1000,
        iface.retrans,
        flags,
    )


def sas(node: Node) -> tuple[SaRow, ...]:
    """Security associations in the order of ``setkey -D``."""
    return tuple(sa_rows(node.keys, node.text))


def policies(node: Node) -> tuple[PolicyRow, ...]:
    """Security policies in the order of ``setkey -DP``."""
    return tuple(policy_rows(node.keys, node.text))


TABLES: dict[str, Callable[[Node], tuple[Any, ...]]] = {
    "interfaces": interfaces,
    "addresses": addresses,
    "neighbors": neighbors,
    "prefixes": prefixes,
    "routers": routers,
    "routes": routes,
    "groups": groups,
    "sockets": sockets,
    "ndinterfaces": ndinterfaces,
    "tcp": tcp_table.rows,
    "addrctlpolicy": in6_addrsel.rows,
    "in6_ifstat": in6_ifstat.rows,
    "reassembly": in6_ifstat.reassembly,
    "sas": sas,
    "policies": policies,
}
"""Tables by name."""


def rows(node: Node, table: str) -> tuple[Any, ...]:
    """The rows of a table; EINVAL for a name that is none."""
    reader = TABLES.get(table)
    if reader is None:
        raise Errno(EINVAL, table)
    return reader(node)
