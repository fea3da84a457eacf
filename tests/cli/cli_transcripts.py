"""Running kamelab's command line in tests, and comparing what it prints with text files that a reviewer can read.

`KAMELAB_UPDATE_GOLDENS=1 pytest tests/cli` writes the files anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner, Result

from kamelab.cli import main

GOLDENS = Path(__file__).parent / "goldens"


def kamelab(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    """One call of the command, with no terminal anywhere."""
    result = CliRunner().invoke(main, list(arguments), input=stdin, env=env, prog_name="kamelab")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(*lines: str, lab: str = "demo", options: tuple[str, ...] = ()) -> Result:
    """`kamelab run LAB - OPTIONS` with these lines as its script."""
    return kamelab("run", lab, "-", *options, stdin="".join(f"{line}\n" for line in lines))


def assert_golden(name: str, text: str) -> None:
    """``text`` is what goldens/``name``.txt holds."""
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("KAMELAB_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
