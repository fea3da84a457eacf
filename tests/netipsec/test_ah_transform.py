"""AH over IPv6: what it covers and what may change, several on a packet, the old form, reasons of refusal."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipsec_packets import AUTH_KEYS, TEXT, A, B, C, D, ah, datagram, esp, octets, pair

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.ah import ah_hdrsiz, ah_input, ah_output
from kamelab.stack.netipsec.encap import encapsulate
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.esp import esp_input, esp_output
from kamelab.stack.netipsec.sadb import X_EXT_OLD, Sa
from kamelab.wire import exthdr, ip6, udp
from kamelab.wire.ah import parse

PLAIN = datagram()
MACS = [number for number in AUTH_KEYS if number != alg.X_AALG_NULL]
FORMS = [
    *[(number, 0) for number in alg.AUTHS],
    *[(row.number, X_EXT_OLD) for row in alg.AUTHS.values() if row.old],
]


def refused(receiver: Sa, packet: bytes, off: int = 40) -> str:
    with pytest.raises(TransformError) as error:
        ah_input(receiver, packet, off)
    assert str(error.value)
    return error.value.reason


@pytest.mark.parametrize(("number", "flags"), FORMS)
def test_a_packet_comes_out_as_it_went_in(number: int, flags: int) -> None:
    sender, receiver = ah(number, flags=flags)
    for turn in range(1, 4):
        sealed = ah_output(sender, PLAIN)
        head = parse(sealed[40:], bool(flags))
        assert head.nxt == ip6.IPPROTO_UDP
        assert head.size == len(sealed) - len(PLAIN) == ah_hdrsiz(sender)
        assert len(head.icv) == (0 if number == alg.X_AALG_NULL else 16 if flags else 12)
        assert (head.spi, head.seq) == (0x1000, None if flags else turn)
        assert ip6.parse(sealed).plen == len(sealed) - 40
        assert sealed[40 + head.size :] == PLAIN[40:]
        assert ah_input(receiver, sealed, 40) == (PLAIN, 17, 40)


def test_the_value_is_the_mac_over_the_packet_without_what_changes() -> None:
    # Made here by hand, as RFC 4302 3.3.3 says.
    sender, _ = ah(alg.AALG_SHA1HMAC)
    sealed = ah_output(sender, datagram(tclass=0x2E, flow=0x12345, hlim=9))
    over = b"\x60\0\0\0" + sealed[4:7] + b"\0" + sealed[8:52] + bytes(12) + sealed[64:]
    assert sealed[52:64] == hmac.new(AUTH_KEYS[alg.AALG_SHA1HMAC], over, hashlib.sha1).digest()[:12]


def test_the_old_keyed_md5_is_rfc_1828_over_the_packet() -> None:
    sender, _ = ah(alg.X_AALG_MD5, flags=X_EXT_OLD)
    sealed = ah_output(sender, PLAIN)
    over = b"\x60\0\0\0" + sealed[4:7] + b"\0" + sealed[8:48] + bytes(16) + sealed[64:]
    key = AUTH_KEYS[alg.X_AALG_MD5]
    fill = b"\x80" + bytes(39) + (128).to_bytes(8, "little")
    assert sealed[48:64] == hashlib.md5(key + fill + over + key).digest()


def mutable_bits(packet: bytes) -> set[int]:
    """The bits of the fixed header that routers may change: traffic class, flow label, hop limit."""
    return {*range(4, 32), *range(56, 64)} & set(range(len(packet) * 8))


@pytest.mark.parametrize("number", MACS)
@pytest.mark.parametrize("esn", [False, True])
def test_any_flipped_bit_is_refused_but_those_that_routers_change(number: int, esn: bool) -> None:
    sender, receiver = ah(number, esn=esn)
    sealed = ah_output(sender, datagram(b"x" * 9))
    free = mutable_bits(sealed)
    # The next header before AH and the length are how one comes to read an AH here at all.
    for bit in sorted(set(range(32, len(sealed) * 8)) | free):
        bent = bytearray(sealed)
        bent[bit // 8] ^= 0x80 >> bit % 8
        _, fresh = ah(number, esn=esn)
        if bit in free:
            assert ah_input(fresh, bytes(bent), 40).nxt == 17
            continue
        reason = refused(fresh, bytes(bent))
        if bit // 8 == 41:
            assert reason == "AH_LEN"
        elif bit == 51 * 8 + 7:
            # number 1 becomes 0
            assert reason == "AH_REPLAY"
        else:
            assert reason == "AH_ICV"
        assert (fresh.last, fresh.bitmap) == (0, 0)
    assert ah_input(receiver, sealed, 40).nxt == 17


def with_options(value: bytes, mutable: int, fixed: bytes) -> tuple[bytes, int]:
    """A packet with hop-by-hop and destination options, one of each kind; where AH goes."""
    opts = exthdr.option(0x3E, value) + exthdr.option(0x1E, fixed) + exthdr.option(0x20 | mutable, value)
    hop = exthdr.hop_by_hop(ip6.IPPROTO_DSTOPTS, opts)
    first = exthdr.destination_options(ip6.IPPROTO_ROUTING, opts)
    routing = exthdr.build_routing0(ip6.IPPROTO_DSTOPTS, 0, (C, D))
    # Behind AH nothing may change, whatever its type says (RFC 4302 3.3.3).
    last = exthdr.destination_options(ip6.IPPROTO_UDP, exthdr.option(0x3E, fixed))
    packet = datagram(headers=hop + first + routing + last, first=ip6.IPPROTO_HOPOPTS)
    return packet, 40 + len(hop + first + routing)


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))
def test_options_that_may_change_do_and_others_may_not(one: bytes, two: bytes) -> None:
    sender, receiver = ah(alg.AALG_SHA1HMAC, replay=0)
    packet, off = with_options(b"from", 0x11, b"stay")
    sealed = ah_output(sender, packet)
    assert sealed[off + 4 : off + 8] == b"\0\0\x10\0"
    assert ah_input(receiver, sealed, off).packet == packet
    changed = sealed.replace(b"from", one)
    assert ah_input(receiver, changed, off).packet == packet.replace(b"from", one)
    if two != b"stay":
        for at in range(len(sealed)):
            if sealed.startswith(b"stay", at):
                assert refused(receiver, sealed[:at] + two + sealed[at + 4 :], off) == "AH_ICV"


def test_the_kind_of_an_option_may_not_change() -> None:
    sender, receiver = ah(alg.AALG_SHA1HMAC)
    packet, off = with_options(b"from", 0x11, b"stay")
    sealed = bytearray(ah_output(sender, packet))
    sealed[42] ^= 0x01
    assert refused(receiver, bytes(sealed), off) == "AH_ICV"


def test_a_routing_header_counts_as_the_last_node_sees_it() -> None:
    # RFC 4302 3.3.3.1.2.3: sent towards C by way of D to B; each hop swaps the destination and an address.
    tail = udp.build(A, B, 1000, 2000, TEXT)
    sent = ip6.build(A, C, 43, exthdr.build_routing0(17, 2, (D, B)) + tail)
    there = ip6.build(A, B, 43, exthdr.build_routing0(17, 0, (C, D)) + tail)
    sender, receiver = ah(alg.AALG_SHA1HMAC)
    sealed = ah_output(sender, sent)
    assert ip6.parse(sealed).dst == C
    assert exthdr.parse_routing(sealed[40:80]).segleft == 2
    # What the routers at C and D do.
    moved = sealed[:24] + B + sealed[40:43] + b"\0" + sealed[44:48] + C + D + sealed[80:]
    assert ah_input(receiver, moved, 80).packet == there
    swapped = sealed[:24] + B + sealed[40:43] + b"\0" + sealed[44:48] + D + C + sealed[80:]
    assert refused(ah(alg.AALG_SHA1HMAC)[1], swapped, 80) == "AH_ICV"


def test_a_routing_header_of_another_type_on_its_way_cannot_be_foretold() -> None:
    header = bytes((17, 2, 4, 1)) + bytes(4) + D
    with pytest.raises(TransformError) as error:
        ah_output(ah(alg.AALG_SHA1HMAC)[0], datagram(headers=header, first=43))
    assert error.value.reason == "HEADERS_BAD"


def test_three_ahs_are_made_from_the_inside_to_the_outside() -> None:
    # KAME IMPLEMENTATION 4.3: "IP AH1 AH2 AH3 payload"; the inner ones count as they are.
    sender, receiver = ah(alg.AALG_SHA1HMAC)
    packet, layers = PLAIN, [PLAIN]
    for _ in range(3):
        packet = ah_output(sender, packet)
        layers.append(packet)
    heads = [parse(packet[40 + 24 * i :]) for i in range(3)]
    assert [head.nxt for head in heads] == [51, 51, 17]
    assert [head.seq for head in heads] == [3, 2, 1]
    key = AUTH_KEYS[alg.AALG_SHA1HMAC]
    for head, layer in zip(reversed(heads), layers[1:], strict=True):
        over = b"\x60\0\0\0" + layer[4:7] + b"\0" + layer[8:52] + bytes(12) + layer[64:]
        assert head.icv == hmac.new(key, over, hashlib.sha1).digest()[:12]
    for layer in (layers[2], layers[1], PLAIN):
        packet = ah_input(receiver, packet, 40).packet
        assert packet == layer


def test_ah_around_esp_and_esp_around_ah() -> None:
    ah_sender, ah_receiver = ah(alg.X_AALG_SHA2_256)
    esp_sender, esp_receiver = esp(alg.X_EALG_AESCBC, alg.AALG_MD5HMAC)
    source = octets()
    outside = ah_output(ah_sender, esp_output(esp_sender, PLAIN, source))
    assert (outside[6], outside[40]) == (51, 50)
    inner = ah_input(ah_receiver, outside, 40)
    assert inner.nxt == 50
    assert esp_input(esp_receiver, inner.packet, inner.off).packet == PLAIN
    inside = esp_output(esp_sender, ah_output(ah_sender, PLAIN), source)
    assert inside[6] == 50
    inner = esp_input(esp_receiver, inside, 40)
    assert inner.nxt == 51
    assert ah_input(ah_receiver, inner.packet, inner.off).packet == PLAIN


def test_the_address_is_covered_by_ah_and_not_by_esp() -> None:
    ah_sender, ah_receiver = ah(alg.AALG_SHA1HMAC)
    esp_sender, esp_receiver = esp(alg.X_EALG_AESCBC, alg.AALG_SHA1HMAC)
    sealed = ah_output(ah_sender, PLAIN)
    assert refused(ah_receiver, sealed[:8] + D + sealed[24:]) == "AH_ICV"
    sealed = esp_output(esp_sender, PLAIN, octets())
    assert esp_input(esp_receiver, sealed[:8] + D + sealed[24:], 40).nxt == 17


def test_ah_in_a_tunnel_covers_the_inner_packet_whole() -> None:
    sender, receiver = ah(alg.AALG_SHA1HMAC, mode="tunnel")
    inner = ip6.build(C, D, 17, TEXT, hlim=63)
    sealed = bytearray(ah_output(sender, encapsulate(inner, A, B)))
    assert ah_input(receiver, bytes(sealed), 40).packet[40:] == inner
    # The inner hop limit is not a router's on the way.
    sealed[64 + 7] -= 1
    _, fresh = ah(alg.AALG_SHA1HMAC)
    assert refused(fresh, bytes(sealed)) == "AH_ICV"


def test_a_replayed_packet_and_a_too_old_one() -> None:
    sender, receiver = ah(alg.AALG_SHA1HMAC)
    packets = [ah_output(sender, PLAIN) for _ in range(40)]
    for packet in packets[2:]:
        assert ah_input(receiver, packet, 40).packet == PLAIN
    assert refused(receiver, packets[39]) == "AH_REPLAY"
    assert refused(receiver, packets[1]) == "AH_REPLAY"
    # The old form has nothing to tell them apart by.
    sender, receiver = ah(alg.AALG_SHA1HMAC, flags=X_EXT_OLD)
    packet = ah_output(sender, PLAIN)
    for _ in range(2):
        assert ah_input(receiver, packet, 40).packet == PLAIN


def test_64_bit_numbers_pass_the_border_of_the_lower_half() -> None:
    sender, receiver = ah(alg.X_AALG_SHA2_256, esn=True)
    sender.seq = receiver.last = 0xFFFFFFFE
    for _ in range(3):
        assert ah_input(receiver, ah_output(sender, PLAIN), 40).packet == PLAIN
    assert receiver.last == 0x100000001


@pytest.mark.parametrize(("number", "flags"), FORMS)
def test_a_cut_packet_is_refused(number: int, flags: int) -> None:
    sender, receiver = ah(number, flags=flags)
    sealed = ah_output(sender, PLAIN)
    for length in range(40, 40 + ah_hdrsiz(sender)):
        assert refused(receiver, sealed[:length]) == "AH_LEN"


def test_another_algorithms_length_is_refused() -> None:
    sender, _ = pair(51, aalg=alg.X_AALG_NULL)
    _, receiver = ah(alg.AALG_SHA1HMAC)
    assert refused(receiver, ah_output(sender, PLAIN)) == "AH_LEN"


@given(st.binary(min_size=8, max_size=120), st.sampled_from(FORMS), st.sampled_from([0, 43, 51, 60]))
def test_garbage_never_raises_anything_else(data: bytes, form: tuple[int, int], first: int) -> None:
    _, receiver = ah(form[0], flags=form[1])
    packet = ip6.build(A, B, first, data)
    for off in range(40, len(packet), 4):
        reason = ""
        try:
            ah_input(receiver, packet, off)
        except TransformError as error:
            reason = error.reason
        assert reason in {"", "AH_LEN", "AH_REPLAY", "AH_ICV", "HEADERS_BAD"}
