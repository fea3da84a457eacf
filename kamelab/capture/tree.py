"""The decode tree: its fields, the cursor that makes them, ways to walk them, and the hex dump beside it.

A cursor reads a frame from front to back and appends a field for each thing it reads; running past the end of what a
header claims or the frame has is one exception, `wire.buffer.Truncated`, which `dissect` catches once. A group is
closed on the way out of such an exception too, so a tree always holds what could be read before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import NamedTuple

from kamelab.capture.fields import TREE_FIELDS, Kind
from kamelab.wire.buffer import Truncated
from kamelab.wire.ether import mac_text
from kamelab.wire.in6 import ntop

CHECKSUM_BAD = 0
CHECKSUM_GOOD = 1
CHECKSUM_UNVERIFIED = 2
"""Values of the `checksum.status` fields, as Wireshark's."""

_BYTES_SHOWN = 24


class Field(NamedTuple):
    """One line of the decode tree and the octets that it stands for."""

    name: str
    """Wireshark's name of the field (`icmpv6.type`), or empty for a line that only explains."""
    label: str
    """The text to show: `Hop limit: 64`."""
    value: int | bytes | str | bool
    """Numbers and flags as they are, addresses as 6 or 16 octets, an empty string for a heading."""
    offset: int
    """Where its octets begin in the frame."""
    length: int
    """How many octets it has, 0 for none of its own."""
    children: tuple[Field, ...] = ()


class Cursor:
    """A reading position in `frame`, not beyond `end`; what is read is appended to `out`."""

    __slots__ = ("depth", "end", "frame", "out", "pos", "whole")

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.pos = 0
        self.end = len(frame)
        self.out: list[Field] = []
        self.whole = True
        """False when the packet's end is missing, as in a fragment or a quotation: checksums can't be verified."""
        self.depth = 0
        """How many packets are around the one that is read."""

    def left(self) -> int:
        """Octets between the position and the end."""
        return self.end - self.pos

    def take(self, size: int, what: str) -> int:
        """Step over `size` octets and return where they began; Truncated if they aren't all there."""
        pos = self.pos
        if size > self.end - pos:
            raise Truncated(f"{what} needs {size} octets, {self.end - pos} are there", pos)
        self.pos = pos + size
        return pos

    def peek(self, at: int = 0) -> int:
        """The octet `at` octets ahead, not stepping over it; Truncated if it isn't there."""
        if self.pos + at >= self.end:
            raise Truncated(f"an octet is missing {at} octets further", self.pos)
        return self.frame[self.pos + at]

    def uint(self, name: str, names: Mapping[int, str] | None = None, note: str = "") -> int:
        """Read a number of the size that the table gives; `names` says what its values mean."""
        spec = TREE_FIELDS[name]
        pos = self.take(spec.size, spec.title)
        value = int.from_bytes(self.frame[pos : self.pos], "big")
        self.out.append(Field(name, number_label(name, value, names) + note, value, pos, spec.size))
        return value

    def part(self, name: str, value: int, offset: int, length: int, names: Mapping[int, str] | None = None) -> None:
        """Append a number made of some bits of octets that are read already."""
        self.out.append(Field(name, number_label(name, value, names), value, offset, length))

    def flag(self, name: str, value: bool, offset: int, length: int = 1) -> None:
        """Append a single bit of octets that are read already."""
        label = f"{TREE_FIELDS[name].title}: {'set' if value else 'not set'}"
        self.out.append(Field(name, label, value, offset, length))

    def address(self, name: str) -> bytes:
        """Read an IPv6 address."""
        title = TREE_FIELDS[name].title
        pos = self.take(16, title)
        value = self.frame[pos : pos + 16]
        self.out.append(Field(name, f"{title}: {ntop(value)}", value, pos, 16))
        return value

    def mac(self, name: str) -> bytes:
        """Read an Ethernet address."""
        title = TREE_FIELDS[name].title
        pos = self.take(6, title)
        value = self.frame[pos : pos + 6]
        self.out.append(Field(name, f"{title}: {mac_text(value)}", value, pos, 6))
        return value

    def octets(self, name: str, size: int) -> bytes:
        """Read `size` octets as they are."""
        title = TREE_FIELDS[name].title
        pos = self.take(size, title)
        value = self.frame[pos : pos + size]
        self.out.append(Field(name, f"{title}: {bytes_text(value)}", value, pos, size))
        return value

    def unnamed(self, label: str, size: int) -> None:
        """Step over octets that have no name in Wireshark."""
        pos = self.take(size, label)
        self.out.append(Field("", label, "", pos, size))

    def data(self, start: int, what: str = "") -> None:
        """Append what was read from `start` on as data that isn't looked into."""
        size = self.pos - start
        value = self.frame[start : self.pos]
        label = f"{what}, {size} octets" if what else f"Data ({size} octets)"
        children = (
            Field("data.data", f"Data: {bytes_text(value)}", value, start, size),
            Field("data.len", f"[Length: {size}]", size, start, 0),
        )
        self.out.append(Field("data", label, "", start, size, children))

    def explain(self, label: str, offset: int, length: int) -> None:
        """Append a line that says something of octets that are read already."""
        self.out.append(Field("", label, "", offset, length))

    def checksum(self, name: str, good: bool | None, problem: str = "") -> None:
        """Read a checksum and say whether it is good; None when that can't be known."""
        spec = TREE_FIELDS[name]
        if good is None:
            status, said = CHECKSUM_UNVERIFIED, "unverified"
        elif good:
            status, said = CHECKSUM_GOOD, "good"
        else:
            status, said = CHECKSUM_BAD, problem or "bad"
        pos = self.pos
        self.uint(name, note=f" [{said}]")
        self.out.append(
            Field(f"{name}.status", f"[{TREE_FIELDS[name + '.status'].title}: {said}]", status, pos, spec.size)
        )

    def group(self, name: str, label: str = "") -> Group:
        """Open a heading: fields read inside `with` become its children; `label` may be set until it closes."""
        return Group(self, name, label or TREE_FIELDS[name].title)


