"""Session files: written and read again, and refused with file and line where something in them is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kamelab import Lab, __version__
from kamelab.lab.console import execute
from kamelab.lab.journal import Entry, Head, Tail, dump, is_session, load
from kamelab.lab.opening import open_session
from kamelab.lab.reading import LabError

Lines = list[dict[str, Any]]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A session with every kind of entry."""
    session = open_session("demo", seed=7)
    for line in ("run 12s", "h1: ping6 -c 2 2001:db8:2::1", "link lan1 loss=10%", "h2: cat", "reboot h2", "run 3s"):
        execute(session, line)
    session.start(("h1",), "cat")
    session.type_text("h1", "typed\n")
    session.interrupt()
    path = tmp_path / "demo.session"
    assert execute(session, f"save {path}") == 0
    return path


def read(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_file_is_json_lines_with_lab_seed_journal_and_digest(saved: Path) -> None:
    head, *entries, tail = read(saved)
    assert head["kamelab"] == __version__
    assert head["seed"] == 7
    assert head["lab"].startswith("# The smallest network")
    kinds = ["line", "console", "line", "eof", "console", "line", "input", "signal"]
    assert [entry["kind"] for entry in entries] == kinds
    assert entries[0] == {
        "time": 12_000_000_000,
        "events": 38,
        "kind": "line",
        "node": "h1",
        "text": "ping6 -c 2 2001:db8:2::1",
    }
    assert set(tail) == {"events", "time", "digest"}
    assert tail["time"] == 16_000_000_000 + entries[1]["time"] - 13_000_000_000


def test_nothing_in_it_tells_of_the_machine(saved: Path) -> None:
    text = saved.read_text(encoding="utf-8")
    assert str(saved.parent) not in text
    assert str(Path.home()) + "/" not in text


def test_opening_stands_where_it_was_saved_with_the_saved_seed(saved: Path) -> None:
    session = open_session(str(saved))
    assert session.seed == 7
    assert session.tail == 0
    assert session.now == read(saved)[-1]["time"]
    assert session.digest() == read(saved)[-1]["digest"]
    assert session.take_output() == []
    assert session.save() == saved.read_bytes()


def test_python_opens_and_saves_sessions_too(saved: Path, tmp_path: Path) -> None:
    lab = Lab.load(saved)
    lab.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()
    lab.back(1)
    assert lab.console("h1: ^C").status == 0


def test_another_version_is_only_a_message(saved: Path) -> None:
    lines = read(saved)
    lines[0]["kamelab"] = "0.0.9"
    write(saved, lines)
    session = open_session(str(saved))
    (chunk,) = session.take_output()
    assert (chunk.kind, chunk.text) == (
        "message",
        f"this session was saved by kamelab 0.0.9; this is {__version__}\n",
    )


def write(path: Path, lines: Lines) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def change(line: int, **values: object) -> Callable[[Lines], None]:
    def apply(lines: Lines) -> None:
        lines[line].update(values)

    return apply


def drop(line: int, key: str) -> Callable[[Lines], None]:
    def apply(lines: Lines) -> None:
        del lines[line][key]

    return apply


def remove(line: int) -> Callable[[Lines], None]:
    def apply(lines: Lines) -> None:
        del lines[line]

    return apply


TAMPERED: dict[str, tuple[Callable[[Lines], None], int, str]] = {
    "another command": (change(1, text="ping6 -c 1 2001:db8:2::1"), 10, "digest: expected the digest"),
    "another time": (change(1, time=11_000_000_000), 10, "digest: expected the digest"),
    "another seed": (change(0, seed=8), 10, "digest: expected the digest"),
    "an entry gone": (remove(3), 9, "digest: expected the digest"),
    "another digest": (change(-1, digest="0" * 64), 10, "digest: expected the digest"),
    "another end": (change(-1, time=40_000_000_000, events=120), 10, "digest: expected the digest"),
    "an end too early": (change(-1, events=3), 10, "events: expected an end that lies behind all entries"),
    "an unknown node": (change(1, node="h9"), 2, "node: expected a node of the lab, not 'h9'"),
    "no node": (drop(1, "node"), 2, "node: expected a node of the lab, not ''"),
    "two nodes' input": (change(7, node="h1 h2"), 8, "node: expected a node of the lab, not 'h1 h2'"),
    "an unknown kind": (change(1, kind="magic"), 2, "kind: expected line, console, signal, "),
    "an unknown link": (change(2, text="link lan9 down"), 3, "text: expected a link or reboot command"),
    "an unknown link setting": (change(2, text="link lan1 colour=red"), 3, "text: expected up, down, latency=..."),
    "a bad probability": (change(2, text="link lan1 loss=much"), 3, "text: expected"),
    "another console command": (change(2, text="save /etc/passwd"), 3, "text: expected a link or reboot command"),
    "an empty console command": (change(2, text=""), 3, "text: expected a link or reboot command"),
    "an unknown signal": (change(8, text="11"), 9, "text: expected one of 2, "),
    "time that runs backwards": (change(4, time=5), 5, "events: expected entries in the order"),
    "events that run backwards": (change(4, events=5), 5, "events: expected entries in the order"),
    "negative time": (change(1, time=-1), 2, "events: expected entries in the order"),
    "a time that is no number": (change(1, time="soon"), 2, "journal: expected a journal line"),
    "no time": (drop(1, "time"), 2, "journal: expected a journal line"),
    "no digest": (drop(-1, "digest"), 10, "tail: expected a tail line"),
    "no lab": (drop(0, "lab"), 1, "head: expected a head line"),
    "a format to come": (change(0, session=2), 1, "session: expected session format 1, not 2"),
    "a broken lab": (change(0, lab='format = 1\ntitle = "x"\nnods = 1\n'), 1, "lab line 3: nods"),
    "a lab that is no TOML": (change(0, lab="format = \n"), 1, "lab line 1: syntax"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_file_is_refused_with_its_line(saved: Path, case: str) -> None:
    apply, line, said = TAMPERED[case]
    lines = read(saved)
    apply(lines)
    write(saved, lines)
    with pytest.raises(LabError) as refused:
        open_session(str(saved))
    assert str(refused.value).startswith(f"{saved}:{line}: {said}")


@pytest.mark.parametrize(
    ("text", "line"), [('{"kamelab": "0.1.0"}\n', 1), ("{}\n\n{}\n", 1), ("{not json\n{}\n", 1), ("{", 1)]
)
def test_what_only_looks_like_a_session_is_refused(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "odd"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError) as refused:
        open_session(str(path))
    assert str(refused.value).startswith(f"{path}:{line}: ")


def test_blank_lines_count_in_messages(saved: Path) -> None:
    lines = saved.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace('"h1"', '"h9"')
    saved.write_text("\n\n".join(lines), encoding="utf-8")
    with pytest.raises(LabError, match=r":3: node: expected a node"):
        open_session(str(saved))


def test_dump_and_load_are_inverse() -> None:
    head = Head("1", 1, "name", 3, 'title = "ä\\n"\n')
    entries = [Entry(0, 0, "line", "all", "echo \u2028 'x'\n<<EOF\nEOF"), Entry(5, 9, "console", "", "link a up")]
    tail = Tail(10, 6, "ff")
    found = load(dump(head, entries, tail).decode(), "file")
    assert (found.head, list(found.entries), found.tail) == (head, entries, tail)
    assert found.lines == (1, 2, 3, 4)


def test_lab_files_do_not_look_like_sessions() -> None:
    assert not is_session('format = 1\ntitle = "x"\n')
    assert is_session(' {"kamelab": "1"}')
