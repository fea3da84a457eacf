"""nc(1): standard input to a connection or to datagrams, and what comes back to standard output.

After OpenBSD's nc, options and words. It ends when the other side has closed, nothing is left to send, and standard
input has ended or is a terminal; while listening, the terminal apart, the file on standard input is sent to its end.
Left out: IPv4, Unix domain sockets, proxies, TLS, -q.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import dial
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.netdb import GaiError, getnameinfo, getservbyname, getservbyport
from kamelab.userland.octets import decoded, encoded, split
from kamelab.userland.probe import NS, integer

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = (
    "usage: nc [-6klNnuvz] [-i interval] [-p port] [-s source] [-w timeout]\n\t  [destination] [port | port-port]\n"
)

_DATAGRAM: Final = 8192
"""Octets of standard input that go into one datagram."""
_PROBES: Final = 4
"""Datagrams that -z sends to a UDP port, a second apart, before it believes in it."""


@dataclass
class State:
    """The options, what is still to be done, and the connection that is open now."""

    flags: set[str]
    host: str = ""
    ports: list[int] = field(default_factory=list)
    sport: int = 0
    source: str = ""
    wait: int | None = None
    """-w, ns."""
    interval: int = 0
    """-i, ns."""
    succeeded: bool = False
    listener: int = -1
    fd: int = -1
    connected: bool = True
    """False: a UDP socket that hears everybody (-k)."""
    out: bytes = b""
    """What standard input gave and the network has not taken."""
    rest: bytes = b""
    """The beginning of a character whose end has not come."""
    stdin: bool = True
    net: bool = True

    @property
    def udp(self) -> bool:
        return "u" in self.flags

    @property
    def kind(self) -> str:
        return "dgram" if self.udp else "stream"


async def main(proc: Proc, argv: list[str]) -> int:
    """Status 0 when a connection was made and ended in order, else 1."""
    state = proc.state
    try:
        if not isinstance(state, State):
            state = _options(proc, argv)
        if "l" in state.flags:
            await _listen(proc, state)
            return 0
        return await _connect(proc, state)
    except GetoptError as error:
        proc.error(f"nc: {error}\n{USAGE}")
    except (Fault, Errno, GaiError) as fault:
        proc.error(f"nc: {fault}\n" if str(fault) else USAGE)
    return 1


def _options(proc: Proc, argv: list[str]) -> State:
    """Raises GetoptError, Fault."""
    pairs, words = getopt(argv, "6i:klNnp:s:uvw:z")
    state = State({letter[1] for letter, _ in pairs})
    for letter, value in pairs:
        if letter == "-s":
            state.source = value
        elif letter == "-p":
            state.sport = _port(proc, state, value)
        elif letter in ("-i", "-w"):
            seconds = integer(value, 0 if letter == "-i" else 1, 1_000_000)
            if seconds is None:
                raise Fault(f"{'interval' if letter == '-i' else 'timeout'} invalid: {value}")
            if letter == "-i":
                state.interval = seconds * NS
            else:
                state.wait = seconds * NS
    if "l" in state.flags:
        if "z" in state.flags:
            raise Fault("cannot use -z and -l")
        if len(words) > 2 or not (words or state.sport):
            raise Fault
        if len(words) == 2 or (words and state.sport):
            state.source = words[0]
        if not state.sport:
            state.sport = _port(proc, state, words[-1])
        return state
    if "k" in state.flags:
        raise Fault("must use -l with -k")
    if len(words) != 2:
        raise Fault
    state.host = words[0]
    low, dash, high = words[1].partition("-")
    if dash and integer(low, 0) is not None:
        first, last = sorted((_port(proc, state, low), _port(proc, state, high)))
        state.ports = list(range(first, last + 1))
    else:
        state.ports = [_port(proc, state, words[1])]
    return state


def _port(proc: Proc, state: State, text: str) -> int:
    """A port's number or, without -n, its name. Raises Fault."""
    number = integer(text, 0)
    if number is None:
        number = 0 if "n" in state.flags else getservbyname(proc, text, "udp" if state.udp else "tcp")
        if not number:
            raise Fault(f'service "{text}" unknown')
    if not 0 < number < 65536:
        raise Fault(f"port number {'too large' if number else 'too small'}: {text}")
    return number


# -- to somebody ---------------------------------------------------------------------------------------------------


async def _connect(proc: Proc, state: State) -> int:
    """Each port in turn; 0 where one of them could be reached."""
    numeric = "n" in state.flags
    while state.fd >= 0 or state.ports:
        if state.fd < 0:
            port = state.ports.pop(0)
            state.fd = await _dial(proc, state, port)
            if state.fd < 0:
                continue
            if "z" in state.flags and state.udp and not await _answers(proc, state.fd):
                _hang_up(proc, state)
                continue
            state.succeeded = True
            if state.flags & {"v", "z"}:
                protocol = "udp" if state.udp else "tcp"
                name = "" if numeric else getservbyport(proc, port, protocol)
                proc.error(f"Connection to {state.host} {port} port [{protocol}/{name or '*'}] succeeded!\n")
            if "z" in state.flags:
                _hang_up(proc, state)
                continue
        await _flow(proc, state)
        _hang_up(proc, state)
    return 0 if state.succeeded else 1


