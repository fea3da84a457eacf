"""ipsec_set_policy(3), ipsec_dump_policy(3), ipsec_strerror(3): policies as text and as octets.

KAME `libipsec/policy_parse.y`, `policy_token.l`, `ipsec_dump_policy.c`, `ipsec_strerror.c`. A text is a direction, an
action and requests ``PROTOCOL/MODE/SRC-DST/LEVEL``; the octets are ``sadb_x_policy`` with its requests (`wire.pfkey`).
Whether an action suits a socket or the database is the kernel's to say. A backslash before white space is white space,
as it is left over from a line continued in quotes (KAME USAGE writes its ping example so).

Left out: the addresses ``me`` and ``any``, priorities.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from kamelab.core.errors import Errno
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo
from kamelab.wire import in6, pfkey

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

DIRECTIONS: Final = {"in": pfkey.IPSEC_DIR_INBOUND, "out": pfkey.IPSEC_DIR_OUTBOUND}
ACTIONS: Final = {name: number for number, name in enumerate(pfkey.POLICY_NAMES)}
PROTOCOLS: Final = {"esp": pfkey.IPPROTO_ESP, "ah": pfkey.IPPROTO_AH, "ipcomp": pfkey.IPPROTO_IPCOMP}
MODES: Final = {"transport": pfkey.IPSEC_MODE_TRANSPORT, "tunnel": pfkey.IPSEC_MODE_TUNNEL}
LEVELS: Final = {name: number for number, name in enumerate(pfkey.LEVEL_NAMES)}
_PROTOCOL_NAMES: Final = {number: name for name, number in PROTOCOLS.items()}

ERRORS: Final = (
    "Success",
    "Not supported",
    "Invalid argument",
    "Invalid sadb message",
    "Invalid version",
    "Invalid security policy",
    "Invalid address specification",
    "Invalid ipsec protocol",
    "Invalid ipsec mode",
    "Invalid ipsec level",
    "Invalid SA type",
    "Invalid message type",
    "Invalid extension type",
    "Invalid algorithm type",
    "Invalid key length",
    "Invalid address family",
    "Invalid prefix length",
    "Invalid direciton",
    "SPI range violation",
    "No protocol specified",
    "No algorithm specified",
    "No buffers available",
    "Must get supported algorithms list first",
    "Protocol mismatch",
    "Family mismatch",
    "Too few arguments",
)
"""The library's words by its error numbers, the slip of the pen included (KAME ipsec_strerror.c)."""
(
    NO_ERROR,
    NOT_SUPPORTED,
    INVAL_ARGUMENT,
    INVAL_SADBMSG,
    INVAL_VERSION,
    INVAL_POLICY,
    INVAL_ADDRESS,
    INVAL_PROTO,
    INVAL_MODE,
    INVAL_LEVEL,
    INVAL_SATYPE,
    INVAL_MSGTYPE,
    INVAL_EXTTYPE,
    INVAL_ALGS,
    INVAL_KEYLEN,
    INVAL_FAMILY,
    INVAL_PREFIXLEN,
    INVAL_DIR,
    INVAL_SPI,
    NO_PROTO,
    NO_ALGS,
    NO_BUFS,
    DO_GET_SUPP_LIST,
    PROTO_MISMATCH,
    FAMILY_MISMATCH,
    FEW_ARGUMENTS,
) = ERRORS

MAX_REQID: Final = 0xFFFF
"""What the field holds. The kernel takes 1 to 16383 from hand and gives out those above."""

_TOKEN: Final = re.compile(r"(?:[ \t\r\n]|\\(?=[ \t\r\n]|$))+|([0-9A-Za-z:._%@]+)|(.)", re.DOTALL)


class PolicyError(Exception):
    """A policy's text is wrong: ``libipsec: MESSAGE while parsing "TOKEN"``. `at` is where the token stands."""

    def __init__(self, message: str, token: str, at: int) -> None:
        super().__init__(f'libipsec: {message} while parsing "{token}"')
        self.message = message
        self.token = token
        self.at = at


