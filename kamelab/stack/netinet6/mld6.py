"""Multicast listener discovery, the listener's side, and group membership (KAME mld6.c; RFC 2710, RFC 3590).

Version 1 is here; version 2 (``net.inet6.icmp6.mldv2``) is in `mld6_v2`, the table of states in `mld6_state`. The
querier's side is the user-land daemon mld6d, which hears the messages of an interface that has joined ``::``, the group
of all groups.

Joining and leaving, for addresses and sockets: `in6_addmulti`, `in6_delmulti`; with sources `in6_addmulti_source`,
`in6_delmulti_source`; any change of one member's filter `in6_modmulti`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS, SECOND
from kamelab.core.errors import ENOBUFS, Errno
from kamelab.core.timers import Timer
from kamelab.stack.netinet6 import mld6_v2
from kamelab.stack.netinet6.mld6_state import DELAYING, IDLE, NON_LISTENER, SILENT, move
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Action, Output, Packet, Verdict, deliver, drop
from kamelab.stack.state import Filter, Group
from kamelab.wire import exthdr, in6, mld
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.ether import multicast_mac

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

UNSOLICITED_REPORT_INTERVAL = 10 * SECOND
"""RFC 2710 7.10."""
ALL_GROUPS = in6.UNSPECIFIED
"""Who joins this hears the listeners' messages about every group (KAME in6_addmulti for multicast routers)."""
ANY_SOURCE = Filter(True)
"""An ordinary membership: packets from everybody."""
GROUP_LIMIT = 512
"""Groups that programs may join on an interface; the kernel's own come on top."""


def silent(addr: bytes) -> bool:
    """ff02::1 and groups of scope 0 and 1 are never reported (RFC 2710 6), nor is the group of all groups."""
    return addr[1] & 0x0F < 2 or in6_clearscope(addr) == in6.ALLNODES


def in6_allmulti(node: Node, iface: Interface) -> bool:
    """A router whose querier wants the listeners' messages whatever their group: KAME's kernel with a multicast router.

    Hosts never hear them (KAME mld6query(8)).
    """
    return ALL_GROUPS in iface.groups and bool(node.sysctl["net.inet6.ip6.forwarding"])


# -- membership ----------------------------------------------------------------------------------------------------


