"""Segments and options as octets (RFC 9293 3.1, 3.2; RFC 7323 2.2, 3.2), against scapy's reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import tcp
from kamelab.wire.buffer import WireError

PORTS = st.integers(0, 65535)
NUMBERS = st.integers(0, 0xFFFFFFFF)


@given(PORTS, PORTS, NUMBERS, NUMBERS, st.integers(0, 255), PORTS, st.binary(max_size=50), PORTS)
def test_what_is_built_is_read(
    sport: int, dport: int, seq: int, ack: int, flags: int, window: int, data: bytes, urgent: int
) -> None:
    options = tcp.build_options(1440, 7, 1, 2)
    octets = tcp.build(sport, dport, seq, ack, flags, window, options, data, urgent)
    head = tcp.parse(octets)
    assert head == (sport, dport, seq, ack, 40, flags, window, 0, urgent, options)
    assert octets[head.offset :] == data


@pytest.mark.parametrize(
    ("options", "read"),
    [
        (tcp.build_options(), (-1, -1, -1, -1)),
        (tcp.build_options(1220), (1220, -1, -1, -1)),
        (tcp.build_options(1440, 3), (1440, 3, -1, -1)),
        (tcp.build_options(-1, -1, 5, 6), (-1, -1, 5, 6)),
        (tcp.build_options(8940, 14, 0xFFFFFFFF, 0), (8940, 14, 0xFFFFFFFF, 0)),
        (b"\x04\x02\x02\x04\x05\xb4\x00\x02\x04\x01\x01\x01", (1460, -1, -1, -1)),
        (b"\x02\x00\x05\xb4", (-1, -1, -1, -1)),
        (b"\x02\x05\x05\xb4\x00", (-1, -1, -1, -1)),
        (b"\x03", (-1, -1, -1, -1)),
        (b"\xfd\x04ab\x03\x03\x02", (-1, 2, -1, -1)),
    ],
)
def test_options_are_read(options: bytes, read: tuple[int, ...]) -> None:
    assert tcp.parse_options(options) == read


@given(st.binary(max_size=40))
def test_any_octets_can_stand_for_options(octets: bytes) -> None:
    read = tcp.parse_options(octets)
    assert read.mss <= 0xFFFF
    assert isinstance(tcp.options_text(octets), str)


def test_options_in_words() -> None:
    assert tcp.options_text(tcp.build_options(1440, 3, 1, 2)) == "mss 1440,nop,wscale 3,nop,nop,TS val 1 ecr 2"
    assert tcp.options_text(b"\x04\x02\x00") == "sackOK,eol"
    assert tcp.options_text(b"\xfd\x04ab\x02\x09") == "opt-253,bad"


@pytest.mark.parametrize("options", [b"\x01", bytes(44)])
def test_options_that_fit_no_header_are_refused(options: bytes) -> None:
    with pytest.raises(WireError):
        tcp.build(1, 2, 3, 4, tcp.SYN, 5, options)


def test_values_that_fit_no_field_are_refused() -> None:
    with pytest.raises(WireError):
        tcp.build(70_000, 2, 3, 4, tcp.SYN, 5)


def test_scapy_reads_the_same() -> None:
    inet = pytest.importorskip("scapy.layers.inet")
    octets = tcp.build(49152, 80, 7, 9, tcp.SYN | tcp.ACK, 1000, tcp.build_options(1440, 3, 5, 6), b"hello")
    read = inet.TCP(octets)
    assert (read.sport, read.dport, read.seq, read.ack, str(read.flags)) == (49152, 80, 7, 9, "SA")
    assert dict(option for option in read.options if option[0] != "NOP") == {
        "MSS": 1440,
        "WScale": 3,
        "Timestamp": (5, 6),
    }
    assert bytes(read.payload) == b"hello"
