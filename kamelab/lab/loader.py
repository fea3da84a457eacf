"""Reads a lab file: TOML text in, a typed `Lab` or every problem with its line out.

Nothing is built or run. The syntax is `tomllib`'s business, the keys are `schema`'s; here are the rules that
neither can say: names that must exist, addresses that an interface may have, filters and regular expressions
that must compile. Left out: whether commands in `startup` and `solution` make sense, and what a sysctl or
counter is called: that shows when the lab runs (`kamelab lint`).
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from kamelab.lab import reading
from kamelab.lab.loader_checks import check
from kamelab.lab.reading import Converter, LabError, Mistake, Problem, Reader
from kamelab.lab.schema import (
    FORMAT,
    INTERFACE_PATTERN,
    LEVELS,
    LINK_KINDS,
    MAX_MTU,
    MIN_MTU,
    NODE_PATTERN,
    PLATFORMS,
    ROLES,
    Interface,
    Lab,
    Link,
    Node,
    Task,
)
from kamelab.lab.suggest import nearest
from kamelab.lab.toml_index import LineIndex, Path
from kamelab.lab.units import parse_duration, parse_probability, parse_rate

__all__ = ["LabError", "Loaded", "Problem", "load_lab", "read_lab"]

MAX_INTERFACES = 255
"""Interfaces that a node may have: their number is one octet of the default MAC."""


class Loaded(NamedTuple):
    """A reading of a lab file."""

    lab: Lab | None
    """None if there are errors."""
    problems: tuple[Problem, ...]
    """Errors and notes in the order of lines."""


def load_lab(text: str, name: str) -> Lab:
    """Read the text of a lab file; `name` stands for the file in messages.

    Raises LabError with all problems. Notes are passed over: `read_lab` gives them.
    """
    lab, problems = read_lab(text, name)
    if lab is None:
        raise LabError(problem for problem in problems if problem.severity == "error")
    return lab


def read_lab(text: str, name: str) -> Loaded:
    """Read the text of a lab file and report everything that is wrong or odd in it; raises nothing."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        tree = tomllib.loads(text)
        index = LineIndex(text)
    except tomllib.TOMLDecodeError as error:
        return Loaded(None, (_syntax(error, text, name),))
    except RecursionError:
        return Loaded(None, (Problem(name, 1, "syntax", "arrays or tables are nested too deeply"),))
    links, nodes = (table if isinstance(table, dict) else {} for table in (tree.get("links"), tree.get("nodes")))
    reader = Reader(name, index, links=links, nodes=nodes)
    lab: Lab | None = None
    if _format_is_ours(reader, tree):
        values = reader.table((), tree, Lab, _LAB)
        _look_across(reader, values)
        if not any(problem.severity == "error" for problem in reader.problems):
            _give_macs(values)
            _note_equal_macs(reader, values)
            lab = msgspec.convert(values, Lab)
    return Loaded(lab, tuple(sorted(reader.problems, key=lambda problem: problem.line)))


