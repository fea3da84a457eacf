"""Statistics of packets: buffers, the hot path's share, and each interface's own (RFC 2465; KAME in6_var.h)."""

from __future__ import annotations

from wires import STRANGER, A, Wires, datagram, echo, ns

from kamelab.core.drops import REASONS
from kamelab.stack import syscalls
from kamelab.stack.netinet6 import in6_ifstat
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, in6, ip6

LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
OWN = A("fe80::ff:fe00:1")
RIGHT_MAC = b"\x02\0\0\0\0\x55"


def figures(node: Node, interface: str) -> dict[str, int]:
    (row,) = [one for one in syscalls.rows(node, "in6_ifstat") if one.interface == interface]
    return dict(row.counters)


def changed(node: Node, interface: str, before: dict[str, int]) -> dict[str, int]:
    """What is counted since, of IPv6 itself."""
    after = figures(node, interface)
    return {name: after[name] - before[name] for name in in6_ifstat.NAMES if after[name] != before[name]}


def router(wires: Wires) -> Node:
    """r1 that knows LEFT and RIGHT."""
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    wires.inject(r1, ns(A("2001:db8:2::ff"), src=RIGHT, lladdr=RIGHT_MAC), "ne1", smac=RIGHT_MAC)
    return r1


# -- buffers ---------------------------------------------------------------------------------------------------------


def test_packets_by_the_buffers_that_they_take(wires: Wires) -> None:
    """Up to 100 octets one mbuf, then clusters of 2048 (KAME IMPLEMENTATION 1.11 (2001))."""
    h1 = wires.host()
    before = h1.counters()
    for size, count in ((100, 1), (101, 2), (2048, 3), (2049, 4)):
        for _ in range(count):
            wires.inject(h1, datagram(STRANGER, OWN, data=bytes(size - 48)))
    after = h1.counters()
    names = ("ip6.m1", "ip6.mext1", "ip6.mext2m")
    assert [after.get(name, 0) - before.get(name, 0) for name in names] == [1, 5, 4]
    assert "ip6.m2m.ne0" not in after, "these drivers conform"


def test_lo0_passes_on_what_was_made_of_two_mbufs(wires: Wires) -> None:
    h1 = wires.host()
    for size in (60, 161, 168, 169, 3000):
        assert wires.output(h1, Output("test", in6.LOOPBACK, 59, bytes(size))) == 0
    wires.run(0.1)
    counters = h1.counters()
    assert counters["ip6.m2m.lo0"] == 2
    assert counters["ip6.mext2m"] == 1


def test_every_packet_lies_in_some_buffer_on_the_hot_path_too(wires: Wires) -> None:
    r1 = router(wires)
    for size in (0, 30, 300, 1400):
        for _ in range(3):
            wires.inject(r1, datagram(LEFT, RIGHT, data=bytes(size)))
    assert sum(r1.fast.values()) > 8
    counters = r1.counters()
    assert sum(counters.get(f"ip6.{name}", 0) for name in ("m1", "mext1", "mext2m")) == counters["ip6.total"]
    assert sum(value for name, value in counters.items() if name.startswith("ip6.nxthist.")) == counters["ip6.total"]


def test_headers_that_fill_a_cluster_are_not_read_on(wires: Wires) -> None:
    h1 = wires.host()
    header = exthdr.destination_options(60, exthdr.option(0x1E, bytes(250)) * 4)
    last = exthdr.destination_options(59, b"")
    wires.inject(h1, ip6.build(STRANGER, OWN, 60, header + last))
    assert wires.drops(h1, 3) == []
    wires.inject(h1, ip6.build(STRANGER, OWN, 60, header + header + last))
    assert wires.drops(h1, 3) == ["EXTHDR_TOOLONG"]
    assert h1.counters()["ip6.exthdrtoolong"] == 1


# -- interfaces ------------------------------------------------------------------------------------------------------


def test_an_end_node_s_figures(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    before = figures(h1, "ne0")
    wires.inject(h1, echo(STRANGER, OWN))
    wires.inject(h1, echo(STRANGER, A("ff02::1")))
    wires.inject(h1, echo(A("ff02::1"), OWN))
    wires.inject(h1, b"\x40" + echo(STRANGER, OWN)[1:])
    wires.inject(h1, echo(STRANGER, OWN)[:-1])
    wires.inject(h1, ip6.build(STRANGER, OWN, 200, b"x"))
    wires.frame(h1, h1.interfaces["ne0"].mac + bytes(6) + b"\x08\0" + bytes(46))
    assert changed(h1, "ne0", before) == {
        "in_receive": 6,
        "in_deliver": 3,
        "in_mcast": 1,
        "in_addrerr": 1,
        "in_hdrerr": 1,
        "in_truncated": 1,
        "in_protounknown": 1,
        "out_request": 3,
    }


def test_a_router_s_figures_count_both_ways_of_forwarding(wires: Wires) -> None:
    r1 = router(wires)
    arrival, departure = figures(r1, "ne0"), figures(r1, "ne1")
    for _ in range(5):
        wires.inject(r1, datagram(LEFT, RIGHT))
    assert sum(r1.fast.values()) == 4
    wires.inject(r1, datagram(LEFT, A("2001:db8:9::9")))
    wires.inject(r1, datagram(LEFT, RIGHT, data=bytes(1460)))
    assert changed(r1, "ne0", arrival) == {"in_receive": 7, "in_noroute": 1, "in_toobig": 1, "out_request": 2}
    assert changed(r1, "ne1", departure) == {"out_forward": 5}


def test_fragments_both_ways(wires: Wires) -> None:
    h1 = wires.host()
    wires.inject(h1, ns(OWN))
    before = figures(h1, "ne0")
    whole = echo(STRANGER, OWN, bytes(3000))[40:]
    for offset in range(0, len(whole), 1024):
        body = exthdr.build_fragment(58, offset, offset + 1024 < len(whole), 1) + whole[offset : offset + 1024]
        wires.inject(h1, ip6.build(STRANGER, OWN, 44, body))
    wires.inject(h1, ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(58, 8, True, 2) + bytes(8)))
    wires.run(61)
    moved = changed(h1, "ne0", before)
    assert {name: value for name, value in moved.items() if "reass" in name or "frag" in name} == {
        "reass_reqd": 4,
        "reass_ok": 1,
        "reass_fail": 1,
        "out_fragok": 1,
        "out_fragcreat": 3,
    }


def test_what_did_not_leave(wires: Wires) -> None:
    h1 = wires.host()
    before = figures(h1, "ne0")
    out = Output("test", A("2001:db8:1::7"), 59, bytes(2000))
    out.dontfrag = True
    wires.output(h1, out)
    assert changed(h1, "ne0", before) == {"out_request": 1, "out_fragfail": 1}
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    before = figures(h1, "ne0")
    wires.output(h1, Output("test", A("2001:db8:1::7"), 59, b""))
    assert changed(h1, "ne0", before) == {"out_discard": 1}


def test_the_reasons_of_the_table_exist() -> None:
    assert set(in6_ifstat.BY_REASON) <= set(REASONS)
    assert set(in6_ifstat.BY_REASON.values()) <= {*in6_ifstat.NAMES, in6_ifstat.NOT_IP6}
    layers = {"ip6", "exthdr"}
    heard = {name for name, reason in REASONS.items() if reason.layer in layers and not name.startswith("OUT_")}
    # A fragment's queue that times out is one failure, and is counted where the timer ends.
    assert heard - set(in6_ifstat.BY_REASON) == {"FRAG_TIMEOUT", "FRAG_EVICTED", "INTERNAL"}
