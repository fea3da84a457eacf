"""The listener's side of version 2: filters are reported as they change, and whole as queriers ask (KAME mld6v2.c;
RFC 3810 6, 8.2).

On with ``net.inet6.icmp6.mldv2``. While a querier of version 1 is about, an interface speaks version 1, unless
``net.inet6.icmp6.mldalwaysv2`` says otherwise. Left out: keeping silent after a version 1 report of another listener
(RFC 3810 8.2.2 leaves the choice).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS, SECOND
from kamelab.core.timers import Timer
from kamelab.stack.netinet6.mld6_state import DELAYING, IDLE, SILENT, move
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Action, Output, Verdict, deliver, drop
from kamelab.stack.state import Change, Filter
from kamelab.wire import exthdr, in6, mld
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node
    from kamelab.stack.state import Group

UNSOLICITED_REPORT_INTERVAL = 1 * SECOND
"""RFC 3810 9.11."""
QUERY_RESPONSE_INTERVAL = 10 * SECOND
"""RFC 3810 9.3; what a host assumes of an older querier."""
V2_ROUTERS = b"\xff\x02" + bytes(13) + b"\x16"
"""ff02::16, where all reports go (RFC 3810 5.2.14)."""
_HEADERS = 40 + 8 + 4
"""Octets before a report's body: IPv6, router alert, ICMPv6."""


def speaks(node: Node, iface: Interface) -> bool:
    """Whether the interface is in version 2's mode now."""
    if not node.sysctl["net.inet6.icmp6.mldv2"]:
        return False
    older = iface.mld.older
    return older is None or older.at is None or bool(node.sysctl["net.inet6.icmp6.mldalwaysv2"])


def forget(iface: Interface) -> None:
    """Drop every pending answer and retransmission."""
    link = iface.mld
    link.changes.clear()
    for timer in (link.general, link.change_timer):
        if timer is not None:
            timer.cancel()
    for group in iface.groups.values():
        group.asked = ()


def stop(iface: Interface) -> None:
    """The interface goes down: the querier is forgotten too."""
    forget(iface)
    link = iface.mld
    if link.older is not None:
        link.older.cancel()
    link.robustness, link.interval = 2, 125


# -- changes of filters ----------------------------------------------------------------------------------------------


def changed(node: Node, iface: Interface, addr: bytes, before: Filter, after: Filter) -> list[Action]:
    """Tell the routers now, and again, as often as the robustness variable says (RFC 3810 6.1)."""
    link = iface.mld
    change = link.changes.get(addr)
    if change is None:
        change = link.changes[addr] = Change()
    if before.exclude != after.exclude:
        change.mode = link.robustness
        change.sources.clear()
    else:
        for source in sorted(set(before.sources) ^ set(after.sources)):
            change.sources[source] = link.robustness
    return _send_changes(node, iface, [addr])


def _send_changes(node: Node, iface: Interface, addrs: list[bytes]) -> list[Action]:
    link = iface.mld
    records: list[mld.Record] = []
    for addr in addrs:
        change = link.changes[addr]
        group = iface.groups.get(addr)
        records += _change_records(addr, change, Filter(False) if group is None else group.filter)
        change.mode = max(0, change.mode - 1)
        change.sources = {source: left - 1 for source, left in change.sources.items() if left > 1}
        if not change.mode and not change.sources:
            del link.changes[addr]
    if link.changes:
        wait = 1 + node.streams.below(f"{node.name}/mld6", UNSOLICITED_REPORT_INTERVAL)
        if link.change_timer is None:
            link.change_timer = Timer(node.clock, node, "mld6_link_timer", (iface.index, "changes"))
        if link.change_timer.at is None:
            link.change_timer.arm(node.clock.now + wait, node.trace.cause)
    elif link.change_timer is not None:
        link.change_timer.cancel()
    return reports(iface, records)


def _change_records(addr: bytes, change: Change, now: Filter) -> list[mld.Record]:
    """The mode with all its sources while that is to be told, else sources let in and shut out."""
    plain = in6_clearscope(addr)
    if change.mode:
        return [mld.Record(mld.TO_EX if now.exclude else mld.TO_IN, plain, now.sources)]
    out = []
    allow = tuple(source for source in sorted(change.sources) if now.passes(source))
    block = tuple(source for source in sorted(change.sources) if not now.passes(source))
    if allow:
        out.append(mld.Record(mld.ALLOW, plain, allow))
    if block:
        out.append(mld.Record(mld.BLOCK, plain, block))
    return out


# -- queries ---------------------------------------------------------------------------------------------------------


def query(node: Node, iface: Interface, body: bytes) -> Verdict:
    """A version 2 query: one answer for everything, or one for a group and the sources asked for (RFC 3810 6.2)."""
    try:
        message = mld.QueryV2.parse(body)
    except WireError:
        return drop("ICMP6_BADLEN")
    link = iface.mld
    link.robustness = message.robustness or 2
    link.interval = message.interval or 125
    return _ask(node, iface, message.max_delay, message.group, message.sources)


def plain_query(node: Node, iface: Interface, message: mld.Mld) -> Verdict:
    """A version 1 query that is answered in version 2 all the same (``mldalwaysv2``)."""
    return _ask(node, iface, message.max_delay, message.group, ())


