"""ifconfig(8): interfaces and their IPv6 addresses.

KAME USAGE, KAME `ifconfig.c` of FreeBSD. A command line is read as a whole before anything is changed. The layout is in
`ifconfig_lines`. Left out, each with a message: IPv4 addresses, media, metrics, ARP and link flags, cloning, tunnels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamelab.core.errors import Errno
from kamelab.stack.views import INFINITE, InterfaceRow
from kamelab.userland.ifconfig_lines import interface_lines
from kamelab.userland.netdb import GaiError, getaddrinfo, is_scoped
from kamelab.userland.sysctl import read_integer
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE = """\
usage: ifconfig [-L] interface [inet6 [address[/prefixlen] [dest_address]] [parameters]]
       ifconfig -a [-L] [-d] [-u] [inet6 | link]
       ifconfig -l [-d] [-u]
parameters: alias -alias add delete remove prefixlen n anycast tentative
            deprecated autoconf vltime s pltime s eui64 up down mtu n
"""

ADDRESS_FLAGS = ("anycast", "tentative", "deprecated", "autoconf")
"""Flags that a user may give; the others are the kernel's own."""

_NOT_BUILT_WITH_ARGUMENT = frozenset(
    {"media", "mediaopt", "-mediaopt", "mode", "metric", "broadcast", "netmask", "lladdr", "ether", "vlan", "vlandev"}
)
_NOT_BUILT = frozenset(
    {
        *("arp", "-arp", "promisc", "-promisc", "debug", "-debug", "create", "destroy", "plumb", "unplumb"),
        *("tunnel", "deletetunnel", "link0", "-link0", "link1", "-link1", "link2", "-link2"),
    }
)
_FAMILIES = ("inet6", "link", "ether", "inet")


class Refusal(Exception):
    """The command cannot be carried out; the text is what ifconfig says behind its name."""


class Plan:
    """What one command line asks for, in order of doing."""

    __slots__ = ("addr", "clear", "destination", "eui64", "flags", "orders", "plen", "pltime", "text", "vltime", "zone")

    def __init__(self) -> None:
        self.orders: list[tuple[str, dict[str, Any]]] = []
        """Requests that change the interface itself."""
        self.text = ""
        """The address as typed; empty where none is."""
        self.addr = b""
        self.zone = 0
        self.destination: bytes | None = None
        self.plen: int | None = None
        self.flags: dict[str, bool] = {}
        self.vltime = INFINITE
        self.pltime = INFINITE
        self.clear = False
        """Delete the address instead of adding it."""
        self.eui64 = False


def _number(word: str, text: str, low: int, high: int) -> int:
    value = read_integer(text)
    if value is None or not low <= value <= high:
        raise Refusal(f"{word}: bad value")
    return value


class Parser:
    """Reads the words behind the interface's name."""

    def __init__(self, proc: Proc, interface: InterfaceRow, family: str) -> None:
        self.proc = proc
        self.interface = interface
        self.family = family
        self.plan = Plan()

    def parse(self, words: list[str]) -> Plan:
        """The plan of a whole command line. Raises `Refusal`."""
        queue = list(words)
        while queue:
            word = queue.pop(0)
            if not self._switch(word):
                self._with_argument(word, queue)
        self._finish()
        return self.plan

    def _inet6_only(self) -> None:
        if self.family != "inet6":
            raise Refusal("address flags can be set only for inet6 addresses")

    def _switch(self, word: str) -> bool:
        """A parameter without argument; False if ``word`` is none."""
        plan = self.plan
        flag = word.removeprefix("-")
        if word in ("up", "down"):
            plan.orders.append(("SIOCSIFFLAGS", {"up": word == "up"}))
        elif word in ("alias", "add"):
            plan.clear = False
        elif word in ("-alias", "delete", "remove"):
            plan.clear = True
        elif flag in ADDRESS_FLAGS:
            self._inet6_only()
            plan.flags[flag] = not word.startswith("-")
        elif word == "eui64":
            self._inet6_only()
            plan.eui64 = True
        elif word in _NOT_BUILT or word in _NOT_BUILT_WITH_ARGUMENT:
            raise Refusal(f"{word}: not built yet")
        else:
            return False
        return True

    def _with_argument(self, word: str, queue: list[str]) -> None:
        """A parameter with argument, or an address."""
        plan = self.plan
        if word not in ("mtu", "prefixlen", "vltime", "pltime"):
            self._address(word)
            return
        if not queue:
            raise Refusal(f"'{word}' requires argument")
        value = queue.pop(0)
        if word == "mtu":
            plan.orders.append(("SIOCSIFMTU", {"mtu": _number("mtu", value, 0, 0x7FFFFFFF)}))
        elif word == "prefixlen":
            plan.plen = _number("prefixlen", value, 0, 128)
        else:
            if self.family != "inet6":
                raise Refusal(f"{word} not allowed for the AF")
            seconds = read_integer(value)
            if seconds is None or not 0 <= seconds <= INFINITE:
                raise Refusal(f"invalid {word}")
            if word == "vltime":
                plan.vltime = seconds
            else:
                plan.pltime = seconds

    def _address(self, word: str) -> None:
        """The address, or after it the destination."""
        plan = self.plan
        if self.family != "inet6":
            hint = " (an IPv6 address needs inet6 before it)" if ":" in word else ""
            raise Refusal(f"{word}: bad value{hint}")
        text, slash, plen = word.partition("/")
        if plan.text and (plan.destination is not None or slash):
            raise Refusal(f"{word}: bad value")
        try:
            addr, zone = getaddrinfo(self.proc, text)
        except (GaiError, Errno):
            raise Refusal(f"{word}: bad value") from None
        if plan.text:
            plan.destination = addr
            return
        plan.text, plan.addr, plan.zone = word, addr, zone
        if slash:
            plan.plen = _number("prefixlen", plen, 0, 128)

    def _finish(self) -> None:
        """Judge the line as a whole and fill what follows from it."""
        plan = self.plan
        if not plan.text:
            if plan.clear:
                raise Refusal("delete: an address must be given")
            if plan.flags or plan.eui64 or plan.plen is not None or INFINITE not in (plan.vltime, plan.pltime):
                raise Refusal("address parameters need an address")
            return
        if plan.eui64:
            plan.addr = plan.addr[:8] + self._identifier(plan.addr)
        if is_scoped(plan.addr) and not plan.zone:
            plan.zone = self.interface.index

    def _identifier(self, addr: bytes) -> bytes:
        """The interface identifier of the interface's link-local address."""
        if addr[8:] != bytes(8):
            raise Refusal("interface index is already filled")
        for row in self.proc.rows("addresses"):
            if row.interface == self.interface.name:
                own = in6.pton(row.address.partition("%")[0])
                if in6.is_linklocal(own):
                    return own[8:]
        raise Refusal("could not determine link local address")


