"""One-line texts of node information (RFC 4620) and router renumbering messages (RFC 2894), for `summary`."""

from __future__ import annotations

from typing import Final

from kamelab.wire import icmp6, in6, nodeinfo, rr
from kamelab.wire.buffer import WireError

_SHOWN: Final = 3
"""Names or addresses that a line has room for."""
_ASKED: Final = {
    nodeinfo.NOOP: "noop",
    nodeinfo.SUPTYPES: "supported qtypes",
    nodeinfo.FQDN: "name",
    nodeinfo.NODEADDR: "addresses",
    nodeinfo.IPV4ADDR: "IPv4 addresses",
}
_ENDED: Final = {nodeinfo.REFUSED: "refused", nodeinfo.UNKNOWN: "unknown qtype"}


def node_information(kind: int, code: int, body: bytes) -> str:
    """A query or a reply. Raises WireError where the message is cut or its answer can't be read."""
    message = nodeinfo.NodeInfo.parse(body)
    asked = _ASKED.get(message.qtype, f"qtype {message.qtype}")
    if kind == icmp6.NI_QUERY:
        about = _subject(code, message.data)
        return f"node information query {asked}{f' of {about}' if about else ''}"
    if code:
        return f"node information reply {asked} {_ENDED.get(code, f'code {code}')}"
    return f"node information reply {asked}{_answer(message)}"


def _subject(code: int, data: bytes) -> str:
    if code == nodeinfo.SUBJ_IPV6 and len(data) == 16:
        return in6.ntop(data)
    if code == nodeinfo.SUBJ_FQDN and data:
        try:
            return _listed(nodeinfo.decode_names(data))
        except WireError:
            return "a name that can't be read"
    return ""


def _answer(message: nodeinfo.NodeInfo) -> str:
    if message.qtype == nodeinfo.FQDN:
        return f" {_listed(nodeinfo.parse_name_data(message.data)[1])}"
    if message.qtype == nodeinfo.NODEADDR:
        found = nodeinfo.parse_addresses(message.data)
        cut = " truncated" if message.flags & nodeinfo.TRUNCATE else ""
        return f" {_listed(tuple(in6.ntop(one.addr) for one in found)) or 'none'}{cut}"
    return ""


def _listed(words: tuple[str, ...]) -> str:
    shown = " ".join(words[:_SHOWN])
    return f"{shown} ..." if len(words) > _SHOWN else shown


def router_renumbering(code: int, body: bytes) -> str:
    """A command, a result, or a reset of sequence numbers. Raises WireError where the message is cut."""
    if code == rr.RESULT:
        result = rr.Result.parse(body)
        return f"router renumbering result seq {result.seqnum} segment {result.segnum} {len(result.reports)} matches"
    if code == rr.SEQNUM_RESET:
        return f"router renumbering reset seq {rr.Command.parse(body).seqnum}"
    if code != rr.COMMAND:
        return f"router renumbering code {code}"
    command = rr.Command.parse(body)
    shown = ", ".join(
        f"{rr.OPCODES.get(one.opcode, f'opcode {one.opcode}')} {in6.ntop(one.prefix)}/{one.matchlen}"
        for one in command.operations[:_SHOWN]
    )
    test = " test" if command.flags & rr.TEST else ""
    return f"router renumbering command seq {command.seqnum}{test}{f' {shown}' if shown else ''}"
