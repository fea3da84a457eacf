"""Forwarding, ICMPv6 errors and path MTU (RFC 8200 3, 5; RFC 4443; RFC 8201; order of tests: KAME ip6_forward.c)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import (
    FORWARDING,
    STRANGER,
    STRANGER_MAC,
    A,
    Wires,
    datagram,
    echo,
    echo_to,
    icmp6,
    na,
    ns,
    prefix,
    ra,
    row,
)

from kamelab.core.errors import EHOSTUNREACH, EMSGSIZE, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp

LEFT = A("2001:db8:1::5")
RIGHT = A("2001:db8:2::5")
FAR = A("2001:db8:9::9")
RIGHT_MAC = b"\x02\0\0\0\0\x55"


def router(wires: Wires) -> Node:
    """r1 that knows LEFT and RIGHT, at 3 s."""
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    wires.inject(r1, ns(A("2001:db8:2::ff"), src=RIGHT, lladdr=RIGHT_MAC), "ne1", smac=RIGHT_MAC)
    return r1


def errors(wires: Wires, node: Node, since: float = 3) -> list[tuple[str, int, int]]:
    return [(one.dst, one.kind, one.message[1]) for one in wires.sent(node, since=since) if 0 < one.kind < 128]


# -- forwarding ------------------------------------------------------------------------------------------------------


def test_a_packet_goes_on_with_its_hop_limit_one_lower_and_nothing_else_changed(wires: Wires) -> None:
    r1 = router(wires)
    packet = datagram(LEFT, RIGHT, hlim=64)
    wires.inject(r1, packet + b"padding of the medium")
    last = wires.sent(r1, since=3)[-1]
    assert (last.interface, last.mac) == ("ne1", RIGHT_MAC)
    assert last.packet == packet[:7] + b"\x3f" + packet[8:]
    assert r1.counters()["ip6.forward"] == 1


def test_a_packet_waits_for_the_next_hop_s_address_and_leaves_when_it_comes(wires: Wires) -> None:
    r1 = wires.router()
    wires.inject(r1, datagram(LEFT, RIGHT))
    (asked,) = wires.sent(r1, icmp.NEIGHBOR_SOLICIT, 3)
    assert (asked.interface, asked.src, asked.dst) == ("ne1", "fe80::ff:fe00:2", "ff02::1:ff00:5")
    wires.run(0.5)
    wires.inject(r1, na(RIGHT, A("2001:db8:2::ff"), "SO", lladdr=RIGHT_MAC), "ne1")
    assert wires.sent(r1, since=3)[-1].packet[24:40] == RIGHT
    (record,) = wires.records(r1, "forward")
    hold = wires.net.trace.get(record.cause)
    assert hold is not None
    assert (hold.event, hold.time) == ("hold", 3_000_000_000)


def test_a_next_hop_that_does_not_answer_is_told_to_the_sender_after_3_seconds(wires: Wires) -> None:
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    wires.inject(r1, datagram(LEFT, RIGHT))
    wires.run(4)
    (told,) = wires.sent(r1, icmp.DST_UNREACH)
    assert (told.at, told.dst, told.message[1], told.interface) == (6, "2001:db8:1::5", icmp.UNREACH_ADDR, "ne0")


REFUSALS: dict[str, tuple[dict[str, Any], str, tuple[int, int] | None]] = {
    "link-layer multicast": ({"dmac": b"\x33\x33\0\0\0\x01"}, "FWD_LINKCAST", None),
    "source unspecified": ({"src": bytes(16)}, "FWD_SRC_UNSPECIFIED", None),
    "hop limit 1": ({"hlim": 1}, "FWD_HLIM", (icmp.TIME_EXCEEDED, 0)),
    "hop limit 0": ({"hlim": 0}, "FWD_HLIM", (icmp.TIME_EXCEEDED, 0)),
    "hop limit before route": ({"hlim": 1, "dst": FAR}, "FWD_HLIM", (icmp.TIME_EXCEEDED, 0)),
    "no route": ({"dst": FAR}, "FWD_NOROUTE", (icmp.DST_UNREACH, icmp.UNREACH_NOROUTE)),
    "reject": ({"dst": A("2001:db8:7::1")}, "FWD_REJECT", (icmp.DST_UNREACH, icmp.UNREACH_NOROUTE)),
    "blackhole": ({"dst": A("2001:db8:8::1")}, "FWD_BLACKHOLE", None),
}


@pytest.mark.parametrize("name", list(REFUSALS))
def test_what_is_not_forwarded(wires: Wires, name: str) -> None:
    r1 = router(wires)
    for text, flag in (("2001:db8:7::", "reject"), ("2001:db8:8::", "blackhole")):
        syscalls.route(r1, "add", destination=A(text), plen=64, gateway=in6.LOOPBACK, flags=(flag,))
    options, reason, error = REFUSALS[name]
    packet = datagram(options.get("src", LEFT), options.get("dst", RIGHT), hlim=options.get("hlim", 64))
    wires.inject(r1, packet, dmac=options.get("dmac"))
    assert wires.drops(r1, 3) == [reason]
    assert errors(wires, r1) == ([("2001:db8:1::5", *error)] if error else [])
    if reason in ("FWD_LINKCAST", "FWD_SRC_UNSPECIFIED"):
        assert r1.counters()["ip6.cantforward"] == 1
        assert "cannot forward" in wires.log(r1)[-1]


def test_the_log_of_refusals_is_limited_to_one_line_in_five_seconds(wires: Wires) -> None:
    r1 = router(wires)
    for _ in range(11):
        wires.inject(r1, datagram(bytes(16), RIGHT))
        wires.run(1)
    assert len(wires.log(r1)) == 3


def test_hosts_do_not_forward(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.sysctl_set(r1, FORWARDING, 0)
    wires.inject(r1, datagram(LEFT, RIGHT))
    assert wires.drops(r1, 3) == ["IP6_NOTFORWARDING"]


@pytest.mark.parametrize(("size", "fits"), [(1400, True), (1401, False)])
def test_what_is_larger_than_the_next_link_s_mtu_is_told_that_mtu(wires: Wires, size: int, fits: bool) -> None:
    r1 = router(wires)
    syscalls.ioctl(r1, "SIOCSIFMTU", "ne1", mtu=1400)
    for _ in range(2):
        wires.inject(r1, datagram(LEFT, RIGHT, data=bytes(size - 48)))
    assert wires.drops(r1, 3) == ([] if fits else ["FWD_TOOBIG"] * 2)
    for told in wires.sent(r1, icmp.PACKET_TOO_BIG, 3):
        assert int.from_bytes(told.message[4:8], "big") == 1400
        assert told.dst == "2001:db8:1::5"
    assert len(errors(wires, r1)) == (0 if fits else 2)


def test_a_packet_for_nobody_on_a_line_is_not_sent_back_over_it(wires: Wires) -> None:
    wires.link("line", kind="ppp")
    r1 = wires.node("r1", "line", forwarding=1)
    wires.address(r1, "2001:db8:3::1")
    wires.run(to=3)
    wires.inject(r1, datagram(A("2001:db8:3::2"), A("2001:db8:3::9")))
    assert wires.drops(r1, 3) == ["FWD_P2P_BACK"]
    assert errors(wires, r1) == [("2001:db8:3::2", icmp.DST_UNREACH, icmp.UNREACH_ADDR)]


def test_extension_headers_but_hop_by_hop_are_not_looked_at(wires: Wires) -> None:
    r1 = router(wires)
    body = exthdr.destination_options(59, exthdr.option(0x80, b"zz"))
    packet = ip6.build(LEFT, RIGHT, 60, body)
    wires.inject(r1, packet)
    assert wires.sent(r1, since=3)[-1].packet[40:] == body
    wires.inject(r1, ip6.build(LEFT, RIGHT, 0, exthdr.hop_by_hop(59, exthdr.option(0x80, b"zz"))))
    assert wires.drops(r1, 3) == ["OPT_PARAMPROB"]


# -- ICMPv6 errors ---------------------------------------------------------------------------------------------------


def test_an_error_quotes_as_much_as_fits_into_1280_octets(wires: Wires) -> None:
    r1 = router(wires)
    packet = datagram(LEFT, FAR, data=bytes(range(256)) * 5)
    wires.inject(r1, packet)
    told = wires.sent(r1, icmp.DST_UNREACH)[-1]
    assert len(told.packet) == 1280
    assert told.message[8:] == packet[: 1280 - 48]
    assert (told.src, told.hlim) == ("2001:db8:1::ff", 64)


def test_an_error_about_a_packet_to_us_comes_from_the_address_it_was_sent_to(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, datagram(LEFT, A("2001:db8:2::ff"), port=7), "ne0")
    told = wires.sent(r1, icmp.DST_UNREACH)[-1]
    assert (told.src, told.message[1]) == ("2001:db8:2::ff", icmp.UNREACH_PORT)


SUPPRESSED: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "about an error": (icmp6(LEFT, FAR, icmp.DST_UNREACH, bytes(48)), {}, "ICMP6_SUPPRESSED"),
    "about an unknown error": (icmp6(LEFT, FAR, 100, bytes(48)), {}, "ICMP6_SUPPRESSED"),
    "about a redirect": (icmp6(LEFT, FAR, icmp.REDIRECT, bytes(48)), {}, "ICMP6_SUPPRESSED"),
    "to a group": (ip6.build(STRANGER, A("ff02::1"), 200, b"x"), {}, "ICMP6_SUPPRESSED_GROUP"),
    "to a group, unknown destination option 11": (
        ip6.build(STRANGER, A("ff02::1"), 60, exthdr.destination_options(59, exthdr.option(0xC0, b""))),
        {},
        "",
    ),
    "a link-layer multicast": (
        datagram(LEFT, A("2001:db8:1::ff"), port=7), {"dmac": b"\x33\x33\0\0\0\x01"}, "",
    ),
    "from nobody": (datagram(bytes(16), A("2001:db8:1::ff"), port=7), {}, "ICMP6_SUPPRESSED_GROUP"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SUPPRESSED))
def test_cases_in_which_no_error_is_sent(wires: Wires, name: str) -> None:
    r1 = router(wires)
    packet, options, reason = SUPPRESSED[name]
    wires.inject(r1, packet, **options)
    assert errors(wires, r1) == []
    said = [r.reason for r in wires.records(r1, "state", 3) if r.stage == "icmp6_error"]
    assert said == ([reason] if reason else [])
    counters = r1.counters()
    assert counters.get("icmp6.canterror", 0) == (reason == "ICMP6_SUPPRESSED")
    if reason:
        assert counters["icmp6.error"] == 1, "every attempt counts"


def test_a_packet_from_our_own_anycast_address_is_not_answered_with_an_error(wires: Wires) -> None:
    r1 = router(wires)
    wires.address(r1, "2001:db8:1::a", flags=("anycast",))
    wires.inject(r1, datagram(A("2001:db8:1::a"), FAR))
    assert errors(wires, r1) == []


def test_an_unknown_option_of_kind_10_is_told_even_to_senders_to_groups(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=STRANGER))
    body = exthdr.destination_options(59, exthdr.option(0x80, b""))
    wires.inject(r1, ip6.build(STRANGER, A("ff02::1"), 60, body))
    told = wires.sent(r1, icmp.PARAM_PROB)[-1]
    assert (told.message[1], int.from_bytes(told.message[4:8], "big")) == (icmp.PARAM_OPTION, 42)


def test_errors_a_second_are_limited(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errppslimit", 3)
    for _ in range(5):
        wires.inject(r1, datagram(LEFT, FAR))
    assert len(errors(wires, r1)) == 3
    assert r1.counters()["icmp6.toofreq"] == 2
    wires.run(1)
    wires.inject(r1, datagram(LEFT, FAR))
    assert len(errors(wires, r1)) == 4


@pytest.mark.parametrize(("limit", "sent"), [(0, 0), (-1, 300)])
def test_no_errors_and_no_limit(wires: Wires, limit: int, sent: int) -> None:
    r1 = router(wires)
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errppslimit", limit)
    for _ in range(300):
        wires.inject(r1, datagram(LEFT, FAR))
    assert len(errors(wires, r1)) == sent


def test_the_least_interval_between_errors(wires: Wires) -> None:
    r1 = router(wires)
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errratelimit", 100_000)
    for _ in range(10):
        wires.inject(r1, datagram(LEFT, FAR))
        wires.run(0.05)
    assert len(errors(wires, r1)) == 5


def test_200_errors_a_second_by_default(wires: Wires) -> None:
    r1 = router(wires)
    for _ in range(300):
        wires.inject(r1, datagram(LEFT, FAR))
    assert len(errors(wires, r1)) == 200


@pytest.mark.parametrize(
    ("packet", "reason", "code", "pointer"),
    [
        (ip6.build(LEFT, A("2001:db8:1::ff"), 200, b"x"), "NXT_UNKNOWN", icmp.PARAM_NEXTHDR, 6),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 60, exthdr.destination_options(200, b"")),
            "NXT_UNKNOWN", icmp.PARAM_NEXTHDR, 40,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 60, exthdr.destination_options(0, b"") + exthdr.hop_by_hop(59, b"")),
            "HBH_NOTFIRST", icmp.PARAM_NEXTHDR, 40,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 0, b"") + exthdr.hop_by_hop(59, b""),
            "IP6_ZEROLEN", icmp.PARAM_HEADER, 4,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 0, bytes([59, 0, 5, 3, 0, 0, 0, 0])),
            "OPT_BADLEN", icmp.PARAM_HEADER, 43,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 60, exthdr.destination_options(59, exthdr.option(0xC1, b""))),
            "OPT_PARAMPROB", icmp.PARAM_OPTION, 42,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 43, bytes([59, 0, 9, 1]) + bytes(4)),
            "ROUTE_UNKNOWN", icmp.PARAM_HEADER, 42,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 43, bytes([59, 1, 0, 1]) + bytes(12)),
            "ROUTE_BADLEN", icmp.PARAM_HEADER, 41,
        ),
        (
            ip6.build(LEFT, A("2001:db8:1::ff"), 43, bytes([59, 2, 0, 2]) + bytes(20)),
            "ROUTE_BADLEN", icmp.PARAM_HEADER, 43,
        ),
    ],
)  # fmt: skip
def test_parameter_problems_point_at_the_octet(
    wires: Wires, packet: bytes, reason: str, code: int, pointer: int
) -> None:
    r1 = router(wires)
    wires.inject(r1, packet)
    assert wires.drops(r1, 3) == [reason]
    told = wires.sent(r1, icmp.PARAM_PROB)[-1]
    assert (told.message[1], int.from_bytes(told.message[4:8], "big")) == (code, pointer)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (bytes([0x60]) + bytes(38), "IP6_TOOSMALL"),
        (b"\x40" + datagram(LEFT, A("2001:db8:1::ff"))[1:], "IP6_BADVERS"),
        (datagram(LEFT, A("2001:db8:1::ff"))[:-1], "IP6_TOOSHORT"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 60, b"\x3b\x09" + bytes(6)), "EXTHDR_TOOSHORT"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 60, b"\x3b"), "EXTHDR_TOOSHORT"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 43, b"\x3b\x00"), "EXTHDR_TOOSHORT"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 43, b"\x3b\x09\x00\x00"), "EXTHDR_TOOSHORT"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 44, b"\x3b\x00"), "EXTHDR_TOOSHORT"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 60, b"\x3b\x00\x01\x09" + bytes(4)), "OPT_OVERRUN"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 60, b"\x3b\x00\x41\x00" + bytes(4)), "OPT_DISCARD"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 60, b"\x3c\x00\x01\x04" + bytes(4)) , "EXTHDR_TOOSHORT"),
    ],
)  # fmt: skip
def test_malformed_packets_end_in_silence(wires: Wires, packet: bytes, reason: str) -> None:
    r1 = router(wires)
    wires.inject(r1, packet, dmac=r1.interfaces["ne0"].mac)
    assert wires.drops(r1, 3) == [reason]
    assert errors(wires, r1) == []


@pytest.mark.parametrize(("headers", "limit", "reason"), [(48, 50, ""), (49, 50, "IP6_TOOMANYHDR"), (60, 0, "")])
def test_the_number_of_headers_is_limited(wires: Wires, headers: int, limit: int, reason: str) -> None:
    """The IPv6 header and the last one count too: 50 by default (KAME IMPLEMENTATION 1.8 (2001))."""
    r1 = router(wires)
    syscalls.sysctl_set(r1, "net.inet6.ip6.hdrnestlimit", limit)
    body = exthdr.destination_options(60, b"") * (headers - 1) + exthdr.destination_options(59, b"")
    wires.inject(r1, ip6.build(LEFT, A("2001:db8:1::ff"), 60, body))
    assert wires.drops(r1, 3) == ([reason] if reason else [])


def test_a_routing_header_with_nothing_left_is_passed_over(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, ip6.build(LEFT, A("2001:db8:1::ff"), 43, bytes([59, 0, 0, 0]) + bytes(4)))
    assert wires.drops(r1, 3) == []
    assert [r.note for r in wires.records(r1, "deliver", 3)][-1] == "no next header"


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (icmp6(LEFT, A("2001:db8:1::ff"), icmp.ECHO_REQUEST, bytes(2)), "ICMP6_TOOSHORT"),
        (icmp6(LEFT, A("2001:db8:1::ff"), icmp.ROUTER_ADVERT, bytes(8)), "ICMP6_BADLEN"),
        (ip6.build(LEFT, A("2001:db8:1::ff"), 58, b"\x80\x00"), "ICMP6_TOOSHORT"),
        (echo(LEFT, A("2001:db8:1::ff"))[:-1] + b"x", "ICMP6_CHECKSUM"),
        (icmp6(LEFT, A("2001:db8:1::ff"), icmp.ECHO_REQUEST, bytes(8), code=1), "ICMP6_BADCODE"),
        (icmp6(LEFT, A("2001:db8:1::ff"), 200, bytes(8)), "ICMP6_UNKNOWN"),
        (echo(bytes(16), A("2001:db8:1::ff")), "ICMP6_ECHO_MULTICAST_SRC"),
    ],
)
def test_icmp6_that_is_not_taken(wires: Wires, packet: bytes, reason: str) -> None:
    r1 = router(wires)
    wires.inject(r1, packet)
    assert wires.drops(r1, 3) == [reason]
    assert wires.sent(r1, icmp.ECHO_REPLY) == []


def test_echo_replies_swap_the_addresses_and_those_to_groups_choose_one(wires: Wires) -> None:
    r1 = router(wires)
    wires.inject(r1, echo(LEFT, A("2001:db8:2::ff"), b"abc"))
    wires.inject(r1, echo(STRANGER, A("ff02::1"), b"abc"))
    wires.inject(r1, na(STRANGER, A("fe80::ff:fe00:1"), "SO"))
    first, second = wires.sent(r1, icmp.ECHO_REPLY)
    assert (first.src, first.dst, first.message[4:]) == ("2001:db8:2::ff", "2001:db8:1::5", b"\0\x01\0\x01abc")
    assert (second.src, second.dst) == ("fe80::ff:fe00:1", "fe80::99")
    assert r1.counters()["icmp6.reflect"] == 2


# -- path MTU --------------------------------------------------------------------------------------------------------


def host(wires: Wires) -> Node:
    """A host with a router on its link, both known, at 6 s."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(to=3)
    wires.inject(h1, ra(prefix("2001:db8:a::/64")))
    wires.run(to=6)
    return h1


