"""Tunnel mode: a packet around a packet, before ESP or AH, and the inner one taken out after them.

RFC 4301 5.1.2; KAME netinet6/ipsec.c ipsec6_encapsulate, esp_input.c, ip_ecn.c. The outer hop limit is 64 and its flow
label 0. Left out: an outer header of IPv4, and counting down the inner hop limit, which forwarding has done.
"""

from __future__ import annotations

from kamelab.stack.netipsec.ecn import ECN_FORBIDDEN, egress, ingress
from kamelab.stack.netipsec.errors import TransformError
from kamelab.wire.ip6 import HEADER_LEN, IPPROTO_IPV4, IPPROTO_IPV6, MAX_PAYLOAD

HLIM = 64


def encapsulate(inner: bytes, src: bytes, dst: bytes, ecn: int = ECN_FORBIDDEN, hlim: int = HLIM) -> bytes:
    """An IPv6 packet from `src` to `dst` (16 octets, as on the wire) around a whole IPv6 or IPv4 packet.

    `ecn` is net.inet6.ipsec6.ecn (KAME IMPLEMENTATION 4.6). TransformError TOO_BIG above 65,535 octets.
    """
    if len(inner) > MAX_PAYLOAD:
        raise TransformError("TOO_BIG", f"{len(inner)} octets")
    four = inner[0] >> 4 == 4
    tclass = ingress(ecn, inner[1] if four else (inner[0] & 15) << 4 | inner[1] >> 4)
    first = 0x60000000 | tclass << 20
    nxt = IPPROTO_IPV4 if four else IPPROTO_IPV6
    return b"%b%b%c%c%b%b%b" % (first.to_bytes(4, "big"), len(inner).to_bytes(2, "big"), nxt, hlim, src, dst, inner)


def decapsulate(outer: bytes, off: int, ecn: int = ECN_FORBIDDEN) -> bytes:
    """The IPv6 packet that begins at `off`, its traffic class mended as `ecn` says; `outer` is the packet around it.

    TransformError HEADERS_BAD if what is there is no IPv6 packet. Whether its length is right is for ip6_input.
    """
    inner = outer[off:]
    if len(inner) < HEADER_LEN or inner[0] >> 4 != 6:
        raise TransformError("HEADERS_BAD", "no IPv6 packet in the tunnel")
    was = (inner[0] & 15) << 4 | inner[1] >> 4
    now = egress(ecn, (outer[0] & 15) << 4 | outer[1] >> 4, was)
    if now == was:
        return inner
    return b"%c%c%b" % (0x60 | now >> 4, (now & 15) << 4 | inner[1] & 15, inner[2:])
