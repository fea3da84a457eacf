"""Stream sockets: what a program does with TCP (BSD tcp_usrreq.c, uipc_socket.c; RFC 9293 3.10.1 to 3.10.6).

Calls that may have to wait say so (False, None, 0) and change nothing then; the process sleeps on the socket and calls
again. Left out: MSG_OOB (RFC 6093 3), the waiting of SO_LINGER with a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.core.clock import MS
from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EINVAL,
    EISCONN,
    ENOPROTOOPT,
    ENOTCONN,
    EOPNOTSUPP,
    EPIPE,
    Errno,
)
from kamelab.core.timers import Timer
from kamelab.stack.netinet import tcp_cong, tcp_state, tcp_syn
from kamelab.stack.netinet.tcp_ack import wait_for_fin
from kamelab.stack.netinet.tcp_output import tcp_output, window_opened
from kamelab.stack.netinet.tcp_state import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_2,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from kamelab.stack.netinet.tcp_subr import forget, initial, key_of, offer, orphan, tcp_close, tcp_drop
from kamelab.stack.netinet.tcp_timer import start_keepalive
from kamelab.stack.netinet.tcp_var import Tcb
from kamelab.stack.packet import Action
from kamelab.stack.socket import ports, sockets
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.node import Node
    from kamelab.stack.socket.sockets import Socket

OPTIONS: Final = ("TCP_NODELAY", "TCP_MAXSEG", "SO_KEEPALIVE", "SO_LINGER")
"""Options that only stream sockets have."""


def attach(node: Node, so: Socket) -> None:
    """A new stream socket gets its buffers and its control block (BSD tcp_usr_attach)."""
    so.sndbuf = node.sysctl["net.inet.tcp.sendspace"]
    so.rcvbuf = node.sysctl["net.inet.tcp.recvspace"]
    so.tcb = Tcb(node, so)


def block(node: Node, sid: int) -> tuple[Socket, Tcb]:
    """A stream socket and its control block; EOPNOTSUPP for a socket of another kind."""
    so = sockets.lookup(node, sid)
    if so.tcb is None:
        raise Errno(EOPNOTSUPP)
    return so, so.tcb


# -- opening ---------------------------------------------------------------------------------------------------------


def connect(node: Node, sid: int, addr: bytes, port: int, zone: int, flowinfo: int = 0) -> tuple[bool, list[Action]]:
    """connect(2): (whether the connection is there, actions). Called again it tells how far things are.

    EISCONN: connected already; EOPNOTSUPP: it listens; EADDRNOTAVAIL: port 0, or no source address; EAFNOSUPPORT: to a
    group; EADDRINUSE: that pair of names exists; EHOSTUNREACH: no route; afterwards ECONNREFUSED, ETIMEDOUT,
    EHOSTUNREACH.
    """
    so, tcb = block(node, sid)
    if tcb.connecting:
        if tcb.state in (SYN_SENT, SYN_RECEIVED):
            return False, []
        tcb.connecting = False
        raise_error(so)
        return True, []
    if tcb.state == LISTEN:
        raise Errno(EOPNOTSUPP)
    if tcb.state != CLOSED:
        raise Errno(EISCONN)
    raise_error(so)
    if not port:
        raise Errno(EADDRNOTAVAIL)
    dst = sockets.destination(node, so, in6.LOOPBACK if addr == in6.UNSPECIFIED else addr, zone, 0)
    if dst[0] == 0xFF:
        raise Errno(EAFNOSUPPORT)
    oif = node.outgoing(dst, sockets.forced(node, dst, so.options))
    laddr = so.laddr if so.laddr is not None else sockets.source(node, so, dst, oif)
    if so.lport:
        if ports.connected(node, so, laddr, dst, port):
            raise Errno(EADDRINUSE)
    else:
        ports.take(node, so, 0)
    key = key_of(laddr, dst, port, so.lport)
    if key in node.tcp_conns:
        raise Errno(EADDRINUSE)
    nodelay = tcb.nodelay
    tcb = so.tcb = Tcb(node, so)
    tcb.nodelay = nodelay
    so.laddr, so.faddr, so.fport = laddr, dst, port
    so.flow = sockets.choose_flow(node, so, flowinfo)
    tcb.laddr, tcb.lport, tcb.faddr, tcb.fport, tcb.key = laddr, so.lport, dst, port, key
    tcb.flow = so.flow & 0xFFFFF
    node.tcp_conns[key] = tcb
    tcb.connecting = True
    tcb.iss, tcb.stamp, _ = initial(node, key)
    tcb.snd_una = tcb.snd_nxt = tcb.snd_max = tcb.iss
    tcb.snd_base = tcb.iss + 1
    tcb.recover = tcb.iss
    tcb.rto = tcp_cong.INITIAL_RTO
    tcb.offered = offer(node, dst)
    node.stat["tcp.connattempt"] += 1
    tcp_state.move(node, tcb, "open_active")
    tcb.keep.arm(node.clock.now + node.sysctl["net.inet.tcp.keepinit"] * MS, node.trace.cause)
    return False, tcp_output(node, tcb)


def listen(node: Node, sid: int, backlog: int) -> None:
    """listen(2): take connections; ``backlog`` may wait to be accepted, kern.ipc.somaxconn at most.

    EINVAL: connected, or IPv4-mapped. Without bind(2) the port is anonymous.
    """
    so, tcb = block(node, sid)
    if tcb.state not in (CLOSED, LISTEN) or tcb.connecting:
        raise Errno(EINVAL)
    if so.laddr is not None and ports.is_mapped(so.laddr):
        raise Errno(EINVAL)
    limit = node.sysctl["kern.ipc.somaxconn"]
    tcb.backlog = backlog if 0 <= backlog <= limit else limit
    tcb.backlog = max(1, tcb.backlog)
    if tcb.state == LISTEN:
        return
    if not so.lport:
        ports.take(node, so, 0)
    tcb.laddr, tcb.lport = so.laddr or b"", so.lport
    tcb.syn_timer = Timer(node.clock, node, "tcp_timer", (sid, "syn"))
    tcp_state.move(node, tcb, "open_passive")


def accept(node: Node, sid: int, pid: int) -> int:
    """accept(2): the socket of the oldest connection that waits, now ``pid``'s; 0 where none does.

    EINVAL: the socket does not listen.
    """
    _, tcb = block(node, sid)
    if tcb.state != LISTEN:
        raise Errno(EINVAL)
    if not tcb.accept_queue:
        return 0
    taken = tcb.accept_queue.popleft()
    so, child = block(node, taken)
    so.pid = pid
    child.listener = 0
    return taken


# -- data ------------------------------------------------------------------------------------------------------------


def raise_error(so: Socket) -> None:
    """What happened to the connection is told once (BSD so_error)."""
    if so.error:
        number, so.error = so.error, 0
        raise Errno(number)


def send(node: Node, sid: int, data: bytes) -> tuple[int, list[Action]]:
    """send(2): (octets that went into the buffer, actions); 0 of more than none: no room now.

    EPIPE: this side is closed, or the connection is gone; ENOTCONN: it never was; ECONNRESET, ETIMEDOUT: told once.
    """
    so, tcb = block(node, sid)
    raise_error(so)
    if tcb.no_more:
        raise Errno(EPIPE)
    if tcb.state not in (ESTABLISHED, CLOSE_WAIT):
        if tcb.state in (SYN_SENT, SYN_RECEIVED):
            return 0, []
        raise Errno(EPIPE if tcb.snd_max else ENOTCONN)
    buf = tcb.snd_buf
    room = so.sndbuf - len(buf)
    if room <= 0 or not data:
        return 0, []
    if room < len(data):
        # A little room would make little segments: wait for a segment's worth (BSD so_snd.sb_lowat).
        if room < min(tcb.mss, so.sndbuf // 2):
            return 0, []
        data = data[:room]
    buf += data
    return len(data), tcp_output(node, tcb)


def push(node: Node, sid: int, data: bytes) -> tuple[bool, list[Action]]:
    """send(2) for a standard output, which can't wait: (whether the buffer is over its size, actions).

    The program is held at its next wait until there is room again. Errors as `send`.
    """
    so, tcb = block(node, sid)
    raise_error(so)
    if tcb.no_more or tcb.state not in (ESTABLISHED, CLOSE_WAIT):
        raise Errno(EPIPE)
    tcb.snd_buf += data
    return len(tcb.snd_buf) > so.sndbuf, tcp_output(node, tcb) if data else []


def recv(node: Node, sid: int, size: int) -> tuple[bytes | None, list[Action]]:
    """recv(2): (up to ``size`` octets, actions); b"" at the end of the stream, None where nothing has come yet.

    What came before an error is read before the error is told. ENOTCONN, ECONNRESET, ETIMEDOUT, ECONNREFUSED.
    """
    so, tcb = block(node, sid)
    buf = tcb.rcv_buf
    if buf:
        if len(buf) <= size:
            data = bytes(buf)
            buf.clear()
        else:
            data = bytes(memoryview(buf)[:size])
            del buf[:size]
        # The window has opened by as much: the peer hears of it when it is worth a segment.
        if tcb.state != CLOSED and window_opened(tcb):
            return data, tcp_output(node, tcb)
        return data, []
    raise_error(so)
    if tcb.rcv_shut or tcb.fin_rcvd:
        return b"", []
    if tcb.state in (CLOSED, LISTEN):
        if tcb.snd_max:
            return b"", []
        raise Errno(ENOTCONN)
    return None, []


def readable(so: Socket, tcb: Tcb) -> bool:
    """select(2): a connection to accept, data, the end of the stream, or an error."""
    if tcb.state == LISTEN:
        return bool(tcb.accept_queue)
    return bool(
        tcb.rcv_buf or so.error or tcb.rcv_shut or tcb.fin_rcvd or (tcb.state == CLOSED and tcb.snd_max)
    )  # fmt: skip


def writable(so: Socket, tcb: Tcb) -> bool:
    """select(2) for writing: `send` takes a segment's worth, or tells an error (BSD sowriteable)."""
    if tcb.state in (SYN_SENT, SYN_RECEIVED) and not tcb.no_more:
        return bool(so.error)
    if so.error or tcb.no_more or tcb.state not in (ESTABLISHED, CLOSE_WAIT):
        return True
    return so.sndbuf - len(tcb.snd_buf) >= min(tcb.mss, so.sndbuf // 2)


# -- closing ---------------------------------------------------------------------------------------------------------


def shutdown(node: Node, sid: int, how: str) -> list[Action]:
    """shutdown(2): ``rd``, ``wr`` or ``rdwr``. ENOTCONN; EINVAL: another word."""
    _, tcb = block(node, sid)
    if how not in ("rd", "wr", "rdwr"):
        raise Errno(EINVAL)
    if tcb.state in (CLOSED, LISTEN):
        raise Errno(ENOTCONN)
    if how != "wr":
        tcb.rcv_shut = True
        tcb.rcv_buf.clear()
        node.wakeup(sid)
    return _finish(node, tcb) if how != "rd" else []


def _finish(node: Node, tcb: Tcb) -> list[Action]:
    """The user sends no more: a FIN follows the data (RFC 9293 3.10.4)."""
    if tcb.no_more:
        return []
    if tcb.state == SYN_RECEIVED:
        tcb.no_more = tcb.want_close = True
        return []
    tcb.no_more = True
    before = tcb.state
    if not tcp_state.move(node, tcb, "close"):
        return []
    if before == SYN_SENT:
        tcp_close(node, tcb)
        return []
    return tcp_output(node, tcb)


def close(node: Node, sid: int) -> list[Action]:
    """close(2): at once where nothing remains to be done, else the kernel goes on without the program.

    Data that was not read, or SO_LINGER with a time of 0, turns it into a reset (RFC 9293 3.10.5; RFC 2525 2.17).
    """
    so, tcb = block(node, sid)
    tcb.connecting = False
    if tcb.state == CLOSED:
        forget(node, tcb)
        return []
    if tcb.state == LISTEN:
        return _close_listener(node, tcb)
    linger = so.options.get("SO_LINGER")
    if tcb.state not in (SYN_SENT, TIME_WAIT) and (tcb.rcv_buf or linger == 0):
        actions = tcp_drop(node, tcb, "abort", 0)
        forget(node, tcb)
        return actions
    actions = _finish(node, tcb)
    if tcb.state == CLOSED:
        forget(node, tcb)
        return actions
    if tcb.state == FIN_WAIT_2:
        wait_for_fin(node, tcb)
    return actions + orphan(node, tcb)


def _close_listener(node: Node, tcb: Tcb) -> list[Action]:
    """Nobody will accept the connections that wait: they are reset (BSD soclose)."""
    actions: list[Action] = []
    for entry in list(tcb.syn.values()):
        tcp_syn.syn_drop(node, tcb, entry, "abort")
    tcp_state.move(node, tcb, "close")
    while tcb.accept_queue:
        _, child = block(node, tcb.accept_queue.popleft())
        child.listener = 0
        actions += tcp_drop(node, child, "abort", 0)
        forget(node, child)
    forget(node, tcb)
    return actions


def power_off(node: Node) -> None:
    """Every timer stops: nothing of TCP survives a power cut."""
    for so in node.sockets.values():
        if so.tcb is not None:
            for _, timer in so.tcb.timers:
                timer.cancel()
            if so.tcb.syn_timer is not None:
                so.tcb.syn_timer.cancel()


# -- options ---------------------------------------------------------------------------------------------------------


def setsockopt(node: Node, so: Socket, name: str, value: Any) -> list[Action]:
    """Options of stream sockets alone. ENOPROTOOPT: another kind of socket; EINVAL: out of range.

    SO_LINGER is a number of seconds, None to switch it off.
    """
    tcb = so.tcb
    if tcb is None:
        raise Errno(ENOPROTOOPT)
    if name == "TCP_NODELAY":
        tcb.nodelay = bool(value)
        return tcp_output(node, tcb) if tcb.nodelay else []
    if name == "TCP_MAXSEG":
        if not 0 < int(value) <= tcb.mss:
            raise Errno(EINVAL)
        tcb.mss = int(value)
        return []
    if name == "SO_KEEPALIVE":
        so.options[name] = bool(value)
        if tcb.state not in (CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, TIME_WAIT):
            tcb.idle_at = node.clock.now
            start_keepalive(node, tcb)
        return []
    if value is None:
        so.options.pop(name, None)
    else:
        so.options[name] = int(value)
    return []


def getsockopt(so: Socket, name: str) -> Any:
    """The value of one of `OPTIONS`; ENOPROTOOPT on another kind of socket."""
    if so.tcb is None:
        raise Errno(ENOPROTOOPT)
    if name == "TCP_NODELAY":
        return so.tcb.nodelay
    if name == "TCP_MAXSEG":
        return so.tcb.mss
    if name == "SO_KEEPALIVE":
        return bool(so.options.get(name))
    return so.options.get(name)


def digest(so: Socket) -> tuple[Any, ...]:
    """Everything a connection remembers that its row does not show, as plain values."""
    tcb = so.tcb
    if tcb is None:
        return ()
    left = {"so", "rexmt", "persist", "keep", "twomsl", "delack", "syn_timer", "syn"}
    values = [getattr(tcb, name) for name in tcb.__slots__ if name not in left]
    halves = [tuple(getattr(entry, name) for name in entry.__slots__) for entry in tcb.syn.values()]
    return (so.sndbuf, so.rcvbuf, so.flow, *values, halves)
