"""head and wc: the beginning of an input, and how much there is of it (POSIX). Left out: wc -L, head of many files."""

from __future__ import annotations

from kamelab.core.errors import Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.octets import decoded, encoded
from kamelab.userland.probe import integer
from kamelab.userland.proc import Proc

HEAD_USAGE = "usage: head [-n lines | -c bytes] [file]\n"
WC_USAGE = "usage: wc [-clw] [file ...]\n"


async def head(proc: Proc, argv: list[str]) -> int:
    """head(1): the first lines, ten without -n, or the first octets; then it reads no more."""
    try:
        pairs, names = getopt(["head", "-n", argv[1][1:], *argv[2:]] if _is_count(argv) else argv, "n:c:")
    except GetoptError as error:
        proc.error(f"head: {error}\n{HEAD_USAGE}")
        return 1
    letter, value = pairs[-1] if pairs else ("-n", "10")
    count = integer(value, 0)
    if count is None or len(names) > 1:
        proc.error(HEAD_USAGE if count is not None else f"head: illegal count -- {value}\n")
        return 1
    if names:
        try:
            data = encoded(proc.read_file(names[0]))
        except Errno as error:
            proc.error(f"head: {names[0]}: {error}\n")
            return 1
        lines = data.split(b"\n")
        proc.write(
            decoded(data[:count] if letter == "-c" else b"\n".join(lines[:count] + [b""] * (len(lines) > count)))
        )
        return 0
    while count > 0:
        text = (await proc.readsome(count)) or "" if letter == "-c" else await proc.readline()
        if not text:
            break
        data = encoded(text)
        proc.write(decoded(data[:count]) if letter == "-c" else text)
        count -= len(data) if letter == "-c" else 1
    return 0


def _is_count(argv: list[str]) -> bool:
    """The old form, ``head -5``."""
    return len(argv) > 1 and argv[1][:1] == "-" and argv[1][1:].isdigit()


async def wc(proc: Proc, argv: list[str]) -> int:
    """wc(1): lines, words and octets. Status 1 where a file can't be read."""
    try:
        pairs, names = getopt(argv, "clw")
    except GetoptError as error:
        proc.error(f"wc: {error}\n{WC_USAGE}")
        return 1
    flags = {letter[1] for letter, _ in pairs} or {"l", "w", "c"}
    if not names:
        proc.print(_counts(await proc.read(), flags))
    status = 0
    for name in names:
        try:
            proc.print(f"{_counts(proc.read_file(name), flags)} {name}")
        except Errno as error:
            proc.error(f"wc: {name}: {error}\n")
            status = 1
    return status


def _counts(text: str, flags: set[str]) -> str:
    """The numbers that were asked for, each in eight columns."""
    numbers = {"l": text.count("\n"), "w": len(text.split()), "c": len(encoded(text))}
    return "".join(f"{number:8}" for letter, number in numbers.items() if letter in flags)
