"""What ifconfig(8) prints about an interface: rows of the kernel's tables to lines, without a kernel.

KAME `ifconfig.c` of FreeBSD; the line ``media: ... status: ...`` as KAME USAGE shows it. Left out: IPv4 addresses,
metrics, tunnel addresses.
"""

from __future__ import annotations

from collections.abc import Iterable

from kamelab.stack.views import INFINITE, AddressRow, InterfaceRow

UP = 0x1
LOOPBACK = 0x8

FLAG_NAMES: tuple[tuple[int, str], ...] = (
    (0x1, "UP"),
    (0x2, "BROADCAST"),
    (0x4, "DEBUG"),
    (0x8, "LOOPBACK"),
    (0x10, "POINTOPOINT"),
    (0x20, "SMART"),
    (0x40, "RUNNING"),
    (0x80, "NOARP"),
    (0x100, "PROMISC"),
    (0x200, "ALLMULTI"),
    (0x400, "OACTIVE"),
    (0x800, "SIMPLEX"),
    (0x1000, "LINK0"),
    (0x2000, "LINK1"),
    (0x4000, "LINK2"),
    (0x8000, "MULTICAST"),
)
"""4.4BSD's interface flags."""


def flags_text(flags: int) -> str:
    """``8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>``"""
    names = ",".join(name for bit, name in FLAG_NAMES if flags & bit)
    return f"{flags:x}<{names}>" if names else f"{flags:x}"


def _lifetime(seconds: int) -> str:
    return "infty" if seconds == INFINITE else str(seconds)


def address_line(row: AddressRow, *, lifetimes: bool = False) -> str:
    """One ``inet6`` line; every word ends with a blank. ``lifetimes`` (``-L``) adds the remaining seconds."""
    words = ["inet6", row.address]
    if row.destination:
        words += ["-->", row.destination]
    words += ["prefixlen", str(row.plen), *row.flags]
    if row.scopeid:
        words += ["scopeid", f"{row.scopeid:#x}"]
    if lifetimes and (row.pltime != INFINITE or row.vltime != INFINITE):
        words += ["pltime", _lifetime(row.pltime), "vltime", _lifetime(row.vltime)]
    return "\t" + "".join(f"{word} " for word in words)


def interface_lines(
    row: InterfaceRow, addresses: Iterable[AddressRow], *, lifetimes: bool = False, families: tuple[str, ...] = ()
) -> list[str]:
    """An interface and its addresses; ``families`` (``inet6``, ``link``) narrows it, empty means all."""
    lines = [f"{row.name}: flags={flags_text(row.flags)} mtu {row.mtu}"]
    if not families or "inet6" in families:
        lines += [address_line(a, lifetimes=lifetimes) for a in addresses if a.interface == row.name]
    if row.lladdr and (not families or "link" in families):
        lines.append(f"\tether {row.lladdr} ")
    if not row.flags & LOOPBACK and not families:
        lines.append(f"\tmedia: {'Ethernet' if row.lladdr else 'PPP'} status: {_status(row)}")
    return lines


def _status(row: InterfaceRow) -> str:
    if row.running:
        return "active"
    return "no carrier" if row.flags & UP else "down"
