"""The system calls' inner side: one function a call, under the name by which `Proc` asks for it.

`CALLS` answer at once. `WAITS` answer, or set the channels that will wake the process and return `BLOCKED`: they are
tried again after each wake-up (4.4BSD tsleep/wakeup), so they change nothing before they answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import EBADF, ECHILD, EINVAL, Errno
from kamelab.stack import syscalls
from kamelab.userland import files
from kamelab.userland.octets import joined
from kamelab.userland.process import Input, JobRow, Process, ProcessRow

if TYPE_CHECKING:
    from kamelab.userland.system import System


class _Blocked:
    __slots__ = ()


BLOCKED: Final = _Blocked()
"""What a waiting call returns when it can't answer yet."""
SOCKET_TEXT: Final = 65536
"""Characters that a standard input takes out of its socket's buffer ahead of the program."""


def sid_of(process: Process, fd: int) -> int:
    """The kernel's socket id of a descriptor; Errno EBADF."""
    sid = process.fds.get(fd)
    if sid is None:
        raise Errno(EBADF)
    return sid


# -- time, chance, life ----------------------------------------------------------------------------------------------


def _time(system: System, _process: Process) -> int:
    return system.clock.now


def _wall(system: System, _process: Process) -> int:
    return system.clock.wall()


def _random(system: System, process: Process, limit: int) -> int:
    if limit <= 0:
        raise Errno(EINVAL)
    return system.streams.below(f"{system.node.name}/{process.name}", limit)


def _daemon(system: System, process: Process) -> None:
    system.daemonise(process)


# -- streams and files -----------------------------------------------------------------------------------------------


def _write(system: System, process: Process, fd: int, text: str) -> None:
    system.write(process, process.stdout if fd == 1 else process.stderr, text)


def _isatty(_system: System, process: Process, fd: int) -> bool:
    if fd == 0:
        return process.stdin.kind == "tty"
    return bool((process.stdout if fd == 1 else process.stderr)[0] == "tty")


def _read_file(system: System, _process: Process, path: str) -> str:
    return files.read(system.files, path)


def _write_file(system: System, _process: Process, path: str, text: str, append: bool) -> None:
    files.write(system.files, path, text, append)


def _unlink(system: System, _process: Process, path: str) -> None:
    files.unlink(system.files, path)


def _listdir(system: System, _process: Process, path: str) -> tuple[str, ...]:
    return files.listing(system.files, path)


def _exists(system: System, _process: Process, path: str) -> bool:
    return files.exists(system.files, path)


# -- the node --------------------------------------------------------------------------------------------------------


def _hostname(system: System, _process: Process) -> str:
    return str(system.node.hostname)


def _sethostname(system: System, _process: Process, name: str) -> None:
    syscalls.sethostname(system.node, name)


def _sysctl(system: System, _process: Process, name: str) -> Any:
    return syscalls.sysctl(system.node, name)


def _sysctl_set(system: System, _process: Process, name: str, value: int) -> Any:
    return syscalls.sysctl_set(system.node, name, value)


def _sysctl_names(system: System, _process: Process) -> tuple[str, ...]:
    return tuple(syscalls.sysctl_names(system.node))


def _rows(system: System, _process: Process, table: str) -> tuple[Any, ...]:
    return tuple(syscalls.rows(system.node, table))


def _counters(system: System, _process: Process) -> tuple[tuple[str, int], ...]:
    return syscalls.counters(system.node)


def _dmesg(system: System, _process: Process) -> tuple[tuple[int, str], ...]:
    return tuple(system.node.kernel_log)


def _syslog(system: System, process: Process, text: str, tag: str | None) -> None:
    system.node.console(f"{tag or f'{process.name}[{process.pid}]'}: {text}")


def _ioctl(system: System, _process: Process, request: str, interface: str, **plain: Any) -> Any:
    return syscalls.ioctl(system.node, request, interface, **plain)


def _route(system: System, process: Process, command: str, **plain: Any) -> Any:
    return syscalls.route(system.node, command, pid=process.pid, **plain)


def _neighbor(system: System, _process: Process, command: str, **plain: Any) -> Any:
    return syscalls.neighbor(system.node, command, **plain)


# -- sockets ---------------------------------------------------------------------------------------------------------


def new_fd(process: Process, sid: int) -> int:
    """The lowest free descriptor from 3 on, now of socket ``sid``."""
    fd = 3
    while fd in process.fds:
        fd += 1
    process.fds[fd] = sid
    return fd


def _socket(system: System, process: Process, kind: str, proto: int) -> int:
    sid = syscalls.socket(system.node, process.pid, kind, proto)
    return new_fd(process, sid)


def _bind(system: System, process: Process, fd: int, addr: bytes, port: int, zone: int) -> None:
    syscalls.bind(system.node, sid_of(process, fd), addr, port, zone)


def _connect(
    system: System, process: Process, fd: int, addr: bytes | None, port: int, zone: int, flowinfo: int = 0
) -> None:
    syscalls.connect(system.node, sid_of(process, fd), addr, port, zone, flowinfo)


