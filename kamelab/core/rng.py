"""Named random streams: a keyed hash of a counter, so that a stream's whole state is one int.

Each stream has its owner's name (``h1/nd6``, ``link/lan``), so that an additional draw in one place changes nothing
elsewhere, and the same seed gives the same bytes on every platform and under every ``PYTHONHASHSEED``.
"""

from __future__ import annotations

from hashlib import blake2b


class Streams:
    """All random streams of a lab. State: the seed and a counter a stream."""

    __slots__ = ("counters", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.counters: dict[str, int] = {}

    def bits64(self, name: str) -> int:
        """The next 64 bits of the stream ``name``."""
        count = self.counters.get(name, 0)
        self.counters[name] = count + 1
        text = f"{self.seed}/{name}/{count}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")

    def below(self, name: str, limit: int) -> int:
        """A number in ``0 <= n < limit``; 0 where ``limit`` is not positive."""
        return (self.bits64(name) * limit) >> 64 if limit > 0 else 0

    def between(self, name: str, low: int, high: int) -> int:
        """A number in ``low <= n <= high``."""
        return low + self.below(name, high - low + 1)

    def octets(self, name: str, count: int) -> bytes:
        """``count`` octets of the stream."""
        out = b""
        while len(out) < count:
            out += self.bits64(name).to_bytes(8, "big")
        return out[:count]
