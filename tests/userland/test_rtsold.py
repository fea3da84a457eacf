"""rtsold on real nodes: its states, the link watch of -m, its dump, how it ends (KAME rtsold.c, KAME USAGE)."""

from __future__ import annotations

from itertools import pairwise
from pickle import dumps, loads

import pytest
from real_nodes import ACCEPT_RTADV, FORWARDING, NS, Bench

from kamelab.wire import icmp6, ip6

RS = icmp6.ROUTER_SOLICIT
DUMP = "/var/run/rtsold.dump"


def lan(*, router: bool = False, seed: int = 1) -> Bench:
    bench = Bench(seed)
    bench.link("lan")
    bench.link("other")
    bench.node("h1", "lan", "other", accept_rtadv=1)
    if router:
        bench.node("r1", "lan", forwarding=1)
        bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias; rtadvd ne0")
    bench.run(3)
    return bench


def asked(bench: Bench, name: str = "h1") -> list[int]:
    return [at for at, _ in bench.sent(name, RS)]


def signal(bench: Bench, words: str) -> list[str]:
    number = bench.sh("h1", "cat /var/run/rtsold.pid").output.strip()
    return bench.sh("h1", f"kill {words} {number}; sleep 1; cat {DUMP}").lines


def test_it_goes_to_the_background_and_solicits_three_times() -> None:
    bench = lan()
    assert bench.sh("h1", "rtsold ne0") == ("", 0)
    assert bench.now == 3 * NS
    bench.run(60)
    at = asked(bench)
    assert 3 * NS <= at[0] < 4 * NS
    assert [later - sooner for sooner, later in pairwise(at)] == [4 * NS, 4 * NS]
    assert "no answer on ne0 to 3 router solicitations" in bench.sh("h1", "dmesg").output
    assert any(line.endswith("rtsold ne0") for line in bench.sh("h1", "ps").lines), "it stays"


def test_an_advertisement_ends_the_probing() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold ne0")
    bench.run(30)
    assert len(asked(bench)) == 1
    assert "inet6 2001:db8:1::ff:fe00:1 prefixlen 64" in bench.sh("h1", "ifconfig ne0").output


def test_without_m_a_link_that_comes_back_is_not_noticed() -> None:
    bench = lan()
    bench.sh("h1", "rtsold ne0")
    bench.run(60)
    bench.net.set_link("lan", False)
    bench.run(10)
    bench.net.set_link("lan", True)
    bench.run(60)
    assert len(asked(bench)) == 3


def test_m_solicits_again_when_the_link_comes_back() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold -m ne0")
    bench.run(30)
    assert len(asked(bench)) == 1
    bench.net.set_link("lan", False)
    bench.run(30)
    assert len(asked(bench)) == 1, "nobody is asked over a link that is gone"
    back = bench.now
    bench.net.set_link("lan", True)
    bench.run(30)
    again = asked(bench)[1:]
    assert len(again) == 1
    assert back < again[0] <= back + 4 * NS, "seen within 3 s, sent within another"
    log = bench.sh("h1", "dmesg").output
    assert log.index("ne0: link is inactive") < log.index("ne0: link is active")


def test_m_probes_the_default_routers_when_the_link_comes_back() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold -m ne0")
    bench.run(30)
    bench.net.set_link("lan", False)
    bench.run(10)
    back = bench.now
    bench.net.set_link("lan", True)
    bench.run(10)
    probes = [
        record[12][14:]
        for record in bench.net.trace.packets
        if record[2] == "h1" and record[6] == "tx" and record[1] > back and record[12][20] == ip6.IPPROTO_NONE
    ]
    (probe,) = probes
    head = ip6.parse(probe)
    assert head.dst.hex() == "fe80000000000000000000fffe000003"
    assert head.hlim == 1


def test_m_waits_for_an_interface_that_was_taken_down() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold -m ne0")
    bench.run(30)
    bench.sh("h1", "ifconfig ne0 down")
    bench.run(30)
    assert "<UP," not in bench.sh("h1", "ifconfig ne0").lines[0], "it is not brought up against the user's will"
    back = bench.now
    bench.sh("h1", "ifconfig ne0 up")
    bench.run(30)
    again = asked(bench)[1:]
    assert len(again) == 1
    assert back < again[0] <= back + 6 * NS


def test_it_waits_for_duplicate_address_detection() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("h1", "lan", accept_rtadv=1)
    bench.sh("h1", "rtsold ne0")
    assert "rtsold status: TENTATIVE" in "".join(signal(bench, "-USR1"))
    bench.run(20)
    probe = bench.sent("h1", icmp6.NEIGHBOR_SOLICIT)[0][0]
    assert asked(bench)[0] >= probe + NS


def test_several_interfaces_have_each_their_own_round() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold -m ne0 ne1")
    bench.run(14)
    assert len(asked(bench)) == 4
    lines = signal(bench, "-USR1")
    assert [line for line in lines if line.startswith("Interface")] == ["Interface ne0", "Interface ne1"]
    assert [line for line in lines if "valid RAs" in line] == [
        "  number of valid RAs: 1",
        "  number of valid RAs: 0",
    ]


