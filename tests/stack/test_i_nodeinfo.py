"""Node information queries and the group of a node's name (RFC 4620; KAME IMPLEMENTATION 1.9, KAME ni6_input)."""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Sent, Wires, icmp6, na, neighbor, row

from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nodeinfo
from kamelab.wire.in6 import ntop
from kamelab.wire.nodeinfo import FQDN, IPV4ADDR, NODEADDR, NOOP, SUPTYPES, NodeAddress, NodeInfo

LL = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
FAR = A("2001:db8:9::9")
NONCE = b"NONCE678"
KNOB = "net.inet6.icmp6.nodeinfo"
BY_ADDRESS, BY_NAME, BY_IPV4 = nodeinfo.SUBJ_IPV6, nodeinfo.SUBJ_FQDN, nodeinfo.SUBJ_IPV4


def named(wires: Wires, name: str = "h1.example.org") -> Node:
    """A host of that name, whose group reports are over."""
    h1 = wires.host()
    syscalls.sethostname(h1, name)
    wires.run(to=20)
    return h1


def ask(wires: Wires, node: Node, qtype: int, subject: bytes = GLOBAL, code: int = BY_ADDRESS, *, flags: int = 0,
        src: bytes = STRANGER, dst: bytes = GLOBAL) -> list[tuple[Sent, int, NodeInfo]]:  # fmt: skip
    """A query of the stranger; the replies with their code and contents."""
    before = len(wires.sent(node, icmp.NI_REPLY))
    body = nodeinfo.query_body(qtype, NONCE, subject, flags)
    wires.inject(node, icmp6(src, dst, icmp.NI_QUERY, body, code, hlim=64), dmac=node.interfaces["ne0"].mac)
    if neighbor(node) is not None:
        wires.inject(node, na(STRANGER, LL, "SO"))
    replies = wires.sent(node, icmp.NI_REPLY)[before:]
    return [(one, one.message[1], NodeInfo.parse(one.message[4:])) for one in replies]


def names(wires: Wires, node: Node, *args: object, **more: object) -> tuple[str, ...]:
    ((_, code, reply),) = ask(wires, node, FQDN, *args, **more)  # type: ignore[arg-type]
    assert code == nodeinfo.SUCCESS
    return nodeinfo.parse_name_data(reply.data)[1]


def addresses(wires: Wires, node: Node, flags: int, **more: bytes) -> list[str]:
    ((_, code, reply),) = ask(wires, node, NODEADDR, flags=flags, **more)
    assert code == nodeinfo.SUCCESS
    return [ntop(one.addr) for one in nodeinfo.parse_addresses(reply.data)]


def test_a_name_is_told_with_the_nonce_from_the_address_that_was_asked(wires: Wires) -> None:
    h1 = named(wires)
    ((frame, code, reply),) = ask(wires, h1, FQDN)
    assert (frame.src, frame.dst, code) == ("2001:db8:1::1", "fe80::99", nodeinfo.SUCCESS)
    assert (reply.qtype, reply.flags, reply.nonce) == (FQDN, 0, NONCE)
    assert reply.data == bytes(4) + b"\x02h1\x07example\x03org\0"
    assert h1.counters()["icmp6.reflect"] == 1
    wires.account()


def test_a_name_without_a_dot_is_marked_as_not_fully_qualified(wires: Wires) -> None:
    h1 = named(wires, "h1")
    ((_, _, reply),) = ask(wires, h1, FQDN)
    assert reply.data == bytes(4) + b"\x02h1\0\0"


def test_a_query_without_subject_gets_the_older_form(wires: Wires) -> None:
    h1 = named(wires)
    ((_, _, reply),) = ask(wires, h1, FQDN, b"")
    assert reply.data == bytes(4) + b"\x0eh1.example.org"
    assert nodeinfo.parse_name_data(reply.data) == (0, ("h1.example.org",), True)


def test_noop_and_the_supported_types(wires: Wires) -> None:
    h1 = named(wires)
    ((_, code, reply),) = ask(wires, h1, NOOP)
    assert (code, reply) == (nodeinfo.SUCCESS, NodeInfo(NOOP, 0, NONCE))
    for subject, how in ((GLOBAL, BY_ADDRESS), (b"", BY_NAME)):
        ((_, code, reply),) = ask(wires, h1, SUPTYPES, subject, how)
        assert (code, nodeinfo.parse_suptypes(reply.flags, reply.data)) == (nodeinfo.SUCCESS, (0, 1, 2, 3))


@pytest.mark.parametrize("qtype", [IPV4ADDR, 5, 4000])
def test_a_type_that_is_not_known_is_answered_so(wires: Wires, qtype: int) -> None:
    ((_, code, reply),) = ask(wires, named(wires), qtype)
    assert (code, reply) == (nodeinfo.UNKNOWN, NodeInfo(qtype, 0, NONCE))


