"""Two kernels on one wire, in time order: from boot to conversation, to silence, to the loss of the other."""

from __future__ import annotations

import pytest
from wires import A, Wires, echo_to, row

from kamelab.core.clock import MS
from kamelab.core.errors import EHOSTUNREACH, Errno
from kamelab.stack import syscalls
from kamelab.stack.node import Node
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6

H2 = "fe80::ff:fe00:2"


def pair(wires: Wires) -> tuple[Node, Node]:
    """h1 and h2, 5 ms apart, at 3 s."""
    wires.link("lan", latency=5 * MS)
    nodes = wires.node("h1", "lan"), wires.node("h2", "lan")
    wires.run(to=3)
    return nodes


def ping(wires: Wires, node: Node, text: str = H2) -> int:
    return wires.output(node, echo_to(text, node.interfaces["ne0"]))


def state(node: Node, text: str) -> str:
    found = [one.state for one in syscalls.rows(node, "neighbors") if one.address == text]
    return found[0] if found else ""


def test_the_first_echo_takes_a_resolution_and_its_time(wires: Wires) -> None:
    h1, h2 = pair(wires)
    ping(wires, h1)
    wires.run(1)
    ours = [(round(one.at - 3, 6), one.kind) for one in wires.sent(h1, since=3)]
    theirs = [(round(one.at - 3, 6), one.kind) for one in wires.sent(h2, since=3)]
    # Solicitation and advertisement make one round trip, request and reply the second.
    assert ours == [(0, icmp.NEIGHBOR_SOLICIT), (0.01, icmp.ECHO_REQUEST)]
    assert theirs == [(0.005, icmp.NEIGHBOR_ADVERT), (0.015, icmp.ECHO_REPLY)]
    assert state(h1, f"{H2}%ne0") == "REACHABLE"
    assert state(h2, "fe80::ff:fe00:1%ne0") == "DELAY", "it has heard of us, and answered without proof that it arrives"
    wires.run(5)
    assert state(h2, "fe80::ff:fe00:1%ne0") == "REACHABLE", "its probe was answered"


def test_why_leads_from_the_reply_back_to_the_request(wires: Wires) -> None:
    """Causes cross nodes: the reply arrives, h2 sends it, it heard the request, which left after its hold."""
    h1, _ = pair(wires)
    ping(wires, h1)
    wires.run(1)
    trace = wires.net.trace
    arrival = next(
        row[0] for row in reversed(trace.packets)
        if row[2] == "h1" and row[6] == "rx" and row[12][54] == icmp.ECHO_REPLY
    )  # fmt: skip
    told = [(record.node, record.event) for record in trace.chain(arrival)]
    assert told == [
        ("h1", "rx"), ("h2", "tx"), ("h2", "deliver"), ("h2", "rx"), ("h1", "tx"), ("h1", "hold"),
    ]  # fmt: skip
    released = next(record for record in trace.chain(arrival) if record.event == "tx" and record.node == "h1")
    set_off = trace.get(released.also)
    assert set_off is not None
    assert (set_off.event, set_off.stage) == ("deliver", "nd6_na_input")


def test_a_silent_neighbour_costs_8_seconds_and_then_3_more(wires: Wires) -> None:
    h1, h2 = pair(wires)
    ping(wires, h1)
    wires.run(60)
    assert state(h1, f"{H2}%ne0") == "STALE"
    syscalls.ioctl(h2, "SIOCSIFFLAGS", "ne0", up=False)
    start = wires.now
    ping(wires, h1)
    wires.run(7.9)
    assert state(h1, f"{H2}%ne0") == "PROBE"
    wires.run(0.2)
    assert state(h1, f"{H2}%ne0") == ""
    ping(wires, h1)
    wires.run(3.1)
    (told,) = wires.sent(h1, icmp.DST_UNREACH)
    assert told.at == pytest.approx(start + 8.1 + 3)
    assert told.message[1] == icmp.UNREACH_ADDR


def test_probes_that_are_answered_keep_it_reachable(wires: Wires) -> None:
    h1, _ = pair(wires)
    for _ in range(200):
        ping(wires, h1)
        wires.run(1)
    changes = [what for _, what in wires.states(h1, "nd6_nud", 4)]
    assert set(changes) <= {
        "REACHABLE > STALE", "STALE > DELAY", "DELAY > PROBE", "PROBE > REACHABLE", "DELAY > REACHABLE",
    }  # fmt: skip
    assert changes.count("DELAY > PROBE") >= 3
    assert len(wires.sent(h1, icmp.ECHO_REQUEST)) == 200


