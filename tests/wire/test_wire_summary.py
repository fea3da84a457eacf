"""Golden lines: what the packet list says of a frame."""

from __future__ import annotations

import pytest

from kamelab.wire import ether, exthdr, icmp6, ip6, mld, nd, nd_options, summary, udp
from kamelab.wire.in6 import pton
from kamelab.wire.nd_options import INFINITE, PrefixInfo, RouteInfo

M1, M2 = ether.mac_pton("2:0:0:0:0:1"), ether.mac_pton("2:0:0:0:0:2")
LL1, LL2, ALL = "fe80::1", "fe80::2", "ff02::1"
A, B = "2001:db8:1::1", "2001:db8:2::1"


def frame(src: str, dst: str, nxt: int, payload: bytes) -> bytes:
    return ether.header(M2, M1) + ip6.build(pton(src), pton(dst), nxt, payload)


def message(src: str, dst: str, kind: int, body: bytes, code: int = 0) -> bytes:
    return icmp6.build(pton(src), pton(dst), kind, code, body)


def icmp(src: str, dst: str, kind: int, body: bytes, code: int = 0) -> bytes:
    return frame(src, dst, ip6.IPPROTO_ICMPV6, message(src, dst, kind, body, code))


ECHO = message(A, B, icmp6.ECHO_REQUEST, icmp6.echo_body(1, 0, bytes(8)))
ECHO_PACKET = frame(A, B, 58, ECHO)[14:]
UDP_PACKET = frame(A, B, 17, udp.build(pton(A), pton(B), 40000, 33434, bytes(12)))[14:]
SLLA = nd_options.build_lladdr(nd_options.SLLA, M1)
TLLA = nd_options.build_lladdr(nd_options.TLLA, M2)
PREFIX = PrefixInfo(64, True, True, 2592000, 604800, pton("2001:db8:1::"))
TCP = bytes.fromhex("c001001600000064000000c85012200000000000")


def mld_frame(kind: int, dst: str, delay: int, group: str) -> bytes:
    body = message(LL1, dst, kind, mld.Mld(delay, pton(group)).pack())
    return frame(LL1, dst, 0, exthdr.router_alert(58) + body)


def error(kind: int, code: int, word: int, quoted: bytes = ECHO_PACKET) -> bytes:
    return icmp(LL2, A, kind, icmp6.error_body(word, quoted), code)


