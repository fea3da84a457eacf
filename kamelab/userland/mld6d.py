"""mld6d(8): the MLD half of a multicast router, a program of kamelab's own.

In the KAME kit the routing daemons pim6sd and pim6dd ask for listeners; they come with multicast routing. This one
elects a querier on each link, asks, listens, and knows who is there: RFC 2710 6 and 7, with -2 RFC 3810 7. Nothing is
forwarded. All its state is in one `State`; the tables of version 2 are in `mld6d_group`.

Left out: telling anybody but the dump file; interfaces that come while it runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.stack.views import AddressRow, InterfaceRow
from kamelab.userland import daemon, mld6d_group
from kamelab.userland.getopt import Fault, getopt
from kamelab.userland.mld6d_group import Group, Times
from kamelab.userland.probe import NS, integer
from kamelab.userland.proc import SIGTERM, SIGUSR1, Signal
from kamelab.wire import exthdr, icmp6, in6, ip6, mld
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: mld6d [-2df] [-q seconds] [-r robustness] [-w milliseconds]\n             [-i interface]...\n"

PID_FILE: Final = "/var/run/mld6d.pid"
DUMP_FILE: Final = "/var/run/mld6d.dump"
QUERY_INTERVAL: Final = 125
RESPONSE_INTERVAL: Final = 10_000
ROBUSTNESS: Final = 2
LAST_INTERVAL: Final = NS
"""LAST_LISTENER_QUERY_INTERVAL (RFC 2710 7.8)."""
MAX_GROUPS: Final = 1024
"""Groups remembered a link; further ones are not heard until some are gone."""
V2_ROUTERS: Final = in6.pton("ff02::16")

_UP, _LOOPBACK, _MULTICAST = 1, 8, 0x8000
_MS: Final = 1_000_000
_MAX_QUERY_SOURCES: Final = 70
"""Sources that a query of 1280 octets has room for."""


@dataclass
class Link:
    """One interface on which listeners are asked for. Times are nanoseconds since boot."""

    name: str
    index: int
    times: Times
    querier: bool = True
    other: bytes = b""
    """The querier, when that is somebody else."""
    other_until: int = 0
    startup: int = 0
    """First queries, closer together, that are still to be sent."""
    query_at: int = 0
    patience: int = NS
    """How long to wait before the next try while nothing can be sent, to 16 s."""
    silent: str = ""
    """Why nothing is sent, as logged last."""
    groups: dict[bytes, Group] = field(default_factory=dict)
    queries: int = 0
    reports: int = 0
    dones: int = 0
    heard: int = 0
    """Queries of others."""
    overflow: bool = False


@dataclass
class State:
    """Everything the daemon knows."""

    fd: int
    links: list[Link]
    version: int
    foreground: bool
    debug: bool


async def main(proc: Proc, argv: list[str]) -> int:
    """Ask and listen until SIGTERM; status 0 then, 1 if it can't start."""
    state = daemon.state_of(proc, argv, USAGE, State, _begin)
    if state is None:
        return 1
    while True:
        proc.keep(state)
        try:
            await _turn(proc, state)
        except Signal as signal:
            if signal.number == SIGTERM:
                daemon.ended(proc, PID_FILE)
                return 0
            if signal.number != SIGUSR1:
                raise
            daemon.write_dump(proc, DUMP_FILE, dump(state, proc.time()))


# -- setting up ----------------------------------------------------------------------------------------------------


def _begin(proc: Proc, argv: list[str]) -> State:
    """Options, the socket, the groups of routers. Raises Fault, GetoptError."""
    pairs, rest = getopt(argv, "2dfi:q:r:w:")
    flags, names = set(), []
    numbers = {"q": QUERY_INTERVAL, "r": ROBUSTNESS, "w": RESPONSE_INTERVAL}
    bounds = {"q": (1, 31744), "r": (1, 7), "w": (1, 65535)}
    for letter, value in pairs:
        flag = letter.lstrip("-")
        flags.add(flag)
        if flag == "i":
            names.append(value)
        elif flag in numbers:
            number = integer(value, *bounds[flag])
            if number is None:
                low, high = bounds[flag]
                raise Fault(f"-{flag} {value}: a number from {low} to {high} is wanted")
            numbers[flag] = number
    if rest:
        raise Fault
    if numbers["w"] >= numbers["q"] * 1000:
        raise Fault("-w must be less than -q: answers have to come before the next query")
    if not proc.sysctl("net.inet6.ip6.forwarding"):
        raise Fault("net.inet6.ip6.forwarding is 0: a host hears no reports for groups of others; set it to 1")
    times = Times(numbers["r"], numbers["q"] * NS, numbers["w"] * _MS, LAST_INTERVAL)
    links = [Link(row.name, row.index, times) for row in _chosen(proc, names)]
    version = 2 if "2" in flags else 1
    state = State(_socket(proc, links, version), links, version, "f" in flags, "d" in flags)
    now = proc.time()
    for link in links:
        link.startup = times.robustness
        link.query_at = now
    daemon.detach(proc, PID_FILE, foreground=state.foreground)
    return state


