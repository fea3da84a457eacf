"""sysctl(8), in the flavour of FreeBSD, which KAME USAGE uses.

``NAME: VALUE`` when reading, ``NAME: OLD -> NEW`` when writing; a node of the tree (``net.inet6.icmp6``) shows what is
below it. Left out: ``-A`` and ``-X`` (opaque variables), ``-b``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.userland.getopt import GetoptError, getopt

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE = """\
usage: sysctl [-n] NAME ...
       sysctl [-n] [-w] NAME=VALUE ...
       sysctl [-nN] -a
"""


def read_integer(text: str) -> int | None:
    """A number as strtol(3) reads it with base 0: decimal, ``0x`` hexadecimal, ``0`` octal; None if it is not one."""
    digits = text.strip().lower()
    negative = digits.startswith("-")
    digits = digits.lstrip("+-") if len(digits) > 1 and digits[0] in "+-" and digits[1] not in "+-" else digits
    base = 16 if digits.startswith("0x") else 8 if len(digits) > 1 and digits.startswith("0") else 10
    if "_" in digits:
        return None
    try:
        value = int(digits, base)
    except ValueError:
        return None
    return -value if negative else value


def complaint(name: str, error: Errno) -> str:
    """What sysctl says when the kernel refuses ``name``."""
    if error.number == errors.ENOENT:
        return f"sysctl: unknown oid '{name}'\n"
    if error.number == errors.EPERM:
        return f"sysctl: oid '{name}' is read only\n"
    return f"sysctl: {name}: {error}\n"


def _names(proc: Proc, name: str) -> tuple[str, ...]:
    """The variables that ``name`` stands for: itself, or all below it."""
    names = proc.sysctl_names()
    if name in names:
        return (name,)
    below = tuple(known for known in names if known.startswith(name.rstrip(".") + "."))
    return below or (name,)


def _show(proc: Proc, name: str, *, value_only: bool = False, name_only: bool = False) -> bool:
    """Print one variable; False when the kernel does not know it."""
    if name_only:
        proc.print(name)
        return True
    try:
        value = proc.sysctl(name)
    except Errno as error:
        proc.error(complaint(name, error))
        return False
    proc.print(str(value) if value_only else f"{name}: {value}")
    return True


def _set(proc: Proc, name: str, text: str, *, value_only: bool) -> bool:
    """Write one variable and print old and new value; False when it was refused."""
    value = read_integer(text)
    if value is None:
        proc.error(f"sysctl: invalid integer '{text}'\n")
        return False
    try:
        old = proc.sysctl_set(name, value)
        new = proc.sysctl(name)
    except Errno as error:
        proc.error(complaint(name, error))
        return False
    proc.print(str(new) if value_only else f"{name}: {old} -> {new}")
    return True


async def main(proc: Proc, argv: list[str]) -> int:
    """Read and write kernel variables. Status 0, or 1 when one of them was refused or the usage is wrong."""
    try:
        options, names = getopt(argv, "aAnNwq")
    except GetoptError as error:
        proc.error(f"sysctl: {error}\n{USAGE}")
        return 1
    given = {letter for letter, _ in options}
    value_only, name_only = "-n" in given, "-N" in given
    if given & {"-a", "-A"}:
        results = [_show(proc, name, value_only=value_only, name_only=name_only) for name in proc.sysctl_names()]
        return 0 if all(results) else 1
    if not names:
        proc.error(USAGE)
        return 1
    status = 0
    for text in names:
        name, equals, value = text.partition("=")
        if equals:
            done = _set(proc, name, value, value_only=value_only)
        else:
            shown = [_show(proc, n, value_only=value_only, name_only=name_only) for n in _names(proc, name)]
            done = all(shown)
        status = status if done else 1
    return status
