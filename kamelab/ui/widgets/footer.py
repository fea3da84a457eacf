"""The key line at the bottom: the few keys that matter where the focus is. Each can be clicked."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

Keys = tuple[tuple[str, str, str], ...]
"""(key, what it does, action) of each."""

PROMPT: Keys = (
    ("Esc", "panes", "screen.leave_prompt"),
    ("Tab", "complete", "screen.complete"),
    ("^R", "run", "screen.toggle_run"),
    ("^N", "step", "screen.step"),
    ("^B", "back", "screen.back"),
    ("F1", "help", "screen.help"),
    ("^P", "menu", "app.command_palette"),
    ("^Q", "quit", "app.quit"),
)
PROGRAM: Keys = (
    ("^C", "interrupt", "screen.interrupt"),
    ("^R", "pause/run", "screen.toggle_run"),
    ("Esc", "panes", "screen.leave_prompt"),
    ("F1", "help", "screen.help"),
    ("^P", "palette", "app.command_palette"),
)
READING: Keys = (
    ("Enter", "give the line to the program", ""),
    ("^D", "end of file", "screen.end_of_file"),
    *PROGRAM[:1],
)
PANE: Keys = (
    (":", "prompt", "screen.prompt"),
    (",", "back", "screen.back"),
    (".", "step", "screen.step"),
    ("n", "timer", "screen.next_timer"),
    ("Space", "run", "screen.toggle_run"),
    ("i", "inside", "screen.jump('inside')"),
    ("w", "why", "screen.why"),
    ("t", "task", "screen.jump('task')"),
    ("?", "help", "screen.help"),
    ("z", "zoom", "screen.zoom"),
    ("/", "filter", "screen.filter"),
    ("l", "ladder", "screen.ladder"),
    ("1-9 0 a g m d", "panes", ""),
    ("[ ]", "node", "screen.other_node(1)"),
    ("o", "output", "screen.drawer"),
)


def pane_keys(slot: str) -> Keys:
    """`PANE` where ``slot`` stands in place of the state panes: the key that opened it hides it."""
    return tuple((key, "hide" if slot and f"'{slot}'" in action else word, action) for key, word, action in PANE)


class KeyLine(Widget):
    """One line of keys; as many as there is room for."""

    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; padding: 0 1;
        link-style: none;
        link-color: $foreground;
        link-background: transparent;
        link-style-hover: underline;
        link-color-hover: $foreground;
        link-background-hover: transparent;
    }
    """

    keys: reactive[Keys] = reactive(PROMPT)
    """(key, what it does, action)."""

    def render(self) -> Content:
        """Keys in bold, each with its word."""
        parts: list[Content] = []
        room = self.size.width
        for key, word, action in self.keys:
            part = Content.from_markup("[b $footer-key-foreground]$key[/] $word", key=key, word=word)
            if action:
                part = Content.from_markup(
                    f"[@click={action}][b $footer-key-foreground]$key[/] $word[/]", key=key, word=word
                )
            if room < part.cell_length:
                break
            room -= part.cell_length + 2
            parts.append(part)
        return Content("  ").join(parts)
