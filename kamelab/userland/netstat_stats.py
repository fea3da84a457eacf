"""The statistics of ``netstat -s``: one table from counter names to phrases, and the lines they make.

Rows and their order are those of KAME `netstat/inet6.c` and `inet.c` (struct ip6stat, icmp6stat, udpstat, tcpstat,
rip6stat, pim6stat, mrt6stat); a counter that the kernel does not have shows as 0. The phrases are kamelab's own but for
two that the seeds fix: ``with data size < data length`` and the mbuf block (KAME IMPLEMENTATION 1.7 and 1.9 (2001)).
An interface's statistics are in `netstat_ifstats`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kamelab.stack.netinet6.in6_src import RULE_NAMES
from kamelab.stack.netipsec.algorithms import AUTHS, COMPS, ENCS
from kamelab.wire.icmp6 import type_name
from kamelab.wire.pfkey import TYPE_NAMES


class Counter(NamedTuple):
    """One row: the counter's name and its phrase, in which ``{s}`` and ``{es}`` stand for a plural ending."""

    key: str
    phrase: str


class Histogram(NamedTuple):
    """A title and a row for each counter ``key.N`` that is not 0."""

    key: str
    title: str


class Scopes(NamedTuple):
    """A title and a row for each scope N with a counter ``key.N``; nothing where all are 0."""

    key: str
    title: str


class Rules(NamedTuple):
    """A title and a row for each source selection rule N with a counter ``key.N``; nothing where all are 0."""

    key: str
    title: str


class Rest(NamedTuple):
    """A row that is not counted but reckoned: what is left of ``key`` without ``minus``."""

    key: str
    minus: tuple[str, ...]
    phrase: str


class Codes(NamedTuple):
    """A title and a row for each (type, code) of ICMPv6 errors, zeros too; the rest are ``unknown``."""

    key: str
    title: str


class Mbufs(NamedTuple):
    """How the buffers of received packets were made up: ``ip6.m1``, ``ip6.m2m.IF``, ``ip6.mext1``, ``ip6.mext2m``."""

    title: str


Item = Counter | Rest | Histogram | Scopes | Rules | Codes | Mbufs

IP6: tuple[Item, ...] = (
    Counter("ip6.total", "packet{s} received"),
    Counter("ip6.toosmall", "too small for the header or option that begins there"),
    Counter("ip6.tooshort", "with data size < data length"),
    Counter("ip6.badoptions", "with a malformed option or extension header"),
    Counter("ip6.badvers", "whose version is not 6"),
    Counter("ip6.fragments", "fragment{s} received"),
    Counter("ip6.fragdropped", "fragment{s} discarded (overlap, duplicate or no room)"),
    Counter("ip6.fragtimeout", "reassembly timeout{s}"),
    Counter("ip6.fragoverflow", "reassembly queue{s} evicted for lack of room"),
    Counter("ip6.reassembled", "packet{s} put together from fragments"),
    Counter("ip6.delivered", "packet{s} for this node"),
    Counter("ip6.forward", "packet{s} forwarded"),
    Counter("ip6.cantforward", "packet{s} neither for this node nor to be forwarded"),
    Counter("ip6.redirectsent", "redirect{s} sent"),
    Counter("ip6.localout", "packet{s} originated here"),
    Counter("ip6.rawout", "packet{s} sent with a ready-made header"),
    Counter("ip6.odropped", "output packet{s} lost for lack of buffers or queue room"),
    Counter("ip6.noroute", "output packet{s} without a route"),
    Counter("ip6.fragmented", "output packet{s} cut into fragments"),
    Counter("ip6.ofragments", "fragment{s} made"),
    Counter("ip6.cantfrag", "packet{s} that could not be fragmented"),
    Counter("ip6.badscope", "packet{s} that broke a scope rule"),
    Counter("ip6.notmember", "multicast packet{s} for groups not joined"),
    Histogram("ip6.nxthist", "Input histogram:"),
    Mbufs("Mbuf statistics:"),
    Counter("ip6.exthdrtoolong", "packet{s} whose headers are not in one buffer"),
    Counter("ip6.nogif", "tunnel packet{s} without a matching gif"),
    Counter("ip6.toomanyhdr", "packet{s} with more headers than hdrnestlimit"),
    Counter("ip6.sources_none", "failure{s} of source address selection"),
    Scopes("ip6.sources_sameif", "source addresses on the outgoing interface:"),
    Scopes("ip6.sources_otherif", "source addresses on another interface:"),
    Scopes("ip6.sources_samescope", "source addresses of the destination's scope:"),
    Scopes("ip6.sources_otherscope", "source addresses of another scope:"),
    Scopes("ip6.sources_deprecated", "deprecated source addresses:"),
    Counter("ip6.forward_cachehit", "hit{s} in the route cache of forwarding"),
    Counter("ip6.forward_cachemiss", "miss{es} in the route cache of forwarding"),
    Rules("ip6.sources_rule", "source addresses by the rule that decided:"),
)

