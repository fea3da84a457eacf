"""What an explanation looks like: a title, and lines under headings. Front ends print it or show it in a window."""

from __future__ import annotations

from collections.abc import Iterable


class Explanation:
    """A title and sections of lines, in order."""

    __slots__ = ("sections", "title")

    def __init__(self, title: str) -> None:
        self.title = title
        self.sections: list[tuple[str, tuple[str, ...]]] = []

    def section(self, heading: str, lines: Iterable[str]) -> None:
        """Add a section; one without lines is left out."""
        found = tuple(lines)
        if found:
            self.sections.append((heading, found))

    def text(self) -> str:
        """The whole as the console prints it."""
        out = [self.title]
        for heading, lines in self.sections:
            out += [f"{heading}:", *(f"  {one}" for one in lines)]
        return "\n".join(out) + "\n"
