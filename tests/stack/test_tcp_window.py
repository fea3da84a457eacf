"""TCP: windows, small segments and acknowledgements (RFC 9293 3.7.4, 3.8.6; RFC 7323)."""

from __future__ import annotations

import pytest
from streams import H1, TCP, Peer, alone, pair, row, segments, state, transfer
from wires import A, Wires

from kamelab.core.errors import EINVAL, ENOPROTOOPT, Errno
from kamelab.stack import syscalls
from kamelab.wire import icmp6 as icmp
from kamelab.wire import ip6, tcp

SEG = b"s" * 1000


def test_every_second_segment_is_acknowledged_at_once_and_one_alone_after_200_ms(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    peer.open()
    assert peer.send(".", SEG) == []
    (ack,) = peer.send(".", SEG)
    assert (ack.ack, ack.flags) == (3001, ".")
    assert peer.send(".", SEG) == []
    at = wires.now
    wires.run(1)
    (late,) = peer.heard()
    assert (late.ack, round(late.at - at, 3)) == (4001, 0.2)
    assert h1.counters()["tcp.delack"] == 1


def test_delayed_acknowledgement_is_a_variable(wires: Wires) -> None:
    h1 = alone(wires)
    syscalls.sysctl_set(h1, TCP + "delacktime", 50)
    peer = Peer(wires, h1)
    peer.open()
    peer.send(".", SEG)
    at = wires.now
    wires.run(1)
    assert [round(one.at - at, 3) for one in peer.heard()] == [0.05]
    syscalls.sysctl_set(h1, TCP + "delayed_ack", 0)
    assert len(peer.send(".", SEG)) == 1


def test_small_pieces_wait_for_the_acknowledgement_of_the_last(wires: Wires) -> None:
    """Nagle (RFC 9293 3.7.4), and TCP_NODELAY, which lets them go."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    for letter in (b"a", b"b", b"c"):
        syscalls.send(h1, sid, letter)
    wires.run(0)
    (first,) = peer.heard()
    assert first.data == b"a"
    peer.ack += 1
    (second,) = peer.send(".")
    assert second.data == b"bc"
    peer.ack += 2
    peer.send(".")
    syscalls.setsockopt(h1, sid, "TCP_NODELAY", True)
    for letter in (b"d", b"e"):
        syscalls.send(h1, sid, letter)
    wires.run(0)
    assert [one.data for one in peer.heard()] == [b"d", b"e"]


def test_a_full_segment_does_not_wait(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1000))
    syscalls.send(h1, sid, b"x" * 2500)
    wires.run(0)
    assert [len(one.data) for one in peer.heard()] == [1000, 1000]


def test_a_closed_window_is_probed_until_it_opens(wires: Wires) -> None:
    """RFC 9293 3.8.6.1: for as long as the peer answers, at growing intervals, and the connection lives."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(window=0)
    syscalls.send(h1, sid, b"knock")
    wires.run(0)
    assert peer.heard() == []
    at = wires.now
    for _ in range(8):
        wires.run(60)
        if probes := peer.heard():
            assert {one.data for one in probes} == {b"k"}
            peer.send(".", window=0)
    assert h1.counters()["tcp.sndprobe"] == h1.counters()["tcp.persisttimeo"] >= 8
    probes = [one for one in segments(wires, h1, at) if one.data]
    assert [round(one.at - at) for one in probes][:4] == [5, 10, 15, 23]
    for _ in range(60):
        wires.run(60)
        if peer.heard():
            peer.send(".", window=0)
    assert state(h1, sid) == "ESTABLISHED"
    peer.heard()
    (data,) = peer.send(".", window=4000)
    assert data.data == b"knock"
    assert h1.counters()["tcp.rcvwinupd"] == 1


def test_a_probe_that_the_peer_takes_is_not_sent_twice(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(window=0)
    syscalls.send(h1, sid, b"knock")
    wires.run(6)
    assert [one.data for one in peer.heard()] == [b"k"]
    peer.ack += 1
    (rest,) = peer.send(".", window=4000)
    assert (rest.data, rest.seq) == (b"nock", peer.ack)


def test_a_probe_of_our_closed_window_is_answered(wires: Wires) -> None:
    h1 = alone(wires, SO_RCVBUF=2000)
    peer = Peer(wires, h1)
    sid = peer.open()
    peer.send(".", SEG)
    (full,) = peer.send(".", SEG)
    assert full.window == 0
    (answer,) = peer.send(".", b"p", seq=3001)
    assert (answer.ack, answer.window) == (3001, 0)
    assert h1.counters()["tcp.rcvwinprobe"] == 1
    assert wires.drops(h1, 3) == ["TCP_OUTSIDE"]
    assert len(syscalls.recv(h1, sid) or b"") == 2000
    wires.run(0)
    (update,) = peer.heard()
    assert update.window == 2000
    assert h1.counters()["tcp.sndwinup"] == 1


def test_the_window_opens_by_a_segment_or_not_at_all(wires: Wires) -> None:
    """The receiver's half of silly window avoidance (RFC 9293 3.8.6.2.2)."""
    h1 = alone(wires, SO_RCVBUF=4000)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1000))
    for _ in range(4):
        peer.send(".", SEG)
    peer.heard()
    for _ in range(19):
        syscalls.recv(h1, sid, 100)
        wires.run(0)
        assert peer.heard() == []
    syscalls.recv(h1, sid, 100)
    wires.run(0)
    assert [one.window for one in peer.heard()] == [2000]


