"""The decode tree of node information messages (RFC 4620) and of the head of router renumbering (RFC 2894 3.1).

Names of hosts are read as DNS labels or, in a reply of draft 03, as one length octet and the text. Left out: the
operations and reports of router renumbering, and the bitmap of supported qtypes, shown as data.
"""

from __future__ import annotations

from typing import Final

from kamelab.capture.tree import Cursor, Field
from kamelab.wire import icmp6 as icmp
from kamelab.wire import nodeinfo, rr
from kamelab.wire.buffer import WireError

_QTYPES: Final = {
    nodeinfo.NOOP: "NOOP",
    nodeinfo.SUPTYPES: "supported qtypes",
    nodeinfo.FQDN: "node name",
    nodeinfo.NODEADDR: "node addresses",
    nodeinfo.IPV4ADDR: "IPv4 addresses",
}
_FLAGS: Final = (
    ("g", nodeinfo.GLOBAL),
    ("s", nodeinfo.SITELOCAL),
    ("l", nodeinfo.LINKLOCAL),
    ("c", nodeinfo.COMPAT),
    ("a", nodeinfo.ALL),
    ("t", nodeinfo.TRUNCATE),
)

_RR_FLAGS: Final = (("t", rr.TEST), ("r", rr.REQRESULT), ("a", rr.FORCEAPPLY), ("s", rr.SPECSITE), ("p", rr.PREVDONE))


def node_information(cursor: Cursor, kind: int, code: int) -> None:
    """A query or a reply, from behind the checksum on."""
    qtype = cursor.uint("icmpv6.ni.qtype", _QTYPES)
    with cursor.group("icmpv6.ni.flag") as group:
        at = cursor.take(2, "flags")
        flags = int.from_bytes(cursor.frame[at : at + 2], "big")
        group.value = flags
        group.label = f"Flags: 0x{flags:04x} ({nodeinfo.flag_letters(flags) or 'none'})"
        for letter, bit in _FLAGS:
            cursor.flag(f"icmpv6.ni.flag.{letter}", bool(flags & bit), at, 2)
    cursor.uint("icmpv6.ni.nonce")
    if kind == icmp.NI_QUERY:
        if code == nodeinfo.SUBJ_IPV6 and cursor.left() == 16:
            cursor.address("icmpv6.ni.query.subject_ipv6")
        elif code == nodeinfo.SUBJ_FQDN and cursor.left():
            _names(cursor, "icmpv6.ni.query.subject_fqdn", "Subject")
    elif code == nodeinfo.SUCCESS and qtype == nodeinfo.FQDN and cursor.left() > 4:
        cursor.uint("icmpv6.ni.reply.node_ttl")
        _names(cursor, "icmpv6.ni.reply.node_name", "Name")
    elif code == nodeinfo.SUCCESS and qtype == nodeinfo.NODEADDR:
        while cursor.left():
            cursor.uint("icmpv6.ni.reply.node_ttl")
            cursor.address("icmpv6.ni.reply.node_address")


def _names(cursor: Cursor, field: str, title: str) -> None:
    """Everything that is left, as one name or several."""
    start = cursor.pos
    data = cursor.frame[start : cursor.end]
    try:
        if data[0] == len(data) - 1 and data[-1]:
            names: tuple[str, ...] = (data[1:].decode("utf-8", "replace"),)
        else:
            names = nodeinfo.decode_names(data)
    except WireError:
        return
    cursor.take(len(data), "names")
    for name in names:
        cursor.out.append(Field(field, f"{title}: {name}", name, start, len(data)))


def router_renumbering(cursor: Cursor) -> None:
    """The twelve octets that every message begins with; what follows stays data."""
    cursor.uint("icmpv6.rr.sequence_number")
    cursor.uint("icmpv6.rr.segment_number")
    with cursor.group("icmpv6.rr.flag") as group:
        at = cursor.take(1, "flags")
        flags = cursor.frame[at]
        group.value = flags
        letters = "".join(letter for letter, bit in _RR_FLAGS if flags & bit)
        group.label = f"Flags: 0x{flags:02x} ({letters.upper() or 'none'})"
        for letter, bit in _RR_FLAGS:
            cursor.flag(f"icmpv6.rr.flag.{letter}", bool(flags & bit), at)
    cursor.uint("icmpv6.rr.maxdelay")
    cursor.octets("icmpv6.reserved", 4)
