"""Addresses that may not be on the wire, hop-by-hop options, and what forwarding refuses (KAME IMPLEMENTATION 1.14)."""

from __future__ import annotations

import pytest
from wires import FORWARDING, STRANGER, A, Wires, datagram, echo, mld_message, ns

from kamelab.core.errors import Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
RIGHT_MAC = b"\x02\0\0\0\0\x55"

INVALID = {
    "::ffff:0.0.0.0/104": ("::ffff:0.0.0.0", "::ffff:0.255.255.255", "IP6_V4MAPPED"),
    "::ffff:127.0.0.0/104": ("::ffff:127.0.0.0", "::ffff:127.255.255.255", "IP6_V4MAPPED"),
    "::ffff:224.0.0.0/100": ("::ffff:224.0.0.0", "::ffff:239.255.255.255", "IP6_V4MAPPED"),
    "::ffff:255.0.0.0/104": ("::ffff:255.0.0.0", "::ffff:255.255.255.255", "IP6_V4MAPPED"),
    "any other mapped one": ("::ffff:1.0.0.0", "::ffff:223.255.255.255", "IP6_V4MAPPED"),
    "::0.0.0.0/104": ("::2", "::0.255.255.255", "IP6_V4COMPAT"),
    "::127.0.0.0/104": ("::127.0.0.0", "::127.255.255.255", "IP6_V4COMPAT"),
    "::224.0.0.0/100": ("::224.0.0.0", "::239.255.255.255", "IP6_V4COMPAT"),
    "::255.0.0.0/104": ("::255.0.0.0", "::255.255.255.255", "IP6_V4COMPAT"),
}
"""First, last, and the reason."""


@pytest.mark.parametrize("name", list(INVALID))
@pytest.mark.parametrize("forwarding", [0, 1])
def test_invalid_addresses_end_here_in_silence(wires: Wires, name: str, forwarding: int) -> None:
    h1 = wires.host(forwarding=forwarding)
    *ends, reason = INVALID[name]
    for text in ends:
        wires.inject(h1, echo(A(text), GLOBAL))
        wires.inject(h1, datagram(LEFT, A(text)))
    assert wires.drops(h1, 3) == [reason] * 4
    assert h1.counters()["ip6.badscope"] == 4
    assert wires.sent(h1, since=3) == []


@pytest.mark.parametrize(
    "text", ["::1.2.3.4", "::223.255.255.255", "2002:7f00:1::1", "2002:e000:1::1", "2002:a00:1::1"]
)
def test_others_are_for_reject_routes(wires: Wires, text: str) -> None:
    """Packets from there are answered if there is a way; the routes of rc.net6 are not the kernel's."""
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=STRANGER, gateway_zone=1)
    wires.inject(h1, echo(A(text), GLOBAL))
    assert [one.dst for one in wires.sent(h1, icmp.ECHO_REPLY)] == [in6.ntop(A(text))]


def test_a_reject_route_answers_neighbours_by_icmpv6_and_programs_by_errno(wires: Wires) -> None:
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    syscalls.route(r1, "add", destination=A("2002:e000::"), plen=20, gateway=in6.LOOPBACK, flags=("reject",))
    wires.inject(r1, datagram(LEFT, A("2002:e001::1")))
    assert [(one.dst, one.message[1]) for one in wires.sent(r1, icmp.DST_UNREACH)] == [("2001:db8:1::5", 0)]
    with pytest.raises(Errno, match="No route to host"):
        wires.send(r1, "2002:e001::1")
    assert wires.drops(r1, 3) == ["FWD_REJECT", "OUT_NOROUTE"]


# -- the IPv6 header's end -------------------------------------------------------------------------------------------


def test_a_packet_of_nothing_but_its_header(wires: Wires) -> None:
    """Payload length 0 is an error only in front of hop-by-hop options (RFC 2675 3)."""
    h1 = wires.host()
    wires.inject(h1, ip6.build(STRANGER, OWN, 59, b""))
    assert wires.drops(h1, 3) == []
    assert [one.note for one in wires.records(h1, "deliver", 3)] == ["no next header"]
    wires.inject(h1, ip6.build(STRANGER, OWN, 58, b""))
    assert wires.drops(h1, 3) == ["ICMP6_TOOSHORT"]


