"""rtsol on a real node: times of RFC 4861 6.3.7, what it changes and what it says."""

from __future__ import annotations

import pytest
from real_nodes import ACCEPT_RTADV, FORWARDING, NS, Bench

from kamelab.wire import icmp6, ip6, nd, nd_options


def lan(*, router: bool = False, seed: int = 1) -> Bench:
    bench = Bench(seed)
    bench.link("lan")
    bench.link("other")
    bench.node("h1", "lan", accept_rtadv=1)
    if router:
        bench.node("r1", "lan", forwarding=1)
        bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias; rtadvd ne0")
    return bench


def test_without_a_router_three_solicitations_four_seconds_apart() -> None:
    bench = lan()
    bench.run(5)
    begun = bench.now
    result = bench.sh("h1", "rtsol ne0")
    times = [at for at, _ in bench.sent("h1", icmp6.ROUTER_SOLICIT)]
    assert len(times) == 3
    assert begun <= times[0] < begun + NS
    assert (times[1] - times[0], times[2] - times[1]) == (4 * NS, 4 * NS)
    assert bench.now == times[2] + NS
    assert result == ("rtsol: no answer on ne0 to 3 router solicitations\n", 0)


def test_a_solicitation_is_what_rfc4861_4_1_says() -> None:
    bench = lan()
    bench.sh("h1", "rtsol ne0")
    _, packet = bench.sent("h1", icmp6.ROUTER_SOLICIT)[0]
    head = ip6.parse(packet)
    assert head.src.hex() == "fe80000000000000000000fffe000001"
    assert head.dst.hex() == "ff020000000000000000000000000002"
    assert head.hlim == 255
    options = nd_options.parse(nd.RouterSolicit.parse(packet[44:]).options)
    assert options == nd_options.NdOptions(slla=bytes.fromhex("020000000001"))


def test_it_waits_for_duplicate_address_detection() -> None:
    bench = lan()
    bench.sh("h1", "rtsol ne0")
    probes = [at for at, packet in bench.sent("h1", icmp6.NEIGHBOR_SOLICIT)]
    assert bench.sent("h1", icmp6.ROUTER_SOLICIT)[0][0] >= probes[0] + NS


def test_with_a_router_it_ends_at_the_advertisement_and_the_kernel_has_an_address() -> None:
    bench = lan(router=True)
    result = bench.sh("h1", "rtsol ne0")
    assert result == ("", 0)
    assert len(bench.sent("h1", icmp6.ROUTER_SOLICIT)) == 1
    assert "inet6 2001:db8:1::ff:fe00:1 prefixlen 64" in bench.sh("h1", "ifconfig ne0").output
    assert bench.now < 6 * NS


def test_debug_tells_what_is_sent_and_heard() -> None:
    result = lan(router=True).sh("h1", "rtsol -d ne0")
    assert result.lines == [
        "rtsol: sent RS 1 on ne0",
        "rtsol: received RA from fe80::ff:fe00:2%ne0, state is PROBE",
    ]


def test_an_interface_that_is_down_is_brought_up() -> None:
    bench = lan(router=True)
    bench.sh("h1", "ifconfig ne0 down")
    assert bench.sh("h1", "rtsol ne0").status == 0
    assert "<UP," in bench.sh("h1", "ifconfig ne0").output


def test_a_node_that_does_not_listen_is_warned_and_F_mends_it() -> None:
    bench = lan()
    bench.sh("h1", f"sysctl -w {ACCEPT_RTADV}=0; sysctl -w {FORWARDING}=1")
    assert bench.sh("h1", "rtsol ne0").lines[:2] == [
        f"rtsol: warning: the kernel does not accept router advertisements ({ACCEPT_RTADV} is 0)",
        f"rtsol: warning: the kernel is a router, not a host ({FORWARDING} is 1)",
    ]
    assert "warning" not in bench.sh("h1", "rtsol -F ne0").output
    assert bench.sh("h1", f"sysctl -n {ACCEPT_RTADV} {FORWARDING}").lines == ["1", "0"]


def test_a_chooses_the_only_candidate() -> None:
    bench = lan(router=True)
    assert bench.sh("h1", "rtsol -a").status == 0
    bench.node("h2", "lan", "other", accept_rtadv=1)
    assert bench.sh("h2", "rtsol -a") == ("rtsol: too many interfaces: ne0 ne1; name the one to use\n", 1)


def test_each_interface_needs_its_own_advertisement() -> None:
    bench = lan(router=True)
    bench.node("h2", "lan", "other", accept_rtadv=1)
    result = bench.sh("h2", "rtsol ne0 ne1")
    assert result == ("rtsol: no answer on ne1 to 3 router solicitations\n", 0)
    assert len(bench.sent("h2", icmp6.ROUTER_SOLICIT)) == 4


def test_a_duplicate_link_local_address_is_given_up() -> None:
    bench = lan()
    bench.run(3)
    bench.macs = 0
    bench.node("twin", "lan", accept_rtadv=1)
    bench.run(3)
    result = bench.sh("twin", "rtsol ne0")
    assert result == ("rtsol: ne0: the link-local address is a duplicate\n", 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rtsol", "usage: rtsol [-dDfF] interfaces..."),
        ("rtsol -a ne0", "usage: rtsol [-dDfF] interfaces..."),
        ("rtsol -z ne0", "rtsol: illegal option -- z"),
        ("rtsol ne9", "rtsol: interface ne9 does not exist"),
        ("rtsol lo0", "rtsol: lo0 is a loopback interface: no router can answer there"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = lan().sh("h1", line)
    assert (result.lines[0], result.status) == (said, 1)


def test_the_first_delay_is_drawn_from_the_seed() -> None:
    def first(seed: int) -> int:
        bench = lan(seed=seed)
        bench.run(5)
        bench.sh("h1", "rtsol ne0")
        return bench.sent("h1", icmp6.ROUTER_SOLICIT)[0][0]

    assert first(1) == first(1) != first(2)
