"""The lines of tcpdump(1) for Ethernet and IPv6: headers, extension headers, UDP, TCP, the hex dumps.

The form is that of tcpdump 4.99 for the protocols that nodes here speak. ICMPv6 is in `tcpdump_icmp6`. Left out: what
other programs say to each other on UDP and TCP (but the first line of HTTP), IPv4, ARP beyond their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kamelab.userland.tcpdump_icmp6 import Short, icmp6_lines, take
from kamelab.wire import ether, exthdr, in6, ip6, tcp
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum

_NEXT_HEADERS: Final = {
    0: "Options", 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 41: "IPv6", 43: "Routing", 44: "Fragment",
    46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH", 55: "Mobile IP", 58: "ICMPv6", 89: "OSPF", 103: "PIM",
    108: "Compressed IP", 112: "VRRP", 132: "SCTP",
}  # fmt: skip
_ETHERTYPES: Final = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "802.1Q"}
SERVICES: Final = {
    7: "echo", 9: "discard", 13: "daytime", 19: "chargen", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp",
    37: "time", 53: "domain", 79: "finger", 80: "http", 123: "ntp", 179: "bgp", 514: "syslog", 521: "ripng",
    546: "dhcpv6-client", 547: "dhcpv6-server",
}  # fmt: skip
"""Ports that have a name where -n is not given."""
_TCP_OPTIONS: Final = {0: "eol", 1: "nop", 2: "mss", 3: "wscale", 4: "sackOK", 5: "sack", 8: "TS", 19: "md5"}
_HTTP: Final = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"HTTP/")
_MAX_HEADERS: Final = 16
_MAX_TUNNELS: Final = 8
_MAX_CONVERSATIONS: Final = 4096

Conversation = tuple[bytes, int, bytes, int]


@dataclass
class Printer:
    """How to print, and the first sequence numbers of the conversations seen, for numbers relative to them."""

    verbose: int = 0
    link: bool = False
    """-e: the link-level header."""
    quiet: bool = False
    absolute: bool = False
    """-S: sequence numbers as they are."""
    numeric: bool = True
    check: bool = True
    """False with -K: checksums are not verified."""
    names: dict[bytes, str] = field(default_factory=dict)
    """Names of addresses, without -n."""
    begun: dict[Conversation, tuple[int, int]] = field(default_factory=dict)

    def line(self, frame: bytes, length: int) -> str:
        """What follows the time on a packet's line. ``length``: octets on the wire, of which ``frame`` may have fewer.

        Under -v there may be several lines.
        """
        if len(frame) < ether.HEADER_LEN:
            return "[|ether]"
        kind = int.from_bytes(frame[12:14], "big")
        out = self._link(frame, kind, length) if self.link else ""
        if kind == ether.ETHERTYPE_IPV6:
            text = self.packet(frame[ether.HEADER_LEN :], length - ether.HEADER_LEN)
            return out + text
        if not self.link:
            out = self._link(frame, kind, length)
        return "\n".join([out, *hex_lines(frame[ether.HEADER_LEN :], True)])

    def _link(self, frame: bytes, kind: int, length: int) -> str:
        name = f"{_ETHERTYPES.get(kind, 'Unknown')} (0x{kind:04x})"
        macs = f"{ether.mac_text(frame[6:12])} > {ether.mac_text(frame[:6])}"
        return f"{macs}, ethertype {name}, length {length}: "

    def host(self, addr: bytes) -> str:
        """An address, or its name."""
        return self.names.get(addr) or in6.ntop(addr)

    def port(self, port: int) -> str:
        """A port, or its service's name."""
        return str(port) if self.numeric else SERVICES.get(port, str(port))

    def packet(self, data: bytes, length: int, depth: int = 0) -> str:
        """An IPv6 packet of ``length`` octets on the wire, ``data`` what is there of it, inside ``depth`` others."""
        if len(data) < ip6.HEADER_LEN:
            return "IP6 [|ip6]" if length >= ip6.HEADER_LEN else f"IP6 truncated-ip6 {length}"
        if data[0] >> 4 != 6:
            return "IP6, wrong link-layer encapsulation (invalid)"
        if depth > _MAX_TUNNELS:
            return "..."
        head = ip6.parse(data)
        out = [] if self.link else ["IP6 "]
        size = ip6.HEADER_LEN + (head.plen or _jumbo(data, head.nxt))
        if length < size:
            out.append(f"truncated-ip6 - {size - length} bytes missing!")
        if self.verbose:
            word = int.from_bytes(data[:4], "big")
            tclass, flow = word >> 20 & 0xFF, word & 0xFFFFF
            out.append(
                "(" + (f"class 0x{tclass:02x}, " if tclass else "") + (f"flowlabel 0x{flow:05x}, " if flow else "")
                + f"hlim {head.hlim}, next-header {_NEXT_HEADERS.get(head.nxt, 'unknown')} ({head.nxt}) "
                f"payload length: {head.plen}) "
            )  # fmt: skip
        if head.nxt not in (ip6.IPPROTO_TCP, ip6.IPPROTO_UDP):
            out.append(f"{self.host(head.src)} > {self.host(head.dst)}: ")
        whole = len(data) >= size
        try:
            self._chain(out, data[:size], head, size, whole, depth)
        except Short as short:
            out.append(f" [|{short.protocol}]")
        return "".join(out)

    def _chain(self, out: list[str], data: bytes, head: ip6.Ip6, size: int, whole: bool, depth: int) -> None:
        """Extension headers in their order, then the upper layer; what is printed is appended to ``out``."""
        nxt, at, dst = head.nxt, ip6.HEADER_LEN, head.dst
        fragment = False
        for _ in range(_MAX_HEADERS):
            if nxt in (ip6.IPPROTO_HOPOPTS, ip6.IPPROTO_DSTOPTS):
                here = take(data, at, 8, "HBH" if nxt == ip6.IPPROTO_HOPOPTS else "DSTOPT")
                after = at + 8 + 8 * here[1]
                out.append("HBH " if nxt == ip6.IPPROTO_HOPOPTS else "DSTOPT ")
                if self.verbose:
                    out.append(self._options(data[at + 2 : after]) + " ")
            elif nxt == ip6.IPPROTO_FRAGMENT:
                here = take(data, at, 8, "frag")
                piece = exthdr.parse_fragment(here)
                after = at + 8
                where = f"{piece.offset}|{size - after}"
                out.append(f"frag (0x{piece.ident:08x}:{where})" if self.verbose else f"frag ({where})")
                if piece.offset:
                    return
                out.append(" ")
                fragment = True
            elif nxt == ip6.IPPROTO_ROUTING:
                here = take(data, at, 8, "srcrt")
                after = at + 8 + 8 * here[1]
                take(data, at, after - at, "srcrt")
                out.append(self._routing(data[at:after]))
                if here[2] in (0, 2) and here[3] and here[1] >= 2:
                    dst = data[after - 16 : after]
            elif nxt == ip6.IPPROTO_AH:
                here = take(data, at, 12, "ah")
                after = at + 8 + 4 * here[1]
                seq, icv = int.from_bytes(here[8:12], "big"), data[at + 12 : after].hex()
                out.append(f"AH(spi=0x{here[4:8].hex()},seq=0x{seq:x},icv=0x{icv}): ")
            else:
                break
            nxt, at = here[0], after
            if at > len(data):
                return
        body = data[at:]
        rest = size - at
        direct = head.nxt == nxt and at == ip6.HEADER_LEN
        check = self.check and whole and not fragment
        if nxt == ip6.IPPROTO_ICMPV6:
            out.append(icmp6_lines(self, body, rest, head.src, dst, check, fragment))
        elif nxt == ip6.IPPROTO_UDP:
            self._udp(out, body, rest, head, dst, direct, check)
        elif nxt == ip6.IPPROTO_TCP:
            self._tcp(out, body, rest, head, dst, direct, check)
        elif nxt == ip6.IPPROTO_IPV6:
            out.append(self.packet(body, rest, depth + 1))
        elif nxt == ip6.IPPROTO_ESP:
            here = take(body, 0, 8, "esp")
            seq = int.from_bytes(here[4:], "big")
            out.append(f"ESP(spi=0x{here[:4].hex()},seq=0x{seq:x}), length {rest}")
        elif nxt == ip6.IPPROTO_NONE:
            out.append("no next header")
        else:
            out.append(f" ip-proto-{nxt} {rest}")

    def _options(self, data: bytes) -> str:
        """Options of a hop-by-hop or destination options header, each in parentheses."""
        out = []
        try:
            for kind, value, _ in exthdr.options(data):
                if kind == exthdr.OPT_PAD1:
                    out.append("(pad1)")
                elif kind == exthdr.OPT_PADN:
                    out.append("(padn)")
                elif kind == exthdr.OPT_ROUTER_ALERT:
                    out.append(f"(rtalert: 0x{value.hex()}) ")
                elif kind == exthdr.OPT_JUMBO:
                    out.append(f"(jumbo: {int.from_bytes(value, 'big')}) ")
                else:
                    out.append(f"(opt_type 0x{kind:02x}: len={len(value)})")
        except WireError:
            out.append("(invalid)")
        return "".join(out)

    def _routing(self, data: bytes) -> str:
        kind, left = data[2], data[3]
        out = f"RT6 (len={data[1]}, type={kind}"
        if kind == 0:
            out += " [Deprecated]"
        out += f", segleft={left}"
        if kind not in (0, 2):
            return out + ") "
        if self.verbose or int.from_bytes(data[4:8], "big"):
            out += f", rsv=0x{int.from_bytes(data[4:8], 'big'):x}"
        for number, start in enumerate(range(8, len(data) - 15, 16)):
            out += f", [{number}]{self.host(data[start : start + 16])}"
        return out + ") "

    def _ends(self, head: ip6.Ip6, dst: bytes, sport: int, dport: int, direct: bool) -> str:
        """``A.1 > B.2: ``; behind an extension header the ports alone, since the addresses stand before it."""
        if direct:
            return f"{self.host(head.src)}.{self.port(sport)} > {self.host(dst)}.{self.port(dport)}: "
        return f"{self.port(sport)} > {self.port(dport)}: "

    def _udp(
        self, out: list[str], data: bytes, size: int, head: ip6.Ip6, dst: bytes, direct: bool, check: bool
    ) -> None:
        if len(data) < 4 and direct:
            out.append(f"{self.host(head.src)} > {self.host(dst)}: ")
        here = take(data, 0, 4, "udp")
        out.append(self._ends(head, dst, int.from_bytes(here[:2], "big"), int.from_bytes(here[2:], "big"), direct))
        here = take(data, 0, 8, "udp")
        length, cksum = int.from_bytes(here[4:6], "big"), int.from_bytes(here[6:], "big")
        if length < 8:
            if length or size < 65536:
                out.append(f"truncated-udplength {length}")
                return
            length = size
        if self.verbose and check and not self.quiet:
            good = in6_cksum(head.src, dst, ip6.IPPROTO_UDP, data[:6] + b"\0\0" + data[8:]) or 0xFFFF
            out.append("[udp sum ok] " if cksum == good else f"[bad udp cksum 0x{cksum:04x} -> 0x{good:04x}!] ")
        out.append(f"UDP, length {length - 8}")

    def _tcp(
        self, out: list[str], data: bytes, size: int, head: ip6.Ip6, dst: bytes, direct: bool, check: bool
    ) -> None:
        if len(data) < 4 and direct:
            out.append(f"{self.host(head.src)} > {self.host(dst)}: ")
        here = take(data, 0, 4, "tcp")
        sport, dport = int.from_bytes(here[:2], "big"), int.from_bytes(here[2:], "big")
        out.append(self._ends(head, dst, sport, dport, direct))
        here = take(data, 0, tcp.HEADER_LEN, "tcp")
        offset = here[12] >> 4 << 2
        if offset < tcp.HEADER_LEN:
            out.append(f"tcp {size - offset} [bad hdr length {offset} - too short, < 20]")
            return
        length = size - offset
        if length < 0:
            out.append(f"tcp 0 [bad hdr length {offset} - too long, > {size}]")
            return
        if self.quiet:
            out.append(f"tcp {length}")
            return
        flags = here[13]
        seq, ack = int.from_bytes(here[4:8], "big"), int.from_bytes(here[8:12], "big")
        base = 0
        if not self.absolute and flags & tcp.ACK:
            seq, ack, base = self._relative((head.src, sport, dst, dport), seq, ack, bool(flags & tcp.SYN))
        out.append(f"Flags [{tcp.flags_text(flags)}]")
        if self.verbose and check:
            cksum = int.from_bytes(here[16:18], "big")
            good = in6_cksum(head.src, dst, ip6.IPPROTO_TCP, data[:16] + b"\0\0" + data[18:])
            right = "correct" if cksum == good else f"incorrect -> 0x{good:04x}"
            out.append(f", cksum 0x{cksum:04x} ({right})")
        if self.verbose > 1 or length or flags & (tcp.SYN | tcp.FIN | tcp.RST):
            out.append(f", seq {seq}" + (f":{seq + length & 0xFFFFFFFF}" if length else ""))
        if flags & tcp.ACK:
            out.append(f", ack {ack}")
        out.append(f", win {int.from_bytes(here[14:16], 'big')}")
        if flags & tcp.URG:
            out.append(f", urg {int.from_bytes(here[18:20], 'big')}")
        if offset > tcp.HEADER_LEN:
            out.append(f", options [{tcp_options(take(data, 20, offset - 20, 'tcp'), base)}]")
        out.append(f", length {length}")
        body = data[offset:]
        if body and 80 in (sport, dport):
            out.append(self._http(body, length))

    def _http(self, body: bytes, length: int) -> str:
        """The first line of a request or answer; under -v all lines of text."""
        if not body.startswith(_HTTP):
            return ": HTTP"
        lines = ascii_text(body).rstrip("\n").split("\n")
        if not self.verbose:
            return f": HTTP: {lines[0]}"
        return f": HTTP, length: {length}" + "".join(f"\n\t{line}" for line in lines)

    def _relative(self, ends: Conversation, seq: int, ack: int, syn: bool) -> tuple[int, int, int]:
        """Numbers counted from the conversation's first segment with an ACK, which is itself shown as it is.

        The third is what was taken off the acknowledgement.
        """
        src, sport, dst, dport = ends
        back: Conversation = (dst, dport, src, sport)
        if ends in self.begun and not syn:
            first, first_ack = self.begun[ends]
        elif back in self.begun and not syn:
            first_ack, first = self.begun[back]
        else:
            if len(self.begun) >= _MAX_CONVERSATIONS:
                del self.begun[next(iter(self.begun))]
            self.begun.pop(back, None)
            self.begun[ends] = (seq, ack - 1 & 0xFFFFFFFF)
            return seq, ack, 0
        return seq - first & 0xFFFFFFFF, ack - first_ack & 0xFFFFFFFF, first_ack


