"""Associations and policies as PF_KEY messages show them.

KAME netkey/key.c (key_setdumpsa, key_setdumpsp, key_setsaval); RFC 2367 2.3. Times leave the kernel as seconds since
1970; the use time of an association never used is 0.
"""

from __future__ import annotations

from collections.abc import Iterable

from kamelab.core.clock import SECOND
from kamelab.stack.netipsec import algorithms, sadb
from kamelab.stack.netipsec.policy import Policy, recover, sp2msg
from kamelab.stack.netipsec.sa_state import NUMBERS
from kamelab.stack.netipsec.sadb import Sa
from kamelab.wire import pfkey
from kamelab.wire.pfkey import Extension


def seconds(at: int, epoch: int) -> int:
    """A time of the kernel (ns since boot) for a message: seconds since 1970."""
    return (epoch + at) // SECOND


def sa_ext(sa: Sa) -> pfkey.Sa:
    """``sadb_sa``: of IPComp the compression stands in the place of encryption."""
    flags = sa.flags | (pfkey.SADB_X_EXT_ESN if sa.esn else 0)
    return pfkey.Sa(sa.spi, sa.replay, NUMBERS[sa.state], sa.aalg, sa.calg or sa.ealg, flags)


def sa2_ext(sa: Sa) -> pfkey.Sa2:
    """``sadb_x_sa2``: the number shown is that of sending."""
    return pfkey.Sa2(pfkey.MODE_NAMES.index(sa.mode), sa.seq & 0xFFFFFFFF, sa.reqid)


def addresses(sa: Sa) -> tuple[pfkey.Address, pfkey.Address]:
    """Both addresses of an association, as hosts."""
    return pair(sa.src, sa.dst)


def pair(src: bytes, dst: bytes) -> tuple[pfkey.Address, pfkey.Address]:
    """Both addresses of a message, as hosts."""
    return (
        pfkey.Address(pfkey.SADB_EXT_ADDRESS_SRC, recover(src), len(src) * 8),
        pfkey.Address(pfkey.SADB_EXT_ADDRESS_DST, recover(dst), len(dst) * 8),
    )


def lifetime(kind: int, limits: sadb.Lifetime) -> pfkey.Lifetime:
    """``sadb_lifetime`` of a limit."""
    return pfkey.Lifetime(kind, limits.allocations, limits.bytes, limits.addtime, limits.usetime)


def current(sa: Sa, epoch: int) -> pfkey.Lifetime:
    """``sadb_lifetime`` of what has been used up. The use time is that of the last use (KAME key_sa_recordxfer)."""
    used = seconds(sa.used, epoch) if sa.packets else 0
    return pfkey.Lifetime(
        pfkey.SADB_EXT_LIFETIME_CURRENT, sa.packets & 0xFFFFFFFF, sa.octets, seconds(sa.created, epoch), used
    )


def dump_sa(sa: Sa, kind: int, seq: int, pid: int, epoch: int) -> pfkey.Message:
    """An association whole, keys included: the answer to get and dump (KAME key_setdumpsa)."""
    parts: list[Extension] = [sa_ext(sa), sa2_ext(sa)]
    if sa.hard != sadb.NO_LIMIT or sa.soft != sadb.NO_LIMIT:
        parts.append(lifetime(pfkey.SADB_EXT_LIFETIME_HARD, sa.hard))
        parts.append(lifetime(pfkey.SADB_EXT_LIFETIME_SOFT, sa.soft))
    parts.append(current(sa, epoch))
    parts.extend(addresses(sa))
    if sa.akey:
        parts.append(pfkey.Key(pfkey.SADB_EXT_KEY_AUTH, sa.akey))
    if sa.ekey:
        parts.append(pfkey.Key(pfkey.SADB_EXT_KEY_ENCRYPT, sa.ekey))
    return pfkey.Message(kind, pfkey.PROTO_SATYPE[sa.proto], seq, pid, 0, tuple(parts), sa.refcnt)


def dump_policy(policy: Policy, kind: int, seq: int, pid: int, epoch: int) -> pfkey.Message:
    """A policy whole: the answer to spdget and spddump (KAME key_setdumpsp). One of a socket has no addresses."""
    used = seconds(policy.used, epoch)
    parts: list[Extension] = [
        *selector(policy),
        sp2msg(policy),
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_CURRENT, 0, 0, seconds(policy.created, epoch), used),
        pfkey.Lifetime(pfkey.SADB_EXT_LIFETIME_HARD, 0, 0, policy.lifetime, policy.validtime),
    ]
    return pfkey.Message(kind, pfkey.SADB_SATYPE_UNSPEC, seq, pid, 0, tuple(parts), policy.refcnt)


def selector(policy: Policy) -> tuple[pfkey.Address, ...]:
    """What a policy selects by, as addresses; empty for one of a socket."""
    if not policy.selector:
        return ()
    return (
        pfkey.Address(pfkey.SADB_EXT_ADDRESS_SRC, recover(policy.src, policy.sport), policy.splen, policy.proto),
        pfkey.Address(pfkey.SADB_EXT_ADDRESS_DST, recover(policy.dst, policy.dport), policy.dplen, policy.proto),
    )


def supported() -> tuple[pfkey.Supported, pfkey.Supported]:
    """What register's answer tells: every algorithm of the node whatever kind was asked for (KAME key_register)."""
    return (
        pfkey.Supported(pfkey.SADB_EXT_SUPPORTED_AUTH, _algs(algorithms.supported_auth())),
        pfkey.Supported(pfkey.SADB_EXT_SUPPORTED_ENCRYPT, _algs(algorithms.supported_enc())),
    )


def _algs(rows: Iterable[tuple[int, int, int, int]]) -> tuple[pfkey.Alg, ...]:
    return tuple(pfkey.Alg(*row) for row in rows)


def without_keys(message: pfkey.Message) -> tuple[Extension, ...]:
    """What everybody may see of an add or update: all but the keys (KAME key_getmsgbuf_x1)."""
    order = (
        pfkey.SADB_EXT_SA,
        pfkey.SADB_X_EXT_SA2,
        pfkey.SADB_EXT_ADDRESS_SRC,
        pfkey.SADB_EXT_ADDRESS_DST,
        pfkey.SADB_EXT_LIFETIME_HARD,
        pfkey.SADB_EXT_LIFETIME_SOFT,
        pfkey.SADB_EXT_IDENTITY_SRC,
        pfkey.SADB_EXT_IDENTITY_DST,
    )
    found = (message.get(kind) for kind in order)
    return tuple(extension for extension in found if extension is not None)
