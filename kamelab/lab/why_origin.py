"""Who made it: the command, advertisement, redirect or boot that an address, prefix or route came from.

The kernel's tables do not say; the trace does. State records name their cause. For the rest the command lines of
programs, the advertisements and the redirects that a node took in are looked through, the newest first.
"""

from __future__ import annotations

from collections.abc import Iterator

from kamelab.core.trace import Record, Trace
from kamelab.lab.session import Session
from kamelab.lab.why_words import icmp6_type, line
from kamelab.stack.interface import INFINITE, Address, Interface
from kamelab.stack.net.route import Route
from kamelab.stack.netinet6.nd6_prefix import find
from kamelab.stack.netinet6.scope6 import in6_clearscope
from kamelab.stack.node import Node
from kamelab.stack.state import Prefix
from kamelab.userland.ndp_lines import sec2str
from kamelab.wire import icmp6, in6, nd, nd_options
from kamelab.wire.buffer import WireError
from kamelab.wire.exthdr import upper_layer
from kamelab.wire.ip6 import parse

LOOK = 200_000
"""Records and frames that are looked through, from the newest back."""
LAB_FILE = "the lab file: set at boot"


# -- state records ---------------------------------------------------------------------------------------------------


def _state_rows(session: Session, node: str, stages: tuple[str, ...]) -> Iterator[Record]:
    """``state`` records of a node and some stages, oldest first, as far back as is looked."""
    records = session.world.network.trace.records
    for row in records[-LOOK:]:
        if row[6] == "state" and row[2] == node and row[4] in stages:
            yield Record._make(row)


def neighbor_records(session: Session, node: str, interface: str, text: str) -> list[Record]:
    """Changes of state of a neighbour, oldest first; any interface where none is given."""
    return [
        record
        for record in _state_rows(session, node, ("nd6_nud",))
        if record.note.partition(" ")[0] == text and interface in ("", record.interface)
    ]


def address_records(session: Session, node: str, text: str) -> list[Record]:
    """Detection and lifetimes of an address of a node, oldest first."""
    return [record for record in _state_rows(session, node, ("nd6_dad", "nd6_timer", "in6_ifaddr"))
            if record.note.partition(" ")[0] == text]  # fmt: skip


def prefix_records(session: Session, node: str, interface: str, name: str) -> list[Record]:
    """Detaching and attaching of a prefix, oldest first."""
    return [
        record
        for record in _state_rows(session, node, ("nd6_prefix",))
        if record.note.partition(" ")[0] == name and record.interface == interface
    ]


def router_records(session: Session, node: str, text: str) -> list[Record]:
    """Changes of a router in the default router list, oldest first."""
    return [record for record in _state_rows(session, node, ("nd6_rtr",)) if record.note.partition(" ")[0] == text]


# -- addresses -------------------------------------------------------------------------------------------------------


def of_address(session: Session, node: Node, iface: Interface, address: Address) -> list[str]:
    """Where an own address came from."""
    plain = in6_clearscope(address.addr)
    if address.autoconf or address.temporary:
        lines = ["made by the node itself from an advertised prefix and its interface identifier (RFC 4862 5.5.3)"]
        if address.temporary:
            lines = ["a temporary address, made from an advertised prefix and a random identifier (RFC 3041 3.3)"]
        return lines + _advertised(session, node, iface, in6.mask(plain, address.plen), address.plen)
    command = _command(session, node, "ifconfig", plain, interface=iface.name)
    if command is not None:
        return ["set by hand; its prefix comes on-link with it (KAME in6.c)", line(command)]
    if iface.loopback:
        return ["the loopback interface has it once any interface comes up (KAME IMPLEMENTATION 1.4.1 (2001))"]
    spec = session.lab.nodes[node.name].interfaces.get(iface.name)
    if spec is not None and any(addr == plain for addr, _ in spec.prefixes()):
        return [f"{LAB_FILE} (KAME in6.c)"]
    if in6.is_linklocal(plain):
        how = "its MAC" if node.made_from_hardware(iface, address) else "another interface's MAC or the host name"
        lines = [f"made from {how} when the interface came up (RFC 4862 5.3, KAME IMPLEMENTATION 1.4.1 (2001))"]
        ups = [one for one in _state_rows(session, node.name, ("in6_if",)) if one.interface == iface.name]
        return lines + [line(one) for one in ups[-1:]]
    return ["set by hand, by a command that the trace no longer has (KAME in6.c)"]


