"""Lint: what it says about labs whose tasks or commands don't work."""

from __future__ import annotations

import pytest
from lessons import NETWORK, check, source

from kamelab.lab.library import LabSource
from kamelab.lab.lint import Report, is_counter, lint

HINTS = 'text = "Do."\nhints = ["a", "b", "c"]\n'
SAY = 'pass = "Yes."\nfail = "No."\n'
TRUE = HINTS + 'solution = ["h1: true"]\n' + check('kind = "command"\nline = "^true"\n' + SAY)


def found(report: Report, kind: str = "failures") -> list[str]:
    return [f"{problem.key}: {problem.message}" for problem in getattr(report, kind)]


def test_a_good_lab_is_clean() -> None:
    report = lint(source(TRUE, TRUE))
    assert report.problems == ()
    assert (report.tasks, report.events) == (2, 2)


def test_a_lab_without_tasks_is_loaded_and_booted() -> None:
    assert lint(source()).problems == ()


def test_an_invalid_file_has_its_errors_and_nothing_is_run() -> None:
    report = lint(LabSource("x", "x.toml", NETWORK.replace("latency", "latensy", 1)))
    assert [str(error).split(": ")[:2] for error in report.errors] == [["x.toml:4", "links.lan.latensy"]]
    assert report.failures == ()


def test_a_solution_that_does_not_pass_names_the_check_with_its_line_and_what_was_seen() -> None:
    bad = HINTS + 'solution = ["h1: false"]\n' + check('kind = "command"\nline = "^true"\n' + SAY)
    report = lint(source(TRUE, bad))
    (problem,) = report.failures
    lines = source(TRUE, bad).text.splitlines()
    assert lines[problem.line - 1] == "[[tasks.checks]]"
    assert problem.line > lines.index('title = "Task 2"')
    assert str(problem).endswith("tasks[2].checks[1]: does not hold after the solution; seen: no such command yet")


def test_a_task_that_passes_when_nobody_does_anything() -> None:
    lazy = HINTS + 'solution = ["run 5s"]\n'
    lazy += check('kind = "address"\nnode = "h1"\naddress = "2001:db8:1::1"\nflags = "!tentative"\n' + SAY)
    assert found(lint(source(lazy))) == ["tasks[1]: passes in a lab where nobody does anything"]


def test_a_task_that_only_waits_for_what_the_one_before_it_has_begun() -> None:
    ping = HINTS + 'solution = ["run 5s", "h1: ping6 -c 1 2001:db8:1::2"]\n'
    ping += check('kind = "packet"\nfilter = "icmpv6.type == 129"\n' + SAY)
    stale = HINTS + 'solution = ["run 46s"]\n'
    stale += check('kind = "neighbor"\nnode = "h1"\naddress = "2001:db8:1::2"\nstate = "stale"\n' + SAY)
    assert found(lint(source(ping, stale))) == [
        "tasks[2]: passes although nothing is done for it once the task before it has passed"
    ]


def test_a_task_that_the_solution_before_it_passes_too() -> None:
    both = HINTS + 'solution = ["h1: true"]\n'
    both += check('kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = 9\n' + SAY)
    first = TRUE.replace('"h1: true"', '"h1: sysctl -w net.inet6.ip6.hlim=9", "h1: true"')
    assert found(lint(source(first, both))) == [
        "tasks[2]: passes before its own solution begins, by those of the tasks before it"
    ]


def test_a_check_at_the_end_is_judged_in_both_runs() -> None:
    end = HINTS + 'solution = ["h1: sysctl -w net.inet6.ip6.hlim=9"]\n'
    body = 'kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = {}\nat = "end"\n' + SAY
    assert lint(source(end + check(body.format(9)))).problems == ()
    assert found(lint(source(end + check(body.format(64)))))[0].startswith("tasks[1].checks[1]: does not hold")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("h1: true", "pong h1", "tasks[1].solution[1]: expected a line that can be run: kamelab: pong: no such"),
        ("h1: true", "run 5 parsecs", "tasks[1].solution[1]: expected a line that can be run: run: "),
        ("h1: true", "h1: cat <<E", "tasks[1].solution[1]: expected the rest of this line"),
        ('role = "host"', 'startup = ["pnig6 x"]', "nodes.h1.startup[1]: expected a program, not 'pnig6'"),
        ('role = "host"', 'startup = ["a && b"]', "nodes.h1.startup[1]: expected a command line: "),
        (
            'role = "host"',
            'sysctl."net.inet6.ip6.hlimm" = 3',
            'nodes.h1.sysctl."net.inet6.ip6.hlimm": expected a sysctl variable',
        ),
        (
            'kind = "command"\nline = "^true"',
            'kind = "sysctl"\nnode = "h1"\nname = "net.x"\nequals = 1',
            "tasks[1].checks[1].name: expected a sysctl variable, not 'net.x'",
        ),
        (
            'kind = "command"\nline = "^true"',
            'kind = "counter"\nnode = "h1"\nname = "ip6.nothing"\nequals = 1',
            "tasks[1].checks[1].name: expected a counter that netstat -s prints, not 'ip6.nothing'",
        ),
        ('solution = ["h1: true"]', "", "tasks[1]: expected a solution: nothing shows that the task can be done"),
    ],
)
def test_what_the_loader_can_not_know(old: str, new: str, expected: str) -> None:
    lab = source(TRUE)
    assert lab.text.count(old) == 1
    problems = found(lint(lab._replace(text=lab.text.replace(old, new))))
    assert problems[0].startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('text = "Do."\n', "", "tasks[1]: no text: nobody says what is to be done"),
        ('hints = ["a", "b", "c"]\n', "", "tasks[1]: no hints: 3 lead from a nudge to nearly the answer"),
        ('"a", "b", "c"', '"a"', "tasks[1]: 1 hint: 3 lead from a nudge to nearly the answer"),
        ('pass = "Yes."\n', "", "tasks[1].checks[1]: no pass text: the learner reads what the check looks for"),
        (
            check('kind = "command"\nline = "^true"\n' + SAY),
            "",
            "tasks[1]: no checks: it passes when the learner says so",
        ),
    ],
)
def test_what_is_poor_but_works_is_a_warning(old: str, new: str, expected: str) -> None:
    lab = source(TRUE)
    assert old in lab.text
    report = lint(lab._replace(text=lab.text.replace(old, new)))
    assert (found(report), found(report, "warnings")) == ([], [expected])


def test_counters_are_those_of_netstat() -> None:
    for name in ("ip6.forward", "icmp6.inhist.129", "icmp6.error.1.3", "udp6.ipackets"):
        assert is_counter(name)
    for name in ("ip6.forwarded", "icmp6.inhist", "icmp6.inhist.x", "icmp6.error.1", "forward", ""):
        assert not is_counter(name)
