"""A node without a kernel stack, and a loop that runs it: what the tests of processes, shell and netdb stand on.

`Bench` is one lab with one node. Its kernel has sockets that echo what is sent after one second, one sysctl, and two
interfaces. `Bench.restored` is the whole lab after a trip through pickle.
"""

from __future__ import annotations

import pickle
from heapq import heappop
from typing import Any

import pytest

from kamelab.core.clock import SECOND, Clock
from kamelab.core.errors import ENOENT, Errno
from kamelab.core.rng import Streams
from kamelab.core.timers import Timer
from kamelab.core.trace import Trace
from kamelab.stack.socket.message import Message
from kamelab.stack.views import InterfaceRow
from kamelab.userland import calls, system
from kamelab.userland.system import System


def interface(name: str, index: int) -> InterfaceRow:
    return InterfaceRow(name, index, 0x8843, 1500, "", "", True, 0, 0, 0, 0, 0, 0, 0, False)


class FakeNode:
    """As much of a node as the userland touches."""

    def __init__(self, clock: Clock, trace: Trace, streams: Streams) -> None:
        self.name = "h1"
        self.hostname = "h1"
        self.clock = clock
        self.trace = trace
        self.streams = streams
        self.kernel_log: list[tuple[int, str]] = []
        self.sysctls: dict[str, int] = {"net.inet6.ip6.forwarding": 0}
        self.sockets: dict[int, list[Message]] = {}
        self.sent: list[tuple[int, bytes]] = []
        self.closed: list[int] = []
        self.sid = 100
        self.echo = True
        self.calls = 0
        self.userland: Any = None

    def console(self, text: str) -> None:
        self.kernel_log.append((self.clock.now, text))
        self.userland.notify(text)

    def answer(self, sid: int, data: bytes) -> None:
        """A message arrives at a socket."""
        if sid in self.sockets:
            self.trace.cause = self.trace.record(self.clock.now, self.name, "ne0", "udp6", 1, "deliver")
            self.sockets[sid].append(Message(data, bytes(16), 7, 0, bytes(16), 1, 64, 0, self.clock.now))
            self.userland.wakeup(("so", sid))


class FakeKernel:
    """The entry points of `kamelab.stack.syscalls`, over a `FakeNode`."""

    def sysctl(self, node: FakeNode, name: str) -> int:
        node.calls += 1
        if name not in node.sysctls:
            raise Errno(ENOENT)
        return node.sysctls[name]

    def sysctl_set(self, node: FakeNode, name: str, value: int) -> int:
        old = self.sysctl(node, name)
        node.sysctls[name] = value
        return old

    def sethostname(self, node: FakeNode, name: str) -> None:
        node.hostname = name

    def rows(self, node: FakeNode, table: str) -> list[InterfaceRow]:
        assert table == "interfaces"
        return [interface("ne0", 1), interface("lo0", 2)]

    def socket(self, node: FakeNode, pid: int, kind: str, proto: int) -> int:
        node.sid += 1
        node.sockets[node.sid] = []
        return node.sid

    def sendmsg(self, node: FakeNode, sid: int, data: bytes, *rest: Any) -> int:
        node.sent.append((node.clock.now, data))
        if node.echo:
            Timer(node.clock, node, "answer", (sid, data)).arm(node.clock.now + SECOND, node.trace.cause)
        return len(data)

    def recvmsg(self, node: FakeNode, sid: int) -> Message | None:
        return node.sockets[sid].pop(0) if node.sockets[sid] else None

    def readable(self, node: FakeNode, sid: int) -> bool:
        return bool(node.sockets[sid])

    def close(self, node: FakeNode, sid: int) -> None:
        node.closed.append(sid)
        del node.sockets[sid]


class Bench:
    """A lab of one node; ``text`` gathers what was printed, by terminal."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.trace = Trace()
        self.streams = Streams(seed)
        self.node = FakeNode(self.clock, self.trace, self.streams)
        self.system = self.node.userland = System(self.node, self.clock, self.trace, self.streams)
        self.text: dict[str, str] = {}

    def restored(self) -> Bench:
        """The same lab after pickling, its programs built anew."""
        other: Bench = pickle.loads(pickle.dumps(self))
        other.system.revive()
        return other

    def drain(self) -> None:
        """Run everything that is ready, without letting time pass."""
        while self.clock.ready:
            owner, method, args, cause, also = self.clock.ready.popleft()
            self.trace.cause, self.trace.also = cause, also
            getattr(owner, method)(*args)
        for _, tty, text in self.system.output:
            self.text[tty] = self.text.get(tty, "") + text
        self.system.output.clear()

    def step(self) -> bool:
        """One timer with the tasks that it wakes; False where there is none left."""
        self.drain()
        while self.clock.heap:
            at, order, timer = heappop(self.clock.heap)
            if not timer.due(order):
                continue
            self.clock.now = at
            self.trace.cause, self.trace.also = timer.cause, 0
            getattr(timer.owner, timer.method)(*timer.args)
            self.drain()
            return True
        return False

    def run(self, seconds: float = 1e9) -> None:
        """Steps until nothing is left or the time is over."""
        self.drain()
        end = self.clock.now + int(seconds * SECOND)
        while self.clock.heap and self.clock.heap[0][0] <= end and self.step():
            pass

    def start(self, line: str, tty: str = "t", **options: Any) -> int:
        """Begin a line; it runs up to its first wait."""
        pid = self.system.shell(line, tty, **options)
        self.drain()
        return pid

    def sh(self, line: str, tty: str = "t") -> tuple[str, int | None]:
        """Run a line to its end: its text and its status."""
        before = len(self.text.get(tty, ""))
        pid = self.start(line, tty)
        while self.system.status(pid) is None and self.step():
            pass
        return self.text.get(tty, "")[before:], self.system.status(pid)


def lab(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A fresh lab over the fake kernel."""
    for module in (calls, system):
        monkeypatch.setattr(module, "syscalls", FakeKernel())
    return Bench()
