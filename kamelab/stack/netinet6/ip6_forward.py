"""Forwarding (KAME ip6_forward.c; RFC 8200 3, RFC 4291 2.5.6, RFC 4443; the order of tests is KAME's).

The MTU that counts is the link's, whatever path MTU the router has learned for itself. A packet that an outbound policy
sends through a tunnel goes on by the way to the tunnel's end. Left out: the firewall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netinet6.redirect6 import icmp6_redirect_output
from kamelab.stack.netinet6.scope6 import is_scoped, zone_of
from kamelab.stack.netipsec import ipsec6_input, ipsec6_output
from kamelab.stack.netipsec.policy import ANY, Flow, Policy
from kamelab.stack.packet import DECRYPTED, Action, Forward, Packet, Verdict, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.buffer import WireError
from kamelab.wire.exthdr import upper_layer
from kamelab.wire.ip6 import MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def ip6_forward(node: Node, pkt: Packet) -> Verdict:
    """Where a unicast packet that is not ours goes on, or why it does not."""
    pkt.stage = "ip6_forward"
    iface, src, dst = pkt.iface, pkt.src, pkt.dst
    data = pkt.data[: pkt.end]
    if node.ipsec and ipsec6_input.rejected(node, pkt, None):
        # Before anything else: what the policy forbids gets no error (KAME ip6_forward).
        return drop("IPSEC_POLICY")
    if pkt.lcast:
        return _refuse(node, pkt, "FWD_LINKCAST")
    if src == in6.UNSPECIFIED:
        return _refuse(node, pkt, "FWD_SRC_UNSPECIFIED")
    if pkt.hlim <= 1:
        return drop("FWD_HLIM", _error(node, pkt, icmp.TIME_EXCEEDED, icmp.TIMXCEED_HOPS))
    policy, protected = _protect(node, pkt) if node.ipsec else (None, None)
    if isinstance(protected, ipsec6_output.Refused):
        return drop(protected.reason)
    if protected is not None and policy is not None:
        return _tunnelled(node, pkt, protected, policy)
    route = node.routes.lookup(dst, True)
    node.stat["ip6.forward_cachemiss"] += 1
    if route is None:
        return drop("FWD_NOROUTE", _error(node, pkt, icmp.DST_UNREACH, icmp.UNREACH_NOROUTE))
    if "R" in route.flags:
        return drop("FWD_REJECT", _error(node, pkt, icmp.DST_UNREACH, icmp.UNREACH_NOROUTE))
    if "B" in route.flags:
        return drop("FWD_BLACKHOLE")
    route.use += 1
    out = route.iface
    if is_scoped(src) and zone_of(src) != out.index:
        return _refuse(node, pkt, "FWD_SCOPE_SRC", _error(node, pkt, icmp.DST_UNREACH, icmp.UNREACH_SCOPE))
    if is_scoped(dst) and zone_of(dst) != out.index:
        return _refuse(node, pkt, "FWD_SCOPE_DST")
    mtu = out.ipv6_mtu()
    if len(data) > mtu:
        return drop("FWD_TOOBIG", _error(node, pkt, icmp.PACKET_TOO_BIG, 0, max(mtu, MIN_MTU)))
    nexthop = route.gateway if route.gateway is not None and not route.own else dst
    packet = b"%b%c%b" % (data[:7], data[7] - 1, data[8:])
    actions: list[Action] = []
    if out is iface and not pkt.srcrt and "D" not in route.flags and "M" not in route.flags:
        if out.pointopoint and route.gateway is None:
            return drop("FWD_P2P_BACK", _error(node, pkt, icmp.DST_UNREACH, icmp.UNREACH_ADDR))
        actions = icmp6_redirect_output(node, iface, data, src, dst, nexthop)
    if out.loopback and not route.own:
        node.log(
            f"ip6_forward: outgoing interface is loopback. src {node.text(src)}, dst {node.text(dst)},"
            f" nxt {data[6]}, rcvif {iface.name}, outif {out.name}"
        )
    return Forward(out, nexthop, packet, actions)


def _protect(node: Node, pkt: Packet) -> tuple[Policy, ipsec6_output.Protected | ipsec6_output.Refused | None]:
    """The outbound policy, and what it makes of the packet, its hop limit counted down; ports do not count (KAME)."""
    data = pkt.data[: pkt.end]
    try:
        proto = upper_layer(data)[0]
    except WireError:
        proto = ANY
    policy = ipsec6_output.decide(node, "out", Flow(pkt.src, pkt.dst, proto), None, pkt.iface.name, pkt.pid)
    packet = b"%b%c%b" % (data[:7], data[7] - 1, data[8:])
    return policy, ipsec6_output.protect(node, policy, packet, pkt.src, pkt.dst, forwarded=True)


def _tunnelled(node: Node, pkt: Packet, protected: ipsec6_output.Protected, policy: Policy) -> Verdict:
    """The packet in its tunnel, on the way to the tunnel's end.

    Too big for the first link, its source is told of what is left of the MTU; of links beyond nobody tells it (KAME
    IMPLEMENTATION 4.3: path MTU discovery does not work across a tunnel gateway).
    """
    end = protected.dst or pkt.dst
    route = node.routes.lookup(end, True)
    if route is None or "R" in route.flags or "B" in route.flags:
        node.stat["ipsec6.out_noroute"] += 1
        return drop("FWD_NOROUTE", _error(node, pkt, icmp.DST_UNREACH, icmp.UNREACH_NOROUTE))
    route.use += 1
    out = route.iface
    mtu = out.ipv6_mtu()
    if len(protected.packet) > mtu:
        left = mtu - ipsec6_output.overhead(node, policy)
        return drop("FWD_TOOBIG", _error(node, pkt, icmp.PACKET_TOO_BIG, 0, max(left, MIN_MTU)))
    nexthop = route.gateway if route.gateway is not None and not route.own else end
    return Forward(out, nexthop, protected.packet, [])


def _error(node: Node, pkt: Packet, kind: int, code: int, word: int = 0) -> list[Action]:
    return icmp6_error(
        node, pkt.iface, pkt.data[: pkt.end], kind, code, word, rx_iface=pkt.iface, lcast=pkt.lcast,
        decrypted=bool(pkt.ipsec & DECRYPTED),
    )  # fmt: skip


def _refuse(node: Node, pkt: Packet, reason: str, actions: list[Action] | None = None) -> Verdict:
    """Log at most every log_interval seconds (KAME ip6_log_time), and drop."""
    now = node.clock.now
    interval = node.sysctl["net.inet6.ip6.log_interval"] * SECOND
    if node.forward_log < 0 or now - node.forward_log >= interval:
        node.forward_log = now
        node.log(
            f"cannot forward from {node.text(pkt.src)} to {node.text(pkt.dst)}"
            f" nxt {pkt.data[6]} received on {pkt.iface.name}"
        )
    return drop(reason, actions)
