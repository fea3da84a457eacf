"""Whether a person sits at the terminal."""

from __future__ import annotations

import sys


def on_terminal() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()
