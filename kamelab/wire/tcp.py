"""TCP segments (RFC 9293 3.1): the header, and the options MSS, window scale and timestamps (RFC 7323 2, 3).

Left out: selective acknowledgement beyond its name (RFC 2018), MD5 and AO signatures.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from kamelab.wire.buffer import WireError, need

HEADER_LEN: Final = 20

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80

OPT_EOL: Final = 0
OPT_NOP: Final = 1
OPT_MSS: Final = 2
OPT_WSCALE: Final = 3
OPT_SACK_PERMITTED: Final = 4
OPT_SACK: Final = 5
OPT_TIMESTAMP: Final = 8

HEADER: Final = struct.Struct("!HHIIBBHHH")
"""Source and destination port, sequence and acknowledgement number, data offset, flags, window, checksum, urgent."""
STAMP_WORD: Final = b"\x01\x01\x08\x0a"
"""How a timestamp option begins where it is laid out as RFC 7323 appendix A advises."""
_STAMP = struct.Struct("!4sII")
_OPTION_NAMES = {OPT_SACK_PERMITTED: "sackOK", OPT_SACK: "sack", OPT_TIMESTAMP: "TS"}
# tcpdump's letters and their order; ACK is a dot.
_LETTERS = ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"), (ECE, "E"), (CWR, "W"))


class TcpHeader(NamedTuple):
    """A TCP header; `offset` is where the data begins, in octets."""

    sport: int
    dport: int
    seq: int
    ack: int
    offset: int
    flags: int
    window: int
    checksum: int
    urgent: int
    options: bytes


class Options(NamedTuple):
    """What a segment's options say; -1: the option is not there."""

    mss: int = -1
    wscale: int = -1
    tsval: int = -1
    tsecr: int = -1


def parse_options(data: bytes) -> Options:
    """Read the options that are understood; the rest is passed over, and a malformed one ends the reading.

    RFC 9293 3.2 (MUST-7: an illegal length does no harm).
    """
    mss = wscale = tsval = tsecr = -1
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        if kind == OPT_EOL:
            break
        if kind == OPT_NOP:
            at += 1
            continue
        size = data[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            break
        if kind == OPT_MSS and size == 4:
            mss = data[at + 2] << 8 | data[at + 3]
        elif kind == OPT_WSCALE and size == 3:
            wscale = data[at + 2]
        elif kind == OPT_TIMESTAMP and size == 10:
            tsval = int.from_bytes(data[at + 2 : at + 6], "big")
            tsecr = int.from_bytes(data[at + 6 : at + 10], "big")
        at += size
    return Options(mss, wscale, tsval, tsecr)


def build_options(mss: int = -1, wscale: int = -1, tsval: int = -1, tsecr: int = 0) -> bytes:
    """Options padded to a multiple of 4 octets; -1 leaves one out."""
    out = b""
    if mss >= 0:
        out += b"\x02\x04" + mss.to_bytes(2, "big")
    if wscale >= 0:
        out += b"\x01\x03\x03" + bytes([wscale])
    if tsval >= 0:
        out += _STAMP.pack(STAMP_WORD, tsval, tsecr)
    return out


def build(
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    options: bytes = b"",
    payload: bytes = b"",
    urgent: int = 0,
) -> bytes:
    """A segment whose checksum field is 0; ``options`` is a multiple of 4 octets, up to 40.

    Raises WireError for a value that doesn't fit its field.
    """
    size = HEADER_LEN + len(options)
    if size & 3 or size > 60:
        raise WireError(f"TCP options of {len(options)} octets", HEADER_LEN)
    try:
        head = HEADER.pack(sport, dport, seq, ack, size << 2, flags, window, 0, urgent)
    except struct.error as error:
        raise WireError(f"TCP header: {error}") from None
    return b"%b%b%b" % (head, options, payload)


def options_text(data: bytes) -> str:
    """The options in the words of tcpdump(1): ``mss 1440,nop,wscale 3``; empty without any."""
    words: list[str] = []
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        if kind in (OPT_NOP, OPT_EOL):
            words.append("eol" if kind == OPT_EOL else "nop")
            if kind == OPT_EOL:
                break
            at += 1
            continue
        size = data[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            words.append("bad")
            break
        body = data[at + 2 : at + size]
        if kind == OPT_MSS and size == 4:
            words.append(f"mss {int.from_bytes(body, 'big')}")
        elif kind == OPT_WSCALE and size == 3:
            words.append(f"wscale {body[0]}")
        elif kind == OPT_TIMESTAMP and size == 10:
            words.append(f"TS val {int.from_bytes(body[:4], 'big')} ecr {int.from_bytes(body[4:], 'big')}")
        else:
            words.append(_OPTION_NAMES.get(kind) or f"opt-{kind}")
        at += size
    return ",".join(words)


def parse(segment: bytes) -> TcpHeader:
    """Read a header with its options; Truncated if they aren't all there, WireError for an offset below 20 octets."""
    need(segment, HEADER_LEN, "TCP header")
    sport, dport, seq, ack, offset, flags, window, checksum, urgent = HEADER.unpack_from(segment)
    offset = (offset >> 4) << 2
    if offset < HEADER_LEN:
        raise WireError(f"TCP data offset of {offset} octets", 12)
    need(segment, offset, "TCP header")
    return TcpHeader(sport, dport, seq, ack, offset, flags, window, checksum, urgent, segment[HEADER_LEN:offset])


def flags_text(flags: int) -> str:
    """The flags as tcpdump(1) prints them, `S.` for SYN and ACK; `none` without any."""
    return "".join([letter for bit, letter in _LETTERS if flags & bit]) or "none"
