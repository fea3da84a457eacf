"""Cases 1.3.1 to 1.3.4: fragments at their destination."""

from __future__ import annotations

from kamelab.wire import exthdr, ip6
from tests.conformance.base_moves import ECHO, FRAGMENT, QUIET, alive, echo_message, problem, start
from tests.conformance.frames import Seen
from tests.conformance.registry import case, cases
from tests.conformance.tester import SLACK, Tester

SIZE = 32
"""Octets of a fragment's data."""
IDENT = 0x1234
TIMEOUT = 60
"""RFC 8200 4.5, seconds."""
DATA = bytes(range(80))
"""With the header of the echo request it makes three fragments."""


def fragments(
    src: bytes, dst: bytes, data: bytes = DATA, size: int = SIZE, idents: tuple[int, ...] = (IDENT,) * 3
) -> list[bytes]:
    """An echo request of sequence number 7, cut up."""
    message = echo_message(src, dst, seq=7, data=data)
    out = []
    for number, offset in enumerate(range(0, len(message), size)):
        header = exthdr.build_fragment(ECHO, offset, offset + size < len(message), idents[number % len(idents)])
        out.append(ip6.build(src, dst, FRAGMENT, header + message[offset : offset + size]))
    return out


def reassembled(t: Tester, data: bytes = DATA) -> None:
    """The reply comes, with all the data."""
    seen = t.expect("echo_reply", to_mac=t.tn2.mac, dst=t.tn2.ll, seq=7)
    if seen.fields["data"] != data:
        raise t.failure("the reply has other data")


@cases("1.3.1", {"A": ((0, 1, 2),), "B": ((2, 1, 0),)})
def valid(t: Tester, arrival: tuple[int, ...]) -> None:
    """Fragments are put together in whatever order they come (RFC 8200 4.5)."""
    start(t)
    parts = fragments(t.tn2.ll, t.ll)
    for number in arrival:
        t.quiet("*", 0.1, why="there are fragments missing")
        t.tn2.send_packet(parts[number])
    reassembled(t)


def _never(t: Tester, packets: list[bytes]) -> None:
    for packet in packets:
        t.tn2.send_packet(packet)
    t.quiet("*", QUIET, why="these are not fragments of one packet")
    alive(t)


@case("1.3.1", "C")
def idents_differ(t: Tester) -> None:
    """Only fragments of one identification belong together (RFC 8200 4.5)."""
    start(t)
    _never(t, fragments(t.tn2.ll, t.ll, idents=(1, 2, 1)))


@case("1.3.1", "D")
def sources_differ(t: Tester) -> None:
    """Only fragments from one source belong together (RFC 8200 4.5)."""
    start(t)
    one, two = fragments(t.tn2.ll, t.ll), fragments(t.tn3.ll, t.ll)
    _never(t, [one[0], two[1], one[2]])


@case("1.3.1", "E")
def destinations_differ(t: Tester) -> None:
    """Only fragments to one destination belong together (RFC 8200 4.5)."""
    start(t)
    one, two = fragments(t.tn2.ll, t.ll), fragments(t.tn2.ll, t.glob)
    _never(t, [one[0], two[1], one[2]])


@case("1.3.1", "F")
def to_1500(t: Tester) -> None:
    """A node takes fragments that make a packet of 1500 octets (RFC 8200 5)."""
    start(t)
    data = bytes(range(256)) * 5 + bytes(1500 - 48 - 1280)
    for packet in fragments(t.tn2.ll, t.ll, data, 1024):
        t.tn2.send_packet(packet)
    reassembled(t, data)


def _told(t: Tester, first: bytes, wait: float) -> Seen:
    """Time exceeded, code 1, about the first fragment."""
    return t.expect(
        "timex", wait + SLACK, after=wait - SLACK, to_mac=t.tn2.mac, dst=first[8:24], src=first[24:40], code=1, word=0,
        checksum="right", quoted=first,
    )  # fmt: skip


@case("1.3.2", "A")
def in_time(t: Tester) -> None:
    """Fragments wait for each other for 60 seconds after the first that came (RFC 8200 4.5)."""
    start(t)
    parts = fragments(t.tn2.ll, t.ll)
    t.tn2.send_packet(parts[0])
    t.tn2.send_packet(parts[1])
    t.quiet("*", TIMEOUT - 5, why="there are fragments missing")
    t.tn2.send_packet(parts[2])
    reassembled(t)


@case("1.3.2", "B")
def too_late(t: Tester) -> None:
    """Then they are discarded, and the sender is told if the first fragment was among them (RFC 8200 4.5)."""
    start(t)
    parts = fragments(t.tn2.ll, t.ll)
    t.tn2.send_packet(parts[0])
    t.tn2.send_packet(parts[1])
    _told(t, parts[0], TIMEOUT)
    t.run(5)
    t.tn2.send_packet(parts[2])
    t.quiet("echo_reply", QUIET, why="the others are gone")


@cases("1.3.2", {"C": (True,), "D": (False,)})
def only_first(t: Tester, is_global: bool) -> None:
    """Time exceeded, code 1, where only the first fragment came (RFC 8200 4.5, RFC 4443 3.3)."""
    start(t)
    src, dst = (t.tn2.glob, t.glob) if is_global else (t.tn2.ll, t.ll)
    if is_global:
        t.tn2.echo(src, dst)
        t.expect("echo_reply", dst=src)
    first = fragments(src, dst)[0]
    t.tn2.send_packet(first)
    _told(t, first, TIMEOUT)


@case("1.3.2", "E")
def only_second(t: Tester) -> None:
    """Nobody is told without the first fragment (RFC 8200 4.5)."""
    start(t)
    t.tn2.send_packet(fragments(t.tn2.ll, t.ll)[1])
    t.quiet("*", TIMEOUT + 5, why="the first fragment did not come")
    alive(t)


@case("1.3.3")
def odd_length(t: Tester) -> None:
    """All fragments but the last are multiples of 8 octets: an error at the payload length (RFC 8200 4.5)."""
    start(t)
    message = echo_message(t.tn2.ll, t.ll)
    packet = ip6.build(t.tn2.ll, t.ll, FRAGMENT, exthdr.build_fragment(ECHO, 0, True, IDENT) + message[:13])
    problem(t, packet, 0, 4)
    alive(t)


@case("1.3.4")
def stub(t: Tester) -> None:
    """A fragment that is the whole packet is taken as it is, and joins no others (RFC 6946 4)."""
    start(t)
    parts = fragments(t.tn2.ll, t.ll)
    t.tn2.send_packet(parts[0])
    message = echo_message(t.tn2.ll, t.ll, seq=7, data=b"whole")
    t.tn2.send_packet(ip6.build(t.tn2.ll, t.ll, FRAGMENT, exthdr.build_fragment(ECHO, 0, False, IDENT) + message))
    reassembled(t, b"whole")
    t.tn2.send_packet(parts[1])
    t.tn2.send_packet(parts[2])
    reassembled(t)
