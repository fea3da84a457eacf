"""What the help screen says: about the focused pane, and about all keys."""

from __future__ import annotations

from textual.widget import Widget

from kamelab.ui.bindings import KEYS, key_text

PROMPT_HELP = """\
## Prompt

Type what a BSD user types. The name before the `#` is the selected node: a line goes there, unless it begins with
another node's name - `h2: ifconfig` - or with `all:`. A line that begins with one of kamelab's own commands
(`run 5s`, `step`, `back`, `trace`, `link lan1 down` ...; `help` lists them) is for the lab itself.

A program runs the clock until it ends, at the speed that the clock line shows, also when time is paused.

| Key | Does |
| --- | --- |
| `Tab` | completes commands, options, nodes, interfaces, addresses; again: goes through what is possible |
| `Up` `Down` | history |
| `Ctrl+C` | interrupts the program; with nothing running, clears the line |
| `Ctrl+D` | end of file, to a program that reads |
| `Esc` | leaves the prompt for the panes; `:` comes back |
"""

SCREEN_HELP = """\
## This screen

On top the clock line: whether time runs, where it stands, how many events have happened, how fast it goes, what comes
next. Time stands still until you let it run. Every pane shows the selected node as it is at that moment; rows that are
new are marked `+`, changed ones `~`, removed ones `-`.

Enter on a row shows the packets that belong to it, `l` draws them as arrows between the nodes, `w` tells what made it.
Everything can be clicked. Hold Shift while dragging to select text with the terminal's own means.
"""


def pane_help(widget: Widget | None) -> str:
    """The text of the nearest pane around a widget; that of the prompt where it has none."""
    for node in widget.ancestors_with_self if widget is not None else ():
        text = getattr(node, "HELP", None)
        if isinstance(node, Widget) and isinstance(text, str) and text:
            return text
    return PROMPT_HELP


def key_table() -> str:
    """All keys as a Markdown table."""
    lines = ["## Keys", "", "| Key | while typing | typed | does |", "| --- | --- | --- | --- |"]
    for key in KEYS:
        cells = (key_text(key.keys), key_text(key.anywhere), key.typed, key.tooltip or key.title)
        shown = [f"`{cell}`" if cell and number < 3 else cell for number, cell in enumerate(cells)]
        lines.append(f"| {' | '.join(shown)} |".replace("`|`", "`\\|`"))
    lines += [
        "| `Tab` | | | the next pane |",
        "| `Ctrl+P` | `Ctrl+P` | | the palette: every action, node and lab by name |",
        "| `Ctrl+C` | `Ctrl+C` | | interrupts the running program |",
        "| `Ctrl+Q` | `Ctrl+Q` | `quit` | leave; the session is kept and the chooser offers it again |",
    ]
    return "\n".join(lines)


def help_text(widget: Widget | None) -> str:
    """The whole help screen, in Markdown."""
    return "\n".join((pane_help(widget), "", SCREEN_HELP, "", key_table()))
