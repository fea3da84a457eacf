"""Where the screen keeps what outlives it: the history of the prompt, and sessions that were left.

Both lie in the state directory of the user (``KAMELAB_STATE`` overrides it). A directory that can't be written to is no
fault: nothing is kept then.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

LIMIT = 1000
"""Lines of history that are kept."""
SUFFIX = ".session"


def state_dir() -> Path:
    """The directory; it need not be there."""
    chosen = os.environ.get("KAMELAB_STATE")
    return Path(chosen) if chosen else user_state_path("kamelab")


class History:
    """The lines that were typed, oldest first, and a place among them."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = state_dir() / "history" if path is None else path
        self.lines: list[str] = []
        self._at = 0
        self._draft = ""
        with suppress(OSError, UnicodeDecodeError):
            self.lines = [line for line in self.path.read_text(encoding="utf-8").splitlines() if line][-LIMIT:]
        self._at = len(self.lines)

    def add(self, line: str) -> None:
        """Keep a line, unless it is empty or the same as the last."""
        if line.strip() and "\n" not in line and self.lines[-1:] != [line]:
            self.lines.append(line)
            del self.lines[:-LIMIT]
            self._write()
        self._at = len(self.lines)

    def older(self, present: str) -> str | None:
        """The line before; None where there is none."""
        if self._at == 0:
            return None
        if self._at == len(self.lines):
            self._draft = present
        self._at -= 1
        return self.lines[self._at]

    def newer(self) -> str | None:
        """The line after, at last what was being typed; None at the end."""
        if self._at >= len(self.lines):
            return None
        self._at += 1
        return self._draft if self._at == len(self.lines) else self.lines[self._at]

    def _write(self) -> None:
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def sessions_dir() -> Path:
    """Where sessions are kept when the screen is left."""
    return state_dir() / "sessions"


def autosave(name: str, data: bytes) -> Path | None:
    """Keep a session under its lab's name; None if that can't be done."""
    path = sessions_dir() / f"{name}{SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError:
        return None
    return path


def kept_sessions() -> list[Path]:
    """Sessions that were kept, by name."""
    try:
        return sorted(path for path in sessions_dir().iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return []
