"""Router renumbering: rrenumd.conf, what rrenumd sends, and what rtadvd -R makes of it (RFC 2894)."""

from __future__ import annotations

from pickle import dumps, loads

import pytest
from real_nodes import NS, Bench

from kamelab.stack import syscalls
from kamelab.stack.netinet6.in6_prefix import SET, Terms
from kamelab.userland import rrenumd, rrenumd_conf
from kamelab.userland.rrenumd_conf import ConfError, Dest
from kamelab.wire import icmp6, in6, ip6, nd, nd_options, rr

OLD, NEW = "3ffe:501:808", "3ffe:501:4819"
RENUMBER = icmp6.ROUTER_RENUMBER
CHANGE = f"change match-prefix {OLD}::/48 use-prefix {NEW}::/48"


def site(options: str = "-R") -> Bench:
    """boss, r1 and r2 on one link; r1 also has a link with h1. r1 and r2 run rtadvd."""
    bench = Bench()
    for name in ("lan", "left"):
        bench.link(name)
    bench.node("boss", "lan", forwarding=1)
    bench.node("r1", "lan", "left", forwarding=1)
    bench.node("r2", "lan", forwarding=1)
    bench.node("h1", "left", accept_rtadv=1)
    bench.run(3)
    for name, interfaces in (("r1", "ne0 ne1"), ("r2", "ne0")):
        bench.system(name).files["/etc/rtadvd.conf"] = "ne0:maxinterval#10:\nne1:maxinterval#10:"
        assert bench.sh(name, f"rtadvd {options} {interfaces}") == ("", 0)
    return bench


def grow(bench: Bench, name: str, interface: str, prefix: str) -> None:
    """A router prefix whose origin is renumbering, as an earlier command would have left it."""
    node = bench.net.nodes[name]
    syscalls.ioctl(node, SET, interface, prefix=in6.pton(prefix), plen=64, terms=Terms(), origin="RR")


def order(bench: Bench, conf: str, options: str = "-f") -> list[str]:
    """Run rrenumd on boss with a configuration; what it said."""
    bench.system("boss").files["/etc/rrenumd.conf"] = conf
    result = bench.sh("boss", f"rrenumd {options}")
    assert result.status == 0
    bench.run(1)
    return result.lines


def prefixes(bench: Bench, name: str) -> list[str]:
    """What a router has to advertise, as ``interface prefix``."""
    rows = syscalls.rows(bench.net.nodes[name], "prefixes")
    return [f"{row.interface} {row.prefix}" for row in rows if row.origin in ("RR", "static")]


def log(bench: Bench, name: str) -> str:
    return bench.sh(name, "dmesg").output


# -- the whole way ---------------------------------------------------------------------------------------------------


def test_a_site_is_renumbered_and_its_hosts_follow() -> None:
    bench = site()
    bench.sh("r1", f"prefix ne1 {OLD}:1::")
    bench.sh("r2", f"prefix ne0 {OLD}:2::")
    order(bench, f"dest ff05::2;\nadd match-prefix {OLD}::/48 use-prefix {NEW}::/48 {{ vltime 7200 pltime 3600 }};")
    assert prefixes(bench, "r1") == [f"ne1 {OLD}:1::", f"ne1 {NEW}:1::"]
    assert prefixes(bench, "r2") == [f"ne0 {OLD}:2::", f"ne0 {NEW}:2::"]
    bench.run(16)
    shown = bench.sh("h1", "ifconfig -L ne0").lines
    (new,) = [line for line in shown if f"{NEW}:1:" in line]
    assert "vltime 7" in new
    assert "origin=RR" in bench.sh("r1", "ndp -p").output


def test_what_came_by_renumbering_can_be_renumbered_again() -> None:
    bench = site()
    grow(bench, "r1", "ne1", f"{OLD}:1::")
    order(bench, f"dest ff02::2;\nseqnum 7 {{ {CHANGE}; }};")
    assert prefixes(bench, "r1") == [f"ne1 {NEW}:1::"]
    number = bench.sh("r1", "cat /var/run/rtadvd.pid").output.strip()
    lines = bench.sh("r1", f"kill -USR1 {number}; sleep 1; cat /var/run/rtadvd.dump").lines
    assert lines[0] == "router renumbering: sequence number 7, commands 1, dropped 0, operations applied 1"
    assert any(f"prefix {NEW}:1::/64 (prefix) flags LA" in line for line in lines)


