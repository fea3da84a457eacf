"""inetd.conf(5): the services that inetd offers (KAME USAGE "INETD", 4.4BSD's format).

One service a line: name, socket type, protocol (tcp6, tcp46, udp6), wait or nowait with an optional ``.max``, user,
program or ``internal``, arguments. ``#@ POLICY`` gives an IPsec policy to the lines below it until the next ``#@``.
Left out: users, IPv4, RPC and Unix domain services, the FAITH protocols of the relay translator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kamelab.userland import programs
from kamelab.userland.netdb import getservbyname
from kamelab.userland.probe import integer

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

INTERNAL: Final = ("echo", "discard", "daytime", "chargen", "time")
"""Services that the daemon does itself, over TCP and UDP."""
PROTOCOLS: Final = ("tcp6", "tcp46", "udp6")

_DIRECTIONS: Final = ("in", "out")
_KINDS: Final = ("ipsec", "none", "discard", "bypass", "entrust")


class PolicyError(Exception):
    """A policy line that can't be used: the daemon ends (KAME inetd)."""


@dataclass(frozen=True)
class Service:
    """One line."""

    name: str
    protocol: str
    port: int
    argv: tuple[str, ...]
    """The program and its arguments; () for an internal service."""
    rate: int | None
    """Servers a minute (``nowait.max``); None: the daemon's own."""
    policy: str
    """The IPsec policy, "" without one."""

    @property
    def stream(self) -> bool:
        return self.protocol != "udp6"

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.protocol

    @property
    def label(self) -> str:
        """As the log names it: ``echo/tcp6``."""
        return f"{self.name}/{self.protocol}"


def parse(proc: Proc, text: str) -> tuple[list[Service], list[str]]:
    """(services, what is wrong with which line). Raises PolicyError."""
    services: dict[tuple[str, str], Service] = {}
    wrong = []
    policy = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#@"):
            policy = _policy(line[2:].strip(), number)
            continue
        words = line.partition("#")[0].split()
        if not words:
            continue
        found = _service(proc, words, policy)
        if isinstance(found, str):
            wrong.append(f"line {number}: {found}")
        elif found.key in services:
            wrong.append(f"line {number}: {found.label}: service is listed twice")
        else:
            services[found.key] = found
    return list(services.values()), wrong


def _policy(text: str, number: int) -> str:
    """An IPsec policy, or several with ``;`` between them. Raises PolicyError."""
    for one in text.split(";") if text else ():
        words = one.split()
        if len(words) < 2 or words[0] not in _DIRECTIONS or words[1] not in _KINDS:
            raise PolicyError(f"line {number}: #@ {text}: invalid IPsec policy")
        if (words[1] == "ipsec") != (len(words) > 2):
            raise PolicyError(f"line {number}: #@ {text}: invalid IPsec policy")
    return text


def _service(proc: Proc, words: list[str], policy: str) -> Service | str:
    """A line's service, or what is wrong with it."""
    if len(words) < 6:
        return f"{words[0]}: {len(words)} fields, 6 are wanted"
    name, kind, protocol, wait, _user, program = words[:6]
    if "faith" in protocol:
        return f"{name}/{protocol}: the FAITH translator is not built yet"
    if protocol not in PROTOCOLS:
        return f"{name}/{protocol}: protocol not supported ({' '.join(PROTOCOLS)} are)"
    if kind != ("dgram" if protocol == "udp6" else "stream"):
        return f"{name}/{protocol}: socket type {kind} does not fit"
    verb, dot, bound = wait.partition(".")
    rate = integer(bound, 0, 1_000_000) if dot else None
    if verb not in ("wait", "nowait") or (dot and rate is None):
        return f"{name}/{protocol}: {wait}: wait or nowait is wanted"
    base = "udp" if protocol == "udp6" else "tcp"
    port = integer(name, 1, 65535) or getservbyname(proc, name, base)
    if not port:
        return f"{name}/{protocol}: unknown service"
    if program == "internal":
        if name not in INTERNAL:
            return f"{name}/{protocol}: internal service unknown"
        return Service(name, protocol, port, (), rate, policy)
    if protocol == "udp6" or verb == "wait":
        return f"{name}/{protocol}: a program is served with stream and nowait only"
    known = programs.resolve(program)
    if known is None:
        return f"{name}/{protocol}: {program}: No such file or directory"
    return Service(name, protocol, port, (known, *words[7:]), rate, policy)
