"""The filter line: a display filter for the packet list, with what is wrong with it above."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static


class FilterLine(Vertical):
    """Opens over the end of the packet list; Enter gives the filter, Esc (the screen's) closes it."""

    DEFAULT_CSS = """
    FilterLine {
        display: none;
        height: auto;
        background: $panel;
        &.-open { display: block; }
        & > #filter-error { display: none; height: auto; color: $text-error; padding: 0 1; }
        & > #filter-error.-open { display: block; }
        & > #filter-line { height: 1; }
        & #filter-label { width: auto; padding: 0 1; color: $text-primary; text-style: bold; }
        & #filter-input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    }
    """

    class Given(Message):
        """A filter was given; empty for none."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def compose(self) -> ComposeResult:
        yield Static("", id="filter-error", markup=False)
        with Horizontal(id="filter-line"):
            yield Static("filter", id="filter-label")
            yield Input(id="filter-input", compact=True, placeholder="icmpv6.type == 135 && ipv6.src == fe80::/10")

    @on(Input.Submitted)
    def _given(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Given(event.value))

    @property
    def is_open(self) -> bool:
        """Whether it can be seen."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Show it with a filter to begin from."""
        self.add_class("-open")
        field = self.query_one("#filter-input", Input)
        field.value = text
        field.focus()

    def complain(self, text: str) -> None:
        """Say what is wrong; nothing where ``text`` is empty."""
        line = self.query_one("#filter-error", Static)
        line.update(text)
        line.set_class(bool(text), "-open")

    def close(self) -> None:
        """Hide it."""
        self.complain("")
        self.remove_class("-open")
