"""prefix(8) on real nodes: KAME USAGE's examples word by word, renumbering, origins, lifetimes, what is advertised."""

from __future__ import annotations

from pickle import dumps, loads

import pytest
from real_nodes import Bench

from kamelab.core.errors import ENOBUFS, EPERM, Errno
from kamelab.stack import syscalls
from kamelab.stack.netinet6.in6_prefix import ADD, CHANGE, SET, Terms, Use
from kamelab.userland.prefix import read_time
from kamelab.wire import icmp6, in6, nd, nd_options

OLD, NEW = "3ffe:501:808", "3ffe:501:4819"


def router(*, forwarding: int = 1) -> Bench:
    """r1 with de0 and de1 on two links, and a listening host on the first."""
    bench = Bench()
    bench.link("left")
    bench.link("right")
    node = bench.node("r1", forwarding=forwarding)
    for number, link in enumerate(("left", "right")):
        mac = bytes((0, 0, 0xF8, 1, 0x63, 0x17 + number))
        node.perform(node.set_up(bench.net.add_interface(node, f"de{number}", mac, bench.net.links[link]), True))
    bench.node("h1", "left", accept_rtadv=1)
    bench.run(3)
    return bench


def addresses(bench: Bench, name: str) -> list[str]:
    """The global addresses of an interface of r1."""
    lines = bench.sh("r1", f"ifconfig {name}").lines
    return [line.split()[1] for line in lines if "inet6" in line and "fe80:" not in line]


def prefixes(bench: Bench) -> list[str]:
    """``ndp -p`` without the link-local prefixes, each entry on one line."""
    lines = bench.sh("r1", "ndp -p").lines
    out: list[str] = []
    for line in lines:
        if line.startswith(" "):
            out[-1] += " " + " ".join(line.split())
        else:
            out.append(line)
    return [line for line in out if not line.startswith("fe80:") and "if=lo0" not in line]


def words(text: str) -> set[str]:
    return {word.rstrip(",") for word in text.split()}


def test_usage_a_prefix_makes_an_address() -> None:
    bench = router()
    assert bench.sh("r1", "prefix de0 3ffe:501:808:1::") == ("", 0)
    assert addresses(bench, "de0") == ["3ffe:501:808:1:200:f8ff:fe01:6317"]
    (shown,) = prefixes(bench)
    usage = "3ffe:501:808:1::/64 if=de0 vltime=2592000, pltime=604800, expire=Never No advertising router"
    assert words(usage) <= words(shown)
    assert "advertise: flags=LAO," in shown
    assert "origin=static" in shown


def test_usage_renumbering_word_by_word() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::; prefix de1 {OLD}:2::")
    result = bench.sh("r1", "prefix -a matchpr 3ffe:501:808:: mp_len 48 usepr 3ffe:501:4819:: up_uselen 48 change")
    assert result == ("", 0)
    assert addresses(bench, "de0") == [f"{NEW}:1:200:f8ff:fe01:6317"]
    assert addresses(bench, "de1") == [f"{NEW}:2:200:f8ff:fe01:6318"]
    shown = prefixes(bench)
    assert [line.split()[:2] for line in shown] == [[f"{NEW}:1::/64", "if=de0"], [f"{NEW}:2::/64", "if=de1"]]
    for line in shown:
        assert words("vltime=2592000, pltime=604800, expire=Never No advertising router") <= words(line)
    routes = bench.sh("r1", "netstat -nr").output
    assert f"{NEW}:1::/64" in routes
    assert OLD not in routes


def test_a_host_may_not() -> None:
    bench = router(forwarding=0)
    assert bench.sh("r1", "prefix de0 2001:db8:1::") == ("prefix: SIOCSIFPREFIX_IN6 failed: permission denied\n", 1)
    assert bench.sh("r1", "prefix de9 2001:db8:1::") == ("prefix: SIOCSIFPREFIX_IN6 failed: no such interface\n", 1)


def test_delete_takes_the_address_and_the_route_along() -> None:
    bench = router()
    bench.sh("r1", "prefix de0 2001:db8:1:: prefixlen 48 set; prefix de0 2001:db8:2::")
    assert addresses(bench, "de0") == ["2001:db8:1:0:200:f8ff:fe01:6317", "2001:db8:2:0:200:f8ff:fe01:6317"]
    assert bench.sh("r1", "prefix de0 2001:db8:1::/48 delete") == ("", 0)
    assert addresses(bench, "de0") == ["2001:db8:2:0:200:f8ff:fe01:6317"]
    assert "2001:db8:1::/48" not in bench.sh("r1", "netstat -nr").output
    assert bench.sh("r1", "prefix de0 2001:db8:1::/48 delete") == (
        "prefix: SIOCDIFPREFIX_IN6 failed: Can't assign requested address\n",
        1,
    )


