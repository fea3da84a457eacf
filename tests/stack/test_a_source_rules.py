"""Source address selection: each rule, RFC 6724 10.1's examples, and what may never be a source.

RFC 6724 5, KAME IMPLEMENTATION 1.6.1 (2001). Hosts have exactly the addresses of a story, link-local ones too.
"""

from __future__ import annotations

import pytest
from wires import A, Wires, echo_to, prefix, ra, scoped

from kamelab.core.errors import EADDRNOTAVAIL, Errno
from kamelab.lab.checkpoint import restore, take
from kamelab.stack import syscalls
from kamelab.stack.interface import Address
from kamelab.stack.netinet6.in6_src import RULE_NAMES, in6_selectsrc
from kamelab.stack.node import Node
from kamelab.wire import in6

IP6 = "net.inet6.ip6."
KAME = (("::1/128", 50, 0), ("::/0", 40, 1), ("2002::/16", 30, 2), ("::/96", 20, 3), ("::ffff:0:0/96", 10, 4))
"""RFC 3484 2.1's table, which KAME ships."""
RFC6724 = (
    ("::1/128", 50, 0), ("::/0", 40, 1), ("::ffff:0:0/96", 35, 4), ("2002::/16", 30, 2), ("2001::/32", 5, 5),
    ("fc00::/7", 3, 13), ("::/96", 1, 3), ("fec0::/10", 1, 11), ("3ffe::/16", 1, 12),
)  # fmt: skip


def host(wires: Wires, *links: str, **sysctls: int) -> Node:
    """A host without any address, its interfaces up, and no duplicate address detection."""
    for link in links or ("lan",):
        wires.link(link)
    node = wires.node("h1", *(links or ("lan",)), up=False)
    for name, value in {"auto_linklocal": 0, "dad_count": 0, **sysctls}.items():
        syscalls.sysctl_set(node, IP6 + name, value)
    for number in range(len(links) or 1):
        syscalls.ioctl(node, "SIOCSIFFLAGS", f"ne{number}", up=True)
    return node


def give(wires: Wires, node: Node, *texts: str, interface: str = "ne0") -> None:
    """Addresses in this order; behind one may stand ``deprecated`` or ``temporary``."""
    for text in texts:
        address, _, kind = text.partition(" ")
        wires.address(node, address, interface, flags=("deprecated",) if kind == "deprecated" else ())
        if kind == "temporary":
            found(node, address).temporary = True


def found(node: Node, text: str) -> Address:
    return next(one for iface in node.interfaces.values() for one in iface.addresses if one.addr == A(text))


def source(node: Node, dst: str, interface: str = "ne0", prefer_temp: int = -1) -> str:
    """The source towards ``dst`` out of an interface, without zone; "" for none."""
    iface = node.interfaces[interface]
    chosen = in6_selectsrc(node, scoped(iface, A(dst)), iface, prefer_temp)
    return node.text(chosen.addr).partition("%")[0] if chosen is not None else ""


def decided(node: Node) -> dict[int, int]:
    """Comparisons by the rule that decided, the first candidates left out."""
    return {rule: count for rule in RULE_NAMES if rule and (count := node.stat[f"ip6.sources_rule.{rule}"])}


def install(node: Node, *table: tuple[str, int, int]) -> None:
    for text, precedence, label in table:
        head, plen = in6.parse_prefix(text)
        syscalls.ioctl(node, "SIOCAADDRCTL_POLICY", "", prefix=head, plen=plen, precedence=precedence, label=label)


def default_route(node: Node, interface: str = "ne0") -> None:
    syscalls.route(node, "add", destination=bytes(16), plen=0, interface=interface)


# -- RFC 6724 10.1 ---------------------------------------------------------------------------------------------------

SIX_TO_FOUR = "2002:c633:6401::d5e3:7953:13eb:22e8"
RANDOM = "2001:db8:1::d5e3:7953:13eb:22e8"


