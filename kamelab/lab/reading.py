"""Reading an untyped tree with all its problems: what `loader` is made of.

A *converter* takes the reader, a path and a value and gives the value as the schema wants it, or raises
`Mistake`. A bad value spoils only itself: the reader notes the problem and goes on, so that one reading finds
every problem of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from kamelab.lab.schema import keys
from kamelab.lab.suggest import nearest
from kamelab.lab.toml_index import LineIndex, Path, format_path
from kamelab.wire import ether, in6

Severity = Literal["error", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a lab file."""

    file: str
    line: int
    """Counted from 1."""
    key: str
    """Key path, `nodes.h1.role`; positions in arrays count from 1. `syntax` where the text is no TOML."""
    message: str
    """What was expected."""
    suggestion: str | None = None
    """The known word nearest to what stands there."""
    severity: Severity = "error"
    """A "note" doesn't keep a lab from loading."""

    def __str__(self) -> str:
        """`file:line: key: what was expected (did you mean 'X'?)`."""
        hint = f" (did you mean {self.suggestion!r}?)" if self.suggestion is not None else ""
        return f"{self.file}:{self.line}: {self.key}: {self.message}{hint}"


class LabError(ValueError):
    """A lab file can't be used; `problems` says all that is wrong, in the order of lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """At least one problem."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Mistake(ValueError):
    """What a converter raises: the value at its path is not what was expected."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        """`message` starts with `expected` or names the trouble; no path, no full stop."""
        super().__init__(message)
        self.suggestion = suggestion


class Spoilt(Exception):
    """Raised by a converter that has noted the problems of its value itself."""


Converter: TypeAlias = "Callable[[Reader, Path, Any], Any]"


class Reader:
    """Collects problems while a tree is read, and knows the names that values may refer to."""

    def __init__(self, file: str, index: LineIndex, *, links: Mapping[str, Any], nodes: Mapping[str, Any]) -> None:
        """`links` and `nodes` are the untyped tables of the file: only their keys count."""
        self.file = file
        self.index = index
        self.links = links
        self.nodes = nodes
        self.problems: list[Problem] = []

    def note(self, path: Path, message: str, suggestion: str | None = None, severity: Severity = "error") -> None:
        """Add a problem at the line of `path`."""
        line = self.index.line_of(path)
        self.problems.append(Problem(self.file, line, format_path(path), message, suggestion, severity))

    def read(self, path: Path, value: Any, converter: Converter) -> Any:
        """The converted value; a mistake is noted, and Spoilt raised."""
        try:
            return converter(self, path, value)
        except Mistake as mistake:
            self.note(path, str(mistake), mistake.suggestion)
            raise Spoilt from None
        except ValueError as error:
            self.note(path, str(error))
            raise Spoilt from None

    def table(
        self, path: Path, value: Any, struct: type[Struct], converters: Mapping[str, Converter]
    ) -> dict[str, Any]:
        """A table with the keys of `struct`: its readable part, problems noted.

        Raises Mistake if it is no table.
        """
        if not isinstance(value, dict):
            raise Mistake(f"expected a table, not {describe(value)}")
        known = keys(struct)
        read: dict[str, Any] = {}
        for key, item in value.items():
            if key not in known:
                words = ", ".join(sorted(known))
                self.note((*path, key), f"unknown key, expected one of {words}", nearest(key, known))
                continue
            try:
                read[key] = self.read((*path, key), item, converters[key])
            except Spoilt:
                continue
        for key, required in known.items():
            if required and key not in value:
                # A misspelt key is one mistake, not two.
                misspelt = any(word not in known and nearest(word, known) == key for word in value)
                if not misspelt:
                    self.note((*path, key), "missing: this key is required")
        return read

    def named(self, path: Path, value: Any, name: Converter, item: Converter) -> dict[str, Any]:
        """A table with names of the author's own choice as keys."""
        if not isinstance(value, dict):
            raise Mistake(f"expected a table, not {describe(value)}")
        read: dict[str, Any] = {}
        for key, entry in value.items():
            try:
                self.read((*path, key), key, name)
            except Spoilt:
                continue
            try:
                read[key] = self.read((*path, key), entry, item)
            except Spoilt:
                continue
        return read


