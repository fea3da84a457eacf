"""Forwarding one packet: our whole router beside scapy's and dpkt's parse, decrement, rebuild."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import ether, icmp6, in6, ip6
from tests.bench.timing import Contest, forget

SRC = in6.pton("2001:db8:1::2")
DST = in6.pton("2001:db8:2::2")
NEXT_HOP = ether.mac_pton("2:0:0:0:0:9")


def packet(router_mac: bytes, payload: int = 64) -> bytes:
    """An echo request on its way through the router."""
    body = icmp6.echo_body(1, 1, bytes(payload))
    message = icmp6.build(SRC, DST, icmp6.ECHO_REQUEST, 0, body)
    return ether.header(router_mac, ether.mac_pton("2:0:0:0:0:8")) + ip6.build(SRC, DST, ip6.IPPROTO_ICMPV6, message)


def router() -> tuple[Network, Node]:
    """A router between two links with nobody else on them, its next hop known."""
    network = Network()
    left, right = network.add_link("left"), network.add_link("right")
    node = network.add_node("r1")
    network.add_interface(node, "ne0", ether.mac_pton("2:0:0:0:0:1"), left)
    network.add_interface(node, "ne1", ether.mac_pton("2:0:0:0:0:2"), right)
    syscalls.sysctl_set(node, "net.inet6.ip6.forwarding", 1)
    for name, text in (("ne0", "2001:db8:1::1"), ("ne1", "2001:db8:2::1")):
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", name, address=in6.pton(text), plen=64)
    while run_event(network, 60 * 10**9):
        pass
    syscalls.neighbor(node, "set", address=DST, interface="ne1", lladdr=NEXT_HOP)
    return network, node


def _ours(keep: bool, fast: bool) -> Callable[[int], None]:
    network, node = router()
    network.trace.keep = keep
    iface = node.interfaces["ne0"]
    frame = packet(iface.mac)
    before = node.counters().get("ip6.forward", 0)
    node.receive(iface, frame, 0, False)
    if node.counters()["ip6.forward"] != before + 1:
        raise RuntimeError("the router does not forward")

    def run(count: int) -> None:
        receive = node.receive
        if fast:
            for _ in range(count):
                receive(iface, frame, 0, False)
        else:
            for _ in range(count):
                node.flows.clear()
                receive(iface, frame, 0, False)
        forget(network)

    return run


def _scapy() -> Callable[[int], None]:
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    frame = packet(ether.mac_pton("2:0:0:0:0:1"))

    def run(count: int) -> None:
        for _ in range(count):
            parsed = Ether(frame)
            parsed[IPv6].hlim -= 1
            parsed.dst, parsed.src = "02:00:00:00:00:09", "02:00:00:00:00:02"
            bytes(parsed)

    return run


def _dpkt() -> Callable[[int], None]:
    from dpkt.ethernet import Ethernet

    frame = packet(ether.mac_pton("2:0:0:0:0:1"))
    mac = ether.mac_pton("2:0:0:0:0:2")

    def run(count: int) -> None:
        for _ in range(count):
            parsed = Ethernet(frame)
            parsed.data.hlim -= 1
            parsed.dst, parsed.src = NEXT_HOP, mac
            bytes(parsed)

    return run


def contest(smoke: bool) -> Contest:
    """The race, microseconds a packet."""
    race = Contest("forward one packet (64 octets of payload)", "us/packet", smoke)
    race.add("kamelab, trace on", _ours(True, True), 20_000)
    race.add("kamelab, no watchers", _ours(False, True), 20_000)
    race.add("kamelab, no flow: the whole walk", _ours(True, False), 5_000)
    race.add("scapy", _scapy(), 300)
    race.add("dpkt", _dpkt(), 2_000)
    return race
