"""man: prints a program's page. Pages are plain text of at most 78 columns, one file a program in ``man/``."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files

from kamelab.userland.proc import Proc

USAGE = "usage: man [section] name ...\n       man -k keyword\n"


def names() -> tuple[str, ...]:
    """Names of all pages, sorted."""
    folder = files("kamelab.userland") / "man"
    return tuple(sorted(entry.name.removesuffix(".txt") for entry in folder.iterdir() if entry.name.endswith(".txt")))


def page(name: str) -> str | None:
    """A page's text; None where there is none."""
    if name not in names():
        return None
    return (files("kamelab.userland") / "man" / f"{name}.txt").read_text(encoding="utf-8")


def summary(text: str) -> str:
    """The line under NAME."""
    lines = text.splitlines()
    at = next((place for place, line in enumerate(lines) if line.strip() == "NAME"), -2)
    return lines[at + 1].strip() if 0 <= at + 1 < len(lines) else ""


async def main(proc: Proc, argv: list[str]) -> int:
    """man(1): status 1 where there is no such page."""
    words = argv[1:]
    if words[:1] == ["-k"] and len(words) == 2:
        found = [line for line in (summary(page(name) or "") for name in names()) if words[1].lower() in line.lower()]
        for line in found:
            proc.print(line)
        if not found:
            proc.print(f"{words[1]}: nothing appropriate")
        return 0 if found else 1
    if len(words) > 1 and words[0].isdigit():
        del words[0]
    if not words or words[0].startswith("-"):
        proc.error(USAGE)
        return 1
    status = 0
    for name in words:
        text = page(name)
        if text is None:
            near = get_close_matches(name, names(), n=1)
            proc.error(f"No manual entry for {name}" + (f" (did you mean {near[0]}?)\n" if near else "\n"))
            status = 1
        else:
            proc.write(text if text.endswith("\n") else text + "\n")
    return status