@pytest.mark.parametrize(
    ("subject", "code", "answered"),
    [
        (GLOBAL, BY_ADDRESS, True),
        (A("2001:db8:1::2"), BY_ADDRESS, False),
        (GLOBAL[:8], BY_ADDRESS, False),
        (LL, BY_ADDRESS, False),
        (nodeinfo.encode_name("h1"), BY_NAME, True),
        (nodeinfo.encode_name("H1.Example.ORG"), BY_NAME, True),
        (nodeinfo.encode_name("h1.example.com"), BY_NAME, False),
        (nodeinfo.encode_name("h2"), BY_NAME, False),
        (nodeinfo.encode_name("example.org"), BY_NAME, False),
        (b"\x09h1", BY_NAME, False),
        (b"", BY_NAME, False),
        (bytes((10, 0, 0, 1)), BY_IPV4, False),
    ],
)
def test_only_queries_about_this_node_are_answered(wires: Wires, subject: bytes, code: int, answered: bool) -> None:
    """An address of narrower scope than the destination is nobody's business there (KAME ni6_input)."""
    h1 = named(wires)
    assert len(ask(wires, h1, FQDN, subject, code)) == answered
    assert wires.drops(h1, 20) == ([] if answered else ["NI_NOT_MINE"])


def test_a_wider_address_may_be_asked_for_by_way_of_a_narrower_one(wires: Wires) -> None:
    assert names(wires, named(wires), GLOBAL, dst=LL) == ("h1.example.org",)


def test_the_group_of_the_name_is_joined_and_reported_on_each_interface(wires: Wires) -> None:
    h1 = wires.host("who")
    group = ntop(nodeinfo.name_group("who"))
    wires.run(to=20)
    assert row(h1, "groups", f"{group}%ne0").refcnt == 1
    reports = [one for one in wires.sent(h1, icmp.MLD_REPORT) if one.dst == group]
    assert len(reports) == 2
    ((frame, _, reply),) = ask(wires, h1, FQDN, nodeinfo.encode_name("who"), BY_NAME, dst=nodeinfo.name_group("who"))
    assert frame.src == "fe80::ff:fe00:1"
    assert nodeinfo.parse_name_data(reply.data)[1] == ("who",)


