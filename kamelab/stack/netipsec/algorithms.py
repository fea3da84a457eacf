"""The algorithms of AH, ESP and IPComp: numbers, names, key lengths, sizes, documents, and which keys are refused.

KAME IMPLEMENTATION 4.5; KAME netinet6/ah_core.c, esp_core.c, ipcomp_core.c, net/pfkeyv2.h; the documents are named in
each row. Nothing is computed here (auth.py, cipher.py). Known by name and refused: those that IMPLEMENTATION 4.5 or
the patents kept out of the last kernels (rc5, twofish, LZS, OUI).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kamelab.stack.netipsec.sadb import (
    IPPROTO_AH,
    IPPROTO_ESP,
    IPPROTO_IPCOMP,
    X_EXT_DERIV,
    X_EXT_IV4B,
    X_EXT_OLD,
    X_EXT_PMASK,
    Sa,
)

AALG_NONE: Final = 0
AALG_MD5HMAC: Final = 2
AALG_SHA1HMAC: Final = 3
X_AALG_SHA2_256: Final = 5
X_AALG_SHA2_384: Final = 6
X_AALG_SHA2_512: Final = 7
X_AALG_RIPEMD160HMAC: Final = 8
X_AALG_AES_XCBC_MAC: Final = 9
X_AALG_MD5: Final = 249
X_AALG_SHA: Final = 250
X_AALG_NULL: Final = 251

EALG_NONE: Final = 0
EALG_DESCBC: Final = 2
EALG_3DESCBC: Final = 3
X_EALG_RC5CBC: Final = 4
X_EALG_CAST128CBC: Final = 6
X_EALG_BLOWFISHCBC: Final = 7
EALG_NULL: Final = 11
X_EALG_AESCBC: Final = 12
X_EALG_AESCTR: Final = 13
X_EALG_AESGCM16: Final = 20
X_EALG_CHACHA20POLY1305: Final = 252
X_EALG_TWOFISHCBC: Final = 253

X_CALG_NONE: Final = 0
X_CALG_OUI: Final = 1
X_CALG_DEFLATE: Final = 2
X_CALG_LZS: Final = 3


class Auth(NamedTuple):
    """A way to compute an ICV. Key lengths in bits; `old` if it goes with the RFC 1826 form; `retired`: why, or ""."""

    number: int
    name: str
    keymin: int
    keymax: int
    old: bool
    document: str
    retired: str = ""


class Enc(NamedTuple):
    """A way to encrypt. Key lengths in bits, salt included; `block` and `iv` in octets; `keys` if only these are right.

    `kind` is how cipher.py runs it: "cbc", "ctr", "aead", "null"; "" is known and not supported.
    """

    number: int
    name: str
    kind: str
    keymin: int
    keymax: int
    block: int
    iv: int
    document: str
    retired: str = ""
    keys: tuple[int, ...] = ()


class Comp(NamedTuple):
    """A way to compress; `minimum` in octets: what is shorter is sent as it is."""

    number: int
    name: str
    minimum: int
    supported: bool
    document: str


_WEAK_HASH: Final = "the hash is broken"
_BARE_KEY: Final = "keys around the data are no sound MAC"
_SHORT_KEY: Final = "a 56-bit key falls to a search"
_SHORT_BLOCK: Final = "64-bit blocks repeat too soon"

AUTHS: Final = {
    row.number: row
    for row in (
        Auth(AALG_MD5HMAC, "hmac-md5", 128, 128, True, "RFC 2403", _WEAK_HASH),
        Auth(AALG_SHA1HMAC, "hmac-sha1", 160, 160, True, "RFC 2404"),
        Auth(X_AALG_SHA2_256, "hmac-sha2-256", 256, 256, False, "draft-ietf-ipsec-ciph-sha-256-00"),
        Auth(X_AALG_SHA2_384, "hmac-sha2-384", 384, 384, False, ""),
        Auth(X_AALG_SHA2_512, "hmac-sha2-512", 512, 512, False, ""),
        Auth(X_AALG_RIPEMD160HMAC, "hmac-ripemd160", 160, 160, True, "RFC 2857", "nobody uses it"),
        Auth(X_AALG_AES_XCBC_MAC, "aes-xcbc-mac", 128, 128, False, "RFC 3566"),
        Auth(X_AALG_MD5, "keyed-md5", 128, 128, True, "RFC 1828", _BARE_KEY),
        Auth(X_AALG_SHA, "keyed-sha1", 160, 160, True, "", _BARE_KEY),
        Auth(X_AALG_NULL, "null", 0, 2048, True, "", "checks nothing: for debugging"),
    )
}
"""By PF_KEY number (KAME ah_core.c ah_algorithms). A document of "" is KAME's "no document"."""

