"""Router renumbering as rtadvd takes it in (RFC 2894 4): which commands it obeys, and what it asks of the kernel.

KAME `rtadvd/rrenum.c`. A command is obeyed once: its sequence number may not be lower than the last, and a segment of
the same number counts the first time only. Left out, as in KAME: results (matches are logged instead), the reset of
sequence numbers, the site of an interface. Authentication is IPsec's work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import EADDRNOTAVAIL, Errno
from kamelab.stack.netinet6 import in6_prefix
from kamelab.stack.netinet6.in6_prefix import Terms, Use
from kamelab.stack.views import InterfaceRow
from kamelab.wire import in6, rr
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

SITE_ALLROUTERS: Final = b"\xff\x05" + bytes(13) + b"\x02"
"""ff05::2, where commands for a whole site go."""

MAX_OPERATIONS: Final = 256
"""Operations that are obeyed of one segment: the ordinals have no room for more."""

_REQUESTS: Final = {rr.ADD: in6_prefix.ADD, rr.CHANGE: in6_prefix.CHANGE, rr.SETGLOBAL: in6_prefix.SETGLOBAL}
_UP, _LOOPBACK = 1, 8

Log = Callable[[str], None]


@dataclass
class Memory:
    """What a receiver must remember of the commands so far."""

    seqnum: int = 0
    segments: int = 0
    """Segments of this sequence number that were obeyed, one bit each."""
    heard: int = 0
    dropped: int = 0
    applied: int = 0
    """Operations that changed an interface."""


def rr_input(proc: Proc, memory: Memory, message: Message, log: Log) -> bool:
    """Judge a message of type 138 and obey it; whether a prefix of this node has changed."""
    memory.heard += 1
    sender = in6.ntop(message.addr)
    command = _judge(memory, message, sender, log)
    if command is None:
        memory.dropped += 1
        return False
    if command.flags & rr.TEST:
        if command.flags & rr.REQRESULT:
            _tell_matches(proc, command, sender, log)
        return False
    memory.seqnum = command.seqnum
    memory.segments |= 1 << command.segnum
    before = memory.applied
    rows = _interfaces(proc, command)
    for operation in command.operations[:MAX_OPERATIONS]:
        for row in rows:
            _apply(proc, memory, operation, row.name, log)
    return memory.applied != before


def _judge(memory: Memory, message: Message, sender: str, log: Log) -> rr.Command | None:
    """The command, None after a log line where it is not to be obeyed (RFC 2894 4.1, 4.2)."""
    code = message.data[1] if len(message.data) > 1 else 0
    if code == rr.RESULT:
        return None
    if code != rr.COMMAND:
        words = "a sequence number reset" if code == rr.SEQNUM_RESET else f"an RR message of unknown code {code}"
        log(f"{words} from {sender} is ignored")
        return None
    if len(message.data) < 4 + rr.BODY_LEN + rr.MATCH_LEN:
        log(f"RR command from {sender} is too short, {len(message.data)} octets")
        return None
    if in6.is_multicast(message.dst) and message.dst not in (in6.ALLROUTERS, SITE_ALLROUTERS):
        log(f"RR command from {sender} to {in6.ntop(message.dst)} is ignored: not the routers' group")
        return None
    try:
        command = rr.Command.parse(message.data[4:])
    except WireError as error:
        log(f"RR command from {sender}: {error}")
        return None
    if command.seqnum < memory.seqnum:
        log(f"RR command from {sender}: old sequence number {command.seqnum}, the last was {memory.seqnum}")
        return None
    if command.seqnum > memory.seqnum and not command.flags & rr.TEST:
        memory.segments = 0
    elif command.seqnum == memory.seqnum and memory.segments >> command.segnum & 1 and not command.flags & rr.TEST:
        if command.flags & rr.REQRESULT:
            log(f"RR command from {sender}: segment {command.segnum} of {command.seqnum} was processed before")
        return None
    return command


def _interfaces(proc: Proc, command: rr.Command) -> list[InterfaceRow]:
    """Interfaces that a command is for: those that are up, all with the A flag."""
    rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
    force = command.flags & rr.FORCEAPPLY
    return [row for row in rows if not row.flags & _LOOPBACK and (force or row.flags & _UP)]


def _apply(proc: Proc, memory: Memory, operation: rr.Operation, name: str, log: Log) -> None:
    """One operation on one interface; that nothing matches is no error."""
    request = _REQUESTS.get(operation.opcode)
    if request is None:
        log(f"RR operation {operation.ordinal}: unknown code {operation.opcode}")
        return
    try:
        proc.ioctl(
            request,
            name,
            match=operation.prefix,
            matchlen=operation.matchlen,
            minlen=operation.minlen,
            maxlen=operation.maxlen,
            uses=tuple(_use(one) for one in operation.uses),
            origin="RR",
        )
    except Errno as error:
        if error.number != EADDRNOTAVAIL:
            log(f"RR operation {operation.ordinal} on {name}: {request}: {error}")
        return
    memory.applied += 1


def _use(one: rr.UsePrefix) -> Use:
    def flag(bit: int) -> bool | None:
        return bool(one.raflags & bit) if one.flagmask & bit else None

    terms = Terms(one.valid, one.preferred, flag(rr.ONLINK), flag(rr.AUTONOMOUS), one.decrvalid, one.decrprefd)
    return Use(one.prefix, one.uselen, one.keeplen, terms)


def _tell_matches(proc: Proc, command: rr.Command, sender: str, log: Log) -> None:
    """A test that wants a result: what would be matched goes to the log."""
    names = {row.name for row in _interfaces(proc, command)}
    rows = proc.rows("prefixes")
    for operation in command.operations[:MAX_OPERATIONS]:
        for row in rows:
            prefix = in6.pton(row.prefix.partition("%")[0])
            if (
                row.interface in names
                and row.origin != "RA"
                and not in6.is_linklocal(prefix)
                and operation.minlen <= row.plen <= operation.maxlen
                and operation.matchlen <= 128
                and in6.in_prefix(prefix, operation.prefix, operation.matchlen)
            ):
                word = rr.OPCODES.get(operation.opcode, "?")
                log(
                    f"RR test from {sender}: {word} {operation.ordinal} matches {row.prefix}/{row.plen}"
                    f" on {row.interface}"
                )
