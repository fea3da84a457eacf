"""ICMPv6 errors: how much they quote, when none is sent, limits, and what sockets hear of those that come.

RFC 4443 2.4; KAME IMPLEMENTATION 1.9, 1.11 (2001); KAME icmp6_error, icmp6_notify_error; BSD inet6ctlerrmap.
"""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Wires, datagram, echo, icmp6, redirect

from kamelab.core.errors import ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6 import icmp6_ctl
from kamelab.stack.netinet6.icmp6_error import icmp6_error
from kamelab.stack.node import Node
from kamelab.wire import exthdr, ip6
from kamelab.wire import icmp6 as icmp

OWN = A("2001:db8:1::1")
PEER = A("2001:db8:1::99")
LEFT, RIGHT, ABROAD = A("2001:db8:1::5"), A("2001:db8:2::5"), A("2001:db8:9::9")
ANYCAST = A("2001:db8:1::")


def asked(node: Node) -> int:
    return node.counters().get("icmp6.error", 0)


def canterror(node: Node) -> int:
    return node.counters().get("icmp6.canterror", 0)


def errors(node: Node) -> int:
    """Errors that left, or wait for the link-layer address of the next hop."""
    return sum(n for name, n in node.counters().items() if name in [f"icmp6.outhist.{kind}" for kind in range(128)])


@pytest.mark.parametrize("size", [100, 1280, 1500])
def test_the_offender_is_quoted_as_it_came_as_far_as_1280_octets_go(wires: Wires, size: int) -> None:
    r1 = wires.router()
    offender = datagram(LEFT, ABROAD, data=bytes(i & 255 for i in range(size - 48)), hlim=64)
    wires.inject(r1, offender)
    (held,) = [one for nbr in r1.interfaces["ne0"].neighbors.values() for one in nbr.hold]
    assert len(held.packet) == min(1280, size + 48)
    assert held.packet[48:] == offender[:1232]


def test_headers_stand_in_the_quote_as_they_came(wires: Wires) -> None:
    """KAME IMPLEMENTATION 1.11 (2001): all extension headers and the unchanged UDP and IP headers."""
    h1 = wires.host()
    options = exthdr.destination_options(17, exthdr.option(1, bytes(4)))
    offender = ip6.build(PEER, OWN, 60, options + datagram(PEER, OWN)[40:], hlim=3)
    wires.inject(h1, offender)
    (held,) = [one for nbr in h1.interfaces["ne0"].neighbors.values() for one in nbr.hold]
    assert held.packet[40:44][:2] == bytes((icmp.DST_UNREACH, icmp.UNREACH_PORT))
    assert held.packet[48:] == offender


@pytest.mark.parametrize(
    ("offender", "counted"),
    [
        (icmp6(LEFT, ABROAD, icmp.DST_UNREACH, bytes(44)), 1),
        (icmp6(LEFT, ABROAD, 127, bytes(4)), 1),
        (redirect(ABROAD, RIGHT, A("fe80::2"), src=LEFT), 1),
        (ip6.build(LEFT, ABROAD, 58, b""), 1),
        (ip6.build(LEFT, ABROAD, 60, exthdr.destination_options(58, b"") + b"\x01\0\0\0" + bytes(44)), 1),
        (ip6.build(LEFT, ABROAD, 50, bytes(32)), 1),
        (datagram(ANYCAST, ABROAD), 0),
    ],
)
def test_what_is_never_answered_with_an_error(wires: Wires, offender: bytes, counted: int) -> None:
    """RFC 4443 2.4 e; KAME counts canterror for errors, redirects and what is encrypted."""
    r1 = wires.router()
    wires.address(r1, "2001:db8:1::", flags=("anycast",))
    wires.inject(r1, offender)
    assert wires.drops(r1, 3) == ["FWD_NOROUTE"]
    assert (asked(r1), canterror(r1), errors(r1)) == (1, counted, 0)
    wires.inject(r1, datagram(LEFT, ABROAD))
    assert (asked(r1), canterror(r1), errors(r1)) == (2, counted, 1)
    wires.account()


