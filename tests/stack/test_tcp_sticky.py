"""What a socket's sticky options put into its segments (RFC 3542 4 to 7; KAME IMPLEMENTATION 1.16 (2001))."""

from __future__ import annotations

from streams import open_to, pair, server, transfer, two
from wires import Wires

from kamelab.stack import syscalls
from kamelab.wire.exthdr import upper_layer

PADN = b"\x00\x00\x01\x04\x00\x00\x00\x00"
"""A destination options header of padding alone."""


def test_a_header_for_the_destination_is_in_every_segment_and_leaves_less_room_for_data(wires: Wires) -> None:
    h1, h2 = two(wires)
    server(wires, h2)
    sid, taken = open_to(wires, h1, h2, options={"IPV6_DSTOPTS": PADN})
    begun = len(wires.sent(h1))
    assert transfer(wires, h1, sid, h2, taken, b"x" * 20_000) == b"x" * 20_000
    sent = [one.packet for one in wires.sent(h1)[begun:] if one.packet[6] != 58]
    assert {packet[6] for packet in sent} == {60}
    assert {upper_layer(packet) for packet in sent} == {(6, 48)}
    assert max(len(packet) for packet in sent) == 1500


def test_hop_limit_and_traffic_class_of_a_running_connection_can_be_changed(wires: Wires) -> None:
    h1, h2, sid, taken = pair(wires)
    syscalls.setsockopt(h1, sid, "IPV6_UNICAST_HOPS", 7)
    syscalls.setsockopt(h1, sid, "IPV6_TCLASS", 0xB8)
    flows = {one.packet[:4][1:] for one in wires.sent(h1) if one.packet[6] == 6}
    begun = len(wires.sent(h1))
    assert transfer(wires, h1, sid, h2, taken, b"hello") == b"hello"
    late = [one.packet for one in wires.sent(h1)[begun:] if one.packet[6] == 6]
    assert {packet[7] for packet in late} == {7}
    assert {(packet[0] & 15) << 4 | packet[1] >> 4 for packet in late} == {0xB8}
    assert {packet[1] & 15 for packet in late} == {flow[0] & 15 for flow in flows}, "the flow label stays"
