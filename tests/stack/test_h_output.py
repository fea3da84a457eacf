"""Extension headers that programs ask for, next hops, path MTUs below 1280 (RFC 3542, 8200 4.1; KAME ip6_output.c)."""

from __future__ import annotations

import pytest
from wires import STRANGER, STRANGER_MAC, A, Wires, ns, scoped

from kamelab.core.errors import EHOSTUNREACH, EMSGSIZE
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, ip6, udp
from kamelab.wire.checksum import in6_cksum_ok

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
FAR = A("2001:db8:9::9")
HOP = exthdr.hop_by_hop(0, exthdr.option(0x1E, b"hop"))
FIRST = exthdr.destination_options(0, exthdr.option(0x1E, b"1st"))
LAST = exthdr.destination_options(0, exthdr.option(0x1E, b"end"))


def host(wires: Wires) -> Node:
    """A host that knows the stranger, its way to everywhere."""
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=STRANGER, gateway_zone=1)
    return h1


def datagram(size: int = 8, dst: bytes = FAR) -> Output:
    payload = udp.build(bytes(16), bytes(16), 1000, 9, bytes(size))
    return Output("udp6_output", dst, 17, payload[:6] + b"\0\0" + payload[8:], cksum=6)


def left(wires: Wires, node: Node) -> list[bytes]:
    return [one.packet for one in wires.sent(node, since=3, interface="ne0") if one.packet[6] != 58]


def chain(packet: bytes) -> list[int]:
    """Next-header values from the IPv6 header on, up to UDP or data of a later fragment."""
    kinds, at = [packet[6]], 40
    while kinds[-1] in (0, 43, 44, 60):
        kind = kinds[-1]
        if kind == 44 and exthdr.parse_fragment(packet[at:]).offset:
            break
        kinds.append(packet[at])
        at += 8 if kind == 44 else 8 * (packet[at + 1] + 1)
    return kinds


def every(out: Output) -> Output:
    out.hop_by_hop, out.rthdrdstopts, out.dstopts = HOP, FIRST, LAST
    out.rthdr = exthdr.build_routing0(0, 1, (A("2001:db8:8::8"),))
    return out


def test_headers_are_in_the_order_of_rfc_8200(wires: Wires) -> None:
    h1 = host(wires)
    assert wires.output(h1, every(datagram())) == 0
    (packet,) = left(wires, h1)
    assert chain(packet) == [0, 60, 43, 60, 17]
    assert packet[40 : 40 + len(HOP)][1:] == HOP[1:]
    assert packet.index(b"1st") < packet.index(b"end")
    assert packet[24:40] == A("2001:db8:8::8")
    nxt, at = exthdr.upper_layer(packet)
    assert nxt == 17
    assert in6_cksum_ok(GLOBAL, FAR, 17, packet[at:]), "the sum is that of the last destination"


def test_options_for_the_nodes_of_a_source_route_need_one(wires: Wires) -> None:
    h1 = host(wires)
    out = datagram()
    out.rthdrdstopts = FIRST
    assert wires.output(h1, out) == 0
    assert chain(left(wires, h1)[0]) == [17]


def test_what_precedes_the_fragment_header_is_in_every_fragment(wires: Wires) -> None:
    h1 = host(wires)
    assert wires.output(h1, every(datagram(4000))) == 0
    packets = left(wires, h1)
    assert [chain(packet) for packet in packets] == [[0, 60, 43, 44, 60, 17], *[[0, 60, 43, 44]] * 2]
    head = len(HOP) + len(FIRST) + 24
    assert len({packet[40 : 40 + head] for packet in packets}) == 1
    assert all(len(packet) <= 1500 for packet in packets)
    assert [(len(packet) - 48 - head) % 8 for packet in packets[:-1]] == [0, 0]
    assert b"end" in packets[0]
    assert not any(b"end" in packet for packet in packets[1:])
    data = b"".join(packet[48 + head :] for packet in packets)
    assert data[len(LAST) + 8 :] == bytes(4000)
    assert h1.counters()["ip6.ofragments"] == 3


def test_headers_that_leave_no_room_for_a_fragment(wires: Wires) -> None:
    h1 = host(wires)
    out = datagram(4000)
    out.hop_by_hop = exthdr.hop_by_hop(0, exthdr.option(0x1E, bytes(250)) * 6)
    assert wires.output(h1, out) == EMSGSIZE
    assert wires.drops(h1, 3) == ["OUT_TOOBIG"]


# -- next hop --------------------------------------------------------------------------------------------------------