ICMP6: tuple[Item, ...] = (
    Counter("icmp6.error", "error message{s} asked for"),
    Counter("icmp6.canterror", "not sent because the packet was an ICMPv6 error or redirect"),
    Counter("icmp6.toofreq", "not sent because of the rate limit"),
    Histogram("icmp6.outhist", "Output histogram:"),
    Counter("icmp6.badcode", "message{s} with a wrong code"),
    Counter("icmp6.tooshort", "message{s} shorter than the minimum"),
    Counter("icmp6.checksum", "message{s} with a wrong checksum"),
    Counter("icmp6.badlen", "message{s} of a wrong length"),
    Histogram("icmp6.inhist", "Input histogram:"),
    Codes("icmp6.error", "Histogram of error messages asked for:"),
    Counter("icmp6.reflect", "repl{ies} made"),
    Counter("icmp6.nd_toomanyopt", "neighbor discovery message{s} with too many options"),
    Counter("icmp6.nd_badopt", "neighbor discovery message{s} with a malformed option"),
    Counter("icmp6.badns", "invalid neighbor solicitation{s}"),
    Counter("icmp6.badna", "invalid neighbor advertisement{s}"),
    Counter("icmp6.badrs", "invalid router solicitation{s}"),
    Counter("icmp6.badra", "invalid router advertisement{s}"),
    Counter("icmp6.badredirect", "invalid redirect{s}"),
    Counter("icmp6.pmtuchg", "path MTU{s} lowered"),
)

_UDP6_LOST = tuple(
    f"udp6.{key}" for key in ("hdrops", "badlen", "badsum", "nosum", "noport", "noportmcast", "fullsock")
)

UDP6: tuple[Item, ...] = (
    Counter("udp6.ipackets", "datagram{s} received"),
    Counter("udp6.hdrops", "with an incomplete header"),
    Counter("udp6.badlen", "with a wrong length"),
    Counter("udp6.badsum", "with a wrong checksum"),
    Counter("udp6.nosum", "without a checksum"),
    Counter("udp6.noport", "to a port without a socket"),
    Counter("udp6.noportmcast", "multicast, to a port without a socket"),
    Counter("udp6.fullsock", "lost because the socket's buffer was full"),
    Rest("udp6.ipackets", _UDP6_LOST, "delivered"),
    Counter("udp6.opackets", "datagram{s} sent"),
)