def ra(
    options: bytes, *, managed: bool = False, other: bool = False, preference: int = 0, lifetime: int = 1800
) -> bytes:
    advert = nd.RouterAdvert(64, managed, other, preference, lifetime, 0, 0, options)
    return icmp(LL1, ALL, icmp6.ROUTER_ADVERT, advert.pack())


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (ra(nd_options.build_prefix(PREFIX)), "fe80::1 > ff02::1: RA lifetime 1800 prefix 2001:db8:1::/64 L A"),
        (
            ra(
                SLLA
                + nd_options.build_mtu(1400)
                + nd_options.build_prefix(PREFIX)
                + nd_options.build_prefix(PrefixInfo(48, False, False, INFINITE, INFINITE, pton("fd00::")))
                + nd_options.build_route(RouteInfo(48, 1, 600, pton("2001:db8:9::")))
                + nd_options.build_rdnss(nd_options.Rdnss(60, (pton("fd00::53"),))),
                managed=True,
                other=True,
                preference=-1,
                lifetime=0,
            ),
            "fe80::1 > ff02::1: RA lifetime 0 M O pref low prefix 2001:db8:1::/64 L A prefix fd00::/48 "
            "route 2001:db8:9::/48 pref high mtu 1400 rdnss fd00::53",
        ),
        (
            icmp(LL1, "ff02::2", icmp6.ROUTER_SOLICIT, nd.RouterSolicit(SLLA).pack()),
            "fe80::1 > ff02::2: RS from 2:0:0:0:0:1",
        ),
        (icmp("::", "ff02::2", icmp6.ROUTER_SOLICIT, nd.RouterSolicit().pack()), ":: > ff02::2: RS"),
        (
            icmp(A, "ff02::1:ff00:2", icmp6.NEIGHBOR_SOLICIT, nd.NeighborSolicit(pton("2001:db8:1::2"), SLLA).pack()),
            "2001:db8:1::1 > ff02::1:ff00:2: NS who has 2001:db8:1::2",
        ),
        (
            icmp(
                "::",
                "ff02::1:ff00:2",
                icmp6.NEIGHBOR_SOLICIT,
                nd.NeighborSolicit(pton(LL2), nd_options.build_nonce(b"\x01\x02\x03\x04\x05\x06")).pack(),
            ),
            ":: > ff02::1:ff00:2: NS who has fe80::2 nonce 010203040506",
        ),
        (
            icmp(
                "2001:db8:1::2",
                A,
                icmp6.NEIGHBOR_ADVERT,
                nd.NeighborAdvert(False, True, True, pton("2001:db8:1::2"), TLLA).pack(),
            ),
            "2001:db8:1::2 > 2001:db8:1::1: NA 2001:db8:1::2 is at 2:0:0:0:0:2 S O",
        ),
        (
            icmp(LL1, ALL, icmp6.NEIGHBOR_ADVERT, nd.NeighborAdvert(True, False, False, pton(LL1)).pack()),
            "fe80::1 > ff02::1: NA fe80::1 R",
        ),
        (
            icmp(LL1, A, icmp6.REDIRECT, nd.Redirect(pton(LL2), pton(B), TLLA).pack()),
            "fe80::1 > 2001:db8:1::1: redirect 2001:db8:2::1 to fe80::2 is at 2:0:0:0:0:2",
        ),
        (
            icmp(LL1, A, icmp6.REDIRECT, nd.Redirect(pton(B), pton(B)).pack()),
            "fe80::1 > 2001:db8:1::1: redirect 2001:db8:2::1 is on-link",
        ),
        (frame(A, B, 58, ECHO), "2001:db8:1::1 > 2001:db8:2::1: echo request id 1 seq 0 length 16"),
        (
            icmp(B, A, icmp6.ECHO_REPLY, icmp6.echo_body(65535, 9, b"")),
            "2001:db8:2::1 > 2001:db8:1::1: echo reply id 65535 seq 9 length 8",
        ),
        (
            error(icmp6.DST_UNREACH, icmp6.UNREACH_NOROUTE, 0),
            "fe80::2 > 2001:db8:1::1: unreachable no route "
            "[2001:db8:1::1 > 2001:db8:2::1: echo request id 1 seq 0 length 16]",
        ),
        (
            error(icmp6.DST_UNREACH, icmp6.UNREACH_PORT, 0, UDP_PACKET),
            "fe80::2 > 2001:db8:1::1: unreachable port [2001:db8:1::1 > 2001:db8:2::1: UDP 40000 > 33434 length 12]",
        ),
        (
            error(icmp6.DST_UNREACH, 77, 0, UDP_PACKET[:41]),
            "fe80::2 > 2001:db8:1::1: unreachable code 77 "
            "[2001:db8:1::1 > 2001:db8:2::1: UDP [truncated UDP header: 1 of 8 octets]]",
        ),
        (
            error(icmp6.PACKET_TOO_BIG, 0, 1280),
            "fe80::2 > 2001:db8:1::1: packet too big mtu 1280 "
            "[2001:db8:1::1 > 2001:db8:2::1: echo request id 1 seq 0 length 16]",
        ),
        (
            error(icmp6.TIME_EXCEEDED, icmp6.TIMXCEED_HOPS, 0, UDP_PACKET),
            "fe80::2 > 2001:db8:1::1: time exceeded in-transit "
            "[2001:db8:1::1 > 2001:db8:2::1: UDP 40000 > 33434 length 12]",
        ),
        (
            error(icmp6.TIME_EXCEEDED, icmp6.TIMXCEED_REASSEMBLY, 0, b""),
            "fe80::2 > 2001:db8:1::1: time exceeded in reassembly [[truncated IPv6 header: 0 of 40 octets]]",
        ),
        (
            error(icmp6.PARAM_PROB, icmp6.PARAM_NEXTHDR, 40, frame(A, B, 253, b"abc")[14:]),
            "fe80::2 > 2001:db8:1::1: parameter problem next header at octet 40 "
            "[2001:db8:1::1 > 2001:db8:2::1: protocol 253 length 3]",
        ),
        (mld_frame(icmp6.MLD_QUERY, ALL, 10000, "::"), "fe80::1 > ff02::1: MLD query max delay 10000"),
        (mld_frame(icmp6.MLD_QUERY, "ff02::9", 1000, "ff02::9"), "fe80::1 > ff02::9: MLD query ff02::9 max delay 1000"),
        (
            mld_frame(icmp6.MLD_REPORT, "ff02::1:ff00:1", 0, "ff02::1:ff00:1"),
            "fe80::1 > ff02::1:ff00:1: MLD report ff02::1:ff00:1",
        ),
        (mld_frame(icmp6.MLD_DONE, "ff02::2", 0, "ff02::9"), "fe80::1 > ff02::2: MLD done ff02::9"),
        (
            icmp(
                LL1,
                "ff02::16",
                icmp6.MLDV2_REPORT,
                b"\x00\x00\x00\x02\x04\x00\x00\x00" + pton("ff05::1") + b"\x03\x00\x00\x01" + pton("ff05::2") + pton(A),
            ),
            "fe80::1 > ff02::16: MLDv2 report ff05::1 to_ex, ff05::2 to_in {2001:db8:1::1}",
        ),
        (icmp(A, B, icmp6.NI_QUERY, bytes(12), 1), f"{A} > {B}: node information query noop"),
        (icmp(A, B, 200, b""), f"{A} > {B}: ICMPv6 #200 length 4"),
        (ether.header(M2, M1) + UDP_PACKET, f"{A} > {B}: UDP 40000 > 33434 length 12"),
        (frame(A, B, 59, b""), f"{A} > {B}: no next header"),
        (
            frame(A, B, 50, bytes.fromhex("0000010000000001") + bytes(24)),
            f"{A} > {B}: ESP(spi=0x00000100,seq=0x1) length 32",
        ),
        (
            frame(A, B, 51, bytes.fromhex("3a0400000000010000000007") + bytes(12) + ECHO),
            f"{A} > {B}: AH(spi=0x00000100,seq=0x7) echo request id 1 seq 0 length 16",
        ),
        (frame(LL1, LL2, 41, ECHO_PACKET), f"{LL1} > {LL2}: IPv6 [{A} > {B}: echo request id 1 seq 0 length 16]"),
        (frame(A, B, 89, bytes(4)), f"{A} > {B}: OSPF length 4"),
        (frame(A, B, 0, exthdr.router_alert(58) + ECHO), f"{A} > {B}: rtalert echo request id 1 seq 0 length 16"),
        (
            frame(A, B, 60, exthdr.destination_options(58, exthdr.option(0x1E, b"")) + ECHO),
            f"{A} > {B}: DSTOPT opt 0x1e echo request id 1 seq 0 length 16",
        ),
        (
            frame(A, LL2, 43, exthdr.build_routing0(58, 1, (pton(B),)) + ECHO),
            f"{A} > {LL2}: routing type 0 left 1 {B} echo request id 1 seq 0 length 16",
        ),
        (
            frame(A, B, 44, exthdr.build_fragment(58, 0, True, 0x1234) + ECHO),
            f"{A} > {B}: frag 0x00001234 0:16+ echo request id 1 seq 0 length 16",
        ),
        (
            frame(A, B, 44, exthdr.build_fragment(58, 1232, False, 0x1234) + bytes(20)),
            f"{A} > {B}: frag 0x00001234 1232:20",
        ),
        (ether.header(M2, M1, 0x0806) + bytes(28), "2:0:0:0:0:1 > 2:0:0:0:0:2: ARP length 28"),
        (ether.header(M2, M1, 0x88CC) + bytes(5), "2:0:0:0:0:1 > 2:0:0:0:0:2: ethertype 0x88cc length 5"),
    ],
)
def test_line(octets: bytes, line: str) -> None:
    assert summary.summarize(octets) == line


