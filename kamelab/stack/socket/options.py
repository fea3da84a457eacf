"""Socket options by name (RFC 3493 5, RFC 3542 3 to 11; KAME ip6_output.c ip6_ctloutput, BSD uipc_socket.c).

RFC 2292's names stand beside RFC 3542's: IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_HOPOPTS, IPV6_RTHDR and IPV6_DSTOPTS with a
number instead of a value switch the receiving of that item, as IPV6_RECVPKTINFO and so on do. The 2000 document's
IPV6_BINDV6ONLY is IPV6_V6ONLY, RFC 2133's IPV6_ADD_MEMBERSHIP is IPV6_JOIN_GROUP. On TCP sockets IPV6_DONTFRAG and
IPV6_RECVPATHMTU are taken and have no effect (KAME IMPLEMENTATION 1.16 (2001)).

Left out: IPV6_HDRINCL, which RFC 3542 3 does not have. IPV6_IPSEC_POLICY takes and gives ``sadb_x_policy``
in binary form, as ipsec_set_policy(3) makes it; it answers with the outbound one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EINVAL,
    ENOBUFS,
    ENOPROTOOPT,
    ENOTCONN,
    ENXIO,
    Errno,
)
from kamelab.stack.netinet6 import mld6
from kamelab.stack.netinet6.scope6 import in6_setscope, sa6_recoverscope
from kamelab.stack.netipsec import keysock
from kamelab.stack.netipsec.spd import SocketPolicy
from kamelab.stack.socket import ancillary, msfilter, ports, profiles, stream
from kamelab.stack.socket.sockets import Socket, lookup, path_mtu
from kamelab.wire import in6
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.node import Node
    from kamelab.stack.packet import Action

MAXSOCKBUF: Final = 262144
"""The largest buffer that a socket may have, octets (BSD kern.ipc.maxsockbuf)."""

_RFC2292: Final = {
    "IPV6_PKTINFO": "IPV6_RECVPKTINFO",
    "IPV6_HOPLIMIT": "IPV6_RECVHOPLIMIT",
    "IPV6_HOPOPTS": "IPV6_RECVHOPOPTS",
    "IPV6_RTHDR": "IPV6_RECVRTHDR",
    "IPV6_DSTOPTS": "IPV6_RECVDSTOPTS",
}
_RANGES: Final = {
    "IPV6_UNICAST_HOPS": (-1, 255),
    "IPV6_MULTICAST_HOPS": (-1, 255),
    "IPV6_MULTICAST_LOOP": (0, 1),
    "IPV6_PORTRANGE": (ports.PORTRANGE_DEFAULT, ports.PORTRANGE_LOW),
}
_FLAGS: Final = frozenset(
    {
        *ancillary.RECEIVED,
        "IPV6_RECVPATHMTU",
        "IPV6_AUTOFLOWLABEL",
        "SO_REUSEPORT",
        "SO_REUSEADDR",
        "SO_DEBUG",
    }
)
_DEFAULTS: Final[dict[str, Any]] = {
    "IPV6_UNICAST_HOPS": -1,
    "IPV6_MULTICAST_HOPS": -1,
    "IPV6_MULTICAST_LOOP": 1,
    "IPV6_MULTICAST_IF": 0,
    "IPV6_PORTRANGE": ports.PORTRANGE_DEFAULT,
    "IPV6_TCLASS": -1,
    "IPV6_USE_MIN_MTU": -1,
    "IPV6_PREFER_TEMPADDR": -1,
    "IPV6_DONTFRAG": False,
    "IPV6_REACHCONF": False,
    "IPV6_V6ONLY": False,
    "IPV6_PKTINFO": None,
    "IPV6_NEXTHOP": None,
    "IPV6_CHECKSUM": -1,
    **dict.fromkeys(ancillary.HEADERS, b""),
    **dict.fromkeys(_FLAGS, False),
}
"""What getsockopt(2) answers for options that were never set."""
_ALIASES: Final = {
    "IPV6_BINDV6ONLY": "IPV6_V6ONLY",
    "IPV6_ADD_MEMBERSHIP": "IPV6_JOIN_GROUP",
    "IPV6_DROP_MEMBERSHIP": "IPV6_LEAVE_GROUP",
    **{f"IPV6_2292{name}": f"IPV6_RECV{name}" for name in ("PKTINFO", "HOPLIMIT", "HOPOPTS", "RTHDR", "DSTOPTS")},
}
"""Older names, and those by which KAME's kernel knows RFC 2292's options."""
_RAW_ONLY: Final = ("IPV6_CHECKSUM", "ICMP6_FILTER")


def setsockopt(node: Node, sid: int, name: str, value: Any) -> list[Action]:
    """setsockopt(2). ENOPROTOOPT: unknown; EINVAL: of wrong range, form or time; ENXIO: no such interface.

    Further EADDRNOTAVAIL: an interface that can't do multicast; EADDRINUSE: a group twice; ENOBUFS: a buffer too large.
    """
    so = lookup(node, sid)
    name = _ALIASES.get(name, name)
    if name in ("IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP"):
        return _membership(node, so, value[0], value[1], name == "IPV6_JOIN_GROUP")
    if name in msfilter.OPTIONS:
        return msfilter.setsockopt(node, so, name, value)
    if name in _RFC2292 and isinstance(value, int):
        name = _RFC2292[name]
    if name in _RANGES:
        low, high = _RANGES[name]
        if not low <= int(value) <= high:
            raise Errno(EINVAL)
        so.options[name] = int(value)
        so.sticky = so.sticky or name == "IPV6_UNICAST_HOPS"
    elif name in _FLAGS:
        so.options[name] = bool(value)
        so.receive = tuple(one for one in ancillary.RECEIVED if so.options.get(one))
    elif name in ancillary.STICKY or name == "IPV6_HOPLIMIT":
        kept = ancillary.check(node, so, name, value, sticky=True)
        if kept is None:
            so.options.pop(name, None)
        else:
            so.options[name] = kept
        so.sticky = any(one in so.options for one in ("IPV6_UNICAST_HOPS", *ancillary.STICKY))
    elif name == "IPV6_MULTICAST_IF":
        so.options[name] = _multicast_if(node, int(value))
    elif name == "IPV6_V6ONLY":
        _v6only(node, so, bool(value))
    elif name in ("SO_RCVBUF", "SO_SNDBUF"):
        size = int(value)
        if size <= 0:
            raise Errno(EINVAL)
        if size > MAXSOCKBUF:
            raise Errno(ENOBUFS)
        if name == "SO_RCVBUF":
            so.rcvbuf = size
        else:
            so.sndbuf = size
    elif name == "IPV6_IPSEC_POLICY":
        keysock.set_policy(node, so, bytes(value))
    elif name in stream.OPTIONS:
        return stream.setsockopt(node, so, name, value)
    elif name in _RAW_ONLY:
        _raw(so, name, value)
    else:
        raise Errno(ENOPROTOOPT)
    return []


def _multicast_if(node: Node, index: int) -> int:
    """KAME ip6_setmoptions: EADDRNOTAVAIL for an interface without multicast."""
    if index:
        through = node.interfaces_by_index.get(index)
        if through is None:
            raise Errno(ENXIO)
        if not through.multicast:
            raise Errno(EADDRNOTAVAIL)
    return index


def _v6only(node: Node, so: Socket, on: bool) -> None:
    """Only before the socket has a name, and only where the platform leaves a choice."""
    if so.kind not in ("udp6", "tcp6") or so.lport or so.laddr is not None:
        raise Errno(EINVAL)
    platform = profiles.of(node)
    if platform.fixed and on != bool(platform.v6only):
        raise Errno(EINVAL)
    so.options["IPV6_V6ONLY"] = on


def _raw(so: Socket, name: str, value: Any) -> None:
    """IPV6_CHECKSUM and ICMP6_FILTER (RFC 3542 3.1, 3.2). EINVAL: another kind of socket, an odd offset."""
    if so.kind != "raw6":
        raise Errno(EINVAL)
    icmp6 = so.proto == IPPROTO_ICMPV6
    if name == "ICMP6_FILTER":
        types = None if value is None else frozenset(value)
        if not icmp6 or (types is not None and any(not 0 <= one <= 255 for one in types)):
            raise Errno(EINVAL)
        so.filter = types
        return
    offset = int(value)
    if offset < -1 or (offset > 0 and offset % 2) or (icmp6 and offset != 2):
        raise Errno(EINVAL)
    so.options[name] = offset


def getsockopt(node: Node, sid: int, name: str) -> Any:
    """getsockopt(2). ENOPROTOOPT: unknown; ENOTCONN: IPV6_PATHMTU of a socket without peer; EINVAL: not on this kind.

    SO_ERROR is told once. IPV6_PATHMTU is (address, scope id, MTU in octets); ICMP6_FILTER the types that pass.
    """
    so = lookup(node, sid)
    name = _ALIASES.get(name, name)
    if name == "SO_ERROR":
        number, so.error = so.error, 0
        return number
    if name == "SO_RCVBUF":
        return so.rcvbuf
    if name == "SO_SNDBUF":
        return so.sndbuf
    if name == "SO_TYPE":
        return "stream" if ports.is_stream(so) else ("raw" if so.kind == "raw6" else "dgram")
    if name == "MCAST_MSFILTER":
        return msfilter.memberships(so)
    if name == "IPV6_PATHMTU":
        if so.faddr is None:
            raise Errno(ENOTCONN)
        addr, zone = sa6_recoverscope(so.faddr)
        return addr, zone, path_mtu(node, so)
    if name == "IPV6_IPSEC_POLICY":
        return (so.policy or SocketPolicy()).get_bytes("out")
    if name in stream.OPTIONS:
        return stream.getsockopt(so, name)
    if name in _RAW_ONLY:
        return _get_raw(so, name)
    if name == "IPV6_NEXTHOP" and name in so.options:
        return sa6_recoverscope(so.options[name])
    if name not in _DEFAULTS:
        raise Errno(ENOPROTOOPT)
    return so.options.get(name, _DEFAULTS[name])


def _get_raw(so: Socket, name: str) -> Any:
    if so.kind != "raw6":
        raise Errno(EINVAL)
    if name == "IPV6_CHECKSUM":
        return 2 if so.proto == IPPROTO_ICMPV6 else so.options.get(name, -1)
    if so.proto != IPPROTO_ICMPV6:
        raise Errno(EINVAL)
    return tuple(range(256)) if so.filter is None else tuple(sorted(so.filter))


def _membership(node: Node, so: Socket, group: bytes, ifindex: int, join: bool) -> list[Action]:
    """IPV6_JOIN_GROUP and IPV6_LEAVE_GROUP (RFC 3493 5.2; KAME ip6_setmoptions).

    The interface needs no address. Without one the socket's IPV6_MULTICAST_IF counts, then the route. The group ``::``
    stands for all groups, as KAME's multicast routers ask for them.
    """
    if group[0] != 0xFF and group != in6.UNSPECIFIED:
        raise Errno(EINVAL)
    ifindex = ifindex or int(so.options.get("IPV6_MULTICAST_IF", 0)) or node.outgoing(group, None).index
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
        actions = mld6.in6_modmulti(node, iface, embedded, None, mld6.ANY_SOURCE)
        so.groups[member] = mld6.ANY_SOURCE
        return actions
    if member not in so.groups:
        raise Errno(EADDRNOTAVAIL)
    return mld6.in6_modmulti(node, iface, embedded, so.groups.pop(member), None)