@pytest.mark.parametrize("order", [1, -1], ids=["as written", "the other way round"])
@pytest.mark.parametrize("table", [KAME, RFC6724], ids=["RFC 3484's table", "RFC 6724's table"])
@pytest.mark.parametrize(
    ("dst", "candidates", "result", "rule"),
    [
        ("2001:db8:1::1", ("2001:db8:3::1", "fe80::1"), "2001:db8:3::1", 2),
        ("ff05::1", ("2001:db8:3::1", "fe80::1"), "2001:db8:3::1", 2),
        ("2001:db8:1::1", ("2001:db8:1::1 deprecated", "2001:db8:2::1"), "2001:db8:1::1", 1),
        ("fe80::1", ("fe80::2 deprecated", "2001:db8:1::1"), "fe80::2", 2),
        ("2001:db8:1::1", ("2001:db8:1::2", "2001:db8:3::2"), "2001:db8:1::2", 14),
        ("2002:c633:6401::1", (f"{SIX_TO_FOUR} temporary", "2001:db8:1::2"), SIX_TO_FOUR, 6),
    ],
)
def test_examples_of_rfc_6724_section_10_1(
    wires: Wires, order: int, table: tuple[tuple[str, int, int], ...], dst: str, candidates: tuple[str, ...],
    result: str, rule: int,
) -> None:  # fmt: skip
    h1 = host(wires)
    install(h1, *table)
    give(wires, h1, *candidates[::order])
    assert A(source(h1, dst)) == A(result)
    assert rule in decided(h1)


@pytest.mark.parametrize(("prefer", "result"), [(1, RANDOM), (0, "2001:db8:1::2")])
def test_the_example_of_privacy_follows_what_the_socket_or_the_administrator_prefers(
    wires: Wires, prefer: int, result: str
) -> None:
    # RFC 6724 prefers the temporary one by itself; KAME the public one, as RFC 3484 did.
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::2", f"{RANDOM} temporary")
    dst = "2001:db8:1::d5e3:0:0:1"
    assert source(h1, dst) == "2001:db8:1::2"
    assert A(source(h1, dst, prefer_temp=prefer)) == A(result)
    syscalls.sysctl_set(h1, IP6 + "prefer_tempaddr", prefer)
    assert A(source(h1, dst)) == A(result)
    assert A(source(h1, dst, prefer_temp=1 - prefer)) != A(result)
    assert decided(h1) == {7: 4}


# -- rule by rule ----------------------------------------------------------------------------------------------------


def test_of_two_scopes_the_smaller_one_that_is_wide_enough(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "fe80::1", "fec0::1", "2001:db8::1")
    seen = [source(h1, dst) for dst in ("fe80::9", "ff02::9", "fec0::9", "ff05::9", "ff08::9", "2001:db8::9")]
    assert seen == ["fe80::1", "fe80::1", "fec0::1", "fec0::1", "2001:db8::1", "2001:db8::1"]


def test_a_source_too_narrow_is_better_than_none(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "fe80::1")
    assert source(h1, "2001:db8::9") == "fe80::1"


