"""System calls: where userland enters the kernel. Plain values in, plain values or `Errno` out.

Each call carries out the actions that it sets off, under the ambient cause of the calling process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamelab.core.errors import Errno
from kamelab.stack import ioctl as _ioctl
from kamelab.stack import sysctl as _sysctl
from kamelab.stack import tables as _tables
from kamelab.stack.socket import sockets as _sockets
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
    return _sockets.create(node, pid, kind, proto)


def bind(node: Node, sid: int, addr: bytes, port: int, zone: int) -> None:
    """bind(2)."""
    _sockets.bind(node, sid, addr, port, zone)


def connect(node: Node, sid: int, addr: bytes, port: int, zone: int) -> None:
    """connect(2)."""
    _sockets.connect(node, sid, addr, port, zone)


def getsockname(node: Node, sid: int) -> tuple[bytes, int, int]:
    """getsockname(2)."""
    return _sockets.getsockname(node, sid)


def setsockopt(node: Node, sid: int, name: str, value: Any) -> None:
    """setsockopt(2)."""
    node.perform(_sockets.setsockopt(node, sid, name, value))


def sendmsg(
    node: Node,
    sid: int,
    data: bytes,
    addr: bytes | None = None,
    port: int = 0,
    zone: int = 0,
    pktinfo: tuple[bytes | None, int] | None = None,
    hoplimit: int | None = None,
) -> int:
    """sendmsg(2); octets sent."""
    out = _sockets.sendmsg(node, sid, data, addr, port, zone, pktinfo, hoplimit)
    _sockets.reachconf(node, _sockets.lookup(node, sid), out)
    trace = node.trace
    cause, also = trace.cause, trace.also
    number = node.send(out)
    trace.cause, trace.also = cause, also
    if number:
        raise Errno(number)
    return len(data)


def recvmsg(node: Node, sid: int) -> Message | None:
    """recvmsg(2); None would block."""
    return _sockets.recvmsg(node, sid)


def readable(node: Node, sid: int) -> bool:
    """select(2) on one socket."""
    return _sockets.readable(node, sid)


def close(node: Node, sid: int) -> None:
    """close(2)."""
    node.perform(_sockets.close(node, sid))
