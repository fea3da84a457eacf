"""The filter expressions of tcpdump(1), pcap-filter(7): read into a tree, and tried on Ethernet frames.

``and`` and ``or`` bind alike, from the left, and ``not`` binds to the test behind it, as in libpcap. A bare value takes
the qualifiers of the test before it (``port 80 or 23``). A test that reads beyond the frame's end fails the whole
filter, as in BPF.

``host``, ``net``, ``port`` and ``proto`` mean IPv6, and transport headers are looked for where libpcap does: right
behind the IPv6 header (``tcp``, ``udp``, ``icmp6``: also behind one fragment header). Unlike libpcap, ``tcp[...]`` and
``udp[...]`` read IPv6 packets too. Left out: IPv4's contents, VLAN, MPLS, ``inbound`` and ``outbound``, ``gateway``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from kamelab.wire import in6

Node = tuple[object, ...]
"""A test or an operation: its name, then its parts."""

Resolver = Callable[[str], bytes]
"""The address of a host's name; raises FilterError."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<addr>(?=[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:)[0-9a-fA-F:.]+(?:%\w+)?(?:/\d+)?)"
    r"|(?P<word>\\?[A-Za-z0-9_][\w.-]*(?:/\d+)?)|(?P<sign>&&|\|\||<<|>>|<=|>=|==|!=|[][()!<>=+\-*/%&|^:]))"
)
_PROTOCOLS: Final = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmp6": 58, "esp": 50, "ah": 51, "pim": 103,
    "vrrp": 112, "sctp": 132, "hopopt": 0, "route": 43, "frag": 44, "nonxt": 59, "opts": 60, "ipv6": 41,
}  # fmt: skip
_ETHERTYPES: Final = {"ip": 0x0800, "arp": 0x0806, "rarp": 0x8035, "ip6": 0x86DD}
_PORTS: Final = {
    "echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37,
    "domain": 53, "finger": 79, "http": 80, "ntp": 123, "bgp": 179, "syslog": 514, "ripng": 521, "dhcpv6-client": 546,
    "dhcpv6-server": 547,
}  # fmt: skip
NAMES: Final = {
    "icmp6type": 0, "icmp6code": 1, "tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8,
    "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128, "icmp6-destinationunreach": 1,
    "icmp6-destinationrunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
    "icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130,
    "icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133,
    "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
    "icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
    "icmp6-multicastlistenerreportv2": 143,
}  # fmt: skip
"""Offsets and values that have names in an expression (pcap-filter(7))."""
_BASES: Final = {"ether": 0, "ip6": 14, "icmp6": 54, "tcp": 54, "udp": 54}
_DIRECTIONS: Final = ("src", "dst")
_QUALIFIERS: Final = frozenset(("ip6", "ether", "tcp", "udp", "icmp6", "ip", "arp", "rarp"))
_KINDS: Final = frozenset(("host", "net", "port", "portrange", "proto", "protochain"))
_SIGNS: Final = ("<", ">", "=", "==", "!=", "<=", ">=")
_PRECEDENCE: Final = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))
_MAX_DEPTH: Final = 50
_EXTENSIONS: Final = (0, 43, 44, 60)


class FilterError(Exception):
    """An expression that can't be read; the text is what tcpdump prints behind its name."""


class Qualifiers(NamedTuple):
    """What stands before a value: protocol, direction, kind."""

    protocol: str
    direction: str
    kind: str


class _Outside(Exception):
    """A test read beyond the end of the frame."""


def parse(text: str, resolve: Resolver) -> Node | None:
    """Read an expression; None for an empty one, which takes every frame. Raises FilterError."""
    tokens = _tokens(text)
    if not tokens:
        return None
    reader = _Reader(tokens, resolve)
    node = reader.expression(0)
    if reader.at < len(tokens):
        raise FilterError("can't parse filter expression: syntax error")
    return node


def matches(node: Node | None, frame: bytes, length: int) -> bool:
    """Whether a frame of ``length`` octets on the wire, of which ``frame`` are there, passes."""
    try:
        return node is None or _true(node, frame, length)
    except _Outside:
        return False


def _tokens(text: str) -> list[str]:
    out = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FilterError(f"can't parse filter expression: illegal character {text[at:].strip()[:1]!r}")
        out.append(match.group().strip())
        at = match.end()
    return out


