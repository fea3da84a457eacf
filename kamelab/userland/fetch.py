"""fetch(1): a document by HTTP into a file (FreeBSD's fetch; RFC 9110, RFC 9112, RFC 3986 3.2.2).

A literal address stands in brackets, with its zone behind a percent sign: ``http://[fe80::1%ne0]/`` (KAME's and the
shell's notation; ``%25`` is read too, RFC 6874). Left out: FTP, HTTPS, redirection, proxies, restarting, passwords.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from kamelab.core.errors import ETIMEDOUT, Errno
from kamelab.userland import dial
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import GaiError, getservbyname
from kamelab.userland.octets import decoded, split
from kamelab.userland.probe import NS, integer

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: fetch [-q] [-o file] [-w seconds] URL ...\n"

_HEAD_LIMIT: Final = 65536
_NAME_WIDTH: Final = 46
_UNITS: Final = " kMG"


class Url(NamedTuple):
    """A URL's parts."""

    host: str
    port: int
    path: str
    authority: str
    """Host and port as the Host field names them."""


@dataclass
class State:
    """The URLs to come, and the transfer that runs."""

    urls: list[str]
    output: str
    quiet: bool
    wait: int | None
    """-w, ns."""
    status: int = 0
    fd: int = -1
    url: str = ""
    file: str = ""
    """``-`` is standard output."""
    head: bytes = b""
    body: bool = False
    """The head is over."""
    length: int | None = None
    """As the head says; None: up to the connection's end."""
    got: int = 0
    rest: bytes = b""
    """The beginning of a character whose end has not come."""
    began: int = 0


class Fault(Exception):
    """Why a URL can't be had."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Status 1 where a document could not be had, or not all of it."""
    state = proc.state
    if not isinstance(state, State):
        try:
            state = _options(proc, argv)
        except GetoptError as error:
            proc.error(f"fetch: {error}\n{USAGE}")
            return 1
    while state.fd >= 0 or state.urls:
        try:
            if state.fd < 0:
                state.url = state.urls.pop(0)
                await _request(proc, state)
            await _transfer(proc, state)
        except Fault as fault:
            proc.error(f"fetch: {fault}\n")
            state.status = 1
        except Errno as error:
            proc.error(f"fetch: {state.url}: {error}\n")
            state.status = 1
        if state.fd >= 0:
            proc.close(state.fd)
            state.fd = -1
    return state.status


def _options(proc: Proc, argv: list[str]) -> State:
    """Raises GetoptError; ends the program for other mistakes."""
    pairs, urls = getopt(argv, "6o:qT:w:")
    state = State(urls, "", False, None)
    for letter, value in pairs:
        if letter == "-o":
            state.output = value
        elif letter == "-q":
            state.quiet = True
        elif letter in ("-w", "-T"):
            seconds = integer(value, 1, 1_000_000)
            if seconds is None:
                proc.error(f"fetch: invalid timeout: {value}\n")
                proc.exit(1)
            state.wait = seconds * NS
    if not urls:
        proc.error(USAGE)
        proc.exit(1)
    return state


def parse(proc: Proc, text: str) -> Url:
    """A URL's parts. Raises Fault."""
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "http", text
    if scheme.lower() != "http":
        raise Fault(f"{text}: Unknown scheme")
    authority, slash, path = rest.partition("/")
    host, service = authority, ""
    if authority.startswith("["):
        host, bracket, service = authority[1:].partition("]")
        if not bracket or (service and not service.startswith(":")):
            raise Fault(f"{text}: malformed URL")
        service = service[1:]
        # RFC 6874 writes the zone's mark as %25.
        host = host.replace("%25", "%", 1) if "%25" in host else host
        shown = f"[{host.partition('%')[0]}]"
    else:
        host, _, service = authority.partition(":")
        shown = host
    port = 80 if not service else integer(service, 1, 65535) or getservbyname(proc, service, "tcp")
    if not host or not port or " " in path:
        raise Fault(f"{text}: malformed URL")
    return Url(host, port, slash + path or "/", shown if port == 80 else f"{shown}:{port}")


