"""Every variable and interface parameter of neighbour discovery, scopes and autoconfiguration: default and effect.

KAME in6_proto.c, icmp6.c; KAME IMPLEMENTATION 1.2 to 1.4 (2001). A story is told twice, with the default
and with another value, and has to end differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from wires import (
    ROUTER,
    ROUTER2,
    ROUTER2_MAC,
    STRANGER,
    A,
    Wires,
    datagram,
    echo_to,
    na,
    neighbor,
    ns,
    prefix,
    ra,
    redirect,
    row,
)

from kamelab.core.errors import EHOSTUNREACH, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6.in6_prefix import SET, Terms
from kamelab.stack.node import Node
from kamelab.stack.sysctl import VARIABLES
from kamelab.wire import exthdr, in6, ip6
from kamelab.wire import icmp6 as icmp

IP6, ICMP6 = "net.inet6.ip6.", "net.inet6.icmp6."
OWN = A("fe80::ff:fe00:1")
LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
FAR = A("2001:db8:9::9")
PREFIX = prefix("2001:db8:a::/64")

Put = Callable[[Node], None]


class Story(NamedTuple):
    """What is seen with the default value, and with another one."""

    tell: Callable[[Wires, Put], object]
    default: int
    seen: object
    value: int
    then: object


# -- what several stories need ---------------------------------------------------------------------------------------


def told(wires: Wires, node: Node) -> list[str]:
    """Reasons of drops after the scene is set."""
    return wires.drops(node, 3)


def left(wires: Wires, node: Node) -> list[tuple[str, bytes, int]]:
    """(source, data, hop limit) of the datagrams that left."""
    return [(one.src, one.packet[48:], one.hlim) for one in wires.sent(node, since=3) if one.packet[6] == 17]


def talk(wires: Wires, node: Node, *data: bytes) -> list[tuple[str, bytes, int]]:
    """Datagrams to the stranger, who answers the solicitation only after all of them; what left."""
    for one in data or (b"data",):
        wires.send(node, "fe80::99", "ne0", one)
    wires.inject(node, na(STRANGER, OWN, "SO"))
    return left(wires, node)


def asked(wires: Wires, node: Node, since: float = 3) -> list[float]:
    """When it solicited."""
    return [round(one.at, 3) for one in wires.sent(node, icmp.NEIGHBOR_SOLICIT, since)]


def stale(wires: Wires, put: Put) -> Node:
    """A host that sends to a stranger who is STALE in its cache."""
    h1 = wires.host()
    put(h1)
    wires.inject(h1, ns(OWN))
    wires.send(h1, "fe80::99", "ne0")
    return h1


def advertised(wires: Wires, put: Put, options: bytes = PREFIX, **parameters: int) -> Node:
    """A host that hears an advertisement at 3 s."""
    h1 = wires.host(accept_rtadv=1)
    put(h1)
    wires.inject(h1, ra(options, **parameters))  # type: ignore[arg-type]
    return h1


def private(wires: Wires, put: Put) -> Node:
    """The same with temporary addresses."""
    h1 = wires.host(accept_rtadv=1)
    syscalls.sysctl_set(h1, IP6 + "use_tempaddr", 1)
    put(h1)
    wires.inject(h1, ra(PREFIX))
    return h1


def temporary(node: Node) -> list[tuple[int, int]]:
    """(valid, preferred) lifetimes of temporary addresses, the node's random part taken out."""
    return [
        (one.vltime, one.pltime + node.desync)
        for one in node.interfaces["ne0"].addresses
        if one.temporary
    ]  # fmt: skip


def fresh(wires: Wires, put: Put) -> Node:
    """A node that comes up with its variables set already."""
    wires.link("lan")
    h1 = wires.node("h1", "lan", up=False)
    put(h1)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.run(to=8)
    return h1


def refused(wires: Wires, put: Put, times: int, pause: float) -> int:
    """How often a router says that there is no route."""
    r1 = wires.router()
    put(r1)
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT))
    for _ in range(times):
        wires.inject(r1, datagram(LEFT, FAR))
        wires.run(pause)
    return len(wires.sent(r1, icmp.DST_UNREACH, 3))


# -- stories of variables --------------------------------------------------------------------------------------------


def forwarding(wires: Wires, put: Put) -> object:
    r1 = wires.router()
    put(r1)
    wires.inject(r1, datagram(LEFT, RIGHT))
    return told(wires, r1)


