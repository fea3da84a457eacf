"""The parts of a display filter as they are written, and the error that points into its text.

`filter_grammar` makes these from the text, `filter` makes a test from them.
"""

from __future__ import annotations

from typing import NamedTuple


class FilterError(ValueError):
    """A filter can't be understood.

    Attributes: `reason`, a sentence; `position`, the character of `text` (from 0) where it was noticed; `length`, the
    characters that it is about, at least 1; `suggestion`, what may have been meant, or empty.
    """

    def __init__(self, reason: str, text: str, position: int, length: int = 1, suggestion: str = "") -> None:
        meant = f"; did you mean {suggestion!r}?" if suggestion else ""
        super().__init__(f"filter, column {position + 1}: {reason}{meant}")
        self.reason = reason
        self.text = text
        self.position = position
        self.length = max(length, 1)
        self.suggestion = suggestion

    def pointer(self) -> str:
        """The filter's line and under it marks at what is wrong."""
        shown = "".join(" " if character.isspace() else character for character in self.text)
        return f"{shown}\n{' ' * self.position}{'^' * self.length}"


class Word(NamedTuple):
    """A name, operator or value and where it stands; `text` is without quotes and backslashes."""

    text: str
    position: int
    length: int
    quoted: bool


class Member(NamedTuple):
    """A value in braces, or a range when there is a last."""

    first: Word
    last: Word | None


class Presence(NamedTuple):
    """A bare name: the field is there."""

    field: Word


class Comparison(NamedTuple):
    """A field, an operator, a value or another field."""

    field: Word
    sign: Word
    value: Word


class Membership(NamedTuple):
    """A field that must have one of several values."""

    field: Word
    members: tuple[Member, ...]


class Negation(NamedTuple):
    """What must not hold."""

    part: Node


class Both(NamedTuple):
    """What must hold together."""

    parts: tuple[Node, ...]


class Either(NamedTuple):
    """What one of must hold."""

    parts: tuple[Node, ...]


Node = Presence | Comparison | Membership | Negation | Both | Either
