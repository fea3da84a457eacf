"""Path MTU discovery: who is believed, how many routes, below 1280, multicast, locks, what sockets hear.

RFC 8201, RFC 1981; KAME icmp6_mtudisc_update; RFC 3542 11.3.
"""

from __future__ import annotations

import pytest
from wires import ROUTER, ROUTER_MAC, STRANGER, A, Wires, datagram, icmp6, prefix, ra, redirect, row

from kamelab.core.errors import EMSGSIZE, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, ip6
from kamelab.wire import icmp6 as icmp
from kamelab.wire.nd_options import build_mtu

OWN = A("2001:db8:a::ff:fe00:1")
LL = A("fe80::ff:fe00:1")
FAR = A("2001:db8:9::9")
GROUP = A("ff0e::1")
IP6, ICMP6 = "net.inet6.ip6.", "net.inet6.icmp6."


@pytest.fixture
def h1(wires: Wires) -> Node:
    """A host with a default router, both known, at 6 s."""
    wires.link("lan")
    node = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(to=3)
    wires.inject(node, ra(prefix("2001:db8:a::/64")))
    wires.run(to=6)
    return node


def too_big(wires: Wires, node: Node, mtu: int, quoted: bytes, dst: bytes = OWN) -> None:
    wires.inject(node, icmp6(A("2001:db8:5::1"), dst, icmp.PACKET_TOO_BIG, icmp.error_body(mtu, quoted)))


def connected(node: Node, dst: bytes = FAR, port: int = 9) -> tuple[int, int]:
    """A datagram socket connected to ``dst``: (socket, its port)."""
    sid = syscalls.socket(node, 0, "udp6", 0)
    syscalls.connect(node, sid, dst, port, 0)
    return sid, syscalls.getsockname(node, sid)[1]


def path_mtus(node: Node) -> dict[str, int]:
    return {one.destination: one.mtu for one in syscalls.rows(node, "routes") if one.mtu}


def left(wires: Wires, node: Node, dst: bytes, size: int) -> list[bytes]:
    """The packets that a datagram of ``size`` octets leaves in."""
    before = len(wires.sent(node))
    wires.output(node, Output("test", dst, 17, bytes(size), oif=node.interfaces["ne0"]))
    return [one.packet for one in wires.sent(node)[before:]]


def test_what_no_socket_vouches_for_makes_no_more_than_lowat_routes(wires: Wires, h1: Node) -> None:
    syscalls.sysctl_set(h1, ICMP6 + "mtudisc_lowat", 2)
    for number in range(5):
        too_big(wires, h1, 1300, datagram(OWN, A(f"2001:db8:9::{number:x}")))
    assert list(path_mtus(h1)) == ["2001:db8:9::", "2001:db8:9::1"]
    too_big(wires, h1, 1290, datagram(OWN, A("2001:db8:9::1")))
    assert path_mtus(h1)["2001:db8:9::1"] == 1300, "nor is a path narrowed further"
    assert h1.counters()["icmp6.pmtuchg"] == 2


def test_what_a_connected_socket_vouches_for_is_taken_up_to_hiwat(wires: Wires, h1: Node) -> None:
    syscalls.sysctl_set(h1, ICMP6 + "mtudisc_lowat", 0)
    syscalls.sysctl_set(h1, ICMP6 + "mtudisc_hiwat", 2)
    for number in range(1, 5):
        peer = A(f"2001:db8:9::{number:x}")
        _, port = connected(h1, peer)
        too_big(wires, h1, 1300, datagram(OWN, peer, sport=port))
    assert list(path_mtus(h1)) == ["2001:db8:9::1", "2001:db8:9::2"]
    _, port = connected(h1, A("2001:db8:9::1"))
    too_big(wires, h1, 1290, datagram(OWN, A("2001:db8:9::1"), sport=port))
    assert path_mtus(h1)["2001:db8:9::1"] == 1290, "a route that is there is narrowed all the same"


