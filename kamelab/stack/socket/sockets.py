"""Sockets: creation, names, options, sending and receiving (RFC 3493, RFC 3542; BSD uipc_socket.c, KAME in6_pcb.c).

UDP and raw sockets over IPv6. TCP, the IPv4 half and ancillary data beyond packet info and hop limit come later.
State is plain values; a process is known by its number alone.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EBADF,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOPROTOOPT,
    ENOTCONN,
    ENXIO,
    EPROTONOSUPPORT,
    Errno,
)
from kamelab.stack.netinet6 import in6_src, ip6_output, mld6, nd6
from kamelab.stack.netinet6.scope6 import in6_setscope, is_scoped, sa6_embedscope, sa6_recoverscope, zone_of
from kamelab.stack.packet import Action, Output
from kamelab.stack.socket.message import Message
from kamelab.wire import in6, udp
from kamelab.wire.ip6 import IPPROTO_ICMPV6, IPPROTO_UDP

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

RCVBUF = 41600
"""Octets a receive buffer holds by default (BSD udp_recvspace)."""
MESSAGE_COST = 64
"""What each queued message counts besides its data."""


class Socket:
    """One socket. Addresses carry embedded zones; None is the wildcard."""

    __slots__ = (
        "error",
        "faddr",
        "filter",
        "fport",
        "groups",
        "kind",
        "laddr",
        "lport",
        "octets",
        "options",
        "pid",
        "proto",
        "queue",
        "rcvbuf",
        "sid",
    )

    def __init__(self, sid: int, pid: int, kind: str, proto: int) -> None:
        self.sid = sid
        self.pid = pid
        self.kind = kind
        self.proto = proto
        self.laddr: bytes | None = None
        self.lport = 0
        self.faddr: bytes | None = None
        self.fport = 0
        self.filter: frozenset[int] | None = None
        """ICMPv6 types that pass; None: all."""
        self.groups: list[tuple[bytes, int]] = []
        """Memberships: embedded group, interface index."""
        self.options: dict[str, Any] = {}
        self.queue: deque[Message] = deque()
        self.octets = 0
        self.rcvbuf = RCVBUF
        self.error = 0

    def hears(self, group: bytes, iface: Interface) -> bool:
        """This socket has joined ``group`` on ``iface``."""
        return (group, iface.index) in self.groups


def append(node: Node, so: Socket, message: Message) -> bool:
    """Queue a message and wake who waits; False when the buffer is full (BSD sbappendaddr).

    A full raw socket is counted here; UDP's counter is fed by its drop reason.
    """
    cost = len(message.data) + MESSAGE_COST
    if so.octets + cost > so.rcvbuf:
        if so.kind == "raw6":
            node.stat["rip6.fullsock"] += 1
        return False
    so.queue.append(message)
    so.octets += cost
    node.wakeup(so.sid)
    return True


def lookup(node: Node, sid: int) -> Socket:
    """The socket of that number; EBADF where there is none."""
    so = node.sockets.get(sid)
    if so is None:
        raise Errno(EBADF)
    return so


def create(node: Node, pid: int, kind: str, proto: int) -> int:
    """socket(2): ``udp6`` or ``raw6``; the socket's number."""
    if kind not in ("udp6", "raw6"):
        raise Errno(EPROTONOSUPPORT if kind.endswith("6") else EAFNOSUPPORT)
    node.last_socket += 1
    sid = node.last_socket
    node.sockets[sid] = Socket(sid, pid, kind, proto or (IPPROTO_UDP if kind == "udp6" else 0))
    if kind == "raw6":
        node.raw_sockets.append(sid)
    return sid


def close(node: Node, sid: int) -> list[Action]:
    """close(2): ports and memberships are given back."""
    so = lookup(node, sid)
    actions: list[Action] = []
    for group, index in so.groups:
        iface = node.interfaces_by_index.get(index)
        if iface is not None:
            actions += mld6.in6_delmulti(node, iface, group)
    _unbind(node, so)
    if so.kind == "raw6":
        node.raw_sockets.remove(sid)
    del node.sockets[sid]
    return actions


