"""The routing socket, ``route monitor``, and the modifiers of ``route``: routes told, kept and shown."""

from __future__ import annotations

import pytest
from real_nodes import Bench, routed, small

from kamelab.core.errors import Errno
from kamelab.lab import checkpoint
from kamelab.lab.build import World
from kamelab.lab.digest import digest
from kamelab.stack import syscalls
from kamelab.stack.net import rtsock
from kamelab.stack.net.rtsock import RouteMessage
from kamelab.stack.node import Node
from kamelab.userland.ctime import ctime
from kamelab.wire import in6
from tests.stack.wires import ROUTER, STRANGER, Wires, datagram, icmp6, prefix, ra, redirect

A = in6.pton
FAR = A("2001:db8:9::9")


def listen(node: Node) -> int:
    return syscalls.socket(node, 1, "route", 0)


def heard(node: Node, sid: int) -> list[RouteMessage]:
    """The messages that came since."""
    out: list[RouteMessage] = []
    while (message := syscalls.recvmsg(node, sid)) is not None:
        assert isinstance(message, RouteMessage)
        out.append(message)
    return out


def brief(messages: list[RouteMessage]) -> list[str]:
    """``RTM_ADD 2001:db8:: link#1 ffff:ffff::``: the name and the addresses."""
    return [" ".join([message.kind, *(text for _, text in message.addresses)]) for message in messages]


# -- what the kernel says ----------------------------------------------------------------------------------------------


def test_an_advertisement_brings_a_prefix_an_address_and_a_default_route() -> None:
    wires = Wires()
    wires.link("lan")
    h1 = wires.node("h1", "lan", accept_rtadv=1)
    wires.run(3)
    sid = listen(h1)
    wires.inject(h1, ra(prefix("2001:db8:1::/64")))
    assert brief(heard(h1, sid)) == [
        "RTM_ADD 2001:db8:1:: link#1 ffff:ffff:ffff:ffff::",
        "RTM_NEWADDR ffff:ffff:ffff:ffff:: ne0:2:0:0:0:0:1 2001:db8:1::ff:fe00:1",
        "RTM_ADD 2001:db8:1::ff:fe00:1 2:0:0:0:0:1",
        "RTM_ADD default fe80::1%ne0 default",
    ]
    # The router takes itself back: its default route goes.
    wires.inject(h1, ra(lifetime=0))
    assert brief(heard(h1, sid)) == ["RTM_DELETE default fe80::1%ne0 default"]


def test_a_redirect_makes_a_host_route_that_expires() -> None:
    wires = Wires()
    h1 = wires.host(accept_rtadv=1)
    wires.inject(h1, ra())
    sid = listen(h1)
    wires.inject(h1, redirect(A("2001:db8:1::1"), FAR, STRANGER))
    (message,) = heard(h1, sid)
    assert brief([message]) == ["RTM_REDIRECT 2001:db8:9::9 fe80::99%ne0"]
    assert (message.flags, message.pid, message.ifindex) == ("UGHD", 0, 1)
    wires.run(660)
    assert "RTM_DELETE 2001:db8:9::9 fe80::99%ne0" in brief(heard(h1, sid))


def test_a_smaller_path_is_told_with_its_mtu() -> None:
    wires = Wires()
    h1 = wires.host(accept_rtadv=1)
    wires.inject(h1, ra())
    sid = listen(h1)
    quoted = datagram(A("2001:db8:1::1"), FAR)
    wires.inject(h1, icmp6(ROUTER, A("2001:db8:1::1"), 2, (1400).to_bytes(4, "big") + quoted))
    added, changed = heard(h1, sid)
    assert brief([added, changed]) == [
        "RTM_ADD 2001:db8:9::9 fe80::1%ne0",
        "RTM_CHANGE 2001:db8:9::9 fe80::1%ne0",
    ]
    assert changed.metrics[0] == ("mtu", 1400)


