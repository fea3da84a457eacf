"""Group 3.1 and case 3.2.1: duplicate address detection (RFC 4862 5.4), of link-local and of global addresses."""

from __future__ import annotations

from typing import Any

from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6
from kamelab.wire.ether import multicast_mac
from tests.conformance import frames
from tests.conformance.frames import ALLNODES, UNSPECIFIED, ZERO_OPTION, prefix_option, slla, tlla
from tests.conformance.moves import proves_no_entry
from tests.conformance.registry import case, cases
from tests.conformance.tester import RETRANS, SLACK, Tester


def expect_dad(t: Tester, addr: bytes, within: float) -> None:
    """The NUT's DAD solicitation: from :: to the solicited-node group, without options (RFC 4862 5.4.2, 4861 4.3)."""
    group = in6.solicited_node(addr)
    t.expect("ns", within, src=UNSPECIFIED, dst=group, to_mac=multicast_mac(group), target=addr, options=())


def solicited(t: Tester, addr: bytes) -> None:
    """TN2 asks for an address by multicast, from its link-local address."""
    t.forget()
    t.tn2.ns(addr, options=slla(t.tn2.mac))


def proves_assigned(t: Tester, addr: bytes) -> None:
    """The address is the NUT's: it answers for it."""
    solicited(t, addr)
    t.expect("na", to_mac=t.tn2.mac, dst=t.tn2.ll, src=addr, target=addr, S=1, O=1, R=int(t.is_router), tlla=t.mac)


def proves_not_assigned(t: Tester, addr: bytes) -> None:
    """Nobody answers for the address."""
    solicited(t, addr)
    t.quiet("na", 3, why=f"{in6.ntop(addr)} was not to be assigned")
    t.tn2.echo(dst=addr)
    t.quiet("echo_reply", 3, why=f"{in6.ntop(addr)} was not to be assigned")


def detecting(t: Tester) -> None:
    """The NUT comes up; it has joined its group and sent the one DAD solicitation of its link-local address."""
    t.up()
    group = in6.solicited_node(t.ll)
    t.expect("mld_report", 1.1, group=group, dst=group)
    expect_dad(t, t.ll, 1 + SLACK)


@case("3.1.1")
def link_local(t: Tester) -> None:
    """One DAD solicitation after a delay of at most 1 s, RetransTimer of silence, then the address is ours (5.4)."""
    detecting(t)
    t.quiet("ns", RETRANS - SLACK)
    solicited(t, t.ll)
    t.quiet("na", SLACK / 2, why="the address is tentative")
    t.run(SLACK)
    proves_assigned(t, t.ll)
    t.forget()
    t.quiet("ns", 4, src=UNSPECIFIED, why="DupAddrDetectTransmits is 1")


def _verdict(t: Tester, duplicate: bool) -> None:
    t.run(RETRANS + SLACK)
    if duplicate:
        proves_not_assigned(t, t.ll)
    else:
        proves_assigned(t, t.ll)


def dad_ns(t: Tester, target: bytes, *, dst: bytes | None = None, options: bytes = b"", **more: Any) -> None:
    """TN2 is detecting duplicates too."""
    t.tn2.ns(target, dst=dst, options=options, src=UNSPECIFIED, **more)


def dad_na(t: Tester, flags: str = "O", *, target: bytes | None = None, **more: Any) -> None:
    """TN2 owns an address, and tells all nodes."""
    t.tn2.na(flags, **{"target": target or t.ll, "dst": ALLNODES, "options": tlla(t.tn2.mac), **more})


@cases("3.1.2", {"A": (False,), "B": (True,)})
def receives_ns(t: Tester, mine: bool) -> None:
    """Another's DAD solicitation for our tentative address: a duplicate; for another address: nothing (5.4.3)."""
    detecting(t)
    # Another address of the same solicited-node group.
    dad_ns(t, t.ll if mine else t.ll[:12] + b"\xfd" + t.ll[13:], dst=in6.solicited_node(t.ll))
    _verdict(t, duplicate=mine)


@cases("3.1.2", {"C": (False,), "D": (True,)})
def receives_na(t: Tester, mine: bool) -> None:
    """An advertisement of our tentative address: a duplicate; of another address: nothing (RFC 4862 5.4.4)."""
    detecting(t)
    dad_na(t, target=t.ll if mine else t.tn2.ll)
    _verdict(t, duplicate=mine)


