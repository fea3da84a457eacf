"""Checked reading of octets: the two errors that every reader of the wire layer may raise.

A reader never lets IndexError or struct.error out. Unsafe to read (this module) is apart from illegal to accept
(the stack's business), as in smoltcp's wire layer.
"""

from __future__ import annotations


class WireError(ValueError):
    """Octets that can't be read as what they claim to be, or values that don't fit their field.

    `reason` is a short sentence; `offset` is where, in octets from the start of what was given to the reader.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason} (octet {self.offset})"


class Truncated(WireError):
    """A field or a claimed length reaches past the end of the data; `offset` is where it begins."""


def need(data: bytes, size: int, what: str, offset: int = 0) -> None:
    """Raise Truncated unless `size` octets are there from `offset` on."""
    if offset < 0 or len(data) - offset < size:
        have = max(0, len(data) - offset)
        raise Truncated(f"{what}: {have} of {size} octets", offset)
