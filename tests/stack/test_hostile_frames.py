"""100,000 damaged frames into hosts and a router that go on talking: no exception, no packet without an end, no table
that grows without bound (promise 3, promise "bad input").

The frames are valid ones, damaged by a generator of their own: the same on every machine. Half of them get their
checksum mended, else hardly any would come past it.
"""

from __future__ import annotations

from random import Random

import pytest
from wires import (
    ALLNODES,
    ROUTER,
    ROUTER2,
    ROUTER2_MAC,
    STRANGER,
    STRANGER_MAC,
    A,
    Wires,
    account,
    dad_ns,
    datagram,
    echo,
    icmp6,
    mld_message,
    na,
    ns,
    prefix,
    ra,
    redirect,
    rs,
)

from kamelab.core.clock import MS, SECOND
from kamelab.sim.loop import run_event
from kamelab.stack import syscalls
from kamelab.stack.flow import FLOW_LIMIT
from kamelab.stack.net.route import RoutingTable
from kamelab.stack.netinet6 import in6 as in6_if
from kamelab.stack.netinet6 import nd6, nd6_defrouter, nd6_prefix, redirect6
from kamelab.stack.node import LOG_LIMIT, Node
from kamelab.wire import exthdr, ip6, nd_options
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum
from kamelab.wire.ether import multicast_mac

ROUNDS = 10
FRAMES = 10_000

H1, R1 = A("fe80::ff:fe00:1"), A("fe80::ff:fe00:2")
H1_GLOBAL, R1_GLOBAL, H2_GLOBAL = A("2001:db8:1::1"), A("2001:db8:1::ff"), A("2001:db8:2::1")
LEFT = A("2001:db8:1::5")
FAR = A("2001:db8:9::9")


def network(seed: int) -> Wires:
    """h1 (autoconfigured, a socket, a raw socket) - left - r1 - right - h2, at 3 s; left is a line in every fifth."""
    wires = Wires(seed)
    wires.link("left", kind="ppp" if seed % 5 == 4 else "ethernet")
    wires.link("right")
    h1 = wires.node("h1", "left", accept_rtadv=1)
    r1 = wires.node("r1", "left", "right", forwarding=1)
    h2 = wires.node("h2", "right")
    if seed % 5 == 4:
        # A line has no hardware address to make these of.
        wires.address(h1, "fe80::ff:fe00:1")
        wires.address(r1, "fe80::ff:fe00:2")
    wires.address(h1, "2001:db8:1::1")
    wires.address(r1, "2001:db8:1::ff", "ne0")
    wires.address(r1, "2001:db8:2::ff", "ne1")
    wires.address(h2, "2001:db8:2::1")
    wires.address(h2, "2001:db8:2::a", flags=("anycast",))
    syscalls.route(h2, "add", destination=bytes(16), plen=0, gateway=A("2001:db8:2::ff"))
    if r1.interfaces["ne0"].mac:
        syscalls.neighbor(r1, "set", address=A("2001:db8:1::77"), interface="ne0", lladdr=STRANGER_MAC, proxy=True)
    for node in (h1, h2):
        sid = syscalls.socket(node, 0, "udp6", 0)
        syscalls.bind(node, sid, bytes(16), 9, 0)
        syscalls.setsockopt(node, sid, "IPV6_JOIN_GROUP", (A("ff02::77"), 1))
        syscalls.socket(node, 0, "raw6", 58)
        syscalls.socket(node, 0, "raw6", 89)
    wires.run(to=3)
    return wires


