"""TCP input (BSD tcp_input.c, KAME tcp6_input; RFC 9293 3.10.7, RFC 7323 5, RFC 5961, RFC 5681, RFC 6582).

Order: the packet itself, then the connection it belongs to; a plain segment in order takes a short way (header
prediction), every other one the RFC's steps. What opens a connection is in ``tcp_syn`` and ``tcp_open``, the
acknowledgement and the data are in ``tcp_ack`` and ``tcp_reass``.

Left out: delivery of urgent data out of band (RFC 6093: it stays in the stream).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS
from kamelab.core.errors import ECONNREFUSED, ECONNRESET
from kamelab.stack.netinet import tcp_state, tcp_syn
from kamelab.stack.netinet.tcp_ack import ack_input, enter_time_wait, new_ack
from kamelab.stack.netinet.tcp_open import complete, syn_sent
from kamelab.stack.netinet.tcp_output import challenge_ack, receive_space, tcp_output
from kamelab.stack.netinet.tcp_reass import accept, fin_received, out_of_order
from kamelab.stack.netinet.tcp_state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from kamelab.stack.netinet.tcp_subr import (
    data_room,
    expected,
    notify,
    path_mss,
    quoted_connection,
    reset,
    syn_holder,
    tcp_close,
    tcp_drop,
)
from kamelab.stack.netinet.tcp_var import WIRE, SynEntry, Tcb, near
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.netipsec import ipsec6_input
from kamelab.stack.packet import DECRYPTED, Action, Packet, Verdict, deliver, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, tcp
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.ip6 import IPPROTO_TCP, MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

PAWS_IDLE = 24 * 86400 * 1000
"""After this long without a word a timestamp says nothing any more, ms (RFC 7323 5.5)."""
_PREDICTED = tcp.SYN | tcp.FIN | tcp.RST | tcp.URG | tcp.ACK


def tcp6_input(node: Node, pkt: Packet) -> Verdict:
    """The segment at ``pkt.off`` (KAME tcp6_input)."""
    pkt.stage = "tcp6_input"
    stat = node.stat
    stat["tcp.rcvtotal"] += 1
    data = pkt.data
    src, dst = pkt.src, pkt.dst
    if src == in6.UNSPECIFIED:
        return drop("TCP_SRC_UNSPECIFIED")
    if dst[0] == 0xFF or pkt.lcast:
        return drop("TCP_MULTICAST")
    own = node.own.get(dst)
    if own is not None and own[1].anycast:
        return drop(
            "TCP_ANYCAST",
            icmp6_error(
                node, pkt.iface, data[: pkt.end], icmp.DST_UNREACH, icmp.UNREACH_ADDR, 0, rx_iface=pkt.iface,
                lcast=pkt.lcast, decrypted=bool(pkt.ipsec & DECRYPTED),
            ),
        )  # fmt: skip
    octets = data[pkt.off : pkt.end]
    size = len(octets)
    if size < tcp.HEADER_LEN:
        return drop("TCP_SHORT")
    if not in6_cksum_ok(data[8:24], data[24:40], IPPROTO_TCP, octets):
        return drop("TCP_CHECKSUM")
    sport, dport, seq, ack, hlen, flags, window, _, urgent = tcp.HEADER.unpack_from(octets)
    hlen = hlen >> 4 << 2
    if hlen < tcp.HEADER_LEN or hlen > size:
        return drop("TCP_BADOFF")
    if not sport or not dport:
        return drop("TCP_PORT_ZERO")
    tcb = node.tcp_conns.get(b"%b%b%b" % (dst, src, octets[:4]))
    if tcb is None:
        return _no_connection(node, pkt, octets, hlen)
    if node.ipsec and ipsec6_input.rejected(node, pkt, tcb.so.policy, IPPROTO_TCP, sport, dport):
        return drop("IPSEC_POLICY")
    length = size - hlen
    if (
        tcb.state == ESTABLISHED
        and flags & _PREDICTED == tcp.ACK
        and seq == tcb.rcv_nxt & WIRE
        and window << tcb.snd_scale == tcb.snd_wnd
        and tcb.snd_nxt == tcb.snd_max
        and hlen == (32 if tcb.stamps else 20)
    ):
        done = _predicted(node, tcb, octets, hlen, length, ack)
        if done is not None:
            return done
    return _steps(node, pkt, tcb, octets, hlen, seq, ack, flags, window, urgent)


# -- the short way ---------------------------------------------------------------------------------------------------


def _predicted(node: Node, tcb: Tcb, octets: bytes, hlen: int, length: int, ack: int) -> Verdict | None:
    """What most segments are: a new acknowledgement, or the next data; None where it is neither after all."""
    tsecr = 0
    if hlen == 32:
        if octets[20:24] != tcp.STAMP_WORD:
            return None
        tsval = int.from_bytes(octets[24:28], "big")
        if (tsval - tcb.ts_recent) & 0x80000000:
            return None
        tsecr = int.from_bytes(octets[28:32], "big")
    number = near(ack, tcb.snd_una)
    stat = node.stat
    now = node.clock.now
    if not length:
        if not tcb.snd_una < number <= tcb.snd_max or tcb.recovering or tcb.dupacks:
            return None
        if hlen == 32 and tcb.rcv_nxt <= tcb.last_ack_sent:
            tcb.ts_recent, tcb.ts_recent_at = tsval, now
        tcb.idle_at = now
        stat["tcp.predack"] += 1
        new_ack(node, tcb, number, tsecr if hlen == 32 else -1)
        return ("deliver", "ESTABLISHED, acknowledgement", tcp_output(node, tcb))
    so = tcb.so
    if number != tcb.snd_una or tcb.queue or tcb.rcv_shut or length > so.rcvbuf - len(tcb.rcv_buf):
        return None
    if hlen == 32 and tcb.rcv_nxt <= tcb.last_ack_sent:
        tcb.ts_recent, tcb.ts_recent_at = tsval, now
    tcb.idle_at = now
    stat["tcp.preddat"] += 1
    stat["tcp.rcvpack"] += 1
    stat["tcp.rcvbyte"] += length
    tcb.rcv_nxt += length
    tcb.rcv_buf += memoryview(octets)[hlen:]
    node.wakeup(tcb.sid)
    delay_ack(node, tcb)
    return ("deliver", f"ESTABLISHED, {length} octets", tcp_output(node, tcb) if tcb.ack_now else [])


def delay_ack(node: Node, tcb: Tcb) -> None:
    """Data came in order: acknowledge every second segment at once, one alone after 200 ms (RFC 9293 3.8.6.3)."""
    tcb.delayed += 1
    if tcb.delayed >= 2 or not node.sysctl["net.inet.tcp.delayed_ack"]:
        tcb.ack_now = True
    elif tcb.delack.at is None:
        tcb.delack.arm(node.clock.now + node.sysctl["net.inet.tcp.delacktime"] * MS, node.trace.cause)


# -- nobody's segments, and those of listening sockets ---------------------------------------------------------------


def find_listener(node: Node, dst: bytes, dport: int) -> Tcb | None:
    """The listening socket for an address and port: one that is bound to the address before one that is not."""
    found: Tcb | None = None
    for sid in node.tcp_ports.get(dport, ()):
        tcb = node.sockets[sid].tcb
        if tcb is None or tcb.state != LISTEN:
            continue
        if tcb.laddr == dst:
            return tcb
        if not tcb.laddr and found is None:
            found = tcb
    return found


def _space(octets: bytes, hlen: int) -> int:
    """What a segment takes in sequence space."""
    flags = octets[13]
    return len(octets) - hlen + bool(flags & tcp.SYN) + bool(flags & tcp.FIN)


def _no_connection(node: Node, pkt: Packet, octets: bytes, hlen: int, after: int = -1) -> Verdict:
    """RFC 9293 3.10.7.1 and 3.10.7.2. ``after``: the number that a connection must begin beyond, -1 for any."""
    sport, dport, seq, _, _, flags, window, _, _ = tcp.HEADER.unpack_from(octets)
    listener = find_listener(node, pkt.dst, dport)
    if listener is None:
        return drop("TCP_NOPORT", reset(node, pkt.src, pkt.dst, octets, _space(octets, hlen)))
    if node.ipsec and ipsec6_input.rejected(node, pkt, listener.so.policy, IPPROTO_TCP, sport, dport):
        return drop("IPSEC_POLICY")
    key = b"%b%b%b" % (pkt.dst, pkt.src, octets[:4])
    entry = listener.syn.get(key)
    if entry is not None:
        return _half_open(node, pkt, listener, entry, octets, hlen)
    if flags & tcp.RST:
        return drop("TCP_LISTEN_RST")
    if flags & tcp.ACK:
        return drop("TCP_LISTEN_ACK", reset(node, pkt.src, pkt.dst, octets, 0))
    if not flags & tcp.SYN:
        return drop("TCP_LISTEN_NOSYN")
    if pkt.src == pkt.dst and sport == dport:
        return drop("TCP_LAND")
    own = node.own.get(pkt.dst)
    if own is not None and own[1].deprecated and not node.sysctl["net.inet6.ip6.use_deprecated"]:
        return drop("TCP_DEPRECATED", reset(node, pkt.src, pkt.dst, octets, _space(octets, hlen)))
    if len(listener.accept_queue) >= listener.backlog:
        return drop("TCP_LISTEN_FULL")
    options = tcp.parse_options(octets[20:hlen])
    out = tcp_syn.syn_add(node, listener, key, pkt.dst, pkt.src, seq, window, options, after)
    return deliver("LISTEN, a SYN", [out])


def _half_open(node: Node, pkt: Packet, listener: Tcb, entry: SynEntry, octets: bytes, hlen: int) -> Verdict:
    """A segment for a connection that waits for the acknowledgement of our SYN (RFC 9293 3.10.7.4, RFC 5961)."""
    _, _, seq, ack, _, flags, window, _, urgent = tcp.HEADER.unpack_from(octets)
    offset = (seq - entry.irs - 1) & WIRE
    space = min(listener.so.rcvbuf, 65535)
    if flags & tcp.RST:
        if not offset:
            node.stat["tcp.sc_reset"] += 1
            tcp_syn.syn_drop(node, listener, entry, "rcv_rst")
            return deliver("SYN-RECEIVED, reset")
        if offset < space:
            return drop("TCP_RST_INEXACT", [tcp_syn.challenge(node, listener, entry)])
        return drop("TCP_RST_OUTSIDE")
    if flags & tcp.SYN:
        if seq == entry.irs and not flags & tcp.ACK:
            node.stat["tcp.sc_dupesyn"] += 1
            return deliver("SYN-RECEIVED, the same SYN again", [tcp_syn.answer(node, listener, entry)])
        return drop("TCP_SYN_AGAIN", [tcp_syn.challenge(node, listener, entry)])
    if not flags & tcp.ACK:
        return drop("TCP_NOACK")
    if ack != (entry.iss + 1) & WIRE:
        return drop("TCP_BADACK", reset(node, pkt.src, pkt.dst, octets, 0))
    if offset >= space and offset:
        return drop("TCP_OUTSIDE", [tcp_syn.challenge(node, listener, entry)])
    if len(listener.accept_queue) >= listener.backlog:
        return drop("TCP_LISTEN_FULL")
    tcb = tcp_syn.syn_expand(node, listener, entry)
    return _steps(node, pkt, tcb, octets, hlen, seq, ack, flags, window, urgent)


# -- the steps -------------------------------------------------------------------------------------------------------


def _steps(
    node: Node,
    pkt: Packet,
    tcb: Tcb,
    octets: bytes,
    hlen: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    urgent: int,
) -> Verdict:
    """RFC 9293 3.10.7.3 and 3.10.7.4, in their order."""
    stat = node.stat
    now = node.clock.now
    state = tcb.state
    options = tcp.parse_options(octets[20:hlen]) if hlen > 20 else tcp.Options()
    if state == SYN_SENT:
        return syn_sent(node, pkt, tcb, octets, hlen, options)
    length = len(octets) - hlen
    number = near(seq, tcb.rcv_nxt)
    reach = tcb.rcv_nxt + max(receive_space(tcb), 0)
    rst = flags & tcp.RST
    if state == TIME_WAIT and flags & (tcp.SYN | tcp.ACK | tcp.RST) == tcp.SYN and _renews(tcb, number, options):
        # A new connection in the old one's place, with numbers beyond its (RFC 9293 3.6.1, RFC 6191).
        tcp_state.move(node, tcb, "reused")
        tcp_close(node, tcb)
        return _no_connection(node, pkt, octets, hlen, tcb.snd_max)
    old = tcb.stamps and options.tsval >= 0 and (options.tsval - tcb.ts_recent) & 0x80000000
    if old and not rst and (now - tcb.ts_recent_at) // MS < PAWS_IDLE:
        return drop("TCP_PAWS", challenge_ack(node, tcb))
    # first: is it in the window
    if rst:
        return _rst(node, tcb, number, reach)
    fin = flags & tcp.FIN
    if flags & tcp.SYN:
        if state != SYN_RECEIVED or number != tcb.irs:
            return drop("TCP_SYN_AGAIN", challenge_ack(node, tcb))
        # Simultaneous open: the other side's SYN once more, by now with an acknowledgement of ours, or without.
        if not flags & tcp.ACK:
            tcb.snd_nxt = tcb.iss
            return deliver("SYN-RECEIVED, the same SYN again", tcp_output(node, tcb))
        number += 1
    start = hlen
    begin = number
    over = tcb.rcv_nxt - number
    if over > 0:
        if over > length or (over == length and not fin):
            # All of it is old, a FIN too; whoever sends that has not heard our acknowledgement.
            if length or fin:
                stat["tcp.rcvdupbyte"] += length
                if tcb.stamps and options.tsval >= 0 and number + length >= tcb.last_ack_sent:
                    # The answer may have been lost: the echo is to tell of this copy (RFC 7323 4.3).
                    tcb.ts_recent, tcb.ts_recent_at = options.tsval, now
                if state == TIME_WAIT and fin:
                    enter_time_wait(node, tcb)
                actions = _late_ack(node, tcb, number, ack, flags, window, options)
                if tcb.key:
                    tcb.ack_now = True
                    actions += tcp_output(node, tcb)
                return drop("TCP_DUPLICATE", actions)
            # Empty: a keep-alive probe, if it lies just before the window.
            return drop("TCP_KEEPALIVE" if over == 1 else "TCP_OLD", challenge_ack(node, tcb))
        stat["tcp.rcvpartduppack"] += 1
        stat["tcp.rcvpartdupbyte"] += over
        start += over
        length -= over
        number = tcb.rcv_nxt
        tcb.ack_now = True
    beyond = number + length - reach
    if beyond > 0 or number > reach:
        if number >= reach and (number > reach or length):
            if number == tcb.rcv_nxt and length and reach == tcb.rcv_nxt:
                stat["tcp.rcvwinprobe"] += 1
            stat["tcp.rcvbyteafterwin"] += length
            # A probe of a closed window may carry the acknowledgement that somebody waits for (RFC 9293 3.10.7.4).
            actions = []
            if number == tcb.rcv_nxt:
                actions = _late_ack(node, tcb, begin, ack, flags, window, options)
            if not tcb.key:
                return drop("TCP_OUTSIDE", actions)
            if not length:
                return drop("TCP_OUTSIDE", actions + challenge_ack(node, tcb))
            tcb.ack_now = True
            return drop("TCP_OUTSIDE", actions + tcp_output(node, tcb))
        stat["tcp.rcvbyteafterwin"] += beyond
        length -= beyond
        fin = 0
        tcb.ack_now = True
    if tcb.stamps and options.tsval >= 0 and begin <= tcb.last_ack_sent:
        tcb.ts_recent, tcb.ts_recent_at = options.tsval, now
    # second to fourth: the acknowledgement
    if not flags & tcp.ACK:
        return drop("TCP_NOACK")
    if length and tcb.so.sid in node.tcp_orphans and state in (FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK):
        # The program is gone: nobody will read this (RFC 9293 3.6.1; RFC 1122 4.2.2.13).
        return drop("TCP_AFTERCLOSE", tcp_drop(node, tcb, "abort", 0))
    tcb.idle_at = now
    if state == SYN_RECEIVED:
        verdict = complete(node, pkt, tcb, octets, ack, window)
        if verdict is not None:
            return verdict
    said = tcb.state
    reason, actions = ack_input(node, tcb, begin, ack, length + bool(fin), window, options.tsecr)
    if reason:
        return drop(reason, actions)
    if tcb.state in (CLOSED, TIME_WAIT) and not fin:
        return deliver(f"{said}, acknowledgement", actions)
    # fifth: urgent data stays in the stream (RFC 6093)
    if flags & tcp.URG and urgent:
        stat["tcp.rcvurg"] += 1
    # sixth and seventh: data and FIN
    if (length or fin) and not tcb.fin_rcvd:
        piece = octets[start : start + length]
        if number == tcb.rcv_nxt and not tcb.queue:
            if length:
                stat["tcp.rcvpack"] += 1
                stat["tcp.rcvbyte"] += length
                accept(node, tcb, piece)
            if fin:
                fin_received(node, tcb)
            else:
                delay_ack(node, tcb)
        else:
            verdict_note = out_of_order(node, tcb, number, piece, bool(fin))
            if verdict_note:
                return drop(verdict_note, actions + tcp_output(node, tcb))
    elif length or fin:
        # Behind a FIN nothing can come: it is ignored.
        tcb.ack_now = True
    note = f"{said}, {length} octets" if length else f"{said}, {'FIN' if fin else 'acknowledgement'}"
    if tcb.ack_now or tcb.snd_base + len(tcb.snd_buf) >= tcb.snd_nxt:
        actions = actions + tcp_output(node, tcb)
    return deliver(note, actions)


def _late_ack(
    node: Node, tcb: Tcb, number: int, ack: int, flags: int, window: int, options: tcp.Options
) -> list[Action]:
    """A segment whose data is not taken may acknowledge ours all the same, when both ends send again."""
    if not flags & tcp.ACK or tcb.state == SYN_RECEIVED:
        return []
    return ack_input(node, tcb, number, ack, 1, window, options.tsecr)[1]


def _renews(tcb: Tcb, number: int, options: tcp.Options) -> bool:
    """A SYN that can't be an old one: beyond everything received (RFC 9293 3.6.1), or with a later timestamp
    (RFC 6191 2)."""
    later = tcb.stamps and options.tsval >= 0 and 0 < (options.tsval - tcb.ts_recent) & WIRE < 0x80000000
    return number > tcb.rcv_nxt or later


def _rst(node: Node, tcb: Tcb, number: int, reach: int) -> Verdict:
    """A reset ends the connection only at exactly the next number expected (RFC 5961 3.2)."""
    if number != tcb.rcv_nxt:
        if not tcb.rcv_nxt <= number < max(reach, tcb.rcv_nxt + 1):
            return drop("TCP_RST_OUTSIDE")
        return drop("TCP_RST_INEXACT", challenge_ack(node, tcb))
    said = tcb.state
    if tcb.state in (ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, FIN_WAIT_2):
        tcb.so.error = ECONNRESET
    elif tcb.state == SYN_RECEIVED:
        tcb.so.error = ECONNREFUSED
    tcp_drop(node, tcb, "rcv_rst", 0)
    return deliver(f"{said}, reset")


# -- errors ----------------------------------------------------------------------------------------------------------


def tcp6_ctlinput(node: Node, iface: Interface, kind: int, code: int, quoted: bytes, mtu: int) -> list[Action]:
    """An ICMPv6 error about a segment of ours (KAME tcp6_ctlinput); believed if it quotes what is on its way."""
    found = quoted_connection(node, iface, quoted)
    if found is None:
        return []
    key, seq = found
    tcb = node.tcp_conns.get(key)
    if tcb is None:
        holder = syn_holder(node, key, int.from_bytes(key[34:36], "big"))
        if holder is not None and kind == icmp.DST_UNREACH and seq == holder.syn[key].iss:
            entry = holder.syn[key]
            if entry.retries > 2 or code == icmp.UNREACH_PORT:
                node.stat["tcp.sc_unreach"] += 1
                tcp_syn.syn_drop(node, holder, entry, "error")
        return []
    if not expected(tcb, seq):
        return []
    if kind != icmp.PACKET_TOO_BIG:
        return notify(node, tcb, kind, code)
    return mtudisc(node, tcb.faddr, min(path_mss(node, tcb.faddr), max(mtu, MIN_MTU) - 60))


def mtudisc(node: Node, faddr: bytes, size: int) -> list[Action]:
    """The path to ``faddr`` has become narrower: send what was too big again, in smaller segments (RFC 8201 5.4).

    Every connection over the path learns of it; congestion windows stay (BSD tcp_mtudisc).
    """
    actions: list[Action] = []
    for tcb in list(node.tcp_conns.values()):
        if tcb.faddr != faddr or tcb.state in (SYN_SENT, SYN_RECEIVED, TIME_WAIT):
            continue
        room = data_room(node, tcb, size)
        if room >= tcb.mss:
            continue
        node.stat["tcp.mturesent"] += 1
        tcb.mss = room
        tcb.rtt_seq = -1
        tcb.snd_nxt = tcb.snd_una
        actions += tcp_output(node, tcb)
    return actions
