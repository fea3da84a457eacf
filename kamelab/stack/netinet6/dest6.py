"""Options of hop-by-hop and destination headers (KAME dest6.c, ip6_input.c ip6_hopopts_input; RFC 8200 4.2, 4.3, 4.6).

Router alert and jumbo payload are options of the hop-by-hop header only. Left out: the home address (mobility).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netinet6.jumbo import jumbo_option
from kamelab.stack.packet import Action, Packet, Verdict, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire.exthdr import OPT_JUMBO, OPT_PAD1, OPT_PADN, OPT_ROUTER_ALERT

if TYPE_CHECKING:
    from kamelab.stack.node import Node


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


def hopopts_read(node: Node, pkt: Packet) -> Verdict:
    """The hop-by-hop header right behind the IPv6 header (KAME ip6_hopopts_input)."""
    pkt.stage = "ip6_hopopts_input"
    verdict = _options(node, pkt, True)
    if verdict.__class__ is int:
        pkt.stage = "ip6_input"
    return verdict


def _options(node: Node, pkt: Packet, hop_by_hop: bool) -> Verdict:
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
        if kind == OPT_PAD1:
            at += 1
            continue
        if at + 2 > end or at + 2 + data[at + 1] > end:
            return drop("OPT_OVERRUN")
        if kind == OPT_PADN:
            pass
        elif kind == OPT_ROUTER_ALERT and hop_by_hop:
            if data[at + 1] != 2:
                return drop("OPT_BADLEN", param_problem(node, pkt, icmp.PARAM_HEADER, at + 1))
            pkt.rtalert = data[at + 2] << 8 | data[at + 3]
        elif kind == OPT_JUMBO and hop_by_hop:
            wrong = jumbo_option(pkt, at)
            if wrong is not None:
                return drop(wrong[0], param_problem(node, pkt, icmp.PARAM_HEADER, wrong[1]))
        else:
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
    """A destination options header (KAME dest6_input)."""
    pkt.stage = "dest6_input"
    return _options(node, pkt, False)


def hopopts_input(node: Node, pkt: Packet) -> Verdict:
    """A hop-by-hop header elsewhere than first: it is read only right behind the IPv6 header (RFC 8200 4.1)."""
    return drop("HBH_NOTFIRST", param_problem(node, pkt, icmp.PARAM_NEXTHDR, pkt.nxt_at))


def nonext_input(node: Node, pkt: Packet) -> Verdict:
    """No next header: nothing follows, the rest is ignored (RFC 8200 4.7)."""
    return ("deliver", "no next header", [])
