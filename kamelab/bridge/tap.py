"""TAP devices: the host's kernel as one more machine on a link.

With python-pytun where it is installed, else with the one ioctl that it would make (TUNSETIFF, if_tun.h of Linux).
Frames go without packet information (IFF_NO_PI) and without offloads: whole Ethernet frames with checksums filled in.
The device keeps the MAC address that the host gave it; it is the host's end, not the node's.

A device that was not there is made, and goes with the process. Left out: multi-queue, BSD's /dev/tapN.
"""

from __future__ import annotations

import errno
import importlib
import os
import socket
import struct
from types import ModuleType
from typing import Any

from kamelab.bridge.port import FRAME_MAX, BridgeError
from kamelab.bridge.preflight import missing

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
CLONE = "/dev/net/tun"


class Tap:
    """An open TAP device (`kamelab.bridge.port.Device`)."""

    def __init__(self, name: str, fd: int, owner: Any = None) -> None:
        self.name = name
        self._fd = fd
        self._owner = owner
        """What closes the descriptor; None: we do."""
        os.set_blocking(fd, False)

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def read(self) -> bytes | None:
        """The next frame from the host; None where there is none. Raises BridgeError where the device was deleted."""
        try:
            return os.read(self._fd, FRAME_MAX)
        except BlockingIOError:
            return None
        except OSError as error:
            raise BridgeError(f"{self.name} is gone: {error.strerror}") from None

    def write(self, frame: bytes) -> bool:
        """Give a frame to the host; False where it is down, its queue is full, or the frame is too long for it."""
        try:
            return os.write(self._fd, frame) == len(frame)
        except OSError:
            # EAGAIN, EIO, EMSGSIZE ...: a cable without a far end. Reading tells whether the device is gone.
            return False

    def close(self) -> None:
        """Let the device go."""
        if self._fd < 0:
            return
        if self._owner is not None:
            self._owner.close()
        else:
            os.close(self._fd)
        self._fd = -1


def open_tap(name: str, *, pytun: bool = True) -> Tap:
    """Open the TAP device ``name``, made where it is not there, and set it up where it is down and we may.

    ``pytun=False`` does without python-pytun. Raises BridgeError with one sentence on what is missing.
    """
    why = missing(name)
    if why:
        raise BridgeError(why)
    module = _pytun() if pytun else None
    try:
        tap = _by_ioctl(name) if module is None else _by_pytun(module, name)
    except OSError as error:
        raise BridgeError(_reason(name, error)) from None
    try:
        set_up(name)
    except PermissionError:
        # Its owner may use the device but not set it up: frames flow once the administrator does.
        pass
    except OSError as error:
        tap.close()
        raise BridgeError(f"{name} can't be set up: {error.strerror}") from None
    return tap


def set_up(name: str) -> None:
    """``ip link set NAME up`` where it is down. Raises OSError."""
    import fcntl

    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack_from("16sH", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        if not flags & IFF_UP:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | IFF_UP))


def _pytun() -> ModuleType | None:
    try:
        return importlib.import_module("pytun")
    except ImportError:
        return None


def _by_pytun(module: ModuleType, name: str) -> Tap:
    try:
        device = module.TunTapDevice(name=name, flags=module.IFF_TAP | module.IFF_NO_PI)
    except module.Error as error:
        raise OSError(*error.args) from None
    return Tap(name, device.fileno(), device)


def _by_ioctl(name: str) -> Tap:
    import fcntl

    fd = os.open(CLONE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return Tap(name, fd)


def _reason(name: str, error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return f"{name} is in use by another program"
    return f"{name} can't be opened: {error.strerror or error}"
