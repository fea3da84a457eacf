"""``why ADDRESS``: who a neighbour is and what made its state, where an address or a route came from.

Each is read from the node's tables and the trace's state records; what has no record of its own - an address set by
hand, a prefix heard - is found by the command or advertisement that named it (`why_origin`). Choices are explained by
the rules that made them: longest match (RFC 4861 5.2), default router selection (RFC 4861 6.3.6, RFC 4191 3.2).
"""

from __future__ import annotations

from kamelab.core.clock import SECOND
from kamelab.core.errors import KamelabError
from kamelab.core.trace import Record
from kamelab.lab import why_origin
from kamelab.lab.console_show import clock_text
from kamelab.lab.session import Session
from kamelab.lab.why_text import Explanation
from kamelab.lab.why_words import line, sentence
from kamelab.stack.interface import INFINITE, Address, Interface
from kamelab.stack.net.route import Route
from kamelab.stack.netinet6.in6_state import MEANINGS, state_of
from kamelab.stack.netinet6.nd6_prefix import find, lifetime_left
from kamelab.stack.netinet6.nd6_state import (
    DELAY,
    INCOMPLETE,
    NONE,
    NOSTATE,
    PROBE,
    TRANSITIONS,
    Neighbor,
    probably_reachable,
)
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope, is_scoped
from kamelab.stack.node import Node
from kamelab.stack.state import Prefix
from kamelab.stack.tables import PREFERENCES, route_row
from kamelab.userland.ndp_lines import sec2str
from kamelab.wire import in6

HISTORY_SHOWN = 12
"""Past changes of one row that are told, the last ones."""
DEFAULT = bytes(16)


def explain(session: Session, name: str, word: str) -> Explanation:
    """What a node knows of ``word``: an address with or without ``%zone``, ``PREFIX/LEN``, or ``default``.

    Raises KamelabError for what is no address, and for one that needs a zone.
    """
    node = session.world.network.nodes[name]
    if word == "default":
        return _entry(session, node, DEFAULT, 0)
    text, slash, length = word.partition("/")
    addr = _address(node, text)
    if slash:
        if not length.isdecimal() or int(length) > 128:
            raise KamelabError(f"expected a prefix length of 0 to 128, not {length!r}")
        plain = in6.mask(in6_clearscope(addr), int(length))
        iface = node.interfaces_by_index.get(int.from_bytes(addr[2:4], "big")) if is_scoped(addr) else None
        return _entry(session, node, (in6_setscope(plain, iface) or plain) if iface else plain, int(length))
    return address(session, node, addr)


def _address(node: Node, text: str) -> bytes:
    """Kernel form of an address as people write it; a zone may be left out where only one makes sense."""
    plain, _, zone = text.partition("%")
    try:
        addr = in6.pton(plain)
    except ValueError:
        raise KamelabError(
            f"expected a packet's number, drop, an address, a prefix, or default, not {text!r}"
        ) from None
    if not is_scoped(addr):
        return addr
    if zone:
        iface = node.interfaces.get(zone)
        if iface is None:
            raise KamelabError(f"{node.name} has no interface {zone!r}")
        return in6_setscope(addr, iface) or addr
    known = []
    for iface in node.interfaces.values():
        here = in6_setscope(addr, iface) or addr
        if here in iface.neighbors or here in node.own:
            known.append(here)
    plugged = [in6_setscope(addr, iface) or addr for iface in node.interfaces.values() if not iface.loopback]
    for choice in (known, plugged):
        if len(choice) == 1:
            return choice[0]
    raise KamelabError(f"{text} may be on several links of {node.name}: add the interface, as in {text}%ne0")


