"""ESP, AH and IPComp headers of packets for this node, and whether a packet has the protection that it must have.

KAME netinet6/esp_input.c esp6_input, ah_input.c ah6_input, ipcomp_input.c ipcomp6_input, ipsec.c ipsec6_in_reject,
ipsec6_tunnel_validate; RFC 4301 5.2. A header's handler puts the packet that was inside in its place and leaves a mark
on it; the upper layers ask `rejected` before they take anything. What a tunnel brought begins anew as a packet of its
own (`Decapsulated`). UDP packets for a port that nobody has are not asked, as in KAME.

Left out: tunnelled IPComp, which KAME can send and not receive; IPv4 inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.stack.netinet6.scope6 import in6_setscope
from kamelab.stack.netipsec import keysock
from kamelab.stack.netipsec.ah import ah_input
from kamelab.stack.netipsec.encap import decapsulate
from kamelab.stack.netipsec.errors import TransformError
from kamelab.stack.netipsec.esp import context, esp_input
from kamelab.stack.netipsec.headers6 import Stripped, previous
from kamelab.stack.netipsec.ipcomp import ipcomp_input
from kamelab.stack.netipsec.ipsec6_output import decide
from kamelab.stack.netipsec.policy import ANY, Flow, in_reject, within
from kamelab.stack.netipsec.sadb import DYING, IPPROTO_AH, IPPROTO_ESP, IPPROTO_IPCOMP, MATURE, Sa
from kamelab.stack.packet import AUTH_DATA, AUTH_HEADER, DECRYPTED, Decapsulated, Packet, Verdict, drop
from kamelab.wire.ip6 import HEADER_LEN, IPPROTO_IPV6
from kamelab.wire.ipcomp import CPI_NEGOTIATE_MIN

if TYPE_CHECKING:
    from kamelab.stack.netipsec.spd import SocketPolicy
    from kamelab.stack.node import Node

NEST: Final = 100
"""Headers of all nested tunnels together, where net.inet6.ip6.hdrnestlimit is 0."""

_REASONS: Final = {
    "AH_ICV": "AH_ICV",
    "AH_LEN": "AH_INVAL",
    "AH_REPLAY": "AH_REPLAY",
    "ESP_ICV": "ESP_ICV",
    "ESP_IVLEN": "ESP_INVAL",
    "ESP_LEN": "ESP_INVAL",
    "ESP_PAD": "ESP_PAD",
    "ESP_REPLAY": "ESP_REPLAY",
    "IPCOMP_BAD": "IPCOMP_BAD",
    "IPCOMP_LEN": "IPCOMP_BAD",
}
"""What a transform says, as drop reasons; the rest is IPSEC_IN_INVAL."""


def esp6_input(node: Node, pkt: Packet) -> Verdict:
    """The ESP header at ``pkt.off`` (KAME esp6_input)."""
    pkt.stage = "esp6_input"
    if pkt.off + 8 > pkt.end:
        return drop("ESP_INVAL")
    sa = _association(node, pkt, IPPROTO_ESP, int.from_bytes(pkt.data[pkt.off : pkt.off + 4], "big"))
    if sa is None:
        return drop("IPSEC_IN_NOSA")
    try:
        stripped = esp_input(sa, pkt.data[: pkt.end], pkt.off)
    except TransformError as error:
        if error.reason == "ESP_ICV":
            node.stat["ipsec6.in_espauthfail"] += 1
        return _failed(node, pkt, sa, error)
    node.stat[f"ipsec6.in_esphist.{sa.ealg}"] += 1
    pkt.ipsec |= DECRYPTED
    if context(sa).icv:
        node.stat["ipsec6.in_espauthsucc"] += 1
        pkt.ipsec |= AUTH_DATA
    return _onward(node, pkt, sa, stripped)


def ah6_input(node: Node, pkt: Packet) -> Verdict:
    """The AH at ``pkt.off`` (KAME ah6_input)."""
    pkt.stage = "ah6_input"
    if pkt.off + 12 > pkt.end:
        return drop("AH_INVAL")
    sa = _association(node, pkt, IPPROTO_AH, int.from_bytes(pkt.data[pkt.off + 4 : pkt.off + 8], "big"))
    if sa is None:
        return drop("IPSEC_IN_NOSA")
    try:
        stripped = ah_input(sa, pkt.data[: pkt.end], pkt.off)
    except TransformError as error:
        return _failed(node, pkt, sa, error)
    node.stat[f"ipsec6.in_ahhist.{sa.aalg}"] += 1
    node.stat["ipsec6.in_ahauthsucc"] += 1
    pkt.ipsec |= AUTH_HEADER
    return _onward(node, pkt, sa, stripped)


def ipcomp6_input(node: Node, pkt: Packet) -> Verdict:
    """The IPComp header at ``pkt.off`` (KAME ipcomp6_input)."""
    pkt.stage = "ipcomp6_input"
    if pkt.off + 4 > pkt.end:
        return drop("IPCOMP_BAD")
    cpi = int.from_bytes(pkt.data[pkt.off + 2 : pkt.off + 4], "big")
    sa = None
    if cpi >= CPI_NEGOTIATE_MIN:
        sa = _association(node, pkt, IPPROTO_IPCOMP, cpi)
        if sa is None:
            return drop("IPSEC_IN_NOSA")
    try:
        stripped = ipcomp_input(pkt.data[: pkt.end], pkt.off, sa)
    except TransformError as error:
        return _failed(node, pkt, sa, error)
    node.stat[f"ipsec6.in_comphist.{cpi if sa is None else sa.calg}"] += 1
    if sa is not None:
        _carried(node, sa, len(stripped.packet))
    node.stat["ipsec6.in_success"] += 1
    return _strip(pkt, stripped)


def _association(node: Node, pkt: Packet, proto: int, spi: int) -> Sa | None:
    sa = node.keys.inbound(pkt.dst, proto, spi)
    if sa is not None and sa.state in (MATURE, DYING):
        return sa
    _log(node, f"{pkt.stage}: no {'usable ' if sa else ''}association for SPI {spi} from {node.text(pkt.src)}")
    return None


def _failed(node: Node, pkt: Packet, sa: Sa | None, error: TransformError) -> Verdict:
    _log(
        node,
        f"{pkt.stage}: {error}: packet(SPI={sa.spi if sa else 0} src={node.text(pkt.src)} dst={node.text(pkt.dst)})",
    )
    return drop(_REASONS.get(error.reason, "IPSEC_IN_INVAL"))


def _log(node: Node, text: str) -> None:
    if node.sysctl["net.inet6.ipsec6.debug"]:
        node.log(text)


def _carried(node: Node, sa: Sa, octets: int) -> None:
    node.keys.transferred(sa, octets, node.clock.now)
    if sa.soft.bytes or sa.hard.bytes:
        keysock.arm(node)


def _onward(node: Node, pkt: Packet, sa: Sa, stripped: Stripped) -> Verdict:
    """What was inside, in the header's place; or, of a tunnel, as a packet of its own."""
    _carried(node, sa, len(stripped.packet))
    node.stat["ipsec6.in_success"] += 1
    if stripped.nxt == IPPROTO_IPV6 and sa.mode != "transport":
        inner = stripped.packet[stripped.off :]
        if len(inner) >= HEADER_LEN and _tunnel_valid(node, pkt, inner):
            try:
                inner = decapsulate(stripped.packet, stripped.off, node.sysctl["net.inet6.ipsec6.ecn"])
            except TransformError as error:
                return _failed(node, pkt, sa, error)
            if pkt.headers > NEST:
                return drop("IP6_TOOMANYHDR")
            whole = Packet(pkt.iface, inner, 0, pkt.rx, False, pkt.looped)
            whole.headers = pkt.headers
            # The mark of AH stays outside (KAME IMPLEMENTATION 4.3: the model for AH tunnels must be revisited).
            whole.ipsec = pkt.ipsec & ~AUTH_HEADER
            return Decapsulated(whole)
    return _strip(pkt, stripped)


