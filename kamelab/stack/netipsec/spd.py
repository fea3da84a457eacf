"""The security policy database: policies in the order of adding, found at a cost that their number does not change.

KAME netkey/key.c (sptree), netinet6/ipsec.c (ipsec4_getpolicybysock and its kin); KAME IMPLEMENTATION 4.1: the first
match in order counts; RFC 4301 4.4.1. A search looks once into a table for each pair of prefix lengths that the
database has, then keeps the answer for the flow until a policy comes or goes.

Left out: fan-out by packet filter tags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kamelab.core.errors import EACCES, EINVAL, Errno
from kamelab.stack.netinet6.scope6 import is_scoped
from kamelab.stack.netipsec.policy import Flow, Policy, msg2sp, sp2msg
from kamelab.wire import pfkey

CACHE_SIZE: Final = 4096
"""Flows whose answer is kept; all are forgotten when there are more."""

DIRS: Final = ("in", "out")

_Key = tuple[int, int, int, int, int]


class Spd:
    """All policies of a node.

    `lookups` and `misses` count searches and those that the flow cache could not answer. `generation` changes with
    every change of the database. `sockets` are the policies that sockets brought, shown at the end of a dump.
    """

    __slots__ = (
        "by_id",
        "by_key",
        "cache",
        "discard",
        "generation",
        "index",
        "last_id",
        "last_reqid",
        "lookups",
        "misses",
        "none",
        "order",
        "policies",
        "sockets",
    )

    def __init__(self) -> None:
        self.policies: dict[str, dict[int, Policy]] = {direction: {} for direction in DIRS}
        """By place in the search, which is the order of the dict."""
        self.by_id: dict[int, Policy] = {}
        self.by_key: dict[tuple[str, bytes, int, bytes, int, int, int, int], Policy] = {}
        self.index: dict[str, dict[tuple[int, int, int], dict[_Key, list[Policy]]]] = {d: {} for d in DIRS}
        self.cache: dict[tuple[str, Flow], Policy | None] = {}
        self.sockets: dict[int, Policy] = {}
        self.order = 0
        self.last_id = 0
        self.last_reqid = pfkey.IPSEC_MANUAL_REQID_MAX
        self.generation = 0
        self.lookups = 0
        self.misses = 0
        self.none = Policy("any", "none")
        self.discard = Policy("any", "discard")

    def __len__(self) -> int:
        return len(self.by_key)

    def __iter__(self) -> Iterator[Policy]:
        """In the order of a dump: "in" before "out", each in search order, then those of sockets."""
        for direction in DIRS:
            yield from self.policies[direction].values()
        yield from self.sockets.values()

    def newreqid(self) -> int:
        """A request id for level unique: from 16384 on (KAME key_newreqid). Ids in use are passed over."""
        used = {request.reqid for policy in self for request in policy.requests}
        for _try in range(0xFFFF - pfkey.IPSEC_MANUAL_REQID_MAX):
            self.last_reqid = self.last_reqid + 1 if self.last_reqid < 0xFFFF else pfkey.IPSEC_MANUAL_REQID_MAX + 1
            if self.last_reqid not in used:
                return self.last_reqid
        return 0

    def newid(self) -> int:
        """A spid that no policy has (KAME key_getnewspid)."""
        while True:
            self.last_id = self.last_id + 1 if self.last_id < 0xFFFFFFFF else 1
            if self.last_id not in self.by_id:
                return self.last_id

    def add(self, policy: Policy, now: int) -> None:
        """Put a policy with its selector behind all others of its direction. It gets its spid here.

        That there is none with the same selector is the caller's to see.
        """
        self.order += 1
        policy.order = self.order
        policy.id = self.newid()
        policy.created = policy.used = now
        self.policies[policy.dir][policy.order] = policy
        self.by_id[policy.id] = policy
        self.by_key[policy.key] = policy
        shape, key = _place(policy)
        self.index[policy.dir].setdefault(shape, {}).setdefault(key, []).append(policy)
        self._changed()

    def remove(self, policy: Policy) -> None:
        """Take a policy out. KeyError if it isn't there."""
        del self.by_key[policy.key]
        del self.by_id[policy.id]
        del self.policies[policy.dir][policy.order]
        shape, key = _place(policy)
        table = self.index[policy.dir][shape]
        table[key].remove(policy)
        if not table[key]:
            del table[key]
            if not table:
                del self.index[policy.dir][shape]
        self._changed()

    def _changed(self) -> None:
        self.generation += 1
        self.cache.clear()

    def find(self, direction: str, flow: Flow) -> Policy | None:
        """The first policy of the direction that matches, or None."""
        self.lookups += 1
        key = (direction, flow)
        cache = self.cache
        try:
            return cache[key]
        except KeyError:
            pass
        self.misses += 1
        found = self._search(direction, flow)
        if len(cache) >= CACHE_SIZE:
            cache.clear()
        cache[key] = found
        return found

    def _search(self, direction: str, flow: Flow) -> Policy | None:
        best: Policy | None = None
        size = len(flow.src)
        bits = size * 8
        src, dst = _number(flow.src), _number(flow.dst)
        for (family, splen, dplen), table in self.index[direction].items():
            if family != size:
                continue
            key = (size, splen, src >> (bits - splen), dplen, dst >> (bits - dplen))
            for policy in table.get(key, ()):
                if best is not None and policy.order > best.order:
                    break
                if not policy.mismatch(flow):
                    best = policy
                    break
        return best

    def explain(self, direction: str, flow: Flow) -> list[tuple[Policy, str]]:
        """The search as it goes by order: each policy with the reason why it does not match; the last matches ("")."""
        steps: list[tuple[Policy, str]] = []
        for policy in self.policies[direction].values():
            reason = policy.mismatch(flow)
            steps.append((policy, reason))
            if not reason:
                break
        return steps

    def default(self, values: Mapping[str, int], family: int = 6) -> Policy:
        """What counts where nothing matches: sysctl def_policy, 0 discard, else none."""
        name = "net.inet6.ipsec6.def_policy" if family == 6 else "net.inet.ipsec.def_policy"
        return self.discard if values[name] == 0 else self.none

    def byaddr(self, direction: str, flow: Flow, values: Mapping[str, int], now: int) -> Policy:
        """The policy of a packet that no socket sends or gets (KAME ipsec6_getpolicybyaddr). `now` becomes lastused."""
        policy = self.find(direction, flow)
        if policy is None:
            return self.default(values, 6 if len(flow.src) == 16 else 4)
        policy.used = now
        return policy

    def bysock(
        self, direction: str, flow: Flow, own: SocketPolicy | None, values: Mapping[str, int], now: int
    ) -> Policy:
        """The policy of a socket's packet (KAME ipsec6_getpolicybysock).

        A privileged socket's own policy comes first, and "entrust" asks the database. Of an ordinary one the database
        is asked first, and its own counts where nothing matches.
        """
        mine = None if own is None else own.get(direction)
        if mine is None or mine.action == "entrust":
            return self.byaddr(direction, flow, values, now)
        if own is not None and not own.privileged:
            policy = self.find(direction, flow)
            if policy is not None:
                policy.used = now
                return policy
        mine.used = now
        return mine


