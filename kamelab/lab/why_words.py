"""Trace records as sentences with their rules: what `why` says of one line of the trace.

Records that follow from a packet's kind alone (sent, received, delivered) carry no rule of their own; theirs are in the
tables here, by ICMPv6 type and by the routine that ended the packet (RFC 4861, RFC 4862, RFC 4443, RFC 2710). Nothing
here looks anything up in a node.
"""

from __future__ import annotations

from kamelab.core.drops import REASONS
from kamelab.core.trace import Record
from kamelab.lab.console_show import clock_text
from kamelab.wire import icmp6
from kamelab.wire.buffer import WireError
from kamelab.wire.exthdr import upper_layer
from kamelab.wire.ip6 import IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from kamelab.wire.summary import summarize

SENT: dict[int, str] = {
    icmp6.DST_UNREACH: "RFC 4443 3.1",
    icmp6.PACKET_TOO_BIG: "RFC 4443 3.2",
    icmp6.TIME_EXCEEDED: "RFC 4443 3.3",
    icmp6.PARAM_PROB: "RFC 4443 3.4",
    icmp6.ECHO_REQUEST: "RFC 4443 4.1",
    icmp6.ECHO_REPLY: "RFC 4443 4.2",
    icmp6.MLD_QUERY: "RFC 2710 3",
    icmp6.MLD_REPORT: "RFC 2710 4",
    icmp6.MLD_DONE: "RFC 2710 4",
    icmp6.MLDV2_REPORT: "RFC 3810 6",
    icmp6.ROUTER_SOLICIT: "RFC 4861 6.3.7",
    icmp6.ROUTER_ADVERT: "RFC 4861 6.2.3",
    icmp6.NEIGHBOR_SOLICIT: "RFC 4861 7.2.2",
    icmp6.NEIGHBOR_ADVERT: "RFC 4861 7.2.4",
    icmp6.REDIRECT: "RFC 4861 8.2",
    icmp6.ROUTER_RENUMBER: "RFC 2894 3",
}
"""Why a message of an ICMPv6 type is sent."""
ROUTINES: dict[str, str] = {
    "nd6_ns_input": "RFC 4861 7.2.3",
    "nd6_na_input": "RFC 4861 7.2.5",
    "nd6_rs_input": "RFC 4861 6.2.6",
    "nd6_ra_input": "RFC 4861 6.3.4",
    "icmp6_redirect_input": "RFC 4861 8.3",
    "icmp6_input": "RFC 4443 2.4",
    "mld6_input": "RFC 2710 4",
    "udp6_input": "RFC 768",
    "tcp6_input": "RFC 9293 3.10.7",
    "tcp_timer": "RFC 9293 3.10.8",
    "rip6_input": "RFC 3542 3",
    "frag6_input": "RFC 8200 4.5",
    "nd6_timer": "RFC 4861 7.3.3",
    "dad_timer": "RFC 4862 5.4",
    "mld6_timer": "RFC 2710 4",
    "mld6_link_timer": "RFC 3810 6",
    "frag_timer": "RFC 8200 4.5",
    "frag_slowtimo": "KAME frag6.c",
    "route6_input": "RFC 8200 4.4",
    "dest6_input": "RFC 8200 4.6",
    "ip6_hopopts_input": "RFC 8200 4.3",
    "ip6_forward": "RFC 8200 3",
    "expire_timer": "RFC 4861 6.3.5",
}
"""Rules of the routines that take packets in, and of the kernel's timers."""
TIMERS: dict[str, str] = {
    "nd6_timer": "the timer of a neighbour cache entry ran out",
    "dad_timer": "a wait of duplicate address detection was over",
    "mld6_timer": "a multicast listener report was due",
    "mld6_link_timer": "a multicast listener report of version 2 was due, or to be repeated",
    "frag_timer": "the time for the missing fragments was over",
    "frag_slowtimo": "fewer packets may wait for their fragments than do",
    "expire_timer": "a lifetime of a router, prefix, address or route was over",
    "tcp_timer": "a timer of a TCP connection ran out",
    "timeout": "a program's wait was over",
}
EVENTS: dict[str, str] = {
    "output": "a packet was to be sent to it",
    "heard": "a message from it came without its link-layer address",
    "learned": "a message from it told its link-layer address",
    "changed": "a message from it told another link-layer address than before",
    "na_solicited": "it answered a solicitation",
    "na_unsolicited": "it advertised a new link-layer address without being asked",
    "na_conflict": "an advertisement named another link-layer address and may not override",
    "timeout": "the time of the state ran out",
    "retrans": "no answer yet: the solicitation is repeated",
    "failed": "no answer to the last solicitation",
    "hint": "an upper layer said that it answers",
    "nud_off": "the interface does no unreachability detection",
    "set": "it was set by hand",
}
"""Events of the neighbour cache's machine (`nd6_state`) in words."""
_TIMEOUTS = {
    "REACHABLE": "it was not confirmed within the reachable time",
    "STALE": "nobody used it for a day",
    "DELAY": "no confirmation came while waiting",
}
_DAD = {
    "probe": "asks whether somebody else has the address",
    "unique": "nobody answered: the address is this node's",
    "duplicate": "somebody else has the address",
}
TCP_EVENTS: dict[str, str] = {
    "open_passive": "a program listens",
    "open_active": "a program connects: a SYN is sent",
    "rcv_syn": "a SYN came",
    "rcv_syn_ack": "the answer to our SYN came",
    "rcv_ack_of_syn": "our SYN was acknowledged",
    "close": "the program closed: a FIN is to be sent",
    "rcv_fin": "the peer's FIN came: it will send no more",
    "rcv_ack_of_fin": "our FIN was acknowledged",
    "rcv_rst": "a reset came",
    "reused": "a new SYN for the same addresses and ports",
    "abort": "given up here: a reset is sent",
    "timeout": "no answer in time",
    "error": "the network says that it can't be",
}
"""Events of TCP's machine (`tcp_state`) in words."""
_TCP_WAITS = {"TIME-WAIT": "twice the life of a segment is over", "FIN-WAIT-2": "the peer never closed its side"}
MLD_EVENTS: dict[str, str] = {
    "start": "joined: a report is sent, and once more later",
    "listen": "joined, reported by version 2",
    "stop": "left",
    "down": "the interface went down",
    "query": "a router asks who listens",
    "report": "another listener reported it",
    "timeout": "the report was sent",
    "older": "a router of the other version took over",
}
"""Events of a multicast listener's machine (`mld6_state`) in words."""
BOOT = "boot: the lab file set the node up so"


