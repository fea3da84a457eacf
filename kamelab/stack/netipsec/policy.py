"""Policies: what is to be done with packets, request by request, and how a policy looks in a message.

KAME netinet6/ipsec.h (secpolicy, ipsecrequest), ipsec.c (ipsec_get_reqlevel, ipsec_in_reject), key.c (key_msg2sp,
key_sp2msg); RFC 4301 4.4.1. A policy of the database has a selector; one of a socket, or a default one, has none.
Left out: tags of a packet filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from kamelab.core.errors import EINVAL, ENOBUFS, EPROTONOSUPPORT, Errno
from kamelab.stack.netinet6.scope6 import has_embedded, is_scoped, sa6_recoverscope
from kamelab.stack.netipsec.sadb import Sa
from kamelab.wire import in6, pfkey

PROTOCOLS: Final = {pfkey.IPPROTO_ESP: "esp", pfkey.IPPROTO_AH: "ah", pfkey.IPPROTO_IPCOMP: "ipcomp"}
ANY: Final = pfkey.IPSEC_ULPROTO_ANY

_DEFLEV: Final = {
    (6, pfkey.IPPROTO_ESP, "transport"): "net.inet6.ipsec6.esp_trans_deflev",
    (6, pfkey.IPPROTO_ESP, "tunnel"): "net.inet6.ipsec6.esp_net_deflev",
    (4, pfkey.IPPROTO_ESP, "transport"): "net.inet.ipsec.esp_trans_deflev",
    (4, pfkey.IPPROTO_ESP, "tunnel"): "net.inet.ipsec.esp_net_deflev",
}
"""The sysctl that says what level "default" means. AH has variables too, but KAME judges it as "use" always."""


class Flow(NamedTuple):
    """What a policy is matched against: a packet's addresses, upper protocol and ports.

    Addresses are in kernel form. `proto` is 255 and ports are 0 where they can't be known: fragments, and ports of
    forwarded packets (KAME). ICMPv6 has its type in `sport` and its code in `dport`.
    """

    src: bytes
    dst: bytes
    proto: int = ANY
    sport: int = 0
    dport: int = 0


class Request:
    """One transform that a policy asks for (KAME ``struct ipsecrequest``).

    `mode` is "transport" or "tunnel", `level` as in `pfkey.LEVEL_NAMES`; `src` and `dst` are the tunnel's ends in
    kernel form, empty for the packet's own. `sa` is the association of the last packet: it stays while it is held
    here, dead or not.
    """

    __slots__ = ("dst", "level", "mode", "proto", "reqid", "sa", "src")

    def __init__(
        self, proto: int, mode: str, level: str = "default", reqid: int = 0, src: bytes = b"", dst: bytes = b""
    ) -> None:
        self.proto = proto
        self.mode = mode
        self.level = level
        self.reqid = reqid
        self.src = src
        self.dst = dst
        self.sa: Sa | None = None

    def required(self, values: Mapping[str, int], family: int = 6) -> bool:
        """Whether a packet must be protected so, or only if it can be (KAME ipsec_get_reqlevel).

        `values` are the sysctls of `_DEFLEV`, `family` is 4 or 6. IPComp is never required of an arriving packet;
        that is `in_reject`'s business.
        """
        level = self.level
        if level == "default":
            name = _DEFLEV.get((family, self.proto, self.mode))
            return name is not None and values[name] == pfkey.IPSEC_LEVEL_REQUIRE
        return level != "use"

    def words(self) -> str:
        """``esp/tunnel/2001:db8::1-2001:db8::2/require``, as programs write it; a drawn id after ``#``."""
        ends = ""
        if self.src or self.dst:
            ends = f"{ntop(self.src)}-{ntop(self.dst)}"
        level = self.level
        if level == "unique" and self.reqid:
            level += f"{'#' if self.reqid > pfkey.IPSEC_MANUAL_REQID_MAX else ':'}{self.reqid}"
        return f"{PROTOCOLS.get(self.proto, str(self.proto))}/{self.mode}/{ends}/{level}"