def test_the_change_is_advertised_within_sixteen_seconds() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("boss", "lan", forwarding=1)
    bench.node("r1", "lan", forwarding=1)
    bench.run(3)
    bench.sh("r1", "rtadvd -R ne0")
    grow(bench, "r1", "ne0", f"{OLD}:1::")
    bench.run(400)
    before = len(bench.sent("r1", icmp6.ROUTER_ADVERT))
    order(bench, f"dest ff05::2;\n{CHANGE};")
    bench.run(16)
    (sent,) = bench.sent("r1", icmp6.ROUTER_ADVERT)[before:]
    options = nd_options.parse(nd.RouterAdvert.parse(sent[1][44:]).options)
    assert {in6.ntop(one.prefix): one.valid for one in options.prefixes} == {f"{OLD}:1::": 0, f"{NEW}:1::": 2592000}


def test_setglobal_and_several_new_prefixes() -> None:
    bench = site()
    grow(bench, "r2", "ne0", f"{OLD}:1::")
    grow(bench, "r2", "ne0", "2001:db8:77::")
    first = rr.UsePrefix(48, 16, 0, 0, 100, 50, False, False, in6.pton(f"{NEW}::"))
    second = first._replace(prefix=in6.pton("2001:db8:9::"))
    operation = rr.Operation(rr.SETGLOBAL, 0, 48, 0, 128, in6.pton(f"{OLD}::"), (first, second))
    send(bench, rr.Command(1, 0, 0, 0, (operation,)).pack())
    assert prefixes(bench, "r2") == [f"ne0 {NEW}:1::", "ne0 2001:db8:9:1::"]


# -- the receiver ----------------------------------------------------------------------------------------------------


def send(bench: Bench, body: bytes, dst: str = "ff02::2", code: int = rr.COMMAND) -> None:
    """A message from boss, made by hand."""
    node = bench.net.nodes["boss"]
    sid = syscalls.socket(node, 0, "raw6", ip6.IPPROTO_ICMPV6)
    syscalls.setsockopt(node, sid, "SO_SNDBUF", 65535)
    index = node.interfaces["ne0"].index
    syscalls.sendmsg(node, sid, bytes((RENUMBER, code, 0, 0)) + body, in6.pton(dst), 0, index, (None, index), 64)
    bench.run(2)


def command(seqnum: int, segnum: int = 0, flags: int = 0, new: str = NEW, opcode: int = rr.ADD) -> bytes:
    use = rr.UsePrefix(48, 16, 0, 0, 2592000, 604800, False, False, in6.pton(f"{new}::"))
    operation = rr.Operation(opcode, 0, 48, 0, 128, in6.pton(f"{OLD}::"), (use,))
    return rr.Command(seqnum, segnum, flags, 0, (operation,)).pack()


def receiver() -> Bench:
    bench = site()
    grow(bench, "r1", "ne1", f"{OLD}:1::")
    return bench


def news(bench: Bench) -> list[str]:
    return [line for line in prefixes(bench, "r1") if OLD not in line]


def test_an_old_sequence_number_is_dropped_and_logged() -> None:
    bench = receiver()
    send(bench, command(5))
    send(bench, command(4, new="2001:db8:4"))
    assert news(bench) == [f"ne1 {NEW}:1::"]
    assert "fe80::ff:fe00:1: old sequence number 4, the last was 5" in log(bench, "r1")


def test_a_repeated_segment_counts_once() -> None:
    bench = receiver()
    send(bench, command(5))
    send(bench, command(5, new="2001:db8:4"))
    assert "processed before" not in log(bench, "r1")
    send(bench, command(5, flags=rr.REQRESULT, new="2001:db8:5"))
    assert news(bench) == [f"ne1 {NEW}:1::"]
    assert "segment 0 of 5 was processed before" in log(bench, "r1"), "told where a result is wanted"
    send(bench, command(5, segnum=1, new="2001:db8:6"))
    send(bench, command(6, new="2001:db8:7"))
    assert news(bench) == [f"ne1 {NEW}:1::", "ne1 2001:db8:6:1::", "ne1 2001:db8:7:1::"]


def test_a_test_changes_nothing() -> None:
    bench = receiver()
    send(bench, command(5, flags=rr.TEST))
    send(bench, command(5, flags=rr.TEST | rr.REQRESULT))
    assert news(bench) == []
    assert log(bench, "r1").count(f"add 0 matches {OLD}:1::/64 on ne1") == 1
    send(bench, command(5))
    assert news(bench) == [f"ne1 {NEW}:1::"], "the number was not used up"