def address(session: Session, node: Node, addr: bytes) -> Explanation:
    """An address as a node sees it: its own, a neighbour's, or somewhere behind a route."""
    text = node.text(addr)
    own = node.own.get(addr)
    if own is not None:
        about = Explanation(f"{text} on {node.name}: its own address on {own[0].name}, {state_of(own[1].flags())}")
        _own(session, node, *own, about)
        return about
    neighbors = [(iface, iface.neighbors[addr]) for iface in node.interfaces.values() if addr in iface.neighbors]
    if addr[0] == 0xFF:
        about = Explanation(f"{text} on {node.name}: a multicast group")
        members = [iface.name for iface in node.interfaces.values() if addr in iface.groups]
        who = f"{node.name} listens to it on {', '.join(members)}" if members else f"{node.name} has not joined it"
        about.section("membership", [f"{who} (RFC 4291 2.8)"])
    elif neighbors:
        iface, nbr = neighbors[0]
        about = Explanation(f"{text} on {node.name}: a neighbour on {iface.name}, {nbr.state or 'just made'}")
        _neighbor(session, node, iface, nbr, about)
    else:
        about = Explanation(f"{text} on {node.name}: not its own, and no neighbour it knows")
        past = why_origin.neighbor_records(session, node.name, "", text)
        _history(session, past, about, "what it was before")
        lost = why_origin.address_records(session, node.name, text)
        _history(session, lost, about, "an address of this node, before")
    _routes(session, node, addr, about)
    return about


# -- neighbours ------------------------------------------------------------------------------------------------------


def _neighbor(session: Session, node: Node, iface: Interface, nbr: Neighbor, about: Explanation) -> None:
    records = why_origin.neighbor_records(session, node.name, iface.name, node.text(nbr.addr))
    lines = [f"{nbr.state or 'no state'} since {clock_text(nbr.since)}; {ahead(session, iface, nbr)}"]
    if nbr.proxy:
        lines.append(f"{node.name} answers solicitations for it: set by ndp -s with proxy (RFC 4861 7.2.8)")
    if nbr.static:
        lines.append("set by hand for good: what neighbours say never changes it (KAME ndp.c)")
    if nbr.router:
        lines.append("a router: it advertised itself, or said so with the R flag (RFC 4861 4.4, 6.3.4)")
    if nbr.hold:
        lines.append(f"{len(nbr.hold)} packet(s) wait for its link-layer address (RFC 4861 7.2.2)")
    about.section("state", lines)
    _history(session, records, about, "history")
    if node.router_of(nbr.addr) is not None:
        past = why_origin.router_records(session, node.name, node.text(nbr.addr))
        _history(session, past, about, "as a default router")
        about.section("default routers", routers(session, node))
    if records:
        _because(session, records[-1], about)


def ahead(session: Session, iface: Interface, nbr: Neighbor) -> str:
    """What comes next if nothing is heard, with its rule."""
    if nbr.static or nbr.state in (NONE, NOSTATE) or nbr.timer.at is None:
        return "no timer runs"
    left = max(0, nbr.timer.at - session.now)
    when = f"in {sec2str(left // SECOND)}" if left >= 10 * SECOND else f"in {left / SECOND:.3f} s"
    if nbr.state in (INCOMPLETE, PROBE):
        knob = "nd6_umaxtries" if nbr.state == PROBE else "nd6_mmaxtries"
        tries = iface.node.sysctl[f"net.inet6.icmp6.{knob}"]
        event = "retrans" if nbr.probes < tries else "failed"
        what = "the next solicitation" if event == "retrans" else "given up"
        return f"{what} {when}, {nbr.probes} of {tries} sent ({TRANSITIONS[nbr.state, event][1]})"
    to, rule = TRANSITIONS[nbr.state, "nud_off" if nbr.state == DELAY and not iface.nud else "timeout"]
    return f"{to or 'forgotten, if nobody uses it,'} {when} ({rule})"


def _history(session: Session, records: list[Record], about: Explanation, heading: str) -> None:
    """State records with the nearest cause of each."""
    trace = session.world.network.trace
    lines = []
    if len(records) > HISTORY_SHOWN:
        lines.append(f"       {len(records) - HISTORY_SHOWN} earlier changes")
    for record in records[-HISTORY_SHOWN:]:
        lines.append(line(record))
        cause = trace.get(record.cause) if record.cause else None
        if cause is not None and cause.event != "timer":
            lines.append(f"       because of {cause.num}: {sentence(cause)}")
    about.section(heading, lines)


def _because(session: Session, record: Record, about: Explanation) -> None:
    from kamelab.lab.why import causes

    about.section("the last change came from, the first cause first", causes(session.world.network.trace, record))


# -- own addresses ---------------------------------------------------------------------------------------------------


