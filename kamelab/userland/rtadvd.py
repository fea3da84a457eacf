"""rtadvd(8): the daemon that advertises a router on its links.

KAME `rtadvd.c`; RFC 4861 6.2. Unsolicited advertisements at random times between two bounds, the first three at most
16 s apart; solicitations are answered by multicast after a random 0 to 0.5 s, never within 3 s of the advertisement
before; on SIGTERM three advertisements with router lifetime 0. Without addr in `rtadvd.conf` the interface's own
prefixes are advertised, as they are at the time.

With -R it also obeys router renumbering commands (`rtadvd_rr`). All its state is in one `State`. Left out: mobile IPv6
(-m).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import ENOENT, Errno
from kamelab.stack.views import AddressRow, InterfaceRow, PrefixRow
from kamelab.userland import daemon, rtadvd_conf, rtadvd_ra, rtadvd_rr
from kamelab.userland.getopt import Fault, getopt
from kamelab.userland.probe import NS
from kamelab.userland.proc import SIGTERM, SIGUSR1, Signal
from kamelab.wire import ether, icmp6, in6, ip6

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: rtadvd [-dDfRs] [-c configfile] [-M interface] interfaces...\n"

MAX_INITIAL_INTERVAL: Final = 16 * NS
"""MAX_INITIAL_RTR_ADVERT_INTERVAL (RFC 4861 10)."""
MAX_INITIAL: Final = 3
MAX_FINAL: Final = 3
MIN_DELAY: Final = 3 * NS
"""MIN_DELAY_BETWEEN_RAS."""
MAX_RA_DELAY: Final = NS // 2
"""MAX_RA_DELAY_TIME: the most that an answer to a solicitation waits."""
PID_FILE: Final = "/var/run/rtadvd.pid"
DUMP_FILE: Final = "/var/run/rtadvd.dump"

_UP, _LOOPBACK = 1, 8
_MAX_PEERS: Final = 16
"""Other routers whose inconsistencies are remembered, so that each is logged once."""


@dataclass
class Link:
    """One advertising interface."""

    config: rtadvd_conf.Config
    index: int
    next_at: int = 0
    """When the next advertisement is due, ns since boot."""
    last_at: int | None = None
    sent: int = 0
    solicited: int = 0
    heard: int = 0
    """Advertisements of other routers."""
    inconsistent: int = 0
    silent: str = ""
    """Why nothing is sent, as logged last."""
    patience: int = NS
    """How long to wait before the next try while nothing can be sent: 1 s, then twice as long each time, to 16 s."""
    peers: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    """What each other router says otherwise, as logged last."""


@dataclass
class State:
    """Everything the daemon knows."""

    fd: int
    links: list[Link]
    foreground: bool
    debug: int
    """1 with -d: what is sent; 2 with -D: what is heard too."""
    static: bool
    renumbering: rtadvd_rr.Memory | None = None
    """There with -R."""
    final: int = 0
    """Last advertisements still to send, once SIGTERM came."""
    final_at: int = 0


async def main(proc: Proc, argv: list[str]) -> int:
    """Advertise until SIGTERM; status 0 then, 1 if it can't start."""
    state = daemon.state_of(proc, argv, USAGE, State, _begin)
    if state is None:
        return 1
    while True:
        proc.keep(state)
        try:
            if state.final:
                if await _last_words(proc, state):
                    return 0
            else:
                await _turn(proc, state)
        except Signal as signal:
            if signal.number == SIGTERM:
                if not state.final:
                    state.final, state.final_at = MAX_FINAL, proc.time()
            elif signal.number == SIGUSR1:
                daemon.write_dump(proc, DUMP_FILE, dump(state, proc.time()))
            else:
                raise


# -- setting up ----------------------------------------------------------------------------------------------------


