"""Associations and packets that the tests of the transforms share."""

from __future__ import annotations

from typing import Any

from kamelab.core.rng import Streams
from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.esp import Octets
from kamelab.stack.netipsec.sadb import IPPROTO_AH, IPPROTO_ESP, Sa
from kamelab.wire import ip6, udp
from kamelab.wire.in6 import pton

A, B, C, D = (pton(f"2001:db8::{letter}") for letter in "abcd")
TEXT = b"the secret that nobody on the way may read, repeated: the secret that nobody may read"

ENC_KEYS = {
    alg.EALG_DESCBC: b"PASSWORD",
    alg.EALG_3DESCBC: b"abcdefghijklmnopqrstuvwx",
    alg.X_EALG_CAST128CBC: b"cast128 has keys",
    alg.X_EALG_BLOWFISHCBC: b"blowfish key",
    alg.EALG_NULL: b"",
    alg.X_EALG_AESCBC: b"sixteen octets !",
    alg.X_EALG_AESCTR: b"sixteen octets !salt",
    alg.X_EALG_AESGCM16: b"sixteen octets !salt",
    alg.X_EALG_CHACHA20POLY1305: b"thirty-two octets make this key!salt",
}
AUTH_KEYS = {
    alg.AALG_MD5HMAC: b"m" * 16,
    alg.AALG_SHA1HMAC: b"KAMEKAMEKAMEKAMEKAME",
    alg.X_AALG_SHA2_256: b"s" * 32,
    alg.X_AALG_SHA2_384: b"s" * 48,
    alg.X_AALG_SHA2_512: b"s" * 64,
    alg.X_AALG_RIPEMD160HMAC: b"r" * 20,
    alg.X_AALG_AES_XCBC_MAC: b"x" * 16,
    alg.X_AALG_MD5: b"k" * 16,
    alg.X_AALG_SHA: b"k" * 20,
    alg.X_AALG_NULL: b"",
}


def octets(seed: int = 1) -> Octets:
    """A source of random octets that repeats."""
    streams = Streams(seed)
    return lambda count: streams.octets("a/ipsec", count)


def pair(proto: int, **given: Any) -> tuple[Sa, Sa]:
    """The same association at its sender and at its receiver, which has a window unless told otherwise."""
    if given.get("ealg") and "ekey" not in given:
        given["ekey"] = ENC_KEYS[given["ealg"]]
    if given.get("aalg") and "akey" not in given:
        given["akey"] = AUTH_KEYS[given["aalg"]]
    given.setdefault("replay", 0 if given.get("flags", 0) & 1 else 4)
    sender, receiver = Sa(proto, 0x1000, A, B, **given), Sa(proto, 0x1000, A, B, **given)
    alg.check(sender)
    return sender, receiver


def esp(ealg: int, aalg: int = 0, **given: Any) -> tuple[Sa, Sa]:
    """Both ends of an ESP association with keys of the right length."""
    return pair(IPPROTO_ESP, ealg=ealg, aalg=aalg, **given)


def ah(aalg: int, **given: Any) -> tuple[Sa, Sa]:
    """Both ends of an AH association."""
    return pair(IPPROTO_AH, aalg=aalg, **given)


def datagram(payload: bytes = TEXT, headers: bytes = b"", first: int = 17, **given: Any) -> bytes:
    """A UDP datagram from A to B, `headers` of which the first has number `first` before it."""
    return ip6.build(A, B, first, headers + udp.build(A, B, 1000, 2000, payload), **given)
