"""rtsold(8): the daemon that solicits routers now, and again whenever an interface's link comes back.

KAME `rtsold.c`, `rtsol.c`, `probe.c`, KAME USAGE (``rtsold -m ep0 cnw0``); RFC 4861 6.3.7. An interface goes through
TENTATIVE (duplicate address detection runs), DELAY (a random 0 to 1 s), PROBE (up to three solicitations, 4 s apart)
to IDLE; DOWN stands for one that can't be used now. With -m the links are looked at every 3 s.

All its state is in one `State`. Left out: -O scripts, which are refused; ISATAP interfaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.stack.views import InterfaceRow
from kamelab.userland import daemon, rtsol
from kamelab.userland.getopt import Fault, getopt
from kamelab.userland.probe import NS
from kamelab.userland.proc import SIGTERM, SIGUSR1, Signal
from kamelab.userland.rtsol import DAD_TRIES, INTERVAL, LAST_WAIT, MAX_DELAY, MAX_SOLICITATIONS
from kamelab.wire import in6, ip6, nd

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: rtsold [-dDfFm1] interfaces...\n       rtsold [-dDfFm1] -a\n"

PROBE_INTERVAL: Final = 60 * NS
"""Between solicitations on media that can't report their state (-m), and between later looks at an address."""
POLL: Final = 3 * NS
"""Between two looks at an idle interface's link (-m)."""
PID_FILE: Final = "/var/run/rtsold.pid"
DUMP_FILE: Final = "/var/run/rtsold.dump"


@dataclass
class Interface:
    """One interface that is watched. Times are ns since boot."""

    name: str
    index: int
    lladdr: str
    carrier: bool
    """Its medium reports whether the link is there; one without link-layer addresses does not."""
    state: str = "TENTATIVE"
    """IDLE DELAY PROBE DOWN TENTATIVE"""
    at: int | None = 0
    """When the next thing is due; None: nothing is."""
    armed: int = 0
    """When ``at`` was set."""
    active: bool = True
    """The link was there at the last look."""
    probe_at: int | None = None
    """When the next periodic solicitation is due (-m, no carrier detection)."""
    probes: int = 0
    dadcount: int = 0
    adverts: int = 0
    """Valid advertisements heard."""
    other: bool = False
    """The O flag of the last advertisement."""
    told: str = ""
    """What is wrong with it, as logged last."""


@dataclass
class State:
    """Everything the daemon knows."""

    fd: int
    links: list[Interface]
    foreground: bool
    debug: bool
    mobile: bool
    once: bool


async def main(proc: Proc, argv: list[str]) -> int:
    """Watch until SIGTERM, or with -1 until each interface was served; status 0 then, 1 if it can't start."""
    state = daemon.state_of(proc, argv, USAGE, State, _begin)
    if state is None:
        return 1
    while True:
        proc.keep(state)
        try:
            if not await _turn(proc, state):
                break
        except Signal as signal:
            if signal.number == SIGUSR1:
                daemon.write_dump(proc, DUMP_FILE, dump(state, proc.time()))
            elif signal.number == SIGTERM:
                break
            else:
                raise
    daemon.ended(proc, PID_FILE)
    return 0


def _begin(proc: Proc, argv: list[str]) -> State:
    """Read the command line, see to the interfaces, become a daemon. Raises Fault, GetoptError."""
    pairs, names = getopt(argv, "1adDfFmO:")
    flags = {letter.lstrip("-") for letter, _ in pairs}
    if "O" in flags:
        raise Fault("-O is not built yet: no script is run at an advertisement with the O flag")
    if ("a" in flags) == bool(names):
        raise Fault
    rtsol.listen(proc, fix="F" in flags, name="rtsold")
    rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
    if "a" in flags:
        names = [rtsol.choose(rows)]
    now = proc.time()
    links = [_interface(proc, rows, name, now) for name in dict.fromkeys(names)]
    state = State(rtsol.advert_socket(proc), links, "f" in flags, bool(flags & {"d", "D"}), "m" in flags, "1" in flags)
    for one in links:
        if state.mobile and not one.carrier:
            one.probe_at = now + PROBE_INTERVAL
    daemon.detach(proc, PID_FILE, foreground=state.foreground)
    return state