def corpus() -> list[tuple[str, str, bytes]]:
    """(node, interface, packet): one of each kind that a kernel reads, and whole conversations of fragments."""
    info = prefix("2001:db8:a::/64", 9000, 9000) + nd_options.build_mtu(1400)
    body = echo(STRANGER, H1, bytes(120))[40:]
    out = [
        ("h1", "ne0", packet)
        for packet in (
            echo(STRANGER, H1),
            echo(H2_GLOBAL, H1_GLOBAL, bytes(1300)),
            echo(STRANGER, ALLNODES),
            icmp6(STRANGER, H1, icmp.ECHO_REPLY, bytes(20)),
            datagram(STRANGER, H1),
            datagram(LEFT, H1_GLOBAL, port=10),
            datagram(STRANGER, A("ff02::77")),
            ns(H1),
            ns(H1_GLOBAL, src=LEFT),
            dad_ns(H1),
            na(STRANGER, H1, "SO"),
            na(ROUTER, H1, "RSO"),
            na(ROUTER, ALLNODES, "O"),
            ra(info),
            ra(info, src=ROUTER2, lladdr=ROUTER2_MAC, preference=1, hlim=5, reachable=5000, retrans=500),
            ra(prefix("2001:db8:b::/64", 2, 1), lifetime=3),
            ra(lifetime=0),
            redirect(H1, FAR, ROUTER2, lladdr=ROUTER2_MAC),
            redirect(H1, FAR, FAR),
            mld_message(icmp.MLD_QUERY, bytes(16), delay=1000),
            mld_message(icmp.MLD_QUERY, A("ff02::77"), delay=0),
            mld_message(icmp.MLD_REPORT, A("ff02::77")),
            icmp6(FAR, H1_GLOBAL, icmp.PACKET_TOO_BIG, icmp.error_body(1300, datagram(H1_GLOBAL, FAR))),
            icmp6(LEFT, H1_GLOBAL, icmp.DST_UNREACH, icmp.error_body(0, datagram(H1_GLOBAL, LEFT)), code=4),
            ip6.build(STRANGER, H1, 60, exthdr.destination_options(58, exthdr.option(0x1E, b"abc")) + body),
            ip6.build(STRANGER, H1, 43, bytes([58, 0, 0, 0]) + bytes(4) + body),
            ip6.build(STRANGER, H1, 44, exthdr.build_fragment(58, 0, False, 7) + body),
            *(
                ip6.build(STRANGER, H1, 44, exthdr.build_fragment(58, at, at + 40 < len(body), 8) + body[at : at + 40])
                for at in range(0, len(body), 40)
            ),
            ip6.build(STRANGER, H1, 89, b"hello"),
            ip6.build(STRANGER, H1, 59, b"rest"),
        )
    ]
    out += [
        ("r1", "ne0", packet)
        for packet in (
            datagram(LEFT, H2_GLOBAL, data=bytes(60)),
            datagram(LEFT, A("2001:db8:2::1234")),
            datagram(LEFT, FAR),
            datagram(LEFT, H1_GLOBAL),
            datagram(STRANGER, H2_GLOBAL),
            echo(LEFT, R1_GLOBAL, hlim=1),
            echo(LEFT, H2_GLOBAL, hlim=1),
            rs(dst=ALLNODES),
            ns(R1),
            ns(A("2001:db8:1::77")),
            na(LEFT, R1_GLOBAL, "SO"),
            icmp6(STRANGER, R1, icmp.DST_UNREACH, icmp.error_body(0, datagram(LEFT, FAR))),
            ip6.build(LEFT, H2_GLOBAL, 0, exthdr.router_alert(58) + echo(LEFT, H2_GLOBAL)[40:]),
        )
    ]
    return out


def mended(packet: bytearray) -> bytes:
    """The packet with the checksum of its ICMPv6 or UDP part made right, where it has one."""
    if len(packet) < 48:
        return bytes(packet)
    try:
        nxt, at = exthdr.upper_layer(bytes(packet))
    except WireError:
        return bytes(packet)
    field = at + (2 if nxt == 58 else 6)
    if nxt not in (17, 58) or len(packet) < field + 2:
        return bytes(packet)
    packet[field : field + 2] = b"\0\0"
    end = min(len(packet), 40 + (packet[4] << 8 | packet[5]))
    packet[field : field + 2] = in6_cksum(
        bytes(packet[8:24]), bytes(packet[24:40]), nxt, bytes(packet[at:end])
    ).to_bytes(2, "big")
    return bytes(packet)


def damaged(random: Random, packet: bytes, others: list[tuple[str, str, bytes]]) -> bytes:
    """One to four injuries, with a length field that is right more often than not."""
    out = bytearray(packet)
    for _ in range(random.randint(1, 4)):
        kind = random.randrange(9)
        at = random.randrange(len(out)) if out else 0
        if kind == 0 and out:
            out[at] ^= 1 << random.randrange(8)
        elif kind == 1 and out:
            out[at] = random.choice((0, 1, 2, 7, 8, 0x7F, 0x80, 0xFE, 0xFF))
        elif kind == 2:
            del out[random.randrange(len(out) + 1) :]
        elif kind == 3:
            out += random.randbytes(random.randrange(1, 40))
        elif kind == 4 and len(out) > 40:
            where = random.randrange(40, len(out))
            out[where : where + random.randrange(9)] = random.randbytes(random.randrange(9))
        elif kind == 5 and len(out) >= 24:
            out[20:24] = random.randbytes(2).rjust(4, b"\0")  # another sender
        elif kind == 6 and len(out) >= 40:
            out[38:40] = random.randbytes(2)  # another receiver
        elif kind == 7 and len(out) >= 8:
            out[random.choice((6, 7))] = random.choice((0, 1, 17, 43, 44, 58, 59, 60, 64, 254, 255))
        else:
            other = random.choice(others)[2]
            out = out[: random.randrange(len(out) + 1)] + other[random.randrange(len(other)) :]
    if len(out) >= 40 and random.random() < 0.8:
        out[4:6] = min(65535, len(out) - 40).to_bytes(2, "big")
    return mended(out) if random.random() < 0.6 else bytes(out)


