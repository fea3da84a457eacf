"""ip6addrctl(8): the kernel's policies of address selection (KAME `ip6addrctl.c`, KAME IMPLEMENTATION 1.6.1 (2001)).

Without a word it shows them. Policies are those of RFC 3484 2.1: a prefix has a precedence, by which destinations are
ordered, and a label, which a source should share with its destination.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.stack.netinet6.in6_addrsel import ADD, DELETE
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.stack.views import AddrctlRow
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: ip6addrctl [show]
       ip6addrctl add PREFIX PRECEDENCE LABEL
       ip6addrctl delete PREFIX
       ip6addrctl flush
       ip6addrctl install FILE
"""
HEADER: Final = f"{'Prefix':<30} {'Prec':>5} {'Label':>5} {'Use':>8}"
EMPTY: Final = "no source-address-selection policy is installed"


class Fault(Exception):
    """What is printed behind ``ip6addrctl: ``."""


class UsageError(Exception):
    """The words make no sense."""


def parse_prefix(text: str) -> tuple[bytes, int]:
    """A prefix with its length; an address alone is one of 128 bits. Raises `Fault`."""
    head, slash, tail = text.partition("/")
    try:
        prefix = in6.pton(head)
    except ValueError:
        raise Fault(f"bad prefix: {head}") from None
    if not slash:
        return prefix, 128
    if not tail.isascii() or not tail.isdigit() or int(tail) > 128:
        raise Fault(f"invalid prefix length: {tail}")
    return prefix, int(tail)


def parse_number(text: str, what: str) -> int:
    """A precedence or label. Raises `Fault`."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) >= 2**31:
        raise Fault(f"invalid {what}: {text}")
    return int(text)


def parse_file(text: str) -> list[tuple[bytes, int, int, int]]:
    """The entries of a policy file: (prefix, length, precedence, label). Raises `Fault` for a line that is none."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 3:
            raise Fault(f"parse failed at line {number}")
        try:
            prefix, plen = parse_prefix(words[0])
            entries.append((prefix, plen, parse_number(words[1], "precedence"), parse_number(words[2], "label")))
        except Fault as fault:
            raise Fault(f"parse failed at line {number}: {fault}") from None
    return entries


def lines(rows: tuple[AddrctlRow, ...]) -> list[str]:
    """What ``show`` prints."""
    if not rows:
        return [EMPTY]
    return [HEADER, *(f"{row.prefix:<30} {row.precedence:>5} {row.label:>5} {row.use:>8}" for row in rows)]


def add(proc: Proc, prefix: bytes, plen: int, precedence: int, label: int) -> None:
    """Ask the kernel for one more policy. Errno: EEXIST, EINVAL, ENOBUFS."""
    proc.ioctl(ADD, "", prefix=prefix, plen=plen, precedence=precedence, label=label)


def flush(proc: Proc) -> None:
    """Remove all policies."""
    for row in proc.rows("addrctlpolicy"):
        prefix, plen = in6.parse_prefix(row.prefix)
        proc.ioctl(DELETE, "", prefix=prefix, plen=plen)


def carry_out(proc: Proc, words: list[str]) -> None:
    """One command. Raises `UsageError`, `Fault`."""
    match words:
        case [] | ["show"]:
            for line in lines(proc.rows("addrctlpolicy")):
                proc.print(line)
        case ["add", text, precedence, label]:
            prefix, plen = parse_prefix(text)
            numbers = parse_number(precedence, "precedence"), parse_number(label, "label")
            try:
                add(proc, prefix, plen, *numbers)
            except Errno as error:
                raise Fault(f"{ADD}: {error}") from None
        case ["delete", text]:
            prefix, plen = parse_prefix(text)
            try:
                proc.ioctl(DELETE, "", prefix=prefix, plen=plen)
            except Errno as error:
                raise Fault(f"{DELETE}: {error}") from None
        case ["flush"]:
            flush(proc)
        case ["install", path]:
            try:
                entries = parse_file(proc.read_file(path))
            except Errno as error:
                raise Fault(f"{path}: {error}") from None
            flush(proc)
            for entry in entries:
                try:
                    add(proc, *entry)
                except Errno as error:
                    raise Fault(f"{in6.ntop(entry[0])}/{entry[1]}: {error}") from None
        case _:
            raise UsageError


async def main(proc: Proc, argv: list[str]) -> int:
    """Show or change the policies. Status 0, or 1 when something was refused or the usage is wrong."""
    try:
        carry_out(proc, argv[1:])
    except UsageError:
        proc.error(USAGE)
        return 1
    except Fault as fault:
        proc.error(f"ip6addrctl: {fault}\n")
        return 1
    return 0