def _unbind(node: Node, so: Socket) -> None:
    holders = node.udp_ports.get(so.lport)
    if so.kind == "udp6" and holders and so.sid in holders:
        holders.remove(so.sid)
        if not holders:
            del node.udp_ports[so.lport]
    so.lport = 0


def bind(node: Node, sid: int, addr: bytes, port: int, zone: int) -> None:
    """bind(2). EINVAL: bound already; EADDRNOTAVAIL: not an address of this node; EADDRINUSE: the port is taken."""
    so = lookup(node, sid)
    if so.lport or so.laddr is not None:
        raise Errno(EINVAL)
    laddr: bytes | None = None
    if addr != in6.UNSPECIFIED:
        laddr = sa6_embedscope(node, addr, zone)
        if addr[0] != 0xFF:
            own = node.own_address(laddr)
            if own is None or own[1].anycast or not own[1].usable:
                raise Errno(EADDRNOTAVAIL)
    if so.kind == "udp6":
        if port:
            for other_sid in node.udp_ports.get(port, ()):
                other = node.sockets[other_sid]
                if other.laddr == laddr and not (so.options.get("SO_REUSEPORT") and other.options.get("SO_REUSEPORT")):
                    raise Errno(EADDRINUSE)
        _take_port(node, so, port)
    so.laddr = laddr


def _take_port(node: Node, so: Socket, port: int) -> None:
    """Give the socket ``port``, or an anonymous one for 0 (BSD in6_pcbsetport)."""
    if not port:
        low, high = sorted((node.sysctl["net.inet6.ip6.anonportmin"], node.sysctl["net.inet6.ip6.anonportmax"]))
        count = high - low + 1
        start = node.streams.below(f"{node.name}/port", count)
        for step in range(count):
            port = low + (start + step) % count
            if port not in node.udp_ports:
                break
        else:
            raise Errno(EADDRNOTAVAIL)
    so.lport = port
    node.udp_ports.setdefault(port, []).append(so.sid)


def _destination(node: Node, so: Socket, addr: bytes, zone: int, ifindex: int) -> bytes:
    """A program's destination in kernel form, an ambiguous zone filled in from the interface that is asked for."""
    dst = sa6_embedscope(node, addr, zone)
    if is_scoped(dst) and not zone_of(dst):
        if not ifindex and addr[0] == 0xFF:
            ifindex = int(so.options.get("IPV6_MULTICAST_IF", 0))
        if not ifindex and so.laddr is not None:
            ifindex = zone_of(so.laddr)
        iface = node.interfaces_by_index.get(ifindex)
        if iface is not None:
            dst = in6_setscope(dst[:2] + b"\0\0" + dst[4:], iface) or dst
    return dst


def connect(node: Node, sid: int, addr: bytes, port: int, zone: int) -> None:
    """connect(2) on a datagram socket: fixes the peer, and the source address that would be chosen.

    EHOSTUNREACH: no route; EADDRNOTAVAIL: no source address, or port 0.
    """
    so = lookup(node, sid)
    if so.kind == "udp6" and not port:
        raise Errno(EADDRNOTAVAIL)
    dst = _destination(node, so, addr, zone, 0)
    oif = node.outgoing(dst, _forced(node, so, dst, None))
    if so.laddr is None:
        source = in6_src.in6_selectsrc(node, dst, oif)
        if source is None:
            node.stat["ip6.sources_none"] += 1
            raise Errno(EADDRNOTAVAIL)
        so.laddr = source.addr
    if so.kind == "udp6" and not so.lport:
        _take_port(node, so, 0)
    so.faddr, so.fport = dst, port


def getsockname(node: Node, sid: int) -> tuple[bytes, int, int]:
    """getsockname(2): (address, port, scope id)."""
    so = lookup(node, sid)
    addr, zone = sa6_recoverscope(so.laddr or in6.UNSPECIFIED)
    return addr, so.lport, zone


