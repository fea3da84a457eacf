"""Keeps a pane's fault in the pane: an exception while it draws itself costs its lines, not the app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.strip import Strip

from kamelab.ui.panes.base import Pane

_MARK = "_kamelab_guarded"


def guard(pane: Pane, failed: Callable[[Pane, Exception], Any]) -> None:
    """Wrap the drawing of a line-API pane, once; ``failed`` is told, after the drawing."""
    if getattr(pane, _MARK, False):
        return
    setattr(pane, _MARK, True)
    draw = pane.render_line

    def render_line(y: int) -> Strip:
        try:
            return draw(y)
        except Exception as error:
            pane.call_later(failed, pane, error)
            text = f" this pane failed: {error}" if y == 0 else ""
            return Strip.blank(pane.size.width) if not text else _text(text, pane.size.width)

    setattr(pane, "render_line", render_line)  # noqa: B010 - mypy knows methods as fixed


def _text(text: str, width: int) -> Strip:
    from rich.segment import Segment

    return Strip([Segment(text)]).adjust_cell_length(width)