def test_a_packet_without_a_route_is_a_miss_a_question_is_none() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    with pytest.raises(Errno):
        wires.send(h1, "2001:db8:9::9")
    assert brief(heard(h1, sid)) == ["RTM_MISS 2001:db8:9::9"]
    with pytest.raises(Errno):
        syscalls.route(h1, "get", destination=FAR)
    assert [message.kind for message in heard(h1, sid)] == ["RTM_GET"]


def test_a_router_reports_what_it_could_not_forward() -> None:
    wires = Wires()
    r1 = wires.router()
    sid = listen(r1)
    wires.inject(r1, datagram(A("2001:db8:1::9"), FAR))
    assert "RTM_MISS 2001:db8:9::9" in brief(heard(r1, sid))


def test_interfaces_and_carriers() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=False)
    syscalls.ioctl(h1, "SIOCSIFFLAGS", "ne0", up=True)
    wires.net.set_link("lan", False)
    flags = [int(message.flags, 16) & 0x41 for message in heard(h1, sid) if message.kind == "RTM_IFINFO"]
    # UP is 1; RUNNING, 0x40, is there while the interface is up and its link too.
    assert flags == [0, 0x41, 0x01]


def test_addresses_come_and_go() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    syscalls.ioctl(h1, "SIOCDIFADDR_IN6", "ne0", address=A("2001:db8:1::1"))
    messages = heard(h1, sid)
    assert "RTM_DELADDR ffff:ffff:ffff:ffff:: ne0:2:0:0:0:0:1 2001:db8:1::1" in brief(messages)
    assert {message.kind for message in messages} == {"RTM_DELADDR", "RTM_DELETE"}


def test_requests_carry_their_process_and_refusals_their_reason() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    plain = {"destination": FAR, "gateway": A("2001:db8:1::fe"), "pid": 7}
    syscalls.route(h1, "add", **plain)
    with pytest.raises(Errno):
        syscalls.route(h1, "add", **plain)
    added, refused = heard(h1, sid)
    assert (added.kind, added.pid, added.errno, added.flags) == ("RTM_ADD", 7, 0, "UGHSd")
    assert (refused.kind, refused.pid, refused.errno, refused.flags) == ("RTM_ADD", 7, 17, "UGHS")


def test_tcp_may_say_that_it_loses() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    rtsock.losing(h1, A("2001:db8:1::9"))
    assert brief(heard(h1, sid)) == ["RTM_LOSING 2001:db8:1:: link#1 ffff:ffff:ffff:ffff::"]


def test_a_socket_that_nobody_reads_loses_messages_and_stays_bounded() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    for _ in range(2000):
        with pytest.raises(Errno):
            wires.send(h1, "2001:db8:9::9")
    so = h1.sockets[sid]
    assert so.octets <= so.rcvbuf
    assert len(heard(h1, sid)) == so.rcvbuf // 64
    assert so.octets == 0


def test_nobody_hears_what_was_before_it_listened_or_after_it_closed() -> None:
    wires = Wires()
    h1 = wires.host()
    sid = listen(h1)
    assert heard(h1, sid) == []
    syscalls.close(h1, sid)
    assert h1.route_sockets == []
    syscalls.route(h1, "add", destination=FAR, gateway=A("2001:db8:1::fe"))
    with pytest.raises(Errno):
        syscalls.recvmsg(h1, sid)


# -- the program -------------------------------------------------------------------------------------------------------


def watch(bench: Bench, name: str) -> None:
    bench.sh(name, "route -n monitor > /m &")
    bench.run(0.001)


def seen(bench: Bench, name: str) -> str:
    return bench.system(name).files["/m"]


