"""ip6addrctl on a node, as it is typed: layout, messages, statuses (KAME ip6addrctl.c, reference 5.9)."""

from __future__ import annotations

import pytest
from real_nodes import Bench, routed, small

INSTALLED = """\
Prefix                          Prec Label      Use
::1/128                           50     0        0
::/0                              40     1        0
2002::/16                         30     2        0
::/96                             20     3        0
::ffff:0.0.0.0/96                 10     4        0
"""
NONE = "no source-address-selection policy is installed\n"


@pytest.fixture
def bench() -> Bench:
    return small()


def test_the_start_up_file_brings_the_table(bench: Bench) -> None:
    assert bench.sh("h1", "ip6addrctl") == (NONE, 0)
    assert bench.sh("h1", "ip6addrctl install /etc/ip6addrctl.conf; ip6addrctl show") == (INSTALLED, 0)
    assert bench.sh("h2", "ip6addrctl show") == (NONE, 0)
    assert bench.sh("h1", "ip6addrctl flush; ip6addrctl") == (NONE, 0)


def test_adding_and_deleting(bench: Bench) -> None:
    assert bench.sh("h1", "ip6addrctl add fe80::/10 33 1; ip6addrctl add 2001:db8::7 1 2; ip6addrctl").lines[1:] == [
        "fe80::/10                         33     1        0",
        "2001:db8::7/128                    1     2        0",
    ]
    assert bench.sh("h1", "ip6addrctl add fe80::/10 1 1") == (
        "ip6addrctl: SIOCAADDRCTL_POLICY: File exists\n",
        1,
    )
    assert bench.sh("h1", "ip6addrctl delete 2001:db8::7").status == 0
    assert bench.sh("h1", "ip6addrctl delete 2001:db8::7") == (
        "ip6addrctl: SIOCDADDRCTL_POLICY: No such process\n",
        1,
    )


def test_use_grows_as_sources_are_chosen(bench: Bench) -> None:
    bench.sh("h1", "ip6addrctl install /etc/ip6addrctl.conf; ifconfig ne0 inet6 2001:db8:1::11 alias")
    bench.run(3)
    assert bench.sh("h1", "ping6 -c 1 2001:db8:1::2").status == 0
    uses = {line.split()[0]: int(line.split()[3]) for line in bench.sh("h1", "ip6addrctl").lines[1:]}
    assert uses.pop("::/0") > 0
    assert set(uses.values()) == {0}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("add nonsense/64 1 1", "bad prefix: nonsense"),
        ("add fe80::1%ne0 1 1", "bad prefix: fe80::1%ne0"),
        ("add ::/129 1 1", "invalid prefix length: 129"),
        ("delete ::/x", "invalid prefix length: x"),
        ("add ::/0 -1 1", "invalid precedence: -1"),
        ("add ::/0 1 one", "invalid label: one"),
        ("add ::/0 1 2147483648", "invalid label: 2147483648"),
        ("install /etc/nothing", "/etc/nothing: No such file or directory"),
    ],
)
def test_refusals(bench: Bench, line: str, text: str) -> None:
    assert bench.sh("h1", f"ip6addrctl {line}") == (f"ip6addrctl: {text}\n", 1)


@pytest.mark.parametrize("line", ["help", "add ::/0", "delete", "show all", "install", "flush now"])
def test_usage(bench: Bench, line: str) -> None:
    text, status = bench.sh("h1", f"ip6addrctl {line}")
    assert text.startswith("usage: ip6addrctl [show]\n")
    assert status == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("::/0 40", "parse failed at line 1"),
        ("# prefix precedence label\\n::/0 40 1\\n::/0 40 1 1", "parse failed at line 3"),
        ("::/0 40 1\\n\\nx 40 1", "parse failed at line 3: bad prefix: x"),
        ("::/0 40 1\\n::/0 41 1", "::/0: File exists"),
    ],
)
def test_a_file_with_an_error(bench: Bench, content: str, text: str) -> None:
    bench.sh("h1", "ip6addrctl add fe80::/10 33 1")
    bench.system("h1").files["/tmp/policy"] = content.replace("\\n", "\n")
    assert bench.sh("h1", "ip6addrctl install /tmp/policy") == (f"ip6addrctl: {text}\n", 1)
    kept = "fe80::/10" in bench.sh("h1", "ip6addrctl").output
    assert kept == text.startswith("parse failed"), "what can't be read changes nothing"


def test_ping6_by_name_goes_to_the_best_address() -> None:
    bench = routed()
    bench.sh("r1", "ifconfig ne0 inet6 2002:c000:201::1 alias")
    bench.system("h1").files["/etc/hosts"] = "2002:c000:201::1 gate\n2001:db8:1::ff gate\n"
    bench.sh("h1", "ifconfig ne0 inet6 2002:c000:201::2 alias")
    bench.run(3)
    assert bench.sh("h1", "ping6 -c 1 gate").lines[0].endswith("2002:c000:201::2 --> 2002:c000:201::1")
    bench.sh("h1", "ip6addrctl install /etc/ip6addrctl.conf")
    assert bench.sh("h1", "ping6 -c 1 gate").lines[0].endswith("2001:db8:1::1 --> 2001:db8:1::ff")


def test_netstat_names_the_rules(bench: Bench) -> None:
    bench.sh("h1", "ifconfig ne0 inet6 2001:db8:2::1 alias")
    bench.run(3)
    bench.sh("h1", "ping6 -c 1 2001:db8:1::2")
    text = bench.sh("h1", "netstat -s -p ip6").output
    assert "longest match" in text
    assert "appropriate scope" in text