@pytest.mark.parametrize(
    ("offender", "answered"),
    [
        (echo(LEFT, ABROAD), True),
        (icmp6(LEFT, ABROAD, 200, bytes(8)), True),
        (ip6.build(LEFT, ABROAD, 44, exthdr.build_fragment(58, 8, False, 1) + b"\x01" + bytes(15)), True),
    ],
)
def test_what_is(wires: Wires, offender: bytes, answered: bool) -> None:
    r1 = wires.router()
    wires.inject(r1, offender)
    assert bool(errors(r1)) == answered


@pytest.mark.parametrize(
    ("kind", "code", "answered"),
    [
        (icmp.PACKET_TOO_BIG, 0, True),
        (icmp.PARAM_PROB, icmp.PARAM_OPTION, True),
        (icmp.PARAM_PROB, icmp.PARAM_HEADER, False),
        (icmp.PARAM_PROB, icmp.PARAM_NEXTHDR, False),
        (icmp.DST_UNREACH, 4, False),
        (icmp.TIME_EXCEEDED, 1, False),
    ],
)
def test_about_multicast_only_two_errors_are_sent(wires: Wires, kind: int, code: int, answered: bool) -> None:
    """RFC 4443 2.4 e.3 and e.5: path MTU and unknown options of groups, and of frames to a group."""
    h1 = wires.host()
    ne0 = h1.interfaces["ne0"]
    assert len(icmp6_error(h1, ne0, datagram(PEER, A("ff0e::1")), kind, code, 0, rx_iface=ne0)) == answered
    assert len(icmp6_error(h1, ne0, datagram(PEER, OWN), kind, code, 0, rx_iface=ne0, lcast=True)) == answered
    assert canterror(h1) == 0


def test_what_was_decrypted_is_not_quoted_in_clear(wires: Wires) -> None:
    h1 = wires.host()
    ne0 = h1.interfaces["ne0"]
    offender = datagram(PEER, OWN)
    assert icmp6_error(h1, ne0, offender, icmp.DST_UNREACH, 4, 0, rx_iface=ne0, decrypted=True) == []
    assert canterror(h1) == 1


def test_the_histograms(wires: Wires) -> None:
    """What was asked for, by type and code, before the tests; what left, by type."""
    r1 = wires.router()
    wires.inject(r1, datagram(LEFT, ABROAD))
    wires.inject(r1, icmp6(LEFT, ABROAD, icmp.DST_UNREACH, bytes(44)))
    wires.inject(r1, datagram(LEFT, RIGHT, hlim=1))
    counters = r1.counters()
    assert {name: n for name, n in counters.items() if name.startswith("icmp6.error.")} == {
        "icmp6.error.1.0": 2,
        "icmp6.error.3.0": 1,
    }
    assert (counters["icmp6.error"], counters["icmp6.outhist.1"], counters["icmp6.outhist.3"]) == (3, 1, 1)


def test_both_limits_are_counted(wires: Wires) -> None:
    """KAME IMPLEMENTATION 1.9 (2001): a least interval, and errors a second."""
    r1 = wires.router()
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errppslimit", 3)
    for _ in range(5):
        wires.inject(r1, datagram(LEFT, ABROAD))
    assert r1.counters()["icmp6.toofreq"] == 2
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errratelimit", 500_000)
    wires.run(2)
    for _ in range(4):
        wires.inject(r1, datagram(LEFT, ABROAD))
        wires.run(0.3)
    assert r1.counters()["icmp6.toofreq"] == 4
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errratelimit", 0)
    syscalls.sysctl_set(r1, "net.inet6.icmp6.errppslimit", 0)
    wires.run(2)
    wires.inject(r1, datagram(LEFT, ABROAD))
    assert r1.counters()["icmp6.toofreq"] == 5


# -- what sockets hear ---------------------------------------------------------------------------------------------


def told(wires: Wires, kind: int, code: int, quoted: bytes | None = None) -> int:
    """The errno that a socket connected to the peer hears of an error; 0: none."""
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, PEER, 9, 0)
    port = syscalls.getsockname(h1, sid)[1]
    offender = datagram(OWN, PEER, sport=port) if quoted is None else quoted
    wires.inject(h1, icmp6(PEER, OWN, kind, icmp.error_body(0, offender), code))
    try:
        syscalls.recvmsg(h1, sid)
    except Errno as error:
        return error.number
    return 0


