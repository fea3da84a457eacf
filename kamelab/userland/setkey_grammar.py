"""The language of setkey(8): from text to commands.

KAME `setkey/token.l` and `parse.y`. Each command ends in a semicolon; `Reader` gives one after the other, so that those
before a mistake are carried out, as KAME's did. A mistake is told with its line and the token in brackets. The lexer
knows what came before, as KAME's states did: names of algorithms are words of their own behind ``-E``, ``-A`` and
``-C`` only, and all behind ``-P`` up to the semicolon is for `ipsec_policy`. The grammar is read by lark, which is
loaded when setkey runs. Names of hosts, services and protocols are left as they are written.

Beyond KAME: a comment may stand inside a policy, ``-f esn``, and the words aes-gcm-16, chacha20-poly1305 and aes-cbc.
Left out: byte lifetimes (setkey never had them), the extensions that came after KAME (``-ctx``, ``exit``, NAT-T).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedToken

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec import sadb

_GRAMMAR: Final = r"""
start: add | delete | deleteall | get | flush | dump | spdadd | spddelete | spdflush | spddump
add: _ADD AIFLAGS* STRING STRING protocol spi extension* transform _EOT
delete: _DELETE AIFLAGS* STRING STRING protocol spi _EOT
deleteall: _DELETEALL AIFLAGS* STRING STRING protocol _EOT
get: _GET AIFLAGS* STRING STRING protocol spi _EOT
flush: _FLUSH protocol? _EOT
dump: _DUMP protocol? _EOT
spdadd: _SPDADD AIFLAGS* range range upper misc? _POLICY PL_REQUESTS _EOT
      | _SPDADD _TAGGED QUOTED _POLICY PL_REQUESTS _EOT -> spdtagged
spddelete: _SPDDELETE AIFLAGS* range range upper misc? _POLICY PL_REQUESTS _EOT
spdflush: _SPDFLUSH _EOT
spddump: _SPDDUMP _EOT

protocol: PROTOCOL
spi: DECIMAL | HEX
range: STRING plen? port?
plen: _SLASH DECIMAL
port: _BLCL (DECIMAL | STRING | ANY) _ELCL
upper: DECIMAL | ANY | STRING | PROTOCOL
misc: STRING

?extension: _MODE (MODE | ANY) -> mode
          | _REQID DECIMAL -> reqid
          | _REPLAY DECIMAL -> replay
          | _EXT EXTENSION -> option
          | _HARD DECIMAL -> hard
          | _SOFT DECIMAL -> soft
transform: encrypt authenticate? | authenticate | compress
encrypt: _ENC ALGORITHM [key]
authenticate: _AUTH ALGORITHM [key]
compress: _COMP ALGORITHM [RAWCPI]
key: QUOTED | HEX

