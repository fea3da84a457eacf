"""Data and FIN of a connection, in order and out of it (BSD tcp_input.c tcp_reass; RFC 9293 3.10.7.4).

The queue out of order is bounded and has no overlaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet import tcp_state
from kamelab.stack.netinet.tcp_ack import enter_time_wait
from kamelab.stack.netinet.tcp_state import TIME_WAIT
from kamelab.stack.netinet.tcp_var import REASS_LIMIT, Tcb

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def insert(node: Node, tcb: Tcb, number: int, piece: bytes, fin: bool) -> str:
    """Keep what of ``piece`` is new; the drop reason where nothing is, or where the queue is full.

    A piece that begins at the next number expected is always taken: it empties the queue.
    """
    queue = tcb.queue
    if len(queue) >= REASS_LIMIT and number != tcb.rcv_nxt:
        return "TCP_REASS_FULL"
    octets = len(piece)
    end = number + octets
    at = 0
    while at < len(queue) and queue[at][0] <= number:
        at += 1
    last = False
    if at:
        begin, before, last = queue[at - 1]
        known = min(begin + len(before), end)
        if known > number:
            piece = piece[known - number :]
            number = known
    while at < len(queue) and queue[at][0] + len(queue[at][1]) <= end:
        fin = fin or queue[at][2]
        del queue[at]
    if at < len(queue) and queue[at][0] < end:
        piece = piece[: queue[at][0] - number]
        fin = False
    if not piece and (not fin or last):
        node.stat["tcp.rcvdupbyte"] += octets
        return "TCP_DUPLICATE"
    node.stat["tcp.rcvoopack"] += 1
    node.stat["tcp.rcvoobyte"] += len(piece)
    queue.insert(at, (number, piece, fin))
    return ""


def take(tcb: Tcb) -> tuple[bytes, bool]:
    """What is in order now, taken off the queue: (data, whether a FIN stands behind it)."""
    queue = tcb.queue
    expected = tcb.rcv_nxt
    pieces = []
    while queue and queue[0][0] <= expected:
        number, piece, fin = queue.pop(0)
        piece = piece[expected - number :]
        pieces.append(piece)
        expected += len(piece)
        if fin:
            queue.clear()
            return b"".join(pieces), True
    return b"".join(pieces), False


def accept(node: Node, tcb: Tcb, piece: bytes) -> None:
    """Data in order is the program's."""
    tcb.rcv_nxt += len(piece)
    if not tcb.rcv_shut:
        tcb.rcv_buf += piece
    node.wakeup(tcb.sid)


def out_of_order(node: Node, tcb: Tcb, number: int, piece: bytes, fin: bool) -> str:
    """Keep it until what is missing has come, and say at once what is (RFC 5681 4.2); the reason where it can't be."""
    tcb.ack_now = True
    refused = insert(node, tcb, number, piece, fin)
    if refused:
        return refused
    data, finished = take(tcb)
    if data:
        accept(node, tcb, data)
    if finished:
        fin_received(node, tcb)
    return ""


def fin_received(node: Node, tcb: Tcb) -> None:
    """The peer will send no more (RFC 9293 3.10.7.4, eighth)."""
    tcb.rcv_nxt += 1
    tcb.fin_rcvd = True
    tcb.ack_now = True
    node.wakeup(tcb.sid)
    tcp_state.move(node, tcb, "rcv_fin")
    if tcb.state == TIME_WAIT:
        enter_time_wait(node, tcb)
