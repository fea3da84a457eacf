"""Ethernet, IPv6, extension headers, UDP and TCP: fields, limits, refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import ether, exthdr, icmp6, ip6, tcp, udp
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.in6 import pton

A, B, C = pton("2001:db8:1::1"), pton("2001:db8:2::1"), pton("2001:db8:3::1")


def test_mac_text_in_both_shapes() -> None:
    mac = ether.mac_pton("0:c0:4f:1:2:3")
    assert mac == ether.mac_pton("00:C0:4F:01:02:03") == bytes.fromhex("00c04f010203")
    assert ether.mac_ntop(mac) == "0:c0:4f:1:2:3"
    assert ether.mac_text(mac) == "00:c0:4f:01:02:03"


@pytest.mark.parametrize(
    "text", ["", "0:1:2:3:4", "0:1:2:3:4:5:6", "0:1:2:3:4:g", "000:1:2:3:4:5", "0:1:2:3:4:", "+1:1:1:1:1:1"]
)
def test_bad_macs_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bad MAC address"):
        ether.mac_pton(text)


def test_ethernet_header_both_ways() -> None:
    frame = ether.header(b"\x33\x33\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x01") + b"data"
    assert frame[:14].hex() == "33330000000102000000000186dd"
    assert ether.parse(frame) == (b"\x33\x33\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x01", ether.ETHERTYPE_IPV6)


def test_ethernet_header_refuses_a_mac_of_another_length() -> None:
    with pytest.raises(ValueError, match="6 octets"):
        ether.header(b"\x02", bytes(6))


def test_group_addresses_map_to_3333_and_their_last_32_bits() -> None:
    assert ether.multicast_mac(pton("ff02::1:ff0e:8c6c")) == bytes.fromhex("3333ff0e8c6c")


def test_ipv6_header_layout() -> None:
    packet = ip6.build(A, B, ip6.IPPROTO_UDP, b"12345", hlim=7, tclass=0xA5, flow=0xFEDCB)
    assert packet[:8].hex() == "6a5fedcb00051107"
    assert packet[ip6.SRC : ip6.DST] == A
    assert packet[ip6.DST : 40] == B
    assert int.from_bytes(packet[ip6.PLEN : ip6.NXT], "big") == 5
    assert (packet[ip6.NXT], packet[ip6.HLIM]) == (17, 7)
    assert ip6.parse(packet) == ip6.Ip6(0xA5, 0xFEDCB, 5, 17, 7, A, B)


@given(st.integers(0, 255), st.integers(0, 0xFFFFF), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=99))
def test_ipv6_header_roundtrip(tclass: int, flow: int, nxt: int, hlim: int, payload: bytes) -> None:
    packet = ip6.build(A, B, nxt, payload, hlim=hlim, tclass=tclass, flow=flow)
    assert ip6.parse(packet) == (tclass, flow, len(payload), nxt, hlim, A, B)
    assert packet[40:] == payload


def test_ipv6_header_refuses_what_does_not_fit() -> None:
    with pytest.raises(WireError, match="version 4"):
        ip6.parse(b"\x45" + bytes(39))
    with pytest.raises(Truncated, match="39 of 40"):
        ip6.parse(b"\x60" + bytes(38))
    with pytest.raises(WireError):
        ip6.build(A, B, 17, bytes(65536))
    with pytest.raises(WireError):
        ip6.build(A, B, 17, b"", hlim=256)
    with pytest.raises(WireError, match="flow label"):
        ip6.build(A, B, 17, b"", flow=1 << 20)
    with pytest.raises(WireError, match="16 octets"):
        ip6.build(A[:4], B, 17, b"")


def test_the_error_says_where_and_why() -> None:
    error = Truncated("option 5 has no length", 12)
    assert (error.offset, error.reason) == (12, "option 5 has no length")
    assert isinstance(error, WireError)
    assert isinstance(error, ValueError)
    assert str(error) == "option 5 has no length (octet 12)"


def test_router_alert_is_the_octets_of_rfc_2711() -> None:
    assert exthdr.router_alert(58).hex() == "3a00050200000100"


@pytest.mark.parametrize("build", [exthdr.hop_by_hop, exthdr.destination_options])
@pytest.mark.parametrize("size", range(0, 24))
def test_options_headers_are_padded_to_8_octets(build: Callable[[int, bytes], bytes], size: int) -> None:
    opts = exthdr.option(0x1E, bytes(size))
    header = build(17, opts)
    assert len(header) % 8 == 0
    assert len(header) - len(opts) - 2 < 8
    assert (header[0], (header[1] + 1) * 8) == (17, len(header))
    kinds = [(kind, value) for kind, value, _ in exthdr.options(header[2:])]
    assert kinds[0] == (0x1E, bytes(size))
    assert all(kind in (0, 1) and not any(value) for kind, value in kinds[1:])


def test_options_come_with_their_offsets() -> None:
    header = exthdr.hop_by_hop(58, b"\x00" + exthdr.option(5, b"\x00\x00") + exthdr.option(0xC2, b"abcd"))
    assert list(exthdr.options(header[2:], 42)) == [
        (0, b"", 42),
        (5, b"\x00\x00", 43),
        (0xC2, b"abcd", 47),
        (1, b"\x00", 53),
    ]


@pytest.mark.parametrize(("data", "offset"), [(b"\x00\x05", 101), (b"\x05\x03\x00\x00", 100), (b"\x01\x01", 100)])
def test_an_option_over_the_end_is_truncated_after_the_good_ones(data: bytes, offset: int) -> None:
    with pytest.raises(Truncated) as caught:
        list(exthdr.options(data, 100))
    assert caught.value.offset == offset


def test_fragment_header_both_ways() -> None:
    head = exthdr.build_fragment(58, 1448, True, 0xDEADBEEF)
    assert head.hex() == "3a0005a9deadbeef"
    assert exthdr.parse_fragment(head + b"rest") == exthdr.Fragment(58, 1448, True, 0xDEADBEEF)
    last = exthdr.build_fragment(17, 0xFFF8, False, 1)
    assert exthdr.parse_fragment(last) == (17, 0xFFF8, False, 1)
    for offset in (-8, 4, 0x10000):
        with pytest.raises(WireError, match="offset"):
            exthdr.build_fragment(58, offset, False, 1)


def test_routing_header_both_ways() -> None:
    head = exthdr.build_routing0(58, 2, (B, C))
    assert len(head) == 40
    assert head[:8].hex() == "3a04000200000000"
    assert exthdr.parse_routing(head + b"rest") == exthdr.Routing(58, 4, 0, 2, (B, C))
    with pytest.raises(Truncated):
        exthdr.parse_routing(head[:39])
    # Odd length: only whole addresses; another type: none.
    assert exthdr.parse_routing(b"\x3a\x03\x00\x01" + bytes(28)).addresses == (bytes(16),)
    assert exthdr.parse_routing(b"\x3a\x02\x02\x01" + bytes(20)).addresses == ()


def test_upper_layer_walks_the_chain() -> None:
    upper = b"\x80\x00" + bytes(6)
    chain = exthdr.build_routing0(44, 0, (B,)) + exthdr.build_fragment(60, 0, True, 1)
    chain += exthdr.destination_options(58, b"") + upper
    packet = ip6.build(A, B, 0, exthdr.router_alert(43) + chain)
    nxt, at = exthdr.upper_layer(packet)
    assert nxt == ip6.IPPROTO_ICMPV6
    assert packet[at:] == upper


def test_upper_layer_counts_ah_in_4_octets() -> None:
    ah = b"\x3a\x04" + bytes(22)
    assert exthdr.upper_layer(ip6.build(A, B, 51, ah + b"x")) == (58, 64)


@pytest.mark.parametrize("nxt", [ip6.IPPROTO_ESP, ip6.IPPROTO_NONE, ip6.IPPROTO_TCP, 253])
def test_upper_layer_stops_at_what_is_no_extension_header(nxt: int) -> None:
    assert exthdr.upper_layer(ip6.build(A, B, nxt, bytes(8))) == (nxt, 40)
    assert exthdr.upper_layer(ip6.build(A, B, nxt, b"")) == (nxt, 40)


def test_upper_layer_stops_at_a_later_fragment() -> None:
    packet = ip6.build(A, B, 60, exthdr.destination_options(44, b"") + exthdr.build_fragment(58, 8, False, 1) + b"data")
    assert exthdr.upper_layer(packet) == (ip6.IPPROTO_FRAGMENT, 48)


@pytest.mark.parametrize("cut", [39, 40, 47, 48, 62])
def test_upper_layer_of_a_cut_chain_is_truncated(cut: int) -> None:
    packet = ip6.build(A, B, 0, exthdr.router_alert(60) + exthdr.destination_options(58, bytes(10)) + b"upper")
    with pytest.raises(Truncated):
        exthdr.upper_layer(packet[:cut])


def test_udp_both_ways() -> None:
    segment = udp.build(A, B, 33434, 53, b"payload")
    head = udp.parse(segment)
    assert head[:3] == (33434, 53, 15)
    assert segment[8:] == b"payload"
    assert in6_cksum_ok(A, B, ip6.IPPROTO_UDP, segment)


def test_udp_sends_a_checksum_of_zero_as_ffff() -> None:
    # Chosen so that the sum is 0xffff: ports and lengths 0, 0, 10, 10 and protocol 17 leave 0xffff - 37.
    segment = udp.build(bytes(16), bytes(16), 0, 0, (0xFFFF - 37).to_bytes(2, "big"))
    assert udp.parse(segment).checksum == 0xFFFF
    assert in6_cksum_ok(bytes(16), bytes(16), 17, segment)


def test_udp_refuses_what_does_not_fit() -> None:
    with pytest.raises(WireError):
        udp.build(A, B, 65536, 1, b"")
    with pytest.raises(WireError):
        udp.build(A, B, 1, 1, bytes(65530))
    with pytest.raises(Truncated):
        udp.parse(bytes(7))


def test_tcp_header_with_options() -> None:
    options = bytes.fromhex("020405a0")
    segment = bytes.fromhex("c000001600000064000000c86012ffff12340000") + options + b"data"
    head = tcp.parse(segment)
    assert head == (49152, 22, 100, 200, 24, tcp.SYN | tcp.ACK, 65535, 0x1234, 0, options)
    assert tcp.flags_text(head.flags) == "S."
    assert tcp.flags_text(0) == "none"
    with pytest.raises(Truncated):
        tcp.parse(segment[:23])
    with pytest.raises(WireError, match="data offset of 16"):
        tcp.parse(segment[:12] + b"\x40" + segment[13:])


def test_icmp6_echo_and_error_layout() -> None:
    echo = icmp6.build(A, B, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 2, b"abcd"))
    assert echo[:2] + echo[4:] == b"\x80\x00\x00\x01\x00\x02abcd"
    assert in6_cksum_ok(A, B, 58, echo)
    assert icmp6.parse_echo(echo) == (1, 2, b"abcd")
    assert icmp6.parse(echo)[:2] == (128, 0)
    error = icmp6.build(B, A, icmp6.PACKET_TOO_BIG, 0, icmp6.error_body(1280, b"quoted"))
    assert icmp6.parse_error(error) == icmp6.Icmp6Error(2, 0, 1280, b"quoted")
    for reader in (icmp6.parse_echo, icmp6.parse_error):
        with pytest.raises(Truncated):
            reader(error[:7])


def test_error_types_are_those_below_128() -> None:
    assert [t for t in range(256) if icmp6.is_error(t)] == list(range(128))
    assert icmp6.type_name(icmp6.NEIGHBOR_SOLICIT) == "neighbor solicitation"
    assert icmp6.type_name(200) == "#200"
    assert ip6.protocol_name(58) == "ICMPv6"
    assert ip6.protocol_name(253) == "protocol 253"
