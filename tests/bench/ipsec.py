"""ESP on one packet: our transform beside scapy's SecurityAssociation and the bare primitives of `cryptography`.

The raw rows build a fresh cipher and a fresh HMAC for every packet, as a straightforward program would, and do nothing
else: no header, no padding, no window.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from kamelab.core.rng import Streams
from kamelab.stack.netipsec import algorithms as alg
from kamelab.stack.netipsec.esp import esp_input, esp_output
from kamelab.stack.netipsec.sadb import IPPROTO_ESP, Sa, recordxfer
from kamelab.wire import in6, ip6, udp
from tests.bench.timing import Contest

A, B = in6.pton("2001:db8::a"), in6.pton("2001:db8::b")
SIZES = (64, 1400)
CBC, GCM = "aes-cbc + hmac-sha1", "aes-gcm"
AES_KEY, SHA_KEY, GCM_KEY = b"sixteen octets !", b"KAMEKAMEKAMEKAMEKAME", b"sixteen octets !salt"


def association(kind: str) -> Sa:
    """An ESP association with a window of 32 packets."""
    if kind == CBC:
        return Sa(
            IPPROTO_ESP,
            0x1000,
            A,
            B,
            ealg=alg.X_EALG_AESCBC,
            ekey=AES_KEY,
            aalg=alg.AALG_SHA1HMAC,
            akey=SHA_KEY,
            replay=4,
        )
    return Sa(IPPROTO_ESP, 0x1000, A, B, ealg=alg.X_EALG_AESGCM16, ekey=GCM_KEY, replay=4)


def packet(size: int) -> bytes:
    """A UDP datagram of `size` octets behind the IPv6 header."""
    return ip6.build(A, B, ip6.IPPROTO_UDP, udp.build(A, B, 1, 2, bytes(size - 8)))


def _send(kind: str, plain: bytes) -> Callable[[int], None]:
    sa, streams = association(kind), Streams(1)

    def octets(count: int) -> bytes:
        return streams.octets("a/ipsec", count)

    def run(count: int) -> None:
        for now in range(count):
            esp_output(sa, plain, octets)
            recordxfer(sa, len(plain), now)

    return run


def _receive(kind: str, plain: bytes) -> Callable[[int], None]:
    sa, streams = association(kind), Streams(1)
    sealed = esp_output(association(kind), plain, lambda count: streams.octets("a/ipsec", count))
    if esp_input(association(kind), sealed, 40).packet != plain:
        raise RuntimeError("ESP does not come out as it went in")

    def run(count: int) -> None:
        for now in range(count):
            # One packet over and over: the window forgets it, everything else is done.
            sa.last = sa.bitmap = 0
            esp_input(sa, sealed, 40)
            recordxfer(sa, len(sealed), now)

    return run


def _fresh(kind: str, plain: bytes) -> Callable[[int], None]:
    data = plain[40:] + bytes(-len(plain[40:]) % 16)

    def cbc(count: int) -> None:
        for _ in range(count):
            iv = os.urandom(16)
            sealed = Cipher(algorithms.AES(AES_KEY), modes.CBC(iv)).encryptor().update(data)
            mac = HMAC(SHA_KEY, hashes.SHA1())
            mac.update(iv + sealed)
            mac.finalize()

    def gcm(count: int) -> None:
        for _ in range(count):
            AESGCM(AES_KEY).encrypt(os.urandom(12), data, b"12345678")

    return cbc if kind == CBC else gcm


def _scapy(kind: str, plain: bytes, sending: bool) -> Callable[[int], None]:
    from scapy.layers.inet6 import IPv6
    from scapy.layers.ipsec import ESP, SecurityAssociation

    given: dict[str, Any] = {"crypt_algo": "AES-CBC", "crypt_key": AES_KEY}
    given |= {"auth_algo": "HMAC-SHA1-96", "auth_key": SHA_KEY}
    if kind == GCM:
        given = {"crypt_algo": "AES-GCM", "crypt_key": GCM_KEY}
    sa = SecurityAssociation(ESP, spi=0x1000, **given)
    sealed = bytes(sa.encrypt(IPv6(plain)))

    def send(count: int) -> None:
        for _ in range(count):
            bytes(sa.encrypt(IPv6(plain)))

    def receive(count: int) -> None:
        for _ in range(count):
            bytes(sa.decrypt(IPv6(sealed)))

    return send if sending else receive


def contests(smoke: bool) -> list[Contest]:
    """Sending and receiving, two algorithms, two sizes: ours is the first of each."""
    found = []
    for kind in (CBC, GCM):
        for size in SIZES:
            plain = packet(size)
            for sending in (True, False):
                what = "out" if sending else "in"
                race = Contest(f"ESP transport {what}, {kind}, {size} octets", "us", smoke)
                race.add("kamelab, the whole transform", (_send if sending else _receive)(kind, plain), 5000)
                race.add("fresh objects of cryptography alone", _fresh(kind, plain), 5000)
                race.add("scapy SecurityAssociation", _scapy(kind, plain, sending), 100)
                found.append(race)
    return found


def report(smoke: bool) -> list[str]:
    """Play all and tell."""
    lines = []
    for race in contests(smoke):
        race.play()
        lines += race.report()
    return lines


if __name__ == "__main__":
    print("\n".join(report(False)))
