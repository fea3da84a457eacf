"""One line of text for any Ethernet frame, in tcpdump(1)'s manner: for packet lists, the trace and error messages.

Nothing here raises and nothing judges: a frame that ends too early gives what could be read and `[truncated ...]`, a
wrong checksum a remark. Text of addresses follows RFC 5952, of link-layer addresses BSD. Left out: what is inside
ESP, IPv4 and the programs' own protocols.
"""

from __future__ import annotations

from typing import Final

from kamelab.wire import ether, exthdr, icmp6, in6, ip6, mld, nd, nd_options, summary_info, tcp, udp
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.checksum import in6_cksum_ok

_UNREACH: Final = {
    icmp6.UNREACH_NOROUTE: "no route",
    icmp6.UNREACH_ADMIN: "prohibited",
    icmp6.UNREACH_SCOPE: "beyond scope",
    icmp6.UNREACH_ADDR: "address",
    icmp6.UNREACH_PORT: "port",
    5: "source address failed policy",
    6: "reject route",
}
_TIMXCEED: Final = {icmp6.TIMXCEED_HOPS: "in-transit", icmp6.TIMXCEED_REASSEMBLY: "in reassembly"}
_PARAM: Final = {icmp6.PARAM_HEADER: "header field", icmp6.PARAM_NEXTHDR: "next header", icmp6.PARAM_OPTION: "option"}
_PREFERENCE: Final = {1: " pref high", 0: "", -1: " pref low"}
_MLD_TYPES: Final = frozenset((icmp6.MLD_QUERY, icmp6.MLD_REPORT, icmp6.MLD_DONE, icmp6.MLDV2_REPORT))
_SHOWN_RECORDS: Final = 4
_SHOWN_ADDRESSES: Final = 4
_SHOWN_OPTIONS: Final = 4
_MAX_HEADERS: Final = 16
"""Longer chains of extension headers are not followed; KAME's stack stops at 15 (ip6.hdrnestlimit)."""


def summarize(frame: bytes) -> str:
    """The whole line: `SRC > DST: INFO`."""
    src, dst = addresses(frame)
    return f"{src} > {dst}: {info(frame)}"


def addresses(frame: bytes) -> tuple[str, str]:
    """Source and destination in text: IPv6 addresses, else MAC addresses, else `?` twice."""
    try:
        head = ether.parse(frame)
    except WireError:
        return "?", "?"
    if head.ethertype == ether.ETHERTYPE_IPV6:
        try:
            packet = ip6.parse(frame[ether.HEADER_LEN :])
            return in6.ntop(packet.src), in6.ntop(packet.dst)
        except WireError:
            pass
    return ether.mac_ntop(head.src), ether.mac_ntop(head.dst)


def protocol(frame: bytes) -> str:
    """A short name for a list column: `ICMPv6`, `MLD`, `UDP`, `TCP`, `fragment`, `ARP`, `IPv6`, `Ethernet`, ..."""
    try:
        head = ether.parse(frame)
        if head.ethertype != ether.ETHERTYPE_IPV6:
            return ether.ETHERTYPE_NAMES.get(head.ethertype, "Ethernet")
    except WireError:
        return "Ethernet"
    packet = frame[ether.HEADER_LEN :]
    try:
        packet = packet[: exthdr.packet_size(packet)]
        nxt, at = exthdr.upper_layer(packet)
    except WireError:
        return "IPv6"
    if nxt == ip6.IPPROTO_ICMPV6 and at < len(packet) and packet[at] in _MLD_TYPES:
        return "MLD"
    if nxt == ip6.IPPROTO_NONE:
        return "IPv6"
    return ip6.PROTOCOL_NAMES.get(nxt, "IPv6")


def info(frame: bytes) -> str:
    """The line without the addresses: what the frame says."""
    try:
        head = ether.parse(frame)
    except WireError as error:
        return f"[truncated {error.reason}]"
    if head.ethertype == ether.ETHERTYPE_IPV6:
        return packet_info(frame[ether.HEADER_LEN :])
    size = len(frame) - ether.HEADER_LEN
    name = ether.ETHERTYPE_NAMES.get(head.ethertype)
    return f"{name or f'ethertype {head.ethertype:#06x}'} length {size}"


