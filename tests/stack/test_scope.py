"""Scope zones: what may be on the wire, what programs may say, what leaves (RFC 4007, KAME IMPLEMENTATION 1.3)."""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Wires, datagram, echo, echo_to, na, ns, row, scoped

from kamelab.core.errors import EADDRNOTAVAIL, EHOSTUNREACH, ENXIO, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import icmp6 as icmp
from kamelab.wire import ip6

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")


@pytest.mark.parametrize(
    ("src", "dst", "reason"),
    [
        ("ff02::5", "2001:db8:1::1", "IP6_SRC_MULTICAST"),
        ("fe80::99", "::", "IP6_DST_UNSPECIFIED"),
        ("fe80::99", "ff01::1", "IP6_IFLOCAL_WIRE"),
        ("fe80::99", "ff00::1", "IP6_IFLOCAL_WIRE"),
        ("::ffff:10.0.0.1", "2001:db8:1::1", "IP6_V4MAPPED"),
        ("2001:db8:1::9", "::ffff:10.0.0.1", "IP6_V4MAPPED"),
        ("::127.0.0.1", "2001:db8:1::1", "IP6_V4COMPAT"),
        ("::255.255.255.255", "2001:db8:1::1", "IP6_V4COMPAT"),
        ("2001:db8:1::9", "::224.0.0.1", "IP6_V4COMPAT"),
        ("fe80:1::99", "2001:db8:1::1", "IP6_EMBEDDED_ZONE"),
        ("fe80::99", "fe80:1::ff:fe00:1", "IP6_EMBEDDED_ZONE"),
        ("fe80::99", "ff02:1::1", "IP6_EMBEDDED_ZONE"),
        ("::1", "2001:db8:1::1", "IP6_LOOPBACK_WIRE"),
        ("fe80::99", "::1", "IP6_LOOPBACK_WIRE"),
    ],
)
def test_addresses_that_may_not_stand_on_the_wire(wires: Wires, src: str, dst: str, reason: str) -> None:
    h1 = wires.host()
    before = h1.counters().get("ip6.badscope", 0)
    wires.inject(h1, datagram(A(src), A(dst)), dmac=h1.interfaces["ne0"].mac)
    assert wires.drops(h1, 3) == [reason]
    assert h1.counters()["ip6.badscope"] == before + 1
    assert wires.sent(h1, since=3) == []


def test_an_embedded_zone_is_logged(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, datagram(A("fe80:1::99"), GLOBAL))
    assert wires.log(h1) == ["ip6_input: embedded zone from fe80:1::99 to 2001:db8:1::1"]


@pytest.mark.parametrize("text", ["fe80:1::99", "ff02:1::1", "ff01:2::1"])
def test_the_embedded_form_is_refused_from_programs(wires: Wires, text: str) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    for call in (
        lambda: syscalls.sendmsg(h1, sid, b"", A(text), 9, 1),
        lambda: syscalls.connect(h1, sid, A(text), 9, 1),
        lambda: syscalls.bind(h1, sid, A(text), 0, 1),
        lambda: syscalls.neighbor(h1, "set", address=A(text), interface="ne0", lladdr=bytes(6)),
        lambda: syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=A(text), interface="ne0"),
        lambda: syscalls.ioctl(h1, "SIOCAIFADDR_IN6", "ne0", address=A(text), plen=64),
    ):
        with pytest.raises(Errno) as refusal:
            call()
        assert refusal.value.number in (ENXIO, EADDRNOTAVAIL)


