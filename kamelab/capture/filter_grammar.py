"""The grammar of display filters and the parser made from it.

Apart from `filter` because it needs lark, which is loaded when the first filter is read. LALR with a lexer that knows
what may come next, so that words such as `in` and `not` may be values (`dir == in`).
"""

from __future__ import annotations

import functools
from typing import NoReturn

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from kamelab.capture.filter_syntax import (
    Both,
    Comparison,
    Either,
    FilterError,
    Member,
    Membership,
    Negation,
    Node,
    Presence,
    Word,
)

_GRAMMAR = r"""
?start: either
?either: both (_OR both)*
?both: unary (_AND unary)*
?unary: _NOT unary -> negation
      | "(" either ")"
      | test
?test: WORD -> presence
     | WORD OPERATOR value -> comparison
     | WORD _IN "{" member ("," member)* "}" -> membership
member: value [".." value]
?value: WORD | STRING

_OR.2: "||" | /or(?![\w.])/
_AND.2: "&&" | /and(?![\w.])/
_NOT.2: /!(?!=)/ | /not(?![\w.])/
_IN.2: /in(?![\w.])/
OPERATOR.2: "==" | "!=" | "<=" | ">=" | "<" | ">" | /(eq|ne|lt|le|gt|ge|contains)(?![\w.])/
WORD: /[\w:\/%+-]+(\.[\w:\/%+-]+)*/
STRING: /"(\\.|[^"\\])*"/

%ignore /[ \t\r\n]+/
"""

_MAX_DEPTH = 50


def parse(text: str) -> Node:
    """Read a filter that isn't empty. Raises FilterError where its form is wrong; names and values aren't looked at."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        _syntax_error(text, error)
    return _node(tree, text, 0)


def _node(part: Tree[Token] | Token, text: str, depth: int) -> Node:
    if depth > _MAX_DEPTH:
        raise FilterError(f"nested more than {_MAX_DEPTH} deep", text, len(text))
    assert isinstance(part, Tree)
    match part.data:
        case "either":
            return Either(tuple(_node(child, text, depth + 1) for child in part.children))
        case "both":
            return Both(tuple(_node(child, text, depth + 1) for child in part.children))
        case "negation":
            return Negation(_node(part.children[0], text, depth + 1))
        case "presence":
            return Presence(_word(part.children[0]))
        case "comparison":
            field, sign, value = (_word(child) for child in part.children)
            return Comparison(field, sign, value)
        case _:
            members = tuple(_member(member) for member in part.children[1:])
            return Membership(_word(part.children[0]), members)


def _member(part: Tree[Token] | Token) -> Member:
    assert isinstance(part, Tree)
    first, last = part.children
    return Member(_word(first), None if last is None else _word(last))


def _word(part: Tree[Token] | Token) -> Word:
    assert isinstance(part, Token)
    quoted = part.type == "STRING"
    return Word(_unquote(part) if quoted else str(part), part.start_pos or 0, len(part), quoted)


def _unquote(text: str) -> str:
    """A string without its quotes; a backslash makes the next character stand for itself."""
    out: list[str] = []
    characters = iter(text[1:-1])
    for character in characters:
        out.append(next(characters, "") if character == "\\" else character)
    return "".join(out)


@functools.cache
def _parser() -> Lark:
    """The grammar's tables, made when the first filter is read."""
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


def _syntax_error(text: str, error: UnexpectedInput) -> NoReturn:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        expected = _expected(error.accepts or error.expected)
        raise FilterError(f"the filter ends too early, expected {expected}", text, len(text)) from None
    position = error.pos_in_stream or 0
    if isinstance(error, UnexpectedToken):
        found, expected = str(error.token), _expected(error.accepts or error.expected)
        length = len(found)
    else:
        found = text[position : position + 1]
        expected = _expected(error.allowed) if isinstance(error, UnexpectedCharacters) else "something else"
        length = 1
    if found == '"':
        raise FilterError("a string without its closing quote", text, position, len(text) - position) from None
    hint = {"=": "==", "&": "&&", "|": "||", "matches": "contains", "~": "contains"}.get(found, "")
    raise FilterError(f"{found!r} is not expected here, but {expected}", text, position, length, hint) from None


def _expected(terminals: object) -> str:
    """What may come next, by the terminals that the parser would take."""
    names = set(terminals) if isinstance(terminals, (set, frozenset, list, tuple)) else set()
    if "_NOT" in names:
        return "a field name, ! or ("
    if "OPERATOR" in names:
        return "an operator (== != < <= > >= contains in), && or ||"
    if "STRING" in names:
        return "a value"
    if "LBRACE" in names:
        return "{"
    if "RBRACE" in names:
        return ", or }"
    if "RPAR" in names:
        return "&&, || or )"
    return "&& or ||"