OWN = A("2001:db8:a::ff:fe00:1")


def too_big(mtu: int, quoted: bytes) -> bytes:
    return icmp6(A("2001:db8:5::1"), OWN, icmp.PACKET_TOO_BIG, icmp.error_body(mtu, quoted))


def test_a_smaller_path_mtu_is_kept_in_a_host_route_for_ten_minutes(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, too_big(1400, datagram(OWN, FAR, data=bytes(1400))))
    route = row(h1, "routes", "2001:db8:9::9")
    assert (route.flags, route.gateway, route.mtu, route.expire) == ("UGHW", "fe80::1%ne0", 1400, 606_000_000_000)
    assert h1.counters()["icmp6.pmtuchg"] == 1
    wires.send(h1, "2001:db8:9::9", data=bytes(1400))
    wires.send(h1, "2001:db8:9::8", data=bytes(1400))
    lengths = [len(one.packet) for one in wires.sent(h1, since=6) if one.packet[6] in (17, 44)]
    assert max(lengths[:2]) <= 1400
    assert lengths[2:] == [1448]
    wires.run(to=605)
    assert row(h1, "routes", "2001:db8:9::9").mtu == 1400
    wires.run(to=607)
    assert "2001:db8:9::9" not in [one.destination for one in syscalls.rows(h1, "routes")]


