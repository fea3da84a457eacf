"""Congestion bits through a tunnel: what the outer header gets and what the inner one keeps.

KAME IMPLEMENTATION 4.6; draft-ietf-ipsec-ecn-02 3.3; KAME netinet/ip_ecn.c. The setting is net.inet6.ipsec6.ecn, for
the whole node. The bits are those of RFC 2481: 0x02 "ECN capable", 0x01 "congestion experienced". Left out: RFC 6040,
which would drop some combinations.
"""

from __future__ import annotations

from typing import Final

ECN_RFC2401: Final = -1
ECN_FORBIDDEN: Final = 0
ECN_ALLOWED: Final = 1

CE: Final = 0x01


def ingress(ecn: int, inner: int) -> int:
    """The traffic class (or TOS) of the outer header for that of the inner (KAME ip_ecn_ingress)."""
    if ecn == ECN_ALLOWED:
        return inner & ~CE
    if ecn == ECN_FORBIDDEN:
        return inner & 0xFC
    return inner


def egress(ecn: int, outer: int, inner: int) -> int:
    """The traffic class that the inner header leaves the tunnel with (KAME ip_ecn_egress)."""
    if ecn == ECN_ALLOWED and outer & CE:
        return inner | CE
    return inner
