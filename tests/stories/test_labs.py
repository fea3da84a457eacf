"""The shipped labs: solved by their own solutions, unsolved without, and solvable in other ways than the author's."""

from __future__ import annotations

import re

import pytest

from kamelab.lab.console import COMMANDS, execute
from kamelab.lab.console_tasks import solution_statements
from kamelab.lab.grading import grade
from kamelab.lab.library import LabSource, find_lab, list_labs
from kamelab.lab.lint import lint
from kamelab.lab.loader import load_lab
from kamelab.lab.opening import open_source
from kamelab.lab.session import Session

LABS = list_labs()
LESSONS = [source for source in LABS if load_lab(source.text, source.path).tasks]


def ids(sources: list[LabSource]) -> list[str]:
    return [source.name for source in sources]


def solve(session: Session) -> None:
    for task in session.tasks.states:
        for statement in solution_statements(task):
            execute(session, statement)
        assert task.passed, [check.seen for check in task.checks]


def script(text: str) -> LabSource:
    return LabSource("script", "script", text)


@pytest.mark.parametrize("source", LABS, ids=ids(list(LABS)))
def test_lint_finds_nothing_to_say(source: LabSource) -> None:
    assert lint(source).problems == ()


def test_every_lesson_has_four_tasks_or_more_with_three_hints_each() -> None:
    first = [source.name[3:] for source in LESSONS][:3]
    assert first == ["first-contact", "who-is-my-neighbor", "no-questions-asked"]
    for source in LESSONS:
        lab = load_lab(source.text, source.path)
        assert 4 <= len(lab.tasks) <= 6
        assert [len(task.hints) for task in lab.tasks] == [3] * len(lab.tasks)
        assert lab.references
        assert lab.minutes


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("source", LESSONS, ids=ids(LESSONS))
def test_chance_does_not_decide_whether_a_solution_passes(source: LabSource, seed: int) -> None:
    session = open_source(source, seed)
    solve(session)
    assert session.tasks.finished


@pytest.mark.parametrize("source", LESSONS, ids=ids(LESSONS))
def test_an_empty_submission_passes_nothing(source: LabSource) -> None:
    assert grade(source, script("run 1h\n")).passed == 0


@pytest.mark.parametrize("source", LESSONS, ids=ids(LESSONS))
def test_back_over_a_pass_takes_it_back_and_forward_passes_again(source: LabSource) -> None:
    session = open_source(source)
    solve(session)
    end = session.events
    passed_at = [task.passed_at for task in session.tasks.states]
    last = session.tasks.states[-1]
    while last.passed:
        execute(session, "back 1")
    assert session.tasks.passed == len(passed_at) - 1
    execute(session, f"step {end - session.events}")
    assert [task.passed_at for task in session.tasks.states] == passed_at


@pytest.mark.parametrize("source", LESSONS, ids=ids(LESSONS))
def test_every_command_that_a_text_or_hint_shows_can_be_typed_as_it_stands(source: LabSource) -> None:
    session = open_source(source)
    shown = 0
    for task in session.tasks.states:
        execute(session, f"goto {task.number}")
        for line in commands(session, (task.spec.text, *task.spec.hints)):
            session.take_output()
            execute(session, line)
            said = "".join(chunk.text for chunk in session.take_output() if chunk.kind != "console")
            assert not re.search(r"usage:|not found|expected|syntax error|no such|kamelab: ", said), (line, said)
            shown += 1
    assert shown >= 20


def commands(session: Session, texts: tuple[str, ...]) -> list[str]:
    """The commands in Markdown: in back quotes, or indented. What has its last word in the prose is left out."""
    nodes = "|".join([*session.lab.nodes, "all"])
    found = []
    for text in texts:
        for line in re.findall(r"`([^`\n]+)`|^    (\S.*)$", text, re.MULTILINE):
            command = line[0] or line[1]
            typed = re.match(rf"({nodes}):", command) or (" " in command and command.split()[0] in COMMANDS)
            if typed and not command.endswith("kill -9"):
                found.append(command)
    return found


