"""rtadvd.conf(5): what a router advertises on an interface.

KAME `rtadvd/config.c`; limits of RFC 4861 6.2.1, route information of RFC 4191. The file is in termcap's manner: an
entry is a name and fields between colons, ``key#number``, ``key="text"``, ``key``, ``key@`` to take one back, and
``tc=NAME`` to go on with another entry. Every mistake is told with file, line and key.

Left out: the keys of mobile IPv6 (hapref, hatime) and DNS (rdnss, dnssl), which are refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, NamedTuple

from kamelab.stack.views import INFINITE
from kamelab.wire import in6

PATH: Final = "/etc/rtadvd.conf"
MAX_PREFIXES: Final = 100

_PLAIN: Final = (
    "maxinterval",
    "mininterval",
    "chlim",
    "raflags",
    "rltime",
    "rtime",
    "retrans",
    "mtu",
    "nolladdr",
    "clockskew",
    "tc",
    "addrs",  # the count that old versions needed: read and not used
)
_PREFIX: Final = ("addr", "prefixlen", "pinfoflags", "vltime", "pltime", "vltimedecr", "pltimedecr")
_ROUTE: Final = ("rtprefix", "rtplen", "rtflags", "rtltime")
_OLD_ROUTE: Final = {"rtrprefix": "rtprefix", "rtrplen": "rtplen", "rtrflags": "rtflags", "rtrltime": "rtltime"}
_NOT_BUILT: Final = ("hapref", "hatime", "rdnss", "rdnssltime", "dnssl", "dnsslltime")
_MAX_INCLUDES: Final = 32


class ConfError(Exception):
    """A mistake in the file; its text is ``FILE:LINE: key: what is wrong``."""


class Field(NamedTuple):
    """One field of an entry."""

    value: int | str | bool | None
    """A number, a text, True for a flag; None: taken back with @."""
    line: int


@dataclass
class Prefix:
    """A prefix to advertise (RFC 4861 6.2.1 AdvPrefixList); lifetimes in seconds, INFINITE for infinity."""

    prefix: bytes
    plen: int = 64
    onlink: bool = True
    autonomous: bool = True
    vltime: int = 2592000
    pltime: int = 604800
    vltimedecr: bool = False
    """The valid lifetime runs down in real time, from the daemon's start."""
    pltimedecr: bool = False
    static: bool = True
    """From the file; else taken over from the kernel's addresses."""
    since: int = 0
    """When the counting began, ns since boot."""
    router: bool = False
    """A router prefix of the kernel, by prefix(8) or renumbering, with terms of its own."""
    gone_at: int | None = None
    """When the kernel lost the prefix, ns since boot: it is announced with lifetime 0 for 2 hours."""


@dataclass
class Route:
    """A route information option (RFC 4191 2.3); lifetime in seconds."""

    prefix: bytes
    plen: int
    preference: int
    lifetime: int


@dataclass
class Config:
    """What is advertised on one interface (RFC 4861 6.2.1)."""

    name: str
    maxinterval: int = 600
    """Seconds, as is mininterval."""
    mininterval: int = 200
    chlim: int = 64
    managed: bool = False
    other: bool = False
    preference: int = 0
    """1 high, 0 medium, -1 low (RFC 4191 2.2)."""
    rltime: int = 1800
    """Seconds; 0: not a default router."""
    rtime: int = 0
    """Milliseconds, as is retrans; 0: unspecified."""
    retrans: int = 0
    mtu: int = 0
    """Octets; 0: no option."""
    lladdr: bool = True
    clockskew: int = 0
    prefixes: list[Prefix] = field(default_factory=list)
    pattern: Prefix = field(default_factory=lambda: Prefix(in6.UNSPECIFIED, static=False))
    """Flags and lifetimes for the kernel's prefixes, which are advertised if the file names none."""
    routes: list[Route] = field(default_factory=list)


class _Reader:
    """The fields of an interface's entry, with the place of each for messages."""

    def __init__(self, path: str, name: str, fields: dict[str, Field]) -> None:
        self.path = path
        self.name = name
        self.fields = fields

    def wrong(self, key: str, text: str) -> ConfError:
        found = self.fields.get(key)
        place = f"{self.path}:{found.line}" if found else self.path
        return ConfError(f"{place}: {key}: {text} (on {self.name})")

    def number(self, key: str, default: int, low: int, high: int) -> int:
        found = self.fields.get(key)
        if found is None or found.value is None:
            return default
        if isinstance(found.value, bool) or not isinstance(found.value, int):
            raise self.wrong(key, f"must be a number, {key}#N")
        if not low <= found.value <= high:
            raise self.wrong(key, f"{found.value} must be between {low} and {high}")
        return found.value

    def text(self, key: str) -> str | None:
        found = self.fields.get(key)
        if found is None or found.value is None:
            return None
        if not isinstance(found.value, str):
            raise self.wrong(key, f'must be a text, {key}="..."')
        return found.value

    def flag(self, key: str) -> bool:
        found = self.fields.get(key)
        if found is None or found.value is None:
            return False
        if found.value is not True:
            raise self.wrong(key, "is a flag and takes no value")
        return True

    def bits(self, key: str, letters: dict[str, int], default: int) -> int:
        """Flags as letters in a text or as a number."""
        found = self.fields.get(key)
        if found is None or found.value is None:
            return default
        if isinstance(found.value, str):
            value = 0
            for letter in found.value:
                if letter not in letters:
                    raise self.wrong(key, f"{letter!r} is none of the letters {' '.join(letters)}")
                value |= letters[letter]
            return value
        return self.number(key, default, 0, 255)

    def address(self, key: str) -> bytes:
        text = self.text(key) or ""
        try:
            addr = in6.pton(text)
        except ValueError as error:
            raise self.wrong(key, str(error)) from None
        if in6.is_multicast(addr) or in6.is_linklocal(addr):
            raise self.wrong(key, f"{text} can't be advertised: it is link-local or multicast")
        return addr


