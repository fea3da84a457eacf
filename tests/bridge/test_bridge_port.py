"""Ports: frames leave a link for a device, come in as journal inputs, and the session replays without the device."""

from __future__ import annotations

import pytest
from bridge_wall import Bench, new_session

from kamelab.bridge.port import BridgeError, plug, tap_option
from kamelab.core.errors import KamelabError
from kamelab.lab import checkpoint
from kamelab.lab.console import execute
from kamelab.lab.digest import digest
from kamelab.lab.library import LabSource
from kamelab.lab.opening import open_source
from kamelab.lab.reading import LabError
from kamelab.lab.session import Goal
from kamelab.stack import tables
from kamelab.wire import ether, icmp6, ip6
from kamelab.wire.in6 import pton

MAC = bytes.fromhex("020000000099")
OUTSIDE = pton("fe80::99")
ROUTER_MAC = bytes.fromhex("020000000101")
ROUTER = pton("fe80::ff:fe00:101")
ALL_NODES = pton("ff02::1")


def echo_request(dst: bytes, dst_mac: bytes, sequence: int = 1) -> bytes:
    """A ping of a machine outside, with its source's address in reach by the neighbour solicitation that follows."""
    message = icmp6.build(OUTSIDE, dst, icmp6.ECHO_REQUEST, 0, icmp6.echo_body(7, sequence, b"from outside"))
    return ether.header(dst_mac, MAC) + ip6.build(OUTSIDE, dst, 58, message, hlim=64)


def kinds(frames: list[bytes]) -> list[int]:
    """ICMPv6 types of frames without extension headers."""
    return [frame[54] for frame in frames if frame[20] == 58]


def test_what_nodes_say_at_boot_is_heard_outside(joined: Bench) -> None:
    """A port is there before the nodes are switched on: the probe for r1's own address is not missed."""
    joined.pass_time(0.05)
    probes = [frame for frame in joined.device.heard() if frame[20] == 58 and frame[54] == icmp6.NEIGHBOR_SOLICIT]
    assert [frame[62:78] for frame in probes] == [pton("2001:db8:1::1")]
    assert {frame[22:38] for frame in probes} == {bytes(16)}


def test_a_ping_from_outside_is_answered_outside(joined: Bench) -> None:
    """A frame from the device reaches the node; what it sends back, first of all a solicitation, leaves by the port."""
    joined.pass_time(5)
    joined.device.heard()
    joined.device.far.send(echo_request(ROUTER, ROUTER_MAC))
    joined.pass_time(0.05)
    frames = joined.device.heard()
    assert kinds(frames) == [icmp6.NEIGHBOR_SOLICIT]
    assert frames[0][62:78] == OUTSIDE
    assert joined.session.journal[-1].kind == "frame"
    assert joined.session.journal[-1].text == f"lan1 tap0 {echo_request(ROUTER, ROUTER_MAC).hex()}"


def test_the_port_does_not_hear_itself(joined: Bench) -> None:
    """A frame that came in by a port does not go out by it again."""
    joined.pass_time(5)
    joined.device.heard()
    frame = echo_request(ALL_NODES, ether.multicast_mac(ALL_NODES))
    joined.device.far.send(frame)
    joined.pass_time(1)
    assert frame not in joined.device.heard()


def test_two_ports_of_one_link_hear_each_other() -> None:
    """A link is a link: a frame from one port reaches the stations and the other port."""
    session = new_session()
    plug(session, [("lan1", "tap0"), ("lan1", "udp-0")])
    link = session.world.network.links["lan1"]
    heard: list[tuple[str, bytes]] = []
    for port in link.ports:
        port.send = lambda frame, name=port.name: heard.append((name, frame))  # type: ignore[misc]
    frame = echo_request(ALL_NODES, ether.multicast_mac(ALL_NODES))
    link.transmit(link.port("tap0"), frame, 0)
    session.goal = Goal(time=session.now + 1_000_000)
    session.finish()
    assert ("udp-0", frame) in heard
    assert ("tap0", frame) not in heard


def play(bench: Bench) -> None:
    """Some traffic over the port."""
    bench.pass_time(4)
    for sequence in range(3):
        bench.device.far.send(echo_request(ROUTER, ROUTER_MAC, sequence))
        bench.pass_time(0.3)
    bench.device.far.send(b"short")
    bench.device.far.send(echo_request(ROUTER, ROUTER_MAC) + bytes(2000))
    bench.pass_time(0.5)


def test_a_session_with_frames_from_outside_replays_without_the_device(joined: Bench) -> None:
    """Saved and opened elsewhere, where no device is, it stands at the same position with the same digest."""
    play(joined)
    saved = joined.session.save()
    frames = [entry for entry in joined.session.journal if entry.kind == "frame"]
    assert len(frames) == 5
    again = open_source(LabSource("s", "s", saved.decode()))
    assert again.digest() == joined.session.digest()
    assert (again.now, again.events) == (joined.session.now, joined.session.events)
    neighbors = tables.neighbors(again.world.network.nodes["r1"])
    assert any(row.address.startswith("fe80::99") for row in neighbors)


