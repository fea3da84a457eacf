"""netstat(1): routes, interfaces, sockets and statistics of a node.

KAME USAGE, KAME `netstat`. The layouts are in `netstat_lines`, the phrases in `netstat_stats`. Without ``-f`` or ``-p``
everything there is for IPv6 is shown. Left out, each with a message: the statistics of one interface, repeated output
(``-w``), other families and protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.userland import netstat_lines, netstat_stats
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import hostname_of

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE = """\
usage: netstat [-anl] [-f address_family]
       netstat [-abdin] [-I interface]
       netstat [-s] [-s] [-f address_family] [-p protocol]
       netstat [-nrl] [-f address_family]
       netstat [-g]
"""

_NOT_BUILT_PROTOCOLS = frozenset(
    {"ip", "icmp", "igmp", "tcp", "tcp6", "udp", "ipsec", "ipsec6", "pfkey", "pim6", "rip6"}
)


class Refusal(Exception):
    """The command cannot be carried out; the text is what netstat says behind its name."""


class Words:
    """A parsed command line: how often each flag was given, and the three arguments."""

    __slots__ = ("family", "flags", "interface", "protocol")

    def __init__(self, argv: list[str]) -> None:
        options, rest = getopt(argv, "abdf:gI:ilM:N:np:rstuW:w:")
        self.flags: dict[str, int] = {}
        self.family = self.interface = self.protocol = ""
        for option, value in options:
            letter = option[1:]
            self.flags[letter] = self.flags.get(letter, 0) + 1
            if letter == "f":
                self.family = value
            elif letter == "I":
                self.interface = value
            elif letter == "p":
                self.protocol = value
            elif letter in "wMN":
                raise Refusal(f"-{letter}: not built yet")
        if rest:
            raise Refusal(f"{rest[0]}: an interval is not built yet" if rest[0].isdecimal() else "")

    def has(self, letter: str) -> bool:
        """Whether a flag was given."""
        return letter in self.flags


def _check(words: Words) -> None:
    """Judge family and protocol. Raises `Refusal`."""
    if words.family == "inet":
        raise Refusal("inet: not built yet")
    if words.family not in ("", "inet6"):
        raise Refusal(f"{words.family}: unknown address family")
    if words.protocol in _NOT_BUILT_PROTOCOLS:
        raise Refusal(f"{words.protocol}: not built yet")
    if words.protocol and words.protocol not in netstat_stats.PROTOCOLS:
        raise Refusal(f"{words.protocol}: unknown or uninstrumented protocol")


def _show(proc: Proc, lines: list[str]) -> None:
    for line in lines:
        proc.print(line)


def _routes(proc: Proc, words: Words) -> None:
    def name(text: str) -> str:
        return text if words.has("n") or text.startswith("link#") else hostname_of(proc, text)

    rows = proc.rows("routes")
    _show(proc, netstat_lines.route_lines(rows, proc.time(), long=words.has("l"), name=name))


def _interfaces(proc: Proc, words: Words) -> None:
    rows = proc.rows("interfaces")
    if words.interface:
        rows = tuple(row for row in rows if row.name == words.interface)
        if not rows:
            raise Refusal(f"interface {words.interface} does not exist")
    groups = proc.rows("groups") if words.has("a") else ()
    lines = netstat_lines.interface_lines(
        rows,
        proc.rows("addresses"),
        groups,
        octets=words.has("b"),
        drops=words.has("d"),
        name=lambda text: text if words.has("n") else hostname_of(proc, text),
    )
    _show(proc, lines)


def _statistics(proc: Proc, words: Words) -> None:
    if words.interface:
        raise Refusal(f"-s -I {words.interface}: statistics of an interface are not built yet")
    counters = dict(proc.counters())
    for protocol in netstat_stats.PROTOCOLS:
        if words.protocol in ("", protocol):
            nonzero = words.flags.get("s", 0) > 1
            _show(proc, netstat_stats.statistics_lines(protocol, counters, nonzero=nonzero))


def _run(proc: Proc, argv: list[str]) -> None:
    words = Words(argv)
    _check(words)
    if words.has("g") and words.has("s"):
        raise Refusal("-gs: not built yet")
    if words.has("s") or words.protocol:
        _statistics(proc, words)
    elif words.has("r"):
        _routes(proc, words)
    elif words.has("i") or words.has("I"):
        _interfaces(proc, words)
    elif words.has("g"):
        # Nothing forwards multicast here, so the tables are empty as they are in a kernel without a multicast router.
        _show(proc, ["IPv6 Multicast Interface Table is empty", "IPv6 Multicast Routing Table is empty"])
    else:
        _show(proc, netstat_lines.socket_lines(proc.rows("sockets"), every=words.has("a")))


async def main(proc: Proc, argv: list[str]) -> int:
    """Show a node's network state. Status 0, or 1 for what cannot be shown and for wrong usage."""
    try:
        _run(proc, argv)
    except GetoptError as error:
        proc.error(f"netstat: {error}\n{USAGE}")
    except Refusal as refusal:
        proc.error(f"netstat: {refusal}\n" if str(refusal) else USAGE)
    else:
        return 0
    return 1