@cases(
    "3.1.3",
    {
        "A": ({"cut": 16},),
        "B": ({"hlim": 254},),
        "C": ({"dst": "own"},),
        "D": ({"dst": ALLNODES},),
        "E": ({"code": 1},),
        "F": ({"bad_checksum": True},),
        "G": ({"target": "group"},),
        "H": ({"options": "slla"},),
    },
)
def invalid_ns(t: Tester, wrong: dict[str, Any]) -> None:
    """An invalid DAD solicitation is discarded: the address is ours (RFC 4862 5.4.3, RFC 4861 7.1.1)."""
    how = dict(wrong)
    detecting(t)
    target = in6.solicited_node(t.ll) if how.pop("target", "") else t.ll
    if how.get("dst") == "own":
        how["dst"] = t.ll
    how.setdefault("dst", in6.solicited_node(t.ll))
    if "options" in how:
        how["options"] = slla(t.tn2.mac)
    dad_ns(t, target, **how)
    _verdict(t, duplicate=False)


@cases("3.1.3", {"I": (True,), "J": (False,)})
def valid_ns(t: Tester, reserved: bool) -> None:
    """The Reserved field and a target link-layer address are ignored: a duplicate (RFC 4861 7.1.1)."""
    detecting(t)
    body = frames.reserve(frames.ns(t.ll)) if reserved else frames.ns(t.ll, tlla(t.tn2.mac))
    t.tn2.send(icmp.NEIGHBOR_SOLICIT, body, src=UNSPECIFIED, dst=in6.solicited_node(t.ll))
    _verdict(t, duplicate=True)


@cases(
    "3.1.4",
    {
        "A": ("O", {"cut": 16}),
        "B": ("O", {"hlim": 254}),
        "C": ("O", {"code": 1}),
        "D": ("O", {"bad_checksum": True}),
        "E": ("SO", {}),
        "F": ("O", {"target": "group"}),
        "G": ("O", {"options": ZERO_OPTION}),
    },
)
def invalid_na(t: Tester, flags: str, wrong: dict[str, Any]) -> None:
    """An invalid advertisement of our tentative address is discarded: it is ours (RFC 4862 5.4.4, RFC 4861 7.1.2)."""
    how = dict(wrong)
    detecting(t)
    if "target" in how:
        how["target"] = in6.solicited_node(t.ll)
    dad_na(t, flags, **how)
    _verdict(t, duplicate=False)


@cases("3.1.4", {"H": (True,), "I": (False,)})
def valid_na(t: Tester, reserved: bool) -> None:
    """The Reserved field and a source link-layer address are ignored: a duplicate (RFC 4861 7.1.2)."""
    detecting(t)
    body = frames.na(t.ll, "O", tlla(t.tn2.mac) + (b"" if reserved else slla(t.tn2.mac)))
    if reserved:
        body = b"\x3f\xff\xff\xff" + body[4:]
    t.tn2.send(icmp.NEIGHBOR_ADVERT, body, dst=ALLNODES)
    _verdict(t, duplicate=True)


@cases("3.1.5", {"A": (False,), "B": (True,)})
def resolution_of_tentative(t: Tester, unicast: bool) -> None:
    """Who asks for a tentative address from an address is not answered, and is no sign of a duplicate (5.4.3)."""
    detecting(t)
    t.tn2.ns(t.ll, dst=t.ll if unicast else None, options=slla(t.tn2.mac))
    t.quiet("*", RETRANS / 2, why="the address is tentative")
    t.run(RETRANS)
    # Ignored means that nothing was learnt either.
    proves_no_entry(t, t.tn2)
    _verdict(t, duplicate=False)


@cases("3.2.1", {"A": ("2001:db8:0:b::",), "B": ("8000::",), "C": ("fec0:0:0:b::",)})
def global_address(t: Tester, prefix: str) -> None:
    """A global address: prefix and interface identifier, ours unless DAD finds a duplicate (RFC 4862 5.5.3, 5.4)."""
    for duplicate in (False, True):
        addr = in6.pton(prefix)[:8] + t.ll[8:]
        if duplicate:
            addr = addr[:7] + bytes((addr[7] + 1,)) + addr[8:]
        if not duplicate:
            t.up()
            t.run(3)
        t.forget()
        if t.is_router:
            t.start(f"ifconfig ne0 inet6 {in6.ntop(addr)} prefixlen 64 alias")
        else:
            t.tr1.ra(options=prefix_option(in6.mask(addr, 64), valid=7200, preferred=3600) + slla(t.tr1.mac))
        # A random delay of up to a second where the advertisement was multicast.
        expect_dad(t, addr, 1 + SLACK)
        if duplicate:
            dad_ns(t, addr)
            t.run(RETRANS + SLACK)
            proves_not_assigned(t, addr)
        else:
            t.quiet("ns", RETRANS - SLACK)
            t.run(2 * SLACK)
            proves_assigned(t, addr)
