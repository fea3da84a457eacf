"""IPv6 addresses as 16 octets: text in and out, kinds, scopes, prefixes.

RFC 4291 (kinds and formats), RFC 5952 (text), RFC 4007 (scopes), RFC 2464 4 (interface identifiers); KAME `in6.c`,
`in6.h`. Functions on addresses take 16 octets and don't check that; zones and
KAME's embedded form belong to `scope6`.

Left out: zone suffixes (`%ne0`) in text, IPv4-compatible addresses in dotted form on output.
"""

from __future__ import annotations

from typing import Final

UNSPECIFIED: Final = bytes(16)
LOOPBACK: Final = bytes(15) + b"\x01"
IFLOCAL_ALLNODES: Final = b"\xff\x01" + bytes(13) + b"\x01"
ALLNODES: Final = b"\xff\x02" + bytes(13) + b"\x01"
ALLROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x02"
LINKLOCAL_PREFIX: Final = b"\xfe\x80" + bytes(14)
SOLICITED_NODE_PREFIX: Final = b"\xff\x02" + bytes(9) + b"\x01\xff"
"""ff02::1:ff00:0/104, 13 octets (RFC 4291 2.7.1)."""

SCOPE_INTERFACE: Final = 1
SCOPE_LINK: Final = 2
SCOPE_SITE: Final = 5
SCOPE_ORGANIZATION: Final = 8
SCOPE_GLOBAL: Final = 14

_HEX = frozenset("0123456789abcdefABCDEF")
_DIGITS = frozenset("0123456789")
_V4MAPPED = bytes(10) + b"\xff\xff"
_MASKS = tuple(((1 << plen) - 1) << (128 - plen) for plen in range(129))


def _groups(part: str, text: str, *, last: bool) -> bytes:
    """The octets of colon-separated hex groups; the very last one may be a dotted quad."""
    if not part:
        return b""
    words = part.split(":")
    out = bytearray()
    for i, word in enumerate(words):
        if "." in word:
            if not last or i != len(words) - 1:
                raise ValueError(f"bad IPv6 address {text!r}: a dotted quad may only come last")
            out += _dotted_quad(word, text)
        elif not word:
            raise ValueError(f"bad IPv6 address {text!r}: a lone colon")
        elif len(word) > 4 or not _HEX.issuperset(word):
            raise ValueError(f"bad IPv6 address {text!r}: {word!r} is no group of 1 to 4 hex digits")
        else:
            out += int(word, 16).to_bytes(2, "big")
    return bytes(out)


def _dotted_quad(word: str, text: str) -> bytes:
    parts = word.split(".")
    good = len(parts) == 4 and all(
        0 < len(p) <= 3 and _DIGITS.issuperset(p) and (p == "0" or p[0] != "0") and int(p) < 256 for p in parts
    )
    if not good:
        raise ValueError(f"bad IPv6 address {text!r}: {word!r} is no dotted quad")
    return bytes(int(p) for p in parts)


def pton(text: str) -> bytes:
    """The 16 octets of an address in text (RFC 4291 2.2), a last dotted quad included.

    Raises ValueError, with a sentence saying what is wrong, for anything else: a zone or a prefix length too.
    """
    if "%" in text:
        raise ValueError(f"bad IPv6 address {text!r}: no zone may be given here")
    if "/" in text:
        raise ValueError(f"bad IPv6 address {text!r}: no prefix length may be given here")
    head, gap, tail = text.partition("::")
    if not gap:
        addr = _groups(head, text, last=True)
        if len(addr) != 16:
            raise ValueError(f"bad IPv6 address {text!r}: not 8 groups")
        return addr
    if "::" in tail or tail.startswith(":"):
        raise ValueError(f"bad IPv6 address {text!r}: more than one '::'")
    left = _groups(head, text, last=False)
    right = _groups(tail, text, last=True)
    zeros = 16 - len(left) - len(right)
    if zeros < 2:
        raise ValueError(f"bad IPv6 address {text!r}: '::' stands for no group, there are too many")
    return left + bytes(zeros) + right


def ntop(addr: bytes) -> str:
    """The recommended text of an address (RFC 5952); IPv4-mapped ones end in a dotted quad (RFC 5952 5).

    Raises ValueError unless `addr` has 16 octets.
    """
    if len(addr) != 16:
        raise ValueError(f"an IPv6 address has 16 octets, not {len(addr)}")
    if addr[:12] == _V4MAPPED:
        return f"::ffff:{addr[12]}.{addr[13]}.{addr[14]}.{addr[15]}"
    words = [(addr[i] << 8) | addr[i + 1] for i in range(0, 16, 2)]
    best = start = size = 0
    run = 0
    for i, word in enumerate(words):
        run = 0 if word else run + 1
        # The first of equally long runs is the one to compress, and never a single group (RFC 5952 4.2).
        if run > best and run > 1:
            best, size, start = run, run, i - run + 1
    if not size:
        return ":".join([f"{w:x}" for w in words])
    left = ":".join([f"{w:x}" for w in words[:start]])
    right = ":".join([f"{w:x}" for w in words[start + size :]])
    return f"{left}::{right}"


