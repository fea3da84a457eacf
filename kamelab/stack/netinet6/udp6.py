"""UDP over IPv6 (KAME udp6_usrreq.c; RFC 768, RFC 8200 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.icmp6_ctl import connected, ctlerror, prc
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netinet6.scope6 import sa6_recoverscope
from kamelab.stack.netipsec import ipsec6_input
from kamelab.stack.packet import DECRYPTED, Packet, Verdict, deliver, drop
from kamelab.stack.socket.message import Message
from kamelab.stack.socket.sockets import append
from kamelab.wire import icmp6 as icmp
from kamelab.wire import udp
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.ip6 import IPPROTO_UDP

if TYPE_CHECKING:
    from kamelab.stack.netinet6.icmp6_ctl import Quoted
    from kamelab.stack.node import Node


def udp6_input(node: Node, pkt: Packet) -> Verdict:
    """The datagram at ``pkt.off`` (KAME udp6_input)."""
    pkt.stage = "udp6_input"
    node.stat["udp6.ipackets"] += 1
    segment = pkt.data[pkt.off : pkt.end]
    try:
        header = udp.parse(segment)
    except WireError:
        return drop("UDP_HEADER")
    if header.length < 8 or header.length > len(segment):
        return drop("UDP_TOOSHORT")
    segment = segment[: header.length]
    if header.checksum == 0:
        return drop("UDP_NOCHECKSUM")
    if not in6_cksum_ok(pkt.data[8:24], pkt.data[24:40], IPPROTO_UDP, segment):
        return drop("UDP_CHECKSUM")
    if header.dport == 0:
        return drop("UDP_PORT_ZERO")
    src, zone = sa6_recoverscope(pkt.src)
    dst, _ = sa6_recoverscope(pkt.dst)
    tclass = (pkt.data[0] & 0x0F) << 4 | pkt.data[1] >> 4
    message = Message(segment[8:], src, header.sport, zone, dst, pkt.iface.index, pkt.hlim, tclass, node.clock.now)
    if pkt.dst[0] == 0xFF:
        taken = full = refused = 0
        for sid in node.udp_ports.get(header.dport, ()):
            so = node.sockets[sid]
            if so.hears(pkt.dst, pkt.iface, pkt.src) and _matches(pkt, header.sport, so.laddr, so.faddr, so.fport):
                if node.ipsec and ipsec6_input.rejected(node, pkt, so.policy, IPPROTO_UDP, header.sport, header.dport):
                    refused += 1
                elif append(node, so, message, pkt):
                    taken += 1
                else:
                    full += 1
        if not taken and refused:
            return drop("IPSEC_POLICY")
        node.stat["ipsec6.in_polvio"] += refused
        if not taken:
            return drop("SOCK_FULL" if full else "UDP_NOPORT_MULTICAST")
        node.stat["udp6.fullsock"] += full
        return deliver(f"{taken} sockets")
    best = 0
    best_score = -1
    for sid in node.udp_ports.get(header.dport, ()):
        so = node.sockets[sid]
        if _matches(pkt, header.sport, so.laddr, so.faddr, so.fport):
            score = (so.laddr is not None) + 2 * (so.faddr is not None)
            if score > best_score:
                best, best_score = sid, score
    if best:
        own = node.sockets[best].policy
        if node.ipsec and ipsec6_input.rejected(node, pkt, own, IPPROTO_UDP, header.sport, header.dport):
            return drop("IPSEC_POLICY")
        if not append(node, node.sockets[best], message, pkt):
            return drop("SOCK_FULL")
        return deliver(f"port {header.dport}")
    if pkt.lcast:
        return drop("UDP_NOPORT_MULTICAST")
    return drop(
        "UDP_NOPORT",
        icmp6_error(
            node,
            pkt.iface,
            pkt.data[: pkt.end],
            icmp.DST_UNREACH,
            icmp.UNREACH_PORT,
            0,
            rx_iface=pkt.iface,
            lcast=pkt.lcast,
            decrypted=bool(pkt.ipsec & DECRYPTED),
        ),
    )


def _matches(pkt: Packet, sport: int, laddr: bytes | None, faddr: bytes | None, fport: int) -> bool:
    if laddr is not None and laddr != pkt.dst:
        return False
    return faddr is None or (faddr == pkt.src and fport == sport)


def udp6_ctlinput(node: Node, quoted: Quoted, kind: int, code: int) -> None:
    """An ICMPv6 error about one of our datagrams: the connected socket hears of it (KAME udp6_ctlinput).

    Of a dead host all sockets hear that are connected to it (BSD in6_pcbnotify).
    """
    error = ctlerror(kind, code)
    if not error:
        return
    if prc(kind, code) == "PRC_HOSTDEAD":
        heard = [so for so in node.sockets.values() if so.kind == "udp6" and so.faddr == quoted.dst]
    else:
        sockets = (node.sockets[sid] for sid in node.udp_ports.get(quoted.sport, ()))
        heard = [so for so in sockets if so.fport == quoted.dport and connected(so, quoted)]
    for so in heard:
        so.error = error
        node.wakeup(so.sid)
