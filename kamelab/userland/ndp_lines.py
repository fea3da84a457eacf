"""What ndp(8) prints: rows of the kernel's tables to lines, without a kernel.

KAME USAGE gives the columns of the neighbour table and the shape of the prefix and router lists; KAME `ndp.c` the rest.
Three things are of later KAME: ``%zone`` behind scoped addresses, the preference in the router list, and the state of
a prefix's routers. Long addresses are never cut, they borrow room from the column to their right, so that ``-l`` has
nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kamelab.core.clock import SECOND
from kamelab.stack.views import INFINITE, NdInterfaceRow, NeighborRow, PrefixRow, RouterRow
from kamelab.userland.columns import row_text

WIDTHS = (29, 18, -6, 9, 2, -4, -4)
GAPS = (0, 1, 1, 1, 1, 1, 1)
NEIGHBOR_HEADER = row_text(("Neighbor", "Linklayer Address", "Netif", "Expire", "St", "Flgs", "Prbs"), WIDTHS, GAPS)

ROUTERS_SHOWN = 10
"""Advertising routers that the prefix list names (KAME ndp.c)."""

STATE_LETTERS = {"NOSTATE": "N", "INCOMPLETE": "I", "REACHABLE": "R", "STALE": "S", "DELAY": "D", "PROBE": "P"}

_REACHABLE_STATES = frozenset({"REACHABLE", "STALE", "DELAY", "PROBE"})

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def sec2str(seconds: int) -> str:
    """A span in whole seconds, from its largest unit that is not zero down: ``23h59m58s``, ``1d2h0m3s``, ``4s``."""
    text = ""
    for letter, unit in _UNITS:
        count, seconds = divmod(seconds, unit)
        if count or text:
            text += f"{count}{letter}"
    return f"{text}{seconds}s"


def expire_text(expire: int | None, now: int, never: str) -> str:
    """Time left until ``expire`` (ns since boot) at ``now``; ``never`` for None, ``expired`` once it has come."""
    if expire is None:
        return never
    return sec2str((expire - now) // SECOND) if expire > now else "expired"


def timestamp(wall: int) -> str:
    """``HH:MM:SS.uuuuuu``, UTC, of ns since 1970 (``ndp -t``)."""
    seconds, micros = wall // SECOND, wall % SECOND // 1000
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"


def neighbor_line(row: NeighborRow, now: int, name: str = "") -> str:
    """One line of ``ndp -a``; ``name`` stands in for the address where there is one."""
    cells = (
        name or row.address,
        row.lladdr or "(incomplete)",
        row.interface,
        expire_text(row.expire, now, "permanent"),
        STATE_LETTERS.get(row.state, "?"),
        ("R" if row.router else " ") + ("p" if row.proxy else " "),
        str(row.probes) if row.probes else "",
    )
    return row_text(cells, WIDTHS, GAPS)


def neighbor_lines(rows: Iterable[NeighborRow], now: int, names: Sequence[str] = (), stamp: str = "") -> list[str]:
    """The neighbour table (``ndp -a``). With a ``stamp`` (``-t``) each line begins with it and there is no header."""
    rows = tuple(rows)
    names = names or [""] * len(rows)
    lines = [neighbor_line(row, now, name) for row, name in zip(rows, names, strict=True)]
    if stamp:
        return [f"{stamp} {line}" for line in lines]
    return [NEIGHBOR_HEADER, *lines]


def _lifetime(seconds: int) -> str:
    return "infinity" if seconds == INFINITE else str(seconds)


def _router_state(state: str) -> str:
    if not state:
        return "(no neighbor state)"
    return "(reachable)" if state in _REACHABLE_STATES else "(unreachable)"


def prefix_lines(rows: Iterable[PrefixRow], now: int) -> list[str]:
    """The prefix list (``ndp -p``): L on-link, A autonomous, O on-link just now, D detached."""
    lines = []
    for row in rows:
        letters = zip("LAOD", (row.onlink, row.autonomous, row.attached, row.detached), strict=True)
        flags = "".join(letter for letter, given in letters if given)
        lines.append(f"{row.prefix}/{row.plen} if={row.interface}")
        # A prefix of this router's own is one to advertise, and the flags are what it will be advertised with.
        advertise = "advertise: " if row.origin in ("RR", "static") else ""
        lines.append(
            f"  {advertise}flags={flags}, vltime={_lifetime(row.vltime)}, pltime={_lifetime(row.pltime)}, "
            f"expire={expire_text(row.expire, now, 'Never')}, ref={row.refcnt}, origin={row.origin}"
        )
        if row.routers:
            lines.append("  advertised by")
            lines += [f"    {address} {_router_state(state)}" for address, state in row.routers[:ROUTERS_SHOWN]]
            if len(row.routers) > ROUTERS_SHOWN:
                lines.append(f"    and {len(row.routers) - ROUTERS_SHOWN} routers")
        else:
            lines.append("  No advertising router")
    return lines


def router_lines(rows: Iterable[RouterRow], now: int, names: Sequence[str] = ()) -> list[str]:
    """The default router list (``ndp -r``)."""
    rows = tuple(rows)
    names = names or [""] * len(rows)
    return [
        f"{name or row.address} if={row.interface}, flags={row.flags}, pref={row.preference}, "
        f"expire={expire_text(row.expire, now, 'Never')}"
        for row, name in zip(rows, names, strict=True)
    ]


def interface_lines(row: NdInterfaceRow) -> list[str]:
    """The neighbour discovery parameters of an interface (``ndp -i``)."""

    def seconds(ms: int) -> str:
        return f"{ms // 1000}s{ms % 1000}ms"

    return [
        f"linkmtu={row.linkmtu}, maxmtu={row.maxmtu}, curhlim={row.curhlim}, "
        f"basereachable={seconds(row.basereachable)}, reachable={row.reachable}s, retrans={seconds(row.retrans)}",
        "Flags: " + "".join(f"{flag} " for flag in row.flags),
    ]
