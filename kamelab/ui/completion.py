"""What can follow in a console line: commands, programs, their options and words, nodes, interfaces, addresses.

Options and what they mean are read from the manual pages, so that the two agree. Nothing here knows a screen.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from kamelab.capture.fields import FIELD_NAMES
from kamelab.lab.console import COMMANDS
from kamelab.lab.session import LINK_SETTINGS, Session
from kamelab.stack import tables
from kamelab.stack.sysctl import sysctl_names
from kamelab.userland import man, programs

_NODE = re.compile(r"\s*([a-z][a-z0-9-]*)\s*:\s*(?!:)")
_OPTION = re.compile(r" {5}((?:-[A-Za-z]|-[a-z]{2,})(?:, -[A-Za-z])*)((?: [a-zA-Z]\S*)?)(?: {2,}(\S.*))?\Z")
_WORD_END = re.compile(r"[^\s;|&<>]*\Z")

WORDS: dict[str, tuple[str, ...]] = {
    "route": ("add", "change", "delete", "get", "flush"),
    "ifconfig": ("inet6", "up", "down", "alias", "delete", "prefixlen", "anycast", "mtu"),
    "run": ("until",),
    "step": ("packet", "timer", "event"),
    "back": ("to",),
    "speed": ("0.1", "1", "10", "60", "max"),
}
"""Words that are no options, by command."""


class Candidate(NamedTuple):
    """One way to go on."""

    text: str
    """What stands in place of the word before the cursor."""
    note: str = ""
    """What it means, in a few words."""


class Completion(NamedTuple):
    """What may stand at the cursor."""

    start: int
    """Where the word before the cursor begins."""
    candidates: tuple[Candidate, ...]

    @property
    def common(self) -> str:
        """What all candidates begin with."""
        texts = [one.text for one in self.candidates]
        low, high = min(texts, default=""), max(texts, default="")
        same = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
        return low[:same]


@lru_cache(maxsize=64)
def options(program: str) -> tuple[Candidate, ...]:
    """Options of a program with the first words of what its manual page says of them."""
    found: dict[str, str] = {}
    for line in (man.page(program) or "").splitlines():
        match = _OPTION.match(line)
        if match is None:
            continue
        names, argument, note = match.groups()
        for name in names.split(", "):
            found.setdefault(name, f"{argument.strip()} {note or ''}".strip())
    return tuple(Candidate(name, note) for name, note in found.items())


def complete(session: Session, line: str) -> Completion:
    """What may stand in place of the last word of ``line``; no candidates where nothing is known."""
    match = _WORD_END.search(line)
    start = match.start() if match is not None else len(line)
    word = line[start:]
    found = _NODE.match(line)
    nodes = session.lab.nodes
    node = found.group(1) if found is not None and found.group(1) in nodes else session.selected
    rest = line[found.end() :] if found is not None else line
    # Only the last command of `a; b | c` counts.
    before = re.split(r"[;|&]", rest[: len(rest) - len(word)])[-1].split()
    if not before:
        candidates = [Candidate(name, _about(name)) for name in programs.names()]
        if found is None and ";" not in line and "|" not in line:
            commands = [Candidate(name, entry.summary) for name, entry in COMMANDS.items()]
            known = {one.text for one in commands}
            candidates = [*commands, *(one for one in candidates if one.text not in known)]
            candidates += [Candidate(f"{name}:", "run a program there") for name in (*nodes, "all")]
    elif found is None and before[0] in COMMANDS:
        candidates = _console(session, before, word)
    else:
        candidates = _program(session, node, before, word)
    chosen: dict[str, Candidate] = {}
    for one in candidates:
        if one.text.startswith(word) and one.text not in chosen:
            chosen[one.text] = one
    return Completion(start, tuple(chosen.values()))


def _about(program: str) -> str:
    text = man.page(program)
    return man.summary(text).partition(" - ")[2] if text is not None else ""


def _console(session: Session, before: list[str], word: str) -> list[Candidate]:
    """Arguments of a console command."""
    name, count = before[0], len(before)
    network = session.world.network
    if name in ("select", "reboot"):
        return [Candidate(node) for node in network.nodes] if count == 1 else []
    if name == "link":
        if count == 1:
            return [Candidate(link) for link in network.links]
        return [Candidate("up"), Candidate("down"), *(Candidate(f"{key}=") for key in LINK_SETTINGS)]
    if name == "why":
        node = before[1] if before[1:2] and before[1] in network.nodes else session.selected
        subjects = [Candidate("drop", "the last packet that was dropped"), Candidate("default", "the default route")]
        subjects += _addresses(session, node)
        return [*(Candidate(one, "as it sees it") for one in network.nodes), *subjects] if count == 1 else subjects
    if name == "man":
        return [Candidate(page, _about(page)) for page in man.names()]
    if name == "help":
        return [Candidate(one, entry.summary) for one, entry in COMMANDS.items()]
    if name in ("trace", "ladder") or (name == "run" and before[1:2] == ["until"]):
        fields = [Candidate(field) for field in FIELD_NAMES]
        return [Candidate("idle"), *fields] if name == "run" else fields
    return [Candidate(one) for one in WORDS.get(name, ())] if count == 1 else []


def _program(session: Session, node: str, before: list[str], word: str) -> list[Candidate]:
    """Arguments of a program on a node."""
    program = programs.resolve(before[0])
    if program is None:
        return []
    if word.startswith("-"):
        return list(options(program))
    if program == "man":
        return [Candidate(page, _about(page)) for page in man.names()]
    if program == "sysctl":
        return [Candidate(name) for name in sysctl_names()]
    candidates = [Candidate(one) for one in WORDS.get(program, ())]
    kernel = session.world.network.nodes[node]
    candidates += [Candidate(name, "interface") for name in kernel.interfaces]
    if program == "route":
        candidates.append(Candidate("default"))
    return candidates + _addresses(session, node)


def _addresses(session: Session, node: str) -> list[Candidate]:
    """Addresses that mean something on a node: others' first, then its own, then groups."""
    out: list[Candidate] = []
    network = session.world.network
    kernel = network.nodes[node]
    links = {iface.link.name: name for name, iface in kernel.interfaces.items() if not iface.loopback}
    order = [*(name for name in network.nodes if name != node), node]
    for name in order:
        other = network.nodes[name]
        for row in tables.addresses(other):
            address, _, zone = row.address.partition("%")
            if not zone:
                if address != "::1":
                    out.append(Candidate(address, f"{name} {row.interface}"))
                continue
            mine = links.get(other.interfaces[row.interface].link.name)
            if mine is not None:
                out.append(Candidate(f"{address}%{mine}", f"{name} {row.interface}"))
    for name in links.values():
        out += [Candidate(f"ff02::1%{name}", "all nodes"), Candidate(f"ff02::2%{name}", "all routers")]
    out.append(Candidate("::1", "itself"))
    return out
