"""Congestion control: slow start, avoidance, fast retransmit and recovery (RFC 5681, NewReno RFC 6582), and the
retransmission time-out (RFC 6298).

Windows are in octets. Left out: selective acknowledgements (RFC 6675), ECN (RFC 3168), Eifel detection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.clock import MS, SECOND
from kamelab.stack.netinet.tcp_var import MAX_WINDOW

if TYPE_CHECKING:
    from kamelab.stack.netinet.tcp_var import Tcb
    from kamelab.stack.node import Node

DUPTHRESH: Final = 3
"""Duplicate acknowledgements that mean a loss (RFC 5681 3.2)."""
INITIAL_RTO: Final = SECOND
"""Before the first measurement (RFC 6298 2.1)."""
SYN_LOST_RTO: Final = 3 * SECOND
"""Where the SYN was lost, for the first data (RFC 6298 5.7)."""
MAX_RTO: Final = 64 * SECOND
"""RFC 6298 2.5 asks for at least 60 s; 64 s is BSD's TCPTV_REXMTMAX."""
MAX_SHIFT: Final = 12
"""Retransmissions of one segment before the connection ends (BSD TCP_MAXRXTSHIFT): R2, RFC 9293 3.8.3."""


def initial_window(node: Node, tcb: Tcb) -> int:
    """RFC 6928 2 for the sysctl's default of 10 segments; 0 means RFC 3390 1."""
    mss = tcb.mss
    segments = node.sysctl["net.inet.tcp.initcwnd_segments"]
    if segments <= 0:
        return min(4 * mss, max(2 * mss, 4380))
    return min(segments * mss, max(2 * mss, segments * 1460))


def established(node: Node, tcb: Tcb) -> None:
    """The windows that a connection begins with; one segment where the SYN was lost (RFC 5681 3.1)."""
    tcb.cwnd = tcb.mss if tcb.rexmt_shift else initial_window(node, tcb)
    tcb.recover = tcb.iss


def restart(node: Node, tcb: Tcb) -> None:
    """Nothing was sent for longer than a time-out: begin as slowly as at first (RFC 5681 4.1)."""
    tcb.cwnd = min(tcb.cwnd, initial_window(node, tcb))


def grow(tcb: Tcb, acked: int) -> None:
    """New data was acknowledged outside of recovery (RFC 5681 3.1)."""
    mss = tcb.mss
    if tcb.cwnd < tcb.ssthresh:
        tcb.cwnd += min(acked, mss)
    else:
        tcb.grown += acked
        if tcb.grown >= tcb.cwnd:
            tcb.grown -= tcb.cwnd
            tcb.cwnd += mss
    tcb.cwnd = min(tcb.cwnd, MAX_WINDOW << tcb.snd_scale)


def halve(tcb: Tcb) -> None:
    """A loss was seen: half of what is in flight, two segments at least (RFC 5681 3.1, equation 4)."""
    tcb.ssthresh = max((tcb.snd_max - tcb.snd_una) // 2, 2 * tcb.mss)
    tcb.grown = 0


def timed_out(tcb: Tcb) -> None:
    """The retransmission timer ran out (RFC 5681 3.1, RFC 6582 4)."""
    if tcb.rexmt_shift <= 1:
        halve(tcb)
    tcb.cwnd = tcb.mss
    tcb.recover = tcb.snd_max
    tcb.recovering = False
    tcb.dupacks = 0


def enter_recovery(tcb: Tcb) -> None:
    """The third duplicate acknowledgement (RFC 6582 3.2 step 2)."""
    halve(tcb)
    tcb.recover = tcb.snd_max
    tcb.recovering = True
    tcb.cwnd = tcb.ssthresh + DUPTHRESH * tcb.mss


def leave_recovery(tcb: Tcb) -> None:
    """A full acknowledgement; no burst beyond what is in flight (RFC 6582 3.2 step 3, the first way)."""
    tcb.recovering = False
    tcb.dupacks = 0
    tcb.cwnd = min(tcb.ssthresh, max(tcb.snd_max - tcb.snd_una, tcb.mss) + tcb.mss)


def partial(tcb: Tcb, acked: int) -> None:
    """A partial acknowledgement deflates the window (RFC 6582 3.2 step 3)."""
    tcb.cwnd = max(tcb.cwnd - acked, 0)
    if acked >= tcb.mss:
        tcb.cwnd += tcb.mss
    tcb.cwnd = max(tcb.cwnd, tcb.mss)


def measured(node: Node, tcb: Tcb, rtt: int) -> None:
    """A round trip of ``rtt`` ns was measured (RFC 6298 2.2, 2.3)."""
    node.stat["tcp.rttupdated"] += 1
    rtt = max(rtt, 1)
    if tcb.srtt:
        tcb.rttvar += (abs(tcb.srtt - rtt) - tcb.rttvar) // 4
        tcb.srtt += (rtt - tcb.srtt) // 8
    else:
        tcb.srtt = rtt
        tcb.rttvar = rtt // 2
    tcb.rto = base_rto(node, tcb)


def base_rto(node: Node, tcb: Tcb) -> int:
    """The time-out without back-off, ns (RFC 6298 2.3, 2.4)."""
    if not tcb.srtt:
        return INITIAL_RTO
    floor = node.sysctl["net.inet.tcp.rto_min"] * MS
    return min(max(tcb.srtt + max(4 * tcb.rttvar, MS), floor), MAX_RTO)


def backed_off(tcb: Tcb) -> int:
    """The time-out now in force (RFC 6298 5.5)."""
    return min(tcb.rto << min(tcb.rexmt_shift, MAX_SHIFT), MAX_RTO)
