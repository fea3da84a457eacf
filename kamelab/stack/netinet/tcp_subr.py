"""What all of TCP needs: initial numbers, segment sizes, segments without a connection, the end of a connection.

BSD tcp_subr.c, KAME tcp6_ctlinput; RFC 6528, RFC 9293 3.7, RFC 5461, RFC 5927. Left out: caching of metrics in routes.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from kamelab.core.errors import ECONNREFUSED, EHOSTUNREACH, Errno
from kamelab.stack.netinet import tcp_state
from kamelab.stack.netinet.tcp_state import CLOSED, LISTEN, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from kamelab.stack.netinet.tcp_var import MAX_MSS, MAX_SCALE, MAX_WINDOW, MIN_MSS, ORPHAN_LIMIT, WIRE, Tcb, near
from kamelab.stack.netinet6 import ip6_output
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.stack.netipsec import ipsec6_output, keysock
from kamelab.stack.packet import Action, Output
from kamelab.stack.socket import ancillary, ports
from kamelab.wire import exthdr, tcp
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import IPPROTO_TCP, MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

HEADERS = 60
"""Octets of the IPv6 and TCP headers without options."""
FRAGMENT_LEN = 8
"""Octets of a fragment header (RFC 8200 4.5)."""


# -- names and initial numbers ---------------------------------------------------------------------------------------


def key_of(laddr: bytes, faddr: bytes, fport: int, lport: int) -> bytes:
    """What finds a connection: the octets of a segment from the peer."""
    return b"%b%b%b%b" % (laddr, faddr, fport.to_bytes(2, "big"), lport.to_bytes(2, "big"))


def secrets(node: Node, key: bytes) -> tuple[int, int, int]:
    """(offset of the initial sequence number, offset of timestamps, flow label) of a four-tuple.

    A keyed hash, so that nobody who sees one connection knows another's (RFC 6528 3, RFC 7323 5.4, RFC 6437 3).
    """
    if not node.tcp_secret:
        node.tcp_secret = node.streams.octets(f"{node.name}/tcp", 16)
    octets = blake2b(key, key=node.tcp_secret, digest_size=12).digest()
    flow = int.from_bytes(octets[8:11], "big") & 0xFFFFF
    return int.from_bytes(octets[:4], "big"), int.from_bytes(octets[4:8], "big"), flow


def initial(node: Node, key: bytes) -> tuple[int, int, int]:
    """(initial sequence number, offset of timestamps, flow label): a clock of 4 us and the hash (RFC 6528 3)."""
    offset, stamp, flow = secrets(node, key)
    return (node.clock.now // 4000 + offset) & WIRE, stamp, flow


# -- segment sizes ---------------------------------------------------------------------------------------------------


def ipsec_overhead(node: Node, tcb: Tcb) -> int:
    """Octets that IPsec headers of this connection's policy take from each segment."""
    return ipsec6_output.tcp_overhead(node, tcb.laddr, tcb.faddr, tcb.lport, tcb.fport, tcb.so.policy)


def offer(node: Node, dst: bytes) -> int:
    """The MSS option that this node sends: what the interface towards ``dst`` can take in (RFC 9293 3.7.1)."""
    try:
        iface = ip6_output.outgoing(node, dst, None)[0]
    except Errno:
        return node.sysctl["net.inet.tcp.v6mssdflt"]
    return min(max(iface.ipv6_mtu(), MIN_MTU) - HEADERS, MAX_MSS)


def path_mss(node: Node, dst: bytes) -> int:
    """The largest segment that the path to ``dst`` carries whole, options included (RFC 9293 3.7.2)."""
    try:
        mtu = ip6_output.outgoing(node, dst, None)[2]
    except Errno:
        return node.sysctl["net.inet.tcp.v6mssdflt"]
    # Below 1280 every packet carries a fragment header (RFC 1981 4).
    return min(mtu - HEADERS if mtu >= MIN_MTU else MIN_MTU - HEADERS - FRAGMENT_LEN, MAX_MSS)


def tcp_mss(node: Node, tcb: Tcb) -> None:
    """Set the segment size from the peer's option, the path and our options (BSD tcp_mss)."""
    peer = max(tcb.peer_mss, MIN_MSS) if tcb.peer_mss else node.sysctl["net.inet.tcp.v6mssdflt"]
    tcb.mss = data_room(node, tcb, min(peer, path_mss(node, tcb.faddr)))


