"""The Internet checksum (RFC 1071) and its IPv6 pseudo-header (RFC 8200 8.1), by big-integer arithmetic.

Ones-complement addition of 16-bit words is addition modulo 0xffff, and 2**16 is 1 there: so a whole message read as
one number has the residue that a loop over its words would give. Above about 256 octets the number is first folded
at bit positions that are multiples of 16, which costs less than dividing the long number. Residues 0 and 0xffff are
one value, so "valid" is residue 0.

Left out: the incremental update of RFC 1624; no field of an IPv6 header that a router changes is under a checksum.
"""

from __future__ import annotations

# Bits to fold long messages at, widest first: 752 * 2**k, all multiples of 16, so that 1500 octets fold in four
# nearly even halves (the constants below). The widest covers half of 96 kB; beyond, the division just gets longer.
_LONG_FOLDS = tuple((752 << k, (1 << (752 << k)) - 1) for k in range(9, 3, -1))
_MASK_6016 = (1 << 6016) - 1
_MASK_3008 = (1 << 3008) - 1
_MASK_1504 = (1 << 1504) - 1
_MASK_752 = (1 << 752) - 1
_SHORT = 256


def _fold(value: int, size: int) -> int:
    """A smaller number congruent to `value` modulo 0xffff; zero only for zero. `size` in octets."""
    if size > 1504:
        for bits, mask in _LONG_FOLDS:
            if size << 3 > bits:
                value = (value >> bits) + (value & mask)
    if size > 752:
        value = (value >> 6016) + (value & _MASK_6016)
    value = (value >> 3008) + (value & _MASK_3008)
    value = (value >> 1504) + (value & _MASK_1504)
    return (value >> 752) + (value & _MASK_752)


def ones_sum(data: bytes) -> int:
    """The sum of the 16-bit words of `data` modulo 0xffff (0 to 0xfffe); an odd last octet is padded right with 0."""
    size = len(data)
    value = int.from_bytes(data, "big")
    if size & 1:
        value <<= 8
    if size > _SHORT:
        value = _fold(value, size + 1)
    return value % 0xFFFF


def cksum(data: bytes) -> int:
    """The Internet checksum of `data` (RFC 1071): the complement of its ones-complement sum."""
    residue = ones_sum(data)
    if residue:
        return 0xFFFF - residue
    # Only octets that are all zero sum to 0; any other sum of residue 0 is 0xffff, whose complement is 0.
    return 0 if data.count(0) != len(data) else 0xFFFF


def in6_cksum(src: bytes, dst: bytes, nxt: int, payload: bytes) -> int:
    """The checksum to write into the zeroed field of `payload` (RFC 8200 8.1; KAME `in6_cksum.c`).

    Addresses are those of the wire: 16 octets, no embedded zone. With a routing header `dst` is the final destination.
    `nxt` is the upper-layer protocol. UDP must send a result of 0 as 0xffff (`udp.build` does).
    """
    size = len(payload)
    value = int.from_bytes(src + dst + payload, "big")
    if size & 1:
        value <<= 8
    if size > _SHORT:
        value = _fold(value, size + 33)
    # The length is a 32-bit field, but 2**16 is 1 modulo 0xffff.
    value += size + nxt
    residue = value % 0xFFFF
    if residue:
        return 0xFFFF - residue
    return 0 if value else 0xFFFF


def in6_cksum_ok(src: bytes, dst: bytes, nxt: int, payload: bytes) -> bool:
    """True if `payload`, checksum field included, sums to 0xffff with its pseudo-header (RFC 8200 8.1)."""
    size = len(payload)
    value = int.from_bytes(src + dst + payload, "big")
    if size & 1:
        value <<= 8
    if size > _SHORT:
        value = _fold(value, size + 33)
    value += size + nxt
    return value % 0xFFFF == 0 and value != 0
