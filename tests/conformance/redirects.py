"""Group 2.3: redirects, followed by a host, sent and never followed by a router (RFC 4861 8)."""

from __future__ import annotations

from typing import Any

from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.ether import multicast_mac
from kamelab.wire.nd_options import build_mtu
from tests.conformance import frames
from tests.conformance.frames import UNKNOWN_OPTION, ZERO_OPTION, Seen, redirected, slla, tlla
from tests.conformance.moves import (
    NONE,
    OTHER,
    SAME,
    STATES,
    common,
    far,
    from_tn1,
    incomplete,
    proves,
    proves_first_hop,
    proves_incomplete,
    proves_stale,
    reachable,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import Station, Tester

PLAIN, QUOTED, OVERSIZED = "", "redirected header", "oversized redirected header"
ONLINK_MAC = bytes.fromhex("0000c0000111")
"""TN1's link-layer address where the case has it on link B."""


def begin(t: Tester) -> bytes:
    """TR1 is the default router and has just brought a packet of TN1; the answer that went back through it."""
    common(t)
    t.names[ONLINK_MAC] = "TN1 on link B"
    from_tn1(t)
    answer = t.expect("echo_reply", to_mac=t.tr1.mac, dst=t.tn1, src=t.glob)
    return answer.frame[14:]


def quote(answer: bytes, how: str) -> bytes:
    """The redirected header option; oversized: the whole redirect is longer than 1280 octets (but fits the link)."""
    if how == PLAIN:
        return b""
    if how == OVERSIZED:
        answer = frames.packet(answer[8:24], answer[24:40], icmp.ECHO_REPLY, icmp.echo_body(1, 1, bytes(1272)), hlim=64)
    return redirected(answer)


def proves_onlink(t: Tester, mac: bytes | None) -> None:
    """TN1 is taken for a neighbor: packets go to ``mac``, or its address is resolved where that is not known."""
    t.forget()
    if mac is None:
        from_tn1(t, 9)
        group = in6.solicited_node(t.tn1)
        t.expect("ns", target=t.tn1, dst=group, to_mac=multicast_mac(group), slla=t.mac)
        t.quiet("echo_reply", 0.5)
    else:
        proves_first_hop(t, mac, 9)


def proves_by_router(t: Tester, st: Station, mac: bytes | None) -> None:
    """TN1 is reached through a router: at ``mac``, or after its resolution."""
    t.forget()
    if mac is None:
        from_tn1(t, 9)
        group = in6.solicited_node(st.ll)
        t.expect("ns", target=st.ll, dst=group, to_mac=multicast_mac(group), slla=t.mac)
        t.quiet("echo_reply", 0.5)
        st.na("RSO", options=tlla(st.mac))
        t.expect("echo_reply", to_mac=st.mac, dst=t.tn1)
    else:
        proves_first_hop(t, mac, 9)


VALID = {"A": (False, PLAIN), "B": (False, QUOTED), "C": (True, PLAIN), "D": (True, QUOTED)}


@cases("2.3.1", VALID)
def onlink(t: Tester, lladdr: bool, how: str) -> None:
    """Target = Destination: the destination is a neighbor, with the given link-layer address (RFC 4861 8.3)."""
    answer = begin(t)
    t.tr1.redirect(t.tn1, t.tn1, options=(tlla(ONLINK_MAC) if lladdr else b"") + quote(answer, how))
    t.run(0.01)
    proves_onlink(t, ONLINK_MAC if lladdr else None)


@cases("2.3.4", VALID)
def other_router(t: Tester, lladdr: bool, how: str) -> None:
    """A link-local target: the destination is reached through that router (RFC 4861 8.3)."""
    answer = begin(t)
    t.tr1.redirect(t.tr2.ll, t.tn1, options=(tlla(t.tr2.mac) if lladdr else b"") + quote(answer, how))
    t.run(0.01)
    proves_by_router(t, t.tr2, t.tr2.mac if lladdr else None)


@cases("2.3.2", {"A": (UNKNOWN_OPTION, False, False), "B": (b"", True, False), "C": (b"", False, True)})
def onlink_suspicious(t: Tester, options: bytes, reserved: bool, uncovered: bool) -> None:
    """Unknown options and the Reserved field are ignored; no prefix need cover the target (RFC 4861 8.1)."""
    begin(t)
    destination = t.tn1
    if uncovered:
        destination = far(1)
    _send_redirect(t, destination, destination, tlla(ONLINK_MAC) + options, reserved)
    t.run(0.01)
    t.forget()
    t.tr1.echo(destination, t.glob, seq=3)
    t.expect("echo_reply", to_mac=ONLINK_MAC, dst=destination, seq=3)


@cases("2.3.5", {"A": (UNKNOWN_OPTION, False), "B": (b"", True)})
def other_router_suspicious(t: Tester, options: bytes, reserved: bool) -> None:
    """Unknown options and the Reserved field are ignored (RFC 4861 8.1)."""
    begin(t)
    _send_redirect(t, t.tr2.ll, t.tn1, tlla(t.tr2.mac) + options, reserved)
    t.run(0.01)
    proves_by_router(t, t.tr2, t.tr2.mac)


def _send_redirect(t: Tester, target: bytes, destination: bytes, options: bytes, reserved: bool) -> None:
    body = frames.redirect(target, destination, options)
    t.tr1.send(icmp.REDIRECT, frames.reserve(body) if reserved else body, dst=t.glob)


INVALID: dict[str, tuple[str, dict[str, Any]]] = {
    "A": ("global source", {}),
    "B": ("other router", {}),
    "C": ("", {"hlim": 254}),
    "D": ("", {"code": 1}),
    "E": ("", {"bad_checksum": True}),
    "F": ("multicast destination", {}),
    "G": ("multicast target", {}),
    "H": ("", {"cut": 32}),
    "I": ("", {"options": ZERO_OPTION}),
}


def _send_invalid(t: Tester, target: bytes, wrong: str, damage: dict[str, Any], options: bytes) -> None:
    """A redirect of TN1 to ``target`` with one thing wrong."""
    more = {"options": options, **damage}
    destination, sender = t.tn1, t.tr1
    group = in6.pton("ff0e::1:2")
    if wrong == "global source":
        more["src"] = t.tr1.glob
    elif wrong == "other router":
        sender = t.tr3
    elif wrong == "multicast destination":
        # An on-link redirect has its target there too.
        target = group if target == destination else target
        destination = group
    elif wrong == "multicast target":
        target = group
    sender.redirect(target, destination, **more)
    t.run(0.01)


@cases("2.3.3", INVALID)
def onlink_invalid(t: Tester, wrong: str, damage: dict[str, Any]) -> None:
    """An invalid redirect is discarded in silence: the first hop stays (RFC 4861 8.1)."""
    begin(t)
    _send_invalid(t, t.tn1, wrong, damage, tlla(ONLINK_MAC))
    t.quiet("*", 1)
    proves_first_hop(t, t.tr1.mac)


@cases("2.3.6", INVALID)
def other_router_invalid(t: Tester, wrong: str, damage: dict[str, Any]) -> None:
    """An invalid redirect is discarded in silence: the first hop stays (RFC 4861 8.1)."""
    begin(t)
    _send_invalid(t, t.tr2.ll, wrong, damage, tlla(t.tr2.mac))
    t.quiet("*", 1)
    proves_first_hop(t, t.tr1.mac)


@case("2.3.7")
def twice(t: Tester) -> None:
    """The router that a redirect led to is the current first hop, and may redirect further (RFC 4861 8.1, 8.3)."""
    begin(t)
    t.tr1.redirect(t.tr2.ll, t.tn1, options=tlla(t.tr2.mac))
    t.run(0.01)
    proves_first_hop(t, t.tr2.mac, 2)
    # TR1 is the first hop no more: it has nothing to say of TN1.
    t.tr1.redirect(t.tr1.ll, t.tn1, options=tlla(t.tr1.mac))
    t.run(0.01)
    proves_first_hop(t, t.tr2.mac, 3)
    t.tr2.redirect(t.tr3.ll, t.tn1, options=tlla(t.tr3.mac))
    t.run(0.01)
    proves_first_hop(t, t.tr3.mac, 4)


@cases("2.3.8", {"A": ("mtu",), "B": ("prefix",), "C": ("slla",)})
def option_out_of_place(t: Tester, what: str) -> None:
    """Options that a redirect has no use for are ignored, the redirect is followed (RFC 4861 8.1 last paragraphs)."""
    begin(t)
    prefix = far(0)
    option = {
        "mtu": build_mtu(1280),
        "prefix": frames.prefix_option(prefix, valid=1000, preferred=1000),
        "slla": slla(t.tr3.mac),
    }[what]
    t.tr1.redirect(t.tr2.ll, t.tn1, options=option)
    t.run(3)
    # Neither is a source link-layer address taken for the target's.
    proves_by_router(t, t.tr2, None)
    if what == "prefix":
        t.tn2.echo(far(1), t.glob, seq=6)
        t.expect("echo_reply", to_mac=t.tr1.mac, dst=far(1), seq=6)
    elif what == "slla":
        proves_first_hop(t, t.tr2.mac, 7)
    else:
        large = frames.packet(t.tn1, t.glob, icmp.ECHO_REQUEST, icmp.echo_body(1, 8, bytes(1392)), hlim=63)
        t.tr1.send_packet(large)
        seen = t.expect("echo_reply", to_mac=t.tr2.mac, seq=8)
        if len(seen.frame) != 14 + len(large):
            raise t.failure("the answer was to be as long as the request: the MTU option says nothing here")


@case("2.3.9")
def no_destination_entry(t: Tester) -> None:
    """A redirect for a destination that nothing was sent to yet is remembered (RFC 4861 8.3)."""
    common(t)
    t.tr1.redirect(t.tr2.ll, t.tn1, options=tlla(t.tr2.mac))
    t.run(0.01)
    proves_first_hop(t, t.tr2.mac)


@case("2.3.10", "A")
def target_unknown(t: Tester) -> None:
    """No link-layer address: the target has to be resolved (RFC 4861 8.3)."""
    begin(t)
    t.tr1.redirect(t.tr2.ll, t.tn1)
    t.quiet("*", 1)
    proves_by_router(t, t.tr2, None)


@cases("2.3.10", {"B": (PLAIN,), "C": (QUOTED,), "D": (OVERSIZED,)})
def target_learnt(t: Tester, how: str) -> None:
    """With a link-layer address the target has a STALE entry (RFC 4861 8.3)."""
    answer = begin(t)
    t.tr1.redirect(t.tr2.ll, t.tn1, options=tlla(t.tr2.mac) + quote(answer, how))
    t.run(0.01)
    proves_first_hop(t, t.tr2.mac)
    proves_stale_now(t, t.tr2, t.tr2.mac)


def proves_stale_now(t: Tester, st: Station, mac: bytes) -> None:
    """A packet has just gone to a STALE entry: the unicast solicitation follows."""
    t.expect("ns", within=5.1, after=4.5, target=st.ll, dst=st.ll, to_mac=mac)


@case("2.3.11", "A")
def target_incomplete(t: Tester) -> None:
    """INCOMPLETE, no link-layer address: resolution goes on (RFC 4861 8.3)."""
    begin(t)
    incomplete(t, t.tr2)
    t.tr1.redirect(t.tr2.ll, t.tn1)
    proves_incomplete(t, t.tr2)


@cases("2.3.11", {"B": (PLAIN,), "C": (QUOTED,), "D": (OVERSIZED,)})
def target_incomplete_learnt(t: Tester, how: str) -> None:
    """INCOMPLETE: the address is recorded, what waits is sent, the entry is STALE (RFC 4861 8.3, appendix C)."""
    answer = begin(t)
    incomplete(t, t.tr2)
    t.tr1.redirect(t.tr2.ll, t.tn1, options=tlla(t.tr2.mac) + quote(answer, how))
    t.expect("echo_reply", to_mac=t.tr2.mac, dst=t.tr2.ll)
    proves_stale(t, t.tr2, t.tr2.mac)
    proves_first_hop(t, t.tr2.mac)


ROWS = {"A": (NONE, PLAIN), "B": (SAME, PLAIN), "C": (OTHER, PLAIN), "D": (OTHER, QUOTED), "E": (OTHER, OVERSIZED)}


def _known(t: Tester, state: str, lladdr: str, how: str) -> None:
    answer = begin(t)
    STATES[state](t, t.tr2)
    mac = t.tr2.other_mac if lladdr == OTHER else t.tr2.mac
    t.tr1.redirect(t.tr2.ll, t.tn1, options=(b"" if lladdr == NONE else tlla(mac)) + quote(answer, how))
    t.run(0.01)
    proves(t, "STALE" if lladdr == OTHER else state, t.tr2, mac)
    proves_first_hop(t, mac)


@cases("2.3.12", ROWS)
def target_reachable(t: Tester, lladdr: str, how: str) -> None:
    """REACHABLE: another link-layer address is taken and makes STALE, else nothing changes (RFC 4861 8.3)."""
    _known(t, "REACHABLE", lladdr, how)


@cases("2.3.13", ROWS)
def target_stale(t: Tester, lladdr: str, how: str) -> None:
    """STALE: another link-layer address is taken, the state stays (RFC 4861 8.3)."""
    _known(t, "STALE", lladdr, how)


@cases("2.3.14", ROWS)
def target_probe(t: Tester, lladdr: str, how: str) -> None:
    """PROBE: another link-layer address is taken and makes STALE, else probing goes on (RFC 4861 8.3)."""
    _known(t, "PROBE", lladdr, how)


@cases("2.3.15", INVALID)
def invalid_teaches_nothing(t: Tester, wrong: str, damage: dict[str, Any]) -> None:
    """The link-layer address in an invalid redirect is not taken (RFC 4861 8.1)."""
    begin(t)
    reachable(t, t.tr2)
    _send_invalid(t, t.tr2.ll, wrong, damage, tlla(t.tr2.other_mac))
    proves(t, "REACHABLE", t.tr2, t.tr2.mac)


# -- the router's side -----------------------------------------------------------------------------------------------


def _through(t: Tester, sender: Station, src: bytes, dst: bytes) -> bytes:
    """A packet that the NUT is to forward; as sent."""
    body = icmp.echo_body(7, 7, b"through the router")
    content = frames.packet(src, dst, icmp.ECHO_REQUEST, body, hlim=64)
    t.forget()
    sender.send_packet(content, t.mac)
    return content


def _expect_redirect(t: Tester, target: bytes, destination: bytes, lladdr: bytes, original: bytes) -> Seen:
    """The redirect to TN2 (RFC 4861 4.5, 8.2): the known link-layer address, and the packet as far as it fits."""
    seen = t.expect(
        "redirect",
        to_mac=t.tn2.mac,
        src=t.ll,
        dst=t.tn2.glob,
        target=target,
        destination=destination,
        tlla=lladdr,
    )
    quoted = seen.fields["redirected"]
    # The packet as it came or with its hop limit decremented.
    if quoted is None or quoted[:7] != original[:7] or quoted[8:40] != original[8:40]:
        raise t.failure("the redirected header option was to quote the packet")
    if len(seen.frame) > 14 + 1280:
        raise t.failure("a redirect must not exceed 1280 octets")
    return seen


def _known_neighbors(t: Tester) -> None:
    common(t)
    for station in (t.tn2, t.tn3, t.tr1):
        station.answers = True
        station.echo(station.glob, t.glob)
        station.echo()
    t.run(1)


@case("2.3.16", "A")
def sends_redirect(t: Tester) -> None:
    """A packet between neighbors is forwarded, and its sender told that the destination is one (RFC 4861 8.2)."""
    _known_neighbors(t)
    original = _through(t, t.tn2, t.tn2.glob, t.tn3.glob)
    t.expect("echo_request", to_mac=t.tn3.mac, dst=t.tn3.glob, src=t.tn2.glob, hlim=63)
    _expect_redirect(t, t.tn3.glob, t.tn3.glob, t.tn3.mac, original)


@case("2.3.16", "B")
def sends_redirect_to_router(t: Tester) -> None:
    """A packet that goes on through a router of the same link: its sender is told of that router (RFC 4861 8.2)."""
    _known_neighbors(t)
    original = _through(t, t.tn2, t.tn2.glob, t.tn1)
    t.expect("echo_request", to_mac=t.tr1.mac, dst=t.tn1, src=t.tn2.glob, hlim=63)
    _expect_redirect(t, t.tr1.ll, t.tn1, t.tr1.mac, original)


@case("2.3.16", "C")
def source_is_no_neighbor(t: Tester) -> None:
    """No redirect to a source that is no neighbor (RFC 4861 8.2)."""
    _known_neighbors(t)
    _through(t, t.tr1, t.tn1, t.tn3.glob)
    t.expect("echo_request", to_mac=t.tn3.mac, dst=t.tn3.glob, src=t.tn1, hlim=63)
    t.quiet("redirect", 5)


@case("2.3.16", "D")
def multicast_destination(t: Tester) -> None:
    """No redirect for a packet to a multicast destination (RFC 4861 8.2)."""
    _known_neighbors(t)
    _through(t, t.tn2, t.tn2.glob, in6.pton("ff1e::1:2"))
    t.quiet("redirect", 5)
    # To a unicast destination one is sent.
    original = _through(t, t.tn2, t.tn2.glob, t.tn3.glob)
    _expect_redirect(t, t.tn3.glob, t.tn3.glob, t.tn3.mac, original)


@case("2.3.17")
def router_follows_none(t: Tester) -> None:
    """A router's routes do not change when it receives a redirect (RFC 4861 8.2 last paragraph)."""
    common(t)
    proves_first_hop(t, t.tr1.mac, 1)
    t.tr1.redirect(t.tr2.ll, t.tn1, options=tlla(t.tr2.mac))
    t.run(0.01)
    proves_first_hop(t, t.tr1.mac, 2)
    t.tr1.redirect(t.tn1, t.tn1, options=tlla(ONLINK_MAC))
    t.run(0.01)
    proves_first_hop(t, t.tr1.mac, 3)
