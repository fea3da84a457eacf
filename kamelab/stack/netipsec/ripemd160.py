"""RIPEMD-160 in Python, for hosts whose OpenSSL has it no longer (hashlib's `new` then refuses it).

Dobbertin, Bosselaers, Preneel 1996; ISO/IEC 10118-3. The interface is that part of hashlib's which HMAC needs.
"""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_LEFT_ADD: Final = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_ADD: Final = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)
_RHO: Final = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_SHIFTS: Final = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)
"""How far the word at each place of the message is rolled, a row a round: both lines use the same table."""


def _orders() -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Which word each step takes: rho applied again and again, from the identity and from 9i + 5."""
    left, right = tuple(range(16)), tuple((9 * i + 5) % 16 for i in range(16))
    lefts, rights = [left], [right]
    for _ in range(4):
        left, right = tuple(_RHO[i] for i in left), tuple(_RHO[i] for i in right)
        lefts.append(left)
        rights.append(right)
    return tuple(lefts), tuple(rights)


_LEFT, _RIGHT = _orders()


def _mix(kind: int, x: int, y: int, z: int) -> int:
    if kind == 0:
        return x ^ y ^ z
    if kind == 1:
        return (x & y) | (~x & z)
    if kind == 2:
        return (x | (~y & _MASK)) ^ z
    if kind == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | (~z & _MASK))


def _line(
    state: tuple[int, ...],
    words: tuple[int, ...],
    orders: tuple[tuple[int, ...], ...],
    adds: tuple[int, ...],
    mirrored: bool,
) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = state
    for turn in range(5):
        kind, add, shifts = 4 - turn if mirrored else turn, adds[turn], _SHIFTS[turn]
        for word in orders[turn]:
            total = (a + _mix(kind, b, c, d) + words[word] + add) & _MASK
            shift = shifts[word]
            total = (((total << shift) | (total >> (32 - shift))) + e) & _MASK
            a, e, d, c, b = e, d, ((c << 10) | (c >> 22)) & _MASK, b, total
    return a, b, c, d, e


class Ripemd160:
    """A hash in progress; `digest` leaves it as it is."""

    block_size: Final = 64
    digest_size: Final = 20

    __slots__ = ("length", "rest", "state")

    def __init__(self, data: bytes = b"") -> None:
        self.state: tuple[int, ...] = _START
        self.rest = b""
        self.length = 0
        self.update(data)

    def copy(self) -> Ripemd160:
        """Another one in the same state."""
        other = Ripemd160()
        other.state, other.rest, other.length = self.state, self.rest, self.length
        return other

    def update(self, data: bytes, /) -> None:
        """Add octets."""
        self.length += len(data)
        data = self.rest + data
        whole = len(data) & ~63
        for at in range(0, whole, 64):
            words = struct.unpack_from("<16I", data, at)
            h = self.state
            x = _line(h, words, _LEFT, _LEFT_ADD, False)
            y = _line(h, words, _RIGHT, _RIGHT_ADD, True)
            self.state = tuple((h[(i + 1) % 5] + x[(i + 2) % 5] + y[(i + 3) % 5]) & _MASK for i in range(5))
        self.rest = data[whole:]

    def digest(self) -> bytes:
        """The 20 octets."""
        last = self.copy()
        last.update(b"\x80" + bytes((55 - self.length) % 64) + struct.pack("<Q", self.length * 8 & (2**64 - 1)))
        return struct.pack("<5I", *last.state)
