"""Making ICMPv6 errors: when not to answer, rate limits, how much to quote (RFC 4443 2.4, KAME icmp6.c icmp6_error).

KAME IMPLEMENTATION 1.9, 1.11 (2001): as much of the offending packet as fits into 1280 octets, unchanged, as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.core.clock import SECOND, US
from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.stack.packet import Action, Output
from kamelab.wire import exthdr, in6
from kamelab.wire import icmp6 as icmp
from kamelab.wire.buffer import WireError
from kamelab.wire.ip6 import IPPROTO_ESP, IPPROTO_ICMPV6

if TYPE_CHECKING:
    from kamelab.stack.interface import Interface
    from kamelab.stack.node import Node

QUOTE = 1280 - 48
"""Octets of the offending packet that fit: minimum MTU less IPv6 and ICMPv6 headers."""


def icmp6_error(
    node: Node,
    iface: Interface,
    data: bytes,
    kind: int,
    code: int,
    word: int,
    *,
    rx_iface: Interface | None = None,
    lcast: bool = False,
    decrypted: bool = False,
) -> list[Action]:
    """The error about packet ``data`` as a list of at most one action; empty where none may be sent.

    ``word`` is the message's second 32 bits (MTU or pointer). ``rx_iface``: where the packet came from; None for one of
    this node itself. ``lcast``: it came as a link-layer multicast. ``decrypted``: it came out of ESP, and a quote in
    clear would give away what was protected.
    """
    back = rx_iface or iface
    node.stat["icmp6.error"] += 1
    node.stat[f"icmp6.error.{kind}.{code}"] += 1
    reason = "ICMP6_SUPPRESSED" if decrypted else _suppressed(node, back, data, kind, code, lcast)
    reason = reason or ratelimited(node)
    if reason:
        node.count_reason(reason)
        node.suppressed(iface, reason, kind, code)
        return []
    dst = in6_setscope(data[8:24], back)
    if dst is None:
        dst = in6.LOOPBACK
    quoted = data[:QUOTE]
    message = icmp.build(bytes(16), bytes(16), kind, code, icmp.error_body(word, quoted))
    src: bytes | None = None
    aimed = in6_setscope(data[24:40], back)
    if aimed is not None:
        own = node.own_address(aimed)
        if own is not None and not own[1].anycast and own[1].usable:
            src = aimed
    return [
        Output(
            "icmp6_error",
            dst,
            IPPROTO_ICMPV6,
            message[:2] + b"\0\0" + message[4:],
            src=src,
            cksum=2,
            note=f"{icmp.type_name(kind)} code {code}",
        )
    ]


def _suppressed(node: Node, iface: Interface, data: bytes, kind: int, code: int, lcast: bool) -> str:
    """The reason not to answer, in the order of RFC 4443 2.4 e as KAME tests it; empty: answer."""
    if len(data) < 40:
        return "ICMP6_SUPPRESSED"
    src = data[8:24]
    allowed = kind == icmp.PACKET_TOO_BIG or (kind == icmp.PARAM_PROB and code == icmp.PARAM_OPTION)
    if (lcast or data[24] == 0xFF) and not allowed:
        return "ICMP6_SUPPRESSED_GROUP"
    if src == in6.UNSPECIFIED or src[0] == 0xFF:
        return "ICMP6_SUPPRESSED_GROUP"
    own = node.own_address(in6_setscope(src, iface) or src)
    if own is not None and own[1].anycast:
        return "ICMP6_SUPPRESSED_GROUP"
    try:
        nxt, offset = exthdr.upper_layer(data)
    except WireError:
        return ""
    if nxt == IPPROTO_ESP:
        return "ICMP6_SUPPRESSED"
    if nxt == IPPROTO_ICMPV6 and (
        # Without its type it may be an error.
        len(data) <= offset or icmp.is_error(data[offset]) or data[offset] == icmp.REDIRECT
    ):
        return "ICMP6_SUPPRESSED"
    return ""


def ratelimited(node: Node) -> str:
    """The reason not to send now; empty: send. Tests both limits: a minimum interval, and errors a second.

    KAME IMPLEMENTATION 1.9 (2001).
    """
    now = node.clock.now
    interval = node.sysctl["net.inet6.icmp6.errratelimit"]
    if interval > 0 and node.error_last >= 0 and now - node.error_last < interval * US:
        return "ICMP6_RATELIMIT"
    limit = node.sysctl["net.inet6.icmp6.errppslimit"]
    if limit >= 0:
        if now - node.error_window >= SECOND:
            node.error_window = now
            node.error_count = 0
        if node.error_count >= limit:
            return "ICMP6_RATELIMIT"
        node.error_count += 1
    node.error_last = now
    return ""
