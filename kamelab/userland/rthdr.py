"""Building and reading routing and options headers: the functions of RFC 3542 7 and 10 (KAME rthdr.c, ip6opt.c).

C's functions fill a buffer; these take a header as bytes and answer with a new one. The header goes to ``setsockopt``
or ``sendmsg`` as IPV6_RTHDR, IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS or IPV6_DSTOPTS; its next-header octet is the kernel's to
fill. All raise ValueError where C's answer with -1 or NULL. Only type 0 routing headers (RFC 2460 4.4, a retired
feature: RFC 5095) are known. Left out: RFC 2292's inet6_rthdr_* and inet6_option_* with their strict/loose bits.
"""

from __future__ import annotations

from typing import Final, NamedTuple

IPV6_RTHDR_TYPE_0: Final = 0
MAX_SEGMENTS: Final = 127
"""Addresses that a type 0 routing header can hold."""
PAD1: Final = 0
PADN: Final = 1


def inet6_rth_space(kind: int, segments: int) -> int:
    """Octets of a routing header of that type with so many addresses."""
    if kind != IPV6_RTHDR_TYPE_0 or not 0 <= segments <= MAX_SEGMENTS:
        raise ValueError(f"no routing header of type {kind} with {segments} segments")
    return 8 + 16 * segments


def inet6_rth_init(kind: int, segments: int) -> bytes:
    """A routing header with room for so many addresses, none in it yet."""
    size = inet6_rth_space(kind, segments)
    return bytes((0, size // 8 - 1, kind, 0)) + bytes(size - 4)


def inet6_rth_add(header: bytes, addr: bytes) -> bytes:
    """The header with one more address to visit, at its end."""
    used = header[3]
    if len(addr) != 16 or used >= _room(header):
        raise ValueError("no room for another address of 16 octets")
    at = 8 + 16 * used
    return header[:3] + bytes((used + 1,)) + header[4:at] + addr + header[at + 16 :]


def inet6_rth_reverse(header: bytes) -> bytes:
    """The way back: the addresses in the opposite order, all of them to be visited."""
    room = _room(header)
    addresses = [header[8 + 16 * i : 24 + 16 * i] for i in range(room)]
    return header[:3] + bytes((room,)) + header[4:8] + b"".join(reversed(addresses))


def inet6_rth_segments(header: bytes) -> int:
    """How many addresses it holds, visited or not."""
    return _room(header)


def inet6_rth_getaddr(header: bytes, index: int) -> bytes:
    """The address number ``index``, from 0."""
    if not 0 <= index < _room(header):
        raise ValueError(f"no address number {index}")
    return header[8 + 16 * index : 24 + 16 * index]


def _room(header: bytes) -> int:
    if len(header) < 8 or header[2] != IPV6_RTHDR_TYPE_0 or header[1] % 2 or len(header) != 8 + 8 * header[1]:
        raise ValueError("no routing header of type 0")
    return header[1] // 2


class Opt(NamedTuple):
    """One option of a header: where the search goes on (octets from the header's begin), its type and its data."""

    offset: int
    kind: int
    data: bytes


def inet6_opt_init() -> bytes:
    """An options header without options; `inet6_opt_finish` makes it whole."""
    return bytes(2)


def inet6_opt_append(header: bytes, kind: int, data: bytes, align: int = 1) -> bytes:
    """The header with another option, whose data begins at a multiple of ``align`` octets (1, 2, 4 or 8)."""
    if not PADN < kind <= 255 or len(data) > 255:
        raise ValueError(f"no option {kind} with {len(data)} octets")
    if align not in (1, 2, 4, 8) or align > max(len(data), 1):
        raise ValueError(f"no alignment to {align} octets")
    gap = -(len(header) + 2) % align
    return header + _padding(gap) + bytes((kind, len(data))) + data


def inet6_opt_finish(header: bytes) -> bytes:
    """The header padded to a multiple of 8 octets, with its length."""
    whole = header + _padding(-len(header) % 8)
    if len(whole) > 256 * 8:
        raise ValueError(f"{len(whole)} octets are too many for one header")
    return bytes((whole[0], len(whole) // 8 - 1)) + whole[2:]


def inet6_opt_next(header: bytes, offset: int = 0) -> Opt | None:
    """The first option at or after ``offset`` (0: from the begin), paddings passed over; None at the end."""
    if len(header) < 8 or len(header) != (header[1] + 1) * 8:
        raise ValueError("no options header")
    at = max(offset, 2)
    while at < len(header):
        kind = header[at]
        if kind == PAD1:
            at += 1
            continue
        after = at + 2 + header[at + 1] if at + 1 < len(header) else len(header) + 1
        if after > len(header):
            raise ValueError(f"the option at octet {at} runs past the header's end")
        if kind != PADN:
            return Opt(after, kind, header[at + 2 : after])
        at = after
    return None


def inet6_opt_find(header: bytes, offset: int, kind: int) -> Opt | None:
    """The first option of that type at or after ``offset``; None where there is none."""
    found = inet6_opt_next(header, offset)
    while found is not None and found.kind != kind:
        found = inet6_opt_next(header, found.offset)
    return found


def inet6_opt_set_val(data: bytes, offset: int, value: bytes) -> bytes:
    """An option's data with ``value`` at ``offset``."""
    if offset < 0 or offset + len(value) > len(data):
        raise ValueError("the value runs past the option's end")
    return data[:offset] + value + data[offset + len(value) :]


def inet6_opt_get_val(data: bytes, offset: int, size: int) -> bytes:
    """``size`` octets of an option's data at ``offset``."""
    if offset < 0 or offset + size > len(data):
        raise ValueError("the value runs past the option's end")
    return data[offset : offset + size]


def _padding(gap: int) -> bytes:
    if not gap:
        return b""
    return b"\0" if gap == 1 else bytes((PADN, gap - 2)) + bytes(gap - 2)
