"""Group 5: ICMPv6 (RFC 4443; KAME icmp6_error, icmp6_reflect)."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.wire import exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp
from kamelab.wire.ip6 import IPPROTO_ICMPV6
from tests.conformance.frames import ALLNODES, ALLROUTERS, UNSPECIFIED
from tests.conformance.icmp6_moves import (
    datagram,
    expect_error,
    first_fragment,
    learned,
    no_error,
    request,
    with_unknown_option,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import ELSEWHERE, LINK_B, LINK_C, OneOf, Tester

SITELOCAL = in6.pton("fec0:0:0:b::99")
GROUP = in6.pton("ff02::1:9")
SOURCE_GROUP = in6.pton("ff0e::5")
ABSENT = LINK_C[:15] + b"\x77"
"""An address of link C that nobody has."""
NOWHERE = ELSEWHERE[:15] + b"\x01"
"""An address that no route leads to."""

Offender = Callable[[bytes, bytes], bytes]
REASSEMBLY = 62.0
"""Seconds after which an incomplete packet is given up, and a little more (RFC 8200 4.5)."""


@case("5.1.1")
def transmit(t: Tester) -> None:
    """ping6 sends well-formed echo requests (RFC 4443 4.1)."""
    learned(t)
    for station, dst, src in ((t.tn2, f"{in6.ntop(t.tn2.ll)}%ne0", t.ll), (t.tn2, in6.ntop(t.tn2.glob), t.glob)):
        t.start(f"ping6 -c 1 {dst}")
        to = station.ll if src == t.ll else station.glob
        seen = t.expect("echo_request", within=0.1, dst=to, src=src, to_mac=station.mac)
        body = icmp.echo_body(seen.fields["ident"], seen.fields["seq"], seen.fields["data"])
        station.send(icmp.ECHO_REPLY, body, src=to, dst=src, hlim=64)
        t.run(11)
        t.forget()


def asks(t: Tester, dst: bytes, src: bytes, *, to_mac: bytes | None = None) -> bytes:
    """TN2's echo request; its data."""
    t.tn2.send_packet(request(src, dst, 100, seq=7), to_mac)
    return request(src, dst, 100, seq=7)[48:]


@cases("5.1.2", {"A": (False,), "B": (True,)})
def answer_unicast(t: Tester, glob: bool) -> None:
    """The reply comes from the address that was asked, with the same data (RFC 4443 4.2)."""
    learned(t)
    dst, src = (t.glob, t.tn2.glob) if glob else (t.ll, t.tn2.ll)
    data = asks(t, dst, src)
    t.expect("echo_reply", src=dst, dst=src, data=data, seq=7, ident=0xC0FE, to_mac=t.tn2.mac, within=0.05)


@case("5.1.2", "C", ALLNODES)
@case("5.1.2", "D", ALLROUTERS)
def answer_multicast(t: Tester, group: bytes) -> None:
    """A request to a group is answered from a unicast address of the interface (RFC 4443 4.2)."""
    learned(t)
    if group == ALLROUTERS:
        t.start("rtadvd ne0")
        t.run(30)
        t.forget()
    data = asks(t, group, t.tn2.ll)
    t.expect("echo_reply", src=t.ll, dst=t.tn2.ll, data=data, seq=7, to_mac=t.tn2.mac, within=0.05)


@cases("5.1.2", {"E": (UNSPECIFIED,), "F": (in6.LOOPBACK,)})
def silence_to(t: Tester, dst: bytes) -> None:
    """Such a destination is never on a link (RFC 4291 2.5.2, 2.5.3)."""
    learned(t)
    asks(t, dst, t.tn2.ll, to_mac=t.mac)
    t.quiet("echo_reply", 1)
    no_error(t)


@case("5.1.2", "G")
def answer_sitelocal(t: Tester) -> None:
    """A site-local address is answered from like any other (KAME IMPLEMENTATION 1.3.1 (2001))."""
    learned(t)
    t.shell(f"ifconfig ne0 inet6 {in6.ntop(SITELOCAL)} prefixlen 64 alias")
    t.run(2)
    source = SITELOCAL[:15] + b"\x02"
    t.tn2.more = (source,)
    t.forget()
    data = asks(t, SITELOCAL, source)
    t.expect("echo_reply", src=SITELOCAL, dst=source, data=data, seq=7, to_mac=t.tn2.mac, within=0.05)


# -- errors that are to be sent ----------------------------------------------------------------------------------------


