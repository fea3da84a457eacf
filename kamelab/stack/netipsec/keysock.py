"""PF_KEY sockets: where user land and the kernel's key engine meet (RFC 2367 1.4; KAME netkey/keysock.c).

A socket of kind ``key`` takes whole messages and is given whole messages. The engine (`key.py`) is plain data; here is
what it needs of a node: the clock, random octets, sockets and the one timer. Left out: a limit for privileged programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.timers import Timer
from kamelab.stack.netipsec.key import Answer, key_parse
from kamelab.stack.netipsec.spd import SocketPolicy
from kamelab.stack.socket import sockets
from kamelab.stack.socket.message import Message
from kamelab.wire.in6 import UNSPECIFIED

if TYPE_CHECKING:
    from kamelab.stack.node import Node
    from kamelab.stack.socket.sockets import Socket

SPACE: Final = 0x40000
"""Octets that a socket holds of messages: dumps come at once. KAME's had 8192, and large dumps were cut."""


def key_output(node: Node, sid: int, data: bytes) -> None:
    """A message of a program (KAME key_output). Errno EINVAL where even its framing is wrong."""
    keys = node.keys
    try:
        answers = key_parse(keys, sid, data, node.clock.now, node.ipsec_octets)
    finally:
        if keys.refusal and (node.sysctl["net.key.debug"] or node.sysctl["net.inet6.ipsec6.debug"]):
            node.log(keys.refusal)
    deliver(node, answers, sid)
    changed(node)


def deliver(node: Node, answers: list[Answer], asker: int | None = None) -> None:
    """Put what the engine says into the sockets that are to hear it (KAME key_sendup_mbuf)."""
    for sid, data in node.keys.deliver(answers, node.key_sockets, asker):
        sockets.append(node, node.sockets[sid], Message(data, UNSPECIFIED, 0, 0, UNSPECIFIED, 0, 0, 0, node.clock.now))


def spoke(node: Node) -> None:
    """After a packet has asked the engine: say what waits, and mind new deadlines."""
    keys = node.keys
    if keys.outbox:
        deliver(node, keys.drain())
    arm(node)


def changed(node: Node) -> None:
    """Policies may have come or gone: whether packets ask for them at all, and remembered ways end."""
    spd = node.keys.spd
    node.ipsec = bool(spd.by_key or spd.sockets or not node.sysctl["net.inet6.ipsec6.def_policy"])
    node.generation += 1
    arm(node)


def arm(node: Node) -> None:
    """Wake the engine at its deadline."""
    at = node.keys.deadline()
    timer = node.key_wake
    if at is None:
        if timer is not None:
            timer.cancel()
        return
    if timer is None:
        timer = node.key_wake = Timer(node.clock, node, "key_timer", ageing=True)
    if timer.at != max(at, node.clock.now):
        timer.arm(at, node.trace.cause)


def key_timer(node: Node) -> None:
    """Lifetimes (KAME key_timehandler)."""
    deliver(node, node.keys.timehandler(node.clock.now))
    changed(node)


def close(node: Node, so: Socket) -> None:
    """A socket goes, of whatever kind: it hears nothing any more, and its policies end."""
    if so.kind == "key":
        node.key_sockets.remove(so.sid)
        node.keys.close(so.sid)
    if so.policy is not None:
        so.policy.close(node.keys.spd, node.keys.release)
        so.policy = None
        changed(node)


def set_policy(node: Node, so: Socket, data: bytes) -> None:
    """IPV6_IPSEC_POLICY (KAME ipsec6_set_policy). Every process here is privileged. Errno: as `SocketPolicy.set`."""
    if so.policy is None:
        so.policy = SocketPolicy(privileged=True)
    node.keys.release(so.policy.set(node.keys.spd, data, node.clock.now))
    changed(node)
