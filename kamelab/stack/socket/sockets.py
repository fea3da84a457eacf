"""Sockets: creation, names, connecting, sending and receiving (RFC 3493, RFC 3542; BSD uipc_socket.c, KAME in6_pcb.c).

UDP and raw sockets over IPv6 in full; IPv4 sockets for their ports alone (`ports`); streams are in `stream`. Options
are in `options`, ancillary data in `ancillary`, what platforms differ in is in `profiles`. State is plain values; a
process is known by its number alone.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EBADF,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENETUNREACH,
    ENOTCONN,
    ENXIO,
    EOPNOTSUPP,
    EPROTONOSUPPORT,
    Errno,
)
from kamelab.stack.netinet6 import in6_src, ip6_output, mld6
from kamelab.stack.netinet6.scope6 import (
    in6_clearscope,
    in6_setscope,
    is_scoped,
    sa6_embedscope,
    sa6_recoverscope,
    zone_of,
)
from kamelab.stack.packet import Action, Output, Packet
from kamelab.stack.socket import ancillary, ports, profiles
from kamelab.stack.socket.message import Message
from kamelab.wire import in6, udp
from kamelab.wire.ip6 import IPPROTO_ICMPV6, IPPROTO_UDP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamelab.stack.interface import Interface
    from kamelab.stack.netinet.tcp_var import Tcb
    from kamelab.stack.netipsec.spd import SocketPolicy
    from kamelab.stack.node import Node
    from kamelab.stack.state import Filter

RCVBUF: Final = 41600
"""Octets a receive buffer holds by default; UDP asks net.inet.udp.recvspace (BSD udp_recvspace)."""
SNDBUF: Final = 9216
"""The longest message sent by default, octets; UDP asks net.inet.udp.maxdgram (BSD udp_sendspace)."""
MESSAGE_COST: Final = 64
"""What each queued message counts besides its data."""
KINDS: Final = {
    "udp6": IPPROTO_UDP, "raw6": 0, "tcp6": 6, "udp4": IPPROTO_UDP, "tcp4": 6, "bpf": 0, "route": 0, "key": 0
}  # fmt: skip
"""Kinds of sockets with their protocols; 0: the caller's."""


