"""PF_KEY messages about associations: getspi, update, add, delete, get, acquire, register, flush, dump, x_promisc.

RFC 2367 3.1; KAME netkey/key.c (key_getspi and its kin). Each handler answers through the engine's outbox or raises
Errno.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import EEXIST, EINVAL, ENOENT, Errno
from kamelab.stack.netipsec import algorithms, key_life, sa_state
from kamelab.stack.netipsec.key_message import addresses, dump_sa, supported, without_keys
from kamelab.stack.netipsec.policy import embed
from kamelab.stack.netipsec.sadb import DEAD, LARVAL, NO_LIMIT, Lifetime, Sa
from kamelab.wire import pfkey

if TYPE_CHECKING:
    from kamelab.stack.netipsec.key import Ask, KeyEngine

_FLAGS: Final = (
    pfkey.SADB_X_EXT_OLD
    | pfkey.SADB_X_EXT_IV4B
    | pfkey.SADB_X_EXT_DERIV
    | pfkey.SADB_X_EXT_CYCSEQ
    | pfkey.SADB_X_EXT_RAWCPI
    | pfkey.SADB_X_EXT_PMASK
)


def _ends(message: pfkey.Message) -> tuple[bytes, bytes]:
    """Source and destination in kernel form; ports are not looked at. EINVAL: one is missing."""
    src, dst = message.get(pfkey.SADB_EXT_ADDRESS_SRC), message.get(pfkey.SADB_EXT_ADDRESS_DST)
    if not isinstance(src, pfkey.Address) or not isinstance(dst, pfkey.Address):
        raise Errno(EINVAL, "no addresses in the message")
    return embed(src.sockaddr), embed(dst.sockaddr)


def _sa(message: pfkey.Message) -> pfkey.Sa:
    sa = message.get(pfkey.SADB_EXT_SA)
    if not isinstance(sa, pfkey.Sa):
        raise Errno(EINVAL, "no SA in the message")
    return sa


def _mode(message: pfkey.Message) -> tuple[str, int]:
    """Mode and request id; "any" and 0 where the message has none."""
    sa2 = message.get(pfkey.SADB_X_EXT_SA2)
    if not isinstance(sa2, pfkey.Sa2):
        return "any", 0
    if sa2.mode >= len(pfkey.MODE_NAMES):
        raise Errno(EINVAL, f"invalid mode {sa2.mode}")
    return pfkey.MODE_NAMES[sa2.mode], sa2.reqid


# -- making --------------------------------------------------------------------------------------------------------


def getspi(keys: KeyEngine, ask: Ask) -> None:
    """Reserve an SPI: a larval association. Errno: EINVAL also where no SPI of the range is free."""
    message = ask.message
    src, dst = _ends(message)
    mode, reqid = _mode(message)
    proto = pfkey.SATYPE_PROTO[message.satype]
    wanted = message.get(pfkey.SADB_EXT_SPIRANGE)
    spi = _newspi(keys, ask, dst, proto, wanted if isinstance(wanted, pfkey.SpiRange) else None)
    if not spi:
        raise Errno(EINVAL, "no SPI is free")
    seq = message.seq
    if not seq:
        keys.acquires.seq = seq = keys.acquires.seq + 1 if keys.acquires.seq < 0xFFFFFFFF else 1
    sa = Sa(
        proto,
        spi,
        src,
        dst,
        mode=mode,
        reqid=reqid,
        state=sa_state.first("getspi"),
        created=keys.now,
        pid=message.pid,
        sadb_seq=seq,
    )
    keys.insert(sa)
    _answered(keys, message.seq)
    keys.sendup(
        "one",
        message._replace(seq=seq, extensions=(pfkey.Sa(spi, state=pfkey.SADB_SASTATE_LARVAL), *addresses(sa))),
    )


def _newspi(keys: KeyEngine, ask: Ask, dst: bytes, proto: int, wanted: pfkey.SpiRange | None) -> int:
    """An SPI that the destination does not use for any protocol, or 0 (KAME key_do_getnewspi)."""
    values = keys.values
    least, most = values["net.key.spi_minval"], values["net.key.spi_maxval"]
    if wanted is not None:
        least, most = wanted.min, wanted.max
    if proto == pfkey.IPPROTO_IPCOMP:
        least, most = min(least, 0xFFFF), min(most, 0xFFFF)
    if least > most:
        least, most = most, least
    if most < 0x100:
        return 0
    if least == most:
        return 0 if keys.sad.spi_taken(dst, least) else least
    least = max(least, 0x100)
    for count in range(values["net.key.spi_trycnt"]):
        spi = least + _draw(ask.octets, count) % (most - least + 1)
        if not keys.sad.spi_taken(dst, spi):
            return spi
    return 0


def _draw(octets: Callable[[int], bytes] | None, count: int) -> int:
    return count if octets is None else int.from_bytes(octets(4), "big")


def _answered(keys: KeyEngine, seq: int) -> None:
    """A daemon has heard the question `seq`: its packets may be counted anew."""
    question = keys.acquires.by_seq(seq) if seq else None
    if question is not None:
        question.created, question.count = keys.now, 0


def _check_parts(message: pfkey.Message) -> None:
    """What add and update must bring (KAME key_add, key_update). EINVAL: a part is missing."""
    _sa(message)
    _ends(message)
    if message.satype == pfkey.SADB_SATYPE_ESP and message.get(pfkey.SADB_EXT_KEY_ENCRYPT) is None:
        raise Errno(EINVAL, "no encryption key in the message")
    if message.satype == pfkey.SADB_SATYPE_AH and message.get(pfkey.SADB_EXT_KEY_AUTH) is None:
        raise Errno(EINVAL, "no authentication key in the message")
    hard, soft = message.get(pfkey.SADB_EXT_LIFETIME_HARD), message.get(pfkey.SADB_EXT_LIFETIME_SOFT)
    if (hard is None) != (soft is None):
        raise Errno(EINVAL, "one lifetime without the other")


def _limits(message: pfkey.Message, kind: int) -> Lifetime:
    limits = message.get(kind)
    if not isinstance(limits, pfkey.Lifetime):
        return NO_LIMIT
    return Lifetime(limits.allocations, limits.octets, limits.addtime, limits.usetime)


def _key(message: pfkey.Message, kind: int) -> bytes:
    key = message.get(kind)
    return key.data if isinstance(key, pfkey.Key) else b""


def _fill(keys: KeyEngine, sa: Sa, message: pfkey.Message) -> None:
    """Give an association what the message says, and judge it (KAME key_setsaval, key_mature). Errno: EINVAL."""
    wanted = _sa(message)
    if sa.proto != pfkey.IPPROTO_IPCOMP and wanted.spi <= 255:
        raise Errno(EINVAL, f"illegal range of SPI {wanted.spi}")
    sa.flags = wanted.flags & _FLAGS
    sa.esn = bool(wanted.flags & pfkey.SADB_X_EXT_ESN)
    sa.replay = wanted.replay
    sa.aalg = wanted.auth
    sa.ealg, sa.calg = (0, wanted.encrypt) if sa.proto == pfkey.IPPROTO_IPCOMP else (wanted.encrypt, 0)
    sa.akey = _key(message, pfkey.SADB_EXT_KEY_AUTH)
    sa.ekey = _key(message, pfkey.SADB_EXT_KEY_ENCRYPT)
    sa.hard = _limits(message, pfkey.SADB_EXT_LIFETIME_HARD)
    sa.soft = _limits(message, pfkey.SADB_EXT_LIFETIME_SOFT)
    sa.changed()
    if sa.proto == pfkey.IPPROTO_IPCOMP and (sa.akey or sa.ekey):
        raise Errno(EINVAL, "a key for IPComp")
    try:
        algorithms.check(sa)
    except algorithms.AlgorithmError as error:
        raise Errno(EINVAL, error.reason) from None


def add(keys: KeyEngine, ask: Ask) -> None:
    """Add a whole association. Errno: EINVAL for what is missing or can't be, EEXIST for the same addresses and SPI."""
    message = ask.message
    _check_parts(message)
    src, dst = _ends(message)
    mode, reqid = _mode(message)
    proto = pfkey.SATYPE_PROTO[message.satype]
    spi = _sa(message).spi
    if keys.sad.find(src, dst, proto, spi) is not None:
        raise Errno(EEXIST, "SA already exists")
    sa = Sa(
        proto,
        spi,
        src,
        dst,
        mode=mode,
        reqid=reqid,
        state=sa_state.first("add"),
        created=keys.now,
        pid=message.pid,
        sadb_seq=message.seq,
    )
    _fill(keys, sa, message)
    keys.insert(sa)
    keys.sendup("all", message._replace(extensions=without_keys(message)))


