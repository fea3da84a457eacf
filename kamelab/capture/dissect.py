"""The decode tree of a frame: Ethernet, IPv6 with its extension headers, UDP, TCP headers, data.

RFC 2464, RFC 8200, RFC 2711, RFC 2675, RFC 768, RFC 9293; ICMPv6 is in `dissect_icmp6`. Fields are named as Wireshark
4.0 names them. Left out: reassembly (a fragment is shown as far as it goes), IPv4 and ARP, the inside of ESP and
IPComp, and programs' protocols over UDP and TCP, which are data here.
"""

from __future__ import annotations

from collections.abc import Callable

from kamelab.capture.dissect_icmp6 import icmp6
from kamelab.capture.tree import Cursor, Field, bytes_text
from kamelab.wire import ah, exthdr, ip6, tcp
from kamelab.wire.buffer import Truncated, WireError
from kamelab.wire.checksum import in6_cksum_ok
from kamelab.wire.ether import ETHERTYPE_IPV6, ETHERTYPE_NAMES, mac_text
from kamelab.wire.in6 import ntop

_ETHERTYPE_MIN = 0x0600
_MIN_FRAME = 60
_MAX_DEPTH = 8
_ACTIONS = {
    0: "skip",
    1: "discard",
    2: "discard, report to the source",
    3: "discard, report unless multicast",
}
_ROUTER_ALERTS = {0: "MLD", 1: "RSVP", 2: "active network"}
_ROUTING_TYPES = {0: "source route, deprecated", 2: "mobile IPv6", 3: "RPL", 4: "segment routing"}
_TCP_FLAGS = (
    ("tcp.flags.cwr", tcp.CWR),
    ("tcp.flags.ece", tcp.ECE),
    ("tcp.flags.urg", tcp.URG),
    ("tcp.flags.ack", tcp.ACK),
    ("tcp.flags.push", tcp.PSH),
    ("tcp.flags.reset", tcp.RST),
    ("tcp.flags.syn", tcp.SYN),
    ("tcp.flags.fin", tcp.FIN),
)


def dissect(frame: bytes) -> tuple[Field, ...]:
    """The decode tree of an Ethernet frame, one field a protocol at the top.

    Never raises: what can't be read ends the tree with a field `_ws.malformed`, whose label says what is wrong and
    which covers the octets that are left.
    """
    cursor = Cursor(frame)
    try:
        _ethernet(cursor)
    except WireError as error:
        malformed = f"Malformed packet: {error.reason}"
        cursor.out.append(Field("_ws.malformed", malformed, "", cursor.pos, len(frame) - cursor.pos))
    return tuple(cursor.out)


def _ethernet(cursor: Cursor) -> None:
    with cursor.group("eth") as group:
        dst = cursor.mac("eth.dst")
        src = cursor.mac("eth.src")
        group.label = f"Ethernet II, Src: {mac_text(src)}, Dst: {mac_text(dst)}"
        kind = cursor.peek() << 8 | cursor.peek(1)
        if kind < _ETHERTYPE_MIN:
            group.label = f"IEEE 802.3 Ethernet, Src: {mac_text(src)}, Dst: {mac_text(dst)}"
            cursor.uint("eth.len")
        else:
            cursor.uint("eth.type", ETHERTYPE_NAMES)
            if kind == ETHERTYPE_IPV6:
                _trailer(cursor)
    if kind == ETHERTYPE_IPV6:
        _ipv6(cursor)
    elif cursor.left():
        _data(cursor)


def _trailer(cursor: Cursor) -> None:
    """Show what is in the frame after the IPv6 packet: zeros up to the least frame are padding."""
    frame, start = cursor.frame, cursor.pos
    if cursor.left() < ip6.HEADER_LEN or frame[start] >> 4 != 6:
        return
    plen = frame[start + ip6.PLEN] << 8 | frame[start + ip6.PLEN + 1]
    end = start + ip6.HEADER_LEN + plen
    if end >= len(frame) or (not plen and frame[start + ip6.NXT] == ip6.IPPROTO_HOPOPTS):
        return
    at = min(len(frame), max(end, _MIN_FRAME))
    if any(frame[end:at]):
        at = end
    if at > end:
        cursor.out.append(Field("eth.padding", f"Padding: {at - end} octets", frame[end:at], end, at - end))
    if at < len(frame):
        rest = frame[at:]
        cursor.out.append(Field("eth.trailer", f"Trailer: {bytes_text(rest)}", rest, at, len(rest)))


