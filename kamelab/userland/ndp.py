"""ndp(8): the neighbour cache, the prefix list, the default router list and the interfaces' parameters.

KAME USAGE, KAME `ndp.c`. One mode a call. ``-I`` names the default interface (KAME IMPLEMENTATION 1.3 (2000)). The
layouts are in `ndp_lines`. ``-U`` is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core import errors
from kamelab.core.clock import SECOND
from kamelab.core.errors import Errno
from kamelab.stack.views import NdInterfaceRow, NeighborRow
from kamelab.userland import ndp_lines
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, getnameinfo, hostname_of
from kamelab.wire.ether import mac_pton

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE = """\
usage: ndp [-nt] hostname
       ndp [-nt] -a | -c | -p | -r | -H | -P | -R
       ndp [-nt] -A wait
       ndp [-nt] -d hostname
       ndp [-nt] -f filename
       ndp [-nt] -s hostname ether_addr [temp] [proxy]
       ndp [-n] -i interface [[-]flag | basereachable=ms | retrans=ms |
           curhlim=n] ...
       ndp [-n] -I [interface | delete]
       ndp [-n] -U address%interface
flags: nud accept_rtadv prefer_source disabled dont_set_ifroute
"""

ND_FLAGS = ("nud", "accept_rtadv", "prefer_source", "disabled", "dont_set_ifroute")
ND_VALUES = ("basereachable", "retrans", "curhlim")

_NOT_CONFIGURABLE = frozenset(
    {errors.EINVAL, errors.ENETUNREACH, errors.EHOSTUNREACH, errors.EEXIST, errors.EADDRNOTAVAIL, errors.EPERM}
)


class UsageError(Exception):
    """The command line makes no sense: the usage text says what would."""


class Words:
    """A parsed command line: the mode's letter (``""`` shows one entry), its words, and the flags beside it."""

    __slots__ = ("mode", "numeric", "stamped", "words")

    def __init__(self, mode: str, words: list[str], numeric: bool, stamped: bool) -> None:
        self.mode = mode
        self.words = words
        self.numeric = numeric
        self.stamped = stamped


def _split_interface(argv: list[str]) -> tuple[list[str], list[str]]:
    """Cut the words behind ``-i IF`` off, so that ``-nud`` among them is no option even without ``--``."""
    for at, word in enumerate(argv[1:], 1):
        if not word.startswith("-") or word == "--":
            break
        letter = word.find("i")
        if letter > 0 and not set(word[1:letter]) - set("antlcprHPRU"):
            end = at + 1 if word[letter + 1 :] else at + 2
            rest = argv[end:]
            return argv[:end], [w for w in rest if w != "--"]
    return argv, []


def parse(argv: list[str]) -> Words:
    """Read the command line. Raises `UsageError`, or `GetoptError` for an unknown option."""
    head, expressions = _split_interface(argv)
    options, words = getopt(head, "acd:f:Ii:nprstA:HPRU:l")
    mode, numeric, stamped = "", False, False
    for option, value in options:
        letter = option[1:]
        if letter == "n":
            numeric = True
        elif letter == "t":
            stamped = True
        elif letter != "l":
            if mode:
                raise UsageError
            mode = letter
            if letter in "dfiAU":
                words = [value, *words]
    words += expressions
    most = {"": 1, "s": 4, "I": 1, "d": 1, "f": 1, "A": 1, "U": 1, "i": len(words)}.get(mode, 0)
    least = {"": 1, "s": 2}.get(mode, 0)
    if not least <= len(words) <= most:
        raise UsageError
    return Words(mode, words, numeric, stamped)


