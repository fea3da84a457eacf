"""Router renumbering messages (RFC 2894 3) as small values.

KAME `icmp6.h`, `rtadvd/rrenum.c`. `parse` takes a *body*, what follows the 4 octets of type, code and checksum; `pack`
gives one. The flags of a use prefix stand where they do in a prefix option, L in 0x80 and A in 0x40 (3.2.2), not where
old KAME had them. Left out: what a message does (`userland.rtadvd_rr`), its authentication.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import WireError, need

COMMAND: Final = 0
RESULT: Final = 1
SEQNUM_RESET: Final = 255
"""Codes of ICMPv6 type 138."""

TEST: Final = 0x80
"""T: the command is only tried."""
REQRESULT: Final = 0x40
"""R: a result message is wanted."""
FORCEAPPLY: Final = 0x20
"""A: interfaces that are down are meant too."""
SPECSITE: Final = 0x10
"""S: only interfaces of the site are meant that the command came by."""
PREVDONE: Final = 0x08
"""P, in results: the segment was processed before."""

ADD: Final = 1
CHANGE: Final = 2
SETGLOBAL: Final = 3
OPCODES: Final = {ADD: "add", CHANGE: "change", SETGLOBAL: "setglobal"}

ONLINK: Final = 0x80
AUTONOMOUS: Final = 0x40
DECRVALID: Final = 0x80000000
DECRPREFD: Final = 0x40000000

BODY_LEN: Final = 12
MATCH_LEN: Final = 24
USE_LEN: Final = 32
REPORT_LEN: Final = 24

_HEAD = struct.Struct("!IBBHxxxx")
_MATCH = struct.Struct("!BBBBBBxx16s")
_USE = struct.Struct("!BBBBIII16s")
_REPORT = struct.Struct("!HBBI16s")


class UsePrefix(NamedTuple):
    """What a matched prefix becomes (RFC 2894 3.2.2); lengths in bits, lifetimes in seconds, 0xffffffff infinity."""

    uselen: int
    keeplen: int
    flagmask: int
    """Which of `raflags` count; the others are as in the matched prefix."""
    raflags: int
    valid: int
    preferred: int
    decrvalid: bool
    decrprefd: bool
    prefix: bytes

    def pack(self) -> bytes:
        """32 octets. Raises WireError for values that don't fit."""
        bits = (DECRVALID if self.decrvalid else 0) | (DECRPREFD if self.decrprefd else 0)
        try:
            return _USE.pack(
                self.uselen, self.keeplen, self.flagmask, self.raflags, self.valid, self.preferred, bits, self.prefix
            )
        except struct.error as error:
            raise WireError(f"use prefix: {error}") from None


class Operation(NamedTuple):
    """A prefix control operation (RFC 2894 3.2): a match, and what is to come of what matches."""

    opcode: int
    ordinal: int
    matchlen: int
    minlen: int
    maxlen: int
    prefix: bytes
    uses: tuple[UsePrefix, ...] = ()

    def pack(self) -> bytes:
        """24 octets and 32 for each use prefix. Raises WireError for values that don't fit."""
        try:
            head = _MATCH.pack(
                self.opcode,
                3 + 4 * len(self.uses),
                self.ordinal,
                self.matchlen,
                self.minlen,
                self.maxlen,
                self.prefix,
            )
        except struct.error as error:
            raise WireError(f"prefix control operation: {error}") from None
        return head + b"".join(use.pack() for use in self.uses)


class Command(NamedTuple):
    """A command (RFC 2894 3.1); ``maxdelay`` of a result in milliseconds."""

    seqnum: int
    segnum: int
    flags: int
    maxdelay: int
    operations: tuple[Operation, ...] = ()

    def pack(self) -> bytes:
        """The body. Raises WireError for values that don't fit."""
        return _head(self.seqnum, self.segnum, self.flags, self.maxdelay) + b"".join(
            one.pack() for one in self.operations
        )

    @classmethod
    def parse(cls, body: bytes) -> Command:
        """Read a body. Raises Truncated where it ends too soon, WireError for an operation of impossible length."""
        seqnum, segnum, flags, maxdelay = _parse_head(body)
        return cls(seqnum, segnum, flags, maxdelay, tuple(_operations(body)))


class Report(NamedTuple):
    """A match report of a result (RFC 2894 3.3)."""

    outofbounds: bool
    """B: some bits of the new prefix would have lain outside of 128."""
    forbidden: bool
    """F: the new prefix is one that may not be."""
    ordinal: int
    matchlen: int
    ifindex: int
    prefix: bytes

    def pack(self) -> bytes:
        """24 octets."""
        bits = (2 if self.outofbounds else 0) | (1 if self.forbidden else 0)
        try:
            return _REPORT.pack(bits, self.ordinal, self.matchlen, self.ifindex, self.prefix)
        except struct.error as error:
            raise WireError(f"match report: {error}") from None


class Result(NamedTuple):
    """A result (RFC 2894 3.3)."""

    seqnum: int
    segnum: int
    flags: int
    maxdelay: int
    reports: tuple[Report, ...] = ()

    def pack(self) -> bytes:
        """The body. Raises WireError for values that don't fit."""
        return _head(self.seqnum, self.segnum, self.flags, self.maxdelay) + b"".join(one.pack() for one in self.reports)

    @classmethod
    def parse(cls, body: bytes) -> Result:
        """Read a body; Truncated where it ends within a report."""
        seqnum, segnum, flags, maxdelay = _parse_head(body)
        reports = []
        for at in range(BODY_LEN, len(body), REPORT_LEN):
            need(body, REPORT_LEN, "match report", at)
            bits, ordinal, matchlen, ifindex, prefix = _REPORT.unpack_from(body, at)
            reports.append(Report(bool(bits & 2), bool(bits & 1), ordinal, matchlen, ifindex, prefix))
        return cls(seqnum, segnum, flags, maxdelay, tuple(reports))


def _head(seqnum: int, segnum: int, flags: int, maxdelay: int) -> bytes:
    try:
        return _HEAD.pack(seqnum, segnum, flags, maxdelay)
    except struct.error as error:
        raise WireError(f"router renumbering: {error}") from None


def _parse_head(body: bytes) -> tuple[int, int, int, int]:
    need(body, BODY_LEN, "router renumbering header")
    seqnum, segnum, flags, maxdelay = _HEAD.unpack_from(body)
    return seqnum, segnum, flags, maxdelay


def _operations(body: bytes) -> list[Operation]:
    out = []
    at = BODY_LEN
    while at < len(body):
        need(body, MATCH_LEN, "prefix control operation", at)
        opcode, units, ordinal, matchlen, minlen, maxlen, prefix = _MATCH.unpack_from(body, at)
        if units < 3 or units % 4 != 3:
            raise WireError(f"prefix control operation of {8 * units} octets: no match and whole use prefixes", at)
        need(body, 8 * units, "prefix control operation", at)
        uses = []
        for place in range(at + MATCH_LEN, at + 8 * units, USE_LEN):
            uselen, keeplen, mask, flags, valid, preferred, bits, use = _USE.unpack_from(body, place)
            uses.append(
                UsePrefix(
                    uselen, keeplen, mask, flags, valid, preferred, bool(bits & DECRVALID), bool(bits & DECRPREFD), use
                )
            )
        out.append(Operation(opcode, ordinal, matchlen, minlen, maxlen, prefix, tuple(uses)))
        at += 8 * units
    return out
