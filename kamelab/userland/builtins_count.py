"""head and wc: the beginning of an input, and how much there is of it (POSIX). Left out: wc -L."""

from __future__ import annotations

from kamelab.core.errors import Errno
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.octets import decoded, encoded
from kamelab.userland.probe import integer
from kamelab.userland.proc import Proc

HEAD_USAGE = "usage: head [-n lines | -c bytes] [file ...]\n"
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
    if count is None:
        proc.error(f"head: illegal count -- {value}\n")
        return 1
    if names:
        return _head_files(proc, names, count, letter == "-c")
    while count > 0:
        text = (await proc.readsome(count)) or "" if letter == "-c" else await proc.readline()
        if not text:
            break
        data = encoded(text)
        proc.write(decoded(data[:count]) if letter == "-c" else text)
        count -= len(data) if letter == "-c" else 1
    return 0


def _head_files(proc: Proc, names: list[str], count: int, octets: bool) -> int:
    """The beginnings of files; of several, each under its name. Status 1 where one can't be read."""
    status = 0
    blank = ""
    for name in names:
        try:
            data = encoded(proc.read_file(name))
        except Errno as error:
            proc.error(f"head: {name}: {error}\n")
            status = 1
            continue
        if len(names) > 1:
            proc.write(f"{blank}==> {name} <==\n")
            blank = "\n"
        lines = data.split(b"\n", count)
        proc.write(decoded(data[:count] if octets else b"\n".join(lines[:count] + [b""] * (len(lines) > count))))
    return status


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
        proc.print(_row(_counts(await proc.read(), flags)))
    status = 0
    readable = 0
    total = [0] * len(flags)
    for name in names:
        try:
            counts = _counts(proc.read_file(name), flags)
        except Errno as error:
            proc.error(f"wc: {name}: {error}\n")
            status = 1
            continue
        readable += 1
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
        proc.print(f"{_row(counts)} {name}")
    if readable > 1:
        proc.print(f"{_row(total)} total")
    return status


def _counts(text: str, flags: set[str]) -> list[int]:
    """The numbers that were asked for."""
    numbers = {"l": text.count("\n"), "w": len(text.split()), "c": len(encoded(text))}
    return [number for letter, number in numbers.items() if letter in flags]


def _row(counts: list[int]) -> str:
    """Numbers, each in eight columns."""
    return "".join(f"{number:8}" for number in counts)