def _chosen(proc: Proc, names: list[str]) -> list[InterfaceRow]:
    rows: dict[str, InterfaceRow] = {row.name: row for row in proc.rows("interfaces")}
    for name in names:
        if name not in rows:
            raise Fault(f"interface {name} does not exist")
        if rows[name].flags & _LOOPBACK or not rows[name].flags & _MULTICAST:
            raise Fault(f"{name}: nobody can be asked there")
    chosen = [rows[name] for name in dict.fromkeys(names)] or [
        row for row in rows.values() if not row.flags & _LOOPBACK and row.flags & _MULTICAST
    ]
    if not chosen:
        raise Fault("no interface that can do multicast")
    return chosen


def _socket(proc: Proc, links: list[Link], version: int) -> int:
    """The socket: it hears every group, and the node becomes a member of the routers' groups."""
    types = (icmp6.MLD_QUERY, icmp6.MLD_REPORT, icmp6.MLD_DONE)
    groups = [in6.UNSPECIFIED, in6.ALLROUTERS] + [V2_ROUTERS] * (version == 2)
    try:
        fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
        proc.setsockopt(fd, "ICMP6_FILTER", (*types, icmp6.MLDV2_REPORT) if version == 2 else types)
        for link in links:
            for group in groups:
                proc.setsockopt(fd, "IPV6_JOIN_GROUP", (group, link.index))
    except Errno as error:
        raise Fault(f"socket: {error}") from None
    return fd


# -- the loop ------------------------------------------------------------------------------------------------------


async def _turn(proc: Proc, state: State) -> None:
    """Do what is due, else wait for the next time or message."""
    now = proc.time()
    deadlines = []
    for link in state.links:
        _due(proc, state, link, now)
        deadlines += [link.query_at if link.querier else link.other_until]
        deadlines += [at for at in (group.deadline() for group in link.groups.values()) if at is not None]
    message = await proc.recvmsg(state.fd, max(1, min(deadlines) - now))
    if message is None:
        return
    for link in state.links:
        if link.index == message.ifindex:
            _input(proc, state, link, message)


def _due(proc: Proc, state: State, link: Link, now: int) -> None:
    """Queries to send, groups to forget, a querier that is gone."""
    if not link.querier and link.other_until <= now:
        _log(proc, state, f"{link.name}: querier {in6.ntop(link.other)} is gone, this router asks now")
        link.querier, link.other = True, b""
        link.query_at = now
    if link.querier and link.query_at <= now:
        sent = _query(proc, state, link, in6.UNSPECIFIED, ())
        if sent:
            link.patience = NS
            if link.startup:
                link.startup -= 1
            link.query_at = now + (link.times.startup if link.startup else link.times.query)
        else:
            link.query_at = now + link.patience
            link.patience = min(2 * link.patience, 16 * NS)
    for group in list(link.groups.values()):
        if not mld6d_group.expire(group, now):
            del link.groups[group.addr]
            link.overflow = False
            _debug(proc, state, f"{link.name}: nobody listens to {in6.ntop(group.addr)} any more")
            continue
        if (group.asks or group.source_asks) and group.ask_at <= now:
            _ask(proc, state, link, group, now)


