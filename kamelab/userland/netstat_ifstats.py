"""The statistics of one interface (``netstat -s -I IF``): those of RFC 2465 (IPv6) and RFC 2466 (ICMPv6).

The kernel's table ``in6_ifstat`` has them under KAME's names, ICMPv6 as ``icmp6_in.TYPE`` and ``icmp6_out.TYPE``. Rows
and order are KAME `netstat/if.c` and `inet6.c`; the phrases are kamelab's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kamelab.userland.netstat_stats import Counter, item_lines
from kamelab.wire import icmp6

IP6: Final = (
    ("in_receive", "packet{s} received"),
    ("in_hdrerr", "packet{s} with an error in a header"),
    ("in_toobig", "packet{s} too big to be forwarded"),
    ("in_noroute", "packet{s} without a route"),
    ("in_addrerr", "packet{s} with an address that is not good here"),
    ("in_protounknown", "packet{s} of an unknown protocol"),
    ("in_truncated", "packet{s} shorter than they say"),
    ("in_discard", "packet{s} discarded for want of room or will"),
    ("in_deliver", "packet{s} delivered"),
    ("out_forward", "packet{s} forwarded to here"),
    ("out_request", "packet{s} of this node sent"),
    ("out_discard", "packet{s} of this node discarded"),
    ("out_fragok", "packet{s} fragmented"),
    ("out_fragfail", "packet{s} that could not be fragmented"),
    ("out_fragcreat", "fragment{s} made"),
    ("reass_reqd", "fragment{s} to be put together"),
    ("reass_ok", "packet{s} put together"),
    ("reass_fail", "failure{s} of putting together"),
    ("in_mcast", "multicast packet{s} received"),
    ("out_mcast", "multicast packet{s} sent"),
)
"""(counter, phrase) in the order of ipv6IfStatsTable."""

_ERRORS: Final = (icmp6.DST_UNREACH, icmp6.PACKET_TOO_BIG, icmp6.TIME_EXCEEDED, icmp6.PARAM_PROB)
ICMP6: Final = (
    (icmp6.DST_UNREACH, "destination unreachable"),
    (icmp6.TIME_EXCEEDED, "time exceeded"),
    (icmp6.PARAM_PROB, "parameter problem"),
    (icmp6.PACKET_TOO_BIG, "packet too big"),
    (icmp6.ECHO_REQUEST, "echo"),
    (icmp6.ECHO_REPLY, "echo reply"),
    (icmp6.ROUTER_SOLICIT, "router solicitation"),
    (icmp6.ROUTER_ADVERT, "router advertisement"),
    (icmp6.NEIGHBOR_SOLICIT, "neighbor solicitation"),
    (icmp6.NEIGHBOR_ADVERT, "neighbor advertisement"),
    (icmp6.REDIRECT, "redirect"),
    (icmp6.MLD_QUERY, "MLD query"),
    (icmp6.MLD_REPORT, "MLD report"),
    (icmp6.MLD_DONE, "MLD done"),
)
"""(type, name) in the order of ipv6IfIcmpTable."""

PROTOCOLS: Final = ("ip6", "icmp6")


def lines(protocol: str, interface: str, counters: Mapping[str, int], *, nonzero: bool = False) -> list[str]:
    """The block of one protocol on one interface; ``nonzero`` (``-ss``) without the rows that are 0."""
    head = f"{protocol} on {interface}:"
    if protocol == "ip6":
        return [head, *item_lines([Counter(key, phrase) for key, phrase in IP6], counters, nonzero=nonzero)]
    out = [head]
    for way, phrase in (("in", "received"), ("out", "sent")):
        types = {
            int(key.rsplit(".", 1)[1]): value for key, value in counters.items() if key.startswith(f"icmp6_{way}.")
        }
        rows = [(sum(types.values()), "messages"), (sum(types.get(kind, 0) for kind in _ERRORS), "errors")]
        rows += [(types.get(kind, 0), name) for kind, name in ICMP6]
        out += [f"\t{value} {name} {phrase}" for value, name in rows if value or not nonzero]
    return out
