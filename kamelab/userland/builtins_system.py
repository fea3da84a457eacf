"""hostname, logger and dmesg."""

from __future__ import annotations

from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.proc import Proc

HOSTNAME_USAGE = "usage: hostname [-s] [name-of-host]\n"
LOGGER_USAGE = "usage: logger [-t tag] message ...\n"
DMESG_USAGE = "usage: dmesg\n"


async def hostname(proc: Proc, argv: list[str]) -> int:
    """hostname(1): print the node's name, or set it; ``-s`` up to the first dot."""
    try:
        options, names = getopt(argv, "s")
    except GetoptError as error:
        proc.error(f"hostname: {error}\n{HOSTNAME_USAGE}")
        return 1
    if len(names) > 1:
        proc.error(HOSTNAME_USAGE)
        return 1
    if names:
        proc.sethostname(names[0])
        return 0
    name = proc.hostname()
    proc.print(name.partition(".")[0] if options else name)
    return 0


async def logger(proc: Proc, argv: list[str]) -> int:
    """logger(1): put its words, or standard input line by line, into the node's log."""
    try:
        options, words = getopt(argv, "t:")
    except GetoptError as error:
        proc.error(f"logger: {error}\n{LOGGER_USAGE}")
        return 1
    tag = dict(options).get("-t", "root")
    if words:
        proc.syslog(" ".join(words), tag)
        return 0
    while line := await proc.readline():
        proc.syslog(line.removesuffix("\n"), tag)
    return 0


async def dmesg(proc: Proc, argv: list[str]) -> int:
    """dmesg(8): the kernel's and daemons' messages."""
    if len(argv) > 1:
        proc.error(DMESG_USAGE)
        return 1
    for _, text in proc.dmesg():
        proc.print(text)
    return 0
