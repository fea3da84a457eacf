"""Files of captured frames in pcap's classic format, as text of a node's files (libpcap, draft-ietf-opsawg-pcap).

The octets stand in the text as programs' streams have them: UTF-8, what is none as lone surrogates. Left out: pcapng,
time stamps in nanoseconds on writing, link types other than Ethernet.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_HEAD: Final = "IHHiIII"
_ROW: Final = "IIII"
_MAGIC: Final = 0xA1B2C3D4
_MAGIC_NS: Final = 0xA1B23C4D
ETHERNET: Final = 1


class PcapError(Exception):
    """The file is none that can be read; the text is libpcap's."""


class Frame(NamedTuple):
    """A frame of a file: lab time in ns since 1970, octets on the wire, the octets kept of it."""

    time: int
    length: int
    data: bytes


def to_text(data: bytes) -> str:
    """Octets as text of a file or a stream."""
    return data.decode("utf-8", "surrogateescape")


def to_octets(text: str) -> bytes:
    """The octets of a file or stream's text."""
    return text.encode("utf-8", "surrogateescape")


def head(snaplen: int) -> bytes:
    """The file header, 24 octets."""
    return struct.pack("<" + _HEAD, _MAGIC, 2, 4, 0, 0, snaplen, ETHERNET)


def row(time: int, frame: bytes, snaplen: int) -> bytes:
    """A frame with its header; ``time`` in ns since 1970, cut to microseconds."""
    seconds, rest = divmod(time // 1000, 1_000_000)
    kept = frame[:snaplen]
    return struct.pack("<" + _ROW, seconds & 0xFFFFFFFF, rest, len(kept), len(frame)) + kept


def read(data: bytes) -> tuple[int, list[Frame]]:
    """The snapshot length and the frames of a file. Raises PcapError."""
    if len(data) < 24:
        raise PcapError(f"truncated dump file; tried to read 24 file header bytes, only got {len(data)}")
    for order in "<>":
        magic, *_, snaplen, link = struct.unpack_from(order + _HEAD, data)
        if magic in (_MAGIC, _MAGIC_NS):
            break
    else:
        raise PcapError("unknown file format")
    if link & 0xFFFF != ETHERNET:
        raise PcapError(f"link-type {link & 0xFFFF} is not Ethernet")
    unit = 1 if magic == _MAGIC_NS else 1000
    out = []
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            raise PcapError(f"truncated dump file; tried to read 16 header bytes, only got {len(data) - at}")
        seconds, part, kept, length = struct.unpack_from(order + _ROW, data, at)
        at += 16
        if at + kept > len(data):
            raise PcapError(f"truncated dump file; tried to read {kept} captured bytes, only got {len(data) - at}")
        out.append(Frame(seconds * 1_000_000_000 + part * unit, length, data[at : at + kept]))
        at += kept
    return snaplen, out
