"""The rows that a node shows: one source for commands, panes, checks and exports.

Rows are frozen and hold plain values: addresses are text with ``%zone`` (KAME IMPLEMENTATION 1.3.3 (2001)), times are
nanoseconds since boot, lifetimes are whole seconds with `INFINITE` for infinity. They are read on demand from the
node's tables; nothing here changes a node.
"""

from __future__ import annotations

from typing import NamedTuple

INFINITE = 0xFFFFFFFF


class InterfaceRow(NamedTuple):
    """One interface (``ifconfig``, ``netstat -i``)."""

    name: str
    index: int  # type: ignore[assignment]
    flags: int
    """4.4BSD's bits: UP 1, BROADCAST 2, LOOPBACK 8, POINTOPOINT 0x10, RUNNING 0x40, SIMPLEX 0x800, MULTICAST 0x8000."""
    mtu: int
    lladdr: str
    """``00:60:08:11:22:33``, empty where the medium has none."""
    link: str
    running: bool
    """The link is attached and up."""
    ipackets: int
    ierrors: int
    opackets: int
    oerrors: int
    ibytes: int
    obytes: int
    drops: int
    disabled: bool
    """IPv6 is disabled on the interface (KAME IMPLEMENTATION 1.2 (2001))."""


class AddressRow(NamedTuple):
    """One IPv6 address of an interface."""

    interface: str
    address: str
    plen: int
    flags: tuple[str, ...]
    """In ifconfig's order: anycast tentative duplicated detached deprecated autoconf temporary."""
    scopeid: int
    vltime: int
    pltime: int
    """Remaining seconds, INFINITE for infinity."""
    destination: str


class NeighborRow(NamedTuple):
    """One neighbour cache entry (``ndp -a``)."""

    address: str
    lladdr: str
    """BSD notation ``0:60:8:11:22:33``; empty while there is none."""
    interface: str
    state: str
    """NOSTATE INCOMPLETE REACHABLE STALE DELAY PROBE"""
    expire: int | None
    """When the present state ends, ns since boot; None: permanent."""
    router: bool
    proxy: bool
    probes: int
    static: bool
    own: bool
    """An address of this node itself."""
    held: int
    """Packets that wait for the resolution."""


class PrefixRow(NamedTuple):
    """One prefix list entry (``ndp -p``)."""

    prefix: str
    plen: int
    interface: str
    onlink: bool
    autonomous: bool
    attached: bool
    """On-link now: the O flag."""
    detached: bool
    vltime: int
    pltime: int
    """As received, seconds."""
    expire: int | None
    """ns since boot; None: never."""
    refcnt: int
    origin: str
    """RA, RR, static or kernel; RR and static are this router's own, to be advertised."""
    routers: tuple[tuple[str, str], ...]
    """(router, its neighbour state or "")."""
    pexpire: int | None = None
    """When the preferred lifetime of a prefix to be advertised ends, ns since boot; None: it does not run down."""


class RouterRow(NamedTuple):
    """One default router list entry (``ndp -r``)."""

    address: str
    interface: str
    flags: str
    """M and O."""
    preference: str
    """high medium low"""
    expire: int
    """ns since boot."""
    installed: bool
    state: str
    """Its neighbour cache state, empty where there is no entry."""


class RouteRow(NamedTuple):
    """One routing table entry (``netstat -nr``)."""

    destination: str
    """``default``, ``2001:db8::/64``, ``2001:db8::1``; scoped with %zone."""
    gateway: str
    """Address, ``link#1`` or link-layer address."""
    flags: str
    interface: str
    expire: int | None
    """ns since boot."""
    mtu: int
    """0: the interface's."""
    refs: int
    use: int
    metrics: tuple[tuple[str, int], ...] = ()
    """Those set by hand, by name, without the MTU: recvpipe sendpipe ssthresh (octets), rtt rttvar (ms), hopcount."""
    locks: tuple[str, ...] = ()
    """Metrics that the kernel leaves alone."""


class GroupRow(NamedTuple):
    """One multicast membership (``ifmcstat``)."""

    interface: str
    group: str
    refcnt: int
    lladdr: str
    """``33:33:...``"""
    state: str
    """MLD: idle, delaying, silent; non-listener while the interface is down."""
    timer: int | None
    """When the next report is due, ns since boot."""
    mode: str = "exclude"
    """Of the source filter: include or exclude (RFC 3810 2)."""
    sources: tuple[str, ...] = ()
    """Of the source filter; excluding none is an ordinary membership."""


class SocketRow(NamedTuple):
    """One socket (``netstat -an``)."""

    proto: str
    local: str
    foreign: str
    recv_q: int
    send_q: int
    state: str
    pid: int


class TcpRow(NamedTuple):
    """One TCP connection, half-open ones included (the screen's sockets, ``netstat`` in detail).

    Sequence numbers count from the initial one of their side, as tcpdump shows them; sizes are octets, times ns.
    """

    sid: int
    """The socket's number; of a half-open connection the listening one's."""
    local: str
    foreign: str
    state: str
    """RFC 9293's name."""
    since: int
    """When the state began, ns since boot."""
    pid: int
    """0: the connection goes on without a program."""
    mss: int
    iss: int
    irs: int
    snd_una: int
    snd_nxt: int
    snd_wnd: int
    rcv_nxt: int
    rcv_wnd: int
    cwnd: int
    ssthresh: int
    """0: none yet."""
    srtt: int
    """0: not measured."""
    rttvar: int
    rto: int
    """With back-off."""
    retransmits: int
    """Of the segment now waited for."""
    dupacks: int
    recovering: bool
    send_q: int
    recv_q: int
    out_of_order: int
    """Pieces in the queue."""
    scales: tuple[int, int]
    """Window shifts: the peer's, ours."""
    timestamps: bool
    timers: tuple[tuple[str, int], ...]
    """(rexmt persist keep 2msl delack, when due in ns since boot)."""


class TimerRow(NamedTuple):
    """One armed timer of the lab."""

    node: str
    what: str
    """Method and arguments in words."""
    at: int
    """ns since boot."""
    ageing: bool


class NdInterfaceRow(NamedTuple):
    """Neighbour discovery parameters of an interface (``ndp -i``)."""

    interface: str
    linkmtu: int
    maxmtu: int
    curhlim: int
    basereachable: int
    """ms"""
    reachable: int
    """s"""
    retrans: int
    """ms"""
    flags: tuple[str, ...]
    """nud accept_rtadv prefer_source disabled"""


class AddrctlRow(NamedTuple):
    """One policy of address selection (``ip6addrctl show``; sysctl net.inet6.ip6.addrctlpolicy)."""

    prefix: str
    """With its length: ``2002::/16``."""
    precedence: int
    label: int
    use: int
    """Lookups of the kernel that it decided."""


class IfStat6Row(NamedTuple):
    """IPv6 statistics of an interface (RFC 2465; ``netstat -s -I IF``)."""

    interface: str
    counters: tuple[tuple[str, int], ...]
    """(field of KAME's struct in6_ifstat, value), all of them."""


class ReassemblyRow(NamedTuple):
    """A packet of which fragments wait for the others."""

    source: str
    destination: str
    ident: int
    pieces: tuple[tuple[int, int], ...]
    """(offset, octets) of what is here."""
    expected: int
    """Octets of the whole fragmentable part; -1 until the last fragment came."""
    until: int
    """When it is given up, ns since boot."""
    refused: bool
    """Fragments overlapped: what comes is discarded."""