def test_another_name_is_another_group(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sethostname(h1, "sakura.example.org")
    wires.run(0.1)
    groups = [one.group for one in syscalls.rows(h1, "groups") if one.interface == "ne0" and "::2:" in one.group]
    assert groups == [f"{ntop(nodeinfo.name_group('sakura'))}%ne0"]
    old, new = (ntop(nodeinfo.name_group(one)) for one in ("h1", "sakura"))
    assert [A(old)] == [one.message[8:24] for one in wires.sent(h1, icmp.MLD_DONE)]
    assert new in [one.dst for one in wires.sent(h1, icmp.MLD_REPORT, 3)]
    before = len(wires.sent(h1))
    syscalls.sethostname(h1, "SAKURA.example.com")
    assert len(wires.sent(h1)) == before, "the group is that of the first label, in small letters"
    syscalls.sethostname(h1, "x" * 64)
    assert not [one for one in syscalls.rows(h1, "groups") if "::2:" in one.group], "no label, no group"


def test_addresses_by_scope(wires: Wires) -> None:
    h1 = named(wires)
    wires.address(h1, "fec0::1")
    wires.address(h1, "2001:db8:1::2", flags=("deprecated",))
    wires.address(h1, "2001:db8:1::3")
    wires.run(to=25)
    assert addresses(wires, h1, nodeinfo.LINKLOCAL) == ["fe80::ff:fe00:1"]
    assert addresses(wires, h1, nodeinfo.SITELOCAL) == ["fec0::1"]
    assert addresses(wires, h1, nodeinfo.GLOBAL) == ["2001:db8:1::1", "2001:db8:1::3", "2001:db8:1::2"]
    assert addresses(wires, h1, 0) == addresses(wires, h1, nodeinfo.COMPAT) == []


def test_addresses_of_all_interfaces_and_anycast_ones_only_when_asked_for(wires: Wires) -> None:
    wires.link("lan")
    wires.link("other")
    h1 = wires.node("h1", "lan", "other")
    wires.address(h1, "2001:db8:1::1")
    wires.address(h1, "2001:db8:1::a", flags=("anycast",))
    wires.address(h1, "2001:db8:2::1", "ne1")
    wires.run(to=5)
    asked = nodeinfo.GLOBAL
    assert addresses(wires, h1, asked) == ["2001:db8:1::1"]
    assert addresses(wires, h1, asked | nodeinfo.ALL) == ["2001:db8:1::1", "2001:db8:2::1"]
    assert addresses(wires, h1, asked | nodeinfo.ANYCAST) == ["2001:db8:1::1", "2001:db8:1::a"]
    assert addresses(wires, h1, asked, subject=A("2001:db8:2::1"), dst=LL) == ["2001:db8:2::1"]


def test_lifetimes_are_told(wires: Wires) -> None:
    h1 = named(wires)
    wires.address(h1, "2001:db8:1::7", vltime=1000, pltime=500)
    wires.run(to=30)
    ((_, _, reply),) = ask(wires, h1, NODEADDR, flags=nodeinfo.GLOBAL)
    assert nodeinfo.parse_addresses(reply.data) == (
        NodeAddress(0xFFFFFFFF, GLOBAL),
        NodeAddress(990, A("2001:db8:1::7")),
    )


def test_a_reply_never_needs_fragments_and_says_what_it_left_out(wires: Wires) -> None:
    h1 = named(wires)
    for number in range(62):
        wires.address(h1, f"2001:db8:1::{number + 0x100:x}")
    wires.run(to=25)
    ((frame, _, reply),) = ask(wires, h1, NODEADDR, flags=nodeinfo.GLOBAL)
    assert len(frame.packet) <= 1280
    assert reply.flags == nodeinfo.GLOBAL | nodeinfo.TRUNCATE
    assert len(nodeinfo.parse_addresses(reply.data)) == 61


@pytest.mark.parametrize(
    ("value", "qtype", "answered"),
    [(0, NOOP, 0), (1, FQDN, 1), (1, NODEADDR, 0), (2, FQDN, 0), (2, NODEADDR, 1), (2, NOOP, 1), (3, FQDN, 1)],
)
def test_what_the_sysctl_lets_be_answered(wires: Wires, value: int, qtype: int, answered: int) -> None:
    h1 = named(wires)
    syscalls.sysctl_set(h1, KNOB, value)
    assert len(ask(wires, h1, qtype)) == answered
    assert wires.drops(h1, 20) == ["NI_REFUSED"] * (1 - answered)


def test_a_refusal_may_be_said(wires: Wires) -> None:
    h1 = named(wires)
    syscalls.sysctl_set(h1, KNOB, 1)
    syscalls.sysctl_set(h1, KNOB + "_refuse", 1)
    ((_, code, reply),) = ask(wires, h1, NODEADDR)
    assert (code, reply) == (nodeinfo.REFUSED, NodeInfo(NODEADDR, 0, NONCE))


def test_who_asks_from_beyond_the_link_is_answered_only_with_bit_8(wires: Wires) -> None:
    """RFC 4620 8: the default refuses queries from global addresses."""
    h1 = named(wires)
    source = A("2001:db8:1::5")
    wires.inject(h1, icmp6(source, GLOBAL, icmp.NI_QUERY, nodeinfo.query_body(FQDN, NONCE, GLOBAL)))
    assert wires.drops(h1, 20) == ["NI_REFUSED"]
    syscalls.sysctl_set(h1, KNOB, 3 | 8)
    wires.inject(h1, icmp6(source, GLOBAL, icmp.NI_QUERY, nodeinfo.query_body(FQDN, NONCE, GLOBAL)))
    assert wires.drops(h1, 20) == ["NI_REFUSED"]
    assert h1.counters()["icmp6.reflect"] == 1


def test_a_node_asks_itself(wires: Wires) -> None:
    h1 = named(wires)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    message = icmp.build(bytes(16), bytes(16), icmp.NI_QUERY, BY_ADDRESS, nodeinfo.query_body(FQDN, NONCE, A("::1")))
    syscalls.sendmsg(h1, sid, message, A("::1"))
    wires.run(0.1)
    heard = []
    while (one := syscalls.recvmsg(h1, sid)) is not None:
        heard.append(one.data[0])
    assert heard == [icmp.NI_QUERY, icmp.NI_REPLY]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (icmp6(STRANGER, GLOBAL, icmp.NI_QUERY, bytes(11)), "ICMP6_BADLEN"),
        (icmp6(STRANGER, GLOBAL, icmp.NI_QUERY, bytes(12), code=3), "ICMP6_BADCODE"),
        (icmp6(STRANGER, GLOBAL, icmp.NI_REPLY, bytes(11)), "ICMP6_BADLEN"),
        (icmp6(bytes(16), GLOBAL, icmp.NI_QUERY, bytes(12)), "NI_REFUSED"),
    ],
)
def test_broken_messages(wires: Wires, packet: bytes, reason: str) -> None:
    h1 = named(wires)
    wires.inject(h1, packet)
    assert wires.drops(h1, 20) == [reason]
