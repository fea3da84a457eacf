"""The key engine: a node's SAD and SPD behind PF_KEY messages, and what packets ask of them.

RFC 2367; KAME netkey/key.c (key_parse, key_align, key_checkrequest), keysock.c (key_output, key_sendup_mbuf). The
engine is plain data: it holds no clock, no node and no callable. Time comes with each call (ns since boot) and what is
to be said to sockets waits in `outbox` until `drain`.

Messages are handled in key_sa.py and key_policy.py, lifetimes in key_life.py, acquires in key_acquire.py.
Left out: identity and sensitivity matching, key_ismyaddr (a getspi may be for any destination).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from kamelab.core.clock import DEFAULT_EPOCH
from kamelab.core.errors import EAFNOSUPPORT, EINVAL, EOPNOTSUPP, Errno
from kamelab.stack.netinet6.scope6 import in6_clearscope
from kamelab.stack.netipsec import key_acquire, key_life, key_policy, key_sa, sa_state
from kamelab.stack.netipsec.key_acquire import AcquireMemory
from kamelab.stack.netipsec.key_message import addresses, sa_ext
from kamelab.stack.netipsec.policy import Policy, Request
from kamelab.stack.netipsec.sadb import DEAD, Sa, Sad, recordxfer
from kamelab.stack.netipsec.spd import Spd
from kamelab.wire import pfkey

DEFAULTS: Final[dict[str, int]] = {
    "net.key.debug": 0,
    "net.key.spi_trycnt": 1000,
    "net.key.spi_minval": 0x100,
    "net.key.spi_maxval": 0x0FFFFFFF,
    "net.key.int_random": 60,
    "net.key.larval_lifetime": 30,
    "net.key.blockacq_count": 10,
    "net.key.blockacq_lifetime": 20,
    "net.key.esp_keymin": 256,
    "net.key.esp_auth": 0,
    "net.key.ah_keymin": 128,
    "net.key.preferred_oldsa": 1,
    **{
        f"{tree}.{name}": value
        for tree in ("net.inet6.ipsec6", "net.inet.ipsec")
        for name, value in (
            ("def_policy", 1),
            ("esp_trans_deflev", 1),
            ("esp_net_deflev", 1),
            ("ah_trans_deflev", 1),
            ("ah_net_deflev", 1),
        )
    },
}
"""The sysctls that the engine reads, and their defaults (KAME key.c, ipsec.c)."""

ONE: Final = "one"
"""For the socket that asked."""
ALL: Final = "all"
"""For every socket, the one that asked included."""
REGISTERED: Final = "registered"
"""For every registered socket, and the one that asked (KAME key_sendup_mbuf)."""

Answer: TypeAlias = tuple[str, bytes]

_SILENT: Final = frozenset(("tooshort", "invlen", "dupext", "invexttype"))
"""What makes the write itself fail: no message comes back (KAME key_output, key_align)."""

_COUNTED: Final = (
    "invlen",
    "invver",
    "invmsgtype",
    "tooshort",
    "nomem",
    "dupext",
    "invexttype",
    "invsatype",
    "invaddr",
)


class PfkeyStat:
    """``netstat -s -p pfkey`` (KAME ``struct pfkeystat``): "out" from user land to the kernel, "in" the other way."""

    __slots__ = (
        "in_bytes",
        "in_msgtarget",
        "in_msgtype",
        "in_total",
        "out_bytes",
        "out_msgtype",
        "out_total",
        "refused",
    )

    def __init__(self) -> None:
        self.out_total = 0
        self.out_bytes = 0
        self.out_msgtype = [0] * 256
        self.refused = dict.fromkeys(_COUNTED, 0)
        self.in_total = 0
        self.in_bytes = 0
        self.in_msgtype = [0] * (pfkey.SADB_MAX + 1)
        self.in_msgtarget = {ONE: 0, ALL: 0, REGISTERED: 0}

    def counters(self) -> dict[str, int]:
        """All that are not 0, by the names that netstat's table has."""
        out = {
            "out_total": self.out_total,
            "out_bytes": self.out_bytes,
            "in_total": self.in_total,
            "in_bytes": self.in_bytes,
            **self.refused,
            **{f"out_msgtype.{kind}": count for kind, count in enumerate(self.out_msgtype)},
            **{f"in_msgtype.{kind}": count for kind, count in enumerate(self.in_msgtype)},
            **{f"in_{target}": count for target, count in self.in_msgtarget.items()},
        }
        return {f"pfkey.{name}": count for name, count in out.items() if count}


class Ask(NamedTuple):
    """One message from user land on its way through the engine."""

    message: pfkey.Message
    socket: int
    octets: Callable[[int], bytes] | None


