"""Ancillary data both ways, sticky options, raw sockets' checksums and filters.

RFC 3542; KAME ip6_output.c, raw_ip6.c; KAME IMPLEMENTATION 1.3.2, 1.16 (2001); RFC 2292 where 1.16 keeps its names.
"""

from __future__ import annotations

from typing import Any

import pytest
from wires import OTHER_MAC, STRANGER, A, Wires, datagram, icmp6, neighbor, ns

from kamelab.core.errors import (
    EADDRNOTAVAIL,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOBUFS,
    ENOPROTOOPT,
    ENOTCONN,
    ENXIO,
    Errno,
)
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.stack.socket.sockets import dress
from kamelab.wire import exthdr, in6, ip6, udp
from kamelab.wire import icmp6 as icmp
from kamelab.wire.checksum import in6_cksum

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
PEER = A("2001:db8:1::9")
HOP = A("2001:db8:1::8")
ANY = bytes(16)
OPTIONS = b"\0\0\x1e\4data"
"""An options header of one unknown option that may be passed over, next header 0."""
RTHDR = exthdr.build_routing0(0, 1, (HOP,))


def errno(call: Any, *args: Any, **named: Any) -> int:
    with pytest.raises(Errno) as refusal:
        call(*args, **named)
    return refusal.value.number


def udp6(node: Node, port: int = 0) -> int:
    sid = syscalls.socket(node, 0, "udp6", 0)
    if port:
        syscalls.bind(node, sid, ANY, port, 0)
    return sid


def ready(wires: Wires) -> Node:
    """h1 with neighbours that are resolved."""
    h1 = wires.host()
    for addr in (PEER, HOP):
        wires.inject(h1, ns(GLOBAL, src=addr))
    wires.inject(h1, ns(OWN))
    return h1


def left(wires: Wires, node: Node) -> list[bytes]:
    """The packets that left since 3 s, neighbour discovery's apart."""
    return [one.packet for one in wires.sent(node, since=3) if one.kind not in (135, 136)]


# -- sending ---------------------------------------------------------------------------------------------------------


def test_one_message_asks_for_its_hop_limit_and_class(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    syscalls.setsockopt(h1, sid, "IPV6_TCLASS", 0x20)
    for control in ((("IPV6_HOPLIMIT", 3), ("IPV6_TCLASS", 0x2E)), (), (("IPV6_TCLASS", -1), ("IPV6_HOPLIMIT", -1))):
        syscalls.sendmsg(h1, sid, b"x", PEER, 9, 0, control=control)
    headers = [ip6.parse(packet) for packet in left(wires, h1)]
    assert [(one.hlim, one.tclass) for one in headers] == [(3, 0x2E), (64, 0x20), (64, 0)]


def test_segments_that_the_kernel_makes_for_a_socket_are_dressed_alike(wires: Wires) -> None:
    """What TCP calls where `Socket.sticky` is on."""
    h1 = wires.host()
    so = h1.sockets[syscalls.socket(h1, 0, "tcp6", 0)]
    assert not so.sticky
    values = {"IPV6_TCLASS": 0x2E, "IPV6_UNICAST_HOPS": 9, "IPV6_PKTINFO": (None, 1), "IPV6_DSTOPTS": OPTIONS,
              "IPV6_USE_MIN_MTU": 1, "IPV6_DONTFRAG": 1}  # fmt: skip
    for name, value in values.items():
        syscalls.setsockopt(h1, so.sid, name, value)
    assert so.sticky
    out = Output("tcp_output", PEER, 6, bytes(20))
    dress(h1, so, out)
    assert (out.tclass, out.hlim, out.oif, out.dstopts) == (0x2E, 9, h1.interfaces["ne0"], OPTIONS)
    assert (out.minmtu, out.dontfrag) == (True, False), "the last is ignored on TCP (1.16)"


def test_a_message_names_its_source_and_interface(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 0, control=(("IPV6_PKTINFO", (GLOBAL, 1)),))
    syscalls.setsockopt(h1, sid, "IPV6_PKTINFO", (None, 1))
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 0)
    assert [ip6.parse(packet).src for packet in left(wires, h1)] == [GLOBAL, OWN]
    control = (("IPV6_PKTINFO", (ANY, 0)),)
    assert errno(syscalls.sendmsg, h1, sid, b"x", STRANGER, 9, 0, control=control) == 65, "the sticky one is off"
    assert errno(syscalls.sendmsg, h1, sid, b"x", PEER, 9, 0, control=(("IPV6_PKTINFO", (PEER, 0)),)) == EADDRNOTAVAIL