def test_what_is_behind_the_payload_is_trimmed(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    wires.inject(h1, echo(STRANGER, OWN, b"data") + b"trailer")
    (reply,) = wires.sent(h1, icmp.ECHO_REPLY)
    assert reply.message[8:] == b"data"


@pytest.mark.parametrize("nxt", [4, 41])
def test_a_tunnel_packet_without_a_tunnel(wires: Wires, nxt: int) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    wires.inject(h1, ip6.build(STRANGER, OWN, nxt, echo(STRANGER, OWN)))
    assert wires.drops(h1, 3) == ["IP6_NOGIF"]
    assert h1.counters()["ip6.nogif"] == 1
    assert wires.sent(h1, icmp.PARAM_PROB) == []
    sid = syscalls.socket(h1, 0, "raw6", nxt)
    wires.inject(h1, ip6.build(STRANGER, OWN, nxt, echo(STRANGER, OWN)))
    assert syscalls.recvmsg(h1, sid) is not None


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        bytes(6),
        exthdr.option(1, bytes(4)),
        exthdr.option(1, b"\xff\xff\xff\xff"),  # what PadN holds is not looked at
        exthdr.option(1, b"") * 3,
        bytes(1) + exthdr.option(0x3E, b"abc"),
    ],
)
@pytest.mark.parametrize("kind", [0, 60])
def test_padding_and_options_to_be_skipped(wires: Wires, kind: int, content: bytes) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    header = bytes([58, 0]) + content
    assert len(header) == 8
    wires.inject(h1, ip6.build(STRANGER, OWN, kind, header + echo(STRANGER, OWN)[40:]))
    assert len(wires.sent(h1, icmp.ECHO_REPLY)) == 1


@pytest.mark.parametrize(
    "content", [b"\x01\x05\0\0\0\0", b"\0\0\0\0\0\x01", b"\x1e\x09\0\0\0\0", b"\x05\x02\0\0\x05\x02"]
)
def test_an_option_that_runs_over_the_end_is_too_small(wires: Wires, content: bytes) -> None:
    h1 = wires.host()
    wires.inject(h1, ip6.build(STRANGER, OWN, 0, bytes([59, 0]) + content))
    assert wires.drops(h1, 3) == ["OPT_OVERRUN"]
    assert h1.counters()["ip6.toosmall"] == 1


