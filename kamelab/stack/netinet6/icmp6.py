"""ICMPv6 input: checks, echo, errors from others, and where each type goes (KAME icmp6.c; RFC 4443).

Making errors is in ``icmp6_error``, what an error means to sockets in ``icmp6_ctl``. Router renumbering is rtrenumd's
business: it reaches raw sockets only, as do the replies to node information queries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet import tcp_input
from kamelab.stack.netinet6 import mld6, nd6_nbr, nd6_rtr, nodeinfo, pmtu, raw_ip6, redirect6, udp6
from kamelab.stack.netinet6.icmp6_ctl import read_quoted
from kamelab.stack.packet import Action, Output, Packet, Verdict, deliver, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.ip6 import IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from kamelab.stack.node import Node

HEADER = 8
"""Octets of KAME's struct icmp6_hdr: all that is shorter is no message."""

# Least length of the message, and highest code defined; types that stand here are the ones that this kernel reads.
_SHAPE: dict[int, tuple[int, int]] = {
    icmp.DST_UNREACH: (8, 6),
    icmp.PACKET_TOO_BIG: (8, 255),
    icmp.TIME_EXCEEDED: (8, 1),
    icmp.PARAM_PROB: (8, 2),
    icmp.ECHO_REQUEST: (8, 0),
    icmp.ECHO_REPLY: (8, 0),
    icmp.MLD_QUERY: (24, 0),
    icmp.MLD_REPORT: (24, 0),
    icmp.MLD_DONE: (24, 0),
    icmp.ROUTER_SOLICIT: (8, 0),
    icmp.ROUTER_ADVERT: (16, 0),
    icmp.NEIGHBOR_SOLICIT: (24, 0),
    icmp.NEIGHBOR_ADVERT: (24, 0),
    icmp.REDIRECT: (40, 0),
    icmp.MLDV2_REPORT: (8, 255),
    icmp.NI_QUERY: (16, 2),
    icmp.NI_REPLY: (16, 2),
}

_FOR_DAEMONS = frozenset({"RS_HOST", "RA_NOT_ACCEPTED", "NI_NOT_MINE", "NI_REFUSED"})
"""Not for the kernel in its role, but a daemon may listen: rtadvd compares others' advertisements."""


def icmp6_input(node: Node, pkt: Packet) -> Verdict:
    """The ICMPv6 message at ``pkt.off`` (KAME icmp6_input)."""
    pkt.stage = "icmp6_input"
    data = pkt.data
    message = data[pkt.off : pkt.end]
    if len(message) < HEADER:
        return drop("ICMP6_TOOSHORT")
    if not in6_cksum_ok(data[8:24], data[24:40], IPPROTO_ICMPV6, message):
        return drop("ICMP6_CHECKSUM")
    kind, code = message[0], message[1]
    node.stat[f"icmp6.inhist.{kind}"] += 1
    pkt.iface.stat6[f"icmp6_in.{kind}"] += 1
    shape = _SHAPE.get(kind)
    if shape is None:
        waiting = raw_ip6.rip6_input(node, pkt, message)
        if kind < 128 or waiting:
            return deliver("raw sockets" if waiting else "unknown error type")
        return drop("ICMP6_UNKNOWN")
    if len(message) < shape[0]:
        return drop("ICMP6_BADLEN")
    if code > shape[1]:
        return drop("ICMP6_BADCODE")
    if kind == icmp.ECHO_REQUEST:
        return _echo(node, pkt, message)
    if kind < 128:
        return _error(node, pkt, message)
    verdict: Verdict
    if kind in (icmp.ECHO_REPLY, icmp.NI_REPLY):
        verdict = deliver("")
    elif kind == icmp.NI_QUERY:
        verdict = nodeinfo.ni6_input(node, pkt, message)
    elif kind == icmp.NEIGHBOR_SOLICIT:
        verdict = nd6_nbr.nd6_ns_input(node, pkt, message[4:])
    elif kind == icmp.NEIGHBOR_ADVERT:
        verdict = nd6_nbr.nd6_na_input(node, pkt, message[4:])
    elif kind == icmp.ROUTER_SOLICIT:
        verdict = nd6_rtr.nd6_rs_input(node, pkt, message[4:])
    elif kind == icmp.ROUTER_ADVERT:
        verdict = nd6_rtr.nd6_ra_input(node, pkt, message[4:])
    elif kind == icmp.REDIRECT:
        verdict = redirect6.icmp6_redirect_input(node, pkt, message[4:])
    else:
        verdict = mld6.mld6_input(node, pkt, kind, message[4:])
    if verdict.__class__ is tuple:
        if verdict[0] == "deliver":
            raw_ip6.rip6_input(node, pkt, message)
        elif verdict[1] in _FOR_DAEMONS and raw_ip6.rip6_input(node, pkt, message):
            return deliver("raw sockets")
    return verdict


def _echo(node: Node, pkt: Packet, message: bytes) -> Verdict:
    """Answer an echo request, multicast ones too (RFC 4443 4.2; KAME icmp6_reflect)."""
    if pkt.src == in6.UNSPECIFIED or pkt.src[0] == 0xFF:
        return drop("ICMP6_ECHO_MULTICAST_SRC")
    raw_ip6.rip6_input(node, pkt, message)
    node.stat["icmp6.reflect"] += 1
    own = node.own_address(pkt.dst)
    src = pkt.dst if own is not None and not own[1].anycast else None
    reply = Output(
        "icmp6_reflect",
        pkt.src,
        IPPROTO_ICMPV6,
        b"\x81\0\0\0" + message[4:],
        src=src,
        cksum=2,
        oif=pkt.iface if pkt.dst[0] == 0xFF and in6.scope(pkt.src) <= 2 else None,
    )
    return ("deliver", "", [reply])


def _error(node: Node, pkt: Packet, message: bytes) -> Verdict:
    """An error about something that this node sent: path MTU, sockets (KAME icmp6_notify_error)."""
    kind, code, quote = message[0], message[1], message[8:]
    try:
        quoted = read_quoted(pkt.iface, quote)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    actions: list[Action] = []
    mtu = 0
    if kind == icmp.PACKET_TOO_BIG and quoted is not None:
        mtu = pmtu.icmp6_mtudisc_update(node, pkt.iface, quoted, int.from_bytes(message[4:8], "big"))
        if mtu:
            pmtu.sockets_notify_mtu(node, quoted.dst, mtu)
    if quoted is not None and (mtu or kind != icmp.PACKET_TOO_BIG):
        if quoted.nxt == IPPROTO_UDP:
            udp6.udp6_ctlinput(node, quoted, kind, code)
        elif quoted.nxt == IPPROTO_TCP:
            actions += tcp_input.tcp6_ctlinput(node, pkt.iface, kind, code, quote, mtu)
    raw_ip6.rip6_input(node, pkt, message)
    return deliver("", actions)
