"""The responder of node information queries, and the group of the node's name (RFC 4620; KAME icmp6.c ni6_input).

``net.inet6.icmp6.nodeinfo`` says what is told: 1 the name, 2 addresses, 4 temporary addresses too, 8 to sources beyond
the link too (RFC 4620 8: not by default); 0 answers nothing. Left out, as in KAME: the random delay before the answer
to a multicast query, IPv4 addresses (a node has none: the type is unknown to it), the group of RFC 4620 5 with 24 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.stack.netinet6 import mld6
from kamelab.stack.netinet6.nd6_prefix import lifetime_left
from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Action, Output, Packet, Verdict, deliver, drop
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, nodeinfo
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import IPPROTO_ICMPV6, MIN_MTU

if TYPE_CHECKING:
    from kamelab.stack.interface import Address, Interface
    from kamelab.stack.node import Node

FQDNOK: Final = 1
NODEADDROK: Final = 2
TMPADDROK: Final = 4
GLOBALOK: Final = 8
"""Bits of net.inet6.icmp6.nodeinfo."""

ROOM: Final = (MIN_MTU - 40 - 16) // 20
"""Addresses that a reply holds: it is never cut into fragments."""


def ni6_input(node: Node, pkt: Packet, message: bytes) -> Verdict:
    """A query: answered where the subject is this node and the sysctl allows, else silence (RFC 4620 5)."""
    pkt.stage = "ni6_input"
    allowed = node.sysctl["net.inet6.icmp6.nodeinfo"]
    if not allowed:
        return drop("NI_REFUSED")
    if not allowed & GLOBALOK and not in6.is_linklocal(pkt.src) and pkt.src != in6.LOOPBACK:
        return drop("NI_REFUSED")
    if pkt.src == in6.UNSPECIFIED:
        return drop("NI_NOT_MINE")
    own = node.own_address(pkt.dst)
    if own is None and in6.scope(pkt.dst) != 2:
        return drop("NI_NOT_MINE")
    if own is not None and own[1].temporary and not allowed & TMPADDROK:
        return drop("NI_REFUSED")
    query = nodeinfo.NodeInfo.parse(message[4:])
    subject = _subject(node, pkt, message[1], query)
    if subject is None:
        return drop("NI_NOT_MINE")
    if query.qtype not in (nodeinfo.NOOP, nodeinfo.SUPTYPES, nodeinfo.FQDN, nodeinfo.NODEADDR):
        return _reply(node, pkt, query, nodeinfo.UNKNOWN)
    needed = {nodeinfo.FQDN: FQDNOK, nodeinfo.NODEADDR: NODEADDROK}.get(query.qtype, 0)
    if needed & ~allowed:
        if node.sysctl["net.inet6.icmp6.nodeinfo_refuse"]:
            return _reply(node, pkt, query, nodeinfo.REFUSED)
        return drop("NI_REFUSED")
    if query.qtype == nodeinfo.SUPTYPES:
        return _reply(node, pkt, query, data=nodeinfo.SUPPORTED.to_bytes(4, "big"))
    if query.qtype == nodeinfo.FQDN:
        try:
            data = nodeinfo.name_data(node.hostname, old=not query.data)
        except WireError:
            return drop("NI_NOT_MINE")
        return _reply(node, pkt, query, data=data)
    if query.qtype == nodeinfo.NODEADDR:
        found = _addresses(node, subject, query.flags, bool(allowed & TMPADDROK))
        flags = query.flags | (nodeinfo.TRUNCATE if len(found) > ROOM else 0)
        return _reply(node, pkt, query, flags=flags, data=nodeinfo.address_data(tuple(found[:ROOM])))
    return _reply(node, pkt, query)


def _subject(node: Node, pkt: Packet, code: int, query: nodeinfo.NodeInfo) -> Interface | None:
    """The interface that a query is about; None where its subject is not this node."""
    here = pkt.iface if pkt.dst not in node.own else node.own[pkt.dst][0]
    if code == nodeinfo.SUBJ_FQDN:
        if not query.data and query.qtype in (nodeinfo.NOOP, nodeinfo.SUPTYPES):
            return here
        return here if nodeinfo.names_match(query.data, node.hostname) else None
    if code != nodeinfo.SUBJ_IPV6:
        return None
    if not query.data:
        # The query of draft 03, which has no subject.
        return here if query.qtype == nodeinfo.FQDN else None
    if len(query.data) != 16:
        return None
    subject = in6_setscope(query.data, pkt.iface)
    if subject is None:
        return None
    if subject == pkt.dst:
        return here
    own = node.own.get(subject)
    # Of an address of narrower scope nothing is told to where a wider one leads.
    if own is None or not own[1].usable or in6.scope(pkt.dst) > in6.scope(subject):
        return None
    return own[0]


def _addresses(node: Node, subject: Interface, flags: int, temporary: bool) -> list[nodeinfo.NodeAddress]:
    """The addresses that the flags ask for, deprecated ones last (RFC 4620 6.3; KAME ni6_store_addrs)."""
    now = node.clock.now
    first: list[nodeinfo.NodeAddress] = []
    last: list[nodeinfo.NodeAddress] = []
    for iface in node.interfaces.values():
        if iface is not subject and not flags & nodeinfo.ALL:
            continue
        for address in iface.addresses:
            if address.usable and _wanted(address, flags, temporary):
                ttl = lifetime_left(address.vltime, address.updated, now)
                one = nodeinfo.NodeAddress(ttl, in6_clearscope(address.addr))
                (last if address.deprecated else first).append(one)
    return first + last


def _wanted(address: Address, flags: int, temporary: bool) -> bool:
    if address.anycast and not flags & nodeinfo.ANYCAST:
        return False
    if address.temporary and not temporary:
        return False
    scope = in6.scope(address.addr)
    if scope <= 2:
        return bool(flags & nodeinfo.LINKLOCAL)
    return bool(flags & (nodeinfo.SITELOCAL if scope == 5 else nodeinfo.GLOBAL))


def _reply(
    node: Node,
    pkt: Packet,
    query: nodeinfo.NodeInfo,
    code: int = nodeinfo.SUCCESS,
    *,
    flags: int = 0,
    data: bytes = b"",
) -> Verdict:
    node.stat["icmp6.reflect"] += 1
    body = nodeinfo.NodeInfo(query.qtype, flags, query.nonce, data).pack()
    own = node.own_address(pkt.dst)
    reply = Output(
        "icmp6_reflect",
        pkt.src,
        IPPROTO_ICMPV6,
        bytes((icmp.NI_REPLY, code, 0, 0)) + body,
        src=pkt.dst if own is not None and not own[1].anycast else None,
        cksum=2,
    )
    return deliver(nodeinfo.QTYPES.get(query.qtype, f"qtype {query.qtype}"), [reply])


# -- the group of the node's name --------------------------------------------------------------------------------------


def in6_nigroup(iface: Interface, hostname: str) -> bytes | None:
    """The group, with zone, that a node of this name joins on an interface; None for a name that has none."""
    try:
        return in6_setscope(nodeinfo.name_group(hostname), iface)
    except WireError:
        return None


def ni_join(node: Node, iface: Interface) -> list[Action]:
    """Join the group of the node's name; called when an interface gets its first address (KAME in6_update_ifa)."""
    group = in6_nigroup(iface, node.hostname)
    return mld6.in6_addmulti(node, iface, group) if group is not None else []


def sethostname(node: Node, name: str) -> list[Action]:
    """The node gets another name, and changes its groups where it was in that of the old one."""
    old, node.hostname = node.hostname, name
    actions: list[Action] = []
    for iface in node.interfaces.values():
        before, after = in6_nigroup(iface, old), in6_nigroup(iface, name)
        if before == after or not (iface.joined or (iface.loopback and iface.addresses)):
            continue
        if before is not None:
            actions += mld6.in6_delmulti(node, iface, before)
        if after is not None:
            actions += mld6.in6_addmulti(node, iface, after)
    return actions
