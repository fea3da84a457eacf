"""Interfaces and their addresses: state only, no behaviour (BSD ``struct ifnet``, KAME ``struct in6_ifaddr``)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from kamelab.core.timers import Timer
from kamelab.stack.state import MldLink

if TYPE_CHECKING:
    from kamelab.stack.netinet6.nd6_state import Neighbor
    from kamelab.stack.node import Node
    from kamelab.stack.state import Group, Prefix

IFF_UP = 0x1
IFF_BROADCAST = 0x2
IFF_LOOPBACK = 0x8
IFF_POINTOPOINT = 0x10
IFF_RUNNING = 0x40
IFF_SIMPLEX = 0x800
IFF_MULTICAST = 0x8000

INFINITE = 0xFFFFFFFF
"""A lifetime without end (RFC 4861 4.6.2)."""

REACHABLE_TIME = 30_000
"""Base of the reachable time, ms (RFC 4861 10)."""
RETRANS_TIMER = 1_000
"""Between solicitations, ms (RFC 4861 10)."""


class Medium(Protocol):
    """What an interface is plugged into."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def up(self) -> bool:
        """It carries."""

    def transmit(self, interface: Interface, frame: bytes, cause: int) -> None:
        """Take a frame at the present time; deliveries follow through the clock."""

    def replug(self, old: Interface, new: Interface) -> None:
        """A node was rebooted: its new interface takes the old one's place."""


class Address:
    """One IPv6 address of an interface. ``addr`` carries the embedded zone where it is scoped."""

    __slots__ = (
        "addr",
        "anycast",
        "autoconf",
        "created",
        "dad",
        "dad_count",
        "dad_heard",
        "dad_nonces",
        "dad_tries",
        "deprecated",
        "destination",
        "detached",
        "duplicated",
        "plen",
        "pltime",
        "prefix",
        "replaced",
        "temporary",
        "tentative",
        "tries",
        "updated",
        "vltime",
    )

    def __init__(self, addr: bytes, plen: int) -> None:
        self.addr = addr
        self.plen = plen
        self.anycast = False
        self.tentative = False
        self.duplicated = False
        self.detached = False
        self.deprecated = False
        self.autoconf = False
        self.temporary = False
        self.vltime = INFINITE
        self.pltime = INFINITE
        self.updated = 0
        """When the lifetimes were set, ns since boot."""
        self.created = 0
        """Of temporary ones: when they were made, ns since boot."""
        self.replaced = False
        """Of temporary ones: a successor was made, or can't be."""
        self.tries = 1
        """Of temporary ones: the identifiers that were tried for it."""
        self.destination: bytes | None = None
        self.prefix: Prefix | None = None
        self.dad: Timer | None = None
        """Runs while duplicate address detection does."""
        self.dad_count = 0
        self.dad_heard = 0
        self.dad_tries = 0
        self.dad_nonces: list[bytes] = []
        """Nonces of the probes sent in this detection (RFC 7527 4.1); empty without net.inet6.ip6.dad_enhanced."""

    @property
    def usable(self) -> bool:
        """May be source or destination of a packet."""
        return not (self.tentative or self.duplicated or self.detached)

    def flags(self) -> tuple[str, ...]:
        """The flag words in the order of ifconfig."""
        words = []
        for word in ("anycast", "tentative", "duplicated", "detached", "deprecated", "autoconf", "temporary"):
            if getattr(self, word):
                words.append(word)
        return tuple(words)


