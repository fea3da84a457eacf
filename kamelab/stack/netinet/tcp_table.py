"""TCP connections as rows (`views.TcpRow`), and the columns that netstat's list of sockets has of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet import tcp_cong
from kamelab.stack.netinet.tcp_output import receive_space
from kamelab.stack.netinet.tcp_state import CLOSED, LISTEN, NETSTAT, endpoint
from kamelab.stack.views import TcpRow

if TYPE_CHECKING:
    from kamelab.stack.netinet.tcp_var import SynEntry, Tcb
    from kamelab.stack.node import Node
    from kamelab.stack.socket.sockets import Socket


def rows(node: Node) -> tuple[TcpRow, ...]:
    """Every TCP socket in order of creation, each listening one followed by its half-open connections."""
    out: list[TcpRow] = []
    for so in node.sockets.values():
        if so.tcb is not None:
            out.append(_row(node, so, so.tcb))
            out += [_half_open(node, so, entry) for entry in so.tcb.syn.values()]
    return tuple(out)


def _row(node: Node, so: Socket, tcb: Tcb) -> TcpRow:
    live = tcb.state not in (CLOSED, LISTEN)
    return TcpRow(
        so.sid,
        endpoint(node, so.laddr or b"", so.lport),
        endpoint(node, so.faddr or b"", so.fport),
        tcb.state,
        tcb.since,
        so.pid,
        tcb.mss,
        tcb.iss,
        tcb.irs,
        tcb.snd_una - tcb.iss,
        tcb.snd_nxt - tcb.iss,
        tcb.snd_wnd,
        tcb.rcv_nxt - tcb.irs,
        receive_space(tcb) if live else 0,
        tcb.cwnd,
        0 if tcb.ssthresh == 1 << 30 else tcb.ssthresh,
        tcb.srtt,
        tcb.rttvar,
        tcp_cong.backed_off(tcb),
        tcb.rexmt_shift,
        tcb.dupacks,
        tcb.recovering,
        len(tcb.snd_buf),
        len(tcb.rcv_buf),
        len(tcb.queue),
        (tcb.snd_scale, tcb.rcv_scale),
        tcb.stamps,
        tuple((name, timer.at) for name, timer in tcb.timers if timer.at is not None),
    )


def _half_open(node: Node, so: Socket, entry: SynEntry) -> TcpRow:
    return TcpRow(
        so.sid,
        endpoint(node, entry.laddr, entry.lport),
        endpoint(node, entry.faddr, entry.fport),
        entry.state,
        entry.since,
        0,
        entry.mss,
        entry.iss,
        entry.irs,
        0,
        1,
        entry.window,
        1,
        min(so.rcvbuf, 65535),
        0,
        0,
        0,
        0,
        tcp_cong.INITIAL_RTO << entry.retries,
        entry.retries,
        0,
        False,
        0,
        0,
        0,
        (max(entry.scale, 0), entry.own_scale),
        entry.stamps,
        (("rexmt", entry.at),),
    )


def columns(so: Socket) -> tuple[int, int, str]:
    """(receive queue, send queue, state in netstat's words) of any socket; a listening one shows who waits."""
    tcb = so.tcb
    if tcb is None:
        return so.octets, 0, ""
    if tcb.state == LISTEN:
        return len(tcb.accept_queue), 0, NETSTAT[LISTEN]
    return len(tcb.rcv_buf), len(tcb.snd_buf), NETSTAT[tcb.state]
