"""Cases 2.1.15 to 2.1.21: neighbor advertisements as they come in."""

from __future__ import annotations

from typing import Any

from tests.conformance.frames import ALLNODES, ZERO_OPTION, slla, tlla
from tests.conformance.moves import (
    NONE,
    OTHER,
    SAME,
    STATES,
    b_prefix,
    common,
    incomplete,
    proves,
    proves_first_hop,
    proves_incomplete,
    proves_no_entry,
)
from tests.conformance.registry import case, cases
from tests.conformance.tester import Tester

INVALID: dict[str, tuple[dict[str, Any]]] = {
    "A": ({"dst": ALLNODES},),
    "B": ({"hlim": 254},),
    "C": ({"bad_checksum": True},),
    "D": ({"code": 1},),
    "E": ({"cut": 16},),
    "F": ({"target": ALLNODES},),
    "G": ({"options": ZERO_OPTION},),
}


@cases("2.1.15", INVALID)
def invalid_advertisement(t: Tester, wrong: dict[str, Any]) -> None:
    """An invalid advertisement is dropped in silence: resolution goes on (RFC 4861 7.1.2)."""
    common(t)
    incomplete(t, t.tn2)
    t.tn2.na("SO", **{"options": tlla(t.tn2.mac), **wrong})
    proves_incomplete(t, t.tn2)
    t.tn2.na("SO", options=tlla(t.tn2.mac))
    t.expect("echo_reply", to_mac=t.tn2.mac)


@cases(
    "2.1.16",
    {
        "A": ("", SAME),
        "B": ("O", SAME),
        "C": ("S", SAME),
        "D": ("SO", SAME),
        "E": ("", NONE),
        "F": ("O", NONE),
        "G": ("S", NONE),
        "H": ("SO", NONE),
    },
)
def no_entry(t: Tester, flags: str, lladdr: str) -> None:
    """An advertisement never makes an entry (RFC 4861 7.2.5)."""
    common(t)
    t.tn2.na(flags, options=b"" if lladdr == NONE else tlla(t.tn2.mac))
    t.quiet("*", 1)
    proves_no_entry(t, t.tn2)


@cases("2.1.17", {"A": ("SO", "REACHABLE"), "B": ("S", "REACHABLE"), "C": ("O", "STALE"), "D": ("", "STALE")})
def incomplete_ends(t: Tester, flags: str, state: str) -> None:
    """INCOMPLETE: the address is recorded and what waits is sent; Solicited makes REACHABLE, else STALE (7.2.5)."""
    common(t)
    incomplete(t, t.tn2)
    t.tn2.na(flags, options=tlla(t.tn2.mac))
    t.expect("echo_reply", to_mac=t.tn2.mac, dst=t.tn2.ll)
    proves(t, state, t.tn2, t.tn2.mac)


@case("2.1.17", "E")
def incomplete_no_address(t: Tester) -> None:
    """INCOMPLETE, no target link-layer address option: dropped in silence (RFC 4861 7.2.5)."""
    common(t)
    incomplete(t, t.tn2)
    t.tn2.na("SO")
    proves_incomplete(t, t.tn2)


# Part: flags, link-layer address option, multicast destination.
ROWS: dict[str, tuple[str, str, bool]] = {
    **{
        part: (flags, lladdr, False)
        for parts, lladdr in (("ABCD", NONE), ("EFGH", SAME), ("IJKL", OTHER))
        for part, flags in zip(parts, ("", "O", "S", "SO"), strict=True)
    },
    **{
        part: (flags, lladdr, True)
        for parts, lladdr in (("MN", SAME), ("OP", OTHER), ("QR", NONE))
        for part, flags in zip(parts, ("", "O"), strict=True)
    },
}


def after(state: str, flags: str, lladdr: str) -> tuple[str, bool]:
    """RFC 4861 7.2.5 and appendix C: the state after an advertisement, and whether its link-layer address is taken."""
    if lladdr == OTHER and "O" not in flags:
        return ("STALE" if state == "REACHABLE" else state), False
    if "S" in flags:
        return "REACHABLE", lladdr == OTHER
    if lladdr == OTHER:
        return "STALE", True
    return state, False


def _known(t: Tester, state: str, flags: str, lladdr: str, multicast: bool) -> None:
    common(t)
    STATES[state](t, t.tn2)
    options = {NONE: b"", SAME: tlla(t.tn2.mac), OTHER: tlla(t.tn2.other_mac)}[lladdr]
    t.tn2.na(flags, dst=ALLNODES if multicast else t.ll, options=options)
    t.run(0.01)
    state, taken = after(state, flags, lladdr)
    proves(t, state, t.tn2, t.tn2.other_mac if taken else t.tn2.mac)


@cases("2.1.18", ROWS)
def known_reachable(t: Tester, flags: str, lladdr: str, multicast: bool) -> None:
    """REACHABLE: the table of RFC 4861 7.2.5 by S, O and link-layer address."""
    _known(t, "REACHABLE", flags, lladdr, multicast)


@cases("2.1.19", ROWS)
def known_stale(t: Tester, flags: str, lladdr: str, multicast: bool) -> None:
    """STALE: the table of RFC 4861 7.2.5 by S, O and link-layer address."""
    _known(t, "STALE", flags, lladdr, multicast)


@cases("2.1.20", ROWS)
def known_probe(t: Tester, flags: str, lladdr: str, multicast: bool) -> None:
    """PROBE: the table of RFC 4861 7.2.5 by S, O and link-layer address."""
    _known(t, "PROBE", flags, lladdr, multicast)


@cases(
    "2.1.21",
    {
        "A": ("SO", NONE),
        "B": ("", NONE),
        "C": ("O", NONE),
        "D": ("S", NONE),
        "E": ("SO", SAME),
        "F": ("", SAME),
        "G": ("O", SAME),
        "H": ("S", SAME),
    },
)
def router_no_more(t: Tester, flags: str, lladdr: str) -> None:
    """R goes from 1 to 0: off the default router list, and no destination uses it any more (RFC 4861 7.2.5, 7.3.3)."""
    common(t)
    t.tr2.answers = True
    proves_first_hop(t, t.tr1.mac, 1)
    t.tr2.ra(options=b_prefix() + slla(t.tr2.mac))
    proves_first_hop(t, t.tr1.mac, 2)
    t.tr1.na(flags, options=tlla(t.tr1.mac) if lladdr == SAME else b"")
    proves_first_hop(t, t.tr2.mac, 3)
