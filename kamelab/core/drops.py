"""The one table of drop reasons.

Counters of ``netstat -s``, colours, ``why`` texts and lab checks all derive from it: one reason a cause. The last
column names the statistics counters that the reason feeds (KAME's ip6stat and icmp6stat fields); empty where KAME
drops without counting.
"""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """Why a packet ended."""

    name: str
    layer: str
    """link ip6 exthdr icmp6 nd mld udp raw socket"""
    sentence: str
    rule: str
    """RFC and section, or the seed that decides."""
    counters: tuple[str, ...]
    """Names as in ``ip6.badvers``."""


_TABLE: tuple[tuple[str, str, str, str, str], ...] = (
    # link and interface
    ("LINK_TYPE", "link", "The Ethernet type is not IPv6's.", "RFC 2464 3", ""),
    ("LINK_SHORT", "link", "The frame is shorter than an Ethernet header.", "RFC 2464 3", ""),
    ("LINK_DOWN", "link", "The interface is down.", "KAME USAGE", ""),
    ("LINK_LOST", "link", "The link lost the frame.", "RFC 2464 3", ""),
    ("LINK_TOOBIG", "link", "The packet is longer than the link's MTU.", "RFC 2464 2", ""),
    (
        "ND_DISABLED",
        "nd",
        "IPv6 is disabled on the interface after a duplicate hardware-derived address.",
        "KAME IMPLEMENTATION 1.2 (2001)",
        "",
    ),
    ("NODE_OFF", "link", "The node was switched off while the packet waited.", "kamelab", ""),
    # IPv6 header
    ("IP6_TOOSMALL", "ip6", "Fewer than 40 octets: no IPv6 header.", "RFC 8200 3", "ip6.toosmall"),
    ("IP6_BADVERS", "ip6", "The version is not 6.", "RFC 8200 3", "ip6.badvers"),
    ("IP6_TOOSHORT", "ip6", "Less data than the payload length says.", "RFC 8200 3", "ip6.tooshort"),
    ("IP6_ZEROLEN", "ip6", "Payload length 0 without a jumbo payload option.", "RFC 2675 3", "ip6.badoptions"),
    ("IP6_SRC_MULTICAST", "ip6", "The source is a multicast address.", "RFC 4291 2.7", "ip6.badscope"),
    ("IP6_DST_UNSPECIFIED", "ip6", "The destination is the unspecified address.", "RFC 4291 2.5.2", "ip6.badscope"),
    (
        "IP6_IFLOCAL_WIRE",
        "ip6",
        "An interface-local multicast packet came over a wire.",
        "RFC 4291 2.7",
        "ip6.badscope",
    ),
    (
        "IP6_V4MAPPED",
        "ip6",
        "An IPv4-mapped address stands in the IPv6 header.",
        "KAME IMPLEMENTATION 1.14 (2001)",
        "ip6.badscope",
    ),
    (
        "IP6_V4COMPAT",
        "ip6",
        "An IPv4-compatible address stands in the IPv6 header.",
        "KAME IMPLEMENTATION 1.14 (2001)",
        "ip6.badscope",
    ),
    (
        "IP6_EMBEDDED_ZONE",
        "ip6",
        "A scoped address carries a zone index on the wire.",
        "KAME IMPLEMENTATION 1.3 (2001)",
        "ip6.badscope",
    ),
    ("IP6_LOOPBACK_WIRE", "ip6", "The loopback address came over a wire.", "RFC 4291 2.5.3", "ip6.badscope"),
    (
        "IP6_NOTMEMBER",
        "ip6",
        "Multicast for a group that no one here has joined.",
        "RFC 4291 2.7",
        "ip6.notmember ip6.cantforward",
    ),
    ("IP6_TENTATIVE", "ip6", "The destination address is still tentative.", "RFC 4862 5.4", ""),
    ("IP6_NOTREADY", "ip6", "The destination address is duplicated or detached.", "RFC 4862 5.4.5", ""),
    (
        "IP6_NOTFORWARDING",
        "ip6",
        "Not for this node, and it is a host: hosts do not forward.",
        "RFC 8200 3",
        "ip6.cantforward",
    ),
    (
        "IP6_TOOMANYHDR",
        "exthdr",
        "More headers than net.inet6.ip6.hdrnestlimit.",
        "KAME IMPLEMENTATION 1.8 (2001)",
        "ip6.toomanyhdr",
    ),
    # extension headers
    ("EXTHDR_TOOSHORT", "exthdr", "An extension header runs past the packet's end.", "RFC 8200 4", "ip6.toosmall"),
    ("OPT_OVERRUN", "exthdr", "An option runs past its header.", "RFC 8200 4.2", "ip6.toosmall"),
    ("OPT_DISCARD", "exthdr", "An unknown option says: discard silently.", "RFC 8200 4.2", "ip6.badoptions"),
    (
        "OPT_PARAMPROB",
        "exthdr",
        "An unknown option says: discard and send a parameter problem.",
        "RFC 8200 4.2",
        "ip6.badoptions",
    ),
    ("OPT_BADLEN", "exthdr", "A known option has a wrong length or value.", "RFC 8200 4.2", "ip6.badoptions"),
    ("HBH_NOTFIRST", "exthdr", "A hop-by-hop header stands elsewhere than first.", "RFC 8200 4.1", ""),
    (
        "ROUTE_UNKNOWN",
        "exthdr",
        "A routing header of unknown type has segments left.",
        "RFC 8200 4.4",
        "ip6.badoptions",
    ),
    ("NXT_UNKNOWN", "exthdr", "The next header is unknown here.", "RFC 8200 4", ""),
    (
        "FRAG_BADLEN",
        "exthdr",
        "A fragment that is not the last is no multiple of 8 octets long.",
        "RFC 8200 4.5",
        "ip6.fragdropped",
    ),
    ("FRAG_TOOBIG", "exthdr", "The reassembled packet would exceed 65535 octets.", "RFC 8200 4.5", "ip6.fragdropped"),
    ("FRAG_OVERLAP", "exthdr", "The fragment overlaps another one.", "RFC 5722 3", "ip6.fragdropped"),
    (
        "FRAG_LIMIT",
        "exthdr",
        "No room for another fragment (maxfragpackets, maxfrags).",
        "KAME frag6.c",
        "ip6.fragdropped",
    ),
    ("FRAG_TIMEOUT", "exthdr", "The missing fragments did not come within 60 seconds.", "RFC 8200 4.5", ""),
    # forwarding
    ("FWD_LINKCAST", "ip6", "It came as a link-layer multicast and is not forwarded.", "RFC 8200 3", "ip6.cantforward"),
    (
        "FWD_SRC_UNSPECIFIED",
        "ip6",
        "A packet from the unspecified address is never forwarded.",
        "RFC 4291 2.5.2",
        "ip6.cantforward",
    ),
    ("FWD_HLIM", "ip6", "The hop limit ran out.", "RFC 8200 3", ""),
    ("FWD_NOROUTE", "ip6", "No route to the destination.", "RFC 4443 3.1", "ip6.noroute"),
    ("FWD_REJECT", "ip6", "The route says: reject.", "KAME USAGE", "ip6.noroute"),
    ("FWD_BLACKHOLE", "ip6", "The route says: discard silently.", "KAME USAGE", "ip6.noroute"),
    ("FWD_SCOPE_SRC", "ip6", "The source's scope zone ends here.", "RFC 4007 9", "ip6.cantforward ip6.badscope"),
    ("FWD_SCOPE_DST", "ip6", "The destination's scope zone ends here.", "RFC 4007 9", "ip6.cantforward ip6.badscope"),
    ("FWD_TOOBIG", "ip6", "Larger than the MTU of the outgoing interface: routers do not fragment.", "RFC 8200 5", ""),
    ("FWD_P2P_BACK", "ip6", "It would go back over the point-to-point link it came from.", "RFC 4443 3.1", ""),
    # output
    ("OUT_NOROUTE", "ip6", "No route for a packet of this node.", "RFC 4861 5.2", "ip6.noroute"),
    ("OUT_NOSOURCE", "ip6", "No usable source address.", "RFC 6724 5", "ip6.sources_none"),
    ("OUT_TOOBIG", "ip6", "Larger than the path MTU, and may not be fragmented.", "RFC 8200 5", "ip6.cantfrag"),
    (
        "OUT_SCOPE",
        "ip6",
        "The source or destination is of another scope zone than the outgoing interface.",
        "RFC 4007 9",
        "ip6.badscope",
    ),
    ("OUT_NOTUP", "link", "The outgoing interface is down.", "KAME USAGE", "ip6.odropped"),
    ("OUT_ADDR_GONE", "nd", "The source address went away before the packet left.", "RFC 4862 5.4", ""),
    # neighbour discovery
    (
        "ND_QUEUE_REPLACED",
        "nd",
        "A newer packet took its place while the neighbour was being resolved.",
        "RFC 4861 7.2.2",
        "",
    ),
    ("ND_UNRESOLVED", "nd", "The neighbour did not answer three solicitations.", "RFC 4861 7.2.2", ""),
    ("ND_ENTRY_GONE", "nd", "The neighbour cache entry was deleted while the packet waited.", "RFC 4861 7.2.2", ""),
    ("NS_TARGET_MULTICAST", "nd", "The solicitation's target is a multicast address.", "RFC 4861 7.1.1", "icmp6.badns"),
    ("NS_HLIM", "nd", "A solicitation whose hop limit is not 255.", "RFC 4861 7.1.1", "icmp6.badns"),
    (
        "NS_DAD_DST",
        "nd",
        "A duplicate probe that is not sent to a solicited-node group.",
        "RFC 4861 7.1.1",
        "icmp6.badns",
    ),
    ("NS_DAD_LLADDR", "nd", "A duplicate probe with a source link-layer address.", "RFC 4861 7.1.1", "icmp6.badns"),
    ("NS_NOT_NEIGHBOR", "nd", "The solicitation's source is not on this link.", "KAME nd6_nbr.c", "icmp6.badns"),
    ("NS_LLADDR_LEN", "nd", "The link-layer address does not fit this medium.", "RFC 4861 4.6.1", "icmp6.badns"),
    ("NS_OTHER_TARGET", "nd", "The solicitation asks for somebody else.", "RFC 4861 7.2.3", ""),
    ("NS_TENTATIVE", "nd", "Asked for a tentative address: it is not ours yet.", "RFC 4862 5.4.3", ""),
    ("NS_DUPLICATED", "nd", "Asked for an address that is marked duplicated.", "RFC 4862 5.4.5", ""),
    ("NS_OWN_SOURCE", "nd", "The solicitation claims to come from our own address.", "KAME nd6_nbr.c", ""),
    ("NA_HLIM", "nd", "An advertisement whose hop limit is not 255.", "RFC 4861 7.1.2", "icmp6.badna"),
    (
        "NA_TARGET_MULTICAST",
        "nd",
        "The advertisement's target is a multicast address.",
        "RFC 4861 7.1.2",
        "icmp6.badna",
    ),
    (
        "NA_MULTICAST_SOLICITED",
        "nd",
        "A multicast advertisement with the solicited flag.",
        "RFC 4861 7.1.2",
        "icmp6.badna",
    ),
    ("NA_LLADDR_LEN", "nd", "The link-layer address does not fit this medium.", "RFC 4861 4.6.1", "icmp6.badna"),
    ("NA_OWN_ADDRESS", "nd", "Somebody advertises one of our addresses.", "RFC 4862 5.4.4", ""),
    ("NA_NO_ENTRY", "nd", "Nobody here asked: there is no entry to update.", "RFC 4861 7.2.5", ""),
    (
        "NA_NO_LLADDR",
        "nd",
        "The entry is incomplete and the advertisement carries no link-layer address.",
        "RFC 4861 7.2.5",
        "",
    ),
    ("NA_NOT_OVERRIDE", "nd", "It has another link-layer address and may not override.", "RFC 4861 7.2.5", ""),
    ("RS_HOST", "nd", "Hosts ignore router solicitations.", "RFC 4861 6.2.6", ""),
    ("RS_HLIM", "nd", "A router solicitation whose hop limit is not 255.", "RFC 4861 6.1.1", "icmp6.badrs"),
    ("RS_LLADDR_LEN", "nd", "The link-layer address does not fit this medium.", "RFC 4861 4.6.1", "icmp6.badrs"),
    (
        "RA_NOT_ACCEPTED",
        "nd",
        "This node or interface does not take router advertisements.",
        "KAME IMPLEMENTATION 1.4.2 (2001)",
        "",
    ),
    ("RA_HLIM", "nd", "A router advertisement whose hop limit is not 255.", "RFC 4861 6.1.2", "icmp6.badra"),
    ("RA_NOT_LINKLOCAL", "nd", "The router advertisement's source is not link-local.", "RFC 4861 6.1.2", "icmp6.badra"),
    ("RA_LLADDR_LEN", "nd", "The link-layer address does not fit this medium.", "RFC 4861 4.6.1", "icmp6.badra"),
    ("REDIRECT_IGNORED", "nd", "Redirects are not taken (router, or rediraccept is 0).", "RFC 4861 8.3", ""),
    ("REDIRECT_BAD", "nd", "The redirect fails validation.", "RFC 4861 8.1", "icmp6.badredirect"),
    ("ND_BADOPT", "nd", "A malformed neighbour discovery option.", "RFC 4861 4.6", "icmp6.nd_badopt"),
    # ICMPv6
    ("ICMP6_TOOSHORT", "icmp6", "Shorter than its ICMPv6 type requires.", "RFC 4443 2.1", "icmp6.tooshort"),
    ("ICMP6_CHECKSUM", "icmp6", "The ICMPv6 checksum is wrong.", "RFC 4443 2.3", "icmp6.checksum"),
    ("ICMP6_BADCODE", "icmp6", "The code is not defined for the type.", "RFC 4443 2.1", "icmp6.badcode"),
    ("ICMP6_UNKNOWN", "icmp6", "An informational message of unknown type.", "RFC 4443 2.4 b", ""),
    (
        "ICMP6_ECHO_MULTICAST_SRC",
        "icmp6",
        "An echo request from an address that cannot be answered.",
        "RFC 4443 4.2",
        "",
    ),
    ("ICMP6_SUPPRESSED", "icmp6", "No error may be sent about this packet.", "RFC 4443 2.4 e", "icmp6.canterror"),
    (
        "ICMP6_SUPPRESSED_GROUP",
        "icmp6",
        "No error is sent about multicast, or to a source that is no single node.",
        "RFC 4443 2.4 e",
        "",
    ),
    ("ICMP6_RATELIMIT", "icmp6", "The limit of errors a second is reached.", "RFC 4443 2.4 f", "icmp6.toofreq"),
    # MLD
    ("MLD_HLIM", "mld", "An MLD message whose hop limit is not 1.", "RFC 2710 3", ""),
    ("MLD_NOT_LINKLOCAL", "mld", "An MLD message whose source is not link-local.", "RFC 2710 4", ""),
    # upper layers
    ("UDP_TOOSHORT", "udp", "Shorter than a UDP header, or than its length field.", "RFC 768", "udp6.badlen"),
    ("UDP_CHECKSUM", "udp", "The UDP checksum is wrong.", "RFC 8200 8.1", "udp6.badsum"),
    ("UDP_NOCHECKSUM", "udp", "UDP over IPv6 without a checksum.", "RFC 8200 8.1", "udp6.nosum"),
    ("UDP_PORT_ZERO", "udp", "The destination port is 0.", "RFC 768", "udp6.noport"),
    ("UDP_NOPORT", "udp", "No socket listens on the port.", "RFC 4443 3.1", "udp6.noport"),
    (
        "UDP_NOPORT_MULTICAST",
        "udp",
        "Multicast, and no socket listens on the port.",
        "RFC 1122 4.1.3.1",
        "udp6.noportmcast",
    ),
    ("SOCK_FULL", "socket", "The socket's receive buffer is full.", "RFC 3493", "udp6.fullsock"),
    # fault of the engine: must never be seen
    ("INTERNAL", "ip6", "kamelab itself failed on this packet; please report it.", "kamelab", ""),
)

REASONS: dict[str, Reason] = {
    name: Reason(name, layer, sentence, rule, tuple(counters.split()))
    for name, layer, sentence, rule, counters in _TABLE
}
"""Every drop reason by name."""
