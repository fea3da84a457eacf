"""Building and reading neighbour discovery messages: what every ND file shares (KAME nd6_nbr.c, nd6.c nd6_options)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.stack.netinet6.scope6 import in6_clearscope, in6_setscope
from kamelab.stack.packet import Output
from kamelab.wire import icmp6 as icmp
from kamelab.wire import in6, nd, nd_options
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

MAXNDOPT = 10
"""Options that are read of one message (KAME IMPLEMENTATION 1.2 (2001))."""


def nd_message(src: bytes, dst: bytes, kind: int, body: bytes) -> bytes:
    """An ICMPv6 message whose checksum is filled in on output."""
    message = icmp.build(src, dst, kind, 0, body)
    return message[:2] + b"\0\0" + message[4:]


def lladdr_fits(iface: Interface, lladdr: bytes | None) -> bool:
    """A link-layer address option of the medium's length; media without addresses take none."""
    if lladdr is None:
        return True
    return len(lladdr) == (len(iface.mac) or len(lladdr))


def nd6_options(node: Node, raw: bytes) -> nd_options.NdOptions | None:
    """The options of a message; None when they are malformed. Counts those that were too many."""
    try:
        options = nd_options.parse(raw, MAXNDOPT)
    except WireError:
        return None
    if options.toomany:
        node.stat["icmp6.nd_toomanyopt"] += 1
        node.debug_nd6(f"nd6_options: more than {MAXNDOPT} options, the rest is not read")
    for kind in options.duplicates:
        node.debug_nd6(f"nd6_options: option {kind} came again, the first is taken")
    for kind in options.unknown:
        node.debug_nd6(f"nd6_options: option {kind} is not known, ignored")
    for kind in options.malformed:
        node.debug_nd6(f"nd6_options: option {kind} is malformed, ignored")
    if options.bad_prefix:
        node.debug_nd6("nd6_options: prefix information of a wrong length, ignored")
    return options


def nd6_ns_output(
    node: Node,
    iface: Interface,
    target: bytes,
    unicast: bytes | None,
    src: bytes | None,
    *,
    dad: bool = False,
    nonce: bytes = b"",
) -> Output:
    """A solicitation for ``target``: to its solicited-node group, or to ``unicast`` as a reachability probe.

    ``nonce``: six octets that let the sender know its own probe again (RFC 7527 4.1).
    """
    if unicast is not None:
        dst = unicast
    else:
        dst = in6_setscope(in6.solicited_node(target), iface) or b""
    options = b""
    if not dad and iface.mac:
        options = nd_options.build_lladdr(nd_options.SLLA, iface.mac)
    if nonce:
        options += nd_options.build_nonce(nonce)
    plain = in6_clearscope(target)
    body = nd.NeighborSolicit(plain, options).pack()
    return Output(
        "nd6_ns_output",
        dst,
        IPPROTO_ICMPV6,
        nd_message(in6.UNSPECIFIED, in6_clearscope(dst), icmp.NEIGHBOR_SOLICIT, body),
        src=in6.UNSPECIFIED if dad else src,
        hlim=255,
        oif=iface,
        cksum=2,
        note="duplicate address detection" if dad else ("probe" if unicast else "resolution"),
        loop=False,
        dad=dad,
    )


def nd6_na_output(
    node: Node,
    iface: Interface,
    dst: bytes,
    target: bytes,
    *,
    router: bool,
    solicited: bool,
    override: bool,
    lladdr: bytes | None,
) -> Output:
    """An advertisement for ``target`` (embedded zone). Its source is the target where that is ours (RFC 4861 7.2.4)."""
    options = nd_options.build_lladdr(nd_options.TLLA, lladdr) if lladdr else b""
    plain = in6_clearscope(target)
    body = nd.NeighborAdvert(router, solicited, override, plain, options).pack()
    own = node.own_address(target)
    src = target if own is not None and not own[1].anycast and own[1].usable else None
    return Output(
        "nd6_na_output",
        dst,
        IPPROTO_ICMPV6,
        nd_message(in6.UNSPECIFIED, in6_clearscope(dst), icmp.NEIGHBOR_ADVERT, body),
        src=src,
        hlim=255,
        oif=iface,
        cksum=2,
        loop=False,
    )
