"""The event loop: takes the next entry off the heap, lets it happen, runs the tasks that it woke.

An event is one frame delivered to one interface, or one armed timer firing, each with the tasks that it wakes run to
their next await. Entries that turn out early, stale, or refused by an interface's address filter are no events. They
leave the heap as soon as time has come to them: a position in time is the same from wherever it is reached.
"""

from __future__ import annotations

from heapq import heappop
from typing import TYPE_CHECKING

from kamelab.core.timers import Timer

if TYPE_CHECKING:
    from kamelab.sim.topology import Network


def run_ready(network: Network) -> None:
    """Run the woken tasks in order, each under its own causes."""
    ready = network.clock.ready
    trace = network.trace
    while ready:
        owner, method, args, cause, also = ready.popleft()
        trace.cause = cause
        trace.also = also
        getattr(owner, method)(*args)


def settle(network: Network) -> None:
    """Take off the heap what stands at its top, is due by now, and is no event. Whoever moves the clock calls this."""
    clock = network.clock
    heap = clock.heap
    while heap and heap[0][0] <= clock.now:
        _, order, target, *rest = heap[0]
        if target.__class__ is Timer:
            if target.live(order):
                return
            heappop(heap)
            target.due(order)
        else:
            if target.node.accepts(target, rest[0], rest[2]):
                return
            heappop(heap)
            clock.flight -= 1


def run_event(network: Network, until: int | None = None) -> bool:
    """Let the next event happen; False when none is due by ``until`` (ns since boot; None: ever).

    The clock stands at the event's time afterwards; it does not move when there is none. When the last frame on its
    way was refused by an address filter, that is no event, but time stops there too: the lab may be idle now.
    """
    clock = network.clock
    heap = clock.heap
    while heap:
        at = heap[0][0]
        if until is not None and at > until:
            return False
        entry = heappop(heap)
        target = entry[2]
        if target.__class__ is Timer:
            if not target.due(entry[1]):
                continue
            clock.now = at
            clock.events += 1
            trace = network.trace
            trace.also = 0
            trace.cause = trace.record(at, target.owner.name, "", target.method, 0, "timer", cause=target.cause, also=0)
            getattr(target.owner, target.method)(*target.args)
        else:
            clock.flight -= 1
            node = target.node
            frame = entry[3]
            looped = entry[5]
            if not node.accepts(target, frame, looped):
                clock.now = at
                if not clock.flight:
                    return True
                continue
            clock.now = at
            clock.events += 1
            node.receive(target, frame, entry[4], looped)
        if clock.ready:
            run_ready(network)
        if heap and heap[0][0] <= at:
            settle(network)
        return True
    return False