def test_all_extension_headers_in_their_order(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    syscalls.setsockopt(h1, sid, "IPV6_DSTOPTS", OPTIONS)
    syscalls.setsockopt(h1, sid, "IPV6_RTHDR", RTHDR)
    control = (("IPV6_HOPOPTS", OPTIONS), ("IPV6_RTHDRDSTOPTS", OPTIONS))
    syscalls.sendmsg(h1, sid, b"data", PEER, 9, 0, control=control)
    packet = left(wires, h1)[0]
    header = ip6.parse(packet)
    assert (header.nxt, header.dst) == (0, HOP), "the first hop of the route is where it goes"
    order = [packet[6], packet[40], packet[48], packet[56], packet[80]]
    assert order == [0, 60, 43, 60, 17]
    assert exthdr.parse_routing(packet[56:80]).addresses == (PEER,)
    assert udp.parse(packet[88:]).dport == 9
    assert in6_cksum(GLOBAL, PEER, 17, packet[88:]) == 0, "the checksum is that of the last destination"
    syscalls.setsockopt(h1, sid, "IPV6_RTHDR", b"")
    syscalls.sendmsg(h1, sid, b"data", PEER, 9, 0, control=(("IPV6_DSTOPTS", b""),))
    assert left(wires, h1)[-1][6] == 17, "sticky ones go with an empty value, for good or for one message"


def test_the_next_hop_may_be_another_neighbour(wires: Wires) -> None:
    h1 = ready(wires)
    wires.inject(h1, ns(GLOBAL, src=HOP, lladdr=OTHER_MAC))
    sid = udp6(h1)
    syscalls.sendmsg(h1, sid, b"x", PEER, 9, 0, control=(("IPV6_NEXTHOP", (HOP, 0)),))
    assert [(one.mac, one.dst) for one in wires.sent(h1, since=3) if one.packet[6] == 17] == [
        (OTHER_MAC, "2001:db8:1::9")
    ]
    syscalls.setsockopt(h1, sid, "IPV6_NEXTHOP", (STRANGER, 1))
    assert syscalls.getsockopt(h1, sid, "IPV6_NEXTHOP") == (STRANGER, 1)


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("IPV6_HOPLIMIT", 256, EINVAL),
        ("IPV6_HOPLIMIT", -2, EINVAL),
        ("IPV6_TCLASS", 256, EINVAL),
        ("IPV6_PKTINFO", (None, 77), ENXIO),
        ("IPV6_PKTINFO", (b"\1\2\3\4", 1), EINVAL),
        ("IPV6_NEXTHOP", (ANY, 0), EINVAL),
        ("IPV6_NEXTHOP", (A("ff02::1"), 1), EINVAL),
        ("IPV6_NEXTHOP", (STRANGER, 0), EINVAL),
        ("IPV6_NEXTHOP", (STRANGER, 77), ENXIO),
        ("IPV6_HOPOPTS", OPTIONS[:7], EINVAL),
        ("IPV6_HOPOPTS", OPTIONS + bytes(8), EINVAL),
        ("IPV6_DSTOPTS", b"\0", EINVAL),
        ("IPV6_RTHDRDSTOPTS", OPTIONS + b"\0", EINVAL),
        ("IPV6_RTHDR", RTHDR[:2] + b"\2" + RTHDR[3:], EINVAL),
        ("IPV6_RTHDR", RTHDR[:3] + b"\0" + RTHDR[4:], EINVAL),
        ("IPV6_RTHDR", b"\0\0\0\0\0\0\0\0", EINVAL),
        ("IPV6_RTHDR", b"\0\1\0\1" + bytes(12), EINVAL),
        ("IPV6_USE_MIN_MTU", 2, EINVAL),
        ("IPV6_PREFER_TEMPADDR", -2, EINVAL),
        ("IPV6_DONTFRAG", 2, EINVAL),
        ("IPV6_FLOWINFO", 1 << 28, EINVAL),
        ("IPV6_TCLASS", "high", EINVAL),
        ("IPV6_RECVPKTINFO", 1, ENOPROTOOPT),
    ],
)
def test_ancillary_data_that_is_refused(wires: Wires, name: str, value: Any, number: int) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    assert errno(syscalls.sendmsg, h1, sid, b"x", PEER, 9, 0, control=((name, value),)) == number
    assert left(wires, h1) == []
    if name not in ("IPV6_HOPLIMIT", "IPV6_FLOWINFO", "IPV6_RECVPKTINFO"):
        assert errno(syscalls.setsockopt, h1, sid, name, value) == number


