"""`kamelab` alone, `kamelab open`, and the rest of the command's surface."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable

import pytest
from cli_transcripts import assert_golden, kamelab, run

from kamelab.cli.main import UNBUILT
from kamelab.lab.session import Session


def test_without_a_terminal_the_demo_is_played_and_the_labs_are_listed() -> None:
    result = kamelab()
    assert (result.exit_code, result.stderr) == (0, "")
    story, _, listing = result.stdout.partition("\n# The labs that come with kamelab.\n\n")
    assert listing.startswith(kamelab("list").stdout)
    assert "3 packets transmitted, 3 packets received" in story
    assert_golden("demo", story)


def test_python_m_kamelab_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "kamelab"], capture_output=True, check=True, encoding="utf-8")
    assert done.stdout.partition("\n# Boot")[2] == kamelab().stdout.partition("\n# Boot")[2]


def test_open_without_a_terminal_is_run() -> None:
    assert kamelab("open", "demo").stdout == kamelab("run", "demo").stdout
    assert kamelab("open", "dmeo").exit_code == 2


def test_on_a_terminal_the_screen_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    screen = types.ModuleType("kamelab.ui.app")

    def run_app(opener: Callable[[], Session]) -> int:
        session = opener()
        opened.append((session.name, session.seed))
        return 0

    def run_chooser() -> int:
        opened.append("chooser")
        return 0

    vars(screen).update(run_app=run_app, run_chooser=run_chooser)
    monkeypatch.setitem(sys.modules, "kamelab.ui.app", screen)
    monkeypatch.setattr("kamelab.cli.bare.on_terminal", lambda: True)
    monkeypatch.setattr("kamelab.cli.open_cmd.on_terminal", lambda: True)
    assert kamelab().exit_code == 0
    assert kamelab("open", "demo", "--seed", "5").exit_code == 0
    assert opened == ["chooser", ("00-demo", 5)]
    wrong = kamelab("open", "dmeo")
    assert (wrong.exit_code, wrong.stderr) == (2, "kamelab: no lab or file is called 'dmeo' (did you mean 'demo'?)\n")


@pytest.mark.parametrize("name", UNBUILT)
def test_subcommands_to_come_say_that_they_are_not_built_yet(name: str) -> None:
    result = kamelab(name, "x")
    assert result.exit_code == 2
    assert f"'{name}' is not built yet" in result.stderr


@pytest.mark.parametrize(
    ("shell", "words", "current"),
    [("bash", "kamelab ru", "1"), ("zsh", "kamelab ru", "1"), ("fish", "kamelab", "ru")],
)
def test_completion_scripts_ask_kamelab(shell: str, words: str, current: str) -> None:
    assert f"_KAMELAB_COMPLETE={shell}_complete" in kamelab("completion", shell).stdout
    asked = kamelab(env={"_KAMELAB_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": current})
    assert "run" in asked.stdout
    assert "list" not in asked.stdout


def test_a_run_loads_neither_the_screen_nor_scapy() -> None:
    code = (
        "import sys\nfrom kamelab.cli import main\n"
        "try:\n    main(['run', 'demo'], prog_name='kamelab')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('textual', 'rich', 'asyncio', 'scapy', 'platformdirs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_session_is_closed_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    close = Session.close

    def noted(session: Session) -> None:
        closed.append(session.name)
        close(session)

    monkeypatch.setattr(Session, "close", noted)
    run("h1: true")
    run("h9: true")
    kamelab("sh", "demo", stdin="h1: true\n")
    kamelab()
    assert closed == ["00-demo"] * 4