def is_unspecified(addr: bytes) -> bool:
    """True for `::`."""
    return addr == UNSPECIFIED


def is_loopback(addr: bytes) -> bool:
    """True for `::1`."""
    return addr == LOOPBACK


def is_multicast(addr: bytes) -> bool:
    """True in ff00::/8."""
    return addr[0] == 0xFF


def is_linklocal(addr: bytes) -> bool:
    """True for a unicast link-local address, fe80::/10."""
    return addr[0] == 0xFE and addr[1] & 0xC0 == 0x80


def is_sitelocal(addr: bytes) -> bool:
    """True for a unicast site-local address, fec0::/10 (deprecated by RFC 3879, alive in KAME)."""
    return addr[0] == 0xFE and addr[1] & 0xC0 == 0xC0


def is_v4mapped(addr: bytes) -> bool:
    """True in ::ffff:0:0/96."""
    return addr[:12] == _V4MAPPED


def is_v4compat(addr: bytes) -> bool:
    """True in ::/96 but for `::` and `::1` (RFC 3493 IN6_IS_ADDR_V4COMPAT)."""
    return addr[:12] == bytes(12) and addr[12:] not in (b"\x00\x00\x00\x00", b"\x00\x00\x00\x01")


def scope(addr: bytes) -> int:
    """The scope of an address (RFC 4291 2.7, RFC 4007 4): 1 interface, 2 link, 5 site, 8 organisation, 14 global.

    A multicast address gives its own nibble. `::1` has link scope (RFC 4007 4), `::` counts as global.
    """
    if addr[0] == 0xFF:
        return addr[1] & 0x0F
    if is_linklocal(addr) or addr == LOOPBACK:
        return SCOPE_LINK
    if is_sitelocal(addr):
        return SCOPE_SITE
    return SCOPE_GLOBAL


def solicited_node(addr: bytes) -> bytes:
    """The solicited-node group ff02::1:ffXX:XXXX of an address (RFC 4291 2.7.1)."""
    return SOLICITED_NODE_PREFIX + addr[13:16]


def eui64(mac: bytes) -> bytes:
    """The 8-octet interface identifier of a 6-octet MAC or an 8-octet EUI-64, with the u bit inverted (RFC 2464 4).

    Raises ValueError for another length.
    """
    if len(mac) == 6:
        mac = mac[:3] + b"\xff\xfe" + mac[3:]
    if len(mac) != 8:
        raise ValueError(f"an interface identifier needs a link-layer address of 6 or 8 octets, not {len(mac)}")
    return bytes((mac[0] ^ 0x02,)) + mac[1:]


def mask(addr: bytes, plen: int) -> bytes:
    """`addr` with all but its first `plen` bits zero. Raises ValueError unless `plen` is 0 to 128."""
    if not 0 <= plen <= 128:
        raise ValueError(f"a prefix length is 0 to 128, not {plen}")
    return (int.from_bytes(addr, "big") & _MASKS[plen]).to_bytes(16, "big")


def in_prefix(addr: bytes, prefix: bytes, plen: int) -> bool:
    """True if `addr` and `prefix` agree in the first `plen` bits. Raises ValueError unless `plen` is 0 to 128."""
    if not 0 <= plen <= 128:
        raise ValueError(f"a prefix length is 0 to 128, not {plen}")
    return (int.from_bytes(addr, "big") ^ int.from_bytes(prefix, "big")) & _MASKS[plen] == 0


def common_prefix_len(a: bytes, b: bytes) -> int:
    """How many leading bits, 0 to 128, two addresses share (RFC 6724 2.2 without its limit; KAME `in6_matchlen`)."""
    return 128 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


def parse_prefix(text: str) -> tuple[bytes, int]:
    """The address and the length of a prefix in text such as `2001:db8::/32`; the address is as written, not masked.

    Raises ValueError with a sentence saying what is wrong.
    """
    head, slash, tail = text.partition("/")
    if not slash:
        raise ValueError(f"bad IPv6 prefix {text!r}: no '/' and length")
    if not tail or len(tail) > 3 or not _DIGITS.issuperset(tail) or int(tail) > 128:
        raise ValueError(f"bad IPv6 prefix {text!r}: the length is a number from 0 to 128")
    return pton(head), int(tail)
