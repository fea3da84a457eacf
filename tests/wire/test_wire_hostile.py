"""Whatever the octets, a reader gives a value or one exception, WireError."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import ether, exthdr, icmp6, in6, ip6, mld, nd, nd_options, summary, tcp, udp
from kamelab.wire.buffer import WireError

A, B = in6.pton("fe80::1"), in6.pton("ff02::1")


def all_options(data: bytes) -> object:
    return list(exthdr.options(data))


READERS: list[Callable[[bytes], object]] = [
    all_options,
    ether.parse,
    exthdr.parse_fragment,
    exthdr.parse_routing,
    exthdr.upper_layer,
    icmp6.parse,
    icmp6.parse_echo,
    icmp6.parse_error,
    ip6.parse,
    mld.Mld.parse,
    mld.parse_v2_report,
    nd.NeighborAdvert.parse,
    nd.NeighborSolicit.parse,
    nd.Redirect.parse,
    nd.RouterAdvert.parse,
    nd.RouterSolicit.parse,
    nd_options.parse,
    tcp.parse,
    udp.parse,
]

NEXT = st.sampled_from([0, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 89, 135, 253])
ICMP_TYPES = st.sampled_from([1, 2, 3, 4, 100, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 143, 255])
CHAIN_LINK = st.builds(
    lambda nxt, size, rest: bytes((nxt, size)) + rest, NEXT, st.integers(0, 3), st.binary(max_size=40)
)
ICMP = st.builds(lambda kind, rest: bytes((kind, 0)) + rest, ICMP_TYPES, st.binary(max_size=120))


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """IPv6 packets that are mostly believable, so that the readers go deep before they meet nonsense."""
    body = b"".join(draw(st.lists(CHAIN_LINK, max_size=4))) + draw(st.one_of(ICMP, st.binary(max_size=80)))
    if draw(st.booleans()):
        inner = ip6.build(A, B, draw(NEXT), body)
        body = b"\x01\x04" + bytes(6) + inner
    packet = ip6.build(A, B, draw(NEXT), body)
    return packet[: draw(st.integers(0, len(packet)))] if draw(st.booleans()) else packet


FRAMES = st.one_of(st.binary(max_size=80), packets().map(lambda p: ether.header(bytes(6), bytes(6)) + p))


@pytest.mark.parametrize("reader", READERS, ids=lambda f: f"{f.__module__}.{f.__qualname__}")
@given(data=st.one_of(st.binary(max_size=120), packets(), CHAIN_LINK))
def test_a_reader_raises_nothing_but_wire_error(reader: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(WireError):
        reader(data)


@given(packets())
def test_upper_layer_stays_inside_the_packet(packet: bytes) -> None:
    try:
        _, at = exthdr.upper_layer(packet)
    except WireError:
        return
    assert 40 <= at <= len(packet)


@given(FRAMES)
def test_a_summary_is_one_printable_line_for_any_frame(frame: bytes) -> None:
    src, dst = summary.addresses(frame)
    line = summary.summarize(frame)
    assert line == f"{src} > {dst}: {summary.info(frame)}"
    assert line.isascii()
    assert line.isprintable()
    assert line == line.strip()
    assert "  " not in line
    assert summary.protocol(frame).isprintable()


@given(st.binary(min_size=40, max_size=200), st.integers(0, 255))
def test_a_summary_of_any_octets_under_each_protocol(payload: bytes, nxt: int) -> None:
    frame = ether.header(bytes(6), bytes(6)) + ip6.build(A, B, nxt, payload)
    assert summary.info(frame)


def test_the_longest_lines_stay_bounded() -> None:
    pads = exthdr.hop_by_hop(60, exthdr.option(0x1E, b"") * 1000)
    chain = pads + exthdr.destination_options(60, b"") * 1000 + exthdr.destination_options(59, b"")
    records = b"".join(b"\x04\x00\x00\x00" + B for _ in range(1000))
    report = icmp6.build(A, B, icmp6.MLDV2_REPORT, 0, b"\x00\x00\x03\xe8" + records)
    error = tunnel = b""
    for _ in range(1000):
        error = b"\x01\x00" + bytes(6) + ip6.build(A, B, 58, error)
        tunnel = ip6.build(A, B, 41, tunnel)
    for nxt, payload in ((0, chain), (58, report), (58, error), (41, tunnel)):
        line = summary.summarize(ether.header(bytes(6), bytes(6)) + ip6.build(A, B, nxt, payload))
        assert len(line) < 400