def test_media_that_cannot_be_watched_are_asked_every_minute() -> None:
    bench = Bench()
    bench.net.add_link("line", latency=50_000, kind="ppp")
    bench.node("h1", "line", accept_rtadv=1)
    bench.node("h2", "line", forwarding=1)
    bench.run(3)
    bench.sh("h1", "rtsold -m ne0")
    bench.run(190)
    at = asked(bench)
    rounds = [at[number] for number in range(0, len(at), 3)]
    assert len(rounds) >= 3
    assert all(60 * NS <= later - sooner <= 75 * NS for sooner, later in pairwise(rounds))


def test_the_dump() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold ne0")
    bench.run(5)
    assert signal(bench, "-USR1") == [
        "Interface ne0",
        "  probe interval: infinity",
        "  no probe timer",
        "  interface status: active",
        "  other config: off",
        "  rtsold status: IDLE",
        "  carrier detection: available",
        "  probes: 0, dadcount = 0",
        "  no timer",
        "  number of valid RAs: 1",
    ]


def test_the_dump_while_it_waits_for_an_answer() -> None:
    bench = lan()
    bench.sh("h1", "rtsold -m ne0")
    bench.run(2)
    lines = signal(bench, "-USR1")
    assert "  rtsold status: PROBE" in lines
    assert "  probes: 1, dadcount = 0" in lines
    assert any(line.startswith("  timer: interval=4s, expires in ") for line in lines)


def test_sigterm_ends_it() -> None:
    bench = lan()
    bench.sh("h1", "rtsold -m ne0")
    bench.run(5)
    signal(bench, "")
    assert "rtsold" not in bench.sh("h1", "ps").output
    assert not bench.sh("h1", "ls /var/run").output.strip()


def test_one_round_in_the_foreground() -> None:
    bench = lan(router=True)
    result = bench.sh("h1", "rtsold -f1d ne0")
    assert result == (
        "rtsold: sent RS 1 on ne0\nrtsold: received RA from fe80::ff:fe00:3%ne0, state is PROBE\n",
        0,
    )
    assert bench.sh("h1", "rtsold -f1 ne1") == ("rtsold: no answer on ne1 to 3 router solicitations\n", 0)


def test_a_duplicate_link_local_address_is_told_once_and_looked_at_again() -> None:
    bench = lan()
    bench.macs = 0
    bench.node("twin", "lan", accept_rtadv=1)
    bench.run(3)
    bench.sh("twin", "rtsold ne0")
    bench.run(200)
    assert asked(bench, "twin") == []
    assert bench.sh("twin", "dmesg").output.count("ne0: the link-local address is a duplicate") == 1


def test_it_comes_back_from_a_checkpoint_with_its_state() -> None:
    bench = lan(router=True)
    bench.sh("h1", "rtsold -m ne0")
    bench.run(10)
    net = loads(dumps(bench.net))
    for node in net.nodes.values():
        node.restore_switch()
        node.userland.revive()
    other = Bench()
    other.net = net
    for one in (bench, other):
        one.net.set_link("lan", False)
        one.run(10)
        one.net.set_link("lan", True)
        one.run(10)
    assert asked(other)[1:] == asked(bench)[1:] != []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rtsold", "usage: rtsold [-dDfFm1] interfaces..."),
        ("rtsold -a ne0", "usage: rtsold [-dDfFm1] interfaces..."),
        ("rtsold -a", "rtsold: too many interfaces: ne0 ne1; name the one to use"),
        ("rtsold -z ne0", "rtsold: illegal option -- z"),
        ("rtsold ne9", "rtsold: interface ne9 does not exist"),
        ("rtsold lo0", "rtsold: lo0 is a loopback interface: no router can answer there"),
        ("rtsold -O /bin/x ne0", "rtsold: -O is not built yet: no script is run at an advertisement with the O flag"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = lan().sh("h1", line)
    assert (result.lines[0], result.status) == (said, 1)


def test_F_and_the_warnings() -> None:
    bench = lan()
    bench.sh("h1", f"sysctl -w {ACCEPT_RTADV}=0; sysctl -w {FORWARDING}=1")
    assert bench.sh("h1", "rtsold ne0").lines == [
        f"rtsold: warning: the kernel does not accept router advertisements ({ACCEPT_RTADV} is 0)",
        f"rtsold: warning: the kernel is a router, not a host ({FORWARDING} is 1)",
    ]
    signal(bench, "")
    assert bench.sh("h1", "rtsold -F ne0") == ("", 0)
    assert bench.sh("h1", f"sysctl -n {ACCEPT_RTADV} {FORWARDING}").lines == ["1", "0"]


def test_it_has_a_page() -> None:
    result = lan().sh("h1", "man rtsold")
    assert "rtsold - " in result.output
    assert all(len(line) <= 78 for line in result.lines)
