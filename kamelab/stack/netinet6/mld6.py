"""Multicast listener discovery, the listener's side, and group membership (KAME mld6.c; RFC 2710).

The querier's side and MLDv2 are not here yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import MS, SECOND
from kamelab.core.timers import Timer
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Action, Output, Packet, Verdict, deliver, drop
from kamelab.stack.state import Group
from kamelab.wire import exthdr, in6, mld
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.ether import multicast_mac
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

UNSOLICITED_REPORT_INTERVAL = 10 * SECOND
"""RFC 2710 7.10."""


def silent(addr: bytes) -> bool:
    """ff02::1 and groups of scope 0 and 1 are never reported (RFC 2710 6)."""
    return addr[1] & 0x0F < 2 or in6_clearscope(addr) == in6.ALLNODES


def in6_addmulti(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """Join: the filter opens, a report goes out at once and once more within ten seconds (RFC 2710 4).

    Nothing happens on an interface that can't do multicast.
    """
    if not iface.multicast:
        return []
    group = iface.groups.get(addr)
    if group is not None:
        group.refcnt += 1
        return []
    group = iface.groups[addr] = Group(addr)
    node.generation += 1
    if iface.mac:
        mac = multicast_mac(in6_clearscope(addr))
        iface.filter[mac] = iface.filter.get(mac, 0) + 1
    if silent(addr) or iface.loopback or not iface.up:
        return []
    return start_listening(node, iface, group)


def filter_again(iface: Interface) -> None:
    """The interface has another MAC: its filter is filled anew."""
    iface.filter.clear()
    for addr in iface.groups:
        mac = multicast_mac(in6_clearscope(addr))
        iface.filter[mac] = iface.filter.get(mac, 0) + 1


def start_listening(node: Node, iface: Interface, group: Group) -> list[Action]:
    """The first report now, the second after a random time."""
    group.last_reporter = True
    group.reports = 1
    wait = node.streams.below(f"{node.name}/mld6", UNSOLICITED_REPORT_INTERVAL)
    _arm(node, iface, group, node.clock.now + wait)
    return [_report(iface, group.addr)]


def in6_delmulti(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """Leave: Done to the routers if ours was the last report heard (RFC 2710 4)."""
    group = iface.groups.get(addr)
    if group is None:
        return []
    group.refcnt -= 1
    if group.refcnt > 0:
        return []
    if group.timer is not None:
        group.timer.cancel()
    del iface.groups[addr]
    node.generation += 1
    if iface.mac:
        mac = multicast_mac(in6_clearscope(addr))
        iface.filter[mac] -= 1
        if iface.filter[mac] <= 0:
            del iface.filter[mac]
    if silent(addr) or iface.loopback or not iface.up or not group.last_reporter:
        return []
    routers = in6_setscope(in6.ALLROUTERS, iface) or b""
    return [_message(iface, routers, icmp.MLD_DONE, addr)]


def mld6_timer(node: Node, iface: Interface, addr: bytes) -> list[Action]:
    """A group's report is due."""
    group = iface.groups.get(addr)
    if group is None or not iface.up:
        return []
    group.reports = 0
    group.last_reporter = True
    return [_report(iface, addr)]


def mld6_input(node: Node, pkt: Packet, kind: int, body: bytes) -> Verdict:
    """A query, report or done (KAME mld6_input)."""
    pkt.stage = "mld6_input"
    if pkt.hlim != 1:
        return drop("MLD_HLIM")
    if not in6.is_linklocal(pkt.src):
        return drop("MLD_NOT_LINKLOCAL")
    try:
        message = mld.Mld.parse(body)
    except WireError:
        return drop("ICMP6_TOOSHORT")
    iface = pkt.iface
    if kind == icmp.MLD_QUERY:
        actions: list[Action] = []
        for group in list(iface.groups.values()):
            plain = in6_clearscope(group.addr)
            if silent(group.addr) or (message.group != in6.UNSPECIFIED and message.group != plain):
                continue
            wait = node.streams.below(f"{node.name}/mld6", message.max_delay * MS + 1)
            due = node.clock.now + wait
            if message.max_delay == 0:
                if group.timer is not None:
                    group.timer.cancel()
                actions += mld6_timer(node, iface, group.addr)
            elif group.timer is None or group.timer.at is None or group.timer.at > due:
                _arm(node, iface, group, due)
        return deliver("", actions)
    if kind == icmp.MLD_REPORT:
        addr = in6_setscope(message.group, iface)
        heard = iface.groups.get(addr or b"")
        if heard is not None and not pkt.looped:
            if heard.timer is not None:
                heard.timer.cancel()
            heard.last_reporter = False
            heard.reports = 0
    return deliver("")


def _arm(node: Node, iface: Interface, group: Group, at: int) -> None:
    if group.timer is None:
        group.timer = Timer(node.clock, node, "mld6_timer", (iface.index, group.addr))
    group.timer.arm(at, node.trace.cause)


def _report(iface: Interface, addr: bytes) -> Output:
    return _message(iface, addr, icmp.MLD_REPORT, addr)


def _message(iface: Interface, dst: bytes, kind: int, addr: bytes) -> Output:
    """Source: the link-local address, or :: while there is none ready (RFC 3590 4); hop limit 1, router alert."""
    own = iface.linklocal()
    src = own.addr if own is not None and own.usable else in6.UNSPECIFIED
    body = mld.Mld(0, in6_clearscope(addr)).pack()
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
        loop=False,
    )
