"""The command line: one module a subcommand, imported when it is called."""

from __future__ import annotations

from kamelab.cli.main import main

__all__ = ["main"]