def _own(session: Session, node: Node, iface: Interface, address: Address, about: Explanation) -> None:
    about.section("came from", why_origin.of_address(session, node, iface, address))
    state = state_of(address.flags())
    lines = [f"{state}: {MEANINGS[state]}"]
    if "anycast" in address.flags():
        lines.append("anycast: never a source, no duplicate detection (RFC 4291 2.6)")
    lines += lifetimes(session, address)
    about.section("state", lines)
    records = why_origin.address_records(session, node.name, node.text(address.addr))
    entry = address.prefix if address.prefix is not None else _prefix_of(iface, address)
    if entry is not None and address.autoconf:
        name = f"{in6.ntop(entry.prefix)}/{entry.plen}"
        records += why_origin.prefix_records(session, node.name, iface.name, name)
        records.sort(key=lambda record: record.num)
    _history(session, records, about, "history")
    if records:
        _because(session, records[-1], about)


def _prefix_of(iface: Interface, address: Address) -> Prefix | None:
    return find(iface, in6.mask(address.addr, address.plen), address.plen)


def lifetimes(session: Session, address: Address) -> list[str]:
    """What is left of an address's lifetimes and what happens at their end."""
    lines = []
    for lifetime, name, then in (
        (address.pltime, "preferred", "then deprecated: no new connection begins with it (RFC 4862 5.5.4)"),
        (address.vltime, "valid", "then gone (RFC 4862 5.5.4)"),
    ):
        if lifetime == INFINITE:
            lines.append(f"{name} without end (RFC 4862 5.5.3)")
            continue
        left = lifetime_left(lifetime, address.updated, session.now)
        until = clock_text(address.updated + lifetime * SECOND)
        if left:
            lines.append(f"{name} for {sec2str(left)} more, until {until}; {then}")
        else:
            lines.append(f"{name} until {until}: over (RFC 4862 5.5.4)")
    return lines


def prefix_lifetimes(session: Session, entry: Prefix) -> list[str]:
    """What is left of a prefix's valid lifetime and what happens at its end."""
    if entry.static or entry.vltime == INFINITE:
        return ["valid without end (RFC 4861 4.6.2)"]
    left = sec2str(lifetime_left(entry.vltime, entry.updated, session.now))
    until = clock_text(entry.updated + entry.vltime * SECOND)
    return [f"valid for {left} more, until {until}; then off the list, and its route with it (RFC 4861 6.3.5)"]


# -- routes ----------------------------------------------------------------------------------------------------------


def _entry(session: Session, node: Node, dst: bytes, plen: int) -> Explanation:
    """One routing table entry, or prefix list entry, by its key."""
    route = node.routes.exact(dst, plen)
    text = "default" if not plen else f"{node.text(dst)}/{plen}"
    about = Explanation(f"route {text} on {node.name}" + ("" if route is not None else ": there is none"))
    if route is not None:
        about.section("route", [_told(node, route)])
        about.section("came from", why_origin.of_route(session, node, route))
    prefixes = []
    past: list[Record] = []
    for iface in node.interfaces.values():
        entry = find(iface, dst, plen) if plen else None
        if entry is None:
            continue
        mark = "on-link" if entry.installed else "detached" if entry.detached else "not on-link here"
        prefixes.append(f"on {iface.name}: {mark} (RFC 4861 6.3.4)")
        prefixes += [f"  {one}" for one in prefix_lifetimes(session, entry)]
        if route is None or route.iface is not iface:
            prefixes += [f"  {one}" for one in why_origin.of_prefix(session, node, iface, entry)]
        past += why_origin.prefix_records(session, node.name, iface.name, f"{in6.ntop(in6_clearscope(dst))}/{plen}")
    about.section("prefix list", prefixes)
    _history(session, past, about, "history")
    if not plen:
        about.section("default routers", routers(session, node))
    if route is None and not prefixes and plen:
        about.section("what is used instead", _matches(node, dst, node.routes.lookup(dst)))
    return about


