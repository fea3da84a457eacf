"""The octets of a frame in hexadecimal, those of one field marked by brackets and by reversed colours.

Lines have 16 octets, or 8 where there is no room for more.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kamelab.ui.panes.base import ink

OFFSET = 5
"""Cells of the offset and the blank, or bracket, behind it."""


def needed(octets: int) -> int:
    """Cells that a line with so many octets takes."""
    return OFFSET + 3 * octets + (octets // 8 - 1) + octets


class HexView(ScrollView, can_focus=False):
    """Octets in lines; a click says which octet was meant."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"hex--offset", "hex--marked"}

    DEFAULT_CSS = """
    HexView {
        background: $surface;
        color: $foreground;
        height: auto;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .hex--offset { color: $text-muted; }
        & > .hex--marked { text-style: reverse bold; }
    }
    """

    class OctetChosen(Message):
        """An octet was clicked."""

        def __init__(self, view: HexView, index: int) -> None:
            super().__init__()
            self.view = view
            self.index = index

        @property
        def control(self) -> HexView:
            """The view."""
            return self.view

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.octets = b""
        self._from = 0
        self._until = 0
        self._across = 16

    def show(self, octets: bytes) -> None:
        """Show other octets, none of them marked."""
        self.octets = octets
        self._from = self._until = 0
        self._fit()
        self.scroll_to(y=0, animate=False)
        self.refresh()

    def mark(self, offset: int, length: int) -> None:
        """Mark the octets of a field and bring them into sight; a length of 0 marks none."""
        self._from, self._until = offset, offset + length
        self.refresh()
        self._bring()
        # The height follows the octets, and is known only after the next layout.
        self.call_after_refresh(self._bring)

    def _bring(self) -> None:
        """Scroll to the marked octets, from the top: where the view stood before makes no difference."""
        height = self.size.height
        if self._until > self._from and height:
            first, last = self._from // self._across, (self._until - 1) // self._across
            self.scroll_to(y=max(0, min(first, last - height + 1)), animate=False)

    def _fit(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        self._across = 16 if not width or width >= needed(16) else 8
        lines = -(-len(self.octets) // self._across)
        self.virtual_size = Size(needed(self._across), lines)

    def on_resize(self, event: events.Resize) -> None:
        """More or fewer octets a line."""
        before = self._across
        self._fit()
        if before != self._across:
            self.refresh(layout=True)
        self.call_after_refresh(self._bring)

    def line(self, number: int) -> str:
        """The text of a line: offset, octets with brackets around the marked ones, characters."""
        return "".join(text for text, _ in self._parts(number))

    def _parts(self, number: int) -> list[tuple[str, bool]]:
        """A line in pieces, with whether they are marked."""
        across = self._across
        first = number * across
        octets = self.octets[first : first + across]
        if not octets:
            return []
        parts: list[tuple[str, bool]] = [(f"{first:04x}", False)]
        for column in range(across):
            index = first + column
            gap = " "
            if column and column % 8 == 0:
                parts.append((" ", False))
            inside = column < len(octets) and self._from <= index < self._until
            before = column > 0 and self._from <= index - 1 < self._until
            if inside and (index == self._from or column == 0):
                gap = "["
            elif before and not inside:
                gap = "]"
            through = inside and before and column % 8 != 0
            parts.append((gap, through))
            parts.append((f"{octets[column]:02x}" if column < len(octets) else "  ", inside))
        ends = len(octets) == across and self._from <= first + across - 1 < self._until
        parts.append(("]" if ends else " ", False))
        for column, octet in enumerate(octets):
            character = chr(octet) if 0x20 <= octet < 0x7F else "."
            parts.append((character, self._from <= first + column < self._until))
        return parts

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        base = self.rich_style
        marked = base + ink(self, "hex--marked")
        offset = base + ink(self, "hex--offset")
        parts = self._parts(y + self.scroll_offset.y)
        segments = [
            Segment(text, offset if at == 0 else marked if inside else base) for at, (text, inside) in enumerate(parts)
        ]
        left = self.scroll_offset.x
        return Strip(segments).crop_extend(left, left + width, base)

    def on_click(self, event: events.Click) -> None:
        """Find the octet that was clicked, in hexadecimal or as a character."""
        where = event.get_content_offset(self)
        if where is None:
            return
        x, y = where.x + self.scroll_offset.x, where.y + self.scroll_offset.y
        across = self._across
        for column in range(across):
            at = OFFSET + 3 * column + column // 8
            character = needed(across) - across + column
            if (at <= x < at + 2 or x == character) and y * across + column < len(self.octets):
                self.post_message(self.OctetChosen(self, y * across + column))
                return