def test_tcp_line() -> None:
    octets = frame(A, B, 6, TCP + b"data")
    assert summary.info(octets).startswith("TCP 49153 > 22 [S.] seq 100 ack 200 win 8192 length 4")
    assert summary.protocol(octets) == "TCP"


def test_a_wrong_checksum_is_remarked() -> None:
    octets = icmp(A, B, icmp6.ECHO_REQUEST, icmp6.echo_body(1, 0, b"x"))
    assert summary.info(octets[:-1] + b"y") == "echo request id 1 seq 0 length 9 [bad checksum]"


def test_a_source_routed_packet_is_checked_against_its_final_destination() -> None:
    chain = exthdr.build_routing0(58, 2, (pton(LL2), pton(B)))
    assert "[bad" not in summary.info(frame(A, LL1, 43, chain + ECHO))
    assert "[bad checksum]" in summary.info(frame(A, LL1, 43, exthdr.build_routing0(58, 0, (pton(B),)) + ECHO))


def test_a_first_fragment_is_not_held_to_the_checksum_of_the_whole() -> None:
    piece = exthdr.build_fragment(58, 0, True, 1) + ECHO[:8]
    assert summary.info(frame(A, B, 44, piece)) == "frag 0x00000001 0:8+ echo request id 1 seq 0 length 8"
    # A packet that is its only fragment can be checked (RFC 6946).
    atomic = exthdr.build_fragment(58, 0, False, 1) + ECHO[:-1] + b"y"
    assert summary.info(frame(A, B, 44, atomic)).endswith("[bad checksum]")


