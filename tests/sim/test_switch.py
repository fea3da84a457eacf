"""A learning switch: who hears what, and for how long it remembers (IEEE 802.1D)."""

from __future__ import annotations

import pytest

from kamelab.core.clock import MS, SECOND
from kamelab.sim.switch import AGEING, TABLE_LIMIT
from kamelab.stack.node import Node
from tests.stack.wires import Wires, echo_to

MACS = {name: bytes((2, 0, 0, 0, 0, number)) for number, name in enumerate(("h1", "h2", "h3"), 1)}


def lan(*, switch: bool = True, **options: float) -> Wires:
    """h1, h2 and h3 on one link; at 60 s they have said what they say by themselves."""
    wires = Wires()
    wires.link("lan", switch=switch, **options)
    for number, name in enumerate(MACS, 1):
        node = wires.node(name, "lan")
        wires.address(node, f"2001:db8:1::{number}")
    wires.run(to=60)
    return wires


class Ear:
    """Counts what the link brings to each station, heard by its kernel or not."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.order = wires.net.clock.order

    def frames(self, source: bytes, dst: bytes) -> list[str]:
        """Put a frame on the wire; the stations that it is on its way to."""
        clock = self.wires.net.clock
        sender = next(s for s in self.wires.net.links["lan"].stations if s.mac == source)
        before = clock.order
        self.wires.net.links["lan"].transmit(sender, dst + source + b"\x08\x00" + bytes(46), 0)
        going = [entry for entry in clock.heap if entry[1] > before and len(entry) > 4]
        self.wires.run(1)
        return sorted(entry[2].node.name for entry in going)


def test_a_known_address_is_heard_by_its_station_alone() -> None:
    ear = Ear(lan())
    ear.frames(MACS["h2"], MACS["h1"])
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h2"]


def test_a_hub_brings_everything_to_everybody() -> None:
    ear = Ear(lan(switch=False))
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h2", "h3"]


def test_unknown_addresses_and_groups_are_flooded() -> None:
    ear = Ear(lan())
    assert ear.frames(MACS["h1"], b"\x02\0\0\0\0\x77") == ["h2", "h3"]
    assert ear.frames(MACS["h1"], b"\x33\x33\0\0\0\x01") == ["h2", "h3"]


def test_an_address_is_forgotten_after_300_s_of_silence() -> None:
    wires = lan()
    ear = Ear(wires)
    ear.frames(MACS["h2"], MACS["h1"])
    wires.run(AGEING / SECOND - 2)
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h2"]
    wires.run(2)
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h2", "h3"]
    # One frame of it and it is known again.
    ear.frames(MACS["h2"], MACS["h1"])
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h2"]


def test_a_station_that_moves_is_followed() -> None:
    wires = lan()
    link = wires.net.links["lan"]
    ear = Ear(wires)
    link.transmit(link.stations[2], b"\x33\x33\0\0\0\x01" + MACS["h2"] + b"\x08\x00" + bytes(46), 0)
    wires.run(1)
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h3"]


def test_a_group_as_source_is_not_learned() -> None:
    wires = lan()
    link = wires.net.links["lan"]
    group = b"\x33\x33\0\0\0\x01"
    link.transmit(link.stations[2], MACS["h1"] + group + b"\x08\x00" + bytes(46), 0)
    assert link.switch is not None
    assert group not in link.switch.table


def test_going_down_empties_the_table() -> None:
    wires = lan()
    ear = Ear(wires)
    wires.net.set_link("lan", False)
    wires.net.set_link("lan", True)
    link = wires.net.links["lan"]
    assert link.switch is not None
    assert link.switch.rows(wires.net.clock.now) == []
    assert ear.frames(MACS["h1"], MACS["h2"]) == ["h2", "h3"]


def test_a_flood_of_addresses_does_not_grow_the_table_for_ever() -> None:
    wires = lan()
    link = wires.net.links["lan"]
    for number in range(TABLE_LIMIT + 500):
        link.transmit(link.stations[2], MACS["h1"] + b"\x02\x01" + number.to_bytes(4, "big") + b"\x08\x00", 0)
    assert link.switch is not None
    assert len(link.switch.table) == TABLE_LIMIT
    wires.run(1)
    # The addresses of stations that were silent meanwhile are gone: their frames are flooded, nothing is lost.
    assert Ear(wires).frames(MACS["h1"], MACS["h2"]) == ["h2", "h3"]


def test_switching_it_off_and_on() -> None:
    wires = lan()
    link = wires.net.links["lan"]
    link.set("switch", 0)
    assert Ear(wires).frames(MACS["h1"], MACS["h2"]) == ["h2", "h3"]
    link.set("switch", 1)
    assert link.switch is not None
    assert link.switch.table == {}


def test_a_port_to_the_outside_is_a_station_too() -> None:
    wires = lan()
    link = wires.net.links["lan"]
    out: list[bytes] = []
    port = link.port("tap0")
    port.send = out.append
    outsider = b"\x02\0\0\0\0\x99"
    link.transmit(port, MACS["h1"] + outsider + b"\x08\x00" + bytes(46), 0)
    wires.run(1)
    Ear(wires).frames(MACS["h1"], outsider)
    Ear(wires).frames(MACS["h1"], MACS["h2"])
    assert [frame[:6] for frame in out] == [outsider]


def ping(wires: Wires, node: Node, to: str) -> None:
    node.send(echo_to(to, node.interfaces["ne0"]))
    wires.run(1)


def test_neighbor_discovery_and_traffic_work_and_a_stranger_does_not_hear_them() -> None:
    wires = lan()
    h1, h2, h3 = wires.net.nodes.values()
    before = h3.interfaces["ne0"].ipackets
    ping(wires, h1, "2001:db8:1::2")
    assert h1.stat["icmp6.inhist.129"] == 1
    assert h2.stat["icmp6.inhist.128"] == 1
    # The solicitation went to a group that h3 has not joined, its answer and the rest to one station.
    assert h3.interfaces["ne0"].ipackets == before
    wires.account()


def test_a_rebooted_station_is_learned_anew() -> None:
    wires = lan()
    h2 = wires.net.nodes["h2"]
    h2.power_off()
    assert Ear(wires).frames(MACS["h1"], MACS["h2"]) == ["h2", "h3"]


@pytest.mark.parametrize(("switch", "last"), [(False, 8), (True, 4)])
def test_two_pairs_share_a_hub_but_not_a_switch(switch: bool, last: int) -> None:
    wires = lan(switch=switch, latency=0)
    link = wires.net.links["lan"]
    link.set("bandwidth", 60 * 8 * 1000)
    start = wires.net.clock.now
    for _ in range(4):
        for source, dst in (("h1", "h2"), ("h2", "h3")):
            sender = next(s for s in link.stations if s.mac == MACS[source])
            link.transmit(sender, MACS[dst] + MACS[source] + b"\x08\x00" + bytes(46), 0)
    wires.run(1)
    times = [row[1] - start for row in wires.net.trace.packets if row[6] == "rx" and row[1] >= start]
    assert max(times) == last * MS


def test_a_full_port_of_a_switch_drops_for_its_station_alone() -> None:
    wires = lan(latency=0)
    link = wires.net.links["lan"]
    link.set("bandwidth", 60 * 8 * 1000)
    link.set("queue", 2)
    sender = link.stations[0]
    for _ in range(3):
        link.transmit(sender, MACS["h2"] + MACS["h1"] + b"\x08\x00" + bytes(46), 0)
    link.transmit(sender, MACS["h3"] + MACS["h1"] + b"\x08\x00" + bytes(46), 0)
    drops = [record for record in wires.net.trace.all() if record.reason == "LINK_QUEUE"]
    assert [record.node for record in drops] == ["h2"]
