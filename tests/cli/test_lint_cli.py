"""`kamelab lint`: a line a lab, problems with file, line and key, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kamelab.cli import main

GOOD = """\
format = 1
title = "Words"
[nodes.h1]
[[tasks]]
title = "Say true"
text = "Say it."
hints = ["a", "b", "c"]
solution = ["h1: true", "run 1500ms"]
[[tasks.checks]]
kind = "command"
line = "^true"
pass = "Said."
fail = "Say it."
"""


def kamelab(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments], prog_name="kamelab")


@pytest.mark.parametrize(
    ("old", "new", "status", "lines"),
    [
        ("", "", 0, ["lab.toml: ok: 1 task, solved in 00:00:01.500000 and 1 events"]),
        (
            'hints = ["a", "b", "c"]\n',
            "",
            3,
            [
                "lab.toml:4: tasks[1]: no hints: 3 lead from a nudge to nearly the answer (warning)",
                "lab.toml: ok: 1 task, 1 warning, solved in 00:00:01.500000 and 1 events",
            ],
        ),
        (
            '"h1: true"',
            '"h1: false"',
            1,
            [
                "lab.toml:9: tasks[1].checks[1]: does not hold after the solution; seen: no such command yet",
                "lab.toml: failed: 1 task, 1 failure",
            ],
        ),
        (
            "pass =",
            "pas =",
            4,
            [
                "lab.toml:12: tasks[1].checks[1].pas: unknown key, expected one of "
                "at, fail, kind, line, matches, node, pass, status (did you mean 'pass'?)",
                "lab.toml: invalid",
            ],
        ),
    ],
)
def test_status_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, status: int, lines: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lab.toml").write_text(GOOD.replace(old, new) if old else GOOD, encoding="utf-8")
    result = kamelab("lint", "lab.toml")
    assert result.stdout.splitlines() == lines
    assert result.exit_code == status


def test_the_worst_of_several_labs_decides_and_all_are_reported(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(GOOD, encoding="utf-8")
    bad.write_text(GOOD.replace('"h1: true"', '"h1: false"'), encoding="utf-8")
    result = kamelab("lint", bad, good)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith(f"{good}: ok")


def test_json_is_one_object_a_lab(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(GOOD, encoding="utf-8")
    (report,) = json.loads(kamelab("lint", file, "--json").stdout)
    assert (report["status"], report["tasks"], report["time"]) == ("ok", 1, 1_500_000_000)


def test_a_lab_that_is_not_there_is_wrong_usage() -> None:
    assert kamelab("lint", "nosuchlab").exit_code == 2
    assert kamelab("lint").exit_code == 2


def test_the_shipped_labs_are_clean_by_name() -> None:
    result = kamelab("lint", "demo", "first-contact", "who-is-my-neighbor", "no-questions-asked")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 4
