"""rrenumd(8): sends router renumbering commands to the routers that `rrenumd.conf` names.

KAME `rrenumd.c`; RFC 2894. Each destination gets every command, again every 5 s as often as its retry says, unless it
answers with a result. Routers of KAME don't answer, and obey each segment once however often it comes. Commands to a
multicast group leave through every interface that is up. Left out: IPsec, which is to protect them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.stack.views import InterfaceRow
from kamelab.userland import rrenumd_conf
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo
from kamelab.userland.probe import NS
from kamelab.wire import icmp6, in6, ip6, rr
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: rrenumd [-df] [-c configfile | -s]\n"

INTERVAL: Final = 5 * NS
"""Between two sendings, and the wait for results after the last."""
MAX_BODY: Final = ip6.MIN_MTU - ip6.HEADER_LEN - icmp6.HEADER_LEN
"""A command is not to be cut into fragments: octets of its body."""
HOPS: Final = 64

_UP, _LOOPBACK = 1, 8


@dataclass
class Target:
    """One destination."""

    addr: bytes
    zone: int
    text: str
    left: int
    """How often it is sent to yet."""


@dataclass
class State:
    """Everything the program knows."""

    fd: int
    targets: list[Target]
    commands: list[bytes]
    """Whole messages, their checksums left to the kernel."""
    debug: bool
    foreground: bool
    at: int = 0
    """When to send next, ns since boot."""
    results: dict[bytes, int] = field(default_factory=dict)
    """Results heard, by sender."""


class Fault(Exception):
    """Why it can't begin."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Send everything, wait for results, end. Status 0; 1 if the configuration is wrong or missing."""
    state = proc.state
    if not isinstance(state, State):
        try:
            state = await _begin(proc, argv)
        except GetoptError as error:
            proc.error(f"rrenumd: {error}\n{USAGE}")
            return 1
        except (Fault, rrenumd_conf.ConfError) as fault:
            proc.error(f"rrenumd: {fault}\n" if str(fault) else USAGE)
            return 1
    while True:
        proc.keep(state)
        now = proc.time()
        if now >= state.at:
            waiting = [one for one in state.targets if one.left]
            if not waiting:
                return 0
            for one in waiting:
                one.left -= 1
                _send(proc, state, one)
            state.at = now + INTERVAL
            continue
        message = await proc.recvmsg(state.fd, state.at - now)
        if message is not None:
            _input(proc, state, message)


async def _begin(proc: Proc, argv: list[str]) -> State:
    """Read the configuration, find the destinations, become a daemon. Raises Fault, ConfError, GetoptError."""
    pairs, words = getopt(argv, "c:dfs")
    flags = dict(pairs)
    if words or ("-c" in flags and "-s" in flags):
        raise Fault
    path = flags.get("-c", rrenumd_conf.PATH)
    if "-s" in flags:
        path, text = "standard input", await proc.read()
    else:
        try:
            text = proc.read_file(path)
        except Errno as error:
            raise Fault(f"{path}: {error}") from None
    config = rrenumd_conf.parse(text, path)
    targets = [_target(proc, name, dest.retry) for dest in config.dests for name in dest.names]
    try:
        fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
        proc.setsockopt(fd, "ICMP6_FILTER", (icmp6.ROUTER_RENUMBER,))
    except Errno as error:
        raise Fault(f"socket: {error}") from None
    foreground = "-f" in flags
    state = State(fd, targets, commands(config), config.debug or "-d" in flags, foreground, proc.time())
    if not foreground:
        proc.daemon()
    return state


def _target(proc: Proc, name: str, retry: int) -> Target:
    try:
        addr, zone = getaddrinfo(proc, name)
    except (GaiError, Errno) as error:
        raise Fault(f"{name}: {error}") from None
    return Target(addr, zone, getnameinfo(proc, addr, zone, numeric=True), retry + 1)


def commands(config: rrenumd_conf.Config) -> list[bytes]:
    """The messages that say what the file says: segments of each sequence number that need no fragmenting."""
    out = []
    for group in config.groups:
        segments: list[list[rr.Operation]] = [[]]
        room = MAX_BODY - rr.BODY_LEN
        for operation in group.operations:
            size = len(operation.pack())
            if size > room:
                segments.append([])
                room = MAX_BODY - rr.BODY_LEN
            segments[-1].append(operation)
            room -= size
        for number, operations in enumerate(segments):
            if operations:
                body = rr.Command(group.seqnum, number, rr.REQRESULT, 0, tuple(operations)).pack()
                out.append(bytes((icmp6.ROUTER_RENUMBER, rr.COMMAND, 0, 0)) + body)
    return out


def _send(proc: Proc, state: State, target: Target) -> None:
    """Send all commands to one destination, to a group through each interface that is up."""
    ways: list[tuple[int, str]] = [(target.zone, "")]
    if in6.is_multicast(target.addr) and not target.zone:
        rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
        ways = [(row.index, row.name) for row in rows if row.flags & _UP and not row.flags & _LOOPBACK]
    for index, name in ways:
        zone = index if in6.is_linklocal(target.addr) or in6.scope(target.addr) <= 2 else 0
        for number, data in enumerate(state.commands, 1):
            try:
                proc.sendmsg(
                    state.fd,
                    data,
                    target.addr,
                    0,
                    zone,
                    pktinfo=(None, index) if index else None,
                    hoplimit=HOPS,
                )
            except Errno as error:
                _log(proc, state, f"sendmsg to {target.text}{f' on {name}' if name else ''}: {error}")
                break
            if state.debug:
                way = f" on {name}" if name else ""
                _log(proc, state, f"command {number} of {len(state.commands)} sent to {target.text}{way}")


def _input(proc: Proc, state: State, message: Message) -> None:
    """A result of a router: it needs nothing more (RFC 2894 5)."""
    if len(message.data) < 4 or message.data[1] != rr.RESULT:
        return
    try:
        result = rr.Result.parse(message.data[4:])
    except WireError:
        return
    sender = getnameinfo(proc, message.addr, message.zone, numeric=True)
    if message.addr not in state.results or state.debug:
        _log(proc, state, f"result from {sender}: {len(result.reports)} prefixes matched")
    if len(state.results) < len(state.targets):
        state.results[message.addr] = len(result.reports)
    for target in state.targets:
        if target.addr == message.addr:
            target.left = 0


def _log(proc: Proc, state: State, text: str) -> None:
    if state.foreground:
        proc.error(f"rrenumd: {text}\n")
    else:
        proc.syslog(text)