TCP: tuple[Item, ...] = (
    Counter("tcp.sndtotal", "segment{s} sent"),
    Counter("tcp.sndpack", "data segment{s} sent"),
    Counter("tcp.sndbyte", "data octet{s} sent"),
    Counter("tcp.sndrexmitpack", "data segment{s} sent again"),
    Counter("tcp.sndrexmitbyte", "data octet{s} sent again"),
    Counter("tcp.fastrexmit", "segment{s} sent again after duplicate ACKs"),
    Counter("tcp.newrenopartial", "partial ACK{s} in fast recovery"),
    Counter("tcp.mturesent", "segment{s} sent again because the path MTU fell"),
    Counter("tcp.sndacks", "ACK{s} alone sent"),
    Counter("tcp.delack", "delayed ACK{s} sent"),
    Counter("tcp.sndprobe", "window probe{s} sent"),
    Counter("tcp.sndwinup", "window update{s} sent"),
    Counter("tcp.sndctrl", "SYN, FIN or RST segment{s} sent"),
    Counter("tcp.rcvtotal", "segment{s} received"),
    Counter("tcp.rcvackpack", "ACK{s} for data"),
    Counter("tcp.rcvackbyte", "octet{s} acknowledged"),
    Counter("tcp.rcvdupack", "duplicate ACK{s}"),
    Counter("tcp.rcvacktoomuch", "ACK{s} for what was not sent"),
    Counter("tcp.ackwarlimited", "challenge ACK{s} not sent because of the limit"),
    Counter("tcp.rcvpack", "segment{s} received in order"),
    Counter("tcp.rcvbyte", "octet{s} received in order"),
    Counter("tcp.rcvduppack", "segment{s} received twice"),
    Counter("tcp.rcvdupbyte", "octet{s} received twice"),
    Counter("tcp.pawsdrop", "segment{s} too old by their timestamp"),
    Counter("tcp.rcvpartduppack", "segment{s} received twice in part"),
    Counter("tcp.rcvpartdupbyte", "octet{s} received twice in such segments"),
    Counter("tcp.rcvoopack", "segment{s} received out of order"),
    Counter("tcp.rcvoobyte", "octet{s} received out of order"),
    Counter("tcp.rcvmemdrop", "segment{s} dropped for want of room"),
    Counter("tcp.rcvpackafterwin", "segment{s} with data behind the window"),
    Counter("tcp.rcvbyteafterwin", "octet{s} behind the window"),
    Counter("tcp.rcvwinprobe", "window probe{s} received"),
    Counter("tcp.rcvwinupd", "window update{s} received"),
    Counter("tcp.rcvurg", "urgent segment{s} received"),
    Counter("tcp.rcvafterclose", "segment{s} after the program had closed"),
    Counter("tcp.rcvbadsum", "segment{s} with a wrong checksum"),
    Counter("tcp.rcvbadoff", "segment{s} with a wrong header length"),
    Counter("tcp.rcvshort", "segment{s} too short"),
    Counter("tcp.connattempt", "connection{s} asked for"),
    Counter("tcp.accepts", "connection{s} accepted"),
    Counter("tcp.badsyn", "SYN{s} that may not be"),
    Counter("tcp.badrst", "RST{s} outside the window"),
    Counter("tcp.listendrop", "connection{s} lost because the listen queue was full"),
    Counter("tcp.connects", "connection{s} established"),
    Counter("tcp.closed", "connection{s} closed"),
    Counter("tcp.drops", "established connection{s} dropped"),
    Counter("tcp.conndrops", "connection{s} dropped before they were established"),
    Counter("tcp.orphandrops", "connection{s} without a program dropped"),
    Counter("tcp.rttupdated", "round trip time{s} taken in"),
    Counter("tcp.segstimed", "segment{s} timed"),
    Counter("tcp.rexmttimeo", "retransmission timeout{s}"),
    Counter("tcp.timeoutdrop", "connection{s} given up by the retransmission timer"),
    Counter("tcp.persisttimeo", "persist timeout{s}"),
    Counter("tcp.persistdrop", "connection{s} dropped by persist timeout"),
    Counter("tcp.keeptimeo", "keepalive timeout{s}"),
    Counter("tcp.keepprobe", "keepalive probe{s} sent"),
    Counter("tcp.keepdrops", "connection{s} given up by keepalive"),
    Counter("tcp.predack", "ACK{s} predicted by their header"),
    Counter("tcp.preddat", "data segment{s} predicted by their header"),
    Counter("tcp.sc_added", "entr{ies} of the SYN queue added"),
    Counter("tcp.sc_retransmitted", "SYN,ACK{s} sent again"),
    Counter("tcp.sc_dupesyn", "SYN{s} received twice"),
    Counter("tcp.sc_completed", "SYN queue entr{ies} completed"),
    Counter("tcp.sc_bucketoverflow", "SYN queue entr{ies} pushed out"),
    Counter("tcp.sc_reset", "SYN queue entr{ies} reset"),
    Counter("tcp.sc_timed_out", "SYN queue entr{ies} timed out"),
    Counter("tcp.sc_unreach", "SYN queue entr{ies} found unreachable"),
)

