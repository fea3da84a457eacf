"""The SYN queue of a listening socket: half-open connections in little room (BSD tcp_syncache.c; RFC 4987 3.4).

A SYN leaves a `SynEntry`; the acknowledgement of our answer makes a connection of it. The queue is bounded and its
oldest entry gives way, so that a flood costs a stranger's chance and not the node's memory. Left out: SYN cookies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.netinet import tcp_cong, tcp_state
from kamelab.stack.netinet.tcp_state import LISTEN, SYN_RECEIVED
from kamelab.stack.netinet.tcp_subr import initial, offer, respond, scale_for, stamp_now, tcp_mss
from kamelab.stack.netinet.tcp_var import MAX_SCALE, MAX_WINDOW, WIRE, SynEntry, Tcb, near
from kamelab.stack.packet import Action, Output
from kamelab.stack.socket.sockets import Socket
from kamelab.wire import tcp

if TYPE_CHECKING:
    from kamelab.stack.node import Node

RETRIES = 5
"""Answers sent again before the entry goes: 63 s in all."""


def syn_add(
    node: Node, listener: Tcb, key: bytes, laddr: bytes, faddr: bytes, seq: int, window: int, options: tcp.Options,
    after: int = -1,
) -> Output:  # fmt: skip
    """A SYN for a listening socket: remember it, answer it with a number beyond ``after`` (-1: with any)."""
    limit = max(1, node.sysctl["net.inet.tcp.syn_bucket_limit"])
    while len(listener.syn) >= limit:
        oldest = listener.syn.pop(next(iter(listener.syn)))
        tcp_state.move(node, oldest, "timeout")
        node.stat["tcp.sc_bucketoverflow"] += 1
    entry = SynEntry(key, laddr, listener.lport, faddr, int.from_bytes(key[32:34], "big"), LISTEN)
    listener.syn[key] = entry
    node.stat["tcp.sc_added"] += 1
    entry.started = node.clock.now
    entry.irs = seq
    entry.window = window
    entry.mss = max(options.mss, 0)
    entry.iss, entry.stamp, flow = initial(node, key)
    if after >= 0 and near(entry.iss, after) <= after:
        entry.iss = (after + 1) & WIRE
    if listener.so.options.get("IPV6_AUTOFLOWLABEL"):
        entry.flow = flow
    entry.offered = offer(node, faddr)
    if node.sysctl["net.inet.tcp.rfc1323"]:
        if options.wscale >= 0:
            entry.scale = min(options.wscale, MAX_SCALE)
            entry.own_scale = scale_for(listener.so.rcvbuf)
        if options.tsval >= 0:
            entry.stamps = True
            entry.ts_recent = options.tsval
    tcp_state.move(node, entry, "rcv_syn")
    _arm(node, listener, entry, node.clock.now + tcp_cong.INITIAL_RTO)
    return answer(node, listener, entry)


def answer(node: Node, listener: Tcb, entry: SynEntry) -> Output:
    """Our SYN with the acknowledgement of the peer's."""
    options = tcp.build_options(
        entry.offered,
        entry.own_scale if entry.scale >= 0 else -1,
        stamp_now(node, entry.stamp) if entry.stamps else -1,
        entry.ts_recent,
    )
    node.stat["tcp.sndtotal"] += 1
    node.stat["tcp.sndctrl"] += 1
    window = min(listener.so.rcvbuf, MAX_WINDOW)
    return respond(
        entry.laddr, entry.faddr, entry.lport, entry.fport, entry.iss, entry.irs + 1, tcp.SYN | tcp.ACK, window,
        options, entry.flow,
    )  # fmt: skip


def challenge(node: Node, listener: Tcb, entry: SynEntry) -> Output:
    """The acknowledgement that asks a peer whether it means what it said (RFC 5961 3.2, 4.2)."""
    node.stat["tcp.sndtotal"] += 1
    node.stat["tcp.sndacks"] += 1
    window = min(listener.so.rcvbuf, MAX_WINDOW) >> (entry.own_scale if entry.scale >= 0 else 0)
    options = b""
    if entry.stamps:
        options = tcp.build_options(tsval=stamp_now(node, entry.stamp), tsecr=entry.ts_recent)
    return respond(
        entry.laddr, entry.faddr, entry.lport, entry.fport, entry.iss + 1, entry.irs + 1, tcp.ACK, window, options,
        entry.flow,
    )  # fmt: skip


