"""UDP from a program to a program on another node: two kernels, a link and the trace; beside scapy and dpkt, which only
build the datagram and read it again, checksum included.
"""

from __future__ import annotations

from collections.abc import Callable

from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.wire import ether, in6
from tests.bench.timing import Contest, forget

PORT = 5002
ADDRESSES = ("2001:db8:1::1", "2001:db8:1::2")
SIZE = 64


def _ours(keep: bool) -> Callable[[int], None]:
    network = Network()
    link = network.add_link("lan", latency=1000)
    nodes = []
    for number, text in enumerate(ADDRESSES, 1):
        node = network.add_node(f"h{number}")
        network.add_interface(node, "ne0", bytes((2, 0, 0, 0, 0, number)), link)
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", "ne0", address=in6.pton(text), plen=64)
        nodes.append(node)
    src, dst = nodes
    while run_event(network, 30 * 10**9):
        pass
    network.trace.keep = keep
    to = in6.pton(ADDRESSES[1])
    sid = syscalls.socket(src, 0, "udp6", 0)
    taker = syscalls.socket(dst, 0, "udp6", 0)
    syscalls.bind(dst, taker, bytes(16), PORT, 0)
    data = bytes(SIZE)

    def run(count: int) -> None:
        for _ in range(count):
            syscalls.sendmsg(src, sid, data, to, PORT)
            message = None
            while message is None:
                if not run_event(network):
                    raise RuntimeError("the datagram is lost")
                message = syscalls.recvmsg(dst, taker)
            if message.data != data:
                raise RuntimeError("another datagram came")
        forget(network)

    return run


def _scapy() -> Callable[[int], None]:
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import IPv6, in6_chksum
    from scapy.layers.l2 import Ether
    from scapy.packet import Raw

    data = bytes(SIZE)
    macs = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}

    def run(count: int) -> None:
        for _ in range(count):
            packet = IPv6(src=ADDRESSES[0], dst=ADDRESSES[1]) / UDP(sport=1000, dport=PORT) / Raw(data)
            parsed = Ether(bytes(Ether(**macs) / packet))
            segment = bytes(parsed[UDP])
            if in6_chksum(17, parsed[IPv6], segment) or bytes(parsed[UDP].payload) != data:
                raise RuntimeError("scapy: another datagram came")

    return run


def _dpkt() -> Callable[[int], None]:
    import dpkt

    data = bytes(SIZE)
    src, dst = (in6.pton(text) for text in ADDRESSES)
    macs = (ether.mac_pton("2:0:0:0:0:1"), ether.mac_pton("2:0:0:0:0:2"))

    def run(count: int) -> None:
        for _ in range(count):
            segment = dpkt.udp.UDP(sport=1000, dport=PORT, data=data, ulen=8 + len(data))
            packet = dpkt.ip6.IP6(src=src, dst=dst, nxt=17, plen=8 + len(data), hlim=64, data=segment)
            packet.extension_hdrs = {}
            frame = bytes(dpkt.ethernet.Ethernet(src=macs[0], dst=macs[1], type=0x86DD, data=packet))
            if dpkt.ethernet.Ethernet(frame).data.data.data != data:
                raise RuntimeError("dpkt: another datagram came")

    return run


def contest(smoke: bool) -> Contest:
    """The race, microseconds a datagram."""
    race = Contest(f"a UDP datagram of {SIZE} octets, socket to socket", "us/datagram", smoke)
    race.add("kamelab, trace on", _ours(True), 5_000)
    race.add("kamelab, no watchers", _ours(False), 5_000)
    race.add("scapy, build and parse only", _scapy(), 200)
    race.add("dpkt, build and parse only", _dpkt(), 2_000)
    return race


def rate(race: Contest) -> str:
    """The first contestant's result as datagrams a second."""
    return f"UDP, host to host, trace on: {1e6 / next(iter(race.results.values())):,.0f} datagrams/s"