def test_one_message_goes_in_pieces_of_1280(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    syscalls.sendmsg(h1, sid, bytes(1400), PEER, 9, 0)
    syscalls.sendmsg(h1, sid, bytes(1400), PEER, 9, 0, control=(("IPV6_USE_MIN_MTU", 1),))
    assert [len(packet) for packet in left(wires, h1)] == [1448, 1280, 224]


def test_a_confirmation_keeps_a_neighbour_reachable(wires: Wires) -> None:
    """RFC 2292 6: the program has heard from its peer. As a sticky option and with one message."""
    h1 = ready(wires)
    syscalls.sysctl_set(h1, "net.inet6.icmp6.nd6_maxnudhint", 10)
    sid = udp6(h1)
    entry = neighbor(h1, PEER)
    assert entry is not None
    assert entry.state == "DELAY", "h1 has answered it"
    syscalls.sendmsg(h1, sid, b"x", PEER, 9, 0, control=(("IPV6_REACHCONF", 0),))
    assert entry.state == "DELAY"
    syscalls.sendmsg(h1, sid, b"x", PEER, 9, 0, control=(("IPV6_REACHCONF", 1),))
    assert entry.state == "REACHABLE"


def test_limits_of_a_message(wires: Wires) -> None:
    h1 = ready(wires)
    for kind, proto in (("udp6", 0), ("raw6", 58)):
        sid = syscalls.socket(h1, 0, kind, proto)
        assert syscalls.getsockopt(h1, sid, "SO_SNDBUF") == 9216
        assert errno(syscalls.sendmsg, h1, sid, bytes(9217), PEER, 9, 0) == EMSGSIZE
        syscalls.setsockopt(h1, sid, "SO_SNDBUF", 20000)
        assert syscalls.sendmsg(h1, sid, bytes(20000), PEER, 9, 0) == 20000
        assert errno(syscalls.setsockopt, h1, sid, "SO_SNDBUF", 262145) == ENOBUFS
        assert errno(syscalls.setsockopt, h1, sid, "SO_SNDBUF", 0) == EINVAL


# -- the flow label --------------------------------------------------------------------------------------------------


def test_a_connected_socket_keeps_one_random_flow_label(wires: Wires) -> None:
    h1 = ready(wires)
    first, second = udp6(h1), udp6(h1)
    for sid in (first, second):
        syscalls.connect(h1, sid, PEER, 9, 0)
        for _ in range(2):
            syscalls.sendmsg(h1, sid, b"x")
    flows = [ip6.parse(packet).flow for packet in left(wires, h1)]
    assert flows[0] == flows[1] != flows[2] == flows[3]
    assert all(flows)
    plain = udp6(h1)
    syscalls.sendmsg(h1, plain, b"x", PEER, 9, 0)
    assert ip6.parse(left(wires, h1)[-1]).flow == 0, "without a connection there is no flow"


def test_flow_labels_may_be_off_or_chosen(wires: Wires) -> None:
    """draft-itojun-ipv6-flowlabel-api: IPV6_AUTOFLOWLABEL, and sin6_flowinfo of the destination."""
    h1 = ready(wires)
    syscalls.sysctl_set(h1, "net.inet6.ip6.auto_flowlabel", 0)
    off = udp6(h1)
    syscalls.sysctl_set(h1, "net.inet6.ip6.auto_flowlabel", 1)
    on = udp6(h1)
    assert [syscalls.getsockopt(h1, sid, "IPV6_AUTOFLOWLABEL") for sid in (off, on)] == [False, True]
    syscalls.connect(h1, off, PEER, 9, 0)
    syscalls.sendmsg(h1, off, b"x")
    syscalls.setsockopt(h1, off, "IPV6_AUTOFLOWLABEL", 1)
    syscalls.connect(h1, off, PEER, 9, 0)
    syscalls.sendmsg(h1, off, b"x")
    syscalls.connect(h1, on, PEER, 9, 0, 0x2E12345)
    syscalls.sendmsg(h1, on, b"x")
    syscalls.sendmsg(h1, on, b"x", control=(("IPV6_FLOWINFO", 0x54321), ("IPV6_TCLASS", 1)))
    headers = [ip6.parse(packet) for packet in left(wires, h1)]
    assert headers[0].flow == 0
    assert headers[1].flow != 0
    assert [(one.tclass, one.flow) for one in headers[2:]] == [(0x2E, 0x12345), (1, 0x54321)]
    assert errno(syscalls.connect, h1, on, PEER, 9, 0, 1 << 28) == EINVAL


# -- receiving -------------------------------------------------------------------------------------------------------


def extended(headers: bytes, first: int, tclass: int = 0) -> bytes:
    """A datagram with these extension headers from the stranger, to port 9."""
    segment = udp.build(STRANGER, OWN, 1000, 9, b"data")
    return ip6.build(STRANGER, OWN, first, headers + segment, hlim=33, tclass=tclass)


def test_only_what_was_asked_for_comes(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1, 9)
    strict = b"\x3c\2\0\0\0\xff\xff\xff" + PEER
    headers = b"\x2b\0\x1e\4hops" + strict + b"\x11\0\x1e\4last"
    wires.inject(h1, extended(headers, 0))
    for name in ("PKTINFO", "HOPLIMIT", "TCLASS", "HOPOPTS", "RTHDR", "DSTOPTS"):
        syscalls.setsockopt(h1, sid, f"IPV6_RECV{name}", 1)
    wires.inject(h1, extended(headers, 0, tclass=0x2E))
    wires.inject(h1, datagram(STRANGER, OWN))
    syscalls.setsockopt(h1, sid, "IPV6_RECVHOPLIMIT", 0)
    messages = [syscalls.recvmsg(h1, sid) for _ in range(3)]
    assert [one.control for one in messages if one is not None] == [
        (),
        (
            ("IPV6_PKTINFO", (OWN, 1)),
            ("IPV6_HOPLIMIT", 33),
            ("IPV6_TCLASS", 0x2E),
            ("IPV6_HOPOPTS", b"\x2b\0\x1e\4hops"),
            ("IPV6_RTHDR", b"\x3c\2\0\0\0\0\0\0" + PEER),
            ("IPV6_DSTOPTS", b"\x11\0\x1e\4last"),
        ),
        (("IPV6_PKTINFO", (OWN, 1)), ("IPV6_HOPLIMIT", 64), ("IPV6_TCLASS", 0)),
    ], "and RFC 1883's strict bits are not shown (1.16)"
    wires.inject(h1, datagram(STRANGER, OWN))
    last = syscalls.recvmsg(h1, sid)
    assert last is not None
    assert [name for name, _ in last.control] == ["IPV6_PKTINFO", "IPV6_TCLASS"]


def test_rfc_2292_s_names_switch_the_receiving(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1, 9)
    for name in ("PKTINFO", "HOPLIMIT", "HOPOPTS", "RTHDR", "DSTOPTS"):
        syscalls.setsockopt(h1, sid, f"IPV6_{name}", 1)
        assert syscalls.getsockopt(h1, sid, f"IPV6_RECV{name}") is True
    wires.inject(h1, datagram(STRANGER, OWN))
    message = syscalls.recvmsg(h1, sid)
    assert message is not None
    assert message.control == (("IPV6_PKTINFO", (OWN, 1)), ("IPV6_HOPLIMIT", 64))
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_HOPLIMIT", b"\7") == ENOPROTOOPT, "no sticky option (RFC 3542 6.3)"


def test_the_scope_of_what_comes_is_told(wires: Wires) -> None:
    """1.3.2: the scope id beside the address, and the interface as ancillary data, both disambiguate."""
    wires.link("left")
    wires.link("right")
    h1 = wires.node("h1", "left", "right")
    wires.run(to=3)
    sid = udp6(h1, 9)
    syscalls.setsockopt(h1, sid, "IPV6_RECVPKTINFO", 1)
    for number in (1, 2):
        wires.inject(h1, datagram(STRANGER, A(f"fe80::ff:fe00:{number}")), f"ne{number - 1}")
    messages = [syscalls.recvmsg(h1, sid) for _ in range(2)]
    assert [(one.addr, one.zone, one.control[0][1][1]) for one in messages if one is not None] == [
        (STRANGER, 1, 1), (STRANGER, 2, 2),
    ]  # fmt: skip
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 2)
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 0, control=(("IPV6_PKTINFO", (None, 1)),))
    wires.run(0.1)
    asked = [one.interface for one in wires.sent(h1, icmp.NEIGHBOR_SOLICIT, since=3)]
    assert asked == ["ne1", "ne0"]