def test_going_back_sends_nothing_outside(joined: Bench) -> None:
    """Replaying is not doing: what was sent once is not sent again; afterwards the device is on the port as before."""
    play(joined)
    joined.device.heard()
    was = joined.session.digest()
    events, now = joined.session.events, joined.session.now
    joined.session.back(events, now)
    assert joined.device.heard() == []
    assert joined.session.digest() == was
    joined.loop.turn(0)
    joined.device.far.send(echo_request(ROUTER, ROUTER_MAC, 9))
    joined.pass_time(1.5)
    assert joined.device.heard()


def test_a_checkpoint_with_a_port_gives_the_same_state(joined: Bench) -> None:
    """Frames on their way to a port survive being pickled; the device does not."""
    play(joined)
    world = joined.session.world
    link = world.network.links["lan1"]
    link.transmit(link.stations[0], echo_request(ALL_NODES, ether.multicast_mac(ALL_NODES)), 0)
    restored = checkpoint.restore(checkpoint.take(world))
    assert digest(restored) == digest(world)
    port = restored.network.links["lan1"].port("tap0")
    assert port.send is None
    assert any(entry[2] is port for entry in restored.network.clock.heap)
    restored.close()


def test_loss_and_a_link_that_is_down_hold_for_frames_from_outside(joined: Bench) -> None:
    """A frame from outside is subject to the link like any other."""
    joined.pass_time(5)
    link = joined.session.world.network.links["lan1"]
    joined.session.world.network.set_link("lan1", False)
    lost = link.lost
    joined.device.far.send(echo_request(ROUTER, ROUTER_MAC))
    joined.pass_time(0.1)
    assert link.lost == lost + 1
    trace = joined.session.world.network.trace
    assert [record.reason for record in trace.all() if record.interface == "tap0"] == ["LINK_DOWN"]


def test_a_device_that_takes_nothing_counts_as_lost(joined: Bench) -> None:
    """An interface that is down is like a cable without a far end: the lab goes on."""
    joined.device.refuse = True
    joined.pass_time(1)
    assert joined.loop.attachments[0].lost > 0
    assert joined.session.now == pytest.approx(1_000_000_000, abs=1000)


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ([("lan2", "tap0")], "no link is called 'lan2' \\(did you mean 'lan1'\\?\\)"),
        ([("line", "tap0")], "line is a ppp line: only Ethernet links"),
        ([("lan1", "tap0"), ("lan1", "tap0")], "each its own, not 'tap0'"),
    ],
)
def test_a_port_that_can_not_be_is_refused_in_one_sentence(ports: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(BridgeError, match=words):
        plug(new_session(), ports)


def test_a_lab_that_has_run_takes_no_new_ports() -> None:
    """A port hears the boot; afterwards it is too late."""
    session = new_session()
    execute(session, "run 1s")
    with pytest.raises(KamelabError, match="only before it has run"):
        session.plug(("lan1 tap0",))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"ports":["lan1 tap0"]', b'"ports":["lan7 tap0"]', "lan7"),
        (b'"ports":["lan1 tap0"]', b'"ports":["line tap0"]', "ppp"),
        (b'"text":"lan1 tap0 0', b'"text":"lan1 tap1 0', "one of its ports"),
        (b'"text":"lan1 tap0 0', b'"text":"lan1 tap0 g', "hexadecimal"),
    ],
)
def test_a_tampered_session_is_refused_with_its_line(joined: Bench, old: bytes, new: bytes, words: str) -> None:
    play(joined)
    saved = joined.session.save()
    assert old in saved
    with pytest.raises(LabError, match=words):
        open_source(LabSource("s", "s", saved.replace(old, new, 1).decode()))


def test_frames_name_their_origin_in_the_trace(joined: Bench) -> None:
    """Asked why, an answer to the outside leads back to the frame that came in."""
    joined.pass_time(5)
    joined.device.far.send(echo_request(ROUTER, ROUTER_MAC))
    joined.pass_time(0.1)
    trace = joined.session.world.network.trace
    solicitation = trace.packets[-1]
    assert solicitation[6] == "tx"
    notes = [record.note for record in trace.chain(solicitation[0])]
    assert notes[-1] == "frame of 74 octets from tap0 outside, on lan1"


@pytest.mark.parametrize("text", ["lan1", "lan1=", "=tap0", ""])
def test_a_tap_option_needs_link_and_device(text: str) -> None:
    with pytest.raises(BridgeError, match="expected LINK=DEV"):
        tap_option(text)