def _ask(proc: Proc, state: State, link: Link, group: Group, now: int) -> None:
    """The queries about a group, and about sources of it, that are due."""
    if not link.querier:
        group.asks, group.source_asks = 0, {}
        return
    limit = now + link.times.leaving
    if group.asks:
        group.asks -= 1
        _query(proc, state, link, group.addr, (), suppress_timers=group.until > limit)
    sources = tuple(group.source_asks)[:_MAX_QUERY_SOURCES]
    group.source_asks = {
        source: left - (source in sources) for source, left in group.source_asks.items() if left > (source in sources)
    }
    # Whoever has been asked for by name since is asked for apart: other routers leave those alone.
    for kept in (False, True):
        asked = tuple(source for source in sources if (group.sources.get(source, 0) > limit) == kept)
        if asked:
            _query(proc, state, link, group.addr, asked, suppress_timers=kept)
    group.ask_at = now + link.times.last


def _query(
    proc: Proc, state: State, link: Link, addr: bytes, sources: tuple[bytes, ...], *, suppress_timers: bool = False
) -> bool:
    """Send a query; False if that can't be now. ``suppress_timers``: version 2's S flag."""
    silent = ""
    source = _linklocal(proc, link.name)
    if source is None:
        silent = f"{link.name} has no usable link-local address, or is down: no query is sent"
    if silent and silent != link.silent:
        _log(proc, state, silent)
    link.silent = silent
    if source is None:
        return False
    general = addr == in6.UNSPECIFIED
    delay = (link.times.response if general else link.times.last) // _MS
    if state.version == 1:
        body = mld.Mld(delay, addr).pack()
    else:
        body = mld.QueryV2(delay, addr, suppress_timers, link.times.robustness, link.times.query // NS, sources).pack()
    to = in6.ALLNODES if general else addr
    try:
        proc.sendmsg(
            state.fd, bytes((icmp6.MLD_QUERY, 0, 0, 0)) + body, to, 0, link.index, pktinfo=(source, link.index),
            hoplimit=1, control=(("IPV6_HOPOPTS", exthdr.router_alert(0)),),
        )  # fmt: skip
    except Errno as error:
        _log(proc, state, f"sendmsg on {link.name}: {error}")
        return False
    link.queries += 1
    about = "general" if general else in6.ntop(addr) + "".join(f" {in6.ntop(one)}" for one in sources)
    _debug(proc, state, f"{link.name}: query sent: {about}")
    return True


def _linklocal(proc: Proc, name: str) -> bytes | None:
    """The link-local address that queries are sent from; None while there is none that is ready."""
    rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
    if not any(row.name == name and row.flags & _UP for row in rows):
        return None
    addresses: tuple[AddressRow, ...] = proc.rows("addresses")
    for one in addresses:
        addr = in6.pton(one.address.partition("%")[0])
        if one.interface == name and in6.is_linklocal(addr):
            return None if {"tentative", "duplicated", "detached"} & set(one.flags) else addr
    return None


# -- what is heard -------------------------------------------------------------------------------------------------


def _input(proc: Proc, state: State, link: Link, message: Message) -> None:
    """A message that the kernel found good: hop limit 1, from a link-local address. Misfits are passed over."""
    data = message.data
    body = data[4:]
    try:
        if data[0] == icmp6.MLDV2_REPORT:
            records = mld.parse_v2_report(body)
        elif data[0] == icmp6.MLD_QUERY:
            _heard_query(proc, state, link, message, body)
            return
        else:
            addr = mld.Mld.parse(body).group
            kind = mld.IS_EX if data[0] == icmp6.MLD_REPORT else mld.TO_IN
            records = (mld.Record(kind, addr, ()),)
    except WireError:
        return
    if data[0] == icmp6.MLD_DONE:
        link.dones += 1
    else:
        link.reports += 1
    for record in records:
        _record(proc, state, link, message, record, version1=data[0] != icmp6.MLDV2_REPORT)


def _record(proc: Proc, state: State, link: Link, message: Message, record: mld.Record, *, version1: bool) -> None:
    """One group of a report (RFC 3810 7.4; for version 1 RFC 2710 6)."""
    addr, now, times = record.group, message.time, link.times
    if addr[0] != 0xFF or addr[1] & 0x0F < 2 or addr == in6.ALLNODES or record.type not in mld.RECORD_NAMES:
        return
    group = link.groups.get(addr)
    if group is None:
        joins = record.type in (mld.IS_EX, mld.TO_EX) or (record.sources and record.type != mld.BLOCK)
        if not joins:
            return
        if len(link.groups) >= MAX_GROUPS:
            if not link.overflow:
                _log(proc, state, f"{link.name}: {MAX_GROUPS} groups are listened to: further ones are not heard")
            link.overflow = True
            return
        group = link.groups[addr] = Group(addr, now)
        _debug(proc, state, f"{link.name}: {in6.ntop(message.addr)} listens to {in6.ntop(addr)}")
    leaving = version1 and record.type == mld.TO_IN
    if not leaving:
        group.reporter = message.addr
        if version1:
            group.version1_until = now + times.listener
    whole, sources = mld6d_group.heard(group, record.type, record.sources, now, times)
    if state.version == 1 and not leaving:
        group.asks = 0
    if not link.querier:
        return
    if whole and not (state.version == 1 and group.asks):
        mld6d_group.lower(group, (), now, times.leaving)
        group.asks, group.ask_at = times.robustness, now
    # Those whose time is short already are being asked for: what came is a repetition (RFC 3810 7.6.3.2).
    sources = tuple(source for source in sources if group.sources.get(source, 0) > now + times.leaving)
    if sources and state.version == 2:
        mld6d_group.lower(group, sources, now, times.leaving)
        group.source_asks.update(dict.fromkeys(sources, times.robustness))
        group.ask_at = now


def _heard_query(proc: Proc, state: State, link: Link, message: Message, body: bytes) -> None:
    """Another router asks: the one with the lowest address goes on (RFC 2710 6, RFC 3810 7.6)."""
    own = _linklocal(proc, link.name)
    if own is None or message.addr == own:
        return
    link.heard += 1
    now = message.time
    version = 2 if len(body) >= mld.QUERY_V2_LEN else 1
    if version != state.version and link.heard == 1:
        _log(
            proc, state, f"{link.name}: querier {in6.ntop(message.addr)} speaks version {version}, not {state.version}"
        )
    sources: tuple[bytes, ...] = ()
    suppress_timers = False
    if version == 2 and state.version == 2:
        query = mld.QueryV2.parse(body)
        delay, addr, sources, suppress_timers = query.max_delay, query.group, query.sources, query.suppress
    else:
        delay, addr = mld.Mld.parse(body)
    if message.addr < own:
        if link.querier:
            _log(proc, state, f"{link.name}: {in6.ntop(message.addr)} asks, this router keeps silent")
        link.querier, link.other, link.startup = False, message.addr, 0
        link.other_until = now + link.times.other_querier
    if not link.querier and addr in link.groups and not suppress_timers:
        mld6d_group.lower(link.groups[addr], sources, now, link.times.robustness * delay * _MS)


# -- what is told --------------------------------------------------------------------------------------------------


def _log(proc: Proc, state: State, text: str) -> None:
    daemon.log(proc, text, foreground=state.foreground)


def _debug(proc: Proc, state: State, text: str) -> None:
    if state.debug:
        _log(proc, state, text)


def dump(state: State, now: int) -> list[str]:
    """What SIGUSR1 writes: each link's querier and its groups, times in seconds."""
    out = []
    for link in state.links:
        if link.querier:
            asks = f"this router asks, next query in {max(0, link.query_at - now) / NS:.3f} s"
        else:
            asks = f"querier {in6.ntop(link.other)}, for another {max(0, link.other_until - now) / NS:.3f} s"
        times = link.times
        out += [
            f"{link.name}: version {state.version}, {asks}",
            f"  robustness {times.robustness}, query interval {times.query // NS} s, response interval"
            f" {times.response // _MS} ms",
            f"  queries sent {link.queries}, heard {link.heard}; reports {link.reports}, dones {link.dones}",
        ]
        for addr in sorted(link.groups):
            out += _dump_group(link.groups[addr], now)
    return out


def _dump_group(group: Group, now: int) -> list[str]:
    line = f"  {in6.ntop(group.addr)} since {(now - group.since) / NS:.3f} s"
    if group.exclude:
        line += f", for another {max(0, group.until - now) / NS:.3f} s"
    line += f", last reporter {in6.ntop(group.reporter)}" if group.reporter else ""
    if now < group.version1_until:
        line += ", version 1 listeners"
    if group.asks or group.source_asks:
        line += ", being asked for"
    out = [line]
    for source in group.wanted(now):
        out.append(f"    from {in6.ntop(source)}, for another {(group.sources[source] - now) / NS:.3f} s")
    out += [f"    not from {in6.ntop(source)}" for source in group.refused(now)]
    return out