%declare _ADD _DELETE _DELETEALL _GET _FLUSH _DUMP _SPDADD _SPDDELETE _SPDFLUSH _SPDDUMP _TAGGED
%declare AIFLAGS STRING DECIMAL HEX QUOTED PROTOCOL ANY MODE EXTENSION ALGORITHM RAWCPI PL_REQUESTS
%declare _MODE _REQID _REPLAY _EXT _HARD _SOFT _ENC _AUTH _COMP _POLICY _SLASH _BLCL _ELCL _EOT
"""

_WORDS: Final = {
    "add": "_ADD",
    "delete": "_DELETE",
    "deleteall": "_DELETEALL",
    "get": "_GET",
    "flush": "_FLUSH",
    "dump": "_DUMP",
    "spdadd": "_SPDADD",
    "spddelete": "_SPDDELETE",
    "spdflush": "_SPDFLUSH",
    "spddump": "_SPDDUMP",
    "tagged": "_TAGGED",
    "esp": "PROTOCOL",
    "esp-old": "PROTOCOL",
    "ah": "PROTOCOL",
    "ah-old": "PROTOCOL",
    "ipcomp": "PROTOCOL",
    "any": "ANY",
    "transport": "MODE",
    "tunnel": "MODE",
    "random-pad": "EXTENSION",
    "seq-pad": "EXTENSION",
    "zero-pad": "EXTENSION",
    "nocyclic-seq": "EXTENSION",
    "esn": "EXTENSION",
    "/": "_SLASH",
    "[": "_BLCL",
    "]": "_ELCL",
    ";": "_EOT",
    "-m": "_MODE",
    "-u": "_REQID",
    "-r": "_REPLAY",
    "-f": "_EXT",
    "-lh": "_HARD",
    "-ls": "_SOFT",
    "-E": "_ENC",
    "-A": "_AUTH",
    "-C": "_COMP",
    "-R": "RAWCPI",
    "-P": "_POLICY",
}
"""Words that mean the same everywhere: no host can have such a name."""

_TOKEN: Final = re.compile(
    r"""(?P<BLANK>[\ \t\r\f\v\n]+|\#[^\n]*)
      | (?P<QUOTED>"[^"]*")
      | (?P<AIFLAGS>-[n46]+(?![\w-]))
      | (?P<OPTION>-(?:lh|ls|[A-Za-z])(?![\w-]))
      | (?P<STRING>[0-9A-Za-z:._][0-9A-Za-z:._%,@+-]*)
      | (?P<SIGN>[/;\[\]])
      | (?P<WRONG>-\w*|.)""",
    re.VERBOSE,
)
_POLICY_END: Final = re.compile(r"[^;#]+|#[^\n]*")
_CHUNK: Final = re.compile(r'"[^"]*"|#[^\n]*|[^;"#]+|;|"')
_DECIMAL: Final = re.compile(r"[0-9]+\Z")
_HEX: Final = re.compile(r"0[xX][0-9A-Fa-f]+\Z")

AUTH_WORDS: Final = {row.name: row.number for row in alg.AUTHS.values()}
"""Behind ``-A``."""
ENC_WORDS: Final = {
    **{row.name: row.number for row in alg.ENCS.values() if row.kind},
    "simple": alg.EALG_NULL,
    "aes-cbc": alg.X_EALG_AESCBC,
    "des-deriv": alg.EALG_DESCBC,
    "des-32iv": alg.EALG_DESCBC,
}
"""Behind ``-E``. ``simple`` is the obsolete name of null, ``aes-cbc`` today's of rijndael-cbc."""
COMP_WORDS: Final = {row.name: row.number for row in alg.COMPS.values()}
"""Behind ``-C``; the kernel refuses lzs and oui."""
_ALGORITHMS: Final = {"-A": AUTH_WORDS, "-E": ENC_WORDS, "-C": COMP_WORDS}

_PROTOCOLS: Final = {
    "esp": (sadb.IPPROTO_ESP, 0),
    "esp-old": (sadb.IPPROTO_ESP, sadb.X_EXT_OLD),
    "ah": (sadb.IPPROTO_AH, 0),
    "ah-old": (sadb.IPPROTO_AH, sadb.X_EXT_OLD),
    "ipcomp": (sadb.IPPROTO_IPCOMP, 0),
}
_PADDING: Final = {"random-pad": sadb.X_EXT_PRAND, "zero-pad": sadb.X_EXT_PZERO, "seq-pad": sadb.X_EXT_PSEQ}

ULPROTO_ANY: Final = 255
"""KAME IPSEC_ULPROTO_ANY: any upper-layer protocol."""


class SyntaxFault(Exception):
    """A mistake in the text: ``line N: MESSAGE at [TOKEN]``. ``line`` counts from 1."""

    def __init__(self, line: int, message: str, token: str) -> None:
        super().__init__(f"line {line}: {message} at [{token}]")
        self.line = line
        self.message = message
        self.token = token


class Word(NamedTuple):
    """A word of the text and where it stands."""

    text: str
    line: int

    def fault(self, message: str) -> SyntaxFault:
        """A mistake that points at this word."""
        return SyntaxFault(self.line, message, self.text)


class Protocol(NamedTuple):
    """A protocol of associations: IP protocol number and SADB_X_EXT_OLD or 0."""

    proto: int
    old: int
    word: Word


class Alg(NamedTuple):
    """An algorithm with its key."""

    number: int
    name: Word
    key: bytes
    word: Word
    """What a mistake in the key's length points at: the key, or the name where there is none."""


class Sa(NamedTuple):
    """``add``. Times in seconds, `replay` in octets of window."""

    mode: str
    reqid: int
    replay: int
    flags: int
    esn: bool
    hard: int
    soft: int
    enc: Alg | None
    auth: Alg | None
    comp: Alg | None


class Range(NamedTuple):
    """One side of a policy's selector as written; `plen` None: the whole address; `port` "" for any."""

    address: Word
    plen: Word | None
    port: Word | None


class Command(NamedTuple):
    """One command. What a kind does not use is left at None."""

    kind: str
    """The word that it begins with; "spdtagged" for ``spdadd tagged``."""
    line: int
    """Where it ends."""
    aiflags: str = ""
    """Of the letters 4, 6 and n."""
    src: Word | None = None
    dst: Word | None = None
    protocol: Protocol | None = None
    spi: int = 0
    sa: Sa | None = None
    ranges: tuple[Range, Range] | None = None
    upper: Word | None = None
    misc: Word | None = None
    """TYPE,CODE of icmp6."""
    tag: Word | None = None
    policy: Word | None = None
    """All behind ``-P``; comments are blank, lines are kept."""


class Reader:
    """Commands out of text that comes in pieces, as a terminal gives it."""

    def __init__(self) -> None:
        self.line = 1
        self._rest = ""

    def feed(self, text: str) -> Iterator[Command]:
        """Commands that end within what has come so far. Raises SyntaxFault at the first mistake."""
        self._rest += text
        while True:
            end = _end(self._rest)
            if end is None:
                return
            yield self._take(end)

    def end(self) -> None:
        """The text is over. Raises SyntaxFault if a command is not."""
        if any(token.type != "$END" for token in tokens(self._rest, self.line)):
            self._take(len(self._rest))

    def _take(self, end: int) -> Command:
        text, self._rest = self._rest[:end], self._rest[end:]
        line, self.line = self.line, self.line + text.count("\n")
        return parse_command(text, line)


def _end(text: str) -> int | None:
    """Where the first command ends, behind its semicolon; None if it is still to come."""
    for found in _CHUNK.finditer(text):
        if found[0] == ";":
            return found.end()
        if found[0] == '"':
            return None
    return None


def parse(text: str) -> list[Command]:
    """All commands of a text. Raises SyntaxFault."""
    reader = Reader()
    commands = list(reader.feed(text))
    reader.end()
    return commands


def tokens(text: str, line: int = 1) -> Iterator[Token]:
    """The tokens of a text that begins at a line, ``$END`` last. Raises SyntaxFault for what can't be one."""
    at, previous = 0, ""
    while at < len(text):
        if previous == "-P" and text[at] != ";":
            end = at
            while found := _POLICY_END.match(text, end):
                end = found.end()
            words = re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0]), text[at:end])
            lead = len(words) - len(words.lstrip())
            if words.strip():
                yield Token("PL_REQUESTS", words.strip(), at + lead, line + words[:lead].count("\n"))
            line += words.count("\n")
            at, previous = end, ""
            continue
        found = _TOKEN.match(text, at)
        assert found is not None
        kind, word = str(found.lastgroup), found[0]
        if kind != "BLANK":
            yield Token(_kind(kind, word, line, previous), word, at, line)
            previous = word
        line += word.count("\n")
        at = found.end()
    yield Token("$END", "", len(text), line)


