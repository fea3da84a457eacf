"""ICMPv6 in the lines of tcpdump(1): errors, echo, neighbour discovery with its options, MLD, node information.

The form is that of tcpdump 4.99 (RFC 4443, RFC 4861, RFC 4191, RFC 8106, RFC 2710, RFC 9777, RFC 4620, RFC 2894).
Left out: the packet that an error quotes beyond what the line names, secure ND, mobile IPv6's messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.wire import ether, exthdr, icmp6, ip6, nd_options, nodeinfo
from kamelab.wire.buffer import WireError
from kamelab.wire.checksum import in6_cksum

if TYPE_CHECKING:
    from kamelab.userland.tcpdump_print import Printer

_NAMES: Final = {
    1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem",
    128: "echo request", 129: "echo reply", 130: "multicast listener query", 131: "multicast listener report",
    132: "multicast listener done", 133: "router solicitation", 134: "router advertisement",
    135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect", 138: "router renumbering",
    139: "who-are-you request node information query",
    140: "who-are-you reply node information reply", 141: "inverse neighbor solicitation",
    142: "inverse neighbor advertisement", 143: "multicast listener report v2",
}  # fmt: skip
_ND: Final = range(133, 138)
_OPTIONS: Final = {
    1: "source link-address", 2: "destination link-address", 3: "prefix info", 4: "redirected header", 5: "mtu",
    14: "nonce", 24: "route info", 25: "rdnss", 31: "dnssl",
}  # fmt: skip
_UNREACH: Final = {0: "unreachable route", 1: " unreachable prohibited", 3: "unreachable address"}
_PREFERENCES: Final = {0: "medium", 1: "high", 2: "reserved", 3: "low"}
_RECORDS: Final = {1: "is_in", 2: "is_ex", 3: "to_in", 4: "to_ex", 5: "allow", 6: "block"}
_QTYPES: Final = {0: "noop", 1: "supported qtypes", 2: "DNS name", 3: "node addresses"}

_NI_FLAGS: Final = (
    (nodeinfo.ANYCAST, "a"),
    (nodeinfo.GLOBAL, "G"),
    (nodeinfo.SITELOCAL, "S"),
    (nodeinfo.LINKLOCAL, "L"),
    (nodeinfo.COMPAT, "C"),
    (nodeinfo.ALL, "A"),
)
_RR_FLAGS: Final = ((0x80, "T"), (0x40, "R"), (0x20, "A"), (0x10, "S"), (0x08, "P"))


class Short(Exception):
    """The captured octets end inside a header."""

    def __init__(self, protocol: str) -> None:
        super().__init__(protocol)
        self.protocol = protocol


def take(data: bytes, at: int, size: int, protocol: str) -> bytes:
    """``size`` octets from ``at``; Short where they aren't all there."""
    if at + size > len(data):
        raise Short(protocol)
    return data[at : at + size]


def icmp6_lines(printer: Printer, data: bytes, size: int, src: bytes, dst: bytes, check: bool, fragment: bool) -> str:
    """A message of ``size`` octets on the wire, ``data`` what is there of it."""
    out = ""
    head = take(data, 0, 4, "icmp6")
    if printer.verbose and check:
        cksum = int.from_bytes(head[2:4], "big")
        good = in6_cksum(src, dst, ip6.IPPROTO_ICMPV6, data[:2] + b"\0\0" + data[4:])
        out = "[icmp6 sum ok] " if cksum == good else f"[bad icmp6 cksum 0x{cksum:04x} -> 0x{good:04x}!] "
    kind, code = head[0], head[1]
    name = _NAMES.get(kind)
    if name is None:
        return f"{out}ICMP6, type-#{kind}, length {size}"
    out += f"ICMP6, {name}"
    nd = kind in _ND
    if nd and printer.verbose:
        out += f", length {size}"
    try:
        out += _body(printer, kind, code, data, size)
    except Short as short:
        return f"{out} [|{short.protocol}]"
    return out if printer.verbose else f"{out}, length {size}"