RIP6: tuple[Item, ...] = (
    Counter("rip6.ipackets", "message{s} received"),
    Counter("rip6.isum", "checksum{s} looked at on input"),
    Counter("rip6.badsum", "message{s} with a wrong checksum"),
    Counter("rip6.nosock", "message{s} without a socket"),
    Counter("rip6.nosockmcast", "multicast message{s} without a socket"),
    Counter("rip6.fullsock", "message{s} lost because the socket's buffer was full"),
    Counter("rip6.delivered", "message{s} delivered"),
    Counter("rip6.opackets", "message{s} sent"),
)

PIM6: tuple[Item, ...] = (
    Counter("pim6.rcv_total", "message{s} received"),
    Counter("pim6.rcv_tooshort", "message{s} too short"),
    Counter("pim6.rcv_badsum", "message{s} with a wrong checksum"),
    Counter("pim6.rcv_badversion", "message{s} of another version"),
    Counter("pim6.rcv_registers", "register{s} received"),
    Counter("pim6.rcv_badregisters", "register{s} malformed"),
    Counter("pim6.snd_registers", "register{s} sent"),
)
"""There is no PIM on a node yet: all of them are 0."""

MRT6: tuple[Item, ...] = (
    Counter("mrt6.mfc_lookups", "lookup{s} in the forwarding cache"),
    Counter("mrt6.mfc_misses", "miss{es} of the forwarding cache"),
    Counter("mrt6.upcalls", "upcall{s} to a multicast router"),
    Counter("mrt6.upq_ovflw", "overflow{s} of the upcall queue"),
    Counter("mrt6.upq_sockfull", "upcall{s} lost because the socket's buffer was full"),
    Counter("mrt6.cache_cleanups", "entr{ies} of the cache cleaned up"),
    Counter("mrt6.no_route", "datagram{s} without a route for their origin"),
    Counter("mrt6.bad_tunnel", "datagram{s} that came with bad tunneling"),
    Counter("mrt6.cant_tunnel", "datagram{s} that could not be tunneled"),
    Counter("mrt6.wrong_if", "datagram{s} that came by the wrong interface"),
    Counter("mrt6.drop_sel", "datagram{s} dropped selectively"),
    Counter("mrt6.q_overflow", "datagram{s} dropped because the queue overflowed"),
    Counter("mrt6.pkt2large", "datagram{s} dropped because they were too large"),
)
"""``netstat -gs``; without a multicast router on the node all of them are 0."""

IPSEC6: tuple[Item, ...] = (
    Counter("ipsec6.in_success", "inbound packet{s} processed well"),
    Counter("ipsec6.in_polvio", "inbound packet{s} refused by policy"),
    Counter("ipsec6.in_nosa", "inbound packet{s} whose SPI is unknown"),
    Counter("ipsec6.in_inval", "inbound packet{s} with a wrong length or padding"),
    Counter("ipsec6.in_nomem", "inbound packet{s} lost for lack of memory"),
    Counter("ipsec6.in_badspi", "inbound packet{s} whose SPI could not be read"),
    Counter("ipsec6.in_ahreplay", "inbound packet{s} that failed AH's replay check"),
    Counter("ipsec6.in_espreplay", "inbound packet{s} that failed ESP's replay check"),
    Counter("ipsec6.in_ahauthsucc", "inbound packet{s} that AH vouched for"),
    Counter("ipsec6.in_ahauthfail", "inbound packet{s} that AH did not vouch for"),
    Histogram("ipsec6.in_ahhist", "AH input histogram:"),
    Histogram("ipsec6.in_esphist", "ESP input histogram:"),
    Histogram("ipsec6.in_comphist", "IPComp input histogram:"),
    Counter("ipsec6.out_success", "outbound packet{s} processed well"),
    Counter("ipsec6.out_polvio", "outbound packet{s} refused by policy"),
    Counter("ipsec6.out_nosa", "outbound packet{s} without the association that they need"),
    Counter("ipsec6.out_inval", "outbound packet{s} that could not be protected"),
    Counter("ipsec6.out_nomem", "outbound packet{s} lost for lack of memory"),
    Counter("ipsec6.out_noroute", "outbound packet{s} without a route for their tunnel"),
    Histogram("ipsec6.out_ahhist", "AH output histogram:"),
    Histogram("ipsec6.out_esphist", "ESP output histogram:"),
    Histogram("ipsec6.out_comphist", "IPComp output histogram:"),
)