# -- IPv6 ------------------------------------------------------------------------------------------------------------


def _ipv6(cursor: Cursor) -> None:
    """Read one IPv6 packet up to the end of its payload; its protocols become siblings."""
    if cursor.depth > _MAX_DEPTH:
        raise WireError(f"more than {_MAX_DEPTH} packets inside each other", cursor.pos)
    end, whole = cursor.end, cursor.whole
    with cursor.group("ipv6") as group:
        _first_word(cursor)
        plen = cursor.uint("ipv6.plen")
        nxt = cursor.uint("ipv6.nxt", ip6.PROTOCOL_NAMES)
        cursor.uint("ipv6.hlim")
        src = cursor.address("ipv6.src")
        dst = cursor.address("ipv6.dst")
        group.label += f", Src: {ntop(src)}, Dst: {ntop(dst)}"
        if plen > cursor.left():
            cursor.explain(
                f"[Payload length is more than the {cursor.left()} octets that are there]", group.start + 4, 2
            )
            cursor.whole = False
        elif plen or nxt != ip6.IPPROTO_HOPOPTS:
            # A payload length of 0 before hop-by-hop options stands for a jumbo payload (RFC 2675 3).
            cursor.end = cursor.pos + plen
    _payload(cursor, nxt, src, dst)
    cursor.pos, cursor.end, cursor.whole = cursor.end, end, whole


def _first_word(cursor: Cursor) -> None:
    """Version, traffic class and flow label (RFC 8200 3), which share four octets."""
    at = cursor.pos
    version = cursor.peek() >> 4
    if version != 6:
        raise WireError(f"IP version {version}, not 6", at)
    cursor.take(4, "IPv6 header")
    word = int.from_bytes(cursor.frame[at : at + 4], "big")
    tclass, flow = word >> 20 & 0xFF, word & 0xFFFFF
    cursor.part("ipv6.version", version, at, 1)
    with cursor.group("ipv6.tclass") as group:
        group.start, group.length, group.value = at, 4, tclass
        group.label = f"Traffic class: 0x{tclass:02x}"
        cursor.part("ipv6.tclass.dscp", tclass >> 2, at, 4)
        cursor.part("ipv6.tclass.ecn", tclass & 3, at, 4)
    cursor.out.append(Field("ipv6.flow", f"Flow label: 0x{flow:05x}", flow, at + 1, 3))


def _payload(cursor: Cursor, nxt: int, src: bytes, dst: bytes) -> None:
    """Follow the chain of headers (RFC 8200 4); `dst` becomes the final destination at a routing header."""
    while True:
        match nxt:
            case ip6.IPPROTO_HOPOPTS:
                nxt = _options(cursor, "ipv6.hopopts")
            case ip6.IPPROTO_DSTOPTS:
                nxt = _options(cursor, "ipv6.dstopts")
            case ip6.IPPROTO_ROUTING:
                nxt, dst = _routing(cursor, dst)
            case ip6.IPPROTO_FRAGMENT:
                nxt, offset, more = _fragment(cursor)
                if offset:
                    _data(cursor, f"Fragment of {_protocol(nxt)}")
                    return
                if more:
                    _first_fragment(cursor, nxt, src, dst)
                    return
            case ip6.IPPROTO_AH:
                nxt = _ah(cursor)
            case _:
                _upper(cursor, nxt, src, dst)
                return