def data_room(node: Node, tcb: Tcb, size: int) -> int:
    """Octets of data in a segment for which there is room for ``size`` behind its fixed headers (RFC 9293 3.7.1)."""
    size -= ancillary.headers(tcb.so) + ipsec_overhead(node, tcb)
    return max(size - (12 if tcb.stamps else 0), MIN_MSS - 12)


def scale_for(space: int) -> int:
    """The least shift with which a window of ``space`` octets can be told (RFC 7323 2.2)."""
    shift = 0
    while shift < MAX_SCALE and MAX_WINDOW << shift < space:
        shift += 1
    return shift


def stamp_now(node: Node, stamp: int) -> int:
    """The timestamp clock: milliseconds, begun at an offset that differs by connection (RFC 7323 5.4)."""
    return (node.clock.now // 1_000_000 + stamp) & WIRE


# -- segments that belong to no connection ---------------------------------------------------------------------------


def respond(
    src: bytes, dst: bytes, sport: int, dport: int, seq: int, ack: int, flags: int, window: int = 0,
    options: bytes = b"", flow: int = 0,
) -> Output:  # fmt: skip
    """A segment without data (BSD tcp_respond). Addresses carry embedded zones."""
    segment = tcp.build(sport, dport, seq & WIRE, ack & WIRE, flags, window, options)
    out = Output("tcp_output", dst, IPPROTO_TCP, segment, src=src, cksum=16)
    out.flow = flow
    out.note = f"TCP {tcp.flags_text(flags)}"
    return out


def reset(node: Node, src: bytes, dst: bytes, segment: bytes, length: int) -> list[Action]:
    """The reset that answers a segment from ``src`` to ``dst``, of ``length`` in sequence space (RFC 9293 3.5.2)."""
    sport, dport, seq, ack, _, flags, _, _, _ = tcp.HEADER.unpack_from(segment)
    if flags & tcp.RST:
        return []
    node.stat["tcp.sndtotal"] += 1
    node.stat["tcp.sndctrl"] += 1
    if flags & tcp.ACK:
        return [respond(dst, src, dport, sport, ack, 0, tcp.RST)]
    return [respond(dst, src, dport, sport, 0, seq + length, tcp.RST | tcp.ACK)]


# -- the end of a connection -----------------------------------------------------------------------------------------


def disarm(tcb: Tcb) -> None:
    """No timer of it runs any more."""
    tcb.rexmt.cancel()
    tcb.persist.cancel()
    tcb.keep.cancel()
    tcb.twomsl.cancel()
    tcb.delack.cancel()
    if tcb.syn_timer is not None:
        tcb.syn_timer.cancel()


def tcp_close(node: Node, tcb: Tcb) -> None:
    """A connection has come to CLOSED: nothing finds it any more; without a program the socket goes (BSD tcp_close)."""
    disarm(tcb)
    if tcb.key:
        node.stat["tcp.closed"] += 1
        node.tcp_conns.pop(tcb.key, None)
        tcb.key = b""
    tcb.snd_buf.clear()
    tcb.queue.clear()
    if tcb.sid in node.tcp_orphans:
        forget(node, tcb)
        return
    listener = node.sockets.get(tcb.listener)
    if listener is not None and listener.tcb is not None and tcb.sid in listener.tcb.accept_queue:
        # Nobody has accepted it: it dies in the queue (BSD sofree).
        listener.tcb.accept_queue.remove(tcb.sid)
        forget(node, tcb)
        return
    node.wakeup(tcb.sid)


def forget(node: Node, tcb: Tcb) -> None:
    """The socket goes, and its port."""
    disarm(tcb)
    node.tcp_orphans.pop(tcb.sid, None)
    keysock.close(node, tcb.so)
    node.sockets.pop(tcb.sid, None)
    ports.give_back(node, tcb.so)


def orphan(node: Node, tcb: Tcb) -> list[Action]:
    """The program has closed the socket and the connection goes on; the oldest one ends where there are too many."""
    tcb.so.pid = 0
    node.tcp_orphans[tcb.sid] = None
    if len(node.tcp_orphans) <= ORPHAN_LIMIT:
        return []
    victim = node.sockets[next(iter(node.tcp_orphans))].tcb
    assert victim is not None
    node.stat["tcp.orphandrops"] += 1
    return tcp_drop(node, victim, "abort", 0)


def tcp_drop(node: Node, tcb: Tcb, event: str, error: int) -> list[Action]:
    """End a connection before its time, with a reset where the peer may know of it (BSD tcp_drop).

    ``error`` is what the program hears.
    """
    actions: list[Action] = []
    old = tcb.state
    if old in (CLOSED, LISTEN):
        return actions
    if not tcp_state.move(node, tcb, event):
        return actions
    if old in (SYN_SENT, SYN_RECEIVED):
        node.stat["tcp.conndrops"] += 1
    elif event != "abort" and old != TIME_WAIT:
        node.stat["tcp.drops"] += 1
    if event in ("abort", "timeout") and old not in (SYN_SENT, TIME_WAIT):
        node.stat["tcp.sndtotal"] += 1
        node.stat["tcp.sndctrl"] += 1
        actions.append(
            respond(
                tcb.laddr, tcb.faddr, tcb.lport, tcb.fport, tcb.snd_max, tcb.rcv_nxt, tcp.RST | tcp.ACK, flow=tcb.flow
            )
        )
    if error:
        tcb.so.error = error
    tcp_close(node, tcb)
    return actions


# -- errors from the network -----------------------------------------------------------------------------------------


def quoted_connection(node: Node, iface: Interface, quoted: bytes) -> tuple[bytes, int] | None:
    """(key, sequence number) of the segment of ours that an ICMPv6 error quotes; None where it quotes none."""
    try:
        nxt, at = exthdr.upper_layer(quoted)
    except WireError:
        return None
    if nxt != IPPROTO_TCP or len(quoted) < at + 8:
        return None
    src, dst = in6_setscope(quoted[8:24], iface), in6_setscope(quoted[24:40], iface)
    if src is None or dst is None:
        return None
    ports = quoted[at + 2 : at + 4] + quoted[at : at + 2]
    return src + dst + ports, int.from_bytes(quoted[at + 4 : at + 8], "big")


def validated(node: Node, src: bytes, dst: bytes, sport: int, dport: int) -> bool:
    """Whether a quoted segment of ours belongs to a connection, half-open ones included (RFC 8201 4)."""
    key = key_of(src, dst, dport, sport)
    return key in node.tcp_conns or syn_holder(node, key, sport) is not None


def syn_holder(node: Node, key: bytes, lport: int) -> Tcb | None:
    """The listening socket that has a half-open connection in its SYN queue."""
    for sid in node.tcp_ports.get(lport, ()):
        tcb = node.sockets[sid].tcb
        if tcb is not None and key in tcb.syn:
            return tcb
    return None


_CODES = {
    icmp.UNREACH_ADMIN: ECONNREFUSED,
    icmp.UNREACH_ADDR: EHOSTUNREACH,
    icmp.UNREACH_PORT: ECONNREFUSED,
}
"""Codes of destination unreachable that end a connection that is not there yet."""


def notify(node: Node, tcb: Tcb, kind: int, code: int) -> list[Action]:
    """An error about a segment that is on its way: only a connection that is not there yet ends by it.

    RFC 1122 4.2.3.9, RFC 5461 4.1, RFC 5927 5.2; "address unreachable" is how draft-itojun-ipv6-tcp-to-anycast
    answers a SYN to an anycast address. net.inet.tcp.icmp_may_rst 0 leaves only "port unreachable".
    """
    error = _CODES.get(code, 0) if kind == icmp.DST_UNREACH else 0
    if kind == icmp.PARAM_PROB and code == icmp.PARAM_NEXTHDR:
        error = ECONNREFUSED
    hard = kind == icmp.PARAM_PROB or code == icmp.UNREACH_PORT
    if tcb.state == SYN_SENT and error and (hard or node.sysctl["net.inet.tcp.icmp_may_rst"]):
        return tcp_drop(node, tcb, "error", error)
    tcb.soft_error = error or EHOSTUNREACH
    if tcb.state in (SYN_SENT, SYN_RECEIVED) and tcb.rexmt_shift > 3:
        return tcp_drop(node, tcb, "error", tcb.soft_error)
    return []


def expected(tcb: Tcb, seq: int) -> bool:
    """A quoted number lies in what was sent and not acknowledged (RFC 5927 4.1)."""
    number = near(seq, tcb.snd_una)
    return tcb.snd_una <= number < max(tcb.snd_max, tcb.snd_una + 1)
