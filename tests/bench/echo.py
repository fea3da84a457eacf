"""Echo round trips, virtual time and memory: figures of our own engine."""

from __future__ import annotations

import gc
import tracemalloc
from time import perf_counter

from kamelab.lab.api import Lab
from kamelab.lab.loader import load_lab
from kamelab.lab.session import Session
from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.wire import ether, icmp6, in6
from tests.bench.timing import forget

H2 = in6.pton("2001:db8::2")


def round_trips(smoke: bool) -> str:
    """Two hosts on a wire, one echo request in flight, both ends whole kernels with the trace on."""
    network = Network()
    wire = network.add_link("lan", latency=50_000)
    hosts = []
    for number in (1, 2):
        node = network.add_node(f"h{number}")
        network.add_interface(node, "ne0", ether.mac_pton(f"2:0:0:0:0:{number}"), wire)
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", "ne0", address=in6.pton(f"2001:db8::{number}"), plen=64)
        hosts.append(node)
    while run_event(network, 30 * 10**9):
        pass
    sid = syscalls.socket(hosts[0], 1, "raw6", 58)
    syscalls.setsockopt(hosts[0], sid, "ICMP6_FILTER", (icmp6.ECHO_REPLY,))
    message = icmp6.build(bytes(16), bytes(16), icmp6.ECHO_REQUEST, 0, icmp6.echo_body(1, 1, bytes(56)))
    count = 500 if smoke else 20_000
    answered = 0
    gc.collect()
    start = perf_counter()
    for _ in range(count):
        syscalls.sendmsg(hosts[0], sid, message, H2)
        until = network.clock.now + 1_000_000
        while run_event(network, until):
            pass
        answered += syscalls.recvmsg(hosts[0], sid) is not None
        if len(network.trace.packets) > 10_000:
            forget(network)
    spent = perf_counter() - start
    if answered < count * 0.99:
        raise RuntimeError(f"only {answered} of {count} echoes came back")
    return f"echo round trips, host to host, trace on: {count / spent:,.0f}/s ({spent / count * 1e6:.1f} us each)"


def idle_day(smoke: bool) -> str:
    """Twenty nodes with router advertisements: a day of virtual time."""
    lines = ["format = 1", 'title = "idle"', "[links.lan]", "[nodes.r1]", 'role = "router"', 'startup = ["rtadvd ne0"]']
    lines.append('interfaces.ne0 = { link = "lan", addresses = ["2001:db8::1/64"] }')
    for number in range(1, 20):
        lines += [f"[nodes.h{number}]", 'role = "host"', 'startup = ["rtsol ne0"]']
        lines.append('interfaces.ne0 = { link = "lan", up = true }')
    text = "\n".join(lines) + "\n"
    lab = Lab(Session(load_lab(text, "idle.toml"), text, "idle"))
    hours = 2 if smoke else 24
    start = perf_counter()
    lab.run(hours * 3600)
    spent = perf_counter() - start
    return f"an idle network of 20 nodes: {hours} h of virtual time in {spent:.2f} s, {lab.session.events} events"


def memory(smoke: bool) -> str:
    """Kernel memory of a configured node with one interface and one global address."""
    count = 50 if smoke else 500
    gc.collect()
    tracemalloc.start()
    network = Network()
    network.trace.keep = False
    for number in range(count):
        node = network.add_node(f"n{number}")
        link = network.add_link(f"l{number}")
        network.add_interface(node, "ne0", b"\x02\0\0\0" + number.to_bytes(2, "big"), link)
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", "ne0", address=in6.pton("2001:db8::1"), plen=64)
    while run_event(network, 30 * 10**9):
        pass
    forget(network)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return f"memory of a configured node (kernel, 1 interface, 2 addresses): {used / count / 1000:.1f} kB"
