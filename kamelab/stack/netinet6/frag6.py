"""Reassembly (KAME frag6.c; RFC 8200 4.5, RFC 5722, RFC 6946, RFC 7112, RFC 3168 5.3).

A packet with overlapping fragments is given up as a whole, and what comes of it later is refused until its time is
over; with net.inet6.ip6.frag_overlap 1 only the new fragment is, as KAME did. Left out: [E] KAME's eviction of the
oldest packet by a new one; the new one is refused, as in the later KAME.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.core.timers import Timer
from kamelab.stack.netinet6 import in6_ifstat
from kamelab.stack.netinet6.dest6 import param_problem
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.packet import Action, Expired, Packet, Reassembled, Verdict, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.exthdr import upper_layer
from kamelab.wire.ip6 import IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP, MAX_PAYLOAD

if TYPE_CHECKING:
    from kamelab.stack.node import Node

FRAGTTL = 60 * SECOND
"""How long fragments wait for the rest."""
SLOWTIMO = SECOND // 2
"""How often KAME looks whether there are more than net.inet6.ip6.maxfragpackets."""
PARAM_CHAIN = 3
"""Code of the parameter problem of RFC 7112 5."""
UPPER_LENGTH = {IPPROTO_TCP: 20, IPPROTO_UDP: 8, IPPROTO_ICMPV6: 4}
"""Least octets of upper-layer headers that RFC 7112 wants in the first fragment."""

NOT_ECT, CE = 0, 3
"""Codepoints of RFC 3168 5."""

Piece = tuple[int, bytes, Packet]
"""(offset, data, the fragment)."""


class Reassembly:
    """The fragments of one packet so far."""

    __slots__ = ("ecn", "expected", "first", "head", "key", "octets", "pieces", "refused", "timer")

    def __init__(self, node: Node, key: tuple[bytes, bytes, int], ecn: int) -> None:
        self.key = key
        self.pieces: list[Piece] = []
        """In order of offset; none overlap."""
        self.octets = 0
        """Sum of their data."""
        self.expected = -1
        """Length of the whole fragmentable part; -1 until the last fragment came."""
        self.head = b""
        """Unfragmentable part of the first fragment."""
        self.first: Packet | None = None
        self.ecn = ecn
        """The codepoint of the whole packet so far."""
        self.refused = False
        """Fragments overlapped: whatever comes is refused until the timer ends (RFC 5722 4)."""
        self.timer = Timer(node.clock, node, "frag_timer", key)

    def unfragmentable(self) -> int:
        """Octets of extension headers before the fragment header; 0 until the first fragment came."""
        return len(self.head) - 40 if self.head else 0


def frag6_input(node: Node, pkt: Packet) -> Verdict:
    """A fragment: hold it, or hand on the whole packet when it was the last one missing (KAME frag6_input)."""
    pkt.stage = "frag6_input"
    data, start = pkt.data, pkt.off
    if start + 8 > pkt.end:
        return drop("EXTHDR_TOOSHORT")
    if pkt.jumbo:
        return drop("FRAG_JUMBO", param_problem(node, pkt, icmp.PARAM_HEADER, start))
    word = int.from_bytes(data[start + 2 : start + 4], "big")
    offset, more = word & 0xFFF8, word & 1
    piece = data[start + 8 : pkt.end]
    if more and (not piece or len(piece) % 8):
        return drop("FRAG_BADLEN", param_problem(node, pkt, icmp.PARAM_HEADER, 4))
    node.stat["ip6.fragments"] += 1
    in6_ifstat.count(pkt.iface, "reass_reqd")
    if not offset and not more:
        # An atomic fragment is a packet of its own (RFC 6946 4).
        pkt.nxt_at = start
        pkt.off = start + 8
        return data[start]
    if not offset and node.sysctl["net.inet6.ip6.frag_chain"] and not _whole_chain(pkt):
        return drop("FRAG_CHAIN", param_problem(node, pkt, PARAM_CHAIN, 0))
    key = (pkt.src, pkt.dst, int.from_bytes(data[start + 4 : start + 8], "big"))
    queue = node.reassembly.get(key)
    ecn = data[1] >> 4 & 3
    if queue is not None and queue.refused:
        return drop("FRAG_OVERLAP")
    if not _room(node, queue):
        return drop("FRAG_LIMIT")
    before = start - 40 if not offset else queue.unfragmentable() if queue is not None else 0
    if before + offset + len(piece) > MAX_PAYLOAD:
        return drop("FRAG_TOOBIG", param_problem(node, pkt, icmp.PARAM_HEADER, start + 2))
    if queue is None:
        queue = node.reassembly[key] = Reassembly(node, key, ecn)
        queue.timer.arm(node.clock.now + FRAGTTL, node.trace.cause)
    actions = _recheck(node, queue, before) if not offset else []
    at = bisect_left(queue.pieces, offset, key=_offset)
    refusal = _clash(node, queue, at, offset, piece, more, pkt)
    if refusal:
        return drop(refusal, actions + (_abandon(queue) if queue.refused else []))
    if (ecn == CE and queue.ecn == NOT_ECT) or (ecn == NOT_ECT and queue.ecn != NOT_ECT):
        return drop("FRAG_ECN", actions)
    if ecn == CE:
        queue.ecn = CE
    if not more:
        queue.expected = offset + len(piece)
    if not offset:
        head = bytearray(data[:start])
        head[pkt.nxt_at] = data[start]
        queue.head = bytes(head)
        queue.first = pkt
    queue.pieces.insert(at, (offset, piece, pkt))
    queue.octets += len(piece)
    if queue.expected != queue.octets or queue.first is None:
        return ("hold", "reassembly", actions)
    return _whole(node, queue, queue.first, pkt)


def _offset(piece: Piece) -> int:
    return piece[0]


def _whole_chain(pkt: Packet) -> bool:
    """The first fragment holds every header, the upper layer's too (RFC 7112 4)."""
    # The chain of the whole packet is that of the fragment, once the fragment header says that it is atomic.
    data = bytearray(pkt.data[: pkt.end])
    data[pkt.off + 2 : pkt.off + 4] = b"\0\0"
    try:
        nxt, at = upper_layer(bytes(data))
    except WireError:
        return False
    return at + UPPER_LENGTH.get(nxt, 0) <= pkt.end


