"""Platform profiles: what the BSDs under KAME do about IPv4-mapped addresses (KAME IMPLEMENTATION 1.12 (2001)/(2000)).

The "listening side" is a wildcard AF_INET6 socket that takes IPv4 connections, the "initiating side" an AF_INET6 socket
that connects to ``::ffff:10.1.1.1``. A node has one platform for life (``Node.platform``, `DEFAULT`).

Left out: IPv4 traffic itself. What a profile allows ends in ENETUNREACH until there is an IPv4 stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from kamelab.stack.node import Node

V6ONLY: Final = "net.inet6.ip6.v6only"
DEFAULT: Final = "freebsd4"


class Platform(NamedTuple):
    """One row of the table of 1.12."""

    title: str
    v6only: int
    """Default of net.inet6.ip6.v6only."""
    fixed: bool
    """The variable is read only, and IPV6_V6ONLY of a socket can't be changed either."""
    listening: str
    """As the table says it: ``not supported``, ``configurable`` or ``enabled``."""
    initiating: str
    """``not supported`` or ``supported``."""
    binds_mapped: bool
    """An AF_INET6 socket can bind to an IPv4-mapped address."""
    ports: str
    """How the port spaces of the families touch: ``apart``, ``merged`` (FreeBSD's one inpcb) or ``nrl`` (BSDI 4)."""


PLATFORMS: Final[dict[str, Platform]] = {
    "bsdi3": Platform("KAME/BSDI3", 1, True, "not supported", "not supported", False, "apart"),
    "freebsd2": Platform("KAME/FreeBSD228", 1, True, "not supported", "not supported", False, "apart"),
    "freebsd3": Platform("KAME/FreeBSD3x", 0, False, "configurable", "supported", True, "merged"),
    "freebsd4": Platform("KAME/FreeBSD4x", 0, False, "configurable", "supported", True, "merged"),
    "netbsd": Platform("KAME/NetBSD", 1, False, "configurable", "supported", False, "apart"),
    "bsdi4": Platform("KAME/BSDI4", 0, True, "enabled", "supported", True, "nrl"),
    "openbsd": Platform("KAME/OpenBSD", 1, True, "not supported", "not supported", False, "apart"),
}
"""Platforms by their names in lab files, in the order of the seeds' table."""


def of(node: Node) -> Platform:
    """The platform of a node."""
    return PLATFORMS[node.platform]


def assign(node: Node, name: str) -> None:
    """Make the node one of that platform: its default of net.inet6.ip6.v6only becomes the node's value.

    Raises KeyError for a name that is no platform. Only before the node opens its first socket.
    """
    platform = PLATFORMS[name]
    node.platform = name
    if platform.v6only != PLATFORMS[DEFAULT].v6only:
        node.sysctl[V6ONLY] = platform.v6only
    else:
        node.sysctl.pop(V6ONLY, None)
