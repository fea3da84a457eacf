"""TCP goodput between two of our nodes on one link: both ends, the link and the trace on one core."""

from __future__ import annotations

from time import perf_counter

from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import in6
from tests.bench.timing import forget

PORT = 5001
ADDRESSES = ("2001:db8:1::1", "2001:db8:1::2")


def connected(keep: bool = True, loss: float = 0.0) -> tuple[Network, Node, int, Node, int]:
    """Two hosts with a connection: (network, sender, its socket, receiver, its socket)."""
    network = Network()
    link = network.add_link("lan", latency=1000)
    nodes = []
    for number, text in enumerate(ADDRESSES, 1):
        node = network.add_node(f"h{number}")
        network.add_interface(node, "ne0", bytes((2, 0, 0, 0, 0, number)), link)
        syscalls.ioctl(node, "SIOCSIFFLAGS", "ne0", up=True)
        syscalls.ioctl(node, "SIOCAIFADDR_IN6", "ne0", address=in6.pton(text), plen=64)
        nodes.append(node)
    src, dst = nodes
    while run_event(network, 5 * 10**9):
        pass
    network.trace.keep = keep
    listener = syscalls.socket(dst, 0, "tcp6", 0)
    syscalls.bind(dst, listener, bytes(16), PORT, 0)
    syscalls.listen(dst, listener)
    sid = syscalls.socket(src, 0, "tcp6", 0)
    while not syscalls.connect_stream(src, sid, in6.pton(ADDRESSES[1]), PORT):
        run_event(network)
    taken = 0
    while not (taken := syscalls.accept(dst, listener)):
        run_event(network)
    link.set("loss", loss)
    return network, src, sid, dst, taken


def goodput(octets: int = 20_000_000, *, keep: bool = True, loss: float = 0.0) -> float:
    """Octets of data a second of real time, in millions, ``octets`` moved in one direction and compared.

    Raises RuntimeError where the stream that arrives is not the one that was sent.
    """
    network, src, sid, dst, taken = connected(keep, loss)
    block = bytes(range(256)) * 128
    twice = block * 2
    sent = got = 0
    start = perf_counter()
    while got < octets:
        if sent < octets:
            at = sent % 256
            sent += syscalls.send(src, sid, block[at : at + min(len(block) - at, octets - sent)])
        if not run_event(network):
            raise RuntimeError("nothing moves any more")
        if data := syscalls.recv(dst, taken, len(block)):
            at = got % 256
            if data != twice[at : at + len(data)]:
                raise RuntimeError("the stream is another one")
            got += len(data)
        if network.trace.octets > 100_000_000:
            forget(network)
    return octets / (perf_counter() - start) / 1e6


def report(smoke: bool = False) -> str:
    """One line: goodput with the trace on, without watchers, and under loss."""
    octets = 1_000_000 if smoke else 20_000_000
    figures = (goodput(octets), goodput(octets, keep=False), goodput(octets // 4, loss=0.02))
    traced, bare, lossy = figures
    return f"TCP goodput, both ends on one core: {traced:.1f} MB/s, no watchers {bare:.1f}, with 2% loss {lossy:.1f}"
