"""Routing sockets: what the kernel tells those who listen of routes, addresses and interfaces (BSD rtsock.c).

A socket of kind ``route`` hears every change of the routing table, whoever made it: advertisements, redirects, path
MTU discovery, expiry and the programs' own requests, the refused ones too, each marked with the asking process. RFC
3542 has no part in it. Messages are plain rows; addresses in them are text with ``%zone`` (KAME IMPLEMENTATION 1.3.3
(2001) has the embedded form there, which no user should see). A full buffer loses messages, as in BSD. Neighbour
cache entries are no messages here: BSD, too, is silent about routes that it clones. Left out: RTM_RESOLVE and RTM_LOCK
as commands, and writing to the socket (`kamelab.stack.ioctl.route` takes the requests).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from kamelab.stack.netinet6.scope6 import text
from kamelab.wire import ether, in6

if TYPE_CHECKING:
    from kamelab.stack.interface import Address, Interface
    from kamelab.stack.net.route import Route
    from kamelab.stack.node import Node
    from kamelab.stack.socket.message import Message

MESSAGE_COST = 64
"""What each queued message counts towards the buffer."""

_SIZES = {"RTM_NEWADDR": 20, "RTM_DELADDR": 20, "RTM_IFINFO": 96}
"""Octets of the headers that are not 92 (32-bit BSD: ifa_msghdr, if_msghdr, rt_msghdr)."""
_SOCKADDR_IN6 = 28
_SOCKADDR_DL = 20


class RouteMessage(NamedTuple):
    """One message of a routing socket."""

    kind: str
    """RTM_ADD RTM_DELETE RTM_CHANGE RTM_GET RTM_LOSING RTM_REDIRECT RTM_MISS RTM_NEWADDR RTM_DELADDR RTM_IFINFO"""
    size: int
    """Octets that it has on a 32-bit BSD."""
    time: int
    """ns since boot."""
    flags: str
    """Letters of ``netstat -r``; of an interface the number of ``ifconfig``, in hexadecimal."""
    addresses: tuple[tuple[str, str], ...] = ()
    """(DST GATEWAY NETMASK IFP IFA, its text) in BSD's order."""
    ifindex: int = 0
    """Of the interface; 0: none."""
    pid: int = 0
    """The process that asked; 0: the kernel itself."""
    seq: int = 0
    errno: int = 0
    """Why it was refused; 0: it was done."""
    metrics: tuple[tuple[str, int], ...] = ()
    """(mtu, expire ..., value) that were set."""
    locks: tuple[str, ...] = ()
    data: bytes = b""
    """Always empty: what the message is, is above."""


def announce(node: Node, message: RouteMessage) -> None:
    """Hand a message to every routing socket that has room."""
    for sid in node.route_sockets:
        so = node.sockets[sid]
        if so.octets + MESSAGE_COST > so.rcvbuf:
            continue
        cast("Any", so.queue).append(message)
        so.octets += MESSAGE_COST
        node.wakeup(sid)


def receive(node: Node, sid: int) -> Message | None:
    """The next message of a routing socket; None where there is none yet."""
    so = node.sockets[sid]
    if not so.queue:
        return None
    so.octets -= MESSAGE_COST
    return so.queue.popleft()


def route_changed(node: Node, kind: str, route: Route) -> None:
    """A route was added, changed or deleted. ``kind`` is the message's name."""
    if not node.route_sockets:
        return
    pid, seq = node.routes.author
    metrics = [("mtu", route.mtu)] if route.mtu else []
    if route.expire:
        metrics.append(("expire", route.expire))
    metrics += sorted(route.metrics.items())
    message = _message(
        node,
        kind,
        route.flags + ("d" if pid else ""),
        _names(node, route.dst, route.plen, gateway_text(node, route)),
        ifindex=route.iface.index,
        pid=pid,
        seq=seq,
        metrics=tuple(metrics),
        locks=route.locks,
    )
    announce(node, message)


def refused(node: Node, kind: str, dst: bytes, plen: int, gateway: bytes | None, number: int) -> None:
    """A program's request that was not carried out is told to all, with the reason (BSD route_output)."""
    if not node.route_sockets:
        return
    pid, seq = node.routes.author
    names = _names(node, dst, plen, text(node, gateway) if gateway is not None else "")
    flags = "U" + ("G" if gateway is not None else "") + ("H" if plen == 128 else "") + "S"
    announce(node, _message(node, kind, flags, names, pid=pid, seq=seq, errno=number))


def missing(node: Node, dst: bytes) -> None:
    """A packet found no route (BSD rt_missmsg)."""
    if node.route_sockets:
        announce(node, _message(node, "RTM_MISS", "", (("DST", text(node, dst)),)))


def losing(node: Node, dst: bytes) -> None:
    """TCP has sent in vain for long: the way to ``dst`` may be dead (BSD in_pcb.c in_losing)."""
    if not node.route_sockets:
        return
    route = node.routes.lookup(dst)
    if route is not None:
        route_changed(node, "RTM_LOSING", route)


def addresses_changed(node: Node, before: dict[bytes, tuple[Interface, Address]]) -> None:
    """Some own addresses went, others came since ``before`` (BSD rt_newaddrmsg)."""
    if not node.route_sockets:
        return
    for kind, old, new in (("RTM_DELADDR", node.own, before), ("RTM_NEWADDR", before, node.own)):
        for addr, (iface, address) in new.items():
            if addr in old and old[addr][0] is iface:
                continue
            names = (
                ("NETMASK", _mask(address.plen)),
                ("IFP", _link(iface)),
                ("IFA", text(node, addr)),
            )
            announce(node, _message(node, kind, "", names, ifindex=iface.index))


def interface_changed(node: Node, iface: Interface) -> None:
    """An interface came up or went down, or its carrier did (BSD rt_ifmsg)."""
    if node.route_sockets:
        announce(node, _message(node, "RTM_IFINFO", f"{iface.flag_bits():x}", (), ifindex=iface.index))


def _message(node: Node, kind: str, flags: str, names: tuple[tuple[str, str], ...], **others: Any) -> RouteMessage:
    size = _SIZES.get(kind, 92)
    for name, shown in names:
        size += _SOCKADDR_DL if name == "IFP" or shown.startswith("link#") else _SOCKADDR_IN6
    return RouteMessage(kind, size, node.clock.now, flags, names, **others)


def _names(node: Node, dst: bytes, plen: int, gateway: str) -> tuple[tuple[str, str], ...]:
    names = [("DST", "default" if plen == 0 else text(node, dst))]
    if gateway:
        names.append(("GATEWAY", gateway))
    if plen < 128:
        names.append(("NETMASK", _mask(plen)))
    return tuple(names)


def _mask(plen: int) -> str:
    return "default" if plen == 0 else in6.ntop(in6.mask(b"\xff" * 16, plen))


def _link(iface: Interface) -> str:
    return f"{iface.name}:{ether.mac_ntop(iface.mac)}" if iface.mac else iface.name


def gateway_text(node: Node, route: Route) -> str:
    """A route's gateway as people see it: address, ``link#1``, or the MAC of an own address's interface."""
    if route.own and route.dst != in6.LOOPBACK:
        own = node.own.get(route.dst)
        if own is not None and own[0].mac:
            return ether.mac_ntop(own[0].mac)
        return f"link#{own[0].index if own else route.iface.index}"
    if route.gateway is not None:
        return text(node, route.gateway)
    return f"link#{route.iface.index}"