def test_add_leaves_the_matched_prefix() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::")
    assert bench.sh("r1", f"prefix de0 matchpr {OLD}:: mp_len 48 usepr {NEW}:: up_uselen 48").status == 0
    assert [line.split("/")[0] for line in prefixes(bench)] == [f"{OLD}:1::", f"{NEW}:1::"]


def test_setglobal_takes_all_other_global_prefixes_away() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::; prefix de0 2001:db8:77::; prefix de0 fec0:0:0:1::; prefix de1 2001:db8:5::")
    line = f"prefix de0 matchpr {OLD}:: mp_len 48 usepr {NEW}:: up_uselen 48 up_keeplen 16 setglobal"
    assert bench.sh("r1", line).status == 0
    assert [line.split("/")[0] for line in prefixes(bench)] == ["fec0:0:0:1::", f"{NEW}:1::", "2001:db8:5::"]


def test_change_without_a_new_prefix_deletes() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::; prefix de0 {OLD}:2::")
    assert bench.sh("r1", f"prefix de0 matchpr {OLD}:2:: change").status == 0
    assert [line.split("/")[0] for line in prefixes(bench)] == [f"{OLD}:1::"]


def test_change_to_itself_changes_the_terms_in_place() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::")
    line = f"prefix de0 matchpr {OLD}:1:: usepr {OLD}:1:: vltime 3600 pltime h0m10 -raf_auto change"
    assert bench.sh("r1", line) == ("", 0)
    (shown,) = prefixes(bench)
    assert "flags=LO, vltime=3600, pltime=600, expire=Never" in shown
    assert len(addresses(bench, "de0")) == 1


def test_only_prefixes_of_the_given_lengths_match() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}::/48; prefix de0 {OLD}:1::/64")
    line = f"prefix de0 matchpr {OLD}:: mp_len 48 mp_minlen 49 mp_maxlen 64 usepr {NEW}::/48 change"
    assert bench.sh("r1", line) == ("", 0)
    assert [line.split()[0] for line in prefixes(bench)] == [f"{OLD}::/48", f"{NEW}:1::/64"]


def test_an_interface_without_a_match_is_an_error_alone_and_skipped_among_all() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::")
    line = f"matchpr {OLD}:: mp_len 48 usepr {NEW}:: up_uselen 48 change"
    assert bench.sh("r1", f"prefix de1 {line}") == (
        "prefix: SIOCCIFPREFIX_IN6 failed: Can't assign requested address\n",
        1,
    )
    assert bench.sh("r1", f"prefix -a {line}") == ("", 0)


def test_d_and_u_choose_interfaces_that_are_down_or_up() -> None:
    bench = router()
    bench.sh("r1", f"prefix de0 {OLD}:1::; prefix de1 {OLD}:2::; ifconfig de1 down")
    line = f"matchpr {OLD}:: mp_len 48 usepr {NEW}:: up_uselen 48 change"
    bench.sh("r1", f"prefix -a -d {line}")
    assert [line.split("/")[0] for line in prefixes(bench)] == [f"{OLD}:1::", f"{NEW}:2::"]
    bench.sh("r1", f"prefix -a -u {line}")
    assert [line.split("/")[0] for line in prefixes(bench)] == [f"{NEW}:1::", f"{NEW}:2::"]


def test_what_ifconfig_brought_is_not_to_be_changed() -> None:
    bench = router()
    bench.sh("r1", f"ifconfig de0 inet6 {OLD}:1::1 alias")
    (shown,) = prefixes(bench)
    assert "origin=kernel" in shown
    assert "advertise" not in shown
    for line in (
        f"prefix de0 {OLD}:1::",
        f"prefix de0 {OLD}:1:: delete",
        f"prefix de0 matchpr {OLD}:: mp_len 48 change",
    ):
        assert bench.sh("r1", line).output.endswith("failed: permission denied\n")
    assert addresses(bench, "de0") == [f"{OLD}:1::1"]
    assert bench.sh("r1", f"prefix de0 matchpr {OLD}:: mp_len 48 usepr {NEW}:: up_uselen 48 add") == ("", 0)
    assert addresses(bench, "de0") == [f"{OLD}:1::1", f"{NEW}:1:200:f8ff:fe01:6317"]


