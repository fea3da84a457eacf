"""Solicitations and advertisements as they come in: validation, what is learned and answered (RFC 4861 7.1, 7.2)."""

from __future__ import annotations

import pytest
from wires import (
    ALLNODES,
    FORWARDING,
    OTHER_MAC,
    ROUTER,
    STRANGER,
    STRANGER_MAC,
    A,
    Wires,
    dad_ns,
    icmp6,
    na,
    neighbor,
    ns,
    prefix,
    ra,
    row,
    rs,
)

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nd_options

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
SHORT_MAC = bytes(14)
"""A link-layer address of two option units, 14 octets: no Ethernet address."""


def advertised(wires: Wires, node: Node) -> list[tuple[str, str, str, bool]]:
    """(destination, target, flags, with our MAC) of what was advertised since 3 s."""
    out = []
    for one in wires.sent(node, icmp.NEIGHBOR_ADVERT, 3):
        bits = one.message[4]
        flags = "".join(letter for letter, bit in (("R", 0x80), ("S", 0x40), ("O", 0x20)) if bits & bit)
        out.append((one.dst, one.message[8:24].hex(), flags, len(one.message) == 32))
    return out


BAD_NS = {
    "hop limit": (ns(OWN, hlim=254), "NS_HLIM", "icmp6.badns"),
    "DAD not to a solicited-node group": (
        ns(OWN, src=bytes(16), dst=ALLNODES, lladdr=None), "NS_DAD_DST", "icmp6.badns",
    ),
    "DAD to our unicast address": (ns(OWN, src=bytes(16), dst=OWN, lladdr=None), "NS_DAD_DST", "icmp6.badns"),
    "source is no neighbour": (ns(GLOBAL, src=A("2001:db8:77::1")), "NS_NOT_NEIGHBOR", "icmp6.badns"),
    "multicast target": (ns(A("ff02::1"), dst=ALLNODES), "NS_TARGET_MULTICAST", "icmp6.badns"),
    "DAD with a source address option": (ns(OWN, src=bytes(16)), "NS_DAD_LLADDR", "icmp6.badns"),
    "option of length 0": (
        icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(4) + OWN + bytes(8)), "ND_BADOPT", "icmp6.nd_badopt",
    ),
    "link-layer length": (ns(OWN, lladdr=SHORT_MAC), "NS_LLADDR_LEN", "icmp6.badns"),
    "somebody else": (ns(A("fe80::7"), dst=OWN), "NS_OTHER_TARGET", ""),
    "our address as source": (ns(GLOBAL, src=GLOBAL), "NS_OWN_SOURCE", ""),
    "too short": (icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(16)), "ICMP6_BADLEN", "icmp6.badlen"),
    "code": (icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(20), code=1), "ICMP6_BADCODE", "icmp6.badcode"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD_NS))
def test_a_bad_solicitation_is_counted_and_neither_answered_nor_learned_from(wires: Wires, name: str) -> None:
    h1 = wires.host()
    packet, reason, counter = BAD_NS[name]
    before = h1.counters().get(counter, 0)
    wires.inject(h1, packet)
    assert wires.drops(h1, 3) == [reason]
    assert advertised(wires, h1) == []
    assert h1.interfaces["ne0"].neighbors == {}
    if counter:
        assert h1.counters()[counter] == before + 1


BAD_NA = {
    "hop limit": (na(STRANGER, OWN, "SO", hlim=254), "NA_HLIM", "icmp6.badna"),
    "multicast target": (na(A("ff02::9"), OWN, "SO", src=STRANGER), "NA_TARGET_MULTICAST", "icmp6.badna"),
    "multicast and solicited": (na(STRANGER, ALLNODES, "SO"), "NA_MULTICAST_SOLICITED", "icmp6.badna"),
    "link-layer length": (na(STRANGER, OWN, "SO", lladdr=SHORT_MAC), "NA_LLADDR_LEN", "icmp6.badna"),
    "no address": (na(STRANGER, OWN, "SO", lladdr=None), "NA_NO_LLADDR", ""),
    "one of ours": (na(GLOBAL, ALLNODES, "O", src=STRANGER), "NA_OWN_ADDRESS", ""),
    "nobody asked": (na(A("fe80::98"), OWN, "SO"), "NA_NO_ENTRY", ""),
    "option past the end": (
        icmp6(STRANGER, OWN, icmp.NEIGHBOR_ADVERT, b"\x60\0\0\0" + STRANGER + b"\x02\x02" + bytes(6)),
        "ND_BADOPT",
        "icmp6.nd_badopt",
    ),
}