def test_a_program_may_name_the_next_hop(wires: Wires) -> None:
    h1 = host(wires)
    other = A("2001:db8:1::7")
    wires.inject(h1, ns(GLOBAL, src=other, lladdr=b"\x02\0\0\0\0\x77"))
    for nexthop, mac in ((None, STRANGER_MAC), (other, b"\x02\0\0\0\0\x77")):
        out = datagram()
        out.nexthop = nexthop
        assert wires.output(h1, out) == 0
        assert wires.sent(h1, since=3)[-1].mac == mac
        assert wires.sent(h1, since=3)[-1].packet[24:40] == FAR


def test_it_has_to_be_a_neighbour(wires: Wires) -> None:
    h1 = host(wires)
    out = datagram()
    out.nexthop = A("2001:db8:7::7")
    assert wires.output(h1, out) == EHOSTUNREACH
    assert wires.drops(h1, 3) == ["OUT_NOROUTE"]


def test_it_means_nothing_to_a_group(wires: Wires) -> None:
    h1 = host(wires)
    out = datagram(dst=scoped(h1.interfaces["ne0"], A("ff02::77")))
    out.nexthop = A("2001:db8:1::7")
    assert wires.output(h1, out) == 0
    assert wires.sent(h1, since=3)[-1].mac == b"\x33\x33\0\0\0\x77"


# -- path MTU --------------------------------------------------------------------------------------------------------


def narrow(h1: Node, mtu: int) -> None:
    """A host route with a path MTU."""
    syscalls.route(h1, "add", destination=FAR, plen=128, gateway=STRANGER, gateway_zone=1, mtu=mtu)


@pytest.mark.parametrize("mtu", [56, 1279])
@pytest.mark.parametrize(
    ("size", "lengths"), [(8, [64]), (1224, [1280]), (1225, [1280, 49]), (3000, [1280, 1280, 592])]
)
def test_below_1280_every_packet_has_a_fragment_header_and_1280_octets_at_most(
    wires: Wires, mtu: int, size: int, lengths: list[int]
) -> None:
    """RFC 1981 4, RFC 2460 5: a translator to IPv4 may have to cut it further."""
    h1 = host(wires)
    narrow(h1, mtu)
    assert wires.output(h1, datagram(size)) == 0
    packets = left(wires, h1)
    assert [len(packet) for packet in packets] == lengths
    fragments = [exthdr.parse_fragment(packet[40:]) for packet in packets]
    assert [fragment.more for fragment in fragments] == [True] * (len(lengths) - 1) + [False]
    assert len({fragment.ident for fragment in fragments}) == 1
    assert h1.counters()["ip6.ofragments"] == len(lengths)


def test_below_1280_what_may_not_be_cut_can_not_leave(wires: Wires) -> None:
    h1 = host(wires)
    narrow(h1, 600)
    out = datagram()
    out.dontfrag = True
    assert wires.output(h1, out) == EMSGSIZE


def test_from_1280_on_there_is_none_that_is_not_needed(wires: Wires) -> None:
    h1 = host(wires)
    narrow(h1, 1280)
    assert wires.output(h1, datagram(1232)) == 0
    assert [chain(packet) for packet in left(wires, h1)] == [[17]]


def test_an_interface_that_is_too_narrow_for_ipv6_can_not_carry_more(wires: Wires) -> None:
    h1 = host(wires)
    syscalls.ioctl(h1, "SIOCSIFMTU", "ne0", mtu=1000)
    assert wires.output(h1, datagram(900)) == 0
    assert wires.output(h1, datagram(1000)) == EMSGSIZE


def test_a_route_s_mtu_is_no_more_than_its_interface_s(wires: Wires) -> None:
    h1 = host(wires)
    narrow(h1, 9000)
    assert wires.output(h1, datagram(3000)) == 0
    assert max(len(packet) for packet in left(wires, h1)) <= 1500


def test_with_a_source_route_the_path_mtu_is_that_of_the_last_destination(wires: Wires) -> None:
    h1 = host(wires)
    narrow(h1, 1300)
    out = datagram(1400)
    out.rthdr = exthdr.build_routing0(0, 1, (A("2001:db8:8::8"),))
    assert wires.output(h1, out) == 0
    assert [len(packet) <= 1300 for packet in left(wires, h1)] == [True, True]


# -- labels ----------------------------------------------------------------------------------------------------------


def test_flow_label_and_traffic_class_are_on_all_fragments(wires: Wires) -> None:
    h1 = host(wires)
    out = datagram(3000)
    out.flow, out.tclass = 0x12345, 0xB8
    assert wires.output(h1, out) == 0
    heads = [ip6.parse(packet) for packet in left(wires, h1)]
    assert [(head.flow, head.tclass) for head in heads] == [(0x12345, 0xB8)] * 3
