"""rtadvd on real nodes: when it speaks, what it says, how it ends (RFC 4861 6.2)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from real_nodes import FORWARDING, MS, NS, Bench

from kamelab.wire import icmp6, in6, ip6, nd, nd_options

RA = icmp6.ROUTER_ADVERT
CONF = "/etc/rtadvd.conf"


def lan(conf: str = "", *, seed: int = 1, start: bool = True) -> Bench:
    """r1 and a listening h1 on a link; the daemon starts at 3 s, when duplicate address detection is over."""
    bench = Bench(seed)
    bench.link("lan")
    bench.node("r1", "lan", forwarding=1)
    bench.node("h1", "lan", accept_rtadv=1)
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff alias")
    if conf:
        bench.system("r1").files[CONF] = conf
    bench.run(3)
    if start:
        assert bench.sh("r1", "rtadvd ne0") == ("", 0)
    return bench


def times(bench: Bench) -> list[int]:
    return [at for at, _ in bench.sent("r1", RA)]


def said(bench: Bench, number: int = -1) -> tuple[nd.RouterAdvert, nd_options.NdOptions]:
    advert = nd.RouterAdvert.parse(bench.sent("r1", RA)[number][1][44:])
    return advert, nd_options.parse(advert.options)


def pid(bench: Bench) -> str:
    return bench.sh("r1", "cat /var/run/rtadvd.pid").output.strip()


def test_the_shell_does_not_wait_and_the_daemon_shows_in_ps() -> None:
    bench = lan()
    assert bench.now == 3 * NS
    (line,) = (line for line in bench.sh("r1", "ps").lines if line.endswith("rtadvd ne0"))
    assert line.split()[0] == pid(bench)


def test_the_defaults_on_the_wire() -> None:
    bench = lan()
    bench.run(20)
    ((_, packet),) = bench.sent("r1", RA)
    head = ip6.parse(packet)
    assert (in6.ntop(head.src), in6.ntop(head.dst), head.hlim) == ("fe80::ff:fe00:1", "ff02::1", 255)
    advert, options = said(bench)
    assert advert[:7] == (64, False, False, 0, 1800, 0, 0)
    assert options == nd_options.NdOptions(
        slla=bytes.fromhex("020000000001"),
        prefixes=(nd_options.PrefixInfo(64, True, True, 2592000, 604800, in6.pton("2001:db8:1::")),),
    )


def test_three_initial_advertisements_then_random_intervals() -> None:
    bench = lan()
    bench.run(4000)
    at = times(bench)
    assert [at[0] - 3 * NS, at[1] - at[0], at[2] - at[1]] == [16 * NS] * 3
    gaps = [later - sooner for sooner, later in pairwise(at[2:])]
    assert len(gaps) >= 6
    assert all(200 * NS <= gap <= 600 * NS for gap in gaps)
    assert len(set(gaps)) == len(gaps)


def test_intervals_of_the_configuration() -> None:
    bench = lan("ne0:maxinterval#10:mininterval#4:")
    bench.run(200)
    at = times(bench)
    gaps = [later - sooner for sooner, later in pairwise(at)]
    assert all(4 * NS <= gap <= 10 * NS for gap in gaps)
    assert said(bench)[0].lifetime == 30


def test_a_solicitation_is_answered_by_multicast_within_half_a_second() -> None:
    bench = lan()
    bench.sh("h1", "rtsol ne0")
    asked = bench.sent("h1", icmp6.ROUTER_SOLICIT)[0][0]
    (answered,) = times(bench)
    assert asked < answered <= asked + MS + NS // 2
    assert ip6.parse(bench.sent("r1", RA)[0][1]).dst == in6.ALLNODES


def test_answers_are_three_seconds_apart_however_many_ask() -> None:
    bench = lan()
    for number in range(2, 8):
        bench.node(f"h{number}", "lan", accept_rtadv=1)
        bench.start(f"h{number}", "rtsol ne0 &")
    bench.run(8)
    bench.start("h1", "rtsol ne0 &")
    bench.run(8)
    at = times(bench)
    assert len(at) >= 2
    assert all(later - sooner >= 3 * NS for sooner, later in pairwise(at))


def test_configured_values_reach_the_host() -> None:
    bench = lan(
        'ne0:addr0="2001:db8:a::":vltime0#7200:pltime0#3600:addr1="2001:db8:b::":pinfoflags1="l":'
        'mtu#1400:chlim#32:raflags="oh":rltime#900:rtime#10000:retrans#500:'
    )
    bench.sh("h1", "rtsol ne0")
    bench.run(3)
    advert, options = said(bench)
    assert advert[:7] == (32, False, True, 1, 900, 10000, 500)
    assert options.mtu == 1400
    assert [in6.ntop(one.prefix) for one in options.prefixes] == ["2001:db8:a::", "2001:db8:b::"]
    shown = bench.sh("h1", "ifconfig ne0").output
    assert "inet6 2001:db8:a::ff:fe00:2 prefixlen 64" in shown
    assert "2001:db8:b:" not in shown, "without the A flag no address is made"


def test_prefixes_follow_the_interface() -> None:
    bench = lan("ne0:maxinterval#10:")
    bench.run(20)
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:7::ff alias; ifconfig ne0 inet6 2001:db8:1::ff -alias")
    bench.run(20)
    lifetimes = {in6.ntop(one.prefix): one.valid for one in said(bench)[1].prefixes}
    assert lifetimes == {"2001:db8:1::": 0, "2001:db8:7::": 2592000}
    assert "rtadvd" in bench.sh("r1", "dmesg").output, "the loss of a prefix is logged"
    bench.run(7300)
    assert [in6.ntop(one.prefix) for one in said(bench)[1].prefixes] == ["2001:db8:7::"], "after two hours"


def test_s_takes_nothing_from_the_kernel() -> None:
    bench = lan(start=False)
    bench.sh("r1", "rtadvd -s ne0")
    bench.run(20)
    assert said(bench)[1].prefixes == ()


def test_sigterm_says_three_times_that_the_router_is_none() -> None:
    bench = lan()
    bench.sh("h1", "rtsol ne0")
    assert "fe80::ff:fe00:1%ne0" in bench.sh("h1", "ndp -r").output
    before = len(times(bench))
    bench.sh("r1", f"kill {pid(bench)}")
    begun = bench.now
    bench.run(1)
    assert bench.sh("h1", "ndp -r").output == ""
    bench.run(30)
    assert [at - begun for at in times(bench)[before:]] == [0, 3 * NS, 6 * NS]
    assert {said(bench, number)[0].lifetime for number in range(before, before + 3)} == {0}
    assert "rtadvd ne0" not in bench.sh("r1", "ps").output
    assert not bench.system("r1").files.get("/var/run/rtadvd.pid")


def test_a_second_sigterm_changes_nothing() -> None:
    bench = lan()
    number = pid(bench)
    bench.sh("r1", f"kill {number}; sleep 1; kill {number}")
    bench.run(30)
    assert len(times(bench)) == 3


def test_forwarding_switched_off_means_lifetime_zero() -> None:
    bench = lan("ne0:maxinterval#4:")
    bench.run(10)
    assert said(bench)[0].lifetime == 12
    bench.sh("r1", f"sysctl -w {FORWARDING}=0")
    bench.run(10)
    assert said(bench)[0].lifetime == 0


def test_a_host_may_only_advertise_lifetime_zero() -> None:
    bench = lan("ne1:rltime#0:", start=False)
    bench.sh("r1", f"sysctl -w {FORWARDING}=0")
    result = bench.sh("r1", "rtadvd ne0")
    assert result.output.startswith("rtadvd: net.inet6.ip6.forwarding is 0: a host must not advertise itself")
    assert result.status == 1
    bench.system("r1").files[CONF] = "ne0:rltime#0:"
    assert bench.sh("r1", "rtadvd ne0").status == 0


def test_it_waits_for_duplicate_address_detection() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("h1", "lan", accept_rtadv=1)
    bench.run(3)
    bench.node("r1", "lan", forwarding=1)
    bench.start("r1", "rtadvd ne0")
    bench.start("h1", "rtsol ne0 &")
    bench.run(5)
    head = ip6.parse(bench.sent("r1", RA)[0][1])
    assert in6.ntop(head.src) == "fe80::ff:fe00:2"
    assert bench.sent("r1", RA)[0][0] >= 4 * NS


def test_an_interface_that_is_down_is_told_once_and_speaks_when_up() -> None:
    bench = lan("ne0:maxinterval#4:", start=False)
    bench.sh("r1", "ifconfig ne0 down; rtadvd ne0")
    bench.run(40)
    assert times(bench) == []
    assert bench.sh("r1", "dmesg").output.count("ne0 is not up, no RA is sent") == 1
    bench.sh("r1", "ifconfig ne0 up")
    bench.run(10)
    assert times(bench) != []


def test_another_router_that_says_otherwise_is_logged_once() -> None:
    bench = lan()
    bench.node("r2", "lan", forwarding=1)
    bench.system("r2").files[CONF] = "ne0:chlim#32:maxinterval#10:"
    bench.run(3)
    bench.sh("r2", "rtadvd ne0")
    bench.run(60)
    log = bench.sh("r1", "dmesg").output
    assert log.count("RA from fe80::ff:fe00:3%ne0: cur hop limit 32, ours is 64") == 1


def test_the_dump_on_sigusr1() -> None:
    bench = lan("ne0:mtu#1500:")
    bench.sh("h1", "rtsol ne0")
    result = bench.sh("r1", f"kill -USR1 {pid(bench)}; sleep 1; cat /var/run/rtadvd.dump")
    assert result.lines[0] == "ne0:"
    assert "  RAs sent 1, RSs received 1, other RAs 0, inconsistent 0" in result.lines
    assert result.lines[-1] == "  prefix 2001:db8:1::/64 (kernel) flags LA, vltime 2592000, pltime 604800"


def test_f_stays_in_the_foreground_and_ctrl_c_ends_it() -> None:
    bench = lan(start=False)
    shell = bench.start("r1", "rtadvd -f -d ne0")
    bench.run(20)
    bench.system("r1").interrupt("r1")
    result = bench.finish("r1", shell)
    assert "rtadvd: RA sent on ne0, lifetime 1800, 1 prefixes" in result.lines
    assert result.status == 130


@pytest.mark.parametrize(
    ("line", "said_then"),
    [
        ("rtadvd", "usage: rtadvd [-dDfRs] [-c configfile] [-M interface] interfaces..."),
        ("rtadvd -z ne0", "rtadvd: illegal option -- z"),
        ("rtadvd ne9", "rtadvd: interface ne9 does not exist"),
        ("rtadvd lo0", "rtadvd: lo0 is a loopback interface: nobody listens there"),
        ("rtadvd -c /etc/none ne0", "rtadvd: /etc/none: No such file or directory"),
        ("rtadvd -m ne0", "rtadvd: -m is not built yet"),
        ("rtadvd -R -M ne9 ne0", "rtadvd: interface ne9 does not exist"),
        ("rtadvd -c /etc/bad ne0", "rtadvd: /etc/bad:1: maxinterval: 3 must be between 4 and 1800 (on ne0)"),
    ],
)
def test_mistakes(line: str, said_then: str) -> None:
    bench = lan(start=False)
    bench.system("r1").files["/etc/bad"] = "ne0:maxinterval#3:"
    result = bench.sh("r1", line)
    assert (result.lines[0], result.status) == (said_then, 1)


def test_the_same_seed_speaks_at_the_same_times() -> None:
    def spoken(seed: int) -> list[int]:
        bench = lan(seed=seed)
        bench.run(3000)
        return times(bench)

    assert spoken(1) == spoken(1) != spoken(2)


def log(bench: Bench) -> str:
    return bench.sh("r1", "dmesg").output


def test_d_logs_what_is_sent_and_D_what_is_heard_too() -> None:
    for letter, heard in (("d", False), ("D", True)):
        bench = lan(start=False)
        bench.sh("r1", f"rtadvd -{letter} ne0")
        bench.sh("h1", "rtsol ne0")
        bench.run(5)
        assert "RA sent on ne0, lifetime 1800, 1 prefixes" in log(bench)
        assert ("RS received from fe80::ff:fe00:2%ne0" in log(bench)) is heard


def test_a_prefix_of_another_router_that_is_not_ours_is_told_with_D_only() -> None:
    bench = lan(start=False)
    bench.sh("r1", "rtadvd -D ne0")
    bench.node("r2", "lan", forwarding=1)
    bench.sh("r2", "ifconfig ne0 inet6 2001:db8:9::1 alias")
    bench.run(3)
    bench.sh("r2", "rtadvd ne0")
    bench.run(30)
    assert "prefix 2001:db8:9::/64 of it is not in our list" in log(bench)
    number = pid(bench)
    dump = bench.sh("r1", f"kill -USR1 {number}; sleep 1; cat /var/run/rtadvd.dump").output
    assert "inconsistent 0" in dump, "other prefixes are no contradiction (RFC 4861 6.2.7)"


def test_lifetimes_that_run_down_are_advertised_running_down() -> None:
    bench = lan('ne0:maxinterval#10:addr="2001:db8:a::":vltime#1000:pltime#500:vltimedecr:pltimedecr:')
    bench.run(100)
    (one,) = said(bench)[1].prefixes
    passed = (times(bench)[-1] - 3 * NS) // NS
    assert (one.valid, one.preferred) == (1000 - passed, 500 - passed)


def test_two_routers_whose_lifetimes_run_down_together_need_no_words() -> None:
    conf = 'ne0:maxinterval#10:addr="2001:db8:a::":vltime#1000:pltime#500:vltimedecr:pltimedecr:clockskew#{}:'
    said_then = []
    for skew in (0, 5):
        bench = lan(conf.format(skew))
        bench.node("r2", "lan", forwarding=1)
        bench.system("r2").files[CONF] = conf.format(skew)
        bench.run(3)
        bench.sh("r2", "rtadvd ne0")
        bench.run(40)
        said_then.append("valid lifetime" in log(bench))
    assert said_then == [True, False]


def test_entries_may_share_terms_by_tc() -> None:
    bench = lan("site:maxinterval#10:chlim#32:\\\n\t:rltime#900:\nne0:chlim#16:tc=site:")
    bench.run(12)
    assert (said(bench)[0].hlim, said(bench)[0].lifetime) == (16, 900)


def test_M_without_R_is_warned_of() -> None:
    bench = lan(start=False)
    assert bench.sh("r1", "rtadvd -M ne0 ne0") == ("rtadvd: warning: -M means nothing without -R\n", 0)


def test_a_prefix_given_back_is_advertised_again() -> None:
    bench = lan("ne0:maxinterval#10:")
    bench.run(12)
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::ff -alias")
    bench.run(12)
    assert [one.valid for one in said(bench)[1].prefixes] == [0]
    bench.sh("r1", "ifconfig ne0 inet6 2001:db8:1::fe alias")
    bench.run(12)
    assert [one.valid for one in said(bench)[1].prefixes] == [2592000]