def _interface(proc: Proc, rows: tuple[InterfaceRow, ...], name: str, now: int) -> Interface:
    """Bring the interface up if it is down."""
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        raise Fault(f"interface {name} does not exist")
    if row.flags & rtsol.LOOPBACK:
        raise Fault(f"{name} is a loopback interface: no router can answer there")
    if not row.flags & rtsol.UP:
        try:
            proc.ioctl("SIOCSIFFLAGS", name, up=True)
        except Errno as error:
            raise Fault(f"{name}: {error}") from None
    return Interface(name, row.index, row.lladdr, bool(row.lladdr), at=now, armed=now, active=True)


# -- the loop ------------------------------------------------------------------------------------------------------


async def _turn(proc: Proc, state: State) -> bool:
    """Do what is due, else wait for the next time or message; False once -1 has nothing left to wait for."""
    now = proc.time()
    due = [one for one in state.links if one.at is not None and one.at <= now]
    for one in due:
        _step(proc, state, one, now)
    if due:
        return True
    times = [one.at for one in state.links if one.at is not None]
    if state.once and (not times or all(one.adverts for one in state.links)):
        return False
    message = await proc.recvmsg(state.fd, min(times) - now if times else None)
    if message is not None and rtsol.valid_advert(message):
        for one in state.links:
            if one.index == message.ifindex:
                _input(proc, state, one, message)
    return True


def _input(proc: Proc, state: State, one: Interface, message: Message) -> None:
    """A valid advertisement: it ends the probing, but not the delay before it (RFC 4861 6.3.7)."""
    _debug(proc, state, f"received RA from {in6.ntop(message.addr)}%{one.name}, state is {one.state}")
    one.adverts += 1
    advert = nd.RouterAdvert.parse(message.data[4:])
    if advert.other != one.other:
        _debug(proc, state, f"{one.name}: O flag {'on' if advert.other else 'off'}")
    one.other = advert.other
    if one.state == "PROBE":
        one.probes = 0
        _enter(state, one, "IDLE", proc.time())


def _enter(state: State, one: Interface, name: str, now: int, delay: int | None = None) -> None:
    """Go to a state; ``delay`` ns until the next step, None: what IDLE has, the poll with -m and nothing without."""
    one.state = name
    one.armed = now
    if delay is None and state.mobile:
        delay = POLL
    one.at = None if delay is None else now + delay


def _step(proc: Proc, state: State, one: Interface, now: int) -> None:
    """What is due on an interface."""
    if one.state in ("DOWN", "TENTATIVE"):
        _settle(proc, state, one, now)
    elif one.state == "IDLE":
        _poll(proc, state, one, now)
    elif one.state == "PROBE" and one.probes >= MAX_SOLICITATIONS:
        _log(proc, state, f"no answer on {one.name} to {one.probes} router solicitations")
        one.probes = 0
        _enter(state, one, "IDLE", now)
    else:
        _solicit(proc, state, one, now)


def _row(proc: Proc, one: Interface) -> InterfaceRow | None:
    return next((row for row in proc.rows("interfaces") if row.name == one.name), None)


def _settle(proc: Proc, state: State, one: Interface, now: int) -> None:
    """Whether the interface has an address to send from by now."""
    row = _row(proc, one)
    flags = rtsol.linklocal(proc, one.name)
    name, wrong = "DOWN", ""
    if row is None or not row.flags & rtsol.UP:
        wrong = "the interface is down"
    elif flags is None:
        wrong = "there is no link-local address"
    elif "duplicated" in flags:
        wrong = "the link-local address is a duplicate"
    elif "tentative" in flags:
        name = "TENTATIVE"
    else:
        one.told = ""
        one.dadcount = one.probes = 0
        one.active = row.running
        _enter(state, one, "DELAY", now, proc.random(MAX_DELAY))
        return
    if wrong != one.told and wrong:
        _log(proc, state, f"{one.name}: {wrong}")
    one.told = wrong
    one.dadcount += 1
    delay = NS
    if one.dadcount > DAD_TRIES:
        one.dadcount = 0
        delay = PROBE_INTERVAL
    if name == "DOWN" and state.mobile:
        delay = min(delay, POLL)
    _enter(state, one, name, now, delay)


