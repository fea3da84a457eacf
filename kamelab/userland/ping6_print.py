"""What ping6(8) prints about what came back: wrong data, other messages, extension headers (KAME `ping6.c` pr_pack)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamelab.userland import probe
from kamelab.wire import exthdr, icmp6, in6, ip6
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.stack.socket.message import Message


def wrong_data(sent: bytes, got: bytes, start: int) -> list[str]:
    """What to print if the data came back changed: the first octet that differs, then all of it, 16 a line."""
    for i in range(start, min(len(sent), len(got))):
        if sent[i] != got[i]:
            head = f"wrong data byte #{i} should be 0x{sent[i]:x} but was 0x{got[i]:x}"
            return [head] + [f"{at:8d}\t{got[at : at + 16].hex(' ')}" for at in range(0, len(got), 16)]
    return []


def describe(message: bytes) -> str:
    """A message that is no reply to this run, in words (KAME ping6.c pr_icmph)."""
    kind = message[0]
    if kind in (icmp6.ECHO_REQUEST, icmp6.ECHO_REPLY):
        ident, seq, _ = icmp6.parse_echo(message)
        return f"Echo {'Request' if kind == icmp6.ECHO_REQUEST else 'Reply'} id=0x{ident:x} seq={seq}"
    if kind == icmp6.REDIRECT and len(message) >= 40:
        return f"Redirect Destination: {in6.ntop(message[24:40])} New Target: {in6.ntop(message[8:24])}"
    if kind == icmp6.NI_QUERY:
        return "Node Information Query"
    if kind == icmp6.NI_REPLY:
        return "Node Information Reply"
    return probe.describe(message)


def quoted_line(message: bytes) -> str:
    """Under -v: whence and whither the packet went that an error quotes, and what it was; "" if it can't be told."""
    packet = message[8:]
    if not icmp6.is_error(message[0]) or len(packet) < ip6.HEADER_LEN:
        return ""
    text = f"\t{in6.ntop(packet[8:24])} --> {in6.ntop(packet[24:40])}"
    try:
        nxt, at = exthdr.upper_layer(packet)
    except WireError:
        return text
    upper = packet[at:]
    if nxt == ip6.IPPROTO_ICMPV6 and len(upper) >= 8:
        if upper[0] in (icmp6.ECHO_REQUEST, icmp6.ECHO_REPLY):
            return f"{text}, icmp_seq={int.from_bytes(upper[6:8], 'big')}"
        return f"{text}, ICMP6: type = {upper[0]}, code = {upper[1]}"
    if nxt in (ip6.IPPROTO_TCP, ip6.IPPROTO_UDP) and len(upper) >= 4:
        name = "TCP" if nxt == ip6.IPPROTO_TCP else "UDP"
        ports = int.from_bytes(upper[:2], "big"), int.from_bytes(upper[2:4], "big")
        return f"{text}, {name}: from port {ports[0]}, to port {ports[1]}"
    return f"{text}, next header {nxt}"


def extension_headers(message: Message) -> list[str]:
    """Under -v: the extension headers that a message came with (KAME ping6.c pr_exthdrs)."""
    out = []
    for name, value in message.control:
        if name in ("IPV6_HOPOPTS", "IPV6_DSTOPTS"):
            title = "HbH Options" if name == "IPV6_HOPOPTS" else "Dst Options"
            out.append(f"  {title}: nxt {value[0]}, len {value[1]} ({len(value)} bytes)")
            out += _options(value)
        elif name == "IPV6_RTHDR":
            text = f"  rthdr: nxt {value[0]}, len {value[1]}, type {value[2]}, {value[3]} segments left"
            via = [f" [{number}]{in6.ntop(value[at : at + 16])}" for number, at in enumerate(range(8, len(value), 16))]
            out.append(text + ("," + "".join(via) if value[2] == 0 and via else ""))
    return out


def _options(header: bytes) -> list[str]:
    out = []
    try:
        for kind, value, _ in exthdr.options(header[2:]):
            if kind == exthdr.OPT_JUMBO:
                out.append(f"    Jumbo Payload Opt: Length {int.from_bytes(value, 'big')}")
            elif kind == exthdr.OPT_ROUTER_ALERT:
                out.append(f"    Router Alert Opt: Type {int.from_bytes(value, 'big')}")
            elif kind not in (exthdr.OPT_PAD1, exthdr.OPT_PADN):
                out.append(f"    Received Opt {kind} len {len(value)}")
    except WireError:
        out.append("    the rest can't be read")
    return out