@pytest.mark.parametrize(
    ("kind", "code", "cause", "number"),
    [
        (icmp.DST_UNREACH, 0, "PRC_UNREACH_NET", EHOSTUNREACH),
        (icmp.DST_UNREACH, 1, "PRC_UNREACH_PROTOCOL", ECONNREFUSED),
        (icmp.DST_UNREACH, 2, "PRC_PARAMPROB", ENOPROTOOPT),
        (icmp.DST_UNREACH, 3, "PRC_HOSTDEAD", EHOSTDOWN),
        (icmp.DST_UNREACH, 4, "PRC_UNREACH_PORT", ECONNREFUSED),
        (icmp.DST_UNREACH, 5, "PRC_UNREACH_PROTOCOL", ECONNREFUSED),
        (icmp.DST_UNREACH, 6, "PRC_UNREACH_PROTOCOL", ECONNREFUSED),
        (icmp.TIME_EXCEEDED, 0, "PRC_TIMXCEED_INTRANS", 0),
        (icmp.TIME_EXCEEDED, 1, "PRC_TIMXCEED_REASS", 0),
        (icmp.PARAM_PROB, 0, "PRC_PARAMPROB", ENOPROTOOPT),
        (icmp.PARAM_PROB, 1, "PRC_UNREACH_PROTOCOL", ECONNREFUSED),
        (icmp.PARAM_PROB, 2, "PRC_PARAMPROB", ENOPROTOOPT),
        (100, 0, "", 0),
    ],
)
def test_the_errno_of_each_error(wires: Wires, kind: int, code: int, cause: str, number: int) -> None:
    assert icmp6_ctl.prc(kind, code) == cause
    assert told(wires, kind, code) == number


@pytest.mark.parametrize(
    ("code", "quoted", "number"),
    [
        (4, datagram(OWN, PEER, sport=1), 0),
        (4, datagram(PEER, OWN), 0),
        (4, ip6.build(OWN, PEER, 6, bytes(20)), 0),
        (3, datagram(OWN, PEER, sport=1), EHOSTDOWN),
        (3, datagram(OWN, LEFT, sport=1), 0),
        (3, ip6.build(OWN, PEER, 6, bytes(20)), 0),
    ],
)
def test_only_the_socket_hears_whose_packet_it_was(wires: Wires, code: int, quoted: bytes, number: int) -> None:
    """Of a dead host every socket hears that is connected to it (BSD in6_pcbnotify)."""
    assert told(wires, icmp.DST_UNREACH, code, quoted) == number


def test_a_quote_behind_extension_headers_is_understood(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, PEER, 9, 0)
    port = syscalls.getsockname(h1, sid)[1]
    inner = datagram(OWN, PEER, sport=port)[40:]
    options = exthdr.destination_options(43, b"") + exthdr.build_routing0(17, 1, (PEER,))
    quoted = ip6.build(OWN, LEFT, 60, options + inner)
    wires.inject(h1, icmp6(LEFT, OWN, icmp.DST_UNREACH, icmp.error_body(0, quoted), 4))
    with pytest.raises(Errno, match="Connection refused"):
        syscalls.recvmsg(h1, sid)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (bytes(0), "ICMP6_TOOSHORT"),
        (bytes(3), "ICMP6_TOOSHORT"),
        (icmp.error_body(0, b""), "ICMP6_TOOSHORT"),
        (icmp.error_body(0, datagram(OWN, PEER)[:39]), "ICMP6_TOOSHORT"),
        (icmp.error_body(0, ip6.build(OWN, PEER, 60, bytes((17, 1)) + bytes(6))), "ICMP6_TOOSHORT"),
    ],
)
def test_an_error_without_a_whole_quote_reaches_nobody(wires: Wires, message: bytes, reason: str) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "raw6", 58)
    wires.inject(h1, icmp6(PEER, OWN, icmp.TIME_EXCEEDED, message))
    assert wires.drops(h1, 3) == [reason]
    assert h1.counters()["icmp6.tooshort"] == 1
    assert syscalls.recvmsg(h1, sid) is None


def test_a_quote_with_the_loopback_address_reaches_raw_sockets_only(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "raw6", 58)
    quoted = datagram(A("::1"), A("::1"))
    wires.inject(h1, icmp6(STRANGER, OWN, icmp.PACKET_TOO_BIG, icmp.error_body(1300, quoted)))
    assert wires.drops(h1, 3) == []
    assert syscalls.recvmsg(h1, sid) is not None
