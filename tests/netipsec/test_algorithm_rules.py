"""Which associations can be: algorithms, key lengths, forms and flags (KAME IMPLEMENTATION 4.5)."""

from __future__ import annotations

from typing import Any

import pytest
from ipsec_packets import AUTH_KEYS, ENC_KEYS, A, B

from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.sadb import X_EXT_DERIV, X_EXT_IV4B, X_EXT_OLD, X_EXT_PMASK, Sa


def judge(proto: int, **given: Any) -> str:
    """ "" if it may be, else the reason."""
    spi = given.pop("spi", 0x1000)
    try:
        alg.check(Sa(proto, spi, A, B, **given))
    except alg.AlgorithmError as error:
        return ("length: " if error.length else "") + error.reason
    return ""


# number, key lengths in octets that are right, and that are not
ENC_LENGTHS = [
    (alg.EALG_DESCBC, (8,), (0, 7, 9, 16)),
    (alg.EALG_3DESCBC, (24,), (8, 16, 23, 25)),
    (alg.X_EALG_CAST128CBC, (5, 10, 16), (4, 17)),
    (alg.X_EALG_BLOWFISHCBC, (5, 16, 56), (4, 57)),
    (alg.EALG_NULL, (0, 256), (257,)),
    (alg.X_EALG_AESCBC, (16, 24, 32), (15, 20, 33)),
    (alg.X_EALG_AESCTR, (20, 28, 36), (16, 24, 32)),
    (alg.X_EALG_AESGCM16, (20, 28, 36), (16, 24, 32)),
    (alg.X_EALG_CHACHA20POLY1305, (36,), (32, 35)),
]


@pytest.mark.parametrize(("number", "right", "wrong"), ENC_LENGTHS)
def test_lengths_of_encryption_keys(number: int, right: tuple[int, ...], wrong: tuple[int, ...]) -> None:
    for size in right:
        assert judge(50, ealg=number, ekey=_key(size)) == ""
    for size in wrong:
        assert judge(50, ealg=number, ekey=_key(size)).startswith("length: ")


def _key(size: int) -> bytes:
    return bytes((0x11 + 7 * i) & 0xFF for i in range(size))


AUTH_LENGTHS = [
    (alg.AALG_MD5HMAC, 16),
    (alg.AALG_SHA1HMAC, 20),
    (alg.X_AALG_SHA2_256, 32),
    (alg.X_AALG_SHA2_384, 48),
    (alg.X_AALG_SHA2_512, 64),
    (alg.X_AALG_RIPEMD160HMAC, 20),
    (alg.X_AALG_AES_XCBC_MAC, 16),
    (alg.X_AALG_MD5, 16),
    (alg.X_AALG_SHA, 20),
]


@pytest.mark.parametrize(("number", "size"), AUTH_LENGTHS)
def test_lengths_of_authentication_keys(number: int, size: int) -> None:
    for proto, more in ((51, {}), (50, {"ealg": alg.EALG_NULL})):
        assert judge(proto, aalg=number, akey=bytes(size), **more) == ""
        for wrong in (0, size - 1, size + 1):
            assert judge(proto, aalg=number, akey=bytes(wrong), **more).startswith("length: ")


def test_null_takes_any_key_up_to_2048_bits() -> None:
    for size in (0, 5, 256):
        assert judge(51, aalg=alg.X_AALG_NULL, akey=bytes(size)) == ""
    assert judge(51, aalg=alg.X_AALG_NULL, akey=bytes(257)).startswith("length: ")


@pytest.mark.parametrize("weak", ["0101010101010101", "fefefefefefefefe", "e0e0e0e0f0f0f0f0", "011f011f010e010e"])
def test_weak_des_keys_are_refused_and_parity_is_not_asked(weak: str) -> None:
    key = bytes.fromhex(weak)
    assert judge(50, ealg=alg.EALG_DESCBC, ekey=key) == "des-cbc: weak key"
    for third in range(3):
        triple = [b"PASSWORD", b"12345678", b"abcdefgh"]
        triple[third] = key
        assert judge(50, ealg=alg.EALG_3DESCBC, ekey=b"".join(triple)) == "3des-cbc: weak key"
    assert judge(50, ealg=alg.EALG_DESCBC, ekey=b"PASSWORE") == judge(50, ealg=alg.EALG_DESCBC, ekey=b"PASSWORD") == ""


@pytest.mark.parametrize("number", [alg.X_EALG_RC5CBC, alg.X_EALG_TWOFISHCBC, 0, 99])
def test_encryption_that_is_not_supported(number: int) -> None:
    assert "not supported" in judge(50, ealg=number, ekey=bytes(16))