def _room(node: Node, queue: Reassembly | None) -> bool:
    """Within net.inet6.ip6.maxfrags and, for a new packet, net.inet6.ip6.maxfragpackets; -1 is no limit."""
    limit = node.sysctl["net.inet6.ip6.maxfrags"]
    if limit >= 0 and sum(len(one.pieces) for one in node.reassembly.values()) >= limit:
        return False
    limit = node.sysctl["net.inet6.ip6.maxfragpackets"]
    return queue is not None or limit < 0 or len(node.reassembly) < limit


def _recheck(node: Node, queue: Reassembly, before: int) -> list[Action]:
    """The first fragment tells how long the headers are: what would now end beyond 65535 octets goes, one by one."""
    actions: list[Action] = []
    for piece in [one for one in queue.pieces if before + one[0] + len(one[1]) > MAX_PAYLOAD]:
        queue.pieces.remove(piece)
        queue.octets -= len(piece[1])
        if queue.expected == piece[0] + len(piece[1]):
            queue.expected = -1
        other = piece[2]
        actions.append(Expired(other, "FRAG_TOOBIG"))
        actions += param_problem(node, other, icmp.PARAM_HEADER, other.off + 2)
    return actions


def _clash(node: Node, queue: Reassembly, at: int, offset: int, piece: bytes, more: int, pkt: Packet) -> str:
    """The reason to refuse a fragment for those that are here; empty: none. Sets ``refused`` where all must go."""
    end = offset + len(piece)
    pieces = queue.pieces
    shared = 0
    if at and pieces[at - 1][0] + len(pieces[at - 1][1]) > offset:
        shared = min(end, pieces[at - 1][0] + len(pieces[at - 1][1])) - offset
    elif at < len(pieces) and pieces[at][0] < end:
        shared = min(end, pieces[at][0] + len(pieces[at][1])) - pieces[at][0]
    elif at < len(pieces) and pieces[at][:2] == (offset, b"") and not piece:
        # Last fragments that hold nothing.
        return "FRAG_DUPLICATE"
    beyond = 0 <= queue.expected < end
    if not more:
        beyond = (queue.expected >= 0 and queue.expected != end) or (
            bool(pieces) and pieces[-1][0] + len(pieces[-1][1]) > end
        )
    if not shared and not beyond:
        return ""
    kame = node.sysctl["net.inet6.ip6.frag_overlap"]
    if not kame and shared and at < len(pieces) and pieces[at][:2] == (offset, piece):
        last = queue.expected == end and pieces[at] is pieces[-1]
        if last == (not more):
            return "FRAG_DUPLICATE"
    if shared:
        node.log(f"frag6_input: fragment from {node.text(pkt.src)} overlaps by {shared} octets")
    queue.refused = not kame
    return "FRAG_OVERLAP"


