"""cksum and sha256: whether what arrived is what was sent (POSIX cksum, FreeBSD's sha256(1), FIPS 180-4)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256 as _sha256
from typing import Final

from kamelab.core.errors import Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.octets import encoded
from kamelab.userland.proc import Proc

CKSUM_USAGE = "usage: cksum [file ...]\n"
SHA256_USAGE = "usage: sha256 [-q] [file ...]\n"

_POLYNOMIAL: Final = 0x04C11DB7


def _table() -> tuple[int, ...]:
    """Remainders of the CRC-32 of POSIX, most significant bit first."""
    out = []
    for octet in range(256):
        value = octet << 24
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
        out.append(value & 0xFFFFFFFF)
    return tuple(out)


_TABLE: Final = _table()


def posix_crc(data: bytes) -> int:
    """POSIX cksum: the CRC of the octets and then of their number, least significant octet first, inverted."""
    value = 0
    for octet in data + len(data).to_bytes((len(data).bit_length() + 7) // 8, "little"):
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ octet]
    return value ^ 0xFFFFFFFF


async def _each(proc: Proc, argv: list[str], options: str, usage: str, show: Callable[[bytes, str, bool], str]) -> int:
    """One line a file, standard input without any. Status 1 where one can't be read."""
    try:
        pairs, names = getopt(argv, options)
    except GetoptError as error:
        proc.error(f"{argv[0]}: {error}\n{usage}")
        return 1
    if not names:
        proc.print(show(encoded(await proc.read()), "", bool(pairs)))
    status = 0
    for name in names:
        try:
            text = proc.read_file(name)
        except Errno as error:
            proc.error(f"{argv[0]}: {name}: {error}\n")
            status = 1
            continue
        proc.print(show(encoded(text), name, bool(pairs)))
    return status


async def cksum(proc: Proc, argv: list[str]) -> int:
    """cksum(1): CRC, octets, name."""
    return await _each(proc, argv, "", CKSUM_USAGE, _cksum_line)


def _cksum_line(data: bytes, name: str, _quiet: bool) -> str:
    return f"{posix_crc(data)} {len(data)} {name}".rstrip()


async def sha256(proc: Proc, argv: list[str]) -> int:
    """sha256(1): ``SHA256 (name) = hex``; hex alone with -q or of standard input."""
    return await _each(proc, argv, "q", SHA256_USAGE, _sha256_line)


def _sha256_line(data: bytes, name: str, quiet: bool) -> str:
    digest = _sha256(data).hexdigest()
    return digest if quiet or not name else f"SHA256 ({name}) = {digest}"