def _getsockname(system: System, process: Process, fd: int) -> Any:
    return syscalls.getsockname(system.node, sid_of(process, fd))


def _getpeername(system: System, process: Process, fd: int) -> Any:
    return syscalls.getpeername(system.node, sid_of(process, fd))


def _getsockopt(system: System, process: Process, fd: int, name: str) -> Any:
    return syscalls.getsockopt(system.node, sid_of(process, fd), name)


def _setsockopt(system: System, process: Process, fd: int, name: str, value: Any) -> None:
    syscalls.setsockopt(system.node, sid_of(process, fd), name, value)


def _sendmsg(system: System, process: Process, fd: int, *message: Any) -> int:
    return int(syscalls.sendmsg(system.node, sid_of(process, fd), *message))


def _listen(system: System, process: Process, fd: int, backlog: int) -> None:
    syscalls.listen(system.node, sid_of(process, fd), backlog)


def _shutdown(system: System, process: Process, fd: int, how: str) -> None:
    syscalls.shutdown(system.node, sid_of(process, fd), how)


def _close(system: System, process: Process, fd: int) -> None:
    sid = sid_of(process, fd)
    del process.fds[fd]
    syscalls.close(system.node, sid)


# -- processes -------------------------------------------------------------------------------------------------------


def _spawn(system: System, process: Process, argv: tuple[str, ...], stdin: Any, stdout: Any, background: bool) -> int:
    return system.spawn(process, argv, stdin, stdout, background)


def _pipe(system: System, process: Process) -> int:
    return system.new_pipe(process)


def _kill(system: System, _process: Process, pid: int, signal: int) -> None:
    system.kill(pid, signal)


def _job(system: System, process: Process, pids: tuple[int, ...], text: str) -> int:
    return system.new_job(process.tty, pids, text)


def _jobs(system: System, process: Process) -> tuple[JobRow, ...]:
    return system.job_rows(process.tty)


def _ps(system: System, _process: Process) -> tuple[ProcessRow, ...]:
    return tuple(process.row(wchan(process)) for process in system.procs.values())


CALLS: Final[dict[str, Callable[..., Any]]] = {
    "time": _time,
    "wall": _wall,
    "random": _random,
    "daemon": _daemon,
    "write": _write,
    "isatty": _isatty,
    "read_file": _read_file,
    "write_file": _write_file,
    "unlink": _unlink,
    "listdir": _listdir,
    "exists": _exists,
    "hostname": _hostname,
    "sethostname": _sethostname,
    "sysctl": _sysctl,
    "sysctl_set": _sysctl_set,
    "sysctl_names": _sysctl_names,
    "rows": _rows,
    "counters": _counters,
    "dmesg": _dmesg,
    "syslog": _syslog,
    "ioctl": _ioctl,
    "route": _route,
    "neighbor": _neighbor,
    "socket": _socket,
    "bind": _bind,
    "connect": _connect,
    "getsockname": _getsockname,
    "getpeername": _getpeername,
    "getsockopt": _getsockopt,
    "setsockopt": _setsockopt,
    "sendmsg": _sendmsg,
    "listen": _listen,
    "shutdown": _shutdown,
    "close": _close,
    "spawn": _spawn,
    "pipe": _pipe,
    "kill": _kill,
    "job": _job,
    "jobs": _jobs,
    "ps": _ps,
}


# -- calls that wait -------------------------------------------------------------------------------------------------


def _sleep(_system: System, process: Process) -> Any:
    process.channels = ()
    return BLOCKED


def _readable(system: System, source: Input) -> tuple[str, bool]:
    """What a standard input holds now, and whether nothing can follow."""
    if source.kind == "tty":
        terminal = system.terminal(source.key)
        return terminal.text, terminal.eof
    if source.kind == "pipe":
        pipe = system.pipes[source.key]
        return pipe.text, not pipe.writers
    if source.kind == "so":
        return _drained(system, source)
    return source.text[source.at :], True


def _drained(system: System, source: Input) -> tuple[str, bool]:
    """What has come on a standard input that is a stream socket, moved here as far as there is room for it."""
    while len(source.text) < SOCKET_TEXT:
        try:
            data = syscalls.recv(system.node, source.key)
        except Errno:
            data = b""
        if not data:
            return source.text, data is not None
        source.text = joined(source.text, data)
    return source.text, False


def _consume(system: System, source: Input, count: int, to_end: bool) -> None:
    """Take ``count`` characters; ``to_end``: a terminal's end of file is used up by this."""
    if source.kind == "tty":
        terminal = system.terminal(source.key)
        terminal.text = terminal.text[count:]
        if to_end:
            terminal.eof = False
    elif source.kind == "pipe":
        pipe = system.pipes[source.key]
        pipe.text = pipe.text[count:]
    elif source.kind == "so":
        source.text = source.text[count:]
    else:
        source.at += count