def _begin(proc: Proc, argv: list[str]) -> State:
    """Read the configuration, join the groups, arm the timers, become a daemon. Raises Fault, GetoptError."""
    pairs, names = getopt(argv, "c:dDfM:mRs")
    path, site, flags = "", "", set()
    for letter, value in pairs:
        flag = letter.lstrip("-")
        flags.add(flag)
        if flag == "c":
            path = value
        elif flag == "M":
            site = value
        elif flag == "m":
            raise Fault("-m is not built yet")
    if not names:
        raise Fault
    text = _read(proc, path)
    rows: dict[str, InterfaceRow] = {row.name: row for row in proc.rows("interfaces")}
    links = []
    for name in dict.fromkeys(names):
        row = rows.get(name)
        if row is None:
            raise Fault(f"interface {name} does not exist")
        if row.flags & _LOOPBACK:
            raise Fault(f"{name} is a loopback interface: nobody listens there")
        try:
            config = rtadvd_conf.config(name, text, row.mtu, path or rtadvd_conf.PATH)
        except rtadvd_conf.ConfError as error:
            raise Fault(str(error)) from None
        links.append(Link(config, row.index))
    speaks = [link.config.name for link in links if link.config.rltime]
    if speaks and not proc.sysctl("net.inet6.ip6.forwarding"):
        raise Fault(
            f"net.inet6.ip6.forwarding is 0: a host must not advertise itself as a router on {' '.join(speaks)};"
            " set it to 1, or rltime#0 in rtadvd.conf"
        )
    groups = [(in6.ALLROUTERS, link.index, link.config.name) for link in links]
    if "R" in flags:
        if site and site not in rows:
            raise Fault(f"interface {site} does not exist")
        chosen = rows[site or links[0].config.name]
        groups.append((rtadvd_rr.SITE_ALLROUTERS, chosen.index, chosen.name))
    elif site:
        proc.error("rtadvd: warning: -M means nothing without -R\n")
    memory = rtadvd_rr.Memory() if "R" in flags else None
    fd = _socket(proc, groups, renumbering="R" in flags)
    debug = 2 if "D" in flags else int("d" in flags)
    state = State(fd, links, "f" in flags, debug, "s" in flags, memory)
    now = proc.time()
    for link in links:
        for prefix in link.config.prefixes:
            prefix.since = now
        link.next_at = now + _interval(proc, link)
    daemon.detach(proc, PID_FILE, foreground=state.foreground)
    return state


def _read(proc: Proc, path: str) -> str:
    """The configuration; none at all is one too, unless it was asked for by name."""
    try:
        return proc.read_file(path or rtadvd_conf.PATH)
    except Errno as error:
        if not path and error.number == ENOENT:
            return ""
        raise Fault(f"{path or rtadvd_conf.PATH}: {error}") from None


def _socket(proc: Proc, groups: list[tuple[bytes, int, str]], *, renumbering: bool) -> int:
    """The socket, in the groups: (address, interface index, interface name)."""
    types = (icmp6.ROUTER_SOLICIT, icmp6.ROUTER_ADVERT)
    try:
        fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
        proc.setsockopt(fd, "ICMP6_FILTER", (*types, icmp6.ROUTER_RENUMBER) if renumbering else types)
        proc.setsockopt(fd, "IPV6_MULTICAST_LOOP", False)
    except Errno as error:
        raise Fault(f"socket: {error}") from None
    for group, index, name in groups:
        try:
            proc.setsockopt(fd, "IPV6_JOIN_GROUP", (group, index))
        except Errno as error:
            raise Fault(f"{name}: joining {in6.ntop(group)}: {error}") from None
    return fd


def _interval(proc: Proc, link: Link) -> int:
    """Nanoseconds to the next unsolicited advertisement (RFC 4861 6.2.4)."""
    low, high = link.config.mininterval * NS, link.config.maxinterval * NS
    interval = low + proc.random(high - low + 1)
    return min(interval, MAX_INITIAL_INTERVAL) if link.sent < MAX_INITIAL else interval


# -- the loop ------------------------------------------------------------------------------------------------------


async def _turn(proc: Proc, state: State) -> None:
    """Send what is due, else wait for the next time or message."""
    now = proc.time()
    due = [link for link in state.links if link.next_at <= now]
    for link in due:
        # Until duplicate address detection is over, or while the link is down, there is no address to send from.
        if _output(proc, state, link, now) is None:
            link.next_at = now + link.patience
            link.patience = min(2 * link.patience, MAX_INITIAL_INTERVAL)
        else:
            link.next_at = now + _interval(proc, link)
            link.patience = NS
    if due:
        return
    message = await proc.recvmsg(state.fd, min(link.next_at for link in state.links) - now)
    if message is None:
        return
    if state.renumbering is not None and message.data[:1] == bytes((icmp6.ROUTER_RENUMBER,)):
        if rtadvd_rr.rr_input(proc, state.renumbering, message, lambda text: _log(proc, state, text)):
            for link in state.links:
                _hasten(proc, link, message.time)
        return
    for link in state.links:
        if link.index == message.ifindex:
            _input(proc, state, link, message)


