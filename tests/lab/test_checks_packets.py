"""Checks of packets, drops and commands: they add up from the task's start; groups; what has to hold throughout."""

from __future__ import annotations

import pytest
from lessons import check, lesson, marks, play

PING = "h1: ping6 -c 1 2001:db8:1::2"
ECHO = 'kind = "packet"\nfilter = "icmpv6.type == 128"\n'


def test_a_frame_counts_once_however_many_hear_it() -> None:
    solicited = 'kind = "packet"\nfilter = "icmpv6.type == 135 && ipv6.dst == ff02::1:ff00:9"\nmin = 4'
    session = lesson(check(solicited))
    play(session, "h1: ping6 -c 1 2001:db8:1::9")
    assert session.tasks.states[0].checks[0].seen == "3 of 4 packets"


def test_packets_before_the_task_s_start_do_not_count() -> None:
    session = lesson(check(ECHO), check(ECHO))
    play(session, PING)
    assert (marks(session, 1), marks(session, 2)) == ("x", " ")
    play(session, "run 10s")
    assert marks(session, 2) == " "
    play(session, PING)
    assert session.tasks.finished


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        (ECHO + 'node = "h2"', "x"),
        (ECHO + 'node = "r1"', " "),
        (ECHO + 'link = "lan"', "x"),
        (ECHO + 'link = "wan"', " "),
        (ECHO + "min = 2", "x"),
        (ECHO + "min = 3", " "),
        (ECHO + 'min = 2\nwithin = "1s"', "x"),
        (ECHO + 'min = 2\nwithin = "900ms"', " "),
        (ECHO + 'min = 2\nbefore = "5500ms"', " "),
        (ECHO + 'after = "5500ms"', "x"),
        (ECHO + 'after = "10s"', " "),
        (ECHO + 'after = "icmpv6.type == 136"', "x"),
        (ECHO + 'before = "icmpv6.type == 136"', " "),
        (ECHO + 'min = 2\nbefore = "icmpv6.type == 129"', " "),
        (ECHO + 'after = "icmpv6.type == 134"', " "),
    ],
)
def test_where_and_when_packets_count(body: str, mark: str) -> None:
    never = check('kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = 1')
    session = lesson(check(body) + never)
    play(session, "h1: ping6 -c 2 2001:db8:1::2")
    assert marks(session)[0] == mark


def test_more_packets_than_max_break_the_check_until_one_goes_back() -> None:
    wait = check('kind = "command"\nline = "^true"')
    session = lesson(check(ECHO + "min = 1\nmax = 1") + wait)
    play(session, PING)
    assert marks(session) == "x "
    before = session.events
    play(session, PING)
    assert marks(session) == "! "
    assert session.tasks.states[0].checks[0].seen == "2 packets, 1 at most"
    play(session, "h1: true")
    assert not session.tasks.finished
    session.back(before)
    assert marks(session) == "x "
    play(session, "h1: true")
    assert session.tasks.finished


def test_drops_count_by_reason_and_node() -> None:
    body = 'kind = "drop"\nreason = "ND_QUEUE_REPLACED"\nnode = "{}"\nmin = 2'
    session = lesson(check(body.format("h1")) + check(body.format("h2")))
    play(session, "h1: ping6 -c 3 -l 3 2001:db8:1::2")
    assert marks(session) == "x "
    assert session.tasks.states[0].checks[1].seen == "no drop yet"


@pytest.mark.parametrize(
    ("body", "line", "mark"),
    [
        ('kind = "command"\nline = "^ndp -a"', "h1: ndp -an", "x"),
        ('kind = "command"\nnode = "h2"\nline = "^ndp -a"', "h1: ndp -an", " "),
        ('kind = "command"\nnode = "h2"\nline = "^ndp -a"', "all: ndp -an", "x"),
        ('kind = "command"\nline = "^ping6"\nstatus = 0', PING, "x"),
        ('kind = "command"\nline = "^ping6"\nstatus = 0', "h1: ping6 -c 1 2001:db8:9::1", " "),
        ('kind = "output"\nline = "ping6"\nmatches = "^1 packets transmitted, 1 packets"', PING, "x"),
        ('kind = "output"\nline = "ping6"\nmatches = "^1 packets transmitted, 0 packets"', PING, " "),
        ('kind = "output"\nline = "ping6"\nstatus = 1', "h1: ping6 -Q", "x"),
    ],
)
def test_commands_by_line_node_output_and_status(body: str, line: str, mark: str) -> None:
    session = lesson(check(body))
    play(session, line)
    assert marks(session) == mark


def test_a_command_given_before_the_task_does_not_count() -> None:
    body = check('kind = "command"\nline = "^true"')
    session = lesson(body, body)
    play(session, "h1: true")
    assert (marks(session, 1), marks(session, 2)) == ("x", " ")


def test_all_wants_its_members_at_the_same_moment() -> None:
    hlim = '[[tasks.checks.checks]]\nkind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = 1\n'
    mtu = '[[tasks.checks.checks]]\nkind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.rtexpire"\nequals = 2\n'
    session = lesson(check('kind = "all"') + hlim + mtu)
    one, other = "h1: sysctl -w net.inet6.ip6.hlim={}", "h1: sysctl -w net.inet6.ip6.rtexpire={}"
    play(session, one.format(1), one.format(64), other.format(2))
    assert marks(session) == " "
    play(session, one.format(1))
    assert marks(session) == "x"


def test_any_takes_one_of_its_members() -> None:
    either = "".join(f'[[tasks.checks.checks]]\nkind = "command"\nline = "^{word}$"\n' for word in ("true", "false"))
    session = lesson(check('kind = "any"') + either)
    play(session, "h1: false")
    assert marks(session) == "x"


def test_not_must_hold_throughout_says_when_it_was_broken_and_back_mends_it() -> None:
    never = check('kind = "not"') + f"[[tasks.checks.checks]]\n{ECHO}\n"
    session = lesson(check('kind = "command"\nline = "^true"') + never)
    assert marks(session) == " x"
    before = session.events
    play(session, PING, "h1: true")
    assert marks(session) == "x!"
    assert not session.tasks.finished
    broken = session.tasks.states[0].checks[1]
    assert broken.seen == "at 00:00:05.002000: 1 packet"
    session.back(before)
    play(session, "h1: true")
    assert session.tasks.finished


def test_a_check_at_the_end_is_judged_only_when_the_learner_says_done() -> None:
    never = check('kind = "not"\nat = "end"')
    never += '[[tasks.checks.checks]]\nkind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\n'
    session = lesson(check('kind = "command"\nline = "^ping6"') + never)
    play(session, PING)
    assert marks(session) == "x "
    assert not session.tasks.say_done()
    assert session.tasks.states[0].checks[1].seen == "at 00:00:05.004000: REACHABLE"
    play(session, "h1: ndp -c")
    assert session.tasks.passed == 0
    assert session.tasks.say_done()
    assert session.tasks.finished