def _upper(cursor: Cursor, nxt: int, src: bytes, dst: bytes) -> None:
    match nxt:
        case ip6.IPPROTO_ICMPV6:
            icmp6(cursor, src, dst, _quoted)
        case ip6.IPPROTO_UDP:
            _udp(cursor, src, dst)
        case ip6.IPPROTO_TCP:
            _tcp(cursor, src, dst)
        case ip6.IPPROTO_ESP:
            with cursor.group("esp") as group:
                spi = cursor.uint("esp.spi")
                group.label += f", SPI 0x{spi:08x}, Sequence {cursor.uint('esp.sequence')}"
            if cursor.left():
                _data(cursor, "encrypted")
        case ip6.IPPROTO_IPCOMP:
            with cursor.group("ipcomp") as group:
                inside = cursor.uint("ipcomp.next_header", ip6.PROTOCOL_NAMES)
                cursor.uint("ipcomp.flags")
                group.label += f", CPI {cursor.uint('ipcomp.cpi')}"
            if cursor.left():
                _data(cursor, f"{_protocol(inside)}, compressed")
        case ip6.IPPROTO_IPV6:
            cursor.depth += 1
            _ipv6(cursor)
            cursor.depth -= 1
        case _ if cursor.left():
            _data(cursor, _protocol(nxt))
        case _:
            pass


def _protocol(nxt: int) -> str:
    return ip6.PROTOCOL_NAMES.get(nxt) or f"protocol {nxt}"


def _quoted(cursor: Cursor) -> None:
    """Read the packet that an ICMPv6 message quotes: it may be cut anywhere (RFC 4443 2.4 c)."""
    # `_ipv6` finds out itself whether the packet is whole, by its payload length.
    _cut_short(cursor, _ipv6, "[The quoted packet ends here]", whole=True)


def _first_fragment(cursor: Cursor, nxt: int, src: bytes, dst: bytes) -> None:
    _cut_short(cursor, lambda inside: _payload(inside, nxt, src, dst), "[The first fragment ends here]", whole=False)


def _cut_short(cursor: Cursor, read: Callable[[Cursor], None], said: str, *, whole: bool) -> None:
    """Read something whose end may be missing without calling that malformed."""
    end, outer, depth = cursor.end, cursor.whole, cursor.depth
    cursor.whole = whole
    cursor.depth += 1
    try:
        read(cursor)
    except Truncated:
        cursor.explain(said, cursor.pos, end - cursor.pos)
    cursor.pos, cursor.end, cursor.whole, cursor.depth = end, end, outer, depth


# -- extension headers -----------------------------------------------------------------------------------------------


def _options(cursor: Cursor, name: str) -> int:
    """A hop-by-hop or destination options header (RFC 8200 4.3, 4.6)."""
    with cursor.group(name):
        start, end = cursor.pos, cursor.end
        nxt = cursor.uint(f"{name}.nxt", ip6.PROTOCOL_NAMES)
        stop = _header_end(cursor, f"{name}.len", start)
        cursor.end = stop
        while cursor.pos < stop:
            _option(cursor)
        cursor.end = end
    return nxt


def _header_end(cursor: Cursor, name: str, start: int) -> int:
    """Read a length in units of 8 octets, the first not counted; Truncated if the header doesn't fit."""
    octets = (cursor.peek() + 1) * 8
    cursor.uint(name, note=f" ({octets} octets)")
    if start + octets > cursor.end:
        raise Truncated(f"an extension header of {octets} octets runs past the end", start)
    return start + octets


def _option(cursor: Cursor) -> None:
    with cursor.group("ipv6.opt") as group:
        kind = cursor.peek()
        with cursor.group("ipv6.opt.type") as bits:
            at = cursor.take(1, "option type")
            bits.value = kind
            bits.label = f"Type: 0x{kind:02x}"
            cursor.part("ipv6.opt.type.action", kind >> 6, at, 1, _ACTIONS)
            cursor.flag("ipv6.opt.type.change", bool(kind & 0x20), at)
            cursor.part("ipv6.opt.type.rest", kind & 0x1F, at, 1)
        if kind == exthdr.OPT_PAD1:
            group.label = "Option: Pad1"
            cursor.out.append(Field("ipv6.opt.pad1", "Pad1", "", at, 1))
            return
        length = cursor.uint("ipv6.opt.length")
        if length > cursor.left():
            raise Truncated(f"option 0x{kind:02x} of {length} octets runs past its header", at)
        if kind == exthdr.OPT_PADN:
            group.label = "Option: PadN"
            cursor.octets("ipv6.opt.padn", length)
        elif kind == exthdr.OPT_ROUTER_ALERT and length == 2:
            group.label = "Option: Router alert"
            cursor.uint("ipv6.opt.router_alert", _ROUTER_ALERTS)
        elif kind == exthdr.OPT_JUMBO and length == 4:
            group.label = "Option: Jumbo payload"
            cursor.uint("ipv6.opt.jumbo")
        else:
            group.label = f"Option: unknown (0x{kind:02x})"
            cursor.octets("ipv6.opt.unknown", length)


