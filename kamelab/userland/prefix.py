"""prefix(8): prefixes of a router's interfaces, and the renumbering of all of them at once.

KAME `prefix.c` of 1999 to 2001, KAME USAGE; the terms are RFC 2894 3.2's. The kernel makes an address of each prefix
and rtadvd advertises it. Left out: forms for prefixes longer than 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from kamelab.core import errors
from kamelab.core.errors import Errno
from kamelab.stack.netinet6 import in6_prefix
from kamelab.stack.netinet6.in6_prefix import Terms, Use
from kamelab.stack.views import INFINITE, InterfaceRow
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.wire import in6

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = """\
usage: prefix interface PREFIX [prefixlen N] [parameter ...] [set | delete]
       prefix interface matchpr PREFIX [mp_len N] [mp_minlen N] [mp_maxlen N]
              [usepr PREFIX [up_uselen N] [up_keeplen N]] [parameter ...]
              [add | change | setglobal]
       prefix -a [-d] [-u] matchpr ...
parameters: vltime TIME, pltime TIME, [-]raf_onlink, [-]raf_auto,
            [-]rrf_decrvalid, [-]rrf_decrprefd
"""

_REQUESTS: Final = {
    "set": in6_prefix.SET,
    "delete": in6_prefix.DELETE,
    "add": in6_prefix.ADD,
    "change": in6_prefix.CHANGE,
    "setglobal": in6_prefix.SETGLOBAL,
}
_FLAGS: Final = {
    "raf_onlink": "onlink",
    "raf_auto": "autonomous",
    "rrf_decrvalid": "decrvalid",
    "rrf_decrprefd": "decrprefd",
}
_NUMBERS: Final = ("prefixlen", "mp_len", "mp_minlen", "mp_maxlen", "up_uselen", "up_keeplen")
_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TERMS: Final = Terms()
_UP, _LOOPBACK = 1, 8


class UsageError(Exception):
    """The command line makes no sense; the text, where there is one, says why."""


@dataclass
class Order:
    """A command line as it was understood."""

    request: str = ""
    prefix: bytes | None = None
    match: bytes | None = None
    use: bytes | None = None
    numbers: dict[str, int] = field(default_factory=dict)
    terms: Terms = _TERMS


def read_time(text: str) -> int | None:
    """Seconds of a lifetime: a number, ``infinity``, or numbers behind letters (``d1h2m3s4``); None for no lifetime."""
    if text in ("infinity", "infinite", "infty"):
        return INFINITE
    if text.isascii() and text.isdigit():
        return int(text) if len(text) < 12 and int(text) <= INFINITE else None
    total, at = 0, 0
    while at < len(text):
        unit = _UNITS.get(text[at])
        end = at + 1
        while end < len(text) and text[end] in "0123456789":
            end += 1
        if unit is None or not 1 < end - at < 12:
            return None
        total += unit * int(text[at + 1 : end])
        at = end
    return total if text and total <= INFINITE else None


def parse(words: list[str]) -> Order:
    """Read the words behind the interface. Raises `UsageError`."""
    order = Order()
    queue = list(words)
    flags: dict[str, bool] = {}
    times: dict[str, int] = {}

    def argument(word: str) -> str:
        if not queue:
            raise UsageError(f"{word} requires an argument")
        return queue.pop(0)

    while queue:
        word = queue.pop(0)
        flag = word.removeprefix("-")
        if word in _REQUESTS:
            if order.request:
                raise UsageError(f"{word}: one action only")
            order.request = _REQUESTS[word]
        elif flag in _FLAGS:
            flags[_FLAGS[flag]] = not word.startswith("-")
        elif word in ("vltime", "pltime"):
            text = argument(word)
            seconds = read_time(text)
            if seconds is None:
                raise UsageError(f"{text}: bad {word}")
            times[word] = seconds
        elif word in _NUMBERS:
            order.numbers[word] = _length(argument(word), word)
        elif word == "matchpr":
            order.match = _prefix(argument(word), order.numbers, "mp_len")
        elif word == "usepr":
            order.use = _prefix(argument(word), order.numbers, "up_uselen")
        elif order.prefix is None and order.match is None:
            order.prefix = _prefix(word, order.numbers, "prefixlen")
        else:
            raise UsageError(f"{word}: bad value")
    vltime = times.get("vltime", _TERMS.vltime)
    pltime = times.get("pltime", min(_TERMS.pltime, vltime))
    order.terms = _TERMS._replace(vltime=vltime, pltime=pltime, **flags)
    return _judged(order)


def _length(text: str, word: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 128:
        raise UsageError(f"{text}: bad {word}, it is a number from 0 to 128")
    return int(text)


def _prefix(text: str, numbers: dict[str, int], word: str) -> bytes:
    """An address, or one with its length behind a slash."""
    head, slash, tail = text.partition("/")
    if slash:
        numbers[word] = _length(tail, word)
    try:
        return in6.pton(head)
    except ValueError:
        raise UsageError(f"{text}: bad value") from None


def _judged(order: Order) -> Order:
    """The action that follows from the words. Raises `UsageError` where they don't go together."""
    if (order.prefix is None) == (order.match is None):
        raise UsageError("a prefix, or matchpr with one, must be given")
    if order.match is None:
        if order.request not in ("", in6_prefix.SET, in6_prefix.DELETE):
            raise UsageError("add, change and setglobal need matchpr")
        if order.use is not None or set(order.numbers) - {"prefixlen"}:
            raise UsageError("usepr and lengths of a match need matchpr")
        return replace(order, request=order.request or in6_prefix.SET)
    if order.request in (in6_prefix.SET, in6_prefix.DELETE) or "prefixlen" in order.numbers:
        raise UsageError("set, delete and prefixlen don't go with matchpr")
    return replace(order, request=order.request or in6_prefix.ADD)