def _body(printer: Printer, kind: int, code: int, data: bytes, size: int) -> str:
    if kind <= icmp6.PARAM_PROB:
        return _error(printer, kind, code, take(data, 0, 8, "icmp6"), data[8:])
    if kind in (icmp6.ECHO_REQUEST, icmp6.ECHO_REPLY):
        word = take(data, 4, 4, "icmp6")
        return f", id {int.from_bytes(word[:2], 'big')}, seq {int.from_bytes(word[2:], 'big')}"
    if kind in (icmp6.MLD_QUERY, icmp6.MLD_REPORT, icmp6.MLD_DONE):
        if kind == icmp6.MLD_QUERY and size >= 28:
            return _query2(printer, take(data, 0, 28, "icmp6"), data)
        body = take(data, 4, 20, "icmp6")
        return f" max resp delay: {int.from_bytes(body[:2], 'big')} addr: {printer.host(body[4:])}"
    if kind == icmp6.MLDV2_REPORT:
        return _report2(printer, data)
    if kind == icmp6.ROUTER_SOLICIT:
        return _options(printer, data, 8)
    if kind == icmp6.ROUTER_ADVERT:
        return _advert(printer, take(data, 0, 16, "icmp6")) + _options(printer, data, 16)
    if kind == icmp6.NEIGHBOR_SOLICIT:
        return f", who has {printer.host(take(data, 8, 16, 'icmp6'))}" + _options(printer, data, 24)
    if kind == icmp6.NEIGHBOR_ADVERT:
        out = f", tgt is {printer.host(take(data, 8, 16, 'icmp6'))}"
        if printer.verbose:
            out += _flags(data[4], ((0x80, "router"), (0x40, "solicited"), (0x20, "override")))
        return out + _options(printer, data, 24)
    if kind == icmp6.REDIRECT:
        target, dst = take(data, 8, 16, "icmp6"), take(data, 24, 16, "icmp6")
        return f", {printer.host(dst)} to {printer.host(target)}" + _options(printer, data, 40)
    if kind in (icmp6.NI_QUERY, icmp6.NI_REPLY):
        return _nodeinfo(printer, kind, code, take(data, 0, 16, "icmp6"), data[16:])
    if kind == icmp6.ROUTER_RENUMBER:
        return _renumber(printer, code, take(data, 0, 16, "icmp6"), data[16:])
    return ""


def _flags(octet: int, words: tuple[tuple[int, str], ...]) -> str:
    names = [word for bit, word in words if octet & bit]
    return f", Flags [{', '.join(names) or 'none'}]"


def _error(printer: Printer, kind: int, code: int, head: bytes, quoted: bytes) -> str:
    word = int.from_bytes(head[4:8], "big")
    if kind == icmp6.PACKET_TOO_BIG:
        return f", mtu {word}"
    if kind == icmp6.PARAM_PROB:
        what = {0: "erroneous", 1: "next header", 2: "option", 3: "incomplete header chain"}.get(code)
        return f", {what} - octet {word}" if what else f", code-#{code}"
    if kind == icmp6.TIME_EXCEEDED:
        if code == icmp6.TIMXCEED_REASSEMBLY:
            return " in-transit (reassembly)"
        if code:
            return f" in-transit, unknown code ({code})"
        return f" in-transit for {printer.host(take(quoted, 24, 16, 'icmp6'))}"
    if code > icmp6.UNREACH_PORT:
        return f", unknown unreach code ({code})"
    dst = printer.host(take(quoted, 24, 16, "icmp6"))
    if code == icmp6.UNREACH_SCOPE:
        return f", beyond scope {dst}, source address {printer.host(quoted[8:24])}"
    if code == icmp6.UNREACH_PORT:
        return f", unreachable port, {_port(printer, dst, quoted)}"
    return f", {_UNREACH[code]} {dst}"


def _port(printer: Printer, dst: str, quoted: bytes) -> str:
    try:
        nxt, at = exthdr.upper_layer(quoted)
    except WireError:
        raise Short("icmp6") from None
    if nxt not in (ip6.IPPROTO_TCP, ip6.IPPROTO_UDP):
        return f"{dst} protocol {nxt}"
    port = printer.port(int.from_bytes(take(quoted, at, 4, "icmp6")[2:4], "big"))
    return f"{dst} {'tcp' if nxt == ip6.IPPROTO_TCP else 'udp'} port {port}"


def _advert(printer: Printer, head: bytes) -> str:
    if not printer.verbose:
        return ""
    flags = _flags(head[5], ((0x80, "managed"), (0x40, "other stateful"), (0x20, "home agent")))[2:]
    return (
        f"\n\thop limit {head[4]}, {flags}, pref {_PREFERENCES[head[5] >> 3 & 3]}, "
        f"router lifetime {int.from_bytes(head[6:8], 'big')}s, reachable time {int.from_bytes(head[8:12], 'big')}ms, "
        f"retrans timer {int.from_bytes(head[12:16], 'big')}ms"
    )


def _lifetime(seconds: int) -> str:
    return "infinity" if seconds == nd_options.INFINITE else f"{seconds}s"


