"""Display filters: Wireshark's language over packets of the lab, as far as it is used to look for packets.

`icmpv6.type == 135 && ipv6.dst == ff02::1:ff00:1`: comparisons `== != < <= > >=` (or `eq ne lt le gt ge`), `contains`,
`in {1, 2..5}`, `!` `&&` `||` (or `not and or`), parentheses, and a bare name, true when the field or protocol is there.
As in Wireshark 4, a comparison is true if one of the field's values makes it so, but `!=` only if all differ; a field
that isn't there makes every comparison false. An IPv6 prefix equals the addresses in it. Two fields of a kind compare
too. Source: wireshark-filter(4). Left out: `matches`, slices, arithmetic, functions, `any`, `all`, names of values.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from kamelab.capture.fields import FIELD_NAMES, FIELDS, FieldSpec, Kind
from kamelab.capture.filter_access import Getter, Packet, Values, View, getter
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
from kamelab.capture.filter_values import Prefix, Value, read_value

__all__ = ["FIELD_NAMES", "Filter", "FilterError", "Packet", "compile_filter"]

_MAX_LENGTH = 4096
_SPELLED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTUAL = frozenset((Kind.STRING, Kind.BYTES, Kind.ETHER))
_OCTETS = frozenset((Kind.BYTES, Kind.ETHER, Kind.IPV6))
_MEANT = {
    "nd": "icmpv6.type in {133..137}",
    "ndp": "icmpv6.type in {133..137}",
    "rs": "icmpv6.type == 133",
    "ra": "icmpv6.type == 134",
    "ns": "icmpv6.type == 135",
    "na": "icmpv6.type == 136",
    "redirect": "icmpv6.type == 137",
    "echo": "icmpv6.type in {128, 129}",
    "ping": "icmpv6.type in {128, 129}",
    "ip": "ipv6",
    "ip6": "ipv6",
    "icmp": "icmpv6",
    "icmp6": "icmpv6",
    "host": "ipv6.addr",
    "src": "ipv6.src",
    "dst": "ipv6.dst",
    "port": "udp.port",
    "time": "frame.time",
    "len": "frame.len",
    "tcp.seq": "tcp.seq_raw",
    "tcp.ack": "tcp.ack_raw",
    "tcp.window_size": "tcp.window_size_value",
    "mldv2": "icmpv6.type == 143",
}
"""What is meant by names that are no fields but are often written."""

Test = Callable[[View], bool]


class Filter:
    """A compiled filter; holds no state of the packets it judged."""

    __slots__ = ("_fields", "_test", "text")

    def __init__(self, text: str, test: Test, fields: tuple[str, ...]) -> None:
        self.text = text
        self._test = test
        self._fields = fields

    def matches(self, packet: Packet) -> bool:
        """True if the packet is one that the filter asks for; raises for no frame whatever."""
        return self._test(View(packet))

    def fields(self) -> tuple[str, ...]:
        """The names used, each once, in the order of the text."""
        return self._fields

    def __reduce__(self) -> tuple[Callable[[str], Filter], tuple[str]]:
        """Copies and pickles are the text, compiled again."""
        return compile_filter, (self.text,)

    def __repr__(self) -> str:
        return f"compile_filter({self.text!r})"


def compile_filter(text: str) -> Filter:
    """Read a filter; an empty one matches every packet.

    Raises FilterError, which says where and what was expected, with a suggestion for an unknown name.
    """
    if len(text) > _MAX_LENGTH:
        raise FilterError(f"longer than {_MAX_LENGTH} characters", text, _MAX_LENGTH)
    if not text.strip():
        return Filter(text, lambda view: True, ())
    # Loading the parser generator takes longer than all the rest: only those who filter pay for it.
    from kamelab.capture.filter_grammar import parse

    compiler = _Compiler(text)
    test = compiler.test(parse(text))
    return Filter(text, test, tuple(dict.fromkeys(compiler.names)))


# -- compiling -------------------------------------------------------------------------------------------------------


class _Compiler:
    """Turns the parsed tree of one filter into a test."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []

    def test(self, node: Node) -> Test:
        match node:
            case Either(parts):
                return _any_of([self.test(part) for part in parts])
            case Both(parts):
                return _all_of([self.test(part) for part in parts])
            case Negation(part):
                inner = self.test(part)
                return lambda view: not inner(view)
            case Presence(field):
                name, _ = self.field(field)
                get = getter(name)
                return lambda view: bool(get(view))
            case Comparison():
                return self.comparison(node)
            case Membership(field, members):
                return self.membership(field, members)

    def field(self, word: Word) -> tuple[str, FieldSpec]:
        spec = FIELDS.get(word.text)
        if spec is None:
            self.fail(word, f"unknown field {word.text!r}", _suggest(word.text))
        self.names.append(word.text)
        return word.text, spec

    def fail(self, word: Word, reason: str, suggestion: str = "") -> NoReturn:
        raise FilterError(reason, self.text, word.position, word.length, suggestion) from None

    def comparison(self, node: Comparison) -> Test:
        sign_word, value_word = node.sign, node.value
        name, spec = self.field(node.field)
        get = getter(name)
        sign = _SPELLED.get(sign_word.text, sign_word.text)
        if spec.kind is Kind.PROTOCOL:
            self.fail(sign_word, f"{name} is a protocol: it is there or it isn't, and has no value to compare")
        if sign == "contains" and spec.kind not in _TEXTUAL:
            self.fail(sign_word, f"contains looks into strings and octets; {name} takes {spec.kind.value}")
        if sign not in ("==", "!=") and spec.kind is Kind.BOOL:
            self.fail(sign_word, f"{name} is true or false: only == and != compare it")
        if self.is_field(value_word, spec):
            return _compare_fields(get, sign, self.other(value_word, name, spec))
        if sign == "contains" and spec.kind is Kind.ETHER:
            # A part of an address is looked for, not a whole one.
            spec = spec._replace(kind=Kind.BYTES)
        value = self.value(value_word, name, spec)
        if isinstance(value, Prefix):
            if sign not in ("==", "!="):
                self.fail(sign_word, "only == and != take a prefix")
            return _compare_prefix(get, sign, value)
        if sign == "contains":
            return lambda view: any(value in found for found in get(view))  # type: ignore[operator]
        if sign == "!=":
            return _all_differ(get, value)
        return _some_compares(get, _ORDER[sign], value)

    def is_field(self, word: Word, spec: FieldSpec) -> bool:
        """True if a value is the name of a field; beside a string field only that of another string field."""
        named = None if word.quoted else FIELDS.get(word.text)
        return named is not None and (spec.kind is not Kind.STRING or named.kind is Kind.STRING)

    def other(self, word: Word, name: str, spec: FieldSpec) -> Getter:
        """The field on the right of an operator."""
        other, other_spec = self.field(word)
        same = other_spec.kind is spec.kind or (other_spec.kind in _OCTETS and spec.kind in _OCTETS)
        if not same:
            self.fail(word, f"{name} takes {spec.kind.value}, which {other} hasn't")
        return getter(other)

    def membership(self, field: Word, members: Sequence[Member]) -> Test:
        name, spec = self.field(field)
        if spec.kind is Kind.PROTOCOL:
            self.fail(field, f"{name} is a protocol: it is there or it isn't, and has no value to look for")
        single: set[Value] = set()
        prefixes: list[Prefix] = []
        ranges: list[tuple[Value, Value]] = []
        for first, last in members:
            low = self.value(first, name, spec)
            if last is None:
                if isinstance(low, Prefix):
                    prefixes.append(low)
                else:
                    single.add(low)
                continue
            high = self.value(last, name, spec)
            if isinstance(low, Prefix) or isinstance(high, Prefix):
                self.fail(first, "a range goes from address to address, not between prefixes")
            if low > high:  # type: ignore[operator]
                self.fail(first, f"the range {first.text}..{last.text} is empty")
            ranges.append((low, high))
        return _is_member(getter(name), frozenset(single), prefixes, ranges)

    def value(self, word: Word, name: str, spec: FieldSpec) -> Value | Prefix:
        try:
            return read_value(spec, word.text, quoted=word.quoted)
        except ValueError as error:
            reason = str(error)
        self.fail(word, f"{name} {reason}" if reason.startswith("takes") else reason)


