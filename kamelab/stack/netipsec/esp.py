"""ESP: the payload is encrypted, and authenticated if the association says so.

RFC 4303 (and RFC 1827, 1829: the old form); RFC 2405, 2410, 2451, 3602, 3686, 4106, 7634; KAME netinet6/esp_output.c,
esp_input.c. Functions of an association, a packet and a source of random octets: no node, no clock. In tunnel mode the
packet given is the outer one (encap.py). Left out: traffic flow confidentiality padding and dummy packets (RFC 4303
2.7, 2.6), except that next header 59 comes out as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from kamelab.stack.netipsec.algorithms import AEADS, EALG_NULL, ENCS, X_EALG_AESCTR, AlgorithmError
from kamelab.stack.netipsec.auth import Mac, mac
from kamelab.stack.netipsec.cipher import AEAD_TAG, RANDOM, Aead, Cbc, Ctr
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.headers6 import Stripped, insertion, previous, replace
from kamelab.stack.netipsec.replay import acceptable, next_sequence, update, whole_sequence
from kamelab.stack.netipsec.sadb import X_EXT_DERIV, X_EXT_IV4B, X_EXT_OLD, X_EXT_PMASK, X_EXT_PRAND, X_EXT_PZERO, Sa
from kamelab.wire.ip6 import IPPROTO_ESP

Octets = Callable[[int], bytes]
"""So many random octets, from the node's own stream."""

_PAIR = struct.Struct("!II")
_COUNTING: Final = bytes(range(1, 256))
_MAX_TRAILER: Final = 257
_COUNT64: Final = 0xFFFFFFFFFFFFFFFF


class Context:
    """What an association needs at hand. `align`: the plain text is a multiple of that; `iv` and `icv` in octets."""

    __slots__ = ("aead", "align", "cbc", "ctr", "given", "icv", "iv", "mac")

    def __init__(self, sa: Sa) -> None:
        row = ENCS.get(sa.ealg)
        if row is None or not row.kind:
            raise AlgorithmError(f"encryption algorithm {sa.ealg} is not supported")
        self.cbc = Cbc(sa.ealg, sa.ekey, sa.iv) if row.kind == "cbc" else None
        self.ctr = Ctr(sa.ekey) if sa.ealg == X_EALG_AESCTR else None
        self.aead = Aead(sa.ealg, sa.ekey) if sa.ealg in AEADS else None
        self.given = bool(sa.flags & (X_EXT_DERIV | X_EXT_IV4B)) and sa.ealg != EALG_NULL
        """Whether CBC begins with an IV made from what else is in the packet."""
        self.iv = row.iv
        if self.given:
            self.iv = 0 if sa.flags & X_EXT_DERIV else 4
        self.align = row.block
        self.mac: Mac | None = None
        self.icv = AEAD_TAG if self.aead else 0
        if sa.aalg and not self.aead:
            self.mac = mac(sa.aalg, sa.akey)
            self.icv = self.mac.size


def context(sa: Sa) -> Context:
    """The context of an association, built once. TransformError SA_ALGORITHM."""
    if sa.ctx is None:
        try:
            sa.ctx = Context(sa)
        except AlgorithmError as error:
            raise TransformError("SA_ALGORITHM", error.reason) from None
    ready: Context = sa.ctx
    return ready


def esp_hdrsiz(sa: Sa) -> int:
    """The most octets that ESP adds to a packet; esp_randpad is not counted (KAME esp_output.c esp_hdrsiz)."""
    ready = context(sa)
    return (4 if sa.flags & X_EXT_OLD else 8) + ready.iv + ready.align + 1 + ready.icv


def trailer(flags: int, size: int, align: int, nxt: int, octets: Octets, randpad: int = -1) -> bytes:
    """Padding, its length and the next header for `size` octets of payload.

    So many that all is a multiple of `align`, two at least. `randpad` from 0 on is esp_randpad: what is shorter gets a
    random number of alignments more, up to that length (KAME IMPLEMENTATION 4.3). Contents as `flags` say: 1 2 3 ...,
    random, or zeros.
    """
    total = align - size % align
    if total == 1:
        total += align
    if randpad > size + total:
        room = min(randpad - size - total, _MAX_TRAILER - total) // align
        total += int.from_bytes(octets(2), "big") % (room + 1) * align
    pad = total - 2
    kind = flags & X_EXT_PMASK
    if kind == X_EXT_PRAND:
        fill = octets(pad)
    elif kind == X_EXT_PZERO:
        fill = bytes(pad)
    else:
        fill = _COUNTING[:pad]
    return b"%b%c%c" % (fill, pad, nxt)


def _next_iv(sa: Sa, octets: Octets) -> bytes:
    """The IV of a counter mode: begun at random, one more each packet, so that none comes twice under a key."""
    last = sa.iv or octets(8)
    sa.iv = (int.from_bytes(last, "big") + 1 & _COUNT64).to_bytes(8, "big")
    return sa.iv