def test_padding_of_the_link_layer_is_no_part_of_the_packet() -> None:
    octets = frame(A, B, 59, b"")
    assert summary.info(octets + bytes(6)) == summary.info(octets)
    octets = icmp(A, B, icmp6.NEIGHBOR_SOLICIT, nd.NeighborSolicit(pton(B)).pack())
    assert summary.info(octets + bytes(9)) == "NS who has 2001:db8:2::1"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", "[truncated Ethernet header: 0 of 14 octets]"),
        (ECHO_PACKET[:13], "[truncated Ethernet header: 13 of 14 octets]"),
        (frame(A, B, 58, ECHO)[:30], "[truncated IPv6 header: 16 of 40 octets]"),
        (frame(A, B, 58, ECHO)[:56], "ICMPv6 [truncated ICMPv6 header: 2 of 4 octets]"),
        (
            frame(A, B, 58, ECHO)[:-1],
            "echo request id 1 seq 0 length 15 [truncated packet: 55 of 56 octets]",
        ),
        (frame(A, B, 17, b"abc"), "UDP [truncated UDP header: 3 of 8 octets]"),
        (frame(A, B, 0, b"\x3a\x02" + bytes(6)), "[truncated hop-by-hop header: 8 of 24 octets]"),
        (frame(A, B, 0, b"\x3a\x00\x05\x09\x00\x00\x00\x00"), "[truncated option 5 of 9 octets, 4 are left]"),
        (
            icmp(LL1, ALL, icmp6.NEIGHBOR_SOLICIT, bytes(19)),
            "ICMPv6 [truncated neighbor solicitation: 19 of 20 octets]",
        ),
        (
            icmp(LL1, ALL, icmp6.NEIGHBOR_SOLICIT, nd.NeighborSolicit(pton(B), b"\x01\x00").pack()),
            "NS who has 2001:db8:2::1 [bad ND option 1 of zero length]",
        ),
        (
            icmp(LL1, ALL, icmp6.ROUTER_ADVERT, nd.RouterAdvert(0, False, False, 0, 9, 0, 0, b"\x05\x02").pack()),
            "RA lifetime 9 [truncated ND option 5: 2 of 16 octets]",
        ),
        (ether.header(M2, M1) + b"\x45" + bytes(39), "[bad IP version 4]"),
    ],
)
def test_a_hostile_frame_says_where_it_ends(octets: bytes, text: str) -> None:
    assert summary.info(octets) == text


def test_addresses_of_a_frame_without_readable_ipv6_are_those_of_the_link() -> None:
    assert summary.addresses(frame(A, B, 58, ECHO)) == (A, B)
    assert summary.addresses(frame(A, B, 58, ECHO)[:30]) == ("2:0:0:0:0:1", "2:0:0:0:0:2")
    assert summary.addresses(b"short") == ("?", "?")


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (frame(A, B, 58, ECHO), "ICMPv6"),
        (mld_frame(icmp6.MLD_REPORT, "ff02::9", 0, "ff02::9"), "MLD"),
        (ether.header(M2, M1) + UDP_PACKET, "UDP"),
        (frame(A, B, 44, exthdr.build_fragment(17, 8, False, 1)), "fragment"),
        (frame(A, B, 44, exthdr.build_fragment(17, 0, True, 1) + bytes(8)), "UDP"),
        (frame(A, B, 50, bytes(16)), "ESP"),
        (frame(A, B, 59, b""), "IPv6"),
        (frame(A, B, 253, b""), "IPv6"),
        (frame(A, B, 0, b"\x3a\x02"), "IPv6"),
        (ether.header(M2, M1, 0x0806), "ARP"),
        (ether.header(M2, M1, 0x88CC), "Ethernet"),
        (b"", "Ethernet"),
    ],
)
def test_protocol_column(octets: bytes, name: str) -> None:
    assert summary.protocol(octets) == name


def test_a_lifetime_of_an_advertised_route_that_goes_away_is_shown() -> None:
    octets = ra(nd_options.build_route(RouteInfo(48, 0, 0, pton("2001:db8:9::"))))
    assert summary.info(octets) == "RA lifetime 1800 route 2001:db8:9::/48 lifetime 0"


def test_the_quoted_packet_is_not_held_to_its_checksum() -> None:
    quoted = bytearray(ECHO_PACKET)
    quoted[-1] ^= 1
    assert "[bad" not in summary.info(error(icmp6.TIME_EXCEEDED, 0, 0, bytes(quoted)))
