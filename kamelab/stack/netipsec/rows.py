"""The rows that panes and checks show of associations and policies; setkey reads PF_KEY instead.

As in views.py: frozen, plain values, addresses as text, times in ns since boot, lifetimes in seconds with 0 for none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kamelab.core.clock import SECOND
from kamelab.stack.netipsec.algorithms import AUTHS, COMPS, ENCS
from kamelab.stack.netipsec.key import KeyEngine
from kamelab.stack.netipsec.policy import ANY, PROTOCOLS, Policy, ntop
from kamelab.stack.netipsec.sadb import LARVAL, Sa


class SaRow(NamedTuple):
    """One association (``setkey -D``)."""

    src: str
    dst: str
    proto: str
    """esp ah ipcomp"""
    mode: str
    """any transport tunnel"""
    spi: int
    reqid: int
    state: str
    """larval mature dying dead"""
    encryption: str
    """The algorithm's name; of IPComp the compression; empty for none."""
    authentication: str
    retired: tuple[str, ...]
    """Why its algorithms are out of use, one sentence each; empty where they are sound."""
    flags: int
    """``SADB_X_EXT_...``"""
    seq: int
    """Sequence number sent last."""
    cycles: int
    last: int
    """Highest sequence number accepted."""
    bitmap: int
    """Bit n: number ``last - n`` was accepted."""
    window: int
    """Packets that the replay window spans; 0: no check."""
    octets: int
    packets: int
    created: int
    used: int | None
    """None: never."""
    soft: int
    hard: int
    """Limits by age, seconds."""
    soft_octets: int
    hard_octets: int
    softexpire: int | None
    hardexpire: int | None
    """When the limit by age is reached; None: never."""
    pid: int
    refcnt: int


class PolicyRow(NamedTuple):
    """One policy (``setkey -DP``)."""

    id: int
    direction: str
    """in out"""
    action: str
    """discard none ipsec; of a socket also bypass."""
    src: str
    """``2001:db8::/48[any]``; empty for a policy of a socket."""
    dst: str
    proto: str
    """any, or the protocol's number, with type and code for ICMPv6: ``58 128,0``."""
    requests: tuple[str, ...]
    """As programs write them, first the innermost: ``esp/transport//require``."""
    created: int
    used: int
    lifetime: int
    validtime: int
    refcnt: int
    socket: bool
    """A socket brought it."""


def sa_rows(keys: KeyEngine, text: Callable[[bytes], str] = ntop) -> list[SaRow]:
    """All associations in the order of a dump. `text` makes addresses readable (``node.text``)."""
    return [_sa_row(sa, text) for sa in keys.sad]


def _sa_row(sa: Sa, text: Callable[[bytes], str]) -> SaRow:
    enc, auth, comp = ENCS.get(sa.ealg), AUTHS.get(sa.aalg), COMPS.get(sa.calg)
    aged = sa.state != LARVAL
    return SaRow(
        src=text(sa.src),
        dst=text(sa.dst),
        proto=PROTOCOLS.get(sa.proto, str(sa.proto)),
        mode=sa.mode,
        spi=sa.spi,
        reqid=sa.reqid,
        state=sa.state,
        encryption=comp.name if comp else enc.name if enc else "",
        authentication=auth.name if auth else "",
        retired=tuple(row.retired for row in (enc, auth) if row is not None and row.retired),
        flags=sa.flags,
        seq=sa.seq,
        cycles=sa.cycles,
        last=sa.last,
        bitmap=sa.bitmap,
        window=sa.replay * 8,
        octets=sa.octets,
        packets=sa.packets,
        created=sa.created,
        used=sa.used if sa.packets else None,
        soft=sa.soft.addtime,
        hard=sa.hard.addtime,
        soft_octets=sa.soft.bytes,
        hard_octets=sa.hard.bytes,
        softexpire=sa.created + sa.soft.addtime * SECOND if aged and sa.soft.addtime else None,
        hardexpire=sa.created + sa.hard.addtime * SECOND if aged and sa.hard.addtime else None,
        pid=sa.pid,
        refcnt=sa.refcnt,
    )


def policy_rows(keys: KeyEngine, text: Callable[[bytes], str] = ntop) -> list[PolicyRow]:
    """All policies in the order of a dump. `text` makes addresses readable (``node.text``)."""
    return [_policy_row(policy, text) for policy in keys.spd]


def _policy_row(policy: Policy, text: Callable[[bytes], str]) -> PolicyRow:
    proto = "any" if policy.proto == ANY else str(policy.proto)
    if policy.proto == 58 and (policy.sport or policy.dport):
        proto += f" {policy.sport},{policy.dport}"
    return PolicyRow(
        id=policy.id,
        direction=policy.dir,
        action=policy.action,
        src=_range(policy, policy.src, policy.splen, policy.sport, text),
        dst=_range(policy, policy.dst, policy.dplen, policy.dport, text),
        proto=proto,
        requests=tuple(request.words() for request in policy.requests),
        created=policy.created,
        used=policy.used,
        lifetime=policy.lifetime,
        validtime=policy.validtime,
        refcnt=policy.refcnt,
        socket=not policy.selector,
    )


def _range(policy: Policy, addr: bytes, plen: int, port: int, text: Callable[[bytes], str]) -> str:
    if not policy.selector:
        return ""
    prefix = "" if plen == len(addr) * 8 else f"/{plen}"
    shown = str(port) if port and policy.proto != 58 else "any"
    return f"{text(addr)}{prefix}[{shown}]"
