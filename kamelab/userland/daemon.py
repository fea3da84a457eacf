"""What daemons share: beginning or going on, leaving the terminal, their pid and dump files, and where they talk.

A daemon has all that it knows in one plain object, gives it to `Proc.keep`, and after a restore goes on from it. Left
out: the loops themselves, which differ.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from kamelab.core.errors import Errno
from kamelab.userland.getopt import Fault, GetoptError

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

State = TypeVar("State")


def state_of(
    proc: Proc, argv: list[str], usage: str, kind: type[State], begin: Callable[[Proc, list[str]], State]
) -> State | None:
    """What the daemon kept, else what ``begin`` makes; None where it can't begin, and the user has been told why.

    ``begin`` raises `GetoptError`, or `Fault`: an empty one means that the usage says it.
    """
    if isinstance(proc.state, kind):
        return proc.state
    try:
        return begin(proc, argv)
    except GetoptError as error:
        proc.error(f"{proc.name}: {error}\n{usage}")
    except Fault as fault:
        proc.error(f"{proc.name}: {fault}\n" if str(fault) else usage)
    return None


def detach(proc: Proc, pid_file: str, *, foreground: bool) -> None:
    """Write the process id down and, unless in the foreground, leave the terminal (daemon(3), pidfile(3))."""
    try:
        proc.write_file(pid_file, f"{proc.pid}\n")
    except Errno as error:
        proc.error(f"{proc.name}: warning: {pid_file}: {error}\n")
    if not foreground:
        proc.daemon()


def ended(proc: Proc, pid_file: str) -> None:
    """The daemon ends: its pid file goes."""
    with suppress(Errno):
        proc.unlink(pid_file)


def log(proc: Proc, text: str, *, foreground: bool) -> None:
    """A line for the terminal in the foreground, for the log else."""
    if foreground:
        proc.error(f"{proc.name}: {text}\n")
    else:
        proc.syslog(text)


def write_dump(proc: Proc, path: str, lines: list[str]) -> None:
    """What SIGUSR1 asks for."""
    proc.write_file(path, "".join(f"{line}\n" for line in lines))