def _jumbo(data: bytes, nxt: int) -> int:
    """The length that a jumbo payload option gives, first in a hop-by-hop header (RFC 2675 2); 0 without one."""
    if nxt == ip6.IPPROTO_HOPOPTS and len(data) >= 48 and data[42] == exthdr.OPT_JUMBO and data[43] == 4:
        return int.from_bytes(data[44:48], "big")
    return 0


def tcp_options(data: bytes, base: int = 0) -> str:
    """TCP options between tcpdump's brackets (RFC 9293 3.2, RFC 7323, RFC 2018); edges of SACK count from ``base``."""
    out = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind <= 1:
            out.append(_TCP_OPTIONS[kind])
            at += 1
            if not kind:
                break
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if size < 2 or at + size > len(data):
            out.append(f"{_TCP_OPTIONS.get(kind, f'unknown-{kind}')} [bad opt]")
            break
        value = data[at + 2 : at + size]
        name = _TCP_OPTIONS.get(kind)
        if name in ("mss", "wscale"):
            out.append(f"{name} {int.from_bytes(value, 'big')}")
        elif kind == 5:
            edges = [int.from_bytes(value[i : i + 4], "big") - base & 0xFFFFFFFF for i in range(0, len(value) - 3, 4)]
            pairs = "".join(f"{{{low}:{high}}}" for low, high in zip(edges[::2], edges[1::2], strict=False))
            out.append(f"sack {len(edges) // 2} {pairs}")
        elif kind == 8 and size == 10:
            out.append(f"TS val {int.from_bytes(value[:4], 'big')} ecr {int.from_bytes(value[4:], 'big')}")
        elif name:
            out.append(name)
        else:
            out.append(f"unknown-{kind} 0x{value.hex()}")
        at += size
    return ",".join(out)


def hex_lines(data: bytes, ascii_too: bool, indent: str = "\t") -> list[str]:
    """The dump of -x and -X: an offset, eight groups of two octets, and their characters."""
    out = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        groups = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        if ascii_too:
            text = "".join(chr(octet) if 0x20 < octet < 0x7F else " " if octet == 0x20 else "." for octet in row)
            out.append(f"{indent}0x{at:04x}:  {groups:<39}  {text}")
        else:
            out.append(f"{indent}0x{at:04x}:  {groups}")
    return out


def ascii_text(data: bytes) -> str:
    """The dump of -A: characters, a dot for what can't be shown; ends of lines stay."""
    shown = (chr(octet) if octet == 10 or octet == 9 or 0x20 <= octet < 0x7F else "." for octet in data)
    return "".join(shown).replace(".\n", "\n")
