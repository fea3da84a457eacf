"""`kamelab run --realtime` and `kamelab exec` as two processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_wall import LAB

from kamelab.bridge.client import ask

KAMELAB = [sys.executable, "-m", "kamelab"]


class Running:
    """A lab that runs elsewhere."""

    def __init__(self, folder: Path, *options: str) -> None:
        lab = folder / "bridge.toml"
        lab.write_text(LAB, encoding="utf-8")
        self.control = str(folder / "control")
        self.process = subprocess.Popen(
            [*KAMELAB, "run", str(lab), "--realtime", "--control", self.control, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()

    def end(self) -> tuple[int, str, str]:
        """Status, standard output and the rest of standard error."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    one = Running(tmp_path, "--pcapng", str(tmp_path / "out.pcapng"))
    yield one
    if one.process.poll() is None:
        one.process.kill()
        one.process.communicate()


def test_a_lab_at_wall_speed_takes_lines_and_leaves_its_files(running: Running, tmp_path: Path) -> None:
    """It says when it is there; lines come by exec; at its end the capture is written and the socket gone."""
    assert running.said == (
        f"kamelab: bridge runs at wall speed, joined to nothing outside; control socket {running.control}; ^C ends it\n"
    )
    done = subprocess.run(
        [*KAMELAB, "exec", "--control", running.control, "h1: echo hello; false"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "hello\n", "")
    saved = tmp_path / "a.session"
    assert ask(running.control, f"save {saved}").status == 0
    assert ask(running.control, "quit").status == 0
    status, out, err = running.end()
    assert (status, err) == (0, "")
    assert "h1# echo hello; false\nhello\n" in out
    assert (tmp_path / "out.pcapng").read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    assert not Path(running.control).exists()
    again = subprocess.run([*KAMELAB, "run", str(saved), "--until", "1s"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(running: Running, number: signal.Signals, tmp_path: Path) -> None:
    running.process.send_signal(number)
    assert running.end()[0] == 0
    assert (tmp_path / "out.pcapng").stat().st_size > 100
    assert not Path(running.control).exists()


def test_a_script_comes_first_and_until_ends_it(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("h1: echo begun   # a remark\nh1: false\n", encoding="utf-8")
    lab = tmp_path / "bridge.toml"
    lab.write_text(LAB, encoding="utf-8")
    done = subprocess.run(
        [*KAMELAB, "run", str(lab), str(script), "--realtime", "--until", "100ms", "--quiet"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "begun\n")