def _hasten(proc: Proc, link: Link, now: int) -> None:
    """What is advertised has changed: tell it within 16 s (RFC 4861 6.2.4)."""
    at = now + proc.random(MAX_INITIAL_INTERVAL)
    if link.last_at is not None:
        at = max(at, link.last_at + MIN_DELAY)
    link.next_at = min(link.next_at, at)


async def _last_words(proc: Proc, state: State) -> bool:
    """One of the final advertisements, or the wait before it; True after the last (RFC 4861 6.2.5)."""
    now = proc.time()
    if now < state.final_at:
        await proc.sleep(state.final_at - now)
        return False
    for link in state.links:
        _output(proc, state, link, now, final=True)
    state.final -= 1
    state.final_at = now + MIN_DELAY
    if state.final:
        return False
    daemon.ended(proc, PID_FILE)
    return True


def _output(proc: Proc, state: State, link: Link, now: int, *, final: bool = False) -> bool | None:
    """Send one advertisement. False if that failed, None if the link-local address is still tentative."""
    config = link.config
    row: InterfaceRow | None = next((row for row in proc.rows("interfaces") if row.name == config.name), None)
    addresses: list[AddressRow] = [one for one in proc.rows("addresses") if one.interface == config.name]
    source = _linklocal(addresses)
    silent = ""
    if row is None or not row.flags & _UP:
        silent = f"{config.name} is not up, no RA is sent"
    elif source is None:
        silent = f"{config.name} has no usable link-local address, no RA is sent"
    if silent and silent != link.silent:
        _log(proc, state, silent)
    link.silent = silent
    if row is None or source is None or silent:
        return False
    if "tentative" in source.flags:
        return None
    if not state.static:
        _refresh(proc, state, link, addresses, now)
    lifetime = 0 if final or not proc.sysctl("net.inet6.ip6.forwarding") else config.rltime
    lladdr = ether.mac_pton(row.lladdr) if row.lladdr else b""
    message = rtadvd_ra.advertisement(config, lladdr, now, lifetime)
    pktinfo = (_octets(source.address), link.index)
    link.last_at = now
    try:
        proc.sendmsg(state.fd, message, in6.ALLNODES, 0, link.index, pktinfo=pktinfo, hoplimit=255)
    except Errno as error:
        _log(proc, state, f"sendmsg on {config.name}: {error}")
        return False
    link.sent += 1
    _debug(proc, state, f"RA sent on {config.name}, lifetime {lifetime}, {len(config.prefixes)} prefixes")
    return True


def _octets(text: str) -> bytes:
    return in6.pton(text.partition("%")[0])


def _linklocal(addresses: list[AddressRow]) -> AddressRow | None:
    """The link-local address to send from, preferably one that is ready; None for none but duplicates."""
    found = [one for one in addresses if in6.is_linklocal(_octets(one.address)) and "duplicated" not in one.flags]
    return min(found, key=lambda one: "tentative" in one.flags, default=None)


def _refresh(proc: Proc, state: State, link: Link, addresses: list[AddressRow], now: int) -> None:
    """Take over what the kernel's prefixes have become since the last advertisement."""
    config = link.config
    if any(one.static for one in config.prefixes):
        return
    there = _kernel_prefixes(proc, config, addresses, now)
    kept = []
    for one in config.prefixes:
        found = there.pop((one.prefix, one.plen), None)
        if found is not None:
            if found.router or one.router:
                one = found
            one.gone_at = None
        elif one.gone_at is None:
            one.gone_at = now
            _log(proc, state, f"prefix {in6.ntop(one.prefix)}/{one.plen} is gone from {config.name}")
        if one.gone_at is None or now - one.gone_at < rtadvd_ra.GONE_FOR:
            kept.append(one)
    for one in there.values():
        kept.append(one)
        _debug(proc, state, f"prefix {in6.ntop(one.prefix)}/{one.plen} is advertised on {config.name}")
    config.prefixes = kept[: rtadvd_conf.MAX_PREFIXES]


