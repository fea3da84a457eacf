"""Every reason of the drop table has a story that provokes it, and feeds the counters that it names (promise 3).

Left out: INTERNAL, which stands for a fault of the engine itself; its own test breaks a handler on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from test_ipsec_drops import IPSEC_STORIES
from test_tcp_attacks import TCP_STORIES
from wires import (
    ALLNODES,
    FORWARDING,
    OTHER_MAC,
    ROUTER,
    ROUTER2,
    STRANGER,
    STRANGER_MAC,
    A,
    Wires,
    dad_ns,
    datagram,
    echo,
    icmp6,
    mld_message,
    na,
    ns,
    ra,
    redirect,
    rs,
    scoped,
)

from kamelab.core.drops import REASONS
from kamelab.core.errors import Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6 import ip6_input
from kamelab.stack.node import Node
from kamelab.stack.packet import Output
from kamelab.wire import exthdr, ip6, nodeinfo
from kamelab.wire import icmp6 as icmp

OWN = A("fe80::ff:fe00:1")
GLOBAL = A("2001:db8:1::1")
LEFT, RIGHT = A("2001:db8:1::5"), A("2001:db8:2::5")
SHORT = bytes(14)

Story = Callable[[Wires], None]


def to_host(packet: bytes, **options: int) -> Story:
    """A stranger's packet to a host."""
    return lambda wires: wires.inject(wires.host(**options), packet, dmac=b"\x02\0\0\0\0\x01")


def to_group(packet: bytes) -> Story:
    return lambda wires: wires.inject(wires.host(), packet)


def version_2(packet: bytes) -> Story:
    """A stranger's packet to a host that speaks version 2 of multicast listener discovery."""

    def story(wires: Wires) -> None:
        h1 = wires.host()
        syscalls.sysctl_set(h1, "net.inet6.icmp6.mldv2", 1)
        wires.inject(h1, packet)

    return story


def to_router(packet: bytes, dmac: bytes | None = None) -> Story:
    return lambda wires: wires.inject(wires.router(), packet, dmac=dmac)


def ni_query(subject: bytes, src: bytes = STRANGER) -> bytes:
    """A node information query for the addresses of ``subject``, to the host's global address."""
    body = nodeinfo.query_body(nodeinfo.NODEADDR, bytes(8), subject)
    return icmp6(src, GLOBAL, icmp.NI_QUERY, body)


def resolving(packet: bytes) -> Story:
    """A packet to a host that is just resolving the stranger."""

    def story(wires: Wires) -> None:
        h1 = wires.host()
        wires.send(h1, "fe80::99", "ne0")
        wires.inject(h1, packet)

    return story


def refused(wires: Wires, node: Node, *args: str) -> None:
    with pytest.raises(Errno):
        wires.send(node, *args)


def fragments(*packets: tuple[int, bool, int], headers: bytes = b"") -> Story:
    """Fragments (offset, more, length) of one packet."""

    def story(wires: Wires) -> None:
        h1 = wires.host()
        for offset, more, length in packets:
            body = headers + exthdr.build_fragment(17, offset, more, 1) + bytes(length)
            wires.inject(h1, ip6.build(STRANGER, OWN, 60 if headers else 44, body))

    return story


def link_frame(frame: bytes) -> Story:
    return lambda wires: wires.frame(wires.host(), frame)


def link_down(wires: Wires) -> None:
    h1 = wires.host()
    wires.net.set_link("lan", False)
    wires.send(h1, "ff02::77", "ne0")


def link_lost(wires: Wires) -> None:
    wires.link("lan", loss=1.0)
    for name in ("h1", "h2"):
        wires.node(name, "lan")
    wires.run(3)


def link_toobig(wires: Wires) -> None:
    h1 = wires.host()
    wires.net.links["lan"].set("mtu", 1280)
    syscalls.neighbor(h1, "set", address=STRANGER, interface="ne0", lladdr=STRANGER_MAC)
    wires.send(h1, "fe80::99", "ne0", bytes(1300))


def link_queue(wires: Wires) -> None:
    h1 = wires.host()
    wires.net.links["lan"].set("bandwidth", 10_000)
    wires.net.links["lan"].set("queue", 2)
    syscalls.neighbor(h1, "set", address=STRANGER, interface="ne0", lladdr=STRANGER_MAC)
    for _ in range(3):
        wires.send(h1, "fe80::99", "ne0")


