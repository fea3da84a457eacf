"""ifmcstat(8): the multicast groups of each interface.

KAME `ifmcstat.c` in its FreeBSD form: addresses after one tab, groups after two, link-layer groups after three. The
rows are those of `kamelab.stack.views`. Left out: IPv4 groups (-f inet shows none), reading a kernel image (-k is
taken and ignored), the lists that KAME's version 2 keeps for its next report. Ours: source filters of groups; with -v
the states of multicast listener discovery.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from kamelab.stack.views import AddressRow, GroupRow
from kamelab.userland.getopt import GetoptError, getopt
from kamelab.userland.probe import NS

if TYPE_CHECKING:
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: ifmcstat [-v] [-i interface] [-f address_family] [-k kernel]\n"


async def main(proc: Proc, argv: list[str]) -> int:
    """Print the groups. Status 1 for an unknown interface, family or option."""
    only, inet6, verbose = "", True, False
    try:
        pairs, rest = getopt(argv, "i:f:k:v")
    except GetoptError as error:
        proc.error(f"ifmcstat: {error}\n{USAGE}")
        return 1
    if rest:
        proc.error(USAGE)
        return 1
    for letter, value in pairs:
        flag = letter.lstrip("-")
        if flag == "i":
            only = value
        elif flag == "v":
            verbose = True
        elif flag == "f":
            if value not in ("inet", "inet6"):
                proc.error(f"ifmcstat: unknown address family {value}: it is inet or inet6\n")
                return 1
            inet6 = value == "inet6"
    names = [row.name for row in proc.rows("interfaces")]
    if only and only not in names:
        proc.error(f"ifmcstat: interface {only} not found\n")
        return 1
    addresses: tuple[AddressRow, ...] = proc.rows("addresses") if inet6 else ()
    groups: tuple[GroupRow, ...] = proc.rows("groups") if inet6 else ()
    now = proc.time() if verbose else None
    for line in lines([only] if only else names, addresses, groups, now):
        proc.print(line)
    return 0


def lines(
    names: Iterable[str], addresses: Iterable[AddressRow], groups: Iterable[GroupRow], now: int | None = None
) -> list[str]:
    """The listing; with the time ``now``, ns since boot, that of -v.

    ``multicnt`` counts the references to a link-layer group, which several groups may share.
    """
    own, joined = list(addresses), list(groups)
    out: list[str] = []
    for name in names:
        out.append(f"{name}:")
        out += [f"\tinet6 {row.address}" for row in own if row.interface == name]
        here = [row for row in joined if row.interface == name]
        for row in here:
            out.append(f"\t\tgroup {row.group} refcnt {row.refcnt}")
            if row.lladdr:
                users = sum(other.refcnt for other in here if other.lladdr == row.lladdr)
                out.append(f"\t\t\tmcast-macaddr {row.lladdr} multicnt {users}")
            if row.sources:
                out.append(f"\t\t\t{row.mode} {' '.join(row.sources)}")
            if now is not None:
                due = "" if row.timer is None else f", report in {max(0, row.timer - now) / NS:.3f} s"
                out.append(f"\t\t\tmld {row.state}{due}")
    return out
