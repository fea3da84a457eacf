"""The security association database: one association, and all of them by SPI and by outbound match.

RFC 4301 4.4.2; KAME netkey/keydb.h, key.c (key_allocsa, key_allocsa_policy). An `Sa` is plain data: what the ciphers
need at hand is in `ctx`, a cache that is built on demand (`esp.context`, `ah.context`), never saved and never part of
a digest. Left out: the life cycle (key.py), traffic selectors of an association (RFC 4301 keeps them, KAME does not).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

IPPROTO_ESP: Final = 50
IPPROTO_AH: Final = 51
IPPROTO_IPCOMP: Final = 108

X_EXT_OLD: Final = 0x0001
"""RFC 1826, 1827: no sequence number, 16 octets of ICV."""
X_EXT_IV4B: Final = 0x0010
"""A 4-octet IV on the wire (RFC 1829)."""
X_EXT_DERIV: Final = 0x0020
"""No IV on the wire: derived from the sequence number."""
X_EXT_CYCSEQ: Final = 0x0040
"""The sequence number may wrap."""
X_EXT_RAWCPI: Final = 0x0080
"""IPComp: the SPI is sent as CPI, not the well-known number of the algorithm."""
X_EXT_PSEQ: Final = 0x0000
X_EXT_PRAND: Final = 0x0100
X_EXT_PZERO: Final = 0x0200
X_EXT_PMASK: Final = 0x0300

LARVAL: Final = "larval"
MATURE: Final = "mature"
DYING: Final = "dying"
DEAD: Final = "dead"

DUMP_ORDER: Final = (MATURE, DYING, LARVAL, DEAD)
"""The order of states inside a pair of addresses in a dump (KAME key.c saorder_state_any)."""

ANY: Final = "any"
TRANSPORT: Final = "transport"
TUNNEL: Final = "tunnel"


class Lifetime(NamedTuple):
    """One set of limits, 0 for none (RFC 2367 2.3.2): packets, octets, seconds since creation, since the first use."""

    allocations: int = 0
    bytes: int = 0
    addtime: int = 0
    usetime: int = 0


NO_LIMIT: Final = Lifetime()


class Sa:
    """One security association, one direction.

    `src` and `dst` are 16 octets with an embedded zone, or 4. `replay` is the window in octets of bitmap (8 packets
    each), 0 for no check. Sending: `seq` is the last number sent (64 bits with `esn`), `cycles` how often it wrapped,
    `iv` what the next IV grows from. Receiving: `last` is the highest number accepted, `bitmap` has bit n set if
    `last - n` was accepted. Times are ns, `used` is 0 before the first use. `octets` and `packets` count both ways.
    """

    __slots__ = (
        "aalg",
        "akey",
        "bitmap",
        "calg",
        "created",
        "ctx",
        "cycles",
        "dst",
        "ealg",
        "ekey",
        "esn",
        "flags",
        "group",
        "hard",
        "iv",
        "last",
        "mode",
        "octets",
        "packets",
        "pid",
        "proto",
        "refcnt",
        "replay",
        "reqid",
        "sadb_seq",
        "seq",
        "soft",
        "spi",
        "src",
        "status",
        "used",
    )

    def __init__(
        self,
        proto: int,
        spi: int,
        src: bytes,
        dst: bytes,
        *,
        mode: str = ANY,
        reqid: int = 0,
        state: str = MATURE,
        flags: int = 0,
        ealg: int = 0,
        ekey: bytes = b"",
        aalg: int = 0,
        akey: bytes = b"",
        calg: int = 0,
        replay: int = 0,
        esn: bool = False,
        created: int = 0,
        hard: Lifetime = NO_LIMIT,
        soft: Lifetime = NO_LIMIT,
        pid: int = 0,
        sadb_seq: int = 0,
    ) -> None:
        self.proto = proto
        self.spi = spi
        self.src = src
        self.dst = dst
        self.mode = mode
        self.reqid = reqid
        self.status = state
        self.flags = flags
        self.ealg = ealg
        self.ekey = ekey
        self.aalg = aalg
        self.akey = akey
        self.calg = calg
        self.replay = replay
        self.esn = esn
        self.seq = 0
        self.cycles = 0
        self.iv = b""
        self.last = 0
        self.bitmap = 0
        self.created = created
        self.used = 0
        self.octets = 0
        self.packets = 0
        self.hard = hard
        self.soft = soft
        self.pid = pid
        self.sadb_seq = sadb_seq
        self.refcnt = 1
        self.ctx: Any = None
        self.group: Group | None = None

    @property
    def state(self) -> str:
        """ "larval", "mature", "dying" or "dead"."""
        return self.status

    @state.setter
    def state(self, state: str) -> None:
        self.status = state
        if self.group is not None:
            self.group.chosen = None

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in FIELDS)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for name, value in zip(FIELDS, state, strict=True):
            setattr(self, name, value)
        self.ctx = None
        self.group = None

    def __repr__(self) -> str:
        return f"Sa(proto={self.proto}, spi={self.spi:#x}, state={self.state})"

    @property
    def index(self) -> tuple[bytes, bytes, int, str, int]:
        """What makes associations one group (KAME struct secasindex): (src, dst, proto, mode, reqid)."""
        return self.src, self.dst, self.proto, self.mode, self.reqid

    def changed(self) -> None:
        """Forget what was built from keys and flags. To be called when any of them is set anew (SADB_UPDATE)."""
        self.ctx = None


FIELDS: Final = tuple(name for name in Sa.__slots__ if name not in ("ctx", "group"))
"""The names of what an Sa remembers, in the order of `Sa.__getstate__`."""


def recordxfer(sa: Sa, octets: int, now: int) -> None:
    """Count a packet of `octets` that `sa` has carried at `now` (ns). (KAME key.c key_sa_recordxfer)"""
    sa.octets += octets
    sa.packets += 1
    sa.used = now


class Group:
    """Associations of one `Sa.index`, oldest first (KAME struct secashead); `number` counts groups as they are born."""

    __slots__ = ("chosen", "number", "sas")

    def __init__(self, number: int) -> None:
        self.number = number
        self.sas: list[Sa] = []
        self.chosen: tuple[bool, Sa | None] | None = None
        """The last answer of `choose`, forgotten when a member comes, goes or changes its state."""

    def choose(self, oldest: bool) -> Sa | None:
        """The association to send with, as `Sad.outbound` tells."""
        chosen = self.chosen
        if chosen is None or chosen[0] != oldest:
            self.chosen = chosen = (oldest, self._choose(oldest))
        return chosen[1]

    def _choose(self, oldest: bool) -> Sa | None:
        for state in (DYING, MATURE) if oldest else (MATURE, DYING):
            for sa in self.sas if oldest else reversed(self.sas):
                if sa.status == state:
                    return sa
        return None


class Sad:
    """All associations of a node. Every lookup is a dictionary's, whatever their number."""

    __slots__ = ("born", "by_pair", "by_spi", "groups")

    def __init__(self) -> None:
        self.born = 0
        self.groups: dict[tuple[bytes, bytes, int, str, int], Group] = {}
        # Lists are oldest first, read backwards: an append is cheap.
        self.by_spi: dict[tuple[bytes, int, int], list[Sa]] = {}
        self.by_pair: dict[tuple[bytes, bytes, int], dict[int, Group]] = {}

    def __getstate__(self) -> tuple[int, list[tuple[int, list[Sa]]], list[list[Sa]]]:
        groups = [(group.number, group.sas) for group in self.groups.values()]
        return self.born, groups, list(self.by_spi.values())

    def __setstate__(self, state: tuple[int, list[tuple[int, list[Sa]]], list[list[Sa]]]) -> None:
        self.born, groups, same = state
        self.groups, self.by_pair = {}, {}
        for number, sas in groups:
            group = self._group(sas[0], number)
            group.sas = sas
            for sa in sas:
                sa.group = group
        self.by_spi = {(sas[0].dst, sas[0].proto, sas[0].spi): sas for sas in same}

    def __len__(self) -> int:
        return sum(len(group.sas) for group in self.groups.values())

    def __iter__(self) -> Iterator[Sa]:
        """In the order of a dump: newest group first; inside it mature, dying, larval, dead; newest first."""
        for group in reversed(list(self.groups.values())):
            for state in DUMP_ORDER:
                yield from [sa for sa in reversed(group.sas) if sa.status == state]

    def _group(self, sa: Sa, number: int) -> Group:
        group = self.groups[sa.index] = Group(number)
        self.by_pair.setdefault((sa.src, sa.dst, sa.proto), {})[number] = group
        return group

    def add(self, sa: Sa) -> None:
        """Put an association in. Whether there may be one more with its SPI is for the caller to judge."""
        group = self.groups.get(sa.index)
        if group is None:
            self.born += 1
            group = self._group(sa, self.born)
        group.sas.append(sa)
        group.chosen = None
        sa.group = group
        self.by_spi.setdefault((sa.dst, sa.proto, sa.spi), []).append(sa)

    def remove(self, sa: Sa) -> None:
        """Take an association out; with the last of a group the group goes too. ValueError if it isn't there.

        Addresses, protocol, SPI, mode and reqid must be those that it was added with.
        """
        group = sa.group
        if group is None:
            raise ValueError("no such association")
        _drop(group.sas, sa)
        group.chosen = None
        sa.group = None
        if not group.sas:
            del self.groups[sa.index]
            pair = (sa.src, sa.dst, sa.proto)
            del self.by_pair[pair][group.number]
            if not self.by_pair[pair]:
                del self.by_pair[pair]
        same = self.by_spi[sa.dst, sa.proto, sa.spi]
        _drop(same, sa)
        if not same:
            del self.by_spi[sa.dst, sa.proto, sa.spi]

    def clear(self) -> None:
        """Take all out."""
        for group in self.groups.values():
            for sa in group.sas:
                sa.group = None
        self.groups.clear()
        self.by_spi.clear()
        self.by_pair.clear()

    def find(self, src: bytes, dst: bytes, proto: int, spi: int) -> Sa | None:
        """The association with these very addresses, protocol and SPI in whatever state but dead; the newest."""
        for sa in reversed(self.by_spi.get((dst, proto, spi), ())):
            if sa.src == src and sa.status != DEAD:
                return sa
        return None

    def spi_taken(self, dst: bytes, spi: int) -> bool:
        """Whether a destination uses an SPI already: AH, ESP and IPComp share one space (KAME IMPLEMENTATION 4.4)."""
        return any((dst, proto, spi) in self.by_spi for proto in (IPPROTO_ESP, IPPROTO_AH, IPPROTO_IPCOMP))

    def inbound(self, dst: bytes, proto: int, spi: int) -> Sa | None:
        """The usable association of an arriving packet: destination, protocol and SPI alone (KAME key_allocsa)."""
        for sa in reversed(self.by_spi.get((dst, proto, spi), ())):
            if sa.status == MATURE or sa.status == DYING:
                return sa
        return None

    def outbound(
        self, src: bytes, dst: bytes, proto: int, mode: str = ANY, reqid: int = 0, oldest: bool = True
    ) -> Sa | None:
        """The association for a packet to send, or None (KAME key_allocsa_policy, key_do_allocsa_policy).

        `mode` must be the association's unless one of them is "any"; `reqid`, if not 0, must be its own. `oldest`
        is net.key.preferred_oldsa: dying before mature and the oldest first, else mature first and the newest.
        Of several groups that fit, the newest that has a usable one.
        """
        if mode != ANY and reqid:
            exact = self.groups.get((src, dst, proto, mode, reqid))
            other = self.groups.get((src, dst, proto, ANY, reqid))
            if exact and other and exact.number < other.number:
                exact, other = other, exact
            return (exact and exact.choose(oldest)) or (other and other.choose(oldest)) or None
        for group in reversed(self.by_pair.get((src, dst, proto), {}).values()):
            first = group.sas[0]
            if mode != ANY and first.mode != ANY and first.mode != mode:
                continue
            if reqid and first.reqid != reqid:
                continue
            sa = group.choose(oldest)
            if sa is not None:
                return sa
        return None

    def superseded(self, sa: Sa) -> list[Sa]:
        """The older usable ones of its group that have a hard lifetime.

        With net.key.preferred_oldsa 0 they are dead once `sa` was chosen for a packet.
        """
        if sa.group is None or len(sa.group.sas) == 1:
            return []
        return [
            other
            for other in sa.group.sas
            if other.created < sa.created and other.status in (MATURE, DYING) and other.hard.addtime
        ]


def _drop(sas: list[Sa], sa: Sa) -> None:
    for at, other in enumerate(sas):
        if other is sa:
            del sas[at]
            return
    raise ValueError("no such association")