def accept_rtadv(wires: Wires, put: Put) -> object:
    h1 = advertised(wires, put)
    return [one.address for one in syscalls.rows(h1, "routers")]


def redirect_sent(wires: Wires, put: Put) -> object:
    wires.link("lan")
    r1 = wires.node("r1", "lan", forwarding=1)
    wires.address(r1, "2001:db8:1::ff")
    wires.run(to=3)
    put(r1)
    syscalls.route(r1, "add", destination=A("2001:db8:9::"), plen=64, gateway=ROUTER2, interface="ne0")
    wires.inject(r1, ns(OWN, src=ROUTER2, lladdr=ROUTER2_MAC))
    wires.inject(r1, ns(A("2001:db8:1::ff"), src=LEFT))
    wires.inject(r1, datagram(LEFT, FAR))
    return len(wires.sent(r1, icmp.REDIRECT))


def rediraccept(wires: Wires, put: Put) -> object:
    h1 = advertised(wires, put)
    wires.inject(h1, redirect(OWN, FAR, ROUTER2, lladdr=ROUTER2_MAC))
    return told(wires, h1)


def redirtimeout(wires: Wires, put: Put) -> object:
    h1 = advertised(wires, put)
    wires.inject(h1, redirect(OWN, FAR, ROUTER2, lladdr=ROUTER2_MAC))
    wires.run(60)
    return any(one.destination == "2001:db8:9::9" for one in syscalls.rows(h1, "routes"))


def dad_count(wires: Wires, put: Put) -> object:
    return len(asked(wires, fresh(wires, put), 0))


def dad_enhanced(wires: Wires, put: Put) -> object:
    (probe,) = wires.sent(fresh(wires, put), icmp.NEIGHBOR_SOLICIT)
    return len(probe.message)


def auto_linklocal(wires: Wires, put: Put) -> object:
    return [one.address for one in syscalls.rows(fresh(wires, put), "addresses") if one.interface == "ne0"]