def _options(printer: Printer, data: bytes, at: int) -> str:
    """Options of neighbour discovery from ``at`` on, under -v a line each."""
    if not printer.verbose:
        return ""
    out = ""
    while at < len(data):
        head = take(data, at, 2, "icmp6")
        size = 8 * head[1]
        name = _OPTIONS.get(head[0], "unknown")
        out += f"\n\t  {name} option ({head[0]}), length {size} ({head[1]}): "
        if not size:
            return out + "(invalid)"
        option = take(data, at, size, "icmp6")
        out += _option(printer, option)
        if printer.verbose > 1 and head[0] != nd_options.REDIRECTED:
            out += _dump(option[2:])
        at += size
    return out


def _option(printer: Printer, option: bytes) -> str:
    kind, size = option[0], len(option)
    lifetime = _lifetime(int.from_bytes(option[4:8], "big"))
    if kind in (nd_options.SLLA, nd_options.TLLA):
        return ether.mac_text(option[2:8]) if size == 8 else option[2:].hex(":")
    if kind == nd_options.PREFIX and size == 32:
        flags = _flags(option[3], ((0x80, "onlink"), (0x40, "auto"), (0x20, "router")))
        preferred = _lifetime(int.from_bytes(option[8:12], "big"))
        return f"{printer.host(option[16:32])}/{option[2]}{flags}, valid time {lifetime}, pref. time {preferred}"
    if kind == nd_options.MTU and size == 8:
        return f" {int.from_bytes(option[4:8], 'big')}"
    if kind == nd_options.ROUTE_INFO and size <= 24:
        prefix = printer.host((option[8:] + bytes(16))[:16])
        return f" {prefix}/{option[2]}, pref={_PREFERENCES[option[3] >> 3 & 3]}, lifetime={lifetime}"
    if kind == nd_options.RDNSS:
        servers = [f" addr: {printer.host(option[i : i + 16])}" for i in range(8, size - 15, 16)]
        return f" lifetime {lifetime}," + "".join(servers)
    if kind == nd_options.DNSSL:
        return f" lifetime {lifetime}, domain(s):" + "".join(f" {name}" for name in _domains(option[8:]))
    if kind == nd_options.REDIRECTED:
        return _dump(option)
    return _dump(option[2:]) if printer.verbose == 1 else ""


def _domains(data: bytes) -> list[str]:
    """The names of a search list, each with its last dot (RFC 8106 5.2)."""
    out: list[str] = []
    labels = ""
    at = 0
    while at < len(data):
        size = data[at]
        at += 1
        if size:
            labels += data[at : at + size].decode("ascii", "replace") + "."
            at += size
        elif labels:
            out.append(labels)
            labels = ""
        else:
            break
    return out


def _dump(data: bytes) -> str:
    out = ""
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        out += f"\n\t    0x{at:04x}:  " + " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
    return out


def _query2(printer: Printer, head: bytes, data: bytes) -> str:
    code = int.from_bytes(head[4:6], "big")
    delay = code if code < 0x8000 else ((code & 0xFFF) | 0x1000) << ((code >> 12 & 7) + 3)
    count = int.from_bytes(head[26:28], "big")
    out = " v2" + (f" [max resp delay={delay}]" if printer.verbose else "")
    out += f" [gaddr {printer.host(head[8:24])}"
    if printer.verbose:
        if head[24] & 8:
            out += " sflag"
        if head[24] & 7:
            out += f" robustness={head[24] & 7}"
        interval = head[25] if head[25] < 128 else ((head[25] & 15) | 16) << ((head[25] >> 4 & 7) + 3)
        out += f" qqi={interval}"
    if count:
        out += _sources(printer, data, 28, count, ", ")
    return out + "]"


def _sources(printer: Printer, data: bytes, at: int, count: int, between: str) -> str:
    if printer.verbose < 2:
        return f"{between}{count} source(s)"
    shown = "".join(f" {printer.host(take(data, at + 16 * i, 16, 'icmp6'))}" for i in range(count))
    return f" {{{shown} }}"


def _report2(printer: Printer, data: bytes) -> str:
    count = int.from_bytes(take(data, 0, 8, "icmp6")[6:8], "big")
    out = f", {count} group record(s)"
    at = 8
    for _ in range(count if printer.verbose else 0):
        head = take(data, at, 20, "icmp6")
        sources = int.from_bytes(head[2:4], "big")
        out += f" [gaddr {printer.host(head[4:20])} {_RECORDS.get(head[0], f'v2-report-#{head[0]}')}"
        out += _sources(printer, data, at + 20, sources, ", ") + "]"
        at += 20 + 16 * sources + 4 * head[1]
    return out