def test_monitor_prints_a_program_s_route() -> None:
    bench = small()
    watch(bench, "h1")
    at = bench.net.clock.wall()
    bench.sh("h1", "route -n add -inet6 2001:db8:5::/48 2001:db8:1::2 -mtu 1400")
    text = seen(bench, "h1")
    assert text == (
        f"got message of size 176 on {ctime(at)}\n"
        "RTM_ADD: a route was added: len 176, pid: 6, seq 1, errno 0, flags:<UP,GATEWAY,DONE,STATIC>\n"
        "locks:  inits: <mtu>\n"
        "sockaddrs: <DST,GATEWAY,NETMASK>\n"
        " 2001:db8:5:: 2001:db8:1::2 ffff:ffff:ffff::\n"
        "\n"
    )


def test_monitor_prints_addresses_and_interfaces() -> None:
    bench = small()
    watch(bench, "h1")
    bench.sh("h1", "ifconfig ne0 inet6 2001:db8:1::77 alias")
    bench.sh("h1", "ifconfig ne0 down")
    text = seen(bench, "h1")
    assert (
        "RTM_NEWADDR: an interface got an address: len 96, if# 1, metric 0, flags:\n"
        "sockaddrs: <NETMASK,IFP,IFA>\n"
        " ffff:ffff:ffff:ffff:: ne0:2:0:0:0:0:1 2001:db8:1::77\n"
    ) in text
    assert "RTM_IFINFO: an interface changed: len 96, if# 1, flags:<BROADCAST,SIMPLEX,MULTICAST>\n" in text


def test_monitor_ends_with_an_interrupt() -> None:
    bench = small()
    pid = bench.start("h1", "route monitor")
    bench.run(5)
    bench.system("h1").interrupt("h1")
    assert bench.finish("h1", pid).status == 130
    assert bench.net.nodes["h1"].route_sockets == []


def test_a_monitor_goes_on_after_a_restore() -> None:
    bench = small()
    watch(bench, "h1")
    bench.sh("h1", "route -n add -inet6 default 2001:db8:1::2")
    systems = {name: bench.system(name) for name in bench.net.nodes}
    world = World(bench.net, systems)
    twin = checkpoint.restore(checkpoint.take(world))
    assert digest(twin) == digest(world)
    h1 = twin.network.nodes["h1"]
    before = twin.systems["h1"].files["/m"]
    bench.net = twin.network
    bench.sh("h1", "route -n delete -inet6 default")
    assert h1.route_sockets
    assert twin.systems["h1"].files["/m"].removeprefix(before).splitlines()[1].startswith("RTM_DELETE: ")


def test_verbose_shows_the_kernel_s_answer() -> None:
    bench = small()
    result = bench.sh("h1", "route -nv add -inet6 default 2001:db8:1::2 -lock -mtu 1300 -rtt 20")
    assert result.lines[0].startswith("RTM_ADD: a route was added: len 176, pid: ")
    assert result.lines[1] == "locks: <mtu> inits: <mtu,rtt>"
    assert result.lines[-1] == "add net default: gateway 2001:db8:1::2"


# -- modifiers ---------------------------------------------------------------------------------------------------------


def values(bench: Bench, name: str, to: str) -> list[str]:
    return bench.sh(name, f"route -n get -inet6 {to}").lines[-1].split()


def test_metrics_are_kept_shown_and_changed_one_by_one() -> None:
    bench = small()
    bench.sh("h1", "route add -inet6 2001:db8:5::/48 2001:db8:1::2 -rtt 20 -lock -hopcount 3 -ssthresh 4096 -mtu 1400")
    assert values(bench, "h1", "2001:db8:5::1") == ["0", "0", "4096", "20", "0", "3L", "1400", "0"]
    changed = bench.sh("h1", "route change -inet6 2001:db8:5::/48 -rttvar 7 -sendpipe 9000")
    assert changed.output == "change net 2001:db8:5::/48\n"
    assert values(bench, "h1", "2001:db8:5::1") == ["0", "9000", "4096", "20", "7", "3L", "1400", "0"]
    text = bench.sh("h1", "route -n get -inet6 2001:db8:5::1").output
    assert "    gateway: 2001:db8:1::2\n" in text
    assert "flags: <UP,GATEWAY,DONE,STATIC>" in text


