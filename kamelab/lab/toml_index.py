"""Where each key of a TOML text stands: an index from key path to line, which TOML readers do not give.

The text must already have been accepted by `tomllib`; the scanner here follows the grammar of TOML 1.0 only
as far as it needs to find keys, and stops quietly where a text that is no TOML makes no sense.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

Path = tuple[str | int, ...]
"""Keys from the top of the file; an int is a position, from 0, in an array or an array of tables."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_LITERAL = re.compile(r"'([^'\n]*)'")
_MULTI_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL)
_MULTI_LITERAL = re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfr"\\]))')
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


class LineIndex:
    """Lines, counted from 1, of the keys of one TOML text."""

    def __init__(self, text: str) -> None:
        """Scan `text`; takes time in proportion to its length."""
        self._lines: dict[Path, int] = {(): 1}
        _Scanner(text, self._lines).scan()

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line on which the key of `path` stands, or that of the nearest parent that the text names."""
        place = tuple(path)
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def paths(self) -> frozenset[Path]:
        """Every path that the text names."""
        return frozenset(self._lines)


def format_path(path: Sequence[str | int]) -> str:
    """A path as text for people: `tasks[1].checks[2].node`, positions counted from 1, odd keys quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            key = part if _BARE.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{key}" if text else key
    return text


class _Stop(Exception):
    """The text is no TOML: keep what was found so far."""


class _Scanner:
    def __init__(self, text: str, lines: dict[Path, int]) -> None:
        self.text = text
        self.pos = 0
        self.lines = lines
        self.starts = [0] + [found.end() for found in re.finditer("\n", text)]
        self.arrays: dict[Path, int] = {}

    def scan(self) -> None:
        table: Path = ()
        try:
            while True:
                self._take(_BLANK)
                if self.pos >= len(self.text):
                    return
                if self.text[self.pos] == "[":
                    table = self._header()
                else:
                    self._pair(table)
        except _Stop:
            return

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.pos)
        if found is None:
            raise _Stop
        self.pos = found.end()
        return found

    def _expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.pos):
            raise _Stop
        self.pos += len(mark)

    def _note(self, path: Path, at: int) -> None:
        """Record where `path` and those of its parents that were not seen yet stand."""
        line = bisect_right(self.starts, at)
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _header(self) -> Path:
        at = self.pos
        array = self.text.startswith("[[", at)
        self.pos += 2 if array else 1
        parts = self._key()
        self._expect("]]" if array else "]")
        path: Path = ()
        for number, part in enumerate(parts):
            path += (part,)
            if array and number == len(parts) - 1:
                self.arrays[path] = self.arrays.get(path, -1) + 1
            if path in self.arrays:
                path += (self.arrays[path],)
        self._note(path, at)
        # A header is a better place for its table than an earlier [table.sub] that implied it.
        self.lines[path] = bisect_right(self.starts, at)
        return path

    def _key(self) -> Path:
        parts: Path = ()
        while True:
            self._take(_SPACE)
            lead = self.text[self.pos : self.pos + 1]
            if lead == '"':
                parts += (_ESCAPE.sub(_unescape, self._take(_BASIC)[1]),)
            elif lead == "'":
                parts += (self._take(_LITERAL)[1],)
            else:
                parts += (self._take(_BARE)[0],)
            self._take(_SPACE)
            if not self.text.startswith(".", self.pos):
                return parts
            self.pos += 1

    def _pair(self, table: Path) -> None:
        at = self.pos
        path = table + self._key()
        self._expect("=")
        self._note(path, at)
        self._value(path)

    def _value(self, path: Path) -> None:
        self._take(_SPACE)
        text, pos = self.text, self.pos
        if text.startswith('"""', pos):
            self._take(_MULTI_BASIC)
        elif text.startswith("'''", pos):
            self._take(_MULTI_LITERAL)
        elif text.startswith('"', pos):
            self._take(_BASIC)
        elif text.startswith("'", pos):
            self._take(_LITERAL)
        elif text.startswith("[", pos):
            self._array(path)
        elif text.startswith("{", pos):
            self._inline_table(path)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self.pos += 1
        number = 0
        while True:
            self._take(_BLANK)
            if self.text.startswith("]", self.pos):
                self.pos += 1
                return
            self._note((*path, number), self.pos)
            self._value((*path, number))
            number += 1
            self._separator("]")

    def _inline_table(self, path: Path) -> None:
        self.pos += 1
        while True:
            self._take(_BLANK)
            if self.text.startswith("}", self.pos):
                self.pos += 1
                return
            self._pair(path)
            self._separator("}")

    def _separator(self, end: str) -> None:
        """Step over a comma; anything else but `end` is no TOML."""
        self._take(_BLANK)
        if self.text.startswith(",", self.pos):
            self.pos += 1
        elif not self.text.startswith(end, self.pos):
            raise _Stop


def _unescape(found: re.Match[str]) -> str:
    if found[3] is not None:
        return _ESCAPES[found[3]]
    code = int(found[1] or found[2], 16)
    return chr(code) if code <= 0x10FFFF else found[0]
