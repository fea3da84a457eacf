"""Console lines: which are programs on nodes, which are kamelab's own commands, and how each is run.

``NODE: COMMAND`` runs a program, ``all: COMMAND`` runs it everywhere; without ``NODE:`` a console command wins over a
program of the same name, else the line goes to the selected node. `submit` starts a line and leaves running to the
caller; `execute` runs it to its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import wrap
from typing import NamedTuple

from kamelab.core.errors import KamelabError
from kamelab.lab import console_files, console_ladder, console_show, console_tasks, console_time, console_why
from kamelab.lab.script import without_comment
from kamelab.lab.session import STATUS_TIMEOUT, Command, Session
from kamelab.lab.suggest import did_you_mean
from kamelab.userland import programs

_NODE = re.compile(r"\s*([a-z][a-z0-9-]*)\s*:\s*(?!:)(.*)\Z", re.DOTALL)

_WIDTH = 100
"""Columns that ``help`` may take."""
_USAGE = 30
"""Columns of its usages."""
_BELOW = " " * (_USAGE + 4)

UNBUILT = ("break", "diff", "send", "transcript")
"""Console commands of the design that a later version brings."""


class ConsoleCommand(NamedTuple):
    """One of kamelab's own commands. ``run`` gets the session and the words behind the name; it returns the status."""

    usage: str
    summary: str
    run: Callable[[Session, list[str]], int]


class Outcome(NamedTuple):
    """What became of a submitted line."""

    status: int | None
    """Exit status; None while a program runs or time has to pass (see ``Session.goal``)."""
    command: Command | None = None
    """The program command, where the line was one."""
    action: str = ""
    """For the front end: quit, pause, or ``speed X``."""


def _table() -> dict[str, ConsoleCommand]:
    out: dict[str, ConsoleCommand] = {}
    for commands in (
        console_time.COMMANDS,
        console_show.COMMANDS,
        console_ladder.COMMANDS,
        console_why.COMMANDS,
        console_tasks.COMMANDS,
        console_files.COMMANDS,
    ):
        for name, (usage, summary, run) in commands.items():
            out[name] = ConsoleCommand(usage, summary, run)
    out["help"] = ConsoleCommand("help [COMMAND]", "what can be typed here", _help)
    out["quit"] = ConsoleCommand("quit", "leave the lab", lambda session, words: 0)
    return out


def names() -> tuple[str, ...]:
    """Every console command, for completion."""
    return tuple(COMMANDS)


def split(session: Session, line: str) -> tuple[tuple[str, ...], str, str]:
    """A line as (nodes, program line, console command): nodes are empty for a console command or an empty line.

    Raises KamelabError for an unknown node.
    """
    match = _NODE.match(line)
    if match:
        name, rest = match.groups()
        if name == "all":
            return tuple(session.lab.nodes), rest, ""
        if name not in session.lab.nodes:
            raise KamelabError(f"no node is called {name!r}{did_you_mean(name, [*session.lab.nodes, 'all'])}")
        return (name,), rest, ""
    text = line.strip()
    if not text or text.startswith("#"):
        return (), "", ""
    first = text.split(None, 1)[0]
    if first in COMMANDS or first in UNBUILT:
        return (), "", without_comment(text)
    if "\n" not in text and programs.resolve(first) is None:
        # Neither: the shell will say so too, but does not know the console's commands.
        near = did_you_mean(first, [*COMMANDS, *programs.names()])
        raise KamelabError(f"{first}: no such console command or program{near}")
    return (session.selected,), line, ""


def prompt(session: Session, line: str) -> str:
    """How the echo of a line names its addressee: ``h1#`` or ``kamelab#``, followed by the line without ``NODE:``."""
    try:
        nodes, program, console = split(session, line)
    except KamelabError:
        return f"kamelab# {line.strip()}"
    if console or not nodes:
        return f"kamelab# {line.strip()}"
    who = "all" if len(nodes) > 1 else nodes[0]
    return f"{who}# {program.strip()}"


def submit(session: Session, line: str) -> Outcome:
    """Start a line. Messages about a line that can't be run are said as the session's output; status 2 then."""
    try:
        nodes, program, console = split(session, line)
    except KamelabError as error:
        session.say("message", f"kamelab: {error}\n")
        return Outcome(2)
    if nodes:
        if not program.strip():
            return Outcome(0)
        if program.strip() == "^C":
            if session.interrupt():
                return Outcome(0)
            session.say("message", "kamelab: nothing runs in the foreground\n")
            return Outcome(1)
        try:
            command = session.start(nodes, program)
        except KamelabError as error:
            session.say("message", f"kamelab: {error}\n")
            return Outcome(2)
        return Outcome(command.status, command)
    if not console:
        return Outcome(0)
    words = console.split()
    name = words[0]
    if name in UNBUILT:
        session.say("message", f"{name}: not built yet\n")
        return Outcome(2)
    entry = COMMANDS[name]
    try:
        status = entry.run(session, words[1:])
    except KamelabError as error:
        session.say("message", f"{name}: {error}\nusage: {entry.usage}\n")
        return Outcome(2)
    action = ""
    if name in ("quit", "pause"):
        action = name
    elif name == "speed":
        action = " ".join(words)
    return Outcome(None if session.goal is not None else status, None, action)


def execute(session: Session, line: str) -> int:
    """Run one line to its end at full speed; its status."""
    outcome = submit(session, line)
    if outcome.status is not None:
        return outcome.status
    session.finish()
    if outcome.command is not None:
        status = outcome.command.status
        # None: the cap on events at one instant stopped time, and the program did not heed its ^C.
        return STATUS_TIMEOUT if status is None else status
    return 0


def _help(session: Session, words: list[str]) -> int:
    if words:
        name = words[0]
        if name in COMMANDS:
            entry = COMMANDS[name]
            session.say("text", f"{entry.usage}\n    {entry.summary}\n")
            return 0
        if programs.resolve(name) is not None:
            session.say("text", f"{name} is a program of the nodes: 'man {name}' shows its page\n")
            return 0
        raise KamelabError(f"nothing is known about {name!r}{did_you_mean(name, [*COMMANDS, *programs.names()])}")
    lines = ["Console commands:"]
    for entry in COMMANDS.values():
        # A long usage has a line of its own, with the summary below it in its column.
        lines += [f"  {entry.usage}"] * (len(entry.usage) > _USAGE)
        usage = entry.usage if len(entry.usage) <= _USAGE else ""
        lines += wrap(entry.summary, _WIDTH, initial_indent=f"  {usage:<{_USAGE}}  ", subsequent_indent=_BELOW)
    lines.append("")
    lines.append("Programs, on a node with 'NODE: PROGRAM ...', on all with 'all: ...', else on the selected node:")
    row = " "
    for name in programs.names():
        if len(row) + len(name) > 76:
            lines.append(row)
            row = " "
        row += f" {name}"
    lines.append(row)
    session.say("text", "\n".join(lines) + "\n")
    return 0


COMMANDS: dict[str, ConsoleCommand] = _table()
"""Every console command by name."""
