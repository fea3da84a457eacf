"""A conversation as a ladder diagram in text: time, a column for each node, an arrow for each frame, what it says.

Made from the trace alone: the frame that left (``tx``), those who took it in (``rx`` records that name it as their
cause) and those who would have (the links' drop records). TCP's numbers are relative to the first of each direction.
Lines fit the width asked for; what a frame says is wrapped, not cut. Left out: frames that were refused by every
address filter have an arrow without a head, and times of arrival are not shown.
"""

from __future__ import annotations

from bisect import bisect_left
from textwrap import wrap
from typing import Final, NamedTuple

from kamelab.capture.filter import Filter
from kamelab.capture.packets import view
from kamelab.sim.topology import Network
from kamelab.wire import exthdr, tcp
from kamelab.wire.buffer import WireError
from kamelab.wire.ether import ETHERTYPE_IPV6
from kamelab.wire.summary import info

OUTSIDE: Final = "outside"
"""The column of frames that no node sent: they came through a port of a link."""

_TIME: Final = 12
"""Columns of the time and the blank behind it."""
_LEAST_TEXT: Final = 28
_COLUMN: Final = 10
_NARROW: Final = 6
_STUB: Final = 4


class Taker(NamedTuple):
    """A node that a frame came to, and why it dropped it ("": it did not)."""

    node: str
    reason: str


class Step(NamedTuple):
    """One frame on one link."""

    time: int
    """When it left, ns since boot."""
    sender: str
    takers: tuple[Taker, ...]
    near: str
    """A node at the other end of the link, "" without one."""
    text: str


def steps(network: Network, chosen: Filter | None = None, last: int = 0) -> list[Step]:
    """The frames that a display filter takes at one end or the other, in order of their leaving.

    ``last``: looks at no more than so many of the rows captured last; 0: at all of them.
    """
    frames: dict[int, tuple[int, str, bytes]] = {}
    links: dict[int, str] = {}
    takers: dict[int, list[Taker]] = {}
    wanted: dict[int, bool] = {}
    packets = network.trace.packets[-last:]
    first = packets[0][0] if last and packets else 0
    for row in packets:
        packet = view(network, row)
        cause = row[10]
        if packet.outbound:
            step = packet.num
            frames[step] = (packet.time, packet.node, packet.frame)
            links[step] = packet.link
        elif cause in frames:
            step = cause
            takers.setdefault(step, []).append(Taker(packet.node, packet.reason))
        elif cause and cause < first:
            # Sent before the rows looked at.
            continue
        else:
            # Sent by no node: all who heard it name the same cause, if any.
            step = cause or packet.num
            frames[step] = (packet.time, OUTSIDE, packet.frame)
            takers.setdefault(step, []).append(Taker(packet.node, packet.reason))
        if chosen is None or chosen.matches(packet):
            wanted[step] = True
    records = network.trace.records
    for row in records[bisect_left(records, (first,)) :]:
        if row[6] == "drop" and row[4].startswith("link ") and row[10] in wanted:
            takers.setdefault(row[10], []).append(Taker(row[2], row[7]))
    relative = Relative()
    out = []
    for step in sorted(wanted):
        time, sender, frame = frames[step]
        link = network.links.get(links.get(step, ""))
        near = next((one.node.name for one in link.stations if one.node.name != sender), "") if link else ""
        out.append(Step(time, sender, tuple(takers.get(step, ())), near, relative.text(frame)))
    return out


