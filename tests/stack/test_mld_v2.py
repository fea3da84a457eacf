"""The listener's side of version 2: what is reported as filters change, and what queries are answered (RFC 3810)."""

from __future__ import annotations

from typing import Any

import pytest
from wires import STRANGER, A, Wires, datagram, row

from kamelab.core.errors import EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import exthdr, ip6, mld
from kamelab.wire import icmp6 as icmp
from kamelab.wire.mld import ALLOW, BLOCK, IS_EX, IS_IN, TO_EX, TO_IN, QueryV2, Record

GROUP = A("ff02::77")
S1, S2, S3 = A("fe80::a1"), A("fe80::a2"), A("fe80::a3")
ICMP6 = "net.inet6.icmp6."
REPORT, QUERY = icmp.MLDV2_REPORT, icmp.MLD_QUERY
JOIN, LEAVE = "MCAST_JOIN_SOURCE_GROUP", "MCAST_LEAVE_SOURCE_GROUP"


def speaker(wires: Wires, **sysctls: int) -> Node:
    """A host that speaks version 2, its own first reports over, at 20 s."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    for name, value in {"mldv2": 1, **sysctls}.items():
        syscalls.sysctl_set(h1, ICMP6 + name, value)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(to=20)
    return h1


def udp(node: Node, port: int = 0) -> int:
    sid = syscalls.socket(node, 0, "udp6", 0)
    if port:
        syscalls.bind(node, sid, bytes(16), port, 0)
    return sid


def put(node: Node, sid: int, name: str, *value: Any) -> None:
    syscalls.setsockopt(node, sid, name, (1, GROUP, *value))


def join(node: Node, sid: int) -> None:
    syscalls.setsockopt(node, sid, "IPV6_JOIN_GROUP", (GROUP, 1))


def told(wires: Wires, node: Node, since: float = 20) -> list[tuple[float, tuple[Record, ...]]]:
    """(seconds, records) of the reports."""
    return [(one.at, mld.parse_v2_report(one.message[4:])) for one in wires.sent(node, REPORT, since)]


def said(wires: Wires, node: Node, since: float = 20) -> list[tuple[int, tuple[bytes, ...]]]:
    """(type, sources) of the records about ff02::77."""
    records = [record for _, found in told(wires, node, since) for record in found]
    return [(record.type, record.sources) for record in records if record.group == GROUP]


def query(group: bytes = bytes(16), *sources: bytes, delay: int = 1000, robustness: int = 2,
          interval: int = 125) -> bytes:  # fmt: skip
    """A version 2 query of a stranger, as it must be."""
    dst = A("ff02::1") if group == bytes(16) else group
    body = QueryV2(delay, group, False, robustness, interval, sources).pack()
    return ip6.build(STRANGER, dst, 0, exthdr.router_alert(58) + icmp.build(STRANGER, dst, QUERY, 0, body), hlim=1)


def old_query(group: bytes = bytes(16), delay: int = 1000) -> bytes:
    """A version 1 query with router alert."""
    dst = A("ff02::1") if group == bytes(16) else group
    message = icmp.build(STRANGER, dst, QUERY, 0, mld.Mld(delay, group).pack())
    return ip6.build(STRANGER, dst, 0, exthdr.router_alert(58) + message, hlim=1)


# -- changes ---------------------------------------------------------------------------------------------------------


def test_an_interface_that_comes_up_reports_in_version_2(wires: Wires) -> None:
    h1 = speaker(wires)
    sent = wires.sent(h1, REPORT)
    assert {(one.dst, one.hlim) for one in sent} == {("ff02::16", 1)}
    assert all(one.packet[40:48] == bytes.fromhex("3a00050200000100") for one in sent), "router alert"
    records = [record for _, found in told(wires, h1, 0) for record in found]
    solicited = [record for record in records if record.group == A("ff02::1:ff00:1")]
    assert solicited == [Record(TO_EX, A("ff02::1:ff00:1"), ())] * 2
    assert sent[0].src == "::", "no address is ready yet"
    assert wires.sent(h1, icmp.MLD_REPORT) == []


def test_joining_and_leaving_are_told_twice(wires: Wires) -> None:
    """At once, and again within a second (RFC 3810 6.1, 9.11)."""
    h1 = speaker(wires)
    sid = udp(h1)
    join(h1, sid)
    wires.run(5)
    (first, one), (again, two) = told(wires, h1)
    assert one == two == (Record(TO_EX, GROUP, ()),)
    assert first == 20
    assert 20 < again <= 21
    syscalls.close(h1, sid)
    wires.run(5)
    assert said(wires, h1, 25) == [(TO_IN, ())] * 2
    assert wires.sent(h1, icmp.MLD_DONE) == []
    wires.account()


def test_sources_are_allowed_and_blocked(wires: Wires) -> None:
    h1 = speaker(wires)
    sid = udp(h1)
    put(h1, sid, JOIN, S1)
    wires.run(2)
    put(h1, sid, JOIN, S2)
    wires.run(2)
    put(h1, sid, LEAVE, S1)
    wires.run(2)
    syscalls.close(h1, sid)
    wires.run(2)
    assert said(wires, h1) == [
        *[(ALLOW, (S1,))] * 2,
        *[(ALLOW, (S2,))] * 2,
        *[(BLOCK, (S1,))] * 2,
        *[(BLOCK, (S2,))] * 2,
    ]


def test_a_second_member_s_wishes_are_put_to_the_first_s(wires: Wires) -> None:
    h1 = speaker(wires)
    one, two = udp(h1), udp(h1)
    put(h1, one, JOIN, S1)
    wires.run(2)
    put(h1, two, "MCAST_MSFILTER", "exclude", (S1, S2))
    wires.run(2)
    entry = row(h1, "groups", "ff02::77%ne0")
    assert (entry.mode, entry.sources, entry.refcnt) == ("exclude", ("fe80::a2",), 2)
    syscalls.close(h1, one)
    wires.run(2)
    put(h1, two, "MCAST_UNBLOCK_SOURCE", S2)
    wires.run(2)
    assert said(wires, h1)[::2] == [(ALLOW, (S1,)), (TO_EX, (S2,)), (BLOCK, (S1,)), (ALLOW, (S2,))]
    assert said(wires, h1)[1::2] == said(wires, h1)[::2]


def test_a_second_change_before_the_first_is_repeated(wires: Wires) -> None:
    """What is repeated is what is true then (RFC 3810 6.1)."""
    h1 = speaker(wires)
    sid = udp(h1)
    put(h1, sid, JOIN, S1)
    put(h1, sid, LEAVE, S1)
    wires.run(3)
    assert said(wires, h1) == [(ALLOW, (S1,)), (BLOCK, (S1,)), (BLOCK, (S1,))]


def test_the_robustness_variable_of_the_querier_counts(wires: Wires) -> None:
    h1 = speaker(wires)
    wires.inject(h1, query(A("ff02::1:ff00:1"), robustness=4))
    wires.run(2)
    join(h1, udp(h1))
    wires.run(5)
    assert said(wires, h1, 22) == [(TO_EX, ())] * 4


def test_an_interface_that_goes_down_forgets_what_it_had_to_say(wires: Wires) -> None:
    h1 = speaker(wires)
    join(h1, udp(h1))
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    wires.run(5)
    assert said(wires, h1) == [(TO_EX, ())]
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(5)
    assert said(wires, h1, 25) == [(TO_EX, ())] * 2


# -- queries ---------------------------------------------------------------------------------------------------------


def test_a_general_query_has_one_answer_for_all_groups(wires: Wires) -> None:
    h1 = speaker(wires)
    one, two = udp(h1), udp(h1)
    join(h1, one)
    syscalls.setsockopt(h1, two, JOIN, (1, A("ff05::88"), S1))
    wires.run(5)
    wires.inject(h1, query(delay=5000))
    wires.run(6)
    ((at, records),) = told(wires, h1, 25)
    assert 25 <= at <= 30
    assert {(r.type, r.group, r.sources) for r in records} >= {(IS_EX, GROUP, ()), (IS_IN, A("ff05::88"), (S1,))}
    assert A("ff02::1") not in {r.group for r in records}
    wires.account()


def test_a_general_query_while_an_earlier_answer_is_due_changes_nothing(wires: Wires) -> None:
    h1 = speaker(wires)
    wires.inject(h1, query(delay=1))
    wires.inject(h1, query(delay=30000))
    wires.inject(h1, query(GROUP, delay=30000))
    wires.run(40)
    assert [at for at, _ in told(wires, h1)] == [pytest.approx(20, abs=0.002)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [((), [(IS_IN, (S1, S2))]), ((S2, S3), [(IS_IN, (S2,))]), ((S3,), [])],
)
def test_a_query_about_sources_of_a_group_that_includes(wires: Wires, asked: tuple[bytes, ...], expected: Any) -> None:
    h1 = speaker(wires)
    put(h1, udp(h1), "MCAST_MSFILTER", "include", (S1, S2))
    wires.run(5)
    wires.inject(h1, query(GROUP, *asked))
    assert row(h1, "groups", "ff02::77%ne0").state == "delaying"
    wires.run(5)
    assert said(wires, h1, 25) == expected
    assert row(h1, "groups", "ff02::77%ne0").state == "idle"


@pytest.mark.parametrize(("asked", "expected"), [((), [(IS_EX, (S1,))]), ((S1, S2), [(IS_IN, (S2,))]), ((S1,), [])])
def test_a_query_about_sources_of_a_group_that_excludes(wires: Wires, asked: tuple[bytes, ...], expected: Any) -> None:
    h1 = speaker(wires)
    put(h1, udp(h1), "MCAST_MSFILTER", "exclude", (S1,))
    wires.run(5)
    wires.inject(h1, query(GROUP, *asked))
    wires.run(5)
    assert said(wires, h1, 25) == expected


def test_sources_asked_for_one_after_the_other_are_answered_together(wires: Wires) -> None:
    h1 = speaker(wires)
    join(h1, udp(h1))
    wires.run(5)
    wires.inject(h1, query(GROUP, S2))
    wires.inject(h1, query(GROUP, S1))
    wires.run(5)
    assert said(wires, h1, 25) == [(IS_IN, (S1, S2))]
    wires.inject(h1, query(GROUP, S2))
    wires.inject(h1, query(GROUP))
    wires.run(5)
    assert said(wires, h1, 30) == [(IS_EX, ())], "about the whole group, that is"


def test_many_groups_take_several_packets_within_the_mtu(wires: Wires) -> None:
    h1 = speaker(wires)
    syscalls.ioctl(h1, "SIOCSIFMTU", "ne0", mtu=1280)
    sid = udp(h1)
    for number in range(150):
        syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (A(f"ff05::1:{number:x}"), 1))
    wires.run(5)
    wires.inject(h1, query())
    wires.run(2)
    sent = wires.sent(h1, REPORT, 25)
    assert [len(one.packet) <= 1280 for one in sent] == [True] * 3
    groups = [record.group for _, records in told(wires, h1, 25) for record in records]
    assert len(groups) == len(set(groups)) == 152


def test_many_sources_take_several_records_but_exceptions_are_cut_off(wires: Wires) -> None:
    """RFC 3810 5.2.15."""
    h1 = speaker(wires)
    syscalls.ioctl(h1, "SIOCSIFMTU", "ne0", mtu=1280)
    sources = tuple(A(f"fe80::b:{number:x}") for number in range(100))
    sid = udp(h1)
    put(h1, sid, "MCAST_MSFILTER", "include", sources)
    wires.run(0.0001)
    assert [(kind, len(some)) for kind, some in said(wires, h1)] == [(ALLOW, 75), (ALLOW, 25)]
    wires.run(5)
    put(h1, sid, "MCAST_MSFILTER", "exclude", sources)
    assert [(kind, len(some)) for kind, some in said(wires, h1, 25)] == [(TO_EX, 75)]


# -- older queriers (RFC 3810 8.2) -----------------------------------------------------------------------------------


def test_a_querier_of_version_1_is_spoken_to_in_version_1_for_260_seconds(wires: Wires) -> None:
    h1 = speaker(wires)
    wires.inject(h1, old_query())
    join(h1, udp(h1))
    wires.run(11)
    assert told(wires, h1) == []
    assert {one.dst for one in wires.sent(h1, icmp.MLD_REPORT, 20)} >= {"ff02::77", "ff02::1:ff00:1"}
    wires.inject(h1, query())
    wires.run(2)
    assert told(wires, h1) == [], "its own words in version 1, too"
    wires.run(to=281)
    wires.inject(h1, query())
    wires.run(2)
    assert (IS_EX, ()) in said(wires, h1)
    modes = [(at, what) for at, what in wires.states(h1, "mld6", 20) if what.startswith("version")]
    assert modes == [(20, "version 2 > version 1"), (280, "version 1 > version 2")]
    wires.account()


def test_pending_answers_of_version_2_are_forgotten_then(wires: Wires) -> None:
    h1 = speaker(wires)
    join(h1, udp(h1))
    wires.inject(h1, query(delay=30000))
    wires.inject(h1, old_query(A("ff02::1:ff00:1")))
    wires.run(40)
    assert said(wires, h1) == [(TO_EX, ())]
    assert [one.dst for one in wires.sent(h1, icmp.MLD_REPORT, 20)] == ["ff02::1:ff00:1"]


def test_mldalwaysv2_keeps_to_version_2(wires: Wires) -> None:
    h1 = speaker(wires, mldalwaysv2=1)
    join(h1, udp(h1))
    wires.run(5)
    wires.inject(h1, old_query(GROUP))
    wires.run(5)
    assert said(wires, h1, 25) == [(IS_EX, ())]
    assert wires.sent(h1, icmp.MLD_REPORT) == []


def test_without_mldv2_a_version_2_query_is_read_as_one_of_version_1(wires: Wires) -> None:
    h1 = speaker(wires, mldv2=0)
    join(h1, udp(h1))
    wires.run(11)
    wires.inject(h1, query(GROUP))
    wires.run(2)
    assert [one.dst for one in wires.sent(h1, icmp.MLD_REPORT, 31)] == ["ff02::77"]
    assert wires.sent(h1, REPORT) == []


# -- what is not taken -----------------------------------------------------------------------------------------------


def test_a_query_without_router_alert_or_of_odd_length_is_dropped(wires: Wires) -> None:
    h1 = speaker(wires)
    body = QueryV2(1000, bytes(16), False, 2, 125).pack()
    to = A("ff02::1")
    wires.inject(h1, ip6.build(STRANGER, to, 58, icmp.build(STRANGER, to, QUERY, 0, body), hlim=1))
    for bad in (body[:-1], body[:-2] + b"\0\1"):
        message = exthdr.router_alert(58) + icmp.build(STRANGER, to, QUERY, 0, bad)
        wires.inject(h1, ip6.build(STRANGER, to, 0, message, hlim=1))
    wires.run(11)
    assert wires.drops(h1, 20) == ["MLD_NO_ALERT", "MLD_BADLEN", "ICMP6_BADLEN"]
    assert told(wires, h1) == []


# -- sockets (RFC 3678) ----------------------------------------------------------------------------------------------


def test_a_socket_hears_the_senders_that_it_wants(wires: Wires) -> None:
    h1 = speaker(wires)
    some, others, everyone = udp(h1, 9), udp(h1, 10), udp(h1, 11)
    put(h1, some, JOIN, S1)
    join(h1, others)
    put(h1, others, "MCAST_BLOCK_SOURCE", S1)
    join(h1, everyone)
    for source in (S1, S2):
        for port in (9, 10, 11):
            wires.inject(h1, datagram(source, GROUP, port))
    heard = []
    for sid in (some, others, everyone):
        while (message := syscalls.recvmsg(h1, sid)) is not None:
            heard.append((sid, message.addr))
    assert heard == [(some, S1), (others, S2), (everyone, S1), (everyone, S2)]
    assert wires.drops(h1, 20) == ["UDP_NOPORT_MULTICAST"] * 2
    assert syscalls.getsockopt(h1, others, "MCAST_MSFILTER") == ((1, GROUP, "exclude", (S1,)),)
    wires.account()


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        (JOIN, (S1,), EADDRINUSE),
        (LEAVE, (S3,), EADDRNOTAVAIL),
        (JOIN, (GROUP,), EINVAL),
        ("MCAST_BLOCK_SOURCE", (S1,), EINVAL),
        ("MCAST_MSFILTER", ("sometimes", ()), EINVAL),
        ("MCAST_MSFILTER", ("exclude", (S1, S2, S3)), ENOBUFS),
    ],
)
def test_filters_that_cannot_be(wires: Wires, name: str, value: Any, number: int) -> None:
    h1 = speaker(wires, mldsomaxsrc=2)
    sid = udp(h1)
    put(h1, sid, JOIN, S1)
    with pytest.raises(Errno) as refusal:
        put(h1, sid, name, *value)
    assert refusal.value.number == number
    assert row(h1, "groups", "ff02::77%ne0").sources == ("fe80::a1",)


def test_more_sources_than_the_interface_can_hold(wires: Wires) -> None:
    """One socket with too many is refused; together they make the interface take everybody's packets."""
    h1 = speaker(wires, mldmaxsrcfilter=2)
    one, two = udp(h1), udp(h1)
    with pytest.raises(Errno) as refusal:
        put(h1, one, "MCAST_MSFILTER", "include", (S1, S2, S3))
    assert refusal.value.number == ENOBUFS
    put(h1, one, "MCAST_MSFILTER", "include", (S1, S2))
    put(h1, two, JOIN, S3)
    entry = row(h1, "groups", "ff02::77%ne0")
    assert (entry.mode, entry.sources) == ("exclude", ())
    syscalls.close(h1, two)
    assert row(h1, "groups", "ff02::77%ne0").mode == "include"
