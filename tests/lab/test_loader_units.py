"""Durations, rates and probabilities as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.lab import units


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("50us", 50_000),
        ("1.5s", 1_500_000_000),
        ("1.1us", 1_100),
        ("2 ms", 2_000_000),
        ("2h", 7_200_000_000_000),
        ("1d", 86_400_000_000_000),
        ("0.5m", 30_000_000_000),
        ("7ns", 7),
    ],
)
def test_a_duration_is_read_exactly(text: str, ns: int) -> None:
    assert units.parse_duration(text) == ns


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1e3s", "1.s", ".5s", "5 S", "5sec", "1m30s", "٣s", "5s\n"])
def test_a_text_that_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a duration such as 50us or 1\.5s"):
        units.parse_duration(text)


def test_a_part_of_a_nanosecond_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of nanoseconds"):
        units.parse_duration("0.5ns")


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0s"), (500_000, "500us"), (1_500_000_000, "1.5s"), (60 * 10**9, "1m"), (90 * 10**9, "90s"), (-1, "-1ns")],
)
def test_a_duration_is_written_as_shortly_as_can_be(ns: int, text: str) -> None:
    assert units.format_duration(ns) == text


@given(st.integers(0, 10**20))
def test_a_written_duration_reads_back(ns: int) -> None:
    assert units.parse_duration(units.format_duration(ns)) == ns


@given(st.integers(1, 10**15))
def test_a_written_rate_reads_back(bps: int) -> None:
    assert units.parse_rate(units.format_rate(bps)) == bps


@pytest.mark.parametrize(
    ("text", "bps"), [("10Mbps", 10_000_000), ("64kbps", 64_000), ("1.5Gbps", 1_500_000_000), ("9600bps", 9_600)]
)
def test_a_rate_is_read_in_bits_per_second(text: str, bps: int) -> None:
    assert units.parse_rate(text) == bps


@pytest.mark.parametrize("text", ["", "10", "10mbps", "10 MB/s", "-1bps"])
def test_a_text_that_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a rate such as 10Mbps"):
        units.parse_rate(text)


@pytest.mark.parametrize("text", ["0Mbps", "0.5bps"])
def test_a_rate_of_no_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="one or more whole bits"):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("value", "probability"),
    [("10%", 0.1), ("0.1", 0.1), (0.1, 0.1), ("12.5%", 0.125), ("100%", 1.0), (0, 0.0), (1, 1.0), ("0%", 0.0)],
)
def test_a_probability_is_read_from_text_and_number(value: str | float, probability: float) -> None:
    assert units.parse_probability(value) == probability


@pytest.mark.parametrize("value", ["", "101%", "1.5", 1.5, -0.1, float("nan"), "ten", "10 percent", True])
def test_what_is_no_probability_is_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match=r"expected a probability such as 10% or 0\.1"):
        units.parse_probability(value)