def _forced(node: Node, so: Socket, dst: bytes, pktinfo: tuple[bytes | None, int] | None) -> Interface | None:
    """The outgoing interface that ancillary data, options or the destination's zone ask for."""
    sticky = so.options.get("IPV6_PKTINFO")
    index = (pktinfo[1] if pktinfo else 0) or (sticky[1] if sticky else 0) or zone_of(dst)
    if not index and dst[0] == 0xFF:
        index = int(so.options.get("IPV6_MULTICAST_IF", 0))
    if not index:
        return None
    iface = node.interfaces_by_index.get(index)
    if iface is None:
        raise Errno(ENXIO)
    return iface


def sendmsg(
    node: Node,
    sid: int,
    data: bytes,
    addr: bytes | None,
    port: int,
    zone: int,
    pktinfo: tuple[bytes | None, int] | None,
    hoplimit: int | None,
) -> Output:
    """The packet that sendmsg(2) asks for; the caller sends it and turns ``Output.errno`` into the call's result."""
    so = lookup(node, sid)
    if addr is None:
        if so.faddr is None:
            raise Errno(ENOTCONN)
        dst, port = so.faddr, so.fport
    else:
        if so.faddr is not None and so.kind == "udp6":
            raise Errno(EISCONN)
        if so.kind == "udp6" and not port:
            raise Errno(EADDRNOTAVAIL)
        dst = _destination(node, so, addr, zone, pktinfo[1] if pktinfo else 0)
    oif = _forced(node, so, dst, pktinfo)
    src = so.laddr
    wanted = (pktinfo[0] if pktinfo else None) or (so.options.get("IPV6_PKTINFO") or (None, 0))[0]
    if wanted is not None and wanted != in6.UNSPECIFIED:
        src = wanted
        if is_scoped(wanted) and oif is not None:
            src = in6_setscope(wanted, oif) or wanted
        own = node.own_address(src)
        if own is None or own[1].anycast or not own[1].usable:
            raise Errno(EADDRNOTAVAIL)
    if src is not None and src[0] == 0xFF:
        src = None
    multicast = dst[0] == 0xFF
    if hoplimit is None:
        option = so.options.get("IPV6_MULTICAST_HOPS" if multicast else "IPV6_UNICAST_HOPS", -1)
        hlim = int(option) if option >= 0 else 0
    else:
        hlim = hoplimit if hoplimit >= 0 else 0
    if len(data) > 65535:
        raise Errno(EMSGSIZE)
    if so.kind == "udp6":
        if not so.lport:
            _take_port(node, so, 0)
        if len(data) > 65527:
            raise Errno(EMSGSIZE)
        payload = udp.build(in6.UNSPECIFIED, in6.UNSPECIFIED, so.lport, port, data)
        out = Output("udp6_output", dst, IPPROTO_UDP, payload[:6] + b"\0\0" + payload[8:], cksum=6)
        node.stat["udp6.opackets"] += 1
    else:
        cksum = -1
        payload = data
        if so.proto == IPPROTO_ICMPV6:
            if len(data) < 4:
                raise Errno(EINVAL)
            cksum = 2
            payload = data[:2] + b"\0\0" + data[4:]
        out = Output("rip6_output", dst, so.proto, payload, cksum=cksum)
        node.stat["rip6.opackets"] += 1
    out.src = src
    out.hlim = hlim
    out.oif = oif
    out.socket = sid
    out.loop = bool(so.options.get("IPV6_MULTICAST_LOOP", True))
    out.dontfrag = bool(so.options.get("IPV6_DONTFRAG", False))
    minmtu = int(so.options.get("IPV6_USE_MIN_MTU", -1))
    out.minmtu = minmtu == 1 or (minmtu == -1 and multicast)
    out.tclass = max(0, int(so.options.get("IPV6_TCLASS", 0)))
    return out