def too_big(h1: Node, dst: bytes, mtu: int, sport: int) -> bytes:
    offender = datagram(GLOBAL, dst, 9, bytes(1400), sport=sport)
    return icmp6(A("fe80::1"), GLOBAL, icmp.PACKET_TOO_BIG, icmp.error_body(mtu, offender), hlim=64)


def test_the_path_mtu_is_told_to_who_asked(wires: Wires) -> None:
    h1 = ready(wires)
    syscalls.route(h1, "add", destination=ANY, plen=0, gateway=PEER)
    far = A("2001:db8:9::9")
    asking, other, deaf = udp6(h1), udp6(h1), udp6(h1)
    for sid, dst in ((asking, far), (other, PEER), (deaf, far)):
        if sid != deaf:
            syscalls.setsockopt(h1, sid, "IPV6_RECVPATHMTU", 1)
        assert errno(syscalls.getsockopt, h1, sid, "IPV6_PATHMTU") == ENOTCONN
        syscalls.connect(h1, sid, dst, 9, 0)
    assert syscalls.getsockopt(h1, asking, "IPV6_PATHMTU") == (far, 0, 1500)
    wires.inject(h1, too_big(h1, far, 1300, syscalls.getsockname(h1, asking)[1]))
    assert [syscalls.readable(h1, sid) for sid in (asking, other, deaf)] == [True, False, False]
    assert errno(syscalls.recvmsg, h1, asking) == EMSGSIZE, "the error first, then what it is about"
    message = syscalls.recvmsg(h1, asking)
    assert message is not None
    assert (message.data, message.addr, message.control) == (b"", far, (("IPV6_PATHMTU", (far, 0, 1300)),))
    assert syscalls.recvmsg(h1, asking) is None
    assert syscalls.getsockopt(h1, asking, "IPV6_PATHMTU") == (far, 0, 1300)


