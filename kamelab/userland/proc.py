"""What a program sees of the world: its arguments, its terminal, its node's files and the system calls.

A program is ``async def main(proc: Proc, argv: list[str]) -> int``; ``argv[0]`` is its name. It touches the world only
through `Proc`, and every call goes through `Proc._call` (answers at once) or `Proc._wait` (may park the process). Each
result is a plain value and is written to the process's log, so that the process can be restored by running ``main``
again against that log: until the log's end the calls answer from it and change nothing. A wait that would block parks
the process; a wake-up tries the pending call again (4.4BSD tsleep/wakeup).

So a program must not remember anything outside its own variables, nor take numbers from anywhere but `Proc`.

Left out: file descriptors for files, memory, users and permissions.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

from kamelab.core.errors import ETIMEDOUT, Errno

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.process import JobRow, Process, ProcessRow

SIGHUP = 1
SIGINT = 2
SIGQUIT = 3
SIGKILL = 9
SIGPIPE = 13
SIGALRM = 14
SIGTERM = 15
SIGUSR1 = 30
SIGUSR2 = 31

SIGNALS: dict[str, int] = {
    "HUP": SIGHUP,
    "INT": SIGINT,
    "QUIT": SIGQUIT,
    "KILL": SIGKILL,
    "PIPE": SIGPIPE,
    "ALRM": SIGALRM,
    "TERM": SIGTERM,
    "USR1": SIGUSR1,
    "USR2": SIGUSR2,
}
"""Signal numbers of 4.4BSD by name, without ``SIG``."""

Stream = tuple[Any, ...]
"""A plain description of where a standard stream leads; see `Proc.spawn`."""


class Signal(Exception):
    """A signal, raised at the await in which the process is parked; ``number`` as in `SIGNALS`.

    A program that does not catch it ends with status 128 + number. SIGKILL is never raised.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Exit(Exception):
    """exit(3): raised by `Proc.exit`; ends the program with ``status`` from any depth."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Park:
    """What a parked coroutine awaits: gives control back to the engine until the process is resumed."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


PARK = _Park()


