"""A stand-in for `kamelab.userland.proc.Proc`: tables by hand, calls recorded, refusals on order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.socket.message import Message
from kamelab.stack.views import INFINITE, AddressRow, InterfaceRow, NdInterfaceRow

SECOND = 1_000_000_000
NEVER = INFINITE


class Interrupted(Exception):
    """Raised by `FakeProc.sleep` once its patience is over."""


class FakeProc:
    """What the programs of this folder ask of `Proc`, without a kernel."""

    def __init__(self, **tables: Any) -> None:
        self.tables: dict[str, tuple[Any, ...]] = {
            "interfaces": (DE0, LO0),
            "addresses": (),
            "neighbors": (),
            "prefixes": (),
            "routers": (),
            "routes": (),
            "groups": (),
            "sockets": (),
            "ndinterfaces": (ND_DE0,),
        }
        self.tables.update({name: tuple(rows) for name, rows in tables.items()})
        self.files = {"/etc/hosts": "::1 localhost\n"}
        self.sysctls: dict[str, int | str] = {
            "net.inet6.ip6.forwarding": 0,
            "net.inet6.ip6.accept_rtadv": 0,
            "net.inet6.ip6.kame_version": "20000214/kamelab",
            "net.inet6.icmp6.nodeinfo": 3,
        }
        self.statistics: dict[str, int] = {}
        self.now = 0
        self.epoch = 950_522_400 * SECOND
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        """What ioctl, route and neighbor answer, by request or command; an Errno is raised."""
        self.out = ""
        self.err = ""
        self.naps = 0
        self.pid = 512
        self.state: Any = None
        self.stdin = ""
        self.key: Callable[[int, bytes], list[bytes]] | None = None
        """The kernel behind a PF_KEY socket: pid and message to the messages that this socket hears."""
        self.heard: list[bytes] = []

    def time(self) -> int:
        return self.now

    def wall(self) -> int:
        return self.epoch + self.now

    async def sleep(self, ns: int) -> None:
        self.calls.append(("sleep", ns))
        self.naps -= 1
        if self.naps < 0:
            raise Interrupted
        self.now += ns

    def keep(self, state: object) -> None:
        self.calls.append(("keep", state))

    async def readline(self) -> str:
        line, newline, self.stdin = self.stdin.partition("\n")
        return line + newline

    def socket(self, kind: str, proto: int = 0) -> int:
        if kind != "key" or self.key is None:
            raise Errno(errors.EPROTONOSUPPORT)
        return 3

    def sendmsg(self, fd: int, data: bytes) -> int:
        assert self.key is not None
        self.heard += self.key(self.pid, data)
        return len(data)

    async def recvmsg(self, fd: int, timeout: int | None = None) -> Message | None:
        if self.heard:
            return Message(self.heard.pop(0), b"", 0, 0, b"", 0, 0, 0, self.now)
        if timeout is None:
            raise Interrupted
        self.now += timeout
        return None

    def close(self, fd: int) -> None:
        self.calls.append(("close", fd))

    def print(self, line: str = "") -> None:
        self.out += line + "\n"

    def write(self, text: str) -> None:
        self.out += text

    def error(self, text: str) -> None:
        self.err += text

    def exists(self, path: str) -> bool:
        return path in self.files

    def read_file(self, path: str) -> str:
        if path not in self.files:
            raise Errno(errors.ENOENT)
        return self.files[path]

    def rows(self, table: str) -> tuple[Any, ...]:
        return self.tables[table]

    def counters(self) -> tuple[tuple[str, int], ...]:
        return tuple(self.statistics.items())

    def sysctl_names(self) -> tuple[str, ...]:
        return tuple(self.sysctls)

    def sysctl(self, name: str) -> int | str:
        if name not in self.sysctls:
            raise Errno(errors.ENOENT)
        return self.sysctls[name]

    def sysctl_set(self, name: str, value: int) -> int | str:
        old = self.sysctl(name)
        if isinstance(old, str):
            raise Errno(errors.EPERM)
        if value < -1:
            raise Errno(errors.EINVAL)
        self.sysctls[name] = value
        return old

    def _answer(self, name: str) -> Any:
        answer = self.answers.get(name)
        if isinstance(answer, Errno):
            raise answer
        return answer

    def ioctl(self, request: str, interface: str, **plain: Any) -> Any:
        self.calls.append((request, interface, plain))
        return self._answer(request)

    def route(self, command: str, **plain: Any) -> Any:
        self.calls.append((command, plain))
        return self._answer(command)

    def neighbor(self, command: str, **plain: Any) -> Any:
        self.calls.append((command, plain))
        return self._answer(command)


def run(main: Any, line: str, proc: FakeProc | None = None) -> tuple[int, str, str]:
    """Run a program of a fake world to its end: status, standard output, standard error."""
    proc = proc or FakeProc()
    proc.out = proc.err = ""
    coroutine = main(proc, line.split())
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value, proc.out, proc.err
    raise AssertionError("the program parked")


DE0 = InterfaceRow("de0", 1, 0x8843, 1500, "00:60:08:11:22:33", "lan", True, 50, 1, 60, 2, 5000, 6000, 3, False)
LO0 = InterfaceRow("lo0", 2, 0x8049, 16384, "", "", True, 7, 0, 7, 0, 700, 700, 0, False)
ND_DE0 = NdInterfaceRow("de0", 0, 1500, 64, 30000, 33, 1000, ("nud", "accept_rtadv"))
LINKLOCAL = AddressRow("de0", "fe80::260:8ff:fe11:2233%de0", 64, (), 1, NEVER, NEVER, "")
GLOBAL = AddressRow("de0", "2001:db8:0:1:260:8ff:fe11:2233", 64, ("autoconf",), 0, 2591999, 604799, "")
LOOPBACK = AddressRow("lo0", "::1", 128, (), 0, NEVER, NEVER, "")
LOOPBACK_LINKLOCAL = AddressRow("lo0", "fe80::1%lo0", 64, (), 2, NEVER, NEVER, "")