def own(t: Tester) -> OneOf:
    """A source that the node may choose for an error about a packet that was not for it."""
    return OneOf(t.glob, LINK_C[:15] + b"\x01", t.ll)


@case("5.1.3", "A")
def no_route(t: Tester) -> None:
    """No route: unreachable code 0 (RFC 4443 3.1)."""
    learned(t)
    offender = datagram(t.tn2.glob, NOWHERE)
    t.tn2.send_packet(offender)
    expect_error(t, "unreach", offender, dst=t.tn2.glob, src=own(t), code=0)


@case("5.1.3", "B")
def no_address(t: Tester) -> None:
    """The neighbor does not answer: unreachable code 3 (RFC 4443 3.1, RFC 4861 7.2.2)."""
    learned(t)
    offender = datagram(t.tn2.glob, ABSENT)
    t.tn2.send_packet(offender)
    t.expect("ns", target=ABSENT, port="C", from_mac=t.mac_c)
    seen = t.expect("unreach", within=4, dst=t.tn2.glob, src=own(t), code=3, word=0)
    if seen.fields["quoted"][:7] + seen.fields["quoted"][8:] != offender[:7] + offender[8:]:
        raise t.failure("the error does not quote the offending packet")


@cases("5.1.3", {"C": (False,), "D": (True,)})
def closed_port(t: Tester, glob: bool) -> None:
    """Nobody listens on the port: unreachable code 4, from the address that was meant (RFC 4443 2.2, 3.1)."""
    learned(t)
    dst, src = (t.glob, t.tn2.glob) if glob else (t.ll, t.tn2.ll)
    offender = datagram(src, dst)
    t.tn2.send_packet(offender)
    expect_error(t, "unreach", offender, dst=src, src=dst, code=4)
    long = datagram(src, dst, size=1500)
    t.tn2.send_packet(long)
    expect_error(t, "unreach", long, dst=src, src=dst, code=4)


@case("5.1.3", "E")
def beyond_scope(t: Tester) -> None:
    """A link-local source ends at its link: unreachable code 2 (RFC 4443 3.1, RFC 4007 9)."""
    learned(t)
    offender = datagram(t.tn2.ll, t.tn4.glob)
    t.tn2.send_packet(offender)
    expect_error(t, "unreach", offender, dst=t.tn2.ll, src=own(t), code=2)
    t.quiet("other", 0.1, port="C")


@case("5.1.4", "A")
def too_big(t: Tester) -> None:
    """A packet above the MTU of the next link is not cut, its source hears of that MTU (RFC 4443 3.2, RFC 8200 5)."""
    learned(t)
    t.shell("ifconfig ne1 mtu 1280")
    offender = request(t.tn1, t.tn4.glob, 1500)
    t.tr1.send_packet(offender)
    expect_error(t, "toobig", offender, dst=t.tn1, src=own(t), code=0, word=1280)
    t.tr1.send_packet(request(t.tn1, t.tn4.glob, 1280))
    t.expect("echo_request", within=0.05, port="C", dst=t.tn4.glob, src=t.tn1, hlim=63, from_mac=t.mac_c)


@case("5.1.4", "B")
def too_big_multicast(t: Tester) -> None:
    """Without a multicast routing daemon a group's packets end at the router, which has nothing to report."""
    learned(t)
    t.shell("ifconfig ne1 mtu 1280")
    t.tr1.send_packet(request(t.tn1, SOURCE_GROUP, 1500))
    t.quiet("*", 0.1, port="C")
    no_error(t)


@cases("5.1.5", {"A": (0,), "B": (1,)})
def hop_limit(t: Tester, hlim: int) -> None:
    """The hop limit would become 0: time exceeded code 0, quoting the packet as it came (RFC 4443 3.3, RFC 8200 3)."""
    learned(t)
    offender = request(t.tn1, t.tn4.glob, 64, hlim=hlim)
    t.tr1.send_packet(offender)
    expect_error(t, "timex", offender, dst=t.tn1, src=own(t), code=0)
    t.quiet("echo_request", 0.1, port="C")


@case("5.1.6")
def erroneous_field(t: Tester) -> None:
    """A fragment with more to come, no multiple of 8 long: the pointer is at the payload length (RFC 8200 4.5)."""
    learned(t)
    message = request(t.tn2.glob, t.glob, 200)[40:]
    head = exthdr.build_fragment(IPPROTO_ICMPV6, 0, True, 5)
    offender = ip6.build(t.tn2.glob, t.glob, ip6.IPPROTO_FRAGMENT, head + message[:81], hlim=64)
    t.tn2.send_packet(offender)
    expect_error(t, "paramprob", offender, dst=t.tn2.glob, src=t.glob, code=0, word=4)


