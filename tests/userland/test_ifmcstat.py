"""ifmcstat on a real node: the groups that RFC 4291 2.8 demands."""

from __future__ import annotations

import pytest
from real_nodes import small


def test_a_host_is_in_all_nodes_and_the_groups_of_its_addresses() -> None:
    bench = small()
    lines = bench.sh("h1", "ifmcstat -i ne0").lines
    assert lines[0] == "ne0:"
    assert lines[1:3] == ["\tinet6 fe80::ff:fe00:1%ne0", "\tinet6 2001:db8:1::1"]
    groups = {line.split()[1]: int(line.split()[3]) for line in lines if line.startswith("\t\tgroup ")}
    assert groups["ff02::1:ff00:1%ne0"] == 2, "both addresses end in the same 24 bits"
    assert {"ff01::1%ne0", "ff02::1%ne0"} < set(groups)
    at = next(i for i, line in enumerate(lines) if "ff02::1:ff00:1%ne0" in line)
    assert lines[at + 1] == "\t\t\tmcast-macaddr 33:33:ff:00:00:01 multicnt 2"


def test_all_interfaces_are_listed_without_i() -> None:
    heads = [line for line in small().sh("h1", "ifmcstat").lines if not line.startswith("\t")]
    assert heads == ["ne0:", "lo0:"] or heads == ["lo0:", "ne0:"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ifmcstat -i ne9", "ifmcstat: interface ne9 not found"),
        ("ifmcstat -f ipx", "ifmcstat: unknown address family ipx: it is inet or inet6"),
        ("ifmcstat -z", "ifmcstat: illegal option -- z"),
        ("ifmcstat ne0", "usage: ifmcstat [-v] [-i interface] [-f address_family] [-k kernel]"),
    ],
)
def test_mistakes(line: str, said: str) -> None:
    result = small().sh("h1", line)
    assert (result.lines[0], result.status) == (said, 1)


def test_no_ipv4_groups() -> None:
    assert small().sh("h1", "ifmcstat -f inet -i ne0") == ("ne0:\n", 0)


def test_v_tells_the_states_of_listener_discovery() -> None:
    bench = small()
    bench.start("h1", "mcastread -i ne0 ff02::77 5000 &")
    lines = bench.sh("h1", "ifmcstat -v -i ne0").lines
    at = lines.index("\t\tgroup ff02::77%ne0 refcnt 1")
    assert lines[at + 1] == "\t\t\tmcast-macaddr 33:33:00:00:00:77 multicnt 1"
    assert lines[at + 2].startswith("\t\t\tmld delaying, report in ")
    bench.run(10)
    lines = bench.sh("h1", "ifmcstat -v -i ne0").lines
    assert lines[lines.index("\t\tgroup ff02::77%ne0 refcnt 1") + 2] == "\t\t\tmld idle"
    assert lines[lines.index("\t\tgroup ff02::1%ne0 refcnt 1") + 2] == "\t\t\tmld silent"
