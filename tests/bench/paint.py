"""First paint: exec to the first output of a Textual application in a pseudo-terminal, ours beside a trivial one."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

TRIVIAL = """
from textual.app import App
from textual.widgets import Static
class Trivial(App):
    def compose(self):
        yield Static("READY-MARK")
Trivial().run()
"""
LIMIT = 20.0


def _until(argv: list[str], mark: bytes, environment: dict[str, str]) -> float:
    """Seconds from exec until ``mark`` appears on the terminal."""
    start = perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(environment)
        os.execvp(argv[0], argv)
    seen = b""
    try:
        while perf_counter() - start < LIMIT:
            ready, _, _ = select.select([master], [], [], 0.5)
            if not ready:
                continue
            try:
                seen += os.read(master, 65536)
            except OSError:
                break
            if mark in seen:
                return perf_counter() - start
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)
    raise RuntimeError(f"{argv}: {mark!r} did not appear; the last of what did: {seen[-200:]!r}")


def first_paint(smoke: bool) -> list[str]:
    """Both, interleaved; medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        trivial = Path(folder) / "trivial.py"
        trivial.write_text(TRIVIAL)
        environment = {"COLUMNS": "120", "LINES": "40", "TERM": "xterm-256color", "XDG_STATE_HOME": folder}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        environment["KAMELAB_STATE"] = folder
        theirs, first, whole = [], [], []
        command = [sys.executable, "-m", "kamelab", "open", "demo"]
        for _ in range(1 if smoke else 5):
            theirs.append(_until([sys.executable, str(trivial)], b"READY-MARK", environment))
            first.append(_until(command, b"laboratory", environment))
            whole.append(_until(command, b"neighbors", environment))
    a, b, c = median(theirs), median(first), median(whole)
    return [
        "exec to paint in a pseudo-terminal",
        f"  trivial Textual app              {a * 1000:7.0f} ms",
        f"  kamelab open demo, first paint   {b * 1000:7.0f} ms  {b / a:.2f}x",
        f"  kamelab open demo, whole screen  {c * 1000:7.0f} ms  {c / a:.2f}x",
    ]
