"""Rows of columns as the BSD tools print them, in which a long cell borrows room instead of being cut."""

from __future__ import annotations

from collections.abc import Sequence


def row_text(cells: Sequence[str], widths: Sequence[int], gaps: Sequence[int]) -> str:
    """Cells under their headings: a positive width is left aligned, a negative one right aligned.

    A cell that is too long pushes those behind it only as far as their own spare room does not take it up.
    """
    text = ""
    edge = 0
    for cell, width, gap in zip(cells, widths, gaps, strict=True):
        start = edge + gap
        edge = start + abs(width)
        at = max(len(text) + (1 if text else 0), start)
        if width < 0:
            at = max(at, edge - len(cell))
        text = text.ljust(at) + cell
    return text.rstrip()