def in6_addmulti(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """Join: the filter opens, a report goes out at once and once more within ten seconds (RFC 2710 4).

    Nothing happens on an interface that can't do multicast.
    """
    return _modmulti(node, iface, addr, None, ANY_SOURCE)


def in6_delmulti(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """Leave: Done to the routers if ours was the last report heard (RFC 2710 4)."""
    return _modmulti(node, iface, addr, ANY_SOURCE, None)


def in6_addmulti_source(node: Node, iface: Interface, addr: bytes, source: bytes) -> list[Action]:
    """Join for packets from ``source`` only (RFC 3678 5.1.1); several such memberships add up. ENOBUFS."""
    return in6_modmulti(node, iface, addr, None, Filter(False, (source,)))


def in6_delmulti_source(node: Node, iface: Interface, addr: bytes, source: bytes) -> list[Action]:
    """Leave what `in6_addmulti_source` joined."""
    return in6_modmulti(node, iface, addr, Filter(False, (source,)), None)


def in6_modmulti(node: Node, iface: Interface, addr: bytes, old: Filter | None, new: Filter | None) -> list[Action]:
    """One member's filter becomes ``new`` instead of ``old``; None, and including nothing, is no membership.

    For programs. ENOBUFS: too many groups, or more sources than ``net.inet6.icmp6.mldmaxsrcfilter``; then nothing has
    changed.
    """
    if new is not None and len(new.sources) > node.sysctl["net.inet6.icmp6.mldmaxsrcfilter"]:
        raise Errno(ENOBUFS)
    if old is None and addr not in iface.groups and len(iface.groups) >= GROUP_LIMIT:
        raise Errno(ENOBUFS)
    return _modmulti(node, iface, addr, old, new)


def _modmulti(node: Node, iface: Interface, addr: bytes, old: Filter | None, new: Filter | None) -> list[Action]:
    if not iface.multicast:
        return []
    group = iface.groups.get(addr)
    refs = {} if group is None else dict(group.refs)
    if old is not None and (old.exclude or old.sources):
        if old not in refs:
            return []
        refs[old] -= 1
        if not refs[old]:
            del refs[old]
    if new is not None and (new.exclude or new.sources):
        refs[new] = refs.get(new, 0) + 1
    before = Filter(False) if group is None else group.filter
    after = merged(refs, node.sysctl["net.inet6.icmp6.mldmaxsrcfilter"])
    if group is None:
        if not refs:
            return []
        group = _enter(node, iface, addr)
    group.refs, group.filter = refs, after
    if not refs:
        return _leave(node, iface, group, before)
    if silent(addr) or iface.loopback or not iface.up:
        return []
    if group.state == NON_LISTENER:
        return start_listening(node, iface, group)
    if before != after and mld6_v2.speaks(node, iface):
        return mld6_v2.changed(node, iface, addr, before, after)
    return []


def merged(refs: dict[Filter, int], limit: int) -> Filter:
    """What all members together want to hear (RFC 3810 4.2).

    More than ``limit`` sources make it a membership for everybody's packets.
    """
    included: set[bytes] = set()
    excluded: set[bytes] | None = None
    for one in refs:
        if one.exclude:
            excluded = set(one.sources) if excluded is None else excluded & set(one.sources)
        else:
            included |= set(one.sources)
    out = Filter(False, tuple(sorted(included)))
    if excluded is not None:
        out = Filter(True, tuple(sorted(excluded - included)))
    return out if len(out.sources) <= limit else ANY_SOURCE


def _enter(node: Node, iface: Interface, addr: bytes) -> Group:
    quiet = silent(addr) or iface.loopback
    group = iface.groups[addr] = Group(addr, SILENT if quiet else NON_LISTENER)
    node.generation += 1
    if iface.mac and addr != ALL_GROUPS:
        mac = multicast_mac(in6_clearscope(addr))
        iface.filter[mac] = iface.filter.get(mac, 0) + 1
    return group


def _leave(node: Node, iface: Interface, group: Group, before: Filter) -> list[Action]:
    addr = group.addr
    if group.timer is not None:
        group.timer.cancel()
    del iface.groups[addr]
    node.generation += 1
    if iface.mac and addr != ALL_GROUPS:
        mac = multicast_mac(in6_clearscope(addr))
        iface.filter[mac] -= 1
        if iface.filter[mac] <= 0:
            del iface.filter[mac]
    if not move(node, iface, group, "stop"):
        return []
    if mld6_v2.speaks(node, iface):
        return mld6_v2.changed(node, iface, addr, before, Filter(False))
    if not group.last_reporter:
        return []
    routers = in6_setscope(in6.ALLROUTERS, iface) or b""
    return [_message(iface, routers, icmp.MLD_DONE, addr)]


def filter_again(iface: Interface) -> None:
    """The interface has another MAC: its filter is filled anew."""
    iface.filter.clear()
    for addr in iface.groups:
        if addr != ALL_GROUPS:
            mac = multicast_mac(in6_clearscope(addr))
            iface.filter[mac] = iface.filter.get(mac, 0) + 1


def lets_all_in(iface: Interface, mac: bytes) -> bool:
    """Whether a frame to ``mac`` passes because all of IPv6's groups do (KAME ether_addmulti of ``::``)."""
    return mac[:2] == b"\x33\x33" and ALL_GROUPS in iface.groups


# -- the interface comes and goes ------------------------------------------------------------------------------------


def mld6_if_up(node: Node, iface: Interface) -> list[Action]:
    """Every group that has not been reported yet is reported now."""
    actions: list[Action] = []
    for group in list(iface.groups.values()):
        if group.state == NON_LISTENER:
            actions += start_listening(node, iface, group)
    return actions


def mld6_if_down(node: Node, iface: Interface) -> None:
    """Memberships fall silent; nothing can be sent any more."""
    mld6_v2.stop(iface)
    for group in iface.groups.values():
        if group.timer is not None:
            group.timer.cancel()
        group.reports = 0
        group.last_reporter = False
        move(node, iface, group, "down")


def start_listening(node: Node, iface: Interface, group: Group) -> list[Action]:
    """The first report now, the second after a random time."""
    if mld6_v2.speaks(node, iface):
        move(node, iface, group, "listen")
        return mld6_v2.changed(node, iface, group.addr, Filter(False), group.filter)
    num = move(node, iface, group, "start")
    group.last_reporter = True
    group.reports = 1
    wait = node.streams.below(f"{node.name}/mld6", UNSOLICITED_REPORT_INTERVAL)
    _arm(node, iface, group, node.clock.now + wait, num)
    return [_report(iface, group.addr)]


# -- timers and messages ---------------------------------------------------------------------------------------------


def mld6_timer(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """A group's report is due."""
    group = iface.groups.get(addr)
    if group is None or not iface.up:
        return []
    node.trace.cause = move(node, iface, group, "timeout") or node.trace.cause
    if mld6_v2.speaks(node, iface):
        asked, group.asked = group.asked, ()
        return mld6_v2.answer(iface, group, asked)
    return [_answer(iface, group)]


def _answer(iface: Interface, group: Group) -> Output:
    group.reports = 0
    group.last_reporter = True
    return _report(iface, group.addr)


def mld6_input(node: Node, pkt: Packet, kind: int, body: bytes) -> Verdict:
    """A query, report or done (KAME mld6_input)."""
    pkt.stage = "mld6_input"
    if pkt.hlim != 1:
        return drop("MLD_HLIM")
    if not in6.is_linklocal(pkt.src):
        return drop("MLD_NOT_LINKLOCAL")
    if node.sysctl["net.inet6.icmp6.mldv2"] and pkt.rtalert != exthdr.RTALERT_MLD:
        return drop("MLD_NO_ALERT")
    if kind == icmp.MLDV2_REPORT:
        # For queriers alone, who read it from a raw socket.
        return deliver("")
    try:
        message = mld.Mld.parse(body)
    except WireError:
        return drop("ICMP6_BADLEN")
    if message.group[0] != 0xFF and (message.group != in6.UNSPECIFIED or kind != icmp.MLD_QUERY):
        return drop("MLD_BADGROUP")
    iface = pkt.iface
    if kind == icmp.MLD_QUERY:
        if node.sysctl["net.inet6.icmp6.mldv2"]:
            if len(body) >= mld.QUERY_V2_LEN:
                if mld6_v2.speaks(node, iface):
                    return mld6_v2.query(node, iface, body)
            elif len(body) > mld.BODY_LEN:
                return drop("MLD_BADLEN")
            elif node.sysctl["net.inet6.icmp6.mldalwaysv2"]:
                return mld6_v2.plain_query(node, iface, message)
            else:
                mld6_v2.older_querier(node, iface)
        return _query(node, iface, message)
    if kind == icmp.MLD_REPORT:
        heard = iface.groups.get(in6_setscope(message.group, iface) or b"")
        if heard is not None and not pkt.looped and not mld6_v2.speaks(node, iface):
            if heard.timer is not None:
                heard.timer.cancel()
            heard.last_reporter = False
            heard.reports = 0
            move(node, iface, heard, "report")
    return deliver("")


def _query(node: Node, iface: Interface, message: mld.Mld) -> Verdict:
    """Version 1: each group that is asked for answers after a random time of its own (RFC 2710 4)."""
    actions: list[Action] = []
    for group in list(iface.groups.values()):
        if group.state not in (DELAYING, IDLE):
            continue
        if message.group not in (in6.UNSPECIFIED, in6_clearscope(group.addr)):
            continue
        wait = node.streams.below(f"{node.name}/mld6", message.max_delay * MS + 1)
        due = node.clock.now + wait
        if message.max_delay == 0:
            if group.timer is not None:
                group.timer.cancel()
            move(node, iface, group, "timeout")
            actions.append(_answer(iface, group))
        elif group.timer is None or group.timer.at is None or group.timer.at > due:
            _arm(node, iface, group, due, move(node, iface, group, "query"))
    return deliver("", actions)


def _arm(node: Node, iface: Interface, group: Group, at: int, num: int) -> None:
    if group.timer is None:
        group.timer = Timer(node.clock, node, "mld6_timer", (iface.index, group.addr))
    group.timer.arm(at, num or node.trace.cause)


def _report(iface: Interface, addr: bytes) -> Output:
    return _message(iface, addr, icmp.MLD_REPORT, addr)


def _message(iface: Interface, dst: bytes, kind: int, addr: bytes) -> Output:
    return mld6_v2.sendpkt(iface, dst, kind, mld.Mld(0, in6_clearscope(addr)).pack())
