"""The listener's states (RFC 2710 5), and memberships where interfaces come, go, and have no address."""

from __future__ import annotations

from typing import Any

import pytest
from wires import FORWARDING, STRANGER, A, Wires, icmp6, mld_message, row, scoped

from kamelab.core.errors import ENOBUFS, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6 import mld6, mld6_state
from kamelab.stack.node import Node
from kamelab.stack.state import Filter
from kamelab.wire import exthdr, ip6, mld
from kamelab.wire import icmp6 as icmp

GROUP = A("ff02::77")
REPORT, DONE, QUERY = icmp.MLD_REPORT, icmp.MLD_DONE, icmp.MLD_QUERY
MLDV2 = "net.inet6.icmp6.mldv2"


def settled(wires: Wires, **options: Any) -> Node:
    wires.link("lan")
    h1 = wires.node("h1", "lan", **options)
    wires.run(to=20)
    return h1


def join(node: Node, group: bytes = GROUP, kind: str = "udp6", proto: int = 0) -> int:
    sid = syscalls.socket(node, 0, kind, proto)
    syscalls.setsockopt(node, sid, "IPV6_JOIN_GROUP", (group, 1))
    return sid


def about(wires: Wires, node: Node, kind: int, since: float) -> list[float]:
    return [one.at for one in wires.sent(node, kind, since) if one.message[8:24] == GROUP]


def steps(wires: Wires, node: Node) -> set[tuple[str, str, str]]:
    """(state, event, new state) of the records about ff02::77."""
    out = set()
    for record in wires.records(node, "state"):
        if record.stage == "mld6" and record.note.startswith("ff02::77%"):
            old, _, new = record.reason.partition(" > ")
            out.add((old, record.note.split()[1], new))
    return out


def test_every_transition_of_the_table_happens_and_no_other(wires: Wires) -> None:
    h1 = settled(wires)
    sid = join(h1)
    assert row(h1, "groups", "ff02::77%ne0").state == "delaying"
    wires.inject(h1, mld_message(QUERY, GROUP, delay=1))
    wires.run(11)
    assert row(h1, "groups", "ff02::77%ne0").state == "idle"
    wires.inject(h1, mld_message(REPORT, GROUP))
    wires.inject(h1, mld_message(QUERY, GROUP, delay=1000))
    wires.inject(h1, mld_message(REPORT, GROUP))
    for wait in (0, 11):
        for up in (False, True):
            syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=up)
        wires.run(wait)
    syscalls.close(h1, sid)
    syscalls.close(h1, join(h1))
    syscalls.sysctl_set(h1, MLDV2, 1)
    sid = join(h1)
    body = mld.QueryV2(1000, GROUP, False, 2, 125).pack()
    alert = exthdr.router_alert(58)
    message = icmp.build(STRANGER, GROUP, QUERY, 0, body)
    wires.inject(h1, ip6.build(STRANGER, GROUP, 0, alert + message, hlim=1))
    message = icmp.build(STRANGER, GROUP, QUERY, 0, mld.Mld(5000, GROUP).pack())
    wires.inject(h1, ip6.build(STRANGER, GROUP, 0, alert + message, hlim=1))
    expected = {(old, event, new) for (old, event), (new, _) in mld6_state.TRANSITIONS.items()}
    assert steps(wires, h1) == expected
    assert all(record.rule for record in wires.records(h1, "state"))
    wires.account()


def test_a_report_is_caused_by_the_step_that_armed_its_timer(wires: Wires) -> None:
    h1 = settled(wires)
    join(h1)
    wires.run(11)
    sent = [r for r in wires.net.trace.all() if r.event == "tx" and r.frame[54 + 8 + 8 : 54 + 24 + 8] == GROUP]
    by_number = {r.num: r for r in wires.net.trace.all()}
    causes = [by_number[r.cause].reason for r in sent[-1:]]
    assert causes == ["delaying > idle"]


def test_ff02_1_is_silent_from_the_start(wires: Wires) -> None:
    h1 = settled(wires)
    states = {one.group: one.state for one in syscalls.rows(h1, "groups") if one.interface == "ne0"}
    assert (states["ff02::1%ne0"], states["ff01::1%ne0"]) == ("silent", "silent")
    assert not [r for r in wires.records(h1, "state") if r.stage == "mld6" and r.note.startswith(("ff02::1%", "ff01:"))]