def _routes(session: Session, node: Node, addr: bytes, about: Explanation) -> None:
    """Which route a packet to ``addr`` takes, why that one, and who made it."""
    if addr[0] == 0xFF or (is_scoped(addr) and not int.from_bytes(addr[2:4], "big")):
        return
    route = node.routes.lookup(addr)
    if route is None:
        why = "no route fits: a packet there is dropped, OUT_NOROUTE (RFC 4861 5.2)"
        about.section("route", [why])
        about.section("routes that do not fit", _matches(node, addr, None))
        return
    about.section("route", [_told(node, route)])
    about.section("why this one", _matches(node, addr, route))
    about.section("the route came from", why_origin.of_route(session, node, route))
    if not route.plen:
        about.section("default routers", routers(session, node))
    if route.gateway is not None and not route.own:
        nbr = route.iface.neighbors.get(route.gateway)
        state = nbr.state if nbr is not None else "not in the neighbour cache yet"
        about.section("next hop", [f"{node.text(route.gateway)} on {route.iface.name}: {state} (RFC 4861 5.2)"])


def _told(node: Node, route: Route) -> str:
    row = route_row(node, route)
    how = f"via {row.gateway}" if route.gateway is not None and not route.own else "on-link"
    if route.own:
        how = "this node itself"
    if "R" in route.flags or "B" in route.flags:
        how = "refused: " + ("reject" if "R" in route.flags else "discarded silently, blackhole")
    mtu = f", path MTU {route.mtu} (RFC 8201 4)" if route.mtu else ""
    return f"{row.destination} {how} on {row.interface}, flags {row.flags}{mtu}"


def _matches(node: Node, addr: bytes, chosen: Route | None) -> list[str]:
    """Longest match, with what else fits and what nearly does."""
    lines = []
    if chosen is not None:
        fits = f"all of its {chosen.plen} bits fit, the longest match" if chosen.plen else "nothing longer fits"
        lines.append(f"{_name(node, chosen)}: {fits} (RFC 4861 5.2)")
    others = [route for route in node.routes.all() if route is not chosen and route.dst[0] != 0xFF]
    fitting = [route for route in others if in6.in_prefix(addr, route.dst, route.plen)]
    for route in sorted(fitting, key=lambda route: -route.plen):
        lines.append(f"{_name(node, route)}: fits too, but {route.plen} bits are less specific (RFC 4861 5.2)")
    missing = [
        (in6.common_prefix_len(route.dst, addr), route)
        for route in others
        if route not in fitting and not route.own and is_scoped(route.dst) == is_scoped(addr)
    ]
    for bits, route in sorted(missing, key=lambda item: (-item[0], item[1].dst))[:3]:
        lines.append(f"{_name(node, route)}: does not fit, {bits} of {route.plen} bits are the same (RFC 4861 5.2)")
    return lines


def _name(node: Node, route: Route) -> str:
    return "default" if not route.plen else f"{node.text(route.dst)}/{route.plen}"


def routers(session: Session, node: Node) -> list[str]:
    """The default router list in its order, and why one is used and the others are not."""
    lines = []
    used = next((router for router in node.routers if router.installed), None)
    reachable = [probably_reachable(one.iface.neighbors.get(one.addr)) for one in node.routers]
    for router, good in zip(node.routers, reachable, strict=True):
        nbr = router.iface.neighbors.get(router.addr)
        left = sec2str(max(0, router.expire - session.now) // SECOND)
        head = f"{node.text(router.addr)}, preference {PREFERENCES[router.preference]}, {left} left"
        state = f"it is {nbr.state}" if nbr is not None and nbr.state else "it is not in the neighbour cache"
        if router is used and good:
            why = f"used: {state}, so probably reachable, and no reachable one has a higher preference"
        elif router is used:
            why = f"used though {state}: no router is known to be reachable, they take turns"
        elif used is None:
            why = "not used: a default route set by hand stands"
        elif not good:
            why = f"not used: {state}, not known to be reachable"
        elif router.preference < used.preference:
            why = "not used: another of higher preference is reachable"
        else:
            why = "not used: the one in use is reachable and stays"
        lines.append(f"{head}: {why} (RFC 4861 6.3.6, RFC 4191 3.2)")
    if not lines and node.sysctl["net.inet6.ip6.forwarding"]:
        lines.append("none: a router takes no default route from advertisements (RFC 4861 6.2.7)")
    elif not lines:
        lines.append("none: no router has advertised a lifetime here (RFC 4861 6.3.4)")
    return lines