@pytest.mark.parametrize(
    ("quoted", "believed"),
    [
        (lambda port: datagram(OWN, FAR, sport=port), True),
        (lambda port: datagram(OWN, FAR, sport=port + 1), False),
        (lambda port: datagram(OWN, FAR, port=10, sport=port), False),
        (lambda port: datagram(OWN, A("2001:db8:9::8"), sport=port), False),
        (lambda port: datagram(LL, FAR, sport=port), False),
        (lambda port: ip6.build(OWN, FAR, 6, port.to_bytes(2, "big") + bytes((0, 9)) + bytes(16)), False),
        (lambda _: ip6.build(OWN, FAR, 58, bytes(16)), False),
        (lambda _: ip6.build(OWN, FAR, 44, exthdr.build_fragment(17, 8, False, 1) + bytes(8)), False),
    ],
)
def test_who_is_believed(wires: Wires, h1: Node, quoted: object, believed: bool) -> None:
    syscalls.sysctl_set(h1, ICMP6 + "mtudisc_lowat", 0)
    _, port = connected(h1)
    assert callable(quoted)
    too_big(wires, h1, 1300, quoted(port))
    assert path_mtus(h1) == ({"2001:db8:9::9": 1300} if believed else {})


def test_a_connected_raw_socket_vouches_for_its_protocol(wires: Wires, h1: Node) -> None:
    syscalls.sysctl_set(h1, ICMP6 + "mtudisc_lowat", 0)
    sid = syscalls.socket(h1, 0, "raw6", 58)
    quoted = ip6.build(OWN, FAR, 58, bytes(16))
    too_big(wires, h1, 1300, quoted)
    assert path_mtus(h1) == {}
    syscalls.connect(h1, sid, FAR, 0, 0)
    too_big(wires, h1, 1300, quoted)
    assert path_mtus(h1) == {"2001:db8:9::9": 1300}


def test_below_1280_packets_stay_as_long_and_get_a_fragment_header(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1000, datagram(OWN, FAR))
    assert path_mtus(h1) == {"2001:db8:9::9": 1000}
    packets = left(wires, h1, FAR, 1300)
    assert [len(one) for one in packets] == [1280, 40 + 8 + 1300 - 1232]
    (small,) = left(wires, h1, FAR, 100)
    assert (small[6], len(small)) == (44, 148)


@pytest.mark.parametrize("mtu", [0, 1000, 1279])
def test_or_such_messages_are_ignored(wires: Wires, h1: Node, mtu: int) -> None:
    syscalls.sysctl_set(h1, IP6 + "pmtu_below_min", 0)
    too_big(wires, h1, mtu, datagram(OWN, FAR))
    assert path_mtus(h1) == {}
    too_big(wires, h1, 1280, datagram(OWN, FAR))
    assert path_mtus(h1) == {"2001:db8:9::9": 1280}


def test_the_time_counts_from_the_last_message(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1400, datagram(OWN, FAR))
    wires.run(to=306)
    too_big(wires, h1, 1400, datagram(OWN, FAR))
    assert h1.counters()["icmp6.pmtuchg"] == 1
    wires.run(to=905)
    assert path_mtus(h1) == {"2001:db8:9::9": 1400}
    wires.run(to=907)
    assert path_mtus(h1) == {}


def test_a_neighbor_may_have_a_smaller_path_too(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1300, datagram(OWN, A("2001:db8:a::5")))
    route = row(h1, "routes", "2001:db8:a::5")
    assert (route.flags, route.mtu, route.interface) == ("UHW", 1300, "ne0")


def test_multicast_only_by_sysctl(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1300, datagram(OWN, GROUP))
    assert path_mtus(h1) == {}
    assert [len(one) for one in left(wires, h1, GROUP, 1400)] == [1440]
    syscalls.sysctl_set(h1, IP6 + "mcast_pmtu", 1)
    too_big(wires, h1, 1300, datagram(OWN, GROUP))
    assert path_mtus(h1) == {"ff0e::1": 1300}
    assert max(len(one) for one in left(wires, h1, GROUP, 1400)) <= 1300
    assert [len(one) for one in left(wires, h1, A("ff0e::2"), 1400)] == [1440]


def test_a_sender_without_routes_learns_for_groups_too(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, IP6 + "mcast_pmtu", 1)
    too_big(wires, h1, 1300, datagram(A("2001:db8:1::1"), GROUP), A("2001:db8:1::1"))
    assert path_mtus(h1) == {"ff0e::1": 1300}
    assert max(len(one) for one in left(wires, h1, GROUP, 1400)) <= 1300


def test_the_link_may_become_narrower_than_the_path(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1400, datagram(OWN, FAR))
    wires.inject(h1, ra(prefix("2001:db8:a::/64") + build_mtu(1280)))
    assert max(len(one) for one in left(wires, h1, FAR, 1500)) <= 1280
    too_big(wires, h1, 1300, datagram(OWN, A("2001:db8:9::8")))
    assert path_mtus(h1) == {"2001:db8:9::9": 1400}, "a path is never wider than its first link"


