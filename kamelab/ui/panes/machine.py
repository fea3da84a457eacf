"""State machines drawn from their tables, and lifetimes as bars: parts of lines for the feet of panes.

A drawing is laid out by hand, its arrows are not: an arrow stands where the table has a transition and carries the
table's first event for it. The present state stands in brackets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Part = tuple[str, str]
"""Text and its component class, or ""."""
Table = Mapping[tuple[str, str], tuple[str, str]]
"""(state, event) to (next state, rule)."""
INDENT = "   "
GONE = "gone"
"""How the state of what is not there is called."""


def event_of(table: Table, old: str, new: str) -> str:
    """The first event that leads from one state to another; empty where none does."""
    return next((event for (state, event), (to, _) in table.items() if state == old and to == new), "")


def box(state: str, lit: str, style: str) -> Part:
    """A state; in brackets where it is the present one."""
    name = state or GONE
    return (f"[{name}]", style) if state == lit else (f" {name} ", "table--muted")


def chain(table: Table, states: Sequence[str], lit: str, style: str, *, leftwards: bool = False) -> list[Part]:
    """States in a row with the arrows between neighbours; ``leftwards``: the last one comes first in time."""
    parts: list[Part] = []
    for at, state in enumerate(states):
        if at:
            before = states[at - 1]
            event = event_of(table, state, before) if leftwards else event_of(table, before, state)
            arrow = (f"<--{event}--" if leftwards else f"--{event}-->") if event else "  "
            parts.append((arrow, ""))
        parts.append(box(state, lit, style))
    return parts


def width_of(parts: Sequence[Part]) -> int:
    """Cells of a line."""
    return sum(len(text) for text, _ in parts)


def start_of(parts: Sequence[Part], state: str) -> int:
    """The cell where the box of a state begins."""
    at = 0
    for text, _ in parts:
        if text[1:-1] == (state or GONE):
            return at
        at += len(text)
    return 0


def exits(table: Table, state: str) -> list[list[Part]]:
    """What leads out of a state: a line for each next state, with events and rules."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for (old, event), (new, rule) in table.items():
        if old == state and new != state:
            events, rules = found.setdefault(new, ([], []))
            events.append(event)
            if rule not in rules:
                rules.append(rule)
    lines: list[list[Part]] = []
    for new, (events, rules) in found.items():
        lines.append(
            [
                (f"{INDENT}{'to' if not lines else '  '} ", "table--muted"),
                (f"{new or GONE:<11}" if len(new) < 11 else f"{new} ", ""),
                (", ".join(events), ""),
                (f"  {short(rules)}", "table--muted"),
            ]
        )
    return lines


def short(rules: Sequence[str]) -> str:
    """Rules in one line, RFCs first, each named once: ``RFC 4861 7.2.5, 7.3.1; KAME ndp.c``."""
    found: dict[str, list[str]] = {}
    for rule in sorted(rules, key=lambda rule: not rule.startswith("RFC ")):
        words = rule.split(" ")
        at = 2 if rule.startswith("RFC ") else len(words)
        found.setdefault(" ".join(words[:at]), []).append(" ".join(words[at:]))
    return "; ".join(f"{name} {', '.join(parts)}".rstrip(" ,") for name, parts in found.items())


def bar(left: int, total: int, cells: int) -> str:
    """What is left of a span: ``[######----]``, ``cells`` wide with its brackets; never empty before the end."""
    room = max(1, cells - 2)
    full = 0 if total <= 0 or left <= 0 else max(1, min(room, -(-left * room // total)))
    return f"[{'#' * full}{'-' * (room - full)}]"