class _Token(NamedTuple):
    text: str
    at: int
    after_blank: bool

    def fault(self, message: str = "syntax error") -> PolicyError:
        return PolicyError(message, self.text, self.at)


def ipsec_set_policy(proc: Proc, text: str) -> bytes:
    """The octets of a policy for setsockopt(2). Raises PolicyError."""
    return pfkey.build_extension(parse(proc, text))


def ipsec_dump_policy(proc: Proc, data: bytes) -> str:
    """The text of a policy's octets, lines between the requests. Raises pfkey.PfkeyError."""
    policy = pfkey.parse_policy(data)
    return "\n".join((f"{pfkey.DIR_NAMES[policy.dir]} {pfkey.POLICY_NAMES[policy.type]}", *requests(proc, policy)))


def requests(proc: Proc, policy: pfkey.Policy) -> list[str]:
    """A text ``PROTOCOL/MODE/SRC-DST/LEVEL`` for each request, as ``setkey -DP`` shows them."""
    out = []
    for request in policy.requests:
        ends = "-".join(address_text(proc, end) for end in (request.src, request.dst) if end.addr)
        level = pfkey.LEVEL_NAMES[request.level] if request.level < len(pfkey.LEVEL_NAMES) else str(request.level)
        if request.level == pfkey.IPSEC_LEVEL_UNIQUE and request.reqid:
            level += f"{'#' if request.reqid > pfkey.IPSEC_MANUAL_REQID_MAX else ':'}{request.reqid}"
        mode = pfkey.MODE_NAMES[request.mode] if request.mode < len(pfkey.MODE_NAMES) else str(request.mode)
        out.append(f"{_PROTOCOL_NAMES.get(request.proto, str(request.proto))}/{mode}/{ends}/{level}")
    return out


def address_text(proc: Proc, address: pfkey.Sockaddr) -> str:
    """A socket address in numbers, with ``%interface`` where it has a zone."""
    if len(address.addr) == 4:
        return ".".join(map(str, address.addr))
    return getnameinfo(proc, address.addr, address.scope, numeric=True)


def numeric(proc: Proc, text: str) -> pfkey.Sockaddr | None:
    """An address in numbers, of either family; None for what is none. Raises GaiError for an unknown zone and Errno
    EINVAL for an embedded one.
    """
    if ":" in text:
        try:
            in6.pton(re.split("[%@]", text, maxsplit=1)[0])
        except ValueError:
            return None
        addr, zone = getaddrinfo(proc, text)
        return pfkey.Sockaddr(addr, 0, zone)
    octets = text.split(".")
    if len(octets) == 4 and all(one.isascii() and one.isdigit() and len(one) <= 3 for one in octets):
        values = [int(one) for one in octets]
        return pfkey.Sockaddr(bytes(values)) if max(values) < 256 else None
    return None


def parse(proc: Proc, text: str, bare: bool = False) -> pfkey.Policy:
    """A policy's text as values. ``bare``: the direction alone is enough, as for deleting. Raises PolicyError."""
    reader = _Reader(proc, text)
    direction = reader.take()
    if direction.text not in DIRECTIONS:
        raise direction.fault(INVAL_DIR if direction.text else FEW_ARGUMENTS)
    action = reader.take()
    if bare and not action.text:
        return pfkey.Policy(pfkey.IPSEC_POLICY_DISCARD, DIRECTIONS[direction.text])
    if action.text not in ACTIONS:
        raise action.fault(INVAL_POLICY if action.text else FEW_ARGUMENTS)
    wanted: list[pfkey.Request] = []
    while reader.peek().text:
        if action.text != "ipsec":
            raise reader.peek().fault()
        wanted.append(reader.request())
    return pfkey.Policy(ACTIONS[action.text], DIRECTIONS[direction.text], 0, tuple(wanted))


