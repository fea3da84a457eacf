"""A packet on its way through a node, and what handlers hand back to the loop.

A handler returns a verdict: an ``int`` (go on with this next header; ``Packet.off`` has moved) or a tuple (event,
reason or note, actions). Events are ``deliver``, ``drop``, ``hold`` and ``forward``; actions are carried out by the
node, never by the handler:

- `Output`: send a packet of this node;
- `Release`: a packet that waited for address resolution leaves now;
- `Discard`: a packet that waited will never leave;
- `Expired`: a fragment that waited ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface


DECRYPTED = 1
"""It came out of ESP."""
AUTH_DATA = 2
"""ESP vouched for its payload."""
AUTH_HEADER = 4
"""AH vouched for all of it."""


class Packet:
    """One IPv6 packet being received. ``src`` and ``dst`` carry embedded zones; ``data`` is as it came."""

    __slots__ = (
        "data",
        "dst",
        "end",
        "headers",
        "hlim",
        "hold",
        "iface",
        "ipsec",
        "jumbo",
        "lcast",
        "link_header",
        "looped",
        "nxt_at",
        "off",
        "pid",
        "routed",
        "rtalert",
        "rx",
        "src",
        "srcrt",
        "stage",
    )

    def __init__(self, iface: Interface, data: bytes, pid: int, rx: int, lcast: bool, looped: bool) -> None:
        self.iface = iface
        self.data = data
        self.pid = pid
        self.rx = rx
        """Number of the record of its receipt."""
        self.lcast = lcast
        """It came as a link-layer multicast."""
        self.looped = looped
        self.off = 40
        """Where the header now being read begins, octets."""
        self.end = len(data)
        self.nxt_at = 6
        """Offset of the next-header field that named the present header."""
        self.src = b""
        self.dst = b""
        self.hlim = 0
        self.headers = 0
        self.rtalert = -1
        """The value of its router alert (RFC 2711 2.1); -1: it has none."""
        self.jumbo = 0
        """Payload octets by its jumbo payload option; 0: it has none."""
        self.routed = False
        """A routing header was read."""
        self.srcrt = False
        """It goes on by a source route: no redirect is due for it, and hosts forward it too."""
        self.hold = 0
        """Number of its hold record while it waits."""
        self.stage = "ip6_input"
        self.ipsec = 0
        """Marks of ESP and AH: `DECRYPTED`, `AUTH_DATA`, `AUTH_HEADER`."""
        self.link_header = b""
        """The Ethernet header it came with."""


class Output:
    """A packet that this node wants to send. Defaults are filled in by ``ip6_output``."""

    __slots__ = (
        "cksum",
        "dad",
        "dontfrag",
        "dst",
        "dstopts",
        "errno",
        "flow",
        "hlim",
        "hop_by_hop",
        "loop",
        "minmtu",
        "nexthop",
        "note",
        "nxt",
        "oif",
        "payload",
        "prefer_temp",
        "rthdr",
        "rthdrdstopts",
        "socket",
        "src",
        "stage",
        "tclass",
    )

    def __init__(
        self,
        stage: str,
        dst: bytes,
        nxt: int,
        payload: bytes,
        *,
        src: bytes | None = None,
        hlim: int = 0,
        oif: Interface | None = None,
        cksum: int = -1,
        note: str = "",
        hop_by_hop: bytes = b"",
        loop: bool = True,
        dad: bool = False,
    ) -> None:
        self.stage = stage
        self.dst = dst
        """Destination with embedded zone."""
        self.nxt = nxt
        self.payload = payload
        self.src = src
        """Source with embedded zone; None: select one."""
        self.hlim = hlim
        """0: the default for the destination."""
        self.oif = oif
        """Outgoing interface; None: by the route."""
        self.cksum = cksum
        """Offset of a checksum field in the payload to fill; -1: none."""
        self.note = note
        self.hop_by_hop = hop_by_hop
        """A hop-by-hop header to put first, whose next header is already ``nxt``."""
        self.loop = loop
        """Multicast: deliver a copy to this node if it is a member."""
        self.dad = dad
        """The unspecified source is meant."""
        self.tclass = 0
        self.flow = 0
        self.dontfrag = False
        self.minmtu = False
        """Fragment at 1280 whatever the path MTU."""
        self.rthdrdstopts = b""
        """A destination options header for each node of the routing header (RFC 3542 6): whole, next header 0."""
        self.rthdr = b""
        """A routing header, whole, next header 0."""
        self.dstopts = b""
        """A destination options header for the last destination, whole, next header 0."""
        self.nexthop: bytes | None = None
        """The next hop that a program asked for (IPV6_NEXTHOP); None: by the route."""
        self.prefer_temp = -1
        """Source selection: 1 prefer temporary addresses, 0 public ones, -1 as the sysctl says."""
        self.socket = 0
        self.errno = 0
        """Result: 0, or why it could not be sent."""


class Held:
    """A packet that waits for a neighbour's link-layer address."""

    __slots__ = ("forwarded", "hold", "iface", "packet", "pid", "rx_iface")

    def __init__(self, iface: Interface, packet: bytes, pid: int, hold: int, rx_iface: Interface | None) -> None:
        self.iface = iface
        self.packet = packet
        """The IPv6 packet as it will stand on the wire."""
        self.pid = pid
        self.hold = hold
        """Number of its hold record."""
        self.forwarded = rx_iface is not None
        self.rx_iface = rx_iface


class Discard:
    """A held packet that will not leave, and why."""

    __slots__ = ("held", "reason")

    def __init__(self, held: Held, reason: str) -> None:
        self.held = held
        self.reason = reason


class Release:
    """A held packet that leaves now, to a known link-layer address."""

    __slots__ = ("held", "lladdr")

    def __init__(self, held: Held, lladdr: bytes) -> None:
        self.held = held
        self.lladdr = lladdr


class Expired:
    """A received packet that waited (a fragment) and now ends for a reason."""

    __slots__ = ("pkt", "reason")

    def __init__(self, pkt: Packet, reason: str) -> None:
        self.pkt = pkt
        self.reason = reason


class Forward:
    """The verdict that a received packet goes on to another node."""

    __slots__ = ("actions", "iface", "nexthop", "packet")

    def __init__(self, iface: Interface, nexthop: bytes, packet: bytes, actions: list[Action]) -> None:
        self.iface = iface
        self.nexthop = nexthop
        """Embedded zone."""
        self.packet = packet
        """As it will stand on the wire."""
        self.actions = actions


class Reassembled:
    """The verdict that a fragment completed a packet: ``whole`` is a new packet, ``pieces`` waited for it."""

    __slots__ = ("pieces", "whole")

    def __init__(self, whole: Packet, pieces: list[Packet]) -> None:
        self.whole = whole
        self.pieces = pieces


class Decapsulated:
    """The verdict that a tunnel ends here: ``whole`` is the packet that was inside."""

    __slots__ = ("whole",)

    def __init__(self, whole: Packet) -> None:
        self.whole = whole


Action = Output | Release | Discard | Expired
Verdict = int | tuple[str, str, "list[Action]"] | Forward | Reassembled | Decapsulated


def drop(reason: str, actions: list[Action] | None = None) -> tuple[str, str, list[Action]]:
    """The verdict that ends a packet for a reason of the table."""
    return ("drop", reason, actions or [])


def deliver(note: str = "", actions: list[Action] | None = None) -> tuple[str, str, list[Action]]:
    """The verdict that a packet has reached its end on this node."""
    return ("deliver", note, actions or [])
