"""setkey(8): associations and policies by hand.

KAME `setkey/setkey.c`. Commands come from standard input or from files and go to the kernel one by one as PF_KEY
messages; one that it refuses does not stop the next, a mistake of form ends all. Left out: -H, -n, -p and -V, which no
version of KAME's took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import EAGAIN, ENOENT, Errno, strerror
from kamelab.userland import setkey_commands, setkey_dump
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.proc import SIGINT, SIGTERM, Signal
from kamelab.userland.setkey_commands import Supported
from kamelab.userland.setkey_grammar import Command, Reader, SyntaxFault
from kamelab.wire import pfkey
from kamelab.wire.pfkey import Message

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: setkey [-dv] -c
       setkey [-dv] -f file
       setkey [-dv] file ...
       setkey [-Padlv] -D
       setkey [-Pdv] -F
       setkey [-h] -x
"""
SECOND: Final = 1_000_000_000
WAIT: Final = SECOND
"""For an answer of the kernel, which comes at once or never."""

_DUMPS: Final = (pfkey.SADB_DUMP, pfkey.SADB_X_SPDDUMP)


@dataclass
class State:
    """What a setkey that runs on (``-x``, ``-lD``) remembers."""

    fd: int
    flags: frozenset[str]
    times: int = 0
    """How many x: two show times as numbers."""


@dataclass
class Session:
    """The PF_KEY socket of one run."""

    proc: Proc
    fd: int
    flags: frozenset[str]
    script: bool = False
    """Commands come from text: results name their line."""
    algorithms: Supported = field(default_factory=dict)

    async def exchange(self, message: Message) -> list[Message]:
        """Send a message; the answers to it. Raises Errno."""
        proc = self.proc
        message = message._replace(pid=proc.pid)
        if "v" in self.flags:
            proc.write(setkey_dump.message_text(proc, message))
        proc.sendmsg(self.fd, pfkey.build(message))
        answers: list[Message] = []
        while True:
            got = await proc.recvmsg(self.fd, WAIT)
            if got is None:
                raise Errno(EAGAIN)
            answer = pfkey.parse(got.data)
            if answer.pid != proc.pid and answer.type not in _DUMPS:
                continue
            if answer.type != message.type:
                continue
            if "v" in self.flags:
                proc.write(setkey_dump.message_text(proc, answer))
            answers.append(answer)
            if answer.errno or answer.type not in _DUMPS or not answer.seq:
                return answers

    async def run(self, message: Message, line: int = 0) -> None:
        """Send a message and show what comes of it."""
        proc = self.proc
        lead = f"The result of line {line}: " if line else ""
        try:
            answers = await self.exchange(message)
        except (Errno, pfkey.PfkeyError) as error:
            proc.print(f"{lead}{error}.")
            return
        for answer in answers:
            if answer.errno:
                proc.print(f"{lead}{_refusal(answer)}.")
            elif answer.type in (pfkey.SADB_GET, pfkey.SADB_DUMP):
                self.show_sa(answer)
            elif answer.type in (pfkey.SADB_X_SPDGET, pfkey.SADB_X_SPDDUMP):
                proc.write(setkey_dump.policy_text(proc, answer))

    def show_sa(self, answer: Message) -> None:
        """One association. In a dump the dead ones need ``-a``."""
        sa = answer.get(pfkey.SADB_EXT_SA)
        dead = isinstance(sa, pfkey.Sa) and sa.state == pfkey.SADB_SASTATE_DEAD
        if answer.type == pfkey.SADB_DUMP and dead and "a" not in self.flags:
            return
        text = setkey_dump.short_text if "l" in self.flags else setkey_dump.sa_text
        self.proc.write(text(self.proc, answer))

    async def learn(self) -> None:
        """The kernel's algorithms (KAME pfkey_send_register). Raises Errno."""
        answers = await self.exchange(Message(pfkey.SADB_REGISTER))
        self.algorithms = setkey_commands.supported(answers)

    async def command(self, command: Command) -> None:
        """Carry a command out. Raises SyntaxFault if the library refuses it."""
        enc = command.sa.enc if command.sa else None
        if enc is not None and enc.name.text == "simple":
            self.proc.error(f"{enc.name.fault('warning: the name is obsolete, use null')}\n")
        if "d" in self.flags:
            self.proc.error(f"line {command.line}: {command.kind}\n")
        for message in setkey_commands.messages(self.proc, command, self.algorithms):
            await self.run(message, command.line)

    async def text(self, path: str | None) -> None:
        """Commands of a file, or of standard input as it comes. Raises SyntaxFault, Errno."""
        reader = Reader()
        if path is not None:
            for command in reader.feed(self.proc.read_file(path)):
                await self.command(command)
        else:
            while line := await self.proc.readline():
                for command in reader.feed(line):
                    await self.command(command)
        reader.end()


