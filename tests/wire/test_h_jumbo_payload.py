"""Jumbograms on the wire: the option, where it stands, and how they are summed up in a line (RFC 2675 2, 3)."""

from __future__ import annotations

import pytest

from kamelab.wire import ether, exthdr, icmp6, in6, ip6, summary
from kamelab.wire.buffer import Truncated, WireError

LO = in6.LOOPBACK


@pytest.mark.parametrize(
    "before", [b"", b"\x1e\x00", b"\x1e\x01x", b"\x1e\x02xy", b"\x1e\x03xyz", bytes(range(30, 60))[:0]]
)
def test_the_option_stands_at_4n_plus_2_and_tells_header_and_rest(before: bytes) -> None:
    header = exthdr.jumbo_payload(before, 66000)
    assert len(header) % 8 == 0
    (found,) = [one for one in exthdr.options(header[2:], 2) if one[0] == exthdr.OPT_JUMBO]
    assert int.from_bytes(found[1], "big") == len(header) + 66000
    assert found[2] % 4 == 2
    assert header[2 : 2 + len(before)] == before


def test_options_that_leave_no_room_for_it() -> None:
    with pytest.raises(WireError):
        exthdr.jumbo_payload(exthdr.option(0x1E, bytes(250)) * 8 + exthdr.option(0x1E, bytes(30)), 66000)


def jumbogram(size: int = 66000) -> bytes:
    message = icmp6.build(LO, LO, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 1, bytes(size)))
    header = exthdr.jumbo_payload(b"", len(message))
    return ip6.build_jumbo(LO, LO, bytes([58]) + header[1:] + message)


def test_its_size_is_what_the_option_says() -> None:
    packet = jumbogram()
    assert ip6.parse(packet).plen == 0
    assert exthdr.packet_size(packet) == len(packet)
    assert exthdr.packet_size(packet + b"padding") == len(packet)
    plain = ip6.build(LO, LO, 59, b"four")
    assert exthdr.packet_size(plain + b"padding") == len(plain)
    assert exthdr.packet_size(ip6.build(LO, LO, 0, b"") + exthdr.hop_by_hop(59, b"")) == 40
    with pytest.raises(Truncated):
        exthdr.packet_size(plain[:39])


@pytest.mark.parametrize("damage", [slice(40, 41), slice(42, 48), slice(44, 60)])
def test_any_octets_have_some_size(damage: slice) -> None:
    packet = bytearray(jumbogram())
    packet[damage] = b"\x1e" * len(packet[damage])
    assert exthdr.packet_size(bytes(packet)) >= 40
    assert exthdr.packet_size(bytes(packet[:48])) >= 40


def test_a_line_about_it_reads_through_to_the_echo_request() -> None:
    line = summary.info(ether.header(bytes(6), bytes(6)) + jumbogram())
    assert "jumbo" in line
    assert "echo request" in line
    assert "length 66000" in line or "66008" in line
    assert "truncated" not in line
    assert summary.protocol(ether.header(bytes(6), bytes(6)) + jumbogram()) == "ICMPv6"
    assert "truncated" in summary.info(ether.header(bytes(6), bytes(6)) + jumbogram()[:-100])
