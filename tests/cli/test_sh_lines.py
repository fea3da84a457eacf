"""`kamelab sh`: line mode from a pipe, and on a terminal (a pseudo terminal of the test's own)."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_transcripts import kamelab, run

from kamelab.cli.complete import Completer
from kamelab.lab.opening import open_session

PATIENCE = 60.0
"""Wall seconds after which a test gives up; none waits that long if things work."""


# -- from a pipe -----------------------------------------------------------------------------------------------------


def test_lines_from_a_pipe_give_what_run_gives() -> None:
    lines = (
        "run 5s",
        "h1: ping6 -c 2 2001:db8:2::ff:fe00:301",
        "select r1",
        "ndp -an",
        "trace icmpv6.type == 135",
        "h1: cat",
        "back 3",
    )
    script = "".join(f"{line}\n" for line in lines)
    result = kamelab("sh", "demo", stdin=script)
    assert result.exit_code == 0
    assert result.stdout == run(*lines).stdout


def test_quit_and_the_end_of_input_leave_and_the_exit_code_tells_of_failures() -> None:
    result = kamelab("sh", "demo", stdin="h1: true\nquit\nh1: echo no\n")
    assert (result.exit_code, "echo no" in result.stdout) == (0, False)
    result = kamelab("sh", "demo", stdin="h1: false\nh1: echo on")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "on")
    result = kamelab("sh", "demo", stdin="h1: cat <<EOF\ntext\n")
    assert result.exit_code == 1
    assert result.stderr == '<stdin>:1: syntax: here-document without a line "EOF" (column 11)\n'


def test_a_line_that_kamelab_can_not_run_does_not_end_line_mode() -> None:
    result = kamelab("sh", "demo", stdin="h9: true\nfrobnicate\nh1: echo on\n")
    assert result.stdout.endswith("on\n")
    assert result.stderr.splitlines()[0] == "<stdin>:1: no node is called 'h9'"
    assert result.stderr.splitlines()[1].startswith("<stdin>:2: frobnicate: no such console command or program")


def test_what_is_not_built_yet_says_so() -> None:
    result = kamelab("sh", "demo", stdin="break icmpv6\n")
    assert result.exit_code == 1
    assert "not built yet" in result.stderr


def test_a_line_is_played_as_soon_as_it_is_there() -> None:
    """So that a program can hold a conversation with line mode."""
    with _process("sh", "demo") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for text in (b"one", b"two"):
            child.stdin.write(b"h1: echo " + text + b"\n")
            child.stdin.flush()
            assert child.stdout.readline().endswith(b"h1# echo " + text + b"\n")
            assert child.stdout.readline() == text + b"\n"
        child.stdin.close()
        assert child.wait(PATIENCE) == 0


# -- ^C --------------------------------------------------------------------------------------------------------------


def _process(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kamelab", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


ENDLESS = "h1: ping6 ::1"


def test_the_first_interrupt_reaches_the_program_and_the_script_goes_on(tmp_path: Path) -> None:
    script, session = tmp_path / "script.txt", tmp_path / "after.session"
    script.write_text(f"{ENDLESS}\nh1: echo on\nsave {session}\n", encoding="utf-8")
    with _process("run", "demo", str(script), "--timeout", "10000d") as child:
        assert child.stdout is not None
        while b"icmp_seq=2" not in child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        rest = child.stdout.read().decode()
        assert child.wait(PATIENCE) == 0
    assert "--- ::1 ping6 statistics ---" in rest
    assert "\non\n" in rest
    # It is in the journal: the session replays to the same state.
    assert '"kind":"signal","node":"h1"' in session.read_text(encoding="utf-8")
    assert run("h1: true", lab=str(session)).exit_code == 0


def test_the_second_interrupt_ends_kamelab(tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text(f"{ENDLESS}\nh2: ping6 ::1\nh1: echo on\n", encoding="utf-8")
    with _process("run", "demo", str(script), "--timeout", "10000d") as child:
        assert child.stdout is not None
        for _ in range(2):
            while b"icmp_seq=2" not in child.stdout.readline():
                pass
            child.send_signal(signal.SIGINT)
            while child.stdout.readline().startswith(b"16 bytes"):
                pass
        rest = child.stdout.read()
        assert child.wait(PATIENCE) == 130
    assert b"echo on" not in rest


def test_an_interrupt_with_no_program_in_the_foreground_ends_kamelab() -> None:
    with _process("run", "demo", "-", "--timeout", "10000d") as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdin.write(b"h1: ping6 ::1 &\nrun 100000d\nh1: echo on\n")
        child.stdin.close()
        while b"icmp_seq=2" not in child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        assert b"echo on" not in child.stdout.read()
        assert child.wait(PATIENCE) == 130


# -- on a terminal ---------------------------------------------------------------------------------------------------


TAKE_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Makes the pseudo terminal the new session's own, so that ^C is a signal; then becomes Python with these words."""


