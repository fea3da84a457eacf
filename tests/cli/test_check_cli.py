"""`kamelab check`: table, JSON, JUnit, exit codes, and what a submission may not do."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from kamelab.cli import main
from kamelab.lab.console import execute
from kamelab.lab.opening import open_session

TASKS = """
[[tasks]]
title = "Say true"
solution = ["h1: true"]
[[tasks.checks]]
kind = "command"
line = "^true"
pass = "You said it."
fail = "Say it."
[[tasks]]
title = "Keep quiet to the end"
solution = ["h1: false"]
[[tasks.checks]]
kind = "command"
line = "^false"
[[tasks.checks]]
kind = "sysctl"
node = "h1"
name = "net.inet6.ip6.hlim"
equals = 64
at = "end"
"""
LAB = 'format = 1\ntitle = "Words"\n[nodes.h1]\n' + TASKS


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    file = tmp_path / "words.toml"
    file.write_text(LAB, encoding="utf-8")
    return file


def kamelab(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments], input=stdin, prog_name="kamelab")


def submit(lab: Path, text: str, *options: str | Path) -> Result:
    file = lab.parent / "script.txt"
    file.write_text(text, encoding="utf-8")
    return kamelab("check", lab, file, *options)


def test_a_complete_submission_is_status_0(lab: Path) -> None:
    result = submit(lab, "h1: true   # said\nrun 2s # wait\nh1: false\n")
    assert result.stdout == (
        "words: Words\n\n"
        "  1  passed       00:00:00.000000  Say true\n"
        "  2  passed       00:00:02.000000  Keep quiet to the end\n"
        "\n2 of 2 tasks passed\n"
    )
    assert (result.exit_code, result.stderr) == (0, "")


def test_what_is_missing_is_shown_with_what_was_seen_and_status_1(lab: Path) -> None:
    result = submit(lab, "h1: true\nh1: sysctl -w net.inet6.ip6.hlim=3\nh1: false\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[2:] == [
        "  1  passed       00:00:00.000000  Say true",
        "  2  failed       -                Keep quiet to the end",
        "     [x] a command like ^false",
        "     [ ] h1: net.inet6.ip6.hlim is 64",
        "           seen: 3",
        "",
        "1 of 2 tasks passed",
    ]
    assert submit(lab, "").stdout.splitlines()[-3] == "  2  not reached  -                Keep quiet to the end"


def test_json_has_every_check(lab: Path) -> None:
    result = submit(lab, "h1: true\n", "--json")
    assert result.exit_code == 1
    tree = json.loads(result.stdout)
    assert (tree["lab"], tree["passed"], tree["complete"]) == ("words", 1, False)
    assert [task["status"] for task in tree["tasks"]] == ["passed", "failed"]
    assert tree["tasks"][0]["checks"] == [{"kind": "command", "text": "You said it.", "passed": True, "seen": "true"}]
    assert tree["digest"]


def test_junit_has_a_case_for_each_task(lab: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    submit(lab, "", "--junit", report)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "skipped")} == {
        "name": "words",
        "tests": "2",
        "failures": "1",
        "skipped": "1",
    }
    first, second = suite.findall("testcase")
    failure = first.find("failure")
    assert failure is not None
    assert failure.get("message") == "Say it."
    assert second.find("skipped") is not None


def test_a_script_from_standard_input(lab: Path) -> None:
    assert kamelab("check", lab, "-", stdin="h1: true\nh1: false\n").exit_code == 0


def test_a_session_file_is_graded_by_its_replay(lab: Path, tmp_path: Path) -> None:
    session = open_session(str(lab))
    file = tmp_path / "hand-in"
    execute(session, "h1: true")
    file.write_bytes(session.save())
    assert kamelab("check", lab, file).exit_code == 1
    execute(session, "h1: false")
    file.write_bytes(session.save())
    assert kamelab("check", lab, file).exit_code == 0


def test_a_session_of_another_lab_text_is_refused(lab: Path, tmp_path: Path) -> None:
    session = open_session(str(lab))
    file = tmp_path / "hand-in"
    file.write_bytes(session.save())
    lab.write_text(LAB.replace('"^true"', '"^tru"'), encoding="utf-8")
    result = kamelab("check", lab, file)
    assert (result.exit_code, result.stdout) == (4, "")
    expected = f"{file}:1: lab: expected a session on the text of {lab}; it was saved on another version of this lab\n"
    assert result.stderr == expected


def test_a_tampered_session_is_invalid(lab: Path, tmp_path: Path) -> None:
    session = open_session(str(lab))
    execute(session, "h1: true")
    execute(session, "h1: sysctl -w net.inet6.ip6.hlim=3")
    file = tmp_path / "hand-in"
    file.write_bytes(session.save().replace(b"hlim=3", b"hlim=4"))
    assert kamelab("check", lab, file).exit_code == 4


def test_lines_that_cheat_or_write_are_not_played(lab: Path, tmp_path: Path) -> None:
    target = tmp_path / "loot"
    result = submit(lab, f"goto 2\nsolution\nsave {target}\nexport {target}.pcapng\nh1: true\n")
    assert not target.exists()
    assert result.stdout.splitlines()[-1] == "1 of 2 tasks passed"
    place = lab.parent / "script.txt"
    assert result.stderr.splitlines() == [
        f"{place}:1: goto plays solutions: not played",
        f"{place}:2: solution shows solutions: not played",
        f"{place}:3: save writes a file: not played",
        f"{place}:4: export writes a file: not played",
    ]


def test_a_line_that_can_not_be_run_is_named_and_the_rest_is_played(lab: Path) -> None:
    result = submit(lab, "h9: true\n\nh1: true\nh1: false\n")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"{lab.parent / 'script.txt'}:1: kamelab: no node is called 'h9'")


@pytest.mark.parametrize(("text", "line"), [(b"h1: true\nh1: cat <<E\nx\n", 2), (b"\xff\xfe", 1), (b'{"a": 1}\n', 1)])
def test_an_invalid_submission_is_status_4_with_its_line(lab: Path, text: bytes, line: int) -> None:
    file = lab.parent / "bad"
    file.write_bytes(text)
    result = kamelab("check", lab, file)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith(f"{file}:{line}: ")


def test_a_lab_without_tasks_can_not_be_graded(lab: Path) -> None:
    lab.write_text(LAB.removesuffix(TASKS), encoding="utf-8")
    result = submit(lab, "h1: true\n")
    assert (result.exit_code, result.stderr) == (4, f"{lab}:1: tasks: expected tasks: there is nothing to grade\n")


def test_a_file_that_is_not_there_is_wrong_usage(lab: Path, tmp_path: Path) -> None:
    result = kamelab("check", lab, tmp_path / "nothing")
    assert result.exit_code == 2
    assert "nothing: No such file" in result.stderr
    assert kamelab("check", "wrods", tmp_path / "nothing").exit_code == 2