def _routing(cursor: Cursor, dst: bytes) -> tuple[int, bytes]:
    """A routing header (RFC 8200 4.4; type 0 by RFC 2460 4.4); the final destination is a type 0's last address."""
    with cursor.group("ipv6.routing"):
        start, end = cursor.pos, cursor.end
        nxt = cursor.uint("ipv6.routing.nxt", ip6.PROTOCOL_NAMES)
        stop = _header_end(cursor, "ipv6.routing.len", start)
        cursor.end = stop
        kind = cursor.uint("ipv6.routing.type", _ROUTING_TYPES)
        segleft = cursor.uint("ipv6.routing.segleft")
        if kind == 0 and (stop - start) % 16 == 8:
            cursor.octets("ipv6.routing.src.reserved", 4)
            while cursor.pos < stop:
                last = cursor.address("ipv6.routing.src.addr")
                if segleft:
                    dst = last
        else:
            cursor.octets("ipv6.routing.unknown_data", stop - cursor.pos)
        cursor.end = end
    return nxt, dst


def _fragment(cursor: Cursor) -> tuple[int, int, bool]:
    """A fragment header (RFC 8200 4.5): next header, offset in units of 8 octets, more fragments."""
    with cursor.group("ipv6.fraghdr") as group:
        nxt = cursor.uint("ipv6.fraghdr.nxt", ip6.PROTOCOL_NAMES)
        cursor.uint("ipv6.fraghdr.reserved_octet")
        at = cursor.take(2, "fragment offset")
        word = cursor.frame[at] << 8 | cursor.frame[at + 1]
        offset, more = word >> 3, bool(word & 1)
        octets = offset * 8
        cursor.out.append(Field("ipv6.fraghdr.offset", f"Offset: {offset} ({octets} octets)", offset, at, 2))
        cursor.part("ipv6.fraghdr.reserved_bits", word >> 1 & 3, at, 2)
        cursor.flag("ipv6.fraghdr.more", more, at, 2)
        ident = cursor.uint("ipv6.fraghdr.ident")
        group.label = f"Fragment Header, offset {octets}, {'more follow' if more else 'the last'}, id 0x{ident:08x}"
    return nxt, offset, more


def _ah(cursor: Cursor) -> int:
    """An authentication header (RFC 4302 2): next header. The old form's ICV begins where the number is shown."""
    with cursor.group("ah") as group:
        start = cursor.pos
        nxt = cursor.uint("ah.next_header", ip6.PROTOCOL_NAMES)
        size = (cursor.uint("ah.length") + 2) << 2
        cursor.octets("ah.reserved", 2)
        spi = cursor.uint("ah.spi")
        if size < ah.HEADER_LEN:
            raise WireError(f"AH of {size} octets", start + 1)
        group.label += f", SPI 0x{spi:08x}, Sequence {cursor.uint('ah.sequence')}"
        if size > ah.HEADER_LEN:
            cursor.octets("ah.icv", size - ah.HEADER_LEN)
    return nxt


# -- above IPv6 ------------------------------------------------------------------------------------------------------


def _udp(cursor: Cursor, src: bytes, dst: bytes) -> None:
    with cursor.group("udp") as group:
        start = cursor.pos
        sport = cursor.uint("udp.srcport")
        dport = cursor.uint("udp.dstport")
        group.label += f", Src Port: {sport}, Dst Port: {dport}"
        length = cursor.uint("udp.length")
        good: bool | None = None
        if length > cursor.end - start:
            cursor.explain(f"[Length is more than the {cursor.end - start} octets that are there]", start + 4, 2)
        elif length >= 8:
            cursor.end = start + length
            if cursor.whole:
                datagram = cursor.frame[start : cursor.end]
                # A checksum of 0, none at all, is not allowed over IPv6 (RFC 8200 8.1).
                good = any(datagram[6:8]) and in6_cksum_ok(src, dst, ip6.IPPROTO_UDP, datagram)
        cursor.checksum("udp.checksum", good)
        if length < 8:
            raise WireError(f"a UDP length of {length}, less than its header", start + 4)
        group.length = 8
        if cursor.left():
            cursor.octets("udp.payload", cursor.left())
    if cursor.pos > start + 8:
        cursor.data(start + 8)


