"""Version 2 of multicast listener discovery on the wire (RFC 3810 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import mld
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.in6 import pton

ADDRESS = st.binary(min_size=16, max_size=16)
QUERY = st.builds(
    mld.QueryV2,
    st.integers(0, 32767),
    ADDRESS,
    st.booleans(),
    st.integers(0, 7),
    st.integers(0, 127),
    st.lists(ADDRESS, max_size=5).map(tuple),
)
RECORDS = st.lists(
    st.builds(mld.Record, st.integers(1, 6), ADDRESS, st.lists(ADDRESS, max_size=4).map(tuple)), max_size=5
).map(tuple)


@given(QUERY)
def test_query_roundtrip(query: mld.QueryV2) -> None:
    assert mld.QueryV2.parse(query.pack()) == query


@given(RECORDS)
def test_report_roundtrip(records: tuple[mld.Record, ...]) -> None:
    assert mld.parse_v2_report(mld.build_v2_report(records)) == records


def test_a_query_octet_by_octet() -> None:
    group, source = pton("ff02::77"), pton("2001:db8::1")
    body = mld.QueryV2(10000, group, True, 2, 125, (source,)).pack()
    assert body == bytes.fromhex("27100000") + group + bytes.fromhex("0a7d0001") + source


@pytest.mark.parametrize(
    ("value", "code", "bits"),
    [
        (0, 0, 16),
        (32767, 32767, 16),
        (32768, 0x8000, 16),
        (40000, 0x8388, 16),
        (8387584, 0xFFFF, 16),
        (127, 127, 8),
        (128, 0x80, 8),
        (31744, 0xFF, 8),
    ],
)
def test_large_numbers_are_coded_as_mantissa_and_exponent(value: int, code: int, bits: int) -> None:
    """RFC 3810 5.1.3 and 5.1.9; the largest delay is 8387584 ms, the largest interval 31744 s."""
    assert mld.code_of(value, bits) == code
    assert mld.value_of(code, bits) == value


@pytest.mark.parametrize(("bits", "most"), [(16, 8387584), (8, 31744)])
def test_what_cannot_be_said_exactly_is_rounded_down(bits: int, most: int) -> None:
    previous = 0
    for value in range(0, most + 10000, 37 if bits == 8 else 997):
        said = mld.value_of(mld.code_of(value, bits), bits)
        assert previous <= said <= value
        assert value - said <= value >> (bits - 4) or value > most
        previous = said


@pytest.mark.parametrize("cut", [0, 4, 23, 39])
def test_a_query_cut_short(cut: int) -> None:
    body = mld.QueryV2(1, pton("ff02::77"), False, 2, 125, (pton("::1"),)).pack()
    with pytest.raises(Truncated):
        mld.QueryV2.parse(body[:cut])


def test_values_that_do_not_fit() -> None:
    with pytest.raises(WireError):
        mld.QueryV2(1, b"short", False, 2, 125).pack()
    with pytest.raises(WireError):
        mld.QueryV2(1, bytes(16), False, 8, 125).pack()
    with pytest.raises(WireError):
        mld.build_v2_report((mld.Record(1, bytes(16), (bytes(16),) * 65536),))