class Group:
    """An open heading of a cursor; `label` and `value` are taken when it closes."""

    __slots__ = ("cursor", "label", "length", "name", "outer", "start", "value")

    def __init__(self, cursor: Cursor, name: str, label: str) -> None:
        self.cursor = cursor
        self.name = name
        self.label = label
        self.value: int | bytes | str | bool = ""
        self.length: int | None = None
        """Octets to claim instead of what is read inside."""
        self.start = cursor.pos
        self.outer = cursor.out

    def __enter__(self) -> Group:
        self.cursor.out = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cursor = self.cursor
        if kind is not None and self.value == "" and TREE_FIELDS[self.name].kind is not Kind.PROTOCOL:
            # The octets of its value weren't there: no field.
            cursor.out = self.outer
            return
        length = cursor.pos - self.start if self.length is None else self.length
        self.outer.append(Field(self.name, self.label, self.value, self.start, length, tuple(cursor.out)))
        cursor.out = self.outer


def number_label(name: str, value: int, names: Mapping[int, str] | None = None) -> str:
    """The line of a number: title, the meaning of the value if it has one, and the value."""
    spec = TREE_FIELDS[name]
    shown = f"0x{value:0{2 * spec.size}x}" if spec.hexadecimal else str(value)
    if names is not None and value in names:
        shown = f"{names[value]} ({shown})"
    return f"{spec.title}: {shown}"


def bytes_text(value: bytes) -> str:
    """Octets in hexadecimal with colons, long ones cut."""
    if len(value) <= _BYTES_SHOWN:
        return value.hex(":")
    return f"{value[:_BYTES_SHOWN].hex(':')}... ({len(value)} octets)"


def walk(fields: tuple[Field, ...]) -> Iterator[Field]:
    """Every field of a tree, each before its children."""
    stack = list(reversed(fields))
    while stack:
        field = stack.pop()
        yield field
        stack.extend(reversed(field.children))


def values(fields: tuple[Field, ...]) -> dict[str, list[int | bytes | str | bool]]:
    """The values of a tree by field name, in the order of the frame; headings count with an empty string."""
    found: dict[str, list[int | bytes | str | bool]] = {}
    for field in walk(fields):
        if field.name:
            found.setdefault(field.name, []).append(field.value)
    return found


# -- hex dump --------------------------------------------------------------------------------------------------------

OCTETS_A_LINE = 16
_HEX_AT = 6
_ASCII_AT = _HEX_AT + 3 * OCTETS_A_LINE + 2


def hexdump(frame: bytes) -> list[str]:
    """Lines of a four-digit offset, 16 octets in two halves, and their ASCII characters (a dot for others)."""
    lines: list[str] = []
    for start in range(0, len(frame), OCTETS_A_LINE):
        row = frame[start : start + OCTETS_A_LINE]
        octets = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}"
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        lines.append(f"{start:04x}  {octets:<{_ASCII_AT - _HEX_AT - 2}}  {text}")
    return lines


def hexdump_columns(index: int) -> tuple[int, int]:
    """Columns of the first hex digit and of the character of octet `index` in its line of a frame up to 64 KiB."""
    column = index % OCTETS_A_LINE
    return _HEX_AT + 3 * column + (column >= 8), _ASCII_AT + column