def test_the_sender_waits_for_a_window_worth_sending_into(wires: Wires) -> None:
    """The sender's half (RFC 9293 3.8.6.2.1)."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1000), window=4000)
    syscalls.send(h1, sid, b"x" * 6000)
    wires.run(0)
    assert sum(len(one.data) for one in peer.heard()) == 4000
    peer.ack += 4000
    assert peer.send(".", window=100) == []
    assert [len(one.data) for one in peer.send(".", window=3000)] == [1000, 1000]


def test_a_window_taken_back_is_no_loss(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1000), window=4000)
    syscalls.send(h1, sid, b"x" * 3000)
    wires.run(0)
    peer.heard()
    peer.ack += 1000
    peer.send(".", window=0)
    for _ in range(40):
        wires.run(30)
        peer.send(".", window=0)
    assert state(h1, sid) == "ESTABLISHED"
    assert h1.counters().get("tcp.timeoutdrop", 0) == 0
    peer.heard()
    assert sum(len(one.data) for one in peer.send(".", window=4000)) >= 1000


def test_buffers_have_their_size_from_variables_and_options(wires: Wires) -> None:
    h1 = alone(wires)
    assert syscalls.getsockopt(h1, 1, "SO_RCVBUF") == 57344
    syscalls.sysctl_set(h1, TCP + "recvspace", 10_000)
    syscalls.sysctl_set(h1, TCP + "sendspace", 5_000)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    assert syscalls.getsockopt(h1, sid, "SO_SNDBUF") == 5_000
    assert syscalls.getsockopt(h1, sid, "SO_RCVBUF") == 10_000
    assert syscalls.getsockopt(h1, sid, "TCP_MAXSEG") == 1220
    peer = Peer(wires, h1)
    taken = peer.open(window=0)
    syscalls.setsockopt(h1, taken, "SO_SNDBUF", 3_000)
    assert syscalls.send(h1, taken, bytes(9_000)) == 3_000
    assert syscalls.send(h1, taken, b"x") == 0
    syscalls.setsockopt(h1, taken, "TCP_MAXSEG", 600)
    assert row(h1, taken).mss == 600
    for name, value, number in (("TCP_MAXSEG", 9000, EINVAL), ("TCP_CORK", 1, ENOPROTOOPT)):
        with pytest.raises(Errno) as caught:
            syscalls.setsockopt(h1, taken, name, value)
        assert caught.value.number == number


def test_the_hop_limit_of_the_socket_is_that_of_its_segments(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    syscalls.setsockopt(h1, sid, "IPV6_UNICAST_HOPS", 7)
    syscalls.send(h1, sid, b"x")
    assert wires.sent(h1)[-1].hlim == 7


def test_out_of_order_data_waits_for_what_is_missing(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    pieces = [bytes([65 + n]) * 100 for n in range(6)]
    for at in (2, 1, 4, 2, 5):
        (dup,) = peer.send(".", pieces[at], seq=1001 + 100 * at)
        assert dup.ack == 1001
    assert syscalls.recv(h1, sid) is None
    assert row(h1, sid).out_of_order == 4
    (ack,) = peer.send(".", pieces[0], seq=1001)
    assert ack.ack == 1301
    (ack,) = peer.send("F.", pieces[3] + pieces[4] + pieces[5], seq=1301)
    assert ack.ack == 1602
    assert syscalls.recv(h1, sid) == b"".join(pieces)
    assert syscalls.recv(h1, sid) == b""
    assert h1.counters()["tcp.rcvoopack"] == 6
    assert wires.drops(h1, 3) == ["TCP_DUPLICATE"]
    wires.account()


def test_what_overlaps_is_cut(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    peer.send(".", b"abcd", seq=1001)
    peer.send(".", b"cdef", seq=1003)
    peer.send(".", b"ijkl", seq=1009)
    peer.send(".", b"klmn", seq=1011)
    peer.send(".", b"fghij", seq=1006)
    assert syscalls.recv(h1, sid) == b"abcdefghijklmn"
    counters = h1.counters()
    assert (counters["tcp.rcvpartduppack"], counters["tcp.rcvpartdupbyte"]) == (2, 3)


def test_what_lies_beyond_the_window_is_cut_or_refused(wires: Wires) -> None:
    h1 = alone(wires, SO_RCVBUF=1000)
    peer = Peer(wires, h1)
    sid = peer.open()
    (ack,) = peer.send(".", b"x" * 1500, seq=1001)
    assert ack.ack == 2001
    assert len(syscalls.recv(h1, sid) or b"") == 1000
    (ack,) = peer.send(".", b"x", seq=9000)[-1:]
    assert ack.ack == 2001
    assert wires.drops(h1, 3) == ["TCP_OUTSIDE"]
    assert h1.counters()["tcp.rcvbyteafterwin"] == 501


def test_urgent_data_stays_in_the_stream(wires: Wires) -> None:
    """RFC 6093 3: as with SO_OOBINLINE."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    peer.send("UP.", b"go!now", urgent=3)
    assert syscalls.recv(h1, sid) == b"go!now"
    assert h1.counters()["tcp.rcvurg"] == 1


