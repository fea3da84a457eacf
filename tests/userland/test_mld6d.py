"""mld6d: queriers, elections, listeners that come and leave, two routers and two hosts on a link (RFC 2710 6, 7)."""

from __future__ import annotations

import re

import pytest
from real_nodes import Bench
from test_probes_restored import restored

from kamelab.stack import syscalls
from kamelab.wire import in6, mld

QUERY, REPORT = 130, 131


def lan(seed: int = 1) -> Bench:
    """r1 and r2, h1 and h2 on one link; duplicate address detection over at 3 s."""
    bench = Bench(seed)
    bench.link("lan")
    for name in ("r1", "r2"):
        bench.node(name, "lan", forwarding=1)
    for name in ("h1", "h2"):
        bench.node(name, "lan")
    bench.run(3)
    return bench


def messages(bench: Bench, name: str, kind: int, since: float = 0) -> list[tuple[float, str, bytes]]:
    """(seconds, group, frame) of the version 1 messages, or queries of any version, that a node sent."""
    out = []
    for record in bench.net.trace.packets:
        frame = record[12]
        if record[2] == name and record[6] == "tx" and frame[20] == 0 and frame[62] == kind:
            out.append((record[1] / 1e9, in6.ntop(frame[70:86]), frame))
    return [one for one in out if one[0] >= since]


def queries(bench: Bench, name: str, since: float = 0) -> list[tuple[float, str, bytes]]:
    return messages(bench, name, QUERY, since)


def dump(bench: Bench, name: str) -> str:
    pid = bench.sh(name, "cat /var/run/mld6d.pid").output.strip()
    return bench.sh(name, f"kill -USR1 {pid}; sleep 1; cat /var/run/mld6d.dump").output


def listener(bench: Bench, name: str, group: str = "ff02::77", words: str = "") -> int:
    return bench.start(name, f"mcastread -i ne0 {words} {group} 5000")


def test_the_first_queries_are_close_together_and_as_they_must_be() -> None:
    """RFC 2710 7.6, 7.7: two of them, a quarter of the interval apart; then every 125 s."""
    bench = lan()
    assert bench.sh("r1", "mld6d -i ne0").status == 0
    bench.run(200)
    sent = queries(bench, "r1")
    assert [round(at - 3, 2) for at, _, _ in sent] == [0, 31.25, 156.25]
    for _, group, frame in sent:
        assert group == "::"
        assert (in6.ntop(frame[22:38]), in6.ntop(frame[38:54]), frame[21]) == ("fe80::ff:fe00:1", "ff02::1", 1)
        assert frame[54:62] == bytes.fromhex("3a00050200000100"), "router alert"
        assert int.from_bytes(frame[66:68], "big") == 10000
        assert len(frame) == 86


def test_the_listeners_of_all_nodes_are_known() -> None:
    bench = lan()
    bench.sh("r1", "mld6d -i ne0")
    bench.run(15)
    shown = dump(bench, "r1")
    for group in ("ff02::1:ff00:1", "ff02::1:ff00:2", "ff02::1:ff00:3", "ff02::1:ff00:4", "ff02::2"):
        assert f"  {group} since" in shown, "its own groups, too"
    assert "ff02::1 " not in shown


def test_a_listener_comes_and_leaves() -> None:
    """Done: two queries about the group, a second apart; gone after two seconds (RFC 2710 7.8, 7.9)."""
    bench = lan()
    bench.sh("r1", "mld6d -i ne0")
    bench.run(40)
    listener(bench, "h1", words="-w 30")
    bench.run(0.001)
    assert re.search(r"ff02::77 since 1.0\d+ s, for another 259.0?\d* s|ff02::77 since", dump(bench, "r1"))
    bench.run(29)
    left = queries(bench, "r1", 70)
    assert [(round(at - left[0][0], 1), group) for at, group, _ in left] == [(0, "ff02::77")]
    assert [in6.ntop(frame[38:54]) for _, _, frame in left] == ["ff02::77"]
    assert "being asked for" in dump(bench, "r1")
    bench.run(1)
    assert "ff02::77" not in dump(bench, "r1")
    asked = [at for at, group, _ in queries(bench, "r1", 70) if group == "ff02::77"]
    assert len(asked) == 2
    assert round(asked[1] - asked[0], 3) == 1


