"""bindtest(8): which bind(2) calls a kernel lets follow which (KAME IMPLEMENTATION 1.12 (2001)).

Opens two sockets of AF_INET or AF_INET6, on the wildcard or on the loopback address, in every order on one port. The
table's rows are the first socket, its columns the second one. KAME's program asks the same; the layout is our own.
Left out: telling which of the two sockets then gets the traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno, errno_name
from kamelab.userland.columns import row_text
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: bindtest [-tu] [-p port]\n"
PORT: Final = 65432
V6ONLY: Final = "net.inet6.ip6.v6only"
CASES: Final[tuple[tuple[str, str, bytes], ...]] = (
    ("0.0.0.0", "4", bytes(4)),
    ("127.0.0.1", "4", b"\x7f\0\0\x01"),
    ("::", "6", in6.UNSPECIFIED),
    ("::1", "6", in6.LOOPBACK),
)
"""Address as text, family, address."""
WIDTH: Final = 13


async def main(proc: Proc, argv: list[str]) -> int:
    """Print the table. Status 1 for a wrong option or a port that can't be had at all."""
    protocols: list[str] = []
    port = PORT
    try:
        pairs, rest = getopt(argv, "tup:")
    except GetoptError as error:
        proc.error(f"bindtest: {error}\n{USAGE}")
        return 1
    for letter, value in pairs:
        flag = letter.lstrip("-")
        if flag != "p":
            protocols.append("tcp" if flag == "t" else "udp")
        elif value.isdigit() and 0 < int(value) <= 65535:
            port = int(value)
        else:
            proc.error(f"bindtest: {value}: a port is a number from 1 to 65535\n")
            return 1
    if rest:
        proc.error(USAGE)
        return 1
    status = 0
    for number, protocol in enumerate(dict.fromkeys(protocols or ["tcp", "udp"])):
        if number:
            proc.print()
        proc.print(f"{protocol} port {port}, {V6ONLY}: {proc.sysctl(V6ONLY)}")
        table = [["1st \\ 2nd", *(text for text, _, _ in CASES)]]
        table += [[first[0], *(_try(proc, protocol, port, first, second) for second in CASES)] for first in CASES]
        cells = [cell for row in table for cell in row]
        status |= any(cell.startswith("1st:") for cell in cells)
        widths = [WIDTH] + [max(WIDTH, *map(len, cells))] * len(CASES)
        for row in table:
            proc.print(row_text(row, widths, [0] + [1] * len(CASES)).rstrip())
    return status


def _try(proc: Proc, protocol: str, port: int, first: tuple[str, str, bytes], second: tuple[str, str, bytes]) -> str:
    """The second bind's result: ``ok`` or its errno's name; ``1st: NAME`` where the first one fails already."""
    opened: list[int] = []
    try:
        for place, (_, family, addr) in enumerate((first, second)):
            fd = proc.socket(f"{protocol}{family}")
            opened.append(fd)
            try:
                proc.bind(fd, addr, port)
            except Errno as error:
                return f"{'' if place else '1st: '}{errno_name(error.number)}"
        return "ok"
    finally:
        for fd in opened:
            proc.close(fd)