class Interface:
    """One interface of a node."""

    __slots__ = (
        "accept_rtadv",
        "addresses",
        "basereachable",
        "curhlim",
        "disabled",
        "dont_set_ifroute",
        "drops",
        "filter",
        "groups",
        "history",
        "ibytes",
        "ierrors",
        "index",
        "ipackets",
        "joined",
        "late_mac",
        "link",
        "linkmtu",
        "loopback",
        "mac",
        "mld",
        "mtu",
        "multicast",
        "name",
        "neighbors",
        "node",
        "nud",
        "obytes",
        "oerrors",
        "opackets",
        "originated",
        "pointopoint",
        "prefer_source",
        "prefixes",
        "promisc",
        "reachable",
        "reachable_at",
        "refuses_own",
        "retrans",
        "stat6",
        "taps",
        "up",
        "up_at",
    )

    def __init__(self, node: Node, name: str, index: int, mac: bytes, mtu: int, link: Medium) -> None:
        self.node = node
        self.name = name
        self.index = index
        self.mac = mac
        """Six octets; empty on loopback and other media without addresses."""
        self.late_mac = b""
        """The MAC of a driver that finds it only after the first ``up`` (KAME USAGE); empty for all others."""
        self.multicast = True
        """The medium can do multicast; without it neither groups nor a link-local address nor DAD."""
        self.mtu = mtu
        """The interface's own MTU, octets of IPv6 packet."""
        self.link = link
        self.up = False
        self.loopback = False
        self.pointopoint = False
        """What the driver claims: a station does not hear itself."""
        self.refuses_own = False
        """The driver keeps that promise and refuses frames from the own MAC (KAME IMPLEMENTATION 1.2 (2001))."""
        self.up_at = 0
        """When it was brought up last, ns since boot."""
        self.disabled = False
        self.addresses: list[Address] = []
        self.groups: dict[bytes, Group] = {}
        self.mld = MldLink()
        self.filter: dict[bytes, int] = {}
        """Link-layer multicast addresses that are let in, each with the number of groups behind it."""
        self.history = b""
        """History value of temporary addresses, 8 octets (RFC 3041 3.2.1); empty until one is made."""
        self.joined = False
        """Its first address has brought the groups and multicast routes that every IPv6 interface has."""
        self.neighbors: dict[bytes, Neighbor] = {}
        self.prefixes: list[Prefix] = []
        # neighbour discovery parameters (RFC 4861 6.3.2)
        self.linkmtu = 0
        """From a router advertisement; 0 where none said so."""
        self.curhlim = 0
        """From a router advertisement or ``ndp -i``; 0: net.inet6.ip6.hlim holds."""
        self.basereachable = REACHABLE_TIME
        self.reachable = 0
        """In force, seconds; drawn when first needed."""
        self.reachable_at = 0
        self.retrans = RETRANS_TIMER
        self.nud = True
        self.accept_rtadv = True
        self.prefer_source = False
        self.dont_set_ifroute = False
        """Prefixes bring no on-link route here (``ndp -i IF dont_set_ifroute``)."""
        self.ipackets = 0
        self.ierrors = 0
        self.opackets = 0
        self.originated = 0
        """Packets sent that began at this node."""
        self.stat6: defaultdict[str, int] = defaultdict(int)
        """IPv6 counters by name (`netinet6.in6_ifstat`)."""
        self.oerrors = 0
        self.ibytes = 0
        self.obytes = 0
        self.drops = 0
        self.taps: list[int] = []
        """Packet filter descriptors that see its frames (`net.bpf`), by socket number."""
        self.promisc = 0
        """How many of them asked for promiscuous mode."""

    @property
    def running(self) -> bool:
        """The driver is ready: the interface is up and its link carries."""
        return self.up and self.link.up and not self.unaddressed

    @property
    def unaddressed(self) -> bool:
        """An Ethernet interface whose MAC the driver has not found yet."""
        return bool(self.late_mac) and not self.mac

    def ipv6_mtu(self) -> int:
        """Octets that an IPv6 packet may have here: the advertised link MTU, at most the interface's own."""
        return min(self.linkmtu, self.mtu) if self.linkmtu else self.mtu

    def flag_bits(self) -> int:
        """4.4BSD's flag word."""
        bits = IFF_MULTICAST if self.multicast else 0
        if self.up:
            bits |= IFF_UP
        if self.running:
            bits |= IFF_RUNNING
        if self.loopback:
            bits |= IFF_LOOPBACK
        elif self.pointopoint:
            bits |= IFF_POINTOPOINT
        else:
            bits |= IFF_BROADCAST
        if not self.loopback:
            bits |= IFF_SIMPLEX
        return bits

    def linklocal(self) -> Address | None:
        """Its first link-local address, ready or not."""
        for address in self.addresses:
            if address.addr[0] == 0xFE and address.addr[1] & 0xC0 == 0x80:
                return address
        return None
