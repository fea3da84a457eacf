"""Putting fragments together: our kernel, from frames to a program's message, beside scapy's ``defragment6``."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.wire import ether, exthdr, in6, ip6, udp
from tests.bench.timing import Contest, forget

SRC, DST = in6.pton("fe80::99"), in6.pton("fe80::ff:fe00:1")
PORT = 5003
PIECE = 1448
MAC = ether.mac_pton("2:0:0:0:0:1")


def fragments(octets: int, ident: int) -> list[bytes]:
    """The frames of a datagram with ``octets`` of data."""
    body = udp.build(SRC, DST, 1000, PORT, bytes(octets))
    head = ether.header(MAC, ether.mac_pton("2:0:0:0:0:99"))
    return [
        head + ip6.build(SRC, DST, 44, exthdr.build_fragment(17, at, at + PIECE < len(body), ident) + body[at:][:PIECE])
        for at in range(0, len(body), PIECE)
    ]


def _ours(octets: int) -> Callable[[int], None]:
    network = Network()
    node = network.add_node("h1")
    iface = network.add_interface(node, "ne0", MAC, network.add_link("lan"))
    syscalls.ioctl(node, "SIOCSIFFLAGS", "ne0", up=True)
    while run_event(network, 30 * 10**9):
        pass
    sid = syscalls.socket(node, 0, "udp6", 0)
    syscalls.bind(node, sid, bytes(16), PORT, 0)
    syscalls.setsockopt(node, sid, "SO_RCVBUF", 100_000)
    frames = fragments(octets, 1)

    def run(count: int) -> None:
        for _ in range(count):
            for frame in frames:
                node.receive(iface, frame, 0, False)
            message = syscalls.recvmsg(node, sid)
            if message is None or len(message.data) != octets:
                raise RuntimeError("not put together")
            if network.trace.octets > 50_000_000:
                forget(network)
        forget(network)

    return run


def _scapy(octets: int) -> Callable[[int], None]:
    from scapy.layers.inet6 import defragment6
    from scapy.layers.l2 import Ether

    frames = fragments(octets, 1)

    def run(count: int) -> None:
        for _ in range(count):
            whole = defragment6([Ether(frame)["IPv6"] for frame in frames])
            if len(whole) != 40 + 8 + octets:
                raise RuntimeError("scapy: not put together")

    return run


def contest(octets: int, smoke: bool) -> Contest:
    """The race for datagrams of one size, microseconds a datagram."""
    pieces = len(fragments(octets, 1))
    race = Contest(f"put {pieces} fragments together, {octets:,} octets of data", "us/datagram", smoke)
    race.add("kamelab, trace on", _ours(octets), 300 if octets > 10_000 else 2_000)
    race.add("scapy, parse and defragment6", _scapy(octets), 10 if octets > 10_000 else 100)
    return race


def rate(race: Contest, octets: int) -> str:
    """The first contestant's result as fragments and data a second."""
    spent = next(iter(race.results.values()))
    pieces = len(fragments(octets, 1))
    return f"reassembly, trace on: {pieces / spent * 1e6:,.0f} fragments/s, {octets / spent:,.0f} MB/s of data"