def test_sequence_numbers_go_round(wires: Wires) -> None:
    h1 = alone(wires)
    peer = Peer(wires, h1)
    peer.seq = 0xFFFFFFF0
    sid = peer.open()
    for _ in range(3):
        peer.send(".", b"0123456789")
    assert syscalls.recv(h1, sid) == b"0123456789" * 3
    wires.run(1)
    assert peer.heard()[-1].ack == (0xFFFFFFF0 + 31) & 0xFFFFFFFF


def test_a_narrower_path_makes_smaller_segments(wires: Wires) -> None:
    """Packet too big: what was too large is sent again at once, in segments that fit (RFC 8201 5.4)."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1440), window=60_000)
    syscalls.send(h1, sid, b"x" * 4320)
    wires.run(0)
    assert [len(one.data) for one in peer.heard()] == [1440, 1440, 1440]
    big = next(one for one in wires.sent(h1) if len(one.packet) == 1500)
    body = icmp.error_body(1300, big.packet[:1200])
    router = A("2001:db8:1::99")
    message = icmp.build(router, H1, icmp.PACKET_TOO_BIG, 0, body)
    wires.inject(h1, ip6.build(router, H1, 58, message), dmac=h1.interfaces["ne0"].mac)
    assert [len(one.data) for one in peer.heard()] == [1240, 1240, 1240, 600]
    assert row(h1, sid).mss == 1240
    assert h1.counters()["tcp.mturesent"] == 1
    # One that quotes what is not on its way says nothing (RFC 5927 4.1).
    old = big.packet[:44] + b"\0\0\0\1" + big.packet[48:]
    message = icmp.build(router, H1, icmp.PACKET_TOO_BIG, 0, icmp.error_body(1280, old[:1200]))
    wires.inject(h1, ip6.build(router, H1, 58, message), dmac=h1.interfaces["ne0"].mac)
    assert row(h1, sid).mss == 1240


def test_new_acknowledgements_are_hints_for_neighbour_discovery(wires: Wires) -> None:
    """KAME IMPLEMENTATION 1.2 (2001): believed only as often in a row as nd6_maxnudhint says; 0 by default."""
    for most, then in ((0, "PROBE"), (100, "REACHABLE")):
        story = Wires()
        h1, h2, sid, taken = pair(story)
        mac = h2.interfaces["ne0"].mac
        syscalls.neighbor(h1, "delete", address=A("2001:db8:1::2"), interface="ne0")
        syscalls.sysctl_set(h1, "net.inet6.icmp6.nd6_maxnudhint", most)
        transfer(story, h1, sid, h2, taken, b"x")
        story.run(60)
        syscalls.send(h1, sid, b"y")
        story.run(1)
        nbr = h1.interfaces["ne0"].neighbors[A("2001:db8:1::2")]
        assert nbr.lladdr == mac
        assert nbr.state == ("REACHABLE" if most else "DELAY"), then
