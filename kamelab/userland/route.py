"""route(8) for inet6: add, delete, change, get, flush and monitor routes.

KAME USAGE, 4.4BSD `route.c`. Words and lines are in `route_words`. ``-d`` and ``-t`` say what would be done. Left out,
each with a message: other families, ``-genmask``, ``-proxy``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.views import InterfaceRow, RouteRow
from kamelab.userland import route_words
from kamelab.userland.ctime import ctime
from kamelab.userland.netdb import GaiError, getaddrinfo, hostname_of, is_embedded
from kamelab.userland.route_words import BadWords, Request
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.net.rtsock import RouteMessage
    from kamelab.userland.proc import Proc

USAGE = "usage: route [-dnqtv] command [[modifiers] args]\n       commands: add, delete, change, get, flush, monitor\n"
USAGE_STATUS = 64
"""EX_USAGE of sysexits.h."""


def _address(proc: Proc, text: str) -> tuple[bytes, int]:
    """Address and zone of an operand. Raises `BadWords`."""
    try:
        addr, zone = getaddrinfo(proc, text, allow_embedded=True)
    except (GaiError, Errno):
        raise BadWords(f"{text}: bad value") from None
    if _embedded(text):
        names = {row.index: row.name for row in proc.rows("interfaces")}
        shown = f"{in6.ntop(addr)}%{names.get(zone, zone)}"
        proc.error(f"route: warning: {text}: embedded scope index, write {shown} instead\n")
    return addr, zone


def _embedded(text: str) -> bool:
    """Whether an address is written with its zone inside, as in ``fe80:2::1``."""
    try:
        return is_embedded(in6.pton(text))
    except ValueError:
        return False


def _destination(proc: Proc, request: Request) -> tuple[bytes, int, int]:
    """Address, zone and prefix length of the destination. Raises `BadWords`."""
    if request.destination == "default":
        return bytes(16), 0, route_words.prefix_len(request, bytes(16), None)
    text, slash, length = request.destination.partition("/")
    if slash and (not length.isdecimal() or int(length) > 128):
        raise BadWords(f"{request.destination}: bad value")
    addr, zone = _address(proc, text)
    plen = route_words.prefix_len(request, addr, int(length) if slash else None)
    return in6.mask(addr, plen), zone, plen


def _name(proc: Proc, text: str, numeric: bool) -> str:
    return text if numeric else hostname_of(proc, text)


def _get(proc: Proc, request: Request, numeric: bool) -> int:
    addr, zone, _ = _destination(proc, request)
    try:
        row = proc.route("get", destination=addr, zone=zone, plen=128, interface=request.interface)
    except Errno as error:
        proc.error(f"route: writing to routing socket: {error}\n")
        return 1
    if row is None:
        proc.error(f"route: writing to routing socket: {Errno(errors.ESRCH)}\n")
        return 1
    interfaces: tuple[InterfaceRow, ...] = proc.rows("interfaces")
    mtu = next((i.mtu for i in interfaces if i.name == row.interface), 0)
    lines = route_words.get_lines(request.destination, row, mtu, proc.time(), lambda t: _name(proc, t, numeric))
    for line in lines:
        proc.print(line)
    return 0


def _flush(proc: Proc, numeric: bool, quiet: bool) -> int:
    try:
        removed = cast("tuple[RouteRow, ...]", proc.route("flush"))
    except Errno as error:
        proc.error(f"route: writing to routing socket: {error}\n")
        return 1
    for row in removed:
        if not quiet:
            proc.print(route_words.flush_line(row, lambda t: _name(proc, t, numeric)))
    return 0


def _show_message(proc: Proc, message: RouteMessage, numeric: bool) -> None:
    for line in route_words.message_lines(message, lambda text: _name(proc, text, numeric)):
        proc.print(line)
    proc.print()


async def _monitor(proc: Proc, numeric: bool) -> int:
    """Print the kernel's messages as they come, until a signal."""
    fd = proc.socket("route") if proc.state is None else cast("int", proc.state)
    while True:
        proc.keep(fd)
        message = cast("RouteMessage | None", await proc.recvmsg(fd))
        if message is None:
            continue
        when = proc.wall() - proc.time() + message.time
        proc.print(f"got message of size {message.size} on {ctime(when)}")
        _show_message(proc, message, numeric)


def _interface_of(proc: Proc, text: str) -> str:
    """The interface of one of the node's addresses (``-ifa``). Raises `BadWords`."""
    addr, zone = _address(proc, text)
    names = {row.index: row.name for row in proc.rows("interfaces")}
    for row in proc.rows("addresses"):
        plain = row.address.partition("%")[0]
        if in6.pton(plain) == addr and (not zone or names.get(zone) == row.interface):
            return str(row.interface)
    raise BadWords(f"{text}: bad value")


async def _change(proc: Proc, request: Request, letters: str) -> int:
    """add, delete and change."""
    addr, zone, plen = _destination(proc, request)
    gateway, gateway_zone, interface = None, 0, request.interface
    if request.own and not interface:
        interface = _interface_of(proc, request.own)
    if request.direct:
        interface = request.gateway
        if request.gateway and not any(row.name == interface for row in proc.rows("interfaces")):
            raise BadWords(f"{interface}: bad value")
    elif request.gateway:
        gateway, gateway_zone = _address(proc, request.gateway)
    flags = (*request.flags, "host") if plen == 128 else request.flags
    more: dict[str, object] = {}
    if request.metrics:
        more["metrics"] = request.metrics
    if request.locks:
        more["locks"] = request.locks
    failure: Errno | None = None
    listener = proc.socket("route") if "v" in letters else 0
    if "t" not in letters and "d" not in letters:
        try:
            proc.route(
                request.command,
                destination=addr,
                zone=zone,
                plen=plen,
                gateway=gateway,
                gateway_zone=gateway_zone,
                interface=interface,
                flags=flags,
                mtu=request.mtu,
                expire=request.expire,
                **more,
            )
        except Errno as error:
            failure = error
            proc.error(f"route: writing to routing socket: {error}\n")
    if listener:
        message = cast("RouteMessage | None", await proc.recvmsg(listener, 1))
        if message is not None:
            _show_message(proc, message, "n" in letters)
    if "q" not in letters:
        proc.print(route_words.result_line(request, plen, failure))
    return 1 if failure else 0


async def main(proc: Proc, argv: list[str]) -> int:
    """Change the routing table. Status 0, 1 when something was refused, 64 for wrong usage."""
    letters = ""
    words = argv[1:]
    while words and words[0].startswith("-") and len(words[0]) > 1:
        letters += words.pop(0)[1:]
    try:
        if set(letters) - set("dnqtv"):
            raise BadWords("")
        request = route_words.parse(words)
        if request.command == "monitor":
            return await _monitor(proc, "n" in letters)
        if request.command == "get":
            return _get(proc, request, "n" in letters)
        if request.command == "flush":
            return _flush(proc, "n" in letters, "q" in letters)
        return await _change(proc, request, letters)
    except BadWords as fault:
        if str(fault):
            proc.error(f"route: {fault}\n")
            return 1
        proc.error(USAGE)
        return USAGE_STATUS