def test_another_listener_objects() -> None:
    bench = lan()
    bench.sh("r1", "mld6d -i ne0")
    listener(bench, "h2")
    bench.run(40)
    listener(bench, "h1", words="-w 30")
    bench.run(40)
    asked = [at for at, group, _ in queries(bench, "r1", 70) if group == "ff02::77"]
    answered = [at for at, group, _ in messages(bench, "h2", REPORT) if group == "ff02::77"]
    assert 1 <= len(asked) <= 2, "once it has an answer it asks no more"
    assert asked[0] <= max(answered) <= asked[0] + 1
    shown = dump(bench, "r1")
    assert re.search(r"ff02::77 since \d+\.\d+ s, for another 2\d\d\.\d+ s, last reporter fe80::ff:fe00:4", shown)


def test_a_listener_that_vanishes_without_a_word_is_forgotten_after_260_seconds() -> None:
    bench = lan()
    bench.sh("r1", "mld6d -i ne0")
    listener(bench, "h1")
    bench.run(20)
    bench.net.nodes["h1"].power_off()
    bench.run(235)
    assert "ff02::77" in dump(bench, "r1")
    bench.run(30)
    assert "ff02::77" not in dump(bench, "r1")


def test_the_router_with_the_lower_address_asks() -> None:
    bench = lan()
    bench.sh("r2", "mld6d -i ne0")
    bench.run(5)
    bench.sh("r1", "mld6d -i ne0")
    bench.run(300)
    assert queries(bench, "r2", 9) == []
    assert "querier fe80::ff:fe00:1, for another" in dump(bench, "r2")
    assert "this router asks" in dump(bench, "r1")
    assert any("fe80::ff:fe00:1 asks, this router keeps silent" in text for _, text in bench.net.nodes["r2"].kernel_log)
    assert len(queries(bench, "r1")) == 4


def test_the_other_router_takes_over_when_the_querier_is_gone() -> None:
    """After 255 s without a query (RFC 2710 7.5)."""
    bench = lan()
    bench.sh("r1", "mld6d -i ne0")
    bench.sh("r2", "mld6d -i ne0")
    listener(bench, "h1")
    bench.run(50)
    last = queries(bench, "r1")[-1][0]
    pid = bench.sh("r1", "cat /var/run/mld6d.pid").output.strip()
    bench.sh("r1", f"kill {pid}")
    bench.run(300)
    assert queries(bench, "r1", 50) == []
    assert round(queries(bench, "r2", 50)[0][0] - last, 2) == 255
    assert "ff02::77" in dump(bench, "r2"), "it has listened all the time"
    assert bench.sh("r1", "ls /var/run").output.strip() != "mld6d.pid"


def test_the_silent_router_gives_a_group_up_when_the_querier_asks_in_vain() -> None:
    bench = lan()
    for name in ("r1", "r2"):
        bench.sh(name, "mld6d -i ne0")
    bench.run(40)
    listener(bench, "h1", words="-w 30")
    bench.run(34)
    assert queries(bench, "r2", 40) == []
    assert "ff02::77" not in dump(bench, "r2")


def test_a_router_without_an_address_waits_until_it_has_one() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("r1", "lan", forwarding=1)
    bench.sh("r1", "mld6d -i ne0")
    bench.run(10)
    at = queries(bench, "r1")[0][0]
    assert 1 <= at <= 5
    assert any("no usable link-local address" in text for _, text in bench.net.nodes["r1"].kernel_log)