PFKEY: tuple[Item, ...] = (
    Counter("pfkey.out_total", "request{s} from user land"),
    Counter("pfkey.out_bytes", "octet{s} from user land"),
    Histogram("pfkey.out_msgtype", "histogram by message type:"),
    Counter("pfkey.invlen", "request{s} with a wrong length"),
    Counter("pfkey.invver", "request{s} of a wrong version"),
    Counter("pfkey.invmsgtype", "request{s} of an unknown type"),
    Counter("pfkey.tooshort", "request{s} too short"),
    Counter("pfkey.nomem", "request{s} lost for lack of memory"),
    Counter("pfkey.dupext", "request{s} with an extension twice"),
    Counter("pfkey.invexttype", "request{s} with an unknown extension"),
    Counter("pfkey.invsatype", "request{s} of an unknown kind of association"),
    Counter("pfkey.invaddr", "request{s} with wrong addresses"),
    Counter("pfkey.in_total", "message{s} to user land"),
    Counter("pfkey.in_bytes", "octet{s} to user land"),
    Histogram("pfkey.in_msgtype", "histogram by message type:"),
    Counter("pfkey.in_one", "message{s} to one socket"),
    Counter("pfkey.in_all", "message{s} to all sockets"),
    Counter("pfkey.in_registered", "message{s} to registered sockets"),
)

PROTOCOLS: dict[str, tuple[Item, ...]] = {
    "ip6": IP6, "icmp6": ICMP6, "udp6": UDP6, "tcp": TCP, "rip6": RIP6, "pim6": PIM6,
    "ipsec6": IPSEC6, "pfkey": PFKEY,
}  # fmt: skip
"""The statistics there are, in the order in which ``netstat -s`` prints them."""

NEXT_HEADERS = {
    0: "hop by hop",
    1: "ICMP",
    2: "IGMP",
    4: "IP",
    6: "TCP",
    17: "UDP",
    22: "IDP",
    29: "TP",
    41: "IP6",
    43: "routing",
    44: "fragment",
    50: "ESP",
    51: "AH",
    58: "ICMP6",
    59: "no next header",
    60: "destination option",
    80: "ISOIP",
    89: "OSPF",
    97: "Ethernet",
    103: "PIM",
    135: "mobility",
}

SCOPES = {1: "node-local", 2: "link-local", 5: "site-local", 14: "global"}

ERROR_CODES: tuple[tuple[int, int, str], ...] = (
    (1, 0, "no route"),
    (1, 1, "administratively prohibited"),
    (1, 2, "beyond scope"),
    (1, 3, "address unreachable"),
    (1, 4, "port unreachable"),
    (2, 0, "packet too big"),
    (3, 0, "time exceeded in transit"),
    (3, 1, "time exceeded in reassembly"),
    (4, 0, "erroneous header field"),
    (4, 1, "unrecognized next header"),
    (4, 2, "unrecognized option"),
    (137, 0, "redirect"),
)
"""(ICMPv6 type, code, name) in the order of the block."""


def _counted(number: int, phrase: str) -> str:
    one = number == 1
    return f"{number} " + phrase.format(s="" if one else "s", es="" if one else "es", ies="y" if one else "ies")


def _numbered(key: str, counters: Mapping[str, int]) -> list[tuple[int, int]]:
    """(N, value) of all counters ``key.N``, by N."""
    pairs = []
    for name, value in counters.items():
        stem, _, last = name.rpartition(".")
        if stem == key and last.isdecimal():
            pairs.append((int(last), value))
    return sorted(pairs)


