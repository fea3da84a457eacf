"""The grammar of the small sh: words, quotes, ``#`` comments, ``;`` ``&`` ``|`` ``<`` ``>`` ``>>`` and here-documents.

A text of one or more lines becomes a tuple of `Pipeline`. There are no variables, no globbing, no compound commands:
``$`` ``*`` ``{`` are ordinary characters, and what a real sh would run differently (``&&``, ``(``, a back quote,
``2>``) is refused with the place where it stands rather than taken literally.
"""

from __future__ import annotations

from typing import NamedTuple


class ShellError(Exception):
    """A syntax error. ``line`` and ``column`` count from 1; ``incomplete`` where more text could mend it."""

    def __init__(self, message: str, text: str, at: int, *, incomplete: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.line = text.count("\n", 0, at) + 1
        start = text.rfind("\n", 0, at) + 1
        self.column = at - start + 1
        self.source = text[start:].partition("\n")[0]
        self.incomplete = incomplete

    def show(self) -> str:
        """Three lines: the message with its column, the source line, and a mark under the token."""
        where = f"line {self.line}, column {self.column}" if self.line > 1 else f"column {self.column}"
        lead = "".join("\t" if letter == "\t" else " " for letter in self.source[: self.column - 1])
        return f"syntax error: {self.message} ({where})\n  {self.source}\n  {lead}^\n"


class Redirect(NamedTuple):
    """``<`` ``>`` ``>>`` with a path, or ``<<`` with the here-document's text."""

    op: str
    target: str


class Command(NamedTuple):
    """A simple command. ``argv`` may be empty where there are only redirections."""

    argv: tuple[str, ...]
    redirects: tuple[Redirect, ...]


class Pipeline(NamedTuple):
    """Commands joined by ``|``; ``text`` is how it was written."""

    commands: tuple[Command, ...]
    background: bool
    text: str


class Token(NamedTuple):
    """``kind`` is word, op, newline or end; ``text`` a word's value or the operator."""

    kind: str
    text: str
    at: int
    end: int


_OPERATORS = ("<<-", "<<", ">>", "&&", "||", ";;", "<", ">", "|", ";", "&", "(", ")")
_REFUSED = {
    "&&": '"&&" is not supported: separate commands with ";"',
    "||": '"||" is not supported: separate commands with ";"',
    ";;": '";;" unexpected',
    "(": "subshells are not supported: quote the parenthesis",
    ")": '")" unexpected',
}
_META = frozenset(" \t\n;&|<>()")


class _Heredoc(NamedTuple):
    delimiter: str
    strip: bool
    at: int


class _Scanner:
    """Cuts text into tokens; bodies of here-documents go to ``bodies`` in the order of their ``<<``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.bodies: list[str] = []
        self._open: list[_Heredoc] = []

    def expect_body(self, word: Token, strip: bool) -> None:
        """``<<`` was followed by ``word``: its body begins after the line's end."""
        self._open.append(_Heredoc(word.text, strip, word.at))

    def next(self) -> Token:
        """The next token; raises `ShellError`."""
        text = self.text
        while self.at < len(text):
            if text[self.at] in " \t\r":
                self.at += 1
            elif text.startswith("\\\n", self.at):
                self.at += 2
            elif text[self.at] == "#":
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            else:
                break
        start = self.at
        if start >= len(text):
            if self._open:
                raise self._unended()
            return Token("end", "", start, start)
        if text[start] == "\n":
            self.at += 1
            self._read_bodies()
            return Token("newline", "\n", start, start + 1)
        for op in _OPERATORS:
            if text.startswith(op, start):
                self.at += len(op)
                if op in _REFUSED:
                    raise ShellError(_REFUSED[op], text, start)
                return Token("op", op, start, self.at)
        return self._word()

    def _unended(self) -> ShellError:
        here = self._open[0]
        return ShellError(f'here-document without a line "{here.delimiter}"', self.text, here.at, incomplete=True)

    def _read_bodies(self) -> None:
        """Read the bodies of the here-documents of the line that has just ended."""
        while self._open:
            here = self._open[0]
            body: list[str] = []
            while True:
                if self.at >= len(self.text):
                    raise self._unended()
                line, newline, _ = self.text[self.at :].partition("\n")
                self.at += len(line) + len(newline)
                line = line.removesuffix("\r")
                if here.strip:
                    line = line.lstrip("\t")
                if line == here.delimiter:
                    break
                body.append(line + "\n")
            self.bodies.append("".join(body))
            del self._open[0]

    def _word(self) -> Token:
        text = self.text
        start = self.at
        out: list[str] = []
        while self.at < len(text) and text[self.at] not in _META:
            letter = text[self.at]
            self.at += 1
            if letter == "'":
                end = text.find("'", self.at)
                if end < 0:
                    raise ShellError("the quote ' is not closed", text, self.at - 1, incomplete=True)
                out.append(text[self.at : end])
                self.at = end + 1
            elif letter == '"':
                out.append(self._double(self.at - 1))
            elif letter == "\\":
                if self.at >= len(text):
                    raise ShellError("nothing follows the backslash", text, self.at - 1, incomplete=True)
                if text[self.at] != "\n":
                    out.append(text[self.at])
                self.at += 1
            elif letter == "`":
                raise ShellError("command substitution is not supported: quote the `", text, self.at - 1)
            else:
                out.append(letter)
        if self.at < len(text) and text[self.at] in "<>" and text[start : self.at].isdigit():
            raise ShellError(
                f'"{text[start : self.at + 1]}": only standard input and output can be redirected', text, start
            )
        return Token("word", "".join(out), start, self.at)

    def _double(self, opened: int) -> str:
        text = self.text
        out: list[str] = []
        while self.at < len(text):
            letter = text[self.at]
            self.at += 1
            if letter == '"':
                return "".join(out)
            if letter == "\\" and self.at < len(text) and text[self.at] in '"\\$`\n':
                if text[self.at] != "\n":
                    out.append(text[self.at])
                self.at += 1
            else:
                out.append(letter)
        raise ShellError('the quote " is not closed', text, opened, incomplete=True)


class _Parser:
    """Builds pipelines. A here-document is only known after its line, so ``<<`` first holds its number."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.scanner = _Scanner(text)
        self.token = self.scanner.next()
        self.heredocs = 0

    def advance(self) -> Token:
        token = self.token
        self.token = self.scanner.next()
        return token

    def unexpected(self) -> ShellError:
        token = self.token
        name = {"end": "end of line", "newline": "end of line"}.get(token.kind, f'"{token.text}"')
        return ShellError(f"{name} unexpected", self.text, token.at, incomplete=token.kind == "end")

    def script(self) -> tuple[Pipeline, ...]:
        found: list[Pipeline] = []
        while True:
            while self.token.kind == "newline":
                self.advance()
            if self.token.kind == "end":
                break
            found.append(self.pipeline())
        bodies = self.scanner.bodies
        return tuple(
            pipeline._replace(
                commands=tuple(
                    command._replace(
                        redirects=tuple(
                            redirect._replace(target=bodies[int(redirect.target)]) if redirect.op == "<<" else redirect
                            for redirect in command.redirects
                        )
                    )
                    for command in pipeline.commands
                )
            )
            for pipeline in found
        )

    def pipeline(self) -> Pipeline:
        start = self.token.at
        command, end = self.command()
        commands = [command]
        while self.token.kind == "op" and self.token.text == "|":
            self.advance()
            while self.token.kind == "newline":
                self.advance()
            command, end = self.command()
            commands.append(command)
        background = False
        if self.token.kind == "op":
            # Only ; and & can stand here: command() took all other operators or refused them.
            background = self.advance().text == "&"
        return Pipeline(tuple(commands), background, self.text[start:end])

    def command(self) -> tuple[Command, int]:
        argv: list[str] = []
        redirects: list[Redirect] = []
        end = self.token.at
        while True:
            token = self.token
            if token.kind == "word":
                argv.append(token.text)
                end = token.end
                self.advance()
            elif token.kind == "op" and token.text in ("<", ">", ">>", "<<", "<<-"):
                end = self.redirect(redirects)
            else:
                break
        if not argv and not redirects:
            raise self.unexpected()
        return Command(tuple(argv), tuple(redirects)), end

    def redirect(self, redirects: list[Redirect]) -> int:
        op = self.advance().text
        word = self.token
        if word.kind != "word":
            raise self.unexpected()
        if op.startswith("<<"):
            # Before the next token is read: it may be the newline behind which the body stands.
            self.scanner.expect_body(word, op == "<<-")
            redirects.append(Redirect("<<", str(self.heredocs)))
            self.heredocs += 1
        else:
            redirects.append(Redirect(op, word.text))
        self.advance()
        return word.end


def parse(text: str) -> tuple[Pipeline, ...]:
    """The pipelines of ``text``; () for blanks and comments. Raises `ShellError`."""
    return _Parser(text).script()


def needs_more(text: str) -> bool:
    """Whether a line must follow: ``text`` ends in a quote, in a here-document, behind ``|`` or a backslash."""
    try:
        parse(text)
    except ShellError as error:
        return error.incomplete
    return False