def test_people_read_zones_as_percent_and_interface(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    texts = {
        field
        for table in ("addresses", "neighbors", "routes", "groups", "prefixes")
        for one in syscalls.rows(h1, table)
        for field in one
        if isinstance(field, str)
    }
    assert {"fe80::99%ne0", "fe80::%ne0/64", "fe80::ff:fe00:1%ne0", "ff02::1%ne0", "fe80::1%lo0"} <= texts
    assert not [text for text in texts if text.startswith(("fe80:1", "fe80:2", "ff02:1", "ff01:1"))]


def test_no_zone_stands_on_the_wire(wires: Wires) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    wires.inject(h1, na(STRANGER, OWN, "SO"))
    wires.send(h1, "ff02::77", "ne0")
    for one in wires.sent(h1):
        for addr in (one.packet[8:24], one.packet[24:40]):
            assert addr[2:4] == b"\0\0" or addr[0] == 0x20


# -- a node between two links ----------------------------------------------------------------------------------------


def between(wires: Wires, forwarding: int = 0) -> Node:
    """h1 on a (ne0) and b (ne1), at 3 s."""
    wires.link("a")
    wires.link("b")
    h1 = wires.node("h1", "a", "b", forwarding=forwarding)
    wires.run(to=3)
    return h1


def test_one_link_local_address_is_two_neighbours_on_two_links(wires: Wires) -> None:
    h1 = between(wires)
    for interface, mac in (("ne0", b"\x02\0\0\0\0\x98"), ("ne1", b"\x02\0\0\0\0\x99")):
        wires.send(h1, "fe80::99", interface)
        iface = h1.interfaces[interface]
        own = next(a.addr for a in iface.addresses)
        plain = own[:2] + b"\0\0" + own[4:]
        wires.inject(h1, na(STRANGER, plain, "SO", lladdr=mac), interface, smac=mac)
    left = [(one.interface, one.mac[5], one.src) for one in wires.sent(h1, since=3) if one.packet[6] == 17]
    assert left == [("ne0", 0x98, "fe80::ff:fe00:1"), ("ne1", 0x99, "fe80::ff:fe00:2")]
    assert row(h1, "neighbors", "fe80::99%ne0").lladdr == "2:0:0:0:0:98"
    assert row(h1, "neighbors", "fe80::99%ne1").lladdr == "2:0:0:0:0:99"


def test_echo_to_a_link_local_address_is_answered_on_its_link(wires: Wires) -> None:
    h1 = between(wires)
    for interface, own in (("ne0", OWN), ("ne1", A("fe80::ff:fe00:2"))):
        wires.inject(h1, ns(own), interface)
        wires.inject(h1, echo(STRANGER, own), interface)
    replies = wires.sent(h1, icmp.ECHO_REPLY, 3)
    assert [(one.interface, one.src, one.dst) for one in replies] == [
        ("ne0", "fe80::ff:fe00:1", "fe80::99"),
        ("ne1", "fe80::ff:fe00:2", "fe80::99"),
    ]


def test_the_other_link_s_address_of_ours_is_not_ours_on_this_link(wires: Wires) -> None:
    h1 = between(wires)
    wires.inject(h1, echo(STRANGER, A("fe80::ff:fe00:2")), "ne0")
    assert wires.drops(h1, 3) == ["IP6_NOTFORWARDING"]


def test_an_ambiguous_destination_goes_nowhere_without_a_default_zone(wires: Wires) -> None:
    h1 = between(wires)
    with pytest.raises(Errno) as refusal:
        wires.send(h1, "fe80::99")
    assert refusal.value.number == EHOSTUNREACH
    syscalls.sysctl_set(h1, "net.inet6.ip6.use_defaultzone", 1)
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne1")
    wires.send(h1, "fe80::99")
    assert [one.interface for one in wires.sent(h1, icmp.NEIGHBOR_SOLICIT, 3)] == ["ne1"]


def test_an_unknown_zone_is_no_zone(wires: Wires) -> None:
    h1 = between(wires)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    with pytest.raises(Errno) as refusal:
        syscalls.sendmsg(h1, sid, b"", STRANGER, 9, 44)
    assert refusal.value.number == ENXIO
    # A global address needs none: the id is ignored.
    wires.address(h1, "2001:db8:1::1")
    wires.run(2)
    assert syscalls.sendmsg(h1, sid, b"x", A("2001:db8:1::9"), 9, 44) == 1


def test_a_source_of_another_zone_does_not_leave(wires: Wires) -> None:
    h1 = between(wires)
    ne0, ne1 = h1.interfaces["ne0"], h1.interfaces["ne1"]
    for src in (scoped(ne1, A("fe80::ff:fe00:2")), A("::1")):
        out = Output("test", scoped(ne0, STRANGER), 59, b"", src=src)
        assert wires.output(h1, out) == EHOSTUNREACH
    assert wires.drops(h1, 3) == ["OUT_SCOPE", "OUT_SCOPE"]
    assert h1.counters()["ip6.badscope"] == 2


def test_loopback_and_own_addresses_are_reached_without_a_wire(wires: Wires) -> None:
    h1 = wires.host()
    ne0, lo0 = h1.interfaces["ne0"], h1.interfaces["lo0"]
    for text, iface in (("::1", lo0), ("fe80::1", lo0), ("fe80::ff:fe00:1", ne0), ("2001:db8:1::1", ne0)):
        wires.output(h1, echo_to(text, iface))
        wires.run(0.1)
    replies = wires.sent(h1, icmp.ECHO_REPLY, 3)
    assert [(one.src, one.dst) for one in replies] == [
        ("::1", "::1"),
        ("fe80::1", "fe80::1"),
        ("fe80::ff:fe00:1", "fe80::ff:fe00:1"),
        ("2001:db8:1::1", "2001:db8:1::1"),
    ]
    assert {one.interface for one in wires.sent(h1, since=3)} == {"lo0"}
    assert wires.drops(h1, 3) == []


def test_interface_local_multicast_stays_on_the_node(wires: Wires) -> None:
    h1 = wires.host()
    raw = syscalls.socket(h1, 0, "raw6", 58)
    wires.output(h1, echo_to("ff01::1", h1.interfaces["ne0"], oif=h1.interfaces["ne0"]))
    wires.run(1)
    assert wires.sent(h1, since=3, interface="ne0") == []
    message = syscalls.recvmsg(h1, raw)
    assert message is not None
    assert (message.dst, message.ifindex) == (A("ff01::1"), 1)


def test_multicast_on_the_link_reaches_the_sender_too(wires: Wires) -> None:
    h1 = wires.host()
    wires.output(h1, echo_to("ff02::1", h1.interfaces["ne0"]))
    wires.run(1)
    (request,) = wires.sent(h1, icmp.ECHO_REQUEST, 3)
    (reply,) = wires.sent(h1, icmp.ECHO_REPLY, 3)
    assert (request.interface, request.hlim) == ("ne0", 1)
    assert (reply.interface, reply.src, reply.dst) == ("lo0", "fe80::ff:fe00:1", "fe80::ff:fe00:1")


# -- borders in forwarding (RFC 4007 9) ---------------------------------------------------------------


def test_a_link_local_source_does_not_cross_a_router_and_is_told(wires: Wires) -> None:
    r1 = wires.router()
    wires.inject(r1, ns(OWN, src=STRANGER), "ne0")
    wires.inject(r1, datagram(STRANGER, A("2001:db8:2::5")), "ne0")
    assert wires.drops(r1, 3) == ["FWD_SCOPE_SRC"]
    (told,) = wires.sent(r1, icmp.DST_UNREACH)
    assert (told.message[1], told.dst, told.interface) == (icmp.UNREACH_SCOPE, "fe80::99", "ne0")
    counters = r1.counters()
    assert (counters["ip6.cantforward"], counters["ip6.badscope"]) == (1, 1)
    assert "cannot forward from fe80::99%ne0 to 2001:db8:2::5" in wires.log(r1)[-1]


def test_a_link_local_destination_does_not_cross_a_router_and_nobody_is_told(wires: Wires) -> None:
    r1 = wires.router()
    syscalls.route(r1, "delete", destination=A("fe80::"), zone=1, plen=64)
    syscalls.route(r1, "add", destination=bytes(16), plen=0, gateway=A("2001:db8:2::9"))
    wires.inject(r1, datagram(A("2001:db8:1::5"), A("fe80::77")), "ne0")
    assert wires.drops(r1, 3) == ["FWD_SCOPE_DST"]
    assert wires.sent(r1, icmp.DST_UNREACH) == []


def test_a_packet_of_a_raw_socket_has_the_zone_of_its_interface(wires: Wires) -> None:
    h1 = between(wires)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    wires.inject(h1, echo(STRANGER, A("ff02::1")), "ne1")
    message = syscalls.recvmsg(h1, sid)
    assert message is not None
    assert (message.addr, message.zone, message.ifindex) == (STRANGER, 2, 2)
    assert ip6.parse(echo(STRANGER, OWN)).hlim == 64
