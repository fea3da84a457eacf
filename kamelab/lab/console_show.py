"""Console commands that look, and the two that change the network: select nodes links trace show timers link reboot."""

from __future__ import annotations

from collections.abc import Callable

from kamelab.capture.dissect import dissect
from kamelab.capture.export import outcome_text
from kamelab.capture.filter import FilterError, compile_filter
from kamelab.capture.packets import PacketView, lost, select, view
from kamelab.capture.tree import Field, hexdump
from kamelab.core.errors import KamelabError
from kamelab.core.trace import Record
from kamelab.lab.journal import Entry
from kamelab.lab.link_settings import faults_text, switch_lines
from kamelab.lab.session import LINK_SETTINGS, Session, link_setting
from kamelab.lab.suggest import did_you_mean
from kamelab.lab.units import format_duration
from kamelab.wire.summary import summarize


def clock_text(time: int) -> str:
    """``00:00:12.000000``: hours, minutes, seconds and microseconds since boot."""
    micro = time // 1000
    seconds, micro = divmod(micro, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micro:06d}"


def _node(session: Session, words: list[str]) -> str:
    if len(words) != 1:
        raise KamelabError("expected a node's name")
    name = words[0]
    if name not in session.lab.nodes:
        raise KamelabError(f"no node is called {name!r}{did_you_mean(name, session.lab.nodes)}")
    return name


def _select(session: Session, words: list[str]) -> int:
    session.selected = _node(session, words)
    return 0


def _nodes(session: Session, words: list[str]) -> int:
    lines = []
    for name, node in session.world.network.nodes.items():
        mark = "*" if name == session.selected else " "
        role = "router" if node.sysctl["net.inet6.ip6.forwarding"] else "host"
        plugs = ", ".join(
            f"{iface.name} on {iface.link.name} {'up' if iface.running else 'down'}"
            for iface in node.interfaces.values()
            if not iface.loopback
        )
        drops = sum(iface.drops for iface in node.interfaces.values())
        lines.append(f"{mark} {name:<12} {role:<7} {plugs or 'no interface'}; {drops} dropped")
    session.say("text", "\n".join(lines) + "\n")
    return 0


def _links(session: Session, words: list[str]) -> int:
    lines = []
    for name, link in session.world.network.links.items():
        facts = [link.kind, "up" if link.up else "down", f"mtu {link.mtu}"]
        if link.latency:
            facts.append(f"latency {format_duration(link.latency)}")
        if link.bandwidth:
            facts.append(f"bandwidth {link.bandwidth} bps")
        facts += faults_text(link)
        plugs = " ".join(
            [f"{iface.node.name}:{iface.name}" for iface in link.stations]
            + [f"outside:{port.name}" for port in link.ports]
        )
        lines.append(f"{name:<12} {', '.join(facts)}; {link.carried} frames, {link.lost} lost; {plugs}")
        lines += switch_lines(link, session.now)
    session.say("text", ("\n".join(lines) or "no links") + "\n")
    return 0


def packet_line(session: Session, packet: PacketView) -> str:
    """One line of ``trace``: number, time, place, direction, what it is, how it ended."""
    arrow = ">" if packet.outbound else "<"
    place = f"{packet.node}:{packet.interface}"
    end = f"  [{packet.reason}]" if packet.reason else ""
    return f"{packet.num:>6} {clock_text(packet.time)} {place:<12} {arrow} {summarize(packet.frame)}{end}"


def _trace(session: Session, words: list[str]) -> int:
    text = " ".join(words)
    try:
        chosen = compile_filter(text) if text else None
    except FilterError as error:
        raise KamelabError(str(error)) from None
    lines = [packet_line(session, packet) for packet in select(session.world.network, chosen)]
    session.say("text", "\n".join(lines) + "\n" if lines else "no packets\n")
    return 0


def _show(session: Session, words: list[str]) -> int:
    if len(words) != 1 or not words[0].isdigit():
        raise KamelabError("expected a packet's number, as trace prints it")
    number = int(words[0])
    trace = session.world.network.trace
    record = trace.get(number)
    if record is None or not record.frame:
        raise KamelabError(f"no captured packet has the number {number}")
    packet = view(session.world.network, tuple(record))
    lines = [packet_line(session, packet), ""]
    for field in dissect(record.frame):
        _tree(field, 0, lines)
    lines += ["", *hexdump(record.frame), ""]
    end = trace.outcome(tuple(record)) if record.event == "rx" else lost(trace, tuple(record))
    if record.event == "rx" or end is not None:
        lines.append(f"ended: {outcome_text(end)}")
    lines.append("because of:")
    lines += [f"  {record_line(one)}" for one in trace.chain(record.cause)] or ["  nothing before it"]
    session.say("text", "\n".join(lines) + "\n")
    return 0


def record_line(record: Record) -> str:
    """A trace record in one line."""
    what = summarize(record.frame) if record.frame else record.note
    words = [record.stage if record.stage != "link" else "", record.event, record.reason, what]
    place = f"{record.node}:{record.interface}" if record.interface else record.node
    text = " ".join(word for word in words if word)
    rule = f" ({record.rule})" if record.rule else ""
    return f"{record.num:>6} {clock_text(record.time)} {place:<12} {text}{rule}"


def _tree(field: Field, depth: int, lines: list[str]) -> None:
    lines.append("  " * depth + field.label)
    for child in field.children:
        _tree(child, depth + 1, lines)


def _timers(session: Session, words: list[str]) -> int:
    rows = session.world.network.timer_rows()
    lines = [f"{clock_text(row.at)} {row.node:<12} {row.what}{' (ageing)' if row.ageing else ''}" for row in rows]
    session.say("text", ("\n".join(lines) or "no timer is armed") + "\n")
    return 0


def _link(session: Session, words: list[str]) -> int:
    if len(words) < 2:
        raise KamelabError("expected a link's name and what to change")
    links = session.world.network.links
    if words[0] not in links:
        raise KamelabError(f"no link is called {words[0]!r}{did_you_mean(words[0], links)}")
    for word in words[1:]:
        if word in ("up", "down"):
            continue
        try:
            key, value = link_setting(word)
        except ValueError as error:
            raise KamelabError(str(error)) from None
        if key == "switch" and value and links[words[0]].kind == "ppp":
            raise KamelabError(f"{words[0]} is a ppp line: it has two ends and no switch")
    session.input(Entry(session.now, session.events, "console", "", " ".join(["link", *words])))
    return 0


def _reboot(session: Session, words: list[str]) -> int:
    name = _node(session, words)
    command = session.foreground
    if command is not None and name in command.nodes:
        raise KamelabError(f"a command still runs on {name}: wait for it, or interrupt it with ^C")
    session.input(Entry(session.now, session.events, "console", "", f"reboot {name}"))
    return 0


COMMANDS: dict[str, tuple[str, str, Callable[[Session, list[str]], int]]] = {
    "select": ("select NODE", "the node that lines without NODE: go to", _select),
    "nodes": ("nodes", "all nodes, their roles and interfaces", _nodes),
    "links": ("links", "all links, their state and what is plugged in", _links),
    "trace": ("trace [FILTER]", "captured packets, those that a display filter takes", _trace),
    "show": ("show PACKET", "one packet: decoded, in hex, how it ended, what caused it", _show),
    "timers": ("timers", "every armed timer, soonest first", _timers),
    "link": ("link NAME up|down|SETTING=VALUE ...", f"change a link: {', '.join(LINK_SETTINGS)}", _link),
    "reboot": ("reboot NODE", "switch a node off and on", _reboot),
}