def packet_info(packet: bytes) -> str:
    """What an IPv6 packet says, addresses left out; link-layer padding after it is passed over."""
    try:
        head = ip6.parse(packet)
    except WireError as error:
        return _complaint(error)
    size = exthdr.packet_size(packet)
    missing = size - len(packet)
    text = _chain(packet[:size], head, whole=missing <= 0, depth=0)
    if missing > 0 and "[truncated" not in text:
        text += f" [truncated packet: {len(packet)} of {size} octets]"
    return text


def _complaint(error: WireError) -> str:
    return f"[truncated {error.reason}]" if isinstance(error, Truncated) else f"[bad {error.reason}]"


def _chain(packet: bytes, head: ip6.Ip6, *, whole: bool, depth: int) -> str:
    """Extension headers, then the upper layer. `depth` counts the quotes and tunnels that this packet is inside of."""
    notes: list[str] = []
    dst, nxt, at = head.dst, head.nxt, ip6.HEADER_LEN
    try:
        while nxt in exthdr.EXTENSION_HEADERS:
            if len(notes) == _MAX_HEADERS:
                return " ".join([*notes, "..."])
            here = packet[at:]
            if nxt == ip6.IPPROTO_FRAGMENT:
                piece = exthdr.parse_fragment(here)
                more = "+" if piece.more else ""
                notes.append(f"frag {piece.ident:#010x} {piece.offset}:{len(here) - 8}{more}")
                if piece.offset:
                    return " ".join(notes)
                whole = whole and not piece.more
                nxt, size = piece.nxt, 8
            elif nxt == ip6.IPPROTO_ROUTING:
                routing = exthdr.parse_routing(here)
                via = "".join([f" {in6.ntop(a)}" for a in routing.addresses[:_SHOWN_ADDRESSES]])
                if len(routing.addresses) > _SHOWN_ADDRESSES:
                    via += " ..."
                notes.append(f"routing type {routing.type} left {routing.segleft}{via}")
                if routing.addresses and routing.segleft:
                    dst = routing.addresses[-1]
                nxt, size = routing.nxt, 8 + 8 * routing.length
            else:
                note, nxt, size = _other_header(nxt, here)
                notes.append(note)
            at += size
    except WireError as error:
        notes.append(_complaint(error))
        return " ".join(notes)
    if nxt == ip6.IPPROTO_ICMPV6 and notes == ["rtalert"] and at < len(packet) and packet[at] in _MLD_TYPES:
        notes.clear()  # MLD always has it (RFC 2710 3).
    notes.append(_upper(packet[at:], head.src, dst, nxt, whole=whole, depth=depth))
    return " ".join(notes)


def _other_header(nxt: int, here: bytes) -> tuple[str, int, int]:
    """Text, next header and size in octets of hop-by-hop options, destination options or AH."""
    if len(here) < 8:
        raise Truncated(f"{ip6.protocol_name(nxt)} header: {len(here)} of 8 octets")
    units = here[1]
    size = (units + 2) << 2 if nxt == ip6.IPPROTO_AH else (units + 1) << 3
    if size > len(here):
        raise Truncated(f"{ip6.protocol_name(nxt)} header: {len(here)} of {size} octets")
    if nxt == ip6.IPPROTO_AH:
        spi = int.from_bytes(here[4:8], "big")
        seq = f",seq={int.from_bytes(here[8:12], 'big'):#x}" if size >= 12 else ""
        return f"AH(spi={spi:#010x}{seq})", here[0], size
    kinds: list[str] = []
    for kind, _, _ in exthdr.options(here[2:size], 2):
        if kind == exthdr.OPT_ROUTER_ALERT:
            kinds.append("rtalert")
        elif kind == exthdr.OPT_JUMBO:
            kinds.append("jumbo")
        elif kind not in (exthdr.OPT_PAD1, exthdr.OPT_PADN):
            kinds.append(f"opt {kind:#04x}")
    if nxt == ip6.IPPROTO_HOPOPTS and kinds == ["rtalert"]:
        return "rtalert", here[0], size
    if len(kinds) > _SHOWN_OPTIONS:
        kinds[_SHOWN_OPTIONS:] = ["..."]
    name = "HBH" if nxt == ip6.IPPROTO_HOPOPTS else "DSTOPT"
    return " ".join([name, *kinds]), here[0], size