def of_prefix(session: Session, node: Node, iface: Interface, entry: Prefix) -> list[str]:
    """Where a prefix list entry came from."""
    plain = in6_clearscope(entry.prefix)
    if entry.static:
        lines = ["brought by an address of this node, not by an advertisement: never expires (KAME in6.c)"]
        for address in iface.addresses:
            if address.prefix is entry:
                lines += [f"{node.text(address.addr)}: {one}" for one in of_address(session, node, iface, address)[:1]]
        return lines
    lines = ["heard in a router advertisement (RFC 4861 6.3.4)"]
    return lines + _advertised(session, node, iface, plain, entry.plen)


def _advertised(session: Session, node: Node, iface: Interface, prefix: bytes, plen: int) -> list[str]:
    """The first and the last advertisement of a prefix that the node took in, with what they said."""
    trace = session.world.network.trace
    found: list[tuple[Record, nd_options.PrefixInfo]] = []
    for record, message in _messages(trace, node.name, iface.name, icmp6.ROUTER_ADVERT):
        try:
            options = nd_options.parse(nd.RouterAdvert.parse(message).options)
        except WireError:
            continue
        for info in options.prefixes:
            if info.plen == plen and in6.mask(info.prefix, plen) == prefix:
                found.append((record, info))
    if not found:
        return ["the advertisement is not in the trace any more"]
    lines = []
    last, first = found[0], found[-1]
    told = [("first heard", first), ("last refreshed", last)] if last is not first else [("heard", last)]
    for words, (record, info) in told:
        valid, preferred = (_span(seconds) for seconds in (info.valid, info.preferred))
        flags = "L" * info.onlink + "A" * info.autonomous
        lines.append(line(record))
        lines.append(
            f"       {words} from {in6.ntop(record.frame[22:38])}: valid {valid}, preferred {preferred},"
            f" flags {flags or 'none'} (RFC 4861 4.6.2)"
        )
    return lines


def _span(seconds: int) -> str:
    return "without end" if seconds == INFINITE else sec2str(seconds)


def _messages(trace: Trace, node: str, interface: str, kind: int) -> Iterator[tuple[Record, bytes]]:
    """ICMPv6 messages of a type that a node took in on an interface, newest first: (record, body)."""
    for row in reversed(trace.packets[-LOOK:]):
        if row[6] != "rx" or row[2] != node or row[3] != interface or icmp6_type(row[12]) != kind:
            continue
        end = trace.outcome(row)
        if end is not None and end.event == "deliver":
            at = upper_layer(row[12][14:])[1]
            yield Record._make(row), row[12][14 + at + 4 :]


# -- commands --------------------------------------------------------------------------------------------------------


def _command(
    session: Session, node: Node, program: str, addr: bytes, plen: int = 128, interface: str = ""
) -> Record | None:
    """The last run of a program on a node whose arguments name an address or prefix, and do not take it away."""
    for row in reversed(session.world.network.trace.records[-LOOK:]):
        if row[6] != "command" or row[2] != node.name or row[4] != "sh":
            continue
        words = row[9].split()
        if not words or words[0].rpartition("/")[2] != program:
            continue
        if (interface and interface not in words) or any(word in ("delete", "-alias", "remove") for word in words):
            continue
        bits, wanted = (64, in6.mask(addr, 64)) if "eui64" in words else (plen, addr)
        if any(_names(word, wanted, bits) for word in words[1:]):
            return Record._make(row)
    return None


