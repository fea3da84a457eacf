"""The table of programs: name -> module and function; a module is loaded when its program first runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from kamelab.userland.proc import Proc

Main = Callable[[Proc, list[str]], Coroutine[Any, Any, int]]

_PACKAGE = "kamelab.userland"

MODULES: Final[dict[str, tuple[str, str]]] = {
    "ifconfig": ("ifconfig", "main"),
    "ndp": ("ndp", "main"),
    "route": ("route", "main"),
    "netstat": ("netstat", "main"),
    "sysctl": ("sysctl", "main"),
    "ping6": ("ping6", "main"),
    "traceroute6": ("traceroute6", "main"),
    "tcpdump": ("tcpdump", "main"),
    "ifmcstat": ("ifmcstat", "main"),
    "mld6d": ("mld6d", "main"),
    "mld6query": ("mld6query", "main"),
    "mcastsend": ("mcast", "send"),
    "mcastread": ("mcast", "read"),
    "ip6addrctl": ("ip6addrctl", "main"),
    "bindtest": ("bindtest", "main"),
    "exttest": ("exttest", "main"),
    "nc": ("nc", "main"),
    "telnet": ("telnet", "main"),
    "fetch": ("fetch", "main"),
    "inetd": ("inetd", "main"),
    "inet6d": ("inetd", "main"),
    "httpd": ("httpd", "main"),
    "rtsol": ("rtsol", "main"),
    "rtsold": ("rtsold", "main"),
    "rtadvd": ("rtadvd", "main"),
    "prefix": ("prefix", "main"),
    "rrenumd": ("rrenumd", "main"),
    "setkey": ("setkey", "main"),
    "man": ("man", "main"),
    "sh": ("sh", "main"),
    "echo": ("builtins_text", "echo"),
    "cat": ("builtins_text", "cat"),
    "grep": ("builtins_text", "grep"),
    "head": ("builtins_count", "head"),
    "wc": ("builtins_count", "wc"),
    "cksum": ("builtins_digest", "cksum"),
    "sha256": ("builtins_digest", "sha256"),
    "ls": ("builtins_files", "ls"),
    "rm": ("builtins_files", "rm"),
    "cp": ("builtins_files", "cp"),
    "kill": ("builtins_process", "kill"),
    "ps": ("builtins_process", "ps"),
    "jobs": ("builtins_process", "jobs"),
    "sleep": ("builtins_process", "sleep"),
    "true": ("builtins_process", "true"),
    "false": ("builtins_process", "false"),
    "hostname": ("builtins_system", "hostname"),
    "logger": ("builtins_system", "logger"),
    "dmesg": ("builtins_system", "dmesg"),
}
"""Module and function of every program, in the order of ``help``."""

DIRECTORIES: Final = (
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/v6/sbin",
)
"""Where a program may also be called by its path."""


def names() -> tuple[str, ...]:
    """All programs' names, sorted."""
    return tuple(sorted(MODULES))


def resolve(word: str) -> str | None:
    """The program that a command's first word means; None where there is none."""
    directory, slash, name = word.rpartition("/")
    if slash and directory not in DIRECTORIES:
        return None
    return name if name in MODULES else None


def nearest(word: str) -> str | None:
    """The program's name most like ``word``; None where nothing comes near."""
    found = get_close_matches(word.rpartition("/")[2].lower(), names(), n=1, cutoff=0.6)
    return found[0] if found else None


def main_of(name: str) -> Main:
    """The program's ``main``; KeyError for a name that is not in the table."""
    module, function = MODULES[name]
    main: Main = getattr(import_module(f"{_PACKAGE}.{module}"), function)
    return main