def _tcp(cursor: Cursor, src: bytes, dst: bytes) -> None:
    with cursor.group("tcp") as group:
        start = cursor.pos
        sport = cursor.uint("tcp.srcport")
        dport = cursor.uint("tcp.dstport")
        group.label += f", Src Port: {sport}, Dst Port: {dport}"
        cursor.uint("tcp.seq_raw")
        cursor.uint("tcp.ack_raw")
        at = cursor.take(2, "TCP flags")
        word = cursor.frame[at] << 8 | cursor.frame[at + 1]
        header = (word >> 12) * 4
        cursor.part("tcp.hdr_len", header, at, 1)
        flags = word & 0xFFF
        with cursor.group("tcp.flags") as bits:
            bits.start, bits.length, bits.value = at, 2, flags
            bits.label = f"Flags: 0x{flags:03x} ({tcp.flags_text(flags & 0xFF)})"
            for name, bit in _TCP_FLAGS:
                cursor.flag(name, bool(flags & bit), at + 1)
        cursor.uint("tcp.window_size_value")
        segment = cursor.frame[start : cursor.end]
        cursor.checksum("tcp.checksum", in6_cksum_ok(src, dst, ip6.IPPROTO_TCP, segment) if cursor.whole else None)
        cursor.uint("tcp.urgent_pointer")
        if header < tcp.HEADER_LEN:
            raise WireError(f"a TCP header length of {header}, less than {tcp.HEADER_LEN}", at)
        if header > tcp.HEADER_LEN:
            _tcp_options(cursor, header - tcp.HEADER_LEN)
        data = cursor.pos
        group.length = data - start
        if cursor.left():
            cursor.octets("tcp.payload", cursor.left())
    if cursor.pos > data:
        cursor.data(data)


def _tcp_options(cursor: Cursor, size: int) -> None:
    """The options: MSS, window scale and timestamps in fields, others by name (RFC 9293 3.2, RFC 7323)."""
    begin = cursor.pos
    end = cursor.take(size, "Options") + size
    cursor.pos = begin
    with cursor.group("tcp.options") as options:
        octets = options.value = cursor.frame[begin:end]
        options.length = size
        options.label = f"Options: ({size} octets), {tcp.options_text(octets)}"
        while cursor.pos < end:
            at, kind = cursor.pos, cursor.peek()
            length = 1 if kind == tcp.OPT_NOP else cursor.frame[at + 1] if at + 1 < end else 0
            if kind == tcp.OPT_EOL or not length or at + length > end or (kind != tcp.OPT_NOP and length < 2):
                cursor.unnamed("End of options" if kind == tcp.OPT_EOL else "Malformed option", end - at)
            elif kind == tcp.OPT_MSS and length == 4:
                cursor.unnamed("Maximum segment size, 4 octets", 2)
                cursor.uint("tcp.options.mss_val")
            elif kind == tcp.OPT_WSCALE and length == 3:
                cursor.unnamed("Window scale, 3 octets", 2)
                cursor.uint("tcp.options.wscale.shift")
            elif kind == tcp.OPT_TIMESTAMP and length == 10:
                cursor.unnamed("Timestamps, 10 octets", 2)
                cursor.uint("tcp.options.timestamp.tsval")
                cursor.uint("tcp.options.timestamp.tsecr")
            else:
                cursor.unnamed(f"Option {tcp.options_text(cursor.frame[at : at + length])}", length)


def _data(cursor: Cursor, what: str = "") -> None:
    """What isn't read further, up to the end."""
    start = cursor.take(cursor.left(), "data")
    cursor.data(start, what)