def _names(word: str, addr: bytes, plen: int) -> bool:
    """Whether a command's word means an address, or a prefix of that length."""
    if word == "default":
        return addr == bytes(16) and not plen
    text, slash, length = word.partition("/")
    try:
        named = in6.pton(text.partition("%")[0])
    except ValueError:
        return False
    if slash and length != str(plen) and plen != 128:
        return False
    return (in6.mask(named, plen) if plen < 128 else named) == addr


# -- routes ----------------------------------------------------------------------------------------------------------


def of_route(session: Session, node: Node, route: Route) -> list[str]:
    """Who installed a route: an address, an advertisement, a redirect, a command, or a packet too big."""
    trace = session.world.network.trace
    lines: list[str] = []
    plain = in6_clearscope(route.dst)
    if route.mtu:
        lines += _too_big(trace, node, route)
    if route.own:
        own = node.own.get(route.dst)
        if own is not None:
            lines.append(f"stands for an address of this node: packets to it go to {route.iface.name} (KAME in6.c)")
            lines += of_address(session, node, *own)
        return lines
    if "D" in route.flags or "M" in route.flags:
        return lines + _redirected(trace, node, route)
    if not route.plen and route.gateway is not None and any(
        one.installed and one.addr == route.gateway for one in node.routers
    ):  # fmt: skip
        lines.append("an advertisement: its sender is on the default router list and was chosen (RFC 4861 6.3.6)")
        past = router_records(session, node.name, node.text(route.gateway))
        for record in past[-3:]:
            lines.append(line(record))
            cause = trace.get(record.cause) if record.cause else None
            if cause is not None:
                lines.append(f"       because of {line(cause).strip()}")
        return lines
    command = _command(session, node, "route", plain, route.plen)
    if command is not None and "S" in route.flags:
        return [*lines, "set by hand (KAME USAGE)", line(command)]
    for iface in node.interfaces.values():
        entry = find(iface, route.dst, route.plen)
        if entry is not None and entry.installed and iface is route.iface:
            lines.append("the prefix is on the link (RFC 4861 6.3.4)")
            return lines + of_prefix(session, node, iface, entry)
    if route.dst[0] == 0xFF:
        lines.append("every interface with an IPv6 address has it (KAME IMPLEMENTATION 1.15.1 (2001))")
    elif not route.plen and route.gateway is None:
        lines.append("ndp -I: without a router every destination is on-link there (KAME IMPLEMENTATION 1.4.1 (2001))")
    elif command is not None:
        lines += ["set by hand (KAME USAGE)", line(command)]
    elif "S" in route.flags:
        lines.append("set by hand, by a command that the trace no longer has (KAME USAGE)")
    elif not lines:
        lines.append("came with an address of this node (KAME in6.c)")
    return lines


def _redirected(trace: Trace, node: Node, route: Route) -> list[str]:
    """The redirect that made or changed a host route."""
    plain = in6_clearscope(route.dst)
    for record, message in _messages(trace, node.name, route.iface.name, icmp6.REDIRECT):
        try:
            redirect = nd.Redirect.parse(message)
        except WireError:
            continue
        if redirect.destination == plain:
            return ["a redirect told a better first hop (RFC 4861 8.3)", line(record)]
    return ["a redirect or a packet too big made it for this destination (RFC 4861 8.3, RFC 8201 4)"]


def _too_big(trace: Trace, node: Node, route: Route) -> list[str]:
    """The error that lowered the path MTU."""
    plain = in6_clearscope(route.dst)
    for iface in node.interfaces.values():
        for record, message in _messages(trace, node.name, iface.name, icmp6.PACKET_TOO_BIG):
            try:
                quoted = parse(message[4:])
            except WireError:
                continue
            if quoted.dst == plain:
                return [f"its path MTU of {route.mtu} was told by a router on the way (RFC 8201 4)", line(record)]
    return []