def _abandon(queue: Reassembly) -> list[Action]:
    """The fragments here end without a word to their sender; the empty queue stays until its timer ends."""
    actions: list[Action] = [Expired(pkt, "FRAG_OVERLAP") for _, _, pkt in _arrived(queue)]
    queue.pieces = []
    queue.octets = 0
    queue.expected = -1
    queue.head = b""
    queue.first = None
    return actions


def _arrived(queue: Reassembly) -> list[Piece]:
    """The fragments in the order in which they came."""
    return sorted(queue.pieces, key=lambda piece: piece[2].hold)


def _whole(node: Node, queue: Reassembly, first: Packet, last: Packet) -> Verdict:
    """All are here: one packet, with the first fragment's headers (RFC 8200 4.5)."""
    queue.timer.cancel()
    del node.reassembly[queue.key]
    node.stat["ip6.reassembled"] += 1
    in6_ifstat.count(last.iface, "reass_ok")
    waiting = [pkt for _, _, pkt in _arrived(queue) if pkt is not last]
    head = bytearray(queue.head)
    head[4:6] = (queue.unfragmentable() + queue.octets).to_bytes(2, "big")
    head[1] = head[1] & 0xCF | queue.ecn << 4
    body = b"".join(data for _, data, _ in queue.pieces)
    whole = Packet(last.iface, bytes(head) + body, 0, last.rx, last.lcast, last.looped)
    whole.src, whole.dst, whole.hlim = first.src, first.dst, first.hlim
    whole.off, whole.nxt_at, whole.headers = len(head), first.nxt_at, first.headers
    whole.rtalert, whole.routed = first.rtalert, first.routed
    # Marks of ESP that all fragments have, which came out of it one by one.
    whole.ipsec = last.ipsec
    for piece in waiting:
        whole.ipsec &= piece.ipsec
    return Reassembled(whole, waiting)


def frag6_free(node: Node, queue: Reassembly, reason: str) -> list[Action]:
    """Give up a queue: each fragment that waited ends for ``reason``."""
    queue.timer.cancel()
    node.reassembly.pop(queue.key, None)
    actions: list[Action] = [Expired(pkt, reason) for _, _, pkt in _arrived(queue)]
    queue.pieces = []
    return actions


def _give_up(node: Node, queue: Reassembly, reason: str) -> list[Action]:
    """The same with an error if the first fragment is here (RFC 8200 4.5; KAME frag6_freef)."""
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
    return frag6_free(node, queue, reason) + actions


def frag6_timer(node: Node, key: tuple[bytes, bytes, int]) -> list[Action]:
    """The rest did not come in time."""
    queue = node.reassembly.get(key)
    if queue is None:
        return []
    if not queue.refused:
        node.stat["ip6.fragtimeout"] += 1
        for _, _, pkt in queue.pieces[:1]:
            in6_ifstat.count(pkt.iface, "reass_fail")
    return _give_up(node, queue, "FRAG_TIMEOUT")


def frag6_slowtimo(node: Node) -> list[Action]:
    """net.inet6.ip6.maxfragpackets was lowered: the oldest packets go until it holds (KAME frag6_slowtimo)."""
    limit = node.sysctl["net.inet6.ip6.maxfragpackets"]
    actions: list[Action] = []
    while 0 <= limit < len(node.reassembly):
        node.stat["ip6.fragoverflow"] += 1
        actions += _give_up(node, next(iter(node.reassembly.values())), "FRAG_EVICTED")
    return actions


def frag6_limit(node: Node) -> None:
    """net.inet6.ip6.maxfragpackets changed: look at the next half-second tick."""
    limit = node.sysctl["net.inet6.ip6.maxfragpackets"]
    if 0 <= limit < len(node.reassembly):
        if node.frag_slow is None:
            node.frag_slow = Timer(node.clock, node, "frag_slowtimo", ())
        at = (node.clock.now // SLOWTIMO + 1) * SLOWTIMO
        node.frag_slow.arm(at, node.trace.cause)