async def _request(proc: Proc, state: State) -> None:
    """Connect to one of the host's addresses and ask. Raises Fault, Errno."""
    url = parse(proc, state.url)
    state.file = state.output or url.path.partition("?")[0].rpartition("/")[2] or "fetch.out"
    try:
        found = dial.addresses(proc, url.host, url.port, "stream")
    except (GaiError, Errno):
        raise Fault(f"{state.url}: No address record") from None
    trouble: Errno = Errno(ETIMEDOUT)
    for one in found:
        try:
            state.fd = await dial.connect(proc, one, timeout=state.wait)
            break
        except Errno as error:
            trouble = error
    else:
        raise trouble
    asked = (
        f"GET {url.path} HTTP/1.1\r\nHost: {url.authority}\r\nUser-Agent: fetch (kamelab)\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    )
    state.head, state.body, state.length, state.got, state.rest = b"", False, None, 0, b""
    state.began = proc.time()
    await proc.send(state.fd, asked.encode("utf-8", "surrogateescape"), state.wait)


async def _transfer(proc: Proc, state: State) -> None:
    """Read the answer to its end. Raises Fault, Errno."""
    while state.length is None or state.got < state.length:
        proc.keep(state)
        data = await proc.recv(state.fd, 4 * dial.CHUNK, state.wait)
        if data is None:
            raise Fault(f"{state.url}: transfer timed out")
        if not data:
            break
        if not state.body:
            data = _head(proc, state, data)
        if data:
            _store(proc, state, data)
    if not state.body:
        raise Fault(f"{state.url}: Connection closed before the answer's head was there")
    if state.rest:
        _write(proc, state, decoded(state.rest))
    if state.length is not None and state.got < state.length:
        raise Fault(f"{state.file} appears to be truncated: {state.got}/{state.length} bytes")
    if not state.quiet:
        proc.error(_summary(state, proc.time() - state.began))


def _head(proc: Proc, state: State, data: bytes) -> bytes:
    """Take the answer's head; what of the body came with it. Raises Fault."""
    state.head += data
    head, found, body = state.head.partition(b"\r\n\r\n")
    if not found:
        if len(state.head) > _HEAD_LIMIT:
            raise Fault(f"{state.url}: Protocol error")
        return b""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or integer(words[1], 100, 999) is None:
        raise Fault(f"{state.url}: Protocol error")
    if words[1] == "100":
        state.head = b""
        return _head(proc, state, body)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if words[1] != "200":
        raise Fault(f"{state.url}: {words[2] if len(words) > 2 else words[1]}")
    if "transfer-encoding" in fields:
        raise Fault(f"{state.url}: Protocol error: transfer encoding {fields['transfer-encoding']}")
    state.length = integer(fields.get("content-length", ""), 0)
    state.head, state.body = b"", True
    if state.file != "-":
        try:
            proc.write_file(state.file, "")
        except Errno as error:
            raise Fault(f"{state.file}: {error}") from None
    return body


def _store(proc: Proc, state: State, data: bytes) -> None:
    if state.length is not None:
        data = data[: state.length - state.got]
    state.got += len(data)
    text, state.rest = split(state.rest + data)
    _write(proc, state, text)


def _write(proc: Proc, state: State, text: str) -> None:
    if state.file == "-":
        proc.write(text)
    else:
        proc.write_file(state.file, text, append=True)


def _summary(state: State, ns: int) -> str:
    """``index.html    100% of 1024  B  512 kBps 00m02s``: the last line of FreeBSD's fetch."""
    rate = state.got * NS // max(ns, 1)
    seconds = ns // NS
    name = "stdout" if state.file == "-" else state.file
    return (
        f"{name:<{_NAME_WIDTH}.{_NAME_WIDTH}} 100% of {_size(state.got)} {_size(rate)}ps"
        f" {seconds // 60:02d}m{seconds % 60:02d}s\n"
    )


def _size(octets: int) -> str:
    """``%4d kB``, in the unit that keeps it to four digits."""
    unit = 0
    while octets > 9999 and unit < len(_UNITS) - 1:
        octets //= 1024
        unit += 1
    return f"{octets:4d} {_UNITS[unit]}B"
