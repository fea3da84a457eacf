"""Statistics of an interface (RFC 2465 ipv6IfStatsTable; KAME in6_var.h struct in6_ifstat), and the reassembly queues.

Most follow from the drop reason, so that they agree with the trace. Those of the hot path are not counted but derived:
what was received and was IPv6, and what was sent and did not begin here. ICMPv6 messages (RFC 2466 ipv6IfIcmpTable) are
counted by type, as ``icmp6_in.TYPE`` and ``icmp6_out.TYPE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.views import IfStat6Row, ReassemblyRow

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

NAMES = (
    *("in_receive", "in_hdrerr", "in_toobig", "in_noroute", "in_addrerr", "in_protounknown", "in_truncated"),
    *("in_discard", "in_deliver", "out_forward", "out_request", "out_discard", "out_fragok", "out_fragfail"),
    *("out_fragcreat", "reass_reqd", "reass_ok", "reass_fail", "in_mcast", "out_mcast"),
)
"""Fields of struct in6_ifstat in its order."""

NOT_IP6 = "not_ip6"
"""Frames that held no IPv6."""

BY_REASON: dict[str, str] = {
    "LINK_TYPE": NOT_IP6,
    "LINK_SHORT": NOT_IP6,
    "IP6_TOOSMALL": "in_hdrerr",
    "IP6_BADVERS": "in_hdrerr",
    "IP6_TOOSHORT": "in_truncated",
    "IP6_ZEROLEN": "in_discard",
    "IP6_SRC_MULTICAST": "in_addrerr",
    "IP6_DST_UNSPECIFIED": "in_addrerr",
    "IP6_IFLOCAL_WIRE": "in_addrerr",
    "IP6_V4MAPPED": "in_addrerr",
    "IP6_V4COMPAT": "in_addrerr",
    "IP6_EMBEDDED_ZONE": "in_addrerr",
    "IP6_LOOPBACK_WIRE": "in_addrerr",
    "IP6_NOTMEMBER": "in_discard",
    "IP6_TENTATIVE": "in_addrerr",
    "IP6_NOTREADY": "in_addrerr",
    "IP6_NOTFORWARDING": "in_discard",
    "ND_DISABLED": "in_discard",
    "IP6_TOOMANYHDR": "in_hdrerr",
    "EXTHDR_TOOSHORT": "in_hdrerr",
    "EXTHDR_TOOLONG": "in_discard",
    "OPT_OVERRUN": "in_hdrerr",
    "OPT_DISCARD": "in_hdrerr",
    "OPT_PARAMPROB": "in_hdrerr",
    "OPT_BADLEN": "in_hdrerr",
    "JUMBO_BAD": "in_hdrerr",
    "HBH_NOTFIRST": "in_protounknown",
    "ROUTE_UNKNOWN": "in_hdrerr",
    "ROUTE_TWICE": "in_hdrerr",
    "ROUTE_BADLEN": "in_hdrerr",
    "ROUTE_BADADDR": "in_addrerr",
    "ROUTE_BADSCOPE": "in_addrerr",
    "NXT_UNKNOWN": "in_protounknown",
    "IP6_NOGIF": "in_protounknown",
    "FRAG_BADLEN": "in_hdrerr",
    "FRAG_TOOBIG": "reass_fail",
    "FRAG_JUMBO": "in_hdrerr",
    "FRAG_OVERLAP": "reass_fail",
    "FRAG_DUPLICATE": "reass_fail",
    "FRAG_ECN": "reass_fail",
    "FRAG_CHAIN": "reass_fail",
    "FRAG_LIMIT": "reass_fail",
    "FWD_LINKCAST": "in_discard",
    "FWD_SRC_UNSPECIFIED": "in_addrerr",
    "FWD_HLIM": "in_discard",
    "FWD_NOROUTE": "in_noroute",
    "FWD_REJECT": "in_noroute",
    "FWD_BLACKHOLE": "in_noroute",
    "FWD_SCOPE_SRC": "in_addrerr",
    "FWD_SCOPE_DST": "in_addrerr",
    "FWD_TOOBIG": "in_toobig",
    "FWD_P2P_BACK": "in_discard",
}
"""What the drop of a received packet counts as, at the interface that it came by."""


def count(iface: Interface, name: str, number: int = 1) -> None:
    """Add to one of the counters."""
    iface.stat6[name] += number


def read(iface: Interface) -> dict[str, int]:
    """All of them, zeros too, in the order of `NAMES`; then the ICMPv6 types that are not 0."""
    stat = {name: iface.stat6.get(name, 0) for name in NAMES}
    stat["in_receive"] = iface.ipackets - iface.stat6.get(NOT_IP6, 0)
    stat["out_forward"] = iface.opackets - iface.originated
    stat.update(sorted((name, number) for name, number in iface.stat6.items() if name.startswith("icmp6_")))
    return stat


def rows(node: Node) -> tuple[IfStat6Row, ...]:
    """A row for each interface, by index."""
    return tuple(IfStat6Row(iface.name, tuple(read(iface).items())) for iface in node.interfaces.values())


def reassembly(node: Node) -> tuple[ReassemblyRow, ...]:
    """Packets of which fragments wait, the oldest first."""
    return tuple(
        ReassemblyRow(
            node.text(src),
            node.text(dst),
            ident,
            tuple((at, len(data)) for at, data, _ in queue.pieces),
            queue.expected,
            queue.timer.at or 0,
            queue.refused,
        )
        for (src, dst, ident), queue in node.reassembly.items()
    )
