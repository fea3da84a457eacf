"""httpd: serves the node's files under a directory, and bodies of any length, by HTTP/1.0 and 1.1.

RFC 9110, RFC 9112; GET and HEAD. ``/bytes/N`` is N generated octets with their checksums in the head, so that large
flows need no file; what is PUT or POSTed to ``/sink`` is counted and forgotten. One process serves all clients.
Left out: what `httpd_http` leaves out, CGI, TLS.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import EISDIR, Errno
from kamelab.userland import daemon
from kamelab.userland import httpd_http as http
from kamelab.userland.files import absolute
from kamelab.userland.getopt import Fault, getopt
from kamelab.userland.netdb import getnameinfo
from kamelab.userland.octets import encoded
from kamelab.userland.probe import NS, integer
from kamelab.userland.proc import SIGTERM, Signal
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: httpd [-f] [-d root] [-p port]\n"
PID_FILE: Final = "/var/run/httpd.pid"
CLIENTS: Final = 256
"""Connections at a time; more wait in the kernel's queue."""
IDLE: Final = 60 * NS
"""How long a client may say nothing, and take nothing."""
LINGER: Final = 5 * NS
"""How long a client is still heard after the last answer to it."""
GENERATED_LIMIT: Final = 64 << 20
"""The longest generated body, octets."""
CHUNK: Final = 16384

_KEEP_EVERY: Final = 16
"""Turns of the loop between two snapshots."""


@dataclass
class Client:
    """One connection."""

    name: str
    seen: int
    """When it last said or took something, ns since boot."""
    inbuf: bytes = b""
    out: bytes = b""
    """Heads, small bodies, and what the network has not taken of a large one."""
    path: str = ""
    """The file that is being sent; "" with ``left``: the generated body."""
    at: int = 0
    """Where in the body the next block begins: characters of the file, octets of the generated one."""
    left: int = 0
    """Octets of the body still to send behind ``out``."""
    sink: int = 0
    """Octets of a request's body still to come."""
    sunk: int = 0
    crc: int = 0
    request: http.Request | None = None
    """The one whose body is being read."""
    keep: bool = True
    ended: bool = False
    """The client sends no more."""
    lingering: bool = False
    """We send no more, and pass over what it still says: a close would reset what it has not read (RFC 9112 9.6)."""

    @property
    def until(self) -> int:
        """When patience with it ends, ns since boot."""
        return self.seen + (LINGER if self.lingering else IDLE)

    @property
    def busy(self) -> bool:
        return bool(self.out or self.left)


@dataclass
class State:
    """Everything the server knows."""

    fd: int
    root: str
    foreground: bool
    turns: int = 0
    clients: dict[int, Client] = field(default_factory=dict)
    """By descriptor."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Serve until SIGTERM; status 1 if it can't start."""
    state = daemon.state_of(proc, argv, USAGE, State, _begin)
    if state is None:
        return 1
    while True:
        if state.turns % _KEEP_EVERY == 0:
            proc.keep(state)
        state.turns += 1
        try:
            await _turn(proc, state)
        except Signal as signal:
            if signal.number != SIGTERM:
                raise
            daemon.ended(proc, PID_FILE)
            return 0


def _begin(proc: Proc, argv: list[str]) -> State:
    """Options, the listening socket. Raises Fault, GetoptError."""
    pairs, words = getopt(argv, "d:fp:")
    root, port = "/var/www", 80
    for letter, value in pairs:
        if letter == "-d":
            root = value
        elif letter == "-p":
            port = integer(value, 1, 65535) or 0
    if words or not port:
        raise Fault("" if words else "-p: a port from 1 to 65535 is wanted")
    fd = proc.socket("tcp6")
    proc.setsockopt(fd, "SO_REUSEADDR", True)
    try:
        proc.bind(fd, in6.UNSPECIFIED, port)
        proc.listen(fd, 128)
    except Errno as error:
        raise Fault(f"bind: {error}") from None
    state = State(fd, absolute(root), ("-f", "") in pairs)
    daemon.detach(proc, PID_FILE, foreground=state.foreground)
    return state


# -- the loop ------------------------------------------------------------------------------------------------------


