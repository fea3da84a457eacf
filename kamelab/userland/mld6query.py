"""mld6query(8): send one multicast listener query, report or done, and print what listeners say.

KAME `mld6query.c`, a debugging tool: its queries come from outside any election of queriers. Left out: version 2
queries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.core.errors import Errno
from kamelab.userland.getopt import Fault, GetoptError, getopt
from kamelab.userland.netdb import GaiError, getaddrinfo, if_indextoname
from kamelab.userland.probe import integer
from kamelab.userland.proc import SIGINT, Signal
from kamelab.wire import exthdr, icmp6, in6, ip6, mld

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.stack.views import AddressRow, InterfaceRow
    from kamelab.userland.proc import Proc

USAGE: Final = "usage: mld6query [-D delay] [-dr] interface [multicast-address]\n"
MAX_DELAY: Final = 10_000
"""Milliseconds that listeners are given to answer."""

_NAMES: Final = {
    icmp6.MLD_QUERY: "Multicast Listener Query",
    icmp6.MLD_REPORT: "Multicast Listener Report",
    icmp6.MLD_DONE: "Multicast Listener Done",
}
_MS: Final = 1_000_000


async def main(proc: Proc, argv: list[str]) -> int:
    """Send, listen for as long as listeners may wait, end. Status 1 if it can't begin, 0 otherwise."""
    try:
        fd, delay = _begin(proc, argv)
    except GetoptError as error:
        proc.error(f"mld6query: {error}\n{USAGE}")
        return 1
    except Fault as fault:
        proc.error(f"mld6query: {fault}\n" if str(fault) else USAGE)
        return 1
    until = proc.time() + delay * _MS
    try:
        while (left := until - proc.time()) > 0:
            message = await proc.recvmsg(fd, left)
            if message is None:
                break
            _print(proc, message)
    except Signal as signal:
        if signal.number != SIGINT:
            raise
    return 0


def _begin(proc: Proc, argv: list[str]) -> tuple[int, int]:
    """Send the message; the socket to listen on and how long, milliseconds. Raises Fault, GetoptError."""
    pairs, rest = getopt(argv, "D:dr")
    kind, delay = icmp6.MLD_QUERY, MAX_DELAY
    for letter, value in pairs:
        flag = letter.lstrip("-")
        if flag == "D":
            number = integer(value, 0, 65535)
            if number is None:
                raise Fault(f"-D {value}: a delay of 0 to 65535 ms is wanted")
            delay = number
        else:
            kind = icmp6.MLD_DONE if flag == "d" else icmp6.MLD_REPORT
    if not 1 <= len(rest) <= 2:
        raise Fault
    rows: tuple[InterfaceRow, ...] = proc.rows("interfaces")
    row = next((one for one in rows if one.name == rest[0]), None)
    if row is None:
        raise Fault(f"interface {rest[0]} does not exist")
    group = in6.UNSPECIFIED
    if len(rest) == 2:
        try:
            group, _ = getaddrinfo(proc, rest[1])
        except (GaiError, Errno) as error:
            raise Fault(f"{rest[1]}: {error}") from None
        if group != in6.UNSPECIFIED and not in6.is_multicast(group):
            raise Fault(f"{rest[1]} is not a multicast address")
    if kind != icmp6.MLD_QUERY and group == in6.UNSPECIFIED:
        raise Fault("a report or a done is about one group: name it")
    source = _linklocal(proc, row.name)
    fd = proc.socket("raw6", ip6.IPPROTO_ICMPV6)
    try:
        proc.setsockopt(fd, "ICMP6_FILTER", tuple(_NAMES))
        # The group of all groups: reports go to the group that they are about.
        proc.setsockopt(fd, "IPV6_JOIN_GROUP", (in6.UNSPECIFIED, row.index))
        if not proc.sysctl("net.inet6.ip6.forwarding"):
            proc.print("note: this node is a host: reports for groups that it is no member of can't be seen")
        to = in6.ALLNODES if group == in6.UNSPECIFIED else group
        if kind == icmp6.MLD_DONE:
            to = in6.ALLROUTERS
        body = mld.Mld(delay if kind == icmp6.MLD_QUERY else 0, group).pack()
        proc.sendmsg(
            fd, bytes((kind, 0, 0, 0)) + body, to, 0, row.index, pktinfo=(source, row.index), hoplimit=1,
            control=(("IPV6_HOPOPTS", exthdr.router_alert(0)),),
        )  # fmt: skip
    except Errno as error:
        raise Fault(f"{row.name}: {error}") from None
    return fd, delay


def _linklocal(proc: Proc, name: str) -> bytes:
    """The interface's link-local address. Raises Fault while there is none that is ready."""
    addresses: tuple[AddressRow, ...] = proc.rows("addresses")
    for one in addresses:
        addr = in6.pton(one.address.partition("%")[0])
        if one.interface == name and in6.is_linklocal(addr) and not {"tentative", "duplicated"} & set(one.flags):
            return addr
    raise Fault(f"no link-local address found for {name}")


def _print(proc: Proc, message: Message) -> None:
    data = message.data
    if data[0] not in _NAMES or len(data) < 4 + mld.BODY_LEN:
        return
    zone = if_indextoname(proc, message.zone)
    sender = in6.ntop(message.addr) + (f"%{zone}" if zone else "")
    proc.print(f"from {sender}, type={_NAMES[data[0]]}, addr={in6.ntop(mld.Mld.parse(data[4:]).group)}")
