"""mcastsend and mcastread: datagrams to a group and from it, and what they do to memberships."""

from __future__ import annotations

import pytest
from real_nodes import Bench, small


def test_a_datagram_reaches_the_members() -> None:
    bench = small()
    pid = bench.start("h2", "mcastread -i ne0 -c 2 ff02::77 5000")
    bench.run(1)
    assert bench.sh("h1", "mcastsend -i ne0 -c 2 ff02::77 5000 good morning").status == 0
    result = bench.finish("h2", pid)
    assert result.status == 0
    words = [line.split(maxsplit=6) for line in result.lines]
    assert [(one[1], one[5], one[6]) for one in words] == [("fe80::ff:fe00:1", "1:", "good morning")] * 2


def test_the_group_is_left_at_the_end() -> None:
    bench = small()
    result = bench.sh("h1", "mcastread -w 3 ff02::77%ne0 5000")
    assert (result.output, result.status) == ("", 1), "nothing came"
    assert "ff02::77" not in bench.sh("h1", "ifmcstat -i ne0").output


def test_hops_and_a_wider_group() -> None:
    bench = small()
    bench.sh("h1", "route add -inet6 ff05:: -prefixlen 16 2001:db8:1::2")
    pid = bench.start("h2", "mcastread -i ne0 -c 1 ff05::77 5000")
    bench.run(1)
    bench.sh("h1", "mcastsend -i ne0 -h 7 ff05::77 5000")
    assert bench.finish("h2", pid).output.endswith("hops 7: hello\n")


def test_a_copy_for_this_node_itself() -> None:
    bench = small()
    pid = bench.start("h1", "mcastread -i ne0 -w 5 ff02::77 5000")
    bench.sh("h2", "mcastsend -i ne0 ff02::77 5000 from h2")
    bench.system("h1").shell("mcastsend -i ne0 ff02::77 5000 not to me", "other")
    bench.run(0.1)
    bench.system("h1").shell("mcastsend -L -i ne0 ff02::77 5000 to me", "other")
    bench.run(0.1)
    output = bench.finish("h1", pid).output
    assert "from h2\n" in output
    assert "to me\n" in output
    assert "not to me" not in output


def test_only_the_sender_that_is_wanted() -> None:
    bench = small()
    pid = bench.start("h2", "mcastread -i ne0 -w 5 -s fe80::99 ff02::77 5000")
    other = bench.system("h2").shell("mcastread -i ne0 -w 5 -s fe80::ff:fe00:1 ff02::77 5001", "other")
    bench.run(1)
    assert "include fe80::99 fe80::ff:fe00:1" in bench_text(bench, "ifmcstat -i ne0")
    for port in (5000, 5001):
        bench.sh("h1", f"mcastsend -i ne0 ff02::77 {port}")
    bench.run(5)
    assert bench.system("h2").status(pid) == 1
    assert bench.system("h2").status(other) == 0


def bench_text(bench: Bench, line: str) -> str:
    """What a line prints on another terminal of h2."""
    pid = bench.system("h2").shell(line, "third")
    bench.run(0.001)
    assert bench.system("h2").status(pid) == 0
    return "".join(text for _, tty, text in bench.system("h2").output if tty == "third")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mcastsend ff02::77", "usage: mcastsend [-L] [-c count] [-h hops] [-i interface] [-w seconds] group"),
        ("mcastread ff02::77", "usage: mcastread [-c count] [-i interface] [-s source] [-w seconds] group"),
        ("mcastsend -i ne7 ff02::77 9", "mcastsend: interface ne7 does not exist"),
        ("mcastread -z ff02::77 9", "mcastread: illegal option -- z"),
        ("mcastread 2001:db8::1 9", "mcastread: 2001:db8::1 is not a multicast address"),
        ("mcastsend -i ne0 ff02::77 70000", "mcastsend: 70000: a port from 1 to 65535 is wanted"),
        ("mcastsend -h 256 ff02::77 9", "mcastsend: -h 256: a number from 0 to 255 is wanted"),
        ("mcastread -i ne0 -s nobody ff02::77 9", "mcastread: nobody: hostname nor servname provided, or not known"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = small().sh("h1", line)
    assert result.lines[0].startswith(said)
    assert result.status == 1