@case("5.1.7")
def unrecognized_next(t: Tester) -> None:
    """An unknown next header: code 1, the pointer is at the field that named it (RFC 4443 3.4, RFC 8200 4)."""
    learned(t)
    header = exthdr.destination_options(252, b"")
    offender = ip6.build(t.tn2.glob, t.glob, ip6.IPPROTO_DSTOPTS, header + bytes(16), hlim=64)
    t.tn2.send_packet(offender)
    expect_error(t, "paramprob", offender, dst=t.tn2.glob, src=t.glob, code=1, word=40)


@case("5.1.8")
def unknown_informational(t: Tester) -> None:
    """An informational message of unknown type is discarded in silence (RFC 4443 2.4 b)."""
    learned(t)
    t.tn2.send(0xFE, bytes(12), src=t.tn2.glob, dst=t.glob, hlim=64)
    t.quiet("*", 0.5)
    no_error(t)


# -- errors that must not be sent (RFC 4443 2.4 e) ---------------------------------------------------------------------


@cases(
    "5.1.9",
    {
        "A": (icmp.DST_UNREACH, 0, ABSENT, 64),
        "B": (icmp.DST_UNREACH, 3, None, 0),
        "C": (icmp.TIME_EXCEEDED, 0, NOWHERE, 64),
        "D": (icmp.TIME_EXCEEDED, 1, NOWHERE, 64),
        "E": (icmp.PACKET_TOO_BIG, 0, ABSENT, 64),
        "F": (icmp.PARAM_PROB, 0, None, 0),
    },
)
def about_an_error(t: Tester, kind: int, code: int, dst: bytes | None, hlim: int) -> None:
    """No error about an error (RFC 4443 2.4 e.1)."""
    learned(t)
    dst = dst or t.tn4.glob
    body = icmp.error_body(0, datagram(dst, t.tn2.glob))
    t.tn2.send(kind, body, code=code, src=t.tn2.glob, dst=dst, hlim=hlim)
    no_error(t, 5)


@cases("5.1.10", {"A": (datagram, 0.5), "B": (first_fragment, REASSEMBLY)})
def to_a_group(t: Tester, offender: Offender, seconds: float) -> None:
    """No error about a packet for a group (RFC 4443 2.4 e.3)."""
    learned(t)
    for src in (t.tn2.ll, t.tn2.glob):
        t.tn2.send_packet(offender(src, ALLNODES))
    no_error(t, seconds)


def odd_source(t: Tester, src: bytes, offender: Offender | None, seconds: float, kind: str) -> None:
    """A packet from such a source, to the node itself or, too big, through it; from another one it makes an error."""
    if offender is None:
        t.shell("ifconfig ne1 mtu 1280")
    dst = t.tn4.glob if offender is None else t.glob
    for source in (src, t.tn2.glob):
        t.tn2.send_packet(request(source, dst, 1500) if offender is None else offender(source, dst))
        if source == src:
            no_error(t, seconds)
    t.expect(kind, within=seconds, dst=t.tn2.glob)


_OFFENDERS: dict[str, tuple[Offender | None, float, str]] = {
    "A": (datagram, 0.5, "unreach"),
    "B": (None, 0.5, "toobig"),
    "C": (first_fragment, REASSEMBLY, "timex"),
    "D": (with_unknown_option, 0.5, "paramprob"),
}


@cases("5.1.11", _OFFENDERS)
def from_unspecified(t: Tester, offender: Offender | None, seconds: float, kind: str) -> None:
    """No error to the unspecified address (RFC 4443 2.4 e.6)."""
    learned(t)
    odd_source(t, UNSPECIFIED, offender, seconds, kind)


@cases("5.1.12", _OFFENDERS)
def from_multicast(t: Tester, offender: Offender | None, seconds: float, kind: str) -> None:
    """No error to a group (RFC 4443 2.4 e.6)."""
    learned(t)
    odd_source(t, SOURCE_GROUP, offender, seconds, kind)


@cases("5.1.13", _OFFENDERS)
def from_anycast(t: Tester, offender: Offender | None, seconds: float, kind: str) -> None:
    """No error to an address known to be anycast: the routers' own on the link (RFC 4443 2.4 e.6)."""
    learned(t)
    t.shell(f"ifconfig ne0 inet6 {in6.ntop(LINK_B)} prefixlen 64 anycast alias")
    t.run(2)
    t.forget()
    odd_source(t, LINK_B, offender, seconds, kind)