class KeyEngine:
    """A node's key engine. `values` maps sysctl names to numbers and holds at least those of `DEFAULTS`.

    `registered` is, by kind of SA, the sockets that registered; `promiscuous` those that want everything. `refusal`
    is the last refusal in words ("key_add: ..."), for the log. `epoch` is ns since 1970 at boot.
    """

    __slots__ = (
        "acquires",
        "epoch",
        "now",
        "outbox",
        "promiscuous",
        "refusal",
        "registered",
        "sad",
        "spd",
        "stat",
        "values",
        "wake",
    )

    def __init__(self, values: Mapping[str, int] | None = None, epoch: int = DEFAULT_EPOCH) -> None:
        self.values: Mapping[str, int] = dict(DEFAULTS) if values is None else values
        self.epoch = epoch
        self.now = 0
        self.sad = Sad()
        self.spd = Spd()
        self.acquires = AcquireMemory()
        self.registered: dict[int, list[int]] = {}
        self.promiscuous: list[int] = []
        self.outbox: list[Answer] = []
        self.stat = PfkeyStat()
        self.refusal = ""
        self.wake: int | None = None

    # -- messages ------------------------------------------------------------------------------------------------------

    def sendup(self, target: str, message: pfkey.Message) -> None:
        """Put a message into the outbox."""
        self.outbox.append((target, pfkey.build(message)))

    def drain(self) -> list[Answer]:
        """What waits to be said to sockets; it is gone from here then."""
        out, self.outbox = self.outbox, []
        return out

    def deliver(self, answers: list[Answer], sockets: list[int], asker: int | None = None) -> list[tuple[int, bytes]]:
        """Who of `sockets` gets what, in order (KAME key_sendup_mbuf).

        `asker` is the socket whose message is answered: it gets every answer; None where the kernel speaks by itself.
        A promiscuous socket gets a copy of everything, wrapped in x_promisc.
        """
        out: list[tuple[int, bytes]] = []
        stat = self.stat
        for target, data in answers:
            kind = data[1] if data[1] <= pfkey.SADB_MAX else 0
            for socket in sockets:
                if socket in self.promiscuous:
                    self._count(pfkey.SADB_X_PROMISC, len(data) + pfkey.HEADER_LEN)
                    out.append((socket, pfkey.build(pfkey.Message(pfkey.SADB_X_PROMISC, payload=data))))
                if (
                    socket == asker
                    or target == ALL
                    or (target == REGISTERED and any(socket in some for some in self.registered.values()))
                ):
                    self._count(kind, len(data))
                    stat.in_msgtarget[target] += 1
                    out.append((socket, data))
        return out

    def _count(self, kind: int, octets: int) -> None:
        self.stat.in_total += 1
        self.stat.in_bytes += octets
        self.stat.in_msgtype[kind] += 1

    def close(self, socket: int) -> None:
        """A socket is closed: it is registered for nothing any more (KAME key_freereg)."""
        for satype in list(self.registered):
            if socket in self.registered[satype]:
                self.registered[satype].remove(socket)
                if not self.registered[satype]:
                    del self.registered[satype]
        if socket in self.promiscuous:
            self.promiscuous.remove(socket)

    # -- associations --------------------------------------------------------------------------------------------------

    def insert(self, sa: Sa) -> None:
        """Put an association in and mind its limits."""
        self.sad.add(sa)
        self.watch(key_life.due(self, sa))

    def kill(self, sa: Sa, event: str) -> None:
        """An association dies; it stays, dead, while a request holds it (KAME key_freesav)."""
        sa_state.move(sa, event)
        if sa.refcnt <= 1:
            self.sad.remove(sa)

    def letgo(self, sa: Sa) -> None:
        """A request holds the association no more."""
        sa.refcnt -= 1
        if sa.state == DEAD and sa.refcnt <= 1 and sa.group is not None:
            self.sad.remove(sa)

    def release(self, policy: Policy) -> None:
        """A policy goes: its requests let go what they hold."""
        for request in policy.requests:
            if request.sa is not None:
                self.letgo(request.sa)
                request.sa = None

    def inbound(self, dst: bytes, proto: int, spi: int) -> Sa | None:
        """The association of an arriving packet (KAME key_allocsa). One whose zone was not told serves any zone."""
        sa = self.sad.inbound(dst, proto, spi)
        if sa is None and len(dst) == 16 and in6_clearscope(dst) != dst:
            sa = self.sad.inbound(in6_clearscope(dst), proto, spi)
        return sa

    def checkrequest(self, request: Request, policy: Policy, src: bytes, dst: bytes, now: int) -> Sa | None:
        """The association to send a packet with as a request says, or None (KAME key_checkrequest).

        `src` and `dst` are the packet's, where the request names none. Without association an acquire is in the
        outbox, unless it was asked of late; whether the packet may go all the same `Request.required` tells. With
        net.key.preferred_oldsa 0 the choice of a newer one is the death of older ones, announced by SADB_DELETE.
        """
        if request.src:
            src, dst = request.src, request.dst
        oldest = self.values["net.key.preferred_oldsa"] != 0
        sa = self.sad.outbound(src, dst, request.proto, request.mode, request.reqid, oldest)
        if sa is None and len(dst) == 16:
            plain_src, plain_dst = in6_clearscope(src), in6_clearscope(dst)
            if plain_src != src or plain_dst != dst:
                sa = self.sad.outbound(plain_src, plain_dst, request.proto, request.mode, request.reqid, oldest)
        if sa is not request.sa:
            if request.sa is not None:
                self.letgo(request.sa)
            request.sa = sa
            if sa is not None:
                sa.refcnt += 1
                if not oldest:
                    self._supersede(sa)
        if sa is None:
            self.acquire((src, dst, request.proto, request.mode, request.reqid), policy, now)
        return sa

    def _supersede(self, sa: Sa) -> None:
        for old in self.sad.superseded(sa):
            message = pfkey.Message(
                pfkey.SADB_DELETE, pfkey.PROTO_SATYPE[old.proto], 0, 0, 0, (sa_ext(old), *addresses(old)), old.refcnt
            )
            self.kill(old, "superseded")
            self.sendup(REGISTERED, message)

    def transferred(self, sa: Sa, octets: int, now: int) -> None:
        """Count a packet that an association carried (KAME key_sa_recordxfer); limits by octets take effect at the
        next whole second: look at `deadline` afterwards if `sa.soft.bytes` or `sa.hard.bytes` is not 0."""
        recordxfer(sa, octets, now)
        if sa.soft.bytes or sa.hard.bytes:
            self.now = max(self.now, now)
            self.watch(key_life.due(self, sa))

    def acquire(self, index: key_acquire.Index, policy: Policy | None, now: int) -> bool:
        """Ask the daemons for an association (KAME key_acquire); False where the same was asked of late."""
        seq = self.acquires.ask(index, now, self.values)
        if not seq:
            return False
        self.watch(key_life.tick(now, self.values["net.key.blockacq_lifetime"]))
        self.sendup(REGISTERED, key_acquire.message(index, seq, policy, self.values))
        return True

    def spacquire(self, policy: Policy, now: int) -> bool:
        """Ask the daemons for the requests of a policy that has none (KAME key_spdacquire); False as `acquire`."""
        if not self.acquires.spask(policy.id, now, self.values):
            return False
        self.watch(key_life.tick(now, self.values["net.key.blockacq_lifetime"]))
        self.sendup(REGISTERED, pfkey.Message(pfkey.SADB_X_SPDACQUIRE))
        return True

    # -- time ----------------------------------------------------------------------------------------------------------

    def watch(self, at: int | None) -> None:
        """Be woken at `at` (ns), at the latest."""
        if at is not None and (self.wake is None or at < self.wake):
            self.wake = at

    def deadline(self) -> int | None:
        """When `timehandler` is to be called next, ns since boot, a whole second; None: nothing waits."""
        return self.wake

    def timehandler(self, now: int) -> list[Answer]:
        """What a second's tick does (KAME key_timehandler); nothing before the deadline. Returns what is to be told."""
        if self.wake is not None and now >= self.wake:
            self.now = max(self.now, now)
            key_life.timehandler(self)
        return self.drain()