def _strip(pkt: Packet, stripped: Stripped) -> int:
    pkt.data = stripped.packet
    pkt.end = len(stripped.packet)
    pkt.off = stripped.off
    pkt.nxt_at = previous(stripped.packet, stripped.off)
    return stripped.nxt


def _tunnel_valid(node: Node, pkt: Packet, inner: bytes) -> bool:
    """An inbound policy for what is inside names this tunnel (KAME key_gettunnel)."""
    src, dst = in6_setscope(inner[8:24], pkt.iface), in6_setscope(inner[24:40], pkt.iface)
    if src is None or dst is None:
        return False
    for policy in node.keys.spd.policies["in"].values():
        for request in policy.requests:
            # By addresses alone, as KAME: the ports are judged when the packet comes in.
            if (
                request.mode == "tunnel"
                and (request.src, request.dst) == (pkt.src, pkt.dst)
                and within(src, policy.src, policy.splen)
                and within(dst, policy.dst, policy.dplen)
            ):
                return True
    return False


# -- the protection that a packet must have ----------------------------------------------------------------------------


def rejected(
    node: Node, pkt: Packet, own: SocketPolicy | None = None, proto: int = ANY, sport: int = 0, dport: int = 0
) -> bool:
    """Whether the inbound policy forbids a packet as it came (KAME ipsec6_in_reject). To be asked while `node.ipsec`.

    `own` is the policy of the socket that is to get it.
    """
    flow = Flow(pkt.src, pkt.dst, proto, sport, dport)
    policy = decide(node, "in", flow, own, pkt.iface.name, pkt.pid)
    if policy.action not in ("ipsec", "discard"):
        return False
    marks = pkt.ipsec
    why = in_reject(policy, bool(marks & DECRYPTED), bool(marks & AUTH_DATA), bool(marks & AUTH_HEADER), node.sysctl)
    if why:
        _log(node, f"{pkt.stage}: {why}: from {node.text(pkt.src)} to {node.text(pkt.dst)}")
    return bool(why)