def _kernel_prefixes(
    proc: Proc, config: rtadvd_conf.Config, addresses: list[AddressRow], now: int
) -> dict[tuple[bytes, int], rtadvd_conf.Prefix]:
    """What the kernel has to advertise on an interface: prefixes of addresses, and router prefixes on their terms."""
    out = {}
    for address in addresses:
        addr = _octets(address.address)
        if not in6.is_linklocal(addr) and address.plen < 128:
            prefix = in6.mask(addr, address.plen)
            out[prefix, address.plen] = replace(config.pattern, prefix=prefix, plen=address.plen, since=now)
    rows: tuple[PrefixRow, ...] = proc.rows("prefixes")
    for row in rows:
        if row.interface != config.name or row.origin not in ("RR", "static"):
            continue
        one = rtadvd_conf.Prefix(_octets(row.prefix), row.plen, row.onlink, row.autonomous, static=False, router=True)
        one.vltime = row.vltime if row.expire is None else max(0, row.expire - now) // NS
        one.pltime = min(one.vltime, row.pltime if row.pexpire is None else max(0, row.pexpire - now) // NS)
        out[one.prefix, one.plen] = one
    return out


def _input(proc: Proc, state: State, link: Link, message: Message) -> None:
    """A solicitation, or another router's advertisement; anything invalid is passed over in silence."""
    if rtadvd_ra.valid_solicitation(message):
        link.solicited += 1
        _debug(proc, state, f"RS received from {in6.ntop(message.addr)}%{link.config.name}", 2)
        delay = proc.random(MAX_RA_DELAY)
        at = message.time + delay
        if link.last_at is not None and message.time - link.last_at < MIN_DELAY:
            at = link.last_at + MIN_DELAY + delay
        link.next_at = min(link.next_at, at)
        return
    found = rtadvd_ra.valid_advertisement(message)
    if found is None:
        return
    link.heard += 1
    now = message.time
    _debug(proc, state, f"RA received from {in6.ntop(message.addr)}%{link.config.name}", 2)
    for info in found[1].prefixes:
        if not any((info.prefix, info.plen) == (one.prefix, one.plen) for one in link.config.prefixes):
            _debug(proc, state, f"prefix {in6.ntop(info.prefix)}/{info.plen} of it is not in our list", 2)
    said = rtadvd_ra.differences(link.config, *found, now)
    link.inconsistent += bool(said)
    if said != link.peers.get(message.addr, ()):
        sender = f"{in6.ntop(message.addr)}%{link.config.name}"
        for text in said:
            _log(proc, state, f"RA from {sender}: {text}")
        link.peers.pop(message.addr, None)
        if said:
            link.peers[message.addr] = said
        if len(link.peers) > _MAX_PEERS:
            del link.peers[next(iter(link.peers))]


def _log(proc: Proc, state: State, text: str) -> None:
    daemon.log(proc, text, foreground=state.foreground)


def _debug(proc: Proc, state: State, text: str, level: int = 1) -> None:
    if state.debug >= level:
        _log(proc, state, text)


def dump(state: State, now: int) -> list[str]:
    """What SIGUSR1 writes: each interface's parameters, counts and prefixes, times in seconds."""
    out = []
    if state.renumbering is not None:
        memory = state.renumbering
        out.append(
            f"router renumbering: sequence number {memory.seqnum}, commands {memory.heard},"
            f" dropped {memory.dropped}, operations applied {memory.applied}"
        )
    for link in state.links:
        config = link.config
        flags = ("M" if config.managed else "") + ("O" if config.other else "")
        preference = {1: "high", 0: "medium", -1: "low"}[config.preference]
        out += [
            f"{config.name}:",
            f"  next RA in {max(0, link.next_at - now) / NS:.3f} s, intervals {config.mininterval} to"
            f" {config.maxinterval} s",
            f"  RAs sent {link.sent}, RSs received {link.solicited}, other RAs {link.heard},"
            f" inconsistent {link.inconsistent}",
            f"  lifetime {config.rltime} s, flags {flags or 'none'}, preference {preference}",
            f"  hop limit {config.chlim}, reachable {config.rtime} ms, retrans {config.retrans} ms,"
            f" MTU {config.mtu or 'none'}",
        ]
        for one in config.prefixes:
            valid, preferred = rtadvd_ra.lifetimes(one, now)
            origin = "config" if one.static else "prefix" if one.router else "kernel"
            bits = ("L" if one.onlink else "") + ("A" if one.autonomous else "")
            out.append(
                f"  prefix {in6.ntop(one.prefix)}/{one.plen} ({origin}) flags {bits or 'none'},"
                f" vltime {valid}, pltime {preferred}"
            )
    return out
