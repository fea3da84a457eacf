"""The segments of a TCP transfer: both of our kernels, beside scapy, which only builds and parses as many segments."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.sim.loop import run_event
from kamelab.stack import syscalls
from tests.bench.tcp_bulk import ADDRESSES, connected
from tests.bench.timing import Contest, forget

BLOCK = 14_280
"""Octets of one turn: ten full segments of 1428 octets, acknowledged by five."""
DATA, ACKS = 10, 5


def _ours(keep: bool) -> Callable[[int], None]:
    network, src, sid, dst, taken = connected(keep)
    block = bytes(BLOCK)

    def run(count: int) -> None:
        wanted = 0
        for _ in range(count):
            sent = 0
            wanted += BLOCK
            while sent < BLOCK or wanted:
                if sent < BLOCK:
                    sent += syscalls.send(src, sid, block[sent:])
                wanted -= len(syscalls.recv(dst, taken, 65536) or b"")
                if wanted and not run_event(network):
                    raise RuntimeError("nothing moves any more")
            if network.trace.octets > 50_000_000:
                forget(network)
        forget(network)

    return run


def _scapy() -> Callable[[int], None]:
    from scapy.layers.inet import TCP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    macs = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
    data = bytes(BLOCK // DATA)

    def run(count: int) -> None:
        for _ in range(count):
            for number in range(DATA + ACKS):
                segment = TCP(sport=1000, dport=5001, flags="A", seq=number, options=[("Timestamp", (1, 1))])
                packet = Ether(**macs) / IPv6(src=ADDRESSES[0], dst=ADDRESSES[1]) / segment
                if Ether(bytes(packet / Raw(data) if number < DATA else packet))[TCP].seq != number:
                    raise RuntimeError("scapy: another segment")

    return run


def contest(smoke: bool) -> Contest:
    """The race, microseconds for ten full segments and their acknowledgements."""
    race = Contest(f"{BLOCK:,} octets by TCP: {DATA} full segments, {ACKS} acknowledgements", "us", smoke)
    race.add("kamelab, two kernels, trace on", _ours(True), 300)
    race.add("kamelab, no watchers", _ours(False), 300)
    race.add("scapy, build and parse only", _scapy(), 15)
    return race
