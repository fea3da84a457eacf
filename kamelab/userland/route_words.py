"""The command line of route(8) and what it prints: words in, a request or lines out, without a kernel.

KAME USAGE, 4.4BSD `route.c` with KAME's changes for inet6. Only here the embedded form of a scoped address
(``fe80:2::1``) is taken from a user, as KAME USAGE writes it; KAME IMPLEMENTATION 1.3 (2000) calls it an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from kamelab.core import errors
from kamelab.core.clock import SECOND
from kamelab.core.errors import Errno
from kamelab.stack.views import RouteRow
from kamelab.userland.ifconfig_lines import FLAG_NAMES as INTERFACE_FLAGS
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.net.rtsock import RouteMessage

COMMANDS = ("add", "delete", "change", "get", "monitor", "flush")

FLAGS = ("static", "reject", "blackhole", "cloning", "proto1", "proto2", "llinfo", "xresolve")
METRICS = ("recvpipe", "sendpipe", "ssthresh", "rtt", "rttvar", "hopcount", "mtu", "expire")
"""In the order of ``route get``."""
_WITH_ARGUMENT = frozenset({"prefixlen", "ifp", "ifa", "netmask", *METRICS})
_NOT_BUILT = frozenset({"inet", "osi", "xns", "link", "x25", "sa", "genmask", "proxy"})
"""Other families, the second mask that IPv6 routes never had, and ARP's proxies (``ndp -s ADDR MAC proxy``)."""

FLAG_NAMES = (
    ("U", "UP"),
    ("G", "GATEWAY"),
    ("H", "HOST"),
    ("R", "REJECT"),
    ("D", "DYNAMIC"),
    ("M", "MODIFIED"),
    ("d", "DONE"),
    ("C", "CLONING"),
    ("X", "XRESOLVE"),
    ("L", "LLINFO"),
    ("S", "STATIC"),
    ("1", "PROTO1"),
    ("2", "PROTO2"),
    ("W", "WASCLONED"),
    ("c", "PRCLONING"),
    ("3", "PROTO3"),
    ("B", "BLACKHOLE"),
    ("b", "BROADCAST"),
)
"""Letters of ``netstat -r`` and words of ``route get``, in the order of their bits."""

METRICS_HEADER = " recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire"
_METRIC_ENDS = (9, 19, 29, 39, 49, 59, 68, 79)

_TEXTS = {
    errors.ESRCH: "not in table",
    errors.EBUSY: "entry in use",
    errors.ENOBUFS: "routing table overflow",
    errors.EDQUOT: "gateway uses the same route",
}


class BadWords(Exception):
    """The command line is wrong; the text is what route says, empty: only its usage."""


class Request(NamedTuple):
    """One command line."""

    command: str
    destination: str
    """As typed; empty for flush."""
    gateway: str
    """As typed: an address, or an interface's name when ``direct``."""
    direct: bool
    """``-interface``: no gateway in between."""
    plen: int | None
    host: bool
    net: bool
    flags: tuple[str, ...]
    mtu: int
    expire: int
    interface: str
    """``-ifp``"""
    own: str = ""
    """``-ifa``: one of the node's addresses, whose interface is meant."""
    metrics: tuple[tuple[str, int], ...] = ()
    """The others, by name."""
    locks: tuple[str, ...] = ()


def netmask_len(text: str) -> int:
    """The prefix length of a contiguous mask such as ``ffff:ffff::``. Raises ValueError for another."""
    bits = int.from_bytes(in6.pton(text), "big")
    plen = bits.bit_count()
    if bits != int.from_bytes(in6.mask(b"\xff" * 16, plen), "big"):
        raise ValueError(f"{text}: not a contiguous mask")
    return plen


def parse(words: list[str]) -> Request:
    """Read the words from the command on. Raises `BadWords`."""
    if not words:
        raise BadWords("")
    command, *rest = words
    if command not in COMMANDS:
        raise BadWords("")
    plain: dict[str, bool] = {"static": True} if command == "add" else {}
    numbers: dict[str, int] = {}
    interface, own, direct, host, net = "", "", False, False, False
    locks: list[str] = []
    lock_next = lock_rest = False
    operands: list[str] = []
    queue = list(rest)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        name = word[1:]
        if name in _WITH_ARGUMENT:
            if not queue:
                raise BadWords(f"{word}: an argument is expected")
            value = queue.pop(0)
            if name in METRICS and (lock_next or lock_rest):
                locks.append(name)
                lock_next = False
            if name == "ifp":
                interface = value
            elif name == "ifa":
                own = value
            elif name == "netmask":
                try:
                    numbers["prefixlen"] = netmask_len(value)
                except ValueError:
                    raise BadWords(f"{value}: bad value") from None
            elif value.isdecimal() and (name != "prefixlen" or int(value) <= 128):
                numbers[name] = int(value)
            else:
                raise BadWords(f"{value}: bad value")
        elif name == "lock":
            lock_next = True
        elif name == "lockrest":
            lock_rest = True
        elif name in FLAGS:
            plain[name] = True
        elif name == "nostatic":
            plain["static"] = False
        elif name in ("interface", "iface"):
            direct = True
        elif name == "host":
            host = True
        elif name == "net":
            net = True
        elif name in _NOT_BUILT:
            raise BadWords(f"{word}: not built yet")
        elif name not in ("inet6", "gateway", "n", "q", "v"):
            raise BadWords(f"bad keyword: {name}")
    if command not in ("flush", "monitor") and not operands:
        raise BadWords("")
    most = {"get": 1, "flush": 0, "monitor": 0}.get(command, 2)
    if len(operands) > most:
        raise BadWords(f"{operands[most]}: one word too many")
    gateway = operands[1] if len(operands) > 1 else ""
    changes = bool(numbers.keys() & set(METRICS) or plain or locks or interface)
    if not gateway and (command == "add" or (command == "change" and not changes)):
        raise BadWords("a gateway, or -interface and an interface, is expected")
    return Request(
        command,
        operands[0] if operands else "",
        gateway,
        direct,
        numbers.get("prefixlen"),
        host,
        net,
        tuple(flag for flag in FLAGS if plain.get(flag)),
        numbers.get("mtu", 0),
        numbers.get("expire", 0),
        interface,
        own,
        tuple((name, numbers[name]) for name in METRICS[:-2] if name in numbers),
        tuple(locks),
    )


