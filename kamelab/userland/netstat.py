"""netstat(1): routes, interfaces, sockets and statistics of a node, once or at intervals.

KAME USAGE, KAME `netstat`. The layouts are in `netstat_lines`, the phrases in `netstat_stats`. Without ``-f`` or ``-p``
everything there is for IPv6 is shown. Left out, each with a message: other families, kernels that do not run
(``-M``, ``-N``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from kamelab.core.clock import SECOND
from kamelab.userland import netstat_ifstats, netstat_lines, netstat_stats
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.netdb import getservbyport, hostname_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamelab.stack.views import InterfaceRow
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: netstat [-anlW] [-f family]
       netstat -r [-nlW] [-f family]
       netstat -i [-abdnt] [-I interface]
       netstat [-d] [-I interface] -w seconds
       netstat -s [-s] [-f family] [-p protocol] [-I interface]
       netstat -g [-s]
       netstat -m
"""

_NOT_BUILT_PROTOCOLS: Final = frozenset({"ip", "icmp", "igmp", "ipsec"})
_OTHER_NAMES: Final = {"tcp6": "tcp", "udp": "udp6"}
MAX_INTERVAL: Final = 86400
"""Seconds."""


class Refusal(Exception):
    """The command cannot be carried out; the text is what netstat says behind its name."""


class Words:
    """A parsed command line: how often each flag was given, and the arguments."""

    __slots__ = ("family", "flags", "interface", "interval", "protocol")

    def __init__(self, argv: list[str]) -> None:
        options, rest = getopt(argv, "abdf:gI:ilmM:N:np:rstuWw:")
        self.flags: dict[str, int] = {}
        self.family = self.interface = self.protocol = ""
        self.interval = 0
        """Seconds; 0: once."""
        for option, value in options:
            letter = option[1:]
            self.flags[letter] = self.flags.get(letter, 0) + 1
            if letter == "f":
                self.family = value
            elif letter == "I":
                self.interface = value
            elif letter == "p":
                self.protocol = _OTHER_NAMES.get(value, value)
            elif letter == "w":
                self.interval = _interval(value)
            elif letter in "MN":
                raise Refusal(f"-{letter}: only the running kernel can be read")
        if len(rest) == 1 and rest[0].isdecimal():
            self.interval = _interval(rest[0])
        elif rest:
            raise Refusal("")

    def has(self, letters: str) -> bool:
        """Whether one of the flags was given."""
        return any(letter in self.flags for letter in letters)


def _interval(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= MAX_INTERVAL:
        raise Refusal(f"{text}: illegal interval")
    return int(text)


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


def _namer(proc: Proc, words: Words) -> Callable[[str], str]:
    def name(text: str) -> str:
        return text if words.has("n") or text.startswith("link#") else hostname_of(proc, text)

    return name


def _routes(proc: Proc, words: Words) -> None:
    rows = proc.rows("routes")
    lines = netstat_lines.route_lines(rows, proc.time(), long=words.has("lW"), name=_namer(proc, words))
    _show(proc, lines)


def _chosen(proc: Proc, words: Words) -> tuple[InterfaceRow, ...]:
    """The interfaces, or the one of -I. Raises `Refusal`."""
    rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
    if words.interface:
        rows = tuple(row for row in rows if row.name == words.interface)
        if not rows:
            raise Refusal(f"interface {words.interface} does not exist")
    return rows


def _interfaces(proc: Proc, words: Words) -> None:
    lines = netstat_lines.interface_lines(
        _chosen(proc, words),
        proc.rows("addresses"),
        proc.rows("groups") if words.has("a") else (),
        octets=words.has("b"),
        drops=words.has("d"),
        timers=words.has("t"),
        name=_namer(proc, words),
    )
    _show(proc, lines)


async def _repeat(proc: Proc, words: Words) -> None:
    """A line each interval: all since boot first, then what was added. Ends by a signal."""
    before, count = cast("tuple[tuple[int, ...], int]", proc.state or ((0,) * 8, 0))
    drops = words.has("d")
    while True:
        proc.keep((before, count))
        values = netstat_lines.interval_values(_chosen(proc, words))
        if count % netstat_lines.INTERVAL_PAGE == 0:
            _show(proc, netstat_lines.interval_head(words.interface, drops=drops))
        proc.print(netstat_lines.interval_line(values, before, drops=drops))
        before, count = values, count + 1
        await proc.sleep(words.interval * SECOND)


def _sockets(proc: Proc, words: Words) -> None:
    def port(number: str, proto: str) -> str:
        return number if words.has("n") else getservbyport(proc, int(number), proto[:3]) or number

    lines = netstat_lines.socket_lines(
        proc.rows("sockets"), every=words.has("a"), long=words.has("lW"), name=_namer(proc, words), port=port
    )
    _show(proc, lines)


def _statistics(proc: Proc, words: Words) -> None:
    nonzero = words.flags.get("s", 0) > 1
    if words.interface:
        (row,) = _chosen(proc, words)
        if words.protocol not in ("", *netstat_ifstats.PROTOCOLS):
            raise Refusal(f"{words.protocol}: no statistics of an interface")
        counters = next((dict(one.counters) for one in proc.rows("in6_ifstat") if one.interface == row.name), {})
        for protocol in netstat_ifstats.PROTOCOLS:
            if words.protocol in ("", protocol):
                _show(proc, netstat_ifstats.lines(protocol, row.name, counters, nonzero=nonzero))
        return
    counters = dict(proc.counters())
    for protocol in netstat_stats.PROTOCOLS:
        if words.protocol in ("", protocol):
            _show(proc, netstat_stats.statistics_lines(protocol, counters, nonzero=nonzero))


def _multicast(proc: Proc, words: Words) -> None:
    """-g. Nothing forwards multicast here, so the tables are empty as in a kernel without a multicast router."""
    if words.has("s"):
        nonzero = words.flags["s"] > 1
        proc.print("IPv6 multicast forwarding:")
        _show(proc, netstat_stats.item_lines(netstat_stats.MRT6, dict(proc.counters()), nonzero=nonzero))
        return
    _show(proc, ["IPv6 Multicast Interface Table is empty", "IPv6 Multicast Routing Table is empty"])


async def _run(proc: Proc, words: Words) -> None:
    if words.has("m"):
        held = sum(row.held for row in proc.rows("neighbors"))
        _show(proc, netstat_lines.memory_lines(proc.rows("sockets"), held))
    elif words.has("g"):
        _multicast(proc, words)
    elif words.has("s") or words.protocol:
        _statistics(proc, words)
    elif words.has("r"):
        _routes(proc, words)
    elif words.interval:
        await _repeat(proc, words)
    elif words.has("iI"):
        _interfaces(proc, words)
    else:
        _sockets(proc, words)


async def main(proc: Proc, argv: list[str]) -> int:
    """Show a node's network state. Status 0, or 1 for what cannot be shown and for wrong usage."""
    try:
        words = Words(argv)
        _check(words)
        await _run(proc, words)
    except GetoptError as error:
        proc.error(f"netstat: {error}\n{USAGE}")
    except Refusal as refusal:
        proc.error(f"netstat: {refusal}\n" if str(refusal) else USAGE)
    else:
        return 0
    return 1
