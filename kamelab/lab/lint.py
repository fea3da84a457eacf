"""Checking a lab as its author wants it to be: it loads, every task fails unsolved and passes with its own solution.

Unsolved means two things. In a world where nobody does anything, for as long as the whole solution takes, no task may
be done; and in the world that the solutions of the tasks before it leave behind, for as long as the rest takes, neither
may the task that is on. What the loader can't know shows here too: unknown programs, sysctls and counters. A lab
without tasks is loaded and booted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kamelab.core.clock import SECOND
from kamelab.lab import schema
from kamelab.lab.checks import is_at_end
from kamelab.lab.console import submit
from kamelab.lab.library import LabSource
from kamelab.lab.loader import read_lab
from kamelab.lab.reading import Problem
from kamelab.lab.script import ScriptError, statements
from kamelab.lab.session import Goal, Session
from kamelab.lab.suggest import nearest
from kamelab.lab.tasks import Tasks, TaskState
from kamelab.lab.toml_index import LineIndex, Path, format_path
from kamelab.stack.sysctl import ALIASES, VARIABLES
from kamelab.userland import netstat_stats, programs
from kamelab.userland.shell_grammar import ShellError, parse

HINT_TIERS = 3
"""A nudge, a pointer, nearly the answer."""

BOOT = 60 * SECOND
"""How long a lab without tasks runs."""


class Report(NamedTuple):
    """What lint found in one lab."""

    path: str
    errors: tuple[Problem, ...]
    """The file can't be read as a lab."""
    failures: tuple[Problem, ...]
    """It is a lab, but its tasks or commands don't work."""
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    """What the loader finds odd; often on purpose."""
    tasks: int
    time: int
    """ns of virtual time that the solution takes."""
    events: int

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them in the order of lines."""
        found = (*self.errors, *self.failures, *self.warnings, *self.notes)
        return tuple(sorted(found, key=lambda problem: problem.line))


def lint(source: LabSource) -> Report:
    """Load, boot and play a lab; raises nothing for what is wrong with it."""
    lab, problems = read_lab(source.text, source.path)
    if lab is None:
        errors = tuple(problem for problem in problems if problem.severity == "error")
        return Report(source.path, errors, (), (), (), 0, 0, 0)
    linter = _Linter(source, lab)
    linter.read()
    linter.play()
    return Report(
        source.path,
        (),
        tuple(linter.failures),
        tuple(linter.warnings),
        problems,
        len(lab.tasks),
        linter.time,
        linter.events,
    )


def is_counter(name: str) -> bool:
    """Whether ``netstat -s`` prints a counter of that name, such as ``ip6.forward`` or ``icmp6.inhist.129``."""
    stem, _, last = name.rpartition(".")
    for item in (item for items in netstat_stats.PROTOCOLS.values() for item in items):
        match item:
            case netstat_stats.Counter():
                found = name == item.key
            case netstat_stats.Histogram() | netstat_stats.Scopes() | netstat_stats.Rules():
                found = stem == item.key and last.isdecimal()
            case netstat_stats.Codes():
                found = stem.rpartition(".")[0] == item.key and stem.rpartition(".")[2].isdecimal() and last.isdecimal()
            case _:
                found = False
        if found:
            return True
    return False


class _Place(NamedTuple):
    """A position in the solved run."""

    events: int
    time: int


class _Linter:
    """One lab being linted."""

    def __init__(self, source: LabSource, lab: schema.Lab) -> None:
        self.lab = lab
        self.failures: list[Problem] = []
        self.warnings: list[Problem] = []
        self.time = 0
        self.events = 0
        self._source = source
        self._index = LineIndex(source.text.removeprefix("\ufeff").replace("\r\n", "\n"))

    def _problem(self, path: Path, message: str, suggestion: str | None = None) -> Problem:
        line = self._index.line_of(path)
        return Problem(self._source.path, line, format_path(path), message, suggestion)

    def fail(self, path: Path, message: str, suggestion: str | None = None) -> None:
        """Something that does not work."""
        self.failures.append(self._problem(path, message, suggestion))

    def warn(self, path: Path, message: str) -> None:
        """Something that is poor."""
        self.warnings.append(self._problem(path, message))

    # -- without running ---------------------------------------------------------------------------------------------

    def read(self) -> None:
        """What can be seen without running the lab."""
        for name, node in self.lab.nodes.items():
            for variable in node.sysctl:
                self._variable(("nodes", name, "sysctl", variable), variable)
            for number, line in enumerate(node.startup):
                self._program_line(("nodes", name, "startup", number), line)
        for number, task in enumerate(self.lab.tasks):
            self._task(("tasks", number), task)

    def _variable(self, path: Path, name: str) -> None:
        if name not in VARIABLES and name not in ALIASES:
            self.fail(path, f"expected a sysctl variable, not {name!r}", nearest(name, VARIABLES))

    def _program_line(self, path: Path, line: str) -> None:
        try:
            pipelines = parse(line)
        except ShellError as error:
            if not error.incomplete:
                self.fail(path, f"expected a command line: {error.message} at column {error.column}")
            return
        for command in (command for pipeline in pipelines for command in pipeline.commands):
            if command.argv and programs.resolve(command.argv[0]) is None:
                name = command.argv[0]
                self.fail(path, f"expected a program, not {name!r}", programs.nearest(name))

    def _task(self, path: Path, task: schema.Task) -> None:
        if not task.text.strip():
            self.warn(path, "no text: nobody says what is to be done")
        if not task.checks:
            self.warn(path, "no checks: it passes when the learner says so")
        if not task.solution:
            self.fail(path, "expected a solution: nothing shows that the task can be done")
        if len(task.hints) < HINT_TIERS:
            count = len(task.hints)
            self.warn(
                path, f"{count or 'no'} hint{'s' * (count != 1)}: {HINT_TIERS} lead from a nudge to nearly the answer"
            )
        for number, check in enumerate(task.checks):
            self._check((*path, "checks", number), check, top=True)

    def _check(self, path: Path, check: Any, *, top: bool) -> None:
        if isinstance(check, schema.SysctlCheck):
            self._variable((*path, "name"), check.name)
        if isinstance(check, schema.CounterCheck) and not is_counter(check.name):
            self.fail((*path, "name"), f"expected a counter that netstat -s prints, not {check.name!r}")
        if top and (check.pass_ is None or check.fail is None):
            words = " and ".join(word for word, text in (("pass", check.pass_), ("fail", check.fail)) if text is None)
            self.warn(path, f"no {words} text: the learner reads what the check looks for")
        for number, inner in enumerate(getattr(check, "checks", ())):
            if is_at_end(inner) and check.at != "end":
                self.warn(
                    (*path, "checks", number), 'at = "end" inside a group holds for the whole group: write it there'
                )
            self._check((*path, "checks", number), inner, top=False)

    # -- running -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Boot; play the solutions; then see what happens without them."""
        session = Session(self.lab, self._source.text, self._source.name)
        try:
            if not self.lab.tasks:
                self._run(session, BOOT)
                return
            places = self._solved(session)
            self.time, self.events = session.now, session.events
            for number in range(len(places) - 1, 0, -1):
                self._unsolved_task(session, number, places[number])
        finally:
            session.close()
        self._unsolved()

    def _solved(self, session: Session) -> list[_Place]:
        """Play all solutions; where each task began, up to the first that could not be passed."""
        tasks = session.tasks = Tasks(session, quiet=True)
        places = []
        for number, task in enumerate(tasks.states):
            places.append(_Place(session.events, session.now))
            if task.passed:
                self.fail(("tasks", number), "passes before its own solution begins, by those of the tasks before it")
                continue
            self._solve(session, number, task)
            if not task.passed:
                # One task: those behind it have solutions of their own.
                tasks.say_done()
            if not task.passed:
                self._open_checks(number, task)
                break
        return places

    def _solve(self, session: Session, number: int, task: TaskState) -> None:
        path: Path = ("tasks", number, "solution")
        try:
            for line, statement in statements("\n".join(task.spec.solution)):
                session.take_output()
                outcome = submit(session, statement)
                if outcome.status is None:
                    session.finish()
                elif outcome.status == 2 and outcome.command is None:
                    said = [chunk.text for chunk in session.take_output() if chunk.kind == "message"]
                    first = "".join(said).partition("\n")[0] or "refused"
                    self.fail((*path, self._element(task, line)), f"expected a line that can be run: {first}")
        except ScriptError as error:
            self.fail((*path, self._element(task, error.line)), str(error))

    def _element(self, task: TaskState, line: int) -> int:
        """Which of the solution's strings a line of their joined text is in."""
        for number, text in enumerate(task.spec.solution):
            line -= text.count("\n") + 1
            if line <= 0:
                return number
        return len(task.spec.solution) - 1

    def _open_checks(self, number: int, task: TaskState) -> None:
        for position, check in enumerate(task.checks):
            if not check.passed:
                seen = f"; seen: {check.seen}" if check.seen else ""
                self.fail(("tasks", number, "checks", position), f"does not hold after the solution{seen}")

    def _unsolved_task(self, session: Session, number: int, place: _Place) -> None:
        """Stand where a task begins, and do nothing for as long as the solutions from there on take."""
        session.back(place.events, place.time)
        del session.journal[session.cursor :]
        task: TaskState = session.tasks.states[number]
        if task.passed or not task.checks:
            return
        self._run(session, self.time - place.time)
        if not task.passed:
            session.tasks.say_done()
        if task.passed:
            self.fail(("tasks", number), "passes although nothing is done for it once the task before it has passed")

    def _unsolved(self) -> None:
        """Boot, and do nothing for as long as the whole solution takes: no task may find all its checks fulfilled."""
        session = Session(self.lab, self._source.text, self._source.name)
        try:
            alone = [Tasks(session, (spec,), quiet=True) for spec in self.lab.tasks]
            self._run(session, self.time)
            for number, tasks in enumerate(alone):
                if not self.lab.tasks[number].checks:
                    continue
                if not tasks.finished:
                    tasks.say_done()
                if tasks.finished:
                    self.fail(("tasks", number), "passes in a lab where nobody does anything")
        finally:
            session.close()

    def _run(self, session: Session, duration: int) -> None:
        session.goal = Goal(time=session.now + duration)
        session.finish()