def test_lockrest_locks_what_follows() -> None:
    bench = small()
    bench.sh("h1", "route add -inet6 default 2001:db8:1::2 -rtt 20 -lockrest -rttvar 5 -mtu 1400")
    assert values(bench, "h1", "2001:db8:5::1") == ["0", "0", "0", "20", "5L", "0", "1400L", "0"]


def test_a_locked_mtu_is_not_touched_by_path_mtu_discovery() -> None:
    wires = Wires()
    h1 = wires.host()
    gateway = A("2001:db8:1::fe")
    quoted = datagram(A("2001:db8:1::1"), FAR)
    too_big = icmp6(ROUTER, A("2001:db8:1::1"), 2, (1300).to_bytes(4, "big") + quoted)
    syscalls.route(h1, "add", destination=FAR, gateway=gateway, mtu=1400, locks=("mtu",))
    wires.inject(h1, too_big)
    route = h1.routes.lookup(FAR)
    assert route is not None
    assert route.mtu == 1400
    syscalls.route(h1, "delete", destination=FAR)
    syscalls.route(h1, "add", destination=FAR, gateway=gateway, mtu=1400)
    wires.inject(h1, too_big)
    route = h1.routes.lookup(FAR)
    assert route is not None
    assert route.mtu == 1300


@pytest.mark.parametrize(
    ("modifiers", "flags"),
    [
        ("", "UGS"),
        ("-nostatic", "UG"),
        ("-proto1 -proto2", "UGS12"),
        ("-reject", "UGRS"),
        ("-blackhole", "UGSB"),
        ("-cloning", "UGCS"),
        ("-llinfo -xresolve", "UGXLS"),
    ],
)
def test_flags(modifiers: str, flags: str) -> None:
    bench = small()
    bench.sh("h1", f"route add -inet6 2001:db8:5::/48 2001:db8:1::2 {modifiers}")
    line = next(line for line in bench.sh("h1", "netstat -nr").lines if line.startswith("2001:db8:5::"))
    assert line.split()[2] == flags


def test_an_own_address_names_the_interface() -> None:
    bench = routed()
    bench.sh("r1", "route add -inet6 2001:db8:7::/48 -interface ne0")
    bench.sh("r1", "route add -inet6 2001:db8:8::/48 fe80::9%ne1 -ifa 2001:db8:2::ff")
    table = {line.split()[0]: line.split()[3] for line in bench.sh("r1", "netstat -nr").lines[4:]}
    assert (table["2001:db8:7::/48"], table["2001:db8:8::/48"]) == ("ne0", "ne1")


def test_a_gateway_behind_its_own_route_is_refused() -> None:
    bench = small()
    bench.sh("h1", "route add -inet6 default 2001:db8:1::2")
    refused = bench.sh("h1", "route change -inet6 default 2001:db8:9::1")
    assert refused.output == (
        "route: writing to routing socket: Disc quota exceeded\n"
        "change net default: gateway 2001:db8:9::1: gateway uses the same route\n"
    )
    assert refused.status == 1


@pytest.mark.parametrize("letter", ["t", "d"])
def test_trying_out_changes_nothing(letter: str) -> None:
    bench = small()
    before = bench.sh("h1", "netstat -nr").output
    assert bench.sh("h1", f"route -{letter} add -inet6 default 2001:db8:1::2").output == (
        "add net default: gateway 2001:db8:1::2\n"
    )
    assert bench.sh("h1", "netstat -nr").output == before


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0, "Thu Jan  1 00:00:00 1970"),
        (950_522_400, "Mon Feb 14 10:00:00 2000"),
        (951_827_696, "Tue Feb 29 12:34:56 2000"),
        (978_307_199, "Sun Dec 31 23:59:59 2000"),
        (4_107_542_400, "Mon Mar  1 00:00:00 2100"),
    ],
)
def test_dates(wall: int, text: str) -> None:
    assert ctime(wall * 1_000_000_000) == text
