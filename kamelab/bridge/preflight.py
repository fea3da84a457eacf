"""Whether this machine lets us open a TAP device, said before it is tried and in one sentence when not.

Linux only (tuntap.rst of the kernel's documentation). Looks at files below /dev, /sys and /proc; opens nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

IFNAMSIZ = 16
CAP_NET_ADMIN = 12
IFF_TAP = 0x0002
NO_OWNER = -1


class Host(NamedTuple):
    """Where to look; a test puts other places in."""

    platform: str = sys.platform
    dev: Path = Path("/dev/net/tun")
    net: Path = Path("/sys/class/net")
    status: Path = Path("/proc/self/status")
    uid: int = os.getuid() if hasattr(os, "getuid") else 0


def missing(device: str, host: Host | None = None) -> str:
    """What keeps the TAP device of that name from being opened, as one sentence; empty where nothing does."""
    host = Host() if host is None else host
    if not host.platform.startswith("linux"):
        return "a TAP device needs Linux: --udp joins a link to another program on any system"
    if not _is_name(device):
        return f"{device!r} is no name for a network device: up to {IFNAMSIZ - 1} characters, no space, no '/'"
    if not host.dev.exists():
        return f"there is no {host.dev}: load the kernel's tun module, or give the container that device"
    if not os.access(host.dev, os.R_OK | os.W_OK):
        return f"{host.dev} may not be read and written by this user"
    place = host.net / device
    if place.exists():
        kind = _number(place / "tun_flags", 16)
        if kind is None or not kind & IFF_TAP:
            return f"{device} is a network device, but not a TAP device: choose another name"
        if _number(place / "owner", 10) == host.uid:
            return ""
        if not has_net_admin(host):
            return (
                f"{device} belongs to somebody else: run as root, or have root make it with"
                f" 'ip tuntap add dev {device} mode tap user {_user(host)}'"
            )
        return ""
    if not has_net_admin(host):
        return (
            f"making the TAP device {device} needs CAP_NET_ADMIN: run as root, or have root make it with"
            f" 'ip tuntap add dev {device} mode tap user {_user(host)}'"
        )
    return ""


def has_net_admin(host: Host) -> bool:
    """Whether the process has CAP_NET_ADMIN in force."""
    try:
        lines = host.status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return host.uid == 0
    for line in lines:
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_NET_ADMIN & 1)
    return False


def _is_name(text: str) -> bool:
    return (
        0 < len(text.encode()) < IFNAMSIZ
        and text not in (".", "..")
        and all(letter.isprintable() and letter not in "/: " for letter in text)
    )


def _number(path: Path, base: int) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"), base)
    except (OSError, ValueError):
        return None


def _user(host: Host) -> str:
    """The user by number: the name would need the host's user database."""
    return str(host.uid)
