"""One node's kernel: its tables, the switch of protocols, and the only code that ends a received packet.

``receive`` takes a frame in, runs the headers and hands the verdict to ``finish``; timers and system calls hand their
actions to ``perform``. Handlers know neither links nor each other's output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from hashlib import md5
from typing import Protocol

from kamelab.core.clock import SECOND, Clock
from kamelab.core.drops import REASONS
from kamelab.core.rng import Streams
from kamelab.core.timers import Timer
from kamelab.core.trace import ROW_COST, Trace
from kamelab.stack import link_output
from kamelab.stack.flow import FLOW_LIMIT, Flow
from kamelab.stack.interface import Address, Interface, Medium
from kamelab.stack.net import bpf, rtsock
from kamelab.stack.net.loop import LOMTU, Loopback
from kamelab.stack.net.route import RoutingTable
from kamelab.stack.netinet import tcp_input, tcp_timer
from kamelab.stack.netinet.tcp_var import Tcb
from kamelab.stack.netinet6 import (
    dest6,
    frag6,
    icmp6,
    in6,
    in6_addrsel,
    in6_ifstat,
    ip6_input,
    ip6_output,
    mld6,
    mld6_v2,
    nd6,
    nd6_autoconf,
    nd6_dad,
    nd6_rtr,
    route6,
    scope6,
    udp6,
)
from kamelab.stack.netinet6.frag6 import Reassembly
from kamelab.stack.netinet6.nd6_state import DELAY, PROBE, REACHABLE
from kamelab.stack.netipsec import ipsec6_input, keysock
from kamelab.stack.netipsec.key import KeyEngine
from kamelab.stack.packet import (
    Action,
    Decapsulated,
    Forward,
    Output,
    Packet,
    Reassembled,
    Verdict,
)
from kamelab.stack.socket import stream
from kamelab.stack.socket.profiles import DEFAULT
from kamelab.stack.socket.sockets import Socket
from kamelab.stack.state import Router
from kamelab.stack.sysctl import Sysctl
from kamelab.wire import ether, ip6
from kamelab.wire import in6 as wire_in6
from kamelab.wire.buffer import WireError

IPV6_TYPE = b"\x86\xdd"
LOG_LIMIT = 2000
"""Lines that the kernel log keeps."""

INET6SW: dict[int, Callable[[Node, Packet], Verdict]] = {
    ip6.IPPROTO_HOPOPTS: dest6.hopopts_input,
    ip6.IPPROTO_DSTOPTS: dest6.dest6_input,
    ip6.IPPROTO_ROUTING: route6.route6_input,
    ip6.IPPROTO_FRAGMENT: frag6.frag6_input,
    ip6.IPPROTO_ICMPV6: icmp6.icmp6_input,
    ip6.IPPROTO_TCP: tcp_input.tcp6_input,
    ip6.IPPROTO_UDP: udp6.udp6_input,
    ip6.IPPROTO_NONE: dest6.nonext_input,
    ip6.IPPROTO_ESP: ipsec6_input.esp6_input,
    ip6.IPPROTO_AH: ipsec6_input.ah6_input,
    ip6.IPPROTO_IPCOMP: ipsec6_input.ipcomp6_input,
}
"""The protocol switch (KAME in6_proto.c inet6sw)."""


class Userland(Protocol):
    """What the kernel needs of the processes above it."""

    def wakeup(self, channel: tuple[str, int]) -> None:
        """Something that processes may sleep on has happened."""

    def notify(self, text: str) -> None:
        """A line for the console."""


class Node:
    """A KAME-style kernel. All its state is here and in the tables that hang off it."""

    __slots__ = (
        "addrctl",
        "clock",
        "default_interface",
        "desync",
        "error_count",
        "error_last",
        "error_window",
        "expiry",
        "fast",
        "flows",
        "forward_log",
        "frag_slow",
        "generation",
        "hostname",
        "inet6sw",
        "interfaces",
        "interfaces_by_index",
        "ipsec",
        "kernel_log",
        "key_sockets",
        "key_wake",
        "keys",
        "last_socket",
        "loopback",
        "name",
        "own",
        "platform",
        "raw_sockets",
        "reassembly",
        "route_sockets",
        "routers",
        "routes",
        "sockets",
        "stat",
        "streams",
        "sysctl",
        "tcp4_ports",
        "tcp_conns",
        "tcp_orphans",
        "tcp_ports",
        "tcp_secret",
        "told_sources",
        "trace",
        "udp4_ports",
        "udp_ports",
        "userland",
    )

    def __init__(self, name: str, clock: Clock, trace: Trace, streams: Streams) -> None:
        self.name = name
        self.hostname = name
        self.clock = clock
        self.trace = trace
        self.streams = streams
        self.sysctl = Sysctl()
        self.stat: defaultdict[str, int] = defaultdict(int)
        self.fast: dict[int, int] = {}
        """Packets forwarded by the fast path, by first next header, plus 256 for those of one cluster and 512 for more;
        folded into ``stat`` when counters are read.
        """
        self.kernel_log: list[tuple[int, str]] = []
        self.userland: Userland | None = None
        self.own: dict[bytes, tuple[Interface, Address]] = {}
        """Every own address, embedded, with its interface."""
        self.routes = RoutingTable(self)
        self.routers: list[Router] = []
        self.sockets: dict[int, Socket] = {}
        self.raw_sockets: list[int] = []
        self.route_sockets: list[int] = []
        """Routing sockets (`net.rtsock`)."""
        self.udp_ports: dict[int, list[int]] = {}
        self.tcp_ports: dict[int, list[int]] = {}
        self.tcp_conns: dict[bytes, Tcb] = {}
        """TCP connections by what their segments carry (`tcp_subr.key_of`)."""
        self.tcp_orphans: dict[int, None] = {}
        """Sockets whose connection goes on without a program, oldest first."""
        self.tcp_secret = b""
        """Key of the hash that initial sequence numbers come from; empty: not drawn yet."""
        self.udp4_ports: dict[int, list[int]] = {}
        self.tcp4_ports: dict[int, list[int]] = {}
        self.platform = DEFAULT
        """One of `profiles.PLATFORMS`."""
        self.last_socket = 0
        self.reassembly: dict[tuple[bytes, bytes, int], Reassembly] = {}
        self.frag_slow: Timer | None = None
        """Looks whether a lowered maxfragpackets holds."""
        self.flows: dict[bytes, Flow] = {}
        self.generation = 0
        self.default_interface = 0
        """Index of the interface of ``ndp -I``; 0: none."""
        self.addrctl = in6_addrsel.PolicyTable()
        """The policies of address selection; none at boot."""
        self.told_sources: dict[tuple[bytes, int, int], tuple[int, bytes, str]] = {}
        """Choices of sources that the trace knows: (generation, address, why) by destination, interface, mode."""
        self.desync = -1
        """Seconds that temporary addresses are deprecated early (RFC 3041); -1: not drawn yet."""
        self.error_last = -1
        self.error_window = 0
        self.error_count = 0
        self.forward_log = -1
        self.expiry: Timer | None = None
        self.keys = KeyEngine(self.sysctl, clock.epoch)
        """Security associations and policies."""
        self.key_sockets: list[int] = []
        """PF_KEY sockets (`netipsec.keysock`)."""
        self.key_wake: Timer | None = None
        self.ipsec = False
        """Packets have to be held against policies: there are some, or the default is to discard."""
        self.inet6sw = INET6SW
        self.interfaces: dict[str, Interface] = {}
        self.interfaces_by_index: dict[int, Interface] = {}
        self.loopback = self.add_interface("lo0", b"", LOMTU, Loopback())
        self.loopback.loopback = True

    # -- building ------------------------------------------------------------------------------------------------

    def add_interface(self, name: str, mac: bytes, mtu: int, link: Medium, *, pointopoint: bool = False) -> Interface:
        """Attach an interface. lo0 keeps the last index, as on a BSD box, where drivers attach before it.

        Where lo0 is up already it is configured anew, because its addresses carry its index as their zone.
        """
        index = len(self.interfaces) + 1
        iface = Interface(self, name, index, mac, mtu, link)
        iface.pointopoint = pointopoint
        last = self.interfaces.pop("lo0", None)
        self.interfaces[name] = iface
        if last is not None:
            if last.addresses:
                in6.loopback_forget(self, last)
            iface.index, last.index = last.index, index
            self.interfaces["lo0"] = last
        self.interfaces_by_index = {one.index: one for one in self.interfaces.values()}
        if last is not None and last.up:
            self.perform(in6.in6_if_up(self, last))
        return iface

    def set_up(self, iface: Interface, up: bool) -> list[Action]:
        """``ifconfig IF up`` and ``down``; the first activity on any interface configures lo0 too."""
        if iface.up == up:
            return []
        actions: list[Action] = []
        if up and not iface.loopback and not self.loopback.up:
            actions += self.set_up(self.loopback, True)
        iface.up = up
        if up:
            iface.up_at = self.clock.now
        self.generation += 1
        self.trace.record(
            self.clock.now, self.name, iface.name, "in6_if", 0, "state", f"interface {'up' if up else 'down'}",
            "KAME IMPLEMENTATION 1.4.1 (2001)",
        )  # fmt: skip
        rtsock.interface_changed(self, iface)
        if up:
            actions += in6.in6_if_up(self, iface)
            return actions + mld6.mld6_if_up(self, iface)
        actions += in6.in6_if_down(self, iface)
        if iface.unaddressed:
            iface.mac = iface.late_mac
            mld6.filter_again(iface)
        for nbr in list(iface.neighbors.values()):
            actions += nd6.nd6_free(self, iface, nbr)
        return actions

    # -- names and lookups ---------------------------------------------------------------------------------------

    def text(self, addr: bytes) -> str:
        """An address for people, with ``%zone``."""
        return scope6.text(self, addr)

    def own_address(self, addr: bytes) -> tuple[Interface, Address] | None:
        """(interface, address) when ``addr`` (embedded) is one of ours, ready or not."""
        return self.own.get(addr)

    def addresses_changed(self) -> None:
        """Rebuild what is derived from the addresses."""
        before = self.own
        self.own = {address.addr: (iface, address) for iface in self.interfaces.values() for address in iface.addresses}
        self.generation += 1
        rtsock.addresses_changed(self, before)

    def router_of(self, addr: bytes) -> Router | None:
        """The default router list's entry for an address."""
        for router in self.routers:
            if router.addr == addr:
                return router
        return None

    def outgoing(self, dst: bytes, forced: Interface | None) -> Interface:
        """The interface towards ``dst``; EHOSTUNREACH where no route leads there."""
        iface = ip6_output.outgoing(self, dst, forced)[0]
        return self.own[dst][0] if dst in self.own else iface

    def interface_identifier(self, iface: Interface) -> bytes | None:
        """The low 64 bits of its link-local address: own MAC, else another interface's, else MD5(hostname).

        None for an Ethernet interface without MAC: only pseudo interfaces borrow (KAME USAGE).
        KAME in6_ifattach.c; KAME IMPLEMENTATION 1.4.1 (2001).
        """
        if iface.unaddressed:
            return None
        for other in (iface, *self.interfaces.values()):
            if other.mac:
                return wire_in6.eui64(other.mac)
        digest = bytearray(md5(self.hostname.encode(), usedforsecurity=False).digest()[:8])
        digest[0] &= 0xFC
        return bytes(digest)

    def made_from_hardware(self, iface: Interface, address: Address) -> bool:
        """A link-local address formed from the interface's own MAC."""
        addr = address.addr
        linklocal = addr[0] == 0xFE and addr[1] & 0xC0 == 0x80
        return bool(iface.mac) and linklocal and addr[8:] == wire_in6.eui64(iface.mac)

    # -- messages and counters -----------------------------------------------------------------------------------

    def log(self, text: str) -> None:
        """A line of the kernel log (``dmesg``)."""
        self.kernel_log.append((self.clock.now, text))
        if len(self.kernel_log) > LOG_LIMIT:
            del self.kernel_log[: LOG_LIMIT // 4]

    def console(self, text: str) -> None:
        """A line of the kernel log that also goes to the console."""
        self.log(text)
        if self.userland is not None:
            self.userland.notify(text)

    def debug_nd6(self, text: str) -> None:
        """A log line under net.inet6.icmp6.nd6_debug."""
        if self.sysctl["net.inet6.icmp6.nd6_debug"]:
            self.log(text)

    def count_reason(self, reason: str) -> None:
        """Feed the counters of a drop reason."""
        for name in REASONS[reason].counters:
            self.stat[name] += 1

    def suppressed(self, iface: Interface, reason: str, kind: int, code: int) -> None:
        """An ICMPv6 error that may not be sent leaves a record: silence has a reason too."""
        entry = REASONS[reason]
        self.trace.record(
            self.clock.now, self.name, iface.name, "icmp6_error", 0, "state", reason, entry.rule,
            f"type {kind} code {code}: {entry.sentence}",
        )  # fmt: skip

    def wakeup(self, sid: int) -> None:
        """A socket became readable."""
        if self.userland is not None:
            self.userland.wakeup(("so", sid))

    def counters(self) -> dict[str, int]:
        """All statistics, the fast path's share included."""
        stat = dict(self.stat)
        if self.keys.stat.out_total or self.keys.stat.in_total:
            stat.update(self.keys.stat.counters())
        fast = sum(self.fast.values())
        if fast:
            for name in ("ip6.total", "ip6.forward", "ip6.forward_cachehit"):
                stat[name] = stat.get(name, 0) + fast
            for key, count in self.fast.items():
                for name in (f"ip6.nxthist.{key & 255}", ("ip6.m1", "ip6.mext1", "ip6.mext2m")[key >> 8]):
                    stat[name] = stat.get(name, 0) + count
        return stat

    # -- receiving -----------------------------------------------------------------------------------------------

    def accepts(self, iface: Interface, frame: bytes, looped: bool) -> bool:
        """The interface's address filter: own address, or a group that was joined. It lies before ``rx``."""
        if looped or not iface.mac:
            return iface.up and (looped or not iface.late_mac)
        return iface.up and (self.addressed(iface, frame) or iface.promisc > 0)

    def addressed(self, iface: Interface, frame: bytes) -> bool:
        """The address filter of an interface that has a MAC, promiscuous mode aside."""
        mac = frame[:6]
        if mac == iface.mac or mac in iface.filter or mld6.lets_all_in(iface, mac):
            return not (iface.refuses_own and frame[6:12] == iface.mac)
        return False

    def receive(self, iface: Interface, frame: bytes, cause: int, looped: bool) -> None:
        """Take in a frame that passed the filter, and bring the packet to its end."""
        if iface.taps and not looped:
            self.trace.cause, self.trace.also = cause, 0
            if bpf.overhear(self, iface, frame):
                return
        trace = self.trace
        now = self.clock.now
        trace.packet = pid = trace.packet + 1
        iface.ipackets += 1
        length = len(frame)
        iface.ibytes += length
        flow = self.flows.get(frame[22:54])
        if (
            flow is not None
            and flow.generation == self.generation
            and flow.through is iface
            and frame[:15] == flow.expect
            and length <= flow.mtu
            and frame[21] > 1
            and 54 + (frame[18] << 8 | frame[19]) == length > 54
            and frame[20]
        ):
            # The same three records that the walk makes, written out: this is the hot path.
            # The next header, and how many buffers the packet took, in one number.
            nxt = frame[20] | (0 if length <= 114 else 256 if length <= 2062 else 512)
            self.fast[nxt] = self.fast.get(nxt, 0) + 1
            name = self.name
            out = flow.out
            flow.route.use += 1
            sent = b"%b%b%c%b" % (flow.header, frame[14:21], frame[21] - 1, frame[22:])
            num = trace.num + 1
            tx = trace.num = num + 2
            packets = trace.packets
            packets.append((num, now, name, iface.name, "link", pid, "rx", "", "", "", cause, 0, frame))
            packets.append((tx, now, name, out.name, "link", pid, "tx", "", "", "ip6_forward", num + 1, 0, sent))
            trace.octets += 2 * (length + ROW_COST)
            if trace.octets > trace.budget:
                trace.let_go()
            if trace.keep:
                trace.keep_row(
                    (num + 1, now, name, iface.name, "ip6_forward", pid, "forward", "", "RFC 8200 3", flow.note,
                     num, 0, b"")
                )  # fmt: skip
            out.opackets += 1
            out.obytes += length
            out.link.transmit(out, sent, tx)
            return
        rx = trace.frame(now, self.name, iface.name, pid, "rx", "", cause, 0, frame)
        trace.cause = rx
        trace.also = 0
        pkt = Packet(iface, frame[14:], pid, rx, not looped and length > 0 and bool(frame[0] & 1), looped)
        pkt.link_header = frame[:14]
        verdict: Verdict
        if length < 14:
            verdict = ("drop", "LINK_SHORT", [])
        elif frame[12:14] != IPV6_TYPE:
            verdict = ("drop", "LINK_TYPE", [])
        else:
            try:
                verdict = ip6_input.ip6_input(self, pkt)
            except WireError:
                verdict = ("drop", "EXTHDR_TOOSHORT", [])
            except Exception as error:
                self.console(f"ip6_input: internal error: {error!r}")
                verdict = ("drop", "INTERNAL", [])
        self.finish(pkt, verdict)

    def finish(self, pkt: Packet, verdict: Verdict) -> None:
        """Act on a verdict: the record, the counters, the actions."""
        trace = self.trace
        if verdict.__class__ is tuple:
            event, what, actions = verdict
            if event == "drop":
                reason = REASONS[what]
                for name in reason.counters:
                    self.stat[name] += 1
                pkt.iface.drops += 1
                if what in in6_ifstat.BY_REASON:
                    in6_ifstat.count(pkt.iface, in6_ifstat.BY_REASON[what])
                if reason.layer == "nd" and reason.counters:
                    self.debug_nd6(
                        f"{pkt.stage}: {reason.sentence} From {self.text(pkt.src)} to {self.text(pkt.dst)} "
                        f"on {pkt.iface.name}"
                    )
                num = trace.record(
                    self.clock.now, self.name, pkt.iface.name, pkt.stage, pkt.pid, event, what, reason.rule
                )
            else:
                num = trace.record(self.clock.now, self.name, pkt.iface.name, pkt.stage, pkt.pid, event, "", "", what)
                if event == "hold":
                    pkt.hold = num
            trace.cause = num
            if actions:
                self.perform(actions)
        elif isinstance(verdict, Forward):
            self.forward(pkt, verdict)
        elif isinstance(verdict, Reassembled):
            self._reassembled(pkt, verdict)
        elif isinstance(verdict, Decapsulated):
            self._decapsulated(pkt, verdict.whole)
        else:
            raise TypeError(f"no final verdict: {verdict!r}")

    def _reassembled(self, pkt: Packet, verdict: Reassembled) -> None:
        """Every fragment ends; the whole packet begins, as a packet of its own with the last fragment as parent."""
        trace = self.trace
        now = self.clock.now
        whole = verdict.whole
        whole.pid = trace.new_packet()
        note = f"reassembled into packet {whole.pid}"
        for piece in verdict.pieces:
            trace.record(
                now, self.name, piece.iface.name, "frag6_input", piece.pid, "deliver", "", "RFC 8200 4.5", note,
                cause=piece.hold, also=trace.cause,
            )  # fmt: skip
        trace.cause = trace.record(
            now, self.name, pkt.iface.name, "frag6_input", pkt.pid, "deliver", "", "RFC 8200 4.5", note
        )
        try:
            nxt = whole.data[whole.nxt_at]
            result = ip6_input.header_loop(self, whole, nxt)
        except WireError:
            result = ("drop", "EXTHDR_TOOSHORT", [])
        except Exception as error:
            self.console(f"ip6_input: internal error: {error!r}")
            result = ("drop", "INTERNAL", [])
        self.finish(whole, result)

    def _decapsulated(self, pkt: Packet, whole: Packet) -> None:
        """The outer packet ends; the one inside begins, as a new packet that came by the same interface."""
        trace = self.trace
        whole.pid = trace.new_packet()
        trace.cause = trace.record(
            self.clock.now, self.name, pkt.iface.name, pkt.stage, pkt.pid, "deliver", "", "RFC 4301 5.2",
            f"the tunnel ends: packet {whole.pid} was inside",
        )  # fmt: skip
        verdict: Verdict
        try:
            verdict = ip6_input.ip6_input(self, whole)
        except WireError:
            verdict = ("drop", "EXTHDR_TOOSHORT", [])
        except Exception as error:
            self.console(f"ip6_input: internal error: {error!r}")
            verdict = ("drop", "INTERNAL", [])
        self.finish(whole, verdict)

    def forward(self, pkt: Packet, verdict: Forward) -> None:
        """Send a received packet on; it may have to wait for the next hop's link-layer address."""
        iface = verdict.iface
        link_output.link_output(self, iface, verdict.nexthop, verdict.packet, pkt.pid, pkt.iface, "ip6_forward", "")
        if verdict.actions:
            self.perform(verdict.actions)
        if (
            iface is not pkt.iface
            and not self.ipsec
            and not scope6.is_scoped(pkt.src)
            and not scope6.is_scoped(pkt.dst)
            and not iface.loopback
            and not iface.disabled
            and iface.up
            and not pkt.looped
            and not pkt.srcrt
            and not iface.taps
            and not pkt.iface.taps
        ):
            nbr = iface.neighbors.get(verdict.nexthop)
            if nbr is not None and nbr.state in (REACHABLE, DELAY, PROBE):
                route = self.routes.lookup(pkt.dst)
                if route is None:
                    return
                if len(self.flows) >= FLOW_LIMIT:
                    self.flows.clear()
                header = ether.header(nbr.lladdr, iface.mac) if iface.mac else link_output.NO_ADDRESSES
                self.flows[pkt.data[8:40]] = Flow(
                    self.generation, pkt.iface, iface, pkt.link_header, header, iface.ipv6_mtu(), route
                )

    # -- sending -------------------------------------------------------------------------------------------------

    def perform(self, actions: list[Action]) -> None:
        """Carry out what a handler, a timer or a system call asked for (`link_output.perform`)."""
        link_output.perform(self, actions)

    def send(self, out: Output) -> int:
        """Send a packet of this node; the errno that its sender hears (`link_output.send`)."""
        return link_output.send(self, out)

    # -- timers (called by the loop by name) ---------------------------------------------------------------------

    def nd6_timer(self, ifindex: int, addr: bytes) -> None:
        """A neighbour cache entry's timer."""
        iface = self.interfaces_by_index[ifindex]
        nbr = iface.neighbors.get(addr)
        if nbr is not None:
            self.perform(nd6.nd6_llinfo_timer(self, iface, nbr))

    def dad_timer(self, ifindex: int, addr: bytes) -> None:
        """Duplicate address detection of one address."""
        own = self.own.get(addr)
        if own is not None:
            self.perform(nd6_dad.nd6_dad_timer(self, self.interfaces_by_index[ifindex], own[1]))

    def mld6_timer(self, ifindex: int, addr: bytes) -> None:
        """A group's report."""
        self.perform(mld6.mld6_timer(self, self.interfaces_by_index[ifindex], addr))

    def mld6_link_timer(self, ifindex: int, which: str) -> None:
        """What multicast listener discovery of version 2 runs for a whole interface."""
        iface = self.interfaces_by_index[ifindex]
        self.perform(mld6_v2.link_timer(self, iface, which))

    def frag_timer(self, src: bytes, dst: bytes, ident: int) -> None:
        """A reassembly queue's end."""
        self.perform(frag6.frag6_timer(self, (src, dst, ident)))

    def frag_slowtimo(self) -> None:
        """A lowered net.inet6.ip6.maxfragpackets takes effect."""
        self.perform(frag6.frag6_slowtimo(self))

    def tcp_timer(self, sid: int, which: str) -> None:
        """A timer of a TCP socket."""
        self.perform(tcp_timer.tcp_timer(self, sid, which))

    def key_timer(self) -> None:
        """Lifetimes of security associations and policies."""
        keysock.key_timer(self)

    def ipsec_octets(self, count: int) -> bytes:
        """Random octets for SPIs, IVs and padding, from this node's own stream."""
        return self.streams.octets(f"{self.name}/ipsec", count)

    def expire_timer(self) -> None:
        """Lifetimes of routers, prefixes, addresses, host routes."""
        self.perform(nd6_rtr.expire(self))
        self.routes.expire(self.clock.now)
        self.arm_expiry()

    def arm_expiry(self) -> None:
        """Arm the one lifetime timer for the next deadline, rounded up to KAME's tick of nd6_prune seconds."""
        deadlines = [router.expire for router in self.routers]
        deadlines += nd6_autoconf.deadlines(self)
        deadlines += self.routes.deadlines()
        if not deadlines:
            if self.expiry is not None:
                self.expiry.cancel()
            return
        if self.expiry is None:
            self.expiry = Timer(self.clock, self, "expire_timer", (), ageing=True)
        tick = max(1, self.sysctl["net.inet6.icmp6.nd6_prune"]) * SECOND
        at = max(min(deadlines), self.clock.now + 1)
        at = (at + tick - 1) // tick * tick
        if self.expiry.at != at:
            self.expiry.arm(at, self.trace.cause)

    def power_off(self) -> None:
        """Lose everything that a power cut loses, without a word on the wire; interfaces stay plugged in.

        Frames on their way to the interfaces of before find them down.
        """
        for iface in self.interfaces.values():
            for nbr in iface.neighbors.values():
                nbr.timer.cancel()
                for held in nbr.hold:
                    link_output.end_held(self, iface, held.pid, held.hold, "nd6_output", "NODE_OFF")
            iface.up = False
            for address in iface.addresses:
                nd6_dad.nd6_dad_stop(address)
            for group in iface.groups.values():
                if group.timer is not None:
                    group.timer.cancel()
            mld6_v2.stop(iface)
        for queue in list(self.reassembly.values()):
            self.perform(frag6.frag6_free(self, queue, "NODE_OFF"))
        for timer in (self.expiry, self.frag_slow, self.key_wake):
            if timer is not None:
                timer.cancel()
        stream.power_off(self)
        plugs = [
            (iface.name, iface.mac, iface.mtu, iface.link, iface.pointopoint)
            for iface in self.interfaces.values()
            if not iface.loopback
        ]
        old = dict(self.interfaces)
        generation = self.generation
        Node.__init__(self, self.name, self.clock, self.trace, self.streams)
        self.generation = generation + 1
        for name, mac, mtu, link, pointopoint in plugs:
            fresh = self.add_interface(name, mac, mtu, link, pointopoint=pointopoint)
            before = old[name]
            fresh.refuses_own, fresh.multicast = before.refuses_own, before.multicast
            if before.late_mac:
                fresh.mac, fresh.late_mac = b"", before.late_mac
            link.replug(old[name], fresh)

    def restore_switch(self) -> None:
        """After a checkpoint was restored: the protocol switch is code, not state."""
        self.inet6sw = INET6SW

    # -- link changes --------------------------------------------------------------------------------------------

    def link_changed(self, iface: Interface) -> None:
        """The medium came or went (``link NAME up|down``)."""
        self.generation += 1
        rtsock.interface_changed(self, iface)
