"""Node information queries and replies (RFC 4620; ICMPv6 types 139 and 140) as small values.

KAME `icmp6.h`, `icmp6.c` ni6_nametodns; draft-ietf-ipngwg-icmp-name-lookups-09. `parse` takes a *body*, what follows
the 4 octets of type, code and checksum; `pack` gives one. The code of a query says what its subject is, that of a reply
how the query ended. The older form of a name reply (draft 03: one length octet and the text) is read and written too.
Left out: the compressed form of the bitmap is read, never written.
"""

from __future__ import annotations

import struct
from hashlib import md5
from typing import Final, NamedTuple

from kamelab.wire.buffer import Truncated, WireError, need

BODY_LEN: Final = 12

NOOP: Final = 0
SUPTYPES: Final = 1
FQDN: Final = 2
NODEADDR: Final = 3
IPV4ADDR: Final = 4
QTYPES: Final = {NOOP: "NOOP", SUPTYPES: "SupportedTypes", FQDN: "DnsName", NODEADDR: "NodeAddr", IPV4ADDR: "IPv4Addr"}
"""Query types by name (RFC 4620 6; type 1 is only in the drafts that KAME follows)."""

SUBJ_IPV6: Final = 0
SUBJ_FQDN: Final = 1
SUBJ_IPV4: Final = 2
"""Codes of a query (RFC 4620 3)."""

SUCCESS: Final = 0
REFUSED: Final = 1
UNKNOWN: Final = 2
"""Codes of a reply (RFC 4620 3)."""

TRUNCATE: Final = 0x01
"""T, in replies: there are more addresses than the reply holds."""
ALL: Final = 0x02
"""A: the addresses of all interfaces."""
COMPAT: Final = 0x04
LINKLOCAL: Final = 0x08
SITELOCAL: Final = 0x10
GLOBAL: Final = 0x20
ANYCAST: Final = 0x40
"""KAME's own: anycast addresses only."""
ADDRESS_FLAGS: Final = {
    ALL: "A",
    COMPAT: "C",
    LINKLOCAL: "L",
    SITELOCAL: "S",
    GLOBAL: "G",
    ANYCAST: "anycast",
    TRUNCATE: "T",
}
"""Flags of node address queries and replies (RFC 4620 6.3)."""

COMPRESS: Final = 0x01
"""Flag of a supported-qtypes reply: the bitmap is compressed."""
VALIDTTL: Final = 0x01
"""Flag of a name reply: its TTL means something (drafts; KAME never sets it)."""

SUPPORTED: Final = 0x0F
"""The bitmap of the qtypes that KAME's kernel knows: NOOP, supported qtypes, DNS name, node addresses."""

_HEAD = struct.Struct("!HH8s")


class NodeInfo(NamedTuple):
    """A query or reply: `nonce` is 8 octets that the reply repeats, `data` the subject or the answer."""

    qtype: int
    flags: int
    nonce: bytes
    data: bytes = b""

    def pack(self) -> bytes:
        """The body, 12 octets and the data. Raises WireError for values that don't fit."""
        if len(self.nonce) != 8:
            raise WireError(f"a nonce has 8 octets, not {len(self.nonce)}")
        try:
            return _HEAD.pack(self.qtype, self.flags, self.nonce) + self.data
        except struct.error as error:
            raise WireError(f"node information: {error}") from None

    @classmethod
    def parse(cls, body: bytes) -> NodeInfo:
        """Read a body; Truncated below 12 octets."""
        need(body, BODY_LEN, "node information message")
        qtype, flags, nonce = _HEAD.unpack_from(body)
        return cls(qtype, flags, nonce, body[BODY_LEN:])


class NodeAddress(NamedTuple):
    """One address of a reply; `ttl` in seconds, 0xffffffff: infinity."""

    ttl: int
    addr: bytes


def flag_letters(flags: int) -> str:
    """The flags of an address query or reply in letters: ``A C L S G``, ``anycast``, ``T``."""
    return " ".join(letters for bit, letters in ADDRESS_FLAGS.items() if flags & bit)


def encode_name(name: str) -> bytes:
    """A host name as DNS labels (RFC 4620 6.2, RFC 1035 3.1).

    A name with a dot ends in one zero octet; one without is not fully qualified and ends in two. Raises WireError for
    an empty label or one above 63 octets.
    """
    text = name.rstrip(".")
    out = b""
    for label in text.split("."):
        octets = label.encode("utf-8", "surrogateescape")
        if not 0 < len(octets) < 64:
            raise WireError(f"{name!r} has a label of {len(octets)} octets")
        out += bytes((len(octets),)) + octets
    return out + (b"\0" if "." in text else b"\0\0")


