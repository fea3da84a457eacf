"""rtsol(8): router solicitations now, until each interface has heard a router advertisement.

KAME `rtsol.c`, `rtsold.c` (rtsol is `rtsold -f1`), KAME USAGE; RFC 4861 6.3.7: up to 3 solicitations, 4 s apart, the
first after a random 0 to 1 s, 1 s of waiting after the last. The advertisement itself is taken in by the kernel.
What watches interfaces for longer is `rtsold`, which uses the pieces here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.stack.views import InterfaceRow
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.probe import NS
from kamelab.wire import ether, icmp6, in6, ip6, nd, nd_options
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: rtsol [-dDfF] interfaces...\n       rtsol [-dDfF] -a\n"

MAX_SOLICITATIONS: Final = 3
INTERVAL: Final = 4 * NS
"""RTR_SOLICITATION_INTERVAL (RFC 4861 10)."""
MAX_DELAY: Final = NS
"""MAX_RTR_SOLICITATION_DELAY."""
LAST_WAIT: Final = NS
DAD_TRIES: Final = 10
"""How often, a second apart, the end of duplicate address detection is looked for."""

UP, LOOPBACK, _POINTOPOINT = 1, 8, 0x10
_ACCEPT_RTADV: Final = "net.inet6.ip6.accept_rtadv"
_FORWARDING: Final = "net.inet6.ip6.forwarding"


@dataclass
class Interface:
    """One interface's round. States as in rtsold: TENTATIVE, DELAY, PROBE, IDLE (nothing more to do)."""

    name: str
    index: int
    lladdr: str
    state: str
    at: int
    """When the next thing is due, ns since boot."""
    probes: int = 0
    dadcount: int = 0
    adverts: int = 0
    """Valid advertisements heard."""


async def main(proc: Proc, argv: list[str]) -> int:
    """Solicit. Status 0 even where no router answers, as in KAME; 1 if an interface can't be used."""
    try:
        pairs, names = getopt(argv, "adDfF")
    except GetoptError as error:
        proc.error(f"rtsol: {error}\n{USAGE}")
        return 1
    flags = {letter.lstrip("-") for letter, _ in pairs}
    if ("a" in flags) == bool(names):
        proc.error(USAGE)
        return 1
    debug = bool(flags & {"d", "D"})
    try:
        listen(proc, fix="F" in flags)
        rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
        if "a" in flags:
            names = [choose(rows)]
        work = [_start(proc, rows, name) for name in dict.fromkeys(names)]
        fd = advert_socket(proc)
    except Fault as fault:
        proc.error(f"rtsol: {fault}\n")
        return 1
    failed = False
    while any(one.state != "IDLE" for one in work):
        now = proc.time()
        due = [one for one in work if one.state != "IDLE" and one.at <= now]
        if due:
            for one in due:
                failed |= not _step(proc, fd, one, now, debug)
            continue
        until = min(one.at for one in work if one.state != "IDLE")
        message = await proc.recvmsg(fd, until - now)
        if message is not None and valid_advert(message):
            for one in work:
                if one.index == message.ifindex:
                    one.adverts += 1
                    if debug:
                        proc.error(
                            f"rtsol: received RA from {in6.ntop(message.addr)}%{one.name}, state is {one.state}\n"
                        )
                    # One heard before the first solicitation tells as much as an answer: the kernel has it.
                    one.state = "IDLE"
    return 1 if failed else 0


def choose(rows: tuple[InterfaceRow, ...]) -> str:
    """-a: the one interface that is neither loopback nor point-to-point. Raises Fault for none or several."""
    found = [row.name for row in rows if not row.flags & (LOOPBACK | _POINTOPOINT) and not row.disabled]
    if not found:
        raise Fault("no usable interface found")
    if len(found) > 1:
        raise Fault(f"too many interfaces: {' '.join(found)}; name the one to use")
    return found[0]


def valid_advert(message: Message) -> bool:
    """Whether a received message is a router advertisement that a host must accept (RFC 4861 6.1.2)."""
    data = message.data
    if len(data) < 16 or data[0] != icmp6.ROUTER_ADVERT or data[1] or message.hoplimit != 255:
        return False
    if not in6.is_linklocal(message.addr):
        return False
    try:
        nd_options.parse(data[16:])
    except WireError:
        return False
    return True


