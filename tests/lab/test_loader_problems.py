"""Broken lab files: each mistake gets its file, line, key and what was expected."""

from __future__ import annotations

import pytest

from kamelab.lab.loader import LabError, Problem, load_lab, read_lab
from kamelab.lab.schema import CHECK_TYPES, PacketCheck, keys

LAB = """\
format = 1
title = "Two nodes"

[links.lan]
kind = "ethernet"
latency = "50us"

[nodes.h1]
role = "host"
startup = ["rtsol ne0"]
interfaces.ne0 = { link = "lan", up = true }

[nodes.r1]
role = "router"
interfaces.ne0 = { link = "lan", mac = "0:0:c0:1:2:3", addresses = ["2001:DB8:1::1/64"] }
sysctl."net.inet6.ip6.dad_count" = 2
files."/etc/rtadvd.conf" = "ne0:"

[[tasks]]
title = "Find the router"
hints = ["Ping it."]
solution = ["h1: ping6 -c 1 ff02::2%ne0"]
[[tasks.checks]]
kind = "packet"
filter = "icmpv6.type == 128"
within = "1s"
pass = "Sent."
"""


def broken(old: str, new: str) -> list[Problem]:
    """The problems of LAB with one text replaced."""
    assert LAB.count(old) == 1
    with pytest.raises(LabError) as caught:
        load_lab(LAB.replace(old, new), "x.toml")
    return list(caught.value.problems)


def test_a_good_lab_loads_with_units_resolved_and_addresses_in_canonical_text() -> None:
    lab = load_lab(LAB, "x.toml")
    assert lab.links["lan"].latency == 50_000
    router = lab.nodes["r1"].interfaces["ne0"]
    assert router.addresses == ("2001:db8:1::1/64",)
    assert router.prefixes() == ((bytes.fromhex("20010db8000100000000000000000001"), 64),)
    assert router.mac == "00:00:c0:01:02:03"
    assert router.lladdr() == b"\0\0\xc0\1\2\3"
    assert lab.nodes["r1"].sysctl == {"net.inet6.ip6.dad_count": 2}
    (check,) = lab.tasks[0].checks
    assert isinstance(check, PacketCheck)
    assert (check.within, check.min, check.pass_) == (10**9, 1, "Sent.")


def test_macs_default_to_node_and_interface_numbers_in_file_order() -> None:
    nodes = "".join(
        f'[nodes.n{n}]\ninterfaces.ne0 = {{ link = "lan" }}\ninterfaces.ne1 = {{ link = "lan" }}\n' for n in range(12)
    )
    lab = load_lab(f'format = 1\ntitle = "t"\n[links.lan]\n{nodes}', "x.toml")
    assert lab.nodes["n0"].interfaces["ne0"].mac == "02:00:00:00:01:01"
    assert lab.nodes["n0"].interfaces["ne1"].mac == "02:00:00:00:01:02"
    assert lab.nodes["n11"].interfaces["ne1"].mac == "02:00:00:00:0c:02"


TEN = {
    "misspelt key": (
        "startup = [",
        "startpu = [",
        "x.toml:10: nodes.h1.startpu: unknown key, expected one of at, files, interfaces, platform, role, startup, "
        "sysctl (did you mean 'startup'?)",
    ),
    "unknown link": (
        '{ link = "lan", up',
        '{ link = "lam", up',
        "x.toml:11: nodes.h1.interfaces.ne0.link: expected a link of this lab (it has lan), not 'lam' "
        "(did you mean 'lan'?)",
    ),
    "bad address": (
        "2001:DB8:1::1/64",
        "2001:db8:1::g/64",
        "x.toml:15: nodes.r1.interfaces.ne0.addresses[1]: expected an address with prefix length such as "
        "2001:db8:1::1/64, not '2001:db8:1::g/64'",
    ),
    "bad prefix": (
        "2001:DB8:1::1/64",
        "2001:db8:1::1/129",
        "x.toml:15: nodes.r1.interfaces.ne0.addresses[1]: expected a prefix length from 0 to 128, not '129' in "
        "'2001:db8:1::1/129'",
    ),
    "bad MAC": (
        "0:0:c0:1:2:3",
        "0:0:c0:1:2",
        "x.toml:15: nodes.r1.interfaces.ne0.mac: expected a MAC address such as 02:00:00:00:00:01, not '0:0:c0:1:2'",
    ),
    "bad duration": (
        '"50us"',
        '"50 usec"',
        "x.toml:6: links.lan.latency: expected a duration such as 50us or 1.5s (units ns us ms s m h d), not '50 usec'",
    ),
    "bad role": (
        '"router"',
        '"ruoter"',
        "x.toml:14: nodes.r1.role: expected a role, one of host, router, manual, not 'ruoter' (did you mean 'router'?)",
    ),
    "bad kind": (
        '"ethernet"',
        '"etherent"',
        "x.toml:5: links.lan.kind: expected a kind of link, one of ethernet, ppp, not 'etherent' "
        "(did you mean 'ethernet'?)",
    ),
    "bad format": (
        "format = 1",
        "format = 2",
        "x.toml:1: format: expected 1, the lab format of this version, not the number 2; the file needs a newer "
        "kamelab",
    ),
    "bad syntax": (
        '"50us"',
        '"50us',
        "x.toml:6: syntax: expected TOML: illegal character '\\n' at column 16",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), TEN.values(), ids=TEN)