class _Reader:
    """Recursive descent over the words of an expression."""

    def __init__(self, tokens: list[str], resolve: Resolver) -> None:
        self.tokens = tokens
        self.resolve = resolve
        self.at = 0
        self.last: Qualifiers | None = None

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else ""

    def next(self) -> str:
        word = self.peek()
        if not word:
            raise FilterError("can't parse filter expression: syntax error")
        self.at += 1
        return word

    def expect(self, word: str) -> None:
        if self.next() != word:
            raise FilterError("can't parse filter expression: syntax error")

    def expression(self, depth: int) -> Node:
        node = self.term(depth)
        while (word := self.peek()) in ("and", "&&", "or", "||"):
            self.at += 1
            node = ("and" if word in ("and", "&&") else "or", node, self.term(depth))
        return node

    def term(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise FilterError(f"can't parse filter expression: nested more than {_MAX_DEPTH} deep")
        word = self.peek()
        if word in ("not", "!"):
            self.at += 1
            return ("not", self.term(depth + 1))
        comparison = self.comparison()
        if comparison is not None:
            return comparison
        if word == "(":
            self.at += 1
            node = self.expression(depth + 1)
            self.expect(")")
            return node
        return self.primitive()

    # -- arithmetic ----------------------------------------------------------------------------------------------

    def comparison(self) -> Node | None:
        """A relation of two numbers, or None where the words ahead are no such thing."""
        word = self.peek()
        numeric = word.isdigit() or word.lower().startswith("0x") or word in NAMES or word == "len"
        if not (numeric or word in ("(", "-") or (word in _BASES and self.peek(1) == "[")):
            return None
        begin = self.at
        try:
            left = self.number(0, 0)
        except FilterError:
            left = ()
        if not left or self.peek() not in _SIGNS:
            self.at = begin
            return None
        sign = self.next()
        return ("relation", "=" if sign == "==" else sign, left, self.number(0, 0))

    def number(self, level: int, depth: int) -> Node:
        if level == len(_PRECEDENCE):
            return self.atom(depth)
        node = self.number(level + 1, depth)
        while self.peek() in _PRECEDENCE[level]:
            node = ("operation", self.next(), node, self.number(level + 1, depth))
        return node

    def atom(self, depth: int) -> Node:
        word = self.next()
        if depth > _MAX_DEPTH:
            raise FilterError(f"can't parse filter expression: nested more than {_MAX_DEPTH} deep")
        if word == "(":
            node = self.number(0, depth + 1)
            self.expect(")")
            return node
        if word == "-":
            return ("operation", "-", ("number", 0), self.atom(depth + 1))
        if word == "len":
            return ("len",)
        if word in NAMES:
            return ("number", NAMES[word])
        if word in _BASES:
            self.expect("[")
            index = self.number(0, depth + 1)
            size = 1
            if self.peek() == ":":
                self.at += 1
                size = _integer(self.next())
                if size not in (1, 2, 4):
                    raise FilterError("data size must be 1, 2, or 4")
            self.expect("]")
            return ("load", word, index, size)
        return ("number", _integer(word))

    # -- tests ---------------------------------------------------------------------------------------------------

    def primitive(self) -> Node:
        word = self.next()
        if word in ("less", "greater"):
            return ("relation", "<=" if word == "less" else ">=", ("len",), ("number", _integer(self.next())))
        if word in ("multicast", "broadcast"):
            return (f"ether {word}",)
        protocol = direction = kind = ""
        if word in _QUALIFIERS or word in _PROTOCOLS:
            if self.peek() in ("multicast", "broadcast") and word in ("ether", "ip6"):
                return (f"{word} {self.next()}",)
            protocol = word
            if self.peek() in (*_DIRECTIONS, *_KINDS) or (protocol in ("ip6", "ether") and self._value_next()):
                word = self.next()
            else:
                return self.alone(protocol)
        if word in _DIRECTIONS:
            direction = word
            if self.peek() in ("and", "&&", "or", "||") and self.peek(1) in _DIRECTIONS:
                joint = "and" if self.next() in ("and", "&&") else "or"
                direction = f"{direction} {joint} {self.next()}"
            word = self.next()
        if word in _KINDS:
            kind, word = word, self.next()
        if not (protocol or direction or kind):
            # A bare value: what was asked for before is asked for again; a first one is a host.
            if word in _PROTOCOLS or word in ("and", "or", "&&", "||", ")", *_SIGNS) or word in _KINDS:
                raise FilterError("can't parse filter expression: syntax error")
            used = self.last or Qualifiers("", "", "host")
        else:
            used = Qualifiers(protocol, direction, kind or "host")
        self.last = used
        return self.test(used, word)

    def _value_next(self) -> bool:
        word = self.peek()
        return bool(word) and (":" in word or self.resolvable(word))

    def resolvable(self, word: str) -> bool:
        """A word that may be a host's name."""
        return bool(re.match(r"[A-Za-z]", word)) and word not in ("and", "or", "not")

    def alone(self, protocol: str) -> Node:
        self.last = None
        if protocol in _ETHERTYPES:
            return ("ethertype", _ETHERTYPES[protocol])
        if protocol == "ether":
            raise FilterError("can't parse filter expression: syntax error")
        return ("protocol", _PROTOCOLS[protocol])

    def test(self, used: Qualifiers, word: str) -> Node:
        protocol, direction, kind = used
        if protocol in ("ip", "arp", "rarp", "icmp"):
            raise FilterError(f"'{protocol} {kind}' needs IPv4, which these nodes do not speak")
        if kind in ("proto", "protochain"):
            name = word.removeprefix("\\")
            if protocol == "ether":
                return ("ethertype", _ETHERTYPES[name] if name in _ETHERTYPES else _integer(name))
            number = _PROTOCOLS[name] if name in _PROTOCOLS else _integer(name)
            return ("protochain" if kind == "protochain" else "protocol", number)
        if kind in ("port", "portrange"):
            low, high = self._ports(kind, word)
            transports = {"tcp": (6,), "udp": (17,), "": (6, 17, 132), "ip6": (6, 17, 132)}.get(protocol)
            if transports is None:
                raise FilterError(f"'{protocol} {kind}' is no test")
            return ("port", direction, transports, low, high)
        if protocol in ("tcp", "udp", "icmp6"):
            raise FilterError(f"'{protocol}' modifier applied to {kind}")
        if protocol == "ether":
            return ("mac", direction, _mac(word))
        numeric, slash, length = word.partition("/")
        numeric = numeric.partition("%")[0]
        if kind == "net" or slash:
            if kind == "host" and used.kind != "net" and not slash:
                raise FilterError("can't parse filter expression: syntax error")
            plen = int(length) if length.isdigit() else 128
            addr = self._address(numeric)
            if plen > 128:
                raise FilterError(f"mask length must be <= 128: {word}")
            mask = (1 << 128) - (1 << (128 - plen))
            if int.from_bytes(addr, "big") & ~mask:
                raise FilterError(f'non-network bits set in "{word}"')
            return ("net", direction, int.from_bytes(addr, "big"), mask)
        return ("net", direction, int.from_bytes(self._address(numeric), "big"), (1 << 128) - 1)

    def _address(self, text: str) -> bytes:
        try:
            return in6.pton(text)
        except ValueError:
            return self.resolve(text)

    def _ports(self, kind: str, word: str) -> tuple[int, int]:
        if kind == "portrange":
            low, dash, high = word.partition("-")
            if not dash:
                raise FilterError("can't parse filter expression: syntax error")
            first, second = _port(low), _port(high)
            return min(first, second), max(first, second)
        return _port(word), _port(word)


def _port(word: str) -> int:
    number = _PORTS.get(word)
    if number is None:
        if not word.isdigit():
            raise FilterError(f"invalid port name {word!r}")
        number = int(word)
    if number > 65535:
        raise FilterError(f"illegal port number {number} > 65535")
    return number


def _integer(word: str) -> int:
    try:
        return int(word, 0) if word.lower().startswith("0x") else int(word)
    except ValueError:
        raise FilterError("can't parse filter expression: syntax error") from None


def _mac(word: str) -> bytes:
    parts = word.split(":")
    try:
        mac = bytes(int(part, 16) for part in parts)
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise FilterError(f"unknown ether host {word!r}")
    return mac


# -- trying --------------------------------------------------------------------------------------------------------


def _true(node: Node, frame: bytes, length: int) -> bool:
    match node:
        case ("and", tuple() as left, tuple() as right):
            return _true(left, frame, length) and _true(right, frame, length)
        case ("or", tuple() as left, tuple() as right):
            return _true(left, frame, length) or _true(right, frame, length)
        case ("not", tuple() as one):
            return not _true(one, frame, length)
        case ("ethertype", int() as kind):
            return _load(frame, 12, 2) == kind
        case ("ether multicast",) | ("ether broadcast",):
            octet = _load(frame, 0, 1)
            return bool(octet & 1) if node[0] == "ether multicast" else frame[:6] == b"\xff" * 6
        case ("mac", str() as direction, bytes() as mac):
            return _either(direction, frame[6:12] == mac, frame[:6] == mac)
        case ("relation", str() as sign, tuple() as first, tuple() as second):
            return _relation(sign, first, second, frame, length)
    if _load(frame, 12, 2) != _ETHERTYPES["ip6"]:
        return False
    match node:
        case ("ip6 multicast",):
            return _load(frame, 38, 1) == 0xFF
        case ("protocol", int() as number):
            first_header = _load(frame, 20, 1)
            return first_header == number or (first_header == 44 and _load(frame, 54, 1) == number)
        case ("protochain", int() as number):
            return _chain_has(frame, number)
        case ("net", str() as direction, int() as addr, int() as mask):
            src, dst = _load(frame, 22, 16), _load(frame, 38, 16)
            return _either(direction, src & mask == addr, dst & mask == addr)
        case ("port", str() as direction, tuple() as transports, int() as low, int() as high):
            if _load(frame, 20, 1) not in transports:
                return False
            return _either(direction, low <= _load(frame, 54, 2) <= high, low <= _load(frame, 56, 2) <= high)
    return False


def _either(direction: str, src: bool, dst: bool) -> bool:
    if direction == "src":
        return src
    if direction == "dst":
        return dst
    return src and dst if " and " in direction else src or dst


def _load(frame: bytes, at: int, size: int) -> int:
    if at < 0 or at + size > len(frame):
        raise _Outside
    return int.from_bytes(frame[at : at + size], "big")


def _chain_has(frame: bytes, number: int) -> bool:
    nxt, at = _load(frame, 20, 1), 54
    while nxt != number:
        if nxt not in _EXTENSIONS:
            return False
        size = 8 if nxt == 44 else 8 + 8 * _load(frame, at + 1, 1)
        nxt, at = _load(frame, at, 1), at + size
    return True


def _relation(sign: str, first: Node, second: Node, frame: bytes, length: int) -> bool:
    for protocol in (*_loads(first), *_loads(second)):
        # A header that the frame does not have makes the relation untrue, whatever it says.
        if protocol in _PROTOCOLS and (
            _load(frame, 12, 2) != _ETHERTYPES["ip6"] or _load(frame, 20, 1) != _PROTOCOLS[protocol]
        ):
            return False
        if protocol == "ip6" and _load(frame, 12, 2) != _ETHERTYPES["ip6"]:
            return False
    left, right = _value(first, frame, length), _value(second, frame, length)
    match sign:
        case "=":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case ">":
            return left > right
        case "<=":
            return left <= right
        case _:
            return left >= right


def _loads(node: Node) -> list[str]:
    """The headers that an arithmetic expression reads."""
    match node:
        case ("load", str() as protocol, tuple() as index, _):
            return [protocol, *_loads(index)]
        case ("operation", _, tuple() as left, tuple() as right):
            return [*_loads(left), *_loads(right)]
    return []


def _value(node: Node, frame: bytes, length: int) -> int:
    """An arithmetic expression in 32 bits."""
    match node:
        case ("number", int() as number):
            return number & 0xFFFFFFFF
        case ("len",):
            return length
        case ("load", str() as protocol, tuple() as index, int() as size):
            return _load(frame, _BASES[protocol] + _value(index, frame, length), size)
        case ("operation", str() as sign, tuple() as first, tuple() as second):
            left, right = _value(first, frame, length), _value(second, frame, length)
            return _operation(sign, left, right) & 0xFFFFFFFF
    raise _Outside


def _operation(sign: str, left: int, right: int) -> int:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "<<":
            return left << right if right < 32 else 0
        case ">>":
            return left >> right if right < 32 else 0
    if not right:
        raise _Outside
    return left // right if sign == "/" else left % right