def test_deprecated_only_as_a_last_resort_and_scope_counts_more(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:9::1 deprecated", "2001:db8:1::1", "fe80::1")
    assert source(h1, "2001:db8:9::9") == "2001:db8:1::1"
    assert 3 in decided(h1)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    assert source(h1, "2001:db8:9::9") == "2001:db8:9::1"


def test_the_outgoing_interface_comes_before_the_longest_match(wires: Wires) -> None:
    h1 = host(wires, "left", "right")
    give(wires, h1, "2001:db8:1::1", interface="ne0")
    give(wires, h1, "2001:db8:9::1", interface="ne1")
    assert source(h1, "2001:db8:9::9", "ne0") == "2001:db8:1::1"
    assert source(h1, "2001:db8:1::9", "ne1") == "2001:db8:9::1"
    assert decided(h1) == {5: 2}


def test_a_label_counts_only_where_the_destination_has_one(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:2::1", "2001:db8:1::1")
    assert source(h1, "2001:db8:1::9") == "2001:db8:1::1"
    install(h1, ("2001:db8:2::/48", 40, 7))
    assert source(h1, "2001:db8:1::9") == "2001:db8:1::1", "the destination has no policy"
    install(h1, ("2001:db8:1:0::/64", 40, 7))
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    give(wires, h1, "2001:db8:1:1::1")
    assert source(h1, "2001:db8:1::9") == "2001:db8:2::1"
    assert decided(h1) == {14: 2, 6: 1}


def test_use_counts_lookups_and_the_longest_prefix_is_hit(wires: Wires) -> None:
    h1 = host(wires)
    install(h1, *KAME)
    give(wires, h1, "2001:db8:2::1", "2002:db8:1::1")
    assert source(h1, "2002::9") == "2002:db8:1::1"
    uses = {row.prefix: row.use for row in syscalls.rows(h1, "addrctlpolicy")}
    # The destination once, and each of the two candidates.
    assert uses == {"::1/128": 0, "::/0": 1, "2002::/16": 2, "::/96": 0, "::ffff:0.0.0.0/96": 0}


def test_alive_interfaces_then_preferred_ones(wires: Wires) -> None:
    h1 = host(wires, "left", "middle", "right")
    give(wires, h1, "2001:db8:1::1", interface="ne0")
    give(wires, h1, "2001:db8:2::1", interface="ne1")
    # Out of ne2, which has no address: the two are even until the match.
    assert source(h1, "2001:db8:1::9", "ne2") == "2001:db8:1::1"
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne1", prefer_source=True)
    assert source(h1, "2001:db8:1::9", "ne2") == "2001:db8:2::1"
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne1", up=False)
    assert source(h1, "2001:db8:1::9", "ne2") == "2001:db8:1::1"
    assert decided(h1) == {14: 1, 9: 1, 8: 1}


def test_of_equals_the_first_stays_and_nothing_is_counted(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::1", "2001:db8:1::2")
    assert source(h1, "2001:db9::9") == "2001:db8:1::1"
    assert decided(h1) == {}


# -- never -----------------------------------------------------------------------------------------------------------


def test_tentative_duplicated_detached_and_anycast_are_no_candidates(wires: Wires) -> None:
    h1 = host(wires, dad_count=1)
    give(wires, h1, "2001:db8:1::1")
    assert source(h1, "2001:db8:1::9") == ""
    wires.run(3)
    assert source(h1, "2001:db8:1::9") == "2001:db8:1::1"
    wires.address(h1, "2001:db8:1::9", flags=("anycast",))
    assert source(h1, "2001:db8:1::9") == "2001:db8:1::1"
    for state in ("duplicated", "detached"):
        setattr(found(h1, "2001:db8:1::1"), state, True)
        assert source(h1, "2001:db8:1::9") == ""
        setattr(found(h1, "2001:db8:1::1"), state, False)


def test_an_address_of_another_zone_is_no_candidate(wires: Wires) -> None:
    h1 = host(wires, "left", "right")
    give(wires, h1, "fe80::1", interface="ne0")
    assert source(h1, "fe80::9", "ne1") == ""
    assert source(h1, "2001:db8::9", "ne1") == ""
    assert source(h1, "2001:db8::9", "ne0") == "fe80::1"


def test_the_loopback_address_stays_at_home(wires: Wires) -> None:
    h1 = host(wires)
    assert source(h1, "::1", "lo0") == "::1"
    assert source(h1, "2001:db8::9") == ""


@pytest.mark.parametrize("name", ["srcsel_2000", "use_deprecated"])
def test_use_deprecated_0_means_never(wires: Wires, name: str) -> None:
    h1 = host(wires, **{name: 1})
    give(wires, h1, "2001:db8:1::1 deprecated")
    default_route(h1)
    assert source(h1, "2001:db8:9::9") == "2001:db8:1::1"
    syscalls.sysctl_set(h1, IP6 + "use_deprecated", 0)
    with pytest.raises(Errno) as error:
        wires.send(h1, "2001:db8:9::9")
    assert error.value.number == EADDRNOTAVAIL
    sid = syscalls.socket(h1, 0, "udp6", 0)
    with pytest.raises(Errno) as error:
        syscalls.connect(h1, sid, A("2001:db8:9::9"), 9, 0)
    assert error.value.number == EADDRNOTAVAIL
    assert h1.stat["ip6.sources_none"] == 2
    # Who asks for it by name still has it.
    syscalls.bind(h1, sid, A("2001:db8:1::1"), 0, 0)
    syscalls.connect(h1, sid, A("2001:db8:9::9"), 9, 0)


# -- on the wire -----------------------------------------------------------------------------------------------------


def test_an_address_that_gets_deprecated_gives_way_to_the_next(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(2)
    wires.inject(h1, ra(prefix("2001:db8:a::/64", 100, 10) + prefix("2001:db8:b::/64", 100, 50)))
    wires.run(2)
    seen = []
    for _ in range(3):
        seen.append(source(h1, "2001:db8:a::9")[:10])
        wires.run(20)
    assert seen == ["2001:db8:a", "2001:db8:b", "2001:db8:b"]
    wires.account()


def test_datagrams_leave_with_the_source_that_was_chosen(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::1", "2001:db8:2::1")
    default_route(h1)
    for dst in ("2001:db8:2::9", "2001:db8:1::9"):
        syscalls.neighbor(h1, "set", address=A(dst), interface="ne0", lladdr=b"\2\0\0\0\0\x77")
        wires.send(h1, dst)
    assert [one.src for one in wires.sent(h1) if one.packet[6] == 17] == ["2001:db8:2::1", "2001:db8:1::1"]
    wires.account()


@pytest.mark.parametrize(("wish", "chosen"), [(-1, "2001:db8:1::1"), (0, "2001:db8:1::1"), (1, "2001:db8:2::1")])
def test_a_packet_may_wish_for_a_temporary_source(wires: Wires, wish: int, chosen: str) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::1", "2001:db8:2::1 temporary")
    syscalls.neighbor(h1, "set", address=A("2001:db8:1::9"), interface="ne0", lladdr=b"\2\0\0\0\0\x77")
    out = echo_to("2001:db8:1::9", h1.interfaces["ne0"])
    out.prefer_temp = wish
    assert wires.output(h1, out) == 0
    assert [one.src for one in wires.sent(h1, 128)] == [chosen]


def test_a_solicitation_says_nothing_of_its_source(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "fe80::1", "2001:db8:1::1")
    wires.send(h1, "2001:db8:1::9")
    told = [one.note.split(": ")[0] for one in wires.records(h1, "state") if one.stage == "in6_selectsrc"]
    assert told == ["2001:db8:1::1 for 2001:db8:1::9"]
    assert wires.sent(h1, 135)


# -- telling ---------------------------------------------------------------------------------------------------------


def test_a_choice_is_told_once_until_something_changes_it(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::1")
    source(h1, "2001:db8:1::9")
    assert wires.states(h1, "in6_selectsrc") == [], "there was no choice"
    give(wires, h1, "2001:db8:2::1", "fe80::1")
    for _ in range(3):
        source(h1, "2001:db8:1::9")
    told = [one for one in wires.records(h1, "state") if one.stage == "in6_selectsrc"]
    assert [one.note for one in told] == [
        "2001:db8:1::1 for 2001:db8:1::9: chosen over 2001:db8:2::1 by rule 14 longest match; "
        "chosen over fe80::1%ne0 by rule 2 appropriate scope"
    ]
    assert told[0].rule == "RFC 6724 5"
    syscalls.sysctl_set(h1, IP6 + "hlim", 63)
    source(h1, "2001:db8:1::9")
    assert len(wires.states(h1, "in6_selectsrc")) == 1, "something changed, the choice did not"
    give(wires, h1, "2001:db8:1::9")
    source(h1, "2001:db8:1::9")
    assert [one.note for one in wires.records(h1, "state") if one.stage == "in6_selectsrc"][1:] == [
        "2001:db8:1::9 for 2001:db8:1::9: chosen over 2001:db8:1::1, 2001:db8:2::1, fe80::1%ne0 by rule 1 same address"
    ]


def test_telling_does_not_count_as_use(wires: Wires) -> None:
    uses = []
    for keep in (False, True):
        told = Wires()
        h1 = host(told)
        h1.trace.keep = keep
        install(h1, *KAME)
        give(told, h1, "2001:db8:2::1", "2002:db8:1::1", "2001:db8:1::1", "2002::1")
        source(h1, "2002::9")
        uses.append([row.use for row in syscalls.rows(h1, "addrctlpolicy")])
    assert uses[0] == uses[1]
    assert sum(uses[0]) == 5


def test_the_memory_of_what_was_told_is_bounded(wires: Wires) -> None:
    h1 = host(wires)
    give(wires, h1, "2001:db8:1::1", "2001:db8:2::1")
    for number in range(1500):
        source(h1, f"2001:db8:3::{number:x}")
    assert len(h1.told_sources) <= 512


def test_policies_survive_a_checkpoint_and_die_with_the_power(wires: Wires) -> None:
    from kamelab.lab.build import build
    from kamelab.lab.digest import digest
    from kamelab.lab.loader import load_lab

    lab = load_lab(
        'format = 1\ntitle = "t"\nlevel = "beginner"\n[links.lan]\n[nodes.h1]\n'
        'startup = ["ip6addrctl install /etc/ip6addrctl.conf"]\n'
        'interfaces.ne0 = { link = "lan", addresses = ["2001:db8:1::1/64", "2002:db8::1/64"] }\n',
        "t.toml",
    )
    world = build(lab, 1)
    told = Wires()
    told.net = world.network
    told.run(3)
    h1 = world.network.nodes["h1"]
    assert source(h1, "2002::9") == "2002:db8::1"
    again = restore(take(world))
    assert digest(again) == digest(world)
    other = again.network.nodes["h1"]
    assert syscalls.rows(other, "addrctlpolicy") == syscalls.rows(h1, "addrctlpolicy")
    assert source(other, "2002::9") == "2002:db8::1"
    assert digest(again) != digest(world), "the use is part of the state"
    h1.power_off()
    assert syscalls.rows(h1, "addrctlpolicy") == ()