def nd_disabled(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSIFINFO_FLAGS", "ne0", disabled=True)
    wires.inject(h1, echo(STRANGER, OWN))


def node_off(wires: Wires) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    h1.power_off()


def tentative(packet: bytes) -> Story:
    def story(wires: Wires) -> None:
        h1 = wires.host()
        wires.address(h1, "2001:db8:1::7")
        wires.inject(h1, packet)

    return story


def duplicated(packet: bytes) -> Story:
    def story(wires: Wires) -> None:
        h1 = wires.host()
        wires.address(h1, "2001:db8:1::7")
        wires.inject(h1, na(A("2001:db8:1::7"), ALLNODES, "O"))
        wires.inject(h1, packet)

    return story


def frag_limit(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet6.ip6.maxfrags", 0)
    wires.inject(h1, ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(17, 0, True, 1) + bytes(8)))


def frag_ecn(wires: Wires) -> None:
    fragments((0, True, 16))(wires)
    body = exthdr.build_fragment(17, 16, False, 1) + bytes(8)
    wires.inject(wires.net.nodes["h1"], ip6.build(STRANGER, OWN, 44, body, tclass=3))


def frag_chain(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet6.ip6.frag_chain", 1)
    wires.inject(h1, ip6.build(STRANGER, OWN, 44, exthdr.build_fragment(60, 0, True, 1) + b"\x11\1" + bytes(6)))


def frag_jumbo(wires: Wires) -> None:
    wires.link("lan", mtu=65535)
    h1 = wires.node("h1", "lan")
    syscalls.ioctl(h1, "SIOCSIFMTU", "lo0", mtu=70000)
    wires.run(to=3)
    body = exthdr.build_fragment(59, 0, True, 1) + bytes(66000)
    header = exthdr.jumbo_payload(b"", len(body))
    packet = ip6.build_jumbo(A("::1"), A("::1"), b"\x2c" + header[1:] + body)
    wires.net.clock.send(wires.net.clock.now, h1.interfaces["lo0"], bytes(12) + b"\x86\xdd" + packet, 0, True)


def frag_evicted(wires: Wires) -> None:
    fragments((0, True, 8))(wires)
    syscalls.sysctl_set(wires.net.nodes["h1"], "net.inet6.ip6.maxfragpackets", 0)
    wires.run(1)


def frag_timeout(wires: Wires) -> None:
    fragments((0, True, 8))(wires)
    wires.run(61)


def routed(flag: str, dst: str) -> Story:
    def story(wires: Wires) -> None:
        r1 = wires.router()
        syscalls.route(r1, "add", destination=A(dst), plen=128, gateway=A("::1"), flags=(flag,))
        wires.inject(r1, datagram(LEFT, A(dst)))

    return story


def scope_dst(wires: Wires) -> None:
    r1 = wires.router()
    syscalls.route(r1, "delete", destination=A("fe80::"), zone=1, plen=64)
    syscalls.route(r1, "add", destination=bytes(16), plen=0, gateway=A("2001:db8:2::9"))
    wires.inject(r1, datagram(LEFT, A("fe80::77")))


def toobig(wires: Wires) -> None:
    r1 = wires.router()
    syscalls.ioctl(r1, "SIOCSIFMTU", "ne1", mtu=1280)
    wires.inject(r1, datagram(LEFT, RIGHT, data=bytes(1400)))


def p2p_back(wires: Wires) -> None:
    wires.link("line", kind="ppp")
    r1 = wires.node("r1", "line", forwarding=1)
    wires.address(r1, "2001:db8:3::1")
    wires.run(3)
    wires.inject(r1, datagram(A("2001:db8:3::2"), A("2001:db8:3::9")))


def no_source(wires: Wires) -> None:
    wires.link("lan")
    refused(wires, wires.node("h1", "lan"), "fe80::99", "ne0")


def out_blackhole(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.route(h1, "add", destination=A("2001:db8:9::"), plen=48, gateway=A("::1"), flags=("blackhole",))
    wires.send(h1, "2001:db8:9::9")


def out_badhdr(wires: Wires) -> None:
    h1 = wires.host()
    out = Output("test", scoped(h1.interfaces["ne0"], STRANGER), 59, b"")
    out.rthdr = bytes([0, 1, 0, 1]) + bytes(12)
    wires.output(h1, out)


def out_toobig(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.setsockopt(h1, sid, "IPV6_DONTFRAG", 1)
    with pytest.raises(Errno):
        syscalls.sendmsg(h1, sid, bytes(1500), STRANGER, 9, 1)


def out_scope(wires: Wires) -> None:
    h1 = wires.host()
    wires.output(h1, Output("test", scoped(h1.interfaces["ne0"], STRANGER), 59, b"", src=A("::1")))


def not_up(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    refused(wires, h1, "fe80::99", "ne0")


def addr_gone(wires: Wires) -> None:
    h1 = wires.host()
    wires.output(h1, Output("test", scoped(h1.interfaces["ne0"], STRANGER), 59, b"", src=A("2001:db8:1::2")))


def queue_replaced(wires: Wires) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    wires.send(h1, "fe80::99", "ne0")


def unresolved(wires: Wires) -> None:
    wires.send(wires.host(), "fe80::99", "ne0")
    wires.run(4)


def entry_gone(wires: Wires) -> None:
    h1 = wires.host()
    wires.send(h1, "fe80::99", "ne0")
    syscalls.neighbor(h1, "delete", address=STRANGER, interface="ne0")


def not_override(wires: Wires) -> None:
    h1 = wires.host(forwarding=1)
    wires.inject(h1, rs())
    wires.inject(h1, na(STRANGER, OWN, "S", lladdr=OTHER_MAC))


def redirected(packet: bytes, accept: int = 1) -> Story:
    def story(wires: Wires) -> None:
        h1 = wires.host(accept_rtadv=1)
        syscalls.sysctl_set(h1, "net.inet6.icmp6.rediraccept", accept)
        wires.inject(h1, ra())
        wires.inject(h1, packet)

    return story


def rate_limit(wires: Wires) -> None:
    h1 = wires.host()
    syscalls.sysctl_set(h1, "net.inet6.icmp6.errppslimit", 0)
    wires.inject(h1, datagram(STRANGER, OWN))


def socket_full(wires: Wires) -> None:
    h1 = wires.host()
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.bind(h1, sid, bytes(16), 9, 0)
    syscalls.setsockopt(h1, sid, "SO_RCVBUF", 1)
    wires.inject(h1, datagram(STRANGER, OWN))


def wrong_octet(packet: bytes, at: int = -1) -> bytes:
    out = bytearray(packet)
    out[at] ^= 0x55
    return bytes(out)


HEAD = b"\x02\0\0\0\0\x01" + STRANGER_MAC

STORIES: dict[str, Story] = {
    "LINK_TYPE": link_frame(HEAD + b"\x08\x00" + bytes(46)),
    "LINK_SHORT": link_frame(HEAD + b"\x86"),
    "LINK_DOWN": link_down,
    "LINK_LOST": link_lost,
    "LINK_TOOBIG": link_toobig,
    "LINK_QUEUE": link_queue,
    "ND_DISABLED": nd_disabled,
    "NODE_OFF": node_off,
    "IP6_TOOSMALL": to_host(b"\x60" + bytes(30)),
    "IP6_BADVERS": to_host(wrong_octet(echo(STRANGER, OWN), 0)),
    "IP6_TOOSHORT": to_host(echo(STRANGER, OWN)[:-1]),
    "IP6_ZEROLEN": to_host(ip6.build(STRANGER, OWN, 0, b"") + exthdr.hop_by_hop(59, b"")),
    "IP6_SRC_MULTICAST": to_host(echo(A("ff02::1"), OWN)),
    "IP6_DST_UNSPECIFIED": to_host(echo(STRANGER, bytes(16))),
    "IP6_IFLOCAL_WIRE": to_group(echo(STRANGER, A("ff01::1"))),
    "IP6_V4MAPPED": to_host(echo(A("::ffff:1.2.3.4"), OWN)),
    "IP6_V4COMPAT": to_host(echo(A("::127.0.0.1"), OWN)),
    "IP6_EMBEDDED_ZONE": to_host(echo(A("fe80:1::99"), OWN)),
    "IP6_LOOPBACK_WIRE": to_host(echo(A("::1"), OWN)),
    "IP6_NOTMEMBER": to_group(echo(STRANGER, A("ff05::1"))),
    "IP6_TENTATIVE": tentative(echo(STRANGER, A("2001:db8:1::7"))),
    "IP6_NOTREADY": duplicated(echo(STRANGER, A("2001:db8:1::7"))),
    "IP6_NOTFORWARDING": to_host(echo(STRANGER, A("2001:db8:1::77"))),
    "IP6_TOOMANYHDR": to_host(ip6.build(STRANGER, OWN, 60, exthdr.destination_options(60, b"") * 60)),
    "EXTHDR_TOOSHORT": to_host(ip6.build(STRANGER, OWN, 60, b"\x3b\x05" + bytes(6))),
    "OPT_OVERRUN": to_host(ip6.build(STRANGER, OWN, 60, b"\x3b\0\x01\x07" + bytes(4))),
    "OPT_DISCARD": to_host(ip6.build(STRANGER, OWN, 60, b"\x3b\0\x41\x04" + bytes(4))),
    "OPT_PARAMPROB": to_host(ip6.build(STRANGER, OWN, 60, b"\x3b\0\x81\x04" + bytes(4))),
    "OPT_BADLEN": to_host(ip6.build(STRANGER, OWN, 0, b"\x3b\0\x05\x04" + bytes(4))),
    "JUMBO_BAD": to_host(ip6.build(STRANGER, OWN, 0, b"\x3b\0\xc2\x04" + bytes(4))),
    "ROUTE_TWICE": to_host(ip6.build(STRANGER, OWN, 43, exthdr.build_routing0(43, 0, ()) * 2)),
    "ROUTE_BADLEN": to_host(ip6.build(STRANGER, OWN, 43, exthdr.build_routing0(59, 9, (GLOBAL,)))),
    "ROUTE_BADADDR": to_host(ip6.build(STRANGER, OWN, 43, exthdr.build_routing0(59, 1, (ALLNODES,)))),
    "ROUTE_BADSCOPE": to_host(ip6.build(STRANGER, OWN, 43, exthdr.build_routing0(59, 1, (A("::1"),)))),
    "EXTHDR_TOOLONG": to_host(ip6.build(STRANGER, OWN, 60, bytes([59, 255]) + bytes(2046))),
    "IP6_NOGIF": to_host(ip6.build(STRANGER, OWN, 41, echo(STRANGER, OWN))),
    "HBH_NOTFIRST": to_host(ip6.build(STRANGER, OWN, 60, exthdr.destination_options(0, b"") + bytes(8))),
    "ROUTE_UNKNOWN": to_host(ip6.build(STRANGER, OWN, 43, b"\x3b\0\x21\x01" + bytes(4))),
    "NXT_UNKNOWN": to_host(ip6.build(STRANGER, OWN, 200, b"x")),
    "FRAG_BADLEN": fragments((0, True, 9)),
    "FRAG_TOOBIG": fragments((65528, False, 16)),
    "FRAG_OVERLAP": fragments((0, True, 16), (8, True, 16)),
    "FRAG_DUPLICATE": fragments((0, True, 16), (0, True, 16)),
    "FRAG_ECN": frag_ecn,
    "FRAG_CHAIN": frag_chain,
    "FRAG_JUMBO": frag_jumbo,
    "FRAG_EVICTED": frag_evicted,
    "FRAG_LIMIT": frag_limit,
    "FRAG_TIMEOUT": frag_timeout,
    "FWD_LINKCAST": to_router(datagram(LEFT, RIGHT), b"\x33\x33\0\0\0\x01"),
    "FWD_SRC_UNSPECIFIED": to_router(datagram(bytes(16), RIGHT)),
    "FWD_HLIM": to_router(datagram(LEFT, RIGHT, hlim=1)),
    "FWD_NOROUTE": to_router(datagram(LEFT, A("2001:db8:9::9"))),
    "FWD_REJECT": routed("reject", "2001:db8:9::9"),
    "FWD_BLACKHOLE": routed("blackhole", "2001:db8:9::9"),
    "FWD_SCOPE_SRC": to_router(datagram(STRANGER, RIGHT)),
    "FWD_SCOPE_DST": scope_dst,
    "FWD_TOOBIG": toobig,
    "FWD_P2P_BACK": p2p_back,
    "OUT_NOROUTE": lambda wires: refused(wires, wires.host(), "2001:db8:9::9"),
    "OUT_BLACKHOLE": out_blackhole,
    "OUT_BADHDR": out_badhdr,
    "OUT_NOSOURCE": no_source,
    "OUT_TOOBIG": out_toobig,
    "OUT_SCOPE": out_scope,
    "OUT_NOTUP": not_up,
    "OUT_ADDR_GONE": addr_gone,
    "ND_QUEUE_REPLACED": queue_replaced,
    "ND_UNRESOLVED": unresolved,
    "ND_ENTRY_GONE": entry_gone,
    "NS_TARGET_MULTICAST": to_group(ns(A("ff02::1"), dst=ALLNODES)),
    "NS_HLIM": to_group(ns(OWN, hlim=1)),
    "NS_DAD_DST": to_group(ns(OWN, src=bytes(16), dst=ALLNODES, lladdr=None)),
    "NS_DAD_LLADDR": to_group(ns(OWN, src=bytes(16))),
    "NS_NOT_NEIGHBOR": to_group(ns(OWN, src=A("2001:db8:77::1"))),
    "NS_LLADDR_LEN": to_group(ns(OWN, lladdr=SHORT)),
    "NS_OTHER_TARGET": to_group(ns(A("fe80::7"), dst=ALLNODES)),
    "NS_TENTATIVE": tentative(ns(A("2001:db8:1::7"))),
    "NS_DUPLICATED": duplicated(ns(A("2001:db8:1::7"))),
    "NS_OWN_SOURCE": to_group(ns(OWN, src=OWN)),
    "NA_HLIM": resolving(na(STRANGER, OWN, "SO", hlim=1)),
    "NA_TARGET_MULTICAST": resolving(na(A("ff02::1"), OWN, "SO", src=STRANGER)),
    "NA_MULTICAST_SOLICITED": resolving(na(STRANGER, ALLNODES, "SO")),
    "NA_LLADDR_LEN": resolving(na(STRANGER, OWN, "SO", lladdr=SHORT)),
    "NA_OWN_ADDRESS": resolving(na(GLOBAL, ALLNODES, "O", src=STRANGER)),
    "NA_NO_ENTRY": resolving(na(A("fe80::98"), OWN, "SO")),
    "NA_NO_LLADDR": resolving(na(STRANGER, OWN, "SO", lladdr=None)),
    "NA_NOT_OVERRIDE": not_override,
    "RS_HOST": to_group(rs()),
    "RS_HLIM": to_host(rs(hlim=1, dst=OWN), forwarding=1),
    "RS_LLADDR_LEN": to_host(rs(lladdr=SHORT, dst=OWN), forwarding=1),
    "RA_NOT_ACCEPTED": to_group(ra()),
    "RA_HLIM": to_host(ra(iphlim=1, dst=OWN), accept_rtadv=1),
    "RA_NOT_LINKLOCAL": to_host(ra(src=GLOBAL, dst=OWN), accept_rtadv=1),
    "RA_LLADDR_LEN": to_host(ra(lladdr=SHORT, dst=OWN), accept_rtadv=1),
    "REDIRECT_IGNORED": redirected(redirect(OWN, RIGHT, ROUTER2), accept=0),
    "REDIRECT_BAD": redirected(redirect(OWN, RIGHT, ROUTER2, src=ROUTER, hlim=1)),
    "ND_BADOPT": to_group(icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(4) + OWN + bytes(8))),
    "ICMP6_TOOSHORT": to_host(icmp6(STRANGER, OWN, icmp.ECHO_REQUEST, b"")),
    "ICMP6_BADLEN": to_host(icmp6(STRANGER, OWN, icmp.NEIGHBOR_SOLICIT, bytes(8))),
    "NI_NOT_MINE": to_host(ni_query(A("2001:db8:1::7"))),
    "NI_REFUSED": to_host(ni_query(GLOBAL, src=RIGHT)),
    "ICMP6_CHECKSUM": to_host(wrong_octet(echo(STRANGER, OWN))),
    "ICMP6_BADCODE": to_host(icmp6(STRANGER, OWN, icmp.ECHO_REQUEST, bytes(8), code=9)),
    "ICMP6_UNKNOWN": to_host(icmp6(STRANGER, OWN, 222, bytes(8))),
    "ICMP6_ECHO_MULTICAST_SRC": to_host(echo(bytes(16), OWN)),
    "ICMP6_SUPPRESSED": to_router(icmp6(LEFT, A("2001:db8:9::9"), icmp.DST_UNREACH, bytes(48))),
    "ICMP6_SUPPRESSED_GROUP": to_group(ip6.build(STRANGER, ALLNODES, 200, b"x")),
    "ICMP6_RATELIMIT": rate_limit,
    "MLD_HLIM": to_group(mld_message(icmp.MLD_QUERY, bytes(16), hlim=2)),
    "MLD_NOT_LINKLOCAL": to_group(mld_message(icmp.MLD_QUERY, bytes(16), src=GLOBAL)),
    "MLD_BADGROUP": to_group(mld_message(icmp.MLD_REPORT, GLOBAL, dst=ALLNODES)),
    "MLD_NO_ALERT": version_2(mld_message(icmp.MLD_QUERY, bytes(16))),
    "MLD_BADLEN": version_2(
        ip6.build(
            STRANGER, ALLNODES, 0, exthdr.router_alert(58) + icmp.build(STRANGER, ALLNODES, 130, 0, bytes(22)), hlim=1
        )
    ),
    "UDP_HEADER": to_host(ip6.build(STRANGER, OWN, 17, bytes(4))),
    "UDP_TOOSHORT": to_host(ip6.build(STRANGER, OWN, 17, b"\0\x01\0\x09\0\x09\0\x01")),
    "UDP_CHECKSUM": to_host(wrong_octet(datagram(STRANGER, OWN))),
    "UDP_NOCHECKSUM": to_host(ip6.build(STRANGER, OWN, 17, b"\0\1\0\2\0\x08\0\0")),
    "UDP_PORT_ZERO": to_host(datagram(STRANGER, OWN, port=0)),
    "UDP_NOPORT": to_host(datagram(STRANGER, OWN)),
    "UDP_NOPORT_MULTICAST": to_group(datagram(STRANGER, ALLNODES)),
    "SOCK_FULL": socket_full,
    **TCP_STORIES,
    **IPSEC_STORIES,
}

SUPPRESSIONS = {"ICMP6_SUPPRESSED", "ICMP6_SUPPRESSED_GROUP", "ICMP6_RATELIMIT"}
"""These tell why an error was not sent: they are state records, the packet's own reason is another."""


def test_the_stories_are_those_of_the_table() -> None:
    assert set(STORIES) == set(REASONS) - {"INTERNAL"}


@pytest.mark.parametrize("reason", list(STORIES))
def test_reason(wires: Wires, reason: str) -> None:
    STORIES[reason](wires)
    wires.run(0.1)
    event = "state" if reason in SUPPRESSIONS else "drop"
    found = [r for r in wires.net.trace.all() if r.reason == reason and r.event == event]
    assert found
    assert found[0].rule == REASONS[reason].rule
    if event == "drop" and REASONS[reason].layer != "link":
        assert found[0].packet
    # The counters are those of the reasons: nothing counted twice, nothing forgotten.
    for node in wires.net.nodes.values():
        if reason == "NODE_OFF":
            continue
        expected: Counter[str] = Counter()
        for record in wires.net.trace.all():
            if record.node == node.name and record.reason in REASONS:
                expected.update(REASONS[record.reason].counters)
        counters = node.counters()
        assert {name: counters.get(name, 0) for name in expected} == dict(expected)


def test_a_fault_of_the_engine_ends_one_packet_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    wires = Wires()
    h1 = wires.host()

    def broken(node: Node, pkt: object, nxt: int) -> int:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(ip6_input, "header_loop", broken)
        wires.inject(h1, echo(STRANGER, OWN))
    assert wires.drops(h1, 3) == ["INTERNAL"]
    assert wires.log(h1) == ["ip6_input: internal error: RuntimeError('on purpose')"]
    wires.inject(h1, ns(OWN))
    assert len(wires.sent(h1, icmp.NEIGHBOR_ADVERT, 3)) == 1
    wires.inject(h1, dad_ns(OWN))
    assert syscalls.sysctl(h1, FORWARDING) == 0