def test_a_daemon_that_is_restored_goes_on_as_if_nothing_had_been() -> None:
    """All it knows is in the object that it keeps."""
    bench = lan()
    for name in ("r1", "r2"):
        bench.sh(name, "mld6d -d -q 20 -w 1000 -i ne0")
    listener(bench, "h1", words="-w 30")
    bench.run(20)
    copy = restored(bench)
    seen = []
    for one in (bench, copy):
        one.run(60)
        seen.append((queries(one, "r1"), dump(one, "r1"), dump(one, "r2"), one.net.nodes["r1"].kernel_log))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) > 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mld6d -z", "mld6d: illegal option -- z"),
        ("mld6d ne0", "usage: mld6d [-2df] [-q seconds] [-r robustness] [-w milliseconds]"),
        ("mld6d -i ne7", "mld6d: interface ne7 does not exist"),
        ("mld6d -i lo0", "mld6d: lo0: nobody can be asked there"),
        ("mld6d -r 8", "mld6d: -r 8: a number from 1 to 7 is wanted"),
        ("mld6d -q 10", "mld6d: -w must be less than -q: answers have to come before the next query"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = lan().sh("r1", line)
    assert (result.lines[0], result.status) == (said, 1)


def test_a_host_is_refused() -> None:
    result = lan().sh("h1", "mld6d -i ne0")
    assert result.status == 1
    assert result.output.startswith("mld6d: net.inet6.ip6.forwarding is 0: a host hears no reports")


def test_debugging_in_the_foreground() -> None:
    bench = lan()
    bench.start("r1", "mld6d -dfi ne0")
    listener(bench, "h1")
    bench.run(2)
    bench.run(10)
    lines = bench.output("r1").splitlines()
    assert lines[0] == "mld6d: ne0: query sent: general"
    assert "mld6d: ne0: fe80::ff:fe00:3 listens to ff02::77" in lines


# -- version 2 -------------------------------------------------------------------------------------------------------


def two(seed: int = 1) -> Bench:
    """The same link, all hosts speaking version 2, r1 asking in version 2 since 3 s."""
    bench = lan(seed)
    for name in ("r1", "r2", "h1", "h2"):
        syscalls.sysctl_set(bench.net.nodes[name], "net.inet6.icmp6.mldv2", 1)
    bench.sh("r1", "mld6d -2 -i ne0")
    return bench


def test_version_2_asks_with_its_variables() -> None:
    bench = two()
    bench.run(1)
    ((_, _, frame),) = queries(bench, "r1")
    assert frame[86:90] == bytes((2, 125, 0, 0)), "robustness, interval, no sources"


def test_version_2_knows_the_sources_that_are_wanted() -> None:
    bench = two()
    bench.run(40)
    listener(bench, "h1", words="-s fe80::a1 -s fe80::a2 -w 60")
    listener(bench, "h2", words="-s fe80::a2")
    bench.run(10)
    shown = dump(bench, "r1")
    assert re.search(r"  ff02::77 since [\d.]+ s, last reporter \S+\n    from fe80::a1, .*\n    from fe80::a2, ", shown)
    bench.run(60)
    shown = dump(bench, "r1")
    assert "from fe80::a1" not in shown
    assert "from fe80::a2" in shown, "h2 wants it still, and said so when asked"
    asked = [mld.QueryV2.parse(frame[66:]) for _, group, frame in queries(bench, "r1", 60) if group == "ff02::77"]
    a1, a2 = in6.pton("fe80::a1"), in6.pton("fe80::a2")
    assert (asked[0].sources, asked[0].suppress) == ((a1, a2), False)
    assert sum(a1 in one.sources for one in asked) == 2
    assert {one.sources for one in asked if one.suppress} == {(a2,)}, "other routers leave the time of a2 alone"


def test_version_2_knows_the_sources_that_are_refused_by_all() -> None:
    bench = two()
    bench.run(40)
    node = bench.net.nodes["h1"]
    sid = syscalls.socket(node, 0, "udp6", 0)
    syscalls.setsockopt(node, sid, "MCAST_MSFILTER", (1, in6.pton("ff02::77"), "exclude", (in6.pton("fe80::a1"),)))
    bench.run(10)
    assert re.search(
        r"  ff02::77 since [\d.]+ s, for another 2[\d.]+ s, .*\n    not from fe80::a1\n", dump(bench, "r1")
    )
    listener(bench, "h2")
    bench.run(5)
    assert "not from" not in dump(bench, "r1")


def test_version_2_gives_a_group_up_that_nobody_wants() -> None:
    bench = two()
    bench.run(40)
    listener(bench, "h1", words="-w 30")
    bench.run(35)
    asked = [mld.QueryV2.parse(frame[66:]) for _, _, frame in queries(bench, "r1", 60)]
    assert {(one.group, one.sources, one.suppress) for one in asked} == {(in6.pton("ff02::77"), (), False)}
    assert 2 <= len(asked) <= 3, "the listener says twice that it leaves"
    assert "ff02::77" not in dump(bench, "r1")


def test_version_2_understands_listeners_of_version_1() -> None:
    bench = two()
    syscalls.sysctl_set(bench.net.nodes["h1"], "net.inet6.icmp6.mldv2", 0)
    bench.run(40)
    listener(bench, "h1", words="-w 30")
    bench.run(5)
    assert re.search(r"ff02::77 since .*, version 1 listeners", dump(bench, "r1"))
    bench.run(30)
    assert "ff02::77" not in dump(bench, "r1")


def test_routers_of_different_versions_notice() -> None:
    bench = two()
    bench.sh("r2", "mld6d -i ne0")
    bench.run(5)
    bench.run(60)
    log = [text for _, text in bench.net.nodes["r2"].kernel_log]
    assert any("querier fe80::ff:fe00:1 speaks version 2, not 1" in text for text in log)
