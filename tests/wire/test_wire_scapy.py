"""A second reader of every octet: scapy reads what we build, we read what scapy builds."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

import pytest

from kamelab.wire import ether, exthdr, icmp6, in6, ip6, mld, nd, nd_options, tcp, udp
from kamelab.wire.checksum import in6_cksum_ok

pytestmark = pytest.mark.filterwarnings("ignore")

LLA, LLB = "fe80::1", "fe80::2"
A, B, C = "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1"
MAC = "02:00:00:00:00:01"


@pytest.fixture(scope="module")
def inet6() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import scapy.layers.inet
        import scapy.layers.inet6

        module: ModuleType = scapy.layers.inet6
        return module


def ours(src: str, dst: str, kind: int, code: int, body: bytes, *, hlim: int = 255) -> bytes:
    s, d = in6.pton(src), in6.pton(dst)
    return ip6.build(s, d, ip6.IPPROTO_ICMPV6, icmp6.build(s, d, kind, code, body), hlim=hlim)


def read(inet6: ModuleType, packet: bytes) -> Any:
    """Scapy's reading; the checksum that scapy itself computes must be the one we sent."""
    seen = inet6.IPv6(packet)
    again = inet6.IPv6(packet)
    layer = again
    while layer:
        if "cksum" in layer.fields:
            del layer.cksum
        elif "chksum" in layer.fields:
            del layer.chksum
        layer = layer.payload
    assert bytes(again) == packet
    return seen


def theirs(packet: Any) -> tuple[ip6.Ip6, bytes]:
    """Header and upper-layer message of a packet that scapy built; the checksum must be right for us."""
    data = bytes(packet)
    head = ip6.parse(data)
    assert head.plen == len(data) - ip6.HEADER_LEN
    nxt, at = exthdr.upper_layer(data)
    assert in6_cksum_ok(head.src, head.dst, nxt, data[at:])
    return head, data[at:]


def test_ethernet_and_ipv6_header(inet6: ModuleType) -> None:
    from scapy.layers.l2 import Ether

    packet = ip6.build(in6.pton(A), in6.pton(B), 59, b"", hlim=3, tclass=0x2E, flow=0x12345)
    frame = ether.header(ether.mac_pton("2:0:0:0:0:2"), ether.mac_pton("2:0:0:0:0:1")) + packet
    seen = Ether(frame)
    assert (seen.dst, seen.src, seen.type) == ("02:00:00:00:00:02", MAC, 0x86DD)
    v6 = seen[inet6.IPv6]
    assert (v6.version, v6.tc, v6.fl, v6.plen, v6.nh, v6.hlim, v6.src, v6.dst) == (6, 0x2E, 0x12345, 0, 59, 3, A, B)
    back = bytes(Ether(src=MAC, dst="02:00:00:00:00:02") / inet6.IPv6(src=A, dst=B, tc=0x2E, fl=0x12345, hlim=3, nh=59))
    assert back == frame
    assert ip6.parse(back[14:]) == ip6.parse(packet)


@pytest.mark.parametrize("kind", [icmp6.ECHO_REQUEST, icmp6.ECHO_REPLY])
@pytest.mark.parametrize("data", [b"", b"x", b"\xff" * 8, bytes(1400)])
def test_echo(inet6: ModuleType, kind: int, data: bytes) -> None:
    seen = read(inet6, ours(A, B, kind, 0, icmp6.echo_body(0xBEEF, 7, data)))
    cls = inet6.ICMPv6EchoRequest if kind == icmp6.ECHO_REQUEST else inet6.ICMPv6EchoReply
    message = seen[cls]
    assert (message.type, message.code, message.id, message.seq, message.data) == (kind, 0, 0xBEEF, 7, data)
    _, back = theirs(inet6.IPv6(src=A, dst=B) / cls(id=0xBEEF, seq=7, data=data))
    assert icmp6.parse_echo(back) == (0xBEEF, 7, data)
    assert back[0] == kind