def test_interfaces_that_are_down_only_with_the_flag() -> None:
    bench = receiver()
    bench.sh("r1", "ifconfig ne1 down")
    send(bench, command(5))
    assert news(bench) == []
    send(bench, command(6, flags=rr.FORCEAPPLY))
    assert news(bench) == [f"ne1 {NEW}:1::"]


def test_what_was_set_by_hand_is_not_changed() -> None:
    bench = site()
    bench.sh("r1", f"prefix ne1 {OLD}:1::")
    send(bench, command(5, opcode=rr.CHANGE))
    assert prefixes(bench, "r1") == [f"ne1 {OLD}:1::"]
    assert "RR operation 0 on ne1: SIOCCIFPREFIX_IN6: Operation not permitted" in log(bench, "r1")


@pytest.mark.parametrize(
    ("body", "dst", "code", "said"),
    [
        (command(5)[:30], "ff02::2", rr.COMMAND, "is too short, 34 octets"),
        (command(5)[:40], "ff02::2", rr.COMMAND, "prefix control operation: 28 of 56 octets"),
        (command(5), "ff02::1", rr.COMMAND, "to ff02::1 is ignored: not the routers' group"),
        (command(5), "ff02::2", rr.SEQNUM_RESET, "a sequence number reset from fe80::ff:fe00:1 is ignored"),
        (command(5), "ff02::2", 9, "an RR message of unknown code 9"),
        (command(5, opcode=9), "ff02::2", rr.COMMAND, "RR operation 0: unknown code 9"),
    ],
)
def test_what_is_wrong_is_dropped_with_a_word(body: bytes, dst: str, code: int, said: str) -> None:
    bench = receiver()
    send(bench, body, dst, code)
    assert news(bench) == []
    assert said in log(bench, "r1")


def test_without_R_nobody_obeys() -> None:
    bench = site("-s")
    grow(bench, "r1", "ne1", f"{OLD}:1::")
    send(bench, command(5))
    assert news(bench) == []


def test_M_chooses_the_interface_of_the_sites_group() -> None:
    bench = site("-R -M ne0")
    groups = bench.sh("r1", "ifmcstat").output
    assert groups.count("group ff05::2") == 1
    assert groups.index("ne0:") < groups.index("group ff05::2") < groups.index("ne1:")


def test_a_flood_of_operations_leaves_the_daemon_alive() -> None:
    bench = receiver()
    use = rr.UsePrefix(48, 16, 0, 0, 1, 1, False, False, in6.pton(f"{NEW}::"))
    many = tuple(
        rr.Operation(
            rr.ADD, number & 255, 0, 0, 128, bytes(16), (use._replace(prefix=number.to_bytes(6, "big") + bytes(10)),)
        )
        for number in range(0x2001_0DB8_0000, 0x2001_0DB8_0000 + 500)
    )
    send(bench, rr.Command(9, 0, 0, 0, many).pack())
    assert 1 < len(prefixes(bench, "r1")) <= 2 * 64
    send(bench, command(10, opcode=rr.CHANGE))
    assert bench.system("r1").faults == []
    assert "rtadvd -R" in bench.sh("r1", "ps").output


def test_both_ends_come_back_from_a_checkpoint() -> None:
    bench = receiver()
    bench.system("boss").files["/etc/rrenumd.conf"] = f"dest ff02::2 retry 1; seqnum 3 {{ {CHANGE}; }};"
    bench.sh("boss", "rrenumd")
    bench.run(1)
    other = Bench()
    other.net = loads(dumps(bench.net))
    for node in other.net.nodes.values():
        node.restore_switch()
        node.userland.revive()
    for one in (bench, other):
        send(one, command(2, new="2001:db8:2"))
        one.run(10)
        assert len(one.sent("boss", RENUMBER)) == 3
        assert news(one) == [f"ne1 {NEW}:1::"]
        assert "old sequence number 2, the last was 3" in log(one, "r1")


# -- the sender ------------------------------------------------------------------------------------------------------