def test_router_renumbering_may_not_change_what_the_command_set() -> None:
    bench = router()
    node = bench.net.nodes["r1"]
    bench.sh("r1", f"prefix de0 {OLD}:1::")
    use = Use(in6.pton(f"{NEW}::"), 48, 16, Terms())
    words = {"match": in6.pton(f"{OLD}::"), "matchlen": 48, "uses": (use,), "origin": "RR"}
    with pytest.raises(Errno) as caught:
        syscalls.ioctl(node, CHANGE, "de0", **words)
    assert caught.value.number == EPERM
    syscalls.ioctl(node, ADD, "de0", **words)
    assert "origin=RR" in prefixes(bench)[1]
    assert bench.sh("r1", f"prefix de0 {NEW}:1:: vltime 7200") == ("", 0), "the command outranks it"
    assert "origin=static" in prefixes(bench)[1]


def test_an_address_set_in_the_prefix_by_hand_outlives_it() -> None:
    bench = router()
    bench.sh("r1", "prefix de0 2001:db8:1::; ifconfig de0 inet6 2001:db8:1::1 alias; prefix de0 2001:db8:1:: delete")
    assert addresses(bench, "de0") == ["2001:db8:1::1"]
    (shown,) = prefixes(bench)
    assert "origin=kernel" in shown
    assert "2001:db8:1::/64" in bench.sh("r1", "netstat -nr").output


def test_lifetimes_run_down_only_if_told() -> None:
    bench = router()
    bench.sh("r1", "prefix de0 2001:db8:1:: vltime 100 pltime 50 rrf_decrvalid rrf_decrprefd")
    bench.sh("r1", "prefix de1 2001:db8:2:: vltime 100 pltime 50")
    assert "expire=1m40s" in prefixes(bench)[0]
    assert "expire=Never" in prefixes(bench)[1]
    bench.run(60)
    lines = bench.sh("r1", "ifconfig -a").lines
    assert ["deprecated" in line for line in lines if "2001:db8" in line] == [True, False]
    bench.run(60)
    assert (addresses(bench, "de0"), len(addresses(bench, "de1"))) == ([], 1)
    assert "2001:db8:1::/64" not in bench.sh("r1", "netstat -nr").output


def test_rr_prune_is_the_tick_at_which_they_go() -> None:
    bench = router()
    bench.sh("r1", "sysctl -w net.inet6.ip6.rr_prune=60; prefix de0 2001:db8:1:: vltime 10 rrf_decrvalid")
    bench.run(60 - 3 - 1)
    assert len(addresses(bench, "de0")) == 1
    bench.run(2)
    assert addresses(bench, "de0") == []


def test_set_again_starts_the_lifetime_again() -> None:
    bench = router()
    line = "prefix de0 2001:db8:1:: vltime 100 rrf_decrvalid"
    bench.sh("r1", line)
    bench.run(90)
    bench.sh("r1", line)
    bench.run(90)
    assert len(addresses(bench, "de0")) == 1
    bench.run(20)
    assert addresses(bench, "de0") == []


# -- advertised ------------------------------------------------------------------------------------------------------


def said(bench: Bench) -> dict[str, nd_options.PrefixInfo]:
    """The prefixes of r1's latest advertisement."""
    advert = nd.RouterAdvert.parse(bench.sent("r1", icmp6.ROUTER_ADVERT)[-1][1][44:])
    return {in6.ntop(one.prefix): one for one in nd_options.parse(advert.options).prefixes}


def test_rtadvd_advertises_them_on_their_terms() -> None:
    bench = router()
    bench.system("r1").files["/etc/rtadvd.conf"] = "de0:maxinterval#10:"
    bench.sh("r1", "prefix de0 2001:db8:1:: vltime 7200 pltime 3600 -raf_auto; rtadvd de0")
    bench.run(12)
    one = said(bench)["2001:db8:1::"]
    assert (one.onlink, one.autonomous, one.valid, one.preferred) == (True, False, 7200, 3600)
    bench.sh("r1", "prefix de0 2001:db8:1:: vltime 100 pltime 50 rrf_decrvalid rrf_decrprefd")
    bench.run(30)
    one = said(bench)["2001:db8:1::"]
    assert 60 < one.valid < 90
    assert one.preferred == one.valid - 50