_NAMES: dict[str, Mapping[int, str]] = {
    "ip6.nxthist": NEXT_HEADERS,
    **{f"ipsec6.{way}_ahhist": {0: "none", **{one: row.name for one, row in AUTHS.items()}} for way in ("in", "out")},
    **{f"ipsec6.{way}_esphist": {0: "none", **{one: row.name for one, row in ENCS.items()}} for way in ("in", "out")},
    **{f"ipsec6.{way}_comphist": {one: row.name for one, row in COMPS.items()} for way in ("in", "out")},
    **{f"pfkey.{way}_msgtype": dict(enumerate(TYPE_NAMES)) for way in ("in", "out")},
}
"""What the rows of histograms are called; those that are not here are of ICMPv6 types."""


def _histogram(item: Histogram, counters: Mapping[str, int]) -> list[str]:
    rows = []
    for number, value in _numbered(item.key, counters):
        if value:
            names = _NAMES.get(item.key)
            name = type_name(number) if names is None else names.get(number, f"#{number}")
            rows.append(f"\t\t{name}: {value}")
    return [f"\t{item.title}", *rows] if rows else []


def _named(item: Scopes | Rules, counters: Mapping[str, int]) -> list[str]:
    names = SCOPES if isinstance(item, Scopes) else RULE_NAMES
    rows = [f"\t\t{value} {names.get(n, f'{n:x}')}" for n, value in _numbered(item.key, counters) if value]
    return [f"\t{item.title}", *rows] if rows else []


def _codes(item: Codes, counters: Mapping[str, int], nonzero: bool) -> list[str]:
    prefix = f"{item.key}."
    known = [(name, counters.get(f"{prefix}{kind}.{code}", 0)) for kind, code, name in ERROR_CODES]
    every = sum(value for name, value in counters.items() if name.startswith(prefix))
    known.append(("unknown", every - sum(value for _, value in known)))
    rows = [f"\t\t{value} {name}" for name, value in known if value or not nonzero]
    return [f"\t{item.title}", *rows] if rows else []


def _mbufs(item: Mbufs, counters: Mapping[str, int], nonzero: bool) -> list[str]:
    interfaces = [
        (name.removeprefix("ip6.m2m."), value) for name, value in counters.items() if name.startswith("ip6.m2m.")
    ]
    one, external, externals = (counters.get(f"ip6.{key}", 0) for key in ("m1", "mext1", "mext2m"))
    rows = []
    if one or not nonzero:
        rows.append(f"\t\t{one} one mbuf")
    if interfaces or not nonzero:
        rows.append("\t\ttwo or more mbuf::")
        rows += [f"\t\t\t{name} = {value}" for name, value in sorted(interfaces) if value]
    if external or not nonzero:
        rows.append(f"\t\t{external} one ext mbuf")
    if externals or not nonzero:
        rows.append(f"\t\t{externals} two or more ext mbuf")
    return [f"\t{item.title}", *rows] if rows else []


def statistics_lines(protocol: str, counters: Mapping[str, int], *, nonzero: bool = False) -> list[str]:
    """The block of one of `PROTOCOLS`; with ``nonzero`` (``-ss``) without the rows that are 0."""
    return [f"{protocol}:", *item_lines(PROTOCOLS[protocol], counters, nonzero=nonzero)]


def item_lines(items: Iterable[Item], counters: Mapping[str, int], *, nonzero: bool = False) -> list[str]:
    """The rows of a block."""
    lines: list[str] = []
    for item in items:
        if isinstance(item, Counter | Rest):
            value = counters.get(item.key, 0)
            if isinstance(item, Rest):
                value -= sum(counters.get(key, 0) for key in item.minus)
            if value or not nonzero:
                lines.append(f"\t{_counted(value, item.phrase)}")
        elif isinstance(item, Histogram):
            lines += _histogram(item, counters)
        elif isinstance(item, Scopes | Rules):
            lines += _named(item, counters)
        elif isinstance(item, Codes):
            lines += _codes(item, counters, nonzero)
        else:
            lines += _mbufs(item, counters, nonzero)
    return lines
