"""Reassembly (KAME frag6.c; RFC 8200 4.5, RFC 5722, RFC 6946)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.core.timers import Timer
from kamelab.stack.netinet6.dest6 import param_problem
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.packet import Action, Expired, Packet, Reassembled, Verdict, drop
from kamelab.wire import icmp6 as icmp

if TYPE_CHECKING:
    from kamelab.stack.node import Node

FRAGTTL = 60 * SECOND
"""How long fragments wait for the rest."""


class Reassembly:
    """The fragments of one packet so far."""

    __slots__ = ("expected", "first", "head", "key", "pieces", "timer")

    def __init__(self, node: Node, key: tuple[bytes, bytes, int]) -> None:
        self.key = key
        self.pieces: list[tuple[int, bytes, Packet]] = []
        """(offset, data, packet) in order of arrival."""
        self.expected = -1
        """Length of the whole fragmentable part; -1 until the last fragment came."""
        self.head = b""
        """Unfragmentable part of the first fragment."""
        self.first: Packet | None = None
        self.timer = Timer(node.clock, node, "frag_timer", key)


def frag6_input(node: Node, pkt: Packet) -> Verdict:
    """A fragment: hold it, or hand on the whole packet when it was the last one missing."""
    pkt.stage = "frag6_input"
    stat = node.stat
    data, start = pkt.data, pkt.off
    if start + 8 > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    word = int.from_bytes(data[start + 2 : start + 4], "big")
    offset, more = word & 0xFFF8, word & 1
    ident = int.from_bytes(data[start + 4 : start + 8], "big")
    piece = data[start + 8 : pkt.end]
    if more and (not piece or len(piece) % 8):
        return drop("FRAG_BADLEN", param_problem(node, pkt, icmp.PARAM_HEADER, 4))
    if offset + len(piece) > 65535:
        return drop("FRAG_TOOBIG", param_problem(node, pkt, icmp.PARAM_HEADER, start + 2))
    stat["ip6.fragments"] += 1
    if not offset and not more:
        # An atomic fragment is a packet of its own (RFC 6946 4).
        pkt.nxt_at = start
        pkt.off = start + 8
        return data[start]
    key = (pkt.src, pkt.dst, ident)
    queue = node.reassembly.get(key)
    maxfrags = node.sysctl["net.inet6.ip6.maxfrags"]
    held = sum(len(one.pieces) for one in node.reassembly.values())
    if maxfrags >= 0 and held >= maxfrags:
        return drop("FRAG_LIMIT")
    if queue is None:
        limit = node.sysctl["net.inet6.ip6.maxfragpackets"]
        if limit >= 0 and len(node.reassembly) >= limit:
            return drop("FRAG_LIMIT")
        queue = node.reassembly[key] = Reassembly(node, key)
        queue.timer.arm(node.clock.now + FRAGTTL, node.trace.cause)
    end = offset + len(piece)
    for at, other, _ in queue.pieces:
        if offset < at + len(other) and at < end:
            shared = min(end, at + len(other)) - max(offset, at)
            node.log(f"frag6_input: fragment from {node.text(pkt.src)} overlaps by {shared} octets")
            return drop("FRAG_OVERLAP")
    if not more:
        beyond = any(at + len(other) > end for at, other, _ in queue.pieces)
        if beyond or (queue.expected >= 0 and queue.expected != end):
            return drop("FRAG_OVERLAP")
        queue.expected = end
    elif 0 <= queue.expected < end:
        return drop("FRAG_OVERLAP")
    if not offset:
        head = bytearray(data[:start])
        head[pkt.nxt_at] = data[start]
        queue.head = bytes(head)
        queue.first = pkt
    complete = queue.expected >= 0 and sum(len(p[1]) for p in queue.pieces) + len(piece) == queue.expected
    if not complete or queue.first is None:
        queue.pieces.append((offset, piece, pkt))
        return ("hold", "reassembly", [])
    waiting = [one[2] for one in queue.pieces]
    body = b"".join(one[1] for one in sorted([*queue.pieces, (offset, piece, pkt)], key=lambda one: one[0]))
    head = bytearray(queue.head)
    length = len(head) - 40 + len(body)
    if length > 65535:
        actions = frag6_free(node, queue, "FRAG_TOOBIG")
        return drop("FRAG_TOOBIG", actions + param_problem(node, pkt, icmp.PARAM_HEADER, start + 2))
    head[4:6] = length.to_bytes(2, "big")
    stat["ip6.reassembled"] += 1
    queue.timer.cancel()
    del node.reassembly[key]
    whole = Packet(pkt.iface, bytes(head) + body, 0, pkt.rx, pkt.lcast, pkt.looped)
    whole.src, whole.dst, whole.hlim = pkt.src, pkt.dst, pkt.hlim
    whole.off, whole.nxt_at, whole.headers = len(head), queue.first.nxt_at, pkt.headers
    return Reassembled(whole, waiting)


def frag6_free(node: Node, queue: Reassembly, reason: str) -> list[Action]:
    """Give up a queue: each fragment that waited ends for ``reason``."""
    queue.timer.cancel()
    node.reassembly.pop(queue.key, None)
    actions: list[Action] = [Expired(pkt, reason) for _, _, pkt in queue.pieces]
    queue.pieces = []
    return actions


def frag6_timer(node: Node, key: tuple[bytes, bytes, int]) -> list[Action]:
    """The rest did not come in time: an error if the first fragment is here (RFC 8200 4.5)."""
    queue = node.reassembly.get(key)
    if queue is None:
        return []
    node.stat["ip6.fragtimeout"] += 1
    actions: list[Action] = []
    if queue.first is not None:
        pkt = queue.first
        actions = icmp6_error(
            node,
            pkt.iface,
            pkt.data[: pkt.end],
            icmp.TIME_EXCEEDED,
            icmp.TIMXCEED_REASSEMBLY,
            0,
            rx_iface=pkt.iface,
            lcast=pkt.lcast or pkt.dst[0] == 0xFF,
        )
    return frag6_free(node, queue, "FRAG_TIMEOUT") + actions