async def _turn(proc: Proc, state: State) -> None:
    clients = state.clients
    reads = [fd for fd, client in clients.items() if not client.busy and not client.ended]
    if len(clients) < CLIENTS:
        reads.insert(0, state.fd)
    writes = tuple(fd for fd, client in clients.items() if client.busy)
    first = min((client.until for client in clients.values()), default=None)
    wait = None if first is None else max(0, first - proc.time())
    able, free = await proc.poll(tuple(reads), writes, wait)
    now = proc.time()
    for fd in [fd for fd, client in clients.items() if now >= client.until and fd not in able + free]:
        _drop(proc, state, fd)
    for fd in free:
        await _step(proc, state, fd, now, sending=True)
    for fd in able:
        if fd == state.fd:
            taken = await proc.accept(fd, 0)
            if taken is not None:
                clients[taken[0]] = Client(getnameinfo(proc, taken[1], taken[3]), now)
        else:
            await _step(proc, state, fd, now, sending=False)


def _drop(proc: Proc, state: State, fd: int) -> None:
    del state.clients[fd]
    proc.close(fd)


async def _step(proc: Proc, state: State, fd: int, now: int, *, sending: bool) -> None:
    """One step with a client, who may be gone."""
    client = state.clients.get(fd)
    if client is None:
        return
    if not client.lingering:
        client.seen = now
    try:
        await (_send if sending else _receive)(proc, fd, client)
    except Errno:
        _drop(proc, state, fd)
        return
    # What came behind one request is the next one, once the answer to the first is gone.
    while not client.busy and client.keep and client.inbuf and _understood(proc, state, client):
        pass
    if client.ended and not client.busy:
        _drop(proc, state, fd)
    elif not client.busy and not client.keep and not client.lingering:
        client.lingering = True
        try:
            proc.shutdown(fd, "wr")
        except Errno:
            _drop(proc, state, fd)


async def _send(proc: Proc, fd: int, client: Client) -> None:
    if client.out:
        client.out = client.out[await proc.send(fd, client.out, 0) :]
        if client.out:
            return
    while client.left and not client.out:
        block = _block(proc, client)
        client.left -= len(block)
        client.out = block[await proc.send(fd, block, 0) :]


def _block(proc: Proc, client: Client) -> bytes:
    """The next octets of the body. Raises Errno where the file has gone, which ends the connection.

    A file is a text: it is cut between its characters, so that no block costs more than itself.
    """
    if not client.path:
        block = http.pattern(client.at, min(client.left, CHUNK))
        client.at += len(block)
        return block
    text = proc.read_file(client.path)[client.at : client.at + CHUNK]
    if not text:
        raise Errno(EISDIR)
    client.at += len(text)
    return encoded(text)[: client.left]


async def _receive(proc: Proc, fd: int, client: Client) -> None:
    data = await proc.recv(fd, CHUNK, 0)
    if data == b"":
        client.ended = True
    elif data and not client.lingering:
        client.inbuf += data


# -- requests ------------------------------------------------------------------------------------------------------


def _understood(proc: Proc, state: State, client: Client) -> bool:
    """Take a request, or a part of its body, from what has come; False where more is needed first."""
    if client.request is not None:
        return _sink(proc, client)
    client.inbuf = client.inbuf.lstrip(b"\r\n")
    try:
        end = http.head_end(client.inbuf)
        if not end:
            return False
        request = http.parse(client.inbuf[:end])
    except http.BadRequest as bad:
        line = client.inbuf.partition(b"\n")[0][:200].decode("latin-1").strip()
        client.keep, client.inbuf = False, b""
        _answer(proc, client, bad.status, f"{http.REASONS[bad.status]}\n", line=line)
        return False
    client.inbuf = client.inbuf[end:]
    client.keep = request.keep
    if request.length:
        client.request, client.sink, client.sunk, client.crc = request, request.length, 0, 0
        if request.target != "/sink" or request.method not in ("PUT", "POST"):
            # Nobody wants this body: answer at once and read no more.
            client.request, client.keep, client.inbuf = None, False, b""
        elif request.expects:
            client.out += b"HTTP/1.1 100 Continue\r\n\r\n"
        if client.request is not None:
            return _sink(proc, client)
    _respond(proc, state, client, request)
    return True


