"""A bare app around one pane, and the text of what it shows."""

from __future__ import annotations

from pathlib import Path

from textual.app import App, ComposeResult
from textual.message import Message

from kamelab.lab.console import execute
from kamelab.lab.opening import open_session
from kamelab.lab.session import Session
from kamelab.ui.panes import InsidePane, PacketList, Pane
from kamelab.ui.theme import DARK, THEMES, tokens


class PaneApp(App[None]):
    """Shows one pane over the whole screen."""

    CSS = "Pane { width: 1fr; height: 1fr; }"

    def __init__(self, pane: Pane, session: Session, node: str, theme: str = DARK) -> None:
        super().__init__()
        self.pane = pane
        self.session = session
        self.node = node
        self.wanted = theme
        self.told: list[Message] = []
        """What the pane told."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return tokens(self.current_theme)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.wanted
        self.pane.show(self.session, self.node)
        self.pane.focus()

    def do(self, *lines: str) -> None:
        """Give console lines, let them run to their end, and show what is then."""
        for line in lines:
            execute(self.session, line)
        self.pane.show(self.session, self.node)

    def on_packet_list_packet_selected(self, message: PacketList.PacketSelected) -> None:
        self.told.append(message)

    def on_packet_list_packet_opened(self, message: PacketList.PacketOpened) -> None:
        self.told.append(message)

    def on_inside_pane_packet_wanted(self, message: InsidePane.PacketWanted) -> None:
        self.told.append(message)


def demo(*lines: str) -> Session:
    """The demo, after these lines."""
    session = open_session("demo", seed=None)
    for line in lines:
        execute(session, line)
    return session


def lab(folder: Path, text: str, *lines: str) -> Session:
    """A lab of this text, after these lines."""
    path = folder / "lab.toml"
    path.write_text(text)
    session = open_session(str(path), seed=None)
    for line in lines:
        execute(session, line)
    return session


def screen_text(app: App[None]) -> str:
    """The screen as lines of text, blanks at their ends cut off."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    lines = ["".join(segment.text for segment in strip).rstrip() for strip in strips]
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    return "\n".join(lines) + "\n"