def test_a_rebooted_neighbour_with_another_card_is_found_again(wires: Wires) -> None:
    """The same address, another MAC: unreachable at first, then resolved anew within 8 seconds."""
    h1, h2 = pair(wires)
    wires.address(h2, "fe80::7")
    wires.run(2)
    ping(wires, h1, "fe80::7")
    wires.run(60)
    h2.power_off()
    h2.interfaces["ne0"].mac = b"\x02\0\0\0\0\x42"
    syscalls.ioctl(h2, "SIOCSIFFLAGS", "ne0", up=True)
    wires.address(h2, "fe80::7")
    wires.run(3)
    start = wires.now
    while not wires.sent(h2, icmp.ECHO_REPLY, start):
        ping(wires, h1, "fe80::7")
        wires.run(1)
        assert wires.now - start < 10
    assert row(h1, "neighbors", "fe80::7%ne0").lladdr == "2:0:0:0:0:42"


def test_a_link_that_is_cut_and_mended(wires: Wires) -> None:
    h1, h2 = pair(wires)
    ping(wires, h1)
    wires.run(1)
    wires.net.set_link("lan", False)
    ping(wires, h1)
    wires.run(1)
    assert wires.drops(h1, 4) == ["LINK_DOWN"]
    wires.net.set_link("lan", True)
    ping(wires, h1)
    wires.run(1)
    assert len(wires.sent(h2, icmp.ECHO_REPLY)) == 2


def test_a_program_hears_that_nobody_listens(wires: Wires) -> None:
    h1, _ = pair(wires)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, A(H2), 7, 1)
    syscalls.sendmsg(h1, sid, b"x")
    wires.run(1)
    with pytest.raises(Errno, match="Connection refused"):
        syscalls.recvmsg(h1, sid)


def test_a_port_that_is_unreachable_behind_a_router_that_knows_no_route(wires: Wires) -> None:
    wires.link("left")
    wires.link("right")
    h1 = wires.node("h1", "left")
    r1 = wires.node("r1", "left", "right", forwarding=1)
    wires.address(h1, "2001:db8:1::1")
    wires.address(r1, "2001:db8:1::ff", "ne0")
    syscalls.route(h1, "add", destination=bytes(16), plen=0, gateway=A("2001:db8:1::ff"))
    wires.run(3)
    sid = syscalls.socket(h1, 0, "udp6", 0)
    syscalls.connect(h1, sid, A("2001:db8:9::9"), 7, 0)
    syscalls.sendmsg(h1, sid, b"x")
    wires.run(1)
    assert wires.drops(r1, 3) == ["FWD_NOROUTE"]
    with pytest.raises(Errno) as refusal:
        syscalls.recvmsg(h1, sid)
    assert refusal.value.number == EHOSTUNREACH


def test_nothing_ticks_in_an_idle_network(wires: Wires) -> None:
    h1, _ = pair(wires)
    ping(wires, h1)
    wires.run(100)
    before = wires.net.clock.events
    wires.run(20 * 3600)
    assert wires.net.clock.events == before
    assert wires.net.clock.busy == wires.net.clock.flight == 0


def test_the_same_seed_tells_the_same_story_and_another_one_changes_only_delays() -> None:
    def play(seed: int) -> Wires:
        wires = Wires(seed)
        h1, h2 = pair(wires)
        for node, text in ((h1, "2001:db8:1::1"), (h2, "2001:db8:1::2")):
            wires.address(node, text)
        for number in range(1, 21):
            ping(wires, h1)
            wires.run(number)
        wires.account()
        return wires

    one, same, other = play(1), play(1), play(2)
    assert list(one.net.trace.all()) == list(same.net.trace.all())
    assert list(one.net.trace.all()) != list(other.net.trace.all())
    results = [
        [(one.address, one.flags) for one in syscalls.rows(node, "addresses")]
        for wires in (one, other)
        for node in wires.net.nodes.values()
    ]
    assert results[:2] == results[2:]
    replies = [len(wires.sent(wires.net.nodes["h2"], icmp.ECHO_REPLY)) for wires in (one, other)]
    assert replies == [20, 20]
    assert in6.ntop(A(H2)) == H2