def test_what_is_too_long_and_may_not_be_cut_tells_the_path_mtu(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    for name in ("IPV6_DONTFRAG", "IPV6_RECVPATHMTU"):
        syscalls.setsockopt(h1, sid, name, 1)
    assert errno(syscalls.sendmsg, h1, sid, bytes(1500), PEER, 9, 0) == EMSGSIZE
    message = syscalls.recvmsg(h1, sid)
    assert message is not None
    assert message.control == (("IPV6_PATHMTU", (PEER, 0, 1500)),)
    assert errno(syscalls.sendmsg, h1, sid, b"x", PEER, 9, 0, control=(("IPV6_DONTFRAG", 7),)) == EINVAL


def test_tcp_takes_two_options_and_ignores_them(wires: Wires) -> None:
    """KAME IMPLEMENTATION 1.16 (2001)."""
    h1 = ready(wires)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    for name in ("IPV6_DONTFRAG", "IPV6_RECVPATHMTU"):
        syscalls.setsockopt(h1, sid, name, 1)
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_PKTINFO", (GLOBAL, 1)) == EINVAL
    syscalls.setsockopt(h1, sid, "IPV6_PKTINFO", (None, 1))
    assert syscalls.getsockopt(h1, sid, "SO_TYPE") == "stream"


# -- raw sockets -----------------------------------------------------------------------------------------------------


def summed(data: bytes, offset: int) -> bytes:
    """OSPF-like payload from the stranger with a good checksum at ``offset``."""
    blank = data[:offset] + b"\0\0" + data[offset + 2 :]
    value = in6_cksum(STRANGER, OWN, 89, blank).to_bytes(2, "big")
    return blank[:offset] + value + blank[offset + 2 :]


def test_the_kernel_sums_for_a_raw_socket(wires: Wires) -> None:
    h1 = ready(wires)
    sid = syscalls.socket(h1, 0, "raw6", 89)
    assert syscalls.getsockopt(h1, sid, "IPV6_CHECKSUM") == -1
    wires.inject(h1, ip6.build(STRANGER, OWN, 89, b"anything"))
    syscalls.setsockopt(h1, sid, "IPV6_CHECKSUM", 4)
    assert syscalls.getsockopt(h1, sid, "IPV6_CHECKSUM") == 4
    good = summed(b"datadatadata", 4)
    wires.inject(h1, ip6.build(STRANGER, OWN, 89, good))
    wires.inject(h1, ip6.build(STRANGER, OWN, 89, good[:-1] + b"x"))
    heard = []
    while (message := syscalls.recvmsg(h1, sid)) is not None:
        heard.append(message.data)
    assert heard == [b"anything", good]
    assert (h1.counters()["rip6.isum"], h1.counters()["rip6.badsum"]) == (2, 1)
    syscalls.sendmsg(h1, sid, b"datadatadata", STRANGER, 0, 1)
    packet = left(wires, h1)[-1]
    assert in6_cksum(OWN, STRANGER, 89, packet[40:]) == 0
    assert packet[40:44] + packet[46:] == b"datatadata"
    assert errno(syscalls.sendmsg, h1, sid, b"datad", STRANGER, 0, 1) == EINVAL, "no room for the sum"


@pytest.mark.parametrize(
    ("proto", "value", "number"), [(89, 3, EINVAL), (89, -2, EINVAL), (58, 4, EINVAL), (58, -1, EINVAL)]
)
def test_checksum_offsets_that_are_refused(wires: Wires, proto: int, value: int, number: int) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "raw6", proto)
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_CHECKSUM", value) == number
    assert errno(syscalls.setsockopt, h1, udp6(h1), "IPV6_CHECKSUM", 2) == EINVAL
    assert errno(syscalls.getsockopt, h1, udp6(h1), "IPV6_CHECKSUM") == EINVAL


