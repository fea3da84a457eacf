"""Draws the pictures of the README: ``python -m tests.ui.pictures`` writes ``docs/images/*.svg``."""

from __future__ import annotations

import asyncio
import html
import os
import re
import tempfile
from pathlib import Path

from tests.ui.screens import PING, app_on, give, lab_of, settle, steady
from tests.ui.tcp_lab import LOSSY, slow

_TEXT = re.compile(r'(<text [^>]*?)x="([0-9.]+)"([^>]*?)textLength="([0-9.]+)"([^>]*)>([^<]*)</text>')
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def tidy(svg: str) -> str:
    """Pieces of text without blanks at their ends, each where it was: some programs that draw SVG drop such blanks."""

    def shift(match: re.Match[str]) -> str:
        head, x, middle, length, tail, body = match.groups()
        text = html.unescape(body)
        bare = text.strip("\xa0 ")
        if not bare:
            return ""
        cell = float(length) / len(text)
        left = float(x) + cell * (len(text) - len(text.lstrip("\xa0 ")))
        inner = html.escape(bare, quote=False).replace("\xa0", "&#160;")
        return f'{head}x="{left:.1f}"{middle}textLength="{cell * len(bare):.1f}"{tail}>{inner}</text>'

    return _TEXT.sub(shift, svg)


async def draw(width: int, height: int, name: str, lab: str, lines: tuple[str, ...], *keys: str) -> Path:
    """A lab after some lines and keys, at one size."""
    app = app_on(lab)
    async with app.run_test(size=(width, height)) as pilot:
        for line in lines:
            await give(pilot, line)
        if keys:
            lab_of(app).drawer.action_close()
            await pilot.press("escape", *keys)
        lab_of(app).runner.set_speed(1.0)
        lab_of(app).wake()
        await settle(pilot)
        await steady(pilot)
        path = IMAGES / f"{name}-{width}x{height}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tidy(app.export_screenshot(title="kamelab")), encoding="utf-8")
    return path


def main() -> None:
    """All pictures; the history and sessions of whoever runs this stay untouched."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KAMELAB_STATE"] = folder
        for size in ((80, 24), (120, 40)):
            print(asyncio.run(draw(*size, "demo", "demo", ("run 5s", PING))))
        lab = slow(Path(folder))
        print(asyncio.run(draw(120, 40, "tcp", lab, (*LOSSY, "select h2"), "7")))


if __name__ == "__main__":
    main()
