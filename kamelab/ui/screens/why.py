"""The explanation of one row or packet over the lab: what ``why`` prints, folded with hanging lines."""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from kamelab.lab.why_text import Explanation

HANGING = 7
"""Cells by which the rest of a folded line of the trace stands further in."""


def fold(about: Explanation, width: int) -> Content:
    """The explanation in lines of at most ``width`` cells."""
    parts = [Content.from_markup("[b]$line[/]", line=line) for line in wrap(about.title, width)]
    for heading, lines in about.sections:
        parts += [Content(""), Content.from_markup("[b $text-primary]$heading[/]", heading=f"{heading}:")]
        for line in lines:
            body = line.lstrip()
            # A line of the trace begins with its number, set to the right.
            further = HANGING if line[:1] == " " and body[:1].isdigit() else 2
            indent = len(line) - len(body) + further
            hanging = " " * min(indent, width // 3)
            parts += [Content(one) for one in wrap(line, width, subsequent_indent=hanging, break_on_hyphens=False)]
    return Content("\n").join(parts)


class WhyScreen(ModalScreen[None]):
    """Over the lab; `Esc` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,w,q", "close", "Close", id="why.close", tooltip="Back to the lab"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="why.down", tooltip="Down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="why.up", tooltip="Up"),
        Binding("pagedown,space", "scroll(10)", "Page down", show=False, id="why.page-down", tooltip="A page down"),
        Binding("pageup", "scroll(-10)", "Page up", show=False, id="why.page-up", tooltip="A page up"),
        Binding("y", "copy", "Copy", show=False, id="why.copy", tooltip="Copy the explanation"),
    ]

    DEFAULT_CSS = """
    WhyScreen {
        align: center middle;
        & > VerticalScroll {
            width: 95%;
            max-width: 130;
            height: auto;
            max-height: 90%;
            background: $surface;
            border: round $border;
            border-title-color: $text-primary;
            border-subtitle-color: $text-muted;
            padding: 0 1;
            scrollbar-size-vertical: 1;
        }
    }
    """

    def __init__(self, question: str, about: Explanation) -> None:
        super().__init__()
        self.question = question
        self.about = about

    def compose(self) -> ComposeResult:
        """A box that scrolls."""
        with VerticalScroll() as box:
            box.border_title = Content.from_markup("$title", title=f"why {self.question}")
            box.border_subtitle = "Esc closes, y copies"
            yield Static("", id="why-text", markup=False)

    def on_mount(self) -> None:
        """Lay the text out."""
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Another width, other lines."""
        self._lay_out()

    def _lay_out(self) -> None:
        # The frame, the padding and the scroll bar take 5 cells.
        width = min(130, self.app.size.width * 95 // 100) - 5
        self.query_one("#why-text", Static).update(fold(self.about, max(20, width)))

    def action_close(self) -> None:
        """Back to the lab."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=lines * 2, animate=False)

    def action_copy(self) -> None:
        """Put the whole text into the clipboard."""
        self.app.copy_to_clipboard(self.about.text())
        self.notify("The explanation is in the clipboard.")