def prefix_len(request: Request, addr: bytes, written: int | None) -> int:
    """The destination's length: as given, else by KAME's rule.

    An address of 2000::/3 whose interface identifier is zero is a /64 (KAME USAGE: to get along with aggregatable
    addresses), any other a host. ``-host`` and ``-net`` decide where neither length nor rule is wanted.
    """
    if request.host:
        return 128
    if written is not None:
        return written
    if request.plen is not None:
        return request.plen
    if request.destination == "default":
        return 0
    if request.net or (addr[0] & 0xE0 == 0x20 and addr[8:] == bytes(8)):
        return 64
    return 128


def failure_text(error: Errno) -> str:
    """route's words for an errno, where it has its own."""
    return _TEXTS.get(error.number, str(error))


def result_line(request: Request, plen: int, error: Errno | None) -> str:
    """``add net 2001:db8:5::: gateway fe80::1%de0``, and behind it what went wrong."""
    kind = "host" if plen == 128 else "net"
    line = f"{request.command} {kind} {request.destination}"
    if request.gateway:
        line += f": gateway {request.gateway}"
    if error is not None:
        line += f": {failure_text(error)}"
    return line


def flush_line(row: RouteRow, name: Callable[[str], str]) -> str:
    """One line of ``route flush``."""
    return f"{name(row.destination)[:20]:<20} {name(row.gateway)[:20]:<20} done"


def flag_words(letters: str) -> str:
    """``<UP,GATEWAY,DONE,STATIC>``"""
    return "<" + ",".join(word for letter, word in FLAG_NAMES if letter in letters) + ">"


def get_lines(target: str, row: RouteRow, mtu: int, now: int, name: Callable[[str], str]) -> list[str]:
    """What ``route get`` prints; ``mtu`` (octets) stands in where the route has none."""
    network, _, plen = row.destination.partition("/")
    zoneless, _, zone = network.partition("%")
    lines = [f"   route to: {target}", f"destination: {name(f'{zoneless}%{zone}' if zone else zoneless)}"]
    if row.destination == "default":
        lines.append("       mask: default")
    elif plen:
        lines.append(f"       mask: {in6.ntop(in6.mask(bytes([255]) * 16, int(plen)))}")
    if "G" in row.flags or not row.gateway.startswith("link#"):
        lines.append(f"    gateway: {name(row.gateway)}")
    lines += [f"  interface: {row.interface}", f"      flags: {flag_words(row.flags + 'd')}", METRICS_HEADER]
    expire = 0 if row.expire is None else max(row.expire - now, 0) // SECOND
    metrics = {**dict(row.metrics), "mtu": row.mtu or mtu, "expire": expire}
    values = ""
    for end, metric in zip(_METRIC_ENDS, METRICS, strict=True):
        values += f"{metrics.get(metric, 0):>{end - len(values)}}"
        values += "L" if metric in row.locks else ""
    return [*lines, values]


MESSAGES = {
    "RTM_ADD": "a route was added",
    "RTM_DELETE": "a route was deleted",
    "RTM_CHANGE": "gateway, flags or metrics were changed",
    "RTM_GET": "a route was asked for",
    "RTM_LOSING": "the way there may be dead",
    "RTM_REDIRECT": "a router knows a better way",
    "RTM_MISS": "there was no route",
    "RTM_NEWADDR": "an interface got an address",
    "RTM_DELADDR": "an interface lost an address",
    "RTM_IFINFO": "an interface changed",
}
"""Messages of the routing socket and what they say."""


def message_lines(message: RouteMessage, name: Callable[[str], str]) -> list[str]:
    """What ``route monitor`` prints of a message below its first line."""
    head = f"{message.kind}: {MESSAGES[message.kind]}: len {message.size}, "
    if message.kind == "RTM_IFINFO":
        return [f"{head}if# {message.ifindex}, flags:{interface_flags(int(message.flags, 16))}"]
    if message.kind in ("RTM_NEWADDR", "RTM_DELADDR"):
        lines = [f"{head}if# {message.ifindex}, metric 0, flags:"]
    else:
        lines = [
            f"{head}pid: {message.pid}, seq {message.seq}, errno {message.errno}, flags:{flag_words(message.flags)}",
            f"locks:{_metric_names(message.locks)} inits:{_metric_names(name for name, _ in message.metrics)}",
        ]
    lines.append("sockaddrs: <" + ",".join(kind for kind, _ in message.addresses) + ">")
    shown = (text if kind in ("NETMASK", "IFP") else name(text) for kind, text in message.addresses)
    return [*lines, " " + " ".join(shown)]


def interface_flags(bits: int) -> str:
    """``<UP,BROADCAST,...>`` in ifconfig's words."""
    return "<" + ",".join(word for bit, word in INTERFACE_FLAGS if bits & bit) + ">"


def _metric_names(names: Iterable[str]) -> str:
    text = ",".join(names)
    return f" <{text}>" if text else " "
