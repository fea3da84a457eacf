"""What netstat(1) prints of routes, interfaces and sockets: rows of the kernel's tables to lines, without a kernel.

The layouts are those of KAME on FreeBSD (KAME `netstat/route.c`, `if.c`, `inet6.c`). A long address is never cut: it
borrows room from the columns to its right. Left out: IPv4, the address column's ``*`` for multicast filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kamelab.core.clock import SECOND
from kamelab.stack.views import AddressRow, GroupRow, InterfaceRow, RouteRow, SocketRow
from kamelab.userland.columns import row_text
from kamelab.wire import in6

NETWORK_CUT = 11
"""Characters of a network that ``netstat -i`` shows."""


ROUTE_WIDTHS = (33, 29, 6, -8, -6)
ROUTE_GAPS = (0, 1, 1, 2, 1)
ROUTE_HEADINGS = ("Destination", "Gateway", "Flags", "Netif", "Expire")
LONG_ROUTE_WIDTHS = (39, 31, 6, -6, -8, -6, -8, -6)
LONG_ROUTE_GAPS = (0, 1, 1, 1, 1, 1, 2, 1)
LONG_ROUTE_HEADINGS = ("Destination", "Gateway", "Flags", "Refs", "Use", "Mtu", "Netif", "Expire")


def _same(name: str) -> str:
    return name


def route_line(row: RouteRow, now: int, *, long: bool = False, name: Callable[[str], str] = _same) -> str:
    """One line of ``netstat -r``; ``name`` turns the text of an address into what is shown."""
    expire = "" if row.expire is None else str(max(row.expire - now, 0) // SECOND)
    destination, gateway = name(row.destination), name(row.gateway)
    if long:
        mtu = str(row.mtu) if row.mtu else "-"
        cells = (destination, gateway, row.flags, str(row.refs), str(row.use), mtu, row.interface, expire)
        return row_text(cells, LONG_ROUTE_WIDTHS, LONG_ROUTE_GAPS)
    return row_text((destination, gateway, row.flags, row.interface, expire), ROUTE_WIDTHS, ROUTE_GAPS)


def route_lines(
    rows: Iterable[RouteRow],
    now: int,
    *,
    long: bool = False,
    name: Callable[[str], str] = _same,
) -> list[str]:
    """The routing table (``netstat -nr``, long with ``-l``) in the kernel's order: default first, then by key."""
    header = (
        row_text(LONG_ROUTE_HEADINGS, LONG_ROUTE_WIDTHS, LONG_ROUTE_GAPS)
        if long
        else row_text(ROUTE_HEADINGS, ROUTE_WIDTHS, ROUTE_GAPS)
    )
    return [
        "Routing tables",
        "",
        "Internet6:",
        header,
        *(route_line(row, now, long=long, name=name) for row in rows),
    ]


def network_text(address: str, plen: int) -> str:
    """The network of an address as ``netstat -i`` shows it: ``2001:db8:0:``, cut; the zone stays where it is short."""
    text, _, zone = address.partition("%")
    net = in6.ntop(in6.mask(in6.pton(text), plen))
    return f"{net}{'%' if zone else ''}{zone}/{plen}"[:NETWORK_CUT]


def interface_lines(
    interfaces: Iterable[InterfaceRow],
    addresses: Iterable[AddressRow],
    groups: Iterable[GroupRow] = (),
    *,
    octets: bool = False,
    drops: bool = False,
    timers: bool = False,
    name: Callable[[str], str] = _same,
) -> list[str]:
    """The interface table (``netstat -i``): a ``<Link#N>`` row with the counters, then a row an address.

    ``groups`` (``-a``) adds the multicast addresses; ``octets`` (``-b``), ``timers`` (``-t``: the driver's watchdog,
    which never runs here) and ``drops`` (``-d``) add columns.
    """
    interfaces, addresses, groups = tuple(interfaces), tuple(addresses), tuple(groups)
    shown = [name(row.address) for row in addresses] + [row.group for row in groups]
    address_width = max([17, *map(len, shown)])
    headings = ["Name", "Mtu", "Network", "Address", "Ipkts", "Ierrs"]
    widths = [5, -5, 13, address_width, -8, -5]
    if octets:
        headings.append("Ibytes")
        widths.append(-10)
    headings += ["Opkts", "Oerrs"]
    widths += [-8, -5]
    if octets:
        headings.append("Obytes")
        widths.append(-10)
    headings.append("Coll")
    widths.append(-5)
    if timers:
        headings.append("Time")
        widths.append(-5)
    if drops:
        headings.append("Drop")
        widths.append(-5)
    gaps = [0] + [1] * (len(widths) - 1)

    def counters(row: InterfaceRow) -> list[str]:
        cells = [row.ipackets, row.ierrors, *([row.ibytes] if octets else [])]
        cells += [row.opackets, row.oerrors, *([row.obytes] if octets else []), 0]
        cells += [*([0] if timers else []), *([row.drops] if drops else [])]
        return [str(cell) for cell in cells]

    lines = [row_text(headings, widths, gaps)]
    blanks = ["-"] * (len(widths) - 4)
    for row in interfaces:
        label = row.name if row.flags & 1 else f"{row.name}*"
        head = [label, str(row.mtu)]
        lines.append(row_text([*head, f"<Link#{row.index}>", row.lladdr, *counters(row)], widths, gaps))
        for address in addresses:
            if address.interface == row.name:
                network = network_text(address.address, address.plen)
                lines.append(row_text([*head, network, name(address.address), *blanks], widths, gaps))
        for group in groups:
            if group.interface == row.name:
                lines.append(row_text(["", "", "", group.group, *[""] * len(blanks)], widths, gaps))
    return lines


