"""The ciphers of ESP, set up once an association: nothing is built for a packet.

RFC 1829, 2405, 2451, 3602 (CBC), RFC 3686 (counter mode), RFC 4106, RFC 7634 (AEAD); KAME netinet6/esp_core.c. The
arithmetic is that of the `cryptography` package.

CBC runs as one endless chain. A first block R, random in its first octets, comes out as E(R xor last): nobody can
tell it beforehand. It goes on the wire as the IV, and what follows is chained to it, so a receiver sees an ordinary
packet. To begin from a given IV, the first block is xored with `IV xor last`. The last block sent is kept in the Sa, so
that an association that was saved and taken back goes on with the same octets. Left out: RC5, Twofish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.stack.netipsec.algorithms import (
    EALG_3DESCBC,
    EALG_DESCBC,
    X_EALG_AESCBC,
    X_EALG_AESGCM16,
    X_EALG_BLOWFISHCBC,
    X_EALG_CAST128CBC,
    X_EALG_CHACHA20POLY1305,
    AlgorithmError,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, CipherContext
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

AEAD_TAG: Final = 16
RANDOM: Final = 8
"""Random octets an IV: a longer block is filled with zeros, as the last one of the chain makes it unlike any before."""
SALT: Final = 4
"""Octets at the end of a key that are no key: nonce or salt (RFC 3686 5.1, RFC 4106 8.1, RFC 7634 2)."""


def block_cipher(ealg: int, key: bytes) -> BlockCipherAlgorithm:
    """The block cipher of a PF_KEY number. AlgorithmError if it isn't one, or for a key that it can't take."""
    # Imported late: a lab without IPsec need not wait for OpenSSL.
    from cryptography.hazmat.decrepit.ciphers.algorithms import CAST5, Blowfish, TripleDES
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    try:
        if ealg == X_EALG_AESCBC:
            return AES(key)
        if ealg == EALG_DESCBC:
            return TripleDES(key * 3)
        if ealg == EALG_3DESCBC:
            return TripleDES(key)
        if ealg == X_EALG_BLOWFISHCBC:
            return Blowfish(key)
        if ealg == X_EALG_CAST128CBC:
            return CAST5(key)
    except ValueError as error:
        raise AlgorithmError(str(error), True) from None
    raise AlgorithmError(f"encryption algorithm {ealg} is no block cipher here")


def _contexts(algorithm: Any, mode: Any) -> tuple[CipherContext, CipherContext]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers import Cipher

    try:
        cipher = Cipher(algorithm, mode)
        return cipher.encryptor(), cipher.decryptor()
    except UnsupportedAlgorithm:
        raise AlgorithmError(f"{algorithm.name} is missing in this host's OpenSSL") from None


class Cbc:
    """Cipher block chaining in both directions. `last` is the block that the chain stands at, `fill` follows R."""

    __slots__ = ("block", "dec", "enc", "fill", "last")

    def __init__(self, ealg: int, key: bytes, last: bytes = b"") -> None:
        from cryptography.hazmat.primitives.ciphers.modes import CBC

        algorithm = block_cipher(ealg, key)
        self.block = algorithm.block_size // 8
        self.fill = bytes(self.block - RANDOM)
        self.last = last if len(last) == self.block else bytes(self.block)
        self.enc, self.dec = _contexts(algorithm, CBC(self.last))

    def encrypt(self, data: bytes) -> bytes:
        """The chain goes on over whole blocks: the first one out is an IV for the rest."""
        out = self.enc.update(data)
        self.last = out[-self.block :]
        return out

    def encrypt_from(self, iv: bytes, data: bytes) -> bytes:
        """Whole blocks, chained to an IV that is not sent with them."""
        size = self.block
        first = int.from_bytes(data[:size], "big") ^ int.from_bytes(iv, "big") ^ int.from_bytes(self.last, "big")
        return self.encrypt(first.to_bytes(size, "big") + data[size:])

    def decrypt(self, data: bytes) -> bytes:
        """The plain text of IV and whole blocks, which were authenticated before."""
        # The first block out depends on what went before; nobody needs it.
        return self.dec.update(data)[self.block :]


class Ctr:
    """AES in counter mode, nonce and IV before a 32-bit block counter that begins with 1 (RFC 3686 4)."""

    __slots__ = ("context", "salt")

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import CTR

        self.salt = key[-SALT:]
        try:
            algorithm = AES(key[:-SALT])
        except ValueError as error:
            raise AlgorithmError(str(error), True) from None
        self.context = _contexts(algorithm, CTR(bytes(16)))[0]

    def crypt(self, iv: bytes, data: bytes) -> bytes:
        """Encrypt or decrypt: the same."""
        self.context.reset_nonce(self.salt + iv + b"\0\0\0\1")
        return self.context.update(data)


class Aead:
    """AES-GCM or ChaCha20-Poly1305 with the salt that ESP keeps at the end of the key."""

    __slots__ = ("aead", "invalid", "salt")

    def __init__(self, ealg: int, key: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import aead

        self.aead: AESGCM | ChaCha20Poly1305
        self.invalid = InvalidTag
        self.salt = key[-SALT:]
        try:
            if ealg == X_EALG_AESGCM16:
                self.aead = aead.AESGCM(key[:-SALT])
            elif ealg == X_EALG_CHACHA20POLY1305:
                self.aead = aead.ChaCha20Poly1305(key[:-SALT])
            else:
                raise AlgorithmError(f"encryption algorithm {ealg} is no AEAD here")
        except AlgorithmError:
            raise
        except ValueError as error:
            raise AlgorithmError(str(error), True) from None

    def seal(self, iv: bytes, data: bytes, aad: bytes) -> bytes:
        """Cipher text and tag."""
        return self.aead.encrypt(self.salt + iv, data, aad)

    def open(self, iv: bytes, data: bytes, aad: bytes) -> bytes | None:
        """The plain text of cipher text and tag, None if the tag is wrong."""
        try:
            return self.aead.decrypt(self.salt + iv, data, aad)
        except self.invalid:
            return None
