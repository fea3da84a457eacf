"""The MACs against the documents: RFC 2202, 4231, 2286 (2857), 3566, 1828."""

from __future__ import annotations

import hashlib

import pytest

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec import auth
from kamelab.stack.netipsec.aes_xcbc import Xcbc
from kamelab.stack.netipsec.ripemd160 import Ripemd160

WANT = b"what do ya want for nothing?"
LONG_KEY = b"Test Using Larger Than Block-Size Key - Hash Key First"
LONG_BOTH = b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"
TRUNCATED = b"Test With Truncation"
COUNT25 = bytes(range(1, 26))


def cases(size: int) -> list[tuple[bytes, bytes]]:
    """Keys and data of RFC 2202 and 2286, where the first keys are as long as the hash."""
    return [
        (b"\x0b" * size, b"Hi There"),
        (b"Jefe", WANT),
        (b"\xaa" * size, b"\xdd" * 50),
        (COUNT25, b"\xcd" * 50),
        (b"\x0c" * size, TRUNCATED),
        (b"\xaa" * 80, LONG_KEY),
        (b"\xaa" * 80, LONG_BOTH),
    ]


MD5 = [
    "9294727a3638bb1c13f48ef8158bfc9d",
    "750c783e6ab0b503eaa86e310a5db738",
    "56be34521d144c88dbb8c733f0e8b3f6",
    "697eaf0aca3a3aea3a75164746ffaa79",
    "56461ef2342edc00f9bab995690efd4c",
    "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
    "6f630fad67cda0ee1fb1f562db3aa53e",
]
SHA1 = [
    "b617318655057264e28bc0b6fb378c8ef146be00",
    "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
    "4c9007f4026250c6bc8414f9bf50c86c2d7235da",
    "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04",
    "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
]
RIPEMD160 = [
    "24cb4bd67d20fc1a5d2ed7732dcc39377f0a5668",
    "dda6c0213a485a9e24f4742064a7f033b43c4069",
    "b0b105360de759960ab4f35298e116e295d8e7c1",
    "d5ca862f4d21d5e610e18b4cf1beb97a4365ecf4",
    "7619693978f91d90539ae786500ff3d8e0518e39",
    "6466ca07ac5eac29e1bd523e5ada7605b791fd8b",
    "69ea60798d71616cce5fd0871e23754cd75d5a0a",
]

HMACS = [
    *[(alg.AALG_MD5HMAC, key, data, mac) for (key, data), mac in zip(cases(16), MD5, strict=True)],
    *[(alg.AALG_SHA1HMAC, key, data, mac) for (key, data), mac in zip(cases(20), SHA1, strict=True)],
    *[(alg.X_AALG_RIPEMD160HMAC, key, data, mac) for (key, data), mac in zip(cases(20), RIPEMD160, strict=True)],
]


@pytest.mark.parametrize(("number", "key", "data", "mac"), HMACS)
def test_hmac_of_rfc_2202_and_2286(number: int, key: bytes, data: bytes, mac: str) -> None:
    whole = bytes.fromhex(mac)
    assert auth.mac(number, key, size=len(whole)).icv(data) == whole
    # RFC 2403, 2404, 2857: the leftmost 96 bits; the old form 128.
    assert auth.mac(number, key).icv(data) == whole[:12]
    assert auth.mac(number, key, old=True).icv(data) == whole[:16]


