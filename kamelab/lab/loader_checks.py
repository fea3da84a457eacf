"""Reads the checks of a lab's tasks: one table of converters for each kind.

What the keys mean is said in `schema`; judging them is not done here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kamelab.core import drops
from kamelab.lab import reading
from kamelab.lab.reading import Converter, Mistake, Reader, Spoilt
from kamelab.lab.schema import (
    ADDRESS_FLAGS,
    CHECK_TYPES,
    INTERFACE_PATTERN,
    NEIGHBOR_STATES,
    NODE_PATTERN,
    PREFERENCES,
)
from kamelab.lab.suggest import nearest
from kamelab.lab.toml_index import Path
from kamelab.lab.units import parse_duration

MAX_NESTING = 16
"""How deep `not`, `all` and `any` may hold each other."""


def check(reader: Reader, path: Path, value: Any) -> dict[str, Any]:
    """One check of any kind."""
    if not isinstance(value, dict):
        raise Mistake(f"expected a table, not {reading.describe(value)}")
    if "kind" not in value:
        reader.note((*path, "kind"), f"missing: this key is required, one of {', '.join(CHECK_TYPES)}")
        raise Spoilt
    # Without its kind the other keys can't be judged: what this raises goes through.
    kind: str = reader.read((*path, "kind"), value["kind"], _kind)
    if sum(part == "checks" for part in path) > MAX_NESTING:
        raise Mistake(f"expected checks nested {MAX_NESTING} deep at most")
    values = reader.table(path, value, CHECK_TYPES[kind], _COMMON | _KINDS[kind])
    _look_across(reader, path, kind, value, values)
    return values


def _look_across(reader: Reader, path: Path, kind: str, given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """The rules that concern more than one key of a check."""
    if kind == "address" and not {"address", "prefix"} & given.keys():
        reader.note(path, "expected one of the keys address and prefix")
    if kind in ("sysctl", "counter") and not {"equals", "min", "max"} & given.keys():
        reader.note(path, "expected one of the keys equals, min and max")
    if kind == "output" and not {"matches", "status"} & given.keys():
        reader.note(path, "expected one of the keys matches and status")
    if kind == "packet" and {"node", "link"} <= given.keys():
        reader.note((*path, "link"), "expected node or link, not both")
    least, most = values.get("min"), values.get("max")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        reader.note((*path, "max"), f"expected {least}, the value of min, or more, not {most}")


def _kind(reader: Reader, path: Path, value: Any) -> str:
    known: str = reading.choice("a kind of check", tuple(CHECK_TYPES))(reader, path, value)
    return known


def _filter(reader: Reader, path: Path, value: Any) -> str:
    """A display filter that compiles."""
    text = reading.filled(reader, path, value)
    # Loaded only when a lab has filters: the grammar costs more than the rest of the loader.
    from kamelab.capture.filter import FilterError, compile_filter

    try:
        compile_filter(text)
    except FilterError as error:
        place = f"{error.reason} at column {error.position + 1} of {text!r}"
        raise Mistake(f"expected a display filter: {place}", error.suggestion or None) from None
    return text


def _time_or_filter(reader: Reader, path: Path, value: Any) -> int | str:
    text = reading.filled(reader, path, value)
    if text[0].isdigit():
        return parse_duration(text)
    return _filter(reader, path, text)


def _pattern(reader: Reader, path: Path, value: Any) -> str:
    """A regular expression that compiles."""
    text = reading.filled(reader, path, value)
    try:
        re.compile(text, re.MULTILINE)
    except re.error as error:
        place = f" at character {error.pos + 1}" if error.pos is not None else ""
        raise Mistake(f"expected a regular expression: {error.msg}{place} of {text!r}") from None
    return text


def _reason(reader: Reader, path: Path, value: Any) -> str:
    text = reading.filled(reader, path, value)
    if text not in drops.REASONS:
        raise Mistake(f"expected the name of a drop reason, not {value!r}", nearest(text, drops.REASONS))
    return text


def _letters(letters: str) -> Converter:
    """Flag letters as a BSD prints them."""

    def convert(reader: Reader, path: Path, value: Any) -> str:
        text = reading.filled(reader, path, value)
        if set(text) - set(letters):
            raise Mistake(f"expected flag letters from {letters}, not {value!r}")
        return text

    return convert


def _address_flags(reader: Reader, path: Path, value: Any) -> list[str]:
    if isinstance(value, str):
        return [_address_flag(reader, path, value)]
    flags: list[str] = reading.array(_address_flag)(reader, path, value)
    return flags


def _address_flag(reader: Reader, path: Path, value: Any) -> str:
    sign, word = ("!", value[1:]) if isinstance(value, str) and value.startswith("!") else ("", value)
    found: str = reading.choice("an address flag", ADDRESS_FLAGS)(reader, path, word)
    return sign + found


def _router(reader: Reader, path: Path, value: Any) -> str:
    """A node of this lab, or an address."""
    text = reading.filled(reader, path, value)
    if ":" in text:
        address: str = reading.address(reader, path, text)
        return address
    if re.fullmatch(NODE_PATTERN, text) is None:
        raise Mistake(f"expected a router's node name or link-local address, not {value!r}")
    return reading.node_name(reader, path, text)


def _destination(reader: Reader, path: Path, value: Any) -> str:
    text = reading.filled(reader, path, value)
    if text == "default":
        return text
    if ":" not in text:
        raise Mistake(f"expected `default`, a prefix or an address, not {value!r}", nearest(text, ("default",)))
    read: str = (reading.prefix if "/" in text else reading.address)(reader, path, text)
    return read


def _gateway(reader: Reader, path: Path, value: Any) -> str:
    text = reading.filled(reader, path, value)
    if re.fullmatch(r"link#[0-9]+", text):
        return text
    if re.fullmatch(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}", text):
        return reading.mac(reader, path, text)
    return _router(reader, path, text)


_interface = reading.name("an interface name", INTERFACE_PATTERN)
_any_integer = reading.integer()
_count = reading.integer(0)
_status = reading.integer(0, 255)
_preference = reading.choice("a preference", PREFERENCES)

_COMMON: dict[str, Converter] = {
    "kind": reading.text,
    "pass": reading.filled,
    "fail": reading.filled,
    "at": reading.choice("when to judge", ("end",)),
    "node": reading.node_name,
    "interface": _interface,
}
_LIMITS: dict[str, Converter] = {"min": _any_integer, "max": _any_integer}
_VARIABLE: dict[str, Converter] = {"name": reading.filled, "equals": reading.integer_or_text, **_LIMITS}
_COMMAND: dict[str, Converter] = {"line": _pattern, "matches": _pattern, "status": _status}
_GROUP: dict[str, Converter] = {"checks": reading.array(check)}

_protocol = reading.choice("a protocol of IPsec", ("esp", "ah", "ipcomp"))


def _end(reader: Reader, path: Path, value: Any) -> str:
    """An address, or for policies a prefix."""
    text = reading.filled(reader, path, value)
    return (reading.prefix if "/" in text else reading.address)(reader, path, text)


_ENDS: dict[str, Converter] = {"src": _end, "dst": _end}

_KINDS: dict[str, dict[str, Converter]] = {
    "neighbor": {
        "address": reading.address,
        "state": reading.choice("a neighbor state", NEIGHBOR_STATES),
        "lladdr": reading.mac,
        "router": reading.boolean,
    },
    "prefix": {
        "prefix": reading.prefix,
        "flags": _letters("LAOD"),
        "preference": _preference,
        "advertised_by": _router,
    },
    "router": {
        "router": _router,
        "flags": _letters("MO"),
        "preference": _preference,
        "advertised_by": _router,
    },
    "route": {
        "destination": _destination,
        "gateway": _gateway,
        "flags": reading.filled,
        "mtu": _count,
    },
    "address": {"address": reading.address, "prefix": reading.prefix, "flags": _address_flags},
    "sa": {
        **_ENDS,
        "protocol": _protocol,
        "spi": _count,
        "mode": reading.choice("a mode", ("any", "transport", "tunnel")),
        "state": reading.choice("a state of associations", ("larval", "mature", "dying", "dead")),
        "algorithm": reading.filled,
    },
    "policy": {
        **_ENDS,
        "protocol": _protocol,
        "mode": reading.choice("a mode", ("transport", "tunnel")),
        "direction": reading.choice("a direction", ("in", "out")),
        "action": reading.choice("an action", ("discard", "none", "ipsec", "bypass")),
        "request": reading.filled,
    },
    "sysctl": _VARIABLE,
    "counter": _VARIABLE,
    "packet": {
        "filter": _filter,
        "link": reading.link_name,
        "min": _count,
        "max": _count,
        "before": _time_or_filter,
        "after": _time_or_filter,
        "within": reading.quantity(parse_duration, "a duration such as 50us or 1.5s"),
    },
    "drop": {"reason": _reason, "min": _count, "max": _count},
    "command": _COMMAND,
    "output": _COMMAND,
    "not": _GROUP,
    "all": _GROUP,
    "any": _GROUP,
}
