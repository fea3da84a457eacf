"""Sequence numbers: counting out, and the window that refuses what came before.

RFC 4303 2.2, 3.4.3, appendix A (64 bits); RFC 4302 the same; KAME netinet6/ipsec.c ipsec_chkreplay and
ipsec_updatereplay. The window is tested before the ICV and moved after it.
"""

from __future__ import annotations

from typing import Final

from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.sadb import X_EXT_CYCSEQ, Sa

_LIMIT32: Final = 0xFFFFFFFF
_LIMIT64: Final = 0xFFFFFFFFFFFFFFFF


def next_sequence(sa: Sa) -> int:
    """Count a packet to send and give its number, the first 1; 64 bits with `sa.esn`.

    After the highest number: 1 again, counted in `sa.cycles`, if the association may cycle (X_EXT_CYCSEQ), else
    TransformError SEQ_OVERFLOW and no packet any more (RFC 4303 3.3.3; KAME esp_output.c).
    """
    seq = sa.seq + 1
    if seq > _LIMIT32 and (not sa.esn or seq > _LIMIT64):
        # 64-bit numbers never cycle: an AEAD would lose all under a repeated one.
        if sa.esn or not sa.flags & X_EXT_CYCSEQ:
            raise TransformError("SEQ_OVERFLOW", f"{sa.seq} packets were sent")
        sa.cycles += 1
        seq = 1
    sa.seq = seq
    return seq


def window(sa: Sa) -> int:
    """How many packets the window is wide, 0 without a check."""
    return sa.replay * 8


def whole_sequence(sa: Sa, low: int) -> int:
    """The 64-bit number of which `low` was received, judged by where the window stands (RFC 4303 A2.2).

    Without a window: the nearest to the highest number accepted.
    """
    last = sa.last
    high, width = last >> 32, window(sa) or 0x80000000
    bottom = (last & _LIMIT32) - width + 1
    if bottom >= 0:
        # The window lies within one cycle of the low half: what is left of it belongs to the next one.
        return (high if low >= bottom else high + 1) << 32 | low
    if low >= bottom & _LIMIT32:
        return (high - 1 if high else 0) << 32 | low
    return high << 32 | low


def acceptable(sa: Sa, seq: int) -> bool:
    """Whether a packet may be new: ahead of the window, or within and not seen; always without a window.

    0 is never a number (KAME ipsec_chkreplay).
    """
    width = sa.replay * 8
    if not width:
        return True
    if seq <= 0:
        return False
    behind = sa.last - seq
    if behind < 0:
        return True
    return behind < width and not sa.bitmap >> behind & 1


def update(sa: Sa, seq: int) -> bool:
    """Mark an authenticated packet as seen and move the window. False if it may not pass (KAME ipsec_updatereplay)."""
    width = sa.replay * 8
    if not width:
        if seq > sa.last:
            sa.last = seq
        return True
    ahead = seq - sa.last
    if ahead > 0:
        sa.bitmap = ((sa.bitmap << ahead) | 1) & ((1 << width) - 1) if ahead < width else 1
        sa.last = seq
        return True
    if not acceptable(sa, seq):
        return False
    sa.bitmap |= 1 << -ahead
    return True
