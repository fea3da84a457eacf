"""Damage: bits, octets, lengths and fields of sound packets, with a checksum that is mended more often than not."""

from __future__ import annotations

from random import Random

from kamelab.wire import exthdr
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum

OCTETS = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFE, 0xFF)
HEADERS = (0, 1, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 255)
FIELDS = {6: 16, 17: 6, 58: 2}
"""Where a protocol's checksum stands."""


def mended(packet: bytearray) -> bytes:
    """The packet with the checksum of its upper layer made right, where it has one."""
    if len(packet) < 44:
        return bytes(packet)
    try:
        nxt, at = exthdr.upper_layer(bytes(packet))
    except WireError:
        return bytes(packet)
    if nxt not in FIELDS:
        return bytes(packet)
    field = at + FIELDS[nxt]
    end = min(len(packet), 40 + (packet[4] << 8 | packet[5]))
    if end < field + 2:
        return bytes(packet)
    packet[field : field + 2] = b"\0\0"
    octets = bytes(packet)
    packet[field : field + 2] = in6_cksum(octets[8:24], octets[24:40], nxt, octets[at:end]).to_bytes(2, "big")
    return bytes(packet)


def damaged(random: Random, packet: bytes, other: bytes) -> bytes:
    """One to four injuries; ``other`` is a packet to splice with."""
    out = bytearray(packet)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        kind = random.randrange(10)
        size = len(out)
        # The headers are worth more than the data behind them.
        at = random.randrange(min(size, random.choice((8, 48, 120, 2000)))) if size else 0
        if kind < 2 and size:
            out[at] ^= 1 << random.randrange(8)
        elif kind == 2 and size:
            out[at] = random.choice(OCTETS)
        elif kind == 3 and at + 4 <= size:
            width = random.choice((2, 4))
            out[at : at + width] = random.choice((0, 1, 0x7F, 0x80, 0xFF)).to_bytes(1, "big") * width
        elif kind == 4:
            del out[random.randrange(size + 1) :]
        elif kind == 5:
            out += random.randbytes(random.randrange(1, 40))
        elif kind == 6 and size > 40:
            where = random.randrange(40, size)
            out[where : where + random.randrange(9)] = random.randbytes(random.randrange(9))
        elif kind == 7 and size >= 8:
            out[random.choice((6, 7, 40) if size > 40 else (6, 7))] = random.choice(HEADERS)
        elif kind == 8 and size >= 40:
            field = random.choice((8, 24))
            out[field : field + 16] = bytes(other[8:24]).ljust(16, b"\0")
        else:
            out = out[: random.randrange(size + 1)] + other[random.randrange(len(other) + 1) :]
    if len(out) >= 40 and random.random() < 0.8:
        out[4:6] = min(65535, len(out) - 40).to_bytes(2, "big")
    return mended(out) if random.random() < 0.7 else bytes(out)
