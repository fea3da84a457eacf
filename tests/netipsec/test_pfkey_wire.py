"""PF_KEY messages as octets: layouts of RFC 2367 and KAME, and what is refused for its form."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamelab.wire import pfkey
from tests.netipsec.pfkey_desk import A, B, Desk, ends, esp, lifetimes, sockaddr, spd

EXAMPLES = [
    esp(0x1000, A, B, pfkey.Key(pfkey.SADB_EXT_KEY_AUTH, bytes(20)), pfkey.Sa2(2, 7, 9), *lifetimes(100, 80)),
    esp(0x1000, "10.1.2.3", "10.4.5.6"),
    spd(f"{A}/64", "::/0", pfkey.Request(50, 2, 3, 77, sockaddr(A), sockaddr(B)), pfkey.Request(51, 1, 2)),
    spd("10.0.0.0/8", "fe80::1%3", proto=58, sport=128)._replace(satype=9),
    pfkey.Message(pfkey.SADB_GETSPI, 3, 5, 6, 0, (*ends("fe80::1%4"), pfkey.SpiRange(0x100, 0x200))),
    pfkey.Message(
        pfkey.SADB_ACQUIRE,
        3,
        extensions=(*ends(), pfkey.Proposal((pfkey.Comb(encrypt=12, hard_addtime=86400), pfkey.Comb(auth=3)), 32)),
    ),
    pfkey.Message(
        pfkey.SADB_REGISTER,
        3,
        errno=17,
        extensions=(
            pfkey.Supported(pfkey.SADB_EXT_SUPPORTED_AUTH, (pfkey.Alg(2, 0, 128, 128), pfkey.Alg(3, 0, 160, 160))),
            pfkey.Supported(pfkey.SADB_EXT_SUPPORTED_ENCRYPT, (pfkey.Alg(12, 16, 128, 256),)),
        ),
    ),
    pfkey.Message(
        pfkey.SADB_ADD,
        extensions=(
            pfkey.Ident(pfkey.SADB_EXT_IDENTITY_SRC, 2, 1, b"host.example"),
            pfkey.Ident(pfkey.SADB_EXT_IDENTITY_DST, 1),
            pfkey.Sensitivity(bytes(20)),
            pfkey.Tag(b"web"),
        ),
        reserved=3,
    ),
    pfkey.Message(pfkey.SADB_X_PROMISC, payload=pfkey.build(esp())),
]


@pytest.mark.parametrize("message", EXAMPLES)
def test_a_message_comes_back_from_its_octets(message: pfkey.Message) -> None:
    data = pfkey.build(message)
    assert len(data) % 8 == 0
    assert pfkey.parse(data) == message


def test_the_header_is_that_of_rfc_2367() -> None:
    data = pfkey.build(pfkey.Message(pfkey.SADB_FLUSH, pfkey.SADB_SATYPE_ESP, 0x01020304, 0x0506, 17))
    assert data == bytes.fromhex("02 09 11 03 0200 0000 04030201 06050000")


def test_an_association_has_its_spi_in_network_order_and_flags_in_host_order() -> None:
    data = pfkey.build_extension(pfkey.Sa(0x12345678, 4, 1, 3, 12, pfkey.SADB_X_EXT_CYCSEQ))
    assert data == bytes.fromhex("0200 0100 12345678 04 01 03 0c 40000000")


def test_an_ipv6_address_stands_as_a_bsd_sockaddr_with_scope_id() -> None:
    data = pfkey.build_extension(ends("fe80::1%2", "fe80::2%2", 6, 80)[0])
    assert data == bytes.fromhex(
        "0500 0500 06 80 0000 1c1c 0050 00000000 fe80000000000000 0000000000000001 02000000 00000000"
    )


def test_an_ipv4_address_takes_three_words() -> None:
    data = pfkey.build_extension(ends("10.1.2.3", "10.4.5.6")[0])
    assert data == bytes.fromhex("0300 0500 ff 20 0000 1002 0000 0a010203 0000000000000000")


def test_a_key_tells_its_bits_and_is_padded() -> None:
    data = pfkey.build_extension(pfkey.Key(pfkey.SADB_EXT_KEY_AUTH, bytes(range(1, 21))))
    assert data[:8] == bytes.fromhex("0400 0800 a000 0000")
    assert data[8:] == bytes(range(1, 21)) + bytes(4)


def test_a_transport_request_has_eight_octets_and_counts_octets() -> None:
    data = pfkey.build_extension(pfkey.Policy(2, 2, 5, (pfkey.Request(50, 1, 3, 0x1234),)))
    assert data == bytes.fromhex("0300 1200 0200 02 00 05000000 00000000  0800 3200 01 03 3412")


def test_a_tunnel_request_carries_both_ends_one_behind_the_other() -> None:
    data = pfkey.build_extension(pfkey.Policy(2, 2, 0, (pfkey.Request(50, 2, 2, 0, sockaddr(A), sockaddr(B)),)))
    assert data[16:18] == (64).to_bytes(2, "little")
    assert (data[24], data[52]) == (28, 28)
    assert len(data) == 80


BUILT = pfkey.build(esp())


def changed(offset: int, *values: int) -> bytes:
    return BUILT[:offset] + bytes(values) + BUILT[offset + len(values) :]


def appended(extra: bytes) -> bytes:
    data = BUILT + extra
    return data[:4] + struct.pack("<H", len(data) // 8) + data[6:]


MALFORMED = {
    "nothing": (b"", "tooshort", -22),
    "half a header": (BUILT[:15], "tooshort", -22),
    "longer than it says": (BUILT + bytes(8), "invlen", -22),
    "cut off": (BUILT[:-8], "invlen", -22),
    "another version": (changed(0, 1), "invver", 22),
    "a type beyond all": (changed(1, 23), "invmsgtype", 22),
    "an extension twice": (appended(BUILT[16:32]), "dupext", -22),
    "an unknown extension": (appended(bytes.fromhex("0100 6300 00000000")), "invexttype", -22),
    "an extension of no length": (appended(bytes.fromhex("0000 0200 00000000")), "invlen", -22),
    "an extension past the end": (appended(bytes.fromhex("0900 0700 00000000")), "invlen", -22),
    "an sa of the wrong size": (appended(bytes.fromhex("0100 1000 00000000")), "invlen", -22),
    "an unknown family": (changed(41, 99), "invaddr", 47),
    "a sockaddr that is too long for its extension": (changed(40, 64), "invlen", -22),
    "an ipv6 sockaddr of another size": (changed(40, 27), "invaddr", 22),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_message_is_refused_and_counted_by_its_cause(name: str) -> None:
    data, cause, number = MALFORMED[name]
    with pytest.raises(pfkey.PfkeyError) as caught:
        pfkey.parse(data)
    assert (caught.value.cause, caught.value.errno) == (cause, abs(number))
    desk = Desk()
    assert desk.raw(data) == number
    refused = desk.keys.stat.refused
    assert {key: count for key, count in refused.items() if count} == {cause: 1}
    assert len(desk.keys.sad) == 0


@pytest.mark.parametrize(
    "request_octets",
    ["0400 3200 01 02 0000", "1000 3200 01 02 0000", "1c00 3200 02 02 0000" + "00" * 20, "0000 3200 01 02 0000"],
)
def test_a_policy_request_of_impossible_length_is_answered_with_einval(request_octets: str) -> None:
    body = bytes.fromhex(request_octets)
    body += bytes(-len(body) % 8)
    policy = struct.pack("<HHHBBII", 2 + len(body) // 8, 18, 2, 2, 0, 0, 0) + body
    addresses = b"".join(pfkey.build_extension(end) for end in ends())
    data = pfkey.build(pfkey.Message(pfkey.SADB_X_SPDADD)) + policy + addresses
    desk = Desk()
    assert desk.raw(data[:4] + struct.pack("<H", len(data) // 8) + data[6:]) == 22
    assert len(desk.keys.spd) == 0


@given(st.sampled_from(EXAMPLES), st.data())
def test_flipped_octets_never_raise_anything_else(message: pfkey.Message, data: st.DataObject) -> None:
    octets = bytearray(pfkey.build(message))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    desk = Desk()
    number = desk.raw(bytes(octets))
    assert number in (0, -22, 22, 2, 43, 45, 47)


def test_a_value_that_does_not_fit_is_refused_when_building() -> None:
    with pytest.raises(pfkey.PfkeyError):
        pfkey.build(pfkey.Message(1, seq=1 << 32))
    with pytest.raises(pfkey.PfkeyError):
        pfkey.build(spd(A, B, pfkey.Request(50, 1, 3, 0x10000)))


def test_a_socket_option_holds_a_bare_policy() -> None:
    policy = pfkey.Policy(2, 1, 0, (pfkey.Request(51, 1, 2),))
    assert pfkey.parse_policy(pfkey.build_extension(policy)) == policy
    for wrong in (b"", pfkey.build_extension(policy)[:-8], pfkey.build_extension(pfkey.Sa(5))):
        with pytest.raises(pfkey.PfkeyError):
            pfkey.parse_policy(wrong)
