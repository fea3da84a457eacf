"""What a bad wire does to a frame on its way to one station: loss, duplication, corruption, delay, reordering.

Each delivery is judged by itself, so that of the stations of a shared Ethernet some hear a frame that others do not.
Draws come from the link's stream in a fixed order - loss, duplicate, then for each copy corrupt, the bit, jitter,
reorder, how long - and a fault that is off draws nothing, so that a lab with its seed repeats.

loss       the delivery does not happen
duplicate  it happens twice
corrupt    one bit behind the link header is wrong; the header is spared, so that the frame still finds its station
jitter     it comes up to so much later, yet never before one that was sent before
reorder    it is held back, and later ones overtake it: 1 to 4 times the delay of the link, counted as 1 ms at least

Every fault leaves a record. Left out: bursts (draws are independent), rates of errors by length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS
from kamelab.sim.switch import plug
from kamelab.wire.ether import HEADER_LEN

if TYPE_CHECKING:
    from kamelab.sim.link import Link
    from kamelab.sim.port import Port
    from kamelab.stack.interface import Interface

SCALE = 1_000_000_000
"""Probabilities are whole numbers of parts of this."""
HELD_LEAST = MS
"""The least delay that a frame out of order is held back, ns."""
HELD_TIMES = 4
"""A frame out of order is held back up to so many times the link's delay."""


def deliver(link: Link, station: Interface | Port, frame: bytes, at: int, cause: int) -> None:
    """Let ``frame``, due ``at`` (ns since boot), arrive at ``station`` as the link's faults will have it."""
    stream = f"link/{link.name}"
    below = link.streams.below
    if link.loss and below(stream, SCALE) < link.loss:
        link.lose(station, cause, "LINK_LOST")
        return
    copies = 1
    if link.duplicate and below(stream, SCALE) < link.duplicate:
        copies = 2
        link.note(station, cause, "duplicated", "")
    for _ in range(copies):
        sent, due = frame, at
        if link.corrupt and below(stream, SCALE) < link.corrupt and len(frame) > HEADER_LEN:
            bit = HEADER_LEN * 8 + below(stream, (len(frame) - HEADER_LEN) * 8)
            sent = flipped(frame, bit)
            link.note(station, cause, "corrupted", f"octet {bit // 8 - HEADER_LEN} of the packet, bit {7 - bit % 8}")
        if link.jitter:
            due += below(stream, link.jitter + 1)
        if link.reorder and below(stream, SCALE) < link.reorder:
            unit = max(link.latency + link.jitter, HELD_LEAST)
            held = unit + below(stream, (HELD_TIMES - 1) * unit + 1)
            link.note(station, cause, "held back", f"{held // 1000} us")
            link.clock.send(due + held, station, sent, cause)
            continue
        if link.jitter:
            name = plug(station)
            due = link.last[name] = max(due, link.last.get(name, 0))
        link.clock.send(due, station, sent, cause)


def flipped(frame: bytes, bit: int) -> bytes:
    """``frame`` with one bit turned over; bits count from the first octet's highest."""
    octets = bytearray(frame)
    octets[bit >> 3] ^= 0x80 >> (bit & 7)
    return bytes(octets)
