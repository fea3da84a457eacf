"""The headers of AH, ESP and IPComp as bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import ah, esp, ipcomp
from kamelab.wire.buffer import Truncated, WireError

U32 = st.integers(0, 2**32 - 1)
U8 = st.integers(0, 255)


@given(U8, U32, st.none() | U32, st.integers(0, 16).map(lambda words: bytes(range(4 * words))))
def test_ah_there_and_back(nxt: int, spi: int, seq: int | None, icv: bytes) -> None:
    data = ah.build(nxt, spi, seq, icv)
    head = ah.parse(data + b"payload", old=seq is None)
    assert (head.nxt, head.spi, head.seq, head.icv, head.reserved, head.size) == (nxt, spi, seq, icv, 0, len(data))


def test_the_length_of_ah_in_both_forms() -> None:
    # New: 12 + 12 octets are 6 words, less two; old: the words of the ICV (RFC 4302 2.2, RFC 1826 3).
    assert ah.build(58, 256, 1, bytes(12)).hex() == "3a0400000000010000000001" + "00" * 12
    assert ah.build(58, 256, None, bytes(16)).hex() == "3a04000000000100" + "00" * 16


def test_ah_that_is_not_all_there() -> None:
    data = ah.build(58, 256, 1, bytes(12))
    for length in range(len(data)):
        with pytest.raises(Truncated):
            ah.parse(data[:length])
    with pytest.raises(WireError, match="8 octets"):
        ah.parse(b"\x3a\0" + bytes(10))


@pytest.mark.parametrize(("nxt", "spi", "seq", "icv"), [(256, 1, 1, b""), (1, 2**32, 1, b""), (1, 1, 2**32, b"")])
def test_ah_with_values_too_big(nxt: int, spi: int, seq: int, icv: bytes) -> None:
    with pytest.raises(WireError):
        ah.build(nxt, spi, seq, icv)
    with pytest.raises(WireError, match="3 octets"):
        ah.build(1, 1, 1, b"abc")


@given(U32, st.none() | U32)
def test_esp_there_and_back(spi: int, seq: int | None) -> None:
    data = esp.build(spi, seq)
    assert len(data) == (esp.OLD_HEADER_LEN if seq is None else esp.HEADER_LEN)
    assert esp.parse(data + b"rest", old=seq is None) == (spi, seq)
    with pytest.raises(Truncated):
        esp.parse(data[:-1], old=seq is None)


def test_the_trailer_of_esp() -> None:
    assert esp.parse_trailer(b"payload\1\2\3\3\x3a") == (b"\1\2\3", 58)
    assert esp.parse_trailer(b"\0\x3b") == (b"", 59)
    for short in (b"", b"\0", b"\1\x3a", b"abc\4\x3a"):
        with pytest.raises(Truncated):
            esp.parse_trailer(short)
    with pytest.raises(WireError):
        esp.build(2**32, 1)


@given(U8, st.integers(0, 65535))
def test_ipcomp_there_and_back(nxt: int, cpi: int) -> None:
    data = ipcomp.build(nxt, cpi)
    assert ipcomp.parse(data + b"rest") == (nxt, 0, cpi)
    with pytest.raises(Truncated):
        ipcomp.parse(data[:3])
    with pytest.raises(WireError):
        ipcomp.build(nxt, 65536)
