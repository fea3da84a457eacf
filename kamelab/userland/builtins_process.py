"""kill, ps, jobs, sleep, true and false."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kamelab.core.clock import SECOND
from kamelab.core.errors import ESRCH, Errno
from kamelab.userland.proc import SIGNALS, SIGTERM, Proc
from kamelab.userland.process import JobRow

KILL_USAGE = "usage: kill [-s signal_name | -signal_name | -signal_number] pid ...\n       kill -l\n"
SLEEP_USAGE = "usage: sleep seconds\n"

_UNITS = {"": SECOND, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND}


def signal_number(text: str) -> int | None:
    """``INT``, ``SIGINT``, ``int`` or ``2`` as a number; None where it is no signal."""
    if text.isascii() and text.isdigit():
        return int(text) if int(text) < 32 else None
    return SIGNALS.get(text.upper().removeprefix("SIG"))


def _targets(word: str, jobs: tuple[JobRow, ...]) -> Iterator[int]:
    """Process ids that a word of kill names: a number, or ``%N`` for a job. Raises ValueError with what is wrong."""
    if not word.startswith("%"):
        if not (word.isascii() and word.isdigit()):
            raise ValueError(f"illegal process id: {word}")
        yield int(word)
        return
    found = jobs[-1:] if word in ("%", "%%", "%+") else [job for job in jobs if str(job.number) == word[1:]]
    if not found:
        raise ValueError(f"no such job: {word}")
    yield from found[0].pids


async def kill(proc: Proc, argv: list[str]) -> int:
    """kill(1): SIGTERM, or the signal named, to processes and jobs."""
    words = argv[1:]
    if words == ["-l"]:
        proc.print(" ".join(SIGNALS))
        return 0
    signal: int | None = SIGTERM
    if words and words[0].startswith("-") and words[0] != "--":
        name = words.pop(0)[1:]
        if name == "s" and words:
            name = words.pop(0)
        signal = signal_number(name)
        if signal is None:
            proc.error(f"kill: unknown signal {name}; valid signals:\n{' '.join(SIGNALS)}\n")
            return 1
    if words[:1] == ["--"]:
        del words[0]
    if not words or signal is None:
        proc.error(KILL_USAGE)
        return 1
    running = tuple(job for job in proc.jobs() if job.status is None) if any("%" in word for word in words) else ()
    status = 0
    for word in words:
        try:
            pids = tuple(_targets(word, running))
        except ValueError as error:
            proc.error(f"kill: {error}\n")
            status = 1
            continue
        for pid in pids:
            try:
                proc.kill(pid, signal)
            except Errno as error:
                if error.number != ESRCH or not word.startswith("%"):
                    proc.error(f"kill: {pid}: {error}\n")
                    status = 1
    return status


async def ps(proc: Proc, argv: list[str]) -> int:
    """ps(1): all processes of the node. Options are taken and change nothing."""
    rows = proc.ps()
    width = max((len(row.tty) for row in rows), default=2)
    proc.print(f"  PID {'TT':{width}}  STAT WCHAN   COMMAND")
    for row in rows:
        proc.print(f"{row.pid:5} {row.tty:{width}}  {row.state:4} {row.wchan:7} {row.command}")
    return 0


async def jobs(proc: Proc, argv: list[str]) -> int:
    """jobs(1): the terminal's background pipelines; one that has ended is shown once."""
    rows = proc.jobs()
    for row in rows:
        mark = "+" if row is rows[-1] else "-" if row is rows[-2] else " "
        state = "Running" if row.status is None else f"Done({row.status})" if row.status else "Done"
        proc.print(f"[{row.number}] {mark} {state:<17} {row.text}")
    return 0


async def sleep(proc: Proc, argv: list[str]) -> int:
    """sleep(1): seconds with decimals; s, m, h or d may follow."""
    fit = re.fullmatch(r"([0-9]*)\.?([0-9]*)([smhd]?)", argv[1]) if len(argv) == 2 else None
    if fit is None or not (fit[1] or fit[2]):
        proc.error(SLEEP_USAGE)
        return 1
    digits = int(fit[1] + fit[2])
    await proc.sleep(digits * _UNITS[fit[3]] // 10 ** len(fit[2]))
    return 0


async def true(proc: Proc, argv: list[str]) -> int:
    """true(1)."""
    return 0


async def false(proc: Proc, argv: list[str]) -> int:
    """false(1)."""
    return 1
