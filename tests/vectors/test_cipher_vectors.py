"""The ciphers by the documents: FIPS 81, SP 800-67, RFC 2144, Blowfish, RFC 3602, 3686, GCM, RFC 7634, RFC 1951."""

from __future__ import annotations

import zlib

import pytest

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.cipher import Aead, Cbc, Ctr

DES, TDES, CAST, BLOWFISH, AES = (
    alg.EALG_DESCBC,
    alg.EALG_3DESCBC,
    alg.X_EALG_CAST128CBC,
    alg.X_EALG_BLOWFISHCBC,
    alg.X_EALG_AESCBC,
)
NONE = "00" * 8
COUNT32 = bytes(range(32)).hex()

CBC = [
    # FIPS 81 C1
    (
        DES,
        "0123456789abcdef",
        "1234567890abcdef",
        b"Now is the time for all ".hex(),
        "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6",
    ),
    # SP 800-67 B.1, block by block: the IV is the plain text of nothing
    (TDES, "0123456789abcdef23456789abcdef01456789abcdef0123", NONE, "5468652071756663", "a826fd8ce53b855f"),
    (TDES, "0123456789abcdef23456789abcdef01456789abcdef0123", NONE, "6b2062726f776e20", "cce21c8112256fe6"),
    (TDES, "0123456789abcdef23456789abcdef01456789abcdef0123", NONE, "666f78206a756d70", "68d5c05dd9b6b900"),
    # RFC 2144 B.1: 128, 80 and 40 bits
    (CAST, "0123456712345678234567893456789a", NONE, "0123456789abcdef", "238b4fe5847e44b2"),
    (CAST, "01234567123456782345", NONE, "0123456789abcdef", "eb6a711a2c02271b"),
    (CAST, "0123456712", NONE, "0123456789abcdef", "7ac816d16e9b302e"),
    # Schneier's list
    (BLOWFISH, "0000000000000000", NONE, "0000000000000000", "4ef997456198dd78"),
    (BLOWFISH, "ffffffffffffffff", NONE, "ffffffffffffffff", "51866fd5b85ecb8a"),
    (BLOWFISH, "0123456789abcdef", NONE, "1111111111111111", "61f9c3802281b096"),
    (BLOWFISH, "f0e1d2c3b4", NONE, "fedcba9876543210", "b39e44481bdb1e6e"),
    (BLOWFISH, "f0e1d2c3b4a5968778695a4b3c2d1e0f", NONE, "fedcba9876543210", "93142887ee3be15c"),
    (
        BLOWFISH,
        "0123456789abcdeff0e1d2c3b4a59687",
        "fedcba9876543210",
        (b"7654321 Now is the time for " + bytes(4)).hex(),
        "6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc",
    ),
    # RFC 3602 4, cases 1 and 2
    (
        AES,
        "06a9214036b8a15b512e03d534120006",
        "3dafba429d9eb430b422da802c9fac41",
        b"Single block msg".hex(),
        "e353779c1079aeb82708942dbe77181a",
    ),
    (
        AES,
        "c286696d887c9aa0611bbb3e2025a45a",
        "562e17996d093d28ddb3ba695a2e6f58",
        COUNT32,
        "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1",
    ),
    # SP 800-38A F.2.3 and F.2.5: 192 and 256 bits
    (
        AES,
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "000102030405060708090a0b0c0d0e0f",
        "6bc1bee22e409f96e93d7e117393172a",
        "4f021db243bc633d7178183a9fa071e8",
    ),
    (
        AES,
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "000102030405060708090a0b0c0d0e0f",
        "6bc1bee22e409f96e93d7e117393172a",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd6",
    ),
]


@pytest.mark.parametrize(("number", "key", "iv", "plain", "sealed"), CBC)
def test_cbc_ciphers(number: int, key: str, iv: str, plain: str, sealed: str) -> None:
    start, data, result = bytes.fromhex(iv), bytes.fromhex(plain), bytes.fromhex(sealed)
    cbc = Cbc(number, bytes.fromhex(key))
    for _ in range(2):
        assert cbc.encrypt_from(start, data) == result
        assert cbc.decrypt(start + result) == data
        # The chain goes on between packets; nothing of that may show.
        assert cbc.decrypt(cbc.encrypt(b"\x5a" * cbc.block + data)) == data


