"""inetd(8) and inet6d(8): one daemon for many services, its own small ones and programs on a connection.

KAME USAGE ("two variants of inetd"), 4.4BSD `inetd.c`. A service that is asked for more often than the rate allows
within a minute is closed for ten minutes. UDP services answer neither groups nor the ports of their like, so that two
of them can't talk for ever. IPsec policies are read and kept, not applied yet. Left out: users, `wait` programs, TCP
wrappers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import daemon, inetd_conf, inetd_services
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.inetd_conf import Service
from kamelab.userland.netdb import getnameinfo
from kamelab.userland.probe import NS, integer
from kamelab.userland.proc import SIGHUP, SIGTERM, Signal
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

CONFIG: Final = "/etc/inetd.conf"
PID_FILE: Final = "/var/run/inetd.pid"
RATES: Final = {"inetd": 256, "inet6d": 40}
"""Servers a service may start within `INTERVAL`, unless -R says otherwise."""
INTERVAL: Final = 60 * NS
RETRY: Final = 600 * NS
"""How long a service stays closed that was asked for too often."""
BACKLOG: Final = 64
CLIENTS: Final = 256
"""Connections of internal services at a time; more wait in the kernel's queues."""
CHUNK: Final = 8192

_KEEP_EVERY: Final = 16
"""Turns of the loop between two snapshots."""


@dataclass
class Open:
    """A service that has its socket, or waits to have one."""

    service: Service
    fd: int = -1
    since: int = 0
    """When the minute began in which ``count`` servers were started, ns since boot."""
    count: int = 0
    retry: int | None = None
    """When to open it again, ns since boot."""
    served: int = 0


@dataclass
class Client:
    """One connection of an internal service."""

    service: str
    out: bytes = b""
    at: int = 0
    """chargen: octets sent."""
    reading: bool = True
    closing: bool = False
    """Close it once ``out`` is gone."""


@dataclass
class State:
    """Everything the daemon knows."""

    path: str
    rate: int
    debug: bool
    log: bool
    turns: int = 0
    open: list[Open] = field(default_factory=list)
    clients: dict[int, Client] = field(default_factory=dict)
    """By descriptor."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Serve until SIGTERM; status 1 for a mistake in the command line or an IPsec policy that can't be used."""
    state = proc.state
    if not isinstance(state, State):
        try:
            state = _options(proc, argv)
        except GetoptError as error:
            proc.error(f"{proc.name}: {error}\n{usage(proc)}")
            return 1
        daemon.detach(proc, PID_FILE, foreground=state.debug)
        if not _configure(proc, state):
            return 1
    while True:
        if state.turns % _KEEP_EVERY == 0:
            proc.keep(state)
        state.turns += 1
        try:
            await _turn(proc, state)
        except Signal as signal:
            if signal.number == SIGHUP:
                if not _configure(proc, state):
                    return 1
            elif signal.number == SIGTERM:
                daemon.ended(proc, PID_FILE)
                return 0
            else:
                raise


def usage(proc: Proc) -> str:
    """The line that tells how it is called."""
    return f"usage: {proc.name} [-dl] [-R rate] [configuration_file]\n"


def _options(proc: Proc, argv: list[str]) -> State:
    """Raises GetoptError; ends the program for words that make no sense."""
    pairs, words = getopt(argv, "dlR:")
    flags = {letter for letter, _ in pairs}
    rate: int | None = RATES.get(proc.name, RATES["inetd"])
    for letter, value in pairs:
        if letter == "-R":
            rate = integer(value, 0, 1_000_000)
    if rate is None or len(words) > 1:
        proc.error(f"{proc.name}: -R: bad value for service invocation rate\n" if rate is None else usage(proc))
        proc.exit(1)
    return State(words[0] if words else CONFIG, rate, "-d" in flags, "-l" in flags)


def _say(proc: Proc, state: State, text: str) -> None:
    if state.debug:
        proc.error(f"{proc.name}[{proc.pid}]: {text}\n")
    else:
        proc.syslog(text)


# -- configuration -------------------------------------------------------------------------------------------------


def _configure(proc: Proc, state: State) -> bool:
    """Read the file; what is new is opened, what is gone closed, what goes on keeps its socket. False: give up."""
    try:
        text = proc.read_file(state.path)
        services, wrong = inetd_conf.parse(proc, text)
    except Errno as error:
        _say(proc, state, f"{state.path}: {error}")
        return True
    except inetd_conf.PolicyError as error:
        _say(proc, state, f"{state.path}: {error}")
        return False
    for line in wrong:
        _say(proc, state, f"{state.path}: {line}")
    for policy in dict.fromkeys(one.policy for one in services if one.policy):
        _say(proc, state, f"IPsec policy kept, not applied yet: {policy}")
    before = {one.service.key: one for one in state.open}
    state.open = []
    for service in services:
        known = before.pop(service.key, None)
        if known is not None and known.service.port == service.port:
            known.service = service
        else:
            if known is not None:
                _shut(proc, known)
            known = Open(service)
        state.open.append(known)
        if known.fd < 0:
            _start(proc, state, known)
    for gone in before.values():
        _shut(proc, gone)
    return True