class Relative:
    """What frames say, with TCP's sequence numbers counted from the first that was seen of each direction."""

    def __init__(self) -> None:
        self.first: dict[tuple[bytes, bytes, int, int], int] = {}

    def text(self, frame: bytes) -> str:
        """One line: TCP with relative numbers, all else as `wire.summary` has it, addresses left out."""
        if int.from_bytes(frame[12:14], "big") != ETHERTYPE_IPV6:
            return info(frame)
        packet = frame[14:]
        try:
            nxt, at = exthdr.upper_layer(packet)
            if nxt != 6:
                return info(frame)
            head = tcp.parse(packet[at:])
        except WireError:
            return info(frame)
        ends = (packet[8:24], packet[24:40], head.sport, head.dport)
        back = (ends[1], ends[0], head.dport, head.sport)
        if head.flags & tcp.SYN or ends not in self.first:
            self.first[ends] = head.seq
        words = [f"TCP {head.sport} > {head.dport} [{tcp.flags_text(head.flags)}]"]
        words.append(f"seq {head.seq - self.first[ends] & 0xFFFFFFFF}")
        if head.flags & tcp.ACK:
            self.first.setdefault(back, head.ack - 1 & 0xFFFFFFFF)
            words.append(f"ack {head.ack - self.first[back] & 0xFFFFFFFF}")
        size = 40 + int.from_bytes(packet[4:6], "big") - at - head.offset
        words += [f"win {head.window}", f"len {size}"]
        return " ".join(words)


def ladder(network: Network, chosen: Filter | None = None, width: int = 80, last: int = 0) -> list[str]:
    """The diagram's lines, none longer than ``width`` unless there are too many nodes for it; [] without frames.

    ``last``: of so many captured rows at most, as in `steps`.
    """
    found = steps(network, chosen, last)
    if not found:
        return []
    present = {name for step in found for name in (step.sender, step.near)}
    present |= {taker.node for step in found for taker in step.takers}
    names = [name for name in network.nodes if name in present]
    if OUTSIDE in present:
        names.append(OUTSIDE)
    column = max(_COLUMN, *(len(name) + 2 for name in names))
    room = width - _TIME - column * len(names) - 1
    beside = room >= _LEAST_TEXT
    if not beside:
        column = max(_NARROW, *(len(name) + 1 for name in names))
        room = width - _TIME - column * len(names) - 1
        beside = room >= _LEAST_TEXT
    at = {name: column * number + column // 2 for number, name in enumerate(names)}
    size = column * len(names)
    heads = "".join(f"{name:^{column}}" for name in names)
    out = [f"{'time':>{_TIME - 2}}  {heads}".rstrip()]
    idle = _rails(at, size)
    for step in found:
        seconds, rest = divmod(step.time // 1000, 1_000_000)
        text = step.text + _remarks(step)
        line = f"{f'{seconds}.{rest:06d}':>{_TIME - 2}}  {_arrow(step, at, size)}"
        if beside:
            first, *others = wrap(text, room) or [""]
            out.append(f"{line} {first}".rstrip())
            out += [f"{'':{_TIME}}{idle} {other}" for other in others]
        else:
            out.append(line.rstrip())
            out += [f"{'':{_TIME}}{part}" for part in wrap(text, max(width - _TIME, _LEAST_TEXT))]
    return out


def _remarks(step: Step) -> str:
    """Why it was dropped, and by whom where there were several."""
    out = ""
    for taker in step.takers:
        if taker.reason:
            out += f" [{taker.reason}{f' at {taker.node}' if len(step.takers) > 1 else ''}]"
    return out


def _rails(at: dict[str, int], size: int) -> str:
    line = [" "] * size
    for position in at.values():
        line[position] = "|"
    return "".join(line)


def _arrow(step: Step, at: dict[str, int], size: int) -> str:
    """The columns with the frame's arrow: ``>`` or ``<`` at who took it, ``x`` at who dropped it or would have got it.

    ``@`` beside the sender: the frame came to itself.
    """
    line = list(_rails(at, size))
    here = at[step.sender]
    others = [taker for taker in step.takers if taker.node != step.sender]
    for taker in others:
        there = at[taker.node]
        for position in range(min(here, there) + 1, max(here, there)):
            line[position] = "-"
    for taker in others:
        there = at[taker.node]
        right = there > here
        line[there] = "|"
        line[there - 1 if right else there + 1] = "x" if taker.reason else ">" if right else "<"
    if not others:
        own = [taker for taker in step.takers if taker.node == step.sender]
        if at.get(step.near, here) < here:
            stub = range(here - 1, max(here - _STUB, -1), -1)
        else:
            stub = range(here + 1, min(here + _STUB, size))
        for position in stub:
            line[position] = "-"
        if own and stub:
            line[stub[-1]] = "x" if own[0].reason else "@"
    return "".join(line)
