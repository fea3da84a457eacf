"""telnet(1): a line-by-line terminal to a host's port (RFC 854).

Lines end in CR LF on the wire; every option that the other side offers or asks for is refused (RFC 855), its
subnegotiations are passed over. A line of just ``^]`` ends the connection. At the end of standard input the sending
half is closed and what still comes is shown. Left out: character mode, terminal types, the telnet> commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland import dial
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import GaiError, getnameinfo, getservbyname
from kamelab.userland.octets import decoded, encoded, split
from kamelab.userland.probe import integer

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: telnet [-6n] [-s source] host [port]\n"
ESCAPES: Final = ("^]", "\x1d")

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
"""RFC 854's commands."""


@dataclass
class State:
    """The connection, and where in a command of the protocol the other side is."""

    fd: int
    mode: str = ""
    """What the next octet means: "" data, ``cr`` after CR, ``iac`` a command, ``opt`` an option, ``sb`` and ``sbiac``
    inside a subnegotiation."""
    verb: int = 0
    """WILL, WONT, DO or DONT while ``mode`` is ``opt``."""
    rest: bytes = b""
    """The beginning of a character whose end has not come."""
    out: bytes = b""
    stdin: bool = True
    refused: int = 0
    """Options that were refused: each once, as two octets (verb, option) of a set in one number."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Status 0 when the user ended it, 1 when it was not connected or the other side ended it."""
    state = proc.state
    try:
        if not isinstance(state, State):
            state = State(await _connect(proc, argv))
        return await _talk(proc, state)
    except GetoptError as error:
        proc.error(f"telnet: {error}\n{USAGE}")
    except Errno as error:
        proc.error(f"telnet: {error}\n")
    return 1


async def _connect(proc: Proc, argv: list[str]) -> int:
    """The descriptor; ends the program where there is no connection. Raises GetoptError."""
    pairs, words = getopt(argv, "6ns:")
    if not 1 <= len(words) <= 2:
        proc.error(USAGE)
        proc.exit(1)
    source = "".join(value for letter, value in pairs if letter == "-s")
    service = words[1] if len(words) == 2 else "23"
    port = integer(service, 1, 65535) or getservbyname(proc, service, "tcp")
    if not port:
        proc.error(f"{service}: bad port number\n")
        proc.exit(1)
    try:
        found = dial.addresses(proc, words[0], port, "stream", numeric=("-n", "") in pairs)
        for one in found:
            name = getnameinfo(proc, one.addr, one.zone, numeric=True)
            proc.print(f"Trying {name}...")
            try:
                fd = await dial.connect(proc, one, source=source)
            except Errno as error:
                proc.error(f"telnet: connect to address {name}: {error}\n")
                continue
            proc.print(f"Connected to {words[0]}.\nEscape character is '^]'.")
            return fd
    except (GaiError, Errno) as error:
        proc.error(f"{words[0]}: {error}\n")
        proc.exit(1)
    proc.error("telnet: Unable to connect to remote host\n")
    proc.exit(1)


async def _talk(proc: Proc, state: State) -> int:
    fd = state.fd
    while True:
        proc.keep(state)
        reads = (fd, 0) if state.stdin and not state.out else (fd,)
        able, free = await proc.poll(reads, (fd,) if state.out else ())
        if free:
            state.out = state.out[await proc.send(fd, state.out, 0) :]
            if not state.out and not state.stdin:
                proc.shutdown(fd, "wr")
        if fd in able:
            data = await proc.recv(fd, dial.CHUNK, 0)
            if data == b"":
                proc.write(decoded(state.rest))
                proc.error("Connection closed by foreign host.\n")
                return 1
            if data:
                text, state.rest = split(state.rest + received(state, data))
                proc.write(text)
        if 0 in able:
            line = await proc.readline()
            if line.rstrip("\n") in ESCAPES:
                proc.print("Connection closed.")
                proc.close(fd)
                return 0
            if not line:
                state.stdin = False
                if not state.out:
                    proc.shutdown(fd, "wr")
            else:
                state.out += to_wire(line)


def to_wire(line: str) -> bytes:
    """A line of text as a network virtual terminal sends it: CR LF at its end, IAC doubled (RFC 854)."""
    return encoded(line).replace(b"\xff", b"\xff\xff").replace(b"\n", b"\r\n")


def received(state: State, data: bytes) -> bytes:
    """The text in what the other side sent; refusals of its options go to ``state.out``."""
    if not state.mode and IAC not in data and 13 not in data:
        return data
    text = bytearray()
    for octet in data:
        if state.mode == "iac":
            _command(state, octet, text)
        elif state.mode == "opt":
            _refuse(state, octet)
        elif state.mode in ("sb", "sbiac"):
            inside = state.mode == "sb" or octet != SE
            state.mode = "sbiac" if state.mode == "sb" and octet == IAC else "sb" if inside else ""
        elif octet == IAC:
            text += b"\r" if state.mode == "cr" else b""
            state.mode = "iac"
        elif state.mode == "cr":
            # CR LF is a line's end and CR NUL a bare CR; a CR before anything else stays one.
            text += b"\n" if octet == 10 else b"\r" if octet == 0 else bytes((13, octet))
            state.mode = ""
        elif octet == 13:
            state.mode = "cr"
        else:
            text.append(octet)
    return bytes(text)


def _command(state: State, octet: int, text: bytearray) -> None:
    """What follows IAC; commands without an option mean nothing to a line terminal."""
    state.mode = ""
    if octet == IAC:
        text.append(IAC)
    elif octet == SB:
        state.mode = "sb"
    elif octet in (WILL, WONT, DO, DONT):
        state.mode, state.verb = "opt", octet


def _refuse(state: State, option: int) -> None:
    """WILL is answered by DONT and DO by WONT, once each; what is off already needs no answer (RFC 854)."""
    state.mode = ""
    bit = 1 << (option + (256 if state.verb == DO else 0))
    if state.verb in (WILL, DO) and not state.refused & bit:
        state.refused |= bit
        state.out += bytes((IAC, DONT if state.verb == WILL else WONT, option))
