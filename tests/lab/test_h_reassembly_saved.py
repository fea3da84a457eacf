"""A checkpoint amid a reassembly and before an eviction: going back brings the same end, refusals included."""

from __future__ import annotations

import pickle

from kamelab.core.clock import SECOND
from kamelab.sim.loop import run_event
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.wire import ether, exthdr, ip6
from kamelab.wire.in6 import pton

OWN, PEER = pton("fe80::ff:fe00:1"), pton("fe80::99")


def test_fragments_refusals_and_the_tick_survive_being_saved() -> None:
    net = Network(1)
    node = net.add_node("h1")
    net.add_interface(node, "ne0", b"\x02\0\0\0\0\1", net.add_link("lan", latency=1000))
    syscalls.ioctl(node, "SIOCSIFFLAGS", "ne0", up=True)

    def arrive(network: Network, ident: int, offset: int) -> None:
        h1 = network.nodes["h1"]
        body = exthdr.build_fragment(17, offset, True, ident) + bytes(16)
        frame = ether.header(b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\x99") + ip6.build(PEER, OWN, 44, body)
        network.clock.send(network.clock.now, h1.interfaces["ne0"], frame, 0)

    def run(network: Network, to: int) -> None:
        while run_event(network, to * SECOND):
            pass
        network.clock.now = to * SECOND

    run(net, 3)
    for ident, offset in ((1, 0), (2, 0), (2, 8), (3, 16)):
        arrive(net, ident, offset)
    run(net, 4)
    syscalls.sysctl_set(node, "net.inet6.ip6.maxfragpackets", 2)
    before = syscalls.rows(node, "reassembly")
    assert [(one.ident, one.refused) for one in before] == [(1, False), (2, True), (3, False)]
    again = pickle.loads(pickle.dumps(net))
    again.nodes["h1"].restore_switch()
    assert syscalls.rows(again.nodes["h1"], "reassembly") == before
    for network in (net, again):
        run(network, 10)
        h1 = network.nodes["h1"]
        assert [one.ident for one in syscalls.rows(h1, "reassembly")] == [2, 3]
        arrive(network, 2, 64)
        run(network, 70)
        assert syscalls.rows(h1, "reassembly") == ()
    assert node.counters() == again.nodes["h1"].counters()
