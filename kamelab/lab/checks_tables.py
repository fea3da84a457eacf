"""Readers of a node's state for checks: the rows that its commands print, its sysctls and counters.

Each reader takes (network, node, check) and gives whether the check holds now, and what stands there in words. An
address without a zone fits that address on any interface.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kamelab.core.errors import Errno
from kamelab.lab import schema
from kamelab.sim.topology import Network
from kamelab.stack import tables
from kamelab.stack.node import Node
from kamelab.stack.sysctl import sysctl_get
from kamelab.stack.views import AddressRow, NeighborRow, PrefixRow, RouteRow, RouterRow
from kamelab.wire import ether, in6

Verdict = tuple[bool, str]


def same_address(row: str, wanted: str) -> bool:
    """Equal texts; a wanted address without zone fits any zone, prefixes (``fe80::%ne0/64``) likewise."""
    return row == wanted or ("%" not in wanted and _plain(row) == wanted)


def _plain(text: str) -> str:
    """Without the zone: ``fe80::%ne0/64`` is ``fe80::/64``."""
    address, slash, plen = text.partition("/")
    return address.partition("%")[0] + slash + plen


def _same_mac(row: str, wanted: str) -> bool:
    """``2:0:0:0:1:1`` of ndp and ``02:00:00:00:01:01`` of the lab file."""
    try:
        return ether.mac_pton(row) == ether.mac_pton(wanted)
    except ValueError:
        return False


def _is_router(network: Network, address: str, wanted: str) -> bool:
    """Whether an address is the wanted one, or one of the wanted node's."""
    node = network.nodes.get(wanted)
    if node is None:
        return same_address(address, wanted)
    return any(_plain(row.address) == _plain(address) for row in tables.addresses(node))


def _elsewhere(wanted: str | None, interface: str) -> bool:
    return wanted is not None and interface != wanted


def neighbor(network: Network, node: Node, check: schema.NeighborCheck) -> Verdict:
    """``ndp -an``."""
    seen = "no entry"
    for row in tables.neighbors(node):
        if not same_address(row.address, check.address) or _elsewhere(check.interface, row.interface):
            continue
        seen = _neighbor_text(row, check)
        if (
            (check.state is None or row.state.lower() == check.state)
            and (check.lladdr is None or _same_mac(row.lladdr, check.lladdr))
            and (check.router is None or row.router == check.router)
        ):
            return True, seen
    return False, seen


def _neighbor_text(row: NeighborRow, check: schema.NeighborCheck) -> str:
    words = [row.state]
    if row.probes:
        words.append(f"{row.probes} probe{'s' * (row.probes != 1)}")
    if check.lladdr is not None:
        words.append(row.lladdr or "no link-layer address")
    if check.router is not None:
        words.append("a router" if row.router else "no router")
    return ", ".join(words)


def prefix(network: Network, node: Node, check: schema.PrefixCheck) -> Verdict:
    """``ndp -p``."""
    seen = "not in the prefix list"
    routers = {row.address: row.preference for row in tables.routers(node)}
    for row in tables.prefixes(node):
        if not same_address(f"{row.prefix}/{row.plen}", check.prefix) or _elsewhere(check.interface, row.interface):
            continue
        letters = _prefix_letters(row)
        advertisers = [address for address, _ in row.routers]
        seen = f"flags {letters or 'none'}, advertised by {', '.join(advertisers) or 'nobody'}"
        if (
            set(check.flags or "") <= set(letters)
            and (
                check.advertised_by is None
                or any(_is_router(network, address, check.advertised_by) for address in advertisers)
            )
            and (check.preference is None or any(routers.get(one) == check.preference for one in advertisers))
        ):
            return True, seen
    return False, seen


def _prefix_letters(row: PrefixRow) -> str:
    marks = (("L", row.onlink), ("A", row.autonomous), ("O", row.attached), ("D", row.detached))
    return "".join(letter for letter, there in marks if there)


def router(network: Network, node: Node, check: schema.RouterCheck) -> Verdict:
    """``ndp -r``."""
    seen = "not in the default router list"
    for row in tables.routers(node):
        if not _is_router(network, row.address, check.router) or _elsewhere(check.interface, row.interface):
            continue
        seen = _router_text(row)
        if (
            set(check.flags or "") <= set(row.flags)
            and (check.preference is None or row.preference == check.preference)
            and (check.advertised_by is None or _is_router(network, row.address, check.advertised_by))
        ):
            return True, seen
    return False, seen


def _router_text(row: RouterRow) -> str:
    flags = f", flags {row.flags}" if row.flags else ""
    return f"{row.address}, preference {row.preference}{flags}"


