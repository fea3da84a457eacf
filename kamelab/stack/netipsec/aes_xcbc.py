"""AES-XCBC-MAC (RFC 3566): a MAC from the block cipher alone.

Left out: the PRF form with keys of any length (RFC 4434), which IKE would use.
"""

from __future__ import annotations


class Xcbc:
    """The MAC of one key of 16 octets. ValueError for another length.

    One CBC context lives on: its last output is xored into the next message's first block, so that each message is
    chained from zeros as the RFC wants, without setting the cipher up again.
    """

    __slots__ = ("chain", "k2", "k3", "last")

    def __init__(self, key: bytes) -> None:
        # Imported late: a lab without IPsec need not wait for OpenSSL.
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        if len(key) != 16:
            raise ValueError("AES-XCBC-MAC has keys of 16 octets")
        derive = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        k1, k2, k3 = (derive.update(bytes((n,)) * 16) for n in (1, 2, 3))
        self.k2, self.k3 = int.from_bytes(k2, "big"), int.from_bytes(k3, "big")
        self.chain = Cipher(algorithms.AES(k1), modes.CBC(bytes(16))).encryptor()
        self.last = 0

    def digest(self, data: bytes) -> bytes:
        """The 16 octets for a message of any length, the empty one too."""
        if data and not len(data) % 16:
            key = self.k2
        else:
            data += b"\x80" + bytes(-(len(data) + 1) % 16)
            key = self.k3
        size = len(data)
        # Over the whole message as one number: the first block takes off the old chain, the last one the key on.
        whole = int.from_bytes(data, "big") ^ key ^ (self.last << 8 * (size - 16))
        out = self.chain.update(whole.to_bytes(size, "big"))[-16:]
        self.last = int.from_bytes(out, "big")
        return out