@pytest.mark.parametrize(
    ("kind", "code", "word", "name", "field"),
    [
        (icmp6.DST_UNREACH, icmp6.UNREACH_PORT, 0, "ICMPv6DestUnreach", None),
        (icmp6.DST_UNREACH, icmp6.UNREACH_ADDR, 0, "ICMPv6DestUnreach", None),
        (icmp6.PACKET_TOO_BIG, 0, 1280, "ICMPv6PacketTooBig", "mtu"),
        (icmp6.TIME_EXCEEDED, icmp6.TIMXCEED_HOPS, 0, "ICMPv6TimeExceeded", None),
        (icmp6.TIME_EXCEEDED, icmp6.TIMXCEED_REASSEMBLY, 0, "ICMPv6TimeExceeded", None),
        (icmp6.PARAM_PROB, icmp6.PARAM_OPTION, 42, "ICMPv6ParamProblem", "ptr"),
    ],
)
def test_errors(inet6: ModuleType, kind: int, code: int, word: int, name: str, field: str | None) -> None:
    quoted = ours(B, A, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 2, b"quoted data"))
    cls = getattr(inet6, name)
    message = read(inet6, ours(A, B, kind, code, icmp6.error_body(word, quoted)))[cls]
    assert (message.type, message.code) == (kind, code)
    assert bytes(message.payload) == quoted
    values: dict[str, int] = {field: word} if field else {}
    for name_, value in values.items():
        assert getattr(message, name_) == value
    _, back = theirs(inet6.IPv6(src=A, dst=B) / cls(code=code, **values) / inet6.IPv6(quoted))
    assert icmp6.parse_error(back) == (kind, code, word, quoted)


def test_router_solicitation(inet6: ModuleType) -> None:
    body = nd.RouterSolicit(nd_options.build_lladdr(nd_options.SLLA, ether.mac_pton(MAC))).pack()
    seen = read(inet6, ours(LLA, "ff02::2", icmp6.ROUTER_SOLICIT, 0, body))
    assert seen[inet6.ICMPv6ND_RS].type == 133
    assert seen[inet6.ICMPv6NDOptSrcLLAddr].lladdr == MAC
    _, back = theirs(
        inet6.IPv6(src=LLA, dst="ff02::2", hlim=255) / inet6.ICMPv6ND_RS() / inet6.ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    )
    assert back[4:] == body


def test_router_advertisement_with_every_option(inet6: ModuleType) -> None:
    options = b"".join(
        [
            nd_options.build_lladdr(nd_options.SLLA, ether.mac_pton(MAC)),
            nd_options.build_mtu(1400),
            nd_options.build_prefix(nd_options.PrefixInfo(64, True, False, 1000, 500, in6.pton("2001:db8:7::"))),
            nd_options.build_route(nd_options.RouteInfo(96, -1, 600, in6.pton("2001:db8:9::"))),
            nd_options.build_rdnss(nd_options.Rdnss(300, (in6.pton("2001:db8::53"),))),
        ]
    )
    body = nd.RouterAdvert(64, True, False, 1, 1800, 30000, 1000, options).pack()
    seen = read(inet6, ours(LLA, "ff02::1", icmp6.ROUTER_ADVERT, 0, body))
    ra = seen[inet6.ICMPv6ND_RA]
    assert (ra.chlim, ra.M, ra.O, ra.H, ra.prf, ra.routerlifetime) == (64, 1, 0, 0, 1, 1800)
    assert (ra.reachabletime, ra.retranstimer) == (30000, 1000)
    assert seen[inet6.ICMPv6NDOptSrcLLAddr].lladdr == MAC
    assert seen[inet6.ICMPv6NDOptMTU].mtu == 1400
    prefix = seen[inet6.ICMPv6NDOptPrefixInfo]
    assert (prefix.prefixlen, prefix.L, prefix.A, prefix.validlifetime, prefix.preferredlifetime) == (
        64,
        1,
        0,
        1000,
        500,
    )
    assert prefix.prefix == "2001:db8:7::"
    route = seen[inet6.ICMPv6NDOptRouteInfo]
    assert (route.plen, route.prf, route.rtlifetime, route.prefix) == (96, 3, 600, "2001:db8:9::")
    dns = seen[inet6.ICMPv6NDOptRDNSS]
    assert (dns.lifetime, dns.dns) == (300, ["2001:db8::53"])

    _, back = theirs(
        inet6.IPv6(src=LLA, dst="ff02::1", hlim=255)
        / inet6.ICMPv6ND_RA(chlim=64, M=1, O=0, prf=1, routerlifetime=1800, reachabletime=30000, retranstimer=1000)
        / inet6.ICMPv6NDOptSrcLLAddr(lladdr=MAC)
        / inet6.ICMPv6NDOptMTU(mtu=1400)
        / inet6.ICMPv6NDOptPrefixInfo(
            prefixlen=64, L=1, A=0, validlifetime=1000, preferredlifetime=500, prefix="2001:db8:7::"
        )
        / inet6.ICMPv6NDOptRouteInfo(plen=96, prf=3, rtlifetime=600, prefix="2001:db8:9::")
        / inet6.ICMPv6NDOptRDNSS(lifetime=300, dns=["2001:db8::53"])
    )
    assert nd.RouterAdvert.parse(back[4:])[:7] == (64, True, False, 1, 1800, 30000, 1000)
    assert nd_options.parse(nd.RouterAdvert.parse(back[4:]).options) == nd_options.parse(options)