def syn_drop(node: Node, listener: Tcb, entry: SynEntry, event: str) -> None:
    """An entry goes: reset, refused by the network, or given up."""
    del listener.syn[entry.key]
    tcp_state.move(node, entry, event)
    if not listener.syn and listener.syn_timer is not None:
        listener.syn_timer.cancel()


def _arm(node: Node, listener: Tcb, entry: SynEntry, at: int) -> None:
    """One timer a queue, at the nearest deadline of all."""
    entry.at = at
    timer = listener.syn_timer
    assert timer is not None
    if timer.at is None or timer.at > at:
        timer.arm(at, node.trace.cause)


def syn_timer(node: Node, listener: Tcb) -> list[Action]:
    """Answers that nobody acknowledged are sent again, with back-off, and then given up."""
    now = node.clock.now
    actions: list[Action] = []
    for entry in list(listener.syn.values()):
        if entry.at > now:
            continue
        if entry.retries >= RETRIES:
            node.stat["tcp.sc_timed_out"] += 1
            syn_drop(node, listener, entry, "timeout")
            continue
        entry.retries += 1
        entry.at = now + (SECOND << entry.retries)
        node.stat["tcp.sc_retransmitted"] += 1
        actions.append(answer(node, listener, entry))
    if listener.syn and listener.syn_timer is not None:
        listener.syn_timer.arm(min(entry.at for entry in listener.syn.values()), node.trace.cause)
    return actions


def syn_expand(node: Node, listener: Tcb, entry: SynEntry) -> Tcb:
    """Our SYN was acknowledged: a socket in SYN-RECEIVED, waiting to be accepted, for the segment to go on with."""
    del listener.syn[entry.key]
    if not listener.syn and listener.syn_timer is not None:
        listener.syn_timer.cancel()
    parent = listener.so
    node.last_socket += 1
    so = Socket(node.last_socket, parent.pid, "tcp6", parent.proto)
    tcb = Tcb(node, so)
    so.tcb = tcb
    so.options = dict(parent.options)
    so.rcvbuf = parent.rcvbuf
    so.laddr, so.lport, so.faddr, so.fport = entry.laddr, entry.lport, entry.faddr, entry.fport
    node.sockets[so.sid] = so
    node.tcp_ports.setdefault(entry.lport, []).append(so.sid)
    node.tcp_conns[entry.key] = tcb
    tcb.key = entry.key
    tcb.laddr, tcb.lport, tcb.faddr, tcb.fport = entry.laddr, entry.lport, entry.faddr, entry.fport
    tcb.state, tcb.since, tcb.listener = SYN_RECEIVED, entry.since, listener.sid
    tcb.flow, tcb.stamp, tcb.stamps = entry.flow, entry.stamp, entry.stamps
    tcb.ts_recent, tcb.ts_recent_at = entry.ts_recent, node.clock.now
    so.sndbuf, tcb.nodelay = parent.sndbuf, listener.nodelay
    so.flow = entry.flow
    if entry.scale >= 0:
        tcb.scaling, tcb.snd_scale, tcb.rcv_scale = True, entry.scale, entry.own_scale
    tcb.iss, tcb.irs = entry.iss, entry.irs
    tcb.snd_una = entry.iss
    tcb.snd_nxt = tcb.snd_max = tcb.snd_base = entry.iss + 1
    tcb.rcv_nxt = tcb.last_ack_sent = entry.irs + 1
    tcb.rcv_adv = tcb.rcv_nxt + min(so.rcvbuf, MAX_WINDOW)
    tcb.snd_wnd = entry.window
    tcb.peer_mss, tcb.offered = entry.mss, entry.offered
    tcb.rto = tcp_cong.SYN_LOST_RTO if entry.retries else tcp_cong.INITIAL_RTO
    tcb.rexmt_shift = entry.retries
    if not entry.retries:
        # The answer was sent when the SYN came, and only once: this is a round trip.
        tcb.rtt_seq, tcb.rtt_at = entry.iss, entry.started
    tcp_mss(node, tcb)
    listener.accept_queue.append(so.sid)
    node.stat["tcp.sc_completed"] += 1
    node.stat["tcp.accepts"] += 1
    node.wakeup(listener.sid)
    return tcb
