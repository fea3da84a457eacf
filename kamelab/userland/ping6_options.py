"""The command line of ping6(8) (KAME `ping6.c` main, KAME USAGE)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kamelab.userland import ping6_nodeinfo
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.probe import NS, integer
from kamelab.wire import ip6

USAGE: Final = """\
usage: ping6 [-dfHmnNqtvwW] [-a addrtype] [-b bufsiz] [-c count] [-g gateway]
             [-h hoplimit] [-I interface] [-i wait] [-l preload] [-P policy]
             [-p pattern] [-S sourceaddr] [-s packetsize] [hops ...] host
"""
_OPTIONS: Final = "a:b:c:dfg:Hh:I:i:l:mNnP:p:qS:s:tvwW"

ECHO_LEN: Final = 8
"""Octets before the data: type, code, checksum, identifier, sequence number."""
TIMESTAMP_LEN: Final = 8
"""Octets at the start of the data that hold the time of sending: seconds and microseconds."""
MAX_DATA: Final = 131072 - ip6.HEADER_LEN - ECHO_LEN
"""Octets of data that can be asked for; beyond 65527 only a link with a large MTU takes them (KAME MAXPACKETLEN)."""
_MIN_INTERVAL: Final = NS // 100
_FLOOD_INTERVAL: Final = NS // 100
_NOTICE: Final = 8192
"""Data above this need -b (KAME ping6.c)."""


@dataclass
class Options:
    """The command line."""

    host: str = ""
    hops: list[str] = field(default_factory=list)
    bufsize: int = 0
    count: int = 0
    """0: without end."""
    debug: bool = False
    flood: bool = False
    gateway: str = ""
    """The next hop (-g)."""
    names: bool = False
    hoplimit: int = -1
    interface: str = ""
    interval: int = NS
    """Nanoseconds between two requests."""
    preload: int = 0
    minmtu: int = 1
    """IPV6_USE_MIN_MTU: 1 always 1280, -1 for multicast only, 0 never (RFC 3542 11.1)."""
    pattern: bytes = b""
    policies: list[str] = field(default_factory=list)
    """IPsec policies in words (-P)."""
    quiet: bool = False
    source: str = ""
    size: int = 8
    """Octets of data."""
    verbose: bool = False
    query: str = ""
    """Node information query: fqdn (-w), fqdnold (-W), nodeaddr (-a), suptypes (-t); empty for an echo request."""
    address_flags: int = 0
    group: bool = False
    """-N: the destination is the group of the host's name."""

    @property
    def short_of_buffer(self) -> bool:
        """-b is missing or too small for the data."""
        return self.size > (self.bufsize or _NOTICE)


def parse(argv: list[str]) -> Options:
    """Read the command line. Raises Fault, GetoptError's words among them."""
    try:
        pairs, rest = getopt(argv, _OPTIONS)
    except GetoptError as error:
        raise Fault(str(error), usage=True) from None
    out = Options()
    own_interval = False
    use_mtu = 0
    for flag, value in pairs:
        match flag:
            case "-a":
                flags = ping6_nodeinfo.address_flags(value)
                if flags is None:
                    raise Fault(f"invalid address type -- {value}", usage=True)
                out.query, out.address_flags = "nodeaddr", flags
            case "-b":
                out.bufsize = _number(value, 1, 1 << 24, "invalid socket buffer size")
            case "-c":
                out.count = _number(value, 1, None, "illegal number of packets")
            case "-d":
                out.debug = True
            case "-f":
                out.flood = True
            case "-g":
                out.gateway = value
            case "-H":
                out.names = True
            case "-h":
                out.hoplimit = _number(value, 0, 255, "illegal hoplimit")
            case "-I":
                out.interface = value
            case "-i":
                out.interval = _interval(value)
                own_interval = True
            case "-l":
                out.preload = _number(value, 1, 65535, "illegal preload value")
            case "-m":
                use_mtu += 1
            case "-N":
                out.group = True
            case "-n":
                out.names = False
            case "-P":
                out.policies.append(value)
            case "-p":
                out.pattern = _pattern(value)
            case "-q":
                out.quiet = True
            case "-S":
                out.source = value
            case "-s":
                out.size = _number(value, 0, None, "illegal datalen value")
                if out.size > MAX_DATA:
                    raise Fault(f"datalen value too large, maximum is {MAX_DATA}")
            case "-t":
                out.query = "suptypes"
            case "-v":
                out.verbose = True
            case "-w":
                out.query = "fqdn"
            case "-W":
                out.query = "fqdnold"
    if out.flood and own_interval:
        raise Fault("-f and -i incompatible options")
    if out.flood:
        out.interval = _FLOOD_INTERVAL
    out.minmtu = (1, -1, 0)[min(use_mtu, 2)]
    if not rest:
        raise Fault("no host given", usage=True)
    out.host, out.hops = rest[-1], rest[:-1]
    return out


def _number(text: str, low: int, high: int | None, words: str) -> int:
    number = integer(text, low, high)
    if number is None:
        raise Fault(f"{words} -- {text}")
    return number


def _interval(text: str) -> int:
    """Seconds with a fraction, as nanoseconds, without the rounding of floating point."""
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit() or len(whole) > 9:
        raise Fault(f"illegal timing interval -- {text}")
    interval = int(whole or "0") * NS + int((fraction + "000000000")[:9])
    if interval < _MIN_INTERVAL:
        raise Fault(f"illegal timing interval -- {text}: the least is 0.01")
    return interval


def _pattern(text: str) -> bytes:
    """Up to 16 octets of hexadecimal digits; a last single digit is an octet too."""
    digits = text[:-1] + "0" + text[-1:] if len(text) % 2 else text
    try:
        pattern = bytes.fromhex(digits)
    except ValueError:
        pattern = b""
    if not pattern or any(c.isspace() for c in text):
        raise Fault(f"patterns must be specified as hex digits -- {text}")
    if len(pattern) > 16:
        raise Fault(f"a pattern has at most 16 octets -- {text}")
    return pattern


def fill(size: int, pattern: bytes) -> bytes:
    """The data of a request: the pattern again and again, else each octet's offset in the message (KAME ping6.c)."""
    if not pattern:
        return bytes((ECHO_LEN + i) & 0xFF for i in range(size))
    start = TIMESTAMP_LEN if size >= TIMESTAMP_LEN else 0
    return bytes(start) + (pattern * (size // len(pattern) + 1))[: size - start]
