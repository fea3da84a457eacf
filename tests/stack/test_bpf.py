"""The packet filter device: what a tap sees, what promiscuous mode adds, and that nothing else changes by it."""

from __future__ import annotations

import pickle

import pytest
from wires import A, Wires, datagram, echo, na, ns

from kamelab.core.errors import EAFNOSUPPORT, EINVAL, ENOPROTOOPT, ENXIO, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node

LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
GLOBAL = A("2001:db8:1::1")
FOREIGN_MAC = b"\x02\0\0\0\0\x77"


def tap(node: Node, interface: str = "ne0", *, promisc: bool = False) -> int:
    sid = syscalls.socket(node, 0, "bpf", 0)
    syscalls.setsockopt(node, sid, "BIOCSETIF", interface)
    if promisc:
        syscalls.setsockopt(node, sid, "BIOCPROMISC", True)
    return sid


def caught(node: Node, sid: int) -> list[bytes]:
    out = []
    while (message := syscalls.recvmsg(node, sid)) is not None:
        out.append(message.data)
    return out


def test_frames_in_and_out_in_order_with_their_time_and_interface() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = tap(h1)
    wires.inject(h1, ns(GLOBAL))
    first = syscalls.recvmsg(h1, sid)
    assert first is not None
    assert (first.time, first.ifindex) == (3_000_000_000, 1)
    assert first.data[:6] == b"\x33\x33\xff\0\0\1"
    assert [frame[54] for frame in caught(h1, sid)] == [136], "the answer that went out"
    assert syscalls.getsockopt(h1, sid, "BIOCGSTATS") == (2, 0)
    wires.account()


def test_frames_for_others_only_in_promiscuous_mode_and_never_for_the_stack() -> None:
    wires = Wires()
    h1 = wires.host()
    plain, nosy = tap(h1), tap(h1, promisc=True)
    counters, records = syscalls.counters(h1), wires.net.trace.num
    wires.inject(h1, echo(LEFT, RIGHT), dmac=FOREIGN_MAC)
    assert len(caught(h1, nosy)) == len(caught(h1, plain)) == 1, "the interface is promiscuous for all its taps"
    assert (syscalls.counters(h1), wires.net.trace.num) == (counters, records), "the node has not taken it"
    syscalls.close(h1, nosy)
    wires.inject(h1, echo(LEFT, RIGHT), dmac=FOREIGN_MAC)
    assert caught(h1, plain) == []
    wires.account()


def test_promiscuous_mode_does_not_make_a_node_take_what_is_not_its_own() -> None:
    wires = Wires()
    h1 = wires.host()
    tap(h1, promisc=True)
    wires.inject(h1, echo(LEFT, GLOBAL), dmac=FOREIGN_MAC)
    assert wires.sent(h1, 129) == []


def test_loopback_shows_a_packet_once() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = tap(h1, "lo0")
    wires.send(h1, "::1")
    wires.run(1)
    assert [frame[20] for frame in caught(h1, sid)] == [17, 58], "the datagram, and the error that nobody listens"


def test_the_fast_path_does_not_pass_a_tap_by() -> None:
    wires = Wires()
    r1 = wires.router()
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT), "ne0")
    wires.inject(r1, datagram(LEFT, RIGHT))
    wires.inject(r1, na(RIGHT, A("2001:db8:2::ff"), "SO", lladdr=FOREIGN_MAC), "ne1", smac=FOREIGN_MAC)
    wires.inject(r1, datagram(LEFT, RIGHT))
    wires.inject(r1, datagram(LEFT, RIGHT))
    assert r1.fast, "a flow is remembered"
    before = sum(r1.fast.values())
    taps = tap(r1, "ne0"), tap(r1, "ne1")
    for _ in range(3):
        wires.inject(r1, datagram(LEFT, RIGHT))
    assert [len(caught(r1, sid)) for sid in taps] == [3, 3]
    assert sum(r1.fast.values()) == before
    for sid in taps:
        syscalls.close(r1, sid)
    for _ in range(3):
        wires.inject(r1, datagram(LEFT, RIGHT))
    assert sum(r1.fast.values()) == before + 2, "the first makes the flow anew"
    wires.account()


def test_a_full_buffer_costs_frames_which_are_counted() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "bpf", 0)
    syscalls.setsockopt(h1, sid, "BIOCSBLEN", 500)
    syscalls.setsockopt(h1, sid, "BIOCSETIF", "ne0")
    for _ in range(10):
        wires.inject(h1, datagram(LEFT, RIGHT))
    received, dropped = syscalls.getsockopt(h1, sid, "BIOCGSTATS")
    assert received >= 10
    assert len(caught(h1, sid)) == received - dropped < 5


def test_wrong_requests() -> None:
    h1 = Wires().host()
    sid = syscalls.socket(h1, 0, "bpf", 0)
    for name, value, number in (
        ("BIOCSETIF", "ne9", ENXIO),
        ("BIOCPROMISC", True, EINVAL),
        ("BIOCSBLEN", 0, EINVAL),
        ("BIOCGSTATS", 0, ENOPROTOOPT),
    ):
        with pytest.raises(Errno) as caught_error:
            syscalls.setsockopt(h1, sid, name, value)
        assert caught_error.value.number == number
    syscalls.setsockopt(h1, sid, "BIOCSETIF", "ne0")
    with pytest.raises(Errno):
        syscalls.setsockopt(h1, sid, "BIOCSETIF", "lo0")
    with pytest.raises(Errno) as caught_error:
        syscalls.sendmsg(h1, sid, b"data", GLOBAL)
    assert caught_error.value.number == EAFNOSUPPORT, "frames can't be written"
    udp = syscalls.socket(h1, 0, "udp6", 0)
    with pytest.raises(Errno):
        syscalls.setsockopt(h1, udp, "BIOCSETIF", "ne0")
    assert [row.proto for row in syscalls.rows(h1, "sockets")] == ["udp46"], "netstat does not list taps"


def test_a_closed_tap_leaves_nothing_and_an_open_one_is_kept_over_a_checkpoint() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = tap(h1, promisc=True)
    copy = pickle.loads(pickle.dumps(wires.net, protocol=5)).nodes["h1"]
    assert (copy.interfaces["ne0"].taps, copy.interfaces["ne0"].promisc) == ([sid], 1)
    syscalls.close(h1, sid)
    iface = h1.interfaces["ne0"]
    assert (iface.taps, iface.promisc) == ([], 0)


def test_an_interface_that_is_down_hears_nothing_even_promiscuously() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = tap(h1, promisc=True)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    caught(h1, sid)
    wires.inject(h1, echo(LEFT, RIGHT), dmac=FOREIGN_MAC)
    assert caught(h1, sid) == []
