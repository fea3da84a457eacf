"""TCP output: what may be sent now, and the segments (BSD tcp_output.c; RFC 9293 3.8.6, RFC 7323, RFC 3042).

Nothing here transmits: segments are actions for the node. Left out: urgent data of our own (RFC 6093 3).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from kamelab.core.clock import MS, SECOND
from kamelab.stack.netinet import tcp_cong
from kamelab.stack.netinet.tcp_state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
)
from kamelab.stack.netinet.tcp_subr import scale_for
from kamelab.stack.netinet.tcp_var import MAX_WINDOW, WIRE, Tcb
from kamelab.stack.packet import Action, Output
from kamelab.stack.socket import sockets
from kamelab.wire import tcp
from kamelab.wire.ip6 import IPPROTO_TCP

if TYPE_CHECKING:
    from kamelab.stack.node import Node

_PLAIN = Struct("!HHIIBBHHH")
_STAMPED = Struct("!HHIIBBHHH4sII")
_FINISHING = (FIN_WAIT_1, CLOSING, LAST_ACK)
_SENDING = (ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK)
PERSIST_MIN = 5 * SECOND
PERSIST_MAX = 60 * SECOND
"""Between probes of a zero window (BSD TCPTV_PERSMIN, TCPTV_PERSMAX; RFC 9293 3.8.6.1)."""


def receive_space(tcb: Tcb) -> int:
    """The window that may be advertised: free space, but never less than was promised (RFC 9293 3.8.6.2.2)."""
    so = tcb.so
    space = so.rcvbuf - len(tcb.rcv_buf)
    if space < so.rcvbuf >> 2 and space < tcb.mss:
        space = 0
    space = min(space, MAX_WINDOW << tcb.rcv_scale)
    promised = tcb.rcv_adv - tcb.rcv_nxt
    return promised if space < promised else space


def window_opened(tcb: Tcb) -> bool:
    """The window has grown by as much as is worth a segment of its own (RFC 9293 3.8.6.2.2).

    Half of the buffer is; two segments are while the peer may be waiting for room, else the next acknowledgement
    tells of them soon enough.
    """
    if tcb.fin_rcvd:
        return False
    space, buffer = receive_space(tcb), tcb.so.rcvbuf
    left = tcb.rcv_adv - tcb.rcv_nxt
    gain = space - left
    if 2 * gain >= buffer:
        return gain > 0
    return gain >= 2 * tcb.mss and (4 * gain >= buffer or 8 * left <= buffer or buffer <= 8 * tcb.mss)


def segment(node: Node, tcb: Tcb, seq: int, flags: int, data: bytes | bytearray, options: bytes = b"") -> Output:
    """A segment of the connection, acknowledging what was received; everything that goes with that is done."""
    space = receive_space(tcb)
    if flags & tcp.SYN:
        window = space = min(space, MAX_WINDOW)
    else:
        window = space >> tcb.rcv_scale
        space = window << tcb.rcv_scale
    ack = tcb.rcv_nxt if flags & tcp.ACK else 0
    if options or not tcb.stamps:
        head = _PLAIN.pack(
            tcb.lport, tcb.fport, seq & WIRE, ack & WIRE, (20 + len(options)) << 2, flags, window, 0, 0
        ) + options  # fmt: skip
    else:
        stamp = (node.clock.now // MS + tcb.stamp) & WIRE
        head = _STAMPED.pack(
            tcb.lport, tcb.fport, seq & WIRE, ack & WIRE, 128, flags, window, 0, 0,
            tcp.STAMP_WORD, stamp, tcb.ts_recent,
        )  # fmt: skip
    out = Output("tcp_output", tcb.faddr, IPPROTO_TCP, head + data, src=tcb.laddr, cksum=16)
    so = tcb.so
    if so.sticky:
        sockets.dress(node, so, out)
    else:
        out.tclass = so.flow >> 20
    out.flow = tcb.flow
    out.socket = tcb.sid
    if flags & tcp.ACK:
        edge = tcb.rcv_nxt + space
        if edge > tcb.rcv_adv:
            tcb.rcv_adv = edge
        tcb.last_ack_sent = tcb.rcv_nxt
        tcb.ack_now = False
        if tcb.delayed:
            tcb.delayed = 0
            tcb.delack.cancel()
    node.stat["tcp.sndtotal"] += 1
    return out


def syn_segment(node: Node, tcb: Tcb) -> Output:
    """The SYN of an active or simultaneous open, with our options."""
    sysctl = node.sysctl["net.inet.tcp.rfc1323"]
    answer = tcb.state == SYN_RECEIVED
    flags = tcp.SYN | tcp.ACK if answer else tcp.SYN
    wscale = stamp = -1
    if sysctl and (not answer or tcb.scaling):
        tcb.rcv_scale = scale_for(tcb.so.rcvbuf)
        wscale = tcb.rcv_scale
    if sysctl and (not answer or tcb.stamps):
        stamp = (node.clock.now // MS + tcb.stamp) & WIRE
    options = tcp.build_options(tcb.offered, wscale, stamp, tcb.ts_recent)
    node.stat["tcp.sndctrl"] += 1
    return segment(node, tcb, tcb.iss, flags, b"", options)


def tcp_output(node: Node, tcb: Tcb) -> list[Action]:
    """All segments that may leave now (BSD tcp_output): data, FIN, acknowledgement, window update.

    ``tcb.ack_now`` asks for an acknowledgement whatever else leaves; ``tcb.force`` for an octet beyond the window.
    """
    state = tcb.state
    if state in (CLOSED, LISTEN):
        return []
    now = node.clock.now
    if state in (SYN_SENT, SYN_RECEIVED):
        return _syn(node, tcb, now)
    actions: list[Action] = []
    if state in _SENDING:
        _data(node, tcb, now, actions)
    if tcb.ack_now:
        node.stat["tcp.sndacks"] += 1
        actions.append(segment(node, tcb, tcb.snd_nxt, tcp.ACK, b""))
    elif not actions and window_opened(tcb):
        node.stat["tcp.sndwinup"] += 1
        actions.append(segment(node, tcb, tcb.snd_nxt, tcp.ACK, b""))
    return actions


def _syn(node: Node, tcb: Tcb, now: int) -> list[Action]:
    """Our SYN, first or again."""
    if tcb.snd_nxt != tcb.iss:
        if tcb.ack_now:
            node.stat["tcp.sndacks"] += 1
            return [segment(node, tcb, tcb.snd_nxt, tcp.ACK, b"")]
        return []
    tcb.snd_nxt = tcb.iss + 1
    if tcb.snd_max < tcb.snd_nxt:
        tcb.snd_max = tcb.snd_nxt
        tcb.rtt_seq = tcb.iss
        tcb.rtt_at = now
        node.stat["tcp.segstimed"] += 1
    else:
        tcb.rtt_seq = -1
    if tcb.rexmt.at is None:
        tcb.rexmt.arm(now + tcp_cong.backed_off(tcb), node.trace.cause)
    return [syn_segment(node, tcb)]


def _data(node: Node, tcb: Tcb, now: int, actions: list[Action]) -> None:
    """Data and FIN, as far as the windows, Nagle and the silly window rules let them (RFC 9293 3.8.6.2.1, 3.7.4)."""
    stat = node.stat
    mss = tcb.mss
    una = tcb.snd_una
    base = tcb.snd_base
    buf = tcb.snd_buf
    end = base + len(buf)
    finishing = tcb.state in _FINISHING
    if tcb.snd_max == una and end > una and tcb.sent_at and now - tcb.sent_at > tcb.rto:
        tcp_cong.restart(node, tcb)
    window = tcb.cwnd
    if tcb.dupacks and not tcb.recovering and tcb.dupacks < tcp_cong.DUPTHRESH and node.sysctl["net.inet.tcp.rfc3042"]:
        # Limited transmit: a new segment for each of the first two duplicates (RFC 3042 2).
        window += tcb.dupacks * mss
    limit = una + min(tcb.snd_wnd, window)
    while True:
        nxt = tcb.snd_nxt
        left = end - nxt
        length = min(left, limit - nxt, mss)
        if length < 0:
            length = 0
        if tcb.force and not length and left > 0 and not actions:
            length = 1
        fin = finishing and length == left and nxt <= end
        if fin and not tcb.snd_wnd and not tcb.force:
            fin = False
        if length:
            if not (
                length == mss
                or tcb.force
                or nxt < tcb.snd_max
                or (length == left and (fin or tcb.nodelay or tcb.snd_max == una))
                or (2 * length >= tcb.max_sndwnd and tcb.max_sndwnd)
            ):
                break
        elif not fin:
            break
        flags = tcp.ACK
        if fin:
            flags |= tcp.FIN
        if length and length == left:
            flags |= tcp.PSH
        at = nxt - base
        actions.append(segment(node, tcb, nxt, flags, buf[at : at + length]))
        after = nxt + length + (1 if fin else 0)
        if length:
            if tcb.force and length == 1:
                stat["tcp.sndprobe"] += 1
            elif nxt < tcb.snd_max:
                stat["tcp.sndrexmitpack"] += 1
                stat["tcp.sndrexmitbyte"] += length
            else:
                stat["tcp.sndpack"] += 1
                stat["tcp.sndbyte"] += length
        else:
            stat["tcp.sndctrl"] += 1
        if after > tcb.snd_max:
            if tcb.rtt_seq < 0 and nxt >= tcb.snd_max and not tcb.force:
                tcb.rtt_seq = nxt
                tcb.rtt_at = now
                stat["tcp.segstimed"] += 1
            tcb.snd_max = after
            tcb.sent_at = now
        if tcb.force and nxt >= una + tcb.snd_wnd:
            # A probe: should the window open, these octets are sent as if for the first time.
            return
        tcb.force = False
        tcb.snd_nxt = after
        if tcb.rexmt.at is None:
            tcb.persist.cancel()
            tcb.persist_shift = 0
            tcb.rexmt.arm(now + tcp_cong.backed_off(tcb), node.trace.cause)
        if fin:
            break
    if not tcb.snd_wnd and not actions and tcb.rexmt.at is not None and tcb.snd_max > una:
        # The peer has taken its window back under what is in flight: that is no loss (RFC 9293 3.8.6).
        tcb.rexmt.cancel()
        tcb.rexmt_shift = 0
        tcb.rtt_seq = -1
        tcb.snd_nxt = una
    if tcb.rexmt.at is None and tcb.persist.at is None and (end > tcb.snd_nxt or (finishing and tcb.snd_nxt <= end)):
        # Something waits for a window and nothing in flight will bring news of one.
        tcb.persist_shift = 0
        arm_persist(node, tcb)


def arm_persist(node: Node, tcb: Tcb) -> None:
    """The next probe of a window that is closed or too small (RFC 9293 3.8.6.1: at growing intervals, for ever)."""
    wait = tcp_cong.base_rto(node, tcb) << min(tcb.persist_shift, tcp_cong.MAX_SHIFT)
    tcb.persist.arm(node.clock.now + min(max(wait, PERSIST_MIN), PERSIST_MAX), node.trace.cause)
    tcb.persist_shift = min(tcb.persist_shift + 1, tcp_cong.MAX_SHIFT)


def challenge_ack(node: Node, tcb: Tcb) -> list[Action]:
    """An acknowledgement of what is expected, for a segment that is not acceptable; rarely enough not to make a war.

    RFC 5961 7 asks for a limit: net.inet.tcp.ack_war_cnt in each net.inet.tcp.ack_war_timewindow ms.
    """
    now = node.clock.now
    if not tcb.ack_war_at or now - tcb.ack_war_at >= node.sysctl["net.inet.tcp.ack_war_timewindow"] * MS:
        tcb.ack_war_at, tcb.ack_war = now, 0
    limit = node.sysctl["net.inet.tcp.ack_war_cnt"]
    if limit and tcb.ack_war >= limit:
        node.stat["tcp.ackwarlimited"] += 1
        return []
    tcb.ack_war += 1
    tcb.ack_now = True
    return tcp_output(node, tcb)


def resend_first(node: Node, tcb: Tcb) -> list[Action]:
    """The first segment that is not acknowledged, once more (RFC 5681 3.2, RFC 6582 3.2)."""
    at = tcb.snd_una - tcb.snd_base
    length = min(tcb.mss, len(tcb.snd_buf) - at, max(tcb.snd_wnd, 1))
    flags = tcp.ACK
    if tcb.state in _FINISHING and at + length == len(tcb.snd_buf) and tcb.snd_max > tcb.snd_una + length:
        flags |= tcp.FIN
    elif length <= 0:
        return []
    length = max(length, 0)
    node.stat["tcp.sndrexmitpack"] += 1
    node.stat["tcp.sndrexmitbyte"] += length
    tcb.rtt_seq = -1
    tcb.rexmt.arm(node.clock.now + tcp_cong.backed_off(tcb), node.trace.cause)
    return [segment(node, tcb, tcb.snd_una, flags, tcb.snd_buf[at : at + length])]
