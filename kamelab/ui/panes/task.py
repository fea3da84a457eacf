"""The lesson: the task that is on, its checks that tick by themselves, hints on demand, and the way so far.

The state comes from `kamelab.lab.tasks`; what the learner wants (hint, solution, check) is a console line that the
screen is asked to give.
"""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

from kamelab.lab.console_tasks import check_lines
from kamelab.lab.session import Session
from kamelab.lab.tasks import Tasks, TaskState
from kamelab.ui.panes.base import Pane
from kamelab.ui.panes.packet_text import seconds

_STATUS = {"passed": "[x]", "active": "[>]", "waiting": "[ ]"}


class TaskPane(Pane, VerticalScroll, can_focus=True):
    """A task to read and to do."""

    PANE_ID = "task"
    DIGIT = "9"
    TITLE = "task"
    HELP = """\
The **task** that is on. Do it on the prompt, in any way: the checks tick by themselves when what they ask for has
happened. `[x]` holds, `[ ]` not yet, `[!]` cannot hold any more in this run (the key `,` goes back, `reset` begins
anew); `seen:` is what was found instead.

Keys: `h` the next hint, `s` the solution, `c` says that you are done, where a task waits for that; left and right read
the tasks before and after. Typed: `task`, `hint`, `solution`, `check`, `goto N`, `reset`.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "screen.console('solution')", "Solution", id="task.solution", tooltip="Show the solution"),
        Binding("c", "screen.console('check')", "Check", id="task.check", tooltip="I am done"),
        Binding("left", "turn(-1)", "Task before", show=False, id="task.before", tooltip="Read the task before"),
        Binding("right", "turn(1)", "Task after", show=False, id="task.after", tooltip="Read the task after"),
    ]

    DEFAULT_CSS = """
    TaskPane {
        background: $surface;
        color: $foreground;
        layout: vertical;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        & > .task--head { text-style: bold; padding: 0 1 1 1; }
        & > .task--passed { color: $text-success; padding: 0 1; display: none; &.-shown { display: block; } }
        & > .task--checks { padding: 0 1; }
        & > .task--way { color: $text-muted; padding: 1 1 0 1; }
        & > .task--keys { color: $text-muted; padding: 1 1 0 1; }
        & > Markdown { padding: 0 1; margin: 0; background: $surface; }
        & > .task--hints { margin: 1 0 0 0; display: none; border-left: outer $accent; &.-shown { display: block; } }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.session: Session | None = None
        self._read = 0
        """Number of the task to be read, 0: the one that is on."""
        self._active = 0
        self._seen: tuple[object, ...] = ()
        self._texts: dict[str, str] = {}
        self._head = Static(classes="task--head", markup=False)
        self._passed = Static(classes="task--passed", markup=False)
        self._text = Markdown(open_links=False)
        self._checks = Static(classes="task--checks", markup=False)
        self._hints = Markdown(open_links=False, classes="task--hints")
        self._keys = Static(classes="task--keys")
        self._way = Static(classes="task--way", markup=False)
        self.entitle()

    def compose(self) -> ComposeResult:
        """Head, text, checks, hints, keys, the way so far."""
        yield self._passed
        yield self._head
        yield self._text
        yield self._checks
        yield self._hints
        yield self._keys
        yield self._way

    def on_mount(self) -> None:
        """Show what came before the pane was there."""
        self._again()

    def on_resize(self) -> None:
        """Checks are wrapped anew."""
        self._again()

    def _again(self) -> None:
        if self.session is not None:
            self._seen = ()
            self.show(self.session, "")

    def show(self, session: Session, node: str) -> None:
        if session is not self.session:
            self.session = session
            self._read = 0
            self._active = 0
            self._seen = ()
        tasks = session.tasks
        if not isinstance(tasks, Tasks) or not tasks.states:
            self._show_none(session)
            return
        active = tasks.active.number if tasks.active is not None else len(tasks.states) + 1
        if active != self._active:
            self._active = active
            self._read = 0
        seen = (tasks, tasks.version, self._read)
        if seen == self._seen or not self.is_mounted:
            return
        self._seen = seen
        number = self._read or min(active, len(tasks.states))
        self._show_task(tasks, tasks.states[number - 1])

    # -- parts -------------------------------------------------------------------------------------------------------

    def _show_none(self, session: Session) -> None:
        if self._seen == ("none", session) or not self.is_mounted:
            return
        self._seen = ("none", session)
        lab = session.lab
        self.border_title = f"{self.DIGIT} {self.TITLE}"
        self._put("head", self._head, lab.title)
        say = "This lab has no tasks: look around as you like. A lab that teaches has them here, with checks and hints."
        lines = [lab.summary, "", say]
        if lab.references:
            lines += ["", "To read:", "", *(f"- {one}" for one in lab.references)]
        self._mark_down("text", self._text, "\n".join(lines))
        for name, static in (("checks", self._checks), ("keys", self._keys), ("way", self._way)):
            self._put(name, static, "")
            static.display = False
        self._passed.remove_class("-shown")
        self._hints.remove_class("-shown")

    def _show_task(self, tasks: Tasks, task: TaskState) -> None:
        total = len(tasks.states)
        self.border_title = f"{self.DIGIT} {self.TITLE} {task.number} of {total}"
        for static in (self._checks, self._keys, self._way):
            static.display = True
        self._tell_passed(tasks)
        title, text = task.spec.title, task.spec.text.strip()
        if tasks.finished and not self._read:
            title, text = f"All {total} tasks have passed.", self._farewell(tasks)
        self._put("head", self._head, title)
        if self._mark_down("text", self._text, text):
            self.scroll_home(animate=False)
        self._put_checks(task)
        hints = "\n\n".join(f"**Hint {number}.** {hint}" for number, hint in enumerate(task.hints, 1))
        self._hints.set_class(bool(hints), "-shown")
        if hints:
            self._mark_down("hints", self._hints, hints)
        self._tell_keys(task)
        way = []
        for one in tasks.states:
            when = f"  {seconds(one.passed_at)[:-3]} s" if one.passed_at is not None else ""
            way.append(f"{_STATUS[one.status]} {one.number} {one.spec.title}{when}")
        self._put("way", self._way, "\n".join(way))

    def _farewell(self, tasks: Tasks) -> str:
        """What to say at the end of a lesson."""
        assert self.session is not None
        text = "That was the last one. The left key reads the tasks again; `reset` begins anew."
        references = self.session.lab.references
        return "\n".join([text, "", "To read on:", "", *(f"- {one}" for one in references)]) if references else text

    def _put_checks(self, task: TaskState) -> None:
        """The checks, each in the colour of its mark, wrapped under its text."""
        width = max(20, self.scrollable_content_region.width - 2)
        parts: list[tuple[str, str]] = []
        for line in check_lines(task):
            seen = line.startswith(" ")
            style = {"[x]": "$text-success", "[!]": "$text-error"}.get(line[:3], "$text-muted" if seen else "")
            for part in wrap(line, width, subsequent_indent=" " * (12 if seen else 4)):
                parts.append((part + "\n", style))
        text = "".join(part for part, _ in parts)
        if self._texts.get("checks") != text:
            self._texts["checks"] = text
            self._checks.update(Content.assemble(*parts).rstrip())

    def _tell_passed(self, tasks: Tasks) -> None:
        """A line on the task that was passed last, above the one that is on."""
        passed = [one for one in tasks.states if one.status == "passed"]
        shown = bool(passed) and not self._read and not tasks.finished
        self._passed.set_class(shown, "-shown")
        if shown:
            last = passed[-1]
            self._put("passed", self._passed, f"[x] passed: {last.number} {last.spec.title}")

    def _tell_keys(self, task: TaskState) -> None:
        """What can be asked for: each a link as well."""
        left = len(task.spec.hints) - task.hints_given
        parts = []
        if task.status == "active":
            if left:
                parts.append(f"[@click=screen.console('hint')]h hint ({left} left)[/]")
            elif task.spec.hints:
                parts.append("no more hints")
            if task.spec.solution:
                parts.append("[@click=screen.console('solution')]s solution[/]")
            if task.waits_for_done:
                parts.append("[@click=screen.console('check')]c check: I am done[/]")
        markup = "   ".join(parts)
        if self._texts.get("keys") != markup:
            self._texts["keys"] = markup
            self._keys.update(Content.from_markup(markup))
            self._keys.display = bool(parts)

    def _put(self, name: str, static: Static, text: str) -> None:
        """Change a text that has changed."""
        if self._texts.get(name) != text:
            self._texts[name] = text
            static.update(text)

    def _mark_down(self, name: str, widget: Markdown, text: str) -> bool:
        """Change a Markdown text that has changed; whether it had."""
        if self._texts.get(name) == text:
            return False
        self._texts[name] = text
        widget.update(text)
        return True

    # -- keys --------------------------------------------------------------------------------------------------------

    def action_turn(self, count: int) -> None:
        """Read another task."""
        session = self.session
        if session is None or not isinstance(session.tasks, Tasks) or not session.tasks.states:
            return
        total = len(session.tasks.states)
        # Behind the last task comes the end of the lesson, once it was reached.
        now = self._read or self._active
        other = max(1, min(max(total, self._active), now + count))
        self._read = 0 if other == self._active else other
        self.show(session, "")