def _upper(data: bytes, src: bytes, dst: bytes, nxt: int, *, whole: bool, depth: int) -> str:
    try:
        if nxt == ip6.IPPROTO_ICMPV6:
            text = _icmp6(data, depth)
        elif nxt == ip6.IPPROTO_UDP:
            text = _udp(data)
        elif nxt == ip6.IPPROTO_TCP:
            text = _tcp(data)
        elif nxt == ip6.IPPROTO_NONE:
            return "no next header"
        elif nxt == ip6.IPPROTO_IPV6:
            return f"IPv6 [{_inner(data, depth)}]"
        elif nxt == ip6.IPPROTO_ESP:
            return _esp(data)
        else:
            return f"{ip6.protocol_name(nxt)} length {len(data)}"
    except WireError as error:
        return f"{ip6.protocol_name(nxt)} {_complaint(error)}"
    if whole and not in6_cksum_ok(src, dst, nxt, data):
        text += " [bad checksum]"
    return text


def _inner(packet: bytes, depth: int) -> str:
    """A packet inside another: `SRC > DST: INFO`, and no deeper than two."""
    try:
        head = ip6.parse(packet)
    except WireError as error:
        return _complaint(error)
    names = f"{in6.ntop(head.src)} > {in6.ntop(head.dst)}"
    if depth >= 2:
        return f"{names}: {ip6.protocol_name(head.nxt)}"
    size = exthdr.packet_size(packet)
    # What is quoted was cut to fit or changed on its way, so it can't be held to its checksum.
    return f"{names}: {_chain(packet[:size], head, whole=False, depth=depth + 1)}"


def _esp(data: bytes) -> str:
    if len(data) < 8:
        raise Truncated(f"ESP header: {len(data)} of 8 octets")
    spi, seq = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    return f"ESP(spi={spi:#010x},seq={seq:#x}) length {len(data)}"


def _udp(data: bytes) -> str:
    head = udp.parse(data)
    return f"UDP {head.sport} > {head.dport} length {max(0, head.length - udp.HEADER_LEN)}"


def _tcp(data: bytes) -> str:
    head = tcp.parse(data)
    ack = f" ack {head.ack}" if head.flags & tcp.ACK else ""
    size = len(data) - head.offset
    flags = tcp.flags_text(head.flags)
    # Options are told of a SYN: later segments carry timestamps alone.
    options = f" <{tcp.options_text(head.options)}>" if head.flags & tcp.SYN and head.options else ""
    return f"TCP {head.sport} > {head.dport} [{flags}] seq {head.seq}{ack} win {head.window}{options} length {size}"


def _icmp6(message: bytes, depth: int) -> str:
    """Text of a message. Each branch reads only what it names, so that a quote cut short still says what it is."""
    head = icmp6.parse(message)
    kind, code = head.type, head.code
    body = message[icmp6.HEADER_LEN :]
    if kind in (icmp6.ECHO_REQUEST, icmp6.ECHO_REPLY):
        name = "echo request" if kind == icmp6.ECHO_REQUEST else "echo reply"
        ident, seq, _ = icmp6.parse_echo(message)
        return f"{name} id {ident} seq {seq} length {len(message)}"
    if kind in (icmp6.DST_UNREACH, icmp6.PACKET_TOO_BIG, icmp6.TIME_EXCEEDED, icmp6.PARAM_PROB):
        return _icmp6_error(icmp6.parse_error(message), depth)
    if kind == icmp6.NEIGHBOR_SOLICIT:
        return _neighbor_solicit(body)
    if kind == icmp6.NEIGHBOR_ADVERT:
        return _neighbor_advert(body)
    if kind == icmp6.ROUTER_ADVERT:
        return _router_advert(body)
    if kind == icmp6.ROUTER_SOLICIT:
        slla, rest = _lladdr(nd.RouterSolicit.parse(body).options, nd_options.SLLA)
        return f"RS{f' from {slla}' if slla else ''}{rest}"
    if kind == icmp6.REDIRECT:
        return _redirect(body)
    if kind in _MLD_TYPES:
        return _mld(kind, body)
    if kind in (icmp6.NI_QUERY, icmp6.NI_REPLY):
        return summary_info.node_information(kind, code, body)
    if kind == icmp6.ROUTER_RENUMBER:
        return summary_info.router_renumbering(code, body)
    return f"ICMPv6 {icmp6.type_name(kind)}{f' code {code}' if code else ''} length {len(message)}"


def _icmp6_error(error: icmp6.Icmp6Error, depth: int) -> str:
    code = error.code
    if error.type == icmp6.DST_UNREACH:
        text = f"unreachable {_UNREACH.get(code, f'code {code}')}"
    elif error.type == icmp6.PACKET_TOO_BIG:
        text = f"packet too big mtu {error.word}"
    elif error.type == icmp6.TIME_EXCEEDED:
        text = f"time exceeded {_TIMXCEED.get(code, f'code {code}')}"
    else:
        text = f"parameter problem {_PARAM.get(code, f'code {code}')} at octet {error.word}"
    return f"{text} [{_inner(error.quoted, depth)}]"