async def _dial(proc: Proc, state: State, port: int) -> int:
    """The descriptor of a connection to any of the destination's addresses, -1 where none can be had. Raises Fault."""
    numeric = "n" in state.flags
    for one in dial.addresses(proc, state.host, port, state.kind, numeric=numeric):
        try:
            return await dial.connect(
                proc, one, source=state.source, sport=state.sport, numeric=numeric, timeout=state.wait
            )
        except Errno as error:
            if "v" in state.flags:
                protocol = "udp" if state.udp else "tcp"
                proc.error(f"nc: connect to {state.host} port {port} ({protocol}) failed: {error}\n")
    return -1


async def _answers(proc: Proc, fd: int) -> bool:
    """Whether nobody says that a UDP port is closed; silence looks like a port that is open."""
    try:
        for _ in range(_PROBES):
            proc.sendmsg(fd, b"X")
            await proc.recvmsg(fd, NS)
    except Errno:
        return False
    return True


def _hang_up(proc: Proc, state: State) -> None:
    proc.close(state.fd)
    state.fd = -1


# -- to whoever comes ----------------------------------------------------------------------------------------------


async def _listen(proc: Proc, state: State) -> None:
    """One connection, or with -k one after the other for ever. Raises Errno."""
    while True:
        if state.fd < 0:
            if state.udp:
                await _first(proc, state)
            else:
                await _accept(proc, state)
        await _flow(proc, state)
        _hang_up(proc, state)
        if "k" not in state.flags:
            return


def _own(proc: Proc, state: State) -> int:
    """A socket with the name that was asked for."""
    numeric = "n" in state.flags
    own = dial.addresses(proc, state.source or None, state.sport, state.kind, numeric=numeric, passive=True)[0]
    fd = proc.socket("udp6" if state.udp else "tcp6")
    proc.setsockopt(fd, "SO_REUSEADDR", True)
    proc.bind(fd, own.addr, own.port, own.zone)
    if not state.udp:
        proc.listen(fd, 1)
    if "v" in state.flags:
        proc.error(f"Listening on {getnameinfo(proc, own.addr, own.zone, numeric=True)} {own.port}\n")
    return fd


def _received(proc: Proc, state: State, addr: bytes, port: int, zone: int) -> None:
    if "v" in state.flags:
        proc.error(f"Connection received on {getnameinfo(proc, addr, zone, numeric='n' in state.flags)} {port}\n")


async def _accept(proc: Proc, state: State) -> None:
    if state.listener < 0:
        state.listener = _own(proc, state)
    taken = await proc.accept(state.listener)
    assert taken is not None
    state.fd, addr, port, zone = taken
    state.net = True
    state.out = state.rest = b""
    _received(proc, state, addr, port, zone)
    if "k" not in state.flags:
        proc.close(state.listener)
        state.listener = -1


async def _first(proc: Proc, state: State) -> None:
    """The sender of the first datagram is who we talk to; with -k we hear everybody and talk to none."""
    state.fd = _own(proc, state)
    if "k" in state.flags:
        state.connected = state.stdin = False
        return
    message = await proc.recvmsg(state.fd)
    assert message is not None
    proc.connect(state.fd, message.addr, message.port, message.zone)
    _received(proc, state, message.addr, message.port, message.zone)
    proc.write(decoded(message.data))


# -- both ways -----------------------------------------------------------------------------------------------------


async def _flow(proc: Proc, state: State) -> None:
    """Until one of the ends that the module describes, or -w is over. Raises Errno where the connection breaks."""
    fd = state.fd
    while True:
        proc.keep(state)
        if not state.net and not state.out and (not state.stdin or proc.isatty(0)):
            break
        if state.interval:
            await proc.sleep(state.interval)
        reads = ((0,) if state.stdin and not state.out else ()) + ((fd,) if state.net else ())
        able, free = await proc.poll(reads, (fd,) if state.out else (), state.wait)
        if not able and not free:
            break
        if free:
            state.out = state.out[await proc.send(fd, state.out, 0) :]
            _half_close(proc, state)
        if fd in able:
            await _from_net(proc, state)
        if 0 in able:
            await _from_stdin(proc, state)
    if state.rest:
        proc.write(decoded(state.rest))
        state.rest = b""


async def _from_net(proc: Proc, state: State) -> None:
    if state.udp:
        message: Message | None = await proc.recvmsg(state.fd, 0)
        if message is not None:
            proc.write(decoded(message.data))
        return
    data = await proc.recv(state.fd, 4 * dial.CHUNK, 0)
    if data == b"":
        state.net = False
    elif data:
        text, state.rest = split(state.rest + data)
        proc.write(text)


async def _from_stdin(proc: Proc, state: State) -> None:
    if state.interval:
        text: str | None = await proc.readline()
    else:
        text = await proc.readsome(_DATAGRAM if state.udp else dial.CHUNK, 0)
    if text == "":
        state.stdin = False
        _half_close(proc, state)
    elif text and state.udp:
        proc.sendmsg(state.fd, encoded(text))
    elif text:
        state.out = encoded(text)


def _half_close(proc: Proc, state: State) -> None:
    """With -N the other side learns that standard input is at its end."""
    if "N" in state.flags and not state.stdin and not state.out and not state.udp:
        proc.shutdown(state.fd, "wr")
        state.flags.discard("N")
