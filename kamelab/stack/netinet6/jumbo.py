"""Jumbo payloads: the option on input, and the header that carries it on output.

RFC 2675; KAME ip6_input.c ip6_process_hopopts, ip6_output.c ip6_insert_jumboopt; KAME IMPLEMENTATION 1.7 (2001). Only
lo0 can be made large enough (``ifconfig lo0 mtu 70000``, KAME's LARGE_LOMTU). Left out, as there: TCP and UDP.
"""

from __future__ import annotations

from kamelab.stack.packet import Packet
from kamelab.wire import exthdr
from kamelab.wire.ip6 import IPPROTO_TCP, IPPROTO_UDP, MAX_PAYLOAD

LARGE_LOMTU = 131072
"""The most that the MTU of lo0 can be, octets (KAME's kernel option of that name)."""

NOT_JUMBO = (IPPROTO_TCP, IPPROTO_UDP)
"""Upper layers whose length fields know nothing of jumbograms (KAME IMPLEMENTATION 1.7 (2001))."""


def jumbo_option(pkt: Packet, at: int) -> tuple[str, int] | None:
    """Read the jumbo payload option at offset ``at`` into ``pkt.jumbo``: None, or (drop reason, pointer).

    The reason is that of a parameter problem of code 0 (RFC 2675 3). Order of tests: KAME ip6_process_hopopts.
    """
    data = pkt.data
    if data[at + 1] != 4:
        return "OPT_BADLEN", at + 1
    if data[4] or data[5]:
        return "JUMBO_BAD", at
    length = int.from_bytes(data[at + 2 : at + 6], "big")
    if pkt.jumbo or length <= MAX_PAYLOAD:
        return "JUMBO_BAD", at + 2
    pkt.jumbo = length
    return None


def jumbo_header(hop_by_hop: bytes, rest: int) -> bytes:
    """The hop-by-hop header of a jumbogram: a program's options, if it gave any, and the length.

    ``rest``: octets that follow it. The next header is left 0. WireError: no room for the option.
    """
    return exthdr.jumbo_payload(_without_padding(hop_by_hop[2:]), rest)


def _without_padding(options: bytes) -> bytes:
    """Options up to the padding behind the last one."""
    end = 0
    for kind, value, at in exthdr.options(options):
        if kind not in (exthdr.OPT_PAD1, exthdr.OPT_PADN):
            end = at + 2 + len(value)
    return options[:end]
