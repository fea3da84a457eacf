"""rrenumd.conf: what rrenumd is to send, and to whom.

KAME `rrenumd/parser.y`; the operations are RFC 2894 3.2's. Statements end in a semicolon, comments begin with ``#``.
The grammar is read by lark, which is loaded when rrenumd runs. Left out: segment numbers and flags in the file, and
statements about IPsec.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from kamelab.userland.prefix import read_time
from kamelab.wire import in6, rr

PATH: Final = "/etc/rrenumd.conf"
MAX_OPERATIONS: Final = 256
"""In a group: the ordinal has 8 bits."""

_GRAMMAR: Final = r"""
start: statement*
?statement: debug | dest | operation | group
debug: "debug" SWITCH ";"
dest: "dest" (ADDRESS | NAME)+ retry? ";"
retry: "retry" NUMBER
group: "seqnum" NUMBER "{" operation* "}" ";"
operation: OPCODE? "match-prefix" prefix option* terms? ";"
?option: NUMBERED NUMBER -> length
       | "use-prefix" prefix -> use
prefix: ADDRESS ["/" NUMBER]
terms: "{" term* "}"
?term: "vltime" TIME -> vltime
     | "pltime" TIME -> pltime
     | FLAG SWITCH -> flag

OPCODE: "add" | "change" | "setglobal"
NUMBERED: "maxlen" | "minlen" | "keeplen"
FLAG: "raf_onlink" | "raf_auto" | "rrf_decrvalid" | "rrf_decrprefd"
SWITCH: "on" | "off"
ADDRESS.2: /[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%\w+)?/
NAME: /[A-Za-z][\w.-]*/
NUMBER: /\d+/
TIME: /infinity|\d+|([dhms]\d+)+/
%ignore /#[^\n]*/
%ignore /\s+/
"""

_OPCODES: Final = {word: code for code, word in rr.OPCODES.items()}


class ConfError(Exception):
    """A mistake in the file; its text is ``FILE:LINE: what is wrong``."""


class Dest(NamedTuple):
    """Where commands go: addresses or names as written, and how often they are sent again."""

    names: tuple[str, ...]
    retry: int


class Group(NamedTuple):
    """Operations under one sequence number."""

    seqnum: int
    operations: tuple[rr.Operation, ...]


class Config(NamedTuple):
    """The whole file."""

    debug: bool
    dests: tuple[Dest, ...]
    groups: tuple[Group, ...]
    """By sequence number in the order of the file, operations of the same number together."""


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


def parse(text: str, path: str = PATH) -> Config:
    """Read the file. Raises ConfError for its first mistake."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise ConfError(f"{path}:{_line(text, error)}: {_unexpected(text, error)}") from None
    return _Reader(path).config(tree)


def _line(text: str, error: UnexpectedInput) -> int:
    """The line of a mistake of form; what is missing at the end of the file is missing in its last line."""
    return error.line if isinstance(error.line, int) and error.line > 0 else max(1, len(text.splitlines()))


def _unexpected(text: str, error: UnexpectedInput) -> str:
    at = error.pos_in_stream
    word = text[at:].split(maxsplit=1)[0].rstrip(";") if at is not None and text[at:].strip() else ""
    if not word or getattr(getattr(error, "token", None), "type", "") == "$END":
        return "the file ends within a statement: is a ';' missing?"
    return f"{word!r} can't stand here"


