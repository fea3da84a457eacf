"""The Internet checksum against a plain loop over 16-bit words (RFC 1071 4.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire.checksum import cksum, in6_cksum, in6_cksum_ok, ones_sum

ADDRESS = st.binary(min_size=16, max_size=16)
# Lengths around each place where the folding changes, beside short ones.
LENGTHS = st.one_of(
    st.integers(0, 300),
    st.sampled_from([750, 751, 752, 753, 1471, 1472, 1503, 1504, 1505, 3008, 3009, 6017, 12033, 24065, 48129, 65535]),
)


def naive(data: bytes) -> int:
    """RFC 1071's own method: add words, carry around, complement."""
    if len(data) % 2:
        data += b"\x00"
    total = 0
    for i in range(0, len(data), 2):
        total += (data[i] << 8) | data[i + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(src: bytes, dst: bytes, nxt: int, size: int) -> bytes:
    return src + dst + size.to_bytes(4, "big") + bytes((0, 0, 0, nxt))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    size = draw(LENGTHS)
    pattern = draw(st.binary(min_size=1, max_size=64))
    return (pattern * (size // len(pattern) + 1))[:size]


def test_example_of_rfc_1071_section_3() -> None:
    data = bytes.fromhex("0001f203f4f5f6f7")
    assert ones_sum(data) == 0xDDF2
    assert cksum(data) == 0x220D


@pytest.mark.parametrize("size", [0, 1, 2, 300, 2000])
def test_all_zero_data_has_checksum_ffff(size: int) -> None:
    assert cksum(bytes(size)) == 0xFFFF


@pytest.mark.parametrize("size", [2, 4, 300, 2000, 65534])
def test_all_ones_data_has_checksum_zero(size: int) -> None:
    assert ones_sum(b"\xff" * size) == 0
    assert cksum(b"\xff" * size) == 0


def test_odd_last_octet_is_padded_on_the_right() -> None:
    assert ones_sum(b"\x01") == 0x0100
    assert cksum(b"\x12\x34\x56") == naive(b"\x12\x34\x56\x00")


@given(messages())
def test_cksum_equals_the_plain_loop(data: bytes) -> None:
    assert cksum(data) == naive(data)
    assert ones_sum(data) == (0xFFFF - naive(data)) % 0xFFFF


@given(ADDRESS, ADDRESS, st.integers(0, 255), messages())
def test_in6_cksum_equals_the_plain_loop_over_the_pseudo_header(src: bytes, dst: bytes, nxt: int, data: bytes) -> None:
    assert in6_cksum(src, dst, nxt, data) == naive(pseudo_header(src, dst, nxt, len(data)) + data)


@given(ADDRESS, ADDRESS, st.integers(1, 255), messages())
def test_a_message_with_its_checksum_in_place_is_ok(src: bytes, dst: bytes, nxt: int, data: bytes) -> None:
    value = in6_cksum(src, dst, nxt, b"\x80\x00\x00\x00" + data)
    message = b"\x80\x00" + value.to_bytes(2, "big") + data
    assert in6_cksum_ok(src, dst, nxt, message)


@given(ADDRESS, ADDRESS, messages(), st.data())
def test_one_changed_bit_is_seen(src: bytes, dst: bytes, payload: bytes, data: st.DataObject) -> None:
    value = in6_cksum(src, dst, 58, b"\x80\x00\x00\x00" + payload)
    message = bytearray(b"\x80\x00" + value.to_bytes(2, "big") + payload)
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    message[bit // 8] ^= 0x80 >> (bit % 8)
    assert not in6_cksum_ok(src, dst, 58, bytes(message))


def test_a_field_of_ffff_and_one_of_zero_are_the_same_to_the_receiver() -> None:
    src = dst = bytes(16)
    # 0xffc1 + 58 + 4 = 0xffff: whatever of the two zeros stands in the field, the sum is right.
    assert in6_cksum(src, dst, 58, b"\xff\xc1\x00\x00") == 0
    assert in6_cksum_ok(src, dst, 58, b"\xff\xc1\x00\x00")
    assert in6_cksum_ok(src, dst, 58, b"\xff\xc1\xff\xff")


def test_nothing_at_all_is_not_a_valid_message() -> None:
    assert in6_cksum(bytes(16), bytes(16), 0, b"") == 0xFFFF
    assert not in6_cksum_ok(bytes(16), bytes(16), 0, b"")
