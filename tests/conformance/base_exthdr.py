"""Cases 1.2.1 to 1.2.10: extension headers and their options."""

from __future__ import annotations

from kamelab.wire import exthdr, in6, ip6
from kamelab.wire.exthdr import option
from tests.conformance.base_header import to_tn4
from tests.conformance.base_moves import (
    DSTOPTS,
    ECHO,
    FRAGMENT,
    HOPOPTS,
    NONE,
    ROUTING,
    alive,
    answered,
    behind,
    echo_message,
    forwarded,
    not_forwarded,
    options,
    problem,
    silent,
    start,
)
from tests.conformance.frames import ALLNODES
from tests.conformance.registry import case, cases
from tests.conformance.tester import Tester

# Unknown options, by the two bits that say what to do with them (RFC 8200 4.2).
SKIP, DISCARD, TELL, TELL_UNICAST = (option(bits << 6 | 0x07, bytes(4)) for bits in range(4))
GROUP = in6.pton("ff1e::1:2")


@case("1.2.1")
def next_header_zero(t: Tester) -> None:
    """A next header of 0 elsewhere than in the IPv6 header is an unrecognized one (RFC 8200 4)."""
    start(t)
    problem(t, behind(t, HOPOPTS, exthdr.hop_by_hop(HOPOPTS, b"") + exthdr.hop_by_hop(ECHO, b"")), 1, 40)
    alive(t)


@case("1.2.2", "A")
def nonext(t: Tester) -> None:
    """No Next Header in an extension header ends the packet there (RFC 8200 4.7)."""
    start(t)
    silent(t, behind(t, DSTOPTS, options("dst", b"", NONE)), "nothing follows")


@case("1.2.2", "B")
def nonext_forwarded(t: Tester) -> None:
    """A router does not look at destination options, nor at what they announce (RFC 8200 4, 4.7)."""
    start(t)
    forwarded(t, to_tn4(t, DSTOPTS, options("dst", b"", NONE)))


@case("1.2.3", "A")
def unrecognized(t: Tester) -> None:
    """The pointer is to the field of the extension header that named the unrecognized one (RFC 8200 4)."""
    start(t)
    for nxt in range(143, 253):
        problem(t, behind(t, DSTOPTS, options("dst", b"", nxt)), 1, 40)
    alive(t)


@case("1.2.3", "B")
def unexpected(t: Tester) -> None:
    """What follows is read as the header that was announced: the fragment header's offset as an unknown option."""
    start(t)
    headers = options("dst", b"", DSTOPTS) + exthdr.build_fragment(ECHO, 0x10E0 << 3 & 0xFFF8, False, 1)
    problem(t, behind(t, DSTOPTS, headers), 2, 50)
    alive(t)


# A fragment header that is wrong: more follow, and the payload is no multiple of 8 octets.
_ODD = b"five."


@cases(
    "1.2.4",
    {
        "A": (("dst", TELL), ("frag", True), 2, 50),
        "B": (("dst", SKIP), ("frag", True), 0, 4),
        "C": (("frag", True), ("dst", TELL), 0, 4),
        "D": (("frag", False), ("dst", TELL), 2, 58),
    },
)
def order(t: Tester, one: tuple[str, object], two: tuple[str, object], code: int, pointer: int) -> None:
    """Headers are processed in the order in which they stand in the packet (RFC 8200 4)."""
    start(t)
    numbers = {"dst": DSTOPTS, "frag": FRAGMENT}
    headers = exthdr.hop_by_hop(numbers[one[0]], SKIP)
    for (kind, content), nxt in ((one, numbers[two[0]]), (two, ECHO)):
        if kind == "dst":
            assert isinstance(content, bytes)
            headers += options("dst", content, nxt)
        else:
            headers += exthdr.build_fragment(nxt, 0, bool(content), 0x77)
    message = echo_message(t.tn2.ll, t.ll) + _ODD
    problem(t, ip6.build(t.tn2.ll, t.ll, HOPOPTS, headers + message), code, pointer)
    alive(t)


