"""Checks of tables, sysctls and counters: true when the node's own commands show it, and not before."""

from __future__ import annotations

import pytest
from lessons import check, lesson, marks, play

PING = "h1: ping6 -c 1 2001:db8:1::2"
ADVERTISE = ("r1: rtadvd ne0 ne1", "h1: rtsol ne0", "run 3s")


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"', (PING,)),
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nstate = "reachable"', (PING,)),
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nstate = "stale"', (PING, "run 46s")),
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nlladdr = "00:60:97:00:00:02"', (PING,)),
        ('kind = "neighbor"\nnode = "h1"\naddress = "fe80::260:97ff:fe00:3"\nrouter = true', ADVERTISE),
        ('kind = "neighbor"\nnode = "h1"\naddress = "fe80::260:97ff:fe00:3%ne0"\ninterface = "ne0"', ADVERTISE),
        ('kind = "prefix"\nnode = "h1"\nprefix = "2001:db8:1::/64"\nflags = "LAO"', ADVERTISE),
        ('kind = "prefix"\nnode = "h1"\nprefix = "2001:db8:1::/64"\nadvertised_by = "r1"', ADVERTISE),
        ('kind = "prefix"\nnode = "h1"\nprefix = "2001:db8:1::/64"\npreference = "medium"', ADVERTISE),
        ('kind = "router"\nnode = "h1"\nrouter = "r1"\npreference = "medium"', ADVERTISE),
        ('kind = "router"\nnode = "h1"\nrouter = "fe80::260:97ff:fe00:3"\ninterface = "ne0"', ADVERTISE),
        ('kind = "route"\nnode = "h1"\ndestination = "default"\ngateway = "r1"\nflags = "UG"', ADVERTISE),
        (
            'kind = "route"\nnode = "h1"\ndestination = "2001:db8:9::/48"\ngateway = "2001:db8:1::3"\nmtu = 1500',
            ("h1: route add -inet6 2001:db8:9:: -prefixlen 48 2001:db8:1::3",),
        ),
        (
            'kind = "route"\nnode = "h1"\ndestination = "2001:db8:1::9"\ngateway = "00:60:97:00:00:02"\nflags = "S"',
            ("h1: ndp -s 2001:db8:1::9 00:60:97:00:00:02",),
        ),
        ('kind = "address"\nnode = "h1"\nprefix = "2001:db8:1::/64"\nflags = "autoconf"', ADVERTISE),
        (
            'kind = "address"\nnode = "h1"\naddress = "2001:db8:1::7"\nflags = ["!tentative", "!duplicated"]',
            ("h1: ifconfig ne0 inet6 2001:db8:1::7/64 alias", "run 2s"),
        ),
        (
            'kind = "address"\nnode = "h1"\naddress = "2001:db8:1::2"\nflags = "duplicated"',
            ("h1: ifconfig ne0 inet6 2001:db8:1::2/64 alias", "run 2s"),
        ),
        (
            'kind = "sysctl"\nnode = "r1"\nname = "net.inet6.ip6.forwarding"\nequals = 0',
            ("r1: sysctl -w net.inet6.ip6.forwarding=0",),
        ),
        (
            'kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nmin = 10\nmax = 20',
            ("h1: sysctl -w net.inet6.ip6.hlim=15",),
        ),
        ('kind = "counter"\nnode = "h2"\nname = "icmp6.reflect"\nmin = 1', (PING,)),
        ('kind = "counter"\nnode = "h2"\nname = "icmp6.inhist.128"\nequals = 2', (PING, PING)),
    ],
)
def test_a_check_holds_after_the_commands_that_make_it_so(body: str, lines: tuple[str, ...]) -> None:
    session = lesson(check(body))
    assert marks(session) == " "
    assert session.tasks.states[0].checks[0].seen
    play(session, *lines)
    assert marks(session) == "x"
    assert session.tasks.finished


@pytest.mark.parametrize(
    ("body", "lines", "seen"),
    [
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nstate = "probe"', (PING,), "REACHABLE"),
        (
            'kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::9"\nstate = "reachable"',
            ("h1: ping6 -c 3 2001:db8:1::9 &", "run 1500ms"),
            "INCOMPLETE, 2 probes",
        ),
        (
            'kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nlladdr = "00:60:97:00:00:03"',
            (PING,),
            "REACHABLE, 0:60:97:0:0:2",
        ),
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nrouter = true', (PING,), "REACHABLE, no router"),
        ('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\ninterface = "ne1"', (PING,), "no entry"),
        ('kind = "prefix"\nnode = "h1"\nprefix = "2001:db8:2::/64"', ADVERTISE, "not in the prefix list"),
        (
            'kind = "prefix"\nnode = "h1"\nprefix = "2001:db8:1::/64"\nadvertised_by = "h2"',
            ADVERTISE,
            "flags LAO, advertised by fe80::260:97ff:fe00:3%ne0",
        ),
        (
            'kind = "router"\nnode = "h1"\nrouter = "r1"\npreference = "high"',
            ADVERTISE,
            "fe80::260:97ff:fe00:3%ne0, preference medium",
        ),
        (
            'kind = "route"\nnode = "h1"\ndestination = "default"\ngateway = "h2"',
            ADVERTISE,
            "by fe80::260:97ff:fe00:3%ne0, flags UG",
        ),
        (
            'kind = "address"\nnode = "h1"\naddress = "2001:db8:1::7"\nflags = "duplicated"',
            ("h1: ifconfig ne0 inet6 2001:db8:1::7/64 alias", "run 2s"),
            "2001:db8:1::7",
        ),
        ('kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = 15', (), "64"),
        ('kind = "counter"\nnode = "h2"\nname = "icmp6.reflect"\nmin = 2', (PING,), "1"),
    ],
)
def test_an_open_check_says_what_stands_there_in_its_place(body: str, lines: tuple[str, ...], seen: str) -> None:
    session = lesson(check(body))
    play(session, *lines)
    assert marks(session) == " "
    assert session.tasks.states[0].checks[0].seen == seen


def test_a_check_that_was_true_once_stays_so_while_its_task_is_on() -> None:
    other = check('kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = 1')
    session = lesson(check('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nstate = "reachable"') + other)
    play(session, PING, "run 46s")
    assert marks(session) == "x "
    play(session, "h1: ndp -c")
    assert marks(session) == "x "


def test_the_author_s_words_are_shown_and_else_words_for_the_check() -> None:
    body = 'kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nstate = "reachable"\n'
    session = lesson(check(body + 'pass = "h1 knows h2."\nfail = "h1 has not met h2."') + check(body))
    first, second = session.tasks.states[0].checks
    assert first.label == "h1 has not met h2."
    assert second.label == "h1: neighbor 2001:db8:1::2 is REACHABLE"
    play(session, PING)
    assert first.label == "h1 knows h2."
