"""The help screen: what the focused pane shows, its keys, and all keys."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Markdown

from kamelab.ui.help import help_text


class HelpScreen(ModalScreen[None]):
    """Over the lab; any of its keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "close", "Close", id="help.close", tooltip="Back to the lab"),
        Binding("down,j", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="help.up"),
    ]

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll {
            width: 90%;
            max-width: 100;
            height: 90%;
            background: $surface;
            border: round $border;
            border-title-color: $text-primary;
            padding: 0 1;
        }
    }
    """

    def __init__(self, about: Widget | None) -> None:
        super().__init__()
        self.about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "help"
            box.border_subtitle = "Esc closes"
            yield Markdown(help_text(self.about))

    def action_close(self) -> None:
        """Back to the lab."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Up or down."""
        self.query_one(VerticalScroll).scroll_relative(y=lines * 2, animate=False)
