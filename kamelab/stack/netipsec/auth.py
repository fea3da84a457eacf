"""Integrity check values: the keyed hashes of AH and ESP, ready to run over packet after packet.

KAME netinet6/ah_core.c; RFC 2104 (HMAC), RFC 1828 (keyed MD5), RFC 2403, 2404, 2857, 3566. The key is worked in once;
each packet begins from a copy. Left out: hmac-md5 with 160 bits of replay protection (RFC 2085) and RFC 1852's
padding, as IMPLEMENTATION 4.5 says of KAME.
"""

from __future__ import annotations

import hashlib
from typing import Final, Protocol, Self

from kamelab.stack.netipsec.aes_xcbc import Xcbc
from kamelab.stack.netipsec.algorithms import (
    AALG_MD5HMAC,
    AALG_SHA1HMAC,
    X_AALG_AES_XCBC_MAC,
    X_AALG_MD5,
    X_AALG_NULL,
    X_AALG_RIPEMD160HMAC,
    X_AALG_SHA,
    X_AALG_SHA2_256,
    X_AALG_SHA2_384,
    X_AALG_SHA2_512,
    AlgorithmError,
    icv_len,
)
from kamelab.stack.netipsec.ripemd160 import Ripemd160


class Hash(Protocol):
    """What is used of hashlib's objects."""

    @property
    def block_size(self) -> int:
        """Octets of a block."""

    def copy(self) -> Self:
        """Another one in the same state."""

    def update(self, data: bytes, /) -> None:
        """Add octets."""

    def digest(self) -> bytes:
        """The hash of what was added."""


class Mac(Protocol):
    """A key and an algorithm at work; `size` is that of the truncated value in octets."""

    size: int

    def icv(self, data: bytes) -> bytes:
        """The truncated value over `data`."""


_HASHES: Final = {
    AALG_MD5HMAC: "md5",
    AALG_SHA1HMAC: "sha1",
    X_AALG_SHA2_256: "sha256",
    X_AALG_SHA2_384: "sha384",
    X_AALG_SHA2_512: "sha512",
    X_AALG_RIPEMD160HMAC: "ripemd160",
    X_AALG_MD5: "md5",
    X_AALG_SHA: "sha1",
}


def new_hash(name: str) -> Hash:
    """A fresh hash; RIPEMD-160 is our own where OpenSSL has none."""
    try:
        return hashlib.new(name, usedforsecurity=False)
    except ValueError:
        if name == "ripemd160":
            return Ripemd160()
        raise


class Hmac:
    """RFC 2104: two hashes that have taken the padded key."""

    __slots__ = ("inner", "outer", "size")

    def __init__(self, name: str, key: bytes, size: int) -> None:
        self.size = size
        self.inner, self.outer = new_hash(name), new_hash(name)
        block = self.inner.block_size
        if len(key) > block:
            longer = new_hash(name)
            longer.update(key)
            key = longer.digest()
        key = key.ljust(block, b"\0")
        self.inner.update(bytes(octet ^ 0x36 for octet in key))
        self.outer.update(bytes(octet ^ 0x5C for octet in key))

    def icv(self, data: bytes) -> bytes:
        """The leftmost `size` octets (RFC 2104 5)."""
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()[: self.size]


class Keyed:
    """RFC 1828: key, fill, data, key. The fill makes the key a whole number of blocks, as MD5 pads a message.

    SHA1 gets the length of the key in MD5's octet order too: so does KAME's ah_keyed_sha1_init.
    """

    __slots__ = ("key", "size", "start")

    def __init__(self, name: str, key: bytes, size: int) -> None:
        self.size = size
        self.key = key
        self.start = new_hash(name)
        self.start.update(key + b"\x80" + bytes((55 - len(key)) % 64) + (8 * len(key)).to_bytes(8, "little"))

    def icv(self, data: bytes) -> bytes:
        """The leftmost `size` octets."""
        state = self.start.copy()
        state.update(data)
        state.update(self.key)
        return state.digest()[: self.size]


class XcbcMac:
    """RFC 3566 4.2: the leftmost `size` octets of AES-XCBC-MAC."""

    __slots__ = ("size", "xcbc")

    def __init__(self, key: bytes, size: int) -> None:
        self.size = size
        self.xcbc = Xcbc(key)

    def icv(self, data: bytes) -> bytes:
        """The truncated value."""
        return self.xcbc.digest(data)[: self.size]


class NullMac:
    """No value at all: every packet passes."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    def icv(self, data: bytes) -> bytes:
        """Nothing."""
        return b""


def mac(aalg: int, key: bytes, old: bool = False, size: int | None = None) -> Mac:
    """The MAC of a PF_KEY algorithm number; `size` octets of result instead of the packet's own length.

    AlgorithmError for a number that isn't known or a key that the algorithm can't take.
    """
    if size is None:
        size = icv_len(aalg, old)
    if aalg == X_AALG_NULL:
        return NullMac()
    if aalg == X_AALG_AES_XCBC_MAC:
        try:
            return XcbcMac(key, size)
        except ValueError as error:
            raise AlgorithmError(str(error), True) from None
    name = _HASHES.get(aalg)
    if name is None:
        raise AlgorithmError(f"authentication algorithm {aalg} is not supported")
    return Keyed(name, key, size) if aalg in (X_AALG_MD5, X_AALG_SHA) else Hmac(name, key, size)
