"""The source selection of KAME IMPLEMENTATION 1.6 (2000), under net.inet6.ip6.srcsel_2000: its examples and rules."""

from __future__ import annotations

import pytest
from test_a_source_rules import default_route, found, give, host, source
from wires import A, Wires

from kamelab.stack import syscalls
from kamelab.stack.node import Node

RULE = "net.inet6.ip6.srcsel_2000"


def old(wires: Wires, *links: str) -> Node:
    return host(wires, *links, srcsel_2000=1)


def scopes(node: Node) -> dict[str, int]:
    """The counters by category and scope."""
    return {
        name.removeprefix("ip6.sources_"): value
        for name, value in node.stat.items()
        if name.startswith("ip6.sources_") and value
    }


def test_longest_match_among_addresses_of_the_outgoing_interface(wires: Wires) -> None:
    # The example of the document, in both orders of adding.
    addresses = ("3ffe:501:808:1:200:f8ff:fe01:6317", "3ffe:2001:9:124:200:f8ff:fe01:6317")
    for order in (1, -1):
        one = Wires()
        h1 = old(one)
        give(one, h1, *addresses[::order])
        assert source(h1, "3ffe:501:800::1") == addresses[0]
        assert source(h1, "3ffe:2001:800::1") == addresses[1]
        assert scopes(h1) == {"sameif.14": 2, "samescope.14": 2}


def test_loopback_is_the_source_towards_the_nodes_own_group(wires: Wires) -> None:
    h1 = old(wires)
    give(wires, h1, "2001:db8::1", "fe80::1")
    assert source(h1, "ff01::1", "lo0") == "::1"
    assert scopes(h1) == {"sameif.1": 1, "samescope.1": 1}


def test_a_link_local_source_of_the_same_link_towards_a_link_local_destination(wires: Wires) -> None:
    h1 = old(wires, "left", "right")
    give(wires, h1, "2001:db8::1", "fe80::200:f8ff:fe01:6317", interface="ne0")
    give(wires, h1, "fe80::2a0:24ff:feab:1", interface="ne1")
    assert source(h1, "fe80::2a0:24ff:feab:839b", "ne0") == "fe80::200:f8ff:fe01:6317"
    assert source(h1, "fe80::2a0:24ff:feab:839b", "ne1") == "fe80::2a0:24ff:feab:1"
    assert scopes(h1) == {"sameif.2": 2, "samescope.2": 2}


def test_without_an_address_of_that_scope_there_any_global_one(wires: Wires) -> None:
    h1 = old(wires, "left", "right")
    give(wires, h1, "2001:db8:1::1", "2001:db8:2::1", interface="ne0")
    give(wires, h1, "fe80::1", interface="ne1")
    assert source(h1, "2001:db8:2::9", "ne1") == "2001:db8:2::1"
    assert source(h1, "ff05::9", "ne1") == "2001:db8:1::1"
    assert scopes(h1) == {"otherif.14": 2, "samescope.14": 1, "otherscope.5": 1}


def test_an_own_interface_wins_over_a_longer_match_elsewhere(wires: Wires) -> None:
    # Here the document wins over the code of its day, which looked at the match first.
    h1 = old(wires, "left", "right")
    give(wires, h1, "2001:db8:9::1", interface="ne0")
    give(wires, h1, "2001:db8:1::1", interface="ne1")
    assert source(h1, "2001:db8:9::9", "ne1") == "2001:db8:1::1"


def test_the_address_tied_to_the_route_is_the_last_resort(wires: Wires) -> None:
    h1 = old(wires)
    give(wires, h1, "fec0::1", "fe80::1")
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=A("fe80::ff"), interface="ne0")
    assert source(h1, "2001:db8::9") == "fe80::1", "it breaks the scope, and is what the gateway is reached with"
    assert scopes(h1) == {"sameif.2": 1, "otherscope.14": 1}


def test_deprecated_ones_only_if_there_is_no_other_choice(wires: Wires) -> None:
    h1 = old(wires, "left", "right")
    give(wires, h1, "2001:db8:9::1 deprecated", interface="ne0")
    give(wires, h1, "2001:db8:1::1", interface="ne1")
    assert source(h1, "2001:db8:9::9", "ne0") == "2001:db8:1::1"
    found(h1, "2001:db8:1::1").deprecated = True
    assert source(h1, "2001:db8:9::9", "ne0") == "2001:db8:9::1"
    assert scopes(h1) == {"otherif.14": 1, "sameif.14": 1, "samescope.14": 2, "deprecated.14": 1}


@pytest.mark.parametrize(("value", "chosen"), [(0, "2001:db8:1::1"), (1, "2001:db8:9::1")])
def test_labels_and_privacy_play_no_part_then(wires: Wires, value: int, chosen: str) -> None:
    h1 = host(wires, srcsel_2000=value)
    give(wires, h1, "2001:db8:1::1", "2001:db8:9::1 temporary")
    assert source(h1, "2001:db8:9::9") == chosen


def test_both_generations_count_apart(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::1", "2001:db8:9::1")
    source(h1, "2001:db8:9::9")
    assert scopes(h1) == {"rule.0": 1, "rule.14": 1}
    syscalls.sysctl_set(h1, RULE, 1)
    source(h1, "2001:db8:9::9")
    assert scopes(h1) == {"rule.0": 1, "rule.14": 1, "sameif.14": 1, "samescope.14": 1}


def test_it_is_told_in_its_own_words(wires: Wires) -> None:
    h1 = old(wires)
    give(wires, h1, "2001:db8:1::1", "2001:db8:9::1")
    default_route(h1)
    wires.send(h1, "2001:db8:9::9")
    wires.send(h1, "2001:db8:9::9")
    told = [(one.note, one.rule) for one in wires.records(h1, "state") if one.stage == "in6_selectsrc"]
    words = "an address of the outgoing interface with the destination's scope, the longest match"
    assert told == [(f"2001:db8:9::1 for 2001:db8:9::9: {words}", "KAME IMPLEMENTATION 1.6 (2000)")]
