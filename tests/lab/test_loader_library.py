"""Finding labs by name and by path; the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamelab.lab.library import LabNotFound, find_lab, list_labs
from kamelab.lab.loader import LabError
from kamelab.lab.suggest import did_you_mean, nearest


def test_the_demo_is_found_by_its_stem_with_and_without_its_number() -> None:
    by_stem, by_name = find_lab("00-demo"), find_lab("demo")
    assert by_stem == by_name
    assert by_stem.name == "00-demo"
    assert by_stem.path == "labs/00-demo.toml"


def test_shipped_labs_come_in_the_order_of_their_numbers() -> None:
    names = [source.name for source in list_labs()]
    assert names[0] == "00-demo"
    assert names == sorted(names)


def test_a_file_is_found_by_its_path_and_named_by_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("\ufefftitle = 1\n", encoding="utf-8")
    source = find_lab(str(file))
    assert (source.name, source.path, source.text) == ("mine", str(file), "title = 1\n")


def test_a_shipped_name_wins_over_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").write_text("x")
    (tmp_path / "other").write_text("y")
    monkeypatch.chdir(tmp_path)
    assert find_lab("demo").path == "labs/00-demo.toml"
    assert find_lab("./demo").text == "x"
    assert find_lab("other").text == "y"


def test_a_mistyped_name_gets_the_nearest_one() -> None:
    with pytest.raises(LabNotFound, match=r"no lab or file is called 'dmeo' \(did you mean 'demo'\?\)"):
        find_lab("dmeo")


def test_a_mistyped_path_gets_the_nearest_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(LabNotFound, match=r"no such file: .*mien\.toml \(did you mean 'mine\.toml'\?\)"):
        find_lab(str(tmp_path / "mien.toml"))


def test_a_file_that_is_no_text_is_a_lab_error_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(b"format = 1\ntitle = \xff\n")
    with pytest.raises(LabError) as caught:
        find_lab(str(file))
    assert str(caught.value) == f"{file}:2: syntax: expected text in UTF-8, the octet 0xff here is none"


def test_the_nearest_word_ignores_case_and_may_be_none() -> None:
    assert nearest("Routr", ["host", "router"]) == "router"
    assert nearest("fwd_hlm", ["FWD_HLIM", "FWD_NOROUTE"]) == "FWD_HLIM"
    assert nearest("xyzzy", ["host", "router"]) is None
    assert did_you_mean("xyzzy", []) == ""
