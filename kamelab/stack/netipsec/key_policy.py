"""PF_KEY messages about policies: x_spdadd, x_spdupdate, x_spdsetidx, x_spddelete, x_spddelete2, x_spdget, x_spddump,
x_spdflush.

KAME netkey/key.c (key_spdadd and its kin). Each handler answers through the engine's outbox or raises Errno.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.errors import EEXIST, EINVAL, ENOENT, EOPNOTSUPP, Errno
from kamelab.stack.netipsec import key_life
from kamelab.stack.netipsec.key_message import dump_policy
from kamelab.stack.netipsec.policy import Policy, embed, msg2sp, sp2msg
from kamelab.wire import pfkey

if TYPE_CHECKING:
    from kamelab.stack.netipsec.key import Ask, KeyEngine


def _policy(message: pfkey.Message) -> pfkey.Policy:
    policy = message.get(pfkey.SADB_X_EXT_POLICY)
    if not isinstance(policy, pfkey.Policy):
        raise Errno(EINVAL, "no policy in the message")
    return policy


def _ends(message: pfkey.Message) -> tuple[pfkey.Address, pfkey.Address]:
    src, dst = message.get(pfkey.SADB_EXT_ADDRESS_SRC), message.get(pfkey.SADB_EXT_ADDRESS_DST)
    if not isinstance(src, pfkey.Address) or not isinstance(dst, pfkey.Address):
        raise Errno(EINVAL, "no addresses in the message")
    return src, dst


def _select(policy: Policy, src: pfkey.Address, dst: pfkey.Address) -> Policy:
    return policy.select(
        embed(src.sockaddr),
        src.plen,
        embed(dst.sockaddr),
        dst.plen,
        src.proto,
        src.sockaddr.port,
        dst.sockaddr.port,
    )


def _direction(policy: pfkey.Policy) -> str:
    if policy.dir not in (pfkey.IPSEC_DIR_INBOUND, pfkey.IPSEC_DIR_OUTBOUND):
        raise Errno(EINVAL, "invalid SP direction")
    return pfkey.DIR_NAMES[policy.dir]


def spdadd(keys: KeyEngine, ask: Ask) -> None:
    """Add a policy behind the others; update takes an equal one away first; setidx needs no requests.

    Errno: EINVAL for what is missing or can't be, EEXIST for the same selector and direction, as `msg2sp`.
    """
    message = ask.message
    if message.get(pfkey.SADB_X_EXT_TAG) is not None:
        raise Errno(EOPNOTSUPP, "tags are left out")
    src, dst = _ends(message)
    wanted = _policy(message)
    direction = _direction(wanted)
    if wanted.type in (pfkey.IPSEC_POLICY_ENTRUST, pfkey.IPSEC_POLICY_BYPASS):
        raise Errno(EINVAL, "invalid policy type")
    if wanted.type == pfkey.IPSEC_POLICY_IPSEC and not wanted.requests and message.type != pfkey.SADB_X_SPDSETIDX:
        raise Errno(EINVAL, "some policy requests part required")
    key = _select(Policy(direction, "none"), src, dst).key
    old = keys.spd.by_key.get(key)
    if old is not None and message.type != pfkey.SADB_X_SPDUPDATE:
        raise Errno(EEXIST, "a SP entry exists already")
    policy = _select(msg2sp(wanted, keys.spd.newreqid, 6 if len(src.sockaddr.addr) == 16 else 4), src, dst)
    if (policy.sport or policy.dport) and any(request.mode == "tunnel" for request in policy.requests):
        raise Errno(EINVAL, "a tunnel with ports in the selector")
    limits = message.get(pfkey.SADB_EXT_LIFETIME_HARD)
    if isinstance(limits, pfkey.Lifetime):
        policy.lifetime, policy.validtime = limits.addtime, limits.usetime
    if old is not None:
        _drop(keys, old)
    keys.spd.add(policy, keys.now)
    keys.watch(key_life.policy_due(policy))
    lifetime = (limits,) if isinstance(limits, pfkey.Lifetime) else ()
    keys.sendup("all", message._replace(extensions=(sp2msg(policy), *lifetime, src, dst)))


def _drop(keys: KeyEngine, policy: Policy) -> None:
    keys.spd.remove(policy)
    keys.release(policy)


def spddelete(keys: KeyEngine, ask: Ask) -> None:
    """Delete by selector and direction. Errno: EINVAL also where there is none such."""
    src, dst = _ends(ask.message)
    wanted = _policy(ask.message)
    policy = keys.spd.by_key.get(_select(Policy(_direction(wanted), "none"), src, dst).key)
    if policy is None:
        raise Errno(EINVAL, "no SP found")
    _drop(keys, policy)
    keys.sendup("all", ask.message._replace(extensions=(wanted._replace(id=policy.id), src, dst)))


def spddelete2(keys: KeyEngine, ask: Ask) -> None:
    """Delete by spid. Errno: EINVAL also where there is none such, or where a socket owns it."""
    wanted = _policy(ask.message)
    policy = keys.spd.by_id.get(wanted.id)
    if policy is None or not policy.selector:
        raise Errno(EINVAL, f"no SP found id:{wanted.id}")
    _drop(keys, policy)
    keys.sendup("all", ask.message._replace(extensions=(wanted,)))


def spdget(keys: KeyEngine, ask: Ask) -> None:
    """One policy by spid. Errno: ENOENT where there is none such."""
    policy = keys.spd.by_id.get(_policy(ask.message).id)
    if policy is None:
        raise Errno(ENOENT, "no SP found")
    message = ask.message
    keys.sendup("one", dump_policy(policy, message.type, message.seq, message.pid, keys.epoch))


def spddump(keys: KeyEngine, ask: Ask) -> None:
    """All policies, "in" before "out", each in search order; seq counts down to 0. Errno: ENOENT for none."""
    policies = list(keys.spd)
    if not policies:
        raise Errno(ENOENT, "no SP")
    for left, policy in zip(range(len(policies) - 1, -1, -1), policies, strict=True):
        keys.sendup("one", dump_policy(policy, ask.message.type, left, ask.message.pid, keys.epoch))


def spdflush(keys: KeyEngine, ask: Ask) -> None:
    """All policies go, but for those of sockets. Errno: EINVAL for a message with extensions."""
    if ask.message.extensions:
        raise Errno(EINVAL, "extensions in a flush")
    for policy in list(keys.spd.by_key.values()):
        _drop(keys, policy)
    keys.sendup("all", ask.message)
