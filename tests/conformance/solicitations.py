"""Cases 2.1.7 to 2.1.14: neighbor solicitations as they come in."""

from __future__ import annotations

from typing import Any

from kamelab.wire import in6
from tests.conformance.frames import ALLNODES, UNSPECIFIED, ZERO_OPTION, slla, tlla
from tests.conformance.moves import (
    NONE,
    OTHER,
    SAME,
    STATES,
    common,
    from_tn1,
    incomplete,
    proves,
    proves_first_hop,
    proves_incomplete,
    proves_no_entry,
    proves_stale,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import LINK_B, RETRANS, OneOf, Station, Tester


def expect_na(t: Tester, st: Station, *, multicast: bool, mac: bytes | None = None) -> None:
    """The answer to a solicitation from the station's link-local address (RFC 4861 7.2.4).

    To a multicast solicitation the target link-layer address must be there and Override set; to a unicast one it may
    be left out, and Override is then clear.
    """
    seen = t.expect(
        "na",
        to_mac=mac or st.mac,
        src=t.ll,
        dst=st.ll,
        target=t.ll,
        S=1,
        R=int(t.is_router),
        tlla=t.mac if multicast else OneOf(None, t.mac),
        slla=None,
    )
    if seen.fields["O"] != int(seen.fields["tlla"] is not None):
        raise t.failure("the Override flag must be set with, and clear without the link-layer address")


def solicit(t: Tester, st: Station, *, multicast: bool, lladdr: str) -> bytes:
    """The station solicits the NUT's link-local address; the link-layer address that it is to be known by after."""
    mac = st.other_mac if lladdr == OTHER else st.mac
    st.ns(t.ll, dst=None if multicast else t.ll, options=b"" if lladdr == NONE else slla(mac))
    return mac


INVALID: dict[str, tuple[dict[str, Any]]] = {
    "A": ({"target": "multicast"},),
    "B": ({"src": UNSPECIFIED, "dst": ALLNODES},),
    "C": ({"src": UNSPECIFIED, "lladdr": True},),
    "D": ({"hlim": 254},),
    "E": ({"bad_checksum": True},),
    "F": ({"code": 1},),
    "G": ({"cut": 16},),
    "H": ({"options": ZERO_OPTION},),
}


@cases("2.1.7", INVALID)
def invalid_solicitation(t: Tester, wrong: dict[str, Any]) -> None:
    """An invalid solicitation is dropped in silence, and nothing is learnt from it (RFC 4861 7.1.1)."""
    common(t)
    how = dict(wrong)
    target = in6.solicited_node(t.ll) if how.pop("target", "") else t.ll
    lladdr = how.pop("lladdr", False) or "src" not in how
    options = how.pop("options", slla(t.tn2.mac) if lladdr else b"")
    t.tn2.ns(target, dst=how.pop("dst", in6.solicited_node(t.ll)), options=options, **how)
    t.quiet("*", 3)
    proves_no_entry(t, t.tn2)


@cases("2.1.8", {"A": (False,), "B": (True,)})
def no_entry(t: Tester, multicast: bool) -> None:
    """A solicitation with a link-layer address makes a STALE entry and is answered (RFC 4861 7.2.3, 7.2.4)."""
    common(t)
    solicit(t, t.tn2, multicast=multicast, lladdr=SAME)
    expect_na(t, t.tn2, multicast=multicast)
    proves_stale(t, t.tn2, t.tn2.mac)


@case("2.1.8", "C")
def no_entry_no_address(t: Tester) -> None:
    """Without link-layer address the asker must be resolved before it can be answered (RFC 4861 7.2.3, 7.2.4)."""
    common(t)
    solicit(t, t.tn2, multicast=False, lladdr=NONE)
    t.expect("ns", target=t.tn2.ll, dst=in6.solicited_node(t.tn2.ll), slla=t.mac)
    t.quiet("na", RETRANS / 2)
    t.tn2.na("SO", options=tlla(t.tn2.mac))
    expect_na(t, t.tn2, multicast=False)


@cases("2.1.9", {"A": (False,), "B": (True,)})
def incomplete_learns(t: Tester, multicast: bool) -> None:
    """INCOMPLETE: the address is recorded, what waits is sent, the entry is STALE (RFC 4861 7.2.3, appendix C)."""
    common(t)
    incomplete(t, t.tn2)
    solicit(t, t.tn2, multicast=multicast, lladdr=SAME)
    t.expect("echo_reply", to_mac=t.tn2.mac, dst=t.tn2.ll)
    expect_na(t, t.tn2, multicast=multicast)
    proves_stale(t, t.tn2, t.tn2.mac)


@case("2.1.9", "C")
def incomplete_learns_nothing(t: Tester) -> None:
    """INCOMPLETE, no link-layer address: resolution goes on, the answer waits for its end (RFC 4861 7.2.3, 7.2.2)."""
    common(t)
    incomplete(t, t.tn2)
    solicit(t, t.tn2, multicast=False, lladdr=NONE)
    proves_incomplete(t, t.tn2)
    t.quiet("na", 0.1)
    t.tn2.na("SO", options=tlla(t.tn2.mac))
    expect_na(t, t.tn2, multicast=False)


ROWS = {"A": (False, SAME), "B": (False, OTHER), "C": (True, SAME), "D": (True, OTHER)}


def _known(t: Tester, state: str, multicast: bool, lladdr: str) -> None:
    common(t)
    STATES[state](t, t.tn2)
    mac = solicit(t, t.tn2, multicast=multicast, lladdr=lladdr)
    expect_na(t, t.tn2, multicast=multicast, mac=mac)
    proves(t, "STALE" if lladdr == OTHER else state, t.tn2, mac)


@cases("2.1.10", ROWS)
def known_reachable(t: Tester, multicast: bool, lladdr: str) -> None:
    """REACHABLE: the same address changes nothing, another is taken and makes STALE (RFC 4861 7.2.3)."""
    _known(t, "REACHABLE", multicast, lladdr)


@cases("2.1.11", ROWS)
def known_stale(t: Tester, multicast: bool, lladdr: str) -> None:
    """STALE: it stays, with the new address where there is one (RFC 4861 7.2.3)."""
    _known(t, "STALE", multicast, lladdr)


@cases("2.1.12", ROWS)
def known_probe(t: Tester, multicast: bool, lladdr: str) -> None:
    """PROBE: the same address lets it go on, another is taken and makes STALE (RFC 4861 7.2.3)."""
    _known(t, "PROBE", multicast, lladdr)


@cases("2.1.13", {"A": (False, NONE), "B": (False, SAME), "C": (True, OTHER)})
def isrouter_is_kept(t: Tester, multicast: bool, lladdr: str) -> None:
    """A solicitation never changes an entry's IsRouter flag: the router stays the default router (RFC 4861 7.2.3)."""
    common(t)
    proves_first_hop(t, t.tr1.mac, 1)
    mac = solicit(t, t.tr1, multicast=multicast, lladdr=lladdr)
    expect_na(t, t.tr1, multicast=multicast, mac=mac)
    proves_first_hop(t, mac, 2)
    # The flag shows when it falls: only an entry that was a router's can cease to be one (7.2.5).
    t.tr1.na("SO", options=tlla(mac))
    from_tn1(t, 3)
    t.quiet("*", 3, why="TR1 ceased to be a router")


@case("2.1.14")
def anycast(t: Tester) -> None:
    """A solicitation for an anycast address is answered with the Override flag clear (RFC 4861 7.2.4, 7.2.7)."""
    common(t)
    # KAME configures the subnet-router anycast address by hand (KAME IMPLEMENTATION 1.15.2 (2001)).
    t.shell(f"ifconfig ne0 inet6 {in6.ntop(LINK_B)} prefixlen 64 anycast alias")
    t.forget()
    t.tn2.ns(LINK_B, options=slla(t.tn2.mac))
    # Delayed by at most MAX_ANYCAST_DELAY_TIME.
    t.expect(
        "na",
        within=1.1,
        to_mac=t.tn2.mac,
        src=OneOf(t.ll, t.glob),
        dst=t.tn2.ll,
        target=LINK_B,
        S=1,
        R=1,
        O=0,
        tlla=t.mac,
    )
