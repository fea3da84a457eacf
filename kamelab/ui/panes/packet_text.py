"""What lists and trees say of a packet: times, how it ended, and which colours it has."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from kamelab.capture.packets import lost
from kamelab.core.trace import TERMINAL, Record, Trace
from kamelab.wire import exthdr, in6
from kamelab.wire.buffer import WireError
from kamelab.wire.summary import info, protocol

HOLDS_LOOK = 2000
"""Records behind a hold among which its end is looked for."""
PAYLOAD = 54
"""Octets of an Ethernet and an IPv6 header."""
ROW = tuple[Any, ...]

OUTCOMES = {"deliver": "+", "forward": ">", "hold": "=", "drop": "x"}
"""Glyphs of how a packet ended at the node that took it in."""
_WORDS = {"deliver": "delivered", "forward": "forwarded", "hold": "held"}


def seconds(time: int) -> str:
    """Time since boot in seconds and microseconds: ``4.118205``; minutes and hours before it where there are any."""
    micro = time // 1000
    whole, micro = divmod(micro, 1_000_000)
    if whole < 60:
        return f"{whole}.{micro:06d}"
    minutes, whole = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{whole:02d}.{micro:06d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{whole:02d}.{micro:06d}"


def ending(trace: Trace, row: ROW) -> Record | None:
    """How the packet of a row ended: where it was received its terminal record, where it was sent its loss.

    A packet that had to wait is looked for behind its hold: that record stands only until it has ended.
    """
    if row[6] != "rx":
        return lost(trace, row)
    found = trace.outcome(row)
    if found is None or found.event != "hold":
        return found
    records = trace.records
    at = bisect_left(records, (found.num + 1,))
    for record in records[at : at + HOLDS_LOOK]:
        if record[5] == found.packet and record[6] in TERMINAL:
            return Record._make(record)
    return found


def outcome(record: Record | None, *, words: bool) -> str:
    """An outcome in a glyph, with its word where that is wanted; a drop always has its reason."""
    if record is None:
        return ""
    glyph = OUTCOMES[record.event]
    if record.event == "drop":
        return f"{glyph} {record.reason}"
    return f"{glyph} {_WORDS[record.event]}" if words else glyph


def conversation(frame: bytes) -> str:
    """A display filter for the packets between the ends of a frame's packet, both ways; empty for what is no IPv6."""
    if len(frame) < PAYLOAD or frame[12:14] != b"\x86\xdd":
        return ""
    src, dst = frame[22:38], frame[38:54]
    # Who is asked by a group answers from an address of its own; who has none yet says so.
    known = [dst] if src == in6.UNSPECIFIED else [src] if dst[0] == 0xFF else [src, dst]
    ends = [f"ipv6.addr == {in6.ntop(addr)}" for addr in known]
    try:
        nxt, at = exthdr.upper_layer(frame[14:])
    except WireError:
        return " && ".join(ends)
    proto = {6: "tcp", 17: "udp"}.get(nxt)
    upper = frame[14 + at :]
    if proto and len(upper) >= 4:
        ends += [f"{proto}.port == {int.from_bytes(upper[i : i + 2], 'big')}" for i in (0, 2)]
    return " && ".join(ends)


def token(frame: bytes) -> str:
    """The component class of a frame's protocol."""
    kind = protocol(frame)
    if kind == "MLD":
        return "packets--mld"
    if kind != "ICMPv6":
        return "packets--udp" if kind in ("UDP", "TCP") else "packets--other"
    text = info(frame)
    if text.startswith("echo"):
        return "packets--echo"
    if text.startswith(("NS", "NA", "redirect")):
        return "packets--nd"
    if text.startswith(("RS", "RA")):
        return "packets--ra"
    return "packets--error"
