"""System calls: where userland enters the kernel. Plain values in, plain values or `Errno` out.

Each call carries out the actions that it sets off, under the ambient cause of the calling process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamelab.core.errors import Errno
from kamelab.stack import ioctl as _ioctl
from kamelab.stack import sysctl as _sysctl
from kamelab.stack import tables as _tables
from kamelab.stack.net import bpf as _bpf
from kamelab.stack.net import rtsock as _rtsock
from kamelab.stack.netinet6 import nodeinfo as _nodeinfo
from kamelab.stack.netipsec import keysock as _keysock
from kamelab.stack.socket import ancillary as _ancillary
from kamelab.stack.socket import options as _options
from kamelab.stack.socket import sockets as _sockets
from kamelab.stack.socket import stream as _stream
from kamelab.stack.socket.message import Message

if TYPE_CHECKING:
    from kamelab.stack.node import Node


def sysctl(node: Node, name: str) -> int | str:
    """sysctl(3), reading. ENOENT."""
    return _sysctl.sysctl_get(node, name)


def sysctl_set(node: Node, name: str, value: int) -> int | str:
    """sysctl(3), writing; the old value. ENOENT, EPERM, EINVAL."""
    return _sysctl.sysctl_set(node, name, value)


def sysctl_names(node: Node) -> tuple[str, ...]:
    """Every variable's name."""
    return _sysctl.sysctl_names()


def sethostname(node: Node, name: str) -> None:
    """sethostname(3): the node also changes its node information groups."""
    node.perform(_nodeinfo.sethostname(node, name))


def rows(node: Node, table: str) -> tuple[Any, ...]:
    """A table's rows (`views`). EINVAL."""
    return _tables.rows(node, table)


def counters(node: Node) -> tuple[tuple[str, int], ...]:
    """All statistics counters that are not zero, by name."""
    return tuple(sorted(node.counters().items()))


def ioctl(node: Node, request: str, interface: str, **args: Any) -> Any:
    """ioctl(2) on an interface by the request's name."""
    result, actions = _ioctl.ioctl(node, request, interface, args)
    node.perform(actions)
    return result


def route(node: Node, command: str, **args: Any) -> Any:
    """A routing socket's request."""
    return _ioctl.route(node, command, args)


def neighbor(node: Node, command: str, **args: Any) -> Any:
    """Neighbour cache entries by hand (``ndp -s``, ``-d``, ``-c``)."""
    result, actions = _ioctl.neighbor(node, command, args)
    node.perform(actions)
    return result


def socket(node: Node, pid: int, kind: str, proto: int) -> int:
    """socket(2); the socket's number."""
    sid = _sockets.create(node, pid, kind, proto)
    if kind == "tcp6":
        _stream.attach(node, _sockets.lookup(node, sid))
    if kind == "route":
        node.route_sockets.append(sid)
    if kind == "key":
        so = _sockets.lookup(node, sid)
        so.rcvbuf = so.sndbuf = _keysock.SPACE
        node.key_sockets.append(sid)
    return sid


def bind(node: Node, sid: int, addr: bytes, port: int, zone: int) -> None:
    """bind(2)."""
    _sockets.bind(node, sid, addr, port, zone)


def connect(node: Node, sid: int, addr: bytes | None, port: int, zone: int, flowinfo: int = 0) -> None:
    """connect(2); without an address the association ends."""
    _sockets.connect(node, sid, addr, port, zone, flowinfo)


def getsockname(node: Node, sid: int) -> tuple[bytes, int, int]:
    """getsockname(2)."""
    return _sockets.getsockname(node, sid)


def getpeername(node: Node, sid: int) -> tuple[bytes, int, int]:
    """getpeername(2)."""
    return _sockets.getpeername(node, sid)


def setsockopt(node: Node, sid: int, name: str, value: Any) -> None:
    """setsockopt(2), and the ioctls of a packet filter descriptor."""
    if name in _bpf.OPTIONS:
        _bpf.ioctl(node, sid, name, value)
        return
    node.perform(_options.setsockopt(node, sid, name, value))