def _refusal(answer: Message) -> str:
    """The kernel's refusal in words; an empty dump is no fault."""
    if answer.errno == ENOENT and answer.type in _DUMPS:
        return "No SAD entries" if answer.type == pfkey.SADB_DUMP else "No SPD entries"
    return strerror(answer.errno)


async def main(proc: Proc, argv: list[str]) -> int:
    """setkey(8). Status 1 for wrong usage and for mistakes in commands; 0 even if the kernel refused some."""
    if isinstance(proc.state, State):
        return await _watch(proc, proc.state)
    try:
        pairs, words = getopt(argv, "acdf:hlvxDFP")
    except GetoptError as error:
        proc.error(f"setkey: {error}\n{USAGE}")
        return 1
    flags = frozenset(name[1:] for name, _value in pairs)
    modes = flags & frozenset("cfDFx")
    if len(modes) + bool(words) != 1:
        proc.error(USAGE)
        return 1
    try:
        fd = proc.socket("key")
    except Errno as error:
        proc.error(f"setkey: socket(PF_KEY): {error}\n")
        return 1
    if "x" in flags or ("l" in flags and "D" in flags and "P" not in flags):
        return await _watch(proc, State(fd, flags, sum(name == "-x" for name, _value in pairs)))
    session = Session(proc, fd, flags)
    if "D" in flags:
        await session.run(Message(pfkey.SADB_X_SPDDUMP if "P" in flags else pfkey.SADB_DUMP))
    elif "F" in flags:
        await session.run(Message(pfkey.SADB_X_SPDFLUSH if "P" in flags else pfkey.SADB_FLUSH))
    else:
        paths: list[str | None] = [None] if "c" in flags else [*words] or [dict(pairs)["-f"]]
        return await _script(session, [None if path == "-" else path for path in paths])
    proc.close(fd)
    return 0


async def _script(session: Session, paths: list[str | None]) -> int:
    """Commands of files, or of standard input for None."""
    proc = session.proc
    try:
        await session.learn()
    except Errno as error:
        proc.error(f"setkey: register: {error}\n")
        return 1
    for path in paths:
        try:
            await session.text(path)
        except SyntaxFault as fault:
            if isinstance(fault, setkey_commands.PolicyFault):
                proc.error(f"{fault.library}\n")
            proc.error(f"{fault}\nparse failed, line {fault.line}.\n")
            return 1
        except Errno as error:
            proc.error(f"setkey: {path}: {error}\n")
            return 1
    proc.close(session.fd)
    return 0


async def _watch(proc: Proc, state: State) -> int:
    """``-x``: every message of the key socket as it comes; ``-lD``: the short table each second. Until a signal."""
    try:
        if "x" in state.flags:
            return await _monitor(proc, state)
        session = Session(proc, state.fd, state.flags)
        while True:
            proc.keep(state)
            proc.write(setkey_dump.SHORT_HEAD)
            await session.run(Message(pfkey.SADB_DUMP))
            await proc.sleep(SECOND)
    except Signal as signal:
        if signal.number not in (SIGINT, SIGTERM):
            raise
        return 0


async def _monitor(proc: Proc, state: State) -> int:
    """Ask for all messages (KAME promisc) and show them."""
    if proc.state is None:
        asking = Message(pfkey.SADB_X_PROMISC, 1, pid=proc.pid)
        try:
            proc.sendmsg(state.fd, pfkey.build(asking))
        except Errno as error:
            proc.error(f"setkey: send: {error}\n")
            return 1
    while True:
        proc.keep(state)
        got = await proc.recvmsg(state.fd)
        if got is None:
            continue
        now = proc.wall()
        if state.times > 1:
            proc.print(f"{now // SECOND}.{now % SECOND // 1000:06}")
        else:
            proc.print(f"\n{setkey_dump.time_text(now // SECOND)}")
        if "h" in state.flags:
            proc.write(setkey_dump.octets_text(got.data))
        try:
            proc.write(setkey_dump.message_text(proc, pfkey.parse(got.data)))
        except pfkey.PfkeyError as error:
            proc.print(f"  no PF_KEY message: {error}")
