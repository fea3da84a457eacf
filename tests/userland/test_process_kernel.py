"""Programs on real nodes, taken apart and put together again in the midst of their work."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from kamelab.core.clock import MS, SECOND
from kamelab.sim.loop import run_event, run_ready
from kamelab.sim.topology import Network
from kamelab.userland.system import System


class Lab:
    """A host and a router on one link; what programs print is gathered with its time."""

    def __init__(self) -> None:
        self.net = Network(seed=7)
        link = self.net.add_link("lan", latency=10 * MS)
        self.text: list[tuple[str, int, str, str]] = []
        for number, name in enumerate(("h1", "r1"), 1):
            node = self.net.add_node(name)
            self.net.add_interface(node, "ne0", bytes((2, 0, 0, 0, 0, number)), link)
            node.userland = System(node, self.net.clock, self.net.trace, self.net.streams)

    def system(self, name: str) -> System:
        system = self.net.nodes[name].userland
        assert isinstance(system, System)
        return system

    def start(self, name: str, line: str) -> int:
        pid = self.system(name).shell(line, "t")
        run_ready(self.net)
        return pid

    def step(self, until: int | None = None) -> bool:
        going = run_event(self.net, until)
        for name in self.net.nodes:
            system = self.system(name)
            self.text += [(name, *entry) for entry in system.output]
            system.output.clear()
        return going

    def run(self, seconds: int) -> None:
        end = self.net.clock.now + seconds * SECOND
        while self.step(end):
            pass

    def restored(self) -> Lab:
        other: Lab = pickle.loads(pickle.dumps(self))
        for name in other.net.nodes:
            other.system(name).revive()
        return other

    def position(self) -> tuple[Any, ...]:
        """What must be the same after a restore: text, time, records, frames, processes."""
        systems = [self.system(name) for name in self.net.nodes]
        return (
            self.text,
            self.net.clock.now,
            self.net.clock.events,
            self.net.clock.busy,
            self.net.trace.num,
            self.net.trace.packets,
            self.net.streams.counters,
            [list(system.digest_items()) for system in systems],
            [system.faults for system in systems],
        )


def booted() -> Lab:
    lab = Lab()
    lab.start(
        "r1",
        "sysctl -w net.inet6.ip6.forwarding=1; ifconfig ne0 inet6 2001:db8:1::1; rtadvd ne0",
    )
    lab.start("h1", "sysctl -w net.inet6.ip6.accept_rtadv=1; ifconfig ne0 up; rtsol ne0; sleep 3; ndp -p")
    return lab


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21, 34])
def test_checkpoint_during_boot(steps: int) -> None:
    """sysctl, rtsol and rtadvd go on from any event as if nothing had been."""
    lab = booted()
    for _ in range(steps):
        lab.step()
    other = lab.restored()
    for each in (lab, other):
        each.run(60)
    assert other.position() == lab.position()
    assert any("2001:db8:1::/64" in text for _, _, _, text in lab.text)
    assert [process.daemon for process in lab.system("r1").procs.values()] == [True]


@pytest.mark.parametrize("steps", [1, 4, 7, 10, 12])
def test_checkpoint_inside_ping6_in_a_pipe(steps: int) -> None:
    """ping6 with rtadvd in the background: replies, statistics and frames come out as without the checkpoint."""
    lab = booted()
    lab.run(30)
    pid = lab.start("h1", "ping6 -n -c 4 2001:db8:1::1 | grep -v PING")
    for _ in range(steps):
        lab.step()
    assert lab.system("h1").status(pid) is None
    other = lab.restored().restored()
    for each in (lab, other):
        each.run(60)
    assert other.position() == lab.position()
    assert lab.system("h1").status(pid) == 0
    said = "".join(text for name, _, _, text in lab.text if name == "h1")
    assert "4 packets transmitted, 4 packets received" in said
    assert said.count("icmp_seq=2") == 1


def test_interrupted_ping6_after_a_checkpoint_prints_its_statistics() -> None:
    lab = booted()
    lab.run(30)
    pid = lab.start("h1", "ping6 -n 2001:db8:1::1")
    lab.run(3)
    other = lab.restored()
    for each in (lab, other):
        each.system("h1").interrupt("t")
        run_ready(each.net)
        each.run(1)
        assert each.system("h1").status(pid) == 0
        assert any("4 packets transmitted, 3 packets received" in text for _, _, _, text in each.text)
    assert other.position() == lab.position()


def test_later_requests_are_caused_by_the_command_and_set_off_by_its_timer() -> None:
    """Not by the reply before: else the chain of a hundredth ping would be hundreds of links long."""
    lab = booted()
    lab.run(30)
    lab.start("h1", "ping6 -n -c 4 2001:db8:1::1")
    lab.run(10)
    trace = lab.net.trace
    command = next(record for record in trace.all() if record.event == "command" and record.note.startswith("ping6"))
    sent = [record for record in trace.all() if record.event == "tx" and record.cause == command.num]
    assert len(sent) == 3, "all but the first, which waited for the neighbour's address"
    for record in sent:
        timer = trace.get(record.also)
        assert timer is not None
        assert (timer.node, timer.event, timer.stage) == ("h1", "timer", "timeout")
