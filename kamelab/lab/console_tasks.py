"""Console commands of the lesson: task check hint solution goto reset."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kamelab.core.errors import KamelabError
from kamelab.lab.script import statements
from kamelab.lab.session import Session
from kamelab.lab.tasks import Tasks, TaskState

NO_TASKS = "this lab has no tasks"


def task_lines(tasks: Tasks, task: TaskState) -> list[str]:
    """A task to read: title, text, hints taken, checks."""
    lines = [f"Task {task.number} of {len(tasks.states)}: {task.spec.title}", ""]
    if task.spec.text.strip():
        lines += [*task.spec.text.strip().splitlines(), ""]
    for number, hint in enumerate(task.hints, 1):
        lines += [f"Hint {number}: {hint}", ""]
    return [*lines, *check_lines(task)]


def check_lines(task: TaskState) -> list[str]:
    """``[x] label`` for every check, and below an open one what was seen in its place."""
    lines = []
    for check in task.checks:
        lines.append(f"[{check.mark}] {check.label}")
        if check.seen and not check.passed:
            lines.append(f"      seen: {check.seen}")
    if not task.checks and not task.passed:
        lines.append("[ ] Nothing is checked here: type check when you are done.")
    if any(check.broken for check in task.checks) and not task.passed:
        lines.append("This run can't pass the task any more: go back, or reset.")
    return lines


def progress_lines(tasks: Tasks) -> list[str]:
    """A line for every task, and the checks of the one that is on."""
    lines = []
    for task in tasks.states:
        lines.append(f"[{'x' if task.passed else ' '}] task {task.number}: {task.spec.title}")
        if task.status == "active":
            lines += [f"    {line}" for line in check_lines(task)]
    lines.append(f"{tasks.passed} of {len(tasks.states)} tasks passed")
    return lines


def _lesson(session: Session) -> Tasks:
    tasks = session.tasks
    if not isinstance(tasks, Tasks) or not tasks.states:
        raise KamelabError(NO_TASKS)
    return tasks


def _number(tasks: Tasks, word: str) -> TaskState:
    if not word.isdigit() or not 1 <= int(word) <= len(tasks.states):
        raise KamelabError(f"expected a task's number from 1 to {len(tasks.states)}, not {word!r}")
    return tasks.states[int(word) - 1]


def _only(words: list[str], most: int) -> None:
    if len(words) > most:
        raise KamelabError(f"{words[most]!r} is one word too many")


def _print(session: Session, lines: list[str]) -> int:
    session.say("text", "\n".join(lines) + "\n")
    return 0


def _task(session: Session, words: list[str]) -> int:
    tasks = _lesson(session)
    _only(words, 1)
    task = _number(tasks, words[0]) if words else tasks.active
    if task is None:
        return _print(session, progress_lines(tasks))
    return _print(session, task_lines(tasks, task))


def _check(session: Session, words: list[str]) -> int:
    tasks = _lesson(session)
    _only(words, 0)
    passed = tasks.say_done()
    _print(session, progress_lines(tasks))
    return 0 if passed or tasks.finished else 1


def _hint(session: Session, words: list[str]) -> int:
    tasks = _lesson(session)
    _only(words, 0)
    task = tasks.active
    text = tasks.hint()
    if task is None or text is None:
        return _print(session, ["no more hints"])
    return _print(session, [f"Hint {task.hints_given} of {len(task.spec.hints)}: {text}"])


def _solution(session: Session, words: list[str]) -> int:
    tasks = _lesson(session)
    _only(words, 1)
    task = _number(tasks, words[0]) if words else tasks.active
    if task is None:
        return _print(session, progress_lines(tasks))
    return _print(session, list(task.spec.solution) or ["the author gave no solution"])


def solution_statements(task: TaskState) -> Iterator[str]:
    """The solution's console lines, a here-document with its command."""
    for _, statement in statements("\n".join(task.spec.solution)):
        yield statement


def _goto(session: Session, words: list[str]) -> int:
    # The console's table holds this command: its module can't be loaded before this one.
    from kamelab.lab.console import execute

    tasks = _lesson(session)
    if len(words) != 1:
        raise KamelabError("expected a task's number")
    goal = _number(tasks, words[0])
    selected = session.selected
    session.reset()
    session.selected = next(iter(session.lab.nodes))
    shown = session.take_output()
    for task in tasks.states[: goal.number - 1]:
        for statement in solution_statements(task):
            execute(session, statement)
        if not task.passed:
            tasks.say_done()
        if not task.passed:
            raise KamelabError(f"the solution of task {task.number} did not pass it")
    # What the solutions printed is not what the learner asked for.
    session.take_output()
    for chunk in shown:
        session.say(chunk.kind, chunk.text, chunk.node)
    session.selected = selected
    if tasks.active is not goal:
        raise KamelabError(f"task {goal.number} has passed by the solutions before it")
    return _print(session, task_lines(tasks, goal))


def _reset(session: Session, words: list[str]) -> int:
    session.reset()
    return 0


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "task": ("task [N]", "what is to be done now, and what has been seen of it", _task),
    "check": ("check", "I am done: judge the task, and show how far you are", _check),
    "hint": ("hint", "the task's next hint", _hint),
    "solution": ("solution [N]", "the lines that pass the task; they are not run", _solution),
    "goto": ("goto N", "begin again at task N: the solutions before it are played", _goto),
    "reset": ("reset", "begin the lab again", _reset),
}