@pytest.mark.parametrize(("bits", "preference"), [(0, 0), (1, 1), (3, -1)])
def test_router_preference(inet6: ModuleType, bits: int, preference: int) -> None:
    _, back = theirs(inet6.IPv6(src=LLA, dst="ff02::1", hlim=255) / inet6.ICMPv6ND_RA(prf=bits))
    assert nd.RouterAdvert.parse(back[4:]).preference == preference
    body = nd.RouterAdvert(0, False, False, preference, 0, 0, 0).pack()
    assert read(inet6, ours(LLA, "ff02::1", icmp6.ROUTER_ADVERT, 0, body))[inet6.ICMPv6ND_RA].prf == bits


def test_neighbor_solicitation(inet6: ModuleType) -> None:
    group = in6.ntop(in6.solicited_node(in6.pton(LLB)))
    options = nd_options.build_lladdr(nd_options.SLLA, ether.mac_pton(MAC))
    body = nd.NeighborSolicit(in6.pton(LLB), options).pack()
    seen = read(inet6, ours(LLA, group, icmp6.NEIGHBOR_SOLICIT, 0, body))
    assert seen[inet6.ICMPv6ND_NS].tgt == LLB
    assert seen[inet6.ICMPv6NDOptSrcLLAddr].lladdr == MAC
    _, back = theirs(
        inet6.IPv6(src=LLA, dst=group, hlim=255) / inet6.ICMPv6ND_NS(tgt=LLB) / inet6.ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    )
    assert back[4:] == body


@pytest.mark.parametrize("flags", range(8))
def test_neighbor_advertisement(inet6: ModuleType, flags: int) -> None:
    router, solicited, override = bool(flags & 4), bool(flags & 2), bool(flags & 1)
    options = nd_options.build_lladdr(nd_options.TLLA, ether.mac_pton(MAC))
    body = nd.NeighborAdvert(router, solicited, override, in6.pton(LLA), options).pack()
    seen = read(inet6, ours(LLA, LLB, icmp6.NEIGHBOR_ADVERT, 0, body))
    na = seen[inet6.ICMPv6ND_NA]
    assert (na.R, na.S, na.O, na.tgt) == (router, solicited, override, LLA)
    assert seen[inet6.ICMPv6NDOptDstLLAddr].lladdr == MAC
    _, back = theirs(
        inet6.IPv6(src=LLA, dst=LLB, hlim=255)
        / inet6.ICMPv6ND_NA(R=router, S=solicited, O=override, tgt=LLA)
        / inet6.ICMPv6NDOptDstLLAddr(lladdr=MAC)
    )
    assert nd.NeighborAdvert.parse(back[4:]) == (router, solicited, override, in6.pton(LLA), options)