def _kind(kind: str, word: str, line: int, previous: str) -> str:
    """The terminal that a word is, behind another. Raises SyntaxFault."""
    names = _ALGORITHMS.get(previous)
    if names is not None and kind == "STRING":
        if word not in names:
            raise SyntaxFault(line, "unsupported algorithm", word)
        return "ALGORITHM"
    if kind == "WRONG" or (kind == "OPTION" and word not in _WORDS):
        raise SyntaxFault(line, "syntax error", word)
    if kind in ("QUOTED", "AIFLAGS"):
        return kind
    if word in _WORDS:
        return _WORDS[word]
    if _DECIMAL.match(word):
        return "DECIMAL"
    return "HEX" if _HEX.match(word) else "STRING"


@lru_cache(maxsize=1)
def _parser() -> Lark:
    """The grammar's tables, made when the first command is read. Tokens come from `tokens`."""
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", maybe_placeholders=True)


def parse_command(text: str, line: int = 1) -> Command:
    """One command with its semicolon. ``line`` is where the text begins. Raises SyntaxFault."""
    machine = _parser().parse_interactive()
    last = line
    for token in tokens(text, line):
        last = token.line or last
        try:
            tree = machine.feed_token(token)
        except UnexpectedToken:
            raise SyntaxFault(last, "syntax error", str(token)) from None
    return _command(tree.children[0], last)


def _word(token: Any) -> Word:
    return Word(str(token), int(token.line))


def _parts(tree: Tree[Any], kind: str) -> list[Tree[Any]]:
    return [part for part in tree.children if isinstance(part, Tree) and part.data == kind]


def _token(tree: Tree[Any] | None) -> Word | None:
    return None if tree is None else _word(tree.children[0])


def _first(tree: Tree[Any], kind: str) -> Tree[Any] | None:
    return next(iter(_parts(tree, kind)), None)


def _command(tree: Tree[Any], line: int) -> Command:
    kind = str(tree.data)
    plain = [part for part in tree.children if isinstance(part, Token)]
    of = {name: [_word(part) for part in plain if part.type == name] for name in ("STRING", "QUOTED", "PL_REQUESTS")}
    aiflags = "".join(part[1:] for part in plain if part.type == "AIFLAGS")
    named = _token(_first(tree, "protocol"))
    protocol = Protocol(*_PROTOCOLS[named.text], named) if named else None
    policy = next(iter(of["PL_REQUESTS"]), None)
    command = Command(kind, line, aiflags, protocol=protocol, policy=policy)
    if kind == "spdtagged":
        return command._replace(tag=of["QUOTED"][0])
    if kind in ("spdadd", "spddelete"):
        first, second = (_range(part) for part in _parts(tree, "range"))
        upper, misc = _token(_first(tree, "upper")), _token(_first(tree, "misc"))
        return command._replace(ranges=(first, second), upper=upper, misc=misc)
    if len(of["STRING"]) == 2:
        command = command._replace(src=of["STRING"][0], dst=of["STRING"][1])
    spi = _token(_first(tree, "spi"))
    if spi is not None and protocol is not None:
        command = command._replace(spi=_spi(spi, protocol))
    if kind == "add" and protocol is not None:
        command = command._replace(sa=_sa(tree, protocol))
    return command