CTR = [
    (
        "ae6852f8121067cc4bf7a5765577f39e00000030",
        "0000000000000000",
        b"Single block msg".hex(),
        "e4095d4fb7a7b3792d6175a3261311b8",
    ),
    (
        "7e24067817fae0d743d6ce1f32539163006cb6db",
        "c0543b59da48d90b",
        COUNT32,
        "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28",
    ),
    (
        "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048",
        "36733c147d6d93cb",
        b"Single block msg".hex(),
        "4b55384fe259c9c84e7935a003cbe928",
    ),
    (
        "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060",
        "db5672c97aa8f0b2",
        b"Single block msg".hex(),
        "145ad01dbf824ec7560863dc71e3e0c0",
    ),
]


@pytest.mark.parametrize(("key", "iv", "plain", "sealed"), CTR)
def test_counter_mode_of_rfc_3686(key: str, iv: str, plain: str, sealed: str) -> None:
    ctr = Ctr(bytes.fromhex(key))
    for _ in range(2):
        assert ctr.crypt(bytes.fromhex(iv), bytes.fromhex(plain)).hex() == sealed
        assert ctr.crypt(bytes.fromhex(iv), bytes.fromhex(sealed)).hex() == plain


def test_gcm_of_the_nist_submission_and_rfc_4106() -> None:
    # Test case 4: its 96-bit IV is RFC 4106's salt (end of the key) and IV.
    aead = Aead(alg.X_EALG_AESGCM16, bytes.fromhex("feffe9928665731c6d6a8f9467308308cafebabe"))
    iv, aad = bytes.fromhex("facedbaddecaf888"), bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = bytes.fromhex(
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47"
    )
    assert aead.seal(iv, plain, aad) == sealed
    assert aead.open(iv, sealed, aad) == plain
    assert aead.open(iv, sealed, aad[:-1] + b"\0") is None


def test_chacha20_poly1305_of_rfc_7634_appendix_a() -> None:
    key = bytes(range(0x80, 0xA0)) + bytes.fromhex("a0a1a2a3")
    iv, aad = bytes.fromhex("1011121314151617"), bytes.fromhex("0102030400000005")
    plain = bytes.fromhex(
        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"
        "0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
        "2425262728292a2b2c2d2e2f303132333435363701020204"
    )
    sealed = bytes.fromhex(
        "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"
        "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"
        "cbec163fac469b502773f6fb94e664da9165b82829f641e0"
        "76aaa8266b7fb0f7b11b369907e1ad43"
    )
    aead = Aead(alg.X_EALG_CHACHA20POLY1305, key)
    assert aead.seal(iv, plain, aad) == sealed
    assert aead.open(iv, sealed, aad) == plain


@pytest.mark.parametrize("stream", ["4b4c4a0600", "010300fcff616263"])
def test_deflate_of_rfc_1951_without_checksum(stream: str) -> None:
    # "abc" in a block with fixed codes and in a stored one; RFC 2394 takes the stream as it is.
    expand = zlib.decompressobj(-15)
    assert expand.decompress(bytes.fromhex(stream)) == b"abc"
    assert expand.eof


def test_weak_des_keys_whatever_their_parity() -> None:
    for key in ("0101010101010101", "0000000000000000", "fffffffffffffffe", "1f1f1f1f0e0e0e0e", "01fe01fe01fe01fe"):
        assert alg.weak_des(bytes.fromhex(key))
    assert alg.weak_des(bytes.fromhex("e1ffe1fff1fff1ff"))
    assert not alg.weak_des(b"PASSWORD")
    assert alg.odd_parity(bytes.fromhex("0003fe80")).hex() == "0102fe80"


@pytest.mark.parametrize("number", [alg.X_EALG_RC5CBC, alg.X_EALG_TWOFISHCBC, 99])
def test_what_is_not_supported_is_no_cipher(number: int) -> None:
    with pytest.raises(alg.AlgorithmError):
        Cbc(number, bytes(16))


@pytest.mark.parametrize(("number", "size"), [(AES, 15), (TDES, 23), (DES, 7), (BLOWFISH, 3), (CAST, 17)])
def test_keys_that_a_cipher_cannot_take(number: int, size: int) -> None:
    with pytest.raises(alg.AlgorithmError):
        Cbc(number, bytes(size))
