"""The app: themes, the palette, the chooser, and one lab at a time. `run_app` and `run_chooser` are its ways in.

The lab's screen is imported after the first picture, which is the lab's title: somebody who waits wants to see that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.command import Provider
from textual.screen import Screen
from textual.widgets import Static

from kamelab.ui.theme import DARK, THEMES, tokens

if TYPE_CHECKING:
    from kamelab.lab.session import Session
    from kamelab.ui.runner import Runner
    from kamelab.ui.screens.lab import LabScreen


def _palette() -> type[Provider]:
    from kamelab.ui.palette import LabCommands

    return LabCommands


class KamelabApp(App[int]):
    """Shows a lab, or the chooser where there is none yet."""

    TITLE = "kamelab"
    CSS = "#splash { height: 1; background: $panel; color: $foreground; text-style: bold; padding: 0 1; }"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = App.COMMANDS | {_palette}

    def __init__(
        self, session: Session | None = None, *, opener: Callable[[], Session] | None = None, speed: float = 1.0
    ) -> None:
        super().__init__()
        self.session = session
        self.opener = opener
        """Opens the session behind the first picture."""
        self.failure: Exception | None = None
        """Why it could not be opened: for who started the app."""
        self.speed = speed
        """At which labs begin: virtual seconds a second, 0 as fast as can be."""
        self.chosen = session is None and opener is None
        """It began with the chooser: leaving a lab leads back there."""
        if "TEXTUAL_ANIMATIONS" not in os.environ:
            self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        wish = os.environ.get("KAMELAB_THEME", DARK)
        self.theme = wish if wish in self.available_themes else DARK

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours of protocols, outcomes and marks, from the theme in use."""
        return tokens(self.current_theme)

    @property
    def runner(self) -> Runner | None:
        """The runner of the lab in sight."""
        lab = self.lab_screen
        return lab.runner if lab is not None else None

    @property
    def lab_screen(self) -> LabScreen | None:
        """The screen of the lab, if there is one, maybe under another."""
        return next((screen for screen in self.screen_stack if screen.id == "lab"), None)  # type: ignore[return-value]

    def compose(self) -> ComposeResult:
        """The first picture: what is being opened."""
        title = self.session.lab.title if self.session is not None else "a laboratory for IPv6 and IPsec"
        yield Static(f"kamelab  {title}", id="splash", markup=False)

    def on_mount(self) -> None:
        """The lab, or the chooser, behind the first picture."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self.opener is not None:
            opener, self.opener = self.opener, None
            try:
                self.session = opener()
            except Exception as error:
                self.failure = error
                self.exit(1)
                return
        if self.session is not None:
            self._show_lab(self.session)
        else:
            self._choose()

    def _show_lab(self, session: Session) -> None:
        from kamelab.ui.screens.lab import LabScreen

        self.push_screen(LabScreen(session, self.speed))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's own, less what makes no sense here."""
        for command in super().get_system_commands(screen):
            if command.title not in ("Maximize", "Minimize", "Keys"):
                yield command

    # -- labs --------------------------------------------------------------------------------------------------------

    def give(self, line: str) -> None:
        """A console line from the palette."""
        lab = self.lab_screen
        if lab is not None:
            lab.give(line)

    def open_lab(self, path_or_name: str) -> None:
        """Open another lab, or a kept session; the present one is kept."""
        from kamelab.core.errors import KamelabError
        from kamelab.lab.opening import open_session
        from kamelab.lab.reading import LabError

        try:
            session = open_session(path_or_name)
        except (LabError, KamelabError, OSError) as error:
            self.notify(str(error), title=f"{path_or_name} can't be opened", severity="error", timeout=10, markup=False)
            return
        self.keep()
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if self.session is not None:
            self.session.close()
        self.session = session
        self._show_lab(session)

    def action_chooser(self) -> None:
        """To the chooser; the session is kept."""
        self.keep()
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if self.session is not None:
            self.session.close()
            self.session = None
        self.chosen = True
        self._choose()

    def _choose(self) -> None:
        from kamelab.ui.screens.chooser import ChooserScreen

        self.push_screen(ChooserScreen())

    def leave_lab(self) -> None:
        """``quit``: back to the chooser where it began there, else out."""
        if self.chosen:
            self.action_chooser()
        else:
            self.exit(0)

    def keep(self) -> None:
        """Keep the session in the state directory, if anything was done in it."""
        if self.session is not None and self.session.journal:
            from kamelab.ui.history import autosave

            autosave(self.session.name, self.session.save())


def run_app(opener: Callable[[], Session]) -> int:
    """The screen on the session that ``opener`` opens, until it is left; the exit status.

    Raises what ``opener`` raises, after the terminal was given back.
    """
    return _run(KamelabApp(opener=opener))


def run_chooser() -> int:
    """The screen with the chooser; the exit status."""
    return _run(KamelabApp())


def _run(app: KamelabApp) -> int:
    try:
        app.run()
    finally:
        # Also after a crash: nothing that was done may be lost.
        app.keep()
        if app.session is not None:
            app.session.close()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0
