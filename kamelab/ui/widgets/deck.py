"""The deck: the state panes of one node, one in sight, the others a tab away."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from kamelab.ui.panes import STATE_PANES
from kamelab.ui.panes.base import Pane, TablePane
from kamelab.ui.samples import Samples

TITLES = {pane.PANE_ID: pane.TITLE or pane.PANE_ID for pane in STATE_PANES}
_KINDS = {pane.PANE_ID: pane for pane in STATE_PANES}
DIGITS = {pane.PANE_ID: pane.DIGIT for pane in STATE_PANES}
SHORT = {"interfaces": "if", "addresses": "addr", "statistics": "stats"}
"""Words for the row of tabs where there is no room for the whole ones."""


def dropped(names: dict[str, str]) -> int:
    """Blanks that are saved by tabs without a word."""
    return sum(not name for name in names.values())


class TabRow(Widget):
    """One line: the pane in sight with its node, then the others. Each can be clicked."""

    DEFAULT_CSS = """
    TabRow {
        height: 1;
        background: $panel;
        color: $text-muted;
        link-style: none;
        link-color: $text-muted;
        link-background: transparent;
        link-style-hover: underline;
        link-color-hover: $foreground;
        link-background-hover: transparent;
    }
    """

    current: reactive[str] = reactive("")
    node: reactive[str] = reactive("")
    alone: reactive[bool] = reactive(False)
    """Only the pane in sight, no tabs: a second deck follows the first."""
    focused: reactive[bool] = reactive(False)

    def render(self) -> Content:
        """Names in full where they fit, else short words, then keys alone for letters, then parts of words."""
        digit, name = DIGITS[self.current], TITLES[self.current]
        here = f" {digit} {name} -- {self.node}"
        style = "b $text-primary reverse" if self.focused else "b $foreground"
        head = Content.from_markup(f"[{style}]$here[/]", here=here)
        if self.alone:
            return head
        others = [pane for pane in TITLES if pane != self.current]
        room = self.size.width - head.cell_length
        names = {one: TITLES[one] for one in others}
        if sum(map(len, names.values())) + 3 * len(others) > room:
            names = {one: SHORT.get(one, name) for one, name in names.items()}
        for one in reversed(others):
            # Panes with a letter for their key stand with that alone, the last ones first.
            if not DIGITS[one].isdigit() and sum(map(len, names.values())) + 3 * len(others) - dropped(names) > room:
                names[one] = ""
        letters = {one: len(name) for one, name in names.items()}
        # The longest name gives a letter, until all go in.
        for _ in range(max(0, sum(letters.values()) + 3 * len(others) - dropped(names) - room)):
            longest = max(others, key=lambda one: letters[one])
            letters[longest] = max(2, letters[longest] - 1)
        parts = [head]
        for one in others:
            parts.append(
                Content.from_markup(
                    f"[@click=screen.jump('{one}')] [$foreground]$digit[/]$name[/]",
                    digit=DIGITS[one],
                    name=f" {names[one][: letters[one]]}".rstrip(),
                )
            )
        return Content("").join(parts)


class Deck(Vertical):
    """State panes of one node. A pane is made when it is first looked at."""

    DEFAULT_CSS = """
    Deck {
        height: 1fr;
        width: 1fr;
        & Pane { height: 1fr; border: none; }
        & Pane:focus { border: none; }
    }
    """

    def __init__(self, *, alone: bool = False, samples: Samples | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.alone = alone
        self.samples = samples
        """Figures over time, for the panes that draw them."""
        self._panes: dict[str, TablePane] = {}
        self.current = STATE_PANES[0].PANE_ID

    def compose(self) -> ComposeResult:
        row = TabRow()
        row.alone = self.alone
        row.current = self.current
        yield row
        yield self._make(self.current)

    def _make(self, pane_id: str) -> TablePane:
        kind = _KINDS[pane_id]
        pane = self._panes[pane_id] = kind()
        pane.samples = self.samples
        return pane

    @property
    def pane(self) -> TablePane:
        """The pane in sight."""
        return self._panes[self.current]

    def turn_to(self, pane_id: str) -> None:
        """Bring a pane in sight."""
        if pane_id not in self._panes:
            self.mount(self._make(pane_id))
        self.current = pane_id
        for name, pane in self._panes.items():
            pane.display = name == pane_id
        self.query_one(TabRow).current = pane_id

    def name_node(self, node: str) -> None:
        """Whose state it is."""
        self.query_one(TabRow).node = node

    def on_descendant_focus(self) -> None:
        """The tab of a focused pane is marked."""
        self.query_one(TabRow).focused = True

    def on_descendant_blur(self) -> None:
        """Or no more."""
        self.query_one(TabRow).focused = False


def is_state_pane(pane_id: str) -> bool:
    """Whether a pane lives in the deck."""
    return pane_id in TITLES


__all__ = ["Deck", "Pane", "TabRow", "is_state_pane"]
