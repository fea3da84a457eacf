"""Acquire: the kernel asks the key daemons for an association that a policy wants and nobody has brought.

KAME netkey/key.c (key_acquire, key_getprop, key_getcomb_esp, key_acquire2); RFC 2367 3.1.6. The kernel makes no larval
association for it, and the packet does not wait. The same question is asked again only after blockacq_count packets
or blockacq_lifetime seconds.

Left out of proposals: the null cipher, which KAME's would have offered; limits by allocations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from kamelab.core.clock import SECOND
from kamelab.stack.netipsec import algorithms
from kamelab.stack.netipsec.key_message import pair
from kamelab.stack.netipsec.policy import Policy
from kamelab.wire import pfkey

HARD_ADDTIME: Final = 86400
SOFT_ADDTIME: Final = HARD_ADDTIME * 80 // 100
HARD_USETIME: Final = 28800
SOFT_USETIME: Final = HARD_USETIME * 80 // 100
"""Seconds that a proposal asks for (KAME key_getcomb_setlifetime)."""

PROPOSED_REPLAY: Final = 32
"""KAME key_getprop."""

MEMORY: Final = 1024
"""Questions remembered; the oldest goes when there are more."""

_PROPOSED_AUTHS: Final = (algorithms.AALG_MD5HMAC, algorithms.AALG_SHA1HMAC)
"""KAME proposes HMACs only, and of these the two that everybody had."""

Index = tuple[bytes, bytes, int, str, int]
"""(src, dst, protocol, mode, request id)."""

_K = TypeVar("_K")


class Acquire:
    """A question that was asked (KAME ``struct secacq``). `created` in ns; `count` packets since were not asked for."""

    __slots__ = ("count", "created", "seq")

    def __init__(self, seq: int, created: int) -> None:
        self.seq = seq
        self.created = created
        self.count = 0


class AcquireMemory:
    """The questions of late, by what was asked for. `seq` is the number of the last message."""

    __slots__ = ("asked", "seq", "spasked")

    def __init__(self) -> None:
        self.asked: dict[Index, Acquire] = {}
        self.spasked: dict[int, Acquire] = {}
        """Policies without requests for which a daemon was asked, by spid."""
        self.seq = 0

    def ask(self, index: Index, now: int, values: Mapping[str, int]) -> int:
        """The number of the message to send, or 0 when the question is still fresh."""
        return self._ask(self.asked, index, now, values)

    def spask(self, spid: int, now: int, values: Mapping[str, int]) -> bool:
        """Whether to send a x_spdacquire for a policy now."""
        return self._ask(self.spasked, spid, now, values) != 0

    def _ask(self, table: dict[_K, Acquire], key: _K, now: int, values: Mapping[str, int]) -> int:
        old = table.get(key)
        if old is not None and not _forgotten(old, now, values):
            if old.count < values["net.key.blockacq_count"]:
                old.count += 1
                return 0
            old.count = 0
            return old.seq
        if old is not None:
            del table[key]
        elif len(table) >= MEMORY:
            del table[next(iter(table))]
        self.seq = self.seq + 1 if self.seq < 0xFFFFFFFF else 1
        table[key] = Acquire(self.seq, now)
        return self.seq

    def by_seq(self, seq: int) -> Acquire | None:
        """The question that the message `seq` asked."""
        for acquire in self.asked.values():
            if acquire.seq == seq:
                return acquire
        return None

    def expire(self, now: int, values: Mapping[str, int]) -> None:
        """Forget what is older than blockacq_lifetime."""
        _sweep(self.asked, now, values)
        _sweep(self.spasked, now, values)


def _sweep(table: dict[_K, Acquire], now: int, values: Mapping[str, int]) -> None:
    for key in [key for key, acquire in table.items() if _forgotten(acquire, now, values)]:
        del table[key]


def _forgotten(acquire: Acquire, now: int, values: Mapping[str, int]) -> bool:
    return now // SECOND - acquire.created // SECOND > values["net.key.blockacq_lifetime"]


def message(index: Index, seq: int, policy: Policy | None, values: Mapping[str, int]) -> pfkey.Message:
    """SADB_ACQUIRE as the kernel sends it (KAME key_acquire)."""
    src, dst, proto, _mode, _reqid = index
    parts: list[pfkey.Extension] = [*pair(src, dst)]
    if policy is not None:
        parts.append(
            pfkey.Policy(pfkey.POLICY_NAMES.index(policy.action), pfkey.DIR_NAMES.index(policy.dir), policy.id)
        )
    parts.append(pfkey.Proposal(_combs(proto, values), PROPOSED_REPLAY))
    return pfkey.Message(pfkey.SADB_ACQUIRE, pfkey.PROTO_SATYPE[proto], seq, 0, 0, tuple(parts))


def _combs(proto: int, values: Mapping[str, int]) -> tuple[pfkey.Comb, ...]:
    if proto == pfkey.IPPROTO_ESP:
        return tuple(_esp(values))
    if proto == pfkey.IPPROTO_AH:
        return tuple(_ah(values["net.key.ah_keymin"]))
    return tuple(_limited(encrypt=number) for number, _iv, _least, _most in algorithms.supported_comp())


def _esp(values: Mapping[str, int]) -> list[pfkey.Comb]:
    combs: list[pfkey.Comb] = []
    keymin = values["net.key.esp_keymin"]
    auths = _ah(values["net.key.ah_keymin"]) if values["net.key.esp_auth"] else [_limited()]
    for number, _iv, least, most in algorithms.supported_enc():
        if most < keymin or number == algorithms.EALG_NULL:
            continue
        aead = number in algorithms.AEADS
        combs.extend(
            comb._replace(encrypt=number, encrypt_minbits=max(least, keymin), encrypt_maxbits=most)
            for comb in ([_limited()] if aead else auths)
        )
    return combs


def _ah(keymin: int) -> list[pfkey.Comb]:
    return [
        _limited(auth=number, auth_minbits=max(least, keymin), auth_maxbits=most)
        for number, _iv, least, most in algorithms.supported_auth()
        if number in _PROPOSED_AUTHS and most >= keymin
    ]


def _limited(auth: int = 0, encrypt: int = 0, auth_minbits: int = 0, auth_maxbits: int = 0) -> pfkey.Comb:
    return pfkey.Comb(
        auth=auth,
        encrypt=encrypt,
        auth_minbits=auth_minbits,
        auth_maxbits=auth_maxbits,
        soft_addtime=SOFT_ADDTIME,
        hard_addtime=HARD_ADDTIME,
        soft_usetime=SOFT_USETIME,
        hard_usetime=HARD_USETIME,
    )