def update(keys: KeyEngine, ask: Ask) -> None:
    """Make a larval association mature; it is found by the sequence number of its getspi, else by its SPI.

    Errno: EINVAL for what is missing or can't be, ENOENT where there is no such pair or no such larval one.
    """
    message = ask.message
    _check_parts(message)
    src, dst = _ends(message)
    mode, reqid = _mode(message)
    proto = pfkey.SATYPE_PROTO[message.satype]
    wanted = _sa(message)
    group = keys.sad.groups.get((src, dst, proto, mode, reqid))
    if group is None:
        raise Errno(ENOENT, "no SA index found")
    larval = [sa for sa in group.sas if sa.state == LARVAL]
    if message.seq:
        found = [sa for sa in larval if sa.sadb_seq == message.seq]
        if not found:
            raise Errno(ENOENT, f"no larval SA with sequence {message.seq} exists")
    else:
        found = [sa for sa in larval if sa.spi == wanted.spi]
        if not found:
            raise Errno(EINVAL, "no such a SA found")
    sa = found[0]
    if sa.spi != wanted.spi:
        raise Errno(EINVAL, "SPI mismatched")
    if sa.pid != message.pid:
        raise Errno(EINVAL, "pid mismatched")
    try:
        _fill(keys, sa, message)
    except Errno:
        keys.kill(sa, "delete")
        raise
    # The age of an association counts from its keys.
    sa.created = keys.now
    sa_state.move(sa, "update")
    keys.watch(key_life.due(keys, sa))
    keys.sendup("all", message._replace(extensions=without_keys(message)))