def test_ten_kinds_of_broken_lab(old: str, new: str, message: str) -> None:
    assert list(map(str, broken(old, new))) == [message]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "expected"),
    [
        ("2001:DB8:1::1/64", "ff02::1/64", 15, "addresses[1]", "is a multicast address"),
        ("2001:DB8:1::1/64", "::/64", 15, "addresses[1]", "is the unspecified address"),
        ("2001:DB8:1::1/64", "::1/128", 15, "addresses[1]", "is the loopback address"),
        ("2001:DB8:1::1/64", "fe80:1::1/64", 15, "addresses[1]", "zone index inside: write fe80::1"),
        ("2001:DB8:1::1/64", "2001:db8:1::1", 15, "addresses[1]", "lacks its prefix length"),
        ("0:0:c0:1:2:3", "33:33:0:0:0:1", 15, "mac", "expected a unicast MAC"),
        ('"50us"', "50", 6, "links.lan.latency", "in quotes and with its unit, not the number 50"),
        ('latency = "50us"', 'loss = "200%"', 6, "links.lan.loss", "expected a probability"),
        ('latency = "50us"', "loss = []", 6, "links.lan.loss", "expected a probability"),
        ('latency = "50us"', 'bandwidth = "10MB"', 6, "links.lan.bandwidth", "expected a rate such as 10Mbps"),
        ('latency = "50us"', "mtu = 1279", 6, "links.lan.mtu", "from 1280 to 65535, not 1279"),
        ('latency = "50us"', 'up = "yes"', 6, "links.lan.up", "expected true or false, not 'yes'"),
        ('"rtsol ne0"', '"h1: rtsol ne0"', 10, "nodes.h1.startup[1]", "without 'h1:'"),
        ('"rtsol ne0"', "7", 10, "nodes.h1.startup[1]", "expected text in quotes, not the number 7"),
        ('["Ping it."]', '"Ping it."', 21, "tasks[1].hints", "expected an array in [ ]"),
        ('"h1: ping6', '"h2: ping6', 22, "tasks[1].solution[1]", "a node of this lab, not 'h2'"),
        ("[nodes.r1]", "[nodes.R1]", 13, "nodes.R1", "expected a node name of the form [a-z][a-z0-9-]*"),
        ("[nodes.r1]", "[nodes.all]", 13, "nodes.all", "'all' is reserved"),
        (
            'interfaces.ne0 = { link = "lan", up',
            'interfaces.ne = { link = "lan", up',
            11,
            "interfaces.ne",
            "[a-z]+[0-9]+",
        ),
        (
            'interfaces.ne0 = { link = "lan", up',
            'interfaces.lo0 = { link = "lan", up',
            11,
            "interfaces.lo0",
            "reserved",
        ),
        ('link = "lan", up = true', "up = true", 11, "interfaces.ne0.link", "missing: this key is required"),
        ('"/etc/rtadvd.conf"', '"rtadvd.conf"', 17, 'files."rtadvd.conf"', "expected the absolute path"),
        ('sysctl."net.inet6.ip6.dad_count"', "sysctl.net.inet6.ip6.dad_count", 16, "sysctl.net", "needs quotes"),
        ('"packet"', '"packets"', 24, "tasks[1].checks[1].kind", "expected a kind of check, one of neighbor,"),
        ('kind = "packet"', "max = 1", 23, "tasks[1].checks[1].kind", "missing: this key is required"),
        ("icmpv6.type == 128", "icmpv6.tpye == 128", 25, "checks[1].filter", "unknown field 'icmpv6.tpye' at column 1"),
        ('within = "1s"', "min = 2\nmax = 1", 27, "checks[1].max", "expected 2, the value of min, or more"),
        ('within = "1s"', 'node = "h3"', 26, "checks[1].node", "expected a node of this lab (it has h1, r1)"),
        ('within = "1s"', 'node = "h1"\nlink = "lan"', 27, "checks[1].link", "node or link, not both"),
        ('within = "1s"', 'before = "5 parsecs"', 26, "checks[1].before", "expected a duration"),
        ('title = "Two nodes"', 'title = "x"\nepoch = "yesterday"', 3, "epoch", "date and time with its zone"),
        ('title = "Two nodes"', 'title = "x"\nlevel = "begginer"', 3, "level", "one of beginner, intermediate"),
        ('role = "host"', "at = [1]", 9, "nodes.h1.at", "expected [column, row]"),
        ('title = "Two nodes"', "", 1, "title", "missing: this key is required"),
    ],
)
def test_other_mistakes(old: str, new: str, line: int, key: str, expected: str) -> None:
    (problem,) = broken(old, new)
    assert problem.line == line
    assert problem.key.endswith(key)
    assert expected in problem.message


