"""Multicast listener discovery: version 1 messages (RFC 2710 3), version 2 for reading only (RFC 9777 5, RFC 3810).

KAME `mld6.c` speaks version 1. A *body* is what follows the 4 octets of type, code and checksum. The router alert
around the messages is built by `exthdr.router_alert`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError, need

BODY_LEN: Final = 20
"""Octets of a version 1 body; a query with more is version 2 (RFC 3810 8.1)."""

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
