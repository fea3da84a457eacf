"""The grammar of the small sh: what a text means, where an error stands, when more lines must follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.userland.shell_grammar import Command, Pipeline, Redirect, ShellError, needs_more, parse


def words(text: str) -> list[tuple[str, ...]]:
    return [command.argv for pipeline in parse(text) for command in pipeline.commands]


def test_pipelines_and_their_text() -> None:
    assert parse("a 1 | b;c &\nd # e\n") == (
        Pipeline((Command(("a", "1"), ()), Command(("b",), ())), False, "a 1 | b"),
        Pipeline((Command(("c",), ()),), True, "c"),
        Pipeline((Command(("d",), ()),), False, "d"),
    )


def test_redirections() -> None:
    (pipeline,) = parse("< in setkey -c>>'out file' 2 >x")
    assert pipeline.commands == (
        Command(("setkey", "-c", "2"), (Redirect("<", "in"), Redirect(">>", "out file"), Redirect(">", "x"))),
    )


def test_here_documents_belong_to_their_commands() -> None:
    first, second, third = parse("setkey -c <<EOF; cat <<'B' >o\nadd a b\n\nEOF\nEOF \nB\nlast")
    assert first.commands[0].redirects == (Redirect("<<", "add a b\n\n"),)
    assert second.commands[0].redirects == (Redirect("<<", "EOF \n"), Redirect(">", "o"))
    assert third.text == "last"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a'b'\"c\"", [("abc",)]),
        ("''", [("",)]),
        (r'"\"\\\n$"', [('"\\\\n$',)]),
        (r"a\ b \# \'", [("a b", "#", "'")]),
        ("a#b #c", [("a#b",)]),
        ("a \\\n b", [("a", "b")]),
        ("a |\n b", [("a",), ("b",)]),
        ("fe80::1%ne0 {x} *.c $y =", [("fe80::1%ne0", "{x}", "*.c", "$y", "=")]),
        ("a;\r\nb", [("a",), ("b",)]),
        ("'a\nb'", [("a\nb",)]),
    ],
)
def test_words(text: str, meant: list[tuple[str, ...]]) -> None:
    assert words(text) == meant


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("; a", 1, 1, '";" unexpected'),
        ("a ;; b", 1, 3, '";;" unexpected'),
        ("a & & b", 1, 5, '"&" unexpected'),
        ("a || b", 1, 3, '"||" is not supported'),
        ("(a)", 1, 1, "subshells are not supported"),
        ("a > ; b", 1, 5, '";" unexpected'),
        ("a\nb >\nc", 2, 4, "end of line unexpected"),
        ("a 2> b", 1, 3, '"2>": only standard input and output'),
        ("a `b`", 1, 3, "command substitution"),
        ("a 'b", 1, 3, "the quote ' is not closed"),
        ('a "b', 1, 3, 'the quote " is not closed'),
        ("a <<E\nb", 1, 5, 'here-document without a line "E"'),
    ],
)
def test_errors_point_at_the_token(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ShellError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert error.message.startswith(message)
    assert error.show().splitlines()[2].index("^") == column + 1


@pytest.mark.parametrize(
    "text", ["a <<E", "a <<E\nb\n", "a 'b", 'a "b\n', "a |", "a | # c\n", "a \\", "cat <<E; echo 'x"]
)
def test_needs_more(text: str) -> None:
    assert needs_more(text)


@pytest.mark.parametrize("text", ["", "a", "a;", "a &", "a <<E\nE", "a 'b'\n", "a | | b", "( a", "a #'"])
def test_needs_no_more(text: str) -> None:
    assert not needs_more(text)


@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1))
def test_quoted_words_come_back(parts: list[str]) -> None:
    quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in parts)
    assert words(quoted) == [tuple(parts)]


@given(st.text(alphabet="ab '\"\\\n#;&|<>E\t(", max_size=30))
def test_any_text_parses_or_is_a_shell_error(text: str) -> None:
    error: ShellError | None = None
    try:
        parse(text)
    except ShellError as found:
        error = found
    assert error is None or (error.column >= 1 and error.show().endswith("^\n"))
