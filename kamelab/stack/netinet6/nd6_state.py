"""The neighbour cache's state machine: every transition of RFC 4861 7.3.2 and appendix C, with KAME's additions.

Rule 1: whatever changes a neighbour's state goes through `move` and the table below; the state diagram of the screen
and of the docs is drawn from this table.
Rule 2: the table says where to; the timers that a state arms follow from the state alone (`_arm`).

States: NOSTATE is KAME's, an entry of which nothing is known but that the node exists (made by a packet without
link-layer address). Events:

==============  ================================================================
output          a packet is to be sent to the neighbour
heard           an ND packet from it carried no link-layer address
learned         an ND packet carried a link-layer address that was not known
changed         an ND packet carried another address than the known one
na_solicited    advertisement: solicited, address new, same or overriding
na_unsolicited  advertisement: not solicited, address new or overriding
na_conflict     advertisement: another address, override flag clear
timeout         the timer of the state ran out, the next step is due
retrans         the retransmission timer ran out and tries are left
failed          the retransmission timer ran out after the last try
hint            an upper layer says that the peer answers
nud_off         the delay is over, and the interface does no detection (``ndp -i IF -nud``)
set             set by hand
==============  ================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS, SECOND
from kamelab.core.timers import Timer

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node
    from kamelab.stack.packet import Held

NONE = ""
NOSTATE = "NOSTATE"
INCOMPLETE = "INCOMPLETE"
REACHABLE = "REACHABLE"
STALE = "STALE"
DELAY = "DELAY"
PROBE = "PROBE"

STATES = (NOSTATE, INCOMPLETE, REACHABLE, STALE, DELAY, PROBE)

TRANSITIONS: dict[tuple[str, str], tuple[str, str]] = {
    (NONE, "output"): (INCOMPLETE, "RFC 4861 7.2.2"),
    (NONE, "heard"): (NOSTATE, "KAME IMPLEMENTATION 1.2 (2001)"),
    (NONE, "learned"): (STALE, "RFC 4861 7.2.3"),
    (NONE, "set"): (REACHABLE, "KAME ndp.c"),
    (NOSTATE, "output"): (INCOMPLETE, "RFC 4861 7.2.2"),
    (NOSTATE, "learned"): (STALE, "RFC 4861 7.2.3"),
    (INCOMPLETE, "learned"): (STALE, "RFC 4861 7.2.3"),
    (INCOMPLETE, "na_solicited"): (REACHABLE, "RFC 4861 7.2.5"),
    (INCOMPLETE, "na_unsolicited"): (STALE, "RFC 4861 7.2.5"),
    (INCOMPLETE, "retrans"): (INCOMPLETE, "RFC 4861 7.2.2"),
    (INCOMPLETE, "failed"): (NONE, "RFC 4861 7.2.2"),
    (REACHABLE, "timeout"): (STALE, "RFC 4861 7.3.3"),
    (STALE, "output"): (DELAY, "RFC 4861 7.3.3"),
    (STALE, "timeout"): (NONE, "KAME nd6.c"),
    (DELAY, "timeout"): (PROBE, "RFC 4861 7.3.3"),
    (DELAY, "nud_off"): (STALE, "KAME IMPLEMENTATION 1.2 (2001)"),
    (PROBE, "retrans"): (PROBE, "RFC 4861 7.3.3"),
    (PROBE, "failed"): (NONE, "RFC 4861 7.3.3"),
    (REACHABLE, "na_conflict"): (STALE, "RFC 4861 7.2.5"),
}
for _state in (NOSTATE, REACHABLE, STALE, DELAY, PROBE):
    TRANSITIONS[(_state, "na_solicited")] = (REACHABLE, "RFC 4861 7.2.5")
    TRANSITIONS[(_state, "na_unsolicited")] = (STALE, "RFC 4861 7.2.5")
for _state in (REACHABLE, STALE, DELAY, PROBE):
    TRANSITIONS[(_state, "changed")] = (STALE, "RFC 4861 7.2.3")
for _state in (REACHABLE, STALE, DELAY, PROBE):
    TRANSITIONS[(_state, "hint")] = (REACHABLE, "RFC 4861 7.3.1")
for _state in STATES:
    TRANSITIONS[(_state, "set")] = (REACHABLE, "KAME ndp.c")

POINTOPOINT: dict[tuple[str, str], tuple[str, str]] = {
    (_state, "output"): (STALE, "KAME nd6.c nd6_output") for _state in (NONE, NOSTATE, INCOMPLETE)
}
"""What point-to-point interfaces do instead: nothing is resolved, the entry serves NUD and the router flag."""

GC_TIME = 86400 * SECOND
"""How long an unused STALE entry is kept (KAME nd6_gctimer)."""


class Neighbor:
    """One neighbour cache entry (KAME ``struct llinfo_nd6``). ``addr`` carries the embedded zone."""

    __slots__ = (
        "addr",
        "created",
        "hints",
        "hold",
        "lladdr",
        "manual",
        "probes",
        "proxy",
        "router",
        "since",
        "state",
        "static",
        "timer",
    )

    def __init__(self, node: Node, iface: Interface, addr: bytes) -> None:
        self.addr = addr
        self.lladdr = b""
        self.state = NONE
        self.since = 0
        """When the present state began, ns since boot."""
        self.created = node.clock.now
        self.router = False
        self.static = False
        """Set by hand for good: ND messages never change it."""
        self.manual = False
        """Set by hand, for good or for a time (``ndp -s ... temp``)."""
        self.proxy = False
        self.probes = 0
        """Solicitations sent in the present state."""
        self.hints = 0
        self.hold: list[Held] = []
        self.timer = Timer(node.clock, node, "nd6_timer", (iface.index, addr), ageing=True)


def move(node: Node, iface: Interface, nbr: Neighbor, event: str) -> bool:
    """Take ``event``; True when the table has a transition for it. The state record names cause and rule."""
    step = POINTOPOINT.get((nbr.state, event)) if iface.pointopoint else None
    if step is None:
        step = TRANSITIONS.get((nbr.state, event))
    if step is None:
        return False
    new, rule = step
    old = nbr.state
    nbr.state = new
    nbr.since = node.clock.now
    if new != old:
        nbr.probes = 0
        node.generation += 1
    if event in ("na_solicited", "na_unsolicited", "changed", "learned"):
        nbr.hints = 0
    trace = node.trace
    num = trace.record(
        node.clock.now,
        node.name,
        iface.name,
        "nd6_nud",
        0,
        "state",
        f"{old or '-'} > {new or '-'}",
        rule,
        f"{node.text(nbr.addr)} {event}",
    )
    _arm(node, iface, nbr, num)
    return True


def _arm(node: Node, iface: Interface, nbr: Neighbor, num: int) -> None:
    """The timer that the present state runs under."""
    now = node.clock.now
    timer = nbr.timer
    if nbr.static or nbr.state in (NONE, NOSTATE):
        timer.cancel()
    elif nbr.state in (INCOMPLETE, PROBE):
        timer.arm(now + iface.retrans * MS, num, ageing=False)
    elif nbr.state == REACHABLE:
        timer.arm(now + reachable_time(node, iface) * SECOND, num, ageing=True)
    elif nbr.state == STALE:
        timer.arm(now + GC_TIME, num, ageing=True)
    else:
        timer.arm(now + node.sysctl["net.inet6.icmp6.nd6_delay"] * SECOND, num, ageing=False)


def reachable_time(node: Node, iface: Interface) -> int:
    """The reachable time in force, seconds: base times 0.5 to 1.5, drawn anew every two hours (RFC 4861 6.3.4)."""
    now = node.clock.now
    if not iface.reachable or now >= iface.reachable_at:
        base = iface.basereachable
        iface.reachable = max(1, node.streams.between(f"{node.name}/nd6", base // 2, base * 3 // 2) // 1000)
        iface.reachable_at = now + 7200 * SECOND
    return iface.reachable


def probably_reachable(nbr: Neighbor | None) -> bool:
    """R, S, D or P (KAME ND6_IS_LLINFO_PROBREACH)."""
    return nbr is not None and nbr.state in (REACHABLE, STALE, DELAY, PROBE)
