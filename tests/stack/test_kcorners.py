"""Corners of the kernel below TCP: blackholes, taps beside queriers, path MTUs where no path is, bounds on queries."""

from __future__ import annotations

import pytest
from wires import STRANGER, A, Wires, datagram, icmp6, neighbor, ns

from kamelab.core.errors import EHOSTUNREACH, EMSGSIZE, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, in6, ip6, mld
from kamelab.wire import icmp6 as icmp
from kamelab.wire.in6 import LOOPBACK

GLOBAL = A("2001:db8:1::1")
FAR = A("2001:db8:9::9")


def flagged(wires: Wires, flag: str) -> Node:
    """A host with a route to 2001:db8:9::/48 that leads nowhere."""
    h1 = wires.host()
    syscalls.route(h1, "add", destination=A("2001:db8:9::"), plen=48, gateway=LOOPBACK, flags=(flag,))
    return h1


# -- blackholes ------------------------------------------------------------------------------------------------------


def test_a_program_hears_nothing_of_a_blackhole(wires: Wires) -> None:
    """BSD looutput returns 0 for RTF_BLACKHOLE, and connect(2) finds a route and a source address."""
    h1 = flagged(wires, "blackhole")
    sid = syscalls.socket(h1, 0, "udp6", 0)
    assert syscalls.sendmsg(h1, sid, b"data", FAR, 9) == 4
    syscalls.connect(h1, sid, FAR, 9, 0)
    assert syscalls.getsockname(h1, sid)[0] == GLOBAL
    assert syscalls.sendmsg(h1, sid, b"data") == 4
    assert wires.drops(h1) == ["OUT_BLACKHOLE", "OUT_BLACKHOLE"]
    assert wires.sent(h1, since=3) == []
    assert not h1.sockets[sid].error
    wires.account()


def test_a_connection_into_a_blackhole_is_tried_until_its_time_is_over(wires: Wires) -> None:
    h1 = flagged(wires, "blackhole")
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    assert not syscalls.connect_stream(h1, sid, FAR, 80)
    wires.run(10)
    assert wires.drops(h1) == ["OUT_BLACKHOLE"] * 4


def test_neither_an_interface_nor_a_next_hop_leads_around_a_blackhole(wires: Wires) -> None:
    h1 = flagged(wires, "blackhole")
    out = Output("test", FAR, 17, bytes(8), oif=h1.interfaces["ne0"])
    assert wires.output(h1, out) == 0
    assert wires.drops(h1) == ["OUT_BLACKHOLE"]
    assert neighbor(h1, FAR) is None


def test_a_rejecting_route_is_told_of(wires: Wires) -> None:
    h1 = flagged(wires, "reject")
    sid = syscalls.socket(h1, 0, "udp6", 0)
    with pytest.raises(Errno) as caught:
        syscalls.connect(h1, sid, FAR, 9, 0)
    assert caught.value.number == EHOSTUNREACH


# -- path MTUs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["reject", "blackhole"])
def test_a_too_big_message_does_not_open_a_route_that_leads_nowhere(flag: str) -> None:
    """Nothing of ours can have gone there: a host route with an MTU would lead around it."""
    wires = Wires()
    h1 = flagged(wires, flag)
    wires.inject(h1, ns(A("fe80::ff:fe00:1")))
    quoted = datagram(GLOBAL, FAR)
    wires.inject(h1, icmp6(STRANGER, GLOBAL, icmp.PACKET_TOO_BIG, icmp.error_body(1300, quoted)))
    assert not [one for one in syscalls.rows(h1, "routes") if one.mtu]
    wires.output(h1, Output("test", FAR, 17, bytes(8)))
    assert wires.drops(h1) == ["OUT_NOROUTE" if flag == "reject" else "OUT_BLACKHOLE"]


def test_the_path_mtu_counts_for_a_packet_whose_next_hop_was_named(wires: Wires) -> None:
    """RFC 3542 6.6 changes the first hop, not what the path to the destination carries (KAME ip6_getpmtu)."""
    h1 = wires.host()
    wires.inject(h1, ns(A("fe80::ff:fe00:1")))
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=STRANGER, gateway_zone=1)
    wires.inject(h1, icmp6(STRANGER, GLOBAL, icmp.PACKET_TOO_BIG, icmp.error_body(1300, datagram(GLOBAL, FAR))))
    out = Output("test", FAR, 17, bytes(1400))
    out.nexthop = STRANGER[:2] + b"\0\1" + STRANGER[4:]
    before = len(wires.sent(h1))
    assert wires.output(h1, out) == 0
    assert [len(one.packet) <= 1300 for one in wires.sent(h1)[before:]] == [True, True]