def test_router_alert_and_jumbo_are_options_of_the_hop_by_hop_header_only(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    for content in (exthdr.option(5, b"\0\0"), exthdr.option(5, b"\0")):
        body = exthdr.destination_options(58, content) + echo(STRANGER, OWN)[40:]
        wires.inject(h1, ip6.build(STRANGER, OWN, 60, body))
    assert len(wires.sent(h1, icmp.ECHO_REPLY)) == 2
    wires.inject(h1, ip6.build(STRANGER, OWN, 60, exthdr.destination_options(58, exthdr.option(0xC2, bytes(4)))))
    assert wires.drops(h1, 3) == ["OPT_PARAMPROB"]


def alerted(value: int, dst: bytes) -> bytes:
    """An MLD report of LEFT's with a router alert."""
    report = mld_message(icmp.MLD_REPORT, A("ff1e::77"), src=STRANGER, dst=dst)
    return ip6.build(STRANGER, dst, 0, exthdr.router_alert(58, value) + report[40:], hlim=1)


@pytest.mark.parametrize(("value", "forwarding", "heard"), [(0, 1, True), (1, 1, False), (0, 0, False)])
def test_a_router_takes_mld_messages_to_others_when_they_are_alerts(
    wires: Wires, value: int, forwarding: int, heard: bool
) -> None:
    r1 = wires.router()
    syscalls.sysctl_set(r1, FORWARDING, forwarding)
    sid = syscalls.socket(r1, 0, "raw6", 58)
    wires.inject(r1, alerted(value, RIGHT))
    message = syscalls.recvmsg(r1, sid)
    assert (message is not None) == heard
    if heard:
        assert message is not None
        assert message.data[0] == icmp.MLD_REPORT
        assert wires.records(r1, "forward") == []


# -- forwarding ------------------------------------------------------------------------------------------------------


def router(wires: Wires) -> Node:
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    wires.inject(r1, ns(A("2001:db8:2::ff"), src=RIGHT, lladdr=RIGHT_MAC), "ne1", smac=RIGHT_MAC)
    return r1


def test_the_order_of_the_tests_of_forwarding(wires: Wires) -> None:
    """Each packet fails one more test than the one before; the first in KAME's order decides (KAME ip6_forward.c)."""
    r1 = router(wires)
    wires.inject(r1, ns(OWN))
    syscalls.ioctl(r1, "SIOCSIFMTU", "ne1", mtu=1280)
    far, big = A("2001:db8:9::9"), bytes(1400)
    for packet, lcast in (
        (datagram(LEFT, RIGHT, data=big), False),
        (datagram(STRANGER, RIGHT, data=big), False),
        (datagram(STRANGER, far, data=big), False),
        (datagram(STRANGER, far, data=big, hlim=1), False),
        (datagram(bytes(16), far, data=big, hlim=1), False),
        (datagram(bytes(16), far, data=big, hlim=1), True),
    ):
        wires.inject(r1, packet, dmac=b"\x33\x33\0\0\0\1" if lcast else None)
    assert wires.drops(r1, 3) == [
        "FWD_TOOBIG",
        "FWD_SCOPE_SRC",
        "FWD_NOROUTE",
        "FWD_HLIM",
        "FWD_SRC_UNSPECIFIED",
        "FWD_LINKCAST",
    ]


@pytest.mark.parametrize(("mtu", "told"), [(1400, 1400), (1280, 1280), (1000, 1280)])
def test_too_big_never_tells_less_than_1280(wires: Wires, mtu: int, told: int) -> None:
    r1 = router(wires)
    syscalls.ioctl(r1, "SIOCSIFMTU", "ne1", mtu=mtu)
    wires.inject(r1, datagram(LEFT, RIGHT, data=bytes(1400)))
    (error,) = wires.sent(r1, icmp.PACKET_TOO_BIG)
    assert int.from_bytes(error.message[4:8], "big") == told


def test_a_path_mtu_that_the_router_has_learned_for_itself_is_no_limit_to_others(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.route(r1, "add", destination=RIGHT, plen=128, interface="ne1", mtu=1300)
    for _ in range(3):
        wires.inject(r1, datagram(LEFT, RIGHT, data=bytes(1400)))
    assert wires.drops(r1, 3) == []
    assert len(wires.records(r1, "forward", 3)) == 3


def test_an_own_anycast_address_ends_a_packet_as_an_address_does(wires: Wires) -> None:
    r1 = router(wires)
    wires.address(r1, "2001:db8:2::", "ne1", flags=("anycast",))
    wires.inject(r1, echo(LEFT, A("2001:db8:2::")))
    (reply,) = wires.sent(r1, icmp.ECHO_REPLY)
    assert (reply.dst, reply.src) == ("2001:db8:1::5", "2001:db8:1::ff")
    assert wires.records(r1, "forward") == []


def test_a_route_into_the_loopback_interface_goes_round_until_the_hop_limit_ends_it(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.route(r1, "add", destination=A("2001:db8:7::"), plen=64, gateway=in6.LOOPBACK)
    wires.inject(r1, datagram(LEFT, A("2001:db8:7::7"), hlim=4))
    wires.run(0.1)
    assert wires.drops(r1, 3) == ["FWD_HLIM"]
    said = [line for line in wires.log(r1) if "outgoing interface is loopback" in line]
    assert len(said) == 3
    assert "rcvif ne0, outif lo0" in said[0]


def test_site_local_addresses_are_forwarded_as_global_ones(wires: Wires) -> None:
    """The seed leaves site zones alone, and RFC 3879 withdrew them."""
    r1 = router(wires)
    syscalls.route(r1, "add", destination=A("fec0:7::"), plen=64, gateway=RIGHT)
    wires.inject(r1, datagram(LEFT, A("fec0:7::7")))
    assert wires.sent(r1, since=3)[-1].interface == "ne1"