def carry_out(proc: Proc, interface: str, plan: Plan) -> None:
    """Change the interface as planned. Raises `Refusal` with ifconfig's text for the kernel's errno."""
    for request, arguments in plan.orders:
        try:
            proc.ioctl(request, interface, **arguments)
        except Errno as error:
            what = "set mtu" if request == "SIOCSIFMTU" else request
            raise Refusal(f"ioctl ({what}): {error}") from None
    if not plan.text:
        return
    if plan.clear:
        try:
            proc.ioctl("SIOCDIFADDR_IN6", interface, address=plan.addr, zone=plan.zone)
        except Errno as error:
            raise Refusal(f"ioctl (SIOCDIFADDR): {error}") from None
        return
    plen = plan.plen if plan.plen is not None else 64
    if plan.destination is not None:
        # The kernel wants a host's length with a destination; KAME USAGE gives 64, which early kernels corrected.
        plen = 128
    try:
        proc.ioctl(
            "SIOCAIFADDR_IN6",
            interface,
            address=plan.addr,
            zone=plan.zone,
            plen=plen,
            flags=tuple(flag for flag in ADDRESS_FLAGS if plan.flags.get(flag)),
            vltime=plan.vltime,
            pltime=plan.vltime if plan.pltime == INFINITE else plan.pltime,
            destination=plan.destination,
        )
    except Errno as error:
        raise Refusal(f"ioctl (SIOCAIFADDR): {error}") from None


def show(proc: Proc, rows: list[InterfaceRow], families: tuple[str, ...], lifetimes: bool) -> None:
    """Print interfaces."""
    addresses = proc.rows("addresses")
    for row in rows:
        for line in interface_lines(row, addresses, lifetimes=lifetimes, families=families):
            proc.print(line)


def _run(proc: Proc, argv: list[str]) -> int:
    letters = ""
    words = argv[1:]
    while words and words[0].startswith("-") and len(words[0]) > 1:
        letters += words.pop(0)[1:]
    if set(letters) - set("aludLm"):
        proc.error(USAGE)
        return 1
    interfaces: list[InterfaceRow] = list(proc.rows("interfaces"))
    name = ""
    if words and not set(letters) & set("al"):
        name = words.pop(0)
        interfaces = [row for row in interfaces if row.name == name]
        if not interfaces:
            raise Refusal(f"interface {name} does not exist")
    if "u" in letters:
        interfaces = [row for row in interfaces if row.flags & 1]
    if "d" in letters:
        interfaces = [row for row in interfaces if not row.flags & 1]
    family = words.pop(0) if words and words[0] in _FAMILIES else ""
    if family == "inet":
        raise Refusal("inet: not built yet")
    family = "link" if family == "ether" else family
    if "l" in letters:
        proc.print(" ".join(row.name for row in interfaces))
    elif not words:
        show(proc, interfaces, (family,) if family else (), "L" in letters)
    elif not name or family == "link":
        proc.error(USAGE)
        return 1
    else:
        carry_out(proc, name, Parser(proc, interfaces[0], family).parse(words))
    return 0


async def main(proc: Proc, argv: list[str]) -> int:
    """Show and change interfaces. Status 0, or 1 when something was refused or the usage is wrong."""
    try:
        return _run(proc, argv)
    except Refusal as refusal:
        proc.error(f"ifconfig: {refusal}\n")
        return 1