# -- reading and deleting ------------------------------------------------------------------------------------------


def delete(keys: KeyEngine, ask: Ask) -> None:
    """Delete one association, or, in a message without SA, all of the pair but larval ones.

    Errno: ENOENT where there is no such association; "all of none" is right.
    """
    message = ask.message
    src, dst = _ends(message)
    proto = pfkey.SATYPE_PROTO[message.satype]
    ends = tuple(
        extension
        for extension in (message.get(pfkey.SADB_EXT_ADDRESS_SRC), message.get(pfkey.SADB_EXT_ADDRESS_DST))
        if extension is not None
    )
    wanted = message.get(pfkey.SADB_EXT_SA)
    if not isinstance(wanted, pfkey.Sa):
        for group in list(keys.sad.by_pair.get((src, dst, proto), {}).values()):
            for sa in list(group.sas):
                if sa.state not in (LARVAL, DEAD):
                    keys.kill(sa, "delete")
        keys.sendup("all", message._replace(extensions=ends))
        return
    found = keys.sad.find(src, dst, proto, wanted.spi)
    if found is None:
        raise Errno(ENOENT, "no SA found")
    keys.kill(found, "delete")
    keys.sendup("all", message._replace(extensions=(wanted, *ends)))


def get(keys: KeyEngine, ask: Ask) -> None:
    """One association, keys included. Errno: ENOENT where there is none such."""
    message = ask.message
    wanted = _sa(message)
    src, dst = _ends(message)
    sa = keys.sad.find(src, dst, pfkey.SATYPE_PROTO[message.satype], wanted.spi)
    if sa is None:
        raise Errno(ENOENT, "no SA found")
    keys.sendup("one", dump_sa(sa, message.type, message.seq, message.pid, keys.epoch))


def dump(keys: KeyEngine, ask: Ask) -> None:
    """All associations of a kind, or all: newest pair first; seq counts down to 0. Errno: ENOENT for none."""
    proto = pfkey.SATYPE_PROTO.get(ask.message.satype, 0)
    sas = [sa for sa in keys.sad if proto in (0, sa.proto)]
    if not sas:
        raise Errno(ENOENT, "no SA")
    for left, sa in zip(range(len(sas) - 1, -1, -1), sas, strict=True):
        keys.sendup("one", dump_sa(sa, ask.message.type, left, ask.message.pid, keys.epoch))


def flush(keys: KeyEngine, ask: Ask) -> None:
    """All associations of a kind, or all, go."""
    proto = pfkey.SATYPE_PROTO.get(ask.message.satype, 0)
    for sa in list(keys.sad):
        if proto in (0, sa.proto) and sa.state != DEAD:
            keys.kill(sa, "delete")
    keys.sendup("all", ask.message._replace(extensions=()))


# -- daemons -------------------------------------------------------------------------------------------------------


def acquire(keys: KeyEngine, ask: Ask) -> None:
    """A daemon gives up (a bare message), or user land asks for an association.

    Errno: EINVAL for what is missing, EEXIST where there is one already.
    """
    message = ask.message
    if not message.extensions:
        _answered(keys, message.seq)
        return
    src, dst = _ends(message)
    mode, reqid = _mode(message)
    if message.get(pfkey.SADB_EXT_PROPOSAL) is None:
        raise Errno(EINVAL, "no proposal in the message")
    index = (src, dst, pfkey.SATYPE_PROTO[message.satype], mode, reqid)
    if index in keys.sad.groups:
        raise Errno(EEXIST, "a SA exists already")
    keys.acquire(index, None, keys.now)
    keys.sendup("registered", message)


def register(keys: KeyEngine, ask: Ask) -> None:
    """A socket wants to hear of a kind of SA; the answer lists the algorithms. Without a kind it only asks for them.

    Errno: EEXIST where it is registered already.
    """
    satype = ask.message.satype
    if satype:
        sockets = keys.registered.setdefault(satype, [])
        if ask.socket in sockets:
            raise Errno(EEXIST, "socket exists already")
        sockets.append(ask.socket)
    keys.sendup("registered", ask.message._replace(extensions=supported()))


def promisc(keys: KeyEngine, ask: Ask) -> None:
    """Wish for all messages (SA type 1) or no more (0); a message with another inside is passed on to all.

    Errno: EINVAL for another SA type.
    """
    message = ask.message
    if message.payload:
        keys.outbox.append(("all", message.payload))
        return
    if message.satype not in (0, 1):
        raise Errno(EINVAL, f"SA type {message.satype}")
    if message.satype and ask.socket not in keys.promiscuous:
        keys.promiscuous.append(ask.socket)
    elif not message.satype and ask.socket in keys.promiscuous:
        keys.promiscuous.remove(ask.socket)
    keys.sendup("all", message)
