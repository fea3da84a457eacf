"""The tester: stations made of raw frames around one node under test, on virtual time.

The topology is the specification's: the node under test (NUT) on link B with the host testers TN2 and TN3 and the
routers TR1, TR2 and TR3; TN1 on link A, behind TR1; a router under test has link C too, with TN4 on it.

    link A          link B                          link C (routers only)
    TN1 --- TR1 --- NUT  TN2  TN3  TR2  TR3         NUT --- TN4

Nobody but the NUT has a protocol stack. A tester station sends what a case tells it to; with ``answers`` it also
answers solicitations for its addresses, as a neighbor does that is not the subject of the case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kamelab.sim.link import Link
from kamelab.sim.loop import run_event, run_ready
from kamelab.sim.topology import Network
from kamelab.stack import syscalls
from kamelab.stack.interface import Interface
from kamelab.userland.system import CONSOLE, System
from kamelab.wire import ether, in6
from kamelab.wire import icmp6 as icmp
from tests.conformance import frames
from tests.conformance.cases import HOST, ROUTER
from tests.conformance.frames import ALLNODES, UNSPECIFIED, WORDS, Seen

NS: Final = 1_000_000_000
LATENCY: Final = 1_000
"""One way, ns: short enough that answers count as immediate."""
LINK_A: Final = in6.pton("2001:db8:0:a::")
LINK_B: Final = in6.pton("2001:db8:0:b::")
LINK_C: Final = in6.pton("2001:db8:0:c::")
LINKLOCAL: Final = in6.pton("fe80::")
ELSEWHERE: Final = in6.pton("2001:db8:0:e::")
"""A prefix of no link."""

DELAY: Final = 5
"""DELAY_FIRST_PROBE_TIME, seconds (RFC 4861 10)."""
RETRANS: Final = 1
"""RETRANS_TIMER, seconds."""
REACHABLE_MAX: Final = 45
"""REACHABLE_TIME x MAX_RANDOM_FACTOR, seconds."""
SLACK: Final = 0.02
"""How far from a deadline an answer may be, seconds: the frames' way, never the reader's wall clock."""


class Failure(AssertionError):
    """The node under test did otherwise than the case expects."""


class OneOf:
    """A field that may have one of several values."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return other in self.values

    def __hash__(self) -> int:
        return hash(self.values)


class Station:
    """A tester node: one link-layer address and the IPv6 addresses that belong to it."""

    def __init__(self, tester: Tester, name: str, port: Port, mac: bytes, prefix: bytes, *, router: bool) -> None:
        self.tester = tester
        self.name = name
        self.port = port
        self.mac = mac
        self.other_mac = mac[:3] + b"\xff" + mac[4:]
        """What it says when a case wants a changed link-layer address."""
        self.router = router
        identifier = in6.eui64(mac)
        self.ll = LINKLOCAL[:8] + identifier
        self.glob = prefix[:8] + identifier
        self.answers = False
        self.more: tuple[bytes, ...] = ()
        """Further addresses that it answers for."""

    def send(
        self,
        kind: int,
        body: bytes,
        *,
        dst: bytes,
        src: bytes | None = None,
        to_mac: bytes | None = None,
        **damage: Any,
    ) -> None:
        """Put one ICMPv6 message on its link; ``damage`` as `frames.packet` takes it."""
        content = frames.packet(self.ll if src is None else src, dst, kind, body, **damage)
        self.send_packet(content, to_mac)

    def send_packet(self, content: bytes, to_mac: bytes | None = None) -> None:
        """A whole IPv6 packet; to the NUT, or where a multicast destination says."""
        dst = content[24:40]
        if to_mac is None:
            to_mac = ether.multicast_mac(dst) if dst[0] == 0xFF else self.tester.nut_mac(self.port)
        self.port.transmit(frames.frame(to_mac, self.mac, content))

    def echo(self, src: bytes | None = None, dst: bytes | None = None, *, seq: int = 1, hlim: int = 64) -> None:
        """An echo request: link-local to link-local unless addresses are given."""
        self.send(
            icmp.ECHO_REQUEST,
            icmp.echo_body(0xC0FE, seq, b"conformance"),
            src=self.ll if src is None else src,
            dst=self.tester.ll if dst is None else dst,
            hlim=hlim,
        )

    def ns(self, target: bytes, *, dst: bytes | None = None, options: bytes = b"", **more: Any) -> None:
        """A solicitation: to the solicited-node group unless ``dst`` is given."""
        self.send(
            icmp.NEIGHBOR_SOLICIT,
            frames.ns(target, options),
            dst=in6.solicited_node(target) if dst is None else dst,
            **more,
        )

    def na(
        self, flags: str, *, target: bytes | None = None, dst: bytes | None = None, options: bytes = b"", **more: Any
    ) -> None:
        """An advertisement of its link-local address to the NUT's, unless said otherwise."""
        self.send(
            icmp.NEIGHBOR_ADVERT,
            frames.na(self.ll if target is None else target, flags, options),
            dst=self.tester.ll if dst is None else dst,
            **more,
        )

    def ra(
        self, *, dst: bytes = ALLNODES, options: bytes = b"", damage: dict[str, Any] | None = None, **values: Any
    ) -> None:
        """A router advertisement; ``values`` as `frames.ra` takes them."""
        self.send(icmp.ROUTER_ADVERT, frames.ra(options=options, **values), dst=dst, **(damage or {}))

    def rs(self, *, dst: bytes = frames.ALLROUTERS, options: bytes = b"", **more: Any) -> None:
        """A router solicitation."""
        self.send(icmp.ROUTER_SOLICIT, bytes(4) + options, dst=dst, **more)

    def redirect(
        self, target: bytes, destination: bytes, *, options: bytes = b"", dst: bytes | None = None, **more: Any
    ) -> None:
        """A redirect to the NUT."""
        self.send(
            icmp.REDIRECT,
            frames.redirect(target, destination, options),
            dst=self.tester.glob if dst is None else dst,
            **more,
        )