def test_redirect(inet6: ModuleType) -> None:
    quoted = ours(A, C, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 2, bytes(8)))
    options = nd_options.build_lladdr(nd_options.TLLA, ether.mac_pton(MAC)) + nd_options.build_redirected(quoted)
    body = nd.Redirect(in6.pton(LLB), in6.pton(C), options).pack()
    seen = read(inet6, ours(LLA, A, icmp6.REDIRECT, 0, body))
    assert (seen[inet6.ICMPv6ND_Redirect].tgt, seen[inet6.ICMPv6ND_Redirect].dst) == (LLB, C)
    assert bytes(seen[inet6.ICMPv6NDOptRedirectedHdr].pkt) == quoted
    _, back = theirs(
        inet6.IPv6(src=LLA, dst=A, hlim=255)
        / inet6.ICMPv6ND_Redirect(tgt=LLB, dst=C)
        / inet6.ICMPv6NDOptDstLLAddr(lladdr=MAC)
        / inet6.ICMPv6NDOptRedirectedHdr(pkt=quoted)
    )
    message = nd.Redirect.parse(back[4:])
    assert (message.target, message.destination) == (in6.pton(LLB), in6.pton(C))
    assert nd_options.parse(message.options) == nd_options.parse(options)


@pytest.mark.parametrize(
    ("kind", "name", "delay", "group", "dst"),
    [
        (icmp6.MLD_QUERY, "ICMPv6MLQuery", 10000, "::", "ff02::1"),
        (icmp6.MLD_QUERY, "ICMPv6MLQuery", 1000, "ff02::99", "ff02::99"),
        (icmp6.MLD_REPORT, "ICMPv6MLReport", 0, "ff02::1:ff00:1", "ff02::1:ff00:1"),
        (icmp6.MLD_DONE, "ICMPv6MLDone", 0, "ff02::99", "ff02::2"),
    ],
)
def test_mld_behind_a_router_alert(inet6: ModuleType, kind: int, name: str, delay: int, group: str, dst: str) -> None:
    s, d = in6.pton(LLA), in6.pton(dst)
    body = mld.Mld(delay, in6.pton(group)).pack()
    message = icmp6.build(s, d, kind, 0, body)
    packet = ip6.build(s, d, ip6.IPPROTO_HOPOPTS, exthdr.router_alert(ip6.IPPROTO_ICMPV6) + message, hlim=1)
    seen = read(inet6, packet)
    alert = seen[inet6.IPv6ExtHdrHopByHop].options[0]
    assert (alert.otype, alert.value) == (5, 0)
    cls = getattr(inet6, name)
    assert (seen[cls].type, seen[cls].mrd, seen[cls].mladdr) == (kind, delay, group)
    hop = inet6.IPv6ExtHdrHopByHop(options=[inet6.RouterAlert(value=0)])
    _, back = theirs(inet6.IPv6(src=LLA, dst=dst, hlim=1) / hop / cls(mrd=delay, mladdr=group))
    assert mld.Mld.parse(back[4:]) == (delay, in6.pton(group))


def test_mldv2_report_is_read(inet6: ModuleType) -> None:
    records = [
        inet6.ICMPv6MLDMultAddrRec(rtype=4, dst="ff05::1"),
        inet6.ICMPv6MLDMultAddrRec(rtype=3, dst="ff05::2", sources=[A, B]),
    ]
    _, back = theirs(inet6.IPv6(src=LLA, dst="ff02::16", hlim=1) / inet6.ICMPv6MLReport2(records=records))
    assert mld.parse_v2_report(back[4:]) == (
        (4, in6.pton("ff05::1"), ()),
        (3, in6.pton("ff05::2"), (in6.pton(A), in6.pton(B))),
    )


