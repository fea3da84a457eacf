"""Node information queries of ping6(8): what is sent for -w, -W, -a and -t, and the answers in words.

RFC 4620 and the drafts before it as KAME `ping6.c` speaks them (pinger, pr_suptypes, pr_nodeaddr, dnsdecode). The
nonce is the sequence number in two octets and six of the run's own. Left out: IPv4 addresses (-a 4 of later kits).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kamelab.wire import icmp6, in6, nodeinfo
from kamelab.wire.buffer import WireError

if TYPE_CHECKING:
    from kamelab.userland.ping6_options import Options

QUERY_LEN: Final = 16
"""Octets of a query before its subject: type, code, checksum, query type, flags, nonce."""

_LETTERS: Final = {
    "a": nodeinfo.ALL,
    "c": nodeinfo.COMPAT,
    "g": nodeinfo.GLOBAL,
    "G": nodeinfo.GLOBAL,
    "s": nodeinfo.SITELOCAL,
    "S": nodeinfo.SITELOCAL,
    "l": nodeinfo.LINKLOCAL,
    "L": nodeinfo.LINKLOCAL,
    "A": nodeinfo.ANYCAST,
}


def address_flags(letters: str) -> int | None:
    """The flags that the letters of -a ask for; None where one is unknown."""
    flags = 0
    for letter in letters:
        if letter not in _LETTERS:
            return None
        flags |= _LETTERS[letter]
    return flags


def nonce(ident: int, seq: int, started: int) -> bytes:
    """The nonce of a query: what replies are known by. ``started``: lab time of the run's begin, ns since 1970."""
    return (
        seq.to_bytes(2, "big") + (ident & 0xFFFF).to_bytes(2, "big") + (started // 1000 & 0xFFFFFFFF).to_bytes(4, "big")
    )


def query(options: Options, dst: bytes, mark: bytes) -> bytes:
    """A whole query, checksum open: about the destination, or without subject for -W and -t."""
    code, subject, flags = nodeinfo.SUBJ_IPV6, dst, 0
    if options.query == "fqdnold":
        qtype, subject = nodeinfo.FQDN, b""
    elif options.query == "suptypes":
        # The compressed bitmap is understood, and the subject is whoever hears it (KAME ping6.c).
        qtype, code, subject, flags = nodeinfo.SUPTYPES, nodeinfo.SUBJ_FQDN, b"", nodeinfo.COMPRESS
    elif options.query == "nodeaddr":
        qtype, flags = nodeinfo.NODEADDR, options.address_flags
    else:
        qtype = nodeinfo.FQDN
    return bytes((icmp6.NI_QUERY, code, 0, 0)) + nodeinfo.query_body(qtype, mark, subject, flags)


def length(options: Options) -> int:
    """Octets of a query."""
    return QUERY_LEN + (16 if options.query in ("fqdn", "nodeaddr") else 0)


def sequence(message: bytes, mark: bytes) -> int | None:
    """The sequence number of a reply to a query with this run's nonce; None for anything else."""
    if len(message) < QUERY_LEN or message[0] != icmp6.NI_REPLY or message[10:16] != mark[2:]:
        return None
    return int.from_bytes(message[8:10], "big")


def answer(message: bytes, verbose: bool) -> list[str]:
    """A reply in words: what stands behind ``C bytes from A:`` on its line, then the lines below it."""
    code = message[1]
    info = nodeinfo.NodeInfo.parse(message[4:])
    if code != nodeinfo.SUCCESS:
        what = {nodeinfo.REFUSED: "refused", nodeinfo.UNKNOWN: "unknown"}.get(code, f"unknown code 0x{code:x}")
        return [f" {what}, type 0x{info.qtype:x}"]
    if info.qtype == nodeinfo.NOOP:
        return [" NodeInfo NOOP"]
    if info.qtype == nodeinfo.SUPTYPES:
        return [f" {_qtypes(info, verbose)}"]
    if info.qtype == nodeinfo.NODEADDR:
        return _addresses(info, verbose)
    return [f" {_names(info, verbose)}"]


def _qtypes(info: nodeinfo.NodeInfo, verbose: bool) -> str:
    out = "NodeInfo Supported Qtypes"
    if verbose:
        out += f", {'compressed' if info.flags & nodeinfo.COMPRESS else 'raw'} bitmap"
    try:
        known = nodeinfo.parse_suptypes(info.flags, info.data)
    except WireError:
        return f"{out}: ???"
    return f"{out}: {', '.join(nodeinfo.QTYPES.get(one, str(one)) for one in known) or 'none'}"


def _addresses(info: nodeinfo.NodeInfo, verbose: bool) -> list[str]:
    """A line for each address. Replies of the older drafts have no TTLs: the length tells (KAME pr_nodeaddr)."""
    out = [" truncated" if verbose and info.flags & nodeinfo.TRUNCATE else ""]
    if not info.data:
        return [*out, "  no address"]
    with_ttl = len(info.data) % 20 == 0
    size = 20 if with_ttl else 16
    for at in range(0, len(info.data) - size + 1, size):
        text = f"  {in6.ntop(info.data[at + size - 16 : at + size])}"
        if with_ttl:
            ttl = int.from_bytes(info.data[at : at + 4], "big")
            text += "(TTL=infty)" if ttl == 0xFFFFFFFF else f"(TTL={ttl})"
        out.append(text)
    return out


def _names(info: nodeinfo.NodeInfo, verbose: bool) -> str:
    """The names of a reply with commas between; one that is fully qualified ends in a dot."""
    data = info.data
    if len(data) < 5:
        return "(no name)" if verbose else ""
    old = data[4] == len(data) - 5
    if old:
        text = _safe(data[5:])
    else:
        text = ",".join(_decode(data[4:]))
    if not verbose:
        return text
    ttl = int.from_bytes(data[:4], "big", signed=True)
    remarks = [f"TTL={ttl}" + ("" if info.flags & nodeinfo.VALIDTTL else ":meaningless")]
    if info.flags & nodeinfo.VALIDTTL and ttl < 0:
        remarks = [f"TTL={ttl}:invalid"]
    if old:
        remarks.append("03 draft")
    elif not text:
        remarks.append("no name")
    return f"{text} ({','.join(remarks)})"


def _decode(data: bytes) -> list[str]:
    out: list[str] = []
    labels: list[str] = []
    at = 0
    while at < len(data):
        size = data[at]
        if size > 63 or at + 1 + size > len(data):
            return [*out, "???"]
        at += 1 + size
        if size:
            labels.append(_safe(data[at - size : at]))
            continue
        if labels:
            short = at < len(data) and data[at] == 0
            at += short
            out.append(".".join(labels) + ("" if short else "."))
            labels = []
    return [*out, "???"] if labels else out


def _safe(data: bytes) -> str:
    """Text of a stranger: what can't be printed becomes a backslash and octal digits (KAME ping6.c dnsdecode)."""
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03o}" for octet in data)
