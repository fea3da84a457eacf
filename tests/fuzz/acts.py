"""What goes on at the nodes meanwhile: system calls with any arguments, addresses that come and go, people who look.

An errno is an answer. Any other exception is a find.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from kamelab.stack import syscalls, sysctl, tables
from kamelab.stack.netinet6.scope6 import sa6_recoverscope
from kamelab.stack.node import Node
from tests.fuzz.grammar import Grammar
from tests.fuzz.world import GROUPS, LEFT, A, Entry, World, tolerant

OWN_SOCKETS = 40
"""Sockets that the acts open at a node."""
SWITCHES = (
    "ip6.rthdr0", "ip6.prefer_tempaddr", "ip6.frag_overlap", "ip6.frag_chain", "ip6.use_deprecated", "ip6.redirect",
    "ip6.keepfaith", "ip6.auto_flowlabel", "ip6.mcast_pmtu", "ip6.srcsel_2000", "ip6.pmtu_below_min",
    "ip6.use_defaultzone", "ip6.accept_rtadv", "icmp6.mldv2", "icmp6.mldalwaysv2", "icmp6.nodeinfo_refuse",
    "icmp6.rediraccept", "icmp6.nd6_useloopback",
)  # fmt: skip
NUMBERS = (
    ("ip6.hlim", (0, 1, 64, 255)), ("ip6.maxfragpackets", (0, 2, 200)), ("ip6.maxfrags", (0, 5, 200)),
    ("ip6.hdrnestlimit", (0, 3, 50)), ("ip6.dad_count", (0, 1, 2)), ("ip6.rtmaxcache", (0, 5, 128)),
    ("icmp6.errppslimit", (-1, 0, 5, 200)), ("icmp6.errratelimit", (0, 1000)), ("icmp6.nd6_maxqueuelen", (0, 1, 3)),
    ("icmp6.nd6_maxnudhint", (0, 3)), ("icmp6.nodeinfo", (0, 1, 2, 3)), ("icmp6.mldmaxsrcfilter", (1, 512)),
)  # fmt: skip
TCP_NUMBERS = (
    ("syn_bucket_limit", (1, 16, 128)), ("delayed_ack", (0, 1)), ("rfc1323", (0, 1)), ("newreno", (0, 1)),
    ("rfc3042", (0, 1)), ("keepidle", (1000, 7_200_000)), ("always_keepalive", (0, 1)), ("msl", (100, 30000)),
    ("sendspace", (1024, 32768)), ("recvspace", (1024, 57344)), ("icmp_may_rst", (0, 1)), ("rto_min", (200, 1000)),
)  # fmt: skip
COMMANDS = (
    "ping6 -c 2 -i 1 fe80::5%ne0", "ping6 -c 1 -w 2001:db8:1::5", "ping6 -c 1 -s 3000 2001:db8:1::6",
    "traceroute6 -w 1 -m 3 -q 1 2001:db8:1::7", "netstat -s", "netstat -rn", "netstat -an", "netstat -gn", "ndp -an",
    "ndp -p", "ndp -r", "ifconfig -a", "ifmcstat", "route -n get -inet6 2001:db8:9::9", "prefix -a",
    "nc -w 2 2001:db8:1::8 80", "mld6query ne0", "rtsol ne0", "tcpdump -c 20 -vvv -n -i ne0", "tcpdump -c 5 -x -i ne0",
    "fetch -o - http://[2001:db8:1::5]/", "netstat -p tcp -s", "ip6addrctl show", "sysctl -a",
)  # fmt: skip


class Acts:
    """Things that programs and people do at the nodes of one world."""

    def __init__(self, world: World, grammar: Grammar, random: Random) -> None:
        self.world = world
        self.grammar = grammar
        self.random = random
        self.opened: dict[str, list[int]] = {node.name: [] for node in world.nodes}
        self.acts: tuple[tuple[int, Callable[[Node, Entry], None]], ...] = (
            (10, self.receive), (10, self.send), (8, self.stream), (5, self.connect), (4, self.option), (3, self.close),
            (3, self.group), (2, self.look), (1, self.address), (1, self.neighbor), (3, self.variable), (1, self.route),
            (2, self.flags), (1, self.command),
        )  # fmt: skip
        self.weights = [weight for weight, _ in self.acts]

    def one(self) -> None:
        """Do something somewhere."""
        random = self.random
        node = random.choice(self.world.nodes)
        entry = random.choice([one for one in self.world.entries if one.iface.node is node])
        random.choices(self.acts, self.weights)[0][1](node, entry)

    def _socket(self, node: Node, kind: str) -> int:
        """A socket of a kind: one that is open, or a new one; 0 where there are enough."""
        random = self.random
        opened = self.opened[node.name]
        known = [
            sid for sid in (*self.world.sids[node.name], *opened)
            if sid in node.sockets and node.sockets[sid].kind == kind
        ]  # fmt: skip
        if known and (random.random() < 0.6 or len(opened) >= OWN_SOCKETS):
            return random.choice(known)
        if len(opened) >= OWN_SOCKETS:
            return 0
        sid = syscalls.socket(node, 0, kind, random.choice((58, 89, 17, 255)) if kind == "raw6" else 0)
        opened.append(sid)
        return sid

    # -- data --------------------------------------------------------------------------------------------------------

    def receive(self, node: Node, entry: Entry) -> None:
        """Read what has come, from every socket or from some."""
        for sid in (*self.world.sids[node.name], *self.opened[node.name]):
            so = node.sockets.get(sid)
            if so is None or self.random.random() < 0.3:
                continue
            if so.tcb is not None:
                taken = tolerant(syscalls.accept, node, sid)
                if isinstance(taken, int) and taken:
                    self.opened[node.name].append(taken)
                tolerant(syscalls.recv, node, sid, self.random.choice((1, 100, 65536)))
                tolerant(syscalls.getsockopt, node, sid, "SO_ERROR")
                continue
            for _ in range(self.random.choice((1, 5, 1000))):
                if tolerant(syscalls.recvmsg, node, sid) is None:
                    break
        opened = self.opened[node.name]
        while len(opened) > OWN_SOCKETS:
            tolerant(syscalls.close, node, opened.pop(0))

    def control(self, entry: Entry) -> tuple[tuple[str, Any], ...]:
        """Ancillary data, sound or not."""
        random = self.random
        values: dict[str, Callable[[], Any]] = {
            "IPV6_PKTINFO": lambda: (random.choice((None, self.grammar.address(entry))), random.randrange(5)),
            "IPV6_HOPLIMIT": lambda: random.choice((-1, 0, 1, 255, 256)),
            "IPV6_TCLASS": lambda: random.choice((-1, 0, 255)),
            "IPV6_NEXTHOP": lambda: (self.grammar.address(entry), random.randrange(4)),
            "IPV6_HOPOPTS": lambda: self.grammar.header(0, 0, entry),
            "IPV6_DSTOPTS": lambda: self.grammar.header(60, 0, entry),
            "IPV6_RTHDRDSTOPTS": lambda: self.grammar.header(60, 0, entry),
            "IPV6_RTHDR": lambda: self.grammar.header(43, 0, entry),
            "IPV6_DONTFRAG": lambda: random.randrange(2),
            "IPV6_USE_MIN_MTU": lambda: random.randrange(-1, 2),
            "IPV6_REACHCONF": lambda: 1,
            "IPV6_PREFER_TEMPADDR": lambda: random.randrange(-1, 2),
            "IPV6_FLOWINFO": lambda: random.choice((0, 0xFFFFF, 0xFFFFFFF)),
        }
        names = random.sample(sorted(values), random.choice((0, 0, 1, 2, 5)))
        return tuple((name, values[name]()) for name in names)

    def send(self, node: Node, entry: Entry) -> None:
        """A datagram or a raw packet to anybody."""
        random = self.random
        sid = self._socket(node, random.choice(("udp6", "udp6", "raw6")))
        dst = self.grammar.stranger(entry) if random.random() < 0.6 else self.grammar.address(entry)
        data = bytes(random.choice((0, 1, 8, 100, 1400, 3000, 9000)))
        if sid:
            tolerant(
                syscalls.sendmsg, node, sid, data, dst, random.choice((0, 7, 500, 1000)),
                random.choice((0, entry.iface.index)), control=self.control(entry),
            )  # fmt: skip

    def stream(self, node: Node, entry: Entry) -> None:
        """Write to a stream, half close it, or push."""
        random = self.random
        sid = self._socket(node, "tcp6")
        if not sid:
            return
        kind = random.randrange(8)
        if kind < 6:
            tolerant(syscalls.send, node, sid, bytes(random.choice((1, 100, 5000, 40000))))
        elif kind == 6 and node.sockets[sid].tcb is not None and sid in self.opened[node.name]:
            tolerant(syscalls.shutdown, node, sid, random.choice(("rd", "wr", "rdwr")))

    def connect(self, node: Node, entry: Entry) -> None:
        """Open a connection, or give a datagram socket a peer; to strangers and to the node itself."""
        random = self.random
        kind = random.choice(("tcp6", "tcp6", "tcp6", "udp6"))
        sid = self._socket(node, kind)
        if not sid or sid not in self.opened[node.name]:
            return
        dst = self.grammar.stranger(entry) if random.random() < 0.7 else self.grammar.address(entry)
        if kind == "tcp6":
            tolerant(syscalls.connect_stream, node, sid, dst, random.choice((80, 5000, 0)), entry.iface.index)
        else:
            tolerant(syscalls.connect, node, sid, random.choice((dst, None)), 7, entry.iface.index)

    def close(self, node: Node, entry: Entry) -> None:
        opened = self.opened[node.name]
        if opened:
            tolerant(syscalls.close, node, opened.pop(self.random.randrange(len(opened))))

    def option(self, node: Node, entry: Entry) -> None:
        """Set a socket option, and read it back."""
        random = self.random
        kind = random.choice(("udp6", "raw6", "tcp6"))
        sid = self._socket(node, kind)
        if not sid or sid not in self.opened[node.name]:
            return
        control = self.control(entry) or (
            (random.choice(("IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS", "IPV6_MULTICAST_IF", "IPV6_CHECKSUM",
                            "TCP_NODELAY", "SO_KEEPALIVE", "TCP_MAXSEG", "IPV6_MULTICAST_LOOP", "IPV6_V6ONLY",
                            "SO_RCVBUF", "ICMP6_FILTER")), random.choice((-1, 0, 1, 2, 255, 4096))),
        )  # fmt: skip
        for name, value in control:
            if name == "ICMP6_FILTER":
                value = random.choice((None, (128, 129), (135,)))
            tolerant(syscalls.setsockopt, node, sid, name, value)
            tolerant(syscalls.getsockopt, node, sid, name)
        tolerant(syscalls.getsockopt, node, sid, "IPV6_PATHMTU")

    def group(self, node: Node, entry: Entry) -> None:
        """Join or leave, for everybody or for some."""
        random = self.random
        sid = self._socket(node, "udp6")
        if not sid:
            return
        group = A(random.choice(GROUPS)) if random.random() < 0.8 else self.grammar.address(entry)
        index = random.choice((0, entry.iface.index))
        name = random.choice(("IPV6_JOIN_GROUP", "IPV6_LEAVE_GROUP", "MCAST_MSFILTER", "MCAST_JOIN_SOURCE_GROUP",
                              "MCAST_LEAVE_SOURCE_GROUP", "MCAST_BLOCK_SOURCE"))  # fmt: skip
        source = self.grammar.stranger(entry)
        value: tuple[Any, ...] = (entry.iface.index, group, source)
        if name.startswith("IPV6"):
            value = (group, index)
        elif name == "MCAST_MSFILTER":
            value = (entry.iface.index, group, random.choice(("include", "exclude")), (source,) * random.randrange(2))
        tolerant(syscalls.setsockopt, node, sid, name, value)

    # -- administration ----------------------------------------------------------------------------------------------

    def look(self, node: Node, entry: Entry) -> None:
        """Read every table, as panes do."""
        for name in tables.TABLES:
            syscalls.rows(node, name)
        syscalls.counters(node)
        self.world.net.timer_rows()

    def address(self, node: Node, entry: Entry) -> None:
        random = self.random
        addr = entry.prefix + bytes(7) + bytes((random.randrange(0x20, 0x30),))
        for one in list(entry.iface.addresses):
            if "duplicated" in one.flags():
                # A duplicate is done away with, else nobody hears anything any more.
                plain = sa6_recoverscope(one.addr)[0]
                tolerant(syscalls.ioctl, node, "SIOCDIFADDR_IN6", entry.iface.name, address=plain)
                tolerant(syscalls.ioctl, node, "SIOCAIFADDR_IN6", entry.iface.name, address=plain, plen=64)
                tolerant(syscalls.ioctl, node, "SIOCSIFINFO_FLAGS", entry.iface.name, disabled=False)
        if random.random() < 0.5:
            tolerant(syscalls.ioctl, node, "SIOCDIFADDR_IN6", entry.iface.name, address=addr)
        else:
            tolerant(
                syscalls.ioctl, node, "SIOCAIFADDR_IN6", entry.iface.name, address=addr, plen=64,
                vltime=random.choice((0xFFFFFFFF, 30)), pltime=random.choice((0, 20)),
            )  # fmt: skip

    def neighbor(self, node: Node, entry: Entry) -> None:
        random = self.random
        addr = self.grammar.stranger(entry)
        command = random.choice(("set", "delete", "flush"))
        if command == "set":
            tolerant(
                syscalls.neighbor,
                node,
                "set",
                address=addr,
                interface=entry.iface.name,
                lladdr=bytes((2, 0, 0, 0, 1, 1)),
            )
        elif command == "delete":
            tolerant(syscalls.neighbor, node, "delete", address=addr, interface=entry.iface.name)
        else:
            tolerant(syscalls.neighbor, node, "flush")

    def route(self, node: Node, entry: Entry) -> None:
        random = self.random
        dst = b"\x20\x01\x0d\xb8\x00\x06" + bytes((0, random.randrange(4))) + bytes(8)
        command = random.choice(("add", "delete", "get", "change"))
        args: dict[str, Any] = {"destination": dst, "plen": 64}
        if command in ("add", "change"):
            args["gateway"] = self.grammar.stranger(entry)
        tolerant(syscalls.route, node, command, **args)

    def variable(self, node: Node, entry: Entry) -> None:
        random = self.random
        if random.random() < 0.5:
            tolerant(syscalls.sysctl_set, node, f"net.inet6.{random.choice(SWITCHES)}", random.randrange(2))
            return
        stem, table = random.choice((("net.inet6.", NUMBERS), ("net.inet.tcp.", TCP_NUMBERS)))
        name, values = random.choice(table)
        assert stem + name in sysctl.VARIABLES, name
        tolerant(syscalls.sysctl_set, node, stem + name, random.choice(values))

    def flags(self, node: Node, entry: Entry) -> None:
        """An interface goes down and up, or out of use until the next change; a link loses its carrier; MTUs change."""
        random = self.random
        for one in node.interfaces:
            tolerant(syscalls.ioctl, node, "SIOCSIFINFO_FLAGS", one, disabled=False)
        kind = random.randrange(12)
        name = entry.iface.name
        if kind < 2:
            tolerant(syscalls.ioctl, node, "SIOCSIFFLAGS", name, up=False)
            self.world.run(random.choice((0, 1_000_000, 2_000_000_000)))
            tolerant(syscalls.ioctl, node, "SIOCSIFFLAGS", name, up=True)
        elif kind < 4:
            self.world.net.set_link("left", False)
            self.world.run(1_000_000)
            self.world.net.set_link("left", True)
        elif kind < 8 and not entry.iface.loopback:
            tolerant(syscalls.ioctl, node, "SIOCSIFMTU", name, mtu=random.choice((1280, 1400, 1500, 1500)))
        elif kind == 8 and not entry.iface.loopback:
            tolerant(syscalls.ioctl, node, "SIOCSIFINFO_FLAGS", name, disabled=True)
        elif kind == 9:
            syscalls.sethostname(node, random.choice(("h1", "r1", "other")))
        else:
            prefix = A(LEFT + "1") if node.name == "h1" else A(LEFT + "ff")
            tolerant(syscalls.ioctl, node, "SIOCAIFADDR_IN6", "ne0", address=prefix, plen=64)

    def command(self, node: Node, entry: Entry) -> None:
        """Somebody types a command."""
        number = self.world.nodes.index(node)
        if len(self.world.systems[number].procs) < 20:
            self.world.type(number, self.random.choice(COMMANDS))
