"""Raw IPv6 sockets on input (KAME raw_ip6.c rip6_input; RFC 3542 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.scope6 import sa6_recoverscope
from kamelab.stack.netipsec import ipsec6_input
from kamelab.stack.packet import Packet
from kamelab.stack.socket.message import Message
from kamelab.stack.socket.sockets import append
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def rip6_input(node: Node, pkt: Packet, payload: bytes, proto: int = IPPROTO_ICMPV6) -> int:
    """Give ``payload`` to every raw socket of the protocol that wants it; how many took it."""
    if not node.raw_sockets:
        return 0
    node.stat["rip6.ipackets"] += 1
    taken = 0
    matched = False
    plain: tuple[bytes, int] | None = None
    for sid in node.raw_sockets:
        so = node.sockets[sid]
        if so.proto != proto and (so.proto or proto == IPPROTO_ICMPV6):
            continue
        if so.faddr is not None and so.faddr != pkt.src:
            continue
        if so.laddr is not None and so.laddr != pkt.dst:
            continue
        if proto == IPPROTO_ICMPV6 and so.filter is not None and payload[0] not in so.filter:
            continue
        if pkt.dst[0] == 0xFF and not so.hears(pkt.dst, pkt.iface) and not _kernel_group(pkt):
            continue
        matched = True
        if node.ipsec and ipsec6_input.rejected(node, pkt, so.policy, proto):
            node.stat["ipsec6.in_polvio"] += 1
            continue
        if plain is None:
            plain = sa6_recoverscope(pkt.src)
            dst = sa6_recoverscope(pkt.dst)[0]
        tclass = (pkt.data[0] & 0x0F) << 4 | pkt.data[1] >> 4
        message = Message(payload, plain[0], 0, plain[1], dst, pkt.iface.index, pkt.hlim, tclass, node.clock.now)
        if so.proto != IPPROTO_ICMPV6 and so.options.get("IPV6_CHECKSUM", -1) >= 0:
            node.stat["rip6.isum"] += 1
            if not in6_cksum_ok(pkt.data[8:24], pkt.data[24:40], proto, payload):
                node.stat["rip6.badsum"] += 1
                continue
        if append(node, so, message, pkt):
            taken += 1
    if not matched:
        node.stat["rip6.nosock"] += 1
        if pkt.dst[0] == 0xFF:
            node.stat["rip6.nosockmcast"] += 1
    if taken:
        node.stat["rip6.delivered"] += taken
    return taken


def _kernel_group(pkt: Packet) -> bool:
    """The interface is in the group for another's sake, or a router's alert: raw sockets hear it, as on every BSD."""
    return pkt.dst in pkt.iface.groups or pkt.rtalert >= 0