class _Reader:
    """From tree to values, with the file's name for messages."""

    def __init__(self, path: str) -> None:
        self.path = path

    def wrong(self, place: Any, text: str) -> ConfError:
        return ConfError(f"{self.path}:{place.line}: {text}")

    def config(self, tree: Tree[Any]) -> Config:
        debug = False
        dests: list[Dest] = []
        groups: dict[int, list[rr.Operation]] = {}
        for statement in tree.children:
            if statement.data == "debug":
                debug = statement.children[0] == "on"
            elif statement.data == "dest":
                dests.append(self.dest(statement))
            elif statement.data == "group":
                number, *operations = statement.children
                kept = groups.setdefault(self.number(number, 0xFFFFFFFF), [])
                self.operations(kept, operations, number)
            else:
                self.operations(groups.setdefault(0, []), [statement], _first(statement))
        if not dests:
            raise ConfError(f"{self.path}: there is no dest: nobody would be told")
        if not any(groups.values()):
            raise ConfError(f"{self.path}: there is no match-prefix: nothing would be told")
        return Config(debug, tuple(dests), tuple(Group(seqnum, tuple(found)) for seqnum, found in groups.items()))

    def dest(self, tree: Tree[Any]) -> Dest:
        names = tuple(str(one) for one in tree.children if isinstance(one, Token))
        retry = 0
        for one in tree.children:
            if isinstance(one, Tree):
                retry = self.number(one.children[0], 255)
        return Dest(names, retry)

    def number(self, token: Any, most: int) -> int:
        if len(token) > 10 or int(token) > most:
            raise self.wrong(token, f"{token} must be between 0 and {most}")
        return int(token)

    def operations(self, kept: list[rr.Operation], trees: list[Any], place: Any) -> None:
        for tree in trees:
            if len(kept) == MAX_OPERATIONS:
                raise self.wrong(place, f"a sequence number has room for {MAX_OPERATIONS} operations")
            kept.append(self.operation(tree, len(kept)))

    def operation(self, tree: Tree[Any], ordinal: int) -> rr.Operation:
        """One match-prefix statement; without an operation's name it adds."""
        opcode = rr.ADD
        match: tuple[bytes, int] | None = None
        use: tuple[bytes, int] | None = None
        lengths: dict[str, int] = {}
        terms: Tree[Any] | None = None
        for part in tree.children:
            if isinstance(part, Token):
                opcode = _OPCODES[part]
            elif part.data == "prefix":
                match = self.prefix(part)
            elif part.data == "use":
                if use is not None:
                    raise self.wrong(_first(part), "a second use-prefix")
                use = self.prefix(part.children[0])
            elif part.data == "length":
                word, number = part.children
                if word in lengths:
                    raise self.wrong(word, f"a second {word}")
                lengths[str(word)] = self.number(number, 128)
            else:
                terms = part
        assert match is not None
        place = _first(tree)
        low, high = lengths.get("minlen", 0), lengths.get("maxlen", 128)
        if low > high:
            raise self.wrong(place, f"minlen {low} must not be greater than maxlen, {high}")
        uses: tuple[rr.UsePrefix, ...] = ()
        if use is not None:
            keeplen = lengths.get("keeplen", max(0, 64 - use[1]))
            if use[1] + keeplen > 128:
                raise self.wrong(place, f"{use[1]} bits of use-prefix and {keeplen} kept are more than 128")
            uses = (self.use(use, keeplen, terms, place),)
        elif terms is not None or "keeplen" in lengths:
            raise self.wrong(place, "keeplen and lifetimes need a use-prefix")
        elif opcode == rr.ADD:
            raise self.wrong(place, "add needs a use-prefix")
        return rr.Operation(opcode, ordinal, match[1], low, high, match[0], uses)

    def prefix(self, tree: Tree[Any]) -> tuple[bytes, int]:
        text, length = tree.children
        plen = 64 if length is None else self.number(length, 128)
        try:
            return in6.mask(in6.pton(str(text)), plen), plen
        except ValueError as error:
            raise self.wrong(text, str(error)) from None

    def use(self, use: tuple[bytes, int], keeplen: int, terms: Tree[Any] | None, place: Any) -> rr.UsePrefix:
        """A use prefix; flags that are not given are to be as in the matched prefix."""
        times: dict[str, int] = {}
        flags: dict[str, bool] = {}
        for term in terms.children if terms is not None else ():
            if term.data == "flag":
                flags[str(term.children[0])] = term.children[1] == "on"
                continue
            seconds = read_time(str(term.children[0]))
            if seconds is None:
                raise self.wrong(term.children[0], f"{term.children[0]} is no {term.data}")
            times[term.data] = seconds
        valid = times.get("vltime", 2592000)
        preferred = times.get("pltime", min(604800, valid))
        if preferred > valid:
            raise self.wrong(place, f"pltime {preferred} must not be greater than vltime, {valid}")
        mask = bits = 0
        for word, bit in (("raf_onlink", rr.ONLINK), ("raf_auto", rr.AUTONOMOUS)):
            if word in flags:
                mask |= bit
                bits |= bit if flags[word] else 0
        counts = flags.get("rrf_decrvalid", False), flags.get("rrf_decrprefd", False)
        return rr.UsePrefix(use[1], keeplen, mask, bits, valid, preferred, *counts, use[0])


def _first(tree: Tree[Any]) -> Any:
    """The first word below a tree, for the line of a message."""
    return next(tree.scan_values(lambda value: isinstance(value, Token)))