@cases("1.2.5", {"A": (DISCARD, 0), "B": (TELL, 48), "C": (TELL_UNICAST, 48)})
def option_order(t: Tester, second: bytes, pointer: int) -> None:
    """Options are processed in the order in which they stand in the header (RFC 8200 4.2)."""
    start(t)
    rest = b"".join(one for one in (DISCARD, TELL, TELL_UNICAST) if one is not second)
    packet = behind(t, DSTOPTS, options("dst", SKIP + second + rest))
    if pointer:
        problem(t, packet, 2, pointer)
        alive(t)
    else:
        silent(t, packet, "the second option says: discard")


_ACTIONS = {
    "A": (bytes(6), "taken"),
    "B": (option(exthdr.OPT_PADN, bytes(4)), "taken"),
    "C": (SKIP, "taken"),
    "D": (DISCARD, "discarded"),
    "E": (TELL, "told"),
    "F": (TELL_UNICAST, "told"),
    "G": (TELL, "told", ALLNODES),
    "H": (TELL_UNICAST, "discarded", ALLNODES),
}


@cases("1.2.6", {part: ("hop", HOPOPTS, *args) for part, args in _ACTIONS.items()})
@cases("1.2.8", {part: ("dst", DSTOPTS, *args) for part, args in _ACTIONS.items()})
def actions(t: Tester, kind: str, nxt: int, content: bytes, end: str, dst: bytes | None = None) -> None:
    """The two highest bits of an unknown option's type say what becomes of the packet (RFC 8200 4.2)."""
    start(t)
    packet = behind(t, nxt, options(kind, content), dst=dst)
    if end == "taken":
        answered(t, packet)
    elif end == "told":
        problem(t, packet, 2, 42)
        alive(t)
    else:
        silent(t, packet, "the option says: discard")


@cases("1.2.7", {part: _ACTIONS[part] for part in "ABCDEF"})
def actions_forwarding(t: Tester, content: bytes, end: str) -> None:
    """Hop-by-hop options are for every node on the way, and so are their two highest bits (RFC 8200 4.2, 4.3)."""
    start(t)
    packet = to_tn4(t, HOPOPTS, options("hop", content))
    if end == "taken":
        forwarded(t, packet)
    elif end == "told":
        problem(t, packet, 2, 42)
        not_forwarded(t, packet, "the option says: discard")
    else:
        silent(t, packet, "the option says: discard")
        not_forwarded(t, packet, "the option says: discard")


@case("1.2.7", "G")
def tell_of_group(t: Tester) -> None:
    """Bits 10 are told to a sender to a group too (RFC 8200 4.2).

    Packets to groups of others reach a router only if it is one for multicast: a listener to all groups stands for it.
    """
    start(t)
    t.shell("mld6d -i ne0")
    packet = ip6.build(t.tn2.glob, GROUP, HOPOPTS, options("hop", TELL) + echo_message(t.tn2.glob, GROUP))
    problem(t, packet, 2, 42)
    not_forwarded(t, packet, "the option says: discard")


@case("1.2.7", "H")
def tell_of_link_group(t: Tester) -> None:
    """Bits 11 are not told to a sender to a group (RFC 8200 4.2)."""
    start(t)
    packet = behind(t, HOPOPTS, options("hop", TELL_UNICAST), dst=ALLNODES)
    silent(t, packet, "the option says: discard")
    not_forwarded(t, packet, "the option says: discard")


def _routing(t: Tester, kind: int, left: int) -> bytes:
    header = exthdr.build_routing0(ECHO, left, (t.tn2.glob,))
    return behind(t, ROUTING, header[:2] + bytes((kind,)) + header[3:], dst=t.glob)


@cases("1.2.9", {"A": (33,), "B": (0,)})
def routing_done(t: Tester, kind: int) -> None:
    """With no segments left an unrecognized routing header is ignored, and the next header is read (RFC 8200 4.4)."""
    start(t)
    answered(t, _routing(t, kind, 0))


@cases("1.2.10", {"A": (33,), "B": (0,)})
def routing_left(t: Tester, kind: int) -> None:
    """With segments left: parameter problem, code 0, pointing at the routing type (RFC 8200 4.4, RFC 5095 3)."""
    start(t)
    if kind == 0:
        t.shell("sysctl net.inet6.ip6.rthdr0=0")
    problem(t, _routing(t, kind, 1), 0, 42)
    alive(t)
