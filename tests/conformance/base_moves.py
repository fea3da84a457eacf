"""What the cases of group 1 share: packets built by hand, and what a node does with one of them.

A packet is put together octet by octet around one echo request, whose answer shows that the headers before it were
passed over; silence alone proves nothing, so that every case ends with an ordinary echo that is answered.
"""

from __future__ import annotations

from kamelab.wire import ether, exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp
from tests.conformance import frames
from tests.conformance.frames import Seen
from tests.conformance.moves import common
from tests.conformance.tester import SLACK, Station, Tester

DATA = b"conformance of headers.."
"""24 octets."""
QUIET = 3.0
"""How long nothing may come, seconds: longer than an address resolution."""

ECHO = ip6.IPPROTO_ICMPV6
FRAGMENT = ip6.IPPROTO_FRAGMENT
ROUTING = ip6.IPPROTO_ROUTING
HOPOPTS = ip6.IPPROTO_HOPOPTS
DSTOPTS = ip6.IPPROTO_DSTOPTS
NONE = ip6.IPPROTO_NONE


def start(t: Tester) -> None:
    """The common set-up with TN2, and TN4 on link C, as neighbors that answer solicitations."""
    common(t)
    t.tn2.answers = True
    if t.is_router:
        t.tn4.answers = True
        t.tn4.echo(t.tn4.glob, t.glob)
        t.expect("echo_reply", port="C", dst=t.tn4.glob)
        t.shell(f"ndp -s {in6.ntop(t.tn4.glob)} {ether.mac_text(t.tn4.mac)}")
    alive(t)
    t.forget()


def echo_message(src: bytes, dst: bytes, *, seq: int = 1, data: bytes = DATA) -> bytes:
    """An echo request without its IPv6 header."""
    return frames.packet(src, dst, icmp.ECHO_REQUEST, icmp.echo_body(0xC0FE, seq, data))[40:]


def behind(
    t: Tester, nxt: int, headers: bytes, *, dst: bytes | None = None, seq: int = 1, st: Station | None = None
) -> bytes:
    """A packet of TN2's, link-local unless ``dst`` is given: an echo request behind ``headers``, the first ``nxt``."""
    st = st or t.tn2
    to = t.ll if dst is None else dst
    src = st.ll if to[0] in (0xFE, 0xFF) and to[1] != 0x1E else st.glob
    return ip6.build(src, to, nxt, headers + echo_message(src, to, seq=seq))


def options(kind: str, content: bytes, nxt: int = ECHO) -> bytes:
    """A hop-by-hop or destination options header that holds exactly ``content``, padded."""
    return exthdr.hop_by_hop(nxt, content) if kind == "hop" else exthdr.destination_options(nxt, content)


def answered(t: Tester, packet: bytes, seq: int = 1, st: Station | None = None) -> Seen:
    """The NUT answers the echo request in ``packet``."""
    st = st or t.tn2
    t.forget()
    st.send_packet(packet)
    return t.expect("echo_reply", to_mac=st.mac, dst=packet[8:24], seq=seq)


def silent(t: Tester, packet: bytes, why: str, st: Station | None = None) -> None:
    """The NUT says nothing at all about ``packet``, and is alive after it."""
    t.forget()
    (st or t.tn2).send_packet(packet)
    t.quiet("*", QUIET, why=why)
    alive(t)


def problem(t: Tester, packet: bytes, code: int, pointer: int, st: Station | None = None) -> Seen:
    """The NUT answers ``packet`` with a parameter problem that quotes it, and with nothing else."""
    st = st or t.tn2
    t.forget()
    st.send_packet(packet)
    own = packet[24] != 0xFF and packet[24:40] in (t.ll, t.glob)
    wanted = {"src": packet[24:40]} if own else {}
    seen = t.expect(
        "paramprob", to_mac=st.mac, dst=packet[8:24], code=code, word=pointer, checksum="right",
        quoted=packet[: 1280 - 48], **wanted,
    )  # fmt: skip
    t.quiet("*", 0.5, why="one error is enough")
    return seen


def forwarded(t: Tester, packet: bytes, st: Station | None = None) -> None:
    """The router puts ``packet`` on link C for TN4 with nothing but the hop limit changed, one lower."""
    t.forget()
    (st or t.tn2).send_packet(packet)
    seen = passes(t)
    want = packet[:7] + bytes((packet[7] - 1,)) + packet[8:]
    if seen.frame[14:] != want or seen.fields["to_mac"] != t.tn4.mac:
        raise t.failure("the packet was forwarded otherwise than it came", [want.hex(), seen.frame[14:].hex()])


def passes(t: Tester, within: float = SLACK) -> Seen:
    """Whatever comes next on link C that is no neighbor discovery."""
    kinds = ("echo_request", "other")
    for _ in range(2):
        for kind in kinds:
            for seen in t.inbox:
                if seen.kind == kind and seen.port == "C":
                    t.inbox.remove(seen)
                    return seen
        t.run(within)
    raise t.failure("a packet was expected on link C, none came")


def not_forwarded(t: Tester, packet: bytes, why: str, st: Station | None = None) -> None:
    """Nothing comes on link C."""
    t.forget()
    (st or t.tn2).send_packet(packet)
    t.quiet("*", QUIET, port="C", why=why)


def alive(t: Tester) -> None:
    """The NUT answers an ordinary echo request of TN2."""
    t.forget()
    t.tn2.echo(seq=99)
    t.expect("echo_reply", to_mac=t.tn2.mac, dst=t.tn2.ll, seq=99)