class Port:
    """A socket on a link, promiscuous: what a `Link` and the event loop need of an interface and its node."""

    def __init__(self, tester: Tester, name: str, link: Link) -> None:
        self.name = name
        self.node = self
        self.tester = tester
        self.link = link
        link.stations.append(self)  # type: ignore[arg-type]

    def transmit(self, frame: bytes) -> None:
        """Send a frame now."""
        self.tester.sent(self, frame)
        self.link.transmit(self, frame, 0)  # type: ignore[arg-type]

    def accepts(self, iface: object, frame: bytes, looped: bool) -> bool:
        """It hears everything."""
        return True

    def receive(self, iface: object, frame: bytes, cause: int, looped: bool) -> None:
        """Called by the event loop."""
        self.tester.heard(self, frame)


class Tester:
    """One node under test in its surroundings; `expect` and `quiet` let virtual time pass."""

    __test__ = False

    def __init__(self, role: str, title: str = "", seed: int = 1) -> None:
        self.role = role
        self.title = title
        self.net = Network(seed)
        self.inbox: list[Seen] = []
        self.story: list[str] = []
        """Every packet and remark so far, for failures."""
        self.names: dict[bytes, str] = {}
        node = self.node = self.net.add_node("nut")
        node.userland = self.system = System(node, self.net.clock, self.net.trace, self.net.streams)
        syscalls.sysctl_set(node, "net.inet6.ip6.forwarding", int(role == ROUTER))
        syscalls.sysctl_set(node, "net.inet6.ip6.accept_rtadv", int(role == HOST))
        link = self.net.add_link("B", latency=LATENCY)
        self.mac = bytes.fromhex("006008112233")
        self.iface = self.net.add_interface(node, "ne0", self.mac, link)
        self.port = Port(self, "B", link)
        identifier = in6.eui64(self.mac)
        self.ll = LINKLOCAL[:8] + identifier
        self.glob = LINK_B[:8] + identifier
        self.names = {self.mac: "NUT", self.ll: "NUT's link-local", self.glob: "NUT's global", ALLNODES: "all nodes"}
        self.names |= {frames.ALLROUTERS: "all routers", ether.multicast_mac(ALLNODES): "all nodes"}
        self.names[in6.solicited_node(self.ll)] = "NUT's solicited-node group"
        self.names[ether.multicast_mac(in6.solicited_node(self.ll))] = "NUT's solicited-node group"
        self.stations: list[Station] = []
        self.tn2 = self._station("TN2", self.port, "0000c0000202", LINK_B)
        self.tn3 = self._station("TN3", self.port, "0000c0000303", LINK_B)
        self.tr1 = self._station("TR1", self.port, "0000c000a1a1", LINK_B, router=True)
        self.tr2 = self._station("TR2", self.port, "0000c000a2a2", LINK_B, router=True)
        self.tr3 = self._station("TR3", self.port, "0000c000a3a3", LINK_B, router=True)
        self.tn1 = LINK_A[:8] + in6.eui64(bytes.fromhex("0000c0000101"))
        """TN1's address; its packets come by way of TR1."""
        self.names[self.tn1] = "TN1"
        self.names[in6.solicited_node(self.tn1)] = "TN1's solicited-node group"
        if role == ROUTER:
            other = self.net.add_link("C", latency=LATENCY)
            self.mac_c = bytes.fromhex("006008112244")
            self.iface_c = self.net.add_interface(node, "ne1", self.mac_c, other)
            self.port_c = Port(self, "C", other)
            self.names[self.mac_c] = "NUT on link C"
            self.tn4 = self._station("TN4", self.port_c, "0000c0000404", LINK_C)

    def _station(self, name: str, port: Port, mac: str, prefix: bytes, *, router: bool = False) -> Station:
        one = Station(self, name, port, bytes.fromhex(mac), prefix, router=router)
        self.stations.append(one)
        self.names |= {one.mac: name, one.other_mac: f"{name} changed", one.ll: f"{name}'s link-local"}
        self.names |= {one.glob: f"{name}'s global", in6.solicited_node(one.ll): f"{name}'s solicited-node group"}
        self.names[ether.multicast_mac(in6.solicited_node(one.ll))] = f"{name}'s solicited-node group"
        return one

    # -- the node under test ---------------------------------------------------------------------------------------

    def nut_mac(self, port: Port) -> bytes:
        """The NUT's link-layer address on a tester's link."""
        return self.mac if port is self.port else self.mac_c

    @property
    def is_router(self) -> bool:
        """The NUT is a router."""
        return self.role == ROUTER

    def shell(self, line: str, limit: float = 600) -> str:
        """Type a command on the NUT and let time pass until it is over; what it printed. Fails on a status not 0."""
        self.remark(f"# {line}")
        pid = self.system.shell(line, "nut")
        run_ready(self.net)
        end = self.now + round(limit * NS)
        while (status := self.system.status(pid)) is None:
            if not run_event(self.net, end):
                raise self.failure(f"{line!r} does not end")
        text = "".join(text for _, tty, text in self.system.output if tty != CONSOLE)
        self.system.output.clear()
        if status:
            raise self.failure(f"{line!r} ended with status {status}: {text}")
        return text

    def start(self, line: str) -> None:
        """Type a command on the NUT and don't wait for it."""
        self.remark(f"# {line}")
        self.system.shell(line, "nut")
        run_ready(self.net)

    def up(self, iface: Interface | None = None) -> None:
        """``ifconfig IF up``, without waiting for duplicate address detection."""
        self.start(f"ifconfig {(iface or self.iface).name} up")

    # -- time and frames -------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """ns since boot."""
        return self.net.clock.now

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self._until(self.now + round(seconds * NS), lambda: False)

    def _until(self, end: int, done: Callable[[], bool]) -> None:
        """Let events happen until ``done`` or the time ``end``."""
        run_ready(self.net)
        while not done():
            if not run_event(self.net, end):
                self.net.clock.now = end
                return

    def sent(self, port: Port, frame: bytes) -> None:
        """A tester's frame goes out."""
        self.story.append(self._line("tester", frames.read(self.now, port.name, frame)))

    def heard(self, port: Port, frame: bytes) -> None:
        """A frame came: the NUT's is kept, and answered by stations that answer."""
        if frame[6:12] not in (self.mac, self.nut_mac(port)):
            return
        seen = frames.read(self.now, port.name, frame)
        self.story.append(self._line("NUT", seen))
        if seen.kind == "ns" and seen.fields["src"] != UNSPECIFIED:
            target = seen.fields["target"]
            for station in self.stations:
                if (
                    station.answers
                    and station.port is port
                    and target
                    in (
                        station.ll,
                        station.glob,
                        *station.more,
                    )
                ):
                    flags = "RSO" if station.router else "SO"
                    station.na(
                        flags, target=target, src=target, dst=seen.fields["src"], options=frames.tlla(station.mac)
                    )
                    return
        self.inbox.append(seen)

    def forget(self) -> None:
        """What came so far is not part of what follows."""
        self.inbox.clear()

    def expect(self, kind: str, within: float = SLACK, *, after: float = 0.0, port: str = "B", **fields: Any) -> Seen:
        """The next frame of ``kind`` on a link, at most ``within`` seconds from now and not before ``after``.

        Each of ``fields`` must be as given (bytes, numbers, None for an option that must not be there, `OneOf`), and
        what its RFC fixes for every message of the kind must be right too.
        """
        began = self.now
        end = began + round(within * NS)

        def there() -> Seen | None:
            return next((one for one in self.inbox if one.kind == kind and one.port == port), None)

        self._until(end, lambda: there() is not None)
        seen = there()
        words = WORDS.get(kind, kind)
        if seen is None:
            raise self.failure(f"{words} was expected within {within:g} s, none came", self._wanted(fields))
        self.inbox.remove(seen)
        passed = (seen.at - began) / NS
        if passed < after:
            raise self.failure(f"{words} came after {passed:.3f} s, it was not expected before {after:g} s")
        wanted = {**_RULES.get(kind, {}), "from_mac": self.mac if port == "B" else self.mac_c, **fields}
        wrong = [name for name, value in wanted.items() if value != seen.fields.get(name)]
        if wrong:
            rows = [f"{'field':12} {'expected':44} came"]
            for name, value in wanted.items():
                mark = "*" if name in wrong else " "
                came = self.show(seen.fields.get(name))
                rows.append(f"{mark} {name:10} {self.show(value):44} {came}")
            raise self.failure(f"{words} came with {' and '.join(wrong)} other than expected", rows)
        return seen

    def quiet(self, kind: str, seconds: float, *, port: str = "B", why: str = "", **fields: Any) -> None:
        """For so many seconds no frame of ``kind`` with these fields comes (any kind: ``*``)."""

        def there() -> Seen | None:
            for one in self.inbox:
                same = one.port == port and kind in ("*", one.kind) and not one.kind.startswith("mld")
                if same and all(value == one.fields.get(name) for name, value in fields.items()):
                    return one
            return None

        self._until(self.now + round(seconds * NS), lambda: there() is not None)
        seen = there()
        if seen is not None:
            words = WORDS.get(kind, "a frame" if kind == "*" else kind)
            raise self.failure(
                f"{words} came that was not to come{': ' if why else ''}{why}", [self._line("NUT", seen)]
            )

    def sound(self) -> None:
        """Whatever came, the node under test met no exception."""
        if self.system.faults or any(row[7] == "INTERNAL" for row in self.net.trace.records):
            raise self.failure("an internal error", [str(fault) for fault in self.system.faults])

    # -- telling ---------------------------------------------------------------------------------------------------

    def remark(self, text: str) -> None:
        """A line for the story."""
        self.story.append(f"{self.now / NS:12.6f}  {text}")

    def show(self, value: Any) -> str:
        """A field's value for people."""
        if isinstance(value, OneOf):
            return " or ".join(self.show(one) for one in value.values)
        if value is None:
            return "none"
        if isinstance(value, bytes):
            name = self.names.get(value)
            if len(value) == 16:
                return in6.ntop(value) + (f" ({name})" if name else "")
            if len(value) == 6:
                return ether.mac_text(value) + (f" ({name})" if name else "")
            return value.hex()
        return str(value)

    def _wanted(self, fields: dict[str, Any]) -> list[str]:
        return [f"  {name:10} {self.show(value)}" for name, value in fields.items()]

    def _line(self, who: str, seen: Seen) -> str:
        shown = {**seen.fields}
        parts = [self._brief(shown.pop(name, None)) for name in ("src", "dst")]
        rest = [
            f"{name} {self._brief(value)}"
            for name, value in shown.items()
            if name in ("to_mac", "target", "R", "S", "O", "slla", "tlla", "destination", "lifetime", "seq")
            and value is not None
        ]
        return f"{seen.at / NS:12.6f}  {who} on {seen.port}: {seen.kind} {parts[0]} > {parts[1]}, {', '.join(rest)}"

    def _brief(self, value: Any) -> str:
        """A field's value for the story: a name does where there is one."""
        return self.names[value] if isinstance(value, bytes) and value in self.names else self.show(value)

    def failure(self, text: str, rows: list[str] | None = None) -> Failure:
        """The exception that says what was expected and what came, after which packets."""
        lines = [f"{self.title or 'case'}, {self.role}, at {self.now / NS:.6f} s: {text}", *(rows or [])]
        return Failure("\n".join([*lines, "so far:", *self.story[-40:]]))


_ND_RULES: dict[str, Any] = {"hlim": 255, "code": 0, "checksum": "right", "reserved": 0}
_RULES: dict[str, dict[str, Any]] = {
    "ns": _ND_RULES,
    "na": _ND_RULES,
    "rs": _ND_RULES,
    "ra": _ND_RULES,
    "redirect": _ND_RULES,
    "echo_reply": {"code": 0, "checksum": "right"},
    "echo_request": {"code": 0, "checksum": "right"},
}
"""What every message of a kind must have (RFC 4861 4.1 to 4.5, RFC 4443 4)."""