@pytest.mark.parametrize("name", list(BAD_NA))
def test_a_bad_advertisement_leaves_the_resolution_as_it_is(wires: Wires, name: str) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    packet, reason, counter = BAD_NA[name]
    wires.inject(h1, packet)
    assert wires.drops(h1, 3) == [reason]
    entry = neighbor(h1)
    assert entry is not None
    assert (entry.state, entry.lladdr, len(entry.hold)) == ("INCOMPLETE", b"", 1)
    if counter:
        assert h1.counters()[counter] == 1
    if reason == "NA_OWN_ADDRESS":
        assert "duplicate IP6 address 2001:db8:1::1" in wires.log(h1)[-1]


# -- answers -----------------------------------------------------------------------------------------


def test_a_multicast_solicitation_is_answered_with_our_address(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    (answer,) = wires.sent(h1, icmp.NEIGHBOR_ADVERT, 3)
    assert (answer.src, answer.dst, answer.hlim, answer.mac) == ("fe80::ff:fe00:1", "fe80::99", 255, STRANGER_MAC)
    assert advertised(wires, h1) == [("fe80::99", OWN.hex(), "SO", True)]
    assert answer.message[24:] == bytes.fromhex("0201020000000001")


def test_a_unicast_solicitation_is_answered_without_address_and_override(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN, dst=OWN))
    assert advertised(wires, h1) == [("fe80::99", OWN.hex(), "S", False)]


def test_a_probe_for_our_address_is_answered_to_all_nodes(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, dad_ns(GLOBAL))
    assert advertised(wires, h1) == [("ff02::1", GLOBAL.hex(), "O", True)]
    assert wires.sent(h1, icmp.NEIGHBOR_ADVERT, 3)[0].src == "2001:db8:1::1"


def test_a_router_says_so(wires: Wires) -> None:
    r1 = wires.host(forwarding=1)
    wires.inject(r1, ns(OWN))
    syscalls.sysctl_set(r1, FORWARDING, 0)
    wires.inject(r1, ns(OWN))
    assert [flags for _, _, flags, _ in advertised(wires, r1)] == ["RSO", "SO"]


def test_an_anycast_address_does_not_override(wires: Wires) -> None:
    h1 = wires.host()
    anycast = A("2001:db8:1::a")
    wires.address(h1, "2001:db8:1::a", flags=("anycast",))
    wires.inject(h1, ns(anycast, dst=ALLNODES))
    assert advertised(wires, h1) == [("fe80::99", anycast.hex(), "S", True)]
    assert wires.sent(h1, icmp.NEIGHBOR_ADVERT, 3)[0].src == "fe80::ff:fe00:1", "never the source"


def test_a_proxy_answers_for_another_without_override_and_router_flag(wires: Wires) -> None:
    r1 = wires.host(forwarding=1)
    target = A("2001:db8:1::77")
    syscalls.neighbor(r1, "set", address=target, interface="ne0", lladdr=OTHER_MAC, proxy=True)
    assert row(r1, "groups", "ff02::1:ff00:77%ne0").refcnt == 1
    wires.inject(r1, ns(target))
    (answer,) = wires.sent(r1, icmp.NEIGHBOR_ADVERT, 3)
    assert advertised(wires, r1) == [("fe80::99", target.hex(), "S", True)]
    assert answer.message[24:] == b"\x02\x01" + OTHER_MAC
    syscalls.neighbor(r1, "delete", address=target, interface="ne0")
    wires.inject(r1, ns(target, dst=ALLNODES))
    assert wires.drops(r1, 3) == ["NS_OTHER_TARGET"]


