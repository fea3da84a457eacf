"""A check in words, for those whose author wrote none."""

from __future__ import annotations

from kamelab.lab import schema
from kamelab.lab.units import format_duration


def describe(check: schema.Check) -> str:
    """One line that says what the check asks for."""
    match check:
        case schema.NeighborCheck():
            state = f" is {check.state.upper()}" if check.state is not None else ""
            mac = f" at {check.lladdr}" if check.lladdr is not None else ""
            router = "" if check.router is None else ", a router" if check.router else ", no router"
            return f"{check.node}: neighbor {check.address}{mac}{state}{router}"
        case schema.PrefixCheck():
            return f"{check.node}: prefix {check.prefix} in its list{_by(check.advertised_by)}{_flags(check.flags)}"
        case schema.RouterCheck():
            return f"{check.node}: {check.router} in its default router list{_flags(check.flags)}"
        case schema.RouteCheck():
            gateway = f" by {check.gateway}" if check.gateway is not None else ""
            mtu = f", mtu {check.mtu}" if check.mtu is not None else ""
            return f"{check.node}: route to {check.destination}{gateway}{_flags(check.flags)}{mtu}"
        case schema.AddressCheck():
            what = check.address or f"an address under {check.prefix}"
            flags = "".join(f", not {flag[1:]}" if flag[0] == "!" else f", {flag}" for flag in check.flags)
            return f"{check.node}: {what}{flags}"
        case schema.SysctlCheck() | schema.CounterCheck():
            return f"{check.node}: {check.name}{_range(check)}"
        case schema.PacketCheck():
            return _packets(check)
        case schema.DropCheck():
            return f"{check.node or 'any node'}: {_count(check.min, check.max)} dropped, {check.reason}"
        case schema.CommandCheck() | schema.OutputCheck():
            return _command(check)
        case schema.NotCheck():
            return "never: " + "; ".join(describe(one) for one in check.checks)
        case schema.AllCheck():
            return "together: " + "; ".join(describe(one) for one in check.checks)
        case schema.AnyCheck():
            return " or ".join(describe(one) for one in check.checks)
        case _:
            return f"{check.node}: {type(check).__name__}"


def _by(router: str | None) -> str:
    return f", advertised by {router}" if router is not None else ""


def _flags(flags: str | None) -> str:
    return f", flags {flags}" if flags else ""


def _range(check: schema.SysctlCheck | schema.CounterCheck) -> str:
    words = []
    if check.equals is not None:
        words.append(f"is {check.equals}")
    if check.min is not None:
        words.append(f"{check.min} or more")
    if check.max is not None:
        words.append(f"{check.max} or less")
    return " " + ", ".join(words)


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    if most == 0:
        return "none"
    return str(least) if least == most else f"{least} to {most}"


def _packets(check: schema.PacketCheck) -> str:
    where = check.node or check.link
    text = f"{where}: " if where is not None else ""
    noun = "packet" if (check.min, check.max) == (1, 1) else "packets"
    text += f"{_count(check.min, check.max)} {noun} of {check.filter}"
    for word, border in (("before", check.before), ("after", check.after)):
        if border is not None:
            text += f", {word} {format_duration(border) if isinstance(border, int) else border}"
    if check.within is not None:
        text += f", within {format_duration(check.within)}"
    return text


def _command(check: schema.CommandCheck | schema.OutputCheck) -> str:
    who = f"{check.node}: " if check.node is not None else ""
    text = f"{who}a command like {check.line}"
    if check.matches is not None:
        text += f" that prints {check.matches}"
    if check.status is not None:
        text += f" with status {check.status}"
    return text