class Terminal:
    """A person at a pseudo terminal."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.fd, slave = pty.openpty()
        env = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "TERM": "dumb", "INPUTRC": "/dev/null"}
        self.child = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, "-m", "kamelab", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        self._text = ""

    def expect(self, text: str) -> str:
        """Wait for a text; what came up to its end."""
        while text not in self._text:
            ready, _, _ = select.select([self.fd], [], [], PATIENCE)
            assert ready, f"no {text!r} in {self._text!r}"
            try:
                octets = os.read(self.fd, 4096)
            except OSError:
                octets = b""
            assert octets, f"the end came before {text!r}: {self._text!r}"
            self._text += re.sub("\x1b\\[[?]?[0-9;]*[a-zA-Z]", "", octets.decode()).replace("\r\n", "\n")
        before, _, self._text = self._text.partition(text)
        return before + text

    def interrupt(self, text: str) -> str:
        """^C, until a text comes: Python overlooks one that comes between the prompt and its wait for the first key."""
        for _ in range(100):
            self.type("\x03")
            ready, _, _ = select.select([self.fd], [], [], 0.5)
            if ready:
                break
        return self.expect(text)

    def type(self, text: str) -> None:
        """Keys: a newline ends a line, \\x03 and \\x04 are ^C and ^D."""
        os.write(self.fd, text.encode())

    def wait(self) -> int:
        """Exit status."""
        return self.child.wait(PATIENCE)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path, "sh", "demo")
    try:
        yield one
    finally:
        if one.child.poll() is None:
            one.child.kill()
            one.child.wait()
        os.close(one.fd)


def test_a_terminal_has_a_prompt_that_names_the_selected_node(terminal: Terminal) -> None:
    terminal.expect("h1# ")
    terminal.type("hostname\n")
    assert "\nh1\n" in terminal.expect("\nh1# ")
    terminal.type("select r1\n")
    terminal.expect("\nr1# ")
    terminal.type("h2: hostname\n")
    assert "\nh2\n" in terminal.expect("\nr1# ")
    terminal.type("quit\n")
    assert terminal.wait() == 0


def test_an_open_quote_asks_for_more_and_interrupt_gives_it_up(terminal: Terminal) -> None:
    terminal.expect("h1# ")
    terminal.type('echo "a\n')
    terminal.expect("\n> ")
    terminal.type('b"\n')
    assert "\na\nb\n" in terminal.expect("\nh1# ")
    terminal.type('echo "a\n')
    terminal.expect("\n> ")
    terminal.interrupt("\nh1# ")
    # What was open is forgotten.
    terminal.type("echo c\n")
    assert terminal.expect("\nh1# ").endswith("\nc\nh1# ")
    terminal.type("\x04")
    assert terminal.wait() == 0


def test_what_is_typed_reaches_the_program_that_reads_it(terminal: Terminal) -> None:
    terminal.expect("h1# ")
    for speed in ("max", "1"):
        terminal.type(f"speed {speed}\n")
        terminal.expect("h1# ")
        # Until it prints, the line editor still holds the terminal and echoes nothing.
        terminal.type("echo ready; cat\n")
        terminal.expect("\nready\n")
        terminal.type("typed\n")
        # Once as the terminal echoes it, once as cat prints it.
        terminal.expect("typed\ntyped\n")
        terminal.type("\x04")
        terminal.expect("h1# ")
    terminal.type("quit\n")
    assert terminal.wait() == 0


def test_interrupt_ends_a_program_and_not_line_mode(terminal: Terminal) -> None:
    terminal.expect("h1# ")
    terminal.type("ping6 ::1\n")
    terminal.expect("icmp_seq=0")
    terminal.type("\x03")
    terminal.expect("--- ::1 ping6 statistics ---")
    terminal.expect("h1# ")
    # The job's output shows that time runs.
    terminal.type("ping6 ::1 &\n")
    terminal.expect("h1# ")
    terminal.type("run 1000d\n")
    terminal.expect("icmp_seq=1")
    terminal.type("\x03")
    terminal.expect("h1# ")
    terminal.type("frobnicate\n")
    assert "frobnicate: no such console command or program" in terminal.expect("h1# ")
    terminal.type("quit\n")
    assert terminal.wait() == 0


def test_time_runs_at_the_chosen_speed_on_a_terminal(terminal: Terminal) -> None:
    terminal.expect("h1# ")
    terminal.type("speed 1000000\n")
    terminal.expect("h1# ")
    terminal.type("run 2d\n")
    terminal.expect("run 2d\n")
    terminal.expect("h1# ")
    terminal.type("speed max\n")
    terminal.expect("h1# ")
    terminal.type("run 2d\n")
    terminal.expect("run 2d\n")
    terminal.expect("h1# ")
    terminal.type("trace icmpv6.type == 134 && frame.time > 172800\n")
    assert "RA lifetime" in terminal.expect("\nh1# ")
    terminal.type("quit\n")
    assert terminal.wait() == 0


def test_history_is_kept(terminal: Terminal, tmp_path: Path) -> None:
    pytest.importorskip("readline", reason="Python has no readline here, so there is no history either")
    terminal.expect("h1# ")
    terminal.type("echo remembered\n")
    terminal.expect("\nremembered\n")
    terminal.type("quit\n")
    assert terminal.wait() == 0
    assert "echo remembered" in (tmp_path / "kamelab" / "sh_history").read_text(encoding="utf-8")


# -- completion ------------------------------------------------------------------------------------------------------


def test_tab_completes_as_on_the_screen(terminal: Terminal) -> None:
    pytest.importorskip("readline", reason="Python has no readline here, so there is no completion either")
    terminal.expect("h1# ")
    terminal.type("h2: hostn\t\n")
    assert "\nh2\n" in terminal.expect("\nh1# ")
    terminal.type("quit\n")
    assert terminal.wait() == 0


def test_readline_gets_the_candidates_one_by_one() -> None:
    session = open_session("demo")
    line = "h1: ping6 -I n"
    completer = Completer(session, lambda: line, lambda: len(line))
    assert [completer("n", state) for state in range(2)] == ["ne0", None]
    line = "h1: hostname | gr"
    assert completer("gr", 0) == "grep"
    line = "link la"
    assert [completer("la", state) for state in range(3)] == ["lan1", "lan2", None]
    session.close()
