"""The chooser: the labs that come with kamelab, sessions that were kept, or a file. At the right what is in one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from kamelab.core.errors import KamelabError
from kamelab.lab.console_show import clock_text
from kamelab.lab.journal import load as load_journal
from kamelab.lab.layout import draw
from kamelab.lab.library import list_labs, short_name
from kamelab.lab.loader import load_lab
from kamelab.lab.reading import LabError
from kamelab.lab.schema import Lab
from kamelab.ui.history import kept_sessions

if TYPE_CHECKING:
    from kamelab.ui.app import KamelabApp

FILE = "file"


class Choice(NamedTuple):
    """One line of the list."""

    target: str
    """What is opened: a lab's name, a path, or `FILE`."""
    title: str
    note: str
    lab: Lab | None
    about: str = ""
    """Words about a session."""


@lru_cache(maxsize=1)
def _labs() -> tuple[Choice, ...]:
    """The shipped labs. One that is invalid is listed with what is wrong with it."""
    found = []
    for source in list_labs():
        try:
            lab = load_lab(source.text, source.path)
        except LabError as error:
            found.append(Choice(source.name, source.name, "invalid", None, str(error)))
            continue
        minutes = f"{lab.minutes} min" if lab.minutes else ""
        note = ", ".join(part for part in (lab.level, minutes) if part)
        number = source.name.partition("-")[0]
        title = f"{number} {lab.title}" if number.isdigit() else lab.title
        found.append(
            Choice(source.name, title, "", lab, f"{note}; kamelab open {short_name(source.name)}".lstrip("; "))
        )
    return tuple(found)


def _sessions() -> list[Choice]:
    """Sessions that were left, where they can be read."""
    found = []
    for path in kept_sessions():
        try:
            saved = load_journal(path.read_text(encoding="utf-8"), str(path))
            lab = load_lab(saved.head.lab, str(path))
        except (OSError, UnicodeDecodeError, LabError, KamelabError):
            continue
        lines = sum(entry.kind == "line" for entry in saved.entries)
        note = f"at {clock_text(saved.tail.time)}"
        about = f"Left at {clock_text(saved.tail.time)} after {saved.tail.events} events and {lines} commands."
        found.append(Choice(str(path), lab.title, note, lab, about))
    return found