def key_parse(
    keys: KeyEngine,
    pid: int,
    data: bytes,
    now: int | None = None,
    octets: Callable[[int], bytes] | None = None,
) -> list[Answer]:
    """Take a message from user land; returns what is to be said to whom, in order (KAME key_output, key_parse).

    `pid` tells which socket asks: any number that is the socket's own. `now` is ns since boot, None for the time of
    the last call. `octets` draws random octets for SPIs; without it they count up. A refused message comes back with
    its errno. Errno (EINVAL) is raised, and nothing comes back, where even the framing is wrong: too short, wrong
    lengths, an extension twice or unknown.
    """
    if now is not None:
        keys.now = max(keys.now, now)
    stat = keys.stat
    stat.out_total += 1
    stat.out_bytes += len(data)
    if len(data) >= pfkey.HEADER_LEN:
        stat.out_msgtype[data[1]] += 1
    keys.refusal = ""
    try:
        message = pfkey.parse(data)
    except pfkey.PfkeyError as error:
        if error.cause in stat.refused:
            stat.refused[error.cause] += 1
        keys.refusal = f"key_parse: {error.reason}"
        if error.cause in _SILENT or error.header is None:
            raise Errno(error.errno, error.reason) from None
        return [(ONE, _refuse(data, error.errno))]
    name = "parse"
    try:
        _check(keys, message)
        handler = _HANDLERS.get(message.type)
        if handler is None:
            stat.refused["invmsgtype"] += 1
            raise Errno(EINVAL, f"message type {message.type}")
        name = pfkey.TYPE_NAMES[message.type].removeprefix("x_")
        handler(keys, Ask(message._replace(errno=0, reserved=0), pid, octets))
    except Errno as error:
        keys.refusal = f"key_{name}: {error.detail or error}"
        keys.outbox.append((ONE, _refuse(data, error.number)))
    return keys.drain()


