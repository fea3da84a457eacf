"""mld6query: one message, and what is heard of the answers (RFC 2710 3)."""

from __future__ import annotations

import pytest
from real_nodes import Bench

from kamelab.wire import in6

HOST = "note: this node is a host: reports for groups that it is no member of can't be seen"
USAGE = "usage: mld6query [-D delay] [-dr] interface [multicast-address]"


def lan() -> Bench:
    """r1, h1 and h2 on one link, their own first reports over."""
    bench = Bench()
    bench.link("lan")
    bench.node("r1", "lan", forwarding=1)
    bench.node("h1", "lan")
    bench.node("h2", "lan")
    bench.run(20)
    return bench


def frames(bench: Bench, name: str, kind: int) -> list[bytes]:
    return [
        record[12]
        for record in bench.net.trace.packets
        if record[2] == name and record[6] == "tx" and record[12][20] == 0 and record[12][62] == kind
    ]


def test_a_general_query_and_the_reports_of_the_link() -> None:
    bench = lan()
    began = bench.now
    result = bench.sh("r1", "mld6query -D 2000 ne0")
    assert result.status == 0
    assert bench.now - began == 2_000_000_000
    (frame,) = frames(bench, "r1", 130)
    assert (in6.ntop(frame[22:38]), in6.ntop(frame[38:54]), frame[21]) == ("fe80::ff:fe00:1", "ff02::1", 1)
    assert frame[54:62] == bytes.fromhex("3a00050200000100"), "router alert"
    assert frame[66:68] == (2000).to_bytes(2, "big")
    assert result.lines[0] == "from fe80::ff:fe00:1%ne0, type=Multicast Listener Query, addr=::"
    for number in (1, 2, 3):
        sender, group = f"fe80::ff:fe00:{number}%ne0", f"ff02::1:ff00:{number}"
        assert f"from {sender}, type=Multicast Listener Report, addr={group}" in result.lines


def test_a_host_hears_reports_for_its_own_groups_only() -> None:
    bench = lan()
    bench.start("h1", "mcastread -i ne0 ff05::77 5000")
    bench.start("h2", "mcastread -i ne0 ff05::88 5000")
    bench.run(20)
    lines = bench.sh("h1", "mld6query -D 1000 ne0").lines
    assert lines[0] == HOST
    groups = {line.rpartition("addr=")[2] for line in lines[1:]}
    assert "ff05::77" in groups
    assert "ff05::88" not in groups


def test_a_query_about_one_group_goes_to_the_group() -> None:
    bench = lan()
    bench.start("h2", "mcastread -i ne0 ff05::88 5000")
    bench.run(20)
    result = bench.sh("r1", "mld6query -D 1000 ne0 ff05::88")
    (frame,) = frames(bench, "r1", 130)
    assert in6.ntop(frame[38:54]) == "ff05::88"
    assert result.lines == ["from fe80::ff:fe00:3%ne0, type=Multicast Listener Report, addr=ff05::88"]


@pytest.mark.parametrize(("flag", "kind", "to"), [("-r", 131, "ff05::88"), ("-d", 132, "ff02::2")])
def test_a_report_and_a_done(flag: str, kind: int, to: str) -> None:
    bench = lan()
    assert bench.sh("r1", f"mld6query -D 100 {flag} ne0 ff05::88").status == 0
    frame = frames(bench, "r1", kind)[-1]
    assert (in6.ntop(frame[38:54]), frame[66:68], in6.ntop(frame[70:86])) == (to, b"\0\0", "ff05::88")


def test_the_membership_ends_with_the_program() -> None:
    bench = lan()
    bench.sh("r1", "mld6query -D 10 ne0")
    assert "group :: " not in bench.sh("r1", "ifmcstat -i ne0").output


def test_an_interrupt_ends_it() -> None:
    bench = lan()
    pid = bench.start("r1", "mld6query ne0")
    bench.run(1)
    bench.system("r1").interrupt("r1")
    bench.run(0.1)
    assert bench.system("r1").status(pid) is not None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mld6query", USAGE),
        ("mld6query ne0 ff02::77 more", USAGE),
        ("mld6query -z ne0", "mld6query: illegal option -- z"),
        ("mld6query ne7", "mld6query: interface ne7 does not exist"),
        ("mld6query lo1", "mld6query: interface lo1 does not exist"),
        ("mld6query ne0 2001:db8::1", "mld6query: 2001:db8::1 is not a multicast address"),
        ("mld6query -d ne0", "mld6query: a report or a done is about one group: name it"),
        ("mld6query -D x ne0", "mld6query: -D x: a delay of 0 to 65535 ms is wanted"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = lan().sh("r1", line)
    assert (result.lines[0], result.status) == (said, 1)


def test_without_a_link_local_address_nothing_is_asked() -> None:
    bench = Bench()
    bench.link("lan")
    bench.node("h1", "lan")
    result = bench.sh("h1", "mld6query ne0")
    assert (result.output, result.status) == ("mld6query: no link-local address found for ne0\n", 1)
