"""Cases 1.1.1 to 1.1.10: the fields of the IPv6 header, at an end node and at a router."""

from __future__ import annotations

from kamelab.wire import ether, exthdr, in6, ip6
from tests.conformance.base_moves import (
    DSTOPTS,
    ECHO,
    NONE,
    alive,
    answered,
    behind,
    echo_message,
    forwarded,
    not_forwarded,
    problem,
    silent,
    start,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import SLACK, Tester

SITE_LOCAL = "fec0:0:0:c::"


def to_tn4(t: Tester, nxt: int = ECHO, headers: bytes = b"", *, hlim: int = 64, tclass: int = 0, flow: int = 0,
           data: bytes = b"conformance") -> bytes:  # fmt: skip
    """TN2's echo request to TN4."""
    src, dst = t.tn2.glob, t.tn4.glob
    message = headers + echo_message(src, dst, data=data)
    return ip6.build(src, dst, nxt, message, hlim=hlim, tclass=tclass, flow=flow)


@case("1.1.1")
def version(t: Tester) -> None:
    """A packet of any other version is not IPv6 and is discarded in silence (RFC 8200 3)."""
    start(t)
    good = behind(t, ECHO, b"")
    for number in range(16):
        if number != 6:
            silent(t, bytes((number << 4 | good[0] & 0x0F,)) + good[1:], f"version {number}")
    answered(t, good)


@case("1.1.2")
def tclass(t: Tester) -> None:
    """A node that does not use the traffic class ignores it in what it receives (RFC 8200 7)."""
    start(t)
    packet = behind(t, ECHO, b"")
    answered(t, b"\x62" + packet[1:])


@case("1.1.3")
def tclass_forwarded(t: Tester) -> None:
    """A router that does not use the traffic class leaves it as it is (RFC 8200 7)."""
    start(t)
    forwarded(t, to_tn4(t, tclass=0x20))


@case("1.1.4", "A")
def flow(t: Tester) -> None:
    """A node that does not use flow labels ignores the field in what it receives (RFC 8200 6)."""
    start(t)
    packet = behind(t, ECHO, b"")
    answered(t, packet[:1] + b"\x03\x45\x67" + packet[4:])


@case("1.1.4", "B")
def flow_forwarded(t: Tester) -> None:
    """A router passes the flow label on unchanged (RFC 8200 6)."""
    start(t)
    forwarded(t, to_tn4(t, flow=0x34567))


@cases("1.1.5", {"A": (b"an odd one.",), "C": (b"an even one.",)})
def plen(t: Tester, data: bytes) -> None:
    """Payloads may be of any length in octets (RFC 8200 3)."""
    start(t)
    packet = ip6.build(t.tn2.ll, t.ll, ECHO, echo_message(t.tn2.ll, t.ll, data=data))
    seen = answered(t, packet)
    if seen.fields["data"] != data:
        raise t.failure("the reply has other data")


@case("1.1.5", "B")
def plen_forwarded(t: Tester) -> None:
    """Payloads of an odd length are forwarded like all others (RFC 8200 3)."""
    start(t)
    forwarded(t, to_tn4(t, data=b"an odd one."))


@case("1.1.6", "A")
def nonext(t: Tester) -> None:
    """Behind No Next Header is nothing: what is there all the same is ignored, in silence (RFC 8200 4.7)."""
    start(t)
    silent(t, behind(t, NONE, b""), "nothing follows")
    silent(t, ip6.build(t.tn2.ll, t.ll, NONE, b""), "nothing follows, and nothing is there")


@case("1.1.6", "B")
def nonext_forwarded(t: Tester) -> None:
    """What is behind No Next Header is passed on unchanged when the packet is forwarded (RFC 8200 4.7)."""
    start(t)
    forwarded(t, to_tn4(t, NONE))
    forwarded(t, ip6.build(t.tn2.glob, t.tn4.glob, NONE, b""))


@case("1.1.7", "A")
def unrecognized(t: Tester) -> None:
    """An unrecognized next header: parameter problem, code 1, pointing at the field that named it (RFC 8200 4)."""
    start(t)
    for nxt in range(143, 253):
        problem(t, behind(t, nxt, b""), 1, 6)
    alive(t)


@case("1.1.7", "B")
def unexpected(t: Tester) -> None:
    """What follows is read as the header that was announced, whatever it was meant to be (RFC 8200 4).

    A fragment header is announced as destination options: the octet of its offset, 0x87, is an unknown option.
    """
    start(t)
    problem(t, behind(t, DSTOPTS, exthdr.build_fragment(ECHO, 0x10E0 << 3 & 0xFFF8, False, 1)), 2, 42)
    alive(t)


@case("1.1.8")
def hlim_zero(t: Tester) -> None:
    """The destination takes a packet whatever its hop limit is (RFC 8200 3)."""
    start(t)
    packet = behind(t, ECHO, b"")
    seen = answered(t, packet[:7] + b"\x00" + packet[8:])
    if not seen.fields["hlim"]:
        raise t.failure("the reply has hop limit 0")


@case("1.1.9")
def hlim_decrement(t: Tester) -> None:
    """A router lowers the hop limit by one, and tells the sender where that leaves 0 (RFC 8200 3, RFC 4443 3.3)."""
    start(t)
    forwarded(t, to_tn4(t, hlim=15))
    for hlim in (0, 1):
        packet = to_tn4(t, hlim=hlim)
        t.forget()
        t.tn2.send_packet(packet)
        t.expect("timex", to_mac=t.tn2.mac, dst=t.tn2.glob, code=0, word=0, checksum="right", quoted=packet)
        t.quiet("*", 1, port="C", why=f"a hop limit of {hlim}")


@case("1.1.10", "A")
def to_global(t: Tester) -> None:
    """A global unicast destination is forwarded by the routes (RFC 4291 2.5.4)."""
    start(t)
    forwarded(t, to_tn4(t))


@case("1.1.10", "B")
def to_zero_prefix(t: Tester) -> None:
    """A prefix may end in fields of zero (RFC 4291 2.2, 2.3)."""
    start(t)
    t.shell("ifconfig ne1 inet6 2001:db8::1 prefixlen 64 alias")
    t.tn4.more = (in6.pton("2001:db8::4"),)
    t.run(3)
    t.shell(f"ndp -s 2001:db8::4 {ether.mac_text(t.tn4.mac)}")
    dst = t.tn4.more[0]
    forwarded(t, ip6.build(t.tn2.glob, dst, ECHO, echo_message(t.tn2.glob, dst)))


@case("1.1.10", "C")
def from_unspecified(t: Tester) -> None:
    """A packet from the unspecified address is never forwarded (RFC 4291 2.5.2)."""
    start(t)
    src = in6.UNSPECIFIED
    not_forwarded(t, ip6.build(src, t.tn4.glob, ECHO, echo_message(src, t.tn4.glob)), "the source is ::")
    alive(t)


@case("1.1.10", "D")
def to_loopback(t: Tester) -> None:
    """A packet to the loopback address is never forwarded, and dropped where it comes by a wire (RFC 4291 2.5.3)."""
    start(t)
    packet = ip6.build(t.tn2.glob, in6.LOOPBACK, ECHO, echo_message(t.tn2.glob, in6.LOOPBACK))
    not_forwarded(t, packet, "the destination is ::1")
    silent(t, packet, "the destination is ::1")


@case("1.1.10", "E")
def from_linklocal(t: Tester) -> None:
    """A packet from a link-local address never leaves its link (RFC 4291 2.5.6).

    The sender is told that it is beyond the scope of its source address (RFC 4443 3.1).
    """
    start(t)
    packet = ip6.build(t.tn2.ll, t.tn4.glob, ECHO, echo_message(t.tn2.ll, t.tn4.glob))
    t.tn2.send_packet(packet)
    t.expect("unreach", to_mac=t.tn2.mac, dst=t.tn2.ll, code=2, checksum="right", quoted=packet)
    t.quiet("*", 3, port="C", why="the source is link-local")


@case("1.1.10", "F")
def to_linklocal(t: Tester) -> None:
    """A packet to a link-local address never leaves its link (RFC 4291 2.5.6)."""
    start(t)
    packet = ip6.build(t.tn2.glob, t.tn4.ll, ECHO, echo_message(t.tn2.glob, t.tn4.ll))
    not_forwarded(t, packet, "the destination is link-local")
    alive(t)


@case("1.1.10", "G")
def to_sitelocal(t: Tester) -> None:
    """A site-local destination is forwarded as a global one: its special treatment was withdrawn (RFC 3879 4)."""
    start(t)
    t.shell(f"ifconfig ne1 inet6 {SITE_LOCAL}1 prefixlen 64 alias")
    dst = in6.pton(f"{SITE_LOCAL}4")
    t.tn4.more = (dst,)
    t.run(3)
    t.shell(f"ndp -s {SITE_LOCAL}4 {ether.mac_text(t.tn4.mac)}")
    forwarded(t, ip6.build(t.tn2.glob, dst, ECHO, echo_message(t.tn2.glob, dst)))


@cases(
    "1.1.10",
    {
        "H": ("ff1e::1:2", "no multicast routing is set up"),
        "I": ("ff12::1:2", "the scope is the link"),
        "J": ("ff10::1:2", "the scope is reserved: such a packet is dropped in silence"),
        "K": ("ff1f::1:2", "scope F is as good as E, and no multicast routing is set up"),
    },
)
def to_multicast(t: Tester, group: str, why: str) -> None:
    """No router forwards multicast without multicast routing, nor beyond the scope of the group (RFC 4291 2.7)."""
    start(t)
    dst = in6.pton(group)
    for hlim in (1, 64):
        packet = ip6.build(t.tn2.glob, dst, ECHO, echo_message(t.tn2.glob, dst), hlim=hlim)
        not_forwarded(t, packet, why)
        silent(t, packet, why)
    t.run(SLACK)