class Policy:
    """One policy (KAME ``struct secpolicy``).

    `dir` is "in" or "out"; `action` as in `pfkey.POLICY_NAMES`. `order` is its place in the search; `id` is the spid,
    0 for the default policies. `selector` is False for those of sockets and the defaults. Times are ns; `used`
    is `created` before the first use (KAME). `lifetime` and `validtime` (since the last use) are seconds, 0 for ever.
    """

    __slots__ = (
        "action",
        "created",
        "dir",
        "dplen",
        "dport",
        "dst",
        "id",
        "lifetime",
        "order",
        "proto",
        "refcnt",
        "requests",
        "selector",
        "splen",
        "sport",
        "src",
        "used",
        "validtime",
    )

    def __init__(self, direction: str, action: str, requests: tuple[Request, ...] = ()) -> None:
        self.dir = direction
        self.action = action
        self.requests = requests
        self.id = 0
        self.order = 0
        self.selector = False
        self.src = b""
        self.dst = b""
        self.splen = 0
        self.dplen = 0
        self.proto = ANY
        self.sport = 0
        self.dport = 0
        self.created = 0
        self.used = 0
        self.lifetime = 0
        self.validtime = 0
        self.refcnt = 1

    def select(
        self, src: bytes, splen: int, dst: bytes, dplen: int, proto: int = ANY, sport: int = 0, dport: int = 0
    ) -> Policy:
        """Give it a selector; returns itself."""
        self.selector = True
        self.src, self.splen = src, splen
        self.dst, self.dplen = dst, dplen
        self.proto, self.sport, self.dport = proto, sport, dport
        return self

    @property
    def key(self) -> tuple[str, bytes, int, bytes, int, int, int, int]:
        """What may be in the database once only: direction and selector (KAME key_cmpspidx_exactly)."""
        return self.dir, self.src, self.splen, self.dst, self.dplen, self.proto, self.sport, self.dport

    def mismatch(self, flow: Flow) -> str:
        """Why the policy does not match `flow`: "" when it does (KAME key_cmpspidx_withmask).

        The selector's proto 255 and port 0 are wildcards, so is a zone that is not told (zone 0).
        """
        if not within(flow.src, self.src, self.splen):
            return "source address"
        if not within(flow.dst, self.dst, self.dplen):
            return "destination address"
        if self.proto not in (ANY, flow.proto):
            return "upper protocol"
        icmp6 = self.proto == 58
        if self.sport not in (0, flow.sport):
            return "ICMPv6 type" if icmp6 else "source port"
        if self.dport not in (0, flow.dport):
            return "ICMPv6 code" if icmp6 else "destination port"
        return ""


def within(addr: bytes, prefix: bytes, plen: int) -> bool:
    """Whether an address lies in a prefix, both in kernel form; zone 0 on either side is any zone."""
    if len(addr) != len(prefix):
        return False
    bits = len(addr) * 8
    if len(addr) == 16 and is_scoped(addr):
        if not (has_embedded(addr) and has_embedded(prefix)):
            addr = addr[:2] + b"\0\0" + addr[4:]
            prefix = prefix[:2] + b"\0\0" + prefix[4:] if is_scoped(prefix) else prefix
        elif addr[2:4] != prefix[2:4]:
            return False
    shift = bits - plen
    return int.from_bytes(addr, "big") >> shift == int.from_bytes(prefix, "big") >> shift


def in_reject(
    policy: Policy, decrypted: bool, auth_data: bool, auth_header: bool, values: Mapping[str, int], family: int = 6
) -> str:
    """Why an arriving packet may not pass its policy: "" when it may (KAME ipsec_in_reject).

    The marks are what ESP and AH input have left on the packet. IPComp is never asked for: small packets go
    uncompressed.
    """
    if policy.action == "discard":
        return "policy discard"
    if policy.action != "ipsec":
        return ""
    for request in policy.requests:
        if request.proto == pfkey.IPPROTO_IPCOMP or not request.required(values, family):
            continue
        if request.proto == pfkey.IPPROTO_AH:
            if not auth_header:
                return "not authenticated by AH"
        elif not decrypted:
            return "not encrypted by ESP"
        elif request.sa is not None and request.sa.aalg and not auth_data:
            return "not authenticated by ESP"
    return ""


# -- addresses and the binary form -----------------------------------------------------------------------------------


