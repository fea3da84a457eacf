"""Lifetimes: of associations, policies and questions, in ticks of whole seconds.

KAME netkey/key.c (key_timehandler, key_expire, key_spdexpire); RFC 2367 2.2, 3.1.8. A limit is passed when more than so
many seconds lie between two readings of a clock of whole seconds. The hard limit is looked at once the soft one has
passed: without a soft limit nothing ever ends.

Left out, as in KAME: limits by time of use and by allocations. They are kept and shown, and nothing ends by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND
from kamelab.stack.netipsec import sa_state
from kamelab.stack.netipsec.key_message import addresses, current, dump_policy, lifetime, sa2_ext, sa_ext
from kamelab.stack.netipsec.policy import Policy
from kamelab.stack.netipsec.sadb import DYING, LARVAL, MATURE, Lifetime, Sa
from kamelab.wire import pfkey

if TYPE_CHECKING:
    from kamelab.stack.netipsec.key import KeyEngine


def tick(since: int, limit: int) -> int:
    """The first whole second (ns) at which `limit` seconds are passed since `since` (ns)."""
    return (since // SECOND + limit + 1) * SECOND


def due(keys: KeyEngine, sa: Sa) -> int | None:
    """When a limit of the association's state is passed, ns since boot; None: never, as far as is known."""
    state = sa.state
    if state == LARVAL:
        return tick(sa.created, keys.values["net.key.larval_lifetime"])
    if state == MATURE:
        limits = sa.soft
    elif state == DYING:
        limits = sa.hard
    else:
        return None
    if limits.bytes and sa.octets > limits.bytes:
        return tick(keys.now, 0)
    return tick(sa.created, limits.addtime) if limits.addtime else None


def policy_due(policy: Policy) -> int | None:
    """When the policy ends unless it is used before, ns since boot; None: never."""
    at = None
    if policy.lifetime:
        at = tick(policy.created, policy.lifetime)
    if policy.validtime:
        end = tick(policy.used, policy.validtime)
        at = end if at is None else min(at, end)
    return at


def timehandler(keys: KeyEngine) -> None:
    """End what is over at `keys.now`, tell of it in the outbox, and set the next wake."""
    now = keys.now
    keys.wake = None
    for policy in list(keys.spd.by_key.values()):
        at = policy_due(policy)
        if at is not None and at <= now:
            keys.spd.remove(policy)
            keys.release(policy)
            keys.sendup("registered", dump_policy(policy, pfkey.SADB_X_SPDEXPIRE, 0, 0, keys.epoch))
        else:
            keys.watch(at)
    for sa in list(keys.sad):
        _age(keys, sa)
        keys.watch(due(keys, sa))
    keys.acquires.expire(now, keys.values)
    for table in (keys.acquires.asked.values(), keys.acquires.spasked.values()):
        for question in table:
            keys.watch(tick(question.created, keys.values["net.key.blockacq_lifetime"]))


def _age(keys: KeyEngine, sa: Sa) -> None:
    if sa.state == LARVAL:
        if tick(sa.created, keys.values["net.key.larval_lifetime"]) <= keys.now:
            keys.kill(sa, "larval")
        return
    if sa.state == MATURE and _passed(keys, sa, sa.soft):
        if sa.packets:
            sa_state.move(sa, "soft")
            expire(keys, sa, pfkey.SADB_EXT_LIFETIME_SOFT)
        else:
            message = expire_message(keys, sa, pfkey.SADB_EXT_LIFETIME_SOFT)
            keys.kill(sa, "soft_unused")
            keys.sendup("registered", message)
    if sa.state == DYING and _passed(keys, sa, sa.hard):
        message = expire_message(keys, sa, pfkey.SADB_EXT_LIFETIME_HARD)
        keys.kill(sa, "hard")
        keys.sendup("registered", message)


def _passed(keys: KeyEngine, sa: Sa, limits: Lifetime) -> bool:
    if limits.bytes and sa.octets > limits.bytes:
        return True
    return bool(limits.addtime) and tick(sa.created, limits.addtime) <= keys.now


def expire(keys: KeyEngine, sa: Sa, kind: int) -> None:
    """Tell the daemons that the soft or hard limit (`kind`, the extension) is passed."""
    keys.sendup("registered", expire_message(keys, sa, kind))


def expire_message(keys: KeyEngine, sa: Sa, kind: int) -> pfkey.Message:
    """SADB_EXPIRE (KAME key_expire); with the limit that was passed, as RFC 2367 3.1.8 has it."""
    limits = sa.soft if kind == pfkey.SADB_EXT_LIFETIME_SOFT else sa.hard
    return pfkey.Message(
        pfkey.SADB_EXPIRE,
        pfkey.PROTO_SATYPE[sa.proto],
        sa.sadb_seq,
        0,
        0,
        (sa_ext(sa), sa2_ext(sa), current(sa, keys.epoch), lifetime(kind, limits), *addresses(sa)),
        sa.refcnt,
    )