def route(network: Network, node: Node, check: schema.RouteCheck) -> Verdict:
    """``netstat -rn``."""
    seen = "no such route"
    for row in tables.routes(node):
        if not same_address(row.destination, check.destination) or _elsewhere(check.interface, row.interface):
            continue
        mtu = row.mtu or node.interfaces[row.interface].mtu
        seen = _route_text(row, mtu, check)
        if (
            (check.gateway is None or _is_gateway(network, row.gateway, check.gateway))
            and set(check.flags or "") <= set(row.flags)
            and (check.mtu is None or mtu == check.mtu)
        ):
            return True, seen
    return False, seen


def _is_gateway(network: Network, gateway: str, wanted: str) -> bool:
    return gateway == wanted or _same_mac(gateway, wanted) or (":" in gateway and _is_router(network, gateway, wanted))


def _route_text(row: RouteRow, mtu: int, check: schema.RouteCheck) -> str:
    return f"by {row.gateway}, flags {row.flags}" + (f", mtu {mtu}" if check.mtu is not None else "")


def address(network: Network, node: Node, check: schema.AddressCheck) -> Verdict:
    """``ifconfig``."""
    seen = "no such address"
    for row in tables.addresses(node):
        if _elsewhere(check.interface, row.interface) or not _is_wanted(row, check):
            continue
        seen = f"{row.address} {' '.join(row.flags)}".rstrip()
        if all((flag[1:] not in row.flags) if flag[0] == "!" else (flag in row.flags) for flag in check.flags):
            return True, seen
    return False, seen


def _is_wanted(row: AddressRow, check: schema.AddressCheck) -> bool:
    if check.address is not None and not same_address(row.address, check.address):
        return False
    if check.prefix is None:
        return True
    text, _, length = check.prefix.partition("/")
    plen = int(length)
    own, wanted = (int.from_bytes(in6.pton(one)) >> (128 - plen) for one in (_plain(row.address), text))
    return own == wanted


def sysctl(network: Network, node: Node, check: schema.SysctlCheck) -> Verdict:
    """``sysctl``. An unknown variable never holds."""
    try:
        value = sysctl_get(node, check.name)
    except Errno:
        return False, "no such variable"
    return _within(value, check), str(value)


def counter(network: Network, node: Node, check: schema.CounterCheck) -> Verdict:
    """``netstat -s``: since boot, as it prints them."""
    value = node.counters().get(check.name, 0)
    return _within(value, check), str(value)


def sa(network: Network, node: Node, check: schema.SaCheck) -> Verdict:
    """``setkey -D``."""
    seen = "no such association"
    for row in tables.rows(node, "sas"):
        if (
            (check.src is None or same_address(row.src, check.src))
            and (check.dst is None or same_address(row.dst, check.dst))
            and check.protocol in (None, row.proto)
            and check.spi in (None, row.spi)
        ):
            names = [name for name in (row.encryption, row.authentication) if name]
            seen = f"{row.proto} spi {row.spi}, {row.mode}, {row.state}, {' '.join(names)}"
            if (
                check.mode in (None, row.mode)
                and check.state in (None, row.state)
                and check.algorithm in (None, *names)
            ):
                return True, seen
    return False, seen


def policy(network: Network, node: Node, check: schema.PolicyCheck) -> Verdict:
    """``setkey -DP``."""
    seen = "no such policy"
    for row in tables.rows(node, "policies"):
        if (
            check.direction not in (None, row.direction)
            or not _is_range(row.src, check.src)
            or not _is_range(row.dst, check.dst)
        ):
            continue
        seen = f"{row.direction} {row.action} {' '.join(row.requests)}".rstrip()
        if (
            check.action in (None, row.action)
            and (check.request is None or check.request in row.requests)
            and (check.protocol is None or any(one.startswith(f"{check.protocol}/") for one in row.requests))
            and (check.mode is None or any(one.split("/")[1] == check.mode for one in row.requests))
        ):
            return True, seen
    return False, seen


def _is_range(row: str, wanted: str | None) -> bool:
    """``2001:db8::/48[any]`` of a row is the wanted ``2001:db8::/48``, or ``2001:db8::``."""
    if wanted is None:
        return True
    shown = row.partition("[")[0]
    return same_address(shown if "/" in wanted else shown.partition("/")[0], wanted)


def _within(value: int | str, check: schema.SysctlCheck | schema.CounterCheck) -> bool:
    if check.equals is not None and str(value) != str(check.equals):
        return False
    if check.min is None and check.max is None:
        return True
    return (
        isinstance(value, int)
        and (check.min is None or value >= check.min)
        and (check.max is None or value <= check.max)
    )


READERS: dict[type[schema.CheckBase], Callable[[Network, Node, Any], Verdict]] = {
    schema.NeighborCheck: neighbor,
    schema.PrefixCheck: prefix,
    schema.RouterCheck: router,
    schema.RouteCheck: route,
    schema.AddressCheck: address,
    schema.SysctlCheck: sysctl,
    schema.CounterCheck: counter,
    schema.SaCheck: sa,
    schema.PolicyCheck: policy,
}
"""Check struct to its reader."""
