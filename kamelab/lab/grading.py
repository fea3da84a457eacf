"""Grading one submission: a script of console lines, or a session file, against the tasks of a lab.

A script is played on the lab from its boot, then the learner is taken to have said done. A session file is replayed;
it counts only for the very lab text that it was saved on. Lines that write files of the host, and those that show or
play solutions, are not played. Left out: folders of submissions.
"""

from __future__ import annotations

from typing import NamedTuple

from kamelab.core.errors import KamelabError
from kamelab.lab.console import split, submit
from kamelab.lab.journal import is_session
from kamelab.lab.journal import load as load_journal
from kamelab.lab.library import LabSource
from kamelab.lab.opening import open_source
from kamelab.lab.reading import LabError, Problem
from kamelab.lab.script import ScriptError, statements
from kamelab.lab.session import Session
from kamelab.lab.tasks import TaskState

MAX_EVENTS = 5_000_000
"""Events that a submission may take: a script that never ends must not hold up a class."""
NOT_PLAYED = {
    "save": "writes a file",
    "export": "writes a file",
    "transcript": "writes a file",
    "goto": "plays solutions",
    "solution": "shows solutions",
}
"""Console commands that a submission can't use, and why."""


class CheckResult(NamedTuple):
    """One check of a task."""

    kind: str
    text: str
    """The author's sentence, or one made from the check."""
    passed: bool
    seen: str


class TaskResult(NamedTuple):
    """One task of a submission."""

    number: int
    title: str
    status: str
    """passed, failed (it was on at the end), or not reached"""
    started_at: int | None
    passed_at: int | None
    """ns since boot."""
    checks: tuple[CheckResult, ...]


class Grade(NamedTuple):
    """What a submission is worth."""

    lab: str
    title: str
    submission: str
    tasks: tuple[TaskResult, ...]
    notes: tuple[str, ...]
    """``file:line: ...``: lines of a script that could not be played."""
    time: int
    """ns since boot at the end."""
    events: int
    digest: str

    @property
    def passed(self) -> int:
        """How many tasks passed."""
        return sum(task.status == "passed" for task in self.tasks)

    @property
    def complete(self) -> bool:
        """All tasks passed."""
        return self.passed == len(self.tasks)


def grade(lab: LabSource, submission: LabSource) -> Grade:
    """Grade a submission's text on a lab's.

    Raises LabError: an invalid lab, script or session file, a lab without tasks, a session of another lab text.
    """
    notes: list[str] = []
    if is_session(submission.text):
        session = _replayed(lab, submission)
    else:
        session = open_source(lab)
        if session.lab.tasks:
            _play(session, submission, notes)
    try:
        if not session.lab.tasks:
            raise LabError([Problem(lab.path, 1, "tasks", "expected tasks: there is nothing to grade")])
        say_done(session)
        return Grade(
            lab.name,
            session.lab.title,
            submission.path,
            tuple(_result(task) for task in session.tasks.states),
            tuple(notes),
            session.now,
            session.events,
            session.digest(),
        )
    finally:
        session.close()


def say_done(session: Session) -> None:
    """Say done for as long as that passes tasks that wait for it."""
    while session.tasks.say_done():
        pass


def _replayed(lab: LabSource, submission: LabSource) -> Session:
    """The session of a hand-in, where it is one on this lab."""
    saved = load_journal(submission.text, submission.path)
    if saved.head.lab != lab.text:
        other = f"lab {saved.head.name!r}" if saved.head.name != lab.name else "another version of this lab"
        message = f"expected a session on the text of {lab.path}; it was saved on {other}"
        raise LabError([Problem(submission.path, 1, "lab", message)])
    return open_source(submission)


def _play(session: Session, script: LabSource, notes: list[str]) -> None:
    """Play a script's lines; what is wrong with one is noted, and the next one follows."""
    try:
        lines = list(statements(script.text))
    except ScriptError as error:
        raise LabError([Problem(script.path, error.line, "script", str(error))]) from None
    for number, line in lines:
        place = f"{script.path}:{number}"
        name = _console_word(session, line)
        if name == "quit":
            return
        if name in NOT_PLAYED:
            notes.append(f"{place}: {name} {NOT_PLAYED[name]}: not played")
            continue
        outcome = submit(session, line)
        if outcome.status is None and not session.finish(MAX_EVENTS):
            notes.append(f"{place}: more than {MAX_EVENTS} events: stopped")
            return
        said = [chunk.text for chunk in session.take_output() if chunk.kind == "message"]
        if outcome.status == 2 and outcome.command is None:
            notes.extend(f"{place}: {text.splitlines()[0]}" for text in said)


def _console_word(session: Session, line: str) -> str:
    """The console command of a line; empty for a program line and for one that is wrong."""
    try:
        _, _, console = split(session, line)
    except KamelabError:
        return ""
    return console.split()[0] if console else ""


def _result(task: TaskState) -> TaskResult:
    status = {"passed": "passed", "active": "failed", "waiting": "not reached"}[task.status]
    checks = tuple(
        CheckResult(str(check.spec.__struct_config__.tag), check.label, check.passed, check.seen)
        for check in task.checks
    )
    return TaskResult(task.number, task.spec.title, status, task.started_at, task.passed_at, checks)