def decode_names(data: bytes) -> tuple[str, ...]:
    """The names in ``data``, each of DNS labels without compression; Truncated where one runs over the end.

    A name that is not fully qualified (two zero octets end it) comes without a dot at its end, as any other.
    """
    names = []
    labels: list[str] = []
    at = 0
    while at < len(data):
        size = data[at]
        if size > 63:
            raise WireError(f"label of {size} octets", at)
        if not size:
            if labels:
                names.append(".".join(labels))
            labels = []
        else:
            need(data, 1 + size, "DNS label", at)
            labels.append(data[at + 1 : at + 1 + size].decode("utf-8", "surrogateescape"))
        at += 1 + size
    if labels:
        raise Truncated("the name has no end", at)
    return tuple(names)


def names_match(subject: bytes, name: str) -> bool:
    """The encoded subject of a query is meant for a node called ``name`` (RFC 4620 5): letters' case does not count.

    A subject of one label, not fully qualified, fits every name that begins with it.
    """
    try:
        wanted = decode_names(subject)
    except WireError:
        return False
    if len(wanted) != 1:
        return False
    want, have = wanted[0].lower().split("."), name.rstrip(".").lower().split(".")
    if want == have:
        return True
    return len(want) == 1 and want[0] == have[0]


def name_group(hostname: str) -> bytes:
    """The multicast group of a node's name, ``ff02::2:XXXX:XXXX``, 16 octets (ping6 -N).

    The first 32 bits of the MD5 of the name's first label in lower case behind its length octet. RFC 4620 5 takes 24
    bits behind ff02::2:ff00:0 instead; KAME, written to the drafts, does not. Raises WireError for a label that is
    empty or has more than 63 octets.
    """
    label = hostname.split(".", 1)[0].lower().encode("utf-8", "surrogateescape")
    if not 0 < len(label) < 64:
        raise WireError(f"{hostname!r} has no first label")
    digest = md5(bytes((len(label),)) + label, usedforsecurity=False).digest()
    return bytes.fromhex("ff020000000000000000000200000000")[:12] + digest[:4]


def name_data(name: str, ttl: int = 0, *, old: bool = False) -> bytes:
    """The data of a name reply: a TTL, then the name; ``old``: as draft 03 has it, one length octet and the text."""
    if old:
        text = name.encode("utf-8", "surrogateescape")[:255]
        return ttl.to_bytes(4, "big") + bytes((len(text),)) + text
    return ttl.to_bytes(4, "big") + encode_name(name)


def parse_name_data(data: bytes) -> tuple[int, tuple[str, ...], bool]:
    """(ttl, names, old form?) of a name reply. Raises WireError.

    The older form is told by its length octet, which counts all the rest.
    """
    need(data, 5, "name reply")
    ttl = int.from_bytes(data[:4], "big")
    if data[4] == len(data) - 5:
        return ttl, (data[5:].decode("utf-8", "surrogateescape"),), True
    return ttl, decode_names(data[4:]), False


def address_data(addresses: tuple[NodeAddress, ...]) -> bytes:
    """The data of an address reply, IPv6 or IPv4 (RFC 4620 6.3, 6.4): TTL and address each."""
    return b"".join(one.ttl.to_bytes(4, "big") + one.addr for one in addresses)


def parse_addresses(data: bytes, size: int = 16) -> tuple[NodeAddress, ...]:
    """The addresses of a reply, ``size`` octets each; Truncated where the last is not all there."""
    out = []
    for at in range(0, len(data), 4 + size):
        need(data, 4 + size, "address of a node", at)
        out.append(NodeAddress(int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 4 + size]))
    return tuple(out)


def parse_suptypes(flags: int, data: bytes) -> tuple[int, ...]:
    """The qtypes that a supported-qtypes reply names, in order; COMPRESS: runs of 32-bit words, zeros left out.

    Each block of the compressed form has two 16-bit counts: words that follow, and zero words after them (draft 09).
    """
    words: list[int] = []
    if flags & COMPRESS:
        at = 0
        while at < len(data):
            need(data, 4, "bitmap block", at)
            count, skip = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
            need(data, 4 + 4 * count, "bitmap block", at)
            words += [int.from_bytes(data[at + 4 + 4 * i : at + 8 + 4 * i], "big") for i in range(count)]
            if len(words) + skip > 2048:
                raise WireError("a bitmap of more than 65536 types", at)
            words += [0] * skip
            at += 4 + 4 * count
    else:
        if len(data) % 4:
            raise Truncated("a bitmap is made of 32-bit words", len(data))
        words = [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]
    return tuple(32 * i + bit for i, word in enumerate(words) for bit in range(32) if word >> bit & 1)


def query_body(qtype: int, nonce: bytes, subject: bytes, flags: int = 0) -> bytes:
    """The body of a query (RFC 4620 4); the caller picks the code that says what ``subject`` is."""
    return NodeInfo(qtype, flags, nonce, subject).pack()