def _refuse(data: bytes, errno: int) -> bytes:
    """The message back with its errno (KAME key_senderror)."""
    return b"%b%c%b" % (data[:2], errno, data[3:])


_SPD_TYPES: Final = frozenset(
    (
        pfkey.SADB_X_SPDUPDATE,
        pfkey.SADB_X_SPDADD,
        pfkey.SADB_X_SPDDELETE,
        pfkey.SADB_X_SPDGET,
        pfkey.SADB_X_SPDDUMP,
        pfkey.SADB_X_SPDFLUSH,
        pfkey.SADB_X_SPDSETIDX,
        pfkey.SADB_X_SPDDELETE2,
    )
)
_SA_TYPES: Final = frozenset(
    (
        pfkey.SADB_GETSPI,
        pfkey.SADB_UPDATE,
        pfkey.SADB_ADD,
        pfkey.SADB_DELETE,
        pfkey.SADB_GET,
        pfkey.SADB_ACQUIRE,
        pfkey.SADB_EXPIRE,
    )
)
_UNSUPPORTED_SATYPES: Final = (
    pfkey.SADB_SATYPE_RSVP,
    pfkey.SADB_SATYPE_OSPFV2,
    pfkey.SADB_SATYPE_RIPV2,
    pfkey.SADB_SATYPE_MIP,
)


def _check(keys: KeyEngine, message: pfkey.Message) -> None:
    """What any message must fulfil: kind of SA, and addresses that go together (KAME key_parse)."""
    refused = keys.stat.refused
    satype = message.satype
    number = 0
    if satype == pfkey.SADB_SATYPE_UNSPEC:
        number = EINVAL if message.type in _SA_TYPES else 0
    elif satype in pfkey.SATYPE_PROTO:
        number = EINVAL if message.type in _SPD_TYPES else 0
    elif satype in _UNSUPPORTED_SATYPES:
        number = EOPNOTSUPP
    elif not (satype == 1 and message.type == pfkey.SADB_X_PROMISC):
        number = EINVAL
    if number:
        refused["invsatype"] += 1
        raise Errno(number, f"SA type {satype} with message type {message.type}")
    src, dst = message.get(pfkey.SADB_EXT_ADDRESS_SRC), message.get(pfkey.SADB_EXT_ADDRESS_DST)
    if not isinstance(src, pfkey.Address) or not isinstance(dst, pfkey.Address):
        return
    size = len(src.sockaddr.addr)
    if src.proto != dst.proto:
        reason = "upper layer protocols differ"
    elif size != len(dst.sockaddr.addr):
        reason = "address families differ"
    elif src.plen > size * 8 or dst.plen > size * 8:
        reason = "prefix length larger than address"
    elif not size:
        refused["invaddr"] += 1
        raise Errno(EAFNOSUPPORT)
    else:
        return
    refused["invaddr"] += 1
    raise Errno(EINVAL, reason)


_HANDLERS: Final[dict[int, Callable[[KeyEngine, Ask], None]]] = {
    pfkey.SADB_GETSPI: key_sa.getspi,
    pfkey.SADB_UPDATE: key_sa.update,
    pfkey.SADB_ADD: key_sa.add,
    pfkey.SADB_DELETE: key_sa.delete,
    pfkey.SADB_GET: key_sa.get,
    pfkey.SADB_ACQUIRE: key_sa.acquire,
    pfkey.SADB_REGISTER: key_sa.register,
    pfkey.SADB_FLUSH: key_sa.flush,
    pfkey.SADB_DUMP: key_sa.dump,
    pfkey.SADB_X_PROMISC: key_sa.promisc,
    pfkey.SADB_X_SPDUPDATE: key_policy.spdadd,
    pfkey.SADB_X_SPDADD: key_policy.spdadd,
    pfkey.SADB_X_SPDDELETE: key_policy.spddelete,
    pfkey.SADB_X_SPDGET: key_policy.spdget,
    pfkey.SADB_X_SPDDUMP: key_policy.spddump,
    pfkey.SADB_X_SPDFLUSH: key_policy.spdflush,
    pfkey.SADB_X_SPDSETIDX: key_policy.spdadd,
    pfkey.SADB_X_SPDDELETE2: key_policy.spddelete2,
}
"""What is not here (expire, x_pchange, x_spdacquire, x_spdexpire) only the kernel may say (KAME key_typesw)."""