CHECKS = {
    'kind = "drop"\nreason = "FWD_NOROUT"': ("reason", "expected the name of a drop reason", "FWD_NOROUTE"),
    'kind = "output"\nline = "ping6"\nmatches = "(a"': ("matches", "expected a regular expression", None),
    'kind = "neighbor"\nnode = "h1"\naddress = "fe80::1"\nstate = "reachabel"': (
        "state",
        "neighbor state",
        "reachable",
    ),
    'kind = "prefix"\nnode = "h1"\nprefix = "2001:db8::1/64"': ("prefix", "has bits beyond", "2001:db8::/64"),
    'kind = "route"\nnode = "h1"\ndestination = "defualt"': ("destination", "a prefix or an address", "default"),
    'kind = "address"\nnode = "h1"\naddress = "fe80:2::1"': ("address", "zone index inside", None),
    'kind = "address"\nnode = "h1"\nprefix = "fe80::/64"\nflags = "tentativ"': ("flags", "address flag", "tentative"),
    'kind = "router"\nnode = "h1"\nrouter = "r2"': ("router", "expected a node of this lab", None),
    'kind = "any"\n[[tasks.checks.checks]]\nkind = "drpo"': ("checks[1].kind", "expected a kind of check", "drop"),
    'kind = "counter"\nnode = "h1"\nname = "ip6.total"\nequals = true': ("equals", "a number or text, not true", None),
    'kind = "command"\nline = "ping6"\nstatus = 256': ("status", "from 0 to 255", None),
}


@pytest.mark.parametrize("text", CHECKS)
def test_mistakes_in_checks_name_the_key_and_the_nearest_word(text: str) -> None:
    key, message, suggestion = CHECKS[text]
    with pytest.raises(LabError) as caught:
        load_lab(f"{LAB}[[tasks.checks]]\n{text}\n", "x.toml")
    (problem,) = caught.value.problems
    assert problem.key == f"tasks[1].checks[2].{key}"
    assert message in problem.message
    assert problem.suggestion == suggestion
    assert problem.line > LAB.count("\n")


def test_all_problems_of_a_file_come_at_once_in_the_order_of_lines() -> None:
    text = LAB.replace('"50us"', '"50"').replace('"host"', '"guest"').replace('"packet"', '"parcel"')
    problems = read_lab(text, "x.toml").problems
    assert [(problem.line, problem.key) for problem in problems] == [
        (6, "links.lan.latency"),
        (9, "nodes.h1.role"),
        (24, "tasks[1].checks[1].kind"),
    ]


def test_an_empty_file_lacks_all_that_is_required() -> None:
    assert [problem.key for problem in read_lab("", "x.toml").problems] == ["format", "title", "nodes"]


def test_a_third_end_of_a_ppp_link_is_refused() -> None:
    text = LAB.replace('"ethernet"', '"ppp"') + '[nodes.h2]\ninterfaces.ne0 = { link = "lan" }\n'
    (problem,) = read_lab(text, "x.toml").problems
    assert (problem.key, problem.line) == ("nodes.h2.interfaces.ne0.link", text.count("\n"))
    assert "two interfaces at most" in problem.message


def test_equal_macs_on_a_link_are_noted_but_load() -> None:
    lab, problems = read_lab(LAB.replace("up = true", 'mac = "00:00:c0:01:02:03"'), "x.toml")
    assert lab is not None
    assert [(problem.severity, problem.line) for problem in problems] == [("note", 15)]
    assert "also the MAC of h1 ne0" in problems[0].message


def test_windows_line_ends_and_a_byte_order_mark_are_no_problem() -> None:
    assert load_lab("\ufeff" + LAB.replace("\n", "\r\n"), "x.toml") == load_lab(LAB, "x.toml")


def test_the_epoch_may_be_text_or_a_date_and_defaults_to_the_tenth_hour_of_14_february_2000() -> None:
    def epoch(line: str) -> int:
        return load_lab(LAB.replace("format = 1", f"format = 1\n{line}"), "x.toml").epoch

    assert epoch("") == epoch('epoch = "2000-02-14T10:00:00Z"') == 950_522_400 * 10**9
    assert epoch("epoch = 2000-02-14T11:00:00.000001+01:00") == 950_522_400 * 10**9 + 1_000


def test_nested_beyond_reason_is_a_problem_and_no_crash() -> None:
    for text in ("x = " + "[" * 5000, "x = " + "[" * 900 + "]" * 900):
        lab, problems = read_lab(text, "x.toml")
        assert lab is None
        assert problems


def test_every_kind_of_check_of_the_format_is_known_with_its_keys() -> None:
    assert set(CHECK_TYPES) == {
        *("neighbor", "prefix", "router", "route", "address", "sa", "policy", "sysctl", "counter"),
        *("packet", "drop", "command", "output", "not", "all", "any"),
    }
    for kind in CHECK_TYPES.values():
        assert {"kind", "pass", "fail", "at"} <= set(keys(kind))