def config(name: str, text: str, ifmtu: int, path: str = PATH) -> Config:
    """What the file says of an interface; the defaults if it has no entry for it.

    ``ifmtu`` is the interface's MTU in octets. Raises ConfError for the first mistake in the file's form, or in the
    entries that the interface uses.
    """
    read = _Reader(path, name, _lookup(entries(text, path), name, path))
    out = Config(name)
    out.maxinterval = read.number("maxinterval", 600, 4, 1800)
    most = out.maxinterval * 3 // 4
    out.mininterval = read.number("mininterval", max(3, out.maxinterval // 3), 3, most)
    out.chlim = read.number("chlim", 64, 0, 255)
    flags = read.bits("raflags", {"m": 0x80, "o": 0x40, "h": 0x08, "l": 0x18}, 0)
    out.managed, out.other = bool(flags & 0x80), bool(flags & 0x40)
    out.preference = _preference(read, "raflags", flags)
    out.rltime = read.number("rltime", 3 * out.maxinterval, 0, 9000)
    if out.rltime and out.rltime < out.maxinterval:
        raise read.wrong("rltime", f"{out.rltime} must be 0 or between {out.maxinterval} (maxinterval) and 9000")
    out.rtime = read.number("rtime", 0, 0, 3600000)
    out.retrans = read.number("retrans", 0, 0, INFINITE)
    out.clockskew = read.number("clockskew", 0, 0, INFINITE)
    mtu = read.fields.get("mtu")
    if mtu is not None and isinstance(mtu.value, str):
        if mtu.value != "auto":
            raise read.wrong("mtu", f'{mtu.value!r} must be a number or "auto"')
        out.mtu = ifmtu
    else:
        out.mtu = read.number("mtu", 0, 0, INFINITE)
        if out.mtu and not 1280 <= out.mtu <= ifmtu:
            raise read.wrong("mtu", f"{out.mtu} must be between 1280 and {ifmtu}, the interface's")
    out.lladdr = not read.flag("nolladdr")
    for suffix in ("", *map(str, range(MAX_PREFIXES))):
        if _there(read, f"addr{suffix}"):
            out.prefixes.append(_prefix(read, suffix))
        if _there(read, f"rtprefix{suffix}"):
            out.routes.append(_route(read, suffix, out.rltime))
    out.pattern = _terms(read, "", in6.UNSPECIFIED, 64)
    out.pattern.static = False
    return out


def _there(read: _Reader, key: str) -> bool:
    found = read.fields.get(key)
    return found is not None and found.value is not None


def _preference(read: _Reader, key: str, flags: int) -> int:
    """RFC 4191 2.2; the reserved value must not be sent."""
    bits = flags & 0x18
    if bits == 0x10:
        raise read.wrong(key, "0x10 alone is a reserved preference: 0x08 is high, 0x18 low")
    return {0x08: 1, 0x18: -1}.get(bits, 0)


def _prefix(read: _Reader, suffix: str) -> Prefix:
    plen = read.number(f"prefixlen{suffix}", 64, 0, 128)
    return _terms(read, suffix, in6.mask(read.address(f"addr{suffix}"), plen), plen)


def _terms(read: _Reader, suffix: str, prefix: bytes, plen: int) -> Prefix:
    """A prefix with the flags and lifetimes that the keys of its number give."""
    out = Prefix(prefix, plen)
    flags = read.bits(f"pinfoflags{suffix}", {"l": 0x80, "a": 0x40}, 0xC0)
    out.onlink, out.autonomous = bool(flags & 0x80), bool(flags & 0x40)
    out.vltime = read.number(f"vltime{suffix}", 2592000, 0, INFINITE)
    default = min(604800, out.vltime)
    out.pltime = read.number(f"pltime{suffix}", default, 0, INFINITE)
    if out.pltime > out.vltime:
        raise read.wrong(f"pltime{suffix}", f"{out.pltime} must not be greater than vltime, {out.vltime}")
    out.vltimedecr, out.pltimedecr = read.flag(f"vltimedecr{suffix}"), read.flag(f"pltimedecr{suffix}")
    return out


def _route(read: _Reader, suffix: str, rltime: int) -> Route:
    plen = read.number(f"rtplen{suffix}", 64, 0, 128)
    flags = read.bits(f"rtflags{suffix}", {"h": 0x08, "l": 0x18}, 0)
    return Route(
        in6.mask(read.address(f"rtprefix{suffix}"), plen),
        plen,
        _preference(read, f"rtflags{suffix}", flags),
        read.number(f"rtltime{suffix}", rltime, 0, INFINITE),
    )


# -- the form of the file ------------------------------------------------------------------------------------------


def entries(text: str, path: str = PATH) -> dict[str, dict[str, Field]]:
    """All entries by each of their names, in the file's order. Raises ConfError."""
    out: dict[str, dict[str, Field]] = {}
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first = at
        parts = [lines[at]]
        while parts[-1].endswith("\\") and at + 1 < len(lines) and not parts[0].lstrip().startswith("#"):
            at += 1
            parts.append(lines[at])
        at += 1
        if not parts[0].strip() or parts[0].lstrip().startswith("#"):
            continue
        pieces = _split(parts, first + 1, path)
        names, line = pieces[0]
        if not names:
            raise ConfError(
                f"{path}:{line}: an entry begins with its name; a line that goes on with fields must follow one that"
                " ends in a backslash"
            )
        fields: dict[str, Field] = {}
        for piece, line in pieces[1:]:
            if piece:
                key, found = _field(piece, line, path)
                # The first of a repeated field counts, as in termcap.
                fields.setdefault(key, found)
        for name in names.split("|"):
            out.setdefault(name.strip(), fields)
    return out


def _split(parts: list[str], first: int, path: str) -> list[tuple[str, int]]:
    """The pieces between colons of a logical line, each with the number of the line in which it begins."""
    out: list[tuple[str, int]] = []
    piece, begun, quote = "", first, 0
    for number, part in enumerate(parts, first):
        for letter in part[:-1] if part.endswith("\\") else part:
            if letter == ":" and not quote:
                out.append((piece.strip(), begun))
                piece, begun = "", number
                continue
            if letter == '"':
                quote = 0 if quote else number
            if not piece.strip():
                begun = number
            piece += letter
    if quote:
        raise ConfError(f"{path}:{quote}: a quoted text is not ended")
    out.append((piece.strip(), begun))
    return out


def _field(piece: str, line: int, path: str) -> tuple[str, Field]:
    end = next((i for i, letter in enumerate(piece) if letter in "#=@"), len(piece))
    key, mark, value = piece[:end].strip(), piece[end : end + 1], piece[end + 1 :].strip()
    key = _known(key, line, path)
    if mark == "@":
        return key, Field(None, line)
    if mark == "#":
        return key, Field(_integer(key, value, line, path), line)
    if mark == "=":
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        if not quoted and key.rstrip("0123456789") in ("addr", "rtprefix"):
            raise ConfError(f"{path}:{line}: {key}: an address must stand in quotes, as colons part the fields")
        return key, Field(value[1:-1] if quoted else value, line)
    return key, Field(True, line)


def _known(key: str, line: int, path: str) -> str:
    """The key in its present spelling. Raises ConfError for one that is none, with the nearest one proposed."""
    base = key.rstrip("0123456789")
    suffix = key[len(base) :]
    base = _OLD_ROUTE.get(base, base)
    if base in _NOT_BUILT:
        raise ConfError(f"{path}:{line}: {key}: this key is not built yet")
    if base in _PREFIX or base in _ROUTE:
        if suffix and (len(suffix) > 2 or suffix != str(int(suffix))):
            raise ConfError(f"{path}:{line}: {key}: numbers go from 0 to {MAX_PREFIXES - 1}")
        return base + suffix
    if key in _PLAIN:
        return key
    near = get_close_matches(base, (*_PLAIN, *_PREFIX, *_ROUTE), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfError(f"{path}:{line}: {key or 'an empty key'}: unknown key{hint}")


def _integer(key: str, text: str, line: int, path: str) -> int:
    """A number in C's notation: 0x for base 16, 0 for base 8."""
    try:
        if text.lower().startswith("0x"):
            return int(text[2:], 16)
        if not text.isascii() or not text.isdigit():
            raise ValueError
        return int(text, 8) if len(text) > 1 and text[0] == "0" else int(text)
    except ValueError:
        raise ConfError(f"{path}:{line}: {key}: {text!r} is no number") from None


def _lookup(found: dict[str, dict[str, Field]], name: str, path: str) -> dict[str, Field]:
    """The fields of an entry and of those that it includes; what stands nearer counts."""
    out: dict[str, Field] = {}
    entry = found.get(name, {})
    for _ in range(_MAX_INCLUDES):
        for key, value in entry.items():
            out.setdefault(key, value)
        more = entry.get("tc")
        if more is None or more.value is None:
            return out
        if not isinstance(more.value, str) or more.value not in found:
            raise ConfError(f"{path}:{more.line}: tc: there is no entry {more.value}")
        entry = found[more.value]
    raise ConfError(f"{path}: tc: the entries of {name} include each other without end")