def _options(data: bytes) -> tuple[nd_options.NdOptions, str]:
    """The options of a message, and a remark if they can't be read."""
    try:
        return nd_options.parse(data), ""
    except WireError as error:
        return nd_options.NdOptions(), f" {_complaint(error)}"


def _lladdr(data: bytes, kind: int) -> tuple[str, str]:
    opts, remark = _options(data)
    lladdr = opts.slla if kind == nd_options.SLLA else opts.tlla
    return ("" if lladdr is None else ether.mac_ntop(lladdr)), remark


def _neighbor_solicit(body: bytes) -> str:
    message = nd.NeighborSolicit.parse(body)
    opts, remark = _options(message.options)
    nonce = f" nonce {opts.nonce.hex()}" if opts.nonce is not None else ""
    return f"NS who has {in6.ntop(message.target)}{nonce}{remark}"


def _neighbor_advert(body: bytes) -> str:
    message = nd.NeighborAdvert.parse(body)
    tlla, remark = _lladdr(message.options, nd_options.TLLA)
    flags = "".join(
        [
            f" {letter}"
            for letter, on in (("R", message.router), ("S", message.solicited), ("O", message.override))
            if on
        ]
    )
    return f"NA {in6.ntop(message.target)}{f' is at {tlla}' if tlla else ''}{flags}{remark}"


def _router_advert(body: bytes) -> str:
    message = nd.RouterAdvert.parse(body)
    opts, remark = _options(message.options)
    flags = f"{' M' if message.managed else ''}{' O' if message.other else ''}{_PREFERENCE[message.preference]}"
    parts = [f"RA lifetime {message.lifetime}{flags}"]
    for p in opts.prefixes:
        parts.append(f"prefix {in6.ntop(p.prefix)}/{p.plen}{' L' if p.onlink else ''}{' A' if p.autonomous else ''}")
    for route in opts.routes:
        parts.append(f"route {in6.ntop(route.prefix)}/{route.plen}{_PREFERENCE[route.preference]}")
        if not route.lifetime:
            parts.append("lifetime 0")
    if opts.mtu is not None:
        parts.append(f"mtu {opts.mtu}")
    for servers in opts.rdnss:
        parts.append(f"rdnss {' '.join([in6.ntop(a) for a in servers.addresses[:_SHOWN_ADDRESSES]])}")
    return " ".join(parts) + remark


def _redirect(body: bytes) -> str:
    message = nd.Redirect.parse(body)
    tlla, remark = _lladdr(message.options, nd_options.TLLA)
    at = f" is at {tlla}" if tlla else ""
    if message.target == message.destination:
        return f"redirect {in6.ntop(message.destination)} is on-link{at}{remark}"
    return f"redirect {in6.ntop(message.destination)} to {in6.ntop(message.target)}{at}{remark}"


def _mld(kind: int, body: bytes) -> str:
    if kind == icmp6.MLDV2_REPORT:
        records = mld.parse_v2_report(body)
        shown = [
            f"{in6.ntop(r.group)} {mld.RECORD_NAMES.get(r.type, f'type {r.type}')}"
            + (f" {{{' '.join([in6.ntop(a) for a in r.sources[:_SHOWN_ADDRESSES]])}}}" if r.sources else "")
            for r in records[:_SHOWN_RECORDS]
        ]
        if len(records) > _SHOWN_RECORDS:
            shown.append(f"and {len(records) - _SHOWN_RECORDS} more")
        return f"MLDv2 report {', '.join(shown)}".rstrip()
    message = mld.Mld.parse(body)
    if kind == icmp6.MLD_QUERY:
        group = "" if in6.is_unspecified(message.group) else f" {in6.ntop(message.group)}"
        if len(body) <= mld.BODY_LEN:
            return f"MLD query{group} max delay {message.max_delay}"
        query = mld.QueryV2.parse(body)
        sources = "".join(f" {in6.ntop(a)}" for a in query.sources[:_SHOWN_ADDRESSES])
        named = f" {{{sources[1:]}}}" if sources else ""
        return f"MLDv2 query{group}{named} max delay {query.max_delay}"
    return f"MLD {'report' if kind == icmp6.MLD_REPORT else 'done'} {in6.ntop(message.group)}"