def use_deprecated(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    wires.address(h1, "2001:db8:1::1", pltime=0)
    put(h1)
    wires.send(h1, "2001:db8:1::9")
    wires.inject(h1, na(A("2001:db8:1::9"), A("2001:db8:1::1"), "SO"))
    return left(wires, h1)[0][0]


def use_tempaddr(wires: Wires, put: Put) -> object:
    return len(temporary(advertised(wires, put)))


def temppltime(wires: Wires, put: Put) -> object:
    return temporary(private(wires, put))[0][1]


def tempvltime(wires: Wires, put: Put) -> object:
    return temporary(private(wires, put))[0][0]


def prefer_tempaddr(wires: Wires, put: Put) -> object:
    h1 = private(wires, put)
    wires.run(3)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    wires.send(h1, "2001:db8:9::9")
    source = left(wires, h1)[-1][0]
    return "temporary" in row(h1, "addresses", source).flags


def srcsel_2000(wires: Wires, put: Put) -> object:
    """A label against a longer match."""
    h1 = wires.host()
    wires.address(h1, "2001:db8:2::1")
    for net in (A("2001:db8:2::"), FAR):
        syscalls.ioctl(h1, "SIOCAADDRCTL_POLICY", "", prefix=net, plen=64, precedence=1, label=7)
    wires.run(3)
    put(h1)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.route(h1, "add", destination=FAR, plen=128, interface="ne0")
    syscalls.connect(h1, sid, FAR, 9, 0)
    return in6.ntop(syscalls.getsockname(h1, sid)[0])


def use_defaultzone(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSDEFIFACE_IN6", "ne0")
    put(h1)
    try:
        wires.send(h1, "fe80::99")
    except Errno as error:
        return error.number
    return asked(wires, h1)


def hlim(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    return talk(wires, h1)[0][2]


def hdrnestlimit(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    body = exthdr.destination_options(60, b"") * 5 + exthdr.destination_options(59, b"")
    wires.inject(h1, ip6.build(LEFT, A("2001:db8:1::1"), 60, body))
    return told(wires, h1)


def log_interval(wires: Wires, put: Put) -> object:
    r1 = wires.router()
    put(r1)
    for _ in range(11):
        wires.inject(r1, datagram(bytes(16), RIGHT))
        wires.run(1)
    return len(wires.log(r1))


def rr_prune(wires: Wires, put: Put) -> object:
    r1 = wires.router()
    put(r1)
    terms = Terms(vltime=7, pltime=7, decrvalid=True)
    syscalls.ioctl(r1, SET, "ne0", prefix=A("2001:db8:7::"), plen=64, terms=terms)
    wires.run(to=13)
    return any(one.prefix.startswith("2001:db8:7:") for one in syscalls.rows(r1, "prefixes"))


def nd6_prune(wires: Wires, put: Put) -> object:
    h1 = advertised(wires, put, lifetime=7)
    wires.run(to=12)
    return len(syscalls.rows(h1, "routers"))


def nd6_delay(wires: Wires, put: Put) -> object:
    h1 = stale(wires, put)
    wires.run(30)
    return asked(wires, h1)[0]


def nd6_umaxtries(wires: Wires, put: Put) -> object:
    h1 = stale(wires, put)
    wires.run(30)
    return len(asked(wires, h1))


def nd6_mmaxtries(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    wires.send(h1, "fe80::99", "ne0")
    wires.run(30)
    return len(asked(wires, h1))


def nd6_useloopback(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    wires.address(h1, "2001:db8:1::2")
    wires.run(to=6)
    wires.output(h1, echo_to("2001:db8:1::2", h1.interfaces["ne0"]))
    wires.run(0.1)
    return [(one.kind, one.interface) for one in wires.sent(h1, since=6)]


def nd6_maxnudhint(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    wires.inject(h1, ns(OWN))
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, STRANGER, 9, h1.interfaces["ne0"].index)
    syscalls.setsockopt(h1, sid, "IPV6_REACHCONF", True)
    syscalls.sendmsg(h1, sid, b"x")
    return row(h1, "neighbors", "fe80::99%ne0").state


def nd6_debug(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    wires.inject(h1, ns(OWN, hlim=254))
    return bool(wires.log(h1))


def nd6_maxqueuelen(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    return [data for _, data, _ in talk(wires, h1, b"one", b"two", b"three")]


def errppslimit(wires: Wires, put: Put) -> object:
    return refused(wires, put, 250, 0)


def errratelimit(wires: Wires, put: Put) -> object:
    return refused(wires, put, 10, 0.05)


STORIES: dict[str, Story] = {
    IP6 + "forwarding": Story(forwarding, 0, ["IP6_NOTFORWARDING"], 1, []),
    IP6 + "accept_rtadv": Story(accept_rtadv, 0, [], 1, ["fe80::1%ne0"]),
    IP6 + "redirect": Story(redirect_sent, 1, 1, 0, 0),
    IP6 + "dad_count": Story(dad_count, 1, 1, 3, 3),
    IP6 + "dad_enhanced": Story(dad_enhanced, 0, 24, 1, 32),
    IP6 + "auto_linklocal": Story(auto_linklocal, 1, ["fe80::ff:fe00:1%ne0"], 0, []),
    IP6 + "use_deprecated": Story(use_deprecated, 1, "2001:db8:1::1", 0, "fe80::ff:fe00:1"),
    IP6 + "use_tempaddr": Story(use_tempaddr, 0, 0, 1, 1),
    IP6 + "temppltime": Story(temppltime, 86400, 86400, 1000, 1000),
    IP6 + "tempvltime": Story(tempvltime, 604800, 604800, 90000, 90000),
    IP6 + "prefer_tempaddr": Story(prefer_tempaddr, 0, False, 1, True),
    IP6 + "srcsel_2000": Story(srcsel_2000, 0, "2001:db8:2::1", 1, "2001:db8:1::1"),
    IP6 + "use_defaultzone": Story(use_defaultzone, 0, EHOSTUNREACH, 1, [3]),
    IP6 + "hlim": Story(hlim, 64, 64, 7, 7),
    IP6 + "hdrnestlimit": Story(hdrnestlimit, 50, [], 5, ["IP6_TOOMANYHDR"]),
    IP6 + "log_interval": Story(log_interval, 5, 3, 1, 11),
    IP6 + "rr_prune": Story(rr_prune, 5, False, 60, True),
    ICMP6 + "rediraccept": Story(rediraccept, 1, [], 0, ["REDIRECT_IGNORED"]),
    ICMP6 + "redirtimeout": Story(redirtimeout, 600, True, 30, False),
    ICMP6 + "nd6_prune": Story(nd6_prune, 1, 0, 60, 1),
    ICMP6 + "nd6_delay": Story(nd6_delay, 5, 8, 2, 5),
    ICMP6 + "nd6_umaxtries": Story(nd6_umaxtries, 3, 3, 5, 5),
    ICMP6 + "nd6_mmaxtries": Story(nd6_mmaxtries, 3, 3, 1, 1),
    ICMP6 + "nd6_useloopback": Story(
        nd6_useloopback, 1, [(128, "lo0"), (129, "lo0")], 0, [(128, "ne0"), (129, "ne0")]
    ),
    ICMP6 + "nd6_maxnudhint": Story(nd6_maxnudhint, 0, "DELAY", 1, "REACHABLE"),
    ICMP6 + "nd6_debug": Story(nd6_debug, 0, False, 1, True),
    ICMP6 + "nd6_maxqueuelen": Story(nd6_maxqueuelen, 1, [b"three"], 2, [b"two", b"three"]),
    ICMP6 + "errppslimit": Story(errppslimit, 200, 200, -1, 250),
    ICMP6 + "errratelimit": Story(errratelimit, 0, 10, 100_000, 5),
}  # fmt: skip
"""By the variable's name."""

ELSEWHERE = {
    *(IP6 + name for name in ("defmcasthlim", "maxfragpackets", "maxfrags")),
    *(IP6 + name for name in ("pmtu_expire", "mcast_pmtu", "pmtu_below_min")),
    *(IP6 + name for name in ("anonportmin", "anonportmax", "lowportmin", "lowportmax", "kame_version")),
    *(IP6 + name for name in ("auto_flowlabel", "v6only")),
    *(IP6 + name for name in ("rthdr0", "frag_overlap", "frag_chain")),
    *(ICMP6 + name for name in ("mtudisc_hiwat", "mtudisc_lowat", "nodeinfo", "nodeinfo_refuse")),
    *(ICMP6 + name for name in ("mldv2", "mldalwaysv2", "mldmaxsrcfilter", "mldsomaxsrc")),
    "kern.hostname",
    "kern.ipc.somaxconn",
    *("net.inet.udp.maxdgram", "net.inet.udp.recvspace"),
    *(name for name in VARIABLES if name.startswith(("net.key.", "net.inet6.ipsec6."))),
    *(name for name in VARIABLES if name.startswith("net.inet.tcp.")),
}
"""TCP (test_tcp_*), fragments, path MTU, groups, node information, ports and buffers: told in other files.

What IPsec has is told in tests/netipsec.
"""

NOT_YET = {
    IP6 + "keepfaith": "the faith interface is of the translator's issue",
    IP6 + "gifhlim": "there are no tunnels yet",
    IP6 + "rtexpire": "cloned routes of the path MTU have a life of their own",
    IP6 + "rtminexpire": "the same",
    IP6 + "rtmaxcache": "the same",
}
"""Variables that can be read and set, and have no effect."""


# -- stories of an interface's parameters ----------------------------------------------------------------------------


def nud(wires: Wires, put: Put) -> object:
    h1 = stale(wires, put)
    wires.run(30)
    return len(asked(wires, h1))


def prefer_source(wires: Wires, put: Put) -> object:
    """The way out is ne1, without an address of its own to offer; ne2 has the longer match."""
    for link in ("lan", "out", "more"):
        wires.link(link)
    h1 = wires.node("h1", "lan", "out", "more")
    wires.address(h1, "2001:db8:1::1", "ne0")
    wires.address(h1, "2001:db8:8::1", "ne2")
    wires.run(to=3)
    put(h1)
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=ROUTER, interface="ne1")
    wires.inject(h1, ns(A("fe80::ff:fe00:2"), src=ROUTER), "ne1")
    wires.send(h1, "2001:db8:9::9")
    return left(wires, h1)[0][0]


def disabled(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    wires.inject(h1, ns(OWN))
    return neighbor(h1) is None, told(wires, h1)


def dont_set_ifroute(wires: Wires, put: Put) -> object:
    h1 = advertised(wires, put)
    return any(one.destination == "2001:db8:a::/64" for one in syscalls.rows(h1, "routes"))


def basereachable(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    talk(wires, h1)
    wires.run(10)
    return row(h1, "neighbors", "fe80::99%ne0").state


def retrans(wires: Wires, put: Put) -> object:
    h1 = wires.host()
    put(h1)
    wires.send(h1, "fe80::99", "ne0")
    wires.run(30)
    return asked(wires, h1)


PARAMETERS: dict[str, Story] = {
    "nud": Story(nud, 1, 3, 0, 0),
    "accept_rtadv": Story(accept_rtadv, 1, ["fe80::1%ne0"], 0, []),
    "prefer_source": Story(prefer_source, 0, "2001:db8:8::1", 1, "2001:db8:1::1"),
    "disabled": Story(disabled, 0, (False, []), 1, (True, ["ND_DISABLED"])),
    "dont_set_ifroute": Story(dont_set_ifroute, 0, True, 1, False),
    "basereachable": Story(basereachable, 30000, "REACHABLE", 4000, "STALE"),
    "retrans": Story(retrans, 1000, [3, 4, 5], 2500, [3, 5.5, 8]),
    "curhlim": Story(hlim, 64, 64, 9, 9),
}
"""By the name that ``ndp -i`` has for it."""
NUMBERS = ("basereachable", "retrans", "curhlim")


def put_variable(name: str, value: int) -> Put:
    def put(node: Node) -> None:
        syscalls.sysctl_set(node, name, value)
        assert syscalls.sysctl(node, name) == value

    return put


def parameter(node: Node, name: str) -> int:
    """As ``ndp -i ne0`` shows it."""
    shown = row(node, "ndinterfaces", "ne0")
    return int(getattr(shown, name)) if name in NUMBERS else int(name in shown.flags)


def put_parameter(name: str, value: int) -> Put:
    def put(node: Node) -> None:
        if name in NUMBERS:
            syscalls.ioctl(node, "SIOCSIFINFO_IN6", "ne0", **{name: value})
        else:
            syscalls.ioctl(node, "SIOCSIFINFO_FLAGS", "ne0", **{name: bool(value)})
        assert parameter(node, name) == value

    return put


@pytest.mark.parametrize("name", STORIES)
def test_a_variable_has_its_default(wires: Wires, name: str) -> None:
    assert syscalls.sysctl(wires.net.add_node("h1"), name) == STORIES[name].default


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("name", STORIES)
def test_its_value_has_an_effect(wires: Wires, name: str, other: bool) -> None:
    story = STORIES[name]
    assert story.tell(wires, put_variable(name, story.value if other else story.default)) == (
        story.then if other else story.seen
    )
    assert story.seen != story.then
    wires.account()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_its_default(wires: Wires, name: str) -> None:
    assert parameter(wires.host(), name) == PARAMETERS[name].default


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_an_effect(wires: Wires, name: str, other: bool) -> None:
    story = PARAMETERS[name]

    def put(node: Node) -> None:
        if name == "accept_rtadv":
            syscalls.sysctl_set(node, IP6 + name, 1)
        put_parameter(name, story.value if other else story.default)(node)

    assert story.tell(wires, put) == (story.then if other else story.seen)
    assert story.seen != story.then
    wires.account()


def test_every_variable_is_told_somewhere() -> None:
    assert set(VARIABLES) == STORIES.keys() | ELSEWHERE | NOT_YET.keys()
    assert not STORIES.keys() & NOT_YET.keys()


def test_every_parameter_is_told(wires: Wires) -> None:
    shown = row(wires.host(), "ndinterfaces", "ne0")
    numbers = set(shown._fields) & set(NUMBERS)
    assert PARAMETERS.keys() == numbers | {"nud", "accept_rtadv", "prefer_source", "disabled", "dont_set_ifroute"}


def test_own_addresses_set_before_and_after_each_have_their_way(wires: Wires) -> None:
    """The switch is read when an address is set, as KAME's nd6_rtrequest does; larger packets are cut there."""
    h1 = wires.host()
    syscalls.sysctl_set(h1, ICMP6 + "nd6_useloopback", 0)
    wires.address(h1, "2001:db8:1::2")
    wires.run(to=6)
    ways = {one.destination: one.interface for one in syscalls.rows(h1, "routes") if "L" in one.flags}
    assert (ways["2001:db8:1::1"], ways["2001:db8:1::2"]) == ("lo0", "ne0")
    for text in ("2001:db8:1::1", "2001:db8:1::2"):
        wires.send(h1, text, data=bytes(3000))
    wires.run(1)
    frames = [one.interface for one in wires.sent(h1, since=6) if one.packet[6] in (17, 44)]
    assert frames == ["lo0", "ne0", "ne0", "ne0"]
    assert h1.counters()["ip6.reassembled"] == 1
    wires.account()