def test_a_packet_too_long_for_its_source_route_is_refused_as_that(wires: Wires) -> None:
    """There is no path MTU to tell of where no route leads to the last destination."""
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    for name in ("IPV6_DONTFRAG", "IPV6_RECVPATHMTU"):
        syscalls.setsockopt(h1, sid, name, 1)
    syscalls.setsockopt(h1, sid, "IPV6_RTHDR", exthdr.build_routing0(0, 1, (A("2001:db8:1::5"),)))
    with pytest.raises(Errno) as caught:
        syscalls.sendmsg(h1, sid, bytes(1500), FAR, 9)
    assert caught.value.number == EMSGSIZE
    assert not syscalls.readable(h1, sid)


# -- taps ------------------------------------------------------------------------------------------------------------


def test_a_tap_takes_no_message_from_a_querier_that_hears_all_groups(wires: Wires) -> None:
    """An interface that has joined ``::`` lets all groups in: tcpdump on a router must not make mld6d deaf."""
    r1 = wires.router()
    querier = syscalls.socket(r1, 0, "raw6", 58)
    syscalls.setsockopt(r1, querier, "ICMP6_FILTER", (icmp.MLD_REPORT,))
    syscalls.setsockopt(r1, querier, "IPV6_JOIN_GROUP", (in6.UNSPECIFIED, 1))
    tap = syscalls.socket(r1, 0, "bpf", 0)
    syscalls.setsockopt(r1, tap, "BIOCSETIF", "ne0")
    group = A("ff05::77")
    report = icmp.build(STRANGER, group, icmp.MLD_REPORT, 0, mld.Mld(0, group).pack())
    wires.inject(r1, ip6.build(STRANGER, group, 0, exthdr.router_alert(58) + report, hlim=1))
    assert syscalls.recvmsg(r1, querier) is not None
    assert syscalls.recvmsg(r1, tap) is not None


# -- queries ---------------------------------------------------------------------------------------------------------


def test_queries_for_ever_more_sources_are_answered_for_the_whole_group(wires: Wires) -> None:
    """The sources to answer for are bounded by net.inet6.icmp6.mldmaxsrcfilter, whoever asks for how many."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    syscalls.sysctl_set(h1, "net.inet6.icmp6.mldv2", 1)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(to=20)
    group = A("ff02::77")
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.setsockopt(h1, sid, "IPV6_JOIN_GROUP", (group, 1))
    wires.run(to=40)
    most = h1.sysctl["net.inet6.icmp6.mldmaxsrcfilter"]
    for number in range(most // 64 + 1):
        sources = tuple(A(f"2001:db8:{number:x}::{last:x}") for last in range(64))
        body = mld.QueryV2(60_000, group, False, 2, 125, sources).pack()
        message = icmp.build(STRANGER, group, icmp.MLD_QUERY, 0, body)
        wires.inject(h1, ip6.build(STRANGER, group, 0, exthdr.router_alert(58) + message, hlim=1))
        (held,) = [one for one in h1.interfaces["ne0"].groups.values() if one.addr[-1] == 0x77]
        assert len(held.asked) <= most
    wires.run(to=110)
    (report,) = wires.sent(h1, icmp.MLDV2_REPORT, 40)
    assert mld.parse_v2_report(report.message[4:]) == (mld.Record(mld.IS_EX, group, ()),)


# -- counters --------------------------------------------------------------------------------------------------------


def test_only_packets_are_use_of_a_route(wires: Wires) -> None:
    """Not connect(2), not a question for the path MTU (BSD rt_use)."""
    h1 = wires.host()
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=STRANGER, gateway_zone=1)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, FAR, 9, 0)
    assert syscalls.getsockopt(h1, sid, "IPV6_PATHMTU")[2] == 1500
    for _ in range(2):
        syscalls.sendmsg(h1, sid, b"data")
    assert [one.use for one in syscalls.rows(h1, "routes") if one.destination == "default"] == [2]
