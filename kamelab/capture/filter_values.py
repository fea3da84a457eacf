"""Reading the values of a display filter: each kind of field says what may stand beside it.

Numbers decimal or hexadecimal, IPv6 addresses and prefixes, Ethernet addresses, octets, strings, truth values, times in
seconds or with a unit. Everything refused is a ValueError with a sentence; `filter` adds where it stands.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kamelab.capture.fields import FieldSpec, Kind
from kamelab.wire.ether import mac_pton
from kamelab.wire.in6 import in_prefix, mask, parse_prefix, pton

Value = int | bytes | str | bool

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,19}", re.ASCII)
_TIME = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,18}))?(ns|us|ms|s|m|h|d)?", re.ASCII)
_OCTETS = re.compile(r"[0-9a-fA-F]{1,2}([:.-][0-9a-fA-F]{1,2})*", re.ASCII)
_SEPARATOR = re.compile(r"[:.-]")
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Prefix(NamedTuple):
    """An IPv6 prefix, which a field's address equals when it lies inside."""

    address: bytes
    plen: int

    def holds(self, value: Value) -> bool:
        """True if `value` is an address in the prefix."""
        return isinstance(value, bytes) and len(value) == 16 and in_prefix(value, self.address, self.plen)


def read_value(spec: FieldSpec, text: str, *, quoted: bool) -> Value | Prefix:
    """The value that `text` stands for beside a field of `spec`; times in nanoseconds.

    Raises ValueError, with a sentence, when it isn't one that the field can take.
    """
    kind = spec.kind
    if kind is Kind.STRING:
        return text
    if kind is Kind.BYTES:
        return text.encode("utf-8", "backslashreplace") if quoted else _octets(text)
    if quoted:
        raise ValueError(f"takes {kind.value}, not a string")
    match kind:
        case Kind.UINT:
            return _number(spec, text)
        case Kind.BOOL:
            if text.lower() not in _TRUTH:
                raise ValueError(f"takes true or false, not {text!r}")
            return _TRUTH[text.lower()]
        case Kind.IPV6:
            return _address(text)
        case Kind.ETHER:
            return mac_pton(text.replace("-", ":"))
        case Kind.TIME:
            return _time(text)
        case _:
            raise ValueError("takes no value: it is there or it isn't")


def _number(spec: FieldSpec, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        if text.isdecimal():
            raise ValueError(f"{text} has leading zeros; write {text.lstrip('0') or '0'} or 0x...")
        raise ValueError(f"takes a number, decimal or 0x..., not {text!r}")
    value = int(text, 0)
    if value >> 8 * spec.size:
        raise ValueError(f"takes at most {(1 << 8 * spec.size) - 1}, not {text}")
    return value


def _address(text: str) -> bytes | Prefix:
    if "%" in text:
        raise ValueError("packets carry no zone; leave out what follows the %")
    if "/" not in text:
        return pton(text)
    address, plen = parse_prefix(text)
    return Prefix(mask(address, plen), plen)


def _octets(text: str) -> bytes:
    if not _OCTETS.fullmatch(text):
        raise ValueError(f"takes octets such as 01:0a:ff, or a string in quotes, not {text!r}")
    return bytes(int(part, 16) for part in _SEPARATOR.split(text))


def _time(text: str) -> int:
    found = _TIME.fullmatch(text)
    if not found:
        raise ValueError(f"takes a time in seconds or with a unit (ns us ms s m h d), not {text!r}")
    whole, decimals, unit = found.group(1), found.group(2) or "", _UNITS[found.group(3) or "s"]
    # Whole numbers all the way: a float would lose nanoseconds.
    nanoseconds: int
    nanoseconds, rest = divmod(int(whole + decimals) * unit, 10 ** len(decimals))
    if rest:
        raise ValueError(f"{text} is finer than a nanosecond")
    return nanoseconds
