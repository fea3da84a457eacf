"""Packets on their way out are held against the policies and protected as these say.

KAME netinet6/ipsec.c (ipsec6_output_trans, ipsec6_output_tunnel, ipsec6_hdrsiz), ip6_output.c, ip6_forward.c; RFC 4301
5.1. Requests of a policy are carried out left to right, the first is the innermost. Transport mode of forwarded
packets is passed over: they are protected from the first tunnel on. Nothing waits for a key daemon: a packet whose
association is missing is dropped, or leaves unprotected, as the request's level says.

Left out: IPv4 outside of IPv6; fragments of a packet are made after protecting it (RFC 4303 3.3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kamelab.core.errors import EINVAL, EMSGSIZE
from kamelab.stack.netinet6.scope6 import in6_clearscope
from kamelab.stack.netipsec import keysock
from kamelab.stack.netipsec.ah import ah_hdrsiz, ah_output
from kamelab.stack.netipsec.encap import encapsulate
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.esp import esp_hdrsiz, esp_output
from kamelab.stack.netipsec.ipcomp import ipcomp_output
from kamelab.stack.netipsec.policy import ANY, Flow, Policy, Request
from kamelab.stack.netipsec.sadb import IPPROTO_AH, IPPROTO_ESP, Sa
from kamelab.stack.netipsec.spd import SocketPolicy
from kamelab.wire.ip6 import HEADER_LEN, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP

if TYPE_CHECKING:
    from kamelab.stack.node import Node

TRIED: Final = 20
"""Policies that the record of a decision names at most."""
_GUESS: Final = {IPPROTO_ESP: 57, IPPROTO_AH: 28}
"""Octets that a transform adds where there is no association to ask; the largest that are usual."""
_HISTOGRAMS: Final = {IPPROTO_ESP: ("out_esphist", "ealg"), IPPROTO_AH: ("out_ahhist", "aalg")}


class Protected(NamedTuple):
    """A packet as it leaves; `dst` is a tunnel's far end in kernel form, None where the way is the old one."""

    packet: bytes
    dst: bytes | None


class Refused(NamedTuple):
    """It may not leave: the drop reason, and the errno that the sender hears, 0 for none."""

    reason: str
    errno: int


def flow_of(src: bytes, dst: bytes, proto: int, payload: bytes) -> Flow:
    """What policies are matched against; `payload` begins with the upper header."""
    if proto == IPPROTO_ICMPV6 and len(payload) >= 2:
        return Flow(src, dst, proto, payload[0], payload[1])
    if proto in (IPPROTO_TCP, IPPROTO_UDP) and len(payload) >= 4:
        sport, dport = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")
        return Flow(src, dst, proto, sport, dport)
    return Flow(src, dst, proto)


def decide(node: Node, direction: str, flow: Flow, own: SocketPolicy | None, iface: str, pid: int) -> Policy:
    """The policy of a packet, with a record of how it was found."""
    keys = node.keys
    policy = keys.spd.bysock(direction, flow, own, node.sysctl, node.clock.now)
    trace = node.trace
    if trace.keep and (policy.selector or policy.id or policy.action == "discard"):
        trace.record(
            node.clock.now, node.name, iface, "ipsec", pid, "state", f"policy {direction} {policy.action}",
            "RFC 4301 4.4.1", explain(node, direction, flow, policy),
        )  # fmt: skip
    return policy


def explain(node: Node, direction: str, flow: Flow, policy: Policy) -> str:
    """The policies that were tried, in order, and why each did not match."""
    if not policy.selector:
        return "the socket's own" if policy.id else "no policy matches: net.inet6.ipsec6.def_policy"
    tried = node.keys.spd.explain(direction, flow)
    words = [f"spid {one.id}: {why or 'matches'}" for one, why in tried]
    if len(words) > TRIED:
        words[TRIED - 1 : -1] = [f"{len(words) - TRIED} more"]
    return "; ".join(words)


