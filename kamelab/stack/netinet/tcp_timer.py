"""What TCP's timers do (BSD tcp_timer.c; RFC 9293 3.8.1, 3.8.3, 3.8.4, RFC 6298 5). There are no ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS
from kamelab.core.errors import ETIMEDOUT
from kamelab.stack.net import rtsock
from kamelab.stack.netinet import tcp_cong, tcp_state, tcp_syn
from kamelab.stack.netinet.tcp_output import arm_persist, segment, tcp_output
from kamelab.stack.netinet.tcp_state import CLOSE_WAIT, ESTABLISHED, FIN_WAIT_2, LISTEN, SYN_RECEIVED, SYN_SENT
from kamelab.stack.netinet.tcp_subr import tcp_close, tcp_drop
from kamelab.stack.packet import Action
from kamelab.wire import tcp

if TYPE_CHECKING:
    from kamelab.stack.netinet.tcp_var import Tcb
    from kamelab.stack.node import Node

TOTAL_BACKOFF = 511
"""Time-outs after which a peer that answers no probe is given up (BSD tcp_totbackoff)."""
LOSING = 4
"""Retransmissions of the same octet after which routing sockets hear RTM_LOSING (BSD in_losing)."""


def tcp_timer(node: Node, sid: int, which: str) -> list[Action]:
    """The timer ``which`` of socket ``sid`` ran out."""
    so = node.sockets.get(sid)
    tcb = so.tcb if so is not None else None
    if tcb is None:
        return []
    if which == "rexmt":
        return _rexmt(node, tcb)
    if which == "persist":
        return _persist(node, tcb)
    if which == "keep":
        return _keep(node, tcb)
    if which == "delack":
        node.stat["tcp.delack"] += 1
        tcb.delayed = 0
        tcb.ack_now = True
        return tcp_output(node, tcb)
    if which == "syn":
        return tcp_syn.syn_timer(node, tcb)
    # 2msl: the end of TIME-WAIT, or of a FIN-WAIT-2 that no program waits in.
    if tcp_state.move(node, tcb, "timeout"):
        tcp_close(node, tcb)
    return []


def _rexmt(node: Node, tcb: Tcb) -> list[Action]:
    """Nothing was acknowledged in time: back off, begin again from the first octet (RFC 6298 5.4 to 5.7)."""
    if tcb.rexmt_shift >= tcp_cong.MAX_SHIFT:
        node.stat["tcp.timeoutdrop"] += 1
        return tcp_drop(node, tcb, "timeout", tcb.soft_error or ETIMEDOUT)
    node.stat["tcp.rexmttimeo"] += 1
    tcb.rexmt_shift += 1
    if tcb.rexmt_shift == LOSING:
        rtsock.losing(node, tcb.faddr)
    tcb.rtt_seq = -1
    if tcb.state in (SYN_SENT, SYN_RECEIVED):
        tcb.snd_nxt = tcb.iss
    else:
        tcp_cong.timed_out(tcb)
        tcb.snd_nxt = tcb.snd_una
    tcb.rexmt.arm(node.clock.now + tcp_cong.backed_off(tcb), node.trace.cause)
    return tcp_output(node, tcb)


def _persist(node: Node, tcb: Tcb) -> list[Action]:
    """Probe a closed window with one octet; the peer must answer (RFC 9293 3.8.6.1).

    One that has answered nothing for as long as retransmissions would have gone on is gone (BSD tcp_timer_persist).
    """
    node.stat["tcp.persisttimeo"] += 1
    silent = node.clock.now - tcb.idle_at
    if tcb.persist_shift >= tcp_cong.MAX_SHIFT and silent >= min(
        tcp_cong.base_rto(node, tcb) * TOTAL_BACKOFF, node.sysctl["net.inet.tcp.keepidle"] * MS
    ):
        node.stat["tcp.persistdrop"] += 1
        return tcp_drop(node, tcb, "timeout", tcb.soft_error or ETIMEDOUT)
    tcb.force = True
    actions = tcp_output(node, tcb)
    tcb.force = False
    if tcb.rexmt.at is None:
        arm_persist(node, tcb)
    return actions


def wants_keepalive(node: Node, tcb: Tcb) -> bool:
    """SO_KEEPALIVE, or net.inet.tcp.always_keepalive (off by default: RFC 9293 3.8.4)."""
    return bool(tcb.so.options.get("SO_KEEPALIVE") or node.sysctl["net.inet.tcp.always_keepalive"])


def start_keepalive(node: Node, tcb: Tcb) -> None:
    """The connection is there, or its option has changed: the timer is for keep-alive, or for nothing."""
    tcb.keep_probes = 0
    if wants_keepalive(node, tcb) and tcb.state not in (SYN_SENT, SYN_RECEIVED):
        tcb.keep.arm(node.clock.now + node.sysctl["net.inet.tcp.keepidle"] * MS, node.trace.cause)
    else:
        tcb.keep.cancel()


def _keep(node: Node, tcb: Tcb) -> list[Action]:
    """Establishment took too long, or the peer has been silent (RFC 9293 3.8.3 for R2 of a SYN, 3.8.4)."""
    if tcb.state in (SYN_SENT, SYN_RECEIVED):
        node.stat["tcp.keeptimeo"] += 1
        return tcp_drop(node, tcb, "timeout", tcb.soft_error or ETIMEDOUT)
    if tcb.state == LISTEN or not wants_keepalive(node, tcb):
        return []
    now = node.clock.now
    due = tcb.idle_at + node.sysctl["net.inet.tcp.keepidle"] * MS
    if now < due:
        # It was heard since: no news is needed yet.
        tcb.keep_probes = 0
        tcb.keep.arm(due, node.trace.cause)
        return []
    node.stat["tcp.keeptimeo"] += 1
    if tcb.keep_probes >= node.sysctl["net.inet.tcp.keepcnt"]:
        node.stat["tcp.keepdrops"] += 1
        return tcp_drop(node, tcb, "timeout", ETIMEDOUT)
    tcb.keep_probes += 1
    tcb.keep.arm(now + node.sysctl["net.inet.tcp.keepintvl"] * MS, node.trace.cause)
    if tcb.state not in (ESTABLISHED, CLOSE_WAIT, FIN_WAIT_2):
        return []
    node.stat["tcp.keepprobe"] += 1
    # An octet that the peer has acknowledged already: it can only answer with its acknowledgement.
    return [segment(node, tcb, tcb.snd_una - 1, tcp.ACK, b"")]