def test_the_checksum_of_icmp6_and_its_filter(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "raw6", 58)
    assert syscalls.getsockopt(h1, sid, "IPV6_CHECKSUM") == 2
    syscalls.setsockopt(h1, sid, "IPV6_CHECKSUM", 2)
    assert syscalls.getsockopt(h1, sid, "ICMP6_FILTER") == tuple(range(256))
    syscalls.setsockopt(h1, sid, "ICMP6_FILTER", (129, 1))
    assert syscalls.getsockopt(h1, sid, "ICMP6_FILTER") == (1, 129)
    assert errno(syscalls.setsockopt, h1, sid, "ICMP6_FILTER", (256,)) == EINVAL
    ospf = syscalls.socket(h1, 0, "raw6", 89)
    assert errno(syscalls.setsockopt, h1, ospf, "ICMP6_FILTER", (1,)) == EINVAL
    assert errno(syscalls.getsockopt, h1, ospf, "ICMP6_FILTER") == EINVAL
    assert errno(syscalls.setsockopt, h1, ospf, "IPV6_HDRINCL", 1) == ENOPROTOOPT


def test_a_raw_socket_of_no_protocol_hears_all_but_icmp6(wires: Wires) -> None:
    """KAME rip6_input passes a protocol of 0, icmp6_rip6_input does not."""
    h1 = ready(wires)
    sid = syscalls.socket(h1, 0, "raw6", 0)
    wires.inject(h1, icmp6(STRANGER, OWN, icmp.ECHO_REPLY, bytes(8)))
    wires.inject(h1, ip6.build(STRANGER, OWN, 89, b"ospf"))
    wires.inject(h1, ip6.build(STRANGER, OWN, 103, b"pim!"))
    assert [syscalls.recvmsg(h1, sid).data for _ in range(2)] == [b"ospf", b"pim!"]  # type: ignore[union-attr]
    assert wires.drops(h1, 3) == []


# -- names and errors ------------------------------------------------------------------------------------------------


