"""``why``: how a packet ended, what it changed, what it came from and what it set off; and who is behind a table's row.

An explanation is plain lines under headings, each with the rule that it follows from (RFC and section, or KAME's
documents). It is read from the trace (`kamelab.core.trace`, causes across nodes) and from tables; asking changes
nothing. Rows of tables - neighbours, addresses, routes - are in `why_tables`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from typing import Any

from kamelab.core.errors import KamelabError
from kamelab.core.trace import Record, Trace
from kamelab.lab import why_tables
from kamelab.lab.session import Session
from kamelab.lab.suggest import did_you_mean
from kamelab.lab.why_text import Explanation
from kamelab.lab.why_words import BOOT, icmp6_type, line, place, rule_of, sentence, with_rule
from kamelab.wire import icmp6, in6
from kamelab.wire.summary import summarize

CHAIN_SHOWN = 40
"""Causes that are told."""
ROOTS_SHOWN = 6
"""Of these, how many from the beginning of a longer chain."""
EFFECTS_SHOWN = 24
EFFECTS_LOOK = 50_000
"""Records behind a packet among which its effects are looked for."""
FIXED_SOURCES = frozenset(
    {
        icmp6.ECHO_REPLY,
        icmp6.MLD_REPORT,
        icmp6.MLD_DONE,
        icmp6.ROUTER_ADVERT,
        icmp6.NEIGHBOR_SOLICIT,
        icmp6.NEIGHBOR_ADVERT,
        icmp6.REDIRECT,
    }
)
"""ICMPv6 messages whose source is not selected."""


def explain(session: Session, words: list[str]) -> Explanation:
    """What ``why WORDS`` says: ``PACKET``, ``drop [NODE]``, ``[NODE] ADDRESS``, ``[NODE] PREFIX/LEN|default``.

    Raises KamelabError for words that ask for nothing, or for what the lab does not know.
    """
    nodes = session.lab.nodes
    if not words:
        raise KamelabError("expected a packet's number, drop, an address, a prefix, or default")
    if words[0] == "drop":
        if len(words) > 2:
            raise KamelabError(f"{words[2]!r} is one word too many")
        if len(words) == 2 and words[1] not in nodes:
            raise KamelabError(f"no node is called {words[1]!r}{did_you_mean(words[1], nodes)}")
        return last_drop(session, words[1] if len(words) == 2 else "")
    node = session.selected
    if words[0] in nodes:
        node, words = words[0], words[1:]
        if words == ["drop"]:
            return last_drop(session, node)
    if len(words) != 1:
        raise KamelabError(
            f"{words[1]!r} is one word too many" if words else "expected an address, a prefix, default, or drop"
        )
    if words[0].isdecimal():
        return packet(session, int(words[0]))
    return why_tables.explain(session, node, words[0])


def last_drop(session: Session, node: str = "") -> Explanation:
    """The last packet that was dropped, on any node or on one."""
    trace = session.world.network.trace
    for row in reversed(trace.records):
        if row[6] == "drop" and (not node or row[2] == node):
            return packet(session, row[0])
    return Explanation(f"nothing was dropped{f' on {node}' if node else ''} so far")


def packet(session: Session, num: int) -> Explanation:
    """A record of the trace: a captured frame, or any other; what it is a part of."""
    trace = session.world.network.trace
    record = trace.get(num)
    if record is None:
        later = f"; the last one is {trace.num}" if num > trace.num else ": it was let go"
        raise KamelabError(f"the trace has no record {num}{later}")
    about = Explanation(f"record {num} at {place(record)}: {sentence(record)}")
    frame = record.frame or _frame(trace, record)
    if record.event == "rx":
        ends = endings(trace, record)
        about.section("ended", [line(end, frame) for end in ends] or ["       not yet"])
        inner = {end.num for end in ends}
        states = _states(trace, {num} | inner)
    elif record.event == "tx":
        inner = set()
        states = []
        about.section("arrived", _heard(session, record))
    else:
        inner = set()
        if frame:
            about.section("packet", [f"       {summarize(frame)}"])
        if record.event == "drop":
            about.section("ended", [line(record, frame)])
        elif rule_of(record, frame):
            about.section("rule", [f"       {rule_of(record, frame)}"])
        states = [one for one in _states(trace, {num}) if one.num != num]
    about.section("changed", [line(one) for one in states])
    about.section("because of, the first cause first", causes(trace, record))
    skip = inner | {one.num for one in states}
    found, more = effects(trace, num, skip)
    told = [line(one, _frame(trace, one)) for one in found[:EFFECTS_SHOWN]]
    if len(found) > EFFECTS_SHOWN or more:
        told.append(f"       and {'at least ' if more else ''}{len(found) - EFFECTS_SHOWN} more")
    about.section("set off, in order", told)
    return about


def causes(trace: Trace, record: Record) -> list[str]:
    """From what began it down to ``record`` itself; beside each what set it off just then."""
    chain = trace.chain(record.num)
    first = chain[-1]
    lines = []
    if first.cause:
        lines.append(f"       what came before record {first.num} is not in the trace any more")
    elif first.event != "command":
        lines.append(f"       {BOOT}")
    chosen = set[int]()
    gap = len(chain) - CHAIN_SHOWN
    for behind, one in enumerate(reversed(chain)):
        if gap > 0 and ROOTS_SHOWN <= behind < ROOTS_SHOWN + gap:
            # A long conversation: how it began, and what lies just before.
            if behind == ROOTS_SHOWN:
                lines.append(f"       {gap} causes more")
            continue
        lines.append(line(one, _frame(trace, one)))
        also = trace.get(one.also) if one.also else None
        if also is not None and also.num != one.cause:
            text = with_rule(sentence(also), rule_of(also, _frame(trace, also)))
            lines.append(f"       just then because of {also.num} at {place(also)}: {text}")
        for choice in _selection(trace, one):
            if choice.num not in chosen:
                chosen.add(choice.num)
                text = with_rule(choice.note.partition(": ")[2], choice.rule)
                lines.append(f"       its source, by record {choice.num}: {text}")
    return lines


def endings(trace: Trace, record: Record) -> list[Record]:
    """How a received packet ended: one record, or the hold and what became of it."""
    end = trace.outcome(tuple(record))
    if end is None:
        return []
    hold = trace.get(end.cause) if end.cause else None
    if hold is not None and hold.event == "hold" and hold.packet == record.packet:
        return [hold, end]
    return [end]


def effects(trace: Trace, num: int, skip: set[int]) -> tuple[list[Record], bool]:
    """Records that exist because of ``num``, near and far, without ``skip``; whether the look was cut short.

    What a record set off just then (``also``) counts too, but neither a program's wait that began with it nor what a
    timer set off: a program's next packet has that program as its cause.
    """
    inside = {num} | skip
    timers = set[int]()
    found: list[Record] = []
    looked = 0
    for row in _behind(trace, num):
        looked += 1
        if looked > EFFECTS_LOOK:
            return found, True
        if row[0] in skip:
            continue
        if row[10] in inside or (row[11] in inside and row[11] not in timers):
            if row[6] == "timer":
                if row[4] == "timeout":
                    continue
                timers.add(row[0])
            inside.add(row[0])
            found.append(Record._make(row))
            if len(found) >= EFFECTS_SHOWN * 20:
                return found, True
    return found, False


def _behind(trace: Trace, num: int) -> Iterator[tuple[Any, ...]]:
    parts = [rows[bisect_left(rows, (num + 1,)) :] for rows in (trace.packets, trace.records)]
    return merge(*parts, key=lambda row: row[0])


def _states(trace: Trace, of: set[int]) -> list[Record]:
    """``state`` records right behind those of ``of`` that have one of them as their cause."""
    records = trace.records
    at = bisect_left(records, (min(of),))
    last = max(of)
    found = []
    for row in records[at : at + 2000]:
        if row[6] == "state" and row[10] in of:
            found.append(Record._make(row))
        elif row[0] > last + 500:
            break
    return found


def _selection(trace: Trace, record: Record) -> list[Record]:
    """The choice of a sent packet's source, where there was one to make: told once, until something changes it.

    Answers and messages whose source the protocol fixes are left out (KAME IMPLEMENTATION 1.6.1 (2001)).
    """
    frame = record.frame
    if record.event != "tx" or len(frame) < 54 or record.note == "ip6_forward" or icmp6_type(frame) in FIXED_SOURCES:
        return []
    source, destination = in6.ntop(frame[22:38]), in6.ntop(frame[38:54])
    records = trace.records
    at = bisect_left(records, (record.num,))
    for row in reversed(records[max(0, at - EFFECTS_LOOK) : at]):
        if row[4] != "in6_selectsrc" or row[2] != record.node or record.interface not in (row[3], "lo0"):
            continue
        words = row[9].split(" ", 3)
        if len(words) == 4 and words[2].rstrip(":").partition("%")[0] == destination:
            return [Record._make(row)] if words[0].partition("%")[0] == source else []
    return []


def _heard(session: Session, record: Record) -> list[str]:
    """What became of a sent frame: who took it, and where it was lost."""
    network = session.world.network
    trace = network.trace
    lines = []
    for row in _behind(trace, record.num):
        if row[1] > record.time and row[0] - record.num > EFFECTS_LOOK:
            break
        if row[10] != record.num:
            continue
        one = Record._make(row)
        if one.event == "rx":
            ends = endings(trace, one)
            text = "; ".join(with_rule(sentence(end), rule_of(end, one.frame)) for end in ends) or "not yet ended"
            lines.append(f"{one.num:>6} {place(one)} received it: {text}")
        elif one.event in ("drop", "state") and one.stage.startswith("link"):
            lines.append(line(one))
    flying = [entry for entry in network.clock.heap if len(entry) > 4 and entry[4] == record.num]
    if flying:
        lines.append(f"       on its way to {', '.join(f'{one[2].node.name}:{one[2].name}' for one in flying)}")
    if not lines:
        lines.append("       no interface took it: none is plugged in there that listens to its address (RFC 2464 7)")
    return lines


def _frame(trace: Trace, record: Record) -> bytes:
    """The frame of the packet that a record is about: its own, or that of the nearest cause with the same packet."""
    if record.frame:
        return record.frame
    if record.event == "drop" and record.stage.startswith("link"):
        sent = trace.get(record.cause)
        return sent.frame if sent is not None else b""
    if not record.packet:
        return b""
    for one in trace.chain(record.cause):
        if one.packet == record.packet and one.frame:
            return one.frame
    return b""