def _complement(half: bytes) -> bytes:
    """An IV of 8 octets from 4: they and their complement (RFC 1829 3; draft-ietf-ipsec-ciph-des-derived-01)."""
    return half + bytes(octet ^ 0xFF for octet in half)


def esp_output(sa: Sa, packet: bytes, octets: Octets, randpad: int = -1) -> bytes:
    """The packet with ESP, after the headers that routers read (`insertion`). Counts a sequence number.

    Raises TransformError SEQ_OVERFLOW, TOO_BIG, HEADERS_BAD, SA_ALGORITHM.
    """
    ready: Context = sa.ctx or context(sa)
    at, off = insertion(packet)
    plain = packet[off:]
    plain += trailer(sa.flags, len(plain), ready.align, packet[at], octets, randpad)
    seq = 0
    if sa.flags & X_EXT_OLD:
        head = sa.spi.to_bytes(4, "big")
    else:
        seq = next_sequence(sa)
        head = _PAIR.pack(sa.spi, seq & 0xFFFFFFFF)
    cbc = ready.cbc
    if cbc is not None:
        if not ready.given:
            sealed = cbc.encrypt(octets(RANDOM) + cbc.fill + plain)
        elif ready.iv:
            half = octets(4)
            sealed = half + cbc.encrypt_from(_complement(half), plain)
        else:
            sealed = cbc.encrypt_from(_complement(head[4:8]), plain)
        sa.iv = cbc.last
    elif ready.aead is not None:
        iv = _next_iv(sa, octets)
        aad = sa.spi.to_bytes(4, "big") + seq.to_bytes(8, "big") if sa.esn else head
        sealed = iv + ready.aead.seal(iv, plain, aad)
    elif ready.ctr is not None:
        iv = _next_iv(sa, octets)
        sealed = iv + ready.ctr.crypt(iv, plain)
    else:
        sealed = plain
    esp = head + sealed
    if ready.mac is not None:
        esp += ready.mac.icv(esp + (seq >> 32).to_bytes(4, "big") if sa.esn else esp)
    return replace(packet, at, off, IPPROTO_ESP, esp)


def esp_input(sa: Sa, packet: bytes, off: int) -> Stripped:
    """The packet with the payload of the ESP at `off` in its place, if all was right.

    Without authentication nothing is checked against replay (KAME esp6_input). The order: replay, ICV, then the window
    moves, IV, decryption, padding. Raises TransformError ESP_LEN, ESP_REPLAY, ESP_ICV, ESP_IVLEN, ESP_PAD,
    HEADERS_BAD, SA_ALGORITHM.
    """
    ready: Context = sa.ctx or context(sa)
    old = sa.flags & X_EXT_OLD
    start = off + (4 if old else 8)
    end = len(packet) - ready.icv
    if end < start:
        raise TransformError("ESP_LEN", f"{len(packet) - off} octets")
    seq = 0
    if ready.icv:
        seq = int.from_bytes(packet[off + 4 : start], "big")
        if sa.esn:
            seq = whole_sequence(sa, seq)
        if not acceptable(sa, seq):
            raise TransformError("ESP_REPLAY", f"number {seq}, the window ends at {sa.last}")
        if ready.mac is not None:
            data = packet[off:end]
            value = ready.mac.icv(data + (seq >> 32).to_bytes(4, "big") if sa.esn else data)
            if not compare_digest(value, packet[end:]):
                raise TransformError("ESP_ICV")
            _accept(sa, seq)
    body = start + ready.iv
    if end < body:
        raise TransformError("ESP_IVLEN", f"{end - start} of {ready.iv} octets")
    cbc = ready.cbc
    if cbc is not None:
        if (end - body) % cbc.block or end == body:
            raise TransformError("ESP_LEN", f"{end - body} octets to decrypt")
        if not ready.given:
            plain = cbc.decrypt(packet[start:end])
        else:
            half = packet[start:body] if ready.iv else packet[off + 4 : start]
            plain = cbc.decrypt(_complement(half) + packet[body:end])
    elif ready.aead is not None:
        aad = packet[off : off + 4] + seq.to_bytes(8, "big") if sa.esn else packet[off:start]
        opened = ready.aead.open(packet[start:body], packet[body:], aad)
        if opened is None:
            raise TransformError("ESP_ICV")
        _accept(sa, seq)
        plain = opened
    elif ready.ctr is not None:
        plain = ready.ctr.crypt(packet[start:body], packet[body:end])
    else:
        plain = packet[body:end]
    size = len(plain) - 2
    if size < 0 or plain[size] > size:
        raise TransformError("ESP_PAD", f"{plain[size]} octets" if size >= 0 else "no trailer")
    nxt = plain[size + 1]
    at = 6 if off == 40 else previous(packet, off)
    return Stripped(replace(packet, at, off, nxt, plain[: size - plain[size]]), nxt, off)


def _accept(sa: Sa, seq: int) -> None:
    if not update(sa, seq):
        raise TransformError("ESP_REPLAY", f"number {seq}, the window ends at {sa.last}")
