"""Source filters of sockets: joining a group for some senders only, or for all but some (RFC 3678 5; KAME in6_msf.c).

The options take plain tuples: MCAST_JOIN_SOURCE_GROUP and MCAST_LEAVE_SOURCE_GROUP, MCAST_BLOCK_SOURCE and
MCAST_UNBLOCK_SOURCE (interface index, group, source); MCAST_MSFILTER (interface index, group, "include" or "exclude",
sources). Groups are joined for everybody by IPV6_JOIN_GROUP.

A socket filters for itself; the interface lets in what any of its members wants, and tells the routers that
(`netinet6.mld6`). Left out: source interfaces by address, IPv4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENXIO, Errno
from kamelab.stack.netinet6 import mld6
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.state import Filter

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node
    from kamelab.stack.packet import Action
    from kamelab.stack.socket.sockets import Socket

OPTIONS: Final = frozenset(
    {
        "MCAST_JOIN_SOURCE_GROUP",
        "MCAST_LEAVE_SOURCE_GROUP",
        "MCAST_BLOCK_SOURCE",
        "MCAST_UNBLOCK_SOURCE",
        "MCAST_MSFILTER",
    }
)


def setsockopt(node: Node, so: Socket, name: str, value: Any) -> list[Action]:
    """Change the filter of one membership.

    EINVAL: no group, no unicast source, or the membership is of the other mode; ENXIO: no such interface;
    EADDRNOTAVAIL: not a member, or a source that is not in the filter; EADDRINUSE: a source that is in it already;
    ENOBUFS: more sources than ``net.inet6.icmp6.mldsomaxsrc``.
    """
    iface, group = _where(node, so, value[0], value[1])
    member = (group, iface.index)
    old = so.groups.get(member)
    if name == "MCAST_MSFILTER":
        new = Filter(value[2] == "exclude", tuple(sorted(set(value[3]))))
        if value[2] not in ("include", "exclude"):
            raise Errno(EINVAL)
    else:
        new = _changed(old, name, value[2])
    if any(source[0] == 0xFF or source == bytes(16) for source in new.sources):
        raise Errno(EINVAL)
    if len(new.sources) > node.sysctl["net.inet6.icmp6.mldsomaxsrc"]:
        raise Errno(ENOBUFS)
    actions = mld6.in6_modmulti(node, iface, group, old, new)
    so.groups.pop(member, None)
    if new.exclude or new.sources:
        so.groups[member] = new
    return actions


def memberships(so: Socket) -> tuple[tuple[int, bytes, str, tuple[bytes, ...]], ...]:
    """getsockopt(2) of MCAST_MSFILTER: (interface index, group, mode, sources) of each membership."""
    return tuple(
        (index, in6_clearscope(group), "exclude" if wanted.exclude else "include", wanted.sources)
        for (group, index), wanted in so.groups.items()
    )


def _changed(old: Filter | None, name: str, source: bytes) -> Filter:
    """The filter after one source was put in or taken out."""
    joining = name in ("MCAST_JOIN_SOURCE_GROUP", "MCAST_LEAVE_SOURCE_GROUP")
    if old is None:
        if name != "MCAST_JOIN_SOURCE_GROUP":
            raise Errno(EADDRNOTAVAIL)
        old = Filter(False)
    if old.exclude == joining:
        raise Errno(EINVAL)
    if name in ("MCAST_JOIN_SOURCE_GROUP", "MCAST_BLOCK_SOURCE"):
        if source in old.sources:
            raise Errno(EADDRINUSE)
        return Filter(old.exclude, tuple(sorted((*old.sources, source))))
    if source not in old.sources:
        raise Errno(EADDRNOTAVAIL)
    return Filter(old.exclude, tuple(one for one in old.sources if one != source))


def _where(node: Node, so: Socket, ifindex: int, group: bytes) -> tuple[Interface, bytes]:
    """(interface, embedded group): as IPV6_JOIN_GROUP finds them."""
    if group[0] != 0xFF:
        raise Errno(EINVAL)
    ifindex = ifindex or int(so.options.get("IPV6_MULTICAST_IF", 0)) or node.outgoing(group, None).index
    iface = node.interfaces_by_index.get(ifindex)
    if iface is None:
        raise Errno(ENXIO)
    if not iface.multicast:
        raise Errno(EADDRNOTAVAIL)
    return iface, in6_setscope(group, iface) or group