ENCS: Final = {
    row.number: row
    for row in (
        Enc(EALG_DESCBC, "des-cbc", "cbc", 64, 64, 8, 8, "RFC 2405", _SHORT_KEY),
        Enc(EALG_3DESCBC, "3des-cbc", "cbc", 192, 192, 8, 8, "RFC 2451", _SHORT_BLOCK),
        Enc(X_EALG_RC5CBC, "rc5-cbc", "", 40, 2040, 8, 8, "RFC 2451", "patented"),
        Enc(X_EALG_CAST128CBC, "cast128-cbc", "cbc", 40, 128, 8, 8, "RFC 2451", _SHORT_BLOCK),
        Enc(X_EALG_BLOWFISHCBC, "blowfish-cbc", "cbc", 40, 448, 8, 8, "RFC 2451", _SHORT_BLOCK),
        Enc(EALG_NULL, "null", "null", 0, 2048, 4, 0, "RFC 2410"),
        Enc(X_EALG_AESCBC, "rijndael-cbc", "cbc", 128, 256, 16, 16, "RFC 3602", "", (128, 192, 256)),
        Enc(X_EALG_AESCTR, "aes-ctr", "ctr", 160, 288, 4, 8, "RFC 3686", "", (160, 224, 288)),
        Enc(X_EALG_AESGCM16, "aes-gcm-16", "aead", 160, 288, 4, 8, "RFC 4106", "", (160, 224, 288)),
        Enc(X_EALG_CHACHA20POLY1305, "chacha20-poly1305", "aead", 288, 288, 4, 8, "RFC 7634"),
        Enc(X_EALG_TWOFISHCBC, "twofish-cbc", "", 128, 256, 16, 16, "", "no document"),
    )
}
"""By PF_KEY number (KAME esp_core.c esp_algorithms). aes-gcm-16 and chacha20-poly1305 are beyond KAME."""

COMPS: Final = {
    row.number: row
    for row in (
        Comp(X_CALG_OUI, "oui", 0, False, "RFC 2393"),
        Comp(X_CALG_DEFLATE, "deflate", 90, True, "RFC 2394"),
        Comp(X_CALG_LZS, "lzs", 90, False, "RFC 2395"),
    )
}
"""By PF_KEY number, which is the well-known CPI too (KAME ipcomp_core.c ipcomp_algorithms)."""

AEADS: Final = frozenset((X_EALG_AESGCM16, X_EALG_CHACHA20POLY1305))