@pytest.mark.parametrize(
    ("mtu", "quoted"),
    [
        (1500, datagram(OWN, FAR)),
        (9000, datagram(OWN, FAR)),
        (55, datagram(OWN, FAR)),
        (1300, datagram(A("2001:db8:a::77"), FAR)),
        (1300, datagram(OWN, A("ff0e::1"))),
        (1300, datagram(OWN, OWN)),
        (1300, datagram(OWN, FAR)[:39]),
    ],
)
def test_messages_that_change_no_path_mtu(wires: Wires, mtu: int, quoted: bytes) -> None:
    h1 = host(wires)
    before = syscalls.rows(h1, "routes")
    wires.inject(h1, too_big(mtu, quoted))
    assert syscalls.rows(h1, "routes") == before


def test_it_is_lowered_further_but_never_raised_by_a_message(wires: Wires) -> None:
    h1 = host(wires)
    for mtu in (1400, 1300, 1450):
        wires.inject(h1, too_big(mtu, datagram(OWN, FAR)))
    assert row(h1, "routes", "2001:db8:9::9").mtu == 1300


def test_pmtu_expire_0_keeps_it(wires: Wires) -> None:
    h1 = host(wires)
    syscalls.sysctl_set(h1, "net.inet6.ip6.pmtu_expire", 0)
    wires.inject(h1, too_big(1400, datagram(OWN, FAR)))
    assert row(h1, "routes", "2001:db8:9::9").expire is None