def _sink(proc: Proc, client: Client) -> bool:
    """Count what has come of a request's body; answer once all of it has."""
    data, client.inbuf = client.inbuf[: client.sink], client.inbuf[client.sink :]
    client.sink -= len(data)
    client.sunk += len(data)
    client.crc = zlib.crc32(data, client.crc)
    request = client.request
    if client.sink or request is None:
        return False
    client.request = None
    _answer(proc, client, 200, f"{client.sunk} octets, crc32 {client.crc:08x}\n", request)
    return True


def _respond(proc: Proc, state: State, client: Client, request: http.Request) -> None:
    """The answer to a request without a body."""
    target = request.target
    if target == "/sink" and request.method in ("PUT", "POST"):
        _answer(proc, client, 200, "0 octets, crc32 00000000\n", request)
        return
    if request.method not in ("GET", "HEAD"):
        _answer(proc, client, 405, "Method Not Allowed\n", request, (("Allow", "GET, HEAD"),))
        return
    if target.startswith("/bytes/"):
        length = integer(target[7:], 0, GENERATED_LIMIT)
        if length is not None:
            crc, digest = http.checksums(length)
            sums = (("Content-Type", "text/plain"), ("X-CRC32", crc), ("X-SHA256", digest))
            _body(proc, client, request, "", length, sums)
            return
    path = absolute(state.root + absolute(target))
    names = _names(proc, path, absolute(target))
    if names is not None and not target.endswith("/"):
        _answer(proc, client, 301, "Moved Permanently\n", request, (("Location", absolute(target) + "/"),))
        return
    if names is not None and "index.html" not in names:
        fields = (("Content-Type", http.content_type(".html")),)
        _answer(proc, client, 200, _listing(target, names), request, fields)
        return
    if names is not None:
        path = path.rstrip("/") + "/index.html"
    try:
        length = len(encoded(proc.read_file(path)))
    except Errno:
        _answer(proc, client, 404, "Not Found\n", request)
        return
    _body(proc, client, request, path, length, (("Content-Type", http.content_type(path)),))


def _names(proc: Proc, path: str, target: str) -> tuple[str, ...] | None:
    """What is in a directory, None where it is none; the root that nobody made is an empty one."""
    try:
        return proc.listdir(path)
    except Errno:
        return () if target == "/" else None


def _listing(target: str, names: tuple[str, ...]) -> str:
    """A directory as a page."""
    title = http.escape(f"Index of {absolute(target)}")
    items = "".join(f'<li><a href="{http.escape(name)}">{http.escape(name)}</a></li>\n' for name in names)
    return f"<html><head><title>{title}</title></head>\n<body><h1>{title}</h1>\n<ul>\n{items}</ul></body></html>\n"


def _body(
    proc: Proc, client: Client, request: http.Request, path: str, length: int, fields: tuple[tuple[str, str], ...]
) -> None:
    """A response whose body is sent piece by piece."""
    client.out += http.response(200, proc.wall(), length, keep=client.keep, fields=fields)
    client.path, client.at = path, 0
    client.left = 0 if request.method == "HEAD" else length
    _log(proc, client, request.line, 200, length)


def _answer(
    proc: Proc, client: Client, status: int, text: str, request: http.Request | None = None,
    fields: tuple[tuple[str, str], ...] = (), *, line: str = "",
) -> None:  # fmt: skip
    """A response whose body is a short text."""
    body = encoded(text)
    if not any(name == "Content-Type" for name, _ in fields):
        fields = (("Content-Type", http.content_type(".txt")), *fields)
    client.out += http.response(status, proc.wall(), len(body), keep=client.keep, fields=fields)
    if request is None or request.method != "HEAD":
        client.out += body
    _log(proc, client, request.line if request else line, status, len(body))


def _log(proc: Proc, client: Client, line: str, status: int, length: int) -> None:
    shown = line.encode("ascii", "backslashreplace").decode()
    proc.syslog(f'{client.name} "{shown}" {status} {length}')