class Proc:
    """A program's whole world. Times and timeouts are in nanoseconds; text is str, addresses are 16 octets without
    embedded zone, beside a zone (interface index, 0: none).

    Every call may raise `kamelab.core.errors.Errno`; every await may raise `Signal`.
    """

    __slots__ = ("_process", "argv", "name", "pid", "state")

    def __init__(self, process: Process, state: Any = None) -> None:
        self._process = process
        self.argv: list[str] = list(process.argv)
        self.name: str = process.name
        self.pid: int = process.pid
        self.state: Any = state
        """What the program last gave to `keep`, when it runs again after a restore; None the first time."""

    # -- the choke point ---------------------------------------------------------------------------------------------

    def _call(self, name: str, *args: Any, **options: Any) -> Any:
        """A system call that answers at once: from the log while restoring, else from the system."""
        process = self._process
        if process.cursor < len(process.log):
            return process.replay(name)
        return process.system.call(process, name, args, options)

    async def _wait(self, name: str, *args: Any, timeout: int | None = None) -> Any:
        """A system call that may park the process until it can answer, a signal comes or ``timeout`` ns are over."""
        process = self._process
        if process.cursor < len(process.log):
            return process.replay(name)
        system = process.system
        if process.pending is None:
            ready = system.begin(process, name, args, timeout)
        else:
            # Restoring has come to the call in which the process was parked: it still is.
            process.check(name)
            ready = False
        while not ready:
            await PARK
            ready = system.attempt(process)
        return process.take()

    # -- life --------------------------------------------------------------------------------------------------------

    def exit(self, status: int) -> NoReturn:
        """End the program with ``status`` (exit(3))."""
        raise Exit(status)

    def daemon(self) -> None:
        """daemon(3): the shell's wait for this process ends with status 0 and the process goes on in the background.

        Standard input and output become /dev/null; what is written to standard error goes to the node's console.
        """
        self._call("daemon")

    def keep(self, state: object) -> None:
        """Snapshot ``state`` (any picklable object) and drop the log before it.

        For programs that run long: after a restore ``main`` runs again with `state` set to the snapshot, and must
        come back to this very call before it makes any other one::

            state = proc.state or fresh(proc, argv)
            while True:
                proc.keep(state)
                ...
        """
        process = self._process
        if process.cursor < len(process.log):
            process.replay("keep")
            return
        process.keep(state)

    # -- time and chance ---------------------------------------------------------------------------------------------

    def time(self) -> int:
        """Nanoseconds since boot."""
        return int(self._call("time"))

    def wall(self) -> int:
        """Lab time: nanoseconds since 1970, UTC."""
        return int(self._call("wall"))

    async def sleep(self, ns: int) -> None:
        """Wait ``ns`` nanoseconds; returns at once where it is not positive."""
        await self._wait("sleep", timeout=max(ns, 0))

    def random(self, limit: int) -> int:
        """A number ``0 <= n < limit`` of the stream ``<node>/<program>``."""
        return int(self._call("random", limit))

    # -- terminal and streams ----------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Write to standard output; no newline is added. Raises `Signal` 13 where nobody reads the pipe any more."""
        self._call("write", 1, text)

    def error(self, text: str) -> None:
        """Write to standard error; no newline is added."""
        self._call("write", 2, text)

    def print(self, line: str = "") -> None:
        """Write a line to standard output."""
        self._call("write", 1, line + "\n")

    async def readline(self) -> str:
        """The next line of standard input with its newline; "" at end of file."""
        return str(await self._wait("readline"))

    async def read(self) -> str:
        """Standard input to its end."""
        return str(await self._wait("read"))

    async def readsome(self, size: int = 65536, timeout: int | None = None) -> str | None:
        """read(2): what standard input has, ``size`` characters at most; "" at its end, None at the timeout (ns)."""
        text: str | None = await self._wait("readsome", size, timeout=timeout)
        return text

    def isatty(self, fd: int) -> bool:
        """Whether descriptor 0, 1 or 2 is a terminal."""
        return bool(self._call("isatty", fd))

    # -- the node's files --------------------------------------------------------------------------------------------

    def read_file(self, path: str) -> str:
        """A file's text. Errno: ENOENT, EISDIR."""
        return str(self._call("read_file", path))

    def write_file(self, path: str, text: str, append: bool = False) -> None:
        """Write or append to a file, which is created. Errno: EISDIR, ENOTDIR."""
        self._call("write_file", path, text, append)

    def unlink(self, path: str) -> None:
        """Remove a file. Errno: ENOENT, EPERM for a directory."""
        self._call("unlink", path)

    def listdir(self, path: str = "/") -> tuple[str, ...]:
        """Names in a directory, sorted; directories end in ``/``. Errno: ENOENT, ENOTDIR."""
        names: tuple[str, ...] = self._call("listdir", path)
        return names

    def exists(self, path: str) -> bool:
        """Whether there is a file or a directory."""
        return bool(self._call("exists", path))

    # -- the node ----------------------------------------------------------------------------------------------------

    def hostname(self) -> str:
        """gethostname(3)."""
        return str(self._call("hostname"))

    def sethostname(self, name: str) -> None:
        """sethostname(3)."""
        self._call("sethostname", name)

    def sysctl(self, name: str) -> int | str:
        """The value of a sysctl name such as ``net.inet6.ip6.forwarding``. Errno: ENOENT unknown."""
        value: int | str = self._call("sysctl", name)
        return value

    def sysctl_set(self, name: str, value: int) -> int | str:
        """Set a sysctl; the old value. Errno: ENOENT unknown, EPERM read only, EINVAL."""
        old: int | str = self._call("sysctl_set", name, value)
        return old

    def sysctl_names(self) -> tuple[str, ...]:
        """All sysctl names, in the tree's order."""
        names: tuple[str, ...] = self._call("sysctl_names")
        return names

    def rows(self, table: str) -> tuple[Any, ...]:
        """Rows (`kamelab.stack.views`) of one of: interfaces addresses neighbors prefixes routers routes groups
        sockets ndinterfaces addrctlpolicy. Errno: ENOENT for another name.
        """
        rows: tuple[Any, ...] = self._call("rows", table)
        return rows

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Statistics: (name as in `kamelab.core.drops`, value) pairs."""
        pairs: tuple[tuple[str, int], ...] = self._call("counters")
        return pairs

    def dmesg(self) -> tuple[tuple[int, str], ...]:
        """The kernel log: (ns since boot, text) pairs."""
        lines: tuple[tuple[int, str], ...] = self._call("dmesg")
        return lines

    def syslog(self, text: str, tag: str | None = None) -> None:
        """Append ``name[pid]: text`` (or ``tag: text``) to the node's log and console (syslog(3))."""
        self._call("syslog", text, tag)

    def ioctl(self, request: str, interface: str, **plain: Any) -> Any:
        """An interface request (``SIOCSIFFLAGS`` ...). Errno: ENXIO unknown interface, and the request's own."""
        return self._call("ioctl", request, interface, **plain)

    def route(self, command: str, **plain: Any) -> Any:
        """Routing socket: add delete change get flush. Errno: EEXIST ESRCH ENETUNREACH EINVAL.

        ``get`` answers with a `kamelab.stack.views.RouteRow`, ``flush`` with a tuple of the rows removed, the others
        with None.
        """
        return self._call("route", command, **plain)

    def neighbor(self, command: str, **plain: Any) -> Any:
        """Neighbour cache: set delete flush."""
        return self._call("neighbor", command, **plain)

    # -- sockets -----------------------------------------------------------------------------------------------------

    def socket(self, kind: str, proto: int = 0) -> int:
        """Open a socket; its descriptor, from 3. Errno EPROTONOSUPPORT.

        Kinds: "udp6", "tcp6", "raw6" with the protocol number; "udp4" and "tcp4" have ports and no traffic, their
        addresses are of 4 octets.
        """
        return int(self._call("socket", kind, proto))

    def bind(self, fd: int, addr: bytes, port: int = 0, zone: int = 0) -> None:
        """bind(2). Errno: EADDRNOTAVAIL EADDRINUSE EINVAL EBADF."""
        self._call("bind", fd, addr, port, zone)

    def connect(self, fd: int, addr: bytes | None, port: int = 0, zone: int = 0, flowinfo: int = 0) -> None:
        """connect(2) of a datagram or raw socket; chooses the source address. None dissolves the association.

        ``flowinfo``: traffic class and flow label, 28 bits. Errno: EHOSTUNREACH ENETUNREACH EADDRNOTAVAIL EADDRINUSE
        EINVAL EBADF.
        """
        self._call("connect", fd, addr, port, zone, flowinfo)

    def getsockname(self, fd: int) -> tuple[bytes, int, int]:
        """The socket's own (address, port, zone)."""
        name: tuple[bytes, int, int] = self._call("getsockname", fd)
        return name

    def getpeername(self, fd: int) -> tuple[bytes, int, int]:
        """The peer's (address, port, zone). Errno ENOTCONN."""
        name: tuple[bytes, int, int] = self._call("getpeername", fd)
        return name

    def getsockopt(self, fd: int, name: str) -> Any:
        """A socket option's value; ``SO_ERROR`` an errno or 0. Errno: ENOPROTOOPT EINVAL ENOTCONN."""
        return self._call("getsockopt", fd, name)

    def setsockopt(self, fd: int, name: str, value: Any) -> None:
        """Set a socket option by its RFC 3542 name (``IPV6_UNICAST_HOPS``, ``ICMP6_FILTER`` ...). Errno ENOPROTOOPT."""
        self._call("setsockopt", fd, name, value)

    def sendmsg(
        self,
        fd: int,
        data: bytes,
        addr: bytes | None = None,
        port: int = 0,
        zone: int = 0,
        *,
        pktinfo: tuple[bytes | None, int] | None = None,
        hoplimit: int | None = None,
        control: tuple[tuple[str, Any], ...] = (),
    ) -> int:
        """sendmsg(2) with RFC 3542's ancillary data, (name, value) pairs (`stack.socket.ancillary`); octets sent.

        ``pktinfo`` (source, interface index) and ``hoplimit`` are short for their items. Errno: EINVAL EHOSTUNREACH
        ENETUNREACH EADDRNOTAVAIL EMSGSIZE ENETDOWN ENOTCONN EBADF.
        """
        return int(self._call("sendmsg", fd, data, addr, port, zone, pktinfo, hoplimit, control))

    async def recvmsg(self, fd: int, timeout: int | None = None) -> Message | None:
        """The next message; None when ``timeout`` ns went by without one (None: wait for ever). Errno EBADF."""
        message: Message | None = await self._wait("recvmsg", fd, timeout=timeout)
        return message

    async def connect_stream(
        self, fd: int, addr: bytes, port: int, zone: int = 0, timeout: int | None = None, flowinfo: int = 0
    ) -> None:
        """connect(2) of a stream socket ("tcp6"), waiting until the connection is there or can't be.

        Errno: ECONNREFUSED ETIMEDOUT (after ``timeout`` ns too) EHOSTUNREACH EADDRNOTAVAIL EADDRINUSE EISCONN
        EAFNOSUPPORT EINVAL ENETUNREACH EOPNOTSUPP EBADF.
        """
        if await self._wait("connect_stream", fd, addr, port, zone, flowinfo, timeout=timeout) is None:
            raise Errno(ETIMEDOUT)

    def listen(self, fd: int, backlog: int = 5) -> None:
        """listen(2): up to ``backlog`` connections wait for `accept`. Errno: EINVAL EOPNOTSUPP EBADF."""
        self._call("listen", fd, backlog)

    async def accept(self, fd: int, timeout: int | None = None) -> tuple[int, bytes, int, int] | None:
        """The next connection, (descriptor, address, port, zone); None at the timeout (ns). Errno: EINVAL EBADF."""
        taken: tuple[int, bytes, int, int] | None = await self._wait("accept", fd, timeout=timeout)
        return taken

    async def send(self, fd: int, data: bytes, timeout: int | None = None) -> int:
        """Send all of ``data`` on a stream socket, waiting for room; octets taken, fewer where ``timeout`` ns went by
        without any. Errno: EPIPE ECONNRESET ETIMEDOUT ENOTCONN EBADF.
        """
        done = 0
        while done < len(data):
            count = await self._wait("send", fd, data[done:] if done else data, timeout=timeout)
            if count is None:
                break
            done += count
        return done

    async def recv(self, fd: int, size: int = 65536, timeout: int | None = None) -> bytes | None:
        """Up to ``size`` octets of a stream; b"" at its end, None at the timeout (ns). Errno: ECONNRESET ETIMEDOUT
        ENOTCONN EBADF.
        """
        data: bytes | None = await self._wait("recv", fd, size, timeout=timeout)
        return data

    def shutdown(self, fd: int, how: str) -> None:
        """shutdown(2) of a stream socket: "rd", "wr" or "rdwr". Errno: ENOTCONN EINVAL EOPNOTSUPP EBADF."""
        self._call("shutdown", fd, how)

    async def select(self, fds: tuple[int, ...], timeout: int | None = None) -> tuple[int, ...]:
        """The descriptors (sockets, 0 for standard input) that can be read now; () at the timeout. Errno EBADF."""
        ready: tuple[int, ...] = await self._wait("select", tuple(fds), timeout=timeout)
        return ready

    async def poll(
        self, reads: tuple[int, ...], writes: tuple[int, ...], timeout: int | None = None
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """poll(2): (descriptors as for `select`, stream sockets whose `send` takes something or tells an error).

        Both empty at the timeout (ns). Errno EBADF.
        """
        ready: tuple[tuple[int, ...], tuple[int, ...]] | None
        ready = await self._wait("poll", tuple(reads), tuple(writes), timeout=timeout)
        return ready or ((), ())

    def close(self, fd: int) -> None:
        """Close a socket. Errno EBADF."""
        self._call("close", fd)

    # -- other processes (for the shell) -----------------------------------------------------------------------------

    def spawn(
        self,
        argv: list[str],
        stdin: Stream | None = None,
        stdout: Stream | None = None,
        *,
        background: bool = False,
    ) -> int:
        """Start a program; its process id. It first runs when this process parks.

        ``stdin`` is None (this process's own), ``("null",)``, ``("text", str)``, ``("file", path)`` or
        ``("pipe", id)``; ``stdout`` None, ``("null",)``, ``("file", path, append)`` or ``("pipe", id)``. Both may be
        ``("socket", fd)``, a stream socket, which is then the child's and closed here.
        Errno: ENOENT no such program or input file, EISDIR, EAGAIN too many processes.
        """
        return int(self._call("spawn", tuple(argv), stdin, stdout, background))

    def pipe(self) -> int:
        """A new pipe, to be given to two `spawn` calls."""
        return int(self._call("pipe"))

    async def waitpid(self, pid: int) -> int:
        """Wait for a child's end or its turning into a daemon; its status. Errno ECHILD."""
        return int(await self._wait("waitpid", pid))

    def kill(self, pid: int, signal: int = SIGTERM) -> None:
        """kill(2); signal 0 only asks. Errno: ESRCH, EINVAL."""
        self._call("kill", pid, signal)

    def job(self, pids: tuple[int, ...], text: str) -> int:
        """Enter a background pipeline in the terminal's job table; its number, from 1."""
        return int(self._call("job", tuple(pids), text))

    def jobs(self) -> tuple[JobRow, ...]:
        """The terminal's job table; jobs that have ended are listed once."""
        rows: tuple[JobRow, ...] = self._call("jobs")
        return rows

    def ps(self) -> tuple[ProcessRow, ...]:
        """All processes of the node, by process id."""
        rows: tuple[ProcessRow, ...] = self._call("ps")
        return rows