def test_first_contact_in_another_way() -> None:
    result = grade(
        find_lab("first-contact"),
        script(
            """
            # One host after the other, with time and looking around in between.
            h2: ifconfig ne0 up
            run 5s
            h1: ifconfig ne0
            h1: ifconfig ne0 up
            run 5s
            # h2 first this time, so that h1 finds the duplicate.
            h2: ifconfig ne0 inet6 fe80::1 prefixlen 64 alias
            run 3s
            h1: ifconfig ne0 inet6 fe80::1 prefixlen 64 alias
            run 3s
            h1: ifconfig ne0 inet6 fe80::1%ne0 delete
            h1: ifmcstat
            h1: ifconfig ne0 inet6 2001:db8::53:1 prefixlen 64 alias
            run until idle
            h1: ifmcstat | grep ff53
            h1: ping6 -c 2 ff02::1%ne0
            h1: ping6 -c 1 -I ne0 fe80::260:97ff:feab:cd02
            h1: ping6 fe80::260:97ff:feab:cd02
            """
        ),
    )
    assert [task.status for task in result.tasks] == ["passed"] * 5


def test_who_is_my_neighbor_in_another_way() -> None:
    result = grade(
        find_lab("who-is-my-neighbor"),
        script(
            """
            run 10s
            h1: traceroute6 -n 2001:db8:1::2
            run 2m
            h1: ping6 -c 20 -i 0.5 2001:db8:1::2
            h1: ping6 -c 5 2001:db8:1::9
            h1: ping6 -c 1 2001:db8:1::3
            # Known by now: to be forgotten first.
            h1: ndp -c
            h1: ping6 -c 6 -l 6 2001:db8:1::3
            h1: ping6 -c 1 2001:db8:1::2
            link lan loss=100%
            run 1m
            h1: ping6 -c 15 2001:db8:1::2 &
            run 30s
            link lan loss=0%
            h1: ndp -s 2001:db8:1::2 0:60:97:0:0:2
            h1: ping6 -c 2 2001:db8:1::2
            """
        ),
    )
    assert [task.status for task in result.tasks] == ["passed"] * 6


def test_no_questions_asked_in_another_way() -> None:
    result = grade(
        find_lab("no-questions-asked"),
        script(
            """
            all: rtsol ne0
            r1: rtadvd ne1
            r1: rtadvd ne0
            # Nobody asks: the daemons speak by themselves.
            run 2m
            h2: ping6 -c 3 2001:db8:1:0:260:97ff:fe00:1
            h1: ping6 -c 3 2001:db8:2:0:260:97ff:fe00:2
            h1: traceroute6 2001:db8:2:0:260:97ff:fe00:2
            r1: ifconfig ne0 down
            run 31m
            h1: ping6 -c 1 2001:db8:2:0:260:97ff:fe00:2
            r1: ifconfig ne0 up
            run 20m
            r1: sysctl -w net.inet6.ip6.forwarding=0
            h1: ping6 -c 2 2001:db8:2:0:260:97ff:fe00:2
            run 15m
            """
        ),
    )
    assert [task.status for task in result.tasks] == ["passed"] * 6, result


def test_a_goodbye_breaks_the_task_of_the_silent_router_and_going_back_mends_it() -> None:
    session = open_source(find_lab("no-questions-asked"))
    execute(session, "goto 5")
    before = session.events
    execute(session, "r1: kill 2")
    execute(session, "run 31m")
    execute(session, "h1: netstat -rn")
    task = session.tasks.active
    assert (task.number, [check.mark for check in task.checks][-1]) == (5, "!")
    execute(session, "task")
    assert "go back, or reset" in "".join(chunk.text for chunk in session.take_output())
    session.back(before)
    for line in ("r1: kill -9 2", "run 31m", "h1: netstat -rn"):
        execute(session, line)
    assert task.passed