class Ndp:
    """One run of the program."""

    def __init__(self, proc: Proc, words: Words) -> None:
        self.proc = proc
        self.words = words

    def name(self, text: str) -> str:
        """An address as it is to be shown: by name unless ``-n``."""
        return text if self.words.numeric else hostname_of(self.proc, text)

    def fail(self, text: str, prefix: str = "ndp: ") -> int:
        """Print a message; the exit status."""
        self.proc.error(f"{prefix}{text}\n")
        return 1

    def show(self, lines: list[str]) -> int:
        """Print lines; the exit status."""
        for line in lines:
            self.proc.print(line)
        return 0

    def stamp(self) -> str:
        """What each line begins with (``-t``); empty without it."""
        return ndp_lines.timestamp(self.proc.wall()) if self.words.stamped else ""

    def resolve(self, host: str) -> tuple[bytes, int] | None:
        """Address and zone of a host; None after a message."""
        try:
            return getaddrinfo(self.proc, host)
        except (GaiError, Errno) as error:
            self.fail(f"{host}: {error}")
            return None

    def table(self, rows: tuple[NeighborRow, ...]) -> int:
        """Print neighbour cache entries."""
        names = [self.name(row.address) for row in rows]
        return self.show(ndp_lines.neighbor_lines(rows, self.proc.time(), names, self.stamp()))

    # -- neighbour cache ---------------------------------------------------------------------------------------------

    def get(self, host: str) -> int:
        """``ndp HOST``"""
        found = self.resolve(host)
        if found is None:
            return 1
        addr, zone = found
        text = getnameinfo(self.proc, addr, zone, numeric=True)
        # A scoped address without zone means the entry of any interface.
        rows = tuple(
            row
            for row in self.proc.rows("neighbors")
            if row.address == text or (not zone and row.address.partition("%")[0] == text)
        )
        if not rows:
            return self.fail(f"{host} ({text}) -- no entry", "")
        return self.table(rows)

    async def watch(self, wait: str) -> int:
        """``ndp -A WAIT``"""
        if not wait.isdecimal() or not int(wait):
            return self.fail(f"invalid interval '{wait}'")
        while True:
            # Nothing is carried from round to round: a restored watch begins here.
            self.proc.keep(True)
            self.table(self.proc.rows("neighbors"))
            self.proc.print()
            await self.proc.sleep(int(wait) * SECOND)

    def delete(self, host: str) -> int:
        """``ndp -d HOST``"""
        found = self.resolve(host)
        if found is None:
            return 1
        addr, zone = found
        try:
            self.proc.neighbor("delete", address=addr, zone=zone, interface="")
        except Errno as error:
            if error.number in (errors.EINVAL, errors.EPERM):
                return self.fail("delete: cannot delete non-NDP entry", "")
            return self.fail(f"cannot locate {host}", "")
        self.proc.print(f"{host} ({getnameinfo(self.proc, addr, zone, numeric=True)}) deleted")
        return 0

    def flush(self) -> int:
        """``ndp -c``"""
        for address, _ in self.proc.neighbor("flush"):
            self.proc.print(f"{self.name(address)} ({address}) deleted")
        return 0

    def set(self, words: list[str]) -> int:
        """``ndp -s HOST LLADDR [temp] [proxy]``"""
        host, lladdr, *extra = words
        found = self.resolve(host)
        if found is None:
            return 1
        try:
            mac = mac_pton(lladdr)
        except ValueError:
            return self.fail(f"invalid Ethernet address '{lladdr}'")
        unknown = [word for word in extra if word not in ("temp", "proxy")]
        if unknown:
            return self.fail(f"'{unknown[0]}': expected temp or proxy")
        addr, zone = found
        try:
            self.proc.neighbor(
                "set", address=addr, zone=zone, interface="", lladdr=mac, temp="temp" in extra, proxy="proxy" in extra
            )
        except Errno as error:
            if error.number in _NOT_CONFIGURABLE:
                return self.fail("set: cannot configure a new entry", "")
            if error.number == errors.ENXIO:
                return self.fail(f"28 cannot intuit interface index and type for {host}", "")
            return self.fail(f"set: {host}: {error}", "")
        return 0

    def file(self, path: str) -> int:
        """``ndp -f FILE``: lines of the words of ``-s``."""
        try:
            text = self.proc.read_file(path)
        except Errno:
            return self.fail(f"cannot open {path}")
        status = 0
        for line in text.splitlines():
            words = line.split()
            if not words:
                continue
            if not 2 <= len(words) <= 4:
                status = self.fail(f"bad line: {line}")
            elif self.set(words):
                status = 1
        return status

    # -- lists -------------------------------------------------------------------------------------------------------

    def prefixes(self) -> int:
        """``ndp -p``"""
        return self.show(ndp_lines.prefix_lines(self.proc.rows("prefixes"), self.proc.time()))

    def routers(self) -> int:
        """``ndp -r``"""
        rows = self.proc.rows("routers")
        return self.show(ndp_lines.router_lines(rows, self.proc.time(), [self.name(row.address) for row in rows]))

    def ioctl(self, request: str) -> int:
        """A request without arguments (``-P``, ``-R``); it needs any interface's name."""
        try:
            self.proc.ioctl(request, "lo0")
        except Errno as error:
            return self.fail(f"ioctl({request}): {error}")
        return 0

    # -- interfaces --------------------------------------------------------------------------------------------------

    def interface(self, name: str, expressions: list[str]) -> int:
        """``ndp -i IF [EXPR ...]``: set, then show."""
        if not any(row.interface == name for row in self.proc.rows("ndinterfaces")):
            return self.fail(f"invalid interface {name}")
        flags: dict[str, bool] = {}
        values: dict[str, int] = {}
        for expression in expressions:
            key, equals, value = expression.partition("=")
            word = expression.removeprefix("-")
            if word in ND_FLAGS:
                flags[word] = not expression.startswith("-")
            elif equals and key in ND_VALUES and value.isdecimal():
                values[key] = int(value)
            else:
                raise UsageError
        try:
            if values:
                self.proc.ioctl("SIOCSIFINFO_IN6", name, **values)
            if flags:
                self.proc.ioctl("SIOCSIFINFO_FLAGS", name, **flags)
        except Errno as error:
            return self.fail(f"ioctl({'SIOCSIFINFO_IN6' if values else 'SIOCSIFINFO_FLAGS'}): {error}")
        rows: list[NdInterfaceRow] = [row for row in self.proc.rows("ndinterfaces") if row.interface == name]
        return self.show(ndp_lines.interface_lines(rows[0]))

    def advertise(self, host: str) -> int:
        """``ndp -U ADDR%IF``: one unsolicited advertisement. Beyond KAME, whose note only announces such a command."""
        address, _, name = host.partition("%")
        if not name:
            return self.fail(f"{host}: expected address%interface")
        # The zone names the interface, whatever the address's scope: it is no part of a global address.
        found = self.resolve(address)
        if found is None:
            return 1
        try:
            self.proc.ioctl("SIOCSNDUNSOL_IN6", name, address=found[0])
        except Errno as error:
            if error.number == errors.ENXIO:
                return self.fail(f"invalid interface {name}")
            return self.fail(f"{host}: {error}")
        return 0

    def default_interface(self, words: list[str]) -> int:
        """``ndp -I [IF | delete]``"""
        if words:
            try:
                self.proc.ioctl("SIOCSDEFIFACE_IN6", "" if words[0] == "delete" else words[0])
            except Errno as error:
                if error.number == errors.ENXIO:
                    return self.fail(f"invalid interface {words[0]}")
                return self.fail(f"ioctl(SIOCSDEFIFACE_IN6): {error}")
        name = self.proc.ioctl("SIOCGDEFIFACE_IN6", "")
        self.proc.print(f"ND default interface = {name}" if name else "No default interface.")
        return 0

    async def run(self) -> int:
        """Do what the mode says; the exit status."""
        mode, words = self.words.mode, self.words.words
        if mode == "":
            return self.get(words[0])
        if mode == "a":
            return self.table(self.proc.rows("neighbors"))
        if mode == "A":
            return await self.watch(words[0])
        if mode == "c":
            return self.flush()
        if mode == "d":
            return self.delete(words[0])
        if mode == "f":
            return self.file(words[0])
        if mode == "s":
            return self.set(words)
        if mode == "p":
            return self.prefixes()
        if mode == "r":
            return self.routers()
        if mode == "H":
            return self.ioctl("SIOCSNDFLUSH_IN6")
        if mode == "P":
            return self.ioctl("SIOCSPFXFLUSH_IN6")
        if mode == "R":
            return self.ioctl("SIOCSRTRFLUSH_IN6")
        if mode == "i":
            return self.interface(words[0], words[1:])
        if mode == "U":
            return self.advertise(words[0])
        return self.default_interface(words)


async def main(proc: Proc, argv: list[str]) -> int:
    """Show and change neighbour discovery's tables. Status 0, or 1 when something was refused or the usage is wrong."""
    try:
        return await Ndp(proc, parse(argv)).run()
    except GetoptError as error:
        proc.error(f"ndp: {error}\n")
    except UsageError:
        pass
    proc.write(USAGE)
    return 1