def icmp6_type(frame: bytes) -> int:
    """ICMPv6 type of an Ethernet frame; -1 where it carries none that can be read."""
    try:
        proto, at = upper_layer(frame[14:])
    except WireError:
        return -1
    return frame[14 + at] if proto == IPPROTO_ICMPV6 and 14 + at < len(frame) else -1


def frame_rule(frame: bytes) -> str:
    """The rule by which a message of this kind is sent."""
    kind = icmp6_type(frame)
    if kind == icmp6.NEIGHBOR_SOLICIT and frame[22:38] == bytes(16):
        return "RFC 4862 5.4.2"
    if kind in SENT:
        return SENT[kind]
    try:
        proto = upper_layer(frame[14:])[0]
        return {IPPROTO_UDP: "RFC 768", IPPROTO_TCP: "RFC 9293 3.10"}.get(proto, "RFC 8200 3")
    except WireError:
        return "RFC 2464 3"


def rule_of(record: Record, frame: bytes = b"") -> str:
    """The rule of a record: its own, else that of its kind. ``frame``: the packet that a record is about."""
    if record.rule:
        return record.rule
    if record.event == "tx":
        return frame_rule(record.frame)
    if record.event == "rx":
        return "RFC 2464 3"
    if record.event == "deliver" and icmp6_type(frame) == icmp6.ECHO_REQUEST:
        return "RFC 4443 4.2"
    if record.event in ("deliver", "timer"):
        return ROUTINES.get(record.stage, "RFC 8200 4" if record.event == "deliver" else "")
    return ""


