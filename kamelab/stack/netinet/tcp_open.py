"""How a connection comes to be established: SYN-SENT, and the end of SYN-RECEIVED (RFC 9293 3.10.7.3, 3.10.7.4).

The half-open connections of listening sockets are in ``tcp_syn``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.errors import ECONNREFUSED
from kamelab.stack.netinet import tcp_cong, tcp_state
from kamelab.stack.netinet.tcp_output import receive_space, tcp_output
from kamelab.stack.netinet.tcp_reass import accept, fin_received
from kamelab.stack.netinet.tcp_subr import reset, tcp_drop, tcp_mss
from kamelab.stack.netinet.tcp_timer import start_keepalive
from kamelab.stack.netinet.tcp_var import MAX_SCALE, Tcb, near
from kamelab.stack.packet import Packet, Verdict, deliver, drop
from kamelab.wire import tcp

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def syn_sent(node: Node, pkt: Packet, tcb: Tcb, octets: bytes, hlen: int, options: tcp.Options) -> Verdict:
    """RFC 9293 3.10.7.3."""
    _, _, seq, ack, _, flags, window, _, _ = tcp.HEADER.unpack_from(octets)
    number = near(ack, tcb.snd_una)
    if flags & tcp.ACK and not tcb.iss < number <= tcb.snd_max:
        return drop("TCP_BADACK", reset(node, pkt.src, pkt.dst, octets, 0))
    if flags & tcp.RST:
        if not flags & tcp.ACK:
            return drop("TCP_RST_OUTSIDE")
        tcp_drop(node, tcb, "rcv_rst", ECONNREFUSED)
        return deliver("SYN-SENT, reset")
    if not flags & tcp.SYN:
        return drop("TCP_NOSYN")
    tcb.irs = seq
    tcb.rcv_nxt = tcb.last_ack_sent = seq + 1
    tcb.rcv_adv = tcb.rcv_nxt
    tcb.idle_at = node.clock.now
    tcb.peer_mss = max(options.mss, 0)
    wanted = node.sysctl["net.inet.tcp.rfc1323"]
    tcb.scaling = bool(wanted and options.wscale >= 0)
    tcb.snd_scale = min(options.wscale, MAX_SCALE) if tcb.scaling else 0
    if not tcb.scaling:
        tcb.rcv_scale = 0
    tcb.stamps = bool(wanted and options.tsval >= 0)
    if tcb.stamps:
        tcb.ts_recent, tcb.ts_recent_at = options.tsval, node.clock.now
    tcp_mss(node, tcb)
    tcb.snd_wnd = tcb.max_sndwnd = window
    tcb.snd_wl1 = seq
    if not flags & tcp.ACK:
        # Simultaneous open (RFC 9293 figure 7).
        tcp_state.move(node, tcb, "rcv_syn")
        tcb.snd_nxt = tcb.iss
        return deliver("SYN-SENT, a SYN", tcp_output(node, tcb))
    tcp_state.move(node, tcb, "rcv_syn_ack")
    tcb.snd_wl2 = number
    established(node, tcb)
    length = len(octets) - hlen
    tcb.ack_now = True
    if length or flags & tcp.FIN:
        piece = octets[hlen:][: max(receive_space(tcb), 0)]
        if piece:
            node.stat["tcp.rcvpack"] += 1
            node.stat["tcp.rcvbyte"] += len(piece)
            accept(node, tcb, piece)
        if flags & tcp.FIN and len(piece) == length:
            fin_received(node, tcb)
    actions = tcp_output(node, tcb)
    node.wakeup(tcb.sid)
    return deliver("SYN-SENT, SYN and acknowledgement", actions)


def complete(node: Node, pkt: Packet, tcb: Tcb, octets: bytes, ack: int, window: int) -> Verdict | None:
    """SYN-RECEIVED: the acknowledgement of our SYN makes the connection; None to go on with the segment."""
    number = near(ack, tcb.snd_una)
    if not tcb.snd_una < number <= tcb.snd_max:
        return drop("TCP_BADACK", reset(node, pkt.src, pkt.dst, octets, 0))
    tcp_state.move(node, tcb, "rcv_ack_of_syn")
    tcb.snd_wnd = tcb.max_sndwnd = window << tcb.snd_scale
    tcb.snd_wl1 = tcb.rcv_nxt - 1
    tcb.snd_wl2 = number
    established(node, tcb)
    node.wakeup(tcb.sid)
    return None


def established(node: Node, tcb: Tcb) -> None:
    """Our SYN is acknowledged: the first measurement, the first window, keep-alive."""
    node.stat["tcp.connects"] += 1
    lost = tcb.rexmt_shift
    tcp_cong.established(node, tcb)
    if tcb.rtt_seq >= 0 and not lost:
        tcp_cong.measured(node, tcb, node.clock.now - tcb.rtt_at)
    elif lost:
        tcb.rto = tcp_cong.SYN_LOST_RTO
    tcb.rtt_seq = -1
    tcb.rexmt_shift = 0
    tcb.snd_una = tcb.snd_base = tcb.iss + 1
    tcb.snd_nxt = max(tcb.snd_nxt, tcb.snd_una)
    tcb.rexmt.cancel()
    tcb.keep.cancel()
    start_keepalive(node, tcb)
    if tcb.want_close:
        tcb.no_more = True
        tcp_state.move(node, tcb, "close")