def _range(tree: Tree[Any]) -> Range:
    return Range(_word(tree.children[0]), _token(_first(tree, "plen")), _token(_first(tree, "port")))


def number(word: Word, most: int, message: str = "syntax error") -> int:
    """A decimal or 0x-hexadecimal number of at most ``most``. Raises SyntaxFault with the message."""
    digits = word.text
    value = most + 1 if len(digits) > 40 else int(digits, 16 if _HEX.match(digits) else 10)
    if value > most:
        raise word.fault(message)
    return value


def _spi(word: Word, protocol: Protocol) -> int:
    spi = number(word, 0xFFFFFFFF, "invalid SPI")
    if protocol.proto == sadb.IPPROTO_IPCOMP and spi > 0xFFFF:
        raise word.fault("SPI too big.")
    return spi


def _sa(tree: Tree[Any], protocol: Protocol) -> Sa:
    """The extensions and algorithms of ``add``; of an extension given twice the last counts."""
    flags = protocol.old | sadb.X_EXT_CYCSEQ
    esn = False
    for part in _parts(tree, "option"):
        word = str(part.children[0])
        if word == "nocyclic-seq":
            flags &= ~sadb.X_EXT_CYCSEQ
        elif word == "esn":
            esn = True
        else:
            flags = flags & ~sadb.X_EXT_PMASK | _PADDING[word]
    replay = _last(tree, "replay", 0xFF)
    if (wrong := _parts(tree, "replay")) and protocol.old:
        raise _word(wrong[-1].children[0]).fault("replay prevention cannot be used with ah/esp-old")
    limits = {name: _last(tree, name, 0xFFFFFFFF) for name in ("reqid", "hard", "soft")}
    modes = _parts(tree, "mode")
    mode = str(modes[-1].children[0]) if modes else "any"
    transform = _first(tree, "transform")
    assert transform is not None
    enc, auth, comp = (_alg(_first(transform, kind)) for kind in ("encrypt", "authenticate", "compress"))
    flags |= _judge(protocol, enc, auth, comp)
    raw = _first(transform, "compress")
    if raw is not None and raw.children[1] is not None:
        flags |= sadb.X_EXT_RAWCPI
    return Sa(mode, limits["reqid"], replay, flags, esn, limits["hard"], limits["soft"], enc, auth, comp)


def _last(tree: Tree[Any], kind: str, most: int) -> int:
    values = [number(_word(part.children[0]), most) for part in _parts(tree, kind)]
    return values[-1] if values else 0


def _alg(tree: Tree[Any] | None) -> Alg | None:
    if tree is None:
        return None
    name = _word(tree.children[0])
    kind = {"encrypt": ENC_WORDS, "authenticate": AUTH_WORDS, "compress": COMP_WORDS}[str(tree.data)]
    key = _token(tree.children[1]) if tree.data != "compress" and tree.children[1] is not None else None
    return Alg(kind[name.text], name, octets_of(key) if key else b"", key or name)


def octets_of(key: Word) -> bytes:
    """A key: the characters of a quoted text, or hexadecimal digits, of which an odd first one is an octet alone."""
    if key.text.startswith('"'):
        return key.text[1:-1].encode("utf-8", "surrogateescape")
    digits = key.text[2:]
    return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)


def _judge(protocol: Protocol, enc: Alg | None, auth: Alg | None, comp: Alg | None) -> int:
    """Refuse algorithms that don't go with the protocol; the flags that come with them."""
    if protocol.proto == sadb.IPPROTO_ESP:
        needed, others = enc, (comp, auth if protocol.old else None)
    elif protocol.proto == sadb.IPPROTO_AH:
        needed, others = auth, (enc, comp)
    else:
        needed, others = comp, (enc, auth)
    for other in others:
        if other is not None:
            raise other.name.fault("algorithm mismatched")
    if needed is None:
        raise protocol.word.fault("algorithm mismatched")
    if enc is None:
        return 0
    name = enc.name.text
    if name in ("des-deriv", "des-32iv") and bool(protocol.old) != (name == "des-32iv"):
        raise enc.name.fault("algorithm mismatched")
    return {"des-deriv": sadb.X_EXT_DERIV, "des-32iv": sadb.X_EXT_IV4B}.get(name, 0)