def test_a_proxy_made_an_ordinary_entry_leaves_the_group(wires: Wires) -> None:
    r1 = wires.host()
    target = A("2001:db8:1::77")
    for proxy in (True, True, False):
        syscalls.neighbor(r1, "set", address=target, interface="ne0", lladdr=OTHER_MAC, proxy=proxy)
    assert not [one for one in syscalls.rows(r1, "groups") if one.group == "ff02::1:ff00:77%ne0"]


# -- what is learned -----------------------------------------------------------------------

NEW = STRANGER_MAC
OLD = OTHER_MAC


def entry_of(node: Node) -> tuple[str, str, bool]:
    entry = neighbor(node)
    assert entry is not None
    return entry.state, entry.lladdr.hex(), entry.router


def prepare(wires: Wires, node: Node, before: str) -> None:
    """No entry, an entry without address, or STALE with the old address and the router flag as named."""
    if before == "none":
        return
    wires.inject(node, rs(lladdr=None if before == "no address" else OLD))
    entry = neighbor(node)
    assert entry is not None
    entry.router = "router" in before


@pytest.mark.parametrize("before", ["none", "no address", "host", "router"])
@pytest.mark.parametrize("carried", [None, NEW, OLD])
def test_a_router_solicitation_teaches_the_address_and_that_it_is_no_router(
    wires: Wires, before: str, carried: bytes | None
) -> None:
    r1 = wires.host(forwarding=1)
    prepare(wires, r1, before)
    wires.inject(r1, rs(lladdr=carried))
    known = OLD if before in ("host", "router") else b""
    state = "STALE" if carried or known else "NOSTATE"
    assert entry_of(r1) == (state, (carried or known).hex(), False)


@pytest.mark.parametrize("before", ["none", "no address", "host", "router"])
@pytest.mark.parametrize("carried", [None, NEW, OLD])
def test_a_neighbor_solicitation_keeps_the_router_flag_of_a_known_node(
    wires: Wires, before: str, carried: bytes | None
) -> None:
    r1 = wires.host(forwarding=1)
    prepare(wires, r1, before)
    wires.inject(r1, ns(OWN, lladdr=carried))
    known = carried or (OLD if before in ("host", "router") else b"")
    # The answer is a packet to it: resolved where the address is unknown, on trial where it was stale.
    state = "DELAY" if known else "INCOMPLETE"
    assert entry_of(r1) == (state, known.hex(), before == "router")


@pytest.mark.parametrize("before", ["none", "no address", "host", "router"])
@pytest.mark.parametrize("carried", [None, NEW, OLD])
def test_a_router_advertisement_sets_the_router_flag_where_the_address_is_known(
    wires: Wires, before: str, carried: bytes | None
) -> None:
    h1 = wires.host(forwarding=1)
    prepare(wires, h1, before)
    syscalls.sysctl_set(h1, FORWARDING, 0)
    syscalls.sysctl_set(h1, "net.inet6.ip6.accept_rtadv", 1)
    wires.inject(h1, ra(src=STRANGER, lladdr=carried))
    known = carried or (OLD if before in ("host", "router") else b"")
    assert entry_of(h1) == ("STALE" if known else "NOSTATE", known.hex(), bool(known))


@pytest.mark.parametrize(
    ("flags", "lladdr", "expected"),
    [
        # O = 0 and another address: kept, REACHABLE becomes STALE, the R bit is ignored
        ("", OLD, ("STALE", NEW, False)),
        ("RS", OLD, ("STALE", NEW, False)),
        # the same address, or none
        ("S", NEW, ("REACHABLE", NEW, False)),
        ("RS", None, ("REACHABLE", NEW, True)),
        ("R", NEW, ("REACHABLE", NEW, True)),
        ("O", None, ("REACHABLE", NEW, False)),
        # override
        ("SO", OLD, ("REACHABLE", OLD, False)),
        ("RO", OLD, ("STALE", OLD, True)),
    ],
)
def test_an_advertisement_about_a_reachable_neighbour(
    wires: Wires, flags: str, lladdr: bytes | None, expected: tuple[str, bytes, bool]
) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    wires.inject(h1, na(STRANGER, OWN, "SO", lladdr=NEW))
    wires.inject(h1, na(STRANGER, OWN, flags, lladdr=lladdr))
    state, mac, router = expected
    assert entry_of(h1) == (state, mac.hex(), router)


