"""Options of hop-by-hop and destination headers (KAME dest6.c, ip6_hopopts_input; RFC 8200 4.2, 4.3, 4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.packet import Action, Packet, Verdict, drop
from kamelab.wire import icmp6 as icmp

if TYPE_CHECKING:
    from kamelab.stack.node import Node

IP6OPT_PAD1 = 0
IP6OPT_PADN = 1
IP6OPT_ROUTER_ALERT = 5


def param_problem(node: Node, pkt: Packet, code: int, pointer: int) -> list[Action]:
    """A parameter problem about the packet being read."""
    return icmp6_error(
        node,
        pkt.iface,
        pkt.data[: pkt.end],
        icmp.PARAM_PROB,
        code,
        pointer,
        rx_iface=None if pkt.iface.loopback else pkt.iface,
        lcast=pkt.lcast or pkt.dst[0] == 0xFF,
    )


def options_input(node: Node, pkt: Packet) -> Verdict:
    """Walk the options of the header at ``pkt.off``; the next header, with the offset moved behind it."""
    data, start = pkt.data, pkt.off
    if start + 2 > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    end = start + (data[start + 1] + 1) * 8
    if end > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    at = start + 2
    while at < end:
        kind = data[at]
        if kind == IP6OPT_PAD1:
            at += 1
            continue
        if at + 2 > end or at + 2 + data[at + 1] > end:
            return drop("OPT_OVERRUN")
        if kind == IP6OPT_ROUTER_ALERT:
            if data[at + 1] != 2:
                return drop("OPT_BADLEN", param_problem(node, pkt, icmp.PARAM_HEADER, at + 1))
            pkt.alert = True
        elif kind != IP6OPT_PADN:
            action = kind >> 6
            if action == 1:
                return drop("OPT_DISCARD")
            if action == 2 or (action == 3 and pkt.dst[0] != 0xFF):
                return drop("OPT_PARAMPROB", param_problem(node, pkt, icmp.PARAM_OPTION, at))
            if action == 3:
                return drop("OPT_DISCARD")
        at += 2 + data[at + 1]
    pkt.nxt_at = start
    pkt.off = end
    return data[start]


def dest6_input(node: Node, pkt: Packet) -> Verdict:
    """A destination options header."""
    pkt.stage = "dest6_input"
    return options_input(node, pkt)


def hopopts_input(node: Node, pkt: Packet) -> Verdict:
    """A hop-by-hop header elsewhere than first: it is read only right behind the IPv6 header (RFC 8200 4.1)."""
    return drop("HBH_NOTFIRST", param_problem(node, pkt, icmp.PARAM_NEXTHDR, pkt.nxt_at))


def route6_input(node: Node, pkt: Packet) -> Verdict:
    """A routing header: skipped with no segments left, else an error; type 0 is not here yet (RFC 8200 4.4)."""
    pkt.stage = "route6_input"
    data, start = pkt.data, pkt.off
    if start + 4 > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    end = start + (data[start + 1] + 1) * 8
    if end > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    if data[start + 3]:
        return drop("ROUTE_UNKNOWN", param_problem(node, pkt, icmp.PARAM_HEADER, start + 2))
    pkt.nxt_at = start
    pkt.off = end
    return data[start]


def nonext_input(node: Node, pkt: Packet) -> Verdict:
    """No next header: nothing follows, the rest is ignored (RFC 8200 4.7)."""
    return ("deliver", "no next header", [])
