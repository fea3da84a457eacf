"""Router advertisements as rtadvd builds and judges them: no clock, no socket.

KAME `rtadvd.c` (make_packet, ra_input); RFC 4861 4.2, 6.1.1, 6.1.2, 6.2.3, 6.2.7. The options stand in KAME's order:
prefixes, MTU, source link-layer address, then route information (RFC 4191).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.stack.views import INFINITE
from kamelab.userland.probe import NS
from kamelab.wire import icmp6, in6, nd, nd_options
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message
    from kamelab.userland.rtadvd_conf import Config, Prefix

GONE_FOR: Final = 7200 * NS
"""How long a prefix that the kernel has lost is announced with lifetime 0: the 2 hours of RFC 4862 5.5.3."""


def lifetimes(prefix: Prefix, now: int) -> tuple[int, int]:
    """Valid and preferred lifetime to announce at ``now`` (ns since boot), in seconds."""
    if prefix.gone_at is not None:
        return 0, 0
    passed = (now - prefix.since) // NS
    valid, preferred = prefix.vltime, prefix.pltime
    if prefix.vltimedecr and valid != INFINITE:
        valid = max(0, valid - passed)
    if prefix.pltimedecr and preferred != INFINITE:
        preferred = max(0, preferred - passed)
    return valid, min(valid, preferred)


def advertisement(config: Config, lladdr: bytes, now: int, lifetime: int) -> bytes:
    """The ICMPv6 message, its checksum left to the kernel.

    ``lladdr`` is the interface's link-layer address, empty where it has none; ``lifetime`` the router lifetime in
    seconds, ``now`` in ns since boot.
    """
    options = b""
    for one in config.prefixes:
        valid, preferred = lifetimes(one, now)
        options += nd_options.build_prefix(
            nd_options.PrefixInfo(one.plen, one.onlink, one.autonomous, valid, preferred, one.prefix)
        )
    if config.mtu:
        options += nd_options.build_mtu(config.mtu)
    if config.lladdr and lladdr:
        options += nd_options.build_lladdr(nd_options.SLLA, lladdr)
    for route in config.routes:
        options += nd_options.build_route(
            nd_options.RouteInfo(route.plen, route.preference, route.lifetime, route.prefix)
        )
    # A router that is none any more must not claim to be a preferred one (RFC 4191 2.2).
    preference = config.preference if lifetime else 0
    advert = nd.RouterAdvert(
        config.chlim, config.managed, config.other, preference, lifetime, config.rtime, config.retrans, options
    )
    return bytes((icmp6.ROUTER_ADVERT, 0, 0, 0)) + advert.pack()


def valid_solicitation(message: Message) -> bool:
    """RFC 4861 6.1.1, but for the checksum, which the kernel has judged."""
    data = message.data
    if len(data) < 8 or data[0] != icmp6.ROUTER_SOLICIT or data[1] or message.hoplimit != 255:
        return False
    try:
        options = nd_options.parse(data[8:])
    except WireError:
        return False
    return options.slla is None or not in6.is_unspecified(message.addr)


def valid_advertisement(message: Message) -> tuple[nd.RouterAdvert, nd_options.NdOptions] | None:
    """The advertisement of another router, None unless it passes RFC 4861 6.1.2."""
    data = message.data
    if len(data) < 16 or data[0] != icmp6.ROUTER_ADVERT or data[1] or message.hoplimit != 255:
        return None
    if not in6.is_linklocal(message.addr):
        return None
    try:
        advert = nd.RouterAdvert.parse(data[4:])
        return advert, nd_options.parse(advert.options)
    except WireError:
        return None


def differences(config: Config, advert: nd.RouterAdvert, options: nd_options.NdOptions, now: int) -> tuple[str, ...]:
    """What another router's advertisement says otherwise than ours (RFC 4861 6.2.7), one sentence each."""
    out = []
    for name, ours, theirs in (
        ("cur hop limit", config.chlim, advert.hlim),
        ("reachable time", config.rtime, advert.reachable),
        ("retrans timer", config.retrans, advert.retrans),
        ("link MTU", config.mtu, options.mtu or 0),
    ):
        # 0 is "unspecified", which agrees with everything.
        if ours and theirs and ours != theirs:
            out.append(f"{name} {theirs}, ours is {ours}")
    for name, mine, their in (("M", config.managed, advert.managed), ("O", config.other, advert.other)):
        if mine != their:
            out.append(f"{name} flag {'on' if their else 'off'}, ours is {'on' if mine else 'off'}")
    for theirs_of in options.prefixes:
        for one in config.prefixes:
            if one.gone_at is None and (one.prefix, one.plen) == (
                in6.mask(theirs_of.prefix, theirs_of.plen) if theirs_of.plen <= 128 else b"",
                theirs_of.plen,
            ):
                out += _lifetimes_differ(config, one, theirs_of, now)
    return tuple(out)


def _lifetimes_differ(config: Config, one: Prefix, info: nd_options.PrefixInfo, now: int) -> list[str]:
    valid, preferred = lifetimes(one, now)
    out = []
    for name, ours, theirs, counting in (
        ("valid", valid, info.valid, one.vltimedecr),
        ("preferred", preferred, info.preferred, one.pltimedecr),
    ):
        if abs(ours - theirs) > (config.clockskew if counting else 0):
            out.append(f"{name} lifetime {theirs} of {in6.ntop(one.prefix)}/{one.plen}, ours is {ours}")
    return out
