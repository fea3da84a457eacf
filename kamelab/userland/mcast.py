"""mcastsend and mcastread: datagrams to a group, and from it (the multicast test tools of the KAME kit).

Options are kamelab's own. Left out: mchat and mping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, if_nametoindex
from kamelab.userland.probe import NS, integer
from kamelab.userland.proc import SIGINT, Signal
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.proc import Proc

SEND_USAGE: Final = (
    "usage: mcastsend [-L] [-c count] [-h hops] [-i interface] [-w seconds] group\n                 port [text ...]\n"
)
READ_USAGE: Final = "usage: mcastread [-c count] [-i interface] [-s source] [-w seconds] group port\n"
_BOUNDS: Final = {"c": (1, 1_000_000), "h": (0, 255), "w": (0, 86_400)}


async def send(proc: Proc, argv: list[str]) -> int:
    """mcastsend: ``count`` datagrams, ``seconds`` apart. Status 1 if one could not be sent."""
    try:
        pairs, rest = getopt(argv, "Lc:h:i:w:")
        flags, numbers, index = _options(proc, pairs)
        group, zone, port = _group(proc, rest[:2])
        fd = proc.socket("udp6")
        if index:
            proc.setsockopt(fd, "IPV6_MULTICAST_IF", index)
        proc.setsockopt(fd, "IPV6_MULTICAST_LOOP", "L" in flags)
        if "h" in numbers:
            proc.setsockopt(fd, "IPV6_MULTICAST_HOPS", numbers["h"])
        data = (" ".join(rest[2:]) or "hello").encode("utf-8", "surrogateescape")
        for number in range(numbers.get("c", 1)):
            if number:
                await proc.sleep(numbers.get("w", 1) * NS)
            proc.sendmsg(fd, data, group, port, zone or index)
    except GetoptError as error:
        proc.error(f"mcastsend: {error}\n{SEND_USAGE}")
        return 1
    except (Fault, Errno) as fault:
        proc.error(f"mcastsend: {fault}\n" if str(fault) else SEND_USAGE)
        return 1
    return 0


async def read(proc: Proc, argv: list[str]) -> int:
    """mcastread: join, print each datagram with its sender. Ends after ``count`` of them, ``seconds``, or ^C.

    Status 1 if it can't join, or was told to wait and nothing came.
    """
    count = 0
    try:
        pairs, rest = getopt(argv, "c:i:s:w:")
        _, numbers, index = _options(proc, pairs)
        group, zone, port = _group(proc, rest)
        fd = proc.socket("udp6")
        proc.setsockopt(fd, "SO_REUSEPORT", True)
        proc.bind(fd, in6.UNSPECIFIED, port)
        sources = [_source(proc, value) for letter, value in pairs if letter.lstrip("-") == "s"]
        for source in sources:
            proc.setsockopt(fd, "MCAST_JOIN_SOURCE_GROUP", (index or zone, group, source))
        if not sources:
            proc.setsockopt(fd, "IPV6_JOIN_GROUP", (group, index or zone))
    except GetoptError as error:
        proc.error(f"mcastread: {error}\n{READ_USAGE}")
        return 1
    except (Fault, Errno) as fault:
        proc.error(f"mcastread: {fault}\n" if str(fault) else READ_USAGE)
        return 1
    until = proc.time() + numbers["w"] * NS if "w" in numbers else None
    most = numbers.get("c", 0)
    try:
        while not most or count < most:
            left = None if until is None else until - proc.time()
            message: Message | None = None
            if left is None or left > 0:
                message = await proc.recvmsg(fd, left)
            if message is None:
                break
            if message.dst == group:
                count += 1
                proc.print(_line(message))
    except Signal as signal:
        if signal.number != SIGINT:
            raise
        return 0
    return 0 if count or until is None else 1


def _line(message: Message) -> str:
    text = message.data.decode("utf-8", "surrogateescape").rstrip("\n")
    return f"from {in6.ntop(message.addr)} port {message.port} hops {message.hoplimit}: {text}"


def _options(proc: Proc, pairs: list[tuple[str, str]]) -> tuple[set[str], dict[str, int], int]:
    """(letters, numbers by letter, index of the interface or 0). Raises Fault."""
    flags, numbers, index = set(), {}, 0
    for letter, value in pairs:
        flag = letter.lstrip("-")
        flags.add(flag)
        if flag == "i":
            index = if_nametoindex(proc, value)
            if not index:
                raise Fault(f"interface {value} does not exist")
        elif flag in _BOUNDS:
            low, high = _BOUNDS[flag]
            number = integer(value, low, high)
            if number is None:
                raise Fault(f"-{flag} {value}: a number from {low} to {high} is wanted")
            numbers[flag] = number
    return flags, numbers, index


def _group(proc: Proc, words: list[str]) -> tuple[bytes, int, int]:
    """(group, zone, port). Raises Fault."""
    if len(words) != 2:
        raise Fault
    try:
        group, zone = getaddrinfo(proc, words[0])
    except (GaiError, Errno) as error:
        raise Fault(f"{words[0]}: {error}") from None
    if not in6.is_multicast(group):
        raise Fault(f"{words[0]} is not a multicast address")
    port = integer(words[1], 1, 65535)
    if port is None:
        raise Fault(f"{words[1]}: a port from 1 to 65535 is wanted")
    return group, zone, port


def _source(proc: Proc, text: str) -> bytes:
    try:
        return getaddrinfo(proc, text)[0]
    except (GaiError, Errno) as error:
        raise Fault(f"{text}: {error}") from None
