"""IPComp: the payload is compressed when that helps.

RFC 3173 (RFC 2393 in KAME's time), RFC 2394 (DEFLATE, raw: no Adler-32); KAME netinet6/ipcomp_core.c, ipcomp_output.c,
ipcomp_input.c. Functions of an association and a packet. Which octets DEFLATE finds is zlib's affair: another build
of it may find others, equally right. Left out: LZS, OUI.
"""

from __future__ import annotations

import zlib
from typing import Final

from kamelab.stack.netipsec.algorithms import COMPS, X_CALG_DEFLATE
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.headers6 import Stripped, insertion, previous, replace
from kamelab.stack.netipsec.sadb import X_EXT_RAWCPI, Sa
from kamelab.wire.ip6 import HEADER_LEN as IP6_LEN
from kamelab.wire.ip6 import IPPROTO_IPCOMP, MAX_PAYLOAD
from kamelab.wire.ipcomp import CPI_NEGOTIATE_MIN, HEADER_LEN, build, parse

DEFLATE_POLICY: Final = -1
"""zlib's own choice of effort (KAME deflate_policy Z_DEFAULT_COMPRESSION); 0 none, 1 fast, 9 best."""
DEFLATE_WINDOW_OUT: Final = 12
"""Bits of history when sending, 9 to 15 (KAME deflate_window_out)."""
DEFLATE_WINDOW_IN: Final = 15
DEFLATE_MEMLEVEL: Final = 9
"""1 to 9 (KAME deflate_memlevel MAX_MEM_LEVEL)."""


def ipcomp_output(
    sa: Sa,
    packet: bytes,
    policy: int = DEFLATE_POLICY,
    window: int = DEFLATE_WINDOW_OUT,
    memlevel: int = DEFLATE_MEMLEVEL,
) -> bytes:
    """The packet with its payload compressed, or the very same packet where that doesn't pay (RFC 3173 2.2).

    A payload below the algorithm's minimum, 90 octets, isn't tried. The index sent is the SPI with X_EXT_RAWCPI, else
    the algorithm's well-known number. Raises TransformError HEADERS_BAD, SA_ALGORITHM.
    """
    row = COMPS.get(sa.calg)
    if row is None or not row.supported:
        raise TransformError("SA_ALGORITHM", f"compression algorithm {sa.calg}")
    at, off = insertion(packet)
    payload = packet[off:]
    if len(payload) < row.minimum:
        return packet
    squeeze = zlib.compressobj(policy, zlib.DEFLATED, -window, memlevel)
    less = squeeze.compress(payload) + squeeze.flush()
    if HEADER_LEN + len(less) >= len(payload):
        return packet
    cpi = sa.spi & 0xFFFF if sa.flags & X_EXT_RAWCPI else sa.calg
    return replace(packet, at, off, IPPROTO_IPCOMP, build(packet[at], cpi) + less)


def ipcomp_input(packet: bytes, off: int, sa: Sa | None = None, window: int = DEFLATE_WINDOW_IN) -> Stripped:
    """The packet with the payload of the IPComp at `off` expanded.

    An index below 256 is an algorithm's number and needs no association (KAME ipcomp6_input); for others `sa` is what
    the caller found by it. Raises TransformError IPCOMP_LEN, IPCOMP_BAD, HEADERS_BAD.
    """
    if len(packet) - off < HEADER_LEN:
        raise TransformError("IPCOMP_LEN", f"{len(packet) - off} octets")
    head = parse(packet[off : off + HEADER_LEN])
    calg = head.cpi if head.cpi < CPI_NEGOTIATE_MIN else sa.calg if sa is not None else 0
    if calg != X_CALG_DEFLATE:
        raise TransformError("IPCOMP_BAD", f"index {head.cpi}: no algorithm")
    room = MAX_PAYLOAD - (off - IP6_LEN)
    expand = zlib.decompressobj(-window)
    try:
        payload = expand.decompress(packet[off + HEADER_LEN :], room + 1)
    except zlib.error:
        raise TransformError("IPCOMP_BAD", "no DEFLATE stream") from None
    if len(payload) > room:
        raise TransformError("IPCOMP_BAD", "more than a packet holds")
    if not expand.eof or expand.unused_data:
        raise TransformError("IPCOMP_BAD", "the stream and the packet don't end together")
    return Stripped(replace(packet, previous(packet, off), off, head.nxt, payload), head.nxt, off)