class ChooserScreen(Screen[None]):
    """What to open."""

    AUTO_FOCUS = "#choices"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", show=False, id="chooser.open", tooltip="Open what is marked"),
        Binding("f", "file", "Open a file", show=False, id="chooser.file", tooltip="Open a lab or session file"),
        Binding("j", "move(1)", "Down", show=False, id="chooser.down"),
        Binding("k", "move(-1)", "Up", show=False, id="chooser.up"),
        Binding("escape", "escape", "Back", show=False, id="chooser.back"),
        Binding("q", "app.quit", "Quit", show=False, id="chooser.quit"),
    ]

    DEFAULT_CSS = """
    ChooserScreen {
        background: $background;
        & #banner { height: 1; background: $panel; padding: 0 1; }
        & #middle { height: 1fr; }
        & #choices {
            width: 45%;
            min-width: 34;
            height: 1fr;
            border: none;
            padding: 0;
            background: $background;
            border-right: solid $foreground 30%;
            &:focus { border: none; border-right: solid $foreground 30%; }
        }
        & #about { width: 1fr; height: 1fr; padding: 0 2; }
        & #path { display: none; height: 1; border: none; padding: 0 1; &.-open { display: block; } }
        & #chooser-keys { height: 1; background: $panel; padding: 0 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.choices: list[Choice] = []

    def compose(self) -> ComposeResult:
        yield Static(Content.from_markup("[b]kamelab[/b]  a laboratory for IPv6 in a terminal"), id="banner")
        with Horizontal(id="middle"):
            yield OptionList(id="choices", compact=True)
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="text", markup=False)
        yield Input(id="path", compact=True, placeholder="path of a lab (.toml) or session file; Enter opens it")
        keys = "[b $footer-key-foreground]Enter[/] open  [b $footer-key-foreground]f[/] file  "
        keys += "[b $footer-key-foreground]↑↓[/] choose  [b $footer-key-foreground]^P[/] palette  "
        keys += "[b $footer-key-foreground]q[/] quit"
        yield Static(Content.from_markup(keys), id="chooser-keys")

    def on_mount(self) -> None:
        """Read what there is, after the first picture."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        box = self.query_one("#choices", OptionList)
        box.clear_options()
        self.choices = []
        box.add_option(Option(Content.styled(" Labs", "bold"), disabled=True))
        self._add(box, _labs())
        sessions = _sessions()
        if sessions:
            box.add_option(Option(Content(""), disabled=True))
            box.add_option(Option(Content.styled(" Go on where you left", "bold"), disabled=True))
            self._add(box, sessions)
        box.add_option(Option(Content(""), disabled=True))
        about = "The path of a lab file or of a session file. `kamelab schema` prints what a lab file may hold."
        self._add(box, [Choice(FILE, "Open a file ...", "f", None, about)])
        box.highlighted = 1

    def _add(self, box: OptionList, choices: list[Choice] | tuple[Choice, ...]) -> None:
        for choice in choices:
            self.choices.append(choice)
            text = Content(f"  {choice.title}  ") + Content.styled(choice.note, "$text-muted")
            box.add_option(Option(text, id=f"c{len(self.choices) - 1}"))

    def _choice(self, option_id: str | None) -> Choice | None:
        return self.choices[int(option_id[1:])] if option_id else None

    @on(OptionList.OptionHighlighted, "#choices")
    def _looked_at(self, event: OptionList.OptionHighlighted) -> None:
        choice = self._choice(event.option_id)
        if choice is not None:
            self.query_one("#text", Static).update(self._about(choice))

    def _about(self, choice: Choice) -> Content:
        """Title, summary, map, tasks."""
        if choice.lab is None:
            return Content(f"\n{choice.about}")
        lab = choice.lab
        parts = ["", choice.about, ""] if choice.about else [""]
        parts += [lab.summary, ""]
        room = max(30, self.query_one("#about").size.width - 5)
        drawn = draw(lab)
        if drawn.width > room:
            drawn = draw(lab, boxes=False)
        parts += [*drawn.lines, ""]
        if lab.tasks:
            parts += ["Tasks"] + [f"  {number}. {task.title}" for number, task in enumerate(lab.tasks, 1)] + [""]
        if lab.references:
            parts += ["To read", *(f"  {reference}" for reference in lab.references)]
        return Content.styled(f"\n{lab.title}\n", "bold") + Content("\n".join(parts))

    @on(OptionList.OptionSelected, "#choices")
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        choice = self._choice(event.option_id)
        if choice is None:
            return
        if choice.target == FILE:
            self.action_file()
        else:
            self._open(choice.target)

    def _open(self, target: str) -> None:
        app: KamelabApp = self.app  # type: ignore[assignment]
        app.open_lab(target)

    def action_open(self) -> None:
        """Open what is marked."""
        self.query_one("#choices", OptionList).action_select()

    def action_move(self, step: int) -> None:
        """Up or down in the list."""
        box = self.query_one("#choices", OptionList)
        if step > 0:
            box.action_cursor_down()
        else:
            box.action_cursor_up()

    def action_file(self) -> None:
        """Ask for a path."""
        field = self.query_one("#path", Input)
        field.add_class("-open")
        field.focus()

    def action_escape(self) -> None:
        """Away with the path; else nothing."""
        self.query_one("#path", Input).remove_class("-open")
        self.query_one("#choices", OptionList).focus()

    @on(Input.Submitted, "#path")
    def _path_given(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            # A name without a slash would be looked for among the shipped labs first.
            self._open(str(Path(event.value.strip()).expanduser().absolute()))
