"""The packet filter device: programs see the frames of an interface (BSD bpf.c, bpf(4)).

A descriptor is a socket of kind ``bpf``. ``BIOCSETIF`` puts its tap on an interface; from then on each frame that the
interface takes in or sends is queued as a `Message` with the whole Ethernet frame as data. In promiscuous mode frames
for other stations are seen too, without the stack taking them. A full buffer costs the new frame, and is counted.

lo0 shows each packet once, on its way out, as BSD's looutput taps it. Left out: filter programs in the kernel (the
reader filters), writing, link types but Ethernet (media without addresses show an Ethernet header of zeros).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kamelab.core.errors import EINVAL, ENOPROTOOPT, ENXIO, Errno
from kamelab.stack.socket.message import Message
from kamelab.stack.socket.sockets import append, lookup
from kamelab.wire.in6 import UNSPECIFIED

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

MAX_BUFSIZE: Final = 0x400000
"""Octets that a descriptor's buffer may be made to hold; 0x80000 to begin with (BSD bpf_maxbufsize)."""

OPTIONS: Final = frozenset({"BIOCSETIF", "BIOCPROMISC", "BIOCSBLEN", "BIOCGSTATS"})


def ioctl(node: Node, sid: int, name: str, value: Any) -> None:
    """``BIOCSETIF`` interface name, ``BIOCPROMISC`` bool, ``BIOCSBLEN`` octets.

    Errno: EINVAL for another kind of socket, a second BIOCSETIF, BIOCPROMISC without interface, or a buffer without
    room; ENXIO unknown interface; ENOPROTOOPT.
    """
    so = lookup(node, sid)
    if so.kind != "bpf":
        raise Errno(EINVAL)
    if name == "BIOCSETIF":
        iface = node.interfaces.get(str(value))
        if iface is None:
            raise Errno(ENXIO)
        if "BIOCSETIF" in so.options:
            raise Errno(EINVAL)
        so.options[name] = iface.name
        so.options["received"] = so.options["dropped"] = 0
        iface.taps.append(sid)
        # Flows remembered so far would pass the tap by.
        node.generation += 1
    elif name == "BIOCPROMISC":
        tapped = node.interfaces.get(so.options.get("BIOCSETIF", ""))
        if tapped is None:
            raise Errno(EINVAL)
        if bool(so.options.get(name)) != bool(value):
            so.options[name] = bool(value)
            tapped.promisc += 1 if value else -1
    elif name == "BIOCSBLEN":
        if int(value) <= 0 or "BIOCSETIF" in so.options:
            raise Errno(EINVAL)
        so.rcvbuf = min(int(value), MAX_BUFSIZE)
    else:
        raise Errno(ENOPROTOOPT)


def stats(node: Node, sid: int) -> tuple[int, int]:
    """``BIOCGSTATS``: frames that the tap has seen, and those of them for which there was no room. EINVAL."""
    so = lookup(node, sid)
    if so.kind != "bpf":
        raise Errno(EINVAL)
    options = so.options
    return int(options.get("received", 0)), int(options.get("dropped", 0))


def detach(node: Node, sid: int) -> None:
    """The descriptor is closed: its tap is taken off."""
    options = node.sockets[sid].options
    iface = node.interfaces.get(options.get("BIOCSETIF", ""))
    if iface is None:
        return
    iface.taps.remove(sid)
    if options.get("BIOCPROMISC"):
        iface.promisc -= 1


def tap(node: Node, iface: Interface, frame: bytes) -> None:
    """A frame passes a tapped interface (BSD bpf_tap)."""
    for sid in iface.taps:
        _catch(node, sid, iface, frame)


def overhear(node: Node, iface: Interface, frame: bytes) -> bool:
    """A frame came in by a tapped interface; True when only promiscuous mode let it in, and nobody else may see it."""
    foreign = bool(iface.mac) and not node.addressed(iface, frame)
    for sid in iface.taps:
        if not foreign or iface.promisc:
            _catch(node, sid, iface, frame)
    return foreign


def _catch(node: Node, sid: int, iface: Interface, frame: bytes) -> None:
    so = node.sockets[sid]
    so.options["received"] += 1
    message = Message(frame, UNSPECIFIED, 0, 0, UNSPECIFIED, iface.index, 0, 0, node.clock.now)
    if not append(node, so, message):
        so.options["dropped"] += 1
