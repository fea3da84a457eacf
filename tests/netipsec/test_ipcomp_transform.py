"""IPComp: what is compressed, under which index, and what can't be expanded (RFC 3173, 2394)."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipsec_packets import TEXT, A, B, datagram, esp, octets, pair

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.esp import esp_input, esp_output
from kamelab.stack.netipsec.ipcomp import ipcomp_input, ipcomp_output
from kamelab.stack.netipsec.sadb import X_EXT_RAWCPI, Sa
from kamelab.wire import exthdr, ip6
from kamelab.wire.ipcomp import cpi_kind

LONG = datagram(TEXT * 10)


def deflate(flags: int = 0) -> Sa:
    return pair(108, calg=alg.X_CALG_DEFLATE, flags=flags, replay=0)[0]


def refused(packet: bytes, sa: Sa | None = None) -> str:
    with pytest.raises(TransformError) as error:
        ipcomp_input(packet, 40, sa)
    assert str(error.value)
    return error.value.reason


def test_a_packet_gets_shorter_and_comes_out_as_it_went_in() -> None:
    sent = ipcomp_output(deflate(), LONG)
    assert sent[6] == ip6.IPPROTO_IPCOMP
    assert len(sent) < len(LONG) / 3
    assert sent[40:44] == b"\x11\0\0\2"
    assert ip6.parse(sent).plen == len(sent) - 40
    # The stream is raw: no zlib header, no Adler-32 (KAME IMPLEMENTATION 4.4).
    assert zlib.decompress(sent[44:], -15) == LONG[40:]
    # A well-known index needs no association.
    assert ipcomp_input(sent, 40) == (LONG, 17, 40)


def test_a_negotiated_index_is_the_spi_and_needs_its_association() -> None:
    sa = deflate(X_EXT_RAWCPI)
    sent = ipcomp_output(sa, LONG)
    assert sent[42:44] == b"\x10\0"
    assert ipcomp_input(sent, 40, sa).packet == LONG
    assert refused(sent) == "IPCOMP_BAD"


def test_short_and_incompressible_payloads_go_as_they_are() -> None:
    # KAME's least length is 90 octets of payload, the UDP header included.
    assert ipcomp_output(deflate(), datagram(bytes(81))) == datagram(bytes(81))
    assert ipcomp_output(deflate(), datagram(bytes(82)))[6] == ip6.IPPROTO_IPCOMP
    noise = datagram(octets()(400))
    assert ipcomp_output(deflate(), noise) is noise


def test_the_header_that_saves_nothing_is_not_added() -> None:
    for size in range(82, 140):
        packet = datagram(octets(size)(size - 30) + bytes(30))
        sent = ipcomp_output(deflate(), packet)
        assert sent == packet or len(sent) < len(packet)


def test_effort_and_window_are_settings() -> None:
    lengths = [len(ipcomp_output(deflate(), LONG, policy=policy)) for policy in (1, 9)]
    assert lengths[1] <= lengths[0] < len(LONG)
    assert ipcomp_output(deflate(), LONG, policy=0) is LONG
    # What repeats further back than the window reaches is not found again.
    far = datagram(octets()(3000) * 2)
    assert ipcomp_output(deflate(), far, window=9) is far
    sent = ipcomp_output(deflate(), far, window=12)
    assert len(sent) < 3500
    assert ipcomp_input(sent, 40).packet == far
    assert ipcomp_input(sent, 40, window=12).packet == far


def test_only_what_ends_read_is_compressed() -> None:
    hop = exthdr.hop_by_hop(ip6.IPPROTO_DSTOPTS, b"")
    last = exthdr.destination_options(ip6.IPPROTO_UDP, exthdr.option(0x1E, bytes(60)))
    packet = datagram(headers=hop + last, first=0)
    sent = ipcomp_output(deflate(), packet)
    assert sent[40:48] == bytes((108,)) + hop[1:]
    assert ipcomp_input(sent, 48) == (packet, ip6.IPPROTO_DSTOPTS, 48)


def test_compressed_before_it_is_encrypted() -> None:
    sender, receiver = esp(alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC)
    sealed = esp_output(sender, ipcomp_output(deflate(), LONG), octets())
    assert len(sealed) < len(LONG) / 3
    inner = esp_input(receiver, sealed, 40)
    assert inner.nxt == ip6.IPPROTO_IPCOMP
    assert ipcomp_input(inner.packet, inner.off).packet == LONG
    # The other order is allowed and of no use: what is encrypted doesn't compress.
    sealed = esp_output(sender, LONG, octets())
    assert ipcomp_output(deflate(), sealed) is sealed


def test_what_cannot_be_expanded_is_refused() -> None:
    sent = ipcomp_output(deflate(), LONG)
    for length in range(40, len(sent)):
        assert refused(sent[:length]) == ("IPCOMP_LEN" if length < 44 else "IPCOMP_BAD")
    assert refused(sent + b"\0") == "IPCOMP_BAD"
    assert refused(sent[:44] + b"\xff" * 20) == "IPCOMP_BAD"
    for cpi in (0, 1, 3, 200, 256):
        assert refused(sent[:42] + cpi.to_bytes(2, "big") + sent[44:]) == "IPCOMP_BAD"


def test_a_bomb_goes_off_at_the_size_of_a_packet() -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(bytes(50_000_000)) + squeeze.flush()
    assert refused(ip6.build(A, B, 108, b"\x3b\0\0\2" + data)) == "IPCOMP_BAD"
    fits = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = fits.compress(bytes(65535)) + fits.flush()
    assert len(ipcomp_input(ip6.build(A, B, 108, b"\x3b\0\0\2" + data), 40).packet) == 65575


def test_ranges_of_the_index() -> None:
    assert [cpi_kind(cpi) for cpi in (2, 63, 64, 255, 256, 61439, 61440, 65535)] == [
        "well-known",
        "well-known",
        "reserved",
        "reserved",
        "negotiated",
        "negotiated",
        "private",
        "private",
    ]


@given(st.binary(max_size=600))
def test_any_payload_comes_back(payload: bytes) -> None:
    packet = datagram(payload * 3)
    sent = ipcomp_output(deflate(), packet)
    if sent is not packet:
        assert len(sent) < len(packet)
        assert ipcomp_input(sent, 40).packet == packet


@given(st.binary(max_size=80))
def test_garbage_never_raises_anything_else(data: bytes) -> None:
    reason = "IPCOMP_"
    try:
        ipcomp_input(ip6.build(A, B, 108, data), 40)
    except TransformError as error:
        reason = error.reason
    assert reason.startswith("IPCOMP_")
