"""ESP over IPv6: every algorithm and form, where the header goes, padding, and what is refused for which reason."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipsec_packets import ENC_KEYS, TEXT, A, B, C, D, datagram, esp, octets

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.encap import decapsulate, encapsulate
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.esp import esp_hdrsiz, esp_input, esp_output, trailer
from kamelab.stack.netipsec.sadb import (
    X_EXT_DERIV,
    X_EXT_IV4B,
    X_EXT_OLD,
    X_EXT_PRAND,
    X_EXT_PZERO,
    Sa,
)
from kamelab.wire import exthdr, ip6

PLAIN = datagram()
AEADS = [alg.X_EALG_AESGCM16, alg.X_EALG_CHACHA20POLY1305]
OTHERS = [number for number in ENC_KEYS if number not in AEADS]
AUTHS = [number for number in alg.AUTHS if number != alg.X_AALG_NULL]

FORMS = [
    *[(ealg, aalg, 0, False) for ealg in OTHERS for aalg in (0, alg.X_AALG_NULL, *AUTHS)],
    *[(ealg, 0, 0, esn) for ealg in AEADS for esn in (False, True)],
    (alg.X_EALG_AESCBC, alg.X_AALG_SHA2_256, 0, True),
    (alg.EALG_DESCBC, 0, X_EXT_OLD, False),
    (alg.EALG_DESCBC, 0, X_EXT_OLD | X_EXT_IV4B, False),
    (alg.EALG_NULL, 0, X_EXT_OLD, False),
    (alg.EALG_DESCBC, alg.AALG_SHA1HMAC, X_EXT_DERIV, False),
    (alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC, X_EXT_PZERO, False),
    (alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC, X_EXT_PRAND, False),
]


@pytest.mark.parametrize(("ealg", "aalg", "flags", "esn"), FORMS)
def test_a_packet_comes_out_as_it_went_in(ealg: int, aalg: int, flags: int, esn: bool) -> None:
    sender, receiver = esp(ealg, aalg, flags=flags, esn=esn)
    source = octets()
    most = esp_hdrsiz(sender)
    for size in range(40):
        plain = datagram(TEXT[:size])
        sealed = esp_output(sender, plain, source)
        assert sealed[6] == ip6.IPPROTO_ESP
        assert int.from_bytes(sealed[4:6], "big") == len(sealed) - 40
        assert sealed[40:44] == b"\0\0\x10\0"
        assert len(plain) + 6 <= len(sealed) <= len(plain) + most
        assert esp_input(receiver, sealed, 40) == (plain, 17, 40)
    if not flags & X_EXT_OLD:
        assert sealed[44:48] == (40).to_bytes(4, "big")
        assert sender.seq == 40


@pytest.mark.parametrize("ealg", [number for number in ENC_KEYS if number != alg.EALG_NULL])
def test_nothing_of_the_plain_text_is_in_the_packet(ealg: int) -> None:
    sender, _ = esp(ealg)
    source = octets()
    sealed = [esp_output(sender, PLAIN, source) for _ in range(4)]
    for packet in sealed:
        for at in range(len(TEXT) - 6):
            assert TEXT[at : at + 6] not in packet
    # The same packet never looks the same twice, nor does any block of it.
    blocks = [packet[at : at + 8] for packet in sealed for at in range(48, len(packet) - 7, 8)]
    assert len(set(blocks)) == len(blocks)


def test_runs_repeat_and_a_saved_association_goes_on_with_the_same_octets() -> None:
    for ealg in ENC_KEYS:
        first, _ = esp(ealg)
        again, _ = esp(ealg)
        one, two = octets(7), octets(7)
        for turn in range(4):
            assert esp_output(first, PLAIN, one) == esp_output(again, PLAIN, two)
            if turn == 1:
                again = pickle.loads(pickle.dumps(again))
                assert again.ctx is None


def test_ivs_are_the_streams_not_its_very_octets() -> None:
    # RFC 3602 2: nobody can foretell an IV, also who knows what the stream gave out.
    drawn: list[bytes] = []
    inner = octets()

    def source(count: int) -> bytes:
        drawn.append(inner(count))
        return drawn[-1]

    sender, _ = esp(alg.X_EALG_AESCBC)
    ivs = [esp_output(sender, PLAIN, source)[48:64] for _ in range(20)]
    assert len(set(ivs)) == 20
    assert not set(ivs) & set(drawn)


def test_counter_modes_never_use_an_iv_twice() -> None:
    for ealg in (alg.X_EALG_AESCTR, *AEADS):
        sender, _ = esp(ealg)
        sender.iv = b"\xff" * 7 + b"\xfe"
        ivs = [esp_output(sender, PLAIN, octets())[48:56] for _ in range(3)]
        assert ivs == [b"\xff" * 8, bytes(8), bytes(7) + b"\1"]


def test_the_header_goes_after_what_routers_read() -> None:
    hop = exthdr.hop_by_hop(ip6.IPPROTO_DSTOPTS, b"")
    first = exthdr.destination_options(ip6.IPPROTO_ROUTING, b"")
    routing = exthdr.build_routing0(ip6.IPPROTO_DSTOPTS, 0, (C, D))
    last = exthdr.destination_options(ip6.IPPROTO_UDP, exthdr.option(0x1E, b"ends only"))
    packet = datagram(headers=hop + first + routing + last, first=ip6.IPPROTO_HOPOPTS)
    off = 40 + len(hop + first + routing)
    for ealg in (alg.X_EALG_AESCBC, alg.EALG_NULL):
        sender, receiver = esp(ealg, alg.AALG_SHA1HMAC)
        sealed = esp_output(sender, packet, octets())
        assert sealed[40:off] == hop + first + routing[:0] + bytes((ip6.IPPROTO_ESP,)) + routing[1:]
        assert sealed[off : off + 4] == b"\0\0\x10\0"
        assert esp_input(receiver, sealed, off) == (packet, ip6.IPPROTO_DSTOPTS, off)


def test_destination_options_without_routing_header_are_encrypted() -> None:
    last = exthdr.destination_options(ip6.IPPROTO_UDP, exthdr.option(0x1E, b"ends only"))
    sender, _ = esp(alg.X_EALG_AESCBC)
    sealed = esp_output(sender, datagram(headers=last, first=ip6.IPPROTO_DSTOPTS), octets())
    assert sealed[6] == ip6.IPPROTO_ESP
    assert b"ends only" not in sealed


def test_a_tunnel_hides_the_inner_header() -> None:
    sender, receiver = esp(alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC, mode="tunnel")
    inner = ip6.build(C, D, 17, TEXT, hlim=63, tclass=0xB9, flow=0x12345)
    sealed = esp_output(sender, encapsulate(inner, A, B, ecn=1), octets())
    outer = ip6.parse(sealed)
    assert (outer.src, outer.dst, outer.hlim, outer.flow, outer.tclass) == (A, B, 64, 0, 0xB8)
    assert C not in sealed
    opened, nxt, off = esp_input(receiver, sealed, 40)
    assert nxt == ip6.IPPROTO_IPV6
    assert decapsulate(opened, off, ecn=1) == inner


PADDED = [
    # payload, alignment, the trailer's length: alignment less the rest, one alignment more where that would be 1
    (0, 4, 4),
    (1, 4, 3),
    (2, 4, 2),
    (3, 4, 5),
    (8, 8, 8),
    (15, 8, 9),
    (14, 16, 2),
    (15, 16, 17),
    (16, 16, 16),
]


@pytest.mark.parametrize(("size", "align", "total"), PADDED)
def test_how_much_is_padded_and_with_what(size: int, align: int, total: int) -> None:
    source = octets()
    pad = total - 2
    assert trailer(0, size, align, 58, source) == bytes(range(1, pad + 1)) + bytes((pad, 58))
    assert trailer(X_EXT_PZERO, size, align, 58, source) == bytes(pad) + bytes((pad, 58))
    random = trailer(X_EXT_PRAND, size, align, 58, source)
    assert random[-2:] == bytes((pad, 58))
    assert len(random) == total


def test_random_padding_hides_short_lengths() -> None:
    # KAME IMPLEMENTATION 4.3: shorter than N is padded to a random length of at most N.
    source = octets()
    lengths = {10 + len(trailer(0, 10, 8, 58, source, 128)) for _ in range(200)}
    assert max(lengths) <= 128
    assert lengths == set(range(16, 129, 8))
    # What is longer already gets only what it needs.
    assert len(trailer(0, 126, 8, 58, source, 128)) == 2
    assert len(trailer(0, 200, 8, 58, source, 128)) == 8
    # One octet tells how long the padding is, whatever N says.
    assert max(len(trailer(0, 10, 8, 58, source, 4000)) for _ in range(300)) <= 257
    sender, receiver = esp(alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC)
    for _ in range(20):
        sealed = esp_output(sender, PLAIN, source, 256)
        assert esp_input(receiver, sealed, 40).packet == PLAIN


def refused(receiver: Sa, packet: bytes, off: int = 40) -> str:
    with pytest.raises(TransformError) as error:
        esp_input(receiver, packet, off)
    assert str(error.value)
    return error.value.reason


AUTHENTICATED = [
    *[(alg.X_EALG_AESCBC, aalg) for aalg in AUTHS],
    (alg.EALG_NULL, alg.AALG_SHA1HMAC),
    (alg.X_EALG_AESCTR, alg.AALG_SHA1HMAC),
    *[(ealg, 0) for ealg in AEADS],
]


@pytest.mark.parametrize(("ealg", "aalg"), AUTHENTICATED)
@pytest.mark.parametrize("esn", [False, True])
def test_any_flipped_bit_of_esp_is_refused(ealg: int, aalg: int, esn: bool) -> None:
    sender, receiver = esp(ealg, aalg, esn=esn)
    sealed = esp_output(sender, datagram(b"x" * 20), octets())
    for bit in (*range(32), *range(64, (len(sealed) - 40) * 8)):
        # The SPI chooses the association: it is authenticated too.
        bent = bytearray(sealed)
        bent[40 + bit // 8] ^= 1 << bit % 8
        assert refused(receiver, bytes(bent)) == "ESP_ICV"
    for bit in range(32, 64):
        bent = bytearray(sealed)
        bent[40 + bit // 8] ^= 1 << bit % 8
        # Number 1 with a flipped bit is 0, which is no number; any other is ahead of the window.
        assert refused(receiver, bytes(bent)) == ("ESP_REPLAY" if bit == 56 else "ESP_ICV")
    # What was refused has moved nothing, and the right one passes.
    assert (receiver.last, receiver.bitmap) == (0, 0)
    assert esp_input(receiver, sealed, 40).nxt == 17


@given(st.sampled_from(AUTHENTICATED), st.integers(0), st.integers(1, 255), st.integers(0, 200))
def test_any_changed_octet_of_esp_is_refused(kind: tuple[int, int], at: int, change: int, size: int) -> None:
    sender, receiver = esp(*kind, replay=0)
    sealed = bytearray(esp_output(sender, datagram(bytes(size)), octets()))
    sealed[40 + at % (len(sealed) - 40)] ^= change
    assert refused(receiver, bytes(sealed)) == "ESP_ICV"


def test_without_authentication_a_flipped_bit_goes_through() -> None:
    # The lesson of "encryption alone": CBC garbles one block and flips one bit of the next, and nobody notices.
    sender, receiver = esp(alg.X_EALG_AESCBC)
    sealed = bytearray(esp_output(sender, PLAIN, octets()))
    sealed[64 + 16] ^= 0x20
    opened = esp_input(receiver, bytes(sealed), 40).packet
    changed = [at for at in range(len(PLAIN)) if opened[at] != PLAIN[at]]
    assert changed[-1] == 40 + 32
    assert opened[40 + 32] == PLAIN[40 + 32] ^ 0x20


def test_a_replayed_packet_and_a_too_old_one() -> None:
    for kind in AUTHENTICATED:
        sender, receiver = esp(*kind)
        source = octets()
        packets = [esp_output(sender, PLAIN, source) for _ in range(40)]
        for packet in packets[2:]:
            assert esp_input(receiver, packet, 40).packet == PLAIN
        for packet in packets[2:]:
            assert refused(receiver, packet) == "ESP_REPLAY"
        assert refused(receiver, packets[1]) == "ESP_REPLAY"
        assert receiver.last == 40


def test_no_replay_check_without_authentication() -> None:
    sender, receiver = esp(alg.X_EALG_AESCBC)
    sealed = esp_output(sender, PLAIN, octets())
    for _ in range(2):
        assert esp_input(receiver, sealed, 40).packet == PLAIN


def test_64_bit_numbers_pass_the_border_of_the_lower_half() -> None:
    for kind in AUTHENTICATED:
        sender, receiver = esp(*kind, esn=True)
        sender.seq = receiver.last = 0xFFFFFFFD
        source = octets()
        packets = [esp_output(sender, PLAIN, source) for _ in range(6)]
        assert [int.from_bytes(p[44:48], "big") for p in packets] == [0xFFFFFFFE, 0xFFFFFFFF, 0, 1, 2, 3]
        for packet in (*packets[1:], packets[0]):
            assert esp_input(receiver, packet, 40).packet == PLAIN
        assert receiver.last == 0x100000003
        assert refused(receiver, packets[0]) == "ESP_REPLAY"
        # The upper half isn't sent and still counts: another cycle's key stream or ICV is a different one.
        receiver.last, receiver.bitmap = receiver.last + (2 << 32), 0
        assert refused(receiver, packets[5]) == "ESP_ICV"


@pytest.mark.parametrize(("ealg", "aalg", "flags", "esn"), FORMS)
def test_a_cut_packet_is_refused_at_every_length(ealg: int, aalg: int, flags: int, esn: bool) -> None:
    sender, receiver = esp(ealg, aalg, flags=flags, esn=esn)
    sealed = esp_output(sender, datagram(b"short"), octets())
    reasons = set()
    for length in range(40, len(sealed)):
        attempt = copy.copy(receiver)
        attempt.iv = b""
        try:
            esp_input(attempt, sealed[:length], 40)
        except TransformError as error:
            reasons.add(error.reason)
            continue
        # Unauthenticated and cut at a block, what is left may still look like a packet.
        assert not aalg or aalg == alg.X_AALG_NULL
    assert reasons <= {"ESP_LEN", "ESP_ICV", "ESP_IVLEN", "ESP_PAD"}
    assert "ESP_LEN" in reasons


def test_bad_padding_has_its_own_reason() -> None:
    sender, receiver = esp(alg.EALG_NULL)
    sealed = bytearray(esp_output(sender, datagram(b""), octets()))
    sealed[-2] = 200
    assert refused(receiver, bytes(sealed)) == "ESP_PAD"


def test_an_iv_that_is_not_all_there_has_its_own_reason() -> None:
    _, receiver = esp(alg.X_EALG_AESCBC)
    head = ip6.build(A, B, ip6.IPPROTO_ESP, b"\0\0\x10\0\0\0\0\1" + bytes(15))
    assert refused(receiver, head) == "ESP_IVLEN"


def test_no_room_is_no_packet() -> None:
    sender, _ = esp(alg.X_EALG_AESCBC)
    with pytest.raises(TransformError) as error:
        esp_output(sender, ip6.build(A, B, 17, bytes(65530)), octets())
    assert error.value.reason == "TOO_BIG"


def test_headers_that_run_over_the_end_are_refused() -> None:
    sender, _ = esp(alg.X_EALG_AESCBC)
    with pytest.raises(TransformError) as error:
        esp_output(sender, ip6.build(A, B, 0, b"\x11\x20" + bytes(10)), octets())
    assert error.value.reason == "HEADERS_BAD"


def test_a_key_that_cannot_be_is_a_reason_not_a_crash() -> None:
    broken = Sa(50, 0x1000, A, B, ealg=alg.X_EALG_AESCBC, ekey=b"short")
    with pytest.raises(TransformError) as error:
        esp_output(broken, PLAIN, octets())
    assert error.value.reason == "SA_ALGORITHM"
    assert refused(broken, PLAIN) == "SA_ALGORITHM"


@given(st.binary(max_size=120), st.sampled_from(FORMS))
def test_garbage_never_raises_anything_else(data: bytes, form: tuple[int, int, int, bool]) -> None:
    ealg, aalg, flags, esn = form
    _, receiver = esp(ealg, aalg, flags=flags, esn=esn)
    reason = "ESP_"
    try:
        esp_input(receiver, ip6.build(A, B, ip6.IPPROTO_ESP, data), 40)
    except TransformError as error:
        reason = error.reason
    assert reason.startswith("ESP_")


def test_the_old_des_with_four_octets_of_iv_is_that_of_rfc_1829() -> None:
    # The IV proper is the four octets and their complement.
    from kamelab.stack.netipsec.cipher import Cbc

    sender, _ = esp(alg.EALG_DESCBC, flags=X_EXT_OLD | X_EXT_IV4B)
    sealed = esp_output(sender, PLAIN, octets())
    iv = sealed[44:48]
    plain = Cbc(alg.EALG_DESCBC, b"PASSWORD").decrypt(iv + bytes(255 - o for o in iv) + sealed[48:])
    assert plain.startswith(PLAIN[40:])


def test_the_derived_iv_is_the_sequence_number_and_its_complement() -> None:
    from kamelab.stack.netipsec.cipher import Cbc

    sender, _ = esp(alg.EALG_DESCBC, flags=X_EXT_DERIV)
    sealed = esp_output(sender, PLAIN, octets())
    plain = Cbc(alg.EALG_DESCBC, b"PASSWORD").decrypt(b"\0\0\0\1\xff\xff\xff\xfe" + sealed[48:])
    assert plain.startswith(PLAIN[40:])