def describe(value: Any) -> str:
    """A TOML value for an error message: its kind, and itself if it is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else repr(value[:37] + "...")
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    return f"{value}"


def text(reader: Reader, path: Path, value: Any) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise Mistake(f"expected text in quotes, not {describe(value)}")
    return value


def filled(reader: Reader, path: Path, value: Any) -> str:
    """A text that is not blank."""
    if not text(reader, path, value).strip():
        raise Mistake("expected text that is not empty")
    return str(value)


def boolean(reader: Reader, path: Path, value: Any) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise Mistake(f"expected true or false, not {describe(value)}")
    return value


def integer(least: int | None = None, most: int | None = None) -> Converter:
    """A whole number from `least` to `most`, both included."""
    if least is None:
        expected = "expected a whole number"
    elif most is None:
        expected = f"expected a whole number, {least} or more"
    else:
        expected = f"expected a whole number from {least} to {most}"

    def convert(reader: Reader, path: Path, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Mistake(f"{expected}, not {describe(value)}")
        if (least is not None and value < least) or (most is not None and value > most):
            raise Mistake(f"{expected}, not {value}")
        return value

    return convert


def integer_or_text(reader: Reader, path: Path, value: Any) -> int | str:
    """A number or a text, as a sysctl has."""
    if isinstance(value, dict):
        raise Mistake('expected a number or text; a name with dots needs quotes: "net.inet6.ip6.dad_count"')
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise Mistake(f"expected a number or text, not {describe(value)}")
    return value


def choice(what: str, words: Collection[str]) -> Converter:
    """One of some words."""

    def convert(reader: Reader, path: Path, value: Any) -> str:
        if value not in words or not isinstance(value, str):
            suggestion = nearest(value, words) if isinstance(value, str) else None
            raise Mistake(f"expected {what}, one of {', '.join(words)}, not {describe(value)}", suggestion)
        return value

    return convert


def array(item: Converter) -> Converter:
    """An array, each element read on its own."""

    def convert(reader: Reader, path: Path, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Mistake(f"expected an array in [ ], not {describe(value)}")
        read = []
        for number, entry in enumerate(value):
            try:
                read.append(reader.read((*path, number), entry, item))
            except Spoilt:
                continue
        return read

    return convert


def quantity(parse: Callable[[str], Any], expected: str) -> Converter:
    """A text that `parse` reads, one of `units`."""

    def convert(reader: Reader, path: Path, value: Any) -> Any:
        if not isinstance(value, str):
            raise Mistake(f"expected {expected}, in quotes and with its unit, not {describe(value)}")
        return parse(value)

    return convert


def name(what: str, pattern: str, *, reserved: Collection[str] = ()) -> Converter:
    """A name that fits a pattern and is not reserved."""
    shape = re.compile(pattern)
    said = pattern.strip("^$")

    def convert(reader: Reader, path: Path, value: Any) -> str:
        if not isinstance(value, str) or shape.fullmatch(value) is None:
            raise Mistake(f"expected {what} of the form {said}, not {describe(value)}")
        if value in reserved:
            raise Mistake(f"{value!r} is reserved and can't be {what}")
        return value

    return convert


def node_name(reader: Reader, path: Path, value: Any) -> str:
    """The name of a node of this lab."""
    return _known("node", reader.nodes, value)


def link_name(reader: Reader, path: Path, value: Any) -> str:
    """The name of a link of this lab."""
    return _known("link", reader.links, value)


def _known(what: str, names: Mapping[str, Any], value: Any) -> str:
    if not isinstance(value, str):
        raise Mistake(f"expected the name of a {what}, not {describe(value)}")
    if value not in names:
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise Mistake(f"expected a {what} of this lab ({there}), not {value!r}", nearest(value, names))
    return value


def mac(reader: Reader, path: Path, value: Any) -> str:
    """A unicast MAC address, in canonical text."""
    example = "02:00:00:00:00:01"
    try:
        octets = ether.mac_pton(text(reader, path, value))
    except Mistake:
        raise
    except ValueError:
        raise Mistake(f"expected a MAC address such as {example}, not {describe(value)}") from None
    if octets[0] & 1 or not any(octets):
        raise Mistake(f"expected a unicast MAC address such as {example}, not {value!r}")
    return ether.mac_text(octets)


def _octets(value: str, expected: str, whole: str) -> bytes:
    """The 16 octets of an address that may stand in a lab file; `whole` is the text that it is part of."""
    try:
        octets = in6.pton(value)
    except ValueError:
        raise Mistake(f"expected {expected}, not {whole!r}") from None
    narrow = in6.is_linklocal(octets) or (in6.is_multicast(octets) and octets[1] & 0xF in (1, 2))
    if narrow and octets[2:4] != b"\0\0":
        raise Mistake(f"{value!r} has a zone index inside: write {_outside(octets)} and the zone as %INTERFACE")
    return octets


def _outside(octets: bytes) -> str:
    return in6.ntop(octets[:2] + b"\0\0" + octets[4:])


_ZONE = re.compile(r"[a-z]+[0-9]+", re.ASCII)


def address(reader: Reader, path: Path, value: Any) -> str:
    """An IPv6 address, perhaps with `%interface`, in canonical text."""
    expected = "an IPv6 address such as 2001:db8:1::1 or fe80::1%ne0"
    plain, percent, zone = text(reader, path, value).partition("%")
    octets = _octets(plain, expected, value)
    if percent and _ZONE.fullmatch(zone) is None:
        raise Mistake(f"expected {expected}, not {value!r}")
    return in6.ntop(octets) + percent + zone


def _split_prefix(value: str, expected: str) -> tuple[bytes, int]:
    plain, slash, length = value.partition("/")
    octets = _octets(plain, expected, value)
    if not slash:
        raise Mistake(f"expected {expected}: {value!r} lacks its prefix length", f"{value}/64")
    if not (length.isascii() and length.isdigit() and len(length) <= 3 and int(length) <= 128):
        raise Mistake(f"expected a prefix length from 0 to 128, not {length!r} in {value!r}")
    return octets, int(length)


def prefix(reader: Reader, path: Path, value: Any) -> str:
    """A prefix, in canonical text; bits beyond its length must be 0."""
    octets, plen = _split_prefix(text(reader, path, value), "a prefix such as 2001:db8:1::/64")
    if in6.mask(octets, plen) != octets:
        right = f"{in6.ntop(in6.mask(octets, plen))}/{plen}"
        raise Mistake(f"expected a prefix such as 2001:db8:1::/64: {value!r} has bits beyond its length", right)
    return f"{in6.ntop(octets)}/{plen}"


def interface_address(reader: Reader, path: Path, value: Any) -> str:
    """An address that an interface may be given, with its prefix length, in canonical text."""
    octets, plen = _split_prefix(text(reader, path, value), "an address with prefix length such as 2001:db8:1::1/64")
    for refused, what in (
        (in6.is_multicast, "a multicast address"),
        (in6.is_unspecified, "the unspecified address"),
        (in6.is_loopback, "the loopback address"),
        (in6.is_v4mapped, "an IPv4-mapped address"),
    ):
        if refused(octets):
            raise Mistake(f"expected a unicast address: {value!r} is {what}, which no interface may have")
    return f"{in6.ntop(octets)}/{plen}"
