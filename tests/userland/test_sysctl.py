"""sysctl(8) in FreeBSD's flavour."""

from __future__ import annotations

import pytest
from fake_proc import FakeProc, run

from kamelab.userland import sysctl

ACCEPT = "net.inet6.ip6.accept_rtadv"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f"sysctl {ACCEPT}", f"{ACCEPT}: 0\n"),
        (f"sysctl -n {ACCEPT}", "0\n"),
        ("sysctl net.inet6.ip6.kame_version", "net.inet6.ip6.kame_version: 20000214/kamelab\n"),
        ("sysctl net.inet6.icmp6", "net.inet6.icmp6.nodeinfo: 3\n"),
        (f"sysctl -n {ACCEPT} net.inet6.icmp6.nodeinfo", "0\n3\n"),
    ],
)
def test_reading(line: str, text: str) -> None:
    assert run(sysctl.main, line) == (0, text, "")


def test_all() -> None:
    assert run(sysctl.main, "sysctl -a")[1].splitlines() == [
        "net.inet6.ip6.forwarding: 0",
        "net.inet6.ip6.accept_rtadv: 0",
        "net.inet6.ip6.kame_version: 20000214/kamelab",
        "net.inet6.icmp6.nodeinfo: 3",
    ]
    assert run(sysctl.main, "sysctl -aN")[1].splitlines()[1] == ACCEPT


@pytest.mark.parametrize("option", ["-w ", ""])
def test_writing_tells_old_and_new(option: str) -> None:
    proc = FakeProc()
    assert run(sysctl.main, f"sysctl {option}{ACCEPT}=1", proc) == (0, f"{ACCEPT}: 0 -> 1\n", "")
    assert proc.sysctls[ACCEPT] == 1
    assert run(sysctl.main, f"sysctl -n {ACCEPT}=0x10", proc) == (0, "16\n", "")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("sysctl net.inet6.ip6.rfc6204w3", "sysctl: unknown oid 'net.inet6.ip6.rfc6204w3'\n"),
        ("sysctl -w net.inet6.ip6.none=1", "sysctl: unknown oid 'net.inet6.ip6.none'\n"),
        ("sysctl -w net.inet6.ip6.kame_version=1", "sysctl: oid 'net.inet6.ip6.kame_version' is read only\n"),
        (f"sysctl -w {ACCEPT}=-5", f"sysctl: {ACCEPT}: Invalid argument\n"),
        (f"sysctl -w {ACCEPT}=yes", "sysctl: invalid integer 'yes'\n"),
        (f"sysctl -w {ACCEPT}=", "sysctl: invalid integer ''\n"),
        ("sysctl", sysctl.USAGE),
        ("sysctl -z", f"sysctl: illegal option -- z\n{sysctl.USAGE}"),
    ],
)
def test_refusals(line: str, text: str) -> None:
    assert run(sysctl.main, line) == (1, "", text)


def test_the_names_behind_a_wrong_one_are_still_done() -> None:
    assert run(sysctl.main, f"sysctl net.none {ACCEPT}") == (1, f"{ACCEPT}: 0\n", "sysctl: unknown oid 'net.none'\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("+7", 7),
        ("017", 15),
        ("0x1F", 31),
        ("08", None),
        ("1_0", None),
        ("--1", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_strtol_does(text: str, value: int | None) -> None:
    assert sysctl.read_integer(text) == value