def test_an_interface_without_any_address_reports_from_nothing(wires: Wires) -> None:
    """A socket may join there; RFC 3590 4 gives the source (KAME IMPLEMENTATION 1.14 (2001))."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    syscalls.sysctl_set(h1, "net.inet6.ip6.auto_linklocal", 0)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    sid = join(h1)
    wires.run(to=20)
    assert [one for one in syscalls.rows(h1, "addresses") if one.interface == "ne0"] == []
    reports = [one for one in wires.sent(h1, REPORT) if one.message[8:24] == GROUP]
    assert [(one.src, one.dst, one.hlim) for one in reports] == [("::", "ff02::77", 1)] * 2
    wires.inject(h1, mld_message(QUERY, GROUP, delay=100))
    wires.run(1)
    assert len(about(wires, h1, REPORT, 20)) == 1
    syscalls.close(h1, sid)
    assert [one.src for one in wires.sent(h1, DONE)] == ["::"]


def test_joined_while_the_interface_is_down_and_reported_when_it_comes_up(wires: Wires) -> None:
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    join(h1)
    wires.run(to=5)
    assert wires.sent(h1, REPORT) == []
    assert row(h1, "groups", "ff02::77%ne0").state == "non-listener"
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(to=20)
    assert about(wires, h1, REPORT, 0)[0] == 5
    assert len(about(wires, h1, REPORT, 0)) == 2


def test_left_while_the_interface_is_down_nothing_is_said(wires: Wires) -> None:
    h1 = settled(wires)
    sid = join(h1)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    syscalls.close(h1, sid)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(11)
    assert wires.sent(h1, DONE) == []
    assert len(about(wires, h1, REPORT, 20)) == 1, "the one at joining"


def test_a_report_of_another_while_idle_takes_the_done_away(wires: Wires) -> None:
    """KAME forgets that its report was the last, whatever the state."""
    h1 = settled(wires)
    sid = join(h1)
    wires.run(11)
    wires.inject(h1, mld_message(REPORT, GROUP))
    syscalls.close(h1, sid)
    assert wires.sent(h1, DONE) == []


def test_a_report_from_no_link_local_address_does_not_count(wires: Wires) -> None:
    h1 = settled(wires)
    sid = join(h1)
    wires.run(11)
    for src in (A("2001:db8::5"), bytes(16)):
        wires.inject(h1, mld_message(REPORT, GROUP, src=src))
    syscalls.close(h1, sid)
    assert len(wires.sent(h1, DONE)) == 1
    assert wires.drops(h1, 20) == ["MLD_NOT_LINKLOCAL"] * 2


@pytest.mark.parametrize("kind", [REPORT, DONE])
def test_messages_about_no_group_are_dropped(wires: Wires, kind: int) -> None:
    h1 = settled(wires)
    wires.inject(h1, mld_message(kind, A("2001:db8::77"), dst=A("ff02::1")))
    wires.inject(h1, mld_message(kind, bytes(16)))
    assert wires.drops(h1, 20) == ["MLD_BADGROUP"] * 2


def test_a_short_message_is_dropped(wires: Wires) -> None:
    h1 = settled(wires)
    wires.inject(h1, icmp6(STRANGER, A("ff02::1"), QUERY, bytes(19), hlim=1))
    assert wires.drops(h1, 20) == ["ICMP6_BADLEN"]


def test_512_groups_and_no_more(wires: Wires) -> None:
    h1 = settled(wires)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    room = mld6.GROUP_LIMIT - len(h1.interfaces["ne0"].groups)
    for number in range(room):
        syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (A(f"ff05::1:{number:x}"), 1))
    with pytest.raises(Errno) as refusal:
        syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (A("ff05::2"), 1))
    assert refusal.value.number == ENOBUFS
    wires.address(h1, "2001:db8:1::1:2345")
    assert row(h1, "groups", "ff02::1:ff01:2345%ne0").refcnt == 1, "addresses bring theirs all the same"
    syscalls.close(h1, sid)
    assert len(h1.interfaces["ne0"].groups) < room


# -- the group of all groups -----------------------------------------------------------------------------------------


def listened(wires: Wires, forwarding: int) -> tuple[Node, list[bytes]]:
    """What a raw socket that joined :: hears when a stranger reports ff05::99, which nobody else joined."""
    h1 = settled(wires, forwarding=forwarding)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    syscalls.setsockopt(h1, sid, "ICMP6_FILTER", (REPORT,))
    syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (bytes(16), 1))
    group = A("ff05::99")
    message = icmp.build(STRANGER, group, REPORT, 0, mld.Mld(0, group).pack())
    wires.inject(h1, ip6.build(STRANGER, group, 0, exthdr.router_alert(58) + message, hlim=1))
    wires.inject(h1, ip6.build(STRANGER, A("ff05::98"), 17, bytes(8)))
    heard = []
    while (found := syscalls.recvmsg(h1, sid)) is not None:
        heard.append(found.dst)
    return h1, heard


def test_a_router_hears_reports_for_groups_that_it_is_no_member_of(wires: Wires) -> None:
    r1, heard = listened(wires, 1)
    assert heard == [A("ff05::99")]
    assert wires.drops(r1, 20) == ["IP6_NOTMEMBER"], "other packets to such groups are not taken"
    entry = row(r1, "groups", "::")
    assert (entry.state, entry.lladdr) == ("silent", "33:33:00:00:00:00 -- 33:33:ff:ff:ff:ff")
    wires.account()


def test_a_host_does_not(wires: Wires) -> None:
    h1, heard = listened(wires, 0)
    assert heard == []
    assert wires.drops(h1, 20) == ["IP6_NOTMEMBER"] * 2
    wires.account()


def test_the_filter_closes_when_the_querier_ends(wires: Wires) -> None:
    h1 = settled(wires)
    syscalls.sysctl_set(h1, FORWARDING, 1)
    sid = join(h1, bytes(16), "raw6", 58)
    frame = b"\x33\x33\0\0\0\x99" + bytes(8)
    assert h1.accepts(h1.interfaces["ne0"], frame, False)
    assert not h1.accepts(h1.interfaces["ne0"], b"\x01\0\x5e\0\0\x01" + bytes(8), False), "IPv6's groups only"
    syscalls.close(h1, sid)
    assert not h1.accepts(h1.interfaces["ne0"], frame, False)
    assert wires.sent(h1, DONE) == []


def test_a_querier_hears_the_reports_of_its_own_node(wires: Wires) -> None:
    h1 = settled(wires, forwarding=1)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    syscalls.setsockopt(h1, sid, "ICMP6_FILTER", (REPORT,))
    syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (bytes(16), 1))
    member = join(h1)
    wires.run(11)
    heard = []
    while (found := syscalls.recvmsg(h1, sid)) is not None:
        heard.append(found.data[8:24])
    assert heard == [GROUP, GROUP]
    assert row(h1, "groups", "ff02::77%ne0").state == "idle"
    syscalls.close(h1, member)
    assert len(wires.sent(h1, DONE)) == 1, "its own report does not take its done away"


# -- filters put together (RFC 3810 4.2) -----------------------------------------------------------------------------

S1, S2, S3 = A("2001:db8::1"), A("2001:db8::2"), A("2001:db8::3")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], Filter(False)),
        ([Filter(False, (S1,)), Filter(False, (S2,))], Filter(False, (S1, S2))),
        ([Filter(True, (S1, S2)), Filter(True, (S2, S3))], Filter(True, (S2,))),
        ([Filter(True, (S1, S2)), Filter(False, (S2, S3))], Filter(True, (S1,))),
        ([Filter(True), Filter(False, (S1,))], Filter(True)),
        ([Filter(False, (S1, S2)), Filter(False, (S3,))], Filter(True)),
    ],
)
def test_the_interface_wants_what_any_member_wants(members: list[Filter], expected: Filter) -> None:
    """The last case has more sources than the limit of 2: then everybody is heard."""
    assert mld6.merged(dict.fromkeys(members, 1), 2) == expected


def test_members_with_sources_are_counted(wires: Wires) -> None:
    h1 = settled(wires)
    iface = h1.interfaces["ne0"]
    group = scoped(iface, GROUP)
    h1.perform(mld6.in6_addmulti_source(h1, iface, group, S1))
    h1.perform(mld6.in6_addmulti_source(h1, iface, group, S2))
    entry = row(h1, "groups", "ff02::77%ne0")
    assert (entry.refcnt, entry.mode, entry.sources) == (2, "include", ("2001:db8::1", "2001:db8::2"))
    h1.perform(mld6.in6_delmulti_source(h1, iface, group, S1))
    h1.perform(mld6.in6_delmulti_source(h1, iface, group, S3))
    assert row(h1, "groups", "ff02::77%ne0").sources == ("2001:db8::2",)
    h1.perform(mld6.in6_delmulti_source(h1, iface, group, S2))
    assert group not in iface.groups
    assert len(wires.sent(h1, DONE)) == 1