def embed(address: pfkey.Sockaddr) -> bytes:
    """A message's address in kernel form. EINVAL: a zone is embedded already."""
    addr = address.addr
    if len(addr) == 16 and is_scoped(addr):
        if has_embedded(addr):
            raise Errno(EINVAL, "embedded zone in an address")
        return b"%b%b%b" % (addr[:2], (address.scope & 0xFFFF).to_bytes(2, "big"), addr[4:])
    return addr


def recover(addr: bytes, port: int = 0) -> pfkey.Sockaddr:
    """Kernel form to a message's address."""
    if len(addr) == 16:
        addr, zone = sa6_recoverscope(addr)
        return pfkey.Sockaddr(addr, port, zone)
    return pfkey.Sockaddr(addr, port)


def ntop(addr: bytes) -> str:
    """Kernel form as text; the zone by number. Empty for none."""
    if len(addr) == 4:
        return ".".join(str(octet) for octet in addr)
    if len(addr) != 16:
        return ""
    plain, zone = sa6_recoverscope(addr)
    return in6.ntop(plain) + (f"%{zone}" if zone else "")


def msg2sp(policy: pfkey.Policy, newreqid: Callable[[], int], family: int = 0) -> Policy:
    """A policy of the kernel from its binary form, without selector (KAME key_msg2sp).

    `newreqid` draws request ids for level unique without one. `family` (4 or 6), if not 0, is that of the selector.
    Errno: EPROTONOSUPPORT for an unknown protocol; ENOBUFS without a free request id; EINVAL for an unknown type, mode
    or level, a tunnel without both ends, ends of different families or of another than the selector's.
    """
    if policy.type >= len(pfkey.POLICY_NAMES):
        raise Errno(EINVAL, f"invalid policy type {policy.type}")
    action = pfkey.POLICY_NAMES[policy.type]
    requests: list[Request] = []
    if action == "ipsec":
        requests = [_request(request, newreqid, family) for request in policy.requests]
    direction = pfkey.DIR_NAMES[policy.dir] if policy.dir < len(pfkey.DIR_NAMES) else ""
    if direction not in ("in", "out"):
        raise Errno(EINVAL, f"invalid direction {policy.dir}")
    return Policy(direction, action, tuple(requests))


def _request(request: pfkey.Request, newreqid: Callable[[], int], family: int) -> Request:
    if request.proto not in PROTOCOLS:
        raise Errno(EPROTONOSUPPORT, f"invalid proto type {request.proto}")
    if request.mode not in (pfkey.IPSEC_MODE_TRANSPORT, pfkey.IPSEC_MODE_TUNNEL):
        raise Errno(EINVAL, f"invalid mode {request.mode}")
    if request.level >= len(pfkey.LEVEL_NAMES):
        raise Errno(EINVAL, f"invalid level {request.level}")
    src, dst = embed(request.src), embed(request.dst)
    if len(src) != len(dst):
        raise Errno(EINVAL, "families of a request's addresses differ")
    if request.mode == pfkey.IPSEC_MODE_TUNNEL and not src:
        raise Errno(EINVAL, "a tunnel without ends")
    if src and family and len(src) != (16 if family == 6 else 4):
        raise Errno(EINVAL, "family of a request's addresses is not the selector's")
    reqid = 0
    if request.level == pfkey.IPSEC_LEVEL_UNIQUE:
        reqid = request.reqid
        if not 0 < reqid <= pfkey.IPSEC_MANUAL_REQID_MAX:
            reqid = newreqid()
            if not reqid:
                raise Errno(ENOBUFS, "no request id is free")
    return Request(request.proto, pfkey.MODE_NAMES[request.mode], pfkey.LEVEL_NAMES[request.level], reqid, src, dst)


def sp2msg(policy: Policy) -> pfkey.Policy:
    """The binary form of a policy (KAME key_sp2msg)."""
    return pfkey.Policy(
        pfkey.POLICY_NAMES.index(policy.action),
        pfkey.DIR_NAMES.index(policy.dir),
        policy.id,
        tuple(
            pfkey.Request(
                request.proto,
                pfkey.MODE_NAMES.index(request.mode),
                pfkey.LEVEL_NAMES.index(request.level),
                request.reqid,
                recover(request.src),
                recover(request.dst),
            )
            for request in policy.requests
        ),
    )
