"""`kamelab list`, `show`, `schema` and `graph`: output, errors and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kamelab import __version__
from kamelab.cli import main

DEMO = Path(__file__).parents[2] / "labs" / "00-demo.toml"


def kamelab(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="kamelab")


def test_list_shows_the_demo() -> None:
    result = kamelab("list")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == ["Name", "Level", "Min", "Tasks", "Title"]
    assert result.stdout.splitlines()[1].split()[:2] == ["00-demo", "beginner"]
    assert "Two hosts and a router" in result.stdout


def test_list_as_json_is_one_object_a_lab() -> None:
    rows = json.loads(kamelab("list", "--json").stdout)
    demo = rows[0]
    assert (demo["name"], demo["level"], demo["nodes"]) == ("00-demo", "beginner", 3)


def test_show_tells_network_and_addresses_but_no_solution(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(
        DEMO.read_text(encoding="utf-8")
        + '[[tasks]]\ntitle = "Reach h2"\nhints = ["a secret hint"]\nsolution = ["h1: true"]\n'
        + '[[tasks.checks]]\nkind = "command"\nline = "a secret check"\n',
        encoding="utf-8",
    )
    result = kamelab("show", str(file))
    assert result.exit_code == 0
    assert "lan1  ethernet 500us  h1:ne0 r1:ne0" in result.stdout
    assert "ne1  lan2  02:00:00:00:02:02  2001:db8:2::1/64" in result.stdout
    assert "1  Reach h2" in result.stdout
    assert "secret" not in result.stdout
    tree = json.loads(kamelab("show", str(file), "--json").stdout)
    assert tree["tasks"] == [{"title": "Reach h2", "hints": 1, "checks": 1}]
    assert tree["links"]["lan1"]["latency"] == 500_000


def test_schema_prints_the_json_schema() -> None:
    assert json.loads(kamelab("schema").stdout)["$schema"].endswith("2020-12/schema")


def test_graph_draws_text_and_says_what_is_not_built_yet() -> None:
    assert kamelab("graph", "demo", "--ascii", "--compact").stdout == " h1 -lan1- r1 -lan2- h2\n"
    assert "│ h1 ├─lan1─┤ r1 ├─lan2─┤ h2 │" in kamelab("graph", "demo", "--format", "text").stdout
    result = kamelab("graph", "demo", "--format", "svg")
    assert result.exit_code == 2
    assert "'svg' is not built yet" in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("minutes", "minuts", 9, "minuts"),
        ('"lan2", up', '"lna2", up', 47, "nodes.h2.interfaces.ne0.link"),
        ("2001:db8:1::1/64", "2001:db8:1::x/64", 40, "nodes.r1.interfaces.ne0.addresses[1]"),
        ("2001:db8:1::1/64", "2001:db8:1::1/640", 40, "nodes.r1.interfaces.ne0.addresses[1]"),
        ('{ link = "lan1", up', '{ link = "lan1", mac = "1", up', 32, "nodes.h1.interfaces.ne0.mac"),
        ('"500us"\n\n[links', '"500 u"\n\n[links', 20, "links.lan1.latency"),
        ('"router"', '"route"', 37, "nodes.r1.role"),
        ('"ethernet"\nlatency = "500us"\n\n[links', '"token ring"\nlatency = "500us"\n\n[links', 19, "links.lan1.kind"),
        ("format = 1", "format = 3", 5, "format"),
        ("format = 1", "format = ", 5, "syntax"),
    ],
)
def test_a_broken_lab_gives_file_line_and_key_and_status_4(
    tmp_path: Path, old: str, new: str, line: int, key: str
) -> None:
    text = DEMO.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file = tmp_path / "broken.toml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    for arguments in (["show"], ["graph"], ["show", "--json"]):
        result = kamelab(*arguments, str(file))
        assert result.exit_code == 4
        assert result.stdout == ""
        (message,) = result.stderr.splitlines()
        place, _, expected = message.partition(f": {key}: ")
        assert place == f"{file}:{line}"
        assert "expected" in expected


def test_a_lab_that_is_not_there_is_wrong_usage_with_a_suggestion() -> None:
    result = kamelab("show", "dmeo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "kamelab: no lab or file is called 'dmeo' (did you mean 'demo'?)\n"


def test_a_directory_is_no_lab(tmp_path: Path) -> None:
    result = kamelab("show", str(tmp_path))
    assert result.exit_code == 2
    assert str(tmp_path) in result.stderr


def test_an_unknown_subcommand_gets_the_nearest_one() -> None:
    result = kamelab("lsit")
    assert result.exit_code == 2
    assert "did you mean 'list'?" in result.stderr


def test_options_come_from_the_environment_too() -> None:
    result = CliRunner().invoke(main, ["list"], env={"KAMELAB_LIST_JSON": "1"})
    assert json.loads(result.stdout)
    result = CliRunner().invoke(main, ["graph", "demo"], env={"KAMELAB_GRAPH_ASCII": "1", "KAMELAB_GRAPH_COMPACT": "1"})
    assert result.stdout == " h1 -lan1- r1 -lan2- h2\n"


def test_the_version_is_the_packages() -> None:
    assert kamelab("--version").stdout == f"kamelab {__version__}\n"


def test_the_version_and_help_load_neither_screen_nor_engine() -> None:
    code = (
        "import sys\nfrom kamelab.cli import main\n"
        "try:\n    main([sys.argv[1]], prog_name='kamelab')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print([name for name in ('textual', 'rich', 'lark', 'msgspec', 'kamelab.lab') if name in sys.modules])"
    )
    for option in ("--version", "--help"):
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"
