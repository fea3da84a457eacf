"""Durations, rates and probabilities as people write them: `1.5s`, `10Mbps`, `10%`.

One reader for lab files, console commands and options, so that a text means the same everywhere.
All arithmetic is on integers: `1.1us` is exactly 1100 nanoseconds. Left out: signs, exponents,
sums such as `1m30s`, and octet rates.
"""

from __future__ import annotations

import re

_NUMBER = r"([0-9]+)(?:\.([0-9]+))?"
_MEASURE = re.compile(_NUMBER + r"\s*([A-Za-z]*)", re.ASCII)
_PROBABILITY = re.compile(_NUMBER + r"\s*(%?)", re.ASCII)

DURATION_UNITS: dict[str, int] = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
"""Nanoseconds in each unit of time."""

RATE_UNITS: dict[str, int] = {"bps": 1, "kbps": 1_000, "Mbps": 1_000_000, "Gbps": 1_000_000_000}
"""Bits per second in each unit of rate; the prefixes are decimal."""

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?\s*(ns|us|ms|s|m|h|d)|0+)$"
"""The texts that `parse_duration` takes, for a JSON Schema."""

RATE_PATTERN = r"^[0-9]+(\.[0-9]+)?\s*(bps|kbps|Mbps|Gbps)$"
"""The texts that `parse_rate` takes, for a JSON Schema."""

PROBABILITY_PATTERN = r"^[0-9]+(\.[0-9]+)?\s*%?$"
"""The texts that `parse_probability` takes, for a JSON Schema."""

_DURATION_EXPECTED = "expected a duration such as 50us or 1.5s (units ns us ms s m h d)"
_RATE_EXPECTED = "expected a rate such as 10Mbps (units bps kbps Mbps Gbps)"
_PROBABILITY_EXPECTED = "expected a probability such as 10% or 0.1, from 0 to 1"


def _scale(whole: str, decimals: str | None, factor: int) -> int | None:
    """`whole.decimals` times `factor` as an integer, or None if it is not one."""
    decimals = decimals or ""
    value, rest = divmod(int(whole + decimals) * factor, 10 ** len(decimals))
    return None if rest else value


def parse_duration(text: str) -> int:
    """Read a duration; the result is in nanoseconds. A bare `0` needs no unit.

    Raises ValueError, saying what was expected, for anything else and for a part of a nanosecond.
    """
    found = _MEASURE.fullmatch(text)
    if found is None:
        raise ValueError(f"{_DURATION_EXPECTED}, not {text!r}")
    whole, decimals, unit = found.groups()
    if unit == "" and decimals is None and int(whole) == 0:
        return 0
    if unit not in DURATION_UNITS:
        raise ValueError(f"{_DURATION_EXPECTED}, not {text!r}")
    value = _scale(whole, decimals, DURATION_UNITS[unit])
    if value is None:
        raise ValueError(f"expected a whole number of nanoseconds, not {text!r}")
    return value


def format_duration(ns: int) -> str:
    """The shortest text that `parse_duration` reads back as `ns` nanoseconds.

    Of equally short ones the one without a decimal point wins (`500us`, not `0.5ms`), then the larger unit.
    A negative duration gets a minus sign, which `parse_duration` does not take.
    """
    if ns == 0:
        return "0s"
    if ns < 0:
        return "-" + format_duration(-ns)
    best = ""
    for unit, factor in DURATION_UNITS.items():
        text = _exact(ns, factor)
        if text is None:
            continue
        text += unit
        if not best or (len(text), "." in text) <= (len(best), "." in best):
            best = text
    return best


def _exact(value: int, factor: int) -> str | None:
    """`value / factor` as a finite decimal, or None if it has none."""
    whole, rest = divmod(value, factor)
    if rest == 0:
        return str(whole)
    for digits in range(1, 16):
        decimals, remainder = divmod(rest * 10**digits, factor)
        if remainder == 0:
            return f"{whole}.{decimals:0{digits}d}"
    return None


def parse_rate(text: str) -> int:
    """Read a rate; the result is in bits per second and never 0.

    Raises ValueError, saying what was expected.
    """
    found = _MEASURE.fullmatch(text)
    if found is None or found[3] not in RATE_UNITS:
        raise ValueError(f"{_RATE_EXPECTED}, not {text!r}")
    value = _scale(found[1], found[2], RATE_UNITS[found[3]])
    if not value:
        raise ValueError(f"expected a rate of one or more whole bits per second, not {text!r}")
    return value


def parse_probability(value: str | float) -> float:
    """Read a probability from `10%`, `0.1` or a number; the result lies in 0.0 .. 1.0.

    Raises ValueError, saying what was expected.
    """
    if isinstance(value, bool):
        raise ValueError(f"{_PROBABILITY_EXPECTED}, not {str(value).lower()}")
    if isinstance(value, str):
        found = _PROBABILITY.fullmatch(value)
        if found is None:
            raise ValueError(f"{_PROBABILITY_EXPECTED}, not {value!r}")
        whole, decimals, percent = found.groups()
        # One division of integers rounds correctly: 10% and 0.1 are the same float.
        number: float = int(whole + (decimals or "")) / 10 ** (len(decimals or "") + (2 if percent else 0))
    else:
        number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{_PROBABILITY_EXPECTED}, not {value!r}")
    return number


def format_rate(bps: int) -> str:
    """The shortest text that `parse_rate` reads back as `bps` bits per second."""
    texts = [text + unit for unit, factor in RATE_UNITS.items() if (text := _exact(bps, factor)) is not None]
    return min(texts, key=lambda text: (len(text), "." in text))
