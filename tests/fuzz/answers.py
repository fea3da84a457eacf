"""What strangers say to what the nodes send: mostly the right thing, so that conversations go on into deep states."""

from __future__ import annotations

from random import Random

from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, ip6, nd, nd_options, nodeinfo, tcp
from kamelab.wire.buffer import WireError
from tests.fuzz.grammar import Grammar
from tests.fuzz.world import STRANGER_MACS, Entry

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
REQUEST = b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"


class Answers:
    """The strangers on all links, without memory: each answer is made from the packet alone."""

    def __init__(self, grammar: Grammar, random: Random) -> None:
        self.grammar = grammar
        self.random = random

    def to(self, entry: Entry, packet: bytes) -> list[bytes]:
        """Answers to one packet that a node sent out of ``entry``; none to most of them."""
        if len(packet) < 44:
            return []
        random = self.random
        try:
            if packet[6] == 6:
                return self.segment(packet)
            if packet[6] == 58:
                return self.message(packet)
        except (WireError, IndexError):
            return []
        if random.random() < 0.1:
            # Somebody far away did not like it.
            return [self.grammar.error_about(self.grammar.stranger(entry), packet[8:24], packet)]
        if packet[6] == 17 and random.random() < 0.2:
            swapped = packet[42:44] + packet[40:42] + packet[44:]
            return [packet[:8] + packet[24:40] + packet[8:24] + swapped]
        return [packet] if random.random() < 0.05 else []

    def message(self, packet: bytes) -> list[bytes]:
        """Answers to an ICMPv6 message."""
        random = self.random
        src, dst, kind = packet[8:24], packet[24:40], packet[40]
        if kind == icmp.NEIGHBOR_SOLICIT:
            target = packet[48:64]
            if random.random() < 0.2:
                return []
            lladdr = nd_options.build_lladdr(nd_options.TLLA, STRANGER_MACS[target[15] & 7])
            probe = src == in6.UNSPECIFIED
            if probe and random.random() < 0.9:
                return []
            body = nd.NeighborAdvert(random.random() < 0.2, not probe, True, target, lladdr).pack()
            return [self.grammar.icmp6(target, in6.pton("ff02::1") if probe else src, icmp.NEIGHBOR_ADVERT, body)]
        if kind == icmp.ECHO_REQUEST and dst[0] != 0xFF:
            return [ip6.build(dst, src, 58, icmp.build(dst, src, 129, 0, packet[44:]))]
        if kind == icmp.NI_QUERY:
            body = packet[44:56] + nodeinfo.name_data("stranger")
            return [self.grammar.icmp6(self.grammar.stranger(self.grammar.world.entries[0]), src, 140, body)]
        return []

    def segment(self, packet: bytes) -> list[bytes]:
        """Answers to a TCP segment: acknowledgements, data in and out of order, ends, and lies."""
        random = self.random
        src, dst = packet[8:24], packet[24:40]
        octets = packet[40 : 40 + (packet[4] << 8 | packet[5])]
        head = tcp.parse(octets)
        data = len(octets) - head.offset
        ack = head.seq + data + bool(head.flags & SYN) + bool(head.flags & FIN)
        seq = head.ack
        flags, window, body, options = ACK, random.choice((0, 1, 1460, 8192, 8192, 65535)), b"", b""
        if head.flags & RST:
            return []
        said = tcp.parse_options(head.options)
        if said.tsval >= 0 and random.random() < 0.9:
            options = tcp.build_options(-1, -1, random.choice((1, 1000, self.grammar.ident)), said.tsval)
        if head.flags & SYN and not head.flags & ACK:
            # It opens a connection itself.
            flags, seq = SYN | ACK, random.randrange(1 << 32)
            if random.random() < 0.1:
                return [self._segment(dst, src, head, seq, ack, random.choice((0, FIN, PSH)), 512, b"", b"")]
            options = tcp.build_options(1220, random.choice((-1, 7)), 1 if said.tsval >= 0 else -1, max(0, said.tsval))
        choice = random.randrange(20)
        if choice < 2:
            return []
        if choice < 8:
            body = random.choice((b"x", REQUEST, bytes(512), bytes(1220)))
            flags |= PSH
        elif choice == 8:
            flags |= FIN
        elif choice == 9:
            flags = RST | random.choice((0, ACK))
            seq += random.choice((0, 0, 1, 1000))
        elif choice == 10:
            seq += random.choice((1, 100, 1000, 60_000))
            body = bytes(random.choice((1, 100, 1220)))
        elif choice == 11:
            seq -= random.choice((1, 10, 1000))
            body = bytes(random.choice((0, 1, 100, 1220)))
        elif choice == 12:
            ack -= random.choice((0, 1, data))
        elif choice == 13:
            ack += random.choice((1, 1000, 1 << 31))
        elif choice == 14:
            return [self.grammar.error_about(dst, src, packet)]
        elif choice == 15:
            flags |= SYN
        elif choice == 16:
            return [self._segment(dst, src, head, seq, head.seq, flags, window, options, b"")] * 4
        elif choice == 17 and random.random() < 0.05:
            # Islands, more of them than the queue holds.
            return [self._segment(dst, src, head, seq + at, ack, ACK, window, options, b"x") for at in range(2, 620, 2)]
        if not data and not head.flags & (SYN | FIN) and random.random() < 0.7 and choice in (17, 18, 19):
            return []
        return [self._segment(dst, src, head, seq, ack, flags, window, options, body)]

    def _segment(
        self, src: bytes, dst: bytes, head: tcp.TcpHeader, seq: int, ack: int, flags: int, window: int, options: bytes,
        body: bytes,
    ) -> bytes:  # fmt: skip
        octets = tcp.build(head.dport, head.sport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, flags, window, options, body, 0)
        return ip6.build(src, dst, 6, self.grammar.summed(src, dst, octets))