def carry_out(proc: Proc, interface: str, order: Order, origin: str = "static") -> None:
    """Ask the kernel. Errno as `in6_prefix.ioctl` says, ENXIO for an unknown interface."""
    numbers = order.numbers
    if order.match is None:
        plen = numbers.get("prefixlen", 64)
        proc.ioctl(order.request, interface, prefix=order.prefix, plen=plen, terms=order.terms, origin=origin)
        return
    uses: tuple[Use, ...] = ()
    if order.use is not None:
        uselen = numbers.get("up_uselen", 64)
        uses = (Use(order.use, uselen, numbers.get("up_keeplen", max(0, 64 - uselen)), order.terms),)
    proc.ioctl(
        order.request,
        interface,
        match=order.match,
        matchlen=numbers.get("mp_len", 64),
        minlen=numbers.get("mp_minlen", 0),
        maxlen=numbers.get("mp_maxlen", 128),
        uses=uses,
        origin=origin,
    )


def _why(error: Errno) -> str:
    return {errors.EPERM: "permission denied", errors.ENXIO: "no such interface"}.get(error.number) or str(error)


async def main(proc: Proc, argv: list[str]) -> int:
    """Set, delete or renumber. Status 0, or 1 when something was refused or the usage is wrong."""
    try:
        options, words = getopt(argv, "adu")
        letters = {option[1:] for option, _ in options}
        if ("a" not in letters and letters) or not words:
            raise UsageError
        names = [] if "a" in letters else [words.pop(0)]
        order = parse(words)
        if "a" in letters and order.match is None:
            raise UsageError("-a goes with matchpr only")
    except GetoptError as error:
        proc.error(f"prefix: {error}\n{USAGE}")
        return 1
    except UsageError as wrong:
        proc.error((f"prefix: {wrong}\n" if str(wrong) else "") + USAGE)
        return 1
    everywhere = "a" in letters
    if everywhere:
        rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
        wanted = letters & {"d", "u"} or {"d", "u"}
        names = [row.name for row in rows if not row.flags & _LOOPBACK and ("u" if row.flags & _UP else "d") in wanted]
    status = 0
    for name in names:
        try:
            carry_out(proc, name, order)
        except Errno as error:
            if everywhere and error.number == errors.EADDRNOTAVAIL:
                continue
            proc.error(f"prefix: {order.request} failed: {_why(error)}\n")
            status = 1
    return status