def test_connections_are_made_anew_and_dissolved(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    assert errno(syscalls.getpeername, h1, sid) == ENOTCONN
    syscalls.connect(h1, sid, PEER, 9, 0)
    port = syscalls.getsockname(h1, sid)[1]
    assert syscalls.getpeername(h1, sid) == (PEER, 9, 0)
    assert errno(syscalls.sendmsg, h1, sid, b"x", PEER, 9, 0) == EISCONN
    syscalls.connect(h1, sid, STRANGER, 7, 1)
    assert syscalls.getsockname(h1, sid) == (OWN, port, 1), "another peer, another source, the same port"
    syscalls.connect(h1, sid, None, 0, 0)
    assert errno(syscalls.sendmsg, h1, sid, b"x") == ENOTCONN
    assert syscalls.getsockname(h1, sid) == (ANY, port, 0)
    syscalls.connect(h1, sid, ANY, 9, 0)
    assert syscalls.getpeername(h1, sid) == (in6.LOOPBACK, 9, 0), "nobody is oneself"


def test_what_goes_to_nobody_stays_at_home(wires: Wires) -> None:
    h1 = ready(wires)
    syscalls.route(h1, "add", destination=ANY, plen=0, gateway=PEER)
    server = udp6(h1, 9)
    syscalls.sendmsg(h1, udp6(h1), b"x", ANY, 9, 0)
    wires.run(0.1)
    message = syscalls.recvmsg(h1, server)
    assert message is not None
    assert (message.addr, message.dst) == (in6.LOOPBACK, in6.LOOPBACK)
    assert [one.interface for one in wires.sent(h1, since=3) if one.packet[6] == 17] == ["lo0"]


def test_an_error_is_told_by_the_next_call_whichever_it_is(wires: Wires) -> None:
    h1 = ready(wires)
    sid = udp6(h1)
    syscalls.connect(h1, sid, PEER, 9, 0)
    told = []
    for call in ("send", "receive", "ask"):
        syscalls.sendmsg(h1, sid, b"x")
        packet = left(wires, h1)[-1]
        body = icmp.error_body(0, packet)
        wires.inject(h1, icmp6(PEER, GLOBAL, icmp.DST_UNREACH, body, icmp.UNREACH_PORT, hlim=64))
        if call == "ask":
            told.append(syscalls.getsockopt(h1, sid, "SO_ERROR"))
        elif call == "send":
            told.append(errno(syscalls.sendmsg, h1, sid, b"y"))
        else:
            told.append(errno(syscalls.recvmsg, h1, sid))
    assert told == [61, 61, 61]
    assert syscalls.getsockopt(h1, sid, "SO_ERROR") == 0


def test_options_as_they_were_set_and_as_they_are_by_default(wires: Wires) -> None:
    h1 = wires.host()
    sid = udp6(h1)
    before = {"IPV6_UNICAST_HOPS": -1, "IPV6_MULTICAST_LOOP": 1, "IPV6_TCLASS": -1, "IPV6_USE_MIN_MTU": -1,
              "SO_REUSEADDR": False, "IPV6_RTHDR": b"", "IPV6_PKTINFO": None}  # fmt: skip
    after = {"IPV6_UNICAST_HOPS": 5, "IPV6_MULTICAST_LOOP": 0, "IPV6_TCLASS": 7, "IPV6_USE_MIN_MTU": 1,
             "SO_REUSEADDR": True, "IPV6_RTHDR": RTHDR, "IPV6_PKTINFO": (GLOBAL, 0)}  # fmt: skip
    assert {name: syscalls.getsockopt(h1, sid, name) for name in before} == before
    for name, value in after.items():
        syscalls.setsockopt(h1, sid, name, value)
    assert {name: syscalls.getsockopt(h1, sid, name) for name in after} == after
    assert errno(syscalls.getsockopt, h1, sid, "IPV6_NOVELTY") == ENOPROTOOPT
    assert syscalls.getsockopt(h1, sid, "SO_TYPE") == "dgram"


def test_membership_without_an_address_and_where_there_is_no_multicast(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    sid = udp6(h1)
    group = A("ff05::77")
    assert syscalls.rows(h1, "addresses") == ()
    syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (group, 1))
    assert [one.group for one in syscalls.rows(h1, "groups")] == ["ff05::77"]
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_JOIN_GROUP", (group, 1)) == 48
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_JOIN_GROUP", (PEER, 1)) == EINVAL
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_JOIN_GROUP", (group, 9)) == ENXIO
    syscalls.setsockopt(h1, sid, "IPV6_MULTICAST_IF", 1)
    syscalls.setsockopt(h1, sid, "IPV6_LEAVE_GROUP", (group, 0))
    assert syscalls.rows(h1, "groups") == ()
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_LEAVE_GROUP", (group, 1)) == EADDRNOTAVAIL
    for name in ("IPV6_ADD_MEMBERSHIP", "IPV6_DROP_MEMBERSHIP"):
        syscalls.setsockopt(h1, sid, name, (group, 1))
    h1.interfaces["ne0"].multicast = False
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_JOIN_GROUP", (group, 1)) == EADDRNOTAVAIL
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_MULTICAST_IF", 1) == EADDRNOTAVAIL
    assert errno(syscalls.setsockopt, h1, sid, "IPV6_MULTICAST_LOOP", 2) == EINVAL