def test_what_may_not_be_fragmented_is_refused(wires: Wires) -> None:
    h1 = host(wires)
    wires.inject(h1, too_big(1400, datagram(OWN, FAR)))
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.setsockopt(h1, sid, "IPV6_DONTFRAG", 1)
    # The limit is the interface's: what the path can't carry is for its routers to say (RFC 3542 11.2).
    syscalls.sendmsg(h1, sid, bytes(1400), FAR, 9, 0)
    assert len(wires.sent(h1, since=6)[-1].packet) == 1448
    with pytest.raises(Errno) as refusal:
        syscalls.sendmsg(h1, sid, bytes(1500), FAR, 9, 0)
    assert refusal.value.number == EMSGSIZE
    assert wires.drops(h1, 6) == ["OUT_TOOBIG"]
    assert h1.counters()["ip6.cantfrag"] == 1


# -- output ----------------------------------------------------------------------------------------------------------


def test_what_does_not_leave(wires: Wires) -> None:
    h1 = wires.host()
    with pytest.raises(Errno) as refusal:
        wires.send(h1, "2001:db8:9::9")
    assert refusal.value.number == EHOSTUNREACH
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.bind(h1, sid, A("2001:db8:1::1"), 0, 0)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    with pytest.raises(Errno, match="Can't assign requested address"):
        syscalls.sendmsg(h1, sid, b"", STRANGER, 9, 1)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("fe80::ff:fe00:1"))
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=STRANGER, interface="ne0")
    with pytest.raises(Errno, match="Can't assign requested address"):
        wires.send(h1, "2001:db8:9::9")
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    with pytest.raises(Errno, match="Network is down"):
        wires.send(h1, "2001:db8:9::9")
    assert wires.drops(h1, 3) == ["OUT_NOROUTE", "OUT_ADDR_GONE", "OUT_NOSOURCE", "OUT_NOTUP"]
    counters = h1.counters()
    assert (counters["ip6.noroute"], counters["ip6.sources_none"], counters["ip6.odropped"]) == (1, 1, 1)


def test_a_deprecated_source_is_used_only_where_it_may_be(wires: Wires) -> None:
    h1 = wires.host()
    wires.address(h1, "2001:db8:1::1", pltime=0)
    wires.send(h1, "2001:db8:1::9")
    syscalls.sysctl_set(h1, "net.inet6.ip6.use_deprecated", 0)
    wires.send(h1, "2001:db8:1::9")
    wires.inject(h1, na(A("2001:db8:1::9"), A("2001:db8:1::1"), "SO", lladdr=STRANGER_MAC))
    assert [one.src for one in wires.sent(h1, since=3) if one.packet[6] == 17] == ["fe80::ff:fe00:1"]


def test_a_packet_to_the_node_itself_needs_no_neighbour(wires: Wires) -> None:
    h1 = wires.host()
    assert wires.output(h1, echo_to("2001:db8:1::1", h1.interfaces["ne0"])) == 0
    assert wires.output(h1, Output("test", in6.LOOPBACK, 59, b"x")) == 0
    wires.run(0.1)
    assert wires.drops(h1, 3) == []
