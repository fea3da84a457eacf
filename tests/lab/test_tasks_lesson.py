"""The lesson of a session: order of tasks, console commands, going back and forward, saving and opening."""

from __future__ import annotations

from pathlib import Path

from lessons import check, lesson, marks, play, source

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session, open_source
from kamelab.lab.session import Session
from kamelab.lab.tasks import Tasks

TRUE = 'hints = ["a", "b", "c"]\nsolution = ["h1: true"]\ntext = "Say **true**."\n'
TRUE += check('kind = "command"\nline = "^true"\npass = "Said."\nfail = "Say it."')
FALSE = 'solution = ["h2: false"]\n' + check('kind = "command"\nnode = "h2"\nline = "^false"')
DONE = 'text = "Look around."\n'


def said(session: Session, line: str) -> tuple[str, int]:
    session.take_output()
    status = execute(session, line)
    return "".join(chunk.text for chunk in session.take_output()), status


def test_a_lab_without_tasks_has_an_empty_lesson_that_follows_nothing() -> None:
    session = lesson()
    assert (session.tasks.states, session.tasks.active, session.tasks.finished) == ((), None, False)
    assert session.watchers == []
    assert said(session, "task")[0] == "task: this lab has no tasks\nusage: task [N]\n"


def test_tasks_come_one_after_the_other() -> None:
    session = lesson(TRUE, FALSE)
    play(session, "h2: false")
    assert [task.status for task in session.tasks.states] == ["active", "waiting"]
    play(session, "h1: true")
    assert [task.status for task in session.tasks.states] == ["passed", "active"]
    assert session.tasks.states[1].started_at == session.tasks.states[0].passed_at == session.now
    play(session, "h2: false")
    assert session.tasks.finished
    assert session.tasks.active is None


def test_what_is_so_already_when_a_task_begins_passes_it_at_once() -> None:
    hlim = check('kind = "sysctl"\nnode = "h1"\nname = "net.inet6.ip6.hlim"\nequals = 9')
    session = lesson(TRUE, hlim)
    play(session, "h1: sysctl -w net.inet6.ip6.hlim=9", "h1: true")
    assert session.tasks.finished


def test_going_back_over_a_pass_takes_it_back_and_forward_gives_it_again() -> None:
    session = lesson(TRUE, FALSE)
    play(session, "h1: true")
    done, version = session.events, session.tasks.version
    play(session, "back 1")
    assert session.tasks.passed == 0
    assert session.tasks.version > version
    play(session, f"step {done - session.events}")
    assert session.tasks.passed == 1
    play(session, "h2: false", "reset")
    assert (session.tasks.passed, marks(session)) == (0, " ")


def test_a_pass_is_told_after_the_program_s_last_line_and_not_on_replay() -> None:
    session = lesson(check('kind = "packet"\nfilter = "icmpv6.type == 129"'), FALSE)
    play(session, "h1: ping6 -c 2 2001:db8:1::2")
    chunks = session.take_output()
    assert [chunk.kind for chunk in chunks][-2:] == ["text", "message"]
    assert chunks[-1].text == ("task 1 of 2 passed: Task 1\nnext is task 2: Task 2 (type task to read it)\n")
    play(session, "back 1")
    assert session.take_output() == []


def test_task_shows_text_hints_taken_checks_and_what_was_seen() -> None:
    session = lesson(TRUE, FALSE)
    assert said(session, "task")[0] == (
        "Task 1 of 2: Task 1\n\nSay **true**.\n\n[ ] Say it.\n      seen: no such command yet\n"
    )
    assert said(session, "hint") == ("Hint 1 of 3: a\n", 0)
    assert "Hint 1: a\n" in said(session, "task")[0]
    assert said(session, "task 2")[0].startswith("Task 2 of 2: Task 2\n")
    assert said(session, "task 3") == ("task: expected a task's number from 1 to 2, not '3'\nusage: task [N]\n", 2)


def test_hints_come_in_order_then_there_are_none_and_going_back_does_not_unread_them() -> None:
    session = lesson(TRUE)
    assert [said(session, "hint")[0] for _ in range(4)] == [
        "Hint 1 of 3: a\n",
        "Hint 2 of 3: b\n",
        "Hint 3 of 3: c\n",
        "no more hints\n",
    ]
    play(session, "h1: ndp -an", "back 1")
    assert session.tasks.states[0].hints == ("a", "b", "c")