def reachconf(node: Node, so: Socket, out: Output) -> None:
    """IPV6_REACHCONF: the program has heard from the peer lately, so the next hop towards it works (RFC 2292 6).

    Only while the neighbour is known, and only ``nd6_maxnudhint`` times in a row (`nd6.nd6_nud_hint`).
    """
    if out.dst[0] == 0xFF or not so.options.get("IPV6_REACHCONF"):
        return
    try:
        iface, nexthop, _ = ip6_output.outgoing(node, out.dst, out.oif)
    except Errno:
        return
    nd6.nd6_nud_hint(node, iface, nexthop)


def recvmsg(node: Node, sid: int) -> Message | None:
    """The next message; None where there is none yet. A pending error is raised once."""
    so = lookup(node, sid)
    if so.error:
        number, so.error = so.error, 0
        raise Errno(number)
    if not so.queue:
        return None
    message = so.queue.popleft()
    so.octets -= len(message.data) + MESSAGE_COST
    return message


def readable(node: Node, sid: int) -> bool:
    """Something to receive, or an error to report."""
    so = lookup(node, sid)
    return bool(so.queue) or bool(so.error)


_NUMBERS = frozenset(
    {"IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS", "IPV6_USE_MIN_MTU", "IPV6_TCLASS", "SO_SNDBUF", "IPV6_MULTICAST_IF"}
)
_FLAGS = frozenset(
    {
        "IPV6_MULTICAST_LOOP",
        "IPV6_DONTFRAG",
        "IPV6_REACHCONF",
        "IPV6_V6ONLY",
        "IPV6_RECVPKTINFO",
        "IPV6_RECVHOPLIMIT",
        "IPV6_RECVTCLASS",
        "SO_REUSEPORT",
        "SO_REUSEADDR",
        "SO_DEBUG",
    }
)


def setsockopt(node: Node, sid: int, name: str, value: Any) -> list[Action]:
    """setsockopt(2) by the option's name. ENOPROTOOPT: unknown; EINVAL: out of range; ENXIO: no such interface."""
    so = lookup(node, sid)
    if name in ("IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP"):
        return _membership(node, so, value[0], value[1], name == "IPV6_JOIN_GROUP")
    if name in _NUMBERS:
        number = int(value)
        if name in ("IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS", "IPV6_TCLASS") and not -1 <= number <= 255:
            raise Errno(EINVAL)
        if name == "IPV6_MULTICAST_IF" and number:
            through = node.interfaces_by_index.get(number)
            if through is None or not through.multicast:
                raise Errno(ENXIO)
        so.options[name] = number
    elif name in _FLAGS:
        so.options[name] = bool(value)
    elif name == "SO_RCVBUF":
        if int(value) <= 0:
            raise Errno(EINVAL)
        so.rcvbuf = int(value)
    elif name == "ICMP6_FILTER":
        so.filter = frozenset(value)
    elif name == "IPV6_PKTINFO":
        if value[1] and value[1] not in node.interfaces_by_index:
            raise Errno(ENXIO)
        so.options[name] = (value[0], value[1])
    else:
        raise Errno(ENOPROTOOPT)
    return []


def _membership(node: Node, so: Socket, group: bytes, ifindex: int, join: bool) -> list[Action]:
    """IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP (RFC 3493 5.2)."""
    if group[0] != 0xFF:
        raise Errno(EINVAL)
    if not ifindex:
        dst = group
        ifindex = node.outgoing(dst, None).index
    iface = node.interfaces_by_index.get(ifindex)
    if iface is None:
        raise Errno(ENXIO)
    embedded = in6_setscope(group, iface) or group
    member = (embedded, ifindex)
    if join:
        if not iface.multicast:
            raise Errno(EADDRNOTAVAIL)
        if member in so.groups:
            raise Errno(EADDRINUSE)
        so.groups.append(member)
        return mld6.in6_addmulti(node, iface, embedded)
    if member not in so.groups:
        raise Errno(EADDRNOTAVAIL)
    so.groups.remove(member)
    return mld6.in6_delmulti(node, iface, embedded)