@pytest.mark.parametrize("number", [alg.X_CALG_OUI, alg.X_CALG_LZS, 0, 9])
def test_compression_that_is_not_supported(number: int) -> None:
    assert "not supported" in judge(108, calg=number)


def test_authentication_that_is_not_supported() -> None:
    assert "not supported" in judge(51, aalg=0)
    assert "not supported" in judge(51, aalg=77)
    assert "not supported" in judge(50, ealg=alg.EALG_NULL, aalg=77)


def test_the_old_forms_go_with_what_the_seed_lists() -> None:
    old = {
        alg.AALG_MD5HMAC,
        alg.AALG_SHA1HMAC,
        alg.X_AALG_RIPEMD160HMAC,
        alg.X_AALG_MD5,
        alg.X_AALG_SHA,
        alg.X_AALG_NULL,
    }
    for number in alg.AUTHS:
        said = judge(51, aalg=number, akey=AUTH_KEYS[number], flags=X_EXT_OLD)
        assert said == ("" if number in old else f"{alg.AUTHS[number].name} has no old form")
    for number, key in ENC_KEYS.items():
        said = judge(50, ealg=number, ekey=key, flags=X_EXT_OLD)
        assert (said == "") == (number in (alg.EALG_DESCBC, alg.EALG_NULL))
    assert "not authenticate" in judge(
        50, ealg=alg.EALG_DESCBC, ekey=b"PASSWORD", aalg=alg.AALG_MD5HMAC, akey=bytes(16), flags=X_EXT_OLD
    )
    assert "no replay" in judge(51, aalg=alg.AALG_MD5HMAC, akey=bytes(16), flags=X_EXT_OLD, replay=4)


REFUSED = [
    (50, {"ealg": alg.EALG_DESCBC, "ekey": b"PASSWORD", "flags": X_EXT_IV4B}, "old ESP only"),
    (50, {"ealg": alg.EALG_NULL, "flags": X_EXT_OLD | X_EXT_IV4B}, "old ESP only"),
    (50, {"ealg": alg.EALG_DESCBC, "ekey": b"PASSWORD", "flags": X_EXT_OLD | X_EXT_DERIV}, "new ESP only"),
    (50, {"ealg": alg.X_EALG_AESCBC, "ekey": _key(16), "flags": X_EXT_DERIV}, "new ESP only"),
    (50, {"ealg": alg.EALG_NULL, "flags": X_EXT_PMASK}, "two kinds"),
    (50, {"ealg": alg.EALG_NULL, "akey": b"x"}, "without algorithm"),
    (50, {"ealg": alg.X_EALG_AESGCM16, "ekey": _key(20), "aalg": alg.AALG_MD5HMAC, "akey": bytes(16)}, "by itself"),
    (50, {"ealg": alg.X_EALG_AESCBC, "ekey": _key(16), "esn": True}, "need authentication"),
    (51, {"aalg": alg.AALG_MD5HMAC, "akey": bytes(16), "ealg": alg.EALG_NULL}, "does not encrypt"),
    (51, {"aalg": alg.AALG_MD5HMAC, "akey": bytes(16), "flags": X_EXT_IV4B}, "not for AH"),
    (51, {"aalg": alg.AALG_MD5HMAC, "akey": bytes(16), "flags": X_EXT_OLD, "esn": True}, "new form"),
    (108, {"calg": alg.X_CALG_DEFLATE, "spi": 0x10000}, "too big"),
    (108, {"calg": alg.X_CALG_DEFLATE, "aalg": alg.AALG_MD5HMAC}, "neither"),
    (6, {}, "no associations"),
]


@pytest.mark.parametrize(("proto", "given", "why"), REFUSED)
def test_flags_and_parts_that_contradict_each_other(proto: int, given: dict[str, Any], why: str) -> None:
    assert why in judge(proto, **given)


def test_what_register_answers() -> None:
    assert alg.supported_auth()[0] == (alg.AALG_MD5HMAC, 0, 128, 128)
    assert [row[0] for row in alg.supported_enc()] == [2, 3, 6, 7, 11, 12, 13, 20, 252]
    assert (alg.X_EALG_AESCBC, 16, 128, 256) in alg.supported_enc()
    assert alg.supported_comp() == [(alg.X_CALG_DEFLATE, 0, 0, 0)]


def test_broken_and_forgotten_algorithms_are_labelled() -> None:
    retired = {row.name for row in (*alg.AUTHS.values(), *alg.ENCS.values()) if row.retired}
    assert {"des-cbc", "3des-cbc", "keyed-md5", "hmac-md5", "blowfish-cbc", "null"} <= retired
    assert not retired & {"rijndael-cbc", "hmac-sha2-256", "aes-gcm-16", "chacha20-poly1305"}
