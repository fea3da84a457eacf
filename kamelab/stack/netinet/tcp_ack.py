"""The acknowledgement of a segment, and its window (RFC 9293 3.10.7.4 fifth, RFC 5961 5, RFC 5681 3, RFC 6582 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS
from kamelab.core.errors import Errno
from kamelab.stack.netinet import tcp_cong, tcp_state
from kamelab.stack.netinet.tcp_output import challenge_ack, resend_first
from kamelab.stack.netinet.tcp_state import CLOSED, CLOSING, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK, TIME_WAIT
from kamelab.stack.netinet.tcp_subr import tcp_close
from kamelab.stack.netinet.tcp_var import WIRE, Tcb, near
from kamelab.stack.netinet6 import ip6_output, nd6
from kamelab.stack.packet import Action

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def new_ack(node: Node, tcb: Tcb, number: int, tsecr: int) -> int:
    """Everything before ``number`` has arrived: measure, free, let the window grow; the octets of data among it.

    ``tsecr`` is our timestamp as the peer echoes it, -1 without.
    """
    stat = node.stat
    now = node.clock.now
    stat["tcp.rcvackpack"] += 1
    acked = number - tcb.snd_una
    stat["tcp.rcvackbyte"] += acked
    if tcb.rtt_seq >= 0:
        if number > tcb.rtt_seq:
            tcp_cong.measured(node, tcb, now - tcb.rtt_at)
            tcb.rtt_seq = -1
    elif tcb.rexmt_shift:
        _after_time_out(node, tcb, tsecr)
    tcb.rexmt_shift = 0
    tcb.snd_una = number
    freed = min(number - tcb.snd_base, len(tcb.snd_buf))
    if freed > 0:
        del tcb.snd_buf[:freed]
        tcb.snd_base += freed
        node.wakeup(tcb.sid)
    if tcb.snd_nxt < number:
        tcb.snd_nxt = number
    if number >= tcb.snd_max:
        tcb.rexmt.cancel()
    else:
        tcb.rexmt.arm(now + tcb.rto, node.trace.cause)
    if tcb.persist.at is not None:
        tcb.persist_shift = 0
    if not tcb.recovering:
        tcb.dupacks = 0
        tcp_cong.grow(tcb, acked)
    if node.sysctl["net.inet6.icmp6.nd6_maxnudhint"] > 0:
        _hint(node, tcb.faddr)
    return acked


def _after_time_out(node: Node, tcb: Tcb, tsecr: int) -> None:
    """What was sent again is acknowledged: the echo tells which of the copies was answered (RFC 7323 4.1, Karn).

    Of an older copy than the last its time is no round trip but a lost acknowledgement and the wait for the time-out.
    Where nothing was measured, the time-out stays backed off until something is (RFC 6298 5.5).
    """
    now = node.clock.now
    wait = tcp_cong.backed_off(tcb)
    if tsecr > 0 and tcb.rexmt.at is not None:
        taken = ((now // MS + tcb.stamp - tsecr) & WIRE) * MS
        if taken <= now - (tcb.rexmt.at - wait) + MS:
            tcp_cong.measured(node, tcb, taken)
            return
    tcb.rto = wait


def _hint(node: Node, faddr: bytes) -> None:
    """Forward progress: the next hop works (RFC 4861 7.3.1; KAME IMPLEMENTATION 1.2 (2001))."""
    try:
        iface, nexthop, _ = ip6_output.outgoing(node, faddr, None)
    except Errno:
        return
    nd6.nd6_nud_hint(node, iface, nexthop)


def ack_input(
    node: Node, tcb: Tcb, seq: int, ack: int, length: int, window: int, tsecr: int
) -> tuple[str, list[Action]]:
    """(drop reason or "", actions) for the acknowledgement ``ack`` and window of a segment that is in the window.

    ``length`` is what the segment takes in sequence space. Tells the window only as of what is acknowledged by now.
    """
    stat = node.stat
    una = tcb.snd_una
    number = near(ack, una)
    window <<= tcb.snd_scale
    if number > tcb.snd_max or number < una - tcb.max_sndwnd:
        # Nothing that a peer of this connection could say (RFC 9293 3.10.7.4, RFC 5961 5.2).
        return ("TCP_ACK_TOOMUCH" if number > tcb.snd_max else "TCP_ACK_OLD"), challenge_ack(node, tcb)
    if number <= una:
        return "", _duplicate(node, tcb, seq, number, length, window)
    actions: list[Action] = []
    acked = new_ack(node, tcb, number, tsecr if tcb.stamps else -1)
    if tcb.recovering:
        if number >= tcb.recover:
            tcp_cong.leave_recovery(tcb)
        elif node.sysctl["net.inet.tcp.newreno"]:
            stat["tcp.newrenopartial"] += 1
            tcp_cong.partial(tcb, acked)
            actions += resend_first(node, tcb)
        else:
            tcp_cong.leave_recovery(tcb)
    take_window(node, tcb, seq, number, window, length)
    if number > tcb.snd_base + len(tcb.snd_buf):
        _fin_acked(node, tcb)
    return "", actions


def _fin_acked(node: Node, tcb: Tcb) -> None:
    """Our FIN has arrived."""
    if tcb.state not in (FIN_WAIT_1, CLOSING, LAST_ACK):
        return
    tcp_state.move(node, tcb, "rcv_ack_of_fin")
    if tcb.state == CLOSED:
        tcp_close(node, tcb)
    elif tcb.state == TIME_WAIT:
        enter_time_wait(node, tcb)
    elif tcb.state == FIN_WAIT_2 and tcb.sid in node.tcp_orphans:
        wait_for_fin(node, tcb)


def enter_time_wait(node: Node, tcb: Tcb) -> None:
    """Wait 2 MSL, from now (RFC 9293 3.6.1)."""
    tcb.rexmt.cancel()
    tcb.persist.cancel()
    tcb.keep.cancel()
    tcb.twomsl.arm(node.clock.now + 2 * node.sysctl["net.inet.tcp.msl"] * MS, node.trace.cause)


def wait_for_fin(node: Node, tcb: Tcb) -> None:
    """FIN-WAIT-2 without a program does not last for ever (BSD tcp_maxidle)."""
    idle = node.sysctl["net.inet.tcp.keepcnt"] * node.sysctl["net.inet.tcp.keepintvl"] * MS
    tcb.twomsl.arm(node.clock.now + idle, node.trace.cause)


def take_window(node: Node, tcb: Tcb, seq: int, number: int, window: int, length: int) -> None:
    """Believe the window of the latest segment (RFC 9293 3.10.7.4, snd_wl1 and snd_wl2)."""
    if not (
        tcb.snd_wl1 < seq
        or (tcb.snd_wl1 == seq and (tcb.snd_wl2 < number or (tcb.snd_wl2 == number and window > tcb.snd_wnd)))
    ):
        return
    if not length and tcb.snd_wl2 == number and window > tcb.snd_wnd:
        node.stat["tcp.rcvwinupd"] += 1
    tcb.snd_wnd = window
    tcb.snd_wl1, tcb.snd_wl2 = seq, number
    tcb.max_sndwnd = max(tcb.max_sndwnd, window)
    if window and tcb.persist.at is not None:
        tcb.persist.cancel()
        tcb.persist_shift = 0
        tcb.snd_nxt = min(tcb.snd_nxt, tcb.snd_max)


def _duplicate(node: Node, tcb: Tcb, seq: int, number: int, length: int, window: int) -> list[Action]:
    """An acknowledgement of nothing new: a window update, or news of a loss (RFC 5681 2, 3.2; RFC 6582 3.2)."""
    waiting = tcb.snd_max > tcb.snd_una and tcb.rexmt.at is not None
    changed = window != tcb.snd_wnd
    if number == tcb.snd_una:
        take_window(node, tcb, seq, number, window, length)
    if length or changed or number != tcb.snd_una or not waiting:
        if not length and not changed and not waiting:
            tcb.dupacks = 0
        return []
    node.stat["tcp.rcvdupack"] += 1
    tcb.dupacks += 1
    if tcb.recovering:
        tcb.cwnd += tcb.mss
        return []
    if tcb.dupacks == tcp_cong.DUPTHRESH and number > tcb.recover:
        tcp_cong.enter_recovery(tcb)
        node.stat["tcp.fastrexmit"] += 1
        return resend_first(node, tcb)
    return []
