"""What AH, ESP and IPComp need to know of IPv6: where they go, how a packet closes behind them, what AH may cover.

RFC 4302 3.1.1, 3.3.3.1.2, appendix A2; RFC 2460 4.1, 4.4; KAME netinet6/ah_core.c ah6_calccksum, ip6_output.c. This
is the only family-specific part of the transforms. Packets are as on the wire: no zone in an address.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kamelab.stack.netipsec.errors import TransformError
from kamelab.wire.buffer import Truncated
from kamelab.wire.exthdr import options
from kamelab.wire.ip6 import (
    HEADER_LEN,
    IPPROTO_AH,
    IPPROTO_DSTOPTS,
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
    MAX_PAYLOAD,
    NXT,
)

_LIFTED: Final = frozenset((IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS))
_MAY_CHANGE: Final = 0x20
"""The bit of an option's type that lets its data change on the way (RFC 8200 4.2)."""


class Stripped(NamedTuple):
    """A packet without the header that was checked; `nxt` is what now stands at offset `off`."""

    packet: bytes
    nxt: int
    off: int


def _size(packet: bytes, off: int) -> int:
    """Octets of the hop-by-hop, routing or destination options header at `off`."""
    if off + 8 > len(packet) or off + 8 + 8 * packet[off + 1] > len(packet):
        raise TransformError("HEADERS_BAD", f"a header at octet {off} runs over the end")
    return 8 + 8 * packet[off + 1]


def insertion(packet: bytes) -> tuple[int, int]:
    """Where a header goes that ends may read and routers may not: (offset of the next-header octet before it, offset).

    After hop-by-hop options and routing header with the destination options before that, before the destination
    options that only the last node reads, and before any AH, ESP or IPComp: what is done later is further out.
    """
    at, off, nxt = NXT, HEADER_LEN, packet[NXT]
    if nxt not in _LIFTED:
        return at, off
    place = at, off
    while nxt in _LIFTED:
        size = _size(packet, off)
        kind, at, nxt = nxt, off, packet[off]
        off += size
        if kind != IPPROTO_DSTOPTS:
            place = at, off
    return place


def previous(packet: bytes, off: int) -> int:
    """The offset of the next-header octet that tells what stands at `off` (KAME ip6_get_prevhdr)."""
    at, here = NXT, HEADER_LEN
    while here < off:
        nxt = packet[at]
        if nxt == IPPROTO_AH:
            if here + 8 > len(packet):
                break
            size = (packet[here + 1] + 2) << 2
        elif nxt in _LIFTED:
            size = _size(packet, here)
        else:
            break
        at, here = here, here + size
    if here != off:
        raise TransformError("HEADERS_BAD", f"no header begins at octet {off}")
    return at


def replace(packet: bytes, at: int, off: int, nxt: int, payload: bytes) -> bytes:
    """The packet with `payload` from `off` on and `nxt` as the next header named at `at`; the length is set."""
    plen = off - HEADER_LEN + len(payload)
    if plen > MAX_PAYLOAD:
        raise TransformError("TOO_BIG", f"{plen} octets")
    if at == NXT:
        return b"%b%b%c%b%b" % (packet[:4], plen.to_bytes(2, "big"), nxt, packet[7:off], payload)
    return b"%b%b%b%c%b%b" % (packet[:4], plen.to_bytes(2, "big"), packet[6:at], nxt, packet[at + 1 : off], payload)


def _fixed_options(header: bytes) -> bytes:
    """An options header with zeros for the data that may change on the way; types and lengths stay."""
    out = bytearray(header)
    try:
        for kind, value, offset in options(header[2:], 2):
            if kind & _MAY_CHANGE:
                out[offset + 2 : offset + 2 + len(value)] = bytes(len(value))
    except Truncated:
        raise TransformError("HEADERS_BAD", "an option runs over the end of its header") from None
    return bytes(out)


def _arrived(header: bytes, dst: bytes) -> tuple[bytes, bytes]:
    """A routing header and a destination as the last node will see them: every hop has swapped one address."""
    left = header[3]
    if not left:
        return header, dst
    count = header[1] // 2
    if header[2] not in (0, 2) or header[1] & 1 or left > count:
        raise TransformError("HEADERS_BAD", f"routing header of type {header[2]}, {left} segments left")
    addresses = [header[8 + 16 * i : 24 + 16 * i] for i in range(count)]
    for i in range(count - left, count):
        dst, addresses[i] = addresses[i], dst
    return header[:3] + b"\0" + header[4:8] + b"".join(addresses), dst


def covered(packet: bytes, off: int, icv: int, size: int) -> bytes:
    """What the AH at `off` authenticates, its own ICV being the `size` octets at `icv`.

    The whole packet, with zeros for traffic class, flow label, hop limit, its ICV and the options before it that may
    change, and the routing header as it will arrive. All that follows counts as it is, also AHs further in (KAME
    IMPLEMENTATION 4.3) and destination options (RFC 4302 3.3.3).
    """
    if packet[NXT] == IPPROTO_AH and off == HEADER_LEN:
        head = b"\x60\0\0\0%b\0%b%b%b"
        return head % (packet[4:7], packet[8:icv], bytes(size), packet[icv + size :])
    nxt, here, dst = packet[NXT], HEADER_LEN, packet[24:40]
    parts = []
    while here < off:
        if nxt not in _LIFTED:
            raise TransformError("HEADERS_BAD", f"header {nxt} before AH")
        end = here + _size(packet, here)
        header = packet[here:end]
        if nxt == IPPROTO_ROUTING:
            header, dst = _arrived(header, dst)
        else:
            header = _fixed_options(header)
        parts.append(header)
        nxt, here = packet[here], end
    parts.insert(0, b"\x60\0\0\0%b\0%b%b" % (packet[4:7], packet[8:24], dst))
    parts += (packet[off:icv], bytes(size), packet[icv + size :])
    return b"".join(parts)
