"""Multicast listener discovery: the messages of version 1 (RFC 2710 3) and version 2 (RFC 3810 5, RFC 9777 5).

KAME `mld6.c`, `mld6v2.c`. A *body* is what follows the 4 octets of type, code and checksum. The router alert around the
messages is built by `exthdr.router_alert`. Auxiliary data of version 2 records is passed over: no version defines any.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError, need

BODY_LEN: Final = 20
"""Octets of a version 1 body; a query with more is version 2 (RFC 3810 8.1)."""
QUERY_V2_LEN: Final = 24
"""Octets of a version 2 query's body without sources (RFC 3810 5.1)."""
REPORT_HEADER: Final = 4
"""Octets of a version 2 report's body before the first record (RFC 3810 5.2)."""
RECORD_HEADER: Final = 20
"""Octets of a record before its sources."""

IS_IN: Final = 1
IS_EX: Final = 2
TO_IN: Final = 3
TO_EX: Final = 4
ALLOW: Final = 5
BLOCK: Final = 6

RECORD_NAMES: Final = {
    1: "is_in",
    2: "is_ex",
    3: "to_in",
    4: "to_ex",
    5: "allow",
    6: "block",
}
"""Record types of a version 2 report, as tcpdump(1) writes them (RFC 3810 5.2.12)."""


class Mld(NamedTuple):
    """A query, report or done (RFC 2710 3); `max_delay` is in milliseconds, 0 except in queries."""

    max_delay: int
    group: bytes
    """16 octets; `::` in a general query."""

    @classmethod
    def parse(cls, body: bytes) -> Mld:
        """Read a body; Truncated below 20 octets. What follows (version 2, or padding) is passed over."""
        need(body, BODY_LEN, "MLD message")
        return cls((body[0] << 8) | body[1], body[4:20])

    def pack(self) -> bytes:
        """The 20 octets of the body. Raises WireError for values that don't fit."""
        if not 0 <= self.max_delay <= 0xFFFF or len(self.group) != 16:
            raise WireError("MLD: a delay of 16 bits and a group of 16 octets")
        return self.max_delay.to_bytes(2, "big") + b"\x00\x00" + self.group


def value_of(code: int, bits: int) -> int:
    """The number that a code of 16 (delay) or 8 (interval) bits stands for (RFC 3810 5.1.3, 5.1.9).

    Small ones stand for themselves; with the highest bit set, three bits are an exponent and the rest a mantissa.
    """
    mantissa_bits = bits - 4
    if code >> (bits - 1) == 0:
        return code
    mantissa = code & ((1 << mantissa_bits) - 1) | 1 << mantissa_bits
    return mantissa << ((code >> mantissa_bits & 7) + 3)


def code_of(value: int, bits: int) -> int:
    """The code for a number, rounded down to what can be said; the largest one for what is larger."""
    mantissa_bits = bits - 4
    if value < 1 << (bits - 1):
        return max(0, value)
    exponent = value.bit_length() - 1 - mantissa_bits - 3
    if exponent > 7:
        return (1 << bits) - 1
    mantissa = value >> (exponent + 3) & ((1 << mantissa_bits) - 1)
    return 1 << (bits - 1) | exponent << mantissa_bits | mantissa


class QueryV2(NamedTuple):
    """A version 2 query (RFC 3810 5.1); `max_delay` is in milliseconds, `interval` in seconds, both decoded."""

    max_delay: int
    group: bytes
    """16 octets; `::` in a general query."""
    suppress: bool
    """The S flag: other routers don't lower their timers."""
    robustness: int
    """0 to 7; 0: not said, or more than 7."""
    interval: int
    sources: tuple[bytes, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> QueryV2:
        """Read a body; Truncated below 24 octets, or where the sources run over the end."""
        need(body, QUERY_V2_LEN, "MLDv2 query")
        count = body[22] << 8 | body[23]
        need(body, QUERY_V2_LEN + 16 * count, "sources of an MLDv2 query")
        return cls(
            value_of(body[0] << 8 | body[1], 16),
            body[4:20],
            bool(body[20] & 8),
            body[20] & 7,
            value_of(body[21], 8),
            tuple(body[24 + 16 * i : 40 + 16 * i] for i in range(count)),
        )

    def pack(self) -> bytes:
        """The body. Raises WireError for values that don't fit."""
        if len(self.group) != 16 or not 0 <= self.robustness <= 7 or len(self.sources) > 0xFFFF:
            raise WireError("MLDv2 query: a group of 16 octets, a robustness of 3 bits, at most 65535 sources")
        out = code_of(self.max_delay, 16).to_bytes(2, "big") + b"\x00\x00" + self.group
        out += bytes((self.suppress << 3 | self.robustness, code_of(self.interval, 8)))
        return out + len(self.sources).to_bytes(2, "big") + b"".join(self.sources)


class Record(NamedTuple):
    """A multicast address record of a version 2 report (RFC 3810 5.2)."""

    type: int
    group: bytes
    sources: tuple[bytes, ...]


def parse_v2_report(body: bytes) -> tuple[Record, ...]:
    """The records of a version 2 report, type 143 (RFC 3810 5.2); Truncated if they run over the end."""
    need(body, 4, "MLDv2 report")
    count = (body[2] << 8) | body[3]
    records: list[Record] = []
    at = 4
    for _ in range(count):
        need(body, 20, "MLDv2 record", at)
        aux, sources = body[at + 1], (body[at + 2] << 8) | body[at + 3]
        after = at + 20 + 16 * sources + 4 * aux
        if after > len(body):
            raise Truncated(f"MLDv2 record: {len(body) - at} of {after - at} octets", at)
        first = at + 20
        found = tuple(body[first + 16 * i : first + 16 * i + 16] for i in range(sources))
        records.append(Record(body[at], body[at + 4 : at + 20], found))
        at = after
    return tuple(records)


def build_v2_report(records: tuple[Record, ...]) -> bytes:
    """The body of a version 2 report (RFC 3810 5.2). Raises WireError for more than 65535 records or sources."""
    if len(records) > 0xFFFF or any(len(one.sources) > 0xFFFF for one in records):
        raise WireError("MLDv2 report: at most 65535 records, each of at most 65535 sources")
    out = b"\x00\x00" + len(records).to_bytes(2, "big")
    for one in records:
        out += bytes((one.type, 0)) + len(one.sources).to_bytes(2, "big") + one.group + b"".join(one.sources)
    return out