def _nodeinfo(printer: Printer, kind: int, code: int, head: bytes, data: bytes) -> str:
    """RFC 4620 4: kind of question, about whom; of answers the names and addresses."""
    qtype, flags = int.from_bytes(head[4:6], "big"), int.from_bytes(head[6:8], "big")
    what = _QTYPES.get(qtype, "unknown")
    if kind == icmp6.NI_QUERY:
        return f" ({what}{_query_flags(qtype, flags)}{_subject(printer, qtype, code, data)})"
    if code:
        return f" ({'refused' if code == nodeinfo.REFUSED else 'unknown'})"
    out = " (success, " if printer.verbose else " ("
    out += what
    if qtype == nodeinfo.NODEADDR:
        for at in range(0, len(data) - 19, 20):
            out += f" {printer.host(data[at + 4 : at + 20])}({int.from_bytes(data[at : at + 4], 'big')})"
    if qtype != nodeinfo.FQDN:
        return f"{out}{_query_flags(qtype, flags, reply=True)})"
    if len(data) > 4 and data[4] == len(data) - 5:
        old = ", 03 draft" if printer.verbose else ""
        return f'{out}{old}, "{data[5:].decode("ascii", "replace")}")'
    return f'{out}, "{_label(data[4:])}")'


def _query_flags(qtype: int, flags: int, *, reply: bool = False) -> str:
    """The flags of addresses in tcpdump's order and letters, ``a`` for anycast; C of a bitmap that is compressed."""
    letters = ""
    if qtype == nodeinfo.NODEADDR:
        letters = "".join(letter for bit, letter in _NI_FLAGS if flags & bit)
        if reply and flags & nodeinfo.TRUNCATE:
            letters += "T"
    elif qtype == nodeinfo.SUPTYPES and flags & nodeinfo.COMPRESS:
        letters = "C"
    return f" [{letters}]" if letters else ""


def _subject(printer: Printer, qtype: int, code: int, data: bytes) -> str:
    if qtype < nodeinfo.FQDN:
        return ""
    if not data:
        return ", 03 draft" if qtype == nodeinfo.FQDN else ""
    if code == nodeinfo.SUBJ_FQDN:
        return f', subject=DNS name, "{_label(data)}"'
    if code == nodeinfo.SUBJ_IPV4 and len(data) >= 4:
        return f", subject={'.'.join(str(octet) for octet in data[:4])}"
    return f", subject={printer.host(data[:16])}" if code == nodeinfo.SUBJ_IPV6 and len(data) >= 16 else ""


def _label(data: bytes) -> str:
    """The first DNS name in ``data``; one that is fully qualified, so that a single zero ends it, ends in a dot."""
    labels = []
    at = 0
    while at < len(data) and data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii", "replace"))
        at += 1 + data[at]
    short = data[at : at + 2] == b"\0\0"
    return ".".join(labels) + ("" if short or not labels else ".")


def _renumber(printer: Printer, code: int, head: bytes, data: bytes) -> str:
    """RFC 2894 3.1: command, result or reset, and of a command what it does to which prefixes."""
    what = {0: "command", 1: "result", 255: "sequence number reset"}.get(code, f"code-#{code}")
    out = f", {what}, seq={int.from_bytes(head[4:8], 'big')}"
    if printer.verbose:
        letters = "".join(letter for bit, letter in _RR_FLAGS if head[9] & bit)
        out += f"[{letters}{',' if letters else ''}seg={head[8]},maxdelay={int.from_bytes(head[10:12], 'big')}]"
    between = "\n\t" if printer.verbose > 1 else " "
    at = 0
    while code == 0 and at < len(data):
        match = take(data, at, 24, "icmp6")
        operation = {1: "add", 2: "change", 3: "setglobal"}.get(match[0], f"#{match[0]}")
        detail = f"ord={match[2]},min={match[4]},max={match[5]}," if printer.verbose else ""
        out += f"{between}match({operation},{detail}{printer.host(match[8:24])}/{match[3]})"
        after = at + 8 * max(match[1], 3)
        for use_at in range(at + 24, after - 31, 32):
            out += between + _use(printer, take(data, use_at, 32, "icmp6"))
        at = after
    return out


def _use(printer: Printer, use: bytes) -> str:
    detail = ""
    if printer.verbose:
        times = [int.from_bytes(use[at : at + 4], "big") for at in (4, 8)]
        valid, preferred = ("infty" if time == nd_options.INFINITE else str(time) for time in times)
        detail = f"mask=0x{use[2]:x},raflags=0x{use[3]:x},vltime={valid},pltime={preferred},"
    return f"use({detail}{printer.host(use[16:32])}/{use[0]}/{use[1]})"