SOCKET_WIDTHS = (5, -6, -6, 22, 22, 11)
SOCKET_GAPS = (0, 1, 1, 2, 1, 1)
SOCKET_HEADINGS = ("Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "(state)")


ADDRESS_CUT = 16
"""Characters of an address that ``netstat -a`` shows (KAME inet6print)."""
LONG_SOCKET_WIDTHS = (5, -6, -6, 45, 45, 11)
"""With ``-l`` or ``-W``."""


def endpoint(text: str, proto: str, *, long: bool, name: Callable[[str], str], port: Callable[[str, str], str]) -> str:
    """``ADDR.PORT`` as it is shown: named, and the address cut unless ``long``."""
    address, _, number = text.rpartition(".")
    shown = address if address == "*" else name(address)
    if not long:
        shown = shown[:ADDRESS_CUT]
    return f"{shown}.{number if number == '*' else port(number, proto)}"


def _number(port: str, _proto: str) -> str:
    return port


def socket_lines(
    rows: Iterable[SocketRow],
    *,
    every: bool = False,
    long: bool = False,
    name: Callable[[str], str] = _same,
    port: Callable[[str, str], str] = _number,
) -> list[str]:
    """Sockets (``netstat -an``); without ``every`` only connected ones, ``long`` (``-l``) without cutting addresses."""
    title = "Active Internet connections" + (" (including servers)" if every else "")
    widths = LONG_SOCKET_WIDTHS if long else SOCKET_WIDTHS
    lines = [title, row_text(SOCKET_HEADINGS, widths, SOCKET_GAPS)]
    for row in rows:
        if every or not row.foreign.startswith("*"):
            ends = [endpoint(end, row.proto, long=long, name=name, port=port) for end in (row.local, row.foreign)]
            cells = (row.proto, str(row.recv_q), str(row.send_q), *ends, row.state)
            lines.append(row_text(cells, widths, SOCKET_GAPS))
    return lines


INTERVAL_WIDTHS = (-10, -5, -10, -10, -5, -10, -5)
INTERVAL_HEADINGS = ("packets", "errs", "bytes", "packets", "errs", "bytes", "colls")
INTERVAL_PAGE = 21
"""Lines between two headings of ``netstat -w``."""


def interval_values(rows: Iterable[InterfaceRow]) -> tuple[int, ...]:
    """The sums that ``netstat -w`` shows the growth of: in the order of its columns, drops last."""
    total = [0] * 8
    for row in rows:
        values = (row.ipackets, row.ierrors, row.ibytes, row.opackets, row.oerrors, row.obytes, 0, row.drops)
        total = [one + more for one, more in zip(total, values, strict=True)]
    return tuple(total)


def interval_head(interface: str, *, drops: bool = False) -> list[str]:
    """The two lines above the columns of ``netstat -w``; ``interface`` is empty for all together."""
    widths = INTERVAL_WIDTHS + ((-5,) if drops else ())
    headings = INTERVAL_HEADINGS + (("drops",) if drops else ())
    gaps = [0] + [1] * (len(widths) - 1)
    return [f"{'input':>17} {interface or '(Total)':>14} {'output':>16}", row_text(headings, widths, gaps)]


def interval_line(values: tuple[int, ...], before: tuple[int, ...], *, drops: bool = False) -> str:
    """One line of ``netstat -w``: what was added since ``before``."""
    cells = [str(new - old) for new, old in zip(values, before, strict=True)][: 8 if drops else 7]
    widths = INTERVAL_WIDTHS + ((-5,) if drops else ())
    return row_text(cells, widths, [0] + [1] * (len(widths) - 1))


def memory_lines(sockets: Iterable[SocketRow], held: int) -> list[str]:
    """``netstat -m``, modest: a node has no mbufs, but it has data that waits. ``held``: packets of neighbours."""
    sockets = tuple(sockets)
    octets = sum(row.recv_q + row.send_q for row in sockets)
    return [
        f"{octets} octets queued in {len(sockets)} sockets",
        f"{held} packets held until a neighbor is resolved",
        "0 requests for memory denied",
    ]
