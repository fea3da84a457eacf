"""Cases 2.2.1 to 2.2.3 and 2.2.11 to 2.2.19: router and prefix discovery, the host's side.

In KAME the kernel sends no router solicitations: rtsol(8) does, as a start-up file calls it.
"""

from __future__ import annotations

from typing import Any

from kamelab.wire.ether import multicast_mac
from tests.conformance.frames import ALLNODES, ALLROUTERS, UNSPECIFIED, ZERO_OPTION, Seen, prefix_option, slla, tlla
from tests.conformance.moves import (
    NONE,
    OTHER,
    SAME,
    STATES,
    b_prefix,
    boot,
    common,
    far,
    from_tn1,
    incomplete,
    proves,
    proves_first_hop,
    proves_no_entry,
    proves_probing,
    proves_stale,
    reachable,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import DELAY, ELSEWHERE, RETRANS, SLACK, OneOf, Tester

RTR_INTERVAL = 4
"""RTR_SOLICITATION_INTERVAL, seconds (RFC 4861 10)."""


def expect_rs(t: Tester, within: float, after: float = 0.0) -> Seen:
    """A router solicitation (RFC 4861 4.1): from the unspecified address without, from another with our address."""
    seen = t.expect(
        "rs", within, after=after, dst=ALLROUTERS, to_mac=multicast_mac(ALLROUTERS), src=OneOf(t.ll, UNSPECIFIED)
    )
    if seen.fields["slla"] != (None if seen.fields["src"] == UNSPECIFIED else t.mac):
        raise t.failure("a solicitation carries our link-layer address when and only when it has a source address")
    return seen


@case("2.2.1")
def solicits(t: Tester) -> None:
    """Up to MAX_RTR_SOLICITATIONS solicitations, RTR_SOLICITATION_INTERVAL apart, then silence (RFC 4861 6.3.7)."""
    t.start("rtsol ne0")
    # DAD of the link-local address, then a delay of at most MAX_RTR_SOLICITATION_DELAY.
    expect_rs(t, 5)
    for _ in range(2):
        expect_rs(t, RTR_INTERVAL + SLACK, RTR_INTERVAL - SLACK)
    t.quiet("rs", 60)


@cases("2.2.2", {"A": (False,), "B": (True,)})
def answered(t: Tester, lladdr: bool) -> None:
    """A valid advertisement with a lifetime ends soliciting, with or without link-layer address (RFC 4861 6.3.7)."""
    t.start("rtsol ne0")
    expect_rs(t, 5)
    t.run(1)
    t.tr1.ra(options=b_prefix() + (slla(t.tr1.mac) if lladdr else b""))
    t.quiet("rs", 60)


@cases(
    "2.2.2",
    {
        "C": ({"src": "glob"},),
        "D": ({"hlim": 254},),
        "E": ({"bad_checksum": True},),
        "F": ({"code": 1},),
    },
)
def answered_invalidly(t: Tester, wrong: dict[str, Any]) -> None:
    """An invalid advertisement does not end soliciting (RFC 4861 6.1.2, 6.3.7)."""
    t.start("rtsol ne0")
    expect_rs(t, 5)
    _invalid_ra(t, wrong)
    for _ in range(2):
        expect_rs(t, RTR_INTERVAL + SLACK, RTR_INTERVAL - SLACK)


def _invalid_ra(t: Tester, wrong: dict[str, Any]) -> None:
    how = dict(wrong)
    options = how.pop("options", slla(t.tr1.mac))
    if how.get("src") == "glob":
        how["src"] = t.tr1.glob
    t.tr1.ra(options=options, damage=how)


@cases("2.2.3", {"A": (ALLROUTERS,), "B": (ALLNODES,), "C": (None,)})
def ignores_solicitations(t: Tester, dst: bytes | None) -> None:
    """A host discards router solicitations in silence: no answer, nothing learnt (RFC 4861 6.2.6 last paragraph)."""
    common(t)
    t.tn2.rs(dst=dst or t.ll, options=slla(t.tn2.mac))
    t.quiet("*", 5)
    proves_no_entry(t, t.tn2)


@case("2.2.11")
def default_router_switch(t: Tester) -> None:
    """A default router that does not answer any more is left for another (RFC 4861 6.3.6, 7.3.3)."""
    common(t)
    t.tr2.ra(options=b_prefix() + slla(t.tr2.mac))
    t.run(0.1)
    t.tr2.answers = True
    proves_first_hop(t, t.tr1.mac, 1)
    # Confirmed, then silent for longer than the reachable time.
    t.run(60)
    t.tr1.answers = False
    proves_first_hop(t, t.tr1.mac, 2)
    proves_probing(t, t.tr1.mac, t.tr1.ll, within=DELAY + SLACK, after=DELAY - 5 * SLACK)
    for _ in range(2):
        proves_probing(t, t.tr1.mac, t.tr1.ll, within=RETRANS + SLACK)
    t.run(RETRANS + SLACK)
    proves_first_hop(t, t.tr2.mac, 3)


@cases(
    "2.2.12",
    {
        "A": ({"src": "glob"},),
        "B": ({"hlim": 254},),
        "C": ({"bad_checksum": True},),
        "D": ({"code": 1},),
        "E": ({"cut": 12},),
        "F": ({"options": ZERO_OPTION},),
    },
)
def invalid_advertisement(t: Tester, wrong: dict[str, Any]) -> None:
    """An invalid advertisement makes no default router and no neighbor cache entry (RFC 4861 6.1.2)."""
    boot(t)
    # An address, but no default router.
    t.tr2.ra(lifetime=0, options=b_prefix())
    t.run(3)
    _invalid_ra(t, wrong)
    t.run(0.1)
    t.forget()
    from_tn1(t)
    t.quiet("*", 4, why="there is no default router")
    proves_no_entry(t, t.tr1)
    t.run(4)
    # With the prefix: that of a router which is not reachable would be detached by one that is (KAME).
    t.tr1.ra(options=b_prefix() + slla(t.tr1.mac))
    t.run(0.1)
    proves_first_hop(t, t.tr1.mac)


def _hop_limit(t: Tester, hlim: int) -> None:
    t.tn2.echo()
    t.expect("echo_reply", to_mac=t.tn2.mac, hlim=hlim)


@cases("2.2.14", {"A": ("same",), "B": ("zero",), "C": ("expires",)})
def router_lifetime(t: Tester, how: str) -> None:
    """A router is default router for its lifetime, which every advertisement sets anew, 0 too (RFC 4861 6.3.4)."""
    boot(t)
    t.tr1.answers = True
    lifetime = 5 if how == "expires" else 10
    t.tr1.ra(lifetime=lifetime, options=b_prefix() + slla(t.tr1.mac))
    t.run(4)
    proves_first_hop(t, t.tr1.mac, 1)
    if how == "same":
        t.run(4)
        t.tr1.ra(lifetime=lifetime, options=slla(t.tr1.mac))
        t.run(8)
        proves_first_hop(t, t.tr1.mac, 2)
        t.run(3)
    elif how == "zero":
        t.tr1.ra(lifetime=0, options=slla(t.tr1.mac))
        t.run(0.1)
    else:
        t.run(2)
    t.forget()
    from_tn1(t, 3)
    t.quiet("*", 4, why="no default router is left")


@cases("2.2.15", {"A1": (10_000, 0), "A2": (60_000, 10_000)})
def reachable_time(t: Tester, first: int, second: int) -> None:
    """Reachable Time of an advertisement is the base of how long confirmations hold, 0 keeps it (RFC 4861 6.3.4)."""
    common(t)
    t.tr1.ra(reachable=first, options=slla(t.tr1.mac))
    t.tr1.ra(reachable=second, options=slla(t.tr1.mac))
    t.run(0.1)
    # 10 s x 0.5 to 1.5 in both.
    reachable(t, t.tn2)
    t.run(4)
    t.tn2.echo(seq=2)
    t.expect("echo_reply", to_mac=t.tn2.mac, seq=2)
    t.run(11.5)
    t.forget()
    proves_stale(t, t.tn2, t.tn2.mac)


@case("2.2.16", "A")
def ra_no_entry(t: Tester) -> None:
    """An advertisement with link-layer address makes a STALE entry (RFC 4861 6.3.4)."""
    boot(t)
    t.tr1.ra(options=slla(t.tr1.mac))
    t.run(0.1)
    proves_stale(t, t.tr1, t.tr1.mac)


@case("2.2.16", "B")
def ra_incomplete(t: Tester) -> None:
    """INCOMPLETE: the address is recorded, what waits is sent, the entry is STALE (RFC 4861 6.3.4, appendix C)."""
    boot(t)
    incomplete(t, t.tr1)
    t.tr1.ra(options=slla(t.tr1.mac))
    t.expect("echo_reply", to_mac=t.tr1.mac, dst=t.tr1.ll)
    proves_stale(t, t.tr1, t.tr1.mac)


@cases(
    "2.2.16",
    {
        "C": ("REACHABLE", OTHER),
        "D": ("REACHABLE", SAME),
        "E": ("REACHABLE", NONE),
        "F": ("PROBE", OTHER),
        "G": ("PROBE", SAME),
        "H": ("PROBE", NONE),
        "I": ("STALE", OTHER),
        "J": ("STALE", SAME),
        "K": ("STALE", NONE),
    },
)
def ra_known(t: Tester, state: str, lladdr: str) -> None:
    """Another link-layer address is taken and makes STALE, the same or none changes nothing (RFC 4861 6.3.4)."""
    boot(t)
    STATES[state](t, t.tr1)
    mac = t.tr1.other_mac if lladdr == OTHER else t.tr1.mac
    t.tr1.ra(options=b"" if lladdr == NONE else slla(mac))
    t.run(0.01)
    proves(t, "STALE" if lladdr == OTHER else state, t.tr1, mac)


@cases("2.2.17", {"A": (NONE,), "B": (SAME,), "C": (OTHER,)})
def ra_isrouter(t: Tester, lladdr: str) -> None:
    """An advertisement sets IsRouter, even of an entry that was a host's (RFC 4861 6.3.4, 7.3.3).

    The flag shows when it falls again: the router is off the default router list then (7.2.5).
    """
    boot(t)
    incomplete(t, t.tr1)
    t.tr1.na("SO", options=tlla(t.tr1.mac))
    t.expect("echo_reply", to_mac=t.tr1.mac)
    mac = t.tr1.other_mac if lladdr == OTHER else t.tr1.mac
    t.tr1.ra(options=b_prefix() + (b"" if lladdr == NONE else slla(mac)))
    t.run(3)
    proves_first_hop(t, mac, 2)
    t.tr1.na("SO", options=tlla(mac))
    from_tn1(t, 3)
    t.quiet("*", 4, why="TR1 ceased to be a router")


@case("2.2.18")
def next_hop(t: Tester) -> None:
    """Next hop: on-link destinations themselves, link-local ones always, all others the default router (5.2)."""
    common(t)
    incomplete(t, t.tn2, t.tn2.glob, t.glob)
    incomplete(t, t.tn3)
    t.run(4)
    t.forget()
    for number in (1, 2):
        t.tr1.echo(far(number), t.glob, seq=number)
        t.expect("echo_reply", to_mac=t.tr1.mac, dst=far(number), seq=number)
    t.quiet("ns", 3)


@case("2.2.19")
def onlink_determination(t: Tester) -> None:
    """A prefix option without L cancels no earlier indication; L with lifetime 0 does (RFC 4861 6.3.4, RFC 5942 4)."""
    common(t)

    def announce(valid: int, onlink: bool) -> None:
        option = prefix_option(ELSEWHERE, valid=valid, preferred=valid, onlink=onlink, autonomous=False)
        t.tr1.ra(options=option + slla(t.tr1.mac))
        t.run(1)
        t.forget()

    # No indication: not on-link.
    t.tn2.echo(far(1), t.glob)
    t.expect("echo_reply", to_mac=t.tr1.mac, dst=far(1))
    announce(1000, onlink=True)
    incomplete(t, t.tn2, far(2), t.glob)
    t.run(4)
    announce(0, onlink=False)
    incomplete(t, t.tn2, far(3), t.glob)
    t.run(4)
    announce(0, onlink=True)
    t.tn2.echo(far(4), t.glob)
    t.expect("echo_reply", to_mac=t.tr1.mac, dst=far(4))


@cases("2.2.13", {"A": (0,), "B": (15,)})
def cur_hop_limit(t: Tester, hlim: int) -> None:
    """Cur Hop Limit 0 leaves a host's hop limit as it is, another value becomes it (RFC 4861 6.3.4).

    A router announces the value that it is configured with, and takes none from others (RFC 4861 6.2.1, 6.2.7).
    """
    common(t)
    if not t.is_router:
        reachable(t, t.tn2)
        for first in (64, 20):
            _hop_limit(t, first)
            t.tr1.ra(hlim=hlim, options=slla(t.tr1.mac))
            t.run(0.1)
            _hop_limit(t, hlim or first)
            t.tr1.ra(hlim=20, options=slla(t.tr1.mac))
            t.run(0.1)
        return
    t.system.files["/etc/rtadvd.conf"] = f"ne0:chlim#{hlim}:"
    t.start("rtadvd ne0")
    t.expect("ra", within=16 + SLACK, curhlim=hlim)
    reachable(t, t.tn2)
    t.tr1.ra(hlim=15, options=slla(t.tr1.mac))
    t.run(0.1)
    _hop_limit(t, 64)