def getsockopt(node: Node, sid: int, name: str) -> Any:
    """getsockopt(2), and the statistics of a packet filter descriptor."""
    if name == "BIOCGSTATS":
        return _bpf.stats(node, sid)
    return _options.getsockopt(node, sid, name)


def sendmsg(
    node: Node,
    sid: int,
    data: bytes,
    addr: bytes | None = None,
    port: int = 0,
    zone: int = 0,
    pktinfo: tuple[bytes | None, int] | None = None,
    hoplimit: int | None = None,
    control: _ancillary.Control = (),
) -> int:
    """sendmsg(2); octets sent. ``pktinfo`` and ``hoplimit`` are short for their ``control`` items."""
    if sid in node.key_sockets:
        _keysock.key_output(node, sid, data)
        return len(data)
    if pktinfo is not None:
        control = (("IPV6_PKTINFO", pktinfo), *control)
    if hoplimit is not None:
        control = (("IPV6_HOPLIMIT", hoplimit), *control)
    out, settings = _sockets.sendmsg(node, sid, data, addr, port, zone, control)
    if settings.get("IPV6_REACHCONF"):
        _ancillary.confirm(node, out)
    trace = node.trace
    cause, also = trace.cause, trace.also
    number = node.send(out)
    trace.cause, trace.also = cause, also
    if number:
        _sockets.refused(node, out, number)
        raise Errno(number)
    return len(data)


def recvmsg(node: Node, sid: int) -> Message | None:
    """recvmsg(2); None would block."""
    if sid in node.route_sockets:
        return _rtsock.receive(node, sid)
    return _sockets.recvmsg(node, sid)


def readable(node: Node, sid: int) -> bool:
    """select(2) on one socket."""
    so = _sockets.lookup(node, sid)
    if so.tcb is not None:
        return _stream.readable(so, so.tcb)
    return _sockets.readable(node, sid)


def setowner(node: Node, sid: int, pid: int) -> None:
    """The socket is another process's from now on."""
    _sockets.lookup(node, sid).pid = pid


def writable(node: Node, sid: int) -> bool:
    """select(2) for writing; datagram and raw sockets always are."""
    so = _sockets.lookup(node, sid)
    return so.tcb is None or _stream.writable(so, so.tcb)


def connect_stream(node: Node, sid: int, addr: bytes, port: int, zone: int = 0, flowinfo: int = 0) -> bool:
    """connect(2) on a stream socket: True when the connection is there; call again after a wake-up."""
    done, actions = _stream.connect(node, sid, addr, port, zone, flowinfo)
    node.perform(actions)
    return done


def listen(node: Node, sid: int, backlog: int = 5) -> None:
    """listen(2)."""
    _stream.listen(node, sid, backlog)


def accept(node: Node, sid: int, pid: int = 0) -> int:
    """accept(2): the number of the new socket, 0 where no connection waits."""
    return _stream.accept(node, sid, pid)


def send(node: Node, sid: int, data: bytes) -> int:
    """send(2) on a stream socket: octets taken, 0 where there is no room."""
    count, actions = _stream.send(node, sid, data)
    node.perform(actions)
    return count


def push(node: Node, sid: int, data: bytes) -> bool:
    """send(2) of all of ``data``, room or not; whether the buffer is now fuller than it should be."""
    over, actions = _stream.push(node, sid, data)
    node.perform(actions)
    return over


def recv(node: Node, sid: int, size: int = 65536) -> bytes | None:
    """recv(2) on a stream socket: b"" at the end of the stream, None where nothing has come."""
    data, actions = _stream.recv(node, sid, size)
    node.perform(actions)
    return data


def shutdown(node: Node, sid: int, how: str) -> None:
    """shutdown(2): ``rd``, ``wr`` or ``rdwr``."""
    node.perform(_stream.shutdown(node, sid, how))


def close(node: Node, sid: int) -> None:
    """close(2)."""
    if _sockets.lookup(node, sid).kind == "bpf":
        _bpf.detach(node, sid)
    if sid in node.route_sockets:
        node.route_sockets.remove(sid)
    if _sockets.lookup(node, sid).tcb is not None:
        node.perform(_stream.close(node, sid))
        return
    _keysock.close(node, _sockets.lookup(node, sid))
    node.perform(_sockets.close(node, sid))
