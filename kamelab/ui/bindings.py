"""Every key of the lab screen, in one table: what it does, its Ctrl or function key, and what can be typed instead.

The table feeds Textual's bindings, the help screen and the palette. Letter keys are those of a pane with the focus;
they do nothing while somebody types. Each binding has an id, so that a keymap can change it.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """One action and its ways in."""

    id: str
    action: str
    title: str
    keys: str
    """Keys of a pane, comma-separated as Textual writes them."""
    anywhere: str = ""
    """A key that works while typing too."""
    typed: str = ""
    """The console command that does the same."""
    tooltip: str = ""


KEYS: tuple[Key, ...] = (
    Key("time.toggle", "toggle_run", "Run or pause", "space", "ctrl+r", "run, pause", "Let time run, or stop it"),
    Key("time.step", "step", "Step one event", "full_stop", "ctrl+n", "step", "Let the next event happen"),
    Key("time.back", "back", "Back one event", "comma", "ctrl+b", "back", "Take the last event back"),
    Key("time.timer", "next_timer", "To the next timer", "n", "ctrl+t", "step timer", "Run until a timer fires"),
    Key("time.packet", "next_packet", "To the next packet", "p", "", "step packet", "Run until a packet arrives"),
    Key("time.faster", "faster", "Faster", "plus", "", "speed 10", "The next higher speed"),
    Key("time.slower", "slower", "Slower", "minus", "", "speed 0.1", "The next lower speed"),
    Key("node.next", "other_node(1)", "Next node", "right_square_bracket", "", "select NODE", "Select the next node"),
    Key("node.previous", "other_node(-1)", "Previous node", "left_square_bracket", "", "select NODE"),
    Key("view.map", "jump('map')", "Map", "1", "", "nodes, links"),
    Key("view.neighbors", "jump('neighbors')", "Neighbors", "2", "f2", "ndp -an"),
    Key("view.routes", "jump('routes')", "Routes", "3", "f3", "netstat -nr"),
    Key("view.prefixes", "jump('prefixes')", "Prefixes", "4", "f4", "ndp -p"),
    Key("view.interfaces", "jump('interfaces')", "Interfaces", "5", "f5", "ifconfig"),
    Key("view.routers", "jump('routers')", "Routers", "6", "f6", "ndp -r"),
    Key("view.sockets", "jump('sockets')", "Sockets", "7", "f7", "netstat -a"),
    Key("view.timers", "jump('timers')", "Timers", "8", "f8", "timers"),
    Key("view.addresses", "jump('addresses')", "Addresses", "a", "", "ifconfig -L"),
    Key("view.groups", "jump('groups')", "Multicast groups", "g", "", "ifmcstat"),
    Key("view.mtu", "jump('mtu')", "Path MTU and fragments", "m", "", "netstat -nr", "What is too big for a path"),
    Key("view.statistics", "jump('statistics')", "Statistics", "d", "", "netstat -s", "Drops and counters"),
    Key("view.task", "jump('task')", "Task", "9,t", "f9", "task"),
    Key("view.packets", "jump('packets')", "Packets", "0", "f10", "trace"),
    Key("view.inside", "jump('inside')", "Inside a packet", "i", "ctrl+o", "show NUMBER", "Decode and octets"),
    Key("view.ladder", "ladder", "Ladder", "l", "ctrl+l", "ladder FILTER", "Packets as arrows between the nodes"),
    Key("view.zoom", "zoom", "Zoom the pane", "z", "ctrl+g", "", "The focused pane alone, or all again"),
    Key("view.filter", "filter", "Filter packets", "slash", "ctrl+f", "trace FILTER", "A display filter for the list"),
    Key("view.output", "drawer", "Output", "o", "ctrl+y", "", "Open or close the output of commands"),
    Key("lab.hint", "console('hint')", "Hint", "h", "", "hint", "The next hint of the task"),
    Key("lab.why", "why", "Why", "w", "", "why WHAT", "What the row under the cursor came from, by which rules"),
    Key("lab.prompt", "prompt", "Prompt", "colon", "", "", "To the line where commands are typed"),
    Key("app.help", "help", "Help", "question_mark", "f1", "help", "What the focused pane shows, and all keys"),
)
"""In the order of the help screen. `Ctrl+P` (palette), `Ctrl+Q` (quit) and `Ctrl+C` (interrupt) are the app's."""

NAMES = {
    "space": "Space",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "minus": "-",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
}


def key_text(keys: str) -> str:
    """Keys as a reader calls them: ``9, t``, ``Ctrl+R``."""
    out = []
    for key in keys.split(","):
        if key.startswith("ctrl+"):
            out.append(f"Ctrl+{key[5:].upper()}")
        elif len(key) > 1 and key[0] == "f" and key[1:].isdigit():
            out.append(key.upper())
        else:
            out.append(NAMES.get(key, key))
    return " ".join(out)


def bindings() -> list[Binding]:
    """The table as Textual's bindings: those that work while typing take precedence over the prompt's own keys."""
    found = []
    for key in KEYS:
        tooltip = key.tooltip or key.title
        found.append(Binding(key.keys, key.action, key.title, show=False, id=key.id, tooltip=tooltip))
        if key.anywhere:
            found.append(
                Binding(
                    key.anywhere,
                    key.action,
                    key.title,
                    show=False,
                    id=f"{key.id}.anywhere",
                    tooltip=tooltip,
                    priority=True,
                )
            )
    return found