def protect(
    node: Node, policy: Policy, packet: bytes, src: bytes, dst: bytes, *, forwarded: bool = False
) -> Protected | Refused | None:
    """Carry out a policy on a whole packet; None where it leaves as it is.

    `src` and `dst` are the ends in kernel form, `dst` the last one where the packet has a routing header.
    """
    if policy.action == "discard":
        return Refused("IPSEC_OUT_POLICY", 0)
    if policy.action != "ipsec":
        return None
    if not policy.requests:
        node.keys.spacquire(policy, node.clock.now)
        keysock.spoke(node)
        return Refused("IPSEC_NOSA", EINVAL)
    requests = policy.requests
    if forwarded:
        first = next((at for at, one in enumerate(requests) if one.mode == "tunnel"), len(requests))
        requests = requests[first:]
    done = _chain(node, policy, requests, packet, src, dst)
    keysock.spoke(node)
    return done


def _chain(
    node: Node, policy: Policy, requests: tuple[Request, ...], packet: bytes, src: bytes, dst: bytes
) -> Protected | Refused | None:
    keys, now = node.keys, node.clock.now
    values = node.sysctl
    far: bytes | None = None
    before = packet
    for request in requests:
        sa = keys.checkrequest(request, policy, src, dst, now)
        if sa is None:
            if request.required(values):
                # The program is not told: as on KAME's, the packet is lost (ip6_output.c: ENOENT becomes 0).
                return Refused("IPSEC_NOSA", 0)
            continue
        try:
            if request.mode == "tunnel":
                src, dst = request.src, request.dst
                ecn = values["net.inet6.ipsec6.ecn"]
                packet = encapsulate(packet, in6_clearscope(src), in6_clearscope(dst), ecn)
                far = dst
            packet = _transform(node, sa, packet)
        except TransformError as error:
            _log(node, f"ipsec6_output: SPI {sa.spi}: {error}")
            return Refused("IPSEC_OUT_INVAL", EMSGSIZE if error.reason == "TOO_BIG" else EINVAL)
        keys.transferred(sa, len(packet), now)
        node.stat["ipsec6.out_success"] += 1
        if request.proto in _HISTOGRAMS:
            name, field = _HISTOGRAMS[request.proto]
            node.stat[f"ipsec6.{name}.{getattr(sa, field)}"] += 1
        else:
            node.stat[f"ipsec6.out_comphist.{sa.calg}"] += 1
        node.trace.record(
            now, node.name, "", "ipsec", node.trace.packet, "state", f"{_NAMES[request.proto]}_output", "RFC 4301 5.1",
            f"SPI {sa.spi:#x}, number {sa.seq}, {request.mode} mode",
        )  # fmt: skip
    return Protected(packet, far) if packet is not before else None


_NAMES: Final = {50: "esp", 51: "ah", 108: "ipcomp"}


def _transform(node: Node, sa: Sa, packet: bytes) -> bytes:
    if sa.proto == IPPROTO_ESP:
        return esp_output(sa, packet, node.ipsec_octets, node.sysctl["net.inet6.ipsec6.esp_randpad"])
    if sa.proto == IPPROTO_AH:
        return ah_output(sa, packet)
    return ipcomp_output(sa, packet)


def _log(node: Node, text: str) -> None:
    if node.sysctl["net.inet6.ipsec6.debug"]:
        node.log(text)


def overhead(node: Node, policy: Policy) -> int:
    """The most octets that a policy adds to a packet (KAME ipsec6_hdrsiz). Asks nobody for associations."""
    if policy.action != "ipsec":
        return 0
    return sum(
        (HEADER_LEN if one.mode == "tunnel" else 0)
        + (hdrsiz(one.sa) if one.sa is not None else _GUESS.get(one.proto, 0))
        for one in policy.requests
    )


def hdrsiz(sa: Sa) -> int:
    """Octets that an association adds; 0 for IPComp, which never adds any (KAME ipsec_hdrsiz)."""
    try:
        return esp_hdrsiz(sa) if sa.proto == IPPROTO_ESP else ah_hdrsiz(sa) if sa.proto == IPPROTO_AH else 0
    except TransformError:
        return _GUESS.get(sa.proto, 0)


def tcp_overhead(node: Node, src: bytes, dst: bytes, sport: int, dport: int, own: SocketPolicy | None) -> int:
    """What is to be left free in each segment of a connection (KAME ipsec6_hdrsiz_tcp)."""
    if not node.ipsec or not src:
        return 0
    spd = node.keys.spd
    mine = own.get("out") if own is not None else None
    policy = mine or spd.find("out", Flow(src, dst, ANY if not sport else IPPROTO_TCP, sport, dport))
    return overhead(node, policy) if policy is not None else 0
