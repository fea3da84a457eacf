"""Packets that a kernel reads, built from a grammar: headers in any order, each message with its options, and checksums
that are right.

What is wrong with them is the business of `mutation`; what answers the nodes' own packets, that of `answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kamelab.stack.netinet6.scope6 import sa6_recoverscope
from kamelab.wire import exthdr, in6, ip6, mld, nd, nd_options, nodeinfo, rr, tcp, udp
from kamelab.wire import icmp6 as icmp
from kamelab.wire.checksum import in6_cksum
from tests.fuzz.world import GROUPS, STRANGER_MACS, TCP_PORTS, UDP_PORTS, A, Entry, World

WEIRD = tuple(
    A(text)
    for text in (
        "::", "::1", "::ffff:1.2.3.4", "::127.0.0.1", "::1.2.3.4", "fe80:1::5", "fec0::5", "2002:7f00:1::", "ff01::1",
        "ff02::1", "ff02::2", "ff02::16", "ff05::2", "ff0e::1", "fe80::", "2001:db8:1::", "2001:db8:2::",
    )
)  # fmt: skip
FAR = tuple(
    A(text)
    for text in ("2001:db8:9::9", "2001:db8:8::8", "2001:db8:7::7", "2001:db8:6::6", "2001:db8:2::5", "2001:db8:1::5")
)
TYPES = (*range(5), *range(126, 156), 200, 255)
PROTOCOLS = (0, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 89, 103, 132, 135, 253, 255)
SIZES = (0, 1, 7, 8, 40, 56, 200, 1200, 1300, 1452)
OPTION_KINDS = (0, 1, 4, 5, 0x1E, 0x3E, 0x5E, 0x9E, 0xC2, 0xC9, 0xDE, 0xFE)


class Grammar:
    """Makes packets for one world, out of one stream of chance."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random
        self.ident = 0
        self.makers: tuple[tuple[int, Callable[[Entry], list[bytes]]], ...] = (
            (8, self.udp), (12, self.tcp), (4, self.echo), (10, self.neighbors), (8, self.routers), (3, self.redirect),
            (7, self.mld), (4, self.nodeinfo), (4, self.error), (2, self.renumber), (2, self.other), (8, self.chained),
            (8, self.fragmented), (6, self.transit), (1, self.syns),
        )  # fmt: skip
        self.weights = [weight for weight, _ in self.makers]

    def packets(self, entry: Entry) -> list[bytes]:
        """A sentence of the grammar: one packet, or all fragments of one."""
        maker = self.random.choices(self.makers, self.weights)[0][1]
        return maker(entry)

    # -- words -------------------------------------------------------------------------------------------------------

    def own(self, entry: Entry) -> bytes:
        """An address of the node that hears it."""
        random = self.random
        if entry.iface.addresses and random.random() < 0.9:
            return sa6_recoverscope(random.choice(entry.iface.addresses).addr)[0]
        return sa6_recoverscope(random.choice(list(entry.iface.node.own) or [in6.LOOPBACK]))[0]

    def stranger(self, entry: Entry) -> bytes:
        """An address of somebody on the link, or far away."""
        random = self.random
        kind = random.randrange(20)
        if entry.iface.loopback:
            return self.own(entry)
        if kind < 9:
            return b"\xfe\x80" + bytes(13) + bytes((random.randrange(5, 9),))
        if kind < 17:
            return entry.prefix + bytes(7) + bytes((random.randrange(5, 9),))
        if kind < 19:
            return random.choice(FAR)
        if random.random() < 0.1:
            return random.choice(WEIRD)
        return entry.prefix + random.randbytes(8)

    def destination(self, entry: Entry) -> bytes:
        random = self.random
        kind = random.randrange(20)
        if kind < 15:
            return self.own(entry)
        if kind < 17:
            return A(random.choice(("ff02::1", "ff02::2", *GROUPS)))
        if kind < 18:
            return in6.solicited_node(self.own(entry))
        return self.address(entry)

    def address(self, entry: Entry) -> bytes:
        """Any address at all."""
        random = self.random
        kind = random.randrange(6)
        if kind == 0:
            return random.choice(WEIRD)
        if kind == 1:
            return random.choice(FAR)
        if kind == 2:
            return A(random.choice(GROUPS))
        return self.own(entry) if kind < 5 else self.stranger(entry)

    def data(self) -> bytes:
        return bytes(self.random.choice(SIZES))

    def icmp6(self, src: bytes, dst: bytes, kind: int, body: bytes, code: int = 0, hlim: int = 255) -> bytes:
        return ip6.build(src, dst, 58, icmp.build(src, dst, kind, code, body), hlim=hlim)

    # -- upper layers ------------------------------------------------------------------------------------------------

    def upper(self, src: bytes, dst: bytes) -> tuple[int, bytes]:
        """(next header, octets) of something that ends a chain, its checksum right."""
        random = self.random
        kind = random.randrange(10)
        if kind < 4:
            body = icmp.echo_body(random.randrange(4), random.randrange(4), self.data())
            return 58, icmp.build(src, dst, random.choice((128, 128, 128, 129)), 0, body)
        if kind < 7:
            port = random.choice(UDP_PORTS) if random.random() < 0.8 else random.randrange(65536)
            return 17, udp.build(src, dst, random.randrange(1000, 1010), port, self.data())
        if kind < 9:
            return 6, self.segment(src, dst)
        return random.choice(PROTOCOLS), random.randbytes(random.randrange(40))

    def segment(self, src: bytes, dst: bytes) -> bytes:
        """A TCP segment out of the blue, often a SYN."""
        random = self.random
        flags = 2 if random.random() < 0.6 else random.randrange(64)
        port = random.choice(TCP_PORTS) if random.random() < 0.9 else random.randrange(65536)
        octets = tcp.build(
            random.randrange(3000, 3040), port,
            random.randrange(1 << 32), random.randrange(1 << 32), flags, random.choice((0, 1, 512, 8192, 65535)),
            self.tcp_options(), b"" if flags & 2 else self.data(), random.choice((0, 0, 0, 1, 65535)),
        )  # fmt: skip
        return self.summed(src, dst, octets)

    @staticmethod
    def summed(src: bytes, dst: bytes, octets: bytes) -> bytes:
        """A TCP segment with its checksum."""
        return octets[:16] + in6_cksum(src, dst, 6, octets).to_bytes(2, "big") + octets[18:]

    def tcp_options(self) -> bytes:
        random = self.random
        if random.random() < 0.5:
            return b""
        return tcp.build_options(
            random.choice((-1, 0, 1, 216, 1220, 1440, 65535)), random.choice((-1, -1, 0, 7, 14)),
            random.choice((-1, -1, 0, 1000, 0xFFFFFFFF)), random.randrange(3),
        )  # fmt: skip

    def udp(self, entry: Entry) -> list[bytes]:
        random = self.random
        src, dst = self.stranger(entry), self.destination(entry)
        port = random.choice((*UDP_PORTS, *UDP_PORTS, 0)) if random.random() < 0.85 else random.randrange(65536)
        body = udp.build(src, dst, random.choice((7, 53, 1000, 1001)), port, self.data())
        return [ip6.build(src, dst, 17, body, hlim=random.choice((1, 64, 255)), tclass=random.randrange(4),
                          flow=random.randrange(3))]  # fmt: skip

    def tcp(self, entry: Entry) -> list[bytes]:
        src, dst = self.stranger(entry), self.own(entry)
        if self.random.random() < 0.02:
            octets = tcp.build(5000, 5000, 1, 0, 2, 8192)
            return [ip6.build(dst, dst, 6, self.summed(dst, dst, octets))]
        return [ip6.build(src, dst, 6, self.segment(src, dst))]

    def syns(self, entry: Entry) -> list[bytes]:
        """A flood of them, from everywhere."""
        random = self.random
        dst, port = self.own(entry), random.choice(TCP_PORTS)
        out = []
        for _ in range(random.randrange(2, 40)):
            src = entry.prefix + random.randbytes(8)
            octets = tcp.build(random.randrange(1024, 65536), port, random.randrange(1 << 32), 0, 2, 8192)
            out.append(ip6.build(src, dst, 6, self.summed(src, dst, octets)))
        return out

    def echo(self, entry: Entry) -> list[bytes]:
        random = self.random
        src, dst = self.stranger(entry), self.destination(entry)
        body = icmp.echo_body(1, random.randrange(3), self.data())
        return [self.icmp6(src, dst, random.choice((128, 128, 129)), body, hlim=random.choice((1, 64, 255)))]

    def other(self, entry: Entry) -> list[bytes]:
        """Any ICMPv6 type, any protocol."""
        random = self.random
        src, dst = self.stranger(entry), self.destination(entry)
        if random.random() < 0.5:
            return [self.icmp6(src, dst, random.choice(TYPES), random.randbytes(random.randrange(80)),
                               random.randrange(4))]  # fmt: skip
        return [ip6.build(src, dst, random.choice(PROTOCOLS), random.randbytes(random.randrange(80)))]

    # -- neighbour discovery -----------------------------------------------------------------------------------------

    def lladdr(self, kind: int) -> bytes:
        """A link-layer address option, or none."""
        random = self.random
        if random.random() < 0.15:
            return b""
        if random.random() < 0.03:
            return nd_options.build_lladdr(kind, bytes(14))
        return nd_options.build_lladdr(kind, random.choice(STRANGER_MACS))

    def neighbors(self, entry: Entry) -> list[bytes]:
        """Solicitations, probes for duplicates, advertisements asked for and not."""
        random = self.random
        src = self.stranger(entry)
        target = self.own(entry) if random.random() < 0.7 else self.address(entry)
        if random.random() < 0.5:
            if random.random() < 0.1:
                body = nd.NeighborSolicit(target, self.lladdr(nd_options.SLLA) if random.random() < 0.1 else b"").pack()
                dst = in6.solicited_node(target) if random.random() < 0.9 else A("ff02::1")
                return [self.icmp6(bytes(16), dst, icmp.NEIGHBOR_SOLICIT, body)]
            nonce = nd_options.build_nonce(random.randbytes(6)) if random.random() < 0.1 else b""
            body = nd.NeighborSolicit(target, self.lladdr(nd_options.SLLA) + nonce).pack()
            dst = in6.solicited_node(target) if random.random() < 0.7 else self.own(entry)
            return [self.icmp6(src, dst, icmp.NEIGHBOR_SOLICIT, body)]
        if random.random() < 0.97:
            target = src
        flags = random.randrange(8)
        body = nd.NeighborAdvert(
            bool(flags & 1), bool(flags & 2), bool(flags & 4), target, self.lladdr(nd_options.TLLA)
        ).pack()
        dst = self.own(entry) if random.random() < 0.7 else A("ff02::1")
        return [self.icmp6(src, dst, icmp.NEIGHBOR_ADVERT, body)]

    def routers(self, entry: Entry) -> list[bytes]:
        """Solicitations and advertisements of routers, with any options."""
        random = self.random
        if random.random() < 0.3:
            src = self.stranger(entry)
            body = nd.RouterSolicit(self.lladdr(nd_options.SLLA)).pack()
            return [self.icmp6(src, A(random.choice(("ff02::1", "ff02::2"))), icmp.ROUTER_SOLICIT, body)]
        src = b"\xfe\x80" + bytes(13) + bytes((random.randrange(5, 0x4F),))
        options = self.lladdr(nd_options.SLLA)
        for _ in range(random.randrange(4)):
            times = (0, 1, 5, 1800, 7201, 604800, 0xFFFFFFFF)
            prefix = entry.prefix + bytes(8)
            if random.random() < 0.5:
                prefix = b"\x20\x01\x0d\xb8" + random.randbytes(1) + bytes(11)
            valid, preferred = random.choice(times), random.choice(times)
            info = nd_options.PrefixInfo(
                random.choice((0, 48, 64, 64, 64, 64, 128)), random.random() < 0.8, random.random() < 0.8, valid,
                min(valid, preferred) if random.random() < 0.9 else preferred, prefix,
            )  # fmt: skip
            options += nd_options.build_prefix(info)
        if random.random() < 0.3:
            options += nd_options.build_mtu(random.choice((0, 68, 1280, 1400, 1500, 9000, 0xFFFFFFFF)))
        if random.random() < 0.2:
            options += nd_options.build_route(
                nd_options.RouteInfo(random.randrange(129), random.choice((-1, 0, 1)), random.choice((0, 600)), FAR[0])
            )
        body = nd.RouterAdvert(
            random.choice((0, 64, 255)), False, random.random() < 0.3, random.choice((-1, 0, 1)),
            random.choice((0, 1, 30, 1800, 9000, 65535)), random.choice((0, 1000, 30000, 0xFFFFFFFF)),
            random.choice((0, 1, 1000, 5000)), options,
        ).pack()  # fmt: skip
        return [self.icmp6(src, A("ff02::1") if random.random() < 0.7 else self.own(entry), icmp.ROUTER_ADVERT, body)]

    def redirect(self, entry: Entry) -> list[bytes]:
        random = self.random
        routers = [sa6_recoverscope(one.addr)[0] for one in entry.iface.node.routers]
        src = random.choice(routers) if routers else self.stranger(entry)
        dst = b"\x20\x01\x0d\xb8\x00\x09" + random.randbytes(10) if random.random() < 0.7 else self.address(entry)
        target = dst if random.random() < 0.3 else b"\xfe\x80" + bytes(13) + bytes((random.randrange(5, 9),))
        options = self.lladdr(nd_options.TLLA)
        own = self.own(entry)
        if random.random() < 0.4:
            options += nd_options.build_redirected(ip6.build(own, dst, 59, bytes(random.randrange(100))))
        return [self.icmp6(src, own, icmp.REDIRECT, nd.Redirect(target, dst, options).pack())]

    # -- the rest of ICMPv6 ------------------------------------------------------------------------------------------

    def mld(self, entry: Entry) -> list[bytes]:
        """Queries, reports and dones of both versions, with a router alert most of the time."""
        random = self.random
        src = b"\xfe\x80" + bytes(13) + bytes((random.randrange(1, 9),))
        group = A(random.choice(GROUPS)) if random.random() < 0.8 else b"\xff\x05" + random.randbytes(14)
        kind = random.randrange(6)
        if kind == 0:
            group = bytes(16)
        sources = tuple(self.stranger(entry) for _ in range(random.choice((0, 0, 1, 3, 40))))
        dst = group if group != bytes(16) else A("ff02::1")
        if kind < 2:
            number, body = icmp.MLD_QUERY, mld.Mld(random.choice((0, 1, 1000, 10000)), group).pack()
        elif kind == 2:
            number = icmp.MLD_QUERY
            body = mld.QueryV2(
                random.choice((0, 100, 1000, 10000)), group, random.random() < 0.2, random.randrange(8),
                random.choice((1, 125, 20)), sources,
            ).pack()  # fmt: skip
        elif kind == 3:
            number, body = 131, mld.Mld(0, group).pack()
        elif kind == 4:
            number, body, dst = 132, mld.Mld(0, group).pack(), A("ff02::2")
        else:
            records = tuple(
                mld.Record(random.randrange(1, 7), A(random.choice(GROUPS)), sources)
                for _ in range(random.choice((0, 1, 1, 3)))
            )
            number, body, dst = 143, mld.build_v2_report(records), A("ff02::16")
        message = icmp.build(src, dst, number, 0, body)
        if random.random() < 0.85:
            return [ip6.build(src, dst, 0, exthdr.router_alert(58) + message, hlim=1)]
        return [ip6.build(src, dst, 58, message, hlim=1)]

    def nodeinfo(self, entry: Entry) -> list[bytes]:
        """Queries about names and addresses, and replies that nobody asked for."""
        random = self.random
        src, dst = self.stranger(entry), self.own(entry)
        code = random.randrange(3)
        subject = (
            dst if random.random() < 0.8 else self.address(entry),
            nodeinfo.encode_name(random.choice(("h1", "r1", "h1.example.org", "nobody"))),
            bytes((10, 0, 0, 1)),
        )[code]  # fmt: skip
        body = nodeinfo.query_body(random.randrange(6), random.randbytes(8), subject, random.randrange(64))
        if random.random() < 0.3:
            dst = nodeinfo.name_group(random.choice(("h1", "r1")))
        return [self.icmp6(src, dst, random.choice((139, 139, 139, 140)), body, code)]

    def renumber(self, entry: Entry) -> list[bytes]:
        """Router renumbering commands and results."""
        random = self.random
        use = rr.UsePrefix(
            random.choice((0, 48, 64, 128)), random.choice((0, 16, 64)), random.randrange(256), random.randrange(256),
            random.choice((0, 600, 0xFFFFFFFF)), random.choice((0, 600)), random.random() < 0.5, random.random() < 0.5,
            A("2001:db8:77::"),
        )  # fmt: skip
        operation = rr.Operation(
            random.randrange(1, 4), random.randrange(3), random.choice((0, 48, 64)), random.choice((0, 64)),
            random.choice((64, 128)), entry.prefix + bytes(8), (use,) * random.randrange(3),
        )  # fmt: skip
        command = rr.Command(random.randrange(4), random.randrange(2), random.randrange(256), 0,
                             (operation,) * random.randrange(3))  # fmt: skip
        src, dst = self.stranger(entry), self.own(entry) if random.random() < 0.7 else A("ff05::2")
        return [self.icmp6(src, dst, icmp.ROUTER_RENUMBER, command.pack(), random.choice((0, 1, 255)))]

    def error(self, entry: Entry) -> list[bytes]:
        """An error about a packet that the node might have sent."""
        src, own, far = self.stranger(entry), self.own(entry), self.stranger(entry)
        nxt, body = self.upper(own, far)
        return [self.error_about(src, own, ip6.build(own, far, nxt, body))]

    def error_about(self, src: bytes, dst: bytes, quoted: bytes) -> bytes:
        """An error of any type, quoting a packet."""
        random = self.random
        kind = random.choice((1, 1, 2, 2, 2, 3, 4, 5, 100))
        word = random.choice((0, 6, 40, 68, 1000, 1280, 1300, 1499, 65535, 0xFFFFFFFF))
        cut = quoted[: random.randrange(40, 1200)] if random.random() < 0.2 else quoted[:1232]
        return self.icmp6(src, dst, kind, icmp.error_body(word, cut), random.randrange(6), 64)

    # -- chains of headers -------------------------------------------------------------------------------------------

    def options(self) -> bytes:
        """Some options, known ones and those that say what to do with unknown ones."""
        random = self.random
        out = b""
        for _ in range(random.randrange(4)):
            kind = random.choice(OPTION_KINDS)
            if kind == 0:
                out += b"\0"
            elif kind == 5:
                out += exthdr.option(5, random.randrange(4).to_bytes(2, "big") * random.choice((1, 1, 1, 2)))
            elif kind == 0xC2:
                out += exthdr.option(0xC2, random.choice((0, 100, 65535, 65536, 1 << 31)).to_bytes(4, "big"))
            else:
                out += exthdr.option(kind, random.randbytes(random.choice((0, 1, 2, 4, 16, 18))))
        return out

    def header(self, kind: int, nxt: int, entry: Entry) -> bytes:
        """One extension header of a kind, with its next header."""
        random = self.random
        if kind == 0:
            return exthdr.hop_by_hop(nxt, self.options())
        if kind == 60:
            return exthdr.destination_options(nxt, self.options())
        if kind == 43:
            addresses = tuple(self.address(entry) for _ in range(random.choice((0, 1, 1, 2, 5))))
            segments = random.randrange(len(addresses) + 1) if random.random() < 0.9 else random.randrange(256)
            out = exthdr.build_routing0(nxt, segments, addresses)
            return out if random.random() < 0.85 else out[:2] + bytes((random.choice((1, 2, 3, 4, 253)),)) + out[3:]
        if kind == 44:
            self.ident += 1
            return exthdr.build_fragment(nxt, 0, False, self.ident)
        return bytes((nxt, 2)) + random.randbytes(14)

    def chained(self, entry: Entry) -> list[bytes]:
        """Headers in front of something, in the right order or in any."""
        random = self.random
        src, dst = self.stranger(entry), self.destination(entry)
        nxt, body = self.upper(src, dst)
        kinds = random.choices((0, 60, 43, 44, 51), (3, 4, 3, 1, 1), k=random.choice((1, 1, 2, 3, 8)))
        if random.random() < 0.02:
            kinds = [60] * 60
        elif random.random() < 0.02:
            return [ip6.build(src, dst, 60, bytes((59, 255)) + bytes(2046))]
        elif random.random() < 0.8:
            kinds = sorted(set(kinds), key=(0, 60, 43, 44, 51).index)
        for kind in reversed(kinds):
            body = self.header(kind, nxt, entry) + body
            nxt = kind
        return [ip6.build(src, dst, nxt, body, hlim=random.choice((1, 2, 64)))]

    def fragmented(self, entry: Entry) -> list[bytes]:
        """A packet in fragments: in order, shuffled, one missing, one twice, or overlapping."""
        random = self.random
        src, dst = self.stranger(entry), self.destination(entry)
        nxt, body = self.upper(src, dst)
        if random.random() < 0.2:
            nxt, body = 17, udp.build(src, dst, 1000, 500, bytes(random.choice((2000, 5000, 60000))))
        if random.random() < 0.3:
            body, nxt = self.header(60, nxt, entry) + body, 60
        head, first = b"", 44
        if random.random() < 0.2:
            head, first = self.header(60, 44, entry), 60
        step = random.choice((8, 64, 1024, 1448)) if len(body) < 300 else random.choice((1024, 1448))
        self.ident = self.ident + 1 if random.random() < 0.95 else 1
        cuts = [(at, body[at : at + step]) for at in range(0, len(body), step)]
        fault = random.randrange(10) if cuts else 0
        if fault == 1:
            del cuts[random.randrange(len(cuts)) :][:1]
        elif fault == 2:
            cuts.append(random.choice(cuts))
        elif fault == 3:
            at, piece = random.choice(cuts)
            cuts.append((max(0, at - 8), piece))
        elif fault == 4:
            cuts.append((65528 - random.choice((0, 8)), bytes(16)))
        if random.random() < 0.5:
            random.shuffle(cuts)
        tclass = random.choice((0, 0, 0, 1, 2))
        return [
            ip6.build(
                src, dst, first,
                head + exthdr.build_fragment(nxt, at, at + len(piece) < len(body), self.ident) + piece,
                tclass=tclass if random.random() < 0.95 else 3,
            )
            for at, piece in cuts
        ]  # fmt: skip

    def transit(self, entry: Entry) -> list[bytes]:
        """A packet for somebody else, on its way through."""
        random = self.random
        src = self.stranger(entry)
        dst = random.choice(FAR) if random.random() < 0.8 else self.address(entry)
        nxt, body = self.upper(src, dst)
        packet = ip6.build(src, dst, nxt, body, hlim=random.choice((0, 1, 2, 64, 64, 64)))
        return [packet] * random.choice((1, 1, 3))

    def jumbogram(self, entry: Entry) -> bytes:
        """A packet of more than 65,535 octets: only lo0 carries it."""
        random = self.random
        src = dst = self.own(entry) if random.random() < 0.5 else in6.LOOPBACK
        octets = random.choice((65536, 66000, 69000))
        nxt, body = 58, icmp.build(src, dst, 128, 0, icmp.echo_body(1, 1, bytes(octets)))
        if random.random() < 0.3:
            nxt, body = 17, udp.build(src, dst, 1000, 500, bytes(65000))
            body += bytes(2000)
        if random.random() < 0.1:
            nxt, body = 44, exthdr.build_fragment(nxt, 0, True, 1) + body
        header = exthdr.jumbo_payload(b"", len(body))
        return ip6.build_jumbo(src, dst, bytes((nxt,)) + header[1:] + body)