@pytest.mark.parametrize(
    ("flags", "lladdr", "expected"),
    [
        ("", OLD, ("STALE", NEW)),
        ("S", OLD, ("STALE", NEW)),
        ("S", NEW, ("REACHABLE", NEW)),
        ("S", None, ("REACHABLE", NEW)),
        ("", NEW, ("STALE", NEW)),
        ("SO", OLD, ("REACHABLE", OLD)),
        ("O", OLD, ("STALE", OLD)),
        ("O", NEW, ("STALE", NEW)),
    ],
)
def test_an_advertisement_about_a_stale_neighbour(
    wires: Wires, flags: str, lladdr: bytes | None, expected: tuple[str, bytes]
) -> None:
    r1 = wires.host(forwarding=1)
    wires.inject(r1, rs(lladdr=NEW))
    wires.inject(r1, na(STRANGER, OWN, flags, lladdr=lladdr))
    assert entry_of(r1)[:2] == (expected[0], expected[1].hex())
    if expected[1] == NEW and lladdr == OLD:
        assert wires.drops(r1, 3) == ["NA_NOT_OVERRIDE"]


@pytest.mark.parametrize(("flags", "state"), [("SO", "REACHABLE"), ("S", "REACHABLE"), ("O", "STALE"), ("", "STALE")])
def test_an_advertisement_ends_a_resolution(wires: Wires, flags: str, state: str) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    wires.inject(h1, na(STRANGER, OWN, flags + "R"))
    assert entry_of(h1) == (state, STRANGER_MAC.hex(), True)
    (left,) = [one for one in wires.sent(h1, since=3) if one.packet[6] == 17]
    assert left.mac == STRANGER_MAC


def test_a_solicitation_with_the_address_ends_a_resolution_too(wires: Wires) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    wires.inject(h1, ns(OWN))
    assert [one.mac for one in wires.sent(h1, since=3) if one.packet[6] == 17] == [STRANGER_MAC]


def test_a_router_that_says_it_is_none_any_more_is_no_default_router(wires: Wires) -> None:
    h1 = wires.host(accept_rtadv=1)
    wires.inject(h1, ra())
    assert row(h1, "routes", "default").gateway == "fe80::1%ne0"
    wires.inject(h1, na(ROUTER, OWN, "S", lladdr=None))
    assert syscalls.rows(h1, "routers") == ()
    assert not [one for one in syscalls.rows(h1, "routes") if one.destination == "default"]


def test_the_first_of_repeated_options_counts_and_unknown_ones_are_skipped(wires: Wires) -> None:
    h1 = wires.host()
    options = b"\x63\x01" + bytes(6) + nd_options.build_lladdr(1, STRANGER_MAC) + nd_options.build_lladdr(1, OTHER_MAC)
    wires.inject(h1, icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(4) + OWN + options))
    assert entry_of(h1)[1] == STRANGER_MAC.hex()


def test_after_ten_options_reading_stops_and_what_was_read_is_used(wires: Wires) -> None:
    h1 = wires.host(accept_rtadv=1)
    options = b"".join(prefix(f"2001:db8:{number:x}::/64") for number in range(16, 32))
    wires.inject(h1, ra(options))
    assert h1.counters()["icmp6.nd_toomanyopt"] == 1
    assert len([one for one in syscalls.rows(h1, "prefixes") if one.origin == "RA"]) == 9


def test_router_solicitations_are_for_routers(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, rs())
    assert wires.drops(h1, 3) == ["RS_HOST"]
    syscalls.sysctl_set(h1, FORWARDING, 1)
    wires.inject(h1, rs(hlim=254))
    wires.inject(h1, rs(lladdr=SHORT_MAC))
    wires.inject(h1, icmp6(STRANGER, ALLNODES, icmp.ROUTER_SOLICIT, bytes(12)))
    assert wires.drops(h1, 3) == ["RS_HOST", "RS_HLIM", "RS_LLADDR_LEN", "ND_BADOPT"]
    assert h1.counters()["icmp6.badrs"] == 2
    wires.inject(h1, rs(src=bytes(16), lladdr=None))
    assert h1.interfaces["ne0"].neighbors == {}, "nothing to learn from ::"