def frame_of(random: Random, node: Node, interface: str, packet: bytes) -> bytes:
    """The packet in an Ethernet frame that the interface's filter lets pass, now and then a broken one."""
    mac = node.interfaces[interface].mac or bytes(6)
    if packet[24:25] == b"\xff":
        mac = multicast_mac(packet[24:40].ljust(16, b"\0"))
        if mac not in node.interfaces[interface].filter:
            mac = b"\x33\x33\0\0\0\x01"
    frame = mac + STRANGER_MAC + (b"\x86\xdd" if random.random() < 0.99 else random.randbytes(2)) + packet
    return frame if random.random() < 0.99 else frame[: random.randrange(6, 20)]


def bounded(node: Node) -> None:
    """The limits that each table has."""
    assert len(node.routers) <= nd6_defrouter.ROUTER_LIMIT
    assert len(node.flows) <= FLOW_LIMIT
    assert len(node.kernel_log) <= LOG_LIMIT
    assert sum(len(queue.pieces) for queue in node.reassembly.values()) <= 200
    assert node.routes.dynamic_count() <= redirect6.ROUTE_LIMIT
    addresses = 0
    for iface in node.interfaces.values():
        assert len(iface.neighbors) <= nd6.NEIGHBOR_LIMIT
        assert len(iface.prefixes) <= nd6_prefix.PREFIX_LIMIT + in6_if.ADDRESS_LIMIT
        assert len(iface.addresses) <= in6_if.ADDRESS_LIMIT
        assert len(iface.groups) <= 4 + len(iface.addresses), "two for all nodes, one joined by a program, one proxied"
        assert len(iface.filter) <= len(iface.groups)
        assert all(len(entry.hold) <= 1 for entry in iface.neighbors.values())
        assert all(len(entry.routers) <= nd6_prefix.PREFIX_LIMIT for entry in iface.prefixes)
        addresses += len(iface.addresses)
    assert isinstance(node.routes, RoutingTable)
    assert len(node.routes.all()) <= redirect6.ROUTE_LIMIT + 2 * addresses + nd6_prefix.PREFIX_LIMIT + 20
    assert len(node.own) == addresses
    for so in node.sockets.values():
        assert so.octets <= so.rcvbuf


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_damaged_frames(seed: int) -> None:
    wires = network(seed)
    net = wires.net
    random = Random(seed)
    frames = corpus()
    for number in range(FRAMES):
        name, interface, packet = random.choice(frames)
        node = net.nodes[name]
        if random.random() < 0.95:
            packet = damaged(random, packet, frames)
        net.clock.send(net.clock.now, node.interfaces[interface], frame_of(random, node, interface, packet), 0)
        pause = random.choices((0, random.randrange(20 * MS), random.randrange(30 * SECOND)), (70, 29, 1))[0]
        end = net.clock.now + pause
        while run_event(net, end):
            pass
        net.clock.now = end
        if number % 1000 == 0:
            for one in net.nodes.values():
                bounded(one)
    for one in net.nodes.values():
        bounded(one)
    ended = account(net)
    assert ended["deliver"] > 1000
    assert ended["drop"] > 1000
    assert ended["forward"] > 100
    # The kernels still work: a sound request is answered after all that.
    h2 = net.nodes["h2"]
    wires.run(100)
    at = wires.now
    wires.inject(h2, ns(A("2001:db8:2::1"), src=A("2001:db8:2::9")))
    wires.inject(h2, echo(A("2001:db8:2::9"), A("2001:db8:2::1")))
    assert len(wires.sent(h2, icmp.ECHO_REPLY, at)) == 1
    account(net)


def test_the_frames_reach_most_of_the_code() -> None:
    """What the damage provokes: most reasons that a frame can have, else the generator is too blunt."""
    reasons = set()
    for seed in range(2):
        wires = network(seed)
        random = Random(1000 + seed)
        frames = corpus()
        for _ in range(4000):
            name, interface, packet = random.choice(frames)
            node = wires.net.nodes[name]
            wires.frame(node, frame_of(random, node, interface, damaged(random, packet, frames)), interface)
            wires.run(random.choice((0, 0.001, 0.1)))
        reasons |= {record.reason for record in wires.net.trace.all() if record.event == "drop"}
        wires.account()
    assert len(reasons) >= 45, sorted(reasons)