def _readline(system: System, process: Process) -> Any:
    source = process.stdin
    text, ended = _readable(system, source)
    end = text.find("\n") + 1
    if end:
        _consume(system, source, end, False)
        return text[:end]
    if ended:
        # Text without a newline is a line of its own; the end of file comes with the next read.
        _consume(system, source, len(text), not text)
        return text
    process.channels = ((source.kind, source.key),)
    return BLOCKED


def _read(system: System, process: Process) -> Any:
    source = process.stdin
    text, ended = _readable(system, source)
    if ended:
        _consume(system, source, len(text), True)
        return text
    process.channels = ((source.kind, source.key),)
    return BLOCKED


def _readsome(system: System, process: Process, size: int) -> Any:
    source = process.stdin
    text, ended = _readable(system, source)
    if text or ended:
        _consume(system, source, min(len(text), size), not text)
        return text[:size]
    process.channels = ((source.kind, source.key),)
    return BLOCKED


def _recvmsg(system: System, process: Process, fd: int) -> Any:
    sid = sid_of(process, fd)
    message = syscalls.recvmsg(system.node, sid)
    if message is not None:
        return message
    process.channels = (("so", sid),)
    return BLOCKED


def _connect_stream(system: System, process: Process, fd: int, addr: bytes, port: int, zone: int, flowinfo: int) -> Any:
    sid = sid_of(process, fd)
    if syscalls.connect_stream(system.node, sid, addr, port, zone, flowinfo):
        return True
    process.channels = (("so", sid),)
    return BLOCKED


def _accept(system: System, process: Process, fd: int) -> Any:
    sid = sid_of(process, fd)
    taken = syscalls.accept(system.node, sid, process.pid)
    if not taken:
        process.channels = (("so", sid),)
        return BLOCKED
    return (new_fd(process, taken), *syscalls.getpeername(system.node, taken))


def _send(system: System, process: Process, fd: int, data: bytes) -> Any:
    sid = sid_of(process, fd)
    count = syscalls.send(system.node, sid, data)
    if count or not data:
        return count
    process.channels = (("so", sid),)
    return BLOCKED


def _recv(system: System, process: Process, fd: int, size: int) -> Any:
    sid = sid_of(process, fd)
    data = syscalls.recv(system.node, sid, size)
    if data is not None:
        return data
    process.channels = (("so", sid),)
    return BLOCKED


def _select(system: System, process: Process, fds: tuple[int, ...]) -> Any:
    ready: list[int] = []
    channels: list[tuple[Any, ...]] = []
    for fd in fds:
        if fd == 0:
            text, ended = _readable(system, process.stdin)
            able = bool(text) or ended
            channels.append((process.stdin.kind, process.stdin.key))
        else:
            sid = sid_of(process, fd)
            able = syscalls.readable(system.node, sid)
            channels.append(("so", sid))
        if able:
            ready.append(fd)
    if ready:
        return tuple(ready)
    process.channels = tuple(channels)
    return BLOCKED


def _poll(system: System, process: Process, reads: tuple[int, ...], writes: tuple[int, ...]) -> Any:
    able = _select(system, process, reads) if reads else BLOCKED
    channels = process.channels if able is BLOCKED and reads else ()
    sids = [(fd, sid_of(process, fd)) for fd in writes]
    free = tuple(fd for fd, sid in sids if syscalls.writable(system.node, sid))
    if able is not BLOCKED or free:
        return () if able is BLOCKED else able, free
    process.channels = tuple(dict.fromkeys((*channels, *(("so", sid) for _, sid in sids))))
    return BLOCKED


def _waitpid(system: System, process: Process, pid: int) -> Any:
    if pid in process.ended:
        return process.ended.pop(pid)
    child = system.procs.get(pid)
    if child is None or child.ppid != process.pid:
        raise Errno(ECHILD)
    process.channels = (("pid", pid),)
    return BLOCKED


WAITS: Final[dict[str, Callable[..., Any]]] = {
    "sleep": _sleep,
    "readline": _readline,
    "read": _read,
    "readsome": _readsome,
    "recvmsg": _recvmsg,
    "connect_stream": _connect_stream,
    "accept": _accept,
    "send": _send,
    "recv": _recv,
    "select": _select,
    "poll": _poll,
    "waitpid": _waitpid,
}

_WCHANS = {
    "sleep": "nanslp",
    "recvmsg": "sbwait",
    "recv": "sbwait",
    "send": "sbwait",
    "accept": "netcon",
    "connect_stream": "netcon",
    "select": "select",
    "poll": "poll",
    "waitpid": "wait",
}


def wchan(process: Process) -> str:
    """What a parked process sleeps on, in the words of 4.4BSD's ``ps -l``; ``-`` for one that runs."""
    if process.pending is None or process.ready:
        return "-"
    return _WCHANS.get(process.pending.name, {"pipe": "piperd", "so": "sbwait"}.get(process.stdin.kind, "ttyin"))