@pytest.mark.parametrize("data", [b"", b"abc", bytes(1000)])
def test_udp(inet6: ModuleType, data: bytes) -> None:
    from scapy.layers.inet import UDP

    s, d = in6.pton(A), in6.pton(B)
    seen = read(inet6, ip6.build(s, d, ip6.IPPROTO_UDP, udp.build(s, d, 40000, 33435, data)))
    assert (seen[UDP].sport, seen[UDP].dport, seen[UDP].len) == (40000, 33435, 8 + len(data))
    assert bytes(seen[UDP].payload) == data
    _, back = theirs(inet6.IPv6(src=A, dst=B) / UDP(sport=40000, dport=33435) / data)
    assert back == udp.build(s, d, 40000, 33435, data)


def test_tcp_is_read(inet6: ModuleType) -> None:
    from scapy.layers.inet import TCP

    segment = TCP(sport=1025, dport=23, seq=7, ack=9, flags="SA", window=1000, options=[("MSS", 1440)])
    _, back = theirs(inet6.IPv6(src=A, dst=B) / segment / b"data")
    head = tcp.parse(back)
    assert head[:5] == (1025, 23, 7, 9, 24)
    assert tcp.flags_text(head.flags) == "S."
    assert (head.window, head.options) == (1000, bytes.fromhex("020405a0"))


def test_extension_headers(inet6: ModuleType) -> None:
    s, d = in6.pton(A), in6.pton(C)
    message = icmp6.build(s, d, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 2, b""))
    chain = exthdr.destination_options(ip6.IPPROTO_ICMPV6, exthdr.option(0x1E, b"abc")) + message
    chain = exthdr.build_fragment(ip6.IPPROTO_DSTOPTS, 0, False, 77) + chain
    chain = exthdr.build_routing0(ip6.IPPROTO_FRAGMENT, 1, (d,)) + chain
    packet = ip6.build(s, in6.pton(B), ip6.IPPROTO_ROUTING, chain)
    seen = inet6.IPv6(packet)
    routing = seen[inet6.IPv6ExtHdrRouting]
    assert (routing.nh, routing.type, routing.segleft, routing.addresses) == (44, 0, 1, [C])
    fragment = seen[inet6.IPv6ExtHdrFragment]
    assert (fragment.nh, fragment.offset, fragment.m, fragment.id) == (60, 0, 0, 77)
    assert seen[inet6.IPv6ExtHdrDestOpt].options[0].otype == 0x1E
    assert seen[inet6.ICMPv6EchoRequest].id == 1

    back = bytes(
        inet6.IPv6(src=A, dst=B)
        / inet6.IPv6ExtHdrRouting(addresses=[B, C], segleft=1)
        / inet6.IPv6ExtHdrFragment(offset=181, m=1, id=99)
        / b"x"
    )
    read_routing = exthdr.parse_routing(back[40:])
    assert (read_routing.type, read_routing.segleft, read_routing.addresses) == (0, 1, (in6.pton(B), in6.pton(C)))
    at = 40 + 8 + 8 * read_routing.length
    assert exthdr.parse_fragment(back[at:])[1:] == (1448, True, 99)


def test_fragments_of_ours_are_put_together_by_scapy(inet6: ModuleType) -> None:
    s, d = in6.pton(A), in6.pton(B)
    message = icmp6.build(s, d, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 2, bytes(range(256)) * 8))
    pieces = []
    for at in range(0, len(message), 1232):
        more = at + 1232 < len(message)
        head = exthdr.build_fragment(ip6.IPPROTO_ICMPV6, at, more, 5)
        pieces.append(inet6.IPv6(ip6.build(s, d, ip6.IPPROTO_FRAGMENT, head + message[at : at + 1232])))
    assert len(pieces) == 2
    whole = inet6.defragment6(pieces)
    assert bytes(whole[inet6.ICMPv6EchoRequest]) == message
