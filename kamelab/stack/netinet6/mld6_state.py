"""The listener's state machine of multicast listener discovery, one a group and interface (RFC 2710 5; KAME mld6.c).

Rule 1: whatever changes a group's state goes through `move` and the table below; the diagram of the screen and of the
docs is drawn from this table.
Rule 2: what is sent and which timer runs is decided where the event came from (`mld6`, `mld6_v2`); the table says only
where to.

States: *non-listener*: nobody here wants the group, or the interface is down; *delaying*: a report is due; *idle*: a
listener with nothing to say; *silent*: a group that is never reported. Events:

==============  ================================================================
start           joined, or the interface came up: report now, and again after a random time
listen          the same under version 2, where changes of filters are reported apart from the groups' timers
stop            the last one has left
down            the interface went down
query           a query asks for the group, and its time is before the one that runs
report          another node reported the group
timeout         the report's time has come
older           a querier of version 1 appeared: what version 2 had pending is forgotten
==============  ================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node
    from kamelab.stack.state import Group

NON_LISTENER = "non-listener"
DELAYING = "delaying"
IDLE = "idle"
SILENT = "silent"

STATES = (NON_LISTENER, DELAYING, IDLE)

TRANSITIONS: dict[tuple[str, str], tuple[str, str]] = {
    (NON_LISTENER, "start"): (DELAYING, "RFC 2710 5"),
    (NON_LISTENER, "listen"): (IDLE, "RFC 3810 6.1"),
    (DELAYING, "stop"): (NON_LISTENER, "RFC 2710 5"),
    (DELAYING, "down"): (NON_LISTENER, "KAME mld6.c"),
    (DELAYING, "query"): (DELAYING, "RFC 2710 5"),
    (DELAYING, "report"): (IDLE, "RFC 2710 5"),
    (DELAYING, "timeout"): (IDLE, "RFC 2710 5"),
    (DELAYING, "older"): (IDLE, "RFC 3810 8.2.1"),
    (IDLE, "stop"): (NON_LISTENER, "RFC 2710 5"),
    (IDLE, "down"): (NON_LISTENER, "KAME mld6.c"),
    (IDLE, "query"): (DELAYING, "RFC 2710 5"),
    (IDLE, "report"): (IDLE, "KAME mld6.c"),
}


def move(node: Node, iface: Interface, group: Group, event: str) -> int:
    """Take ``event``; the number of the state record, 0 when the table has no transition for it."""
    step = TRANSITIONS.get((group.state, event))
    if step is None:
        return 0
    new, rule = step
    old = group.state
    group.state = new
    node.generation += new != old
    return node.trace.record(
        node.clock.now, node.name, iface.name, "mld6", 0, "state", f"{old} > {new}", rule,
        f"{node.text(group.addr)} {event}",
    )  # fmt: skip