def solicitation(lladdr: str) -> bytes:
    """The ICMPv6 message, its checksum left to the kernel; with the source link-layer option if there is an address."""
    options = nd_options.build_lladdr(nd_options.SLLA, ether.mac_pton(lladdr)) if lladdr else b""
    return bytes((icmp6.ROUTER_SOLICIT, 0, 0, 0)) + nd.RouterSolicit(options).pack()


def listen(proc: Proc, *, fix: bool, name: str = "rtsol") -> None:
    """Make the node a host that listens (-F), or warn as program ``name`` where it isn't one."""
    if fix:
        for name, value in ((_ACCEPT_RTADV, 1), (_FORWARDING, 0)):
            if proc.sysctl(name) != value:
                proc.sysctl_set(name, value)
        return
    if not proc.sysctl(_ACCEPT_RTADV):
        proc.error(f"{name}: warning: the kernel does not accept router advertisements ({_ACCEPT_RTADV} is 0)\n")
    if proc.sysctl(_FORWARDING):
        proc.error(f"{name}: warning: the kernel is a router, not a host ({_FORWARDING} is 1)\n")


def _start(proc: Proc, rows: tuple[InterfaceRow, ...], name: str) -> Interface:
    """Bring the interface up if it is down, and see how far its link-local address is."""
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        raise Fault(f"interface {name} does not exist")
    if row.flags & LOOPBACK:
        raise Fault(f"{name} is a loopback interface: no router can answer there")
    if not row.flags & UP:
        try:
            proc.ioctl("SIOCSIFFLAGS", name, up=True)
        except Errno as error:
            raise Fault(f"{name}: {error}") from None
    return Interface(name, row.index, row.lladdr, "TENTATIVE", proc.time())


def advert_socket(proc: Proc) -> int:
    """A raw socket that hears router advertisements. Raises Fault."""
    try:
        fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
        proc.setsockopt(fd, "ICMP6_FILTER", (icmp6.ROUTER_ADVERT,))
    except Errno as error:
        raise Fault(f"socket: {error}") from None
    return fd


def _step(proc: Proc, fd: int, one: Interface, now: int, debug: bool) -> bool:
    """What is due on an interface; False if that is giving it up."""
    if one.state == "TENTATIVE":
        flags = linklocal(proc, one.name)
        if flags is not None and "duplicated" in flags:
            proc.error(f"rtsol: {one.name}: the link-local address is a duplicate\n")
            one.state = "IDLE"
            return False
        if flags is None or "tentative" in flags:
            one.dadcount += 1
            if one.dadcount > DAD_TRIES:
                words = "there is no link-local address" if flags is None else "the link-local address stays tentative"
                proc.error(f"rtsol: {one.name}: {words}\n")
                one.state = "IDLE"
                return False
            one.at = now + NS
            return True
        one.state, one.at = "DELAY", now + proc.random(MAX_DELAY)
        return True
    if one.probes >= MAX_SOLICITATIONS:
        proc.error(f"rtsol: no answer on {one.name} to {one.probes} router solicitations\n")
        one.state = "IDLE"
        return True
    one.state = "PROBE"
    one.probes += 1
    one.at = now + (INTERVAL if one.probes < MAX_SOLICITATIONS else LAST_WAIT)
    try:
        proc.sendmsg(
            fd, solicitation(one.lladdr), in6.ALLROUTERS, 0, one.index, pktinfo=(None, one.index), hoplimit=255
        )
        if debug:
            proc.error(f"rtsol: sent RS {one.probes} on {one.name}\n")
    except Errno as error:
        proc.error(f"rtsol: sendmsg on {one.name}: {error}\n")
    return True


def linklocal(proc: Proc, name: str) -> tuple[str, ...] | None:
    """The flags of the interface's link-local address; None while it has none."""
    for row in proc.rows("addresses"):
        if row.interface == name and in6.is_linklocal(in6.pton(row.address.partition("%")[0])):
            flags: tuple[str, ...] = row.flags
            return flags
    return None