def _poll(proc: Proc, state: State, one: Interface, now: int) -> None:
    """-m: an idle interface's link, and the periodic solicitation where the link can't be seen."""
    row = _row(proc, one)
    active = row is not None and row.running
    came = active and not one.active
    if active != one.active:
        _log(proc, state, f"{one.name}: link is {'active' if active else 'inactive'}")
    one.active = active
    periodic = active and one.probe_at is not None and one.probe_at <= now
    if periodic:
        one.probe_at = now + PROBE_INTERVAL
    if came or periodic:
        _probe_routers(proc, state, one)
    if came:
        # The address may have to be checked anew first.
        one.dadcount = 0
        _enter(state, one, "TENTATIVE", now, 0)
    elif periodic:
        _enter(state, one, "PROBE", now, 0)
    else:
        _enter(state, one, "IDLE", now)


def _solicit(proc: Proc, state: State, one: Interface, now: int) -> None:
    """Send a router solicitation."""
    one.probes += 1
    _enter(state, one, "PROBE", now, INTERVAL if one.probes < MAX_SOLICITATIONS else LAST_WAIT)
    try:
        proc.sendmsg(
            state.fd,
            rtsol.solicitation(one.lladdr),
            in6.ALLROUTERS,
            0,
            one.index,
            pktinfo=(None, one.index),
            hoplimit=255,
        )
    except Errno as error:
        _log(proc, state, f"sendmsg on {one.name}: {error}")
        return
    _debug(proc, state, f"sent RS {one.probes} on {one.name}")


def _probe_routers(proc: Proc, state: State, one: Interface) -> None:
    """Send an empty packet to each default router of the interface, so that unreachability detection looks for it."""
    for row in proc.rows("routers"):
        if row.interface != one.name:
            continue
        addr = in6.pton(row.address.partition("%")[0])
        try:
            fd = proc.socket("raw6", ip6.IPPROTO_NONE)
            try:
                proc.sendmsg(fd, b"", addr, 0, one.index, pktinfo=(None, one.index), hoplimit=1)
            finally:
                proc.close(fd)
        except Errno as error:
            _debug(proc, state, f"probing {row.address}: {error}")
            continue
        _debug(proc, state, f"probed {row.address}")


def _log(proc: Proc, state: State, text: str) -> None:
    daemon.log(proc, text, foreground=state.foreground)


def _debug(proc: Proc, state: State, text: str) -> None:
    if state.debug:
        _log(proc, state, text)


def dump(state: State, now: int) -> list[str]:
    """What SIGUSR1 writes: KAME's lines for each interface; times in whole seconds."""
    out = []
    for one in state.links:
        out.append(f"Interface {one.name}")
        if one.probe_at is None:
            out += ["  probe interval: infinity", "  no probe timer"]
        else:
            out += [
                f"  probe interval: {PROBE_INTERVAL // NS}",
                f"  probe timer: {max(0, one.probe_at - now) // NS}",
            ]
        timer = "  no timer"
        if one.at is not None:
            timer = f"  timer: interval={_seconds(one.at - one.armed)}, expires in {_seconds(max(0, one.at - now))}"
        out += [
            f"  interface status: {'active' if one.active else 'inactive'}",
            f"  other config: {'on' if one.other else 'off'}",
            f"  rtsold status: {one.state}",
            f"  carrier detection: {'available' if one.carrier else 'unavailable'}",
            f"  probes: {one.probes}, dadcount = {one.dadcount}",
            timer,
            f"  number of valid RAs: {one.adverts}",
        ]
    return out


def _seconds(ns: int) -> str:
    """``3s``, ``0.25s``: to the millisecond."""
    return f"{ns // 1_000_000 / 1000:g}s"
