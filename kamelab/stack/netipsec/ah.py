"""AH: a packet is authenticated from its first octet on, apart from what routers change.

RFC 4302 (and RFC 1826, the old form without sequence number); KAME netinet6/ah_output.c, ah_input.c. Functions of an
association and a packet: no node, no clock. In tunnel mode the packet given is the outer one (encap.py). Left out:
IPv4, which needs its own `headers`.

The old form and the null algorithm are retired: for lessons.
"""

from __future__ import annotations

import struct
from hmac import compare_digest

from kamelab.stack.netipsec.algorithms import AlgorithmError
from kamelab.stack.netipsec.auth import Mac, mac
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.headers6 import Stripped, covered, insertion, previous, replace
from kamelab.stack.netipsec.replay import acceptable, next_sequence, update, whole_sequence
from kamelab.stack.netipsec.sadb import X_EXT_OLD, Sa
from kamelab.wire.ah import HEADER_LEN, OLD_HEADER_LEN
from kamelab.wire.ip6 import IPPROTO_AH

_NEW = struct.Struct("!BBHII")
_OLD = struct.Struct("!BBHI")


def context(sa: Sa) -> Mac:
    """The MAC of an association, built once. TransformError SA_ALGORITHM."""
    if sa.ctx is None:
        try:
            sa.ctx = mac(sa.aalg, sa.akey, bool(sa.flags & X_EXT_OLD))
        except AlgorithmError as error:
            raise TransformError("SA_ALGORITHM", error.reason) from None
    ready: Mac = sa.ctx
    return ready


def ah_hdrsiz(sa: Sa) -> int:
    """Octets that AH adds to every packet (KAME ah_output.c ah_hdrsiz)."""
    return (OLD_HEADER_LEN if sa.flags & X_EXT_OLD else HEADER_LEN) + context(sa).size


def ah_output(sa: Sa, packet: bytes) -> bytes:
    """The packet with AH, after the headers that routers read (`insertion`). Counts a sequence number.

    Raises TransformError SEQ_OVERFLOW, TOO_BIG, HEADERS_BAD, SA_ALGORITHM.
    """
    ready = sa.ctx or context(sa)
    size = ready.size
    at, off = insertion(packet)
    high = b""
    if sa.flags & X_EXT_OLD:
        head = _OLD.pack(packet[at], size >> 2, 0, sa.spi)
    else:
        seq = next_sequence(sa)
        head = _NEW.pack(packet[at], (size >> 2) + 1, 0, sa.spi, seq & 0xFFFFFFFF)
        if sa.esn:
            high = (seq >> 32).to_bytes(4, "big")
    blank = replace(packet, at, off, IPPROTO_AH, head + bytes(size) + packet[off:])
    icv = off + len(head)
    value = ready.icv(covered(blank, off, icv, size) + high)
    return blank[:icv] + value + blank[icv + size :]


def ah_input(sa: Sa, packet: bytes, off: int) -> Stripped:
    """The packet without the AH at `off`, which was right.

    The window is tested before the ICV and moved after it (RFC 4302 3.4.3). Raises TransformError AH_LEN, AH_REPLAY,
    AH_ICV, HEADERS_BAD, SA_ALGORITHM, in the order KAME's ah6_input finds them.
    """
    ready = sa.ctx or context(sa)
    size = ready.size
    old = sa.flags & X_EXT_OLD
    start = OLD_HEADER_LEN if old else HEADER_LEN
    icv = off + start
    end = icv + size
    if end > len(packet):
        raise TransformError("AH_LEN", f"{len(packet) - off} octets are left")
    if (packet[off + 1] + 2) << 2 != start + size:
        raise TransformError("AH_LEN", f"{(packet[off + 1] + 2) << 2} octets, not {start + size}")
    seq, high = 0, b""
    if not old:
        seq = int.from_bytes(packet[off + 8 : off + 12], "big")
        if sa.esn:
            seq = whole_sequence(sa, seq)
            high = (seq >> 32).to_bytes(4, "big")
        if not acceptable(sa, seq):
            raise TransformError("AH_REPLAY", f"number {seq}, the window ends at {sa.last}")
    if not compare_digest(ready.icv(covered(packet, off, icv, size) + high), packet[icv:end]):
        raise TransformError("AH_ICV")
    if not old and not update(sa, seq):
        raise TransformError("AH_REPLAY", f"number {seq}, the window ends at {sa.last}")
    nxt = packet[off]
    return Stripped(replace(packet, previous(packet, off), off, nxt, packet[end:]), nxt, off)
