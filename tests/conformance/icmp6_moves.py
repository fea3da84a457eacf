"""Moves of groups 4 and 5: packets of a given size, fragments put together again, errors and their absence."""

from __future__ import annotations

from typing import Any, Final

from kamelab.wire import exthdr, in6, ip6, udp
from kamelab.wire import icmp6 as icmp
from kamelab.wire.ip6 import IPPROTO_FRAGMENT, IPPROTO_ICMPV6, IPPROTO_UDP
from tests.conformance import frames
from tests.conformance.frames import Seen, slla
from tests.conformance.moves import b_prefix, boot
from tests.conformance.tester import Station, Tester

ERRORS: Final = ("unreach", "toobig", "timex", "paramprob")
CLOSED: Final = 9000
"""A UDP port that nobody listens on."""
UNKNOWN: Final = 0x87
"""An option type that no one knows: discard, and answer even where the destination is a group (RFC 8200 4.2: 10)."""


def learned(t: Tester) -> None:
    """As `moves.common`, but all stations answer, and a router has a route to link A alone instead of a default one."""
    boot(t)
    if t.is_router:
        t.shell(f"route add -inet6 2001:db8:0:a:: -prefixlen 64 {in6.ntop(t.tr1.ll)}%ne0")
    for station in t.stations:
        station.answers = True
    if not t.is_router:
        t.tr1.ra(options=b_prefix() + slla(t.tr1.mac))
        t.run(3)
    t.forget()


def request(src: bytes, dst: bytes, size: int, seq: int = 1, hlim: int = 64) -> bytes:
    """An echo request that is an IPv6 packet of ``size`` octets."""
    data = bytes(i & 0xFF for i in range(size - 48))
    return frames.packet(src, dst, icmp.ECHO_REQUEST, icmp.echo_body(0xC0FE, seq, data), hlim=hlim)


def datagram(src: bytes, dst: bytes, hlim: int = 64, size: int = 64) -> bytes:
    """A UDP datagram to a port that is closed, ``size`` octets of IPv6 packet."""
    return ip6.build(src, dst, IPPROTO_UDP, udp.build(src, dst, 9001, CLOSED, bytes(size - 48)), hlim=hlim)


def first_fragment(src: bytes, dst: bytes, hlim: int = 64) -> bytes:
    """The first fragment of an echo request, whose others never come."""
    whole = request(src, dst, 200)
    return ip6.build(src, dst, IPPROTO_FRAGMENT, exthdr.build_fragment(58, 0, True, 77) + whole[40:120], hlim=hlim)


def with_unknown_option(src: bytes, dst: bytes, hlim: int = 64) -> bytes:
    """An echo request behind a destination options header with an option that no one knows."""
    message = request(src, dst, 64)[40:]
    header = exthdr.destination_options(IPPROTO_ICMPV6, exthdr.option(UNKNOWN, bytes(4)))
    return ip6.build(src, dst, ip6.IPPROTO_DSTOPTS, header + message, hlim=hlim)


def error(st: Station, kind: int, word: int, quoted: bytes, *, code: int = 0, src: bytes | None = None,
          dst: bytes | None = None) -> None:  # fmt: skip
    """An ICMPv6 error from a station (or a router behind it, ``src``) to the source of the packet that it quotes."""
    st.send(kind, icmp.error_body(word, quoted[:1232]), code=code, src=src or st.glob, dst=dst or quoted[8:24], hlim=64)


def too_big(st: Station, mtu: int, quoted: bytes, code: int = 0) -> None:
    """A packet too big from a station."""
    error(st, icmp.PACKET_TOO_BIG, mtu, quoted, code=code)


class Answer:
    """An echo reply as it came: its frames' packets, and the ICMPv6 message that they make."""

    def __init__(self, packets: list[bytes], message: bytes) -> None:
        self.packets = packets
        self.message = message

    @property
    def sizes(self) -> list[int]:
        return [len(one) for one in self.packets]

    @property
    def fragmented(self) -> bool:
        return self.packets[0][6] == IPPROTO_FRAGMENT


def sent(t: Tester, dst: bytes) -> Answer:
    """The one packet for ``dst`` that the node just sent, whole or in fragments, which must fit together."""
    t.run(0.05)
    packets = [one.frame[14:] for one in t.inbox if one.port == "B" and one.frame[38:54] == dst]
    packets = [one for one in packets if one[6] in (IPPROTO_FRAGMENT, IPPROTO_ICMPV6) and one[40] not in (135, 136)]
    t.forget()
    if not packets:
        raise t.failure(f"an answer to {t.show(dst)} was expected, none came")
    if packets[0][6] == IPPROTO_ICMPV6:
        if len(packets) > 1:
            raise t.failure(f"{len(packets)} packets came, one was expected")
        return Answer(packets, packets[0][40:])
    message = b""
    for one in packets:
        piece = exthdr.parse_fragment(one[40:])
        if piece.offset != len(message) or piece.more != (one is not packets[-1]) or piece.nxt != IPPROTO_ICMPV6:
            raise t.failure(f"the fragments don't fit together at octet {piece.offset}")
        message += one[48:]
    return Answer(packets, message)


def ping(t: Tester, st: Station, size: int, *, src: bytes | None = None, dst: bytes | None = None,
         limit: int = 1500, seq: int = 1) -> Answer:  # fmt: skip
    """An echo request of ``size`` octets and its answer, right in its data, no packet longer than ``limit``.

    The answer is whole where it fits.
    """
    src, dst = src or st.glob, dst or t.glob
    packet = request(src, dst, size, seq)
    t.forget()
    st.send_packet(packet)
    answer = sent(t, src)
    if answer.message[0] != icmp.ECHO_REPLY or answer.message[4:] != packet[44:]:
        raise t.failure("the answer is no echo reply with the request's data")
    if max(answer.sizes) > limit:
        raise t.failure(f"a packet of {max(answer.sizes)} octets came, {limit} was the path MTU")
    if size > limit and not answer.fragmented:
        raise t.failure("the answer came whole")
    return answer


def whole(t: Tester, answer: Answer) -> None:
    """The answer came without a fragment header."""
    if answer.fragmented:
        raise t.failure("the answer came with a fragment header, and it had room without")


def expect_error(t: Tester, kind: str, offender: bytes, *, dst: bytes, src: Any, code: int, word: int = 0,
                 within: float = 0.05, port: str = "B") -> Seen:  # fmt: skip
    """An error about ``offender``: checksum right, as much of it as fits 1280 octets, unchanged (RFC 4443 2.4 c)."""
    seen = t.expect(kind, within, dst=dst, src=src, code=code, checksum="right", word=word, port=port)
    if seen.fields["quoted"] != offender[: 1280 - 48]:
        raise t.failure("the error does not quote the offending packet unchanged, as far as 1280 octets go")
    return seen


def no_error(t: Tester, seconds: float = 0.5, why: str = "") -> None:
    """For so many seconds no error leaves, on any link; and the node still answers."""
    t.run(seconds)
    for one in t.inbox:
        if one.kind in ERRORS:
            raise t.failure(f"{one.kind} came that was not to come{': ' if why else ''}{why}", [t._line("NUT", one)])
    t.forget()
    t.tr1.echo(seq=99)
    t.expect("echo_reply", within=0.05, dst=t.tr1.ll, seq=99)
    t.forget()
