"""Ethernet headers and MAC addresses, and how IPv6 uses them.

RFC 2464 (IPv6 over Ethernet). Text of a MAC comes in two shapes: BSD's without leading zeros, as ndp(8) and
ifconfig(8) print it, and with two digits a group. Left out: 802.3 length framing, VLAN tags, the frame check sequence.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kamelab.wire.buffer import need

HEADER_LEN: Final = 14
"""Octets of destination, source and type."""
MTU: Final = 1500
"""The default MTU for IPv6 over Ethernet (RFC 2464 2)."""

ETHERTYPE_IP: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_IPV6: Final = 0x86DD

BROADCAST: Final = b"\xff\xff\xff\xff\xff\xff"

ETHERTYPE_NAMES: Final = {ETHERTYPE_IP: "IPv4", ETHERTYPE_ARP: "ARP", ETHERTYPE_IPV6: "IPv6", 0x8100: "802.1Q"}

_HEX = frozenset("0123456789abcdefABCDEF")


class Ether(NamedTuple):
    """The three fields of an Ethernet II header; addresses are 6 octets."""

    dst: bytes
    src: bytes
    ethertype: int


def parse(frame: bytes) -> Ether:
    """Read the header of a frame; Truncated below 14 octets."""
    need(frame, HEADER_LEN, "Ethernet header")
    return Ether(frame[0:6], frame[6:12], (frame[12] << 8) | frame[13])


def header(dst: bytes, src: bytes, ethertype: int = ETHERTYPE_IPV6) -> bytes:
    """The 14 octets before a payload. Raises ValueError for a MAC that has not 6 octets or a type beyond 16 bits."""
    if len(dst) != 6 or len(src) != 6:
        raise ValueError("a MAC address has 6 octets")
    if not 0 <= ethertype <= 0xFFFF:
        raise ValueError(f"an Ethernet type has 16 bits, not {ethertype:#x}")
    return dst + src + ethertype.to_bytes(2, "big")


def mac_pton(text: str) -> bytes:
    """The 6 octets of a MAC in text: six groups of one or two hex digits. Raises ValueError for anything else."""
    parts = text.split(":")
    if len(parts) != 6 or not all(0 < len(p) <= 2 and _HEX.issuperset(p) for p in parts):
        raise ValueError(f"bad MAC address {text!r}: six groups of one or two hex digits are expected")
    return bytes(int(p, 16) for p in parts)


def mac_ntop(mac: bytes) -> str:
    """BSD's text of a link-layer address, no leading zeros: `0:c0:4f:1:2:3` (KAME `ndp.c` ether_str)."""
    return ":".join([f"{octet:x}" for octet in mac])


def mac_text(mac: bytes) -> str:
    """A link-layer address with two digits a group: `00:c0:4f:01:02:03`."""
    return mac.hex(":")


def multicast_mac(group: bytes) -> bytes:
    """The Ethernet address 33:33 and the last four octets of an IPv6 multicast group (RFC 2464 7)."""
    return b"\x33\x33" + group[12:16]