class SocketPolicy:
    """The policies of one socket (KAME ``struct inpcbpolicy``): None is "entrust", the database decides."""

    __slots__ = ("inbound", "outbound", "privileged")

    def __init__(self, privileged: bool = False) -> None:
        self.privileged = privileged
        self.inbound: Policy | None = None
        self.outbound: Policy | None = None

    def get(self, direction: str) -> Policy | None:
        """Its own policy of a direction."""
        return self.inbound if direction == "in" else self.outbound

    def set(self, spd: Spd, data: bytes, now: int) -> Policy:
        """Take a policy as a socket option carries it, ``sadb_x_policy`` (KAME ipsec6_set_policy).

        Errno: EINVAL for octets that are none, for discard and none, and for ipsec without request; EACCES for bypass
        without privilege; what `msg2sp` refuses. Returns the policy that was in force before, so that what it holds
        can be let go (`KeyEngine.release`).
        """
        try:
            message = pfkey.parse_policy(data)
        except pfkey.PfkeyError as error:
            raise Errno(error.errno, error.reason) from None
        if message.type in (pfkey.IPSEC_POLICY_DISCARD, pfkey.IPSEC_POLICY_NONE):
            raise Errno(EINVAL, f"policy {pfkey.POLICY_NAMES[message.type]} on a socket")
        if message.type == pfkey.IPSEC_POLICY_BYPASS and not self.privileged:
            raise Errno(EACCES)
        if message.type == pfkey.IPSEC_POLICY_IPSEC and not message.requests:
            raise Errno(EINVAL, "some policy requests are needed")
        policy = msg2sp(message, spd.newreqid)
        return self._put(spd, policy, now)

    def _put(self, spd: Spd, policy: Policy, now: int) -> Policy:
        old = self.get(policy.dir) or Policy(policy.dir, "entrust")
        if old.id:
            del spd.sockets[old.id]
            del spd.by_id[old.id]
            old.id = 0
        keep = None if policy.action == "entrust" else policy
        if policy.dir == "in":
            self.inbound = keep
        else:
            self.outbound = keep
        if keep is not None:
            policy.created = policy.used = now
            policy.id = spd.newid()
            spd.sockets[policy.id] = spd.by_id[policy.id] = policy
        return old

    def get_bytes(self, direction: str) -> bytes:
        """What getsockopt answers (KAME ipsec6_get_policy): the policy in binary form."""
        return pfkey.build_extension(sp2msg(self.get(direction) or Policy(direction, "entrust")))

    def close(self, spd: Spd, release: Callable[[Policy], None]) -> None:
        """The socket goes: its policies too. `release` lets go what they hold (`KeyEngine.release`)."""
        for direction in DIRS:
            release(self._put(spd, Policy(direction, "entrust"), 0))


def _number(addr: bytes) -> int:
    """An address as a number for the index; without zone, which `Policy.mismatch` judges."""
    if len(addr) == 16 and is_scoped(addr):
        return int.from_bytes(addr[:2] + b"\0\0" + addr[4:], "big")
    return int.from_bytes(addr, "big")


def _place(policy: Policy) -> tuple[tuple[int, int, int], _Key]:
    """Where a policy stands in the index: family and prefix lengths, and its prefixes as numbers."""
    size = len(policy.src)
    bits = size * 8
    src = _number(policy.src) >> (bits - policy.splen)
    dst = _number(policy.dst) >> (bits - policy.dplen)
    return (size, policy.splen, policy.dplen), (size, policy.splen, src, policy.dplen, dst)
