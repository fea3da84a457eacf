"""Cases 2.1.1 to 2.1.6: on-link determination, the wait queue, solicitations of resolution and of reachability."""

from __future__ import annotations

from kamelab.wire import in6
from kamelab.wire.ether import multicast_mac
from tests.conformance.frames import prefix_option, slla, tlla
from tests.conformance.moves import (
    b_prefix,
    boot,
    common,
    far,
    incomplete,
    proves_no_entry,
    proves_stale,
    stale,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import ELSEWHERE, RETRANS, SLACK, OneOf, Tester


@case("2.1.1", "A")
def link_local_is_onlink(t: Tester) -> None:
    """A link-local destination is a neighbor: it is resolved, never sent to a router (RFC 4861 2.1 on-link, 5.2)."""
    common(t)
    incomplete(t, t.tn2)
    t.quiet("echo_reply", 0.5)


@case("2.1.1", "B")
def prefix_covers(t: Tester) -> None:
    """A destination that an on-link prefix covers is resolved (RFC 4861 5.2)."""
    common(t)
    incomplete(t, t.tn2, t.tn2.glob, t.glob)
    t.quiet("echo_reply", 0.5)


@case("2.1.1", "C")
def prefix_does_not_cover(t: Tester) -> None:
    """A destination that no on-link prefix covers is reached through the default router (RFC 4861 5.2)."""
    common(t)
    t.tn2.echo(far(), t.glob)
    t.expect("echo_reply", to_mac=t.tr1.mac, dst=far(), src=t.glob)
    t.quiet("ns", 3, target=far())


@case("2.1.2", "A")
def newest_waits(t: Tester) -> None:
    """While an address is resolved at least one packet waits, the newest where there is no room (RFC 4861 7.2.2)."""
    common(t)
    incomplete(t, t.tn2)
    t.tn2.echo(seq=2)
    t.tn2.echo(seq=3)
    t.quiet("echo_reply", RETRANS / 2)
    t.tn2.na("SO", options=tlla(t.tn2.mac))
    # KAME holds one packet (nd6_maxqueuelen 1).
    t.expect("echo_reply", to_mac=t.tn2.mac, seq=3)
    t.quiet("echo_reply", 3)


@case("2.1.2", "B")
def queues_are_apart(t: Tester) -> None:
    """Every neighbor under resolution has a queue of its own (RFC 4861 7.2.2)."""
    common(t)
    for station in (t.tn2, t.tn3):
        incomplete(t, station)
        station.echo(seq=2)
        station.echo(seq=3)
    for station in (t.tn2, t.tn3):
        t.quiet("echo_reply", 0.1)
        station.na("SO", options=tlla(station.mac))
        t.expect("echo_reply", to_mac=station.mac, dst=station.ll, seq=3)
    t.quiet("echo_reply", 3)


@case("2.1.3")
def onlink_flag(t: Tester) -> None:
    """Without the on-link flag a prefix says nothing of what is on-link (RFC 4861 6.3.4, 4.6.2)."""
    boot(t)
    t.tr1.answers = True
    t.tr1.ra(options=b_prefix(onlink=False) + slla(t.tr1.mac))
    t.run(3)
    t.forget()
    t.tn2.echo(t.tn2.glob, t.glob)
    t.expect("echo_reply", to_mac=t.tr1.mac, dst=t.tn2.glob)
    t.quiet("ns", 3, target=t.tn2.glob)
    t.tr1.ra(options=b_prefix() + slla(t.tr1.mac))
    incomplete(t, t.tn2, t.tn2.glob, t.glob)


def _second_prefix(t: Tester, valid: int) -> None:
    """TR1 announces another prefix as on-link only, so that its end takes no address away."""
    option = prefix_option(ELSEWHERE, valid=valid, preferred=valid, autonomous=False)
    t.tr1.ra(options=b_prefix() + option + slla(t.tr1.mac))
    t.run(0.1)


def _onlink(t: Tester, number: int) -> None:
    incomplete(t, t.tn2, far(number), t.glob)
    t.run(4)
    t.forget()


def _offlink(t: Tester, number: int) -> None:
    t.forget()
    t.tn2.echo(far(number), t.glob)
    t.expect("echo_reply", to_mac=t.tr1.mac, dst=far(number))


@case("2.1.4", "A")
def prefix_lives(t: Tester) -> None:
    """A prefix is on-link until its valid lifetime is over (RFC 4861 6.3.5)."""
    common(t)
    _second_prefix(t, 20)
    t.run(8)
    _onlink(t, 1)
    t.run(10)
    _offlink(t, 2)


@case("2.1.4", "B")
def prefix_is_updated(t: Tester) -> None:
    """A further advertisement sets the lifetime anew, and 0 ends it at once (RFC 4861 6.3.4)."""
    common(t)
    _second_prefix(t, 10)
    t.run(8)
    _second_prefix(t, 20)
    t.run(8)
    _onlink(t, 1)
    t.run(10)
    _offlink(t, 2)
    _second_prefix(t, 1000)
    _onlink(t, 3)
    _second_prefix(t, 0)
    t.run(1)
    _offlink(t, 4)


def _resolution(t: Tester, target: bytes, own: bytes) -> None:
    common(t)
    group = in6.solicited_node(target)
    t.tn2.echo(target, own)
    t.expect("ns", src=own, dst=group, to_mac=multicast_mac(group), target=target, slla=t.mac, tlla=None)
    for _ in range(2):
        t.expect("ns", after=RETRANS - SLACK, within=RETRANS + SLACK, src=own, dst=group, target=target, slla=t.mac)
    t.quiet("*", 10, why="after MAX_MULTICAST_SOLICIT solicitations resolution has failed")


@case("2.1.5", "A")
def resolves_linklocal(t: Tester) -> None:
    """Resolution: three solicitations RETRANS_TIMER apart, to the solicited-node group, with our address (7.2.2)."""
    _resolution(t, t.tn2.ll, t.ll)


@case("2.1.5", "B")
def resolves_global(t: Tester) -> None:
    """The same for a global target, from the source of the packet that waits (RFC 4861 7.2.2)."""
    _resolution(t, t.tn2.glob, t.glob)


@cases("2.1.6", {"A": ("ll", "ll"), "B": ("glob", "glob"), "C": ("ll", "glob"), "D": ("glob", "ll")})
def confirms_reachability(t: Tester, theirs: str, ours: str) -> None:
    """NUD: DELAY_FIRST_PROBE_TIME after use of a STALE entry, unicast solicitations, three, then it goes (7.3.3)."""
    common(t)
    addr, own = getattr(t.tn2, theirs), getattr(t, ours)
    stale(t, t.tn2, addr, own)
    proves_stale(t, t.tn2, t.tn2.mac, addr, own)
    for _ in range(2):
        t.expect(
            "ns",
            after=RETRANS - SLACK,
            within=RETRANS + SLACK,
            src=OneOf(t.ll, t.glob),
            dst=addr,
            to_mac=t.tn2.mac,
            target=addr,
        )
    t.quiet("ns", 3, why="MAX_UNICAST_SOLICIT solicitations were sent")
    proves_no_entry(t, t.tn2, addr, own)