class Socket:
    """One socket. Addresses carry embedded zones; None is the wildcard."""

    __slots__ = (
        "error",
        "faddr",
        "filter",
        "flow",
        "fport",
        "groups",
        "kind",
        "laddr",
        "lport",
        "octets",
        "options",
        "pathmtu",
        "pid",
        "policy",
        "proto",
        "queue",
        "rcvbuf",
        "receive",
        "sid",
        "sndbuf",
        "sticky",
        "tcb",
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
        self.flow = 0
        """Traffic class and flow label of a connected socket's packets, 28 bits."""
        self.filter: frozenset[int] | None = None
        """ICMPv6 types that pass; None: all."""
        self.groups: dict[tuple[bytes, int], Filter] = {}
        """Memberships: (embedded group, interface index), and whose packets are wanted."""
        self.options: dict[str, Any] = {}
        self.receive: tuple[str, ...] = ()
        """Those of `ancillary.RECEIVED` that are on."""
        self.pathmtu: tuple[bytes, int] | None = None
        """A path MTU that the program is still to be told of: embedded destination, octets."""
        self.queue: deque[Message] = deque()
        self.sticky = False
        """An option is set that shows in the packets it sends (`sockets.dress`)."""
        self.octets = 0
        self.rcvbuf = RCVBUF
        self.sndbuf = SNDBUF
        self.error = 0
        self.policy: SocketPolicy | None = None
        """Its own IPsec policies (IPV6_IPSEC_POLICY)."""
        self.tcb: Tcb | None = None
        """The control block of a TCP socket."""

    def hears(self, group: bytes, iface: Interface, source: bytes | None = None) -> bool:
        """This socket has joined ``group`` on ``iface``, and wants what ``source`` sends there."""
        wanted = self.groups.get((group, iface.index))
        return wanted is not None and (source is None or wanted.passes(in6_clearscope(source)))


def append(node: Node, so: Socket, message: Message, pkt: Packet | None = None) -> bool:
    """Queue a message and wake who waits; False when the buffer is full (BSD sbappendaddr).

    With ``pkt``, the packet that it came in, the ancillary data that the socket asked for is added.

    A full raw socket is counted here; UDP's counter is fed by its drop reason.
    """
    cost = len(message.data) + MESSAGE_COST
    if so.octets + cost > so.rcvbuf:
        if so.kind == "raw6":
            node.stat["rip6.fullsock"] += 1
        return False
    if so.receive and pkt is not None:
        message = message._replace(control=ancillary.savecontrol(so, pkt))
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
    """socket(2): one of `KINDS`; the socket's number. EPROTONOSUPPORT, EAFNOSUPPORT: of no such kind."""
    if kind not in KINDS:
        raise Errno(EPROTONOSUPPORT if kind[-1:] in ("6", "4") else EAFNOSUPPORT)
    node.last_socket += 1
    sid = node.last_socket
    so = node.sockets[sid] = Socket(sid, pid, kind, KINDS[kind] or proto)
    if kind == "bpf":
        so.rcvbuf = 0x80000  # BSD bpf_maxbufsize
    if kind == "raw6":
        node.raw_sockets.append(sid)
    if kind == "udp6":
        so.rcvbuf, so.sndbuf = node.sysctl["net.inet.udp.recvspace"], node.sysctl["net.inet.udp.maxdgram"]
    if kind in ("udp6", "tcp6"):
        # Copied once: later changes of the variables don't touch sockets that are open (1.12.3).
        so.options["IPV6_V6ONLY"] = bool(node.sysctl[profiles.V6ONLY])
        so.options["IPV6_AUTOFLOWLABEL"] = bool(node.sysctl["net.inet6.ip6.auto_flowlabel"])
    return sid


def close(node: Node, sid: int) -> list[Action]:
    """close(2): ports and memberships are given back."""
    so = lookup(node, sid)
    actions: list[Action] = []
    for (group, index), wanted in so.groups.items():
        iface = node.interfaces_by_index.get(index)
        if iface is not None:
            actions += mld6.in6_modmulti(node, iface, group, wanted, None)
    ports.give_back(node, so)
    if so.kind == "raw6":
        node.raw_sockets.remove(sid)
    del node.sockets[sid]
    return actions


def bind(node: Node, sid: int, addr: bytes, port: int, zone: int) -> None:
    """bind(2). EINVAL: bound already; EADDRNOTAVAIL: not an address of this node; EADDRINUSE: the port is taken."""
    so = lookup(node, sid)
    if so.lport or so.laddr is not None:
        raise Errno(EINVAL)
    laddr = ports.local_address(node, so, addr, zone)
    if ports.has_ports(so):
        ports.bind_port(node, so, laddr, port)
    else:
        so.laddr = laddr


def destination(node: Node, so: Socket, addr: bytes, zone: int, ifindex: int) -> bytes:
    """A program's destination in kernel form, an ambiguous zone filled in from the interface that is asked for.

    The unspecified address means this node itself (BSD in6_pcbladdr).
    EINVAL: an IPv4-mapped address where the platform or IPV6_V6ONLY refuses it, or on a socket with an IPv6 name.
    ENETUNREACH: an IPv4 address, there being no IPv4 yet. EAFNOSUPPORT: of another family. ENXIO: no such zone.
    """
    if so.kind in ("bpf", "key"):
        raise Errno(EAFNOSUPPORT)
    if so.kind.endswith("4"):
        raise Errno(ENETUNREACH if len(addr) == 4 else EAFNOSUPPORT)
    if len(addr) != 16:
        raise Errno(EAFNOSUPPORT)
    if addr == in6.UNSPECIFIED:
        addr = in6.LOOPBACK
    if ports.is_mapped(addr):
        refused = profiles.of(node).initiating != "supported" or so.options.get("IPV6_V6ONLY", True)
        named = so.laddr is not None and not ports.is_mapped(so.laddr)
        raise Errno(EINVAL if refused or named else ENETUNREACH)
    if so.laddr is not None and ports.is_mapped(so.laddr):
        raise Errno(EINVAL)
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


def connect(node: Node, sid: int, addr: bytes | None, port: int, zone: int, flowinfo: int = 0) -> None:
    """connect(2) on a datagram socket: fixes the peer, and the source address that would be chosen.

    ``addr`` None dissolves the association (AF_UNSPEC), as connecting anew does first. ``flowinfo`` is sin6_flowinfo,
    traffic class and flow label. EHOSTUNREACH: no route; EADDRNOTAVAIL: no source address, or port 0; EADDRINUSE: that
    pair of names exists; EINVAL: a flowinfo of more than 28 bits.
    """
    so = lookup(node, sid)
    if ports.is_stream(so):
        raise Errno(ENETUNREACH if so.kind == "tcp4" else EOPNOTSUPP)
    if so.faddr is not None:
        disconnect(so)
    if addr is None:
        return
    if not 0 <= flowinfo <= ancillary.FLOWINFO_MASK:
        raise Errno(EINVAL)
    if so.kind == "udp6" and not port:
        raise Errno(EADDRNOTAVAIL)
    dst = destination(node, so, addr, zone, 0)
    oif = node.outgoing(dst, forced(node, dst, so.options))
    laddr = so.laddr if so.laddr is not None else source(node, so, dst, oif)
    if so.kind == "udp6":
        if so.lport:
            if ports.connected(node, so, laddr, dst, port):
                raise Errno(EADDRINUSE)
        else:
            ports.take(node, so, 0)
        so.flow = choose_flow(node, so, flowinfo)
    so.laddr, so.faddr, so.fport = laddr, dst, port


def source(node: Node, so: Socket, dst: bytes, oif: Interface) -> bytes:
    """The source address for ``dst`` by the socket's options; EADDRNOTAVAIL where there is none."""
    chosen = in6_src.in6_selectsrc(node, dst, oif, so.options.get("IPV6_PREFER_TEMPADDR", -1))
    if chosen is None:
        node.stat["ip6.sources_none"] += 1
        raise Errno(EADDRNOTAVAIL)
    return chosen.addr


def choose_flow(node: Node, so: Socket, flowinfo: int) -> int:
    """The flowinfo of a connection: the caller's label, else a random one where IPV6_AUTOFLOWLABEL says so.

    draft-itojun-ipv6-flowlabel-api; KAME in6_pcbconnect.
    """
    if not flowinfo & ancillary.FLOWLABEL_MASK and so.options.get("IPV6_AUTOFLOWLABEL"):
        flowinfo |= 1 + node.streams.below(f"{node.name}/flow", ancillary.FLOWLABEL_MASK)
    return flowinfo


def disconnect(so: Socket) -> None:
    """No peer any more; the port stays, the address goes (KAME udp6_disconnect)."""
    so.faddr, so.fport, so.flow = None, 0, 0
    so.laddr = None


def getsockname(node: Node, sid: int) -> tuple[bytes, int, int]:
    """getsockname(2): (address, port, scope id)."""
    so = lookup(node, sid)
    if so.kind.endswith("4"):
        return so.laddr or bytes(4), so.lport, 0
    addr, zone = sa6_recoverscope(so.laddr or in6.UNSPECIFIED)
    return addr, so.lport, zone


def getpeername(node: Node, sid: int) -> tuple[bytes, int, int]:
    """getpeername(2): (address, port, scope id). ENOTCONN."""
    so = lookup(node, sid)
    if so.faddr is None:
        raise Errno(ENOTCONN)
    addr, zone = sa6_recoverscope(so.faddr)
    return addr, so.fport, zone


def forced(node: Node, dst: bytes, settings: Mapping[str, Any]) -> Interface | None:
    """The outgoing interface that ancillary data, options or the destination's zone ask for; ENXIO."""
    info = settings.get("IPV6_PKTINFO")
    index = (info[1] if info else 0) or zone_of(dst)
    if not index and dst[0] == 0xFF:
        index = int(settings.get("IPV6_MULTICAST_IF", 0))
    if not index:
        return None
    iface = node.interfaces_by_index.get(index)
    if iface is None:
        raise Errno(ENXIO)
    return iface


def sendmsg(
    node: Node, sid: int, data: bytes, addr: bytes | None, port: int, zone: int, control: ancillary.Control
) -> tuple[Output, Mapping[str, Any]]:
    """The packet that sendmsg(2) asks for, and the settings it was made by.

    The caller sends it and turns ``Output.errno`` into the call's result. EMSGSIZE: longer than the send buffer, or
    than a datagram can be. ENOTCONN, EISCONN: with or without a destination at the wrong time; and the errors of
    `destination`, `ancillary.check` and `source`.
    """
    so = lookup(node, sid)
    if so.error:
        number, so.error = so.error, 0
        raise Errno(number)
    if addr is None:
        if so.faddr is None:
            raise Errno(ENOTCONN)
        dst, port = so.faddr, so.fport
    else:
        if so.faddr is not None:
            raise Errno(EISCONN)
        if so.kind == "udp6" and not port:
            raise Errno(EADDRNOTAVAIL)
        dst = addr
    if len(data) > so.sndbuf:
        raise Errno(EMSGSIZE)
    settings = ancillary.merge(node, so, control)
    info = settings.get("IPV6_PKTINFO")
    if addr is not None:
        dst = destination(node, so, addr, zone, info[1] if info else 0)
    oif = forced(node, dst, settings)
    src = so.laddr
    if info and info[0] is not None:
        src = _named_source(node, info[0], oif)
    if src is not None and src[0] == 0xFF:
        src = None
    out = _udp_output(node, so, dst, port, data) if so.kind == "udp6" else _rip6_output(so, dst, data)
    out.src = src
    out.hlim = _hop_limit(dst, settings)
    out.oif = oif
    out.socket = sid
    ancillary.fill(so, out, settings)
    node.stat["udp6.opackets" if so.kind == "udp6" else "rip6.opackets"] += 1
    return out, settings


def _hop_limit(dst: bytes, settings: Mapping[str, Any]) -> int:
    hlim = int(settings.get("IPV6_HOPLIMIT", -1))
    if hlim < 0:
        hlim = int(settings.get("IPV6_MULTICAST_HOPS" if dst[0] == 0xFF else "IPV6_UNICAST_HOPS", -1))
    return max(hlim, 0)


def dress(node: Node, so: Socket, out: Output) -> None:
    """Put the socket's sticky options into a segment that the kernel makes for it; needed where ``so.sticky`` is on.

    An interface that has gone is passed over.
    """
    out.hlim = _hop_limit(out.dst, so.options)
    try:
        out.oif = forced(node, out.dst, so.options)
    except Errno:
        out.oif = None
    ancillary.fill(so, out, so.options)


def _named_source(node: Node, addr: bytes, oif: Interface | None) -> bytes:
    """The source address that IPV6_PKTINFO names; EADDRNOTAVAIL where it is not ours to use."""
    src = addr
    if is_scoped(addr) and oif is not None:
        src = in6_setscope(addr, oif) or addr
    own = node.own_address(src)
    if own is None or own[1].anycast or not own[1].usable:
        raise Errno(EADDRNOTAVAIL)
    return src


def _udp_output(node: Node, so: Socket, dst: bytes, port: int, data: bytes) -> Output:
    if len(data) > 65527:
        raise Errno(EMSGSIZE)
    if not so.lport:
        ports.take(node, so, 0)
    payload = udp.build(in6.UNSPECIFIED, in6.UNSPECIFIED, so.lport, port, data)
    return Output("udp6_output", dst, IPPROTO_UDP, payload[:6] + b"\0\0" + payload[8:], cksum=6)


def _rip6_output(so: Socket, dst: bytes, data: bytes) -> Output:
    """EINVAL: too short for its checksum (KAME rip6_output). The checksum of ICMPv6 is always the kernel's."""
    if so.kind != "raw6":
        raise Errno(EOPNOTSUPP)
    cksum = 2 if so.proto == IPPROTO_ICMPV6 else int(so.options.get("IPV6_CHECKSUM", -1))
    if cksum >= 0:
        if len(data) < max(cksum + 2, 4 if so.proto == IPPROTO_ICMPV6 else 0):
            raise Errno(EINVAL)
        data = data[:cksum] + b"\0\0" + data[cksum + 2 :]
    return Output("rip6_output", dst, so.proto, data, cksum=cksum)


def path_mtu(node: Node, so: Socket) -> int:
    """The path MTU towards the peer of a connected socket, octets; EHOSTUNREACH."""
    assert so.faddr is not None
    return ip6_output.outgoing(node, so.faddr, forced(node, so.faddr, so.options))[2]


def refused(node: Node, out: Output, number: int) -> None:
    """What a sender hears besides the errno: with IPV6_DONTFRAG the path MTU too (RFC 3542 11.2, 11.3)."""
    so = node.sockets[out.socket]
    if number == EMSGSIZE and out.dontfrag and so.options.get("IPV6_RECVPATHMTU"):
        try:
            so.pathmtu = (out.dst, ip6_output.outgoing(node, out.dst, out.oif)[2])
        except Errno:
            # The first hop of a source route is known, its end is not.
            return
        node.wakeup(so.sid)


def recvmsg(node: Node, sid: int) -> Message | None:
    """The next message; None where there is none yet. A pending error is raised once."""
    so = lookup(node, sid)
    if so.error:
        number, so.error = so.error, 0
        raise Errno(number)
    if so.pathmtu is not None:
        return _pathmtu(node, so, *so.pathmtu)
    if not so.queue:
        return None
    message = so.queue.popleft()
    so.octets -= len(message.data) + MESSAGE_COST
    return message


def _pathmtu(node: Node, so: Socket, dst: bytes, mtu: int) -> Message:
    """The empty message that tells of a path MTU (RFC 3542 11.3, KAME ip6_notify_pmtu)."""
    so.pathmtu = None
    addr, zone = sa6_recoverscope(dst)
    control = (("IPV6_PATHMTU", (addr, zone, mtu)),)
    return Message(b"", addr, 0, zone, in6.UNSPECIFIED, 0, 0, 0, node.clock.now, control)


def readable(node: Node, sid: int) -> bool:
    """Something to receive, or an error to report."""
    so = lookup(node, sid)
    return bool(so.queue) or bool(so.error) or so.pathmtu is not None
