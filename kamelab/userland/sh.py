"""sh: runs the pipelines of a text, one after the other.

``sh -c TEXT``, ``sh FILE``, or the commands that come on standard input. A pipeline's status is its last command's; the
shell's is the last pipeline's. Statuses: 2 syntax error or a file that can't be opened, 127 no such program, 128 + n
ended by signal n. The grammar is `kamelab.userland.shell_grammar`.
"""

from __future__ import annotations

from typing import NamedTuple

from kamelab.core.errors import EAGAIN, ENOENT, Errno
from kamelab.userland import programs
from kamelab.userland.proc import SIGINT, SIGKILL, SIGTERM, Proc, Signal, Stream
from kamelab.userland.shell_grammar import Command, Pipeline, ShellError, needs_more, parse

USAGE = "usage: sh [-c string | file]\n"
STATUS_SYNTAX = 2
STATUS_NOT_FOUND = 127

_FAREWELLS = {128 + SIGKILL: "Killed\n", 128 + SIGTERM: "Terminated\n"}


class _Streams(NamedTuple):
    """Where a command's redirections lead; ``failed`` where one can't be opened."""

    stdin: Stream | None
    stdout: Stream | None
    failed: bool


async def main(proc: Proc, argv: list[str]) -> int:
    """Run a text, a file, or standard input."""
    if len(argv) == 1:
        return await _interactive(proc)
    if argv[1] == "-c":
        if len(argv) < 3:
            proc.error("sh: -c requires an argument\n" + USAGE)
            return STATUS_SYNTAX
        return await _run(proc, argv[2])
    if argv[1].startswith("-"):
        proc.error(f"sh: illegal option {argv[1]}\n" + USAGE)
        return STATUS_SYNTAX
    try:
        text = proc.read_file(argv[1])
    except Errno as error:
        proc.error(f"sh: cannot open {argv[1]}: {error}\n")
        return STATUS_SYNTAX
    return await _run(proc, text)


async def _interactive(proc: Proc) -> int:
    """Commands from standard input, each run when it is complete."""
    status = 0
    text = ""
    while True:
        if proc.isatty(0):
            proc.write("> " if text else f"{proc.hostname()}# ")
        try:
            line = await proc.readline()
        except Signal as signal:
            if signal.number != SIGINT:
                raise
            text = ""
            proc.write("\n")
            continue
        text += line
        if line and needs_more(text):
            continue
        if text.strip():
            status = await _run(proc, text)
        if not line:
            return status
        text = ""


async def _run(proc: Proc, text: str) -> int:
    """Run a whole text; its status."""
    try:
        script = parse(text)
    except ShellError as error:
        proc.error(f"sh: {error.show()}")
        return STATUS_SYNTAX
    status = 0
    for pipeline in script:
        status = await _pipeline(proc, pipeline)
        if status == 128 + SIGINT:
            break
    return status


async def _pipeline(proc: Proc, pipeline: Pipeline) -> int:
    """Start a pipeline's programs, and wait for them unless it ends in ``&``."""
    pids: list[int] = []
    status = 0
    upstream: int | None = None
    last = len(pipeline.commands) - 1
    for place, command in enumerate(pipeline.commands):
        stdin: Stream | None = None if upstream is None else ("pipe", upstream)
        upstream = proc.pipe() if place < last else None
        stdout: Stream | None = None if upstream is None else ("pipe", upstream)
        started = _start(proc, command, stdin, stdout, pipeline.background)
        if started > 0:
            pids.append(started)
        status = max(-started, 0)
    if pipeline.background:
        if pids:
            proc.print(f"[{proc.job(tuple(pids), pipeline.text)}] {pids[-1]}")
        return status
    for pid in pids:
        ended = await _wait(proc, pid)
        if pid == pids[-1] and not status:
            status = ended
    if status in _FAREWELLS:
        proc.error(_FAREWELLS[status])
    return status


async def _wait(proc: Proc, pid: int) -> int:
    """A child's status. ^C is the child's to answer: the shell waits on and looks at how it ended."""
    while True:
        try:
            return await proc.waitpid(pid)
        except Signal as signal:
            if signal.number != SIGINT:
                raise


def _start(proc: Proc, command: Command, stdin: Stream | None, stdout: Stream | None, background: bool) -> int:
    """Start one command; its process id, or minus the status with which it failed, 0 for redirections alone."""
    streams = _redirect(proc, command, stdin, stdout)
    if streams.failed:
        return -STATUS_SYNTAX
    if not command.argv:
        return 0
    name = command.argv[0]
    if programs.resolve(name) is None:
        near = programs.nearest(name)
        proc.error(f"sh: {name}: not found" + (f" (did you mean {near}?)\n" if near else "\n"))
        return -STATUS_NOT_FOUND
    try:
        return proc.spawn(list(command.argv), streams.stdin, streams.stdout, background=background)
    except Errno as error:
        if error.number == EAGAIN:
            proc.error(f"sh: cannot fork: {error}\n")
        else:
            proc.error(f"sh: {name}: {error}\n")
        return -STATUS_SYNTAX


def _redirect(proc: Proc, command: Command, stdin: Stream | None, stdout: Stream | None) -> _Streams:
    """Open what the redirections name; of several for one stream the last one counts, but each is opened."""
    for redirect in command.redirects:
        try:
            if redirect.op == "<<":
                stdin = ("text", redirect.target)
            elif redirect.op == "<":
                stdin = ("text", proc.read_file(redirect.target))
            else:
                proc.write_file(redirect.target, "", append=redirect.op == ">>")
                stdout = ("file", redirect.target, True)
        except Errno as error:
            verb = "open" if redirect.op == "<" or error.number != ENOENT else "create"
            proc.error(f"sh: cannot {verb} {redirect.target}: {error}\n")
            return _Streams(None, None, True)
    return _Streams(stdin, stdout, False)