def test_renumbering_reaches_the_hosts() -> None:
    bench = router()
    bench.system("r1").files["/etc/rtadvd.conf"] = "de0:maxinterval#10:"
    bench.sh("r1", f"prefix de0 {OLD}:1::; rtadvd de0")
    bench.run(20)
    assert f"inet6 {OLD}:1:0:ff:fe00:1 prefixlen 64" in bench.sh("h1", "ifconfig ne0").output
    bench.sh("r1", f"prefix -a matchpr {OLD}:: mp_len 48 usepr {NEW}:: up_uselen 48 change")
    bench.run(20)
    shown = bench.sh("h1", "ifconfig ne0").lines
    (old,) = [line for line in shown if f"{OLD}:1:" in line]
    (new,) = [line for line in shown if f"{NEW}:1:" in line]
    assert "deprecated" in old
    assert "deprecated" not in new
    assert (said(bench)[f"{OLD}:1::"].valid, said(bench)[f"{NEW}:1::"].valid) == (0, 2592000)


def test_a_lab_restored_lets_them_expire_at_the_same_time() -> None:
    bench = router()
    bench.sh("r1", "prefix de0 2001:db8:1:: vltime 100 rrf_decrvalid")
    other = Bench()
    other.net = loads(dumps(bench.net))
    for node in other.net.nodes.values():
        node.restore_switch()
        node.userland.revive()
    other.run(90)
    assert len(addresses(other, "de0")) == 1
    other.run(20)
    assert addresses(other, "de0") == []


def test_a_reboot_forgets_them() -> None:
    bench = router()
    bench.sh("r1", "prefix de0 2001:db8:1:: vltime 100 rrf_decrvalid")
    bench.net.nodes["r1"].power_off()
    bench.run(200)
    assert syscalls.rows(bench.net.nodes["r1"], "prefixes") == ()


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("604800", 604800),
        ("infinity", 0xFFFFFFFF),
        ("d1h2m3s4", 93784),
        ("h1", 3600),
        ("s5d1", 86405),
        ("", None),
        ("d", None),
        ("1d", None),
        ("d1x2", None),
        ("-5", None),
        ("4294967296", None),
    ],
)
def test_times(text: str, seconds: int | None) -> None:
    assert read_time(text) == seconds


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("prefix", ""),
        ("prefix de0", "prefix: a prefix, or matchpr with one, must be given"),
        ("prefix -d de0 2001:db8::", ""),
        ("prefix -z de0", "prefix: illegal option -- z"),
        ("prefix -a 2001:db8::", "prefix: -a goes with matchpr only"),
        ("prefix de0 2001:db8:: add", "prefix: add, change and setglobal need matchpr"),
        ("prefix de0 2001:db8:: usepr 2001:db9::", "prefix: usepr and lengths of a match need matchpr"),
        ("prefix de0 matchpr 2001:db8:: delete", "prefix: set, delete and prefixlen don't go with matchpr"),
        ("prefix de0 2001:db8:: prefixlen 129", "prefix: 129: bad prefixlen, it is a number from 0 to 128"),
        ("prefix de0 2001:db8:: vltime soon", "prefix: soon: bad vltime"),
        ("prefix de0 2001:db8:: vltime", "prefix: vltime requires an argument"),
        ("prefix de0 2001:db8:: more", "prefix: more: bad value"),
        ("prefix de0 2001:db8:: set delete", "prefix: delete: one action only"),
        ("prefix de0 nowhere", "prefix: nowhere: bad value"),
    ],
)
def test_wrong_words_get_the_usage(line: str, wrong: str) -> None:
    result = router().sh("r1", line)
    lines = result.lines
    assert result.status == 1
    assert lines[0 if not wrong else 1].startswith("usage: prefix interface PREFIX")
    assert not wrong or lines[0] == wrong


@pytest.mark.parametrize(
    "line",
    [
        "prefix de0 2001:db8:: vltime 10 pltime 20",
        "prefix de0 2001:db8::/65",
        "prefix de0 fe80::",
        "prefix de0 ff02::",
        "prefix de0 2001:db8::/0",
    ],
)
def test_the_kernel_refuses_what_cannot_be(line: str) -> None:
    bench = router()
    assert bench.sh("r1", line) == ("prefix: SIOCSIFPREFIX_IN6 failed: Invalid argument\n", 1)
    assert prefixes(bench) == []


def test_the_list_is_bounded() -> None:
    bench = router()
    node = bench.net.nodes["r1"]
    refused = []
    for number in range(100):
        try:
            syscalls.ioctl(node, SET, "de0", prefix=in6.pton(f"2001:db8:{number:x}::"), plen=64, terms=Terms())
        except Errno as error:
            refused.append(error.number)
    assert set(refused) == {ENOBUFS}
    assert len(addresses(bench, "de0")) == 100 - len(refused) <= 64


def test_it_has_a_page() -> None:
    result = router().sh("r1", "man prefix")
    assert "prefix - " in result.output
    assert all(len(line) <= 78 for line in result.lines)