def test_it_goes_to_the_background_and_sends_as_often_as_told() -> None:
    bench = site()
    bench.system("boss").files["/etc/rrenumd.conf"] = f"dest r1 fe80::ff:fe00:4%ne0 retry 2;\n{CHANGE};"
    bench.system("boss").files["/etc/hosts"] += "fe80::ff:fe00:2%ne0 r1\n"
    begun = bench.now
    assert bench.sh("boss", "rrenumd") == ("", 0)
    assert bench.now == begun
    bench.run(30)
    sent = bench.sent("boss", RENUMBER)
    assert [(at - begun) // NS for at, _ in sent] == [0, 0, 5, 5, 10, 10]
    assert [in6.ntop(ip6.parse(packet).dst) for _, packet in sent[:2]] == ["fe80::ff:fe00:2", "fe80::ff:fe00:4"]
    assert "rrenumd" not in bench.sh("boss", "ps").output, "and ends"


def test_a_group_is_told_on_every_interface_that_is_up() -> None:
    bench = Bench()
    for name in ("a", "b", "c"):
        bench.link(name)
    bench.node("boss", "a", "b", "c", forwarding=1)
    bench.run(3)
    bench.sh("boss", "ifconfig ne1 down")
    lines = order(bench, f"debug on; dest ff05::2; {CHANGE};")
    assert lines == [f"rrenumd: command 1 of 1 sent to ff05::2 on ne{number}" for number in (0, 2)]
    (first, _) = bench.sent("boss", RENUMBER)
    assert ip6.parse(first[1]).hlim == 64
    found = rr.Command.parse(first[1][44:])
    assert (found.seqnum, found.segnum, found.flags) == (0, 0, rr.REQRESULT)
    assert found.operations[0].uses[0].prefix == in6.pton(f"{NEW}::")


def test_a_result_ends_the_repetition() -> None:
    bench = site()
    bench.system("boss").files["/etc/rrenumd.conf"] = f"dest fe80::ff:fe00:2%ne0 retry 5; {CHANGE};"
    shell = bench.start("boss", "rrenumd -f")
    bench.run(1)
    node = bench.net.nodes["r1"]
    sid = syscalls.socket(node, 0, "raw6", ip6.IPPROTO_ICMPV6)
    report = rr.Report(False, False, 0, 48, 1, in6.pton(f"{OLD}:1::"))
    data = bytes((RENUMBER, rr.RESULT, 0, 0)) + rr.Result(0, 0, 0, 0, (report,)).pack()
    syscalls.sendmsg(node, sid, data, in6.pton("fe80::ff:fe00:1"), 0, node.interfaces["ne0"].index)
    result = bench.finish("boss", shell)
    assert result.lines == ["rrenumd: result from fe80::ff:fe00:2%ne0: 1 prefixes matched"]
    assert len(bench.sent("boss", RENUMBER)) == 1


def test_many_operations_are_cut_into_segments_that_need_no_fragments() -> None:
    lines = "".join(f"add match-prefix 2001:db8:{number:x}::/48 use-prefix {NEW}::/48;\n" for number in range(60))
    messages = rrenumd.commands(rrenumd_conf.parse(f"dest ff05::2; seqnum 3 {{ {lines} }};"))
    found = [rr.Command.parse(message[4:]) for message in messages]
    assert all(len(message) <= 1240 for message in messages)
    assert [one.segnum for one in found] == [0, 1, 2]
    assert {one.seqnum for one in found} == {3}
    assert [operation.ordinal for one in found for operation in one.operations] == list(range(60))


def test_standard_input_and_another_file() -> None:
    bench = site()
    bench.system("boss").files["/etc/site"] = f"dest ff05::2; {CHANGE};"
    for line in ("rrenumd -f -c /etc/site", "cat /etc/site | rrenumd -fs"):
        before = len(bench.sent("boss", RENUMBER))
        assert bench.sh("boss", line) == ("", 0)
        assert len(bench.sent("boss", RENUMBER)) == before + 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rrenumd -z", "rrenumd: illegal option -- z"),
        ("rrenumd more", "usage: rrenumd [-df] [-c configfile | -s]"),
        ("rrenumd -s -c /etc/site", "usage: rrenumd [-df] [-c configfile | -s]"),
        ("rrenumd", "rrenumd: /etc/rrenumd.conf: No such file or directory"),
        ("rrenumd -c /etc/nowhere", "rrenumd: nobody: hostname nor servname provided, or not known"),
        ("rrenumd -c /etc/bad", "rrenumd: /etc/bad:2: 'what' can't stand here"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    bench = site()
    bench.system("boss").files["/etc/nowhere"] = f"dest nobody; {CHANGE};"
    bench.system("boss").files["/etc/bad"] = "dest ff05::2;\nwhat;"
    result = bench.sh("boss", line)
    assert (result.lines[0], result.status) == (said, 1)


# -- the file --------------------------------------------------------------------------------------------------------


def test_a_whole_file() -> None:
    config = rrenumd_conf.parse(
        "# the whole site\n"
        "debug on;\n"
        "dest ff05::2 fe80::1%ne0 r1 retry 2; dest 2001:db8::1;\n"
        f"match-prefix {OLD}:: /48 maxlen 64 minlen 49 use-prefix {NEW}:: /48 keeplen 16 {{\n"
        "  vltime d30 pltime h1 # an hour\n"
        "};\n"
        f"seqnum 5 {{ change match-prefix {OLD}::/48 use-prefix {NEW}::/40\n"
        "  { raf_onlink on raf_auto off rrf_decrvalid on rrf_decrprefd on };\n"
        "  setglobal match-prefix ::/0; };\n"
        f"add match-prefix {OLD}:: use-prefix {NEW}::;\n"
    )
    assert config.debug
    assert config.dests == (Dest(("ff05::2", "fe80::1%ne0", "r1"), 2), Dest(("2001:db8::1",), 0))
    zero, five = config.groups
    assert (zero.seqnum, five.seqnum) == (0, 5)
    use = rr.UsePrefix(48, 16, 0, 0, 2592000, 3600, False, False, in6.pton(f"{NEW}::"))
    assert zero.operations == (
        rr.Operation(rr.ADD, 0, 48, 49, 64, in6.pton(f"{OLD}::"), (use,)),
        rr.Operation(
            rr.ADD, 1, 64, 0, 128, in6.pton(f"{OLD}::"), (use._replace(uselen=64, keeplen=0, preferred=604800),)
        ),
    )
    change, setglobal = five.operations
    (other,) = change.uses
    assert (other.uselen, other.keeplen, other.flagmask, other.raflags) == (40, 24, 0xC0, 0x80)
    assert other.prefix == in6.pton("3ffe:501:4800::")
    assert (other.decrvalid, other.decrprefd) == (True, True)
    assert setglobal == rr.Operation(rr.SETGLOBAL, 1, 0, 0, 128, bytes(16))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "/etc/rrenumd.conf: there is no dest"),
        ("dest ff05::2;", "/etc/rrenumd.conf: there is no match-prefix"),
        ("dest ff05::2", "/etc/rrenumd.conf:1: the file ends within a statement: is a ';' missing?"),
        ("dest ff05::2;\nchange match-prefix zz;", "/etc/rrenumd.conf:2: 'zz' can't stand here"),
        ("dest ff05::2;\nchange match-prefix 1::2::3;", "/etc/rrenumd.conf:2: bad IPv6 address"),
        ("dest ff05::2;\nchange match-prefix ::/129;", "/etc/rrenumd.conf:2: 129 must be between 0 and 128"),
        ("dest ff05::2 retry 256;", "/etc/rrenumd.conf:1: 256 must be between 0 and 255"),
        ("dest ff05::2;\nadd match-prefix ::/0;", "/etc/rrenumd.conf:2: add needs a use-prefix"),
        ("dest ff05::2; change match-prefix ::/0 keeplen 3;", "keeplen and lifetimes need a use-prefix"),
        ("dest ff05::2; change match-prefix ::/0 minlen 3 maxlen 2;", "minlen 3 must not be greater than maxlen, 2"),
        ("dest ff05::2; change match-prefix ::/0 minlen 3 minlen 2;", "a second minlen"),
        ("dest ff05::2; match-prefix ::/0 use-prefix ::/1 use-prefix ::/1;", "a second use-prefix"),
        ("dest ff05::2; match-prefix ::/0 use-prefix ::/100 keeplen 29;", "more than 128"),
        ("dest ff05::2; match-prefix ::/0 use-prefix ::/1 { vltime 9 pltime 10 };", "pltime 10 must not be greater"),
        ("dest ff05::2; match-prefix ::/0 use-prefix ::/1 { vltime 99999999999 };", "99999999999 is no vltime"),
        ("dest ff05::2; seqnum 4294967296 { change match-prefix ::/0; };", "must be between 0 and 4294967295"),
        (
            "dest ff05::2; seqnum 1 {" + "change match-prefix ::/0;" * 257 + "};",
            "a sequence number has room for 256 operations",
        ),
    ],
)
def test_each_mistake_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfError) as caught:
        rrenumd_conf.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("page", ["rrenumd", "rrenumd.conf"])
def test_they_have_pages(page: str) -> None:
    result = site().sh("boss", f"man {page}")
    assert f"{page} - " in result.output
    assert all(len(line) <= 78 for line in result.lines)