_WHERE = re.compile(r"^(.*?),? \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


def _syntax(error: tomllib.TOMLDecodeError, text: str, name: str) -> Problem:
    found = _WHERE.match(str(error))
    message, line, column = found.groups() if found else (str(error), None, None)
    place = f" at column {column}" if column is not None else " at the end of the file"
    last = max(1, len(text.splitlines()))
    said = message[:1].lower() + message[1:] if message[1:2].islower() else message
    return Problem(name, int(line) if line else last, "syntax", f"expected TOML: {said}{place}")


def _format_is_ours(reader: Reader, tree: Mapping[str, Any]) -> bool:
    """Whether the rest can be read; a file of another format would only give false problems."""
    number = tree.get("format", FORMAT)
    if number == FORMAT and not isinstance(number, bool | float):
        return True
    newer = isinstance(number, int) and number > FORMAT
    advice = "; the file needs a newer kamelab" if newer else ""
    reader.note(
        ("format",), f"expected {FORMAT}, the lab format of this version, not {reading.describe(number)}{advice}"
    )
    return False


def _epoch(reader: Reader, path: Path, value: Any) -> int:
    """A date and time with its zone, as nanoseconds since 1970."""
    expected = 'expected a date and time with its zone such as "2000-02-14T10:00:00Z"'
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise Mistake(f"{expected}, not {value!r}") from None
    if not isinstance(value, datetime.datetime) or value.tzinfo is None:
        raise Mistake(f"{expected}, not {reading.describe(value)}")
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    if since < datetime.timedelta():
        raise Mistake(f"{expected}, 1970 or later, not {value}")
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _probability(reader: Reader, path: Path, value: Any) -> float:
    if not isinstance(value, str | int | float):
        raise Mistake(f"expected a probability such as 10% or 0.1, not {reading.describe(value)}")
    return parse_probability(value)


def _at(reader: Reader, path: Path, value: Any) -> list[int]:
    good = isinstance(value, list) and len(value) == 2
    if not good or not all(isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= 99 for part in value):
        raise Mistake(f"expected [column, row], two whole numbers from 0 to 99, not {reading.describe(value)}")
    return list(value)


def _file_name(reader: Reader, path: Path, value: Any) -> str:
    if not value.startswith("/") or value.endswith("/") or ".." in value.split("/"):
        raise Mistake(f'expected the absolute path of a file such as "/etc/rtadvd.conf", not {value!r}')
    return str(value)


_PREFIXED = re.compile(r"\s*([a-z][a-z0-9-]*):(?:\s|$)")


def _startup_line(reader: Reader, path: Path, value: Any) -> str:
    line = reading.filled(reader, path, value)
    found = _PREFIXED.match(line)
    if found and (found[1] in reader.nodes or found[1] == "all"):
        raise Mistake(
            f"expected a program line of this node, without {found[0].strip()!r}", line[found.end() :].strip()
        )
    return line


def _solution(reader: Reader, path: Path, value: Any) -> list[str]:
    lines: list[str] = reading.array(reading.filled)(reader, path, value)
    for number, line in enumerate(lines):
        found = _PREFIXED.match(line)
        if found and found[1] not in reader.nodes and found[1] != "all":
            reader.note(
                (*path, number),
                f"expected NODE: with a node of this lab, not {found[1]!r}",
                nearest(found[1], reader.nodes),
            )
        if "<<" in line:
            break  # What follows may be the text of a here-document.
    return lines


def _table(struct: type[msgspec.Struct], converters: Mapping[str, Converter]) -> Converter:
    def convert(reader: Reader, path: Path, value: Any) -> dict[str, Any]:
        return reader.table(path, value, struct, converters)

    return convert


def _named(name: Converter, item: Converter) -> Converter:
    def convert(reader: Reader, path: Path, value: Any) -> dict[str, Any]:
        return reader.named(path, value, name, item)

    return convert


_mtu = reading.integer(MIN_MTU, MAX_MTU)
_duration = reading.quantity(parse_duration, "a duration such as 50us or 1.5s")


def _fault(reader: Reader, path: Path, value: Any) -> str:
    text = reading.filled(reader, path, value)
    if text == "loops":
        return text
    head, colon, rest = text.partition(":")
    if head != "late" or not colon:
        raise Mistake("expected a fault of a driver: loops, or late:3s", nearest(head, ("loops", "late")))
    try:
        parse_duration(rest.strip())
    except ValueError as error:
        raise Mistake(str(error)) from None
    return text


_INTERFACE: dict[str, Converter] = {
    "link": reading.link_name,
    "mac": reading.mac,
    "addresses": reading.array(reading.interface_address),
    "mtu": _mtu,
    "up": reading.boolean,
    "faults": reading.array(_fault),
    "simplex": reading.boolean,
    "multicast": reading.boolean,
    "mac_late": reading.boolean,
    "description": reading.text,
}
_LINK: dict[str, Converter] = {
    "kind": reading.choice("a kind of link", LINK_KINDS),
    "switch": reading.boolean,
    "latency": _duration,
    "bandwidth": reading.quantity(parse_rate, "a rate such as 10Mbps"),
    "loss": _probability,
    "queue": reading.integer(1),
    "jitter": _duration,
    "duplicate": _probability,
    "reorder": _probability,
    "corrupt": _probability,
    "mtu": _mtu,
    "up": reading.boolean,
}
_NODE: dict[str, Converter] = {
    "role": reading.choice("a role", ROLES),
    "platform": reading.choice("a platform", PLATFORMS),
    "startup": reading.array(_startup_line),
    "at": _at,
    "interfaces": _named(
        reading.name("an interface name", INTERFACE_PATTERN, reserved=("lo0",)), _table(Interface, _INTERFACE)
    ),
    "files": _named(_file_name, reading.text),
    "sysctl": _named(reading.filled, reading.integer_or_text),
}
_TASK: dict[str, Converter] = {
    "title": reading.filled,
    "text": reading.text,
    "hints": reading.array(reading.filled),
    "solution": _solution,
    "checks": reading.array(check),
}
_LAB: dict[str, Converter] = {
    "format": reading.integer(FORMAT, FORMAT),
    "title": reading.filled,
    "summary": reading.text,
    "level": reading.choice("a level", LEVELS),
    "minutes": reading.integer(0),
    "references": reading.array(reading.filled),
    "seed": reading.integer(0),
    "epoch": _epoch,
    "links": _named(reading.name("a link name", NODE_PATTERN), _table(Link, _LINK)),
    "nodes": _named(reading.name("a node name", NODE_PATTERN, reserved=("all",)), _table(Node, _NODE)),
    "tasks": reading.array(_table(Task, _TASK)),
}


def _look_across(reader: Reader, values: Mapping[str, Any]) -> None:
    """The rules that concern more than one table."""
    nodes = values.get("nodes")
    if nodes is None:
        return
    if not nodes and not any(problem.key.startswith("nodes") for problem in reader.problems):
        reader.note(("nodes",), "expected one node at least")
    for name, link in values.get("links", {}).items():
        if link.get("switch") and link.get("kind") == "ppp":
            reader.note(("links", name, "switch"), "expected an ethernet link: a ppp line has two ends and no switch")
    ends: dict[str, int] = {}
    owners: dict[str, tuple[str, str]] = {}
    for node_name, node in nodes.items():
        if len(node.get("interfaces", {})) > MAX_INTERFACES:
            reader.note(("nodes", node_name, "interfaces"), f"expected {MAX_INTERFACES} interfaces at most")
        for name, interface in node.get("interfaces", {}).items():
            link = interface.get("link")
            path = ("nodes", node_name, "interfaces", name)
            ends[link] = ends.get(link, 0) + 1
            kind = values.get("links", {}).get(link, {}).get("kind", "ethernet")
            if kind == "ppp" and ends[link] == 3:
                reader.note((*path, "link"), f"expected two interfaces at most on {link!r}: it is a ppp link")
            for number, address in enumerate(interface.get("addresses", ())):
                plain = address.split("/")[0]
                if plain.startswith("fe80:"):
                    continue  # Link-local addresses need be unique on their link only.
                other = owners.setdefault(plain, (node_name, name))
                if other[0] != node_name:
                    where = f"{plain} is also an address of {other[0]} {other[1]}"
                    reader.note((*path, "addresses", number), where, severity="note")


def _give_macs(values: Mapping[str, Any]) -> None:
    """Fill in the default MACs: 02:00:00:00:NN:II, node and interface numbers from 1 in file order, in hexadecimal."""
    for number, node in enumerate(values["nodes"].values(), 1):
        for position, interface in enumerate(node.get("interfaces", {}).values(), 1):
            interface.setdefault("mac", f"02:00:00:{number >> 8:02x}:{number & 0xFF:02x}:{position:02x}")


def _note_equal_macs(reader: Reader, values: Mapping[str, Any]) -> None:
    """Equal MACs on one link are legal, and the subject of some labs, but seldom meant."""
    seen: dict[tuple[str, str], str] = {}
    for node_name, node in values["nodes"].items():
        for name, interface in node.get("interfaces", {}).items():
            place = f"{node_name} {name}"
            other = seen.setdefault((interface["link"], interface["mac"]), place)
            if other != place:
                path = ("nodes", node_name, "interfaces", name, "mac")
                reader.note(path, f"{interface['mac']} is also the MAC of {other} on the same link", severity="note")
