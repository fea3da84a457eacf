"""Ports and local addresses of sockets (KAME in6_pcb.c, in6_src.c in6_pcbsetport; BSD in_pcb.c; RFC 3493 3.7, 3.8).

UDP and TCP have a port space for each family, so that both families can take the same wildcard port; where a platform
lets them touch, `profiles` says how (KAME IMPLEMENTATION 1.12 (2001)/(2000)). IPv4 sockets are here for their ports
alone: the only IPv4 addresses of a node are 0.0.0.0 and 127.0.0.1.

Addresses are 16 octets with embedded zone on AF_INET6 sockets, 4 octets on AF_INET sockets, None for the wildcard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, Errno
from kamelab.stack.netinet6.scope6 import sa6_embedscope
from kamelab.stack.socket import profiles
from kamelab.wire import in6
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.node import Node
    from kamelab.stack.socket.sockets import Socket

Space = dict[int, list[int]]
"""Port to the numbers of the sockets that hold it, in order of taking."""

MAPPED: Final = bytes(10) + b"\xff\xff"
"""The first 12 octets of an IPv4-mapped address (RFC 4291 2.5.5.2)."""
LOOPBACK4: Final = b"\x7f\0\0\x01"

PORTRANGE_DEFAULT, PORTRANGE_HIGH, PORTRANGE_LOW = 0, 1, 2
"""Values of IPV6_PORTRANGE (BSD netinet6/in6.h)."""


def is_mapped(addr: bytes) -> bool:
    """``::ffff:a.b.c.d``."""
    return len(addr) == 16 and addr[:12] == MAPPED


def is_stream(so: Socket) -> bool:
    """A TCP socket of either family."""
    return so.kind.startswith("tcp")


def has_ports(so: Socket) -> bool:
    """A socket of a protocol with ports."""
    return so.kind in ("udp6", "tcp6", "udp4", "tcp4")


def _in_ipv4(so: Socket, laddr: bytes | None) -> bool:
    return so.kind.endswith("4") or (laddr is not None and is_mapped(laddr))


def space(node: Node, so: Socket) -> Space:
    """The port space that the socket is in: by protocol, and by family of its local address."""
    return _space(node, is_stream(so), _in_ipv4(so, so.laddr))


def _space(node: Node, stream: bool, ipv4: bool) -> Space:
    if stream:
        return node.tcp4_ports if ipv4 else node.tcp_ports
    return node.udp4_ports if ipv4 else node.udp_ports


def takes_ipv4(node: Node, so: Socket) -> bool:
    """An AF_INET6 socket on the wildcard that would get IPv4 traffic too (1.12: the listening side)."""
    return (
        so.kind in ("udp6", "tcp6")
        and so.laddr is None
        and so.faddr is None
        and not so.options.get("IPV6_V6ONLY")
        and profiles.of(node).listening != "not supported"
    )


def local_address(node: Node, so: Socket, addr: bytes, zone: int) -> bytes | None:
    """The address to bind to in kernel form; None for the wildcard.

    EAFNOSUPPORT: of another family, or a group on a stream socket. EADDRNOTAVAIL: not an own address, or an IPv4-mapped
    one where the platform refuses it. EINVAL: an IPv4-mapped one on a socket for IPv6 only. ENXIO: no such zone.
    """
    if so.kind.endswith("4"):
        if len(addr) != 4:
            raise Errno(EAFNOSUPPORT)
        return _ipv4_address(so, addr)
    if len(addr) != 16:
        raise Errno(EAFNOSUPPORT)
    if addr == in6.UNSPECIFIED:
        return None
    if is_mapped(addr) and has_ports(so):
        if not profiles.of(node).binds_mapped:
            raise Errno(EADDRNOTAVAIL)
        if so.options.get("IPV6_V6ONLY"):
            raise Errno(EINVAL)
        _ipv4_address(so, addr[12:])
        return addr
    laddr = sa6_embedscope(node, addr, zone)
    if addr[0] == 0xFF:
        if is_stream(so):
            raise Errno(EAFNOSUPPORT)
        return laddr
    own = node.own_address(laddr)
    if own is None or own[1].anycast or not own[1].usable:
        raise Errno(EADDRNOTAVAIL)
    return laddr


def _ipv4_address(so: Socket, addr: bytes) -> bytes | None:
    if addr == bytes(4):
        return None
    if addr[0] & 0xF0 == 0xE0:
        if is_stream(so):
            raise Errno(EAFNOSUPPORT)
    elif addr != LOOPBACK4:
        raise Errno(EADDRNOTAVAIL)
    return addr


def bind_port(node: Node, so: Socket, laddr: bytes | None, port: int) -> None:
    """Give the socket its local address and ``port``, or an anonymous port for 0 (KAME in6_pcbbind).

    EADDRINUSE: another socket's, and not to be shared. EADDRNOTAVAIL: no anonymous port is free.
    """
    if port and conflict(node, so, laddr, port):
        raise Errno(EADDRINUSE)
    so.laddr = laddr
    try:
        take(node, so, port)
    except Errno:
        so.laddr = None
        raise


def conflict(node: Node, so: Socket, laddr: bytes | None, port: int) -> bool:
    """Whether ``port`` on ``laddr`` is another's.

    Without SO_REUSEADDR and SO_REUSEPORT a wildcard collides with every address. With one of them only the same
    address does, unless both sockets have SO_REUSEPORT; for a group SO_REUSEADDR does what SO_REUSEPORT does.
    """
    stream, ipv4 = is_stream(so), _in_ipv4(so, laddr)
    exact = bool(so.options.get("SO_REUSEADDR") or so.options.get("SO_REUSEPORT"))
    shared = {"SO_REUSEPORT"} if so.options.get("SO_REUSEPORT") else set()
    if laddr is not None and _is_group(laddr) and so.options.get("SO_REUSEADDR"):
        shared = {"SO_REUSEADDR", "SO_REUSEPORT"}
    addr = _plain(laddr)
    for sid in _space(node, stream, ipv4).get(port, ()):
        if sid != so.sid and _collide(node.sockets[sid], addr, exact, shared):
            return True
    rule = profiles.of(node).ports
    if rule == "apart":
        return False
    if ipv4:
        others = [node.sockets[sid] for sid in _space(node, stream, False).get(port, ())]
        # FreeBSD lets the two wildcards live together: both families may listen on one port.
        apart = rule == "merged" and addr is None and so.kind.endswith("4")
        return not apart and any(takes_ipv4(node, one) and _collide(one, addr, exact, shared) for one in others)
    if rule == "merged" and laddr is None and not so.options.get("IPV6_V6ONLY"):
        others = [node.sockets[sid] for sid in _space(node, stream, True).get(port, ())]
        return any(
            (one.kind == so.kind or _plain(one.laddr) is not None) and _collide(one, None, exact, shared)
            for one in others
        )
    return False


def _collide(other: Socket, addr: bytes | None, exact: bool, shared: set[str]) -> bool:
    theirs = _plain(other.laddr)
    if theirs is not None and addr is not None and theirs != addr:
        return False
    if exact and (other.faddr is not None or theirs != addr):
        return False
    return not any(other.options.get(name) for name in shared)


def _plain(laddr: bytes | None) -> bytes | None:
    """An address as it is compared in its space: IPv4-mapped ones as the IPv4 address inside."""
    if laddr is None or not is_mapped(laddr):
        return laddr
    return laddr[12:] if laddr[12:] != bytes(4) else None


def _is_group(laddr: bytes) -> bool:
    plain = _plain(laddr)
    return plain is not None and (plain[0] & 0xF0 == 0xE0 if len(plain) == 4 else plain[0] == 0xFF)


def connected(node: Node, so: Socket, laddr: bytes | None, faddr: bytes, fport: int) -> bool:
    """Another socket already has this very pair of addresses and ports (KAME in6_pcbconnect: EADDRINUSE)."""
    for sid in space(node, so).get(so.lport, ()):
        other = node.sockets[sid]
        if sid != so.sid and other.faddr == faddr and other.fport == fport and other.laddr == laddr:
            return True
    return False


def take(node: Node, so: Socket, port: int) -> None:
    """Give the socket ``port``, or an anonymous one for 0; EADDRNOTAVAIL where none is free."""
    held = space(node, so)
    so.lport = port or _anonymous(node, so, held)
    held.setdefault(so.lport, []).append(so.sid)


def _anonymous(node: Node, so: Socket, held: Space) -> int:
    """A free port: of the low range from its top down, else of the anonymous range from a random one up."""
    sysctl = node.sysctl
    if so.options.get("IPV6_PORTRANGE") == PORTRANGE_LOW:
        low, high = sorted((sysctl["net.inet6.ip6.lowportmin"], sysctl["net.inet6.ip6.lowportmax"]))
        for port in range(high, low - 1, -1):
            if port not in held:
                return port
        raise Errno(EADDRNOTAVAIL)
    low, high = sorted((sysctl["net.inet6.ip6.anonportmin"], sysctl["net.inet6.ip6.anonportmax"]))
    count = high - low + 1
    start = node.streams.below(f"{node.name}/port", count)
    for step in range(count):
        port = low + (start + step) % count
        if port not in held:
            return port
    raise Errno(EADDRNOTAVAIL)


def give_back(node: Node, so: Socket) -> None:
    """The socket holds no port any more."""
    if so.lport and has_ports(so):
        held = space(node, so)
        holders = held.get(so.lport, [])
        if so.sid in holders:
            holders.remove(so.sid)
            if not holders:
                del held[so.lport]
    so.lport = 0


def family_name(node: Node, so: Socket) -> str:
    """The protocol as netstat(1) names it: ``udp46`` for a socket that hears both families."""
    if so.kind == "raw6":
        return "icm6" if so.proto == IPPROTO_ICMPV6 else "raw6"
    if so.kind not in ("udp6", "tcp6"):
        return so.kind
    if _in_ipv4(so, so.laddr):
        return f"{so.kind[:3]}4"
    return f"{so.kind[:3]}46" if takes_ipv4(node, so) else so.kind


def name_text(node: Node, addr: bytes | None, port: int) -> str:
    """``ADDR.PORT`` for people; ``*`` for what is not given."""
    if addr is None:
        shown = "*"
    else:
        shown = ".".join(str(octet) for octet in addr) if len(addr) == 4 else node.text(addr)
    return f"{shown}.{port or '*'}"
