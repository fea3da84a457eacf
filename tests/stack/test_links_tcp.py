"""What bad links do to TCP: the stream arrives, counters tell what it cost, and routing sockets hear of a loss."""

from __future__ import annotations

from typing import Any

import pytest
from streams import pair, transfer
from wires import Wires

from kamelab.core.clock import MS
from kamelab.stack import syscalls
from kamelab.stack.net.rtsock import RouteMessage

DATA = bytes(n * 7 % 251 for n in range(100_000))


@pytest.mark.parametrize(
    ("faults", "counters"),
    [
        ({"duplicate": 0.2}, {"tcp.rcvduppack"}),
        ({"corrupt": 0.05}, {"tcp.rcvbadsum"}),
        ({"reorder": 0.1}, {"tcp.rcvoopack"}),
        ({"bandwidth": 2_000_000, "queue": 4}, {"tcp.rcvoopack"}),
        ({"jitter": 20 * MS, "switch": 1}, set()),
        ({"loss": 0.02, "duplicate": 0.05, "corrupt": 0.01, "reorder": 0.05, "jitter": MS}, {"tcp.rcvoopack"}),
    ],
)
def test_the_stream_arrives_whatever_the_wire_does(faults: dict[str, Any], counters: set[str]) -> None:
    wires = Wires(2)
    h1, h2, sid, to = pair(wires)
    for key, value in faults.items():
        wires.net.links["lan"].set(key, value)
    assert transfer(wires, h1, sid, h2, to, DATA) == DATA
    assert all(h2.stat[name] > 0 for name in counters), dict(h2.stat)
    if "queue" in faults:
        assert wires.net.links["lan"].lost > 0
        assert "LINK_QUEUE" in wires.drops(h1)


def test_jitter_without_reordering_costs_no_retransmission() -> None:
    wires = Wires()
    h1, h2, sid, to = pair(wires)
    wires.net.links["lan"].set("jitter", 2 * MS)
    assert transfer(wires, h1, sid, h2, to, DATA) == DATA
    assert h2.stat["tcp.rcvoopack"] == h1.stat["tcp.sndrexmitpack"] == 0


def test_a_connection_that_loses_is_told_once_to_routing_sockets() -> None:
    wires = Wires()
    h1, h2, sid, _ = pair(wires)
    ear = syscalls.socket(h1, 0, "route", 0)
    wires.net.links["lan"].set("loss", 1)
    syscalls.send(h1, sid, b"x")
    wires.run(60)
    messages = []
    while (message := syscalls.recvmsg(h1, ear)) is not None:
        assert isinstance(message, RouteMessage)
        messages.append(message)
    assert [message.kind for message in messages] == ["RTM_LOSING"]
    assert h1.stat["tcp.rexmttimeo"] >= 4
    assert h2.stat["tcp.rcvpack"] == 0
