"""The prompt: one line to type in, with history, completion, and the name of the node that it speaks to."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from kamelab.lab.session import Session
from kamelab.ui.completion import Candidate, complete
from kamelab.ui.history import History

SHOWN = 40
"""Candidates that are shown at most."""


class PromptInput(Input):
    """The line itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "older", "Older line", show=False, id="prompt.older", tooltip="The line before in the history"),
        Binding("down", "newer", "Newer line", show=False, id="prompt.newer", tooltip="The line after in the history"),
        Binding("tab", "complete", "Complete", show=False, id="prompt.complete", tooltip="Complete the word"),
        Binding("escape", "leave", "Leave", show=False, id="prompt.leave", tooltip="To the panes"),
        Binding("ctrl+c", "interrupt", "Interrupt", show=False, id="prompt.interrupt", tooltip="^C to the program"),
        Binding("ctrl+d", "end_of_file", "End of file", show=False, id="prompt.eof", tooltip="^D to the program"),
    ]

    def action_older(self) -> None:
        """Back in the history."""
        self._take(self._prompt.history.older(self.value))

    def action_newer(self) -> None:
        """Forward in the history."""
        self._take(self._prompt.history.newer())

    def _take(self, line: str | None) -> None:
        if line is not None:
            self.value = line
            self.cursor_position = len(line)

    def action_complete(self) -> None:
        """Complete the word before the cursor."""
        self._prompt.complete()

    def action_leave(self) -> None:
        """To the panes; first away with the candidates."""
        if not self._prompt.forget():
            self.post_message(Prompt.Left())

    def action_interrupt(self) -> None:
        """^C: copies what is selected, else goes to the foreground program, else clears the line."""
        if not self.selection.is_empty:
            self.action_copy()
            return
        self.post_message(Prompt.Interrupted())

    def action_end_of_file(self) -> None:
        """^D: on an empty line to the program; else deletes a character."""
        if self.value:
            self.action_delete_right()
        else:
            self.post_message(Prompt.Ended())

    @property
    def _prompt(self) -> Prompt:
        parent = self.parent
        while not isinstance(parent, Prompt):
            assert parent is not None
            parent = parent.parent
        return parent


class Prompt(Horizontal):
    """Label and line."""

    DEFAULT_CSS = """
    Prompt {
        height: auto;
        layout: vertical;
        background: $background;
        & > #candidates {
            display: none;
            height: auto;
            max-height: 6;
            background: $panel;
            color: $foreground;
            padding: 0 1;
            &.-open { display: block; }
        }
        & > #line { height: 1; }
        & #label { width: auto; height: 1; color: $text-primary; text-style: bold; padding: 0 1 0 1; }
        & PromptInput {
            width: 1fr;
            height: 1;
            border: none;
            padding: 0;
            background: $background;
            &:focus { border: none; background-tint: $foreground 0%; }
        }
    }
    """

    class Submitted(Message):
        """A line was given."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Left(Message):
        """The reader wants to the panes."""

    class Interrupted(Message):
        """^C."""

    class Ended(Message):
        """^D on an empty line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.history = History()
        self.session: Session | None = None
        self._candidates: tuple[Candidate, ...] = ()
        self._at = -1
        self._start = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="candidates")
        with Horizontal(id="line"):
            yield Static("#", id="label", markup=False)
            yield PromptInput(id="input", compact=True, select_on_focus=False)

    @property
    def input(self) -> PromptInput:
        """The line."""
        return self.query_one(PromptInput)

    def say_who(self, label: str, placeholder: str = "") -> None:
        """Whom the line speaks to: ``h1#``; and what is said where nothing is typed."""
        self.query_one("#label", Static).update(Content(label))
        self.input.placeholder = placeholder

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: the line goes out; or a candidate is taken."""
        event.stop()
        self.forget()
        line = event.value
        self.input.value = ""
        self.post_message(self.Submitted(line))

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was offered fits no more."""
        event.stop()
        if self._candidates and not self._offered(event.value):
            self.forget()

    def _offered(self, value: str) -> bool:
        return 0 <= self._at < len(self._candidates) and value[self._start :].startswith(
            self._candidates[self._at].text
        )

    def complete(self) -> None:
        """Tab: completes what is certain, then shows what is possible, then goes through it."""
        if self.session is None:
            return
        field = self.input
        if self._candidates:
            self._at = (self._at + 1) % len(self._candidates)
            head = field.value[: self._start]
            field.value = head + self._candidates[self._at].text
            field.cursor_position = len(field.value)
            self._show()
            return
        head, tail = field.value[: field.cursor_position], field.value[field.cursor_position :]
        found = complete(self.session, head)
        if not found.candidates:
            self.app.bell()
            return
        word = head[found.start :]
        if len(found.candidates) == 1:
            text = found.candidates[0].text
            end = "" if text.endswith("=") or tail.startswith(" ") else " "
            self._put(head[: found.start] + text + end, tail)
        elif len(found.common) > len(word):
            self._put(head[: found.start] + found.common, tail)
        elif not tail:
            self._candidates = found.candidates
            self._start = found.start
            self._at = -1
            self._show()

    def _put(self, head: str, tail: str) -> None:
        self.input.value = head + tail
        self.input.cursor_position = len(head)

    def _show(self) -> None:
        """The candidates above the line: with their notes where each can have a line, else side by side."""
        box = self.query_one("#candidates", Static)
        box.add_class("-open")
        shown = self._candidates[:SHOWN]
        if len(shown) <= 5:
            width = max(len(one.text) for one in shown)
            rows = [
                self._one(number, one.text.ljust(width)) + Content(f"  {one.note}") for number, one in enumerate(shown)
            ]
            box.update(Content("\n").join(rows))
            return
        parts = [self._one(number, one.text) for number, one in enumerate(shown)]
        if len(self._candidates) > SHOWN:
            parts.append(Content(f"... {len(self._candidates) - SHOWN} more"))
        text = Content("  ").join(parts)
        if self._at >= 0 and shown[self._at % len(shown)].note:
            one = shown[self._at % len(shown)]
            text += Content(f"\n{one.text}: {one.note}")
        box.update(text)

    def _one(self, number: int, text: str) -> Content:
        return Content.styled(text, "reverse") if number == self._at else Content(text)

    def forget(self) -> bool:
        """Away with the candidates; whether there were any."""
        had = bool(self._candidates)
        self._candidates = ()
        self._at = -1
        self.query_one("#candidates", Static).remove_class("-open")
        return had

    def on_click(self, event: events.Click) -> None:
        """A click anywhere in the prompt goes to the line."""
        self.input.focus()