def _suggest(name: str) -> str:
    """The nearest field name, or what is usually meant by a name that looks like none; empty for no idea."""
    lowered = name.lower()
    if lowered in FIELDS:
        return lowered
    if lowered in _MEANT:
        return _MEANT[lowered]
    head, dot, tail = lowered.partition(".")
    if dot and head in ("ip", "ip6", "icmp", "icmp6"):
        better = f"{_MEANT[head]}.{tail}"
        if better in FIELDS:
            return better
        lowered = better
    near = difflib.get_close_matches(lowered, FIELD_NAMES, n=1, cutoff=0.6)
    return near[0] if near else ""


def _any_of(tests: Sequence[Test]) -> Test:
    return lambda view: any(test(view) for test in tests)


def _all_of(tests: Sequence[Test]) -> Test:
    return lambda view: all(test(view) for test in tests)


def _some_compares(get: Getter, compare: Callable[[Any, Any], bool], value: Value) -> Test:
    return lambda view: any(compare(found, value) for found in get(view))


def _all_differ(get: Getter, value: Value) -> Test:
    def test(view: View) -> bool:
        found = get(view)
        return bool(found) and value not in found

    return test


def _compare_prefix(get: Getter, sign: str, prefix: Prefix) -> Test:
    if sign == "==":
        return lambda view: any(prefix.holds(found) for found in get(view))

    def test(view: View) -> bool:
        found = get(view)
        return bool(found) and not any(prefix.holds(value) for value in found)

    return test


def _compare_fields(get: Getter, sign: str, other: Getter) -> Test:
    def pairs(left: Values, right: Values, compare: Callable[[Any, Any], bool]) -> bool:
        return any(compare(a, b) for a in left for b in right)

    def test(view: View) -> bool:
        left, right = get(view), other(view)
        if sign == "!=":
            return bool(left) and bool(right) and not pairs(left, right, operator.eq)
        if sign == "contains":
            return pairs(left, right, operator.contains)
        return pairs(left, right, _ORDER[sign])

    return test


def _is_member(
    get: Getter, single: frozenset[Value], prefixes: Sequence[Prefix], ranges: Sequence[tuple[Value, Value]]
) -> Test:
    def holds(value: Value) -> bool:
        return (
            value in single
            or any(prefix.holds(value) for prefix in prefixes)
            or any(low <= value <= high for low, high in ranges)  # type: ignore[operator]
        )

    return lambda view: any(holds(value) for value in get(view))
