"""UDP and raw sockets as programs see them (RFC 3493, RFC 3542; KAME udp6_usrreq.c, raw_ip6.c, in6_pcb.c)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import STRANGER, A, Wires, datagram, echo, icmp6, na, ns, ra, row

from kamelab.core.errors import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EBADF,
    ECONNREFUSED,
    EHOSTUNREACH,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOPROTOOPT,
    ENOTCONN,
    ENXIO,
    EPROTONOSUPPORT,
    Errno,
)
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import ip6

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
PEER = A("2001:db8:1::9")
ANY = bytes(16)


def bound(node: Node, port: int = 9, addr: bytes = ANY, zone: int = 0) -> int:
    sid = syscalls.socket(node, 0, "udp6", 0)
    syscalls.bind(node, sid, addr, port, zone)
    return sid


def data_of(node: Node, sid: int) -> bytes | None:
    message = syscalls.recvmsg(node, sid)
    return None if message is None else message.data


def errno(call: Any, *args: Any, **named: Any) -> int:
    with pytest.raises(Errno) as refusal:
        call(*args, **named)
    return refusal.value.number


def test_a_datagram_comes_with_all_that_rfc_3542_tells(wires: Wires) -> None:
    h1 = wires.host()
    sid = bound(h1)
    assert syscalls.recvmsg(h1, sid) is None
    wires.inject(h1, datagram(STRANGER, OWN, data=b"hello", hlim=33, sport=77))
    assert syscalls.readable(h1, sid)
    message = syscalls.recvmsg(h1, sid)
    assert message is not None
    assert (message.data, message.addr, message.port, message.zone) == (b"hello", STRANGER, 77, 1)
    assert (message.dst, message.ifindex, message.hoplimit, message.time) == (OWN, 1, 33, 3_000_000_000)
    assert not syscalls.readable(h1, sid)


def test_the_most_particular_socket_takes_it(wires: Wires) -> None:
    h1 = wires.host()
    wild, local, connected = (syscalls.socket(h1, 0, "udp6", 0) for _ in range(3))
    for sid, addr, zone in ((wild, ANY, 0), (local, GLOBAL, 0), (connected, OWN, 1)):
        syscalls.setsockopt(h1, sid, "SO_REUSEADDR", 1)
        syscalls.bind(h1, sid, addr, 9, zone)
    syscalls.connect(h1, connected, STRANGER, 1000, 1)
    wires.inject(h1, datagram(PEER, GLOBAL, data=b"local"))
    wires.inject(h1, datagram(STRANGER, OWN, data=b"connected"))
    wires.inject(h1, datagram(STRANGER, OWN, data=b"wild", sport=1001))
    assert [data_of(h1, sid) for sid in (wild, local, connected)] == [b"wild", b"local", b"connected"]


@pytest.mark.parametrize(
    ("packet", "reason", "counter"),
    [
        (ip6.build(STRANGER, OWN, 17, bytes(7)), "UDP_HEADER", "udp6.hdrops"),
        (ip6.build(STRANGER, OWN, 17, b"\0\x01\0\x09\0\x07\0\x01"), "UDP_TOOSHORT", "udp6.badlen"),
        (ip6.build(STRANGER, OWN, 17, b"\0\x01\0\x09\0\x09\0\x01"), "UDP_TOOSHORT", "udp6.badlen"),
        (ip6.build(STRANGER, OWN, 17, b"\0\x01\0\x09\0\x08\0\x00"), "UDP_NOCHECKSUM", "udp6.nosum"),
        (datagram(STRANGER, OWN)[:-1] + b"x", "UDP_CHECKSUM", "udp6.badsum"),
        (datagram(STRANGER, OWN, port=0), "UDP_PORT_ZERO", "udp6.noport"),
        (datagram(STRANGER, OWN, port=10), "UDP_NOPORT", "udp6.noport"),
        (datagram(STRANGER, A("ff02::1"), port=10), "UDP_NOPORT_MULTICAST", "udp6.noportmcast"),
        (datagram(STRANGER, A("ff02::1")), "UDP_NOPORT_MULTICAST", "udp6.noportmcast"),
    ],
)
def test_datagrams_that_nobody_gets(wires: Wires, packet: bytes, reason: str, counter: str) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    sid = bound(h1)
    wires.inject(h1, packet)
    assert wires.drops(h1, 3) == [reason]
    assert h1.counters()[counter] == 1
    assert syscalls.recvmsg(h1, sid) is None
    told = [one.message[1] for one in wires.sent(h1, icmp.DST_UNREACH)]
    assert told == ([icmp.UNREACH_PORT] if reason == "UDP_NOPORT" else [])


def test_what_is_behind_the_datagram_s_length_is_cut(wires: Wires) -> None:
    h1 = wires.host()
    sid = bound(h1)
    packet = datagram(STRANGER, OWN, data=b"four")
    wires.inject(h1, packet[:4] + (16).to_bytes(2, "big") + packet[6:] + b"more")
    assert data_of(h1, sid) == b"four"


def test_a_full_buffer_drops_what_comes_and_counts_it_once(wires: Wires) -> None:
    h1 = wires.host()
    sid = bound(h1)
    syscalls.setsockopt(h1, sid, "SO_RCVBUF", 200)
    for number in range(4):
        wires.inject(h1, datagram(STRANGER, OWN, data=b"%d" % number))
    assert wires.drops(h1, 3) == ["SOCK_FULL"]
    assert h1.counters()["udp6.fullsock"] == 1
    assert row(h1, "sockets", "*.9").recv_q == 195
    assert [data_of(h1, sid) for _ in range(4)] == [b"0", b"1", b"2", None]


def test_multicast_goes_to_every_member_that_has_room(wires: Wires) -> None:
    h1 = wires.host()
    group = A("ff02::77")
    sockets = [syscalls.socket(h1, 0, "udp6", 0) for _ in range(4)]
    for sid in sockets:
        syscalls.setsockopt(h1, sid, "SO_REUSEPORT", 1)
        syscalls.bind(h1, sid, ANY, 9, 0)
    for sid in sockets[:3]:
        syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (group, 1))
    syscalls.setsockopt(h1, sockets[2], "SO_RCVBUF", 10)
    wires.inject(h1, datagram(STRANGER, group, data=b"all"))
    assert [data_of(h1, sid) for sid in sockets] == [b"all", b"all", None, None]
    assert h1.counters()["udp6.fullsock"] == 1
    for sid in sockets[:2]:
        syscalls.close(h1, sid)
    wires.inject(h1, datagram(STRANGER, group, data=b"all"))
    assert wires.drops(h1, 3) == ["SOCK_FULL"]
    assert h1.counters()["udp6.fullsock"] == 2


def test_ports(wires: Wires) -> None:
    h1 = wires.host()
    first = bound(h1)
    again = syscalls.socket(h1, 0, "udp6", 0)
    assert errno(syscalls.bind, h1, again, ANY, 9, 0) == EADDRINUSE
    assert errno(syscalls.bind, h1, first, ANY, 10, 0) == EINVAL
    assert errno(syscalls.bind, h1, again, PEER, 10, 0) == EADDRNOTAVAIL
    syscalls.close(h1, first)
    syscalls.bind(h1, again, ANY, 9, 0)
    assert syscalls.getsockname(h1, again) == (ANY, 9, 0)
    assert errno(syscalls.recvmsg, h1, first) == EBADF


def test_anonymous_ports_are_taken_from_their_range_until_none_is_left(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet6.ip6.anonportmin", 50000)
    syscalls.sysctl_set(h1, "net.inet6.ip6.anonportmax", 50009)
    ports = {syscalls.getsockname(h1, bound(h1, 0))[1] for _ in range(10)}
    assert ports == set(range(50000, 50010))
    assert errno(bound, h1, 0) == EADDRNOTAVAIL


def test_connected_sockets(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(GLOBAL, src=PEER))
    sid = syscalls.socket(h1, 0, "udp6", 0)
    assert errno(syscalls.sendmsg, h1, sid, b"") == ENOTCONN
    assert errno(syscalls.connect, h1, sid, PEER, 0, 0) == EADDRNOTAVAIL
    assert errno(syscalls.connect, h1, sid, A("2001:db8:9::9"), 9, 0) == EHOSTUNREACH
    syscalls.connect(h1, sid, PEER, 9, 0)
    addr, port, _ = syscalls.getsockname(h1, sid)
    assert addr == GLOBAL
    assert 49152 <= port <= 65535
    assert syscalls.sendmsg(h1, sid, b"x") == 1
    assert errno(syscalls.sendmsg, h1, sid, b"x", PEER, 9, 0) == EISCONN
    packet = wires.sent(h1, since=3)[-1].packet
    for code, number in ((icmp.UNREACH_PORT, ECONNREFUSED), (icmp.UNREACH_NOROUTE, EHOSTUNREACH)):
        wires.inject(h1, icmp6(PEER, GLOBAL, icmp.DST_UNREACH, icmp.error_body(0, packet), code))
        assert syscalls.readable(h1, sid)
        assert errno(syscalls.recvmsg, h1, sid) == number
        assert syscalls.recvmsg(h1, sid) is None, "an error is told once"


def test_an_error_about_something_that_was_never_sent_is_told_nobody(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, PEER, 9, 0)
    port = syscalls.getsockname(h1, sid)[1]
    for quoted in (datagram(GLOBAL, PEER, 10, sport=port), datagram(GLOBAL, A("2001:db8:1::8"), 9, sport=port), b"x"):
        wires.inject(h1, icmp6(PEER, GLOBAL, icmp.DST_UNREACH, icmp.error_body(0, quoted), icmp.UNREACH_PORT))
    assert not syscalls.readable(h1, sid)


def test_sending_with_a_source_an_interface_and_a_hop_limit(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 0, (None, 1), 7)
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 1, (GLOBAL, 0), None)
    syscalls.setsockopt(h1, sid, "IPV6_UNICAST_HOPS", 9)
    syscalls.setsockopt(h1, sid, "IPV6_TCLASS", 0x2E)
    syscalls.sendmsg(h1, sid, b"x", STRANGER, 9, 1)
    sent = [one for one in wires.sent(h1, since=3) if one.packet[6] == 17]
    assert [(one.src, one.hlim) for one in sent] == [
        ("fe80::ff:fe00:1", 7), ("2001:db8:1::1", 64), ("fe80::ff:fe00:1", 9),
    ]  # fmt: skip
    assert ip6.parse(sent[2].packet).tclass == 0x2E
    assert errno(syscalls.sendmsg, h1, sid, b"x", STRANGER, 9, 1, (PEER, 0)) == EADDRNOTAVAIL
    assert errno(syscalls.sendmsg, h1, sid, b"x", STRANGER, 9, 1, (None, 77)) == ENXIO
    assert errno(syscalls.sendmsg, h1, sid, bytes(65528), STRANGER, 9, 1) == EMSGSIZE
    assert errno(syscalls.sendmsg, h1, sid, b"x", STRANGER, 0, 1) == EADDRNOTAVAIL


def test_multicast_options(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    listener = bound(h1)
    syscalls.setsockopt(h1, listener, "IPV6_JOIN_GROUP", (A("ff02::77"), 1))
    syscalls.setsockopt(h1, sid, "IPV6_MULTICAST_IF", 1)
    syscalls.setsockopt(h1, sid, "IPV6_MULTICAST_HOPS", 5)
    syscalls.sendmsg(h1, sid, b"heard", A("ff02::77"), 9, 0)
    syscalls.setsockopt(h1, sid, "IPV6_MULTICAST_LOOP", 0)
    syscalls.sendmsg(h1, sid, b"unheard", A("ff02::77"), 9, 0)
    wires.run(0.1)
    assert [one.hlim for one in wires.sent(h1, since=3) if one.packet[6] == 17] == [5, 5]
    assert (data_of(h1, listener), data_of(h1, listener)) == (b"heard", None)


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("IPV6_UNICAST_HOPS", 256, EINVAL),
        ("IPV6_MULTICAST_HOPS", -2, EINVAL),
        ("IPV6_TCLASS", 256, EINVAL),
        ("IPV6_MULTICAST_IF", 9, ENXIO),
        ("IPV6_PKTINFO", (None, 9), ENXIO),
        ("SO_RCVBUF", 0, EINVAL),
        ("IPV6_NOVELTY", 1, ENOPROTOOPT),
    ],
)
def test_options_that_are_refused(wires: Wires, name: str, value: Any, number: int) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    assert errno(syscalls.setsockopt, h1, sid, name, value) == number


def test_kinds_of_sockets_that_are_not_here(wires: Wires) -> None:
    h1 = wires.host()
    assert errno(syscalls.socket, h1, 0, "sctp6", 0) == EPROTONOSUPPORT
    assert errno(syscalls.socket, h1, 0, "appletalk", 0) == EAFNOSUPPORT


# -- raw sockets -----------------------------------------------------------------------------------------------------


def test_a_raw_icmp6_socket_hears_what_its_filter_passes(wires: Wires) -> None:
    h1 = wires.host()
    everything, replies = (syscalls.socket(h1, 0, "raw6", 58) for _ in range(2))
    syscalls.setsockopt(h1, replies, "ICMP6_FILTER", (icmp.ECHO_REPLY,))
    for packet in (echo(STRANGER, OWN), icmp6(STRANGER, OWN, icmp.ECHO_REPLY, bytes(8)), ns(OWN), na(PEER, OWN, "O")):
        wires.inject(h1, packet)
    heard = []
    while (data := data_of(h1, everything)) is not None:
        heard.append(data[0])
    assert heard == [icmp.ECHO_REQUEST, icmp.ECHO_REPLY, icmp.NEIGHBOR_SOLICIT], "what the kernel refused is not heard"
    data = data_of(h1, replies)
    assert data is not None
    assert data[0] == icmp.ECHO_REPLY
    assert syscalls.recvmsg(h1, replies) is None


def test_raw_sockets_hear_advertisements_that_the_kernel_does_not_take(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    wires.inject(h1, ra())
    wires.inject(h1, icmp6(STRANGER, OWN, 200, bytes(4)))
    assert [r.note for r in wires.records(h1, "deliver", 3)] == ["raw sockets", "raw sockets"]
    assert (data_of(h1, sid) or b"")[0] == icmp.ROUTER_ADVERT


def test_the_checksum_of_icmp6_is_the_kernel_s(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    sid = syscalls.socket(h1, 0, "raw6", 58)
    assert errno(syscalls.sendmsg, h1, sid, b"\x80\0\0", STRANGER, 0, 1) == EINVAL
    syscalls.sendmsg(h1, sid, b"\x80\0\xff\xff\0\x01\0\x01data", STRANGER, 0, 1)
    packet = wires.sent(h1, icmp.ECHO_REQUEST)[-1].packet
    assert packet == echo(OWN, STRANGER, b"data", hlim=64)


def test_raw_sockets_of_another_protocol(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    sid = syscalls.socket(h1, 0, "raw6", 89)
    wires.inject(h1, ip6.build(STRANGER, OWN, 89, b"hello"))
    wires.inject(h1, ip6.build(STRANGER, OWN, 90, b"hello"))
    assert data_of(h1, sid) == b"hello"
    assert syscalls.recvmsg(h1, sid) is None
    assert wires.drops(h1, 3) == ["NXT_UNKNOWN"]
    syscalls.sendmsg(h1, sid, b"there", STRANGER, 0, 1)
    assert wires.sent(h1, since=3)[-1].packet == ip6.build(OWN, STRANGER, 89, b"there")


def test_bound_and_connected_raw_sockets_hear_their_addresses(wires: Wires) -> None:
    h1 = wires.host()
    local, peer = (syscalls.socket(h1, 0, "raw6", 58) for _ in range(2))
    syscalls.bind(h1, local, GLOBAL, 0, 0)
    syscalls.connect(h1, peer, PEER, 0, 0)
    wires.inject(h1, echo(STRANGER, OWN))
    assert (syscalls.recvmsg(h1, local), syscalls.recvmsg(h1, peer)) == (None, None)
    wires.inject(h1, echo(PEER, GLOBAL))
    assert data_of(h1, local) == data_of(h1, peer) != None  # noqa: E711


def test_a_full_raw_socket_loses_messages_and_the_kernel_goes_on(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    sid = syscalls.socket(h1, 0, "raw6", 58)
    syscalls.setsockopt(h1, sid, "SO_RCVBUF", 100)
    for _ in range(3):
        wires.inject(h1, echo(STRANGER, OWN))
    assert len(wires.sent(h1, icmp.ECHO_REPLY)) == 3
    assert h1.counters()["rip6.fullsock"] == 2