def _ask(node: Node, iface: Interface, max_delay: int, group_addr: bytes, sources: tuple[bytes, ...]) -> Verdict:
    """Arm the answer. Where more sources are asked for than are kept, it is for the whole group."""
    link = iface.mld
    due = node.clock.now + node.streams.below(f"{node.name}/mld6", max(1, max_delay) * MS)
    general = link.general.at if link.general is not None else None
    if general is not None and general <= due:
        return deliver("an answer for all groups is due before")
    if group_addr == in6.UNSPECIFIED:
        if not any(group.state in (DELAYING, IDLE) for group in iface.groups.values()):
            return deliver("")
        if link.general is None:
            link.general = Timer(node.clock, node, "mld6_link_timer", (iface.index, "general"))
        link.general.arm(due, node.trace.cause)
        return deliver("")
    group = iface.groups.get(in6_setscope(group_addr, iface) or b"")
    if group is None or group.state == SILENT:
        return deliver("")
    if group.timer is None:
        group.timer = Timer(node.clock, node, "mld6_timer", (iface.index, group.addr))
    pending = group.timer.at if group.state == DELAYING else None
    if pending is None:
        group.asked = sources
    elif not sources or not group.asked:
        group.asked = ()
    else:
        group.asked = tuple(sorted({*group.asked, *sources}))
    if len(group.asked) > node.sysctl["net.inet6.icmp6.mldmaxsrcfilter"]:
        group.asked = ()
    num = move(node, iface, group, "query")
    group.timer.arm(due if pending is None else min(due, pending), num or node.trace.cause)
    return deliver("")


def answer(iface: Interface, group: Group, asked: tuple[bytes, ...]) -> list[Action]:
    """The present state of a group, or of those sources of it that were asked for (RFC 3810 6.2)."""
    plain = in6_clearscope(group.addr)
    now = group.filter
    if not asked:
        return reports(iface, [mld.Record(mld.IS_EX if now.exclude else mld.IS_IN, plain, now.sources)])
    heard = tuple(source for source in asked if now.passes(source))
    return reports(iface, [mld.Record(mld.IS_IN, plain, heard)]) if heard else []


def link_timer(node: Node, iface: Interface, which: str) -> list[Action]:
    """``general``: the answer for all groups is due; ``changes``: tell them again; ``older``: no older querier left."""
    if which == "older":
        node.trace.record(
            node.clock.now, node.name, iface.name, "mld6", 0, "state", "version 1 > version 2", "RFC 3810 8.2.1",
            "no querier of version 1 has been heard for long enough",
        )  # fmt: skip
        return []
    if not iface.up or not speaks(node, iface):
        return []
    if which == "changes":
        return _send_changes(node, iface, list(iface.mld.changes))
    records = [
        mld.Record(mld.IS_EX if group.filter.exclude else mld.IS_IN, in6_clearscope(group.addr), group.filter.sources)
        for group in iface.groups.values()
        if group.state in (DELAYING, IDLE)
    ]
    return reports(iface, records)


def older_querier(node: Node, iface: Interface) -> None:
    """A version 1 query was heard: version 1 for as long as its querier counts as present (RFC 3810 8.2.1, 9.12)."""
    link = iface.mld
    if link.older is None:
        link.older = Timer(node.clock, node, "mld6_link_timer", (iface.index, "older"), ageing=True)
    cause = node.trace.cause
    if link.older.at is None:
        forget(iface)
        cause = node.trace.record(
            node.clock.now, node.name, iface.name, "mld6", 0, "state", "version 2 > version 1", "RFC 3810 8.2.1",
            "a querier of version 1 was heard",
        )  # fmt: skip
        for group in iface.groups.values():
            if group.timer is not None:
                group.timer.cancel()
            move(node, iface, group, "older")
    present = link.robustness * link.interval * SECOND + QUERY_RESPONSE_INTERVAL
    link.older.arm(node.clock.now + present, cause)


# -- sending ---------------------------------------------------------------------------------------------------------


def reports(iface: Interface, records: list[mld.Record]) -> list[Action]:
    """Reports with all the records, each packet within the link's MTU (RFC 3810 5.2.15)."""
    room = max(iface.ipv6_mtu(), 1280) - _HEADERS - mld.REPORT_HEADER
    most = (room - mld.RECORD_HEADER) // 16
    packets: list[list[mld.Record]] = []
    left = 0
    for record in records:
        pieces = [record.sources[at : at + most] for at in range(0, len(record.sources), most)] or [()]
        if record.type in (mld.IS_EX, mld.TO_EX):
            # A list of exceptions can't be split: what is cut off is heard although nobody wants it.
            del pieces[1:]
        for piece in pieces:
            size = mld.RECORD_HEADER + 16 * len(piece)
            if size > left:
                packets.append([])
                left = room
            packets[-1].append(mld.Record(record.type, record.group, piece))
            left -= size
    routers = in6_setscope(V2_ROUTERS, iface) or b""
    return [sendpkt(iface, routers, icmp.MLDV2_REPORT, mld.build_v2_report(tuple(one))) for one in packets]


def sendpkt(iface: Interface, dst: bytes, kind: int, body: bytes) -> Output:
    """Source: the link-local address, or :: while there is none ready (RFC 3590 4); hop limit 1, router alert.

    A querier on this node hears it too (KAME mld6_sendpkt).
    """
    own = iface.linklocal()
    src = own.addr if own is not None and own.usable else in6.UNSPECIFIED
    message = icmp.build(in6.UNSPECIFIED, in6.UNSPECIFIED, kind, 0, body)
    return Output(
        "mld6_sendpkt",
        dst,
        IPPROTO_ICMPV6,
        message[:2] + b"\0\0" + message[4:],
        src=src,
        hlim=1,
        oif=iface,
        cksum=2,
        hop_by_hop=exthdr.router_alert(IPPROTO_ICMPV6),
        dad=True,
        loop=in6.UNSPECIFIED in iface.groups,
    )