class AlgorithmError(ValueError):
    """An association whose algorithms, keys or flags can't be. `reason` is a short sentence for the log.

    `length` says that it is the length of a key (libipsec's "Invalid key length").
    """

    def __init__(self, reason: str, length: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.length = length


# FIPS 74, without parity. The first four undo themselves; each following pair undo each other.
_WEAK: Final = frozenset(
    bytes.fromhex(text)
    for text in (
        "0101010101010101",
        "fefefefefefefefe",
        "1f1f1f1f0e0e0e0e",
        "e0e0e0e0f1f1f1f1",
        "01fe01fe01fe01fe",
        "fe01fe01fe01fe01",
        "1fe01fe00ef10ef1",
        "e01fe01ff10ef10e",
        "01e001e001f101f1",
        "e001e001f101f101",
        "1ffe1ffe0efe0efe",
        "fe1ffe1ffe0efe0e",
        "011f011f010e010e",
        "1f011f010e010e01",
        "e0fee0fef1fef1fe",
        "fee0fee0fef1fef1",
    )
)


def odd_parity(key: bytes) -> bytes:
    """A DES key with the last bit of each octet set for odd parity (FIPS 46-3). The cipher itself ignores that bit."""
    return bytes((octet & 0xFE) | (((octet >> 1).bit_count() & 1) ^ 1) for octet in key)


def weak_des(key: bytes) -> bool:
    """Whether 8 octets are a weak or semi-weak key of DES, whatever their parity (RFC 2405 4; FIPS 74)."""
    return odd_parity(key) in _WEAK


def icv_len(aalg: int, old: bool) -> int:
    """Octets of ICV in a packet: 12, or 16 in the old form, none for null (KAME ah_core.c ah_sumsiz_1216)."""
    if aalg in (AALG_NONE, X_AALG_NULL):
        return 0
    return 16 if old else 12


def supported_auth() -> list[tuple[int, int, int, int]]:
    """Rows of the answer to SADB_REGISTER: (number, IV octets, least and most key bits), in order of number."""
    return [(row.number, 0, row.keymin, row.keymax) for row in sorted(AUTHS.values())]


def supported_enc() -> list[tuple[int, int, int, int]]:
    """As `supported_auth`, for encryption: what can be computed only."""
    return [(row.number, row.iv, row.keymin, row.keymax) for row in sorted(ENCS.values()) if row.kind]


def supported_comp() -> list[tuple[int, int, int, int]]:
    """As `supported_auth`, for compression: no keys."""
    return [(row.number, 0, 0, 0) for row in sorted(COMPS.values()) if row.supported]


def check(sa: Sa) -> None:
    """Judge an association before it becomes mature (KAME key.c key_mature, esp_*_mature, ah_*_mature).

    Raises AlgorithmError: unknown algorithm, one that doesn't go with the protocol or its old form, wrong length of a
    key, weak DES key, flags that contradict each other.
    """
    if sa.proto == IPPROTO_ESP:
        _check_esp(sa)
    elif sa.proto == IPPROTO_AH:
        if sa.ealg or sa.ekey:
            raise AlgorithmError("AH does not encrypt")
        if sa.flags & (X_EXT_IV4B | X_EXT_DERIV | X_EXT_PMASK):
            raise AlgorithmError(f"flags {sa.flags:#x} are not for AH")
        _check_auth(sa)
    elif sa.proto == IPPROTO_IPCOMP:
        _check_ipcomp(sa)
    else:
        raise AlgorithmError(f"protocol {sa.proto} has no associations")
    if sa.replay and sa.flags & X_EXT_OLD:
        raise AlgorithmError("the old form has no sequence number, so no replay check")
    if sa.esn and (sa.flags & X_EXT_OLD or not (sa.aalg or sa.ealg in AEADS)):
        raise AlgorithmError("64-bit sequence numbers need authentication and the new form")


def _check_key(name: str, bits: int, low: int, high: int, only: tuple[int, ...] = ()) -> None:
    if only and bits not in only:
        raise AlgorithmError(f"{name}: key of {bits} bits, not {', '.join(map(str, only))}", True)
    if not low <= bits <= high:
        raise AlgorithmError(f"{name}: key of {bits} bits, {low} to {high} are allowed", True)


def _check_auth(sa: Sa) -> None:
    row = AUTHS.get(sa.aalg)
    if row is None:
        raise AlgorithmError(f"authentication algorithm {sa.aalg} is not supported")
    if sa.flags & X_EXT_OLD and not row.old:
        raise AlgorithmError(f"{row.name} has no old form")
    _check_key(row.name, 8 * len(sa.akey), row.keymin, row.keymax)


def _check_esp(sa: Sa) -> None:
    row = ENCS.get(sa.ealg)
    if row is None or not row.kind:
        raise AlgorithmError(f"encryption algorithm {row.name if row else sa.ealg} is not supported")
    old = sa.flags & X_EXT_OLD
    if old and sa.ealg not in (EALG_DESCBC, EALG_NULL):
        raise AlgorithmError(f"{row.name} has no old form")
    if old and sa.aalg:
        raise AlgorithmError("the old ESP does not authenticate")
    if sa.flags & X_EXT_IV4B and not (old and sa.ealg == EALG_DESCBC):
        raise AlgorithmError("a 32-bit IV is for DES in the old ESP only")
    if sa.flags & X_EXT_DERIV and (old or sa.ealg != EALG_DESCBC):
        raise AlgorithmError("a derived IV is for DES in the new ESP only")
    if sa.flags & X_EXT_PMASK == X_EXT_PMASK:
        raise AlgorithmError("two kinds of padding at once")
    _check_key(row.name, 8 * len(sa.ekey), row.keymin, row.keymax, row.keys)
    if sa.ealg in (EALG_DESCBC, EALG_3DESCBC):
        for at in range(0, len(sa.ekey), 8):
            if weak_des(sa.ekey[at : at + 8]):
                raise AlgorithmError(f"{row.name}: weak key")
    if sa.ealg in AEADS:
        if sa.aalg or sa.akey:
            raise AlgorithmError(f"{row.name} authenticates by itself")
    elif sa.aalg:
        _check_auth(sa)
    elif sa.akey:
        raise AlgorithmError("an authentication key without algorithm")


def _check_ipcomp(sa: Sa) -> None:
    row = COMPS.get(sa.calg)
    if row is None or not row.supported:
        raise AlgorithmError(f"compression algorithm {row.name if row else sa.calg} is not supported")
    if sa.aalg or sa.ealg:
        raise AlgorithmError("IPComp neither encrypts nor authenticates")
    if sa.spi >= 0x10000:
        raise AlgorithmError(f"a CPI has 16 bits, {sa.spi:#x} is too big")