def test_solution_shows_the_lines_and_does_not_run_them() -> None:
    session = lesson(TRUE)
    assert said(session, "solution") == ("h1: true\n", 0)
    assert session.commands == []
    assert session.tasks.passed == 0


def test_check_shows_the_progress_and_its_status_tells() -> None:
    session = lesson(TRUE, FALSE)
    assert said(session, "check") == (
        "[ ] task 1: Task 1\n    [ ] Say it.\n          seen: no such command yet\n"
        "[ ] task 2: Task 2\n0 of 2 tasks passed\n",
        1,
    )
    play(session, "h1: true", "h2: false")
    assert said(session, "check") == ("[x] task 1: Task 1\n[x] task 2: Task 2\n2 of 2 tasks passed\n", 0)


def test_looking_with_check_is_no_input_where_nothing_waits_for_it() -> None:
    session = lesson(TRUE)
    events = session.events
    play(session, "check", "task", "hint", "solution")
    assert session.events == events
    assert session.journal == []


def test_a_task_without_checks_passes_when_the_learner_says_done_and_a_saved_session_knows(tmp_path: Path) -> None:
    session = lesson(DONE, TRUE)
    play(session, "run 10s")
    assert session.tasks.passed == 0
    assert said(session, "check")[1] == 0
    assert session.tasks.passed == 1
    file = tmp_path / "hand-in"
    file.write_bytes(session.save())
    again = open_session(str(file))
    assert [task.status for task in again.tasks.states] == ["passed", "active"]
    play(again, "back 1")
    assert again.tasks.passed == 0


def test_goto_plays_the_solutions_before_a_task() -> None:
    session = lesson(TRUE, FALSE, DONE)
    play(session, "h1: sysctl -w net.inet6.ip6.hlim=3", "select h2")
    text, status = said(session, "goto 3")
    assert (status, session.selected) == (0, "h2")
    assert text.startswith("Task 3 of 3: Task 3\n")
    assert [task.status for task in session.tasks.states] == ["passed", "passed", "active"]
    assert session.world.network.nodes["h1"].sysctl["net.inet6.ip6.hlim"] == 64
    assert said(session, "goto 1")[1] == 0
    assert session.tasks.passed == 0
    assert said(session, "goto 4")[1] == 2


def test_goto_says_when_a_solution_does_not_pass_its_task() -> None:
    wrong = 'solution = ["h1: false"]\n' + check('kind = "command"\nline = "^true"')
    session = lesson(wrong, DONE)
    text, status = said(session, "goto 2")
    assert status == 2
    assert text.startswith("goto: the solution of task 1 did not pass it\n")


def test_a_lesson_has_no_part_in_the_state_of_the_network() -> None:
    plain, taught = lesson(), lesson(TRUE, FALSE)
    for session in (plain, taught):
        play(session, "h1: ping6 -c 2 2001:db8:1::2", "h1: true")
    assert plain.digest() == taught.digest()


def test_checks_are_judged_by_replay_as_they_were_at_first() -> None:
    session = lesson(
        check('kind = "packet"\nfilter = "icmpv6.type == 128"\nmin = 3') + check('kind = "command"\nline = "x"')
    )
    play(session, "h1: ping6 -c 3 2001:db8:1::2")
    seen = []
    while session.events > 0:
        seen.append((session.events, marks(session), session.tasks.states[0].checks[0].seen))
        session.back(session.events - 1)
    fresh = open_source(source(check('kind = "packet"\nfilter = "icmpv6.type == 128"\nmin = 3')))
    fresh.journal = list(session.journal)
    for events, mark, text in reversed(seen):
        fresh.back(events)
        assert (fresh.tasks.states[0].checks[0].mark, fresh.tasks.states[0].checks[0].seen) == (mark[0], text)


def test_lessons_on_one_session_do_not_meet() -> None:
    session = lesson(TRUE, FALSE)
    second = Tasks(session, session.lab.tasks[1:], quiet=True)
    play(session, "h2: false")
    assert (second.finished, session.tasks.passed) == (True, 0)
