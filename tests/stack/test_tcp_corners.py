"""TCP: corners of the RFCs that ordinary transfers never come to (RFC 9293 3.10.7.4, 5681 2, 6298 5, 7323 4.3)."""

from __future__ import annotations

import pytest
from streams import H1, H2, M32, Peer, alone, open_to, row, server, state, transfer, two
from wires import A, Wires, icmp6

from kamelab.core.errors import ETIMEDOUT, Errno
from kamelab.stack import syscalls
from kamelab.wire import exthdr, tcp
from kamelab.wire import icmp6 as icmp

PADN = exthdr.destination_options(0, b"")
SEG = b"s" * 1000


def sender(wires: Wires, octets: int) -> tuple[Peer, int]:
    """A peer to whom h1 has just sent ``octets`` in segments of 1000."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open(tcp.build_options(1000))
    syscalls.send(h1, sid, b"x" * octets)
    wires.run(0)
    peer.heard()
    return peer, sid


def stamped(wires: Wires) -> tuple[Peer, int]:
    """A peer that uses timestamps, to whom h1 has just sent an octet."""
    peer = Peer(wires, alone(wires))
    sid = peer.open(tcp.build_options(1440, -1, 1))
    syscalls.send(peer.node, sid, b"z")
    wires.run(0)
    return peer, sid


def test_text_behind_the_fin_is_ignored(wires: Wires) -> None:
    """RFC 9293 3.10.7.4: in CLOSE-WAIT it should not occur; a second FIN does not count either."""
    peer = Peer(wires, alone(wires))
    sid = peer.open()
    peer.send("F.", b"end")
    end = peer.seq
    assert [syscalls.recv(peer.node, sid) for _ in range(2)] == [b"end", b""]
    for flags, text in (("P.", b"more"), ("F.", b""), ("F.", b"and more")):
        (answer,) = peer.send(flags, text, seq=end)
        assert (answer.ack, answer.flags) == (end, "."), flags
        assert syscalls.recv(peer.node, sid) == b""
    assert state(peer.node, sid) == "CLOSE-WAIT"
    wires.account()


def test_the_window_of_an_overtaken_acknowledgement_is_not_believed(wires: Wires) -> None:
    """RFC 9293 3.10.7.4: only where SND.UNA =< SEG.ACK; it counts from an edge that has moved on."""
    peer, sid = sender(wires, 3000)
    peer.send(".", ack=peer.ack + 2000, window=4000)
    peer.send("P.", b"late", seq=peer.seq + 10, window=60_000)
    assert row(peer.node, sid).snd_wnd == 4000


def test_a_fin_is_no_duplicate_acknowledgement(wires: Wires) -> None:
    """RFC 5681 2 c."""
    peer, sid = sender(wires, 6000)
    sent = [*peer.send("."), *peer.send("."), *peer.send("F.")]
    assert row(peer.node, sid).dupacks == 2
    assert min([(one.seq - peer.ack) & M32 for one in sent]) >= 6000, "nothing is sent again"


def test_an_acknowledgement_with_another_window_is_no_duplicate(wires: Wires) -> None:
    """RFC 5681 2 e: not even where the smaller window is not believed."""
    peer, sid = sender(wires, 6000)
    for window in (7000, 7000, 7000):
        peer.send(".", window=window)
    assert (row(peer.node, sid).dupacks, row(peer.node, sid).recovering) == (0, False)


def test_the_time_out_stays_backed_off_until_a_round_trip_was_measured(wires: Wires) -> None:
    """RFC 6298 5.5 and the note at its end: an answer to what was sent twice measures nothing."""
    peer, sid = sender(wires, 1000)
    wires.run(1.5)
    peer.ack += 1000
    peer.send(".")
    peer.heard()
    at = wires.now
    syscalls.send(peer.node, sid, SEG)
    wires.run(7)
    assert [round(one.at - at, 2) for one in peer.heard()] == [0, 2, 6]
    peer.ack += 1000
    peer.send(".")
    syscalls.send(peer.node, sid, SEG)
    wires.run(0)
    peer.ack += 1000
    peer.send(".")
    assert row(peer.node, sid).rto == 1_000_000_000, "measured again"


def test_the_echo_of_a_copy_from_before_the_time_out_is_no_round_trip(wires: Wires) -> None:
    """Its acknowledgement was lost: measured, each loss of one would make the next time-out longer."""
    peer, sid = stamped(wires)
    wires.run(1.5)
    first, _ = peer.heard()
    before = row(peer.node, sid).srtt
    peer.ack += 1
    peer.send(".", options=tcp.build_options(-1, -1, 2, first.options.tsval))
    shown = row(peer.node, sid)
    assert (shown.srtt, shown.rto) == (before, 2_000_000_000)


def test_the_echo_is_of_the_first_segment_that_is_not_acknowledged(wires: Wires) -> None:
    """RFC 7323 4.3: also where a bare acknowledgement with a later timestamp comes in between."""
    peer, _ = stamped(wires)
    (sent,) = peer.heard()
    for value, flags, text in ((100, "P.", b"data"), (200, ".", b"")):
        peer.ack += not text
        peer.send(flags, text, options=tcp.build_options(-1, -1, value, sent.options.tsval))
    wires.run(1)
    (late,) = peer.heard()
    assert (late.ack, late.options.tsecr) == (peer.seq, 100)


def test_a_connection_in_the_place_of_an_old_one_begins_beyond_its_numbers(wires: Wires) -> None:
    """RFC 9293 3.6.1: however fast the old one used them up."""
    h1 = alone(wires)
    peer = Peer(wires, h1)
    peer.window = 60_000
    sid = peer.open(tcp.build_options(1000))
    for _ in range(8):
        syscalls.send(h1, sid, b"x" * 10_000)
        wires.run(0)
        peer.ack += 10_000
        peer.send(".")
    syscalls.close(h1, sid)
    wires.run(0)
    peer.ack += 1
    peer.send("F.")
    assert state(h1, sid) == "TIME-WAIT"
    peer.heard()
    (answer,) = peer.send("S", seq=peer.seq + 100)
    assert answer.flags == "S."
    assert 0 < (answer.seq - peer.ack) & M32 < 1 << 31


def test_a_narrower_path_leaves_room_for_the_socket_s_headers(wires: Wires) -> None:
    h1, h2 = two(wires)
    server(wires, h2)
    sid, taken = open_to(wires, h1, h2, options={"IPV6_DSTOPTS": PADN})
    syscalls.send(h1, sid, SEG * 2)
    (quoted,) = [one.packet for one in wires.sent(h1) if len(one.packet) > 1400]
    router = A("2001:db8:1::fe")
    wires.inject(h1, icmp6(router, H1, icmp.PACKET_TOO_BIG, icmp.error_body(1300, quoted[:1232])))
    begun = len(wires.sent(h1))
    assert transfer(wires, h1, sid, h2, taken, b"x" * 20_000, 60)
    sizes = {len(one.packet) for one in wires.sent(h1)[begun:]}
    assert max(sizes) == 1300
    assert not h1.counters().get("ip6.fragmented")


def test_the_traffic_class_of_the_connection_is_in_every_segment(wires: Wires) -> None:
    """sin6_flowinfo of connect(2) has it beside the flow label (RFC 3493 3.3)."""
    h1, h2 = two(wires)
    server(wires, h2)
    sid = syscalls.socket(h1, 0, "tcp6", 0)
    syscalls.connect_stream(h1, sid, H2, 5000, 0, 0xB8 << 20 | 0x12345)
    wires.run(1)
    syscalls.send(h1, sid, b"data")
    sent = [one.packet for one in wires.sent(h1, since=3) if one.packet[6] == 6]
    assert len(sent) == 3
    assert {int.from_bytes(packet[:4], "big") & 0xFFFFFFF for packet in sent} == {0xB8 << 20 | 0x12345}


@pytest.mark.parametrize(("allowed", "flags"), [(1, "S."), (0, "R.")])
def test_new_connections_to_a_deprecated_address_are_a_variable(allowed: int, flags: str) -> None:
    """RFC 4862 5.5.4, KAME IMPLEMENTATION 1.6.1 (2001): use_deprecated 0 prohibits its use; what is there goes on."""
    wires = Wires()
    h1 = alone(wires)
    peer = Peer(wires, h1)
    sid = peer.open()
    wires.address(h1, "2001:db8:1::1", pltime=0, vltime=1000)
    syscalls.sysctl_set(h1, "net.inet6.ip6.use_deprecated", allowed)
    (answer,) = Peer(wires, h1, sport=4001).send("S")
    assert (answer.flags, answer.src) == (flags, "2001:db8:1::1")
    peer.send("P.", b"data")
    assert syscalls.recv(h1, sid) == b"data"


def test_a_silent_peer_behind_a_closed_window_is_given_up(wires: Wires) -> None:
    """RFC 9293 3.8.6.1 keeps the connection while probes are answered; BSD tcp_timer_persist does not else."""
    peer = Peer(wires, alone(wires))
    sid = peer.open(tcp.build_options(1000))
    for _ in range(2):
        peer.send("P.", b"!", window=0)
    syscalls.send(peer.node, sid, SEG)
    wires.run(500)
    assert state(peer.node, sid) == "ESTABLISHED"
    wires.run(300)
    assert state(peer.node, sid) == "CLOSED"
    assert syscalls.recv(peer.node, sid) == b"!!"
    with pytest.raises(Errno) as caught:
        syscalls.recv(peer.node, sid)
    assert caught.value.number == ETIMEDOUT
    assert peer.node.counters()["tcp.persistdrop"] == 1
    assert not peer.node.tcp_conns