SHA2 = [
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
        "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ),
    (
        b"Jefe",
        WANT,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
        "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ),
    (
        b"\xaa" * 131,
        LONG_KEY,
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ),
]


@pytest.mark.parametrize(("key", "data", "sha256", "sha384", "sha512"), SHA2)
def test_hmac_of_rfc_4231(key: bytes, data: bytes, sha256: str, sha384: str, sha512: str) -> None:
    pairs = ((alg.X_AALG_SHA2_256, sha256), (alg.X_AALG_SHA2_384, sha384), (alg.X_AALG_SHA2_512, sha512))
    for number, text in pairs:
        whole = bytes.fromhex(text)
        assert auth.mac(number, key, size=len(whole)).icv(data) == whole
        assert auth.mac(number, key).icv(data) == whole[:12]


XCBC = [
    (b"", "75f0251d528ac01c4573dfd584d79f29"),
    (bytes(range(3)), "5b376580ae2f19afe7219ceef172756f"),
    (bytes(range(16)), "d2a246fa349b68a79998a4394ff7a263"),
    (bytes(range(20)), "47f51b4564966215b8985c63055ed308"),
    (bytes(range(32)), "f54f0ec8d2b9f3d36807734bd5283fd4"),
    (bytes(range(34)), "becbb3bccdb518a30677d5481fb6b4d8"),
    (bytes(1000), "f0dafee895db30253761103b5d84528f"),
]


def test_aes_xcbc_mac_of_rfc_3566_in_any_order() -> None:
    # One object for all: what it did before must not show.
    xcbc = Xcbc(bytes(range(16)))
    for data, mac in [*XCBC, *reversed(XCBC)]:
        assert xcbc.digest(data).hex() == mac
    short = auth.mac(alg.X_AALG_AES_XCBC_MAC, bytes(range(16)))
    assert short.icv(bytes(range(34))).hex() == "becbb3bccdb518a30677d548"


def test_aes_xcbc_mac_refuses_another_key_length() -> None:
    with pytest.raises(alg.AlgorithmError, match="16 octets"):
        auth.mac(alg.X_AALG_AES_XCBC_MAC, bytes(24))


RIPEMD = [
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
    (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
]


@pytest.mark.parametrize(("data", "value"), RIPEMD)
def test_our_ripemd160_by_its_authors_examples(data: bytes, value: str) -> None:
    assert Ripemd160(data).digest().hex() == value
    # Octet by octet, and a copy taken on the way.
    slow = Ripemd160()
    for octet in data:
        slow.update(bytes((octet,)))
    copy = slow.copy()
    copy.update(b"more")
    assert slow.digest().hex() == value
    assert copy.digest() == Ripemd160(data + b"more").digest()


def test_hmac_ripemd160_without_openssls(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hashlib.new

    def refusing(name: str, *rest: bytes, **kwargs: bool) -> object:
        if name == "ripemd160":
            raise ValueError("unsupported hash type ripemd160")
        return real(name, *rest, **kwargs)

    monkeypatch.setattr(hashlib, "new", refusing)
    assert isinstance(auth.new_hash("ripemd160"), Ripemd160)
    for (key, data), mac in zip(cases(20), RIPEMD160, strict=True):
        assert auth.mac(alg.X_AALG_RIPEMD160HMAC, key, size=20).icv(data).hex() == mac
    with pytest.raises(ValueError, match="whirlpool"):
        auth.new_hash("whirlpool")


def test_keyed_md5_is_key_fill_data_key() -> None:
    # RFC 1828: the key is filled to a whole block as MD5 would fill it: 0x80, zeros, its length in bits.
    key, data = b"0123456789abcdef", b"a datagram"
    fill = b"\x80" + bytes(39) + (128).to_bytes(8, "little")
    assert len(key + fill) == 64
    assert auth.mac(alg.X_AALG_MD5, key, old=True).icv(data) == hashlib.md5(key + fill + data + key).digest()
    assert auth.mac(alg.X_AALG_MD5, key).icv(data) == hashlib.md5(key + fill + data + key).digest()[:12]


def test_keyed_sha1_is_made_the_same_way() -> None:
    key, data = b"0123456789abcdef0123", b"a datagram"
    fill = b"\x80" + bytes(35) + (160).to_bytes(8, "little")
    assert auth.mac(alg.X_AALG_SHA, key).icv(data) == hashlib.sha1(key + fill + data + key).digest()[:12]


def test_null_authenticates_nothing() -> None:
    assert auth.mac(alg.X_AALG_NULL, b"").icv(b"anything") == b""


def test_an_unknown_number_is_refused() -> None:
    with pytest.raises(alg.AlgorithmError, match="99 is not supported"):
        auth.mac(99, b"key")
