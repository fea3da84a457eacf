"""Tunnel headers and the three treatments of congestion bits (KAME IMPLEMENTATION 4.6)."""

from __future__ import annotations

import pytest
from ipsec_packets import TEXT, A, B, C, D

from kamelab.stack.netipsec.ecn import egress, ingress
from kamelab.stack.netipsec.encap import decapsulate, encapsulate
from kamelab.stack.netipsec.errors import TransformError
from kamelab.wire import ip6

# setting, inner before, outer made of it, outer marked on the way, inner after
TABLE = [
    (-1, 0xB8, 0xB8, 0xB8, 0xB8),
    (-1, 0xBA, 0xBA, 0xBB, 0xBA),
    (-1, 0xBB, 0xBB, 0xBB, 0xBB),
    (0, 0xB8, 0xB8, 0xB8, 0xB8),
    (0, 0xBA, 0xB8, 0xB9, 0xBA),
    (0, 0xBB, 0xB8, 0xB8, 0xBB),
    (1, 0xB8, 0xB8, 0xB8, 0xB8),
    (1, 0xBA, 0xBA, 0xBA, 0xBA),
    (1, 0xBA, 0xBA, 0xBB, 0xBB),
    (1, 0xBB, 0xBA, 0xBA, 0xBB),
]


@pytest.mark.parametrize(("ecn", "inner", "outer", "marked", "after"), TABLE)
def test_traffic_class_into_and_out_of_a_tunnel(ecn: int, inner: int, outer: int, marked: int, after: int) -> None:
    assert ingress(ecn, inner) == outer
    assert egress(ecn, marked, inner) == after
    packet = ip6.build(C, D, 17, TEXT, tclass=inner, flow=0xABCDE, hlim=7)
    around = encapsulate(packet, A, B, ecn)
    head = ip6.parse(around)
    assert head == (outer, 0, len(packet), ip6.IPPROTO_IPV6, 64, A, B)
    bent = (0x60000000 | marked << 20).to_bytes(4, "big") + around[4:]
    out = decapsulate(bent, 40, ecn)
    assert ip6.parse(out) == (after, 0xABCDE, len(TEXT), 17, 7, C, D)
    assert out[40:] == TEXT


def test_an_ipv4_packet_is_carried_with_its_tos() -> None:
    four = bytes((0x45, 0x03)) + bytes(18)
    head = ip6.parse(encapsulate(four, A, B, 1))
    assert (head.nxt, head.tclass) == (ip6.IPPROTO_IPV4, 0x02)


def test_what_is_no_packet_does_not_leave_the_tunnel() -> None:
    for inner in (b"", bytes(40), ip6.build(C, D, 59, b"")[:39]):
        with pytest.raises(TransformError) as error:
            decapsulate(ip6.build(A, B, 41, inner), 40)
        assert error.value.reason == "HEADERS_BAD"
    with pytest.raises(TransformError) as error:
        encapsulate(bytes(65536), A, B)
    assert error.value.reason == "TOO_BIG"