def _start(proc: Proc, state: State, one: Open) -> None:
    """Open a service's socket; what fails is tried again in ten minutes."""
    service = one.service
    fd = proc.socket("tcp6" if service.stream else "udp6")
    try:
        proc.setsockopt(fd, "SO_REUSEADDR", True)
        with suppress(Errno):
            # On some platforms the option can't be changed (KAME IMPLEMENTATION 1.12.2 (2001)).
            proc.setsockopt(fd, "IPV6_V6ONLY", service.protocol != "tcp46")
        proc.bind(fd, in6.UNSPECIFIED, service.port)
        if service.stream:
            proc.listen(fd, BACKLOG)
    except Errno as error:
        proc.close(fd)
        one.retry = proc.time() + RETRY
        _say(proc, state, f"{service.label}: bind: {error}")
        return
    one.fd, one.retry, one.count = fd, None, 0
    if state.debug:
        what = " ".join(service.argv) or "internal"
        _say(proc, state, f"{service.label}: port {service.port}, {what}{_limits(service)}")


def _limits(service: Service) -> str:
    return f", policy {service.policy}" if service.policy else ""


def _shut(proc: Proc, one: Open) -> None:
    if one.fd >= 0:
        proc.close(one.fd)
        one.fd = -1


# -- the loop ------------------------------------------------------------------------------------------------------


async def _turn(proc: Proc, state: State) -> None:
    """Wait for something to do, and do it."""
    full = len(state.clients) >= CLIENTS
    listening = {one.fd: one for one in state.open if one.fd >= 0 and not (full and one.service.stream)}
    reads = (*listening, *(fd for fd, client in state.clients.items() if client.reading and not client.out))
    writes = tuple(fd for fd, client in state.clients.items() if client.out or client.service == "chargen")
    due = min((one.retry for one in state.open if one.retry is not None), default=None)
    able, free = await proc.poll(reads, writes, None if due is None else max(0, due - proc.time()))
    for fd in free:
        await _serve(proc, state, fd, _send)
    for fd in able:
        if fd in listening:
            await _asked(proc, state, listening[fd])
        elif fd in state.clients:
            await _serve(proc, state, fd, _receive)
    if due is not None and proc.time() >= due:
        for one in state.open:
            if one.retry is not None and one.retry <= proc.time():
                _start(proc, state, one)


def _looping(proc: Proc, state: State, one: Open) -> bool:
    """Whether this was one server too many; then the service is closed for a while."""
    now = proc.time()
    if not one.count or now - one.since > INTERVAL:
        one.since, one.count = now, 0
    one.count += 1
    rate = state.rate if one.service.rate is None else one.service.rate
    if not rate or one.count <= rate:
        return False
    _say(proc, state, f"{one.service.label} server failing (looping), service terminated")
    _shut(proc, one)
    one.retry = now + RETRY
    return True


async def _asked(proc: Proc, state: State, one: Open) -> None:
    """A datagram, or a connection to accept."""
    service = one.service
    if not service.stream:
        message: Message | None = await proc.recvmsg(one.fd, 0)
        if message is not None and not _looping(proc, state, one):
            _datagram(proc, state, one, message)
        return
    taken = await proc.accept(one.fd, 0)
    if taken is None:
        return
    fd, addr, port, zone = taken
    if _looping(proc, state, one):
        proc.close(fd)
        return
    one.served += 1
    if state.log or state.debug:
        _say(proc, state, f"{service.name} from {getnameinfo(proc, addr, zone)} port {port}")
    if service.argv:
        try:
            proc.spawn(list(service.argv), ("socket", fd), ("socket", fd), background=True)
        except Errno as error:
            _say(proc, state, f"{service.label}: {service.argv[0]}: {error}")
            proc.close(fd)
        return
    client = state.clients[fd] = Client(service.name)
    if service.name in ("daytime", "time"):
        client.out = inetd_services.answer(service.name, b"", proc.wall(), 0) or b""
        client.reading, client.closing = False, True


def _datagram(proc: Proc, state: State, one: Open, message: Message) -> None:
    """Answer from the address that was asked, unless the answer would begin a loop (4.4BSD dg_badinput)."""
    ours = {other.service.port for other in state.open if not other.service.stream and not other.service.argv}
    if in6.is_multicast(message.dst) or message.port in ours or not message.port:
        if state.log or state.debug:
            who = getnameinfo(proc, message.addr, message.zone)
            _say(proc, state, f"{one.service.label}: refused to answer {who} port {message.port}")
        return
    answer = inetd_services.answer(one.service.name, message.data, proc.wall(), one.served)
    one.served += 1
    if answer is None:
        return
    # The peer can be gone again, or the route: a datagram service owes nothing.
    with suppress(Errno):
        pktinfo = (message.dst, message.ifindex if in6.is_linklocal(message.dst) else 0)
        proc.sendmsg(one.fd, answer, message.addr, message.port, message.zone, pktinfo=pktinfo)


# -- connections of internal services --------------------------------------------------------------------------------


Step = Callable[["Proc", int, Client], Awaitable[None]]


async def _serve(proc: Proc, state: State, fd: int, step: Step) -> None:
    """One step with a client, who may be gone."""
    client = state.clients.get(fd)
    if client is None:
        return
    try:
        await step(proc, fd, client)
    except Errno:
        client.out, client.closing = b"", True
    if client.closing and not client.out:
        del state.clients[fd]
        # What daytime and time were sent is thrown away (RFC 867, RFC 868); unread, it would make the close a reset.
        with suppress(Errno):
            await proc.recv(fd, CHUNK, 0)
        proc.close(fd)


async def _send(proc: Proc, fd: int, client: Client) -> None:
    if client.service == "chargen":
        client.at += await proc.send(fd, inetd_services.chargen(client.at, CHUNK), 0)
    else:
        client.out = client.out[await proc.send(fd, client.out, 0) :]


async def _receive(proc: Proc, fd: int, client: Client) -> None:
    data = await proc.recv(fd, CHUNK, 0)
    if data == b"":
        client.reading = False
        client.closing = client.service != "chargen"
    elif data and client.service == "echo":
        client.out = data[await proc.send(fd, data, 0) :]
