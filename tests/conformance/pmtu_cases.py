"""Group 4: path MTU discovery (RFC 8201, RFC 1981; KAME icmp6_mtudisc_update)."""

from __future__ import annotations

from kamelab.stack import syscalls
from kamelab.wire import in6
from kamelab.wire.nd_options import build_mtu
from tests.conformance.frames import slla
from tests.conformance.icmp6_moves import Answer, ping, request, sent, too_big, whole
from tests.conformance.moves import b_prefix, common
from tests.conformance.registry import case, cases
from tests.conformance.tester import Tester

GROUP = in6.pton("ff1e::1:2")
BELOW_MIN = "net.inet6.ip6.pmtu_below_min"


def ready(t: Tester) -> None:
    """The common set-up, every station answering."""
    common(t)
    for station in t.stations:
        station.answers = True


def from_tn1(t: Tester, size: int, limit: int = 1500) -> Answer:
    """TN1's ping, brought by TR1."""
    return ping(t, t.tr1, size, src=t.tn1, limit=limit)


@cases("4.1.1", {"A": (64,), "B": (1280,), "C": (1500,)})
def confirm_ping(t: Tester, size: int) -> None:
    """A request of any size up to the link's MTU is answered in one packet of that size (RFC 4443 4.2)."""
    ready(t)
    whole(t, ping(t, t.tn2, size))
    whole(t, from_tn1(t, size))


@case("4.1.2")
def stored(t: Tester) -> None:
    """Each destination has its own estimate, kept until it is old (RFC 8201 5.2)."""
    ready(t)
    other = in6.pton("2001:db8:0:a::77")
    far = from_tn1(t, 1500)
    near = ping(t, t.tn2, 1500)
    too_big(t.tr1, 1400, far.packets[0])
    too_big(t.tn2, 1280, near.packets[0])
    for _ in range(2):
        from_tn1(t, 1500, limit=1400)
        ping(t, t.tn2, 1500, limit=1280)
        whole(t, ping(t, t.tr1, 1500, src=other))
        whole(t, ping(t, t.tn3, 1500))
        t.run(60)


@case("4.1.3")
def nonzero_code(t: Tester) -> None:
    """The code of a packet too big is ignored (RFC 4443 3.2)."""
    ready(t)
    too_big(t.tr1, 1400, from_tn1(t, 1500).packets[0], code=0xFF)
    from_tn1(t, 1500, limit=1400)


@case("4.1.4")
def on_link(t: Tester) -> None:
    """A neighbor's path MTU can be smaller than the link's too (RFC 8201 4)."""
    ready(t)
    too_big(t.tn2, 1280, ping(t, t.tn2, 1500).packets[0])
    ping(t, t.tn2, 1500, limit=1280)
    whole(t, ping(t, t.tn2, 1280, limit=1280))


@case("4.1.5")
def off_link(t: Tester) -> None:
    """The estimate is lowered with each smaller MTU that a router reports (RFC 8201 4)."""
    ready(t)
    too_big(t.tr1, 1400, from_tn1(t, 1500).packets[0])
    answer = from_tn1(t, 1500, limit=1400)
    too_big(t.tr1, 1280, answer.packets[0])
    from_tn1(t, 1500, limit=1280)


@cases("4.1.6", {"A": (56,), "B": (1279,)})
def below_minimum(t: Tester, mtu: int) -> None:
    """Below 1280: packets stay as large and get a fragment header (RFC 1981 4, RFC 2460 5), or, by sysctl, the message
    is discarded (RFC 8201 4)."""
    ready(t)
    answer = from_tn1(t, 1280)
    whole(t, answer)
    too_big(t.tr1, mtu, answer.packets[0])
    after = from_tn1(t, 1280, limit=1280)
    if not after.fragmented or after.sizes[0] != 1280:
        raise t.failure("a fragment header was expected, on packets of up to 1280 octets")
    small = from_tn1(t, 64)
    if not small.fragmented or len(small.packets) != 1:
        raise t.failure("a small packet was to have a fragment header too, and to stay in one piece")
    t.shell(f"sysctl -w {BELOW_MIN}=0")
    answer = ping(t, t.tn2, 1280)
    too_big(t.tn2, mtu, answer.packets[0])
    whole(t, ping(t, t.tn2, 1280))


@cases("4.1.7", {"A": (1500,), "B": (0x1FFFFFFF,)})
def increase(t: Tester, mtu: int) -> None:
    """A packet too big never raises the estimate (RFC 8201 4)."""
    ready(t)
    answer = from_tn1(t, 1500)
    too_big(t.tr1, 1304, answer.packets[0])
    from_tn1(t, 1500, limit=1304)
    too_big(t.tr1, mtu, answer.packets[0])
    from_tn1(t, 1500, limit=1304)


@case("4.1.8")
def advertised(t: Tester) -> None:
    """The MTU option of a router advertisement limits what is sent on the link (RFC 4861 6.3.4)."""
    ready(t)
    whole(t, ping(t, t.tn2, 1500))
    t.tr1.ra(options=b_prefix() + slla(t.tr1.mac) + build_mtu(1280))
    t.run(0.1)
    ping(t, t.tn2, 1500, limit=1280)
    from_tn1(t, 1500, limit=1280)


@case("4.1.9")
def check_for_increase(t: Tester) -> None:
    """No larger packet within 5 minutes of the message; after 10 the path is tried again (RFC 8201 4, 5.3)."""
    ready(t)
    too_big(t.tr1, 1304, from_tn1(t, 1500).packets[0])
    for _ in range(10):
        from_tn1(t, 1500, limit=1304)
        t.run(30)
    t.run(303)
    whole(t, from_tn1(t, 1500))


def transmit(t: Tester, sid: int) -> Answer:
    """The node sends an echo request of 1500 octets to a group."""
    t.forget()
    syscalls.sendmsg(t.node, sid, request(t.glob, GROUP, 1500)[40:], GROUP)
    return sent(t, GROUP)


@case("4.1.10", "", 1)
@case("4.1.11", "", 2)
def multicast(t: Tester, routers: int) -> None:
    """Multicast is sent at 1280 octets; with mcast_pmtu the least MTU reported by any path holds (RFC 8201 1)."""
    ready(t)
    sid = syscalls.socket(t.node, 0, "raw6", 58)
    syscalls.setsockopt(t.node, sid, "IPV6_MULTICAST_IF", t.iface.index)
    syscalls.setsockopt(t.node, sid, "IPV6_MULTICAST_HOPS", 64)
    syscalls.setsockopt(t.node, sid, "SO_SNDBUF", 65535)
    if max(transmit(t, sid).sizes) > 1280:
        raise t.failure("multicast longer than 1280 octets came without being asked for")
    syscalls.setsockopt(t.node, sid, "IPV6_USE_MIN_MTU", 0)
    t.shell("sysctl -w net.inet6.ip6.mcast_pmtu=1")
    answer = transmit(t, sid)
    whole(t, answer)
    mtus = (1450, 1400)[:routers]
    for router, mtu in zip((t.tr1, t.tr2), mtus, strict=False):
        too_big(router, mtu, answer.packets[0])
    t.run(0.01)
    sizes = transmit(t, sid).sizes
    if not min(mtus) - 8 < max(sizes) <= min(mtus):
        raise t.failure(f"fragments of at most {min(mtus)} octets were expected, {sizes} came")
