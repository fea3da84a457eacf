"""A wall clock turned by hand, a device made of a socket pair, and a loop that never sleeps."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

from kamelab.bridge.realtime import Realtime
from kamelab.lab.loader import load_lab
from kamelab.lab.session import Chunk, Session

LAB = """
format = 1
title = "A wire with two nodes"
summary = "For the tests of the bridge."
level = "beginner"
minutes = 1

[links.lan1]
latency = "100us"

[links.line]
kind = "ppp"

[nodes.r1]
role = "router"
startup = ["rtadvd ne0"]
interfaces.ne0 = { link = "lan1", addresses = ["2001:db8:1::1/64"] }
interfaces.ppp0 = { link = "line" }

[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan1", up = true }
interfaces.ppp0 = { link = "line" }
"""


def new_session() -> Session:
    """The lab above, booted."""
    return Session(load_lab(LAB, "bridge.toml"), LAB, "bridge")


class Wall:
    """Seconds that pass only when a test says so; ``drag`` is what a look at the clock costs."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.drag = 0.0

    def __call__(self) -> float:
        self.seconds += self.drag
        return self.seconds


class PairDevice:
    """A device whose far end a test holds. ``refuse`` makes it like an interface that is down."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.refuse = False
        self.closed = False

    def fileno(self) -> int:
        return self.near.fileno()

    def read(self) -> bytes | None:
        try:
            return self.near.recv(65536)
        except BlockingIOError:
            return None

    def write(self, frame: bytes) -> bool:
        if self.refuse:
            return False
        self.near.send(frame)
        return True

    def close(self) -> None:
        self.closed = True
        self.near.close()

    def heard(self) -> list[bytes]:
        """The frames that came out of the lab since the last call."""
        frames = []
        while True:
            try:
                frames.append(self.far.recv(65536))
            except BlockingIOError:
                return frames


class Bench:
    """A session in a loop that a test turns."""

    def __init__(self, *, device: bool = False) -> None:
        self.session = new_session()
        self.wall = Wall()
        self.shown: list[Chunk] = []
        self.device = PairDevice()
        if device:
            self.session.plug(("lan1 tap0",))
        self.loop = Realtime(self.session, self.shown.append, self.wall)
        if device:
            self.loop.attach("lan1", "tap0", self.device)

    def pass_time(self, seconds: float, step: float = 0.01) -> None:
        """Turn the wall clock on, the loop with it."""
        for _ in range(round(seconds / step)):
            self.wall.seconds += step
            self.loop.turn(0)

    def until(self, done: Callable[[], Any], seconds: float = 60.0) -> None:
        """Let time pass until something is so."""
        for _ in range(round(seconds / 0.01)):
            if done():
                return
            self.pass_time(0.01)
        raise AssertionError(f"not within {seconds} s")

    def close(self) -> None:
        self.loop.close()
        self.session.close()
        self.device.near.close()
        self.device.far.close()


class Caller:
    """A client of the control socket in the same thread."""

    def __init__(self, bench: Bench, path: str) -> None:
        self.bench = bench
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)
        self.sock.setblocking(False)
        self.data = b""

    def send(self, line: str) -> None:
        self.raw(json.dumps({"line": line}).encode() + b"\n")

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.bench.loop.turn(0)
        self.bench.loop.turn(0)

    def answer(self) -> dict[str, Any] | None:
        """The next answer, if it is there."""
        with contextlib.suppress(BlockingIOError):
            self.data += self.sock.recv(1 << 20)
        line, newline, rest = self.data.partition(b"\n")
        if not newline:
            return None
        self.data = rest
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, line: str, seconds: float = 60.0) -> dict[str, Any]:
        """Send a line, and let time pass until it is answered."""
        self.send(line)
        got: list[dict[str, Any]] = []

        def there() -> bool:
            answer = self.answer()
            if answer is not None:
                got.append(answer)
            return bool(got)

        self.bench.until(there, seconds)
        return got[0]