class _Reader:
    """Tokens, and the requests that they make."""

    def __init__(self, proc: Proc, text: str) -> None:
        self.proc = proc
        self.tokens: list[_Token] = []
        blank = True
        for found in _TOKEN.finditer(text):
            if word := found[1] or found[2]:
                self.tokens.append(_Token(word, found.start(), blank))
            blank = not word
        self.tokens.append(_Token("", len(text), True))
        self.place = 0

    def peek(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def slash(self) -> bool:
        """Take a slash if one follows."""
        if self.peek().text != "/":
            return False
        self.place += 1
        return True

    def request(self) -> pfkey.Request:
        """One request, in one of its forms: a level left out is "default".

        ``PROTOCOL/MODE/[SRC-DST][/[LEVEL]]``, or shorter ``PROTOCOL/LEVEL`` (transport) and ``PROTOCOL/SRC-DST/LEVEL``
        (tunnel).
        """
        protocol = self.take()
        if protocol.text not in PROTOCOLS:
            raise protocol.fault(INVAL_PROTO if protocol.text.isalpha() else "syntax error")
        if not self.slash() or self.ended():
            raise self.short()
        first = self.peek()
        mode = MODES.get(first.text)
        if mode is None and self.is_level():
            return self.made(protocol, pfkey.IPSEC_MODE_TRANSPORT, None, self.level())
        if mode is None:
            if not any(mark in first.text for mark in ":."):
                raise first.fault(INVAL_MODE if first.text.isalpha() else "syntax error")
            ends = self.ends()
            if not self.slash() or self.ended():
                raise self.short()
            return self.made(protocol, pfkey.IPSEC_MODE_TUNNEL, ends, self.level())
        self.take()
        if not self.slash():
            raise self.short()
        between = None
        if not self.ended() and self.peek().text != "/":
            if self.is_level():
                return self.made(protocol, mode, None, self.level(), first)
            between = self.ends()
        level = (pfkey.IPSEC_LEVEL_DEFAULT, 0)
        if self.slash() and not self.ended():
            level = self.level()
        return self.made(protocol, mode, between, level, first)

    def short(self) -> PolicyError:
        """A request that breaks off, or goes on with what can't follow."""
        return self.peek().fault(FEW_ARGUMENTS if self.ended() else "syntax error")

    def ended(self) -> bool:
        """Whether the request ends here: at the text's end, or where the next protocol follows."""
        token = self.peek()
        return not token.text or (token.after_blank and token.text in PROTOCOLS)

    def is_level(self) -> bool:
        return self.peek().text.partition(":")[0] in LEVELS

    def ends(self) -> tuple[pfkey.Sockaddr, pfkey.Sockaddr]:
        src = self.address()
        hyphen = self.take()
        if hyphen.text != "-":
            raise hyphen.fault()
        token = self.peek()
        dst = self.address()
        if len(src.addr) != len(dst.addr):
            raise token.fault(FAMILY_MISMATCH)
        return src, dst

    def address(self) -> pfkey.Sockaddr:
        token = self.take()
        try:
            found = numeric(self.proc, token.text)
        except (GaiError, Errno):
            found = None
        if found is None:
            raise token.fault(INVAL_ADDRESS if len(token.text) > 1 else "syntax error")
        return found

    def level(self) -> tuple[int, int]:
        """Level and request id."""
        token = self.take()
        name, colon, number = token.text.partition(":")
        if name not in LEVELS or (colon and name != "unique"):
            raise token.fault(INVAL_LEVEL if name.isalpha() else "syntax error")
        if not colon:
            return LEVELS[name], 0
        if not number.isdecimal() or len(number) > 9 or not 0 < int(number) <= MAX_REQID:
            raise token.fault(INVAL_LEVEL)
        return LEVELS[name], int(number)

    def made(
        self,
        protocol: _Token,
        mode: int,
        ends: tuple[pfkey.Sockaddr, pfkey.Sockaddr] | None,
        level: tuple[int, int],
        place: _Token | None = None,
    ) -> pfkey.Request:
        if ends is None and mode == pfkey.IPSEC_MODE_TUNNEL:
            raise (place or protocol).fault(INVAL_ADDRESS)
        if not self.peek().after_blank:
            raise self.peek().fault()
        src, dst = ends or (pfkey.NO_ADDRESS, pfkey.NO_ADDRESS)
        return pfkey.Request(PROTOCOLS[protocol.text], mode, level[0], level[1], src, dst)
