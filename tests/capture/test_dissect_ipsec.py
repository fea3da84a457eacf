"""AH, ESP and IPComp in the decode tree: what can be read without a key (RFC 4302 2, RFC 4303 2, RFC 3173 3)."""

from __future__ import annotations

from kamelab.capture.dissect import dissect
from kamelab.capture.tree import values, walk
from kamelab.wire import ah, esp, ether, ip6, ipcomp, udp
from kamelab.wire.in6 import pton

A, B = pton("2001:db8::a"), pton("2001:db8::b")
UDP = udp.build(A, B, 4000, 5000, b"data")
HEAD = ether.header(bytes(6), bytes(6))


def test_behind_ah_everything_can_be_read() -> None:
    frame = HEAD + ip6.build(A, B, 51, ah.build(17, 1000, 7, bytes(range(12))) + UDP)
    tree = dissect(frame)
    assert [field.name for field in tree] == ["eth", "ipv6", "ah", "udp", "data"]
    found = values(tree)
    assert found["ah.spi"] == [1000]
    assert found["ah.sequence"] == [7]
    assert found["ah.icv"] == [bytes(range(12))]
    assert (found["ah.next_header"], found["ah.length"], found["ah.reserved"]) == ([17], [4], [b"\0\0"])
    assert found["udp.dstport"] == [5000]


def test_behind_esp_nothing_can() -> None:
    tree = dissect(HEAD + ip6.build(A, B, 50, esp.build(3000, 1) + bytes(40)))
    assert [field.name for field in tree] == ["eth", "ipv6", "esp", "data"]
    assert values(tree)["esp.spi"] == [3000]
    assert values(tree)["esp.sequence"] == [1]
    assert any("SPI 0x00000bb8, Sequence 1" in field.label for field in walk(tree))


def test_ipcomp_tells_what_it_has_compressed() -> None:
    tree = dissect(HEAD + ip6.build(A, B, 108, ipcomp.build(17, 2) + bytes(9)))
    assert [field.name for field in tree] == ["eth", "ipv6", "ipcomp", "data"]
    found = values(tree)
    assert (found["ipcomp.next_header"], found["ipcomp.flags"], found["ipcomp.cpi"]) == ([17], [0], [2])


def test_an_ah_that_is_too_short_for_its_fields_is_malformed() -> None:
    tree = dissect(HEAD + ip6.build(A, B, 51, bytes((17, 0, 0, 0)) + bytes(20)))
    assert "_ws.malformed" in {field.name for field in walk(tree)}