def with_rule(text: str, rule: str) -> str:
    """A sentence and where it is written."""
    return f"{text} ({rule})" if rule else text


def place(record: Record) -> str:
    """``h1:ne0``, the node alone where no interface is concerned, else the lab."""
    return f"{record.node}:{record.interface}" if record.interface else record.node or "lab"


def event_words(old: str, event: str) -> str:
    """Why a neighbour left a state."""
    return _TIMEOUTS.get(old, EVENTS["timeout"]) if event == "timeout" else EVENTS.get(event, event.replace("_", " "))


def sentence(record: Record) -> str:
    """What happened, without number, time, place and rule."""
    if record.event in ("rx", "tx"):
        # A packet that was cut, or stays on the node, is sent without a frame of its own.
        what = summarize(record.frame) if record.frame else record.note
        return f"{'received' if record.event == 'rx' else 'sent'} {what}"
    if record.event == "command":
        return f"typed: {record.note}" if record.stage == "console" else f"program started: {record.note}"
    if record.event == "timer":
        return TIMERS.get(record.stage, f"timer {record.stage}")
    if record.event == "drop":
        reason = REASONS.get(record.reason)
        text = f"dropped by {record.stage}, {record.reason}: {reason.sentence if reason else ''}".rstrip()
        return f"{text} [{record.note}]" if record.note else text
    if record.event == "state":
        return state_sentence(record)
    if record.event == "forward":
        return f"forwarded {record.note}"
    if record.event == "hold":
        return f"held: {record.note}"
    if record.event == "deliver":
        return f"taken in by {record.stage}" + (f": {record.note}" if record.note else "")
    return " ".join(word for word in (record.stage, record.event, record.reason, record.note) if word)


def state_sentence(record: Record) -> str:
    """A ``state`` record: whose state, from what to what, and why."""
    if record.stage == "nd6_nud":
        address, _, event = record.note.partition(" ")
        old, _, new = record.reason.partition(" > ")
        if old == new:
            return f"neighbour {address} stays {new}: {event_words(old, event)}"
        step = f"{'no entry' if old == '-' else old} > {'gone' if new == '-' else new}"
        return f"neighbour {address} {step}: {event_words(old, event)}"
    if record.stage == "tcp":
        local, foreign, event = record.note.split(" ")
        old = record.reason.partition(" > ")[0]
        why = _TCP_WAITS.get(old, TCP_EVENTS[event]) if event == "timeout" else TCP_EVENTS.get(event, event)
        return f"connection {local} {foreign} {record.reason}: {why}"
    if record.stage == "mld6" and " > " in record.reason:
        group, _, event = record.note.partition(" ")
        return f"group {group} {record.reason}: {MLD_EVENTS.get(event, event)}"
    if record.stage == "in6_selectsrc":
        return f"source {record.note}"
    if record.stage == "nd6_dad":
        what, _, _count = record.reason.removeprefix("DAD ").partition(" ")
        text = _DAD.get(what, what)
        return f"address {record.note} {record.reason}: {text}" if text != what else f"address {record.note} {what}"
    if record.stage == "nd6_rtr":
        what = record.reason.removeprefix("router ")
        words = {"new": "enters the default router list", "default": "becomes the default router"}
        return f"router {record.note} {words.get(what, what)}"
    if record.reason.startswith(("prefix ", "address ")):
        kind, _, what = record.reason.partition(" ")
        return f"{kind} {record.note} {what}"
    if record.reason in REASONS:
        return f"no ICMPv6 error is sent, {record.reason}: {record.note}"
    return f"{record.reason} {record.note}".strip()


def line(record: Record, frame: bytes = b"") -> str:
    """Number, time, place, sentence and rule of a record."""
    text = with_rule(sentence(record), rule_of(record, frame))
    return f"{record.num:>6} {clock_text(record.time)} {place(record):<7} {text}"