def test_a_route_set_by_hand_keeps_itself_and_loses_the_mtu_in_time(wires: Wires, h1: Node) -> None:
    syscalls.route(h1, "add", destination=FAR, plen=128, gateway=ROUTER, interface="ne0")
    too_big(wires, h1, 1400, datagram(OWN, FAR))
    route = row(h1, "routes", "2001:db8:9::9")
    assert (route.mtu, "W" in route.flags, route.expire) == (1400, False, None)
    wires.run(to=607)
    assert row(h1, "routes", "2001:db8:9::9").mtu == 0


def test_a_locked_mtu_is_not_touched(wires: Wires, h1: Node) -> None:
    syscalls.route(h1, "add", destination=FAR, plen=128, gateway=ROUTER, interface="ne0")
    route = h1.routes.exact(FAR, 128)
    assert route is not None
    route.mtu, route.locked = 1450, True
    too_big(wires, h1, 1300, datagram(OWN, FAR))
    assert path_mtus(h1) == {"2001:db8:9::9": 1450}


def test_a_redirect_keeps_what_is_known_of_the_path(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1400, datagram(OWN, FAR))
    wires.run(to=300)
    wires.inject(h1, redirect(OWN, FAR, A("fe80::2")), smac=ROUTER_MAC)
    route = row(h1, "routes", "2001:db8:9::9")
    assert (route.gateway, route.mtu) == ("fe80::2%ne0", 1400)
    wires.run(to=607)
    assert row(h1, "routes", "2001:db8:9::9").mtu == 0


def test_behind_a_routing_header_the_last_destination_counts(wires: Wires, h1: Node) -> None:
    header = exthdr.build_routing0(17, 1, (FAR,))
    quoted = ip6.build(OWN, A("2001:db8:7::7"), 43, header + datagram(OWN, FAR)[40:])
    too_big(wires, h1, 1400, quoted)
    assert path_mtus(h1) == {"2001:db8:9::9": 1400}


# -- sockets -----------------------------------------------------------------------------------------------------------


def control(node: Node, sid: int) -> tuple[tuple[str, object], ...]:
    message = syscalls.recvmsg(node, sid)
    return message.control if message is not None else ()


def test_sockets_that_asked_hear_of_it(wires: Wires, h1: Node) -> None:
    """Those connected there, and those connected to nobody, which may have sent there (KAME ip6_notify_pmtu)."""
    asked, port = connected(h1)
    loose = syscalls.socket(h1, 0, "udp6", 0)
    elsewhere, _ = connected(h1, A("2001:db8:9::8"))
    silent = syscalls.socket(h1, 0, "udp6", 0)
    for sid in (asked, loose, elsewhere):
        syscalls.setsockopt(h1, sid, "IPV6_RECVPATHMTU", 1)
    too_big(wires, h1, 1400, datagram(OWN, FAR, sport=port))
    assert [syscalls.readable(h1, sid) for sid in (asked, loose, elsewhere, silent)] == [True, True, False, False]
    assert control(h1, loose) == (("IPV6_PATHMTU", (FAR, 0, 1400)),)


def test_a_connected_socket_also_has_an_error(wires: Wires, h1: Node) -> None:
    """BSD's inet6ctlerrmap: PRC_MSGSIZE is EMSGSIZE."""
    sid, port = connected(h1)
    too_big(wires, h1, 1400, datagram(OWN, FAR, sport=port))
    with pytest.raises(Errno) as refusal:
        syscalls.recvmsg(h1, sid)
    assert refusal.value.number == EMSGSIZE
    assert syscalls.recvmsg(h1, sid) is None, "it is told once"


def test_a_message_that_changed_nothing_tells_no_one(wires: Wires, h1: Node) -> None:
    sid, port = connected(h1)
    syscalls.setsockopt(h1, sid, "IPV6_RECVPATHMTU", 1)
    too_big(wires, h1, 9000, datagram(OWN, FAR, sport=port))
    assert not syscalls.readable(h1, sid)


def test_the_packets_account(wires: Wires, h1: Node) -> None:
    too_big(wires, h1, 1300, datagram(OWN, FAR))
    too_big(wires, h1, 1300, datagram(OWN, STRANGER)[:60])
    left(wires, h1, FAR, 1400)
    wires.account()
